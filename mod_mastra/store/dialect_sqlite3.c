/* SQLite through apr_dbd: one writer per child, a lock between children, and
 * a write-ahead log that is synced and folded back outside of transactions. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "../base/log.h"
#include "checkpoint.h"
#include "internal.h"

/* SQLite's result codes that mean something here. */
enum { CODE_BUSY = 5, CODE_LOCKED = 6, CODE_READONLY = 8, CODE_FULL = 13,
       CODE_CANTOPEN = 14, CODE_SCHEMA = 17 };

#define LOCK_PATIENCE apr_time_from_msec(250)
#define LOCK_PATIENCE_START apr_time_from_sec(30)
/* a start makes as many changes as there are tables and indexes */
#define SCHEMA_TRIES 200
/* the log between two checkpoints; without SQLite's word a row counts for a
 * page */
#define CHECKPOINT_PAGES 8192
/* what may be left for the time in which nobody writes */
#define REST_PAGES 256
#define REST_TRIES 10
#define ROUNDS_MAX 4

/*
 * Durability. SQLite at synchronous=FULL syncs the log inside COMMIT, which
 * holds the driver's process-wide mutex: all readers of the child wait for
 * the disk. So the connection runs at NORMAL (which leaves the log unsynced
 * at a commit, and syncs it before a checkpoint), and the store syncs the log
 * itself, after the lock is free and before anybody is told.
 */
typedef struct {
    mastra_filelock_t *lock;
    const char *lock_path;
    int locked;
    int wal;                 /* descriptor of the log, -1: SQLite syncs */
    mastra_sqlite_t *native; /* or NULL */
    int pages;               /* of the log, after our last commit */
    int settled;             /* when housekeeping was due last */
    /* said for each transaction: the driver parses a plain query each time */
    apr_dbd_prepared_t *begin, *begin_write, *commit;
} state_t;

static const char *const tables[] = {
    "CREATE TABLE IF NOT EXISTS mastra_threads ("
    "\"id\" TEXT NOT NULL PRIMARY KEY, "
    "\"resourceId\" TEXT NOT NULL, "
    "\"title\" TEXT NOT NULL, "
    "\"metadata\" TEXT, "
    "\"createdAt\" TEXT NOT NULL, "
    "\"updatedAt\" TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS mastra_messages ("
    "\"id\" TEXT NOT NULL PRIMARY KEY, "
    "\"thread_id\" TEXT NOT NULL, "
    "\"content\" TEXT NOT NULL, "
    "\"role\" TEXT NOT NULL, "
    "\"type\" TEXT NOT NULL, "
    "\"createdAt\" TEXT NOT NULL, "
    "\"resourceId\" TEXT)",
    "CREATE TABLE IF NOT EXISTS mastra_resources ("
    "\"id\" TEXT NOT NULL PRIMARY KEY, "
    "\"workingMemory\" TEXT, "
    "\"metadata\" TEXT, "
    "\"createdAt\" TEXT NOT NULL, "
    "\"updatedAt\" TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS mastra_workflow_snapshot ("
    "\"workflow_name\" TEXT, "
    "\"run_id\" TEXT, "
    "\"resourceId\" TEXT, "
    "\"snapshot\" TEXT, "
    "\"createdAt\" TEXT, "
    "\"updatedAt\" TEXT, "
    "UNIQUE (workflow_name, run_id))",
    "CREATE TABLE IF NOT EXISTS mastra_workflow_definitions ("
    "\"id\" TEXT NOT NULL PRIMARY KEY, "
    "\"description\" TEXT, "
    "\"metadata\" TEXT, "
    "\"inputSchema\" TEXT NOT NULL, "
    "\"outputSchema\" TEXT NOT NULL, "
    "\"stateSchema\" TEXT, "
    "\"requestContextSchema\" TEXT, "
    "\"graph\" TEXT NOT NULL, "
    "\"schedule\" TEXT, "
    "\"status\" TEXT NOT NULL, "
    "\"source\" TEXT NOT NULL, "
    "\"authorId\" TEXT, "
    "\"createdAt\" TEXT NOT NULL, "
    "\"updatedAt\" TEXT NOT NULL)",
    MASTRA_RUNS_TABLE,
    /* its rows stand in the index itself: a page is written, not two */
    MASTRA_FLOW_TABLES(" WITHOUT ROWID"),
    MASTRA_CHANNEL_TABLES,
    MASTRA_SCHEDULE_TABLES("TEXT"),
    MASTRA_BACKGROUND_TABLE("TEXT", "TEXT", ""),
    NULL
};

