/* An exchange on the loop: what its owner may call, when it is looked at, and
 * how a stopping child brings its exchanges to an end. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_atomic.h>

#include "../base/log.h"
#include "park_internal.h"

/* what is left for good-byes to reach their clients */
#define LAST_WORDS apr_time_from_sec(2)
/* how long the end of a child waits for a loop that is busy: seconds */
#define END_LIMIT 2
/* what the scratch buffer may keep */
#define SCRATCH_SIZE (64 * 1024)

/* ---- the queue ---- */

apr_size_t mastra_exchange_queued(const mastra_exchange_t *ex)
{
    return ex->out.len - ex->off;
}

static void queue_free(mastra_exchange_t *ex)
{
    mastra_park_t *park = mastra_park;

    ex->off = 0;
    if (!ex->out.size || ex->out.size > MASTRA_SPARE_SIZE
        || park->nspare == MASTRA_SPARE_QUEUES) {
        mastra_buf_free(&ex->out);
        return;
    }
    mastra_buf_reset(&ex->out);
    park->spare[park->nspare++] = ex->out;
    mastra_buf_init(&ex->out, ex->out.limit);
}

void mastra_exchange_taken(mastra_exchange_t *ex, apr_size_t n)
{
    ex->off += n;
    if (ex->off == ex->out.len) {
        queue_free(ex);
    }
}

mastra_buf_t *mastra_exchange_scratch(apr_size_t limit)
{
    mastra_buf_t *buf = &mastra_park->scratch;

    if (buf->size > SCRATCH_SIZE) {
        mastra_buf_free(buf);
    }
    mastra_buf_reset(buf);
    buf->limit = limit;
    return buf;
}

static apr_status_t free_buffers(void *baton)
{
    mastra_park_t *park = baton;

    mastra_buf_free(&park->scratch);
    while (park->nspare) {
        mastra_buf_free(&park->spare[--park->nspare]);
    }
    return APR_SUCCESS;
}

void mastra_exchange_make_buffers(mastra_park_t *park, apr_pool_t *pool)
{
    mastra_buf_init(&park->scratch, 0);
    apr_pool_cleanup_register(pool, park, free_buffers, apr_pool_cleanup_null);
}

static apr_status_t queue_add(mastra_exchange_t *ex, const char *data,
                              apr_size_t len)
{
    mastra_park_t *park = mastra_park;

    if (mastra_exchange_queued(ex) > MASTRA_EXCHANGE_MAX
        || len > MASTRA_WRITE_MAX) {
        return APR_ENOSPC;
    }
    /* the front is given back in large pieces only: moving costs */
    if (ex->off > MASTRA_QUEUE_HIGH && ex->off > ex->out.len / 2) {
        mastra_buf_consume(&ex->out, ex->off);
        ex->off = 0;
    }
    if (!ex->out.size && park->nspare) {
        ex->out = park->spare[--park->nspare];
    }
    return mastra_buf_add(&ex->out, data, len);
}

static apr_status_t queue_give(mastra_exchange_t *ex, mastra_buf_t *buf)
{
    apr_size_t limit = ex->out.limit;
    apr_status_t rv;

    if (mastra_exchange_queued(ex) || buf->len > MASTRA_WRITE_MAX) {
        rv = queue_add(ex, buf->data, buf->len);
        mastra_buf_free(buf);
        return rv;
    }
    queue_free(ex);
    ex->out = *buf;
    ex->out.limit = limit;
    mastra_buf_init(buf, buf->limit);
    return APR_SUCCESS;
}

/* ---- looking at an exchange ---- */

static void count_end(const mastra_exchange_t *ex)
{
    int how = MASTRA_END_WHOLE;

    if (ex->said_stop) {
        how = MASTRA_END_STOPPED;
    }
    else if (ex->cut) {
        how = MASTRA_END_CUT;
    }
    else if (ex->failed) {
        how = MASTRA_END_GONE;
    }
    mastra_park->ended[how]++;
}

static void log_stopped(const mastra_park_t *park)
{
    mastra_log(MASTRA_LOG_NOTICE, 0,
               "this child stopped answering: %d answers were completed, %d "
               "ended early with a good-bye, %d cut, %d left by their clients",
               park->ended[MASTRA_END_WHOLE], park->ended[MASTRA_END_STOPPED],
               park->ended[MASTRA_END_CUT], park->ended[MASTRA_END_GONE]);
}

void mastra_exchange_link(mastra_exchange_t **list, mastra_exchange_t *ex)
{
    ex->prev = NULL;
    ex->next = *list;
    if (ex->next) {
        ex->next->prev = ex;
    }
    *list = ex;
}

void mastra_exchange_unlink(mastra_exchange_t **list, mastra_exchange_t *ex)
{
    if (ex->prev) {
        ex->prev->next = ex->next;
    }
    else {
        *list = ex->next;
    }
    if (ex->next) {
        ex->next->prev = ex->prev;
    }
}

static void unlink_live(mastra_exchange_t *ex)
{
    mastra_exchange_unlink(&mastra_park->live, ex);
    mastra_park->open--;
}

