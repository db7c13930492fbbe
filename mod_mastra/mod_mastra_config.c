/* Directives: the command table, creation and merging of configurations, and
 * getters that know the defaults. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include <http_core.h>

#include "http/period.h"
#include "mod_mastra_config.h"
#include "mod_mastra_define.h"
#include "mod_mastra_native.h"

#define PREFIX_DEFAULT "/api"
#define TIMEOUT_DEFAULT apr_time_from_sec(180)
#define STREAM_TIMEOUT_DEFAULT apr_time_from_sec(120)
#define STOP_LIMIT_DEFAULT apr_time_from_sec(30)
#define RUN_LEASE_DEFAULT apr_time_from_sec(30)
#define EVENT_HISTORY_DEFAULT apr_time_from_sec(3600)
#define SCHEDULE_HISTORY_DEFAULT apr_time_from_sec(30 * 86400)
#define BODY_LIMIT_DEFAULT 4718592
#define RUN_SIZE_DEFAULT ((apr_off_t)128 << 20)
#define JOB_THREADS_DEFAULT 4
#define MAX_BODY_LIMIT ((apr_off_t)1 << 30)
/* what a database takes as one value of JSON */
#define MAX_RUN_SIZE ((apr_off_t)240 << 20)
#define MIN_RUN_SIZE ((apr_off_t)1 << 16)

/* --- create and merge ------------------------------------------------------ */

void *mastra_config_create_server(apr_pool_t *pool, server_rec *s)
{
    mastra_server_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    conf->engine = -1;
    conf->development = -1;
    conf->synchronous_normal = -1;
    conf->timeout = -1;
    conf->stream_timeout = -1;
    conf->stop_limit = -1;
    conf->run_lease = -1;
    conf->schedule_history = -1;
    conf->event_history = -1;
    conf->body_limit = -1;
    conf->run_size = -1;
    conf->redact = -1;
    conf->connections = -1;
    conf->job_threads = -1;
    conf->db_max = -1;
    conf->providers = apr_array_make(pool, 0, sizeof(void *));
    conf->outbound = apr_array_make(pool, 0, sizeof(const char *));
    conf->documents = apr_array_make(pool, 0, sizeof(void *));
    mastra_access_create(&conf->access);
    mastra_routes_create(&conf->custom, pool);
    mastra_pages_create(&conf->pages);
    return conf;
}

/* Those of base that add has not got, then those of add. */
static apr_array_header_t *merge_documents(apr_pool_t *pool,
                                           const apr_array_header_t *base,
                                           const apr_array_header_t *add)
{
    apr_array_header_t *all = apr_array_make(pool, base->nelts + add->nelts,
                                             sizeof(void *));
    int i, k;

    for (i = 0; i < base->nelts; i++) {
        mastra_document_t *old = APR_ARRAY_IDX(base, i, mastra_document_t *);

        for (k = 0; k < add->nelts; k++) {
            mastra_document_t *new = APR_ARRAY_IDX(add, k,
                                                   mastra_document_t *);

            if (new->kind == old->kind && !strcmp(new->key, old->key)) {
                break;
            }
        }
        if (k == add->nelts) {
            APR_ARRAY_PUSH(all, mastra_document_t *) = old;
        }
    }
    apr_array_cat(all, add);
    return all;
}

static apr_array_header_t *merge_providers(apr_pool_t *pool,
                                           const apr_array_header_t *base,
                                           const apr_array_header_t *add)
{
    apr_array_header_t *all = apr_array_make(pool, base->nelts + add->nelts,
                                             sizeof(void *));
    int i, k;

    for (i = 0; i < base->nelts; i++) {
        mastra_provider_conf_t *old = APR_ARRAY_IDX(base, i,
                                                    mastra_provider_conf_t *);

        for (k = 0; k < add->nelts; k++) {
            if (!strcmp(APR_ARRAY_IDX(add, k, mastra_provider_conf_t *)->id,
                        old->id)) {
                break;
            }
        }
        if (k == add->nelts) {
            APR_ARRAY_PUSH(all, mastra_provider_conf_t *) = old;
        }
    }
    apr_array_cat(all, add);
    return all;
}

#define SET_OR_BASE(member) \
    conf->member = add->member ? add->member : base->member
#define NUMBER_OR_BASE(member) \
    conf->member = add->member != -1 ? add->member : base->member