static const char *const indexes[] = {
    "CREATE INDEX IF NOT EXISTS idx_messages_thread_created_at "
    "ON mastra_messages (thread_id, \"createdAt\")",
    "CREATE INDEX IF NOT EXISTS idx_messages_thread_resource_created_at "
    "ON mastra_messages (thread_id, \"resourceId\", \"createdAt\")",
    /* ours: a thread list of one resource, newest first */
    "CREATE INDEX IF NOT EXISTS mastra_x_threads_resource_created_at "
    "ON mastra_threads (\"resourceId\", \"createdAt\")",
    MASTRA_RUNS_INDEX,
    MASTRA_FLOW_INDEXES,
    MASTRA_CHANNEL_INDEXES,
    MASTRA_SCHEDULE_INDEXES,
    NULL
};

#define COLUMN(table, column, type) \
    { "SELECT 1 FROM pragma_table_info('" table "') " \
      "WHERE name = '" column "'", \
      "ALTER TABLE " table " ADD COLUMN \"" column "\" " type }

static const mastra_column_t columns[] = {
    COLUMN("mastra_messages", "resourceId", "TEXT"),
    MASTRA_RUNS_COLUMNS(COLUMN),
    COLUMN("mastra_schedules", "host", "TEXT"),
    { NULL, NULL }
};

static apr_status_t check(const mastra_store_conf_t *conf, const char **pwhy)
{
    if (!conf->params || !*conf->params || conf->params[0] == ':') {
        *pwhy = "a sqlite3 database needs the path of its file: one in "
                "memory is another one for each connection";
        return APR_EINVAL;
    }
    return APR_SUCCESS;
}

static const char *params(const mastra_store_conf_t *conf, apr_pool_t *pool)
{
    return conf->params;
}

/* Pragmas may return a row, which a plain query takes for a failure. */
static apr_status_t pragma(const char **pvalue, mastra_db_t *db,
                           const char *sql)
{
    const char *value;
    apr_pool_t *pool;
    apr_status_t rv;

    apr_pool_create(&pool, db->pool);
    rv = mastra_db_value(&value, db, sql, pool);
    if (rv == APR_SUCCESS && pvalue) {
        *pvalue = value ? apr_pstrdup(db->pool, value) : "";
    }
    apr_pool_destroy(pool);
    return rv;
}

static apr_status_t lock_failed(mastra_db_t *db, apr_status_t rv,
                                const char *what)
{
    state_t *state = db->state;

    db->error = rv;
    apr_snprintf(db->error_text, sizeof(db->error_text), "%s %s", what,
                 state->lock_path);
    return rv;
}

static apr_status_t take_lock(mastra_db_t *db, state_t *state,
                              apr_interval_time_t patience)
{
    apr_status_t rv = mastra_filelock_take(state->lock, patience);

    state->locked = rv == APR_SUCCESS;
    return rv;
}

static void drop_lock(state_t *state)
{
    if (state->locked) {
        mastra_filelock_drop(state->lock);
        state->locked = 0;
    }
}

/* Reads the schema, which other processes may be changing just now: a
 * statement that meets the change fails, the next one knows it. */
static apr_status_t learn(mastra_db_t *db)
{
    apr_status_t rv = MASTRA_STORE_LOST;
    int tries;

    for (tries = 0; rv == MASTRA_STORE_LOST && tries < SCHEMA_TRIES; tries++) {
        mastra_db_mark(db);
        rv = pragma(NULL, db, "SELECT count(*) FROM sqlite_master");
    }
    return rv;
}

/* Reads the schema first: from then on the log's file exists, and stays as
 * long as this connection. */
static apr_status_t open_log(mastra_db_t *db, state_t *state)
{
    const char *mode = "", *path;
    apr_status_t rv;

    rv = learn(db);
    if (rv == APR_SUCCESS) {
        rv = pragma(&mode, db, "PRAGMA journal_mode");
    }
    /* cppcheck-suppress uninitvar ; pragma() sets it when it succeeds */
    if (rv == APR_SUCCESS && !strcmp(mode, "wal")) {
        path = apr_pstrcat(db->pool, db->params, "-wal", NULL);
        state->wal = open(path, O_RDONLY | O_CLOEXEC);
    }
    return rv;
}

static apr_status_t prepare_one(apr_dbd_prepared_t **pstatement,
                                mastra_db_t *db, const char *sql)
{
    int code = apr_dbd_prepare(db->driver, db->pool, db->handle, sql, NULL,
                               pstatement);

    return code ? mastra_db_fail(db, code) : APR_SUCCESS;
}

