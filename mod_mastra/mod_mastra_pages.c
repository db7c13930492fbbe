/* Directives about Studio, Swagger UI and the OpenAPI document, and which
 * requests are theirs. */
#include <string.h>

#include <apr_file_info.h>
#include <apr_strings.h>

#include <ap_listen.h>
#include <http_core.h>

#include "http/custom.h"
#include "http/request.h"
#include "http/site.h"
#include "mod_mastra_config.h"
#include "mod_mastra_pages.h"
#include "mod_mastra_place.h"
#include "openapi/openapi.h"
#include "studio/studio.h"

#define OFF "-"
#define SWAGGER_BASE "/swagger-ui"
#define SWAGGER_SHORT "/swagger"
#define SWAGGER_ROOT MASTRA_SHARE_DIR "/swagger-ui"
#define STUDIO_ROOT MASTRA_SHARE_DIR "/studio"

/* --- create and merge ------------------------------------------------------ */

void mastra_pages_create(mastra_pages_conf_t *conf)
{
    conf->openapi = -1;
    conf->swagger = -1;
}

#define SET_OR_BASE(member) \
    conf->member = add->member ? add->member : base->member
#define NUMBER_OR_BASE(member) \
    conf->member = add->member != -1 ? add->member : base->member

void mastra_pages_merge(mastra_pages_conf_t *conf,
                        const mastra_pages_conf_t *base,
                        const mastra_pages_conf_t *add)
{
    /* the options of a line come with its path */
    const mastra_pages_conf_t *studio = add->studio_base ? add : base;

    NUMBER_OR_BASE(openapi);
    NUMBER_OR_BASE(swagger);
    SET_OR_BASE(swagger_root);
    conf->studio_base = studio->studio_base;
    conf->studio_seen = studio->studio_seen;
    conf->studio_api = studio->studio_api;
    SET_OR_BASE(studio_root);
}

/* --- setters --------------------------------------------------------------- */

static mastra_pages_conf_t *conf_of(const cmd_parms *cmd)
{
    return &mastra_config_of(cmd->server)->pages;
}

static const char *set_folder(const char **ppath, const cmd_parms *cmd,
                              const char *arg)
{
    *ppath = ap_server_root_relative(cmd->pool, arg);
    return *ppath ? NULL
                  : apr_pstrcat(cmd->pool, cmd->cmd->name, " is not a path: ",
                                arg, NULL);
}

const char *mastra_pages_set_openapi(cmd_parms *cmd, void *dir, int on)
{
    conf_of(cmd)->openapi = on;
    return NULL;
}

const char *mastra_pages_set_swagger(cmd_parms *cmd, void *dir,
                                     const char *arg)
{
    mastra_pages_conf_t *conf = conf_of(cmd);

    conf->swagger = strcasecmp(arg, "off") != 0;
    return conf->swagger && strcasecmp(arg, "on")
           ? set_folder(&conf->swagger_root, cmd, arg) : NULL;
}

const char *mastra_pages_set_root(cmd_parms *cmd, void *dir, const char *arg)
{
    return set_folder(&conf_of(cmd)->studio_root, cmd, arg);
}

static const char *not_a_path(const cmd_parms *cmd, const char *arg)
{
    return apr_pstrcat(cmd->pool, cmd->cmd->name, " ", arg, ": a path begins "
                       "with a slash and is made of letters, digits, dots, "
                       "dashes, underscores and tildes", NULL);
}

const char *mastra_pages_set_studio(cmd_parms *cmd, void *dir, int argc,
                                    char *const argv[])
{
    mastra_pages_conf_t *conf = conf_of(cmd);
    int i;

    if (argc < 1) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " takes a path and "
                           "options, or Off", NULL);
    }
    conf->studio_seen = conf->studio_api = NULL;
    if (argc == 1 && !strcasecmp(argv[0], "off")) {
        conf->studio_base = OFF;
        return NULL;
    }
    conf->studio_base = mastra_studio_path(argv[0], cmd->pool);
    if (!conf->studio_base) {
        return not_a_path(cmd, argv[0]);
    }
    for (i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "public=", 7)) {
            conf->studio_seen = mastra_studio_path(argv[i] + 7, cmd->pool);
            if (!conf->studio_seen) {
                return not_a_path(cmd, argv[i] + 7);
            }
        }
        else if (!strncmp(argv[i], "api=", 4) && argv[i][4]) {
            conf->studio_api = apr_pstrdup(cmd->pool, argv[i] + 4);
        }
        else {
            return apr_pstrcat(cmd->pool, cmd->cmd->name, " has no option ",
                               argv[i], "; it has public= and api=", NULL);
        }
    }
    return NULL;
}

/* --- a host's pages --------------------------------------------------------- */

static int is_folder(const char *path, apr_pool_t *pool)
{
    apr_finfo_t info;

    return apr_stat(&info, path, APR_FINFO_TYPE, pool) == APR_SUCCESS
           && info.filetype == APR_DIR;
}

