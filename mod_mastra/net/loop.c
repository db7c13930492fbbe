/* The child's event loop: one thread with epoll, timers and a mailbox. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "../base/log.h"
#include "internal.h"

#define STALL_MS 50
#define MAX_CONNECTS 64
#define BATCH 512
#define FIRST_SLOTS 256
/* messages that post messages are followed this far when the loop stops */
#define LAST_ROUNDS 1000
/* between two warnings about stalls */
#define STALL_PAUSE apr_time_from_sec(1)

/* What is known of a file descriptor. An event carries the descriptor and the
 * generation; it is delivered when both still agree, so that neither closing
 * nor reusing a descriptor inside a batch can bring it to the wrong owner. */
typedef struct {
    mastra_watch_t *watch;   /* NULL: not watched */
    void *owner;             /* the HTTP client's */
    unsigned generation;
} slot_t;

struct mastra_loop_t {
    int epfd;
    int wakefd;
    mastra_watch_t wake;
    apr_thread_t *thread;
    apr_pool_t *pool;
    mastra_loop_conf_t conf;

    /* Shared by threads, by atomic operations only. The inbox is a stack that
     * only grows until the loop takes all of it. */
    mastra_msg_t *inbox;
    int sleeping;            /* 1: a sender must write to wakefd */
    int stopping;

    mastra_msg_t *deferred;
    mastra_msg_t **deferred_end;
    slot_t *slots;           /* by descriptor */
    int slots_size;
    unsigned generation;
    mastra_heap_t timers;
    void *client;
    mastra_loop_cb *client_close_cb;

    apr_time_t epoch;        /* wall clock less monotonic clock, at start */
    apr_time_t now;
    /* the watchdog's, of the present turn */
    apr_time_t began;
    long tick;               /* coarse clock after the last callback */
    struct rusage used;      /* by the thread, not long before the turn */
    long used_tick;
    long longest;            /* in coarse microseconds */
    const char *longest_what;
    const char *what;
    unsigned ran;
    /* and over turns */
    apr_time_t warned;
    unsigned unsaid;
};

static __thread const mastra_loop_t *current_loop;

/* ---- clocks and the watchdog ---- */

