/* The module's record, its hooks in their order, and the start and end of
 * what lives in each child. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include <ap_mpm.h>
#include <ap_provider.h>
#include <http_core.h>
#include <http_main.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>
#include <mpm_common.h>

#include "base/pool.h"
#include "http/custom.h"
#include "http/park.h"
#include "http/request.h"
#include "http/site.h"
#include "mod_mastra_access.h"
#include "mod_mastra_config.h"
#include "mod_mastra_database.h"
#include "mod_mastra_host.h"
#include "mod_mastra_native.h"
#include "net/client.h"
#include "network/network.h"
#include "openapi/openapi.h"

#define HANDLER "mastra"
#define MAX_QUEUED_JOBS 1024
#define SECRET_BYTES 32
/* what code of other modules has to come back when a child ends */
#define NATIVE_LIMIT apr_time_from_sec(3)
#define NODE_BYTES 8
#define MAX_STEPS 5
#define BOARD_BYTES (256 * 1024)
/* runs that belong to no connection have so long when httpd is in a hurry */
#define STOP_AT_ONCE apr_time_from_msec(200)

/* --- log ------------------------------------------------------------------- */

static int log_enabled(mastra_log_level_e level)
{
    return APLOG_MODULE_IS_LEVEL(ap_server_conf, APLOG_MODULE_INDEX,
                                 (int)level);
}

static void log_write(mastra_log_level_e level, apr_status_t rv,
                      const char *file, int line, const char *text)
{
    ap_log_error(file, line, APLOG_MODULE_INDEX, (int)level, rv,
                 ap_server_conf, "%s", text);
}

/* --- configuration --------------------------------------------------------- */

static mastra_shared_t *shared_of_server(void)
{
    return ap_server_conf ? mastra_config_of(ap_server_conf)->shared : NULL;
}

/* One value from the server's start to its end: children of before a graceful
 * restart and those after it call each other. */
static const char *server_secret(void)
{
    const char *key = "mod_mastra-secret";
    char *secret = ap_retained_data_get(key);

    if (!secret) {
        secret = ap_retained_data_create(key, 2 * SECRET_BYTES + 1);
        mastra_text_random_hex(secret, SECRET_BYTES);
    }
    return secret;
}

/* From the server's start to its end, too. A failure leaves it out. */
static mastra_board_t *server_board(server_rec *s)
{
    const char *key = "mod_mastra-board";
    mastra_board_t **pboard = ap_retained_data_get(key);
    apr_status_t rv;

    if (!pboard) {
        pboard = ap_retained_data_create(key, sizeof(*pboard));
        rv = mastra_board_make(pboard, BOARD_BYTES, s->process->pool);
        if (rv != APR_SUCCESS) {
            *pboard = NULL;
            ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s, MASTRA_ID(636)
                         "there is no shared memory: models of agents cannot "
                         "be changed at run time");
        }
    }
    return *pboard;
}

/* What this server's children know each other by. */
static const char *server_node(void)
{
    const char *key = "mod_mastra-node";
    char *node = ap_retained_data_get(key);

    if (!node) {
        node = ap_retained_data_create(key, 2 * NODE_BYTES + 1);
        mastra_text_random_hex(node, NODE_BYTES);
    }
    return node;
}

