/* Steps, the end of a run, and the answer of generate. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

/* ---- steps ---- */

static mastra_json_t *slice(const mastra_json_t *array, apr_size_t from)
{
    mastra_json_t *made = mastra_json_array();

    for (; from < mastra_json_size(array); from++) {
        mastra_json_append(made, mastra_json_ref(mastra_json_at(array, from)));
    }
    return made;
}

/* What the agent has said, as model messages: also before it was suspended. */
static mastra_json_t *said_messages(mastra_agent_run_t *run)
{
    mastra_json_t *made = mastra_json_array();
    mastra_json_t *own = mastra_message_parts_to_model(run->parts);

    mastra_message_to_model(made, run->prior);
    mastra_json_extend(made, own);
    mastra_json_unref(own);
    return made;
}

static void join_content(mastra_json_t *content, const mastra_json_t *messages)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_extend(content, mastra_json_get(mastra_json_at(messages, i),
                                                    "content"));
    }
}

static mastra_json_t *or_empty(mastra_json_t *object)
{
    return object ? mastra_json_ref(object) : mastra_json_object();
}

static mastra_json_t *or_array(mastra_json_t *array)
{
    return array ? mastra_json_ref(array) : mastra_json_none();
}

static mastra_json_t *provider_metadata(mastra_agent_run_t *run)
{
    return mastra_json_ref(run->step.metadata
                               ? run->step.metadata
                               : run->model->provider_metadata);
}

static mastra_json_t *model_metadata(mastra_agent_run_t *run)
{
    return mastra_json_ref(run->model->metadata);
}

/* id, timestamp, modelId, headers of the upstream's answer; a failed call has
 * none, then they are made up as the real server does. */
static mastra_json_t *make_response(mastra_agent_run_t *run)
{
    mastra_json_t *base = run->step.response
                              ? mastra_json_copy_flat(run->step.response)
                              : mastra_json_object();

    if (!mastra_json_get(base, "id")) {
        mastra_json_set_str(base, "id", mastra_text_uuid_make(run->step.pool));
    }
    if (!mastra_json_get(base, "timestamp")) {
        mastra_json_set_str(base, "timestamp",
                            mastra_text_iso_make(run->step.pool,
                                                 apr_time_now()));
    }
    if (!mastra_json_get(base, "modelId")) {
        mastra_json_set_str(base, "modelId", run->model->model_id);
    }
    if (run->error) {
        mastra_json_set_str(base, "modelVersion", "v2");
        mastra_json_set_str(base, "modelProvider", run->model->provider->id);
    }
    return base;
}

/* The same, made once for all that is said when a step is over. Lent. */
static mastra_json_t *step_response(mastra_agent_run_t *run)
{
    if (!run->step.base) {
        run->step.base = make_response(run);
    }
    return run->step.base;
}

/* What was said up to then, which stays as it is. Lent. */
static mastra_json_t *step_messages(mastra_agent_run_t *run)
{
    if (!run->step.messages) {
        run->step.messages = said_messages(run);
    }
    return run->step.messages;
}

/* The step's own parts as the flat "content" of a step. */
static mastra_json_t *step_content(mastra_agent_run_t *run)
{
    mastra_json_t *content = mastra_json_array(), *parts, *own;

    if (!run->step.first_part && !run->prior) {
        join_content(content, step_messages(run));
        return content;
    }
    parts = slice(run->parts, run->step.first_part);
    own = mastra_message_parts_to_model(parts);
    join_content(content, own);
    mastra_json_unref(own);
    mastra_json_unref(parts);
    return content;
}

static mastra_json_t *or_text(mastra_json_t *text)
{
    return text ? mastra_json_ref(text) : mastra_json_string("");
}

/* The texts of the step's parts of a type as one, as providers may send
 * several. New reference. */
