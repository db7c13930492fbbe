/* From a run's chunks to bytes on the wire: frames, heartbeats, the end. */

#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_strings.h>

#include "answer.h"
#include "event_id.h"
#include "middleware.h"
#include "onerror.h"
#include "park.h"
#include "stream.h"
#include "../base/text.h"

#define LOOK_EVERY apr_time_from_msec(50)
#define HEARTBEAT apr_time_from_sec(15)
#define WATCH_HEARTBEAT apr_time_from_sec(25)
#define FRAME_LIMIT (256 * 1024 * 1024)

typedef struct stream_t {
    mastra_sink_t sink;              /* first: the sink is the stream */
    mastra_frame_e frame;
    const mastra_work_vtable_t *vtable;
    void *work;                      /* NULL: over or never begun */
    int begun;
    mastra_exchange_t *ex;           /* NULL: the client is gone */
    mastra_req_t *req;               /* quiet until it has its head */
    mastra_loop_t *loop;
    const apr_table_t *headers;      /* of the request's pool */
    int head_sent;
    int full;                        /* the client takes less than it is given */
    int ending;                      /* only the end is still to be written */
    int failed;                      /* words only: an error was among them */
    int ids;                         /* the client wants to know */
    mastra_event_at_t at;            /* of the next chunk; seq 0: it has none */
    apr_size_t joint;                /* where a record's chunk begins */
    int keep;                        /* the work goes on without a client */
    int kept;                        /* it does now: in the list */
    struct stream_t *next, *prev;    /* of those */
    apr_uint32_t refs;               /* the exchange, and work that is kept */
    mastra_answer_t *answer;         /* is being printed */
    mastra_onerror_t *asked;         /* what to say of a failure */
    const mastra_result_t *error;    /* meanwhile: the failure, */
    const char *error_text;          /* and what is said otherwise */
    apr_pool_t *error_pool;
    mastra_timer_t deadline;
    apr_interval_time_t timeout;
    apr_time_t spoke_at;
    mastra_timer_t heartbeat;
} stream_t;

static const char *const content_types[] = { "application/json",
                                             "text/event-stream",
                                             "text/event-stream",
                                             "text/plain",
                                             "text/plain; charset=utf-8" };

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

static mastra_buf_t *open_frame(stream_t *stream)
{
    mastra_buf_t *buf = mastra_exchange_scratch(FRAME_LIMIT);

    if (stream->ids && stream->at.seq) {
        stream->joint = mastra_event_id_put(buf, stream->at, is_sse(stream));
        stream->at.seq = 0;
    }
    if (is_sse(stream)) {
        mastra_buf_add(buf, "data: ", 6);
    }
    return buf;
}

static int send_frame(stream_t *stream, mastra_buf_t *buf)
{
    if (stream->joint) {
        buf->data[stream->joint] = ',';
        stream->joint = 0;
    }
    if (is_sse(stream)) {
        mastra_buf_add(buf, "\n\n", 2);
    }
    else {
        mastra_buf_add(buf, "\x1e", 1);
    }
    send_head(stream);
    stream->spoke_at = mastra_loop_now(stream->loop);
    stream->full = !mastra_exchange_write(stream->ex, buf->data, buf->len);
    return !stream->full;
}

static int send_words(stream_t *stream, const char *text, apr_size_t len)
{
    send_head(stream);
    stream->full = !mastra_exchange_write(stream->ex, text, len);
    return !stream->full;
}

static void cut(stream_t *stream)
{
    mastra_exchange_t *ex = stream->ex;

    stream->ex = NULL;
    mastra_loop_timer_stop(stream->loop, &stream->heartbeat);
    mastra_exchange_cut(ex);
}

/* Words alone cannot say that they are not all: the connection does. */
static int say_words(stream_t *stream, const mastra_json_t *chunk)
{
    const char *type = mastra_json_get_str(chunk, "type");
    const mastra_json_t *text = mastra_json_path(chunk, "payload", "text",
                                                 NULL);

    if (type && !strcmp(type, "error")) {
        stream->failed = 1;
    }
    return type && !strcmp(type, "text-delta") && mastra_json_len(text)
           ? send_words(stream, mastra_json_str(text), mastra_json_len(text))
           : 1;
}

static int sink_chunk(mastra_sink_t *sink, mastra_json_t *chunk)
{
    stream_t *stream = (stream_t *)sink;
    mastra_buf_t *buf;

    if (!stream->ex) {
        return 1;
    }
    if (stream->frame == MASTRA_FRAME_TEXT) {
        return say_words(stream, chunk);
    }
    buf = open_frame(stream);
    if (mastra_json_write(buf, chunk)) {
        /* a chunk over the ceiling is left out: the stream goes on */
        stream->joint = 0;
        return 1;
    }
    return send_frame(stream, buf);
}

