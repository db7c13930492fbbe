/* mod_sample: another module that uses mod_mastra.h and nothing else of
 * mod_mastra: tools, models, hooks, and a handler that asks agents in C. The
 * tests load it before and after mod_mastra. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include <ap_provider.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>

#include "mod_mastra.h"

module AP_MODULE_DECLARE_DATA sample_module;

/* over all children, shown at /sample/counts */
typedef struct {
    apr_uint32_t begun, cancelled, woken, returned, done, chunks, after;
} counts_t;

static counts_t *counts;
static int hooks_on;

static APR_OPTIONAL_FN_TYPE(mastra_api_version) *api_version;
static APR_OPTIONAL_FN_TYPE(mastra_generate) *generate;
static APR_OPTIONAL_FN_TYPE(mastra_stream) *stream;
static APR_OPTIONAL_FN_TYPE(mastra_tool_execute) *tool_execute;
static APR_OPTIONAL_FN_TYPE(mastra_workflow_start) *workflow_start;
static APR_OPTIONAL_FN_TYPE(mastra_workflow_resume) *workflow_resume;
static APR_OPTIONAL_FN_TYPE(mastra_workflow_stream) *workflow_stream;
static APR_OPTIONAL_FN_TYPE(mastra_agents_list) *agents_list;
static APR_OPTIONAL_FN_TYPE(mastra_memory) *memory;
static APR_OPTIONAL_FN_TYPE(mastra_generate_async) *generate_async;
static APR_OPTIONAL_FN_TYPE(mastra_stream_async) *stream_async;
static APR_OPTIONAL_FN_TYPE(mastra_tool_execute_async) *tool_execute_async;
static APR_OPTIONAL_FN_TYPE(mastra_workflow_start_async) *start_async;
static APR_OPTIONAL_FN_TYPE(mastra_workflow_resume_async) *resume_async;
static APR_OPTIONAL_FN_TYPE(mastra_workflow_stream_async) *watch_async;
static APR_OPTIONAL_FN_TYPE(mastra_memory_async) *memory_async;
static APR_OPTIONAL_FN_TYPE(mastra_call_cancel) *call_cancel;
static APR_OPTIONAL_FN_TYPE(mastra_call_resume) *call_resume;
static APR_OPTIONAL_FN_TYPE(mastra_call_release) *call_release;
static APR_OPTIONAL_FN_TYPE(mastra_req_rec) *req_rec;
static APR_OPTIONAL_FN_TYPE(mastra_req_method) *req_method;
static APR_OPTIONAL_FN_TYPE(mastra_req_path) *req_path;
static APR_OPTIONAL_FN_TYPE(mastra_req_route) *req_route;
static APR_OPTIONAL_FN_TYPE(mastra_req_permission) *req_permission;
static APR_OPTIONAL_FN_TYPE(mastra_req_param) *req_param;
static APR_OPTIONAL_FN_TYPE(mastra_req_header) *req_header;
static APR_OPTIONAL_FN_TYPE(mastra_req_body) *req_body;
static APR_OPTIONAL_FN_TYPE(mastra_req_id) *req_id;
static APR_OPTIONAL_FN_TYPE(mastra_req_status) *req_status;
static APR_OPTIONAL_FN_TYPE(mastra_req_context_get) *context_get;
static APR_OPTIONAL_FN_TYPE(mastra_req_context_set) *context_set;
static APR_OPTIONAL_FN_TYPE(mastra_req_user_get) *user_get;
static APR_OPTIONAL_FN_TYPE(mastra_req_user_set) *user_set;
static APR_OPTIONAL_FN_TYPE(mastra_req_resource_id) *resource_id;
static APR_OPTIONAL_FN_TYPE(mastra_req_header_set) *header_set;
static APR_OPTIONAL_FN_TYPE(mastra_req_answer) *req_answer;

/* ---- text ---- */

static const char *quoted(apr_pool_t *pool, const char *text)
{
    return text ? apr_pstrcat(pool, "\"", ap_escape_quotes(pool, text), "\"",
                              NULL) : "null";
}

static const char *or_null(const char *json)
{
    return json && *json ? json : "null";
}

static const char *value(request_rec *r, const char *name)
{
    apr_size_t len = strlen(name);
    const char *at = r->args;

    while (at && *at) {
        if (!strncmp(at, name, len) && at[len] == '=') {
            char *found = apr_pstrndup(r->pool, at + len + 1,
                                       strcspn(at + len + 1, "&"));

            ap_unescape_url(found);
            return found;
        }
        at = strchr(at, '&');
        at = at ? at + 1 : NULL;
    }
    return NULL;
}

static int number(request_rec *r, const char *name, int otherwise)
{
    const char *text = value(r, name);

    return text ? atoi(text) : otherwise;
}

/* ---- tools ---- */

/* What the instance is: the text of execute. */
static const char *configure_tool(void **pinstance, const char *execute,
                                  server_rec *s, apr_pool_t *pool)
{
    if (strstr(execute, "\"refuse\"")) {
        return "the sample refuses this definition";
    }
    *pinstance = apr_pstrdup(pool, execute);
    return NULL;
}

