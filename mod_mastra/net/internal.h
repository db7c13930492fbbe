#ifndef MASTRA_NET_INTERNAL_H
#define MASTRA_NET_INTERNAL_H

#include <apr_thread_proc.h>

#include "loop.h"

struct sockaddr;
struct mastra_guard_t;

/*
 * What the files of net/ share and nobody else sees.
 */

/* ---- timer.c: a four-way heap, so that 20,000 timers are 7 levels ---- */

typedef struct {
    apr_time_t when;         /* copied here: comparing touches no timer */
    mastra_timer_t *timer;
} mastra_heap_entry_t;

typedef struct {
    mastra_heap_entry_t *entries;
    apr_size_t count;
    apr_size_t size;
} mastra_heap_t;

/* Puts timer at timer->when, or moves it there. Ends the process when memory
 * is short, as pools do. */
void mastra_heap_set(mastra_heap_t *heap, mastra_timer_t *timer);
void mastra_heap_remove(mastra_heap_t *heap, mastra_timer_t *timer);

/* ---- loop.c ---- */

/* A joinable thread in which no signal is delivered, but for those that a
 * fault raises. name: up to 15 characters. */
apr_status_t mastra_net_thread(apr_thread_t **pthread,
                               apr_thread_start_t start, void *baton,
                               apr_pool_t *pool);
void mastra_net_thread_name(const char *name);

/* The loop's place for the HTTP client: made on the first transfer, closed on
 * the loop thread when the loop stops. */
void *mastra_loop_client(const mastra_loop_t *loop);
void mastra_loop_set_client(mastra_loop_t *loop, void *client,
                            mastra_loop_cb *close_cb);
int mastra_loop_max_connects(const mastra_loop_t *loop);
/* A pointer per descriptor for whoever opened it; NULL: none. */
void *mastra_loop_owner(const mastra_loop_t *loop, int fd);
apr_status_t mastra_loop_own(mastra_loop_t *loop, int fd, void *owner);
/* Tells the watchdog what the present callback is about. */
void mastra_loop_doing(mastra_loop_t *loop, const char *what);

/* ---- guard.c ---- */

/* 1 when an untrusted request for host (lower case) and port may talk to
 * addr. guard may be NULL: no rules. */
int mastra_guard_permits(const struct mastra_guard_t *guard, const char *host,
                         int port, const struct sockaddr *addr);
/* The same for an address in text form. */
int mastra_guard_permits_text(const struct mastra_guard_t *guard,
                              const char *host, int port, const char *text);

#endif
