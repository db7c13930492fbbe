/* Tools of kind agent: another agent of this server answers, in a run of its
 * own that lives no longer than the call. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

static const char input_schema[] =
    "{\"type\":\"object\",\"properties\":{\"prompt\":{\"type\":\"string\","
    "\"description\":\"What the agent is to do, with all that it has to "
    "know\"},\"threadId\":{\"type\":[\"string\",\"null\"],\"description\":"
    "\"subAgentThreadId of an earlier answer: the agent goes on with that "
    "conversation\"},\"instructions\":{\"type\":[\"string\",\"null\"],"
    "\"description\":\"What the agent is to heed beside its own "
    "instructions\"},\"maxSteps\":{\"type\":[\"number\",\"null\"],"
    "\"description\":\"How many steps it may take, 3 or more\"}},"
    "\"required\":[\"prompt\"]}";

typedef struct {
    mastra_sink_t sink;              /* first: the run knows it by this */
    mastra_tool_call_t *call;
    mastra_agent_run_t *run;         /* NULL before it is made, and at the end */
    const char *thread_id, *resource_id;   /* of its conversation */
    mastra_result_t *error;          /* why there is no run */
    mastra_msg_t msg;
    int cancelled;                   /* before it began */
} delegate_t;

static const char *delegate_parse(void **pconf, const char **pfield,
                                  const mastra_tool_t *tool, apr_pool_t *pool)
{
    const char *agent = mastra_json_get_str(
        mastra_json_get(tool->definition, "execute"), "agent");

    (void)pool;
    if (!agent || !*agent) {
        *pfield = "execute.agent";
        return "names no agent: \"execute\": {\"kind\": \"agent\", \"agent\": "
               "\"id\"}";
    }
    *pconf = (void *)agent;
    return NULL;
}

const mastra_result_t *mastra_agents_check_tool(const mastra_agents_t *agents,
                                                const mastra_tool_t *tool,
                                                apr_pool_t *pool)
{
    mastra_result_t *error;

    if (tool->kind != &mastra_tool_agent
        || mastra_agents_find(agents, tool->conf)) {
        return NULL;
    }
    error = mastra_result_make(pool, 400, "TOOL_INVALID",
                               "there is no agent \"%s\"",
                               (const char *)tool->conf);
    error->detail = mastra_json_own(mastra_json_pack("{s:s}", "field",
                                                     "execute.agent"), pool);
    return error;
}

/* ---- what the run says ---- */

static int on_chunk(mastra_sink_t *sink, mastra_json_t *chunk)
{
    delegate_t *delegate = (delegate_t *)sink;
    const mastra_tool_args_t *args = &delegate->call->args;

    return args->say ? args->say(args->say_baton, chunk) : 1;
}

/* The calls of the agent's own tools. */
static mastra_json_t *tool_results(const mastra_agent_run_t *run)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(run->parts); i++) {
        const mastra_json_t *inner = mastra_json_get(
            mastra_json_at(run->parts, i), "toolInvocation");
        mastra_json_t *result = mastra_json_get(inner, "result");

        if (result) {
            mastra_json_append(made, mastra_json_pack(
                "{s:O*, s:O*, s:O, s:O*}", "toolName",
                mastra_json_get(inner, "toolName"), "toolCallId",
                mastra_json_get(inner, "toolCallId"), "result", result, "args",
                mastra_json_get(inner, "args")));
        }
    }
    return made;
}

static mastra_json_t *result_of(const delegate_t *delegate,
                                const mastra_agent_run_t *run)
{
    mastra_json_t *text = mastra_message_last_text(run->parts, 0);
    mastra_json_t *result = mastra_json_pack(
        "{s:o, s:s, s:s, s:o, s:O}", "text",
        text ? mastra_json_ref(text) : mastra_json_string(""),
        "subAgentThreadId", delegate->thread_id, "subAgentResourceId",
        delegate->resource_id, "subAgentToolResults", tool_results(run),
        "usage", run->usage);

    if (run->object) {
        mastra_json_set(result, "object", mastra_json_ref(run->object));
    }
    return result;
}

