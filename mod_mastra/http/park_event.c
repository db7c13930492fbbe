/* Parking: the event MPM polls an eventfd in place of the client's socket while
 * the loop answers on the real one, and gets the connection back at the end. */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <httpd.h>
#include <apr_atomic.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <ap_mpm.h>
#include <http_connection.h>
#include <http_protocol.h>
#include <http_request.h>
#include <scoreboard.h>

#include "../base/log.h"
#include "park_internal.h"

/*
 * The MPM's poll entry and the connection share one apr_socket_t. While an
 * exchange is parked it holds the eventfd, and the core output filter is given
 * a second apr_socket_t with the client's descriptor.
 *
 * What the loop writes to the eventfd is all that the MPM ever sees:
 *   REFRESH  come by and go on waiting: the MPM's Timeout starts anew
 *   DONE     the loop has let go of connection, request and exchange
 * Reading DONE is what transfers them: there is no flag beside it.
 *
 * A refresh brings a worker to a connection that the loop still owns. It needs
 * c->aborted to stay 0 meanwhile, or the MPM would close the connection. So
 * ex->owner says who may touch c: the loop takes it for one pass of the filters
 * and puts aborted back, the worker takes it between the process_connection
 * and the suspend_connection hook. A loop that finds a worker there leaves
 * WANTED, and gets ex->msg when the worker has gone.
 */
#define TOKEN_REFRESH 1ULL
#define TOKEN_DONE (1ULL << 32)

#define CANARY_WAIT apr_time_from_sec(1)
/* An answer that is over so soon is not watched for a client that leaves, which
 * saves two system calls. */
#define WATCH_AFTER apr_time_from_msec(20)
/* A client that asks again within this time is waited for here: see stay. */
#define STAY apr_time_from_msec(20)
enum { CANARY_NONE, CANARY_SENT, CANARY_SEEN };

struct mastra_park_conn_t {
    mastra_exchange_t *ex;   /* NULL: not parked */
    apr_socket_t *real;      /* made once per connection */
    core_net_rec *net;
    apr_time_t ended;        /* when the last answer of it was complete */
    int quick;               /* its client asks again soon */
    int missed;              /* it did not, the last time it was waited for */
    int ahead;               /* it sends requests ahead */
};

static const char *conn_key;

void mastra_park_key(apr_pool_t *pool)
{
    /* two modules that are built from this file may be loaded side by side */
    conn_key = apr_psprintf(pool, "mastra-park-%pp", (void *)&conn_key);
}

static mastra_park_conn_t *park_conn(conn_rec *c)
{
    void *data = NULL;

    apr_pool_userdata_get(&data, conn_key, c->pool);
    return data;
}

static mastra_park_conn_t *park_conn_make(conn_rec *c)
{
    mastra_park_conn_t *conn = park_conn(c);

    if (!conn) {
        conn = apr_pcalloc(c->pool, sizeof(*conn));
        apr_pool_userdata_setn(conn, conn_key, NULL, c->pool);
    }
    return conn;
}

/* ---- stand-ins ---- */

