/* From a request to an exchange and back: which way it is held, the hooks of
 * the workers, and what a child starts with. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <httpd.h>
#include <apr_atomic.h>
#include <apr_strings.h>
#include <ap_mpm.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>
#include <util_filter.h>

#include "../base/log.h"
#include "park_internal.h"

/* the least time between two looks at a parked exchange */
#define TICK_LEAST apr_time_from_msec(100)
#define ON_HEAD "mastra-on-head"

mastra_park_t *mastra_park;

static int wanted_hold = MASTRA_HOLD_PARK;

/* What this worker is about: the connection whose hooks run below ours, the
 * exchange that its handler made, and the one that it is to let go. */
static __thread struct {
    conn_rec *c;
    mastra_exchange_t *made;
    mastra_exchange_t *leaving;
} here;

/* ---- requests ---- */

void mastra_exchange_free(mastra_exchange_t *ex)
{
    if (ex->kind != MASTRA_KIND_NONE) {
        mastra_limit_leave(ex->kind);
    }
    free(ex);
}

void mastra_worker_complete(mastra_exchange_t *ex)
{
    request_rec *r = ex->r;
    conn_rec *c = ex->c;

    if (ex->failed || (ex->cut && !ex->opened)) {
        c->aborted = 1;
    }
    if (ex->cut || ex->refused) {
        c->keepalive = AP_CONN_CLOSE;
    }
    if (ex->refused && !c->aborted) {
        ap_die(HTTP_SERVICE_UNAVAILABLE, r);
    }
    else {
        ap_finalize_request_protocol(r);
    }
    mastra_exchange_free(ex);
    ap_process_request_after_handler(r);
}

/* Its request ended before the loop had heard of it. */
static void abandon(mastra_exchange_t *ex)
{
    ex->cbs->release(ex->baton);
    mastra_exchange_free(ex);
}

static const mastra_way_t *choose_way(request_rec *r, apr_size_t *pslice)
{
    conn_rec *c = r->connection;
    apr_uint32_t hold = apr_atomic_read32(&mastra_park->hold);

    /* SUSPENDED ends where the core reads it: not below a subrequest or a
     * redirect, not on a stream of HTTP/2 */
    if (hold == MASTRA_HOLD_BLOCK || c->master || !c->cs || here.c != c
        || here.made || r->main || r->prev || c->clogging_input_filters
        || !mastra_out_may_park(r, pslice)) {
        return &mastra_way_block;
    }
    return hold == MASTRA_HOLD_PARK ? &mastra_way_park : &mastra_way_suspend;
}

static apr_interval_time_t least_timeout(const request_rec *r)
{
    apr_interval_time_t t = r->server->timeout;

    if (r->connection->base_server->timeout < t) {
        t = r->connection->base_server->timeout;
    }
    if (mastra_park->server->timeout < t) {
        t = mastra_park->server->timeout;
    }
    return t > 0 ? t : apr_time_from_sec(DEFAULT_TIMEOUT);
}

void mastra_exchange_on_head(request_rec *r, mastra_exchange_head_cb *cb,
                             void *baton)
{
    mastra_head_hook_t *hook = apr_palloc(r->pool, sizeof(*hook));

    hook->cb = cb;
    hook->baton = baton;
    apr_pool_userdata_setn(hook, ON_HEAD, NULL, r->pool);
}

static const mastra_head_hook_t *head_hook(request_rec *r)
{
    void *hook = NULL;

    apr_pool_userdata_get(&hook, ON_HEAD, r->pool);
    return hook;
}

