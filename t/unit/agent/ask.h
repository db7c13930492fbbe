/* Runs of agents on a loop of their own: the model is a script of this file,
 * what it is asked is kept, and so is what the run says. */
#ifndef ASK_H
#define ASK_H

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "agent/agent.h"
#include "base/log.h"
#include "store/store.h"
#include "store/threads.h"
#include "tap.h"

#define MAX_CALLS 64

static apr_pool_t *pool;
static mastra_agent_env_t env;
static mastra_tool_env_t tool_env;
static mastra_models_t *models;
static mastra_tools_t *tools;
static mastra_agents_t *agents;

static mastra_json_t *parse(const char *text)
{
    mastra_json_t *json = NULL;
    mastra_json_error_t error;

    if (mastra_json_parse(&json, text, strlen(text), 0, &error)) {
        printf("Bail out! %s: %s\n", text, error.message);
        exit(1);
    }
    return mastra_json_own(json, pool);
}

static const char *text_of(const mastra_json_t *json)
{
    return json ? mastra_json_text(json, pool) : NULL;
}

/* ---- the model: each call says what the next line of the script tells ---- */

/* {text}, {text, calls: [{id, name, args}]}, {fail: status} or {hang: true} */
static mastra_json_t *script;
static apr_size_t line;
static mastra_json_t *asked[MAX_CALLS];  /* {prompt, tools, schema, choice} */
static int nasked, ncancelled;
static void (*before_call)(void);        /* on the loop, or NULL */

typedef struct {
    mastra_model_call_t base;
    mastra_loop_t *loop;
    mastra_timer_t timer;
    mastra_model_cbs_t cbs;
    void *baton;
    const mastra_json_t *say;
    int raw;
} scripted_t;

static void emit(scripted_t *call, mastra_model_event_e type, const char *text,
                 const char *id, const char *name, mastra_json_t *json)
{
    mastra_model_event_t event = { .type = type, .text = text,
                                   .len = text ? strlen(text) : 0, .id = id,
                                   .name = name, .json = json };

    if (type == MASTRA_MODEL_FINISH) {
        event.reason = text;
        event.raw_reason = text;
        event.text = NULL;
    }
    call->cbs.on_event(call->baton, &event);
}

static void emit_calls(scripted_t *call, const mastra_json_t *calls)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(calls); i++) {
        const mastra_json_t *one = mastra_json_at(calls, i);
        const char *id = mastra_json_get_str(one, "id");
        const char *name = mastra_json_get_str(one, "name");

        emit(call, MASTRA_MODEL_TOOL_START, NULL, id, name, NULL);
        emit(call, MASTRA_MODEL_TOOL_END, NULL, id, NULL, NULL);
        emit(call, MASTRA_MODEL_TOOL_CALL, NULL, id, name,
             mastra_json_get(one, "args"));
    }
}

static void scripted_say(void *baton)
{
    scripted_t *call = baton;
    const mastra_json_t *calls = mastra_json_get(call->say, "calls");
    const char *text = mastra_json_get_str(call->say, "text");
    int fail = (int)mastra_json_get_int(call->say, "fail", 0);
    mastra_json_t *usage = mastra_json_pack("{s:i, s:i, s:i}", "inputTokens", 1,
                                            "outputTokens", 2, "totalTokens",
                                            3);

    if (fail) {
        call->cbs.on_done(call->baton, mastra_result_make(
            pool, fail, "MODEL_UPSTREAM", "the model fails"));
    }
    else if (!mastra_json_get(call->say, "hang")) {
        if (call->raw) {
            emit(call, MASTRA_MODEL_RAW, NULL, NULL, NULL,
                 (mastra_json_t *)call->say);
        }
        if (text) {
            emit(call, MASTRA_MODEL_TEXT, text, NULL, NULL, NULL);
        }
        emit_calls(call, calls);
        emit(call, MASTRA_MODEL_FINISH, calls ? "tool-calls" : "stop", NULL,
             NULL, usage);
        call->cbs.on_done(call->baton, NULL);
    }
    mastra_json_unref(usage);
}

static mastra_json_t *names_of(const mastra_json_t *specs)
{
    mastra_json_t *names = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(specs); i++) {
        mastra_json_append(names, mastra_json_ref(mastra_json_get(
            mastra_json_at(specs, i), "name")));
    }
    return names;
}