void *mastra_config_merge_server(apr_pool_t *pool, void *basev, void *addv)
{
    const mastra_server_conf_t *base = basev, *add = addv;
    mastra_server_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    NUMBER_OR_BASE(engine);
    NUMBER_OR_BASE(development);
    SET_OR_BASE(prefix);
    SET_OR_BASE(project);
    SET_OR_BASE(self_url);
    NUMBER_OR_BASE(synchronous_normal);
    NUMBER_OR_BASE(timeout);
    NUMBER_OR_BASE(stream_timeout);
    NUMBER_OR_BASE(stop_limit);
    NUMBER_OR_BASE(run_lease);
    NUMBER_OR_BASE(schedule_history);
    NUMBER_OR_BASE(event_history);
    NUMBER_OR_BASE(body_limit);
    NUMBER_OR_BASE(run_size);
    NUMBER_OR_BASE(redact);
    SET_OR_BASE(runtime_dir);
    NUMBER_OR_BASE(connections);
    NUMBER_OR_BASE(job_threads);
    SET_OR_BASE(db_driver);
    SET_OR_BASE(db_params);
    NUMBER_OR_BASE(db_max);
    conf->providers = merge_providers(pool, base->providers, add->providers);
    conf->outbound = apr_array_append(pool, base->outbound, add->outbound);
    conf->documents = merge_documents(pool, base->documents, add->documents);
    mastra_access_merge(&conf->access, &base->access, &add->access);
    mastra_routes_merge(&conf->custom, &base->custom, &add->custom, pool);
    mastra_pages_merge(&conf->pages, &base->pages, &add->pages);
    return conf;
}

void *mastra_config_create_dir(apr_pool_t *pool, char *dir)
{
    mastra_dir_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    conf->engine = -1;
    mastra_cors_create(&conf->cors);
    return conf;
}

void *mastra_config_merge_dir(apr_pool_t *pool, void *basev, void *addv)
{
    const mastra_dir_conf_t *base = basev, *add = addv;
    mastra_dir_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    NUMBER_OR_BASE(engine);
    mastra_cors_merge(&conf->cors, &base->cors, &add->cors);
    return conf;
}

/* --- getters --------------------------------------------------------------- */

mastra_server_conf_t *mastra_config_of(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &mastra_module);
}

const mastra_dir_conf_t *mastra_config_dir(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &mastra_module);
}

mastra_host_t *mastra_config_host(const request_rec *r)
{
    mastra_host_t *host = mastra_config_of(r->server)->host;
    const mastra_dir_conf_t *dir;

    if (host) {
        dir = mastra_config_dir(r);
        if (dir && dir->engine == 0) {
            return NULL;
        }
    }
    return host;
}

int mastra_config_engine(const mastra_server_conf_t *conf)
{
    return conf->engine == 1;
}

int mastra_config_development(const mastra_server_conf_t *conf)
{
    return conf->development == 1;
}

const char *mastra_config_prefix(const mastra_server_conf_t *conf)
{
    return conf->prefix ? conf->prefix : PREFIX_DEFAULT;
}

int mastra_config_synchronous_normal(const mastra_server_conf_t *conf)
{
    return conf->synchronous_normal == 1;
}

apr_interval_time_t mastra_config_timeout(const mastra_server_conf_t *conf)
{
    return conf->timeout == -1 ? TIMEOUT_DEFAULT : conf->timeout;
}

apr_interval_time_t
mastra_config_stream_timeout(const mastra_server_conf_t *conf)
{
    return conf->stream_timeout == -1 ? STREAM_TIMEOUT_DEFAULT
                                      : conf->stream_timeout;
}

apr_interval_time_t mastra_config_stop_limit(const mastra_server_conf_t *conf)
{
    return conf->stop_limit == -1 ? STOP_LIMIT_DEFAULT : conf->stop_limit;
}

apr_interval_time_t mastra_config_schedule_history(
    const mastra_server_conf_t *conf)
{
    return conf->schedule_history == -1 ? SCHEDULE_HISTORY_DEFAULT
                                        : conf->schedule_history;
}

apr_interval_time_t mastra_config_event_history(
    const mastra_server_conf_t *conf)
{
    return conf->event_history == -1 ? EVENT_HISTORY_DEFAULT
                                     : conf->event_history;
}

apr_interval_time_t mastra_config_run_lease(const mastra_server_conf_t *conf)
{
    return conf->run_lease == -1 ? RUN_LEASE_DEFAULT : conf->run_lease;
}

apr_size_t mastra_config_run_size(const mastra_server_conf_t *conf)
{
    return (apr_size_t)(conf->run_size == -1 ? RUN_SIZE_DEFAULT
                                             : conf->run_size);
}

