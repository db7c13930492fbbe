/* From a run's chunks to bytes on the wire: frames, heartbeats, the end. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "park.h"
#include "stream.h"
#include "../agent/hub.h"
#include "../base/text.h"

#define HEARTBEAT apr_time_from_sec(15)
#define WATCH_HEARTBEAT apr_time_from_sec(25)
#define FRAME_LIMIT (64 * 1024 * 1024)   /* bytes of one frame */

typedef struct {
    mastra_sink_t sink;              /* first: the sink is the stream */
    mastra_frame_e frame;
    const mastra_work_vtable_t *vtable;
    void *work;                      /* NULL: over or never begun */
    int begun;
    mastra_exchange_t *ex;           /* NULL: the client is gone */
    mastra_loop_t *loop;
    const apr_table_t *headers;      /* of the request's pool */
    int head_sent;
    apr_time_t spoke_at;
    mastra_timer_t heartbeat;
} stream_t;

static const char *const content_types[] = { "application/json",
                                             "text/event-stream",
                                             "text/event-stream",
                                             "text/plain" };

static int is_sse(const stream_t *stream)
{
    return stream->frame == MASTRA_FRAME_SSE
           || stream->frame == MASTRA_FRAME_WATCH;
}

/* ---- writing: loop ---- */

static void send_head(stream_t *stream)
{
    if (!stream->head_sent) {
        stream->head_sent = 1;
        mastra_exchange_head(stream->ex, 200, content_types[stream->frame], -1,
                             stream->headers);
    }
}

static int send_frame(stream_t *stream, mastra_buf_t *buf)
{
    int go = 1;

    if (stream->ex) {
        send_head(stream);
        stream->spoke_at = mastra_loop_now(stream->loop);
        go = mastra_exchange_write(stream->ex, buf->data, buf->len);
    }
    mastra_buf_free(buf);
    return go;
}

static void open_frame(stream_t *stream, mastra_buf_t *buf)
{
    mastra_buf_init(buf, FRAME_LIMIT);
    if (is_sse(stream)) {
        mastra_buf_add(buf, "data: ", 6);
    }
}

static void close_frame(stream_t *stream, mastra_buf_t *buf)
{
    if (is_sse(stream)) {
        mastra_buf_add(buf, "\n\n", 2);
    }
    else {
        mastra_buf_add(buf, "\x1e", 1);
    }
}

static int sink_chunk(mastra_sink_t *sink, mastra_json_t *chunk)
{
    stream_t *stream = (stream_t *)sink;
    mastra_buf_t buf;

    if (!stream->ex) {
        return 1;
    }
    open_frame(stream, &buf);
    if (mastra_json_write(&buf, chunk)) {
        /* a chunk over the ceiling is left out: the stream goes on */
        mastra_buf_free(&buf);
        return 1;
    }
    close_frame(stream, &buf);
    return send_frame(stream, &buf);
}

static int sink_text(mastra_sink_t *sink, const char *run_id, const char *type,
                     const char *id, const char *text, apr_size_t len)
{
    static const char from[] = ",\"from\":\"AGENT\",\"payload\":{\"id\":\"";
    stream_t *stream = (stream_t *)sink;
    mastra_buf_t buf;

    if (!stream->ex) {
        return 1;
    }
    open_frame(stream, &buf);
    mastra_buf_add(&buf, "{\"type\":\"", 9);
    mastra_buf_puts(&buf, type);
    mastra_buf_add(&buf, "\",\"runId\":", 10);
    mastra_buf_json_string(&buf, run_id, strlen(run_id));
    mastra_buf_add(&buf, from, sizeof(from) - 1);
    mastra_buf_puts(&buf, id);
    mastra_buf_add(&buf, "\",\"text\":", 9);
    mastra_buf_json_string(&buf, text, len);
    mastra_buf_add(&buf, "}}", 2);
    close_frame(stream, &buf);
    return send_frame(stream, &buf);
}

static int sink_raw(mastra_sink_t *sink, const char *json, apr_size_t len)
{
    stream_t *stream = (stream_t *)sink;
    mastra_buf_t buf;

    if (!stream->ex) {
        return 1;
    }
    open_frame(stream, &buf);
    mastra_buf_add(&buf, json, len);
    close_frame(stream, &buf);
    return send_frame(stream, &buf);
}

