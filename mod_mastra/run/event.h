#ifndef MASTRA_RUN_EVENT_H
#define MASTRA_RUN_EVENT_H

#include "../net/bus.h"
#include "../net/loop.h"
#include "../store/store.h"
#include "sink.h"

/*
 * Event logs: what runs say, numbered, kept for a while, followed from any
 * child. A log is a list of frames: one line of text each, in practice the
 * JSON of a chunk. All calls on the loop thread; callbacks may call anything
 * here.
 */
typedef struct mastra_events_t mastra_events_t;      /* the child's logs */
typedef struct mastra_log_t mastra_log_t;
typedef struct mastra_follower_t mastra_follower_t;

/* bus may be NULL: there are no siblings. */
mastra_events_t *mastra_events_make(mastra_loop_t *loop, mastra_bus_t *bus,
                                    apr_pool_t *pool);

/* ---- writing: the owner ---- */

typedef struct {
    /* there is room again after append said 0 */
    void (*room)(void *baton);
    /* another owner has written to the log: stop */
    void (*stale)(void *baton);
} mastra_log_cbs_t;

/* Opens a log as its owner, after the newest sequence that is stored. cbs may
 * be NULL. */
mastra_log_t *mastra_log_open(mastra_events_t *events, mastra_store_t *store,
                              const char *key, int epoch, apr_int64_t after,
                              const mastra_log_cbs_t *cbs, void *baton);
/* A frame without line ends. 0: taken, but no more until room. */
int mastra_log_append(mastra_log_t *log, const char *frame, apr_size_t len);
/* A chunk, as a frame; one that is too large for any frame is left out. */
int mastra_log_chunk(mastra_log_t *log, const mastra_json_t *chunk);
/* The same with a delta as text, see mastra_sink_vtable_t. */
int mastra_log_text(mastra_log_t *log, const char *run_id, const char *type,
                    const char *id, const char *text, apr_size_t len);
/* The sequence of the newest frame; 0: there is none. */
apr_int64_t mastra_log_last(const mastra_log_t *log);
/* Has written what was said, soon; done is called then, or when that is given
 * up, unless the log is closed before. 0: there is nothing to wait for. */
int mastra_log_sync(mastra_log_t *log, void (*done)(void *baton), void *baton);
/* The owner is done. ended: so is the log, else somebody may go on with it.
 * What is not written yet is; log is not to be used any more. */
void mastra_log_close(mastra_log_t *log, int ended);
/* What all logs have said is written at once; done is called when it is, or is
 * given up. For a child that ends: once. */
void mastra_events_write_all(mastra_events_t *events,
                             void (*done)(void *baton), void *baton);
/* Instead of closing: somebody else has gone on with the log. Who follows it
 * here sees what that one says; log is not to be used any more. */
void mastra_log_lose(mastra_log_t *log);

/* ---- reading ---- */

typedef struct {
    /* 0: taken, but no more until mastra_follower_resume */
    int (*frame)(void *baton, const char *frame, apr_size_t len,
                 apr_int64_t seq);
    /* Last: the log has ended and all was given (APR_SUCCESS), or cannot be
     * read. The follower is gone. */
    void (*end)(void *baton, apr_status_t rv);
} mastra_follower_cbs_t;

/* Frames after a sequence, those that are there and those to come. owner: the
 * address of who writes, NULL when it is not known or nobody does now. */
mastra_follower_t *mastra_log_follow(mastra_events_t *events,
                                     mastra_store_t *store, const char *key,
                                     const char *owner, apr_int64_t after,
                                     const mastra_follower_cbs_t *cbs,
                                     void *baton);
void mastra_follower_resume(mastra_follower_t *follower);
/* No callback comes any more; the follower is gone. */
void mastra_follower_stop(mastra_follower_t *follower);
/* What is mirrored here may have a new owner. */
void mastra_log_owner(mastra_events_t *events, const char *key,
                      const char *owner);
/* What is mirrored here has been silent: storage is looked at, unless it has an
 * owner near by, who is asked anyway. */
void mastra_log_doubt(mastra_events_t *events, const char *key);

/* ---- the bus ---- */

/* Messages with these kinds belong to the logs. */
enum { MASTRA_BUS_FOLLOW = 1, MASTRA_BUS_LEAVE, MASTRA_BUS_DATA,
       MASTRA_BUS_NONE, MASTRA_BUS_LOGS_END };
void mastra_events_message(mastra_events_t *events, const char *from,
                           const mastra_bus_msg_t *msg);
/* The bus is closed: what others write is found in storage. */
void mastra_events_leave_bus(mastra_events_t *events);
/* An owner cannot be reached: it has died. Told once per failed attempt. */
void mastra_events_on_dead(mastra_events_t *events,
                           void (*cb)(void *baton, const char *address),
                           void *baton);

/* How much is in memory, for tests. */
typedef struct {
    int logs, followers, remotes;
    apr_size_t bytes;
} mastra_events_stats_t;
void mastra_events_stats(const mastra_events_t *events,
                         mastra_events_stats_t *stats);

#endif
