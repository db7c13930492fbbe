/* What a run says: chunks for streams, and the answer of generate. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "signal.h"
#include "../base/text.h"

#define TEXT_LIMIT (16 * 1024 * 1024)   /* bytes of one step's text */

/* ---- chunks ---- */

mastra_json_t *mastra_run_envelope(mastra_agent_run_t *run, const char *type,
                                   mastra_json_t *payload)
{
    return mastra_json_pack("{s:s, s:s, s:s, s:o}", "type", type, "runId",
                            run->id, "from", "AGENT", "payload", payload);
}

int mastra_run_deliver(mastra_agent_run_t *run, mastra_json_t *chunk)
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
    return mastra_run_deliver(run, mastra_run_envelope(run, type, payload));
}

void mastra_run_say_start(mastra_agent_run_t *run)
{
    run->started = 1;
    mastra_run_say(run, "start", mastra_json_pack("{s:s, s:s}", "id",
                                                  run->agent->id, "messageId",
                                                  run->message_id));
}

void mastra_run_say_signals(mastra_agent_run_t *run,
                            const mastra_json_t *messages)
{
    apr_size_t i;

    for (i = 0; run->stream && i < mastra_json_size(messages); i++) {
        const mastra_json_t *message = mastra_json_at(messages, i);
        const char *role = mastra_json_get_str(message, "role");

        if (role && !strcmp(role, "signal")) {
            mastra_run_deliver(run, mastra_signal_chunk(message, run->id));
        }
    }
}

void mastra_run_say_step_start(mastra_agent_run_t *run)
{
    mastra_json_t *payload;

    if (!run->stream || run->step.begun) {
        return;
    }
    run->step.begun = 1;
    payload = mastra_json_pack("{s:[], s:s, s:I}", "warnings", "messageId",
                               run->message_id, "startedAt",
                               mastra_text_now_ms());
    mastra_json_set(payload, "request", run->step.request
                                        ? mastra_json_ref(run->step.request)
                                        : mastra_json_object());
    mastra_run_say(run, "step-start", payload);
}

/* {id, providerMetadata?, text?}; metadata is lent. */
static mastra_json_t *part_payload(const char *id, mastra_json_t *metadata)
{
    mastra_json_t *payload = mastra_json_pack("{s:s}", "id", id);

    if (metadata) {
        mastra_json_set(payload, "providerMetadata",
                        mastra_json_ref(metadata));
    }
    return payload;
}

static int say_delta(mastra_agent_run_t *run, const char *type, const char *id,
                     const mastra_model_event_t *event)
{
    const mastra_sink_vtable_t *vtable;
    mastra_json_t *payload;
    int go;

    if (!run->stream || run->cancelled || !run->sink) {
        return 1;
    }
    vtable = run->sink->vtable;
    if (vtable->text && !event->metadata) {
        go = vtable->text(run->sink, run->id, type, id, event->text,
                          event->len);
        if (!go) {
            run->blocked = 1;
        }
        return go;
    }
    payload = part_payload(id, event->metadata);
    mastra_json_set(payload, "text",
                    mastra_json_stringn(event->text, event->len));
    return mastra_run_deliver(run, mastra_run_envelope(run, type, payload));
}

/* ---- text and reasoning ---- */

/* What is told of a part in several events is one: {provider: {name: …}} */
static void add_metadata(mastra_run_step_t *step, const mastra_json_t *metadata)
{
    void *i;

    if (!metadata) {
        return;
    }
    if (!step->part_metadata) {
        step->part_metadata = mastra_json_object();
    }
    for (i = mastra_json_iter(metadata); i; i = mastra_json_next(metadata, i)) {
        const char *key = mastra_json_key(i);
        mastra_json_t *own = mastra_json_get(step->part_metadata, key);

        if (!own) {
            own = mastra_json_object();
            mastra_json_set(step->part_metadata, key, own);
        }
        mastra_json_merge(own, mastra_json_value(i));
    }
}

