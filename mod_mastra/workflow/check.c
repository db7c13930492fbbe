/* Whether what a definition names is there, and whether its steps fit
 * together: only what is certainly wrong is told. */

#include <string.h>

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "internal.h"

typedef struct {
    const mastra_json_t *definition;
    const mastra_workflow_source_t *source;
    mastra_json_t *issues;
    mastra_json_t *outputs;          /* schemas by id; null: not known */
    const mastra_json_t *incoming;   /* schema of what predicates are given */
    apr_pool_t *pool;
} check_t;

static void issue(check_t *c, const char *code, const char *path,
                  const char *message)
{
    mastra_issue_add(c->issues, code, path, message);
}

/* ---- schemas ---- */

typedef enum { UNKNOWN, FITS, WRONG } fit_e;

static fit_e fit(const mastra_json_t *from, const mastra_json_t *to)
{
    const char *a = mastra_json_get_str(from, "type");
    const char *b = mastra_json_get_str(to, "type");
    const mastra_json_t *have = mastra_json_get(from, "properties");
    const mastra_json_t *want = mastra_json_get(to, "properties");
    const mastra_json_t *required = mastra_json_get(to, "required");
    apr_size_t i;
    void *at;

    if (!a || !b) {
        return UNKNOWN;
    }
    if (strcmp(a, b)
        && !((!strcmp(a, "integer") || !strcmp(a, "number"))
             && (!strcmp(b, "integer") || !strcmp(b, "number")))) {
        return WRONG;
    }
    if (!strcmp(b, "array")) {
        return fit(mastra_json_get(from, "items"),
                   mastra_json_get(to, "items"));
    }
    if (strcmp(b, "object")) {
        return FITS;
    }
    for (i = 0; i < mastra_json_size(required); i++) {
        const char *name = mastra_json_str(mastra_json_at(required, i));

        if (name && !mastra_json_get(have, name)) {
            return WRONG;
        }
    }
    for (at = mastra_json_iter(want); at; at = mastra_json_next(want, at)) {
        const mastra_json_t *member = mastra_json_get(have,
                                                      mastra_json_key(at));

        if (member && fit(member, mastra_json_value(at)) == WRONG) {
            return WRONG;
        }
    }
    return FITS;
}

/* The schema at a dotted path; NULL: not known, or not there. */
static const mastra_json_t *schema_at(check_t *c, const mastra_json_t *schema,
                                      const char *path)
{
    char *copy, *part, *state;

    if (!*path || !strcmp(path, ".")) {
        return schema;
    }
    copy = apr_pstrdup(c->pool, path);
    for (part = apr_strtok(copy, ".", &state); part && schema;
         part = apr_strtok(NULL, ".", &state)) {
        schema = mastra_json_get(mastra_json_get(schema, "properties"), part);
    }
    return schema;
}

static mastra_json_t *schema_of_value(const mastra_json_t *value)
{
    static const char *const names[] = { "object", "array", "string",
                                         "integer", "number", "boolean",
                                         "boolean", "null" };

    return mastra_json_pack("{s:s}", "type", names[mastra_json_type(value)]);
}

/* ---- single steps ---- */

static const mastra_json_t *agent_input(check_t *c)
{
    return mastra_json_own(mastra_json_pack(
        "{s:s, s:{s:{s:s}}, s:[s]}", "type", "object", "properties", "prompt",
        "type", "string", "required", "prompt"), c->pool);
}

static const mastra_json_t *agent_output(check_t *c,
                                         const mastra_json_t *entry)
{
    const mastra_json_t *given = mastra_json_get(entry, "outputSchema");

    return given ? given : mastra_json_own(mastra_json_pack(
        "{s:s, s:{s:{s:s}}, s:[s]}", "type", "object", "properties", "text",
        "type", "string", "required", "text"), c->pool);
}

static const mastra_tool_t *tool_of(check_t *c, const mastra_json_t *entry)
{
    return mastra_tools_find(c->source->tools,
                             mastra_json_get_str(entry, "toolId"));
}

static const mastra_json_t *nested_of(check_t *c, const mastra_json_t *entry)
{
    return c->source->find(c->source->baton,
                           mastra_json_get_str(entry, "workflowId"));
}

