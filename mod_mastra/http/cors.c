/* Cross-origin headers on every answer, and the answer to OPTIONS. */
#include <http_protocol.h>

#include "internal.h"

/* In err_headers_out, so that answers which httpd itself makes have them. */
void mastra_cors_headers(request_rec *r)
{
    apr_table_setn(r->err_headers_out, "Access-Control-Allow-Origin", "*");
    apr_table_setn(r->err_headers_out, "Access-Control-Expose-Headers",
                   "Content-Length,X-Requested-With");
}

int mastra_cors_preflight(mastra_req_t *req)
{
    apr_table_t *headers = req->r->headers_out;

    apr_table_setn(headers, "Access-Control-Allow-Headers",
                   "Content-Type,Authorization,A2A-Version,"
                   "x-mastra-client-type,x-mastra-dev-playground");
    apr_table_setn(headers, "Access-Control-Allow-Methods",
                   "GET,POST,PUT,PATCH,DELETE,OPTIONS");
    apr_table_setn(headers, "Access-Control-Max-Age", "3600");
    apr_table_mergen(headers, "Vary", "Access-Control-Request-Headers");
    req->r->status = HTTP_NO_CONTENT;
    return OK;
}
