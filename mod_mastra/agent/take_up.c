/* Runs that a person's decision takes up, in whichever child it arrives. */

#include <string.h>

#include <apr_strings.h>

#include "hub.h"
#include "internal.h"
#include "last_words.h"
#include "../store/events.h"
#include "../store/runs.h"

#define CLAIM_AGAIN apr_time_from_msec(250)
#define CLAIM_SPARE apr_time_from_sec(2)

/* ---- store thread ---- */

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

/* The agent may have become durable, or no more, while the run waited. */
static int is_kind(mastra_agent_run_t *run, const char *kind)
{
    run->durable = !strcmp(kind, MASTRA_RUN_DURABLE);
    return run->durable || (!strcmp(kind, MASTRA_RUN_KIND) && !run->recovers);
}

static const char *not_found(mastra_agent_run_t *run)
{
    const char *call = run->stream ? "resumeStream()" : "resumeGenerate()";

    return apr_psprintf(run->pool, "Agent \"%s\" %s could not find a suspended "
                        "run for runId \"%s\". The run may have already "
                        "completed, never suspended, or the runId is invalid. "
                        "Ensure you are calling %s only with a runId from a "
                        "currently-suspended run.", run->agent->name, call,
                        run->id, call);
}

/* The state fits the decision, where there is one; a durable run is kept with
 * it. */
static apr_status_t admit(mastra_agent_run_t *run, mastra_json_t *snapshot,
                          mastra_json_t *state, int epoch, mastra_db_t *db,
                           apr_pool_t *pool)
{
    mastra_json_t *entry = find_pending(run, state);
    apr_status_t rv;

    if (!entry) {
        return refuse(run, APR_EINVAL, 404, "TOOL_CALL_NOT_PENDING",
                      apr_psprintf(run->pool, "Agent \"%s\" cannot resume tool "
                                   "call \"%s\" because it is not suspended.",
                                   run->agent->name,
                                   mastra_json_get_str(run->decision,
                                                       "toolCallId")));
    }
    rv = check_answer(run, entry, pool);
    if (rv == APR_SUCCESS && run->durable) {
        rv = mastra_durable_decided(run, snapshot, state, epoch, db, pool);
    }
    return rv;
}