static mastra_json_t *joined(mastra_agent_run_t *run, const char *type,
                             const char *member)
{
    mastra_json_t *only = NULL, *text;
    const char *all = NULL;
    apr_size_t i;

    for (i = run->step.first_part; i < mastra_json_size(run->parts); i++) {
        const mastra_json_t *part = mastra_json_at(run->parts, i);

        text = mastra_part_is(part, type) ? mastra_json_get(part, member)
                                          : NULL;
        if (!mastra_json_is_string(text)) {
            continue;
        }
        if (only) {
            all = apr_pstrcat(run->step.pool, all ? all : mastra_json_str(only),
                              mastra_json_str(text), NULL);
        }
        only = only ? only : text;
    }
    if (all) {
        return mastra_json_string(all);
    }
    return only ? mastra_json_ref(only) : mastra_json_string("");
}

static mastra_json_t *step_text(mastra_agent_run_t *run)
{
    return joined(run, "text", "text");
}

static mastra_json_t *step_reasoning(mastra_agent_run_t *run)
{
    return joined(run, "reasoning", "reasoning");
}

static void add_usage(mastra_agent_run_t *run, const mastra_json_t *usage)
{
    static const char *const names[] = { "inputTokens", "outputTokens",
                                         "totalTokens", "reasoningTokens",
                                         "cachedInputTokens",
                                         "cacheCreationInputTokens", NULL };
    mastra_json_t *raw = mastra_json_get(usage, "raw");
    int i;

    for (i = 0; names[i]; i++) {
        if (mastra_json_get(usage, names[i])) {
            mastra_json_set_int(run->usage, names[i],
                                mastra_json_get_int(run->usage, names[i], 0)
                                    + mastra_json_get_int(usage, names[i], 0));
        }
    }
    if (raw) {
        mastra_json_set(run->usage, "raw", mastra_json_ref(raw));
    }
}

static mastra_json_t *ui_message(mastra_agent_run_t *run)
{
    mastra_json_t *metadata = mastra_json_pack(
        "{s:s, s:s, s:s, s:s*, s:s*}", "modelId", run->model->model_id,
        "provider", run->model->provider->id, "traceId", run->trace_id,
        "threadId", run->thread_id, "resourceId", run->resource_id);

    if (run->object) {
        mastra_json_set(metadata, "structuredOutput",
                        mastra_json_ref(run->object));
    }
    mastra_json_set_str(metadata, "createdAt",
                        mastra_text_iso_make(run->step.pool,
                                             run->answered_at));
    return mastra_json_pack("{s:s, s:s, s:o, s:o}", "id", run->message_id,
                            "role", "assistant", "metadata", metadata, "parts",
                            mastra_message_parts_to_ui(run->parts));
}

/* A completed message as a UI message: its content's metadata and its own. */
static mastra_json_t *prior_ui_message(const mastra_json_t *message)
{
    static const char *const names[] = { "createdAt", "threadId", "resourceId",
                                         NULL };
    const mastra_json_t *content = mastra_json_get(message, "content");
    mastra_json_t *metadata =
        mastra_json_copy_flat(mastra_json_get(content, "metadata"));
    int i;

    for (i = 0; names[i]; i++) {
        mastra_json_set_str(metadata, names[i],
                            mastra_json_get_str(message, names[i]));
    }
    return mastra_json_pack("{s:s, s:s, s:o, s:o}", "id",
                            mastra_json_get_str(message, "id"), "role",
                            "assistant", "metadata", metadata, "parts",
                            mastra_message_parts_to_ui(
                                mastra_json_get(content, "parts")));
}

static mastra_json_t *ui_messages(mastra_agent_run_t *run)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(run->prior); i++) {
        mastra_json_append(made,
                           prior_ui_message(mastra_json_at(run->prior, i)));
    }
    if (mastra_json_size(run->parts)) {
        mastra_json_append(made, ui_message(run));
    }
    return made;
}

/* "response" of generate: the base, the upstream's body and the messages. */
static mastra_json_t *full_response(mastra_agent_run_t *run)
{
    mastra_json_t *response = make_response(run);
    mastra_json_t *message = mastra_run_message(run, 1);

    run->step.message = mastra_json_ref(message);
    if (run->step.body) {
        mastra_json_set(response, "body", mastra_json_ref(run->step.body));
    }
    mastra_json_set(response, "modelMetadata", model_metadata(run));
    mastra_json_set(response, "messages", mastra_json_ref(step_messages(run)));
    mastra_json_set(response, "dbMessages",
                    run->prior ? mastra_json_copy_flat(run->prior)
                               : mastra_json_array());
    if (message) {
        mastra_json_append(mastra_json_get(response, "dbMessages"), message);
    }
    mastra_json_set(response, "uiMessages", ui_messages(run));
    return response;
}

