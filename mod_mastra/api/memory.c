/* What the handlers of /memory share. */

#include <string.h>

#include <apr_strings.h>

#include "memory.h"

#define STRING MASTRA_MEMORY_STRING

const char mastra_memory_agent_query[] =
    "{\"type\":\"object\",\"properties\":{\"agentId\":" STRING ","
    "\"resourceId\":" STRING ",\"threadId\":" STRING "},"
    "\"required\":[\"agentId\"]}";
const char mastra_memory_free_query[] =
    "{\"type\":\"object\",\"properties\":{\"agentId\":" STRING ","
    "\"resourceId\":" STRING "}}";

/* ---- whom threads belong to ---- */

const char *mastra_memory_param(mastra_req_t *req, const char *name)
{
    const char *value = mastra_json_get_str(req->query, name);

    return value && *value ? value : NULL;
}

const char *mastra_memory_claim(mastra_req_t *req, const char *asked)
{
    return req->principal.resource_id ? req->principal.resource_id : asked;
}

int mastra_memory_is_foreign(const mastra_json_t *thread, const char *resource)
{
    const char *owner = mastra_json_get_str(thread, "resourceId");

    return resource && (!owner || strcmp(owner, resource));
}

void mastra_memory_reset(mastra_memory_task_t *task)
{
    mastra_json_unref(task->out);
    task->out = NULL;
}

apr_status_t mastra_memory_load(mastra_memory_task_t *task, mastra_db_t *db,
                                apr_pool_t *pool)
{
    mastra_json_t *thread = NULL;
    apr_status_t rv = mastra_threads_get(&thread, db, task->thread_id, pool);

    mastra_memory_reset(task);
    if (rv) {
        return rv;
    }
    task->foreign = mastra_memory_is_foreign(thread, task->resource_id);
    if (task->foreign) {
        mastra_json_unref(thread);
        return APR_EACCES;
    }
    task->out = thread;
    return APR_SUCCESS;
}

apr_status_t mastra_memory_lock(mastra_memory_task_t *task, mastra_db_t *db,
                                apr_pool_t *pool)
{
    apr_status_t rv = mastra_threads_touch(db, task->thread_id, apr_time_now(),
                                           pool);

    return rv ? rv : mastra_memory_load(task, db, pool);
}

/* ---- jobs and answers ---- */

apr_status_t mastra_memory_call(mastra_memory_task_t *task,
                                mastra_store_mode_e mode,
                                mastra_store_run_cb *run)
{
    return mastra_store_call(task->req->host->store, mode, run, task);
}

int mastra_memory_fail(mastra_memory_task_t *task, apr_status_t rv,
                       const char *what)
{
    mastra_req_t *req = task->req;

    mastra_memory_reset(task);
    if (rv == MASTRA_STORE_NOT_FOUND) {
        return mastra_reply_fail(req, 404, "Thread not found");
    }
    if (task->foreign) {
        return mastra_reply_fail(req, 403, task->foreign == 2
                                 ? "Access denied: cannot save messages for a "
                                   "different resource"
                                 : "Access denied: thread belongs to a "
                                   "different resource");
    }
    return mastra_reply_error(req, mastra_store_result(req->pool, rv, what));
}

int mastra_memory_answer(mastra_memory_task_t *task, apr_status_t rv,
                         const char *what)
{
    if (rv) {
        return mastra_memory_fail(task, rv, what);
    }
    return mastra_reply_json(task->req, task->out);
}

mastra_json_t *mastra_memory_page(mastra_memory_task_t *task, const char *name,
                                  apr_int64_t page, apr_int64_t per_page)
{
    int more = per_page ? page < task->total / per_page + 1
                              && (page + 1) * per_page < task->total
                        : task->total > 0;

    return mastra_json_pack("{s:o, s:I, s:I, s:I, s:b}", name, task->out,
                            "total", task->total, "page", page, "perPage",
                            per_page, "hasMore", more);
}

/* ---- agents ---- */

const mastra_agent_t *mastra_memory_agent_maybe(mastra_req_t *req)
{
    const char *id = mastra_memory_param(req, "agentId");
    const mastra_agent_t *agent = id ? mastra_agents_find(req->host->agents, id)
                                     : NULL;

    return agent && agent->memory.enabled ? agent : NULL;
}

const mastra_agent_t *mastra_memory_agent(mastra_req_t *req, int *prc)
{
    const char *id = mastra_memory_param(req, "agentId");
    const mastra_agent_t *agent = id ? mastra_agents_find(req->host->agents, id)
                                     : NULL;

    if (!agent) {
        *prc = mastra_reply_fail(req, 404, "Agent not found");
        return NULL;
    }
    if (!agent->memory.enabled) {
        *prc = mastra_reply_fail(req, 400, "Memory is not initialized");
        return NULL;
    }
    return agent;
}

int mastra_memory_config(mastra_memory_t *memory, const mastra_agent_t *agent,
                         const mastra_json_t *config, mastra_req_t *req,
                         int *prc)
{
    mastra_result_t *error = mastra_memory_override(memory, &agent->memory,
                                                    config, req->pool);

    if (error) {
        *prc = mastra_reply_error(req, error);
    }
    return !error;
}

/* ---- dates ---- */

static int refuse_date(mastra_req_t *req, const char *what, const char *field)
{
    return mastra_reply_json_status(
        req, 400,
        mastra_json_pack("{s:s, s:[{s:s, s:s}]}", "error", what, "issues",
                         "field", field, "message",
                         "Invalid input: expected date, received Date"));
}

int mastra_memory_date(apr_time_t *ptime, const mastra_json_t *value,
                       mastra_req_t *req, const char *what, const char *field,
                       int *prc)
{
    *ptime = 0;
    if (!value || mastra_json_is_null(value)) {
        return 1;
    }
    if (mastra_json_is_number(value)) {
        *ptime = (apr_time_t)(mastra_json_num(value) * 1000.0);
        return 1;
    }
    if (mastra_json_is_string(value)
        && !mastra_text_iso_parse(ptime, mastra_json_str(value))) {
        return 1;
    }
    *prc = refuse_date(req, what, field);
    return 0;
}
