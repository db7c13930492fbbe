/* Runs ended, deleted and listed from outside. */

#include <string.h>

#include <apr_strings.h>

#include "owner.h"
#include "../store/events.h"

typedef struct {
    mastra_workflow_env_t *env;
    const mastra_workflow_t *workflow;
    const char *run_id;
    apr_pool_t *pool;
    mastra_flow_row_t row;
    const char *owner;               /* of a run that is to be told; or NULL */
    int canceled;                    /* before anything was changed */

    mastra_flows_filter_t *filter;
    mastra_json_t *runs;
    apr_int64_t total;
} act_t;

/* ---- ending ---- */

static const char *frame(const mastra_flow_row_t *row, const char *type,
                         mastra_json_t *payload, apr_pool_t *pool)
{
    mastra_json_t *chunk = mastra_json_pack(
        "{s:s, s:s, s:s, s:o}", "type", type, "runId", row->id, "from",
        "WORKFLOW", "payload", payload);
    const char *text = mastra_json_text(chunk, pool);

    mastra_json_unref(chunk);
    return text;
}

/* Whoever follows its chunks hears of the end: nobody has its log open. */
static apr_status_t end_log(mastra_db_t *db, const mastra_flow_row_t *row,
                            apr_pool_t *pool)
{
    mastra_events_row_t event = {
        .log = mastra_run_log_key(row->id, row->segment, pool),
        .epoch = row->epoch + 1
    };
    mastra_json_t *end = mastra_json_pack(
        "{s:s, s:{}, s:{s:{s:i, s:i, s:i}}}", "workflowStatus", "canceled",
        "metadata", "output", "usage", "inputTokens", 0, "outputTokens", 0,
        "totalTokens", 0);
    apr_status_t rv = mastra_events_newest(&event.seq, db, event.log, pool);

    event.frames = apr_pstrcat(
        pool, frame(row, "workflow-canceled", mastra_json_object(), pool),
        "\n", frame(row, "workflow-finish", end, pool), "\n", NULL);
    event.seq += MASTRA_EVENTS_JUMP;
    event.newest = event.seq + 1;
    if (rv == APR_SUCCESS) {
        rv = mastra_events_append(db, &event, pool);
    }
    return rv ? rv : mastra_events_end(db, event.log, event.epoch, 1, pool);
}

apr_status_t mastra_act_canceled(mastra_db_t *db, const mastra_flow_row_t *row,
                                 apr_pool_t *pool)
{
    mastra_json_t *snapshot;
    apr_status_t rv = mastra_flows_mark(db, row, "canceled", pool);

    if (rv == APR_SUCCESS) {
        snapshot = mastra_json_own(mastra_json_copy_flat(row->snapshot), pool);
        mastra_json_set_str(snapshot, "status", "canceled");
        mastra_json_set(snapshot, "activeStepsPath", mastra_json_object());
        rv = mastra_flows_snapshot(db, row, snapshot, 0, pool);
    }
    return rv || !row->segment || !strcmp(row->status, "suspended")
               ? rv : end_log(db, row, pool);
}

static apr_status_t look_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    act_t *act = baton;
    mastra_flow_row_t row;
    apr_status_t rv = mastra_flows_get(&row, db, act->env->host,
                                       act->workflow->id, act->run_id, 0,
                                       pool);

    act->canceled = rv == APR_SUCCESS && !strcmp(row.status, "canceled");
    return rv;
}

/* One that goes on is ended by its owner, all others here. It was not canceled
 * when this was asked for: if it is by now, somebody else was faster. */
static apr_status_t cancel_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    act_t *act = baton;
    mastra_flow_row_t row;
    apr_status_t rv = mastra_flows_get(&row, db, act->env->host,
                                       act->workflow->id, act->run_id, 1,
                                       pool);

    act->owner = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!strcmp(row.status, "canceled")) {
        return MASTRA_STORE_STALE;
    }
    if (strcmp(row.status, "running")) {
        return mastra_act_canceled(db, &row, pool);
    }
    if (mastra_flow_lapsed(&row)) {
        rv = mastra_flows_claim(&row, db, act->env->owner->address, 0, 0,
                                pool);
        return rv ? rv : mastra_act_canceled(db, &row, pool);
    }
    act->owner = apr_pstrdup(act->pool, row.owner);
    return mastra_flows_halt(db, &row, pool);
}

typedef struct {
    apr_pool_t *pool;
    mastra_workflow_env_t *env;
    const char *run_id, *owner;
    mastra_msg_t msg;
} hint_t;

static void send_hint(void *baton)
{
    hint_t *hint = baton;
    mastra_bus_msg_t msg = { .kind = MASTRA_BUS_RUN_HALT,
                             .key = hint->run_id };

    mastra_hub_tell(hint->env->hub, hint->owner, &msg);
    apr_pool_destroy(hint->pool);
}

static void tell_owner(const act_t *act)
{
    apr_pool_t *pool;
    hint_t *hint;

    if (!act->owner || apr_pool_create(&pool, NULL)) {
        return;
    }
    hint = apr_pcalloc(pool, sizeof(*hint));
    hint->pool = pool;
    hint->env = act->env;
    hint->run_id = apr_pstrdup(pool, act->run_id);
    hint->owner = apr_pstrdup(pool, act->owner);
    hint->msg.cb = send_hint;
    hint->msg.baton = hint;
    mastra_loop_post(act->env->loop, &hint->msg);
}

