/* SQLite's binary JSON: what is accepted can be printed. */
#include <stdint.h>

#include "base/json.h"
#include "base/jsonb.h"
#include "base/text.h"

enum { LIMIT = 8 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mastra_json_t *json;
    mastra_buf_t text;

    if (mastra_jsonb_decode(&json, data, size) != APR_SUCCESS) {
        return 0;
    }
    mastra_buf_init(&text, LIMIT);
    mastra_json_write(&text, json);
    mastra_buf_free(&text);
    mastra_json_unref(json);
    return 0;
}
