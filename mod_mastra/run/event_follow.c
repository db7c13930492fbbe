/* Who reads logs here: a cursor each, on the ring or on storage behind it. */

#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "../store/events.h"

#define READ_LIMIT (256 * 1024)      /* bytes of storage at a time */
#define READ_AGAIN apr_time_from_msec(50)
/* what is on its way from the owner to storage may take so long */
#define READ_PATIENCE apr_time_from_sec(3)

struct mastra_follower_t {
    mastra_follower_t *next, *prev;
    mastra_log_t *log;
    const mastra_follower_cbs_t *cbs;
    void *baton;
    apr_int64_t after;               /* the last frame that was given */
    int blocked;                     /* the reader said 0 */
    int giving;                      /* inside one of its callbacks */
    int gone;                        /* stopped, or its end was told */
    mastra_log_read_t *read;         /* under way */
    mastra_log_read_t *page;         /* read, being given */
    int line;
    const char *at;                  /* in page->text */
    mastra_timer_t timer;
    apr_time_t missing_since;
};

/* ---- reading storage ---- */

static int count_lines(const char *text)
{
    int n = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++) {
        n++;
    }
    return n;
}

static apr_size_t page_size(const mastra_events_page_t *page, int *pnlines)
{
    apr_size_t bytes = 1;
    int i;

    *pnlines = 0;
    for (i = 0; i < page->nrows; i++) {
        bytes += strlen(page->rows[i].frames);
        *pnlines += count_lines(page->rows[i].frames);
    }
    return bytes;
}

/* Rows as one text with a sequence for each line. Those of a line that stood
 * before the asked-for sequence are skipped by the reader. */
static void keep_page(mastra_log_read_t *read, const mastra_events_page_t *page)
{
    int i, line = 0, nlines;
    apr_size_t bytes = page_size(page, &nlines);
    char *to = malloc(bytes);
    apr_int64_t *seqs = malloc(((apr_size_t)nlines + 1) * sizeof(*seqs));

    if (!to || !seqs) {
        abort();
    }
    free(read->text);
    free(read->seqs);
    read->text = to;
    read->seqs = seqs;
    for (i = 0; i < page->nrows; i++) {
        const mastra_events_row_t *row = &page->rows[i];
        int end = line + count_lines(row->frames);
        apr_int64_t seq = row->seq;

        while (line < end) {
            seqs[line++] = seq++;
        }
        to = strcpy(to, row->frames) + strlen(row->frames);
    }
    *to = '\0';
    read->nlines = nlines;
    read->more = page->more;
    read->ended = page->ended;
}

static apr_status_t read_rows(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_log_read_t *read = baton;
    mastra_events_page_t page;
    apr_status_t rv = mastra_events_read(&page, db, read->key, read->after,
                                         READ_LIMIT, pool);

    if (rv == APR_SUCCESS) {
        keep_page(read, &page);
    }
    return rv;
}

static void have_read(void *baton, apr_status_t rv)
{
    mastra_log_read_t *read = baton;

    read->rv = rv;
    mastra_loop_post(read->loop, &read->msg);
}

mastra_log_read_t *mastra_log_read(mastra_log_t *log, apr_int64_t after,
                                   void (*done)(void *baton), void *baton)
{
    mastra_log_read_t *read = calloc(1, sizeof(*read));

    if (!read || !(read->key = strdup(log->key))) {
        abort();
    }
    read->store = log->store;
    read->loop = log->events->loop;
    read->after = after;
    read->done = done;
    read->baton = baton;
    read->job.mode = MASTRA_STORE_READ;
    read->job.run = read_rows;
    read->job.done = have_read;
    read->job.baton = read;
    read->msg.cb = done;
    read->msg.baton = baton;
    if (!read->store || mastra_store_submit(read->store, &read->job)) {
        mastra_log_read_free(read);
        return NULL;
    }
    return read;
}

void mastra_log_read_free(mastra_log_read_t *read)
{
    if (read) {
        free(read->key);
        free(read->text);
        free(read->seqs);
        free(read);
    }
}

/* ---- a follower ---- */

static void unlink_follower(mastra_follower_t *f)
{
    if (f->prev) {
        f->prev->next = f->next;
    }
    else {
        f->log->followers = f->next;
    }
    if (f->next) {
        f->next->prev = f->prev;
    }
}

static void free_follower(mastra_follower_t *f)
{
    mastra_loop_timer_stop(f->log->events->loop, &f->timer);
    unlink_follower(f);
    mastra_log_read_free(f->page);
    free(f);
}

void mastra_followers_reap(mastra_log_t *log)
{
    mastra_follower_t *f, *next;

    for (f = log->followers; f; f = next) {
        next = f->next;
        if (f->gone && !f->read) {
            free_follower(f);
        }
    }
}

int mastra_followers_count(const mastra_log_t *log)
{
    const mastra_follower_t *f;
    int n = 0;

    for (f = log->followers; f; f = f->next) {
        n += !f->gone;
    }
    return n;
}

