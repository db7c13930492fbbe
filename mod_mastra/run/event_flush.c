/* What logs say goes to storage in batches: all logs of a store together. */

#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "../base/log.h"
#include "../store/events.h"

#define FLUSH_EVERY apr_time_from_msec(100)
#define FLUSH_AGAIN apr_time_from_sec(1)     /* after a failure */
#define BATCH_MAX (1024 * 1024)              /* bytes of one log */
#define TEXT_MAX (32 * 1024 * 1024)          /* and of all, about */
#define TEXT_KEPT (1024 * 1024)
/* storage that fails so long loses what it was to keep */
#define GIVE_UP apr_time_from_sec(30)

typedef struct {
    mastra_log_t *log;
    mastra_events_row_t row;
    apr_size_t at, len;          /* of its frames in the text */
    apr_int64_t trim;            /* 0, or drop what is before */
    int ends;                    /* nothing follows */
    int stale;
} piece_t;

typedef struct {
    mastra_log_t *first, **end;
    int n;
} list_t;

struct mastra_flusher_t {
    mastra_flusher_t *next;
    mastra_events_t *events;
    mastra_store_t *store;
    list_t dirty, urgent;        /* those that wait for the timer, or do not */
    mastra_timer_t timer, now;
    int waiting;                 /* the timer is set */
    int due;                     /* it has come while a job was under way */
    int busy;                    /* a job is under way */
    apr_time_t failed_since;
    piece_t *pieces;             /* memory that is kept, as that of text */
    int npieces, room;
    mastra_buf_t text;           /* of all pieces */
    mastra_store_job_t job;
    mastra_msg_t msg;
    apr_status_t rv;
};

static void flush(mastra_flusher_t *flusher);

/* ---- the job: store thread ---- */

static apr_status_t write_pieces(mastra_db_t *db, void *baton,
                                 apr_pool_t *pool)
{
    mastra_flusher_t *flusher = baton;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < flusher->npieces && !rv; i++) {
        piece_t *piece = &flusher->pieces[i];

        if (!piece->len) {
            continue;
        }
        piece->row.frames = flusher->text.data + piece->at;
        rv = mastra_events_append(db, &piece->row, pool);
        piece->stale = rv == MASTRA_EVENTS_STALE;
        if (piece->stale) {
            rv = APR_SUCCESS;
        }
        else if (!rv && piece->ends) {
            rv = mastra_events_end(db, piece->row.log, piece->row.epoch, 1,
                                   pool);
        }
        if (!rv && piece->trim) {
            rv = mastra_events_trim(db, piece->row.log, piece->trim, pool);
        }
    }
    return rv;
}

static void written(void *baton, apr_status_t rv)
{
    mastra_flusher_t *flusher = baton;

    flusher->rv = rv;
    mastra_loop_post(flusher->events->loop, &flusher->msg);
}

/* ---- before and after it: loop ---- */

static apr_status_t free_memory(void *baton)
{
    mastra_flusher_t *flusher = baton;

    free(flusher->pieces);
    mastra_buf_free(&flusher->text);
    return APR_SUCCESS;
}

static mastra_flusher_t *flusher_of(mastra_log_t *log)
{
    mastra_events_t *events = log->events;
    mastra_flusher_t *flusher = events->flushers;

    while (flusher && flusher->store != log->store) {
        flusher = flusher->next;
    }
    if (!flusher) {
        flusher = apr_pcalloc(events->pool, sizeof(*flusher));
        flusher->events = events;
        flusher->store = log->store;
        mastra_buf_init(&flusher->text, (apr_size_t)1 << 30);
        flusher->dirty.end = &flusher->dirty.first;
        flusher->urgent.end = &flusher->urgent.first;
        flusher->next = events->flushers;
        events->flushers = flusher;
        apr_pool_cleanup_register(events->pool, flusher, free_memory,
                                  apr_pool_cleanup_null);
    }
    return flusher;
}

