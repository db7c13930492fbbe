/* The event loop: messages, timers, watched descriptors, deferral, stop. */

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/log.h"
#include "net/loop.h"
#include "tap.h"

static apr_pool_t *pool;
static mastra_loop_t *loop;

/* ---- running a function on the loop and waiting for it ---- */

typedef struct {
    mastra_msg_t msg;
    void (*fn)(void);
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int done;
} call_t;

static void finish(call_t *call)
{
    pthread_mutex_lock(&call->lock);
    call->done = 1;
    pthread_cond_signal(&call->cond);
    pthread_mutex_unlock(&call->lock);
}

static void await(call_t *call)
{
    pthread_mutex_lock(&call->lock);
    while (!call->done) {
        pthread_cond_wait(&call->cond, &call->lock);
    }
    call->done = 0;
    pthread_mutex_unlock(&call->lock);
}

static call_t the_end = { .lock = PTHREAD_MUTEX_INITIALIZER,
                          .cond = PTHREAD_COND_INITIALIZER };
static call_t the_call = { .lock = PTHREAD_MUTEX_INITIALIZER,
                           .cond = PTHREAD_COND_INITIALIZER };

static void call_cb(void *baton)
{
    call_t *call = baton;

    call->fn();
    finish(call);
}

static void on_loop(void (*fn)(void))
{
    the_call.fn = fn;
    the_call.msg.cb = call_cb;
    the_call.msg.baton = &the_call;
    mastra_loop_post(loop, &the_call.msg);
    await(&the_call);
}

/* ---- messages ---- */

#define SENDERS 4
#define EACH 20000

typedef struct {
    mastra_msg_t msg;
    int sender, number;
} numbered_t;

static int last_number[SENDERS], out_of_order, received;

static void numbered_cb(void *baton)
{
    numbered_t *n = baton;

    if (n->number != last_number[n->sender] + 1) {
        out_of_order++;
    }
    last_number[n->sender] = n->number;
    free(n);
    if (++received == SENDERS * EACH) {
        finish(&the_end);
    }
}

static void *send_all(void *baton)
{
    int i;

    for (i = 1; i <= EACH; i++) {
        numbered_t *n = calloc(1, sizeof(*n));

        n->sender = (int)(intptr_t)baton;
        n->number = i;
        n->msg.cb = numbered_cb;
        n->msg.baton = n;
        mastra_loop_post(loop, &n->msg);
    }
    return NULL;
}

static int seen_current, seen_blocked;

static void look_around(void)
{
    sigset_t set;

    seen_current = mastra_loop_is_current(loop);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    seen_blocked = sigismember(&set, SIGTERM) && sigismember(&set, SIGHUP)
                   && sigismember(&set, SIGPIPE) && sigismember(&set, SIGUSR1)
                   && !sigismember(&set, SIGSEGV);
}

