#ifndef MASTRA_HTTP_STREAM_H
#define MASTRA_HTTP_STREAM_H

#include "router.h"
#include "../run/sink.h"

/*
 * Work whose answer goes to a client: an agent's run, a tool's call. The
 * request is parked (park.h) while the work goes on; what it says is framed
 * here.
 */
typedef enum {
    MASTRA_FRAME_JSON,       /* one JSON answer at the end */
    MASTRA_FRAME_SSE,        /* "data: …\n\n", [DONE] at the end */
    MASTRA_FRAME_WATCH,      /* the same of a thread: begins with a comment,
                                lasts until the client leaves */
    MASTRA_FRAME_RECORD,     /* one JSON and 0x1E per chunk, text/plain */
    MASTRA_FRAME_TEXT        /* the words alone, text/plain */
} mastra_frame_e;

/* All on the loop, but discard. */
typedef struct {
    void (*begin)(void *work, mastra_sink_t *sink);
    /* the client left: stop; the sink is not called again */
    void (*cancel)(void *work);
    void (*resume)(void *work);      /* the sink takes chunks again */
    void (*discard)(void *work);     /* never begun: free it; any thread */
    /* The id under which the work logs its own failures; NULL: it does not. */
    const char *(*log_id)(const void *work);
    /* 0: what the work did so far must not be done twice. */
    int (*may_repeat)(const void *work);
} mastra_work_vtable_t;

/* Runs work for req; takes it over. Returns what the handler returns. */
int mastra_stream_run(mastra_req_t *req, mastra_frame_e frame,
                      const mastra_work_vtable_t *vtable, void *work);

/* The same for work that goes on to its end, heard by nobody, when the client
 * leaves. */
int mastra_stream_run_kept(mastra_req_t *req, mastra_frame_e frame,
                           const mastra_work_vtable_t *vtable, void *work);
/* While the loop runs: lets such work end, so long at most. */
void mastra_stream_wait(apr_interval_time_t limit);
/* Loop, for mastra_park_on_limit: the child ends, and so does such work. */
void mastra_stream_close(void *baton);

extern const mastra_work_vtable_t mastra_work_agent_run;
extern const mastra_work_vtable_t mastra_work_subscriber;
extern const mastra_work_vtable_t mastra_work_verdict;

#endif