static void finish(mastra_exchange_t *ex)
{
    mastra_park_t *park = mastra_park;

    unlink_live(ex);
    mastra_loop_timer_stop(park->loop, &ex->timer);
    mastra_loop_unwatch(park->loop, &ex->watch);
    queue_free(ex);
    if (park->stopping) {
        count_end(ex);
        if (!park->open) {
            log_stopped(park);
        }
    }
    ex->cbs->release(ex->baton);
    ex->way->finish(ex);
}

/* Callbacks to the owner come from here and from begin, never from inside a
 * call of the owner's. */
static void tell_owner(mastra_exchange_t *ex)
{
    if (ex->quit || ex->told || !ex->begun) {
        return;
    }
    if (ex->failed) {
        ex->told = 1;
        ex->cbs->gone(ex->baton);
    }
    else if (ex->full && mastra_exchange_queued(ex) <= MASTRA_QUEUE_LOW) {
        ex->full = 0;
        if (ex->cbs->drain) {
            ex->cbs->drain(ex->baton);
        }
    }
}

static void turn_cb(void *baton)
{
    mastra_exchange_t *ex = baton;

    ex->turning = 0;
    ex->way->flush(ex);
    tell_owner(ex);
    if (ex->turning) {
        return;
    }
    if (ex->failed || (ex->quit && ex->way->drained(ex))) {
        if (ex->way->ready(ex)) {
            finish(ex);
        }
    }
    else if (!ex->attached) {
        ex->attached = 1;
        if (ex->way->attach(ex) != APR_SUCCESS) {
            ex->failed = 1;
            mastra_exchange_turn(ex);
        }
    }
}

void mastra_exchange_turn(mastra_exchange_t *ex)
{
    if (!ex->turning) {
        ex->turning = 1;
        ex->turn.cb = turn_cb;
        ex->turn.baton = ex;
        mastra_loop_defer(mastra_park->loop, &ex->turn);
    }
}

void mastra_exchange_start_cb(void *baton)
{
    mastra_exchange_t *ex = baton;
    mastra_park_t *park = mastra_park;

    mastra_exchange_link(&park->live, ex);
    park->open++;
    ex->progress = mastra_loop_now(park->loop);
    mastra_exchange_turn(ex);
    if (park->past_limit) {
        /* a worker says so; the filters are to see nothing from here */
        ex->refused = ex->quit = ex->opened = ex->closed = 1;
        return;
    }
    ex->begun = 1;
    ex->cbs->begin(ex, ex->baton);
}

/* ---- what the owner calls ---- */

static char *add_field(char *to, const char *text)
{
    apr_size_t size = strlen(text) + 1;

    memcpy(to, text, size);
    return to + size;
}

/* Type and headers as one block: they may have to wait for the worker that
 * owns the request. */
static char *pack_fields(const char *type, const apr_table_t *headers)
{
    const apr_array_header_t *array = headers ? apr_table_elts(headers) : NULL;
    const apr_table_entry_t *entry;
    apr_size_t size = strlen(type) + 2;
    char *fields, *to;
    int i;

    for (i = 0; array && i < array->nelts; i++) {
        entry = &APR_ARRAY_IDX(array, i, apr_table_entry_t);
        size += strlen(entry->key) + strlen(entry->val) + 2;
    }
    fields = to = malloc(size);
    if (!fields) {
        return NULL;
    }
    to = add_field(to, type);
    for (i = 0; array && i < array->nelts; i++) {
        entry = &APR_ARRAY_IDX(array, i, apr_table_entry_t);
        to = add_field(to, entry->key);
        to = add_field(to, entry->val);
    }
    *to = '\0';
    return fields;
}

void mastra_head_free(mastra_head_t *head)
{
    if (head) {
        free(head->fields);
        free(head);
    }
}

static int is_over(const mastra_exchange_t *ex)
{
    return ex->quit || ex->failed;
}

void mastra_exchange_head(mastra_exchange_t *ex, int status,
                          const char *content_type, apr_off_t content_length,
                          const apr_table_t *headers)
{
    mastra_head_t *head;

    if (is_over(ex) || ex->headed) {
        return;
    }
    ex->headed = 1;
    head = malloc(sizeof(*head));
    if (head) {
        head->status = status;
        head->length = content_length;
        head->fields = pack_fields(content_type ? content_type : "", headers);
    }
    if (!head || !head->fields) {
        mastra_head_free(head);
        head = NULL;
        ex->failed = ex->cut = 1;
    }
    ex->head = head;
    mastra_exchange_turn(ex);
}

/* rv: whether there was room. */
static int written(mastra_exchange_t *ex, apr_status_t rv)
{
    ex->headed = 1;
    if (rv != APR_SUCCESS) {
        mastra_log(MASTRA_LOG_WARNING, 0,
                   MASTRA_ID(401) "an answer is cut: its client takes too "
                   "little, %" APR_SIZE_T_FMT " bytes wait",
                   mastra_exchange_queued(ex));
        ex->failed = ex->cut = 1;
        mastra_exchange_turn(ex);
        return 0;
    }
    /* A word waits for others of the same batch of events, a mountain does
     * not: the answer to the caller depends on what is left of it. */
    if (mastra_exchange_queued(ex) > MASTRA_QUEUE_HIGH && !ex->blocked) {
        ex->way->flush(ex);
    }
    mastra_exchange_turn(ex);
    if (mastra_exchange_queued(ex) > MASTRA_QUEUE_HIGH) {
        ex->full = 1;
    }
    return !ex->full && !ex->failed;
}

