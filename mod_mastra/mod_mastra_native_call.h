#ifndef MOD_MASTRA_NATIVE_CALL_H
#define MOD_MASTRA_NATIVE_CALL_H

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "http/park.h"
#include "mod_mastra_native_ask.h"

/*
 * A call of another module on its way: opened by the caller's thread, begun
 * and ended on the loop. Its sink is a thread that waits, or callbacks.
 */
struct mastra_native_t {
    mastra_loop_t *loop;
    mastra_jobs_t *jobs;
    apr_thread_mutex_t *lock;    /* guards what follows */
    int nopen;
    int closed;                  /* no more calls */
    mastra_msg_t close_msg;
    mastra_call_t *open;         /* loop */
};

typedef enum {
    MASTRA_MSG_BEGIN, MASTRA_MSG_CANCEL, MASTRA_MSG_RESUME, MASTRA_MSGS
} mastra_native_msg_e;

/* A chunk that a waiting thread has not taken yet. */
typedef struct mastra_native_piece_t {
    struct mastra_native_piece_t *next;
    char *text;
    apr_size_t len;
} mastra_native_piece_t;

struct mastra_call_t {
    mastra_sink_t sink;          /* first */
    mastra_native_t *native;
    apr_pool_t *pool;            /* holds this */
    mastra_native_plan_t plan;   /* its work is the loop's; NULL: over, or there
                                    is none */
    struct mastra_native_later_t *later; /* or NULL: how to make the plan */
    apr_interval_time_t timeout;
    mastra_done_cb *done;        /* NULL: a thread waits */
    mastra_chunk_cb *chunk;
    void *baton;

    /* loop */
    mastra_call_t *next, *prev;
    int begun;
    int planning;                /* a job thread is at it, its pool is not ours */
    mastra_timer_t deadline;
    apr_status_t rv;

    apr_thread_mutex_t *lock;    /* guards what follows */
    apr_thread_cond_t *changed;
    int refs;
    int posted[MASTRA_MSGS];
    mastra_msg_t msgs[MASTRA_MSGS];
    int cancelled;
    int over;
    int paused;                  /* the work waits for room */
    int stopped;                 /* the chunk callback has enough */
    mastra_native_piece_t *first, **end;
    apr_size_t waiting;
};

/* Locks of this area are taken with signals held: prefork's exit waits for the
 * loop, which needs them. */
void mastra_native_lock(apr_thread_mutex_t *lock, sigset_t *signals);
void mastra_native_unlock(apr_thread_mutex_t *lock, const sigset_t *signals);

/* The host that answers for s; NULL: none. */
mastra_host_t *mastra_native_host(const server_rec *s,
                                  mastra_native_t **pnative);

/* A call that is ready to be begun, with the caller's reference. */
apr_status_t mastra_native_call_open(mastra_call_t **pcall,
                                     const mastra_ask_t *ask,
                                     mastra_native_ask_e what);
/* The same; what storage is asked for is asked once it has begun, not by this
 * thread. method and path: of memory. */
apr_status_t mastra_native_call_open_later(mastra_call_t **pcall,
                                           const mastra_ask_t *ask,
                                           mastra_native_ask_e what,
                                           const char *method,
                                           const char *path);
struct mastra_native_later_t *mastra_native_later_make(
    mastra_call_t *call, const mastra_ask_t *ask, mastra_native_ask_e what,
    const char *method, const char *path);
/* Loop: mastra_native_call_planned is called in the end, unless it fails. */
apr_status_t mastra_native_later_start(mastra_call_t *call);
void mastra_native_call_planned(mastra_call_t *call,
                                mastra_native_plan_t *plan, apr_status_t rv);
/* Gives up a call that was not begun. */
void mastra_native_call_drop(mastra_call_t *call);
void mastra_native_call_unref(mastra_call_t *call);

/* A message to the loop, which keeps the call alive; once on its way at most.
 * With the call's lock. 0: the loop takes none any more. */
int mastra_native_call_post(mastra_call_t *call, mastra_native_msg_e which);

void mastra_native_call_reply(mastra_reply_t *reply,
                              const mastra_native_plan_t *plan);
void mastra_native_pieces_free(mastra_native_piece_t *piece);

#endif