static mastra_json_t *reasoning_chunks(mastra_agent_run_t *run)
{
    mastra_json_t *made = NULL, *payload, *metadata, *chunk;
    apr_size_t i;
    char id[32];
    int n = 0;

    for (i = run->step.first_part; i < mastra_json_size(run->parts); i++) {
        const mastra_json_t *part = mastra_json_at(run->parts, i);

        if (!mastra_part_is(part, "reasoning")) {
            continue;
        }
        apr_snprintf(id, sizeof(id), "reasoning-%d", n++);
        payload = mastra_json_pack("{s:s, s:O}", "id", id, "text",
                                   mastra_json_get(part, "reasoning"));
        metadata = mastra_json_get(part, "providerMetadata");
        if (metadata) {
            mastra_json_set(payload, "providerMetadata",
                            mastra_json_ref(metadata));
        }
        chunk = mastra_run_envelope(run, "reasoning", payload);
        mastra_run_keep(&made, chunk);
        mastra_json_unref(chunk);
    }
    return made ? made : mastra_json_none();
}

/* A step of generate's answer. */
static mastra_json_t *whole_step(mastra_agent_run_t *run)
{
    mastra_run_step_t *step = &run->step;
    mastra_json_t *none = mastra_json_none();
    mastra_json_t *made = mastra_json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "stepType", run->nsteps ? "tool-result" : "initial", "sources", none,
        "files", or_array(step->files), "toolCalls",
        or_array(step->tool_chunks), "toolResults",
        or_array(step->result_chunks), "content", step_content(run), "text",
        step_text(run), "reasoningText", step_reasoning(run),
        "reasoning", reasoning_chunks(run), "staticToolCalls", none,
        "dynamicToolCalls", none, "staticToolResults", none,
        "dynamicToolResults", none);

    mastra_json_set_str(made, "finishReason", step->reason);
    mastra_json_set(made, "usage", or_empty(step->usage));
    mastra_json_set(made, "warnings", mastra_json_none());
    mastra_json_set(made, "request", or_empty(step->request));
    mastra_json_set(made, "response", full_response(run));
    mastra_json_set(made, "providerMetadata", provider_metadata(run));
    return made;
}

/* A step as streams show it in output.steps. */
static mastra_json_t *stream_step(mastra_agent_run_t *run)
{
    mastra_json_t *response = mastra_json_copy_flat(step_response(run));
    mastra_json_t *made = mastra_json_pack("{s:o}", "content",
                                           step_content(run));

    if (run->error) {
        mastra_json_set_str(made, "finishReason", run->step.reason);
    }
    mastra_json_set(made, "usage", or_empty(run->step.usage));
    mastra_json_set(made, "warnings", mastra_json_none());
    if (run->step.request) {
        mastra_json_set(made, "request", mastra_json_ref(run->step.request));
    }
    mastra_json_set(response, "messages", mastra_json_ref(step_messages(run)));
    mastra_json_set(made, "response", response);
    if (!run->error) {
        mastra_json_set(made, "providerMetadata", provider_metadata(run));
    }
    return made;
}

/* ---- step-finish and finish ---- */

static mastra_json_t *step_result(mastra_agent_run_t *run, int continued)
{
    if (run->error) {
        return mastra_json_pack("{s:s, s:[], s:b}", "reason",
                                run->step.reason, "warnings", "isContinued", 0);
    }
    return mastra_json_pack("{s:s, s:s*, s:b, s:s*}", "reason",
                            run->step.reason, "rawReason",
                            run->step.raw_reason, "isContinued", continued,
                            "messageId", run->next_id);
}

