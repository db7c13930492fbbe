/* Runs a model call on a loop of its own and waits for its end. */
#ifndef DRIVE_H
#define DRIVE_H

#include <pthread.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "net/client.h"
#include "net/loop.h"
#include "trace.h"

#ifndef BODY_H
static apr_pool_t *pool;
#endif
static mastra_loop_t *loop;

/* One call and what became of it. Only the loop touches it while it runs. */
typedef struct {
    mastra_msg_t msg;
    mastra_timer_t timer;
    const mastra_model_provider_t *provider;
    mastra_model_request_t request;
    mastra_model_call_t *call;
    trace_t trace;
    int resume_ms;           /* > 0: resume so long after each pause; < 0: the
                                test does it */
    int status;              /* of the error, 0: none */
    char code[64], message[256], cause[3000];
    int retry_after;
    int dones;
    apr_time_t started, ended;
    char *body;              /* of the first REQUEST */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int step;                /* 1: done, or what drive_on_loop asked for */
} drive_t;

static inline void drive_wake(drive_t *drive)
{
    pthread_mutex_lock(&drive->lock);
    drive->step = 1;
    pthread_cond_signal(&drive->cond);
    pthread_mutex_unlock(&drive->lock);
}

static inline void drive_wait(drive_t *drive)
{
    pthread_mutex_lock(&drive->lock);
    while (!drive->step) {
        pthread_cond_wait(&drive->cond, &drive->lock);
    }
    drive->step = 0;
    pthread_mutex_unlock(&drive->lock);
}

static void drive_resume_cb(void *baton)
{
    drive_t *drive = baton;

    mastra_model_resume(drive->call);
}

static int drive_event(void *baton, const mastra_model_event_t *event)
{
    drive_t *drive = baton;
    int more = trace_event(&drive->trace, event);

    if (event->type == MASTRA_MODEL_REQUEST && !drive->body) {
        drive->body = strndup(event->text, event->len);
    }
    if (!more && drive->resume_ms > 0) {
        mastra_loop_timer_set(loop, &drive->timer,
                              apr_time_from_msec(drive->resume_ms),
                              drive_resume_cb, drive);
    }
    return more;
}

static void drive_done(void *baton, const mastra_result_t *error)
{
    drive_t *drive = baton;

    drive->dones++;
    drive->call = NULL;
    drive->ended = apr_time_now();
    if (error) {
        drive->status = error->status;
        drive->retry_after = error->retry_after;
        apr_cpystrn(drive->code, error->code, sizeof(drive->code));
        apr_cpystrn(drive->message, error->message, sizeof(drive->message));
        apr_cpystrn(drive->cause, error->cause ? error->cause : "",
                    sizeof(drive->cause));
    }
    drive_wake(drive);
}

static const mastra_model_cbs_t drive_cbs = { drive_event, drive_done };

/* The request is gone when mastra_model_start has returned. */
static apr_status_t drive_start_copy(drive_t *drive)
{
    mastra_model_request_t copy = drive->request;
    char *model_id = strdup(copy.model_id);
    apr_status_t rv;

    copy.model_id = model_id;
    copy.prompt = mastra_json_copy(copy.prompt);
    copy.tools = mastra_json_copy(copy.tools);
    copy.settings = mastra_json_copy(copy.settings);
    copy.response_schema = mastra_json_copy(copy.response_schema);
    rv = mastra_model_start(&drive->call, loop, drive->provider, &copy,
                            &drive_cbs, drive);
    free(model_id);
    mastra_json_unref(copy.prompt);
    mastra_json_unref(copy.tools);
    mastra_json_unref(copy.settings);
    mastra_json_unref(copy.response_schema);
    return rv;
}

static void drive_start_cb(void *baton)
{
    drive_t *drive = baton;

    drive->started = apr_time_now();
    if (drive_start_copy(drive)) {
        abort();
    }
    if (drive->trace.events || drive->dones) {
        abort();             /* callbacks must not come from inside */
    }
}

static inline void drive_init(drive_t *drive,
                              const mastra_model_provider_t *provider)
{
    memset(drive, 0, sizeof(*drive));
    pthread_mutex_init(&drive->lock, NULL);
    pthread_cond_init(&drive->cond, NULL);
    trace_init(&drive->trace);
    drive->provider = provider;
    drive->request.model_id = "m";
}

static inline void drive_start(drive_t *drive)
{
    drive->msg.cb = drive_start_cb;
    drive->msg.baton = drive;
    mastra_loop_post(loop, &drive->msg);
}

/* Waits until so many events have come. */
static inline void drive_await(const drive_t *drive, int events)
{
    int i;

    for (i = 0; i < 6000
                && __atomic_load_n(&drive->trace.events, __ATOMIC_SEQ_CST)
                   < events; i++) {
        apr_sleep(apr_time_from_msec(10));
    }
}

static inline void drive_run(drive_t *drive)
{
    drive_start(drive);
    drive_wait(drive);
}

static inline void drive_free(drive_t *drive)
{
    mastra_buf_free(&drive->trace.text);
    free(drive->body);
    pthread_mutex_destroy(&drive->lock);
    pthread_cond_destroy(&drive->cond);
}

static void drive_cancel_cb(void *baton)
{
    drive_t *drive = baton;

    mastra_loop_timer_stop(loop, &drive->timer);
    if (drive->call) {
        mastra_model_cancel(drive->call);
        drive->call = NULL;
    }
    drive_wake(drive);
}

/* Cancels what was started and waits until that was done. */
static inline void drive_cancel(drive_t *drive)
{
    drive->msg.cb = drive_cancel_cb;
    drive->msg.baton = drive;
    mastra_loop_post(loop, &drive->msg);
    drive_wait(drive);
}

static void drive_once_resume_cb(void *baton)
{
    drive_t *drive = baton;

    if (drive->call) {
        mastra_model_resume(drive->call);
    }
}

/* Resumes from another message, as a caller's connection would. */
static inline void drive_resume(drive_t *drive)
{
    drive->msg.cb = drive_once_resume_cb;
    drive->msg.baton = drive;
    mastra_loop_post(loop, &drive->msg);
}

static inline mastra_json_t *drive_prompt(const char *text)
{
    return mastra_json_own(mastra_json_pack("[{s:s, s:[{s:s, s:s}]}]", "role",
                                            "user", "content", "type", "text",
                                            "text", text), pool);
}

static inline void drive_begin(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    mastra_client_global_init();
    if (mastra_loop_start(&loop, NULL, pool)) {
        abort();
    }
}

static inline int drive_end(void)
{
    mastra_loop_stop(loop);
    apr_pool_destroy(pool);
    return tap_done();
}

#endif
