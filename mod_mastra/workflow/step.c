/* Steps that do something: a tool, an agent, a mapping, a sleep; from storage
 * when they are over already. */

#include <string.h>

#include <apr_strings.h>

#include "engine.h"

/* Sleeps up to this are waited for in memory, by whoever has the run. */
#define SHORT_SLEEP 2000
#define MAX_TAKEN 5              /* how often a step may end its process */

/* ---- records ---- */

/* Members of a step that waited, which its result keeps. */
static void keep_resume(mastra_json_t *record, const mastra_json_t *resume)
{
    static const char *const kept[] = { "resumePayload", "resumedAt", NULL };
    int i;

    for (i = 0; kept[i]; i++) {
        mastra_json_t *value = mastra_json_get(resume, kept[i]);

        if (value) {
            mastra_json_set(record, kept[i], mastra_json_ref(value));
        }
    }
}

/* In the order in which the original writes it. */
static mastra_json_t *base_record(const mastra_task_t *task, const char *status)
{
    mastra_json_t *made = mastra_json_pack("{s:O, s:I, s:s}", "payload",
                                           task->input, "startedAt",
                                           task->started_at, "status", status);

    keep_resume(made, task->resume);
    return made;
}

static mastra_json_t *final_record(const mastra_task_t *task,
                                   const mastra_json_t *output,
                                   const mastra_json_t *error)
{
    mastra_json_t *made = base_record(task, error ? "failed" : "success");

    if (error) {
        mastra_json_set(made, "error",
                        mastra_json_ref((mastra_json_t *)error));
    }
    else {
        mastra_json_set(made, "output",
                        mastra_json_ref((mastra_json_t *)output));
    }
    mastra_json_set_int(made, "endedAt", mastra_text_now_ms());
    return made;
}

/* The record, which storage is to have: another one if it is too long. */
static mastra_json_t *keep_record(mastra_task_t *task, mastra_json_t *record, int waits)
{
    if (!mastra_commit(task, record, waits)) {
        mastra_json_unref(record);
        record = mastra_step_long_record(task);
        mastra_commit(task, record, waits);
    }
    return mastra_json_own(record, task->run->pool);
}

/* ---- living ---- */

static void live(mastra_task_t *task)
{
    mastra_workflow_run_t *run = task->run;

    if (task->prev_live) {
        return;
    }
    task->next_live = run->live;
    if (run->live) {
        run->live->prev_live = &task->next_live;
    }
    run->live = task;
    task->prev_live = &run->live;
}

static void die(mastra_task_t *task)
{
    if (!task->prev_live) {
        return;
    }
    *task->prev_live = task->next_live;
    if (task->next_live) {
        task->next_live->prev_live = task->prev_live;
    }
    task->prev_live = NULL;
    task->next_live = NULL;
}

/* ---- ends ---- */

static mastra_outcome_e outcome_of(const mastra_json_t *record)
{
    const char *status = mastra_json_get_str(record, "status");

    return !strcmp(status, "success") ? MASTRA_TASK_SUCCESS
           : !strcmp(status, "failed") ? MASTRA_TASK_FAILED
                                       : MASTRA_TASK_SUSPENDED;
}

static void end(mastra_task_t *task)
{
    die(task);
    mastra_task_end(task, outcome_of(task->record),
                    mastra_json_ref(task->record),
                    mastra_json_ref(mastra_json_get(task->record, "output")),
                    mastra_json_ref(mastra_json_get(task->record, "error")));
}

/* Nothing comes after the task: the run ends with it. */
static int is_last(const mastra_task_t *task, mastra_outcome_e outcome)
{
    const mastra_workflow_run_t *run = task->run;

    return task->parent == run->root && run->live == task
           && !task->next_live && !run->batch && !run->inside
           && (outcome != MASTRA_TASK_SUCCESS
               || run->root->at + 1 == run->workflow->nnodes);
}

/* Stored first, told and taken further then; the last one is stored in the
 * transaction of the run's end, and told after that. */
static void settle(mastra_task_t *task)
{
    if (is_last(task, outcome_of(task->record))) {
        end(task);
        mastra_run_pump(task->run);
    }
    else {
        mastra_commit_flush(task->run);
    }
}

static void finish(mastra_task_t *task, const mastra_json_t *output,
                   const mastra_json_t *error)
{
    task->record = keep_record(task, final_record(task, output, error), 1);
    settle(task);
}

