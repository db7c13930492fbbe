/* Reads the answer of a chat completions server: an event stream of chunks or
 * one JSON document, told apart by what comes, not by what was asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "../net/sse.h"
#include "internal.h"

#define MAX_EVENT (4 * 1024 * 1024)
#define MAX_DOCUMENT (32 * 1024 * 1024)

struct mastra_answer_t {
    mastra_outlet_t *outlet;
    char *model_id;
    int stream;              /* what the caller asked for */
    int include_raw;
    int event_stream;        /* what came */
    int responded;           /* RESPONSE was emitted */
    int seen;                /* anything that an answer consists of */
    int over;                /* [DONE] */
    mastra_model_fail_e fail;
    mastra_sse_t *sse;
    mastra_buf_t document;
    mastra_json_t *headers;  /* until RESPONSE */
    mastra_json_t *usage;    /* the provider's */
    mastra_calls_t *calls;   /* made with the first */
    char raw_reason[40];     /* "": none came */
    char cause[320];
};

mastra_answer_t *mastra_answer_make(const char *model_id, int stream,
                                    int include_raw, mastra_outlet_t *outlet)
{
    mastra_answer_t *answer = calloc(1, sizeof(*answer));

    if (!answer) {
        return NULL;
    }
    answer->outlet = outlet;
    answer->stream = stream;
    answer->include_raw = include_raw;
    mastra_buf_init(&answer->document, MAX_DOCUMENT);
    answer->model_id = strdup(model_id);
    if (!answer->model_id) {
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
    mastra_buf_free(&answer->document);
    mastra_json_unref(answer->headers);
    mastra_json_unref(answer->usage);
    mastra_calls_free(answer->calls);
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

/* The first failure counts. */
static void fail_with(mastra_answer_t *answer, mastra_model_fail_e fail,
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

/* An error object in place of an answer, or in the middle of one. */
static void fail_by(mastra_answer_t *answer, const mastra_json_t *error)
{
    const char *message = mastra_json_str(error);

    if (!message) {
        message = mastra_json_get_str(error, "message");
    }
    fail_with(answer, mastra_model_fail_of(200, error),
              "the answer is an error", message, message ? strlen(message) : 0);
}

static void emit_text(const mastra_answer_t *answer, mastra_model_event_e type,
                      const mastra_json_t *json)
{
    mastra_model_event_t event = { .type = type };

    event.len = mastra_json_len(json);
    if (event.len) {
        event.text = mastra_json_str(json);
        mastra_outlet_emit(answer->outlet, &event);
    }
}

/* {id?, timestamp, modelId, headers}: from the first chunk or the document. */
static void emit_response(mastra_answer_t *answer, const mastra_json_t *chunk)
{
    mastra_model_event_t event = { .type = MASTRA_MODEL_RESPONSE };
    apr_int64_t created = mastra_json_get_int(chunk, "created", 0);
    const char *model = mastra_json_get_str(chunk, "model");
    const char *id = mastra_json_get_str(chunk, "id");
    char iso[MASTRA_ISO_LEN + 1];

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

/* A part of type "thinking" holds its own list of texts. */
static void emit_thinking(const mastra_answer_t *answer,
                          const mastra_json_t *part)
{
    const mastra_json_t *thinking = mastra_json_get(part, "thinking");
    apr_size_t i, n = mastra_json_size(thinking);

    if (!mastra_json_is_array(thinking)) {
        return;
    }
    for (i = 0; i < n; i++) {
        emit_text(answer, MASTRA_MODEL_REASONING,
                  mastra_json_get(mastra_json_at(thinking, i), "text"));
    }
}

/* content: a string, or a list of parts. */
static void emit_content(const mastra_answer_t *answer,
                         const mastra_json_t *content)
{
    apr_size_t i, n;

    if (!mastra_json_is_array(content)) {
        emit_text(answer, MASTRA_MODEL_TEXT, content);
        return;
    }
    n = mastra_json_size(content);
    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);
        const char *type = mastra_json_get_str(part, "type");

        if (type && strcmp(type, "text") == 0) {
            emit_text(answer, MASTRA_MODEL_TEXT, mastra_json_get(part, "text"));
        }
        else if (type && strcmp(type, "thinking") == 0) {
            emit_thinking(answer, part);
        }
    }
}

static void take_calls(mastra_answer_t *answer, const mastra_json_t *deltas)
{
    if (mastra_json_size(deltas) == 0) {
        return;
    }
    if (!answer->calls) {
        answer->calls = mastra_calls_make(answer->outlet, answer->stream);
    }
    if (!answer->calls) {
        fail_with(answer, MASTRA_FAIL_INTERNAL, "no memory", NULL, 0);
        return;
    }
    fail_with(answer, mastra_calls_add(answer->calls, deltas),
              "too many tool calls, or too long arguments", NULL, 0);
}

static void take_usage(mastra_answer_t *answer, mastra_json_t *usage)
{
    if (mastra_json_is_object(usage)) {
        mastra_json_unref(answer->usage);
        answer->usage = mastra_json_ref(usage);
    }
}

static void take_choice(mastra_answer_t *answer, const mastra_json_t *choice)
{
    const char *reason = mastra_json_get_str(choice, "finish_reason");
    const mastra_json_t *error = mastra_json_get(choice, "error");
    const mastra_json_t *delta = mastra_json_get(choice, "delta");
    const mastra_json_t *reasoning;

    if (error && !mastra_json_is_null(error)) {
        fail_by(answer, error);
        return;
    }
    if (reason && *reason) {
        apr_cpystrn(answer->raw_reason, reason, sizeof(answer->raw_reason));
    }
    take_usage(answer, mastra_json_get(choice, "usage"));
    if (!mastra_json_is_object(delta)) {
        delta = mastra_json_get(choice, "message");
    }
    reasoning = mastra_json_get(delta, "reasoning_content");
    if (!mastra_json_is_string(reasoning)) {
        reasoning = mastra_json_get(delta, "reasoning");
    }
    emit_text(answer, MASTRA_MODEL_REASONING, reasoning);
    emit_content(answer, mastra_json_get(delta, "content"));
    take_calls(answer, mastra_json_get(delta, "tool_calls"));
}

/* A chunk of a stream, or the whole document: they differ in one name. */
static void take_chunk(mastra_answer_t *answer, mastra_json_t *chunk)
{
    const mastra_json_t *error = mastra_json_get(chunk, "error");
    const mastra_json_t *choices = mastra_json_get(chunk, "choices");

    if (error && !mastra_json_is_null(error)) {
        fail_by(answer, error);
        return;
    }
    answer->seen = 1;
    if (answer->include_raw) {
        mastra_model_event_t event = { .type = MASTRA_MODEL_RAW };

        event.json = chunk;
        mastra_outlet_emit(answer->outlet, &event);
    }
    take_usage(answer, mastra_json_get(chunk, "usage"));
    take_usage(answer, mastra_json_get(mastra_json_get(chunk, "x_groq"),
                                       "usage"));
    /* A first chunk without choices may lack id and model. */
    if (!answer->responded && mastra_json_size(choices) > 0) {
        emit_response(answer, chunk);
    }
    if (mastra_json_is_array(choices)) {
        take_choice(answer, mastra_json_at(choices, 0));
    }
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
    if (mastra_json_parse(&chunk, data, len, 0, &err)
        || !mastra_json_is_object(chunk)) {
        fail_with(answer, MASTRA_FAIL_ANSWER, "a chunk is not a JSON object",
                  data, len);
    }
    else if (event && strcmp(event, "error") == 0
             && !mastra_json_get(chunk, "error")) {
        fail_by(answer, chunk);
    }
    else {
        take_chunk(answer, chunk);
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
        answer->sse = mastra_sse_make(MAX_EVENT, on_sse, answer);
        if (!answer->sse) {
            fail_with(answer, MASTRA_FAIL_INTERNAL, "no memory", NULL, 0);
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
        fail_with(answer, MASTRA_FAIL_ANSWER_SIZE,
                  "an event or the document passes its limit", NULL, 0);
    }
    else if (rv) {
        fail_with(answer, MASTRA_FAIL_INTERNAL, "no memory", NULL, 0);
    }
    return answer->fail;
}

static const char *reason_of(const mastra_answer_t *answer)
{
    static const struct {
        const char *theirs, *ours;
    } reasons[] = {
        { "stop", "stop" }, { "length", "length" },
        { "content_filter", "content-filter" },
        { "tool_calls", "tool-calls" }, { "function_call", "tool-calls" },
    };
    const char *raw = answer->raw_reason;
    apr_size_t i;

    /* Several servers say "stop" after tool calls. */
    if (mastra_calls_count(answer->calls)
        && (!*raw || strcmp(raw, "stop") == 0)) {
        return "tool-calls";
    }
    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcmp(raw, reasons[i].theirs) == 0) {
            return reasons[i].ours;
        }
    }
    return *raw ? "other" : "unknown";
}

static void emit_finish(mastra_answer_t *answer, mastra_json_t *body)
{
    mastra_model_event_t event = { .type = MASTRA_MODEL_FINISH };

    event.reason = reason_of(answer);
    event.raw_reason = *answer->raw_reason ? answer->raw_reason : NULL;
    event.json = mastra_openai_usage(answer->usage);
    event.body = body;
    mastra_outlet_emit(answer->outlet, &event);
    mastra_json_unref(event.json);
}

static void end_calls(mastra_answer_t *answer)
{
    if (answer->calls) {
        fail_with(answer, mastra_calls_end(answer->calls),
                  "a tool call has no name", NULL, 0);
    }
}

static void end_stream(mastra_answer_t *answer, int cut)
{
    if (!answer->seen && !cut && !mastra_sse_is_partial(answer->sse)) {
        fail_with(answer, MASTRA_FAIL_ANSWER, "the stream holds no chunk",
                  NULL, 0);
        return;
    }
    if (!answer->over && !*answer->raw_reason) {
        fail_with(answer, MASTRA_FAIL_CUT,
                  "the stream ended without finish_reason and [DONE]", NULL, 0);
        return;
    }
    end_calls(answer);
    if (answer->fail == MASTRA_FAIL_NONE) {
        if (!answer->responded) {
            emit_response(answer, NULL);
        }
        emit_finish(answer, NULL);
    }
}

static void end_document(mastra_answer_t *answer)
{
    const mastra_buf_t *text = &answer->document;
    mastra_json_t *json = NULL;
    mastra_json_error_t err;

    if (text->len == 0
        || mastra_json_parse(&json, text->data, text->len, 0, &err)) {
        fail_with(answer, MASTRA_FAIL_ANSWER, "the answer is not JSON",
                  text->data, text->len);
        return;
    }
    mastra_buf_free(&answer->document);
    take_chunk(answer, json);
    if (answer->fail == MASTRA_FAIL_NONE && !answer->responded) {
        fail_with(answer, MASTRA_FAIL_ANSWER, "the answer has no choices",
                  NULL, 0);
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
        fail_with(answer, MASTRA_FAIL_CUT, "the document is not complete",
                  NULL, 0);
    }
    else {
        end_document(answer);
    }
    return answer->fail;
}
