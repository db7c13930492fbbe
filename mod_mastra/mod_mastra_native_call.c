/* Calls of other modules: work (http/stream.h) whose sink is a thread that
 * waits, or callbacks. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "mod_mastra_native_call.h"

#define MAX_CALLS 1024                   /* open ones of a child */
#define WAITING_HIGH (256 * 1024)        /* bytes of chunks not yet taken */

void mastra_native_lock(apr_thread_mutex_t *lock, sigset_t *signals)
{
    mastra_park_hold_signals(signals);
    apr_thread_mutex_lock(lock);
}

void mastra_native_unlock(apr_thread_mutex_t *lock, const sigset_t *signals)
{
    apr_thread_mutex_unlock(lock);
    mastra_park_free_signals(signals);
}

/* --- life ------------------------------------------------------------------ */

static mastra_call_t *make_call(mastra_native_t *native)
{
    mastra_call_t *call;
    apr_pool_t *pool;

    if (apr_pool_create_unmanaged(&pool)) {
        return NULL;
    }
    apr_pool_tag(pool, "mastra_native_call");
    call = apr_pcalloc(pool, sizeof(*call));
    call->pool = pool;
    call->native = native;
    call->refs = 1;
    call->end = &call->first;
    call->rv = APR_ECONNABORTED;
    if (apr_thread_mutex_create(&call->lock, APR_THREAD_MUTEX_DEFAULT, pool)
        || apr_thread_cond_create(&call->changed, pool)) {
        apr_pool_destroy(pool);
        return NULL;
    }
    return call;
}

void mastra_native_pieces_free(mastra_native_piece_t *piece)
{
    while (piece) {
        mastra_native_piece_t *next = piece->next;

        free(piece->text);
        free(piece);
        piece = next;
    }
}

void mastra_native_call_unref(mastra_call_t *call)
{
    int refs;
    sigset_t signals;

    mastra_native_lock(call->lock, &signals);
    refs = --call->refs;
    mastra_native_unlock(call->lock, &signals);
    if (!refs) {
        mastra_native_pieces_free(call->first);
        free(call->plan.text);
        apr_pool_destroy(call->pool);
    }
}

static mastra_loop_cb begin_cb, cancel_cb, resume_cb;

int mastra_native_call_post(mastra_call_t *call, mastra_native_msg_e which)
{
    static mastra_loop_cb *const cbs[MASTRA_MSGS] = { begin_cb, cancel_cb,
                                                      resume_cb };
    mastra_native_t *native = call->native;
    int may;
    sigset_t signals;

    if (call->posted[which]) {
        return 1;
    }
    mastra_native_lock(native->lock, &signals);
    may = !native->closed;
    if (may) {
        call->posted[which] = 1;
        call->refs++;
        call->msgs[which].cb = cbs[which];
        call->msgs[which].baton = call;
        mastra_loop_post(native->loop, &call->msgs[which]);
    }
    mastra_native_unlock(native->lock, &signals);
    return may;
}

/* --- loop: the end --------------------------------------------------------- */

static void unlink_call(mastra_call_t *call)
{
    mastra_native_t *native = call->native;
    sigset_t signals;

    if (call->prev) {
        call->prev->next = call->next;
    }
    else {
        native->open = call->next;
    }
    if (call->next) {
        call->next->prev = call->prev;
    }
    mastra_native_lock(native->lock, &signals);
    native->nopen--;
    mastra_native_unlock(native->lock, &signals);
}

void mastra_native_call_reply(mastra_reply_t *reply,
                              const mastra_native_plan_t *plan)
{
    reply->version = MASTRA_API_VERSION;
    reply->size = sizeof(*reply);
    reply->status = plan->status;
    reply->json = plan->text ? plan->text : "";
    reply->len = plan->text ? plan->len : 0;
}

/* Tells whoever asked; the loop's reference goes. */
static void finish(mastra_call_t *call, apr_status_t rv)
{
    mastra_reply_t reply;
    sigset_t signals;

    mastra_loop_timer_stop(call->native->loop, &call->deadline);
    unlink_call(call);
    call->rv = rv;
    if (call->done) {
        if (!rv) {
            mastra_native_call_reply(&reply, &call->plan);
        }
        call->done(call->baton, rv, rv ? NULL : &reply);
    }
    mastra_native_lock(call->lock, &signals);
    call->over = 1;
    apr_thread_cond_broadcast(call->changed);
    mastra_native_unlock(call->lock, &signals);
    mastra_native_call_unref(call);
}

static void end_early(mastra_call_t *call, apr_status_t rv)
{
    void *work = call->plan.work;

    call->plan.work = NULL;
    if (work) {
        call->plan.vtable->cancel(work);
    }
    finish(call, rv);
}

static void on_deadline(void *baton)
{
    end_early(baton, APR_TIMEUP);
}

/* --- loop: the sink -------------------------------------------------------- */

