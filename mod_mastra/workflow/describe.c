/* How workflows look to clients: their step graph, and GET /workflows/:id. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define MAX_TEXT (1024 * 1024)

/* ---- the step graph ---- */

/* JSON with two blanks of indentation. */
static void indent(mastra_buf_t *buf, int depth)
{
    mastra_buf_printf(buf, "\n%*s", depth * 2, "");
}

static void pretty(mastra_buf_t *buf, const mastra_json_t *json, int depth)
{
    int object = mastra_json_is_object(json);
    apr_size_t i, n = object || mastra_json_is_array(json)
                          ? mastra_json_size(json) : 0;
    void *at = object ? mastra_json_iter(json) : NULL;

    if (!n) {
        mastra_json_write(buf, json);
        return;
    }
    mastra_buf_puts(buf, object ? "{" : "[");
    for (i = 0; i < n; i++) {
        mastra_buf_puts(buf, i ? "," : "");
        indent(buf, depth + 1);
        if (object) {
            const char *key = mastra_json_key(at);

            mastra_buf_json_string(buf, key, strlen(key));
            mastra_buf_puts(buf, ": ");
            pretty(buf, mastra_json_value(at), depth + 1);
            at = mastra_json_next(json, at);
        }
        else {
            pretty(buf, mastra_json_at(json, i), depth + 1);
        }
    }
    indent(buf, depth);
    mastra_buf_puts(buf, object ? "}" : "]");
}

static mastra_json_t *pretty_text(const mastra_json_t *json)
{
    mastra_json_t *made;
    mastra_buf_t buf;

    mastra_buf_init(&buf, MAX_TEXT);
    pretty(&buf, json, 0);
    made = mastra_json_stringn(buf.data, buf.len);
    mastra_buf_free(&buf);
    return made;
}

static mastra_json_t *condition(const mastra_node_t *step,
                                const mastra_json_t *predicate,
                                apr_pool_t *pool)
{
    return mastra_json_pack("{s:s, s:s}", "id",
                            apr_pstrcat(pool, step->id, "-condition", NULL),
                            "fn", mastra_predicate_label(predicate, pool));
}

static mastra_json_t *conditions(const mastra_node_t *node, apr_pool_t *pool)
{
    mastra_json_t *made = mastra_json_array();
    int i;

    for (i = 0; i < node->nsteps; i++) {
        mastra_json_append(made, condition(
            node->steps[i], mastra_json_at(node->predicates, (apr_size_t)i),
            pool));
    }
    return made;
}

static mastra_json_t *entry_graph(const mastra_node_t *node, apr_pool_t *pool)
{
    mastra_json_t *made = mastra_json_copy_flat(node->entry), *steps;
    int i;

    switch (node->type) {
    case MASTRA_NODE_MAPPING:
        mastra_json_set(made, "mapConfig", pretty_text(node->map));
        break;
    case MASTRA_NODE_WORKFLOW:
        mastra_json_set(made, "serializedStepFlow",
                        mastra_json_ref(node->nested->graph));
        break;
    case MASTRA_NODE_PARALLEL:
    case MASTRA_NODE_CONDITIONAL:
        steps = mastra_json_array();
        for (i = 0; i < node->nsteps; i++) {
            mastra_json_append(steps, entry_graph(node->steps[i], pool));
        }
        mastra_json_set(made, "steps", steps);
        if (node->type == MASTRA_NODE_CONDITIONAL) {
            mastra_json_set(made, "serializedConditions",
                            conditions(node, pool));
        }
        break;
    case MASTRA_NODE_FOREACH:
        mastra_json_set(made, "step", entry_graph(node->steps[0], pool));
        if (mastra_json_get(node->entry, "opts")) {
            mastra_json_set(made, "opts", mastra_json_pack(
                "{s:i}", "concurrency", node->concurrency));
        }
        break;
    case MASTRA_NODE_LOOP:
        mastra_json_set(made, "step", entry_graph(node->steps[0], pool));
        mastra_json_set(made, "serializedCondition",
                        condition(node->steps[0], node->predicates, pool));
        break;
    default:
        break;
    }
    return made;
}

