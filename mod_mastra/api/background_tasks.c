/* /background-tasks: work that agents have given to the background, listed and
 * watched. Agents of this server do all their work in their runs: what is shown
 * is other servers' on the same database. */

#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "../base/pool.h"
#include "../http/request.h"
#include "../http/stream.h"
#include "../store/background.h"

#define LOOK_EVERY apr_time_from_sec(2)

#define TEXT "{\"type\":\"string\"}"
#define NUMBER \
    "{\"type\":\"integer\",\"minimum\":0,\"maximum\":9007199254740991}"
#define TIMES \
    "{\"type\":\"string\",\"enum\":[\"createdAt\",\"startedAt\"," \
    "\"suspendedAt\",\"completedAt\"]}"
#define WHOSE \
    "\"agentId\":" TEXT ",\"runId\":" TEXT ",\"threadId\":" TEXT "," \
    "\"resourceId\":" TEXT

static const char list_query[] =
    "{\"type\":\"object\",\"properties\":{" WHOSE ",\"status\":{"
    "\"type\":\"string\",\"enum\":[\"pending\",\"running\",\"suspended\","
    "\"completed\",\"failed\",\"cancelled\",\"timed_out\"]},\"toolName\":" TEXT
    ",\"toolCallId\":" TEXT ",\"fromDate\":{},\"toDate\":{},"
    "\"dateFilterBy\":" TIMES ",\"orderBy\":" TIMES ",\"orderDirection\":{"
    "\"type\":\"string\",\"enum\":[\"asc\",\"desc\"]},\"page\":" NUMBER ","
    "\"perPage\":" NUMBER "}}";
static const char stream_query[] =
    "{\"type\":\"object\",\"properties\":{" WHOSE ",\"taskId\":" TEXT "}}";

/* ---- reading ---- */

typedef struct {
    mastra_background_filter_t filter;
    mastra_json_t *tasks;
} reading_t;

/* What a caller that is bound to a resource may see is theirs. */
static mastra_background_filter_t filter_of(const mastra_req_t *req,
                                            apr_pool_t *pool)
{
    const mastra_json_t *q = req->query;
    const char *mine = req->principal.resource_id;
    mastra_background_filter_t filter = {
        .id = apr_pstrdup(pool, mastra_json_get_str(q, "taskId")),
        .status = mastra_json_get_str(q, "status"),
        .agent = apr_pstrdup(pool, mastra_json_get_str(q, "agentId")),
        .run = apr_pstrdup(pool, mastra_json_get_str(q, "runId")),
        .thread = apr_pstrdup(pool, mastra_json_get_str(q, "threadId")),
        .resource = apr_pstrdup(pool, mine ? mine : mastra_json_get_str(
                                    q, "resourceId")),
        .tool = mastra_json_get_str(q, "toolName"),
        .call = mastra_json_get_str(q, "toolCallId")
    };

    return filter;
}

static apr_status_t read_tasks(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    reading_t *reading = baton;

    mastra_json_unref(reading->tasks);
    reading->tasks = NULL;
    return mastra_background_list(&reading->tasks, db, &reading->filter, pool);
}

/* 1: read; else the answer is given. */
static int read_for(mastra_req_t *req, reading_t *reading, int *prc)
{
    apr_status_t rv = mastra_store_call(req->host->store, MASTRA_STORE_READ,
                                        read_tasks, reading);

    if (rv) {
        *prc = mastra_reply_error(req, mastra_store_result(
                                      req->pool, rv, "read the tasks"));
    }
    mastra_json_own(reading->tasks, req->pool);
    return rv == APR_SUCCESS;
}

/* ---- lists ---- */

typedef struct {
    const char *key;
    mastra_json_t *task;
} place_t;

static int by_key(const void *a, const void *b)
{
    return strcmp(((const place_t *)a)->key, ((const place_t *)b)->key);
}

/* 1: it is a date, or not there; then *ptext is as tasks have it. */
static int read_date(const char **ptext, const mastra_req_t *req,
                     const char *name)
{
    const char *text = mastra_json_get_str(req->query, name);
    apr_time_t t;

    *ptext = NULL;
    if (!text) {
        return 1;
    }
    if (mastra_text_iso_parse(&t, text) != APR_SUCCESS) {
        return 0;
    }
    *ptext = mastra_text_iso_make(req->pool, t);
    return 1;
}

