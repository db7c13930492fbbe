#ifndef MOD_MASTRA_PRIVATE_H
#define MOD_MASTRA_PRIVATE_H

/* What the glue's files share: the module's symbol, and what belongs to the
 * whole server. */

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "agent/hub.h"
#include "base/log.h"
#include "http/router.h"

APLOG_USE_MODULE(mastra);

/* One distinct database, whichever hosts use it. */
typedef struct {
    mastra_store_conf_t conf;
    int temporary;           /* 1: made because no DBDriver is there */
    mastra_store_t *store;   /* in a child, */
    mastra_recall_cache_t *recalled;    /* and what was read from it lately */
} mastra_database_t;

/* Calls of other modules into this one. */
typedef struct mastra_native_t mastra_native_t;

/* Made when the configuration is read, found from each server's own. */
typedef struct {
    apr_array_header_t *hosts;       /* mastra_host_t * */
    apr_array_header_t *databases;   /* mastra_database_t * */
    const mastra_router_t *router;
    const char *secret;              /* of this server since its start */
    const char *runtime_dir;
    const char *bus_dir, *node;      /* of the sockets of children */
    apr_array_header_t *tls;         /* const server_rec *: those with TLS */
    apr_interval_time_t stop_limit;
    int job_threads;
    /* in a child */
    mastra_loop_t *loop;
    mastra_jobs_t *jobs;
    mastra_jobs_t *large;            /* for large values alone: nothing that
                                        waits comes between them */
    mastra_native_t *native;
    mastra_hub_t *hub;
    int graceful;                    /* how the child was told to stop */
    mastra_board_t *board;           /* what may change at run time, for all
                                        children; NULL: nothing may */
} mastra_shared_t;

#endif
