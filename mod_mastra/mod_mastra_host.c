/* Makes a virtual host's registries from its directives and files. */
#include <string.h>

#include <apr_network_io.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include <ap_listen.h>
#include <http_main.h>
#include <http_ssl.h>

#include "mod_mastra_database.h"
#include "mod_mastra_form.h"
#include "mod_mastra_host.h"
#include "mod_mastra_native.h"
#include "mod_mastra_place.h"

/* --- models and addresses -------------------------------------------------- */

static const char *const *headers_of(const mastra_provider_conf_t *conf,
                                     apr_pool_t *pool)
{
    apr_array_header_t *headers;

    if (!conf->headers->nelts) {
        return NULL;
    }
    headers = apr_array_copy(pool, conf->headers);
    APR_ARRAY_PUSH(headers, const char *) = NULL;
    return (const char *const *)headers->elts;
}

static void add_models(mastra_host_t *host, const mastra_server_conf_t *conf,
                       const mastra_shared_t *shared, mastra_faults_t *faults,
                       apr_pool_t *pool)
{
    apr_interval_time_t silence = mastra_config_stream_timeout(conf);
    const char *wrong;
    int i;

    host->models = mastra_models_make(pool);
    mastra_native_models(host->models, host->server, &shared->jobs, pool);
    for (i = 0; i < conf->providers->nelts; i++) {
        const mastra_provider_conf_t *provider =
            APR_ARRAY_IDX(conf->providers, i, mastra_provider_conf_t *);

        wrong = mastra_models_add(host->models, provider->id, provider->kind,
                                  provider->url, provider->key_env,
                                  headers_of(provider, pool),
                                  provider->timeout ? provider->timeout
                                                    : silence,
                                  provider->retries);
        if (wrong) {
            mastra_place_fault(faults, host->server, MASTRA_DIR_PROVIDER,
                               provider->id, wrong);
        }
    }
    mastra_models_add_defaults(host->models, silence);
}

static void add_guard(mastra_host_t *host, const mastra_server_conf_t *conf,
                      apr_pool_t *pool)
{
    int i;

    host->guard = mastra_guard_make(pool);
    for (i = 0; i < conf->outbound->nelts; i++) {
        mastra_guard_allow(host->guard,
                           APR_ARRAY_IDX(conf->outbound, i, const char *));
    }
}

/* --- definitions ----------------------------------------------------------- */

/* Containers of an outer server are shared by hosts: each host has a copy. */
static mastra_json_t *json_of(const mastra_document_t *document,
                              apr_pool_t *pool)
{
    return document->lines
           ? mastra_json_own(mastra_json_copy(document->json), pool)
           : document->json;
}

/* What is done with a document: NULL, or what is wrong with it. */
typedef const mastra_result_t *(pass_t)(mastra_host_t *host,
                                        const mastra_document_t *document,
                                        apr_pool_t *pool);

static const mastra_result_t *add_tool(mastra_host_t *host,
                                       const mastra_document_t *document,
                                       apr_pool_t *pool)
{
    return mastra_tools_add(host->tools, document->key,
                            json_of(document, pool));
}

static const mastra_result_t *add_agent(mastra_host_t *host,
                                        const mastra_document_t *document,
                                        apr_pool_t *pool)
{
    return mastra_agents_add(host->agents, document->key,
                             json_of(document, pool), host->models,
                             host->tools);
}

static const mastra_result_t *add_workflow(mastra_host_t *host,
                                           const mastra_document_t *document,
                                           apr_pool_t *pool)
{
    return mastra_workflows_add(host->workflows, document->key,
                                json_of(document, pool));
}

static const mastra_result_t *link_workflow(mastra_host_t *host,
                                            const mastra_document_t *document,
                                            apr_pool_t *pool)
{
    return mastra_workflows_link(host->workflows, document->key, host->tools,
                                 host->agents);
}

static const mastra_result_t *check_tool(mastra_host_t *host,
                                         const mastra_document_t *document,
                                         apr_pool_t *pool)
{
    const mastra_tool_t *tool = mastra_tools_find(host->tools, document->key);
    const mastra_result_t *wrong = NULL;

    if (tool) {
        wrong = mastra_agents_check_tool(host->agents, tool, pool);
    }
    return !tool || wrong ? wrong
           : mastra_workflows_check_tool(host->workflows, tool, pool);
}

static mastra_json_t *show_workflow(void *baton, const char *name)
{
    const mastra_host_t *host = baton;
    const mastra_workflow_t *workflow = mastra_workflows_find(host->workflows,
                                                              name);

    return workflow ? workflow->describe : NULL;
}

static const mastra_result_t *link_agent(mastra_host_t *host,
                                         const mastra_document_t *document,
                                         apr_pool_t *pool)
{
    return mastra_agents_link(host->agents, document->key, host->models,
                              host->tools, show_workflow, host);
}

