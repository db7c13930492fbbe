#ifndef MASTRA_NET_SSE_H
#define MASTRA_NET_SSE_H

#include "../base/text.h"

/*
 * Incremental parser of text/event-stream (WHATWG HTML, "Server-sent
 * events"): LF, CR and CRLF, comments skipped, data lines joined, BOM
 * skipped. Memory is held only while an event is incomplete.
 */
typedef struct mastra_sse_t mastra_sse_t;
/* event: its name or NULL; data NUL-terminated. Return 0 to stop: feed then
 * returns APR_EGENERAL. */
typedef int (mastra_sse_cb)(void *baton, const char *event, const char *data,
                            apr_size_t len);

/* max_event: ceiling in bytes of one event. From malloc; free it. */
mastra_sse_t *mastra_sse_make(apr_size_t max_event, mastra_sse_cb *cb,
                              void *baton);
void mastra_sse_free(mastra_sse_t *sse);
/* APR_ENOSPC when an event passes its ceiling. */
apr_status_t mastra_sse_feed(mastra_sse_t *sse, const char *data,
                             apr_size_t len);
/* 1 when bytes of an unfinished event are held (the stream was cut). */
int mastra_sse_is_partial(const mastra_sse_t *sse);

#endif
