/* The tool calls of a step: started side by side, told in their order. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "noted.h"
#include "../base/log.h"

static void tools_over(mastra_agent_run_t *run)
{
    const mastra_run_tool_t *tool;

    for (tool = run->step.tools; tool; tool = tool->next) {
        if (mastra_run_waits(run, tool)) {
            mastra_run_suspend(run);
            return;
        }
    }
    mastra_run_step_over(run);
}

void mastra_run_tell_outcomes(mastra_agent_run_t *run)
{
    mastra_run_say_outcomes(run);
    if (!mastra_run_hold(run, mastra_run_tell_outcomes) && !run->step.tools_open) {
        tools_over(run);
    }
}

void mastra_run_tool_over(mastra_run_tool_t *tool, mastra_json_t *result,
                          const mastra_result_t *error)
{
    mastra_agent_run_t *run = tool->run;
    mastra_json_t *waits = run->nested ? NULL : mastra_tool_waits(error);

    if (waits) {
        mastra_json_unref(tool->waits);
        tool->waits = mastra_json_ref(waits);
        tool->decided = 0;
        run->step.tools_open--;
        mastra_run_tell_outcomes(run);
        return;
    }
    if (error) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3003)
                   "run %s: tool %s failed: %s%s%s", run->id, tool->name,
                   error->message, error->cause ? ": " : "",
                   error->cause ? error->cause : "");
    }
    mastra_run_note_outcome(run, tool, result, error);
    run->step.tools_open--;
    mastra_run_tell_outcomes(run);
}

static void tool_done(void *baton, mastra_json_t *result,
                      const mastra_result_t *error)
{
    mastra_run_tool_t *tool = baton;

    tool->call = NULL;
    if (error && !strcmp(error->code, MASTRA_TOOL_TAKEN_OVER)) {
        mastra_run_lost(tool->run);
        return;
    }
    mastra_run_tool_over(tool, result, error);
}

/* A run that is stored while it goes on, or that is part of one, makes its calls
 * in a row of that. */
static void set_place(mastra_tool_args_t *args, mastra_agent_run_t *run,
                      const mastra_run_tool_t *tool)
{
    args->owned = run->above;
    if (run->epoch) {
        args->owned = mastra_noted_owner(run);
    }
    args->place = mastra_noted_place(run, tool);
}

void mastra_run_start_tool(mastra_agent_run_t *run, mastra_run_tool_t *tool)
{
    mastra_tool_args_t args = { .input = tool->args, .tool_call_id = tool->id,
                                .run_id = run->id, .agent_id = run->agent->id,
                                .thread_id = run->thread_id,
                                .resource_id = run->resource_id,
                                .owner = run->owner,
                                .request_context = run->context,
                                .messages = run->input,
                                .may_wait = !run->nested,
                                .depth = run->depth };
    mastra_json_t *invalid;
    apr_status_t rv;

    if (!tool->tool) {
        mastra_run_tool_over(tool, NULL,
                  mastra_result_make(run->pool, 404, "TOOL_UNKNOWN",
                                     "Tool \"%s\" not found", tool->name));
        return;
    }
    if (run->nested && mastra_run_needs_person(run, tool)) {
        mastra_run_tool_over(tool, NULL,
                  mastra_result_make(run->pool, 409, "TOOL_WAITS",
                                     "This call needs a person, whom an agent "
                                     "that is itself a tool cannot ask"));
        return;
    }
    invalid = mastra_tool_check_input(tool->tool, tool->args, run->pool);
    if (invalid) {
        mastra_run_tool_over(tool, invalid, NULL);
        mastra_json_unref(invalid);
        return;
    }
    run->tools_ran = 1;
    if (run->stream) {
        args.say = mastra_run_say_tool_output;
        args.say_baton = tool;
    }
    if (tool->waits) {
        args.waited = mastra_json_get(tool->waits, "state");
        args.decision = run->decision;
    }
    args.idempotency_key = mastra_noted_key(run, tool);
    /* so is a call of a run that others would take up */
    args.at_least_once = run->again || run->epoch;
    set_place(&args, run, tool);
    rv = mastra_tool_start(&tool->call, run->env->tools, tool->tool, &args,
                           tool_done, tool);
    if (rv) {
        mastra_run_tool_over(tool, NULL,
                  mastra_result_from_apr(run->pool, rv, "start the tool"));
    }
}

/* 1: the call is to be carried out here and now. */
static int is_ours(mastra_agent_run_t *run, const mastra_run_tool_t *tool)
{
    return !tool->client && !mastra_run_waits(run, tool);
}

void mastra_run_start_tools(mastra_agent_run_t *run)
{
    mastra_run_tool_t *tool, *next;

    run->state = MASTRA_RUN_TOOLS;
    for (tool = run->step.tools; tool; tool = tool->next) {
        run->step.tools_open += is_ours(run, tool);
    }
    /* one more, so that the last to end early does not end the step while
     * others are still to be started */
    run->step.tools_open++;
    for (tool = run->step.tools; tool; tool = next) {
        next = tool->next;
        if (is_ours(run, tool)) {
            mastra_run_start_tool(run, tool);
        }
    }
    run->step.tools_open--;
    mastra_run_tell_outcomes(run);
}

void mastra_run_resume_tools(mastra_agent_run_t *run)
{
    const mastra_run_tool_t *tool, *next;

    for (tool = run->step.tools; tool && !run->blocked; tool = next) {
        next = tool->next;
        if (tool->call) {
            mastra_tool_resume(tool->call);
        }
    }
}
