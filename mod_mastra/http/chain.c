/* MastraMiddleware: local paths and functions of other modules that are asked
 * before a handler, in the order in which they are configured. */
#include <string.h>

#include <apr_strings.h>

#include "../base/log.h"
#include "custom.h"
#include "deadline.h"
#include "internal.h"
#include "local.h"

#define MAX_ANSWER ((apr_size_t)1024 * 1024)

/* --- patterns -------------------------------------------------------------- */

int mastra_middleware_fits(const char *pattern, const char *path)
{
    while (*pattern == '/' && pattern[1]) {
        apr_size_t n = strcspn(++pattern, "/");
        apr_size_t len;

        if (n == 1 && *pattern == '*' && !pattern[1]) {
            return 1;
        }
        if (*path != '/' || !path[1]) {
            return 0;
        }
        len = strcspn(++path, "/");
        if (*pattern != ':' && !(n == 1 && *pattern == '*')
            && (n != len || memcmp(pattern, path, n))) {
            return 0;
        }
        pattern += n;
        path += len;
    }
    return !*path;
}

/* --- local paths ----------------------------------------------------------- */

static int begins(const char *name, const char *with)
{
    return !strncasecmp(name, with, strlen(with));
}

/* Of the middleware's answer itself, not of the one that is still to come. */
static int is_its_own(const char *name)
{
    static const char *const own[] = {
        "Accept-Ranges", "Connection", "Date", "ETag", "Expires",
        "Keep-Alive", "Last-Modified", "Server", "Status", "Trailer",
        "Transfer-Encoding", "Upgrade", "X-Request-Id", NULL
    };
    const char *const *each;

    for (each = own; *each; each++) {
        if (!strcasecmp(name, *each)) {
            return 1;
        }
    }
    return begins(name, "Content-") || begins(name, "X-Mastra-");
}

static int pass_header(void *baton, const char *name, const char *value)
{
    request_rec *r = baton;

    if (is_its_own(name)) {
        return 1;
    }
    if (!strcasecmp(name, "Set-Cookie")) {
        apr_table_add(r->err_headers_out, name, value);
    }
    else if (!strcasecmp(name, "Vary")) {
        apr_table_merge(r->err_headers_out, name, value);
    }
    else {
        apr_table_set(r->err_headers_out, name, value);
    }
    return 1;
}

/* Names of headers do not tell capitals, those of the request context do. */
static const char *key_of(const char *name)
{
    static const char *const known[] = { "mastra__resourceId",
                                         "mastra__threadId", NULL };
    const char *const *each;

    for (each = known; *each; each++) {
        if (!strcasecmp(name, *each)) {
            return *each;
        }
    }
    return name;
}

/* Text, unless it looks like more. */
static mastra_json_t *value_of(const char *text)
{
    mastra_json_t *json;

    if (*text && strchr("{[\"", *text)
        && mastra_json_parse(&json, text, strlen(text), 0, NULL)
           == APR_SUCCESS) {
        return json;
    }
    return mastra_json_string(text);
}

static int take_context(void *baton, const char *name, const char *value)
{
    mastra_req_t *req = baton;

    if (begins(name, MASTRA_HEADER_CONTEXT)
        && name[sizeof(MASTRA_HEADER_CONTEXT) - 1]) {
        mastra_req_set_context(
            req, key_of(name + sizeof(MASTRA_HEADER_CONTEXT) - 1),
            value_of(value));
    }
    return 1;
}

static void tell(request_rec *sub, void *baton)
{
    mastra_full_req_t *full = baton;

    mastra_told_set(full, sub);
}

static int failed(int *panswer, mastra_req_t *req, const char *uri,
                  const char *why)
{
    mastra_result_t *result = mastra_result_make(
        req->pool, HTTP_INTERNAL_SERVER_ERROR, "INTERNAL_MIDDLEWARE",
        "A middleware failed");

    mastra_result_cause(result, req->pool, "%s: %s", uri, why);
    *panswer = mastra_reply_error(req, result);
    return 0;
}