static void collect(mastra_flusher_t *flusher, mastra_log_t *log)
{
    piece_t *piece = &flusher->pieces[flusher->npieces++];
    mastra_buf_t *text = &flusher->text;
    const mastra_frame_t *frame;
    apr_int64_t seq = log->written;

    memset(piece, 0, sizeof(*piece));
    piece->log = log;
    piece->at = text->len;
    while ((frame = mastra_ring_after(&log->ring, seq)) != NULL
           && (!piece->len || piece->len + frame->len < BATCH_MAX)) {
        if (!piece->row.seq) {
            piece->row.seq = frame->seq;
        }
        mastra_buf_add(text, frame->text, frame->len);
        mastra_buf_add(text, "\n", 1);
        piece->len = text->len - piece->at;
        seq = frame->seq;
    }
    mastra_buf_add(text, "", 1);
    piece->row.log = log->key;
    piece->row.newest = seq;
    piece->row.epoch = log->epoch;
    piece->ends = log->closed && log->ended && seq == log->ring.last;
    log->stored += piece->len;
    if (log->stored > MASTRA_LOG_STORED / 2) {
        piece->trim = log->before_half;
        log->before_half = log->half;
        log->half = seq;
        log->stored = 0;
    }
}

/* Room for so many pieces. */
static void need_pieces(mastra_flusher_t *flusher, int n)
{
    if (n > flusher->room) {
        free(flusher->pieces);
        flusher->room = 2 * n;
        flusher->pieces = calloc((apr_size_t)flusher->room,
                                 sizeof(*flusher->pieces));
        if (!flusher->pieces) {
            abort();
        }
    }
}

/* What one job took much of is not kept. */
static void reset_text(mastra_flusher_t *flusher)
{
    if (flusher->text.len > TEXT_KEPT) {
        mastra_buf_free(&flusher->text);
    }
    else {
        mastra_buf_reset(&flusher->text);
    }
}

static void on_time(void *baton)
{
    mastra_flusher_t *flusher = baton;

    flusher->waiting = 0;
    flusher->due = 1;
    flush(flusher);
}

static void on_urgent(void *baton)
{
    flush(baton);
}

static void set_timer(mastra_flusher_t *flusher, apr_interval_time_t in)
{
    flusher->waiting = 1;
    mastra_loop_timer_set(flusher->events->loop, &flusher->timer, in, on_time,
                          flusher);
}

/* After what else is done now: many logs may end in one turn. */
static void set_now(mastra_flusher_t *flusher)
{
    mastra_loop_timer_set(flusher->events->loop, &flusher->now, 0, on_urgent,
                          flusher);
}

static void maybe_written(mastra_events_t *events)
{
    void (*done)(void *baton) = events->written;
    mastra_flusher_t *flusher;

    for (flusher = events->flushers; flusher; flusher = flusher->next) {
        if (flusher->busy || flusher->dirty.n || flusher->urgent.n) {
            return;
        }
    }
    if (done) {
        events->written = NULL;
        done(events->written_baton);
    }
}

/* Storage has the frames up to newest, or never will. */
static void advance(mastra_log_t *log, apr_int64_t newest)
{
    const mastra_frame_t *frame;

    log->busy++;
    log->written = newest;
    log->unwritten = 0;
    for (frame = mastra_ring_after(&log->ring, newest); frame;
         frame = mastra_ring_after(&log->ring, frame->seq)) {
        log->unwritten += frame->len;
    }
    if (log->unwritten && log->closed) {
        /* more than fits into one row, and nothing comes that it could wait
         * for */
        mastra_log_hurry(log);
    }
    else if (log->unwritten) {
        mastra_log_dirty(log);
    }
    else if (log->closed) {
        mastra_log_disown(log);
    }
    if (log->synced && newest >= log->sync_to) {
        void (*synced)(void *baton) = log->synced;

        log->synced = NULL;
        synced(log->sync_baton);
    }
    if (log->full && log->unwritten < MASTRA_LOG_UNWRITTEN / 2) {
        log->full = 0;
        if (log->cbs) {
            log->cbs->room(log->baton);
        }
    }
    log->busy--;
    mastra_log_pump(log);
}

static void settle_piece(mastra_flusher_t *flusher, piece_t *piece)
{
    mastra_log_t *log = piece->log;
    int failed = flusher->rv != APR_SUCCESS;

    if (failed && mastra_loop_now(flusher->events->loop)
                      - flusher->failed_since < GIVE_UP) {
        mastra_log_dirty(log);
        return;
    }
    if (piece->stale && log->cbs) {
        log->busy++;
        log->cbs->stale(log->baton);
        log->busy--;
    }
    advance(log, piece->row.newest);
}

