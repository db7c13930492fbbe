/* What a run says: chunks for streams, and the answer of generate. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../base/text.h"

#define TEXT_LIMIT (16 * 1024 * 1024)   /* bytes of one step's text */

/* ---- chunks ---- */

static mastra_json_t *envelope(mastra_agent_run_t *run, const char *type,
                               mastra_json_t *payload)
{
    return mastra_json_pack("{s:s, s:s, s:s, s:o}", "type", type, "runId",
                            run->id, "from", "AGENT", "payload", payload);
}

static int deliver(mastra_agent_run_t *run, mastra_json_t *chunk)
{
    int go = 1;

    if (run->sink && !run->cancelled) {
        go = run->sink->vtable->chunk(run->sink, chunk);
    }
    mastra_json_unref(chunk);
    if (!go) {
        run->blocked = 1;
    }
    return go;
}

int mastra_run_say(mastra_agent_run_t *run, const char *type,
                   mastra_json_t *payload)
{
    if (!run->stream || run->cancelled) {
        mastra_json_unref(payload);
        return 1;
    }
    return deliver(run, envelope(run, type, payload));
}

void mastra_run_say_start(mastra_agent_run_t *run)
{
    run->started = 1;
    mastra_run_say(run, "start", mastra_json_pack("{s:s, s:s}", "id",
                                                  run->agent->id, "messageId",
                                                  run->message_id));
}

void mastra_run_say_step_start(mastra_agent_run_t *run)
{
    if (run->stream) {
        mastra_run_say(run, "step-start",
                       mastra_json_pack("{s:[], s:s, s:I, s:{}}", "warnings",
                                        "messageId", run->message_id,
                                        "startedAt", mastra_text_now_ms(),
                                        "request"));
    }
}

static int say_delta(mastra_agent_run_t *run, const char *type, const char *id,
                     const char *text, apr_size_t len)
{
    const mastra_sink_vtable_t *vtable;
    int go;

    if (!run->stream || run->cancelled || !run->sink) {
        return 1;
    }
    vtable = run->sink->vtable;
    if (vtable->text) {
        go = vtable->text(run->sink, run->id, type, id, text, len);
        if (!go) {
            run->blocked = 1;
        }
        return go;
    }
    return deliver(run, envelope(run, type,
                                 mastra_json_pack("{s:s, s:o}", "id", id,
                                                  "text",
                                                  mastra_json_stringn(text,
                                                                      len))));
}

static mastra_json_t *id_payload(const char *id)
{
    return mastra_json_pack("{s:s}", "id", id);
}

static void close_reasoning(mastra_agent_run_t *run)
{
    mastra_run_step_t *step = &run->step;
    mastra_json_t *text, *part;

    if (!step->reasoning_open) {
        return;
    }
    step->reasoning_open = 0;
    if (run->stream) {
        mastra_run_say(run, "reasoning-end", id_payload("reasoning-0"));
    }
    text = mastra_json_stringn(step->reasoning.data, step->reasoning.len);
    part = mastra_json_pack("{s:s, s:O, s:[{s:s, s:O}], s:I}", "type",
                            "reasoning", "reasoning", text, "details", "type",
                            "text", "text", text, "createdAt",
                            mastra_text_now_ms());
    mastra_json_append(run->parts, part);
    mastra_json_unref(text);
    mastra_buf_free(&step->reasoning);
}

void mastra_run_close_text(mastra_agent_run_t *run)
{
    mastra_run_step_t *step = &run->step;
    mastra_json_t *part;

    close_reasoning(run);
    if (!step->text_open) {
        return;
    }
    step->text_open = 0;
    if (run->stream) {
        mastra_run_say(run, "text-end",
                       mastra_json_pack("{s:s, s:s}", "type", "text-end", "id",
                                        "txt-0"));
    }
    if (!step->text.len) {
        return;
    }
    part = mastra_json_pack("{s:s, s:o, s:I}", "type", "text", "text",
                            mastra_json_stringn(step->text.data,
                                                step->text.len),
                            "createdAt", step->text_at);
    mastra_json_append(run->parts, part);
    mastra_buf_free(&step->text);
}

