/* Asks a path of this server by a sub-request and keeps the answer. */
#include <string.h>

#include <apr_strings.h>

#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include "internal.h"
#include "local.h"

#define CAPTURE "MASTRA_CAPTURE"
#define REPLAY "MASTRA_REPLAY"

/* --- what the handler writes ----------------------------------------------- */

/* Nothing of it goes to the client. */
static apr_status_t capture(ap_filter_t *f, apr_bucket_brigade *bb)
{
    mastra_local_t *answer = f->ctx;
    apr_status_t rv = APR_SUCCESS;
    apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(bb);
         rv == APR_SUCCESS && b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b)) {
        const char *data;
        apr_size_t len;

        if (APR_BUCKET_IS_METADATA(b)) {
            continue;
        }
        rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ);
        if (rv == APR_SUCCESS) {
            rv = mastra_buf_add(&answer->body, data, len);
            answer->too_large |= rv == APR_ENOSPC;
        }
    }
    apr_brigade_cleanup(bb);
    return rv;
}

/* --- what the handler reads ------------------------------------------------ */

typedef struct {
    const char *data;
    apr_size_t left;
} replay_t;

static apr_status_t replay(ap_filter_t *f, apr_bucket_brigade *bb,
                           ap_input_mode_t mode, apr_read_type_e block,
                           apr_off_t readbytes)
{
    apr_bucket_alloc_t *alloc = f->c->bucket_alloc;
    replay_t *state = f->ctx;
    apr_size_t n = state->left;

    if (mode != AP_MODE_READBYTES && mode != AP_MODE_SPECULATIVE
        && mode != AP_MODE_GETLINE && mode != AP_MODE_EXHAUSTIVE) {
        return APR_SUCCESS;
    }
    if (mode == AP_MODE_GETLINE) {
        const char *end = memchr(state->data, '\n', n);

        n = end ? (apr_size_t)(end - state->data) + 1 : n;
    }
    else if (mode != AP_MODE_EXHAUSTIVE && readbytes >= 0
             && (apr_uint64_t)readbytes < n) {
        n = (apr_size_t)readbytes;
    }
    if (n) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_pool_create(state->data, n,
                                                           f->r->pool, alloc));
    }
    if (n == state->left) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
    }
    if (mode != AP_MODE_SPECULATIVE) {
        state->data += n;
        state->left -= n;
    }
    return APR_SUCCESS;
}

void mastra_local_replay(request_rec *r, const char *data, apr_size_t len)
{
    replay_t *state = apr_palloc(r->pool, sizeof(*state));

    state->data = data ? data : "";
    state->left = len;
    ap_add_input_filter(REPLAY, state, r, r->connection);
}

void mastra_local_register_filters(void)
{
    ap_register_output_filter(CAPTURE, capture, NULL, AP_FTYPE_RESOURCE);
    ap_register_input_filter(REPLAY, replay, NULL, AP_FTYPE_CONTENT_SET);
}

/* --- asking ---------------------------------------------------------------- */

static void take_headers(mastra_local_t *answer, const request_rec *sub,
                         apr_pool_t *pool)
{
    answer->headers = apr_table_overlay(
        pool, apr_table_clone(pool, sub->err_headers_out),
        apr_table_clone(pool, sub->headers_out));
    answer->type = apr_pstrdup(pool, sub->content_type);
}

/* httpd lends a sub-request the headers of a request without body. What they
 * say about the form of the answer is about another answer than this one. */
static void own_headers(request_rec *sub)
{
    static const char *const others[] = {
        "Accept-Encoding", "Expect", "If-Match", "If-Modified-Since",
        "If-None-Match", "If-Range", "If-Unmodified-Since", "Range", NULL
    };
    const char *const *each;

    sub->headers_in = apr_table_copy(sub->pool, sub->headers_in);
    for (each = others; *each; each++) {
        apr_table_unset(sub->headers_in, *each);
    }
}

void mastra_local_ask(mastra_local_t *answer, request_rec *r, const char *path,
                      apr_size_t limit, mastra_local_tell_cb *tell,
                      void *baton)
{
    mastra_mark_t *mark = mastra_request_mark(r);
    request_rec *sub;
    int rc;

    memset(answer, 0, sizeof(*answer));
    mastra_buf_init(&answer->body, limit);
    mark->asking++;
    sub = ap_sub_req_method_uri("GET", path, r, r->output_filters);
    if (sub->status == HTTP_OK) {
        own_headers(sub);
        if (tell) {
            tell(sub, baton);
        }
        /* a script may read although there is nothing for it: not from the
         * client */
        mastra_local_replay(sub, NULL, 0);
        ap_add_output_filter(CAPTURE, answer, sub, sub->connection);
        rc = ap_run_sub_req(sub);
        answer->written = rc == OK || rc == DONE;
        answer->status = answer->written ? sub->status
                         : ap_is_HTTP_VALID_RESPONSE(rc) ? rc : 0;
        take_headers(answer, sub, r->pool);
    }
    else {
        answer->status = sub->status;
    }
    ap_destroy_sub_req(sub);
    mark->asking--;
}
