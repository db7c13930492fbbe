/* /memory: threads and messages. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "../http/router.h"
#include "../store/threads.h"

/* ---- schemas ---- */

#define STRING "{\"type\":\"string\"}"
#define PAGE(n) \
    "\"page\":{\"default\":0,\"type\":\"integer\",\"minimum\":0," \
    "\"maximum\":9007199254740991}," \
    "\"perPage\":{\"default\":" n ",\"type\":\"integer\",\"minimum\":0," \
    "\"maximum\":9007199254740991}"

static const char agent_query[] =
    "{\"type\":\"object\",\"properties\":{\"agentId\":" STRING ","
    "\"resourceId\":" STRING ",\"threadId\":" STRING "},"
    "\"required\":[\"agentId\"]}";
static const char free_query[] =
    "{\"type\":\"object\",\"properties\":{\"agentId\":" STRING ","
    "\"resourceId\":" STRING "}}";
static const char threads_query[] =
    "{\"type\":\"object\",\"properties\":{" PAGE("100") ",\"agentId\":" STRING
    ",\"resourceId\":" STRING ",\"metadata\":" MASTRA_SCHEMA_RECORD ","
    "\"orderBy\":{\"type\":\"object\",\"properties\":{\"field\":"
    "{\"type\":\"string\",\"enum\":[\"createdAt\",\"updatedAt\"]},"
    "\"direction\":{\"type\":\"string\",\"enum\":[\"ASC\",\"DESC\"]}}}}}";
static const char create_body[] =
    "{\"type\":\"object\",\"properties\":{\"resourceId\":" STRING
    ",\"title\":" STRING ",\"metadata\":" MASTRA_SCHEMA_RECORD ","
    "\"threadId\":" STRING "},\"required\":[\"resourceId\"]}";
static const char update_body[] =
    "{\"type\":\"object\",\"properties\":{\"title\":" STRING
    ",\"metadata\":" MASTRA_SCHEMA_RECORD ",\"resourceId\":" STRING "}}";
static const char messages_query[] =
    "{\"type\":\"object\",\"properties\":{" PAGE("40") ",\"agentId\":" STRING
    ",\"resourceId\":" STRING ",\"orderBy\":{\"type\":\"object\","
    "\"properties\":{\"field\":{\"type\":\"string\",\"enum\":[\"createdAt\"]},"
    "\"direction\":{\"type\":\"string\",\"enum\":[\"ASC\",\"DESC\"]}}},"
    "\"include\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"properties\":{\"id\":" STRING ",\"threadId\":" STRING ","
    "\"withPreviousMessages\":{\"type\":\"number\"},"
    "\"withNextMessages\":{\"type\":\"number\"}},\"required\":[\"id\"]}},"
    "\"filter\":{\"type\":\"object\",\"properties\":{\"dateRange\":"
    "{\"type\":\"object\",\"properties\":{\"start\":{},\"end\":{},"
    "\"startExclusive\":{\"type\":\"boolean\"},"
    "\"endExclusive\":{\"type\":\"boolean\"}}},"
    "\"roles\":{\"type\":\"array\",\"items\":" STRING "},"
    "\"metadata\":" MASTRA_SCHEMA_RECORD "}},"
    "\"includeSystemReminders\":{\"type\":\"boolean\"}}}";
static const char save_body[] =
    "{\"type\":\"object\",\"properties\":{\"messages\":{\"type\":\"array\","
    "\"items\":{}}},\"required\":[\"messages\"]}";
static const char delete_body[] =
    "{\"type\":\"object\",\"properties\":{\"messageIds\":{\"anyOf\":["
    STRING ",{\"type\":\"array\",\"items\":" STRING "},"
    "{\"type\":\"object\",\"properties\":{\"id\":" STRING "},"
    "\"required\":[\"id\"]},{\"type\":\"array\",\"items\":"
    "{\"type\":\"object\",\"properties\":{\"id\":" STRING "},"
    "\"required\":[\"id\"]}}]}},\"required\":[\"messageIds\"]}";

/* ---- what jobs share ---- */

