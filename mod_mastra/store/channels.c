/* The table mastra_x_channels: which run goes on for a thread, and whose. */

#include <string.h>

#include <apr_strings.h>

#include "channels.h"
#include "events.h"
#include "internal.h"

#define SELECT \
    "SELECT id, host, resource, thread, agent, run, log, status, owner, " \
    "epoch, halt, lease FROM mastra_x_channels "
enum { C_ID, C_HOST, C_RESOURCE, C_THREAD, C_AGENT, C_RUN, C_LOG, C_STATUS,
       C_OWNER, C_EPOCH, C_HALT, C_LEASE };

static const char channel_get[] =
    SELECT "WHERE host = ? AND resource = ? AND thread = ?";
static const char channel_get_id[] = SELECT "WHERE id = ?";
static const char channel_of_run[] =
    SELECT "WHERE run = ? AND host = ? AND status <> 'idle'";
static const char channel_make[] =
    "INSERT INTO mastra_x_channels (id, host, resource, thread, agent, run, "
    "log, status, owner, epoch, place, halt, lease, changed) VALUES "
    "(?, ?, ?, ?, '', '', '', 'idle', '', 0, 0, 0, 0, ?) "
    "ON CONFLICT (host, resource, thread) DO NOTHING";
/* writes what is there: the row is locked until the transaction ends */
static const char channel_lock[] =
    "UPDATE mastra_x_channels SET place = place WHERE host = ? "
    "AND resource = ? AND thread = ?";
static const char channel_lock_id[] =
    "UPDATE mastra_x_channels SET place = place WHERE id = ?";
static const char channel_claim[] =
    "UPDATE mastra_x_channels SET agent = ?, run = ?, log = ?, "
    "status = 'running', owner = ?, epoch = ?, halt = 0, lease = ?, "
    "changed = ? WHERE id = ?";
static const char channel_release[] =
    "UPDATE mastra_x_channels SET status = ?, owner = '', lease = 0, "
    "changed = ? WHERE id = ? AND epoch = ?";
static const char channel_abandon[] =
    "UPDATE mastra_x_channels SET status = 'running', run = '', owner = '', "
    "lease = 0 WHERE id = ?";
static const char channel_check[] =
    "SELECT epoch, halt FROM mastra_x_channels WHERE id = ?";
static const char channel_halt[] =
    "UPDATE mastra_x_channels SET halt = 1 WHERE id = ?";
static const char channel_renew[] =
    "UPDATE mastra_x_channels SET lease = ? WHERE owner = ? "
    "AND status = 'running'";
static const char channel_owned[] =
    SELECT "WHERE owner = ? AND status = 'running'";
static const char channel_lapsed[] =
    "SELECT id FROM mastra_x_channels WHERE host = ? AND status = 'running' "
    "AND lease < ? ORDER BY lease LIMIT 32";
static const char channel_of_owner[] =
    "SELECT id FROM mastra_x_channels WHERE host = ? AND status = 'running' "
    "AND owner = ? LIMIT 32";
static const char channel_changed[] =
    SELECT "WHERE changed >= ? ORDER BY changed LIMIT 1000";
static const char channel_sweep[] =
    "DELETE FROM mastra_x_channels WHERE changed < ? AND status = 'idle'";

static const char *const status_names[] = { "idle", "running", "suspended" };

int mastra_channel_lapsed(const mastra_channel_row_t *row)
{
    return row->status == MASTRA_CHANNEL_RUNNING && row->lease < row->now;
}

/* ---- reading ---- */