void mastra_step_suspend(mastra_task_t *task, const mastra_json_t *payload,
                         const mastra_json_t *more)
{
    mastra_json_t *record = mastra_json_pack(
        "{s:O, s:I, s:s, s:O, s:I}", "payload", task->input, "startedAt",
        task->started_at, "status", "suspended", "suspendPayload", payload,
        "suspendedAt", mastra_text_now_ms());

    if (mastra_json_size(more)) {
        mastra_json_t *waits = mastra_json_copy_flat(more);

        mastra_json_set_str(waits, "stepId", mastra_task_name(task));
        mastra_json_set(record, "waitsFor", waits);
    }
    task->record = keep_record(task, record, 1);
    mastra_json_set(task->run->rows, task->place, mastra_json_ref(task->record));
    settle(task);
}

static void begin_now(mastra_task_t *task);

/* A step that has attempts left is tried again; how often it was is stored
 * first. */
static int try_again(mastra_task_t *task)
{
    mastra_json_t *record;

    if (task->attempt >= task->node->retries) {
        return 0;
    }
    task->attempt++;
    record = mastra_json_pack("{s:s, s:I}", "status", "retry", "startedAt",
                              task->started_at);
    task->record = keep_record(task, record, 1);
    mastra_commit_flush(task->run);
    return 1;
}

void mastra_step_came(mastra_task_t *task, mastra_json_t *output,
                      mastra_json_t *error)
{
    apr_pool_t *pool = task->run->pool;

    mastra_json_own(output, pool);
    mastra_json_know_for(output, pool);
    mastra_json_own(error, pool);
    if (!error && task->node->tool && task->node->tool->output) {
        error = mastra_json_own(mastra_step_invalid(
            task->node->tool->output, output,
            apr_psprintf(pool, "Tool output validation failed for %s",
                         task->node->tool->id),
            "WORKFLOW_STEP_OUTPUT_VALIDATION_FAILED", pool), pool);
    }
    if (error && try_again(task)) {
        return;
    }
    finish(task, output, error);
}

static void fail(mastra_task_t *task, const char *message)
{
    mastra_json_t *error = mastra_error_make(message);

    finish(task, NULL, error);
    mastra_json_unref(error);
}

/* A long sleep: nothing but its row waits. */
static void doze(mastra_task_t *task)
{
    mastra_workflow_run_t *run = task->run;

    die(task);
    run->sleeping++;
    if (!run->wake || task->wake < run->wake) {
        run->wake = task->wake;
    }
}

/* Its record is told, and the run goes on. */
static void over(mastra_task_t *task)
{
    mastra_say_result(task, task->record);
    end(task);
}

/* What was to be stored is. */
void mastra_step_stored(mastra_task_t *task)
{
    const char *status = mastra_json_get_str(task->record, "status");

    if (!strcmp(status, "retry")) {
        begin_now(task);
        return;
    }
    if (!strcmp(status, "waiting")) {
        doze(task);
        return;
    }
    over(task);
}

void mastra_step_cancel(mastra_task_t *task)
{
    if (task->call) {
        mastra_tool_cancel(task->call);
        task->call = NULL;
    }
    mastra_talk_cancel(task);
    if (task->run->env) {
        mastra_loop_timer_stop(task->run->env->loop, &task->timer);
    }
    die(task);
}

/* ---- tools ---- */

static void tool_done(void *baton, mastra_json_t *result,
                      const mastra_result_t *error)
{
    mastra_task_t *task = baton;
    mastra_workflow_run_t *run = task->run;

    task->call = NULL;
    mastra_step_came(task, mastra_json_ref(result),
                     error ? mastra_error_make(error->message) : NULL);
    mastra_run_pump(run);
}

static int tool_says(void *baton, mastra_json_t *chunk)
{
    mastra_say_output(baton, chunk);
    return 1;
}

/* A tool that waits for a person: the input is what it waits with. */
static void ask_human(mastra_task_t *task)
{
    const mastra_tool_t *tool = task->node->tool;
    apr_pool_t *pool = task->run->pool;
    mastra_json_t *error = NULL, *waits;

    if (task->resume) {
        mastra_json_t *answer = mastra_json_get(task->resume, "resumePayload");

        mastra_step_came(task, answer ? mastra_json_ref(answer)
                                      : mastra_json_null(), NULL);
        return;
    }
    if (tool->suspend) {
        error = mastra_step_invalid(tool->suspend, task->input,
                                    "Step suspend validation failed",
                                    "WORKFLOW_STEP_SUSPEND_VALIDATION_FAILED",
                                    pool);
    }
    if (error) {
        finish(task, NULL, error);
        mastra_json_unref(error);
        return;
    }
    waits = mastra_json_pack(
        "{s:s*}", "label",
        mastra_json_get_str(mastra_json_get(tool->definition, "execute"),
                            "resumeLabel"));
    mastra_step_suspend(task, task->input, waits);
    mastra_json_unref(waits);
}

