/* /memory: status, configuration, threads. */

#include <string.h>

#include <apr_strings.h>

#include "memory.h"
#include "run_options.h"

/* ---- schemas ---- */

#define STRING MASTRA_MEMORY_STRING
#define ID MASTRA_SCHEMA_ID
#define RECORD MASTRA_SCHEMA_RECORD

static const char threads_query[] =
    "{\"type\":\"object\",\"properties\":{" MASTRA_MEMORY_PAGE("100") ","
    "\"agentId\":" STRING ",\"resourceId\":" STRING ",\"metadata\":" RECORD ","
    "\"orderBy\":{\"type\":\"object\",\"properties\":{\"field\":"
    "{\"type\":\"string\",\"enum\":[\"createdAt\",\"updatedAt\"]},"
    "\"direction\":{\"type\":\"string\",\"enum\":[\"ASC\",\"DESC\"]}}}}}";
static const char create_body[] =
    "{\"type\":\"object\",\"properties\":{\"resourceId\":" ID
    ",\"title\":" STRING ",\"metadata\":" RECORD ","
    "\"threadId\":" ID "},\"required\":[\"resourceId\"]}";
static const char update_body[] =
    "{\"type\":\"object\",\"properties\":{\"title\":" STRING
    ",\"metadata\":" RECORD ",\"resourceId\":" ID "}}";
static const char observed_query[] =
    "{\"type\":\"object\",\"properties\":{\"agentId\":" STRING ","
    "\"resourceId\":" STRING ",\"threadId\":" STRING ",\"from\":{},\"to\":{},"
    "\"offset\":{\"type\":\"integer\",\"minimum\":0,"
    "\"maximum\":9007199254740991},\"limit\":{\"type\":\"integer\","
    "\"minimum\":1,\"maximum\":9007199254740991}},"
    "\"required\":[\"agentId\"]}";
static const char observed_body[] =
    "{\"type\":\"object\",\"properties\":{\"agentId\":" STRING ","
    "\"resourceId\":" STRING ",\"threadId\":" STRING "},"
    "\"required\":[\"agentId\"]}";

/* ---- status, configuration ---- */

static int get_status(mastra_req_t *req)
{
    const mastra_agent_t *agent = mastra_agents_find(
        req->host->agents, mastra_json_get_str(req->query, "agentId"));

    if (!agent) {
        return mastra_reply_json(req, mastra_json_pack("{s:b}", "result", 1));
    }
    if (!agent->memory.enabled) {
        return mastra_reply_json(req, mastra_json_pack("{s:b}", "result", 0));
    }
    return mastra_reply_json(req, mastra_json_pack("{s:b, s:s}", "result", 1,
                                                   "memoryType", "local"));
}

static int get_config(mastra_req_t *req)
{
    const mastra_agent_t *agent = mastra_memory_agent_maybe(req);
    mastra_json_t *config = agent ? mastra_json_ref(agent->memory.config)
                                  : mastra_json_null();

    return mastra_reply_json(req, mastra_json_pack("{s:o}", "config", config));
}

/* Observational memory is no part of this server. */
static int refuse_observed(mastra_req_t *req, const char *agent)
{
    if (!mastra_agents_find(req->host->agents, agent)) {
        return mastra_reply_fail(req, 404, "Agent not found");
    }
    return mastra_reply_fail(req, 400, "Observational Memory is not enabled "
                                       "for this agent");
}

static int get_observed(mastra_req_t *req)
{
    static const char *const dates[] = { "from", "to", NULL };
    apr_time_t when;
    int rc, i;

    for (i = 0; dates[i]; i++) {
        if (!mastra_memory_date(&when, mastra_json_get(req->query, dates[i]),
                                req, "Invalid query parameters", dates[i],
                                &rc)) {
            return rc;
        }
    }
    return refuse_observed(req, mastra_json_get_str(req->query, "agentId"));
}

static int await_observed(mastra_req_t *req)
{
    return refuse_observed(req, mastra_json_get_str(req->body, "agentId"));
}

/* ---- threads ---- */

