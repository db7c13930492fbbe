/* Event logs: written, followed, overflowing, seen from another child. */

#include <stdlib.h>

#include "run/event.h"
#include "onloop.h"
#include "../store/dbtest.h"

static char dir[] = "/tmp/mastra-events-XXXXXX";

/* A child of the server: its loop, its end of the bus, its logs. */
typedef struct {
    mastra_loop_t *loop;
    mastra_store_t *store;
    mastra_bus_t *bus;
    mastra_events_t *events;
    mastra_log_t *log;
    const char *dead;            /* who could not be reached */
} child_t;

/* Somebody who reads. */
typedef struct {
    child_t *child;
    const char *key, *owner;
    apr_int64_t after;
    mastra_follower_t *follower;
    int slow;                    /* frames until it says 0 */
    int count, disorder, ended;
    apr_int64_t last, bytes;
    apr_status_t rv;
    char text[32];
} reader_t;

static int on_frame(void *baton, const char *frame, apr_size_t len,
                    apr_int64_t seq)
{
    reader_t *reader = baton;

    reader->disorder += seq <= reader->last || atol(frame) != reader->count + 1;
    reader->last = seq;
    reader->count++;
    reader->bytes += (apr_int64_t)len;
    apr_snprintf(reader->text, sizeof(reader->text), "%.*s",
                 len < 30 ? (int)len : 30, frame);
    return !reader->slow || --reader->slow > 0;
}

static void on_end(void *baton, apr_status_t rv)
{
    reader_t *reader = baton;

    reader->ended++;
    reader->rv = rv;
    reader->follower = NULL;
}

static const mastra_follower_cbs_t cbs = { on_frame, on_end };

static void on_message(void *baton, const char *from,
                       const mastra_bus_msg_t *msg)
{
    mastra_events_message(((child_t *)baton)->events, from, msg);
}

static void on_dead(void *baton, const char *address)
{
    ((child_t *)baton)->dead = apr_pstrdup(test_pool, address);
}

static child_t *make_child(const mastra_store_conf_t *conf)
{
    child_t *child = apr_pcalloc(test_pool, sizeof(*child));

    mastra_loop_start(&child->loop, NULL, test_pool);
    mastra_store_open(&child->store, conf, test_pool);
    mastra_bus_open(&child->bus, child->loop, dir, "node", test_pool);
    child->events = mastra_events_make(child->loop, child->bus, test_pool);
    mastra_events_on_dead(child->events, on_dead, child);
    mastra_bus_listen(child->bus, on_message, child);
    return child;
}

/* ---- calls on the loop ---- */

typedef struct {
    child_t *child;
    const char *key;
    int epoch, from, to, ended;
    apr_int64_t after;
    apr_size_t size;             /* of each frame */
    int refused;                 /* append said 0 */
    mastra_events_stats_t stats;
} writing_t;

static void open_now(void *baton)
{
    writing_t *w = baton;

    w->child->log = mastra_log_open(w->child->events, w->child->store, w->key,
                                    w->epoch, w->after, NULL, NULL);
}

static void append_now(void *baton)
{
    writing_t *w = baton;
    char *frame = malloc(w->size + 16);
    int i;

    for (i = w->from; i <= w->to; i++) {
        int len = sprintf(frame, "%d ", i);

        if (w->size) {
            memset(frame + len, 'x', w->size);
        }
        w->refused += !mastra_log_append(w->child->log, frame,
                                         (apr_size_t)len + w->size);
    }
    free(frame);
}

static void close_now(void *baton)
{
    writing_t *w = baton;

    if (w->to) {
        append_now(w);
    }
    mastra_log_close(w->child->log, w->ended);
}

static void lose_now(void *baton)
{
    mastra_log_lose(((writing_t *)baton)->child->log);
}

static void leave_now(void *baton)
{
    mastra_events_leave_bus(((writing_t *)baton)->child->events);
}

static void doubt_now(void *baton)
{
    writing_t *w = baton;

    mastra_log_doubt(w->child->events, w->key);
}

