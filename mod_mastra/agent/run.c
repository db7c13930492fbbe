/* Making a run from a request: identity, memory, limits, structured output. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../base/pool.h"

#define MAX_STEPS 100            /* ceiling of maxSteps */

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
    }
    memset(step, 0, sizeof(*step));
}

void mastra_agent_run_discard(mastra_agent_run_t *run)
{
    mastra_run_free_step(&run->step);
    mastra_json_unref(run->options);
    mastra_json_unref(run->context);
    mastra_json_unref(run->input);
    mastra_json_unref(run->remembered);
    mastra_json_unref(run->parts);
    mastra_json_unref(run->steps);
    mastra_json_unref(run->usage);
    mastra_json_unref(run->object);
    mastra_json_unref(run->decision);
    mastra_json_unref(run->stored);
    mastra_json_unref(run->pending);
    mastra_json_unref(run->prior);
    mastra_json_unref(run->came);
    mastra_claim_free(run->claim);
    mastra_agent_view_unref(run->view);
    apr_pool_destroy(run->pool);
}

mastra_json_t *mastra_run_option(mastra_agent_run_t *run, const char *name)
{
    mastra_json_t *value = mastra_json_get(run->options, name);

    return value ? value : mastra_json_get(run->agent->default_options, name);
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
    run->message_id = mastra_text_uuid_make(run->pool);
    run->trace_id = trace && strlen(trace) == 32 ? apr_pstrdup(run->pool, trace)
                                                 : random_hex(run->pool, 16);
    run->span_id = random_hex(run->pool, 8);
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

static void set_limits(mastra_agent_run_t *run)
{
    const mastra_json_t *steps = mastra_run_option(run, "maxSteps");

    run->max_steps = run->env->max_steps;
    if (mastra_json_is_number(steps)) {
        double n = mastra_json_num(steps);

        run->max_steps = n < 1 ? 1 : n > MAX_STEPS ? MAX_STEPS : (int)n;
    }
}

static mastra_result_t *set_output(mastra_agent_run_t *run)
{
    mastra_json_t *schema = mastra_json_path(run->options, "structuredOutput",
                                             "schema", NULL);
    mastra_result_t *error = NULL;

    if (!schema) {
        schema = mastra_json_get(run->options, "output");
    }
    if (!mastra_json_is_object(schema)) {
        return NULL;
    }
    run->output_schema = schema;
    if (mastra_schema_compile(&run->output, schema, &error, run->pool)) {
        return mastra_result_make(run->pool, 400, "SCHEMA_UNUSABLE",
                                  "structuredOutput.schema is not usable: %s",
                                  error ? error->message : "unknown");
    }
    return NULL;
}

static void set_principal(mastra_agent_run_t *run,
                          const mastra_principal_t *principal)
{
    run->context = mastra_json_ref(principal->request_context);
    run->owner = apr_pstrdup(run->pool, principal->resource_id);
    run->depth = principal->depth;
}

static mastra_result_t *fill_run(mastra_agent_run_t *run,
                                 const mastra_principal_t *principal)
{
    mastra_result_t *error = NULL;

    set_ids(run);
    set_limits(run);
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
        error = set_output(run);
    }
    if (error) {
        return error;
    }
    run->tool_specs = mastra_run_tool_specs(run);
    run->input = mastra_message_normalize(mastra_json_get(run->options,
                                                          "messages"),
                                          apr_time_now(), &error, run->pool);
    own_messages(run);
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

mastra_agent_run_t *mastra_agent_run_take_up(
    mastra_agent_env_t *env, const mastra_agent_t *agent, const char *run_id,
    mastra_json_t *decision, int stream, const mastra_principal_t *principal,
    mastra_result_t **perror, apr_pool_t *pool)
{
    mastra_agent_run_t *run = alloc_run();
    mastra_result_t *error;

    if (!run) {
        *perror = mastra_result_from_apr(pool, APR_ENOMEM, "make a run");
        return NULL;
    }
    run->env = env;
    run->agent = agent;
    run->stream = stream;
    run->id = apr_pstrdup(run->pool, run_id);
    run->decision = mastra_json_ref(decision);
    run->options = mastra_json_object();
    set_limits(run);
    set_principal(run, principal);
    run->parts = mastra_json_array();
    run->steps = mastra_json_array();
    run->usage = mastra_json_object();
    run->tool_specs = agent->tool_specs;
    run->memory = agent->memory;
    error = mastra_run_choose_model(run, NULL);
    if (error) {
        *perror = mastra_result_copy(pool, error);
        mastra_agent_run_discard(run);
        return NULL;
    }
    return run;
}
