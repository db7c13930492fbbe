#ifndef MASTRA_NET_LOOP_H
#define MASTRA_NET_LOOP_H

#include <apr_pools.h>
#include <apr_time.h>

/*
 * The child's one event loop: a thread that owns every outgoing transfer,
 * every timer and every parked client connection. Nothing that runs on it may
 * block: no SQL, no file, no name look-up, no lock held long. Functions named
 * _loop_ run on that thread only; everything else says where it may be called.
 */
typedef struct mastra_loop_t mastra_loop_t;
typedef void (mastra_loop_cb)(void *baton);

typedef struct {
    int stall_ms;            /* watchdog: log a turn that took longer; 50 */
    int max_connects;        /* idle upstream connections kept; 64 */
} mastra_loop_conf_t;

/* Starts the thread (all signals blocked). From child_init, once per child.
 * conf may be NULL: defaults. */
apr_status_t mastra_loop_start(mastra_loop_t **ploop,
                               const mastra_loop_conf_t *conf,
                               apr_pool_t *pool);
/* Stops and joins the thread; what is still posted is run first. Transfers
 * that are still open are cancelled without callbacks. Not on the loop. */
void mastra_loop_stop(mastra_loop_t *loop);
int mastra_loop_is_current(const mastra_loop_t *loop);

/* A message to the loop; its memory is the sender's until cb is called, then
 * cb's. Posted from any thread, also the loop; in order per sender. */
typedef struct mastra_msg_t {
    struct mastra_msg_t *next;
    mastra_loop_cb *cb;
    void *baton;
} mastra_msg_t;
void mastra_loop_post(mastra_loop_t *loop, mastra_msg_t *msg);
/* Runs msg when the present batch of events is done: on the loop only, for
 * objects that pending events may still name. */
void mastra_loop_defer(mastra_loop_t *loop, mastra_msg_t *msg);

/* Timers: embedded, zero-filled at first, loop thread only. Setting a set
 * timer moves it. O(log n). */
typedef struct {
    apr_time_t when;
    apr_size_t slot;         /* place in the heap + 1, 0: not set */
    mastra_loop_cb *cb;
    void *baton;
} mastra_timer_t;
void mastra_loop_timer_set(mastra_loop_t *loop, mastra_timer_t *timer,
                           apr_interval_time_t in, mastra_loop_cb *cb,
                           void *baton);
void mastra_loop_timer_stop(mastra_loop_t *loop, mastra_timer_t *timer);

/* File descriptors: embedded, loop thread only. events: EPOLL… of
 * <sys/epoll.h>. After mastra_loop_unwatch no callback comes, also none of
 * the present batch; the memory may go once the batch is over (defer). */
typedef struct mastra_watch_t {
    int fd;
    unsigned events;
    void (*cb)(void *baton, unsigned events);
    void *baton;
    unsigned generation;
} mastra_watch_t;
apr_status_t mastra_loop_watch(mastra_loop_t *loop, mastra_watch_t *watch);
apr_status_t mastra_loop_rewatch(mastra_loop_t *loop, mastra_watch_t *watch,
                                 unsigned events);
void mastra_loop_unwatch(mastra_loop_t *loop, mastra_watch_t *watch);

/* Time of the present turn: cheap, loop thread only. */
apr_time_t mastra_loop_now(const mastra_loop_t *loop);

#endif
