/* Routes of the configuration whose target is an agent. */

#include <string.h>

#include <apr_strings.h>

#include "run_options.h"
#include "../http/custom.h"
#include "../http/request.h"

const char mastra_custom_agent_query[] =
    "{\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\"},"
    "\"threadId\":{\"type\":\"string\"},\"resourceId\":{\"type\":\"string\"}}}";

const char mastra_custom_agent_body[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"message\":{\"type\":\"string\"},"
    "\"messages\":{\"anyOf\":[{\"type\":\"array\",\"items\":{}},"
    "{\"type\":\"string\"}]}," MASTRA_RUN_OPTIONS "}}";

/* The words of a request without messages: where a form, a link or a path has
 * room for them. */
static const char *message_of(const mastra_req_t *req)
{
    const char *message = mastra_json_get_str(req->body, "message");

    if (!message) {
        message = mastra_json_get_str(req->query, "message");
    }
    return message ? message : mastra_req_param(req, "message");
}

/* Of a query: bodies have it in memory. */
static void set_memory(mastra_req_t *req, mastra_json_t *options)
{
    const char *thread = mastra_json_get_str(req->query, "threadId");

    if (thread && !mastra_json_get(options, "memory")) {
        mastra_json_set(options, "memory", mastra_json_pack(
                            "{s:s, s:s*}", "thread", thread, "resource",
                            mastra_json_get_str(req->query, "resourceId")));
    }
}

/* A run that may outlive its client needs a thread to leave its answer in; a
 * client that named none is told which. */
static void set_thread(mastra_req_t *req, mastra_json_t *options)
{
    const char *owner = req->principal.resource_id, *thread;
    mastra_json_t *memory = mastra_json_get(options, "memory");

    if (!mastra_json_get(memory, "thread")) {
        thread = mastra_text_uuid_make(req->pool);
        mastra_json_set(options, "memory", mastra_json_pack(
                            "{s:s, s:s}", "thread", thread, "resource",
                            mastra_json_get(memory, "resource")
                            ? mastra_json_get_str(memory, "resource")
                            : owner && *owner ? owner : thread));
        apr_table_setn(req->r->err_headers_out, "X-Mastra-Thread-Id", thread);
    }
}

/* Parameters of the path are for instructions, too: {{params.name}}. */
static void show_params(mastra_req_t *req)
{
    mastra_json_t *params = mastra_req_params(req);
    mastra_json_t *context = req->principal.request_context;

    if (!mastra_json_size(params)) {
        mastra_json_unref(params);
        mastra_json_del(context, "params");
        return;
    }
    if (!context) {
        context = mastra_json_own(mastra_json_object(), req->pool);
        req->principal.request_context = context;
    }
    mastra_json_set(context, "params", params);
}

static int no_words(mastra_req_t *req)
{
    mastra_result_t *error = mastra_result_make(
        req->pool, 400, "INVALID_BODY", "Invalid request body");

    error->detail = mastra_json_own(
        mastra_json_pack("{s:[{s:s, s:s}]}", "issues", "field", "messages",
                         "message", "messages or message is required"),
        req->pool);
    return mastra_reply_error(req, error);
}

int mastra_custom_agent(mastra_req_t *req)
{
    const mastra_custom_t *custom = (const mastra_custom_t *)req->route;
    const mastra_agent_t *agent = mastra_agents_find(req->host->agents,
                                                     custom->target);
    mastra_json_t *options = req->body;
    mastra_result_t *error = NULL;
    mastra_agent_run_t *run;

    if (!options) {
        options = mastra_json_own(mastra_json_object(), req->pool);
    }
    if (!mastra_json_get(options, "messages")) {
        const char *message = message_of(req);

        if (!message) {
            return no_words(req);
        }
        mastra_json_set_str(options, "messages", message);
    }
    set_memory(req, options);
    if (custom->keep) {
        set_thread(req, options);
    }
    show_params(req);
    run = mastra_agent_run_make(&req->host->agent_env, agent, options,
                                custom->frame != MASTRA_FRAME_JSON,
                                &req->principal, &error, req->pool);
    if (!run) {
        return mastra_reply_error(req, error);
    }
    return custom->keep
           ? mastra_stream_run_kept(req, custom->frame,
                                    &mastra_work_agent_run, run)
           : mastra_stream_run(req, custom->frame, &mastra_work_agent_run,
                               run);
}
