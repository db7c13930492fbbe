/* The models of an agent, and how they make it look: read from a definition, or
 * from what replaced them at run time. */

#include <string.h>

#include <apr_atomic.h>
#include <apr_md5.h>
#include <apr_strings.h>

#include "internal.h"

#define MAX_MODELS 32
#define MAX_RETRIES 10

static void set_field(mastra_result_t *error, const char *field,
                      apr_pool_t *pool)
{
    error->detail = mastra_json_own(mastra_json_pack("{s:s}", "field", field),
                                    pool);
}

static mastra_result_t *fault(apr_pool_t *pool, const char *what)
{
    mastra_result_t *error = mastra_result_make(pool, 400, "AGENT_INVALID",
                                                "%s", what);

    set_field(error, "model", pool);
    return error;
}

/* ---- reading ---- */

/* "provider/model", or {provider, name} */
static const char *spec_of(const mastra_json_t *value, apr_pool_t *pool)
{
    const char *provider = mastra_json_get_str(value, "provider");
    const char *name = mastra_json_get_str(value, "name");

    if (mastra_json_is_string(value)) {
        return apr_pstrdup(pool, mastra_json_str(value));
    }
    if (!name) {
        name = mastra_json_get_str(value, "modelId");
    }
    return provider && name ? apr_pstrcat(pool, provider, "/", name, NULL)
                            : NULL;
}

void mastra_agent_model_describe(mastra_agent_model_t *model, apr_pool_t *pool)
{
    model->metadata = mastra_json_own(
        mastra_json_pack("{s:s, s:s, s:s}", "modelId", model->model_id,
                         "modelVersion", "v2", "modelProvider",
                         model->provider->id), pool);
    model->provider_metadata = mastra_json_own(
        mastra_json_pack("{s:{}}", model->provider->id), pool);
}

static mastra_result_t *read_spec(mastra_agent_model_t *model,
                                  const mastra_json_t *value,
                                  const mastra_models_t *models,
                                  apr_pool_t *pool)
{
    model->spec = spec_of(value, pool);
    if (!model->spec || !strchr(model->spec, '/')) {
        return fault(pool, "not of the form \"provider/model\"");
    }
    model->provider = mastra_models_find(models, model->spec,
                                         &model->model_id);
    if (!model->provider) {
        return fault(pool, apr_psprintf(pool, "the provider of \"%s\" is not "
                                        "configured (MastraModelProvider)",
                                        model->spec));
    }
    mastra_agent_model_describe(model, pool);
    return NULL;
}

/* The same in every child and after every start, as clients keep ids. */
static const char *make_id(const mastra_agent_t *agent, int at,
                           const char *spec, apr_pool_t *pool)
{
    const char *seed = apr_psprintf(pool, "%s %d %s", agent->id, at, spec);
    unsigned char sum[APR_MD5_DIGESTSIZE];
    char hex[2 * APR_MD5_DIGESTSIZE + 1];

    apr_md5(sum, seed, strlen(seed));
    mastra_text_hex(hex, sum, sizeof(sum));
    return apr_psprintf(pool, "%.8s-%.4s-8%.3s-a%.3s-%.12s", hex, hex + 8,
                        hex + 12, hex + 15, hex + 18);
}

static mastra_json_t *own_object(const mastra_json_t *entry, const char *name,
                                 apr_pool_t *pool)
{
    mastra_json_t *value = mastra_json_get(entry, name);

    return mastra_json_is_object(value)
        ? mastra_json_own(mastra_json_ref(value), pool) : NULL;
}

static mastra_result_t *read_entry(mastra_agent_view_t *view,
                                   const mastra_agent_t *agent, int at,
                                   const mastra_json_t *entry,
                                   const mastra_models_t *models)
{
    mastra_agent_model_t *model = &view->models[at];
    const mastra_json_t *retries = mastra_json_get(entry, "maxRetries");
    const char *id = mastra_json_get_str(entry, "id");
    mastra_result_t *error = read_spec(model, mastra_json_get(entry, "model"),
                                       models, view->pool);
    double n;

    if (error) {
        set_field(error, apr_psprintf(view->pool, "model.%d.model", at),
                  view->pool);
        return error;
    }
    model->id = id && *id ? apr_pstrdup(view->pool, id)
                          : make_id(agent, at, model->spec, view->pool);
    model->enabled = mastra_json_get_bool(entry, "enabled", 1);
    model->max_retries = -1;
    if (mastra_json_is_number(retries)) {
        n = mastra_json_num(retries);
        model->max_retries = n > MAX_RETRIES ? MAX_RETRIES
                                             : n > 0 ? (int)n : 0;
    }
    model->settings = own_object(entry, "modelSettings", view->pool);
    model->options = own_object(entry, "providerOptions", view->pool);
    model->headers = own_object(entry, "headers", view->pool);
    return NULL;
}

static mastra_result_t *read_list(mastra_agent_view_t *view,
                                  const mastra_agent_t *agent,
                                  const mastra_json_t *list,
                                  const mastra_models_t *models)
{
    mastra_result_t *error = NULL;
    int i, n = (int)mastra_json_size(list);

    if (n < 1 || n > MAX_MODELS) {
        return fault(view->pool, "a list of models has 1 to 32 of them");
    }
    view->is_list = 1;
    view->n = n;
    view->models = apr_pcalloc(view->pool, n * sizeof(*view->models));
    for (i = 0; i < n && !error; i++) {
        error = read_entry(view, agent, i, mastra_json_at(list, i), models);
    }
    return error;
}

