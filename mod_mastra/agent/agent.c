/* Agent definitions: read, checked, registered and described. */

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "internal.h"

mastra_agents_t *mastra_agents_make(apr_pool_t *pool)
{
    mastra_agents_t *agents = apr_pcalloc(pool, sizeof(*agents));

    agents->pool = pool;
    agents->list = apr_array_make(pool, 8, sizeof(mastra_agent_t *));
    agents->by_name = apr_hash_make(pool);
    return agents;
}

const mastra_agent_t *mastra_agents_find(const mastra_agents_t *agents,
                                         const char *name)
{
    return name ? apr_hash_get(agents->by_name, name, APR_HASH_KEY_STRING)
                : NULL;
}

int mastra_agents_count(const mastra_agents_t *agents)
{
    return agents->list->nelts;
}

const mastra_agent_t *mastra_agents_at(const mastra_agents_t *agents, int i)
{
    return APR_ARRAY_IDX(agents->list, i, const mastra_agent_t *);
}

/* ---- reading ---- */

static mastra_result_t *fault(apr_pool_t *pool, const char *field,
                              const char *fmt, const char *value)
{
    mastra_result_t *error = mastra_result_make(pool, 400, "AGENT_INVALID",
                                                fmt, value);

    error->detail = mastra_json_own(mastra_json_pack("{s:s}", "field", field),
                                    pool);
    return error;
}

/* "text", or [{type:"text", content:"…"}, …]: joined by blank lines */
static const char *instructions_of(const mastra_json_t *value, apr_pool_t *pool)
{
    const char *joined = "";
    apr_size_t i;

    if (mastra_json_is_string(value)) {
        return mastra_json_str(value);
    }
    for (i = 0; i < mastra_json_size(value); i++) {
        const mastra_json_t *block = mastra_json_at(value, i);
        const char *text = mastra_json_is_string(block)
                               ? mastra_json_str(block)
                               : mastra_json_get_str(block, "content");

        if (text) {
            joined = apr_pstrcat(pool, joined, *joined ? "\n\n" : "", text,
                                 NULL);
        }
    }
    return joined;
}

static mastra_result_t *add_tool(mastra_agent_t *agent, const char *name,
                                 const mastra_tools_t *tools, apr_pool_t *pool)
{
    const mastra_tool_t *tool = mastra_tools_find(tools, name);

    if (!tool) {
        return fault(pool, "tools", "there is no tool \"%s\"", name);
    }
    agent->tools[agent->ntools++] = tool;
    return NULL;
}

static mastra_result_t *read_tools(mastra_agent_t *agent,
                                   const mastra_tools_t *tools,
                                   apr_pool_t *pool)
{
    const mastra_json_t *value = mastra_json_get(agent->definition, "tools");
    mastra_result_t *error = NULL;
    apr_size_t i;
    void *at;

    agent->tools = apr_pcalloc(pool, sizeof(*agent->tools)
                                         * (mastra_json_size(value) + 1));
    if (mastra_json_is_array(value)) {
        for (i = 0; !error && i < mastra_json_size(value); i++) {
            const char *name = mastra_json_str(mastra_json_at(value, i));

            error = name ? add_tool(agent, name, tools, pool)
                         : fault(pool, "tools", "not a list of names%s", "");
        }
        agent->nown = agent->ntools;
        return error;
    }
    for (at = mastra_json_iter(value); at && !error;
         at = mastra_json_next(value, at)) {
        error = add_tool(agent, mastra_json_key(at), tools, pool);
    }
    agent->nown = agent->ntools;
    return error;
}

void mastra_agent_specify(mastra_agent_t *agent, apr_pool_t *pool)
{
    int i;

    agent->tool_specs = mastra_json_own(mastra_json_array(), pool);
    for (i = 0; i < agent->ntools; i++) {
        const mastra_tool_t *tool = agent->tools[i];
        mastra_json_t *schema = tool->input_schema;

        mastra_json_append(agent->tool_specs, mastra_json_pack(
            "{s:s, s:s, s:o}", "name", tool->key, "description",
            tool->description, "inputSchema",
            schema ? mastra_json_ref(schema)
                   : mastra_json_pack("{s:s, s:{}}", "type", "object",
                                      "properties")));
    }
}

