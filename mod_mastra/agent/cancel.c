/* Runs that end before they are done: aborted, left by their client, taken over
 * by another process; and those that go on after a pause. */

#include "hub.h"
#include "internal.h"
#include "last_words.h"
#include "../base/log.h"

/* Whoever listens is told of the end when what had come is stored, or so much
 * later: a process that stops has less time (LAST_WORDS of hub_stop.c). */
#define TELL_AFTER apr_time_from_sec(3)
#define TELL_AFTER_STOPPING apr_time_from_sec(2)

void mastra_run_cancel_work(mastra_agent_run_t *run)
{
    mastra_run_tool_t *tool;

    if (run->call) {
        mastra_model_cancel(run->call);
        run->call = NULL;
    }
    for (tool = run->step.tools; tool; tool = tool->next) {
        if (tool->call) {
            mastra_tool_cancel(tool->call);
            tool->call = NULL;
        }
    }
}

int mastra_run_is_at_work(const mastra_agent_run_t *run)
{
    return run->state == MASTRA_RUN_MODEL || run->state == MASTRA_RUN_TOOLS;
}

void mastra_run_stop(mastra_agent_run_t *run, const mastra_result_t *error)
{
    if (mastra_run_is_at_work(run)) {
        run->taken_over = 1;
        run->read_only = 1;
        run->epoch = 0;
        run->held = NULL;
        mastra_run_cancel_work(run);
        mastra_run_fail(run, error);
    }
}

apr_interval_time_t mastra_run_tells_after(const mastra_agent_env_t *env)
{
    return env->hub && mastra_hub_leaves(env->hub) ? TELL_AFTER_STOPPING
                                                   : TELL_AFTER;
}

/* Takes nothing from the run's pool: a store job may have that in hand. */
void mastra_run_say_abort(mastra_agent_run_t *run)
{
    mastra_json_t *chunk;

    if (run->aborted && run->stream && run->sink) {
        run->aborted = 0;
        chunk = mastra_run_envelope(run, "abort", mastra_json_object());
        run->sink->vtable->chunk(run->sink, chunk);
        mastra_json_unref(chunk);
    }
}

static void on_late(void *baton)
{
    mastra_agent_run_t *run = baton;

    mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3014) "run %s has ended, and "
               "the part of the answer that had come is still to be stored: "
               "who listens is told before it is", run->id);
    mastra_run_say_abort(run);
}

static void tell(mastra_agent_run_t *run)
{
    mastra_run_say_abort(run);
    mastra_durable_over(run);
}

static void after_cancel(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->channel) {
        mastra_channel_settled(run->channel, run->job_rv);
    }
    if (run->job_rv) {
        mastra_log(MASTRA_LOG_ERR, run->job_rv, MASTRA_ID(3004)
                   "run %s: the part of the answer that had come could not be "
                   "stored", run->id);
        /* nor was it that the last words are still to come */
        run->stage = MASTRA_STAGE_MODEL;
    }
    tell(run);
}

static void save(mastra_agent_run_t *run)
{
    mastra_run_save(run, after_cancel);
}

/* Stops what is open, stores what has come, tells of it, and ends. */
static void abandon(mastra_agent_run_t *run)
{
    mastra_run_cancel_work(run);
    mastra_run_close_text(run);
    if (mastra_run_has_answer(run) || run->epoch || run->channel) {
        mastra_run_date_answer(run);
        mastra_loop_timer_set(run->env->loop, &run->deadline,
                              mastra_run_tells_after(run->env), on_late, run);
        mastra_durable_finish(run, save);
        return;
    }
    tell(run);
}

void mastra_run_cancelled(mastra_agent_run_t *run)
{
    if (run->leaves) {
        mastra_durable_let_go(run);
        return;
    }
    abandon(run);
}

static int is_busy(const mastra_agent_run_t *run)
{
    return run->state == MASTRA_RUN_RECALL || run->state == MASTRA_RUN_DRAIN
           || run->state == MASTRA_RUN_SAVE || run->state == MASTRA_RUN_END;
}

static int is_ending(const mastra_agent_run_t *run)
{
    return run->state == MASTRA_RUN_SAVE || run->state == MASTRA_RUN_LAST
           || run->state == MASTRA_RUN_END;
}

void mastra_agent_run_abort(mastra_agent_run_t *run)
{
    /* one that is being saved is over in a moment */
    if (run->cancelled || is_ending(run)) {
        return;
    }
    run->aborted = 1;
    run->held = NULL;
    if (is_busy(run)) {
        run->cancelled = 1;
        return;
    }
    run->cancelled = 1;
    abandon(run);
}

void mastra_agent_run_cancel(mastra_agent_run_t *run)
{
    if (mastra_durable_cancel(run)) {
        return;
    }
    if (run->channel) {
        mastra_channel_client_gone(run->channel);
        mastra_agent_run_abort(run);
        /* nobody is left who could be too slow for its last words */
        mastra_agent_run_resume(run);
        return;
    }
    run->cancelled = 1;
    run->sink = NULL;
    run->held = NULL;
    if (run->state == MASTRA_RUN_LAST) {
        mastra_run_end(run);
    }
    else if (!is_busy(run)) {
        abandon(run);
    }
}

int mastra_run_heed(mastra_agent_run_t *run, int who, int go)
{
    if (!go) {
        run->slow |= who;
    }
    return go;
}

void mastra_run_has_room(mastra_agent_run_t *run, int who)
{
    void (*next)(mastra_agent_run_t *run) = run->held;

    run->slow &= ~who;
    if (run->slow) {
        return;
    }
    run->blocked = 0;
    if (next) {
        run->held = NULL;
        next(run);
    }
    else if (run->call) {
        mastra_model_resume(run->call);
    }
    else {
        mastra_run_resume_tools(run);
    }
}

void mastra_agent_run_resume(mastra_agent_run_t *run)
{
    mastra_run_has_room(run, MASTRA_SLOW_CLIENT);
}
