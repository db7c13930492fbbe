/* A network's storage: its thread and messages, and the state of one that
 * waits for a person. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../store/events.h"

/* ---- messages ---- */

const char *mastra_network_text(const mastra_json_t *message, apr_pool_t *pool)
{
    const mastra_json_t *parts = mastra_json_path(message, "content", "parts",
                                                  NULL);
    const char *made = "";
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        const char *text = mastra_json_get_str(mastra_json_at(parts, i),
                                               "text");

        if (text) {
            made = *made ? apr_pstrcat(pool, made, "\n", text, NULL) : text;
        }
    }
    return made;
}

/* What models see of a message. */
static void add_to_log(mastra_network_t *network, const mastra_json_t *message)
{
    const char *role = mastra_json_get_str(message, "role");
    const char *text = mastra_network_text(message, network->pool);

    if (role && *text && (!strcmp(role, "user") || !strcmp(role, "assistant"))) {
        mastra_json_append(mastra_json_get(network->state, "log"),
                           mastra_json_pack("{s:s, s:s}", "role", role,
                                            "content", text));
    }
}

void mastra_network_note(mastra_network_t *network, const char *text,
                         mastra_json_t *metadata)
{
    apr_int64_t now = mastra_text_now_ms();
    mastra_json_t *message;

    /* their order is that of their times */
    network->last_at = now > network->last_at ? now : network->last_at + 1;
    message = mastra_json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:{s:i, s:[{s:s, s:s}], s:o*}}", "id",
        mastra_text_uuid_timed(network->pool), "role", "assistant", "createdAt",
        mastra_text_iso_make(network->pool, network->last_at * 1000),
        "threadId", mastra_network_str(network, "threadId"), "resourceId",
        mastra_network_str(network, "resourceId"), "type", "text", "content",
        "format", 2, "parts", "type", "text", "text", text, "metadata",
        metadata);
    add_to_log(network, message);
    mastra_json_append(network->messages, message);
}

/* ---- jobs ---- */

static void on_done(void *baton, apr_status_t rv)
{
    mastra_network_t *network = baton;

    network->rv = rv;
    mastra_loop_post(network->env->loop, &network->msg);
}

static mastra_result_t *what_is_wrong(mastra_network_t *network)
{
    if (network->job_error) {
        return network->job_error;
    }
    if (network->rv == MASTRA_STORE_STALE) {
        return mastra_result_make(network->pool, 409, "RUN_TAKEN_OVER",
                                  "This run is continued elsewhere");
    }
    if (network->rv == MASTRA_STORE_EXISTS) {
        return mastra_result_make(network->pool, 409, "RUN_EXISTS",
                                  "A run with this id is there already");
    }
    return mastra_store_result(network->pool, network->rv, "store the run");
}

static void after_job(void *baton)
{
    mastra_network_t *network = baton;

    network->busy = 0;
    if (network->rv && network->kept && !network->log) {
        network->epoch = 0;
    }
    if (network->over) {
        mastra_network_free(network);
    }
    else if (network->recovers && network->rv && !network->stage) {
        /* somebody was faster */
        mastra_network_end(network);
    }
    else if (network->leaving) {
        /* where that failed, its lease ends by itself */
        network->stored(network);
    }
    else if (network->cancelled && network->kept && network->epoch > 0) {
        mastra_network_leave(network);
    }
    else if (network->cancelled) {
        mastra_network_free(network);
    }
    else if (network->rv == MASTRA_STORE_STALE && network->kept) {
        mastra_network_lost(network);
    }
    else if (network->rv) {
        mastra_network_fail(network, what_is_wrong(network));
    }
    else {
        network->stored(network);
    }
}

void mastra_network_submit(mastra_network_t *network,
                           mastra_store_run_cb *work)
{
    apr_status_t rv;

    memset(&network->job, 0, sizeof(network->job));
    network->job.mode = MASTRA_STORE_WRITE;
    network->job.run = work;
    network->job.done = on_done;
    network->job.baton = network;
    network->msg.cb = after_job;
    network->msg.baton = network;
    network->busy = 1;
    rv = network->env->store ? mastra_store_submit(network->env->store,
                                                   &network->job)
                             : APR_ENOTIMPL;
    if (rv) {
        network->rv = rv;
        mastra_loop_defer(network->env->loop, &network->msg);
    }
}

static apr_status_t refuse(mastra_network_t *network, apr_status_t rv,
                           int status, const char *code, const char *message)
{
    network->job_error = mastra_result_make(network->pool, status, code, "%s",
                                            message);
    return rv;
}

/* ---- the beginning ---- */

