/* JSON text: what is accepted is printed, and what is printed is accepted and prints the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

enum { LIMIT = 8 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mastra_json_t *json, *again;
    mastra_json_error_t error;
    mastra_buf_t first, second;

    if (mastra_json_parse(&json, (const char *)data, size, 0, &error)
        != APR_SUCCESS) {
        return 0;
    }
    mastra_buf_init(&first, LIMIT);
    mastra_buf_init(&second, LIMIT);
    if (mastra_json_write(&first, json) == APR_SUCCESS) {
        if (mastra_json_parse(&again, first.data, first.len, 0, &error)
            != APR_SUCCESS) {
            abort();
        }
        if (mastra_json_write(&second, again) != APR_SUCCESS
            || first.len != second.len
            || memcmp(first.data, second.data, first.len)) {
            abort();
        }
        mastra_json_unref(again);
    }
    mastra_buf_free(&first);
    mastra_buf_free(&second);
    mastra_json_unref(json);
    return 0;
}
