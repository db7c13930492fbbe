/* Chunks as frames of a log. */

#include <string.h>

#include "internal.h"
#include "../base/text.h"

#define FRAME_LIMIT (64 * 1024 * 1024)

int mastra_log_chunk(mastra_log_t *log, const mastra_json_t *chunk)
{
    mastra_buf_t buf;
    int go = 1;

    mastra_buf_init(&buf, FRAME_LIMIT);
    if (!mastra_json_write(&buf, chunk)) {
        go = mastra_log_append(log, buf.data, buf.len);
    }
    mastra_buf_free(&buf);
    return go;
}

int mastra_log_text(mastra_log_t *log, const char *run_id, const char *type,
                    const char *id, const char *text, apr_size_t len)
{
    mastra_buf_t buf;
    int go;

    mastra_buf_init(&buf, FRAME_LIMIT);
    mastra_buf_printf(&buf, "{\"type\":\"%s\",\"runId\":", type);
    mastra_buf_json_string(&buf, run_id, strlen(run_id));
    mastra_buf_printf(&buf, ",\"from\":\"AGENT\",\"payload\":{\"id\":\"%s\","
                      "\"text\":", id);
    mastra_buf_json_string(&buf, text, len);
    mastra_buf_puts(&buf, "}}");
    go = mastra_log_append(log, buf.data, buf.len);
    mastra_buf_free(&buf);
    return go;
}

apr_int64_t mastra_log_last(const mastra_log_t *log)
{
    return log->ring.last;
}

int mastra_sink_text(mastra_sink_t *sink, const char *run_id,
                     const char *type, const char *id, const char *text,
                     apr_size_t len)
{
    mastra_json_t *chunk;
    int go;

    if (sink->vtable->text) {
        return sink->vtable->text(sink, run_id, type, id, text, len);
    }
    chunk = mastra_json_pack("{s:s, s:s, s:s, s:{s:s, s:o}}", "type", type,
                             "runId", run_id, "from", "AGENT", "payload", "id",
                             id, "text", mastra_json_stringn(text, len));
    go = sink->vtable->chunk(sink, chunk);
    mastra_json_unref(chunk);
    return go;
}
