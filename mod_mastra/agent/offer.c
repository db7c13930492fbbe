/* The tools that a run offers its model: the agent's, and those of the request,
 * which the client runs itself. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

/* ---- the request's tools ---- */

static mastra_result_t *bad_tool(const char *field, const char *name,
                                 apr_pool_t *pool)
{
    return mastra_run_issue(pool, apr_pstrcat(pool, field, ".", name, NULL),
                            "Invalid input: expected object");
}

static mastra_result_t *check_tools(const mastra_json_t *tools,
                                    const char *field, apr_pool_t *pool)
{
    void *at;

    for (at = mastra_json_iter(tools); at; at = mastra_json_next(tools, at)) {
        if (!mastra_json_is_object(mastra_json_value(at))) {
            return bad_tool(field, mastra_json_key(at), pool);
        }
    }
    return NULL;
}

mastra_result_t *mastra_run_check_tools(const mastra_json_t *options,
                                        apr_pool_t *pool)
{
    const mastra_json_t *sets = mastra_json_get(options, "toolsets");
    mastra_result_t *error = check_tools(mastra_json_get(options,
                                                         "clientTools"),
                                         "clientTools", pool);
    void *at;

    if (!error) {
        error = check_tools(sets, "toolsets", pool);
    }
    for (at = mastra_json_iter(sets); at && !error;
         at = mastra_json_next(sets, at)) {
        error = check_tools(mastra_json_value(at),
                            apr_pstrcat(pool, "toolsets.", mastra_json_key(at),
                                        NULL), pool);
    }
    return error;
}

static mastra_json_t *spec_of(const char *name, const mastra_json_t *tool)
{
    mastra_json_t *schema = mastra_json_get(tool, "inputSchema");
    mastra_json_t *spec = mastra_json_pack("{s:s}", "name", name);

    if (!mastra_json_is_object(schema)) {
        schema = mastra_json_get(tool, "parameters");
    }
    mastra_json_set_str(spec, "description",
                        mastra_json_get_str(tool, "description"));
    mastra_json_set(spec, "inputSchema",
                    mastra_json_is_object(schema)
                        ? mastra_json_ref(schema)
                        : mastra_json_pack("{s:s, s:{}}", "type", "object",
                                           "properties"));
    return spec;
}

/* specs is an object of specs by name: it keeps its order when a tool of the
 * request takes the place of one of the agent's. */
static void add_client_tools(mastra_json_t *specs, const mastra_json_t *tools)
{
    void *at;

    for (at = mastra_json_iter(tools); at; at = mastra_json_next(tools, at)) {
        mastra_json_t *spec = spec_of(mastra_json_key(at),
                                      mastra_json_value(at));

        mastra_json_set_bool(spec, "client", 1);
        mastra_json_set(specs, mastra_json_key(at), spec);
    }
}

/* ---- what is offered ---- */

static mastra_json_t *all_specs(mastra_agent_run_t *run)
{
    const mastra_json_t *sets = mastra_json_get(run->options, "toolsets");
    mastra_json_t *specs = mastra_json_object();
    mastra_json_t *notes = mastra_run_memory_spec(run);
    apr_size_t i;
    void *at;

    for (i = 0; i < mastra_json_size(run->agent->tool_specs); i++) {
        mastra_json_t *spec = mastra_json_at(run->agent->tool_specs, i);

        mastra_json_set(specs, mastra_json_get_str(spec, "name"),
                        mastra_json_ref(spec));
    }
    if (notes) {
        mastra_json_set(specs, mastra_json_get_str(notes, "name"),
                        mastra_json_ref(notes));
    }
    for (at = mastra_json_iter(sets); at; at = mastra_json_next(sets, at)) {
        add_client_tools(specs, mastra_json_value(at));
    }
    add_client_tools(specs, mastra_json_get(run->options, "clientTools"));
    return specs;
}

static mastra_json_t *only_active(mastra_json_t *specs,
                                  const mastra_json_t *active)
{
    mastra_json_t *made = mastra_json_object(), *names = mastra_json_object();
    apr_size_t i;
    void *at;

    for (i = 0; i < mastra_json_size(active); i++) {
        const char *name = mastra_json_str(mastra_json_at(active, i));

        if (name) {
            mastra_json_set_bool(names, name, 1);
        }
    }
    for (at = mastra_json_iter(specs); at; at = mastra_json_next(specs, at)) {
        if (mastra_json_get(names, mastra_json_key(at))) {
            mastra_json_set(made, mastra_json_key(at),
                            mastra_json_ref(mastra_json_value(at)));
        }
    }
    mastra_json_unref(names);
    mastra_json_unref(specs);
    return made;
}

static int is_none(const mastra_json_t *choice)
{
    const char *name = mastra_json_str(choice);

    return name && !strcmp(name, "none");
}

static int is_plain(mastra_agent_run_t *run)
{
    return !mastra_json_size(mastra_json_get(run->options, "toolsets"))
           && !mastra_json_size(mastra_json_get(run->options, "clientTools"))
           && !mastra_json_is_array(mastra_run_option(run, "activeTools"))
           && !is_none(mastra_run_option(run, "toolChoice"));
}

static mastra_json_t *own_specs(mastra_agent_run_t *run)
{
    mastra_json_t *notes = mastra_run_memory_spec(run), *specs;

    if (!notes) {
        return mastra_json_ref(run->agent->tool_specs);
    }
    specs = mastra_json_copy_flat(run->agent->tool_specs);
    mastra_json_append(specs, mastra_json_ref(notes));
    return specs;
}

void mastra_run_offer(mastra_agent_run_t *run)
{
    const mastra_json_t *active = mastra_run_option(run, "activeTools");
    void *at;

    mastra_json_unref(run->offered);
    mastra_json_unref(run->tool_specs);
    run->offered = NULL;
    if (is_plain(run)) {
        run->tool_specs = own_specs(run);
        return;
    }
    run->offered = is_none(mastra_run_option(run, "toolChoice"))
                       ? mastra_json_object() : all_specs(run);
    if (mastra_json_is_array(active)) {
        run->offered = only_active(run->offered, active);
    }
    run->tool_specs = mastra_json_array();
    for (at = mastra_json_iter(run->offered); at;
         at = mastra_json_next(run->offered, at)) {
        mastra_json_append(run->tool_specs,
                           mastra_json_ref(mastra_json_value(at)));
    }
}

int mastra_run_is_client_tool(mastra_agent_run_t *run, const char *name)
{
    return mastra_json_get_bool(mastra_json_get(run->offered, name), "client",
                                0);
}

const mastra_tool_t *mastra_run_find_tool(mastra_agent_run_t *run,
                                          const char *name)
{
    int i;

    if (run->offered && (!mastra_json_get(run->offered, name)
                         || mastra_run_is_client_tool(run, name))) {
        return NULL;
    }
    for (i = 0; i < run->agent->ntools; i++) {
        if (!strcmp(run->agent->tools[i]->key, name)) {
            return run->agent->tools[i];
        }
    }
    return mastra_run_memory_tool(run, name);
}
