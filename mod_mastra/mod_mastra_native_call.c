/* Calls of other modules: work (http/stream.h) whose sink is a thread that
 * waits, or callbacks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "http/park.h"
#include "mod_mastra_native_ask.h"

#define MAX_CALLS 1024                   /* open ones of a child */
#define WAITING_HIGH (256 * 1024)        /* bytes of chunks not yet taken */
#define LOOK_EVERY apr_time_from_msec(500)

struct mastra_native_t {
    mastra_loop_t *loop;
    apr_thread_mutex_t *lock;    /* guards what follows */
    int nopen;
    int closed;                  /* no more calls */
    mastra_msg_t close_msg;
    mastra_call_t *open;         /* loop */
};

typedef enum { MSG_BEGIN, MSG_CANCEL, MSG_RESUME, MSGS } msg_e;

/* A chunk that a waiting thread has not taken yet. */
typedef struct piece_t {
    struct piece_t *next;
    char *text;
    apr_size_t len;
} piece_t;

struct mastra_call_t {
    mastra_sink_t sink;          /* first */
    mastra_native_t *native;
    apr_pool_t *pool;            /* holds this */
    mastra_native_plan_t plan;   /* its work is the loop's; NULL: over, or there
                                    is none */
    apr_interval_time_t timeout;
    mastra_done_cb *done;        /* NULL: a thread waits */
    mastra_chunk_cb *chunk;
    void *baton;

    /* loop */
    mastra_call_t *next, *prev;
    int begun;
    mastra_timer_t deadline;
    apr_status_t rv;

    apr_thread_mutex_t *lock;    /* guards what follows */
    apr_thread_cond_t *changed;
    int refs;
    int posted[MSGS];
    mastra_msg_t msgs[MSGS];
    int cancelled;
    int over;
    int paused;                  /* the work waits for room */
    int stopped;                 /* the chunk callback has enough */
    piece_t *first, **end;
    apr_size_t waiting;
};

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

static void free_pieces(piece_t *piece)
{
    while (piece) {
        piece_t *next = piece->next;

        free(piece->text);
        free(piece);
        piece = next;
    }
}

static void unref(mastra_call_t *call)
{
    int refs;

    apr_thread_mutex_lock(call->lock);
    refs = --call->refs;
    apr_thread_mutex_unlock(call->lock);
    if (!refs) {
        free_pieces(call->first);
        free(call->plan.text);
        apr_pool_destroy(call->pool);
    }
}

/* A message to the loop, which keeps the call alive; once on its way at most.
 * With the call's lock. 0: the loop takes none any more. */
static int post(mastra_call_t *call, msg_e which, mastra_loop_cb *cb)
{
    mastra_native_t *native = call->native;
    int may;

    if (call->posted[which]) {
        return 1;
    }
    apr_thread_mutex_lock(native->lock);
    may = !native->closed;
    if (may) {
        call->posted[which] = 1;
        call->refs++;
        call->msgs[which].cb = cb;
        call->msgs[which].baton = call;
        mastra_loop_post(native->loop, &call->msgs[which]);
    }
    apr_thread_mutex_unlock(native->lock);
    return may;
}

/* --- loop: the end --------------------------------------------------------- */

static void unlink_call(mastra_call_t *call)
{
    mastra_native_t *native = call->native;

    if (call->prev) {
        call->prev->next = call->next;
    }
    else {
        native->open = call->next;
    }
    if (call->next) {
        call->next->prev = call->prev;
    }
    apr_thread_mutex_lock(native->lock);
    native->nopen--;
    apr_thread_mutex_unlock(native->lock);
}

static void fill_reply(mastra_reply_t *reply, const mastra_native_plan_t *plan)
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

    mastra_loop_timer_stop(call->native->loop, &call->deadline);
    unlink_call(call);
    call->rv = rv;
    if (call->done) {
        fill_reply(&reply, &call->plan);
        call->done(call->baton, rv, rv ? NULL : &reply);
    }
    apr_thread_mutex_lock(call->lock);
    call->over = 1;
    apr_thread_cond_broadcast(call->changed);
    apr_thread_mutex_unlock(call->lock);
    unref(call);
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

static void cancel_cb(void *baton);

static int queue_piece(mastra_call_t *call, char *text, apr_size_t len)
{
    piece_t *piece = calloc(1, sizeof(*piece));
    int more;

    if (!piece) {
        free(text);
        return 1;
    }
    piece->text = text;
    piece->len = len;
    apr_thread_mutex_lock(call->lock);
    *call->end = piece;
    call->end = &piece->next;
    call->waiting += sizeof(*piece) + len;
    more = call->waiting <= WAITING_HIGH;
    call->paused = !more;
    apr_thread_cond_broadcast(call->changed);
    apr_thread_mutex_unlock(call->lock);
    return more;
}

