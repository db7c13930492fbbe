/* Runs of workflows: claimed, advanced step by step, settled, listed. */

#include <string.h>

#include <apr_strings.h>

#include "calls.h"
#include "flows.h"
#include "internal.h"

#define DUE_AT_ONCE 64

#define COLUMNS \
    "r.id, r.host, r.name, r.resource, r.status, r.owner, r.summary, " \
    "r.epoch, r.halt, r.taken, r.segment, r.lease, r.wake"
enum { C_ID, C_HOST, C_NAME, C_RESOURCE, C_STATUS, C_OWNER, C_GRAPH, C_EPOCH,
       C_HALT, C_TAKEN, C_SEGMENT, C_LEASE, C_WAKE, C_CREATED, C_UPDATED,
       C_SNAPSHOT };
#define WITH_SNAPSHOT \
    "SELECT " COLUMNS ", s.\"createdAt\", s.\"updatedAt\", json(s.snapshot) " \
    "FROM mastra_x_runs r JOIN mastra_workflow_snapshot s " \
    "ON s.workflow_name = r.name AND s.run_id = r.id "
#define WITHOUT_SNAPSHOT \
    "SELECT " COLUMNS ", s.\"createdAt\", s.\"updatedAt\" " \
    "FROM mastra_x_runs r JOIN mastra_workflow_snapshot s " \
    "ON s.workflow_name = r.name AND s.run_id = r.id "

static const char row_full[] = WITH_SNAPSHOT "WHERE r.id = ?";
static const char row_lean[] = WITHOUT_SNAPSHOT "WHERE r.id = ?";
static const char row_insert[] =
    "INSERT INTO mastra_x_runs (host, id, kind, name, resource, status, "
    "epoch, lease, changed, summary, owner, halt, wake, taken, segment) "
    "VALUES (?, ?, 'workflow', ?, ?, ?, 1, ?, ?, ?, ?, 0, 0, 0, ?) "
    "ON CONFLICT (id) DO NOTHING";
static const char row_claim[] =
    "UPDATE mastra_x_runs SET status = 'running', epoch = epoch + 1, "
    "owner = ?, lease = ?, halt = halt * ?, wake = 0, taken = ?, "
    "segment = ?, "
    "summary = ?, changed = ? WHERE id = ? AND epoch = ? AND status = ?";
static const char row_advance[] =
    "UPDATE mastra_x_runs SET lease = ?, taken = 0 WHERE id = ? "
    "AND epoch = ? AND status = 'running'";
static const char row_held[] =
    "SELECT lease, taken FROM mastra_x_runs WHERE id = ? AND epoch = ? "
    "AND status = 'running'";
static const char row_settle[] =
    "UPDATE mastra_x_runs SET status = ?, owner = '', lease = 0, wake = ?, "
    "taken = 0, changed = ? WHERE id = ? AND epoch = ? "
    "AND status = 'running' AND halt <= ?";
static const char row_hand_back[] =
    "UPDATE mastra_x_runs SET owner = '', lease = 0 WHERE id = ? "
    "AND epoch = ? AND status = 'running'";
static const char row_mark[] =
    "UPDATE mastra_x_runs SET status = ?, epoch = epoch + 1, wake = 0, "
    "changed = ? WHERE id = ? AND epoch = ? AND status = ?";
static const char row_halt[] =
    "UPDATE mastra_x_runs SET halt = 1 WHERE id = ? AND epoch = ? "
    "AND status = 'running' AND halt = 0";
static const char row_delete[] = "DELETE FROM mastra_x_runs WHERE id = ?";
static const char row_renew[] =
    "UPDATE mastra_x_runs SET lease = ? WHERE owner = ? "
    "AND kind = 'workflow' AND status = 'running'";
static const char row_owned[] =
    "SELECT id, epoch, halt FROM mastra_x_runs WHERE owner = ? "
    "AND kind = 'workflow' AND status = 'running'";
