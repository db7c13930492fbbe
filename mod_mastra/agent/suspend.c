/* Runs that wait for a person: suspended to storage. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "last_words.h"
#include "../store/runs.h"

const char mastra_run_approval_schema[] =
    "{\"$schema\":\"http://json-schema.org/draft-07/schema#\","
    "\"type\":\"object\",\"properties\":{\"approved\":{\"type\":\"boolean\","
    "\"description\":\"Controls if the tool call is approved or not, should be "
    "true when approved and false when declined\"},\"reason\":{\"description\":"
    "\"Optional explanation for the decision, surfaced to the model when the "
    "tool call is declined\",\"type\":\"string\"}},\"required\":[\"approved\"],"
    "\"additionalProperties\":false}";

/* ---- who waits ---- */

int mastra_run_needs_person(mastra_agent_run_t *run,
                            const mastra_run_tool_t *tool)
{
    if (!tool->tool || tool->decided) {
        return 0;
    }
    return tool->tool->require_approval
           || tool->tool->kind == &mastra_tool_human
           || mastra_json_get_bool(run->options, "requireToolApproval", 0);
}

int mastra_run_waits(mastra_agent_run_t *run, const mastra_run_tool_t *tool)
{
    if (tool->waits) {
        return !tool->decided;
    }
    return !run->nested && mastra_run_needs_person(run, tool);
}

int mastra_run_is_human(const mastra_run_tool_t *tool)
{
    return tool->tool->kind == &mastra_tool_human;
}

/* 1: a person gives it something to go on with, 0: leave to begin. */
static int is_suspension(const mastra_run_tool_t *tool)
{
    const char *type = mastra_json_get_str(tool->waits, "type");

    return type ? !strcmp(type, "suspension") : mastra_run_is_human(tool);
}

static const char *resume_schema(const mastra_run_tool_t *tool,
                                 apr_pool_t *pool)
{
    if (tool->waits) {
        return mastra_json_get_str(tool->waits, "resumeSchema");
    }
    if (!mastra_run_is_human(tool)) {
        return mastra_run_approval_schema;
    }
    return tool->tool->resume_schema
               ? mastra_json_text(tool->tool->resume_schema, pool) : "{}";
}

/* What a call that has begun waits with, where it is the call of a tool of its
 * own, is shown instead of it. */
static const char *shown_name(const mastra_run_tool_t *tool)
{
    const char *name = mastra_json_get_str(tool->waits, "toolName");

    return name ? name : tool->name;
}

static mastra_json_t *shown_args(const mastra_run_tool_t *tool)
{
    mastra_json_t *args = mastra_json_get(tool->waits, "args");

    return args ? args : tool->args;
}

static mastra_json_t *shown_payload(const mastra_run_tool_t *tool)
{
    mastra_json_t *payload = mastra_json_get(tool->waits, "suspendPayload");

    return payload ? payload : tool->args;
}

mastra_json_t *mastra_run_waits_for(mastra_agent_run_t *run)
{
    const mastra_run_tool_t *tool = run->step.tools;
    mastra_json_t *made;

    while (tool && !mastra_run_waits(run, tool)) {
        tool = tool->next;
    }
    if (!tool) {
        return NULL;
    }
    made = mastra_json_pack(
        "{s:s, s:s, s:O, s:s, s:{s:s, s:s}}", "type",
        is_suspension(tool) ? "suspension" : "approval", "toolName",
        shown_name(tool), "args", shown_args(tool), "resumeSchema",
        resume_schema(tool, run->pool), "state", "runId", run->id,
        "toolCallId", tool->id);
    if (is_suspension(tool)) {
        mastra_json_set(made, "suspendPayload",
                        mastra_json_ref(shown_payload(tool)));
    }
    return made;
}

