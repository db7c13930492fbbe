/* Databases that are locked, read-only, full, changed by others, or away. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/internal.h"
#include "store/threads.h"
#include "dbtest.h"

static mastra_store_t *store;

typedef struct {
    int number;
    apr_size_t size;
    apr_int64_t rows;
} row_t;

static apr_status_t add(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    row_t *row = baton;
    char *text = apr_palloc(pool, row->size + 1);
    const mastra_bind_t binds[] = { MASTRA_INT(row->number),
                                    MASTRA_TEXT(text) };

    memset(text, 'x', row->size);
    text[row->size] = '\0';
    return mastra_db_execute(NULL, db, "INSERT INTO x_test (id, name) "
                             "VALUES (?, ?)", binds, 2, pool);
}

static apr_status_t count(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    row_t *row = baton;
    mastra_rows_t *rows;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db, "SELECT count(*) FROM x_test", NULL, 0,
                         pool);
    if (rv == APR_SUCCESS) {
        row->rows = mastra_rows_int(rows, 0, 0);
    }
    return rv;
}

static apr_status_t add_row(int number, apr_size_t size)
{
    row_t row = { number, size, 0 };

    return mastra_store_call(store, MASTRA_STORE_WRITE, add, &row);
}

static int rows(void)
{
    row_t row = { 0, 0, -1 };

    mastra_store_call(store, MASTRA_STORE_READ, count, &row);
    return (int)row.rows;
}

static void open_store(const mastra_store_conf_t *conf)
{
    mastra_store_conf_t hasty = *conf;

    if (!hasty.patience) {
        hasty.patience = APR_USEC_PER_SEC;
    }
    if (mastra_store_open(&store, &hasty, test_pool) != APR_SUCCESS) {
        exit(1);
    }
}

static mastra_store_conf_t fresh(const char *path)
{
    mastra_store_conf_t conf = test_sqlite3(path);

    test_migrate(&conf);
    test_sql("sqlite3", conf.params,
             "CREATE TABLE x_test (id INTEGER PRIMARY KEY, name TEXT)");
    return conf;
}

static double since(apr_time_t start)
{
    return (apr_time_now() - start) / 1e6;
}

/* ---- sqlite3 ---- */

typedef struct {
    const mastra_store_conf_t *conf;
    const char *sql;
    int milliseconds;            /* how long at most */
    volatile int held, release;
} foreign_t;

static void *foreign_work(void *data)
{
    foreign_t *foreign = data;
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    apr_pool_t *pool;
    int changed, i;

    apr_pool_create(&pool, NULL);
    if (apr_dbd_get_driver(pool, foreign->conf->driver, &driver)
        || apr_dbd_open(driver, pool, foreign->conf->params, &handle)) {
        return NULL;
    }
    apr_dbd_query(driver, handle, &changed, "BEGIN IMMEDIATE");
    apr_dbd_query(driver, handle, &changed, foreign->sql);
    foreign->held = 1;
    for (i = 0; i < foreign->milliseconds && !foreign->release; i += 10) {
        apr_sleep(apr_time_from_msec(10));
    }
    apr_dbd_query(driver, handle, &changed, "COMMIT");
    apr_dbd_close(driver, handle);
    apr_pool_destroy(pool);
    return NULL;
}

/* A writer that does not know our lock holds the database for a while. */
static void foreign(pthread_t *thread, foreign_t *foreign)
{
    pthread_create(thread, NULL, foreign_work, foreign);
    while (!foreign->held) {
        apr_sleep(apr_time_from_msec(10));
    }
}

