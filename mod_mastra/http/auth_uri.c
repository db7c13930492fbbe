/* Asks a local path, whatever handler is there: who it is (200 with the user as
 * JSON, or 401), or what they may (2xx, or 401 or 403). */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <http_request.h>
#include <util_filter.h>

#include "../base/log.h"
#include "auth_internal.h"

#define MAX_ANSWER ((apr_size_t)64 * 1024)

/* Keeps what the handler writes; nothing of it goes to the client. */
static apr_status_t capture(ap_filter_t *f, apr_bucket_brigade *bb)
{
    mastra_buf_t *buf = f->ctx;
    apr_status_t rv = APR_SUCCESS;
    apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(bb);
         rv == APR_SUCCESS && b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b)) {
        const char *data;
        apr_size_t len;

        if (!APR_BUCKET_IS_METADATA(b)) {
            rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ);
            if (rv == APR_SUCCESS) {
                rv = mastra_buf_add(buf, data, len);
            }
        }
    }
    apr_brigade_cleanup(bb);
    return rv;
}

void mastra_auth_register_filters(void)
{
    ap_register_output_filter("MASTRA_AUTH", capture, NULL, AP_FTYPE_RESOURCE);
}

/* The status of the answer, 0: there is none. */
static int ask(mastra_buf_t *buf, const char *path, request_rec *r,
               void (*fill)(apr_table_t *headers, const void *baton,
                            apr_pool_t *pool), const void *baton)
{
    mastra_mark_t *mark = mastra_request_mark(r);
    request_rec *sub;
    int rc, status = 0;

    mark->asking++;
    sub = ap_sub_req_method_uri("GET", path, r, r->output_filters);
    if (sub->status == HTTP_OK) {
        apr_table_setn(sub->headers_in, "X-Mastra-Method", r->method);
        apr_table_setn(sub->headers_in, "X-Mastra-Path", r->uri);
        fill(sub->headers_in, baton, r->pool);
        ap_add_output_filter("MASTRA_AUTH", buf, sub, sub->connection);
        rc = ap_run_sub_req(sub);
        status = rc == OK || rc == DONE ? sub->status
                 : ap_is_HTTP_VALID_RESPONSE(rc) ? rc : 0;
    }
    else {
        status = sub->status;
    }
    ap_destroy_sub_req(sub);
    mark->asking--;
    return status;
}

static void fill_token(apr_table_t *headers, const void *token,
                       apr_pool_t *pool)
{
    if (token) {
        apr_table_setn(headers, "Authorization",
                       apr_pstrcat(pool, "Bearer ", token, NULL));
    }
}

mastra_auth_e mastra_auth_ask_uri(mastra_json_t **puser,
                                  const mastra_auth_provider_t *self,
                                  request_rec *r, const char *token)
{
    mastra_auth_e answer = MASTRA_AUTH_UNAVAILABLE;
    mastra_json_t *user = NULL;
    mastra_buf_t buf;
    int status;

    mastra_buf_init(&buf, MAX_ANSWER);
    status = ask(&buf, self->path, r, fill_token, token);
    if (status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN) {
        answer = MASTRA_AUTH_NOBODY;
    }
    else if (status == HTTP_OK && buf.len
             && mastra_json_parse(&user, buf.data, buf.len, 0, NULL)
                == APR_SUCCESS && mastra_json_is_object(user)) {
        *puser = user;
        answer = MASTRA_AUTH_KNOWN;
    }
    else {
        mastra_json_unref(user);
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, MASTRA_ID(643)
                      "%s was asked who this is: its answer is neither 401 nor "
                      "200 with a JSON object, but %d with %" APR_SIZE_T_FMT
                      " bytes", self->path, status, buf.len);
    }
    mastra_buf_free(&buf);
    return answer;
}

const char *mastra_auth_provider_path(const mastra_auth_provider_t *provider)
{
    return provider->path;
}

const char *mastra_auth_judge_path(const mastra_auth_provider_t *provider)
{
    return provider->judge_path;
}

/* --- what they may ---------------------------------------------------------- */

typedef struct {
    const mastra_identity_t *identity;
    const char *permission;
} question_t;

static void set_or_unset(apr_table_t *headers, const char *name,
                         const char *value)
{
    apr_table_unset(headers, name);
    if (value) {
        apr_table_setn(headers, name, value);
    }
}

/* The client may have sent headers of these names. */
static void fill_question(apr_table_t *headers, const void *baton,
                          apr_pool_t *pool)
{
    const question_t *question = baton;
    const char *user = mastra_json_text(question->identity->user, pool);

    set_or_unset(headers, "X-Mastra-User",
                 user ? ap_escape_path_segment(pool, user) : NULL);
    set_or_unset(headers, "X-Mastra-Permission", question->permission);
}

mastra_auth_verdict_e mastra_auth_judge_uri(const char *path, request_rec *r,
                                            const mastra_identity_t *identity,
                                            const char *permission)
{
    question_t question = { identity, permission };
    mastra_buf_t buf;
    int status;

    mastra_buf_init(&buf, MAX_ANSWER);
    status = ask(&buf, path, r, fill_question, &question);
    mastra_buf_free(&buf);
    if (status >= 200 && status < 300) {
        return MASTRA_AUTH_MAY;
    }
    if (status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN) {
        return MASTRA_AUTH_MAY_NOT;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, MASTRA_ID(644)
                  "%s was asked what this user may: its answer is neither 2xx "
                  "nor 401 or 403, but %d", path, status);
    return MASTRA_AUTH_MAY_UNKNOWN;
}