static int sink_text(mastra_sink_t *sink, const char *run_id, const char *type,
                     const char *id, const char *text, apr_size_t len)
{
    static const char from[] = ",\"from\":\"AGENT\",\"payload\":{\"id\":\"";
    stream_t *stream = (stream_t *)sink;
    mastra_buf_t *buf;

    if (!stream->ex) {
        return 1;
    }
    if (stream->frame == MASTRA_FRAME_TEXT) {
        return strcmp(type, "text-delta") ? 1 : send_words(stream, text, len);
    }
    buf = open_frame(stream);
    mastra_buf_add(buf, "{\"type\":\"", 9);
    mastra_buf_puts(buf, type);
    mastra_buf_add(buf, "\",\"runId\":", 10);
    mastra_buf_json_string(buf, run_id, strlen(run_id));
    mastra_buf_add(buf, from, sizeof(from) - 1);
    mastra_buf_puts(buf, id);
    mastra_buf_add(buf, "\",\"text\":", 9);
    mastra_buf_json_string(buf, text, len);
    mastra_buf_add(buf, "}}", 2);
    return send_frame(stream, buf);
}

static int sink_raw(mastra_sink_t *sink, const char *json, apr_size_t len)
{
    stream_t *stream = (stream_t *)sink;
    mastra_buf_t *buf;

    if (!stream->ex) {
        return 1;
    }
    buf = open_frame(stream);
    mastra_buf_add(buf, json, len);
    return send_frame(stream, buf);
}

static void sink_mark(mastra_sink_t *sink, mastra_event_at_t at)
{
    ((stream_t *)sink)->at = at;
}

static void send_text(stream_t *stream, int status, const char *type,
                      const char *text, apr_size_t len,
                      const apr_table_t *headers)
{
    mastra_exchange_head(stream->ex, status, type, (apr_off_t)len, headers);
    mastra_exchange_write(stream->ex, text, len);
}

static void end_exchange(stream_t *stream)
{
    mastra_exchange_t *ex = stream->ex;

    stream->ex = NULL;
    mastra_exchange_end(ex);
}

/* What is said of the failure that somebody else was asked about. */
static void on_asked(void *baton, int status, const char *type,
                     const char *body, apr_size_t len)
{
    stream_t *stream = baton;
    const mastra_result_t *error = stream->error;

    stream->asked = NULL;
    if (status) {
        send_text(stream, status, type, body, len, NULL);
    }
    else {
        send_text(stream, error->status, "application/json",
                  stream->error_text, strlen(stream->error_text),
                  mastra_error_retry_after(error, stream->error_pool));
    }
    apr_pool_destroy(stream->error_pool);
    end_exchange(stream);
}

/* Nothing comes any more of what was on its way. */
static void stop_waiting(stream_t *stream)
{
    mastra_answer_cancel(stream->answer);
    stream->answer = NULL;
    if (stream->asked) {
        mastra_onerror_cancel(stream->asked);
        stream->asked = NULL;
        apr_pool_destroy(stream->error_pool);
    }
}

/* 1: it is sent; 0: it will be, and the end with it. */
static int send_error(stream_t *stream, const mastra_result_t *error,
                      const char *log_id, int may_ask)
{
    mastra_answered_t instead;
    apr_pool_t *pool;
    const char *text;

    if (apr_pool_create(&pool, NULL)) {
        mastra_exchange_head(stream->ex, error->status, NULL, 0, NULL);
        return 1;
    }
    text = log_id ? mastra_error_text_logged(stream->req->host, log_id, error, pool)
                  : mastra_error_text(stream->req->host, stream->req->id,
                                      error, pool);
    if (mastra_middleware_error(&instead, stream->req, error)) {
        send_text(stream, instead.status, instead.type, instead.body,
                  instead.len, mastra_error_retry_after(error, pool));
    }
    else {
        if (may_ask && mastra_onerror_is_for(stream->req)) {
            stream->error_pool = pool;
            stream->error = mastra_result_copy(pool, error);
            stream->error_text = text;
            stream->asked = mastra_onerror_ask(stream->req, stream->error,
                                               text, on_asked, stream);
            if (stream->asked) {
                return 0;
            }
        }
        send_text(stream, error->status, "application/json", text,
                  strlen(text), mastra_error_retry_after(error, pool));
    }
    apr_pool_destroy(pool);
    return 1;
}

static int too_large(stream_t *stream)
{
    static const mastra_result_t error = {
        .status = 422, .code = "ANSWER_TOO_LARGE",
        .message = "The answer is too large"
    };

    return send_error(stream, &error, NULL, 1);
}