static apr_status_t open_thread(mastra_network_t *network, mastra_db_t *db,
                                apr_pool_t *pool)
{
    const char *resource = mastra_network_str(network, "resourceId"), *have;
    mastra_json_t *thread = mastra_json_own(mastra_json_pack(
        "{s:s, s:s, s:s}", "id", mastra_network_str(network, "threadId"),
        "resourceId", resource, "title", ""), pool);
    mastra_json_t *stored = NULL;
    apr_status_t rv = mastra_threads_ensure(&stored, db, thread, pool);

    if (rv) {
        return rv;
    }
    mastra_json_own(stored, pool);
    have = mastra_json_get_str(stored, "resourceId");
    if (!have || strcmp(have, resource)) {
        return refuse(network, APR_EACCES, 403, "THREAD_OWNER",
                      "Access denied: thread belongs to a different resource");
    }
    return APR_SUCCESS;
}

static apr_status_t recall(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_network_t *network = baton;
    int last = network->agent->memory.last_messages;
    mastra_json_t *history = NULL;
    apr_status_t rv = open_thread(network, db, pool);

    if (!rv && last > 0) {
        rv = mastra_messages_last(&history, db,
                                  mastra_network_str(network, "threadId"),
                                  last, pool);
        mastra_json_own(history, pool);
    }
    if (!rv) {
        rv = mastra_messages_save(db, network->messages, pool);
    }
    if (!rv) {
        rv = mastra_network_first(network, history, db, pool);
    }
    if (!rv) {
        mastra_json_unref(network->object);
        network->object = mastra_json_ref(history);
    }
    return rv;
}

/* The network's own messages are for models, not for its agents. */
static int is_own(const mastra_json_t *message)
{
    const char *mode = mastra_json_get_str(
        mastra_json_path(message, "content", "metadata", NULL), "mode");

    return mode && !strcmp(mode, "network");
}

void mastra_network_take_in(mastra_network_t *network,
                            const mastra_json_t *messages)
{
    mastra_json_t *said = mastra_json_get(network->state, "said");
    apr_size_t i;

    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_t *message = mastra_json_at(messages, i);

        add_to_log(network, message);
        if (!is_own(message)) {
            mastra_json_append(said, mastra_json_ref(message));
        }
    }
}

static void recalled(mastra_network_t *network)
{
    void (*next)(mastra_network_t *) = network->then;

    network->then = NULL;
    network->kept = network->epoch > 0;
    if (network->kept) {
        mastra_network_set_lease(network);
        mastra_network_open_log(network);
    }
    mastra_network_take_in(network, network->object);
    mastra_network_take_in(network, network->messages);
    mastra_json_unref(network->messages);
    network->messages = mastra_json_array();
    next(network);
}

void mastra_network_recall(mastra_network_t *network)
{
    network->then = network->stored;
    network->stored = recalled;
    network->stage = MASTRA_NETWORK_BEGIN;
    mastra_network_submit(network, recall);
}

/* ---- on the way ---- */

static apr_status_t save(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_network_t *network = baton;
    apr_status_t rv = APR_SUCCESS;

    if (network->kept && network->epoch) {
        rv = mastra_network_keep(network, db, pool);
    }
    else if (network->finished && network->epoch) {
        rv = mastra_runs_finish(db, network->env->host, network->id,
                                network->epoch, pool);
    }
    return rv || !mastra_json_size(network->messages)
           ? rv : mastra_messages_save(db, network->messages, pool);
}

static void saved(mastra_network_t *network)
{
    void (*next)(mastra_network_t *) = network->then;

    network->then = NULL;
    mastra_json_unref(network->messages);
    network->messages = mastra_json_array();
    if (network->finished && !network->kept) {
        network->epoch = 0;
    }
    next(network);
}

void mastra_network_save(mastra_network_t *network)
{
    network->then = network->stored;
    network->stored = saved;
    mastra_network_store(network, save);
}

/* ---- waiting ---- */

static apr_status_t suspend(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_network_t *network = baton;
    mastra_run_row_t row = {
        .host = network->env->host, .id = network->id,
        .kind = MASTRA_NETWORK_KIND, .name = network->agent->id,
        .resource_id = mastra_network_str(network, "resourceId"),
        .thread_id = mastra_network_str(network, "threadId")
    };
    apr_status_t rv;

    row.snapshot = mastra_json_own(mastra_network_snapshot(network,
                                                           "suspended"), pool);
    row.summary = mastra_json_own(mastra_json_pack(
        "{s:s, s:s}", "runId", network->id, "status", "suspended"), pool);
    rv = mastra_runs_suspend(db, &row, network->epoch, pool);
    return rv ? rv : mastra_messages_save(db, network->messages, pool);
}

void mastra_network_suspend(mastra_network_t *network)
{
    network->stage = MASTRA_NETWORK_WAITS;
    mastra_network_store(network, suspend);
}

/* ---- taken up ---- */

