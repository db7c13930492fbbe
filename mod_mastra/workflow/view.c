/* Runs as others see them: snapshots, results, and the API's views. */

#include <string.h>

#include <apr_strings.h>

#include "engine.h"

/* ---- the snapshot ---- */

static int has_status(const mastra_json_t *record, const char *status)
{
    const char *its = mastra_json_get_str(record, "status");

    return its && !strcmp(its, status);
}

/* The place of a node in the steps of a workflow: [at] or [at, branch]. */
static mastra_json_t *path_of(const mastra_workflow_t *workflow,
                              const char *id)
{
    int i, j;

    for (i = 0; i < workflow->nnodes; i++) {
        const mastra_node_t *node = workflow->nodes[i];
        int branches = node->type == MASTRA_NODE_PARALLEL
                       || node->type == MASTRA_NODE_CONDITIONAL;

        if (!node->nsteps && !strcmp(node->id, id)) {
            return mastra_json_pack("[i]", i);
        }
        for (j = 0; j < node->nsteps; j++) {
            if (!strcmp(node->steps[j]->id, id)) {
                return branches ? mastra_json_pack("[i, i]", i, j)
                                : mastra_json_pack("[i]", i);
            }
        }
    }
    return mastra_json_array();
}

/* Those with one of two states. */
static mastra_json_t *paths_with(const mastra_workflow_run_t *run,
                                 const char *status, const char *other)
{
    const mastra_json_t *results = run->scopes->results;
    mastra_json_t *made = mastra_json_object();
    void *at;

    for (at = mastra_json_iter(results); at;
         at = mastra_json_next(results, at)) {
        if (has_status(mastra_json_value(at), status)
            || has_status(mastra_json_value(at), other)) {
            mastra_json_set(made, mastra_json_key(at),
                            path_of(run->workflow, mastra_json_key(at)));
        }
    }
    return made;
}

/* Which steps there were, and what became of them. */
static void add_bare(mastra_json_t *made, const mastra_json_t *results)
{
    void *at;

    for (at = mastra_json_iter(results); at;
         at = mastra_json_next(results, at)) {
        const mastra_json_t *record = mastra_json_value(at);

        mastra_json_set(made, mastra_json_key(at), mastra_json_pack(
            "{s:s*, s:O*, s:O*}", "status",
            mastra_json_get_str(record, "status"), "startedAt",
            mastra_json_get(record, "startedAt"), "endedAt",
            mastra_json_get(record, "endedAt")));
    }
}

static mastra_json_t *context_of(const mastra_workflow_run_t *run)
{
    mastra_json_t *made = mastra_json_object();
    mastra_json_t *input = mastra_json_get(run->begin, "input");

    if (input) {
        mastra_json_set(made, "input", mastra_json_ref(input));
    }
    if (run->bare) {
        add_bare(made, run->scopes->results);
    }
    else {
        mastra_json_merge(made, run->scopes->results);
    }
    return made;
}

/* Steps of nested workflows by their whole names. */
static mastra_json_t *nested_of(const mastra_workflow_run_t *run)
{
    mastra_json_t *made = mastra_json_object();
    const mastra_scope_t *scope;
    void *at;

    for (scope = run->bare ? NULL : run->scopes->next; scope;
         scope = scope->next) {
        for (at = mastra_json_iter(scope->results); at;
             at = mastra_json_next(scope->results, at)) {
            mastra_json_set(made,
                            apr_pstrcat(run->pool, scope->prefix,
                                        mastra_json_key(at), NULL),
                            mastra_json_ref(mastra_json_value(at)));
        }
    }
    return made;
}

/* Rows of steps that wait may say under which label that is. */
static mastra_json_t *labels_of(const mastra_workflow_run_t *run)
{
    mastra_json_t *made = mastra_json_object();
    void *at;

    for (at = mastra_json_iter(run->rows); at;
         at = mastra_json_next(run->rows, at)) {
        const mastra_json_t *row = mastra_json_value(at);
        const char *label = mastra_json_get_str(
            mastra_json_get(row, "waitsFor"), "label");

        if (label && has_status(row, "suspended")) {
            mastra_json_set(made, label, mastra_json_pack(
                "{s:s*}", "stepId",
                mastra_json_get_str(mastra_json_get(row, "waitsFor"),
                                    "stepId")));
        }
    }
    return made;
}

