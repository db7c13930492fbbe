/* Threads for blocking work whose result goes back to the loop. */

#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "jobs_internal.h"

/* jobs that wait for the end of the loop's turn before a thread is woken */
#define LATER_MAX 32

static __thread mastra_jobs_t *of_this_thread;

void mastra_net_until(struct timespec *until, apr_interval_time_t time)
{
    clock_gettime(CLOCK_MONOTONIC, until);
    until->tv_sec += (time_t)apr_time_sec(time);
    until->tv_nsec += (long)apr_time_usec(time) * 1000;
    if (until->tv_nsec >= 1000000000L) {
        until->tv_sec++;
        until->tv_nsec -= 1000000000L;
    }
}

void mastra_net_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void done_cb(void *baton)
{
    mastra_job_t *job = baton;

    job->done(job);
}

/* 1: an idle thread is to be woken. Not while one is on its way, which asks the
 * same when it comes: many short jobs at once are not to cost a wake each. With
 * the lock. */
static int must_wake(mastra_jobs_t *jobs)
{
    if (!jobs->first || !jobs->idle || jobs->waking) {
        return 0;
    }
    jobs->waking = 1;
    return 1;
}

/* The next job; NULL when all are run and the pool stops. With the lock. */
static mastra_job_t *take(mastra_jobs_t *jobs)
{
    mastra_job_t *job;

    while (!jobs->first && !jobs->stopping) {
        jobs->idle++;
        pthread_cond_wait(&jobs->work, &jobs->lock);
        jobs->idle--;
        jobs->waking = 0;
    }
    job = jobs->first;
    if (job) {
        jobs->first = job->next;
        if (!jobs->first) {
            jobs->end = &jobs->first;
        }
        jobs->queued--;
    }
    return job;
}

/* Nobody has waited for this thread: the loop may be gone, and the process is
 * about to end. */
static void park_for_good(mastra_jobs_t *jobs)
{
    pthread_mutex_unlock(&jobs->lock);
    for (;;) {
        pause();
    }
}

static void *APR_THREAD_FUNC run_jobs(apr_thread_t *thread, void *baton)
{
    mastra_jobs_t *jobs = baton;
    mastra_job_t *job;
    int wake;

    (void)thread;
    mastra_net_thread_name("mastra-job");
    of_this_thread = jobs;
    pthread_mutex_lock(&jobs->lock);
    while ((job = take(jobs)) != NULL) {
        wake = must_wake(jobs);
        pthread_mutex_unlock(&jobs->lock);
        if (wake) {
            pthread_cond_signal(&jobs->work);
        }
        job->run(job);
        pthread_mutex_lock(&jobs->lock);
        if (jobs->abandoned) {
            park_for_good(jobs);
        }
        job->msg.cb = done_cb;
        job->msg.baton = job;
        mastra_loop_post(jobs->loop, &job->msg);
    }
    jobs->running--;
    pthread_cond_broadcast(&jobs->over);
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

int mastra_jobs_is_unused(const mastra_jobs_t *jobs)
{
    return jobs->stopped && !jobs->nforeign && !jobs->wakes_later;
}

static void wake_cb(void *baton)
{
    mastra_jobs_t *jobs = baton;
    int last;

    pthread_mutex_lock(&jobs->lock);
    jobs->wakes_later = 0;
    if (must_wake(jobs)) {
        pthread_cond_signal(&jobs->work);
    }
    last = mastra_jobs_is_unused(jobs);
    pthread_mutex_unlock(&jobs->lock);
    if (last) {
        mastra_jobs_free(jobs);
    }
}

/* What the loop hands over in one turn costs one wake, unless it is much. 1: a
 * thread is to be woken now. With the lock. */
static int note_push(mastra_jobs_t *jobs)
{
    if (!mastra_loop_is_current(jobs->loop) || jobs->queued >= LATER_MAX) {
        return must_wake(jobs);
    }
    if (!jobs->wakes_later && jobs->idle && !jobs->waking) {
        jobs->wakes_later = 1;
        jobs->wake.cb = wake_cb;
        jobs->wake.baton = jobs;
        mastra_loop_defer(jobs->loop, &jobs->wake);
    }
    return 0;
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
        wake = note_push(jobs);
        rv = APR_SUCCESS;
    }
    pthread_mutex_unlock(&jobs->lock);
    if (wake) {
        pthread_cond_signal(&jobs->work);
    }
    return rv;
}