static void on_end(mastra_sink_t *sink, mastra_json_t *answer,
                   const mastra_result_t *error)
{
    delegate_t *delegate = (delegate_t *)sink;
    mastra_agent_run_t *run = delegate->run;

    (void)answer;
    (void)error;
    delegate->run = NULL;
    if (run->error) {
        mastra_tool_finish(delegate->call, NULL, run->error);
        return;
    }
    if (run->suspended) {
        mastra_json_t *waits = mastra_run_waits_for(run), *state;

        state = mastra_json_get(waits, "state");
        mastra_json_set_str(state, "threadId", delegate->thread_id);
        mastra_json_set_str(state, "resourceId", delegate->resource_id);
        mastra_tool_suspend(delegate->call, waits);
        return;
    }
    mastra_tool_finish(delegate->call, result_of(delegate, run), NULL);
}

static const mastra_sink_vtable_t sink_vtable = { .chunk = on_chunk,
                                                  .end = on_end };

/* ---- the call ---- */

/* The prompt, under one of its names; else the input as it is. */
static mastra_json_t *prompt_of(const mastra_json_t *input, apr_pool_t *pool)
{
    const char *text = mastra_part_str(input, "prompt", "message", NULL);

    return mastra_json_string(text ? text : mastra_json_text(input, pool));
}

/* Whether it stands in the caller's member "agents". */
static int is_own(const mastra_tool_t *tool)
{
    return !strncmp(tool->key, MASTRA_AGENT_TOOL, strlen(MASTRA_AGENT_TOOL));
}

/* A conversation of its own, below the caller's: an earlier one when the model
 * names it. */
static void set_conversation(delegate_t *delegate)
{
    const mastra_tool_args_t *args = &delegate->call->args;
    apr_pool_t *pool = delegate->call->pool;
    const char *named = mastra_json_get_str(args->input, "threadId");
    const char *prefix = args->thread_id ? apr_pstrcat(pool, args->thread_id,
                                                       "-", NULL) : "";
    const char *key = delegate->call->tool->key;

    if (args->waited) {
        delegate->thread_id = mastra_json_get_str(args->waited, "threadId");
        delegate->resource_id = mastra_json_get_str(args->waited,
                                                    "resourceId");
        return;
    }
    if (is_own(delegate->call->tool)) {
        key += strlen(MASTRA_AGENT_TOOL);
    }
    delegate->thread_id = named && *prefix
                          && !strncmp(named, prefix, strlen(prefix))
        ? named : apr_pstrcat(pool, prefix, mastra_text_uuid_make(pool), NULL);
    delegate->resource_id = args->owner
        ? args->owner : args->resource_id
        ? apr_pstrcat(pool, args->resource_id, "-", key, NULL)
        : mastra_text_uuid_make(pool);
}

/* What the agent is asked; new reference. One of the caller's own hears what
 * was said before, too, as with the Node server. */
static mastra_json_t *options_of(const delegate_t *delegate,
                                 const mastra_agent_t *agent)
{
    const mastra_tool_args_t *args = &delegate->call->args;
    apr_int64_t steps = mastra_json_get_int(args->input, "maxSteps", 0);
    mastra_json_t *made = mastra_json_pack(
        "{s:o, s:s*, s:O*}", "messages", prompt_of(args->input,
                                                   delegate->call->pool),
        "runId", args->child_run_id, "context",
        is_own(delegate->call->tool) ? args->messages : NULL);

    mastra_json_set_str(made, "system", mastra_json_get_str(args->input,
                                                            "instructions"));
    if (steps > 0) {
        mastra_json_set_int(made, "maxSteps", steps < 3 ? 3 : steps);
    }
    if (args->thread_id && agent->memory.enabled) {
        mastra_json_set(made, "memory", mastra_json_pack(
            "{s:s, s:s}", "thread", delegate->thread_id, "resource",
            delegate->resource_id));
    }
    return made;
}

/* The decision about the call that the agent's own run waits with. */
static mastra_json_t *decision_of(const mastra_tool_args_t *args)
{
    mastra_json_t *made = mastra_json_copy_flat(args->decision);

    mastra_json_set_str(made, "toolCallId", mastra_json_get_str(args->waited,
                                                                "toolCallId"));
    return made;
}