static void stats_now(void *baton)
{
    writing_t *w = baton;

    mastra_events_stats(w->child->events, &w->stats);
}

static void write_frames(child_t *child, int from, int to, apr_size_t size)
{
    writing_t w = { .child = child, .from = from, .to = to, .size = size };

    on_loop(child->loop, append_now, &w);
}

static void open_log(child_t *child, const char *key, int epoch,
                     apr_int64_t after)
{
    writing_t w = { .child = child, .key = key, .epoch = epoch,
                    .after = after };

    on_loop(child->loop, open_now, &w);
}

static void close_log(child_t *child, int ended)
{
    writing_t w = { .child = child, .ended = ended };

    on_loop(child->loop, close_now, &w);
}

/* In one turn, as runs do: storage hears of the end along with the last frame,
 * or not at all. */
static void write_last(child_t *child, int from, int to)
{
    writing_t w = { .child = child, .from = from, .to = to, .ended = 1 };

    on_loop(child->loop, close_now, &w);
}

static int logs_of(child_t *child)
{
    writing_t w = { .child = child };

    on_loop(child->loop, stats_now, &w);
    return w.stats.logs;
}

static void follow_now(void *baton)
{
    reader_t *reader = baton;

    reader->follower = mastra_log_follow(reader->child->events,
                                         reader->child->store, reader->key,
                                         reader->owner, reader->after, &cbs,
                                         reader);
}

static void resume_now(void *baton)
{
    reader_t *reader = baton;

    reader->slow = 0;
    if (reader->follower) {
        mastra_follower_resume(reader->follower);
    }
}

static void stop_now(void *baton)
{
    reader_t *reader = baton;

    mastra_follower_stop(reader->follower);
}

static reader_t *follow(child_t *child, const char *key, const char *owner,
                        apr_int64_t after, int slow)
{
    reader_t *reader = apr_pcalloc(test_pool, sizeof(*reader));

    reader->child = child;
    reader->key = key;
    reader->owner = owner;
    reader->after = after;
    reader->last = after;
    reader->count = (int)after;
    reader->slow = slow;
    on_loop(child->loop, follow_now, reader);
    return reader;
}

static void nothing(void *baton)
{
}

/* Waits until a reader has so many frames, and its end when that is asked
 * for; each look is made on the reader's loop. */
static int wait_for(reader_t *reader, int count, int ended)
{
    int i;

    for (i = 0; i < 6000; i++) {
        on_loop(reader->child->loop, nothing, NULL);
        if (reader->count >= count && reader->ended >= ended) {
            break;
        }
        apr_sleep(10000);
    }
    return reader->count;
}

/* Waits until children have no logs in memory; how many they have then. */
static int wait_no_logs(child_t *a, child_t *b)
{
    int i;

    for (i = 0; i < 6000 && logs_of(a) + (b ? logs_of(b) : 0); i++) {
        apr_sleep(10000);
    }
    return logs_of(a) + (b ? logs_of(b) : 0);
}

/* ---- one child ---- */

static void test_here(child_t *a)
{
    reader_t *early, *late, *middle, *gone;

    open_log(a, "one", 1, 0);
    early = follow(a, "one", NULL, 0, 0);
    gone = follow(a, "one", NULL, 0, 0);
    write_frames(a, 1, 10, 0);
    IS_INT(wait_for(early, 10, 0), 10, "a reader gets what is written");
    late = follow(a, "one", NULL, 0, 0);
    middle = follow(a, "one", NULL, 5, 0);
    IS_INT(wait_for(late, 10, 0), 10, "one that comes late, too");
    IS_INT(wait_for(middle, 10, 0), 10, "... or a part of it");
    on_loop(a->loop, stop_now, gone);
    write_last(a, 11, 20);
    IS_INT(wait_for(early, 20, 1), 20, "and the rest");
    IS_INT(early->ended + wait_for(late, 20, 1) + wait_for(middle, 20, 1), 41,
           "all hear of the end");
    IS_INT(early->rv, APR_SUCCESS, "... a good one");
    IS_INT(early->disorder + late->disorder + middle->disorder, 0,
           "nothing is out of order");
    IS_INT(gone->ended, 0, "one that has left hears nothing");
    late = follow(a, "one", NULL, 0, 0);
    IS_INT(wait_for(late, 20, 1), 20, "after the end it can be read");
    IS_INT(wait_no_logs(a, NULL), 0, "then it leaves memory");
    late = follow(a, "one", NULL, 0, 0);
    IS_INT(wait_for(late, 20, 1), 20, "and can be read from storage");
    IS_INT(late->disorder, 0, "... in order");
}