/* It answers the client: its words, or only a status. */
static int answer_for(int *panswer, mastra_req_t *req,
                      const mastra_local_t *local)
{
    apr_table_do(pass_header, req->r, local->headers, NULL);
    if (!local->written && !local->body.len) {
        *panswer = mastra_middleware_refuse(req, local->status);
        return 0;
    }
    req->r->status = local->status;
    *panswer = mastra_reply_text(
        req, local->type ? local->type : "text/plain; charset=UTF-8",
        apr_pstrmemdup(req->pool, local->body.data ? local->body.data : "",
                       local->body.len), local->body.len);
    return 0;
}

static int judge(int *panswer, mastra_full_req_t *full,
                 const mastra_middleware_t *middleware,
                 const mastra_local_t *local, int found)
{
    mastra_req_t *req = &full->req;

    /* the words of a script that broke are for the log */
    if (!local->status || !found
        || local->status == HTTP_INTERNAL_SERVER_ERROR
        || (!local->written && local->status > 500)) {
        return failed(panswer, req, middleware->uri, apr_psprintf(
                          req->pool, "it could not be asked, or failed: "
                          "status %d", local->status));
    }
    if (local->too_large) {
        return failed(panswer, req, middleware->uri, "its answer is larger "
                      "than 1 MiB");
    }
    if (local->status < 200 || local->status > 299) {
        return answer_for(panswer, req, local);
    }
    apr_table_do(take_context, req, local->headers, NULL);
    apr_table_do(pass_header, req->r, local->headers, NULL);
    return 1;
}

static int ask_uri(int *panswer, mastra_full_req_t *full,
                   const mastra_middleware_t *middleware)
{
    mastra_req_t *req = &full->req;
    mastra_local_t local;
    int rv;

    if (full->body_state == MASTRA_BODY_UNREAD) {
        mastra_validate_body_load(full);
    }
    mastra_context_show(full);
    if (!mastra_told_check(panswer, full)) {
        return 0;
    }
    mastra_deadline_set(full);
    mastra_local_ask(&local, req->r, middleware->uri, MAX_ANSWER, tell, full);
    switch (mastra_deadline_end(full)) {
    case MASTRA_LATE_TOLD:
        req->r->status = HTTP_GATEWAY_TIME_OUT;
        *panswer = OK;
        rv = 0;
        break;
    case MASTRA_LATE_UNTOLD:
        *panswer = mastra_reply_error(req, &mastra_deadline_late);
        rv = 0;
        break;
    default:
        rv = judge(panswer, full, middleware, &local, local.headers != NULL);
    }
    mastra_buf_free(&local.body);
    return rv;
}

/* --- all of them ----------------------------------------------------------- */

static int pass(int *panswer, mastra_full_req_t *full,
                const mastra_middleware_t *middleware)
{
    full->stage = MASTRA_STAGE_BEFORE;
    if (middleware->uri) {
        return ask_uri(panswer, full, middleware);
    }
    if (middleware->after) {
        if (!full->passed) {
            full->passed = apr_array_make(full->req.pool, 2, sizeof(void *));
        }
        APR_ARRAY_PUSH(full->passed, const mastra_middleware_t *) = middleware;
    }
    return !middleware->before
           || mastra_middleware_ask(panswer, full, middleware->before,
                                    middleware->instance);
}

static int pass_all(int *panswer, mastra_full_req_t *full,
                    const apr_array_header_t *list)
{
    int i;

    for (i = 0; list && i < list->nelts; i++) {
        const mastra_middleware_t *each =
            APR_ARRAY_IDX(list, i, const mastra_middleware_t *);

        if ((!each->pattern
             || mastra_middleware_fits(each->pattern, full->req.r->uri))
            && !pass(panswer, full, each)) {
            return 0;
        }
    }
    return 1;
}

int mastra_chain_before(int *panswer, mastra_full_req_t *full)
{
    const mastra_route_t *row = full->req.route;

    return pass_all(panswer, full, full->req.host->middleware)
           && (!(row->flags & MASTRA_ROUTE_CUSTOM)
               || pass_all(panswer, full,
                           ((const mastra_custom_t *)row)->middleware));
}

/* As an onion: whoever came first hears last. */
void mastra_chain_after(mastra_full_req_t *full)
{
    int i;

    for (i = full->passed ? full->passed->nelts - 1 : -1; i >= 0; i--) {
        const mastra_middleware_t *each =
            APR_ARRAY_IDX(full->passed, i, const mastra_middleware_t *);

        each->after(each->instance, &full->req);
    }
}
