#ifndef MOD_MASTRA_ROUTES_H
#define MOD_MASTRA_ROUTES_H

/* The directives about routes of the configuration, what stands around
 * handlers, and what is said of errors. */

#include <httpd.h>
#include <http_config.h>

#include "http/host.h"
#include "mod_mastra_project.h"

#define MASTRA_DIR_ROUTE "MastraRoute"
#define MASTRA_DIR_MIDDLEWARE "MastraMiddleware"
#define MASTRA_DIR_ON_ERROR "MastraOnError"
#define MASTRA_DIR_REQUEST_LOG "MastraRequestLog"

/* What they say on one server; unset is NULL or -1. */
typedef struct {
    apr_array_header_t *routes;      /* of mod_mastra_routes.c */
    apr_array_header_t *middleware;
    const char *on_error;            /* "" for None */
    int request_log;
} mastra_routes_conf_t;

void mastra_routes_create(mastra_routes_conf_t *conf, apr_pool_t *pool);
void mastra_routes_merge(mastra_routes_conf_t *conf,
                         const mastra_routes_conf_t *base,
                         const mastra_routes_conf_t *add, apr_pool_t *pool);

/* Fills in host's routes and middleware, once its agents are there. */
void mastra_routes_fill(mastra_host_t *host, const mastra_routes_conf_t *conf,
                        mastra_faults_t *faults, apr_pool_t *pool);
/* child_init: the providers of host's routes. */
void mastra_routes_child_init(const mastra_host_t *host, apr_pool_t *pool);

/* Setters for the command table. */
const char *mastra_routes_add(cmd_parms *cmd, void *dir, int argc,
                              char *const argv[]);
const char *mastra_routes_add_middleware(cmd_parms *cmd, void *dir, int argc,
                                         char *const argv[]);
const char *mastra_routes_set_on_error(cmd_parms *cmd, void *dir,
                                       const char *arg);
const char *mastra_routes_set_request_log(cmd_parms *cmd, void *dir, int on);

/* Their part of the command table. */
#define MASTRA_ROUTES_COMMANDS \
    AP_INIT_TAKE_ARGV(MASTRA_DIR_ROUTE, mastra_routes_add, NULL, RSRC_CONF, \
                      "METHOD PATH TARGET and options: a route of your own"), \
    AP_INIT_TAKE_ARGV(MASTRA_DIR_MIDDLEWARE, mastra_routes_add_middleware, \
                      NULL, RSRC_CONF, \
                      "[path=PATTERN] TARGET: asked before handlers"), \
    AP_INIT_TAKE1(MASTRA_DIR_ON_ERROR, mastra_routes_set_on_error, NULL, \
                  RSRC_CONF, "local path that answers for errors, or None"), \
    AP_INIT_FLAG(MASTRA_DIR_REQUEST_LOG, mastra_routes_set_request_log, NULL, \
                 RSRC_CONF, "whether requests are written to the error log")

#endif
