/* /memory: messages of threads. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "memory.h"

/* ---- schemas ---- */

#define STRING MASTRA_MEMORY_STRING
#define MESSAGES_MAX 1000        /* that are asked for by their ids */

static const char messages_query[] =
    "{\"type\":\"object\",\"properties\":{" MASTRA_MEMORY_PAGE("40") ","
    "\"agentId\":" STRING ",\"resourceId\":" STRING ","
    "\"format\":" STRING ",\"messageIds\":{},"
    "\"orderBy\":{\"type\":\"object\","
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
    "\"metadata\":{\"type\":\"object\",\"propertyNames\":{"
    "\"type\":\"string\",\"maxLength\":128,"
    "\"pattern\":\"^[a-zA-Z_][a-zA-Z0-9_]*$\"},\"additionalProperties\":"
    "{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]}}}},"
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

/* ---- lists ---- */

static apr_status_t list_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;
    apr_status_t rv = mastra_memory_load(task, db, pool);

    mastra_memory_reset(task);
    return rv ? rv : mastra_messages_list(&task->out, &task->total, db,
                                          &task->messages, pool);
}

/* 0: a date is none, answered with *prc. */
static int set_range(mastra_messages_filter_t *filter,
                     const mastra_json_t *range, mastra_req_t *req, int *prc)
{
    static const char what[] = "Invalid query parameters";

    filter->from_exclusive = mastra_json_get_bool(range, "startExclusive", 0);
    filter->to_exclusive = mastra_json_get_bool(range, "endExclusive", 0);
    return mastra_memory_date(&filter->from, mastra_json_get(range, "start"),
                              req, what, "filter.dateRange.start", prc)
           && mastra_memory_date(&filter->to, mastra_json_get(range, "end"),
                                 req, what, "filter.dateRange.end", prc);
}

static int set_filter(mastra_messages_filter_t *filter, mastra_req_t *req,
                      int *prc)
{
    const mastra_json_t *order = mastra_json_get(req->query, "orderBy");
    const mastra_json_t *given = mastra_json_get(req->query, "filter");
    const char *direction = mastra_json_get_str(order, "direction");

    filter->thread_id = mastra_req_param(req, "threadId");
    /* through an agent's memory page 0 is the newest, straight from storage it
     * is the oldest: so the real server has it */
    filter->ascending = direction ? !strcmp(direction, "ASC")
                                  : !mastra_memory_agent_maybe(req);
    filter->page = mastra_json_get_int(req->query, "page", 0);
    filter->per_page = mastra_json_get_int(req->query, "perPage", 40);
    filter->roles = mastra_json_get(given, "roles");
    filter->metadata = mastra_json_get(given, "metadata");
    filter->include = mastra_json_get(req->query, "include");
    return set_range(filter, mastra_json_get(given, "dateRange"), req, prc);
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

/* ?format=v1: the form that clients of old know. */
static int answer_page(mastra_memory_task_t *task, apr_int64_t page,
                       apr_int64_t per_page)
{
    mastra_req_t *req = task->req;
    const char *format = mastra_memory_param(req, "format");
    mastra_json_t *answer, *messages = task->out;

    if (format && !strcmp(format, "v1")) {
        task->out = mastra_memory_v1(messages);
        mastra_json_unref(messages);
    }
    answer = mastra_memory_page(task, "messages", page, per_page);
    mastra_json_set(answer, "uiMessages", mastra_json_null());
    return mastra_reply_json(req, answer);
}

/* ---- by ids ---- */

static apr_status_t ids_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;
    mastra_json_t *messages = NULL;
    apr_status_t rv = mastra_memory_load(task, db, pool);
    apr_size_t i;

    mastra_memory_reset(task);
    if (!rv) {
        rv = mastra_messages_get(&messages, db, task->in, pool);
    }
    if (rv) {
        return rv;
    }
    mastra_json_own(messages, pool);
    task->out = mastra_json_array();
    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_t *message = mastra_json_at(messages, i);
        const char *thread = mastra_json_get_str(message, "threadId");

        if (thread && !strcmp(thread, task->thread_id)) {
            mastra_json_append(task->out, mastra_json_ref(message));
        }
    }
    return APR_SUCCESS;
}

