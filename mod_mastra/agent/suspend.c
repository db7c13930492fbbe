/* Runs that wait for a person: suspended to storage, taken up by any child. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../base/log.h"
#include "../store/runs.h"

#define KIND "agentic-loop"              /* workflow_name of the snapshot */
#define LEASE apr_time_from_sec(30)
#define RENEW_EVERY apr_time_from_sec(10)

static const char approval_schema[] =
    "{\"$schema\":\"http://json-schema.org/draft-07/schema#\","
    "\"type\":\"object\",\"properties\":{\"approved\":{\"type\":\"boolean\","
    "\"description\":\"Controls if the tool call is approved or not, should be "
    "true when approved and false when declined\"},\"reason\":{\"description\":"
    "\"Optional explanation for the decision, surfaced to the model when the "
    "tool call is declined\",\"type\":\"string\"}},\"required\":[\"approved\"],"
    "\"additionalProperties\":false}";

/* ---- who waits ---- */

int mastra_run_waits(mastra_agent_run_t *run, const mastra_run_tool_t *tool)
{
    if (!tool->tool || tool->decided) {
        return 0;
    }
    return tool->tool->require_approval
           || tool->tool->kind == &mastra_tool_human
           || mastra_json_get_bool(run->options, "requireToolApproval", 0);
}

static int is_human(const mastra_run_tool_t *tool)
{
    return tool->tool->kind == &mastra_tool_human;
}

static const char *resume_schema(const mastra_run_tool_t *tool,
                                 apr_pool_t *pool)
{
    if (!is_human(tool)) {
        return approval_schema;
    }
    return tool->tool->resume_schema
               ? mastra_json_text(tool->tool->resume_schema, pool) : "{}";
}

/* One entry of what the run waits for. */
static mastra_json_t *pending_entry(mastra_agent_run_t *run,
                                    const mastra_run_tool_t *tool)
{
    return mastra_json_pack("{s:s, s:s, s:O, s:s, s:s, s:s}", "toolCallId",
                            tool->id, "toolName", tool->name, "args",
                            tool->args, "type",
                            is_human(tool) ? "suspension" : "approval", "runId",
                            run->id, "resumeSchema",
                            resume_schema(tool, run->pool));
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
    put(state, "toolChunks", step->tool_chunks);
    put(state, "resultChunks", step->result_chunks);
    return state;
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
        "{s:i, s:s, s:s, s:s, s:s, s:s*, s:s*, s:b, s:i, s:i, s:I, s:i}",
        "version", 1, "agentId", run->agent->id, "messageId", run->message_id,
        "traceId", run->trace_id, "spanId", run->span_id, "threadId",
        run->thread_id, "resourceId", run->resource_id, "readOnly",
        run->read_only, "lastMessages", run->last_messages, "nsteps",
        run->nsteps, "answeredAt", (apr_int64_t)run->answered_at, "depth",
        run->depth);

    mastra_json_set(state, "options", kept_options(run));
    put(state, "requestContext", run->context);
    put(state, "input", run->input);
    put(state, "remembered", run->remembered);
    put(state, "prior", run->prior);
    put(state, "parts", run->parts);
    put(state, "steps", run->steps);
    put(state, "usage", run->usage);
    mastra_json_set(state, "step", step_state(run));
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

static mastra_json_t *make_snapshot(mastra_agent_run_t *run)
{
    apr_int64_t now = mastra_text_now_ms();
    mastra_json_t *payload = mastra_json_pack(
        "{s:o, s:{s:s, s:o, s:o}}", "requireToolApproval", first_payload(run),
        "__streamState", "status", "suspended", "messageList",
        message_list(run), "run", run_state(run));

    return mastra_json_pack(
        "{s:s, s:s, s:{}, s:{s:{s:s}, s:{s:s, s:I, s:I, s:o}}, s:{s:[i]}, "
        "s:{}, s:{}, s:o, s:I}",
        "runId", run->id, "status", "suspended", "value", "context", "input",
        "messageId", run->message_id, "executionWorkflow", "status",
        "suspended", "startedAt", now, "suspendedAt", now, "suspendPayload",
        payload, "suspendedPaths", "executionWorkflow", 0, "waitingPaths",
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
                                "toolName", tool->name, "args", tool->args,
                                "requiresApproval", !is_human(tool));
        if (is_human(tool)) {
            mastra_json_set(call, "suspendPayload",
                            mastra_json_ref(tool->args));
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
                             .kind = KIND, .name = run->agent->id,
                             .resource_id = run->resource_id
                                                ? run->resource_id : run->owner,
                             .thread_id = run->thread_id };
    apr_status_t rv;

    row.snapshot = mastra_json_own(make_snapshot(run), pool);
    row.summary = mastra_json_own(make_summary(run), pool);
    rv = mastra_runs_suspend(db, &row, run->epoch, pool);
    if (rv || !run->thread_id || run->read_only) {
        return rv;
    }
    return mastra_messages_save(
        db, mastra_json_own(mastra_json_pack("[o]", mastra_run_message(run, 0)),
                            pool), pool);
}