/* Gives the part what was told of it, and the run the part. */
static void keep_part(mastra_agent_run_t *run, mastra_json_t *part,
                      apr_int64_t at)
{
    if (run->step.part_metadata) {
        mastra_json_set(part, "providerMetadata", run->step.part_metadata);
        run->step.part_metadata = NULL;
    }
    mastra_json_set_int(part, "createdAt", at);
    mastra_json_append(run->parts, part);
}

static void close_reasoning(mastra_agent_run_t *run, mastra_json_t *metadata)
{
    mastra_run_step_t *step = &run->step;
    const mastra_json_t *redacted;
    mastra_json_t *text, *part;

    if (!step->reasoning_open) {
        return;
    }
    step->reasoning_open = 0;
    mastra_run_say(run, "reasoning-end", part_payload(step->reasoning_id,
                                                      metadata));
    add_metadata(step, metadata);
    redacted = mastra_json_path(step->part_metadata, "anthropic",
                                "redactedData", NULL);
    text = mastra_json_stringn(step->reasoning.len ? step->reasoning.data : "",
                               step->reasoning.len);
    part = mastra_json_pack("{s:s, s:O}", "type", "reasoning", "reasoning",
                            text);
    mastra_json_set(part, "details",
                    redacted ? mastra_json_pack("[{s:s, s:s}]", "type",
                                                "redacted", "data", "")
                             : mastra_json_pack("[{s:s, s:O}]", "type", "text",
                                                "text", text));
    keep_part(run, part, mastra_text_now_ms());
    mastra_json_unref(text);
    mastra_buf_free(&step->reasoning);
}

/* Providers do not name their texts: the first of a step, the second, … */
static const char *text_id(char *out, apr_size_t size,
                           const mastra_run_step_t *step)
{
    apr_snprintf(out, size, "txt-%d", step->texts - 1);
    return out;
}

static void close_text(mastra_agent_run_t *run, mastra_json_t *metadata)
{
    mastra_run_step_t *step = &run->step;
    char id[24];

    if (!step->text_open) {
        return;
    }
    step->text_open = 0;
    if (run->stream) {
        mastra_json_t *payload = mastra_json_pack(
            "{s:s, s:s}", "type", "text-end", "id", text_id(id, sizeof(id),
                                                            step));

        if (metadata) {
            mastra_json_set(payload, "providerMetadata",
                            mastra_json_ref(metadata));
        }
        mastra_run_say(run, "text-end", payload);
    }
    add_metadata(step, metadata);
    if (step->text.len) {
        keep_part(run, mastra_json_pack("{s:s, s:o}", "type", "text", "text",
                                        mastra_json_stringn(step->text.data,
                                                            step->text.len)),
                  step->text_at);
    }
    mastra_json_unref(step->part_metadata);
    step->part_metadata = NULL;
    mastra_buf_free(&step->text);
}

void mastra_run_close_text(mastra_agent_run_t *run)
{
    mastra_run_end_part(run, NULL);
}

void mastra_run_end_part(mastra_agent_run_t *run, mastra_json_t *metadata)
{
    close_reasoning(run, metadata);
    close_text(run, metadata);
}

int mastra_run_say_text(mastra_agent_run_t *run,
                        const mastra_model_event_t *event)
{
    mastra_run_step_t *step = &run->step;
    char id[24];

    if (!step->text_open) {
        close_reasoning(run, NULL);
        mastra_buf_init(&step->text, TEXT_LIMIT);
        step->text_open = 1;
        step->texts++;
        step->text_at = mastra_text_now_ms();
        if (run->stream) {
            mastra_run_say(run, "text-start",
                           part_payload(text_id(id, sizeof(id), step), NULL));
        }
    }
    add_metadata(step, event->metadata);
    if (mastra_buf_add(&step->text, event->text, event->len)) {
        return -1;
    }
    if (run->output && !run->structurer) {
        mastra_run_say_object(run, step->text.data, step->text.len);
    }
    return say_delta(run, "text-delta", text_id(id, sizeof(id), step), event);
}

