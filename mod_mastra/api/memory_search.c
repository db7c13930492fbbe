/* /memory: search by text. */

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "memory.h"

#define STRING MASTRA_MEMORY_STRING
#define FOUND_MAX 100            /* results in one answer */
#define ROWS_MAX 100000          /* messages looked at for one */
#define AROUND 2                 /* messages shown before and after each */

static const char search_query[] =
    "{\"type\":\"object\",\"properties\":{\"agentId\":" STRING ","
    "\"searchQuery\":" STRING ",\"resourceId\":" STRING ","
    "\"threadId\":" STRING ",\"limit\":{\"default\":20,\"type\":\"number\"},"
    "\"memoryConfig\":" MASTRA_SCHEMA_RECORD "},"
    "\"required\":[\"agentId\",\"searchQuery\",\"resourceId\"]}";

typedef struct {
    mastra_words_t *words;
    const char *fragment;
    apr_size_t limit;
    apr_pool_t *pool;            /* for the text of one message at a time */
} search_t;

/* ---- what is looked for ---- */

/* The longest word of plain letters and digits, in lower case: what the
 * database can look for in the JSON of messages. NULL: there is none. */
static const char *fragment_of(const char *query, apr_pool_t *pool)
{
    char *state = NULL, *word, *best = NULL, *at;

    for (word = apr_strtok(apr_pstrdup(pool, query), " \t\r\n", &state); word;
         word = apr_strtok(NULL, " \t\r\n", &state)) {
        for (at = word; apr_isascii(*at) && apr_isalnum(*at); at++) {
            *at = apr_tolower(*at);
        }
        if (!*at && (!best || strlen(word) > strlen(best))) {
            best = word;
        }
    }
    return best;
}

static int matches(void *baton, const mastra_json_t *message)
{
    search_t *search = baton;
    int found;

    found = mastra_words_match(search->words,
                               mastra_memory_text(message, search->pool));
    apr_pool_clear(search->pool);
    return found;
}

/* ---- what is shown ---- */

static mastra_json_t *shown(const mastra_json_t *message, apr_pool_t *pool)
{
    return mastra_json_pack("{s:s*, s:s*, s:s, s:s*}", "id",
                            mastra_json_get_str(message, "id"), "role",
                            mastra_json_get_str(message, "role"), "content",
                            mastra_memory_text(message, pool), "createdAt",
                            mastra_json_get_str(message, "createdAt"));
}

/* The messages around one, as {before: […], after: […]}. */
static apr_status_t add_context(mastra_json_t *result, mastra_db_t *db,
                                const char *thread_id, apr_pool_t *pool)
{
    const char *id = mastra_json_get_str(result, "id"), *one;
    mastra_messages_filter_t filter = { .thread_id = thread_id };
    mastra_json_t *context = mastra_json_pack("{s:[], s:[]}", "before",
                                              "after");
    mastra_json_t *near = NULL, *side = mastra_json_get(context, "before");
    apr_int64_t total;
    apr_status_t rv;
    apr_size_t i;

    mastra_json_set(result, "context", context);
    filter.include = mastra_json_own(
        mastra_json_pack("[{s:s, s:i, s:i}]", "id", id,
                         "withPreviousMessages", AROUND, "withNextMessages",
                         AROUND), pool);
    rv = mastra_messages_list(&near, &total, db, &filter, pool);
    if (rv) {
        return rv;
    }
    for (i = 0; i < mastra_json_size(near); i++) {
        one = mastra_json_get_str(mastra_json_at(near, i), "id");
        if (!strcmp(one, id)) {
            side = mastra_json_get(context, "after");
        }
        else {
            mastra_json_append(side, shown(mastra_json_at(near, i), pool));
        }
    }
    mastra_json_unref(near);
    return APR_SUCCESS;
}

static apr_status_t add_result(mastra_json_t *results, mastra_db_t *db,
                               const mastra_json_t *message, apr_pool_t *pool)
{
    const char *thread_id = mastra_json_get_str(message, "threadId"), *title;
    mastra_json_t *result = shown(message, pool), *thread = NULL;
    apr_status_t rv = mastra_threads_get(&thread, db, thread_id, pool);

    mastra_json_append(results, result);
    if (rv && rv != MASTRA_STORE_NOT_FOUND) {
        return rv;
    }
    title = mastra_json_get_str(thread, "title");
    mastra_json_set_str(result, "threadId", thread_id);
    mastra_json_set_str(result, "threadTitle",
                        title && *title ? title : thread_id);
    mastra_json_unref(thread);
    return add_context(result, db, thread_id, pool);
}

