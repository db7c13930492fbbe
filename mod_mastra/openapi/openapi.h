#ifndef MASTRA_OPENAPI_OPENAPI_H
#define MASTRA_OPENAPI_OPENAPI_H

#include "../http/router.h"

/*
 * The OpenAPI 3.1 document of one host: its rows of route tables, and what
 * else it serves. Made in pconf, read-only once it is finished.
 */
typedef struct mastra_openapi_t mastra_openapi_t;

/* Below the prefix, and from the root. */
#define MASTRA_OPENAPI_PATH "/openapi.json"
extern const mastra_route_t mastra_openapi_routes[];

mastra_openapi_t *mastra_openapi_make(const mastra_router_t *router,
                                      const mastra_host_t *host,
                                      apr_pool_t *pool);

/* A route of the configuration, whose method may be ALL and whose path may have
 * stars. operation: what a file says of it, an operation object of which
 * everything may be missing; or NULL. Lent. */
void mastra_openapi_add(mastra_openapi_t *openapi, const mastra_route_t *row,
                        const mastra_json_t *operation);

/* After the last one. NULL or what is wrong. */
const char *mastra_openapi_finish(mastra_openapi_t *openapi);

/* Swagger UI's page for files that lie at swagger-ui/ beside it. prefix: of
 * the API; up: "../" where the page is one folder below, or "". */
const char *mastra_openapi_page(const char *prefix, const char *up,
                                apr_pool_t *pool);
/* Of its Content-Security-Policy. */
const char *mastra_openapi_policy(const char *page, apr_pool_t *pool);

#endif
