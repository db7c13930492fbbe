/* The walk of a run over its graph: which step comes when, and what is made of
 * what steps come to. */

#include <string.h>

#include <apr_strings.h>

#include "engine.h"

static void task_run(mastra_task_t *task);

/* ---- small things ---- */

mastra_json_t *mastra_error_make(const char *message)
{
    return mastra_json_pack("{s:s, s:s}", "message", message, "name", "Error");
}

apr_int64_t mastra_run_stamp(const mastra_workflow_run_t *run)
{
    return run->going ? mastra_text_now_ms() : run->clock;
}

const char *mastra_task_name(const mastra_task_t *task)
{
    return apr_pstrcat(task->run->pool, task->scope->prefix, task->node->id,
                       NULL);
}

mastra_sight_t mastra_task_sight(const mastra_task_t *task)
{
    mastra_sight_t sight = {
        .init = task->scope->init, .input = task->input,
        .state = mastra_json_get(task->run->begin, "state"),
        .context = mastra_json_get(task->run->begin, "requestContext"),
        .results = task->scope->results
    };

    return sight;
}

void mastra_task_ready(mastra_task_t *task)
{
    mastra_workflow_run_t *run = task->run;

    if (task->in_line) {
        return;
    }
    task->in_line = 1;
    if (!run->ready) {
        run->ready_end = &run->ready;
    }
    task->next = NULL;
    *run->ready_end = task;
    run->ready_end = &task->next;
}

static mastra_task_t *make_task(mastra_task_t *parent, mastra_scope_t *scope,
                                const mastra_node_t *node, const char *place,
                                int index, mastra_json_t *input)
{
    mastra_workflow_run_t *run = parent->run;
    mastra_task_t *task = apr_pcalloc(run->pool, sizeof(*task));
    mastra_json_t *instead = mastra_json_get(
        mastra_json_get(run->begin, "inputs"), place);

    task->run = run;
    task->late = ++run->ntasks > MASTRA_WORKFLOW_MAX_TASKS;
    task->scope = scope;
    task->node = node;
    task->parent = parent;
    task->place = place;
    task->index = index;
    task->input = mastra_json_own(mastra_json_ref(instead ? instead : input),
                                  run->pool);
    mastra_task_ready(task);
    return task;
}

static mastra_scope_t *make_scope(mastra_workflow_run_t *run,
                                  const mastra_workflow_t *workflow,
                                  mastra_json_t *init, const char *prefix,
                                  const char *place, mastra_task_t *owner)
{
    mastra_scope_t *scope = apr_pcalloc(run->pool, sizeof(*scope));

    scope->workflow = workflow;
    scope->init = init;
    scope->results = mastra_json_own(mastra_json_object(), run->pool);
    scope->prefix = prefix;
    scope->place = place;
    scope->owner = owner;
    *run->scopes_end = scope;
    run->scopes_end = &scope->next;
    return scope;
}

/* ---- ends ---- */

static void child_over(mastra_task_t *parent, mastra_task_t *child);

static void note_record(mastra_task_t *task)
{
    if (task->node && !task->node->nsteps && task->record) {
        mastra_json_set(task->scope->results, task->node->id,
                        mastra_json_ref(task->record));
    }
}

void mastra_task_end(mastra_task_t *task, mastra_outcome_e outcome,
                     mastra_json_t *record, mastra_json_t *output,
                     mastra_json_t *error)
{
    apr_pool_t *pool = task->run->pool;

    task->outcome = outcome;
    task->record = mastra_json_own(record, pool);
    task->output = mastra_json_own(output, pool);
    task->error = mastra_json_own(error, pool);
    if (!task->parent || task->parent->node == NULL
        || task->parent->node->type != MASTRA_NODE_FOREACH) {
        note_record(task);
    }
    if (task->parent) {
        child_over(task->parent, task);
    }
}

/* ---- the steps of a workflow, one after the other ---- */

