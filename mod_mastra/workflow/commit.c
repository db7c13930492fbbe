/* What steps come to is stored before it is told: one row each, in a
 * transaction with the run's own row, and the end with its snapshot. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "owner.h"
#include "../base/log.h"
#include "../base/pool.h"

#define ROUND_MAX 64
#define SHORT_RUN (64 * 1024)         /* bytes that the loop prints at once */

/* One transaction: belongs to its job until that is done. */
struct mastra_batch_t {
    apr_pool_t *pool;
    mastra_workflow_run_t *run;
    mastra_flow_row_t row;
    apr_interval_time_t lease;
    apr_size_t size;                 /* of the run, at most */
    mastra_write_t *writes;
    int nwrites;

    /* a tool that runs along */
    mastra_task_t *inside;
    const mastra_tool_t *tool;
    const char *place;
    mastra_json_t *input, *context;  /* copies: other threads read them */
    apr_int64_t started_at;
    int attempt;
    mastra_json_t *output;           /* what it came to */
    apr_size_t inside_bytes;         /* of its row */
    mastra_json_t *invalid;          /* why that is no output */
    int tool_failed;

    /* the end of the run */
    const char *status;
    apr_int64_t wake;
    mastra_json_t *snapshot;
    const char *text;                /* of a short one: other writers need not
                                        wait for its printing; or NULL */

    apr_status_t rv;
    int touched;                     /* it has changed rows */
    mastra_store_job_t job;          /* when it goes alone */
    mastra_msg_t msg;
};

/* Batches of several runs as one job. */
typedef struct mastra_round_t {
    mastra_workflow_env_t *env;
    mastra_batch_t *batches[ROUND_MAX];
    int n;
    apr_status_t rv;
    mastra_store_job_t job;
    mastra_msg_t msg;
} mastra_round_t;

/* ---- store thread ---- */

static mastra_json_t *inside_record(const mastra_batch_t *batch)
{
    mastra_json_t *made = mastra_json_pack("{s:I, s:s}", "startedAt",
                                           batch->started_at, "status",
                                           batch->invalid ? "failed"
                                                          : "success");

    if (batch->invalid) {
        mastra_json_set(made, "error", mastra_json_ref(batch->invalid));
    }
    else {
        mastra_json_set(made, "output", mastra_json_ref(batch->output));
    }
    if (batch->attempt) {
        mastra_json_set_int(made, "attempts", batch->attempt);
    }
    mastra_json_set_int(made, "endedAt", mastra_text_now_ms());
    return made;
}

static const char *inside_text(const mastra_batch_t *batch, apr_pool_t *pool)
{
    mastra_json_t *record = inside_record(batch);
    const char *text = mastra_json_text_within(
        record, mastra_step_size(batch->size), pool);

    mastra_json_unref(record);
    return text;
}

static apr_status_t put_inside(mastra_batch_t *batch, mastra_db_t *db,
                               apr_pool_t *pool)
{
    const char *text = inside_text(batch, pool);

    if (!text) {
        mastra_json_unref(batch->invalid);
        batch->invalid = mastra_step_too_long(batch->size);
        text = inside_text(batch, pool);
    }
    batch->inside_bytes = strlen(text);
    return mastra_flows_put_step(db, batch->row.id, batch->place, text, pool);
}

static apr_status_t run_inside(mastra_batch_t *batch, mastra_db_t *db,
                               apr_pool_t *pool)
{
    mastra_json_t *output = NULL;
    apr_status_t rv;

    mastra_json_unref(batch->output);
    mastra_json_unref(batch->invalid);
    batch->output = batch->invalid = NULL;
    rv = batch->tool->kind->inside(&output, batch->tool, batch->input,
                                   batch->context, db, pool);
    batch->tool_failed = rv != APR_SUCCESS;
    if (rv) {
        return rv;
    }
    batch->output = output;
    if (batch->tool->output) {
        batch->invalid = mastra_step_invalid(
            batch->tool->output, output,
            apr_psprintf(pool, "Tool output validation failed for %s",
                         batch->tool->id),
            "WORKFLOW_STEP_OUTPUT_VALIDATION_FAILED", pool);
    }
    return put_inside(batch, db, pool);
}

