/* Tools and models that other modules register: found by name and version
 * when the configuration is read, and called through the public structs. */
#include <stddef.h>
#include <string.h>

#include <apr_strings.h>

#include <ap_provider.h>

#include "mod_mastra.h"
#include "mod_mastra_native.h"

#define ANSWER_LIMIT (16 * 1024 * 1024)
#define MAJOR(version) ((version) >> 16)
#define MINOR(version) ((version) & 0xffff)
#define HAS(type, member) \
    (offsetof(type, member) + sizeof(((type *)0)->member))

/* --- versions -------------------------------------------------------------- */

static apr_uint32_t mastra_api_version(void)
{
    return MASTRA_API_VERSION;
}

const char *mastra_native_check(apr_uint32_t version, apr_uint32_t size,
                                apr_size_t least, apr_pool_t *pool)
{
    if (MAJOR(version) != MASTRA_API_MAJOR
        || MINOR(version) > MASTRA_API_MINOR) {
        return apr_psprintf(pool, "its module was compiled for version %u.%u "
                            "of mod_mastra.h, this mod_mastra has %u.%u",
                            MAJOR(version), MINOR(version), MASTRA_API_MAJOR,
                            MASTRA_API_MINOR);
    }
    if (size < least) {
        return apr_psprintf(pool, "its module gives a struct of %u bytes, "
                            "version %u.%u has at least %" APR_SIZE_T_FMT,
                            size, MAJOR(version), MINOR(version), least);
    }
    return NULL;
}

/* It is not there under our version: perhaps it is under another one. */
static const char *not_found(const char *group, const char *name,
                             apr_pool_t *pool)
{
    const apr_array_header_t *groups = ap_list_provider_groups(pool);
    const apr_array_header_t *names;
    const char *list = "";
    int i;

    for (i = 0; i < groups->nelts; i++) {
        const ap_list_provider_groups_t *each =
            &APR_ARRAY_IDX(groups, i, ap_list_provider_groups_t);

        if (!strcmp(each->provider_group, group)
            && ap_lookup_provider(group, name, each->provider_version)) {
            return apr_psprintf(pool, "\"%s\" is there for version %s of "
                                "mod_mastra.h, this mod_mastra has %s", name,
                                each->provider_version,
                                MASTRA_PROVIDER_VERSION);
        }
    }
    names = ap_list_provider_names(pool, group, MASTRA_PROVIDER_VERSION);
    for (i = 0; i < names->nelts; i++) {
        list = apr_pstrcat(pool, list, i ? ", " : "; there is: ",
                           APR_ARRAY_IDX(names, i, ap_list_provider_names_t)
                           .provider_name, NULL);
    }
    return apr_psprintf(pool, "no module offers \"%s\"%s", name, list);
}

const void *mastra_native_find(const char **pwhy, const char *group,
                               const char *name, apr_pool_t *pool)
{
    const void *provider = ap_lookup_provider(group, name,
                                              MASTRA_PROVIDER_VERSION);

    *pwhy = provider ? NULL : not_found(group, name, pool);
    return provider;
}

/* --- tools ----------------------------------------------------------------- */

typedef struct {
    const mastra_provider_tool_t *provider;
    void *instance;
} tool_t;

typedef struct {
    mastra_tool_task_t task;         /* first */
    mastra_tool_native_call_t *call;
} tool_task_t;

static mastra_tool_native_call_t *call_of(mastra_tool_task_t *task)
{
    return ((tool_task_t *)task)->call;
}

static apr_status_t tool_answer(mastra_tool_task_t *task, const char *json,
                                apr_size_t len)
{
    mastra_tool_native_call_t *call = call_of(task);

    if (len > ANSWER_LIMIT) {
        call->failure = "the tool's answer is too large";
        return APR_ENOSPC;
    }
    mastra_json_unref(call->output);
    call->output = NULL;
    if (mastra_json_parse(&call->output, json, len, 0, NULL)) {
        call->output = NULL;
        call->failure = "the tool's answer is not JSON";
        return APR_EINVAL;
    }
    return APR_SUCCESS;
}

static void tool_fail(mastra_tool_task_t *task, const char *message)
{
    mastra_tool_native_call_t *call = call_of(task);

    call->failure = message && *message ? apr_pstrdup(call->pool, message)
                                        : "the tool failed";
}

static int tool_cancelled(mastra_tool_task_t *task)
{
    return mastra_foreign_is_cancelled(call_of(task)->foreign);
}