static void test_messages(void)
{
    pthread_t threads[SENDERS];
    int i;

    for (i = 0; i < SENDERS; i++) {
        pthread_create(&threads[i], NULL, send_all, (void *)(intptr_t)i);
    }
    await(&the_end);
    for (i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    is_int(received, SENDERS * EACH, "every message of four threads arrives");
    is_int(out_of_order, 0, "in the order of its sender");
    on_loop(look_around);
    ok(seen_current, "the loop knows its own thread");
    ok(!mastra_loop_is_current(loop), "and that others are not it");
    ok(seen_blocked, "signals are blocked there, faults are not");
}

/* ---- deferral ---- */

static char trace[256];

static void note_cb(void *baton)
{
    strncat(trace, baton, sizeof(trace) - strlen(trace) - 1);
}

static void note_end_cb(void *baton)
{
    note_cb(baton);
    finish(&the_end);
}

static mastra_msg_t notes[6];
static mastra_timer_t note_timer;

static mastra_msg_t *note(int i, mastra_loop_cb *cb, const char *text)
{
    notes[i].cb = cb;
    notes[i].baton = (void *)text;
    return &notes[i];
}

static void again_cb(void *baton)
{
    note_cb(baton);
    mastra_loop_defer(loop, note(3, note_end_cb, "z"));
}

static void defer_some(void)
{
    trace[0] = '\0';
    mastra_loop_defer(loop, note(0, note_cb, "c"));
    mastra_loop_defer(loop, note(1, again_cb, "d"));
    note_cb("a");
    mastra_loop_post(loop, note(2, note_cb, "e"));
    note_cb("b");
}

static void test_defer(void)
{
    on_loop(defer_some);
    await(&the_end);
    is_str(trace, "abcdez", "deferred messages run when the batch is done, in "
           "order, and those that they defer after the next one");
}

/* ---- timers ---- */

#define TIMERS 20000

static mastra_timer_t timers[TIMERS];
static apr_time_t fired_last;
static int fired, fired_early, fired_disorder, to_fire, zero_left;

static void timer_cb(void *baton)
{
    mastra_timer_t *timer = baton;

    if (timer->when < fired_last) {
        fired_disorder++;
    }
    fired_last = timer->when;
    if (mastra_loop_now(loop) < timer->when || timer->slot) {
        fired_early++;
    }
    if (++fired == to_fire) {
        finish(&the_end);
    }
}

static void set_many(void)
{
    unsigned seed = 7;
    int i;

    for (i = 0; i < TIMERS; i++) {
        mastra_loop_timer_set(loop, &timers[i], rand_r(&seed) % 200000,
                              timer_cb, &timers[i]);
    }
    /* a third is moved, a third stopped */
    for (i = 0; i < TIMERS; i += 3) {
        mastra_loop_timer_set(loop, &timers[i], rand_r(&seed) % 200000,
                              timer_cb, &timers[i]);
    }
    to_fire = TIMERS;
    for (i = 1; i < TIMERS; i += 3) {
        mastra_loop_timer_stop(loop, &timers[i]);
        mastra_loop_timer_stop(loop, &timers[i]);
        to_fire--;
    }
}

static void zero_cb(void *baton)
{
    if (--zero_left) {
        mastra_loop_timer_set(loop, &note_timer, 0, zero_cb, NULL);
        return;
    }
    finish(&the_end);
}

static void set_zero(void)
{
    zero_left = 1000;
    mastra_loop_timer_set(loop, &note_timer, 0, zero_cb, NULL);
}

static void stop_other_cb(void *baton)
{
    mastra_loop_timer_stop(loop, &timers[1]);
    mastra_loop_timer_set(loop, &timers[2], 20000, note_end_cb, "3");
    note_cb(baton);
}

static void set_three(void)
{
    trace[0] = '\0';
    mastra_loop_timer_set(loop, &timers[0], 1000, stop_other_cb, "1");
    mastra_loop_timer_set(loop, &timers[1], 1001, note_cb, "2");
}

static void test_timers(void)
{
    apr_time_t began;

    on_loop(set_many);
    await(&the_end);
    is_int(fired, to_fire, "20,000 timers: those that are set fire");
    is_int(fired_early, 0, "none early, each unset when it fires");
    is_int(fired_disorder, 0, "in the order of their times");
    began = apr_time_now();
    on_loop(set_zero);
    await(&the_end);
    ok(apr_time_now() - began < apr_time_from_sec(20),
       "a timer of 0 fires on the next turn, without a wait");
    on_loop(set_three);
    await(&the_end);
    is_str(trace, "13", "a timer stops another one that is due as well");
}

/* ---- descriptors ---- */

static int pair_a[2], pair_b[2];
static mastra_watch_t watch_a, watch_b, watch_c;
static int calls_a, calls_b, calls_c;

static void drain(int fd)
{
    char buf[64];

    while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
    }
}

/* Whoever of the two comes first unwatches the other: its event stands in the
 * same batch and must not come, also not for the new owner of its number. */
static void new_owner_cb(void *baton, unsigned events)
{
    calls_c++;
}

static void rivals_cb(void *baton, unsigned events)
{
    mastra_watch_t *other = baton;
    int fd = other->fd;

    *(other == &watch_b ? &calls_a : &calls_b) += 1;
    drain(pair_a[0]);
    drain(pair_b[0]);
    mastra_loop_unwatch(loop, other);
    mastra_loop_unwatch(loop, other);
    watch_c.fd = fd;
    watch_c.events = EPOLLIN;
    watch_c.cb = new_owner_cb;
    mastra_loop_watch(loop, &watch_c);
    mastra_loop_timer_set(loop, &note_timer, 5000, note_end_cb, "");
}

static void watch_rivals(void)
{
    watch_a = (mastra_watch_t){ .fd = pair_a[0], .events = EPOLLIN,
                                .cb = rivals_cb, .baton = &watch_b };
    watch_b = (mastra_watch_t){ .fd = pair_b[0], .events = EPOLLIN,
                                .cb = rivals_cb, .baton = &watch_a };
    mastra_loop_watch(loop, &watch_a);
    mastra_loop_watch(loop, &watch_b);
    /* both become ready in one turn */
    if (write(pair_a[1], "x", 1) < 0 || write(pair_b[1], "x", 1) < 0) {
        perror("write");
    }
}

static void unwatch_all(void)
{
    mastra_loop_unwatch(loop, &watch_a);
    mastra_loop_unwatch(loop, &watch_b);
    mastra_loop_unwatch(loop, &watch_c);
}

static unsigned events_seen;
static int refused_stale;

static void room_cb(void *baton, unsigned events)
{
    events_seen = events;
    refused_stale = mastra_loop_rewatch(loop, &watch_b, EPOLLOUT);
    mastra_loop_rewatch(loop, &watch_a, EPOLLIN);
    mastra_loop_timer_set(loop, &note_timer, 5000, note_end_cb, "");
}

static void watch_room(void)
{
    watch_a = (mastra_watch_t){ .fd = pair_a[0], .events = EPOLLIN,
                                .cb = room_cb };
    mastra_loop_watch(loop, &watch_a);
    mastra_loop_rewatch(loop, &watch_a, EPOLLIN | EPOLLOUT);
}