static apr_status_t execute_tell(void *instance, mastra_tool_task_t *task)
{
    const char *text = apr_psprintf(
        task->pool, "{\"tool\":%s,\"input\":%s,\"context\":%s,"
        "\"execute\":%s,\"agent\":%s,\"thread\":%s,\"resource\":%s,"
        "\"call\":%s,\"key\":%d,\"left\":%d,\"depth\":%d}",
        quoted(task->pool, task->tool_id), task->input,
        or_null(task->request_context), (const char *)instance,
        quoted(task->pool, task->agent_id),
        quoted(task->pool, task->thread_id),
        quoted(task->pool, task->resource_id),
        task->tool_call_id ? "true" : "false", task->idempotency_key != NULL,
        (int)apr_time_sec(task->deadline - apr_time_now() + 500000),
        task->depth);

    return task->answer(task, text, strlen(text));
}

static void wake_cb(void *baton)
{
    apr_atomic_inc32(&counts->woken);
}

/* What the input asks for: {"do":"…"}. */
static apr_status_t execute_odd(void *instance, mastra_tool_task_t *task)
{
    apr_status_t rv = APR_SUCCESS;

    apr_atomic_inc32(&counts->begun);
    if (strstr(task->input, "\"never\"")) {
        task->on_cancel(task, wake_cb, NULL);
        while (!task->cancelled(task)) {
            task->sleep(task, apr_time_from_sec(60));
        }
        apr_atomic_inc32(&counts->cancelled);
    }
    else if (strstr(task->input, "\"stuck\"")) {
        for (;;) {
            apr_sleep(apr_time_from_msec(50));
        }
    }
    else if (strstr(task->input, "\"slow\"")) {
        apr_sleep(apr_time_from_msec(300));
        rv = task->answer(task, "\"late\"", 6);
    }
    else if (strstr(task->input, "\"fail\"")) {
        task->fail(task, "the sample was told to fail");
    }
    else if (strstr(task->input, "\"status\"")) {
        rv = APR_EGENERAL;
    }
    else if (strstr(task->input, "\"bad\"")) {
        rv = task->answer(task, "{not JSON", 9);
    }
    else if (strstr(task->input, "\"big\"")) {
        apr_size_t size = 16 * 1024 * 1024 + 1;

        rv = task->answer(task, apr_pcalloc(task->pool, size), size);
    }
    apr_atomic_inc32(&counts->returned);
    return rv;
}

/* Asks an agent, on a job thread. */
static apr_status_t execute_ask(void *instance, mastra_tool_task_t *task)
{
    mastra_ask_t ask = { MASTRA_API_HEAD(mastra_ask_t) };
    const mastra_reply_t *reply;
    apr_status_t rv;

    ask.server = instance;
    ask.id = strstr(task->input, "\"again\"") ? "nested" : "plain";
    ask.json = strstr(task->input, "\"again\"")
               ? "{\"messages\":\"again\"}" : "{\"messages\":\"from a tool\"}";
    ask.len = strlen(ask.json);
    ask.depth = task->depth + 1;
    ask.timeout = apr_time_from_sec(10);
    rv = generate(&reply, &ask, task->pool);
    if (rv) {
        char text[128];

        task->fail(task, apr_psprintf(task->pool, "generate: %s",
                                      apr_strerror(rv, text, sizeof(text))));
        return APR_SUCCESS;
    }
    return task->answer(task, reply->json, reply->len);
}

static const char *configure_ask(void **pinstance, const char *execute,
                                 server_rec *s, apr_pool_t *pool)
{
    *pinstance = s;
    return NULL;
}

static const mastra_provider_tool_t tell_tool = {
    MASTRA_API_HEAD(mastra_provider_tool_t), configure_tool, execute_tell
};
static const mastra_provider_tool_t odd_tool = {
    MASTRA_API_HEAD(mastra_provider_tool_t), NULL, execute_odd
};
static const mastra_provider_tool_t ask_tool = {
    MASTRA_API_HEAD(mastra_provider_tool_t), configure_ask, execute_ask
};
/* compiled against other headers than this */
static const mastra_provider_tool_t other_major_tool = {
    (MASTRA_API_MAJOR + 1) << 16, sizeof(mastra_provider_tool_t), NULL,
    execute_tell
};
static const mastra_provider_tool_t newer_tool = {
    MASTRA_API_VERSION + 1, sizeof(mastra_provider_tool_t), NULL, execute_tell
};
static const mastra_provider_tool_t short_tool = {
    MASTRA_API_VERSION, 8, NULL, execute_tell
};
static const mastra_provider_tool_t empty_tool = {
    MASTRA_API_HEAD(mastra_provider_tool_t), NULL, NULL
};

/* ---- models ---- */

static int says(const mastra_model_task_t *task, const char *word)
{
    const char *last = NULL, *at = task->request;

    /* the last user message is what counts */
    while ((at = strstr(at, "\"role\":\"user\""))) {
        last = at++;
    }
    return last && strstr(last, word) != NULL;
}

