/* The databases that the store's tests run on: a fresh sqlite3 file, and a
 * schema of its own in the PostgreSQL that MASTRA_TEST_PGSQL names. */
#ifndef DBTEST_H
#define DBTEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_dbd.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "store/store.h"
#include "base/log.h"
#include "tap.h"

static apr_pool_t *test_pool;
static char test_dir[] = "/tmp/mastra-store-XXXXXX";
static const char *test_label = "";     /* "sqlite3: ", before test names */
static int test_errors;                 /* lines at level error */

static inline int test_log_enabled(mastra_log_level_e level)
{
    return level <= MASTRA_LOG_NOTICE;
}

static inline void test_log_write(mastra_log_level_e level, apr_status_t rv,
                                  const char *file, int line, const char *text)
{
    test_errors += level <= MASTRA_LOG_ERR;
    printf("# log: %s\n", text);
}

static inline void test_cleanup(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", test_dir);
    if (system(command)) {
        printf("# %s stays\n", test_dir);
    }
}

static inline void test_start(void)
{
    apr_initialize();
    apr_pool_create(&test_pool, NULL);
    mastra_log_set(test_log_enabled, test_log_write);
    if (!mkdtemp(test_dir)) {
        perror("mkdtemp");
        exit(1);
    }
}

static inline int test_end(void)
{
    apr_pool_destroy(test_pool);
    test_cleanup();
    return tap_done();
}

static inline const char *named(const char *name)
{
    return apr_pstrcat(test_pool, test_label, name, NULL);
}

#define OK(cond, name) ok(cond, named(name))
#define IS(got, want, name) is_str(got, want, named(name))
#define IS_INT(got, want, name) is_int(got, want, named(name))

/* Runs one statement outside of the store: set-up, and the foreign writer. */
static inline int test_sql(const char *driver_name, const char *params,
                           const char *sql)
{
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    int changed, code = -1;

    apr_dbd_init(test_pool);
    if (apr_dbd_get_driver(test_pool, driver_name, &driver) == APR_SUCCESS
        && apr_dbd_open(driver, test_pool, params, &handle) == APR_SUCCESS) {
        code = apr_dbd_query(driver, handle, &changed, sql);
        if (code) {
            printf("# %s\n", apr_dbd_error(driver, handle, code));
        }
        apr_dbd_close(driver, handle);
    }
    return code;
}

static inline mastra_store_conf_t test_sqlite3(const char *file)
{
    mastra_store_conf_t conf = { .driver = "sqlite3" };

    conf.params = apr_pstrcat(test_pool, test_dir, "/", file, NULL);
    return conf;
}

/* NULL: there is none. */
static inline const char *test_pgsql_params(void)
{
    const char *params = getenv("MASTRA_TEST_PGSQL");

    if (params && *params) {
        return params;
    }
    printf("# pgsql is not tested: MASTRA_TEST_PGSQL is not set "
           "(t/lib/with-postgres sets it)\n");
    return NULL;
}

static inline mastra_store_conf_t test_pgsql(const char *name)
{
    mastra_store_conf_t conf = { .driver = "pgsql" };
    const char *schema = apr_psprintf(test_pool, "t%d_%s", (int)getpid(),
                                      name);

    test_sql("pgsql", test_pgsql_params(),
             apr_pstrcat(test_pool, "CREATE SCHEMA ", schema, NULL));
    conf.params = apr_pstrcat(test_pool, test_pgsql_params(),
                              " options='-csearch_path=", schema, "'", NULL);
    return conf;
}

/* Calls test with an empty, migrated database of each kind. */
typedef void (test_cb)(const mastra_store_conf_t *conf);

static inline void test_migrate(const mastra_store_conf_t *conf)
{
    mastra_result_t *result = NULL;
    apr_status_t rv = mastra_store_migrate(conf, &result, test_pool);

    if (!OK(rv == APR_SUCCESS, "the tables are made")) {
        printf("# %s\n", result->message);
        exit(1);
    }
}

static inline void test_each(const char *name, test_cb *test)
{
    mastra_store_conf_t conf = test_sqlite3(name);

    test_label = "sqlite3: ";
    test_migrate(&conf);
    test(&conf);
    if (!test_pgsql_params()) {
        return;
    }
    test_label = "pgsql: ";
    conf = test_pgsql(name);
    test_migrate(&conf);
    test(&conf);
}

/* Text of a JSON value, which is released. */
static inline const char *take_text(mastra_json_t *json)
{
    const char *text = json ? mastra_json_text(json, test_pool) : NULL;

    mastra_json_unref(json);
    return text;
}

static inline mastra_json_t *parse(const char *text)
{
    mastra_json_t *json = NULL;
    mastra_json_error_t error;

    if (mastra_json_parse(&json, text, strlen(text), 0, &error)) {
        printf("# %s: %s\n", text, error.message);
    }
    return json;
}

#endif
