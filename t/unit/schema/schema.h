/* What the unit tests of schema/ share. */
#ifndef SCHEMA_TEST_H
#define SCHEMA_TEST_H

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "tap.h"
#include "schema/schema.h"

static apr_pool_t *pool;

/* Test tables write ' for ", as nothing in them needs it. */
static inline mastra_json_t *json_of(const char *text)
{
    char *copy = apr_pstrdup(pool, text), *s;
    mastra_json_t *json = NULL;

    for (s = copy; *s; s++) {
        if (*s == '\'') {
            *s = '"';
        }
    }
    if (mastra_json_parse(&json, copy, strlen(copy), 0, NULL)
        != APR_SUCCESS) {
        tap_result(0, text, __FILE__, __LINE__, "the test's JSON is JSON");
    }
    return mastra_json_own(json, pool);
}

/* The compiled schema, or NULL and why in *pwhy. */
static inline const mastra_schema_t *compile(const char *text,
                                             const char **pwhy)
{
    const mastra_schema_t *schema = NULL;
    mastra_result_t *error = NULL;

    if (mastra_schema_compile(&schema, json_of(text), &error, pool)
        != APR_SUCCESS) {
        *pwhy = error->message;
        return NULL;
    }
    *pwhy = NULL;
    return schema;
}

static inline void begin(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
}

static inline int end(void)
{
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}

#endif