static void on_answer(void *baton, mastra_answer_e how)
{
    stream_t *stream = baton;

    stream->answer = NULL;
    if (how == MASTRA_ANSWER_SENT || too_large(stream)) {
        end_exchange(stream);
    }
}

/* 1: it is sent; 0: it will be, and the end with it. */
static int send_answer(stream_t *stream, mastra_json_t *answer)
{
    mastra_answer_e how = mastra_answer_send(&stream->answer, stream->ex,
                                             stream->req->host->large, answer,
                                             on_answer, stream);

    return how == MASTRA_ANSWER_TOO_LARGE ? too_large(stream)
                                          : how == MASTRA_ANSWER_SENT;
}

static void send_end(stream_t *stream)
{
    send_head(stream);
    if (is_sse(stream)) {
        mastra_exchange_write(stream->ex, "data: [DONE]\n\n", 14);
    }
}

/* ---- work that goes on without its client ---- */

/* Of this child; on the loop, but n. */
static struct {
    stream_t *first;
    int closed;                      /* the child ends: no more */
    apr_uint32_t n;
} left_alone;

/* The exchange is over, or the work that is kept. */
static void drop(stream_t *stream)
{
    if (!apr_atomic_dec32(&stream->refs)) {
        free(stream);
    }
}

static void link_kept(stream_t *stream)
{
    stream->kept = 1;
    stream->next = left_alone.first;
    if (stream->next) {
        stream->next->prev = stream;
    }
    left_alone.first = stream;
    apr_atomic_inc32(&left_alone.n);
}

static void unlink_kept(stream_t *stream)
{
    if (!stream->kept) {
        return;
    }
    stream->kept = 0;
    if (stream->prev) {
        stream->prev->next = stream->next;
    }
    else {
        left_alone.first = stream->next;
    }
    if (stream->next) {
        stream->next->prev = stream->prev;
    }
    apr_atomic_dec32(&left_alone.n);
}

/* The work is over: its sink is not called any more. */
static void forget_work(stream_t *stream)
{
    mastra_loop_timer_stop(stream->loop, &stream->heartbeat);
    mastra_loop_timer_stop(stream->loop, &stream->deadline);
    unlink_kept(stream);
    if (stream->keep) {
        drop(stream);
    }
}

static void cancel_work(stream_t *stream)
{
    if (stream->work) {
        void *work = stream->work;

        stream->work = NULL;
        stream->vtable->cancel(work);
        forget_work(stream);
    }
}

void mastra_stream_wait(apr_interval_time_t limit)
{
    apr_time_t until = apr_time_now() + limit;

    while (apr_atomic_read32(&left_alone.n) && apr_time_now() < until) {
        apr_sleep(LOOK_EVERY);
    }
}

void mastra_stream_close(void *baton)
{
    left_alone.closed = 1;
    while (left_alone.first) {
        cancel_work(left_alone.first);
    }
}

/* ---- the work's end: loop ---- */

static int say_end(stream_t *stream, mastra_json_t *answer,
                   const mastra_result_t *error, const char *log_id)
{
    static const mastra_result_t no_words = {
        .status = 424, .code = "RUN_FAILED",
        .message = "The agent could not answer"
    };

    if (error) {
        return send_error(stream, error, log_id, 1);
    }
    if (stream->frame == MASTRA_FRAME_JSON) {
        return send_answer(stream, answer);
    }
    if (stream->full) {
        stream->ending = 1;
        return 0;
    }
    if (stream->failed && !stream->head_sent) {
        return send_error(stream, &no_words, log_id, 1);
    }
    if (stream->failed) {
        cut(stream);
        return 0;
    }
    send_end(stream);
    return 1;
}

static void sink_end(mastra_sink_t *sink, mastra_json_t *answer,
                     const mastra_result_t *error)
{
    stream_t *stream = (stream_t *)sink;
    void *work = stream->work;

    stream->work = NULL;
    if (stream->ex
        && say_end(stream, answer, error, work && stream->vtable->log_id
                                              ? stream->vtable->log_id(work)
                                              : NULL)) {
        end_exchange(stream);
    }
    forget_work(stream);
}

static const mastra_sink_vtable_t sink_vtable = {
    .chunk = sink_chunk, .text = sink_text, .raw = sink_raw, .mark = sink_mark,
    .end = sink_end
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
        if (stream->head_sent && !stream->full) {
            mastra_exchange_write(stream->ex, ": heartbeat\n\n", 13);
        }
        stream->spoke_at = mastra_loop_now(stream->loop);
        silent = 0;
    }
    mastra_loop_timer_set(stream->loop, &stream->heartbeat,
                          heartbeat_of(stream) - silent, on_heartbeat, stream);
}