static apr_status_t status_bad, status_file;

static void watch_bad(void)
{
    mastra_watch_t bad = { .fd = -1, .events = EPOLLIN, .cb = room_cb };

    status_bad = mastra_loop_watch(loop, &bad);
    bad.fd = 1023;
    status_file = mastra_loop_watch(loop, &bad);
    mastra_loop_unwatch(loop, &bad);
}

/* closed while watched, its number given to another one at once */
static void reuse_number(void)
{
    int fresh[2];

    socketpair(AF_UNIX, SOCK_STREAM, 0, fresh);
    watch_a = (mastra_watch_t){ .fd = fresh[0], .events = EPOLLIN,
                                .cb = new_owner_cb };
    mastra_loop_watch(loop, &watch_a);
    close(fresh[0]);
    close(fresh[1]);
    calls_c = 0;
    socketpair(AF_UNIX, SOCK_STREAM, 0, fresh);
    watch_b = (mastra_watch_t){ .fd = fresh[0], .events = EPOLLOUT,
                                .cb = room_cb };
    mastra_loop_watch(loop, &watch_b);
    mastra_loop_unwatch(loop, &watch_a);
    refused_stale = mastra_loop_rewatch(loop, &watch_b, EPOLLIN);
    mastra_loop_unwatch(loop, &watch_b);
    close(fresh[0]);
    close(fresh[1]);
}

static void test_watches(void)
{
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair_a);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair_b);
    on_loop(watch_rivals);
    await(&the_end);
    is_int(calls_a + calls_b, 1, "no event of the batch after unwatch");
    is_int(calls_c, 0, "nor for the one that watches the number now");
    on_loop(unwatch_all);
    on_loop(watch_room);
    await(&the_end);
    is_int(events_seen, EPOLLOUT, "rewatch asks for other events");
    ok(refused_stale != APR_SUCCESS, "but not for one that is not watched");
    on_loop(unwatch_all);
    on_loop(watch_bad);
    is_int(status_bad, APR_EBADF, "no descriptor is an error");
    ok(status_file != APR_SUCCESS, "and so is one that is not open");
    on_loop(reuse_number);
    is_int(refused_stale, APR_SUCCESS, "a number that was closed while "
           "watched belongs to the one that watches it next");
    close(pair_a[0]);
    close(pair_a[1]);
    close(pair_b[0]);
    close(pair_b[1]);
}

/* ---- the watchdog ---- */

static char warned[512];
static int warnings;

static int log_enabled(mastra_log_level_e level)
{
    return level <= MASTRA_LOG_WARNING;
}

static void log_write(mastra_log_level_e level, apr_status_t rv,
                      const char *file, int line, const char *text)
{
    warnings++;
    apr_cpystrn(warned, text, sizeof(warned));
}

static void sleep_cb(void *baton)
{
    usleep(250000);
    finish(&the_end);
}

static void stall(void)
{
    mastra_loop_timer_set(loop, &note_timer, 0, sleep_cb, NULL);
}

static void nothing(void)
{
}

static void stall_once(void)
{
    on_loop(stall);
    await(&the_end);
    /* the second one runs when the turn of the first is over */
    on_loop(nothing);
    on_loop(nothing);
}

/* A loop of its own: on a busy machine the other one may have stalled just
 * now, and far less than the limit here is such a machine's doing. */
static void test_watchdog(void)
{
    static const mastra_loop_conf_t conf = { .stall_ms = 200 };
    mastra_loop_t *first = loop;

    mastra_loop_start(&loop, &conf, pool);
    warnings = 0;
    stall_once();
    ok(strstr(warned, "kind: timer"), "a turn that takes long is logged");
    stall_once();
    is_int(warnings, 1, "and not twice within a second");
    mastra_loop_stop(loop);
    loop = first;
}

/* ---- stop ---- */

static int ran_at_stop;
static mastra_msg_t chain[3];

static void chain_cb(void *baton)
{
    int i = ++ran_at_stop;

    if (i < 3) {
        chain[i].cb = chain_cb;
        mastra_loop_post(loop, &chain[i]);
    }
}

static void test_stop(void)
{
    mastra_loop_t *second = NULL;
    apr_pool_t *sub;

    chain[0].cb = chain_cb;
    mastra_loop_post(loop, &chain[0]);
    mastra_loop_stop(loop);
    is_int(ran_at_stop, 3, "what is posted runs before the loop stops");
    apr_pool_create(&sub, pool);
    is_int(mastra_loop_start(&second, NULL, sub), APR_SUCCESS,
           "another one starts with defaults");
    apr_pool_destroy(sub);
    ok(1, "and is joined when its pool goes");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    mastra_log_set(log_enabled, log_write);
    if (mastra_loop_start(&loop, NULL, pool) != APR_SUCCESS) {
        return 1;
    }
    test_messages();
    test_defer();
    test_timers();
    test_watches();
    test_watchdog();
    test_stop();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