static mastra_json_t *result_of(const mastra_workflow_run_t *run)
{
    return run->root->outcome == MASTRA_TASK_SUCCESS ? run->root->output
                                                     : NULL;
}

mastra_json_t *mastra_run_snapshot(mastra_workflow_run_t *run,
                                   const char *status)
{
    const char *trace = mastra_json_get_str(run->begin, "traceId");
    const char *span = mastra_json_get_str(run->begin, "spanId");
    mastra_json_t *context = mastra_json_get(run->begin, "requestContext");
    mastra_json_t *state = mastra_json_get(run->begin, "state");
    mastra_json_t *made = mastra_json_pack(
        "{s:s, s:s, s:o, s:o, s:[i], s:O, s:o, s:O, s:o, s:{}, s:o}", "runId",
        run->row.id, "status", status, "value",
        state ? mastra_json_ref(state) : mastra_json_object(), "context",
        context_of(run),
        "activePaths", run->root->at < run->workflow->nnodes
                           ? run->root->at : run->workflow->nnodes - 1,
        "stepExecutionPath", run->order, "activeStepsPath",
        strcmp(status, "canceled") ? paths_with(run, "running", "waiting")
                                   : mastra_json_object(),
        "serializedStepGraph", run->workflow->graph, "suspendedPaths",
        paths_with(run, "suspended", "suspended"), "waitingPaths",
        "resumeLabels", labels_of(run));
    mastra_json_t *nested = nested_of(run);

    if (!strcmp(status, "success")) {
        mastra_json_set(made, "result", mastra_json_ref(result_of(run)));
    }
    if (!strcmp(status, "failed")) {
        mastra_json_set(made, "error", mastra_json_ref(run->root->error));
    }
    mastra_json_set(made, "requestContext", context ? mastra_json_ref(context)
                                                    : mastra_json_object());
    mastra_json_set_int(made, "timestamp", mastra_text_now_ms());
    if (!strcmp(status, "suspended") || !strcmp(status, "failed")) {
        mastra_json_set(made, "tracingContext",
                        mastra_json_pack("{s:s*, s:s*}", "traceId", trace,
                                         "spanId", span));
    }
    if (mastra_json_size(nested)) {
        mastra_json_set(made, "nestedSteps", mastra_json_ref(nested));
    }
    mastra_json_unref(nested);
    return made;
}

mastra_json_t *mastra_snapshot_first(const mastra_workflow_t *workflow,
                                     const char *run_id,
                                     const mastra_json_t *begin,
                                     const char *status)
{
    mastra_json_t *context = mastra_json_get(begin, "requestContext");
    mastra_json_t *made = mastra_json_pack(
        "{s:s, s:s, s:{}, s:{}, s:[], s:[], s:{}, s:O, s:{}, s:{}, s:{}, s:O*, "
        "s:I}", "runId", run_id, "status", status, "value", "context",
        "activePaths", "stepExecutionPath", "activeStepsPath",
        "serializedStepGraph", workflow->graph, "suspendedPaths",
        "waitingPaths", "resumeLabels", "requestContext", context,
        "timestamp", mastra_text_now_ms());
    mastra_json_t *input = mastra_json_get(begin, "input");

    if (!strcmp(status, "pending")) {
        mastra_json_del(made, "stepExecutionPath");
    }
    if (input) {
        mastra_json_set(mastra_json_get(made, "context"), "input",
                        mastra_json_ref(input));
    }
    return made;
}

/* ---- results ---- */

/* Where each step stands in the path for the last time; new reference. */
static mastra_json_t *last_places(const mastra_json_t *order)
{
    mastra_json_t *made = mastra_json_object();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(order); i++) {
        mastra_json_set_int(made, mastra_json_str(mastra_json_at(order, i)),
                            (apr_int64_t)i);
    }
    return made;
}

