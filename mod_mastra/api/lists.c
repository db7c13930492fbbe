/* Lists of what no host has as yet, which clients ask for all the same: they
 * are empty. And what a host is, for those who would show it. */
#include <string.h>

#include <apr_strings.h>

#include "../http/router.h"

/* --- what may be asked ------------------------------------------------------ */

#define STRING "{\"type\":\"string\"}"
#define STRINGS "{\"type\":\"array\",\"items\":" STRING "}"
#define NUMBER "{\"type\":\"integer\",\"minimum\":0," \
    "\"maximum\":9007199254740991}"
#define PAGES(n) \
    "\"page\":{\"default\":0,\"type\":\"integer\",\"minimum\":0," \
    "\"maximum\":9007199254740991},\"perPage\":{\"default\":" n "," \
    "\"type\":\"integer\",\"minimum\":0,\"maximum\":9007199254740991}"
#define DIRECTION "\"direction\":{\"type\":\"string\",\"enum\":[\"ASC\"," \
    "\"DESC\"]}"
#define ORDER(fields, more) \
    "\"orderBy\":{\"type\":\"object\",\"properties\":{\"field\":{" \
    "\"type\":\"string\",\"enum\":[" fields "]}," DIRECTION "}" more "}"
#define BOTH ",\"required\":[\"field\",\"direction\"]"
#define TARGET "\"targetType\":{\"type\":\"string\",\"enum\":[\"agent\"," \
    "\"workflow\",\"scorer\",\"processor\"]}"
#define ENTITY \
    "{\"type\":\"string\",\"enum\":[\"agent\",\"scorer\",\"rag_ingestion\"," \
    "\"trajectory\",\"input_processor\",\"input_step_processor\"," \
    "\"output_processor\",\"output_step_processor\"," \
    "\"tool_result_processor\",\"workflow_step\",\"tool\",\"mcp_server\"," \
    "\"workflow_run\",\"memory\"]}"
#define ONE_OR_MORE "{\"anyOf\":[" STRING "," STRINGS "]}"

/* of all that is observed */
#define OBSERVED \
    "\"timestamp\":{\"anyOf\":[{\"type\":\"object\",\"properties\":{" \
    "\"start\":{},\"end\":{},\"startExclusive\":{\"type\":\"boolean\"}," \
    "\"endExclusive\":{\"type\":\"boolean\"}}}," STRING "]}," \
    "\"traceId\":" STRING ",\"spanId\":" STRING ",\"entityType\":" ENTITY "," \
    "\"entityName\":" STRING ",\"entityVersionId\":" STRING "," \
    "\"parentEntityVersionId\":" STRING ",\"rootEntityVersionId\":" STRING "," \
    "\"userId\":" STRING ",\"organizationId\":" STRING "," \
    "\"experimentId\":" STRING ",\"serviceName\":" STRING "," \
    "\"environment\":" STRING ",\"parentEntityType\":" ENTITY "," \
    "\"parentEntityName\":" STRING ",\"rootEntityType\":" ENTITY "," \
    "\"rootEntityName\":" STRING ",\"resourceId\":" STRING "," \
    "\"runId\":" STRING ",\"sessionId\":" STRING ",\"threadId\":" STRING "," \
    "\"requestId\":" STRING ",\"executionSource\":" STRING "," \
    "\"tags\":{\"anyOf\":[" STRINGS "," STRING "]},\"source\":" STRING "," \
    "\"page\":" NUMBER ",\"perPage\":{\"type\":\"integer\",\"minimum\":1," \
    "\"maximum\":100}," DIRECTION ",\"mode\":{\"type\":\"string\"," \
    "\"enum\":[\"page\",\"delta\"]},\"after\":{\"type\":\"string\"," \
    "\"minLength\":1},\"limit\":{\"type\":\"integer\",\"minimum\":1," \
    "\"maximum\":100},"
#define LEVEL "{\"type\":\"string\",\"enum\":[\"debug\",\"info\",\"warn\"," \
    "\"error\",\"fatal\"]}"
#define QUERY(members) "{\"type\":\"object\",\"properties\":{" members "}}"

