/* The walk of a network: choose, carry out, look whether that was all. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../base/log.h"

/* ---- chunks ---- */

/* 0: who hears it is slow. */
static int tell(mastra_network_t *network, mastra_json_t *chunk)
{
    mastra_sink_t *sink = network->sink;

    if (network->log && !mastra_log_chunk(network->log, chunk)) {
        network->log_slow = 1;
    }

    if (sink && network->log && sink->vtable->mark) {
        mastra_event_at_t at = { .seq = mastra_log_last(network->log) };

        sink->vtable->mark(sink, at);
    }
    if (sink && !sink->vtable->chunk(sink, chunk)) {
        network->client_slow = 1;
    }
    return !network->log_slow && !network->client_slow;
}

void mastra_network_say(mastra_network_t *network, const char *type,
                        mastra_json_t *payload)
{
    mastra_json_t *chunk = mastra_json_pack(
        "{s:s, s:o, s:s, s:s}", "type", type, "payload", payload, "from",
        "NETWORK", "runId", network->id);

    network->started = 1;
    if (!tell(network, chunk)) {
        network->blocked = 1;
    }
    mastra_json_unref(chunk);
}

int mastra_network_hold(mastra_network_t *network,
                        void (*next)(mastra_network_t *network))
{
    if (!network->blocked) {
        return 0;
    }
    network->held = next;
    return 1;
}

const char *mastra_network_str(const mastra_network_t *network,
                               const char *name)
{
    return mastra_json_get_str(network->state, name);
}

apr_int64_t mastra_network_iteration(const mastra_network_t *network)
{
    return mastra_json_get_int(network->state, "iteration", 0);
}

/* ---- the end ---- */

void mastra_network_discard(void *baton)
{
    mastra_network_t *network = baton;

    if (network->counted) {
        mastra_hub_run_ends(network->env->hub);
    }
    mastra_json_unref(network->context);
    mastra_json_unref(network->decision);
    mastra_json_unref(network->state);
    mastra_json_unref(network->object);
    mastra_json_unref(network->input);
    mastra_json_unref(network->waits);
    mastra_json_unref(network->steps);
    mastra_json_unref(network->path);
    mastra_json_unref(network->result);
    mastra_json_unref(network->cost);
    mastra_json_unref(network->messages);
    apr_pool_destroy(network->pool);
}

/* A job of its own may still be under way: then that frees it. */
void mastra_network_free(mastra_network_t *network)
{
    mastra_network_drop_lease(network);
    if (network->busy || network->renewing) {
        return;
    }
    network->gone.cb = mastra_network_discard;
    network->gone.baton = network;
    mastra_loop_defer(network->env->loop, &network->gone);
}

static void end_with(mastra_network_t *network, const mastra_result_t *error)
{
    mastra_sink_t *sink = network->sink;

    if (network->over) {
        return;
    }
    network->over = 1;
    network->sink = NULL;
    mastra_network_close_log(network);
    if (sink) {
        sink->vtable->end(sink, NULL, error);
    }
    mastra_network_free(network);
}

void mastra_network_end(mastra_network_t *network)
{
    end_with(network, NULL);
}

static void failed(mastra_network_t *network)
{
    end_with(network, NULL);
}

void mastra_network_fail(mastra_network_t *network,
                         const mastra_result_t *error)
{
    if (error->status >= 500) {
        mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(3401) "run %s of network %s "
                   "failed: %s%s%s", network->id, network->agent->id,
                   error->message, error->cause ? ": " : "",
                   error->cause ? error->cause : "");
    }
    if (!network->started) {
        end_with(network, error);
        return;
    }
    mastra_network_say(network, "error", mastra_json_pack(
        "{s:{s:s, s:s, s:s}}", "error", "message", error->message, "name",
        "Error", "code", error->code));
    if (network->epoch > 0 && !network->finished) {
        network->finished = 1;
        network->stored = failed;
        if (network->kept) {
            mastra_network_retire(network);
        }
        else {
            mastra_network_save(network);
        }
        return;
    }
    end_with(network, NULL);
}

static const char *member(const mastra_json_t *object, const char *name)
{
    const char *text = mastra_json_get_str(object, name);

    return text ? text : "";
}