static void add_ids(mastra_json_t *ids, const char *text, apr_pool_t *pool)
{
    char *state = NULL, *id;

    for (id = apr_strtok(apr_pstrdup(pool, text), ",", &state); id;
         id = apr_strtok(NULL, ",", &state)) {
        mastra_json_append(ids, mastra_json_string(id));
    }
}

/* "a,b", or the parameter several times */
static mastra_json_t *asked_ids(mastra_req_t *req)
{
    const mastra_json_t *given = mastra_json_get(req->query, "messageIds");
    mastra_json_t *ids;
    apr_size_t i;

    if (!given) {
        return NULL;
    }
    ids = mastra_json_own(mastra_json_array(), req->pool);
    if (mastra_json_is_string(given)) {
        add_ids(ids, mastra_json_str(given), req->pool);
    }
    for (i = 0; i < mastra_json_size(given); i++) {
        const char *one = mastra_json_str(mastra_json_at(given, i));

        add_ids(ids, one ? one : "", req->pool);
    }
    return ids;
}

static int answer_ids(mastra_memory_task_t *task)
{
    apr_status_t rv;

    if (mastra_json_size(task->in) > MESSAGES_MAX) {
        return mastra_reply_fail(task->req, 400,
                                 "At most 1000 messages can be asked for by "
                                 "their ids");
    }
    rv = mastra_memory_call(task, MASTRA_STORE_READ, ids_run);
    if (rv) {
        return mastra_memory_fail(task, rv, "read messages");
    }
    task->total = mastra_json_size(task->out);
    return answer_page(task, 0, task->total);
}

static int list_messages(mastra_req_t *req)
{
    mastra_memory_task_t task = {
        .req = req, .thread_id = mastra_req_param(req, "threadId"),
        .resource_id = mastra_memory_claim(
            req, mastra_memory_param(req, "resourceId"))
    };
    apr_status_t rv;
    int rc;

    task.in = asked_ids(req);
    if (task.in) {
        return answer_ids(&task);
    }
    if (!set_filter(&task.messages, req, &rc)) {
        return rc;
    }
    rv = mastra_memory_call(&task, MASTRA_STORE_READ, list_run);
    if (rv) {
        return mastra_memory_fail(&task, rv, "list messages");
    }
    if (!task.messages.ascending && !mastra_memory_agent_maybe(req)) {
        task.out = reversed(task.out);
    }
    return answer_page(&task, task.messages.page, task.messages.per_page);
}

/* ---- saving ---- */

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

/* Each message's thread is there, and belongs to the message's resource. */
static apr_status_t check_threads(mastra_memory_task_t *task, mastra_db_t *db,
                                  apr_pool_t *pool)
{
    const char *last = NULL;
    apr_status_t rv;
    apr_size_t i;

    for (i = 0; i < mastra_json_size(task->in); i++) {
        const mastra_json_t *message = mastra_json_at(task->in, i);

        task->thread_id = mastra_json_get_str(message, "threadId");
        task->resource_id = mastra_memory_claim(
            task->req, mastra_json_get_str(message, "resourceId"));
        if (task->req->principal.resource_id
            && mastra_memory_is_foreign(message, task->resource_id)) {
            task->foreign = 2;
            return APR_EACCES;
        }
        /* most often all are of one thread */
        if (last && !strcmp(last, task->thread_id) && task->out
            && !mastra_memory_is_foreign(task->out, task->resource_id)) {
            continue;
        }
        rv = mastra_memory_load(task, db, pool);
        if (rv) {
            return rv;
        }
        last = task->thread_id;
    }
    return APR_SUCCESS;
}

static apr_status_t save_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;
    apr_status_t rv = check_threads(task, db, pool);

    mastra_memory_reset(task);
    return rv ? rv : mastra_messages_save(db, task->in, pool);
}

static int save(mastra_memory_task_t *task)
{
    mastra_req_t *req = task->req;
    apr_status_t rv;
    int rc;

    task->in = convert_messages(req, &rc);
    if (!task->in) {
        return rc;
    }
    rv = mastra_memory_call(task, MASTRA_STORE_WRITE, save_run);
    if (rv) {
        mastra_json_unref(task->in);
        return rv == MASTRA_STORE_EXISTS
                   ? mastra_reply_fail(req, 409, "A message with this id "
                                                 "belongs to another resource")
                   : mastra_memory_fail(task, rv, "save messages");
    }
    return mastra_reply_json(req, mastra_json_pack("{s:o}", "messages",
                                                   task->in));
}

