/* The channels whose runs go on in this child: begun, logged, released. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "hub_internal.h"
#include "last_words.h"
#include "signal.h"
#include "../base/log.h"
#include "../store/events.h"

#define RELEASE_AGAIN apr_time_from_sec(1)

/* ---- the end of a run here ---- */

static void free_channel(mastra_channel_t *channel)
{
    mastra_hub_t *hub = channel->hub;

    if (apr_hash_get(hub->owned, channel->claim->id, APR_HASH_KEY_STRING)
        == channel) {
        apr_hash_set(hub->owned, channel->claim->id, APR_HASH_KEY_STRING,
                     NULL);
    }
    mastra_loop_timer_stop(hub->loop, &channel->timer);
    mastra_json_unref(channel->taken);
    mastra_json_unref(channel->held);
    mastra_claim_free(channel->claim);
    free(channel);
    mastra_hub_maybe_stopped(hub);
}

static void settle(mastra_channel_t *channel)
{
    mastra_claim_t *next = channel->next;
    mastra_hub_t *hub = channel->hub;

    channel->next = NULL;
    if (channel->left && hub->bus) {
        mastra_bus_msg_t wake = { .kind = MASTRA_BUS_WAKE,
                                  .flags = MASTRA_WAKE_LEFT,
                                  .key = channel->claim->id,
                                  .data = channel->env->host,
                                  .len = strlen(channel->env->host) };

        mastra_bus_broadcast(hub->bus, &wake);
    }
    free_channel(channel);
    if (next) {
        mastra_hub_begin(next);
    }
}

static apr_status_t release_row(mastra_db_t *db, void *baton,
                                apr_pool_t *pool)
{
    mastra_channel_t *channel = baton;
    apr_status_t rv = channel->refused
                          ? mastra_channel_recalled(channel, db, pool)
                          : APR_SUCCESS;

    return rv ? rv : mastra_channel_release(channel, db, 0, pool);
}

static void released(void *baton, apr_status_t rv)
{
    mastra_channel_t *channel = baton;

    channel->rv = rv;
    mastra_loop_post(channel->hub->loop, &channel->msg);
}

static void release_now(void *baton);

static void after_release(void *baton)
{
    mastra_channel_t *channel = baton;

    mastra_channel_settled(channel, channel->rv);
    if (channel->released || channel->rv == MASTRA_CHANNEL_STALE) {
        settle(channel);
        return;
    }
    mastra_loop_timer_set(channel->hub->loop, &channel->timer, RELEASE_AGAIN,
                          release_now, channel);
}

static void release_now(void *baton)
{
    mastra_channel_t *channel = baton;
    apr_status_t rv;

    memset(&channel->job, 0, sizeof(channel->job));
    channel->job.mode = MASTRA_STORE_WRITE;
    channel->job.run = release_row;
    channel->job.done = released;
    channel->job.baton = channel;
    channel->msg.cb = after_release;
    channel->msg.baton = channel;
    rv = mastra_store_submit(channel->env->store, &channel->job);
    if (rv) {
        channel->rv = rv;
        mastra_loop_defer(channel->hub->loop, &channel->msg);
    }
}

/* The run is gone: the row, too, unless its last job has seen to it. One that
 * has not even begun is tried again when storage was busy; else its row of the
 * queue would only fail again. */
static void close_channel(mastra_channel_t *channel,
                          const mastra_result_t *error)
{
    int begun = !error || channel->run->started;

    if (channel->run->leaves) {
        /* the row stays as it is, for whoever goes on with the run */
        channel->released = channel->suspended = 1;
    }
    if (channel->log && channel->lost) {
        mastra_log_lose(channel->log);
    }
    else if (channel->log) {
        mastra_log_close(channel->log,
                         !(channel->released && channel->suspended));
    }
    channel->log = NULL;
    channel->run = NULL;
    channel->refused = !begun && error->status != 503;
    if (channel->released) {
        settle(channel);
    }
    else if (begun || channel->refused) {
        release_now(channel);
    }
    else {
        mastra_loop_timer_set(channel->hub->loop, &channel->timer,
                              RELEASE_AGAIN, release_now, channel);
    }
}

static void sink_end(mastra_sink_t *sink, mastra_json_t *answer,
                     const mastra_result_t *error)
{
    mastra_channel_t *channel = (mastra_channel_t *)sink;

    mastra_channel_say_end(channel, error);
    if (channel->client) {
        channel->client->vtable->end(channel->client, answer, error);
        channel->client = NULL;
    }
    close_channel(channel, error);
}

static const mastra_sink_vtable_t sink_vtable = {
    .chunk = mastra_channel_chunk, .text = mastra_channel_text,
    .end = sink_end
};

/* ---- the log ---- */

