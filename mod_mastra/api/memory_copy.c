/* /memory: threads that are cloned, or given to another resource. */

#include <string.h>

#include <apr_strings.h>

#include "memory.h"
#include "run_options.h"

#define STRING MASTRA_MEMORY_STRING
#define ID MASTRA_SCHEMA_ID
#define CLONED_MAX 10000         /* messages in one answer */

static const char clone_body[] =
    "{\"type\":\"object\",\"properties\":{\"newThreadId\":" ID ","
    "\"resourceId\":" ID ",\"title\":" STRING ",\"metadata\":"
    MASTRA_SCHEMA_RECORD ",\"options\":{\"type\":\"object\",\"properties\":{"
    "\"messageLimit\":{\"type\":\"number\"},\"messageFilter\":{"
    "\"type\":\"object\",\"properties\":{\"startDate\":{},\"endDate\":{},"
    "\"messageIds\":{\"type\":\"array\",\"items\":" STRING "}}}}}}}";
static const char transfer_query[] =
    "{\"type\":\"object\",\"properties\":{\"agentId\":" STRING "}}";
static const char transfer_body[] =
    "{\"type\":\"object\",\"properties\":{\"resourceId\":{\"type\":\"string\","
    "\"minLength\":1,\"maxLength\":255}},\"required\":[\"resourceId\"]}";

/* ---- clone ---- */

typedef struct {
    const char *id;              /* of the new thread */
    const mastra_memory_t *memory;
    const mastra_json_t *ids;    /* messages asked for, or NULL */
    apr_int64_t limit;           /* the newest so many, 0: all */
    int too_many;
} clone_t;

/* The source's messages that go along, oldest first, at most one more than
 * there may be. */
static apr_status_t source_messages(mastra_json_t **pmessages,
                                    mastra_memory_task_t *task,
                                    mastra_db_t *db, apr_pool_t *pool)
{
    const clone_t *clone = task->more;
    mastra_json_t *all = NULL, *own;
    apr_int64_t total;
    apr_status_t rv;
    apr_size_t i;

    if (!clone->ids) {
        return mastra_messages_list(pmessages, &total, db, &task->messages,
                                    pool);
    }
    rv = mastra_messages_get(&all, db, clone->ids, pool);
    if (rv) {
        return rv;
    }
    mastra_json_own(all, pool);
    own = mastra_json_array();
    for (i = 0; i < mastra_json_size(all); i++) {
        mastra_json_t *message = mastra_json_at(all, i);

        if (!strcmp(mastra_json_get_str(message, "threadId"),
                    task->thread_id)) {
            mastra_json_append(own, mastra_json_ref(message));
        }
    }
    *pmessages = own;
    return APR_SUCCESS;
}

/* Copies with ids of their own; which id became which goes to map. */
static mastra_json_t *copies(mastra_json_t *map, const mastra_json_t *messages,
                             const char *thread_id, const char *resource_id)
{
    mastra_json_t *made = mastra_json_array();
    char id[MASTRA_UUID_LEN + 1];
    apr_size_t i;

    for (i = 0; i < mastra_json_size(messages); i++) {
        const mastra_json_t *message = mastra_json_at(messages, i);
        mastra_json_t *copy = mastra_json_copy_flat(message);

        mastra_text_uuid(id);
        mastra_json_set_str(map, mastra_json_get_str(message, "id"), id);
        mastra_json_set_str(copy, "id", id);
        mastra_json_set_str(copy, "threadId", thread_id);
        mastra_json_set_str(copy, "resourceId", resource_id);
        mastra_json_append(made, copy);
    }
    return made;
}

static const char *title_of(const mastra_json_t *body,
                            const mastra_json_t *source, apr_pool_t *pool)
{
    const char *title = mastra_json_get_str(body, "title");

    if (title && *title) {
        return title;
    }
    title = mastra_json_get_str(source, "title");
    return title && *title ? apr_pstrcat(pool, "Clone of ", title, NULL) : "";
}

