/* Suspending: the loop keeps a connection that the MPM has forgotten, and
 * closes it after the answer. For an event MPM that cannot be parked with. */

#include <errno.h>
#include <stdlib.h>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <httpd.h>
#include <apr_atomic.h>
#include <apr_portable.h>
#include <ap_mpm.h>
#include <http_connection.h>
#include <http_protocol.h>
#include <scoreboard.h>

#include "../base/log.h"
#include "park_internal.h"

#define LINGER apr_time_from_sec(2)
#define LINGER_LOOK apr_time_from_msec(50)
/* A worker of a dying child no longer tells whether it is idle; it needs
 * microseconds, so it gets seconds. */
#define WORKER_LEFT apr_time_from_sec(5)

/*
 * Whoever suspends a connection writes two fields of it after the last hook.
 * So the pool must not go before that worker has been seen elsewhere: with
 * another connection (its count of turns moved on) or idle.
 */
typedef struct {
    conn_rec *c;
    int fd;
    apr_time_t suspended;
    apr_time_t until;
    apr_uint32_t turns;
    int child, thread;
    int closed;              /* by the client */
    mastra_msg_t msg;
    mastra_watch_t watch;
    mastra_timer_t timer;
} linger_t;

static int has_worker_left(const linger_t *linger, apr_time_t now)
{
    const worker_score *ws;

    if (apr_atomic_read32(&mastra_park->turns[linger->thread])
            != linger->turns
        || now - linger->suspended > WORKER_LEFT) {
        return 1;
    }
    ws = ap_get_scoreboard_worker_from_indexes(linger->child, linger->thread);
    return ws && (ws->status == SERVER_READY || ws->status == SERVER_DEAD);
}

/* From the timer only: no event of a present batch can name linger then. */
static void look_cb(void *baton)
{
    linger_t *linger = baton;
    mastra_loop_t *loop = mastra_park->loop;
    apr_time_t now = mastra_loop_now(loop);
    conn_rec *c = linger->c;

    if ((linger->closed || now >= linger->until)
        && has_worker_left(linger, now)) {
        mastra_loop_unwatch(loop, &linger->watch);
        /* what the MPM's cleanup of the connection takes off its counts */
        c->cs->state = CONN_STATE_SUSPENDED;
        apr_pool_destroy(c->pool);
        return;
    }
    mastra_loop_timer_set(loop, &linger->timer, LINGER_LOOK, look_cb, linger);
}

static void drain_cb(void *baton, unsigned events)
{
    linger_t *linger = baton;
    char dust[4096];
    ssize_t n = recv(linger->fd, dust, sizeof(dust), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        linger->closed = 1;
        mastra_loop_unwatch(mastra_park->loop, &linger->watch);
    }
}

static void linger_cb(void *baton)
{
    linger_t *linger = baton;
    mastra_loop_t *loop = mastra_park->loop;

    linger->until = mastra_loop_now(loop) + LINGER;
    linger->watch.fd = linger->fd;
    linger->watch.events = EPOLLIN | EPOLLRDHUP;
    linger->watch.cb = drain_cb;
    linger->watch.baton = linger;
    if (linger->closed
        || mastra_loop_watch(loop, &linger->watch) != APR_SUCCESS) {
        linger->closed = 1;
    }
    look_cb(linger);
}

/* On a worker, as a timed callback of the MPM, which counts that worker as
 * idle meanwhile: nothing here waits. */
static void complete_cb(void *baton)
{
    mastra_exchange_t *ex = baton;
    conn_rec *c = ex->c;
    linger_t *linger = apr_pcalloc(c->pool, sizeof(*linger));

    linger->c = c;
    linger->fd = ex->fd;
    linger->suspended = ex->suspended_at;
    linger->turns = ex->worker_turns;
    linger->child = ex->worker_child;
    linger->thread = ex->worker_thread;
    linger->msg.cb = linger_cb;
    linger->msg.baton = linger;
    c->keepalive = AP_CONN_CLOSE;
    mastra_worker_complete(ex);
    ap_prep_lingering_close(c);
    if (!c->aborted) {
        ap_flush_conn(c);
    }
    linger->closed = c->aborted;
    shutdown(linger->fd, SHUT_WR);
    mastra_loop_post(mastra_park->loop, &linger->msg);
}

/* ---- loop ---- */

static void tick_cb(void *baton)
{
    mastra_exchange_t *ex = baton;

    mastra_out_check_stalled(ex);
    mastra_loop_timer_set(mastra_park->loop, &ex->timer, ex->tick, tick_cb,
                          ex);
}

static apr_status_t suspend_attach(mastra_exchange_t *ex)
{
    mastra_loop_timer_set(mastra_park->loop, &ex->timer, ex->tick, tick_cb,
                          ex);
    return mastra_out_watch(ex);
}

static int suspend_ready(mastra_exchange_t *ex)
{
    return 1;
}

static void suspend_finish(mastra_exchange_t *ex)
{
    apr_status_t rv;

    mastra_head_free(ex->head);
    rv = ap_mpm_register_timed_callback(0, complete_cb, ex);
    if (rv != APR_SUCCESS) {
        mastra_log(MASTRA_LOG_ERR, rv,
                   MASTRA_ID(404) "a suspended connection cannot be closed");
    }
}

const mastra_way_t mastra_way_suspend = {
    "suspended", suspend_attach, mastra_out_flush, mastra_out_drained,
    suspend_ready, suspend_finish
};

/* ---- worker ---- */

apr_status_t mastra_suspend_hand_over(mastra_exchange_t *ex)
{
    conn_rec *c = ex->c;
    apr_os_sock_t fd;

    ex->csd = ap_get_conn_socket(c);
    apr_os_sock_get(&fd, ex->csd);
    ex->fd = fd;
    apr_socket_timeout_set(ex->csd, 0);
    /* by the header, as c->keepalive would also switch chunks off, and with
     * them the sign of an answer that breaks off */
    apr_table_setn(ex->r->headers_out, "Connection", "close");
    return APR_SUCCESS;
}

void mastra_suspend_let_go(mastra_exchange_t *ex)
{
    ex->suspended_at = apr_time_now();
    ex->msg.cb = mastra_exchange_start_cb;
    ex->msg.baton = ex;
    mastra_loop_post(mastra_park->loop, &ex->msg);
}