/* ---- whether that was all ---- */

void mastra_network_say_finish(mastra_network_t *network)
{
    apr_int64_t said = mastra_json_get_int(network->state, "logged", 0);
    mastra_json_t *payload;

    if (mastra_network_hold(network, mastra_network_say_finish)) {
        return;
    }
    if (network->recovers && network->after > said) {
        /* whoever had the run has said it */
        mastra_network_retire(network);
        return;
    }
    payload = mastra_json_copy_flat(mastra_json_get(network->state, "end"));
    mastra_json_set(payload, "usage",
                    mastra_json_ref(mastra_json_get(network->state, "usage")));
    mastra_network_say(network, "network-execution-event-finish", payload);
    mastra_network_retire(network);
}

/* What is common to the end and to what the next step begins with. */
static mastra_json_t *summary(const mastra_network_t *network, int passed,
                              const char *result, const char *feedback)
{
    const mastra_json_t *choice = mastra_json_get(network->state, "choice");

    return mastra_json_pack(
        "{s:s, s:b, s:s, s:s, s:s, s:I, s:b, s:s, s:s, s:b, s:s*}", "task",
        mastra_network_str(network, "task"), "isComplete", passed, "result",
        result, "primitiveId", mastra_json_get_str(choice, "primitiveId"),
        "primitiveType", mastra_json_get_str(choice, "primitiveType"),
        "iteration", mastra_network_iteration(network), "isOneOff", 0,
        "threadId", mastra_network_str(network, "threadId"),
        "threadResourceId", mastra_network_str(network, "resourceId"),
        "validationPassed", passed, "validationFeedback",
        passed ? NULL : feedback);
}

static const char *feedback_of(const mastra_network_t *network, int passed,
                               int last, const char *reason, apr_int64_t ms)
{
    return apr_psprintf(
        network->pool, "#### Completion Check Results\n\nOverall: %s\n"
        "Duration: %" APR_INT64_T_FMT "ms\n\n###### Default LLM Completion "
        "(default-completion)\nScore: %s\nReason: %s\n\n\n\n%s",
        passed ? "✅ COMPLETE" : "❌ NOT COMPLETE", ms,
        passed ? "1 ✅" : "0 ❌", reason,
        passed ? "✅ The task is complete."
        : last ? "⚠️ Max iterations reached."
               : "🔄 Will continue working on the task.");
}

static void say_checked(mastra_network_t *network, int passed, int last,
                        const char *reason, const char *final, apr_int64_t ms)
{
    mastra_network_say(network, "network-validation-end", mastra_json_pack(
        "{s:s, s:I, s:b, s:[{s:i, s:b, s:s, s:s, s:s, s:s, s:I}], s:I, s:b,"
        " s:s, s:b, s:b}", "runId", network->id, "iteration",
        mastra_network_iteration(network), "passed", passed, "results",
        "score", passed, "passed", passed, "reason", reason, "finalResult",
        final, "scorerId", "default-completion", "scorerName",
        "Default LLM Completion", "duration", ms, "duration", ms, "timedOut",
        0, "reason", reason, "maxIterationReached", last && !passed,
        "suppressFeedback", 0));
}

/* The next step, or the end, is decided; what was said is stored first. */
static void conclude(mastra_network_t *network, int passed, int last,
                     const char *result, const char *reason,
                     const char *feedback)
{
    apr_int64_t iteration = mastra_network_iteration(network);
    mastra_json_t *end;

    if (passed || last) {
        end = summary(network, passed, result, feedback);
        mastra_json_set_str(end, "completionReason", passed ? reason
            : apr_psprintf(network->pool, "Max iterations reached: %d",
                           network->max_steps));
        mastra_json_set(end, "object", mastra_json_ref(
            mastra_json_get(network->state, "object")));
        mastra_json_set(network->state, "end", end);
        if (network->log) {
            mastra_json_set_int(network->state, "logged",
                                mastra_log_last(network->log));
        }
        network->finished = 1;
        network->stage = MASTRA_NETWORK_END;
        network->stored = mastra_network_say_finish;
    }
    else {
        mastra_json_set_int(network->state, "iteration", iteration + 1);
        mastra_json_set(network->state, "begins",
                        summary(network, 0, result, feedback));
        network->stage = MASTRA_NETWORK_CHOOSE;
        network->stored = mastra_network_choose;
    }
    mastra_network_save(network);
}

