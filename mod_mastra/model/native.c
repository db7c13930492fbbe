/* Models of kind provider:NAME: C code of other modules. It says what it has
 * to say on threads of its own; here that becomes events on the loop. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define SILENCE apr_time_from_sec(120)
#define PIECE_MAX (16 * 1024 * 1024)     /* of one event */
#define WAITING_HIGH (256 * 1024)        /* bytes on their way to the loop */
#define WAIT_LOOK apr_time_from_sec(1)
#define TURN_MAX 64                      /* events: other streams want the loop */

/* What was said, on its way. */
typedef struct said_t {
    struct said_t *next;
    mastra_model_event_t event;
    apr_size_t size;
} said_t;

typedef struct native_call_t native_call_t;

/* What the foreign code works on; the members below are guarded by the lock
 * of foreign, but owner. */
typedef struct {
    mastra_foreign_t foreign;    /* first */
    mastra_model_feed_t feed;
    const mastra_model_native_t *native;
    mastra_loop_t *loop;
    mastra_msg_t msg;
    native_call_t *owner;        /* loop; NULL: nobody listens */

    said_t *first, **end;
    apr_size_t waiting;          /* bytes of what was said, up to its emission */
    int posted;                  /* msg is on its way */
    int over;                    /* finish or fail was called */
    int status;                  /* of fail, 0: finish */
    const char *cause;
    const char *reason;
    mastra_json_t *usage;
} native_work_t;

struct native_call_t {
    mastra_model_call_t base;    /* first */
    mastra_loop_t *loop;
    const mastra_model_provider_t *provider;
    mastra_model_cbs_t cbs;
    mastra_outlet_t outlet;
    apr_pool_t *pool;
    native_work_t *work;
    mastra_timer_t silence;
    mastra_timer_t turn;
    said_t *taken;
    const char *model_id;
    const char *request;
    int stream;
    int asked;                   /* REQUEST was emitted */
    int answered;                /* RESPONSE was */
    int ncalls;
    int over;                    /* all was taken, and the end is known */
    int gone;
};

static void turn_cb(void *baton);

/* ---- the foreign code's side ---- */

static native_work_t *work_of(mastra_model_feed_t *feed)
{
    return (native_work_t *)feed->foreign;
}

static void post_cb(void *baton);

/* With the lock: the message keeps the work alive. */
static void post(native_work_t *work)
{
    if (!work->posted && !work->foreign.cancelled) {
        work->posted = 1;
        work->foreign.refs++;
        work->msg.cb = post_cb;
        work->msg.baton = work;
        mastra_loop_post(work->loop, &work->msg);
    }
}

static said_t *copy_said(const mastra_model_event_t *event)
{
    apr_size_t id = event->id ? strlen(event->id) + 1 : 0;
    apr_size_t name = event->name ? strlen(event->name) + 1 : 0;
    said_t *said = malloc(sizeof(*said) + event->len + 1 + id + name);
    char *at;

    if (!said) {
        return NULL;
    }
    memset(said, 0, sizeof(*said));
    at = (char *)(said + 1);
    said->size = sizeof(*said) + event->len + id + name;
    said->event = *event;
    said->event.text = memcpy(at, event->text, event->len);
    at[event->len] = '\0';
    at += event->len + 1;
    said->event.id = id ? memcpy(at, event->id, id) : NULL;
    said->event.name = name ? memcpy(at + id, event->name, name) : NULL;
    return said;
}

static void free_said(said_t *said)
{
    mastra_json_unref(said->event.json);
    free(said);
}

apr_status_t mastra_model_feed(mastra_model_feed_t *feed,
                               const mastra_model_event_t *event)
{
    native_work_t *work = work_of(feed);
    apr_status_t rv = APR_SUCCESS;
    said_t *said = event->len <= PIECE_MAX ? copy_said(event) : NULL;

    if (!said) {
        mastra_json_unref(event->json);
        return event->len <= PIECE_MAX ? APR_ENOMEM : APR_ENOSPC;
    }
    pthread_mutex_lock(&work->foreign.lock);
    while (work->waiting > WAITING_HIGH && !work->foreign.cancelled) {
        mastra_foreign_wait(&work->foreign, WAIT_LOOK);
    }
    if (work->foreign.cancelled || work->over) {
        rv = APR_ECONNABORTED;
        free_said(said);
    }
    else {
        *work->end = said;
        work->end = &said->next;
        work->waiting += said->size;
        post(work);
    }
    pthread_mutex_unlock(&work->foreign.lock);
    return rv;
}