static mastra_agent_run_t *run_of(delegate_t *delegate,
                                  const mastra_agent_t *agent,
                                  const mastra_principal_t *principal,
                                  mastra_result_t **perror)
{
    mastra_tool_call_t *call = delegate->call;
    mastra_agent_env_t *env = call->env->agents;
    int stream = call->args.say != NULL;
    mastra_agent_run_t *run;
    mastra_json_t *options;

    if (call->args.waited) {
        options = decision_of(&call->args);
        run = mastra_agent_run_take_up(
            env, agent, mastra_json_get_str(call->args.waited, "runId"),
            options, stream, principal, perror, call->pool);
    }
    else {
        options = options_of(delegate, agent);
        run = mastra_agent_run_make(env, agent, options, stream, principal,
                                    perror, call->pool);
    }
    mastra_json_unref(options);
    return run;
}

static mastra_result_t *make_run(delegate_t *delegate)
{
    mastra_tool_call_t *call = delegate->call;
    mastra_agent_env_t *env = call->env->agents;
    const mastra_agent_t *agent = env ? mastra_agents_find(env->agents,
                                                           call->tool->conf)
                                      : NULL;
    mastra_principal_t principal = { .resource_id = call->args.owner,
                                     .again = call->args.at_least_once
                                         ? call->args.idempotency_key : NULL,
                                     .request_context =
                                         call->args.request_context,
                                     .owned = call->args.owned,
                                     .depth = call->args.depth + 1 };
    mastra_result_t *error = NULL;

    if (!agent) {
        return mastra_result_make(call->pool, 404, "AGENT_NOT_FOUND",
                                  "Agent with id %s not found",
                                  (const char *)call->tool->conf);
    }
    if (principal.depth > MASTRA_AGENT_MAX_DEPTH) {
        return mastra_result_make(call->pool, 508, "AGENT_TOO_DEEP",
                                  "Agents call each other too deeply");
    }
    set_conversation(delegate);
    delegate->run = run_of(delegate, agent, &principal, &error);
    if (delegate->run) {
        delegate->run->nested = !call->args.may_wait;
    }
    return error;
}

static void begin(void *baton)
{
    delegate_t *delegate = baton;

    if (delegate->cancelled && delegate->run) {
        mastra_agent_run_discard(delegate->run);
    }
    if (delegate->cancelled || delegate->error) {
        mastra_tool_finish(delegate->call, NULL, delegate->error);
        return;
    }
    mastra_agent_run_begin(delegate->run, &delegate->sink);
}

static apr_status_t delegate_start(mastra_tool_call_t *call)
{
    delegate_t *delegate = apr_pcalloc(call->pool, sizeof(*delegate));

    call->state = delegate;
    delegate->call = call;
    delegate->sink.vtable = &sink_vtable;
    delegate->error = make_run(delegate);
    delegate->msg.cb = begin;
    delegate->msg.baton = delegate;
    mastra_loop_defer(call->env->loop, &delegate->msg);
    return APR_SUCCESS;
}

static void delegate_cancel(mastra_tool_call_t *call)
{
    delegate_t *delegate = call->state;
    mastra_agent_run_t *run = delegate->run;

    if (!run || run->state == MASTRA_RUN_NEW) {
        delegate->cancelled = 1;
        return;
    }
    mastra_agent_run_cancel(run);
    mastra_tool_finish(call, NULL, NULL);
}

static void delegate_resume(mastra_tool_call_t *call)
{
    delegate_t *delegate = call->state;

    if (delegate->run) {
        mastra_agent_run_resume(delegate->run);
    }
}

/* The model reads what the agent said, not what it cost. */
static mastra_json_t *delegate_output(const mastra_json_t *result)
{
    mastra_json_t *object = mastra_json_get(result, "object");
    const char *text = mastra_json_get_str(result, "text");

    if (object) {
        return mastra_json_pack("{s:s, s:O}", "type", "json", "value", object);
    }
    return text ? mastra_json_pack("{s:s, s:s}", "type", "text", "value", text)
                : NULL;
}

const mastra_tool_kind_t mastra_tool_agent = {
    "agent", delegate_parse, delegate_start, delegate_cancel, input_schema,
    delegate_resume, delegate_output
};