/* Which steps stand in stepExecutionPath. */
static void note_order(mastra_task_t *flow, const mastra_node_t *node)
{
    mastra_workflow_run_t *run = flow->run;

    if (flow->parent || node->nsteps
        || node->type == MASTRA_NODE_PARALLEL
        || node->type == MASTRA_NODE_CONDITIONAL
        || flow->at < mastra_json_get_int(run->begin, "from", 0)) {
        return;
    }
    mastra_json_append(run->order, mastra_json_string(node->id));
}

static void flow_end(mastra_task_t *flow)
{
    const mastra_schema_t *schema = flow->scope->workflow->output;
    mastra_json_t *error = mastra_step_invalid(
        schema, flow->output, "Invalid output data",
        "WORKFLOW_SCHEMA_VALIDATION_FAILED", flow->run->pool);

    mastra_task_end(flow, error ? MASTRA_TASK_FAILED : MASTRA_TASK_SUCCESS,
                    NULL, mastra_json_ref(flow->output), error);
}

static void flow_run(mastra_task_t *flow)
{
    const mastra_workflow_t *workflow = flow->scope->workflow;
    const mastra_node_t *node;

    if (flow->at == workflow->nnodes) {
        flow_end(flow);
        return;
    }
    node = workflow->nodes[flow->at];
    note_order(flow, node);
    make_task(flow, flow->scope, node,
              apr_psprintf(flow->run->pool, "%s%d", flow->scope->place,
                           flow->at), 0, flow->output);
}

static void flow_child(mastra_task_t *flow, mastra_task_t *child)
{
    if (child->outcome != MASTRA_TASK_SUCCESS) {
        mastra_task_end(flow, child->outcome, NULL, NULL,
                        mastra_json_ref(child->error));
        return;
    }
    flow->output = child->output;
    flow->at++;
    if (!flow->parent && !child->replayed
        && mastra_json_get_bool(flow->run->begin, "perStep", 0)
        && flow->at < flow->scope->workflow->nnodes) {
        mastra_task_end(flow, MASTRA_TASK_PAUSED, NULL, NULL, NULL);
        return;
    }
    mastra_task_ready(flow);
}

/* ---- a workflow as a step ---- */

static void nested_run(mastra_task_t *task)
{
    const mastra_workflow_t *workflow = task->node->nested;
    apr_pool_t *pool = task->run->pool;
    mastra_json_t *error;
    mastra_scope_t *scope;
    mastra_task_t *flow;

    task->started_at = mastra_run_stamp(task->run);
    error = mastra_step_invalid(workflow->input, task->input,
                                "Step input validation failed",
                                "WORKFLOW_STEP_INPUT_VALIDATION_FAILED", pool);
    scope = make_scope(task->run, workflow, task->input,
                       apr_pstrcat(pool, task->scope->prefix, task->node->id,
                                   ".", NULL),
                       apr_pstrcat(pool, task->place, "/", NULL), task);
    flow = make_task(task, scope, NULL, scope->place, 0, task->input);
    flow->output = flow->input;
    if (error) {
        /* nothing of it is begun */
        flow->at = workflow->nnodes;
        mastra_task_end(flow, MASTRA_TASK_FAILED, NULL, NULL, error);
    }
}

static const char *status_name(mastra_outcome_e outcome)
{
    return outcome == MASTRA_TASK_SUCCESS ? "success"
           : outcome == MASTRA_TASK_FAILED ? "failed"
           : outcome == MASTRA_TASK_PAUSED ? "paused" : "suspended";
}