/* Those in the span of time, in the order that was asked for. */
static apr_array_header_t *choose(const mastra_req_t *req,
                                  const mastra_json_t *tasks,
                                  const char *from, const char *to)
{
    const char *by = mastra_json_get_str(req->query, "dateFilterBy");
    const char *order = mastra_json_get_str(req->query, "orderBy");
    apr_array_header_t *made = apr_array_make(req->pool, 16, sizeof(place_t));
    apr_size_t i;

    for (i = 0; i < mastra_json_size(tasks); i++) {
        mastra_json_t *task = mastra_json_at(tasks, i);
        const char *at = mastra_json_get_str(task, by ? by : "createdAt");
        const char *key = mastra_json_get_str(task, order ? order
                                                          : "createdAt");
        place_t *place;

        if ((from || to) && (!at || (from && strcmp(at, from) < 0)
                             || (to && strcmp(at, to) > 0))) {
            continue;
        }
        place = apr_array_push(made);
        place->key = key ? key : "";
        place->task = task;
    }
    qsort(made->elts, (size_t)made->nelts, sizeof(place_t), by_key);
    return made;
}

static int list(mastra_req_t *req)
{
    reading_t reading = { .filter = filter_of(req, req->pool) };
    const char *direction = mastra_json_get_str(req->query, "orderDirection");
    int down = direction && !strcmp(direction, "desc"), rc;
    const char *from, *to;
    apr_int64_t page, per_page, first, i;
    apr_array_header_t *chosen;
    mastra_json_t *made;

    if (!read_date(&from, req, "fromDate")) {
        return mastra_reply_bad_query(req, "fromDate", MASTRA_NO_DATE);
    }
    if (!read_date(&to, req, "toDate")) {
        return mastra_reply_bad_query(req, "toDate", MASTRA_NO_DATE);
    }
    if (!read_for(req, &reading, &rc)) {
        return rc;
    }
    chosen = choose(req, reading.tasks, from, to);
    page = mastra_json_get_int(req->query, "page", 0);
    per_page = mastra_json_get_int(req->query, "perPage", chosen->nelts);
    made = mastra_json_array();
    first = per_page && page <= chosen->nelts / per_page ? page * per_page
                                                         : chosen->nelts;
    for (i = first; i < chosen->nelts && i - first < per_page; i++) {
        mastra_json_append(made, mastra_json_ref(
            APR_ARRAY_IDX(chosen, down ? chosen->nelts - 1 - i : i,
                          place_t).task));
    }
    return mastra_reply_json(req, mastra_json_pack(
        "{s:o, s:i}", "tasks", made, "total", chosen->nelts));
}

static int get(mastra_req_t *req)
{
    reading_t reading = { .filter = {
        .id = mastra_req_param(req, "backgroundTaskId"),
        .resource = req->principal.resource_id
    } };
    int rc;

    if (!read_for(req, &reading, &rc)) {
        return rc;
    }
    if (!mastra_json_size(reading.tasks)) {
        return mastra_reply_fail(req, 404, "Background task not found");
    }
    return mastra_reply_json(req, mastra_json_ref(
        mastra_json_at(reading.tasks, 0)));
}

/* ---- watching: a look from time to time, and what has changed since ---- */

typedef struct {
    reading_t reading;
    apr_pool_t *pool;
    mastra_loop_t *loop;
    mastra_store_t *store;
    mastra_sink_t *sink;             /* NULL: nobody listens any more */
    mastra_timer_t timer;
    mastra_store_job_t job;
    mastra_msg_t msg;
    apr_status_t rv;
    int busy;
    int looked;                      /* what there was at first is no news */
    mastra_json_t *seen;             /* status by id */
} watch_t;

static void watch_free(watch_t *watch)
{
    mastra_json_unref(watch->reading.tasks);
    mastra_json_unref(watch->seen);
    apr_pool_destroy(watch->pool);
}

static void say(watch_t *watch, mastra_json_t *task, const char *status)
{
    char type[60];
    mastra_json_t *payload = mastra_json_copy_flat(task), *chunk;

    mastra_json_set_str(payload, "taskId", mastra_json_get_str(task, "id"));
    mastra_json_del(payload, "id");
    apr_snprintf(type, sizeof(type), "background-task-%s",
                 !strcmp(status, "timed_out") ? "failed" : status);
    chunk = mastra_json_pack("{s:s, s:s, s:s, s:o}", "type", type, "runId",
                             mastra_json_get_str(task, "runId"), "from",
                             "AGENT", "payload", payload);
    watch->sink->vtable->chunk(watch->sink, chunk);
    mastra_json_unref(chunk);
}

