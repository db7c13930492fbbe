/* Reads an answer of a model server: an event stream or one JSON document, told
 * apart by what comes, not by what was asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "answer.h"

#define MAX_EVENT (4 * 1024 * 1024)
#define MAX_INLINE (32 * 1024 * 1024)    /* of a wire that sends files inline */
#define MAX_DOCUMENT (32 * 1024 * 1024)

mastra_answer_t *mastra_answer_make(const mastra_wire_t *wire,
                                    const char *model_id, int stream,
                                    int include_raw, mastra_outlet_t *outlet)
{
    mastra_answer_t *answer = calloc(1, sizeof(*answer));

    if (!answer) {
        return NULL;
    }
    answer->wire = wire;
    answer->outlet = outlet;
    answer->stream = stream;
    answer->include_raw = include_raw;
    mastra_buf_init(&answer->document, MAX_DOCUMENT);
    answer->model_id = strdup(model_id);
    answer->state = wire->state_size ? calloc(1, wire->state_size) : NULL;
    if (!answer->model_id || (wire->state_size && !answer->state)) {
        free(answer->model_id);
        free(answer->state);
        free(answer);
        return NULL;
    }
    return answer;
}

void mastra_answer_free(mastra_answer_t *answer)
{
    if (!answer) {
        return;
    }
    if (answer->sse) {
        mastra_sse_free(answer->sse);
    }
    if (answer->state && answer->wire->release) {
        answer->wire->release(answer->state);
    }
    mastra_buf_free(&answer->document);
    mastra_json_unref(answer->headers);
    mastra_json_unref(answer->usage);
    mastra_calls_free(answer->calls);
    free(answer->state);
    free(answer->model_id);
    free(answer);
}

const char *mastra_answer_cause(const mastra_answer_t *answer)
{
    return answer->cause;
}

int mastra_answer_is_over(const mastra_answer_t *answer)
{
    return answer->over;
}

void mastra_answer_fail(mastra_answer_t *answer, mastra_model_fail_e fail,
                        const char *what, const char *text, apr_size_t len)
{
    if (answer->fail != MASTRA_FAIL_NONE || fail == MASTRA_FAIL_NONE) {
        return;
    }
    answer->fail = fail;
    snprintf(answer->cause, sizeof(answer->cause), "%s%s%.*s", what,
             text ? ": " : "", text ? (int)(len > 240 ? 240 : len) : 0,
             text ? text : "");
}

void mastra_answer_fail_by(mastra_answer_t *answer, const mastra_json_t *error)
{
    const char *message = mastra_json_str(error);

    if (!message) {
        message = mastra_json_get_str(error, "message");
    }
    mastra_answer_fail(answer, mastra_model_fail_of(200, error),
                       "the answer is an error", message,
                       message ? strlen(message) : 0);
}

/* ---- what readers say ---- */

void mastra_answer_respond(mastra_answer_t *answer, const char *id,
                           const char *model, apr_int64_t created)
{
    mastra_model_event_t event = { .type = MASTRA_MODEL_RESPONSE };
    char iso[MASTRA_ISO_LEN + 1];

    if (answer->responded) {
        return;
    }
    /* 253402300799 is the last second of the year 9999. */
    if (created > 0 && created <= APR_INT64_C(253402300799)) {
        mastra_text_iso(iso, apr_time_from_sec(created));
    }
    else {
        mastra_text_iso(iso, apr_time_now());
    }
    event.json = mastra_json_object();
    if (id && *id) {
        mastra_json_set_str(event.json, "id", id);
    }
    mastra_json_set_str(event.json, "timestamp", iso);
    mastra_json_set_str(event.json, "modelId",
                        model && *model ? model : answer->model_id);
    mastra_json_set(event.json, "headers",
                    answer->headers ? answer->headers : mastra_json_object());
    answer->headers = NULL;
    answer->responded = 1;
    mastra_outlet_emit(answer->outlet, &event);
    mastra_json_unref(event.json);
}

void mastra_answer_say(const mastra_answer_t *answer, mastra_model_event_e type,
                       const mastra_json_t *json, const char *id,
                       mastra_json_t *metadata)
{
    mastra_model_event_t event = { .type = type, .id = id,
                                   .metadata = metadata };

    event.len = mastra_json_len(json);
    if (event.len || metadata) {
        event.text = event.len ? mastra_json_str(json) : "";
        mastra_outlet_emit(answer->outlet, &event);
    }
}