static void on_room(void *baton)
{
    mastra_channel_t *channel = baton;

    if (channel->run) {
        mastra_run_has_room(channel->run, MASTRA_SLOW_LOG);
    }
}

static void on_stale(void *baton)
{
    mastra_channel_lost(baton);
}

static const mastra_log_cbs_t log_cbs = { on_room, on_stale };

/* A store job of the run finds that out for itself, and belongs to it as long
 * as it is under way. */
void mastra_channel_lost(mastra_channel_t *channel)
{
    mastra_agent_run_t *run = channel->run;

    channel->quiet = 1;
    if (run && mastra_run_is_at_work(run)) {
        channel->lost = 1;
        mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(3007) "the thread of run %s "
                   "was taken over by another process: this one stops",
                   channel->claim->run);
        mastra_run_stop(run,
                        mastra_result_make(channel->claim->pool, 409,
                                           "RUN_TAKEN_OVER", "This thread is "
                                           "continued elsewhere"));
    }
}

/* ---- beginning ---- */

void mastra_hub_announce(mastra_hub_t *hub, const mastra_claim_t *claim,
                         int flags)
{
    mastra_bus_msg_t msg = { .kind = MASTRA_BUS_BEGIN, .key = claim->id,
                             .seq = claim->epoch, .flags = flags };

    if (hub->bus) {
        msg.data = apr_pstrcat(claim->pool, claim->log, "\n", claim->run,
                               NULL);
        msg.len = strlen(msg.data);
        mastra_bus_broadcast(hub->bus, &msg);
    }
    mastra_hub_on_begin(hub, claim->id, claim->epoch, claim->run, claim->log,
                        flags & MASTRA_BEGIN_OVER ? NULL : hub->address);
}

static mastra_channel_t *make_channel(mastra_claim_t *claim,
                                      apr_int64_t after)
{
    mastra_hub_t *hub = claim->env->hub;
    mastra_channel_t *channel = calloc(1, sizeof(*channel));

    if (!channel) {
        abort();
    }
    channel->sink.vtable = &sink_vtable;
    channel->hub = hub;
    channel->env = claim->env;
    channel->claim = claim;
    apr_hash_set(hub->owned, claim->id, APR_HASH_KEY_STRING, channel);
    channel->log = mastra_log_open(hub->events, claim->env->store, claim->log,
                                   claim->epoch, after, &log_cbs, channel);
    mastra_hub_announce(hub, claim, 0);
    return channel;
}

/* memory {thread, resource} of the options, with this thread in it. */
static mastra_json_t *run_memory(const mastra_json_t *options,
                                 const mastra_claim_t *claim)
{
    mastra_json_t *asked = mastra_json_get(options, "memory");
    mastra_json_t *thread = mastra_json_get(asked, "thread");
    mastra_json_t *made = mastra_json_is_object(asked)
                              ? mastra_json_copy_flat(asked)
                              : mastra_json_object();

    thread = mastra_json_is_object(thread) ? mastra_json_copy_flat(thread)
                                           : mastra_json_object();
    mastra_json_set_str(thread, "id", claim->thread);
    mastra_json_set(made, "thread", thread);
    mastra_json_set_str(made, "resource", claim->resource);
    return made;
}

static mastra_json_t *run_options(const mastra_claim_t *claim)
{
    const mastra_json_t *asked = mastra_json_get(claim->item, "options");
    mastra_json_t *made = mastra_json_is_object(asked)
                              ? mastra_json_copy_flat(asked)
                              : mastra_json_object();

    mastra_json_set(made, "messages", mastra_json_array());
    mastra_json_set_str(made, "runId", claim->run);
    mastra_json_set(made, "memory", run_memory(asked, claim));
    return mastra_json_own(made, claim->pool);
}

static mastra_agent_run_t *make_run(const mastra_claim_t *claim,
                                    mastra_result_t **perror)
{
    const char *id = mastra_json_get_str(claim->item, "agent");
    const mastra_agent_t *agent = mastra_agents_find(claim->env->agents,
                                                     id ? id : "");
    mastra_principal_t principal = {
        .resource_id = mastra_json_get_str(claim->item, "owner"),
        .request_context = mastra_json_get(claim->item, "context"),
        .depth = (int)mastra_json_get_int(claim->item, "depth", 0)
    };
    mastra_agent_run_t *run;

    if (!agent) {
        *perror = mastra_result_make(claim->pool, 404, "AGENT_NOT_FOUND",
                                     "Agent with id %s not found", id);
        return NULL;
    }
    run = mastra_agent_run_make(claim->env, agent, run_options(claim), 1,
                                &principal, perror, claim->pool);
    if (run) {
        mastra_json_unref(run->input);
        run->input = mastra_json_pack(
            "[o]", mastra_signal_message(mastra_json_get(claim->item,
                                                         "signal"),
                                         run->thread_id, run->resource_id,
                                         apr_time_now(), claim->pool));
    }
    return run;
}

