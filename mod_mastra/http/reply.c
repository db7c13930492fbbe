/* Answers that are complete when they begin: one brigade, one write. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <http_core.h>
#include <http_protocol.h>

#include "internal.h"

#define MAX_ANSWER (256 * 1024 * 1024)

static mastra_captured_t *captured_of(const mastra_req_t *req)
{
    return ((const mastra_full_req_t *)req)->captured;
}

/* text is from malloc and given away. */
static int capture(mastra_req_t *req, char *text, apr_size_t len)
{
    mastra_captured_t *captured = captured_of(req);

    free(captured->text);
    captured->status = req->r->status;
    captured->text = text;
    captured->len = len;
    return OK;
}

/* httpd sends a status that it has no words for as a 500. */
static void name_status(request_rec *r)
{
    if (atoi(ap_get_status_line(r->status)) != r->status) {
        r->status_line = apr_psprintf(r->pool, "%d Other", r->status);
    }
}

static int reply(mastra_req_t *req, const char *type, apr_bucket *data,
                 apr_size_t len)
{
    request_rec *r = req->r;
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, alloc);
    apr_status_t rv;

    ap_set_content_type(r, type);
    ap_set_content_length(r, len);
    name_status(r);
    mastra_middleware_after(req);
    if (data) {
        APR_BRIGADE_INSERT_TAIL(bb, data);
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
    rv = ap_pass_brigade(r->output_filters, bb);
    if (rv != APR_SUCCESS && !r->connection->aborted) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, rv, r,
                      "the answer could not be sent");
        return AP_FILTER_ERROR;
    }
    return OK;
}

int mastra_reply_text(mastra_req_t *req, const char *content_type,
                      const char *text, apr_size_t len)
{
    apr_bucket_alloc_t *alloc;

    if (captured_of(req)) {
        return capture(req, len ? strdup(text) : NULL, len);
    }
    alloc = req->r->connection->bucket_alloc;
    /* the text outlives the request's buckets by contract: not copied */
    return reply(req, content_type,
                 len ? apr_bucket_pool_create(text, len, req->pool, alloc)
                     : NULL, len);
}

int mastra_reply_json_status(mastra_req_t *req, int status,
                             mastra_json_t *json)
{
    apr_bucket_alloc_t *alloc;
    mastra_buf_t buf;
    apr_size_t len;
    apr_status_t rv;
    char *text;

    mastra_buf_init(&buf, MAX_ANSWER);
    rv = mastra_json_write(&buf, json);
    mastra_json_unref(json);
    if (rv != APR_SUCCESS) {
        mastra_buf_free(&buf);
        return mastra_reply_error(req,
                                  mastra_result_from_apr(req->pool, rv,
                                                         "write an answer"));
    }
    text = mastra_buf_detach(&buf, &len);
    req->r->status = status;
    if (captured_of(req)) {
        return capture(req, text, len);
    }
    alloc = req->r->connection->bucket_alloc;
    return reply(req, "application/json",
                 apr_bucket_heap_create(text, len, free, alloc), len);
}

int mastra_reply_json(mastra_req_t *req, mastra_json_t *json)
{
    return mastra_reply_json_status(req, HTTP_OK, json);
}