/* What a part begins with and has no words for is told where it begins. */
int mastra_run_say_reasoning(mastra_agent_run_t *run,
                             const mastra_model_event_t *event)
{
    mastra_run_step_t *step = &run->step;
    int opened = !step->reasoning_open;

    if (opened) {
        close_text(run, NULL);
        mastra_buf_init(&step->reasoning, TEXT_LIMIT);
        step->reasoning_open = 1;
        step->reasoning_id = event->id ? apr_pstrdup(step->pool, event->id)
                                       : "reasoning-0";
        mastra_run_say(run, "reasoning-start",
                       part_payload(step->reasoning_id,
                                    event->len ? NULL : event->metadata));
    }
    add_metadata(step, event->metadata);
    if (mastra_buf_add(&step->reasoning, event->text, event->len)) {
        return -1;
    }
    if (opened && !event->len) {
        return !run->blocked;
    }
    return say_delta(run, "reasoning-delta", step->reasoning_id, event);
}

void mastra_run_say_file(mastra_agent_run_t *run,
                         const mastra_model_event_t *event)
{
    mastra_json_t *data = mastra_json_stringn(event->text, event->len);
    mastra_json_t *chunk;

    mastra_run_close_text(run);
    chunk = mastra_run_envelope(run, "file", mastra_json_pack(
                                    "{s:O, s:O, s:s}", "data", data, "base64",
                                    data, "mimeType", event->name));
    mastra_run_keep(&run->step.files, chunk);
    keep_part(run, mastra_json_pack("{s:s, s:s, s:o}", "type", "file",
                                    "mimeType", event->name, "data", data),
              mastra_text_now_ms());
    if (run->stream) {
        mastra_run_deliver(run, chunk);
    }
    else {
        mastra_json_unref(chunk);
    }
}

void mastra_run_keep(mastra_json_t **pchunks, mastra_json_t *chunk)
{
    if (!*pchunks) {
        *pchunks = mastra_json_array();
    }
    mastra_json_append(*pchunks, mastra_json_ref(chunk));
}

void mastra_run_add_traceparent(mastra_agent_run_t *run, const char *name,
                                mastra_json_t *payload)
{
    if (mastra_run_is_client_tool(run, name)) {
        mastra_json_set(payload, "observability",
                        mastra_json_pack("{s:s}", "traceparent",
                                         apr_psprintf(run->step.pool,
                                                      "00-%s-%s-01",
                                                      run->trace_id,
                                                      run->span_id)));
    }
}

void mastra_run_say_tool_call(mastra_agent_run_t *run, mastra_run_tool_t *tool)
{
    mastra_json_t *metadata = mastra_json_get(tool->part, "providerMetadata");
    mastra_json_t *payload = mastra_json_pack(
        "{s:s, s:s, s:O}", "toolCallId", tool->id, "toolName", tool->name,
        "args", tool->args);
    mastra_json_t *chunk;

    if (metadata) {
        mastra_json_set(payload, "providerMetadata",
                        mastra_json_ref(metadata));
    }
    mastra_run_add_traceparent(run, tool->name, payload);
    chunk = mastra_run_envelope(run, "tool-call", payload);
    mastra_run_keep(&run->step.tool_chunks, chunk);
    if (run->stream) {
        mastra_run_deliver(run, chunk);
    }
    else {
        mastra_json_unref(chunk);
    }
}

int mastra_run_say_tool_output(void *baton, mastra_json_t *output)
{
    mastra_run_tool_t *tool = baton;
    mastra_agent_run_t *run = tool->run;

    return mastra_run_deliver(run, mastra_json_pack(
        "{s:s, s:s, s:s, s:{s:O, s:s, s:s}}", "type", "tool-output", "runId",
        run->id, "from", "USER", "payload", "output", output, "toolCallId",
        tool->id, "toolName", tool->name));
}

/* {mastra: {modelOutput}}, where a tool has something else than its result for
 * the model to read; or NULL. */