/* One entry of what the run waits for. */
static mastra_json_t *pending_entry(mastra_agent_run_t *run,
                                    const mastra_run_tool_t *tool)
{
    return mastra_json_pack(
        "{s:s, s:s, s:O, s:s, s:s, s:s, s:O*}", "toolCallId", tool->id,
        "toolName", tool->name, "args", tool->args, "type",
        is_suspension(tool) ? "suspension" : "approval", "runId", run->id,
        "resumeSchema", resume_schema(tool, run->pool), "waits", tool->waits);
}

/* {toolCallId: entry, …}: metadata.pendingToolApprovals of the message */
static mastra_json_t *all_pending(mastra_agent_run_t *run)
{
    mastra_json_t *pending = mastra_json_object();
    const mastra_run_tool_t *tool;

    for (tool = run->step.tools; tool; tool = tool->next) {
        if (mastra_run_waits(run, tool)) {
            mastra_json_set(pending, tool->id, pending_entry(run, tool));
        }
    }
    return pending;
}

/* ---- the stored state ---- */

static void put(mastra_json_t *state, const char *key, mastra_json_t *value)
{
    if (value) {
        mastra_json_set(state, key, mastra_json_ref(value));
    }
}

static mastra_json_t *step_state(mastra_agent_run_t *run)
{
    mastra_run_step_t *step = &run->step;
    mastra_json_t *state = mastra_json_pack(
        "{s:s*, s:s*, s:I}", "reason", step->reason, "rawReason",
        step->raw_reason, "firstPart", (apr_int64_t)step->first_part);

    put(state, "response", step->response);
    put(state, "request", step->request);
    put(state, "body", step->body);
    put(state, "usage", step->usage);
    put(state, "metadata", step->metadata);
    put(state, "files", step->files);
    put(state, "toolChunks", step->tool_chunks);
    put(state, "resultChunks", step->result_chunks);
    return state;
}

/* The calls of the step, where they are still to be carried out. */
static mastra_json_t *step_calls(const mastra_agent_run_t *run)
{
    mastra_json_t *calls = mastra_json_array();
    const mastra_run_tool_t *tool;

    for (tool = run->step.tools; tool; tool = tool->next) {
        mastra_json_append(calls, mastra_json_pack(
            "{s:s, s:s, s:O, s:b}", "toolCallId", tool->id, "toolName",
            tool->name, "args", tool->args, "client", tool->client));
    }
    return calls;
}

/* Options without the messages, which are in input already. */
static mastra_json_t *kept_options(mastra_agent_run_t *run)
{
    mastra_json_t *options = mastra_json_copy_flat(run->options);

    mastra_json_del(options, "messages");
    return options;
}

static mastra_json_t *run_state(mastra_agent_run_t *run)
{
    mastra_json_t *state = mastra_json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:s*, s:s*, s:b, s:i, s:i, s:I, s:i}",
        "version", 1, "agentId", run->agent->id, "model", run->model->spec,
        "messageId", run->message_id,
        "traceId", run->trace_id, "spanId", run->span_id, "threadId",
        run->thread_id, "resourceId", run->resource_id, "readOnly",
        run->read_only, "lastMessages", run->last_messages, "nsteps",
        run->nsteps, "answeredAt", (apr_int64_t)run->answered_at, "depth",
        run->depth);

    mastra_json_set(state, "options", kept_options(run));
    mastra_json_set_str(state, "workingMemory", run->working_text);
    mastra_json_set_bool(state, "titled", run->titled);
    put(state, "requestContext", run->context);
    put(state, "input", run->input);
    put(state, "background", run->background);
    put(state, "remembered", run->remembered);
    put(state, "prior", run->prior);
    put(state, "parts", run->parts);
    put(state, "metadata", run->metadata);
    put(state, "steps", run->steps);
    put(state, "usage", run->usage);
    mastra_json_set(state, "step", step_state(run));
    if (run->durable && !run->suspended) {
        mastra_json_set_str(state, "stage", run->stage);
        mastra_json_set_str(state, "owner", run->owner);
        mastra_json_set(state, "calls", step_calls(run));
        mastra_last_words_put(state, run);
    }
    mastra_json_set(state, "pending", all_pending(run));
    return state;
}