typedef struct {
    mastra_req_t *req;
    const char *thread_id;
    const char *resource_id;         /* that the caller claims, or NULL */
    mastra_json_t *in;               /* lent */
    mastra_json_t *out;              /* new reference, set by the job */
    apr_int64_t total;
    int foreign;                     /* the thread is somebody else's */
    mastra_threads_filter_t threads;
    mastra_messages_filter_t messages;
} task_t;

static const char *query_str(mastra_req_t *req, const char *name)
{
    return mastra_json_get_str(req->query, name);
}

/* Who the caller is as to memory: what auth says, else what is asked for. */
static const char *claimed_resource(mastra_req_t *req, const char *asked)
{
    return req->principal.resource_id ? req->principal.resource_id : asked;
}

static int is_foreign(const mastra_json_t *thread, const char *resource)
{
    const char *owner = mastra_json_get_str(thread, "resourceId");

    return resource && (!owner || strcmp(owner, resource));
}

/* The thread of the task, checked for its owner; keeps it in task->out. */
static apr_status_t load_thread(task_t *task, mastra_db_t *db, apr_pool_t *pool)
{
    mastra_json_t *thread = NULL;
    apr_status_t rv = mastra_threads_get(&thread, db, task->thread_id, pool);

    mastra_json_unref(task->out);
    task->out = NULL;
    if (rv) {
        return rv;
    }
    task->foreign = is_foreign(thread, task->resource_id);
    if (task->foreign) {
        mastra_json_unref(thread);
        return APR_EACCES;
    }
    task->out = thread;
    return APR_SUCCESS;
}

static apr_status_t call(task_t *task, mastra_store_mode_e mode,
                         mastra_store_run_cb *run)
{
    return mastra_store_call(task->req->host->store, mode, run, task);
}

static int answer_failure(task_t *task, apr_status_t rv, const char *what)
{
    mastra_req_t *req = task->req;

    if (rv == MASTRA_STORE_NOT_FOUND) {
        return mastra_reply_fail(req, 404, "Thread not found");
    }
    if (task->foreign) {
        return mastra_reply_fail(req, 403, "Access denied: thread belongs to a "
                                           "different resource");
    }
    return mastra_reply_error(req, mastra_store_result(req->pool, rv, what));
}

static int answer(task_t *task, apr_status_t rv, const char *what)
{
    if (rv) {
        mastra_json_unref(task->out);
        return answer_failure(task, rv, what);
    }
    return mastra_reply_json(task->req, task->out);
}

/* The agent of ?agentId=, which must exist and have a memory; NULL: answered
 * with *prc. */
static const mastra_agent_t *memory_agent(mastra_req_t *req, int *prc)
{
    const char *id = query_str(req, "agentId");
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

/* ---- status, config ---- */

static int get_status(mastra_req_t *req)
{
    const mastra_agent_t *agent = mastra_agents_find(req->host->agents,
                                                     query_str(req, "agentId"));

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
    const mastra_agent_t *agent = mastra_agents_find(req->host->agents,
                                                     query_str(req, "agentId"));
    mastra_json_t *config;

    config = agent && agent->memory.enabled ? mastra_json_ref(agent->memory.config)
                                   : mastra_json_null();
    return mastra_reply_json(req, mastra_json_pack("{s:o}", "config", config));
}

/* ---- threads ---- */

static apr_status_t list_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    task_t *task = baton;

    mastra_json_unref(task->out);
    task->out = NULL;
    return mastra_threads_list(&task->out, &task->total, db, &task->threads,
                               pool);
}

static mastra_json_t *page_of(task_t *task, const char *name, apr_int64_t page,
                              apr_int64_t per_page)
{
    int more = per_page > 0 && page < task->total / per_page + 1
               && (page + 1) * per_page < task->total;

    return mastra_json_pack("{s:o, s:I, s:I, s:I, s:b}", name, task->out,
                            "total", task->total, "page", page, "perPage",
                            per_page, "hasMore", more);
}

