/* /workflows/:workflowId/runs: listed, read, watched, ended. */

#include <string.h>

#include <apr_strings.h>

#include "workflows.h"
#include "run_options.h"
#include "../http/event_id.h"
#include "../http/request.h"

#define MAX_LISTED 1000
#define INTEGER \
    "{\"type\":\"integer\",\"minimum\":0,\"maximum\":9007199254740991}"

static const char list_query[] =
    "{\"type\":\"object\",\"properties\":{\"page\":" INTEGER ",\"perPage\":"
    INTEGER ",\"offset\":" INTEGER ",\"limit\":" INTEGER ",\"fromDate\":{},"
    "\"toDate\":{},\"resourceId\":{\"type\":\"string\"},\"status\":{"
    "\"type\":\"string\",\"enum\":[\"running\",\"waiting\",\"suspended\","
    "\"success\",\"failed\",\"canceled\",\"pending\",\"bailed\",\"tripwire\","
    "\"paused\",\"skipped\"]}}}";
static const char get_query[] =
    "{\"type\":\"object\",\"properties\":{\"fields\":{\"type\":\"string\"},"
    "\"withNestedWorkflows\":{\"type\":\"string\",\"enum\":[\"true\","
    "\"false\"]}}}";
static const char observe_query[] =
    "{\"type\":\"object\",\"properties\":{\"runId\":{\"type\":\"string\"},"
    "\"offset\":{\"type\":\"number\"}},\"required\":[\"runId\"]}";

static const char execute_body[] =
    "{\"type\":\"object\",\"properties\":{\"stepId\":{\"type\":\"string\"},"
    "\"executionPath\":{\"type\":\"array\",\"items\":" INTEGER "},"
    "\"stepResults\":" MASTRA_SCHEMA_RECORD ",\"state\":" MASTRA_SCHEMA_RECORD
    ",\"requestContext\":" MASTRA_SCHEMA_RECORD ",\"input\":{},"
    "\"resumeData\":{},\"retryCount\":" INTEGER ",\"foreachIdx\":" INTEGER
    ",\"format\":{\"type\":\"string\",\"enum\":[\"legacy\",\"vnext\"]},"
    "\"perStep\":{\"type\":\"boolean\"},\"validateInputs\":{"
    "\"type\":\"boolean\"}},\"required\":[\"stepId\",\"executionPath\","
    "\"stepResults\",\"state\",\"requestContext\"]}";
static const char event_body[] =
    "{\"type\":\"object\",\"properties\":{\"event\":{\"type\":\"object\","
    "\"properties\":{\"id\":{\"type\":\"string\"},\"type\":{"
    "\"type\":\"string\"},\"data\":{},\"runId\":{\"type\":\"string\"},"
    "\"createdAt\":{\"type\":\"string\"},\"index\":{\"type\":\"number\"},"
    "\"deliveryAttempt\":{\"type\":\"number\"}},\"required\":[\"id\",\"type\","
    "\"data\",\"runId\",\"createdAt\"]}},\"required\":[\"event\"]}";

/* ---- one run ---- */

static int bad_fields(mastra_req_t *req)
{
    return mastra_reply_bad_query(req, "fields", "Invalid field name. Available "
                                  "fields: result, error, payload, steps, "
                                  "activeStepsPath, serializedStepGraph");
}

/* "a, b" as "a,b". */
static const char *without_blanks(const char *fields, apr_pool_t *pool)
{
    char *copy = fields ? apr_pstrdup(pool, fields) : NULL, *to = copy;
    const char *from;

    for (from = fields; from && *from; from++) {
        if (!strchr(" \t", *from)) {
            *to++ = *from;
        }
    }
    if (to) {
        *to = '\0';
    }
    return copy;
}

static int are_known(const char *fields, apr_pool_t *pool)
{
    static const char *const known[] = { "result", "error", "payload", "steps",
                                         "activeStepsPath",
                                         "serializedStepGraph", NULL };
    char *copy = apr_pstrdup(pool, fields), *state, *name;
    int i;

    for (name = apr_strtok(copy, ",", &state); name;
         name = apr_strtok(NULL, ",", &state)) {
        for (i = 0; known[i] && strcmp(known[i], name); i++) {
        }
        if (!known[i]) {
            return 0;
        }
    }
    /* commas alone name nothing */
    return fields[strspn(fields, ",")] != '\0';
}

static int get_run(mastra_req_t *req)
{
    const char *fields = without_blanks(
        mastra_json_get_str(req->query, "fields"), req->pool);
    const char *nested = mastra_json_get_str(req->query,
                                             "withNestedWorkflows");
    mastra_result_t *error = NULL;
    mastra_json_t *view;
    int rc;
    const mastra_workflow_t *workflow = mastra_api_workflow(req, &rc);

    if (!workflow) {
        return rc;
    }
    if (fields && !*fields) {
        fields = NULL;
    }
    if (fields && !are_known(fields, req->pool)) {
        return bad_fields(req);
    }
    view = mastra_workflow_run_view(&req->host->workflow_env, workflow,
                                    mastra_req_param(req, "runId"), fields,
                                    !nested || strcmp(nested, "false"), &error,
                                    req->pool);
    return view ? mastra_reply_json(req, view)
                : mastra_reply_error(req, error);
}

