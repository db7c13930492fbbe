/* The floor of the benchmarks: the least that a handler of this server can do.
 * It reads the request's body, if there is one, and answers a fixed document,
 * so what httpd itself costs can be told from what a module adds.
 *
 *   FloorAnswer FILE   the document; without it one of the usual size */

#include "httpd.h"
#include "http_config.h"
#include "http_protocol.h"
#include "http_request.h"

#include <apr_file_io.h>
#include <apr_strings.h>

#define MAX_ANSWER (1024 * 1024)

module AP_MODULE_DECLARE_DATA floor_module;

typedef struct {
    const char *answer;
    apr_size_t len;
} floor_conf_t;

/* What GET of an agent answers that has neither tools nor workflows. */
static const char usual_answer[] =
    "{\"name\":\"Plain\",\"description\":\"Answers without memory\","
    "\"instructions\":\"You are a helpful assistant.\",\"tools\":{},"
    "\"agents\":{},\"workflows\":{},\"skills\":[],\"workspaceTools\":[],"
    "\"browserTools\":[],\"hasBrowser\":false,\"inputProcessors\":[],"
    "\"outputProcessors\":[],\"provider\":\"bench\",\"modelId\":\"echo\","
    "\"modelVersion\":\"v2\",\"supportsMemory\":true,\"defaultOptions\":{},"
    "\"defaultGenerateOptionsLegacy\":{},\"defaultStreamOptionsLegacy\":{},"
    "\"source\":\"code\"}";

static void *create_config(apr_pool_t *p, server_rec *s)
{
    floor_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    (void)s;
    conf->answer = usual_answer;
    conf->len = sizeof(usual_answer) - 1;
    return conf;
}

static const char *set_answer(cmd_parms *cmd, void *dir, const char *path)
{
    floor_conf_t *conf = ap_get_module_config(cmd->server->module_config,
                                              &floor_module);
    apr_file_t *file;
    apr_finfo_t info;
    char *text;

    (void)dir;
    if (apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT,
                      cmd->temp_pool)
        || apr_file_info_get(&info, APR_FINFO_SIZE, file)
        || info.size > MAX_ANSWER) {
        return apr_pstrcat(cmd->pool, "FloorAnswer: cannot read ", path, NULL);
    }
    text = apr_palloc(cmd->pool, (apr_size_t)info.size + 1);
    if (apr_file_read_full(file, text, (apr_size_t)info.size, &conf->len)) {
        return apr_pstrcat(cmd->pool, "FloorAnswer: cannot read ", path, NULL);
    }
    conf->answer = text;
    return NULL;
}

static int floor_handler(request_rec *r)
{
    floor_conf_t *conf = ap_get_module_config(r->server->module_config,
                                              &floor_module);
    int status = ap_discard_request_body(r);

    if (status != OK) {
        return status;
    }
    ap_set_content_type(r, "application/json");
    ap_set_content_length(r, (apr_off_t)conf->len);
    ap_rwrite(conf->answer, (int)conf->len, r);
    return OK;
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("FloorAnswer", set_answer, NULL, RSRC_CONF,
                  "File with the document that every request is answered"),
    { NULL }
};

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_handler(floor_handler, NULL, NULL, APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA floor_module = {
    STANDARD20_MODULE_STUFF,
    NULL, NULL, create_config, NULL, commands, register_hooks, 0
};
