#ifndef MASTRA_HTTP_PARK_H
#define MASTRA_HTTP_PARK_H

#include <signal.h>

#include <httpd.h>
#include <apr_tables.h>

#include "../base/text.h"
#include "../net/loop.h"

/*
 * An exchange: one HTTP request whose answer is written by the loop while no
 * httpd worker is held. Three implementations behind one interface: parked
 * (event MPM, HTTP/1.1), suspended (event without CAN_WAITIO, or when the
 * canary failed), and blocking (HTTP/2, worker, prefork, subrequests, foreign
 * output filters), in which a worker waits and writes.
 *
 * Life: the handler validates, then returns mastra_exchange_run(…). begin is
 * called on the loop; from then on the functions below may be used, on the
 * loop, until end, cut or the gone callback. release is called exactly once,
 * last, on any thread, also when begin never came: it frees the baton. The
 * request_rec must not be touched between run and release: copy before.
 */
typedef struct mastra_exchange_t mastra_exchange_t;

typedef struct {
    /* loop: start the work */
    void (*begin)(mastra_exchange_t *ex, void *baton);
    /* loop: the client has left: stop the work, write no more. ex is not to be
     * used after it. Not called once end or cut was. */
    void (*gone)(void *baton);
    /* loop: there is room again after mastra_exchange_write said 0.
     * Optional. */
    void (*drain)(void *baton);
    /* loop: the child is stopping gracefully and the limit for live streams is
     * reached: say good-bye (an error chunk) and call end at once. Optional:
     * then the exchange is cut. */
    void (*stopping)(void *baton);
    /* any thread: over; free the baton */
    void (*release)(void *baton);
} mastra_exchange_cbs_t;

/* Takes over request r: returns what the handler returns (SUSPENDED, OK, DONE
 * or an HTTP status). The request's body must have been read. cbs is static.
 * internal: 1 for a call of this server to itself (tool URIs), which may use
 * the reserved capacity. HTTP_SERVICE_UNAVAILABLE with Retry-After set (and
 * release called) when the child is full. */
int mastra_exchange_run(request_rec *r, const mastra_exchange_cbs_t *cbs,
                        void *baton, int internal);

/* Before mastra_exchange_run: has cb called once status and headers are in r,
 * before they are sent, by the thread that owns r then: the loop, where
 * nothing may block, or a worker. baton lives as long as r. */
typedef void (mastra_exchange_head_cb)(void *baton);
void mastra_exchange_on_head(request_rec *r, mastra_exchange_head_cb *cb,
                             void *baton);

/* ---- loop thread, between begin and end/cut/gone ---- */

/* Status line and headers; before the first write. headers may be NULL, is
 * copied. Without a head the answer is 200. content_length < 0: chunked. */
void mastra_exchange_head(mastra_exchange_t *ex, int status,
                          const char *content_type, apr_off_t content_length,
                          const apr_table_t *headers);
/* Data is copied and flushed to the client at once, never blocking. 1: go on;
 * 0: taken, but the client is slow: write no more until drain. A single write
 * may be as large as 256 MiB; one that finds more than 8 MiB waiting cuts the
 * exchange, and gone is called. */
int mastra_exchange_write(mastra_exchange_t *ex, const char *data,
                          apr_size_t len);
/* The same with the memory of buf, which is empty after it: not copied if
 * nothing else waits. */
int mastra_exchange_give(mastra_exchange_t *ex, mastra_buf_t *buf);
/* An empty buffer of the loop's for what is to be written next, with a ceiling:
 * the caller's until somebody calls this again. It is not freed. */
mastra_buf_t *mastra_exchange_scratch(apr_size_t limit);
/* The answer is complete. */
void mastra_exchange_end(mastra_exchange_t *ex);
/* The connection is closed without a proper end. */
void mastra_exchange_cut(mastra_exchange_t *ex);

/* ---- set-up: glue ---- */

/* Hooks: process_connection, suspend_connection, resume_connection,
 * child_stopping. */
void mastra_park_register_hooks(apr_pool_t *pool);
/* The best way of holding clients that is tried: parked on an MPM that can,
 * suspended on the event MPM, else a waiting worker. At configuration time;
 * parking is the default. */
typedef enum {
    MASTRA_HOLD_PARK, MASTRA_HOLD_SUSPEND, MASTRA_HOLD_BLOCK
} mastra_park_hold_e;
void mastra_park_set_hold(mastra_park_hold_e hold);
/* post_config: computes the capacity from the MPM's numbers and RLIMIT_NOFILE
 * and logs it. */
apr_status_t mastra_park_post_config(apr_pool_t *pconf, server_rec *s);
/* child_init, after the loop was started. stop_limit: how long live streams
 * may go on at a graceful stop. */
apr_status_t mastra_park_child_init(apr_pool_t *pool, server_rec *s,
                                    mastra_loop_t *loop,
                                    apr_interval_time_t stop_limit);
/* The child ends: what is open is cut, and when this returns its owners have
 * been told (gone): what they have to store is queued. While the loop runs. */
void mastra_park_end(void);
/* Has cb called on the loop when answers have to end because the child stops:
 * at once, or at the limit. */
void mastra_park_on_limit(void (*cb)(void *baton), void *baton);

/* ---- a worker that waits for the loop outside of an exchange ---- */

/* Counts it among those that wait; APR_EAGAIN: no room. r: its request, or
 * NULL. Returns what is to be left in *pkind. */
apr_status_t mastra_park_enter_wait(int *pkind, const request_rec *r);
void mastra_park_leave_wait(int kind);
/* prefork runs its exit, which waits for the loop, from signal handlers: they
 * must not meet a lock that the loop needs, nor a place where it is waited
 * for. Between the two signals wait; to be left each half second. */
void mastra_park_hold_signals(sigset_t *before);
void mastra_park_free_signals(const sigset_t *before);
/* Each half second, without locks and with signals: 1 when the client of c
 * (or NULL) has left. Notices that the server stops. */
int mastra_park_look(conn_rec *c);

/* How many exchanges are open in this child, and the limit. */
void mastra_park_load(int *popen, int *pcapacity);

#endif