static mastra_json_t *clone_thread(mastra_memory_task_t *task,
                                   const mastra_json_t *source,
                                   const mastra_json_t *messages,
                                   apr_pool_t *pool)
{
    const clone_t *clone = task->more;
    const char *now = mastra_text_iso_make(pool, apr_time_now());
    const mastra_json_t *given = mastra_json_get(task->in, "metadata");
    apr_size_t n = mastra_json_size(messages);
    mastra_json_t *metadata = given ? mastra_json_copy_flat(given)
                                    : mastra_json_object();

    mastra_json_set(metadata, "clone", mastra_json_pack(
        "{s:s, s:s, s:s*}", "sourceThreadId", task->thread_id, "clonedAt", now,
        "lastMessageId",
        n ? mastra_json_get_str(mastra_json_at(messages, n - 1), "id")
          : NULL));
    return mastra_json_pack("{s:s, s:s, s:s, s:o, s:s, s:s}", "id", clone->id,
                            "resourceId",
                            mastra_json_get_str(source, "resourceId"), "title",
                            title_of(task->in, source, pool), "metadata",
                            metadata, "createdAt", now, "updatedAt", now);
}

/* Notes of the source thread go along; those of the resource are there. */
static apr_status_t copy_notes(mastra_memory_task_t *task, mastra_db_t *db,
                               apr_pool_t *pool)
{
    const clone_t *clone = task->more;
    const mastra_working_t *working = clone->memory->working;
    const char *text;
    apr_status_t rv;

    if (!working || !working->per_thread) {
        return APR_SUCCESS;
    }
    rv = mastra_working_get(&text, db, working, task->thread_id, NULL, pool);
    return rv || !text ? rv : mastra_working_put(db, working, clone->id, NULL,
                                                 text, pool);
}

static apr_status_t write_clone(mastra_memory_task_t *task, mastra_db_t *db,
                                const mastra_json_t *source,
                                const mastra_json_t *messages,
                                apr_pool_t *pool)
{
    const clone_t *clone = task->more;
    mastra_json_t *map = mastra_json_object(), *made;
    mastra_json_t *thread = clone_thread(task, source, messages, pool);
    apr_status_t rv;

    made = copies(map, messages, clone->id,
                  mastra_json_get_str(source, "resourceId"));
    task->out = mastra_json_pack("{s:o, s:o, s:o}", "thread", thread,
                                 "messageIdMap", map, "clonedMessages", made);
    rv = mastra_threads_save(db, thread, pool);
    if (!rv) {
        rv = mastra_messages_save(db, made, pool);
    }
    return rv ? rv : copy_notes(task, db, pool);
}

static apr_status_t clone_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;
    clone_t *clone = task->more;
    mastra_json_t *there = NULL, *messages = NULL, *source;
    apr_status_t rv = mastra_memory_load(task, db, pool);

    if (rv) {
        return rv;
    }
    source = mastra_json_own(task->out, pool);
    task->out = NULL;
    rv = mastra_threads_get(&there, db, clone->id, pool);
    if (rv != MASTRA_STORE_NOT_FOUND) {
        mastra_json_unref(there);
        return rv ? rv : MASTRA_STORE_EXISTS;
    }
    rv = source_messages(&messages, task, db, pool);
    if (rv) {
        return rv;
    }
    mastra_json_own(messages, pool);
    clone->too_many = mastra_json_size(messages) > CLONED_MAX;
    return clone->too_many ? APR_EINVAL
                           : write_clone(task, db, source, messages, pool);
}

/* 0: answered with *prc. */
static int set_options(mastra_memory_task_t *task, clone_t *clone, int *prc)
{
    static const char what[] = "Invalid request body";
    mastra_req_t *req = task->req;
    const mastra_json_t *options = mastra_json_get(task->in, "options");
    const mastra_json_t *filter = mastra_json_get(options, "messageFilter");
    double limit = mastra_json_get_num(options, "messageLimit", 0);

    clone->limit = limit >= 1 && limit <= CLONED_MAX ? (apr_int64_t)limit : 0;
    clone->ids = mastra_json_get(filter, "messageIds");
    task->messages.thread_id = task->thread_id;
    task->messages.per_page = clone->limit ? clone->limit : CLONED_MAX + 1;
    return mastra_memory_date(&task->messages.from,
                              mastra_json_get(filter, "startDate"), req, what,
                              "options.messageFilter.startDate", prc)
           && mastra_memory_date(&task->messages.to,
                                 mastra_json_get(filter, "endDate"), req, what,
                                 "options.messageFilter.endDate", prc);
}