static apr_status_t prepare_frame(mastra_db_t *db, state_t *state)
{
    apr_status_t rv = APR_SUCCESS;

    if (!state->commit && !db->changes_tables) {
        rv = prepare_one(&state->begin, db, "BEGIN");
        if (rv == APR_SUCCESS) {
            rv = prepare_one(&state->begin_write, db, "BEGIN IMMEDIATE");
        }
        if (rv == APR_SUCCESS) {
            rv = prepare_one(&state->commit, db, "COMMIT");
        }
    }
    return rv;
}

/* Says sql, prepared or not. What the driver tells of changed rows then is an
 * older statement's. */
static apr_status_t say(mastra_db_t *db, const char *sql,
                        apr_dbd_prepared_t *prepared)
{
    int changed, code;

    if (!prepared) {
        return mastra_db_plain(db, sql);
    }
    code = apr_dbd_pbquery(db->driver, db->pool, db->handle, &changed,
                           prepared, NULL);
    return code ? mastra_db_fail(db, code) : APR_SUCCESS;
}

static apr_status_t opened(mastra_db_t *db)
{
    state_t *state = apr_pcalloc(db->pool, sizeof(*state));
    apr_status_t rv;

    db->state = state;
    state->wal = -1;
    state->lock_path = db->conf->lock_path ? db->conf->lock_path
                       : apr_pstrcat(db->pool, db->params, "-mastra-lock",
                                     NULL);
    rv = mastra_filelock_open(&state->lock, state->lock_path, db->pool);
    if (rv != APR_SUCCESS) {
        return lock_failed(db, rv, "cannot open");
    }
    rv = open_log(db, state);
    if (rv == APR_SUCCESS) {
        rv = mastra_db_plain(db, state->wal >= 0 || db->conf->synchronous_normal
                                 ? "PRAGMA synchronous=NORMAL"
                                 : "PRAGMA synchronous=FULL");
    }
    if (rv == APR_SUCCESS && state->wal >= 0) {
        rv = pragma(NULL, db, "PRAGMA wal_autocheckpoint=0");
        state->native = mastra_sqlite_find(db);
        if (state->native) {
            mastra_sqlite_watch(state->native, &state->pages);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = pragma(NULL, db, "PRAGMA journal_size_limit=67108864");
    }
    if (rv == APR_SUCCESS) {
        rv = pragma(NULL, db, "PRAGMA cache_size=-8000");
    }
    return rv;
}

static void closing(mastra_db_t *db)
{
    state_t *state = db->state;

    if (state) {
        drop_lock(state);
        if (state->wal >= 0) {
            close(state->wal);
            state->wal = -1;
        }
    }
}

/* The mode is a property of the file: set once, here. */
static apr_status_t prepare(mastra_db_t *db)
{
    state_t *state = db->state;
    const char *mode = "";
    apr_status_t rv;
    int tries;

    rv = take_lock(db, state, LOCK_PATIENCE_START);
    for (tries = 0; rv == APR_SUCCESS && tries < 10; tries++) {
        rv = pragma(&mode, db, "PRAGMA journal_mode=WAL");
        if (rv == APR_SUCCESS && *mode) {
            break;
        }
        /* others look at the file: no row, or an error */
        if (rv == APR_SUCCESS || rv == MASTRA_STORE_BUSY) {
            mastra_db_mark(db);
            rv = APR_SUCCESS;
            apr_sleep(apr_time_from_msec(50));
        }
    }
    drop_lock(state);
    if (rv == APR_SUCCESS && !*mode) {
        return MASTRA_STORE_BUSY;
    }
    if (rv == APR_SUCCESS && strcmp(mode, "wal")) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(301) "%s stays in "
                   "journal mode \"%s\": readers and the writer will wait for "
                   "each other", db->params, mode);
    }
    return rv;
}

static apr_status_t begin(mastra_db_t *db, mastra_store_mode_e mode,
                          int hurry)
{
    state_t *state = db->state;
    apr_status_t rv;

    rv = prepare_frame(db, state);
    if (rv != APR_SUCCESS || mode == MASTRA_STORE_READ) {
        return rv ? rv : say(db, "BEGIN", state->begin);
    }
    rv = take_lock(db, state, LOCK_PATIENCE);
    if (rv != APR_SUCCESS) {
        return lock_failed(db, rv, "another process holds");
    }
    /* the driver itself waits 1.6 s for writers that do not know our lock */
    rv = say(db, "BEGIN IMMEDIATE", state->begin_write);
    if (rv != APR_SUCCESS) {
        drop_lock(state);
    }
    return rv;
}

static apr_status_t commit(mastra_db_t *db, mastra_store_mode_e mode)
{
    state_t *state = db->state;
    apr_status_t rv = say(db, "COMMIT", state->commit);

    if (mode == MASTRA_STORE_WRITE && rv == APR_SUCCESS) {
        drop_lock(state);
    }
    return rv;
}

