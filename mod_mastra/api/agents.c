/* /agents: list, describe, generate, stream, and the tools of an agent. */

#include <string.h>

#include "agents.h"
#include "run_options.h"
#include "tools.h"
#include "../http/request.h"
#include "../http/router.h"
#include "../http/stream.h"

#define RUN_BODY(more) \
    "{\"type\":\"object\",\"properties\":{" \
    "\"messages\":{\"anyOf\":[{\"type\":\"array\",\"items\":{}}," \
    "{\"type\":\"string\"}]}," MASTRA_RUN_OPTIONS more \
    "},\"required\":[\"messages\"]}"
static const char run_body[] = RUN_BODY("");
static const char until_idle_body[] = RUN_BODY("," MASTRA_MAX_IDLE);

static const char list_query[] =
    "{\"type\":\"object\",\"properties\":{\"partial\":{\"type\":\"string\"}}}";

static const char get_query[] =
    "{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\","
    "\"enum\":[\"draft\",\"published\"]},"
    "\"versionId\":{\"type\":\"string\"}}}";

const mastra_agent_t *mastra_agents_asked(mastra_req_t *req, int *prc)
{
    const char *id = mastra_req_param(req, "agentId");
    const mastra_agent_t *agent = mastra_agents_find(req->host->agents, id);

    if (!agent) {
        *prc = mastra_reply_error(
            req, mastra_result_make(req->pool, 404, "AGENT_NOT_FOUND",
                                    "Agent with id %s not found", id));
    }
    return agent;
}

mastra_json_t *mastra_agents_listed(mastra_agent_env_t *env, int brief)
{
    mastra_json_t *made = mastra_json_object();
    int i;

    for (i = 0; i < mastra_agents_count(env->agents); i++) {
        const mastra_agent_t *agent = mastra_agents_at(env->agents, i);
        mastra_agent_view_t *view = mastra_agent_view(env, agent);

        mastra_json_set(made, agent->id,
                        mastra_json_ref(brief ? view->describe_partial
                                              : view->describe_list));
        mastra_agent_view_unref(view);
    }
    return made;
}

static int list_agents(mastra_req_t *req)
{
    const char *partial = mastra_json_get_str(req->query, "partial");

    return mastra_reply_json(
        req, mastra_agents_listed(&req->host->agent_env,
                                  partial && !strcmp(partial, "true")));
}

static apr_status_t drop_view(void *view)
{
    mastra_agent_view_unref(view);
    return APR_SUCCESS;
}

static int get_agent(mastra_req_t *req)
{
    int rc;
    const mastra_agent_t *agent = mastra_agents_asked(req, &rc);
    mastra_agent_view_t *view;

    if (!agent) {
        return rc;
    }
    view = mastra_agent_view(&req->host->agent_env, agent);
    apr_pool_cleanup_register(req->pool, view, drop_view,
                              apr_pool_cleanup_null);
    return mastra_reply_text(req, "application/json", view->describe_text,
                             view->describe_len);
}

static int run_agent(mastra_req_t *req, mastra_frame_e frame)
{
    int rc;
    const mastra_agent_t *agent = mastra_agents_asked(req, &rc);
    mastra_result_t *error = NULL;
    mastra_agent_run_t *run;

    if (!agent) {
        return rc;
    }
    run = mastra_agent_run_make(&req->host->agent_env, agent, req->body,
                                frame != MASTRA_FRAME_JSON, &req->principal,
                                &error, req->pool);
    if (!run) {
        return mastra_reply_error(req, error);
    }
    mastra_agent_run_endure(run);
    return mastra_agent_run_endures(run)
               ? mastra_stream_run_kept(req, frame, &mastra_work_agent_run, run)
               : mastra_stream_run(req, frame, &mastra_work_agent_run, run);
}

static int generate(mastra_req_t *req)
{
    return run_agent(req, MASTRA_FRAME_JSON);
}

/* Events, unless the client would rather have records: they are text/plain. */
static int stream(mastra_req_t *req)
{
    return run_agent(req, mastra_request_prefers(req->r, "text/plain",
                                                 "text/event-stream")
                              ? MASTRA_FRAME_RECORD : MASTRA_FRAME_SSE);
}

static int stream_vnext(mastra_req_t *req)
{
    return run_agent(req, MASTRA_FRAME_RECORD);
}

/* ---- its tools: by id only ---- */

static const mastra_tool_t *find_tool(mastra_req_t *req,
                                      const mastra_agent_t *agent)
{
    const char *name = mastra_req_param(req, "toolId");
    int i;

    for (i = 0; i < agent->ntools; i++) {
        if (!strcmp(agent->tools[i]->id, name)) {
            return agent->tools[i];
        }
    }
    return NULL;
}

static int get_tool(mastra_req_t *req)
{
    int rc;
    const mastra_agent_t *agent = mastra_agents_asked(req, &rc);
    const mastra_tool_t *tool;

    if (!agent) {
        return rc;
    }
    tool = find_tool(req, agent);
    return tool ? mastra_reply_json(req, mastra_json_ref(tool->describe))
                : mastra_reply_fail(req, 404, "Tool not found");
}

static int execute_tool(mastra_req_t *req)
{
    int rc;
    const mastra_agent_t *agent = mastra_agents_asked(req, &rc);

    if (!agent) {
        return rc;
    }
    return mastra_tools_execute(req, find_tool(req, agent));
}

const mastra_route_t mastra_api_agents[] = {
    { .method = "GET", .path = "/agents", .handler = list_agents,
      .summary = "List all agents", .tag = "Agents",
      .permission = "agents:read", .query = list_query },
    { .method = "GET", .path = "/agents/:agentId", .handler = get_agent,
      .summary = "Get agent by ID", .tag = "Agents",
      .permission = "agents:read", .query = get_query },
    { .method = "POST", .path = "/agents/:agentId/generate",
      .handler = generate, .summary = "Generate agent response",
      .tag = "Agents", .permission = "agents:execute",
      .resource = "body:memory.thread", .body = run_body },
    { .method = "POST", .path = "/agents/:agentId/generate/vnext",
      .handler = generate, .summary = "Generate a response from an agent",
      .tag = "Agents", .permission = "agents:execute",
      .resource = "body:memory.thread", .body = run_body },
    { .method = "POST", .path = "/agents/:agentId/stream", .handler = stream,
      .summary = "Stream agent response", .tag = "Agents",
      .permission = "agents:execute", .resource = "body:memory.thread",
      .body = run_body, .flags = MASTRA_ROUTE_STREAM },
    /* an agent has no work in the background: it is idle when its run ends */
    { .method = "POST", .path = "/agents/:agentId/stream-until-idle",
      .handler = stream, .summary = "Stream agent response until idle",
      .tag = "Agents", .permission = "agents:execute",
      .resource = "body:memory.thread", .body = until_idle_body,
      .flags = MASTRA_ROUTE_STREAM },
    { .method = "POST", .path = "/agents/:agentId/stream/vnext",
      .handler = stream_vnext,
      .summary = "Stream agent response, records parted by 0x1E",
      .tag = "Agents", .permission = "agents:execute",
      .resource = "body:memory.thread", .body = run_body,
      .flags = MASTRA_ROUTE_STREAM },
    { .method = "GET", .path = "/agents/:agentId/tools/:toolId",
      .handler = get_tool, .summary = "Get agent tool", .tag = "Agents" },
    { .method = "POST", .path = "/agents/:agentId/tools/:toolId/execute",
      .handler = execute_tool, .summary = "Execute agent tool",
      .tag = "Agents", .body = mastra_tools_execute_body },
    { .method = NULL }
};
