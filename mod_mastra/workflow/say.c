/* What a run says: chunks into its log. */

#include <string.h>

#include <apr_strings.h>

#include "engine.h"

/* The chunk is taken over. */
static void say(mastra_workflow_run_t *run, mastra_json_t *chunk)
{
    if (run->log) {
        /* how much may be unwritten is bounded by the steps that run at
         * once: they are not held back */
        mastra_log_chunk(run->log, chunk);
    }
    mastra_json_unref(chunk);
}

static void say_workflow(mastra_workflow_run_t *run, const char *type,
                         mastra_json_t *payload)
{
    say(run, mastra_json_pack("{s:s, s:s, s:s, s:o}", "type", type, "runId",
                              run->row.id, "from", "WORKFLOW", "payload",
                              payload));
}

void mastra_say_start(mastra_workflow_run_t *run)
{
    say_workflow(run, "workflow-start",
                 mastra_json_pack("{s:s}", "workflowId", run->workflow->id));
}

/* A loop's or a foreach's only step, which stands for it. */
static int is_item(const mastra_task_t *task)
{
    return task->parent && task->parent->node
           && task->parent->node->type == MASTRA_NODE_FOREACH;
}

void mastra_say_step(mastra_task_t *task, const char *type,
                     const mastra_json_t *record)
{
    mastra_workflow_run_t *run = task->run;
    const mastra_node_t *node = task->node;
    mastra_json_t *payload;
    const char *name;

    if (!run->log || is_item(task)) {
        return;
    }
    name = apr_pstrcat(run->pool, task->scope->prefix,
                       node->type == MASTRA_NODE_FOREACH ? node->steps[0]->id
                                                         : node->id, NULL);
    payload = mastra_json_pack("{s:s, s:s, s:s*}", "stepName", name, "id",
                               name, "stepCallId",
                               node->type < MASTRA_NODE_SLEEP
                                   && node->type != MASTRA_NODE_FOREACH
                                   ? task->call_id : NULL);
    mastra_json_merge(payload, record);
    if (task->parent && task->parent->node
        && task->parent->node->type == MASTRA_NODE_LOOP) {
        mastra_json_set(payload, "metadata",
                        mastra_json_pack("{s:i}", "iterationCount",
                                         task->index));
    }
    say_workflow(run, type, payload);
}

/* What a task begins with; by is the one whose answer it goes on with. */
static mastra_json_t *start_record(const mastra_task_t *task,
                                   const mastra_task_t *by)
{
    mastra_json_t *made = mastra_json_pack(
        "{s:O, s:I, s:s}", "payload", task->input, "startedAt",
        task->started_at, "status",
        task->node->type >= MASTRA_NODE_SLEEP ? "waiting" : "running");
    mastra_json_t *resumed = mastra_json_get(by->resume, "resumePayload");

    if (resumed && task->node->type != MASTRA_NODE_FOREACH) {
        mastra_json_set(made, "resumePayload", mastra_json_ref(resumed));
        mastra_json_set_int(made, "resumedAt",
                            mastra_json_get_int(by->resume, "resumedAt", 0));
    }
    return made;
}

/* What contains a step is told of first, once. */
static void announce(mastra_task_t *task, const mastra_task_t *step)
{
    mastra_json_t *record;

    if (!task || task->announced) {
        return;
    }
    task->announced = 1;
    announce(task->parent, step);
    if (!task->node || (task->node->type != MASTRA_NODE_WORKFLOW
                        && task->node->type != MASTRA_NODE_FOREACH)) {
        return;
    }
    if (!task->call_id) {
        task->call_id = mastra_text_uuid_make(task->run->pool);
    }
    record = start_record(task, step);
    mastra_say_step(task, "workflow-step-start", record);
    mastra_json_unref(record);
}

void mastra_say_begin(mastra_task_t *task)
{
    mastra_json_t *record;

    if (!task->run->log) {
        return;
    }
    announce(task->parent, task);
    record = start_record(task, task);
    mastra_say_step(task, task->node->type >= MASTRA_NODE_SLEEP
                              ? "workflow-step-waiting"
                              : "workflow-step-start", record);
    mastra_json_unref(record);
}

void mastra_say_result(mastra_task_t *task, const mastra_json_t *record)
{
    const char *status = mastra_json_get_str(record, "status");
    mastra_json_t *shown = mastra_json_copy_flat(record);

    mastra_json_del(shown, "waitsFor");
    if (task->node->type >= MASTRA_NODE_SLEEP
        || task->node->type == MASTRA_NODE_FOREACH) {
        mastra_json_del(shown, "payload");
        mastra_json_del(shown, "startedAt");
    }
    mastra_say_step(task, !strcmp(status, "suspended")
                              ? "workflow-step-suspended"
                              : "workflow-step-result", shown);
    mastra_json_unref(shown);
}

void mastra_say_output(mastra_task_t *task, const mastra_json_t *output)
{
    mastra_workflow_run_t *run = task->run;

    if (!run->log) {
        return;
    }
    say(run, mastra_json_pack("{s:s, s:s, s:s, s:{s:s, s:O, s:s}}", "type",
                              "workflow-step-output", "runId", run->row.id,
                              "from", "USER", "payload", "stepName",
                              task->node->id, "output", output, "runId",
                              run->row.id));
}

void mastra_say_progress(mastra_task_t *task, const mastra_task_t *item)
{
    mastra_workflow_run_t *run = task->run;
    const char *name = apr_pstrcat(run->pool, task->scope->prefix,
                                   task->node->steps[0]->id, NULL);
    mastra_json_t *payload;
    int done = task->done + (item->outcome == MASTRA_TASK_FAILED);

    if (!run->log) {
        return;
    }
    payload = mastra_json_pack(
        "{s:s, s:s, s:i, s:I, s:i, s:s}", "stepName", name, "id", name,
        "completedCount", done, "totalCount",
        (apr_int64_t)mastra_json_size(task->input), "currentIndex",
        item->index, "iterationStatus",
        item->outcome == MASTRA_TASK_SUCCESS ? "success"
        : item->outcome == MASTRA_TASK_FAILED ? "failed" : "suspended");
    if (item->outcome == MASTRA_TASK_SUCCESS) {
        mastra_json_set(payload, "iterationOutput",
                        mastra_json_ref(item->output));
    }
    say_workflow(run, "workflow-step-progress", payload);
}

void mastra_say_finish(mastra_workflow_run_t *run, const char *status,
                       const mastra_json_t *result,
                       const mastra_json_t *error)
{
    mastra_json_t *metadata = mastra_json_object();
    mastra_json_t *payload;

    if (error) {
        mastra_json_set(metadata, "error",
                        mastra_json_ref((mastra_json_t *)error));
        mastra_json_set_str(metadata, "errorMessage",
                            mastra_json_get_str(error, "message"));
    }
    if (!strcmp(status, "canceled")) {
        say_workflow(run, "workflow-canceled", mastra_json_object());
    }
    if (!strcmp(status, "paused")) {
        say_workflow(run, "workflow-paused", mastra_json_object());
    }
    payload = mastra_json_pack("{s:s, s:o, s:{s:O}}", "workflowStatus", status,
                               "metadata", metadata, "output", "usage",
                               run->usage);
    if (result) {
        mastra_json_set(payload, "finalWorkflowResult",
                        mastra_json_ref((mastra_json_t *)result));
    }
    say_workflow(run, "workflow-finish", payload);
}
