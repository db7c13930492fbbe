#ifndef MASTRA_NET_JOBS_H
#define MASTRA_NET_JOBS_H

#include "loop.h"

/*
 * The child's pool of threads for blocking work that is not SQL. A job is
 * embedded in its owner's memory. run is called on a pool thread, done on the
 * loop afterwards. Any thread may push.
 */
typedef struct mastra_jobs_t mastra_jobs_t;

typedef struct mastra_job_t {
    struct mastra_job_t *next;
    void (*run)(struct mastra_job_t *job);
    void (*done)(struct mastra_job_t *job);
    mastra_msg_t msg;        /* the pool's, to reach the loop */
    mastra_jobs_t *jobs;
} mastra_job_t;

apr_status_t mastra_jobs_start(mastra_jobs_t **pjobs, mastra_loop_t *loop,
                               int threads, int max_queued, apr_pool_t *pool);
/* Stops the threads; what is queued is run first, foreign work (foreign.h) is
 * told to end. Stop the loop after it. Waits for limit at most (0: as long as
 * it takes) and returns how many jobs and pieces of foreign work are still
 * going on: they do no harm as long as the process does not unload their code
 * (their threads stop for good when they come back). */
int mastra_jobs_stop(mastra_jobs_t *jobs, apr_interval_time_t limit);
/* APR_EAGAIN when max_queued jobs wait: then neither callback comes. */
apr_status_t mastra_jobs_push(mastra_jobs_t *jobs, mastra_job_t *job);

/* Threads that print, read and free what is large, and do nothing else:
 * mastra_json_drop is carried out there. */
apr_status_t mastra_jobs_start_large(mastra_jobs_t **pjobs,
                                     mastra_loop_t *loop, apr_pool_t *pool);
void mastra_jobs_stop_large(mastra_jobs_t *jobs);        /* takes NULL */

/* work(baton) on a job thread, of which nobody hears. As for pushing. */
apr_status_t mastra_jobs_hand(mastra_jobs_t *jobs, void (*work)(void *baton),
                              void *baton);

/* 1 on a job thread. */
int mastra_jobs_is_current(void);
/* A job is about to wait for something that may need a job thread itself:
 * APR_EAGAIN when no other thread would be left for that. */
apr_status_t mastra_jobs_enter_wait(void);
void mastra_jobs_leave_wait(void);

#endif
