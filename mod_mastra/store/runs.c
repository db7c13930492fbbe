/* Runs that outlive a process: suspended, claimed once, finished. */

#include <string.h>

#include <apr_strings.h>

#include "calls.h"
#include "internal.h"

static const char run_get[] =
    "SELECT kind, name, resource, thread, status, epoch, host, owner, lease, "
    "taken FROM mastra_x_runs WHERE id = ?";
static const char run_insert[] =
    "INSERT INTO mastra_x_runs (host, id, kind, name, resource, thread, "
    "status, epoch, lease, changed, summary) VALUES "
    "(?, ?, ?, ?, ?, ?, 'suspended', 1, 0, ?, ?)";
static const char run_again[] =
    "UPDATE mastra_x_runs SET kind = ?, name = ?, thread = ?, "
    "status = 'suspended', epoch = epoch + 1, lease = 0, changed = ?, "
    "summary = ? WHERE host = ? AND id = ? AND epoch = ?";
static const char run_claim[] =
    "UPDATE mastra_x_runs SET status = 'running', epoch = epoch + 1, "
    "lease = ?, changed = ? WHERE host = ? AND id = ? "
    "AND (status = 'suspended' OR (status = 'running' AND lease < ?))";
static const char run_renew[] =
    "UPDATE mastra_x_runs SET lease = ? WHERE host = ? AND id = ? "
    "AND epoch = ? AND status = 'running'";
static const char run_delete[] =
    "DELETE FROM mastra_x_runs WHERE host = ? AND id = ? AND epoch = ?";
static const char run_begin[] =
    "INSERT INTO mastra_x_runs (host, id, kind, name, resource, thread, "
    "status, epoch, lease, changed, summary, owner) VALUES "
    "(?, ?, ?, ?, ?, ?, 'running', 1, ?, ?, '{}', ?) "
    "ON CONFLICT (id) DO NOTHING";
static const char run_keep[] =
    "UPDATE mastra_x_runs SET lease = ?, changed = ?, owner = ?, taken = 0 "
    "WHERE host = ? AND id = ? AND epoch = ? AND status = 'running'";
static const char run_take[] =
    "UPDATE mastra_x_runs SET epoch = epoch + 1, taken = taken + 1, "
    "lease = ?, changed = ?, owner = ? WHERE host = ? AND id = ? "
    "AND status = 'running' AND (lease < ? OR owner = ?)";
static const char run_hand_back[] =
    "UPDATE mastra_x_runs SET lease = 0, owner = '' WHERE host = ? "
    "AND id = ? AND epoch = ? AND status = 'running'";
static const char run_retire[] =
    "UPDATE mastra_x_runs SET status = 'done', lease = 0, owner = '', "
    "changed = ? WHERE host = ? AND id = ? AND epoch = ? "
    "AND status = 'running'";
static const char run_orphans[] =
    "SELECT id, name FROM mastra_x_runs WHERE host = ? AND kind = ? "
    "AND status = 'running' AND (lease < ? OR owner = ?) "
    "ORDER BY lease LIMIT 32";
static const char run_sweep[] =
    "DELETE FROM mastra_x_runs WHERE kind = ? AND status = 'done' "
    "AND changed < ?";
/* one that was taken up and whose process died waits again */
#define WAITS \
    "AND (status = 'suspended' OR (status = 'running' AND lease < ? " \
    "AND summary <> '{}')) "
static const char run_list[] =
    "SELECT summary FROM mastra_x_runs WHERE host = ? AND kind = ? "
    WAITS "AND name = COALESCE(?, name) "
    "AND COALESCE(resource, '') = COALESCE(?, COALESCE(resource, '')) "
    "AND COALESCE(thread, '') = COALESCE(?, COALESCE(thread, '')) "
    "AND changed >= ? AND changed <= ? "
    "ORDER BY changed DESC, id LIMIT ? OFFSET ?";