static const char row_lapsed[] =
    "SELECT id, summary FROM mastra_x_runs WHERE host = ? "
    "AND kind = 'workflow' AND status = 'running' AND (lease < ? OR owner = ?) "
    "ORDER BY lease LIMIT ?";
static const char row_due[] =
    "SELECT id, summary FROM mastra_x_runs WHERE host = ? "
    "AND kind = 'workflow' AND status = 'waiting' AND wake <= ? ORDER BY wake LIMIT ?";
static const char row_next[] =
    "SELECT COALESCE(MIN(wake), 0) FROM mastra_x_runs WHERE host = ? "
    "AND kind = 'workflow' AND status = 'waiting'";
static const char row_owners[] =
    "SELECT DISTINCT owner FROM mastra_x_runs WHERE host = ? "
    "AND kind = 'workflow' AND status = 'running' LIMIT ?";

#define FILTER \
    "WHERE r.host = ? AND r.kind = 'workflow' AND r.name = ? " \
    "AND r.status = COALESCE(?, r.status) " \
    "AND COALESCE(r.resource, '') = COALESCE(?, COALESCE(r.resource, '')) " \
    "AND s.\"createdAt\" >= ? AND s.\"createdAt\" <= ? "
static const char row_list[] =
    WITH_SNAPSHOT FILTER
    "ORDER BY s.\"createdAt\" DESC, r.id LIMIT ? OFFSET ?";
static const char row_count[] =
    "SELECT count(*) FROM mastra_x_runs r JOIN mastra_workflow_snapshot s "
    "ON s.workflow_name = r.name AND s.run_id = r.id " FILTER;
static const char row_counts[] =
    "SELECT name, status, count(*) FROM mastra_x_runs WHERE host = ? "
    "AND kind = 'workflow' "
    "AND COALESCE(resource, '') = COALESCE(?, COALESCE(resource, '')) "
    "AND status IN ('running', 'waiting', 'suspended') "
    "GROUP BY name, status";

static const char snapshot_save[] =
    "INSERT INTO mastra_workflow_snapshot (workflow_name, run_id, "
    "\"resourceId\", snapshot, \"createdAt*\", \"updatedAt*\") VALUES "
    "(?1, ?2, ?3, ?4, ?5*, ?5*) ON CONFLICT (workflow_name, run_id) "
    "DO UPDATE SET snapshot = excluded.snapshot, (\"updatedAt*\") = (?5*)";
static const char snapshot_delete[] =
    "DELETE FROM mastra_workflow_snapshot WHERE workflow_name = ? "
    "AND run_id = ?";

static const char step_put[] =
    "INSERT INTO mastra_x_steps (run, place, made, record) VALUES "
    "(?, ?, ?, ?) ON CONFLICT (run, place) DO UPDATE SET "
    "record = excluded.record, made = excluded.made";
/* The same, if the run is held: one statement for both. */
static const char step_put_held[] =
    "INSERT INTO mastra_x_steps (run, place, made, record) "
    "SELECT ?1, ?2, ?3, ?4 FROM mastra_x_runs WHERE id = ?1 AND epoch = ?5 "
    "AND status = 'running' AND lease > ?6 AND taken = 0 "
    "ON CONFLICT (run, place) DO UPDATE SET record = excluded.record, "
    "made = excluded.made";
static const char step_drop[] =
    "DELETE FROM mastra_x_steps WHERE run = ? AND place = ?";
static const char step_drop_all[] =
    "DELETE FROM mastra_x_steps WHERE run = ?";
static const char step_list[] =
    "SELECT place, record FROM mastra_x_steps WHERE run = ? "
    "ORDER BY made, place";

static const char graph_put[] =
    "INSERT INTO mastra_x_graphs (hash, graph) VALUES (?, ?) "
    "ON CONFLICT (hash) DO NOTHING";
static const char graph_get[] =
    "SELECT graph FROM mastra_x_graphs WHERE hash = ?";
static const char events_drop[] =
    "DELETE FROM mastra_x_events WHERE log = ?";