static void send_json(stream_t *stream, int status, mastra_json_t *json,
                      const apr_table_t *headers)
{
    mastra_buf_t buf;

    mastra_buf_init(&buf, FRAME_LIMIT);
    if (mastra_json_write(&buf, json)) {
        mastra_buf_reset(&buf);
        mastra_buf_puts(&buf, "{\"error\":\"The answer is too large\"}");
        status = 500;
    }
    mastra_exchange_head(stream->ex, status, "application/json",
                         (apr_off_t)buf.len, headers);
    mastra_exchange_write(stream->ex, buf.data, buf.len);
    mastra_buf_free(&buf);
}

static void send_error(stream_t *stream, const mastra_result_t *error)
{
    mastra_json_t *body = mastra_result_to_json(error);
    apr_table_t *headers = NULL;
    apr_pool_t *pool = NULL;

    if (error->retry_after && !apr_pool_create(&pool, NULL)) {
        headers = apr_table_make(pool, 1);
        apr_table_setn(headers, "Retry-After",
                       apr_itoa(pool, error->retry_after));
    }
    send_json(stream, error->status, body, headers);
    mastra_json_unref(body);
    if (pool) {
        apr_pool_destroy(pool);
    }
}

static void sink_end(mastra_sink_t *sink, mastra_json_t *answer,
                     const mastra_result_t *error)
{
    stream_t *stream = (stream_t *)sink;
    mastra_exchange_t *ex = stream->ex;

    stream->work = NULL;
    mastra_loop_timer_stop(stream->loop, &stream->heartbeat);
    if (!ex) {
        return;
    }
    if (error) {
        send_error(stream, error);
    }
    else if (stream->frame == MASTRA_FRAME_JSON) {
        send_json(stream, 200, answer, NULL);
    }
    else {
        send_head(stream);
        if (is_sse(stream)) {
            mastra_exchange_write(ex, "data: [DONE]\n\n", 14);
        }
    }
    stream->ex = NULL;
    mastra_exchange_end(ex);
}

static const mastra_sink_vtable_t sink_vtable = {
    .chunk = sink_chunk, .text = sink_text, .raw = sink_raw, .end = sink_end
};

static apr_interval_time_t heartbeat_of(const stream_t *stream)
{
    return stream->frame == MASTRA_FRAME_WATCH ? WATCH_HEARTBEAT : HEARTBEAT;
}

/* A comment after some silence keeps proxies from closing the stream; clients
 * skip it. */
static void on_heartbeat(void *baton)
{
    stream_t *stream = baton;
    apr_interval_time_t silent = mastra_loop_now(stream->loop)
                                 - stream->spoke_at;

    if (!stream->ex || !stream->work) {
        return;
    }
    if (silent >= heartbeat_of(stream)) {
        if (stream->head_sent) {
            mastra_exchange_write(stream->ex, ": heartbeat\n\n", 13);
        }
        stream->spoke_at = mastra_loop_now(stream->loop);
        silent = 0;
    }
    mastra_loop_timer_set(stream->loop, &stream->heartbeat,
                          heartbeat_of(stream) - silent, on_heartbeat, stream);
}

/* ---- the exchange's callbacks ---- */

static void on_begin(mastra_exchange_t *ex, void *baton)
{
    stream_t *stream = baton;

    stream->ex = ex;
    stream->begun = 1;
    stream->spoke_at = mastra_loop_now(stream->loop);
    if (is_sse(stream)) {
        mastra_loop_timer_set(stream->loop, &stream->heartbeat,
                              heartbeat_of(stream), on_heartbeat, stream);
    }
    if (stream->frame == MASTRA_FRAME_WATCH) {
        send_head(stream);
        mastra_exchange_write(ex, ": connected\n\n", 13);
    }
    stream->vtable->begin(stream->work, &stream->sink);
}

static void cancel_work(void *baton)
{
    stream_t *stream = baton;

    if (stream->work) {
        void *work = stream->work;

        stream->work = NULL;
        stream->vtable->cancel(work);
    }
}

static void on_gone(void *baton)
{
    stream_t *stream = baton;

    stream->ex = NULL;
    mastra_loop_timer_stop(stream->loop, &stream->heartbeat);
    cancel_work(stream);
}

static void on_drain(void *baton)
{
    stream_t *stream = baton;

    if (stream->work && stream->ex) {
        stream->vtable->resume(stream->work);
    }
}