static int standin_take(void)
{
    mastra_park_t *park = mastra_park;
    int fd = -1;

    apr_thread_mutex_lock(park->lock);
    if (park->nstandins) {
        fd = park->standins[--park->nstandins];
    }
    apr_thread_mutex_unlock(park->lock);
    return fd >= 0 ? fd : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

/* Only what has been read, and what the MPM does not poll any more: it takes
 * a descriptor out of its set before it brings a worker, but not before it
 * closes a connection. */
static void standin_give(int fd)
{
    mastra_park_t *park = mastra_park;

    apr_thread_mutex_lock(park->lock);
    if (park->nstandins < MASTRA_STANDINS) {
        park->standins[park->nstandins++] = fd;
        fd = -1;
    }
    apr_thread_mutex_unlock(park->lock);
    if (fd >= 0) {
        close(fd);
    }
}

static apr_status_t close_standins(void *baton)
{
    mastra_park_t *park = baton;

    while (park->nstandins) {
        close(park->standins[--park->nstandins]);
    }
    return APR_SUCCESS;
}

apr_status_t mastra_park_make_standins(mastra_park_t *park, apr_pool_t *pool)
{
    apr_pool_cleanup_register(pool, park, close_standins,
                              apr_pool_cleanup_null);
    return apr_thread_mutex_create(&park->lock, APR_THREAD_MUTEX_DEFAULT,
                                   pool);
}

/* ---- tokens ---- */

static void signal_mpm(const mastra_exchange_t *ex, uint64_t token)
{
    while (write(ex->efd, &token, sizeof(token)) < 0 && errno == EINTR) {
    }
}

/* What the loop has written since: REFRESH may be in it beside DONE. */
static int is_done(const mastra_exchange_t *ex)
{
    uint64_t tokens = 0;

    while (read(ex->efd, &tokens, sizeof(tokens)) < 0 && errno == EINTR) {
    }
    return tokens >= TOKEN_DONE;
}

/* ---- the connection between the two ---- */

static int loop_enters(mastra_exchange_t *ex)
{
    for (;;) {
        if (apr_atomic_cas32(&ex->owner, MASTRA_PARK_LOOP, MASTRA_PARK_FREE)
            == MASTRA_PARK_FREE) {
            return 1;
        }
        if (ex->awaiting) {
            return 0;
        }
        if (apr_atomic_cas32(&ex->owner, MASTRA_PARK_WANTED,
                             MASTRA_PARK_WORKER) == MASTRA_PARK_WORKER) {
            ex->awaiting = 1;
            return 0;
        }
    }
}

static void loop_leaves(mastra_exchange_t *ex)
{
    apr_atomic_xchg32(&ex->owner, MASTRA_PARK_FREE);
}

static void worker_enters(mastra_exchange_t *ex)
{
    /* the loop stays for one pass of filters that do not block */
    while (apr_atomic_cas32(&ex->owner, MASTRA_PARK_WORKER,
                            MASTRA_PARK_FREE) != MASTRA_PARK_FREE) {
        apr_sleep(20);
    }
}

static void wanted_cb(void *baton)
{
    mastra_exchange_t *ex = baton;

    ex->awaiting = 0;
    mastra_exchange_turn(ex);
}

/* From the suspend_connection hook: the worker's last touch of c was before
 * it, but for fields of the MPM's own. First time: the loop begins. */
void mastra_park_let_go(mastra_exchange_t *ex)
{
    if (!ex->msg.cb) {
        ex->msg.cb = mastra_exchange_start_cb;
        ex->msg.baton = ex;
        mastra_loop_post(mastra_park->loop, &ex->msg);
        return;
    }
    if (apr_atomic_xchg32(&ex->owner, MASTRA_PARK_FREE)
        == MASTRA_PARK_WANTED) {
        ex->msg.cb = wanted_cb;
        ex->msg.baton = ex;
        mastra_loop_post(mastra_park->loop, &ex->msg);
    }
}

/* ---- loop ---- */

/* True if a worker of this child has nothing to do. */
static int has_idle_worker(int child)
{
    worker_score *ws;
    int i, threads = 0;

    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    for (i = 0; i < threads; i++) {
        ws = ap_get_scoreboard_worker_from_indexes(child, i);
        if (ws && ws->status == SERVER_READY) {
            return 1;
        }
    }
    return 0;
}

static void strand_all(void)
{
    mastra_exchange_t *ex;

    for (ex = mastra_park->live; ex; ex = ex->next) {
        if (ex->way == &mastra_way_park) {
            ex->stranded = 1;
            if (ex->quit || ex->failed) {
                mastra_exchange_turn(ex);
            }
        }
    }
}

/* The first parked exchange of a child asks to be refreshed at once. If no
 * worker comes although one is idle, the MPM does not poll what it should:
 * then nothing is parked any more, and what is parked ends by closing. */
static void canary_cb(void *baton)
{
    mastra_park_t *park = mastra_park;

    if (apr_atomic_read32(&park->canary) == CANARY_SEEN) {
        return;
    }
    if (!has_idle_worker(park->canary_child)) {
        mastra_loop_timer_set(park->loop, &park->canary_timer, CANARY_WAIT,
                              canary_cb, NULL);
        return;
    }
    apr_atomic_set32(&park->hold, MASTRA_HOLD_SUSPEND);
    mastra_log(MASTRA_LOG_ERR, 0,
               MASTRA_ID(402) "the event MPM did not come back to a parked "
               "connection within a second: this child parks no more, its "
               "answers close their connections");
    strand_all();
}

static void tick_cb(void *baton)
{
    mastra_exchange_t *ex = baton;

    mastra_out_check_stalled(ex);
    signal_mpm(ex, TOKEN_REFRESH);
    mastra_loop_timer_set(mastra_park->loop, &ex->timer, ex->tick, tick_cb,
                          ex);
}

static void settled_cb(void *baton)
{
    mastra_exchange_t *ex = baton;

    mastra_loop_timer_set(mastra_park->loop, &ex->timer, ex->tick, tick_cb,
                          ex);
    if (mastra_out_watch(ex) != APR_SUCCESS) {
        ex->failed = 1;
        mastra_exchange_turn(ex);
    }
}

static apr_status_t park_attach(mastra_exchange_t *ex)
{
    mastra_park_t *park = mastra_park;

    mastra_loop_timer_set(park->loop, &ex->timer, WATCH_AFTER, settled_cb, ex);
    if (apr_atomic_cas32(&park->canary, CANARY_SENT, CANARY_NONE)
        == CANARY_NONE) {
        signal_mpm(ex, TOKEN_REFRESH);
        park->canary_child = ex->worker_child;
        mastra_loop_timer_set(park->loop, &park->canary_timer, CANARY_WAIT,
                              canary_cb, NULL);
    }
    return ex->blocked ? mastra_out_watch(ex) : APR_SUCCESS;
}

static void park_flush(mastra_exchange_t *ex)
{
    if (!ex->failed && loop_enters(ex)) {
        mastra_out_flush(ex);
        loop_leaves(ex);
    }
}

static int park_ready(mastra_exchange_t *ex)
{
    return !ex->awaiting;
}

/*
 * A worker that ends a request and finds the next one there goes on with it.
 * So a client that is known to ask again soon is waited for before its worker
 * is called: one comes instead of two, and the MPM does not get to see the
 * connection in between.
 */
static void stay_over(mastra_exchange_t *ex)
{
    mastra_park_t *park = mastra_park;

    mastra_exchange_unlink(&park->staying, ex);
    mastra_loop_timer_stop(park->loop, &ex->timer);
    mastra_loop_unwatch(park->loop, &ex->watch);
    signal_mpm(ex, TOKEN_DONE);
}

static void asked_cb(void *baton, unsigned events)
{
    stay_over(baton);
}

static void not_asked_cb(void *baton)
{
    mastra_exchange_t *ex = baton;

    ex->conn->missed = 1;
    stay_over(ex);
}

void mastra_park_stay_over(mastra_park_t *park)
{
    while (park->staying) {
        stay_over(park->staying);
    }
}

static int stay(mastra_exchange_t *ex)
{
    mastra_park_t *park = mastra_park;

    ex->conn->ended = mastra_loop_now(park->loop);
    ex->conn->missed = 0;
    if (!ex->conn->quick || park->stopping || ex->stranded || ex->failed
        || ex->cut || ex->refused || ex->c->keepalive != AP_CONN_KEEPALIVE) {
        return 0;
    }
    ex->watch.fd = ex->fd;
    ex->watch.events = EPOLLIN | EPOLLRDHUP;
    ex->watch.cb = asked_cb;
    ex->watch.baton = ex;
    if (mastra_loop_watch(park->loop, &ex->watch) != APR_SUCCESS) {
        return 0;
    }
    mastra_loop_timer_set(park->loop, &ex->timer, STAY, not_asked_cb, ex);
    mastra_exchange_link(&park->staying, ex);
    /* its answer is complete: others may have its place */
    mastra_limit_leave(ex->kind);
    ex->kind = MASTRA_KIND_NONE;
    return 1;
}

static void park_finish(mastra_exchange_t *ex)
{
    int fd = ex->stranded ? ex->fd : -1;

    mastra_head_free(ex->head);
    if (stay(ex)) {
        return;
    }
    signal_mpm(ex, TOKEN_DONE);
    /* ex may be gone by now. The end of the client's data wakes an MPM that
     * polls its socket after all. */
    if (fd >= 0) {
        shutdown(fd, SHUT_RD);
    }
}

const mastra_way_t mastra_way_park = {
    "parked", park_attach, park_flush, mastra_out_drained, park_ready, park_finish
};

/* ---- worker ---- */

static void wait_on(conn_rec *c)
{
    c->cs->state = CONN_STATE_ASYNC_WAITIO;
    c->cs->sense = CONN_SENSE_WANT_READ;
}

apr_status_t mastra_park_hand_over(mastra_exchange_t *ex)
{
    conn_rec *c = ex->c;
    mastra_park_conn_t *conn = park_conn_make(c);
    apr_os_sock_t fd;

    ex->efd = standin_take();
    if (ex->efd < 0) {
        return errno;
    }
    ex->csd = ap_get_conn_socket(c);
    apr_os_sock_get(&fd, ex->csd);
    ex->fd = fd;
    apr_os_sock_put(&conn->real, &fd, c->pool);
    apr_socket_timeout_set(conn->real, 0);
    conn->net = mastra_out_net(c);
    conn->net->client_socket = conn->real;
    apr_os_sock_put(&ex->csd, &ex->efd, c->pool);
    conn->ex = ex;
    ex->conn = conn;
    conn->quick = conn->ended && !conn->ahead
                  && apr_time_now() - conn->ended < STAY;
    wait_on(c);
    return APR_SUCCESS;
}

static void take_back(mastra_exchange_t *ex, int reuse)
{
    mastra_park_conn_t *conn = ex->conn;
    conn_rec *c = ex->c;
    apr_os_sock_t fd = ex->fd;

    apr_os_sock_put(&ex->csd, &fd, c->pool);
    conn->net->client_socket = ex->csd;
    conn->ex = NULL;
    if (reuse) {
        standin_give(ex->efd);
    }
    else {
        close(ex->efd);
    }
    if (ex->stranded) {
        c->keepalive = AP_CONN_CLOSE;
    }
    mastra_worker_complete(ex);
    /* the next request was there already, where its arrival cannot be seen */
    conn->ahead |= conn->missed && c->data_in_input_filters;
}

mastra_exchange_t *mastra_park_parked(conn_rec *c)
{
    mastra_park_conn_t *conn = park_conn(c);

    return conn ? conn->ex : NULL;
}

int mastra_park_reenter(mastra_exchange_t *ex)
{
    conn_rec *c = ex->c;

    apr_atomic_cas32(&mastra_park->canary, CANARY_SEEN, CANARY_SENT);
    if (is_done(ex)) {
        take_back(ex, !ex->stranded);
        return 0;
    }
    worker_enters(ex);
    wait_on(c);
    return 1;
}

/* The MPM's Timeout met a parked connection, as the loop came too late with
 * its refresh, or the MPM does not see the eventfd. */
void mastra_park_timed_out(mastra_exchange_t *ex)
{
    conn_rec *c = ex->c;

    if (is_done(ex)) {
        take_back(ex, 0);
        c->cs->state = CONN_STATE_LINGER;
        return;
    }
    mastra_log(MASTRA_LOG_ERR, 0,
               MASTRA_ID(403) "the MPM's Timeout met a parked connection: the "
               "event loop is late, or workers are too busy");
    wait_on(c);
}
