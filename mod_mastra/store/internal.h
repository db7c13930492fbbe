#ifndef MASTRA_STORE_INTERNAL_H
#define MASTRA_STORE_INTERNAL_H

/* A connection, its statements and its errors, as the files of store/ share
 * them. One thread owns a connection. */

#include <apr_dbd.h>
#include <apr_hash.h>

#include "threads.h"
#include "dialect.h"

#define MASTRA_STORE_LOST APR_ECONNRESET  /* the connection is gone */

typedef struct mastra_statement_t mastra_statement_t;

struct mastra_db_t {
    const mastra_dialect_t *dialect;
    const mastra_store_conf_t *conf;
    const apr_dbd_driver_t *driver;
    const char *params;
    apr_pool_t *parent;
    apr_pool_t *pool;            /* as long as handle */
    apr_dbd_t *handle;           /* NULL: not connected */
    apr_hash_t *statements;      /* by text, chains by the kinds of binds */
    int nstatements;
    void *state;                 /* the dialect's, in pool */

    apr_status_t error;          /* first error since mastra_db_mark */
    char error_text[256];
    int changes;                 /* rows changed since mastra_db_mark */
    int unsettled;               /* rows changed since housekeeping was due */
    int changes_tables;          /* prepared statements do not survive that */
};

/* ---- db.c ---- */

/* A connection object that is not connected yet. */
mastra_db_t *mastra_db_make(const mastra_dialect_t *dialect,
                            const apr_dbd_driver_t *driver,
                            const mastra_store_conf_t *conf, apr_pool_t *pool);
/* The driver of apr_dbd; *pwhy is a sentence when it fails. */
apr_status_t mastra_db_driver(const apr_dbd_driver_t **pdriver,
                              const mastra_dialect_t *dialect,
                              const char **pwhy, apr_pool_t *pool);
apr_status_t mastra_db_connect(mastra_db_t *db);
void mastra_db_disconnect(mastra_db_t *db);

/* Connects first when needed. */
apr_status_t mastra_db_begin(mastra_db_t *db, mastra_store_mode_e mode,
                             int hurry);
apr_status_t mastra_db_commit(mastra_db_t *db, mastra_store_mode_e mode);
/* Drops the connection when it does not answer: MASTRA_STORE_LOST then. */
apr_status_t mastra_db_rollback(mastra_db_t *db);
/* A job begins: forgets errors and counts. */
void mastra_db_mark(mastra_db_t *db);

/* Notes what the driver says about its return code, returns the status. */
apr_status_t mastra_db_fail(mastra_db_t *db, int code);
/* A constant statement without binds or rows; errors are noted. */
apr_status_t mastra_db_plain(mastra_db_t *db, const char *sql);
/* First value of the first row of a constant statement, NULL when there is
 * none. */
apr_status_t mastra_db_value(const char **pvalue, mastra_db_t *db,
                             const char *sql, apr_pool_t *pool);
/* The database's clock: one clock for all who share it. Milliseconds. */
apr_status_t mastra_db_now(apr_int64_t *pms, mastra_db_t *db,
                           apr_pool_t *pool);
/* 1 for a status that another attempt may cure. */
int mastra_db_passing(apr_status_t rv);

/* ---- statement.c ---- */

#define MASTRA_STATEMENT_SLOTS 64

/* The statement of sql on this connection, prepared at first use; values are
 * the driver's, in pool. */
apr_status_t mastra_statement_get(apr_dbd_prepared_t **pprepared,
                                  const void ***pvalues, mastra_db_t *db,
                                  const char *sql, const mastra_bind_t *binds,
                                  int nbinds, apr_pool_t *pool);
/* The driver's spelling of sql; slots receive the index of the bind of each
 * placeholder. APR_EINVAL for what is not ours. For tests, too. */
apr_status_t mastra_statement_translate(const char **ptext, int *slots,
                                        int *pnslots,
                                        const mastra_dialect_t *dialect,
                                        const char *sql,
                                        const mastra_bind_t *binds, int nbinds,
                                        apr_pool_t *pool);

/* ---- rows.c ---- */

apr_status_t mastra_rows_make(mastra_rows_t **prows, mastra_db_t *db,
                              apr_dbd_results_t *results, apr_pool_t *pool);
/* A time column as the API shows it; NULL for NULL. */
const char *mastra_rows_iso(const mastra_rows_t *rows, int row, int column);

/* ---- lock.c ---- */

typedef struct mastra_filelock_t mastra_filelock_t;

apr_status_t mastra_filelock_open(mastra_filelock_t **plock, const char *path,
                                  apr_pool_t *pool);
/* APR_EAGAIN when others hold it for longer than patience. */
apr_status_t mastra_filelock_take(mastra_filelock_t *lock,
                                  apr_interval_time_t patience);
void mastra_filelock_drop(mastra_filelock_t *lock);

/* ---- records.c: between rows and JSON ---- */

/* A time member of object as SQL's value: now when it is missing, APR_EINVAL
 * when it is no date. */
apr_status_t mastra_record_time(apr_time_t *ptime, const mastra_json_t *object,
                                const char *key);
/* JSON of a column that may hold NULL: then JSON's null. */
mastra_json_t *mastra_record_json(const mastra_rows_t *rows, int row,
                                  int column);
/* 1 when object has all members of wanted, with equal values. */
int mastra_record_has(const mastra_json_t *object,
                      const mastra_json_t *wanted);

/* The years 1 and 9999: where both dialects' times end. */
#define MASTRA_TIME_FIRST (APR_INT64_C(-62135596800) * APR_USEC_PER_SEC)
#define MASTRA_TIME_LAST (APR_INT64_C(253402300799) * APR_USEC_PER_SEC)

/* ---- messages.c: rows of mastra_messages ---- */

#define MASTRA_MESSAGE_COLUMNS \
    "SELECT id, content, role, type, \"createdAt\", thread_id, " \
    "\"resourceId\" FROM mastra_messages"

/* The content column as format 2. New reference. */
mastra_json_t *mastra_message_content(const char *text);
/* backwards: the last row first. */
void mastra_message_append(mastra_json_t *messages, const mastra_rows_t *rows,
                           int backwards);

/* A new array of messages, oldest first: message_lists.c. */
mastra_json_t *mastra_message_sort(const mastra_json_t *messages,
                                   apr_pool_t *pool);

#endif