static mastra_result_t *read_models(mastra_agent_view_t *view,
                                    const mastra_agent_t *agent,
                                    const mastra_json_t *value,
                                    const mastra_models_t *models)
{
    if (!value) {
        return fault(view->pool, "a model is missing: \"model\": "
                     "\"provider/model\"");
    }
    if (mastra_json_is_array(value)) {
        return read_list(view, agent, value, models);
    }
    view->n = 1;
    view->models = apr_pcalloc(view->pool, sizeof(*view->models));
    view->models->enabled = 1;
    view->models->max_retries = -1;
    return read_spec(view->models, value, models, view->pool);
}

/* ---- describing ---- */

static mastra_json_t *describe_tools(const mastra_agent_t *agent, int partial)
{
    mastra_json_t *made = mastra_json_object();
    int i;

    for (i = 0; i < agent->nown; i++) {
        const mastra_tool_t *tool = agent->tools[i];

        mastra_json_set(made, tool->key,
                        mastra_json_ref(partial ? tool->describe_partial
                                                : tool->describe));
    }
    return made;
}

static mastra_json_t *describe_models(const mastra_agent_view_t *view)
{
    mastra_json_t *made = mastra_json_array();
    int i;

    for (i = 0; i < view->n; i++) {
        const mastra_agent_model_t *model = &view->models[i];
        mastra_json_t *entry = mastra_json_pack(
            "{s:s, s:{s:s, s:s, s:s}, s:i, s:b}", "id", model->id, "model",
            "modelId", model->model_id, "provider", model->provider->id,
            "modelVersion", "v2", "maxRetries",
            model->max_retries > 0 ? model->max_retries : 0, "enabled",
            model->enabled);

        if (model->settings) {
            mastra_json_set(entry, "modelSettings",
                            mastra_json_ref(model->settings));
        }
        if (model->options) {
            mastra_json_set(entry, "providerOptions",
                            mastra_json_ref(model->options));
        }
        mastra_json_append(made, entry);
    }
    return made;
}

static mastra_json_t *describe_rest(const mastra_agent_t *agent,
                                    const mastra_agent_view_t *view)
{
    const mastra_agent_model_t *model = view->first ? view->first
                                                    : view->models;
    mastra_json_t *made = mastra_json_pack(
        "{s:o, s:o, s:[], s:[], s:[], s:b, s:[], s:[], s:s, s:s, s:s, s:b,"
        " s:o}",
        "agents", agent->agents ? mastra_json_ref(agent->agents)
                                : mastra_json_object(),
        "workflows", agent->workflows ? mastra_json_ref(agent->workflows)
                                      : mastra_json_object(),
        "skills", "workspaceTools", "browserTools", "hasBrowser", 0,
        "inputProcessors", "outputProcessors", "provider",
        model->provider->id, "modelId", model->model_id, "modelVersion", "v2",
        "supportsMemory", 1, "defaultOptions",
        agent->default_options ? mastra_json_ref(agent->default_options)
                               : mastra_json_object());

    if (view->is_list) {
        mastra_json_set(made, "modelList", describe_models(view));
    }
    mastra_json_set(made, "defaultGenerateOptionsLegacy", mastra_json_object());
    mastra_json_set(made, "defaultStreamOptionsLegacy", mastra_json_object());
    mastra_json_set_str(made, "source", "code");
    return made;
}

static mastra_json_t *describe(const mastra_agent_t *agent,
                               const mastra_agent_view_t *view, int with_id,
                               int partial)
{
    mastra_json_t *made = mastra_json_object();
    mastra_json_t *rest = describe_rest(agent, view);

    if (with_id) {
        mastra_json_set_str(made, "id", agent->id);
    }
    mastra_json_set_str(made, "name", agent->name);
    mastra_json_set_str(made, "description", agent->description);
    mastra_json_set_str(made, "instructions", agent->instructions);
    mastra_json_set(made, "tools", describe_tools(agent, partial));
    mastra_json_merge(made, rest);
    mastra_json_unref(rest);
    if (with_id) {
        mastra_json_set_bool(made, "hasDraft", 0);
    }
    return made;
}

mastra_agent_view_t *mastra_agent_view_make(const mastra_agent_t *agent,
                                            mastra_json_t *value,
                                            const mastra_models_t *models,
                                            apr_pool_t *pool,
                                            mastra_result_t **perror)
{
    mastra_agent_view_t *view = apr_pcalloc(pool, sizeof(*view));
    mastra_result_t *error;
    int i;

    view->pool = pool;
    view->refs = 1;
    error = read_models(view, agent, value, models);
    if (error) {
        *perror = error;
        return NULL;
    }
    for (i = 0; i < view->n && !view->first; i++) {
        view->first = view->models[i].enabled ? &view->models[i] : NULL;
    }
    view->describe = mastra_json_own(describe(agent, view, 0, 0), pool);
    view->describe_list = mastra_json_own(describe(agent, view, 1, 0), pool);
    view->describe_partial = mastra_json_own(describe(agent, view, 1, 1),
                                             pool);
    view->describe_text = mastra_json_text(view->describe, pool);
    view->describe_len = strlen(view->describe_text);
    return view;
}

/* Those of definitions keep a reference of their own for ever. */
void mastra_agent_view_unref(mastra_agent_view_t *view)
{
    if (view && apr_atomic_dec32(&view->refs) == 0) {
        apr_pool_destroy(view->pool);
    }
}