static void say_waiting(mastra_agent_run_t *run, const mastra_run_tool_t *tool)
{
    mastra_json_t *payload = mastra_json_pack(
        "{s:s, s:s, s:O, s:s}", "toolCallId", tool->id, "toolName", tool->name,
        "args", tool->args, "resumeSchema", resume_schema(tool, run->pool));

    if (is_human(tool)) {
        mastra_json_set(payload, "suspendPayload", mastra_json_ref(tool->args));
    }
    mastra_run_say(run, is_human(tool) ? "tool-call-suspended"
                                       : "tool-call-approval", payload);
}

static void after_suspend(void *baton)
{
    mastra_agent_run_t *run = baton;
    const mastra_run_tool_t *tool;

    mastra_json_unref(run->pending);
    run->pending = NULL;
    if (run->job_rv) {
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
    if (!run->answered_at) {
        run->answered_at = apr_time_now();
    }
    run->pending = all_pending(run);
    run->state = MASTRA_RUN_SAVE;
    mastra_run_submit(run, MASTRA_STORE_WRITE, suspend_run, after_suspend);
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
    payload = first_payload(run);
    mastra_json_set_str(payload, "resumeSchema",
                        resume_schema(tool, run->pool));
    mastra_json_set(answer, "suspendPayload", payload);
    mastra_json_set_str(answer, "resumeSchema", resume_schema(tool, run->pool));
}

/* ---- taking up: store thread ---- */

static apr_status_t refuse(mastra_agent_run_t *run, apr_status_t rv, int status,
                           const char *code, const char *message)
{
    run->job_error = mastra_result_make(run->pool, status, code, "%s", message);
    return rv;
}

static int same_owner(const char *row, const char *owner)
{
    return !owner || (row && !strcmp(row, owner));
}

/* The tool call that the decision is about; without an id, the only one. */
static mastra_json_t *find_pending(mastra_agent_run_t *run,
                                   const mastra_json_t *state)
{
    const mastra_json_t *pending = mastra_json_get(state, "pending");
    const char *id = mastra_json_get_str(run->decision, "toolCallId");

    if (!id) {
        return mastra_json_value(mastra_json_iter(pending));
    }
    return mastra_json_get(pending, id);
}

static apr_status_t check_answer(mastra_agent_run_t *run,
                                 const mastra_json_t *entry, apr_pool_t *pool)
{
    const char *name = mastra_json_get_str(entry, "toolName");
    const mastra_json_t *data = mastra_json_get(run->decision, "resumeData");
    const mastra_tool_t *tool = mastra_run_find_tool(run, name);

    if (!tool) {
        return refuse(run, APR_EINVAL, 409, "TOOL_GONE",
                      "The tool of this call is not there any more");
    }
    if (tool->kind != &mastra_tool_human) {
        return APR_SUCCESS;
    }
    if (!data || (tool->resume
                  && !mastra_schema_validate(tool->resume, data, NULL, pool))) {
        return refuse(run, APR_EINVAL, 400, "RESUME_DATA_INVALID",
                      "resumeData does not fit the tool's resumeSchema");
    }
    return APR_SUCCESS;
}

static const char *not_found(mastra_agent_run_t *run)
{
    return apr_psprintf(run->pool, "Agent \"%s\" could not find a suspended run "
                        "for runId \"%s\". The run may have already completed, "
                        "never suspended, or the runId is invalid.",
                        run->agent->name, run->id);
}

static apr_status_t claim_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_agent_run_t *run = baton;
    mastra_json_t *snapshot = NULL, *state, *entry;
    mastra_run_row_t row = { NULL };
    int epoch = 0;
    apr_status_t rv = mastra_runs_claim(&snapshot, &epoch, &row, db,
                                        run->env->host, run->id, LEASE, pool);

    if (rv == MASTRA_STORE_EXISTS) {
        return refuse(run, rv, 409, "RUN_CLAIMED",
                      "This run is being resumed already");
    }
    if (rv == MASTRA_STORE_NOT_FOUND || (!rv && (strcmp(row.kind, KIND)
        || strcmp(row.name, run->agent->id)
        || !same_owner(row.resource_id, run->owner)))) {
        mastra_json_unref(snapshot);
        return refuse(run, MASTRA_STORE_NOT_FOUND, 404, "RUN_NOT_FOUND",
                      not_found(run));
    }
    if (rv) {
        return rv;
    }
    mastra_json_own(snapshot, pool);
    state = mastra_json_path(snapshot, "context", "executionWorkflow",
                             "suspendPayload", "__streamState", "run", NULL);
    entry = find_pending(run, state);
    if (!entry) {
        return refuse(run, APR_EINVAL, 404, "TOOL_CALL_NOT_PENDING",
                      apr_psprintf(run->pool, "Agent \"%s\" cannot resume tool "
                                   "call \"%s\" because it is not suspended.",
                                   run->agent->name,
                                   mastra_json_get_str(run->decision,
                                                       "toolCallId")));
    }
    rv = check_answer(run, entry, pool);
    if (!rv) {
        mastra_json_unref(run->stored);
        run->stored = mastra_json_ref(state);
        run->epoch = epoch;
    }
    return rv;
}

