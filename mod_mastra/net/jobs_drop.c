/* Large values are freed by a job: that takes as long as their parsing. */

#include <stdlib.h>

#include "jobs.h"
#include "../base/json.h"

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

void mastra_jobs_drop(mastra_jobs_t *jobs)
{
    mastra_json_drop_set(jobs ? drop : NULL, jobs);
}
