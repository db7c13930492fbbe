/* Tools of kind workflow: a run of a workflow of this server, heard until it
 * ends or waits. Unlike the call, the run is stored and goes on by itself. */

#include <stddef.h>
#include <string.h>

#include <apr_strings.h>

#include "workflow.h"
#include "../base/pool.h"
#include "../net/jobs.h"

static const char input_schema[] =
    "{\"type\":\"object\",\"properties\":{\"inputData\":{\"description\":"
    "\"What the workflow works on\"}},\"required\":[\"inputData\"]}";

/* Outlives the call that is cancelled while a job is under way. */
typedef struct {
    mastra_job_t job;                /* first */
    mastra_sink_t sink;
    mastra_tool_call_t *call;        /* NULL: nobody wants it any more */
    apr_pool_t *pool;
    mastra_workflow_env_t *env;
    mastra_msg_t msg;

    /* what is asked */
    const char *name, *owner;
    mastra_workflow_ask_t ask;
    mastra_principal_t principal;
    int again;                       /* the call may have been made before */
    mastra_owned_t owned;            /* the run that it belongs to, or none */
    int taken;                       /* that is another process's by now */

    /* what came of it */
    const char *run_id;
    mastra_wait_t *wait;
    int waiting;                     /* loop: the wait has begun */
    mastra_json_t *answer;
    mastra_result_t *error;
    mastra_json_t *finish;           /* payload of the last chunk */
    const char *failure;             /* of the step that failed */
    mastra_json_t *suspension;       /* payload of the step that waits */
    const char *resume_schema;
} flow_t;

static const char *flow_parse(void **pconf, const char **pfield,
                              const mastra_tool_t *tool, apr_pool_t *pool)
{
    const char *name = mastra_json_get_str(
        mastra_json_get(tool->definition, "execute"), "workflow");

    (void)pool;
    if (!name || !*name) {
        *pfield = "execute.workflow";
        return "names no workflow: \"execute\": {\"kind\": \"workflow\", "
               "\"workflow\": \"id\"}";
    }
    *pconf = (void *)name;
    return NULL;
}

const mastra_result_t *mastra_workflows_check_tool(
    const mastra_workflows_t *workflows, const mastra_tool_t *tool,
    apr_pool_t *pool)
{
    mastra_result_t *error;

    if (tool->kind != &mastra_tool_workflow
        || mastra_workflows_find(workflows, tool->conf)) {
        return NULL;
    }
    error = mastra_result_make(pool, 400, "TOOL_INVALID",
                               "there is no workflow \"%s\"",
                               (const char *)tool->conf);
    error->detail = mastra_json_own(mastra_json_pack("{s:s}", "field",
                                                     "execute.workflow"),
                                    pool);
    return error;
}

static void free_flow(flow_t *flow)
{
    apr_pool_destroy(flow->pool);
}

/* ---- job threads ---- */

/* The schema of what the waiting step is resumed with. */
static const char *schema_of(const flow_t *flow,
                             const mastra_workflow_t *workflow,
                             const char *step)
{
    int i;

    for (i = 0; step && i < workflow->nnodes; i++) {
        const mastra_node_t *node = workflow->nodes[i];
        mastra_json_t *schema = node->tool ? node->tool->resume_schema : NULL;

        if (node->id && !strcmp(node->id, step) && schema) {
            return mastra_json_text(schema, flow->pool);
        }
    }
    return "{}";
}

/* The run was begun, or resumed, by the same call before: what it says is heard
 * from its beginning. */
static void join_run(flow_t *flow, const mastra_held_t *held)
{
    static const mastra_workflow_observe_t all = { 0 };
    mastra_result_t *error = NULL;
    mastra_wait_t *wait = mastra_workflow_observe(flow->env, held->workflow,
                                                  flow->ask.run_id, &all,
                                                  &error, flow->pool);

    if (wait) {
        flow->run_id = flow->ask.run_id;
        flow->wait = wait;
        flow->error = NULL;
    }
}

