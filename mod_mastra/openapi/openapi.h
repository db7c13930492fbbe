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

/* A route that is no row: method ("GET"; "ALL" for each), path from the root
 * with :parameters, and an operation object as a file has it, or NULL; what it
 * lacks (parameters of the path, answers, security, an id) is filled in.
 * is_public: nobody has to be known. The operation is lent. */
void mastra_openapi_add(mastra_openapi_t *openapi, const char *method,
                        const char *path, const mastra_json_t *operation,
                        int is_public);

/* After the last one. NULL or what is wrong. */
const char *mastra_openapi_finish(mastra_openapi_t *openapi);

/* Swagger UI's page for files that lie at swagger-ui/ beside it. prefix: of
 * the API; up: "../" where the page is one folder below, or "". */
const char *mastra_openapi_page(const char *prefix, const char *up,
                                apr_pool_t *pool);
/* Of its Content-Security-Policy. */
const char *mastra_openapi_policy(const char *page, apr_pool_t *pool);

#endif