static const char feedback_query[] = QUERY(
    OBSERVED "\"feedbackType\":" ONE_OR_MORE ",\"feedbackSource\":" STRING ","
    "\"feedbackUserId\":" STRING ",\"reviewStatus\":{\"type\":\"string\","
    "\"enum\":[\"needs-review\",\"reviewed\"]},\"field\":{"
    "\"type\":\"string\",\"enum\":[\"timestamp\"]}");
static const char logs_query[] = QUERY(
    OBSERVED "\"level\":{\"anyOf\":[" LEVEL ",{\"type\":\"array\","
    "\"items\":" LEVEL "}]},\"field\":{\"type\":\"string\","
    "\"enum\":[\"timestamp\"]}");
static const char scores_query[] = QUERY(
    OBSERVED "\"scorerId\":" ONE_OR_MORE ",\"scoreSource\":" STRING ","
    "\"metadata\":{\"anyOf\":[{\"anyOf\":[" MASTRA_SCHEMA_RECORD ","
    "{\"type\":\"null\"}]}," STRING "]},\"field\":{\"type\":\"string\","
    "\"enum\":[\"timestamp\",\"score\"]}");
static const char entity_query[] = QUERY("\"entityType\":" ENTITY);
static const char servers_query[] = QUERY(
    "\"page\":" NUMBER ",\"perPage\":" NUMBER ",\"offset\":" NUMBER ","
    "\"limit\":" NUMBER);
static const char scorer_query[] = QUERY(
    PAGES("10") ",\"entityId\":" STRING ",\"entityType\":" STRING);
static const char experiments_query[] = QUERY(
    PAGES("10") ",\"experimentSetId\":" STRING ",\"comparisonId\":" STRING ","
    "\"variantId\":" STRING ",\"trialIndex\":" NUMBER "," TARGET ","
    "\"targetId\":" STRING "," ORDER("\"createdAt\",\"status\"", BOTH));
static const char datasets_query[] = QUERY(
    PAGES("10") "," TARGET ",\"targetIds\":" STRINGS ","
    ORDER("\"createdAt\",\"updatedAt\",\"name\"", BOTH));
static const char versions_query[] = QUERY(
    PAGES("20") "," ORDER("\"versionNumber\",\"createdAt\"", ""));
static const char blocks_query[] = QUERY(
    PAGES("100") "," ORDER("\"createdAt\",\"updatedAt\"", "") ","
    "\"status\":{\"type\":\"string\",\"enum\":[\"draft\",\"published\","
    "\"archived\"]},\"authorId\":" STRING ",\"metadata\":"
    MASTRA_SCHEMA_RECORD);

/* --- lists that are not parted ---------------------------------------------- */

static const struct {
    const char *path, *answer;
} nothing[] = {
    { "/processors", "{}" },
    { "/scores/scorers", "{}" },
    { "/scores/scorers/:scorerId", "null" },
    { "/mcp/v0/servers", "{\"servers\":[],\"total_count\":0,\"next\":null}" },
    { "/workspaces", "{\"workspaces\":[]}" },
    { "/workspaces/:workspaceId", "{\"isWorkspaceConfigured\":false}" },
    { "/experiments/review-summary", "{\"counts\":[]}" },
    { "/editor/builder/settings",
      "{\"enabled\":false,\"modelPolicy\":{\"active\":false}}" },
    { "/editor/builder/models/available", "{\"providers\":[]}" },
    { "/channels/platforms", "[]" },
    { "/tool-providers", "{\"providers\":[]}" },
    { "/observability/discovery/entity-names", "{\"names\":[]}" },
    { "/observability/discovery/environments", "{\"environments\":[]}" },
    { "/observability/discovery/service-names", "{\"serviceNames\":[]}" },
    { "/observability/discovery/tags", "{\"tags\":[]}" },
    { NULL }
};

static int get_nothing(mastra_req_t *req)
{
    int i;

    for (i = 0; nothing[i].path; i++) {
        if (!strcmp(nothing[i].path, req->route->path)) {
            return mastra_reply_text(req, "application/json",
                                     nothing[i].answer,
                                     strlen(nothing[i].answer));
        }
    }
    return mastra_reply_plain(req, HTTP_NOT_FOUND);
}

