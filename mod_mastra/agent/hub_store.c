/* What happens to the rows of channels: claims, and the end of runs whose
 * owner is gone. */

#include <string.h>

#include <apr_strings.h>

#include "hub_internal.h"
#include "../base/pool.h"
#include "../store/events.h"
#include "../store/runs.h"


/* ---- claims ---- */

mastra_claim_t *mastra_claim_make(mastra_agent_env_t *env,
                                  const mastra_channel_row_t *row)
{
    mastra_claim_t *claim;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_claim")) {
        return NULL;
    }
    claim = apr_pcalloc(pool, sizeof(*claim));
    claim->pool = pool;
    claim->env = env;
    claim->id = apr_pstrdup(pool, row->id);
    claim->resource = apr_pstrdup(pool, row->resource);
    claim->thread = apr_pstrdup(pool, row->thread);
    claim->run = apr_pstrdup(pool, row->run);
    claim->log = apr_pstrdup(pool, row->log);
    claim->epoch = row->epoch;
    return claim;
}

void mastra_claim_free(mastra_claim_t *claim)
{
    if (claim) {
        apr_pool_destroy(claim->pool);
    }
}

/* An item that was to go into a run which is over becomes a run itself. */
static const char *run_of(const mastra_queue_item_t *item, apr_pool_t *pool)
{
    return !strcmp(item->kind, MASTRA_QUEUE_NEXT)
               ? item->run : mastra_text_uuid_make(pool);
}

/* A durable run has one log, whoever goes on with it; others a new one. */
static const char *log_of(const mastra_agent_env_t *env, const char *agent,
                          const char *run, apr_pool_t *pool)
{
    const mastra_agent_t *found = mastra_agents_find(env->agents,
                                                     agent ? agent : "");

    return found && found->durable ? mastra_durable_log(run, pool) : NULL;
}