static apr_status_t say_words(mastra_model_task_t *task, int n, int ms)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < n && !rv; i++) {
        const char *word = apr_psprintf(task->pool, "word%d ", i);

        rv = task->text(task, word, strlen(word));
        if (!rv && ms) {
            rv = task->sleep(task, apr_time_from_msec(ms));
        }
    }
    return rv;
}

/* Little text that is much on the wire. */
static void flood(mastra_model_task_t *task)
{
    int i;

    for (i = 0; i < 12000; i++) {
        if (task->text(task, "twenty bytes of text", 20)) {
            return;
        }
    }
}

static void answer(mastra_model_task_t *task)
{
    static const char usage[] = "{\"inputTokens\":3,\"outputTokens\":4,"
                                "\"totalTokens\":7}";

    apr_atomic_inc32(&counts->begun);
    if (says(task, "think")) {
        task->reasoning(task, "hmm ", 4);
        task->reasoning(task, "yes", 3);
    }
    if (says(task, "use the tool") && !strstr(task->request, "tool-result")) {
        task->tool_call(task, "call_1", "tell", "{\"text\":\"hi\"}", 13);
    }
    else if (says(task, "bad arguments")) {
        const char *text = task->tool_call(task, NULL, "tell", "[1", 2)
                           == APR_EINVAL ? "refused" : "taken";

        task->text(task, text, strlen(text));
    }
    else if (says(task, "flood")) {
        flood(task);
    }
    else if (says(task, "slowly")) {
        say_words(task, 600, 100);
    }
    else if (says(task, "never")) {
        task->on_cancel(task, wake_cb, NULL);
        while (!task->cancelled(task)) {
            task->sleep(task, apr_time_from_sec(60));
        }
    }
    else {
        say_words(task, 3, 0);
    }
    if (task->cancelled(task)) {
        apr_atomic_inc32(&counts->cancelled);
    }
    apr_atomic_inc32(&counts->returned);
    task->finish(task, says(task, "cut") ? "length" : "stop", usage,
                 sizeof(usage) - 1);
}

static void *model_thread(void *baton)
{
    answer(baton);
    return NULL;
}

static apr_status_t start_model(void *instance, mastra_model_task_t *task)
{
    pthread_t thread;
    int rv;

    if (says(task, "fail429")) {
        task->fail(task, 429, "the sample is limiting");
        return APR_SUCCESS;
    }
    if (says(task, "fail503")) {
        task->text(task, "so far ", 7);
        task->fail(task, 503, "the sample is down");
        return APR_SUCCESS;
    }
    if (says(task, "no start")) {
        return APR_EGENERAL;
    }
    if (strcmp(task->model_id, "thread")) {
        answer(task);
        return APR_SUCCESS;
    }
    /* a thread of APR's would belong to a pool, and this one is gone with the
     * task, which the thread itself ends */
    rv = pthread_create(&thread, NULL, model_thread, task);
    if (!rv) {
        pthread_detach(thread);
    }
    return rv;
}

static const mastra_provider_model_t model = {
    MASTRA_API_HEAD(mastra_provider_model_t), NULL, start_model
};
static const mastra_provider_model_t other_major_model = {
    (MASTRA_API_MAJOR + 1) << 16, sizeof(mastra_provider_model_t), NULL,
    start_model
};

/* ---- hooks: only with SampleHooks On ---- */

