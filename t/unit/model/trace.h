/* Events of a model call written down as lines of text, to compare. */
#ifndef TRACE_H
#define TRACE_H

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/internal.h"
#include "tap.h"

typedef struct {
    mastra_buf_t text;
    int events;
    int pause_at;            /* on_event number that returns 0; -1: each */
    int with_response;       /* write down what RESPONSE holds */
} trace_t;

static inline void trace_init(trace_t *trace)
{
    memset(trace, 0, sizeof(*trace));
    mastra_buf_init(&trace->text, 64 * 1024 * 1024);
}

static inline void trace_json(trace_t *trace, const mastra_json_t *json)
{
    if (json) {
        mastra_json_write(&trace->text, json);
    }
}

static inline const char *trace_name(mastra_model_event_e type)
{
    static const char *const names[] = {
        "request", "response", "reasoning", "text", "start", "delta", "end",
        "call", "raw", "finish"
    };

    return names[type];
}

/* "name field field …" and a line feed. REQUEST is written without its text,
 * which other tests look at. */
static inline int trace_event(void *baton, const mastra_model_event_t *event)
{
    trace_t *trace = baton;
    mastra_buf_t *out = &trace->text;

    mastra_buf_puts(out, trace_name(event->type));
    if (event->id) {
        mastra_buf_printf(out, " %s", event->id);
    }
    if (event->name) {
        mastra_buf_printf(out, " %s", event->name);
    }
    if (event->reason) {
        mastra_buf_printf(out, " %s/%s ", event->reason,
                          event->raw_reason ? event->raw_reason : "-");
        mastra_buf_printf(out, "%d", (int)mastra_json_get_int(event->json,
                                                              "totalTokens",
                                                              -1));
        trace_json(trace, event->body);
    }
    else if (event->type != MASTRA_MODEL_RESPONSE || trace->with_response) {
        mastra_buf_puts(out, event->json ? " " : "");
        trace_json(trace, event->json);
    }
    if (event->text && event->type != MASTRA_MODEL_REQUEST) {
        mastra_buf_puts(out, " [");
        mastra_buf_add(out, event->text, event->len);
        mastra_buf_puts(out, "]");
    }
    mastra_buf_puts(out, "\n");
    trace->events++;
    return trace->pause_at >= 0 && trace->pause_at != trace->events;
}

static inline const char *trace_text(const trace_t *trace)
{
    return trace->text.data ? trace->text.data : "";
}

#endif
