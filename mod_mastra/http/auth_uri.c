/* The provider that asks a local path, whatever handler is there: 200 with the
 * user as JSON, or 401. */
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
static int ask(mastra_buf_t *buf, const mastra_auth_provider_t *self,
               request_rec *r, const char *token)
{
    mastra_mark_t *mark = mastra_request_mark(r);
    request_rec *sub;
    int rc, status = 0;

    mark->asking++;
    sub = ap_sub_req_method_uri("GET", self->path, r, r->output_filters);
    if (sub->status == HTTP_OK) {
        apr_table_setn(sub->headers_in, "X-Mastra-Method", r->method);
        apr_table_setn(sub->headers_in, "X-Mastra-Path", r->uri);
        if (token) {
            apr_table_setn(sub->headers_in, "Authorization",
                           apr_pstrcat(r->pool, "Bearer ", token, NULL));
        }
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

mastra_auth_e mastra_auth_ask_uri(mastra_json_t **puser,
                                  const mastra_auth_provider_t *self,
                                  request_rec *r, const char *token)
{
    mastra_auth_e answer = MASTRA_AUTH_UNAVAILABLE;
    mastra_json_t *user = NULL;
    mastra_buf_t buf;
    int status;

    mastra_buf_init(&buf, MAX_ANSWER);
    status = ask(&buf, self, r, token);
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
