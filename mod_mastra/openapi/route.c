/* The document's routes, and the page that shows it. */
#include <apr_strings.h>

#include "../http/site.h"
#include "internal.h"

static int get_document(mastra_req_t *req)
{
    const mastra_openapi_t *openapi = req->host->openapi;

    return openapi && openapi->text
           ? mastra_reply_text(req, "application/json", openapi->text,
                               openapi->len)
           : mastra_reply_plain(req, HTTP_NOT_FOUND);
}

#define DOCUMENT .method = "GET", .path = MASTRA_OPENAPI_PATH, \
    .handler = get_document, .summary = "This document", .tag = "System", \
    .permission = "system:read"

const mastra_route_t mastra_openapi_routes[] = {
    { DOCUMENT },
    { DOCUMENT, .flags = MASTRA_ROUTE_OUTSIDE | MASTRA_ROUTE_ALIAS },
    { .method = NULL }
};

static const char page_format[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"UTF-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>Mastra API</title>\n"
    "<link rel=\"icon\" href=\"%sswagger-ui/favicon-32x32.png\">\n"
    "<link rel=\"stylesheet\" href=\"%sswagger-ui/swagger-ui.css\">\n"
    "</head>\n"
    "<body>\n"
    "<div id=\"swagger-ui\"></div>\n"
    "<script src=\"%sswagger-ui/swagger-ui-bundle.js\"></script>\n"
    "<script>SwaggerUIBundle({ url: '%s%s" MASTRA_OPENAPI_PATH "', "
    "dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null });"
    "</script>\n"
    "</body>\n"
    "</html>\n";

const char *mastra_openapi_page(const char *prefix, const char *up,
                                apr_pool_t *pool)
{
    /* relative to the page: a proxy may have put something before its path */
    return apr_psprintf(pool, page_format, up, up, up, up, prefix + 1);
}

const char *mastra_openapi_policy(const char *page, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "default-src 'none'; script-src 'self'",
                       mastra_site_hashes(page, pool), "; "
                       "style-src 'self' 'unsafe-inline'; "
                       "img-src 'self' data:; font-src 'self' data:; "
                       "connect-src 'self'; base-uri 'none'; "
                       "form-action 'self'; frame-ancestors 'self'", NULL);
}
