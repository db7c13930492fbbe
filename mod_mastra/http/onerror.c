/* MastraOnError: asks a local path what a client is to be told of a failure. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "../base/log.h"
#include "../base/pool.h"
#include "../net/client.h"
#include "internal.h"
#include "onerror.h"
#include "park.h"

#define PATIENCE apr_time_from_sec(10)
#define MAX_ANSWER ((apr_size_t)1024 * 1024)

struct mastra_onerror_t {
    apr_pool_t *pool;            /* holds this */
    mastra_transfer_t *transfer;
    mastra_host_t *host;
    const char *question;
    int status;
    const char *type;
    mastra_buf_t answer;
    mastra_onerror_cb *cb;
    void *baton;
};

int mastra_onerror_is_for(const mastra_req_t *req)
{
    /* a call of this server to itself is told what is the matter */
    return req->host->on_error && req->host->loop
           && req->host->tool_env.self_url && !req->internal;
}

static const char *question_of(const mastra_req_t *req,
                               const mastra_result_t *error, const char *text,
                               apr_pool_t *pool)
{
    mastra_json_t *answer, *question;
    const char *id;

    if (mastra_json_parse(&answer, text, strlen(text), 0, NULL)) {
        answer = mastra_json_null();
    }
    id = mastra_json_get_str(answer, "errorId");
    question = mastra_json_pack(
        "{s:{s:s, s:i, s:s*, s:s, s:o}, s:{s:s, s:s, s:s, s:s*, s:O*}}",
        "error", "id", id ? id : req->id, "status", error->status, "code",
        error->code, "message", error->message, "answer", answer, "request",
        "id", req->id, "method", req->r->method, "path", req->r->uri, "route",
        req->route ? req->route->path : NULL, "user",
        req->identity ? req->identity->user : NULL);
    mastra_json_own(question, pool);
    return question ? mastra_json_text(question, pool) : "{}";
}

/* --- the transfer: loop ---------------------------------------------------- */

static mastra_transfer_verdict_e on_response(void *baton, int status,
                                             const apr_table_t *headers)
{
    mastra_onerror_t *asked = baton;

    asked->status = status;
    asked->type = apr_pstrdup(asked->pool, apr_table_get(headers,
                                                         "content-type"));
    return MASTRA_TRANSFER_GO;
}

static mastra_transfer_verdict_e on_data(void *baton, const char *data,
                                         apr_size_t len)
{
    mastra_onerror_t *asked = baton;

    return mastra_buf_add(&asked->answer, data, len) ? MASTRA_TRANSFER_ABORT
                                                     : MASTRA_TRANSFER_GO;
}

static void free_asked(mastra_onerror_t *asked)
{
    asked->host->errors_asked--;
    mastra_buf_free(&asked->answer);
    apr_pool_destroy(asked->pool);
}

/* NULL, or why there is no answer. */
static const char *no_answer(const mastra_onerror_t *asked,
                             const mastra_transfer_done_t *done)
{
    if (done->end != MASTRA_TRANSFER_OK || asked->status < 200) {
        return done->cause ? done->cause : "no more known";
    }
    /* httpd's own words for a path that is not there, or is closed */
    return asked->status >= 400 && asked->type
           && !strcmp(asked->type, "text/html; charset=iso-8859-1")
           ? apr_psprintf(asked->pool, "status %d of the server itself",
                          asked->status) : NULL;
}

static void on_done(void *baton, const mastra_transfer_done_t *done)
{
    mastra_onerror_t *asked = baton;
    const char *why = no_answer(asked, done);

    asked->transfer = NULL;
    if (why) {
        mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(660) "%s could not be asked "
                   "what to say of an error: %s", asked->host->on_error, why);
        asked->status = 0;
    }
    asked->cb(asked->baton, asked->status, asked->type, asked->answer.data,
              asked->answer.len);
    free_asked(asked);
}