static mastra_json_t *finish_metadata(mastra_agent_run_t *run)
{
    mastra_json_t *metadata = run->error ? mastra_json_object()
                                         : mastra_json_pack(
                                               "{s:o}", "providerMetadata",
                                               provider_metadata(run));

    mastra_json_merge(metadata, step_response(run));
    mastra_json_set(metadata, "modelMetadata", model_metadata(run));
    if (run->step.request) {
        mastra_json_set(metadata, "request",
                        mastra_json_ref(run->step.request));
    }
    return metadata;
}

static mastra_json_t *brief_calls(const mastra_json_t *chunks)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(chunks); i++) {
        mastra_json_append(made, mastra_json_ref(mastra_json_get(
                                     mastra_json_at(chunks, i), "payload")));
    }
    return made;
}

static mastra_json_t *make_all_messages(mastra_agent_run_t *run)
{
    mastra_json_t *user = mastra_json_array(), *all = mastra_json_array();
    mastra_json_t *other = step_messages(run);

    mastra_message_to_model(user, run->input);
    mastra_run_remembered_model(run, all);
    mastra_message_to_model(all, run->background);
    mastra_json_extend(all, user);
    mastra_json_extend(all, other);
    return mastra_json_pack("{s:o, s:o, s:O}", "all", all, "user", user,
                            "nonUser", other);
}

/* The last step and the run end with the same words. Lent. */
static mastra_json_t *all_messages(mastra_agent_run_t *run)
{
    if (!run->step.all_messages) {
        run->step.all_messages = make_all_messages(run);
    }
    return run->step.all_messages;
}

static mastra_json_t *finish_payload(mastra_agent_run_t *run, int continued,
                                     mastra_json_t *usage)
{
    mastra_json_t *output = mastra_json_pack(
        "{s:o, s:o, s:o, s:O}", "text", step_text(run), "toolCalls",
        brief_calls(run->step.tool_chunks), "usage", or_empty(usage), "steps",
        run->steps);

    if (run->object) {
        mastra_json_set(output, "object", mastra_json_ref(run->object));
    }
    return mastra_json_pack("{s:s, s:o, s:o, s:o, s:O, s:i}", "messageId",
                            run->message_id, "stepResult",
                            step_result(run, continued), "metadata",
                            finish_metadata(run), "output", output, "messages",
                            all_messages(run), "processorRetryCount", 0);
}

/* Messages of one request are a millisecond apart, so the last one may lie a
 * little ahead; what clients have dated far ahead does not count. */
#define AHEAD apr_time_from_sec(1)

void mastra_run_date_answer(mastra_agent_run_t *run)
{
    apr_time_t now = apr_time_now(), at = now, asked;
    apr_size_t i;

    if (run->answered_at) {
        return;
    }
    for (i = 0; i < mastra_json_size(run->input); i++) {
        const char *when = mastra_json_get_str(mastra_json_at(run->input, i),
                                               "createdAt");

        /* stored times have milliseconds: the same one would be no order */
        if (when && !mastra_text_iso_parse(&asked, when)
            && asked < now + AHEAD && asked + apr_time_from_msec(1) > at) {
            at = asked + apr_time_from_msec(1);
        }
    }
    run->answered_at = at;
}

void mastra_run_add_step(mastra_agent_run_t *run)
{
    mastra_run_date_answer(run);
    add_usage(run, run->step.usage);
    mastra_json_append(run->steps, run->stream ? stream_step(run)
                                               : whole_step(run));
    run->nsteps++;
}

void mastra_run_say_step_finish(mastra_agent_run_t *run, int continued)
{
    mastra_run_add_step(run);
    if (run->stream && !run->cancelled) {
        mastra_run_say(run, "step-finish",
                       finish_payload(run, continued, run->step.usage));
    }
}

void mastra_run_say_error(mastra_agent_run_t *run, const mastra_result_t *error)
{
    /* the name that AI SDK clients know a model's failure by */
    int of_model = !strncmp(error->code, "MODEL_", 6);

    mastra_run_say(run, "error",
                   mastra_json_pack("{s:s, s:{s:s, s:s, s:s, s:i, s:b}}",
                                    "type", "error", "error", "message",
                                    error->message, "name",
                                    of_model ? "AI_APICallError" : "Error",
                                    "code",
                                    error->code, "statusCode", error->status,
                                    "isRetryable", error->status >= 500));
}

