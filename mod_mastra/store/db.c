/* A connection over apr_dbd: opening, transactions, statements and their
 * errors. */

#include <string.h>

#include <apr_strings.h>

#include "../base/log.h"
#include "internal.h"

/* More statements than this on one connection and it starts anew: the driver
 * frees prepared statements only with their connection. */
#define STATEMENTS_MAX 512

const mastra_dialect_t *mastra_dialect_find(const char *driver)
{
    static const mastra_dialect_t *const known[] = {
        &mastra_dialect_sqlite3, &mastra_dialect_pgsql
    };
    apr_size_t i;

    for (i = 0; driver && i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strcmp(known[i]->driver, driver)) {
            return known[i];
        }
    }
    return NULL;
}

apr_status_t mastra_db_driver(const apr_dbd_driver_t **pdriver,
                              const mastra_dialect_t *dialect,
                              const char **pwhy, apr_pool_t *pool)
{
    apr_status_t rv = apr_dbd_init(pool);

    if (rv == APR_SUCCESS) {
        rv = apr_dbd_get_driver(pool, dialect->driver, pdriver);
    }
    if (rv != APR_SUCCESS) {
        *pwhy = apr_psprintf(pool, "APR's database driver \"%s\" cannot be "
                             "loaded (Debian: libaprutil1-dbd-%s)",
                             dialect->driver, dialect->driver);
    }
    return rv;
}

mastra_db_t *mastra_db_make(const mastra_dialect_t *dialect,
                            const apr_dbd_driver_t *driver,
                            const mastra_store_conf_t *conf, apr_pool_t *pool)
{
    mastra_db_t *db = apr_pcalloc(pool, sizeof(*db));

    db->dialect = dialect;
    db->conf = conf;
    db->driver = driver;
    db->params = dialect->params(conf, pool);
    db->parent = pool;
    return db;
}

apr_status_t mastra_db_now(apr_int64_t *pms, mastra_db_t *db, apr_pool_t *pool)
{
    const char *value = NULL;
    apr_status_t rv;

    if (!db->dialect->now_ms) {
        *pms = apr_time_as_msec(apr_time_now());
        return db->error;
    }
    rv = mastra_db_value(&value, db, db->dialect->now_ms, pool);

    if (rv == APR_SUCCESS && !value) {
        rv = APR_EGENERAL;
    }
    if (rv == APR_SUCCESS) {
        *pms = apr_atoi64(value);
    }
    return rv;
}

int mastra_db_passing(apr_status_t rv)
{
    return rv == MASTRA_STORE_BUSY || rv == MASTRA_STORE_LOST;
}

void mastra_db_mark(mastra_db_t *db)
{
    db->error = APR_SUCCESS;
    db->error_text[0] = '\0';
    db->changes = 0;
}

/* The first line only: the lines after it may show the values of a row. */
static void note_text(mastra_db_t *db, const char *message)
{
    apr_size_t len = strcspn(message, "\r\n");

    if (len >= sizeof(db->error_text)) {
        len = sizeof(db->error_text) - 1;
    }
    memcpy(db->error_text, message, len);
    db->error_text[len] = '\0';
}

apr_status_t mastra_db_fail(mastra_db_t *db, int code)
{
    const char *message = apr_dbd_error(db->driver, db->handle, code);
    apr_status_t rv;

    if (!message) {
        message = "no message from the driver";
    }
    rv = db->dialect->status(code, message);
    if (db->error == APR_SUCCESS) {
        db->error = rv;
        note_text(db, message);
    }
    return rv;
}

apr_status_t mastra_db_connect(mastra_db_t *db)
{
    const char *message = NULL;
    apr_status_t rv;

    if (db->handle) {
        return APR_SUCCESS;
    }
    apr_pool_create(&db->pool, db->parent);
    apr_pool_tag(db->pool, "mastra_db");
    db->statements = apr_hash_make(db->pool);
    db->nstatements = 0;
    db->state = NULL;
    rv = apr_dbd_open_ex(db->driver, db->pool, db->params, &db->handle,
                         &message);
    if (rv != APR_SUCCESS) {
        db->handle = NULL;
        db->error = MASTRA_STORE_LOST;
        note_text(db, message ? message : "cannot connect");
        apr_pool_destroy(db->pool);
        return MASTRA_STORE_LOST;
    }
    rv = db->dialect->opened(db);
    if (rv != APR_SUCCESS) {
        mastra_db_disconnect(db);
    }
    return rv;
}

