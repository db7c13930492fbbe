/* Runs of networks that outlive their process: stored while they go on, with
 * what they have said, and gone on with by whoever finds them left. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../base/log.h"
#include "../base/pool.h"
#include "../store/events.h"

/* so often a run changes hands without coming to its next stage */
#define TAKEN_MAX 6

/* ---- store thread ---- */

static void put_str(mastra_json_t *state, const char *name, const char *text)
{
    if (text) {
        mastra_json_set_str(state, name, text);
    }
}

static void put(mastra_json_t *state, const char *name, mastra_json_t *value)
{
    if (value) {
        mastra_json_set(state, name, mastra_json_ref(value));
    }
}

/* What the struct has beside its state. */
static mastra_json_t *whole_state(const mastra_network_t *network)
{
    mastra_json_t *state = mastra_json_copy_flat(network->state);

    mastra_json_set_bool(state, "kept", network->kept);
    put_str(state, "stage", network->stage);
    put_str(state, "owner", network->owner);
    mastra_json_set_int(state, "depth", network->depth);
    mastra_json_set_int(state, "lastAt", network->last_at);
    put_str(state, "callId", network->call_id);
    put_str(state, "childId", network->child_id);
    put_str(state, "resultText", network->result_text);
    put(state, "result", network->result);
    put(state, "decision", network->decision);
    return state;
}

mastra_json_t *mastra_network_snapshot(const mastra_network_t *network,
                                       const char *status)
{
    apr_int64_t now = mastra_text_now_ms();

    return mastra_json_pack(
        "{s:s, s:s, s:{}, s:{s:{}, s:{s:s, s:I, s:O*}}, s:{}, s:{}, s:{}, s:I,"
        " s:O*, s:o}", "runId", network->id, "status", status, "value",
        "context", "input", "network", "status", status, "suspendedAt", now,
        "suspendPayload", network->waits, "suspendedPaths", "waitingPaths",
        "resumeLabels", "timestamp", now, "requestContext", network->context,
        "network", whole_state(network));
}

static void fill_row(mastra_run_row_t *row, const mastra_network_t *network,
                     apr_pool_t *pool)
{
    memset(row, 0, sizeof(*row));
    row->host = network->env->host;
    row->id = network->id;
    row->kind = MASTRA_NETWORK_KIND;
    row->name = network->agent->id;
    row->resource_id = mastra_network_str(network, "resourceId");
    row->thread_id = mastra_network_str(network, "threadId");
    row->owner = mastra_hub_address(network->env->hub);
    row->snapshot = mastra_json_own(mastra_network_snapshot(network,
                                                            "running"), pool);
}

apr_status_t mastra_network_first(mastra_network_t *network,
                                  mastra_json_t *history, mastra_db_t *db,
                                  apr_pool_t *pool)
{
    mastra_run_row_t row;
    mastra_json_t *state;
    int epoch = 0;
    apr_status_t rv;

    network->epoch = 0;
    if (!network->kept) {
        return APR_SUCCESS;
    }
    fill_row(&row, network, pool);
    /* it is not in the state before this is stored */
    state = mastra_json_get(row.snapshot, "network");
    put(state, "history", history);
    put(state, "asked", network->messages);
    rv = mastra_runs_begin(&epoch, db, &row, network->env->lease, pool);
    /* an id that was used before: the run lives no longer than its process */
    if (rv == APR_SUCCESS) {
        network->epoch = epoch;
    }
    return rv == MASTRA_STORE_EXISTS ? APR_SUCCESS : rv;
}

apr_status_t mastra_network_keep(mastra_network_t *network, mastra_db_t *db,
                                 apr_pool_t *pool)
{
    mastra_run_row_t row;

    fill_row(&row, network, pool);
    return mastra_runs_keep(db, &row, network->epoch, network->env->lease,
                            pool);
}

/* The run is over, and so is its log: whoever follows that need not wait for a
 * process that dies before it says so. */