static apr_status_t tool_sleep(mastra_tool_task_t *task,
                               apr_interval_time_t time)
{
    return mastra_foreign_sleep(call_of(task)->foreign, time);
}

static void tool_on_cancel(mastra_tool_task_t *task, void (*cb)(void *baton),
                           void *baton)
{
    mastra_foreign_on_cancel(call_of(task)->foreign, cb, baton);
}

static void fill_tool(tool_task_t *made, mastra_tool_native_call_t *call)
{
    mastra_tool_task_t *task = &made->task;

    memset(made, 0, sizeof(*made));
    made->call = call;
    task->version = MASTRA_API_VERSION;
    task->size = sizeof(*task);
    task->pool = call->pool;
    task->tool_id = call->tool_id;
    task->input = call->input;
    task->input_len = call->input_len;
    task->request_context = call->request_context;
    task->tool_call_id = call->tool_call_id;
    task->run_id = call->run_id;
    task->agent_id = call->agent_id;
    task->thread_id = call->thread_id;
    task->resource_id = call->resource_id;
    task->idempotency_key = call->idempotency_key;
    task->deadline = call->deadline;
    task->depth = call->depth;
    task->answer = tool_answer;
    task->fail = tool_fail;
    task->cancelled = tool_cancelled;
    task->sleep = tool_sleep;
    task->on_cancel = tool_on_cancel;
}

static apr_status_t tool_execute(void *baton, mastra_tool_native_call_t *call)
{
    const tool_t *tool = baton;
    tool_task_t task;
    apr_status_t rv;

    fill_tool(&task, call);
    rv = tool->provider->execute(tool->instance, &task.task);
    mastra_foreign_on_cancel(call->foreign, NULL, NULL);
    return rv;
}

static const char *find_tool(mastra_tool_native_t *native,
                             const char **pfield, void *baton,
                             const char *name, const char *text,
                             apr_pool_t *pool)
{
    const char *wrong;
    const mastra_provider_tool_t *provider =
        mastra_native_find(&wrong, MASTRA_PROVIDER_TOOL, name, pool);
    tool_t *tool = apr_pcalloc(pool, sizeof(*tool));

    if (!provider) {
        return wrong;
    }
    wrong = mastra_native_check(provider->version, provider->size,
                                HAS(mastra_provider_tool_t, execute), pool);
    if (wrong) {
        return wrong;
    }
    if (!provider->execute) {
        return "its module gives no function execute";
    }
    tool->provider = provider;
    native->execute = tool_execute;
    native->baton = tool;
    if (!provider->configure) {
        return NULL;
    }
    *pfield = "execute";
    wrong = provider->configure(&tool->instance, text, baton, pool);
    return wrong ? apr_pstrdup(pool, wrong) : NULL;
}

const mastra_tool_kind_t *mastra_native_tools(server_rec *s, apr_pool_t *pool)
{
    return mastra_tool_native_kind(find_tool, s, pool);
}

/* --- models ---------------------------------------------------------------- */

typedef struct {
    const mastra_provider_model_t *provider;
    void *instance;
} model_t;

typedef struct {
    mastra_model_task_t task;        /* first */
    mastra_model_feed_t *feed;
} model_task_t;

typedef struct {
    server_rec *server;
    mastra_jobs_t *const *pjobs;
} model_finder_t;

static mastra_model_feed_t *feed_of(mastra_model_task_t *task)
{
    return ((model_task_t *)task)->feed;
}

static int model_cancelled(mastra_model_task_t *task)
{
    return mastra_foreign_is_cancelled(feed_of(task)->foreign);
}

static apr_status_t say(mastra_model_task_t *task, mastra_model_event_e type,
                        const char *text, apr_size_t len)
{
    mastra_model_event_t event = { .type = type, .text = text, .len = len };

    if (!len) {
        return model_cancelled(task) ? APR_ECONNABORTED : APR_SUCCESS;
    }
    return mastra_model_feed(feed_of(task), &event);
}

static apr_status_t model_text(mastra_model_task_t *task, const char *text,
                               apr_size_t len)
{
    return say(task, MASTRA_MODEL_TEXT, text, len);
}

static apr_status_t model_reasoning(mastra_model_task_t *task,
                                    const char *text, apr_size_t len)
{
    return say(task, MASTRA_MODEL_REASONING, text, len);
}

