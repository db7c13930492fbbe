/* What a run says: chunks for streams, and the answer of generate. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../base/text.h"

#define TEXT_LIMIT (16 * 1024 * 1024)   /* bytes of one step's text */

/* ---- chunks ---- */

mastra_json_t *mastra_run_envelope(mastra_agent_run_t *run, const char *type,
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
    return deliver(run, mastra_run_envelope(run, type, payload));
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
    return deliver(run, mastra_run_envelope(run, type,
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

void mastra_run_keep(mastra_json_t **pchunks, mastra_json_t *chunk)
{
    if (!*pchunks) {
        *pchunks = mastra_json_array();
    }
    mastra_json_append(*pchunks, mastra_json_ref(chunk));
}

void mastra_run_say_tool_call(mastra_agent_run_t *run, mastra_run_tool_t *tool)
{
    mastra_json_t *chunk =
        mastra_run_envelope(run, "tool-call",
                 mastra_json_pack("{s:s, s:s, s:O}", "toolCallId", tool->id,
                                  "toolName", tool->name, "args", tool->args));

    mastra_run_keep(&run->step.tool_chunks, chunk);
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

void mastra_run_note_outcome(mastra_agent_run_t *run, mastra_run_tool_t *tool,
                             mastra_json_t *result,
                             const mastra_result_t *error)
{
    mastra_json_t *inner = mastra_json_get(tool->part, "toolInvocation");

    tool->over = 1;
    tool->is_result = !error;
    if (error) {
        mastra_json_set_str(inner, "state", "output-error");
        mastra_json_set_str(inner, "errorText", error->message);
        tool->outcome = mastra_run_envelope(run, "tool-error",
                                            tool_error(run, tool, error));
        return;
    }
    mastra_json_set_str(inner, "state", "result");
    mastra_json_set(inner, "result", result ? mastra_json_ref(result)
                                            : mastra_json_null());
    tool->outcome = mastra_run_envelope(
        run, "tool-result",
        mastra_json_pack("{s:O, s:s, s:s, s:O}", "args", tool->args,
                         "toolCallId", tool->id, "toolName", tool->name,
                         "result", mastra_json_get(inner, "result")));
}

static void say_outcome(mastra_agent_run_t *run, mastra_run_tool_t *tool)
{
    mastra_json_t *chunk = tool->outcome;

    tool->outcome = NULL;
    if (tool->is_result) {
        mastra_run_keep(&run->step.result_chunks, chunk);
    }
    if (run->stream) {
        deliver(run, chunk);
    }
    else {
        mastra_json_unref(chunk);
    }
}

void mastra_run_say_outcomes(mastra_agent_run_t *run)
{
    mastra_run_tool_t *tool;

    for (tool = run->step.tools; tool; tool = tool->next) {
        if (tool->outcome) {
            say_outcome(run, tool);
        }
        else if (!tool->over && !mastra_run_waits(run, tool)) {
            return;
        }
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
