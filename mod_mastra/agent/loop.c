/* The model-tool loop: a run as a state machine on the loop thread. */

#include <string.h>

#include <apr_strings.h>

#include "hub.h"
#include "internal.h"
#include "last_words.h"
#include "../base/log.h"

static void call_model(mastra_agent_run_t *run);

/* ---- life ---- */

static void free_run(void *baton)
{
    mastra_agent_run_discard(baton);
}

/* Last words: the sink hears of the end, the run goes. */
void mastra_run_end(mastra_agent_run_t *run)
{
    mastra_sink_t *sink = run->sink;
    mastra_json_t *answer = NULL;

    run->state = MASTRA_RUN_END;
    mastra_loop_timer_stop(run->env->loop, &run->deadline);
    mastra_run_drop_lease(run);
    if (run->env->hub) {
        mastra_hub_run_ends(run->env->hub);
    }
    if (sink) {
        if (!run->stream && !run->error) {
            answer = mastra_run_answer(run);
        }
        sink->vtable->end(sink, answer,
                          run->stream && run->started ? NULL : run->error);
        mastra_json_unref(answer);
    }
    run->msg.cb = free_run;
    run->msg.baton = run;
    mastra_loop_defer(run->env->loop, &run->msg);
}

/* Clients repeat what failed with a 5xx, and tools would be called again. */
static void set_error(mastra_agent_run_t *run, const mastra_result_t *error)
{
    run->error = mastra_result_copy(run->pool, error);
    if (!mastra_agent_run_may_repeat(run)) {
        mastra_model_error_no_repeat(run->error);
    }
}

int mastra_run_hold(mastra_agent_run_t *run,
                    void (*next)(mastra_agent_run_t *run))
{
    if (!run->blocked || run->cancelled) {
        return 0;
    }
    run->held = next;
    return 1;
}

/* ---- the end, with memory ---- */

int mastra_run_has_answer(const mastra_agent_run_t *run)
{
    return run->thread_id && !run->read_only && mastra_json_size(run->parts);
}

static void say_last(mastra_agent_run_t *run)
{
    if (mastra_run_hold(run, say_last)) {
        return;
    }
    if (run->stream && run->started) {
        mastra_run_say_finish(run);
    }
    mastra_durable_over(run);
}

void mastra_run_last_words(mastra_agent_run_t *run)
{
    run->state = MASTRA_RUN_LAST;
    say_last(run);
}

static void after_save(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->channel) {
        mastra_channel_settled(run->channel, run->job_rv);
    }
    if (run->job_rv) {
        mastra_result_t *error = mastra_store_result(run->pool, run->job_rv,
                                                     "save the answer");

        mastra_log(MASTRA_LOG_ERR, run->job_rv, MASTRA_ID(3001)
                   "run %s: the answer could not be stored", run->id);
        if (!run->error) {
            set_error(run, error);
            run->step.reason = "error";
            mastra_run_say_error(run, run->error);
        }
        /* nor was it that the last words are still to come */
        run->stage = MASTRA_STAGE_MODEL;
    }
    if (!mastra_run_give_title(run, mastra_run_last_words)) {
        mastra_run_last_words(run);
    }
}

static void save(mastra_agent_run_t *run)
{
    mastra_run_save(run, after_save);
}

void mastra_run_finish(mastra_agent_run_t *run)
{
    if (mastra_run_has_answer(run) || run->epoch
        || (run->channel && !mastra_channel_is_lost(run->channel))) {
        mastra_run_date_answer(run);
        if (!run->saved) {
            mastra_durable_finish(run, save);
            return;
        }
    }
    run->job_rv = APR_SUCCESS;
    after_save(run);
}

/* What the client did wrong is no business of the administrator's. */
static void log_failure(const mastra_agent_run_t *run,
                        const mastra_result_t *error)
{
    const char *colon = error->cause ? ": " : "";
    const char *cause = error->cause ? error->cause : "";

    if (error->status < 500 && strncmp(error->code, "MODEL_", 6)) {
        mastra_log(MASTRA_LOG_DEBUG, 0, "run %s of agent %s ended: %s (%s)%s%s",
                   run->id, run->agent->id, error->message, error->code, colon,
                   cause);
        return;
    }
    mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(3002) "run %s of agent %s failed: "
               "%s (%s)%s%s", run->id, run->agent->id, error->message,
               error->code, colon, cause);
}

/* It has no words yet, and stands behind all parts. */
static void open_step(mastra_agent_run_t *run)
{
    run->step.pool = run->pool;
    run->step.reason = "unknown";
    run->step.first_part = mastra_json_size(run->parts);
}

void mastra_run_fail(mastra_agent_run_t *run, const mastra_result_t *error)
{
    if (!run->step.pool) {
        /* between two steps, while it was kept */
        open_step(run);
    }
    set_error(run, error);
    run->step.reason = "error";
    log_failure(run, error);
    mastra_run_close_text(run);
    if (run->stream && run->started) {
        mastra_run_say_error(run, run->error);
        mastra_run_say_step_finish(run, 0);
    }
    mastra_run_finish(run);
}