static apr_status_t scripted_start(mastra_model_call_t **pcall,
                                   mastra_loop_t *loop,
                                   const mastra_model_provider_t *provider,
                                   const mastra_model_request_t *request,
                                   const mastra_model_cbs_t *cbs, void *baton)
{
    scripted_t *call = apr_pcalloc(pool, sizeof(*call));

    call->base.kind = provider->kind;
    call->loop = loop;
    call->cbs = *cbs;
    call->baton = baton;
    call->raw = request->include_raw;
    call->say = mastra_json_at(script, line++);
    if (!call->say) {
        call->say = parse("{\"text\":\"(the script is over)\"}");
    }
    asked[nasked++ % MAX_CALLS] = mastra_json_own(mastra_json_pack(
        "{s:s, s:o, s:o, s:o*}", "model", request->model_id, "prompt",
        mastra_json_copy(request->prompt), "tools", names_of(request->tools),
        "schema", mastra_json_copy(request->response_schema)), pool);
    if (before_call) {
        before_call();
    }
    mastra_loop_timer_set(loop, &call->timer, 0, scripted_say, call);
    *pcall = &call->base;
    return APR_SUCCESS;
}

static void scripted_cancel(mastra_model_call_t *base)
{
    scripted_t *call = (scripted_t *)base;

    ncancelled++;
    mastra_loop_timer_stop(call->loop, &call->timer);
}

static void scripted_resume(mastra_model_call_t *base)
{
    (void)base;
}

static const mastra_model_kind_t scripted = {
    .name = "scripted", .start = scripted_start, .cancel = scripted_cancel,
    .resume = scripted_resume
};

/* ---- a tool that gives back what it is given ---- */

static const char *give_parse(void **pconf, const char **pfield,
                              const mastra_tool_t *tool, apr_pool_t *p)
{
    *pconf = NULL;
    return NULL;
}

static void give_over(void *baton)
{
    mastra_tool_call_t *call = baton;

    mastra_tool_finish(call, mastra_json_ref(call->args.input), NULL);
}

static apr_status_t give_start(mastra_tool_call_t *call)
{
    mastra_msg_t *msg = apr_pcalloc(call->pool, sizeof(*msg));

    msg->cb = give_over;
    msg->baton = call;
    mastra_loop_defer(call->env->loop, msg);
    return APR_SUCCESS;
}

static void give_cancel(mastra_tool_call_t *call)
{
    (void)call;
}

static const mastra_tool_kind_t give = { "give", give_parse, give_start,
                                         give_cancel };

/* ---- asking ---- */

/* One run and what became of it. */
typedef struct {
    mastra_sink_t sink;
    mastra_agent_run_t *run;
    mastra_msg_t msg;
    mastra_json_t *chunks;
    mastra_json_t *answer;
    int status;                  /* of the error, 0: none */
    const char *code;
    const char *error;
    mastra_json_t *detail;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int over;
} ask_t;

static int ask_chunk(mastra_sink_t *sink, mastra_json_t *chunk)
{
    ask_t *ask = (ask_t *)sink;

    mastra_json_append(ask->chunks, mastra_json_copy(chunk));
    return 1;
}

static void take_error(ask_t *ask, const mastra_result_t *error)
{
    if (error) {
        error = mastra_result_copy(pool, error);
        ask->status = error->status;
        ask->code = error->code;
        ask->error = error->message;
        ask->detail = error->detail;
    }
}

static void wake(ask_t *ask)
{
    pthread_mutex_lock(&ask->lock);
    ask->over = 1;
    pthread_cond_signal(&ask->cond);
    pthread_mutex_unlock(&ask->lock);
}

static void ask_end(mastra_sink_t *sink, mastra_json_t *answer,
                    const mastra_result_t *error)
{
    ask_t *ask = (ask_t *)sink;

    take_error(ask, error);
    if (answer) {
        ask->answer = mastra_json_own(mastra_json_copy(answer), pool);
    }
    wake(ask);
}

static const mastra_sink_vtable_t ask_vtable = { .chunk = ask_chunk,
                                                 .end = ask_end };

static void ask_begin(void *baton)
{
    ask_t *ask = baton;

    mastra_agent_run_begin(ask->run, &ask->sink);
}

