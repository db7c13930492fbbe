/* HTTP on behalf of tools: one request, its JSON answer as the result. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define ANSWER_LIMIT (16 * 1024 * 1024)   /* bytes of a tool's answer */
#define HEADER_LIMIT 1024                 /* bytes of one header's value */

static mastra_transfer_verdict_e on_response(void *baton, int status,
                                             const apr_table_t *headers)
{
    mastra_tool_call_t *call = baton;
    mastra_tool_http_t *http = call->state;
    const char *type = apr_table_get(headers, "content-type");

    http->status = status;
    http->is_json = type && strstr(type, "json");
    return MASTRA_TRANSFER_GO;
}

static mastra_transfer_verdict_e on_data(void *baton, const char *data,
                                         apr_size_t len)
{
    mastra_tool_call_t *call = baton;
    mastra_tool_http_t *http = call->state;

    return mastra_buf_add(&http->answer, data, len) ? MASTRA_TRANSFER_ABORT
                                                    : MASTRA_TRANSFER_GO;
}

/* What reached the tool must not be repeated: no 5xx, which clients repeat. */
static mastra_result_t *transfer_error(mastra_tool_call_t *call,
                                       const mastra_transfer_done_t *done)
{
    static const struct {
        mastra_transfer_end_e end;
        int status;
        const char *code, *message;
    } table[] = {
        { MASTRA_TRANSFER_REFUSED, 403, "TOOL_ADDRESS_REFUSED",
          "the tool's address is not allowed" },
        { MASTRA_TRANSFER_UNREACHABLE, 502, "TOOL_UNREACHABLE",
          "the tool cannot be reached" },
        { MASTRA_TRANSFER_TIMEOUT, 422, "TOOL_TIMEOUT",
          "the tool took too long" },
        { MASTRA_TRANSFER_CUT, 422, "TOOL_CUT",
          "the tool's answer broke off" },
        { MASTRA_TRANSFER_TOO_LARGE, 422, "TOOL_ANSWER_TOO_LARGE",
          "the tool's answer is too large" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].end == done->end) {
            mastra_result_t *error =
                mastra_result_make(call->pool, table[i].status, table[i].code,
                                   "%s", table[i].message);

            return done->cause ? mastra_result_cause(error, call->pool, "%s",
                                                     done->cause)
                               : error;
        }
    }
    return mastra_result_make(call->pool, 422, "TOOL_ANSWER_TOO_LARGE",
                              "the tool's answer is too large");
}

/* The message of a tool's own error answer {"error":"…"} or {"message":"…"}. */
static mastra_result_t *status_error(mastra_tool_call_t *call,
                                     const mastra_tool_http_t *http,
                                     const mastra_json_t *answer)
{
    const char *text = mastra_json_get_str(answer, "error");

    if (!text) {
        text = mastra_json_get_str(answer, "message");
    }
    if (text) {
        return mastra_result_make(call->pool, 422, "TOOL_FAILED", "%.*s", 1024,
                                  text);
    }
    return mastra_result_make(call->pool, 422, "TOOL_FAILED",
                              "the tool answered with status %d",
                              http->status);
}

static mastra_json_t *parse_answer(const char *text, apr_size_t len,
                                   int is_json, int *pbad)
{
    mastra_json_t *json = NULL;

    *pbad = 0;
    if (!len) {
        return mastra_json_null();
    }
    if (!mastra_json_parse(&json, text, len, 0, NULL)) {
        return json;
    }
    if (is_json) {
        *pbad = 1;
        return NULL;
    }
    return mastra_json_stringn(text, len);
}

/* answer is taken over. */
static void end_call(mastra_tool_call_t *call, mastra_json_t *answer, int bad)
{
    const mastra_tool_http_t *http = call->state;
    mastra_result_t *error = NULL;

    if (http->status < 200 || http->status > 299) {
        error = status_error(call, http, answer);
    }
    else if (bad) {
        error = mastra_result_make(call->pool, 422, "TOOL_ANSWER_INVALID",
                                   "the tool's answer is not JSON");
    }
    mastra_tool_finish(call, answer, error);
}

/* ---- long answers ---- */

/* Of the job while it runs, then of the loop. */
typedef struct reading_t {
    mastra_job_t job;                /* first */
    mastra_tool_call_t *call;        /* loop; NULL: nobody waits any more */
    mastra_buf_t text;
    int is_json, bad;
    mastra_json_t *json;
    mastra_known_t *known;
} reading_t;

static void read_answer(mastra_job_t *job)
{
    reading_t *reading = (reading_t *)job;

    reading->json = parse_answer(reading->text.data, reading->text.len,
                                 reading->is_json, &reading->bad);
    mastra_buf_free(&reading->text);
    if (reading->json) {
        reading->known = mastra_json_know(reading->json);
    }
}

