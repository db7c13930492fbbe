/* What handlers of httpd (scripts, proxied servers) are told of a request: as
 * variables of their environment, and as headers that no client can send. */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "internal.h"

/* JSON of a request context or a user in one header: backends take no more. */
#define MAX_VALUE 6000

static void tell(request_rec *to, const char *variable, const char *header,
                 const char *value)
{
    if (!value) {
        return;
    }
    apr_table_setn(to->subprocess_env, variable, value);
    if (header) {
        apr_table_setn(to->headers_in,
                       apr_pstrcat(to->pool, MASTRA_HEADER_INTERNAL, header,
                                   NULL), value);
    }
}

/* As JSON: a value may hold what no header can. */
static const char *params_text(const mastra_full_req_t *full)
{
    mastra_json_t *params;
    const char *text;

    if (!full->route->nparams) {
        return NULL;
    }
    params = mastra_req_params(&full->req);
    text = mastra_json_text(params, full->req.pool);
    mastra_json_unref(params);
    return text;
}

static void tell_params(const mastra_full_req_t *full, request_rec *to)
{
    int i;

    for (i = 0; i < full->route->nparams; i++) {
        const char *name = full->route->names[i];

        apr_table_setn(to->subprocess_env,
                       apr_pstrcat(to->pool, "MASTRA_PARAM_",
                                   strcmp(name, "*") ? name : "REST", NULL),
                       full->values[i]);
    }
    tell(to, "MASTRA_PARAMS", "Params", params_text(full));
}

static const char *context_text(const mastra_full_req_t *full)
{
    const mastra_json_t *context = full->req.principal.request_context;

    return mastra_json_size(context)
           ? mastra_json_text(context, full->req.pool) : NULL;
}

static const char *user_text(const mastra_full_req_t *full)
{
    return mastra_json_text(mastra_req_user(&full->req), full->req.pool);
}

int mastra_told_check(int *panswer, mastra_full_req_t *full)
{
    const char *context = context_text(full), *user = user_text(full);

    if ((!context || strlen(context) <= MAX_VALUE)
        && (!user || strlen(user) <= MAX_VALUE)) {
        return 1;
    }
    *panswer = mastra_reply_fail(&full->req, HTTP_REQUEST_ENTITY_TOO_LARGE,
                                 "The request context is too large");
    return 0;
}

void mastra_told_set(mastra_full_req_t *full, request_rec *to)
{
    const mastra_req_t *req = &full->req;
    const char *self = req->host->tool_env.self_url;

    tell(to, "MASTRA_METHOD", "Method", req->r->method);
    tell(to, "MASTRA_PATH", NULL, req->r->uri);
    tell(to, "MASTRA_ROUTE", "Route", req->route->path);
    tell(to, "MASTRA_REQUEST_ID", "Request-Id", req->id);
    /* as the client wrote it: decoded it may hold what no header can */
    tell(to, "MASTRA_URL", "Url", req->r->unparsed_uri);
    tell(to, "MASTRA_USER", "User", user_text(full));
    tell(to, "MASTRA_USER_ID", NULL, req->identity ? req->identity->id : NULL);
    tell(to, "MASTRA_RESOURCE_ID", NULL, req->principal.resource_id);
    tell(to, "MASTRA_REQUEST_CONTEXT", "Request-Context", context_text(full));
    tell_params(full, to);
    if (self) {
        tell(to, "MASTRA_API_URL", NULL,
             apr_pstrcat(to->pool, self, req->host->prefix, NULL));
    }
}
