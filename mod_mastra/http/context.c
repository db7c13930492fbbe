/* The request context of a handler: what the client said, and over it what
 * hooks, middleware and authentication know. */
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define RESOURCE "mastra__resourceId"
#define THREAD "mastra__threadId"

static void merge(mastra_full_req_t *full)
{
    mastra_json_t *client = mastra_json_get(full->req.body, "requestContext");
    mastra_json_t *context;

    if (mastra_json_is_object(client)) {
        full->req.principal.request_context = client;
    }
    mastra_request_context_clean(full->req.principal.request_context);
    if (full->own_context) {
        context = mastra_json_object();
        mastra_json_merge(context, full->req.principal.request_context);
        mastra_json_merge(context, full->own_context);
        full->req.principal.request_context = mastra_json_own(context,
                                                              full->req.pool);
    }
}

static mastra_json_t *member(mastra_json_t *object, const char *name)
{
    mastra_json_t *value = mastra_json_get(object, name);

    if (!mastra_json_is_object(value)) {
        value = mastra_json_object();
        mastra_json_set(object, name, value);
    }
    return value;
}

static int refuse(int *panswer, mastra_req_t *req)
{
    *panswer = mastra_reply_fail(req, HTTP_FORBIDDEN, "Access denied: thread "
                                 "belongs to a different resource");
    return 0;
}

static int ends_with(const char *text, const char *end)
{
    apr_size_t len = strlen(text), n = strlen(end);

    return len >= n && !strcmp(text + len - n, end);
}

/* The thread that the server has chosen takes the place of the one that the
 * request names; a path that names another one is not for this caller. */
static int set_thread(int *panswer, mastra_req_t *req, const char *where,
                      const char *thread)
{
    const char *name = strchr(where, ':') + 1, *dot = strrchr(name, '.');

    if (!ends_with(where, ":threadId") && !ends_with(where, ".thread")) {
        return 1;
    }
    if (!strncmp(where, "path:", 5)) {
        const char *given = mastra_req_param(req, name);

        return !given || !strcmp(given, thread) ? 1 : refuse(panswer, req);
    }
    if (!strncmp(where, "query:", 6)) {
        if (!req->query) {
            req->query = mastra_json_own(mastra_json_object(), req->pool);
        }
        mastra_json_set_str(req->query, name, thread);
        return 1;
    }
    if (mastra_json_is_object(req->body)) {
        mastra_json_t *at = req->body;

        if (dot) {
            at = member(at, apr_pstrmemdup(req->pool, name, dot - name));
            name = dot + 1;
        }
        mastra_json_set_str(at, name, thread);
    }
    return 1;
}

static const char *own_text(const mastra_full_req_t *full, const char *key)
{
    const char *text = mastra_json_get_str(full->own_context, key);

    return text && *text ? text : NULL;
}

/* Hooks and middleware may say whose the request is, and about which thread;
 * who asks says it with more weight. */
static int set_reserved(int *panswer, mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;
    const char *words = req->route->resource, *word;
    const char *resource = own_text(full, RESOURCE);
    const char *thread = own_text(full, THREAD);

    if (resource && !req->principal.resource_id) {
        req->principal.resource_id = resource;
    }
    while (thread && words && *(word = ap_getword_white(req->pool, &words))) {
        if (!set_thread(panswer, req, word, thread)) {
            return 0;
        }
    }
    return 1;
}

void mastra_context_show(mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;
    mastra_json_t *context = mastra_json_own(mastra_json_object(), req->pool);

    mastra_json_merge(context, mastra_validate_client_context(full));
    mastra_json_merge(context, full->own_context);
    req->principal.request_context = context;
    mastra_access_context(full);
}

int mastra_context_take(int *panswer, mastra_full_req_t *full)
{
    merge(full);
    if (!set_reserved(panswer, full)) {
        return 0;
    }
    mastra_access_context(full);
    return 1;
}

mastra_json_t *mastra_context_below(mastra_req_t *req, mastra_json_t *client)
{
    mastra_json_t *context = mastra_json_object();

    mastra_request_context_clean(client);
    mastra_json_merge(context, client);
    if (mastra_auth_is_on(&req->host->auth) || req->identity) {
        mastra_json_del(context, "user");
    }
    mastra_json_merge(context, req->principal.request_context);
    return mastra_json_own(context, req->pool);
}
