#ifndef MASTRA_STORE_CHANNELS_H
#define MASTRA_STORE_CHANNELS_H

#include <errno.h>

#include "store.h"

/*
 * Threads as channels: mastra_x_channels says which run goes on for a thread
 * and who its owner is, mastra_x_queue what waits for it. Inside store jobs
 * only. Each claim raises the epoch; an owner's writes name the epoch that it
 * was given. All that changes a channel locks its row first.
 */
#define MASTRA_CHANNEL_STALE ESTALE  /* somebody else has claimed it */

typedef enum {
    MASTRA_CHANNEL_IDLE, MASTRA_CHANNEL_RUNNING, MASTRA_CHANNEL_SUSPENDED
} mastra_channel_status_e;

/* Texts live in the pool of the call. */
typedef struct {
    const char *id;
    const char *host, *resource, *thread;
    const char *agent, *run, *log;   /* of the present or last run */
    mastra_channel_status_e status;
    const char *owner;               /* address, "" for nobody */
    int epoch;
    int halt;                        /* an abort was asked for */
    apr_int64_t lease;               /* ms, database's clock */
    apr_int64_t now;                 /* when it was read */
} mastra_channel_row_t;

/* A lease that has ended: whoever the owner is, it may not write any more. */
int mastra_channel_lapsed(const mastra_channel_row_t *row);

/* The channel of a thread, without locking it; NOT_FOUND. */
apr_status_t mastra_channels_get(mastra_channel_row_t *row, mastra_db_t *db,
                                 const char *host, const char *resource,
                                 const char *thread, apr_pool_t *pool);
apr_status_t mastra_channels_get_id(mastra_channel_row_t *row, mastra_db_t *db,
                                    const char *id, apr_pool_t *pool);
/* The channel of a thread, made when it is missing, locked until the
 * transaction ends. */
apr_status_t mastra_channels_lock(mastra_channel_row_t *row, mastra_db_t *db,
                                  const char *host, const char *resource,
                                  const char *thread, apr_pool_t *pool);
/* The same for one that is there; NOT_FOUND. */
apr_status_t mastra_channels_lock_id(mastra_channel_row_t *row,
                                     mastra_db_t *db, const char *id,
                                     apr_pool_t *pool);
/* The channel whose run this is, not locked; NOT_FOUND when there is none
 * that is not idle. */
apr_status_t mastra_channels_of_run(mastra_channel_row_t *row, mastra_db_t *db,
                                    const char *host, const char *run,
                                    apr_pool_t *pool);

/* Makes owner the owner of a locked channel, for run, until lease has passed.
 * log NULL: a new one. row is brought up to date, and the claim is written to
 * the channel's own log. */
apr_status_t mastra_channels_claim(mastra_channel_row_t *row, mastra_db_t *db,
                                   const char *agent, const char *run,
                                   const char *log, const char *owner,
                                   apr_interval_time_t lease,
                                   apr_pool_t *pool);
/* The owner's last word: the channel becomes idle or suspended. STALE. */
apr_status_t mastra_channels_release(mastra_channel_row_t *row,
                                     mastra_db_t *db, const char *id,
                                     int epoch, mastra_channel_status_e status,
                                     apr_pool_t *pool);
/* Leaves a locked channel for others to take over, at once. */
apr_status_t mastra_channels_abandon(mastra_db_t *db, const char *id,
                                     apr_pool_t *pool);
/* STALE when the epoch has passed; *phalt: an abort was asked for. */
apr_status_t mastra_channels_check(int *phalt, mastra_db_t *db,
                                   const char *id, int epoch,
                                   apr_pool_t *pool);
/* Asks the owner of a locked channel to stop its run. */
apr_status_t mastra_channels_halt(mastra_db_t *db, const char *id,
                                  apr_pool_t *pool);

/* Extends all leases of owner; *prows: what it owns. */
apr_status_t mastra_channels_renew(mastra_channel_row_t **prows, int *pn,
                                   mastra_db_t *db, const char *owner,
                                   apr_interval_time_t lease,
                                   apr_pool_t *pool);
/* Ids of running channels whose lease has ended, up to 32. */
apr_status_t mastra_channels_lapsed(const char *const **pids, int *pn,
                                    mastra_db_t *db, const char *host,
                                    apr_pool_t *pool);
/* Ids of the running channels of an owner, up to 32. */
apr_status_t mastra_channels_of_owner(const char *const **pids, int *pn,
                                      mastra_db_t *db, const char *host,
                                      const char *owner, apr_pool_t *pool);
/* Channels that were claimed since a time (ms; negative: so long ago), ids and
 * epochs. */
apr_status_t mastra_channels_changed(mastra_channel_row_t **prows, int *pn,
                                     apr_int64_t *pnow, mastra_db_t *db,
                                     apr_int64_t since, apr_pool_t *pool);
/* Claims after an epoch, from the channel's own log: {run, log} by epoch. */
typedef struct {
    int epoch;
    const char *run, *log;
} mastra_channel_claim_t;
apr_status_t mastra_channels_claims(mastra_channel_claim_t **pclaims, int *pn,
                                    mastra_db_t *db, const char *id,
                                    int after, apr_pool_t *pool);
/* Drops idle channels that nobody has used for age. */
apr_status_t mastra_channels_sweep(int *pgone, mastra_db_t *db,
                                   apr_interval_time_t age, apr_pool_t *pool);

/* ---- the queue ---- */

/* Waiting for the run that is active, or to be a run of its own. */
#define MASTRA_QUEUE_DELIVER "deliver"
#define MASTRA_QUEUE_NEXT "next"
#define MASTRA_QUEUE_MAX 1000        /* of one channel */

typedef struct {
    int place;
    const char *kind;
    const char *run;             /* that it goes into, or that it becomes */
    const char *text;            /* JSON */
} mastra_queue_item_t;

/* Behind all others of a locked channel. MASTRA_STORE_BUSY: full. */
apr_status_t mastra_queue_push(mastra_db_t *db, const char *channel,
                               const char *kind, const char *run,
                               const char *text, apr_pool_t *pool);
/* The first of a channel: what was to be delivered before what is next.
 * NOT_FOUND: nothing waits. */
apr_status_t mastra_queue_first(mastra_queue_item_t *item, mastra_db_t *db,
                                const char *channel, apr_pool_t *pool);
/* The row that a run begins with, until its message is stored. */
apr_status_t mastra_queue_of_run(mastra_queue_item_t *item, mastra_db_t *db,
                                 const char *channel, const char *run,
                                 apr_pool_t *pool);
/* What is to be delivered, up to 32 of them in order, taken out. */
apr_status_t mastra_queue_take(mastra_queue_item_t **pitems, int *pn,
                               mastra_db_t *db, const char *channel,
                               apr_pool_t *pool);
/* What was to be delivered is next. */
apr_status_t mastra_queue_promote(mastra_db_t *db, const char *channel,
                                  int place, const char *run,
                                  apr_pool_t *pool);
apr_status_t mastra_queue_drop(mastra_db_t *db, const char *channel, int place,
                               apr_pool_t *pool);

#endif
