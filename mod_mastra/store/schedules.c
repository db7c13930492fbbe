/* Schedules: kept, claimed when their time has come, and what came of it. */

#include <string.h>

#include "internal.h"
#include "schedules.h"

#define MAX_LISTED 10000
#define DUE_AT_ONCE 64

#define SELECT \
    "SELECT id, cron, timezone, status, last_run_id, host, owner_id, " \
    "next_fire_at, last_fire_at, created_at, updated_at, json(target), " \
    "json(metadata) FROM mastra_schedules "
enum { C_ID, C_CRON, C_ZONE, C_STATUS, C_RUN, C_HOST, C_OWNER, C_NEXT, C_LAST,
       C_CREATED, C_UPDATED, C_TARGET, C_METADATA };

static const char row_get[] =
    SELECT "WHERE id = ?1 AND COALESCE(host, ?2) = ?2";
static const char row_list[] =
    SELECT "WHERE COALESCE(host, ?1) = ?1 AND status = COALESCE(?2, status) "
    "AND COALESCE(owner_id, '') = COALESCE(?3, COALESCE(owner_id, '')) "
    "ORDER BY created_at, id LIMIT ?4";
static const char row_insert[] =
    "INSERT INTO mastra_schedules (id, target, cron, timezone, status, "
    "next_fire_at, created_at, updated_at, metadata, owner_type, owner_id, "
    "host) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO NOTHING";
static const char row_save[] =
    "UPDATE mastra_schedules SET target = ?, cron = ?, timezone = ?, "
    "status = ?, next_fire_at = ?, updated_at = ?, metadata = ? "
    "WHERE id = ? AND next_fire_at = ? AND updated_at = ?";
static const char row_delete[] = "DELETE FROM mastra_schedules WHERE id = ?";
static const char row_due[] =
    "SELECT id, next_fire_at FROM mastra_schedules WHERE status = 'active' "
    "AND COALESCE(host, ?1) = ?1 ORDER BY next_fire_at, id LIMIT ?2";
static const char row_claim[] =
    "UPDATE mastra_schedules SET next_fire_at = ?, last_fire_at = ?, "
    "last_run_id = ? WHERE id = ? AND status = 'active' "
    "AND next_fire_at = ? AND updated_at = ?";

static const char trigger_insert[] =
    "INSERT INTO mastra_schedule_triggers (id, schedule_id, run_id, "
    "scheduled_fire_at, actual_fire_at, outcome, error, trigger_kind) VALUES "
    "(?, ?, ?, ?, ?, ?, ?, ?)";
static const char trigger_expire[] =
    "DELETE FROM mastra_schedule_triggers WHERE schedule_id = ? "
    "AND actual_fire_at < ?";
static const char trigger_drop[] =
    "DELETE FROM mastra_schedule_triggers WHERE schedule_id = ?";
#define RUN \
    "r.status, s.\"createdAt\", s.\"updatedAt\", json(s.snapshot) "
#define JOIN \
    "LEFT JOIN mastra_workflow_snapshot s ON s.run_id = r.id " \
    "AND s.workflow_name = r.name "
enum { R_STATUS, R_CREATED, R_UPDATED, R_SNAPSHOT, T_ID = 4, T_SCHEDULE, T_RUN,
       T_SCHEDULED, T_ACTUAL, T_OUTCOME, T_ERROR, T_KIND };
static const char trigger_list[] =
    "SELECT " RUN ", t.id, t.schedule_id, t.run_id, t.scheduled_fire_at, "
    "t.actual_fire_at, t.outcome, t.error, t.trigger_kind "
    "FROM mastra_schedule_triggers t "
    "LEFT JOIN mastra_x_runs r ON r.id = t.run_id " JOIN
    "WHERE t.schedule_id = ? AND t.actual_fire_at >= ? "
    "AND t.actual_fire_at <= ? ORDER BY t.actual_fire_at DESC, t.id LIMIT ?";
static const char run_brief[] =
    "SELECT " RUN "FROM mastra_x_runs r " JOIN "WHERE r.id = ?";

apr_status_t mastra_schedules_clock(apr_int64_t *pnow, mastra_db_t *db,
                                    apr_pool_t *pool)
{
    return mastra_db_now(pnow, db, pool);
}

/* ---- rows ---- */

static void fill(mastra_schedule_row_t *row, const mastra_rows_t *rows, int i,
                 apr_pool_t *pool)
{
    row->id = mastra_rows_text(rows, i, C_ID);
    row->cron = mastra_rows_text(rows, i, C_CRON);
    row->timezone = mastra_rows_text(rows, i, C_ZONE);
    row->status = mastra_rows_text(rows, i, C_STATUS);
    row->last_run = mastra_rows_text(rows, i, C_RUN);
    row->host = mastra_rows_text(rows, i, C_HOST);
    row->owner = mastra_rows_text(rows, i, C_OWNER);
    row->next = mastra_rows_int(rows, i, C_NEXT);
    row->last = mastra_rows_int(rows, i, C_LAST);
    row->created = mastra_rows_int(rows, i, C_CREATED);
    row->updated = mastra_rows_int(rows, i, C_UPDATED);
    row->target = mastra_json_own(mastra_rows_json(rows, i, C_TARGET), pool);
    row->metadata = mastra_json_own(mastra_rows_json(rows, i, C_METADATA),
                                    pool);
}

