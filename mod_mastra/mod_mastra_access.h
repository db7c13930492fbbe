#ifndef MOD_MASTRA_ACCESS_H
#define MOD_MASTRA_ACCESS_H

/* The directives about callers and about pages of other origins. */

#include <httpd.h>
#include <http_config.h>

#include "http/host.h"
#include "mod_mastra_project.h"

#define MASTRA_DIR_AUTH "MastraAuth"
#define MASTRA_DIR_PROTECTED "MastraAuthProtected"
#define MASTRA_DIR_PUBLIC "MastraAuthPublic"
#define MASTRA_DIR_OWNER "MastraAuthOwner"
#define MASTRA_DIR_ROLE "MastraRole"
#define MASTRA_DIR_CORS "MastraCors"
#define MASTRA_DIR_CORS_ORIGIN "MastraCorsOrigin"
#define MASTRA_DIR_CORS_METHODS "MastraCorsMethods"
#define MASTRA_DIR_CORS_HEADERS "MastraCorsHeaders"
#define MASTRA_DIR_CORS_EXPOSE "MastraCorsExpose"
#define MASTRA_DIR_CORS_CREDENTIALS "MastraCorsCredentials"
#define MASTRA_DIR_CORS_MAX_AGE "MastraCorsMaxAge"

/* What they say about pages of other origins, on a server or at a path; unset
 * is NULL or -1. A list replaces the one that would be inherited. */
typedef struct {
    int on;
    apr_array_header_t *origins;     /* const char * */
    apr_array_header_t *methods;
    apr_array_header_t *headers;
    apr_array_header_t *expose;
    int credentials;
    int max_age;                     /* seconds */
} mastra_cors_conf_t;

/* What they say on one server; unset is NULL or -1. A list that a virtual host
 * has replaces the list that it would inherit. */
typedef struct {
    apr_array_header_t *providers;   /* mastra_auth_provider_t * */
    apr_array_header_t *shielded;    /* ap_regex_t * */
    apr_array_header_t *open;        /* const char * */
    apr_array_header_t *roles;       /* mastra_role_t */
    const char *owner;               /* "" for None */
    mastra_cors_conf_t cors;
} mastra_access_conf_t;

void mastra_access_create(mastra_access_conf_t *conf);
void mastra_access_merge(mastra_access_conf_t *conf,
                         const mastra_access_conf_t *base,
                         const mastra_access_conf_t *add);

/* Those of a <Location>, in its part of the configuration. */
void mastra_cors_create(mastra_cors_conf_t *conf);
void mastra_cors_merge(mastra_cors_conf_t *conf,
                       const mastra_cors_conf_t *base,
                       const mastra_cors_conf_t *add);

/* An option of MastraRoute, cors=… or cors-NAME=…; 0: arg is another one.
 * *pwhy: NULL, or what is wrong with it. */
int mastra_cors_option(const char **pwhy, mastra_cors_conf_t *conf,
                       const char *arg, apr_pool_t *pool);
/* What holds for a route with words of its own, when the host's auth is there.
 * Returns NULL, or why it cannot be. */
const char *mastra_cors_of_route(const mastra_cors_t **pcors,
                                 const mastra_host_t *host,
                                 const mastra_cors_conf_t *own,
                                 apr_pool_t *pool);
/* Fills in host's cors, when its auth is there. */
void mastra_cors_fill(mastra_host_t *host, const mastra_cors_conf_t *conf,
                      apr_pool_t *pool);

/* Fills in host's auth and cors, and notes what is wrong with them together. */
void mastra_access_fill(mastra_host_t *host, const mastra_access_conf_t *conf,
                        mastra_faults_t *faults, apr_pool_t *pool);
/* Says in the log what an administrator should know. */
void mastra_access_announce(const mastra_host_t *host);

/* Setters for the command table. */
const char *mastra_access_add_provider(cmd_parms *cmd, void *dir, int argc,
                                       char *const argv[]);
const char *mastra_access_add_protected(cmd_parms *cmd, void *dir,
                                        const char *arg);
const char *mastra_access_add_public(cmd_parms *cmd, void *dir,
                                     const char *arg);
const char *mastra_access_set_owner(cmd_parms *cmd, void *dir,
                                    const char *arg);
const char *mastra_access_add_role(cmd_parms *cmd, void *dir, int argc,
                                   char *const argv[]);
const char *mastra_cors_set(cmd_parms *cmd, void *dir, int on);
const char *mastra_cors_set_credentials(cmd_parms *cmd, void *dir, int on);
const char *mastra_cors_set_max_age(cmd_parms *cmd, void *dir,
                                      const char *arg);
/* cmd->info: offset of the list within mastra_cors_conf_t. */
const char *mastra_cors_add(cmd_parms *cmd, void *dir,
                                   const char *arg);

/* AuthType mastra, Require mastra-permission, OPTIONS past httpd's own
 * authentication. */
void mastra_access_register_hooks(apr_pool_t *pool);

#endif