/* A run that would wait now, and that somebody has asked to end meanwhile. */
static apr_status_t heed_halt(mastra_batch_t *batch, mastra_db_t *db,
                              apr_pool_t *pool)
{
    apr_status_t rv = mastra_flows_settle(db, &batch->row, "canceled", 0, 1,
                                          pool);

    if (rv == APR_SUCCESS) {
        batch->status = "canceled";
        batch->text = NULL;
        mastra_json_set_str(batch->snapshot, "status", batch->status);
    }
    return rv;
}

static apr_status_t settle(mastra_batch_t *batch, mastra_db_t *db,
                           apr_pool_t *pool)
{
    int waits = !strcmp(batch->status, "suspended")
                || !strcmp(batch->status, "waiting");
    apr_int64_t wake = 0;
    apr_status_t rv = APR_SUCCESS;

    if (batch->wake) {
        /* by the database's clock */
        mastra_flow_row_t now;

        rv = mastra_flows_get(&now, db, batch->row.host, NULL, batch->row.id,
                              0, pool);
        if (rv == APR_SUCCESS) {
            wake = now.now + batch->wake - mastra_text_now_ms();
        }
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_flows_settle(db, &batch->row, batch->status, wake, !waits,
                                 pool);
    }
    return rv == MASTRA_STORE_STALE && waits ? heed_halt(batch, db, pool) : rv;
}

static apr_status_t put_snapshot(const mastra_batch_t *batch, mastra_db_t *db,
                                 apr_pool_t *pool)
{
    return batch->text
           ? mastra_flows_snapshot_text(db, &batch->row, batch->text, pool)
           : mastra_flows_snapshot(db, &batch->row, batch->snapshot,
                                   batch->size, pool);
}

/* The run's own row comes first: nothing is changed when it is another's. */
static apr_status_t run_batch(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_batch_t *batch = baton;
    apr_status_t rv;
    int i = 0;

    batch->tool_failed = 0;
    rv = batch->status ? settle(batch, db, pool)
         : mastra_flows_advance(db, &batch->row, batch->lease,
                                batch->nwrites ? &batch->writes[i++].step
                                               : NULL, pool);
    batch->touched = rv == APR_SUCCESS;
    for (; i < batch->nwrites && rv == APR_SUCCESS; i++) {
        rv = mastra_flows_put_step(db, batch->row.id,
                                   batch->writes[i].step.place,
                                   batch->writes[i].step.record, pool);
    }
    if (rv == APR_SUCCESS && batch->inside) {
        rv = run_inside(batch, db, pool);
    }
    return rv || !batch->status ? rv : put_snapshot(batch, db, pool);
}

static apr_status_t run_round(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_round_t *round = baton;
    int i;

    for (i = 0; i < round->n; i++) {
        mastra_batch_t *batch = round->batches[i];

        batch->rv = run_batch(db, batch, pool);
        /* a run that is another's by now is no concern of the others */
        if (batch->rv && (batch->touched
                          || batch->rv != MASTRA_STORE_STALE)) {
            return batch->rv;
        }
    }
    return APR_SUCCESS;
}

static void round_done(void *baton, apr_status_t rv)
{
    mastra_round_t *round = baton;

    round->rv = rv;
    mastra_loop_post(round->env->loop, &round->msg);
}

static void batch_done(void *baton, apr_status_t rv)
{
    mastra_batch_t *batch = baton;

    batch->rv = rv;
    mastra_loop_post(batch->run->env->loop, &batch->msg);
}

/* ---- loop ---- */

/* What is to be stored next lies in its batch's pool from the beginning. */
static apr_pool_t *next_pool(mastra_workflow_run_t *run)
{
    if (!run->next && mastra_pool_make(&run->next, "mastra_batch")) {
        abort();
    }
    return run->next;
}

