/* /agents/:agentId/network: an agent that leads others, and what persons decide
 * about its calls. */

#include <string.h>

#include "agents.h"
#include "run_options.h"
#include "../http/router.h"
#include "../http/stream.h"
#include "../network/network.h"

static const char network_body[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"messages\":{\"anyOf\":[{\"type\":\"array\",\"items\":{}},"
    "{\"type\":\"string\"}]}," MASTRA_RUN_OPTIONS
    "},\"required\":[\"messages\"]}";
static const char approve_body[] =
    "{\"type\":\"object\",\"properties\":{\"runId\":" MASTRA_SCHEMA_ID ","
    "\"model\":{\"type\":\"string\"},\"requestContext\":" MASTRA_SCHEMA_RECORD ","
    "\"format\":{\"type\":\"string\"},\"resumeData\":{}},"
    "\"required\":[\"runId\"]}";
static const char decline_body[] =
    "{\"type\":\"object\",\"properties\":{\"runId\":" MASTRA_SCHEMA_ID ","
    "\"model\":{\"type\":\"string\"},\"requestContext\":" MASTRA_SCHEMA_RECORD ","
    "\"format\":{\"type\":\"string\"},\"reason\":{\"type\":\"string\"}},"
    "\"required\":[\"runId\"]}";

static const mastra_work_vtable_t work = {
    mastra_network_begin, mastra_network_cancel, mastra_network_resume,
    mastra_network_discard, mastra_network_id, mastra_network_may_repeat
};

static int answer(mastra_req_t *req, mastra_network_t *network,
                  const mastra_result_t *error)
{
    if (!network) {
        return mastra_reply_error(req, error);
    }
    return mastra_network_endures(network)
               ? mastra_stream_run_kept(req, MASTRA_FRAME_SSE, &work, network)
               : mastra_stream_run(req, MASTRA_FRAME_SSE, &work, network);
}

static int start(mastra_req_t *req)
{
    int rc;
    const mastra_agent_t *agent = mastra_agents_asked(req, &rc);
    mastra_result_t *error = NULL;
    mastra_network_t *network;

    if (!agent) {
        return rc;
    }
    network = mastra_network_make(&req->host->agent_env, agent, req->body,
                                  &req->principal, &error, req->pool);
    return answer(req, network, error);
}

/* client-js sends its own options along: only these are a decision. */
static int decide(mastra_req_t *req, int approved)
{
    int rc;
    const mastra_agent_t *agent = mastra_agents_asked(req, &rc);
    mastra_result_t *error = NULL;
    mastra_network_t *network;
    mastra_json_t *decision;

    if (!agent) {
        return rc;
    }
    decision = mastra_json_own(mastra_json_pack(
        "{s:b, s:O*, s:O*}", "approved", approved, "reason",
        mastra_json_get(req->body, "reason"), "resumeData",
        mastra_json_get(req->body, "resumeData")), req->pool);
    network = mastra_network_take_up(&req->host->agent_env, agent,
                                     mastra_json_get_str(req->body, "runId"),
                                     decision, &req->principal, &error,
                                     req->pool);
    return answer(req, network, error);
}

static int approve(mastra_req_t *req)
{
    return decide(req, 1);
}

static int decline(mastra_req_t *req)
{
    return decide(req, 0);
}

#define AGENT .tag = "Agents", .permission = "agents:execute", \
    .flags = MASTRA_ROUTE_STREAM

const mastra_route_t mastra_api_networks[] = {
    { .method = "POST", .path = "/agents/:agentId/network", .handler = start,
      .summary = "Stream agent network", .resource = "body:memory.thread",
      .body = network_body, AGENT },
    { .method = "POST", .path = "/agents/:agentId/approve-network-tool-call",
      .handler = approve, .summary = "Approve network tool call",
      .resource = "body:runId", .body = approve_body, AGENT },
    { .method = "POST", .path = "/agents/:agentId/decline-network-tool-call",
      .handler = decline, .summary = "Decline network tool call",
      .resource = "body:runId", .body = decline_body, AGENT },
    { .method = NULL }
};