static void on_deadline(void *baton)
{
    static const mastra_result_t late = {
        .status = 504, .code = "TIMEOUT",
        .message = "The answer took longer than this server allows"
    };
    stream_t *stream = baton;

    if (stream->ex && send_error(stream, &late, NULL, 0)) {
        end_exchange(stream);
    }
    cancel_work(stream);
}

/* ---- the exchange's callbacks ---- */

static void on_begin(mastra_exchange_t *ex, void *baton)
{
    stream_t *stream = baton;

    stream->ex = ex;
    stream->begun = 1;
    stream->refs += stream->keep;
    stream->spoke_at = mastra_loop_now(stream->loop);
    if (is_sse(stream)) {
        mastra_loop_timer_set(stream->loop, &stream->heartbeat,
                              heartbeat_of(stream), on_heartbeat, stream);
    }
    /* a run keeps the time itself, and tells what it was about */
    if (stream->frame == MASTRA_FRAME_JSON && stream->timeout
        && stream->vtable != &mastra_work_agent_run) {
        mastra_loop_timer_set(stream->loop, &stream->deadline,
                              stream->timeout, on_deadline, stream);
    }
    if (stream->vtable == &mastra_work_subscriber
        || stream->frame == MASTRA_FRAME_WATCH) {
        /* what is watched may be silent for long */
        send_head(stream);
    }
    if (stream->frame == MASTRA_FRAME_WATCH) {
        mastra_exchange_write(ex, ": connected\n\n", 13);
    }
    stream->vtable->begin(stream->work, &stream->sink);
}

static void on_gone(void *baton)
{
    stream_t *stream = baton;

    stream->ex = NULL;
    stop_waiting(stream);
    if (!stream->work) {
        return;
    }
    if (!stream->keep || left_alone.closed) {
        cancel_work(stream);
        return;
    }
    mastra_loop_timer_stop(stream->loop, &stream->heartbeat);
    link_kept(stream);
    if (stream->full) {
        stream->full = 0;
        stream->vtable->resume(stream->work);
    }
}

static void on_drain(void *baton)
{
    stream_t *stream = baton;

    stream->full = 0;
    if (!stream->ex) {
        return;
    }
    if (stream->ending && stream->failed) {
        cut(stream);
    }
    else if (stream->ending) {
        send_end(stream);
        end_exchange(stream);
    }
    else if (stream->work) {
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
    send_error(stream, &stopping, "", 0);
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

    /* an answer that is being printed comes in time */
    if (!ex || stream->answer) {
        return;
    }
    stop_waiting(stream);
    if (stream->full) {
        /* it would not come to the last words in time */
        cut(stream);
        cancel_work(stream);
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
        send_stopping(stream);
    }
    mastra_loop_timer_stop(stream->loop, &stream->heartbeat);
    end_exchange(stream);
    cancel_work(stream);
}

static void on_release(void *baton)
{
    stream_t *stream = baton;

    if (!stream->begun && stream->work) {
        stream->vtable->discard(stream->work);
    }
    drop(stream);
}

static const mastra_exchange_cbs_t exchange_cbs = { on_begin, on_gone, on_drain,
                                                    on_stopping, on_release };

static int run(mastra_req_t *req, mastra_frame_e frame,
               const mastra_work_vtable_t *vtable, void *work, int keep)
{
    stream_t *stream = calloc(1, sizeof(*stream));
    int rc;

    if (!stream) {
        vtable->discard(work);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    stream->sink.vtable = &sink_vtable;
    stream->frame = frame;
    stream->vtable = vtable;
    stream->work = work;
    stream->req = req;
    stream->loop = req->host->loop;
    stream->ids = mastra_event_id_asked(req);
    stream->keep = keep;
    stream->refs = 1;
    stream->timeout = req->host->timeout;
    if (is_sse(stream)) {
        apr_table_t *headers = apr_table_make(req->pool, 2);

        apr_table_setn(headers, "Cache-Control", "no-cache");
        apr_table_setn(headers, "X-Accel-Buffering", "no");
        stream->headers = headers;
    }
    mastra_middleware_follow(req);
    rc = mastra_exchange_run(req->r, &exchange_cbs, stream, req->internal);
    return rc == HTTP_SERVICE_UNAVAILABLE ? mastra_reply_full(req) : rc;
}

int mastra_stream_run(mastra_req_t *req, mastra_frame_e frame,
                      const mastra_work_vtable_t *vtable, void *work)
{
    return run(req, frame, vtable, work, 0);
}

int mastra_stream_run_kept(mastra_req_t *req, mastra_frame_e frame,
                           const mastra_work_vtable_t *vtable, void *work)
{
    return run(req, frame, vtable, work, 1);
}
