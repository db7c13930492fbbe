/* What a run may come to: in a step, and in all. */

#include <string.h>

#include <apr_strings.h>

#include "engine.h"
#include "../base/pool.h"

#define STEPS 8                      /* of full length that fit into a run */

apr_size_t mastra_step_size(apr_size_t run_size)
{
    return run_size / STEPS;
}

mastra_json_t *mastra_step_too_long(apr_size_t run_size)
{
    char text[80];

    apr_snprintf(text, sizeof(text), "The step has come to more than %"
                 APR_SIZE_T_FMT " bytes", mastra_step_size(run_size));
    return mastra_error_make(text);
}

mastra_json_t *mastra_step_long_record(const mastra_task_t *task)
{
    return mastra_json_pack("{s:O, s:I, s:s, s:o, s:I}", "payload",
                            task->input, "startedAt", task->started_at,
                            "status", "failed", "error",
                            mastra_step_too_long(task->run->env->run_size),
                            "endedAt", mastra_text_now_ms());
}

/* Mappings alone may choose from more. */
static int is_given_too_much(const mastra_task_t *task, apr_size_t size)
{
    apr_pool_t *pool;
    int yes;

    if (task->node->type == MASTRA_NODE_MAPPING
        || task->run->row.bytes < size
        || mastra_pool_make(&pool, "mastra_given")) {
        return 0;
    }
    yes = !mastra_json_text_within(task->input, size, pool);
    apr_pool_destroy(pool);
    return yes;
}

const char *mastra_step_over_size(const mastra_task_t *task)
{
    const mastra_workflow_run_t *run = task->run;
    apr_size_t all = run->env->run_size, one = mastra_step_size(all);

    if (run->row.bytes > all) {
        return apr_psprintf(run->pool, "The steps of the run have come to "
                            "more than %" APR_SIZE_T_FMT " bytes", all);
    }
    return is_given_too_much(task, one)
               ? apr_psprintf(run->pool, "The step is given more than %"
                              APR_SIZE_T_FMT " bytes", one)
               : NULL;
}

apr_size_t mastra_size_without(apr_size_t bytes, const mastra_json_t *record,
                               apr_pool_t *pool)
{
    const char *text = mastra_json_text(record, pool);
    apr_size_t len = text ? strlen(text) : 0;

    return len < bytes ? bytes - len : 0;
}