static int queue_piece(mastra_call_t *call, char *text, apr_size_t len)
{
    mastra_native_piece_t *piece = calloc(1, sizeof(*piece));
    int more;
    sigset_t signals;

    if (!piece) {
        free(text);
        return 1;
    }
    piece->text = text;
    piece->len = len;
    mastra_native_lock(call->lock, &signals);
    *call->end = piece;
    call->end = &piece->next;
    call->waiting += sizeof(*piece) + len;
    more = call->waiting <= WAITING_HIGH;
    call->paused = !more;
    apr_thread_cond_broadcast(call->changed);
    mastra_native_unlock(call->lock, &signals);
    return more;
}

static int is_cancelled(mastra_call_t *call)
{
    int cancelled;
    sigset_t signals;

    mastra_native_lock(call->lock, &signals);
    cancelled = call->cancelled;
    mastra_native_unlock(call->lock, &signals);
    return cancelled;
}

/* The work must not be cancelled from inside of its own call. */
static int give_piece(mastra_call_t *call, char *text, apr_size_t len)
{
    apr_status_t rv = call->chunk(call->baton, text, len);
    sigset_t signals;

    free(text);
    if (rv && !APR_STATUS_IS_EAGAIN(rv)) {
        mastra_native_lock(call->lock, &signals);
        call->cancelled = 1;
        mastra_native_call_post(call, MASTRA_MSG_CANCEL);
        mastra_native_unlock(call->lock, &signals);
    }
    return rv == APR_SUCCESS;
}

static int sink_chunk(mastra_sink_t *sink, mastra_json_t *chunk)
{
    mastra_call_t *call = (mastra_call_t *)sink;
    apr_size_t len;
    char *text;

    if (!call->chunk || is_cancelled(call)) {
        return 1;
    }
    text = mastra_json_dup_text(chunk, &len);
    if (!text) {
        return 1;
    }
    return call->done ? give_piece(call, text, len)
                      : queue_piece(call, text, len);
}

static int sink_raw(mastra_sink_t *sink, const char *json, apr_size_t len)
{
    mastra_call_t *call = (mastra_call_t *)sink;
    char *text = call->chunk && !is_cancelled(call) ? strndup(json, len)
                                                    : NULL;

    if (!text) {
        return 1;
    }
    return call->done ? give_piece(call, text, len)
                      : queue_piece(call, text, len);
}

static void sink_end(mastra_sink_t *sink, mastra_json_t *answer,
                     const mastra_result_t *error)
{
    mastra_call_t *call = (mastra_call_t *)sink;
    void *work = call->plan.work;

    call->plan.work = NULL;
    if (error) {
        mastra_native_plan_error(&call->plan, error,
                                 work && call->plan.vtable->log_id
                                 ? call->plan.vtable->log_id(work) : NULL,
                                 call->pool);
    }
    else {
        mastra_native_plan_json(&call->plan, 200, answer);
    }
    finish(call, APR_SUCCESS);
}

static const mastra_sink_vtable_t sink_vtable = { .chunk = sink_chunk,
                                                  .raw = sink_raw,
                                                  .end = sink_end };

/* --- loop: messages -------------------------------------------------------- */

static int take_msg(mastra_call_t *call, mastra_native_msg_e which)
{
    int cancelled;
    sigset_t signals;

    mastra_native_lock(call->lock, &signals);
    call->posted[which] = 0;
    cancelled = call->cancelled;
    mastra_native_unlock(call->lock, &signals);
    return cancelled;
}

static void begin_work(mastra_call_t *call)
{
    if (call->plan.work) {
        call->plan.vtable->begin(call->plan.work, &call->sink);
    }
    else {
        finish(call, APR_SUCCESS);
    }
}

static void begin_planning(mastra_call_t *call)
{
    sigset_t signals;
    apr_status_t rv;

    mastra_native_lock(call->lock, &signals);
    call->refs++;
    mastra_native_unlock(call->lock, &signals);
    call->planning = 1;
    rv = mastra_native_later_start(call);
    if (rv) {
        call->planning = 0;
        mastra_native_call_unref(call);
        finish(call, rv);
    }
}

/* Nobody may be waiting for it any more. */
void mastra_native_call_planned(mastra_call_t *call,
                                mastra_native_plan_t *plan, apr_status_t rv)
{
    call->planning = 0;
    call->plan = *plan;
    if (call->over && plan->work) {
        call->plan.work = NULL;
        plan->vtable->discard(plan->work);
    }
    else if (!call->over && rv) {
        finish(call, rv);
    }
    else if (!call->over) {
        begin_work(call);
    }
    mastra_native_call_unref(call);
}

static void begin_cb(void *baton)
{
    mastra_call_t *call = baton;
    mastra_native_t *native = call->native;
    int cancelled = take_msg(call, MASTRA_MSG_BEGIN);

    /* the message's reference is the loop's from here on */
    call->begun = 1;
    call->next = native->open;
    if (call->next) {
        call->next->prev = call;
    }
    native->open = call;
    if (cancelled || native->closed) {
        if (call->plan.work) {
            call->plan.vtable->discard(call->plan.work);
            call->plan.work = NULL;
        }
        finish(call, APR_ECONNABORTED);
    }
    else {
        if (call->timeout) {
            mastra_loop_timer_set(native->loop, &call->deadline, call->timeout,
                                  on_deadline, call);
        }
        if (call->later) {
            begin_planning(call);
        }
        else {
            begin_work(call);
        }
    }
}