/* ---- taking up: loop ---- */

static mastra_json_t *take(const mastra_json_t *state, const char *key)
{
    return mastra_json_ref(mastra_json_get(state, key));
}

static const char *take_str(mastra_agent_run_t *run, const char *key)
{
    return apr_pstrdup(run->pool, mastra_json_get_str(run->stored, key));
}

static void replace(mastra_json_t **pvalue, mastra_json_t *value)
{
    if (value) {
        mastra_json_unref(*pvalue);
        *pvalue = value;
    }
}

static void restore_step(mastra_agent_run_t *run)
{
    const mastra_json_t *state = mastra_json_get(run->stored, "step");
    mastra_run_step_t *step = &run->step;

    step->pool = run->pool;
    step->reason = apr_pstrdup(run->pool, mastra_json_get_str(state, "reason"));
    step->raw_reason = apr_pstrdup(run->pool,
                                   mastra_json_get_str(state, "rawReason"));
    step->first_part = (apr_size_t)mastra_json_get_int(state, "firstPart", 0);
    step->response = take(state, "response");
    step->request = take(state, "request");
    step->body = take(state, "body");
    step->usage = take(state, "usage");
    step->tool_chunks = take(state, "toolChunks");
    step->result_chunks = take(state, "resultChunks");
}

static void restore(mastra_agent_run_t *run)
{
    const mastra_json_t *state = run->stored;

    run->message_id = take_str(run, "messageId");
    run->trace_id = take_str(run, "traceId");
    run->span_id = take_str(run, "spanId");
    run->thread_id = take_str(run, "threadId");
    run->resource_id = take_str(run, "resourceId");
    run->read_only = mastra_json_get_bool(state, "readOnly", 0);
    run->last_messages = (int)mastra_json_get_int(state, "lastMessages", 0);
    run->nsteps = (int)mastra_json_get_int(state, "nsteps", 0);
    run->answered_at = mastra_json_get_int(state, "answeredAt", 0);
    replace(&run->options, take(state, "options"));
    if (!run->context) {
        run->context = take(state, "requestContext");
    }
    replace(&run->input, take(state, "input"));
    replace(&run->remembered, take(state, "remembered"));
    replace(&run->prior, take(state, "prior"));
    replace(&run->parts, take(state, "parts"));
    replace(&run->steps, take(state, "steps"));
    replace(&run->usage, take(state, "usage"));
    restore_step(run);
}

