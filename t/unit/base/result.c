/* Results as bodies of answers, and lines on their way to the log. */

#include <string.h>

#include <apr_general.h>

#include "tap.h"
#include "base/log.h"
#include "base/result.h"

static char last[4096];
static int last_level;

static int enabled_cb(mastra_log_level_e level)
{
    return level <= MASTRA_LOG_INFO;
}

static void write_cb(mastra_log_level_e level, apr_status_t rv,
                     const char *file, int line, const char *text)
{
    last_level = level;
    strncpy(last, text, sizeof(last) - 1);
}

static void results(apr_pool_t *pool)
{
    mastra_result_t *result, *copy;
    mastra_json_t *body;
    apr_pool_t *sub;

    apr_pool_create(&sub, pool);
    result = mastra_result_make(sub, 404, "NOT_FOUND", "No agent %s", "x");
    mastra_result_cause(result, sub, "because %d", 1);
    result->detail = mastra_json_own(mastra_json_pack("{s:[i]}", "ids", 1),
                                     sub);
    copy = mastra_result_copy(pool, result);
    apr_pool_destroy(sub);
    body = mastra_json_own(mastra_result_to_json(copy), pool);
    is_str(mastra_json_text(body, pool),
           "{\"error\":\"No agent x\",\"ids\":[1]}", "the body of a copy");
    is_str(copy->cause, "because 1", "the cause is kept");
    is_int(copy->status, 404, "the status is kept");
    result = mastra_result_from_apr(pool, APR_ENOENT, "read threads");
    is_int(result->status, 500, "a failed operation is a 500");
    is_str(result->message, "Internal Server Error", "that tells nothing");
    ok(!strncmp(result->cause, "read threads: ", 14), "but to the log");
    is_int(mastra_result_from_apr(pool, APR_TIMEUP, "x")->status, 504,
           "a timeout is a 504");
    body = mastra_json_own(mastra_result_to_json(result), pool);
    is_str(mastra_json_text(body, pool),
           "{\"error\":\"Internal Server Error\"}", "a body without detail");
}

static void lines(void)
{
    char text[4096];

    mastra_log(MASTRA_LOG_ERR, 0, "goes %s", "nowhere");
    mastra_log_set(enabled_cb, write_cb);
    mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(7) "cannot open %s", "x");
    is_str(last, "MA7: cannot open x", "a line with its number");
    is_int(last_level, 3, "and level");
    mastra_log(MASTRA_LOG_DEBUG, 0, "hidden");
    is_str(last, "MA7: cannot open x", "levels that are off are not written");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    mastra_log(MASTRA_LOG_ERR, 0, "%s", text);
    is_int(strlen(last), 2047, "long lines are cut");
    mastra_log_set(NULL, NULL);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    results(pool);
    lines();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