static apr_time_t read_clock(const mastra_loop_t *loop)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return loop->epoch + (apr_time_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Advances in steps of a few milliseconds, but costs next to nothing. */
static long coarse_clock(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

static void turn_begins(mastra_loop_t *loop)
{
    loop->now = read_clock(loop);
    loop->began = loop->now;
    loop->tick = coarse_clock();
    /* a system call: once in a step of the coarse clock is often enough */
    if (loop->tick != loop->used_tick) {
        loop->used_tick = loop->tick;
        getrusage(RUSAGE_THREAD, &loop->used);
    }
    loop->longest = 0;
    loop->longest_what = "nothing long";
    loop->ran = 0;
}

/* After each callback: notes the longest, and keeps the time of the turn from
 * falling behind when a callback took its time. */
static void callback_ended(mastra_loop_t *loop)
{
    long tick = coarse_clock();

    loop->ran++;
    if (tick == loop->tick) {
        return;
    }
    if (tick - loop->tick > loop->longest) {
        loop->longest = tick - loop->tick;
        loop->longest_what = loop->what;
    }
    loop->tick = tick;
    loop->now = read_clock(loop);
}

static long ms_of(const struct timeval *tv)
{
    return tv->tv_sec * 1000L + tv->tv_usec / 1000;
}

/* A stall with little time on a processor is none of this thread's making:
 * either the machine was busy, or a call blocked. */
static void log_stall(mastra_loop_t *loop, apr_time_t took)
{
    struct rusage used;
    long cpu;

    getrusage(RUSAGE_THREAD, &used);
    cpu = ms_of(&used.ru_utime) + ms_of(&used.ru_stime)
          - ms_of(&loop->used.ru_utime) - ms_of(&loop->used.ru_stime);
    mastra_log(MASTRA_LOG_WARNING, 0,
               MASTRA_ID(201) "the event loop was busy for %ld ms with %u "
               "callbacks, on a processor for %ld ms of it (others were given "
               "the processor %ld times); the longest callback (%ld ms) was of "
               "kind: %s; %u stalls before it were not logged",
               (long)(took / 1000), loop->ran, cpu,
               used.ru_nivcsw - loop->used.ru_nivcsw, loop->longest / 1000,
               loop->longest_what, loop->unsaid);
}

static void turn_ended(mastra_loop_t *loop)
{
    apr_time_t took;

    loop->now = read_clock(loop);
    took = loop->now - loop->began;
    if (took <= (apr_time_t)loop->conf.stall_ms * 1000) {
        return;
    }
    if (loop->warned && loop->now - loop->warned < STALL_PAUSE) {
        loop->unsaid++;
        return;
    }
    log_stall(loop, took);
    loop->warned = loop->now;
    loop->unsaid = 0;
}

void mastra_loop_doing(mastra_loop_t *loop, const char *what)
{
    loop->what = what;
}

apr_time_t mastra_loop_now(const mastra_loop_t *loop)
{
    return loop->now;
}

/* ---- mailbox and deferred messages ---- */

void mastra_loop_post(mastra_loop_t *loop, mastra_msg_t *msg)
{
    static const uint64_t one = 1;
    mastra_msg_t *head = __atomic_load_n(&loop->inbox, __ATOMIC_RELAXED);

    do {
        msg->next = head;
    } while (!__atomic_compare_exchange_n(&loop->inbox, &head, msg, 1,
                                          __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    /* The loop says "sleeping" before it looks into the inbox a last time, a
     * sender fills the inbox before it asks: one of the two sees the other.
     * Of many senders one writes. msg may be gone by now. */
    if (__atomic_load_n(&loop->sleeping, __ATOMIC_SEQ_CST)
        && __atomic_exchange_n(&loop->sleeping, 0, __ATOMIC_SEQ_CST)) {
        while (write(loop->wakefd, &one, sizeof(one)) < 0 && errno == EINTR) {
        }
    }
}

/* Waking is all: the descriptor is edge-triggered and never read, so that a
 * wake-up costs one system call and not two. */
static void wake_cb(void *baton, unsigned events)
{
}

static void run_messages(mastra_loop_t *loop, mastra_msg_t *msg,
                         const char *what)
{
    while (msg) {
        mastra_msg_t *next = msg->next;

        loop->what = what;
        msg->cb(msg->baton);
        callback_ended(loop);
        msg = next;
    }
}

static void run_inbox(mastra_loop_t *loop)
{
    mastra_msg_t *msg = NULL;
    mastra_msg_t *last;

    if (!__atomic_load_n(&loop->inbox, __ATOMIC_RELAXED)) {
        return;
    }
    last = __atomic_exchange_n(&loop->inbox, NULL, __ATOMIC_ACQUIRE);
    while (last) {
        mastra_msg_t *before = last->next;

        last->next = msg;
        msg = last;
        last = before;
    }
    run_messages(loop, msg, "message");
}

void mastra_loop_defer(mastra_loop_t *loop, mastra_msg_t *msg)
{
    msg->next = NULL;
    *loop->deferred_end = msg;
    loop->deferred_end = &msg->next;
}

static void run_deferred(mastra_loop_t *loop)
{
    mastra_msg_t *msg = loop->deferred;

    loop->deferred = NULL;
    loop->deferred_end = &loop->deferred;
    run_messages(loop, msg, "deferred message");
}

/* ---- timers ---- */

void mastra_loop_timer_set(mastra_loop_t *loop, mastra_timer_t *timer,
                           apr_interval_time_t in, mastra_loop_cb *cb,
                           void *baton)
{
    /* never at "now": a timer that sets itself must not keep the loop */
    timer->when = loop->now + (in > 0 ? in : 1);
    timer->cb = cb;
    timer->baton = baton;
    mastra_heap_set(&loop->timers, timer);
}

void mastra_loop_timer_stop(mastra_loop_t *loop, mastra_timer_t *timer)
{
    mastra_heap_remove(&loop->timers, timer);
}

static void run_timers(mastra_loop_t *loop)
{
    apr_time_t limit = loop->now;

    while (loop->timers.count && loop->timers.entries[0].when <= limit) {
        mastra_timer_t *timer = loop->timers.entries[0].timer;

        mastra_heap_remove(&loop->timers, timer);
        loop->what = "timer";
        timer->cb(timer->baton);
        callback_ended(loop);
    }
}

/* For epoll_wait: rounded up, so that no timer is met a millisecond early
 * over and over; "as soon as possible" is 1 microsecond and means 0. */
static int wait_ms(const mastra_loop_t *loop)
{
    apr_time_t in;

    if (loop->deferred) {
        return 0;
    }
    if (!loop->timers.count) {
        return -1;
    }
    in = loop->timers.entries[0].when - loop->now;
    if (in <= 1) {
        return 0;
    }
    return in > apr_time_from_sec(3600) ? 3600000 : (int)((in + 999) / 1000);
}

/* ---- file descriptors ---- */

static apr_status_t slots_reach(mastra_loop_t *loop, int fd)
{
    int size = loop->slots_size ? loop->slots_size : FIRST_SLOTS;
    slot_t *slots;

    if (fd < loop->slots_size) {
        return APR_SUCCESS;
    }
    while (size <= fd) {
        size *= 2;
    }
    slots = realloc(loop->slots, (apr_size_t)size * sizeof(*slots));
    if (!slots) {
        return APR_ENOMEM;
    }
    memset(slots + loop->slots_size, 0,
           (apr_size_t)(size - loop->slots_size) * sizeof(*slots));
    loop->slots = slots;
    loop->slots_size = size;
    return APR_SUCCESS;
}

void *mastra_loop_owner(const mastra_loop_t *loop, int fd)
{
    return fd >= 0 && fd < loop->slots_size ? loop->slots[fd].owner : NULL;
}

apr_status_t mastra_loop_own(mastra_loop_t *loop, int fd, void *owner)
{
    apr_status_t rv = slots_reach(loop, fd);

    if (rv == APR_SUCCESS) {
        loop->slots[fd].owner = owner;
    }
    return rv;
}

static struct epoll_event event_of(const mastra_watch_t *watch)
{
    struct epoll_event ev = { .events = watch->events };

    ev.data.u64 = (uint64_t)watch->generation << 32 | (uint32_t)watch->fd;
    return ev;
}

/* True while watch is the one that its descriptor belongs to. */
static int is_watched(const mastra_loop_t *loop, const mastra_watch_t *watch)
{
    return watch->generation && watch->fd >= 0
           && watch->fd < loop->slots_size
           && loop->slots[watch->fd].watch == watch;
}

apr_status_t mastra_loop_watch(mastra_loop_t *loop, mastra_watch_t *watch)
{
    struct epoll_event ev;
    apr_status_t rv;

    if (watch->fd < 0) {
        return APR_EBADF;
    }
    rv = slots_reach(loop, watch->fd);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!++loop->generation) {
        loop->generation = 1;
    }
    watch->generation = loop->generation;
    ev = event_of(watch);
    if (epoll_ctl(loop->epfd, EPOLL_CTL_ADD, watch->fd, &ev) < 0
        && (errno != EEXIST
            || epoll_ctl(loop->epfd, EPOLL_CTL_MOD, watch->fd, &ev) < 0)) {
        rv = errno;
        watch->generation = 0;
        return rv;
    }
    loop->slots[watch->fd].watch = watch;
    loop->slots[watch->fd].generation = watch->generation;
    return APR_SUCCESS;
}

apr_status_t mastra_loop_rewatch(mastra_loop_t *loop, mastra_watch_t *watch,
                                 unsigned events)
{
    struct epoll_event ev;

    if (!is_watched(loop, watch)) {
        return APR_EBADF;
    }
    /* these two are armed anew by the same call */
    if (watch->events == events && !(events & (EPOLLONESHOT | EPOLLET))) {
        return APR_SUCCESS;
    }
    watch->events = events;
    ev = event_of(watch);
    return epoll_ctl(loop->epfd, EPOLL_CTL_MOD, watch->fd, &ev) < 0
           ? errno : APR_SUCCESS;
}

void mastra_loop_unwatch(mastra_loop_t *loop, mastra_watch_t *watch)
{
    struct epoll_event ev = { 0 };

    if (is_watched(loop, watch)) {
        loop->slots[watch->fd].watch = NULL;
        /* fails when the descriptor was closed before: as good */
        (void)epoll_ctl(loop->epfd, EPOLL_CTL_DEL, watch->fd, &ev);
    }
    watch->generation = 0;
}

static void deliver(mastra_loop_t *loop, const struct epoll_event *ev)
{
    int fd = (int)(uint32_t)ev->data.u64;
    unsigned generation = (unsigned)(ev->data.u64 >> 32);
    slot_t slot = loop->slots[fd];
    unsigned events;

    if (!slot.watch || slot.generation != generation) {
        return;
    }
    /* what the watch stopped asking for during this batch is not told */
    events = ev->events & (slot.watch->events | EPOLLERR | EPOLLHUP);
    if (events) {
        loop->what = "descriptor";
        slot.watch->cb(slot.watch->baton, events);
        callback_ended(loop);
    }
}

/* ---- the thread ---- */

static int wait_events(mastra_loop_t *loop, struct epoll_event *events)
{
    int ms = wait_ms(loop);
    int n;

    if (ms) {
        __atomic_store_n(&loop->sleeping, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&loop->inbox, __ATOMIC_SEQ_CST)
            || __atomic_load_n(&loop->stopping, __ATOMIC_SEQ_CST)) {
            ms = 0;
        }
    }
    else if (__atomic_load_n(&loop->stopping, __ATOMIC_RELAXED)) {
        return 0;
    }
    n = epoll_wait(loop->epfd, events, BATCH, ms);
    __atomic_store_n(&loop->sleeping, 0, __ATOMIC_RELAXED);
    if (n < 0 && errno != EINTR) {
        mastra_log(MASTRA_LOG_CRIT, errno,
                   MASTRA_ID(202) "the event loop cannot wait for events");
        abort();
    }
    return n;
}

static void last_rounds(mastra_loop_t *loop)
{
    int round;

    for (round = 0; round < LAST_ROUNDS; round++) {
        run_inbox(loop);
        run_deferred(loop);
        if (!loop->deferred
            && !__atomic_load_n(&loop->inbox, __ATOMIC_ACQUIRE)) {
            return;
        }
    }
}

static void *APR_THREAD_FUNC run_loop(apr_thread_t *thread, void *baton)
{
    mastra_loop_t *loop = baton;
    struct epoll_event events[BATCH];
    int n, i;

    current_loop = loop;
    mastra_net_thread_name("mastra-loop");
    loop->now = read_clock(loop);
    while (!__atomic_load_n(&loop->stopping, __ATOMIC_ACQUIRE)) {
        n = wait_events(loop, events);
        turn_begins(loop);
        for (i = 0; i < n; i++) {
            deliver(loop, &events[i]);
        }
        run_timers(loop);
        run_inbox(loop);
        run_deferred(loop);
        turn_ended(loop);
    }
    last_rounds(loop);
    if (loop->client_close_cb) {
        loop->client_close_cb(loop->client);
    }
    current_loop = NULL;
    return NULL;
}

int mastra_loop_is_current(const mastra_loop_t *loop)
{
    return current_loop == loop;
}

void mastra_net_thread_name(const char *name)
{
    (void)pthread_setname_np(pthread_self(), name);
}

apr_status_t mastra_net_thread(apr_thread_t **pthread,
                               apr_thread_start_t start, void *baton,
                               apr_pool_t *pool)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT,
                                  SIGTRAP, SIGSYS };
    sigset_t all, before;
    apr_status_t rv;
    apr_size_t i;

    sigfillset(&all);
    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(&all, faults[i]);
    }
    /* blocked before the thread exists: it must not run a handler even once */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = apr_thread_create(pthread, NULL, start, baton, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv;
}

