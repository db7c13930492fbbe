/* /workflows: list, describe, and runs begun, resumed and taken back. */

#include <string.h>

#include "workflows.h"
#include "run_options.h"
#include "../http/request.h"

#define TRACING \
    "\"tracingOptions\":{\"type\":\"object\",\"properties\":{" \
    "\"traceId\":{\"type\":\"string\"},\"parentSpanId\":{\"type\":\"string\"}," \
    "\"metadata\":" MASTRA_SCHEMA_RECORD "," \
    "\"requestContextKeys\":" MASTRA_SCHEMA_STRINGS "," \
    "\"tags\":" MASTRA_SCHEMA_STRINGS "," \
    "\"hideInput\":{\"type\":\"boolean\"},\"hideOutput\":{\"type\":\"boolean\"}," \
    "\"rootSpanName\":{\"type\":\"string\"}}}"
#define COMMON \
    "\"requestContext\":" MASTRA_SCHEMA_RECORD "," TRACING "," \
    "\"perStep\":{\"type\":\"boolean\"}," \
    "\"outputOptions\":{\"type\":\"object\",\"properties\":{" \
    "\"includeState\":{\"type\":\"boolean\"}," \
    "\"includeResumeLabels\":{\"type\":\"boolean\"}}}"
#define STEP \
    "\"step\":{\"anyOf\":[{\"type\":\"string\"}," MASTRA_SCHEMA_STRINGS "]}"
#define RUN_ID "\"runId\":{\"type\":\"string\"}"

static const char list_query[] =
    "{\"type\":\"object\",\"properties\":{\"partial\":{\"type\":\"string\"}}}";
static const char run_query[] =
    "{\"type\":\"object\",\"properties\":{" RUN_ID "},"
    "\"required\":[\"runId\"]}";
static const char run_query_optional[] =
    "{\"type\":\"object\",\"properties\":{" RUN_ID "}}";
