/* The stream that an open page of Studio listens to: when it breaks and the
 * next one names another server, the page loads anew. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <ap_mpm.h>

#include "../http/park.h"
#include "internal.h"

#define HEARTBEAT apr_time_from_sec(25)
#define MAX_HELLO 256

typedef struct {
    mastra_exchange_t *ex;
    mastra_loop_t *loop;
    mastra_timer_t heartbeat;
    apr_table_t *headers;        /* of the request's pool */
    char hello[MAX_HELLO];
} listener_t;

static void beat(void *baton)
{
    listener_t *listener = baton;

    mastra_exchange_write(listener->ex, ": ping\n\n", 8);
    mastra_loop_timer_set(listener->loop, &listener->heartbeat, HEARTBEAT,
                          beat, listener);
}

static void begin(mastra_exchange_t *ex, void *baton)
{
    listener_t *listener = baton;

    listener->ex = ex;
    mastra_exchange_head(ex, HTTP_OK, "text/event-stream", -1,
                         listener->headers);
    mastra_exchange_write(ex, listener->hello, strlen(listener->hello));
    mastra_loop_timer_set(listener->loop, &listener->heartbeat, HEARTBEAT,
                          beat, listener);
}

static void gone(void *baton)
{
    listener_t *listener = baton;

    mastra_loop_timer_stop(listener->loop, &listener->heartbeat);
}

static void stopping(void *baton)
{
    listener_t *listener = baton;

    gone(listener);
    mastra_exchange_end(listener->ex);
}

static void release(void *baton)
{
    free(baton);
}

static const mastra_exchange_cbs_t callbacks = { begin, gone, NULL, stopping,
                                                 release };

/* A worker for each page that somebody has left open would soon be all of
 * them: where streams hold one, pages are told that there is nothing to hear. */
static int holds_worker(const request_rec *r)
{
    int is_async = 0;

    ap_mpm_query(AP_MPMQ_IS_ASYNC, &is_async);
    return !is_async || r->connection->master || r->header_only;
}

int mastra_studio_events(request_rec *r, const char *id, mastra_loop_t *loop)
{
    listener_t *listener;

    if (!loop) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    if (holds_worker(r)) {
        r->status = HTTP_NO_CONTENT;
        return OK;
    }
    listener = calloc(1, sizeof(*listener));
    if (!listener) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    listener->loop = loop;
    listener->headers = apr_table_make(r->pool, 2);
    apr_table_setn(listener->headers, "Cache-Control", "no-cache");
    apr_snprintf(listener->hello, sizeof(listener->hello),
                 "id: %s\ndata: connected\n\n", id);
    return mastra_exchange_run(r, &callbacks, listener, 0);
}
