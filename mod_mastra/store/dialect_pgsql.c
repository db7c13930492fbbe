/* PostgreSQL through apr_dbd: sessions with bounded waits, and commits whose
 * outcome is asked for when the connection breaks in the middle of one. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

/* Seconds after which a dead peer or an endless statement is given up. */
#define CONNECTION_LIMITS \
    "connect_timeout=5", "keepalives_idle=10", "keepalives_interval=5", \
    "keepalives_count=3", "tcp_user_timeout=20000", \
    "application_name=mod_mastra"

#define SESSION \
    "SET client_encoding = 'UTF8'; SET timezone = 'UTC'; " \
    "SET datestyle = 'ISO, YMD'; SET bytea_output = 'hex'; " \
    "SET standard_conforming_strings = on; SET statement_timeout = '30s'; " \
    "SET idle_in_transaction_session_timeout = '60s'"

/*
 * The server looks for deadlocks after a second only. A group holds the locks
 * of many jobs, so two of them may well wait for each other: better to give
 * way early and run the jobs one by one; and a single job does it again.
 */
#define BEGIN_GROUP \
    "BEGIN; SET LOCAL lock_timeout = '100ms'; SELECT txid_current()"
#define BEGIN_ALONE \
    "BEGIN; SET LOCAL lock_timeout = '300ms'; SELECT txid_current()"

#define OUTCOME_TRIES 20
#define OUTCOME_SLEEP apr_time_from_msec(250)

/* The number of the write transaction under way. */
typedef struct {
    char xid[24];
} state_t;

static const char *const tables[] = {
    "CREATE TABLE IF NOT EXISTS mastra_threads ("
    "id text NOT NULL PRIMARY KEY, "
    "\"resourceId\" text NOT NULL, "
    "title text NOT NULL, "
    "metadata jsonb, "
    "\"createdAt\" timestamp without time zone NOT NULL, "
    "\"updatedAt\" timestamp without time zone NOT NULL, "
    "\"createdAtZ\" timestamp with time zone DEFAULT now(), "
    "\"updatedAtZ\" timestamp with time zone DEFAULT now())",
    "CREATE TABLE IF NOT EXISTS mastra_messages ("
    "id text NOT NULL PRIMARY KEY, "
    "thread_id text NOT NULL, "
    "content text NOT NULL, "
    "role text NOT NULL, "
    "type text NOT NULL, "
    "\"createdAt\" timestamp without time zone NOT NULL, "
    "\"resourceId\" text, "
    "\"createdAtZ\" timestamp with time zone DEFAULT now())",
    "CREATE TABLE IF NOT EXISTS mastra_resources ("
    "id text NOT NULL PRIMARY KEY, "
    "\"workingMemory\" text, "
    "metadata jsonb, "
    "\"createdAt\" timestamp without time zone NOT NULL, "
    "\"updatedAt\" timestamp without time zone NOT NULL, "
    "\"createdAtZ\" timestamp with time zone DEFAULT now(), "
    "\"updatedAtZ\" timestamp with time zone DEFAULT now())",
    "CREATE TABLE IF NOT EXISTS mastra_workflow_snapshot ("
    "workflow_name text NOT NULL, "
    "run_id text NOT NULL, "
    "\"resourceId\" text, "
    "snapshot jsonb NOT NULL, "
    "\"createdAt\" timestamp without time zone NOT NULL, "
    "\"updatedAt\" timestamp without time zone NOT NULL, "
    "\"createdAtZ\" timestamp with time zone DEFAULT now(), "
    "\"updatedAtZ\" timestamp with time zone DEFAULT now(), "
    "CONSTRAINT public_mastra_workflow_snapshot_workflow_name_run_id_key "
    "UNIQUE (workflow_name, run_id))",
    MASTRA_RUNS_TABLE,
    MASTRA_CHANNEL_TABLES,
    NULL
};