/* ---- the search ---- */

static int newest_first(const void *a, const void *b)
{
    const mastra_json_t *one = *(mastra_json_t *const *)a;
    const mastra_json_t *other = *(mastra_json_t *const *)b;

    return strcmp(mastra_json_get_str(other, "createdAt"),
                  mastra_json_get_str(one, "createdAt"));
}

static apr_status_t add_results(mastra_memory_task_t *task, mastra_db_t *db,
                                const mastra_json_t *found, apr_pool_t *pool)
{
    const search_t *search = task->more;
    apr_size_t n = mastra_json_size(found), i;
    mastra_json_t **sorted = apr_palloc(pool, sizeof(*sorted) * (n + 1));
    apr_status_t rv = APR_SUCCESS;

    for (i = 0; i < n; i++) {
        sorted[i] = mastra_json_at(found, i);
    }
    qsort(sorted, n, sizeof(*sorted), newest_first);
    task->out = mastra_json_array();
    for (i = 0; !rv && i < n && i < search->limit; i++) {
        rv = add_result(task->out, db, sorted[i], pool);
    }
    return rv;
}

static apr_status_t search_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_memory_task_t *task = baton;
    search_t *search = task->more;
    mastra_messages_search_t asked = {
        .resource_id = task->resource_id, .thread_id = task->thread_id,
        .fragment = search->fragment, .limit = search->limit,
        .rows = ROWS_MAX, .match = matches, .baton = search
    };
    mastra_json_t *found = NULL;
    apr_status_t rv = task->thread_id ? mastra_memory_load(task, db, pool)
                                      : APR_SUCCESS;

    mastra_memory_reset(task);
    if (!rv) {
        apr_pool_create(&search->pool, pool);
        rv = mastra_messages_search(&found, db, &asked, pool);
    }
    if (rv) {
        return rv;
    }
    return add_results(task, db, mastra_json_own(found, pool), pool);
}

static apr_size_t limit_of(mastra_req_t *req)
{
    double limit = mastra_json_get_num(req->query, "limit", 20);

    return limit < 0 ? 0 : limit > FOUND_MAX ? FOUND_MAX : (apr_size_t)limit;
}

static int answer_found(mastra_memory_task_t *task, const char *query)
{
    return mastra_reply_json(
        task->req,
        mastra_json_pack("{s:o, s:I, s:s, s:s, s:s}", "results", task->out,
                         "count", (apr_int64_t)mastra_json_size(task->out),
                         "query", query, "searchScope",
                         task->thread_id ? "thread" : "resource",
                         "searchType", "text"));
}

static int search_messages(mastra_req_t *req)
{
    const char *query = mastra_memory_param(req, "searchQuery");
    search_t search = { .limit = limit_of(req) };
    mastra_memory_task_t task = {
        .req = req, .thread_id = mastra_memory_param(req, "threadId"),
        .resource_id = mastra_memory_claim(
            req, mastra_memory_param(req, "resourceId")), .more = &search
    };
    apr_status_t rv;
    int rc;

    if (!query || !task.resource_id) {
        return mastra_reply_fail(req, 400,
                                 query ? "Argument \"resourceId\" is required"
                                       : "Argument \"searchQuery\" is "
                                         "required");
    }
    if (!mastra_memory_agent(req, &rc)) {
        return rc;
    }
    search.words = mastra_words_make(query, req->pool);
    search.fragment = fragment_of(query, req->pool);
    rv = mastra_memory_call(&task, MASTRA_STORE_READ, search_run);
    return rv ? mastra_memory_fail(&task, rv, "search messages")
              : answer_found(&task, query);
}

const mastra_route_t mastra_api_memory_search[] = {
    { .method = "GET", .path = "/memory/search", .handler = search_messages,
      .summary = "Search memory", .tag = "Memory",
      .resource = "query:threadId", .query = search_query },
    { .method = NULL }
};
