/* The module record of mod_mastra, and its sign of life at /health. */
#include "httpd.h"
#include "http_config.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"

extern module AP_MODULE_DECLARE_DATA mastra_module;

typedef struct {
    int engine; /* -1: inherit */
} server_conf_t;

static void *create_server_conf(apr_pool_t *p, server_rec *s)
{
    server_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    conf->engine = -1;
    return conf;
}

static void *merge_server_conf(apr_pool_t *p, void *basev, void *addv)
{
    const server_conf_t *base = basev, *add = addv;
    server_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    conf->engine = add->engine == -1 ? base->engine : add->engine;
    return conf;
}

static const char *set_engine(cmd_parms *cmd, void *unused, int on)
{
    server_conf_t *conf = ap_get_module_config(cmd->server->module_config,
                                               &mastra_module);

    conf->engine = on;
    return NULL;
}

static const command_rec commands[] = {
    AP_INIT_FLAG("MastraEngine", set_engine, NULL, RSRC_CONF,
                 "On serves the API on this server or virtual host"),
    { NULL }
};

static int health_handler(request_rec *r)
{
    const server_conf_t *conf = ap_get_module_config(r->server->module_config,
                                                     &mastra_module);

    if (conf->engine != 1 || strcmp(r->uri, "/health")) {
        return DECLINED;
    }
    r->allowed = AP_METHOD_BIT << M_GET;
    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    ap_set_content_type(r, "application/json");
    ap_rputs("{\"success\":true}", r);
    return OK;
}

static void register_hooks(apr_pool_t *p)
{
    ap_hook_handler(health_handler, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(mastra) = {
    STANDARD20_MODULE_STUFF,
    NULL,
    NULL,
    create_server_conf,
    merge_server_conf,
    commands,
    register_hooks
};
