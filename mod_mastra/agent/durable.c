/* Durable runs: kept in storage while they go on, so that another process can
 * go on with them from the last step that was kept. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "hub_internal.h"
#include "last_words.h"
#include "../base/log.h"
#include "../store/events.h"
#include "../store/runs.h"

/* so often a run changes hands without coming to its next step */
#define TAKEN_MAX 6
/* the key of a log has room for so much, and some more */
#define ID_MAX 200

/* Who the run talks to where its thread has no channel, or it has no thread. */
typedef struct mastra_durable_t {
    mastra_sink_t sink;              /* first */
    mastra_agent_run_t *run;
    mastra_sink_t *client;           /* NULL: nobody, or nobody any more */
    mastra_log_t *log;
} mastra_durable_t;

void mastra_agent_run_endure(mastra_agent_run_t *run)
{
    run->durable = run->agent->durable && run->env->hub && run->env->store;
}

int mastra_agent_run_endures(const mastra_agent_run_t *run)
{
    return run->durable;
}

const char *mastra_run_kind(const mastra_agent_t *agent)
{
    return agent->durable ? MASTRA_RUN_DURABLE : MASTRA_RUN_KIND;
}

const char *mastra_durable_log(const char *run_id, apr_pool_t *pool)
{
    apr_size_t len = strlen(run_id);

    return apr_pstrcat(pool, "a:", len > ID_MAX
                                       ? mastra_text_sha256(run_id, len, pool)
                                       : run_id, NULL);
}

mastra_log_t *mastra_durable_log_of(const mastra_agent_run_t *run)
{
    return run->channel ? run->channel->log : run->own ? run->own->log : NULL;
}

/* Who takes a log over from a channel writes after its epochs. */
int mastra_durable_log_epoch(const mastra_agent_run_t *run)
{
    return run->channel ? run->channel->claim->epoch
                        : run->log_base + run->epoch;
}

/* ---- store thread ---- */

void mastra_durable_row(mastra_run_row_t *row, mastra_agent_run_t *run,
                        apr_pool_t *pool)
{
    memset(row, 0, sizeof(*row));
    row->host = run->env->host;
    row->id = run->id;
    row->kind = MASTRA_RUN_DURABLE;
    row->name = run->agent->id;
    row->resource_id = run->resource_id ? run->resource_id : run->owner;
    row->thread_id = run->thread_id;
    row->owner = run->env->hub->address;
    row->snapshot = mastra_json_own(mastra_run_stored(run, "running"), pool);
}

apr_status_t mastra_durable_begin(mastra_agent_run_t *run, mastra_db_t *db,
                                  apr_pool_t *pool)
{
    mastra_run_row_t row;
    int epoch = 0;
    apr_status_t rv;

    if (!run->durable) {
        return APR_SUCCESS;
    }
    run->stage = MASTRA_STAGE_MODEL;
    mastra_durable_row(&row, run, pool);
    rv = mastra_runs_begin(&epoch, db, &row, run->env->lease, pool);
    if (rv == MASTRA_STORE_EXISTS) {
        run->job_error = mastra_result_make(run->pool, 409, "RUN_EXISTS",
                                            "A run with this id is there "
                                            "already");
    }
    if (rv == APR_SUCCESS) {
        run->epoch = epoch;
    }
    return rv;
}

apr_status_t mastra_durable_take(mastra_json_t **psnapshot, int *pepoch,
                                 mastra_run_row_t *row,
                                 mastra_agent_run_t *run, mastra_db_t *db,
                                 apr_pool_t *pool)
{
    if (!run->recovers) {
        return mastra_runs_claim(psnapshot, pepoch, row, db, run->env->host,
                                 run->id, run->env->lease, pool);
    }
    return mastra_runs_take(psnapshot, pepoch, row, db, run->env->host,
                            run->id, run->env->hub->address, run->dead,
                            run->env->lease, pool);
}

