#ifndef MASTRA_STORE_DIALECT_H
#define MASTRA_STORE_DIALECT_H

/* What databases do differently: one table of facts and functions for each. */

#include "store.h"

/* A column that an older version of a table may lack. */
typedef struct {
    const char *present;     /* selects a row when the column is there */
    const char *add;
} mastra_column_t;

/* Tables of our own that all dialects make alike. Times are milliseconds of
 * the epoch by the database's clock. */
#define MASTRA_RUNS_TABLE \
    "CREATE TABLE IF NOT EXISTS mastra_x_runs (" \
    "id VARCHAR(255) NOT NULL PRIMARY KEY, " \
    "host VARCHAR(255) NOT NULL, " \
    "kind VARCHAR(255) NOT NULL, " \
    "name VARCHAR(255) NOT NULL, " \
    "resource VARCHAR(255), " \
    "thread VARCHAR(255), " \
    "status VARCHAR(32) NOT NULL, " \
    "epoch INTEGER NOT NULL, " \
    "lease BIGINT NOT NULL, " \
    "changed BIGINT NOT NULL, " \
    "summary TEXT NOT NULL, " \
    "owner VARCHAR(255) NOT NULL DEFAULT '', " \
    "halt INTEGER NOT NULL DEFAULT 0, " \
    "wake BIGINT NOT NULL DEFAULT 0, " \
    "taken INTEGER NOT NULL DEFAULT 0, " \
    "segment INTEGER NOT NULL DEFAULT 0)"
#define MASTRA_RUNS_INDEX \
    "CREATE INDEX IF NOT EXISTS mastra_x_runs_status " \
    "ON mastra_x_runs (host, kind, status, changed)"
/* Columns that databases of before workflows lack: name and type. */
#define MASTRA_RUNS_COLUMNS(COLUMN) \
    COLUMN("mastra_x_runs", "owner", "VARCHAR(255) NOT NULL DEFAULT ''"), \
    COLUMN("mastra_x_runs", "halt", "INTEGER NOT NULL DEFAULT 0"), \
    COLUMN("mastra_x_runs", "wake", "BIGINT NOT NULL DEFAULT 0"), \
    COLUMN("mastra_x_runs", "taken", "INTEGER NOT NULL DEFAULT 0"), \
    COLUMN("mastra_x_runs", "segment", "INTEGER NOT NULL DEFAULT 0")

/* What steps of workflows have come to, and the graphs that runs keep. tail: in
 * which form the table is kept. */
#define MASTRA_STEPS_TABLE(tail) \
    "CREATE TABLE IF NOT EXISTS mastra_x_steps (" \
    "run VARCHAR(255) NOT NULL, " \
    "place VARCHAR(255) NOT NULL, " \
    "made BIGINT NOT NULL, " \
    "record TEXT NOT NULL, " \
    "PRIMARY KEY (run, place))" tail
#define MASTRA_GRAPHS_TABLE \
    "CREATE TABLE IF NOT EXISTS mastra_x_graphs (" \
    "hash VARCHAR(64) NOT NULL PRIMARY KEY, " \
    "graph TEXT NOT NULL)"
/* Calls of tools that changed this database, for those who make them again. */
#define MASTRA_CALLS_TABLE(tail) \
    "CREATE TABLE IF NOT EXISTS mastra_x_calls (" \
    "run VARCHAR(255) NOT NULL, " \
    "place VARCHAR(64) NOT NULL, " \
    "made BIGINT NOT NULL, " \
    "outcome TEXT NOT NULL, " \
    "PRIMARY KEY (run, place))" tail
#define MASTRA_FLOW_TABLES(tail) MASTRA_STEPS_TABLE(tail), \
    MASTRA_CALLS_TABLE(tail), MASTRA_GRAPHS_TABLE
/* Few runs are somebody's or wait for their time, and are looked for often. */
#define MASTRA_FLOW_INDEXES \
    "CREATE INDEX IF NOT EXISTS mastra_x_runs_lease " \
    "ON mastra_x_runs (host, lease) WHERE status = 'running'", \
    "CREATE INDEX IF NOT EXISTS mastra_x_runs_owner " \
    "ON mastra_x_runs (owner) WHERE status = 'running'", \
    "CREATE INDEX IF NOT EXISTS mastra_x_runs_wake " \
    "ON mastra_x_runs (host, wake) WHERE status = 'waiting'", \
    "CREATE INDEX IF NOT EXISTS mastra_x_runs_name " \
    "ON mastra_x_runs (host, name)"