/* ---- start and stop ---- */

void *mastra_loop_client(const mastra_loop_t *loop)
{
    return loop->client;
}

void mastra_loop_set_client(mastra_loop_t *loop, void *client,
                            mastra_loop_cb *close_cb)
{
    loop->client = client;
    loop->client_close_cb = close_cb;
}

int mastra_loop_max_connects(const mastra_loop_t *loop)
{
    return loop->conf.max_connects;
}

static void loop_free(mastra_loop_t *loop)
{
    if (loop->wakefd >= 0) {
        close(loop->wakefd);
    }
    if (loop->epfd >= 0) {
        close(loop->epfd);
    }
    free(loop->slots);
    free(loop->timers.entries);
}

/* The pool goes without mastra_loop_stop having been called. */
static apr_status_t stop_cleanup(void *baton)
{
    mastra_loop_stop(baton);
    return APR_SUCCESS;
}

static void set_conf(mastra_loop_t *loop, const mastra_loop_conf_t *conf)
{
    if (conf) {
        loop->conf = *conf;
    }
    if (loop->conf.stall_ms <= 0) {
        loop->conf.stall_ms = STALL_MS;
    }
    if (loop->conf.max_connects <= 0) {
        loop->conf.max_connects = MAX_CONNECTS;
    }
}