static void call_tool(mastra_task_t *task)
{
    mastra_workflow_run_t *run = task->run;
    const mastra_json_t *context = mastra_json_get(run->begin,
                                                   "requestContext");
    mastra_tool_args_t args = {
        .input = task->input, .run_id = run->row.id,
        .tool_call_id = task->call_id, .resource_id = run->row.resource_id,
        .request_context = (mastra_json_t *)context,
        .depth = (int)mastra_json_get_int(run->begin, "depth", 0),
        /* the same again when this process ends before it knows the result */
        .idempotency_key = mastra_step_key(task), .at_least_once = 1,
        .say = tool_says, .say_baton = task
    };
    apr_status_t rv = mastra_tool_start(&task->call, run->env->tools,
                                        task->node->tool, &args, tool_done,
                                        task);

    if (rv) {
        task->call = NULL;
        fail(task, "the tool cannot be called");
    }
}

static int runs_inside(const mastra_task_t *task)
{
    const mastra_tool_t *tool = task->node->tool;
    const mastra_workflow_env_t *env = task->run->env;

    return tool->kind->inside && env->tools->store == env->store;
}

static int knows_all(const mastra_json_t *known, const mastra_json_t *input)
{
    void *at;

    for (at = mastra_json_iter(input); at; at = mastra_json_next(input, at)) {
        if (!mastra_json_get(known, mastra_json_key(at))) {
            return 0;
        }
    }
    return 1;
}

/* What the tool does not know of is not passed on to it. */
static mastra_json_t *known_members(const mastra_tool_t *tool,
                                    const mastra_json_t *input)
{
    const mastra_json_t *more = mastra_json_get(tool->input_schema,
                                                "additionalProperties");
    const mastra_json_t *known = mastra_json_get(tool->input_schema,
                                                 "properties");
    mastra_json_t *made;
    void *at;

    if (!mastra_json_is_object(input) || !mastra_json_is_bool(more)
        || mastra_json_is_true(more) || knows_all(known, input)) {
        return mastra_json_ref((mastra_json_t *)input);
    }
    made = mastra_json_object();
    for (at = mastra_json_iter(input); at; at = mastra_json_next(input, at)) {
        if (mastra_json_get(known, mastra_json_key(at))) {
            mastra_json_set(made, mastra_json_key(at),
                            mastra_json_ref(mastra_json_value(at)));
        }
    }
    return made;
}

static void begin_tool(mastra_task_t *task)
{
    const mastra_tool_t *tool = task->node->tool;
    apr_pool_t *pool = task->run->pool;
    mastra_json_t *error;

    if (!tool) {
        fail(task, apr_psprintf(pool, "The tool \"%s\" is not there any more",
                                task->node->ref));
        return;
    }
    error = mastra_step_invalid(tool->input, task->input,
                                "Step input validation failed",
                                "WORKFLOW_STEP_INPUT_VALIDATION_FAILED", pool);
    if (error) {
        finish(task, NULL, error);
        mastra_json_unref(error);
    }
    else if (tool->kind == &mastra_tool_human) {
        ask_human(task);
    }
    else if (runs_inside(task)) {
        mastra_commit_inside(task);
    }
    else {
        call_tool(task);
    }
}

/* ---- sleeps ---- */

static void slept(void *baton)
{
    mastra_task_t *task = baton;
    mastra_workflow_run_t *run = task->run;

    finish(task, task->input, NULL);
    mastra_run_pump(run);
}

static void begin_sleep(mastra_task_t *task)
{
    mastra_workflow_run_t *run = task->run;
    apr_int64_t now = mastra_text_now_ms(), left;
    int known = task->wake != 0;
    mastra_json_t *kept;

    if (!known) {
        task->wake = task->node->type == MASTRA_NODE_SLEEP
                         ? task->started_at + task->node->duration
                         : task->node->date / 1000;
    }
    left = task->wake - now;
    if (left <= SHORT_SLEEP) {
        mastra_loop_timer_set(run->env->loop, &task->timer,
                              left > 0 ? left * 1000 : 0, slept, task);
        return;
    }
    task->record = mastra_json_own(base_record(task, "waiting"), run->pool);
    mastra_json_set(task->scope->results, task->node->id,
                    mastra_json_ref(task->record));
    if (known) {
        doze(task);
        return;
    }
    kept = mastra_json_copy_flat(task->record);
    mastra_json_set_int(kept, "wake", task->wake);
    mastra_commit(task, kept, 1);
    mastra_json_unref(kept);
    mastra_commit_flush(run);
}

/* ---- mappings ---- */