static mastra_json_t *record_of(mastra_task_t *task, mastra_outcome_e outcome,
                                const mastra_json_t *output,
                                const mastra_json_t *error)
{
    mastra_json_t *made = mastra_json_pack("{s:O, s:I, s:s}", "payload",
                                           task->input, "startedAt",
                                           task->started_at, "status",
                                           status_name(outcome));

    if (outcome == MASTRA_TASK_SUCCESS) {
        mastra_json_set(made, "output",
                        mastra_json_ref((mastra_json_t *)output));
    }
    if (outcome == MASTRA_TASK_FAILED) {
        mastra_json_set(made, "error",
                        mastra_json_ref((mastra_json_t *)error));
    }
    if (outcome != MASTRA_TASK_SUSPENDED) {
        mastra_json_set_int(made, "endedAt", mastra_run_stamp(task->run));
    }
    return made;
}

static void note_resumed(mastra_task_t *task, const mastra_json_t *record)
{
    apr_int64_t at = mastra_json_get_int(record, "resumedAt", 0);

    if (at && at >= mastra_json_get_int(task->resumed, "resumedAt", 0)) {
        task->resumed = record;
    }
}

/* What contains a step that was resumed shows with what. */
static void lift_resumed(const mastra_task_t *task, mastra_json_t *record)
{
    mastra_json_t *payload = mastra_json_get(task->resumed, "resumePayload");

    if (payload) {
        mastra_json_set(record, "resumePayload", mastra_json_ref(payload));
        mastra_json_set_int(record, "resumedAt",
                            mastra_json_get_int(task->resumed, "resumedAt",
                                                0));
    }
}

/* The first step in scope that waits, with its path below. */
static mastra_json_t *find_suspended(const mastra_json_t *results,
                                     const char **pid)
{
    void *at;

    for (at = mastra_json_iter(results); at;
         at = mastra_json_next(results, at)) {
        const char *status = mastra_json_get_str(mastra_json_value(at),
                                                 "status");

        if (status && !strcmp(status, "suspended")) {
            *pid = mastra_json_key(at);
            return mastra_json_value(at);
        }
    }
    return NULL;
}

/* What a step below waits for, and where that is. */
static void lift_suspension(mastra_task_t *task, mastra_json_t *record,
                            const mastra_json_t *results)
{
    const char *id = NULL;
    mastra_json_t *inner = find_suspended(results, &id);
    mastra_json_t *payload = mastra_json_get(inner, "suspendPayload");
    mastra_json_t *below = mastra_json_path(payload, "__workflow_meta", "path",
                                            NULL);
    mastra_json_t *path;

    if (!inner) {
        return;
    }
    path = mastra_json_pack("[s]", id);
    mastra_json_extend(path, below);
    payload = mastra_json_is_object(payload) ? mastra_json_copy_flat(payload)
                                             : mastra_json_object();
    mastra_json_set(payload, "__workflow_meta",
                    mastra_json_pack("{s:s, s:o}", "runId", task->run->row.id,
                                     "path", path));
    mastra_json_set(record, "suspendPayload", payload);
    mastra_json_set_int(record, "suspendedAt",
                        mastra_json_get_int(inner, "suspendedAt", 0));
}

static void nested_child(mastra_task_t *task, mastra_task_t *flow)
{
    mastra_json_t *record = record_of(task, flow->outcome, flow->output,
                                      flow->error);
    void *at;

    for (at = mastra_json_iter(flow->scope->results); at;
         at = mastra_json_next(flow->scope->results, at)) {
        note_resumed(task, mastra_json_value(at));
    }
    lift_resumed(task, record);
    if (flow->outcome == MASTRA_TASK_SUSPENDED) {
        lift_suspension(task, record, flow->scope->results);
    }
    if (task->announced) {
        mastra_say_result(task, record);
    }
    mastra_task_end(task, flow->outcome, record, mastra_json_ref(flow->output),
                    mastra_json_ref(flow->error));
}

/* ---- branches ---- */