/* All that was asked is answered. */
static void verdict(mastra_network_t *network, int passed)
{
    int last = mastra_network_iteration(network) >= network->max_steps;
    apr_int64_t ms = (apr_time_now() - network->asked_at) / 1000;
    const char *feedback;

    if (passed && *network->final) {
        mastra_network_note(network, network->final, NULL);
    }
    feedback = feedback_of(network, passed, last, network->reason, ms);
    mastra_network_note(network, feedback, mastra_json_pack(
        "{s:s, s:{s:b, s:b}}", "mode", "network", "completionResult", "passed",
        passed, "suppressFeedback", 0));
    say_checked(network, passed, last, network->reason, network->final, ms);
    conclude(network, passed, last, passed && *network->final
             ? network->final : network->result_text, network->reason,
             feedback);
}

static void have_object(mastra_network_t *network,
                        const mastra_result_t *error)
{
    if (error) {
        mastra_network_fail(network, error);
        return;
    }
    mastra_json_set(network->state, "object",
                    mastra_json_ref(network->object));
    verdict(network, 1);
}

static void checked(mastra_network_t *network, const mastra_result_t *error)
{
    const mastra_json_t *object = network->object;
    int passed = mastra_json_get_bool(object, "isComplete", 0);

    if (error) {
        mastra_network_fail(network, error);
        return;
    }
    network->reason = apr_pstrdup(network->pool,
                                  member(object, "completionReason"));
    network->final = apr_pstrdup(network->pool, member(object, "finalResult"));
    if (passed && mastra_json_path(network->state, "options",
                                   "structuredOutput", "schema", NULL)) {
        network->heard = have_object;
        mastra_network_ask_object(network);
        return;
    }
    verdict(network, passed);
}

void mastra_network_check(mastra_network_t *network)
{
    if (mastra_network_hold(network, mastra_network_check)) {
        return;
    }
    mastra_network_say(network, "network-validation-start", mastra_json_pack(
        "{s:s, s:I, s:i}", "runId", network->id, "iteration",
        mastra_network_iteration(network), "checksCount", 1));
    mastra_network_say(network, "routing-agent-text-start", mastra_json_pack(
        "{s:s}", "runId", mastra_text_uuid_make(network->pool)));
    network->final = NULL;
    network->heard = checked;
    mastra_network_ask_complete(network);
}

void mastra_network_check_again(mastra_network_t *network)
{
    const char *type = mastra_json_get_str(
        mastra_json_get(network->state, "choice"), "primitiveType");

    network->word = mastra_network_word(type ? type : "");
    mastra_network_check(network);
}

/* ---- which is next ---- */

static void none_chosen(mastra_network_t *network, const char *reason)
{
    mastra_json_unref(network->result);
    network->result = mastra_json_string(reason);
    network->result_text = apr_pstrdup(network->pool, reason);
    network->word = "primitive";
    mastra_network_say(network, "network-execution-event-step-finish",
                       mastra_json_pack("{s:s, s:s, s:b, s:I, s:s}", "task",
                                        mastra_network_str(network, "task"),
                                        "result", reason, "isComplete", 1,
                                        "iteration",
                                        mastra_network_iteration(network),
                                        "runId", network->id));
    mastra_network_check(network);
}

static void chosen(mastra_network_t *network, const mastra_result_t *error)
{
    mastra_json_t *object = network->object, *routed, *payload;
    int none;

    if (error) {
        mastra_network_fail(network, error);
        return;
    }
    none = !strcmp(member(object, "primitiveType"), "none")
           || !strcmp(member(object, "primitiveId"), "none");
    mastra_json_set(network->state, "choice", mastra_json_ref(object));
    routed = mastra_json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:I, s:s*, s:O}", "task",
        mastra_network_str(network, "task"), "result",
        none ? member(object, "selectionReason") : "", "primitiveId",
        member(object, "primitiveId"), "primitiveType",
        member(object, "primitiveType"), "prompt", member(object, "prompt"),
        "isComplete", none, "selectionReason",
        member(object, "selectionReason"), "iteration",
        mastra_network_iteration(network), "runId",
        mastra_network_str(network, "routeId"), "conversationContext",
        mastra_json_get(network->state, "said"));
    mastra_json_set(network->state, "routed", routed);
    payload = mastra_json_copy_flat(routed);
    mastra_json_set(payload, "usage",
                    mastra_json_ref(mastra_json_get(network->state,
                                                    "routeUsage")));
    mastra_network_say(network, "routing-agent-end", payload);
    if (none) {
        none_chosen(network, member(object, "selectionReason"));
        return;
    }
    mastra_network_execute(network);
}