apr_size_t mastra_config_body_limit(const mastra_server_conf_t *conf)
{
    return conf->body_limit == -1 ? BODY_LIMIT_DEFAULT
                                  : (apr_size_t)conf->body_limit;
}

int mastra_config_redact(const mastra_server_conf_t *conf)
{
    return conf->redact != 0;
}

const char *mastra_config_runtime_dir(const mastra_server_conf_t *conf,
                                      apr_pool_t *pool)
{
    return conf->runtime_dir ? conf->runtime_dir
                             : ap_runtime_dir_relative(pool, "mastra");
}

int mastra_config_job_threads(const mastra_server_conf_t *conf)
{
    return conf->job_threads == -1 ? JOB_THREADS_DEFAULT : conf->job_threads;
}

int mastra_config_connections(const mastra_server_conf_t *conf)
{
    if (conf->connections != -1) {
        return conf->connections;
    }
    return conf->db_max > 1 ? conf->db_max : 0;
}

/* --- setters: plain values ------------------------------------------------- */

static mastra_server_conf_t *conf_of(const cmd_parms *cmd)
{
    return mastra_config_of(cmd->server);
}

static const char *set_engine(cmd_parms *cmd, void *dirv, int on)
{
    mastra_dir_conf_t *dir = dirv;
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIRECTORY
                                             | NOT_IN_FILES
                                             | NOT_IN_HTACCESS);

    if (wrong) {
        return wrong;
    }
    if (cmd->path) {
        dir->engine = on;
    }
    else {
        conf_of(cmd)->engine = on;
    }
    return NULL;
}

static const char *set_mode(cmd_parms *cmd, void *dir, const char *arg)
{
    if (strcasecmp(arg, "production") && strcasecmp(arg, "development")) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " must be production or "
                           "development, not ", arg, NULL);
    }
    conf_of(cmd)->development = !strcasecmp(arg, "development");
    return NULL;
}

static const char *set_durability(cmd_parms *cmd, void *dir, const char *arg)
{
    if (strcasecmp(arg, "full") && strcasecmp(arg, "normal")) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name,
                           " must be full or normal, not ", arg, NULL);
    }
    conf_of(cmd)->synchronous_normal = !strcasecmp(arg, "normal");
    return NULL;
}

static const char *set_prefix(cmd_parms *cmd, void *dir, const char *arg)
{
    apr_size_t len = strlen(arg);

    if (*arg != '/' || len < 2 || arg[len - 1] == '/' || strstr(arg, "//")
        || strstr(arg, "/.") || arg[strcspn(arg, "%?#;* ")]) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " must be a path such "
                           "as /api: a slash at its start, none at its end, "
                           "no escapes, and no segment that begins with a dot",
                           NULL);
    }
    conf_of(cmd)->prefix = arg;
    return NULL;
}

static const char *set_directory(cmd_parms *cmd, const char **ppath,
                                 const char *arg)
{
    *ppath = ap_server_root_relative(cmd->pool, arg);
    if (!*ppath) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " is not a path: ", arg,
                           NULL);
    }
    return NULL;
}

static const char *set_project(cmd_parms *cmd, void *dir, const char *arg)
{
    return set_directory(cmd, &conf_of(cmd)->project, arg);
}

static const char *set_runtime(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    return wrong ? wrong
                 : set_directory(cmd, &conf_of(cmd)->runtime_dir, arg);
}

static const char *set_self_url(cmd_parms *cmd, void *dir, const char *arg)
{
    apr_size_t len = strlen(arg);
    apr_uri_t uri;

    if (apr_uri_parse(cmd->temp_pool, arg, &uri) != APR_SUCCESS || !uri.scheme
        || !uri.hostname || !*uri.hostname
        || (strcmp(uri.scheme, "http") && strcmp(uri.scheme, "https"))
        || (uri.path && strcmp(uri.path, "/")) || uri.query || uri.user
        || !mastra_text_url_port(arg)) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " must be a scheme, a "
                           "host and a port such as http://127.0.0.1:8080, "
                           "not ", arg, NULL);
    }
    conf_of(cmd)->self_url = apr_pstrmemdup(cmd->pool, arg,
                                            len - (arg[len - 1] == '/'));
    return NULL;
}

