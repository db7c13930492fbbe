/* Directives about callers and about pages of other origins, and where they
 * meet httpd's own authentication and authorization. */
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include <ap_provider.h>
#include <http_core.h>
#include <http_request.h>
#include <mod_auth.h>

#include "http/request.h"
#include "mod_mastra_access.h"
#include "mod_mastra_config.h"
#include "mod_mastra_native.h"
#include "mod_mastra_place.h"

#define AUTH_TYPE "mastra"

/* --- create and merge ------------------------------------------------------ */

void mastra_access_create(mastra_access_conf_t *conf)
{
    mastra_cors_create(&conf->cors);
}

#define SET_OR_BASE(member) \
    conf->member = add->member ? add->member : base->member

void mastra_access_merge(mastra_access_conf_t *conf,
                         const mastra_access_conf_t *base,
                         const mastra_access_conf_t *add)
{
    SET_OR_BASE(providers);
    SET_OR_BASE(shielded);
    SET_OR_BASE(open);
    SET_OR_BASE(roles);
    SET_OR_BASE(owner);
    mastra_cors_merge(&conf->cors, &base->cors, &add->cors);
}

/* --- callers --------------------------------------------------------------- */

static mastra_access_conf_t *conf_of(const cmd_parms *cmd)
{
    return &mastra_config_of(cmd->server)->access;
}

static const char *wrong(const cmd_parms *cmd, const char *arg,
                         const char *why)
{
    return apr_pstrcat(cmd->pool, cmd->cmd->name, " ", arg, ": ", why, NULL);
}

const char *mastra_access_add_provider(cmd_parms *cmd, void *dir, int argc,
                                       char *const argv[])
{
    mastra_access_conf_t *conf = conf_of(cmd);
    mastra_auth_provider_t *provider;
    const char *why;

    if (argc < 1) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " takes a provider and "
                           "its options, or None", NULL);
    }
    if (!conf->providers) {
        conf->providers = apr_array_make(cmd->pool, 2, sizeof(void *));
    }
    if (argc == 1 && !strcasecmp(argv[0], "none")) {
        apr_array_clear(conf->providers);
        return NULL;
    }
    why = mastra_auth_provider_make(&provider, argc,
                                    (const char *const *)argv, cmd->pool);
    if (why) {
        return wrong(cmd, argv[0], why);
    }
    APR_ARRAY_PUSH(conf->providers, mastra_auth_provider_t *) = provider;
    return NULL;
}

const char *mastra_access_add_protected(cmd_parms *cmd, void *dir,
                                        const char *arg)
{
    mastra_access_conf_t *conf = conf_of(cmd);
    ap_regex_t *regex = ap_pregcomp(cmd->pool, arg, AP_REG_NOSUB);

    if (!regex) {
        return wrong(cmd, arg, "this is no regular expression");
    }
    if (!conf->shielded) {
        conf->shielded = apr_array_make(cmd->pool, 2, sizeof(void *));
    }
    APR_ARRAY_PUSH(conf->shielded, ap_regex_t *) = regex;
    return NULL;
}

const char *mastra_access_add_public(cmd_parms *cmd, void *dir,
                                     const char *arg)
{
    mastra_access_conf_t *conf = conf_of(cmd);
    apr_size_t len = strlen(arg);
    const char *star = strchr(arg, '*');

    if (*arg != '/' || (star && star != arg + len - 1)) {
        return wrong(cmd, arg, "a path begins with a slash, and a star can "
                     "only be at its end");
    }
    if (!conf->open) {
        conf->open = apr_array_make(cmd->pool, 2, sizeof(const char *));
    }
    APR_ARRAY_PUSH(conf->open, const char *) = arg;
    return NULL;
}

const char *mastra_access_set_owner(cmd_parms *cmd, void *dir,
                                    const char *arg)
{
    conf_of(cmd)->owner = strcasecmp(arg, "none") ? arg : "";
    return NULL;
}