/* The store job that a run begins with failed: nothing was said yet. */
void mastra_run_end_early(mastra_agent_run_t *run, const char *what)
{
    run->error = run->job_error ? run->job_error
                                : mastra_store_result(run->pool, run->job_rv,
                                                      what);
    log_failure(run, run->error);
    mastra_run_end(run);
}

static void fail_with(mastra_agent_run_t *run, int status, const char *code,
                      const char *message)
{
    mastra_run_fail(run, mastra_result_make(run->pool, status, code, "%s", message));
}

/* ---- model ---- */

static void add_tool_call(mastra_agent_run_t *run,
                          const mastra_model_event_t *event)
{
    mastra_run_tool_t *tool = apr_pcalloc(run->pool, sizeof(*tool));

    tool->run = run;
    tool->id = apr_pstrdup(run->pool, event->id);
    tool->name = apr_pstrdup(run->pool, event->name);
    tool->tool = mastra_run_find_tool(run, event->name);
    tool->client = mastra_run_is_client_tool(run, event->name);
    tool->args = event->json ? mastra_json_ref(event->json)
                             : mastra_json_stringn(event->text ? event->text
                                                               : "",
                                                   event->text ? event->len
                                                               : 0);
    tool->part = mastra_json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:O}, s:I}", "type", "tool-invocation",
        "toolInvocation", "state", "call", "toolCallId", tool->id, "toolName",
        tool->name, "args", tool->args, "createdAt", mastra_text_now_ms());
    if (event->metadata) {
        mastra_json_set(tool->part, "providerMetadata",
                        mastra_json_ref(event->metadata));
    }
    mastra_json_append(run->parts, mastra_json_ref(tool->part));
    if (!run->step.tools_tail) {
        run->step.tools_tail = &run->step.tools;
    }
    *run->step.tools_tail = tool;
    run->step.tools_tail = &tool->next;
    mastra_run_say_tool_call(run, tool);
}

static void overflow(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->cancelled || run->state != MASTRA_RUN_MODEL) {
        return;
    }
    if (run->call) {
        mastra_model_cancel(run->call);
        run->call = NULL;
    }
    fail_with(run, 422, "MODEL_ANSWER_TOO_LARGE",
              "The model's answer is too large");
}

static void on_response(mastra_agent_run_t *run, mastra_json_t *response)
{
    if (!run->step.response) {
        run->step.response = mastra_json_object();
    }
    mastra_json_merge(run->step.response, response);
}

static void on_finish(mastra_agent_run_t *run,
                      const mastra_model_event_t *event)
{
    run->step.reason = apr_pstrdup(run->pool, event->reason);
    run->step.raw_reason = apr_pstrdup(run->pool, event->raw_reason);
    run->step.usage = mastra_json_ref(event->json);
    run->step.body = mastra_json_ref(event->body);
    run->step.metadata = mastra_json_ref(event->metadata);
}

static int on_delta(mastra_agent_run_t *run, const mastra_model_event_t *event)
{
    int rc = event->type == MASTRA_MODEL_TEXT
                 ? mastra_run_say_text(run, event)
                 : mastra_run_say_reasoning(run, event);

    if (rc < 0) {
        run->too_large.cb = overflow;
        run->too_large.baton = run;
        mastra_loop_defer(run->env->loop, &run->too_large);
        return 0;
    }
    return rc;
}

static void on_tool_input(mastra_agent_run_t *run,
                          const mastra_model_event_t *event)
{
    mastra_json_t *payload;

    if (!run->stream) {
        return;
    }
    if (event->type == MASTRA_MODEL_TOOL_START) {
        payload = mastra_json_pack("{s:s, s:s}", "toolCallId", event->id,
                                   "toolName", event->name);
        mastra_run_add_traceparent(run, event->name, payload);
        mastra_run_say(run, "tool-call-input-streaming-start", payload);
    }
    else if (event->type == MASTRA_MODEL_TOOL_DELTA) {
        payload = mastra_json_pack("{s:o, s:s, s:s*}", "argsTextDelta",
                                   mastra_json_stringn(event->text, event->len),
                                   "toolCallId", event->id, "toolName",
                                   event->name);
        mastra_run_say(run, "tool-call-delta", payload);
    }
    else {
        mastra_run_close_text(run);
        payload = mastra_json_pack("{s:s}", "toolCallId", event->id);
        mastra_run_say(run, "tool-call-input-streaming-end", payload);
    }
}

/* Streams do not show it, unless MastraStreamRedact is off; then a step's
 * start waits for it. */
static void on_request(mastra_agent_run_t *run,
                       const mastra_model_event_t *event)
{
    mastra_json_t *body = NULL;

    mastra_json_unref(run->step.request);
    run->step.request = NULL;
    if (run->stream && !run->env->reveal) {
        return;
    }
    if (!run->stream || mastra_json_parse(&body, event->text, event->len, 0,
                                          NULL) != APR_SUCCESS) {
        body = mastra_json_stringn(event->text, event->len);
    }
    run->step.request = mastra_json_pack("{s:o}", "body", body);
    mastra_run_say_step_start(run);
}

