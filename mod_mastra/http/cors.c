/* Cross-origin headers on every answer, and the answer to OPTIONS. */
#include <string.h>

#include <http_protocol.h>

#include "custom.h"
#include "internal.h"

/* Before a request of another origin comes a question about it: which route
 * is meant, its method tells. */
static const mastra_cors_t *of_route(const mastra_host_t *host, request_rec *r)
{
    const char *method = r->method_number == M_OPTIONS
        ? apr_table_get(r->headers_in, "Access-Control-Request-Method") : NULL;
    const mastra_route_t *row = mastra_router_custom(host, r, method ? method
                                                             : r->method);

    return row ? ((const mastra_custom_t *)row)->cors : NULL;
}

const mastra_cors_t *mastra_cors_of(const mastra_host_t *host,
                                    request_rec *r)
{
    const mastra_cors_t *own = host->custom_cors ? of_route(host, r) : NULL;

    if (!own && host->cors_at) {
        own = host->cors_at(host, r);
    }

    return own ? own : &host->cors;
}

int mastra_cors_names(const mastra_cors_t *cors, const char *origin)
{
    int i;

    for (i = 0; cors->origins && i < cors->origins->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(cors->origins, i, const char *), origin)) {
            return 1;
        }
    }
    return 0;
}

/* The origin to name; NULL: none. */
static const char *allowed(const mastra_cors_t *cors, const request_rec *r)
{
    const char *origin = apr_table_get(r->headers_in, "Origin");

    if (cors->any) {
        return cors->reflect ? origin : "*";
    }
    return origin && mastra_cors_names(cors, origin) ? origin : NULL;
}

static void vary(request_rec *r, const char *name)
{
    const char *there = apr_table_get(r->err_headers_out, "Vary");

    if (!there || !ap_find_token(r->pool, there, name)) {
        apr_table_mergen(r->err_headers_out, "Vary", name);
    }
}

/* In err_headers_out, so that answers which httpd itself makes have them. Said
 * again when the path of r has words of its own. */
void mastra_cors_headers(const mastra_cors_t *cors, request_rec *r)
{
    apr_table_t *headers = r->err_headers_out;
    const char *origin;

    apr_table_unset(headers, "Access-Control-Allow-Origin");
    apr_table_unset(headers, "Access-Control-Allow-Credentials");
    apr_table_unset(headers, "Access-Control-Expose-Headers");
    if (cors->off) {
        return;
    }
    origin = allowed(cors, r);
    if (origin) {
        apr_table_setn(headers, "Access-Control-Allow-Origin", origin);
    }
    if (cors->reflect) {
        vary(r, "Origin");
    }
    if (cors->credentials) {
        apr_table_setn(headers, "Access-Control-Allow-Credentials", "true");
    }
    apr_table_setn(headers, "Access-Control-Expose-Headers", cors->expose);
}

int mastra_cors_preflight(mastra_req_t *req)
{
    const mastra_cors_t *cors = mastra_cors_of(req->host, req->r);
    apr_table_t *headers = req->r->headers_out;

    apr_table_setn(headers, "Access-Control-Allow-Headers", cors->headers);
    apr_table_setn(headers, "Access-Control-Allow-Methods", cors->methods);
    apr_table_setn(headers, "Access-Control-Max-Age", cors->max_age);
    vary(req->r, "Access-Control-Request-Headers");
    req->r->status = HTTP_NO_CONTENT;
    return OK;
}
