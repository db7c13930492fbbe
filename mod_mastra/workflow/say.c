/* What a run says: chunks into its log. */

#include <string.h>

#include <apr_strings.h>

#include "engine.h"

#define CHUNK_LIMIT (64 * 1024 * 1024)

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

/* The head of a chunk of a step; finish_step ends it. */
static apr_status_t begin_step(mastra_buf_t *buf, const mastra_task_t *task,
                               const char *type)
{
    const mastra_workflow_run_t *run = task->run;
    const mastra_node_t *node = task->node;
    const char *name = apr_pstrcat(
        run->pool, task->scope->prefix, node->type == MASTRA_NODE_FOREACH
                                            ? node->steps[0]->id : node->id,
        NULL);
    apr_status_t rv;

    mastra_text_open(buf, CHUNK_LIMIT);
    mastra_text_string(buf, "type", type);
    mastra_text_string(buf, "runId", run->row.id);
    mastra_text_string(buf, "from", "WORKFLOW");
    mastra_buf_puts(buf, ",\"payload\":{");
    mastra_text_string(buf, "stepName", name);
    rv = mastra_text_string(buf, "id", name);
    if (!rv && task->call_id && node->type < MASTRA_NODE_SLEEP
        && node->type != MASTRA_NODE_FOREACH) {
        rv = mastra_text_string(buf, "stepCallId", task->call_id);
    }
    return rv;
}

/* Like say: what has become too long is left out. */
static void finish_step(mastra_buf_t *buf, const mastra_task_t *task,
                        apr_status_t rv)
{
    if (!rv && task->parent && task->parent->node
        && task->parent->node->type == MASTRA_NODE_LOOP) {
        mastra_buf_puts(buf, ",\"metadata\":{");
        rv = mastra_text_number(buf, "iterationCount", task->index);
        rv = rv ? rv : mastra_buf_puts(buf, "}");
    }
    if (!rv && !mastra_buf_puts(buf, "}}")) {
        mastra_log_append(task->run->log, buf->data, buf->len);
    }
    mastra_buf_free(buf);
}

/* What a task begins with; by is the one whose answer it goes on with. */
static void say_start(const mastra_task_t *task, const mastra_task_t *by)
{
    int waits = task->node->type >= MASTRA_NODE_SLEEP;
    mastra_json_t *resumed = mastra_json_get(by->resume, "resumePayload");
    mastra_buf_t buf;
    apr_status_t rv = begin_step(&buf, task, waits ? "workflow-step-waiting"
                                                   : "workflow-step-start");

    rv = rv ? rv : mastra_text_member(&buf, "payload", task->input);
    rv = rv ? rv : mastra_text_number(&buf, "startedAt", task->started_at);
    rv = rv ? rv : mastra_text_string(&buf, "status",
                                      waits ? "waiting" : "running");
    if (!rv && resumed && task->node->type != MASTRA_NODE_FOREACH) {
        rv = mastra_text_member(&buf, "resumePayload", resumed);
        rv = rv ? rv : mastra_text_number(
            &buf, "resumedAt", mastra_json_get_int(by->resume, "resumedAt",
                                                   0));
    }
    finish_step(&buf, task, rv);
}

/* What contains a step is told of first, once. */
static void announce(mastra_task_t *task, const mastra_task_t *step)
{
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
    if (!is_item(task)) {
        say_start(task, step);
    }
}

void mastra_say_begin(mastra_task_t *task)
{
    if (!task->run->log) {
        return;
    }
    announce(task->parent, task);
    if (!is_item(task)) {
        say_start(task, task);
    }
}

void mastra_say_result(mastra_task_t *task, const mastra_json_t *record)
{
    static const char *const known[] = { "waitsFor", "payload", "startedAt",
                                         NULL };
    static const char *const own[] = { "waitsFor", NULL };
    const char *status = mastra_json_get_str(record, "status");
    mastra_buf_t buf;
    apr_status_t rv;

    if (!task->run->log || is_item(task)) {
        return;
    }
    rv = begin_step(&buf, task, !strcmp(status, "suspended")
                                    ? "workflow-step-suspended"
                                    : "workflow-step-result");
    rv = rv ? rv : mastra_text_members(
        &buf, record, task->node->type >= MASTRA_NODE_SLEEP
                      || task->node->type == MASTRA_NODE_FOREACH ? known
                                                                 : own);
    finish_step(&buf, task, rv);
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
