/* Jobs that wait for the disk: told in order, all of them, with what the disk
 * said, and never run again when it said no. */

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "store/internal.h"
#include "store/sync.h"
#include "dbtest.h"

#define GROUPS 300               /* more than may wait at once */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int told[2 * GROUPS], ntold, failed;

static void job_told(void *baton, apr_status_t rv)
{
    pthread_mutex_lock(&lock);
    told[ntold++] = (int)(apr_uintptr_t)baton;
    failed += rv != APR_SUCCESS;
    pthread_mutex_unlock(&lock);
}

static mastra_store_job_t *job_of(int number)
{
    mastra_store_job_t *job = apr_pcalloc(test_pool, sizeof(*job));

    job->done = job_told;
    job->baton = (void *)(apr_uintptr_t)number;
    return job;
}

static int in_order(int n)
{
    int i;

    for (i = 0; i < n; i++) {
        if (told[i] != i) {
            return 0;
        }
    }
    return ntold == n;
}

static int open_log(const char *name)
{
    return open(apr_pstrcat(test_pool, test_dir, "/", name, NULL),
                O_RDWR | O_CREAT, 0600);
}

static void test_order(void)
{
    mastra_syncer_t *syncer = NULL;
    int logs[2] = { open_log("one-wal"), open_log("two-wal") }, i;

    ok(!mastra_syncer_start(&syncer, test_pool), "a syncer");
    for (i = 0; i < GROUPS; i++) {
        mastra_store_job_t *jobs = job_of(2 * i);

        jobs->next = job_of(2 * i + 1);
        mastra_syncer_tell(syncer, logs[i / 7 % 2], jobs, i % 5 != 0);
    }
    /* what it was given is synced by descriptors of its own */
    close(logs[0]);
    close(logs[1]);
    mastra_syncer_stop(syncer);
    ok(in_order(2 * GROUPS), "all are told in order before it stops");
    is_int(failed, 0, "... with success");
}

static void test_own_answer(void)
{
    mastra_syncer_t *syncer = NULL;
    mastra_store_job_t *job = job_of(0);
    int log = open_log("own-wal");

    ntold = failed = 0;
    mastra_syncer_start(&syncer, test_pool);
    job->rv = APR_EEXIST;
    mastra_syncer_tell(syncer, log, job, 1);
    mastra_syncer_stop(syncer);
    is_int(failed, 1, "a job keeps the answer that it gave itself");
    close(log);
}

/* ---- the store ---- */

static int runs;

static apr_status_t count_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    const mastra_bind_t bind = MASTRA_INT(*(int *)baton);

    __atomic_add_fetch(&runs, 1, __ATOMIC_SEQ_CST);
    return mastra_db_execute(NULL, db, "INSERT INTO x_test (id, name) "
                             "VALUES (?, 'x')", &bind, 1, pool);
}

/* The log is taken away under the store: what is committed cannot be synced. */
static void test_failure(void)
{
    mastra_store_conf_t conf = test_sqlite3("failing.db");
    mastra_store_t *store;
    int number = 1;

    test_migrate(&conf);
    test_sql("sqlite3", conf.params,
             "CREATE TABLE x_test (id INTEGER PRIMARY KEY, name TEXT)");
    ok(!mastra_store_open(&store, &conf, test_pool), "its store");
    is_int(mastra_store_call(store, MASTRA_STORE_WRITE, count_run, &number),
           APR_SUCCESS, "a job");
    unlink(apr_pstrcat(test_pool, conf.params, "-wal", NULL));
    number = 2;
    runs = test_errors = 0;
    ok(mastra_store_call(store, MASTRA_STORE_WRITE, count_run, &number)
       != APR_SUCCESS, "a job whose commit cannot be synced has failed");
    is_int(runs, 1, "... and was not run again");
    is_int(test_errors, 1, "... and it is logged");
    mastra_store_close(store);
}

int main(void)
{
    test_start();
    test_order();
    test_own_answer();
    test_failure();
    return test_end();
}