static void branches_run(mastra_task_t *task)
{
    const mastra_node_t *node = task->node;
    mastra_sight_t sight = mastra_task_sight(task);
    int i;

    task->outputs = mastra_json_own(mastra_json_object(), task->run->pool);
    for (i = 0; i < node->nsteps; i++) {
        if (node->type == MASTRA_NODE_CONDITIONAL
            && !mastra_predicate_holds(
                mastra_json_at(node->predicates, (apr_size_t)i), &sight)) {
            continue;
        }
        task->open++;
        make_task(task, task->scope, node->steps[i],
                  apr_psprintf(task->run->pool, "%s.%d", task->place, i), i,
                  task->input);
    }
    if (!task->open) {
        mastra_task_end(task, MASTRA_TASK_SUCCESS, NULL, mastra_json_object(),
                        NULL);
    }
}

/* The outcome of several: the worst, with the first error. */
static void take_outcome(mastra_task_t *task, const mastra_task_t *child)
{
    if (child->outcome == MASTRA_TASK_FAILED && !task->error) {
        task->error = child->error;
    }
    if (child->outcome == MASTRA_TASK_SUSPENDED) {
        task->stopped = 1;
    }
}

static mastra_outcome_e joint_outcome(const mastra_task_t *task)
{
    return task->error ? MASTRA_TASK_FAILED
           : task->stopped ? MASTRA_TASK_SUSPENDED : MASTRA_TASK_SUCCESS;
}

/* Outputs stand in the order of the branches, whoever was first. */
static mastra_json_t *in_order(const mastra_node_t *node,
                               const mastra_json_t *outputs)
{
    mastra_json_t *made = mastra_json_object();
    int i;

    for (i = 0; i < node->nsteps; i++) {
        mastra_json_set(made, node->steps[i]->id, mastra_json_ref(
            mastra_json_get(outputs, node->steps[i]->id)));
    }
    return made;
}

static void branches_child(mastra_task_t *task, mastra_task_t *child)
{
    take_outcome(task, child);
    if (child->outcome == MASTRA_TASK_SUCCESS) {
        mastra_json_set(task->outputs, child->node->id,
                        mastra_json_ref(child->output));
    }
    task->replayed = (task->completed++ == 0 || task->replayed)
                     && child->replayed;
    if (--task->open == 0) {
        mastra_task_end(task, joint_outcome(task), NULL,
                        in_order(task->node, task->outputs),
                        mastra_json_ref(task->error));
    }
}

/* ---- one step for each item ---- */

static void foreach_end(mastra_task_t *task)
{
    mastra_outcome_e outcome = joint_outcome(task);
    mastra_json_t *record = record_of(task, outcome, task->outputs,
                                      task->error);

    lift_resumed(task, record);
    if (outcome == MASTRA_TASK_SUSPENDED) {
        mastra_json_merge(record, task->resume);
        mastra_json_set(mastra_json_path(record, "suspendPayload",
                                         "__workflow_meta", NULL),
                        "foreachOutput", mastra_json_ref(task->items));
    }
    if (task->announced) {
        mastra_say_result(task, record);
    }
    /* it is the result of the step that repeats */
    mastra_json_set(task->scope->results, task->node->steps[0]->id,
                    mastra_json_ref(record));
    mastra_task_end(task, outcome, record, mastra_json_ref(task->outputs),
                    mastra_json_ref(task->error));
}

static void foreach_more(mastra_task_t *task)
{
    apr_size_t n = mastra_json_size(task->input);

    while (task->open < task->node->concurrency && (apr_size_t)task->at < n
           && !task->error && !task->completed) {
        task->open++;
        make_task(task, task->scope, task->node->steps[0],
                  apr_psprintf(task->run->pool, "%s#%d", task->place,
                               task->at), task->at,
                  mastra_json_at(task->input, (apr_size_t)task->at));
        task->at++;
    }
    if (!task->open) {
        foreach_end(task);
    }
}

