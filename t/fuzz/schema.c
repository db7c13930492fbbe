/* A schema and an instance, NUL between them: what compiles can be checked
 * without a crash, and finds the same twice. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const mastra_json_t *document, mastra_json_t *instance,
                  apr_pool_t *pool)
{
    mastra_schema_errors_t errors = { NULL, 0, 0 };
    const mastra_schema_t *schema;
    mastra_result_t *fault = NULL;
    mastra_json_t *issues;
    int valid;

    if (mastra_schema_compile(&schema, (mastra_json_t *)document, &fault,
                              pool) != APR_SUCCESS) {
        if (!fault) {
            abort();
        }
        return;
    }
    valid = mastra_schema_validate(schema, instance, NULL, NULL);
    if (valid != mastra_schema_validate(schema, instance, &errors, pool)
        || (!valid && !errors.count)) {
        abort();
    }
    issues = mastra_schema_issues(&errors);
    mastra_json_unref(issues);
    mastra_json_unref(mastra_schema_coerce_query(schema, instance));
    mastra_schema_fill_defaults(schema, instance);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, 0, size);
    mastra_json_t *document = NULL, *instance = NULL;
    apr_pool_t *pool;

    if (!nul || mastra_json_parse(&document, (const char *)data, nul - data, 0,
                                  NULL) != APR_SUCCESS) {
        return 0;
    }
    if (mastra_json_parse(&instance, (const char *)nul + 1,
                          data + size - nul - 1, 0, NULL) == APR_SUCCESS) {
        apr_initialize();
        apr_pool_create(&pool, NULL);
        check(document, instance, pool);
        apr_pool_destroy(pool);
        apr_terminate();
    }
    mastra_json_unref(document);
    mastra_json_unref(instance);
    return 0;
}
