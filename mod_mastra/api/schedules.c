/* /schedules: what runs at times that cron expressions name. */

#include "../http/request.h"

#define TEXT "{\"type\":\"string\"}"
#define TIME \
    "{\"type\":\"integer\",\"minimum\":0,\"maximum\":9007199254740991}"
#define STATUS \
    "\"status\":{\"type\":\"string\",\"enum\":[\"active\",\"paused\"]}"
#define ATTRIBUTES \
    "\"attributes\":{\"type\":\"object\",\"propertyNames\":" TEXT "," \
    "\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\"," \
    "\"null\"]}}"
#define BEHAVIOR(word) \
    "\"behavior\":{\"type\":\"string\",\"enum\":[\"" word "\"," \
    "\"persist\",\"discard\"]}," ATTRIBUTES
#define WHEN "\"cron\":" TEXT ",\"timezone\":" TEXT
#define METADATA "\"metadata\":" MASTRA_SCHEMA_RECORD
/* what only an agent's has, and what only a workflow's has */
#define SIGNAL \
    "\"prompt\":" TEXT ",\"name\":" TEXT ",\"signalType\":{" \
    "\"type\":\"string\",\"enum\":[\"user\",\"state\",\"reactive\"," \
    "\"notification\",\"user-message\",\"system-reminder\"]}," \
    "\"tagName\":" TEXT "," ATTRIBUTES ",\"ifActive\":{" \
    "\"type\":\"object\",\"properties\":{" BEHAVIOR("deliver") "}}," \
    "\"ifIdle\":{\"type\":\"object\",\"properties\":{" \
    BEHAVIOR("wake") ",\"streamOptions\":{\"type\":\"object\"," \
    "\"properties\":{\"requestContext\":" MASTRA_SCHEMA_RECORD "}}}}," \
    "\"providerOptions\":" MASTRA_SCHEMA_RECORD
#define INPUT \
    "\"inputData\":{},\"initialState\":{}," \
    "\"requestContext\":" MASTRA_SCHEMA_RECORD

static const char list_query[] =
    "{\"type\":\"object\",\"properties\":{\"agentId\":" TEXT ","
    "\"workflowId\":" TEXT "," STATUS ",\"threadId\":" TEXT ","
    "\"resourceId\":" TEXT ",\"name\":" TEXT "}}";
static const char create_body[] =
    "{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"id\":" TEXT ","
    "\"agentId\":{\"type\":\"string\",\"minLength\":1}," WHEN "," SIGNAL ","
    "\"threadId\":" TEXT ",\"resourceId\":" TEXT "," METADATA "},"
    "\"required\":[\"agentId\",\"cron\",\"prompt\"],"
    "\"additionalProperties\":false},{\"type\":\"object\",\"properties\":{"
    "\"id\":" TEXT ",\"workflowId\":{\"type\":\"string\",\"minLength\":1},"
    WHEN "," INPUT ",\"resourceId\":" TEXT "," METADATA "},"
    "\"required\":[\"workflowId\",\"cron\"],"
    "\"additionalProperties\":false}]}";
static const char update_body[] =
    "{\"type\":\"object\",\"properties\":{" WHEN "," STATUS "," METADATA ","
    SIGNAL "," INPUT ",\"resourceId\":" TEXT "}}";
static const char triggers_query[] =
    "{\"type\":\"object\",\"properties\":{\"limit\":{\"type\":\"integer\","
    "\"exclusiveMinimum\":0,\"maximum\":9007199254740991},"
    "\"fromActualFireAt\":" TIME ",\"toActualFireAt\":" TIME "}}";

static mastra_schedule_ask_t asking(mastra_req_t *req)
{
    return (mastra_schedule_ask_t){ .env = &req->host->schedule_env,
                                    .owner = req->principal.resource_id,
                                    .pool = req->pool };
}

static const char *id_of(const mastra_req_t *req)
{
    return mastra_req_param(req, "scheduleId");
}

static int answer(mastra_req_t *req, const mastra_schedule_ask_t *ask,
                  mastra_json_t *made)
{
    return made ? mastra_reply_json(req, made)
                : mastra_reply_error(req, ask->error);
}

static int list(mastra_req_t *req)
{
    mastra_schedule_ask_t ask = asking(req);

    return answer(req, &ask, mastra_schedule_list(&ask, req->query));
}

static int get(mastra_req_t *req)
{
    mastra_schedule_ask_t ask = asking(req);

    return answer(req, &ask, mastra_schedule_get(&ask, id_of(req)));
}

static int create(mastra_req_t *req)
{
    mastra_schedule_ask_t ask = asking(req);

    return answer(req, &ask, mastra_schedule_create(&ask, req->body));
}

static int update(mastra_req_t *req)
{
    mastra_schedule_ask_t ask = asking(req);

    return answer(req, &ask, mastra_schedule_update(&ask, id_of(req),
                                                    req->body));
}

static int drop(mastra_req_t *req)
{
    mastra_schedule_ask_t ask = asking(req);

    return answer(req, &ask, mastra_schedule_delete(&ask, id_of(req)));
}

static int triggers(mastra_req_t *req)
{
    mastra_schedule_ask_t ask = asking(req);

    return answer(req, &ask, mastra_schedule_triggers(&ask, id_of(req),
                                                      req->query));
}

static int set_status(mastra_req_t *req, const char *status)
{
    mastra_schedule_ask_t ask = asking(req);
    mastra_json_t *patch = mastra_json_own(
        mastra_json_pack("{s:s}", "status", status), req->pool);

    return answer(req, &ask, mastra_schedule_update(&ask, id_of(req), patch));
}

static int pause_it(mastra_req_t *req)
{
    return set_status(req, "paused");
}

static int resume(mastra_req_t *req)
{
    return set_status(req, "active");
}

static int run(mastra_req_t *req)
{
    mastra_schedule_ask_t ask = asking(req);

    return answer(req, &ask, mastra_schedule_run(&ask, id_of(req)));
}

#define S .tag = "Schedules"
#define READ S, .permission = "schedules:read"
#define WRITE S, .permission = "schedules:write"
#define ONE "/schedules/:scheduleId"

/* Whose a schedule is, is asked where it is read. */
const mastra_route_t mastra_api_schedules[] = {
    { .method = "GET", .path = "/schedules", .handler = list,
      .summary = "List schedules", READ, .query = list_query },
    { .method = "POST", .path = "/schedules", .handler = create,
      .summary = "Create a schedule", WRITE, .body = create_body },
    { .method = "GET", .path = ONE, .handler = get,
      .summary = "Get a schedule by ID", READ },
    { .method = "PATCH", .path = ONE, .handler = update,
      .summary = "Update a schedule", WRITE, .body = update_body },
    { .method = "DELETE", .path = ONE, .handler = drop,
      .summary = "Delete a schedule", S, .permission = "schedules:delete" },
    { .method = "GET", .path = ONE "/triggers", .handler = triggers,
      .summary = "List trigger history for a schedule", READ,
      .query = triggers_query },
    { .method = "POST", .path = ONE "/pause", .handler = pause_it,
      .summary = "Pause a schedule", WRITE },
    { .method = "POST", .path = ONE "/resume", .handler = resume,
      .summary = "Resume a paused schedule", WRITE },
    { .method = "POST", .path = ONE "/run", .handler = run,
      .summary = "Fire a schedule now", S,
      .permission = "schedules:execute" },
    { .method = NULL }
};
