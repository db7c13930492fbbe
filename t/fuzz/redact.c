/* Texts and values with secrets: masked without growing beyond bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mastra_json_t *json = NULL;
    apr_pool_t *pool;
    const char *text;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    text = mastra_redact_text(apr_pstrmemdup(pool, (const char *)data, size),
                              pool);
    if (strlen(text) > size * sizeof(MASTRA_REDACTED)) {
        abort();
    }
    if (mastra_json_parse(&json, (const char *)data, size, 0, NULL)
        == APR_SUCCESS) {
        mastra_json_unref(mastra_redact_json(json));
        mastra_json_unref(json);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
