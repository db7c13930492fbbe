#ifndef MASTRA_RUN_INTERNAL_H
#define MASTRA_RUN_INTERNAL_H

#include <apr_hash.h>

#include "event.h"
#include "ring.h"

/*
 * Inside run/: the logs (event.c), who reads them here (event_follow.c), what
 * is written to storage (event_flush.c), and what goes to and comes from other
 * children (event_mirror.c). Loop thread, but for the work of store jobs.
 */

#define MASTRA_LOG_RING (1024 * 1024)        /* bytes in memory */
#define MASTRA_LOG_UNWRITTEN (4 * 1024 * 1024)
#define MASTRA_LOG_STORED (32 * 1024 * 1024) /* bytes in storage */

typedef struct mastra_flusher_t mastra_flusher_t;
typedef struct mastra_remote_t mastra_remote_t;

struct mastra_events_t {
    apr_pool_t *pool;
    mastra_loop_t *loop;
    mastra_bus_t *bus;
    apr_hash_t *logs;            /* by key */
    mastra_flusher_t *flushers;  /* one per store */
    void (*dead)(void *baton, const char *address);
    void *dead_baton;
    void (*written)(void *baton);    /* who waits until all is */
    void *written_baton;
};

struct mastra_log_t {
    mastra_events_t *events;
    mastra_store_t *store;
    char *key;
    mastra_ring_t ring;
    mastra_follower_t *followers;
    int busy;                    /* pumping: not to be freed now */
    int ended;                   /* no frame comes after the ring's last */

    /* the owner's */
    int owned;                   /* until it is closed and written */
    int closed;
    int lost;                    /* becomes a mirror once it is written */
    int epoch;
    apr_int64_t next;            /* sequence of the next frame */
    const mastra_log_cbs_t *cbs; /* NULL after it was closed */
    void *baton;
    apr_int64_t written;         /* newest sequence in storage */
    apr_size_t unwritten;        /* bytes */
    int full;                    /* append said 0, room is owed */
    int dirty;                   /* in one of the flusher's lists, */
    int urgent;                  /* in that of those which do not wait */
    mastra_log_t *next_dirty, **at_dirty;
    apr_int64_t sync_to;         /* synced is called when that is written */
    void (*synced)(void *baton);
    void *sync_baton;
    apr_size_t stored;           /* bytes since half */
    apr_int64_t half, before_half;   /* where storage was half full */
    mastra_remote_t *remotes;
    mastra_timer_t lingers;      /* closed: not to be freed yet */
    mastra_timer_t retry;        /* a remote was busy */
    mastra_msg_t turn;           /* remotes are given something */
    int deferred;                /* turn is on its way */

    /* a mirror's */
    char *owner;                 /* address, or NULL */
    mastra_timer_t tick;
    apr_time_t heard_at;         /* last sign of the owner */
    apr_time_t marked_at;        /* when storage first said that it ended */
    struct mastra_log_read_t *read; /* under way, fills the ring */
    int behind;                  /* the owner said: look at storage */
};

/* ---- event.c ---- */

mastra_log_t *mastra_log_find(mastra_events_t *events, const char *key);
/* Finds or makes. */
mastra_log_t *mastra_log_need(mastra_events_t *events, mastra_store_t *store,
                              const char *key, apr_int64_t after);
/* Frees readers that are gone, and a log that nobody needs. */
void mastra_log_settle(mastra_log_t *log);
/* The owner's last frame is stored, or never will be. */
void mastra_log_disown(mastra_log_t *log);
/* Gives all readers what is new. */
void mastra_log_pump(mastra_log_t *log);

/* ---- event_flush.c ---- */

void mastra_log_dirty(mastra_log_t *log);
/* Writes as soon as possible. */
void mastra_log_hurry(mastra_log_t *log);

/* ---- event_follow.c ---- */

void mastra_followers_pump(mastra_log_t *log);
/* Frees those that are gone; the log is not busy. */
void mastra_followers_reap(mastra_log_t *log);
int mastra_followers_count(const mastra_log_t *log);

/* A piece of a log read from storage; malloc'ed texts. */
typedef struct mastra_log_read_t {
    mastra_store_t *store;
    mastra_loop_t *loop;
    char *key;
    apr_int64_t after;
    mastra_store_job_t job;
    mastra_msg_t msg;
    apr_status_t rv;
    char *text;                  /* lines */
    apr_int64_t *seqs;           /* of each line */
    int nlines;
    int more, ended;
    void (*done)(void *baton);
    void *baton;
} mastra_log_read_t;
/* done comes on the loop; free the result then. NULL when storage is busy. */
mastra_log_read_t *mastra_log_read(mastra_log_t *log, apr_int64_t after,
                                   void (*done)(void *baton), void *baton);
void mastra_log_read_free(mastra_log_read_t *read);

/* ---- event_mirror.c ---- */

void mastra_remotes_pump(mastra_log_t *log);
void mastra_remotes_free(mastra_log_t *log);
int mastra_remotes_count(const mastra_log_t *log);
/* A mirror begins or goes on to be fed. */
void mastra_mirror_start(mastra_log_t *log);
void mastra_mirror_stop(mastra_log_t *log);

#endif