static const char create_body[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"resourceId\":{\"type\":\"string\",\"maxLength\":255},"
    "\"disableScorers\":{\"type\":\"boolean\"}}}";
static const char start_body[] =
    "{\"type\":\"object\",\"properties\":{\"inputData\":{},"
    "\"initialState\":{},\"resourceId\":{\"type\":\"string\","
    "\"maxLength\":255},\"closeOnSuspend\":{\"type\":\"boolean\"}," COMMON
    "}}";
static const char execute_body[] =
    "{\"type\":\"object\",\"properties\":{\"triggerData\":{},"
    "\"resourceId\":{\"type\":\"string\",\"maxLength\":255}}}";
static const char resume_body[] =
    "{\"type\":\"object\",\"properties\":{" STEP ",\"resumeData\":{},"
    "\"label\":{\"type\":\"string\"},\"forEachIndex\":{\"type\":\"integer\","
    "\"minimum\":0,\"maximum\":9007199254740991}," COMMON "}}";
static const char travel_body[] =
    "{\"type\":\"object\",\"properties\":{" STEP ",\"inputData\":{},"
    "\"resumeData\":{},\"initialState\":{},"
    "\"context\":" MASTRA_SCHEMA_RECORD ",\"nestedStepsContext\":{"
    "\"type\":\"object\",\"propertyNames\":{\"type\":\"string\"},"
    "\"additionalProperties\":" MASTRA_SCHEMA_RECORD "}," COMMON "},"
    "\"required\":[\"step\"]}";
static const char restart_body[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"requestContext\":" MASTRA_SCHEMA_RECORD "," TRACING "}}";

/* ---- the workflow ---- */

static apr_status_t let_go(void *held)
{
    mastra_held_unref(held);
    return APR_SUCCESS;
}

const mastra_workflow_t *mastra_api_workflow(mastra_req_t *req, int *prc)
{
    mastra_result_t *error = NULL;
    mastra_held_t *held = mastra_workflow_find(
        &req->host->workflow_env, mastra_req_param(req, "workflowId"), &error,
        req->pool);

    if (!held) {
        *prc = mastra_reply_error(req, error);
        return NULL;
    }
    apr_pool_cleanup_register(req->pool, held, let_go, apr_pool_cleanup_null);
    return held->workflow;
}

static void add_view(mastra_json_t *made, const mastra_workflow_t *workflow,
                     int partial)
{
    mastra_json_set(made, workflow->key,
                    mastra_json_ref(partial ? workflow->describe_partial
                                            : workflow->describe));
}

static int list_workflows(mastra_req_t *req)
{
    const char *partial = mastra_json_get_str(req->query, "partial");
    int brief = partial && !strcmp(partial, "true"), i;
    mastra_workflow_env_t *env = &req->host->workflow_env;
    mastra_result_t *error = NULL;
    apr_array_header_t *stored = mastra_workflows_stored(env, &error,
                                                         req->pool);
    mastra_json_t *made;

    if (!stored) {
        return mastra_reply_error(req, error);
    }
    made = mastra_json_object();
    for (i = 0; i < mastra_workflows_count(env->workflows); i++) {
        add_view(made, mastra_workflows_at(env->workflows, i), brief);
    }
    for (i = 0; i < stored->nelts; i++) {
        mastra_held_t *held = APR_ARRAY_IDX(stored, i, mastra_held_t *);

        apr_pool_cleanup_register(req->pool, held, let_go,
                                  apr_pool_cleanup_null);
        add_view(made, held->workflow, brief);
    }
    return mastra_reply_json(req, made);
}

static int get_workflow(mastra_req_t *req)
{
    int rc;
    const mastra_workflow_t *workflow = mastra_api_workflow(req, &rc);

    return workflow ? mastra_reply_json(req,
                                        mastra_json_ref(workflow->describe))
                    : rc;
}

/* ---- waiting for runs ---- */

/* What a run has done must not be done again by a client that repeats. */
static int may_repeat(const void *work)
{
    (void)work;
    return 0;
}

const mastra_work_vtable_t mastra_work_wait = {
    mastra_wait_begin, mastra_wait_cancel, mastra_wait_resume,
    mastra_wait_discard, NULL, may_repeat
};

/* Records, unless the client would rather have events. */
static int stream_wait(mastra_req_t *req, mastra_wait_t *wait)
{
    return mastra_stream_run(req,
                             mastra_request_prefers(req->r,
                                                    "text/event-stream",
                                                    "text/plain")
                                 ? MASTRA_FRAME_SSE : MASTRA_FRAME_RECORD,
                             &mastra_work_wait, wait);
}

/* How a route answers: what it says at once, or whom it lets wait. */
typedef enum { SAY_MESSAGE, SAY_ID, WAIT_END, WAIT_CHUNKS, WAIT_OLD } how_e;

static int answer(mastra_req_t *req, const mastra_workflow_asked_t *asked, how_e how,
                  const char *message)
{
    if (asked->answer) {
        return mastra_reply_json(req, asked->answer);
    }
    switch (how) {
    case SAY_MESSAGE:
        return mastra_reply_json(req, mastra_json_pack("{s:s}", "message",
                                                       message));
    case SAY_ID:
        return mastra_reply_json(req, mastra_json_pack("{s:s}", "runId",
                                                       asked->run_id));
    case WAIT_END:
        return mastra_stream_run(req, MASTRA_FRAME_JSON, &mastra_work_wait,
                                 asked->wait);
    default:
        return stream_wait(req, asked->wait);
    }
}

static int ask(mastra_req_t *req, mastra_workflow_ask_t *what, how_e how,
               const char *message)
{
    mastra_result_t *error = NULL;
    mastra_workflow_asked_t asked;
    int rc;
    const mastra_workflow_t *workflow = mastra_api_workflow(req, &rc);

    if (!workflow) {
        return rc;
    }
    what->run_id = mastra_json_get_str(req->query, "runId");
    what->body = req->body;
    what->principal = &req->principal;
    what->wait = how == WAIT_END ? 1 : how == WAIT_CHUNKS ? 2
                 : how == WAIT_OLD ? 3 : 0;
    if (!mastra_workflow_ask(&asked, &req->host->workflow_env, workflow, what,
                             &error, req->pool)) {
        return mastra_reply_error(req, error);
    }
    return answer(req, &asked, how, message);
}

/* ---- starting ---- */

static int create_run(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_CREATE }, SAY_ID,
               NULL);
}

static int start(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_START,
                                     .must_exist = 1, .lenient = 1 },
               SAY_MESSAGE, "Workflow run started");
}

static int start_async(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_START }, WAIT_END,
               NULL);
}

/* The older form: "triggerData" goes in, steps come out as "results", too. */
static int execute(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_START,
                                              .old = 1 }, WAIT_END, NULL);
}

static int stream(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_START, .lenient = 1 },
               WAIT_CHUNKS, NULL);
}

static int stream_legacy(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_START, .lenient = 1 },
               WAIT_OLD, NULL);
}