static void answer_read(mastra_job_t *job)
{
    reading_t *reading = (reading_t *)job;
    mastra_tool_call_t *call = reading->call;
    mastra_tool_http_t *http;

    if (call) {
        http = call->state;
        http->reading = NULL;
        end_call(call, reading->json, reading->bad);
    }
    else {
        mastra_json_drop(reading->json);
    }
    mastra_json_forget(reading->known);
    free(reading);
}

/* 1: the end comes later. */
static int reads_apart(mastra_tool_call_t *call)
{
    mastra_tool_http_t *http = call->state;
    reading_t *reading;

    if (http->answer.len < MASTRA_JSON_LARGE || !call->env->large
        || !(reading = calloc(1, sizeof(*reading)))) {
        return 0;
    }
    reading->job.run = read_answer;
    reading->job.done = answer_read;
    reading->call = call;
    reading->text = http->answer;
    reading->is_json = http->is_json;
    if (mastra_jobs_push(call->env->large, &reading->job)) {
        free(reading);
        return 0;
    }
    http->reading = reading;
    mastra_buf_init(&http->answer, ANSWER_LIMIT);
    return 1;
}

/* ---- the end ---- */

static void on_done(void *baton, const mastra_transfer_done_t *done)
{
    mastra_tool_call_t *call = baton;
    mastra_tool_http_t *http = call->state;
    mastra_json_t *answer;
    int bad = 0;

    http->transfer = NULL;
    if (http->over) {
        http->over(call);
    }
    if (done->end != MASTRA_TRANSFER_OK) {
        mastra_buf_free(&http->answer);
        if (!http->cut || (done->end != MASTRA_TRANSFER_CUT
                           && done->end != MASTRA_TRANSFER_UNREACHABLE)
            || !http->cut(call)) {
            mastra_tool_finish(call, NULL, transfer_error(call, done));
        }
    }
    else if (!reads_apart(call)) {
        answer = parse_answer(http->answer.data, http->answer.len,
                              http->is_json, &bad);
        mastra_buf_free(&http->answer);
        end_call(call, answer, bad);
    }
}

apr_status_t mastra_tool_http_send(mastra_tool_call_t *call,
                                   mastra_tool_http_t *http,
                                   mastra_request_t *request)
{
    call->state = http;
    mastra_buf_init(&http->answer, ANSWER_LIMIT);
    request->max_body = ANSWER_LIMIT;
    request->baton = call;
    request->on_response = on_response;
    request->on_data = on_data;
    request->on_done = on_done;
    return mastra_client_send(&http->transfer, call->env->loop, request);
}

void mastra_tool_http_cancel(mastra_tool_call_t *call, mastra_tool_http_t *http)
{
    if (http->transfer) {
        mastra_client_cancel(http->transfer);
        http->transfer = NULL;
    }
    mastra_buf_free(&http->answer);
    if (http->reading) {
        http->reading->call = NULL;
    }
    else if (http->over) {
        http->over(call);
    }
    mastra_tool_finish(call, NULL, NULL);
}

/* A value that fits into a header: no control characters, bounded. */
static const char *header_value(apr_pool_t *pool, const char *value)
{
    char *copy = apr_pstrndup(pool, value, HEADER_LIMIT), *at;

    for (at = copy; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            *at = ' ';
        }
    }
    return copy;
}

static void add_header(const mastra_tool_call_t *call,
                       apr_array_header_t *headers, const char *name,
                       const char *value)
{
    if (value) {
        APR_ARRAY_PUSH(headers, const char *) =
            apr_pstrcat(call->pool, name, ": ",
                        header_value(call->pool, value), NULL);
    }
}

/* Members of the request context that are plain values, as headers. */
static void add_context(const mastra_tool_call_t *call,
                        apr_array_header_t *headers)
{
    const mastra_json_t *context = call->args.request_context;
    void *at;
    int n = 0;

    for (at = mastra_json_iter(context); at && n < 32;
         at = mastra_json_next(context, at), n++) {
        const char *key = mastra_json_key(at);
        const mastra_json_t *value = mastra_json_value(at);

        if (strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789-_") != strlen(key) || strlen(key) > 64
            || mastra_json_is_object(value) || mastra_json_is_array(value)) {
            continue;
        }
        add_header(call, headers,
                   apr_pstrcat(call->pool, "X-Mastra-Context-", key, NULL),
                   mastra_json_is_string(value)
                       ? mastra_json_str(value)
                       : mastra_json_text(value, call->pool));
    }
}

void mastra_tool_http_headers(const mastra_tool_call_t *call,
                              apr_array_header_t *headers)
{
    APR_ARRAY_PUSH(headers, const char *) = "Accept: application/json";
    add_header(call, headers, "X-Mastra-Run-Id", call->args.run_id);
    add_header(call, headers, "X-Mastra-Tool-Call-Id",
               call->args.tool_call_id);
    add_header(call, headers, "Idempotency-Key", call->args.idempotency_key);
    add_context(call, headers);
}