int mastra_flow_lapsed(const mastra_flow_row_t *row)
{
    return (!strcmp(row->status, "running") && row->lease < row->now)
           || (!strcmp(row->status, "waiting") && row->wake <= row->now);
}

/* ---- reading ---- */

static void fill(mastra_flow_row_t *row, const mastra_rows_t *rows, int i,
                 apr_int64_t now, int snapshot, apr_pool_t *pool)
{
    memset(row, 0, sizeof(*row));
    row->id = mastra_rows_text(rows, i, C_ID);
    row->host = mastra_rows_text(rows, i, C_HOST);
    row->workflow = mastra_rows_text(rows, i, C_NAME);
    row->resource_id = mastra_rows_text(rows, i, C_RESOURCE);
    row->status = mastra_rows_text(rows, i, C_STATUS);
    row->owner = mastra_rows_text(rows, i, C_OWNER);
    row->graph = mastra_rows_text(rows, i, C_GRAPH);
    row->epoch = (int)mastra_rows_int(rows, i, C_EPOCH);
    row->halt = (int)mastra_rows_int(rows, i, C_HALT);
    row->taken = (int)mastra_rows_int(rows, i, C_TAKEN);
    row->segment = (int)mastra_rows_int(rows, i, C_SEGMENT);
    row->lease = mastra_rows_int(rows, i, C_LEASE);
    row->wake = mastra_rows_int(rows, i, C_WAKE);
    row->now = now;
    row->created = mastra_rows_iso(rows, i, C_CREATED);
    row->updated = mastra_rows_iso(rows, i, C_UPDATED);
    if (snapshot) {
        row->snapshot = mastra_json_own(mastra_rows_json(rows, i, C_SNAPSHOT),
                                        pool);
    }
}

apr_status_t mastra_flows_get(mastra_flow_row_t *row, mastra_db_t *db,
                              const char *host, const char *workflow,
                              const char *id, int snapshot, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_int64_t now;
    apr_status_t rv = mastra_db_query(&rows, db, snapshot ? row_full : row_lean,
                                      &MASTRA_TEXT(id), 1, pool);

    if (rv == APR_SUCCESS) {
        rv = mastra_db_now(&now, db, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!mastra_rows_count(rows)
        || strcmp(mastra_rows_text(rows, 0, C_HOST), host)
        || (workflow && strcmp(mastra_rows_text(rows, 0, C_NAME), workflow))) {
        return MASTRA_STORE_NOT_FOUND;
    }
    fill(row, rows, 0, now, snapshot, pool);
    return APR_SUCCESS;
}

/* ---- changes of hands ---- */

apr_status_t mastra_flows_snapshot_text(mastra_db_t *db,
                                        const mastra_flow_row_t *row,
                                        const char *snapshot,
                                        apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, snapshot_save, (const mastra_bind_t[]) {
        MASTRA_TEXT(row->workflow), MASTRA_TEXT(row->id),
        MASTRA_TEXT(row->resource_id), MASTRA_TEXT(snapshot),
        MASTRA_TIME(apr_time_now() / 1000 * 1000)
    }, 5, pool);
}

apr_status_t mastra_flows_snapshot(mastra_db_t *db,
                                   const mastra_flow_row_t *row,
                                   const mastra_json_t *snapshot,
                                   apr_size_t limit, apr_pool_t *pool)
{
    const char *text = limit ? mastra_json_text_within(snapshot, limit, pool)
                             : mastra_json_text(snapshot, pool);

    return text ? mastra_flows_snapshot_text(db, row, text, pool)
                : APR_ENOSPC;
}