/* A decision is part of the state: whoever takes over goes on with it. */
apr_status_t mastra_durable_decided(mastra_agent_run_t *run,
                                    mastra_json_t *snapshot,
                                    mastra_json_t *state, int epoch,
                                    mastra_db_t *db, apr_pool_t *pool)
{
    mastra_run_row_t row = { .host = run->env->host, .id = run->id,
                             .kind = MASTRA_RUN_DURABLE,
                             .resource_id = mastra_json_get_str(state,
                                                                "resourceId"),
                             .owner = run->env->hub->address,
                             .snapshot = snapshot };

    mastra_json_set_str(snapshot, "status", "running");
    mastra_json_set_str(state, "stage", MASTRA_STAGE_DECIDED);
    mastra_json_set(state, "decision", mastra_json_ref(run->decision));
    return mastra_runs_keep(db, &row, epoch, run->env->lease, pool);
}

static apr_status_t keep(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_agent_run_t *run = baton;
    mastra_run_row_t row;

    mastra_durable_row(&row, run, pool);
    return mastra_runs_keep(db, &row, run->epoch, run->env->lease, pool);
}

/* ---- loop: steps ---- */

static const mastra_result_t taken_over = {
    .status = 409, .code = "RUN_TAKEN_OVER",
    .message = "This run is continued elsewhere"
};

static void after_keep(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->cancelled) {
        mastra_run_cancelled(run);
        return;
    }
    run->state = MASTRA_RUN_TOOLS;
    if (run->job_rv == MASTRA_STORE_STALE) {
        mastra_run_stop(run, &taken_over);
    }
    else if (run->job_rv) {
        mastra_run_fail(run, mastra_store_result(run->pool, run->job_rv,
                                                 "keep the run"));
    }
    else {
        run->after_keep(run);
    }
}

static void on_synced(void *baton)
{
    mastra_run_submit(baton, MASTRA_STORE_WRITE, keep, after_keep);
}

void mastra_durable_keep(mastra_agent_run_t *run, const char *stage,
                         void (*next)(mastra_agent_run_t *run))
{
    mastra_log_t *log;

    if (!run->durable || !run->epoch) {
        next(run);
        return;
    }
    run->stage = stage;
    run->after_keep = next;
    run->state = MASTRA_RUN_DRAIN;
    mastra_run_date_answer(run);
    /* what was said up to here is not said again: it is stored before */
    log = mastra_durable_log_of(run);
    if (!log || !mastra_log_sync(log, on_synced, run)) {
        on_synced(run);
    }
}

/* ---- loop: what it says ---- */

static void mark(mastra_durable_t *durable)
{
    mastra_event_at_t at = { .part = 0 };

    if (durable->client->vtable->mark && !durable->run->taken_over) {
        at.seq = mastra_log_last(durable->log);
        durable->client->vtable->mark(durable->client, at);
    }
}

static int sink_chunk(mastra_sink_t *sink, mastra_json_t *chunk)
{
    mastra_durable_t *durable = (mastra_durable_t *)sink;
    int go = 1;

    if (!durable->run->taken_over) {
        mastra_json_t *shown = mastra_chunk_brief(chunk);

        go = mastra_run_heed(durable->run, MASTRA_SLOW_LOG,
                             mastra_log_chunk(durable->log, shown));
        mastra_json_unref(shown);
    }
    if (durable->client) {
        mark(durable);
        go &= mastra_run_heed(durable->run, MASTRA_SLOW_CLIENT,
                              durable->client->vtable->chunk(durable->client,
                                                             chunk));
    }
    return go;
}

static int sink_text(mastra_sink_t *sink, const char *run_id, const char *type,
                     const char *id, const char *text, apr_size_t len)
{
    mastra_durable_t *durable = (mastra_durable_t *)sink;
    int go = durable->run->taken_over
             || mastra_run_heed(durable->run, MASTRA_SLOW_LOG,
                                mastra_log_text(durable->log, run_id, type, id,
                                                text, len));

    if (durable->client) {
        mark(durable);
        go &= mastra_run_heed(durable->run, MASTRA_SLOW_CLIENT,
                              mastra_sink_text(durable->client, run_id, type,
                                               id, text, len));
    }
    return go;
}

