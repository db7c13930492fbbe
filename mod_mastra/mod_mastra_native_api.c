/* The functions of mod_mastra.h by which other modules ask agents and tools:
 * with callbacks, or on a thread that waits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "mod_mastra_native_call.h"

#define LOOK_EVERY apr_time_from_msec(500)

/* --- calls with callbacks -------------------------------------------------- */

/* method and path: of memory, whose asks need neither an id nor JSON. */
static apr_status_t start_with(mastra_call_t **pcall, const mastra_ask_t *from,
                               mastra_native_ask_e what,
                               mastra_chunk_cb *chunk, mastra_done_cb *done,
                               void *baton, const char *method,
                               const char *path)
{
    mastra_call_t *call;
    mastra_ask_t ask;
    apr_status_t rv = done ? mastra_native_read_ask(&ask, from, !method)
                           : APR_EINVAL;
    sigset_t signals;
    int posted;

    if (rv) {
        return rv;
    }
    ask.r = NULL;
    rv = what >= MASTRA_ASK_START
         ? mastra_native_call_open_later(&call, &ask, what, method, path)
         : mastra_native_call_open(&call, &ask, what);
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
    mastra_native_lock(call->lock, &signals);
    posted = mastra_native_call_post(call, MASTRA_MSG_BEGIN);
    mastra_native_unlock(call->lock, &signals);
    if (posted) {
        mastra_native_call_unref(call);
        return APR_SUCCESS;
    }
    if (pcall) {
        *pcall = NULL;
        call->refs--;
    }
    mastra_native_call_drop(call);
    return APR_ECONNABORTED;
}