static apr_status_t retire(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_network_t *network = baton;
    mastra_run_row_t row = { .host = network->env->host, .id = network->id,
                             .kind = MASTRA_NETWORK_KIND };
    apr_status_t rv = mastra_runs_retire(db, &row, network->epoch, pool);

    if (rv == APR_SUCCESS && mastra_json_size(network->messages)) {
        rv = mastra_messages_save(db, network->messages, pool);
    }
    return rv ? rv : mastra_events_end(db, mastra_durable_log(network->id,
                                                              pool),
                                       network->epoch, 1, pool);
}

static apr_status_t hand_back(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    const mastra_network_t *network = baton;

    return mastra_runs_hand_back(db, network->env->host, network->id,
                                 network->epoch, pool);
}

static apr_status_t take(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_network_t *network = baton;
    mastra_run_row_t row = { NULL };
    mastra_json_t *snapshot = NULL, *state;
    apr_int64_t after = 0;
    int epoch = 0;
    apr_status_t rv = mastra_runs_take(&snapshot, &epoch, &row, db,
                                       network->env->host, network->id,
                                       mastra_hub_address(network->env->hub),
                                       network->dead, network->env->lease,
                                       pool);

    if (rv == APR_SUCCESS) {
        mastra_json_own(snapshot, pool);
        rv = mastra_events_taken(&after, db,
                                 mastra_durable_log(network->id, pool), pool);
    }
    state = mastra_json_get(snapshot, "network");
    if (rv || !state) {
        return rv ? rv : MASTRA_STORE_NOT_FOUND;
    }
    mastra_json_unref(network->state);
    network->state = mastra_json_ref(state);
    mastra_json_unref(network->context);
    network->context = mastra_json_ref(mastra_json_get(snapshot,
                                                       "requestContext"));
    network->epoch = epoch;
    network->after = after;
    network->taken = row.taken;
    return APR_SUCCESS;
}

/* ---- loop: what it says ---- */

static void on_room(void *baton)
{
    mastra_network_t *network = baton;

    network->log_slow = 0;
    mastra_network_has_room(network);
}

static void on_stale(void *baton)
{
    mastra_network_lost(baton);
}

static const mastra_log_cbs_t log_cbs = { on_room, on_stale };

void mastra_network_open_log(mastra_network_t *network)
{
    if (!network->kept || network->epoch <= 0 || network->log) {
        return;
    }
    network->log = mastra_log_open(
        mastra_hub_events(network->env->hub), network->env->store,
        mastra_durable_log(network->id, network->pool), network->epoch,
        network->after, &log_cbs, network);
}

void mastra_network_close_log(mastra_network_t *network)
{
    mastra_log_t *log = network->log;

    network->log = NULL;
    if (network->syncing) {
        /* nobody will say that it is over */
        network->syncing = network->busy = 0;
    }
    if (log && network->epoch < 0) {
        mastra_log_lose(log);
    }
    else if (log) {
        mastra_log_close(log, network->finished && !network->leaves);
    }
}

static void synced(void *baton)
{
    mastra_network_t *network = baton;

    network->syncing = 0;
    mastra_network_submit(network, network->work);
}

void mastra_network_store(mastra_network_t *network, mastra_store_run_cb *work)
{
    network->work = work;
    network->busy = network->syncing = 1;
    if (!network->log || !mastra_log_sync(network->log, synced, network)) {
        synced(network);
    }
}

/* ---- loop: the end ---- */

static void over(mastra_network_t *network)
{
    network->epoch = 0;
    mastra_network_end(network);
}

void mastra_network_retire(mastra_network_t *network)
{
    if (!network->kept || network->epoch <= 0) {
        mastra_network_end(network);
        return;
    }
    network->stored = over;
    mastra_network_store(network, retire);
}

void mastra_network_lost(mastra_network_t *network)
{
    if (network->over || network->epoch < 0) {
        return;
    }
    mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(3402) "run %s of a network was "
               "taken over by another process: this one stops", network->id);
    /* what is under way finds that it may write no more, too */
    network->epoch = -1;
    if (!network->kept) {
        return;
    }
    mastra_network_close_log(network);
    mastra_network_hush(network);
    if (network->call) {
        mastra_tool_cancel(network->call);
        network->call = NULL;
    }
    mastra_network_fail(network, mastra_result_make(
        network->pool, 409, MASTRA_TOOL_TAKEN_OVER,
        "This run is continued elsewhere"));
}