static int list_threads(mastra_req_t *req)
{
    const mastra_json_t *order = mastra_json_get(req->query, "orderBy");
    const char *direction = mastra_json_get_str(order, "direction");
    task_t task = { .req = req };
    apr_status_t rv;

    task.threads.resource_id = claimed_resource(req, query_str(req,
                                                               "resourceId"));
    task.threads.metadata = mastra_json_get(req->query, "metadata");
    task.threads.order_by = mastra_json_get_str(order, "field");
    task.threads.ascending = direction && !strcmp(direction, "ASC");
    task.threads.page = mastra_json_get_int(req->query, "page", 0);
    task.threads.per_page = mastra_json_get_int(req->query, "perPage", 100);
    rv = call(&task, MASTRA_STORE_READ, list_run);
    if (rv) {
        return answer_failure(&task, rv, "list threads");
    }
    return mastra_reply_json(req, page_of(&task, "threads", task.threads.page,
                                          task.threads.per_page));
}

static apr_status_t get_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    return load_thread(baton, db, pool);
}

static int get_thread(mastra_req_t *req)
{
    task_t task = { .req = req,
                    .thread_id = mastra_req_param(req, "threadId"),
                    .resource_id = claimed_resource(
                        req, query_str(req, "resourceId")) };

    return answer(&task, call(&task, MASTRA_STORE_READ, get_run),
                  "read the thread");
}

static apr_status_t create_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    task_t *task = baton;
    mastra_json_t *thread = NULL;
    apr_status_t rv = mastra_threads_get(&thread, db, task->thread_id, pool);

    if (!rv) {
        task->foreign = is_foreign(thread, mastra_json_get_str(task->in,
                                                               "resourceId"));
        mastra_json_unref(thread);
        if (task->foreign) {
            return APR_EACCES;
        }
    }
    else if (rv != MASTRA_STORE_NOT_FOUND) {
        return rv;
    }
    return mastra_threads_save(db, task->in, pool);
}

static int create_thread(mastra_req_t *req)
{
    const char *id = mastra_json_get_str(req->body, "threadId");
    const char *title = mastra_json_get_str(req->body, "title");
    const char *now = mastra_text_iso_make(req->pool, apr_time_now());
    mastra_json_t *metadata = mastra_json_get(req->body, "metadata"), *thread;
    task_t task = { .req = req };
    apr_status_t rv;
    int rc;

    if (!memory_agent(req, &rc)) {
        return rc;
    }
    task.thread_id = id && *id ? id : mastra_text_uuid_make(req->pool);
    thread = mastra_json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:O*}", "id", task.thread_id, "title",
        title ? title : "", "resourceId",
        claimed_resource(req, mastra_json_get_str(req->body, "resourceId")),
        "createdAt", now, "updatedAt", now, "metadata", metadata);
    task.in = thread;
    rv = call(&task, MASTRA_STORE_WRITE, create_run);
    if (rv) {
        mastra_json_unref(thread);
        return answer_failure(&task, rv, "create the thread");
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
    task_t *task = baton;
    apr_status_t rv = load_thread(task, db, pool);

    if (rv) {
        return rv;
    }
    set_member(task->out, task->in, "title");
    set_member(task->out, task->in, "metadata");
    if (!task->req->principal.resource_id) {
        set_member(task->out, task->in, "resourceId");
    }
    mastra_json_set_str(task->out, "updatedAt",
                        mastra_text_iso_make(pool, apr_time_now()));
    return mastra_threads_save(db, task->out, pool);
}

static int update_thread(mastra_req_t *req)
{
    task_t task = { .req = req, .in = req->body,
                    .thread_id = mastra_req_param(req, "threadId"),
                    .resource_id = req->principal.resource_id };
    int rc;

    if (!memory_agent(req, &rc)) {
        return rc;
    }
    return answer(&task, call(&task, MASTRA_STORE_WRITE, update_run),
                  "update the thread");
}

static apr_status_t delete_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    task_t *task = baton;
    apr_status_t rv = load_thread(task, db, pool);

    mastra_json_unref(task->out);
    task->out = NULL;
    return rv ? rv : mastra_threads_delete(db, task->thread_id, pool);
}