/* An agent that is there has no voice, and so no speakers. */
static int get_speakers(mastra_req_t *req)
{
    const char *id = mastra_req_param(req, "agentId");

    if (!mastra_agents_find(req->host->agents, id)) {
        return mastra_reply_error(
            req, mastra_result_make(req->pool, 404, "AGENT_NOT_FOUND",
                                    "Agent with id %s not found", id));
    }
    return mastra_reply_text(req, "application/json", "[]", 2);
}

/* --- lists in pages --------------------------------------------------------- */

#define PER_PAGE 10

static mastra_json_t *no_page(const mastra_json_t *asked)
{
    return mastra_json_pack("{s:i, s:I, s:I, s:b}", "total", 0, "page",
                            mastra_json_get_int(asked, "page", 0), "perPage",
                            mastra_json_get_int(asked, "perPage", PER_PAGE),
                            "hasMore", 0);
}

/* {name: [], pagination: {…}}; the name is the last word of the path. */
static int get_page(mastra_req_t *req)
{
    const char *name = strrchr(req->route->path, '/') + 1;

    return mastra_reply_json(req, mastra_json_pack(
        "{s:[], s:o}", *name == ':' ? "scores" : name, "pagination",
        no_page(req->query)));
}

/* The same without an object of its own for the numbers. */
static int get_flat_page(mastra_req_t *req)
{
    const char *name = strrchr(req->route->path, '/') + 1;
    mastra_json_t *page = no_page(req->query);

    mastra_json_set(page, strcmp(name, "versions") ? "promptBlocks" : name,
                    mastra_json_array());
    return mastra_reply_json(req, page);
}

/* --- traces ----------------------------------------------------------------- */

static const char traces_body[] = QUERY(
    "\"timeRange\":{\"type\":\"object\",\"properties\":{\"from\":" STRING ","
    "\"to\":" STRING "}},\"group\":" MASTRA_SCHEMA_RECORD ","
    "\"mode\":" STRING ",\"page\":" MASTRA_SCHEMA_RECORD ","
    "\"pagination\":{\"type\":\"object\",\"properties\":{" PAGES("10") "}}");
static const char fields_body[] = QUERY(
    "\"timeRange\":" MASTRA_SCHEMA_RECORD ",\"predicateScope\":{"
    "\"type\":\"string\",\"enum\":[\"trace\",\"spans\",\"scores\","
    "\"feedback\"]},\"search\":{\"type\":\"string\",\"maxLength\":256},"
    "\"limit\":" NUMBER);

/* The routes of queries have a form of their own for what is wrong. */
static int bad_query(mastra_req_t *req)
{
    return mastra_reply_json_status(
        req, HTTP_UNPROCESSABLE_ENTITY,
        mastra_json_pack("{s:s, s:s, s:[{s:s, s:[s], s:s}]}", "code",
                         "TRACE_QUERY_INVALID", "message",
                         "The trace query is invalid", "issues", "code",
                         "invalid_request", "path", "timeRange", "message",
                         "Invalid input: expected object, received "
                         "undefined"));
}

/* A list has the form that was asked for. */
static int query_traces(mastra_req_t *req)
{
    const mastra_json_t *paging = mastra_json_get(req->body, "pagination");
    const char *mode = mastra_json_get_str(req->body, "mode");

    if (!mastra_json_get(req->body, "timeRange")) {
        return bad_query(req);
    }
    if (mastra_json_get(req->body, "group")) {
        return mastra_reply_json(req, mastra_json_pack(
            "{s:[], s:{s:n}}", "groups", "page", "next"));
    }
    if (mode && !strcmp(mode, "delta")) {
        return mastra_reply_json(req, mastra_json_pack(
            "{s:[], s:{s:I, s:b}, s:s}", "traces", "delta", "limit",
            mastra_json_get_int(req->body, "limit", PER_PAGE), "hasMore", 0,
            "deltaCursor", "0"));
    }
    if (paging) {
        return mastra_reply_json(req, mastra_json_pack(
            "{s:[], s:o}", "traces", "pagination", no_page(paging)));
    }
    return mastra_reply_json(req, mastra_json_pack(
        "{s:[], s:{s:n}}", "traces", "page", "next"));
}

