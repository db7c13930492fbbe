/* Routes whose target is a path of this server: an internal redirect to
 * whatever handler is there, which reads the body that was read before. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include "custom.h"
#include "deadline.h"
#include "internal.h"
#include "local.h"

#define AFTER "MASTRA_AFTER"
#define LATE "MASTRA_LATE"

struct mastra_forward_t {
    mastra_full_req_t *full;
    request_rec *to;         /* once it is there */
};

static const char *target_of(const mastra_custom_t *custom,
                             const request_rec *r)
{
    const char *target = custom->target;

    if (!r->args || !*r->args) {
        return target;
    }
    return apr_pstrcat(r->pool, target, strchr(target, '?') ? "&" : "?",
                       r->args, NULL);
}

/* The new request shares the headers: they tell of the body as it is now. */
static void set_headers(const mastra_full_req_t *full)
{
    apr_table_t *headers = full->req.r->headers_in;

    apr_table_setn(headers, "X-Request-Id", full->req.id);
    if (apr_table_get(headers, "Content-Length")
        || apr_table_get(headers, "Transfer-Encoding")) {
        apr_table_unset(headers, "Transfer-Encoding");
        apr_table_setn(headers, "Content-Length",
                       apr_psprintf(full->req.pool, "%" APR_SIZE_T_FMT,
                                    full->raw_len));
    }
}

void mastra_forward_body(mastra_full_req_t *full)
{
    set_headers(full);
    mastra_local_replay(full->req.r, full->raw, full->raw_len);
}

int mastra_forward_handle(mastra_req_t *req)
{
    mastra_full_req_t *full = (mastra_full_req_t *)req;
    const mastra_custom_t *custom = (const mastra_custom_t *)req->route;
    mastra_mark_t *mark = mastra_request_mark(req->r);
    int answer;

    if (!mastra_told_check(&answer, full)) {
        return answer;
    }
    mark->forward = apr_pcalloc(req->pool, sizeof(*mark->forward));
    mark->forward->full = full;
    set_headers(full);
    mastra_deadline_set(full);
    ap_internal_redirect(target_of(custom, req->r), req->r);
    mastra_deadline_end(full);
    return OK;
}

/* --- the request that it is redirected to ---------------------------------- */

static struct mastra_forward_t *forward_of(const request_rec *r)
{
    const mastra_mark_t *mark;

    for (r = r->prev; r; r = r->prev) {
        mark = mastra_request_marked(r);
        if (mark && mark->forward) {
            return mark->forward;
        }
    }
    return NULL;
}

void mastra_forward_tell(request_rec *r)
{
    struct mastra_forward_t *forward = forward_of(r);

    if (!forward) {
        return;
    }
    mastra_told_set(forward->full, r);
    if (!forward->to) {
        forward->to = r;
    }
}

/* What the handler says of itself counts, not what was set before it; but what
 * may come several times does. */
static int prefer(void *baton, const char *name, const char *value)
{
    request_rec *r = baton;

    if (strcasecmp(name, "Set-Cookie") && strcasecmp(name, "Vary")) {
        apr_table_unset(r->err_headers_out, name);
    }
    return 1;
}

/* Status and headers are there, nothing was sent: who wants to be asked then
 * sees them as those of the request. */
static apr_status_t after(ap_filter_t *f, apr_bucket_brigade *bb)
{
    mastra_full_req_t *full = f->ctx;

    full->req.r = f->r;
    ap_remove_output_filter(f);
    apr_table_unset(f->r->headers_out, "X-Request-Id");
    apr_table_do(prefer, f->r, f->r->headers_out, NULL);
    mastra_middleware_after(&full->req);
    return ap_pass_brigade(f->next, bb);
}

/* --- handlers that take longer than MastraTimeout --------------------------- */

static apr_status_t say_late(ap_filter_t *f, mastra_full_req_t *full)
{
    request_rec *r = f->r;
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, alloc);
    const char *text = mastra_error_text(full->req.host, full->req.id,
                                         &mastra_deadline_late, r->pool);
    apr_size_t len = strlen(text);

    r->status = HTTP_GATEWAY_TIME_OUT;
    r->status_line = NULL;
    apr_table_clear(r->headers_out);
    ap_set_content_type(r, "application/json");
    ap_set_content_length(r, len);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_pool_create(text, len, r->pool,
                                                       alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
    return ap_pass_brigade(f->next, bb);
}

/* Nearer to the client than what makes the answer, so that it is told in time
 * or not at all. What comes too late goes nowhere. */
static apr_status_t late(ap_filter_t *f, apr_bucket_brigade *bb)
{
    mastra_full_req_t *full = f->ctx;
    apr_status_t rv = APR_SUCCESS;

    switch (mastra_deadline_end(full)) {
    case MASTRA_LATE_NOT:
        ap_remove_output_filter(f);
        return ap_pass_brigade(f->next, bb);
    case MASTRA_LATE_TOLD:
        f->r->status = HTTP_GATEWAY_TIME_OUT;
        rv = APR_ECONNABORTED;
        break;
    case MASTRA_LATE_UNTOLD:
        if (!full->late_said) {
            full->late_said = 1;
            rv = say_late(f, full);
        }
        break;
    }
    apr_brigade_cleanup(bb);
    return rv;
}

void mastra_forward_follow(mastra_full_req_t *full)
{
    ap_add_output_filter(AFTER, full, full->req.r, full->req.r->connection);
    ap_add_output_filter(LATE, full, full->req.r, full->req.r->connection);
}

/* httpd's words for a handler that has failed go past other filters. */
static void insert_error_filter(request_rec *r)
{
    struct mastra_forward_t *forward = r->prev && !r->main ? forward_of(r)
                                                           : NULL;

    if (forward && (forward->full->deadline || forward->full->late)) {
        ap_add_output_filter(LATE, forward->full, r, r->connection);
    }
}

static void insert_filters(request_rec *r)
{
    struct mastra_forward_t *forward = r->prev && !r->main ? forward_of(r)
                                                           : NULL;

    if (!forward) {
        return;
    }
    if (forward->to == r) {
        mastra_local_replay(r, forward->full->raw, forward->full->raw_len);
    }
    ap_add_output_filter(AFTER, forward->full, r, r->connection);
    ap_add_output_filter(LATE, forward->full, r, r->connection);
}

void mastra_forward_register_hooks(void)
{
    mastra_local_register_filters();
    ap_register_output_filter(AFTER, after, NULL, AP_FTYPE_CONTENT_SET);
    ap_register_output_filter(LATE, late, NULL, AP_FTYPE_PROTOCOL - 1);
    ap_hook_insert_error_filter(insert_error_filter, NULL, NULL,
                                APR_HOOK_LAST);
    ap_hook_insert_filter(insert_filters, NULL, NULL, APR_HOOK_LAST);
}