/* messageList.memoryInfo is where readers of the table look for the thread. */
static mastra_json_t *message_list(mastra_agent_run_t *run)
{
    mastra_json_t *messages = mastra_json_copy_flat(run->input);
    mastra_json_t *message = mastra_run_message(run, 0);
    mastra_json_t *made;

    if (message) {
        mastra_json_append(messages, message);
    }
    made = mastra_json_pack("{s:o}", "messages", messages);
    if (run->thread_id) {
        mastra_json_set(made, "memoryInfo",
                        mastra_json_pack("{s:s, s:s}", "threadId",
                                         run->thread_id, "resourceId",
                                         run->resource_id));
    }
    return made;
}

static mastra_json_t *first_payload(mastra_agent_run_t *run)
{
    mastra_json_t *pending = all_pending(run);
    mastra_json_t *first = mastra_json_value(mastra_json_iter(pending));
    mastra_json_t *made = mastra_json_pack(
        "{s:s, s:s, s:O}", "toolCallId", mastra_json_get_str(first,
                                                             "toolCallId"),
        "toolName", mastra_json_get_str(first, "toolName"), "args",
        mastra_json_get(first, "args"));

    mastra_json_unref(pending);
    return made;
}

mastra_json_t *mastra_run_stored(mastra_agent_run_t *run,
                                   const char *status)
{
    apr_int64_t now = mastra_text_now_ms();
    int waits = !strcmp(status, "suspended");
    mastra_json_t *payload = mastra_json_pack(
        "{s:o*, s:{s:s, s:o, s:o}}", "requireToolApproval",
        waits ? first_payload(run) : NULL, "__streamState", "status", status,
        "messageList", message_list(run), "run", run_state(run));

    return mastra_json_pack(
        "{s:s, s:s, s:{}, s:{s:{s:s}, s:{s:s, s:I, s:I, s:o}}, s:o, "
        "s:{}, s:{}, s:o, s:I}",
        "runId", run->id, "status", status, "value", "context", "input",
        "messageId", run->message_id, "executionWorkflow", "status",
        status, "startedAt", now, "suspendedAt", now, "suspendPayload",
        payload, "suspendedPaths",
        waits ? mastra_json_pack("{s:[i]}", "executionWorkflow", 0)
              : mastra_json_object(), "waitingPaths",
        "resumeLabels", "requestContext",
        run->context ? mastra_json_ref(run->context) : mastra_json_object(),
        "timestamp", now);
}

static mastra_json_t *make_summary(mastra_agent_run_t *run)
{
    mastra_json_t *calls = mastra_json_array();
    const mastra_run_tool_t *tool;

    for (tool = run->step.tools; tool; tool = tool->next) {
        mastra_json_t *call;

        if (!mastra_run_waits(run, tool)) {
            continue;
        }
        call = mastra_json_pack("{s:s, s:s, s:O, s:b}", "toolCallId", tool->id,
                                "toolName", shown_name(tool), "args",
                                shown_args(tool), "requiresApproval",
                                !is_suspension(tool));
        if (is_suspension(tool)) {
            mastra_json_set(call, "suspendPayload",
                            mastra_json_ref(shown_payload(tool)));
        }
        mastra_json_append(calls, call);
    }
    return mastra_json_pack("{s:s, s:s, s:s*, s:s*, s:s, s:o}", "runId",
                            run->id, "status", "suspended", "threadId",
                            run->thread_id, "resourceId", run->resource_id,
                            "suspendedAt",
                            mastra_text_iso_make(run->pool, apr_time_now()),
                            "toolCalls", calls);
}

/* ---- suspending ---- */