static void free_batch(mastra_batch_t *batch)
{
    mastra_json_unref(batch->input);
    mastra_json_unref(batch->context);
    mastra_json_unref(batch->output);
    mastra_json_unref(batch->invalid);
    mastra_json_unref(batch->snapshot);
    apr_pool_destroy(batch->pool);
}

static void next_inside(mastra_workflow_run_t *run)
{
    run->inside = run->inside_line;
    if (run->inside) {
        run->inside_line = run->inside->next_inside;
    }
}

/* Rows that were not stored after all go with the next batch. */
static void keep_writes(mastra_workflow_run_t *run, const mastra_batch_t *batch)
{
    int i;

    for (i = 0; i < batch->nwrites; i++) {
        mastra_write_t *write = apr_array_push(run->writes);

        *write = batch->writes[i];
        write->step.record = apr_pstrdup(next_pool(run), write->step.record);
    }
}

/* The tool's statement failed, and with it all of the batch: its rows are
 * stored without it. */
static void undo_inside(mastra_workflow_run_t *run, mastra_batch_t *batch)
{
    mastra_task_t *task = batch->inside;

    keep_writes(run, batch);
    next_inside(run);
    mastra_step_came(task, NULL, mastra_error_make(
        batch->rv == MASTRA_STORE_EXISTS
            ? "the tool's statement breaks a rule of its table"
            : "the tool's statement failed"));
}

static void tell_writes(mastra_batch_t *batch)
{
    int i;

    for (i = 0; i < batch->nwrites; i++) {
        if (batch->writes[i].task) {
            mastra_step_stored(batch->writes[i].task);
        }
    }
}

/* Its row is there already: it is told as if it had been stored later. */
static void tell_inside(mastra_workflow_run_t *run, mastra_batch_t *batch)
{
    mastra_task_t *task = batch->inside;
    mastra_json_t *record;

    if (!task) {
        return;
    }
    next_inside(run);
    run->row.bytes += batch->inside_bytes;
    record = mastra_json_pack("{s:O}", "payload", task->input);
    batch->output = batch->output ? batch->output : mastra_json_null();
    mastra_json_merge(record, mastra_json_own(inside_record(batch),
                                              batch->pool));
    mastra_json_del(record, "attempts");
    task->record = mastra_json_own(record, run->pool);
    mastra_step_stored(task);
}

static void ended(mastra_workflow_run_t *run, mastra_batch_t *batch)
{
    const mastra_json_t *snapshot = batch->snapshot;
    int waits = !strcmp(batch->status, "waiting");
    int i;

    /* a step that was stored along with the end */
    for (i = 0; i < batch->nwrites; i++) {
        mastra_task_t *task = batch->writes[i].task;

        if (task && task->outcome != MASTRA_TASK_OPEN) {
            mastra_say_result(task, task->record);
        }
    }
    if (waits) {
        mastra_owner_sleeps(run->env, batch->wake);
    }
    else {
        const mastra_json_t *error = mastra_json_get(snapshot, "error");
        int by_step = !mastra_json_get(run->begin, "refused")
                      && run->root->at < run->workflow->nnodes;

        /* before the log's end would make them ask storage */
        mastra_waits_tell(run, snapshot);
        /* a failed step has told its error itself */
        mastra_say_finish(run, batch->status,
                          mastra_json_get(snapshot, "result"),
                          by_step ? NULL : error);
    }
    if (run->log) {
        mastra_log_close(run->log, !waits);
        run->log = NULL;
    }
    run->over = 1;
    mastra_run_free(run);
}

static void lost(mastra_workflow_run_t *run, apr_status_t rv)
{
    if (rv == MASTRA_STORE_STALE) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3201) "run %s was taken "
                   "over by another process, or deleted: this one stops",
                   run->row.id);
    }
    else {
        mastra_log(MASTRA_LOG_ERR, rv, MASTRA_ID(3202) "what run %s has done "
                   "cannot be stored: it goes on when its lease has ended",
                   run->row.id);
    }
    mastra_commit_drop(run);
}

