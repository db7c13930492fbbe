/* Runs that are only looked at, or followed. */

#include <string.h>

#include <apr_strings.h>

#include "ask.h"

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

mastra_wait_t *mastra_workflow_observe(mastra_workflow_env_t *env,
                                       const mastra_workflow_t *workflow,
                                       const char *run_id, apr_int64_t offset,
                                       int legacy, mastra_result_t **perror,
                                       apr_pool_t *pool)
{
    mastra_wait_t *wait;
    mastra_asking_t asking;

    *perror = find(&asking, env, workflow, run_id, pool);
    if (*perror) {
        return NULL;
    }
    wait = mastra_wait_make(env, &asking.row, legacy ? 3 : 2);
    mastra_wait_from(wait, 1, offset);
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
    mastra_json_unref(snapshot);
    return made;
}