apr_status_t mastra_schedules_get(mastra_schedule_row_t *row, mastra_db_t *db,
                                  const char *host, const char *id,
                                  apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, row_get,
                                      (const mastra_bind_t[]) {
        MASTRA_TEXT(id), MASTRA_TEXT(host)
    }, 2, pool);

    if (rv == APR_SUCCESS && !mastra_rows_count(rows)) {
        return MASTRA_STORE_NOT_FOUND;
    }
    if (rv == APR_SUCCESS) {
        fill(row, rows, 0, pool);
    }
    return rv;
}

apr_status_t mastra_schedules_list(mastra_schedule_row_t **prows, int *pn,
                                   mastra_db_t *db, const char *host,
                                   const char *status, const char *owner,
                                   apr_pool_t *pool)
{
    mastra_schedule_row_t *made;
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, row_list,
                                      (const mastra_bind_t[]) {
        MASTRA_TEXT(host), MASTRA_TEXT(status), MASTRA_TEXT(owner),
        MASTRA_INT(MAX_LISTED)
    }, 4, pool);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pn = mastra_rows_count(rows);
    made = apr_pcalloc(pool, sizeof(*made) * (apr_size_t)(*pn + 1));
    for (i = 0; i < *pn; i++) {
        fill(&made[i], rows, i, pool);
    }
    *prows = made;
    return APR_SUCCESS;
}

apr_status_t mastra_schedules_insert(mastra_db_t *db,
                                     const mastra_schedule_row_t *row,
                                     apr_pool_t *pool)
{
    int changed = 0;
    apr_status_t rv = mastra_db_execute(&changed, db, row_insert,
                                        (const mastra_bind_t[]) {
        MASTRA_TEXT(row->id), MASTRA_JSON(row->target), MASTRA_TEXT(row->cron),
        MASTRA_TEXT(row->timezone), MASTRA_TEXT(row->status),
        MASTRA_INT(row->next), MASTRA_INT(row->created),
        MASTRA_INT(row->updated), MASTRA_JSON(row->metadata),
        MASTRA_TEXT(row->owner ? "definition" : NULL), MASTRA_TEXT(row->owner),
        MASTRA_TEXT(row->host)
    }, 12, pool);

    return rv == APR_SUCCESS && !changed ? MASTRA_STORE_EXISTS : rv;
}

apr_status_t mastra_schedules_save(mastra_db_t *db,
                                   const mastra_schedule_row_t *row,
                                   const mastra_schedule_row_t *was,
                                   apr_pool_t *pool)
{
    int changed = 0;
    apr_status_t rv = mastra_db_execute(&changed, db, row_save,
                                        (const mastra_bind_t[]) {
        MASTRA_JSON(row->target), MASTRA_TEXT(row->cron),
        MASTRA_TEXT(row->timezone), MASTRA_TEXT(row->status),
        MASTRA_INT(row->next), MASTRA_INT(row->updated),
        MASTRA_JSON(row->metadata), MASTRA_TEXT(row->id),
        MASTRA_INT(was->next), MASTRA_INT(was->updated)
    }, 10, pool);

    return rv == APR_SUCCESS && !changed ? MASTRA_STORE_STALE : rv;
}

apr_status_t mastra_schedules_delete(mastra_db_t *db, const char *id,
                                     apr_pool_t *pool)
{
    apr_status_t rv = mastra_db_execute(NULL, db, trigger_drop,
                                        &MASTRA_TEXT(id), 1, pool);

    return rv ? rv : mastra_db_execute(NULL, db, row_delete, &MASTRA_TEXT(id),
                                       1, pool);
}

/* ---- firing ---- */

apr_status_t mastra_schedules_due(const char *const **pids, int *pn,
                                  apr_int64_t *pnext, apr_int64_t *pnow,
                                  mastra_db_t *db, const char *host,
                                  apr_pool_t *pool)
{
    mastra_rows_t *rows;
    const char **ids;
    apr_status_t rv = mastra_db_now(pnow, db, pool);
    int i, n;

    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&rows, db, row_due, (const mastra_bind_t[]) {
            MASTRA_TEXT(host), MASTRA_INT(DUE_AT_ONCE)
        }, 2, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    n = mastra_rows_count(rows);
    ids = apr_palloc(pool, sizeof(*ids) * (apr_size_t)(n + 1));
    for (i = 0; i < n && mastra_rows_int(rows, i, 1) <= *pnow; i++) {
        ids[i] = mastra_rows_text(rows, i, 0);
    }
    *pids = ids;
    *pn = i;
    *pnext = i < n ? mastra_rows_int(rows, i, 1) : 0;
    return APR_SUCCESS;
}