static apr_status_t insert(mastra_db_t *db, const mastra_flow_row_t *row,
                           apr_int64_t now, apr_pool_t *pool)
{
    int changed = 0;
    apr_status_t rv = mastra_db_execute(&changed, db, row_insert,
                                        (const mastra_bind_t[]) {
        MASTRA_TEXT(row->host), MASTRA_TEXT(row->id),
        MASTRA_TEXT(row->workflow), MASTRA_TEXT(row->resource_id),
        MASTRA_TEXT(row->status), MASTRA_INT(row->lease), MASTRA_INT(now),
        MASTRA_TEXT(row->graph), MASTRA_TEXT(row->owner),
        MASTRA_INT(row->segment)
    }, 10, pool);

    if (rv == APR_SUCCESS && !changed) {
        return MASTRA_STORE_EXISTS;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return row->snapshot_text
           ? mastra_flows_snapshot_text(db, row, row->snapshot_text, pool)
           : mastra_flows_snapshot(db, row, row->snapshot, 0, pool);
}

apr_status_t mastra_flows_create(mastra_db_t *db, const mastra_flow_row_t *row,
                                 apr_pool_t *pool)
{
    mastra_flow_row_t made = *row;
    apr_int64_t now;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    made.owner = "";
    made.lease = made.segment = 0;
    return rv ? rv : insert(db, &made, now, pool);
}

apr_status_t mastra_flows_begin(mastra_flow_row_t *row, mastra_db_t *db,
                                const char *owner, apr_interval_time_t lease,
                                apr_pool_t *pool)
{
    mastra_flow_row_t made = *row;
    apr_status_t rv = mastra_db_now(&made.now, db, pool);

    made.status = "running";
    made.owner = owner;
    made.lease = made.now + lease / 1000;
    made.epoch = made.segment = 1;
    if (rv == APR_SUCCESS) {
        rv = insert(db, &made, made.now, pool);
    }
    if (rv == APR_SUCCESS) {
        *row = made;
    }
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

apr_status_t mastra_flows_claim(mastra_flow_row_t *row, mastra_db_t *db,
                                const char *owner, apr_interval_time_t lease,
                                int begins, apr_pool_t *pool)
{
    int taken = begins ? 0 : row->taken + !strcmp(row->status, "running");
    apr_int64_t now;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    if (rv == APR_SUCCESS) {
        rv = change(db, row_claim, (const mastra_bind_t[]) {
            MASTRA_TEXT(owner), MASTRA_INT(now + lease / 1000),
            MASTRA_INT(!begins), MASTRA_INT(taken),
            MASTRA_INT(row->segment + begins),
            MASTRA_TEXT(row->graph), MASTRA_INT(now), MASTRA_TEXT(row->id),
            MASTRA_INT(row->epoch), MASTRA_TEXT(row->status)
        }, 10, pool);
    }
    if (rv == APR_SUCCESS) {
        row->status = "running";
        row->owner = owner;
        row->epoch++;
        row->segment += begins;
        row->taken = taken;
        row->halt = begins ? 0 : row->halt;
        row->now = now;
    }
    return rv;
}

/* Whether nothing need be written: the run is still this epoch's, and its lease
 * a long one, as all of a child are renewed together. Where only one can write
 * what was read stays true until the commit. */
static apr_status_t is_held(int *pheld, mastra_db_t *db,
                            const mastra_flow_row_t *row, apr_int64_t until,
                            apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv;

    *pheld = 0;
    if (!db->dialect->single_writer) {
        return APR_SUCCESS;
    }
    rv = mastra_db_query(&rows, db, row_held, (const mastra_bind_t[]) {
        MASTRA_TEXT(row->id), MASTRA_INT(row->epoch)
    }, 2, pool);
    if (rv == APR_SUCCESS && !mastra_rows_count(rows)) {
        return MASTRA_STORE_STALE;
    }
    *pheld = rv == APR_SUCCESS && mastra_rows_int(rows, 0, 0) > until
             && !mastra_rows_int(rows, 0, 1);
    return rv;
}

/* The row of a step, if the run need not be written: *pheld. */
static apr_status_t put_held(int *pheld, mastra_db_t *db,
                             const mastra_flow_row_t *row,
                             const mastra_flow_step_t *step,
                             apr_int64_t until, apr_pool_t *pool)
{
    *pheld = 0;
    return !db->dialect->single_writer ? APR_SUCCESS
           : mastra_db_execute(pheld, db, step_put_held,
                               (const mastra_bind_t[]) {
        MASTRA_TEXT(row->id), MASTRA_TEXT(step->place),
        MASTRA_INT(apr_time_now()), MASTRA_TEXT(step->record),
        MASTRA_INT(row->epoch), MASTRA_INT(until)
    }, 6, pool);
}

apr_status_t mastra_flows_advance(mastra_db_t *db, const mastra_flow_row_t *row,
                                  apr_interval_time_t lease,
                                  const mastra_flow_step_t *step,
                                  apr_pool_t *pool)
{
    apr_int64_t now, until;
    int held = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    until = now + lease / 2000;
    if (rv == APR_SUCCESS) {
        rv = step ? put_held(&held, db, row, step, until, pool)
                  : is_held(&held, db, row, until, pool);
    }
    if (rv == APR_SUCCESS && !held) {
        rv = change(db, row_advance, (const mastra_bind_t[]) {
            MASTRA_INT(now + lease / 1000), MASTRA_TEXT(row->id),
            MASTRA_INT(row->epoch)
        }, 3, pool);
    }
    return rv || held || !step ? rv
           : mastra_flows_put_step(db, row->id, step->place, step->record,
                                   pool);
}

apr_status_t mastra_flows_settle(mastra_db_t *db, const mastra_flow_row_t *row,
                                 const char *status, apr_int64_t wake,
                                 int halted, apr_pool_t *pool)
{
    apr_int64_t now;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    return rv ? rv : change(db, row_settle, (const mastra_bind_t[]) {
        MASTRA_TEXT(status), MASTRA_INT(wake), MASTRA_INT(now),
        MASTRA_TEXT(row->id), MASTRA_INT(row->epoch), MASTRA_INT(halted)
    }, 6, pool);
}

apr_status_t mastra_flows_hand_back(mastra_db_t *db,
                                    const mastra_flow_row_t *row,
                                    apr_pool_t *pool)
{
    return change(db, row_hand_back, (const mastra_bind_t[]) {
        MASTRA_TEXT(row->id), MASTRA_INT(row->epoch)
    }, 2, pool);
}

apr_status_t mastra_flows_mark(mastra_db_t *db, const mastra_flow_row_t *row,
                               const char *status, apr_pool_t *pool)
{
    apr_int64_t now;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    return rv ? rv : change(db, row_mark, (const mastra_bind_t[]) {
        MASTRA_TEXT(status), MASTRA_INT(now), MASTRA_TEXT(row->id),
        MASTRA_INT(row->epoch), MASTRA_TEXT(row->status)
    }, 5, pool);
}

apr_status_t mastra_flows_halt(mastra_db_t *db, const mastra_flow_row_t *row,
                               apr_pool_t *pool)
{
    return change(db, row_halt, (const mastra_bind_t[]) {
        MASTRA_TEXT(row->id), MASTRA_INT(row->epoch)
    }, 2, pool);
}

apr_status_t mastra_flows_delete(mastra_db_t *db, const mastra_flow_row_t *row,
                                 apr_pool_t *pool)
{
    apr_status_t rv = mastra_db_execute(NULL, db, row_delete,
                                        &MASTRA_TEXT(row->id), 1, pool);
    int i;

    if (rv == APR_SUCCESS) {
        rv = mastra_flows_drop_steps(db, row->id, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_calls_drop(db, row->id, pool);
    }
    for (i = 1; i <= row->segment && rv == APR_SUCCESS; i++) {
        rv = mastra_db_execute(NULL, db, events_drop, &MASTRA_TEXT(
            apr_psprintf(pool, "w:%s:%d", row->id, i)), 1, pool);
    }
    return rv ? rv : mastra_db_execute(NULL, db, snapshot_delete,
                                       (const mastra_bind_t[]) {
        MASTRA_TEXT(row->workflow), MASTRA_TEXT(row->id)
    }, 2, pool);
}

/* ---- from time to time ---- */

apr_status_t mastra_flows_renew(mastra_flow_row_t **prows, int *pn,
                                mastra_db_t *db, const char *owner,
                                apr_interval_time_t lease, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    mastra_flow_row_t *made;
    apr_int64_t now;
    apr_status_t rv = mastra_db_now(&now, db, pool);
    int i;

    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(NULL, db, row_renew, (const mastra_bind_t[]) {
            MASTRA_INT(now + lease / 1000), MASTRA_TEXT(owner)
        }, 2, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&rows, db, row_owned, &MASTRA_TEXT(owner), 1,
                             pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pn = mastra_rows_count(rows);
    made = apr_pcalloc(pool, sizeof(*made) * (apr_size_t)(*pn + 1));
    for (i = 0; i < *pn; i++) {
        made[i].id = mastra_rows_text(rows, i, 0);
        made[i].epoch = (int)mastra_rows_int(rows, i, 1);
        made[i].halt = (int)mastra_rows_int(rows, i, 2);
    }
    *prows = made;
    return APR_SUCCESS;
}

static const char **texts(const mastra_rows_t *rows, int column,
                          const char **to)
{
    int i;

    for (i = 0; i < mastra_rows_count(rows); i++) {
        *to++ = mastra_rows_text(rows, i, column);
    }
    return to;
}

apr_status_t mastra_flows_due(mastra_flows_due_t *due, mastra_db_t *db,
                              const char *host, const char *dead,
                              apr_pool_t *pool)
{
    mastra_rows_t *lapsed, *slept, *next, *owners;
    const char **ids = apr_palloc(pool, sizeof(*ids) * (5 * DUE_AT_ONCE + 1));
    const char **graphs, **all;
    apr_status_t rv = mastra_db_now(&due->now, db, pool);

    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&lapsed, db, row_lapsed, (const mastra_bind_t[]) {
            MASTRA_TEXT(host), MASTRA_INT(due->now),
            MASTRA_TEXT(dead ? dead : "nobody"), MASTRA_INT(DUE_AT_ONCE)
        }, 4, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&slept, db, row_due, (const mastra_bind_t[]) {
            MASTRA_TEXT(host), MASTRA_INT(due->now), MASTRA_INT(DUE_AT_ONCE)
        }, 3, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&next, db, row_next, &MASTRA_TEXT(host), 1, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&owners, db, row_owners, (const mastra_bind_t[]) {
            MASTRA_TEXT(host), MASTRA_INT(DUE_AT_ONCE)
        }, 2, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    graphs = texts(slept, 0, texts(lapsed, 0, ids));
    all = texts(slept, 1, texts(lapsed, 1, graphs));
    due->ids = ids;
    due->graphs = graphs;
    due->nids = (int)(graphs - ids);
    due->more = mastra_rows_count(lapsed) == DUE_AT_ONCE
                || mastra_rows_count(slept) == DUE_AT_ONCE;
    due->owners = all;
    due->nowners = (int)(texts(owners, 0, all) - all);
    due->next = mastra_rows_int(next, 0, 0);
    return APR_SUCCESS;
}

/* ---- steps ---- */

apr_status_t mastra_flows_put_step(mastra_db_t *db, const char *run,
                                   const char *place, const char *record,
                                   apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, step_put, (const mastra_bind_t[]) {
        MASTRA_TEXT(run), MASTRA_TEXT(place),
        MASTRA_INT(apr_time_now()), MASTRA_TEXT(record)
    }, 4, pool);
}

apr_status_t mastra_flows_drop_step(mastra_db_t *db, const char *run,
                                    const char *place, apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, step_drop, (const mastra_bind_t[]) {
        MASTRA_TEXT(run), MASTRA_TEXT(place)
    }, 2, pool);
}

apr_status_t mastra_flows_drop_steps(mastra_db_t *db, const char *run,
                                     apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, step_drop_all, &MASTRA_TEXT(run), 1,
                             pool);
}

apr_status_t mastra_flows_steps(mastra_json_t **psteps, apr_size_t *pbytes,
                                mastra_db_t *db, const char *run,
                                apr_pool_t *pool)
{
    mastra_rows_t *rows;
    mastra_json_t *made;
    apr_size_t bytes = 0;
    apr_status_t rv = mastra_db_query(&rows, db, step_list, &MASTRA_TEXT(run),
                                      1, pool);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    made = mastra_json_object();
    for (i = 0; i < mastra_rows_count(rows); i++) {
        mastra_json_set(made, mastra_rows_text(rows, i, 0),
                        mastra_rows_json(rows, i, 1));
        bytes += strlen(mastra_rows_text(rows, i, 1));
    }
    *psteps = made;
    if (pbytes) {
        *pbytes = bytes;
    }
    return APR_SUCCESS;
}

/* ---- graphs ---- */

apr_status_t mastra_flows_put_graph(mastra_db_t *db, const char *hash,
                                    const char *text, apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, graph_put, (const mastra_bind_t[]) {
        MASTRA_TEXT(hash), MASTRA_TEXT(text)
    }, 2, pool);
}

