/* Code of other modules that knows callers or decides what they may. */
#include <stddef.h>
#include <string.h>

#include <apr_strings.h>

#include "mod_mastra.h"
#include "mod_mastra_native.h"

#define ANSWER_LIMIT (64 * 1024)

typedef struct {
    const mastra_provider_auth_t *provider;
    void *instance;
} auth_t;

static void fill(mastra_auth_task_t *task, request_rec *r)
{
    memset(task, 0, sizeof(*task));
    task->version = MASTRA_API_VERSION;
    task->size = sizeof(*task);
    task->pool = r->pool;
    task->r = r;
}

/* What is said is JSON of an object with an id of some kind, or the caller is
 * not known: a module that errs lets nobody in. */
static mastra_auth_e take_user(mastra_json_t **puser, request_rec *r,
                               const char *text)
{
    apr_size_t len = text ? strlen(text) : 0;
    mastra_json_t *user = NULL;

    if (len && len <= ANSWER_LIMIT
        && mastra_json_parse(&user, text, len, 0, NULL) == APR_SUCCESS
        && mastra_json_is_object(user)) {
        *puser = user;
        return MASTRA_AUTH_KNOWN;
    }
    mastra_json_unref(user);
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, MASTRA_ID(652)
                  "code of another module knows who this is, but what it says "
                  "of them is no JSON object of up to 64 KiB");
    return MASTRA_AUTH_UNAVAILABLE;
}

static mastra_auth_e ask(mastra_json_t **puser, void *baton, request_rec *r,
                         const char *token)
{
    const auth_t *auth = baton;
    mastra_auth_task_t task;
    const char *user = NULL;
    int rc;

    fill(&task, r);
    task.token = token;
    rc = auth->provider->authenticate(auth->instance, &task, &user);
    switch (rc) {
    case OK:
        return take_user(puser, r, user);
    case DECLINED:
    case HTTP_UNAUTHORIZED:
    case HTTP_FORBIDDEN:
        return MASTRA_AUTH_NOBODY;
    default:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, MASTRA_ID(653)
                      "code of another module cannot tell who this is: it "
                      "returns %d", rc);
        return MASTRA_AUTH_UNAVAILABLE;
    }
}

static mastra_auth_verdict_e may(void *baton, request_rec *r,
                                 const mastra_identity_t *identity,
                                 const char *permission)
{
    const auth_t *auth = baton;
    mastra_auth_task_t task;
    int rc;

    fill(&task, r);
    task.user = mastra_json_text(identity->user, r->pool);
    task.permission = permission;
    rc = auth->provider->authorize(auth->instance, &task);
    switch (rc) {
    case OK:
    case DECLINED:
        return MASTRA_AUTH_MAY;
    case HTTP_UNAUTHORIZED:
    case HTTP_FORBIDDEN:
        return MASTRA_AUTH_MAY_NOT;
    default:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, MASTRA_ID(654)
                      "code of another module cannot tell what this user may: "
                      "it returns %d", rc);
        return MASTRA_AUTH_MAY_UNKNOWN;
    }
}

const char *mastra_native_auth(mastra_auth_native_t *native, void *baton,
                               const char *name, const char *options,
                               apr_pool_t *pool)
{
    const char *wrong;
    const mastra_provider_auth_t *provider =
        mastra_native_find(&wrong, MASTRA_PROVIDER_AUTH, name, pool);
    auth_t *auth = apr_pcalloc(pool, sizeof(*auth));

    if (!provider) {
        return wrong;
    }
    wrong = mastra_native_check(provider->version, provider->size,
                                offsetof(mastra_provider_auth_t, authorize)
                                + sizeof(provider->authorize), pool);
    if (wrong) {
        return wrong;
    }
    auth->provider = provider;
    native->baton = auth;
    native->ask = provider->authenticate ? ask : NULL;
    native->may = provider->authorize ? may : NULL;
    if (!provider->configure) {
        return NULL;
    }
    wrong = provider->configure(&auth->instance, options, baton, pool);
    return wrong ? apr_pstrdup(pool, wrong) : NULL;
}