static mastra_shared_t *make_shared(const mastra_server_conf_t *conf,
                                    mastra_faults_t *faults, apr_pool_t *pool)
{
    static const mastra_route_t *const tables[] = {
        mastra_api_models, mastra_api_agents, mastra_api_agents_gone,
        mastra_api_enhance, mastra_api_approvals, mastra_api_networks,
        mastra_api_channel,
        mastra_api_tools, mastra_api_memory_threads,
        mastra_api_memory_messages, mastra_api_memory_working,
        mastra_api_memory_copy, mastra_api_memory_search, mastra_api_auth,
        mastra_api_workflows, mastra_api_workflow_runs,
        mastra_api_workflow_stored, mastra_api_schedules,
        mastra_api_background_tasks,
        mastra_api_system, mastra_api_lists, mastra_openapi_routes, NULL
    };
    mastra_shared_t *shared = apr_pcalloc(pool, sizeof(*shared));
    mastra_router_t *router = NULL;
    const char *wrong = mastra_router_make(&router, tables, pool);

    if (wrong) {
        mastra_faults_add(faults, "%s", wrong);
    }
    shared->router = router;
    shared->hosts = apr_array_make(pool, 2, sizeof(mastra_host_t *));
    shared->databases = apr_array_make(pool, 2, sizeof(mastra_database_t *));
    shared->tls = apr_array_make(pool, 2, sizeof(const server_rec *));
    shared->secret = server_secret();
    shared->runtime_dir = mastra_config_runtime_dir(conf, pool);
    shared->bus_dir = apr_pstrcat(pool, shared->runtime_dir, "/bus", NULL);
    shared->node = server_node();
    shared->stop_limit = mastra_config_stop_limit(conf);
    shared->job_threads = mastra_config_job_threads(conf);
    return shared;
}

static int report(const mastra_faults_t *faults, server_rec *s)
{
    int i;

    for (i = 0; i < faults->texts->nelts; i++) {
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, s,
                     MASTRA_ID(630) "%s",
                     APR_ARRAY_IDX(faults->texts, i, const char *));
    }
    if (faults->more) {
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, s,
                     MASTRA_ID(631) "and %d more faults", faults->more);
    }
    return faults->texts->nelts ? DONE : OK;
}

/* All that can be wrong is found here: a check of the configuration runs no
 * later hook. */
static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                        server_rec *s)
{
    mastra_faults_t *faults = mastra_faults_make(pconf);
    mastra_server_conf_t *conf = mastra_config_of(s);
    mastra_shared_t *shared = NULL;
    server_rec *each;

    mastra_log_set(log_enabled, log_write);
    for (each = s; each; each = each->next) {
        conf = mastra_config_of(each);
        if (!mastra_config_engine(conf)) {
            continue;
        }
        if (!shared) {
            shared = make_shared(mastra_config_of(s), faults, pconf);
        }
        conf->host = mastra_host_make(each, conf, shared, faults, pconf);
        APR_ARRAY_PUSH(shared->hosts, mastra_host_t *) = conf->host;
    }
    for (each = s; each; each = each->next) {
        mastra_config_of(each)->shared = shared;
    }
    return report(faults, s);
}

static int is_first_pass(void)
{
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                       server_rec *s)
{
    mastra_shared_t *shared = mastra_config_of(s)->shared;
    int i;

    /* httpd reads its configuration twice before it starts */
    if (!shared || is_first_pass()) {
        return OK;
    }
    if (mastra_client_global_init() != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, MASTRA_ID(632)
                     "the HTTP client library cannot be set up");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!mastra_directory_make(shared->runtime_dir, s, ptemp)
        || !mastra_directory_make(shared->bus_dir, s, ptemp)) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!mastra_database_migrate(shared, s, pconf, ptemp)
        || mastra_park_post_config(pconf, s) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    shared->board = server_board(s);
    for (i = 0; i < shared->hosts->nelts; i++) {
        mastra_host_t *host = APR_ARRAY_IDX(shared->hosts, i, mastra_host_t *);

        if (!host->tool_env.self_url) {
            host->tool_env.self_url = mastra_host_self_url(host, shared,
                                                           pconf);
        }
        host->tool_env.self_host = mastra_host_self_header(
            host, host->tool_env.self_url, pconf);
        mastra_host_announce(host, ptemp);
        mastra_access_announce(host);
        if (host->custom) {
            mastra_router_log(host->custom);
        }
    }
    mastra_router_log(shared->router);
    return OK;
}

/* --- a child's life -------------------------------------------------------- */