int mastra_run_say_text(mastra_agent_run_t *run, const char *text,
                        apr_size_t len)
{
    mastra_run_step_t *step = &run->step;

    if (!step->text_open) {
        close_reasoning(run);
        mastra_buf_init(&step->text, TEXT_LIMIT);
        step->text_open = 1;
        step->text_at = mastra_text_now_ms();
        if (run->stream) {
            mastra_run_say(run, "text-start", id_payload("txt-0"));
        }
    }
    if (mastra_buf_add(&step->text, text, len)) {
        return -1;
    }
    if (run->output_schema) {
        mastra_run_say_object(run);
    }
    return say_delta(run, "text-delta", "txt-0", text, len);
}

int mastra_run_say_reasoning(mastra_agent_run_t *run, const char *text,
                             apr_size_t len)
{
    mastra_run_step_t *step = &run->step;

    if (!step->reasoning_open) {
        mastra_buf_init(&step->reasoning, TEXT_LIMIT);
        step->reasoning_open = 1;
        if (run->stream) {
            mastra_run_say(run, "reasoning-start", id_payload("reasoning-0"));
        }
    }
    if (mastra_buf_add(&step->reasoning, text, len)) {
        return -1;
    }
    return say_delta(run, "reasoning-delta", "reasoning-0", text, len);
}

static void keep_chunk(mastra_json_t **pchunks, mastra_json_t *chunk)
{
    if (!*pchunks) {
        *pchunks = mastra_json_array();
    }
    mastra_json_append(*pchunks, mastra_json_ref(chunk));
}

void mastra_run_say_tool_call(mastra_agent_run_t *run, mastra_run_tool_t *tool)
{
    mastra_json_t *chunk =
        envelope(run, "tool-call",
                 mastra_json_pack("{s:s, s:s, s:O}", "toolCallId", tool->id,
                                  "toolName", tool->name, "args", tool->args));

    keep_chunk(&run->step.tool_chunks, chunk);
    if (run->stream) {
        deliver(run, chunk);
    }
    else {
        mastra_json_unref(chunk);
    }
}

/* The error of a tool as the real server shows it, without a stack. */
static mastra_json_t *tool_error(mastra_agent_run_t *run,
                                 mastra_run_tool_t *tool,
                                 const mastra_result_t *error)
{
    const char *text = apr_pstrcat(run->step.pool, "Error: ", error->message,
                                   NULL);

    return mastra_json_pack(
        "{s:{s:s, s:{s:s, s:s}, s:s, s:s, s:s, s:{s:s, s:s}}, s:O, s:s, s:s}",
        "error", "name", "Error", "cause", "message", error->message, "name",
        "Error", "id", "TOOL_EXECUTION_FAILED", "domain", "TOOL", "category",
        "USER", "details", "errorMessage", text, "model", run->agent->model_id,
        "args", tool->args, "toolCallId", tool->id, "toolName", tool->name);
}

void mastra_run_say_tool_result(mastra_agent_run_t *run,
                                mastra_run_tool_t *tool, mastra_json_t *result,
                                const mastra_result_t *error)
{
    mastra_json_t *inner = mastra_json_get(tool->part, "toolInvocation");
    mastra_json_t *chunk;

    if (error) {
        mastra_json_set_str(inner, "state", "output-error");
        mastra_json_set_str(inner, "errorText", error->message);
        chunk = envelope(run, "tool-error", tool_error(run, tool, error));
    }
    else {
        mastra_json_set_str(inner, "state", "result");
        mastra_json_set(inner, "result", result ? mastra_json_ref(result)
                                                : mastra_json_null());
        chunk = envelope(run, "tool-result",
                         mastra_json_pack("{s:O, s:s, s:s, s:O}", "args",
                                          tool->args, "toolCallId", tool->id,
                                          "toolName", tool->name, "result",
                                          mastra_json_get(inner, "result")));
        keep_chunk(&run->step.result_chunks, chunk);
    }
    if (run->stream) {
        deliver(run, chunk);
    }
    else {
        mastra_json_unref(chunk);
    }
}

/* ---- structured output while it arrives ---- */

/* Closes what is open in a cut JSON text; APR_EINVAL when it ends where no
 * value can be guessed. */