static void test_slow(child_t *a)
{
    reader_t *slow, *quick;
    writing_t w = { .child = a };
    int i;

    open_log(a, "slow", 1, 0);
    slow = follow(a, "slow", NULL, 0, 3);
    quick = follow(a, "slow", NULL, 0, 0);
    wait_for(slow, 0, 0);
    write_frames(a, 1, 100, 30000);
    IS_INT(wait_for(slow, 3, 0), 3, "a slow reader is left in peace");
    IS_INT(wait_for(quick, 100, 0), 100, "... and holds up nobody");
    write_frames(a, 101, 101, 30000);
    for (i = 0; i < 6000; i++) {
        on_loop(a->loop, stats_now, &w);
        if (w.stats.bytes < 1200000) {
            break;
        }
        apr_sleep(10000);
    }
    OK(w.stats.bytes < 1200000, "memory does not grow with it");
    on_loop(a->loop, resume_now, slow);
    IS_INT(wait_for(slow, 101, 0), 101, "it gets the rest from storage");
    IS_INT(slow->disorder, 0, "... in order");
    close_log(a, 1);
    wait_for(slow, 101, 1);
    IS_INT(slow->ended, 1, "... and the end");
}

/* ---- two children ---- */

static void test_mirror(child_t *a, child_t *b)
{
    const char *owner = mastra_bus_address(a->bus);
    writing_t silent = { .child = b, .key = "two" };
    reader_t *far, *second, *huge;
    apr_interval_time_t took, least = apr_time_from_sec(60);
    apr_time_t begun;
    int i;

    open_log(a, "two", 1, 0);
    write_frames(a, 1, 5, 0);
    far = follow(b, "two", owner, 0, 0);
    IS_INT(wait_for(far, 5, 0), 5, "another child's reader gets what is there");
    for (i = 6; i < 56; i++) {
        /* readers that have waited for long are not to lose the owner */
        on_loop(b->loop, doubt_now, &silent);
        begun = apr_time_now();
        write_frames(a, i, i, 0);
        while (far->count < i
               && apr_time_now() - begun < apr_time_from_sec(60)) {
            apr_sleep(100);
        }
        took = apr_time_now() - begun;
        least = took < least ? took : least;
    }
    /* storage would have it 100 ms later at least */
    OK(least < 80000, "what comes does not wait for storage");
    write_frames(a, 56, 3000, 20);
    IS_INT(wait_for(far, 3000, 0), 3000, "much at once comes as well");
    second = follow(b, "two", owner, 0, 0);
    IS_INT(wait_for(second, 3000, 0), 3000, "a second reader there");
    huge = follow(b, "two", owner, 3000, 0);
    write_frames(a, 3001, 3001, 400000);
    IS_INT(wait_for(huge, 3001, 0), 3001, "a frame too large for the bus");
    write_frames(a, 3002, 3010, 0);
    close_log(a, 1);
    IS_INT(wait_for(far, 3010, 1), 3010, "and what follows it");
    IS_INT(wait_for(second, 3010, 1) + second->ended, 3011, "... to the end");
    IS_INT(far->disorder + second->disorder + huge->disorder, 0, "in order");
    IS_INT(far->bytes, second->bytes, "whole");
}

