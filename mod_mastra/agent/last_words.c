/* The end of a durable run that streams: its answer is kept with the row, its
 * last words are said, then the row and the log end together. Whoever takes the
 * run over in between says what is missing. */

#include <string.h>

#include "hub_internal.h"
#include "last_words.h"
#include "../store/events.h"
#include "../store/runs.h"

#define READ_LIMIT (256 * 1024)      /* bytes of the log at a time */

/* what of the last words is in the log */
enum { SAID_STEP = 1, SAID_END = 2 };

/* 1: its last words are all that is missing. */
static int is_at_end(const mastra_agent_run_t *run)
{
    return run->durable && run->epoch && (run->own || run->channel)
           && run->stage && !strcmp(run->stage, MASTRA_STAGE_END);
}

int mastra_last_words_due(const mastra_agent_run_t *run)
{
    return run->durable && run->epoch && run->stream
           && mastra_durable_log_of(run);
}

/* ---- store thread ---- */

void mastra_last_words_put(mastra_json_t *state, const mastra_agent_run_t *run)
{
    if (!is_at_end(run)) {
        return;
    }
    mastra_json_set_int(state, "logged", run->after);
    if (run->object) {
        mastra_json_set(state, "object", mastra_json_ref(run->object));
    }
    if (run->error) {
        mastra_json_set(state, "error", mastra_json_pack(
            "{s:i, s:s, s:s}", "status", run->error->status, "code",
            run->error->code, "message", run->error->message));
    }
    if (run->channel) {
        mastra_json_set_int(state, "logBase", mastra_durable_log_epoch(run));
    }
    if (run->state == MASTRA_RUN_DRAIN) {
        mastra_json_set_bool(state, "stepOpen", 1);
    }
    else if (run->cancelled) {
        mastra_json_set_bool(state, "aborted", 1);
    }
}

apr_status_t mastra_durable_end(mastra_agent_run_t *run, mastra_db_t *db,
                                apr_pool_t *pool)
{
    mastra_run_row_t row = { .host = run->env->host, .id = run->id,
                             .kind = MASTRA_RUN_DURABLE };
    apr_status_t rv;

    if (!run->durable) {
        return mastra_runs_finish(db, run->env->host, run->id, run->epoch,
                                  pool);
    }
    if (is_at_end(run)) {
        mastra_durable_row(&row, run, pool);
        return mastra_runs_keep(db, &row, run->epoch, run->env->lease, pool);
    }
    rv = mastra_runs_retire(db, &row, run->epoch, pool);
    /* a channel marks the end of its log itself */
    if (rv == APR_SUCCESS && run->own) {
        rv = mastra_events_end(db, mastra_durable_log(run->id, pool),
                               mastra_durable_log_epoch(run), !run->stream,
                               pool);
    }
    return rv;
}

int mastra_last_words_follow(const mastra_agent_run_t *run)
{
    return run && is_at_end(run);
}

static void hear(mastra_agent_run_t *run, const char *frame, apr_size_t len)
{
    mastra_json_t *chunk = NULL;

    if (mastra_json_parse(&chunk, frame, len, 0, NULL) != APR_SUCCESS) {
        return;
    }
    if (mastra_part_is(chunk, "step-finish")) {
        run->said |= SAID_STEP;
    }
    else if (mastra_part_is(chunk, "finish") || mastra_part_is(chunk, "error")
             || mastra_part_is(chunk, "abort")) {
        run->said |= SAID_END;
    }
    mastra_json_unref(chunk);
}

static void hear_row(mastra_agent_run_t *run, const mastra_events_row_t *row,
                     apr_int64_t after)
{
    const char *at = row->frames, *end;
    apr_int64_t seq = row->seq;

    for (; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        if (seq++ > after) {
            hear(run, at, (apr_size_t)(end - at));
        }
    }
}

int mastra_last_words_kept(const mastra_agent_run_t *run,
                           const mastra_json_t *state)
{
    const char *stage = mastra_json_get_str(state, "stage");

    return run->recovers && stage && !strcmp(stage, MASTRA_STAGE_END);
}