static apr_status_t close_json(mastra_buf_t *buf, const char *text,
                               apr_size_t len)
{
    char stack[64];
    int depth = 0, in_string = 0, escaped = 0;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        char c = text[i];

        if (in_string) {
            if (escaped) {
                escaped = 0;
            }
            else if (c == '\\') {
                escaped = 1;
            }
            else if (c == '"') {
                in_string = 0;
            }
        }
        else if (c == '"') {
            in_string = 1;
        }
        else if (c == '{' || c == '[') {
            if (depth == (int)sizeof(stack)) {
                return APR_EINVAL;
            }
            stack[depth++] = c == '{' ? '}' : ']';
        }
        else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
    }
    mastra_buf_add(buf, text, escaped ? len - 1 : len);
    if (in_string) {
        mastra_buf_puts(buf, "\"");
    }
    while (depth) {
        mastra_buf_add(buf, &stack[--depth], 1);
    }
    return APR_SUCCESS;
}

/* A text that was cut after a comma, colon or key is tried again from the
 * last point where a value had ended. */
static mastra_json_t *parse_partial(const char *text, apr_size_t len)
{
    mastra_json_t *json = NULL;
    mastra_buf_t buf;
    int tries;

    mastra_buf_init(&buf, TEXT_LIMIT + 128);
    for (tries = 0; tries < 4 && len; tries++) {
        mastra_buf_reset(&buf);
        if (!close_json(&buf, text, len)
            && !mastra_json_parse(&json, buf.data, buf.len, 64, NULL)) {
            break;
        }
        while (len && !strchr(",{[", text[len - 1])) {
            len--;
        }
        if (len && text[len - 1] == ',') {
            len--;
        }
    }
    mastra_buf_free(&buf);
    return json;
}

void mastra_run_say_object(mastra_agent_run_t *run)
{
    mastra_run_step_t *step = &run->step;
    mastra_json_t *object;

    if (!run->stream || run->cancelled) {
        return;
    }
    object = parse_partial(step->text.data, step->text.len);
    if (!mastra_json_is_object(object) && !mastra_json_is_array(object)) {
        mastra_json_unref(object);
        return;
    }
    if (!mastra_json_size(object)
        || (run->object && mastra_json_equal(run->object, object))) {
        mastra_json_unref(object);
        return;
    }
    mastra_json_unref(run->object);
    run->object = object;
    deliver(run, mastra_json_pack("{s:s, s:s, s:s, s:O}", "from", "AGENT",
                                  "runId", run->id, "type", "object", "object",
                                  object));
}

/* ---- steps ---- */

static mastra_json_t *slice(const mastra_json_t *array, apr_size_t from)
{
    mastra_json_t *made = mastra_json_array();

    for (; from < mastra_json_size(array); from++) {
        mastra_json_append(made, mastra_json_ref(mastra_json_at(array, from)));
    }
    return made;
}

/* The step's own parts as the flat "content" of a step. */
static mastra_json_t *step_content(mastra_agent_run_t *run)
{
    mastra_json_t *parts = slice(run->parts, run->step.first_part);
    mastra_json_t *messages = mastra_message_parts_to_model(parts);
    mastra_json_t *content = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_extend(content, mastra_json_get(mastra_json_at(messages, i),
                                                    "content"));
    }
    mastra_json_unref(messages);
    mastra_json_unref(parts);
    return content;
}

static mastra_json_t *or_empty(mastra_json_t *object)
{
    return object ? mastra_json_ref(object) : mastra_json_object();
}

static mastra_json_t *or_array(mastra_json_t *array)
{
    return array ? mastra_json_ref(array) : mastra_json_array();
}

static mastra_json_t *provider_metadata(mastra_agent_run_t *run)
{
    return mastra_json_pack("{s:{}}", run->agent->provider->id);
}

static mastra_json_t *model_metadata(mastra_agent_run_t *run)
{
    return mastra_json_pack("{s:s, s:s, s:s}", "modelId", run->agent->model_id,
                            "modelVersion", "v2", "modelProvider",
                            run->agent->provider->id);
}