static const char run_count[] =
    "SELECT count(*) FROM mastra_x_runs WHERE host = ? AND kind = ? "
    WAITS "AND name = COALESCE(?, name) "
    "AND COALESCE(resource, '') = COALESCE(?, COALESCE(resource, '')) "
    "AND COALESCE(thread, '') = COALESCE(?, COALESCE(thread, '')) "
    "AND changed >= ? AND changed <= ?";

static const char snapshot_get[] =
    "SELECT json(snapshot) FROM mastra_workflow_snapshot "
    "WHERE workflow_name = ? AND run_id = ?";
static const char snapshot_save[] =
    "INSERT INTO mastra_workflow_snapshot (workflow_name, run_id, "
    "\"resourceId\", snapshot, \"createdAt*\", \"updatedAt*\") VALUES "
    "(?1, ?2, ?3, ?4, ?5*, ?5*) ON CONFLICT (workflow_name, run_id) "
    "DO UPDATE SET snapshot = excluded.snapshot, "
    "\"resourceId\" = excluded.\"resourceId\", (\"updatedAt*\") = (?5*)";
static const char snapshot_delete[] =
    "DELETE FROM mastra_workflow_snapshot WHERE workflow_name = ? "
    "AND run_id = ?";

static apr_status_t save_snapshot(mastra_db_t *db, const mastra_run_row_t *row,
                                  apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, snapshot_save, (const mastra_bind_t[]) {
        MASTRA_TEXT(row->kind), MASTRA_TEXT(row->id),
        MASTRA_TEXT(row->resource_id), MASTRA_JSON(row->snapshot),
        MASTRA_TIME(apr_time_now() / 1000 * 1000)
    }, 5, pool);
}

static apr_status_t insert_run(mastra_db_t *db, const mastra_run_row_t *row,
                               apr_int64_t now, apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, run_insert, (const mastra_bind_t[]) {
        MASTRA_TEXT(row->host), MASTRA_TEXT(row->id), MASTRA_TEXT(row->kind),
        MASTRA_TEXT(row->name), MASTRA_TEXT(row->resource_id),
        MASTRA_TEXT(row->thread_id), MASTRA_INT(now),
        MASTRA_TEXT(mastra_json_text(row->summary, pool))
    }, 8, pool);
}

static apr_status_t suspend_again(mastra_db_t *db, const mastra_run_row_t *row,
                                  int epoch, apr_int64_t now, apr_pool_t *pool)
{
    int changed = 0;
    apr_status_t rv = mastra_db_execute(
        &changed, db, run_again, (const mastra_bind_t[]) {
            MASTRA_TEXT(row->kind), MASTRA_TEXT(row->name),
            MASTRA_TEXT(row->thread_id), MASTRA_INT(now),
            MASTRA_TEXT(mastra_json_text(row->summary, pool)),
            MASTRA_TEXT(row->host), MASTRA_TEXT(row->id), MASTRA_INT(epoch)
        }, 8, pool);

    return rv == APR_SUCCESS && !changed ? MASTRA_STORE_STALE : rv;
}

static int same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static apr_status_t find_run(mastra_rows_t **prows, mastra_db_t *db,
                             const char *id, apr_pool_t *pool)
{
    return mastra_db_query(prows, db, run_get, &MASTRA_TEXT(id), 1, pool);
}

/* An id that was used before: only its own resource may use it again, and not
 * while it runs. */
static apr_status_t reuse_epoch(int *pepoch, const mastra_rows_t *rows,
                                const mastra_run_row_t *row)
{
    if (!same(mastra_rows_text(rows, 0, 2), row->resource_id)
        || !same(mastra_rows_text(rows, 0, 6), row->host)
        || (strcmp(mastra_rows_text(rows, 0, 4), "suspended")
            && strcmp(mastra_rows_text(rows, 0, 4), "done"))) {
        return MASTRA_STORE_EXISTS;
    }
    *pepoch = (int)mastra_rows_int(rows, 0, 5);
    return APR_SUCCESS;
}