static void after_write(void *baton)
{
    mastra_flusher_t *flusher = baton;
    int i;

    reset_text(flusher);
    if (flusher->rv == APR_SUCCESS) {
        flusher->failed_since = 0;
    }
    else if (!flusher->failed_since) {
        flusher->failed_since = mastra_loop_now(flusher->events->loop);
        mastra_log(MASTRA_LOG_ERR, flusher->rv, MASTRA_ID(3010)
                   "what runs say cannot be stored: who joins late or is slow "
                   "will miss it");
    }
    for (i = 0; i < flusher->npieces; i++) {
        settle_piece(flusher, &flusher->pieces[i]);
    }
    flusher->npieces = 0;
    flusher->busy = 0;
    if (flusher->failed_since) {
        set_timer(flusher, FLUSH_AGAIN);
    }
    else if (flusher->due || flusher->urgent.n) {
        set_now(flusher);
    }
    maybe_written(flusher->events);
}

static void enlist(list_t *list, mastra_log_t *log)
{
    log->next_dirty = NULL;
    log->at_dirty = list->end;
    *list->end = log;
    list->end = &log->next_dirty;
    list->n++;
    log->dirty = 1;
}

static void delist(list_t *list, mastra_log_t *log)
{
    *log->at_dirty = log->next_dirty;
    if (log->next_dirty) {
        log->next_dirty->at_dirty = log->at_dirty;
    }
    else {
        list->end = log->at_dirty;
    }
    list->n--;
}

/* What is urgent goes alone: what others say meanwhile makes one row of a tenth
 * of a second, and not one for each log that ends. */
static void collect_list(mastra_flusher_t *flusher, list_t *list)
{
    mastra_log_t *log;

    while ((log = list->first) != NULL && flusher->text.len < TEXT_MAX) {
        delist(list, log);
        log->dirty = log->urgent = 0;
        collect(flusher, log);
    }
}

static void submit(mastra_flusher_t *flusher)
{
    apr_status_t rv;

    memset(&flusher->job, 0, sizeof(flusher->job));
    flusher->job.mode = MASTRA_STORE_WRITE;
    flusher->job.run = write_pieces;
    flusher->job.done = written;
    flusher->job.baton = flusher;
    flusher->msg.cb = after_write;
    flusher->msg.baton = flusher;
    flusher->busy = 1;
    rv = flusher->store ? mastra_store_submit(flusher->store, &flusher->job)
                        : APR_ENOTIMPL;
    if (rv != APR_SUCCESS) {
        flusher->rv = rv;
        mastra_loop_defer(flusher->events->loop, &flusher->msg);
    }
}

static void flush(mastra_flusher_t *flusher)
{
    int n = flusher->urgent.n + (flusher->due ? flusher->dirty.n : 0);

    if (flusher->busy) {
        return;
    }
    if (n) {
        need_pieces(flusher, n);
        collect_list(flusher, &flusher->urgent);
        if (flusher->due) {
            collect_list(flusher, &flusher->dirty);
        }
        submit(flusher);
    }
    /* what there was no room for comes next */
    flusher->due &= flusher->dirty.n > 0;
}

void mastra_log_dirty(mastra_log_t *log)
{
    mastra_flusher_t *flusher = flusher_of(log);

    if (!log->dirty) {
        enlist(&flusher->dirty, log);
    }
    if (!flusher->waiting) {
        set_timer(flusher, FLUSH_EVERY);
    }
}

void mastra_log_hurry(mastra_log_t *log)
{
    mastra_flusher_t *flusher = flusher_of(log);

    if (log->dirty && !log->urgent) {
        delist(&flusher->dirty, log);
        log->dirty = 0;
    }
    if (!log->dirty) {
        log->urgent = 1;
        enlist(&flusher->urgent, log);
    }
    if (!flusher->busy && !flusher->failed_since) {
        set_now(flusher);
    }
}

int mastra_log_sync(mastra_log_t *log, void (*done)(void *baton), void *baton)
{
    if (!log->unwritten) {
        return 0;
    }
    log->sync_to = log->ring.last;
    log->synced = done;
    log->sync_baton = baton;
    mastra_log_hurry(log);
    return 1;
}

void mastra_events_write_all(mastra_events_t *events,
                             void (*done)(void *baton), void *baton)
{
    mastra_flusher_t *flusher;

    events->written = done;
    events->written_baton = baton;
    for (flusher = events->flushers; flusher; flusher = flusher->next) {
        flusher->due = 1;
        if (!flusher->busy && !flusher->failed_since) {
            set_now(flusher);
        }
    }
    maybe_written(events);
}