/* id, timestamp, modelId, headers of the upstream's answer; a failed call has
 * none, then they are made up as the real server does. */
static mastra_json_t *response_base(mastra_agent_run_t *run)
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
        mastra_json_set_str(base, "modelId", run->agent->model_id);
    }
    return base;
}

static const char *step_text(mastra_agent_run_t *run)
{
    mastra_json_t *parts = slice(run->parts, run->step.first_part);
    const char *text = mastra_message_last_text(parts);

    mastra_json_unref(parts);
    return text ? text : "";
}

static mastra_json_t *step_reasoning(mastra_agent_run_t *run)
{
    apr_size_t i;

    for (i = run->step.first_part; i < mastra_json_size(run->parts); i++) {
        const mastra_json_t *part = mastra_json_at(run->parts, i);
        mastra_json_t *text = mastra_json_get(part, "reasoning");

        if (text) {
            return text;
        }
    }
    return NULL;
}

static void add_usage(mastra_agent_run_t *run, const mastra_json_t *usage)
{
    static const char *const names[] = { "inputTokens", "outputTokens",
                                         "totalTokens", "reasoningTokens",
                                         "cachedInputTokens", NULL };
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
        "{s:s, s:s, s:s, s:s*, s:s*}", "modelId", run->agent->model_id,
        "provider", run->agent->provider->id, "traceId", run->trace_id,
        "threadId", run->thread_id, "resourceId", run->resource_id);

    mastra_json_set_str(metadata, "createdAt",
                        mastra_text_iso_make(run->step.pool,
                                             run->answered_at));
    return mastra_json_pack("{s:s, s:s, s:o, s:o}", "id", run->message_id,
                            "role", "assistant", "metadata", metadata, "parts",
                            mastra_message_parts_to_ui(run->parts));
}

/* "response" of generate: the base, the upstream's body and the messages. */
static mastra_json_t *full_response(mastra_agent_run_t *run)
{
    mastra_json_t *response = response_base(run);
    mastra_json_t *message = mastra_run_message(run, 1);

    if (run->step.body) {
        mastra_json_set(response, "body", mastra_json_ref(run->step.body));
    }
    mastra_json_set(response, "modelMetadata", model_metadata(run));
    mastra_json_set(response, "messages",
                    mastra_message_parts_to_model(run->parts));
    mastra_json_set(response, "dbMessages",
                    message ? mastra_json_pack("[o]", message)
                            : mastra_json_array());
    mastra_json_set(response, "uiMessages",
                    message ? mastra_json_pack("[o]", ui_message(run))
                            : mastra_json_array());
    return response;
}

static mastra_json_t *reasoning_chunks(mastra_agent_run_t *run)
{
    mastra_json_t *text = step_reasoning(run);

    if (!text) {
        return mastra_json_array();
    }
    return mastra_json_pack("[o]",
                            envelope(run, "reasoning",
                                     mastra_json_pack("{s:s, s:O}", "id",
                                                      "reasoning-0", "text",
                                                      text)));
}

/* A step of generate's answer. */
static mastra_json_t *whole_step(mastra_agent_run_t *run)
{
    mastra_run_step_t *step = &run->step;
    mastra_json_t *reasoning = step_reasoning(run);
    mastra_json_t *made = mastra_json_pack(
        "{s:s, s:[], s:[], s:o, s:o, s:o, s:s, s:o, s:o, s:[], s:[], s:[], s:[]}",
        "stepType", run->nsteps ? "tool-result" : "initial", "sources", "files",
        "toolCalls", or_array(step->tool_chunks), "toolResults",
        or_array(step->result_chunks), "content", step_content(run), "text",
        step_text(run), "reasoningText",
        reasoning ? mastra_json_ref(reasoning) : mastra_json_string(""),
        "reasoning", reasoning_chunks(run), "staticToolCalls",
        "dynamicToolCalls", "staticToolResults", "dynamicToolResults");

    mastra_json_set_str(made, "finishReason", step->reason);
    mastra_json_set(made, "usage", or_empty(step->usage));
    mastra_json_set(made, "warnings", mastra_json_array());
    mastra_json_set(made, "request", or_empty(step->request));
    mastra_json_set(made, "response", full_response(run));
    mastra_json_set(made, "providerMetadata", provider_metadata(run));
    return made;
}