apr_status_t mastra_runs_suspend(mastra_db_t *db, const mastra_run_row_t *row,
                                 int epoch, apr_pool_t *pool)
{
    apr_int64_t now;
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    if (rv == APR_SUCCESS && !epoch) {
        rv = find_run(&rows, db, row->id, pool);
        if (rv == APR_SUCCESS && mastra_rows_count(rows)) {
            rv = reuse_epoch(&epoch, rows, row);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = epoch ? suspend_again(db, row, epoch, now, pool)
                   : insert_run(db, row, now, pool);
    }
    /* what the step's calls have come to is part of the state by now */
    if (rv == APR_SUCCESS) {
        rv = mastra_calls_drop(db, row->id, pool);
    }
    return rv == APR_SUCCESS ? save_snapshot(db, row, pool) : rv;
}

static apr_status_t read_snapshot(mastra_json_t **psnapshot, mastra_db_t *db,
                                  const mastra_run_row_t *row,
                                  apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, snapshot_get,
                                      (const mastra_bind_t[]) {
        MASTRA_TEXT(row->kind), MASTRA_TEXT(row->id)
    }, 2, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *psnapshot = mastra_rows_json(rows, 0, 0);
    return *psnapshot ? APR_SUCCESS : MASTRA_STORE_NOT_FOUND;
}

static void fill_row(mastra_run_row_t *row, const mastra_rows_t *rows,
                     const char *host, const char *id)
{
    row->host = host;
    row->id = id;
    row->kind = mastra_rows_text(rows, 0, 0);
    row->name = mastra_rows_text(rows, 0, 1);
    row->resource_id = mastra_rows_text(rows, 0, 2);
    row->thread_id = mastra_rows_text(rows, 0, 3);
    row->status = mastra_rows_text(rows, 0, 4);
    row->owner = mastra_rows_text(rows, 0, 7);
    row->taken = (int)mastra_rows_int(rows, 0, 9);
    row->epoch = (int)mastra_rows_int(rows, 0, 5);
}

apr_status_t mastra_runs_get(mastra_run_row_t *row, mastra_db_t *db,
                             const char *host, const char *id,
                             apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_int64_t now = 0;
    apr_status_t rv = find_run(&rows, db, id, pool);
    const char *its_host;

    if (rv) {
        return rv;
    }
    its_host = mastra_rows_count(rows) ? mastra_rows_text(rows, 0, 6) : NULL;
    if (!its_host || strcmp(its_host, host)) {
        return MASTRA_STORE_NOT_FOUND;
    }
    fill_row(row, rows, host, id);
    rv = mastra_db_now(&now, db, pool);
    row->lapsed = !strcmp(row->status, "running")
                  && mastra_rows_int(rows, 0, 8) < now;
    return rv;
}

/* What changes one row with the epoch that the caller knows. */
static apr_status_t change(mastra_db_t *db, const char *sql,
                           const mastra_bind_t *binds, int nbinds,
                           apr_pool_t *pool)
{
    int changed = 0;
    apr_status_t rv = mastra_db_execute(&changed, db, sql, binds, nbinds,
                                        pool);

    return rv == APR_SUCCESS && !changed ? MASTRA_STORE_STALE : rv;
}

/* The row that was changed, or why it was not. */
static apr_status_t read_claimed(mastra_json_t **psnapshot, int *pepoch,
                                 mastra_run_row_t *row, mastra_db_t *db,
                                 const char *host, const char *id,
                                 int changed, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv = find_run(&rows, db, id, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!mastra_rows_count(rows)
        || strcmp(mastra_rows_text(rows, 0, 6), host)) {
        return MASTRA_STORE_NOT_FOUND;
    }
    if (!changed) {
        return MASTRA_STORE_EXISTS;
    }
    fill_row(row, rows, host, id);
    *pepoch = (int)mastra_rows_int(rows, 0, 5);
    return read_snapshot(psnapshot, db, row, pool);
}

apr_status_t mastra_runs_claim(mastra_json_t **psnapshot, int *pepoch,
                               mastra_run_row_t *row, mastra_db_t *db,
                               const char *host, const char *id,
                               apr_interval_time_t lease, apr_pool_t *pool)
{
    apr_int64_t now = 0;
    int changed = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(&changed, db, run_claim,
                               (const mastra_bind_t[]) {
            MASTRA_INT(now + lease / 1000), MASTRA_INT(now), MASTRA_TEXT(host),
            MASTRA_TEXT(id), MASTRA_INT(now)
        }, 5, pool);
    }
    return rv ? rv : read_claimed(psnapshot, pepoch, row, db, host, id,
                                  changed, pool);
}

