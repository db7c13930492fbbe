/* Work in the background, read from where Node servers keep it. */

#include "background.h"
#include "internal.h"

#define MAX_LISTED 5000

enum { C_ID, C_STATUS, C_TOOL, C_CALL, C_AGENT, C_THREAD, C_RESOURCE, C_RUN,
       C_CREATED, C_STARTED, C_SUSPENDED, C_COMPLETED, C_RETRIES,
       C_MAX_RETRIES, C_TIMEOUT, C_ARGS, C_RESULT, C_ERROR, C_PAYLOAD };

#define LIKE(column, n) \
    "AND COALESCE(" column ", '') = COALESCE(" n ", COALESCE(" column ", '')) "
static const char task_list[] =
    "SELECT id, status, tool_name, tool_call_id, agent_id, thread_id, "
    "resource_id, run_id, \"createdAt\", \"startedAt\", \"suspendedAt\", "
    "\"completedAt\", retry_count, max_retries, timeout_ms, json(args), "
    "json(result), json(error), json(suspend_payload) "
    "FROM mastra_background_tasks WHERE id = COALESCE(?1, id) "
    "AND status = COALESCE(?2, status) AND agent_id = COALESCE(?3, agent_id) "
    "AND run_id = COALESCE(?4, run_id) " LIKE("thread_id", "?5")
    LIKE("resource_id", "?6") "AND tool_name = COALESCE(?7, tool_name) "
    "AND tool_call_id = COALESCE(?8, tool_call_id) "
    "ORDER BY \"createdAt\", id LIMIT ?9";

static mastra_json_t *task_json(const mastra_rows_t *rows, int i)
{
    static const struct {
        const char *name;
        int column;
    } texts[] = {
        { "id", C_ID }, { "status", C_STATUS }, { "toolName", C_TOOL },
        { "toolCallId", C_CALL }, { "agentId", C_AGENT },
        { "threadId", C_THREAD }, { "resourceId", C_RESOURCE },
        { "runId", C_RUN }, { NULL }
    }, times[] = {
        { "createdAt", C_CREATED }, { "startedAt", C_STARTED },
        { "suspendedAt", C_SUSPENDED }, { "completedAt", C_COMPLETED },
        { NULL }
    };
    mastra_json_t *made = mastra_json_object();
    int j;

    for (j = 0; texts[j].name; j++) {
        mastra_json_set_str(made, texts[j].name,
                            mastra_rows_text(rows, i, texts[j].column));
    }
    mastra_json_set(made, "args", mastra_rows_json(rows, i, C_ARGS));
    mastra_json_set(made, "result", mastra_rows_json(rows, i, C_RESULT));
    mastra_json_set(made, "error", mastra_rows_json(rows, i, C_ERROR));
    mastra_json_set(made, "suspendPayload",
                    mastra_rows_json(rows, i, C_PAYLOAD));
    for (j = 0; times[j].name; j++) {
        mastra_json_set_str(made, times[j].name,
                            mastra_rows_iso(rows, i, times[j].column));
    }
    mastra_json_set_int(made, "retryCount",
                        mastra_rows_int(rows, i, C_RETRIES));
    mastra_json_set_int(made, "maxRetries",
                        mastra_rows_int(rows, i, C_MAX_RETRIES));
    mastra_json_set_int(made, "timeoutMs",
                        mastra_rows_int(rows, i, C_TIMEOUT));
    return made;
}

apr_status_t mastra_background_list(mastra_json_t **ptasks, mastra_db_t *db,
                                    const mastra_background_filter_t *filter,
                                    apr_pool_t *pool)
{
    mastra_json_t *made;
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, task_list,
                                      (const mastra_bind_t[]) {
        MASTRA_TEXT(filter->id), MASTRA_TEXT(filter->status),
        MASTRA_TEXT(filter->agent), MASTRA_TEXT(filter->run),
        MASTRA_TEXT(filter->thread), MASTRA_TEXT(filter->resource),
        MASTRA_TEXT(filter->tool), MASTRA_TEXT(filter->call),
        MASTRA_INT(MAX_LISTED)
    }, 9, pool);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    made = mastra_json_array();
    for (i = 0; i < mastra_rows_count(rows); i++) {
        mastra_json_append(made, task_json(rows, i));
    }
    *ptasks = made;
    return APR_SUCCESS;
}