/* A payload that repeats what came before it is left out. */
static mastra_json_t *short_steps(const mastra_json_t *snapshot)
{
    mastra_json_t *steps = mastra_json_copy_flat(mastra_json_get(snapshot,
                                                                 "context"));
    const mastra_json_t *order = mastra_json_get(snapshot,
                                                 "stepExecutionPath");
    const mastra_json_t *before = mastra_json_get(steps, "input");
    mastra_json_t *last = last_places(order);
    apr_size_t i;

    for (i = 0; i < mastra_json_size(order); i++) {
        const char *id = mastra_json_str(mastra_json_at(order, i));
        mastra_json_t *step = mastra_json_get(steps, id);
        const mastra_json_t *payload = mastra_json_get(step, "payload");

        if (payload && before
            && mastra_json_get_int(last, id, -1) == (apr_int64_t)i
            && (payload == before || mastra_json_equal(payload, before))) {
            step = mastra_json_copy_flat(step);
            mastra_json_del(step, "payload");
            mastra_json_set(steps, id, step);
        }
        if (has_status(step, "success")) {
            before = mastra_json_get(step, "output");
        }
    }
    mastra_json_unref(last);
    return steps;
}

static void add_suspended_at(mastra_json_t *paths, mastra_json_t *payloads,
                             const mastra_json_t *step, const char *id)
{
    mastra_json_t *payload = mastra_json_get(step, "suspendPayload");
    mastra_json_t *path = mastra_json_pack("[s]", id);

    mastra_json_extend(path, mastra_json_path(payload, "__workflow_meta",
                                              "path", NULL));
    mastra_json_append(paths, path);
    payload = mastra_json_is_object(payload) ? mastra_json_copy_flat(payload)
                                             : mastra_json_ref(payload);
    if (mastra_json_is_object(payload)) {
        mastra_json_del(payload, "__workflow_meta");
    }
    mastra_json_set(payloads, id, payload);
}

static apr_int64_t branch_of(const mastra_json_t *places, const char *id)
{
    return mastra_json_int(mastra_json_at(mastra_json_get(places, id), 1));
}

/* Those wait that belong to one entry: they stand in the order of its
 * branches, whichever was there first. */
static void add_suspended(mastra_json_t *made, const mastra_json_t *snapshot)
{
    const mastra_json_t *context = mastra_json_get(snapshot, "context");
    const mastra_json_t *places = mastra_json_get(snapshot, "suspendedPaths");
    mastra_json_t *paths = mastra_json_array(), *payloads = mastra_json_object();
    apr_int64_t branch, last = 0;
    void *at;

    for (at = mastra_json_iter(places); at; at = mastra_json_next(places, at)) {
        branch = branch_of(places, mastra_json_key(at));
        last = branch > last ? branch : last;
    }
    for (branch = 0; branch <= last; branch++) {
        for (at = mastra_json_iter(places); at;
             at = mastra_json_next(places, at)) {
            const char *id = mastra_json_key(at);

            if (branch_of(places, id) == branch) {
                add_suspended_at(paths, payloads,
                                 mastra_json_get(context, id), id);
            }
        }
    }
    mastra_json_set(made, "suspended", paths);
    mastra_json_set(made, "suspendPayload", payloads);
}

