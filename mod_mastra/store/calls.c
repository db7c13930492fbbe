/* Calls that change the database, kept with their change: each takes effect
 * once, however often its run begins anew. */

#include "calls.h"
#include "internal.h"

/* nothing is changed, but nobody else can take the run until the commit */
static const char run_hold[] =
    "UPDATE mastra_x_runs SET epoch = epoch WHERE host = ? AND id = ? "
    "AND epoch = ? AND status = 'running'";
static const char call_get[] =
    "SELECT outcome FROM mastra_x_calls WHERE run = ? AND place = ?";
static const char call_put[] =
    "INSERT INTO mastra_x_calls (run, place, made, outcome) "
    "VALUES (?, ?, ?, ?)";
static const char call_drop[] = "DELETE FROM mastra_x_calls WHERE run = ?";
static const char call_sweep[] =
    "DELETE FROM mastra_x_calls WHERE made < ? AND NOT EXISTS (SELECT 1 "
    "FROM mastra_x_runs r WHERE r.id = mastra_x_calls.run "
    "AND r.status IN ('running', 'suspended', 'waiting', 'pending'))";

apr_status_t mastra_calls_find(mastra_json_t **poutcome, mastra_db_t *db,
                               const mastra_owned_t *owned, const char *place,
                               apr_pool_t *pool)
{
    mastra_rows_t *rows;
    int held = 0;
    apr_status_t rv = mastra_db_execute(&held, db, run_hold,
                                        (const mastra_bind_t[]) {
        MASTRA_TEXT(owned->host), MASTRA_TEXT(owned->id),
        MASTRA_INT(owned->epoch)
    }, 3, pool);

    if (rv == APR_SUCCESS && !held) {
        return MASTRA_STORE_STALE;
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&rows, db, call_get, (const mastra_bind_t[]) {
            MASTRA_TEXT(owned->id), MASTRA_TEXT(place)
        }, 2, pool);
    }
    if (rv == APR_SUCCESS && !mastra_rows_count(rows)) {
        return MASTRA_STORE_NOT_FOUND;
    }
    if (rv == APR_SUCCESS) {
        *poutcome = mastra_rows_json(rows, 0, 0);
    }
    return rv;
}

apr_status_t mastra_calls_put(mastra_db_t *db, const mastra_owned_t *owned,
                              const char *place, const mastra_json_t *outcome,
                              apr_pool_t *pool)
{
    apr_int64_t now = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    return rv ? rv : mastra_db_execute(NULL, db, call_put,
                                       (const mastra_bind_t[]) {
        MASTRA_TEXT(owned->id), MASTRA_TEXT(place), MASTRA_INT(now),
        MASTRA_TEXT(mastra_json_text(outcome, pool))
    }, 4, pool);
}

apr_status_t mastra_calls_drop(mastra_db_t *db, const char *run,
                               apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, call_drop, &MASTRA_TEXT(run), 1, pool);
}

apr_status_t mastra_calls_sweep(mastra_db_t *db, apr_interval_time_t age,
                                apr_pool_t *pool)
{
    apr_int64_t now = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    return rv ? rv : mastra_db_execute(NULL, db, call_sweep,
                                       &MASTRA_INT(now - age / 1000), 1, pool);
}