static void test_slow_mirror(child_t *a, child_t *b)
{
    reader_t *far;

    open_log(a, "far", 1, 0);
    far = follow(b, "far", mastra_bus_address(a->bus), 0, 2);
    wait_for(far, 0, 0);
    write_frames(a, 1, 120, 30000);
    IS_INT(wait_for(far, 2, 0), 2, "a slow reader of another child's log");
    apr_sleep(500000);
    on_loop(b->loop, resume_now, far);
    IS_INT(wait_for(far, 120, 0), 120, "... gets it all");
    close_log(a, 1);
    wait_for(far, 120, 1);
    IS_INT(far->disorder, 0, "... in order");
}

/* A run that is suspended here and goes on there. */
static void test_moves(child_t *a, child_t *b)
{
    reader_t *here, *there;

    open_log(a, "moves", 1, 0);
    here = follow(a, "moves", NULL, 0, 0);
    there = follow(b, "moves", mastra_bus_address(a->bus), 0, 0);
    write_frames(a, 1, 3, 0);
    wait_for(there, 3, 0);
    close_log(a, 0);
    apr_sleep(2500000);
    IS_INT(here->ended + there->ended, 0, "a log that is left has not ended");
    open_log(b, "moves", 2, 3);
    write_frames(b, 4, 6, 0);
    IS_INT(wait_for(there, 6, 0), 6, "the new owner's readers go on");
    here->owner = mastra_bus_address(b->bus);
    on_loop(a->loop, stop_now, here);
    here = follow(a, "moves", mastra_bus_address(b->bus), 3, 0);
    IS_INT(wait_for(here, 6, 0), 6, "... and those of the old one");
    close_log(b, 1);
    wait_for(here, 6, 1);
    wait_for(there, 6, 1);
    IS_INT(here->ended + there->ended, 2, "both hear of the end");
    IS_INT(here->disorder + there->disorder, 0, "... in order");
}

typedef struct {
    child_t *child;
    int waits, called;
    int from, to;                    /* written first */
    int closes;                      /* then */
} sync_t;

static void synced(void *baton)
{
    ((sync_t *)baton)->called++;
}

static void sync_now(void *baton)
{
    sync_t *sync = baton;
    writing_t w = { .child = sync->child, .from = sync->from, .to = sync->to };

    if (sync->from) {
        append_now(&w);
    }
    sync->waits = mastra_log_sync(sync->child->log, synced, sync);
    if (sync->closes) {
        mastra_log_close(sync->child->log, 1);
    }
}

static void wait_synced(const sync_t *sync)
{
    int i;

    for (i = 0; i < 6000 && !sync->called; i++) {
        apr_sleep(10000);
        on_loop(sync->child->loop, nothing, NULL);
    }
}

/* Waits until what a child has said is in storage. */
static void stored(child_t *child)
{
    sync_t sync = { .child = child };

    on_loop(child->loop, sync_now, &sync);
    if (sync.waits) {
        wait_synced(&sync);
    }
}

/* A run whose owner slept too long: another child has gone on with its log. */
static void test_lost(child_t *a, child_t *b, int unwritten)
{
    const char *key = unwritten ? "lost-in-hand" : "lost";
    writing_t w = { .child = a };
    reader_t *here;

    open_log(a, key, 1, 0);
    here = follow(a, key, NULL, 0, 0);
    write_frames(a, 1, 3, 0);
    wait_for(here, 3, 0);
    stored(a);
    open_log(b, key, 2, 3);
    write_last(b, 4, 6);
    apr_sleep(400000);
    if (unwritten) {
        write_frames(a, 4, 4, 0);
    }
    on_loop(a->loop, lose_now, &w);
    IS_INT(wait_for(here, 6 + unwritten, 1), 6 + unwritten,
           "who follows a log that was lost goes on with the new owner's");
    IS(here->text, "6 ", "... to its last frame");
    IS_INT(here->ended, 1, "... and its end");
    IS_INT(here->disorder, unwritten ? 3 : 0, "... in order");
}

