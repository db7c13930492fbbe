/* The options of a request that need more than their schema to be checked, and
 * when a run ends before its model has finished. */

#include <math.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"


mastra_json_t *mastra_run_option(mastra_agent_run_t *run, const char *name)
{
    mastra_json_t *value = mastra_json_get(run->options, name);

    return value ? value : mastra_json_get(run->agent->default_options, name);
}

mastra_result_t *mastra_run_issue(apr_pool_t *pool, const char *field,
                                  const char *message)
{
    mastra_result_t *error = mastra_result_make(pool, 400, "OPTION_INVALID",
                                                "Invalid request body");

    error->detail = mastra_json_own(
        mastra_json_pack("{s:[{s:s, s:s}]}", "issues", "field", field,
                         "message", message), pool);
    return error;
}

/* ---- stopWhen ---- */

/* {stepCountIs: n} or {hasToolCall: name} */
static int is_condition(const mastra_json_t *value)
{
    const mastra_json_t *count = mastra_json_get(value, "stepCountIs");

    return mastra_json_size(value) == 1
           && ((mastra_json_is_integer(count) && mastra_json_int(count) > 0)
               || mastra_json_get_str(value, "hasToolCall"));
}

static mastra_result_t *check_stop(const mastra_json_t *value,
                                   apr_pool_t *pool)
{
    apr_size_t i;
    int good = 1;

    if (!value || mastra_json_is_null(value)) {
        return NULL;
    }
    if (mastra_json_is_array(value)) {
        for (i = 0; good && i < mastra_json_size(value); i++) {
            good = is_condition(mastra_json_at(value, i));
        }
    }
    else {
        good = is_condition(value);
    }
    return good ? NULL
                : mastra_run_issue(pool, "stopWhen", "Invalid input: expected "
                                   "{\"stepCountIs\": number} or "
                                   "{\"hasToolCall\": name}, or an array of "
                                   "them");
}

static int is_called(mastra_agent_run_t *run, const char *name)
{
    const mastra_run_tool_t *tool;

    for (tool = run->step.tools; tool; tool = tool->next) {
        if (!strcmp(tool->name, name)) {
            return 1;
        }
    }
    return 0;
}

static int holds(mastra_agent_run_t *run, const mastra_json_t *condition)
{
    const char *name = mastra_json_get_str(condition, "hasToolCall");

    return name ? is_called(run, name)
                : run->nsteps + 1 >= mastra_json_get_int(condition,
                                                         "stepCountIs", 0);
}

int mastra_run_is_last_step(mastra_agent_run_t *run)
{
    const mastra_json_t *stop = mastra_run_option(run, "stopWhen");
    const mastra_run_tool_t *tool;
    apr_size_t i;

    if (!run->step.tools || run->nsteps + 1 >= run->max_steps) {
        return 1;
    }
    for (tool = run->step.tools; tool; tool = tool->next) {
        if (tool->client) {
            return 1;
        }
    }
    if (mastra_json_is_object(stop)) {
        return holds(run, stop);
    }
    for (i = 0; i < mastra_json_size(stop); i++) {
        if (holds(run, mastra_json_at(stop, i))) {
            return 1;
        }
    }
    return 0;
}

void mastra_run_set_limits(mastra_agent_run_t *run)
{
    double n = mastra_json_num(mastra_run_option(run, "maxSteps"));

    if (n > 0) {
        run->max_steps = n > MASTRA_RUN_MAX_STEPS ? MASTRA_RUN_MAX_STEPS
                                                  : (int)ceil(n);
    }
    else {
        run->max_steps = mastra_json_size(mastra_run_option(run, "stopWhen"))
                             ? MASTRA_RUN_MAX_STEPS : run->env->max_steps;
    }
}

/* ---- all together ---- */

mastra_result_t *mastra_run_check_options(mastra_agent_run_t *run)
{
    const mastra_json_t *options = run->options;
    const mastra_json_t *messages = mastra_json_get(options, "messages");
    mastra_result_t *error;

    if (mastra_json_is_string(messages) && !mastra_json_len(messages)) {
        return mastra_result_make(run->pool, 400, "MESSAGES_REQUIRED",
                                  "Argument \"messages\" is required");
    }
    error = mastra_run_check_system(mastra_json_get(options, "instructions"),
                                    "instructions", run->pool);
    if (!error) {
        error = mastra_run_check_system(mastra_json_get(options, "system"),
                                        "system", run->pool);
    }
    if (!error) {
        error = mastra_run_check_tools(options, run->pool);
    }
    if (!error) {
        error = check_stop(mastra_json_get(options, "stopWhen"), run->pool);
    }
    return error;
}
