/* Making a run from a request: identity, memory, limits, structured output. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../base/pool.h"

void mastra_run_free_step(mastra_run_step_t *step)
{
    mastra_run_tool_t *tool;

    if (step->text_open) {
        mastra_buf_free(&step->text);
    }
    if (step->reasoning_open) {
        mastra_buf_free(&step->reasoning);
    }
    mastra_json_unref(step->response);
    mastra_json_unref(step->request);
    mastra_json_unref(step->body);
    mastra_json_unref(step->usage);
    mastra_json_unref(step->tool_chunks);
    mastra_json_unref(step->result_chunks);
    mastra_json_unref(step->part_metadata);
    mastra_json_unref(step->metadata);
    mastra_json_unref(step->files);
    mastra_json_unref(step->base);
    mastra_json_unref(step->messages);
    mastra_json_unref(step->all_messages);
    mastra_json_unref(step->message);
    for (tool = step->tools; tool; tool = tool->next) {
        mastra_json_unref(tool->args);
        mastra_json_unref(tool->part);
        mastra_json_unref(tool->outcome);
        mastra_json_unref(tool->waits);
    }
    memset(step, 0, sizeof(*step));
}

void mastra_agent_run_discard(mastra_agent_run_t *run)
{
    mastra_run_free_step(&run->step);
    mastra_json_unref(run->options);
    mastra_json_unref(run->context);
    mastra_json_unref(run->input);
    mastra_run_forget(run);
    mastra_json_unref(run->parts);
    mastra_json_unref(run->steps);
    mastra_json_unref(run->usage);
    mastra_json_unref(run->decision);
    mastra_json_unref(run->stored);
    mastra_json_unref(run->pending);
    mastra_json_unref(run->prior);
    mastra_json_unref(run->came);
    mastra_claim_free(run->claim);
    mastra_json_unref(run->background);
    mastra_json_unref(run->metadata);
    mastra_json_unref(run->offered);
    mastra_json_unref(run->tool_specs);
    mastra_run_free_output(run);
    mastra_agent_view_unref(run->view);
    apr_pool_destroy(run->pool);
}

static mastra_agent_run_t *alloc_run(void)
{
    mastra_agent_run_t *run;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_run")) {
        return NULL;
    }
    run = apr_pcalloc(pool, sizeof(*run));
    run->pool = pool;
    return run;
}

static const char *random_hex(apr_pool_t *pool, apr_size_t n)
{
    char *out = apr_palloc(pool, 2 * n + 1);

    mastra_text_random_hex(out, n);
    return out;
}

static void set_ids(mastra_agent_run_t *run)
{
    const char *id = mastra_json_get_str(run->options, "runId");
    const char *trace = mastra_json_get_str(
        mastra_json_get(run->options, "tracingOptions"), "traceId");

    run->id = id && *id ? apr_pstrdup(run->pool, id)
                        : mastra_text_uuid_make(run->pool);
    run->message_id = mastra_text_uuid_timed(run->pool);
    run->trace_id = trace && strlen(trace) == 32 ? apr_pstrdup(run->pool, trace)
                                                 : random_hex(run->pool, 16);
    run->span_id = random_hex(run->pool, 8);
}

static void set_principal(mastra_agent_run_t *run,
                          const mastra_principal_t *principal)
{
    run->context = mastra_json_ref(principal->request_context);
    run->owner = apr_pstrdup(run->pool, principal->resource_id);
    run->depth = principal->depth;
    run->again = apr_pstrdup(run->pool, principal->again);
    run->above = principal->owned;
    run->above.host = apr_pstrdup(run->pool, principal->owned.host);
    run->above.id = apr_pstrdup(run->pool, principal->owned.id);
}

/* The last of messages is of now, those before it are each a little older. */
static apr_time_t first_time(const mastra_json_t *messages)
{
    apr_size_t n = mastra_json_size(messages);

    return apr_time_now() - (n ? (apr_time_t)(n - 1) * 1000 : 0);
}

static mastra_result_t *check_threads(mastra_agent_run_t *run,
                                      const mastra_json_t *messages)
{
    apr_size_t i;

    for (i = 0; run->thread_id && i < mastra_json_size(messages); i++) {
        const char *thread = mastra_json_get_str(mastra_json_at(messages, i),
                                                 "threadId");

        if (thread && *thread && strcmp(thread, run->thread_id)) {
            return mastra_run_issue(run->pool,
                                    apr_psprintf(run->pool, "messages.%"
                                                 APR_SIZE_T_FMT ".threadId", i),
                                    "The message belongs to another thread");
        }
    }
    return NULL;
}

static void own_messages(mastra_agent_run_t *run)
{
    apr_size_t i;

    for (i = 0; run->thread_id && i < mastra_json_size(run->input); i++) {
        mastra_json_t *message = mastra_json_at(run->input, i);

        if (mastra_json_get(message, "id")) {
            mastra_json_set_str(message, "threadId", run->thread_id);
            mastra_json_set_str(message, "resourceId", run->resource_id);
        }
    }
}

/* A request that ends with what the assistant said, such as the call of a tool
 * that the client has carried out, wants that message to go on. */
