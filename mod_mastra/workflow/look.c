/* Runs that are only looked at, or followed. */

#include <string.h>

#include <apr_strings.h>

#include "ask.h"
#include "../store/events.h"

static mastra_result_t *find(mastra_asking_t *asking, mastra_workflow_env_t *env,
                             const mastra_workflow_t *workflow,
                             const char *run_id, apr_pool_t *pool)
{
    memset(asking, 0, sizeof(*asking));
    asking->env = env;
    asking->workflow = workflow;
    asking->pool = pool;
    asking->row.id = run_id;
    return mastra_ask_read(asking);
}

typedef struct {
    const mastra_asking_t *asking;
    int first;                       /* segment that is kept, 0: none */
} kept_t;

static apr_status_t find_kept(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    kept_t *kept = baton;
    const mastra_flow_row_t *row = &kept->asking->row;
    mastra_events_page_t page;
    apr_status_t rv = APR_SUCCESS;
    int i;

    kept->first = 0;
    for (i = 1; i <= row->segment && !kept->first && rv == APR_SUCCESS; i++) {
        rv = mastra_events_read(&page, db, mastra_run_log_key(row->id, i,
                                                              pool), 0, 1,
                                pool);
        if (rv == APR_SUCCESS && (page.nrows || page.ended)) {
            kept->first = i;
        }
    }
    return rv;
}

/* What has been said just now may still be on its way to storage. */
static int is_long_over(const mastra_workflow_env_t *env,
                        const mastra_flow_row_t *row)
{
    apr_interval_time_t limit = apr_time_from_sec(60);
    apr_time_t changed = 0;

    mastra_text_iso_parse(&changed, row->updated);
    return strcmp(row->status, "running") && strcmp(row->status, "waiting")
           && strcmp(row->status, "pending")
           && apr_time_now() - changed > (env->history < limit ? env->history
                                                               : limit);
}

mastra_wait_t *mastra_workflow_observe(mastra_workflow_env_t *env,
                                       const mastra_workflow_t *workflow,
                                       const char *run_id,
                                       const mastra_workflow_observe_t *how,
                                       mastra_result_t **perror,
                                       apr_pool_t *pool)
{
    mastra_wait_t *wait;
    mastra_asking_t asking;
    kept_t kept;
    apr_status_t rv;

    *perror = find(&asking, env, workflow, run_id, pool);
    if (*perror) {
        return NULL;
    }
    if (how->after.part > (asking.row.segment ? asking.row.segment : 1)) {
        *perror = mastra_result_make(pool, 400, "EVENT_ID_UNKNOWN", "This run "
                                     "has not said anything with this id");
        return NULL;
    }
    kept.asking = &asking;
    rv = mastra_store_call(env->store, MASTRA_STORE_READ, find_kept, &kept);
    if (rv) {
        *perror = mastra_store_result(pool, rv, "read what the run has said");
        return NULL;
    }
    wait = mastra_wait_make(env, &asking.row, how->legacy ? 3 : 2);
    mastra_wait_from(wait, kept.first ? kept.first
                           : asking.row.segment ? asking.row.segment : 1,
                     how->offset);
    if (how->after.part && how->after.part >= kept.first) {
        mastra_wait_after(wait, how->after);
    }
    if (!kept.first && is_long_over(env, &asking.row)) {
        mastra_wait_told(wait, asking.row.snapshot);
    }
    return wait;
}

/* What a run is at that goes on: looked at, as its snapshot is of before. */
static mastra_json_t *current_snapshot(mastra_asking_t *asking)
{
    mastra_workflow_run_t *run;
    mastra_json_t *made;

    if (strcmp(asking->row.status, "running")
        && strcmp(asking->row.status, "waiting")) {
        return mastra_json_ref(asking->row.snapshot);
    }
    run = mastra_dry_run(asking->env, &asking->row, asking->graph,
                         mastra_json_ref(asking->rows));
    if (!run) {
        return mastra_json_ref(asking->row.snapshot);
    }
    made = mastra_run_snapshot(run, asking->row.status);
    mastra_dry_free(run);
    return made;
}

mastra_json_t *mastra_workflow_run_view(mastra_workflow_env_t *env,
                                        const mastra_workflow_t *workflow,
                                        const char *run_id, const char *fields,
                                        int nested, mastra_result_t **perror,
                                        apr_pool_t *pool)
{
    mastra_json_t *snapshot, *made;
    mastra_asking_t asking;

    *perror = find(&asking, env, workflow, run_id, pool);
    if (*perror) {
        return NULL;
    }
    snapshot = current_snapshot(&asking);
    /* one that was ended from outside has its last state in its snapshot */
    if (strcmp(mastra_json_get_str(snapshot, "status"), asking.row.status)) {
        mastra_json_t *copy = mastra_json_copy_flat(snapshot);

        mastra_json_set_str(copy, "status", asking.row.status);
        mastra_json_unref(snapshot);
        snapshot = copy;
    }
    made = mastra_snapshot_view(&asking.row, snapshot, fields, nested);
    if (!fields) {
        mastra_json_set(made, "initialState", mastra_json_ref(mastra_json_path(
            asking.rows, "", "state", NULL)));
    }
    mastra_json_unref(snapshot);
    return made;
}