static void foreach_run(mastra_task_t *task)
{
    apr_size_t i, n = mastra_json_size(task->input);

    if (!task->begun) {
        task->begun = 1;
        task->started_at = mastra_run_stamp(task->run);
        task->replayed = 1;
        task->outputs = mastra_json_own(mastra_json_array(), task->run->pool);
        for (i = 0; i < n && n <= MASTRA_WORKFLOW_MAX_ITEMS; i++) {
            mastra_json_append(task->outputs, mastra_json_null());
        }
        task->items = mastra_json_own(mastra_json_copy_flat(task->outputs),
                                      task->run->pool);
        if (!mastra_json_is_array(task->input)
            || n > MASTRA_WORKFLOW_MAX_ITEMS) {
            task->error = mastra_json_own(mastra_error_make(
                n > MASTRA_WORKFLOW_MAX_ITEMS
                    ? "A foreach step was given more than 10000 items"
                    : "A foreach step needs an array as its input"),
                task->run->pool);
        }
    }
    foreach_more(task);
}

/* Where the first item waits that does: what it waits for. */
static void note_waiting(mastra_task_t *task, const mastra_task_t *child)
{
    mastra_json_t *payload = mastra_json_get(child->record, "suspendPayload");
    mastra_json_t *meta;

    if (task->resume) {
        return;
    }
    payload = mastra_json_is_object(payload) ? mastra_json_copy_flat(payload)
                                             : mastra_json_object();
    meta = mastra_json_get(payload, "__workflow_meta");
    meta = meta ? mastra_json_copy_flat(meta) : mastra_json_object();
    mastra_json_set_int(meta, "foreachIndex", child->index);
    mastra_json_set(meta, "resumeLabels", mastra_json_object());
    mastra_json_set(payload, "__workflow_meta", meta);
    task->resume = mastra_json_own(mastra_json_pack(
        "{s:o, s:I}", "suspendPayload", payload, "suspendedAt",
        mastra_json_get_int(child->record, "suspendedAt", 0)),
        task->run->pool);
}

/* What waited before does not keep later items from beginning, what waits
 * now does: as after a resume the rest is taken up. */
static void foreach_child(mastra_task_t *task, mastra_task_t *child)
{
    take_outcome(task, child);
    task->open--;
    task->replayed &= child->replayed;
    if (child->outcome == MASTRA_TASK_SUCCESS) {
        task->done++;
        mastra_json_put_at(task->outputs, (apr_size_t)child->index,
                           mastra_json_ref(child->output));
    }
    note_resumed(task, child->record);
    mastra_json_put_at(task->items, (apr_size_t)child->index,
                       child->record ? mastra_json_ref(child->record)
                                     : mastra_json_null());
    if (child->outcome == MASTRA_TASK_SUSPENDED) {
        note_waiting(task, child);
        task->completed |= !child->replayed;
    }
    if (!child->replayed) {
        mastra_say_progress(task, child);
    }
    mastra_task_ready(task);
}

/* ---- one step again and again ---- */

static void loop_begin(mastra_task_t *task, mastra_json_t *input)
{
    task->at++;
    make_task(task, task->scope, task->node->steps[0],
              apr_psprintf(task->run->pool, "%s@%d", task->place, task->at),
              task->at, input);
}

static void loop_child(mastra_task_t *task, mastra_task_t *child)
{
    mastra_sight_t sight = mastra_task_sight(task);
    int holds;

    task->replayed = child->replayed;
    if (child->record) {
        mastra_json_t *record = mastra_json_copy_flat(child->record);

        mastra_json_set(record, "metadata", mastra_json_pack(
            "{s:i}", "iterationCount", task->at));
        note_resumed(task, child->record);
        if (child->outcome == MASTRA_TASK_SUSPENDED) {
            /* with what the round before it was resumed */
            lift_resumed(task, record);
        }
        mastra_json_set(task->scope->results, child->node->id, record);
    }
    if (child->outcome != MASTRA_TASK_SUCCESS) {
        mastra_task_end(task, child->outcome, NULL, NULL,
                        mastra_json_ref(child->error));
        return;
    }
    sight.input = child->output;
    holds = mastra_predicate_holds(task->node->predicates, &sight);
    if (holds == task->node->until) {
        mastra_task_end(task, MASTRA_TASK_SUCCESS, NULL,
                        mastra_json_ref(child->output), NULL);
    }
    else if (task->at >= MASTRA_WORKFLOW_MAX_ROUNDS) {
        mastra_task_end(task, MASTRA_TASK_FAILED, NULL, NULL,
                        mastra_error_make("A loop has gone round 10000 times "
                                          "without an end"));
    }
    else {
        loop_begin(task, child->output);
    }
}

