/* Foreign work: memory, references, and how it is told to end. */

#include <errno.h>
#include <time.h>

#include "jobs_internal.h"
#include "../base/pool.h"

/* ---- life ---- */

static void enlist(mastra_foreign_t *foreign)
{
    mastra_jobs_t *jobs = foreign->jobs;

    pthread_mutex_lock(&jobs->lock);
    foreign->next = jobs->foreign;
    if (foreign->next) {
        foreign->next->prev = foreign;
    }
    jobs->foreign = foreign;
    jobs->nforeign++;
    pthread_mutex_unlock(&jobs->lock);
}

static void delist(mastra_foreign_t *foreign)
{
    mastra_jobs_t *jobs = foreign->jobs;
    int last;

    pthread_mutex_lock(&jobs->lock);
    if (foreign->prev) {
        foreign->prev->next = foreign->next;
    }
    else {
        jobs->foreign = foreign->next;
    }
    if (foreign->next) {
        foreign->next->prev = foreign->prev;
    }
    jobs->nforeign--;
    last = mastra_jobs_is_unused(jobs);
    pthread_mutex_unlock(&jobs->lock);
    if (last) {
        mastra_jobs_free(jobs);
    }
}

apr_status_t mastra_foreign_make(mastra_foreign_t **pforeign,
                                 mastra_jobs_t *jobs, apr_size_t size)
{
    mastra_foreign_t *foreign;
    apr_pool_t *pool;
    apr_status_t rv = mastra_pool_make(&pool, "mastra_foreign");

    if (rv) {
        return rv;
    }
    foreign = apr_pcalloc(pool, size);
    foreign->pool = pool;
    foreign->jobs = jobs;
    foreign->refs = 1;
    pthread_mutex_init(&foreign->lock, NULL);
    mastra_net_cond_init(&foreign->changed);
    enlist(foreign);
    *pforeign = foreign;
    return APR_SUCCESS;
}

static void ref(mastra_foreign_t *foreign)
{
    pthread_mutex_lock(&foreign->lock);
    foreign->refs++;
    pthread_mutex_unlock(&foreign->lock);
}

void mastra_foreign_unref(mastra_foreign_t *foreign)
{
    int refs;

    pthread_mutex_lock(&foreign->lock);
    refs = --foreign->refs;
    pthread_mutex_unlock(&foreign->lock);
    if (!refs) {
        delist(foreign);
        pthread_cond_destroy(&foreign->changed);
        pthread_mutex_destroy(&foreign->lock);
        apr_pool_destroy(foreign->pool);
    }
}

static void count_held(mastra_jobs_t *jobs, int change)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->held += change;
    pthread_cond_broadcast(&jobs->over);
    pthread_mutex_unlock(&jobs->lock);
}

void mastra_foreign_hold(mastra_foreign_t *foreign)
{
    ref(foreign);
    count_held(foreign->jobs, 1);
}

void mastra_foreign_release(mastra_foreign_t *foreign)
{
    count_held(foreign->jobs, -1);
    mastra_foreign_unref(foreign);
}

/* ---- running ---- */

static void run_cb(mastra_job_t *job)
{
    mastra_foreign_t *foreign = (mastra_foreign_t *)job;

    pthread_mutex_lock(&foreign->lock);
    foreign->begun = !foreign->cancelled;
    pthread_mutex_unlock(&foreign->lock);
    if (foreign->begun) {
        foreign->run(foreign);
    }
}

static void done_cb(mastra_job_t *job)
{
    mastra_foreign_t *foreign = (mastra_foreign_t *)job;

    foreign->done(foreign);
    mastra_foreign_unref(foreign);
}

/* What was cancelled and does not come back is not to pile up. */
static int may_start(mastra_jobs_t *jobs)
{
    int may;

    pthread_mutex_lock(&jobs->lock);
    may = jobs->held < jobs->max_queued;
    pthread_mutex_unlock(&jobs->lock);
    return may;
}

apr_status_t mastra_foreign_start(mastra_foreign_t *foreign)
{
    apr_status_t rv;

    foreign->job.run = run_cb;
    foreign->job.done = done_cb;
    ref(foreign);
    rv = may_start(foreign->jobs) ? mastra_jobs_push(foreign->jobs,
                                                     &foreign->job)
                                  : APR_EAGAIN;
    if (rv) {
        mastra_foreign_unref(foreign);
    }
    return rv;
}

/* ---- telling it to end ---- */

int mastra_foreign_cancel(mastra_foreign_t *foreign)
{
    int begun;

    pthread_mutex_lock(&foreign->lock);
    if (!foreign->cancelled) {
        foreign->cancelled = 1;
        pthread_cond_broadcast(&foreign->changed);
        if (foreign->cancel_cb) {
            foreign->cancel_cb(foreign->cancel_baton);
        }
    }
    begun = foreign->begun;
    pthread_mutex_unlock(&foreign->lock);
    return begun;
}

void mastra_foreign_cancel_all(mastra_jobs_t *jobs)
{
    mastra_foreign_t *foreign;

    for (foreign = jobs->foreign; foreign; foreign = foreign->next) {
        mastra_foreign_cancel(foreign);
    }
}

int mastra_foreign_is_cancelled(mastra_foreign_t *foreign)
{
    int cancelled;

    pthread_mutex_lock(&foreign->lock);
    cancelled = foreign->cancelled;
    pthread_mutex_unlock(&foreign->lock);
    return cancelled;
}

void mastra_foreign_on_cancel(mastra_foreign_t *foreign,
                              void (*cb)(void *baton), void *baton)
{
    pthread_mutex_lock(&foreign->lock);
    foreign->cancel_cb = cb;
    foreign->cancel_baton = baton;
    if (cb && foreign->cancelled) {
        cb(baton);
    }
    pthread_mutex_unlock(&foreign->lock);
}

void mastra_foreign_wait(mastra_foreign_t *foreign, apr_interval_time_t time)
{
    struct timespec until;

    mastra_net_until(&until, time);
    (void)pthread_cond_timedwait(&foreign->changed, &foreign->lock, &until);
}

apr_status_t mastra_foreign_sleep(mastra_foreign_t *foreign,
                                  apr_interval_time_t time)
{
    struct timespec until;
    apr_status_t rv;

    mastra_net_until(&until, time > 0 ? time : 0);
    pthread_mutex_lock(&foreign->lock);
    while (!foreign->cancelled
           && pthread_cond_timedwait(&foreign->changed, &foreign->lock, &until)
              != ETIMEDOUT) {
    }
    rv = foreign->cancelled ? APR_ECONNABORTED : APR_SUCCESS;
    pthread_mutex_unlock(&foreign->lock);
    return rv;
}
