#ifndef MOD_MASTRA_NATIVE_H
#define MOD_MASTRA_NATIVE_H

#include "http/custom.h"
#include "mod_mastra_config.h"

/*
 * What stands behind include/mod_mastra.h: the code of other modules as tools
 * and models, their calls into this one, and their hooks.
 */

/* register_hooks: makes the functions of the header known. */
void mastra_native_register(apr_pool_t *pool);
void mastra_native_register_calls(void);
void mastra_native_register_request(void);

/* The kind "provider" of tools for the host of s. */
const mastra_tool_kind_t *mastra_native_tools(server_rec *s, apr_pool_t *pool);
/* Has models find those of other modules; pjobs NULL: whether they are there
 * is all that is to be known. */
void mastra_native_models(mastra_models_t *models, server_rec *s,
                          mastra_jobs_t *const *pjobs, apr_pool_t *pool);
/* Finds code that knows callers, or decides what they may; baton is the
 * server_rec of the host. */
mastra_auth_find_cb mastra_native_auth;

/* What is registered as name in group under our version, or NULL with what is
 * wrong in *pwhy. */
const void *mastra_native_find(const char **pwhy, const char *group,
                               const char *name, apr_pool_t *pool);
/* NULL, or what is wrong with the version and size that a struct was compiled
 * with; least: the size of its first version. */
const char *mastra_native_check(apr_uint32_t version, apr_uint32_t size,
                                apr_size_t least, apr_pool_t *pool);

/* Fill in the functions of a route, or of middleware, of the provider name.
 * NULL, or what is wrong. */
const char *mastra_native_route(mastra_custom_t *custom, const char *name,
                                server_rec *s, apr_pool_t *pool);
const char *mastra_native_middleware(mastra_middleware_t *middleware,
                                     const char *name, server_rec *s,
                                     apr_pool_t *pool);

/* Who has registered a hook; NULL: nobody. In a child. */
const struct mastra_hooks_t *mastra_native_hooks(apr_pool_t *pool);

/* child_init, after the exchanges; NULL when memory is short. Calls of other
 * modules are possible from here on. */
mastra_native_t *mastra_native_start(mastra_loop_t *loop, mastra_jobs_t *jobs,
                                     apr_pool_t *pool);
/* Ends them; the loop is stopped after it. */
void mastra_native_stop(mastra_native_t *native);

#endif