static int delete_thread(mastra_req_t *req)
{
    task_t task = { .req = req,
                    .thread_id = mastra_req_param(req, "threadId"),
                    .resource_id = claimed_resource(
                        req, query_str(req, "resourceId")) };
    apr_status_t rv = call(&task, MASTRA_STORE_WRITE, delete_run);

    if (rv) {
        return answer_failure(&task, rv, "delete the thread");
    }
    return mastra_reply_json(req, mastra_json_pack("{s:s}", "result",
                                                   "Thread deleted"));
}

/* ---- messages ---- */

static apr_status_t messages_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    task_t *task = baton;
    apr_status_t rv = load_thread(task, db, pool);

    mastra_json_unref(task->out);
    task->out = NULL;
    return rv ? rv : mastra_messages_list(&task->out, &task->total, db,
                                          &task->messages, pool);
}

static apr_time_t date_of(const mastra_json_t *range, const char *name)
{
    const mastra_json_t *value = mastra_json_get(range, name);
    apr_time_t when = 0;

    if (mastra_json_is_string(value)) {
        mastra_text_iso_parse(&when, mastra_json_str(value));
    }
    else if (mastra_json_is_number(value)) {
        when = (apr_time_t)(mastra_json_num(value) * 1000.0);
    }
    return when;
}

static void set_filter(mastra_messages_filter_t *filter, mastra_req_t *req)
{
    const mastra_json_t *order = mastra_json_get(req->query, "orderBy");
    const mastra_json_t *given = mastra_json_get(req->query, "filter");
    const mastra_json_t *range = mastra_json_get(given, "dateRange");
    const char *direction = mastra_json_get_str(order, "direction");

    filter->thread_id = mastra_req_param(req, "threadId");
    /* through an agent's memory page 0 is the newest, straight from storage it
     * is the oldest: so the real server has it */
    filter->ascending = direction ? !strcmp(direction, "ASC")
                                  : !query_str(req, "agentId");
    filter->page = mastra_json_get_int(req->query, "page", 0);
    filter->per_page = mastra_json_get_int(req->query, "perPage", 40);
    filter->from = date_of(range, "start");
    filter->to = date_of(range, "end");
    filter->from_exclusive = mastra_json_get_bool(range, "startExclusive", 0);
    filter->to_exclusive = mastra_json_get_bool(range, "endExclusive", 0);
    filter->roles = mastra_json_get(given, "roles");
    filter->metadata = mastra_json_get(given, "metadata");
    filter->include = mastra_json_get(req->query, "include");
}

static mastra_json_t *reversed(mastra_json_t *list)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = mastra_json_size(list); i-- > 0;) {
        mastra_json_append(made, mastra_json_ref(mastra_json_at(list, i)));
    }
    mastra_json_unref(list);
    return made;
}

static int list_messages(mastra_req_t *req)
{
    task_t task = { .req = req,
                    .thread_id = mastra_req_param(req, "threadId"),
                    .resource_id = claimed_resource(
                        req, query_str(req, "resourceId")) };
    mastra_json_t *page;
    apr_status_t rv;

    set_filter(&task.messages, req);
    rv = call(&task, MASTRA_STORE_READ, messages_run);
    if (rv) {
        return answer_failure(&task, rv, "list messages");
    }
    if (!task.messages.ascending && !query_str(req, "agentId")) {
        task.out = reversed(task.out);
    }
    page = page_of(&task, "messages", task.messages.page,
                   task.messages.per_page);
    mastra_json_set(page, "uiMessages", mastra_json_null());
    return mastra_reply_json(req, page);
}

/* How many messages lack the thread or the resource they belong to. */
static int count_homeless(const mastra_json_t *messages)
{
    apr_size_t i;
    int n = 0;

    for (i = 0; i < mastra_json_size(messages); i++) {
        const mastra_json_t *message = mastra_json_at(messages, i);

        n += !mastra_json_get_str(message, "threadId")
             || !mastra_json_get_str(message, "resourceId");
    }
    return n;
}