void mastra_answer_end_part(const mastra_answer_t *answer,
                            mastra_json_t *metadata)
{
    mastra_model_event_t event = { .type = MASTRA_MODEL_PART_END,
                                   .metadata = metadata };

    mastra_outlet_emit(answer->outlet, &event);
    mastra_json_unref(metadata);
}

void mastra_answer_call(mastra_answer_t *answer, apr_int64_t index,
                        const char *id, const char *name,
                        const mastra_json_t *args, mastra_json_t *metadata)
{
    if (!answer->calls) {
        answer->calls = mastra_calls_make(answer->outlet, answer->stream);
    }
    if (answer->calls) {
        mastra_answer_fail(answer,
                           mastra_calls_piece(answer->calls, index, id, name,
                                              args, metadata),
                           "too many tool calls, or too long arguments", NULL,
                           0);
    }
    else {
        mastra_answer_fail(answer, MASTRA_FAIL_INTERNAL, "no memory", NULL, 0);
    }
    mastra_json_unref(metadata);
}

void mastra_answer_usage(mastra_answer_t *answer, mastra_json_t *usage)
{
    if (mastra_json_is_object(usage)) {
        mastra_json_unref(answer->usage);
        answer->usage = mastra_json_ref(usage);
    }
}

void mastra_answer_reason(mastra_answer_t *answer, const char *reason)
{
    if (reason && *reason) {
        apr_cpystrn(answer->raw_reason, reason, sizeof(answer->raw_reason));
    }
}

/* ---- reading ---- */

/* A chunk of a stream, or the whole document. */
static void take(mastra_answer_t *answer, const char *name,
                 mastra_json_t *chunk)
{
    const mastra_json_t *error = mastra_json_get(chunk, "error");

    if (error && !mastra_json_is_null(error)) {
        mastra_answer_fail_by(answer, error);
        return;
    }
    answer->seen = 1;
    if (answer->include_raw) {
        mastra_model_event_t event = { .type = MASTRA_MODEL_RAW };

        event.json = chunk;
        mastra_outlet_emit(answer->outlet, &event);
    }
    answer->wire->take(answer, name, chunk);
}

static int on_sse(void *baton, const char *event, const char *data,
                  apr_size_t len)
{
    mastra_answer_t *answer = baton;
    mastra_json_t *chunk = NULL;
    mastra_json_error_t err;

    if (answer->over || len == 0) {
        return 1;
    }
    if (len == 6 && memcmp(data, "[DONE]", 6) == 0) {
        answer->over = 1;
        return 1;
    }
    if (mastra_json_parse_mended(&chunk, data, len, &err)
        || !mastra_json_is_object(chunk)) {
        mastra_answer_fail(answer, MASTRA_FAIL_ANSWER,
                           "a chunk is not a JSON object", data, len);
    }
    else if (event && strcmp(event, "error") == 0
             && !mastra_json_get(chunk, "error")) {
        mastra_answer_fail_by(answer, chunk);
    }
    else {
        take(answer, event, chunk);
    }
    mastra_json_unref(chunk);
    return answer->fail == MASTRA_FAIL_NONE;
}

void mastra_answer_begin(mastra_answer_t *answer, mastra_json_t *headers,
                         int event_stream)
{
    mastra_json_unref(answer->headers);
    answer->headers = headers;
    answer->event_stream = event_stream;
    if (event_stream) {
        answer->sse = mastra_sse_make(answer->wire->inline_files ? MAX_INLINE
                                                                 : MAX_EVENT,
                                      on_sse, answer);
        if (!answer->sse) {
            mastra_answer_fail(answer, MASTRA_FAIL_INTERNAL, "no memory", NULL,
                               0);
        }
    }
}

