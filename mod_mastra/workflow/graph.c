/* Definitions of workflows, read and checked: JSON becomes a tree of nodes. */

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "internal.h"

#define MAX_RETRIES 100
#define MAX_CONCURRENCY 100
#define MAX_ID 200
#define MAX_SLEEP (APR_INT64_C(10) * 366 * 24 * 3600 * 1000)

/* Where an entry stands. */
typedef enum { AT_TOP, IN_BRANCH, IN_EACH } place_e;

typedef struct {
    const mastra_workflow_source_t *source;
    const char *origin;
    apr_pool_t *pool;
    mastra_result_t *error;          /* the first fault */
    const char *open[MASTRA_WORKFLOW_MAX_DEPTH + 1];  /* being compiled */
    int depth;
    int nnodes;
    const char *missing;             /* what it names and is not there */
} compile_t;

static const struct {
    const char *name;
    mastra_node_e type;
    const char *ref;                 /* member that names what it runs */
} types[] = {
    { "tool", MASTRA_NODE_TOOL, "toolId" },
    { "agent", MASTRA_NODE_AGENT, "agentId" },
    { "mapping", MASTRA_NODE_MAPPING, NULL },
    { "workflow", MASTRA_NODE_WORKFLOW, "workflowId" },
    { "parallel", MASTRA_NODE_PARALLEL, NULL },
    { "conditional", MASTRA_NODE_CONDITIONAL, NULL },
    { "foreach", MASTRA_NODE_FOREACH, NULL },
    { "loop", MASTRA_NODE_LOOP, NULL },
    { "sleep", MASTRA_NODE_SLEEP, NULL },
    { "sleepUntil", MASTRA_NODE_SLEEP_UNTIL, NULL },
};

