/* /agents/:agentId: routes of older versions, and of kinds of agents that are
 * not served, which say what to use instead. */

#include "run_options.h"
#include "../http/router.h"

static const char messages_body[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"messages\":{\"anyOf\":[{\"type\":\"array\",\"items\":{}},"
    "{\"type\":\"string\"}]}," MASTRA_RUN_OPTIONS
    "},\"required\":[\"messages\"]}";
/* An agent that is not there is told of first. */
static int refuse(mastra_req_t *req, int status, const char *message)
{
    const char *id = mastra_req_param(req, "agentId");

    if (!mastra_agents_find(req->host->agents, id)) {
        return mastra_reply_error(
            req, mastra_result_make(req->pool, 404, "AGENT_NOT_FOUND",
                                    "Agent with id %s not found", id));
    }
    return mastra_reply_fail(req, status, message);
}

static int stream_vnext(mastra_req_t *req)
{
    return mastra_reply_fail(req, 410, "This endpoint is deprecated. Please "
                             "use /stream instead.");
}

static int stream_ui(mastra_req_t *req)
{
    return mastra_reply_fail(req, 410, "This endpoint is deprecated. Please "
                             "use the @mastra/ai-sdk package to for uiMessage "
                             "transformations");
}

static int generate_legacy(mastra_req_t *req)
{
    return refuse(req, 400, "Models with specificationVersion \"v2\" are not "
                  "supported for generateLegacy(). Please use generate() "
                  "instead.");
}

static int stream_legacy(mastra_req_t *req)
{
    return refuse(req, 400, "Models with specificationVersion \"v2\" are not "
                  "supported for streamLegacy(). Please use stream() "
                  "instead.");
}

const mastra_route_t mastra_api_agents_gone[] = {
    { .method = "POST", .path = "/agents/:agentId/streamVNext",
      .handler = stream_vnext, .summary = "Stream a response from an agent",
      .tag = "Agents", .body = messages_body },
    { .method = "POST", .path = "/agents/:agentId/stream/ui",
      .handler = stream_ui, .summary = "Stream UI messages from an agent",
      .tag = "Agents", .body = messages_body },
    { .method = "POST", .path = "/agents/:agentId/stream/vnext/ui",
      .handler = stream_ui, .summary = "Stream UI messages from an agent",
      .tag = "Agents", .body = messages_body },
    { .method = "POST", .path = "/agents/:agentId/generate-legacy",
      .handler = generate_legacy,
      .summary = "[DEPRECATED] Generate with legacy format", .tag = "Agents",
      .body = messages_body },
    { .method = "POST", .path = "/agents/:agentId/stream-legacy",
      .handler = stream_legacy,
      .summary = "[DEPRECATED] Stream with legacy format", .tag = "Agents",
      .body = messages_body },
    { .method = NULL }
};