static const mastra_json_t *input_of(check_t *c, const mastra_json_t *entry)
{
    if (mastra_entry_is(entry, "tool")) {
        const mastra_tool_t *tool = tool_of(c, entry);

        return tool ? tool->input_schema : NULL;
    }
    return mastra_entry_is(entry, "agent") ? agent_input(c)
           : mastra_entry_is(entry, "workflow")
               ? mastra_json_get(nested_of(c, entry), "inputSchema") : NULL;
}

static const mastra_json_t *output_of(check_t *c, const mastra_json_t *entry)
{
    if (mastra_entry_is(entry, "tool")) {
        const mastra_tool_t *tool = tool_of(c, entry);

        return tool ? tool->output_schema : NULL;
    }
    return mastra_entry_is(entry, "agent") ? agent_output(c, entry)
           : mastra_entry_is(entry, "workflow")
               ? mastra_json_get(nested_of(c, entry), "outputSchema") : NULL;
}

/* ---- references ---- */

static void missing(check_t *c, const mastra_json_t *entry, const char *path,
                    const char *member, const char *what)
{
    issue(c, "missing-reference", apr_pstrcat(c->pool, path, ".", member, NULL),
          apr_psprintf(c->pool, "Step \"%s\" declares %s \"%s\" which is not a "
                       "registered %s.", mastra_json_get_str(entry, "id"),
                       member, mastra_json_get_str(entry, member), what));
}

static void check_reference(check_t *c, const mastra_json_t *entry,
                            const char *path)
{
    const char *agent = mastra_json_get_str(entry, "agentId");

    if (mastra_entry_is(entry, "tool") && !tool_of(c, entry)) {
        missing(c, entry, path, "toolId", "tool");
    }
    else if (mastra_entry_is(entry, "agent")
             && !mastra_agents_find(c->source->agents, agent)) {
        missing(c, entry, path, "agentId", "agent");
    }
    else if (mastra_entry_is(entry, "workflow") && !nested_of(c, entry)) {
        missing(c, entry, path, "workflowId", "workflow");
    }
}

static void each_step(check_t *c, const mastra_json_t *entry, const char *path,
                      void (*cb)(check_t *, const mastra_json_t *,
                                 const char *))
{
    const mastra_json_t *steps = mastra_json_get(entry, "steps");
    apr_size_t i;

    cb(c, entry, path);
    for (i = 0; i < mastra_json_size(steps); i++) {
        cb(c, mastra_json_at(steps, i),
           apr_psprintf(c->pool, "%s.steps.%" APR_SIZE_T_FMT, path, i));
    }
    if (mastra_json_get(entry, "step")) {
        cb(c, mastra_json_get(entry, "step"),
           apr_pstrcat(c->pool, path, ".step", NULL));
    }
}

/* ---- mappings ---- */

typedef struct {
    check_t *c;
    const char *unknown;
} steps_t;

static void check_template_step(void *baton, const char *id)
{
    steps_t *steps = baton;

    if (!mastra_json_get(steps->c->outputs, id)) {
        steps->unknown = id;
    }
}

static int sources(const mastra_json_t *descriptor)
{
    return (mastra_json_get(descriptor, "value") != NULL)
           + (mastra_json_get_str(descriptor, "template") != NULL)
           + (mastra_json_get_str(descriptor, "requestContextPath") != NULL)
           + (mastra_json_get(descriptor, "path") != NULL);
}

static mastra_json_t *template_schema(check_t *c, const char *text,
                                      const char *path)
{
    steps_t steps = { c, NULL };
    const char *why = mastra_template_check(text, c->pool);

    path = apr_pstrcat(c->pool, path, ".template", NULL);
    if (why) {
        issue(c, "invalid-map-reference", path, why);
    }
    else {
        mastra_template_steps(text, check_template_step, &steps, c->pool);
    }
    if (steps.unknown) {
        issue(c, "invalid-map-reference", path, "Template references must use "
              "an available workflow-local source.");
    }
    return mastra_json_pack("{s:s}", "type", "string");
}

static const mastra_json_t *step_schema(check_t *c, const mastra_json_t *step,
                                        const char *path, int *pbad)
{
    const mastra_json_t *schema = NULL;
    apr_size_t i, n = mastra_json_is_array(step) ? mastra_json_size(step) : 1;

    for (i = 0; i < n; i++) {
        const char *id = mastra_json_str(mastra_json_is_array(step)
                                             ? mastra_json_at(step, i)
                                             : step);
        const mastra_json_t *its = id ? mastra_json_get(c->outputs, id) : NULL;

        if (!its) {
            issue(c, "invalid-map-reference",
                  apr_pstrcat(c->pool, path, ".step", NULL),
                  apr_psprintf(c->pool, "Mapping source \"%s\" must be a "
                               "preceding workflow-local step.",
                               id ? id : ""));
            *pbad = 1;
            return NULL;
        }
        if (!schema && mastra_json_is_object(its)) {
            schema = its;
        }
    }
    return schema;
}

