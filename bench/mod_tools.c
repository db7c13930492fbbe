/* The tools of the benchmark's workflows in C, as Mastra's own server has them
 * in JavaScript: code in the server's process that adds one to a number. */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_strings.h>
#include <ap_provider.h>
#include <httpd.h>
#include <http_config.h>

#include <mod_mastra.h>

#define BEFORE_FIRST apr_time_from_sec(5)
#define BETWEEN apr_time_from_sec(1)

static long number_of(const mastra_tool_task_t *task)
{
    const char *at = strstr(task->input, "\"n\":");

    return at ? strtol(at + 4, NULL, 10) : 0;
}

static apr_status_t count(void *instance, mastra_tool_task_t *task)
{
    const char *json = apr_psprintf(task->pool, "{\"n\":%ld}",
                                    number_of(task) + 1);

    (void)instance;
    return task->answer(task, json, strlen(json));
}

/* A second later than the one before it, with the clock that clients read. */
static apr_status_t tick(void *instance, mastra_tool_task_t *task)
{
    long n = number_of(task);
    struct timespec ts;
    const char *json;

    (void)instance;
    if (task->sleep(task, n ? BETWEEN : BEFORE_FIRST)) {
        return APR_ECONNABORTED;
    }
    clock_gettime(CLOCK_MONOTONIC, &ts);
    json = apr_psprintf(task->pool, "{\"word\":\"%ld:%" APR_INT64_T_FMT
                        "\",\"n\":%ld}", n,
                        (apr_int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000,
                        n + 1);
    return task->answer(task, json, strlen(json));
}

static const mastra_provider_tool_t counter = {
    MASTRA_API_HEAD(mastra_provider_tool_t), NULL, count
};
static const mastra_provider_tool_t ticker = {
    MASTRA_API_HEAD(mastra_provider_tool_t), NULL, tick
};

static void register_hooks(apr_pool_t *pool)
{
    ap_register_provider(pool, MASTRA_PROVIDER_TOOL, "bench-count",
                         MASTRA_PROVIDER_VERSION, &counter);
    ap_register_provider(pool, MASTRA_PROVIDER_TOOL, "bench-tick",
                         MASTRA_PROVIDER_VERSION, &ticker);
}

AP_DECLARE_MODULE(benchtools) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, 0
};