static const mastra_result_t *add_own_schedule(mastra_host_t *host,
                                               const mastra_document_t *document,
                                               apr_pool_t *pool)
{
    const mastra_json_t *own = mastra_json_get(document->json, "schedule");
    const char *id = mastra_json_get_str(document->json, "id");

    return own ? mastra_schedules_add_workflow(
                     host->schedules, id && *id ? id : document->key, own)
               : NULL;
}

static const mastra_result_t *add_schedule(mastra_host_t *host,
                                           const mastra_document_t *document,
                                           apr_pool_t *pool)
{
    return mastra_schedules_add(host->schedules, document->key,
                                json_of(document, pool), host->workflows,
                                host->agents);
}

/* In this order: agents name tools, workflows both and each other, tools may be
 * agents or workflows, agents name agents and workflows, schedules what they
 * start. */
static const struct {
    mastra_document_e kind;
    pass_t *pass;
} passes[] = {
    { MASTRA_DOCUMENT_TOOL, add_tool },
    { MASTRA_DOCUMENT_AGENT, add_agent },
    { MASTRA_DOCUMENT_WORKFLOW, add_workflow },
    { MASTRA_DOCUMENT_WORKFLOW, link_workflow },
    { MASTRA_DOCUMENT_TOOL, check_tool },
    { MASTRA_DOCUMENT_AGENT, link_agent },
    { MASTRA_DOCUMENT_WORKFLOW, add_own_schedule },
    { MASTRA_DOCUMENT_SCHEDULE, add_schedule }
};

static void add_documents(mastra_host_t *host,
                          const apr_array_header_t *documents,
                          mastra_faults_t *faults, apr_pool_t *pool)
{
    const mastra_forms_t *forms = mastra_forms_make(pool);
    apr_size_t pass;
    int i;

    for (i = 0; i < documents->nelts; i++) {
        mastra_form_check(forms, APR_ARRAY_IDX(documents, i,
                                               const mastra_document_t *),
                          faults, pool);
    }
    for (pass = 0; pass < sizeof(passes) / sizeof(passes[0]); pass++) {
        for (i = 0; i < documents->nelts; i++) {
            const mastra_document_t *document =
                APR_ARRAY_IDX(documents, i, const mastra_document_t *);
            const mastra_result_t *wrong =
                document->kind == passes[pass].kind
                ? passes[pass].pass(host, document, pool) : NULL;

            if (wrong) {
                mastra_project_fault(faults, document, wrong, pool);
            }
        }
    }
}

/* --- the host -------------------------------------------------------------- */

mastra_host_t *mastra_host_make(server_rec *s, mastra_server_conf_t *conf,
                                mastra_shared_t *shared,
                                mastra_faults_t *faults, apr_pool_t *pool)
{
    mastra_host_t *host = apr_pcalloc(pool, sizeof(*host));
    apr_array_header_t *documents;

    host->server = s;
    host->prefix = mastra_config_prefix(conf);
    host->development = mastra_config_development(conf);
    host->body_limit = mastra_config_body_limit(conf);
    host->timeout = mastra_config_timeout(conf);
    host->agent_env.reveal = !mastra_config_redact(conf);
    host->run_size = mastra_config_run_size(conf);
    host->run_lease = mastra_config_run_lease(conf);
    host->event_history = mastra_config_event_history(conf);
    host->schedule_history = mastra_config_schedule_history(conf);
    host->project = conf->project;
    host->tool_env.self_url = conf->self_url;
    mastra_access_fill(host, &conf->access, faults, pool);

    add_models(host, conf, shared, faults, pool);
    add_guard(host, conf, pool);
    documents = apr_array_copy(pool, conf->documents);
    if (conf->project) {
        if (!mastra_project_read(documents, conf->project, faults, pool)) {
            mastra_place_fault(faults, s, MASTRA_DIR_PROJECT, NULL,
                               apr_pstrcat(pool, conf->project, " is no "
                                           "directory that can be read",
                                           NULL));
        }
    }
    host->tools = mastra_tools_make(pool);
    mastra_tools_add_kind(host->tools, mastra_native_tools(s, pool));
    mastra_tools_add_kind(host->tools, &mastra_tool_agent);
    mastra_tools_add_kind(host->tools, &mastra_tool_workflow);
    host->agents = mastra_agents_make(pool);
    host->workflows = mastra_workflows_make(pool);
    host->schedules = mastra_schedules_make(pool);
    add_documents(host, documents, faults, pool);
    mastra_routes_fill(host, &conf->custom, faults, pool);
    mastra_database_choose(host, conf, shared, faults, pool);
    mastra_pages_fill(host, &conf->pages, shared->router, shared->node, faults,
                      pool);
    return host;
}

/* --- its own address ------------------------------------------------------- */

static int serves_port(const server_rec *s, apr_port_t port)
{
    const server_addr_rec *addr;

    if (!s->is_virtual) {
        return 1;
    }
    for (addr = s->addrs; addr; addr = addr->next) {
        if (addr->host_port == 0 || addr->host_port == port) {
            return 1;
        }
    }
    return 0;
}

