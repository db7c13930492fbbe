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
    "summary TEXT NOT NULL)"
#define MASTRA_RUNS_INDEX \
    "CREATE INDEX IF NOT EXISTS mastra_x_runs_status " \
    "ON mastra_x_runs (host, kind, status, changed)"

typedef struct mastra_dialect_t {
    const char *driver;      /* apr_dbd's name */
    int single_writer;       /* one thread of a child does all writing */
    int hex_blobs;           /* json(column) shows a blob as 'x' and its hex */
    int time_pairs;          /* each time has a second column, named …Z */
    int real_as_text;        /* the driver prints doubles with six digits */
    const char *rowid;       /* what orders rows of equal time */
    const char *now_ms;      /* selects the database's clock */
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
    /* On a new connection: session settings. */
    apr_status_t (*opened)(mastra_db_t *db);
    /* Before the connection goes, also when opened failed. */
    void (*closing)(mastra_db_t *db);
    /* hurry: a group that would rather give way than wait long for a lock. */
    apr_status_t (*begin)(mastra_db_t *db, mastra_store_mode_e mode,
                          int hurry);
    /* What a write transaction did is durable when this returns success. */
    apr_status_t (*commit)(mastra_db_t *db, mastra_store_mode_e mode);
    /* APR_ECONNRESET when the connection is gone. */
    apr_status_t (*rollback)(mastra_db_t *db);
    /* The driver's return code and message as a status. */
    apr_status_t (*status)(int code, const char *message);
    /* After the jobs of a group were told: housekeeping. */
    void (*settle)(mastra_db_t *db);
} mastra_dialect_t;

/* NULL when there is none for the driver. */
const mastra_dialect_t *mastra_dialect_find(const char *driver);

extern const mastra_dialect_t mastra_dialect_sqlite3;
extern const mastra_dialect_t mastra_dialect_pgsql;

#endif
