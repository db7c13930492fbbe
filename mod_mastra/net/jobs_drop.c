/* Work of which nobody hears; so large values are freed: that takes as long as
 * their parsing. */

#include <stdlib.h>

#include "jobs.h"
#include "../base/json.h"

#define THREADS 2
#define MAX_QUEUED 1024

typedef struct {
    mastra_job_t job;                /* first */
    void (*work)(void *baton);
    void *baton;
} handed_t;

static void run_handed(mastra_job_t *job)
{
    const handed_t *handed = (handed_t *)job;

    handed->work(handed->baton);
}

static void free_handed(mastra_job_t *job)
{
    free(job);
}

apr_status_t mastra_jobs_hand(mastra_jobs_t *jobs, void (*work)(void *baton),
                              void *baton)
{
    handed_t *handed = calloc(1, sizeof(*handed));
    apr_status_t rv;

    if (!handed) {
        return APR_ENOMEM;
    }
    handed->job.run = run_handed;
    handed->job.done = free_handed;
    handed->work = work;
    handed->baton = baton;
    rv = mastra_jobs_push(jobs, &handed->job);
    if (rv != APR_SUCCESS) {
        free(handed);
    }
    return rv;
}

static void free_json(void *baton)
{
    mastra_json_unref(baton);
}

static int drop(void *baton, mastra_json_t *json)
{
    return mastra_jobs_hand(baton, free_json, json) == APR_SUCCESS;
}

apr_status_t mastra_jobs_start_large(mastra_jobs_t **pjobs,
                                     mastra_loop_t *loop, apr_pool_t *pool)
{
    apr_status_t rv = mastra_jobs_start(pjobs, loop, THREADS, MAX_QUEUED, pool);

    if (rv == APR_SUCCESS) {
        mastra_json_drop_set(drop, *pjobs);
    }
    return rv;
}

void mastra_jobs_stop_large(mastra_jobs_t *jobs)
{
    mastra_json_drop_set(NULL, NULL);
    if (jobs) {
        mastra_jobs_stop(jobs, 0);
    }
}