static void fill(mastra_channel_row_t *row, const mastra_rows_t *rows, int i,
                 apr_int64_t now)
{
    const char *status = mastra_rows_text(rows, i, C_STATUS);

    row->id = mastra_rows_text(rows, i, C_ID);
    row->host = mastra_rows_text(rows, i, C_HOST);
    row->resource = mastra_rows_text(rows, i, C_RESOURCE);
    row->thread = mastra_rows_text(rows, i, C_THREAD);
    row->agent = mastra_rows_text(rows, i, C_AGENT);
    row->run = mastra_rows_text(rows, i, C_RUN);
    row->log = mastra_rows_text(rows, i, C_LOG);
    row->status = *status == 'r' ? MASTRA_CHANNEL_RUNNING
                  : *status == 's' ? MASTRA_CHANNEL_SUSPENDED
                                   : MASTRA_CHANNEL_IDLE;
    row->owner = mastra_rows_text(rows, i, C_OWNER);
    row->epoch = (int)mastra_rows_int(rows, i, C_EPOCH);
    row->halt = (int)mastra_rows_int(rows, i, C_HALT);
    row->lease = mastra_rows_int(rows, i, C_LEASE);
    row->now = now;
}

static apr_status_t read_row(mastra_channel_row_t *row, mastra_db_t *db,
                             const char *sql, const mastra_bind_t *binds,
                             int nbinds, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_int64_t now;
    apr_status_t rv = mastra_db_query(&rows, db, sql, binds, nbinds, pool);

    if (rv == APR_SUCCESS && !mastra_rows_count(rows)) {
        rv = MASTRA_STORE_NOT_FOUND;
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_now(&now, db, pool);
    }
    if (rv == APR_SUCCESS) {
        fill(row, rows, 0, now);
    }
    return rv;
}

apr_status_t mastra_channels_get(mastra_channel_row_t *row, mastra_db_t *db,
                                 const char *host, const char *resource,
                                 const char *thread, apr_pool_t *pool)
{
    return read_row(row, db, channel_get, (const mastra_bind_t[]) {
        MASTRA_TEXT(host), MASTRA_TEXT(resource), MASTRA_TEXT(thread)
    }, 3, pool);
}

apr_status_t mastra_channels_get_id(mastra_channel_row_t *row, mastra_db_t *db,
                                    const char *id, apr_pool_t *pool)
{
    return read_row(row, db, channel_get_id, &MASTRA_TEXT(id), 1, pool);
}

apr_status_t mastra_channels_lock(mastra_channel_row_t *row, mastra_db_t *db,
                                  const char *host, const char *resource,
                                  const char *thread, apr_pool_t *pool)
{
    const mastra_bind_t key[] = { MASTRA_TEXT(host), MASTRA_TEXT(resource),
                                  MASTRA_TEXT(thread) };
    apr_int64_t now;
    int found = 0;
    apr_status_t rv = mastra_db_execute(&found, db, channel_lock, key, 3,
                                        pool);

    if (rv == APR_SUCCESS && !found) {
        rv = mastra_db_now(&now, db, pool);
        if (rv == APR_SUCCESS) {
            rv = mastra_db_execute(NULL, db, channel_make,
                                   (const mastra_bind_t[]) {
                MASTRA_TEXT(mastra_text_uuid_make(pool)), key[0], key[1],
                key[2], MASTRA_INT(now)
            }, 5, pool);
        }
        if (rv == APR_SUCCESS) {
            rv = mastra_db_execute(NULL, db, channel_lock, key, 3, pool);
        }
    }
    return rv == APR_SUCCESS ? read_row(row, db, channel_get, key, 3, pool)
                             : rv;
}

apr_status_t mastra_channels_lock_id(mastra_channel_row_t *row,
                                     mastra_db_t *db, const char *id,
                                     apr_pool_t *pool)
{
    apr_status_t rv = mastra_db_execute(NULL, db, channel_lock_id,
                                        &MASTRA_TEXT(id), 1, pool);

    return rv == APR_SUCCESS ? read_row(row, db, channel_get_id,
                                        &MASTRA_TEXT(id), 1, pool) : rv;
}

apr_status_t mastra_channels_of_run(mastra_channel_row_t *row, mastra_db_t *db,
                                    const char *host, const char *run,
                                    apr_pool_t *pool)
{
    return read_row(row, db, channel_of_run, (const mastra_bind_t[]) {
        MASTRA_TEXT(run), MASTRA_TEXT(host)
    }, 2, pool);
}

/* ---- claims ---- */

static const char *own_log(const char *id, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "t:", id, NULL);
}