/* The feed ends here, at the first call. */
static void end_feed(mastra_model_feed_t *feed, int status, const char *text,
                     mastra_json_t *usage)
{
    native_work_t *work = work_of(feed);
    int first;

    pthread_mutex_lock(&work->foreign.lock);
    first = !work->over;
    if (first) {
        work->over = 1;
        work->status = status;
        work->usage = usage;
        work->reason = status ? NULL : apr_pstrdup(work->foreign.pool, text);
        work->cause = status ? apr_pstrdup(work->foreign.pool, text) : NULL;
        work->foreign.cancel_cb = NULL;
        post(work);
    }
    pthread_mutex_unlock(&work->foreign.lock);
    if (first) {
        mastra_foreign_release(&work->foreign);
    }
}

void mastra_model_feed_finish(mastra_model_feed_t *feed, const char *reason,
                              mastra_json_t *usage)
{
    end_feed(feed, 0, reason ? reason : "unknown", usage);
}

void mastra_model_feed_fail(mastra_model_feed_t *feed, int status,
                            const char *cause)
{
    end_feed(feed, status < 400 || status > 599 ? 502 : status, cause, NULL);
}

static void native_run(mastra_foreign_t *foreign)
{
    native_work_t *work = (native_work_t *)foreign;
    char text[256];
    apr_status_t rv;

    mastra_foreign_hold(foreign);
    rv = work->native->start(work->native->baton, &work->feed);
    if (rv) {
        mastra_model_feed_fail(&work->feed, 502,
                               apr_strerror(rv, text, sizeof(text)));
    }
}

static void native_ran(mastra_foreign_t *foreign)
{
    (void)foreign;
}

/* What nobody listened to goes with the work. */
static apr_status_t clear_work(void *baton)
{
    native_work_t *work = baton;

    while (work->first) {
        said_t *said = work->first;

        work->first = said->next;
        free_said(said);
    }
    mastra_json_unref(work->usage);
    return APR_SUCCESS;
}

/* ---- loop: the end ---- */

/* Nobody listens any more; the foreign code is told. */
static void let_go(native_call_t *call)
{
    native_work_t *work = call->work;

    mastra_loop_timer_stop(call->loop, &call->silence);
    mastra_loop_timer_stop(call->loop, &call->turn);
    if (work) {
        call->work = NULL;
        work->owner = NULL;
        mastra_foreign_cancel(&work->foreign);
        mastra_foreign_unref(&work->foreign);
    }
}

static void free_call(native_call_t *call)
{
    let_go(call);
    while (call->taken) {
        said_t *said = call->taken;

        call->taken = said->next;
        free_said(said);
    }
    mastra_outlet_clear(&call->outlet);
    apr_pool_destroy(call->pool);
}

static void end_call(native_call_t *call, mastra_model_fail_e fail,
                     const char *cause)
{
    mastra_result_t *error = NULL;

    if (fail != MASTRA_FAIL_NONE) {
        error = mastra_model_fail_result(call->provider, fail, 0, cause,
                                         call->pool);
    }
    call->gone = 1;
    call->cbs.on_done(call->outlet.baton, error);
    free_call(call);
}

static void on_silence(void *baton)
{
    native_call_t *call = baton;

    end_call(call, MASTRA_FAIL_TIMEOUT, "its module said nothing for so long");
}

static void expect_more(native_call_t *call)
{
    apr_interval_time_t silence = call->provider->timeout;

    mastra_loop_timer_set(call->loop, &call->silence,
                          silence ? silence : SILENCE, on_silence, call);
}

/* ---- loop: events ---- */

static void emit_response(native_call_t *call)
{
    char iso[MASTRA_ISO_LEN + 1];
    mastra_model_event_t event = { .type = MASTRA_MODEL_RESPONSE };

    call->answered = 1;
    mastra_text_iso(iso, apr_time_now());
    event.json = mastra_json_pack("{s:s, s:s, s:s, s:{}}", "id",
                                  mastra_text_uuid_make(call->pool),
                                  "timestamp", iso, "modelId", call->model_id,
                                  "headers");
    mastra_outlet_emit(&call->outlet, &event);
    mastra_json_unref(event.json);
}