static mastra_json_t *output_metadata(const mastra_run_tool_t *tool,
                                      const mastra_json_t *result)
{
    const mastra_tool_kind_t *kind = tool->tool ? tool->tool->kind : NULL;
    mastra_json_t *output = kind && kind->model_output
                                ? kind->model_output(result) : NULL;

    return output ? mastra_json_pack("{s:{s:o}}", "mastra", "modelOutput",
                                     output)
                  : NULL;
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
        "USER", "details", "errorMessage", text, "model", run->model->model_id,
        "args", tool->args, "toolCallId", tool->id, "toolName", tool->name);
}

void mastra_run_note_outcome(mastra_agent_run_t *run, mastra_run_tool_t *tool,
                             mastra_json_t *result,
                             const mastra_result_t *error)
{
    mastra_json_t *inner = mastra_json_get(tool->part, "toolInvocation");
    mastra_json_t *payload, *metadata;

    tool->over = 1;
    tool->is_result = !error;
    if (error) {
        mastra_json_set_str(inner, "state", "output-error");
        mastra_json_set_str(inner, "errorText", error->message);
        tool->outcome = mastra_run_envelope(run, "tool-error",
                                            tool_error(run, tool, error));
        return;
    }
    mastra_json_know_for(result, run->pool);
    mastra_json_set_str(inner, "state", "result");
    mastra_json_set(inner, "result", result ? mastra_json_ref(result)
                                            : mastra_json_null());
    payload = mastra_json_pack("{s:O, s:s, s:s, s:O}", "args", tool->args,
                               "toolCallId", tool->id, "toolName", tool->name,
                               "result", mastra_json_get(inner, "result"));
    metadata = output_metadata(tool, result);
    if (metadata) {
        mastra_json_set(tool->part, "providerMetadata",
                        mastra_json_ref(metadata));
        mastra_json_set(payload, "providerMetadata", metadata);
    }
    tool->outcome = mastra_run_envelope(run, "tool-result", payload);
}

static void say_outcome(mastra_agent_run_t *run, mastra_run_tool_t *tool)
{
    mastra_json_t *chunk = tool->outcome;

    tool->outcome = NULL;
    if (tool->is_result) {
        mastra_run_keep(&run->step.result_chunks, chunk);
    }
    if (run->stream) {
        mastra_run_deliver(run, chunk);
    }
    else {
        mastra_json_unref(chunk);
    }
}

void mastra_run_say_outcomes(mastra_agent_run_t *run)
{
    mastra_run_tool_t *tool;

    for (tool = run->step.tools; tool && !run->blocked; tool = tool->next) {
        if (tool->outcome) {
            say_outcome(run, tool);
        }
        else if (!tool->over && !tool->client
                 && !mastra_run_waits(run, tool)) {
            return;
        }
    }
}

void mastra_run_add_step_start(mastra_agent_run_t *run)
{
    mastra_json_append(run->parts,
                       mastra_json_pack("{s:s, s:I, s:s}", "type", "step-start",
                                        "createdAt", mastra_text_now_ms(),
                                        "model", run->model->spec));
}

/* ---- structured output while it arrives ---- */

void mastra_run_say_object_chunk(mastra_agent_run_t *run, const char *type)
{
    mastra_json_t *chunk;

    if (!run->stream || run->cancelled) {
        return;
    }
    chunk = mastra_json_pack("{s:s, s:s, s:s, s:O}", "from", "AGENT", "runId",
                             run->id, "type", type, "object", run->object);
    if (run->structurer) {
        mastra_json_set(chunk, "metadata",
                        mastra_json_pack("{s:s}", "from", "structured-output"));
    }
    mastra_run_deliver(run, chunk);
}

/* Each look reads the whole text: the longer it is, the rarer they are. */
void mastra_run_say_object(mastra_agent_run_t *run, const char *text,
                           apr_size_t len)
{
    mastra_json_t *object;

    if (!run->stream || run->cancelled
        || len < run->object_seen + run->object_seen / 32) {
        return;
    }
    run->object_seen = len;
    object = mastra_run_partial_object(run,
                                       mastra_said_json_so_far(text, len));
    if (!object || (run->object && mastra_json_equal(run->object, object))) {
        mastra_json_unref(object);
        return;
    }
    mastra_json_unref(run->object);
    run->object = object;
    mastra_run_say_object_chunk(run, "object");
}
