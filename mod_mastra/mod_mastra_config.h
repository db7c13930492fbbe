#ifndef MOD_MASTRA_CONFIG_H
#define MOD_MASTRA_CONFIG_H

#include "mod_mastra_access.h"
#include "mod_mastra_pages.h"
#include "mod_mastra_private.h"
#include "mod_mastra_project.h"
#include "mod_mastra_routes.h"

/* The names of directives. */
#define MASTRA_DIR_ENGINE "MastraEngine"
#define MASTRA_DIR_MODE "MastraMode"
#define MASTRA_DIR_PREFIX "MastraApiPrefix"
#define MASTRA_DIR_PROJECT "MastraProject"
#define MASTRA_DIR_PROVIDER "MastraModelProvider"
#define MASTRA_DIR_SELF_URL "MastraSelfURL"
#define MASTRA_DIR_DURABILITY "MastraDurability"
#define MASTRA_DIR_TIMEOUT "MastraTimeout"
#define MASTRA_DIR_STREAM_TIMEOUT "MastraStreamTimeout"
#define MASTRA_DIR_STOP_LIMIT "MastraStopLimit"
#define MASTRA_DIR_RUN_LEASE "MastraRunLease"
#define MASTRA_DIR_SCHEDULE_HISTORY "MastraScheduleHistory"
#define MASTRA_DIR_EVENT_HISTORY "MastraEventHistory"
#define MASTRA_DIR_SCHEDULE "MastraSchedule"
#define MASTRA_DIR_BODY_LIMIT "MastraBodyLimit"
#define MASTRA_DIR_RUN_SIZE "MastraRunSize"
#define MASTRA_DIR_REDACT "MastraStreamRedact"
#define MASTRA_DIR_OUTBOUND "MastraOutboundAllow"
#define MASTRA_DIR_RUNTIME "MastraRuntimeDir"
#define MASTRA_DIR_CONNECTIONS "MastraDbConnections"
#define MASTRA_DIR_JOB_THREADS "MastraJobThreads"
#define MASTRA_DIR_AGENT "<MastraAgent"
#define MASTRA_DIR_TOOL "<MastraTool"
#define MASTRA_DIR_WORKFLOW "<MastraWorkflow"
#define MASTRA_DIR_OUTPUT_SCHEMA "MastraOutputSchema"
#define MASTRA_DIR_STEP "MastraStep"
#define MASTRA_DIR_NAME "MastraName"
#define MASTRA_DIR_DESCRIPTION "MastraDescription"
#define MASTRA_DIR_MODEL "MastraModel"
#define MASTRA_DIR_INSTRUCTIONS "MastraInstructions"
#define MASTRA_DIR_TOOLS "MastraTools"
#define MASTRA_DIR_MEMORY "MastraMemory"
#define MASTRA_DIR_INPUT_SCHEMA "MastraInputSchema"
#define MASTRA_DIR_EXECUTE "MastraExecute"

/* A line of MastraModelProvider. */
typedef struct {
    const char *id, *kind;
    const char *url;             /* NULL: the kind's */
    const char *key_env;         /* NULL: the kind's */
    apr_array_header_t *headers; /* const char *, "Name: value" */
    apr_interval_time_t timeout; /* 0: MastraStreamTimeout */
    int retries;                 /* -1: the default */
} mastra_provider_conf_t;

/* What the directives of one server or virtual host say. Unset is NULL or -1;
 * read it through the getters, which know the defaults. */
typedef struct {
    int engine;
    int development;
    const char *prefix;
    const char *project;
    const char *self_url;
    int synchronous_normal;
    apr_interval_time_t timeout;
    apr_interval_time_t stream_timeout;
    apr_interval_time_t stop_limit;
    apr_interval_time_t run_lease;
    apr_interval_time_t schedule_history;
    apr_interval_time_t event_history;
    apr_off_t body_limit;
    apr_off_t run_size;
    int redact;
    const char *runtime_dir;
    int connections;
    int job_threads;
    const char *db_driver, *db_params; /* DBDriver, DBDParams */
    int db_max;                        /* DBDMax */
    apr_array_header_t *providers;     /* mastra_provider_conf_t * */
    apr_array_header_t *outbound;      /* const char * */
    apr_array_header_t *documents;     /* mastra_document_t *: containers */
    mastra_access_conf_t access;
    mastra_routes_conf_t custom;
    mastra_pages_conf_t pages;

    mastra_document_t *open;           /* the container being read */
    mastra_shared_t *shared;           /* set once the configuration stands */
    mastra_host_t *host;               /* NULL: the engine is off */
} mastra_server_conf_t;

/* What the directives of a <Location> say. */
typedef struct {
    int engine;
    mastra_cors_conf_t cors;
} mastra_dir_conf_t;

extern const command_rec mastra_commands[];

/* Setter of MastraModelProvider. */
const char *mastra_provider_add(cmd_parms *cmd, void *dir, int argc,
                                char *const argv[]);

void *mastra_config_create_server(apr_pool_t *pool, server_rec *s);
void *mastra_config_merge_server(apr_pool_t *pool, void *basev, void *addv);
void *mastra_config_create_dir(apr_pool_t *pool, char *dir);
void *mastra_config_merge_dir(apr_pool_t *pool, void *basev, void *addv);

mastra_server_conf_t *mastra_config_of(const server_rec *s);
/* What holds for the path of r. */
const mastra_dir_conf_t *mastra_config_dir(const request_rec *r);
/* The host that answers r, NULL: none; a <Location> may say so. */
mastra_host_t *mastra_config_host(const request_rec *r);

int mastra_config_engine(const mastra_server_conf_t *conf);
int mastra_config_development(const mastra_server_conf_t *conf);
const char *mastra_config_prefix(const mastra_server_conf_t *conf);
int mastra_config_synchronous_normal(const mastra_server_conf_t *conf);
apr_interval_time_t mastra_config_timeout(const mastra_server_conf_t *conf);
/* Of providers that have none of their own. */
apr_interval_time_t
mastra_config_stream_timeout(const mastra_server_conf_t *conf);
apr_interval_time_t mastra_config_stop_limit(const mastra_server_conf_t *conf);
apr_interval_time_t mastra_config_run_lease(const mastra_server_conf_t *conf);
apr_interval_time_t mastra_config_event_history(
    const mastra_server_conf_t *conf);
apr_interval_time_t mastra_config_schedule_history(
    const mastra_server_conf_t *conf);
apr_size_t mastra_config_run_size(const mastra_server_conf_t *conf);
apr_size_t mastra_config_body_limit(const mastra_server_conf_t *conf);
/* 1: streams do not show what models were asked. */
int mastra_config_redact(const mastra_server_conf_t *conf);
const char *mastra_config_runtime_dir(const mastra_server_conf_t *conf,
                                      apr_pool_t *pool);
/* Of each child. */
int mastra_config_job_threads(const mastra_server_conf_t *conf);
/* Per child; 0: the store's default. */
int mastra_config_connections(const mastra_server_conf_t *conf);

#endif