/* Threads as channels: who works for one, what waits, what its runs say. */
#define MASTRA_CHANNELS_TABLE \
    "CREATE TABLE IF NOT EXISTS mastra_x_channels (" \
    "id VARCHAR(64) NOT NULL PRIMARY KEY, " \
    "host VARCHAR(255) NOT NULL, " \
    "resource VARCHAR(255) NOT NULL, " \
    "thread VARCHAR(255) NOT NULL, " \
    "agent VARCHAR(255) NOT NULL, " \
    "run VARCHAR(255) NOT NULL, " \
    "log VARCHAR(255) NOT NULL, " \
    "status VARCHAR(16) NOT NULL, " \
    "owner VARCHAR(255) NOT NULL, " \
    "epoch INTEGER NOT NULL, " \
    "place INTEGER NOT NULL, " \
    "halt INTEGER NOT NULL, " \
    "lease BIGINT NOT NULL, " \
    "changed BIGINT NOT NULL, " \
    "UNIQUE (host, resource, thread))"
#define MASTRA_QUEUE_TABLE \
    "CREATE TABLE IF NOT EXISTS mastra_x_queue (" \
    "channel VARCHAR(64) NOT NULL, " \
    "place INTEGER NOT NULL, " \
    "kind VARCHAR(16) NOT NULL, " \
    "run VARCHAR(255) NOT NULL, " \
    "item TEXT NOT NULL, " \
    "PRIMARY KEY (channel, place))"
#define MASTRA_EVENTS_TABLE \
    "CREATE TABLE IF NOT EXISTS mastra_x_events (" \
    "log VARCHAR(255) NOT NULL, " \
    "seq BIGINT NOT NULL, " \
    "newest BIGINT NOT NULL, " \
    "epoch INTEGER NOT NULL, " \
    "ends INTEGER NOT NULL, " \
    "made BIGINT NOT NULL, " \
    "frames TEXT NOT NULL, " \
    "PRIMARY KEY (log, seq))"
#define MASTRA_CHANNEL_TABLES MASTRA_CHANNELS_TABLE, MASTRA_QUEUE_TABLE, \
    MASTRA_EVENTS_TABLE
#define MASTRA_CHANNEL_INDEXES \
    "CREATE INDEX IF NOT EXISTS mastra_x_channels_run " \
    "ON mastra_x_channels (run)", \
    "CREATE INDEX IF NOT EXISTS mastra_x_channels_status " \
    "ON mastra_x_channels (host, status, lease)", \
    "CREATE INDEX IF NOT EXISTS mastra_x_channels_changed " \
    "ON mastra_x_channels (changed)", \
    "CREATE INDEX IF NOT EXISTS mastra_x_events_made " \
    "ON mastra_x_events (made)"

/* Schedules and their firings, as the Node server keeps them; host is ours.
 * json: the dialect's type of documents. */
#define MASTRA_SCHEDULE_TABLES(json) \
    "CREATE TABLE IF NOT EXISTS mastra_schedules (" \
    "id TEXT NOT NULL PRIMARY KEY, " \
    "target " json " NOT NULL, " \
    "cron TEXT NOT NULL, " \
    "timezone TEXT, " \
    "status TEXT NOT NULL, " \
    "next_fire_at BIGINT NOT NULL, " \
    "last_fire_at BIGINT, " \
    "last_run_id TEXT, " \
    "created_at BIGINT NOT NULL, " \
    "updated_at BIGINT NOT NULL, " \
    "metadata " json ", " \
    "owner_type TEXT, " \
    "owner_id TEXT, " \
    "host TEXT)", \
    "CREATE TABLE IF NOT EXISTS mastra_schedule_triggers (" \
    "id TEXT NOT NULL PRIMARY KEY, " \
    "schedule_id TEXT NOT NULL, " \
    "run_id TEXT, " \
    "scheduled_fire_at BIGINT NOT NULL, " \
    "actual_fire_at BIGINT NOT NULL, " \
    "outcome TEXT NOT NULL, " \
    "error TEXT, " \
    "trigger_kind TEXT NOT NULL, " \
    "parent_trigger_id TEXT, " \
    "metadata " json ")"
