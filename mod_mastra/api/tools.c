/* /tools: list, describe, execute. */

#include <stdlib.h>

#include <apr_strings.h>

#include "tools.h"
#include "../http/stream.h"

const char mastra_tools_execute_body[] =
    "{\"type\":\"object\",\"properties\":{\"data\":{},"
    "\"requestContext\":" MASTRA_SCHEMA_RECORD "}}";

static const char execute_query[] =
    "{\"type\":\"object\",\"properties\":{\"runId\":{\"type\":\"string\"}}}";

/* A call as work of a stream: see http/stream.h. */
typedef struct {
    mastra_tool_env_t *env;
    const mastra_tool_t *tool;
    mastra_tool_args_t args;
    mastra_tool_call_t *call;
    mastra_sink_t *sink;
    apr_pool_t *pool;
} work_t;

static void free_work(void *baton)
{
    work_t *work = baton;

    mastra_json_unref(work->args.input);
    mastra_json_unref(work->args.request_context);
    apr_pool_destroy(work->pool);
}

static void work_done(void *baton, mastra_json_t *result,
                      const mastra_result_t *error)
{
    work_t *work = baton;

    work->sink->vtable->end(work->sink, result, error);
    free_work(work);
}

static void work_begin(void *baton, mastra_sink_t *sink)
{
    work_t *work = baton;
    apr_status_t rv;

    work->sink = sink;
    rv = mastra_tool_start(&work->call, work->env, work->tool, &work->args,
                           work_done, work);
    if (rv) {
        work_done(work, NULL,
                  mastra_result_from_apr(work->pool, rv, "start the tool"));
    }
}

static void work_cancel(void *baton)
{
    work_t *work = baton;

    mastra_tool_cancel(work->call);
    free_work(work);
}

static void work_resume(void *baton)
{
    (void)baton;
}

static int work_may_repeat(const void *baton)
{
    (void)baton;
    return 0;
}

static const mastra_work_vtable_t tool_work = { work_begin, work_cancel,
                                                work_resume, free_work, NULL,
                                                work_may_repeat };

static work_t *make_work(mastra_req_t *req, const mastra_tool_t *tool)
{
    mastra_json_t *input = mastra_json_get(req->body, "data");
    const char *run_id = mastra_json_get_str(req->query, "runId");
    apr_allocator_t *allocator;
    apr_pool_t *pool;
    work_t *work;

    if (apr_allocator_create(&allocator)) {
        return NULL;
    }
    if (apr_pool_create_ex(&pool, NULL, NULL, allocator)) {
        apr_allocator_destroy(allocator);
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    work = apr_pcalloc(pool, sizeof(*work));
    work->pool = pool;
    work->env = &req->host->tool_env;
    work->tool = tool;
    work->args.input = mastra_json_ref(input);
    work->args.run_id = apr_pstrdup(pool, run_id);
    work->args.resource_id = apr_pstrdup(pool, req->principal.resource_id);
    work->args.request_context =
        mastra_json_ref(req->principal.request_context);
    work->args.depth = req->principal.depth;
    work->args.idempotency_key = mastra_text_uuid_make(pool);
    return work;
}

static int data_missing(mastra_req_t *req)
{
    mastra_result_t *error = mastra_result_make(
        req->pool, 400, "INVALID_BODY", "Invalid request body");

    error->detail = mastra_json_own(
        mastra_json_pack("{s:[{s:s, s:s}]}", "issues", "field", "data",
                         "message", "data is required"), req->pool);
    return mastra_reply_error(req, error);
}

int mastra_tools_execute(mastra_req_t *req, const mastra_tool_t *tool)
{
    mastra_json_t *input = mastra_json_get(req->body, "data"), *invalid;
    work_t *work;

    if (!input) {
        return data_missing(req);
    }
    if (!tool) {
        return mastra_reply_fail(req, 404, "Tool not found");
    }
    invalid = mastra_tool_check_input(tool, input, req->pool);
    if (invalid) {
        return mastra_reply_json(req, invalid);
    }
    work = make_work(req, tool);
    if (!work) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return mastra_stream_run(req, MASTRA_FRAME_JSON, &tool_work, work);
}

static int list_tools(mastra_req_t *req)
{
    mastra_json_t *made = mastra_json_object();
    int i;

    for (i = 0; i < mastra_tools_count(req->host->tools); i++) {
        const mastra_tool_t *tool = mastra_tools_at(req->host->tools, i);

        mastra_json_set(made, tool->key, mastra_json_ref(tool->describe));
    }
    return mastra_reply_json(req, made);
}

static const mastra_tool_t *find_tool(mastra_req_t *req)
{
    return mastra_tools_find(req->host->tools,
                             mastra_req_param(req, "toolId"));
}

static int get_tool(mastra_req_t *req)
{
    const mastra_tool_t *tool = find_tool(req);

    return tool ? mastra_reply_json(req, mastra_json_ref(tool->describe))
                : mastra_reply_fail(req, 404, "Tool not found");
}

static int execute_tool(mastra_req_t *req)
{
    return mastra_tools_execute(req, find_tool(req));
}

const mastra_route_t mastra_api_tools[] = {
    { .method = "GET", .path = "/tools", .handler = list_tools,
      .summary = "List all tools", .tag = "Tools" },
    { .method = "GET", .path = "/tools/:toolId", .handler = get_tool,
      .summary = "Get tool by ID", .tag = "Tools" },
    { .method = "POST", .path = "/tools/:toolId/execute",
      .handler = execute_tool, .summary = "Execute tool", .tag = "Tools",
      .query = execute_query, .body = mastra_tools_execute_body },
    { .method = NULL }
};
