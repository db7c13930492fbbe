/* Cross-origin headers on every answer, and the answer to OPTIONS. */
#include <http_protocol.h>

#include "internal.h"

/* The origin to name; NULL: none. */
static const char *allowed(const mastra_cors_t *cors, const request_rec *r)
{
    const char *origin = apr_table_get(r->headers_in, "Origin");
    int i;

    if (cors->any) {
        return cors->reflect ? origin : "*";
    }
    for (i = 0; origin && i < cors->origins->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(cors->origins, i, const char *), origin)) {
            return origin;
        }
    }
    return NULL;
}

static void vary(request_rec *r, const char *name)
{
    const char *there = apr_table_get(r->err_headers_out, "Vary");

    if (!there || !ap_find_token(r->pool, there, name)) {
        apr_table_mergen(r->err_headers_out, "Vary", name);
    }
}

/* In err_headers_out, so that answers which httpd itself makes have them. */
void mastra_cors_headers(const mastra_cors_t *cors, request_rec *r)
{
    apr_table_t *headers = r->err_headers_out;
    const char *origin;

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
    const mastra_cors_t *cors = &req->host->cors;
    apr_table_t *headers = req->r->headers_out;

    apr_table_setn(headers, "Access-Control-Allow-Headers", cors->headers);
    apr_table_setn(headers, "Access-Control-Allow-Methods", cors->methods);
    apr_table_setn(headers, "Access-Control-Max-Age", cors->max_age);
    vary(req->r, "Access-Control-Request-Headers");
    req->r->status = HTTP_NO_CONTENT;
    return OK;
}