static apr_status_t list_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;

    mastra_memory_reset(task);
    return mastra_threads_list(&task->out, &task->total, db, &task->threads,
                               pool);
}

static int list_threads(mastra_req_t *req)
{
    const mastra_json_t *order = mastra_json_get(req->query, "orderBy");
    const char *direction = mastra_json_get_str(order, "direction");
    mastra_memory_task_t task = { .req = req };
    apr_status_t rv;

    task.threads.resource_id = mastra_memory_claim(
        req, mastra_memory_param(req, "resourceId"));
    task.threads.metadata = mastra_json_get(req->query, "metadata");
    task.threads.order_by = mastra_json_get_str(order, "field");
    task.threads.ascending = direction && !strcmp(direction, "ASC");
    task.threads.page = mastra_json_get_int(req->query, "page", 0);
    task.threads.per_page = mastra_json_get_int(req->query, "perPage", 100);
    rv = mastra_memory_call(&task, MASTRA_STORE_READ, list_run);
    if (rv) {
        return mastra_memory_fail(&task, rv, "list threads");
    }
    return mastra_reply_json(req, mastra_memory_page(&task, "threads",
                                                     task.threads.page,
                                                     task.threads.per_page));
}

static apr_status_t get_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    return mastra_memory_load(baton, db, pool);
}

static int get_thread(mastra_req_t *req)
{
    mastra_memory_task_t task = {
        .req = req, .thread_id = mastra_req_param(req, "threadId"),
        .resource_id = mastra_memory_claim(
            req, mastra_memory_param(req, "resourceId"))
    };

    return mastra_memory_answer(&task,
                                mastra_memory_call(&task, MASTRA_STORE_READ,
                                                   get_run),
                                "read the thread");
}

/* A thread that is there already may be written anew by its owner alone. */
static apr_status_t create_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;
    apr_status_t rv = mastra_memory_lock(task, db, pool);
    const char *created;

    if (rv && rv != MASTRA_STORE_NOT_FOUND) {
        return rv;
    }
    created = mastra_json_get_str(task->out, "createdAt");
    if (created) {
        mastra_json_set_str(task->in, "createdAt", created);
    }
    mastra_memory_reset(task);
    return mastra_threads_save(db, task->in, pool);
}

static int create_thread(mastra_req_t *req)
{
    const char *id = mastra_json_get_str(req->body, "threadId");
    const char *title = mastra_json_get_str(req->body, "title");
    const char *now = mastra_text_iso_make(req->pool, apr_time_now());
    mastra_json_t *metadata = mastra_json_get(req->body, "metadata"), *thread;
    mastra_memory_task_t task = { .req = req };
    apr_status_t rv;
    int rc;

    if (!mastra_memory_agent(req, &rc)) {
        return rc;
    }
    task.thread_id = id && *id ? id : mastra_text_uuid_make(req->pool);
    task.resource_id = mastra_memory_claim(
        req, mastra_json_get_str(req->body, "resourceId"));
    thread = mastra_json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:O*}", "id", task.thread_id, "title",
        title ? title : "", "resourceId", task.resource_id, "createdAt", now,
        "updatedAt", now, "metadata", metadata);
    task.in = thread;
    rv = mastra_memory_call(&task, MASTRA_STORE_WRITE, create_run);
    if (rv) {
        mastra_json_unref(thread);
        return mastra_memory_fail(&task, rv, "create the thread");
    }
    return mastra_reply_json(req, thread);
}

static void set_member(mastra_json_t *thread, const mastra_json_t *body,
                       const char *name)
{
    mastra_json_t *value = mastra_json_get(body, name);

    if (value) {
        mastra_json_set(thread, name, mastra_json_ref(value));
    }
}

static apr_status_t update_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;
    apr_status_t rv = mastra_memory_lock(task, db, pool);

    if (rv) {
        return rv;
    }
    set_member(task->out, task->in, "title");
    set_member(task->out, task->in, "metadata");
    mastra_json_set_str(task->out, "updatedAt",
                        mastra_text_iso_make(pool, apr_time_now()));
    return mastra_threads_save(db, task->out, pool);
}

