/* /agents/:agentId: messages to threads, and who watches their runs. */

#include <string.h>

#include "../agent/hub.h"
#include "../http/event_id.h"
#include "../http/request.h"
#include "../http/router.h"
#include "../http/stream.h"
#include "agents.h"
#include "run_options.h"

/* ---- schemas ---- */

#define TEXT "{\"type\":\"string\"}"
#define ID MASTRA_SCHEMA_ID
#define PROVIDER_OPTIONS \
    "{\"type\":\"object\",\"additionalProperties\":" MASTRA_SCHEMA_RECORD "}"
#define CONTENTS \
    "{\"anyOf\":[" TEXT ",{\"type\":\"array\",\"items\":{\"anyOf\":[" \
    "{\"type\":\"object\",\"properties\":{\"type\":{\"const\":\"text\"}," \
    "\"text\":" TEXT ",\"providerOptions\":" PROVIDER_OPTIONS "}," \
    "\"required\":[\"type\",\"text\"]}," \
    "{\"type\":\"object\",\"properties\":{\"type\":{\"const\":\"file\"}," \
    "\"data\":" TEXT ",\"mediaType\":" TEXT ",\"filename\":" TEXT "," \
    "\"providerOptions\":" PROVIDER_OPTIONS "},\"required\":[\"type\"," \
    "\"data\",\"mediaType\"]}]}}]}"
#define ATTRIBUTES \
    "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\"," \
    "\"number\",\"boolean\",\"null\"]}}"
#define MESSAGE \
    "{\"anyOf\":[" CONTENTS ",{\"type\":\"object\",\"properties\":{" \
    "\"contents\":" CONTENTS ",\"attributes\":" ATTRIBUTES "," \
    "\"metadata\":" MASTRA_SCHEMA_RECORD "," \
    "\"providerOptions\":" PROVIDER_OPTIONS "},\"required\":[\"contents\"]}]}"
#define SIGNAL(type, rest) \
    "{\"type\":\"object\",\"properties\":{\"id\":" TEXT ",\"createdAt\":" \
    TEXT ",\"metadata\":" MASTRA_SCHEMA_RECORD ",\"attributes\":" ATTRIBUTES \
    ",\"tagName\":" TEXT ",\"contents\":" CONTENTS "," \
    "\"providerOptions\":" PROVIDER_OPTIONS ",\"type\":" type "," rest "}," \
    "\"required\":[\"contents\",\"type\"]}"
#define SIGNALS \
    "{\"anyOf\":[" \
    SIGNAL("{\"const\":\"state\"}", "\"transient\":{\"not\":{}}") "," \
    SIGNAL("{\"type\":\"string\",\"enum\":[\"user\",\"reactive\"," \
           "\"notification\",\"user-message\",\"system-reminder\"]}", \
           "\"transient\":{\"type\":\"boolean\"}") "]}"
#define OPTIONS \
    "{\"type\":\"object\",\"properties\":{\"memory\":{\"type\":\"object\"}," \
    "\"runId\":" ID ",\"requestContext\":" MASTRA_SCHEMA_RECORD "," \
    "\"maxSteps\":{\"type\":\"number\"},\"activeTools\":{\"type\":\"array\"," \
    "\"items\":" TEXT "},\"requireToolApproval\":{\"type\":\"boolean\"}}}"
#define SEND(what, required) \
    "{\"type\":\"object\",\"properties\":{" \
    "\"ifActive\":{\"type\":\"object\",\"properties\":{\"behavior\":" \
    "{\"type\":\"string\",\"enum\":[\"deliver\",\"persist\",\"discard\"]}," \
    "\"attributes\":" ATTRIBUTES "}}," \
    "\"ifIdle\":{\"type\":\"object\",\"properties\":{\"behavior\":" \
    "{\"type\":\"string\",\"enum\":[\"wake\",\"persist\",\"discard\"]}," \
    "\"attributes\":" ATTRIBUTES ",\"streamOptions\":" OPTIONS "}}," \
    "\"runId\":" ID ",\"resourceId\":" ID ",\"threadId\":" ID "," \
    what "},\"required\":[" required "]}"
#define SENDS(name, schema) \
    "{\"anyOf\":[" \
    SEND("\"" name "\":" schema, "\"runId\",\"" name "\"") "," \
    SEND("\"" name "\":" schema, "\"resourceId\",\"threadId\",\"" name "\"") \
    "]}"

static const char message_body[] = SENDS("message", MESSAGE);
static const char signal_body[] = SENDS("signal", SIGNALS);
static const char abort_body[] =
    "{\"type\":\"object\",\"properties\":{\"resourceId\":" ID ","
    "\"threadId\":" ID ",\"expectedRunId\":" TEXT "},"
    "\"required\":[\"threadId\"]}";
static const char subscribe_body[] =
    "{\"type\":\"object\",\"properties\":{\"resourceId\":" ID ","
    "\"threadId\":" ID "},\"required\":[\"threadId\"]}";