static ask_t *ask_make(const char *agent, mastra_json_t *options, int stream,
                       mastra_json_t *context)
{
    mastra_principal_t principal = { .request_context = context };
    mastra_result_t *error = NULL;
    ask_t *ask = apr_pcalloc(pool, sizeof(*ask));

    ask->sink.vtable = &ask_vtable;
    ask->chunks = mastra_json_own(mastra_json_array(), pool);
    pthread_mutex_init(&ask->lock, NULL);
    pthread_cond_init(&ask->cond, NULL);
    line = 0;
    nasked = ncancelled = 0;
    ask->run = mastra_agent_run_make(&env, mastra_agents_find(agents, agent),
                                     options, stream, &principal, &error, pool);
    take_error(ask, error);
    ask->msg.cb = ask_begin;
    ask->msg.baton = ask;
    return ask;
}

static void ask_wait(ask_t *ask)
{
    pthread_mutex_lock(&ask->lock);
    while (!ask->over) {
        pthread_cond_wait(&ask->cond, &ask->lock);
    }
    ask->over = 0;
    pthread_mutex_unlock(&ask->lock);
}

/* The options are given without the braces, the script as JSON. */
static ask_t *ask(const char *agent, int stream, const char *options,
                  const char *says)
{
    ask_t *made;

    script = parse(says);
    made = ask_make(agent, parse(apr_psprintf(pool, "{%s}", options)), stream,
                    parse("{\"name\":\"Ann\"}"));
    if (made->run) {
        mastra_loop_post(env.loop, &made->msg);
        ask_wait(made);
    }
    return made;
}

/* "start step-start …" of a stream. */
static inline const char *types(const ask_t *ask)
{
    const char *list = "";
    apr_size_t i;

    for (i = 0; i < mastra_json_size(ask->chunks); i++) {
        list = apr_pstrcat(pool, list, *list ? " " : "", mastra_json_get_str(
                               mastra_json_at(ask->chunks, i), "type"), NULL);
    }
    return list;
}

/* The n-th chunk of a type, from 0. */
static inline mastra_json_t *chunk(const ask_t *ask, const char *type, int n)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(ask->chunks); i++) {
        mastra_json_t *one = mastra_json_at(ask->chunks, i);

        if (!strcmp(mastra_json_get_str(one, "type"), type) && !n--) {
            return one;
        }
    }
    return NULL;
}

/* A member of what the n-th call of the model was asked. */
static const char *was_asked(int n, const char *member)
{
    return n < nasked ? text_of(mastra_json_get(asked[n], member)) : "(not)";
}

/* ---- the world ---- */

static void add_tool(const char *key, const char *definition)
{
    const mastra_result_t *error = mastra_tools_add(tools, key,
                                                    parse(definition));

    if (error) {
        printf("Bail out! tool %s: %s\n", key, error->message);
        exit(1);
    }
}

static void add_agent(const char *key, const char *definition)
{
    const mastra_result_t *error = mastra_agents_add(agents, key,
                                                     parse(definition), models,
                                                     tools);

    if (error) {
        printf("Bail out! agent %s: %s\n", key, error->message);
        exit(1);
    }
}

static int quiet(mastra_log_level_e level)
{
    return 0;
}

static void no_log(mastra_log_level_e level, apr_status_t rv, const char *file,
                   int at, const char *text)
{
    (void)text;
}

static inline void open_store(const char *file)
{
    mastra_store_conf_t conf = { .driver = "sqlite3", .params = file };
    mastra_result_t *error = NULL;

    if (mastra_store_migrate(&conf, &error, pool)
        || mastra_store_open(&env.store, &conf, pool)) {
        printf("Bail out! no database: %s\n", error ? error->message : "?");
        exit(1);
    }
}

static void world_begin(void)
{
    mastra_model_provider_t *provider;
    const char *id;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    mastra_log_set(quiet, no_log);
    models = mastra_models_make(pool);
    mastra_models_add(models, "s", "mock", NULL, NULL, NULL, 0, -1);
    provider = (mastra_model_provider_t *)mastra_models_find(models, "s/m",
                                                             &id);
    provider->kind = &scripted;
    tools = mastra_tools_make(pool);
    mastra_tools_add_kind(tools, &give);
    mastra_tools_add_kind(tools, &mastra_tool_agent);
    agents = mastra_agents_make(pool);
    if (mastra_loop_start(&env.loop, NULL, pool)) {
        printf("Bail out! no loop\n");
        exit(1);
    }
    env.host = "test";
    env.tools = &tool_env;
    env.agents = agents;
    env.models = models;
    env.max_steps = 5;
    env.lease = apr_time_from_sec(30);
    tool_env.loop = env.loop;
    tool_env.agents = &env;
}

static int world_end(void)
{
    mastra_loop_stop(env.loop);
    if (env.store) {
        mastra_store_close(env.store);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}

#endif