/* A stream's last word counts even what no model counted; "generate" leaves
 * that out. */
static mastra_json_t *counted_usage(const mastra_agent_run_t *run)
{
    static const char *const names[] = { "inputTokens", "outputTokens",
                                         "totalTokens", NULL };
    mastra_json_t *usage = mastra_json_copy_flat(run->usage);
    int i;

    for (i = 0; names[i]; i++) {
        if (!mastra_json_get(usage, names[i])) {
            mastra_json_set_int(usage, names[i], 0);
        }
    }
    return usage;
}

void mastra_run_say_finish(mastra_agent_run_t *run)
{
    mastra_json_t *usage = counted_usage(run);
    mastra_json_t *payload = finish_payload(run, 0, usage);
    mastra_json_t *response;

    mastra_json_unref(usage);
    if (run->agent->memory.enabled) {
        response = mastra_json_copy_flat(step_response(run));
        mastra_json_set(response, "modelMetadata", model_metadata(run));
        mastra_json_set(response, "messages",
                        mastra_json_ref(step_messages(run)));
        mastra_json_set(response, "uiMessages", ui_messages(run));
        mastra_json_set(payload, "response", response);
    }
    mastra_run_say(run, "finish", payload);
}

/* ---- the assistant's message, the whole answer ---- */

/* Calls that came to something. */
static mastra_json_t *invocations(const mastra_json_t *parts)
{
    mastra_json_t *made = NULL;
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        mastra_json_t *inner = mastra_json_get(mastra_json_at(parts, i),
                                               "toolInvocation");

        const char *state = mastra_json_get_str(inner, "state");

        if (state && strcmp(state, "call")) {
            mastra_run_keep(&made, inner);
        }
    }
    return made;
}

mastra_json_t *mastra_run_message(mastra_agent_run_t *run, int for_client)
{
    mastra_json_t *content, *metadata;
    mastra_json_t *text = mastra_message_last_text(run->parts, 0);

    if (!mastra_json_size(run->parts)) {
        return NULL;
    }
    metadata = run->metadata ? mastra_json_copy_flat(run->metadata)
                             : mastra_json_object();
    mastra_json_set_str(metadata, "modelId", run->model->model_id);
    mastra_json_set_str(metadata, "provider", run->model->provider->id);
    mastra_json_set_str(metadata, "traceId", run->trace_id);
    if (run->object) {
        mastra_json_set(metadata, "structuredOutput",
                        mastra_json_ref(run->object));
    }
    if (mastra_json_size(run->pending)) {
        mastra_json_set(metadata, "pendingToolApprovals",
                        mastra_json_ref(run->pending));
    }
    content = mastra_json_pack("{s:i, s:o, s:o}", "format", 2, "parts",
                               mastra_json_copy_flat(run->parts), "metadata",
                               metadata);
    mastra_json_set(content, "content", mastra_json_ref(text));
    if (for_client) {
        mastra_json_set(content, "toolInvocations", invocations(run->parts));
    }
    return mastra_json_pack("{s:s, s:s, s:o, s:s, s:s*, s:s*}", "id",
                            run->message_id, "role", "assistant", "content",
                            content, "createdAt",
                            mastra_text_iso_make(run->pool, run->answered_at),
                            "threadId", run->thread_id, "resourceId",
                            run->resource_id);
}

static mastra_json_t *gather(const mastra_json_t *steps, const char *key)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(steps); i++) {
        mastra_json_extend(made, mastra_json_get(mastra_json_at(steps, i),
                                                 key));
    }
    return made;
}

/* System messages are not kept as messages. */
static void add_kept(mastra_json_t *made, const mastra_json_t *messages)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_t *message = mastra_json_at(messages, i);

        if (mastra_json_get(message, "id")) {
            mastra_json_append(made, mastra_json_ref(message));
        }
    }
}

