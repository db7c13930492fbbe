/* A child stops: its steps may come to their ends, its runs go to others. */

#include <pthread.h>
#include <string.h>
#include <time.h>

#include <apr_strings.h>

#include "owner.h"

struct mastra_owner_stop_t {
    pthread_mutex_t lock;
    pthread_cond_t over;
    struct mastra_owner_t *owner;
    mastra_msg_t msgs[4];            /* one may still be on its way */
    int stage, done;
};

static void stage_over(struct mastra_owner_stop_t *stop)
{
    pthread_mutex_lock(&stop->lock);
    stop->done = stop->stage;
    pthread_cond_signal(&stop->over);
    pthread_mutex_unlock(&stop->lock);
}

void mastra_owner_maybe_stopped(struct mastra_owner_t *owner)
{
    if (owner->stop && owner->stop->stage == 1
        && !apr_hash_count(owner->runs)) {
        stage_over(owner->stop);
    }
}

static void drop_all(struct mastra_owner_t *owner)
{
    apr_pool_t *pool;
    apr_hash_index_t *i;
    apr_array_header_t *all;
    int j;

    apr_pool_create(&pool, NULL);
    all = apr_array_make(pool, 16, sizeof(mastra_workflow_run_t *));
    for (i = apr_hash_first(pool, owner->runs); i; i = apr_hash_next(i)) {
        APR_ARRAY_PUSH(all, void *) = apr_hash_this_val(i);
    }
    for (j = 0; j < all->nelts; j++) {
        mastra_workflow_run_t *run = APR_ARRAY_IDX(all, j,
                                                   mastra_workflow_run_t *);

        if (!run->over) {
            mastra_commit_drop(run);
        }
    }
    apr_pool_destroy(pool);
}

static void stop_stage(void *baton)
{
    struct mastra_owner_stop_t *stop = baton;
    struct mastra_owner_t *owner = stop->owner;

    owner->stop = stop;
    owner->stopping = stop->stage;
    if (stop->stage == 1) {
        mastra_loop_timer_stop(owner->loop, &owner->alarm);
        mastra_owner_maybe_stopped(owner);
    }
    else if (stop->stage == 2) {
        mastra_loop_timer_stop(owner->loop, &owner->tick);
        drop_all(owner);
        stage_over(stop);
    }
    else {
        owner->stop = NULL;
        stage_over(stop);
    }
}

static int run_stage(struct mastra_owner_stop_t *stop, int stage,
                     apr_interval_time_t limit)
{
    apr_time_t at = apr_time_now() + limit;
    struct timespec until;
    int done;

    until.tv_sec = apr_time_sec(at);
    until.tv_nsec = apr_time_usec(at) * 1000;
    stop->stage = stage;
    stop->msgs[stage].cb = stop_stage;
    stop->msgs[stage].baton = stop;
    mastra_loop_post(stop->owner->loop, &stop->msgs[stage]);
    pthread_mutex_lock(&stop->lock);
    while (stop->done != stage
           && !pthread_cond_timedwait(&stop->over, &stop->lock, &until)) {
    }
    done = stop->done == stage;
    pthread_mutex_unlock(&stop->lock);
    return done;
}

/* Leases are given back, so that others need not wait for their ends. */
static apr_status_t give_back(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    struct mastra_owner_t *owner = baton;
    mastra_flow_row_t *rows;
    int n;

    return mastra_flows_renew(&rows, &n, db, owner->address, 0, pool);
}

void mastra_workflows_stop(mastra_workflow_env_t *env,
                           apr_interval_time_t limit)
{
    struct mastra_owner_stop_t stop = { .owner = env->owner };

    if (!env->owner) {
        return;
    }
    pthread_mutex_init(&stop.lock, NULL);
    pthread_cond_init(&stop.over, NULL);
    run_stage(&stop, 1, limit);
    run_stage(&stop, 2, apr_time_from_sec(2));
    mastra_store_call(env->store, MASTRA_STORE_WRITE, give_back, env->owner);
    /* the loop lets go of stop before this returns */
    run_stage(&stop, 3, apr_time_from_sec(60));
    pthread_cond_destroy(&stop.over);
    pthread_mutex_destroy(&stop.lock);
}