static int on_event(void *baton, const mastra_model_event_t *event)
{
    mastra_agent_run_t *run = baton;

    run->step.said |= event->type != MASTRA_MODEL_REQUEST
        && event->type != MASTRA_MODEL_RESPONSE
        && event->type != MASTRA_MODEL_RAW;
    switch (event->type) {
    case MASTRA_MODEL_REQUEST:
        on_request(run, event);
        break;
    case MASTRA_MODEL_RESPONSE:
        on_response(run, event->json);
        break;
    case MASTRA_MODEL_TEXT:
    case MASTRA_MODEL_REASONING:
        return on_delta(run, event);
    case MASTRA_MODEL_TOOL_START:
    case MASTRA_MODEL_TOOL_DELTA:
    case MASTRA_MODEL_TOOL_END:
        on_tool_input(run, event);
        break;
    case MASTRA_MODEL_TOOL_CALL:
        mastra_run_close_text(run);
        add_tool_call(run, event);
        break;
    case MASTRA_MODEL_FINISH:
        mastra_run_close_text(run);
        on_finish(run, event);
        break;
    case MASTRA_MODEL_PART_END:
        mastra_run_end_part(run, event->metadata);
        break;
    case MASTRA_MODEL_FILE:
        mastra_run_say_file(run, event);
        break;
    case MASTRA_MODEL_RAW:
        mastra_run_say(run, "raw", mastra_json_ref(event->json));
        break;
    }
    return !run->blocked;
}

static void on_done(void *baton, const mastra_result_t *error)
{
    mastra_agent_run_t *run = baton;

    run->call = NULL;
    mastra_run_say_step_start(run);
    if (error && !run->step.said && !run->cancelled
        && mastra_run_next_model(run, error)) {
        call_model(run);
        return;
    }
    if (error) {
        mastra_run_fail(run, error);
        return;
    }
    mastra_run_close_text(run);
    if (run->step.tools) {
        mastra_durable_keep(run, MASTRA_STAGE_TOOLS, mastra_run_start_tools);
    }
    else {
        mastra_run_step_over(run);
    }
}

static const mastra_model_cbs_t model_cbs = { on_event, on_done };

static void call_model(mastra_agent_run_t *run)
{
    apr_status_t rv = mastra_run_call_model(run, &model_cbs);

    if (rv) {
        mastra_run_say_step_start(run);
        mastra_run_fail(run, mastra_result_from_apr(run->pool, rv, "call the model"));
    }
}

void mastra_run_start_step(mastra_agent_run_t *run)
{
    open_step(run);
    if (mastra_run_hold(run, mastra_run_start_step)) {
        return;
    }
    run->state = MASTRA_RUN_MODEL;
    if (!run->env->reveal) {
        mastra_run_say_step_start(run);
    }
    call_model(run);
}

/* ---- begin ---- */

static void after_recall(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->claim && !run->job_rv) {
        mastra_channel_adopt(run);
    }
    if (!run->job_rv) {
        mastra_durable_adopt(run);
    }
    if (run->cancelled && run->epoch) {
        mastra_run_cancelled(run);
        return;
    }
    if (run->cancelled) {
        mastra_run_say_abort(run);
        mastra_run_end(run);
        return;
    }
    if (run->job_rv) {
        mastra_run_end_early(run, "read the thread");
        return;
    }
    mastra_run_say_start(run);
    mastra_run_say_signals(run, run->input);
    mastra_run_start_step(run);
}

static void on_deadline(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->state == MASTRA_RUN_MODEL || run->state == MASTRA_RUN_TOOLS) {
        mastra_run_cancel_work(run);
        fail_with(run, 504, "RUN_TIMEOUT",
                  "The run took longer than this server allows");
    }
}

void mastra_agent_run_begin(mastra_agent_run_t *run, mastra_sink_t *sink)
{
    run->sink = sink;
    if (run->env->hub) {
        mastra_hub_run_begins(run->env->hub);
    }
    if (!run->stream && run->env->timeout) {
        mastra_loop_timer_set(run->env->loop, &run->deadline, run->env->timeout,
                              on_deadline, run);
    }
    if (run->decision || run->recovers) {
        mastra_run_claim(run);
        return;
    }
    if (run->thread_id || run->channel || run->durable) {
        mastra_run_recall(run, after_recall);
        return;
    }
    run->job_rv = APR_SUCCESS;
    after_recall(run);
}

int mastra_agent_run_may_repeat(const mastra_agent_run_t *run)
{
    return !run->tools_ran;
}

int mastra_agent_run_is_new(const mastra_agent_run_t *run)
{
    return run->state == MASTRA_RUN_NEW && !run->sink;
}

const char *mastra_agent_run_id(const mastra_agent_run_t *run)
{
    return run->id;
}