static int authenticate(mastra_req_t *req)
{
    const char *name = req_header(req, "X-Sample-User");
    const char *user;

    if (!hooks_on || !name) {
        return DECLINED;
    }
    if (!strcmp(name, "nobody")) {
        return HTTP_UNAUTHORIZED;
    }
    user = apr_psprintf(req_rec(req)->pool, "{\"id\":\"%s\"}", name);
    return user_set(req, user, name) ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

static int authorize(mastra_req_t *req)
{
    const char *denied = hooks_on ? req_header(req, "X-Sample-Deny") : NULL;

    return denied && !strcmp(denied, req_permission(req)) ? HTTP_FORBIDDEN
                                                          : DECLINED;
}

static const char *view_of(mastra_req_t *req, apr_pool_t *pool)
{
    return apr_psprintf(
        pool, "{\"method\":%s,\"path\":%s,\"route\":%s,\"permission\":%s,"
        "\"param\":%s,\"body\":%s,\"client\":%s,\"reserved\":%s,\"user\":%s,"
        "\"resource\":%s,\"status\":%d,\"id\":%s}",
        quoted(pool, req_method(req)), quoted(pool, req_path(req)),
        quoted(pool, req_route(req)), quoted(pool, req_permission(req)),
        quoted(pool, req_param(req, "agentId")),
        or_null(req_body(req, NULL)), or_null(context_get(req, "color")),
        or_null(context_get(req, "mastra__resourceId")),
        or_null(user_get(req)), quoted(pool, resource_id(req)),
        req_status(req), quoted(pool, req_id(req)));
}

static int before(mastra_req_t *req)
{
    const char *what = hooks_on ? req_header(req, "X-Sample-Before") : NULL;
    const char *text;

    if (!what) {
        return DECLINED;
    }
    if (!strcmp(what, "view")) {
        text = view_of(req, req_rec(req)->pool);
        return req_answer(req, 200, "application/json", text, strlen(text));
    }
    if (!strcmp(what, "teapot")) {
        return 418;
    }
    if (!strcmp(what, "busy")) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    header_set(req, "X-Sample", "was here");
    header_set(req, "X-Request-Id", NULL);
    return context_set(req, "color", "\"green\"")
           || context_set(req, "color", "{") != APR_EINVAL
           ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

static int after(mastra_req_t *req)
{
    if (hooks_on && req_header(req, "X-Sample-After")) {
        apr_atomic_inc32(&counts->after);
        header_set(req, "X-Sample-Status",
                   req_status(req) == 200 ? "fine" : "not fine");
        header_set(req, "X-Sample-Thread", req_rec(req) ? "worker" : "loop");
        /* too late for these */
        if (context_set(req, "a", "1") == APR_EINVAL
            && user_set(req, "{}", NULL) == APR_EINVAL) {
            header_set(req, "X-Sample-Late", "yes");
        }
    }
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int on_error(mastra_req_t *req, int status, const char *message)
{
    static const char text[] = "{\"mended\":true}";

    if (!hooks_on || !req_header(req, "X-Sample-Error")) {
        return DECLINED;
    }
    header_set(req, "X-Sample-Message", message);
    return req_answer(req, status == 404 ? 410 : status, "application/json",
                      text, sizeof(text) - 1);
}

/* ---- a route and middleware ---- */

/* What the instance of a route is. */
typedef struct {
    const char *path;
    int inits;
} route_t;

static const char *configure_route(void **pinstance, const char *path,
                                   server_rec *s, apr_pool_t *pool)
{
    route_t *route = apr_pcalloc(pool, sizeof(*route));

    if (strstr(path, "refuse")) {
        return "the sample refuses this path";
    }
    route->path = apr_pstrdup(pool, path);
    *pinstance = route;
    return NULL;
}

static apr_status_t init_route(void *instance, server_rec *s,
                               apr_pool_t *pool)
{
    route_t *route = instance;

    route->inits++;
    return strstr(route->path, "lame") ? APR_EGENERAL : APR_SUCCESS;
}

/* Reads as a handler of httpd does. */
static int write_body(request_rec *r)
{
    char buffer[512];
    long n;

    ap_set_content_type(r, "text/plain");
    if (ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK)
        || !ap_should_client_block(r)) {
        ap_rputs("no body", r);
        return OK;
    }
    while ((n = ap_get_client_block(r, buffer, sizeof(buffer))) > 0) {
        ap_rwrite(buffer, (int)n, r);
    }
    return OK;
}

static int handle_route(void *instance, mastra_req_t *req)
{
    const route_t *route = instance;
    request_rec *r = req_rec(req);
    const char *what = req_param(req, "what"), *text;

    if (what && !strcmp(what, "write")) {
        return write_body(r);
    }
    if (what && !strcmp(what, "status")) {
        return HTTP_CONFLICT;
    }
    if (what && !strcmp(what, "ask")) {
        mastra_ask_t ask = { MASTRA_API_HEAD(mastra_ask_t) };
        const mastra_reply_t *reply;

        ask.server = r->server;
        ask.r = r;
        ask.id = "plain";
        ask.json = "{\"messages\":\"from a route\"}";
        ask.len = strlen(ask.json);
        return generate(&reply, &ask, r->pool)
               ? HTTP_BAD_GATEWAY
               : req_answer(req, reply->status, "application/json",
                            reply->json, reply->len);
    }
    text = apr_psprintf(r->pool, "{\"path\":%s,\"route\":%s,\"what\":%s,"
                        "\"inits\":%d,\"body\":%s,\"user\":%s,"
                        "\"color\":%s,\"stage\":%d}",
                        quoted(r->pool, route->path),
                        quoted(r->pool, req_route(req)),
                        quoted(r->pool, what), route->inits,
                        or_null(req_body(req, NULL)),
                        or_null(user_get(req)),
                        or_null(context_get(req, "color")), req_status(req));
    return req_answer(req, 201, "application/json", text, strlen(text));
}

static const mastra_provider_route_t sample_route = {
    MASTRA_API_HEAD(mastra_provider_route_t), configure_route, init_route,
    handle_route
};
static const mastra_provider_route_t empty_route = {
    MASTRA_API_HEAD(mastra_provider_route_t), NULL, NULL, NULL
};

static const char *configure_ring(void **pinstance, const char *path,
                                  server_rec *s, apr_pool_t *pool)
{
    *pinstance = (void *)apr_pstrdup(pool, path ? path : "all");
    return NULL;
}

static int ring_before(void *instance, mastra_req_t *req)
{
    const char *what = req_header(req, "X-Ring");

    header_set(req, "X-Ring-Before", instance);
    context_set(req, "color", "\"ringed\"");
    return what && !strcmp(what, "stop") ? HTTP_PAYMENT_REQUIRED : OK;
}

static int ring_after(void *instance, mastra_req_t *req)
{
    header_set(req, "X-Ring-After", req_status(req) == 201 ? "created"
                                    : req_status(req) == 200 ? "fine"
                                                             : "not fine");
    return OK;
}

static const mastra_provider_middleware_t ring = {
    MASTRA_API_HEAD(mastra_provider_middleware_t), configure_ring, ring_before,
    ring_after
};

/* ---- the handler ---- */

static apr_status_t write_chunk(void *baton, const char *json, apr_size_t len)
{
    request_rec *r = baton;

    apr_atomic_inc32(&counts->chunks);
    ap_rwrite(json, (int)len, r);
    ap_rputs("\n", r);
    return ap_rflush(r) < 0 ? APR_ECONNABORTED : APR_SUCCESS;
}

static apr_status_t few_chunks(void *baton, const char *json, apr_size_t len)
{
    int *pn = baton;

    return ++*pn == 3 ? APR_EGENERAL : APR_SUCCESS;
}

static int show(request_rec *r, apr_status_t rv, const mastra_reply_t *reply)
{
    const char *why = rv == APR_SUCCESS ? "ok"
        : rv == APR_EINVAL ? "einval" : rv == APR_ENOTIMPL ? "enotimpl"
        : rv == APR_EAGAIN ? "eagain" : rv == APR_TIMEUP ? "timeup"
        : rv == APR_ECONNABORTED ? "aborted" : rv == EDEADLK ? "deadlock"
        : "other";

    ap_rprintf(r, "{\"rv\":\"%s\",\"status\":%d,\"len\":%d,\"json\":%s}\n",
               why, reply ? reply->status : 0, reply ? (int)reply->len : -1,
               reply ? or_null(reply->json) : "null");
    return OK;
}

static int blocking(request_rec *r, const char *op, const mastra_ask_t *ask)
{
    const mastra_reply_t *reply = NULL;
    apr_status_t rv;
    int n = 0;

    if (!strcmp(op, "generate")) {
        rv = generate(&reply, ask, r->pool);
    }
    else if (!strcmp(op, "tool")) {
        rv = tool_execute(&reply, ask, r->pool);
    }
    else if (!strcmp(op, "start")) {
        rv = workflow_start(&reply, ask, r->pool);
    }
    else if (!strcmp(op, "resume")) {
        rv = workflow_resume(&reply, ask, r->pool);
    }
    else if (!strcmp(op, "watch")) {
        rv = workflow_stream(&reply, ask, write_chunk, r, r->pool);
    }
    else if (!strcmp(op, "agents")) {
        rv = agents_list(&reply, r->server, r->pool);
    }
    else if (!strcmp(op, "few")) {
        rv = stream(&reply, ask, few_chunks, &n, r->pool);
    }
    else {
        rv = stream(&reply, ask, write_chunk, r, r->pool);
    }
    return show(r, rv, reply);
}

/* --- with callbacks: collected by the loop, shown by the worker --- */

typedef struct {
    apr_pool_t *pool;
    apr_thread_mutex_t *lock;
    apr_thread_cond_t *changed;
    const mastra_ask_t *ask;
    int over, chunks, paused;
    int pause_at, cancel_at;
    apr_status_t rv, nested;
    mastra_reply_t reply;
    char *text;
} wait_t;

static apr_status_t count_chunk(void *baton, const char *json, apr_size_t len)
{
    wait_t *wait = baton;
    apr_status_t rv = APR_SUCCESS;

    apr_thread_mutex_lock(wait->lock);
    wait->chunks++;
    if (wait->chunks == wait->cancel_at) {
        rv = APR_EGENERAL;
    }
    if (wait->chunks == wait->pause_at) {
        wait->paused = 1;
        rv = APR_EAGAIN;
    }
    apr_thread_cond_signal(wait->changed);
    apr_thread_mutex_unlock(wait->lock);
    return rv;
}

static void done_cb(void *baton, apr_status_t rv, const mastra_reply_t *reply)
{
    wait_t *wait = baton;
    const mastra_reply_t *nested;

    apr_atomic_inc32(&counts->done);
    if (!wait) {
        return;
    }
    apr_thread_mutex_lock(wait->lock);
    wait->rv = rv;
    wait->nested = generate(&nested, wait->ask, wait->pool);
    if (reply) {
        wait->reply = *reply;
        wait->text = strdup(reply->json);
        wait->reply.json = wait->text;
    }
    wait->over = 1;
    apr_thread_cond_signal(wait->changed);
    apr_thread_mutex_unlock(wait->lock);
}

static apr_status_t begin(mastra_call_t **pcall, request_rec *r,
                          const mastra_ask_t *ask, wait_t *wait)
{
    const char *op = value(r, "op");

    if (!strcmp(op, "stream")) {
        return stream_async(pcall, ask, count_chunk, done_cb, wait);
    }
    if (!strcmp(op, "watch")) {
        return watch_async(pcall, ask, count_chunk, done_cb, wait);
    }
    if (!strcmp(op, "start")) {
        return start_async(pcall, ask, done_cb, wait);
    }
    if (!strcmp(op, "resume")) {
        return resume_async(pcall, ask, done_cb, wait);
    }
    if (!strcmp(op, "memory")) {
        return memory_async(pcall, ask, value(r, "method"), value(r, "path"),
                            done_cb, wait);
    }
    return !strcmp(op, "tool") ? tool_execute_async(pcall, ask, done_cb, wait)
                               : generate_async(pcall, ask, done_cb, wait);
}

static int asynchronous(request_rec *r, const mastra_ask_t *ask)
{
    int cancel_after = number(r, "cancel", -1), resumed = 0, seen = 0;
    wait_t wait = { .pool = r->pool, .ask = ask };
    mastra_call_t *call = NULL;
    apr_status_t rv;

    apr_thread_mutex_create(&wait.lock, APR_THREAD_MUTEX_DEFAULT, r->pool);
    apr_thread_cond_create(&wait.changed, r->pool);
    wait.pause_at = number(r, "pause", 0);
    wait.cancel_at = number(r, "stop", 0);
    rv = begin(&call, r, ask, &wait);
    if (rv) {
        return show(r, rv, NULL);
    }
    if (cancel_after >= 0) {
        apr_sleep(apr_time_from_msec(cancel_after));
        call_cancel(call);
        call_cancel(call);
    }
    apr_thread_mutex_lock(wait.lock);
    while (!wait.over) {
        if (wait.paused && !resumed) {
            apr_thread_mutex_unlock(wait.lock);
            apr_sleep(apr_time_from_msec(300));
            apr_thread_mutex_lock(wait.lock);
            seen = wait.chunks;
            resumed = 1;
            call_resume(call);
        }
        (void)apr_thread_cond_timedwait(wait.changed, wait.lock,
                                        apr_time_from_msec(100));
    }
    apr_thread_mutex_unlock(wait.lock);
    call_cancel(call);
    call_release(call);
    show(r, wait.rv, wait.rv ? NULL : &wait.reply);
    ap_rprintf(r, "{\"chunks\":%d,\"whilePaused\":%d,\"deadlock\":%d}\n",
               wait.chunks, seen, wait.nested == EDEADLK);
    free(wait.text);
    return OK;
}

/* --- odd asks --- */

static int odd(request_rec *r, mastra_ask_t *ask)
{
    const mastra_reply_t *reply = NULL;
    const char *what = value(r, "what");
    server_rec off = { 0 };

    if (!strcmp(what, "version")) {
        ask->version += 1 << 16;
    }
    else if (!strcmp(what, "size")) {
        ask->size = 8;
    }
    else if (!strcmp(what, "context")) {
        ask->request_context = "[1]";
    }
    else if (!strcmp(what, "id")) {
        ask->id = NULL;
    }
    else if (!strcmp(what, "server")) {
        off = *r->server;
        off.module_config = ap_create_conn_config(r->pool);
        ask->server = &off;
    }
    else if (!strcmp(what, "json")) {
        ask->json = "{nope";
        ask->len = 5;
    }
    return show(r, generate(&reply, ask, r->pool), reply);
}

/* Calls that nobody waits for. */
static int leave_open(request_rec *r, const mastra_ask_t *ask)
{
    apr_status_t rv = APR_SUCCESS;
    int i, n = number(r, "n", 1);

    for (i = 0; i < n && !rv; i++) {
        rv = generate_async(NULL, ask, done_cb, NULL);
    }
    ap_rprintf(r, "{\"begun\":%d}\n", rv ? i - 1 : i);
    return OK;
}

static int read_body(request_rec *r, char *body, apr_size_t size,
                     apr_size_t *plen)
{
    int rc = ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK);
    long n;

    *plen = 0;
    if (rc != OK || !ap_should_client_block(r)) {
        return rc;
    }
    while ((n = ap_get_client_block(r, body + *plen, size - *plen)) > 0) {
        *plen += (apr_size_t)n;
    }
    return n < 0 ? HTTP_BAD_REQUEST : OK;
}

static int answer_counts(request_rec *r)
{
    ap_rprintf(r, "{\"version\":%u,\"begun\":%u,\"cancelled\":%u,\"woken\":%u,"
               "\"returned\":%u,\"done\":%u,\"chunks\":%u,\"after\":%u}\n",
               api_version ? api_version() : 0, counts->begun,
               counts->cancelled, counts->woken, counts->returned,
               counts->done, counts->chunks, counts->after);
    return OK;
}

#define BODY_MAX (1024 * 1024)

static int handler(request_rec *r)
{
    mastra_ask_t ask = { MASTRA_API_HEAD(mastra_ask_t) };
    const mastra_reply_t *reply = NULL;
    const char *op;
    apr_status_t rv;
    char *body;
    int rc;

    if (!r->handler || strcmp(r->handler, "sample")) {
        return DECLINED;
    }
    op = strrchr(r->uri, '/') + 1;
    ap_set_content_type(r, "application/json");
    if (!strcmp(op, "counts")) {
        return answer_counts(r);
    }
    body = apr_palloc(r->pool, BODY_MAX);
    rc = read_body(r, body, BODY_MAX, &ask.len);
    if (rc != OK) {
        return rc;
    }
    ask.json = ask.len ? body : NULL;
    ask.server = r->server;
    ask.r = r;
    ask.id = value(r, "id");
    ask.request_context = value(r, "context");
    ask.resource_id = value(r, "resource");
    ask.timeout = apr_time_from_msec(number(r, "timeout", 0));
    ask.depth = number(r, "depth", 0);
    if (!strcmp(op, "odd")) {
        return odd(r, &ask);
    }
    if (!strcmp(op, "open")) {
        return leave_open(r, &ask);
    }
    if (!strcmp(op, "memory")) {
        rv = memory(&reply, &ask, value(r, "method"), value(r, "path"),
                    r->pool);
        return show(r, rv, rv ? NULL : reply);
    }
    return !strcmp(op, "async") ? asynchronous(r, &ask)
                                : blocking(r, op, &ask);
}

/* ---- callers ---- */

/* "badge:ann" is ann; other words say what else may happen. */
static int auth_known(void *instance, const mastra_auth_task_t *task,
                      const char **puser)
{
    const char *token = task->token ? task->token : "";

    if (!strncmp(token, "badge:", 6)) {
        *puser = apr_psprintf(task->pool, "{\"sub\":\"%s\",\"options\":%s,"
                              "\"role\":\"%s\"}", token + 6,
                              (const char *)instance, token + 6);
        return OK;
    }
    *puser = !strcmp(token, "list") ? "[]" : NULL;
    return !strcmp(token, "list") || !strcmp(token, "nothing") ? OK
           : !strcmp(token, "away") ? HTTP_SERVICE_UNAVAILABLE
           : *token == 'u' ? HTTP_UNAUTHORIZED : DECLINED;
}

/* A visitor may read, "broken" breaks it. */
static int auth_may(void *instance, const mastra_auth_task_t *task)
{
    if (strstr(task->user, "\"sub\":\"broken\"")) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return strstr(task->user, "\"sub\":\"visitor\"")
           && !strstr(task->permission, ":read") ? HTTP_FORBIDDEN : DECLINED;
}

static const char *auth_configure(void **pinstance, const char *options,
                                  server_rec *s, apr_pool_t *pool)
{
    *pinstance = apr_pstrdup(pool, options);
    return strstr(options, "\"bad\"") ? "bad= is refused" : NULL;
}

static const mastra_provider_auth_t known_auth = {
    MASTRA_API_HEAD(mastra_provider_auth_t), auth_configure, auth_known,
    auth_may
};
static const mastra_provider_auth_t judging_auth = {
    MASTRA_API_HEAD(mastra_provider_auth_t), NULL, NULL, auth_may
};
static const mastra_provider_auth_t other_major_auth = {
    2 << 16, sizeof(mastra_provider_auth_t), NULL, auth_known, NULL
};

/* ---- set-up ---- */

static void fetch(void)
{
    api_version = APR_RETRIEVE_OPTIONAL_FN(mastra_api_version);
    generate = APR_RETRIEVE_OPTIONAL_FN(mastra_generate);
    stream = APR_RETRIEVE_OPTIONAL_FN(mastra_stream);
    tool_execute = APR_RETRIEVE_OPTIONAL_FN(mastra_tool_execute);
    workflow_start = APR_RETRIEVE_OPTIONAL_FN(mastra_workflow_start);
    workflow_resume = APR_RETRIEVE_OPTIONAL_FN(mastra_workflow_resume);
    workflow_stream = APR_RETRIEVE_OPTIONAL_FN(mastra_workflow_stream);
    agents_list = APR_RETRIEVE_OPTIONAL_FN(mastra_agents_list);
    memory = APR_RETRIEVE_OPTIONAL_FN(mastra_memory);
    generate_async = APR_RETRIEVE_OPTIONAL_FN(mastra_generate_async);
    stream_async = APR_RETRIEVE_OPTIONAL_FN(mastra_stream_async);
    tool_execute_async = APR_RETRIEVE_OPTIONAL_FN(mastra_tool_execute_async);
    start_async = APR_RETRIEVE_OPTIONAL_FN(mastra_workflow_start_async);
    resume_async = APR_RETRIEVE_OPTIONAL_FN(mastra_workflow_resume_async);
    watch_async = APR_RETRIEVE_OPTIONAL_FN(mastra_workflow_stream_async);
    memory_async = APR_RETRIEVE_OPTIONAL_FN(mastra_memory_async);
    call_cancel = APR_RETRIEVE_OPTIONAL_FN(mastra_call_cancel);
    call_resume = APR_RETRIEVE_OPTIONAL_FN(mastra_call_resume);
    call_release = APR_RETRIEVE_OPTIONAL_FN(mastra_call_release);
    req_rec = APR_RETRIEVE_OPTIONAL_FN(mastra_req_rec);
    req_method = APR_RETRIEVE_OPTIONAL_FN(mastra_req_method);
    req_path = APR_RETRIEVE_OPTIONAL_FN(mastra_req_path);
    req_route = APR_RETRIEVE_OPTIONAL_FN(mastra_req_route);
    req_permission = APR_RETRIEVE_OPTIONAL_FN(mastra_req_permission);
    req_param = APR_RETRIEVE_OPTIONAL_FN(mastra_req_param);
    req_header = APR_RETRIEVE_OPTIONAL_FN(mastra_req_header);
    req_body = APR_RETRIEVE_OPTIONAL_FN(mastra_req_body);
    req_id = APR_RETRIEVE_OPTIONAL_FN(mastra_req_id);
    req_status = APR_RETRIEVE_OPTIONAL_FN(mastra_req_status);
    context_get = APR_RETRIEVE_OPTIONAL_FN(mastra_req_context_get);
    context_set = APR_RETRIEVE_OPTIONAL_FN(mastra_req_context_set);
    user_get = APR_RETRIEVE_OPTIONAL_FN(mastra_req_user_get);
    user_set = APR_RETRIEVE_OPTIONAL_FN(mastra_req_user_set);
    resource_id = APR_RETRIEVE_OPTIONAL_FN(mastra_req_resource_id);
    header_set = APR_RETRIEVE_OPTIONAL_FN(mastra_req_header_set);
    req_answer = APR_RETRIEVE_OPTIONAL_FN(mastra_req_answer);
}

/* Kept over restarts: children of before go on counting. */
static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                       server_rec *s)
{
    apr_shm_t **kept = ap_retained_data_get("mod_sample");

    if (!kept) {
        kept = ap_retained_data_create("mod_sample", sizeof(*kept));
        if (apr_shm_create(kept, sizeof(*counts), NULL, s->process->pool)
            != APR_SUCCESS) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        memset(apr_shm_baseaddr_get(*kept), 0, sizeof(*counts));
    }
    counts = apr_shm_baseaddr_get(*kept);
    return OK;
}