/* The child stops: the client is told in its own terms and may come again. */
static void on_stopping(void *baton)
{
    static const char last_words[] =
        "{\"type\":\"error\",\"from\":\"SYSTEM\",\"payload\":{\"type\":\"error\","
        "\"error\":{\"message\":\"The server is restarting\","
        "\"code\":\"SERVER_STOPPING\"}}}";
    static const char finish[] =
        "{\"type\":\"finish\",\"from\":\"SYSTEM\",\"payload\":{\"stepResult\":"
        "{\"reason\":\"error\",\"isContinued\":false},\"output\":{\"usage\":{}}}}";
    stream_t *stream = baton;
    mastra_exchange_t *ex = stream->ex;
    mastra_json_t *body;

    if (!ex) {
        return;
    }
    if (stream->frame == MASTRA_FRAME_WATCH) {
        /* the runs go on elsewhere: whoever watches comes again */
        mastra_exchange_write(ex, "data: [DONE]\n\n", 14);
    }
    else if (is_sse(stream)) {
        send_head(stream);
        mastra_exchange_write(ex, "data: ", 6);
        mastra_exchange_write(ex, last_words, sizeof(last_words) - 1);
        mastra_exchange_write(ex, "\n\ndata: ", 8);
        mastra_exchange_write(ex, finish, sizeof(finish) - 1);
        mastra_exchange_write(ex, "\n\ndata: [DONE]\n\n", 16);
    }
    else if (!stream->head_sent) {
        body = mastra_json_pack("{s:s}", "error", "The server is restarting");
        send_json(stream, 503, body, NULL);
        mastra_json_unref(body);
    }
    stream->ex = NULL;
    mastra_loop_timer_stop(stream->loop, &stream->heartbeat);
    mastra_exchange_end(ex);
    cancel_work(stream);
}

static void on_release(void *baton)
{
    stream_t *stream = baton;

    if (!stream->begun && stream->work) {
        stream->vtable->discard(stream->work);
    }
    free(stream);
}

static const mastra_exchange_cbs_t exchange_cbs = { on_begin, on_gone, on_drain,
                                                    on_stopping, on_release };

int mastra_stream_run(mastra_req_t *req, mastra_frame_e frame,
                      const mastra_work_vtable_t *vtable, void *work)
{
    stream_t *stream = calloc(1, sizeof(*stream));

    if (!stream) {
        vtable->discard(work);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    stream->sink.vtable = &sink_vtable;
    stream->frame = frame;
    stream->vtable = vtable;
    stream->work = work;
    stream->loop = req->host->loop;
    if (is_sse(stream)) {
        apr_table_t *headers = apr_table_make(req->pool, 2);

        apr_table_setn(headers, "Cache-Control", "no-cache");
        apr_table_setn(headers, "X-Accel-Buffering", "no");
        stream->headers = headers;
    }
    return mastra_exchange_run(req->r, &exchange_cbs, stream, req->internal);
}

/* ---- agent runs as work ---- */

static void run_begin(void *work, mastra_sink_t *sink)
{
    mastra_agent_run_begin(work, sink);
}

static void run_cancel(void *work)
{
    mastra_agent_run_cancel(work);
}

static void run_resume(void *work)
{
    mastra_agent_run_resume(work);
}

static void run_discard(void *work)
{
    mastra_agent_run_discard(work);
}

const mastra_work_vtable_t mastra_work_agent_run = { run_begin, run_cancel,
                                                     run_resume, run_discard };

/* ---- watching ---- */

static void sub_begin(void *work, mastra_sink_t *sink)
{
    mastra_subscriber_begin(work, sink);
}

static void sub_cancel(void *work)
{
    mastra_subscriber_cancel(work);
}

static void sub_resume(void *work)
{
    mastra_subscriber_resume(work);
}

static void sub_discard(void *work)
{
    mastra_subscriber_discard(work);
}

const mastra_work_vtable_t mastra_work_subscriber = { sub_begin, sub_cancel,
                                                      sub_resume,
                                                      sub_discard };

/* ---- decisions: one answer, and the run goes on by itself ---- */

static void verdict_begin(void *work, mastra_sink_t *sink)
{
    mastra_verdict_begin(work, sink);
}

static void verdict_cancel(void *work)
{
    mastra_verdict_cancel(work);
}

static void verdict_resume(void *work)
{
    /* it never says anything that the client could be too slow for */
}

static void verdict_discard(void *work)
{
    mastra_verdict_discard(work);
}

const mastra_work_vtable_t mastra_work_verdict = { verdict_begin,
                                                   verdict_cancel,
                                                   verdict_resume,
                                                   verdict_discard };
