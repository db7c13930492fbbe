/* What hooks of other modules are called with, and what they may ask and say
 * about a request. */
#include <string.h>

#include <apr_strings.h>

#include "http/middleware.h"
#include "http/request.h"
#include "mod_mastra.h"
#include "mod_mastra_native.h"

/* --- running hooks --------------------------------------------------------- */

/* As APR keeps those of optional hooks. */
#define HOOK_LINK(name) \
    typedef struct { \
        mastra_HOOK_##name##_t *pFunc; \
        const char *szName; \
        const char *const *aszPredecessors; \
        const char *const *aszSuccessors; \
        int nOrder; \
    } mastra_LINK_##name##_t

HOOK_LINK(mastra_authenticate);
HOOK_LINK(mastra_authorize);
HOOK_LINK(mastra_before);
HOOK_LINK(mastra_after);
HOOK_LINK(mastra_on_error);

#define NATIVE_DECLARE(type) static type

/* cppcheck-suppress unknownMacro ; it is of httpd's headers */
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(mastra, NATIVE, int, mastra_authenticate,
                                    (mastra_req_t *req), (req), OK, DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(mastra, NATIVE, int, mastra_authorize,
                                    (mastra_req_t *req), (req), OK, DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(mastra, NATIVE, int, mastra_before,
                                    (mastra_req_t *req), (req), OK, DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(mastra, NATIVE, int, mastra_on_error,
                                    (mastra_req_t *req, int status,
                                     const char *message),
                                    (req, status, message), OK, DECLINED)

/* The answer is made: nothing that one says keeps it from the next. */
static int mastra_run_mastra_after(mastra_req_t *req)
{
    const apr_array_header_t *hooks = apr_optional_hook_get("mastra_after");
    int i;

    for (i = 0; hooks && i < hooks->nelts; i++) {
        APR_ARRAY_IDX(hooks, i, mastra_LINK_mastra_after_t).pFunc(req);
    }
    return OK;
}

#define IF_REGISTERED(name) \
    (apr_optional_hook_get(#name) ? mastra_run_##name : NULL)

const struct mastra_hooks_t *mastra_native_hooks(apr_pool_t *pool)
{
    struct mastra_hooks_t *hooks = apr_pcalloc(pool, sizeof(*hooks));

    hooks->authenticate = IF_REGISTERED(mastra_authenticate);
    hooks->authorize = IF_REGISTERED(mastra_authorize);
    hooks->before = IF_REGISTERED(mastra_before);
    hooks->after = IF_REGISTERED(mastra_after);
    hooks->on_error = IF_REGISTERED(mastra_on_error);
    return hooks->authenticate || hooks->authorize || hooks->before
           || hooks->after || hooks->on_error ? hooks : NULL;
}

/* --- questions ------------------------------------------------------------- */

static request_rec *mastra_req_rec(const mastra_req_t *req)
{
    return mastra_req_on_loop(req) ? NULL : req->r;
}

static const char *mastra_req_method(const mastra_req_t *req)
{
    return req->r->method;
}

static const char *mastra_req_path(const mastra_req_t *req)
{
    return req->r->uri;
}

static const char *mastra_req_route(const mastra_req_t *req)
{
    return req->route->path;
}

static const char *mastra_req_permission(const mastra_req_t *req)
{
    return mastra_auth_permission(req->route, req->pool);
}

static const char *mastra_req_header(const mastra_req_t *req, const char *name)
{
    if (!ap_cstr_casecmpn(name, MASTRA_HEADER_INTERNAL,
                          sizeof(MASTRA_HEADER_INTERNAL) - 1)) {
        return NULL;
    }
    return apr_table_get(req->r->headers_in, name);
}

static const char *mastra_req_body(mastra_req_t *req, apr_size_t *plen)
{
    return mastra_req_body_text(req, plen);
}

static const char *mastra_req_id(const mastra_req_t *req)
{
    return req->id;
}

static int mastra_req_status(const mastra_req_t *req)
{
    return mastra_req_sent_status(req);
}

static const char *mastra_req_context_get(mastra_req_t *req, const char *key)
{
    return mastra_json_text(mastra_req_context(req, key), req->pool);
}

static const char *mastra_req_user_get(const mastra_req_t *req)
{
    return mastra_json_text(mastra_req_user(req), req->pool);
}

static const char *mastra_req_resource_id(const mastra_req_t *req)
{
    return req->principal.resource_id;
}

/* --- what they say --------------------------------------------------------- */

static apr_status_t mastra_req_context_set(mastra_req_t *req, const char *key,
                                           const char *json)
{
    mastra_json_t *value;

    if (mastra_json_parse(&value, json, strlen(json), 0, NULL)) {
        return APR_EINVAL;
    }
    return mastra_req_set_context(req, key, value);
}

static apr_status_t mastra_req_user_set(mastra_req_t *req, const char *user,
                                        const char *resource_id)
{
    mastra_json_t *json;

    if (mastra_json_parse(&json, user, strlen(user), 0, NULL)) {
        return APR_EINVAL;
    }
    if (!mastra_json_is_object(json)) {
        mastra_json_unref(json);
        return APR_EINVAL;
    }
    return mastra_req_set_user(req, json, resource_id);
}

static void mastra_req_header_set(mastra_req_t *req, const char *name,
                                  const char *value)
{
    mastra_req_set_header(req, name, value);
}

static int mastra_req_answer(mastra_req_t *req, int status,
                             const char *content_type, const char *body,
                             apr_size_t len)
{
    return mastra_req_set_answer(req, status, content_type, body, len);
}

void mastra_native_register_request(void)
{
    APR_REGISTER_OPTIONAL_FN(mastra_req_rec);
    APR_REGISTER_OPTIONAL_FN(mastra_req_method);
    APR_REGISTER_OPTIONAL_FN(mastra_req_path);
    APR_REGISTER_OPTIONAL_FN(mastra_req_route);
    APR_REGISTER_OPTIONAL_FN(mastra_req_permission);
    APR_REGISTER_OPTIONAL_FN(mastra_req_param);
    APR_REGISTER_OPTIONAL_FN(mastra_req_header);
    APR_REGISTER_OPTIONAL_FN(mastra_req_body);
    APR_REGISTER_OPTIONAL_FN(mastra_req_id);
    APR_REGISTER_OPTIONAL_FN(mastra_req_status);
    APR_REGISTER_OPTIONAL_FN(mastra_req_context_get);
    APR_REGISTER_OPTIONAL_FN(mastra_req_context_set);
    APR_REGISTER_OPTIONAL_FN(mastra_req_user_get);
    APR_REGISTER_OPTIONAL_FN(mastra_req_user_set);
    APR_REGISTER_OPTIONAL_FN(mastra_req_resource_id);
    APR_REGISTER_OPTIONAL_FN(mastra_req_header_set);
    APR_REGISTER_OPTIONAL_FN(mastra_req_answer);
}
