/* From one step of a run to the next, or to the end. */

#include <string.h>

#include "internal.h"

/* A step that waited for a person ends the message it belongs to. */
static void next_message(mastra_agent_run_t *run)
{
    const char *old = run->message_id;
    const char *next = mastra_text_uuid_timed(run->pool);

    run->message_id = run->next_id = next;
    mastra_run_say_step_finish(run, 1);
    run->message_id = old;
    run->next_id = NULL;
    mastra_run_next_message(run, next);
    mastra_json_unref(run->decision);
    run->decision = NULL;
}

static void go_on(mastra_agent_run_t *run)
{
    mastra_run_free_step(&run->step);
    mastra_durable_keep(run, MASTRA_STAGE_MODEL, mastra_run_start_step);
}

/* ---- savePerStep ---- */

static apr_status_t save_step(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_agent_run_t *run = baton;
    mastra_json_t *message = mastra_json_own(mastra_run_message(run, 0), pool);
    mastra_json_t *messages = mastra_json_own(
        mastra_json_pack("[O]", message), pool);

    return mastra_messages_save(
        db, mastra_json_own(mastra_memory_kept(messages), pool), pool);
}

static void after_save_step(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->cancelled) {
        mastra_run_cancelled(run);
        return;
    }
    if (run->job_rv) {
        mastra_run_fail(run, mastra_store_result(run->pool, run->job_rv,
                                                 "save the step"));
        return;
    }
    go_on(run);
}

/* A claimed run is stored by its end or its next wait alone: then it is known
 * that the claim still holds. */
static int saves_steps(mastra_agent_run_t *run)
{
    return mastra_run_has_answer(run) && !run->epoch && !run->channel
           && mastra_json_is_true(mastra_run_option(run, "savePerStep"));
}

/* ---- steps ---- */

static void next_step(mastra_agent_run_t *run)
{
    if (run->decision) {
        next_message(run);
    }
    else {
        mastra_run_say_step_finish(run, 1);
        mastra_run_add_step_start(run);
    }
    if (saves_steps(run)) {
        run->state = MASTRA_RUN_DRAIN;
        mastra_run_submit(run, MASTRA_STORE_WRITE, save_step, after_save_step);
        return;
    }
    go_on(run);
}

void mastra_run_step_done(mastra_agent_run_t *run)
{
    if (!mastra_run_is_last_step(run)) {
        next_step(run);
        return;
    }
    mastra_run_say_step_finish(run, 0);
    mastra_run_finish(run);
}

void mastra_run_structured(mastra_agent_run_t *run,
                           const mastra_result_t *error)
{
    if (error) {
        mastra_run_fail(run, error);
        return;
    }
    if (!mastra_run_drain(run)) {
        mastra_run_step_done(run);
    }
}

void mastra_run_step_over(mastra_agent_run_t *run)
{
    if (mastra_run_hold(run, mastra_run_step_over)) {
        return;
    }
    if (run->output && !run->step.tools) {
        mastra_run_structure(run);
        return;
    }
    mastra_run_structured(run, NULL);
}
