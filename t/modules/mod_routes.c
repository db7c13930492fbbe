/* mod_routes: answers with the route tables as JSON, so that tests can ask of
 * each route what its own schemas say. */

#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>

#include "http/router.h"

module AP_MODULE_DECLARE_DATA routes_module;

/* tables.h: the names of those that router.h declares, each with a comma */
static const mastra_route_t *const tables[] = {
#include "tables.h"
    NULL
};

static const char *or_null(const char *schema)
{
    return schema ? schema : "null";
}

static int handler(request_rec *r)
{
    const char *comma = "";
    int i;

    if (!r->handler || strcmp(r->handler, "routes")) {
        return DECLINED;
    }
    ap_set_content_type(r, "application/json");
    ap_rputs("[", r);
    for (i = 0; tables[i]; i++) {
        const mastra_route_t *row;

        for (row = tables[i]; row->method; row++) {
            ap_rprintf(r, "%s\n{\"method\":\"%s\",\"path\":\"%s\","
                       "\"flags\":%u,\"query\":%s,\"body\":%s}", comma,
                       row->method, row->path, row->flags,
                       or_null(row->query), or_null(row->body));
            comma = ",";
        }
    }
    ap_rputs("]\n", r);
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(routes) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks
};
