#ifndef MASTRA_NET_JOBS_INTERNAL_H
#define MASTRA_NET_JOBS_INTERNAL_H

#include <pthread.h>

#include "foreign.h"
#include "internal.h"
#include "jobs.h"

/*
 * What jobs.c and foreign.c share.
 */
struct mastra_jobs_t {
    mastra_loop_t *loop;
    apr_pool_t *pool;        /* whose end stops the threads */
    apr_pool_t *own;         /* holds this, goes when all threads have */
    apr_thread_t **threads;
    int nthreads;
    int max_queued;

    pthread_mutex_t lock;    /* guards what follows */
    pthread_cond_t work;
    pthread_cond_t over;     /* running or held went down */
    mastra_job_t *first;
    mastra_job_t **end;
    int queued;
    int idle;                /* threads that wait on work */
    int waking;              /* one of them was told and has not come */
    mastra_msg_t wake;       /* the loop wakes one at the end of its turn */
    int wakes_later;
    int waiting;             /* jobs that wait for other jobs */
    int running;             /* threads that have not ended */
    int stopping;
    int abandoned;           /* nobody waits for threads any more */
    int stopped;             /* threads are gone: the last foreign work frees */
    int held;                /* foreign work that has left its job thread */
    mastra_foreign_t *foreign;
    int nforeign;
};

/* Whether this is to be freed by who asks, as nothing uses it any more. With
 * the lock. */
int mastra_jobs_is_unused(const mastra_jobs_t *jobs);

void mastra_jobs_free(mastra_jobs_t *jobs);
/* A condition whose clock does not jump, and a point on it. */
void mastra_net_cond_init(pthread_cond_t *cond);
void mastra_net_until(struct timespec *until, apr_interval_time_t time);

/* With the lock. */
void mastra_foreign_cancel_all(mastra_jobs_t *jobs);

#endif
