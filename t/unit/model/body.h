/* Requests written down as JSON with ' in place of ", and the bodies that wires
 * make of them. */
#ifndef BODY_H
#define BODY_H

#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "model/internal.h"
#include "tap.h"

static apr_pool_t *pool;

static inline char *quoted(const char *text)
{
    char *copy = apr_pstrdup(pool, text), *p;

    for (p = copy; *p; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }
    return copy;
}

static inline mastra_json_t *parse(const char *text)
{
    mastra_json_t *json = NULL;
    char *copy = quoted(text);

    if (mastra_json_parse(&json, copy, strlen(copy), 0, NULL)) {
        fprintf(stderr, "# the test's own JSON is wrong: %s\n", copy);
        abort();
    }
    return mastra_json_own(json, pool);
}

static inline mastra_model_request_t request_of(mastra_json_t *json)
{
    mastra_model_request_t request = { .model_id = "m" };

    request.stream = mastra_json_get_bool(json, "stream", 0);
    request.prompt = mastra_json_get(json, "prompt");
    request.tools = mastra_json_get(json, "tools");
    request.tool_choice = mastra_json_get(json, "tool_choice");
    request.settings = mastra_json_get(json, "settings");
    request.response_schema = mastra_json_get(json, "response_schema");
    request.provider_options = mastra_json_get(json, "provider_options");
    return request;
}

typedef struct {
    const char *name;
    const char *model;       /* NULL: "m" */
    const char *request;     /* {stream, prompt, tools, …} */
    const char *want;        /* the whole body */
    mastra_model_fail_e fail;
} body_case_t;

/* The body is what is wanted, letter by letter; it is JSON; what was lent is
 * unchanged. */
static inline void test_body(const body_case_t *test,
                             const mastra_model_kind_t *kind)
{
    mastra_model_provider_t own = { .id = "my-llm", .kind = kind };
    mastra_json_t *json = parse(test->request);
    mastra_json_t *before = mastra_json_own(mastra_json_copy(json), pool);
    mastra_model_request_t request = request_of(json);
    mastra_model_fail_e fail;
    mastra_json_t *body = NULL;
    const char *why;
    mastra_buf_t buf;

    own.base_url = kind->default_url;
    if (test->model) {
        request.model_id = test->model;
    }
    mastra_buf_init(&buf, 1024 * 1024);
    fail = kind->wire(&own, &request)->body(&why, &buf, &own, &request);
    if (test->fail != MASTRA_FAIL_NONE) {
        ok(fail == test->fail && why, test->name);
    }
    else {
        is_str(buf.data, quoted(test->want), test->name);
        ok(mastra_json_parse(&body, buf.data, buf.len, 0, NULL) == APR_SUCCESS
           && mastra_json_equal(json, before),
           "… it is JSON, and what was lent is unchanged");
        mastra_json_unref(body);
    }
    mastra_buf_free(&buf);
}

#endif
