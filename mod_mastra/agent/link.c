/* The agents and workflows that an agent may call: tools of its own. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

typedef struct {
    mastra_agents_t *agents;
    mastra_agent_t *agent;
    mastra_tools_t *tools;
    mastra_agents_workflow_cb *workflow;
    void *baton;
} link_t;

static mastra_result_t *fault(link_t *link, const char *field, const char *what,
                              const char *name)
{
    mastra_result_t *error = mastra_result_make(
        link->agents->pool, 400, "AGENT_INVALID", "there is no %s \"%s\"",
        what, name);

    error->detail = mastra_json_own(mastra_json_pack("{s:s}", "field", field),
                                    link->agents->pool);
    return error;
}

/* definition is taken over. */
static const mastra_result_t *add_tool(link_t *link, const char *key,
                                       mastra_json_t *definition)
{
    const mastra_result_t *error = NULL;
    const mastra_tool_t *tool = mastra_tools_make_one(link->tools, key,
                                                      definition, &error);

    mastra_json_unref(definition);
    if (tool) {
        link->agent->tools[link->agent->ntools++] = tool;
    }
    return error;
}

static const mastra_result_t *add_agent(link_t *link, const char *name)
{
    apr_pool_t *pool = link->agents->pool;
    const mastra_agent_t *other = mastra_agents_find(link->agents, name);
    const char *key = apr_pstrcat(pool, MASTRA_AGENT_TOOL, name, NULL);

    if (!other) {
        return fault(link, "agents", "agent", name);
    }
    mastra_json_set(link->agent->agents, name,
                    mastra_json_pack("{s:s, s:s}", "id", other->id, "name",
                                     other->name));
    return add_tool(link, key, mastra_json_pack(
        "{s:s, s:s, s:{s:s, s:s}}", "id", key, "description",
        *other->description ? other->description
                            : apr_pstrcat(pool, "Agent: ", name, NULL),
        "execute", "kind", "agent", "agent", other->id));
}

/* The API shows schemas as text, in an envelope. */
static mastra_json_t *schema_of(const mastra_json_t *described)
{
    const char *text = mastra_json_get_str(described, "inputSchema");
    mastra_json_t *json = NULL, *schema;

    if (!text || mastra_json_parse(&json, text, strlen(text), 0, NULL)) {
        return mastra_json_object();
    }
    schema = mastra_json_ref(mastra_json_get(json, "json"));
    mastra_json_unref(json);
    return schema ? schema : mastra_json_object();
}

static const mastra_result_t *add_workflow(link_t *link, const char *name)
{
    apr_pool_t *pool = link->agents->pool;
    mastra_json_t *described = link->workflow(link->baton, name);
    const char *key = apr_pstrcat(pool, MASTRA_WORKFLOW_TOOL, name, NULL);
    const char *description;

    if (!described) {
        return fault(link, "workflows", "workflow", name);
    }
    description = mastra_json_get_str(described, "description");
    mastra_json_set(link->agent->workflows, name, mastra_json_pack(
        "{s:O*, s:O*}", "name", mastra_json_get(described, "name"), "steps",
        mastra_json_get(described, "steps")));
    return add_tool(link, key, mastra_json_pack(
        "{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:{s:o}, s:[s]}}", "id", key,
        "description", description && *description
                           ? description
                           : apr_pstrcat(pool, "Workflow: ", name, NULL),
        "execute", "kind", "workflow", "workflow", name, "inputSchema", "type",
        "object", "properties", "inputData", schema_of(described), "required",
        "inputData"));
}

static const mastra_result_t *add_all(
    link_t *link, const char *field,
    const mastra_result_t *(*add)(link_t *link, const char *name))
{
    const mastra_json_t *names = mastra_json_get(link->agent->definition,
                                                 field);
    const mastra_result_t *error = NULL;
    apr_size_t i;
    void *at;

    for (at = mastra_json_iter(names); at && !error;
         at = mastra_json_next(names, at)) {
        error = add(link, mastra_json_key(at));
    }
    for (i = 0; mastra_json_is_array(names) && !error
                && i < mastra_json_size(names); i++) {
        const char *name = mastra_json_str(mastra_json_at(names, i));

        error = name ? add(link, name) : fault(link, field, "name", "");
    }
    return error;
}

const mastra_result_t *mastra_agents_link(mastra_agents_t *agents,
                                          const char *key,
                                          const mastra_models_t *models,
                                          mastra_tools_t *tools,
                                          mastra_agents_workflow_cb *workflow,
                                          void *baton)
{
    mastra_agent_t *agent = (mastra_agent_t *)mastra_agents_find(agents, key);
    link_t link = { agents, agent, tools, workflow, baton };
    apr_pool_t *pool = agents->pool;
    const mastra_result_t *error;
    mastra_result_t *wrong = NULL;
    const mastra_tool_t **own;
    apr_size_t more;

    if (!agent) {
        return NULL;
    }
    more = mastra_json_size(mastra_json_get(agent->definition, "agents"))
           + mastra_json_size(mastra_json_get(agent->definition, "workflows"));
    if (!more) {
        return NULL;
    }
    own = agent->tools;
    agent->tools = apr_pcalloc(pool, sizeof(*own) * (agent->nown + more));
    memcpy(agent->tools, own, sizeof(*own) * agent->nown);
    agent->agents = mastra_json_own(mastra_json_object(), pool);
    agent->workflows = mastra_json_own(mastra_json_object(), pool);
    error = add_all(&link, "agents", add_agent);
    if (!error) {
        error = add_all(&link, "workflows", add_workflow);
    }
    if (error) {
        return error;
    }
    mastra_agent_specify(agent, pool);
    /* what it shows of itself names them */
    agent->view = mastra_agent_view_make(
        agent, mastra_json_get(agent->definition, "model"), models, pool,
        &wrong);
    return wrong;
}