mastra_json_t *mastra_workflow_step_graph(const mastra_workflow_t *workflow,
                                          apr_pool_t *pool)
{
    mastra_json_t *made = mastra_json_array();
    int i;

    for (i = 0; i < workflow->nnodes; i++) {
        mastra_json_append(made, entry_graph(workflow->nodes[i], pool));
    }
    return made;
}

/* ---- schemas ---- */

/* Objects are closed, as the original shows them. */
static mastra_json_t *closed(const mastra_json_t *schema)
{
    const char *type = mastra_json_get_str(schema, "type");
    mastra_json_t *made, *properties;
    void *at;

    if (!mastra_json_is_object(schema)) {
        return mastra_json_ref((mastra_json_t *)schema);
    }
    made = mastra_json_copy_flat(schema);
    if (type && !strcmp(type, "array") && mastra_json_get(schema, "items")) {
        mastra_json_set(made, "items", closed(mastra_json_get(schema,
                                                              "items")));
    }
    if (!type || strcmp(type, "object")) {
        return made;
    }
    properties = mastra_json_object();
    schema = mastra_json_get(schema, "properties");
    for (at = mastra_json_iter(schema); at; at = mastra_json_next(schema,
                                                                  at)) {
        mastra_json_set(properties, mastra_json_key(at),
                        closed(mastra_json_value(at)));
    }
    mastra_json_set(made, "properties", properties);
    if (!mastra_json_size(mastra_json_get(made, "required"))) {
        mastra_json_del(made, "required");
    }
    if (!mastra_json_get(made, "additionalProperties")) {
        mastra_json_set_bool(made, "additionalProperties", 0);
    }
    return made;
}

/* superjson's envelope, as text; NULL: any value. */
static void set_schema(mastra_json_t *object, const char *name,
                       const mastra_json_t *schema, apr_pool_t *pool)
{
    mastra_json_t *json = mastra_json_object(), *wrapped, *shown;

    mastra_json_set_str(json, "$schema",
                        "http://json-schema.org/draft-07/schema#");
    if (schema) {
        shown = closed(schema);
        mastra_json_merge(json, shown);
        mastra_json_unref(shown);
    }
    wrapped = mastra_json_pack("{s:o}", "json", json);
    mastra_json_set_str(object, name, mastra_json_text(wrapped, pool));
    mastra_json_unref(wrapped);
}

/* ---- steps ---- */

static mastra_json_t *step_view(const mastra_node_t *node, apr_pool_t *pool)
{
    static const char *const components[] = { "TOOL", "AGENT", NULL,
                                              "WORKFLOW" };
    mastra_json_t *made = mastra_json_pack("{s:s}", "id", node->id);

    mastra_json_set_str(made, "description",
                        mastra_json_get_str(node->entry, "description"));
    if (node->type == MASTRA_NODE_MAPPING) {
        set_schema(made, "inputSchema", NULL, pool);
        set_schema(made, "outputSchema", NULL, pool);
    }
    else if (node->type >= MASTRA_NODE_SLEEP) {
        mastra_json_t *none = mastra_json_pack("{s:s}", "type", "object");

        set_schema(made, "inputSchema", none, pool);
        set_schema(made, "outputSchema", none, pool);
        mastra_json_unref(none);
        return made;
    }
    else if (node->nested) {
        set_schema(made, "inputSchema",
                   mastra_json_get(node->nested->definition, "inputSchema"),
                   pool);
        set_schema(made, "outputSchema",
                   mastra_json_get(node->nested->definition, "outputSchema"),
                   pool);
    }
    if (node->tool && node->tool->resume_schema) {
        set_schema(made, "resumeSchema", node->tool->resume_schema, pool);
    }
    if (node->tool && node->tool->suspend_schema) {
        set_schema(made, "suspendSchema", node->tool->suspend_schema, pool);
    }
    if (components[node->type]) {
        mastra_json_set_str(made, "component", components[node->type]);
    }
    return made;
}

