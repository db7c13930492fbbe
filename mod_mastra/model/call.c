/* Calls of model servers over HTTP: one call is up to a few attempts, each a
 * transfer on the loop. What servers differ in is behind mastra_wire_t. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "../base/log.h"
#include "internal.h"

#define SILENCE apr_time_from_sec(120)
#define GRACE apr_time_from_msec(250)    /* from [DONE] to the end of the body */
#define RETRIES 2
#define RETRIES_MAX 10
#define BACKOFF apr_time_from_msec(500)
#define BACKOFF_MAX apr_time_from_sec(8)
#define RETRY_AFTER_MAX 3600             /* seconds that a client is told */
#define BODY_MAX (64 * 1024 * 1024)
#define BODY_USUAL 2000
#define ERROR_KEPT (8 * 1024)            /* of the body of an error */
#define ERROR_READ (64 * 1024)           /* then the connection is given up */

typedef enum {
    CALL_WAITING,            /* for its first turn, or before another attempt */
    CALL_SENDING,            /* a transfer is under way */
    CALL_OVER,               /* its end waits until events held are taken */
    CALL_GONE                /* on_done is being called */
} phase_e;

typedef struct {
    mastra_model_call_t base;
    mastra_loop_t *loop;
    const mastra_model_provider_t *provider;
    const mastra_wire_t *wire;
    mastra_model_cbs_t cbs;
    mastra_outlet_t outlet;
    phase_e phase;
    int stream;
    int include_raw;
    char *model_id;
    char *body;
    apr_size_t body_len;
    const char *url;             /* the provider's, or in pool; so are lines */
    const char *const *lines;
    apr_pool_t *pool;            /* NULL: nothing is the call's own */
    int attempts;
    int retries;

    mastra_timer_t timer;        /* of the phase */
    mastra_timer_t wake;         /* after resume */
    mastra_transfer_t *transfer;
    int upstream_paused;
    int status;                  /* HTTP status of the attempt */
    apr_interval_time_t retry_after;  /* what the upstream asks for, -1: none */
    mastra_buf_t error;          /* body of an error */
    apr_size_t error_read;
    mastra_answer_t *answer;     /* of the attempt */
    mastra_model_fail_e fail;
    const char *unsupported;     /* static text */
    char cause[160];             /* from the transfer */
} http_call_t;

static void attempt_cb(void *baton);

/* ---- the end of a call ---- */

static void drop_attempt(http_call_t *call)
{
    mastra_answer_free(call->answer);
    call->answer = NULL;
    mastra_buf_free(&call->error);
    call->error_read = 0;
    call->fail = MASTRA_FAIL_NONE;
    call->status = 0;
    call->retry_after = -1;
    call->upstream_paused = 0;
    call->cause[0] = '\0';
}

static void free_call(http_call_t *call)
{
    mastra_loop_timer_stop(call->loop, &call->timer);
    mastra_loop_timer_stop(call->loop, &call->wake);
    drop_attempt(call);
    mastra_outlet_clear(&call->outlet);
    free(call->body);
    free(call->model_id);
    if (call->pool) {
        apr_pool_destroy(call->pool);
    }
    free(call);
}

