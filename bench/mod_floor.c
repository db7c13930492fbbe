/* The floor of the benchmarks: the least that a handler of this server can do.
 * It reads the request's body, if there is one, and answers a fixed document,
 * so what httpd itself costs can be told from what a module adds.
 *
 *   FloorAnswer FILE       what GET is answered; without it a document of the
 *                          usual size
 *   FloorPostAnswer FILE   what POST is answered; without it the same as GET */

#include "httpd.h"
#include "http_config.h"
#include "http_protocol.h"
#include "http_request.h"

#include <apr_file_io.h>
#include <apr_strings.h>

#define MAX_ANSWER (1024 * 1024)

module AP_MODULE_DECLARE_DATA floor_module;

typedef struct {
    const char *text;
    apr_size_t len;
} answer_t;

typedef struct {
    answer_t get;
    answer_t post;
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
    conf->get.text = usual_answer;
    conf->get.len = sizeof(usual_answer) - 1;
    return conf;
}

/* The directive's data is the offset of the answer in the configuration. */
static const char *set_answer(cmd_parms *cmd, void *dir, const char *path)
{
    char *conf = ap_get_module_config(cmd->server->module_config,
                                      &floor_module);
    answer_t *answer = (answer_t *)(conf + (apr_size_t)cmd->info);
    apr_file_t *file;
    apr_finfo_t info;
    char *text;

    (void)dir;
    if (apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT,
                      cmd->temp_pool)
        || apr_file_info_get(&info, APR_FINFO_SIZE, file)
        || info.size > MAX_ANSWER) {
        return apr_pstrcat(cmd->pool, "cannot read ", path, NULL);
    }
    text = apr_palloc(cmd->pool, (apr_size_t)info.size + 1);
    if (apr_file_read_full(file, text, (apr_size_t)info.size, &answer->len)) {
        return apr_pstrcat(cmd->pool, "cannot read ", path, NULL);
    }
    answer->text = text;
    return NULL;
}

static int floor_handler(request_rec *r)
{
    floor_conf_t *conf = ap_get_module_config(r->server->module_config,
                                              &floor_module);
    const answer_t *answer = r->method_number == M_POST && conf->post.text
                             ? &conf->post : &conf->get;
    int status = ap_discard_request_body(r);

    if (status != OK) {
        return status;
    }
    ap_set_content_type(r, "application/json");
    ap_set_content_length(r, (apr_off_t)answer->len);
    ap_rwrite(answer->text, (int)answer->len, r);
    return OK;
}

/* No file stands behind any address: without the walk through directories that
 * httpd would make to look for one, the floor is as low as it gets. */
static int no_file(request_rec *r)
{
    r->filename = r->uri;
    return OK;
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("FloorAnswer", set_answer,
                  (void *)APR_OFFSETOF(floor_conf_t, get), RSRC_CONF,
                  "File with the document that GET is answered"),
    AP_INIT_TAKE1("FloorPostAnswer", set_answer,
                  (void *)APR_OFFSETOF(floor_conf_t, post), RSRC_CONF,
                  "File with the document that POST is answered"),
    { NULL }
};

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_translate_name(no_file, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_map_to_storage(no_file, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(floor_handler, NULL, NULL, APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA floor_module = {
    STANDARD20_MODULE_STUFF,
    NULL, NULL, create_config, NULL, commands, register_hooks, 0
};
