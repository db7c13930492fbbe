/* Going back to a step: what came after it is dropped, what came before it
 * stays or is said anew. */

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "engine.h"

typedef struct {
    const mastra_json_t *rows, *body;
    mastra_json_t *begin, *changes;
    apr_pool_t *pool;
} travel_t;

/* ---- finding ---- */

static int has_id(const mastra_node_t *node, const char *id, int *pbranch)
{
    int i;

    *pbranch = -1;
    if (!node->nsteps) {
        return !strcmp(node->id, id);
    }
    for (i = 0; i < node->nsteps; i++) {
        if (!strcmp(node->steps[i]->id, id)) {
            *pbranch = i;
            return 1;
        }
    }
    return 0;
}

static int find_step(const mastra_workflow_t *workflow, const char *id,
                     int *pbranch)
{
    int i;

    for (i = 0; i < workflow->nnodes; i++) {
        if (has_id(workflow->nodes[i], id, pbranch)) {
            return i;
        }
    }
    return -1;
}

static const mastra_node_t *node_at(const mastra_workflow_t *workflow, int at,
                                    int branch)
{
    const mastra_node_t *node = workflow->nodes[at];

    return branch >= 0 ? node->steps[branch] : node;
}

/* ---- rows ---- */

/* 1: place is at, or below it. */
static int is_at(const char *place, const char *at)
{
    apr_size_t len = strlen(at);

    return !strncmp(place, at, len) && !apr_isdigit(place[len]);
}

/* What another branch of a parallel entry has come to stays. */
static int stays(const travel_t *t, const char *place, const char *entry,
                 const char *branch)
{
    const char *status = mastra_json_get_str(mastra_json_get(t->rows, place),
                                             "status");

    return branch && is_at(place, entry) && !is_at(place, branch) && status
           && !strcmp(status, "success");
}

/* All rows of a workflow from an entry on go. branch: the place of that one
 * alone in the entry; or NULL. */
static void drop_from(travel_t *t, const char *prefix, int from,
                      const char *branch)
{
    const char *entry = apr_psprintf(t->pool, "%s%d", prefix, from);
    apr_size_t len = strlen(prefix);
    void *at;

    for (at = mastra_json_iter(t->rows); at;
         at = mastra_json_next(t->rows, at)) {
        const char *place = mastra_json_key(at);

        if (*place && !strncmp(place, prefix, len)
            && atoi(place + len) >= from && !stays(t, place, entry, branch)) {
            mastra_json_set(t->changes, place, mastra_json_null());
        }
    }
}

static mastra_json_t *made_up(mastra_json_t *output)
{
    apr_int64_t now = mastra_text_now_ms();

    return mastra_json_pack("{s:I, s:s, s:O, s:I}", "startedAt", now, "status",
                            "success", "output", output, "endedAt", now);
}

/* What a step before the target came to: as the caller says, as it was, or
 * nothing, so that one which has failed is passed over. */
static void settle_step(travel_t *t, const mastra_node_t *node,
                        const char *place)
{
    const mastra_json_t *said = mastra_json_get(
        mastra_json_get(t->body, "context"), node->id);
    const mastra_json_t *row = mastra_json_get(t->rows, place);
    mastra_json_t *output = mastra_json_get(said, "output"), *none;
    const char *status = mastra_json_get_str(row, "status");

    if (output) {
        mastra_json_set(t->changes, place, made_up(output));
    }
    else if ((!status || strcmp(status, "success")) && node->type != MASTRA_NODE_WORKFLOW) {
        none = mastra_json_object();
        mastra_json_set(t->changes, place, made_up(none));
        mastra_json_unref(none);
    }
}

static void settle_before(travel_t *t, const mastra_workflow_t *workflow,
                          const char *prefix, int to)
{
    int i, j;

    for (i = 0; i < to; i++) {
        const mastra_node_t *node = workflow->nodes[i];
        const char *place = apr_psprintf(t->pool, "%s%d", prefix, i);

        if (!node->nsteps) {
            settle_step(t, node, place);
        }
        for (j = 0; node->type == MASTRA_NODE_PARALLEL && j < node->nsteps;
             j++) {
            settle_step(t, node->steps[j],
                        apr_psprintf(t->pool, "%s.%d", place, j));
        }
    }
}

