/* The child ends: no new claims, then no runs, then nothing unwritten, then no
 * bus. */

#include <pthread.h>
#include <time.h>

#include "hub_internal.h"

/* runs that are stopped, and their logs, have so long to store what was said */
#define LAST_WORDS apr_time_from_sec(3)

enum { STOP_CLAIMS = 1, STOP_RUNS, STOP_LOGS, STOP_ALL, STOP_STAGES };

/* As old as the hub: a loop that is late still finds it. */
struct mastra_hub_stop_t {
    pthread_mutex_t lock;
    pthread_cond_t over;
    mastra_hub_t *hub;
    mastra_msg_t msgs[STOP_STAGES];
    int stage;                       /* that has begun: the loop's */
    int done;                        /* the last that is over: locked */
};

struct mastra_hub_stop_t *mastra_hub_make_stop(mastra_hub_t *hub,
                                               apr_pool_t *pool)
{
    struct mastra_hub_stop_t *stop = apr_pcalloc(pool, sizeof(*stop));

    pthread_mutex_init(&stop->lock, NULL);
    pthread_cond_init(&stop->over, NULL);
    stop->hub = hub;
    return stop;
}

static void stage_over(struct mastra_hub_stop_t *stop)
{
    pthread_mutex_lock(&stop->lock);
    stop->done = stop->stage;
    pthread_cond_signal(&stop->over);
    pthread_mutex_unlock(&stop->lock);
}

void mastra_hub_maybe_stopped(mastra_hub_t *hub)
{
    int stage = hub->stop->stage;

    if (stage && stage < STOP_LOGS && !hub->nruns
        && !apr_hash_count(hub->owned)) {
        stage_over(hub->stop);
    }
}

void mastra_hub_run_begins(mastra_hub_t *hub)
{
    hub->nruns++;
}

void mastra_hub_run_ends(mastra_hub_t *hub)
{
    hub->nruns--;
    mastra_hub_maybe_stopped(hub);
}

void mastra_hub_leave(void *hub)
{
    ((mastra_hub_t *)hub)->leaves = 1;
}

int mastra_hub_leaves(const mastra_hub_t *hub)
{
    return hub->leaves || hub->stopping;
}

static void abort_all(mastra_hub_t *hub)
{
    apr_pool_t *pool;
    apr_hash_index_t *i;
    apr_array_header_t *all;
    int j;

    apr_pool_create(&pool, hub->pool);
    all = apr_array_make(pool, 16, sizeof(mastra_channel_t *));
    for (i = apr_hash_first(pool, hub->owned); i; i = apr_hash_next(i)) {
        APR_ARRAY_PUSH(all, void *) = apr_hash_this_val(i);
    }
    for (j = 0; j < all->nelts; j++) {
        mastra_channel_t *channel = APR_ARRAY_IDX(all, j, mastra_channel_t *);

        if (channel->run) {
            mastra_channel_stopping(channel);
        }
    }
    apr_pool_destroy(pool);
}

static void stop_claims(void *baton)
{
    mastra_hub_t *hub = baton;

    hub->stopping = 1;
    hub->stop->stage = STOP_CLAIMS;
    mastra_hub_maybe_stopped(hub);
}

static void stop_runs(void *baton)
{
    mastra_hub_t *hub = baton;

    hub->stop->stage = STOP_RUNS;
    abort_all(hub);
    mastra_hub_maybe_stopped(hub);
}

/* Not when it comes too late. */
static void logs_written(void *baton)
{
    mastra_hub_t *hub = baton;

    if (hub->stop->stage == STOP_LOGS) {
        stage_over(hub->stop);
    }
}

/* The store takes no jobs after this child's runs: what was not written then
 * would be missed by who reads it in storage. */
static void stop_logs(void *baton)
{
    mastra_hub_t *hub = baton;

    hub->stop->stage = STOP_LOGS;
    mastra_events_write_all(hub->events, logs_written, hub);
}

static void stop_all(void *baton)
{
    mastra_hub_t *hub = baton;

    hub->stop->stage = STOP_ALL;
    mastra_loop_timer_stop(hub->loop, &hub->tick);
    if (hub->bus) {
        mastra_bus_close(hub->bus);
        hub->bus = NULL;
        mastra_events_leave_bus(hub->events);
    }
    stage_over(hub->stop);
}

/* 1: it was over in time. */
static int run_stage(mastra_hub_t *hub, int stage, mastra_loop_cb *cb,
                     apr_interval_time_t limit)
{
    struct mastra_hub_stop_t *stop = hub->stop;
    struct timespec until;
    apr_time_t at = apr_time_now() + limit;
    int done;

    until.tv_sec = apr_time_sec(at);
    until.tv_nsec = apr_time_usec(at) * 1000;
    stop->msgs[stage].cb = cb;
    stop->msgs[stage].baton = hub;
    mastra_loop_post(hub->loop, &stop->msgs[stage]);
    pthread_mutex_lock(&stop->lock);
    while (stop->done < stage
           && !pthread_cond_timedwait(&stop->over, &stop->lock, &until)) {
    }
    done = stop->done >= stage;
    pthread_mutex_unlock(&stop->lock);
    return done;
}

void mastra_hub_stop(mastra_hub_t *hub, apr_interval_time_t limit)
{
    if (!run_stage(hub, STOP_CLAIMS, stop_claims, limit)) {
        run_stage(hub, STOP_RUNS, stop_runs, LAST_WORDS);
    }
    run_stage(hub, STOP_LOGS, stop_logs, LAST_WORDS);
    run_stage(hub, STOP_ALL, stop_all, LAST_WORDS);
}