int mastra_exchange_write(mastra_exchange_t *ex, const char *data,
                          apr_size_t len)
{
    if (is_over(ex)) {
        return 0;
    }
    if (!len) {
        return !ex->full && !ex->failed;
    }
    return written(ex, queue_add(ex, data, len));
}

int mastra_exchange_give(mastra_exchange_t *ex, mastra_buf_t *buf)
{
    if (is_over(ex)) {
        mastra_buf_free(buf);
        return 0;
    }
    return written(ex, queue_give(ex, buf));
}

void mastra_exchange_end(mastra_exchange_t *ex)
{
    if (!ex->quit) {
        ex->quit = 1;
        mastra_exchange_turn(ex);
    }
}

void mastra_exchange_cut(mastra_exchange_t *ex)
{
    if (!ex->quit) {
        ex->quit = ex->cut = 1;
        mastra_exchange_turn(ex);
    }
}

/* ---- the child stops ---- */

static void cut_now(mastra_exchange_t *ex)
{
    if (!ex->quit || mastra_exchange_queued(ex)) {
        ex->cut = 1;
    }
    ex->failed = 1;
    mastra_exchange_turn(ex);
}

static void cut_all_cb(void *baton)
{
    mastra_exchange_t *ex;

    for (ex = mastra_park->live; ex; ex = ex->next) {
        cut_now(ex);
    }
}

void mastra_park_on_limit(void (*cb)(void *baton), void *baton)
{
    mastra_park_t *park = mastra_park;

    ap_assert(park->limits < MASTRA_PARK_LIMITS);
    park->on_limit[park->limits].cb = cb;
    park->on_limit[park->limits++].baton = baton;
}

static void pass_limit(mastra_park_t *park)
{
    int i;

    park->past_limit = 1;
    for (i = 0; i < park->limits; i++) {
        park->on_limit[i].cb(park->on_limit[i].baton);
    }
}

static void limit_cb(void *baton)
{
    mastra_park_t *park = mastra_park;
    mastra_exchange_t *ex, *next;

    pass_limit(park);
    for (ex = park->live; ex; ex = next) {
        /* turns are deferred: no entry goes while this walks the list */
        next = ex->next;
        if (!ex->quit && ex->begun && !ex->failed && ex->cbs->stopping) {
            ex->said_stop = 1;
            ex->cbs->stopping(ex->baton);
        }
        else if (!ex->quit) {
            cut_now(ex);
        }
    }
    mastra_loop_timer_set(park->loop, &park->stop_timer, LAST_WORDS,
                          cut_all_cb, NULL);
}

static void stop_gracefully_cb(void *baton)
{
    mastra_park_t *park = mastra_park;

    if (park->stopping) {
        return;
    }
    park->stopping = 1;
    mastra_park_stay_over(park);
    if (park->open) {
        mastra_log(MASTRA_LOG_NOTICE, 0,
                   "this child is stopping: %d answers may go on for %"
                   APR_TIME_T_FMT " seconds", park->open,
                   apr_time_sec(park->stop_limit));
    }
    mastra_loop_timer_set(park->loop, &park->stop_timer, park->stop_limit,
                          limit_cb, NULL);
}

static void stop_at_once_cb(void *baton)
{
    mastra_park_t *park = mastra_park;

    park->stopping = 1;
    mastra_park_stay_over(park);
    pass_limit(park);
    mastra_loop_timer_stop(park->loop, &park->stop_timer);
    cut_all_cb(NULL);
}

void mastra_park_stop(int graceful)
{
    mastra_park_t *park = mastra_park;
    mastra_msg_t *msg;

    if (!park) {
        return;
    }
    graceful = graceful ? 1 : 0;
    if (apr_atomic_xchg32(&park->stop_posted[graceful], 1)) {
        return;
    }
    msg = &park->stop_msg[graceful];
    msg->cb = graceful ? stop_gracefully_cb : stop_at_once_cb;
    msg->baton = NULL;
    mastra_loop_post(park->loop, msg);
}

/* ---- the child ends ---- */

static void told_cb(void *baton)
{
    sem_post(&mastra_park->all_told);
}

/* Behind the turns of all exchanges that were cut. */
static void cut_cb(void *baton)
{
    mastra_park->end_msg.cb = told_cb;
    mastra_loop_defer(mastra_park->loop, &mastra_park->end_msg);
}

void mastra_park_end(void)
{
    mastra_park_t *park = mastra_park;
    struct timespec until;

    if (!park) {
        return;
    }
    mastra_park_stop(0);
    sem_init(&park->all_told, 0, 0);
    park->end_msg.cb = cut_cb;
    mastra_loop_post(park->loop, &park->end_msg);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += END_LIMIT;
    while (sem_timedwait(&park->all_told, &until) && errno == EINTR) {
    }
}