static void locked(void)
{
    mastra_store_conf_t conf = fresh("locked");
    foreign_t shortly = { &conf, "INSERT INTO x_test (id) VALUES (2)", 400 };
    foreign_t longer = { &conf, "INSERT INTO x_test (id) VALUES (4)", 60000 };
    apr_time_t start;
    apr_status_t rv;
    pthread_t thread;

    open_store(&conf);
    add_row(1, 1);
    foreign(&thread, &shortly);
    IS_INT(rows(), 1, "a foreign writer does not stop readers");
    IS_INT(add_row(3, 1), APR_SUCCESS, "nor, for a while, writers");
    pthread_join(thread, NULL);
    IS_INT(rows(), 3, "both wrote");
    foreign(&thread, &longer);
    start = apr_time_now();
    rv = add_row(5, 1);
    IS_INT(rv, MASTRA_STORE_BUSY, "after a longer while the answer is busy");
    OK(since(start) < 50, "and it comes in time");
    longer.release = 1;
    pthread_join(thread, NULL);
    IS_INT(add_row(6, 1), APR_SUCCESS, "later all is well again");
    mastra_store_close(store);
}

typedef struct {
    row_t row;                   /* first: what add knows */
    volatile apr_status_t rv;
} late_t;

static void told(void *baton, apr_status_t rv)
{
    ((late_t *)baton)->rv = rv;
}

/* How a job ends that waits for another process when its store is closed. */
static int closed_while(const char *path, int milliseconds)
{
    mastra_store_conf_t conf = fresh(path);
    foreign_t other = { &conf, "INSERT INTO x_test (id) VALUES (2)",
                        milliseconds };
    late_t late = { { 3, 10, 0 }, APR_INCOMPLETE };
    mastra_store_job_t job = { .mode = MASTRA_STORE_WRITE, .run = add,
                               .done = told, .baton = &late };
    pthread_t thread;
    apr_time_t start;

    conf.patience = apr_time_from_sec(20);
    open_store(&conf);
    add_row(1, 1);
    foreign(&thread, &other);
    start = apr_time_now();
    mastra_store_submit(store, &job);
    mastra_store_close(store);
    OK(since(start) < 50, "a store closes in time");
    other.release = 1;
    pthread_join(thread, NULL);
    return late.rv;
}

static void closing(void)
{
    IS_INT(closed_while("closing", 400), APR_SUCCESS,
           "... but lets what waits for another process have its turn");
    OK(closed_while("closed", 60000) != APR_SUCCESS,
       "... if that comes soon");
}

/* Another child of ours was stopped while it held the lock. */
static void stopped(void)
{
    mastra_store_conf_t conf = fresh("stopped");
    mastra_filelock_t *lock;
    apr_time_t start;
    apr_pool_t *pool;
    int status, fds[2];
    pid_t pid;
    char c;

    if (pipe(fds)) {
        return;
    }
    pid = fork();
    if (!pid) {
        apr_pool_create(&pool, NULL);
        mastra_filelock_open(&lock, apr_pstrcat(pool, conf.params,
                                                "-mastra-lock", NULL), pool);
        mastra_filelock_take(lock, APR_USEC_PER_SEC);
        if (write(fds[1], "x", 1) == 1) {
            pause();
        }
        _exit(0);
    }
    open_store(&conf);
    OK(read(fds[0], &c, 1) == 1, "another process has the lock");
    start = apr_time_now();
    IS_INT(add_row(1, 1), MASTRA_STORE_BUSY, "a writer is told so");
    OK(since(start) < 50, "in time");
    IS_INT(rows(), 0, "readers do not mind");
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    IS_INT(add_row(1, 1), APR_SUCCESS, "a dead process holds no lock");
    mastra_store_close(store);
}

static void changed_schema(void)
{
    mastra_store_conf_t conf = fresh("schema");

    open_store(&conf);
    add_row(1, 1);
    rows();
    OK(!test_sql("sqlite3", conf.params, "ALTER TABLE x_test ADD COLUMN y"),
       "another program alters a table");
    IS_INT(add_row(2, 1), APR_SUCCESS, "writers go on");
    IS_INT(rows(), 2, "readers, too");
    mastra_store_close(store);
}

/* In a child process, as somebody who may not write. */
static int without_rights(const mastra_store_conf_t *conf)
{
    apr_time_t start = apr_time_now();
    apr_status_t rv;

    if (!geteuid() && setuid(65534)) {
        return 1;
    }
    open_store(conf);
    rv = add_row(1, 1);
    printf("# writing says %d after %.1f s\n", rv, since(start));
    mastra_store_close(store);
    return rv == APR_SUCCESS || rv == MASTRA_STORE_BUSY || since(start) > 50;
}

