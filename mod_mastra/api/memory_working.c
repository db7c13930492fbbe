/* /memory: working memory. */

#include <string.h>

#include <apr_strings.h>

#include "memory.h"
#include "run_options.h"

#define STRING MASTRA_MEMORY_STRING
#define RECORD MASTRA_SCHEMA_RECORD

static const char get_query[] =
    "{\"type\":\"object\",\"properties\":{\"agentId\":" STRING ","
    "\"resourceId\":" STRING ",\"memoryConfig\":" RECORD "},"
    "\"required\":[\"agentId\"]}";
static const char put_query[] =
    "{\"type\":\"object\",\"properties\":{\"agentId\":" STRING "},"
    "\"required\":[\"agentId\"]}";
static const char put_body[] =
    "{\"type\":\"object\",\"properties\":{\"workingMemory\":" STRING ","
    "\"resourceId\":" MASTRA_SCHEMA_ID ",\"memoryConfig\":" RECORD "},"
    "\"required\":[\"workingMemory\"]}";

static const char no_resource[] =
    "Memory error: Resource-scoped working memory is enabled but no resourceId "
    "was provided. Either provide a resourceId or explicitly set "
    "workingMemory.scope to 'thread'.";

/* What a request is about. */
typedef struct {
    const mastra_working_t *working;
    const char *resource_id;
    const char *text;            /* to be stored, or what was read */
    int there;                   /* the thread exists */
} notes_t;

/* ---- reading ---- */

static apr_status_t get_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;
    notes_t *notes = task->more;
    apr_status_t rv = mastra_memory_load(task, db, pool);

    mastra_memory_reset(task);
    notes->there = !rv;
    if (rv && rv != MASTRA_STORE_NOT_FOUND) {
        return rv;
    }
    notes->text = NULL;
    return notes->working
               ? mastra_working_get(&notes->text, db, notes->working,
                                    task->thread_id, notes->resource_id,
                                    task->req->pool)
               : APR_SUCCESS;
}

static mastra_json_t *shown_template(const mastra_working_t *working)
{
    return working ? mastra_json_pack("{s:s, s:s}", "format",
                                      working->schema ? "json" : "markdown",
                                      "content", working->content)
                   : mastra_json_null();
}

static int answer_notes(mastra_req_t *req, const notes_t *notes,
                        const char *source)
{
    return mastra_reply_json(
        req, mastra_json_pack("{s:o, s:s, s:o, s:b}", "workingMemory",
                              mastra_json_string(notes->text), "source",
                              source, "workingMemoryTemplate",
                              shown_template(notes->working), "threadExists",
                              notes->there));
}

static int get_working(mastra_req_t *req)
{
    const mastra_agent_t *agent = mastra_memory_agent_maybe(req);
    notes_t notes = { NULL };
    mastra_memory_task_t task = {
        .req = req, .thread_id = mastra_req_param(req, "threadId"),
        .resource_id = mastra_memory_claim(
            req, mastra_memory_param(req, "resourceId")), .more = &notes
    };
    mastra_memory_t memory;
    apr_status_t rv;
    int rc, per_thread;

    if (!agent) {
        return answer_notes(req, &notes, "thread");
    }
    if (!mastra_memory_config(&memory, agent,
                              mastra_json_get(req->query, "memoryConfig"),
                              req, &rc)) {
        return rc;
    }
    notes.working = memory.working;
    notes.resource_id = task.resource_id;
    if (notes.working && !notes.working->per_thread && !notes.resource_id) {
        return mastra_reply_fail(req, 400, no_resource);
    }
    rv = mastra_memory_call(&task, MASTRA_STORE_READ, get_run);
    if (rv) {
        return mastra_memory_fail(&task, rv, "read the working memory");
    }
    per_thread = notes.working ? notes.working->per_thread
                               : !notes.resource_id;
    return answer_notes(req, &notes, per_thread ? "thread" : "resource");
}

/* ---- writing ---- */

static apr_status_t put_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;
    const notes_t *notes = task->more;
    apr_status_t rv = mastra_memory_load(task, db, pool);

    mastra_memory_reset(task);
    if (!rv) {
        rv = mastra_working_lock(db, notes->working, task->thread_id,
                                 notes->resource_id, pool);
    }
    return rv ? rv : mastra_working_put(db, notes->working, task->thread_id,
                                        notes->resource_id, notes->text, pool);
}

static int put_working(mastra_req_t *req)
{
    notes_t notes = { NULL };
    mastra_memory_task_t task = {
        .req = req, .thread_id = mastra_req_param(req, "threadId"),
        .resource_id = mastra_memory_claim(
            req, mastra_json_get_str(req->body, "resourceId")), .more = &notes
    };
    const mastra_agent_t *agent;
    mastra_memory_t memory;
    apr_status_t rv;
    int rc;

    agent = mastra_memory_agent(req, &rc);
    if (!agent || !mastra_memory_config(&memory, agent,
                                        mastra_json_get(req->body,
                                                        "memoryConfig"),
                                        req, &rc)) {
        return rc;
    }
    notes.working = memory.working;
    notes.resource_id = task.resource_id;
    notes.text = mastra_json_get_str(req->body, "workingMemory");
    if (!notes.working) {
        return mastra_reply_fail(req, 400, "Working memory is not enabled for "
                                           "this memory instance");
    }
    if (!notes.working->per_thread && !notes.resource_id) {
        return mastra_reply_fail(req, 400, no_resource);
    }
    rv = mastra_memory_call(&task, MASTRA_STORE_WRITE, put_run);
    if (rv) {
        return mastra_memory_fail(&task, rv, "store the working memory");
    }
    return mastra_reply_json(req, mastra_json_pack("{s:b}", "success", 1));
}

const mastra_route_t mastra_api_memory_working[] = {
    { .method = "GET", .path = "/memory/threads/:threadId/working-memory",
      .handler = get_working, .summary = "Get working memory",
      .tag = "Memory", .resource = "path:threadId", .query = get_query },
    { .method = "POST", .path = "/memory/threads/:threadId/working-memory",
      .handler = put_working, .summary = "Update working memory",
      .tag = "Memory", .resource = "path:threadId", .query = put_query,
      .body = put_body },
    { .method = NULL }
};