static mastra_json_t *path_schema(check_t *c, const mastra_json_t *descriptor,
                                  const char *path)
{
    const char *at = mastra_json_get_str(descriptor, "path");
    const mastra_json_t *step = mastra_json_get(descriptor, "step");
    const mastra_json_t *from, *found;
    int init = mastra_json_is_true(mastra_json_get(descriptor, "initData"))
               || mastra_json_is_string(mastra_json_get(descriptor,
                                                        "initData"));
    int bad = 0;

    if (!at || init == (step != NULL)) {
        issue(c, "invalid-map-config", path, !at
              ? "Mapping paths must use plain dotted segments."
              : "Path mappings must reference exactly one of initData or "
                "step.");
        return NULL;
    }
    from = init ? mastra_json_get(c->definition, "inputSchema")
                : step_schema(c, step, path, &bad);
    if (bad) {
        return NULL;
    }
    found = schema_at(c, from, at);
    if (from && mastra_json_get(from, "properties") && !found) {
        issue(c, "invalid-map-config",
              apr_pstrcat(c->pool, path, ".path", NULL),
              apr_psprintf(c->pool, "Path \"%s\" does not exist in the source "
                           "schema.", at));
    }
    return found ? mastra_json_ref((mastra_json_t *)found)
                 : mastra_json_object();
}

static mastra_json_t *descriptor_schema(check_t *c,
                                        const mastra_json_t *descriptor,
                                        const char *path)
{
    const char *text = mastra_json_get_str(descriptor, "template");

    if (sources(descriptor) != 1) {
        issue(c, "invalid-map-config", path, "Mapping descriptor must define "
              "exactly one source.");
        return NULL;
    }
    if (mastra_json_get(descriptor, "value")) {
        return schema_of_value(mastra_json_get(descriptor, "value"));
    }
    if (text) {
        return template_schema(c, text, path);
    }
    text = mastra_json_get_str(descriptor, "requestContextPath");
    if (text) {
        const mastra_json_t *found = schema_at(
            c, mastra_json_get(c->definition, "requestContextSchema"), text);

        return found ? mastra_json_ref((mastra_json_t *)found)
                     : mastra_json_object();
    }
    return path_schema(c, descriptor, path);
}

static const mastra_json_t *mapping_output(check_t *c,
                                           const mastra_json_t *entry,
                                           const char *path)
{
    mastra_json_t *config = mastra_json_get(entry, "mapConfig"), *read = NULL;
    mastra_json_t *properties = mastra_json_object();
    mastra_json_t *required = mastra_json_array();
    void *at;

    if (mastra_json_is_string(config)) {
        mastra_json_parse(&read, mastra_json_str(config),
                          mastra_json_len(config), 0, NULL);
        config = mastra_json_own(read, c->pool);
    }
    if (!mastra_json_is_object(config)) {
        issue(c, "invalid-map-config",
              apr_pstrcat(c->pool, path, ".mapConfig", NULL),
              "Mapping config must be a JSON object.");
    }
    for (at = mastra_json_iter(config); at;
         at = mastra_json_next(config, at)) {
        mastra_json_set(properties, mastra_json_key(at), descriptor_schema(
            c, mastra_json_value(at),
            apr_pstrcat(c->pool, path, ".mapConfig.", mastra_json_key(at),
                        NULL)));
        mastra_json_append(required, mastra_json_string(mastra_json_key(at)));
    }
    return mastra_json_own(mastra_json_pack("{s:s, s:o, s:o}", "type",
                                            "object", "properties", properties,
                                            "required", required), c->pool);
}

/* ---- the flow ---- */

static void note(check_t *c, const mastra_json_t *entry,
                 const mastra_json_t *schema)
{
    const char *id = mastra_json_get_str(entry, "id");

    if (id) {
        mastra_json_set(c->outputs, id,
                        schema ? mastra_json_ref((mastra_json_t *)schema)
                               : mastra_json_null());
    }
}