static const char *set_time(cmd_parms *cmd, void *dir, const char *arg)
{
    apr_interval_time_t *value =
        (void *)((char *)conf_of(cmd) + (apr_size_t)cmd->info);

    if (value == &conf_of(cmd)->stop_limit) {
        const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

        if (wrong) {
            return wrong;
        }
    }
    if (mastra_period_parse(value, arg)) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " must be a time such "
                           "as 30s or 5min, not ", arg, NULL);
    }
    if ((value == &conf_of(cmd)->run_lease
         || value == &conf_of(cmd)->event_history) && *value < apr_time_from_sec(1)) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name,
                           " must be one second or more", NULL);
    }
    return NULL;
}

/* "4.5M": bytes, with K, M or G; 0: it is none. */
static apr_off_t read_size(const char *arg)
{
    char *end;
    double n = strtod(arg, &end);
    int unit = apr_toupper(*end);

    n *= unit == 'K' ? 1024.0 : unit == 'M' ? 1048576.0
         : unit == 'G' ? 1073741824.0 : 1.0;
    return end == arg || (*end && (!strchr("KMG", unit) || end[1]))
           || !(n >= 1) || n > (double)MAX_BODY_LIMIT ? 0 : (apr_off_t)n;
}

static const char *set_body_limit(cmd_parms *cmd, void *dir, const char *arg)
{
    apr_off_t n = read_size(arg);

    if (!n) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " must be a size up to "
                           "1G such as 4.5M, not ", arg, NULL);
    }
    conf_of(cmd)->body_limit = n;
    return NULL;
}

static const char *set_run_size(cmd_parms *cmd, void *dir, const char *arg)
{
    apr_off_t n = read_size(arg);

    if (n < MIN_RUN_SIZE || n > MAX_RUN_SIZE) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " must be a size from "
                           "64K to 240M, not ", arg, NULL);
    }
    conf_of(cmd)->run_size = n;
    return NULL;
}

static const char *set_count(cmd_parms *cmd, int *pcount, const char *arg,
                             int most)
{
    char *end;
    long n = strtol(arg, &end, 10);

    if (end == arg || *end || n < 2 || n > most) {
        return apr_psprintf(cmd->pool, "%s must be a number from 2 to %d, not "
                            "%s", cmd->cmd->name, most, arg);
    }
    *pcount = (int)n;
    return NULL;
}

static const char *set_connections(cmd_parms *cmd, void *dir, const char *arg)
{
    return set_count(cmd, &conf_of(cmd)->connections, arg, 1000);
}

static const char *set_job_threads(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    return wrong ? wrong
                 : set_count(cmd, &conf_of(cmd)->job_threads, arg, 256);
}

static const char *set_redact(cmd_parms *cmd, void *dir, int on)
{
    mastra_config_of(cmd->server)->redact = on;
    return NULL;
}

static const char *add_outbound(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *wrong = mastra_guard_allow(mastra_guard_make(cmd->temp_pool),
                                           arg);

    if (wrong) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " ", arg, ": ", wrong,
                           NULL);
    }
    APR_ARRAY_PUSH(conf_of(cmd)->outbound, const char *) = arg;
    return NULL;
}

/* DBDriver, DBDParams and DBDMax belong to mod_dbd, which need not be loaded
 * and whose own struct is private: they are read along. */
static const char *read_db_text(cmd_parms *cmd, void *dir, const char *arg)
{
    *(const char **)((char *)conf_of(cmd) + (apr_size_t)cmd->info) = arg;
    return NULL;
}

static const char *read_db_max(cmd_parms *cmd, void *dir, const char *arg)
{
    conf_of(cmd)->db_max = atoi(arg);
    return NULL;
}

/* --- the table ------------------------------------------------------------- */

#define OFFSET(member) ((void *)offsetof(mastra_server_conf_t, member))
#define CORS(member) ((void *)offsetof(mastra_cors_conf_t, member))
#define ANYWHERE RSRC_CONF | ACCESS_CONF