static const char observe_body[] =
    "{\"type\":\"object\",\"properties\":{\"runId\":" TEXT ","
    "\"offset\":{\"type\":\"number\"}},\"required\":[\"runId\"]}";
static const char recover_body[] =
    "{\"type\":\"object\",\"properties\":{\"runId\":" MASTRA_SCHEMA_ID ","
    "\"requestContext\":" MASTRA_SCHEMA_RECORD ","
    "\"versions\":" MASTRA_SCHEMA_VERSIONS "},\"required\":[\"runId\"]}";

static const char approval_body[] =
    "{\"type\":\"object\",\"properties\":{\"resourceId\":" ID ","
    "\"threadId\":" ID ",\"requestContext\":" MASTRA_SCHEMA_RECORD ","
    "\"toolCallId\":" TEXT ",\"approved\":{\"type\":\"boolean\"},"
    "\"resumeData\":{},\"format\":" TEXT ",\"messages\":{\"type\":\"array\","
    "\"items\":{}},\"streamOptions\":{}},\"required\":[\"resourceId\","
    "\"threadId\",\"toolCallId\",\"approved\"]}";

/* ---- who is asked for what ---- */

/* What auth gives goes before what the body says. */
static const char *resource_of(const mastra_req_t *req)
{
    return req->principal.resource_id
               ? req->principal.resource_id
               : mastra_json_get_str(req->body, "resourceId");
}

static const char *body_str(const mastra_req_t *req, const char *name)
{
    return mastra_json_get_str(req->body, name);
}

/* ---- sending ---- */

static mastra_send_behavior_e behavior_of(const mastra_json_t *branch)
{
    const char *name = mastra_json_get_str(branch, "behavior");

    if (name && !strcmp(name, "persist")) {
        return MASTRA_SEND_PERSIST;
    }
    return name && !strcmp(name, "discard") ? MASTRA_SEND_DISCARD
                                            : MASTRA_SEND_DELIVER;
}

static int send_message(mastra_req_t *req, const char *member, int next)
{
    const mastra_json_t *active = mastra_json_get(req->body, "ifActive");
    const mastra_json_t *idle = mastra_json_get(req->body, "ifIdle");
    mastra_send_t send = {
        .env = &req->host->agent_env, .resource_id = resource_of(req),
        .thread_id = body_str(req, "threadId"),
        .run_id = body_str(req, "runId"), .next = next,
        .message = mastra_json_get(req->body, member),
        .if_active = behavior_of(active), .if_idle = behavior_of(idle),
        .active_attributes = mastra_json_get(active, "attributes"),
        .idle_attributes = mastra_json_get(idle, "attributes"),
        .options = mastra_json_get(idle, "streamOptions"),
        .principal = &req->principal
    };
    mastra_principal_t principal = req->principal;
    mastra_result_t *error = NULL;
    mastra_json_t *answer, *context;
    int rc;

    send.agent = mastra_agents_asked(req, &rc);
    if (!send.agent) {
        return rc;
    }
    context = mastra_json_get(send.options, "requestContext");
    if (mastra_json_is_object(context)) {
        principal.request_context = mastra_context_below(req, context);
        send.principal = &principal;
    }
    answer = mastra_hub_send(&send, &error, req->pool);
    return answer ? mastra_reply_json(req, answer)
                  : mastra_reply_error(req, error);
}

static int send_now(mastra_req_t *req)
{
    return send_message(req, "message", 0);
}

static int send_next(mastra_req_t *req)
{
    return send_message(req, "message", 1);
}

static int send_signal(mastra_req_t *req)
{
    return send_message(req, "signal", 0);
}

/* ---- ending and deciding ---- */

static int abort_run(mastra_req_t *req)
{
    mastra_result_t *error = NULL;
    const mastra_agent_t *agent;
    int aborted = 0, rc;

    agent = mastra_agents_asked(req, &rc);
    if (!agent) {
        return rc;
    }
    if (mastra_hub_abort(&aborted, &req->host->agent_env, agent,
                         resource_of(req), body_str(req, "threadId"),
                         body_str(req, "expectedRunId"), &error, req->pool)) {
        return mastra_reply_error(req, error);
    }
    return mastra_reply_json(req, mastra_json_pack("{s:b}", "aborted",
                                                   aborted));
}

/* resumeData, where it is given, is the decision. */
static mastra_json_t *decision_of(const mastra_req_t *req)
{
    mastra_json_t *data = mastra_json_get(req->body, "resumeData");
    int approved = mastra_json_get_bool(req->body, "approved", 0);
    mastra_json_t *made = mastra_json_pack(
        "{s:s, s:b, s:s*}", "toolCallId", body_str(req, "toolCallId"),
        "approved", mastra_json_get_bool(data, "approved", approved),
        "reason", mastra_json_get_str(data, "reason"));

    if (data) {
        mastra_json_set(made, "resumeData", mastra_json_ref(data));
    }
    return mastra_json_own(made, req->pool);
}