/* A thread is still in code of another module, which must not be unmapped
 * under it: what comes before that is over when this is called. */
static void leave_mapped(int status, void *baton)
{
    _exit(status);
}

/* In the order in which work may still arise: runs that are cut store what they
 * have; jobs and SQL report to the loop, so it goes last. */
static apr_status_t stop_child(void *baton)
{
    mastra_shared_t *shared = baton;
    int i, left;

    if (shared->native) {
        mastra_native_stop(shared->native);
    }
    mastra_stream_wait(shared->graceful ? shared->stop_limit : 0);
    mastra_park_end();
    for (i = 0; i < shared->hosts->nelts; i++) {
        mastra_schedules_stop(&APR_ARRAY_IDX(shared->hosts, i,
                                             mastra_host_t *)->schedule_env);
    }
    for (i = 0; i < shared->hosts->nelts; i++) {
        mastra_workflows_stop(&APR_ARRAY_IDX(shared->hosts, i,
                                             mastra_host_t *)->workflow_env,
                              shared->graceful ? shared->stop_limit
                                               : STOP_AT_ONCE);
    }
    if (shared->hub) {
        mastra_hub_stop(shared->hub, shared->graceful ? shared->stop_limit
                                                      : STOP_AT_ONCE);
    }
    left = shared->jobs ? mastra_jobs_stop(shared->jobs, NATIVE_LIMIT) : 0;
    if (left) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, ap_server_conf, MASTRA_ID(651)
                     "this child ends although %d calls of code of other "
                     "modules have not returned", left);
        on_exit(leave_mapped, NULL);
    }
    for (i = 0; i < shared->databases->nelts; i++) {
        mastra_database_t *database = APR_ARRAY_IDX(shared->databases, i,
                                                    mastra_database_t *);

        if (database->store) {
            mastra_store_close(database->store);
        }
    }
    /* all of the above may leave large values behind */
    mastra_jobs_stop_large(shared->large);
    mastra_loop_stop(shared->loop);
    return APR_SUCCESS;
}

static int threads_per_child(void)
{
    int n = 0;

    ap_mpm_query(AP_MPMQ_MAX_THREADS, &n);
    return n > 1 ? n : 1;
}

static void start_host(mastra_host_t *host, const mastra_shared_t *shared,
                       const struct mastra_hooks_t *hooks, apr_pool_t *pool)
{
    int workers = threads_per_child();

    host->jobs = shared->jobs;
    host->large = shared->large;
    host->store = mastra_database_of(shared, host)->store;
    host->tool_env.loop = shared->loop;
    host->tool_env.jobs = shared->jobs;
    host->tool_env.large = shared->large;
    host->tool_env.store = host->store;
    host->tool_env.guard = host->guard;
    host->tool_env.self_secret = shared->secret;
    host->tool_env.max_self_calls = workers > 1 ? workers / 2 : 1;
    host->agent_env.host = host->server->server_hostname
                               ? host->server->server_hostname : "_default_";
    host->agent_env.loop = shared->loop;
    host->agent_env.store = host->store;
    host->agent_env.recalled = mastra_database_of(shared, host)->recalled;
    host->agent_env.tools = &host->tool_env;
    host->agent_env.agents = host->agents;
    host->agent_env.models = host->models;
    if (shared->board
        && mastra_agent_overrides_make(&host->agent_env.overrides,
                                       shared->board, pool) != APR_SUCCESS) {
        host->agent_env.overrides = NULL;
    }
    host->tool_env.agents = &host->agent_env;
    host->agent_env.timeout = host->timeout;
    host->agent_env.lease = host->run_lease;
    host->agent_env.history = host->event_history;
    host->agent_env.max_steps = MAX_STEPS;
    host->hooks = hooks;
    mastra_hub_add(shared->hub, &host->agent_env);
    host->workflow_env.host = host->agent_env.host;
    host->workflow_env.loop = shared->loop;
    host->workflow_env.store = host->store;
    host->workflow_env.tools = &host->tool_env;
    host->workflow_env.agents = &host->agent_env;
    host->workflow_env.workflows = host->workflows;
    host->workflow_env.all_tools = host->tools;
    host->workflow_env.hub = shared->hub;
    host->workflow_env.lease = host->run_lease;
    host->workflow_env.run_size = host->run_size;
    host->workflow_env.history = host->event_history;
    host->workflow_env.timeout = host->timeout;
    host->tool_env.workflows = &host->workflow_env;
    host->schedule_env.host = host->agent_env.host;
    host->schedule_env.loop = shared->loop;
    host->schedule_env.jobs = shared->jobs;
    host->schedule_env.store = host->store;
    host->schedule_env.workflows = &host->workflow_env;
    host->schedule_env.schedules = host->schedules;
    host->schedule_env.history = host->schedule_history;
    /* last: requests are refused without it */
    host->loop = shared->loop;
}

