/* What clients ask of runs: each is one transaction that finds the run as it
 * was read, or fails. */

#include <string.h>

#include <apr_strings.h>

#include "ask.h"

#define MAX_RUN_ID 200

static mastra_result_t *refuse(apr_pool_t *pool, int status, const char *code,
                               const char *message)
{
    return mastra_result_make(pool, status, code, "%s", message);
}

static mastra_result_t *claimed(apr_pool_t *pool, const mastra_flow_row_t *row)
{
    return mastra_result_make(
        pool, 409, "WORKFLOW_RESUME_ALREADY_CLAIMED", "This suspended workflow "
        "run was already resumed by another caller. Workflow \"%s\" run "
        "\"%s\" moved from \"suspended\" to \"running\" before this resume "
        "could claim it. Only one resume() call may continue a given "
        "suspension; re-read the run state before resuming again.",
        row->workflow, row->id);
}

/* ---- what a run begins with ---- */

static void set_options(mastra_json_t *begin, const mastra_workflow_ask_t *ask)
{
    static const char *const names[] = { "outputOptions", "perStep", NULL };
    mastra_json_t *context = ask->principal->request_context;
    const char *trace = mastra_json_get_str(
        mastra_json_get(ask->body, "tracingOptions"), "traceId");
    char number[33];
    int i;

    for (i = 0; names[i]; i++) {
        mastra_json_t *value = mastra_json_get(ask->body, names[i]);

        mastra_json_del(begin, names[i]);
        mastra_json_set(begin, names[i], mastra_json_ref(value));
    }
    if (context) {
        mastra_json_t *all = mastra_json_object();

        mastra_json_merge(all, mastra_json_get(begin, "requestContext"));
        mastra_json_merge(all, context);
        mastra_json_set(begin, "requestContext", all);
    }
    if (trace && strlen(trace) == 32) {
        mastra_json_set_str(begin, "traceId", trace);
    }
    else if (!mastra_json_get(begin, "traceId")) {
        mastra_text_random_hex(number, 16);
        mastra_json_set_str(begin, "traceId", number);
    }
    mastra_text_random_hex(number, 8);
    mastra_json_set_str(begin, "spanId", number);
    mastra_json_set_int(begin, "depth", ask->principal->depth);
}

static mastra_json_t *begin_of(const mastra_workflow_ask_t *ask)
{
    mastra_json_t *made = mastra_json_pack("{s:I}", "startedAt",
                                           mastra_text_now_ms());
    mastra_json_t *input = mastra_json_get(ask->body, "inputData");

    if (!input) {
        input = mastra_json_get(ask->body, "triggerData");
    }
    mastra_json_set(made, "input", input ? mastra_json_copy(input) : NULL);
    mastra_json_set(made, "state", mastra_json_ref(
        mastra_json_get(ask->body, "initialState")));
    set_options(made, ask);
    if (ask->old) {
        mastra_json_set_bool(made, "old", 1);
    }
    return made;
}

/* NULL: it fits. */
static mastra_result_t *check(mastra_asking_t *asking, const mastra_schema_t *schema,
                              const mastra_json_t *value, const char *what)
{
    mastra_json_t *error = mastra_step_invalid(
        schema, value, what, "WORKFLOW_SCHEMA_VALIDATION_FAILED",
        asking->pool);
    mastra_result_t *made = NULL;

    if (error) {
        made = mastra_result_make(asking->pool, 400,
                                  "WORKFLOW_SCHEMA_VALIDATION_FAILED", "%s",
                                  mastra_json_get_str(error, "message"));
        mastra_json_unref(error);
    }
    return made;
}

/* The run tells it itself, as its end. */
static void put_refusal(mastra_asking_t *asking, const mastra_result_t *why, const char *type)
{
    mastra_json_set(asking->begin, "refused", mastra_json_pack(
        "{s:s, s:s, s:s, s:s, s:{s:s}}", "message", why->message, "domain",
        "MASTRA_WORKFLOW", "category", "USER", "code", why->code, "details",
        "type", type));
}