static void ask_run(mastra_job_t *job)
{
    flow_t *flow = (flow_t *)job;
    mastra_workflow_asked_t asked = { NULL };
    mastra_held_t *held = mastra_workflow_find(flow->env, flow->name,
                                               &flow->error, flow->pool);

    if (!held) {
        return;
    }
    if (mastra_workflow_ask(&asked, flow->env, held->workflow, &flow->ask,
                            &flow->error, flow->pool)) {
        flow->run_id = apr_pstrdup(flow->pool, asked.run_id);
        flow->wait = asked.wait;
        flow->answer = mastra_json_own(asked.answer, flow->pool);
    }
    else if (flow->again && flow->error->status == 409) {
        join_run(flow, held);
    }
    mastra_held_unref(held);
}

/* Store thread. Whose the caller's run is now. */
static apr_status_t look_above(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    flow_t *flow = baton;
    mastra_run_row_t row;
    apr_status_t rv = mastra_runs_get(&row, db, flow->owned.host,
                                      flow->owned.id, pool);

    flow->taken = rv == APR_SUCCESS && row.epoch != flow->owned.epoch;
    return rv == MASTRA_STORE_NOT_FOUND ? APR_SUCCESS : rv;
}

/* 1: another process makes the same call, and goes on with the run. */
static int is_anothers(flow_t *flow)
{
    apr_status_t rv;

    if (!flow->again || !flow->owned.id) {
        return 0;
    }
    rv = mastra_store_call(flow->env->store, MASTRA_STORE_READ, look_above,
                           flow);
    return rv || flow->taken;
}

static void cancel_run(mastra_job_t *job)
{
    flow_t *flow = (flow_t *)job;
    mastra_held_t *held = is_anothers(flow)
                              ? NULL : mastra_workflow_find(flow->env,
                                                            flow->name,
                                                            &flow->error,
                                                            flow->pool);

    if (held) {
        mastra_workflow_cancel(flow->env, held->workflow, flow->run_id,
                               &flow->error, flow->pool);
        mastra_held_unref(held);
    }
}

static void find_schema(mastra_job_t *job)
{
    flow_t *flow = (flow_t *)job;
    mastra_held_t *held = mastra_workflow_find(flow->env, flow->name,
                                               &flow->error, flow->pool);

    flow->resume_schema = held
        ? schema_of(flow, held->workflow,
                    mastra_json_get_str(flow->suspension, "id")) : "{}";
    if (held) {
        mastra_held_unref(held);
    }
}

/* ---- the end ---- */

static void over(flow_t *flow, mastra_json_t *result,
                 const mastra_result_t *error)
{
    mastra_tool_call_t *call = flow->call;

    if (call) {
        mastra_tool_finish(call, result, error);
    }
    else {
        mastra_json_unref(result);
    }
    free_flow(flow);
}

static void cancelled(mastra_job_t *job)
{
    free_flow((flow_t *)job);
}

/* The call is gone: the run is to go as well, unless others make the call
 * again. */
static void leave(flow_t *flow)
{
    if (flow->wait) {
        mastra_wait_discard(flow->wait);
        flow->wait = NULL;
    }
    flow->job.run = cancel_run;
    flow->job.done = cancelled;
    if (!flow->run_id
        || (flow->again && mastra_hub_leaves(flow->env->hub))
        || mastra_jobs_push(flow->env->tools->jobs,
                                          &flow->job)) {
        free_flow(flow);
    }
}

static void suspended(mastra_job_t *job)
{
    flow_t *flow = (flow_t *)job;
    mastra_tool_call_t *call = flow->call;
    mastra_json_t *payload = mastra_json_get(flow->suspension,
                                             "suspendPayload");

    if (!call) {
        leave(flow);
        return;
    }
    mastra_tool_suspend(call, mastra_json_pack(
        "{s:s, s:s, s:O, s:s, s:O*, s:{s:s, s:s*}}", "type", "suspension",
        "toolName", call->tool->key, "args", call->args.input, "resumeSchema",
        flow->resume_schema, "suspendPayload", payload, "state", "runId",
        flow->run_id, "step", mastra_json_get_str(flow->suspension, "id")));
    free_flow(flow);
}

static int is_status(const flow_t *flow, const char *status)
{
    const char *have = mastra_json_get_str(flow->finish, "workflowStatus");

    return have && !strcmp(have, status);
}