void mastra_db_disconnect(mastra_db_t *db)
{
    if (db->handle) {
        db->dialect->closing(db);
        apr_dbd_close(db->driver, db->handle);
        db->handle = NULL;
        apr_pool_destroy(db->pool);
    }
}

apr_status_t mastra_db_begin(mastra_db_t *db, mastra_store_mode_e mode,
                             int hurry)
{
    apr_status_t rv;
    int old;

    if (db->handle && db->nstatements > STATEMENTS_MAX) {
        mastra_db_disconnect(db);
    }
    do {
        mastra_db_mark(db);
        old = db->handle != NULL;
        rv = mastra_db_connect(db);
        if (rv == APR_SUCCESS) {
            rv = db->dialect->begin(db, mode, hurry);
            if (rv != APR_SUCCESS && rv != MASTRA_STORE_BUSY) {
                mastra_db_disconnect(db);
            }
        }
        /* an idle connection that broke says nothing about the database */
    } while (rv == MASTRA_STORE_LOST && old);
    return rv;
}

apr_status_t mastra_db_commit(mastra_db_t *db, mastra_store_mode_e mode)
{
    return db->dialect->commit(db, mode);
}

apr_status_t mastra_db_rollback(mastra_db_t *db)
{
    apr_status_t rv;

    if (!db->handle) {
        return MASTRA_STORE_LOST;
    }
    rv = db->dialect->rollback(db);
    if (rv != APR_SUCCESS) {
        mastra_db_disconnect(db);
    }
    return rv;
}

apr_status_t mastra_db_plain(mastra_db_t *db, const char *sql)
{
    int changed = 0, code;

    code = apr_dbd_query(db->driver, db->handle, &changed, sql);
    return code ? mastra_db_fail(db, code) : APR_SUCCESS;
}

apr_status_t mastra_db_value(const char **pvalue, mastra_db_t *db,
                             const char *sql, apr_pool_t *pool)
{
    apr_dbd_results_t *results = NULL;
    mastra_rows_t *rows;
    apr_status_t rv;
    int code;

    code = apr_dbd_select(db->driver, pool, db->handle, &results, sql, 1);
    if (code) {
        return mastra_db_fail(db, code);
    }
    rv = mastra_rows_make(&rows, db, results, pool);
    if (rv == APR_SUCCESS) {
        *pvalue = mastra_rows_count(rows) ? mastra_rows_text(rows, 0, 0)
                                          : NULL;
    }
    return rv;
}

apr_status_t mastra_db_query(mastra_rows_t **prows, mastra_db_t *db,
                             const char *sql, const mastra_bind_t *binds,
                             int nbinds, apr_pool_t *pool)
{
    apr_dbd_prepared_t *prepared;
    apr_dbd_results_t *results = NULL;
    const void **values;
    apr_status_t rv;
    int code;

    if (db->error != APR_SUCCESS) {
        return db->error;
    }
    rv = mastra_statement_get(&prepared, &values, db, sql, binds, nbinds,
                              pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* random access: without it pgsql hides errors and sleeps */
    code = apr_dbd_pbselect(db->driver, pool, db->handle, &results, prepared,
                            1, values);
    if (code) {
        return mastra_db_fail(db, code);
    }
    return mastra_rows_make(prows, db, results, pool);
}

apr_status_t mastra_db_execute(int *pchanged, mastra_db_t *db, const char *sql,
                               const mastra_bind_t *binds, int nbinds,
                               apr_pool_t *pool)
{
    apr_dbd_prepared_t *prepared;
    const void **values;
    apr_status_t rv;
    int code, changed = 0;

    if (db->error != APR_SUCCESS) {
        return db->error;
    }
    rv = mastra_statement_get(&prepared, &values, db, sql, binds, nbinds,
                              pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    code = apr_dbd_pbquery(db->driver, pool, db->handle, &changed, prepared,
                           values);
    if (code) {
        return mastra_db_fail(db, code);
    }
    db->changes += changed;
    db->unsettled += changed;
    if (pchanged) {
        *pchanged = changed;
    }
    return APR_SUCCESS;
}