apr_status_t mastra_last_words_heard(mastra_agent_run_t *run,
                                     const mastra_json_t *state,
                                     mastra_db_t *db, apr_pool_t *pool)
{
    apr_int64_t after = mastra_json_get_int(state, "logged", 0);
    mastra_events_page_t page = { .more = 1 };
    apr_status_t rv = APR_SUCCESS;
    int i;

    run->said = 0;
    while (rv == APR_SUCCESS && page.more) {
        rv = mastra_events_read(&page, db, mastra_durable_log(run->id, pool),
                                after, READ_LIMIT, pool);
        for (i = 0; rv == APR_SUCCESS && i < page.nrows; i++) {
            hear_row(run, &page.rows[i], after);
            after = page.rows[i].newest;
        }
        page.more &= page.nrows > 0;
    }
    return rv;
}

/* ---- loop ---- */

static void on_all_but_last(void *baton)
{
    mastra_agent_run_t *run = baton;

    run->after = mastra_log_last(mastra_durable_log_of(run));
    run->after_keep(run);
}

void mastra_last_words_come(mastra_agent_run_t *run,
                            void (*next)(mastra_agent_run_t *run))
{
    if (!mastra_last_words_due(run)) {
        next(run);
        return;
    }
    run->after_keep = next;
    if (!mastra_log_sync(mastra_durable_log_of(run), on_all_but_last, run)) {
        on_all_but_last(run);
    }
}

void mastra_durable_finish(mastra_agent_run_t *run,
                           void (*next)(mastra_agent_run_t *run))
{
    if (mastra_last_words_due(run)) {
        run->stage = MASTRA_STAGE_END;
        /* it is too late for an abort */
        run->state = MASTRA_RUN_SAVE;
    }
    mastra_last_words_come(run, next);
}

static apr_status_t retire(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    const mastra_agent_run_t *run = baton;
    mastra_run_row_t row = { .host = run->env->host, .id = run->id,
                             .kind = MASTRA_RUN_DURABLE };
    apr_status_t rv = mastra_runs_retire(db, &row, run->epoch, pool);

    return rv ? rv : mastra_events_end(db, mastra_durable_log(run->id, pool),
                                       mastra_durable_log_epoch(run), 1, pool);
}

static void after_retire(void *baton)
{
    mastra_agent_run_t *run = baton;

    /* else, where that failed, others retire it when its lease has ended */
    if (run->job_rv == MASTRA_STORE_STALE) {
        run->taken_over = 1;
        if (run->channel) {
            run->channel->lost = 1;
        }
    }
    mastra_run_end(run);
}

static void on_all_said(void *baton)
{
    mastra_run_submit(baton, MASTRA_STORE_WRITE, retire, after_retire);
}

void mastra_durable_over(mastra_agent_run_t *run)
{
    mastra_log_t *log = mastra_durable_log_of(run);

    if (!is_at_end(run)) {
        mastra_run_end(run);
        return;
    }
    if (run->channel) {
        mastra_channel_say_end(run->channel, NULL);
    }
    if (!log || !mastra_log_sync(log, on_all_said, run)) {
        on_all_said(run);
    }
}

/* What a channel's watchers hear of a run that failed is its error alone. */
static void say_end(mastra_agent_run_t *run)
{
    if (run->said & SAID_END) {
        return;
    }
    if (run->aborted) {
        mastra_run_say_abort(run);
    }
    else if (run->error && run->log_base) {
        mastra_run_say_error(run, run->error);
    }
    else {
        mastra_run_say_finish(run);
    }
}

void mastra_last_words_again(mastra_agent_run_t *run)
{
    const mastra_json_t *error = mastra_json_get(run->stored, "error");

    run->object = mastra_json_ref(mastra_json_get(run->stored, "object"));
    run->aborted = mastra_json_get_bool(run->stored, "aborted", 0);
    if (error) {
        run->error = mastra_result_make(
            run->pool, (int)mastra_json_get_int(error, "status", 500),
            mastra_json_get_str(error, "code"), "%s",
            mastra_json_get_str(error, "message"));
    }
    run->state = MASTRA_RUN_LAST;
    if (mastra_json_get_bool(run->stored, "stepOpen", 0)) {
        if (run->said & (SAID_STEP | SAID_END)) {
            mastra_run_add_step(run);
        }
        else {
            mastra_run_say_step_finish(run, 0);
        }
    }
    say_end(run);
    mastra_durable_over(run);
}