static int log_of(mastra_db_t *db)
{
    const state_t *state = db->state;

    return db->conf->synchronous_normal ? -1 : state->wal;
}

static apr_status_t rollback(mastra_db_t *db)
{
    state_t *state = db->state;
    int changed;

    /* fails when SQLite has rolled back by itself (a full disk) */
    apr_dbd_query(db->driver, db->handle, &changed, "ROLLBACK");
    drop_lock(state);
    return APR_SUCCESS;
}

static apr_status_t status(int code, const char *message)
{
    /* statements of the driver's old interface say 1 for all of these */
    if (code == CODE_BUSY || code == CODE_LOCKED
        || strstr(message, "is locked")) {
        return MASTRA_STORE_BUSY;
    }
    if (!strncmp(message, "UNIQUE constraint", 17)
        || !strncmp(message, "PRIMARY KEY", 11)) {
        return MASTRA_STORE_EXISTS;
    }
    if (code == CODE_FULL || strstr(message, "disk is full")) {
        return APR_ENOSPC;
    }
    if (code == CODE_READONLY || strstr(message, "readonly database")) {
        return EROFS;
    }
    /* another program changed the tables: a new connection knows them */
    if (code == CODE_SCHEMA || strstr(message, "schema has changed")) {
        return MASTRA_STORE_LOST;
    }
    return code == CODE_CANTOPEN ? APR_ENOENT : APR_EGENERAL;
}

static int is_due(mastra_db_t *db)
{
    state_t *state = db->state;
    int size = state->native ? state->pages : db->unsettled;

    if (size < state->settled) {
        state->settled = 0;      /* the log has begun anew */
    }
    if (state->wal < 0 || size - state->settled < CHECKPOINT_PAGES) {
        return 0;
    }
    state->settled = state->native ? size : 0;
    db->unsettled = 0;
    return 1;
}

/*
 * Most of the work, while others write: SQLite syncs the log, then copies its
 * pages. What was added meanwhile is the next round's, so that little is left
 * for the time in which nobody may write. 0: somebody else is at it, or was.
 */
static int fold_most(state_t *state, const apr_uint32_t *stopping)
{
    int rounds, pages, before = 0;

    for (rounds = 0; rounds < ROUNDS_MAX; rounds++) {
        if (*(const volatile apr_uint32_t *)stopping
            || mastra_sqlite_fold(state->native, &pages) != APR_SUCCESS) {
            return 0;
        }
        if (pages < CHECKPOINT_PAGES / 2) {
            return 0;            /* somebody else was: it has begun anew */
        }
        mastra_sqlite_sync(state->native);
        if (pages - before < REST_PAGES) {
            break;
        }
        before = pages;
    }
    return 1;
}

/* The rest, while nobody writes. Who reads from the log is waited for, but not
 * for long: they may stay, and the log grows until the next time. */
static void fold_rest(mastra_db_t *db, state_t *state)
{
    apr_status_t rv = MASTRA_STORE_BUSY;
    int tries;

    if (!state->native) {
        pragma(NULL, db, "PRAGMA wal_checkpoint(PASSIVE)");
        return;
    }
    for (tries = 0; rv == MASTRA_STORE_BUSY && tries < REST_TRIES; tries++) {
        if (tries) {
            apr_sleep(apr_time_from_msec(1));
        }
        rv = mastra_sqlite_fold_all(state->native);
    }
}

/*
 * Folds the log back into the file. Under the lock no process of ours adds to
 * the log meanwhile, so that it is emptied as a whole and begins anew; else it
 * would grow for as long as the load lasts.
 */
static void settle(mastra_db_t *db, const apr_uint32_t *stopping)
{
    state_t *state = db->state;

    if (state->wal < 0
        || (state->native && !fold_most(state, stopping))) {
        return;
    }
    if (take_lock(db, state, LOCK_PATIENCE) == APR_SUCCESS) {
        fold_rest(db, state);
        drop_lock(state);
    }
}

const mastra_dialect_t mastra_dialect_sqlite3 = {
    .driver = "sqlite3",
    .single_writer = 1,
    .hex_blobs = 1,
    .rowid = "rowid",
    .tables = tables,
    .indexes = indexes,
    .columns = columns,
    .check = check,
    .params = params,
    .prepare = prepare,
    .learn = learn,
    .opened = opened,
    .closing = closing,
    .begin = begin,
    .commit = commit,
    .log = log_of,
    .rollback = rollback,
    .status = status,
    .is_due = is_due,
    .settle = settle
};