/* It cannot be shown as it is: its rows stay, its snapshot has no values. */
static void fail_bare(mastra_workflow_run_t *run)
{
    run->bare = 1;
    if (run->root->outcome != MASTRA_TASK_FAILED) {
        run->root->outcome = MASTRA_TASK_FAILED;
        run->root->error = mastra_json_own(mastra_error_make(apr_psprintf(
            run->pool, "What is to be shown of the run is more than %"
            APR_SIZE_T_FMT " bytes", run->env->run_size)), run->pool);
    }
    mastra_commit_end(run, "failed");
}

static void after_batch(void *baton)
{
    mastra_batch_t *batch = baton;
    mastra_workflow_run_t *run = batch->run;

    run->batch = NULL;
    if (run->over) {
        mastra_run_free(run);
    }
    else if (run->halted && !batch->status
             && (!batch->rv || batch->tool_failed)) {
        mastra_commit_end(run, "canceled");
    }
    else if (batch->rv && batch->tool_failed
             && batch->rv != MASTRA_STORE_BUSY
             && batch->rv != APR_ECONNRESET) {
        undo_inside(run, batch);
        mastra_run_pump(run);
    }
    else if (batch->rv == APR_ENOSPC && batch->status && !run->bare) {
        keep_writes(run, batch);
        fail_bare(run);
    }
    else if (batch->rv) {
        lost(run, batch->rv);
    }
    else if (batch->status) {
        ended(run, batch);
    }
    else {
        run->row.taken = 0;
        run->pumping = 1;
        tell_writes(batch);
        tell_inside(run, batch);
        run->pumping = 0;
        mastra_run_pump(run);
    }
    free_batch(batch);
}

static mastra_batch_t *make_batch(mastra_workflow_run_t *run)
{
    apr_pool_t *pool = next_pool(run);
    mastra_batch_t *batch = apr_pcalloc(pool, sizeof(*batch));

    run->next = NULL;
    batch->pool = pool;
    batch->run = run;
    batch->row = run->row;
    batch->lease = run->env->lease;
    batch->size = run->env->run_size;
    batch->nwrites = run->writes->nelts;
    batch->writes = apr_pmemdup(pool, run->writes->elts,
                                sizeof(*batch->writes)
                                    * (apr_size_t)(batch->nwrites + 1));
    apr_array_clear(run->writes);
    return batch;
}

static void take_inside(mastra_batch_t *batch, mastra_task_t *task)
{
    if (!task) {
        return;
    }
    batch->inside = task;
    batch->tool = task->node->tool;
    batch->place = task->place;
    /* another thread reads it */
    batch->input = mastra_json_copy(task->input);
    batch->context = mastra_json_copy(mastra_json_get(batch->run->begin,
                                                      "requestContext"));
    batch->started_at = task->started_at;
    batch->attempt = task->attempt;
}

static void submit_alone(mastra_batch_t *batch)
{
    mastra_workflow_run_t *run = batch->run;
    apr_status_t rv;

    batch->job.mode = MASTRA_STORE_WRITE;
    batch->job.run = run_batch;
    batch->job.done = batch_done;
    batch->job.baton = batch;
    batch->msg.cb = after_batch;
    batch->msg.baton = batch;
    rv = mastra_store_submit(run->env->store, &batch->job);
    if (rv) {
        batch->rv = rv;
        mastra_loop_defer(run->env->loop, &batch->msg);
    }
}

/* When something is wrong with one of them, each goes alone; waiting together
 * is as good as waiting alone. */
static void after_round(void *baton)
{
    mastra_round_t *round = baton;
    apr_status_t rv = round->rv;
    int i, together = !rv || rv == MASTRA_STORE_BUSY || rv == APR_ECONNRESET
                      || round->n == 1;

    for (i = 0; i < round->n; i++) {
        mastra_batch_t *batch = round->batches[i];

        if (together) {
            batch->rv = rv ? rv : batch->rv;
            after_batch(batch);
        }
        else {
            submit_alone(batch);
        }
    }
    free(round);
}

