/* Studio's page with its blanks filled in, and what is served beside it. */
#include <string.h>

#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include "../base/text.h"
#include "../http/site.h"
#include "internal.h"
#include "studio.h"

#define INDEX "index.html"
#define INDEX_LIMIT (1024 * 1024)
#define PAGE_LIMIT (4 * INDEX_LIMIT)
#define EVENTS "/refresh-events"
#define EVENTS_HANDLER "mastra-studio-events"
#define PROBE_HANDLER "mastra-studio-probe"
#define BLANK "%%"
#define BASE_BLANK "%%MASTRA_STUDIO_BASE_PATH%%"

struct mastra_studio_t {
    mastra_site_t *site;
    const char *events;      /* path */
    const char *seen;        /* the base as browsers see it */
    const char *generation;
};

/* --- the page --------------------------------------------------------------- */

typedef struct {
    const char *name, *value;
} blank_t;

/* Text as a string of JavaScript that may stand in HTML. */
static void add_literal(mastra_buf_t *page, const char *text)
{
    mastra_buf_add(page, "'", 1);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < ' ' || c >= 0x7f || strchr("\\'\"<>&`", c)) {
            mastra_buf_printf(page, "\\x%02x", c);
        }
        else {
            mastra_buf_add(page, text, 1);
        }
    }
    mastra_buf_add(page, "'", 1);
}

static const char *value_of(const blank_t *blanks, const char *name,
                            apr_size_t len)
{
    for (; blanks->name; blanks++) {
        if (strlen(blanks->name) == len && !strncmp(blanks->name, name, len)) {
            return blanks->value;
        }
    }
    /* of a newer Studio: it takes an empty text for "not set" */
    return "";
}

/* Length of a '%%NAME%%' with its quotes at text, or 0. */
static apr_size_t quoted_blank(const char *text)
{
    apr_size_t n = strlen("'" BLANK);

    if (strncmp(text, "'" BLANK, n)) {
        return 0;
    }
    while (apr_isupper(text[n]) || apr_isdigit(text[n]) || text[n] == '_') {
        n++;
    }
    return strncmp(text + n, BLANK "'", 3) ? 0 : n + 3;
}

static apr_status_t fill(mastra_buf_t *page, const char *html,
                         const blank_t *blanks, const char *seen)
{
    apr_status_t rv = APR_SUCCESS;
    apr_size_t n;

    while (*html && rv == APR_SUCCESS) {
        if ((n = quoted_blank(html))) {
            add_literal(page, value_of(blanks, html + 3, n - 6));
            html += n;
        }
        else if (!strncmp(html, BASE_BLANK, strlen(BASE_BLANK))) {
            rv = mastra_buf_puts(page, seen);
            html += strlen(BASE_BLANK);
        }
        else {
            n = strcspn(html + 1, "'%") + 1;
            rv = mastra_buf_add(page, html, n);
            html += n;
        }
    }
    return rv;
}

/* --- where its API is ------------------------------------------------------- */

typedef struct {
    const char *path;
    const char *scheme, *host, *port;
    const char *origin;      /* "": the page's own */
} api_t;

