/* Brings the tables of a database up to date at start-up. */

#include <apr_strings.h>

#include "../base/log.h"
#include "internal.h"

/* The version of what this code needs beyond the tables themselves. A
 * database of a later version is not touched. */
#define SCHEMA_VERSION 1

#define BUSY_TRIES 20
#define LOST_TRIES 3
#define BUSY_SLEEP apr_time_from_msec(250)

static const char version_table[] =
    "CREATE TABLE IF NOT EXISTS mastra_x_version "
    "(name VARCHAR(64) NOT NULL PRIMARY KEY, version INTEGER NOT NULL)";
static const char version_select[] =
    "SELECT version FROM mastra_x_version WHERE name = ?";
static const char version_update[] =
    "UPDATE mastra_x_version SET version = ? WHERE name = ?";
static const char version_insert[] =
    "INSERT INTO mastra_x_version (version, name) VALUES (?, ?)";

static apr_status_t run_all(mastra_db_t *db, const char *const *statements)
{
    apr_status_t rv = APR_SUCCESS;

    for (; *statements && rv == APR_SUCCESS; statements++) {
        rv = mastra_db_plain(db, *statements);
    }
    return rv;
}

static apr_status_t add_columns(mastra_db_t *db, const mastra_column_t *column,
                                apr_pool_t *pool)
{
    const char *present;
    apr_status_t rv = APR_SUCCESS;

    for (; column->present && rv == APR_SUCCESS; column++) {
        rv = mastra_db_value(&present, db, column->present, pool);
        if (rv == APR_SUCCESS && !present) {
            rv = mastra_db_plain(db, column->add);
        }
    }
    return rv;
}

static apr_status_t set_version(mastra_db_t *db, apr_pool_t *pool)
{
    const mastra_bind_t binds[] = {
        MASTRA_INT(SCHEMA_VERSION), MASTRA_TEXT("schema")
    };
    mastra_rows_t *rows;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db, version_select, &binds[1], 1, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!mastra_rows_count(rows)) {
        return mastra_db_execute(NULL, db, version_insert, binds, 2, pool);
    }
    if (mastra_rows_int(rows, 0, 0) > SCHEMA_VERSION) {
        db->error = APR_EMISMATCH;
        apr_snprintf(db->error_text, sizeof(db->error_text),
                     "it belongs to a later version of this module (schema "
                     "%s, this one knows %d)", mastra_rows_text(rows, 0, 0),
                     SCHEMA_VERSION);
        return APR_EMISMATCH;
    }
    if (mastra_rows_int(rows, 0, 0) < SCHEMA_VERSION) {
        return mastra_db_execute(NULL, db, version_update, binds, 2, pool);
    }
    return APR_SUCCESS;
}

static apr_status_t migrate(mastra_db_t *db, apr_pool_t *pool)
{
    const mastra_dialect_t *dialect = db->dialect;
    const char *value;
    apr_status_t rv = APR_SUCCESS;

    if (dialect->lock) {
        rv = mastra_db_value(&value, db, dialect->lock, pool);
    }
    if (rv == APR_SUCCESS && dialect->learn) {
        rv = dialect->learn(db);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_plain(db, version_table);
    }
    if (rv == APR_SUCCESS) {
        rv = set_version(db, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = run_all(db, dialect->tables);
    }
    if (rv == APR_SUCCESS) {
        rv = add_columns(db, dialect->columns, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = run_all(db, dialect->indexes);
    }
    return rv;
}

static apr_status_t attempt(mastra_db_t *db, apr_pool_t *pool)
{
    apr_status_t rv;

    mastra_db_mark(db);
    rv = mastra_db_connect(db);
    if (rv == APR_SUCCESS) {
        rv = db->dialect->prepare(db);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_begin(db, MASTRA_STORE_WRITE, 0);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = migrate(db, pool);
    if (rv == APR_SUCCESS) {
        rv = mastra_db_commit(db, MASTRA_STORE_WRITE);
    }
    if (rv != APR_SUCCESS) {
        mastra_db_rollback(db);
    }
    return rv;
}

static apr_status_t refuse(mastra_result_t **presult, apr_pool_t *pool,
                           apr_status_t rv, const char *why)
{
    *presult = mastra_result_make(pool, 500, "STORAGE_ERROR",
                                  "The database cannot be used: %s", why);
    return rv;
}

apr_status_t mastra_store_migrate(const mastra_store_conf_t *conf,
                                  mastra_result_t **presult, apr_pool_t *pool)
{
    const mastra_dialect_t *dialect = mastra_dialect_find(conf->driver);
    const apr_dbd_driver_t *driver;
    const char *why = NULL;
    apr_pool_t *scratch;
    mastra_db_t *db;
    apr_status_t rv;
    int tries;

    if (!dialect) {
        return refuse(presult, pool, APR_ENOTIMPL,
                      "the drivers are sqlite3 and pgsql");
    }
    rv = dialect->check(conf, &why);
    if (rv == APR_SUCCESS) {
        rv = mastra_db_driver(&driver, dialect, &why, pool);
    }
    if (rv != APR_SUCCESS) {
        return refuse(presult, pool, rv, why);
    }
    apr_pool_create(&scratch, pool);
    db = mastra_db_make(dialect, driver, conf, scratch);
    db->changes_tables = 1;
    /* other programs may hold the database or make the same tables now */
    for (tries = 0; tries < BUSY_TRIES; tries++) {
        rv = attempt(db, scratch);
        if (!mastra_db_passing(rv)
            || (rv == MASTRA_STORE_LOST && tries >= LOST_TRIES)) {
            break;
        }
        apr_sleep(BUSY_SLEEP);
    }
    mastra_db_disconnect(db);
    if (rv != APR_SUCCESS) {
        refuse(presult, pool, rv, db->error_text);
    }
    apr_pool_destroy(scratch);
    return rv;
}