apr_status_t mastra_flows_get_graph(const char **ptext, mastra_db_t *db,
                                    const char *hash, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, graph_get, &MASTRA_TEXT(hash),
                                      1, pool);

    if (rv == APR_SUCCESS && !mastra_rows_count(rows)) {
        return MASTRA_STORE_NOT_FOUND;
    }
    if (rv == APR_SUCCESS) {
        *ptext = mastra_rows_text(rows, 0, 0);
    }
    return rv;
}

/* ---- lists ---- */

apr_status_t mastra_flows_list(mastra_flow_row_t **prows, int *pn,
                               apr_int64_t *ptotal, mastra_db_t *db,
                               const mastra_flows_filter_t *filter,
                               apr_pool_t *pool)
{
    const mastra_bind_t binds[] = {
        MASTRA_TEXT(filter->host), MASTRA_TEXT(filter->workflow),
        MASTRA_TEXT(filter->status), MASTRA_TEXT(filter->resource_id),
        MASTRA_TIME(filter->from),
        /* some day in the year 2200 */
        MASTRA_TIME(filter->to ? filter->to : apr_time_from_sec(7258118400)),
        MASTRA_INT(filter->limit), MASTRA_INT(filter->offset)
    };
    mastra_rows_t *rows, *count;
    mastra_flow_row_t *made;
    apr_int64_t now = 0;
    apr_status_t rv = mastra_db_query(&rows, db, row_list, binds, 8, pool);
    int i;

    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&count, db, row_count, binds, 6, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_now(&now, db, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pn = mastra_rows_count(rows);
    made = apr_pcalloc(pool, sizeof(*made) * (apr_size_t)(*pn + 1));
    for (i = 0; i < *pn; i++) {
        fill(&made[i], rows, i, now, 1, pool);
    }
    *prows = made;
    *ptotal = mastra_rows_int(count, 0, 0);
    return APR_SUCCESS;
}

apr_status_t mastra_flows_counts(mastra_json_t **pcounts, mastra_db_t *db,
                                 const char *host, const char *resource_id,
                                 apr_pool_t *pool)
{
    mastra_rows_t *rows;
    mastra_json_t *made;
    apr_status_t rv = mastra_db_query(&rows, db, row_counts,
                                      (const mastra_bind_t[]) {
        MASTRA_TEXT(host), MASTRA_TEXT(resource_id)
    }, 2, pool);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    made = mastra_json_object();
    for (i = 0; i < mastra_rows_count(rows); i++) {
        const char *name = mastra_rows_text(rows, i, 0);

        if (!mastra_json_get(made, name)) {
            mastra_json_set(made, name, mastra_json_object());
        }
        mastra_json_set_int(mastra_json_get(made, name),
                            mastra_rows_text(rows, i, 1),
                            mastra_rows_int(rows, i, 2));
    }
    *pcounts = made;
    return APR_SUCCESS;
}