static const char *read_api(api_t *api, const mastra_studio_conf_t *conf,
                            apr_pool_t *pool)
{
    apr_uri_t uri;

    api->path = conf->api;
    api->scheme = "http";
    api->host = conf->host ? conf->host : "localhost";
    api->port = apr_itoa(pool, conf->port ? conf->port : 80);
    api->origin = "";
    if (*conf->api == '/') {
        return NULL;
    }
    if (apr_uri_parse(pool, conf->api, &uri) != APR_SUCCESS || !uri.scheme
        || !uri.hostname || !*uri.hostname || uri.user || uri.query
        || uri.fragment
        || (strcmp(uri.scheme, "http") && strcmp(uri.scheme, "https"))
        || uri.hostname[strspn(uri.hostname,
                               "abcdefghijklmnopqrstuvwxyz0123456789.-:[]"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ")]) {
        return "api= must be a path or an address such as "
               "https://agents.example/api";
    }
    api->path = mastra_studio_path(uri.path ? uri.path : "/", pool);
    if (!api->path || !*api->path) {
        return "the address of api= has no usable path";
    }
    api->scheme = uri.scheme;
    api->host = strchr(uri.hostname, ':') && *uri.hostname != '['
                ? apr_pstrcat(pool, "[", uri.hostname, "]", NULL)
                : uri.hostname;
    api->port = uri.port_str && *uri.port_str
                ? uri.port_str
                : apr_itoa(pool, apr_uri_port_of_scheme(uri.scheme));
    api->origin = apr_psprintf(pool, " %s://%s:%s", api->scheme, api->host,
                               api->port);
    return NULL;
}

/* --- made once -------------------------------------------------------------- */

static const char *read_index(char **phtml, const char *root, apr_pool_t *pool)
{
    const char *path = apr_pstrcat(pool, root, "/" INDEX, NULL);
    apr_size_t len = 0;
    apr_finfo_t info;
    apr_file_t *file;
    apr_status_t rv = apr_file_open(&file, path, APR_READ | APR_BINARY, 0,
                                    pool);
    char text[80];

    if (rv != APR_SUCCESS) {
        return apr_psprintf(pool, "%s: %s; \"make studio\" installs it", path,
                            apr_strerror(rv, text, sizeof(text)));
    }
    rv = apr_file_info_get(&info, APR_FINFO_SIZE, file);
    if (rv == APR_SUCCESS && info.size > 0 && info.size <= INDEX_LIMIT) {
        *phtml = apr_pcalloc(pool, (apr_size_t)info.size + 1);
        rv = apr_file_read_full(file, *phtml, (apr_size_t)info.size, &len);
    }
    apr_file_close(file);
    return rv == APR_SUCCESS && len
           ? NULL : apr_psprintf(pool, "%s cannot be read", path);
}

static const char *make_page(const char **ptext, const char *html,
                             const mastra_studio_conf_t *conf,
                             const api_t *api, apr_pool_t *pool)
{
    const blank_t blanks[] = {
        { "MASTRA_SERVER_HOST", api->host },
        { "MASTRA_SERVER_PORT", api->port },
        { "MASTRA_SERVER_PROTOCOL", api->scheme },
        { "MASTRA_API_PREFIX", api->path },
        { "MASTRA_STUDIO_BASE_PATH", conf->seen },
        { "MASTRA_AUTO_DETECT_URL", *api->origin ? "false" : "true" },
        { "MASTRA_DEV_SERVER_INSTANCE_ID",
          conf->development ? conf->generation : "" },
        /* nobody's use of a server is told to others */
        { "MASTRA_TELEMETRY_DISABLED", "1" },
        { "MASTRA_HIDE_CLOUD_CTA", "true" },
        { "MASTRA_EXPERIMENTAL_FEATURES", "false" },
        { "MASTRA_EXPERIMENTAL_UI", "false" },
        { "MASTRA_TEMPLATES", "false" },
        { "MASTRA_AGENT_SIGNALS", "true" },
        { "MASTRA_SIGNALS_UI", "false" },
        { NULL }
    };
    mastra_buf_t page;

    mastra_buf_init(&page, PAGE_LIMIT);
    if (fill(&page, html, blanks, conf->seen) != APR_SUCCESS) {
        mastra_buf_free(&page);
        return "its page is too large";
    }
    *ptext = apr_pstrmemdup(pool, page.data, page.len);
    mastra_buf_free(&page);
    return NULL;
}

static const char *policy_for(const char *page, const api_t *api,
                              apr_pool_t *pool)
{
    return apr_pstrcat(pool, "default-src 'self'; script-src 'self'",
                       mastra_site_hashes(page, pool), "; "
                       "style-src 'self' 'unsafe-inline'; "
                       "img-src 'self' data: blob: https:; "
                       "font-src 'self' data:; media-src 'self' data: blob:; "
                       "connect-src 'self'", api->origin, "; "
                       "worker-src 'self' blob:; object-src 'none'; "
                       "base-uri 'self'; form-action 'self'; "
                       "frame-ancestors 'self'", NULL);
}

const char *mastra_studio_make(mastra_studio_t **pstudio,
                               const mastra_studio_conf_t *given,
                               apr_pool_t *pool)
{
    mastra_studio_t *studio = apr_pcalloc(pool, sizeof(*studio));
    mastra_studio_conf_t conf = *given;
    const char *page = NULL, *policy, *wrong;
    char *html = "";
    api_t api;

    if (!conf.seen) {
        conf.seen = conf.base;
    }
    wrong = read_api(&api, &conf, pool);
    if (!wrong) {
        wrong = read_index(&html, conf.root, pool);
    }
    if (!wrong) {
        wrong = make_page(&page, html, &conf, &api, pool);
    }
    if (!wrong) {
        wrong = mastra_site_make(&studio->site, conf.base, conf.root, pool);
    }
    if (wrong) {
        return wrong;
    }
    policy = policy_for(page, &api, pool);
    mastra_site_fallback(studio->site, page, policy);
    /* in place of the file with the blanks */
    mastra_site_page(studio->site, apr_pstrcat(pool, conf.base, "/" INDEX,
                                               NULL), page, policy);
    studio->events = apr_pstrcat(pool, conf.base, EVENTS, NULL);
    studio->seen = conf.seen;
    studio->generation = conf.generation;
    *pstudio = studio;
    return NULL;
}

const char *mastra_studio_path(const char *text, apr_pool_t *pool)
{
    apr_size_t len = strlen(text), i;

    if (*text != '/') {
        return NULL;
    }
    for (i = 0; i < len; i++) {
        if (!apr_isalnum(text[i]) && !strchr("/._~-", text[i])) {
            return NULL;
        }
        if (text[i] == '/' && (text[i + 1] == '/' || text[i + 1] == '.')) {
            return NULL;
        }
    }
    return apr_pstrmemdup(pool, text, len - (text[len - 1] == '/'));
}

/* --- requests --------------------------------------------------------------- */

int mastra_studio_claim(const mastra_studio_t *studio, request_rec *r)
{
    if (!strcmp(r->uri, studio->events) && r->method_number == M_GET) {
        r->handler = EVENTS_HANDLER;
        return 1;
    }
    return mastra_site_claim(studio->site, r);
}

/* A page tells in Referer that it is the one who asks, and what it asks is no
 * visit: that would be for HTML. */
int mastra_studio_claim_probe(const mastra_studio_t *studio, request_rec *r)
{
    const char *referer = apr_table_get(r->headers_in, "Referer");
    const char *accept = apr_table_get(r->headers_in, "Accept");
    apr_size_t len = strlen(studio->seen);
    apr_uri_t uri;

    if (strcmp(r->uri, "/") || r->method_number != M_GET || !len || !referer
        || !accept || strcmp(accept, "*/*")
        || apr_uri_parse(r->pool, referer, &uri) != APR_SUCCESS || !uri.path
        || strncmp(uri.path, studio->seen, len)
        || (uri.path[len] && uri.path[len] != '/')) {
        return 0;
    }
    r->handler = PROBE_HANDLER;
    return 1;
}

static int answer_probe(request_rec *r)
{
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_mergen(r->headers_out, "Vary", "Referer");
    r->status = HTTP_NO_CONTENT;
    return OK;
}

int mastra_studio_handle(const mastra_studio_t *studio, request_rec *r,
                         mastra_loop_t *loop)
{
    if (!studio || !r->handler) {
        return DECLINED;
    }
    if (!strcmp(r->handler, PROBE_HANDLER)) {
        return answer_probe(r);
    }
    return strcmp(r->handler, EVENTS_HANDLER)
           ? DECLINED : mastra_studio_events(r, studio->generation, loop);
}