static void end(flow_t *flow)
{
    mastra_json_t *result = mastra_json_get(flow->finish,
                                            "finalWorkflowResult");

    if (is_status(flow, "suspended")) {
        flow->job.run = find_schema;
        flow->job.done = suspended;
        if (!mastra_jobs_push(flow->env->tools->jobs, &flow->job)) {
            return;
        }
        flow->resume_schema = "{}";
        suspended(&flow->job);
        return;
    }
    if (is_status(flow, "success")) {
        over(flow, mastra_json_pack("{s:o, s:s}", "result",
                                    result ? mastra_json_ref(result)
                                           : mastra_json_null(),
                                    "runId", flow->run_id), NULL);
        return;
    }
    over(flow, mastra_json_pack("{s:s, s:s}", "error",
                                flow->failure ? flow->failure
                                : is_status(flow, "canceled")
                                ? "The workflow was canceled"
                                : "The workflow failed",
                                "runId", flow->run_id), NULL);
}

/* ---- what the run says ---- */

static const char *error_in(const mastra_json_t *value)
{
    const char *text = mastra_json_str(value);

    return text ? text : mastra_json_get_str(value, "message");
}

static void hear(flow_t *flow, const mastra_json_t *chunk)
{
    const char *type = mastra_json_get_str(chunk, "type");
    mastra_json_t *payload = mastra_json_get(chunk, "payload");
    const char *text = NULL;

    if (!type) {
        return;
    }
    if (!strcmp(type, "workflow-step-suspended")) {
        flow->suspension = mastra_json_own(mastra_json_ref(payload),
                                           flow->pool);
    }
    else if (!strcmp(type, "workflow-step-result")) {
        text = error_in(mastra_json_get(payload, "error"));
    }
    else if (!strcmp(type, "workflow-finish")) {
        flow->finish = mastra_json_own(mastra_json_ref(payload), flow->pool);
        text = error_in(mastra_json_path(payload, "metadata", "error", NULL));
    }
    if (text) {
        flow->failure = apr_pstrdup(flow->pool, text);
    }
}

static int on_chunk(mastra_sink_t *sink, mastra_json_t *chunk)
{
    flow_t *flow = (flow_t *)((char *)sink - offsetof(flow_t, sink));
    const mastra_tool_args_t *args = &flow->call->args;

    hear(flow, chunk);
    return args->say ? args->say(args->say_baton, chunk) : 1;
}

static int on_raw(mastra_sink_t *sink, const char *json, apr_size_t len)
{
    mastra_json_t *chunk = NULL;
    int go;

    if (mastra_json_parse(&chunk, json, len, 0, NULL)) {
        return 1;
    }
    go = on_chunk(sink, chunk);
    mastra_json_unref(chunk);
    return go;
}

static void on_end(mastra_sink_t *sink, mastra_json_t *answer,
                   const mastra_result_t *error)
{
    flow_t *flow = (flow_t *)((char *)sink - offsetof(flow_t, sink));

    (void)answer;
    flow->waiting = 0;
    flow->wait = NULL;
    if (error) {
        over(flow, NULL, error);
        return;
    }
    end(flow);
}

static const mastra_sink_vtable_t sink_vtable = { .chunk = on_chunk,
                                                  .raw = on_raw,
                                                  .end = on_end };

/* ---- the call ---- */

static void asked(mastra_job_t *job)
{
    flow_t *flow = (flow_t *)job;

    if (!flow->call) {
        leave(flow);
    }
    else if (flow->error || !flow->wait) {
        over(flow, mastra_json_ref(flow->answer), flow->error);
    }
    else {
        flow->waiting = 1;
        mastra_wait_begin(flow->wait, &flow->sink);
    }
}

static void refused(void *baton)
{
    flow_t *flow = baton;

    over(flow, NULL, flow->error);
}

static mastra_json_t *resume_data(const mastra_tool_args_t *args)
{
    mastra_json_t *data = mastra_json_get(args->decision, "resumeData"), *made;

    if (data) {
        return mastra_json_ref(data);
    }
    made = mastra_json_object();
    mastra_json_set_bool(made, "approved",
                         mastra_json_get_bool(args->decision, "approved", 1));
    mastra_json_set_str(made, "reason", mastra_json_get_str(args->decision,
                                                            "reason"));
    return made;
}