/* A step as streams show it in output.steps. */
static mastra_json_t *stream_step(mastra_agent_run_t *run,
                                  mastra_json_t *response)
{
    mastra_json_t *made = mastra_json_pack("{s:o}", "content",
                                           step_content(run));

    if (run->error) {
        mastra_json_set_str(made, "finishReason", run->step.reason);
    }
    mastra_json_set(made, "usage", or_empty(run->step.usage));
    mastra_json_set(made, "warnings", mastra_json_array());
    response = mastra_json_copy_flat(response);
    mastra_json_set(response, "messages",
                    mastra_message_parts_to_model(run->parts));
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
    return mastra_json_pack("{s:s, s:s*, s:b}", "reason", run->step.reason,
                            "rawReason", run->step.raw_reason, "isContinued",
                            continued);
}

static mastra_json_t *finish_metadata(mastra_agent_run_t *run)
{
    mastra_json_t *metadata = run->error ? mastra_json_object()
                                         : mastra_json_pack(
                                               "{s:o}", "providerMetadata",
                                               provider_metadata(run));
    mastra_json_t *base = response_base(run);

    mastra_json_merge(metadata, base);
    mastra_json_unref(base);
    mastra_json_set(metadata, "modelMetadata", model_metadata(run));
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

static mastra_json_t *all_messages(mastra_agent_run_t *run)
{
    mastra_json_t *user = mastra_message_user_to_model(run->input);
    mastra_json_t *other = mastra_message_parts_to_model(run->parts);
    mastra_json_t *all = mastra_json_copy_flat(user);

    mastra_json_extend(all, other);
    return mastra_json_pack("{s:o, s:o, s:o}", "all", all, "user", user,
                            "nonUser", other);
}

static mastra_json_t *finish_payload(mastra_agent_run_t *run, int continued,
                                     mastra_json_t *usage)
{
    mastra_json_t *output = mastra_json_pack(
        "{s:s, s:o, s:o, s:O}", "text", step_text(run), "toolCalls",
        brief_calls(run->step.tool_chunks), "usage", or_empty(usage), "steps",
        run->steps);

    if (run->object) {
        mastra_json_set(output, "object", mastra_json_ref(run->object));
    }
    return mastra_json_pack("{s:s, s:o, s:o, s:o, s:o, s:i}", "messageId",
                            run->message_id, "stepResult",
                            step_result(run, continued), "metadata",
                            finish_metadata(run), "output", output, "messages",
                            all_messages(run), "processorRetryCount", 0);
}

void mastra_run_say_step_finish(mastra_agent_run_t *run, int continued)
{
    mastra_json_t *base;

    if (!run->answered_at) {
        run->answered_at = apr_time_now();
    }
    add_usage(run, run->step.usage);
    if (!run->stream) {
        mastra_json_append(run->steps, whole_step(run));
        run->nsteps++;
        return;
    }
    base = response_base(run);
    mastra_json_append(run->steps, stream_step(run, base));
    mastra_json_unref(base);
    run->nsteps++;
    if (!run->cancelled) {
        mastra_run_say(run, "step-finish",
                       finish_payload(run, continued, run->step.usage));
    }
}

void mastra_run_say_error(mastra_agent_run_t *run, const mastra_result_t *error)
{
    mastra_run_say(run, "error",
                   mastra_json_pack("{s:s, s:{s:s, s:s, s:s, s:i, s:b}}",
                                    "type", "error", "error", "message",
                                    error->message, "name", "Error", "code",
                                    error->code, "statusCode", error->status,
                                    "isRetryable", error->status >= 500));
}

void mastra_run_say_finish(mastra_agent_run_t *run)
{
    mastra_json_t *payload, *response;

    if (run->error && !mastra_json_size(run->usage)) {
        mastra_json_unref(run->usage);
        run->usage = mastra_json_pack("{s:i, s:i, s:i}", "inputTokens", 0,
                                      "outputTokens", 0, "totalTokens", 0);
    }
    payload = finish_payload(run, 0, run->usage);
    if (run->thread_id && !run->error) {
        response = response_base(run);
        mastra_json_set(response, "modelMetadata", model_metadata(run));
        mastra_json_set(response, "messages",
                        mastra_message_parts_to_model(run->parts));
        mastra_json_set(response, "uiMessages",
                        mastra_json_pack("[o]", ui_message(run)));
        mastra_json_set(payload, "response", response);
    }
    mastra_run_say(run, "finish", payload);
}

/* ---- the assistant's message, the whole answer ---- */

static mastra_json_t *invocations(const mastra_json_t *parts)
{
    mastra_json_t *made = NULL;
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        mastra_json_t *inner = mastra_json_get(mastra_json_at(parts, i),
                                               "toolInvocation");

        if (inner) {
            keep_chunk(&made, inner);
        }
    }
    return made;
}