static mastra_exchange_t *make(request_rec *r,
                               const mastra_exchange_cbs_t *cbs, void *baton)
{
    conn_rec *c = r->connection;
    mastra_exchange_t *ex = calloc(1, sizeof(*ex));

    if (!ex) {
        return NULL;
    }
    ex->r = r;
    ex->c = c;
    ex->cbs = cbs;
    ex->baton = baton;
    ex->on_head = head_hook(r);
    ex->way = choose_way(r, &ex->slice);
    ex->kind = ex->way != &mastra_way_block ? MASTRA_KIND_PARKED
             : c->master ? MASTRA_KIND_H2 : MASTRA_KIND_WORKER;
    ex->timeout = r->server->timeout;
    /* two looks within the MPM's Timeout, with time to spare */
    ex->tick = least_timeout(r) * 2 / 5;
    if (ex->tick < TICK_LEAST) {
        ex->tick = TICK_LEAST;
    }
    if (ex->way != &mastra_way_block) {
        ex->worker_child = (int)(c->id / mastra_park->thread_limit);
        ex->worker_thread = (int)(c->id % mastra_park->thread_limit);
        ex->worker_turns =
            apr_atomic_read32(&mastra_park->turns[ex->worker_thread]);
    }
    ex->efd = ex->fd = -1;
    mastra_buf_init(&ex->out, MASTRA_EXCHANGE_MAX + MASTRA_WRITE_MAX);
    return ex;
}

static int refuse(request_rec *r, const mastra_exchange_cbs_t *cbs,
                  void *baton)
{
    cbs->release(baton);
    apr_table_setn(r->err_headers_out, "Retry-After", "1");
    return HTTP_SERVICE_UNAVAILABLE;
}

int mastra_exchange_run(request_rec *r, const mastra_exchange_cbs_t *cbs,
                        void *baton, int internal)
{
    mastra_exchange_t *ex;
    int rc;

    /* what is left of a body would be read as the next request */
    rc = ap_discard_request_body(r);
    if (rc != OK) {
        cbs->release(baton);
        return rc;
    }
    /* before the filters are called, which would collect to compress */
    apr_table_setn(r->subprocess_env, "no-gzip", "1");
    apr_table_setn(r->subprocess_env, "no-brotli", "1");
    ex = mastra_park ? make(r, cbs, baton) : NULL;
    if (!ex) {
        return refuse(r, cbs, baton);
    }
    if (mastra_limit_enter(ex->kind, internal) != APR_SUCCESS) {
        free(ex);
        return refuse(r, cbs, baton);
    }
    ex->bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    if (ex->way == &mastra_way_block) {
        return mastra_block_run(ex);
    }
    here.made = ex;
    return SUSPENDED;
}

/* ---- hooks ---- */

static apr_status_t hand_over(mastra_exchange_t *ex)
{
    if (ex->c->aborted) {
        return APR_ECONNABORTED;
    }
    return ex->way == &mastra_way_park ? mastra_park_hand_over(ex)
                                       : mastra_suspend_hand_over(ex);
}

/* The connection cannot be handed over: its worker says so. */
static void give_up(mastra_exchange_t *ex)
{
    ex->cbs->release(ex->baton);
    ex->refused = 1;
    mastra_worker_complete(ex);
}

static int run_and_hand_over(conn_rec *c)
{
    conn_rec *outer = here.c;
    mastra_exchange_t *ex;
    int rc;

    here.c = c;
    here.made = NULL;
    rc = ap_run_process_connection(c);
    here.c = outer;
    ex = here.made;
    here.made = NULL;
    if (!ex) {
        return rc;
    }
    if (rc != OK || c->cs->state != CONN_STATE_SUSPENDED) {
        /* someone took SUSPENDED for an answer; the request may be gone */
        mastra_log(MASTRA_LOG_ERR, 0,
                   MASTRA_ID(405) "a request was not suspended: does a module "
                   "call handlers on its own?");
        abandon(ex);
        return rc;
    }
    if (hand_over(ex) != APR_SUCCESS) {
        give_up(ex);
        return OK;
    }
    here.leaving = ex;
    return OK;
}

