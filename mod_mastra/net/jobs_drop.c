/* Large values are freed by a job: that takes as long as their parsing. */

#include <stdlib.h>

#include "jobs.h"
#include "../base/json.h"

#define THREADS 2
#define MAX_QUEUED 1024

typedef struct {
    mastra_job_t job;                /* first */
    mastra_json_t *json;
} drop_t;

static void run_drop(mastra_job_t *job)
{
    mastra_json_unref(((drop_t *)job)->json);
}

static void dropped(mastra_job_t *job)
{
    free(job);
}

static int drop(void *baton, mastra_json_t *json)
{
    drop_t *work = calloc(1, sizeof(*work));

    if (!work) {
        return 0;
    }
    work->job.run = run_drop;
    work->job.done = dropped;
    work->json = json;
    if (mastra_jobs_push(baton, &work->job) != APR_SUCCESS) {
        free(work);
        return 0;
    }
    return 1;
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