/* A run that cannot even be made takes its row of the queue along. */
static void refuse(mastra_channel_t *channel, const mastra_result_t *error)
{
    mastra_channel_say_end(channel, error);
    mastra_log_close(channel->log, 1);
    channel->log = NULL;
    channel->refused = 1;
    release_now(channel);
}

void mastra_hub_begin(mastra_claim_t *claim)
{
    mastra_channel_t *channel = make_channel(claim, 0);
    mastra_result_t *error = NULL;
    mastra_agent_run_t *run = make_run(claim, &error);

    if (!run) {
        refuse(channel, error);
        return;
    }
    channel->run = run;
    run->channel = channel;
    mastra_agent_run_endure(run);
    mastra_agent_run_begin(run, &channel->sink);
}

/* ---- what the run asks for: store thread ---- */

apr_status_t mastra_channel_recalled(mastra_channel_t *channel,
                                     mastra_db_t *db, apr_pool_t *pool)
{
    const mastra_claim_t *claim = channel->claim;
    int halt = 0;
    apr_status_t rv = mastra_channels_check(&halt, db, claim->id, claim->epoch,
                                            pool);

    if (rv == APR_SUCCESS && claim->place) {
        rv = mastra_queue_drop(db, claim->id, claim->place, pool);
    }
    return rv;
}

apr_status_t mastra_channel_release(mastra_channel_t *channel, mastra_db_t *db,
                                    int suspended, apr_pool_t *pool)
{
    const mastra_claim_t *claim = channel->claim;
    mastra_queue_item_t item;
    mastra_channel_row_t row;
    apr_status_t rv;

    mastra_claim_free(channel->next);
    channel->next = NULL;
    channel->left = 0;
    rv = mastra_channels_release(&row, db, claim->id, claim->epoch,
                                 suspended ? MASTRA_CHANNEL_SUSPENDED
                                           : MASTRA_CHANNEL_IDLE, pool);
    if (rv == APR_SUCCESS && !suspended
        && !mastra_last_words_follow(channel->run)) {
        rv = mastra_events_end(db, row.log, claim->epoch, 0, pool);
    }
    if (rv == APR_SUCCESS && !suspended && !channel->hub->stopping) {
        rv = mastra_claim_next(&channel->next, channel->hub, channel->env,
                               &row, db, pool);
    }
    else if (rv == APR_SUCCESS && !suspended) {
        rv = mastra_queue_first(&item, db, claim->id, pool);
        if (rv == APR_SUCCESS) {
            channel->left = 1;
            rv = mastra_channels_abandon(db, claim->id, pool);
        }
        rv = rv == MASTRA_STORE_NOT_FOUND ? APR_SUCCESS : rv;
    }
    channel->releasing = 1;
    channel->suspended = suspended;
    return rv;
}