const command_rec mastra_commands[] = {
    AP_INIT_FLAG(MASTRA_DIR_ENGINE, set_engine, NULL, RSRC_CONF | ACCESS_CONF,
                 "On serves the API on this server or virtual host; Off in a "
                 "Location takes its paths away"),
    AP_INIT_TAKE1(MASTRA_DIR_MODE, set_mode, NULL, RSRC_CONF,
                  "production (the default) hides what internal errors say, "
                  "development shows it"),
    AP_INIT_TAKE1(MASTRA_DIR_PREFIX, set_prefix, NULL, RSRC_CONF,
                  "path below which the API is served, /api by default"),
    AP_INIT_TAKE1(MASTRA_DIR_PROJECT, set_project, NULL, RSRC_CONF,
                  "directory of the files that define agents and tools"),
    AP_INIT_TAKE_ARGV(MASTRA_DIR_PROVIDER, mastra_provider_add, NULL, RSRC_CONF,
                      "ID KIND [URL] [key=env:NAME] [header=Name:value] "
                      "[timeout=] [retries=]: where models are asked"),
    AP_INIT_TAKE1(MASTRA_DIR_SELF_URL, set_self_url, NULL, RSRC_CONF,
                  "how this server reaches itself for tools of kind uri"),
    AP_INIT_TAKE1(MASTRA_DIR_DURABILITY, set_durability, NULL, RSRC_CONF,
                  "full (the default) or normal: SQLite's synchronous level"),
    AP_INIT_TAKE1(MASTRA_DIR_TIMEOUT, set_time, OFFSET(timeout), RSRC_CONF,
                  "time that a whole answer may take, 180s by default"),
    AP_INIT_TAKE1(MASTRA_DIR_STREAM_TIMEOUT, set_time, OFFSET(stream_timeout),
                  RSRC_CONF,
                  "how long a model may be silent, 120s by default"),
    AP_INIT_TAKE1(MASTRA_DIR_STOP_LIMIT, set_time, OFFSET(stop_limit),
                  RSRC_CONF, "how long live streams may go on at a graceful "
                  "stop or restart, 30s by default"),
    AP_INIT_TAKE1(MASTRA_DIR_SCHEDULE_HISTORY, set_time,
                  OFFSET(schedule_history), RSRC_CONF,
                  "how long firings of schedules are remembered"),
    AP_INIT_TAKE1(MASTRA_DIR_EVENT_HISTORY, set_time, OFFSET(event_history),
                  RSRC_CONF, "how long what runs have said is kept for those "
                  "who watch, 1h by default"),
    AP_INIT_TAKE1(MASTRA_DIR_RUN_LEASE, set_time, OFFSET(run_lease), RSRC_CONF,
                  "how long a stored run belongs to the process that goes on "
                  "with it, unless renewed; 30s by default"),
    AP_INIT_TAKE1(MASTRA_DIR_BODY_LIMIT, set_body_limit, NULL, RSRC_CONF,
                  "size of a request's body, 4.5M by default"),
    AP_INIT_TAKE1(MASTRA_DIR_RUN_SIZE, set_run_size, NULL, RSRC_CONF,
                  "what a run of a workflow may come to, 128M by default"),
    AP_INIT_FLAG(MASTRA_DIR_REDACT, set_redact, NULL, RSRC_CONF,
                 "Off shows in streams what models were asked"),
    AP_INIT_ITERATE(MASTRA_DIR_OUTBOUND, add_outbound, NULL, RSRC_CONF,
                    "addresses, networks or hosts that outgoing calls may "
                    "reach beyond public ones; * for all"),
    AP_INIT_TAKE1(MASTRA_DIR_RUNTIME, set_runtime, NULL, RSRC_CONF,
                  "directory for what lives as long as the server"),
    AP_INIT_TAKE1(MASTRA_DIR_CONNECTIONS, set_connections, NULL, RSRC_CONF,
                  "database connections of one child"),
    AP_INIT_TAKE1(MASTRA_DIR_JOB_THREADS, set_job_threads, NULL, RSRC_CONF,
                  "threads of one child for tools and models of other "
                  "modules, 4 by default"),
    AP_INIT_TAKE_ARGV(MASTRA_DIR_AUTH, mastra_access_add_provider, NULL,
                      RSRC_CONF, "PROVIDER name=value: who says whom a "
                      "request comes from; None for nobody"),
    AP_INIT_ITERATE(MASTRA_DIR_PROTECTED, mastra_access_add_protected, NULL,
                    RSRC_CONF, "expressions of the paths that need a known "
                    "caller, all by default"),
    AP_INIT_ITERATE(MASTRA_DIR_PUBLIC, mastra_access_add_public, NULL,
                    RSRC_CONF, "paths that need none; a star at the end "
                    "stands for the rest"),
    AP_INIT_TAKE1(MASTRA_DIR_OWNER, mastra_access_set_owner, NULL, RSRC_CONF,
                  "claim that names what is a user's own; None"),
    AP_INIT_TAKE_ARGV(MASTRA_DIR_ROLE, mastra_access_add_role, NULL, RSRC_CONF,
                      "ROLE and the permissions that it gives"),
    AP_INIT_FLAG(MASTRA_DIR_CORS, mastra_cors_set, NULL, ANYWHERE, "Off sends no such headers"),
    AP_INIT_ITERATE(MASTRA_DIR_CORS_ORIGIN, mastra_cors_add, CORS(origins),
                    ANYWHERE, "origins whose pages may read answers, or *"),
    AP_INIT_ITERATE(MASTRA_DIR_CORS_METHODS, mastra_cors_add, CORS(methods), ANYWHERE,
                    "methods they may use"),
    AP_INIT_ITERATE(MASTRA_DIR_CORS_HEADERS, mastra_cors_add, CORS(headers),
                    ANYWHERE, "headers they may send, beside the usual ones"),
    AP_INIT_ITERATE(MASTRA_DIR_CORS_EXPOSE, mastra_cors_add, CORS(expose),
                    ANYWHERE, "headers they may read, beside the usual ones"),
    AP_INIT_FLAG(MASTRA_DIR_CORS_CREDENTIALS, mastra_cors_set_credentials,
                 NULL, ANYWHERE, "whether they may send cookies and the like"),
    AP_INIT_TAKE1(MASTRA_DIR_CORS_MAX_AGE, mastra_cors_set_max_age, NULL,
                  ANYWHERE, "how long browsers may rely on a preflight"),
    MASTRA_ROUTES_COMMANDS,
    MASTRA_PAGES_COMMANDS,
    AP_INIT_RAW_ARGS(MASTRA_DIR_AGENT, mastra_define_open, NULL, RSRC_CONF,
                     "an agent, as a file of the project would define it"),
    AP_INIT_RAW_ARGS(MASTRA_DIR_TOOL, mastra_define_open, NULL, RSRC_CONF,
                     "a tool, as a file of the project would define it"),
    AP_INIT_RAW_ARGS(MASTRA_DIR_WORKFLOW, mastra_define_open, NULL, RSRC_CONF,
                     "a workflow, as a file of the project would define it"),
    AP_INIT_TAKE1(MASTRA_DIR_NAME, mastra_define_text, "name", RSRC_CONF, "name of the agent"),
    AP_INIT_TAKE1(MASTRA_DIR_DESCRIPTION, mastra_define_description, NULL, RSRC_CONF,
                  "description of the agent, tool or workflow"),
    AP_INIT_TAKE_ARGV(MASTRA_DIR_MODEL, mastra_define_model, NULL, RSRC_CONF,
                      "PROVIDER/MODEL that the agent asks, and others to ask "
                      "in order when it fails"),
    AP_INIT_TAKE1(MASTRA_DIR_INSTRUCTIONS, mastra_define_text, "instructions",
                  RSRC_CONF, "system prompt of the agent"),
    AP_INIT_TAKE_ARGV(MASTRA_DIR_TOOLS, mastra_define_tools, NULL, RSRC_CONF,
                      "ids of the tools that the agent may call"),
    AP_INIT_TAKE_ARGV(MASTRA_DIR_MEMORY, mastra_define_memory, NULL, RSRC_CONF,
                      "On, Off or key=value: what the agent remembers"),
    AP_INIT_TAKE1(MASTRA_DIR_INPUT_SCHEMA, mastra_define_schema, "inputSchema",
                  RSRC_CONF, "JSON Schema of the input"),
    AP_INIT_TAKE1(MASTRA_DIR_OUTPUT_SCHEMA, mastra_define_schema,
                  "outputSchema", RSRC_CONF, "JSON Schema of the output"),
    AP_INIT_TAKE1(MASTRA_DIR_STEP, mastra_define_step, NULL, RSRC_CONF,
                  "an entry of the workflow's graph, as JSON"),
    AP_INIT_TAKE_ARGV(MASTRA_DIR_SCHEDULE, mastra_define_schedule, NULL,
                      RSRC_CONF, "CRON [ZONE] [id=NAME] [input=JSON]: when the "
                      "workflow is run"),
    AP_INIT_TAKE_ARGV(MASTRA_DIR_EXECUTE, mastra_define_execute, NULL, RSRC_CONF,
                      "KIND key=value: what the tool does"),
    AP_INIT_TAKE1("DBDriver", read_db_text, OFFSET(db_driver), RSRC_CONF,
                  "apr_dbd driver of the database"),
    AP_INIT_TAKE1("DBDParams", read_db_text, OFFSET(db_params), RSRC_CONF,
                  "apr_dbd connection parameters of the database"),
    AP_INIT_TAKE1("DBDMax", read_db_max, NULL, RSRC_CONF,
                  "connections of one child"),
    { NULL }
};
