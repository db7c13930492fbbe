#ifndef MASTRA_HTTP_HOST_H
#define MASTRA_HTTP_HOST_H

#include <httpd.h>

#include "auth.h"
#include "cors.h"
#include "../agent/agent.h"
#include "../model/model.h"
#include "../net/jobs.h"
#include "../store/store.h"
#include "../tool/tool.h"
#include "../schedule/schedule.h"
#include "../workflow/workflow.h"

/*
 * One virtual host with MastraEngine: its registries (made when the
 * configuration is read, read-only after it) and, in a child, what runs need.
 */
typedef struct mastra_host_t {
    server_rec *server;
    const char *prefix;              /* "/api", no slash at the end */
    int development;                 /* MastraMode development */
    apr_size_t body_limit;           /* bytes; 4,718,592 */
    apr_interval_time_t timeout;     /* of a whole JSON answer; 180 s */
    apr_size_t run_size;             /* bytes; 128 MiB */
    apr_interval_time_t run_lease;   /* of stored runs; 30 s */
    apr_interval_time_t event_history;   /* of what runs say; 1 h */
    apr_interval_time_t schedule_history;    /* of firings; 30 days */
    const char *project;             /* directory, or NULL */
    mastra_auth_t auth;
    mastra_cors_t cors;
    /* where a path has words of its own about that; NULL: as cors says */
    const mastra_cors_t *(*cors_at)(const struct mastra_host_t *host,
                                    const request_rec *r);
    const struct mastra_router_t *custom;    /* MastraRoute, or NULL */
    int custom_cors;                         /* some have cors of their own */
    const apr_array_header_t *routes;        /* mastra_custom_t *, as they are
                                                configured; or NULL */
    const apr_array_header_t *middleware;    /* mastra_middleware_t *, or
                                                NULL */
    const char *on_error;                    /* local path, or NULL */
    int request_log;
    struct mastra_openapi_t *openapi; /* or NULL */
    struct mastra_studio_t *studio;   /* or NULL */
    struct mastra_site_t *swagger;    /* or NULL */

    mastra_models_t *models;
    mastra_tools_t *tools;
    mastra_agents_t *agents;
    mastra_workflows_t *workflows;
    mastra_schedules_t *schedules;
    mastra_guard_t *guard;
    mastra_store_conf_t store_conf;

    /* in a child, from child_init */
    mastra_loop_t *loop;
    mastra_jobs_t *jobs;
    mastra_jobs_t *large;            /* for large values */
    mastra_store_t *store;
    mastra_tool_env_t tool_env;
    mastra_agent_env_t agent_env;
    mastra_workflow_env_t workflow_env;
    mastra_schedule_env_t schedule_env;
    const struct mastra_hooks_t *hooks;  /* of other modules, or NULL */
    int errors_asked;                /* loop: about how many on_error is being
                                        asked */
} mastra_host_t;

#endif
