/* The table mastra_x_queue: what waits for the runs of a channel. */

#include <string.h>

#include <apr_strings.h>

#include "channels.h"
#include "internal.h"

#define AT_ONCE 32

static const char queue_place[] =
    "UPDATE mastra_x_channels SET place = place + 1 WHERE id = ?";
static const char queue_push[] =
    "INSERT INTO mastra_x_queue (channel, place, kind, run, item) "
    "SELECT id, place, ?, ?, ? FROM mastra_x_channels WHERE id = ?";
static const char queue_count[] =
    "SELECT count(*) FROM mastra_x_queue WHERE channel = ?";
/* "deliver" sorts before "next" */
static const char queue_first[] =
    "SELECT place, kind, run, item FROM mastra_x_queue WHERE channel = ? "
    "ORDER BY kind, place LIMIT 1";
static const char queue_of_run[] =
    "SELECT place, kind, run, item FROM mastra_x_queue WHERE channel = ? "
    "AND kind = 'next' AND run = ? ORDER BY place LIMIT 1";
static const char queue_deliver[] =
    "SELECT place, kind, run, item FROM mastra_x_queue WHERE channel = ? "
    "AND kind = 'deliver' ORDER BY place LIMIT ?";
static const char queue_taken[] =
    "DELETE FROM mastra_x_queue WHERE channel = ? AND kind = 'deliver' "
    "AND place <= ?";
static const char queue_promote[] =
    "UPDATE mastra_x_queue SET kind = 'next', run = ? WHERE channel = ? "
    "AND place = ?";
static const char queue_drop[] =
    "DELETE FROM mastra_x_queue WHERE channel = ? AND place = ?";

apr_status_t mastra_queue_push(mastra_db_t *db, const char *channel,
                               const char *kind, const char *run,
                               const char *text, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, queue_count,
                                      &MASTRA_TEXT(channel), 1, pool);

    if (rv == APR_SUCCESS && mastra_rows_int(rows, 0, 0) >= MASTRA_QUEUE_MAX) {
        return MASTRA_STORE_BUSY;
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(NULL, db, queue_place, &MASTRA_TEXT(channel), 1,
                               pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return mastra_db_execute(NULL, db, queue_push, (const mastra_bind_t[]) {
        MASTRA_TEXT(kind), MASTRA_TEXT(run), MASTRA_TEXT(text),
        MASTRA_TEXT(channel)
    }, 4, pool);
}

static void fill(mastra_queue_item_t *item, const mastra_rows_t *rows, int i)
{
    item->place = (int)mastra_rows_int(rows, i, 0);
    item->kind = mastra_rows_text(rows, i, 1);
    item->run = mastra_rows_text(rows, i, 2);
    item->text = mastra_rows_text(rows, i, 3);
}

static apr_status_t read_one(mastra_queue_item_t *item, mastra_db_t *db,
                             const char *sql, const mastra_bind_t *binds,
                             int nbinds, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, sql, binds, nbinds, pool);

    if (rv == APR_SUCCESS && !mastra_rows_count(rows)) {
        rv = MASTRA_STORE_NOT_FOUND;
    }
    if (rv == APR_SUCCESS) {
        fill(item, rows, 0);
    }
    return rv;
}

apr_status_t mastra_queue_first(mastra_queue_item_t *item, mastra_db_t *db,
                                const char *channel, apr_pool_t *pool)
{
    return read_one(item, db, queue_first, &MASTRA_TEXT(channel), 1, pool);
}

apr_status_t mastra_queue_of_run(mastra_queue_item_t *item, mastra_db_t *db,
                                 const char *channel, const char *run,
                                 apr_pool_t *pool)
{
    return read_one(item, db, queue_of_run, (const mastra_bind_t[]) {
        MASTRA_TEXT(channel), MASTRA_TEXT(run)
    }, 2, pool);
}

apr_status_t mastra_queue_take(mastra_queue_item_t **pitems, int *pn,
                               mastra_db_t *db, const char *channel,
                               apr_pool_t *pool)
{
    mastra_queue_item_t *items;
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, queue_deliver,
                                      (const mastra_bind_t[]) {
        MASTRA_TEXT(channel), MASTRA_INT(AT_ONCE)
    }, 2, pool);
    int i, n;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    n = mastra_rows_count(rows);
    items = apr_palloc(pool, sizeof(*items) * (apr_size_t)(n + 1));
    for (i = 0; i < n; i++) {
        fill(&items[i], rows, i);
    }
    *pitems = items;
    *pn = n;
    if (!n) {
        return APR_SUCCESS;
    }
    return mastra_db_execute(NULL, db, queue_taken, (const mastra_bind_t[]) {
        MASTRA_TEXT(channel), MASTRA_INT(items[n - 1].place)
    }, 2, pool);
}

apr_status_t mastra_queue_promote(mastra_db_t *db, const char *channel,
                                  int place, const char *run,
                                  apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, queue_promote, (const mastra_bind_t[]) {
        MASTRA_TEXT(run), MASTRA_TEXT(channel), MASTRA_INT(place)
    }, 3, pool);
}

apr_status_t mastra_queue_drop(mastra_db_t *db, const char *channel, int place,
                               apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, queue_drop, (const mastra_bind_t[]) {
        MASTRA_TEXT(channel), MASTRA_INT(place)
    }, 2, pool);
}