static mastra_json_t *find_part(mastra_agent_run_t *run, const char *id)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(run->parts); i++) {
        mastra_json_t *part = mastra_json_at(run->parts, i);
        const char *have = mastra_json_get_str(
            mastra_json_get(part, "toolInvocation"), "toolCallId");

        if (have && !strcmp(have, id)) {
            return part;
        }
    }
    return NULL;
}

/* The calls that wait become calls of the step again. */
static void restore_tools(mastra_agent_run_t *run)
{
    const mastra_json_t *pending = mastra_json_get(run->stored, "pending");
    mastra_run_tool_t **tail = &run->step.tools;
    void *at;

    for (at = mastra_json_iter(pending); at;
         at = mastra_json_next(pending, at)) {
        const mastra_json_t *entry = mastra_json_value(at);
        mastra_run_tool_t *tool = apr_pcalloc(run->pool, sizeof(*tool));

        tool->run = run;
        tool->id = apr_pstrdup(run->pool, mastra_json_key(at));
        tool->name = apr_pstrdup(run->pool,
                                 mastra_json_get_str(entry, "toolName"));
        tool->tool = mastra_run_find_tool(run, tool->name);
        tool->args = take(entry, "args");
        tool->part = mastra_json_ref(find_part(run, tool->id));
        *tail = tool;
        tail = &tool->next;
    }
    run->step.tools_tail = tail;
}

static mastra_json_t *approval_of(mastra_agent_run_t *run,
                                  const mastra_run_tool_t *tool, int approved)
{
    const char *reason = mastra_json_get_str(run->decision, "reason");

    if (!approved && !reason) {
        reason = "Tool call was not approved by the user";
    }
    return mastra_json_pack("{s:s, s:b, s:s*}", "id", tool->id, "approved",
                            approved, "reason", approved ? NULL : reason);
}

static void deny(mastra_agent_run_t *run, mastra_run_tool_t *tool)
{
    mastra_json_t *inner = mastra_json_get(tool->part, "toolInvocation");
    mastra_json_t *approval = approval_of(run, tool, 0);

    mastra_json_set_str(inner, "state", "output-denied");
    mastra_json_set(inner, "approval", mastra_json_ref(approval));
    mastra_run_say(run, "tool-output-denied",
                   mastra_json_pack("{s:s, s:s, s:O, s:o}", "toolCallId",
                                    tool->id, "toolName", tool->name, "args",
                                    tool->args, "approval", approval));
}

static mastra_run_tool_t *decided_tool(mastra_agent_run_t *run)
{
    const char *id = mastra_json_get_str(run->decision, "toolCallId");
    mastra_run_tool_t *tool = run->step.tools;

    while (tool && id && strcmp(tool->id, id)) {
        tool = tool->next;
    }
    return tool;
}

static void decide(mastra_agent_run_t *run)
{
    mastra_run_tool_t *tool = decided_tool(run);
    mastra_json_t *data = mastra_json_get(run->decision, "resumeData");
    int approved = mastra_json_get_bool(
        run->decision, "approved",
        mastra_json_get_bool(data, "approved", 1));

    tool->decided = 1;
    run->state = MASTRA_RUN_TOOLS;
    run->step.tools_open = 2;        /* this one, and the guard below */
    if (is_human(tool)) {
        mastra_run_tool_over(tool, data, NULL);
    }
    else if (!approved) {
        deny(run, tool);
        run->step.tools_open--;
    }
    else {
        mastra_json_set(mastra_json_get(tool->part, "toolInvocation"),
                        "approval", approval_of(run, tool, 1));
        mastra_run_start_tool(run, tool);
    }
    if (--run->step.tools_open == 0) {
        mastra_run_tools_over(run);
    }
}

/* ---- the lease ---- */

static void lost(mastra_agent_run_t *run)
{
    mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(3005) "run %s was taken over by "
               "another process: this one stops", run->id);
    mastra_run_stop(run, mastra_result_make(run->pool, 409, "RUN_TAKEN_OVER",
                                            "This run is continued elsewhere"));
}

static apr_status_t renew_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_agent_lease_t *lease = baton;

    return mastra_runs_renew(db, lease->host, lease->id, lease->epoch, LEASE,
                             pool);
}