static void finish(mastra_follower_t *f, apr_status_t rv)
{
    f->gone = 1;
    f->cbs->end(f->baton, rv);
}

/* 1: go on. */
static int give(mastra_follower_t *f, const char *text, apr_size_t len,
                apr_int64_t seq)
{
    f->after = seq;
    f->giving++;
    f->blocked = !f->cbs->frame(f->baton, text, len, seq);
    f->giving--;
    return !f->gone && !f->blocked;
}

static int give_page(mastra_follower_t *f)
{
    mastra_log_read_t *page = f->page;

    while (f->line < page->nlines) {
        const char *text = f->at;
        const char *end = strchr(text, '\n');
        apr_int64_t seq = page->seqs[f->line++];

        f->at = end + 1;
        if (seq > f->after && !give(f, text, (apr_size_t)(end - text), seq)) {
            return 0;
        }
    }
    f->page = NULL;
    mastra_log_read_free(page);
    return 1;
}

static void pump(mastra_follower_t *f);

static void on_timer(void *baton)
{
    mastra_follower_t *f = baton;
    mastra_log_t *log = f->log;

    log->busy++;
    pump(f);
    log->busy--;
    mastra_log_settle(log);
}

/* Frames that are neither in memory nor in storage are on their way, or they
 * are lost: swept, or never written. */
static void nothing_there(mastra_follower_t *f)
{
    apr_time_t now = mastra_loop_now(f->log->events->loop);

    if (!f->missing_since) {
        f->missing_since = now;
    }
    if (f->read->rv == APR_SUCCESS
        && (f->log->owned || now - f->missing_since > READ_PATIENCE)) {
        f->missing_since = 0;
        f->after = f->log->ring.base;
        return;
    }
    mastra_loop_timer_set(f->log->events->loop, &f->timer, READ_AGAIN,
                          on_timer, f);
}

static void after_read(void *baton)
{
    mastra_follower_t *f = baton;
    mastra_log_read_t *read = f->read;
    mastra_log_t *log = f->log;
    int useful = read->rv == APR_SUCCESS && read->nlines
                 && read->seqs[read->nlines - 1] > f->after;

    log->busy++;
    if (!f->gone && !useful) {
        nothing_there(f);
    }
    f->read = NULL;
    if (!f->gone && useful) {
        f->missing_since = 0;
        f->page = read;
        f->at = read->text;
        f->line = 0;
    }
    else {
        mastra_log_read_free(read);
    }
    if (!f->timer.slot) {
        pump(f);
    }
    log->busy--;
    mastra_log_settle(log);
}

static void start_read(mastra_follower_t *f)
{
    f->read = mastra_log_read(f->log, f->after, after_read, f);
    if (!f->read) {
        mastra_loop_timer_set(f->log->events->loop, &f->timer, READ_AGAIN,
                              on_timer, f);
    }
}

static void pump(mastra_follower_t *f)
{
    mastra_log_t *log = f->log;
    const mastra_frame_t *frame;

    if (f->giving || f->blocked || f->read || f->gone) {
        return;
    }
    if (f->page && !give_page(f)) {
        return;
    }
    if (f->after < log->ring.base) {
        if (!f->timer.slot) {
            start_read(f);
        }
        return;
    }
    while ((frame = mastra_ring_after(&log->ring, f->after)) != NULL) {
        if (!give(f, frame->text, frame->len, frame->seq)) {
            return;
        }
    }
    if (log->ended) {
        finish(f, APR_SUCCESS);
    }
}

/* The log is busy: none of its followers is freed meanwhile. */
void mastra_followers_pump(mastra_log_t *log)
{
    mastra_follower_t *f;

    for (f = log->followers; f; f = f->next) {
        pump(f);
    }
}

mastra_follower_t *mastra_log_follow(mastra_events_t *events,
                                     mastra_store_t *store, const char *key,
                                     const char *owner, apr_int64_t after,
                                     const mastra_follower_cbs_t *cbs,
                                     void *baton)
{
    mastra_log_t *log = mastra_log_need(events, store, key, after);
    mastra_follower_t *f = calloc(1, sizeof(*f));

    if (!f) {
        abort();
    }
    f->log = log;
    f->cbs = cbs;
    f->baton = baton;
    f->after = after;
    f->next = log->followers;
    if (f->next) {
        f->next->prev = f;
    }
    log->followers = f;
    /* one that was let go of here, and is still in memory, may go on elsewhere */
    if (!log->owned && (!log->lingers.slot || !log->ended)
        && (owner || (!log->tick.slot && !log->read))) {
        mastra_log_owner(events, key, owner);
    }
    /* the caller hears of frames once it knows its follower */
    mastra_loop_timer_set(events->loop, &f->timer, 0, on_timer, f);
    return f;
}

void mastra_follower_resume(mastra_follower_t *f)
{
    mastra_log_t *log = f->log;

    f->blocked = 0;
    log->busy++;
    pump(f);
    log->busy--;
    mastra_log_settle(log);
}

void mastra_follower_stop(mastra_follower_t *f)
{
    f->gone = 1;
    mastra_log_settle(f->log);
}
