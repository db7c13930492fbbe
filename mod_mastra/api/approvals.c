/* /agents/:agentId: what persons decide about runs that wait for them. */

#include <string.h>

#include "agents.h"
#include "run_options.h"
#include "../http/router.h"
#include "../http/stream.h"
#include "../store/runs.h"

static const char decide_body[] =
    "{\"type\":\"object\",\"properties\":{\"runId\":" MASTRA_SCHEMA_ID ","
    "\"model\":{\"type\":\"string\"},\"requestContext\":" MASTRA_SCHEMA_RECORD ","
    "\"toolCallId\":{\"type\":\"string\"},\"format\":{\"type\":\"string\"},"
    "\"reason\":{\"type\":\"string\"}},\"required\":[\"runId\","
    "\"toolCallId\"]}";
#define RESUME_BODY(more) \
    "{\"type\":\"object\",\"properties\":{" MASTRA_RUN_OPTIONS "," \
    "\"toolCallId\":{\"type\":\"string\"},\"resumeData\":{}" more "}," \
    "\"required\":[\"runId\",\"resumeData\"]}"
static const char resume_body[] = RESUME_BODY("");
static const char resume_until_idle_body[] = RESUME_BODY("," MASTRA_MAX_IDLE);
static const char list_query[] =
    "{\"type\":\"object\",\"properties\":{\"threadId\":{\"type\":\"string\"},"
    "\"resourceId\":{\"type\":\"string\"},\"fromDate\":{},\"toDate\":{},"
    "\"perPage\":{\"type\":\"integer\",\"exclusiveMinimum\":0,"
    "\"maximum\":9007199254740991},\"page\":{\"type\":\"integer\","
    "\"minimum\":0,\"maximum\":9007199254740991}}}";

/* ---- deciding ---- */

static int take_up(mastra_req_t *req, mastra_json_t *decision,
                   mastra_frame_e frame)
{
    mastra_result_t *error = NULL;
    mastra_agent_run_t *run;
    const mastra_agent_t *agent;
    int rc;

    mastra_json_own(decision, req->pool);
    agent = mastra_agents_asked(req, &rc);
    if (!agent) {
        return rc;
    }
    run = mastra_agent_run_take_up(&req->host->agent_env, agent,
                                   mastra_json_get_str(req->body, "runId"),
                                   decision, frame != MASTRA_FRAME_JSON,
                                   &req->principal, &error, req->pool);
    if (!run) {
        return mastra_reply_error(req, error);
    }
    return agent->durable
               ? mastra_stream_run_kept(req, frame, &mastra_work_agent_run, run)
               : mastra_stream_run(req, frame, &mastra_work_agent_run, run);
}

static mastra_json_t *approval(mastra_req_t *req, int approved)
{
    return mastra_json_pack("{s:s, s:b, s:s*}", "toolCallId",
                            mastra_json_get_str(req->body, "toolCallId"),
                            "approved", approved, "reason",
                            mastra_json_get_str(req->body, "reason"));
}

static int approve(mastra_req_t *req)
{
    return take_up(req, approval(req, 1), MASTRA_FRAME_SSE);
}

static int decline(mastra_req_t *req)
{
    return take_up(req, approval(req, 0), MASTRA_FRAME_SSE);
}

static int approve_generate(mastra_req_t *req)
{
    return take_up(req, approval(req, 1), MASTRA_FRAME_JSON);
}

static int decline_generate(mastra_req_t *req)
{
    return take_up(req, approval(req, 0), MASTRA_FRAME_JSON);
}

static int resume(mastra_req_t *req)
{
    mastra_json_t *decision = mastra_json_pack(
        "{s:s*, s:O}", "toolCallId",
        mastra_json_get_str(req->body, "toolCallId"), "resumeData",
        mastra_json_get(req->body, "resumeData"));

    return take_up(req, decision, MASTRA_FRAME_SSE);
}

/* ---- listing ---- */

typedef struct {
    mastra_runs_filter_t filter;
    mastra_json_t *runs;
    apr_int64_t total;
} list_t;

static apr_status_t list_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    list_t *list = baton;

    mastra_json_unref(list->runs);
    list->runs = NULL;
    return mastra_runs_list(&list->runs, &list->total, db, &list->filter, pool);
}

static apr_time_t query_date(mastra_req_t *req, const char *name)
{
    const char *text = mastra_json_get_str(req->query, name);
    apr_time_t when = 0;

    if (text) {
        mastra_text_iso_parse(&when, text);
    }
    return when;
}

static int list_suspended(mastra_req_t *req)
{
    list_t list = { .filter = { .kind = NULL } };
    const mastra_agent_t *agent;
    const char *owner = req->principal.resource_id;
    apr_status_t rv;
    int rc;

    agent = mastra_agents_asked(req, &rc);
    if (!agent) {
        return rc;
    }
    list.filter.host = req->host->agent_env.host;
    list.filter.name = agent->id;
    list.filter.kind = mastra_run_kind(agent);
    list.filter.resource_id = owner ? owner
                                    : mastra_json_get_str(req->query,
                                                          "resourceId");
    list.filter.thread_id = mastra_json_get_str(req->query, "threadId");
    list.filter.from = query_date(req, "fromDate");
    list.filter.to = query_date(req, "toDate");
    list.filter.page = mastra_json_get_int(req->query, "page", 0);
    list.filter.per_page = mastra_json_get_int(req->query, "perPage", 100);
    rv = mastra_store_call(req->host->store, MASTRA_STORE_READ, list_run,
                           &list);
    if (rv) {
        return mastra_reply_error(req, mastra_store_result(req->pool, rv,
                                                           "list runs"));
    }
    return mastra_reply_json(req, mastra_json_pack("{s:o, s:I}", "runs",
                                                   list.runs, "total",
                                                   list.total));
}

#define AGENT .tag = "Agents"
#define RUN .resource = "body:runId", .permission = "agents:execute"

const mastra_route_t mastra_api_approvals[] = {
    { .method = "POST", .path = "/agents/:agentId/approve-tool-call",
      .handler = approve, .summary = "Approve tool call", AGENT, RUN,
      .body = decide_body, .flags = MASTRA_ROUTE_STREAM },
    { .method = "POST", .path = "/agents/:agentId/decline-tool-call",
      .handler = decline, .summary = "Decline tool call", AGENT, RUN,
      .body = decide_body, .flags = MASTRA_ROUTE_STREAM },
    { .method = "POST", .path = "/agents/:agentId/approve-tool-call-generate",
      .handler = approve_generate,
      .summary = "Approve tool call (non-streaming)", AGENT, RUN,
      .body = decide_body },
    { .method = "POST", .path = "/agents/:agentId/decline-tool-call-generate",
      .handler = decline_generate,
      .summary = "Decline tool call (non-streaming)", AGENT, RUN,
      .body = decide_body },
    { .method = "POST", .path = "/agents/:agentId/resume-stream",
      .handler = resume, .summary = "Resume agent stream", AGENT, RUN,
      .body = resume_body, .flags = MASTRA_ROUTE_STREAM },
    { .method = "POST", .path = "/agents/:agentId/resume-stream-until-idle",
      .handler = resume, .summary = "Resume agent stream until idle", AGENT,
      RUN, .body = resume_until_idle_body, .flags = MASTRA_ROUTE_STREAM },
    { .method = "GET", .path = "/agents/:agentId/suspended-runs",
      .handler = list_suspended, .summary = "List suspended runs", AGENT,
      .permission = "agents:read", .query = list_query },
    { .method = NULL }
};