mastra_json_t *mastra_snapshot_result(const mastra_json_t *snapshot,
                                      const mastra_json_t *begin,
                                      const char *run_id)
{
    const mastra_json_t *options = mastra_json_get(begin, "outputOptions");
    mastra_json_t *made = mastra_json_pack(
        "{s:O*, s:o, s:O*, s:O*}", "status",
        mastra_json_get(snapshot, "status"), "steps", short_steps(snapshot),
        "input", mastra_json_path(snapshot, "context", "input", NULL),
        "stepExecutionPath", mastra_json_get(snapshot, "stepExecutionPath"));

    if (has_status(snapshot, "success")) {
        mastra_json_set(made, "result",
                        mastra_json_ref(mastra_json_get(snapshot, "result")));
    }
    if (has_status(snapshot, "failed")) {
        mastra_json_set(made, "error",
                        mastra_json_ref(mastra_json_get(snapshot, "error")));
    }
    if (has_status(snapshot, "suspended")) {
        add_suspended(made, snapshot);
        if (mastra_json_get_bool(options, "includeResumeLabels", 0)
            && mastra_json_size(mastra_json_get(snapshot, "resumeLabels"))) {
            mastra_json_set(made, "resumeLabels", mastra_json_ref(
                mastra_json_get(snapshot, "resumeLabels")));
        }
    }
    if (mastra_json_get_bool(options, "includeState", 0)) {
        mastra_json_t *state = mastra_json_get(begin, "state");

        mastra_json_set(made, "state", state ? mastra_json_ref(state)
                                             : mastra_json_object());
    }
    if (mastra_json_get_bool(begin, "old", 0)) {
        mastra_json_set(made, "results",
                        mastra_json_ref(mastra_json_get(made, "steps")));
    }
    mastra_json_set_str(made, "runId", run_id);
    mastra_json_set_str(made, "traceId", mastra_json_get_str(begin,
                                                             "traceId"));
    mastra_json_set_str(made, "spanId", mastra_json_get_str(begin, "spanId"));
    return made;
}

/* ---- views ---- */

static int is_wanted(const char *fields, const char *name)
{
    apr_size_t len = strlen(name);
    const char *at;

    for (at = fields; at && (at = strstr(at, name)) != NULL; at += len) {
        if ((at == fields || at[-1] == ',')
            && (!at[len] || at[len] == ',')) {
            return 1;
        }
    }
    return !fields;
}

static void add(mastra_json_t *made, const char *fields, const char *name,
                mastra_json_t *value)
{
    if (is_wanted(fields, name)) {
        mastra_json_set(made, name, value);
    }
    else {
        mastra_json_unref(value);
    }
}

static mastra_json_t *steps_view(const mastra_json_t *snapshot, int nested)
{
    mastra_json_t *made = mastra_json_object();
    const mastra_json_t *inner = mastra_json_get(snapshot, "nestedSteps");

    mastra_json_merge(made, mastra_json_get(snapshot, "context"));
    mastra_json_del(made, "input");
    if (nested && inner) {
        mastra_json_merge(made, inner);
    }
    return made;
}

static mastra_json_t *member(const mastra_json_t *snapshot, const char *name)
{
    return mastra_json_ref(mastra_json_get(snapshot, name));
}

mastra_json_t *mastra_snapshot_view(const mastra_flow_row_t *row,
                                    const mastra_json_t *snapshot,
                                    const char *fields, int nested)
{
    mastra_json_t *made = mastra_json_pack(
        "{s:s, s:s, s:o, s:s, s:s, s:s}", "runId", row->id, "workflowName",
        row->workflow, "resourceId", mastra_json_string(row->resource_id),
        "createdAt", row->created, "updatedAt", row->updated, "status",
        mastra_json_get_str(snapshot, "status"));

    add(made, fields, "result", member(snapshot, "result"));
    add(made, fields, "error", member(snapshot, "error"));
    add(made, fields, "payload", mastra_json_ref(
        mastra_json_path(snapshot, "context", "input", NULL)));
    add(made, fields, "steps", steps_view(snapshot, nested));
    add(made, fields, "activeStepsPath", member(snapshot, "activeStepsPath"));
    add(made, fields, "serializedStepGraph",
        member(snapshot, "serializedStepGraph"));
    if (!fields) {
        mastra_json_set(made, "suspendedPaths",
                        member(snapshot, "suspendedPaths"));
        mastra_json_set(made, "resumeLabels",
                        member(snapshot, "resumeLabels"));
        mastra_json_set(made, "waitingPaths",
                        member(snapshot, "waitingPaths"));
    }
    return made;
}
