#ifndef MASTRA_STORE_STORE_H
#define MASTRA_STORE_STORE_H

#include <apr_pools.h>
#include <apr_time.h>

#include "../base/json.h"
#include "../base/result.h"

/*
 * Storage over apr_dbd. A store stands for one database in one child: a pool
 * of connections of our own (mod_dbd's parameters, none of its code), and the
 * threads that use them. All SQL runs in jobs on these threads, each job in a
 * transaction; write jobs that wait together commit together (group commit).
 * done comes after the commit: what it reports as APR_SUCCESS is on disk.
 */
typedef struct mastra_store_t mastra_store_t;
typedef struct mastra_db_t mastra_db_t;    /* a connection inside a job */

typedef struct {
    const char *driver;      /* "sqlite3", "pgsql"; later "mysql" */
    const char *params;      /* as DBDParams; for sqlite3 the file's path */
    int max_connections;     /* per child, at least 2; 0: 4 */
    int max_queued;          /* waiting jobs; 0: 4096 */
    int synchronous_normal;  /* sqlite3: 1 for NORMAL, 0 for FULL */
    const char *lock_path;   /* sqlite3: file of the cross-process lock; NULL:
                                params with "-mastra-lock" */
    apr_interval_time_t patience; /* after that a job whose database is away or
                                     busy is given up; 0: five seconds */
} mastra_store_conf_t;

/* Brings the schema up to date, under a lock, safe when several servers start
 * at once. Main process, before children exist; closes its connection. On
 * failure *presult says why. */
apr_status_t mastra_store_migrate(const mastra_store_conf_t *conf,
                                  mastra_result_t **presult, apr_pool_t *pool);

/* Starts the threads. child_init, or a unit test. */
apr_status_t mastra_store_open(mastra_store_t **pstore,
                               const mastra_store_conf_t *conf,
                               apr_pool_t *pool);
/* Runs what is queued, then joins the threads. */
void mastra_store_close(mastra_store_t *store);
/* One thread writes for all: jobs of less work are better than many of them. */
int mastra_store_writes_singly(const mastra_store_t *store);

typedef enum { MASTRA_STORE_READ, MASTRA_STORE_WRITE } mastra_store_mode_e;

/* The work of a job: on a store thread, inside a transaction. It may be run
 * again from the start (deadlock, lost connection, a neighbour in the group
 * that failed), so it sets its results last and has no other effect than SQL.
 * pool lives for this run only. APR_SUCCESS commits, anything else rolls this
 * job back and is reported as it is. */
typedef apr_status_t (mastra_store_run_cb)(mastra_db_t *db, void *baton,
                                           apr_pool_t *pool);
/* On a store thread, after commit or roll-back: short, usually posts. */
typedef void (mastra_store_done_cb)(void *baton, apr_status_t rv);

/* Embedded in its owner's memory until done is called. */
typedef struct mastra_store_job_t {
    struct mastra_store_job_t *next;
    mastra_store_mode_e mode;
    mastra_store_run_cb *run;
    mastra_store_done_cb *done;
    void *baton;
    apr_status_t rv;         /* the store's */
    apr_time_t queued_at;    /* the store's */
} mastra_store_job_t;

/* From any thread, never blocks. APR_EAGAIN when the queue is full: then done
 * does not come. Else it may have come, and the job be gone, by the time this
 * returns: what it returns is not to be put where done puts its status. */
apr_status_t mastra_store_submit(mastra_store_t *store,
                                 mastra_store_job_t *job);
/* Submits and waits: request threads only, never the loop. */
apr_status_t mastra_store_call(mastra_store_t *store, mastra_store_mode_e mode,
                               mastra_store_run_cb *run, void *baton);

/* Status values with a meaning of their own. */
#define MASTRA_STORE_BUSY APR_EAGAIN        /* try again: 503 */
#define MASTRA_STORE_NOT_FOUND APR_NOTFOUND
#define MASTRA_STORE_EXISTS APR_EEXIST      /* a key is taken: 409 */

/* rv of a job as a result for clients: 503 with Retry-After for busy and lost
 * databases, 500 else. */
mastra_result_t *mastra_store_result(apr_pool_t *pool, apr_status_t rv,
                                     const char *what);

/* ---- statements: inside jobs only ---- */

typedef enum {
    MASTRA_BIND_TEXT, MASTRA_BIND_INT, MASTRA_BIND_REAL, MASTRA_BIND_TIME,
    MASTRA_BIND_JSON, MASTRA_BIND_NULL, MASTRA_BIND_BYTES
} mastra_bind_e;
typedef struct {
    mastra_bind_e type;
    const char *text;        /* TEXT; NULL is SQL's NULL */
    apr_size_t len;          /* BYTES */
    apr_int64_t integer;
    double real;
    apr_time_t time;         /* TIME: written as the dialect stores times */
    const mastra_json_t *json; /* JSON: NULL is SQL's NULL */
} mastra_bind_t;

#define MASTRA_TEXT(s) ((mastra_bind_t){ .type = MASTRA_BIND_TEXT, .text = (s) })
#define MASTRA_INT(n) ((mastra_bind_t){ .type = MASTRA_BIND_INT, .integer = (n) })
#define MASTRA_REAL(n) ((mastra_bind_t){ .type = MASTRA_BIND_REAL, .real = (n) })
#define MASTRA_TIME(t) ((mastra_bind_t){ .type = MASTRA_BIND_TIME, .time = (t) })
#define MASTRA_NULL ((mastra_bind_t){ .type = MASTRA_BIND_NULL })
#define MASTRA_BYTES(d, n) ((mastra_bind_t){ .type = MASTRA_BIND_BYTES, \
                                             .text = (d), .len = (n) })
#define MASTRA_JSON(j) ((mastra_bind_t){ .type = MASTRA_BIND_JSON, .json = (j) })

/* Statements are constants in one spelling for all dialects: "?" for the next
 * bound value or "?2" for the second, camelCase columns in double quotes;
 * "createdAt*" and "?*" for a time that some dialects keep in two columns,
 * json(column) for a JSON column, rowid for the order of insertion; see
 * statement.c. The result of a query is read to its end; its texts live as
 * long as pool. */
typedef struct mastra_rows_t mastra_rows_t;
apr_status_t mastra_db_query(mastra_rows_t **prows, mastra_db_t *db,
                             const char *sql, const mastra_bind_t *binds,
                             int nbinds, apr_pool_t *pool);
apr_status_t mastra_db_execute(int *pchanged, mastra_db_t *db, const char *sql,
                               const mastra_bind_t *binds, int nbinds,
                               apr_pool_t *pool);
int mastra_rows_count(const mastra_rows_t *rows);
/* Column values by row and column index; NULL for SQL's NULL. */
const char *mastra_rows_text(const mastra_rows_t *rows, int row, int column);
apr_int64_t mastra_rows_int(const mastra_rows_t *rows, int row, int column);
apr_time_t mastra_rows_time(const mastra_rows_t *rows, int row, int column);
/* All rows as an array of objects by column name, values as strings or null.
 * New reference. */
mastra_json_t *mastra_rows_objects(const mastra_rows_t *rows);
/* JSON text, or, where the statement selects json(column), LibSQL's JSONB
 * blob decoded; new reference or NULL. */
mastra_json_t *mastra_rows_json(const mastra_rows_t *rows, int row, int column);
/* The bytes of a blob, in the pool of the query. APR_ENOENT for NULL. */
apr_status_t mastra_rows_bytes(const unsigned char **pdata, apr_size_t *plen,
                               const mastra_rows_t *rows, int row, int column);

#endif