apr_status_t mastra_schedules_claim(mastra_db_t *db,
                                    const mastra_schedule_row_t *row,
                                    apr_int64_t next, apr_int64_t now,
                                    const char *run, apr_pool_t *pool)
{
    int changed = 0;
    apr_status_t rv = mastra_db_execute(&changed, db, row_claim,
                                        (const mastra_bind_t[]) {
        MASTRA_INT(next), MASTRA_INT(now), MASTRA_TEXT(run),
        MASTRA_TEXT(row->id), MASTRA_INT(row->next), MASTRA_INT(row->updated)
    }, 6, pool);

    return rv == APR_SUCCESS && !changed ? MASTRA_STORE_STALE : rv;
}

apr_status_t mastra_schedules_note(mastra_db_t *db,
                                   const mastra_trigger_t *trigger,
                                   apr_int64_t keep, apr_pool_t *pool)
{
    apr_status_t rv = mastra_db_execute(NULL, db, trigger_insert,
                                        (const mastra_bind_t[]) {
        MASTRA_TEXT(trigger->id), MASTRA_TEXT(trigger->schedule),
        MASTRA_TEXT(trigger->run), MASTRA_INT(trigger->scheduled),
        MASTRA_INT(trigger->actual), MASTRA_TEXT(trigger->outcome),
        MASTRA_TEXT(trigger->error), MASTRA_TEXT(trigger->kind)
    }, 8, pool);

    return rv ? rv : mastra_db_execute(NULL, db, trigger_expire,
                                       (const mastra_bind_t[]) {
        MASTRA_TEXT(trigger->schedule), MASTRA_INT(keep)
    }, 2, pool);
}

/* ---- looking back ---- */

static void fill_run(mastra_run_brief_t *brief, const mastra_rows_t *rows,
                     int i, apr_pool_t *pool)
{
    mastra_json_t *snapshot;

    memset(brief, 0, sizeof(*brief));
    brief->status = mastra_rows_text(rows, i, R_STATUS);
    if (!brief->status) {
        return;
    }
    brief->started = mastra_rows_time(rows, i, R_CREATED) / 1000;
    brief->updated = mastra_rows_time(rows, i, R_UPDATED) / 1000;
    snapshot = mastra_json_own(mastra_rows_json(rows, i, R_SNAPSHOT), pool);
    brief->error = mastra_json_get_str(mastra_json_get(snapshot, "error"),
                                       "message");
}

apr_status_t mastra_schedules_triggers(mastra_trigger_t **ptriggers,
                                       mastra_run_brief_t **pruns, int *pn,
                                       mastra_db_t *db, const char *id,
                                       apr_int64_t from, apr_int64_t to,
                                       apr_int64_t limit, apr_pool_t *pool)
{
    mastra_trigger_t *made;
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, trigger_list,
                                      (const mastra_bind_t[]) {
        MASTRA_TEXT(id), MASTRA_INT(from), MASTRA_INT(to), MASTRA_INT(limit)
    }, 4, pool);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pn = mastra_rows_count(rows);
    made = apr_pcalloc(pool, sizeof(*made) * (apr_size_t)(*pn + 1));
    *pruns = apr_pcalloc(pool, sizeof(**pruns) * (apr_size_t)(*pn + 1));
    for (i = 0; i < *pn; i++) {
        made[i].id = mastra_rows_text(rows, i, T_ID);
        made[i].schedule = mastra_rows_text(rows, i, T_SCHEDULE);
        made[i].run = mastra_rows_text(rows, i, T_RUN);
        made[i].scheduled = mastra_rows_int(rows, i, T_SCHEDULED);
        made[i].actual = mastra_rows_int(rows, i, T_ACTUAL);
        made[i].outcome = mastra_rows_text(rows, i, T_OUTCOME);
        made[i].error = mastra_rows_text(rows, i, T_ERROR);
        made[i].kind = mastra_rows_text(rows, i, T_KIND);
        fill_run(&(*pruns)[i], rows, i, pool);
    }
    *ptriggers = made;
    return APR_SUCCESS;
}

apr_status_t mastra_schedules_run(mastra_run_brief_t *brief, mastra_db_t *db,
                                  const char *run, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, run_brief, &MASTRA_TEXT(run),
                                      1, pool);

    memset(brief, 0, sizeof(*brief));
    if (rv == APR_SUCCESS && mastra_rows_count(rows)) {
        fill_run(brief, rows, 0, pool);
    }
    return rv;
}