/* Seconds that the upstream asks the client to wait; 0: it did not say. */
static int client_wait(const http_call_t *call)
{
    apr_int64_t s;

    if (call->retry_after < 0) {
        return 0;
    }
    s = (call->retry_after + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC;
    return s > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : s > 0 ? (int)s : 1;
}

static const char *cause_of(const http_call_t *call, apr_pool_t *pool)
{
    const char *parsed = call->answer ? mastra_answer_cause(call->answer) : "";

    if (call->unsupported) {
        return call->unsupported;
    }
    return apr_psprintf(pool, "model %s, attempt %d, HTTP status %d%s%s%s%s%s%s",
                        call->model_id, call->attempts, call->status,
                        *call->cause ? ", " : "", call->cause,
                        *parsed ? ", " : "", parsed,
                        call->error.len ? ", body: " : "",
                        call->error.len ? call->error.data : "");
}

static void finish(http_call_t *call)
{
    mastra_result_t *result = NULL;
    apr_pool_t *pool = NULL;

    call->phase = CALL_GONE;
    if (call->fail != MASTRA_FAIL_NONE) {
        apr_pool_create(&pool, NULL);
        apr_pool_tag(pool, "mastra_call_error");
        result = mastra_model_fail_result(call->provider, call->fail,
                                          client_wait(call),
                                          cause_of(call, pool), pool);
    }
    call->cbs.on_done(call->outlet.baton, result);
    if (pool) {
        apr_pool_destroy(pool);
    }
    free_call(call);
}

/* The caller hears of the end when it has taken all that came before. */
static void end_call(http_call_t *call, mastra_model_fail_e fail)
{
    call->phase = CALL_OVER;
    call->fail = fail;
    if (!mastra_outlet_is_held(&call->outlet)) {
        finish(call);
    }
}

/* ---- retries ---- */

/* Doubles with each attempt; up to a quarter more or less, so that calls that
 * failed together do not come back together. */
static apr_interval_time_t backoff(const http_call_t *call)
{
    apr_interval_time_t wait = BACKOFF;
    apr_uint64_t seed = (apr_uint64_t)mastra_loop_now(call->loop)
        ^ (apr_uint64_t)(apr_uintptr_t)call;
    int i;

    for (i = 1; i < call->attempts && wait < BACKOFF_MAX; i++) {
        wait *= 2;
    }
    seed = (seed ^ (seed >> 17)) * APR_UINT64_C(0x9E3779B97F4A7C15);
    return wait * 3 / 4 + (apr_interval_time_t)((seed >> 33)
                                                % (apr_uint64_t)(wait / 2));
}

static int may_repeat(const http_call_t *call, mastra_model_fail_e fail)
{
    return mastra_model_fail_again(fail) && !call->outlet.delivered
        && call->attempts <= call->retries
        && call->retry_after <= apr_time_from_sec(MASTRA_MODEL_RETRY_MAX);
}

static void end_attempt(http_call_t *call, mastra_model_fail_e fail)
{
    apr_interval_time_t wait;

    if (!may_repeat(call, fail)) {
        end_call(call, fail);
        return;
    }
    wait = backoff(call);
    if (wait < call->retry_after) {
        wait = call->retry_after;
    }
    mastra_log(MASTRA_LOG_DEBUG, 0, "model provider '%s': attempt %d ended with "
               "%s (HTTP status %d), again in %d ms", call->provider->id,
               call->attempts, mastra_model_fail_code(fail), call->status,
               (int)apr_time_as_msec(wait));
    drop_attempt(call);
    call->phase = CALL_WAITING;
    mastra_loop_timer_set(call->loop, &call->timer, wait, attempt_cb, call);
}

/* ---- the transfer's callbacks ---- */

/* Servers that ignore "stream" are understood by what they say they send. */
static int is_event_stream(const http_call_t *call,
                           const apr_table_t *headers)
{
    const char *type = apr_table_get(headers, "content-type");

    if (type && strncasecmp(type, "text/event-stream", 17) == 0) {
        return 1;
    }
    if (type && strncasecmp(type, "application/json", 16) == 0) {
        return 0;
    }
    return call->stream;
}

static int is_success(const http_call_t *call)
{
    return call->status >= 200 && call->status < 300;
}

static mastra_transfer_verdict_e on_response(void *baton, int status,
                                             const apr_table_t *headers)
{
    http_call_t *call = baton;

    call->status = status;
    if (!is_success(call)) {
        call->retry_after = mastra_headers_retry_after(
            headers, mastra_loop_now(call->loop));
        return MASTRA_TRANSFER_GO;
    }
    call->answer = mastra_answer_make(call->wire, call->model_id, call->stream,
                                      call->include_raw, &call->outlet);
    if (!call->answer) {
        call->fail = MASTRA_FAIL_INTERNAL;
        return MASTRA_TRANSFER_ABORT;
    }
    mastra_answer_begin(call->answer, mastra_headers_json(headers),
                        is_event_stream(call, headers));
    return MASTRA_TRANSFER_GO;
}

static mastra_transfer_verdict_e keep_error(http_call_t *call,
                                            const char *data, apr_size_t len)
{
    apr_size_t more = ERROR_KEPT - call->error.len;

    mastra_buf_add(&call->error, data, len < more ? len : more);
    call->error_read += len;
    return call->error_read > ERROR_READ ? MASTRA_TRANSFER_ABORT
                                         : MASTRA_TRANSFER_GO;
}

/* The upstream said that it is done, but does not end the body. */
static void grace_cb(void *baton)
{
    http_call_t *call = baton;

    mastra_client_cancel(call->transfer);
    call->transfer = NULL;
    end_attempt(call, mastra_answer_end(call->answer, 0));
}

static mastra_transfer_verdict_e on_data(void *baton, const char *data,
                                         apr_size_t len)
{
    http_call_t *call = baton;

    if (!call->answer) {
        return keep_error(call, data, len);
    }
    if (mastra_answer_is_over(call->answer)) {
        return MASTRA_TRANSFER_GO;
    }
    if (mastra_outlet_is_held(&call->outlet)) {
        call->upstream_paused = 1;
        return MASTRA_TRANSFER_PAUSE;
    }
    call->fail = mastra_answer_feed(call->answer, data, len);
    if (call->fail != MASTRA_FAIL_NONE) {
        return MASTRA_TRANSFER_ABORT;
    }
    if (mastra_answer_is_over(call->answer)) {
        mastra_loop_timer_set(call->loop, &call->timer, GRACE, grace_cb, call);
    }
    return MASTRA_TRANSFER_GO;
}

/* What an answer with another status than 2xx means. Some servers put the
 * error into a list. */
static mastra_model_fail_e fail_of_answer(http_call_t *call)
{
    mastra_json_t *json = NULL;
    const mastra_json_t *error;
    mastra_model_fail_e fail;
    apr_interval_time_t wait;

    if (call->error.len) {
        mastra_json_parse(&json, call->error.data, call->error.len, 0, NULL);
    }
    error = mastra_json_get(mastra_json_is_array(json)
                                ? mastra_json_at(json, 0) : json, "error");
    fail = mastra_model_fail_of(call->status, error);
    wait = mastra_model_fail_wait(error);
    if (call->retry_after < wait) {
        call->retry_after = wait;
    }
    mastra_json_unref(json);
    return fail;
}

static mastra_model_fail_e fail_of_end(http_call_t *call,
                                       mastra_transfer_end_e end)
{
    if (call->fail != MASTRA_FAIL_NONE) {
        return call->fail;
    }
    if (call->answer && mastra_answer_is_over(call->answer)) {
        return mastra_answer_end(call->answer, 0);
    }
    if (call->status && !call->answer) {
        return fail_of_answer(call);
    }
    switch (end) {
    case MASTRA_TRANSFER_OK:
    case MASTRA_TRANSFER_CUT:
        return call->answer ? mastra_answer_end(call->answer,
                                                end == MASTRA_TRANSFER_CUT)
                            : MASTRA_FAIL_CUT;
    case MASTRA_TRANSFER_REFUSED:
        return MASTRA_FAIL_ADDRESS;
    case MASTRA_TRANSFER_UNREACHABLE:
        return MASTRA_FAIL_UNREACHABLE;
    case MASTRA_TRANSFER_TIMEOUT:
        return MASTRA_FAIL_TIMEOUT;
    case MASTRA_TRANSFER_TOO_LARGE:
        return MASTRA_FAIL_ANSWER_SIZE;
    default:
        return MASTRA_FAIL_INTERNAL;
    }
}

static void on_done(void *baton, const mastra_transfer_done_t *done)
{
    http_call_t *call = baton;

    call->transfer = NULL;
    mastra_loop_timer_stop(call->loop, &call->timer);
    if (done->cause) {
        apr_cpystrn(call->cause, done->cause, sizeof(call->cause));
    }
    end_attempt(call, fail_of_end(call, done->end));
}

/* ---- sending ---- */

static void emit_request(http_call_t *call)
{
    mastra_model_event_t event = { .type = MASTRA_MODEL_REQUEST };

    event.text = call->body;
    event.len = call->body_len;
    mastra_outlet_emit(&call->outlet, &event);
}

static void attempt_cb(void *baton)
{
    http_call_t *call = baton;
    const mastra_model_provider_t *provider = call->provider;
    mastra_request_t request = { .method = "POST" };

    if (call->fail != MASTRA_FAIL_NONE) {
        end_call(call, call->fail);
        return;
    }
    call->attempts++;
    call->phase = CALL_SENDING;
    emit_request(call);
    request.url = call->url;
    request.headers = call->lines;
    request.body = call->body;
    request.body_len = call->body_len;
    request.trusted = !provider->guard;
    request.guard = provider->guard;
    request.max_body = BODY_MAX;
    request.idle_timeout = provider->timeout ? provider->timeout : SILENCE;
    request.first_byte_timeout = request.idle_timeout;
    request.baton = call;
    request.on_response = on_response;
    request.on_data = on_data;
    request.on_done = on_done;
    if (mastra_client_send(&call->transfer, call->loop, &request)) {
        call->transfer = NULL;
        end_call(call, MASTRA_FAIL_INTERNAL);
    }
}

/* ---- making a call ---- */

/* The provider's URL and header lines, or some of the call's own. */
static void make_address(http_call_t *call,
                         const mastra_model_request_t *request)
{
    const mastra_model_provider_t *provider = call->provider;
    const mastra_wire_t *wire = call->wire;
    const mastra_json_t *headers = mastra_json_get(request->settings,
                                                   "headers");
    const char *line = wire->line ? wire->line(provider, request) : NULL;
    int own = line
        || (mastra_json_is_object(headers) && mastra_json_size(headers));

    call->url = provider->url;
    call->lines = provider->lines;
    if (!own && !wire->url) {
        return;
    }
    apr_pool_create(&call->pool, NULL);
    apr_pool_tag(call->pool, "mastra_call_address");
    if (wire->url) {
        call->url = wire->url(provider, request, call->pool);
    }
    if (own) {
        call->lines = mastra_headers_lines(provider, line, headers,
                                           call->pool);
    }
}

static int retries_of(const mastra_model_provider_t *provider,
                      const mastra_model_request_t *request)
{
    apr_int64_t n = request->retries_set
        ? request->retries
        : mastra_json_get_int(request->settings, "maxRetries", -1);

    if (n < 0) {
        n = provider->retries < 0 ? RETRIES : provider->retries;
    }
    return n > RETRIES_MAX ? RETRIES_MAX : (int)n;
}

static void make_body(http_call_t *call,
                      const mastra_model_request_t *request)
{
    mastra_buf_t buf;
    char *exact;

    mastra_buf_init(&buf, BODY_MAX);
    mastra_buf_reserve(&buf, BODY_USUAL);
    call->fail = call->wire->body(&call->unsupported, &buf, call->provider,
                                  request);
    /* It lives as long as the call: what the buffer grew too much goes. */
    call->body = mastra_buf_detach(&buf, &call->body_len);
    exact = call->body ? realloc(call->body, call->body_len + 1) : NULL;
    call->body = exact ? exact : call->body;
}

apr_status_t mastra_call_start(mastra_model_call_t **pcall,
                               mastra_loop_t *loop,
                               const mastra_model_provider_t *provider,
                               const mastra_model_request_t *request,
                               const mastra_model_cbs_t *cbs, void *baton)
{
    http_call_t *call = calloc(1, sizeof(*call));

    if (!call) {
        return APR_ENOMEM;
    }
    call->base.kind = provider->kind;
    call->loop = loop;
    call->provider = provider;
    call->wire = provider->kind->wire(provider, request);
    call->cbs = *cbs;
    call->outlet.cbs = &call->cbs;
    call->outlet.baton = baton;
    call->stream = request->stream;
    call->include_raw = request->include_raw;
    call->retry_after = -1;
    mastra_buf_init(&call->error, ERROR_KEPT);
    call->model_id = strdup(request->model_id);
    if (!call->model_id) {
        free(call);
        return APR_ENOMEM;
    }
    if (!provider->key && provider->needs_key) {
        call->fail = MASTRA_FAIL_NO_KEY;
    }
    else {
        call->retries = retries_of(provider, request);
        make_address(call, request);
        make_body(call, request);
    }
    mastra_loop_timer_set(loop, &call->timer, 0, attempt_cb, call);
    *pcall = &call->base;
    return APR_SUCCESS;
}

void mastra_call_cancel(mastra_model_call_t *base)
{
    http_call_t *call = (http_call_t *)base;

    if (call->phase == CALL_GONE) {
        return;
    }
    if (call->transfer) {
        mastra_client_cancel(call->transfer);
    }
    free_call(call);
}

/* After resume, in a turn of its own: what was held, then what was paused. */
static void wake_cb(void *baton)
{
    http_call_t *call = baton;

    mastra_outlet_drain(&call->outlet);
    if (mastra_outlet_is_held(&call->outlet)) {
        return;
    }
    if (call->phase == CALL_OVER) {
        finish(call);
    }
    else if (call->upstream_paused) {
        call->upstream_paused = 0;
        mastra_client_resume(call->transfer);
    }
}

void mastra_call_resume(mastra_model_call_t *base)
{
    http_call_t *call = (http_call_t *)base;

    if (mastra_outlet_resume(&call->outlet)) {
        mastra_loop_timer_set(call->loop, &call->wake, 0, wake_cb, call);
    }
}
