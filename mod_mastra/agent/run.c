/* Making a run from a request: identity, memory, limits, structured output. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

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
    apr_pool_destroy(run->pool);
}

mastra_json_t *mastra_run_option(mastra_agent_run_t *run, const char *name)
{
    mastra_json_t *value = mastra_json_get(run->options, name);

    return value ? value : mastra_json_get(run->agent->default_options, name);
}

static mastra_agent_run_t *alloc_run(void)
{
    apr_allocator_t *allocator;
    mastra_agent_run_t *run;
    apr_pool_t *pool;

    if (apr_allocator_create(&allocator)) {
        return NULL;
    }
    if (apr_pool_create_ex(&pool, NULL, NULL, allocator)) {
        apr_allocator_destroy(allocator);
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    apr_pool_tag(pool, "mastra_run");
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

/* memory {thread, resource, readOnly, options.lastMessages} */
static mastra_result_t *set_memory(mastra_agent_run_t *run,
                                   const mastra_principal_t *principal)
{
    const mastra_json_t *memory = mastra_json_get(run->options, "memory");
    const mastra_json_t *thread = mastra_json_get(memory, "thread"), *last;
    const char *resource = principal->resource_id;

    if (!memory) {
        return NULL;
    }
    if (mastra_json_is_object(thread)) {
        thread = mastra_json_get(thread, "id");
    }
    if (!resource) {
        resource = mastra_json_get_str(memory, "resource");
    }
    if (!resource || !mastra_json_len(thread)) {
        return mastra_result_make(run->pool, 400, "RESOURCE_REQUIRED",
                                  "A resource ID is required when using memory. "
                                  "Provide memory.resource in the request body, "
                                  "or configure server auth to derive it from "
                                  "the authenticated user.");
    }
    if (!run->agent->memory.enabled) {
        return NULL;
    }
    run->thread_id = apr_pstrdup(run->pool, mastra_json_str(thread));
    run->resource_id = apr_pstrdup(run->pool, resource);
    run->read_only = mastra_json_get_bool(memory, "readOnly", 0);
    run->last_messages = run->agent->memory.last_messages;
    last = mastra_json_path(memory, "options", "lastMessages", NULL);
    if (mastra_json_is_integer(last)) {
        run->last_messages = (int)mastra_json_int(last);
    }
    else if (mastra_json_is_bool(last) && !mastra_json_is_true(last)) {
        run->last_messages = 0;
    }
    if (run->last_messages < 0 || run->last_messages > 1000) {
        run->last_messages = 1000;
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

static void set_limits(mastra_agent_run_t *run)
{
    const mastra_json_t *steps = mastra_run_option(run, "maxSteps");

    run->max_steps = run->env->max_steps;
    if (mastra_json_is_number(steps)) {
        double n = mastra_json_num(steps);

        run->max_steps = n < 1 ? 1 : n > MAX_STEPS ? MAX_STEPS : (int)n;
    }
}

/* The agent's tools, or those of them that activeTools names. */
static mastra_json_t *active_tools(mastra_agent_run_t *run)
{
    const mastra_json_t *active = mastra_run_option(run, "activeTools");
    mastra_json_t *specs;
    apr_size_t i, j;

    if (!mastra_json_is_array(active)) {
        return run->agent->tool_specs;
    }
    specs = mastra_json_own(mastra_json_array(), run->pool);
    for (i = 0; i < mastra_json_size(run->agent->tool_specs); i++) {
        mastra_json_t *spec = mastra_json_at(run->agent->tool_specs, i);
        const char *name = mastra_json_get_str(spec, "name");

        for (j = 0; j < mastra_json_size(active); j++) {
            const char *want = mastra_json_str(mastra_json_at(active, j));

            if (want && !strcmp(want, name)) {
                mastra_json_append(specs, mastra_json_ref(spec));
            }
        }
    }
    return specs;
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
    error = set_memory(run, principal);
    if (!error) {
        error = set_output(run);
    }
    if (error) {
        return error;
    }
    run->tool_specs = active_tools(run);
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
    return run;
}
