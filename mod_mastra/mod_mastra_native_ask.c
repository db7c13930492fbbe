/* From what another module asks to the work that answers it, by the rules of
 * the routes that answer the same over HTTP. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <http_main.h>

#include "api/agents.h"
#include "api/tools.h"
#include "api/workflows.h"
#include "http/request.h"
#include "mod_mastra_native_ask.h"

/* --- answers --------------------------------------------------------------- */

static void set_text(mastra_native_plan_t *plan, int status, char *text,
                     apr_size_t len)
{
    free(plan->text);
    plan->status = status;
    plan->text = text;
    plan->len = len;
}

void mastra_native_plan_json(mastra_native_plan_t *plan, int status,
                             const mastra_json_t *json)
{
    apr_size_t len = 0;
    char *text = json ? mastra_json_dup_text(json, &len) : NULL;

    set_text(plan, status, text, len);
}

void mastra_native_plan_error(mastra_native_plan_t *plan,
                              const mastra_result_t *error, const char *log_id,
                              apr_pool_t *pool)
{
    const char *text = log_id
        ? mastra_error_text_logged(plan->host, log_id, error, pool)
        : mastra_error_text(plan->host, "of another module", error, pool);

    set_text(plan, error->status, strdup(text), strlen(text));
}

void mastra_native_plan_agents(mastra_native_plan_t *plan,
                               mastra_host_t *host)
{
    mastra_json_t *json = mastra_agents_listed(&host->agent_env, 0);

    mastra_native_plan_json(plan, 200, json);
    mastra_json_unref(json);
}

/* --- asks ------------------------------------------------------------------ */

apr_status_t mastra_native_read_ask(mastra_ask_t *to, const mastra_ask_t *from,
                                    int whole)
{
    apr_size_t size = from->size;
    char text[512];
    apr_pool_t *pool;
    const char *wrong;

    memset(to, 0, sizeof(*to));
    if (apr_pool_create(&pool, NULL)) {
        return APR_ENOMEM;
    }
    wrong = mastra_native_check(from->version, from->size, sizeof(*to), pool);
    apr_cpystrn(text, wrong ? wrong : "", sizeof(text));
    apr_pool_destroy(pool);
    if (*text) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, ap_server_conf, MASTRA_ID(650)
                     "a module's call is refused: %s", text);
        return APR_EINVAL;
    }
    memcpy(to, from, size < sizeof(*to) ? size : sizeof(*to));
    return to->server && (!whole || (to->id && to->json)) && to->timeout >= 0
           && to->depth >= 0 ? APR_SUCCESS : APR_EINVAL;
}

/* The client's values in json, those of ask over them. */
apr_status_t mastra_native_context(mastra_json_t **pcontext,
                                   const mastra_ask_t *ask,
                                   mastra_json_t *json, apr_pool_t *pool)
{
    mastra_json_t *client = mastra_json_get(json, "requestContext"), *own;
    mastra_json_t *context = mastra_json_own(mastra_json_object(), pool);

    if (mastra_json_is_object(client)) {
        mastra_json_merge(context, client);
        mastra_request_context_clean(context);
    }
    *pcontext = context;
    if (!ask->request_context) {
        return APR_SUCCESS;
    }
    if (mastra_json_parse(&own, ask->request_context,
                          strlen(ask->request_context), 0, NULL)) {
        return APR_EINVAL;
    }
    mastra_json_own(own, pool);
    if (!mastra_json_is_object(own)) {
        return APR_EINVAL;
    }
    mastra_json_merge(context, own);
    return APR_SUCCESS;
}

static void plan_error(mastra_native_plan_t *plan, apr_pool_t *pool,
                       mastra_result_t *error)
{
    mastra_native_plan_error(plan, error, NULL, pool);
}

static void plan_agent(mastra_native_plan_t *plan, const mastra_ask_t *ask,
                       mastra_json_t *json, int stream,
                       const mastra_principal_t *principal, apr_pool_t *pool)
{
    const mastra_router_t *router = mastra_config_of(ask->server)->shared
                                    ->router;
    const mastra_agent_t *agent = mastra_agents_find(plan->host->agents,
                                                     ask->id);
    mastra_result_t *error = NULL;
    mastra_json_t *invalid;

    invalid = mastra_router_check_body(router, "POST",
                                       stream ? "/agents/:agentId/stream"
                                              : "/agents/:agentId/generate",
                                       json, pool);
    if (invalid) {
        mastra_native_plan_json(plan, 400, invalid);
        mastra_json_unref(invalid);
        return;
    }
    if (!agent) {
        plan_error(plan, pool,
                   mastra_result_make(pool, 404, "AGENT_NOT_FOUND",
                                      "Agent with id %s not found", ask->id));
        return;
    }
    plan->vtable = &mastra_work_agent_run;
    plan->work = mastra_agent_run_make(&plan->host->agent_env, agent, json,
                                       stream, principal, &error, pool);
    if (!plan->work) {
        plan_error(plan, pool, error);
    }
}

