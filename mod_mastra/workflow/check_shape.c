/* What can be told of a definition without knowing what it names: steps that
 * have no name or the same, that stand where they cannot, that are missing. */

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "internal.h"

typedef struct {
    const mastra_json_t *definition;
    mastra_json_t *issues;
    apr_hash_t *ids;
    apr_pool_t *pool;
} shape_t;

void mastra_issue_add(mastra_json_t *issues, const char *code,
                      const char *path, const char *message)
{
    mastra_json_append(issues, mastra_json_pack("{s:s, s:s, s:s}", "code",
                                                code, "path", path,
                                                "message", message));
}

int mastra_entry_is(const mastra_json_t *entry, const char *type)
{
    const char *its = mastra_json_get_str(entry, "type");

    return its && !strcmp(its, type);
}

static void add(shape_t *s, const char *code, const char *path,
                const char *member, const char *message)
{
    mastra_issue_add(s->issues, code,
                     apr_pstrcat(s->pool, path, member, NULL), message);
}

static int is_branching(const mastra_json_t *entry)
{
    return mastra_entry_is(entry, "parallel")
           || mastra_entry_is(entry, "conditional");
}

/* Results are found by ids of steps, those of other entries are names. */
static void shape_id(shape_t *s, const mastra_json_t *entry, const char *path)
{
    const char *id = mastra_json_get_str(entry, "id");

    if (!id || !*id) {
        add(s, "missing-step-id", path, ".id", "Step id is required.");
        return;
    }
    if (apr_hash_get(s->ids, id, APR_HASH_KEY_STRING)) {
        add(s, "duplicate-step-id", path, ".id", apr_psprintf(
                s->pool, "Step id \"%s\" is duplicated.", id));
    }
    apr_hash_set(s->ids, id, APR_HASH_KEY_STRING, id);
}

static void shape_single(shape_t *s, const mastra_json_t *entry,
                         const char *path)
{
    const char *named = mastra_json_get_str(entry, "workflowId");
    const char *own = mastra_json_get_str(s->definition, "id");

    shape_id(s, entry, path);
    if (mastra_entry_is(entry, "workflow") && named && own
        && !strcmp(named, own)) {
        add(s, "self-reference", path, ".workflowId", apr_psprintf(
                s->pool, "Step \"%s\" declares { type: \"workflow\", "
                "workflowId: \"%s\" } which refers to itself. Nested workflow "
                "cycles are not allowed.", mastra_json_get_str(entry, "id"),
                named));
    }
}

static void shape_inner(shape_t *s, const mastra_json_t *entry,
                        const char *path)
{
    if (mastra_entry_is(entry, "mapping")) {
        add(s, "invalid-map-placement", path, "", "Persisted mapping steps "
            "must be top-level workflow entries.");
    }
    shape_single(s, entry, path);
}

static void shape_branches(shape_t *s, const mastra_json_t *entry,
                           const char *path)
{
    const mastra_json_t *steps = mastra_json_get(entry, "steps");
    const char *code = apr_pstrcat(s->pool, "invalid-",
                                   mastra_json_get_str(entry, "type"), NULL);
    apr_size_t i, n = mastra_json_size(steps);

    if (!n) {
        add(s, code, path, ".steps", apr_pstrcat(
                s->pool, mastra_json_get_str(entry, "type"),
                " steps cannot be empty.", NULL));
    }
    for (i = 0; i < n; i++) {
        shape_inner(s, mastra_json_at(steps, i),
                    apr_psprintf(s->pool, "%s.steps.%" APR_SIZE_T_FMT, path,
                                 i));
    }
}

static void shape_entry(shape_t *s, const mastra_json_t *entry,
                        const char *path)
{
    if (is_branching(entry)) {
        shape_branches(s, entry, path);
    }
    else if (mastra_json_get(entry, "step")) {
        shape_inner(s, mastra_json_get(entry, "step"),
                    apr_pstrcat(s->pool, path, ".step", NULL));
    }
    else {
        shape_single(s, entry, path);
    }
}

void mastra_workflow_shape(mastra_json_t *issues,
                           const mastra_json_t *definition, apr_pool_t *pool)
{
    shape_t s = { definition, issues, apr_hash_make(pool), pool };
    const mastra_json_t *graph = mastra_json_get(definition, "graph");
    apr_size_t i, n = mastra_json_size(graph);

    if (!n) {
        add(&s, "empty-graph", "graph", "", "Workflow graph must contain at "
            "least one step.");
    }
    for (i = 0; i < n; i++) {
        shape_entry(&s, mastra_json_at(graph, i),
                    apr_psprintf(pool, "graph.%" APR_SIZE_T_FMT, i));
    }
}