/* An entry of the channel's own log, which its subscribers follow. */
static apr_status_t note_claim(mastra_db_t *db, const mastra_channel_row_t *row,
                               apr_pool_t *pool)
{
    mastra_json_t *entry = mastra_json_own(
        mastra_json_pack("{s:s, s:s}", "run", row->run, "log", row->log),
        pool);
    const mastra_events_row_t event = {
        .log = own_log(row->id, pool), .seq = row->epoch, .newest = row->epoch,
        .epoch = row->epoch, .frames = mastra_json_text(entry, pool)
    };

    return mastra_events_append(db, &event, pool);
}

apr_status_t mastra_channels_claim(mastra_channel_row_t *row, mastra_db_t *db,
                                   const char *agent, const char *run,
                                   const char *log, const char *owner,
                                   apr_interval_time_t lease,
                                   apr_pool_t *pool)
{
    apr_status_t rv;

    row->epoch++;
    row->agent = agent;
    row->run = run;
    row->log = log ? log : apr_psprintf(pool, "%s.%d", row->id, row->epoch);
    row->owner = owner;
    row->status = MASTRA_CHANNEL_RUNNING;
    row->halt = 0;
    row->lease = row->now + lease / 1000;
    rv = mastra_db_execute(NULL, db, channel_claim, (const mastra_bind_t[]) {
        MASTRA_TEXT(agent), MASTRA_TEXT(run), MASTRA_TEXT(row->log),
        MASTRA_TEXT(owner), MASTRA_INT(row->epoch), MASTRA_INT(row->lease),
        MASTRA_INT(row->now), MASTRA_TEXT(row->id)
    }, 8, pool);
    return rv == APR_SUCCESS ? note_claim(db, row, pool) : rv;
}

apr_status_t mastra_channels_release(mastra_channel_row_t *row,
                                     mastra_db_t *db, const char *id,
                                     int epoch, mastra_channel_status_e status,
                                     apr_pool_t *pool)
{
    int changed = 0;
    apr_status_t rv = mastra_channels_lock_id(row, db, id, pool);

    if (rv == APR_SUCCESS && row->epoch != epoch) {
        rv = MASTRA_CHANNEL_STALE;
    }
    if (rv == MASTRA_STORE_NOT_FOUND) {
        rv = MASTRA_CHANNEL_STALE;
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(&changed, db, channel_release,
                               (const mastra_bind_t[]) {
            MASTRA_TEXT(status_names[status]), MASTRA_INT(row->now),
            MASTRA_TEXT(id), MASTRA_INT(epoch)
        }, 4, pool);
    }
    if (rv == APR_SUCCESS) {
        row->status = status;
        row->owner = "";
        row->lease = 0;
    }
    return rv;
}

apr_status_t mastra_channels_abandon(mastra_db_t *db, const char *id,
                                     apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, channel_abandon, &MASTRA_TEXT(id), 1,
                             pool);
}

apr_status_t mastra_channels_check(int *phalt, mastra_db_t *db,
                                   const char *id, int epoch,
                                   apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, channel_check,
                                      &MASTRA_TEXT(id), 1, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!mastra_rows_count(rows) || mastra_rows_int(rows, 0, 0) != epoch) {
        return MASTRA_CHANNEL_STALE;
    }
    *phalt = (int)mastra_rows_int(rows, 0, 1);
    return APR_SUCCESS;
}

apr_status_t mastra_channels_halt(mastra_db_t *db, const char *id,
                                  apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, channel_halt, &MASTRA_TEXT(id), 1,
                             pool);
}

/* ---- many at once ---- */

static void fill_all(mastra_channel_row_t **prows, int *pn,
                     const mastra_rows_t *rows, apr_int64_t now,
                     apr_pool_t *pool)
{
    mastra_channel_row_t *made;
    int i, n = mastra_rows_count(rows);

    made = apr_palloc(pool, sizeof(*made) * (apr_size_t)(n + 1));
    for (i = 0; i < n; i++) {
        fill(&made[i], rows, i, now);
    }
    *prows = made;
    *pn = n;
}

