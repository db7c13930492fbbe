#ifndef MASTRA_SCHEDULE_SCHEDULE_H
#define MASTRA_SCHEDULE_SCHEDULE_H

#include "../net/jobs.h"
#include "../workflow/workflow.h"

/*
 * Schedules: runs of workflows and messages to agents at times that a cron
 * expression names. They live in the database, each fires once among all
 * children and servers: docs/internals/schedule.md.
 */
typedef struct mastra_schedules_t mastra_schedules_t;

/* What schedules of one host run with, in one child. */
typedef struct mastra_schedule_env_t {
    const char *host;
    mastra_loop_t *loop;
    mastra_jobs_t *jobs;
    mastra_store_t *store;
    mastra_workflow_env_t *workflows;
    const mastra_schedules_t *schedules;
    apr_interval_time_t history;     /* how long firings are remembered */
    struct mastra_clockwork_t *clockwork;    /* what this child does: fire.c */
} mastra_schedule_env_t;

/* ---- definitions ---- */

mastra_schedules_t *mastra_schedules_make(apr_pool_t *pool);
/* A schedule that stands in a file of its own under key. NULL or a result
 * whose detail has "field". */
const mastra_result_t *mastra_schedules_add(mastra_schedules_t *schedules,
                                            const char *key,
                                            const mastra_json_t *definition,
                                            const mastra_workflows_t *workflows,
                                            const mastra_agents_t *agents);
/* Those that a workflow's definition has as its "schedule". */
const mastra_result_t *mastra_schedules_add_workflow(
    mastra_schedules_t *schedules, const char *workflow_id,
    const mastra_json_t *definition);

/* ---- life in a child ---- */

/* After the workflows: env is filled up to clockwork. */
void mastra_schedules_start(mastra_schedule_env_t *env, apr_pool_t *pool);
/* Nothing more is fired here. Any thread but the loop. */
void mastra_schedules_stop(mastra_schedule_env_t *env);

/* ---- request threads: these wait for storage ---- */

/* Who asks: owner is the resource that they are bound to, or NULL. All return
 * a new reference, or NULL and *perror. */
typedef struct {
    mastra_schedule_env_t *env;
    const char *owner;
    apr_pool_t *pool;
    mastra_result_t *error;
} mastra_schedule_ask_t;
mastra_json_t *mastra_schedule_create(mastra_schedule_ask_t *ask,
                                      const mastra_json_t *body);
/* filter: {agentId?, workflowId?, status?, threadId?, resourceId?, name?} */
mastra_json_t *mastra_schedule_list(mastra_schedule_ask_t *ask,
                                    const mastra_json_t *filter);
mastra_json_t *mastra_schedule_get(mastra_schedule_ask_t *ask, const char *id);
mastra_json_t *mastra_schedule_update(mastra_schedule_ask_t *ask,
                                      const char *id,
                                      const mastra_json_t *patch);
mastra_json_t *mastra_schedule_delete(mastra_schedule_ask_t *ask,
                                      const char *id);
mastra_json_t *mastra_schedule_run(mastra_schedule_ask_t *ask, const char *id);
/* filter: {limit?, fromActualFireAt?, toActualFireAt?} */
mastra_json_t *mastra_schedule_triggers(mastra_schedule_ask_t *ask,
                                        const char *id,
                                        const mastra_json_t *filter);

#endif