/* false or absent: none */
/* true, or {maxSteps, cleanupTimeoutMs}: what is kept goes by age here. */
static mastra_result_t *read_durable(mastra_agent_t *agent, apr_pool_t *pool)
{
    mastra_json_t *durable = mastra_json_get(agent->definition, "durable");
    apr_int64_t steps = mastra_json_get_int(durable, "maxSteps", 0);

    if (durable && !mastra_json_is_bool(durable)
        && !mastra_json_is_null(durable) && !mastra_json_is_object(durable)) {
        return fault(pool, "durable", "neither true nor an object%s", "");
    }
    agent->durable = mastra_json_is_true(durable)
                     || mastra_json_is_object(durable);
    if (steps > 0 && !mastra_json_get(agent->default_options, "maxSteps")) {
        agent->default_options = agent->default_options
            ? mastra_json_copy_flat(agent->default_options)
            : mastra_json_object();
        mastra_json_own(agent->default_options, pool);
        mastra_json_set_int(agent->default_options, "maxSteps", steps);
    }
    return NULL;
}

static mastra_result_t *read_memory(mastra_agent_t *agent,
                                    const mastra_models_t *models,
                                    apr_pool_t *pool)
{
    mastra_json_t *memory = mastra_json_get(agent->definition, "memory");
    mastra_result_t *error;
    const char *field;

    if (!mastra_json_is_object(memory) && !mastra_json_is_true(memory)) {
        return NULL;
    }
    error = mastra_memory_read(&agent->memory,
                               mastra_json_get(memory, "options"), models,
                               pool);
    if (error) {
        field = mastra_json_get_str(error->detail, "field");
        mastra_json_set_str(error->detail, "field",
                            apr_pstrcat(pool, "memory.options.", field, NULL));
    }
    return error;
}

static const char *text_of(const mastra_agent_t *agent, const char *name,
                           const char *otherwise)
{
    const char *value = mastra_json_get_str(agent->definition, name);

    return value ? value : otherwise;
}

static const mastra_result_t *read_definition(mastra_agent_t *agent,
                                              const mastra_models_t *models,
                                              const mastra_tools_t *tools,
                                              apr_pool_t *pool)
{
    mastra_result_t *error;
    mastra_json_t *options = mastra_json_get(agent->definition,
                                             "defaultOptions");

    agent->id = text_of(agent, "id", agent->key);
    agent->name = text_of(agent, "name", agent->id);
    agent->description = text_of(agent, "description", "");
    agent->instructions = instructions_of(
        mastra_json_get(agent->definition, "instructions"), pool);
    agent->default_options = mastra_json_is_object(options) ? options : NULL;
    error = read_tools(agent, tools, pool);
    if (!error) {
        error = read_durable(agent, pool);
    }
    if (!error) {
        error = read_memory(agent, models, pool);
    }
    if (!error) {
        agent->view = mastra_agent_view_make(
            agent, mastra_json_get(agent->definition, "model"), models, pool,
            &error);
    }
    return error;
}

/* ---- registering ---- */

const mastra_result_t *mastra_agents_add(mastra_agents_t *agents,
                                         const char *key,
                                         mastra_json_t *definition,
                                         const mastra_models_t *models,
                                         const mastra_tools_t *tools)
{
    mastra_agent_t *agent = apr_pcalloc(agents->pool, sizeof(*agent));
    const mastra_result_t *error;

    if (!mastra_json_is_object(definition)) {
        return fault(agents->pool, "", "an agent is a JSON object%s", "");
    }
    agent->key = apr_pstrdup(agents->pool, key);
    agent->definition = mastra_json_own(mastra_json_ref(definition),
                                        agents->pool);
    error = read_definition(agent, models, tools, agents->pool);
    if (error) {
        return error;
    }
    if (mastra_agents_find(agents, agent->key)
        || mastra_agents_find(agents, agent->id)) {
        return fault(agents->pool, "id", "the id \"%s\" is taken", agent->id);
    }
    mastra_agent_specify(agent, agents->pool);
    APR_ARRAY_PUSH(agents->list, const mastra_agent_t *) = agent;
    apr_hash_set(agents->by_name, agent->key, APR_HASH_KEY_STRING, agent);
    apr_hash_set(agents->by_name, agent->id, APR_HASH_KEY_STRING, agent);
    return NULL;
}