static int is_cancelled(mastra_call_t *call)
{
    int cancelled;

    apr_thread_mutex_lock(call->lock);
    cancelled = call->cancelled;
    apr_thread_mutex_unlock(call->lock);
    return cancelled;
}

/* The work must not be cancelled from inside of its own call. */
static int give_piece(mastra_call_t *call, char *text, apr_size_t len)
{
    apr_status_t rv = call->chunk(call->baton, text, len);

    free(text);
    if (rv && !APR_STATUS_IS_EAGAIN(rv)) {
        apr_thread_mutex_lock(call->lock);
        call->cancelled = 1;
        post(call, MSG_CANCEL, cancel_cb);
        apr_thread_mutex_unlock(call->lock);
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

static const mastra_sink_vtable_t sink_vtable = { sink_chunk, NULL, sink_end };

/* --- loop: messages -------------------------------------------------------- */

static int take_msg(mastra_call_t *call, msg_e which)
{
    int cancelled;

    apr_thread_mutex_lock(call->lock);
    call->posted[which] = 0;
    cancelled = call->cancelled;
    apr_thread_mutex_unlock(call->lock);
    return cancelled;
}

static void begin_cb(void *baton)
{
    mastra_call_t *call = baton;
    mastra_native_t *native = call->native;
    int cancelled = take_msg(call, MSG_BEGIN);

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
    else if (!call->plan.work) {
        finish(call, APR_SUCCESS);
    }
    else {
        if (call->timeout) {
            mastra_loop_timer_set(native->loop, &call->deadline, call->timeout,
                                  on_deadline, call);
        }
        call->plan.vtable->begin(call->plan.work, &call->sink);
    }
}

static void cancel_cb(void *baton)
{
    mastra_call_t *call = baton;

    take_msg(call, MSG_CANCEL);
    if (call->plan.work && call->begun) {
        end_early(call, APR_ECONNABORTED);
    }
    unref(call);
}

static void resume_cb(void *baton)
{
    mastra_call_t *call = baton;

    take_msg(call, MSG_RESUME);
    if (call->plan.work && call->begun) {
        call->plan.vtable->resume(call->plan.work);
    }
    unref(call);
}

/* The child stops: what is open ends. */
static void close_cb(void *baton)
{
    mastra_native_t *native = baton;

    apr_thread_mutex_lock(native->lock);
    native->closed = 1;
    apr_thread_mutex_unlock(native->lock);
    while (native->open) {
        end_early(native->open, APR_ECONNABORTED);
    }
}

/* --- opening ------------------------------------------------------------- */

static mastra_host_t *host_of(const server_rec *s, mastra_native_t **pnative)
{
    const mastra_server_conf_t *conf = mastra_config_of(s);

    *pnative = conf && conf->shared ? conf->shared->native : NULL;
    return *pnative && conf->host && conf->host->loop ? conf->host : NULL;
}

static apr_status_t count_in(mastra_native_t *native)
{
    apr_status_t rv = APR_SUCCESS;

    apr_thread_mutex_lock(native->lock);
    if (native->closed) {
        rv = APR_ECONNABORTED;
    }
    else if (native->nopen >= MAX_CALLS) {
        rv = APR_EAGAIN;
    }
    else {
        native->nopen++;
    }
    apr_thread_mutex_unlock(native->lock);
    return rv;
}

static void count_out(mastra_native_t *native)
{
    apr_thread_mutex_lock(native->lock);
    native->nopen--;
    apr_thread_mutex_unlock(native->lock);
}

/* A call that is ready to be posted; the caller has its reference. */
static apr_status_t open_call(mastra_call_t **pcall, const mastra_ask_t *ask,
                              mastra_native_ask_e what)
{
    mastra_native_t *native;
    mastra_call_t *call;
    mastra_host_t *host = host_of(ask->server, &native);
    apr_status_t rv;

    if (!host) {
        return APR_ENOTIMPL;
    }
    rv = count_in(native);
    if (rv) {
        return rv;
    }
    call = make_call(native);
    rv = call ? mastra_native_plan(&call->plan, host, ask, what, call->pool)
              : APR_ENOMEM;
    if (rv) {
        count_out(native);
        if (call) {
            unref(call);
        }
        return rv;
    }
    call->sink.vtable = &sink_vtable;
    call->timeout = ask->timeout ? ask->timeout : host->timeout;
    *pcall = call;
    return APR_SUCCESS;
}

/* A call that the loop does not know (any more). */
static void drop_call(mastra_call_t *call)
{
    if (call->plan.work) {
        call->plan.vtable->discard(call->plan.work);
        call->plan.work = NULL;
    }
    count_out(call->native);
    unref(call);
}

/* --- calls with callbacks -------------------------------------------------- */

static apr_status_t start(mastra_call_t **pcall, const mastra_ask_t *from,
                          mastra_native_ask_e what, mastra_chunk_cb *chunk,
                          mastra_done_cb *done, void *baton)
{
    mastra_call_t *call;
    mastra_ask_t ask;
    apr_status_t rv = done ? mastra_native_read_ask(&ask, from) : APR_EINVAL;
    int posted;

    if (rv) {
        return rv;
    }
    ask.r = NULL;
    rv = open_call(&call, &ask, what);
    if (rv) {
        return rv;
    }
    call->chunk = chunk;
    call->done = done;
    call->baton = baton;
    if (pcall) {
        /* before its first callback */
        *pcall = call;
        call->refs++;
    }
    apr_thread_mutex_lock(call->lock);
    posted = post(call, MSG_BEGIN, begin_cb);
    apr_thread_mutex_unlock(call->lock);
    if (posted) {
        unref(call);
        return APR_SUCCESS;
    }
    if (pcall) {
        call->refs--;
    }
    drop_call(call);
    return APR_ECONNABORTED;
}

static apr_status_t mastra_generate_async(mastra_call_t **pcall,
                                          const mastra_ask_t *ask,
                                          mastra_done_cb *done, void *baton)
{
    return start(pcall, ask, MASTRA_ASK_GENERATE, NULL, done, baton);
}

static apr_status_t mastra_stream_async(mastra_call_t **pcall,
                                        const mastra_ask_t *ask,
                                        mastra_chunk_cb *chunk,
                                        mastra_done_cb *done, void *baton)
{
    return start(pcall, ask, MASTRA_ASK_STREAM, chunk, done, baton);
}

static apr_status_t mastra_tool_execute_async(mastra_call_t **pcall,
                                              const mastra_ask_t *ask,
                                              mastra_done_cb *done,
                                              void *baton)
{
    return start(pcall, ask, MASTRA_ASK_TOOL, NULL, done, baton);
}

static void mastra_call_cancel(mastra_call_t *call)
{
    apr_thread_mutex_lock(call->lock);
    if (!call->over) {
        call->cancelled = 1;
        post(call, MSG_CANCEL, cancel_cb);
    }
    apr_thread_mutex_unlock(call->lock);
}

static void mastra_call_resume(mastra_call_t *call)
{
    apr_thread_mutex_lock(call->lock);
    if (!call->over) {
        post(call, MSG_RESUME, resume_cb);
    }
    apr_thread_mutex_unlock(call->lock);
}

static void mastra_call_release(mastra_call_t *call)
{
    unref(call);
}

/* --- calls that wait ------------------------------------------------------- */

static void enter(mastra_call_t *call, sigset_t *signals)
{
    mastra_park_hold_signals(signals);
    apr_thread_mutex_lock(call->lock);
}

static void leave(mastra_call_t *call, const sigset_t *signals)
{
    apr_thread_mutex_unlock(call->lock);
    mastra_park_free_signals(signals);
}

/* Gives what there is to the chunk callback; without the lock. Returns what
 * it says. */
static apr_status_t deliver(mastra_call_t *call, piece_t *pieces)
{
    apr_status_t rv = APR_SUCCESS;
    piece_t *piece;

    for (piece = pieces; piece && !rv; piece = piece->next) {
        rv = call->chunk(call->baton, piece->text, piece->len);
    }
    free_pieces(pieces);
    return rv;
}

/* Takes the chunks that wait; NULL: none. With the lock. */
static piece_t *take_pieces(mastra_call_t *call)
{
    piece_t *pieces = call->first;

    call->first = NULL;
    call->end = &call->first;
    call->waiting = 0;
    if (call->paused && !call->over) {
        call->paused = 0;
        post(call, MSG_RESUME, resume_cb);
    }
    return pieces;
}

/* 0: the loop did not take it. */
static int wait_for_end(mastra_call_t *call, conn_rec *c)
{
    apr_time_t look_at = apr_time_now() + LOOK_EVERY;
    sigset_t signals;
    piece_t *pieces;
    int stop = 0, taken;

    enter(call, &signals);
    taken = post(call, MSG_BEGIN, begin_cb);
    while (taken) {
        pieces = call->cancelled ? NULL : take_pieces(call);
        if (pieces) {
            leave(call, &signals);
            stop = call->stopped = deliver(call, pieces) != APR_SUCCESS;
            enter(call, &signals);
        }
        else if (call->over) {
            break;
        }
        else {
            (void)apr_thread_cond_timedwait(call->changed, call->lock,
                                            LOOK_EVERY);
        }
        if (apr_time_now() >= look_at) {
            leave(call, &signals);
            stop |= mastra_park_look(c);
            look_at = apr_time_now() + LOOK_EVERY;
            enter(call, &signals);
        }
        if (stop && !call->cancelled) {
            call->cancelled = 1;
            post(call, MSG_CANCEL, cancel_cb);
        }
    }
    leave(call, &signals);
    return taken;
}

static apr_status_t copy_reply(const mastra_reply_t **preply,
                               const mastra_native_plan_t *plan,
                               apr_pool_t *pool)
{
    mastra_reply_t *reply = apr_palloc(pool, sizeof(*reply));

    fill_reply(reply, plan);
    reply->json = apr_pstrmemdup(pool, reply->json, reply->len);
    *preply = reply;
    return APR_SUCCESS;
}

/* Whoever waits must leave others that can do the work it waits for. A call
 * that was not begun stays the caller's: *pbegun. */
static apr_status_t run(mastra_call_t *call, const request_rec *r,
                        int *pbegun)
{
    apr_status_t rv = APR_SUCCESS;
    int on_job = mastra_jobs_is_current(), kind = 0;

    *pbegun = 0;
    if (on_job) {
        rv = mastra_jobs_enter_wait();
    }
    else {
        rv = mastra_park_enter_wait(&kind, r);
    }
    if (rv) {
        return rv;
    }
    *pbegun = wait_for_end(call, r ? r->connection : NULL);
    if (on_job) {
        mastra_jobs_leave_wait();
    }
    else {
        mastra_park_leave_wait(kind);
    }
    return *pbegun && !call->stopped ? call->rv : APR_ECONNABORTED;
}

static apr_status_t wait_for(const mastra_reply_t **preply,
                             const mastra_ask_t *from,
                             mastra_native_ask_e what, mastra_chunk_cb *chunk,
                             void *baton, apr_pool_t *pool)
{
    mastra_call_t *call;
    mastra_ask_t ask;
    apr_status_t rv = mastra_native_read_ask(&ask, from);
    int begun = 0;

    if (rv == APR_SUCCESS) {
        rv = open_call(&call, &ask, what);
    }
    if (rv) {
        return rv;
    }
    call->chunk = chunk;
    call->baton = baton;
    if (mastra_loop_is_current(call->native->loop)) {
        rv = EDEADLK;
    }
    else if (call->plan.work) {
        rv = run(call, ask.r, &begun);
    }
    if (!rv) {
        copy_reply(preply, &call->plan, pool);
    }
    if (begun) {
        unref(call);
    }
    else {
        drop_call(call);
    }
    return rv;
}

static apr_status_t mastra_generate(const mastra_reply_t **preply,
                                    const mastra_ask_t *ask, apr_pool_t *pool)
{
    return wait_for(preply, ask, MASTRA_ASK_GENERATE, NULL, NULL, pool);
}

static apr_status_t mastra_stream(const mastra_reply_t **preply,
                                  const mastra_ask_t *ask,
                                  mastra_chunk_cb *chunk, void *baton,
                                  apr_pool_t *pool)
{
    return wait_for(preply, ask, MASTRA_ASK_STREAM, chunk, baton, pool);
}

static apr_status_t mastra_tool_execute(const mastra_reply_t **preply,
                                        const mastra_ask_t *ask,
                                        apr_pool_t *pool)
{
    return wait_for(preply, ask, MASTRA_ASK_TOOL, NULL, NULL, pool);
}

static apr_status_t mastra_agents_list(const mastra_reply_t **preply,
                                       server_rec *server, apr_pool_t *pool)
{
    mastra_native_plan_t plan = { .status = 200 };
    mastra_native_t *native;
    mastra_host_t *host = host_of(server, &native);

    if (!host) {
        return APR_ENOTIMPL;
    }
    mastra_native_plan_agents(&plan, host);
    copy_reply(preply, &plan, pool);
    free(plan.text);
    return APR_SUCCESS;
}

/* --- a child's life -------------------------------------------------------- */

mastra_native_t *mastra_native_start(mastra_loop_t *loop, apr_pool_t *pool)
{
    mastra_native_t *native = apr_pcalloc(pool, sizeof(*native));

    native->loop = loop;
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

void mastra_native_register_calls(void)
{
    APR_REGISTER_OPTIONAL_FN(mastra_generate);
    APR_REGISTER_OPTIONAL_FN(mastra_stream);
    APR_REGISTER_OPTIONAL_FN(mastra_tool_execute);
    APR_REGISTER_OPTIONAL_FN(mastra_agents_list);
    APR_REGISTER_OPTIONAL_FN(mastra_generate_async);
    APR_REGISTER_OPTIONAL_FN(mastra_stream_async);
    APR_REGISTER_OPTIONAL_FN(mastra_tool_execute_async);
    APR_REGISTER_OPTIONAL_FN(mastra_call_cancel);
    APR_REGISTER_OPTIONAL_FN(mastra_call_resume);
    APR_REGISTER_OPTIONAL_FN(mastra_call_release);
}