apr_status_t mastra_channels_renew(mastra_channel_row_t **prows, int *pn,
                                   mastra_db_t *db, const char *owner,
                                   apr_interval_time_t lease, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_int64_t now = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(NULL, db, channel_renew,
                               (const mastra_bind_t[]) {
            MASTRA_INT(now + lease / 1000), MASTRA_TEXT(owner)
        }, 2, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&rows, db, channel_owned, &MASTRA_TEXT(owner), 1,
                             pool);
    }
    if (rv == APR_SUCCESS) {
        fill_all(prows, pn, rows, now, pool);
    }
    return rv;
}

static apr_status_t read_ids(const char *const **pids, int *pn,
                             mastra_db_t *db, const char *sql,
                             const mastra_bind_t *binds, apr_pool_t *pool)
{
    const char **ids;
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, sql, binds, 2, pool);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pn = mastra_rows_count(rows);
    ids = apr_palloc(pool, sizeof(*ids) * (apr_size_t)(*pn + 1));
    for (i = 0; i < *pn; i++) {
        ids[i] = mastra_rows_text(rows, i, 0);
    }
    *pids = ids;
    return APR_SUCCESS;
}

apr_status_t mastra_channels_lapsed(const char *const **pids, int *pn,
                                    mastra_db_t *db, const char *host,
                                    apr_pool_t *pool)
{
    apr_int64_t now = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    return rv ? rv : read_ids(pids, pn, db, channel_lapsed,
                              (const mastra_bind_t[]) {
        MASTRA_TEXT(host), MASTRA_INT(now)
    }, pool);
}

apr_status_t mastra_channels_of_owner(const char *const **pids, int *pn,
                                      mastra_db_t *db, const char *host,
                                      const char *owner, apr_pool_t *pool)
{
    return read_ids(pids, pn, db, channel_of_owner, (const mastra_bind_t[]) {
        MASTRA_TEXT(host), MASTRA_TEXT(owner)
    }, pool);
}

apr_status_t mastra_channels_changed(mastra_channel_row_t **prows, int *pn,
                                     apr_int64_t *pnow, mastra_db_t *db,
                                     apr_int64_t since, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_int64_t now = 0;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    if (rv == APR_SUCCESS) {
        since = since < 0 ? now + since : since;
        rv = mastra_db_query(&rows, db, channel_changed, &MASTRA_INT(since), 1,
                             pool);
    }
    if (rv == APR_SUCCESS) {
        fill_all(prows, pn, rows, now, pool);
        *pnow = now;
    }
    return rv;
}

static int read_claim(mastra_channel_claim_t *claim,
                      const mastra_events_row_t *row, apr_pool_t *pool)
{
    mastra_json_t *entry = NULL;

    if (mastra_json_parse(&entry, row->frames, strlen(row->frames), 4, NULL)) {
        return 0;
    }
    mastra_json_own(entry, pool);
    claim->epoch = (int)row->seq;
    claim->run = mastra_json_get_str(entry, "run");
    claim->log = mastra_json_get_str(entry, "log");
    return claim->run && claim->log;
}

apr_status_t mastra_channels_claims(mastra_channel_claim_t **pclaims, int *pn,
                                    mastra_db_t *db, const char *id,
                                    int after, apr_pool_t *pool)
{
    mastra_events_page_t page;
    mastra_channel_claim_t *claims;
    apr_status_t rv = mastra_events_read(&page, db, own_log(id, pool), after,
                                         64 * 1024, pool);
    int i, n = 0;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    claims = apr_palloc(pool, sizeof(*claims) * (apr_size_t)(page.nrows + 1));
    for (i = 0; i < page.nrows; i++) {
        n += read_claim(&claims[n], &page.rows[i], pool);
    }
    *pclaims = claims;
    *pn = n;
    return APR_SUCCESS;
}

apr_status_t mastra_channels_sweep(int *pgone, mastra_db_t *db,
                                   apr_interval_time_t age, apr_pool_t *pool)
{
    apr_int64_t now;
    apr_status_t rv = mastra_db_now(&now, db, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    return mastra_db_execute(pgone, db, channel_sweep,
                             &MASTRA_INT(now - age / 1000), 1, pool);
}