static void renewed(void *baton, apr_status_t rv)
{
    mastra_agent_lease_t *lease = baton;

    lease->rv = rv;
    mastra_loop_post(lease->loop, &lease->msg);
}

static void free_lease(mastra_agent_lease_t *lease)
{
    apr_pool_destroy(lease->pool);
}

static void on_renew(void *baton);

/* The run may have ended while the job was under way. */
static void after_renew(void *baton)
{
    mastra_agent_lease_t *lease = baton;
    mastra_agent_run_t *run = lease->run;

    lease->busy = 0;
    if (!run) {
        free_lease(lease);
        return;
    }
    if (lease->rv == MASTRA_STORE_STALE) {
        lost(run);
        return;
    }
    mastra_loop_timer_set(lease->loop, &lease->timer, RENEW_EVERY, on_renew,
                          lease);
}

static void on_renew(void *baton)
{
    mastra_agent_lease_t *lease = baton;

    memset(&lease->job, 0, sizeof(lease->job));
    lease->job.mode = MASTRA_STORE_WRITE;
    lease->job.run = renew_run;
    lease->job.done = renewed;
    lease->job.baton = lease;
    lease->msg.cb = after_renew;
    lease->msg.baton = lease;
    if (mastra_store_submit(lease->store, &lease->job)) {
        mastra_loop_timer_set(lease->loop, &lease->timer,
                              apr_time_from_sec(1), on_renew, lease);
        return;
    }
    lease->busy = 1;
}

static void hold_lease(mastra_agent_run_t *run)
{
    mastra_agent_lease_t *lease;
    apr_allocator_t *allocator;
    apr_pool_t *pool;

    if (apr_allocator_create(&allocator)) {
        return;
    }
    if (apr_pool_create_ex(&pool, NULL, NULL, allocator)) {
        apr_allocator_destroy(allocator);
        return;
    }
    apr_allocator_owner_set(allocator, pool);
    lease = apr_pcalloc(pool, sizeof(*lease));
    lease->pool = pool;
    lease->run = run;
    lease->loop = run->env->loop;
    lease->store = run->env->store;
    lease->host = run->env->host;
    lease->id = apr_pstrdup(pool, run->id);
    lease->epoch = run->epoch;
    run->lease = lease;
    mastra_loop_timer_set(lease->loop, &lease->timer, RENEW_EVERY, on_renew,
                          lease);
}

void mastra_run_drop_lease(mastra_agent_run_t *run)
{
    mastra_agent_lease_t *lease = run->lease;

    if (!lease) {
        return;
    }
    run->lease = NULL;
    lease->run = NULL;
    mastra_loop_timer_stop(lease->loop, &lease->timer);
    if (!lease->busy) {
        free_lease(lease);
    }
}

/* ---- resume ---- */

static void after_claim(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->job_rv) {
        run->error = run->job_error ? run->job_error
                                    : mastra_store_result(run->pool,
                                                          run->job_rv,
                                                          "resume the run");
        mastra_run_end(run);
        return;
    }
    hold_lease(run);
    restore(run);
    restore_tools(run);
    run->started = 1;
    if (run->cancelled) {
        /* nobody listens any more: the run waits for another decision */
        run->cancelled = 0;
        mastra_run_suspend(run);
        return;
    }
    decide(run);
}

void mastra_run_claim(mastra_agent_run_t *run)
{
    run->state = MASTRA_RUN_RECALL;
    mastra_run_submit(run, MASTRA_STORE_WRITE, claim_run, after_claim);
}

void mastra_run_next_message(mastra_agent_run_t *run, const char *next_id)
{
    mastra_json_t *message = mastra_run_message(run, 0);
    mastra_json_t *metadata = mastra_json_path(message, "content", "metadata",
                                               NULL);

    mastra_json_set(metadata, "mastra",
                    mastra_json_pack("{s:b}", "responseBoundary", 1));
    if (!run->prior) {
        run->prior = mastra_json_array();
    }
    mastra_json_append(run->prior, message);
    mastra_json_unref(run->parts);
    run->parts = mastra_json_array();
    run->message_id = next_id;
    run->answered_at = 0;
}