apr_status_t mastra_runs_renew(mastra_db_t *db, const char *host,
                               const char *id, int epoch,
                               apr_interval_time_t lease, apr_pool_t *pool)
{
    apr_int64_t now = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    return rv ? rv : change(db, run_renew, (const mastra_bind_t[]) {
        MASTRA_INT(now + lease / 1000), MASTRA_TEXT(host), MASTRA_TEXT(id),
        MASTRA_INT(epoch)
    }, 4, pool);
}

/* What nobody needs of a run that is over. */
static apr_status_t drop_state(mastra_db_t *db, const char *kind,
                               const char *id, apr_pool_t *pool)
{
    apr_status_t rv = mastra_db_execute(NULL, db, snapshot_delete,
                                        (const mastra_bind_t[]) {
        MASTRA_TEXT(kind), MASTRA_TEXT(id)
    }, 2, pool);

    return rv ? rv : mastra_calls_drop(db, id, pool);
}

apr_status_t mastra_runs_finish(mastra_db_t *db, const char *host,
                                const char *id, int epoch, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    int changed = 0;
    apr_status_t rv = find_run(&rows, db, id, pool);

    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(&changed, db, run_delete,
                               (const mastra_bind_t[]) {
            MASTRA_TEXT(host), MASTRA_TEXT(id), MASTRA_INT(epoch)
        }, 3, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!changed || !mastra_rows_count(rows)) {
        return MASTRA_STORE_STALE;
    }
    return drop_state(db, mastra_rows_text(rows, 0, 0), id, pool);
}

/* ---- durable runs ---- */

apr_status_t mastra_runs_begin(int *pepoch, mastra_db_t *db,
                               const mastra_run_row_t *row,
                               apr_interval_time_t lease, apr_pool_t *pool)
{
    apr_int64_t now = 0;
    int changed = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(&changed, db, run_begin,
                               (const mastra_bind_t[]) {
            MASTRA_TEXT(row->host), MASTRA_TEXT(row->id),
            MASTRA_TEXT(row->kind), MASTRA_TEXT(row->name),
            MASTRA_TEXT(row->resource_id), MASTRA_TEXT(row->thread_id),
            MASTRA_INT(now + lease / 1000), MASTRA_INT(now),
            MASTRA_TEXT(row->owner)
        }, 9, pool);
    }
    if (rv == APR_SUCCESS && !changed) {
        return MASTRA_STORE_EXISTS;
    }
    *pepoch = 1;
    return rv ? rv : save_snapshot(db, row, pool);
}

apr_status_t mastra_runs_keep(mastra_db_t *db, const mastra_run_row_t *row,
                              int epoch, apr_interval_time_t lease,
                              apr_pool_t *pool)
{
    apr_int64_t now = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    if (rv == APR_SUCCESS) {
        rv = change(db, run_keep, (const mastra_bind_t[]) {
            MASTRA_INT(now + lease / 1000), MASTRA_INT(now),
            MASTRA_TEXT(row->owner), MASTRA_TEXT(row->host),
            MASTRA_TEXT(row->id), MASTRA_INT(epoch)
        }, 6, pool);
    }
    return rv ? rv : save_snapshot(db, row, pool);
}

apr_status_t mastra_runs_take(mastra_json_t **psnapshot, int *pepoch,
                              mastra_run_row_t *row, mastra_db_t *db,
                              const char *host, const char *id,
                              const char *owner, const char *dead,
                              apr_interval_time_t lease, apr_pool_t *pool)
{
    apr_int64_t now = 0;
    int changed = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(&changed, db, run_take,
                               (const mastra_bind_t[]) {
            MASTRA_INT(now + lease / 1000), MASTRA_INT(now),
            MASTRA_TEXT(owner), MASTRA_TEXT(host), MASTRA_TEXT(id),
            MASTRA_INT(now), MASTRA_TEXT(dead ? dead : "nobody")
        }, 7, pool);
    }
    return rv ? rv : read_claimed(psnapshot, pepoch, row, db, host, id,
                                  changed, pool);
}

