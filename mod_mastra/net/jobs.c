/* Threads for blocking work whose result goes back to the loop. */

#include <errno.h>
#include <pthread.h>

#include "internal.h"
#include "jobs.h"

struct mastra_jobs_t {
    mastra_loop_t *loop;
    apr_pool_t *pool;
    apr_thread_t **threads;
    int nthreads;
    int max_queued;

    pthread_mutex_t lock;    /* guards what follows */
    pthread_cond_t work;
    mastra_job_t *first;
    mastra_job_t **end;
    int queued;
    int idle;                /* threads that wait on work */
    int stopping;
};

static void done_cb(void *baton)
{
    mastra_job_t *job = baton;

    job->done(job);
}

/* The next job; NULL when all are run and the pool stops. */
static mastra_job_t *take(mastra_jobs_t *jobs)
{
    mastra_job_t *job;

    pthread_mutex_lock(&jobs->lock);
    while (!jobs->first && !jobs->stopping) {
        jobs->idle++;
        pthread_cond_wait(&jobs->work, &jobs->lock);
        jobs->idle--;
    }
    job = jobs->first;
    if (job) {
        jobs->first = job->next;
        if (!jobs->first) {
            jobs->end = &jobs->first;
        }
        jobs->queued--;
    }
    pthread_mutex_unlock(&jobs->lock);
    return job;
}

static void *APR_THREAD_FUNC run_jobs(apr_thread_t *thread, void *baton)
{
    mastra_jobs_t *jobs = baton;
    mastra_job_t *job;

    mastra_net_thread_name("mastra-job");
    while ((job = take(jobs)) != NULL) {
        job->run(job);
        job->msg.cb = done_cb;
        job->msg.baton = job;
        mastra_loop_post(jobs->loop, &job->msg);
    }
    return NULL;
}

apr_status_t mastra_jobs_push(mastra_jobs_t *jobs, mastra_job_t *job)
{
    apr_status_t rv = APR_EAGAIN;
    int wake = 0;

    job->next = NULL;
    job->jobs = jobs;
    pthread_mutex_lock(&jobs->lock);
    if (jobs->queued < jobs->max_queued && !jobs->stopping) {
        *jobs->end = job;
        jobs->end = &job->next;
        jobs->queued++;
        wake = jobs->idle;
        rv = APR_SUCCESS;
    }
    pthread_mutex_unlock(&jobs->lock);
    if (wake) {
        pthread_cond_signal(&jobs->work);
    }
    return rv;
}

/* The pool goes without mastra_jobs_stop having been called. */
static apr_status_t stop_cleanup(void *baton)
{
    mastra_jobs_stop(baton);
    return APR_SUCCESS;
}

apr_status_t mastra_jobs_start(mastra_jobs_t **pjobs, mastra_loop_t *loop,
                               int threads, int max_queued, apr_pool_t *pool)
{
    mastra_jobs_t *jobs = apr_pcalloc(pool, sizeof(*jobs));
    apr_status_t rv;

    jobs->loop = loop;
    jobs->pool = pool;
    jobs->max_queued = max_queued;
    jobs->end = &jobs->first;
    jobs->threads = apr_pcalloc(pool, (apr_size_t)threads
                                      * sizeof(*jobs->threads));
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->work, NULL);
    apr_pool_pre_cleanup_register(pool, jobs, stop_cleanup);
    while (jobs->nthreads < threads) {
        rv = mastra_net_thread(&jobs->threads[jobs->nthreads], run_jobs, jobs,
                               pool);
        if (rv != APR_SUCCESS) {
            mastra_jobs_stop(jobs);
            return rv;
        }
        jobs->nthreads++;
    }
    *pjobs = jobs;
    return APR_SUCCESS;
}

void mastra_jobs_stop(mastra_jobs_t *jobs)
{
    apr_status_t rv;

    apr_pool_cleanup_kill(jobs->pool, jobs, stop_cleanup);
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = 1;
    pthread_cond_broadcast(&jobs->work);
    pthread_mutex_unlock(&jobs->lock);
    while (jobs->nthreads > 0) {
        apr_thread_join(&rv, jobs->threads[--jobs->nthreads]);
    }
    pthread_cond_destroy(&jobs->work);
    pthread_mutex_destroy(&jobs->lock);
}