static int in_child(int (*work)(const mastra_store_conf_t *conf),
                    const mastra_store_conf_t *conf)
{
    int status;
    pid_t pid = fork();

    if (!pid) {
        status = work(conf);
        fflush(stdout);
        _exit(status);
    }
    waitpid(pid, &status, 0);
    return status;
}

static void read_only(void)
{
    mastra_store_conf_t conf = fresh("readonly");
    const char *lock = apr_pstrcat(test_pool, conf.params, "-mastra-lock",
                                   NULL);

    chmod(test_dir, 0755);
    chmod(conf.params, 0444);
    chmod(lock, 0666);
    IS_INT(in_child(without_rights, &conf), 0,
           "a database that may not be written says so at once");
    chmod(lock, 0);
    IS_INT(in_child(without_rights, &conf), 0,
           "a lock file that may not be opened, too");
}

static int until_full(const mastra_store_conf_t *conf, const char *filler)
{
    apr_status_t rv = APR_SUCCESS;
    int i, kept;

    open_store(conf);
    for (i = 1; i < 2000 && rv == APR_SUCCESS; i++) {
        rv = add_row(i, 4000);
    }
    i -= 2;
    printf("# after %d rows: %d\n", i, rv);
    OK(rv != APR_SUCCESS && !mastra_db_passing(rv), "a full disk is an error");
    IS_INT(rows(), i, "what was acknowledged is there");
    if (filler) {
        unlink(filler);
        IS_INT(add_row(5000, 4000), APR_SUCCESS, "with room again it goes on");
        kept = rows();
        printf("# %d of %d\n", kept, i + 1);
        IS_INT(kept, i + 1, "and nothing is lost");
    }
    mastra_store_close(store);
    return 0;
}

static int limited(const mastra_store_conf_t *conf)
{
    struct rlimit limit = { 1 << 20, 1 << 20 };

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    until_full(conf, NULL);
    return tap_failed;
}

static void full_disk(void)
{
    const char *mountpoint = apr_pstrcat(test_pool, test_dir, "/small", NULL);
    const char *filler = apr_pstrcat(test_pool, mountpoint, "/filler", NULL);
    mastra_store_conf_t conf;
    int fd;

    mkdir(mountpoint, 0755);
    if (mount("tmpfs", mountpoint, "tmpfs", 0, "size=3m")) {
        printf("# no small disk can be mounted here: %s\n", strerror(errno));
        conf = fresh("limited");
        IS_INT(in_child(limited, &conf), 0, "a file that may not grow");
        return;
    }
    conf = fresh("small/full");
    fd = open(filler, O_CREAT | O_WRONLY, 0600);
    OK(!posix_fallocate(fd, 0, 1 << 20), "a small disk");
    close(fd);
    until_full(&conf, filler);
    umount(mountpoint);
}

/* ---- pgsql ---- */

static volatile int stop_writing;
static long written, refused;
static apr_time_t worst;

static void *write_on(void *data)
{
    apr_time_t start;
    apr_status_t rv;
    int i;

    for (i = 1; !stop_writing; i++) {
        start = apr_time_now();
        rv = add_row(i, 10);
        start = apr_time_now() - start;
        worst = start > worst ? start : worst;
        if (rv == APR_SUCCESS) {
            written++;
        }
        else {
            printf("# row %d: %d\n", i, rv);
            refused++;
        }
    }
    return NULL;
}

static int control(const char *what)
{
    return system(apr_pstrcat(test_pool, getenv("MASTRA_TEST_PGSQL_CTL"), " ",
                              what, NULL));
}