/* Body messages in format 2; NULL: answered with *prc. */
static mastra_json_t *convert_messages(mastra_req_t *req, int *prc)
{
    mastra_json_t *in = mastra_json_get(req->body, "messages"), *made;
    mastra_result_t *error = NULL;
    int homeless = count_homeless(in);

    if (homeless) {
        *prc = mastra_reply_fail(
            req, 400, apr_psprintf(req->pool,
                                   "All messages must have threadId and "
                                   "resourceId fields. Found %d invalid "
                                   "message(s).", homeless));
        return NULL;
    }
    made = mastra_message_stored(in, apr_time_now(), &error, req->pool);
    if (!made) {
        *prc = mastra_reply_error(req, error);
    }
    return made;
}

static apr_status_t save_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    task_t *task = baton;
    apr_size_t i;

    for (i = 0; i < mastra_json_size(task->in); i++) {
        const mastra_json_t *message = mastra_json_at(task->in, i);
        apr_status_t rv;

        task->thread_id = mastra_json_get_str(message, "threadId");
        rv = load_thread(task, db, pool);
        if (rv) {
            return rv;
        }
        mastra_json_unref(task->out);
        task->out = NULL;
    }
    return mastra_messages_save(db, task->in, pool);
}

static int save_messages(mastra_req_t *req)
{
    task_t task = { .req = req, .resource_id = req->principal.resource_id };
    apr_status_t rv;
    int rc;

    if (!memory_agent(req, &rc)) {
        return rc;
    }
    task.in = convert_messages(req, &rc);
    if (!task.in) {
        return rc;
    }
    rv = call(&task, MASTRA_STORE_WRITE, save_run);
    if (rv) {
        mastra_json_unref(task.in);
        return answer_failure(&task, rv, "save messages");
    }
    return mastra_reply_json(req, mastra_json_pack("{s:o}", "messages",
                                                   task.in));
}

static mastra_json_t *id_list(const mastra_json_t *given, apr_pool_t *pool)
{
    mastra_json_t *ids = mastra_json_own(mastra_json_array(), pool);
    apr_size_t i, n = mastra_json_is_array(given) ? mastra_json_size(given) : 1;

    for (i = 0; i < n; i++) {
        mastra_json_t *one = mastra_json_is_array(given)
                                 ? mastra_json_at(given, i)
                                 : (mastra_json_t *)given;

        one = mastra_json_is_object(one) ? mastra_json_get(one, "id") : one;
        mastra_json_append(ids, mastra_json_ref(one));
    }
    return ids;
}

/* Messages of others are left alone, as if they were not there. */
static apr_status_t own_ids(task_t *task, mastra_db_t *db, mastra_json_t **pids,
                            apr_pool_t *pool)
{
    mastra_json_t *messages = NULL, *ids;
    apr_status_t rv;
    apr_size_t i;

    if (!task->resource_id) {
        *pids = task->in;
        return APR_SUCCESS;
    }
    rv = mastra_messages_get(&messages, db, task->in, pool);
    if (rv) {
        return rv;
    }
    mastra_json_own(messages, pool);
    ids = mastra_json_own(mastra_json_array(), pool);
    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_t *message = mastra_json_at(messages, i);

        if (!is_foreign(message, task->resource_id)) {
            mastra_json_append(ids,
                               mastra_json_ref(mastra_json_get(message, "id")));
        }
    }
    *pids = ids;
    return APR_SUCCESS;
}

static apr_status_t delete_messages_run(mastra_db_t *db, void *baton,
                                        apr_pool_t *pool)
{
    task_t *task = baton;
    mastra_json_t *ids;
    apr_status_t rv = own_ids(task, db, &ids, pool);
    int deleted;

    return rv ? rv : mastra_messages_delete(&deleted, db, ids, pool);
}

static int delete_messages(mastra_req_t *req)
{
    task_t task = { .req = req, .resource_id = req->principal.resource_id };
    apr_size_t n;
    apr_status_t rv;

    task.in = id_list(mastra_json_get(req->body, "messageIds"), req->pool);
    n = mastra_json_size(task.in);
    rv = call(&task, MASTRA_STORE_WRITE, delete_messages_run);
    if (rv) {
        return answer_failure(&task, rv, "delete messages");
    }
    return mastra_reply_json(
        req, mastra_json_pack("{s:b, s:s}", "success", 1, "message",
                              apr_psprintf(req->pool, "%" APR_SIZE_T_FMT
                                           " message%s deleted successfully",
                                           n, n == 1 ? "" : "s")));
}