static apr_status_t suspend_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_agent_run_t *run = baton;
    mastra_run_row_t row = { .host = run->env->host, .id = run->id,
                             .kind = run->durable ? MASTRA_RUN_DURABLE
                                                  : MASTRA_RUN_KIND,
                             .name = run->agent->id,
                             .resource_id = run->resource_id
                                                ? run->resource_id : run->owner,
                             .thread_id = run->thread_id };
    mastra_json_t *messages;
    apr_status_t rv;

    row.snapshot = mastra_json_own(mastra_run_stored(run, "suspended"),
                                   pool);
    row.summary = mastra_json_own(make_summary(run), pool);
    rv = mastra_runs_suspend(db, &row, run->epoch, pool);
    if (!rv && run->channel) {
        rv = mastra_channel_release(run->channel, db, 1, pool);
    }
    if (rv || !run->thread_id || run->read_only) {
        return rv;
    }
    messages = mastra_json_own(mastra_json_pack("[o]",
                                                mastra_run_message(run, 0)),
                               pool);
    return mastra_messages_save(
        db, mastra_json_own(mastra_memory_kept(messages), pool), pool);
}

static void say_waiting(mastra_agent_run_t *run, const mastra_run_tool_t *tool)
{
    mastra_json_t *payload = mastra_json_pack(
        "{s:s, s:s, s:O, s:s}", "toolCallId", tool->id, "toolName",
        shown_name(tool), "args", shown_args(tool), "resumeSchema",
        resume_schema(tool, run->pool));

    if (is_suspension(tool)) {
        mastra_json_set(payload, "suspendPayload",
                        mastra_json_ref(shown_payload(tool)));
    }
    mastra_run_say(run, is_suspension(tool) ? "tool-call-suspended"
                                            : "tool-call-approval", payload);
}

static void after_suspend(void *baton)
{
    mastra_agent_run_t *run = baton;
    const mastra_run_tool_t *tool;

    if (run->channel) {
        mastra_channel_settled(run->channel, run->job_rv);
    }
    if (run->job_rv) {
        mastra_json_unref(run->pending);
        run->pending = NULL;
        mastra_run_fail(run, run->job_rv == MASTRA_STORE_EXISTS
                                 ? mastra_result_make(run->pool, 409,
                                                      "RUN_EXISTS",
                                                      "A run with this id is "
                                                      "there already")
                                 : mastra_store_result(run->pool, run->job_rv,
                                                       "suspend the run"));
        return;
    }
    run->suspended = 1;
    run->epoch = 0;
    for (tool = run->step.tools; tool; tool = tool->next) {
        if (mastra_run_waits(run, tool)) {
            say_waiting(run, tool);
        }
    }
    mastra_run_end(run);
}

void mastra_run_suspend(mastra_agent_run_t *run)
{
    mastra_run_date_answer(run);
    run->pending = all_pending(run);
    run->state = MASTRA_RUN_SAVE;
    mastra_run_submit(run, MASTRA_STORE_WRITE, suspend_run, after_suspend);
}

/* The step that was not finished has its calls and its message all the
 * same. */
static void describe_step(mastra_agent_run_t *run, mastra_json_t *answer)
{
    mastra_json_t *calls = mastra_json_get(answer, "toolCalls");
    mastra_json_t *message;

    mastra_json_extend(calls, run->step.tool_chunks);
    if (!mastra_json_size(run->steps)) {
        mastra_json_set(answer, "totalUsage",
                        mastra_json_pack("{s:i}", "totalTokens", 0));
        message = mastra_run_message(run, 0);
        mastra_json_set(answer, "response", mastra_json_pack(
            "{s:[o]}", "dbMessages", message));
    }
}

/* What generate answers about a suspended run. */
void mastra_run_describe_suspended(mastra_agent_run_t *run,
                                   mastra_json_t *answer)
{
    const mastra_run_tool_t *tool = run->step.tools;
    mastra_json_t *payload;

    while (tool && !mastra_run_waits(run, tool)) {
        tool = tool->next;
    }
    if (!tool) {
        return;
    }
    describe_step(run, answer);
    payload = first_payload(run);
    mastra_json_set_str(payload, "resumeSchema",
                        resume_schema(tool, run->pool));
    mastra_json_set(answer, "suspendPayload", payload);
    mastra_json_set_str(answer, "resumeSchema", resume_schema(tool, run->pool));
}
