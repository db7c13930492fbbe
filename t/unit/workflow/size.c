/* How large a run may become, and that large ones are walked in proportion. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "agent/agent.h"
#include "workflow/engine.h"
#include "tool/tool.h"
#include "tap.h"

static apr_pool_t *pool;

static mastra_json_t *parse(const char *text)
{
    mastra_json_t *json = NULL;

    if (mastra_json_parse(&json, text, strlen(text), 0, NULL)) {
        printf("Bail out! %s\n", text);
        exit(1);
    }
    return mastra_json_own(json, pool);
}

#define HEAD(id) "{\"id\":\"" id "\",\"inputSchema\":{},\"outputSchema\":{}," \
                 "\"graph\":["
#define EACH(id, inner) HEAD(id) "{\"type\":\"foreach\",\"step\":{\"type\":" \
    "\"workflow\",\"id\":\"in\",\"workflowId\":\"" inner "\"}," \
    "\"opts\":{\"concurrency\":10}}]}"

/* Steps that nobody has to do: a condition that never holds. */
static const char leaf[] = HEAD("leaf")
    "{\"type\":\"conditional\",\"steps\":[{\"type\":\"tool\",\"id\":\"t\","
    "\"toolId\":\"none\"}],\"predicates\":[{\"op\":\"eq\",\"left\":"
    "{\"literal\":1},\"right\":{\"literal\":2}}]}]}";

static mastra_json_t *find(void *baton, const char *id)
{
    (void)baton;
    return !strcmp(id, "leaf") ? parse(leaf)
           : !strcmp(id, "inner") ? parse(EACH("inner", "leaf")) : NULL;
}

static const mastra_workflow_t *compile(const char *id, const char *text)
{
    mastra_workflow_source_t source = {
        .tools = mastra_tools_make(pool), .agents = mastra_agents_make(pool),
        .find = find, .lenient = 1
    };
    mastra_result_t *error = NULL;
    const mastra_workflow_t *made = mastra_workflow_compile(
        id, parse(text), "file", &source, &error, pool);

    if (!made) {
        printf("Bail out! %s\n", error->message);
        exit(1);
    }
    return made;
}

/* [[0, …], …]: n times n. */
static mastra_json_t *square(int n)
{
    mastra_json_t *made = mastra_json_array(), *row;
    int i, j;

    for (i = 0; i < n; i++) {
        row = mastra_json_array();
        for (j = 0; j < n; j++) {
            mastra_json_append(row, mastra_json_integer(j));
        }
        mastra_json_append(made, row);
    }
    return made;
}

static mastra_workflow_run_t *walk(const mastra_workflow_t *workflow,
                                   mastra_json_t *input)
{
    mastra_held_t *held = apr_pcalloc(pool, sizeof(*held));
    mastra_flow_row_t row = { .id = "run", .host = "", .workflow = "outer",
                              .status = "running", .owner = "", .graph = "" };
    mastra_workflow_run_t *run;

    held->workflow = workflow;
    run = mastra_run_make(NULL, held, &row,
                          mastra_json_pack("{s:o}", "input", input), NULL);
    mastra_run_walk(run);
    return run;
}

static void test_tasks(void)
{
    const mastra_workflow_t *workflow = compile("outer",
                                                EACH("outer", "inner"));
    mastra_workflow_run_t *run = walk(workflow, square(100));
    const char *message;

    is_int(run->root->outcome, MASTRA_TASK_SUCCESS,
           "a run with 30,000 tasks comes to its end");
    is_int(mastra_json_size(run->root->output), 100, "... with all outputs");
    mastra_dry_free(run);

    run = walk(workflow, square(150));
    is_int(run->root->outcome, MASTRA_TASK_FAILED,
           "one with more than 50,000 fails");
    message = mastra_json_get_str(run->root->error, "message");
    ok(message && strstr(message, "more than 50000"), "... and says why");
    ok(run->ntasks < MASTRA_WORKFLOW_MAX_TASKS + 1000, "... at once");
    mastra_dry_free(run);
}

/* The path of a result names what comes twice once, where it was last. */
static void test_path(void)
{
    mastra_json_t *snapshot = parse(
        "{\"status\":\"success\",\"context\":{\"input\":{\"n\":1},"
        "\"a\":{\"status\":\"success\",\"payload\":{\"n\":1},\"output\":"
        "{\"n\":2}},\"b\":{\"status\":\"success\",\"payload\":{\"n\":2},"
        "\"output\":{\"n\":3}}},\"stepExecutionPath\":[\"a\",\"b\",\"a\"],"
        "\"result\":{\"n\":2}}");
    mastra_json_t *made = mastra_json_own(
        mastra_snapshot_result(snapshot, parse("{}"), "run"), pool);
    const mastra_json_t *steps = mastra_json_get(made, "steps");

    ok(!mastra_json_get(mastra_json_get(steps, "b"), "payload"),
       "a payload that repeats the output before it is left out");
    ok(mastra_json_get(mastra_json_get(steps, "a"), "payload") != NULL,
       "... seen from the last time that the step was done");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_tasks();
    test_path();
    apr_pool_destroy(pool);
    return tap_done();
}