apr_status_t mastra_channel_take(mastra_json_t **pmessages,
                                 mastra_channel_t *channel, mastra_db_t *db,
                                 apr_pool_t *pool)
{
    const mastra_claim_t *claim = channel->claim;
    const char *thread = channel->run->thread_id ? claim->thread : NULL;
    mastra_json_t *made = mastra_json_array(), *item;
    mastra_queue_item_t *items;
    apr_time_t now = apr_time_now();
    mastra_channel_row_t row;
    apr_status_t rv = mastra_channels_lock_id(&row, db, claim->id, pool);
    int i, n = 0;

    mastra_json_own(made, pool);
    if (rv == APR_SUCCESS && row.epoch != claim->epoch) {
        rv = MASTRA_CHANNEL_STALE;
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_queue_take(&items, &n, db, claim->id, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (i = 0; i < n; i++) {
        item = NULL;
        mastra_json_parse(&item, items[i].text, strlen(items[i].text), 0,
                          NULL);
        mastra_json_append(made, item ? mastra_signal_message(
            mastra_json_get(item, "signal"), thread,
            thread ? claim->resource : NULL, now, pool)
                                      : NULL);
        mastra_json_unref(item);
    }
    *pmessages = mastra_json_ref(made);
    return APR_SUCCESS;
}

/* 1: the run may be the channel's. */
static int may_join(const mastra_agent_run_t *run,
                    const mastra_channel_row_t *row)
{
    if (row->status == MASTRA_CHANNEL_IDLE) {
        return 1;
    }
    if (run->recovers && row->status == MASTRA_CHANNEL_RUNNING) {
        return !strcmp(row->run, run->id);
    }
    return run->decision && row->status == MASTRA_CHANNEL_SUSPENDED
           && !strcmp(row->run, run->id);
}

apr_status_t mastra_channel_join(mastra_agent_run_t *run,
                                 const char *resource_id,
                                 const char *thread_id, mastra_db_t *db,
                                 apr_pool_t *pool)
{
    mastra_hub_t *hub = run->env->hub;
    const char *log = run->durable ? mastra_durable_log(run->id, pool) : NULL;
    mastra_channel_row_t row;
    apr_status_t rv;

    mastra_claim_free(run->claim);
    run->claim = NULL;
    if (!hub || run->channel || !thread_id
        || (!run->stream && !run->decision && !run->durable)) {
        return APR_SUCCESS;
    }
    rv = mastra_channels_get(&row, db, run->env->host, resource_id, thread_id,
                             pool);
    if (rv == APR_SUCCESS) {
        rv = mastra_channels_lock_id(&row, db, row.id, pool);
    }
    if (rv != APR_SUCCESS || !may_join(run, &row)) {
        return rv == MASTRA_STORE_NOT_FOUND ? APR_SUCCESS : rv;
    }
    rv = mastra_channels_claim(&row, db, run->agent->id, run->id,
                               row.status == MASTRA_CHANNEL_IDLE
                                   ? log : row.log, hub->address,
                               hub->lease, pool);
    if (rv == APR_SUCCESS) {
        run->claim = mastra_claim_make(run->env, &row);
    }
    if (rv == APR_SUCCESS && run->claim && (run->decision || run->recovers)) {
        rv = mastra_events_taken(&run->claim->after, db, row.log, pool);
    }
    return rv;
}

/* ---- loop ---- */

void mastra_channel_adopt(mastra_agent_run_t *run)
{
    mastra_claim_t *claim = run->claim;
    mastra_channel_t *channel;

    run->claim = NULL;
    if (!claim) {
        return;
    }
    channel = make_channel(claim, claim->after);
    channel->run = run;
    channel->client = run->sink;
    /* something may have come while it was suspended */
    channel->pending = run->decision != NULL || run->recovers;
    run->channel = channel;
    run->sink = &channel->sink;
}

void mastra_channel_settled(mastra_channel_t *channel, apr_status_t rv)
{
    if (channel->releasing && rv == APR_SUCCESS) {
        channel->released = 1;
    }
    else {
        mastra_claim_free(channel->next);
        channel->next = NULL;
        channel->lost |= rv == MASTRA_CHANNEL_STALE;
    }
    channel->releasing = 0;
}

int mastra_channel_is_lost(const mastra_channel_t *channel)
{
    return channel->lost;
}

int mastra_channel_pending(mastra_channel_t *channel)
{
    int pending = channel->pending;

    channel->pending = 0;
    return pending;
}

void mastra_channel_client_gone(mastra_channel_t *channel)
{
    channel->client = NULL;
}

/* ---- aborting ---- */

void mastra_channel_stopping(mastra_channel_t *channel)
{
    if (mastra_durable_cancel(channel->run)) {
        return;
    }
    channel->stops = 1;
    mastra_agent_run_abort(channel->run);
}

/* The row is asked whether an abort is really wanted of this claim. */
typedef struct {
    mastra_hub_t *hub;
    char *id;
    int epoch;
    mastra_store_job_t job;
    mastra_msg_t msg;
    apr_status_t rv;
} halt_t;

static apr_status_t check_halt(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    halt_t *halt = baton;
    int wanted = 0;
    apr_status_t rv = mastra_channels_check(&wanted, db, halt->id, halt->epoch,
                                            pool);

    return rv == APR_SUCCESS && !wanted ? APR_EGENERAL : rv;
}

static void halt_checked(void *baton, apr_status_t rv)
{
    halt_t *halt = baton;

    halt->rv = rv;
    mastra_loop_post(halt->hub->loop, &halt->msg);
}

static void after_halt(void *baton)
{
    halt_t *halt = baton;
    mastra_channel_t *channel = apr_hash_get(halt->hub->owned, halt->id,
                                             APR_HASH_KEY_STRING);

    if (halt->rv == APR_SUCCESS && channel && channel->run
        && channel->claim->epoch == halt->epoch) {
        mastra_agent_run_abort(channel->run);
    }
    free(halt->id);
    free(halt);
}

void mastra_channel_halt(mastra_channel_t *channel)
{
    halt_t *halt = calloc(1, sizeof(*halt));

    if (!halt || !(halt->id = strdup(channel->claim->id))) {
        abort();
    }
    halt->hub = channel->hub;
    halt->epoch = channel->claim->epoch;
    halt->job.mode = MASTRA_STORE_READ;
    halt->job.run = check_halt;
    halt->job.done = halt_checked;
    halt->job.baton = halt;
    halt->msg.cb = after_halt;
    halt->msg.baton = halt;
    if (mastra_store_submit(channel->env->store, &halt->job)) {
        /* the mark is found again when the lease is renewed */
        free(halt->id);
        free(halt);
    }
}
