/* /agents: the model providers there are, and the models of agents, changed at
 * run time. */

#include <string.h>

#include <apr_strings.h>

#include "agents.h"
#include "../http/router.h"

static const char set_body[] =
    "{\"type\":\"object\",\"properties\":{\"modelId\":{\"type\":\"string\"},"
    "\"provider\":{\"type\":\"string\"}},\"required\":[\"modelId\","
    "\"provider\"]}";
static const char reorder_body[] =
    "{\"type\":\"object\",\"properties\":{\"reorderedModelIds\":{\"type\":"
    "\"array\",\"items\":{\"type\":\"string\"}}},\"required\":["
    "\"reorderedModelIds\"]}";
static const char change_body[] =
    "{\"type\":\"object\",\"properties\":{\"model\":{\"type\":\"object\","
    "\"properties\":{\"modelId\":{\"type\":\"string\"},\"provider\":{\"type\":"
    "\"string\"}},\"required\":[\"modelId\",\"provider\"]},\"maxRetries\":{"
    "\"type\":\"number\"},\"enabled\":{\"type\":\"boolean\"}}}";

/* ---- providers ---- */

/* One name, or the list of them. */
static mastra_json_t *env_of(const char *names, apr_pool_t *pool)
{
    char *copy, *state, *name;
    mastra_json_t *list;

    if (!names || !strchr(names, ' ')) {
        return mastra_json_string(names ? names : "");
    }
    copy = apr_pstrdup(pool, names);
    list = mastra_json_array();
    for (name = apr_strtok(copy, " ", &state); name;
         name = apr_strtok(NULL, " ", &state)) {
        mastra_json_append(list, mastra_json_string(name));
    }
    return list;
}

static void add_model(mastra_json_t *models, const char *id)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(models); i++) {
        if (!strcmp(mastra_json_str(mastra_json_at(models, i)), id)) {
            return;
        }
    }
    mastra_json_append(models, mastra_json_string(id));
}

/* Those that agents use, and those that are known. */
static mastra_json_t *models_of(mastra_req_t *req,
                                const mastra_model_provider_t *provider,
                                const mastra_model_known_t *known)
{
    mastra_json_t *models = mastra_json_array();
    const char *const *id;
    int i, k;

    for (i = 0; i < mastra_agents_count(req->host->agents); i++) {
        const mastra_agent_view_t *view =
            mastra_agents_at(req->host->agents, i)->view;

        for (k = 0; k < view->n; k++) {
            if (view->models[k].provider == provider) {
                add_model(models, view->models[k].model_id);
            }
        }
    }
    for (id = known ? known->models : NULL; id && *id; id++) {
        add_model(models, *id);
    }
    return models;
}

static mastra_json_t *describe(mastra_req_t *req,
                               const mastra_model_provider_t *provider)
{
    const mastra_model_known_t *known = mastra_model_known_find(provider->id);
    const char *name;
    int connected = provider->key
        || (provider->configured && !provider->needs_key)
        || provider->kind == &mastra_model_mock;

    /* configured as something else under a known name */
    if (known && strcmp(known->kind, provider->kind->name)) {
        known = NULL;
    }
    name = known ? known->name : provider->id;
    return mastra_json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:b, s:s*, s:o}", "id", provider->id,
        "name", name, "label", name, "description", "", "envVar",
        env_of(provider->key_env, req->pool), "connected", connected, "docUrl",
        known ? known->doc_url : NULL, "models",
        models_of(req, provider, known));
}

static int is_listed(const mastra_model_provider_t *provider)
{
    const mastra_model_known_t *known = mastra_model_known_find(provider->id);

    return provider->configured || !known || !strcmp(known->id, provider->id);
}

static int list_providers(mastra_req_t *req)
{
    const mastra_models_t *models = req->host->models;
    mastra_json_t *list = mastra_json_array();
    int i;

    for (i = 0; i < mastra_models_count(models); i++) {
        const mastra_model_provider_t *provider = mastra_models_at(models, i);

        if (is_listed(provider)) {
            mastra_json_append(list, describe(req, provider));
        }
    }
    return mastra_reply_json(req, mastra_json_pack("{s:o}", "providers",
                                                   list));
}

/* ---- models of agents ---- */

static int answer(mastra_req_t *req, const mastra_result_t *error,
                  const char *message)
{
    return error ? mastra_reply_error(req, error)
                 : mastra_reply_json(req, mastra_json_pack("{s:s}", "message",
                                                           message));
}

static int set_model(mastra_req_t *req)
{
    int rc;
    const mastra_agent_t *agent = mastra_agents_asked(req, &rc);

    if (!agent) {
        return rc;
    }
    return answer(req, mastra_agent_set_model(
                      &req->host->agent_env, agent,
                      mastra_json_get_str(req->body, "provider"),
                      mastra_json_get_str(req->body, "modelId"), req->pool),
                  "Agent model updated");
}

static int reset_model(mastra_req_t *req)
{
    int rc;
    const mastra_agent_t *agent = mastra_agents_asked(req, &rc);

    if (!agent) {
        return rc;
    }
    return answer(req, mastra_agent_reset_model(&req->host->agent_env, agent,
                                                req->pool),
                  "Agent model reset to original");
}

static int reorder_models(mastra_req_t *req)
{
    int rc;
    const mastra_agent_t *agent = mastra_agents_asked(req, &rc);

    if (!agent) {
        return rc;
    }
    return answer(req, mastra_agent_reorder_models(
                      &req->host->agent_env, agent,
                      mastra_json_get(req->body, "reorderedModelIds"),
                      req->pool), "Model list reordered");
}

static int change_model(mastra_req_t *req)
{
    int rc;
    const mastra_agent_t *agent = mastra_agents_asked(req, &rc);

    if (!agent) {
        return rc;
    }
    return answer(req, mastra_agent_change_model(
                      &req->host->agent_env, agent,
                      mastra_req_param(req, "modelConfigId"), req->body,
                      req->pool), "Model updated in model list");
}

const mastra_route_t mastra_api_models[] = {
    { .method = "GET", .path = "/agents/providers", .handler = list_providers,
      .summary = "List AI providers", .tag = "Agents",
      .permission = "agents:read" },
    { .method = "POST", .path = "/agents/:agentId/model", .handler = set_model,
      .summary = "Update agent model", .tag = "Models", .body = set_body },
    { .method = "POST", .path = "/agents/:agentId/model/reset",
      .handler = reset_model, .summary = "Reset agent model",
      .tag = "Models" },
    { .method = "POST", .path = "/agents/:agentId/models/reorder",
      .handler = reorder_models, .summary = "Reorder agent model list",
      .tag = "Models", .body = reorder_body },
    { .method = "POST", .path = "/agents/:agentId/models/:modelConfigId",
      .handler = change_model, .summary = "Update model in model list",
      .tag = "Models", .body = change_body },
    { .method = NULL }
};