/* ---- resuming ---- */

static int resume(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_RESUME }, SAY_MESSAGE,
               "Workflow run resumed");
}

static int resume_no_wait(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_RESUME }, SAY_ID,
               NULL);
}

static int resume_async(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_RESUME }, WAIT_END,
               NULL);
}

static int resume_stream(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_RESUME }, WAIT_CHUNKS,
               NULL);
}

/* ---- going back ---- */

static int travel(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_TRAVEL }, SAY_MESSAGE,
               "Workflow run time travel started");
}

static int travel_async(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_TRAVEL }, WAIT_END,
               NULL);
}

static int travel_stream(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_TRAVEL }, WAIT_CHUNKS,
               NULL);
}

static int restart(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_RESTART }, SAY_MESSAGE,
               "Workflow run restarted");
}

static int restart_async(mastra_req_t *req)
{
    return ask(req, &(mastra_workflow_ask_t){ .what = MASTRA_WORKFLOW_RESTART }, WAIT_END,
               NULL);
}

/* Runs whose process has died are gone on with by themselves. */
static int restart_all(mastra_req_t *req)
{
    int rc;

    if (!mastra_api_workflow(req, &rc)) {
        return rc;
    }
    return mastra_reply_json(req, mastra_json_pack(
        "{s:s}", "message", "All active workflow runs restarted"));
}

#define W .tag = "Workflows"
#define RUN W, .permission = "workflows:execute", .resource = "query:runId"
#define POST(path_, handler_, summary_) \
    .method = "POST", .path = "/workflows/:workflowId/" path_, \
    .handler = handler_, .summary = summary_

const mastra_route_t mastra_api_workflows[] = {
    { .method = "GET", .path = "/workflows", .handler = list_workflows,
      .summary = "List all workflows", W, .query = list_query },
    { .method = "GET", .path = "/workflows/:workflowId",
      .handler = get_workflow, .summary = "Get workflow by ID", W },
    { POST("create-run", create_run, "Create workflow run"), RUN,
      .query = run_query_optional, .body = create_body },
    { POST("start", start, "Start specific workflow run"), RUN,
      .query = run_query, .body = start_body },
    { POST("start-async", start_async, "Start workflow asynchronously"), RUN,
      .query = run_query_optional, .body = start_body },
    { POST("execute", execute, "Execute workflow, in the older form"), RUN,
      .query = run_query_optional, .body = execute_body,
      .flags = MASTRA_ROUTE_ALIAS },
    { POST("stream", stream, "Stream workflow execution"), RUN,
      .query = run_query, .body = start_body, .flags = MASTRA_ROUTE_STREAM },
    { POST("stream-legacy", stream_legacy,
           "[DEPRECATED] Stream workflow with legacy format"), RUN,
      .query = run_query, .body = start_body, .flags = MASTRA_ROUTE_STREAM },
    { POST("resume", resume, "Resume workflow"), RUN, .query = run_query,
      .body = resume_body },
    { POST("resume-no-wait", resume_no_wait,
           "Resume workflow without waiting"), RUN, .query = run_query,
      .body = resume_body },
    { POST("resume-async", resume_async, "Resume workflow asynchronously"),
      RUN, .query = run_query, .body = resume_body },
    { POST("resume-stream", resume_stream, "Resume workflow stream"), RUN,
      .query = run_query, .body = resume_body,
      .flags = MASTRA_ROUTE_STREAM },
    { POST("time-travel", travel, "Time travel workflow"), RUN,
      .query = run_query, .body = travel_body },
    { POST("time-travel-async", travel_async,
           "Time travel workflow asynchronously"), RUN, .query = run_query,
      .body = travel_body },
    { POST("time-travel-stream", travel_stream,
           "Time travel workflow stream"), RUN, .query = run_query,
      .body = travel_body, .flags = MASTRA_ROUTE_STREAM },
    { POST("restart", restart, "Restart workflow"), RUN, .query = run_query,
      .body = restart_body },
    { POST("restart-async", restart_async, "Restart workflow asynchronously"),
      RUN, .query = run_query, .body = restart_body },
    { POST("restart-all-active-workflow-runs", restart_all,
           "Restart all active workflow runs"), W,
      .permission = "workflows:execute" },
    { POST("restart-all-active-workflow-runs-async", restart_all,
           "Restart all active workflow runs asynchronously"), W,
      .permission = "workflows:execute" },
    { .method = NULL }
};
