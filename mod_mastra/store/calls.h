#ifndef MASTRA_STORE_CALLS_H
#define MASTRA_STORE_CALLS_H

#include "runs.h"

/*
 * What calls have come to that change this database (mastra_x_calls): written
 * in the transaction of the change itself, so that a run that is gone on with
 * finds whether a call was made. Inside store jobs only.
 */

/* A run that somebody has, as its row of mastra_x_runs says: the owner's writes
 * hold as long as the epoch is this one. */
typedef struct {
    const char *host, *id;           /* id NULL: no run that is stored */
    int epoch;
} mastra_owned_t;

/* What the call at a place of the run came to. NOT_FOUND: it was not made;
 * MASTRA_STORE_STALE: the run is another owner's by now. Until the commit
 * nobody else gets the run. New reference. */
apr_status_t mastra_calls_find(mastra_json_t **poutcome, mastra_db_t *db,
                               const mastra_owned_t *owned, const char *place,
                               apr_pool_t *pool);
/* It was made now. */
apr_status_t mastra_calls_put(mastra_db_t *db, const mastra_owned_t *owned,
                              const char *place, const mastra_json_t *outcome,
                              apr_pool_t *pool);
/* Nobody will ask for the run's any more. */
apr_status_t mastra_calls_drop(mastra_db_t *db, const char *run,
                               apr_pool_t *pool);
/* Drops those of runs that are over, or not there any more, of such an age. */
apr_status_t mastra_calls_sweep(mastra_db_t *db, apr_interval_time_t age,
                                apr_pool_t *pool);

#endif