static mastra_json_t *body_of(const mastra_tool_args_t *args)
{
    mastra_json_t *data = mastra_json_get(args->input, "inputData");

    if (args->waited) {
        return mastra_json_pack("{s:o, s:O*}", "resumeData",
                                resume_data(args), "step",
                                mastra_json_get(args->waited, "step"));
    }
    return mastra_json_pack("{s:O, s:s*}", "inputData",
                            data ? data : args->input, "resourceId",
                            args->resource_id);
}

/* The id of the run that a call begins: the same each time for one that may be
 * made again. */
static const char *id_of(const mastra_tool_args_t *args, apr_pool_t *pool)
{
    const char *hash;

    if (args->child_run_id || !args->at_least_once || !args->place) {
        return apr_pstrdup(pool, args->child_run_id);
    }
    hash = mastra_text_sha256(args->place, strlen(args->place), pool);
    return apr_psprintf(pool, "%.8s-%.4s-%.4s-%.4s-%.12s", hash, hash + 8,
                        hash + 12, hash + 16, hash + 20);
}

static void fill(flow_t *flow)
{
    const mastra_tool_args_t *args = &flow->call->args;
    const char *again = mastra_json_get_str(args->waited, "runId");
    apr_pool_t *pool = flow->pool;
    /* what another thread reads is its own */
    mastra_json_t *body = body_of(args);

    flow->name = apr_pstrdup(pool, flow->call->tool->conf);
    flow->principal.resource_id = apr_pstrdup(pool, args->owner);
    flow->principal.request_context = mastra_json_own(
        mastra_json_copy(args->request_context), pool);
    flow->principal.depth = args->depth + 1;
    flow->ask.what = args->waited ? MASTRA_WORKFLOW_RESUME
                                  : MASTRA_WORKFLOW_START;
    flow->again = args->at_least_once;
    flow->owned.host = apr_pstrdup(pool, args->owned.host);
    flow->owned.id = apr_pstrdup(pool, args->owned.id);
    flow->owned.epoch = args->owned.epoch;
    flow->ask.run_id = again ? apr_pstrdup(pool, again) : id_of(args, pool);
    flow->ask.only_new = flow->again && !args->waited;
    flow->ask.body = mastra_json_own(mastra_json_copy(body), pool);
    flow->ask.principal = &flow->principal;
    flow->ask.lenient = 1;
    flow->ask.wait = 2;
    mastra_json_unref(body);
}

static apr_status_t flow_start(mastra_tool_call_t *call)
{
    mastra_workflow_env_t *env = call->env->workflows;
    apr_pool_t *pool;
    flow_t *flow;
    apr_status_t rv;

    if (!env || !env->store) {
        return APR_ENOTIMPL;
    }
    rv = mastra_pool_make(&pool, "mastra_flow");
    if (rv) {
        return rv;
    }
    flow = apr_pcalloc(pool, sizeof(*flow));
    flow->pool = pool;
    flow->call = call;
    flow->env = env;
    flow->sink.vtable = &sink_vtable;
    call->state = flow;
    fill(flow);
    flow->job.run = ask_run;
    flow->job.done = asked;
    flow->msg.cb = refused;
    flow->msg.baton = flow;
    if (call->args.depth >= MASTRA_AGENT_MAX_DEPTH) {
        flow->error = mastra_result_make(pool, 508, "WORKFLOW_TOO_DEEP",
                                         "Agents and workflows call each "
                                         "other too deeply");
    }
    else if (mastra_jobs_push(env->tools->jobs, &flow->job)) {
        flow->error = mastra_result_make(pool, 503, "TOOL_BUSY",
                                         "too many tools wait to be run");
    }
    else {
        return APR_SUCCESS;
    }
    mastra_loop_defer(env->loop, &flow->msg);
    return APR_SUCCESS;
}

static void flow_cancel(mastra_tool_call_t *call)
{
    flow_t *flow = call->state;

    flow->call = NULL;
    if (flow->waiting) {
        flow->waiting = 0;
        mastra_wait_cancel(flow->wait);
        flow->wait = NULL;
        leave(flow);
    }
    mastra_tool_finish(call, NULL, NULL);
}

static void flow_resume(mastra_tool_call_t *call)
{
    flow_t *flow = call->state;

    if (flow->waiting) {
        mastra_wait_resume(flow->wait);
    }
}

const mastra_tool_kind_t mastra_tool_workflow = {
    "workflow", flow_parse, flow_start, flow_cancel, input_schema,
    flow_resume
};