static void cancel_cb(void *baton)
{
    mastra_call_t *call = baton;

    take_msg(call, MASTRA_MSG_CANCEL);
    if (call->begun && !call->over && (call->plan.work || call->planning)) {
        end_early(call, APR_ECONNABORTED);
    }
    mastra_native_call_unref(call);
}

static void resume_cb(void *baton)
{
    mastra_call_t *call = baton;

    take_msg(call, MASTRA_MSG_RESUME);
    if (call->plan.work && call->begun) {
        call->plan.vtable->resume(call->plan.work);
    }
    mastra_native_call_unref(call);
}

/* The child stops: what is open ends. */
static void close_cb(void *baton)
{
    mastra_native_t *native = baton;
    sigset_t signals;

    mastra_native_lock(native->lock, &signals);
    native->closed = 1;
    mastra_native_unlock(native->lock, &signals);
    while (native->open) {
        end_early(native->open, APR_ECONNABORTED);
    }
}

/* --- opening ------------------------------------------------------------- */

mastra_host_t *mastra_native_host(const server_rec *s, mastra_native_t **pnative)
{
    const mastra_server_conf_t *conf = mastra_config_of(s);

    *pnative = conf && conf->shared ? conf->shared->native : NULL;
    return *pnative && conf->host && conf->host->loop ? conf->host : NULL;
}

static apr_status_t count_in(mastra_native_t *native)
{
    apr_status_t rv = APR_SUCCESS;
    sigset_t signals;

    mastra_native_lock(native->lock, &signals);
    if (native->closed) {
        rv = APR_ECONNABORTED;
    }
    else if (native->nopen >= MAX_CALLS) {
        rv = APR_EAGAIN;
    }
    else {
        native->nopen++;
    }
    mastra_native_unlock(native->lock, &signals);
    return rv;
}

static void count_out(mastra_native_t *native)
{
    sigset_t signals;

    mastra_native_lock(native->lock, &signals);
    native->nopen--;
    mastra_native_unlock(native->lock, &signals);
}

static apr_status_t open_call(mastra_call_t **pcall, mastra_host_t **phost,
                              const mastra_ask_t *ask)
{
    mastra_native_t *native;
    mastra_call_t *call;
    mastra_host_t *host = mastra_native_host(ask->server, &native);
    apr_status_t rv;

    if (!host) {
        return APR_ENOTIMPL;
    }
    rv = count_in(native);
    if (rv) {
        return rv;
    }
    call = make_call(native);
    if (!call) {
        count_out(native);
        return APR_ENOMEM;
    }
    call->sink.vtable = &sink_vtable;
    call->timeout = ask->timeout ? ask->timeout : host->timeout;
    *phost = host;
    *pcall = call;
    return APR_SUCCESS;
}

apr_status_t mastra_native_call_open(mastra_call_t **pcall,
                                     const mastra_ask_t *ask,
                                     mastra_native_ask_e what)
{
    mastra_call_t *call;
    mastra_host_t *host;
    apr_status_t rv = open_call(&call, &host, ask);

    if (rv) {
        return rv;
    }
    rv = mastra_native_plan(&call->plan, host, ask, what, call->pool);
    if (rv) {
        mastra_native_call_drop(call);
        return rv;
    }
    *pcall = call;
    return APR_SUCCESS;
}

apr_status_t mastra_native_call_open_later(mastra_call_t **pcall,
                                           const mastra_ask_t *ask,
                                           mastra_native_ask_e what,
                                           const char *method,
                                           const char *path)
{
    mastra_host_t *host;
    apr_status_t rv = open_call(pcall, &host, ask);

    if (rv == APR_SUCCESS) {
        (*pcall)->later = mastra_native_later_make(*pcall, ask, what, method,
                                                   path);
    }
    return rv;
}

void mastra_native_call_drop(mastra_call_t *call)
{
    if (call->plan.work) {
        call->plan.vtable->discard(call->plan.work);
        call->plan.work = NULL;
    }
    count_out(call->native);
    mastra_native_call_unref(call);
}

/* --- a child's life -------------------------------------------------------- */

mastra_native_t *mastra_native_start(mastra_loop_t *loop, mastra_jobs_t *jobs,
                                     apr_pool_t *pool)
{
    mastra_native_t *native = apr_pcalloc(pool, sizeof(*native));

    native->loop = loop;
    native->jobs = jobs;
    if (apr_thread_mutex_create(&native->lock, APR_THREAD_MUTEX_DEFAULT,
                                pool)) {
        return NULL;
    }
    mastra_park_on_limit(close_cb, native);
    return native;
}

void mastra_native_stop(mastra_native_t *native)
{
    native->close_msg.cb = close_cb;
    native->close_msg.baton = native;
    mastra_loop_post(native->loop, &native->close_msg);
}