static mastra_result_t *run_act(act_t *act, mastra_store_mode_e mode,
                                mastra_store_run_cb *job, const char *what)
{
    apr_status_t rv = mastra_store_call(act->env->store, mode, job, act);

    if (rv == MASTRA_STORE_NOT_FOUND) {
        return mastra_result_make(act->pool, 404, "RUN_NOT_FOUND",
                                  "Workflow run not found");
    }
    if (rv == MASTRA_STORE_STALE) {
        return mastra_result_make(act->pool, 409, "RUN_CHANGED", "The run was "
                                  "changed by somebody else meanwhile");
    }
    return rv ? mastra_store_result(act->pool, rv, what) : NULL;
}

int mastra_workflow_cancel(mastra_workflow_env_t *env,
                           const mastra_workflow_t *workflow,
                           const char *run_id, mastra_result_t **perror,
                           apr_pool_t *pool)
{
    act_t act = { .env = env, .workflow = workflow, .run_id = run_id,
                  .pool = pool };

    *perror = run_act(&act, MASTRA_STORE_READ, look_job, "cancel the run");
    if (!*perror && !act.canceled) {
        *perror = run_act(&act, MASTRA_STORE_WRITE, cancel_job,
                          "cancel the run");
    }
    if (!*perror) {
        tell_owner(&act);
    }
    return *perror == NULL;
}

static apr_status_t delete_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    act_t *act = baton;
    mastra_flow_row_t row;
    apr_status_t rv = mastra_flows_get(&row, db, act->env->host,
                                       act->workflow->id, act->run_id, 0,
                                       pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    act->owner = !strcmp(row.status, "running")
                     ? apr_pstrdup(act->pool, row.owner) : NULL;
    return mastra_flows_delete(db, &row, pool);
}

int mastra_workflow_delete(mastra_workflow_env_t *env,
                           const mastra_workflow_t *workflow,
                           const char *run_id, mastra_result_t **perror,
                           apr_pool_t *pool)
{
    act_t act = { .env = env, .workflow = workflow, .run_id = run_id,
                  .pool = pool };

    *perror = run_act(&act, MASTRA_STORE_WRITE, delete_job, "delete the run");
    if (!*perror) {
        tell_owner(&act);
    }
    return *perror == NULL;
}

/* ---- lists ---- */

/* One that goes on is shown as its rows have it. */
static mastra_json_t *snapshot_of(act_t *act, mastra_db_t *db,
                                  const mastra_flow_row_t *row,
                                  apr_pool_t *pool)
{
    mastra_json_t *steps = NULL, *made = NULL;
    mastra_workflow_run_t *run;
    const char *graph;

    if (strcmp(row->status, "running") && strcmp(row->status, "waiting")) {
        made = mastra_json_copy_flat(row->snapshot);
        mastra_json_set_str(made, "status", row->status);
    }
    else if (!mastra_flows_get_graph(&graph, db, row->graph, pool)
             && !mastra_flows_steps(&steps, NULL, db, row->id, pool)) {
        run = mastra_dry_run(act->env, row, graph, steps);
        if (run) {
            made = mastra_run_snapshot(run, row->status);
            mastra_dry_free(run);
        }
    }
    mastra_json_del(made, "nestedSteps");
    return made;
}

static mastra_json_t *listed(act_t *act, mastra_db_t *db,
                             const mastra_flow_row_t *row, apr_pool_t *pool)
{
    return mastra_json_pack(
        "{s:s, s:s, s:o*, s:o, s:s, s:s}", "workflowName", row->workflow,
        "runId", row->id, "snapshot", snapshot_of(act, db, row, pool),
        "resourceId", mastra_json_string(row->resource_id), "createdAt",
        row->created, "updatedAt", row->updated);
}

static apr_status_t list_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    act_t *act = baton;
    mastra_flow_row_t *rows;
    mastra_json_t *made;
    int i, n = 0;
    apr_status_t rv = mastra_flows_list(&rows, &n, &act->total, db,
                                        act->filter, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    made = mastra_json_array();
    for (i = 0; i < n; i++) {
        mastra_json_append(made, listed(act, db, &rows[i], pool));
    }
    mastra_json_unref(act->runs);
    act->runs = made;
    return APR_SUCCESS;
}

mastra_json_t *mastra_workflow_run_list(mastra_workflow_env_t *env,
                                        const mastra_workflow_t *workflow,
                                        mastra_flows_filter_t *filter,
                                        mastra_result_t **perror,
                                        apr_pool_t *pool)
{
    act_t act = { .env = env, .workflow = workflow, .filter = filter,
                  .pool = pool };

    filter->host = env->host;
    filter->workflow = workflow->id;
    *perror = run_act(&act, MASTRA_STORE_READ, list_job, "list runs");
    if (*perror) {
        mastra_json_unref(act.runs);
        return NULL;
    }
    return mastra_json_pack("{s:o, s:I}", "runs", act.runs, "total",
                            act.total);
}
