/* Blocking: a worker waits for what the loop says and writes it. */

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include <httpd.h>
#include <apr_portable.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <ap_mpm.h>
#include <http_connection.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "../base/log.h"
#include "park_internal.h"

/* how often a worker looks for its client and for the state of the server */
#define LOOK_EVERY apr_time_from_msec(500)

/* Lives on the worker's stack until the loop has set over. */
struct mastra_block_t {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *cond;
    /* under mutex */
    char *data;              /* from the loop, NULL: none */
    apr_size_t len;
    mastra_head_t *head;
    char open;               /* the answer has begun: send what is known */
    char last;               /* nothing comes after data */
    char cut;
    char busy;               /* the worker is writing what it took */
    char wanted;             /* the loop wants a message when it is not */
    char poked;              /* a message is on its way to the loop */
    char gone;               /* the client is */
    char over;               /* the loop is done */
    /* worker */
    apr_time_t look_at;
    char masked;
    sigset_t signals;
};

/*
 * prefork runs its exit from signal handlers: it must not meet this thread
 * while it holds a lock that the loop needs, as the exit waits for the loop.
 * So signals wait while this file's locks are held; they come when the worker
 * writes to the client and each time that it looks for it.
 */
static void mask_signals(mastra_block_t *block)
{
    sigset_t set;

    if (mastra_park->is_threaded) {
        return;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGWINCH);
    pthread_sigmask(SIG_BLOCK, &set, &block->signals);
    block->masked = 1;
}

static void unmask_signals(mastra_block_t *block)
{
    if (block->masked) {
        block->masked = 0;
        pthread_sigmask(SIG_SETMASK, &block->signals, NULL);
    }
}

static void enter(mastra_block_t *block)
{
    mask_signals(block);
    apr_thread_mutex_lock(block->mutex);
}

static void leave(mastra_block_t *block)
{
    apr_thread_mutex_unlock(block->mutex);
    unmask_signals(block);
}

/* ---- loop ---- */

static apr_status_t block_attach(mastra_exchange_t *ex)
{
    return APR_SUCCESS;
}

/* The worker has room for one portion: what is queued when it comes for it. */
static void block_flush(mastra_exchange_t *ex)
{
    mastra_block_t *block = ex->block;

    if (ex->failed) {
        return;
    }
    apr_thread_mutex_lock(block->mutex);
    if (block->data || block->busy) {
        block->wanted = mastra_exchange_queued(ex) || ex->full;
        ex->blocked = 1;
    }
    else {
        ex->blocked = 0;
        if (mastra_exchange_queued(ex)) {
            if (ex->off) {
                mastra_buf_consume(&ex->out, ex->off);
                ex->off = 0;
            }
            block->data = mastra_buf_detach(&ex->out, &block->len);
            block->wanted = ex->full;
        }
    }
    if (ex->headed) {
        if (ex->head) {
            block->head = ex->head;
            ex->head = NULL;
        }
        block->open = 1;
    }
    block->last = ex->quit && !mastra_exchange_queued(ex);
    block->cut = ex->cut;
    apr_thread_cond_signal(block->cond);
    apr_thread_mutex_unlock(block->mutex);
}

/* The last portion is the worker's to deliver. */
static int block_drained(mastra_exchange_t *ex)
{
    return !mastra_exchange_queued(ex);
}

static int block_ready(mastra_exchange_t *ex)
{
    mastra_block_t *block = ex->block;
    int ready;

    apr_thread_mutex_lock(block->mutex);
    ready = !block->poked;
    if (ready) {
        /* the worker has nothing to say any more */
        block->gone = 1;
        block->wanted = 0;
    }
    apr_thread_mutex_unlock(block->mutex);
    return ready;
}

static void block_finish(mastra_exchange_t *ex)
{
    mastra_block_t *block = ex->block;

    mastra_head_free(ex->head);
    apr_thread_mutex_lock(block->mutex);
    block->over = 1;
    apr_thread_cond_signal(block->cond);
    apr_thread_mutex_unlock(block->mutex);
}

const mastra_way_t mastra_way_block = {
    "blocking", block_attach, block_flush, block_drained, block_ready,
    block_finish
};

static void poke_cb(void *baton)
{
    mastra_exchange_t *ex = baton;
    mastra_block_t *block = ex->block;

    apr_thread_mutex_lock(block->mutex);
    block->poked = 0;
    if (block->gone) {
        ex->failed = 1;
    }
    apr_thread_mutex_unlock(block->mutex);
    mastra_exchange_turn(ex);
}

/* ---- worker ---- */

/* With the mutex held. */
static void poke(mastra_exchange_t *ex)
{
    mastra_block_t *block = ex->block;

    if (!block->poked) {
        block->poked = 1;
        ex->msg.cb = poke_cb;
        ex->msg.baton = ex;
        mastra_loop_post(mastra_park->loop, &ex->msg);
    }
}