static void fault(compile_t *c, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void fault(compile_t *c, const char *field, const char *fmt, ...)
{
    va_list ap;

    if (c->error) {
        return;
    }
    va_start(ap, fmt);
    c->error = mastra_result_make(c->pool, 400, "WORKFLOW_INVALID", "%s",
                                  apr_pvsprintf(c->pool, fmt, ap));
    va_end(ap);
    c->error->detail = mastra_json_own(mastra_json_pack("{s:s}", "field",
                                                        field), c->pool);
}

static const char *below(compile_t *c, const char *path, const char *name)
{
    return *path ? apr_pstrcat(c->pool, path, ".", name, NULL) : name;
}

static const char *item(compile_t *c, const char *path, apr_size_t i)
{
    return apr_psprintf(c->pool, "%s.%" APR_SIZE_T_FMT, path, i);
}

/* ---- entries ---- */

static mastra_node_t *read_entry(compile_t *c, mastra_json_t *entry,
                                 const char *path, place_e place);

static const char *need_text(compile_t *c, const mastra_node_t *node,
                             const char *path, const char *name)
{
    const char *text = mastra_json_get_str(node->entry, name);

    if (!text || !*text) {
        fault(c, below(c, path, name), "must be a text that is not empty");
        return "";
    }
    if (strlen(text) > MAX_ID) {
        fault(c, below(c, path, name), "is longer than %d bytes", MAX_ID);
    }
    return text;
}

static void read_retries(compile_t *c, mastra_node_t *node, const char *path)
{
    const mastra_json_t *options = mastra_json_get(node->entry, "options");
    apr_int64_t retries = mastra_json_get_int(options, "retries", 0);

    if (retries < 0 || retries > MAX_RETRIES) {
        fault(c, below(c, path, "options.retries"), "must be between 0 and %d",
              MAX_RETRIES);
    }
    node->retries = (int)retries;
}

static mastra_workflow_t *read_workflow(compile_t *c, const char *key,
                                        mastra_json_t *definition);

static void read_nested(compile_t *c, mastra_node_t *node, const char *path)
{
    mastra_json_t *definition = c->source->find(c->source->baton, node->ref);
    const char *field = below(c, path, "workflowId");
    int i;

    if (!definition) {
        fault(c, field, "there is no workflow \"%s\"", node->ref);
        return;
    }
    for (i = 0; i < c->depth; i++) {
        if (!strcmp(c->open[i], mastra_json_get_str(definition, "id"))) {
            fault(c, field, "the workflow \"%s\" would contain itself",
                  node->ref);
            return;
        }
    }
    if (c->depth == MASTRA_WORKFLOW_MAX_DEPTH) {
        fault(c, field, "workflows are nested more than %d deep",
              MASTRA_WORKFLOW_MAX_DEPTH);
        return;
    }
    node->nested = read_workflow(c, node->ref, definition);
    if (c->error && !node->nested) {
        /* the fault stands in another document */
        c->error->detail = mastra_json_own(mastra_json_pack("{s:s}", "field",
                                                            field), c->pool);
    }
}

static void read_step(compile_t *c, mastra_node_t *node, const char *path,
                      const char *ref)
{
    node->ref = need_text(c, node, path, ref);
    read_retries(c, node, path);
    if (c->error) {
        return;
    }
    if (node->type == MASTRA_NODE_TOOL) {
        node->tool = mastra_tools_find(c->source->tools, node->ref);
        if (!node->tool && !c->source->lenient) {
            fault(c, below(c, path, ref), "there is no tool \"%s\"", node->ref);
        }
    }
    else if (node->type == MASTRA_NODE_AGENT) {
        node->agent = mastra_agents_find(c->source->agents, node->ref);
        if (!node->agent && !c->source->lenient) {
            fault(c, below(c, path, ref), "there is no agent \"%s\"",
                  node->ref);
        }
    }
    else {
        read_nested(c, node, path);
    }
    if (!node->tool && !node->agent && node->type != MASTRA_NODE_WORKFLOW) {
        c->missing = node->ref;
    }
}

static void read_mapping(compile_t *c, mastra_node_t *node, const char *path)
{
    mastra_json_t *config = mastra_json_get(node->entry, "mapConfig");
    const char *text = mastra_json_str(config), *why;
    mastra_json_error_t at;
    void *i;

    path = below(c, path, "mapConfig");
    if (text && mastra_json_parse(&node->map, text, mastra_json_len(config), 0,
                                  &at) != APR_SUCCESS) {
        fault(c, path, "is not JSON: %s", at.message);
        return;
    }
    if (!text) {
        node->map = mastra_json_ref(config);
    }
    mastra_json_own(node->map, c->pool);
    if (!mastra_json_is_object(node->map)) {
        fault(c, path, "must be an object, or one as text");
        return;
    }
    for (i = mastra_json_iter(node->map); i;
         i = mastra_json_next(node->map, i)) {
        const mastra_json_t *source = mastra_json_value(i);
        const char *field = below(c, path, mastra_json_key(i));

        text = mastra_json_get_str(source, "template");
        why = text ? mastra_template_check(text, c->pool) : NULL;
        if (!mastra_json_is_object(source)) {
            fault(c, field, "must be an object that says where the value "
                  "comes from");
        }
        if (why) {
            fault(c, below(c, field, "template"), "%s", why);
        }
    }
}

static void read_branches(compile_t *c, mastra_node_t *node, const char *path)
{
    const mastra_json_t *steps = mastra_json_get(node->entry, "steps");
    apr_size_t i, n = mastra_json_size(steps);

    path = below(c, path, "steps");
    if (!mastra_json_is_array(steps)) {
        fault(c, path, "must be an array of steps");
        return;
    }
    if (n > MASTRA_WORKFLOW_MAX_WIDTH) {
        fault(c, path, "has more than %d branches", MASTRA_WORKFLOW_MAX_WIDTH);
        return;
    }
    node->steps = apr_pcalloc(c->pool, sizeof(*node->steps) * (n + 1));
    for (i = 0; i < n && !c->error; i++) {
        node->steps[i] = read_entry(c, mastra_json_at(steps, i),
                                    item(c, path, i), IN_BRANCH);
    }
    node->nsteps = (int)n;
}

static void check_predicate(compile_t *c, const mastra_json_t *predicate,
                            const char *path)
{
    const char *field = path, *why;

    why = mastra_predicate_check(&field, path, predicate, c->pool);
    if (why) {
        fault(c, field, "%s", why);
    }
}

static void read_conditions(compile_t *c, mastra_node_t *node,
                            const char *path)
{
    apr_size_t i;

    node->predicates = mastra_json_get(node->entry, "predicates");
    path = below(c, path, "predicates");
    if (mastra_json_size(node->predicates) != (apr_size_t)node->nsteps) {
        fault(c, path, "conditional entries must have exactly one predicate "
              "per branch (`predicates` and `steps` must be the same length)");
        return;
    }
    for (i = 0; i < mastra_json_size(node->predicates); i++) {
        check_predicate(c, mastra_json_at(node->predicates, i),
                        item(c, path, i));
    }
}

/* The one step of a foreach or a loop. */
static void read_body(compile_t *c, mastra_node_t *node, const char *path,
                      place_e place)
{
    node->steps = apr_pcalloc(c->pool, sizeof(*node->steps));
    node->steps[0] = read_entry(c, mastra_json_get(node->entry, "step"),
                                below(c, path, "step"), place);
    node->nsteps = 1;
}

static void read_foreach(compile_t *c, mastra_node_t *node, const char *path)
{
    const mastra_json_t *opts = mastra_json_get(node->entry, "opts");
    apr_int64_t concurrency = mastra_json_get_int(opts, "concurrency", 1);

    if (concurrency < 1) {
        fault(c, below(c, path, "opts.concurrency"), "must be at least 1");
    }
    node->concurrency = concurrency > MAX_CONCURRENCY ? MAX_CONCURRENCY
                                                      : (int)concurrency;
    read_body(c, node, path, IN_EACH);
}

static void read_loop(compile_t *c, mastra_node_t *node, const char *path)
{
    const char *type = mastra_json_get_str(node->entry, "loopType");

    node->until = type && !strcmp(type, "dountil");
    if (!type || (!node->until && strcmp(type, "dowhile"))) {
        fault(c, below(c, path, "loopType"), "must be \"dowhile\" or "
              "\"dountil\"");
    }
    node->predicates = mastra_json_get(node->entry, "predicate");
    check_predicate(c, node->predicates, below(c, path, "predicate"));
    read_body(c, node, path, IN_BRANCH);
}

static void read_sleep(compile_t *c, mastra_node_t *node, const char *path)
{
    const mastra_json_t *duration = mastra_json_get(node->entry, "duration");
    const char *date = mastra_json_get_str(node->entry, "date");

    if (node->type == MASTRA_NODE_SLEEP) {
        if (!mastra_json_is_number(duration) || mastra_json_num(duration) < 0
            || mastra_json_num(duration) > (double)MAX_SLEEP) {
            fault(c, below(c, path, "duration"), "must be a number of "
                  "milliseconds");
        }
        node->duration = mastra_json_int(duration);
    }
    else if (!date || mastra_text_iso_parse(&node->date, date)) {
        fault(c, below(c, path, "date"), "must be a date such as "
              "\"2027-01-01T00:00:00.000Z\"");
    }
}

static int may_stand(mastra_node_e type, place_e place)
{
    if (type == MASTRA_NODE_TOOL || type == MASTRA_NODE_AGENT
        || type == MASTRA_NODE_WORKFLOW) {
        return 1;
    }
    return place == AT_TOP;
}

static void read_kind(compile_t *c, mastra_node_t *node, const char *path,
                      const char *ref)
{
    switch (node->type) {
    case MASTRA_NODE_MAPPING:
        read_mapping(c, node, path);
        break;
    case MASTRA_NODE_PARALLEL:
        read_branches(c, node, path);
        break;
    case MASTRA_NODE_CONDITIONAL:
        read_branches(c, node, path);
        read_conditions(c, node, path);
        break;
    case MASTRA_NODE_FOREACH:
        read_foreach(c, node, path);
        break;
    case MASTRA_NODE_LOOP:
        read_loop(c, node, path);
        break;
    case MASTRA_NODE_SLEEP:
    case MASTRA_NODE_SLEEP_UNTIL:
        read_sleep(c, node, path);
        break;
    default:
        read_step(c, node, path, ref);
        break;
    }
}

static mastra_node_t *read_entry(compile_t *c, mastra_json_t *entry,
                                 const char *path, place_e place)
{
    const char *type = mastra_json_get_str(entry, "type");
    mastra_node_t *node = apr_pcalloc(c->pool, sizeof(*node));
    int i, n = sizeof(types) / sizeof(types[0]);

    for (i = 0; i < n && (!type || strcmp(types[i].name, type)); i++) {
    }
    if (i == n) {
        fault(c, below(c, path, "type"), "there is no kind of step \"%s\"",
              type ? type : "");
        return node;
    }
    if (++c->nnodes > MASTRA_WORKFLOW_MAX_NODES) {
        fault(c, path, "the workflow has more than %d steps",
              MASTRA_WORKFLOW_MAX_NODES);
        return node;
    }
    node->type = types[i].type;
    node->entry = entry;
    if (!may_stand(node->type, place)) {
        fault(c, path, "%s entries must be top-level graph entries", type);
        return node;
    }
    node->id = mastra_json_get_str(entry, "id");
    if (types[i].ref || node->type == MASTRA_NODE_MAPPING
        || node->type >= MASTRA_NODE_SLEEP) {
        node->id = need_text(c, node, path, "id");
    }
    if (!c->error) {
        read_kind(c, node, path, types[i].ref);
    }
    return node;
}

/* ---- a workflow ---- */

static void note_id(compile_t *c, apr_hash_t *ids, const mastra_node_t *node,
                    const char *path)
{
    int i;

    if (node->nsteps == 0 && node->id) {
        if (apr_hash_get(ids, node->id, APR_HASH_KEY_STRING)) {
            fault(c, below(c, path, "id"), "another step has the id \"%s\"",
                  node->id);
        }
        apr_hash_set(ids, node->id, APR_HASH_KEY_STRING, node);
    }
    for (i = 0; i < node->nsteps && node->steps[i]; i++) {
        note_id(c, ids, node->steps[i],
                node->type == MASTRA_NODE_FOREACH
                    || node->type == MASTRA_NODE_LOOP
                    ? below(c, path, "step")
                    : item(c, below(c, path, "steps"), (apr_size_t)i));
    }
}

static const mastra_schema_t *read_schema(compile_t *c,
                                          const mastra_json_t *definition,
                                          const char *name, int needed)
{
    mastra_json_t *json = mastra_json_get(definition, name);
    const mastra_schema_t *made = NULL;
    mastra_result_t *why = NULL;

    if (!json && !needed) {
        return NULL;
    }
    if (!mastra_json_is_object(json)) {
        fault(c, name, "must be a JSON Schema");
        return NULL;
    }
    if (mastra_schema_compile(&made, json, &why, c->pool)) {
        fault(c, name, "not a usable JSON Schema: %s",
              why ? why->message : "unknown");
    }
    return made;
}

static void read_graph(compile_t *c, mastra_workflow_t *workflow)
{
    const mastra_json_t *graph = mastra_json_get(workflow->definition,
                                                 "graph");
    apr_hash_t *ids = apr_hash_make(c->pool);
    apr_size_t i, n = mastra_json_size(graph);

    if (!mastra_json_is_array(graph) || !n) {
        fault(c, "graph", "must be an array of steps");
        return;
    }
    workflow->nodes = apr_pcalloc(c->pool, sizeof(*workflow->nodes) * n);
    for (i = 0; i < n && !c->error; i++) {
        const char *path = item(c, "graph", i);

        workflow->nodes[i] = read_entry(c, mastra_json_at(graph, i), path,
                                        AT_TOP);
        if (!c->error) {
            note_id(c, ids, workflow->nodes[i], path);
        }
    }
    workflow->nnodes = (int)n;
}

static mastra_workflow_t *read_workflow(compile_t *c, const char *key,
                                        mastra_json_t *definition)
{
    mastra_workflow_t *workflow = apr_pcalloc(c->pool, sizeof(*workflow));
    const char *id = mastra_json_get_str(definition, "id");

    workflow->key = apr_pstrdup(c->pool, key);
    workflow->id = id && *id ? apr_pstrdup(c->pool, id) : workflow->key;
    workflow->description = mastra_json_get_str(definition, "description");
    workflow->origin = c->origin;
    workflow->definition = mastra_json_own(mastra_json_ref(definition),
                                           c->pool);
    if (!mastra_json_is_object(definition)) {
        fault(c, "", "a workflow is a JSON object");
        return NULL;
    }
    if (strlen(workflow->id) > MAX_ID) {
        fault(c, "id", "is longer than %d bytes", MAX_ID);
    }
    workflow->input = read_schema(c, definition, "inputSchema", 1);
    workflow->output = read_schema(c, definition, "outputSchema", 1);
    workflow->state = read_schema(c, definition, "stateSchema", 0);
    workflow->context = read_schema(c, definition, "requestContextSchema", 0);
    c->open[c->depth++] = workflow->id;
    read_graph(c, workflow);
    c->depth--;
    if (c->error) {
        return NULL;
    }
    workflow->graph = mastra_json_own(mastra_workflow_step_graph(workflow,
                                                                 c->pool),
                                      c->pool);
    workflow->graph_text = mastra_json_text(workflow->graph, c->pool);
    return workflow;
}

/* ---- what a run keeps ---- */

static void collect(mastra_json_t *all, const mastra_workflow_t *workflow);

static void collect_node(mastra_json_t *all, const mastra_node_t *node)
{
    int i;

    if (node->nested && !mastra_json_get(all, node->ref)) {
        mastra_json_set(all, node->ref,
                        mastra_json_ref(node->nested->definition));
        collect(all, node->nested);
    }
    for (i = 0; i < node->nsteps; i++) {
        collect_node(all, node->steps[i]);
    }
}

static void collect(mastra_json_t *all, const mastra_workflow_t *workflow)
{
    int i;

    for (i = 0; i < workflow->nnodes; i++) {
        collect_node(all, workflow->nodes[i]);
    }
}

/* All definitions as one text, by whose hash runs find it again. */
static void pin(mastra_workflow_t *workflow, apr_pool_t *pool)
{
    mastra_json_t *nested = mastra_json_object(), *all;

    collect(nested, workflow);
    all = mastra_json_pack("{s:s, s:s, s:O, s:o}", "key", workflow->key,
                           "origin", workflow->origin, "definition",
                           workflow->definition, "nested", nested);
    workflow->pinned = mastra_json_text(all, pool);
    workflow->hash = mastra_text_sha256(workflow->pinned,
                                        strlen(workflow->pinned), pool);
    mastra_json_unref(all);
}

mastra_workflow_t *mastra_workflow_compile(
    const char *key, mastra_json_t *definition, const char *origin,
    const mastra_workflow_source_t *source, mastra_result_t **perror,
    apr_pool_t *pool)
{
    compile_t c = { .source = source, .origin = origin, .pool = pool };
    mastra_workflow_t *workflow = read_workflow(&c, key, definition);

    if (!workflow) {
        *perror = c.error;
        return NULL;
    }
    workflow->missing = c.missing;
    mastra_workflow_describe(workflow, pool);
    pin(workflow, pool);
    return workflow;
}