static void continue_last(mastra_agent_run_t *run)
{
    apr_size_t n = mastra_json_size(run->input), parts;
    const mastra_json_t *last = n ? mastra_json_at(run->input, n - 1) : NULL;
    const mastra_json_t *content = mastra_json_get(last, "content");
    const char *role = mastra_json_get_str(last, "role");

    if (!role || strcmp(role, "assistant")) {
        return;
    }
    run->message_id = apr_pstrdup(run->pool, mastra_json_get_str(last, "id"));
    run->metadata = mastra_json_ref(mastra_json_get(content, "metadata"));
    mastra_text_iso_parse(&run->answered_at,
                          mastra_json_get_str(last, "createdAt"));
    mastra_json_extend(run->parts, mastra_json_get(content, "parts"));
    mastra_json_remove(run->input, n - 1);
    parts = mastra_json_size(run->parts);
    if (parts && mastra_part_is(mastra_json_at(run->parts, parts - 1),
                                "tool-invocation")) {
        mastra_run_add_step_start(run);
    }
}

/* The messages of the request, and those that stand before them without being
 * remembered. */
static mastra_result_t *set_messages(mastra_agent_run_t *run)
{
    const mastra_json_t *messages = mastra_json_get(run->options, "messages");
    const mastra_json_t *context = mastra_json_get(run->options, "context");
    mastra_result_t *error = check_threads(run, messages);

    if (error) {
        return error;
    }
    run->input = mastra_message_normalize(messages, "messages",
                                          first_time(messages), &error,
                                          run->pool);
    if (!error && mastra_json_size(context)) {
        run->background = mastra_message_normalize(context, "context",
                                                   first_time(context), &error,
                                                   run->pool);
    }
    if (!error) {
        own_messages(run);
        continue_last(run);
    }
    return error;
}

static mastra_result_t *fill_run(mastra_agent_run_t *run,
                                 const mastra_principal_t *principal)
{
    mastra_result_t *error = mastra_run_check_options(run);

    if (error) {
        return error;
    }
    set_ids(run);
    mastra_run_set_limits(run);
    set_principal(run, principal);
    run->parts = mastra_json_array();
    run->steps = mastra_json_array();
    run->usage = mastra_json_object();
    error = mastra_run_choose_model(run, mastra_json_get_str(run->options,
                                                             "model"));
    if (!error) {
        error = mastra_run_set_memory(run, principal);
    }
    if (!error) {
        error = mastra_run_set_output(run);
    }
    if (!error) {
        error = set_messages(run);
    }
    mastra_run_offer(run);
    return error;
}

mastra_agent_run_t *mastra_agent_run_make(mastra_agent_env_t *env,
                                          const mastra_agent_t *agent,
                                          mastra_json_t *options, int stream,
                                          const mastra_principal_t *principal,
                                          mastra_result_t **perror,
                                          apr_pool_t *pool)
{
    mastra_agent_run_t *run = alloc_run();
    mastra_result_t *error;

    if (!run) {
        *perror = mastra_result_from_apr(pool, APR_ENOMEM, "make a run");
        return NULL;
    }
    run->env = env;
    run->agent = agent;
    run->options = mastra_json_ref(options);
    run->stream = stream;
    error = fill_run(run, principal);
    if (error) {
        *perror = mastra_result_copy(pool, error);
        mastra_agent_run_discard(run);
        return NULL;
    }
    return run;
}

/* One whose state is in storage. NULL and *perror. */
static mastra_agent_run_t *make_stored(mastra_agent_env_t *env,
                                       const mastra_agent_t *agent,
                                       const char *run_id,
                                       const mastra_principal_t *principal,
                                       mastra_result_t **perror,
                                       apr_pool_t *pool)
{
    mastra_agent_run_t *run = alloc_run();
    mastra_result_t *error;

    if (!run) {
        *perror = mastra_result_from_apr(pool, APR_ENOMEM, "make a run");
        return NULL;
    }
    run->env = env;
    run->agent = agent;
    run->id = apr_pstrdup(run->pool, run_id);
    run->options = mastra_json_object();
    mastra_run_set_limits(run);
    set_principal(run, principal);
    run->parts = mastra_json_array();
    run->steps = mastra_json_array();
    run->usage = mastra_json_object();
    run->memory = agent->memory;
    error = mastra_run_choose_model(run, NULL);
    if (error) {
        *perror = mastra_result_copy(pool, error);
        mastra_agent_run_discard(run);
        return NULL;
    }
    mastra_run_offer(run);
    return run;
}

mastra_agent_run_t *mastra_agent_run_take_up(
    mastra_agent_env_t *env, const mastra_agent_t *agent, const char *run_id,
    mastra_json_t *decision, int stream, const mastra_principal_t *principal,
    mastra_result_t **perror, apr_pool_t *pool)
{
    mastra_agent_run_t *run = make_stored(env, agent, run_id, principal,
                                          perror, pool);

    if (run) {
        run->stream = stream;
        run->decision = mastra_json_ref(decision);
    }
    return run;
}

mastra_agent_run_t *mastra_agent_run_recover(mastra_agent_env_t *env,
                                             const mastra_agent_t *agent,
                                             const char *run_id,
                                             const char *dead)
{
    static const mastra_principal_t nobody = { NULL };
    mastra_result_t *error = NULL;
    mastra_agent_run_t *run;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_recover")) {
        return NULL;
    }
    run = make_stored(env, agent, run_id, &nobody, &error, pool);
    if (run) {
        run->stream = run->durable = run->recovers = 1;
        run->dead = apr_pstrdup(run->pool, dead);
    }
    apr_pool_destroy(pool);
    return run;
}