static const char *const indexes[] = {
    "CREATE INDEX IF NOT EXISTS mastra_messages_thread_id_createdat_idx "
    "ON mastra_messages (thread_id, \"createdAt\" DESC)",
    "CREATE INDEX IF NOT EXISTS mastra_threads_resourceid_createdat_idx "
    "ON mastra_threads (\"resourceId\", \"createdAt\" DESC)",
    MASTRA_RUNS_INDEX,
    MASTRA_CHANNEL_INDEXES,
    NULL
};

/* Older databases of the Node server lack these. */
#define PRESENT(table, column) \
    "SELECT 1 FROM pg_attribute WHERE attrelid = '" table "'::regclass " \
    "AND attname = '" column "' AND NOT attisdropped"
#define COLUMN(table, column, type) \
    { PRESENT(table, column), \
      "ALTER TABLE " table " ADD COLUMN \"" column "\" " type }
#define ZONED "timestamp with time zone DEFAULT now()"

static const mastra_column_t columns[] = {
    COLUMN("mastra_messages", "resourceId", "text"),
    COLUMN("mastra_messages", "createdAtZ", ZONED),
    COLUMN("mastra_threads", "createdAtZ", ZONED),
    COLUMN("mastra_threads", "updatedAtZ", ZONED),
    COLUMN("mastra_resources", "createdAtZ", ZONED),
    COLUMN("mastra_resources", "updatedAtZ", ZONED),
    { NULL, NULL }
};

static apr_status_t check(const mastra_store_conf_t *conf, const char **pwhy)
{
    if (!conf->params || !*conf->params) {
        *pwhy = "a pgsql database needs connection parameters such as "
                "\"host=… dbname=… user=…\"";
        return APR_EINVAL;
    }
    return APR_SUCCESS;
}

/* The given parameters, and a limit wherever they name none. */
static const char *params(const mastra_store_conf_t *conf, apr_pool_t *pool)
{
    static const char *const limits[] = { CONNECTION_LIMITS };
    const char *result = conf->params, *name, *separator;
    int uri = !strncmp(result, "postgres://", 11)
              || !strncmp(result, "postgresql://", 13);
    apr_size_t i;

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        name = apr_pstrmemdup(pool, limits[i], strcspn(limits[i], "=") + 1);
        if (!strstr(conf->params, name)) {
            separator = !uri ? " " : strchr(result, '?') ? "&" : "?";
            result = apr_pstrcat(pool, result, separator, limits[i], NULL);
        }
    }
    return result;
}

static apr_status_t prepare(mastra_db_t *db)
{
    return APR_SUCCESS;
}

static apr_status_t opened(mastra_db_t *db)
{
    int changed;

    db->state = apr_pcalloc(db->pool, sizeof(state_t));
    /* messages in English tell what failed; only some roles may ask for it */
    apr_dbd_query(db->driver, db->handle, &changed, "SET lc_messages = 'C'");
    return mastra_db_plain(db, SESSION);
}

static void closing(mastra_db_t *db)
{
}

static apr_status_t begin(mastra_db_t *db, mastra_store_mode_e mode,
                          int hurry)
{
    state_t *state = db->state;
    const char *xid;
    apr_pool_t *pool;
    apr_status_t rv;

    if (mode == MASTRA_STORE_READ) {
        return mastra_db_plain(db, "BEGIN ISOLATION LEVEL REPEATABLE READ "
                                   "READ ONLY");
    }
    apr_pool_create(&pool, db->pool);
    rv = mastra_db_value(&xid, db, hurry ? BEGIN_GROUP : BEGIN_ALONE, pool);
    if (rv == APR_SUCCESS) {
        apr_cpystrn(state->xid, xid ? xid : "", sizeof(state->xid));
    }
    apr_pool_destroy(pool);
    return rv;
}

static apr_status_t rollback(mastra_db_t *db)
{
    int changed;

    /* outside of a transaction it is harmless: only a broken connection
     * cannot do it */
    return apr_dbd_query(db->driver, db->handle, &changed, "ROLLBACK")
           ? MASTRA_STORE_LOST : APR_SUCCESS;
}

