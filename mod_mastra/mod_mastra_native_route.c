/* Routes and middleware that other modules bring. */
#include <stddef.h>

#include <apr_strings.h>

#include "mod_mastra.h"
#include "mod_mastra_native.h"

#define HAS(type, member) \
    (offsetof(type, member) + sizeof(((type *)0)->member))

static const char *configured(const char *(*configure)(void **pinstance,
                                                       const char *path,
                                                       server_rec *s,
                                                       apr_pool_t *pool),
                              void **pinstance, const char *path,
                              server_rec *s, apr_pool_t *pool)
{
    const char *wrong = configure ? configure(pinstance, path, s, pool) : NULL;

    return wrong ? apr_pstrdup(pool, wrong) : NULL;
}

const char *mastra_native_route(mastra_custom_t *custom, const char *name,
                                server_rec *s, apr_pool_t *pool)
{
    const char *wrong = NULL;
    const mastra_provider_route_t *provider =
        mastra_native_find(&wrong, MASTRA_PROVIDER_ROUTE, name, pool);

    if (!provider) {
        return wrong;
    }
    wrong = mastra_native_check(provider->version, provider->size,
                                HAS(mastra_provider_route_t, handle), pool);
    if (wrong) {
        return wrong;
    }
    if (!provider->handle) {
        return "its module gives no function handle";
    }
    custom->handle = provider->handle;
    custom->init = provider->init;
    return configured(provider->configure, &custom->instance, custom->row.path,
                      s, pool);
}

const char *mastra_native_middleware(mastra_middleware_t *middleware,
                                     const char *name, server_rec *s,
                                     apr_pool_t *pool)
{
    const char *wrong = NULL;
    const mastra_provider_middleware_t *provider =
        mastra_native_find(&wrong, MASTRA_PROVIDER_MIDDLEWARE, name, pool);

    if (!provider) {
        return wrong;
    }
    wrong = mastra_native_check(provider->version, provider->size,
                                HAS(mastra_provider_middleware_t, after),
                                pool);
    if (wrong) {
        return wrong;
    }
    middleware->before = provider->before;
    middleware->after = provider->after;
    return configured(provider->configure, &middleware->instance,
                      middleware->pattern, s, pool);
}