static void left(mastra_network_t *network)
{
    network->over = 1;
    mastra_network_close_log(network);
    mastra_network_free(network);
}

/* Its client has left, or this process is about to: the run ends, or others go
 * on with it, also with what a person has decided. */
void mastra_network_leave(mastra_network_t *network)
{
    network->leaves = network->decision || mastra_network_endures(network)
                      || mastra_hub_leaves(network->env->hub);
    network->leaving = network->finished = 1;
    network->stored = left;
    mastra_network_submit(network, network->leaves ? hand_back : retire);
}

/* ---- loop: going on with one that was left ---- */

static void restore(mastra_network_t *network)
{
    const mastra_json_t *state = network->state;
    const char *stage = mastra_network_str(network, "stage");

    network->stage = stage ? apr_pstrdup(network->pool, stage)
                           : MASTRA_NETWORK_CHOOSE;
    network->owner = apr_pstrdup(network->pool,
                                 mastra_network_str(network, "owner"));
    network->depth = (int)mastra_json_get_int(state, "depth", 0);
    network->last_at = mastra_json_get_int(state, "lastAt", 0);
    network->result_text = apr_pstrdup(network->pool, mastra_network_str(
                                           network, "resultText"));
    network->result = mastra_json_ref(mastra_json_get(state, "result"));
    network->decision = mastra_json_ref(mastra_json_get(state, "decision"));
    network->started = network->acted = 1;
    mastra_network_limit(network);
}

static void go_on(mastra_network_t *network)
{
    const char *stage = network->stage;

    if (!strcmp(stage, MASTRA_NETWORK_END)) {
        network->finished = 1;
        mastra_network_say_finish(network);
    }
    else if (!strcmp(stage, MASTRA_NETWORK_ACT)) {
        mastra_network_act_again(network);
    }
    else if (!strcmp(stage, MASTRA_NETWORK_DECIDED)) {
        mastra_network_go_on(network);
    }
    else if (!strcmp(stage, MASTRA_NETWORK_CHECK)) {
        mastra_network_check_again(network);
    }
    else {
        mastra_network_choose(network);
    }
}

static void taken(mastra_network_t *network)
{
    mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3403) "the process that run %s "
               "of a network was in has gone: this one goes on with it",
               network->id);
    restore(network);
    mastra_network_set_lease(network);
    mastra_network_open_log(network);
    if (network->taken > TAKEN_MAX) {
        mastra_network_fail(network, mastra_result_make(
            network->pool, 500, "RUN_LOST", "The process that this run was in "
            "has ended before the step was done, again and again"));
        return;
    }
    if (!strcmp(network->stage, MASTRA_NETWORK_BEGIN)) {
        mastra_network_take_in(network, mastra_json_get(network->state,
                                                        "history"));
        mastra_network_take_in(network, mastra_json_get(network->state,
                                                        "asked"));
        mastra_json_del(network->state, "history");
        mastra_json_del(network->state, "asked");
    }
    go_on(network);
}

static void recover(mastra_agent_env_t *env, const mastra_agent_t *agent,
                    const char *run_id, const char *dead)
{
    static const mastra_principal_t nobody = { NULL };
    mastra_result_t *error = NULL;
    mastra_network_t *network;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_recover")) {
        return;
    }
    network = mastra_network_take_up(env, agent, run_id, NULL, &nobody,
                                     &error, pool);
    apr_pool_destroy(pool);
    if (network) {
        network->kept = network->recovers = 1;
        network->dead = apr_pstrdup(network->pool, dead);
        mastra_network_count_run(network);
        network->stored = taken;
        mastra_network_submit(network, take);
    }
}

void mastra_network_start(mastra_hub_t *hub, apr_pool_t *pool)
{
    mastra_hub_kind_t *kind = apr_pcalloc(pool, sizeof(*kind));

    kind->name = MASTRA_NETWORK_KIND;
    kind->recover = recover;
    mastra_hub_add_kind(hub, kind);
}
