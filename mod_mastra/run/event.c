/* The child's event logs: opened, written to, closed. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../store/events.h"

#define LINGER apr_time_from_sec(2)

/* ---- the table ---- */

mastra_events_t *mastra_events_make(mastra_loop_t *loop, mastra_bus_t *bus,
                                    apr_pool_t *pool)
{
    mastra_events_t *events = apr_pcalloc(pool, sizeof(*events));

    events->pool = pool;
    events->loop = loop;
    events->bus = bus;
    events->logs = apr_hash_make(pool);
    return events;
}

void mastra_events_on_dead(mastra_events_t *events,
                           void (*cb)(void *baton, const char *address),
                           void *baton)
{
    events->dead = cb;
    events->dead_baton = baton;
}

mastra_log_t *mastra_log_find(mastra_events_t *events, const char *key)
{
    return apr_hash_get(events->logs, key, APR_HASH_KEY_STRING);
}

mastra_log_t *mastra_log_need(mastra_events_t *events, mastra_store_t *store,
                              const char *key, apr_int64_t after)
{
    mastra_log_t *log = mastra_log_find(events, key);

    if (log) {
        return log;
    }
    log = calloc(1, sizeof(*log));
    if (!log || !(log->key = strdup(key))) {
        abort();
    }
    log->events = events;
    log->store = store;
    mastra_ring_init(&log->ring, after);
    apr_hash_set(events->logs, log->key, APR_HASH_KEY_STRING, log);
    return log;
}

static void free_log(mastra_log_t *log)
{
    mastra_mirror_stop(log);
    mastra_remotes_free(log);
    apr_hash_set(log->events->logs, log->key, APR_HASH_KEY_STRING, NULL);
    mastra_ring_free(&log->ring);
    free(log->owner);
    free(log->key);
    free(log);
}

void mastra_log_settle(mastra_log_t *log)
{
    if (log->busy) {
        return;
    }
    mastra_followers_reap(log);
    if (!log->owned && !log->followers && !log->read && !log->deferred
        && !log->lingers.slot) {
        free_log(log);
    }
}

/* Drops what need not be in memory. */
static void shrink(mastra_log_t *log)
{
    mastra_ring_shrink(&log->ring, MASTRA_LOG_RING,
                       log->owned ? log->written : log->ring.last);
}

/* Readers may end, stop or start others while they are given something, and
 * close the log. */
static void pump(mastra_log_t *log)
{
    log->busy++;
    mastra_followers_pump(log);
    mastra_remotes_pump(log);
    shrink(log);
    log->busy--;
}

void mastra_log_pump(mastra_log_t *log)
{
    pump(log);
    mastra_log_settle(log);
}

/* ---- the owner ---- */

/* Who mirrored the log here goes on with its frames, as far as they reach up
 * to what is stored. */
static void adopt(mastra_log_t *log, apr_int64_t after)
{
    mastra_mirror_stop(log);
    mastra_loop_timer_stop(log->events->loop, &log->lingers);
    free(log->owner);
    log->owner = NULL;
    log->marked_at = 0;
    if (log->ring.last < after) {
        mastra_ring_free(&log->ring);
        mastra_ring_init(&log->ring, after);
    }
    log->next = log->ring.last ? log->ring.last + MASTRA_EVENTS_JUMP
                              : 1;
    if (!log->unwritten) {
        log->written = log->ring.last;
    }
}

mastra_log_t *mastra_log_open(mastra_events_t *events, mastra_store_t *store,
                              const char *key, int epoch, apr_int64_t after,
                              const mastra_log_cbs_t *cbs, void *baton)
{
    mastra_log_t *log = mastra_log_need(events, store, key, after);

    adopt(log, after);
    log->owned = 1;
    log->closed = log->lost = 0;
    log->ended = 0;
    log->epoch = epoch;
    log->cbs = cbs;
    log->baton = baton;
    log->half = log->before_half = after;
    return log;
}

int mastra_log_append(mastra_log_t *log, const char *frame, apr_size_t len)
{
    int full;

    mastra_ring_add(&log->ring, log->next++, frame, len);
    log->unwritten += len;
    mastra_log_dirty(log);
    pump(log);
    full = log->unwritten > MASTRA_LOG_UNWRITTEN;
    if (full) {
        log->full = 1;
    }
    mastra_log_settle(log);
    return !full;
}

static void on_lingered(void *baton)
{
    mastra_log_settle(baton);
}

void mastra_log_disown(mastra_log_t *log)
{
    log->owned = 0;
    if (log->lost) {
        mastra_mirror_start(log);
    }
}

/* Stays in memory for a moment: others may just be coming to read it. */
void mastra_log_close(mastra_log_t *log, int ended)
{
    log->closed = 1;
    log->cbs = NULL;
    log->synced = NULL;
    log->full = 0;
    log->ended = ended;
    mastra_loop_timer_set(log->events->loop, &log->lingers, LINGER,
                          on_lingered, log);
    if (log->unwritten) {
        mastra_log_hurry(log);
    }
    else {
        mastra_log_disown(log);
    }
    mastra_log_pump(log);
}

/* What is not written is refused by storage, and so forgotten. */
void mastra_log_lose(mastra_log_t *log)
{
    log->lost = 1;
    mastra_log_close(log, 0);
}

void mastra_events_leave_bus(mastra_events_t *events)
{
    apr_hash_index_t *i;

    events->bus = NULL;
    for (i = apr_hash_first(NULL, events->logs); i; i = apr_hash_next(i)) {
        mastra_remotes_free(apr_hash_this_val(i));
    }
}

void mastra_events_stats(const mastra_events_t *events,
                         mastra_events_stats_t *stats)
{
    apr_hash_index_t *i;

    memset(stats, 0, sizeof(*stats));
    for (i = apr_hash_first(NULL, events->logs); i; i = apr_hash_next(i)) {
        const mastra_log_t *log = apr_hash_this_val(i);

        stats->logs++;
        stats->bytes += log->ring.bytes;
        stats->followers += mastra_followers_count(log);
        stats->remotes += mastra_remotes_count(log);
    }
}
