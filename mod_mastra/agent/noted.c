/* Calls that change the database: where they are noted, and what is said of those
 * that were made when their run ends early or is decided about once more. */

#include <string.h>

#include <apr_strings.h>

#include "noted.h"
#include "../store/calls.h"

static int is_alike(const mastra_run_tool_t *a, const mastra_run_tool_t *b)
{
    return !strcmp(a->name, b->name) && mastra_json_equal(a->args, b->args);
}

static const char *plain_key(const char *run_id, const char *call_id,
                             apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s/%s/1", run_id, call_id);
}

/* A run that is done again as a whole, as the step of a workflow, has calls
 * with other ids: they are the same when they stand in the same step and ask
 * for the same. */
const char *mastra_noted_key(mastra_agent_run_t *run,
                             const mastra_run_tool_t *tool)
{
    const mastra_run_tool_t *before;
    const char *what;
    int n = 0;

    if (!run->again) {
        return plain_key(run->id, tool->id, run->pool);
    }
    for (before = run->step.tools; before != tool; before = before->next) {
        n += is_alike(before, tool);
    }
    what = apr_pstrcat(run->pool, tool->name, " ",
                       mastra_json_text(tool->args, run->pool), NULL);
    return apr_psprintf(run->pool, "%s/%d/%.16s/%d", run->again, run->nsteps,
                        mastra_text_sha256(what, strlen(what), run->pool), n);
}

/* Ids of models need not differ from step to step; ids of runs may come again,
 * those of answers (message, NULL: the row is another run's) do not. */
static const char *place_of(int nsteps, const char *key, const char *message,
                            apr_pool_t *pool)
{
    const char *place = apr_psprintf(pool, "%d/%s%s%s", nsteps, key,
                                     message ? "/" : "",
                                     message ? message : "");

    return mastra_text_sha256(place, strlen(place), pool);
}

const char *mastra_noted_place(mastra_agent_run_t *run,
                               const mastra_run_tool_t *tool)
{
    return place_of(run->nsteps, mastra_noted_key(run, tool),
                    run->epoch ? run->message_id : NULL, run->pool);
}

mastra_owned_t mastra_noted_owner(const mastra_agent_run_t *run)
{
    return (mastra_owned_t){ .host = run->env->host, .id = run->id,
                             .epoch = run->epoch };
}

/* ---- store thread ---- */

static mastra_json_t *result_of(mastra_agent_run_t *run, const char *name,
                                mastra_json_t *outcome)
{
    const mastra_tool_t *tool = mastra_run_find_tool(run, name);

    return tool && tool->kind == &mastra_tool_sql
               ? mastra_tool_sql_result(tool, outcome)
               : mastra_json_ref(outcome);
}

static int declines(const mastra_json_t *decision)
{
    return !mastra_json_get_bool(
        decision, "approved",
        mastra_json_get_bool(mastra_json_get(decision, "resumeData"),
                             "approved", 1));
}

static apr_status_t refuse_done(mastra_agent_run_t *run,
                                const mastra_json_t *entry,
                                mastra_json_t *outcome)
{
    const char *name = mastra_json_get_str(entry, "toolName");

    run->job_error = mastra_result_make(
        run->pool, 409, "TOOL_CALL_DONE", "This call was approved before, and "
        "has been made: it cannot be declined any more. Approve it once more, "
        "and the run goes on with what it came to");
    run->job_error->detail = mastra_json_own(mastra_json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:O, s:o}}", "runId", run->id,
        "toolInvocation", "state", "result", "toolCallId",
        mastra_json_get_str(entry, "toolCallId"), "toolName", name, "args",
        mastra_json_get(entry, "args"), "result",
        result_of(run, name, outcome)), run->pool);
    return APR_EINVAL;
}

/* A durable run that was approved goes on with that, whoever has it. */
static apr_status_t refuse_decided(mastra_agent_run_t *run,
                                   const mastra_json_t *state)
{
    const char *stage = mastra_json_get_str(state, "stage");

    if (!run->durable || !stage || strcmp(stage, MASTRA_STAGE_DECIDED)
        || declines(mastra_json_get(state, "decision"))) {
        return APR_SUCCESS;
    }
    run->job_error = mastra_result_make(
        run->pool, 409, "TOOL_CALL_DECIDED", "This call was approved before, "
        "and the run goes on with that");
    return APR_EINVAL;
}

apr_status_t mastra_noted_refuse(mastra_agent_run_t *run,
                                 const mastra_json_t *state,
                                 const mastra_json_t *entry, int epoch,
                                 mastra_db_t *db, apr_pool_t *pool)
{
    mastra_owned_t owned = { .host = run->env->host, .id = run->id,
                             .epoch = epoch };
    const char *call = mastra_json_get_str(entry, "toolCallId");
    mastra_json_t *outcome = NULL;
    apr_status_t rv;

    if (run->again || !declines(run->decision)
        || mastra_json_get(entry, "waits")) {
        return APR_SUCCESS;
    }
    rv = mastra_calls_find(&outcome, db, &owned,
                           place_of((int)mastra_json_get_int(state, "nsteps",
                                                             0),
                                    plain_key(run->id, call, pool),
                                    mastra_json_get_str(state, "messageId"),
                                    pool), pool);
    if (rv == MASTRA_STORE_NOT_FOUND) {
        return refuse_decided(run, state);
    }
    if (rv == APR_SUCCESS) {
        rv = refuse_done(run, entry, outcome);
    }
    mastra_json_unref(outcome);
    return rv;
}

static apr_status_t take_one(mastra_agent_run_t *run,
                             const mastra_run_tool_t *tool, mastra_db_t *db,
                             apr_pool_t *pool)
{
    mastra_owned_t owned = mastra_noted_owner(run);
    mastra_json_t *inner = mastra_json_get(tool->part, "toolInvocation");
    mastra_json_t *outcome = NULL;
    apr_status_t rv = mastra_calls_find(&outcome, db, &owned,
                                        mastra_noted_place(run, tool), pool);

    if (rv == APR_SUCCESS) {
        mastra_json_set_str(inner, "state", "result");
        mastra_json_set(inner, "result", result_of(run, tool->name, outcome));
    }
    mastra_json_unref(outcome);
    return rv == MASTRA_STORE_NOT_FOUND ? APR_SUCCESS : rv;
}

apr_status_t mastra_noted_take(mastra_agent_run_t *run, mastra_db_t *db,
                               apr_pool_t *pool)
{
    const mastra_run_tool_t *tool;
    apr_status_t rv = APR_SUCCESS;

    if (!run->cancelled || !run->epoch) {
        return APR_SUCCESS;
    }
    for (tool = run->step.tools; tool && !rv; tool = tool->next) {
        if (tool->part && !tool->over && tool->tool
            && tool->tool->kind == &mastra_tool_sql) {
            rv = take_one(run, tool, db, pool);
        }
    }
    return rv;
}