static int query_fields(mastra_req_t *req)
{
    if (!mastra_json_get(req->body, "timeRange")) {
        return bad_query(req);
    }
    return mastra_reply_json(req, mastra_json_pack(
        "{s:[], s:[], s:b}", "canonicalFields", "observedFields",
        "observedFieldsTruncated", 0));
}

/* --- what the host is ------------------------------------------------------- */

static int get_packages(mastra_req_t *req)
{
    return mastra_reply_json(req, mastra_json_pack(
        "{s:[], s:b, s:b, s:b, s:b, s:s}", "packages", "isDev",
        req->host->development, "cmsEnabled", 0,
        "liveKitConnectionRouteEnabled", 0, "observabilityEnabled", 0,
        "storageType", req->host->store_conf.driver));
}

#define LIST(where, what, about) .method = "GET", .path = where, \
    .handler = get_nothing, .summary = what, .tag = about
#define PAGE(where, what, about, schema) .method = "GET", .path = where, \
    .handler = get_page, .summary = what, .tag = about, .query = schema
#define TRACES .method = "POST", .tag = "Observability", \
    .permission = "observability:read", .body_limit = 262144

const mastra_route_t mastra_api_lists[] = {
    { .method = "GET", .path = "/system/packages", .handler = get_packages,
      .summary = "Get installed Mastra packages and Studio capabilities",
      .tag = "System" },
    { LIST("/processors", "List all processors", "Processors") },
    { LIST("/scores/scorers", "List all scorers", "Scoring") },
    { LIST("/scores/scorers/:scorerId", "Get scorer by ID", "Scoring") },
    { PAGE("/scores/scorer/:scorerId", "List scores by scorer ID", "Scoring",
           scorer_query) },
    { LIST("/mcp/v0/servers", "List MCP servers", "MCP"),
      .query = servers_query },
    { LIST("/workspaces", "List all workspaces", "Workspace") },
    { LIST("/workspaces/:workspaceId", "Get workspace info", "Workspace") },
    { LIST("/experiments/review-summary",
           "Get review summary for all experiments", "Experiments") },
    { PAGE("/experiments", "List all experiments", "Experiments",
           experiments_query) },
    { PAGE("/datasets", "List all datasets", "Datasets", datasets_query) },
    { LIST("/editor/builder/settings", "Get agent builder settings",
           "Editor"), .permission = "stored-agents:read" },
    { LIST("/editor/builder/models/available",
           "List builder-available AI models", "Editor"),
      .permission = "stored-agents:read" },
    { LIST("/channels/platforms", "List channel platforms", "Channels") },
    { LIST("/tool-providers", "List tool providers", "Tool Providers") },
    { .method = "GET", .path = "/agents/:agentId/voice/speakers",
      .handler = get_speakers, .summary = "Get voice speakers",
      .tag = "Agents" },
    { .method = "GET", .path = "/stored/agents/:agentId/versions",
      .handler = get_flat_page, .summary = "List agent versions",
      .tag = "Agent Versions", .query = versions_query },
    { .method = "GET", .path = "/stored/prompt-blocks",
      .handler = get_flat_page, .summary = "List stored prompt blocks",
      .tag = "Stored Prompt Blocks", .query = blocks_query },
    { PAGE("/observability/feedback", "List feedback", "Observability",
           feedback_query) },
    { PAGE("/observability/logs", "List logs", "Observability", logs_query) },
    { PAGE("/observability/scores", "List scores", "Observability",
           scores_query) },
    { LIST("/observability/discovery/entity-names", "Get entity names",
           "Observability"), .query = entity_query },
    { LIST("/observability/discovery/environments", "Get environments",
           "Observability") },
    { LIST("/observability/discovery/service-names", "Get service names",
           "Observability") },
    { LIST("/observability/discovery/tags", "Get tags", "Observability"),
      .query = entity_query },
    { TRACES, .path = "/observability/traces/query", .handler = query_traces,
      .summary = "Query traces", .body = traces_body },
    { TRACES, .path = "/observability/traces/query/fields",
      .handler = query_fields, .summary = "Discover trace query fields",
      .body = fields_body },
    { .method = NULL }
};
