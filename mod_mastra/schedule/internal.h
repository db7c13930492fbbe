#ifndef MASTRA_SCHEDULE_INTERNAL_H
#define MASTRA_SCHEDULE_INTERNAL_H

#include "schedule.h"
#include "../store/schedules.h"

/* ---- plan.c: what a schedule is, and when ---- */

/* The last time that the API can show: never. */
#define MASTRA_PLAN_NEVER APR_INT64_C(8640000000000000)
/* The next firing after a time; NULL: fine, else what is wrong; *pnext is
 * MASTRA_PLAN_NEVER when all is well but for that there is none. */
const char *mastra_plan_next(apr_int64_t *pnext, const char *cron,
                             const char *where, apr_int64_t after,
                             apr_pool_t *pool);
/* where: a time zone or NULL. As the Node server names the member at fault:
 * cron or timezone. */
const char *mastra_plan_check(const char **pfield, const char *cron,
                              const char *where, apr_pool_t *pool);
/* A target of a request's or a file's members; in pool. */
mastra_json_t *mastra_plan_target(const mastra_json_t *body, apr_pool_t *pool);
/* "agent_my-id", "schedule_my-id"; NULL: nothing of it is left. */
const char *mastra_plan_id(const char *id, int is_agent, apr_pool_t *pool);
int mastra_plan_is_agent(const mastra_json_t *target);
/* 1: owner (NULL: anybody) may know of it. */
int mastra_plan_is_theirs(const mastra_schedule_row_t *row, const char *owner);
/* What is wrong with the members of an agent's schedule together, or NULL. */
const char *mastra_plan_offends(const mastra_json_t *target, apr_pool_t *pool);

/* ---- view.c: as the API shows it; new references ---- */

mastra_json_t *mastra_view_schedule(const mastra_schedule_row_t *row,
                                    const mastra_run_brief_t *run);
mastra_json_t *mastra_view_trigger(const mastra_trigger_t *trigger,
                                   const mastra_run_brief_t *run,
                                   int is_agent);

/* ---- start.c: job and request threads ---- */

typedef struct {
    const char *run;                 /* id of the firing, and of its run */
    apr_int64_t scheduled;
    apr_int64_t next;                /* 0: by hand, the rest stays */
    const char *wrong;               /* why nothing can be begun, or NULL */
    apr_int64_t now;                 /* by the database's clock */
    int taken;                       /* somebody else has it, or is to have */
} mastra_firing_t;
/* Fires a schedule that was read: the claim, the note of it and what it begins
 * are one transaction. NULL: done, or taken; else an error whose status is 503
 * when it may be tried again. */
mastra_result_t *mastra_schedule_fire(mastra_firing_t *firing,
                                      mastra_schedule_env_t *env,
                                      const mastra_schedule_row_t *row,
                                      apr_pool_t *pool);

/* ---- fire.c ---- */

/* A schedule has changed: its time may come soon. Any thread. */
void mastra_schedule_wake(mastra_schedule_env_t *env);

/* ---- declared.c ---- */

/* Brings the rows of schedules that stand in definitions up to date. Inside a
 * write job. */
apr_status_t mastra_schedules_declare(mastra_db_t *db,
                                      const mastra_schedule_env_t *env,
                                      apr_pool_t *pool);

#endif