static int clone_failed(mastra_memory_task_t *task, apr_status_t rv)
{
    const clone_t *clone = task->more;
    mastra_req_t *req = task->req;

    mastra_memory_reset(task);
    if (rv == MASTRA_STORE_NOT_FOUND) {
        return mastra_reply_fail(req, 404, "Source thread not found");
    }
    if (rv == MASTRA_STORE_EXISTS) {
        return mastra_reply_fail(req, 409,
                                 apr_pstrcat(req->pool, "Thread with id ",
                                             clone->id, " already exists",
                                             NULL));
    }
    if (clone->too_many) {
        return mastra_reply_fail(req, 413, "The thread has more than 10000 "
                                 "messages: set options.messageLimit");
    }
    return mastra_memory_fail(task, rv, "clone the thread");
}

static int clone_by_id(mastra_req_t *req)
{
    const char *id = mastra_json_get_str(req->body, "newThreadId");
    const mastra_agent_t *agent;
    clone_t clone = { .id = id && *id ? id
                                      : mastra_text_uuid_make(req->pool) };
    mastra_memory_task_t task = {
        .req = req, .in = req->body,
        .thread_id = mastra_req_param(req, "threadId"),
        .resource_id = mastra_memory_claim(
            req, mastra_json_get_str(req->body, "resourceId")), .more = &clone
    };
    apr_status_t rv;
    int rc;

    agent = mastra_memory_agent(req, &rc);
    if (!agent || !set_options(&task, &clone, &rc)) {
        return rc;
    }
    clone.memory = &agent->memory;
    rv = mastra_memory_call(&task, MASTRA_STORE_WRITE, clone_run);
    return rv ? clone_failed(&task, rv) : mastra_reply_json(req, task.out);
}

/* ---- transfer ---- */

static apr_status_t transfer_run(mastra_db_t *db, void *baton,
                                 apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;
    const char *owner = mastra_json_get_str(task->in, "resourceId");
    apr_status_t rv = mastra_memory_lock(task, db, pool);

    if (rv) {
        return rv;
    }
    mastra_json_set_str(task->out, "resourceId", owner);
    mastra_json_set_str(task->out, "updatedAt",
                        mastra_text_iso_make(pool, apr_time_now()));
    rv = mastra_threads_save(db, task->out, pool);
    return rv ? rv : mastra_messages_own(db, task->thread_id, owner, pool);
}

/* Who is a resource itself gives nothing away: the thread would appear among
 * what is somebody else's. */
static int transfer(mastra_req_t *req)
{
    mastra_memory_task_t task = {
        .req = req, .in = req->body,
        .thread_id = mastra_req_param(req, "threadId")
    };

    if (req->principal.resource_id) {
        return mastra_reply_fail(req, 403, "Thread transfer requires a "
                                 "privileged (non-resource-scoped) context");
    }
    return mastra_memory_answer(&task,
                                mastra_memory_call(&task, MASTRA_STORE_WRITE,
                                                   transfer_run),
                                "transfer the thread");
}

const mastra_route_t mastra_api_memory_copy[] = {
    { .method = "POST", .path = "/memory/threads/:threadId/clone",
      .handler = clone_by_id, .summary = "Clone thread", .tag = "Memory",
      .resource = "path:threadId", .query = mastra_memory_agent_query,
      .body = clone_body },
    { .method = "POST", .path = "/memory/threads/:threadId/transfer",
      .handler = transfer, .summary = "Transfer thread ownership",
      .tag = "Memory", .resource = "path:threadId", .query = transfer_query,
      .body = transfer_body },
    { .method = NULL }
};
