/* One step by itself: POST …/steps/execute. Nothing of it is stored. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "owner.h"
#include "../base/pool.h"

struct mastra_single_t {
    apr_pool_t *pool;
    mastra_workflow_env_t *env;
    mastra_held_t *held;
    const mastra_tool_t *tool;
    mastra_tool_args_t args;
    mastra_tool_call_t *call;
    mastra_sink_t *sink;
    mastra_json_t *state;
    apr_int64_t started_at;
    mastra_json_t *output, *error;   /* known before it begins */
    mastra_msg_t msg;
};

/* ---- the answer ---- */

static void end(mastra_single_t *single, const mastra_json_t *output,
                const mastra_json_t *error)
{
    mastra_sink_t *sink = single->sink;
    mastra_json_t *answer = mastra_json_pack(
        "{s:I, s:O*, s:s, s:I}", "startedAt", single->started_at, "payload",
        single->args.input, "status", error ? "failed" : "success", "endedAt",
        mastra_text_now_ms());

    if (error) {
        mastra_json_set(answer, "error",
                        mastra_json_ref((mastra_json_t *)error));
    }
    else {
        mastra_json_set(answer, "output",
                        mastra_json_ref((mastra_json_t *)output));
    }
    mastra_json_set(answer, "__state", mastra_json_ref(single->state));
    single->sink = NULL;
    sink->vtable->end(sink, answer, NULL);
    mastra_json_unref(answer);
    mastra_single_discard(single);
}

static void tool_done(void *baton, mastra_json_t *result,
                      const mastra_result_t *error)
{
    mastra_single_t *single = baton;
    mastra_json_t *why = error ? mastra_error_make(error->message) : NULL;

    single->call = NULL;
    end(single, result, why);
    mastra_json_unref(why);
}

static void end_known(void *baton)
{
    mastra_single_t *single = baton;

    if (!single->sink) {
        mastra_single_discard(single);
        return;
    }
    end(single, single->output, single->error);
}

void mastra_single_begin(void *baton, mastra_sink_t *sink)
{
    mastra_single_t *single = baton;

    single->sink = sink;
    single->started_at = mastra_text_now_ms();
    if (single->tool
        && mastra_tool_start(&single->call, single->env->tools, single->tool,
                             &single->args, tool_done, single)
               == APR_SUCCESS) {
        return;
    }
    if (single->tool) {
        single->error = mastra_json_own(
            mastra_error_make("the tool cannot be called"), single->pool);
    }
    single->msg.cb = end_known;
    single->msg.baton = single;
    mastra_loop_defer(single->env->loop, &single->msg);
}

void mastra_single_cancel(void *baton)
{
    mastra_single_t *single = baton;

    single->sink = NULL;
    if (single->call) {
        mastra_tool_cancel(single->call);
        mastra_single_discard(single);
    }
}

void mastra_single_resume(void *baton)
{
    (void)baton;
}

void mastra_single_discard(void *baton)
{
    mastra_single_t *single = baton;

    mastra_json_unref(single->args.input);
    mastra_json_unref(single->args.request_context);
    mastra_json_unref(single->state);
    mastra_held_unref(single->held);
    apr_pool_destroy(single->pool);
}

/* ---- making it: request thread ---- */

/* The node at [entry] or [entry, branch]. */
static const mastra_node_t *node_at(const mastra_workflow_t *workflow,
                                    const mastra_json_t *path)
{
    apr_int64_t at = mastra_json_int(mastra_json_at(path, 0));
    apr_int64_t branch = mastra_json_int(mastra_json_at(path, 1));
    const mastra_node_t *node;

    if (!mastra_json_size(path) || at < 0 || at >= workflow->nnodes) {
        return NULL;
    }
    node = workflow->nodes[at];
    if (!node->nsteps) {
        return node;
    }
    return branch >= 0 && branch < node->nsteps ? node->steps[branch] : NULL;
}

static void run_mapping(mastra_single_t *single, const mastra_node_t *node,
                        const mastra_json_t *body)
{
    const mastra_json_t *results = mastra_json_get(body, "stepResults");
    mastra_sight_t sight = {
        .init = mastra_json_get(results, "input"),
        .input = single->args.input, .state = single->state,
        .context = single->args.request_context, .results = results
    };
    const char *why = NULL;

    single->output = mastra_json_own(
        mastra_mapping_run(node->map, &sight, &why, single->pool),
        single->pool);
    if (!single->output) {
        single->error = mastra_json_own(mastra_error_make(why), single->pool);
    }
}

/* NULL: it can be done. */
static const char *prepare(mastra_single_t *single, const mastra_node_t *node,
                           const mastra_json_t *body)
{
    if (!node) {
        return "There is no step at this executionPath";
    }
    if (node->type == MASTRA_NODE_MAPPING) {
        run_mapping(single, node, body);
        return NULL;
    }
    if (node->type != MASTRA_NODE_TOOL || !node->tool) {
        return "Only tools and mappings can be executed by themselves";
    }
    single->tool = node->tool;
    single->error = mastra_json_own(mastra_step_invalid(
        node->tool->input, single->args.input, "Step input validation failed",
        "WORKFLOW_STEP_INPUT_VALIDATION_FAILED", single->pool), single->pool);
    if (single->error) {
        single->tool = NULL;
    }
    return NULL;
}

mastra_single_t *mastra_workflow_single(mastra_workflow_env_t *env,
                                        const char *workflow_id,
                                        const char *run_id,
                                        const mastra_json_t *body,
                                        const mastra_principal_t *principal,
                                        mastra_result_t **perror,
                                        apr_pool_t *pool)
{
    const mastra_json_t *path = mastra_json_get(body, "executionPath");
    mastra_held_t *held = mastra_workflow_find(env, workflow_id, perror, pool);
    mastra_single_t *single;
    apr_pool_t *own;
    const char *why;

    if (!held) {
        return NULL;
    }
    if (mastra_pool_make(&own, "mastra_single")) {
        abort();
    }
    single = apr_pcalloc(own, sizeof(*single));
    single->pool = own;
    single->env = env;
    single->held = held;
    single->state = mastra_json_copy(mastra_json_get(body, "state"));
    single->args.input = mastra_json_copy(mastra_json_get(body, "input"));
    single->args.request_context = mastra_json_copy(
        principal->request_context ? principal->request_context
                                   : mastra_json_get(body, "requestContext"));
    single->args.run_id = apr_pstrdup(own, run_id);
    single->args.resource_id = apr_pstrdup(own, principal->resource_id);
    single->args.depth = principal->depth;
    single->args.idempotency_key = mastra_text_uuid_make(own);
    why = prepare(single, node_at(held->workflow, path), body);
    if (why) {
        *perror = mastra_result_make(pool, 400, "STEP_NOT_EXECUTABLE", "%s",
                                     why);
        mastra_single_discard(single);
        return NULL;
    }
    return single;
}