/* Work in the background, as the Node server keeps it; zones: more columns. */
#define MASTRA_BACKGROUND_TABLE(json, time, zones) \
    "CREATE TABLE IF NOT EXISTS mastra_background_tasks (" \
    "id TEXT NOT NULL PRIMARY KEY, " \
    "tool_call_id TEXT NOT NULL, " \
    "tool_name TEXT NOT NULL, " \
    "agent_id TEXT NOT NULL, " \
    "run_id TEXT NOT NULL, " \
    "thread_id TEXT, " \
    "resource_id TEXT, " \
    "status TEXT NOT NULL, " \
    "args " json " NOT NULL, " \
    "result " json ", " \
    "error " json ", " \
    "suspend_payload " json ", " \
    "retry_count INTEGER NOT NULL, " \
    "max_retries INTEGER NOT NULL, " \
    "timeout_ms INTEGER NOT NULL, " \
    "\"createdAt\" " time " NOT NULL, " \
    "\"startedAt\" " time ", " \
    "\"suspendedAt\" " time ", " \
    "\"completedAt\" " time zones ")"
#define MASTRA_SCHEDULE_INDEXES \
    "CREATE INDEX IF NOT EXISTS mastra_x_schedules_next " \
    "ON mastra_schedules (status, next_fire_at)", \
    "CREATE INDEX IF NOT EXISTS mastra_x_schedule_triggers_fire " \
    "ON mastra_schedule_triggers (schedule_id, actual_fire_at)"

typedef struct mastra_dialect_t {
    const char *driver;      /* apr_dbd's name */
    int single_writer;       /* one thread of a child does all writing */
    int hex_blobs;           /* json(column) shows a blob as 'x' and its hex */
    int time_pairs;          /* each time has a second column, named …Z */
    int real_as_text;        /* the driver prints doubles with six digits */
    const char *rowid;       /* what orders rows of equal time */
    const char *now_ms;      /* selects the database's clock; NULL: ours */
    const char *lock;        /* selected first by a migration, or NULL */
    /* Statements that are harmless to repeat, up to NULL. */
    const char *const *tables, *const *indexes;
    const mastra_column_t *columns;    /* up to one without "present" */

    /* Refuses parameters that cannot work, with a sentence in *pwhy. */
    apr_status_t (*check)(const mastra_store_conf_t *conf, const char **pwhy);
    /* Parameters for apr_dbd_open. */
    const char *(*params)(const mastra_store_conf_t *conf, apr_pool_t *pool);
    /* Before the first migration statement, outside a transaction. */
    apr_status_t (*prepare)(mastra_db_t *db);
    /* Migration, under its lock: the tables that others have made by then.
     * NULL: the connection knows. */
    apr_status_t (*learn)(mastra_db_t *db);
    /* On a new connection: session settings. */
    apr_status_t (*opened)(mastra_db_t *db);
    /* Before the connection goes, also when opened failed. */
    void (*closing)(mastra_db_t *db);
    /* hurry: a group that would rather give way than wait long for a lock. */
    apr_status_t (*begin)(mastra_db_t *db, mastra_store_mode_e mode,
                          int hurry);
    /* What a write transaction did is in the database when this returns
     * success, and durable unless there is a log to be synced. */
    apr_status_t (*commit)(mastra_db_t *db, mastra_store_mode_e mode);
    /* Descriptor of the log, lent; -1: nothing is to be synced. NULL: never. */
    int (*log)(mastra_db_t *db);
    /* APR_ECONNRESET when the connection is gone. */
    apr_status_t (*rollback)(mastra_db_t *db);
    /* The driver's return code and message as a status. */
    apr_status_t (*status)(int code, const char *message);
    /* After a write transaction: 1 when it is time for housekeeping. */
    int (*is_due)(mastra_db_t *db);
    /* Housekeeping, on a connection and a thread of its own; ends soon when
     * *stopping becomes 1. NULL: there is none. */
    void (*settle)(mastra_db_t *db, const apr_uint32_t *stopping);
} mastra_dialect_t;

/* NULL when there is none for the driver. */
const mastra_dialect_t *mastra_dialect_find(const char *driver);

extern const mastra_dialect_t mastra_dialect_sqlite3;
extern const mastra_dialect_t mastra_dialect_pgsql;

#endif