/* What is not given is an empty object. */
static const mastra_json_t *given(const mastra_asking_t *asking, const char *name)
{
    const mastra_json_t *value = mastra_json_get(asking->begin, name);

    return value ? value
                 : mastra_json_own(mastra_json_object(), asking->pool);
}

static mastra_result_t *check_begin(mastra_asking_t *asking)
{
    const mastra_workflow_t *workflow = asking->workflow;
    mastra_json_t *input = mastra_json_get(asking->begin, "input");
    const char *type = "input data";
    mastra_result_t *why = NULL;

    if (input) {
        mastra_schema_fill_defaults(workflow->input, input);
    }
    why = check(asking, workflow->input, input, "Invalid input data");
    if (!why && workflow->state) {
        type = "initial data";
        why = check(asking, workflow->state, given(asking, "state"),
                    "Invalid initial data");
    }
    if (!why && workflow->context) {
        type = "request context";
        why = check(asking, workflow->context,
                    given(asking, "requestContext"), apr_psprintf(
                        asking->pool, "Request context validation failed for "
                        "workflow '%s'", workflow->id));
    }
    if (why && asking->ask->lenient) {
        put_refusal(asking, why, type);
        why = NULL;
    }
    return why;
}

/* ---- store thread: the claim ---- */

static apr_status_t put_changes(mastra_asking_t *asking, mastra_db_t *db, apr_pool_t *pool)
{
    const char *id = asking->row.id;
    apr_status_t rv = APR_SUCCESS;
    void *at;

    if (asking->anew) {
        rv = mastra_flows_drop_steps(db, id, pool);
    }
    for (at = mastra_json_iter(asking->changes); at && rv == APR_SUCCESS;
         at = mastra_json_next(asking->changes, at)) {
        const mastra_json_t *record = mastra_json_value(at);
        const char *place = mastra_json_key(at);

        rv = mastra_json_is_null(record)
                 ? mastra_flows_drop_step(db, id, place, pool)
                 : mastra_flows_put_step(db, id, place,
                                         mastra_json_text(record, pool), pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_flows_put_step(db, id, "",
                                   mastra_json_text(asking->begin, pool),
                                   pool);
    }
    return rv;
}

static apr_status_t claim_for(mastra_asking_t *asking, mastra_flow_row_t *row,
                              mastra_db_t *db, apr_pool_t *pool)
{
    mastra_workflow_env_t *env = asking->env;
    apr_status_t rv = asking->fresh ? APR_SUCCESS
                      : mastra_flows_claim(row, db, env->owner->address,
                                           env->lease, 1, pool);

    if (rv == APR_SUCCESS) {
        rv = put_changes(asking, db, pool);
    }
    if (rv == APR_SUCCESS && asking->snapshot && !asking->fresh) {
        rv = mastra_flows_snapshot(db, row, asking->snapshot, 0, pool);
    }
    if (rv == APR_SUCCESS) {
        mastra_launch_row(asking->launch, row);
    }
    return rv;
}

/* 1: the run may begin from its start. */
static int may_start(mastra_asking_t *asking, const mastra_flow_row_t *row)
{
    if (strcmp(row->workflow, asking->workflow->id)) {
        asking->error = refuse(asking->pool, 409, "RUN_EXISTS", "A run of "
                               "another workflow has this id");
        return 0;
    }
    if (!strcmp(row->status, "running") || !strcmp(row->status, "waiting")) {
        asking->error = refuse(asking->pool, 409, "RUN_IS_RUNNING",
                               "This workflow run is still running");
        return 0;
    }
    return 1;
}

static apr_status_t create(const mastra_asking_t *asking,
                           mastra_flow_row_t *row, mastra_db_t *db,
                           apr_pool_t *pool)
{
    return asking->ask->what == MASTRA_WORKFLOW_START
               ? mastra_flows_begin(row, db, asking->env->owner->address,
                                    asking->env->lease, pool)
               : mastra_flows_create(db, row, pool);
}

static apr_status_t start_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_asking_t *asking = baton;
    mastra_flow_row_t row;
    apr_status_t rv = APR_SUCCESS;

    asking->error = NULL;
    asking->anew = asking->fresh = 0;
    if (asking->ask->also) {
        rv = asking->ask->also(db, asking->ask->also_baton, pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    rv = asking->ask->run_id && !asking->ask->also && !asking->ask->only_new
             ? mastra_flows_get(&row, db, asking->env->host, NULL,
                                asking->row.id, 0, pool)
             : MASTRA_STORE_NOT_FOUND;
    if (rv == APR_SUCCESS) {
        if (!may_start(asking, &row)) {
            return APR_EEXIST;
        }
        asking->anew = strcmp(row.status, "pending") != 0;
        /* its calls are not those of before */
        mastra_json_set_int(asking->begin, "turn", row.segment);
        row.graph = asking->workflow->hash;
    }
    else if (rv == MASTRA_STORE_NOT_FOUND && !asking->ask->must_exist) {
        row = asking->row;
        row.status = "pending";
        row.snapshot = asking->snapshot;
        row.snapshot_text = asking->snapshot_text;
        row.epoch = 1;
        rv = create(asking, &row, db, pool);
        asking->fresh = rv == APR_SUCCESS;
        if (rv == MASTRA_STORE_EXISTS) {
            asking->error = refuse(asking->pool, 409, "RUN_EXISTS",
                                   "A run with this id is there already");
        }
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_flows_put_graph(db, row.graph, asking->workflow->pinned,
                                    pool);
    }
    if (rv == APR_SUCCESS && asking->ask->what == MASTRA_WORKFLOW_START) {
        rv = claim_for(asking, &row, db, pool);
    }
    return rv;
}

/* Creating a run that is there changes nothing. */
static apr_status_t create_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_asking_t *asking = baton;
    mastra_flow_row_t row;
    apr_status_t rv;

    if (asking->ask->run_id) {
        rv = mastra_flows_get(&row, db, asking->env->host,
                              asking->workflow->id, asking->row.id, 0, pool);
        if (rv != MASTRA_STORE_NOT_FOUND) {
            return rv;
        }
    }
    return start_job(db, baton, pool);
}

static apr_status_t go_on_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_asking_t *asking = baton;
    mastra_flow_row_t row = asking->row;

    return claim_for(asking, &row, db, pool);
}