static apr_status_t send_question(mastra_onerror_t *asked,
                                  const mastra_req_t *req)
{
    const mastra_tool_env_t *env = &req->host->tool_env;
    const char *headers[] = {
        "Content-Type: application/json",
        apr_pstrcat(asked->pool, MASTRA_HEADER_SECRET ": ", env->self_secret,
                    NULL),
        apr_psprintf(asked->pool, MASTRA_HEADER_DEPTH ": %d",
                     req->principal.depth + 1),
        apr_pstrcat(asked->pool, "X-Request-Id: ", req->id, NULL),
        env->self_host, NULL
    };
    mastra_request_t request = {
        .method = "POST", .trusted = 1, .headers = headers,
        .body = asked->question, .body_len = strlen(asked->question),
        .url = apr_pstrcat(asked->pool, env->self_url, asked->host->on_error, NULL),
        .first_byte_timeout = PATIENCE, .total_timeout = PATIENCE,
        .max_body = MAX_ANSWER, .baton = asked, .on_response = on_response,
        .on_data = on_data, .on_done = on_done
    };

    return mastra_client_send(&asked->transfer, req->host->loop, &request);
}

mastra_onerror_t *mastra_onerror_ask(const mastra_req_t *req,
                                     const mastra_result_t *error,
                                     const char *text, mastra_onerror_cb *cb,
                                     void *baton)
{
    mastra_onerror_t *asked;
    apr_pool_t *pool;

    /* whoever makes many errors must not take the workers of others */
    if (req->host->errors_asked >= req->host->tool_env.max_self_calls
        || mastra_pool_make(&pool, "mastra_onerror")) {
        return NULL;
    }
    req->host->errors_asked++;
    asked = apr_pcalloc(pool, sizeof(*asked));
    asked->pool = pool;
    asked->host = req->host;
    asked->question = question_of(req, error, text, pool);
    asked->cb = cb;
    asked->baton = baton;
    mastra_buf_init(&asked->answer, MAX_ANSWER);
    if (send_question(asked, req)) {
        free_asked(asked);
        return NULL;
    }
    return asked;
}

void mastra_onerror_cancel(mastra_onerror_t *asked)
{
    mastra_client_cancel(asked->transfer);
    free_asked(asked);
}

/* --- failures that a worker finds ------------------------------------------ */

typedef struct {
    mastra_exchange_t *ex;
    const mastra_req_t *req;
    const mastra_result_t *error;
    const char *text;
    mastra_onerror_t *asked;
} reply_t;

static void say(reply_t *reply, int status, const char *type,
                const char *body, apr_size_t len)
{
    mastra_exchange_t *ex = reply->ex;
    apr_table_t *headers = NULL;

    reply->ex = NULL;
    if (!status) {
        status = reply->error->status;
        type = "application/json";
        body = reply->text;
        len = strlen(body);
        headers = mastra_error_retry_after(reply->error, reply->req->pool);
    }
    mastra_exchange_head(ex, status, type, (apr_off_t)len, headers);
    if (len) {
        mastra_exchange_write(ex, body, len);
    }
    mastra_exchange_end(ex);
}

static void on_answer(void *baton, int status, const char *type,
                      const char *body, apr_size_t len)
{
    reply_t *reply = baton;

    reply->asked = NULL;
    say(reply, status, type, body, len);
}

static void reply_begin(mastra_exchange_t *ex, void *baton)
{
    reply_t *reply = baton;

    reply->ex = ex;
    reply->asked = mastra_onerror_ask(reply->req, reply->error, reply->text,
                                      on_answer, reply);
    if (!reply->asked) {
        say(reply, 0, NULL, NULL, 0);
    }
}

static void cancel(reply_t *reply)
{
    if (reply->asked) {
        mastra_onerror_cancel(reply->asked);
        reply->asked = NULL;
    }
}

static void reply_gone(void *baton)
{
    reply_t *reply = baton;

    reply->ex = NULL;
    cancel(reply);
}

static void reply_stopping(void *baton)
{
    reply_t *reply = baton;

    cancel(reply);
    if (reply->ex) {
        say(reply, 0, NULL, NULL, 0);
    }
}

static void reply_release(void *baton)
{
    free(baton);
}

static const mastra_exchange_cbs_t reply_cbs = { reply_begin, reply_gone, NULL,
                                                 reply_stopping,
                                                 reply_release };

int mastra_onerror_reply(int *panswer, mastra_req_t *req,
                         const mastra_result_t *error, const char *text)
{
    reply_t *reply;

    if (!mastra_onerror_is_for(req) || mastra_req_on_loop(req)
        || !(reply = calloc(1, sizeof(*reply)))) {
        return 0;
    }
    reply->req = req;
    reply->error = error;
    reply->text = text;
    mastra_middleware_follow(req);
    *panswer = mastra_exchange_run(req->r, &reply_cbs, reply, 0);
    /* where there is no room for it, there is none for asking anybody */
    return *panswer != HTTP_SERVICE_UNAVAILABLE;
}