static int delete_run(mastra_req_t *req)
{
    mastra_result_t *error = NULL;
    int rc;
    const mastra_workflow_t *workflow = mastra_api_workflow(req, &rc);

    if (!workflow) {
        return rc;
    }
    if (!mastra_workflow_delete(&req->host->workflow_env, workflow,
                                mastra_req_param(req, "runId"), &error,
                                req->pool)) {
        return mastra_reply_error(req, error);
    }
    return mastra_reply_json(req, mastra_json_pack("{s:s}", "message",
                                                   "Workflow run deleted"));
}

static int cancel_run(mastra_req_t *req)
{
    mastra_result_t *error = NULL;
    int rc;
    const mastra_workflow_t *workflow = mastra_api_workflow(req, &rc);

    if (!workflow) {
        return rc;
    }
    if (!mastra_workflow_cancel(&req->host->workflow_env, workflow,
                                mastra_req_param(req, "runId"), &error,
                                req->pool)) {
        return mastra_reply_error(req, error);
    }
    return mastra_reply_json(req, mastra_json_pack("{s:s}", "message",
                                                   "Workflow run cancelled"));
}

/* ---- watching ---- */

static int observe(mastra_req_t *req, int legacy)
{
    mastra_workflow_observe_t how = {
        .offset = mastra_json_get_int(req->query, "offset", 0),
        .legacy = legacy
    };
    mastra_result_t *error = mastra_event_id_of(&how.after, req);
    mastra_wait_t *wait;
    int rc;
    const mastra_workflow_t *workflow = mastra_api_workflow(req, &rc);

    if (!workflow) {
        return rc;
    }
    wait = error ? NULL : mastra_workflow_observe(
        &req->host->workflow_env, workflow,
        mastra_json_get_str(req->query, "runId"), &how, &error, req->pool);
    if (!wait) {
        return mastra_reply_error(req, error);
    }
    return mastra_stream_run(req,
                             mastra_request_prefers(req->r,
                                                    "text/event-stream",
                                                    "text/plain")
                                 ? MASTRA_FRAME_SSE : MASTRA_FRAME_RECORD,
                             &mastra_work_wait, wait);
}

static int observe_new(mastra_req_t *req)
{
    return observe(req, 0);
}

static int observe_legacy(mastra_req_t *req)
{
    return observe(req, 1);
}

/* ---- one step ---- */

static int may_repeat(const void *work)
{
    (void)work;
    return 0;
}

static const mastra_work_vtable_t work_single = {
    mastra_single_begin, mastra_single_cancel, mastra_single_resume,
    mastra_single_discard, NULL, may_repeat
};

static int execute_step(mastra_req_t *req)
{
    mastra_result_t *error = NULL;
    mastra_single_t *single = mastra_workflow_single(
        &req->host->workflow_env, mastra_req_param(req, "workflowId"),
        mastra_req_param(req, "runId"), req->body, &req->principal, &error,
        req->pool);

    return single ? mastra_stream_run(req, MASTRA_FRAME_JSON, &work_single,
                                      single)
                  : mastra_reply_error(req, error);
}

/* What brokers push belongs to another engine's queue. Runs here go on from
 * storage alone: an event is acknowledged, as it need not be sent again. */
static int take_event(mastra_req_t *req)
{
    apr_time_t when;

    if (mastra_text_iso_parse(&when, mastra_json_get_str(
            mastra_json_get(req->body, "event"), "createdAt"))) {
        return mastra_reply_fail(req, 400, "Invalid createdAt");
    }
    return mastra_reply_json(req, mastra_json_pack("{s:b}", "ok", 1));
}

/* ---- lists ---- */

/* 0: there is none, or it is one. */
static int is_bad_date(apr_time_t *pwhen, mastra_req_t *req, const char *name)
{
    const char *text = mastra_json_get_str(req->query, name);

    return text && mastra_text_iso_parse(pwhen, text);
}

/* An empty value filters nothing. */
static const char *given(const mastra_json_t *query, const char *name)
{
    const char *value = mastra_json_get_str(query, name);

    return value && *value ? value : NULL;
}

/* The name of what is wrong, or NULL. */
static const char *fill_filter(mastra_flows_filter_t *filter,
                               mastra_req_t *req)
{
    const mastra_json_t *query = req->query;
    apr_int64_t per_page = mastra_json_get_int(query, "perPage", 0);

    filter->status = mastra_json_get_str(query, "status");
    filter->resource_id = req->principal.resource_id
                              ? req->principal.resource_id
                              : given(query, "resourceId");
    filter->limit = mastra_json_get_int(query, "limit", per_page);
    filter->offset = mastra_json_get_int(
        query, "offset", mastra_json_get_int(query, "page", 0)
                             * (per_page ? per_page : filter->limit));
    if (filter->limit <= 0 || filter->limit > MAX_LISTED) {
        filter->limit = MAX_LISTED;
    }
    return is_bad_date(&filter->from, req, "fromDate") ? "fromDate"
           : is_bad_date(&filter->to, req, "toDate") ? "toDate" : NULL;
}

