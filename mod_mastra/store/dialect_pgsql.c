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
    "SET lock_timeout = '2s'; " \
    "SET idle_in_transaction_session_timeout = '60s'"

/*
 * The server looks for deadlocks after a second only. A group holds the locks
 * of many jobs, so two of them may well wait for each other: better to give
 * way early and run the jobs one by one; and a single job does it again.
 */
#define BEGIN_GROUP "BEGIN; SET LOCAL lock_timeout = '100ms'"
#define BEGIN_ALONE "BEGIN; SET LOCAL lock_timeout = '300ms'"

/*
 * Each write transaction leaves its number in the row of its session. When the
 * connection breaks in a COMMIT, the number tells whether that was committed.
 * (The server's own transaction numbers do not: after a crash they may be
 * given to others.)
 */
static const char number_set[] =
    "INSERT INTO mastra_x_commits (session, number) VALUES (?, ?) "
    "ON CONFLICT (session) DO UPDATE SET number = excluded.number, "
    "\"usedAt\" = now()";
/* These two wait for a transaction that is still on its way. */
static const char number_await[] =
    "INSERT INTO mastra_x_commits (session, number) VALUES (?, 0) "
    "ON CONFLICT (session) DO NOTHING";
static const char number_get[] =
    "SELECT number FROM mastra_x_commits WHERE session = ? FOR UPDATE";

#define OUTCOME_PATIENCE apr_time_from_sec(10)
#define OUTCOME_SLEEP apr_time_from_msec(250)

typedef struct {
    char session[33];        /* "" while the tables are not there */
    apr_int64_t number;      /* of the write transaction under way */
    apr_pool_t *pool;        /* for single statements */
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
    "CREATE TABLE IF NOT EXISTS mastra_workflow_definitions ("
    "id text NOT NULL PRIMARY KEY, "
    "description text, "
    "metadata jsonb, "
    "\"inputSchema\" jsonb NOT NULL, "
    "\"outputSchema\" jsonb NOT NULL, "
    "\"stateSchema\" jsonb, "
    "\"requestContextSchema\" jsonb, "
    "graph jsonb NOT NULL, "
    "schedule jsonb, "
    "status text NOT NULL, "
    "source text NOT NULL, "
    "\"authorId\" text, "
    "\"createdAt\" timestamp without time zone NOT NULL, "
    "\"updatedAt\" timestamp without time zone NOT NULL, "
    "\"createdAtZ\" timestamp with time zone DEFAULT now(), "
    "\"updatedAtZ\" timestamp with time zone DEFAULT now())",
    MASTRA_RUNS_TABLE,
    MASTRA_FLOW_TABLES(""),
    MASTRA_CHANNEL_TABLES,
    MASTRA_SCHEDULE_TABLES("jsonb"),
    MASTRA_BACKGROUND_TABLE("jsonb", "timestamp without time zone", ", "
    "\"createdAtZ\" timestamp with time zone DEFAULT now(), "
    "\"startedAtZ\" timestamp with time zone DEFAULT now(), "
    "\"suspendedAtZ\" timestamp with time zone DEFAULT now(), "
    "\"completedAtZ\" timestamp with time zone DEFAULT now()"),
    "CREATE TABLE IF NOT EXISTS mastra_x_commits ("
    "session text NOT NULL PRIMARY KEY, "
    "number bigint NOT NULL, "
    "\"usedAt\" timestamp with time zone NOT NULL DEFAULT now())",
    NULL
};