mastra_model_fail_e mastra_answer_feed(mastra_answer_t *answer,
                                       const char *data, apr_size_t len)
{
    apr_status_t rv;

    if (answer->fail != MASTRA_FAIL_NONE || answer->over) {
        return answer->fail;
    }
    if (answer->event_stream) {
        rv = mastra_sse_feed(answer->sse, data, len);
    }
    else {
        rv = mastra_buf_add(&answer->document, data, len);
    }
    if (rv == APR_ENOSPC) {
        mastra_answer_fail(answer, MASTRA_FAIL_ANSWER_SIZE,
                           "an event or the document passes its limit", NULL,
                           0);
    }
    else if (rv) {
        mastra_answer_fail(answer, MASTRA_FAIL_INTERNAL, "no memory", NULL, 0);
    }
    return answer->fail;
}

/* ---- the end ---- */

static const char *reason_of(const mastra_answer_t *answer)
{
    const mastra_wire_reason_t *row;
    const char *raw = answer->raw_reason;
    const char *ours = *raw ? "other" : "unknown";

    for (row = answer->wire->reasons; row->theirs; row++) {
        if (strcmp(raw, row->theirs) == 0) {
            ours = row->ours;
        }
    }
    /* Several servers have no reason of its own for tool calls. */
    if (mastra_calls_count(answer->calls)
        && (!*raw || strcmp(ours, "stop") == 0)) {
        return "tool-calls";
    }
    return ours;
}

static void emit_finish(mastra_answer_t *answer, mastra_json_t *body)
{
    const mastra_wire_t *wire = answer->wire;
    mastra_model_event_t event = { .type = MASTRA_MODEL_FINISH };

    event.reason = reason_of(answer);
    event.raw_reason = *answer->raw_reason ? answer->raw_reason : NULL;
    event.json = wire->usage(answer->usage);
    event.metadata = wire->metadata ? wire->metadata(answer) : NULL;
    event.body = body;
    mastra_outlet_emit(answer->outlet, &event);
    mastra_json_unref(event.json);
    mastra_json_unref(event.metadata);
}

static void end_calls(mastra_answer_t *answer)
{
    if (answer->calls) {
        mastra_answer_fail(answer, mastra_calls_end(answer->calls),
                           "a tool call has no name", NULL, 0);
    }
}

static void end_stream(mastra_answer_t *answer, int cut)
{
    if (!answer->seen && !cut && !mastra_sse_is_partial(answer->sse)) {
        mastra_answer_fail(answer, MASTRA_FAIL_ANSWER,
                           "the stream holds no chunk", NULL, 0);
        return;
    }
    if (!answer->over && !*answer->raw_reason) {
        mastra_answer_fail(answer, MASTRA_FAIL_CUT,
                           "the stream ended without saying why", NULL, 0);
        return;
    }
    end_calls(answer);
    if (answer->fail == MASTRA_FAIL_NONE) {
        mastra_answer_respond(answer, NULL, NULL, 0);
        emit_finish(answer, NULL);
    }
}

static void end_document(mastra_answer_t *answer)
{
    const mastra_buf_t *text = &answer->document;
    mastra_json_t *json = NULL;
    mastra_json_error_t err;

    if (text->len == 0
        || mastra_json_parse_mended(&json, text->data, text->len, &err)) {
        mastra_answer_fail(answer, MASTRA_FAIL_ANSWER, "the answer is not JSON",
                           text->data, text->len);
        return;
    }
    mastra_buf_free(&answer->document);
    take(answer, NULL, json);
    if (answer->fail == MASTRA_FAIL_NONE && !answer->responded) {
        mastra_answer_fail(answer, MASTRA_FAIL_ANSWER,
                           "the answer holds nothing that a model said", NULL,
                           0);
    }
    if (answer->fail == MASTRA_FAIL_NONE) {
        end_calls(answer);
    }
    if (answer->fail == MASTRA_FAIL_NONE) {
        emit_finish(answer, json);
    }
    mastra_json_unref(json);
}

mastra_model_fail_e mastra_answer_end(mastra_answer_t *answer, int cut)
{
    if (answer->fail != MASTRA_FAIL_NONE) {
        return answer->fail;
    }
    if (answer->event_stream) {
        end_stream(answer, cut);
    }
    else if (cut) {
        mastra_answer_fail(answer, MASTRA_FAIL_CUT,
                           "the document is not complete", NULL, 0);
    }
    else {
        end_document(answer);
    }
    return answer->fail;
}