/* The step is given this, and what came before it is shown as having said
 * it. */
static void give_input(travel_t *t, const mastra_workflow_t *workflow,
                       const char *prefix, int at, const char *place)
{
    mastra_json_t *input = mastra_json_get(t->body, "inputData"), *row;
    const char *before = apr_psprintf(t->pool, "%s%d", prefix, at - 1);

    mastra_json_set(t->begin, "inputs", mastra_json_object());
    if (!input) {
        return;
    }
    if (!at && !*prefix) {
        mastra_json_set(t->begin, "input", mastra_json_ref(input));
        return;
    }
    mastra_json_set(mastra_json_get(t->begin, "inputs"), place,
                    mastra_json_ref(input));
    if (at && !workflow->nodes[at - 1]->nsteps) {
        row = mastra_json_get(t->changes, before);
        row = row ? row : mastra_json_get(t->rows, before);
        row = row ? mastra_json_copy_flat(row) : made_up(input);
        mastra_json_set(row, "output", mastra_json_ref(input));
        mastra_json_set(t->changes, before, row);
    }
}

/* The branches that stay were given what they were given. */
static void keep_inputs(travel_t *t, const mastra_node_t *node, int at,
                        int branch, const mastra_json_t *snapshot)
{
    mastra_json_t *inputs = mastra_json_get(t->begin, "inputs");
    int i;

    for (i = 0; i < node->nsteps; i++) {
        mastra_json_t *payload = mastra_json_path(snapshot, "context",
                                                  node->steps[i]->id,
                                                  "payload", NULL);

        if (i != branch && payload) {
            mastra_json_set(inputs, apr_psprintf(t->pool, "%d.%d", at, i),
                            mastra_json_ref(payload));
        }
    }
}

static void give_answer(travel_t *t, const char *place)
{
    mastra_json_t *data = mastra_json_get(t->body, "resumeData");
    const mastra_json_t *row = mastra_json_get(t->rows, place);

    if (data) {
        mastra_json_set(t->changes, place, mastra_json_pack(
            "{s:s, s:I, s:O, s:I, s:O*}", "status", "resumed", "startedAt",
            mastra_text_now_ms(), "resumePayload", data, "resumedAt",
            mastra_text_now_ms(), "waitsFor", mastra_json_get(row,
                                                              "waitsFor")));
    }
}

/* ---- the plan ---- */

static const char *join(const char *all, const char *id, apr_pool_t *pool)
{
    return apr_pstrcat(pool, all, *all ? ", " : "", id, NULL);
}

static mastra_result_t *unknown_step(const char *id, const mastra_json_t *steps,
                                     apr_pool_t *pool)
{
    const char *all = "";
    void *at;

    for (at = mastra_json_iter(steps); at; at = mastra_json_next(steps, at)) {
        if (strcmp(mastra_json_key(at), "input")) {
            all = join(all, mastra_json_key(at), pool);
        }
    }
    return mastra_result_make(
        pool, 500, "STEP_UNKNOWN", "Cannot time travel to step '%s': the step "
        "does not exist in the current execution graph. The workflow "
        "definition has likely changed since the run was recorded (renamed "
        "step, or an unnamed .map() step whose generated id changed across "
        "processes). Steps recorded in the snapshot: %s. The stored snapshot "
        "has not been modified.", id, all);
}

/* Steps before the target that the run has never come to, and of which the
 * caller says nothing. */
