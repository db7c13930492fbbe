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
/* Joins the threads; what is queued is run first. Stop the loop after it. */
void mastra_jobs_stop(mastra_jobs_t *jobs);
/* APR_EAGAIN when max_queued jobs wait: then neither callback comes. */
apr_status_t mastra_jobs_push(mastra_jobs_t *jobs, mastra_job_t *job);

#endif
