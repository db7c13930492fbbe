#ifndef MOD_MASTRA_PAGES_H
#define MOD_MASTRA_PAGES_H

/* The directives about pages for people: Studio, Swagger UI, and the OpenAPI
 * document that the latter shows. */

#include <httpd.h>
#include <http_config.h>

#include "http/router.h"
#include "mod_mastra_project.h"

#define MASTRA_DIR_OPENAPI "MastraOpenAPI"
#define MASTRA_DIR_SWAGGER "MastraSwaggerUI"
#define MASTRA_DIR_STUDIO_BASE "MastraStudioBase"
#define MASTRA_DIR_STUDIO_ROOT "MastraStudioRoot"

/* What they say on one server; unset is NULL or -1. */
typedef struct {
    int openapi;
    int swagger;
    const char *swagger_root;        /* NULL: where "make install" puts it */
    const char *studio_base;         /* "-" for Off */
    const char *studio_seen, *studio_api;
    const char *studio_root;
} mastra_pages_conf_t;

void mastra_pages_create(mastra_pages_conf_t *conf);
void mastra_pages_merge(mastra_pages_conf_t *conf,
                        const mastra_pages_conf_t *base,
                        const mastra_pages_conf_t *add);

/* Fills in host's openapi, swagger and studio, of host's other members.
 * generation tells this reading of the configuration from others. Notes what is
 * wrong. */
void mastra_pages_fill(mastra_host_t *host, const mastra_pages_conf_t *conf,
                       const mastra_router_t *router, const char *generation,
                       mastra_faults_t *faults, apr_pool_t *pool);

/* fixups, last: 1 when r, which nothing else answers, asks for one of the
 * pages or for a route that has a switch. */
int mastra_pages_claim(const mastra_host_t *host, request_rec *r);
/* translate_name: 1 when a page asks whether its server is there. */
int mastra_pages_claim_probe(const mastra_host_t *host, request_rec *r);
/* 1: the route outside of the prefix that r asks for is switched off. */
int mastra_pages_is_off(const mastra_host_t *host, const request_rec *r);
/* DECLINED: r was not claimed for a page. */
int mastra_pages_handle(const mastra_host_t *host, request_rec *r);

/* Setters for the command table. */
const char *mastra_pages_set_openapi(cmd_parms *cmd, void *dir, int on);
const char *mastra_pages_set_swagger(cmd_parms *cmd, void *dir,
                                     const char *arg);
const char *mastra_pages_set_studio(cmd_parms *cmd, void *dir, int argc,
                                    char *const argv[]);
const char *mastra_pages_set_root(cmd_parms *cmd, void *dir, const char *arg);

/* Their part of the command table. */
#define MASTRA_PAGES_COMMANDS \
    AP_INIT_FLAG(MASTRA_DIR_OPENAPI, mastra_pages_set_openapi, NULL, \
                 RSRC_CONF, "On serves the OpenAPI document"), \
    AP_INIT_TAKE1(MASTRA_DIR_SWAGGER, mastra_pages_set_swagger, NULL, \
                  RSRC_CONF, "On, Off or the directory of swagger-ui-dist"), \
    AP_INIT_TAKE_ARGV(MASTRA_DIR_STUDIO_BASE, mastra_pages_set_studio, NULL, \
                      RSRC_CONF, "PATH [public=PATH] [api=PATH or URL]: " \
                      "where Studio is served; Off"), \
    AP_INIT_TAKE1(MASTRA_DIR_STUDIO_ROOT, mastra_pages_set_root, NULL, \
                  RSRC_CONF, "directory of Studio's files")

#endif