/* inputData of the first step, and of those that follow */
static mastra_json_t *begins_with(const mastra_network_t *network)
{
    mastra_json_t *begins = mastra_json_get(network->state, "begins"), *made;

    if (!begins) {
        return mastra_json_pack(
            "{s:s, s:s, s:s, s:i, s:s, s:s, s:b, s:b}", "task",
            mastra_network_str(network, "task"), "primitiveId", "",
            "primitiveType", "none", "iteration", 0, "threadResourceId",
            mastra_network_str(network, "resourceId"), "threadId",
            mastra_network_str(network, "threadId"), "isOneOff", 0,
            "verboseIntrospection", 1);
    }
    made = mastra_json_copy_flat(begins);
    mastra_json_set_int(made, "iteration", mastra_network_iteration(network));
    return made;
}

void mastra_network_choose(mastra_network_t *network)
{
    const char *id;

    if (mastra_network_hold(network, mastra_network_choose)) {
        return;
    }
    id = mastra_text_uuid_make(network->pool);
    mastra_json_set_str(network->state, "routeId", id);
    mastra_network_say(network, "routing-agent-start", mastra_json_pack(
        "{s:s, s:s, s:s, s:o}", "networkId", network->agent->id, "agentId",
        "routing-agent", "runId", id, "inputData", begins_with(network)));
    network->heard = chosen;
    mastra_network_ask_next(network);
}

/* ---- work of http/stream.h ---- */

void mastra_network_count_run(mastra_network_t *network)
{
    if (network->env->hub) {
        network->counted = 1;
        mastra_hub_run_begins(network->env->hub);
    }
}

void mastra_network_begin(void *baton, mastra_sink_t *sink)
{
    mastra_network_t *network = baton;

    network->sink = sink;
    mastra_network_count_run(network);
    if (network->decision) {
        mastra_network_claim(network);
        return;
    }
    network->kept = network->env->hub && network->env->store;
    network->stored = mastra_network_choose;
    mastra_network_recall(network);
}

int mastra_network_endures(const mastra_network_t *network)
{
    return network->agent->durable && network->env->hub
           && network->env->store;
}

void mastra_network_cancel(void *baton)
{
    mastra_network_t *network = baton;

    network->sink = NULL;
    network->client_slow = 0;
    if (network->over || network->leaving) {
        return;
    }
    network->cancelled = 1;
    mastra_network_hush(network);
    if (network->call) {
        mastra_tool_cancel(network->call);
        network->call = NULL;
    }
    if (!network->kept || network->epoch <= 0) {
        mastra_network_free(network);
        return;
    }
    if (!network->busy) {
        mastra_network_leave(network);
    }
}

void mastra_network_has_room(mastra_network_t *network)
{
    void (*next)(mastra_network_t *) = NULL;

    if (network->client_slow || network->log_slow) {
        return;
    }
    network->blocked = 0;
    if (network->run) {
        mastra_agent_run_resume(network->run);
    }
    else if (network->call) {
        mastra_tool_resume(network->call);
    }
    else if (!network->busy && !network->over) {
        next = network->held;
        network->held = NULL;
    }
    if (next) {
        next(network);
    }
}

void mastra_network_resume(void *baton)
{
    mastra_network_t *network = baton;

    network->client_slow = 0;
    mastra_network_has_room(network);
}

const char *mastra_network_id(const void *network)
{
    return ((const mastra_network_t *)network)->id;
}

int mastra_network_may_repeat(const void *network)
{
    return !((const mastra_network_t *)network)->acted;
}