static int process_connection(conn_rec *c)
{
    mastra_exchange_t *ex;
    mastra_park_t *park = mastra_park;
    int thread;

    if (!park || park->hold == MASTRA_HOLD_BLOCK || c->master || !c->cs
        || here.c == c) {
        return DECLINED;
    }
    ex = mastra_park_parked(c);
    if (!ex) {
        thread = (int)(c->id % park->thread_limit);
        apr_atomic_inc32(&park->turns[thread]);
        return run_and_hand_over(c);
    }
    if (mastra_park_reenter(ex)) {
        here.leaving = ex;
    }
    return OK;
}

static void suspend_connection(conn_rec *c, request_rec *r)
{
    mastra_exchange_t *ex = here.leaving;

    if (!ex || ex->c != c) {
        return;
    }
    here.leaving = NULL;
    if (ex->way == &mastra_way_park) {
        mastra_park_let_go(ex);
    }
    else {
        mastra_suspend_let_go(ex);
    }
}

static void resume_connection(conn_rec *c, request_rec *r)
{
    mastra_exchange_t *ex;

    /* without a scoreboard handle the pool is on its way out */
    if (!mastra_park || c->master || !c->cs || !c->sbh
        || c->cs->state != CONN_STATE_LINGER) {
        return;
    }
    ex = mastra_park_parked(c);
    if (ex) {
        mastra_park_timed_out(ex);
    }
}

static void child_stopping(apr_pool_t *pool, int graceful)
{
    /* prefork calls this from a signal handler, at its very end */
    if (mastra_park && mastra_park->is_threaded) {
        mastra_park_stop(graceful);
    }
}

void mastra_park_register_hooks(apr_pool_t *pool)
{
    mastra_park = NULL;
    wanted_hold = MASTRA_HOLD_PARK;
    mastra_park_key(pool);
    mastra_limit_register_hooks();
    /* ours runs all others below it */
    ap_hook_process_connection(process_connection, NULL, NULL,
                               APR_HOOK_REALLY_FIRST);
    /* after this one the loop may use the connection */
    ap_hook_suspend_connection(suspend_connection, NULL, NULL,
                               APR_HOOK_REALLY_LAST);
    ap_hook_resume_connection(resume_connection, NULL, NULL,
                              APR_HOOK_REALLY_FIRST);
    ap_hook_child_stopping(child_stopping, NULL, NULL, APR_HOOK_FIRST);
}

void mastra_park_set_hold(mastra_park_hold_e hold)
{
    wanted_hold = hold;
}

/* ---- start of a child ---- */

static mastra_park_hold_e best_hold(void)
{
    int can = 0;

    if (strcmp(ap_show_mpm(), "event")
        || wanted_hold == MASTRA_HOLD_BLOCK) {
        return MASTRA_HOLD_BLOCK;
    }
    if (wanted_hold == MASTRA_HOLD_PARK
        && ap_mpm_query(AP_MPMQ_CAN_WAITIO, &can) == APR_SUCCESS && can) {
        return MASTRA_HOLD_PARK;
    }
    return MASTRA_HOLD_SUSPEND;
}

apr_status_t mastra_park_child_init(apr_pool_t *pool, server_rec *s,
                                    mastra_loop_t *loop,
                                    apr_interval_time_t stop_limit)
{
    mastra_park_t *park = apr_pcalloc(pool, sizeof(*park));
    apr_status_t rv;

    park->server = s;
    park->loop = loop;
    park->stop_limit = stop_limit;
    park->hold = best_hold();
    ap_mpm_query(AP_MPMQ_IS_THREADED, &park->is_threaded);
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_THREADS, &park->thread_limit);
    if (park->thread_limit < 1) {
        park->thread_limit = 1;
    }
    park->turns = apr_pcalloc(pool, park->thread_limit
                                    * sizeof(*park->turns));
    rv = mastra_park_make_standins(park, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    mastra_exchange_make_buffers(park, pool);
    mastra_limit_child_init();
    mastra_park = park;
    return APR_SUCCESS;
}