static const mastra_json_t *leaf(check_t *c, const mastra_json_t *entry,
                                 const char *path,
                                 const mastra_json_t *incoming)
{
    const mastra_json_t *output;

    if (mastra_entry_is(entry, "mapping")) {
        output = mapping_output(c, entry, path);
    }
    else {
        if (fit(incoming, input_of(c, entry)) == WRONG) {
            issue(c, "incompatible-schema", path, "Step input is incompatible "
                  "with the preceding workflow output.");
        }
        output = output_of(c, entry);
    }
    note(c, entry, output);
    return output;
}

static int is_below(const char *path, const char *root)
{
    apr_size_t len = strlen(root);

    return !strncmp(path, root, len) && (path[len] == '.' || !path[len]);
}

/* 1: a schema on the way tells its members, and this is none of them. */
static int is_unknown(check_t *c, const mastra_json_t *schema,
                      const char *path)
{
    char *copy = apr_pstrdup(c->pool, path), *part, *state;

    for (part = apr_strtok(copy, ".", &state); part;
         part = apr_strtok(NULL, ".", &state)) {
        const mastra_json_t *members = mastra_json_get(schema, "properties");
        const mastra_json_t *more = mastra_json_get(schema,
                                                    "additionalProperties");

        if (!members || (more && (!mastra_json_is_bool(more)
                                  || mastra_json_is_true(more)))) {
            return 0;
        }
        schema = mastra_json_get(members, part);
        if (!schema) {
            return 1;
        }
    }
    return 0;
}

static const mastra_json_t *root_schema(check_t *c, const char *path)
{
    return is_below(path, "stepResults") ? c->outputs
           : is_below(path, "inputData") ? c->incoming
           : mastra_json_get(c->definition, is_below(path, "state")
                                                ? "stateSchema"
                                                : "inputSchema");
}

static void check_members(check_t *c, const char *path, const char *at)
{
    const mastra_json_t *schema = root_schema(c, path);
    const char *rest = strchr(path, '.');

    if (rest && is_below(path, "stepResults")) {
        apr_size_t len = strcspn(++rest, ".");

        schema = mastra_json_get(schema, apr_pstrmemdup(c->pool, rest, len));
        rest += len;
    }
    if (rest && is_unknown(c, schema, rest)) {
        issue(c, "invalid-predicate-reference", at, apr_psprintf(
            c->pool, "Predicate path \"%s\" does not exist in the known "
            "schema.", path));
    }
}

static void check_path(void *baton, const char *path, const char *at)
{
    check_t *c = baton;
    const char *rest = strchr(path, '.'), *id;

    if (is_below(path, "stepResults")) {
        id = rest ? apr_pstrmemdup(c->pool, rest + 1, strcspn(rest + 1, "."))
                  : "";
        if (!mastra_json_get(c->outputs, id)) {
            issue(c, "invalid-predicate-reference", at, *id
                  ? apr_psprintf(c->pool, "Predicate step result \"%s\" must "
                                 "reference a preceding top-level step.", id)
                  : "Predicate stepResults paths must include a preceding "
                    "top-level step id.");
        }
    }
    else if (!is_below(path, "initData") && !is_below(path, "inputData")
             && !is_below(path, "state")) {
        issue(c, "invalid-predicate-reference", at, "Predicate paths must be "
              "rooted at initData, inputData, stepResults, or state.");
        return;
    }
    check_members(c, path, at);
}

static void check_predicates(check_t *c, const mastra_json_t *entry,
                             const char *path)
{
    const mastra_json_t *all = mastra_json_get(entry, "predicates");
    apr_size_t i;

    for (i = 0; i < mastra_json_size(all); i++) {
        mastra_predicate_paths(
            mastra_json_at(all, i),
            apr_psprintf(c->pool, "%s.predicates.%" APR_SIZE_T_FMT, path, i),
            check_path, c, c->pool);
    }
}

