/* The table mastra_x_events: logs of runs, in batches. */

#include <string.h>

#include "events.h"
#include "internal.h"

/* The row that marks the end of a log: behind all frames. */
#define END_SEQ (APR_INT64_C(1) << 60)
#define ROWS_AT_ONCE 64

/* Who took the log over writes behind all that the one before it can say: no
 * row of before need be looked at. */
static const char events_later[] =
    "SELECT 1 FROM mastra_x_events WHERE log = ? AND seq > ? AND epoch > ? "
    "LIMIT 1";
static const char events_insert[] =
    "INSERT INTO mastra_x_events (log, seq, newest, epoch, ends, made, frames) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (log, seq) DO NOTHING";
static const char events_end[] =
    "INSERT INTO mastra_x_events (log, seq, newest, epoch, ends, made, frames) "
    "VALUES (?, ?, ?, ?, ?, ?, '') ON CONFLICT (log, seq) DO UPDATE SET "
    "ends = CASE WHEN mastra_x_events.ends > excluded.ends "
    "THEN mastra_x_events.ends ELSE excluded.ends END";
static const char events_read[] =
    "SELECT seq, newest, epoch, ends, frames FROM mastra_x_events "
    "WHERE log = ? AND newest > ? ORDER BY seq LIMIT ?";
static const char events_newest[] =
    "SELECT COALESCE(MAX(newest), 0) FROM mastra_x_events WHERE log = ? "
    "AND ends = 0";
static const char events_trim[] =
    "DELETE FROM mastra_x_events WHERE log = ? AND newest < ? AND ends = 0";
static const char events_sweep[] =
    "DELETE FROM mastra_x_events WHERE made < ? AND (made < ? OR log NOT IN "
    "(SELECT log FROM mastra_x_channels WHERE status <> 'idle' UNION "
    "SELECT 'a:' || id FROM mastra_x_runs "
    "WHERE kind IN ('durable-agentic-loop', 'agent-network') "
    "AND status <> 'done'))";

apr_status_t mastra_events_append(mastra_db_t *db,
                                  const mastra_events_row_t *row,
                                  apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_int64_t now;
    apr_status_t rv = mastra_db_query(&rows, db, events_later,
                                      (const mastra_bind_t[]) {
        MASTRA_TEXT(row->log), MASTRA_INT(row->newest), MASTRA_INT(row->epoch)
    }, 3, pool);

    if (rv == APR_SUCCESS && mastra_rows_count(rows)) {
        return MASTRA_EVENTS_STALE;
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_now(&now, db, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return mastra_db_execute(NULL, db, events_insert, (const mastra_bind_t[]) {
        MASTRA_TEXT(row->log), MASTRA_INT(row->seq), MASTRA_INT(row->newest),
        MASTRA_INT(row->epoch), MASTRA_INT(0), MASTRA_INT(now),
        MASTRA_TEXT(row->frames)
    }, 7, pool);
}

apr_status_t mastra_events_end(mastra_db_t *db, const char *log, int epoch,
                               int complete, apr_pool_t *pool)
{
    apr_int64_t now;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    return mastra_db_execute(NULL, db, events_end, (const mastra_bind_t[]) {
        MASTRA_TEXT(log), MASTRA_INT(END_SEQ), MASTRA_INT(END_SEQ),
        MASTRA_INT(epoch), MASTRA_INT(complete ? 2 : 1), MASTRA_INT(now)
    }, 6, pool);
}

static void take_rows(mastra_events_page_t *page, const mastra_rows_t *rows,
                      const char *log, apr_size_t limit, apr_pool_t *pool)
{
    int i, n = mastra_rows_count(rows);
    mastra_events_row_t *made = apr_pcalloc(pool, sizeof(*made)
                                                      * (apr_size_t)(n + 1));
    apr_size_t bytes = 0;

    page->rows = made;
    page->more = n == ROWS_AT_ONCE;
    for (i = 0; i < n; i++) {
        if (mastra_rows_int(rows, i, 3)) {
            page->ended = (int)mastra_rows_int(rows, i, 3);
            continue;
        }
        if (bytes >= limit) {
            page->more = 1;
            page->ended = 0;
            return;
        }
        made->log = log;
        made->seq = mastra_rows_int(rows, i, 0);
        made->newest = mastra_rows_int(rows, i, 1);
        made->epoch = (int)mastra_rows_int(rows, i, 2);
        made->frames = mastra_rows_text(rows, i, 4);
        bytes += strlen(made->frames);
        made++;
        page->nrows++;
    }
}

apr_status_t mastra_events_read(mastra_events_page_t *page, mastra_db_t *db,
                                const char *log, apr_int64_t after,
                                apr_size_t limit, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, events_read,
                                      (const mastra_bind_t[]) {
        MASTRA_TEXT(log), MASTRA_INT(after), MASTRA_INT(ROWS_AT_ONCE)
    }, 3, pool);

    memset(page, 0, sizeof(*page));
    if (rv == APR_SUCCESS) {
        take_rows(page, rows, log, limit, pool);
    }
    return rv;
}

apr_status_t mastra_events_newest(apr_int64_t *pseq, mastra_db_t *db,
                                  const char *log, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, events_newest,
                                      &MASTRA_TEXT(log), 1, pool);

    if (rv == APR_SUCCESS) {
        *pseq = mastra_rows_int(rows, 0, 0);
    }
    return rv;
}

apr_int64_t mastra_events_said(apr_int64_t stored)
{
    return stored ? stored : 1;
}

apr_status_t mastra_events_taken(apr_int64_t *pseq, mastra_db_t *db,
                                 const char *log, apr_pool_t *pool)
{
    apr_status_t rv = mastra_events_newest(pseq, db, log, pool);

    if (rv == APR_SUCCESS) {
        *pseq = mastra_events_said(*pseq);
    }
    return rv;
}

apr_status_t mastra_events_trim(mastra_db_t *db, const char *log,
                                apr_int64_t before, apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, events_trim, (const mastra_bind_t[]) {
        MASTRA_TEXT(log), MASTRA_INT(before)
    }, 2, pool);
}

apr_status_t mastra_events_sweep(int *pgone, mastra_db_t *db,
                                 apr_interval_time_t age,
                                 apr_interval_time_t kept_age,
                                 apr_pool_t *pool)
{
    apr_int64_t now;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    return mastra_db_execute(pgone, db, events_sweep, (const mastra_bind_t[]) {
        MASTRA_INT(now - age / 1000), MASTRA_INT(now - kept_age / 1000)
    }, 2, pool);
}
