/* The event-stream parser must not depend on how the stream was cut. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/sse.h"

#define MAX_EVENT 512

typedef struct {
    mastra_buf_t text;
    int stop_at;
} notes_t;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int note_cb(void *baton, const char *event, const char *data,
                   apr_size_t len)
{
    notes_t *notes = baton;

    if (data[len]) {
        abort();
    }
    mastra_buf_puts(&notes->text, event ? event : "-");
    mastra_buf_add(&notes->text, "|", 1);
    mastra_buf_add(&notes->text, data, len);
    mastra_buf_add(&notes->text, ";", 1);
    return 1;
}

/* Feeds all of data in steps; what came out stays in notes. */
static apr_status_t parse(notes_t *notes, const char *data, size_t size,
                          size_t step)
{
    mastra_sse_t *sse = mastra_sse_make(MAX_EVENT, note_cb, notes);
    apr_status_t rv = APR_SUCCESS;
    size_t at, len;

    mastra_buf_init(&notes->text, 4 * size + 16);
    for (at = 0; at < size && rv == APR_SUCCESS; at += len) {
        char *part;

        len = step < size - at ? step : size - at;
        part = malloc(len);
        memcpy(part, data + at, len);
        rv = mastra_sse_feed(sse, part, len);
        free(part);
    }
    mastra_sse_free(sse);
    return rv;
}

static int same(const notes_t *a, const notes_t *b)
{
    return a->text.len == b->text.len
           && (!a->text.len || !memcmp(a->text.data, b->text.data,
                                       a->text.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    notes_t whole, bytes, parts;
    apr_status_t rv;

    rv = parse(&whole, (const char *)data, size, size ? size : 1);
    if (parse(&bytes, (const char *)data, size, 1) != rv
        || parse(&parts, (const char *)data, size, 7) != rv
        || (rv == APR_SUCCESS
            && (!same(&whole, &bytes) || !same(&whole, &parts)))) {
        abort();
    }
    mastra_buf_free(&whole.text);
    mastra_buf_free(&bytes.text);
    mastra_buf_free(&parts.text);
    return 0;
}