/* Its rows tell what it waits for, the snapshot need not be read. */
static int is_resume(const mastra_asking_t *asking)
{
    return asking->ask && asking->ask->what == MASTRA_WORKFLOW_RESUME;
}

/* What the run waits for is there as it was read, or somebody was faster. */
static apr_status_t read_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_asking_t *asking = baton;
    mastra_flow_row_t row;
    const char *graph;
    apr_status_t rv = mastra_flows_get(&row, db, asking->env->host,
                                       asking->workflow->id, asking->row.id,
                                       !is_resume(asking), pool);

    if (rv == APR_SUCCESS) {
        rv = mastra_flows_get_graph(&graph, db, row.graph, pool);
    }
    mastra_json_unref(asking->rows);
    asking->rows = NULL;
    if (rv == APR_SUCCESS) {
        rv = mastra_flows_steps(&asking->rows, &row.bytes, db,
                                row.id, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    asking->graph = apr_pstrdup(asking->pool, graph);
    asking->row = row;
    asking->row.id = apr_pstrdup(asking->pool, row.id);
    asking->row.host = asking->env->host;
    asking->row.workflow = asking->workflow->id;
    asking->row.resource_id = apr_pstrdup(asking->pool, row.resource_id);
    asking->row.status = apr_pstrdup(asking->pool, row.status);
    asking->row.owner = apr_pstrdup(asking->pool, row.owner);
    asking->row.graph = apr_pstrdup(asking->pool, row.graph);
    asking->row.created = apr_pstrdup(asking->pool, row.created);
    asking->row.updated = apr_pstrdup(asking->pool, row.updated);
    asking->row.snapshot = mastra_json_own(mastra_json_ref(row.snapshot), asking->pool);
    return APR_SUCCESS;
}

/* ---- request thread ---- */

static mastra_result_t *store_error(mastra_asking_t *asking, apr_status_t rv, const char *what)
{
    if (asking->error) {
        return asking->error;
    }
    if (rv == MASTRA_STORE_NOT_FOUND) {
        return refuse(asking->pool, 404, "RUN_NOT_FOUND",
                      "Workflow run not found");
    }
    if (rv == MASTRA_STORE_STALE) {
        return is_resume(asking)
                   ? claimed(asking->pool, &asking->row)
                   : refuse(asking->pool, 409, "RUN_CHANGED", "The run was "
                            "changed by somebody else meanwhile");
    }
    return mastra_store_result(asking->pool, rv, what);
}

static mastra_result_t *call(mastra_asking_t *asking, mastra_store_mode_e mode,
                             mastra_store_run_cb *job, const char *what)
{
    apr_status_t rv = mastra_store_call(asking->env->store, mode, job, asking);

    return rv ? store_error(asking, rv, what) : NULL;
}

/* Requests were checked before they came here, calls of other modules not. */
static mastra_result_t *check_owner(const mastra_asking_t *asking)
{
    const char *owner = asking->ask ? asking->ask->principal->resource_id
                                    : NULL;
    const char *whose = asking->row.resource_id;

    return !owner || (whose && !strcmp(whose, owner))
           ? NULL : mastra_result_make(asking->pool, 403, "RUN_OWNER",
                                       "Access denied: workflow run belongs "
                                       "to a different resource");
}

mastra_result_t *mastra_ask_read(mastra_asking_t *asking)
{
    mastra_result_t *error = call(asking, MASTRA_STORE_READ, read_job, "read the run");

    if (asking->rows) {
        mastra_json_own(asking->rows, asking->pool);
    }
    return error ? error : check_owner(asking);
}

/* The run is on its way; whoever asked may wait for it. */
static void launch(mastra_asking_t *asking, mastra_workflow_asked_t *asked)
{
    mastra_launch_t *made = asking->launch;

    made->begin = mastra_json_copy(asking->begin);
    made->begins = 1;
    if (asking->ask->wait) {
        asked->wait = mastra_wait_make(asking->env, &made->row,
                                       asking->ask->wait);
        if (!mastra_json_get_bool(asking->ask->body, "closeOnSuspend", 1)) {
            mastra_wait_on(asked->wait);
        }
    }
    mastra_launch(made);
    asking->launch = NULL;
}

static mastra_result_t *start(mastra_asking_t *asking, mastra_workflow_asked_t *asked)
{
    int create = asking->ask->what == MASTRA_WORKFLOW_CREATE;
    mastra_result_t *error;

    asking->begin = mastra_json_own(begin_of(asking->ask), asking->pool);
    error = create ? NULL : check_begin(asking);
    if (error) {
        return error;
    }
    asking->snapshot = mastra_json_own(mastra_snapshot_first(
        asking->workflow, asking->row.id, asking->begin,
        create ? "pending" : "running"), asking->pool);
    asking->snapshot_text = mastra_text_snapshot(asking->snapshot,
                                                 asking->workflow,
                                                 asking->env->run_size,
                                                 asking->pool);
    error = call(asking, MASTRA_STORE_WRITE, create ? create_job : start_job, "start the run");
    if (!error && !create) {
        asking->launch->graph = apr_pstrdup(asking->launch->pool,
                                            asking->workflow->pinned);
        launch(asking, asked);
    }
    return error;
}

/* The claim of what was read, with the changes. */
static mastra_result_t *go_on(mastra_asking_t *asking, mastra_workflow_asked_t *asked)
{
    mastra_json_t *rows = mastra_json_copy_flat(asking->rows);
    mastra_result_t *error = call(asking, MASTRA_STORE_WRITE, go_on_job, "go on with the run");
    void *at;

    for (at = mastra_json_iter(asking->changes); at;
         at = mastra_json_next(asking->changes, at)) {
        if (mastra_json_is_null(mastra_json_value(at))) {
            asking->row.bytes = mastra_size_without(
                asking->row.bytes, mastra_json_get(rows, mastra_json_key(at)),
                asking->pool);
            mastra_json_del(rows, mastra_json_key(at));
        }
        else {
            mastra_json_set(rows, mastra_json_key(at),
                            mastra_json_ref(mastra_json_value(at)));
        }
    }
    if (error) {
        mastra_json_unref(rows);
        return error;
    }
    asking->launch->row.bytes = asking->row.bytes;
    /* of its own: the request's pool goes before */
    asking->launch->rows = mastra_json_copy(rows);
    mastra_json_unref(rows);
    asking->launch->graph = apr_pstrdup(asking->launch->pool, asking->graph);
    launch(asking, asked);
    return NULL;
}

/* ---- resuming ---- */

static mastra_result_t *resume_step(mastra_asking_t *asking, const mastra_task_t *task)
{
    mastra_json_t *data = mastra_json_get(asking->ask->body, "resumeData");
    const mastra_json_t *row = mastra_json_get(asking->rows, task->place);
    const mastra_tool_t *tool = task->node->tool;
    mastra_json_t *record;
    mastra_result_t *error = NULL;

    if (tool && tool->resume) {
        error = check(asking, tool->resume, data, "Invalid resume data");
    }
    if (error) {
        return error;
    }
    record = mastra_json_pack(
        "{s:s, s:I, s:O*, s:I, s:O*}", "status", "resumed", "startedAt",
        mastra_json_get_int(row, "startedAt", 0), "resumePayload", data,
        "resumedAt", mastra_text_now_ms(), "waitsFor",
        mastra_json_get(row, "waitsFor"));
    mastra_json_set(asking->changes, task->place, record);
    return NULL;
}

static mastra_result_t *resume_steps(mastra_asking_t *asking)
{
    mastra_workflow_run_t *run = mastra_dry_run(
        asking->env, &asking->row, asking->graph,
        mastra_json_ref(asking->rows));
    mastra_result_t *error = NULL;
    apr_array_header_t *targets;
    int i;

    if (!run) {
        return refuse(asking->pool, 409, "GRAPH_UNUSABLE",
                      "The graph of this run cannot be used any more");
    }
    targets = mastra_dry_targets(run, asking->ask->body, &error, asking->pool);
    for (i = 0; targets && i < targets->nelts && !error; i++) {
        error = resume_step(asking, APR_ARRAY_IDX(targets, i,
                                                  mastra_task_t *));
    }
    mastra_dry_free(run);
    return error;
}

static void keep_begin(mastra_asking_t *asking)
{
    asking->begin = mastra_json_own(
        mastra_json_copy(mastra_json_get(asking->rows, "")), asking->pool);
    set_options(asking->begin, asking->ask);
}

static mastra_result_t *resume(mastra_asking_t *asking, mastra_workflow_asked_t *asked)
{
    mastra_result_t *error = mastra_ask_read(asking);

    if (error) {
        return error;
    }
    if (!strcmp(asking->row.status, "running")
        || !strcmp(asking->row.status, "waiting")) {
        return claimed(asking->pool, &asking->row);
    }
    if (strcmp(asking->row.status, "suspended")) {
        return refuse(asking->pool, 409, "RUN_NOT_SUSPENDED",
                      "This workflow run was not suspended");
    }
    keep_begin(asking);
    error = resume_steps(asking);
    return error ? error : go_on(asking, asked);
}

/* ---- all that is asked ---- */

static mastra_result_t *travel(mastra_asking_t *asking, mastra_workflow_asked_t *asked)
{
    mastra_result_t *error = mastra_ask_read(asking);

    if (error) {
        return error;
    }
    if (!strcmp(asking->row.status, "running")
        || !strcmp(asking->row.status, "waiting")) {
        return refuse(asking->pool, 500, "RUN_IS_RUNNING", "This workflow run "
                      "is still running, cannot time travel");
    }
    keep_begin(asking);
    mastra_json_set_int(asking->begin, "turn", asking->row.segment);
    error = mastra_travel_plan(asking->begin, asking->changes,
                               asking->workflow, asking->rows,
                               asking->row.snapshot, asking->ask->body,
                               asking->pool);
    asking->row.graph = asking->workflow->hash;
    asking->graph = asking->workflow->pinned;
    return error ? error : go_on(asking, asked);
}

/* Runs are gone on with by themselves: one that is over shows its end, one
 * that goes on is waited for, one that waits itself has nothing to restart. */
static mastra_result_t *restart(mastra_asking_t *asking, mastra_workflow_asked_t *asked)
{
    mastra_result_t *error = mastra_ask_read(asking);
    int runs;

    if (error || !asking->ask->wait) {
        return error;
    }
    runs = !strcmp(asking->row.status, "running")
           || !strcmp(asking->row.status, "waiting");
    if (runs) {
        asked->wait = mastra_wait_make(asking->env, &asking->row,
                                       asking->ask->wait);
        return NULL;
    }
    if (!strcmp(asking->row.status, "pending")
        || !strcmp(asking->row.status, "suspended")) {
        return refuse(asking->pool, 409, "RUN_NOT_ACTIVE",
                      "This workflow run was not active");
    }
    asked->answer = mastra_snapshot_result(asking->row.snapshot, NULL,
                                           asking->row.id);
    mastra_json_set(asked->answer, "steps", mastra_json_ref(
        mastra_json_get(asking->row.snapshot, "context")));
    return NULL;
}

static mastra_result_t *check_id(const mastra_asking_t *asking)
{
    apr_size_t len = strlen(asking->row.id);

    return len && len <= MAX_RUN_ID
               ? NULL : mastra_result_make(asking->pool, 400, "RUN_ID_INVALID",
                                           "The id of a run has 1 to %d bytes",
                                           MAX_RUN_ID);
}

static void fill_row(mastra_asking_t *asking)
{
    const mastra_workflow_ask_t *ask = asking->ask;
    const char *resource = mastra_json_get_str(ask->body, "resourceId");

    asking->row.host = asking->env->host;
    asking->row.id = ask->run_id ? ask->run_id
                                 : mastra_text_uuid_timed(asking->pool);
    asking->row.workflow = asking->workflow->id;
    asking->row.resource_id = ask->principal->resource_id
                                  ? ask->principal->resource_id : resource;
    asking->row.graph = asking->workflow->hash;
    asking->row.status = asking->row.owner = "";
}

int mastra_workflow_ask(mastra_workflow_asked_t *asked, mastra_workflow_env_t *env,
                        const mastra_workflow_t *workflow,
                        const mastra_workflow_ask_t *ask, mastra_result_t **perror,
                        apr_pool_t *pool)
{
    mastra_asking_t asking = { .env = env, .workflow = workflow, .ask = ask,
                        .pool = pool };
    mastra_result_t *error;

    memset(asked, 0, sizeof(*asked));
    fill_row(&asking);
    asked->run_id = asking.row.id;
    error = check_id(&asking);
    asking.changes = mastra_json_own(mastra_json_object(), pool);
    asking.launch = mastra_launch_make(env);
    if (!error) {
        switch (ask->what) {
        case MASTRA_WORKFLOW_RESUME:
            error = resume(&asking, asked);
            break;
        case MASTRA_WORKFLOW_TRAVEL:
            error = travel(&asking, asked);
            break;
        case MASTRA_WORKFLOW_RESTART:
            error = restart(&asking, asked);
            break;
        default:
            error = start(&asking, asked);
            break;
        }
    }
    if (asking.launch) {
        mastra_launch_free(asking.launch);
    }
    *perror = error;
    return error == NULL;
}