mastra_json_t *mastra_run_message(mastra_agent_run_t *run, int for_client)
{
    mastra_json_t *content, *metadata;
    const char *text = mastra_message_last_text(run->parts);

    if (!mastra_json_size(run->parts)) {
        return NULL;
    }
    metadata = mastra_json_pack("{s:s, s:s, s:s}", "modelId",
                                run->agent->model_id, "provider",
                                run->agent->provider->id, "traceId",
                                run->trace_id);
    if (run->object) {
        mastra_json_set(metadata, "structuredOutput",
                        mastra_json_ref(run->object));
    }
    content = mastra_json_pack("{s:i, s:o, s:o}", "format", 2, "parts",
                               mastra_json_copy_flat(run->parts), "metadata",
                               metadata);
    mastra_json_set_str(content, "content", text);
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

/* Messages of the request that are kept as messages (system ones are not). */
static mastra_json_t *answer_messages(mastra_agent_run_t *run)
{
    mastra_json_t *made = mastra_json_array(), *message;
    apr_size_t i;

    for (i = 0; i < mastra_json_size(run->input); i++) {
        message = mastra_json_at(run->input, i);
        if (mastra_json_get(message, "id")) {
            mastra_json_append(made, mastra_json_ref(message));
        }
    }
    message = mastra_run_message(run, 1);
    if (message) {
        mastra_json_append(made, message);
    }
    return made;
}

mastra_json_t *mastra_run_answer(mastra_agent_run_t *run)
{
    mastra_json_t *last = mastra_json_at(run->steps,
                                         mastra_json_size(run->steps) - 1);
    mastra_json_t *reasoning = mastra_json_get(last, "reasoning");
    mastra_json_t *answer = mastra_json_pack(
        "{s:O, s:O, s:O, s:O, s:[], s:O, s:O, s:O}", "text",
        mastra_json_get(last, "text"), "usage", run->usage, "steps", run->steps,
        "finishReason", mastra_json_get(last, "finishReason"), "warnings",
        "providerMetadata", mastra_json_get(last, "providerMetadata"),
        "request", mastra_json_get(last, "request"), "reasoning", reasoning);

    if (mastra_json_size(reasoning)) {
        mastra_json_set(answer, "reasoningText",
                        mastra_json_ref(mastra_json_get(last,
                                                        "reasoningText")));
    }
    mastra_json_set(answer, "toolCalls", gather(run->steps, "toolCalls"));
    mastra_json_set(answer, "toolResults", gather(run->steps, "toolResults"));
    mastra_json_set(answer, "sources", mastra_json_array());
    mastra_json_set(answer, "files", mastra_json_array());
    mastra_json_set(answer, "response",
                    mastra_json_ref(mastra_json_get(last, "response")));
    mastra_json_set(answer, "totalUsage", mastra_json_ref(run->usage));
    if (run->object) {
        mastra_json_set(answer, "object", mastra_json_ref(run->object));
    }
    mastra_json_set_bool(answer, "usedFallbackValue", 0);
    mastra_json_set_str(answer, "traceId", run->trace_id);
    mastra_json_set_str(answer, "spanId", run->span_id);
    mastra_json_set_str(answer, "runId", run->id);
    mastra_json_set(answer, "messages", answer_messages(run));
    mastra_json_set(answer, "rememberedMessages", or_array(run->remembered));
    return answer;
}