static const mastra_json_t *branches(check_t *c, const mastra_json_t *entry,
                                     const char *path,
                                     const mastra_json_t *incoming)
{
    const mastra_json_t *steps = mastra_json_get(entry, "steps");
    mastra_json_t *properties = mastra_json_object();
    mastra_json_t *required = mastra_json_array(), *made;
    apr_size_t i;

    c->incoming = incoming;
    check_predicates(c, entry, path);
    for (i = 0; i < mastra_json_size(steps); i++) {
        const mastra_json_t *step = mastra_json_at(steps, i);
        const char *id = mastra_json_get_str(step, "id");
        const mastra_json_t *output = leaf(
            c, step, apr_psprintf(c->pool, "%s.steps.%" APR_SIZE_T_FMT, path,
                                  i), incoming);

        if (output) {
            mastra_json_set(properties, id,
                            mastra_json_ref((mastra_json_t *)output));
            mastra_json_append(required, mastra_json_string(id));
        }
    }
    made = mastra_json_pack("{s:s, s:o}", "type", "object", "properties",
                            properties);
    if (mastra_entry_is(entry, "parallel")) {
        mastra_json_set(made, "required", required);
    }
    else {
        mastra_json_unref(required);
    }
    return mastra_json_own(made, c->pool);
}

static const mastra_json_t *each(check_t *c, const mastra_json_t *entry,
                                 const char *path,
                                 const mastra_json_t *incoming)
{
    const char *type = mastra_json_get_str(incoming, "type");
    const mastra_json_t *output;

    if (type && strcmp(type, "array")) {
        issue(c, "incompatible-schema", path, "Foreach input must be a raw "
              "array. A mapping step cannot produce one — mappings always "
              "build an object — so the preceding step (or the workflow "
              "inputSchema itself) must already be an array of the child "
              "input.");
    }
    output = leaf(c, mastra_json_get(entry, "step"),
                  apr_pstrcat(c->pool, path, ".step", NULL),
                  mastra_json_get(incoming, "items"));
    return mastra_json_own(output
        ? mastra_json_pack("{s:s, s:O}", "type", "array", "items", output)
        : mastra_json_pack("{s:s}", "type", "array"), c->pool);
}

static const mastra_json_t *step_on(check_t *c, const mastra_json_t *entry,
                                    const char *path,
                                    const mastra_json_t *incoming)
{
    const mastra_json_t *output;
    const char *inner = apr_pstrcat(c->pool, path, ".step", NULL);

    if (mastra_entry_is(entry, "sleep") || mastra_entry_is(entry, "sleepUntil")) {
        note(c, entry, incoming);
        return incoming;
    }
    if (mastra_entry_is(entry, "parallel") || mastra_entry_is(entry, "conditional")) {
        output = branches(c, entry, path, incoming);
    }
    else if (mastra_entry_is(entry, "foreach")) {
        output = each(c, entry, path, incoming);
    }
    else if (mastra_entry_is(entry, "loop")) {
        const mastra_json_t *step = mastra_json_get(entry, "step");

        output = leaf(c, step, inner, incoming);
        c->incoming = output;
        mastra_predicate_paths(mastra_json_get(entry, "predicate"),
                               apr_pstrcat(c->pool, path, ".predicate", NULL),
                               check_path, c, c->pool);
        if (fit(output, input_of(c, step)) == WRONG) {
            issue(c, "incompatible-schema", inner, "Loop step output is "
                  "incompatible with its input for a subsequent iteration.");
        }
    }
    else {
        return leaf(c, entry, path, incoming);
    }
    note(c, entry, output);
    return output;
}

mastra_json_t *mastra_workflow_issues(const mastra_json_t *definition,
                                      const mastra_workflow_source_t *source,
                                      apr_pool_t *pool)
{
    check_t c = { .definition = definition, .source = source, .pool = pool,
                  .issues = mastra_json_array() };
    const mastra_json_t *graph = mastra_json_get(definition, "graph");
    const mastra_json_t *current = mastra_json_get(definition, "inputSchema");
    apr_size_t i;

    c.outputs = mastra_json_own(mastra_json_object(), pool);
    for (i = 0; i < mastra_json_size(graph); i++) {
        each_step(&c, mastra_json_at(graph, i),
                  apr_psprintf(pool, "graph.%" APR_SIZE_T_FMT, i),
                  check_reference);
    }
    mastra_workflow_shape(c.issues, definition, pool);
    for (i = 0; i < mastra_json_size(graph); i++) {
        current = step_on(&c, mastra_json_at(graph, i),
                          apr_psprintf(pool, "graph.%" APR_SIZE_T_FMT, i),
                          current);
    }
    if (i && fit(current, mastra_json_get(definition, "outputSchema"))
                 == WRONG) {
        issue(&c, "incompatible-schema", "outputSchema", "Workflow output "
              "schema is incompatible with the final step output.");
    }
    return c.issues;
}