static const char *const indexes[] = {
    "CREATE INDEX IF NOT EXISTS mastra_messages_thread_id_createdat_idx "
    "ON mastra_messages (thread_id, \"createdAt\" DESC)",
    "CREATE INDEX IF NOT EXISTS mastra_threads_resourceid_createdat_idx "
    "ON mastra_threads (\"resourceId\", \"createdAt\" DESC)",
    MASTRA_RUNS_INDEX,
    MASTRA_FLOW_INDEXES,
    MASTRA_CHANNEL_INDEXES,
    MASTRA_SCHEDULE_INDEXES,
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
    MASTRA_RUNS_COLUMNS(COLUMN),
    COLUMN("mastra_schedules", "host", "TEXT"),
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

/* Gives the session a name, once the tables are there. */
static apr_status_t name_session(mastra_db_t *db, state_t *state)
{
    const char *table;
    apr_status_t rv;

    rv = mastra_db_value(&table, db, "SELECT to_regclass('mastra_x_commits')",
                         state->pool);
    if (rv == APR_SUCCESS && table) {
        mastra_text_random_hex(state->session, sizeof(state->session) / 2);
        rv = mastra_db_plain(db, "DELETE FROM mastra_x_commits WHERE "
                             "\"usedAt\" < now() - interval '7 days'");
    }
    apr_pool_clear(state->pool);
    return rv;
}

static apr_status_t opened(mastra_db_t *db)
{
    state_t *state = apr_pcalloc(db->pool, sizeof(*state));
    apr_status_t rv;
    int changed;

    db->state = state;
    apr_pool_create(&state->pool, db->pool);
    /* messages in English tell what failed; only some roles may ask for it */
    apr_dbd_query(db->driver, db->handle, &changed, "SET lc_messages = 'C'");
    rv = mastra_db_plain(db, SESSION);
    return rv == APR_SUCCESS ? name_session(db, state) : rv;
}

static void closing(mastra_db_t *db)
{
}

static apr_status_t begin(mastra_db_t *db, mastra_store_mode_e mode,
                          int hurry)
{
    state_t *state = db->state;
    apr_status_t rv;

    if (mode == MASTRA_STORE_READ) {
        return mastra_db_plain(db, "BEGIN ISOLATION LEVEL REPEATABLE READ "
                                   "READ ONLY");
    }
    rv = mastra_db_plain(db, hurry ? BEGIN_GROUP : BEGIN_ALONE);
    if (rv == APR_SUCCESS && state->session[0]) {
        const mastra_bind_t binds[] = { MASTRA_TEXT(state->session),
                                        MASTRA_INT(++state->number) };

        rv = mastra_db_execute(NULL, db, number_set, binds, 2, state->pool);
        apr_pool_clear(state->pool);
    }
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

/* The last number that a session committed. */
static apr_status_t last_number(apr_int64_t *pnumber, mastra_db_t *db,
                                const char *session, apr_pool_t *pool)
{
    const mastra_bind_t bind = MASTRA_TEXT(session);
    mastra_rows_t *rows;
    apr_status_t rv;

    mastra_db_mark(db);
    rv = mastra_db_connect(db);
    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(NULL, db, number_await, &bind, 1, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_query(&rows, db, number_get, &bind, 1, pool);
    }
    if (rv == APR_SUCCESS) {
        *pnumber = mastra_rows_int(rows, 0, 0);
    }
    else {
        mastra_db_disconnect(db);
    }
    return rv;
}

/* The connection broke while it committed number. */
static apr_status_t find_outcome(mastra_db_t *db, const char *session,
                                 apr_int64_t number)
{
    apr_time_t until = apr_time_now() + OUTCOME_PATIENCE;
    apr_int64_t last = 0;
    apr_pool_t *pool;
    apr_status_t rv;

    mastra_db_disconnect(db);
    apr_pool_create(&pool, db->parent);
    while ((rv = last_number(&last, db, session, pool)) != APR_SUCCESS
           && apr_time_now() < until) {
        apr_sleep(OUTCOME_SLEEP);
    }
    apr_pool_destroy(pool);
    if (rv == APR_SUCCESS && last == number) {
        return APR_SUCCESS;
    }
    db->error = rv == APR_SUCCESS ? MASTRA_STORE_LOST : APR_EGENERAL;
    apr_cpystrn(db->error_text, rv == APR_SUCCESS
                ? "the connection broke before a commit"
                : "the connection broke in a commit, its outcome is not known",
                sizeof(db->error_text));
    return db->error;
}

static apr_status_t commit(mastra_db_t *db, mastra_store_mode_e mode)
{
    state_t before = *(state_t *)db->state;
    apr_status_t rv;

    rv = mastra_db_plain(db, "COMMIT");
    if (rv == APR_SUCCESS || mode == MASTRA_STORE_READ
        || rollback(db) == APR_SUCCESS || !before.session[0]) {
        return rv;
    }
    return find_outcome(db, before.session, before.number);
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
    .status = status
};
