#ifndef MASTRA_RUN_SINK_H
#define MASTRA_RUN_SINK_H

#include "../base/json.h"
#include "../base/result.h"

/*
 * Who receives what a run says: a stream, a collector, a log. All calls on the
 * loop thread. Embedded in the receiver's own struct.
 */
/* Where an event stands in what is said: of which part (a segment of a
 * workflow's run, a claim of a thread), and its sequence there. */
typedef struct {
    int part;
    apr_int64_t seq;
} mastra_event_at_t;

typedef struct mastra_sink_t {
    const struct mastra_sink_vtable_t *vtable;
} mastra_sink_t;

typedef struct mastra_sink_vtable_t {
    /* One chunk; lent. Returns 0 when the receiver is slow (the chunk was
     * taken): the run then pauses its source until it is resumed. */
    int (*chunk)(mastra_sink_t *sink, mastra_json_t *chunk);
    /* A text delta as text, the hot path: the same as chunk with the JSON
     * {"type":"text-delta","runId":…,"from":"AGENT","payload":{"id":…,"text":…}}.
     * Optional. */
    int (*text)(mastra_sink_t *sink, const char *run_id, const char *type,
                const char *id, const char *text, apr_size_t len);
    /* A chunk whose JSON is text already. Only who reads logs calls it. */
    int (*raw)(mastra_sink_t *sink, const char *json, apr_size_t len);
    /* Where the next chunk stands in a log: comes before it. Optional. */
    void (*mark)(mastra_sink_t *sink, mastra_event_at_t at);
    /* A run that was suspended has been taken up. Optional. */
    void (*begun)(mastra_sink_t *sink);
    /* Once, last. A run without stream gives answer (lent); error is NULL when
     * it worked. After chunks were sent an error has been told by chunks and
     * error is NULL, too. */
    void (*end)(mastra_sink_t *sink, mastra_json_t *answer,
                const mastra_result_t *error);
} mastra_sink_vtable_t;

/* text, also for those who take chunks only. */
int mastra_sink_text(mastra_sink_t *sink, const char *run_id,
                     const char *type, const char *id, const char *text,
                     apr_size_t len);

#endif