static void compare(watch_t *watch)
{
    mastra_json_t *now = mastra_json_object();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(watch->reading.tasks); i++) {
        mastra_json_t *task = mastra_json_at(watch->reading.tasks, i);
        const char *id = mastra_json_get_str(task, "id");
        const char *status = mastra_json_get_str(task, "status");
        const char *before = mastra_json_get_str(watch->seen, id);

        mastra_json_set_str(now, id, status);
        if (watch->looked && (!before || strcmp(before, status))
            && strcmp(status, "pending")) {
            say(watch, task, status);
        }
    }
    mastra_json_unref(watch->seen);
    watch->seen = now;
    watch->looked = 1;
}

static void look(void *baton);

static void looked(void *baton)
{
    watch_t *watch = baton;

    watch->busy = 0;
    if (!watch->sink) {
        watch_free(watch);
        return;
    }
    if (watch->rv == APR_SUCCESS) {
        compare(watch);
    }
    mastra_loop_timer_set(watch->loop, &watch->timer, LOOK_EVERY, look, watch);
}

static void read_over(void *baton, apr_status_t rv)
{
    watch_t *watch = baton;

    watch->rv = rv;
    watch->msg.cb = looked;
    watch->msg.baton = watch;
    mastra_loop_post(watch->loop, &watch->msg);
}

static apr_status_t read_watched(mastra_db_t *db, void *baton,
                                 apr_pool_t *pool)
{
    return read_tasks(db, &((watch_t *)baton)->reading, pool);
}

static void look(void *baton)
{
    watch_t *watch = baton;

    watch->busy = 1;
    watch->job.mode = MASTRA_STORE_READ;
    watch->job.run = read_watched;
    watch->job.done = read_over;
    watch->job.baton = watch;
    if (mastra_store_submit(watch->store, &watch->job)) {
        watch->busy = 0;
        mastra_loop_timer_set(watch->loop, &watch->timer, LOOK_EVERY, look,
                              watch);
    }
}

static void watch_begin(void *work, mastra_sink_t *sink)
{
    watch_t *watch = work;

    watch->sink = sink;
    look(watch);
}

static void watch_cancel(void *work)
{
    watch_t *watch = work;

    watch->sink = NULL;
    mastra_loop_timer_stop(watch->loop, &watch->timer);
    if (!watch->busy) {
        watch_free(watch);
    }
}

/* A client that is slow holds up nothing: each look is small. */
static void watch_resume(void *work)
{
    (void)work;
}

static void watch_discard(void *work)
{
    watch_free(work);
}

static const mastra_work_vtable_t work_watch = { watch_begin, watch_cancel,
                                                 watch_resume,
                                                 watch_discard };

static int stream(mastra_req_t *req)
{
    apr_pool_t *pool;
    watch_t *watch;

    if (mastra_pool_make(&pool, "mastra_background")) {
        return mastra_reply_fail(req, 503, "The server is out of memory");
    }
    watch = apr_pcalloc(pool, sizeof(*watch));
    watch->pool = pool;
    watch->loop = req->host->loop;
    watch->store = req->host->store;
    watch->reading.filter = filter_of(req, pool);
    watch->reading.filter.status = watch->reading.filter.tool =
        watch->reading.filter.call = NULL;
    return mastra_stream_run(req, MASTRA_FRAME_WATCH, &work_watch, watch);
}

#define B .tag = "Background Tasks", .permission = "background-tasks:read"

const mastra_route_t mastra_api_background_tasks[] = {
    { .method = "GET", .path = "/background-tasks/stream", .handler = stream,
      .summary = "Stream background task events via SSE", B,
      .query = stream_query, .flags = MASTRA_ROUTE_STREAM },
    { .method = "GET", .path = "/background-tasks", .handler = list,
      .summary = "List background tasks", B, .query = list_query },
    { .method = "GET", .path = "/background-tasks/:backgroundTaskId",
      .handler = get, .summary = "Get a background task by ID", B },
    { .method = NULL }
};