int mastra_jobs_is_current(void)
{
    return of_this_thread != NULL;
}

apr_status_t mastra_jobs_enter_wait(void)
{
    mastra_jobs_t *jobs = of_this_thread;
    int may;

    pthread_mutex_lock(&jobs->lock);
    may = jobs->waiting + 1 < jobs->nthreads;
    jobs->waiting += may;
    pthread_mutex_unlock(&jobs->lock);
    return may ? APR_SUCCESS : APR_EAGAIN;
}

void mastra_jobs_leave_wait(void)
{
    mastra_jobs_t *jobs = of_this_thread;

    pthread_mutex_lock(&jobs->lock);
    jobs->waiting--;
    pthread_mutex_unlock(&jobs->lock);
}

/* The pool goes without mastra_jobs_stop having been called. */
static apr_status_t stop_cleanup(void *baton)
{
    mastra_jobs_stop(baton, 0);
    return APR_SUCCESS;
}

/* Memory of its own: threads that nobody waits for still look at it. */
static apr_status_t make(mastra_jobs_t **pjobs)
{
    apr_pool_t *own;
    mastra_jobs_t *jobs;
    apr_status_t rv = apr_pool_create_unmanaged(&own);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_tag(own, "mastra_jobs");
    jobs = apr_pcalloc(own, sizeof(*jobs));
    jobs->own = own;
    jobs->end = &jobs->first;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->work, NULL);
    mastra_net_cond_init(&jobs->over);
    *pjobs = jobs;
    return APR_SUCCESS;
}

apr_status_t mastra_jobs_start(mastra_jobs_t **pjobs, mastra_loop_t *loop,
                               int threads, int max_queued, apr_pool_t *pool)
{
    mastra_jobs_t *jobs;
    apr_status_t rv = make(&jobs);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    jobs->loop = loop;
    jobs->pool = pool;
    jobs->max_queued = max_queued;
    jobs->threads = apr_pcalloc(jobs->own, (apr_size_t)threads
                                           * sizeof(*jobs->threads));
    apr_pool_pre_cleanup_register(pool, jobs, stop_cleanup);
    while (jobs->nthreads < threads) {
        pthread_mutex_lock(&jobs->lock);
        jobs->running++;
        pthread_mutex_unlock(&jobs->lock);
        rv = mastra_net_thread(&jobs->threads[jobs->nthreads], run_jobs, jobs,
                               jobs->own);
        if (rv != APR_SUCCESS) {
            jobs->running--;
            mastra_jobs_stop(jobs, 0);
            return rv;
        }
        jobs->nthreads++;
    }
    *pjobs = jobs;
    return APR_SUCCESS;
}

/* ---- the end ---- */

static int left(const mastra_jobs_t *jobs)
{
    return jobs->running + jobs->held;
}

/* With the lock. */
static void wait_for_all(mastra_jobs_t *jobs, apr_interval_time_t limit)
{
    struct timespec until;
    int rv = 0;

    mastra_net_until(&until, limit);
    while (left(jobs) && rv != ETIMEDOUT) {
        rv = limit ? pthread_cond_timedwait(&jobs->over, &jobs->lock, &until)
                   : pthread_cond_wait(&jobs->over, &jobs->lock);
    }
}

void mastra_jobs_free(mastra_jobs_t *jobs)
{
    pthread_cond_destroy(&jobs->work);
    pthread_cond_destroy(&jobs->over);
    pthread_mutex_destroy(&jobs->lock);
    apr_pool_destroy(jobs->own);
}

int mastra_jobs_stop(mastra_jobs_t *jobs, apr_interval_time_t limit)
{
    apr_status_t rv;
    int n, unused;

    apr_pool_cleanup_kill(jobs->pool, jobs, stop_cleanup);
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = 1;
    pthread_cond_broadcast(&jobs->work);
    mastra_foreign_cancel_all(jobs);
    wait_for_all(jobs, limit);
    n = left(jobs);
    jobs->abandoned = n > 0;
    pthread_mutex_unlock(&jobs->lock);
    if (n) {
        return n;
    }
    while (jobs->nthreads > 0) {
        apr_thread_join(&rv, jobs->threads[--jobs->nthreads]);
    }
    pthread_mutex_lock(&jobs->lock);
    jobs->stopped = 1;
    unused = mastra_jobs_is_unused(jobs);
    pthread_mutex_unlock(&jobs->lock);
    if (unused) {
        mastra_jobs_free(jobs);
    }
    return 0;
}