static void plan_tool(mastra_native_plan_t *plan, const mastra_ask_t *ask,
                      mastra_json_t *json, const mastra_principal_t *principal,
                      apr_pool_t *pool)
{
    const mastra_tool_t *tool = mastra_tools_find(plan->host->tools, ask->id);
    mastra_json_t *invalid;

    if (!tool) {
        plan_error(plan, pool, mastra_result_make(pool, 404, "TOOL_NOT_FOUND",
                                                  "Tool not found"));
        return;
    }
    invalid = mastra_tool_check_input(tool, json, pool);
    if (invalid) {
        mastra_native_plan_json(plan, 200, invalid);
        mastra_json_unref(invalid);
        return;
    }
    plan->vtable = &mastra_work_tool;
    plan->work = mastra_tools_work(&plan->host->tool_env, tool, json, NULL,
                                   principal);
    if (!plan->work) {
        plan_error(plan, pool, mastra_result_from_apr(pool, APR_ENOMEM,
                                                      "call a tool"));
    }
}

static void plan_run(mastra_native_plan_t *plan,
                     const mastra_workflow_t *workflow, mastra_json_t *json,
                     mastra_native_ask_e what,
                     const mastra_principal_t *principal, apr_pool_t *pool)
{
    mastra_workflow_ask_t ask = {
        .what = what == MASTRA_ASK_RESUME ? MASTRA_WORKFLOW_RESUME
                                          : MASTRA_WORKFLOW_START,
        .run_id = mastra_json_get_str(json, "runId"), .body = json,
        .principal = principal, .lenient = what == MASTRA_ASK_WATCH,
        .wait = what == MASTRA_ASK_WATCH ? 2 : 1
    };
    mastra_workflow_asked_t asked = { NULL };
    mastra_result_t *error = NULL;

    if (!mastra_workflow_ask(&asked, &plan->host->workflow_env, workflow, &ask,
                             &error, pool)) {
        plan_error(plan, pool, error);
    }
    else if (asked.answer) {
        mastra_native_plan_json(plan, 200, asked.answer);
        mastra_json_unref(asked.answer);
    }
    else {
        plan->vtable = &mastra_work_wait;
        plan->work = asked.wait;
    }
}

/* Storage is asked on this thread. */
static apr_status_t plan_workflow(mastra_native_plan_t *plan,
                                  const mastra_ask_t *ask, mastra_json_t *json,
                                  mastra_native_ask_e what,
                                  const mastra_principal_t *principal,
                                  apr_pool_t *pool)
{
    mastra_result_t *error = NULL;
    mastra_held_t *held;

    if (mastra_loop_is_current(plan->host->loop)) {
        return EDEADLK;
    }
    if (what == MASTRA_ASK_RESUME && !mastra_json_get_str(json, "runId")) {
        plan_error(plan, pool, mastra_result_make(pool, 400, "INVALID_BODY",
                                                  "runId is required"));
        return APR_SUCCESS;
    }
    held = mastra_workflow_find(&plan->host->workflow_env, ask->id, &error,
                                pool);
    if (!held) {
        plan_error(plan, pool, error);
        return APR_SUCCESS;
    }
    plan_run(plan, held->workflow, json, what, principal, pool);
    mastra_held_unref(held);
    return APR_SUCCESS;
}

static void plan_not_json(mastra_native_plan_t *plan, const char *why)
{
    mastra_json_t *body = mastra_json_pack(
        "{s:s, s:[{s:s, s:s}]}", "error", "Invalid request body", "issues",
        "field", "body", "message", why);

    mastra_native_plan_json(plan, 400, body);
    mastra_json_unref(body);
}

static int depth_of(const mastra_ask_t *ask)
{
    const mastra_mark_t *mark = ask->r ? mastra_request_origin(ask->r) : NULL;

    return ask->depth + (mark ? mark->depth : 0);
}

apr_status_t mastra_native_plan(mastra_native_plan_t *plan,
                                mastra_host_t *host, const mastra_ask_t *ask,
                                mastra_native_ask_e what, apr_pool_t *pool)
{
    mastra_principal_t principal = { .resource_id = ask->resource_id,
                                     .depth = depth_of(ask) };
    mastra_json_error_t fault;
    mastra_json_t *json;
    apr_status_t rv;

    plan->host = host;
    if (principal.depth > MASTRA_MAX_DEPTH) {
        plan_error(plan, pool,
                   mastra_result_make(pool, HTTP_LOOP_DETECTED, "TOO_DEEP",
                                      "Calls of this server to itself are "
                                      "nested too deep"));
        return APR_SUCCESS;
    }
    if (mastra_json_parse(&json, ask->json, ask->len, 0, &fault)) {
        plan_not_json(plan, fault.message);
        return APR_SUCCESS;
    }
    mastra_json_own(json, pool);
    rv = mastra_native_context(&principal.request_context, ask,
                               what == MASTRA_ASK_TOOL ? NULL : json, pool);
    if (rv == APR_SUCCESS && what == MASTRA_ASK_TOOL) {
        plan_tool(plan, ask, json, &principal, pool);
    }
    else if (rv == APR_SUCCESS && what >= MASTRA_ASK_START) {
        rv = plan_workflow(plan, ask, json, what, &principal, pool);
    }
    else if (rv == APR_SUCCESS) {
        plan_agent(plan, ask, json, what == MASTRA_ASK_STREAM, &principal,
                   pool);
    }
    return rv;
}