static apr_status_t start(mastra_call_t **pcall, const mastra_ask_t *ask,
                          mastra_native_ask_e what, mastra_chunk_cb *chunk,
                          mastra_done_cb *done, void *baton)
{
    return start_with(pcall, ask, what, chunk, done, baton, NULL, NULL);
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

static apr_status_t mastra_workflow_start_async(mastra_call_t **pcall,
                                                const mastra_ask_t *ask,
                                                mastra_done_cb *done,
                                                void *baton)
{
    return start(pcall, ask, MASTRA_ASK_START, NULL, done, baton);
}

static apr_status_t mastra_workflow_resume_async(mastra_call_t **pcall,
                                                 const mastra_ask_t *ask,
                                                 mastra_done_cb *done,
                                                 void *baton)
{
    return start(pcall, ask, MASTRA_ASK_RESUME, NULL, done, baton);
}

static apr_status_t mastra_workflow_stream_async(mastra_call_t **pcall,
                                                 const mastra_ask_t *ask,
                                                 mastra_chunk_cb *chunk,
                                                 mastra_done_cb *done,
                                                 void *baton)
{
    return start(pcall, ask, MASTRA_ASK_WATCH, chunk, done, baton);
}

static apr_status_t mastra_memory_async(mastra_call_t **pcall,
                                        const mastra_ask_t *ask,
                                        const char *method, const char *path,
                                        mastra_done_cb *done, void *baton)
{
    return method && path
           ? start_with(pcall, ask, MASTRA_ASK_MEMORY, NULL, done, baton,
                        method, path)
           : APR_EINVAL;
}

static void mastra_call_cancel(mastra_call_t *call)
{
    sigset_t signals;

    mastra_native_lock(call->lock, &signals);
    if (!call->over) {
        call->cancelled = 1;
        mastra_native_call_post(call, MASTRA_MSG_CANCEL);
    }
    mastra_native_unlock(call->lock, &signals);
}

static void mastra_call_resume(mastra_call_t *call)
{
    sigset_t signals;

    mastra_native_lock(call->lock, &signals);
    if (!call->over) {
        mastra_native_call_post(call, MASTRA_MSG_RESUME);
    }
    mastra_native_unlock(call->lock, &signals);
}

static void mastra_call_release(mastra_call_t *call)
{
    mastra_native_call_unref(call);
}

/* --- calls that wait ------------------------------------------------------- */

/* Gives what there is to the chunk callback; without the lock. Returns what
 * it says. */
static apr_status_t deliver(mastra_call_t *call, mastra_native_piece_t *pieces)
{
    apr_status_t rv = APR_SUCCESS;
    mastra_native_piece_t *piece;

    for (piece = pieces; piece && !rv; piece = piece->next) {
        rv = call->chunk(call->baton, piece->text, piece->len);
    }
    mastra_native_pieces_free(pieces);
    return rv;
}

/* Takes the chunks that wait; NULL: none. With the lock. */
static mastra_native_piece_t *take_pieces(mastra_call_t *call)
{
    mastra_native_piece_t *pieces = call->first;

    call->first = NULL;
    call->end = &call->first;
    call->waiting = 0;
    if (call->paused && !call->over) {
        call->paused = 0;
        mastra_native_call_post(call, MASTRA_MSG_RESUME);
    }
    return pieces;
}

/* 0: the loop did not take it. */
static int wait_for_end(mastra_call_t *call, conn_rec *c)
{
    apr_time_t look_at = apr_time_now() + LOOK_EVERY;
    sigset_t signals;
    mastra_native_piece_t *pieces;
    int stop = 0, taken;

    mastra_native_lock(call->lock, &signals);
    taken = mastra_native_call_post(call, MASTRA_MSG_BEGIN);
    while (taken) {
        pieces = call->cancelled ? NULL : take_pieces(call);
        if (pieces) {
            mastra_native_unlock(call->lock, &signals);
            stop = call->stopped = deliver(call, pieces) != APR_SUCCESS;
            mastra_native_lock(call->lock, &signals);
        }
        else if (call->over) {
            break;
        }
        else {
            (void)apr_thread_cond_timedwait(call->changed, call->lock,
                                            LOOK_EVERY);
        }
        if (apr_time_now() >= look_at) {
            mastra_native_unlock(call->lock, &signals);
            stop |= mastra_park_look(c);
            look_at = apr_time_now() + LOOK_EVERY;
            mastra_native_lock(call->lock, &signals);
        }
        if (stop && !call->cancelled) {
            call->cancelled = 1;
            mastra_native_call_post(call, MASTRA_MSG_CANCEL);
        }
    }
    mastra_native_unlock(call->lock, &signals);
    return taken;
}

static apr_status_t copy_reply(const mastra_reply_t **preply,
                               const mastra_native_plan_t *plan,
                               apr_pool_t *pool)
{
    mastra_reply_t *reply = apr_palloc(pool, sizeof(*reply));

    mastra_native_call_reply(reply, plan);
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
    apr_status_t rv = mastra_native_read_ask(&ask, from, 1);
    int begun = 0;

    if (rv == APR_SUCCESS) {
        rv = mastra_native_call_open(&call, &ask, what);
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
        mastra_native_call_unref(call);
    }
    else {
        mastra_native_call_drop(call);
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

static apr_status_t mastra_workflow_start(const mastra_reply_t **preply,
                                          const mastra_ask_t *ask,
                                          apr_pool_t *pool)
{
    return wait_for(preply, ask, MASTRA_ASK_START, NULL, NULL, pool);
}

static apr_status_t mastra_workflow_resume(const mastra_reply_t **preply,
                                           const mastra_ask_t *ask,
                                           apr_pool_t *pool)
{
    return wait_for(preply, ask, MASTRA_ASK_RESUME, NULL, NULL, pool);
}

static apr_status_t mastra_workflow_stream(const mastra_reply_t **preply,
                                           const mastra_ask_t *ask,
                                           mastra_chunk_cb *chunk, void *baton,
                                           apr_pool_t *pool)
{
    return wait_for(preply, ask, MASTRA_ASK_WATCH, chunk, baton, pool);
}

static apr_status_t mastra_agents_list(const mastra_reply_t **preply,
                                       server_rec *server, apr_pool_t *pool)
{
    mastra_native_plan_t plan = { .status = 200 };
    mastra_native_t *native;
    mastra_host_t *host = mastra_native_host(server, &native);

    if (!host) {
        return APR_ENOTIMPL;
    }
    mastra_native_plan_agents(&plan, host);
    copy_reply(preply, &plan, pool);
    free(plan.text);
    return APR_SUCCESS;
}

static apr_status_t mastra_memory(const mastra_reply_t **preply,
                                  const mastra_ask_t *from,
                                  const char *method, const char *path,
                                  apr_pool_t *pool)
{
    mastra_native_plan_t plan = { NULL };
    mastra_ask_t ask;
    apr_pool_t *work;
    apr_status_t rv = method && path ? mastra_native_read_ask(&ask, from, 0)
                                     : APR_EINVAL;

    if (rv) {
        return rv;
    }
    rv = apr_pool_create(&work, pool);
    if (rv) {
        return rv;
    }
    rv = mastra_native_plan_memory(&plan, &ask, method, path, work);
    if (rv == APR_SUCCESS) {
        copy_reply(preply, &plan, pool);
        free(plan.text);
    }
    apr_pool_destroy(work);
    return rv;
}

/* --- registration ---------------------------------------------------------- */

void mastra_native_register_calls(void)
{
    APR_REGISTER_OPTIONAL_FN(mastra_generate);
    APR_REGISTER_OPTIONAL_FN(mastra_stream);
    APR_REGISTER_OPTIONAL_FN(mastra_tool_execute);
    APR_REGISTER_OPTIONAL_FN(mastra_workflow_start);
    APR_REGISTER_OPTIONAL_FN(mastra_workflow_resume);
    APR_REGISTER_OPTIONAL_FN(mastra_workflow_stream);
    APR_REGISTER_OPTIONAL_FN(mastra_agents_list);
    APR_REGISTER_OPTIONAL_FN(mastra_memory);
    APR_REGISTER_OPTIONAL_FN(mastra_generate_async);
    APR_REGISTER_OPTIONAL_FN(mastra_stream_async);
    APR_REGISTER_OPTIONAL_FN(mastra_tool_execute_async);
    APR_REGISTER_OPTIONAL_FN(mastra_workflow_start_async);
    APR_REGISTER_OPTIONAL_FN(mastra_workflow_resume_async);
    APR_REGISTER_OPTIONAL_FN(mastra_workflow_stream_async);
    APR_REGISTER_OPTIONAL_FN(mastra_memory_async);
    APR_REGISTER_OPTIONAL_FN(mastra_call_cancel);
    APR_REGISTER_OPTIONAL_FN(mastra_call_resume);
    APR_REGISTER_OPTIONAL_FN(mastra_call_release);
}