static apr_status_t outcome(const char **poutcome, mastra_db_t *db,
                            const char *xid, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv;

    mastra_db_mark(db);
    rv = mastra_db_connect(db);
    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&rows, db, "SELECT txid_status(?)",
                             &MASTRA_TEXT(xid), 1, pool);
        if (rv == APR_SUCCESS) {
            *poutcome = mastra_rows_text(rows, 0, 0);
        }
    }
    if (rv != APR_SUCCESS) {
        mastra_db_disconnect(db);
    }
    return rv;
}

/* The connection broke while it committed: the server knows whether. */
static apr_status_t find_outcome(mastra_db_t *db, const char *xid)
{
    const char *status = NULL;
    apr_status_t rv, found = APR_EGENERAL;
    apr_pool_t *pool;
    int tries;

    mastra_db_disconnect(db);
    apr_pool_create(&pool, db->parent);
    for (tries = 0; tries < OUTCOME_TRIES && found == APR_EGENERAL; tries++) {
        rv = outcome(&status, db, xid, pool);
        if (rv == APR_SUCCESS && status && !strcmp(status, "committed")) {
            found = APR_SUCCESS;
        }
        else if (rv == APR_SUCCESS && status && !strcmp(status, "aborted")) {
            found = MASTRA_STORE_LOST;
        }
        else {
            apr_sleep(OUTCOME_SLEEP);
        }
    }
    apr_pool_destroy(pool);
    if (found != APR_SUCCESS) {
        db->error = found;
        apr_cpystrn(db->error_text, found == MASTRA_STORE_LOST
                    ? "the connection broke before the commit"
                    : "the connection broke in a commit, its outcome is not "
                      "known", sizeof(db->error_text));
    }
    return found;
}

static apr_status_t commit(mastra_db_t *db, mastra_store_mode_e mode)
{
    char xid[sizeof(((state_t *)0)->xid)];
    apr_status_t rv;

    memcpy(xid, ((state_t *)db->state)->xid, sizeof(xid));
    rv = mastra_db_plain(db, "COMMIT");
    if (rv == APR_SUCCESS || mode == MASTRA_STORE_READ
        || rollback(db) == APR_SUCCESS) {
        return rv;
    }
    return find_outcome(db, xid);
}

/* apr_dbd shows no SQLSTATE: the words have to do. */
static apr_status_t status(int code, const char *message)
{
    static const char *const busy[] = {
        "deadlock detected", "could not serialize access", "lock timeout",
        "too many clients", "remaining connection slots",
        "too many connections"
    };
    static const char *const lost[] = {
        "server closed the connection", "terminating connection",
        "no connection to the server", "connection to server",
        "could not receive data", "could not send data",
        "SSL connection has been closed", "the database system is",
        "connection not open"
    };
    apr_size_t i;

    if (strstr(message, "duplicate key value")) {
        return MASTRA_STORE_EXISTS;
    }
    for (i = 0; i < sizeof(busy) / sizeof(busy[0]); i++) {
        if (strstr(message, busy[i])) {
            return MASTRA_STORE_BUSY;
        }
    }
    for (i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        if (strstr(message, lost[i])) {
            return MASTRA_STORE_LOST;
        }
    }
    if (strstr(message, "No space left") || strstr(message, "disk full")) {
        return APR_ENOSPC;
    }
    return APR_EGENERAL;
}

static void settle(mastra_db_t *db)
{
}

const mastra_dialect_t mastra_dialect_pgsql = {
    .driver = "pgsql",
    .time_pairs = 1,
    .real_as_text = 1,
    /* no column tells the order of insertion: messages.c gives times that
     * differ by microseconds, ids only make the rest stable */
    .rowid = "id",
    .lock = "SELECT pg_advisory_xact_lock(7813420115)",
    .now_ms = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
    .tables = tables,
    .indexes = indexes,
    .columns = columns,
    .check = check,
    .params = params,
    .prepare = prepare,
    .opened = opened,
    .closing = closing,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .status = status,
    .settle = settle
};