static int client_left(const mastra_exchange_t *ex)
{
    apr_socket_t *csd = ap_get_conn_socket(ex->c);
    struct pollfd pfd = { .events = POLLRDHUP };
    apr_os_sock_t fd;

    if (ex->c->aborted) {
        return 1;
    }
    /* a stream of HTTP/2 has no socket of its own; its aborted flag tells */
    if (ex->c->master || !csd || apr_os_sock_get(&fd, csd) != APR_SUCCESS) {
        return 0;
    }
    pfd.fd = fd;
    return poll(&pfd, 1, 0) > 0
           && (pfd.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

static void look_around(mastra_exchange_t *ex)
{
    mastra_block_t *block = ex->block;
    int state = 0;
    int left;

    block->look_at = apr_time_now() + LOOK_EVERY;
    leave(block);
    left = client_left(ex);
    /* prefork has no hook that tells of a graceful stop */
    if (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS
        && state == AP_MPMQ_STOPPING) {
        mask_signals(block);
        mastra_park_stop(1);
        unmask_signals(block);
    }
    enter(block);
    if (left) {
        ex->c->aborted = 1;
    }
}

static apr_status_t write_out(mastra_exchange_t *ex, mastra_head_t *head,
                              char *data, apr_size_t len, int last)
{
    apr_bucket_alloc_t *list = ex->c->bucket_alloc;
    apr_status_t rv;

    if (head) {
        mastra_out_head(ex->r, head);
        mastra_head_free(head);
    }
    if (data) {
        APR_BRIGADE_INSERT_TAIL(ex->bb, apr_bucket_heap_create(data, len, free,
                                                               list));
    }
    APR_BRIGADE_INSERT_TAIL(ex->bb, last ? apr_bucket_eos_create(list)
                                         : apr_bucket_flush_create(list));
    rv = ap_pass_brigade(ex->r->output_filters, ex->bb);
    apr_brigade_cleanup(ex->bb);
    return rv;
}

/* Takes what there is and writes it; 0 if there is nothing. With the mutex
 * held, but not while it writes. */
static int take_portion(mastra_exchange_t *ex)
{
    mastra_block_t *block = ex->block;
    mastra_head_t *head = block->head;
    apr_size_t len = block->len;
    char *data = block->data;
    int last = block->last && !block->cut;
    apr_status_t rv;

    if (!data && (!block->open || ex->opened)) {
        return 0;
    }
    block->data = NULL;
    block->head = NULL;
    block->busy = 1;
    ex->opened = 1;
    leave(block);
    rv = write_out(ex, head, data, len, last);
    enter(block);
    block->busy = 0;
    if (rv != APR_SUCCESS) {
        ex->c->aborted = 1;
    }
    if (block->wanted) {
        block->wanted = 0;
        poke(ex);
    }
    return 1;
}

static void serve(mastra_exchange_t *ex)
{
    mastra_block_t *block = ex->block;

    block->look_at = apr_time_now() + LOOK_EVERY;
    enter(block);
    for (;;) {
        /* mod_http2 sets aborted from its own threads */
        if (ex->c->aborted && !block->gone) {
            block->gone = 1;
            poke(ex);
        }
        if (!ex->c->aborted && take_portion(ex)) {
            continue;
        }
        if (block->over) {
            break;
        }
        (void)apr_thread_cond_timedwait(block->cond, block->mutex,
                                        LOOK_EVERY);
        if (apr_time_now() >= block->look_at) {
            look_around(ex);
        }
    }
    leave(block);
    free(block->data);
    mastra_head_free(block->head);
}

static int conclude(mastra_exchange_t *ex)
{
    request_rec *r = ex->r;

    if (ex->refused) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    if (ex->cut && !ex->c->aborted) {
        ex->c->keepalive = AP_CONN_CLOSE;
        if (ex->opened) {
            mastra_out_broken(r, ex->bb);
            (void)ap_pass_brigade(r->output_filters, ex->bb);
            apr_brigade_cleanup(ex->bb);
        }
        else {
            ex->c->aborted = 1;
        }
    }
    return OK;
}

int mastra_block_run(mastra_exchange_t *ex)
{
    apr_pool_t *pool = ex->r->pool;
    mastra_block_t block = { 0 };
    int rc;

    if (apr_thread_mutex_create(&block.mutex, APR_THREAD_MUTEX_DEFAULT, pool)
            != APR_SUCCESS
        || apr_thread_cond_create(&block.cond, pool) != APR_SUCCESS) {
        ex->cbs->release(ex->baton);
        mastra_exchange_free(ex);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    ex->block = &block;
    ex->msg.cb = mastra_exchange_start_cb;
    ex->msg.baton = ex;
    mask_signals(&block);
    mastra_loop_post(mastra_park->loop, &ex->msg);
    unmask_signals(&block);
    serve(ex);
    rc = conclude(ex);
    mastra_exchange_free(ex);
    return rc;
}
