/* Messages that come to a thread while its run goes on: taken in between two
 * steps. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "last_words.h"
#include "signal.h"
#include "../base/log.h"
#include "../store/channels.h"

/* ---- store thread ---- */

static mastra_json_t *to_store(mastra_agent_run_t *run,
                               const mastra_json_t *came, apr_pool_t *pool)
{
    mastra_json_t *made = mastra_json_own(mastra_json_array(), pool);
    apr_size_t i;

    mastra_json_append(made, mastra_run_message(run, 0));
    for (i = 0; i < mastra_json_size(came); i++) {
        mastra_json_t *message = mastra_json_at(came, i);

        if (!mastra_signal_is_transient(message)) {
            mastra_json_append(made, mastra_json_ref(message));
        }
    }
    return made;
}

/* What a run is sent it also answers: with one step more than it was to have,
 * as a run of its own would have had. What comes to one that has had too many
 * begins the next. */
static int has_step_left(const mastra_agent_run_t *run)
{
    return run->nsteps + 1 < MASTRA_RUN_MAX_STEPS;
}

static apr_status_t save_last(mastra_agent_run_t *run, mastra_db_t *db,
                              apr_pool_t *pool)
{
    const char *stage = run->stage;
    apr_status_t rv;

    if (mastra_last_words_due(run)) {
        run->stage = MASTRA_STAGE_END;
    }
    rv = mastra_run_save_now(run, db, pool);
    run->saved = rv == APR_SUCCESS;
    if (!run->saved) {
        run->stage = stage;
    }
    return rv;
}

/* They leave the queue and are stored in one transaction, behind what the run
 * has said so far. */
static apr_status_t take(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_agent_run_t *run = baton;
    mastra_json_t *came = NULL;
    apr_status_t rv = APR_SUCCESS;

    if (has_step_left(run)) {
        rv = mastra_channel_take(&came, run->channel, db, pool);
    }
    mastra_json_own(came, pool);
    run->saved = 0;
    if (rv == APR_SUCCESS && mastra_json_size(came) && run->thread_id
        && !run->read_only) {
        rv = mastra_messages_save(db, mastra_json_own(
                                      mastra_memory_kept(to_store(run, came,
                                                                  pool)),
                                      pool), pool);
    }
    if (rv == APR_SUCCESS && !mastra_json_size(came)
        && mastra_run_is_last_step(run)) {
        rv = save_last(run, db, pool);
    }
    if (rv == APR_SUCCESS) {
        mastra_json_unref(run->came);
        run->came = mastra_json_ref(came);
    }
    return rv;
}

/* ---- loop ---- */

/* The step ends early: what has been said is one message, what came stands
 * behind it, and the next step begins another. */
static void take_in(mastra_agent_run_t *run, mastra_json_t *came)
{
    const char *old = run->message_id;

    if (run->nsteps + 1 >= run->max_steps) {
        run->max_steps = run->nsteps + 2;
    }
    mastra_run_say_signals(run, came);
    run->step.reason = "other";
    run->next_id = run->message_id = mastra_text_uuid_timed(run->pool);
    mastra_run_say_step_finish(run, 1);
    run->message_id = old;
    mastra_run_next_message(run, run->next_id);
    mastra_json_extend(run->prior, came);
    mastra_json_unref(run->decision);
    run->decision = NULL;
    run->next_id = NULL;
    mastra_run_free_step(&run->step);
    mastra_durable_keep(run, MASTRA_STAGE_MODEL, mastra_run_start_step);
}

static void after_take(void *baton)
{
    mastra_agent_run_t *run = baton;
    mastra_json_t *came = run->came;

    run->came = NULL;
    run->saved &= run->job_rv == APR_SUCCESS;
    if (run->job_rv == MASTRA_CHANNEL_STALE) {
        run->state = MASTRA_RUN_TOOLS;
        mastra_channel_lost(run->channel);
    }
    else if (run->saved) {
        /* an abort that came meanwhile came too late */
        run->cancelled = run->aborted = run->leaves = 0;
        mastra_run_step_done(run);
    }
    else if (run->cancelled) {
        mastra_run_cancelled(run);
    }
    else if (run->job_rv == APR_SUCCESS && mastra_json_size(came)) {
        take_in(run, came);
    }
    else {
        if (run->job_rv) {
            /* they stay in the queue, and are answered when this run is over */
            mastra_log(MASTRA_LOG_WARNING, run->job_rv, MASTRA_ID(3008)
                       "run %s: messages that came meanwhile cannot be taken "
                       "in", run->id);
        }
        mastra_run_step_done(run);
    }
    mastra_json_unref(came);
}

static void start_take(mastra_agent_run_t *run)
{
    mastra_run_submit(run, MASTRA_STORE_WRITE, take, after_take);
}

int mastra_run_drain(mastra_agent_run_t *run)
{
    if (!run->channel
        || (!mastra_channel_pending(run->channel)
            && !mastra_run_is_last_step(run))) {
        return 0;
    }
    run->state = MASTRA_RUN_DRAIN;
    mastra_run_date_answer(run);
    if (mastra_run_is_last_step(run)) {
        mastra_last_words_come(run, start_take);
    }
    else {
        start_take(run);
    }
    return 1;
}