/* ---- the older forms ---- */

/* POST /memory/:threadId/save: threadId, and resourceId of the thread, filled
 * into each message. */
static int save_into_thread(mastra_req_t *req)
{
    task_t task = { .req = req,
                    .thread_id = mastra_req_param(req, "threadId"),
                    .resource_id = req->principal.resource_id };
    apr_status_t rv = call(&task, MASTRA_STORE_READ, get_run);
    mastra_json_t *messages = mastra_json_get(req->body, "messages");
    mastra_json_t *thread = task.out;
    apr_size_t i;
    int rc;

    if (rv) {
        return answer_failure(&task, rv, "read the thread");
    }
    mastra_json_own(thread, req->pool);
    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_t *message = mastra_json_at(messages, i);

        if (mastra_json_is_object(message)) {
            mastra_json_set_str(message, "threadId", task.thread_id);
            mastra_json_set_str(message, "resourceId",
                                mastra_json_get_str(thread, "resourceId"));
        }
    }
    task.out = NULL;
    task.in = convert_messages(req, &rc);
    if (!task.in) {
        return rc;
    }
    rv = call(&task, MASTRA_STORE_WRITE, save_run);
    if (rv) {
        mastra_json_unref(task.in);
        return answer_failure(&task, rv, "save messages");
    }
    return mastra_reply_json(req, mastra_json_pack("{s:o}", "messages",
                                                   task.in));
}

#define MEMORY .tag = "Memory"
#define THREAD .resource = "path:threadId"

const mastra_route_t mastra_api_memory[] = {
    { .method = "GET", .path = "/memory/status", .handler = get_status,
      .summary = "Get memory status", MEMORY, .query = agent_query },
    { .method = "GET", .path = "/memory/config", .handler = get_config,
      .summary = "Get memory configuration", MEMORY, .query = agent_query },
    { .method = "GET", .path = "/memory/threads", .handler = list_threads,
      .summary = "List memory threads", MEMORY, .query = threads_query },
    { .method = "POST", .path = "/memory/threads", .handler = create_thread,
      .summary = "Create thread", MEMORY, .query = agent_query,
      .body = create_body },
    { .method = "GET", .path = "/memory/threads/:threadId",
      .handler = get_thread, .summary = "Get thread by ID", MEMORY, THREAD,
      .query = free_query },
    { .method = "PATCH", .path = "/memory/threads/:threadId",
      .handler = update_thread, .summary = "Update thread", MEMORY, THREAD,
      .query = agent_query, .body = update_body },
    { .method = "DELETE", .path = "/memory/threads/:threadId",
      .handler = delete_thread, .summary = "Delete thread", MEMORY, THREAD,
      .query = agent_query },
    { .method = "GET", .path = "/memory/threads/:threadId/messages",
      .handler = list_messages, .summary = "List thread messages", MEMORY,
      THREAD, .query = messages_query },
    { .method = "POST", .path = "/memory/save-messages",
      .handler = save_messages, .summary = "Save messages", MEMORY,
      .query = agent_query, .body = save_body },
    { .method = "POST", .path = "/memory/messages/delete",
      .handler = delete_messages, .summary = "Delete messages", MEMORY,
      .query = agent_query, .body = delete_body },
    { .method = "GET", .path = "/memory/:threadId", .handler = list_messages,
      .summary = "List thread messages", MEMORY, THREAD,
      .query = messages_query, .flags = MASTRA_ROUTE_ALIAS },
    { .method = "POST", .path = "/memory/:threadId/save",
      .handler = save_into_thread, .summary = "Save messages", MEMORY, THREAD,
      .body = save_body, .flags = MASTRA_ROUTE_ALIAS },
    { .method = "DELETE", .path = "/memory/:threadId",
      .handler = delete_thread, .summary = "Delete thread", MEMORY, THREAD,
      .query = free_query, .flags = MASTRA_ROUTE_ALIAS },
    { .method = NULL }
};
