/* Routes about the server itself. */
#include <string.h>

#include <apr_strings.h>

#include "../http/router.h"

static const char welcome[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<head><meta charset=\"UTF-8\"><title>Agents</title></head>\n"
    "<body>\n"
    "<h1>Agents are served here</h1>\n"
    "<p>This is the API of mod_mastra, a Mastra server in Apache httpd.\n"
    "<a href=\"%s/agents\">Its agents</a> are a good place to begin.</p>\n"
    "%s"
    "</body>\n"
    "</html>\n";

static const char to_swagger[] =
    "<p><a href=\"/swagger-ui\">All routes</a>, to read and to try.</p>\n";

static int reply_constant(mastra_req_t *req, const char *text)
{
    return mastra_reply_text(req, "application/json", text, strlen(text));
}

static int get_health(mastra_req_t *req)
{
    return reply_constant(req, "{\"success\":true}");
}

static int get_welcome(mastra_req_t *req)
{
    const char *page = apr_psprintf(req->pool, welcome, req->host->prefix,
                                    req->host->swagger ? to_swagger : "");

    return mastra_reply_text(req, "text/html; charset=UTF-8", page,
                             strlen(page));
}

const mastra_route_t mastra_api_system[] = {
    { "GET", "/health", get_health, "Health of the server", "system", NULL,
      NULL, NULL, NULL, NULL, MASTRA_ROUTE_PUBLIC | MASTRA_ROUTE_OUTSIDE, 0 },
    { "GET", "/", get_welcome, "A page for people", "system", NULL, NULL,
      NULL, NULL, NULL, MASTRA_ROUTE_PUBLIC | MASTRA_ROUTE_ALIAS, 0 },
    { .method = NULL }
};