/* The body's resourceId says who asks: another owner is what transfer gives. */
static int update_thread(mastra_req_t *req)
{
    mastra_memory_task_t task = {
        .req = req, .in = req->body,
        .thread_id = mastra_req_param(req, "threadId"),
        .resource_id = mastra_memory_claim(
            req, mastra_json_get_str(req->body, "resourceId"))
    };
    int rc;

    if (!mastra_memory_agent(req, &rc)) {
        return rc;
    }
    return mastra_memory_answer(&task,
                                mastra_memory_call(&task, MASTRA_STORE_WRITE,
                                                   update_run),
                                "update the thread");
}

static apr_status_t delete_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;
    apr_status_t rv = mastra_memory_load(task, db, pool);

    mastra_memory_reset(task);
    return rv ? rv : mastra_threads_delete(db, task->thread_id, pool);
}

static int delete_by_id(mastra_req_t *req)
{
    mastra_memory_task_t task = {
        .req = req, .thread_id = mastra_req_param(req, "threadId"),
        .resource_id = mastra_memory_claim(
            req, mastra_memory_param(req, "resourceId"))
    };
    apr_status_t rv = mastra_memory_call(&task, MASTRA_STORE_WRITE,
                                         delete_run);

    if (rv) {
        return mastra_memory_fail(&task, rv, "delete the thread");
    }
    return mastra_reply_json(req, mastra_json_pack("{s:s}", "result",
                                                   "Thread deleted"));
}

static int delete_thread(mastra_req_t *req)
{
    int rc;

    return mastra_memory_agent(req, &rc) ? delete_by_id(req) : rc;
}

/* ---- routes ---- */

#define THREAD .resource = "path:threadId"

/* Those that are there twice: below /memory and below /memory/network. */
#define ROUTES(base, label, more) \
    { .method = "GET", .path = base "/status", .handler = get_status, \
      .summary = "Get memory status" more, .tag = label, \
      .query = mastra_memory_agent_query }, \
    { .method = "GET", .path = base "/threads", .handler = list_threads, \
      .summary = "List memory threads" more, .tag = label, \
      .query = threads_query }, \
    { .method = "POST", .path = base "/threads", .handler = create_thread, \
      .summary = "Create thread" more, .tag = label, \
      .query = mastra_memory_agent_query, .body = create_body }, \
    { .method = "GET", .path = base "/threads/:threadId", \
      .handler = get_thread, .summary = "Get thread by ID" more, \
      .tag = label, THREAD, .query = mastra_memory_free_query }, \
    { .method = "PATCH", .path = base "/threads/:threadId", \
      .handler = update_thread, .summary = "Update thread" more, \
      .tag = label, THREAD, .query = mastra_memory_agent_query, \
      .body = update_body }, \
    { .method = "DELETE", .path = base "/threads/:threadId", \
      .handler = delete_thread, .summary = "Delete thread" more, \
      .tag = label, THREAD, .query = mastra_memory_agent_query }

const mastra_route_t mastra_api_memory_threads[] = {
    ROUTES("/memory", "Memory", ""),
    ROUTES("/memory/network", "Memory - Network", " (network)"),
    { .method = "GET", .path = "/memory/config", .handler = get_config,
      .summary = "Get memory configuration", .tag = "Memory",
      .query = mastra_memory_agent_query },
    { .method = "GET", .path = "/memory/observational-memory",
      .handler = get_observed, .summary = "Get observational memory data",
      .tag = "Memory", .query = observed_query },
    { .method = "POST", .path = "/memory/observational-memory/buffer-status",
      .handler = await_observed, .tag = "Memory",
      .summary = "Await observational memory buffering completion",
      .body = observed_body },
    { .method = "DELETE", .path = "/memory/:threadId", .handler = delete_by_id,
      .summary = "Delete thread", .tag = "Memory", THREAD,
      .query = mastra_memory_free_query, .flags = MASTRA_ROUTE_ALIAS },
    { .method = NULL }
};