apr_status_t mastra_runs_hand_back(mastra_db_t *db, const char *host,
                                   const char *id, int epoch,
                                   apr_pool_t *pool)
{
    return change(db, run_hand_back, (const mastra_bind_t[]) {
        MASTRA_TEXT(host), MASTRA_TEXT(id), MASTRA_INT(epoch)
    }, 3, pool);
}

apr_status_t mastra_runs_retire(mastra_db_t *db, const mastra_run_row_t *row,
                                int epoch, apr_pool_t *pool)
{
    apr_int64_t now = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    if (rv == APR_SUCCESS) {
        rv = change(db, run_retire, (const mastra_bind_t[]) {
            MASTRA_INT(now), MASTRA_TEXT(row->host), MASTRA_TEXT(row->id),
            MASTRA_INT(epoch)
        }, 4, pool);
    }
    return rv ? rv : drop_state(db, row->kind, row->id, pool);
}

apr_status_t mastra_runs_orphans(mastra_run_row_t **prows, int *pn,
                                 mastra_db_t *db, const char *host,
                                 const char *kind, const char *dead,
                                 apr_pool_t *pool)
{
    mastra_rows_t *rows;
    mastra_run_row_t *made;
    apr_int64_t now = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);
    int i, n;

    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&rows, db, run_orphans, (const mastra_bind_t[]) {
            MASTRA_TEXT(host), MASTRA_TEXT(kind), MASTRA_INT(now),
            MASTRA_TEXT(dead ? dead : "nobody")
        }, 4, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    n = mastra_rows_count(rows);
    made = apr_pcalloc(pool, sizeof(*made) * (apr_size_t)(n + 1));
    for (i = 0; i < n; i++) {
        made[i].id = mastra_rows_text(rows, i, 0);
        made[i].name = mastra_rows_text(rows, i, 1);
    }
    *prows = made;
    *pn = n;
    return APR_SUCCESS;
}

apr_status_t mastra_runs_sweep(mastra_db_t *db, const char *kind,
                               apr_interval_time_t age, apr_pool_t *pool)
{
    apr_int64_t now = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    return rv ? rv : mastra_db_execute(NULL, db, run_sweep,
                                       (const mastra_bind_t[]) {
        MASTRA_TEXT(kind), MASTRA_INT(now - age / 1000)
    }, 2, pool);
}

/* ---- lists ---- */

apr_status_t mastra_runs_list(mastra_json_t **psummaries, apr_int64_t *ptotal,
                              mastra_db_t *db,
                              const mastra_runs_filter_t *filter,
                              apr_pool_t *pool)
{
    apr_int64_t now = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);
    const mastra_bind_t binds[] = {
        MASTRA_TEXT(filter->host), MASTRA_TEXT(filter->kind), MASTRA_INT(now),
        MASTRA_TEXT(filter->name), MASTRA_TEXT(filter->resource_id),
        MASTRA_TEXT(filter->thread_id), MASTRA_INT(filter->from / 1000),
        MASTRA_INT(filter->to ? filter->to / 1000 : APR_INT64_MAX),
        MASTRA_INT(filter->per_page),
        MASTRA_INT(filter->page * filter->per_page)
    };
    mastra_rows_t *rows, *count;
    mastra_json_t *made;
    int i;

    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&rows, db, run_list, binds, 10, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&count, db, run_count, binds, 8, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    made = mastra_json_array();
    for (i = 0; i < mastra_rows_count(rows); i++) {
        mastra_json_append(made, mastra_rows_json(rows, i, 0));
    }
    *psummaries = made;
    *ptotal = mastra_rows_int(count, 0, 0);
    return APR_SUCCESS;
}