/* Whether a run that is not to be had is over. */
static int is_done(const mastra_network_t *network, mastra_db_t *db,
                   apr_pool_t *pool)
{
    mastra_run_row_t row;

    return !mastra_runs_get(&row, db, network->env->host, network->id, pool)
           && !strcmp(row.status, "done");
}

/* Who takes the run over later goes on with the decision. */
static apr_status_t keep_decision(mastra_network_t *network,
                                  const mastra_json_t *snapshot,
                                  mastra_db_t *db, apr_pool_t *pool)
{
    apr_status_t rv;

    network->kept = mastra_json_get_bool(network->state, "kept", 0);
    network->last_at = mastra_json_get_int(network->state, "lastAt", 0);
    if (!network->context) {
        network->context = mastra_json_ref(mastra_json_get(snapshot,
                                                           "requestContext"));
    }
    if (!network->kept) {
        return APR_SUCCESS;
    }
    network->stage = MASTRA_NETWORK_DECIDED;
    rv = mastra_events_newest(&network->after, db,
                              mastra_durable_log(network->id, pool), pool);
    return rv ? rv : mastra_network_keep(network, db, pool);
}

static apr_status_t claim(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_network_t *network = baton;
    mastra_run_row_t row = { NULL };
    mastra_json_t *snapshot = NULL, *state;
    const char *stage;
    int epoch = 0;
    apr_status_t rv = mastra_runs_claim(&snapshot, &epoch, &row, db,
                                        network->env->host, network->id,
                                        network->env->lease, pool);

    mastra_json_own(snapshot, pool);
    state = mastra_json_get(snapshot, "network");
    stage = mastra_json_get_str(state, "stage");
    if ((rv == MASTRA_STORE_EXISTS && !is_done(network, db, pool))
        || (!rv && stage && strcmp(stage, MASTRA_NETWORK_WAITS))) {
        /* somebody goes on with it, or is about to */
        return refuse(network, MASTRA_STORE_EXISTS, 409, "RUN_CLAIMED",
                      "This run is being resumed already");
    }
    if (rv && rv != MASTRA_STORE_NOT_FOUND && rv != MASTRA_STORE_EXISTS) {
        return rv;
    }
    if (rv || strcmp(row.kind, MASTRA_NETWORK_KIND)
        || strcmp(row.name, network->agent->id) || !state
        || (network->owner
            && (!row.resource_id || strcmp(row.resource_id,
                                           network->owner)))) {
        return refuse(network, MASTRA_STORE_NOT_FOUND, 404, "RUN_NOT_FOUND",
                      "No network run with this id waits for a decision");
    }
    mastra_json_unref(network->state);
    network->state = mastra_json_ref(state);
    network->epoch = epoch;
    return keep_decision(network, snapshot, db, pool);
}

static apr_status_t renew(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_network_t *network = baton;

    return mastra_runs_renew(db, network->env->host, network->id,
                             network->epoch, network->env->lease, pool);
}

static void renew_done(void *baton, apr_status_t rv)
{
    mastra_network_t *network = baton;

    network->renew_rv = rv;
    mastra_loop_post(network->env->loop, &network->renewed);
}

static void on_lease(void *baton);

void mastra_network_set_lease(mastra_network_t *network)
{
    mastra_loop_timer_set(network->env->loop, &network->lease,
                          network->env->lease / 3, on_lease, network);
}

static void after_renew(void *baton)
{
    mastra_network_t *network = baton;

    network->renewing = 0;
    if (network->cancelled || network->over) {
        mastra_network_free(network);
    }
    else if (network->renew_rv == MASTRA_STORE_STALE && network->epoch) {
        mastra_network_lost(network);
    }
    else if (network->epoch > 0) {
        mastra_network_set_lease(network);
    }
}

static void on_lease(void *baton)
{
    mastra_network_t *network = baton;

    if (network->epoch <= 0) {
        return;
    }
    memset(&network->renewal, 0, sizeof(network->renewal));
    network->renewal.mode = MASTRA_STORE_WRITE;
    network->renewal.run = renew;
    network->renewal.done = renew_done;
    network->renewal.baton = network;
    network->renewed.cb = after_renew;
    network->renewed.baton = network;
    network->renewing = 1;
    if (mastra_store_submit(network->env->store, &network->renewal)) {
        network->renewing = 0;
        mastra_network_set_lease(network);
    }
}

void mastra_network_drop_lease(mastra_network_t *network)
{
    mastra_loop_timer_stop(network->env->loop, &network->lease);
}

static void claimed(mastra_network_t *network)
{
    mastra_network_set_lease(network);
    mastra_network_open_log(network);
    mastra_network_limit(network);
    mastra_network_go_on(network);
}

void mastra_network_claim(mastra_network_t *network)
{
    network->stored = claimed;
    mastra_network_submit(network, claim);
}
