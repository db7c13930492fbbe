#ifndef MASTRA_STORE_RUNS_H
#define MASTRA_STORE_RUNS_H

#include <errno.h>

#include "store.h"

/*
 * Runs that outlive a process: mastra_x_runs says who owns a run and what
 * stage it is at, mastra_workflow_snapshot holds its state as the API's other
 * readers expect it. Inside store jobs only.
 *
 * Ownership: a run is "suspended" (nobody's) or "running" (its owner's until
 * the lease ends, by the database's clock). Each change of hands raises epoch;
 * an owner's writes name the epoch that it was given, so that one which was
 * stopped past its lease cannot write.
 */
#define MASTRA_STORE_STALE ESTALE    /* the run is another owner's by now */

typedef struct mastra_run_row_t {
    const char *host;            /* whose virtual host: others do not see it */
    const char *id;
    const char *kind;            /* workflow_name of the snapshot */
    const char *name;            /* id of the agent or workflow */
    const char *resource_id;     /* NULL: nobody's */
    const char *thread_id;       /* or NULL */
    const mastra_json_t *summary;  /* what lists show */
    const mastra_json_t *snapshot; /* the state */
    const char *status, *owner;  /* as read: owner "" where none is known */
    int lapsed;                  /* running, and its lease has ended */
    int taken;                   /* changes of hands since it was last kept */
    int epoch;
} mastra_run_row_t;

/* Suspends a run: epoch 0 for one that was never stored, else the owner's.
 * MASTRA_STORE_EXISTS when the id is a run of another resource, or one that is
 * running; MASTRA_STORE_STALE when the epoch has passed. */
apr_status_t mastra_runs_suspend(mastra_db_t *db, const mastra_run_row_t *row,
                                 int epoch, apr_pool_t *pool);

/* Takes a suspended run, or one whose owner's lease has ended: exactly one of
 * several callers gets it. NOT_FOUND: no such run; MASTRA_STORE_EXISTS:
 * somebody has it. *psnapshot is a new reference; row is filled from pool. */
apr_status_t mastra_runs_claim(mastra_json_t **psnapshot, int *pepoch,
                               mastra_run_row_t *row, mastra_db_t *db,
                               const char *host, const char *id,
                               apr_interval_time_t lease, apr_pool_t *pool);

/* Reads whose run it is, suspended or running; row is filled from pool.
 * NOT_FOUND: no such run is stored. */
apr_status_t mastra_runs_get(mastra_run_row_t *row, mastra_db_t *db,
                             const char *host, const char *id,
                             apr_pool_t *pool);

/* The owner goes on: the lease is extended. MASTRA_STORE_STALE: stop. */
apr_status_t mastra_runs_renew(mastra_db_t *db, const char *host,
                               const char *id, int epoch,
                               apr_interval_time_t lease, apr_pool_t *pool);
/* The owner is done: row and snapshot go. */
apr_status_t mastra_runs_finish(mastra_db_t *db, const char *host,
                                const char *id, int epoch, apr_pool_t *pool);

/*
 * Durable runs: stored while they go on, "running" from the first, so that
 * somebody else can; "done" at the end, as long as their logs are kept.
 */

/* The run begins, as owner's. MASTRA_STORE_EXISTS: the id is taken. */
apr_status_t mastra_runs_begin(int *pepoch, mastra_db_t *db,
                               const mastra_run_row_t *row,
                               apr_interval_time_t lease, apr_pool_t *pool);
/* The owner goes on, with this state. MASTRA_STORE_STALE: stop. */
apr_status_t mastra_runs_keep(mastra_db_t *db, const mastra_run_row_t *row,
                              int epoch, apr_interval_time_t lease,
                              apr_pool_t *pool);
/* A running one becomes owner's when its lease has ended, or dead (or NULL) is
 * its owner: as mastra_runs_claim. */
apr_status_t mastra_runs_take(mastra_json_t **psnapshot, int *pepoch,
                              mastra_run_row_t *row, mastra_db_t *db,
                              const char *host, const char *id,
                              const char *owner, const char *dead,
                              apr_interval_time_t lease, apr_pool_t *pool);
/* The owner lets others go on, at once. STALE. */
apr_status_t mastra_runs_hand_back(mastra_db_t *db, const char *host,
                                   const char *id, int epoch,
                                   apr_pool_t *pool);
/* The owner is done: the snapshot goes, the row stays. STALE. */
apr_status_t mastra_runs_retire(mastra_db_t *db, const mastra_run_row_t *row,
                                int epoch, apr_pool_t *pool);
/* Ids and names of those that somebody has to go on with, up to 32. */
apr_status_t mastra_runs_orphans(mastra_run_row_t **prows, int *pn,
                                 mastra_db_t *db, const char *host,
                                 const char *kind, const char *dead,
                                 apr_pool_t *pool);
/* Drops rows of runs that are done for so long. */
apr_status_t mastra_runs_sweep(mastra_db_t *db, const char *kind,
                               apr_interval_time_t age, apr_pool_t *pool);

typedef struct {
    const char *host, *kind;
    const char *name;            /* NULL: any; as the next two */
    const char *resource_id, *thread_id;
    apr_time_t from, to;         /* of suspension; 0: open */
    apr_int64_t page, per_page;
} mastra_runs_filter_t;
/* Summaries of suspended runs, newest first; new reference. */
apr_status_t mastra_runs_list(mastra_json_t **psummaries, apr_int64_t *ptotal,
                              mastra_db_t *db,
                              const mastra_runs_filter_t *filter,
                              apr_pool_t *pool);

#endif
