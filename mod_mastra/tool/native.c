/* Tools of kind provider: C code of other modules, on a job thread, with a
 * copy of the input and for a limited time. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define DEFAULT_TIMEOUT apr_time_from_sec(30)

typedef struct {
    mastra_tool_kind_t kind;         /* first */
    mastra_tool_native_cb *find;
    void *baton;
} native_kind_t;

typedef struct {
    mastra_tool_native_t native;
    apr_interval_time_t timeout;
} native_conf_t;

/* What the job works on. */
typedef struct {
    mastra_foreign_t foreign;        /* first */
    mastra_tool_call_t *owner;       /* loop; NULL: nobody waits any more */
    const mastra_tool_native_t *native;
    mastra_tool_native_call_t call;
    apr_status_t rv;
} native_work_t;

/* What the loop keeps of it. */
typedef struct {
    native_work_t *work;
    mastra_timer_t timer;
} native_state_t;

/* ---- reading ---- */

static const char *native_parse(void **pconf, const char **pfield,
                                const mastra_tool_t *tool, apr_pool_t *pool)
{
    const native_kind_t *kind = (const native_kind_t *)tool->kind;
    const mastra_json_t *execute = mastra_json_get(tool->definition, "execute");
    const char *name = mastra_json_get_str(execute, "provider");
    apr_int64_t ms = mastra_json_get_int(execute, "timeout", 0);
    native_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    if (!name || !*name) {
        *pfield = "execute.provider";
        return "the name of the provider is missing";
    }
    if (ms < 0 || ms > 3600000) {
        *pfield = "execute.timeout";
        return "not between 0 and 3600000 milliseconds";
    }
    conf->timeout = ms ? ms * 1000 : DEFAULT_TIMEOUT;
    *pconf = conf;
    *pfield = "execute.provider";
    return kind->find(&conf->native, pfield, kind->baton, name,
                      mastra_json_text(execute, pool), pool);
}

/* ---- job thread ---- */

static void native_run(mastra_foreign_t *foreign)
{
    native_work_t *work = (native_work_t *)foreign;

    work->rv = work->native->execute(work->native->baton, &work->call);
}

/* ---- loop ---- */

static mastra_result_t *failure_of(const native_work_t *work,
                                   apr_pool_t *pool)
{
    char text[256];

    if (work->call.failure) {
        return mastra_result_make(pool, 422, "TOOL_FAILED", "%.*s", 1024,
                                  work->call.failure);
    }
    if (!work->rv) {
        return NULL;
    }
    apr_strerror(work->rv, text, sizeof(text));
    return mastra_result_cause(
        mastra_result_make(pool, 422, "TOOL_FAILED", "the tool failed"), pool,
        "its provider returned: %s", text);
}

static void native_over(mastra_foreign_t *foreign)
{
    native_work_t *work = (native_work_t *)foreign;
    mastra_tool_call_t *call = work->owner;
    native_state_t *state;
    mastra_json_t *output = work->call.output;

    work->call.output = NULL;
    if (!call) {
        mastra_json_unref(output);
        return;
    }
    state = call->state;
    work->owner = NULL;
    mastra_loop_timer_stop(call->env->loop, &state->timer);
    mastra_foreign_unref(foreign);
    mastra_tool_finish(call, output ? output : mastra_json_null(),
                       failure_of(work, call->pool));
}

/* 1: the provider was called. */
static int give_up(mastra_tool_call_t *call)
{
    native_state_t *state = call->state;
    native_work_t *work = state->work;
    int begun;

    work->owner = NULL;
    mastra_loop_timer_stop(call->env->loop, &state->timer);
    begun = mastra_foreign_cancel(&work->foreign);
    mastra_foreign_unref(&work->foreign);
    return begun;
}

static mastra_result_t *busy(apr_pool_t *pool)
{
    return mastra_result_make(pool, 503, "TOOL_BUSY",
                              "too many tools wait to be run");
}

static void on_timeout(void *baton)
{
    mastra_tool_call_t *call = baton;
    mastra_result_t *late = mastra_result_make(call->pool, 422, "TOOL_TIMEOUT",
                                               "the tool took too long");

    mastra_tool_finish(call, NULL, give_up(call) ? late : busy(call->pool));
}

static void on_no_room(void *baton)
{
    mastra_tool_call_t *call = baton;

    mastra_tool_finish(call, NULL, busy(call->pool));
}

static const char *copy_json(const mastra_json_t *json, apr_pool_t *pool)
{
    return json ? mastra_json_text(json, pool) : NULL;
}

static void fill(native_work_t *work, const mastra_tool_call_t *call)
{
    const native_conf_t *conf = call->tool->conf;
    const mastra_tool_args_t *args = &call->args;
    apr_pool_t *pool = work->foreign.pool;
    mastra_tool_native_call_t *to = &work->call;

    work->native = &conf->native;
    work->rv = APR_ECONNABORTED;     /* should it never be run */
    to->foreign = &work->foreign;
    to->pool = pool;
    to->tool_id = call->tool->id;
    to->input = args->input ? mastra_json_text(args->input, pool) : "null";
    to->input_len = strlen(to->input);
    to->request_context = copy_json(args->request_context, pool);
    to->tool_call_id = apr_pstrdup(pool, args->tool_call_id);
    to->run_id = apr_pstrdup(pool, args->run_id);
    to->agent_id = apr_pstrdup(pool, args->agent_id);
    to->thread_id = apr_pstrdup(pool, args->thread_id);
    to->resource_id = apr_pstrdup(pool, args->resource_id);
    to->idempotency_key = apr_pstrdup(pool, args->idempotency_key);
    to->deadline = apr_time_now() + conf->timeout;
    to->depth = args->depth;
}

static apr_status_t native_start(mastra_tool_call_t *call)
{
    const native_conf_t *conf = call->tool->conf;
    native_state_t *state = apr_pcalloc(call->pool, sizeof(*state));
    mastra_foreign_t *foreign;
    native_work_t *work;
    apr_status_t rv;

    call->state = state;
    rv = mastra_foreign_make(&foreign, call->env->jobs, sizeof(*work));
    if (rv) {
        return rv;
    }
    work = (native_work_t *)foreign;
    foreign->run = native_run;
    foreign->done = native_over;
    fill(work, call);
    rv = mastra_foreign_start(foreign);
    if (rv) {
        mastra_foreign_unref(foreign);
        mastra_loop_timer_set(call->env->loop, &state->timer, 0, on_no_room,
                              call);
        return APR_SUCCESS;
    }
    work->owner = call;
    state->work = work;
    mastra_loop_timer_set(call->env->loop, &state->timer, conf->timeout,
                          on_timeout, call);
    return APR_SUCCESS;
}

static void native_cancel(mastra_tool_call_t *call)
{
    native_state_t *state = call->state;

    if (state->work) {
        give_up(call);
    }
    mastra_loop_timer_stop(call->env->loop, &state->timer);
    mastra_tool_finish(call, NULL, NULL);
}

const mastra_tool_kind_t *mastra_tool_native_kind(mastra_tool_native_cb *find,
                                                  void *baton,
                                                  apr_pool_t *pool)
{
    native_kind_t *kind = apr_pcalloc(pool, sizeof(*kind));

    kind->kind.name = "provider";
    kind->kind.parse = native_parse;
    kind->kind.start = native_start;
    kind->kind.cancel = native_cancel;
    kind->find = find;
    kind->baton = baton;
    return &kind->kind;
}
