#ifndef MASTRA_NET_FOREIGN_H
#define MASTRA_NET_FOREIGN_H

#include <pthread.h>

#include "jobs.h"

/*
 * Foreign work: a call of code that this program does not know. It runs on a
 * job thread, may hand itself on to threads of its own, may take long, and may
 * never come back. So it has memory of its own, it is told to end by a flag
 * and a callback, and whoever waits for it can stop waiting at any time.
 *
 * References: its owner on the loop has one, the job one, and code that goes
 * on after the job one more. The last to be dropped frees the memory.
 */
typedef struct mastra_foreign_t mastra_foreign_t;
struct mastra_foreign_t {
    mastra_job_t job;                /* first */
    mastra_jobs_t *jobs;
    mastra_foreign_t *next, *prev;   /* of the child's */
    apr_pool_t *pool;                /* holds this; one thread at a time */
    void (*run)(mastra_foreign_t *foreign);  /* job thread */
    void (*done)(mastra_foreign_t *foreign); /* loop, after run */

    pthread_mutex_t lock;            /* guards what follows */
    pthread_cond_t changed;
    int refs;
    int begun;
    int cancelled;
    void (*cancel_cb)(void *baton);
    void *cancel_baton;
};

/* Zero-filled memory of size bytes that begins with a mastra_foreign_t; the
 * caller has the reference. */
apr_status_t mastra_foreign_make(mastra_foreign_t **pforeign,
                                 mastra_jobs_t *jobs, apr_size_t size);
/* Queues the work; run and done are set. APR_EAGAIN: no room, neither comes.
 * Work that is cancelled before it has begun is not run; done comes. */
apr_status_t mastra_foreign_start(mastra_foreign_t *foreign);

/* Any thread. */
void mastra_foreign_unref(mastra_foreign_t *foreign);
/* A reference of code that may go on after its job: a stopping child waits
 * for it as it waits for jobs. */
void mastra_foreign_hold(mastra_foreign_t *foreign);
void mastra_foreign_release(mastra_foreign_t *foreign);
/* Sets the flag, ends sleeps, calls the callback: at its first call only.
 * Returns 1 when run was called, 0 when it will not be. */
int mastra_foreign_cancel(mastra_foreign_t *foreign);
int mastra_foreign_is_cancelled(mastra_foreign_t *foreign);
/* APR_SUCCESS when the time is over, APR_ECONNABORTED when it was cancelled. */
apr_status_t mastra_foreign_sleep(mastra_foreign_t *foreign,
                                  apr_interval_time_t time);
/* Called with the work's lock held, from any thread, at most once; at once
 * when it was cancelled already. NULL: none any more. */
void mastra_foreign_on_cancel(mastra_foreign_t *foreign,
                              void (*cb)(void *baton), void *baton);

/* For code that shares lock: waits on changed for time at most. */
void mastra_foreign_wait(mastra_foreign_t *foreign, apr_interval_time_t time);

#endif