/* Children can do without it: they find each other's work in storage then. */
static mastra_bus_t *open_bus(const mastra_shared_t *shared, server_rec *s,
                              apr_pool_t *pool)
{
    mastra_bus_t *bus = NULL;
    apr_status_t rv = mastra_bus_open(&bus, shared->loop, shared->bus_dir,
                                      shared->node, pool);

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s, MASTRA_ID(635)
                     "no socket in %s: what happens in one child is seen late "
                     "in others", shared->bus_dir);
        return NULL;
    }
    return bus;
}

static void start_services(mastra_shared_t *shared, apr_pool_t *pool,
                           server_rec *s)
{
    const struct mastra_hooks_t *hooks;
    apr_status_t rv;
    int i;

    rv = mastra_pool_share();
    if (rv == APR_SUCCESS) {
        rv = mastra_loop_start(&shared->loop, NULL, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_jobs_start(&shared->jobs, shared->loop,
                               shared->job_threads, MAX_QUEUED_JOBS, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_jobs_start_large(&shared->large, shared->loop, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_database_open_all(shared, pool);
    }
    for (i = 0; i < shared->hosts->nelts && rv == APR_SUCCESS; i++) {
        rv = mastra_auth_child_init(&APR_ARRAY_IDX(shared->hosts, i,
                                                   mastra_host_t *)->auth,
                                    shared->loop, pool);
    }
    if (rv == APR_SUCCESS) {
        shared->hub = mastra_hub_make(shared->loop,
                                      open_bus(shared, s, pool));
        /* after the cleanups of all these, to be called before them: runs that
         * are stopped still store what they have said */
        apr_pool_pre_cleanup_register(pool, shared, stop_child);
        rv = mastra_park_child_init(pool, s, shared->loop,
                                    shared->stop_limit);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s, MASTRA_ID(633)
                     "this child cannot serve agents: its threads did not "
                     "start");
        return;
    }
    hooks = mastra_native_hooks(pool);
    /* before those whose client is here hear of it */
    mastra_park_on_limit(mastra_hub_leave, shared->hub);
    mastra_park_on_limit(mastra_stream_close, NULL);
    for (i = 0; i < shared->hosts->nelts; i++) {
        mastra_routes_child_init(APR_ARRAY_IDX(shared->hosts, i,
                                               mastra_host_t *), pool);
        start_host(APR_ARRAY_IDX(shared->hosts, i, mastra_host_t *), shared,
                   hooks, pool);
    }
    shared->native = mastra_native_start(shared->loop, shared->jobs, pool);
    for (i = 0; i < shared->hosts->nelts; i++) {
        mastra_workflows_start(&APR_ARRAY_IDX(shared->hosts, i,
                                              mastra_host_t *)->workflow_env);
    }
    mastra_network_start(shared->hub, pool);
    mastra_hub_start(shared->hub);
    for (i = 0; i < shared->hosts->nelts; i++) {
        mastra_schedules_start(&APR_ARRAY_IDX(shared->hosts, i,
                                              mastra_host_t *)->schedule_env,
                               pool);
    }
}

/* Until the MPM has handlers of its own, a signal to end makes the child leave
 * inside of the handler: it must not meet what is half made. */
static void start_child(apr_pool_t *pool, server_rec *s)
{
    mastra_shared_t *shared = shared_of_server();
    sigset_t ends, before;

    if (!shared) {
        return;
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, &before);
    start_services(shared, pool, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* 1: inside the handler of a signal that ends the process. */
static int is_signalled(void)
{
    sigset_t blocked;

    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    return sigismember(&blocked, SIGTERM) || sigismember(&blocked, SIGHUP);
}

/* Without threads the MPM always says that it stops at once: but it takes time
 * for that when it leaves its loop, and comes from a signal only else. */
static void note_stop(apr_pool_t *pool, int graceful)
{
    mastra_shared_t *shared = shared_of_server();
    int is_threaded = 0;

    if (!shared) {
        return;
    }
    ap_mpm_query(AP_MPMQ_IS_THREADED, &is_threaded);
    shared->graceful = graceful || (!is_threaded && !is_signalled());
}

/* --- requests -------------------------------------------------------------- */

static int read_request(request_rec *r)
{
    const mastra_server_conf_t *conf = mastra_config_of(r->server);
    const mastra_mark_t *mark;

    if (!conf->shared) {
        return DECLINED;
    }
    if (r->prev) {
        /* its headers are those of a request that was taken in before */
        mastra_forward_tell(r);
        return DECLINED;
    }
    mastra_request_intake(r, conf->shared->secret);
    if (conf->host && mastra_path_below(r->uri, conf->host->prefix)) {
        /* on what httpd itself answers below the prefix, too */
        mastra_cors_headers(&conf->host->cors, r);
        mastra_request_id(r);
        return DECLINED;
    }
    mark = mastra_request_marked(r);
    return mark && mark->depth > MASTRA_MAX_DEPTH ? HTTP_LOOP_DETECTED
                                                  : DECLINED;
}

/* Before httpd asks who may: its refusals are for the same pages as the rest
 * of a path that has words of its own about other origins. */
static int know_path(request_rec *r)
{
    const mastra_host_t *host = mastra_config_of(r->server)->host;

    if (host && mastra_path_below(r->uri, host->prefix)) {
        mastra_cors_headers(mastra_cors_of(host, r), r);
    }
    return DECLINED;
}

static int before_decoding(request_rec *r)
{
    const mastra_host_t *host = mastra_config_of(r->server)->host;

    if (host) {
        mastra_request_keep_slashes(r, host->prefix);
    }
    return DECLINED;
}

static void claim(request_rec *r)
{
    mastra_request_mark(r)->claimed = 1;
    r->handler = HANDLER;
}

static int is_claimed(const request_rec *r)
{
    const mastra_mark_t *mark = mastra_request_marked(r);

    return mark && mark->claimed;
}

/* What lies below the prefix is ours, whatever files there are. */
static int translate(request_rec *r)
{
    const mastra_host_t *host = mastra_config_of(r->server)->host;

    if (!host || !mastra_config_host(r)) {
        return DECLINED;
    }
    if (mastra_pages_claim_probe(host, r)) {
        mastra_request_mark(r)->claimed = 1;
    }
    else if (mastra_path_below(r->uri, host->prefix)) {
        claim(r);
    }
    else {
        return DECLINED;
    }
    r->filename = apr_pstrcat(r->pool, "mastra:", r->uri, NULL);
    return OK;
}

static int skip_files(request_rec *r)
{
    return is_claimed(r) ? OK : DECLINED;
}

static int is_outside(const mastra_server_conf_t *conf, request_rec *r)
{
    const mastra_host_t *host = conf->host;

    return mastra_router_is_outside(conf->shared->router, r, host->prefix)
           || (host->custom && mastra_router_is_outside(host->custom, r,
                                                        host->prefix));
}

/* A path such as /health is ours only where nothing else is. */
static int claim_outside(request_rec *r)
{
    const mastra_server_conf_t *conf = mastra_config_of(r->server);

    if (!conf->host || is_claimed(r) || !mastra_site_is_free(r)
        || !mastra_config_host(r)) {
        return DECLINED;
    }
    if (is_outside(conf, r) && !mastra_pages_is_off(conf->host, r)) {
        claim(r);
        return OK;
    }
    return mastra_pages_claim(conf->host, r) ? OK : DECLINED;
}

static int handle(request_rec *r)
{
    const mastra_server_conf_t *conf = mastra_config_of(r->server);
    int rc = conf->host ? mastra_pages_handle(conf->host, r) : DECLINED;

    if (rc != DECLINED || !is_claimed(r)) {
        return rc;
    }
    return mastra_router_handle(conf->shared->router, conf->host, r);
}

static int log_request(request_rec *r)
{
    const mastra_server_conf_t *conf = mastra_config_of(r->server);

    if (conf->host) {
        mastra_request_log(conf->host, r);
    }
    return DECLINED;
}

/* --- Require mastra-internal ----------------------------------------------- */

static authz_status check_internal(request_rec *r, const char *line,
                                   const void *parsed)
{
    const mastra_mark_t *mark = mastra_request_origin(r);

    /* the server's own question about a request is a sub-request of it, and the
     * target of a route is redirected to */
    return mark && (mark->internal || (r->main && mark->asking)
                    || (r->prev && mark->forward))
           ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

static const char *parse_internal(cmd_parms *cmd, const char *line,
                                  const void **parsed)
{
    return *line ? "Require mastra-internal takes no argument" : NULL;
}

static const authz_provider internal_provider = {
    check_internal, parse_internal
};

/* --- hooks ----------------------------------------------------------------- */

static void register_hooks(apr_pool_t *pool)
{
    /* rewriting is the administrator's word and comes first; files, aliases
     * and proxies do not take the prefix away */
    static const char *const rewrite[] = { "mod_rewrite.c", NULL };
    static const char *const places[] = { "mod_proxy.c", "mod_alias.c",
                                          "mod_userdir.c",
                                          "mod_vhost_alias.c", NULL };
    /* it tells which servers have TLS */
    static const char *const tls[] = { "mod_ssl.c", NULL };
    /* a fallback resource is something that is there */
    static const char *const fallback[] = { "mod_dir.c", NULL };

    mastra_client_keep_loaded();
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    mastra_host_register_hooks();
    ap_hook_post_config(post_config, tls, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(start_child, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(note_stop, NULL, NULL, APR_HOOK_MIDDLE);
    mastra_park_register_hooks(pool);

    /* before others look at headers */
    ap_hook_post_read_request(read_request, NULL, NULL,
                              APR_HOOK_REALLY_FIRST);
    ap_hook_header_parser(know_path, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_translate_name(before_decoding, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_translate_name(translate, rewrite, places, APR_HOOK_FIRST);
    ap_hook_map_to_storage(skip_files, NULL, NULL, APR_HOOK_FIRST);
    /* no type by the name's ending: it could bring another handler */
    ap_hook_type_checker(skip_files, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_fixups(claim_outside, fallback, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_FIRST);

    ap_hook_log_transaction(log_request, NULL, NULL, APR_HOOK_MIDDLE);

    mastra_native_register(pool);
    mastra_forward_register_hooks();
    mastra_access_register_hooks(pool);
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "mastra-internal",
                              AUTHZ_PROVIDER_VERSION, &internal_provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}

module AP_MODULE_DECLARE_DATA mastra_module = {
    STANDARD20_MODULE_STUFF,
    mastra_config_create_dir,
    mastra_config_merge_dir,
    mastra_config_create_server,
    mastra_config_merge_server,
    mastra_commands,
    register_hooks
};