static const char *make_openapi(mastra_host_t *host,
                                const mastra_router_t *router,
                                apr_pool_t *pool)
{
    int i;

    host->openapi = mastra_openapi_make(router, host, pool);
    for (i = 0; host->routes && i < host->routes->nelts; i++) {
        const mastra_custom_t *route = APR_ARRAY_IDX(host->routes, i,
                                                     const mastra_custom_t *);
        mastra_route_t row = route->row;

        if (route->frame == MASTRA_FRAME_SSE) {
            row.flags |= MASTRA_ROUTE_STREAM;
        }
        mastra_openapi_add(host->openapi, &row, route->openapi);
    }
    return mastra_openapi_finish(host->openapi);
}

static void add_swagger_page(mastra_host_t *host, const char *path,
                             const char *up, apr_pool_t *pool)
{
    const char *page = mastra_openapi_page(host->prefix, up, pool);

    mastra_site_page(host->swagger, path, page,
                     mastra_openapi_policy(page, pool));
}

static const char *make_swagger(mastra_host_t *host, const char *root,
                                apr_pool_t *pool)
{
    const char *wrong;

    if (!is_folder(root, pool)) {
        return apr_psprintf(pool, "there is no directory %s; "
                            "\"make swagger-ui\" installs it", root);
    }
    if (!mastra_studio_path(host->prefix, pool)) {
        return "it needs a " MASTRA_DIR_PREFIX " of letters, digits, dots, "
               "dashes, underscores and tildes";
    }
    wrong = mastra_site_make(&host->swagger, SWAGGER_BASE, root, pool);
    if (wrong) {
        return wrong;
    }
    add_swagger_page(host, SWAGGER_BASE, "", pool);
    add_swagger_page(host, SWAGGER_SHORT, "", pool);
    add_swagger_page(host, SWAGGER_SHORT "/", "../", pool);
    add_swagger_page(host, SWAGGER_BASE "/", "../", pool);
    /* in place of the package's own, which shows a document of others */
    add_swagger_page(host, SWAGGER_BASE "/index.html", "../", pool);
    return NULL;
}

/* For addresses that are shown to people. */
static int port_of(const server_rec *s)
{
    if (s->port) {
        return s->port;
    }
    if (s->addrs && s->addrs->host_port) {
        return s->addrs->host_port;
    }
    return ap_listeners ? ap_listeners->bind_addr->port : 0;
}

static const char *make_studio(mastra_host_t *host,
                               const mastra_pages_conf_t *conf,
                               const char *generation, apr_pool_t *pool)
{
    const server_rec *s = host->server;
    mastra_studio_conf_t studio = {
        .base = conf->studio_base,
        .seen = conf->studio_seen,
        .api = conf->studio_api ? conf->studio_api : host->prefix,
        .root = conf->studio_root ? conf->studio_root : STUDIO_ROOT,
        .host = s->server_hostname,
        .port = port_of(s),
        .generation = generation,
        .development = host->development
    };

    if (*conf->studio_base
        && mastra_path_below(conf->studio_base, host->prefix)) {
        return apr_psprintf(pool, "%s lies below " MASTRA_DIR_PREFIX " %s, "
                            "where everything is the API's", conf->studio_base,
                            host->prefix);
    }
    return mastra_studio_make(&host->studio, &studio, pool);
}

void mastra_pages_fill(mastra_host_t *host, const mastra_pages_conf_t *conf,
                       const mastra_router_t *router, const char *generation,
                       mastra_faults_t *faults, apr_pool_t *pool)
{
    const char *root = conf->swagger_root ? conf->swagger_root : SWAGGER_ROOT;
    int openapi = conf->openapi, swagger = conf->swagger;
    const char *name = MASTRA_DIR_SWAGGER, *wrong = NULL;

    if (swagger == -1) {
        swagger = host->development && openapi && is_folder(root, pool);
    }
    if (openapi == -1) {
        openapi = host->development || swagger;
    }
    if (swagger && !openapi) {
        wrong = "it shows what " MASTRA_DIR_OPENAPI " Off does not serve";
    }
    else if (openapi && router) {
        name = MASTRA_DIR_OPENAPI;
        wrong = make_openapi(host, router, pool);
    }
    if (!wrong && swagger) {
        name = MASTRA_DIR_SWAGGER;
        wrong = make_swagger(host, root, pool);
    }
    if (!wrong && conf->studio_base && strcmp(conf->studio_base, OFF)) {
        name = MASTRA_DIR_STUDIO_BASE;
        wrong = make_studio(host, conf, generation, pool);
    }
    if (wrong) {
        mastra_place_fault(faults, host->server, name, NULL, wrong);
    }
}

/* --- requests --------------------------------------------------------------- */

int mastra_pages_is_off(const mastra_host_t *host, const request_rec *r)
{
    return !host->openapi && !strcmp(r->uri, MASTRA_OPENAPI_PATH);
}

int mastra_pages_claim_probe(const mastra_host_t *host, request_rec *r)
{
    return host->studio && mastra_studio_claim_probe(host->studio, r);
}

int mastra_pages_claim(const mastra_host_t *host, request_rec *r)
{
    return (host->swagger && mastra_site_claim(host->swagger, r))
           || (host->studio && mastra_studio_claim(host->studio, r));
}

int mastra_pages_handle(const mastra_host_t *host, request_rec *r)
{
    int rc = mastra_site_send(r);

    return rc == DECLINED ? mastra_studio_handle(host->studio, r, host->loop)
                          : rc;
}
