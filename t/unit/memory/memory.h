/* What the tests of memory/ share: JSON with single quotes, in a pool. */
#ifndef MEMORY_TEST_H
#define MEMORY_TEST_H

#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "memory/memory.h"
#include "tap.h"

static apr_pool_t *pool;

static inline mastra_json_t *parsed(const char *quoted)
{
    char *text = apr_pstrdup(pool, quoted), *at;
    mastra_json_t *json = NULL;

    for (at = text; *at; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    if (mastra_json_parse(&json, text, strlen(text), 0, NULL)) {
        printf("# not JSON: %s\n", text);
        exit(1);
    }
    return mastra_json_own(json, pool);
}

/* json as text with single quotes; takes the reference. */
static inline const char *shown(mastra_json_t *json)
{
    char *text = apr_pstrdup(pool, mastra_json_text(json, pool)), *at;

    for (at = text; at && *at; at++) {
        *at = *at == '"' ? '\'' : *at;
    }
    mastra_json_unref(json);
    return text;
}

static inline void begin(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
}

static inline int end(void)
{
    apr_pool_destroy(pool);
    return tap_done();
}

#endif