static void submit_round(void *baton)
{
    mastra_round_t *round = baton;
    apr_status_t rv;

    if (round->env->owner->round == round) {
        round->env->owner->round = NULL;
    }
    round->job.mode = MASTRA_STORE_WRITE;
    round->job.run = run_round;
    round->job.done = round_done;
    round->job.baton = round;
    round->msg.cb = after_round;
    rv = mastra_store_submit(round->env->store, &round->job);
    if (rv) {
        round->rv = rv;
        mastra_loop_defer(round->env->loop, &round->msg);
    }
}

/* What the runs of a child come to in one turn of the loop is one job. */
static void join_round(mastra_batch_t *batch)
{
    mastra_workflow_env_t *env = batch->run->env;
    mastra_round_t *round = env->owner->round;

    if (!round) {
        round = calloc(1, sizeof(*round));
        if (!round) {
            abort();
        }
        round->env = env;
        round->msg.cb = submit_round;
        round->msg.baton = round;
        env->owner->round = round;
        mastra_loop_defer(env->loop, &round->msg);
    }
    round->batches[round->n++] = batch;
    if (round->n == ROUND_MAX) {
        env->owner->round = NULL;
    }
}

/* Where writers do not wait for each other anyway, runs do not either. */
static void submit(mastra_batch_t *batch)
{
    batch->run->batch = batch;
    if (batch->inside || !mastra_store_writes_singly(batch->run->env->store)) {
        submit_alone(batch);
    }
    else {
        join_round(batch);
    }
}

int mastra_commit(mastra_task_t *task, const mastra_json_t *record, int waits)
{
    mastra_workflow_run_t *run = task->run;
    apr_size_t len;
    const char *text = mastra_text_record(
        &len, record, task->attempt, mastra_step_size(run->env->run_size),
        next_pool(run));
    mastra_write_t *write;

    if (!text) {
        return 0;
    }
    write = apr_array_push(run->writes);
    write->step.place = task->place;
    write->step.record = text;
    write->task = waits ? task : NULL;
    run->row.bytes += len;
    return 1;
}

void mastra_commit_inside(mastra_task_t *task)
{
    mastra_workflow_run_t *run = task->run;
    mastra_task_t **end = &run->inside_line;

    task->next_inside = NULL;
    if (!run->inside) {
        run->inside = task;
        mastra_commit_flush(run);
        return;
    }
    while (*end) {
        end = &(*end)->next_inside;
    }
    *end = task;
}

/* Mappings alone can wait for what comes after them. */
static int is_worth_it(const mastra_workflow_run_t *run)
{
    int i;

    for (i = 0; i < run->writes->nelts; i++) {
        if (APR_ARRAY_IDX(run->writes, i, mastra_write_t).task) {
            return 1;
        }
    }
    return run->inside != NULL;
}

void mastra_commit_flush(mastra_workflow_run_t *run)
{
    mastra_batch_t *batch;

    if (run->pumping || run->batch || run->over || !is_worth_it(run)) {
        return;
    }
    batch = make_batch(run);
    take_inside(batch, run->inside);
    submit(batch);
}

void mastra_commit_end(mastra_workflow_run_t *run, const char *status)
{
    mastra_batch_t *batch = make_batch(run);
    const char *error = mastra_json_get_str(run->root->error, "message");

    if (!strcmp(status, "failed")) {
        mastra_log(MASTRA_LOG_INFO, 0, "run %s of workflow %s failed: %s",
                   run->row.id, run->workflow->id,
                   error ? error : "no more known");
    }
    batch->status = status;
    batch->wake = !strcmp(status, "waiting") ? run->wake : 0;
    batch->snapshot = mastra_run_snapshot(run, status);
    if (run->row.bytes < SHORT_RUN) {
        batch->text = mastra_text_snapshot(batch->snapshot, run->workflow,
                                           SHORT_RUN, batch->pool);
    }
    submit(batch);
}

/* ---- ends ---- */

void mastra_commit_drop(mastra_workflow_run_t *run)
{
    run->over = 1;
    while (run->live) {
        mastra_step_cancel(run->live);
    }
    if (run->log) {
        mastra_log_close(run->log, 0);
        run->log = NULL;
    }
    mastra_run_free(run);
}