/* ---- all of them ---- */

static void child_over(mastra_task_t *parent, mastra_task_t *child)
{
    if (!parent->node) {
        flow_child(parent, child);
        return;
    }
    switch (parent->node->type) {
    case MASTRA_NODE_WORKFLOW:
        parent->replayed = child->replayed;
        nested_child(parent, child);
        break;
    case MASTRA_NODE_FOREACH:
        foreach_child(parent, child);
        break;
    case MASTRA_NODE_LOOP:
        loop_child(parent, child);
        break;
    default:
        branches_child(parent, child);
        break;
    }
}

static void task_run(mastra_task_t *task)
{
    if (task->late) {
        if (task->outcome == MASTRA_TASK_OPEN) {
            mastra_task_end(task, MASTRA_TASK_FAILED, NULL, NULL,
                            mastra_error_make("The run has more than 50000 "
                                              "steps"));
        }
        return;
    }
    if (!task->node) {
        if (task->outcome == MASTRA_TASK_OPEN) {
            flow_run(task);
        }
        return;
    }
    switch (task->node->type) {
    case MASTRA_NODE_WORKFLOW:
        nested_run(task);
        break;
    case MASTRA_NODE_PARALLEL:
    case MASTRA_NODE_CONDITIONAL:
        branches_run(task);
        break;
    case MASTRA_NODE_FOREACH:
        foreach_run(task);
        break;
    case MASTRA_NODE_LOOP:
        loop_begin(task, task->input);
        break;
    default:
        mastra_step_begin(task);
        break;
    }
}

static const char *end_status(const mastra_task_t *root)
{
    return root->outcome == MASTRA_TASK_OPEN ? NULL
                                             : status_name(root->outcome);
}

/* Nothing is done now, and nothing is on its way to storage. */
static int is_idle(const mastra_workflow_run_t *run)
{
    return !run->live && !run->batch && !run->inside && !run->writes->nelts;
}

void mastra_run_pump(mastra_workflow_run_t *run)
{
    mastra_task_t *task;

    if (run->pumping || run->over) {
        return;
    }
    run->pumping = 1;
    while ((task = run->ready) != NULL) {
        run->ready = task->next;
        task->in_line = 0;
        task_run(task);
    }
    run->pumping = 0;
    if (!run->env) {
        return;
    }
    run->status = end_status(run->root);
    if (run->status && !run->live && !run->batch && !run->inside) {
        mastra_commit_end(run, run->status);
    }
    else if (!run->status && run->sleeping && is_idle(run)) {
        mastra_commit_end(run, "waiting");
    }
    else {
        mastra_commit_flush(run);
    }
}

void mastra_run_walk(mastra_workflow_run_t *run)
{
    mastra_task_t *root = apr_pcalloc(run->pool, sizeof(*root));
    mastra_json_t *input = mastra_json_get(run->begin, "input");
    mastra_json_t *order = mastra_json_get(run->begin, "order");

    run->scopes = NULL;
    run->scopes_end = &run->scopes;
    run->order = mastra_json_own(order ? mastra_json_copy(order)
                                       : mastra_json_array(), run->pool);
    run->clock = mastra_json_get_int(run->begin, "startedAt", 0);
    root->run = run;
    root->place = "";
    root->scope = make_scope(run, run->workflow, input, "", "", NULL);
    root->input = root->output = input ? input
        : mastra_json_own(mastra_json_null(), run->pool);
    run->root = root;
    mastra_task_ready(root);
    mastra_run_pump(run);
}
