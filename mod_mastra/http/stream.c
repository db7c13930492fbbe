/* From a run's chunks to bytes on the wire: frames, heartbeats, the end. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "park.h"
#include "stream.h"
#include "../base/text.h"

#define HEARTBEAT apr_time_from_sec(15)
#define FRAME_LIMIT (64 * 1024 * 1024)   /* bytes of one frame */
/* A whole answer shows the messages in several forms, each of which may be as
 * large as the largest body that hosts usually take. */
#define ANSWER_LIMIT (256 * 1024 * 1024)

typedef struct {
    mastra_sink_t sink;              /* first: the sink is the stream */
    mastra_frame_e frame;
    const mastra_work_vtable_t *vtable;
    void *work;                      /* NULL: over or never begun */
    int begun;
    mastra_exchange_t *ex;           /* NULL: the client is gone */
    const mastra_host_t *host;
    mastra_loop_t *loop;
    const char *request_id;          /* of the request's pool */
    const apr_table_t *headers;      /* of the request's pool */
    int head_sent;
    apr_time_t spoke_at;
    mastra_timer_t heartbeat;
} stream_t;

static const char *const content_types[] = { "application/json",
                                             "text/event-stream",
                                             "text/plain" };

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
    if (stream->frame == MASTRA_FRAME_SSE) {
        mastra_buf_add(buf, "data: ", 6);
    }
}

static void close_frame(stream_t *stream, mastra_buf_t *buf)
{
    if (stream->frame == MASTRA_FRAME_SSE) {
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

static void send_text(stream_t *stream, int status, const char *text,
                      apr_size_t len, const apr_table_t *headers)
{
    mastra_exchange_head(stream->ex, status, "application/json",
                         (apr_off_t)len, headers);
    mastra_exchange_write(stream->ex, text, len);
}

static void send_error(stream_t *stream, const mastra_result_t *error,
                       const char *log_id)
{
    apr_table_t *headers = NULL;
    apr_pool_t *pool;
    const char *text;

    if (apr_pool_create(&pool, NULL)) {
        mastra_exchange_head(stream->ex, error->status, NULL, 0, NULL);
        return;
    }
    if (error->retry_after) {
        headers = apr_table_make(pool, 1);
        apr_table_setn(headers, "Retry-After",
                       apr_itoa(pool, error->retry_after));
    }
    text = log_id ? mastra_error_text_logged(stream->host, log_id, error, pool)
                  : mastra_error_text(stream->host, stream->request_id, error,
                                      pool);
    send_text(stream, error->status, text, strlen(text), headers);
    apr_pool_destroy(pool);
}

static void send_answer(stream_t *stream, mastra_json_t *answer)
{
    mastra_result_t too_large = { .status = 422, .code = "ANSWER_TOO_LARGE",
                                  .message = "The answer is too large" };
    mastra_buf_t buf;

    mastra_buf_init(&buf, ANSWER_LIMIT);
    if (mastra_json_write(&buf, answer)) {
        send_error(stream, &too_large, NULL);
    }
    else {
        send_text(stream, 200, buf.data, buf.len, NULL);
    }
    mastra_buf_free(&buf);
}

static void sink_end(mastra_sink_t *sink, mastra_json_t *answer,
                     const mastra_result_t *error)
{
    stream_t *stream = (stream_t *)sink;
    mastra_exchange_t *ex = stream->ex;
    void *work = stream->work;

    stream->work = NULL;
    mastra_loop_timer_stop(stream->loop, &stream->heartbeat);
    if (!ex) {
        return;
    }
    if (error) {
        send_error(stream, error, work && stream->vtable->log_id
                                      ? stream->vtable->log_id(work) : NULL);
    }
    else if (stream->frame == MASTRA_FRAME_JSON) {
        send_answer(stream, answer);
    }
    else {
        send_head(stream);
        if (stream->frame == MASTRA_FRAME_SSE) {
            mastra_exchange_write(ex, "data: [DONE]\n\n", 14);
        }
    }
    stream->ex = NULL;
    mastra_exchange_end(ex);
}

static const mastra_sink_vtable_t sink_vtable = { sink_chunk, sink_text,
                                                  sink_end };

/* A comment after 15 s of silence keeps proxies from closing the stream;
 * clients skip it. */
static void on_heartbeat(void *baton)
{
    stream_t *stream = baton;
    apr_interval_time_t silent = mastra_loop_now(stream->loop)
                                 - stream->spoke_at;

    if (!stream->ex || !stream->work) {
        return;
    }
    if (silent >= HEARTBEAT) {
        if (stream->head_sent) {
            mastra_exchange_write(stream->ex, ": heartbeat\n\n", 13);
        }
        stream->spoke_at = mastra_loop_now(stream->loop);
        silent = 0;
    }
    mastra_loop_timer_set(stream->loop, &stream->heartbeat, HEARTBEAT - silent,
                          on_heartbeat, stream);
}

/* ---- the exchange's callbacks ---- */

static void on_begin(mastra_exchange_t *ex, void *baton)
{
    stream_t *stream = baton;

    stream->ex = ex;
    stream->begun = 1;
    stream->spoke_at = mastra_loop_now(stream->loop);
    if (stream->frame == MASTRA_FRAME_SSE) {
        mastra_loop_timer_set(stream->loop, &stream->heartbeat, HEARTBEAT,
                              on_heartbeat, stream);
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

/* Nothing was sent yet: a client that may come again does so by itself. */
static void send_stopping(stream_t *stream)
{
    mastra_result_t stopping = { .status = 503, .code = "SERVER_STOPPING",
                                 .message = "The server is restarting",
                                 .retry_after = 1 };

    if (stream->work && !stream->vtable->may_repeat(stream->work)) {
        stopping.status = 424;
        stopping.retry_after = 0;
    }
    send_error(stream, &stopping, "");
}

/* The child stops: the client is told in its own terms. */
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

    if (!ex) {
        return;
    }
    if (stream->frame == MASTRA_FRAME_SSE) {
        send_head(stream);
        mastra_exchange_write(ex, "data: ", 6);
        mastra_exchange_write(ex, last_words, sizeof(last_words) - 1);
        mastra_exchange_write(ex, "\n\ndata: ", 8);
        mastra_exchange_write(ex, finish, sizeof(finish) - 1);
        mastra_exchange_write(ex, "\n\ndata: [DONE]\n\n", 16);
    }
    else if (!stream->head_sent) {
        send_stopping(stream);
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
    stream->host = req->host;
    stream->loop = req->host->loop;
    stream->request_id = req->id;
    if (frame == MASTRA_FRAME_SSE) {
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

static const char *run_log_id(const void *work)
{
    return mastra_agent_run_id(work);
}

static int run_may_repeat(const void *work)
{
    return mastra_agent_run_may_repeat(work);
}

const mastra_work_vtable_t mastra_work_agent_run = { run_begin, run_cancel,
                                                     run_resume, run_discard,
                                                     run_log_id,
                                                     run_may_repeat };