static const char *set_hooks(cmd_parms *cmd, void *dummy, int on)
{
    hooks_on = on;
    return NULL;
}

static const command_rec commands[] = {
    AP_INIT_FLAG("SampleHooks", set_hooks, NULL, RSRC_CONF, "On or Off"),
    { NULL }
};

static void register_tools(apr_pool_t *pool)
{
    static const struct {
        const char *name;
        const mastra_provider_tool_t *tool;
    } tools[] = {
        { "sample-tell", &tell_tool }, { "sample-odd", &odd_tool },
        { "sample-ask", &ask_tool },
        { "sample-other-major", &other_major_tool },
        { "sample-newer", &newer_tool }, { "sample-short", &short_tool },
        { "sample-empty", &empty_tool },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
        ap_register_provider(pool, MASTRA_PROVIDER_TOOL, tools[i].name,
                             MASTRA_PROVIDER_VERSION, tools[i].tool);
    }
    ap_register_provider(pool, MASTRA_PROVIDER_TOOL, "sample-future", "2",
                         &tell_tool);
}

static void register_hooks(apr_pool_t *pool)
{
    hooks_on = 0;
    register_tools(pool);
    ap_register_provider(pool, MASTRA_PROVIDER_MODEL, "sample",
                         MASTRA_PROVIDER_VERSION, &model);
    ap_register_provider(pool, MASTRA_PROVIDER_MODEL, "sample-other-major",
                         MASTRA_PROVIDER_VERSION, &other_major_model);
    ap_register_provider(pool, MASTRA_PROVIDER_ROUTE, "sample",
                         MASTRA_PROVIDER_VERSION, &sample_route);
    ap_register_provider(pool, MASTRA_PROVIDER_ROUTE, "sample-empty",
                         MASTRA_PROVIDER_VERSION, &empty_route);
    ap_register_provider(pool, MASTRA_PROVIDER_MIDDLEWARE, "ring",
                         MASTRA_PROVIDER_VERSION, &ring);
    ap_register_provider(pool, MASTRA_PROVIDER_AUTH, "sample",
                         MASTRA_PROVIDER_VERSION, &known_auth);
    ap_register_provider(pool, MASTRA_PROVIDER_AUTH, "sample-judge",
                         MASTRA_PROVIDER_VERSION, &judging_auth);
    ap_register_provider(pool, MASTRA_PROVIDER_AUTH, "sample-other-major",
                         MASTRA_PROVIDER_VERSION, &other_major_auth);
    ap_hook_optional_fn_retrieve(fetch, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(mastra, mastra_authenticate, authenticate, NULL, NULL,
                      APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(mastra, mastra_authorize, authorize, NULL, NULL,
                      APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(mastra, mastra_before, before, NULL, NULL,
                      APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(mastra, mastra_after, after, NULL, NULL,
                      APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(mastra, mastra_on_error, on_error, NULL, NULL,
                      APR_HOOK_MIDDLE);
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(sample) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, commands, register_hooks
};
