/* /agents/:agentId/instructions/enhance: the agent's model rewrites the
 * instructions that a person is working on. */

#include <stdlib.h>

#include "../http/router.h"
#include "../http/stream.h"

static const char enhance_body[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"instructions\":{\"type\":\"string\"},"
    "\"comment\":{\"type\":\"string\"}},"
    "\"required\":[\"instructions\",\"comment\"]}";

static const char brief[] =
    "You improve the instructions of AI agents. You are given the present "
    "instructions of one and a person's wish about them. Write new "
    "instructions that fulfil the wish: clear, complete, ordered, in the "
    "language of the present ones. Keep what the wish does not touch, and "
    "invent no tools or facts. Answer with the new instructions in new_prompt "
    "and, in explanation, with one or two sentences on what has changed.";

/* The agent's run, with its answer reduced to the object that it was asked
 * for. */
typedef struct {
    mastra_sink_t sink;              /* first: the run talks to it */
    mastra_sink_t *client;
    mastra_agent_run_t *run;
} enhance_t;

/* ---- the run's answer ---- */

static int ignore_chunk(mastra_sink_t *sink, mastra_json_t *chunk)
{
    return 1;
}

static void on_end(mastra_sink_t *sink, mastra_json_t *answer,
                   const mastra_result_t *error)
{
    static const mastra_result_t none = {
        .status = 422, .code = "NO_INSTRUCTIONS",
        .message = "The model has written no instructions"
    };
    enhance_t *enhance = (enhance_t *)sink;
    mastra_json_t *object = mastra_json_get(answer, "object");

    enhance->client->vtable->end(enhance->client, object,
                                 error || object ? error : &none);
    free(enhance);
}

static const mastra_sink_vtable_t sink_vtable = {
    .chunk = ignore_chunk, .end = on_end
};

/* ---- as work ---- */

static void begin(void *work, mastra_sink_t *sink)
{
    enhance_t *enhance = work;

    enhance->client = sink;
    mastra_agent_run_begin(enhance->run, &enhance->sink);
}

/* The run forgets its sink. */
static void cancel(void *work)
{
    enhance_t *enhance = work;

    mastra_agent_run_cancel(enhance->run);
    free(enhance);
}

static void resume(void *work)
{
    mastra_agent_run_resume(((enhance_t *)work)->run);
}

static void discard(void *work)
{
    mastra_agent_run_discard(((enhance_t *)work)->run);
    free(work);
}

static const char *log_id(const void *work)
{
    return mastra_agent_run_id(((const enhance_t *)work)->run);
}

static const mastra_work_vtable_t vtable = {
    .begin = begin, .cancel = cancel, .resume = resume, .discard = discard,
    .log_id = log_id
};

/* ---- the request ---- */

static mastra_json_t *run_options(const mastra_json_t *body)
{
    return mastra_json_pack(
        "{s:s, s:{s:{s:s, s:{s:{s:s}, s:{s:s}}, s:[s, s], s:b}}, s:[], s:i, "
        "s:[{s:s, s:[{s:s, s:s}, {s:s, s:O}, {s:s, s:s}, {s:s, s:O}]}]}",
        "instructions", brief,
        "structuredOutput", "schema", "type", "object", "properties",
        "explanation", "type", "string", "new_prompt", "type", "string",
        "required", "explanation", "new_prompt", "additionalProperties", 0,
        "activeTools", "maxSteps", 1,
        "messages", "role", "user", "content",
        "type", "text", "text", "The present instructions:",
        "type", "text", "text", mastra_json_get(body, "instructions"),
        "type", "text", "text", "The wish:",
        "type", "text", "text", mastra_json_get(body, "comment"));
}

static int enhance_instructions(mastra_req_t *req)
{
    const char *id = mastra_req_param(req, "agentId");
    const mastra_agent_t *agent = mastra_agents_find(req->host->agents, id);
    mastra_result_t *error = NULL;
    mastra_agent_run_t *run;
    enhance_t *enhance;

    if (!agent) {
        return mastra_reply_error(
            req, mastra_result_make(req->pool, 404, "AGENT_NOT_FOUND",
                                    "Agent with id %s not found", id));
    }
    run = mastra_agent_run_make(&req->host->agent_env, agent,
                                mastra_json_own(run_options(req->body),
                                                req->pool),
                                0, &req->principal, &error, req->pool);
    if (!run) {
        return mastra_reply_error(req, error);
    }
    enhance = calloc(1, sizeof(*enhance));
    if (!enhance) {
        abort();
    }
    enhance->sink.vtable = &sink_vtable;
    enhance->run = run;
    return mastra_stream_run(req, MASTRA_FRAME_JSON, &vtable, enhance);
}

const mastra_route_t mastra_api_enhance[] = {
    { .method = "POST", .path = "/agents/:agentId/instructions/enhance",
      .handler = enhance_instructions,
      .summary = "Enhance agent instructions", .tag = "Agents",
      .body = enhance_body },
    { .method = NULL }
};