/* A TLS module asks every server that has TLS; a Listen says so only where it
 * has been told, or on port 443. */
static int note_tls(server_rec *s, apr_pool_t *pool,
                    apr_array_header_t *cert_files,
                    apr_array_header_t *key_files)
{
    mastra_shared_t *shared = ap_server_conf
        ? mastra_config_of(ap_server_conf)->shared : NULL;

    if (shared) {
        APR_ARRAY_PUSH(shared->tls, const server_rec *) = s;
    }
    return DECLINED;
}

void mastra_host_register_hooks(void)
{
    ap_hook_ssl_add_cert_files(note_tls, NULL, NULL, APR_HOOK_MIDDLE);
}

/* Whether TLS is spoken at port to who asks for server. */
static int has_tls(const mastra_shared_t *shared, const server_rec *server,
                   apr_port_t port)
{
    const server_addr_rec *addr;
    int i;

    for (i = 0; i < shared->tls->nelts; i++) {
        const server_rec *s = APR_ARRAY_IDX(shared->tls, i,
                                            const server_rec *);

        if (s == server) {
            return 1;
        }
        for (addr = s->is_virtual ? s->addrs : NULL; addr; addr = addr->next) {
            if (addr->host_port == port) {
                return 1;
            }
        }
    }
    return 0;
}

/* 2: over loopback, 1: over an address of the machine. */
static int reach(char **phost, const apr_sockaddr_t *addr, apr_pool_t *pool)
{
    char *ip;

    if (apr_sockaddr_ip_get(&ip, (apr_sockaddr_t *)addr) != APR_SUCCESS) {
        return 0;
    }
    if (apr_sockaddr_is_wildcard(addr)) {
        *phost = addr->family == APR_INET ? "127.0.0.1" : "[::1]";
        return 2;
    }
    *phost = addr->family == APR_INET ? apr_pstrdup(pool, ip)
                                      : apr_pstrcat(pool, "[", ip, "]", NULL);
    return !strncmp(ip, "127.", 4) || !strcmp(ip, "::1") ? 2 : 1;
}

const char *mastra_host_self_url(const mastra_host_t *host,
                                 const mastra_shared_t *shared,
                                 apr_pool_t *pool)
{
    const ap_listen_rec *listener;
    const char *url = NULL;
    int best = 0;

    for (listener = ap_listeners; listener; listener = listener->next) {
        const apr_sockaddr_t *addr = listener->bind_addr;
        char *name = NULL;
        int how;

        if ((listener->protocol && strcmp(listener->protocol, "http"))
            || !serves_port(host->server, addr->port)
            || has_tls(shared, host->server, addr->port)) {
            continue;
        }
        how = reach(&name, addr, pool);
        if (how > best) {
            best = how;
            url = apr_psprintf(pool, "http://%s:%u", name, addr->port);
        }
    }
    return url;
}

const char *mastra_host_self_header(const mastra_host_t *host,
                                    const char *url, apr_pool_t *pool)
{
    const server_rec *s = host->server;
    apr_uri_t uri;
    apr_ipsubnet_t *address;

    if (!url || !s->is_virtual || !s->server_hostname
        || apr_uri_parse(pool, url, &uri) != APR_SUCCESS || !uri.hostname
        || apr_ipsubnet_create(&address, uri.hostname, NULL, pool)
               != APR_SUCCESS) {
        return NULL;
    }
    return apr_pstrcat(pool, "Host: ", s->server_hostname,
                       uri.port_str ? ":" : "",
                       uri.port_str ? uri.port_str : "", NULL);
}

static int calls_itself(const mastra_host_t *host)
{
    int i;

    for (i = 0; i < mastra_tools_count(host->tools); i++) {
        if (mastra_tools_at(host->tools, i)->kind == &mastra_tool_uri) {
            return 1;
        }
    }
    return 0;
}

static const char *where(const server_rec *s, apr_pool_t *pool)
{
    const char *name = s->server_hostname ? s->server_hostname : "*";
    apr_port_t port = s->addrs && s->is_virtual ? s->addrs->host_port : s->port;

    return port ? apr_psprintf(pool, "%s:%u", name, port) : name;
}

void mastra_host_announce(const mastra_host_t *host, apr_pool_t *pool)
{
    const server_rec *s = host->server;
    const char *self = host->tool_env.self_url;

    ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                 "%s%s serves %d agents, %d tools and %d workflows, database "
                 "%s, itself at %s", where(s, pool), host->prefix,
                 mastra_agents_count(host->agents),
                 mastra_tools_count(host->tools),
                 mastra_workflows_count(host->workflows),
                 host->store_conf.driver,
                 self ? self : "no address");
    if (!self && calls_itself(host)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, MASTRA_ID(634)
                     "tools of kind uri cannot be called on %s: it has no "
                     "Listen without TLS, and no " MASTRA_DIR_SELF_URL,
                     where(s, pool));
    }
}
