/* The claim of a run that was taken up, renewed while it goes on. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../base/log.h"
#include "../base/pool.h"
#include "../store/runs.h"

void mastra_run_lost(mastra_agent_run_t *run)
{
    mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(3005) "run %s was taken over by "
               "another process: this one stops", run->id);
    mastra_run_stop(run, mastra_result_make(run->pool, 409, "RUN_TAKEN_OVER",
                                            "This run is continued elsewhere"));
}

static apr_status_t renew_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_agent_lease_t *lease = baton;

    return mastra_runs_renew(db, lease->host, lease->id, lease->epoch,
                             lease->length, pool);
}

static void renewed(void *baton, apr_status_t rv)
{
    mastra_agent_lease_t *lease = baton;

    lease->rv = rv;
    mastra_loop_post(lease->loop, &lease->msg);
}

static void free_lease(mastra_agent_lease_t *lease)
{
    apr_pool_destroy(lease->pool);
}

static void on_renew(void *baton);

/* The run may have ended while the job was under way. */
static void after_renew(void *baton)
{
    mastra_agent_lease_t *lease = baton;
    mastra_agent_run_t *run = lease->run;

    lease->busy = 0;
    if (!run) {
        free_lease(lease);
        return;
    }
    if (lease->rv == MASTRA_STORE_STALE) {
        mastra_run_lost(run);
        return;
    }
    mastra_loop_timer_set(lease->loop, &lease->timer, lease->length / 3,
                          on_renew, lease);
}

static void on_renew(void *baton)
{
    mastra_agent_lease_t *lease = baton;

    memset(&lease->job, 0, sizeof(lease->job));
    lease->job.mode = MASTRA_STORE_WRITE;
    lease->job.run = renew_run;
    lease->job.done = renewed;
    lease->job.baton = lease;
    lease->msg.cb = after_renew;
    lease->msg.baton = lease;
    if (mastra_store_submit(lease->store, &lease->job)) {
        mastra_loop_timer_set(lease->loop, &lease->timer,
                              apr_time_from_sec(1), on_renew, lease);
        return;
    }
    lease->busy = 1;
}

void mastra_run_hold_lease(mastra_agent_run_t *run)
{
    mastra_agent_lease_t *lease;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_lease")) {
        return;
    }
    lease = apr_pcalloc(pool, sizeof(*lease));
    lease->pool = pool;
    lease->run = run;
    lease->loop = run->env->loop;
    lease->store = run->env->store;
    lease->host = run->env->host;
    lease->id = apr_pstrdup(pool, run->id);
    lease->epoch = run->epoch;
    lease->length = run->env->lease;
    run->lease = lease;
    mastra_loop_timer_set(lease->loop, &lease->timer, lease->length / 3,
                          on_renew, lease);
}

void mastra_run_drop_lease(mastra_agent_run_t *run)
{
    mastra_agent_lease_t *lease = run->lease;

    if (!lease) {
        return;
    }
    run->lease = NULL;
    lease->run = NULL;
    mastra_loop_timer_stop(lease->loop, &lease->timer);
    if (!lease->busy) {
        free_lease(lease);
    }
}