/* Without the bus all is found in storage. */
static void test_alone(child_t *a, child_t *b)
{
    writing_t w = { .child = b };
    reader_t *far;

    open_log(a, "alone", 1, 0);
    far = follow(b, "alone", mastra_bus_address(a->bus), 0, 0);
    write_frames(a, 1, 2, 0);
    wait_for(far, 2, 0);
    on_loop(b->loop, leave_now, &w);
    write_frames(a, 3, 5, 0);
    IS_INT(wait_for(far, 5, 0), 5, "who has left the bus reads storage");
    close_log(a, 1);
    wait_for(far, 5, 1);
    IS_INT(far->ended + far->disorder, 1, "... to the end");
}

static void test_sync(child_t *a, child_t *b)
{
    sync_t sync = { .child = a };
    reader_t *far;

    open_log(a, "sync", 1, 0);
    on_loop(a->loop, sync_now, &sync);
    IS_INT(sync.waits, 0, "where nothing was said nothing is waited for");
    /* in one turn of the loop, or it might be stored in between */
    sync.from = 1;
    sync.to = 3;
    on_loop(a->loop, sync_now, &sync);
    IS_INT(sync.waits, 1, "what was said is waited for");
    wait_synced(&sync);
    IS_INT(sync.called, 1, "... until it is stored");
    far = follow(b, "sync", NULL, 0, 0);
    IS_INT(wait_for(far, 3, 0), 3, "... where others find it");
    on_loop(b->loop, stop_now, far);
    sync.from = 4;
    sync.to = 5;
    sync.closes = 1;
    on_loop(a->loop, sync_now, &sync);
    apr_sleep(300000);
    on_loop(a->loop, nothing, NULL);
    IS_INT(sync.called, 1, "who closes a log is not told");
}

static void write_all_now(void *baton)
{
    sync_t *sync = baton;

    mastra_events_write_all(sync->child->events, synced, sync);
}

static void test_write_all(child_t *a, child_t *b)
{
    sync_t sync = { .child = a };
    reader_t *far;

    open_log(a, "all", 1, 0);
    write_frames(a, 1, 3, 500000);
    close_log(a, 1);
    on_loop(a->loop, write_all_now, &sync);
    wait_synced(&sync);
    IS_INT(sync.called, 1, "who ends waits until all is stored");
    far = follow(b, "all", NULL, 0, 0);
    IS_INT(wait_for(far, 3, 1), 3, "... more than a row, too");
    on_loop(a->loop, write_all_now, &sync);
    IS_INT(sync.called, 2, "... and not when nothing is left");
}

static void test_dead(child_t *a, child_t *b)
{
    reader_t *far;

    open_log(a, "dead", 1, 0);
    write_frames(a, 1, 4, 0);
    stored(a);
    far = follow(b, "dead", "node.1-0", 0, 0);
    IS_INT(wait_for(far, 4, 0), 4, "without its owner a log is in storage");
    IS(b->dead, "node.1-0", "... and the owner is reported");
    on_loop(b->loop, stop_now, far);
    close_log(a, 1);
}

static void test(const mastra_store_conf_t *conf)
{
    child_t *a = make_child(conf), *b = make_child(conf);

    test_here(a);
    test_slow(a);
    test_mirror(a, b);
    test_slow_mirror(a, b);
    test_moves(a, b);
    test_dead(a, b);
    test_sync(a, b);
    test_write_all(a, b);
    test_lost(a, b, 0);
    test_lost(a, b, 1);
    test_alone(a, b);
    IS_INT(wait_no_logs(a, b), 0, "nothing is left behind");
    IS_INT(test_errors, 0, "nothing was wrong");
    mastra_store_close(a->store);
    mastra_store_close(b->store);
    mastra_loop_stop(a->loop);
    mastra_loop_stop(b->loop);
}

int main(void)
{
    int status;

    test_start();
    if (!mkdtemp(dir)) {
        return 1;
    }
    test_each("events", test);
    status = test_end();
    rmdir(dir);
    return status;
}