/* It would come out the same again: stored along with what comes next. */
static void run_mapping(mastra_task_t *task)
{
    mastra_sight_t sight = mastra_task_sight(task);
    apr_pool_t *pool = task->run->pool;
    const char *why = NULL;
    mastra_json_t *output = mastra_mapping_run(task->node->map, &sight, &why,
                                               pool);
    mastra_json_t *error = output ? NULL : mastra_error_make(why);

    mastra_json_own(output, pool);
    mastra_json_own(error, pool);
    task->record = keep_record(task, final_record(task, output, error), 0);
    over(task);
}

/* ---- beginning ---- */

static void begin_now(mastra_task_t *task)
{
    switch (task->node->type) {
    case MASTRA_NODE_TOOL:
        begin_tool(task);
        break;
    case MASTRA_NODE_AGENT:
        mastra_talk_begin(task);
        break;
    case MASTRA_NODE_MAPPING:
        run_mapping(task);
        break;
    default:
        begin_sleep(task);
        break;
    }
}

static void show_running(mastra_task_t *task)
{
    mastra_json_t *record = base_record(
        task, task->node->type >= MASTRA_NODE_SLEEP ? "waiting" : "running");

    live(task);
    task->record = mastra_json_own(record, task->run->pool);
    mastra_json_set(task->scope->results, task->node->id,
                    mastra_json_ref(record));
}

/* Of a run that is only looked at. A mapping has come to something by the
 * time that anybody looks. */
static void show(mastra_task_t *task)
{
    mastra_sight_t sight = mastra_task_sight(task);
    const char *why = NULL;
    mastra_json_t *output = NULL;

    if (task->node->type == MASTRA_NODE_MAPPING) {
        output = mastra_mapping_run(task->node->map, &sight, &why,
                                    task->run->pool);
    }
    if (output) {
        mastra_task_end(task, MASTRA_TASK_SUCCESS,
                        final_record(task, output, NULL), output, NULL);
    }
    else {
        show_running(task);
    }
}

static void begin_live(mastra_task_t *task)
{
    mastra_workflow_run_t *run = task->run;
    const char *why;

    if (!run->env) {
        if (!task->started_at) {
            task->started_at = run->clock;
        }
        show(task);
        return;
    }
    run->going = 1;
    if (!task->started_at) {
        task->started_at = mastra_text_now_ms();
    }
    task->call_id = mastra_text_uuid_make(run->pool);
    live(task);
    if (!task->wake) {
        mastra_say_begin(task);
    }
    if (run->row.taken > MAX_TAKEN + task->node->retries
        && task->node->type != MASTRA_NODE_MAPPING) {
        fail(task, "The processes that were at this step have ended too "
             "often: it is not tried again");
        return;
    }
    why = mastra_step_over_size(task);
    if (why) {
        fail(task, why);
        return;
    }
    begin_now(task);
}

/* The record of before, with what the walk knows. */
static mastra_json_t *full_record(const mastra_task_t *task,
                                  const mastra_json_t *row)
{
    mastra_json_t *made = mastra_json_pack("{s:O}", "payload", task->input);

    mastra_json_merge(made, row);
    mastra_json_del(made, "attempts");
    mastra_json_del(made, "waitsFor");
    return made;
}

static void replay(mastra_task_t *task, const mastra_json_t *row,
                   mastra_outcome_e outcome)
{
    mastra_workflow_run_t *run = task->run;

    task->replayed = 1;
    if (run->suspended && outcome == MASTRA_TASK_SUSPENDED) {
        APR_ARRAY_PUSH(run->suspended, mastra_task_t *) = task;
    }
    run->clock = mastra_json_get_int(row, "endedAt", run->clock);
    mastra_task_end(task, outcome, full_record(task, row),
                    mastra_json_ref(mastra_json_get(row, "output")),
                    mastra_json_ref(mastra_json_get(row, "error")));
}

void mastra_step_begin(mastra_task_t *task)
{
    const mastra_json_t *row = mastra_json_get(task->run->rows, task->place);
    const char *status = mastra_json_get_str(row, "status");

    if (task->node->tool) {
        task->input = mastra_json_own(known_members(task->node->tool,
                                                    task->input),
                                      task->run->pool);
    }

    if (!status) {
        begin_live(task);
    }
    else if (!strcmp(status, "success")) {
        replay(task, row, MASTRA_TASK_SUCCESS);
    }
    else if (!strcmp(status, "failed")) {
        replay(task, row, MASTRA_TASK_FAILED);
    }
    else if (!strcmp(status, "suspended")) {
        replay(task, row, MASTRA_TASK_SUSPENDED);
    }
    else {
        task->started_at = mastra_json_get_int(row, "startedAt", 0);
        task->attempt = (int)mastra_json_get_int(row, "attempts", 0);
        task->wake = mastra_json_get_int(row, "wake", 0);
        if (!strcmp(status, "resumed")) {
            task->resume = (mastra_json_t *)row;
        }
        begin_live(task);
    }
}