static apr_status_t claim_item(mastra_claim_t **pclaim, mastra_hub_t *hub,
                               mastra_agent_env_t *env,
                               mastra_channel_row_t *row,
                               const mastra_queue_item_t *item,
                               mastra_db_t *db, apr_pool_t *pool)
{
    mastra_json_t *text = NULL;
    const char *agent, *run;
    apr_status_t rv = mastra_json_parse(&text, item->text, strlen(item->text),
                                        0, NULL);

    if (rv != APR_SUCCESS) {
        return mastra_queue_drop(db, row->id, item->place, pool);
    }
    mastra_json_own(text, pool);
    agent = mastra_json_get_str(text, "agent");
    run = run_of(item, pool);
    if (run != item->run) {
        rv = mastra_queue_promote(db, row->id, item->place, run, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_channels_claim(row, db, agent ? agent : "", run,
                                   log_of(env, agent, run, pool),
                                   hub->address, hub->lease, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pclaim = mastra_claim_make(env, row);
    if (!*pclaim) {
        return APR_ENOMEM;
    }
    (*pclaim)->place = item->place;
    (*pclaim)->item = mastra_json_own(mastra_json_ref(text),
                                      (*pclaim)->pool);
    return APR_SUCCESS;
}

apr_status_t mastra_claim_next(mastra_claim_t **pclaim, mastra_hub_t *hub,
                               mastra_agent_env_t *env,
                               mastra_channel_row_t *row, mastra_db_t *db,
                               apr_pool_t *pool)
{
    mastra_queue_item_t item;
    apr_status_t rv = mastra_queue_first(&item, db, row->id, pool);

    *pclaim = NULL;
    if (rv == MASTRA_STORE_NOT_FOUND) {
        return APR_SUCCESS;
    }
    return rv ? rv : claim_item(pclaim, hub, env, row, &item, db, pool);
}

/* ---- logs that nobody has open ---- */

/* Chunks (an array, taken over) into a log after a sequence. */
static apr_status_t say_after(apr_int64_t after, mastra_db_t *db,
                              const mastra_channel_row_t *row,
                              mastra_json_t *chunks, apr_pool_t *pool)
{
    mastra_events_row_t event = { .log = row->log, .epoch = row->epoch,
                                  .seq = after + 1, .frames = "" };
    apr_size_t i, n = mastra_json_size(chunks);

    mastra_json_own(chunks, pool);
    for (i = 0; i < n; i++) {
        event.frames = apr_pstrcat(pool, event.frames, mastra_json_text(
                                       mastra_json_at(chunks, i), pool), "\n",
                                   NULL);
    }
    event.newest = after + (apr_int64_t)n;
    return mastra_events_append(db, &event, pool);
}

apr_status_t mastra_claim_say(mastra_db_t *db, const mastra_channel_row_t *row,
                              mastra_json_t *chunks, apr_pool_t *pool)
{
    return say_after(0, db, row, chunks, pool);
}

static mastra_json_t *lost_chunk(const char *run)
{
    return mastra_json_pack(
        "{s:s, s:s, s:s, s:{s:s, s:{s:s, s:s, s:s, s:i, s:b}}}", "type",
        "error", "runId", run, "from", "AGENT", "payload", "type", "error",
        "error", "message",
        "The process that this run was in has ended before it was done",
        "name", "Error", "code", "RUN_LOST", "statusCode", 500, "isRetryable",
        0);
}

/* Claims the dead run itself, so that its owner, should it live after all,
 * writes no more; says chunk (taken over, may be NULL), and is done with it. */
static apr_status_t bury(mastra_hub_t *hub, mastra_agent_env_t *env,
                         mastra_channel_row_t *row,
                         mastra_json_t *chunk, mastra_db_t *db,
                         apr_pool_t *pool)
{
    apr_status_t rv = mastra_channels_claim(row, db, row->agent, row->run,
                                            row->log, hub->address,
                                            hub->lease, pool);
    apr_int64_t last = 0;

    if (chunk) {
        mastra_json_own(chunk, pool);
    }
    if (rv == APR_SUCCESS && chunk) {
        rv = mastra_events_taken(&last, db, row->log, pool);
    }
    if (rv == APR_SUCCESS && chunk) {
        rv = say_after(last + MASTRA_EVENTS_JUMP, db, row,
                       mastra_json_pack("[O]", chunk), pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_events_end(db, row->log, row->epoch, 1, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_channels_release(row, db, row->id, row->epoch,
                                     MASTRA_CHANNEL_IDLE, pool);
    }
    return rv;
}

apr_status_t mastra_claim_over(mastra_claim_t **pclaim, mastra_hub_t *hub,
                               mastra_agent_env_t *env,
                               mastra_channel_row_t *row, mastra_db_t *db,
                               apr_pool_t *pool)
{
    mastra_queue_item_t item;
    int begun = 1;
    apr_status_t rv = APR_SUCCESS;

    *pclaim = NULL;
    if (*row->run) {
        /* gone once its message is stored: until then the run has done
         * nothing, and is begun again, before what came after it */
        rv = mastra_queue_of_run(&item, db, row->id, row->run, pool);
        begun = rv == MASTRA_STORE_NOT_FOUND;
        if (rv == APR_SUCCESS || begun) {
            rv = bury(hub, env, row, begun ? lost_chunk(row->run) : NULL, db,
                      pool);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = begun ? mastra_claim_next(pclaim, hub, env, row, db, pool)
                   : claim_item(pclaim, hub, env, row, &item, db, pool);
    }
    /* one that was left to others, with nothing to do */
    if (rv == APR_SUCCESS && !*pclaim
        && row->status == MASTRA_CHANNEL_RUNNING) {
        rv = mastra_channels_release(row, db, row->id, row->epoch,
                                     MASTRA_CHANNEL_IDLE, pool);
    }
    return rv;
}

/* What waits for a decision is in mastra_x_runs: it goes, too. */
static apr_status_t drop_suspended(mastra_db_t *db,
                                   const mastra_channel_row_t *row,
                                   apr_pool_t *pool)
{
    mastra_json_t *snapshot = NULL;
    mastra_run_row_t run = { NULL };
    int epoch = 0;
    apr_status_t rv = mastra_runs_claim(&snapshot, &epoch, &run, db, row->host,
                                        row->run, MASTRA_CHANNEL_LEASE_MIN,
                                        pool);

    mastra_json_unref(snapshot);
    if (rv == APR_SUCCESS) {
        rv = mastra_runs_finish(db, row->host, row->run, epoch, pool);
    }
    return rv == MASTRA_STORE_NOT_FOUND ? APR_SUCCESS : rv;
}

apr_status_t mastra_claim_instead(mastra_claim_t **pclaim, mastra_hub_t *hub,
                                  mastra_agent_env_t *env,
                                  mastra_channel_row_t *row, mastra_db_t *db,
                                  apr_pool_t *pool)
{
    apr_status_t rv = drop_suspended(db, row, pool);

    if (rv == APR_SUCCESS) {
        rv = bury(hub, env, row, mastra_json_pack("{s:s, s:s, s:s, s:{}}", "type",
                                             "abort", "runId", row->run,
                                             "from", "AGENT", "payload"), db,
                  pool);
    }
    return rv == APR_SUCCESS ? mastra_claim_next(pclaim, hub, env, row, db,
                                                 pool) : rv;
}
