/* Routes whose target is a function of another module, and the log of
 * requests. */
#include <httpd.h>
#include <http_log.h>

#include "custom.h"
#include "deadline.h"
#include "internal.h"

/* What the function wrote itself went past us: only what it said by
 * mastra_req_answer, or a status, is still to be sent. */
int mastra_custom_call(mastra_req_t *req)
{
    mastra_full_req_t *full = (mastra_full_req_t *)req;
    const mastra_custom_t *custom = (const mastra_custom_t *)req->route;
    int answer;

    if (custom->failed) {
        return mastra_reply_fail(req, HTTP_SERVICE_UNAVAILABLE,
                                 "This process could not start its services");
    }
    full->instead.status = 0;
    mastra_forward_body(full);
    mastra_forward_follow(full);
    mastra_deadline_set(full);
    if (mastra_middleware_ask(&answer, full, custom->handle,
                              custom->instance)) {
        answer = OK;
    }
    mastra_deadline_end(full);
    return answer;
}

/* --- MastraRequestLog ------------------------------------------------------ */

void mastra_request_log(const mastra_host_t *host, request_rec *r)
{
    const mastra_mark_t *mark = mastra_request_marked(r);
    const request_rec *last = r;

    if (!host->request_log || !mark || !mark->claimed) {
        return;
    }
    while (last->next) {
        last = last->next;
    }
    /* a notice: httpd writes it whatever LogLevel says */
    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r,
                  "%s %s %d %" APR_TIME_T_FMT "ms %s", r->method,
                  ap_escape_logitem(r->pool, r->uri), last->status,
                  apr_time_as_msec(apr_time_now() - r->request_time),
                  mark->id ? mark->id : "-");
}