static apr_status_t claim_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_agent_run_t *run = baton;
    mastra_json_t *snapshot = NULL, *state;
    mastra_run_row_t row = { NULL };
    int epoch = 0;
    apr_status_t rv = mastra_durable_take(&snapshot, &epoch, &row, run, db,
                                          pool);

    if (rv == MASTRA_STORE_EXISTS) {
        return refuse(run, rv, 409, "RUN_CLAIMED",
                      "This run is being resumed already");
    }
    if (rv == MASTRA_STORE_NOT_FOUND || (!rv && (!is_kind(run, row.kind)
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
    if (!run->recovers) {
        rv = admit(run, snapshot, state, epoch, db, pool);
    }
    if (!rv && run->durable) {
        rv = mastra_events_newest(&run->after, db,
                                  mastra_durable_log(run->id, pool), pool);
    }
    if (!rv && mastra_last_words_kept(run, state)) {
        rv = mastra_last_words_heard(run, state, db, pool);
    }
    else if (!rv) {
        rv = mastra_channel_join(run, mastra_json_get_str(state, "resourceId"),
                                 mastra_json_get_str(state, "threadId"), db,
                                 pool);
    }
    if (!rv) {
        mastra_json_unref(run->stored);
        run->stored = mastra_json_ref(state);
        run->epoch = epoch;
        run->taken = row.taken;
    }
    return rv;
}

/* ---- loop ---- */

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
    step->metadata = take(state, "metadata");
    step->files = take(state, "files");
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
    /* others of the step may have been called before */
    run->tools_ran = 1;
    run->answered_at = mastra_json_get_int(state, "answeredAt", 0);
    replace(&run->options, take(state, "options"));
    if (!run->context) {
        run->context = take(state, "requestContext");
    }
    replace(&run->input, take(state, "input"));
    replace(&run->remembered, take(state, "remembered"));
    replace(&run->background, take(state, "background"));
    replace(&run->prior, take(state, "prior"));
    replace(&run->parts, take(state, "parts"));
    replace(&run->metadata, take(state, "metadata"));
    replace(&run->steps, take(state, "steps"));
    replace(&run->usage, take(state, "usage"));
    /* what it was talking to may be gone since */
    if (mastra_run_choose_model(run, mastra_json_get_str(state, "model"))) {
        mastra_run_choose_model(run, NULL);
    }
    mastra_run_restore_memory(run, state);
    restore_step(run);
    mastra_run_set_limits(run);
    mastra_run_offer(run);
    /* the schema was usable when the run began */
    mastra_run_set_output(run);
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

static mastra_run_tool_t *add_tool(mastra_agent_run_t *run, const char *id,
                                   const char *name, mastra_json_t *args)
{
    mastra_run_tool_t *tool = apr_pcalloc(run->pool, sizeof(*tool));

    tool->run = run;
    tool->id = apr_pstrdup(run->pool, id);
    tool->name = apr_pstrdup(run->pool, name);
    tool->args = mastra_json_ref(args);
    tool->part = mastra_json_ref(find_part(run, id));
    *run->step.tools_tail = tool;
    run->step.tools_tail = &tool->next;
    return tool;
}

/* The calls that wait become calls of the step again, as do those that the
 * client will be left with. */
static void restore_tools(mastra_agent_run_t *run)
{
    const mastra_json_t *pending = mastra_json_get(run->stored, "pending");
    apr_size_t i;
    void *at;

    run->step.tools_tail = &run->step.tools;
    for (at = mastra_json_iter(pending); at;
         at = mastra_json_next(pending, at)) {
        const mastra_json_t *entry = mastra_json_value(at);
        mastra_run_tool_t *tool = add_tool(
            run, mastra_json_key(at), mastra_json_get_str(entry, "toolName"),
            mastra_json_get(entry, "args"));

        tool->tool = mastra_run_find_tool(run, tool->name);
        tool->waits = mastra_json_ref(mastra_json_get(entry, "waits"));
    }
    for (i = run->step.first_part; i < mastra_json_size(run->parts); i++) {
        const mastra_json_t *inner = mastra_json_get(
            mastra_json_at(run->parts, i), "toolInvocation");
        const char *name = mastra_json_get_str(inner, "toolName");

        if (name && mastra_run_is_client_tool(run, name)) {
            add_tool(run, mastra_json_get_str(inner, "toolCallId"), name,
                     mastra_json_get(inner, "args"))->client = 1;
        }
    }
}

/* The calls of a step that a durable run was kept before. */
static void restore_calls(mastra_agent_run_t *run)
{
    const mastra_json_t *calls = mastra_json_get(run->stored, "calls");
    apr_size_t i;

    run->step.tools_tail = &run->step.tools;
    for (i = 0; i < mastra_json_size(calls); i++) {
        const mastra_json_t *call = mastra_json_at(calls, i);
        mastra_run_tool_t *tool = add_tool(
            run, mastra_json_get_str(call, "toolCallId"),
            mastra_json_get_str(call, "toolName"),
            mastra_json_get(call, "args"));

        tool->tool = mastra_run_find_tool(run, tool->name);
        tool->client = mastra_json_get_bool(call, "client", 0);
    }
}

/* What only a run that nobody asks for has to find in its state. */
static void restore_durable(mastra_agent_run_t *run)
{
    const mastra_json_t *state = run->stored;
    const char *stage = mastra_json_get_str(state, "stage");

    run->stage = stage ? apr_pstrdup(run->pool, stage) : MASTRA_STAGE_MODEL;
    run->owner = take_str(run, "owner");
    run->depth = (int)mastra_json_get_int(state, "depth", 0);
    run->decision = take(state, "decision");
    run->log_base = (int)mastra_json_get_int(state, "logBase", 0);
    if (!strcmp(run->stage, MASTRA_STAGE_TOOLS)) {
        restore_calls(run);
    }
    else {
        restore_tools(run);
    }
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
    if (tool->waits) {
        mastra_run_start_tool(run, tool);
    }
    else if (mastra_run_is_human(tool)) {
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
    run->step.tools_open--;
    mastra_run_tell_outcomes(run);
}

static void on_claim_again(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->cancelled) {
        mastra_run_end_early(run, "resume the run");
    }
    else {
        mastra_run_claim(run);
    }
}

/* A part of a run that changes hands as soon as its process is known to be
 * dead: the part's own claim ends a lease later, and is waited for. */
static int claim_later(mastra_agent_run_t *run)
{
    apr_time_t now = mastra_loop_now(run->env->loop);

    if (!run->again || run->cancelled || run->job_rv != MASTRA_STORE_EXISTS) {
        return 0;
    }
    if (!run->claim_until) {
        run->claim_until = now + run->env->lease + CLAIM_SPARE;
    }
    if (now >= run->claim_until) {
        return 0;
    }
    run->job_error = NULL;
    mastra_loop_timer_set(run->env->loop, &run->claim_again,
                          CLAIM_AGAIN, on_claim_again, run);
    return 1;
}

static void after_claim(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (claim_later(run)) {
        return;
    }
    if (run->job_rv && run->recovers) {
        /* somebody was faster */
        mastra_run_end(run);
        return;
    }
    if (run->job_rv) {
        mastra_run_end_early(run, "resume the run");
        return;
    }
    mastra_run_hold_lease(run);
    restore(run);
    if (run->recovers) {
        restore_durable(run);
    }
    else {
        restore_tools(run);
    }
    run->started = 1;
    if (run->sink && run->sink->vtable->begun) {
        run->sink->vtable->begun(run->sink);
    }
    mastra_channel_adopt(run);
    mastra_durable_adopt(run);
    if (run->recovers) {
        mastra_durable_go_on(run, decide);
        return;
    }
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
    mastra_json_unref(run->metadata);
    run->metadata = NULL;
    run->message_id = next_id;
    run->answered_at = 0;
}