static mastra_role_t *role_of(mastra_access_conf_t *conf, const char *name,
                              apr_pool_t *pool)
{
    mastra_role_t *role;
    int i;

    if (!conf->roles) {
        conf->roles = apr_array_make(pool, 4, sizeof(mastra_role_t));
    }
    for (i = 0; i < conf->roles->nelts; i++) {
        role = &APR_ARRAY_IDX(conf->roles, i, mastra_role_t);
        if (!strcmp(role->name, name)) {
            return role;
        }
    }
    role = apr_array_push(conf->roles);
    role->name = apr_pstrdup(pool, name);
    role->patterns = apr_array_make(pool, 4, sizeof(const char *));
    return role;
}

const char *mastra_access_add_role(cmd_parms *cmd, void *dir, int argc,
                                   char *const argv[])
{
    mastra_role_t *role;
    int i;

    if (argc < 1) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " takes a role and the "
                           "permissions that it gives", NULL);
    }
    role = role_of(conf_of(cmd), argv[0], cmd->pool);
    for (i = 1; i < argc; i++) {
        if (!mastra_auth_is_pattern(argv[i])) {
            return wrong(cmd, argv[0],
                         apr_pstrcat(cmd->pool, argv[i], " is no permission "
                                     "such as agents:execute, agents:* or *",
                                     NULL));
        }
        APR_ARRAY_PUSH(role->patterns, const char *) =
            apr_pstrdup(cmd->pool, argv[i]);
    }
    return NULL;
}

/* --- into the host --------------------------------------------------------- */

static const char *check_paths(const mastra_host_t *host, apr_pool_t *pool)
{
    int i;

    for (i = 0; mastra_auth_is_on(&host->auth)
                && i < host->auth.providers->nelts; i++) {
        const mastra_auth_provider_t *provider =
            APR_ARRAY_IDX(host->auth.providers, i,
                          const mastra_auth_provider_t *);
        const char *path = mastra_auth_provider_path(provider);

        if (!path || !mastra_path_below(path, host->prefix)) {
            path = mastra_auth_judge_path(provider);
        }
        if (path && mastra_path_below(path, host->prefix)) {
            return apr_psprintf(pool, "%s is below %s, where it would ask "
                                "itself", path, host->prefix);
        }
    }
    return NULL;
}

/* All modules are there by now, whatever their order. */
static const char *find_code(const mastra_host_t *host, apr_pool_t *pool)
{
    return mastra_auth_find_code(&host->auth, mastra_native_auth, host->server,
                                 pool);
}

void mastra_access_fill(mastra_host_t *host, const mastra_access_conf_t *conf,
                        mastra_faults_t *faults, apr_pool_t *pool)
{
    mastra_auth_t *auth = &host->auth;
    const char *why;

    auth->host = host;
    auth->providers = conf->providers;
    auth->shielded = conf->shielded;
    auth->open = conf->open;
    auth->roles = conf->roles;
    auth->owner = conf->owner && *conf->owner ? conf->owner : NULL;
    mastra_cors_fill(host, &conf->cors, pool);
    /* MastraAuth None of a virtual host is a word about all of these */
    if (!conf->providers
        && (auth->owner || auth->roles || auth->shielded)) {
        mastra_place_fault(faults, host->server,
                           auth->owner ? MASTRA_DIR_OWNER
                           : auth->roles ? MASTRA_DIR_ROLE
                                         : MASTRA_DIR_PROTECTED, NULL,
                           "it is about users, whom only a line of "
                           MASTRA_DIR_AUTH " knows");
        return;
    }
    if (host->cors.any && conf->cors.credentials == 1
        && mastra_auth_is_ambient(auth)) {
        mastra_place_fault(faults, host->server, MASTRA_DIR_CORS_CREDENTIALS,
                           "On", "with any origin, every page could act as "
                           "the user whom httpd has authenticated: "
                           MASTRA_DIR_CORS_ORIGIN " must name origins");
        return;
    }
    why = check_paths(host, pool);
    if (!why) {
        why = find_code(host, pool);
    }
    if (why) {
        mastra_place_fault(faults, host->server, MASTRA_DIR_AUTH, NULL, why);
    }
}

