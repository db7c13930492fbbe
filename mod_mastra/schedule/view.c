/* Schedules and their firings, as the API shows them. */

#include <string.h>

#include "internal.h"

static void put(mastra_json_t *made, const mastra_json_t *target,
                const char *const *names)
{
    for (; *names; names++) {
        mastra_json_set(made, *names,
                        mastra_json_ref(mastra_json_get(target, *names)));
    }
}

static void put_times(mastra_json_t *made, const mastra_schedule_row_t *row)
{
    mastra_json_set_str(made, "cron", row->cron);
    mastra_json_set_str(made, "timezone", row->timezone);
    mastra_json_set_str(made, "status", row->status);
    mastra_json_set_int(made, "nextFireAt", row->next);
    if (row->last) {
        mastra_json_set_int(made, "lastFireAt", row->last);
    }
    mastra_json_set_str(made, "lastRunId", row->last_run);
}

static int is_over(const char *status)
{
    static const char *const ends[] = { "success", "failed", "canceled",
                                        "bailed", "tripwire", NULL };
    int i;

    for (i = 0; ends[i] && strcmp(ends[i], status); i++) {
    }
    return ends[i] != NULL;
}

static mastra_json_t *run_json(const mastra_run_brief_t *run)
{
    mastra_json_t *made;

    if (!run || !run->status) {
        return NULL;
    }
    made = mastra_json_pack("{s:s, s:I}", "status", run->status, "startedAt",
                            run->started);
    if (is_over(run->status)) {
        mastra_json_set_int(made, "completedAt", run->updated);
        mastra_json_set_int(made, "durationMs", run->updated - run->started);
    }
    mastra_json_set_str(made, "error", run->error);
    return made;
}

mastra_json_t *mastra_view_schedule(const mastra_schedule_row_t *row,
                                    const mastra_run_brief_t *run)
{
    static const char *const agent_first[] = { "agentId", "name", "threadId",
                                               "resourceId", "prompt", NULL };
    static const char *const agent_last[] = { "signalType", "tagName",
                                              "attributes", "ifActive",
                                              "ifIdle", "providerOptions",
                                              NULL };
    static const char *const workflow_first[] = { "workflowId", NULL };
    static const char *const workflow_last[] = { "inputData", "initialState",
                                                 "requestContext",
                                                 "resourceId", NULL };
    int is_agent = mastra_plan_is_agent(row->target);
    mastra_json_t *made = mastra_json_pack("{s:s}", "id", row->id);

    put(made, row->target, is_agent ? agent_first : workflow_first);
    put_times(made, row);
    if (!is_agent) {
        mastra_json_set(made, "lastRun", run_json(run));
    }
    put(made, row->target, is_agent ? agent_last : workflow_last);
    mastra_json_set(made, "metadata", mastra_json_ref(row->metadata));
    mastra_json_set_int(made, "createdAt", row->created);
    mastra_json_set_int(made, "updatedAt", row->updated);
    return made;
}

/* What an agent has answered is told by the outcome, not by a run. */
static const char *outcome_of(const mastra_trigger_t *trigger,
                              const mastra_run_brief_t *run, int is_agent)
{
    if (!is_agent || !run->status || strcmp(trigger->outcome, "published")) {
        return trigger->outcome;
    }
    return !strcmp(run->status, "success") ? "succeeded"
           : !strcmp(run->status, "canceled") ? "aborted"
           : is_over(run->status) ? "failed" : trigger->outcome;
}

mastra_json_t *mastra_view_trigger(const mastra_trigger_t *trigger,
                                   const mastra_run_brief_t *run,
                                   int is_agent)
{
    const char *outcome = outcome_of(trigger, run, is_agent);
    const char *error = trigger->error;
    mastra_json_t *made = mastra_json_pack(
        "{s:s, s:s, s:o, s:I, s:I, s:s}", "id", trigger->id, "scheduleId",
        trigger->schedule, "runId", mastra_json_string(trigger->run),
        "scheduledFireAt", trigger->scheduled, "actualFireAt", trigger->actual,
        "outcome", outcome);

    if (is_agent && !error && !strcmp(outcome, "failed")) {
        error = run->error;
    }
    mastra_json_set_str(made, "error", error);
    mastra_json_set_str(made, "triggerKind", trigger->kind);
    if (!is_agent) {
        mastra_json_set(made, "run", run_json(run));
    }
    return made;
}