static void add_all(mastra_json_t *all, const mastra_workflow_t *workflow,
                    const char *prefix, apr_pool_t *pool);

/* prefix NULL: the steps of the workflow alone. */
static void add_step(mastra_json_t *all, const mastra_node_t *node,
                     const char *prefix, apr_pool_t *pool)
{
    mastra_json_t *view;
    const char *name;
    int i;

    for (i = 0; i < node->nsteps; i++) {
        add_step(all, node->steps[i], prefix, pool);
    }
    if (node->nsteps || !node->id) {
        return;
    }
    view = step_view(node, pool);
    name = prefix ? apr_pstrcat(pool, prefix, node->id, NULL) : node->id;
    if (prefix) {
        mastra_json_set_bool(view, "isWorkflow", node->nested != NULL);
    }
    mastra_json_set(all, name, view);
    if (prefix && node->nested) {
        add_all(all, node->nested, apr_pstrcat(pool, name, ".", NULL), pool);
    }
}

static void add_all(mastra_json_t *all, const mastra_workflow_t *workflow,
                    const char *prefix, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < workflow->nnodes; i++) {
        add_step(all, workflow->nodes[i], prefix, pool);
    }
}

static int count_steps(const mastra_workflow_t *workflow)
{
    mastra_json_t *steps = mastra_json_object();
    apr_pool_t *pool;
    int n;

    apr_pool_create(&pool, NULL);
    add_all(steps, workflow, NULL, pool);
    n = (int)mastra_json_size(steps);
    mastra_json_unref(steps);
    apr_pool_destroy(pool);
    return n;
}

static void set_schemas(mastra_json_t *view, const mastra_workflow_t *workflow,
                        apr_pool_t *pool)
{
    const mastra_json_t *definition = workflow->definition;

    set_schema(view, "inputSchema", mastra_json_get(definition, "inputSchema"),
               pool);
    set_schema(view, "outputSchema",
               mastra_json_get(definition, "outputSchema"), pool);
    if (workflow->state) {
        set_schema(view, "stateSchema",
                   mastra_json_get(definition, "stateSchema"), pool);
    }
    if (workflow->context) {
        set_schema(view, "requestContextSchema",
                   mastra_json_get(definition, "requestContextSchema"), pool);
    }
}

static mastra_json_t *options_view(void)
{
    return mastra_json_pack("{s:b, s:b}", "validateInputs", 1,
                            "emitStepEvents", 1);
}

void mastra_workflow_describe(mastra_workflow_t *workflow, apr_pool_t *pool)
{
    mastra_json_t *metadata = mastra_json_get(workflow->definition,
                                              "metadata");
    mastra_json_t *view = mastra_json_pack(
        "{s:s, s:s*, s:s, s:O*}", "name", workflow->id, "description",
        workflow->description, "origin", workflow->origin, "metadata",
        metadata);
    mastra_json_t *steps = mastra_json_object();

    add_all(steps, workflow, NULL, pool);
    mastra_json_set(view, "steps", steps);
    steps = mastra_json_object();
    add_all(steps, workflow, "", pool);
    mastra_json_set(view, "allSteps", steps);
    mastra_json_set(view, "stepGraph", mastra_json_ref(workflow->graph));
    set_schemas(view, workflow, pool);
    mastra_json_set(view, "options", options_view());
    mastra_json_set_bool(view, "isProcessorWorkflow", 0);
    workflow->describe = mastra_json_own(view, pool);
    view = mastra_json_pack("{s:s, s:s*, s:i, s:O, s:o, s:{}, s:{}, s:s, s:O*}",
                            "name", workflow->id, "description",
                            workflow->description, "stepCount",
                            count_steps(workflow), "stepGraph",
                            workflow->graph, "options", options_view(),
                            "steps", "allSteps", "origin", workflow->origin,
                            "metadata", metadata);
    workflow->describe_partial = mastra_json_own(view, pool);
}