static void emit_part(native_call_t *call, mastra_model_event_e type,
                      const mastra_model_event_t *of)
{
    mastra_model_event_t event = { .type = type, .id = of->id };

    if (type != MASTRA_MODEL_TOOL_END) {
        event.name = of->name;
    }
    if (type == MASTRA_MODEL_TOOL_DELTA) {
        event.text = of->text;
        event.len = of->len;
    }
    mastra_outlet_emit(&call->outlet, &event);
}

static void emit_tool_call(native_call_t *call, const said_t *said)
{
    mastra_model_event_t event = said->event;

    if (!event.id) {
        event.id = apr_pstrcat(call->pool, "call_",
                               mastra_text_uuid_make(call->pool), NULL);
    }
    call->ncalls++;
    if (call->stream) {
        emit_part(call, MASTRA_MODEL_TOOL_START, &event);
        emit_part(call, MASTRA_MODEL_TOOL_DELTA, &event);
        emit_part(call, MASTRA_MODEL_TOOL_END, &event);
    }
    event.text = NULL;
    event.len = 0;
    mastra_outlet_emit(&call->outlet, &event);
}

static void emit_finish(native_call_t *call)
{
    const native_work_t *work = call->work;
    mastra_model_event_t event = { .type = MASTRA_MODEL_FINISH };

    event.raw_reason = work->reason;
    event.reason = call->ncalls && !strcmp(work->reason, "stop") ? "tool-calls"
                                                                 : work->reason;
    event.json = work->usage ? mastra_json_ref(work->usage)
                             : mastra_json_object();
    mastra_outlet_emit(&call->outlet, &event);
    mastra_json_unref(event.json);
}

static void emit_said(native_call_t *call, said_t *said)
{
    native_work_t *work = call->work;

    if (!call->answered) {
        emit_response(call);
    }
    if (said->event.type == MASTRA_MODEL_TOOL_CALL) {
        emit_tool_call(call, said);
    }
    else {
        mastra_outlet_emit(&call->outlet, &said->event);
    }
    pthread_mutex_lock(&work->foreign.lock);
    work->waiting -= said->size;
    pthread_cond_broadcast(&work->foreign.changed);
    pthread_mutex_unlock(&work->foreign.lock);
    free_said(said);
}

/* Moves what was said to the call's own list, behind what is there. */
static void take(native_call_t *call)
{
    native_work_t *work = call->work;
    said_t **at = &call->taken;

    while (*at) {
        at = &(*at)->next;
    }
    pthread_mutex_lock(&work->foreign.lock);
    *at = work->first;
    work->first = NULL;
    work->end = &work->first;
    call->over = work->over;
    pthread_mutex_unlock(&work->foreign.lock);
}

static void finish(native_call_t *call)
{
    native_work_t *work = call->work;

    if (work->status) {
        end_call(call, mastra_model_fail_of(work->status, NULL), work->cause);
        return;
    }
    if (!call->answered) {
        emit_response(call);
    }
    if (work->reason) {
        emit_finish(call);
        work->reason = NULL;
    }
    if (!mastra_outlet_is_held(&call->outlet)) {
        end_call(call, MASTRA_FAIL_NONE, NULL);
    }
}

/* Emits what there is until the reader has enough of it. */
static void turn_cb(void *baton)
{
    native_call_t *call = baton;
    int n;

    if (!call->asked) {
        mastra_model_event_t event = { .type = MASTRA_MODEL_REQUEST,
                                       .text = call->request,
                                       .len = strlen(call->request) };

        call->asked = 1;
        mastra_outlet_emit(&call->outlet, &event);
    }
    mastra_outlet_drain(&call->outlet);
    for (n = 0; n < TURN_MAX && call->taken
                && !mastra_outlet_is_held(&call->outlet); n++) {
        said_t *said = call->taken;

        call->taken = said->next;
        emit_said(call, said);
    }
    if (mastra_outlet_is_held(&call->outlet)) {
        mastra_loop_timer_stop(call->loop, &call->silence);
    }
    else if (call->taken) {
        mastra_loop_timer_set(call->loop, &call->turn, 0, turn_cb, call);
    }
    else if (call->over) {
        finish(call);
    }
    else {
        expect_more(call);
    }
}