static apr_status_t model_tool_call(mastra_model_task_t *task, const char *id,
                                    const char *name, const char *arguments,
                                    apr_size_t len)
{
    mastra_model_event_t event = { .type = MASTRA_MODEL_TOOL_CALL, .id = id,
                                   .name = name, .text = len ? arguments
                                                             : "{}",
                                   .len = len ? len : 2 };

    if (!name || len > ANSWER_LIMIT) {
        return name ? APR_ENOSPC : APR_EINVAL;
    }
    if (mastra_json_parse(&event.json, event.text, event.len, 0, NULL)) {
        return APR_EINVAL;
    }
    if (!mastra_json_is_object(event.json)) {
        mastra_json_unref(event.json);
        return APR_EINVAL;
    }
    return mastra_model_feed(feed_of(task), &event);
}

static void model_finish(mastra_model_task_t *task, const char *reason,
                         const char *usage, apr_size_t usage_len)
{
    mastra_json_t *json = NULL;

    if (usage && mastra_json_parse(&json, usage, usage_len, 0, NULL)) {
        json = NULL;
    }
    if (json && !mastra_json_is_object(json)) {
        mastra_json_unref(json);
        json = NULL;
    }
    mastra_model_feed_finish(feed_of(task), reason, json);
}

static void model_fail(mastra_model_task_t *task, int status,
                       const char *message)
{
    mastra_model_feed_fail(feed_of(task), status, message ? message
                                                          : "no reason given");
}

static apr_status_t model_sleep(mastra_model_task_t *task,
                                apr_interval_time_t time)
{
    return mastra_foreign_sleep(feed_of(task)->foreign, time);
}

static void model_on_cancel(mastra_model_task_t *task, void (*cb)(void *baton),
                            void *baton)
{
    mastra_foreign_on_cancel(feed_of(task)->foreign, cb, baton);
}

static apr_status_t model_start(void *baton, mastra_model_feed_t *feed)
{
    const model_t *model = baton;
    model_task_t *made = apr_pcalloc(feed->pool, sizeof(*made));
    mastra_model_task_t *task = &made->task;

    made->feed = feed;
    task->version = MASTRA_API_VERSION;
    task->size = sizeof(*task);
    task->pool = feed->pool;
    task->provider_id = feed->provider_id;
    task->model_id = feed->model_id;
    task->stream = feed->stream;
    task->request = feed->request;
    task->request_len = feed->request_len;
    task->text = model_text;
    task->reasoning = model_reasoning;
    task->tool_call = model_tool_call;
    task->finish = model_finish;
    task->fail = model_fail;
    task->cancelled = model_cancelled;
    task->sleep = model_sleep;
    task->on_cancel = model_on_cancel;
    return model->provider->start(model->instance, task);
}

static const char *find_model(mastra_model_native_t *native, void *baton,
                              const char *name, const char *id,
                              apr_pool_t *pool)
{
    const model_finder_t *finder = baton;
    const char *wrong;
    const mastra_provider_model_t *provider =
        mastra_native_find(&wrong, MASTRA_PROVIDER_MODEL, name, pool);
    model_t *model = apr_pcalloc(pool, sizeof(*model));

    if (!provider) {
        return wrong;
    }
    wrong = mastra_native_check(provider->version, provider->size,
                                HAS(mastra_provider_model_t, start), pool);
    if (wrong) {
        return wrong;
    }
    if (!provider->start) {
        return "its module gives no function start";
    }
    model->provider = provider;
    native->start = model_start;
    native->baton = model;
    native->pjobs = finder->pjobs;
    if (!provider->configure || !finder->pjobs) {
        return NULL;
    }
    wrong = provider->configure(&model->instance, id, finder->server, pool);
    return wrong ? apr_pstrdup(pool, wrong) : NULL;
}

void mastra_native_models(mastra_models_t *models, server_rec *s,
                          mastra_jobs_t *const *pjobs, apr_pool_t *pool)
{
    model_finder_t *finder = apr_pcalloc(pool, sizeof(*finder));

    finder->server = s;
    finder->pjobs = pjobs;
    mastra_models_set_native(models, find_model, finder);
}

/* --- registration ---------------------------------------------------------- */

void mastra_native_register(apr_pool_t *pool)
{
    APR_REGISTER_OPTIONAL_FN(mastra_api_version);
    mastra_native_register_calls();
    mastra_native_register_request();
}
