#ifndef MASTRA_STORE_EVENTS_H
#define MASTRA_STORE_EVENTS_H

#include <errno.h>

#include "store.h"

/*
 * mastra_x_events: what runs have said, in batches: one row is a piece of one
 * log, frames that end with a newline each. Inside store jobs only.
 */
#define MASTRA_EVENTS_STALE ESTALE   /* the log has another owner by now */

/* Frames seq to newest of a log. */
typedef struct {
    const char *log;
    apr_int64_t seq, newest;
    int epoch;                   /* of the writer's claim */
    const char *frames;          /* newest - seq + 1 lines */
} mastra_events_row_t;

/* STALE when a later epoch has written to the log, or ended it: nothing is
 * written then. */
apr_status_t mastra_events_append(mastra_db_t *db,
                                  const mastra_events_row_t *row,
                                  apr_pool_t *pool);
/* Marks the end of a log. complete 0: its writer has frames in hand that will
 * still come. */
apr_status_t mastra_events_end(mastra_db_t *db, const char *log, int epoch,
                               int complete, apr_pool_t *pool);

typedef struct {
    const mastra_events_row_t *rows; /* in order, nrows of them, from pool */
    int nrows;
    int more;                    /* 1: limit was reached */
    int ended;                   /* 1: the log's end is marked, 2: and all
                                    that it says is stored */
} mastra_events_page_t;
/* Rows that hold frames after a sequence, of about limit bytes in all, at
 * least one. */
apr_status_t mastra_events_read(mastra_events_page_t *page, mastra_db_t *db,
                                const char *log, apr_int64_t after,
                                apr_size_t limit, apr_pool_t *pool);
/* The newest sequence; 0: nothing is stored. */
apr_status_t mastra_events_newest(apr_int64_t *pseq, mastra_db_t *db,
                                  const char *log, apr_pool_t *pool);

/* A new owner's numbers begin so much higher: what the old one sent to others
 * and had not written is not mistaken for what the new one says. */
#define MASTRA_EVENTS_JUMP 1000000
/* The newest sequence of a log that was another process's, by the one that is
 * stored: 1 where none is, as what was said and not written may have been
 * seen. */
apr_int64_t mastra_events_said(apr_int64_t stored);
/* The same, looked up. */
apr_status_t mastra_events_taken(apr_int64_t *pseq, mastra_db_t *db,
                                 const char *log, apr_pool_t *pool);
/* Drops the rows of a log that lie wholly before a sequence. */
apr_status_t mastra_events_trim(mastra_db_t *db, const char *log,
                                apr_int64_t before, apr_pool_t *pool);
/* Drops what is older than age, or older than kept_age where a channel still
 * has the log. */
apr_status_t mastra_events_sweep(int *pgone, mastra_db_t *db,
                                 apr_interval_time_t age,
                                 apr_interval_time_t kept_age,
                                 apr_pool_t *pool);

#endif
