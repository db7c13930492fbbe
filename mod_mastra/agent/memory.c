/* A run's memory: its options, the tool for its notes, its thread's title. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

/* ---- options ---- */

static mastra_result_t *no_resource(apr_pool_t *pool)
{
    return mastra_result_make(pool, 400, "RESOURCE_REQUIRED",
                              "A resource ID is required when using memory. "
                              "Provide memory.resource in the request body, "
                              "or configure server auth to derive it from "
                              "the authenticated user.");
}

/* What is wrong with the options, as an issue with the request. */
static mastra_result_t *as_issue(const mastra_result_t *error, apr_pool_t *pool)
{
    const char *field = mastra_json_get_str(error->detail, "field");

    return mastra_run_issue(pool, apr_pstrcat(pool, "memory.options",
                                              field && *field ? "." : "",
                                              field, NULL), error->message);
}

static mastra_result_t *set_options(mastra_agent_run_t *run)
{
    const mastra_json_t *memory = mastra_json_get(run->options, "memory");
    mastra_result_t *error = mastra_memory_override(
        &run->memory, &run->agent->memory, mastra_json_get(memory, "options"),
        run->pool);

    if (error) {
        return as_issue(error, run->pool);
    }
    run->memory.read_only |= mastra_json_get_bool(memory, "readOnly", 0);
    run->last_messages = run->memory.last_messages;
    /* who remembers nothing stores nothing, either: so the real server has it */
    run->read_only = run->memory.read_only || !run->last_messages;
    return NULL;
}

/* memory {thread, resource, readOnly, options} */
mastra_result_t *mastra_run_set_memory(mastra_agent_run_t *run,
                                       const mastra_principal_t *principal)
{
    const mastra_json_t *memory = mastra_json_get(run->options, "memory");
    const mastra_json_t *thread = mastra_json_get(memory, "thread");
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
    if (!resource || !*resource || !mastra_json_len(thread)) {
        return no_resource(run->pool);
    }
    if (!run->agent->memory.enabled) {
        return NULL;
    }
    run->thread_id = apr_pstrdup(run->pool, mastra_json_str(thread));
    run->resource_id = apr_pstrdup(run->pool, resource);
    return set_options(run);
}

void mastra_run_restore_memory(mastra_agent_run_t *run,
                               const mastra_json_t *state)
{
    int read_only = run->read_only;

    run->working_text = apr_pstrdup(run->pool,
                                    mastra_json_get_str(state,
                                                        "workingMemory"));
    run->titled = mastra_json_get_bool(state, "titled", 1);
    if (run->thread_id && run->agent->memory.enabled
        && !set_options(run)) {
        run->read_only = read_only;
    }
}

/* ---- tools ---- */

static int notes_change(mastra_agent_run_t *run)
{
    return run->thread_id && run->memory.working && !run->memory.read_only;
}

const mastra_tool_t *mastra_run_memory_tool(mastra_agent_run_t *run,
                                            const char *name)
{
    return notes_change(run) && !strcmp(name, MASTRA_WORKING_TOOL)
               ? &run->memory.working->tool : NULL;
}

mastra_json_t *mastra_run_memory_spec(mastra_agent_run_t *run)
{
    return notes_change(run) ? run->memory.working->spec : NULL;
}

void mastra_run_add_notes(mastra_agent_run_t *run, mastra_json_t *prompt)
{
    if (run->thread_id && run->memory.working) {
        mastra_json_append(prompt, mastra_json_pack(
            "{s:s, s:s}", "role", "system", "content",
            mastra_working_instructions(run->memory.working, run->working_text,
                                        run->memory.read_only, run->pool)));
    }
}

/* ---- the thread's title ---- */

static mastra_json_t *all_messages(mastra_agent_run_t *run)
{
    mastra_json_t *messages = mastra_run_remembered(run);

    if (run->input) {
        mastra_json_extend(messages, run->input);
    }
    if (run->prior) {
        mastra_json_extend(messages, run->prior);
    }
    mastra_json_append(messages, mastra_run_message(run, 0));
    return messages;
}

static void say_title(mastra_agent_run_t *run, const char *title)
{
    mastra_json_t *chunk;

    if (!title || run->cancelled || !run->sink) {
        return;
    }
    chunk = mastra_json_pack("{s:s, s:{s:s, s:s}, s:b}", "type",
                             "data-thread-title", "data", "threadId",
                             run->thread_id, "title", title, "transient", 1);
    run->sink->vtable->chunk(run->sink, chunk);
    mastra_json_unref(chunk);
}

static void title_done(void *baton, const char *title)
{
    mastra_agent_run_t *run = baton;

    say_title(run, title);
    run->after_title(run);
}

int mastra_run_give_title(mastra_agent_run_t *run,
                          void (*next)(mastra_agent_run_t *run))
{
    mastra_title_args_t args = {
        .loop = run->env->loop, .store = run->env->store,
        .running = &run->env->titles, .titles = run->memory.titles,
        .provider = run->model->provider, .model_id = run->model->model_id,
        .thread_id = run->thread_id
    };
    mastra_json_t *messages;
    int waits = run->stream && run->memory.titles && run->memory.titles->emit;
    apr_status_t rv = APR_EINVAL;

    if (!run->memory.titles || !run->thread_id || run->titled || run->error
        || run->memory.read_only) {
        return 0;
    }
    messages = all_messages(run);
    if (mastra_title_due(run->memory.titles, mastra_json_size(messages))) {
        args.messages = messages;
        run->after_title = next;
        rv = mastra_title_start(&args, waits ? title_done : NULL, run);
    }
    mastra_json_unref(messages);
    return waits && !rv;
}