static mastra_result_t *unrecorded(const char *id,
                                   const mastra_workflow_t *workflow, int to,
                                   const mastra_json_t *snapshot,
                                   const mastra_json_t *body, apr_pool_t *pool)
{
    const mastra_json_t *context = mastra_json_get(snapshot, "context");
    const mastra_json_t *said = mastra_json_get(body, "context");
    const char *gone = "", *there = "";
    void *at;
    int i;

    for (i = 0; i < to; i++) {
        const mastra_node_t *node = workflow->nodes[i];

        if (!node->nsteps && !mastra_json_get(context, node->id)
            && !mastra_json_get(said, node->id)) {
            gone = join(gone, node->id, pool);
        }
    }
    for (at = mastra_json_iter(context); at;
         at = mastra_json_next(context, at)) {
        if (strcmp(mastra_json_key(at), "input")) {
            there = join(there, mastra_json_key(at), pool);
        }
    }
    return !*gone ? NULL : mastra_result_make(
        pool, 500, "STEP_UNKNOWN", "Cannot time travel to step '%s': step(s) "
        "'%s' precede the target in the current execution graph but were not "
        "recorded in the snapshot. Either the workflow definition changed "
        "since the run was recorded (renamed steps, or unnamed .map() steps "
        "whose generated ids changed across processes), or the recorded run "
        "never reached these steps (it failed, was canceled, or was suspended "
        "before them). Steps recorded in the snapshot: %s. The stored "
        "snapshot has not been modified.", id, gone, there);
}

static mastra_json_t *names_of(const mastra_json_t *step, apr_pool_t *pool)
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

mastra_result_t *mastra_travel_plan(mastra_json_t *begin,
                                    mastra_json_t *changes,
                                    const mastra_workflow_t *workflow,
                                    const mastra_json_t *rows,
                                    const mastra_json_t *snapshot,
                                    const mastra_json_t *body,
                                    apr_pool_t *pool)
{
    travel_t t = { rows, body, begin, changes, pool };
    mastra_json_t *names = mastra_json_own(
        names_of(mastra_json_get(body, "step"), pool), pool);
    mastra_json_t *state = mastra_json_get(body, "initialState");
    mastra_json_t *order = mastra_json_get(snapshot, "stepExecutionPath");
    const char *prefix = "", *place = "";
    apr_size_t i;
    int at, branch, parallel;
    mastra_result_t *error;

    if (!mastra_json_size(names)) {
        return mastra_result_make(pool, 500, "STEP_UNKNOWN", "Step is required "
                                  "and must be a valid step or array of "
                                  "steps");
    }
    for (i = 0; i < mastra_json_size(names); i++) {
        const char *id = mastra_json_str(mastra_json_at(names, i));

        at = workflow && id ? find_step(workflow, id, &branch) : -1;
        if (at < 0) {
            return unknown_step(id ? id : "", mastra_json_get(snapshot,
                                                              "context"),
                                pool);
        }
        error = i ? NULL : unrecorded(id, workflow, at, snapshot, body, pool);
        if (error) {
            return error;
        }
        if (!i) {
            mastra_json_set_int(begin, "from", at);
        }
        parallel = workflow->nodes[at]->type == MASTRA_NODE_PARALLEL;
        place = parallel
                || workflow->nodes[at]->type == MASTRA_NODE_CONDITIONAL
                    ? apr_psprintf(pool, "%s%d.%d", prefix, at, branch)
                    : apr_psprintf(pool, "%s%d", prefix, at);
        settle_before(&t, workflow, prefix, at);
        if (i + 1 < mastra_json_size(names)) {
            drop_from(&t, prefix, at + 1, NULL);
            workflow = node_at(workflow, at, branch)->nested;
            prefix = apr_pstrcat(pool, place, "/", NULL);
        }
        else {
            drop_from(&t, prefix, at, parallel ? place : NULL);
            give_input(&t, workflow, prefix, at, place);
            if (parallel && !*prefix) {
                keep_inputs(&t, workflow->nodes[at], at, branch, snapshot);
            }
        }
    }
    give_answer(&t, place);
    if (state) {
        mastra_json_set(begin, "state", mastra_json_ref(state));
    }
    if (order) {
        mastra_json_set(begin, "order", mastra_json_copy(order));
    }
    mastra_json_del(begin, "refused");
    return NULL;
}