void mastra_access_announce(const mastra_host_t *host)
{
    const mastra_auth_t *auth = &host->auth;
    const char *doubt;
    int i;

    for (i = 0; mastra_auth_is_on(auth) && i < auth->providers->nelts; i++) {
        doubt = mastra_auth_provider_doubt(
            APR_ARRAY_IDX(auth->providers, i, const mastra_auth_provider_t *));
        if (doubt) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, host->server,
                         MASTRA_ID(640) "line %d of " MASTRA_DIR_AUTH ": %s",
                         i + 1, doubt);
        }
    }
    if (mastra_auth_is_on(auth) && !auth->owner) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, host->server,
                     "users are told apart, but not what is theirs: without "
                     MASTRA_DIR_OWNER " each of them reaches every thread");
    }
}

/* --- where httpd asks ------------------------------------------------------ */

static const mastra_host_t *host_of(const request_rec *r)
{
    return mastra_config_of(r->server)->host;
}

/* AuthType mastra: whom our providers know is httpd's user, too. */
static int check_authn(request_rec *r)
{
    const char *type = ap_auth_type(r);
    const mastra_identity_t *identity;
    const mastra_host_t *host = host_of(r);
    mastra_auth_e answer;

    if (!type || strcasecmp(type, AUTH_TYPE)) {
        return DECLINED;
    }
    if (!host) {
        return HTTP_UNAUTHORIZED;
    }
    answer = mastra_auth_identify(&identity, &host->auth, r);
    if (answer == MASTRA_AUTH_UNAVAILABLE) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    if (!identity) {
        apr_table_setn(r->err_headers_out, "WWW-Authenticate", "Bearer");
        return HTTP_UNAUTHORIZED;
    }
    r->user = apr_pstrdup(r->pool, identity->id ? identity->id : "-");
    r->ap_auth_type = AUTH_TYPE;
    return OK;
}

/* One of the permissions on the line is enough. */
static authz_status check_permission(request_rec *r, const char *line,
                                     const void *parsed)
{
    const mastra_host_t *host = host_of(r);
    const mastra_identity_t *identity = NULL;
    const char *word;

    if (host) {
        mastra_auth_identify(&identity, &host->auth, r);
    }
    if (!identity) {
        return r->user || !ap_auth_type(r) ? AUTHZ_DENIED
                                           : AUTHZ_DENIED_NO_USER;
    }
    while (*(word = ap_getword_conf(r->pool, &line))) {
        if (mastra_auth_may(&host->auth, identity, word)
            && mastra_auth_allows(identity, r, word) == MASTRA_AUTH_MAY) {
            return AUTHZ_GRANTED;
        }
    }
    return AUTHZ_DENIED;
}

static const char *parse_permission(cmd_parms *cmd, const char *line,
                                    const void **parsed)
{
    const char *word;
    int n = 0;

    for (; *(word = ap_getword_conf(cmd->temp_pool, &line)); n++) {
        if (!mastra_auth_is_pattern(word) || strchr(word, '*')) {
            return apr_pstrcat(cmd->pool, "Require mastra-permission: ", word,
                               " is no permission such as agents:execute",
                               NULL);
        }
    }
    return n ? NULL : "Require mastra-permission takes permissions such as "
                      "agents:execute";
}

static const authz_provider permission_provider = {
    check_permission, parse_permission
};

/* Browsers send no credentials with a preflight: it tells what is public
 * anyway, so httpd's own authentication does not stand before it. */
static int pass_preflight(request_rec *r)
{
    const mastra_mark_t *mark = mastra_request_marked(r);
    const mastra_host_t *host = host_of(r);

    return r->method_number == M_OPTIONS && mark && mark->claimed && host
           && !mastra_cors_of(host, r)->off ? OK : DECLINED;
}

void mastra_access_register_hooks(apr_pool_t *pool)
{
    ap_hook_check_authn(check_authn, NULL, NULL, APR_HOOK_MIDDLE,
                        AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_access_ex(pass_preflight, NULL, NULL, APR_HOOK_FIRST,
                            AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "mastra-permission",
                              AUTHZ_PROVIDER_VERSION, &permission_provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}