static void restart(const char *how)
{
    pthread_t thread;

    stop_writing = 0;
    written = refused = 0;
    worst = 0;
    pthread_create(&thread, NULL, write_on, NULL);
    apr_sleep(apr_time_from_msec(300));
    IS_INT(control(how), 0, how);
    apr_sleep(apr_time_from_msec(700));
    stop_writing = 1;
    pthread_join(thread, NULL);
    printf("# %ld rows, worst wait %.1f s\n", written, worst / 1e6);
    IS_INT(refused, 0, "no job fails over it");
    IS_INT(rows(), written, "no row is lost or written twice");
}

static void server_away(void)
{
    mastra_store_conf_t conf;
    apr_time_t start;
    apr_status_t rv;
    int i;

    conf = test_pgsql("away");
    test_migrate(&conf);
    test_sql("pgsql", conf.params,
             "CREATE TABLE x_test (id bigint PRIMARY KEY, name text)");
    conf.patience = apr_time_from_sec(20);
    open_store(&conf);
    restart("restart");
    test_sql("pgsql", conf.params, "DELETE FROM x_test");
    restart("crash");
    mastra_store_close(store);
    conf.patience = apr_time_from_sec(1);
    open_store(&conf);
    IS_INT(control("stop"), 0, "stop");
    start = apr_time_now();
    rv = add_row(900000, 1);
    OK(mastra_db_passing(rv), "a server that is away is a passing error");
    OK(since(start) < 50, "which comes in time");
    IS_INT(mastra_store_result(test_pool, rv, "x")->status, 503, "503");
    IS_INT(control("start"), 0, "start");
    /* on a busy machine it may not have a new connection within a second */
    for (i = 0; i < 60 && (rv = add_row(900001, 1)) != APR_SUCCESS; i++) {
    }
    IS_INT(rv, APR_SUCCESS, "then all is well");
    mastra_store_close(store);
}

/* Two jobs that lock the same rows in opposite order, in two stores. */
static apr_status_t cross(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    const row_t *row = baton;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < 2 && rv == APR_SUCCESS; i++) {
        const mastra_bind_t binds[] = { MASTRA_INT((row->number + i) % 2) };

        rv = mastra_db_execute(NULL, db, "UPDATE x_test SET name = name || '.' "
                               "WHERE id = ?", binds, 1, pool);
        apr_sleep(2000);
    }
    return rv;
}

typedef struct {
    mastra_store_t *store;
    int number, failed;
} crossing_t;

static void *cross_on(void *data)
{
    crossing_t *crossing = data;
    row_t row = { crossing->number, 0, 0 };
    int i;

    for (i = 0; i < 10; i++) {
        crossing->failed += mastra_store_call(crossing->store,
                                              MASTRA_STORE_WRITE, cross, &row)
                            != APR_SUCCESS;
    }
    return NULL;
}

static void deadlocks(void)
{
    mastra_store_conf_t conf = test_pgsql("deadlock");
    crossing_t crossings[2] = { { NULL, 0, 0 }, { NULL, 1, 0 } };
    pthread_t threads[2];
    apr_time_t start = apr_time_now();
    int i;

    /* each takes the server a second to find out */
    conf.patience = apr_time_from_sec(60);
    test_migrate(&conf);
    test_sql("pgsql", conf.params, "CREATE TABLE x_test (id bigint PRIMARY "
             "KEY, name text); INSERT INTO x_test VALUES (0, ''), (1, '')");
    for (i = 0; i < 2; i++) {
        mastra_store_open(&crossings[i].store, &conf, test_pool);
        pthread_create(&threads[i], NULL, cross_on, &crossings[i]);
    }
    for (i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        mastra_store_close(crossings[i].store);
    }
    printf("# 20 jobs across each other took %.1f s\n", since(start));
    IS_INT(crossings[0].failed + crossings[1].failed, 0,
           "deadlocks are retried until they are none");
}

int main(void)
{
    test_start();
    test_label = "sqlite3: ";
    locked();
    closing();
    stopped();
    changed_schema();
    read_only();
    full_disk();
    if (test_pgsql_params()) {
        test_label = "pgsql: ";
        deadlocks();
        server_away();
    }
    return test_end();
}