static int save_messages(mastra_req_t *req)
{
    mastra_memory_task_t task = { .req = req };
    int rc;

    return mastra_memory_agent(req, &rc) ? save(&task) : rc;
}

static apr_status_t get_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    return mastra_memory_load(baton, db, pool);
}

/* POST /memory/:threadId/save: threadId, and resourceId of the thread, filled
 * into each message. */
static int save_into_thread(mastra_req_t *req)
{
    mastra_memory_task_t task = {
        .req = req, .thread_id = mastra_req_param(req, "threadId"),
        .resource_id = req->principal.resource_id
    };
    apr_status_t rv = mastra_memory_call(&task, MASTRA_STORE_READ, get_run);
    mastra_json_t *messages = mastra_json_get(req->body, "messages");
    mastra_json_t *thread = task.out;
    apr_size_t i;

    if (rv) {
        return mastra_memory_fail(&task, rv, "read the thread");
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
    return save(&task);
}

/* ---- deleting ---- */

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
static apr_status_t own_ids(mastra_memory_task_t *task, mastra_db_t *db,
                            mastra_json_t **pids, apr_pool_t *pool)
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

        if (!mastra_memory_is_foreign(message, task->resource_id)) {
            mastra_json_append(ids,
                               mastra_json_ref(mastra_json_get(message, "id")));
        }
    }
    *pids = ids;
    return APR_SUCCESS;
}

static apr_status_t delete_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;
    mastra_json_t *ids;
    apr_status_t rv = own_ids(task, db, &ids, pool);
    int deleted;

    return rv ? rv : mastra_messages_delete(&deleted, db, ids, pool);
}

static int delete_messages(mastra_req_t *req)
{
    mastra_memory_task_t task = {
        .req = req,
        .resource_id = mastra_memory_claim(
            req, mastra_memory_param(req, "resourceId"))
    };
    apr_size_t n;
    apr_status_t rv;
    int rc;

    if (!mastra_memory_agent(req, &rc)) {
        return rc;
    }
    task.in = id_list(mastra_json_get(req->body, "messageIds"), req->pool);
    n = mastra_json_size(task.in);
    rv = mastra_memory_call(&task, MASTRA_STORE_WRITE, delete_run);
    if (rv) {
        return mastra_memory_fail(&task, rv, "delete messages");
    }
    return mastra_reply_json(
        req, mastra_json_pack("{s:b, s:s}", "success", 1, "message",
                              apr_psprintf(req->pool, "%" APR_SIZE_T_FMT
                                           " message%s deleted successfully",
                                           n, n == 1 ? "" : "s")));
}

/* ---- routes ---- */

#define THREAD .resource = "path:threadId"

/* Those that are there twice: below /memory and below /memory/network. */
#define ROUTES(base, label, more) \
    { .method = "GET", .path = base "/threads/:threadId/messages", \
      .handler = list_messages, .summary = "List thread messages" more, \
      .tag = label, THREAD, .query = messages_query }, \
    { .method = "POST", .path = base "/save-messages", \
      .handler = save_messages, .summary = "Save messages" more, \
      .tag = label, .query = mastra_memory_agent_query, .body = save_body }, \
    { .method = "POST", .path = base "/messages/delete", \
      .handler = delete_messages, .summary = "Delete messages" more, \
      .tag = label, .query = mastra_memory_agent_query, .body = delete_body }

const mastra_route_t mastra_api_memory_messages[] = {
    ROUTES("/memory", "Memory", ""),
    ROUTES("/memory/network", "Memory - Network", " (network)"),
    { .method = "GET", .path = "/memory/:threadId", .handler = list_messages,
      .summary = "List thread messages", .tag = "Memory", THREAD,
      .query = messages_query, .flags = MASTRA_ROUTE_ALIAS },
    { .method = "POST", .path = "/memory/:threadId/save",
      .handler = save_into_thread, .summary = "Save messages",
      .tag = "Memory", THREAD, .body = save_body,
      .flags = MASTRA_ROUTE_ALIAS },
    { .method = NULL }
};