apr_status_t mastra_loop_start(mastra_loop_t **ploop,
                               const mastra_loop_conf_t *conf,
                               apr_pool_t *pool)
{
    mastra_loop_t *loop = apr_pcalloc(pool, sizeof(*loop));
    apr_status_t rv;

    loop->pool = pool;
    loop->deferred_end = &loop->deferred;
    set_conf(loop, conf);
    loop->epoch = apr_time_now() - read_clock(loop);
    loop->epfd = epoll_create1(EPOLL_CLOEXEC);
    loop->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epfd < 0 || loop->wakefd < 0) {
        rv = errno;
        goto failed;
    }
    loop->wake.fd = loop->wakefd;
    loop->wake.events = EPOLLIN | EPOLLET;
    loop->wake.cb = wake_cb;
    rv = mastra_loop_watch(loop, &loop->wake);
    if (rv != APR_SUCCESS) {
        goto failed;
    }
    rv = mastra_net_thread(&loop->thread, run_loop, loop, pool);
    if (rv != APR_SUCCESS) {
        goto failed;
    }
    apr_pool_pre_cleanup_register(pool, loop, stop_cleanup);
    *ploop = loop;
    return APR_SUCCESS;

failed:
    loop_free(loop);
    return rv;
}

void mastra_loop_stop(mastra_loop_t *loop)
{
    static const uint64_t one = 1;
    apr_status_t rv;

    apr_pool_cleanup_kill(loop->pool, loop, stop_cleanup);
    __atomic_store_n(&loop->stopping, 1, __ATOMIC_SEQ_CST);
    while (write(loop->wakefd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    apr_thread_join(&rv, loop->thread);
    loop_free(loop);
}