static int list_runs(mastra_req_t *req)
{
    mastra_flows_filter_t filter = { NULL };
    const char *field;
    mastra_result_t *error = NULL;
    mastra_json_t *made;
    int rc;
    const mastra_workflow_t *workflow = mastra_api_workflow(req, &rc);

    if (!workflow) {
        return rc;
    }
    field = fill_filter(&filter, req);
    if (field) {
        return mastra_reply_bad_query(req, field, MASTRA_NO_DATE);
    }
    if (!mastra_json_get_int(req->query, "perPage", 1)
        || !mastra_json_get_int(req->query, "limit", 1)) {
        return mastra_reply_fail(req, 400,
                                 "perPage must be a positive integer");
    }
    made = mastra_workflow_run_list(&req->host->workflow_env, workflow,
                                    &filter, &error, req->pool);
    return made ? mastra_reply_json(req, made)
                : mastra_reply_error(req, error);
}

typedef struct {
    mastra_req_t *req;
    mastra_json_t *counts;
} counting_t;

static apr_status_t count_runs(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    counting_t *counting = baton;

    mastra_json_unref(counting->counts);
    counting->counts = NULL;
    return mastra_flows_counts(&counting->counts, db,
                               counting->req->host->workflow_env.host,
                               counting->req->principal.resource_id, pool);
}

static void add_counts(mastra_json_t *made, const mastra_workflow_t *workflow,
                       const mastra_json_t *counts)
{
    const mastra_json_t *its = mastra_json_get(counts, workflow->id);

    mastra_json_set(made, workflow->key, mastra_json_pack(
        "{s:I, s:I}", "running",
        mastra_json_get_int(its, "running", 0)
            + mastra_json_get_int(its, "waiting", 0), "suspended",
        mastra_json_get_int(its, "suspended", 0)));
}

static int run_counts(mastra_req_t *req)
{
    mastra_workflow_env_t *env = &req->host->workflow_env;
    counting_t counting = { .req = req };
    mastra_result_t *error = NULL;
    apr_array_header_t *stored = mastra_workflows_stored(env, &error,
                                                         req->pool);
    mastra_json_t *made;
    apr_status_t rv;
    int i;

    if (!stored) {
        return mastra_reply_error(req, error);
    }
    rv = mastra_store_call(env->store, MASTRA_STORE_READ, count_runs,
                           &counting);
    made = mastra_json_object();
    for (i = 0; i < mastra_workflows_count(env->workflows); i++) {
        add_counts(made, mastra_workflows_at(env->workflows, i),
                   counting.counts);
    }
    for (i = 0; i < stored->nelts; i++) {
        mastra_held_t *held = APR_ARRAY_IDX(stored, i, mastra_held_t *);

        add_counts(made, held->workflow, counting.counts);
        mastra_held_unref(held);
    }
    mastra_json_unref(counting.counts);
    if (rv) {
        mastra_json_unref(made);
        return mastra_reply_error(req, mastra_store_result(req->pool, rv,
                                                           "count runs"));
    }
    return mastra_reply_json(req, made);
}

#define W .tag = "Workflows"
#define RUN W, .resource = "path:runId"

const mastra_route_t mastra_api_workflow_runs[] = {
    { .method = "GET", .path = "/workflows/run-counts", .handler = run_counts,
      .summary = "List workflow run counts", W },
    { .method = "GET", .path = "/workflows/:workflowId/runs",
      .handler = list_runs, .summary = "List workflow runs", W,
      .query = list_query },
    { .method = "GET", .path = "/workflows/:workflowId/runs/:runId",
      .handler = get_run, .summary = "Get workflow run by ID", RUN,
      .query = get_query },
    { .method = "DELETE", .path = "/workflows/:workflowId/runs/:runId",
      .handler = delete_run, .summary = "Delete workflow run by ID", RUN },
    { .method = "POST", .path = "/workflows/:workflowId/runs/:runId/cancel",
      .handler = cancel_run, .summary = "Cancel workflow run", RUN,
      .permission = "workflows:execute" },
    { .method = "POST",
      .path = "/workflows/:workflowId/runs/:runId/steps/execute",
      .handler = execute_step, .summary = "Execute a workflow step", RUN,
      .permission = "workflows:execute", .body = execute_body },
    { .method = "POST", .path = "/workflows/events", .handler = take_event,
      .summary = "Receive a workflow event from a push-mode broker", W,
      .permission = "workflows:execute", .body = event_body },
    { .method = "POST", .path = "/workflows/:workflowId/observe",
      .handler = observe_new, .summary = "Observe workflow stream", W,
      .permission = "workflows:execute", .resource = "query:runId",
      .query = observe_query, .flags = MASTRA_ROUTE_STREAM },
    { .method = "POST", .path = "/workflows/:workflowId/observe-stream-legacy",
      .handler = observe_legacy,
      .summary = "[DEPRECATED] Observe workflow stream with legacy format", W,
      .permission = "workflows:execute", .resource = "query:runId",
      .query = observe_query, .flags = MASTRA_ROUTE_STREAM },
    { .method = NULL }
};