static void post_cb(void *baton)
{
    native_work_t *work = baton;

    pthread_mutex_lock(&work->foreign.lock);
    work->posted = 0;
    pthread_mutex_unlock(&work->foreign.lock);
    if (work->owner) {
        take(work->owner);
        turn_cb(work->owner);
    }
    mastra_foreign_unref(&work->foreign);
}

/* ---- loop: begin, cancel, resume ---- */

static void set(mastra_json_t *object, const char *key, mastra_json_t *value)
{
    if (value) {
        mastra_json_set(object, key, mastra_json_ref(value));
    }
}

static const char *request_text(const mastra_model_request_t *request,
                                apr_pool_t *pool)
{
    mastra_json_t *json = mastra_json_object();
    const char *text;

    mastra_json_set_str(json, "modelId", request->model_id);
    mastra_json_set_bool(json, "stream", request->stream);
    set(json, "prompt", request->prompt);
    set(json, "tools", request->tools);
    set(json, "toolChoice", request->tool_choice);
    set(json, "settings", request->settings);
    set(json, "responseSchema", request->response_schema);
    set(json, "providerOptions", request->provider_options);
    text = mastra_json_text(json, pool);
    mastra_json_unref(json);
    return text;
}

static void fill_work(native_work_t *work, native_call_t *call)
{
    apr_pool_t *pool = work->foreign.pool;

    work->foreign.run = native_run;
    work->foreign.done = native_ran;
    work->native = call->provider->native;
    work->loop = call->loop;
    work->owner = call;
    work->end = &work->first;
    apr_pool_cleanup_register(pool, work, clear_work, apr_pool_cleanup_null);
    work->feed.foreign = &work->foreign;
    work->feed.pool = pool;
    work->feed.provider_id = call->provider->id;
    work->feed.model_id = apr_pstrdup(pool, call->model_id);
    work->feed.stream = call->stream;
    work->feed.request = apr_pstrdup(pool, call->request);
    work->feed.request_len = strlen(call->request);
}

static apr_status_t native_start(mastra_model_call_t **pcall,
                                 mastra_loop_t *loop,
                                 const mastra_model_provider_t *provider,
                                 const mastra_model_request_t *request,
                                 const mastra_model_cbs_t *cbs, void *baton)
{
    mastra_foreign_t *foreign;
    native_call_t *call;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create_unmanaged(&pool);

    if (rv) {
        return rv;
    }
    apr_pool_tag(pool, "mastra_native_call");
    call = apr_pcalloc(pool, sizeof(*call));
    call->base.kind = &mastra_model_native;
    call->loop = loop;
    call->provider = provider;
    call->cbs = *cbs;
    call->outlet.cbs = &call->cbs;
    call->outlet.baton = baton;
    call->pool = pool;
    call->model_id = apr_pstrdup(pool, request->model_id);
    call->stream = request->stream;
    call->request = request_text(request, pool);
    rv = mastra_foreign_make(&foreign, *provider->native->pjobs,
                             sizeof(native_work_t));
    if (rv) {
        apr_pool_destroy(pool);
        return rv;
    }
    call->work = (native_work_t *)foreign;
    fill_work(call->work, call);
    if (mastra_foreign_start(foreign)) {
        call->over = 1;
        call->work->status = 503;
        call->work->cause = "too many jobs wait to be run";
    }
    mastra_loop_timer_set(loop, &call->turn, 0, turn_cb, call);
    *pcall = &call->base;
    return APR_SUCCESS;
}

static void native_cancel(mastra_model_call_t *base)
{
    native_call_t *call = (native_call_t *)base;

    if (!call->gone) {
        free_call(call);
    }
}

static void native_resume(mastra_model_call_t *base)
{
    native_call_t *call = (native_call_t *)base;

    if (mastra_outlet_resume(&call->outlet)) {
        mastra_loop_timer_set(call->loop, &call->turn, 0, turn_cb, call);
    }
}

const mastra_model_kind_t mastra_model_native = {
    "provider", NULL, NULL, NULL, native_start, native_cancel, native_resume,
    NULL
};