/* What was remembered, what the request brought, what the agent said. */
static mastra_json_t *answer_messages(mastra_agent_run_t *run)
{
    mastra_json_t *made = run->remembered
                              ? mastra_json_copy_flat(run->remembered)
                              : mastra_json_array();
    mastra_json_t *message;

    add_kept(made, run->background);
    add_kept(made, run->input);
    mastra_json_extend(made, run->prior);
    /* the last step has shown it already, but not what it waits for */
    message = run->step.message && !run->suspended
                  ? mastra_json_ref(run->step.message)
                  : mastra_run_message(run, !run->suspended);
    if (message) {
        mastra_json_append(made, message);
    }
    return made;
}

/* What comes from the last step; a run that was suspended may have none. */
static mastra_json_t *answer_base(mastra_agent_run_t *run,
                                  const mastra_json_t *last)
{
    mastra_json_t *answer = mastra_json_pack(
        "{s:o, s:O, s:O}", "text", or_text(mastra_json_get(last, "text")),
        "usage", run->usage, "steps", run->steps);
    mastra_json_t *reason = mastra_json_get(last, "finishReason");

    mastra_json_set(answer, "finishReason",
                    run->suspended ? mastra_json_string("suspended")
                    : reason ? mastra_json_ref(reason)
                             : mastra_json_string("unknown"));
    mastra_json_set(answer, "warnings", mastra_json_none());
    if (!run->suspended) {
        mastra_json_set(answer, "providerMetadata", provider_metadata(run));
    }
    mastra_json_set(answer, "request",
                    or_empty(mastra_json_get(last, "request")));
    mastra_json_set(answer, "reasoning",
                    or_array(mastra_json_get(last, "reasoning")));
    return answer;
}

/* What a scorer is given, for clients that score by themselves. */
static mastra_json_t *scoring_data(mastra_agent_run_t *run)
{
    mastra_json_t *messages = mastra_json_array(), *input;

    add_kept(messages, run->input);
    input = mastra_json_pack("{s:o, s:o}", "inputMessages", messages,
                             "rememberedMessages", or_array(run->remembered));
    mastra_run_show_system(run, input);
    return mastra_json_pack("{s:o, s:[o*]}", "input", input, "output",
                            mastra_run_message(run, 0));
}

mastra_json_t *mastra_run_answer(mastra_agent_run_t *run)
{
    mastra_json_t *last = mastra_json_at(run->steps,
                                         mastra_json_size(run->steps) - 1);
    mastra_json_t *answer = answer_base(run, last), *response;

    if (mastra_json_size(mastra_json_get(answer, "reasoning"))) {
        mastra_json_set(answer, "reasoningText",
                        mastra_json_ref(mastra_json_get(last,
                                                        "reasoningText")));
    }
    mastra_json_set(answer, "toolCalls", gather(run->steps, "toolCalls"));
    mastra_json_set(answer, "toolResults", gather(run->steps, "toolResults"));
    mastra_json_set(answer, "sources", mastra_json_none());
    mastra_json_set(answer, "files", gather(run->steps, "files"));
    response = mastra_json_get(last, "response");
    mastra_json_set(answer, "response",
                    response ? mastra_json_ref(response)
                             : mastra_json_pack("{s:[]}", "dbMessages"));
    mastra_json_set(answer, "totalUsage", mastra_json_ref(run->usage));
    if (run->object) {
        mastra_json_set(answer, "object", mastra_json_ref(run->object));
    }
    mastra_json_set_bool(answer, "usedFallbackValue", run->used_fallback);
    mastra_json_set_str(answer, "traceId", run->trace_id);
    mastra_json_set_str(answer, "spanId", run->span_id);
    mastra_json_set_str(answer, "runId", run->id);
    if (run->suspended) {
        mastra_run_describe_suspended(run, answer);
    }
    if (mastra_json_get_bool(run->options, "returnScorerData", 0)) {
        mastra_json_set(answer, "scoringData", scoring_data(run));
    }
    mastra_json_set(answer, "messages", answer_messages(run));
    mastra_json_set(answer, "rememberedMessages", or_array(run->remembered));
    return answer;
}
