#ifndef MASTRA_STORE_SCHEDULES_H
#define MASTRA_STORE_SCHEDULES_H

#include "runs.h"

/*
 * Schedules and their firings: mastra_schedules, mastra_schedule_triggers, as
 * the Node server keeps them. Inside store jobs only. Times are milliseconds
 * of the epoch by the database's clock.
 */
typedef struct {
    const char *id, *cron, *timezone;    /* timezone NULL: the machine's */
    const char *status;                  /* "active", "paused" */
    const char *last_run;                /* or NULL */
    const char *host;                    /* NULL: any host's */
    const char *owner;                   /* where it is declared, or NULL */
    mastra_json_t *target, *metadata;    /* owned by the pool */
    apr_int64_t next, last;              /* last 0: never */
    apr_int64_t created, updated;
} mastra_schedule_row_t;

typedef struct {
    const char *id, *schedule, *run, *outcome, *error, *kind;
    apr_int64_t scheduled, actual;
} mastra_trigger_t;

/* How a run is, for who looks at schedules. */
typedef struct {
    const char *status;                  /* NULL: there is none such */
    apr_int64_t started, updated;
    const char *error;
} mastra_run_brief_t;

apr_status_t mastra_schedules_clock(apr_int64_t *pnow, mastra_db_t *db,
                                    apr_pool_t *pool);
/* NOT_FOUND: the host has none such. */
apr_status_t mastra_schedules_get(mastra_schedule_row_t *row, mastra_db_t *db,
                                  const char *host, const char *id,
                                  apr_pool_t *pool);
/* In the order in which they were made; status, owner NULL: any. */
apr_status_t mastra_schedules_list(mastra_schedule_row_t **prows, int *pn,
                                   mastra_db_t *db, const char *host,
                                   const char *status, const char *owner,
                                   apr_pool_t *pool);
/* EXISTS: the id is taken. */
apr_status_t mastra_schedules_insert(mastra_db_t *db,
                                     const mastra_schedule_row_t *row,
                                     apr_pool_t *pool);
/* All of row but its past, if it is as "was" has it: else
 * MASTRA_STORE_STALE. */
apr_status_t mastra_schedules_save(mastra_db_t *db,
                                   const mastra_schedule_row_t *row,
                                   const mastra_schedule_row_t *was,
                                   apr_pool_t *pool);
/* With its triggers; fine when it is not there. */
apr_status_t mastra_schedules_delete(mastra_db_t *db, const char *id,
                                     apr_pool_t *pool);

/* ---- firing ---- */

/* Ids of those whose time has come, some at a time, the most overdue first;
 * *pnext: the next such time of all, 0: none. */
apr_status_t mastra_schedules_due(const char *const **pids, int *pn,
                                  apr_int64_t *pnext, apr_int64_t *pnow,
                                  mastra_db_t *db, const char *host,
                                  apr_pool_t *pool);
/* The firing at row->next is the caller's: it fires again at next.
 * MASTRA_STORE_STALE: it is somebody else's, or the schedule has changed. */
apr_status_t mastra_schedules_claim(mastra_db_t *db,
                                    const mastra_schedule_row_t *row,
                                    apr_int64_t next, apr_int64_t now,
                                    const char *run, apr_pool_t *pool);
/* Notes a firing, and drops those of the schedule from before "keep". */
apr_status_t mastra_schedules_note(mastra_db_t *db,
                                   const mastra_trigger_t *trigger,
                                   apr_int64_t keep, apr_pool_t *pool);

/* ---- looking back ---- */

/* Newest first, with how their runs are. */
apr_status_t mastra_schedules_triggers(mastra_trigger_t **ptriggers,
                                       mastra_run_brief_t **pruns, int *pn,
                                       mastra_db_t *db, const char *id,
                                       apr_int64_t from, apr_int64_t to,
                                       apr_int64_t limit, apr_pool_t *pool);
apr_status_t mastra_schedules_run(mastra_run_brief_t *brief, mastra_db_t *db,
                                  const char *run, apr_pool_t *pool);

#endif
