/* The memory of a run that is over: that of a large one is freed by a job, as it
 * takes as long as it took to read all of it. */

#include "owner.h"

/* A run of fewer bytes is freed at once. */
static int is_short(const mastra_workflow_run_t *run)
{
    return run->row.bytes < MASTRA_JSON_LARGE;
}

/* Nothing of it is the loop's any more. */
static void free_memory(void *baton)
{
    mastra_workflow_run_t *run = baton;

    mastra_json_unref(run->begin);
    mastra_json_unref(run->rows);
    mastra_json_unref(run->usage);
    if (run->next) {
        apr_pool_destroy(run->next);
    }
    apr_pool_destroy(run->pool);
}

static void free_now(void *baton)
{
    mastra_workflow_run_t *run = baton;
    mastra_jobs_t *large = run->env->tools->large;

    mastra_held_unref(run->held);
    if (is_short(run) || !large || mastra_jobs_hand(large, free_memory, run)) {
        free_memory(run);
    }
}

/* Callbacks of this turn may still name it, and its job must come back. */
void mastra_run_free(mastra_workflow_run_t *run)
{
    mastra_owner_forget(run);
    if (run->batch) {
        return;
    }
    run->msg.cb = free_now;
    run->msg.baton = run;
    mastra_loop_defer(run->env->loop, &run->msg);
}