static int decide(mastra_req_t *req)
{
    mastra_result_t *error = NULL;
    const mastra_agent_t *agent;
    mastra_verdict_t *verdict;
    int rc;

    agent = mastra_agents_asked(req, &rc);
    if (!agent) {
        return rc;
    }
    verdict = mastra_hub_decide(&req->host->agent_env, agent, resource_of(req),
                                body_str(req, "threadId"), decision_of(req),
                                &req->principal, &error, req->pool);
    if (!verdict) {
        return mastra_reply_error(req, error);
    }
    return mastra_stream_run(req, MASTRA_FRAME_JSON, &mastra_work_verdict,
                             verdict);
}

/* ---- watching ---- */

static int subscribe(mastra_req_t *req)
{
    mastra_event_at_t from;
    mastra_result_t *error = mastra_event_id_of(&from, req);
    const mastra_agent_t *agent;
    mastra_subscriber_t *sub;
    int rc;

    agent = mastra_agents_asked(req, &rc);
    if (!agent) {
        return rc;
    }
    sub = error ? NULL : mastra_hub_subscribe(
        &req->host->agent_env, agent, resource_of(req),
        body_str(req, "threadId"), from, &error, req->pool);
    if (!sub) {
        return mastra_reply_error(req, error);
    }
    return mastra_stream_run(req, MASTRA_FRAME_WATCH, &mastra_work_subscriber,
                             sub);
}

static int watch_run(mastra_req_t *req, mastra_event_at_t from)
{
    mastra_result_t *error = NULL;
    mastra_subscriber_t *sub = mastra_hub_observe(
        &req->host->agent_env, req->principal.resource_id,
        body_str(req, "runId"), from, &error, req->pool);

    return sub ? mastra_stream_run(req, MASTRA_FRAME_SSE,
                                   &mastra_work_subscriber, sub)
               : mastra_reply_error(req, error);
}

static int observe(mastra_req_t *req)
{
    double offset = mastra_json_get_num(req->body, "offset", 0);
    mastra_event_at_t from;
    mastra_result_t *error = mastra_event_id_of(&from, req);
    int rc;

    if (!mastra_agents_asked(req, &rc)) {
        return rc;
    }
    if (!from.seq && offset > 0 && offset < 1e15) {
        from.seq = (apr_int64_t)offset;
    }
    return error ? mastra_reply_error(req, error) : watch_run(req, from);
}

/* A run whose process is gone goes on; who asks sees what it has said and what
 * it says. */
static int recover(mastra_req_t *req)
{
    mastra_event_at_t from;
    mastra_result_t *error = mastra_event_id_of(&from, req);
    const mastra_agent_t *agent;
    int rc;

    agent = mastra_agents_asked(req, &rc);
    if (!agent) {
        return rc;
    }
    if (!error) {
        error = mastra_hub_recover(&req->host->agent_env, agent,
                                   req->principal.resource_id,
                                   body_str(req, "runId"), req->pool);
    }
    return error ? mastra_reply_error(req, error) : watch_run(req, from);
}

#define AGENT .tag = "Agents"
#define THREAD .permission = "agents:execute", .resource = "body:threadId"
#define SENDING .permission = "agents:execute", \
    .resource = "body:threadId body:runId"

const mastra_route_t mastra_api_channel[] = {
    { .method = "POST", .path = "/agents/:agentId/send-message",
      .handler = send_now, .summary = "Send agent message", AGENT, SENDING,
      .body = message_body },
    { .method = "POST", .path = "/agents/:agentId/queue-message",
      .handler = send_next, .summary = "Queue agent message", AGENT, SENDING,
      .body = message_body },
    { .method = "POST", .path = "/agents/:agentId/signals",
      .handler = send_signal, .summary = "Send agent signal", AGENT, SENDING,
      .body = signal_body },
    { .method = "POST", .path = "/agents/:agentId/threads/abort",
      .handler = abort_run, .summary = "Abort active agent thread run", AGENT,
      THREAD, .body = abort_body },
    { .method = "POST", .path = "/agents/:agentId/threads/subscribe",
      .handler = subscribe, .summary = "Subscribe to agent thread runs", AGENT,
      THREAD, .body = subscribe_body, .flags = MASTRA_ROUTE_STREAM },
    { .method = "POST", .path = "/agents/:agentId/observe",
      .handler = observe, .summary = "Observe agent stream", AGENT,
      .resource = "body:runId", .body = observe_body,
      .flags = MASTRA_ROUTE_STREAM },
    { .method = "POST", .path = "/agents/:agentId/recover",
      .handler = recover, .summary = "Recover an orphaned durable agent run",
      AGENT, .permission = "agents:execute", .resource = "body:runId",
      .body = recover_body, .flags = MASTRA_ROUTE_STREAM },
    { .method = "POST", .path = "/agents/:agentId/send-tool-approval",
      .handler = decide, .summary = "Send tool approval", AGENT, THREAD,
      .body = approval_body },
    { .method = NULL }
};