static void sink_end(mastra_sink_t *sink, mastra_json_t *answer,
                     const mastra_result_t *error)
{
    mastra_durable_t *durable = (mastra_durable_t *)sink;
    mastra_agent_run_t *run = durable->run;

    run->sink = NULL;
    run->own = NULL;
    if (run->taken_over && !run->leaves) {
        mastra_log_lose(durable->log);
    }
    else {
        mastra_log_close(durable->log, !run->suspended && !run->leaves);
    }
    if (durable->client) {
        durable->client->vtable->end(durable->client, answer, error);
    }
    free(durable);
}

static const mastra_sink_vtable_t sink_vtable = {
    .chunk = sink_chunk, .text = sink_text, .end = sink_end
};

static void on_room(void *baton)
{
    mastra_run_has_room(((mastra_durable_t *)baton)->run, MASTRA_SLOW_LOG);
}

static void on_stale(void *baton)
{
    mastra_run_stop(((mastra_durable_t *)baton)->run, &taken_over);
}

static const mastra_log_cbs_t log_cbs = { on_room, on_stale };

void mastra_durable_adopt(mastra_agent_run_t *run)
{
    mastra_durable_t *durable;

    if (!run->durable || !run->epoch) {
        return;
    }
    if (!run->lease) {
        mastra_run_hold_lease(run);
    }
    if (run->channel) {
        return;
    }
    durable = calloc(1, sizeof(*durable));
    if (!durable) {
        abort();
    }
    durable->sink.vtable = &sink_vtable;
    durable->run = run;
    durable->client = run->sink;
    durable->log = mastra_log_open(run->env->hub->events, run->env->store,
                                   mastra_durable_log(run->id, run->pool),
                                   mastra_durable_log_epoch(run),
                                   run->recovers
                                       ? mastra_events_said(run->after)
                                       : run->after,
                                   &log_cbs, durable);
    run->own = durable;
    run->sink = &durable->sink;
}

/* ---- loop: taking over and letting go ---- */

void mastra_durable_go_on(mastra_agent_run_t *run, void (*decide)(
                              mastra_agent_run_t *run))
{
    mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3012) "the process that run %s "
               "was in has gone: this one goes on with it", run->id);
    if (!strcmp(run->stage, MASTRA_STAGE_END)) {
        mastra_last_words_again(run);
        return;
    }
    if (run->taken > TAKEN_MAX) {
        run->state = MASTRA_RUN_TOOLS;
        mastra_run_fail(run, mastra_result_make(
            run->pool, 500, "RUN_LOST", "The process that this run was in has "
            "ended before the step was done, again and again"));
        return;
    }
    if (!run->after) {
        mastra_run_say_start(run);
    }
    if (!strcmp(run->stage, MASTRA_STAGE_DECIDED)) {
        decide(run);
    }
    else if (!strcmp(run->stage, MASTRA_STAGE_TOOLS)) {
        mastra_run_start_tools(run);
    }
    else {
        mastra_run_start_step(run);
    }
}

static apr_status_t hand_back(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_agent_run_t *run = baton;

    return mastra_runs_hand_back(db, run->env->host, run->id, run->epoch,
                                 pool);
}

static void after_hand_back(void *baton)
{
    mastra_agent_run_t *run = baton;

    /* where that failed, its lease ends by itself */
    mastra_run_end(run);
}

/* The run goes on in another process, from what is kept. */
void mastra_durable_let_go(mastra_agent_run_t *run)
{
    mastra_run_cancel_work(run);
    mastra_run_drop_lease(run);
    run->taken_over = 1;
    run->state = MASTRA_RUN_SAVE;
    mastra_run_submit(run, MASTRA_STORE_WRITE, hand_back, after_hand_back);
}

int mastra_durable_cancel(mastra_agent_run_t *run)
{
    if (!run->durable || !run->epoch) {
        return 0;
    }
    if (run->channel) {
        mastra_channel_client_gone(run->channel);
    }
    if (run->own) {
        run->own->client = NULL;
    }
    if (!run->cancelled && mastra_run_is_at_work(run)) {
        run->held = NULL;
        run->leaves = run->cancelled = 1;
        mastra_durable_let_go(run);
    }
    else if (run->state == MASTRA_RUN_DRAIN) {
        run->leaves = run->cancelled = 1;
    }
    else {
        /* it is all but over */
        mastra_agent_run_resume(run);
    }
    return 1;
}
