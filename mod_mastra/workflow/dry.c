/* Runs that are only looked at: what they are at, and what they wait for. */

#include <string.h>

#include <apr_strings.h>

#include "owner.h"

mastra_workflow_run_t *mastra_dry_run(mastra_workflow_env_t *env,
                                      const mastra_flow_row_t *row,
                                      const char *graph, mastra_json_t *rows)
{
    mastra_held_t *held = mastra_held_of_graph(env, row->graph, graph);
    mastra_workflow_run_t *run;

    if (!held) {
        mastra_json_unref(rows);
        return NULL;
    }
    run = mastra_run_make(NULL, held, row,
                          mastra_json_ref(mastra_json_get(rows, "")), rows);
    mastra_run_walk(run);
    return run;
}

void mastra_dry_free(mastra_workflow_run_t *run)
{
    mastra_json_unref(run->begin);
    mastra_json_unref(run->rows);
    mastra_json_unref(run->usage);
    mastra_held_unref(run->held);
    apr_pool_destroy(run->pool);
}

/* ---- which steps are meant ---- */

/* The ids from the run down to the step. */
static mastra_json_t *path_of(const mastra_task_t *task)
{
    mastra_json_t *made = mastra_json_array();
    const mastra_scope_t *scope;

    mastra_json_append(made, mastra_json_string(task->node->id));
    for (scope = task->scope; scope->owner; scope = scope->owner->scope) {
        mastra_json_insert(made, 0,
                           mastra_json_string(scope->owner->node->id));
    }
    return made;
}

/* Which item of a foreach it belongs to, -1: of none. */
static apr_int64_t item_of(const mastra_task_t *task)
{
    for (; task; task = task->parent) {
        if (task->parent && task->parent->node
            && task->parent->node->type == MASTRA_NODE_FOREACH) {
            return task->index;
        }
    }
    return -1;
}

/* "a.b", ["a", "b"] */
static mastra_json_t *wanted_path(const mastra_json_t *step, apr_pool_t *pool)
{
    mastra_json_t *made = mastra_json_array();
    char *copy, *part, *state;

    if (mastra_json_is_array(step)) {
        mastra_json_extend(made, step);
        return made;
    }
    copy = apr_pstrdup(pool, mastra_json_str(step));
    for (part = apr_strtok(copy, ".", &state); part;
         part = apr_strtok(NULL, ".", &state)) {
        mastra_json_append(made, mastra_json_string(part));
    }
    return made;
}

static int begins_with(const mastra_json_t *path, const mastra_json_t *wanted)
{
    apr_size_t i, n = mastra_json_size(wanted);

    for (i = 0; i < n; i++) {
        if (!mastra_json_equal(mastra_json_at(path, i),
                               mastra_json_at(wanted, i))) {
            return 0;
        }
    }
    return n > 0;
}

static const char *label_of(const mastra_workflow_run_t *run,
                            const mastra_task_t *task)
{
    return mastra_json_get_str(
        mastra_json_get(mastra_json_get(run->rows, task->place), "waitsFor"),
        "label");
}

static mastra_result_t *none(const mastra_json_t *paths,
                             const mastra_json_t *wanted, apr_pool_t *pool)
{
    const char *all = "", *name = mastra_json_str(mastra_json_at(wanted, 0));
    mastra_json_t *seen = mastra_json_object();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(paths); i++) {
        const char *id = mastra_json_str(
            mastra_json_at(mastra_json_at(paths, i), 0));

        if (!mastra_json_get(seen, id)) {
            all = apr_pstrcat(pool, all, *all ? ", " : "", id, NULL);
            mastra_json_set_bool(seen, id, 1);
        }
    }
    mastra_json_unref(seen);
    return mastra_result_make(pool, 500, "STEP_NOT_SUSPENDED", "This workflow "
                              "step \"%s\" was not suspended. Available "
                              "suspended steps: [%s]", name ? name : "", all);
}

static const char *path_text(const mastra_json_t *path, apr_pool_t *pool)
{
    const char *made = "";
    apr_size_t i;

    for (i = 0; i < mastra_json_size(path); i++) {
        made = apr_pstrcat(pool, made, i ? ", " : "",
                           mastra_json_str(mastra_json_at(path, i)), NULL);
    }
    return apr_pstrcat(pool, "[", made, "]", NULL);
}

/* Nothing is said about which: there must be one only. */
static mastra_result_t *only_one(mastra_json_t *paths, mastra_json_t **pwanted,
                                 apr_pool_t *pool)
{
    const mastra_json_t *first = mastra_json_at(paths, 0);
    const char *all = "";
    int several = 0;
    apr_size_t i;

    for (i = 0; i < mastra_json_size(paths); i++) {
        const mastra_json_t *path = mastra_json_at(paths, i);

        several |= !mastra_json_equal(path, first);
        all = apr_pstrcat(pool, all, *all ? ", " : "", path_text(path, pool),
                          NULL);
    }
    if (!first) {
        return mastra_result_make(pool, 500, "STEP_NOT_SUSPENDED",
                                  "No suspended steps found in this workflow "
                                  "run");
    }
    if (several) {
        return mastra_result_make(pool, 500, "STEP_AMBIGUOUS", "Multiple "
                                  "suspended steps found: %s. Please specify "
                                  "which step to resume using the \"step\" "
                                  "parameter.", all);
    }
    *pwanted = mastra_json_copy(first);
    return NULL;
}

static mastra_json_t *all_paths(const mastra_workflow_run_t *run)
{
    mastra_json_t *made = mastra_json_array();
    int i;

    for (i = 0; i < run->suspended->nelts; i++) {
        mastra_json_append(made, path_of(
            APR_ARRAY_IDX(run->suspended, i, mastra_task_t *)));
    }
    return made;
}

apr_array_header_t *mastra_dry_targets(mastra_workflow_run_t *run,
                                       const mastra_json_t *body,
                                       mastra_result_t **perror,
                                       apr_pool_t *pool)
{
    apr_array_header_t *made = apr_array_make(pool, 4,
                                              sizeof(mastra_task_t *));
    mastra_json_t *step = mastra_json_get(body, "step"), *wanted = NULL;
    mastra_json_t *paths = mastra_json_own(all_paths(run), pool);
    const char *label = mastra_json_get_str(body, "label");
    apr_int64_t item = mastra_json_get_int(body, "forEachIndex", -1);
    int i;

    if (step && !label) {
        wanted = wanted_path(step, pool);
    }
    else if (!label) {
        *perror = only_one(paths, &wanted, pool);
    }
    mastra_json_own(wanted, pool);
    for (i = 0; i < run->suspended->nelts && !*perror; i++) {
        mastra_task_t *task = APR_ARRAY_IDX(run->suspended, i,
                                            mastra_task_t *);
        const char *its = label_of(run, task);

        if (label ? !its || strcmp(its, label)
                  : !begins_with(mastra_json_at(paths, (apr_size_t)i),
                                 wanted)) {
            continue;
        }
        if (item < 0 || item_of(task) == item) {
            APR_ARRAY_PUSH(made, mastra_task_t *) = task;
        }
    }
    if (!*perror && !made->nelts) {
        *perror = none(paths, label ? mastra_json_own(mastra_json_pack(
            "[s]", label), pool) : wanted, pool);
    }
    return *perror ? NULL : made;
}
