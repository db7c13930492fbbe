/* Jobs, groups, binds and errors, on each database. */

#include <semaphore.h>
#include <errno.h>

#include "dbtest.h"

static mastra_store_t *store;
static const char *driver;

/* A job that runs one function, and what became of it. */
typedef struct step_t {
    mastra_store_job_t job;
    apr_status_t (*work)(struct step_t *step, mastra_db_t *db,
                         apr_pool_t *pool);
    int number;
    int runs;
    apr_status_t rv;
    sem_t *told;
    const char *text;
    apr_int64_t integer;
} step_t;

static sem_t told, hold, held;

static apr_status_t run_step(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    step_t *step = baton;

    step->runs++;
    return step->work(step, db, pool);
}

static void done_step(void *baton, apr_status_t rv)
{
    step_t *step = baton;

    step->rv = rv;
    sem_post(&told);
}

static apr_status_t submit(step_t *step, mastra_store_mode_e mode)
{
    step->job = (mastra_store_job_t){ .mode = mode, .run = run_step,
                                      .done = done_step, .baton = step };
    return mastra_store_submit(store, &step->job);
}

static void wait_for(sem_t *semaphore, int n)
{
    while (n) {
        n -= sem_wait(semaphore) == 0;
    }
}

static apr_status_t call(step_t *step, mastra_store_mode_e mode)
{
    return mastra_store_call(store, mode, run_step, step);
}

/* ---- pieces of work ---- */

static const char insert[] = "INSERT INTO x_test (id, name) VALUES (?, ?)";

static apr_status_t add(step_t *step, mastra_db_t *db, apr_pool_t *pool)
{
    const mastra_bind_t binds[] = { MASTRA_INT(step->number),
                                    MASTRA_TEXT("row") };

    return mastra_db_execute(NULL, db, insert, binds, 2, pool);
}

static apr_status_t add_then_refuse(step_t *step, mastra_db_t *db,
                                    apr_pool_t *pool)
{
    apr_status_t rv = add(step, db, pool);

    return rv == APR_SUCCESS ? APR_EINVAL : rv;
}

static apr_status_t refuse(step_t *step, mastra_db_t *db, apr_pool_t *pool)
{
    return MASTRA_STORE_NOT_FOUND;
}

/* Adds a row, breaks a rule and says that all is well. */
static apr_status_t add_then_break(step_t *step, mastra_db_t *db,
                                   apr_pool_t *pool)
{
    mastra_rows_t *rows;

    add(step, db, pool);
    if (!strcmp(driver, "pgsql")) {
        mastra_db_query(&rows, db, "SELECT 1 / CAST(? AS integer)",
                        &MASTRA_INT(0), 1, pool);
    }
    else {
        mastra_db_execute(NULL, db, insert, (mastra_bind_t[]) {
            MASTRA_NULL, MASTRA_TEXT("row") }, 2, pool);
    }
    return APR_SUCCESS;
}

static apr_status_t count(step_t *step, mastra_db_t *db, apr_pool_t *pool)
{
    const mastra_bind_t binds[] = { MASTRA_INT(step->number),
                                    MASTRA_INT(step->number + 999) };
    mastra_rows_t *rows;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db, "SELECT count(*) FROM x_test "
                         "WHERE id BETWEEN ? AND ?", binds, 2, pool);
    if (rv == APR_SUCCESS) {
        step->integer = mastra_rows_int(rows, 0, 0);
    }
    return rv;
}

/* Keeps the writing thread until the test lets it go. */
static apr_status_t keep(step_t *step, mastra_db_t *db, apr_pool_t *pool)
{
    if (step->runs == 1) {
        sem_post(&held);
        wait_for(&hold, 1);
    }
    return add(step, db, pool);
}

/* Rows with ids from first to first + 999. */
static int rows_from(int first)
{
    step_t step = { .work = count, .number = first };

    return call(&step, MASTRA_STORE_READ) == APR_SUCCESS ? (int)step.integer
                                                         : -1;
}

/* ---- tests ---- */

static void commits(void)
{
    step_t first = { .work = keep, .number = 1000 };
    step_t second = { .work = add, .number = 1001 };

    submit(&first, MASTRA_STORE_WRITE);
    wait_for(&held, 1);
    IS_INT(rows_from(1000), 0, "a row is not seen before the commit");
    sem_post(&hold);
    wait_for(&told, 1);
    IS_INT(first.rv, APR_SUCCESS, "then the job is told");
    IS_INT(rows_from(1000), 1, "and all see the row");
    IS_INT(call(&second, MASTRA_STORE_WRITE), APR_SUCCESS, "a call");
    IS_INT(call(&second, MASTRA_STORE_WRITE), MASTRA_STORE_EXISTS,
           "the same key again exists");
    IS_INT(rows_from(1000), 2, "and is there once");
}

static step_t later = { .work = count, .number = 7000 };

/* On the thread that has just run a read job: somebody writes a row, is told,
 * and asks for it. */
static void write_and_ask(void *baton, apr_status_t rv)
{
    step_t step = { .work = add, .number = 7001 };

    IS_INT(call(&step, MASTRA_STORE_WRITE), APR_SUCCESS, "a row is written "
           "between two reads");
    submit(&later, MASTRA_STORE_READ);
    sem_post(&told);
}

static void fresh_reads(void)
{
    step_t first = { .work = count, .number = 7000 };

    first.job = (mastra_store_job_t){ .mode = MASTRA_STORE_READ,
        .run = run_step, .done = write_and_ask, .baton = &first };
    later.runs = 0;
    mastra_store_submit(store, &first.job);
    wait_for(&told, 2);
    IS_INT(first.integer, 0, "the first read does not see it");
    IS_INT(later.integer, 1, "whoever asks after it was told sees it");
}

static void errors(void)
{
    step_t broken = { .work = add_then_break, .number = 2000 };
    step_t refused = { .work = add_then_refuse, .number = 2001 };
    step_t missing = { .work = refuse };

    OK(call(&broken, MASTRA_STORE_WRITE) != APR_SUCCESS,
       "a statement that failed fails the job, whatever it says");
    IS_INT(call(&refused, MASTRA_STORE_WRITE), APR_EINVAL,
           "a job that refuses is reported as it says");
    IS_INT(rows_from(2000), 0, "neither leaves a row");
    IS_INT(call(&missing, MASTRA_STORE_READ), MASTRA_STORE_NOT_FOUND,
           "so is a read job");
}

static void groups(void)
{
    step_t first = { .work = keep, .number = 3000 }, steps[20];
    int i, failed = 0, good = 0;

    memset(steps, 0, sizeof(steps));
    submit(&first, MASTRA_STORE_WRITE);
    wait_for(&held, 1);
    for (i = 0; i < 20; i++) {
        steps[i].number = 3001 + i;
        steps[i].work = i == 5 ? add_then_refuse : i == 9 ? add_then_break
                        : i == 13 ? refuse : add;
        submit(&steps[i], MASTRA_STORE_WRITE);
    }
    sem_post(&hold);
    wait_for(&told, 21);
    for (i = 0; i < 20; i++) {
        good += steps[i].rv == APR_SUCCESS;
        failed += steps[i].rv != APR_SUCCESS;
    }
    IS_INT(first.rv, APR_SUCCESS, "the first of a group succeeds");
    IS_INT(good, 17, "the others of a group with bad members succeed");
    IS_INT(failed, 3, "the bad ones fail");
    IS_INT(steps[5].rv, APR_EINVAL, "one as it said");
    IS_INT(steps[13].rv, MASTRA_STORE_NOT_FOUND, "one harmlessly");
    IS_INT(rows_from(3000), 18, "only the good ones' rows are there");
}

static apr_status_t write_values(step_t *step, mastra_db_t *db,
                                 apr_pool_t *pool)
{
    const mastra_bind_t binds[] = {
        MASTRA_INT(4000), MASTRA_NULL, MASTRA_REAL(0.1),
        MASTRA_BYTES("a\0b\\\xff\0", 6), MASTRA_INT(APR_INT64_MAX),
        MASTRA_INT(4001), MASTRA_TEXT(""), MASTRA_NULL, MASTRA_NULL,
        MASTRA_INT(-1), MASTRA_INT(4002), MASTRA_TEXT("100% ?'\"\xc3\xa9"),
        MASTRA_REAL(1e300), MASTRA_BYTES("", 0), MASTRA_NULL
    };

    return mastra_db_execute(&step->number, db,
        "INSERT INTO x_test (id, name, ratio, data, big) VALUES "
        "(?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?)", binds, 15, pool);
}

static apr_status_t read_values(step_t *step, mastra_db_t *db,
                                apr_pool_t *pool)
{
    const unsigned char *data = NULL;
    apr_size_t len = 0;
    mastra_rows_t *rows;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db, "SELECT name, ratio, data, big FROM x_test "
                         "WHERE id BETWEEN 4000 AND 4999 ORDER BY id "
                         "LIMIT ? OFFSET ?", (mastra_bind_t[]) {
                             MASTRA_INT(9), MASTRA_INT(0) }, 2, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    IS_INT(mastra_rows_count(rows), 3, "three rows are read");
    IS(mastra_rows_text(rows, 0, 0), NULL, "NULL is NULL");
    IS(mastra_rows_text(rows, 1, 0), "", "an empty text is not");
    IS(mastra_rows_text(rows, 2, 0), "100% ?'\"\xc3\xa9", "odd characters");
    OK(atof(mastra_rows_text(rows, 0, 1)) == 0.1, "0.1 is 0.1");
    OK(atof(mastra_rows_text(rows, 2, 1)) == 1e300, "a large number");
    OK(mastra_rows_int(rows, 0, 3) == APR_INT64_MAX, "a large integer");
    IS_INT(mastra_rows_int(rows, 1, 3), -1, "a negative one");
    OK(mastra_rows_bytes(&data, &len, rows, 0, 2) == APR_SUCCESS && len == 6
       && !memcmp(data, "a\0b\\\xff\0", 6), "bytes with NUL");
    IS_INT(mastra_rows_bytes(&data, &len, rows, 1, 2), APR_ENOENT,
           "no bytes at all");
    OK(mastra_rows_bytes(&data, &len, rows, 2, 2) == APR_SUCCESS && !len,
       "empty bytes");
    IS(mastra_rows_text(rows, 3, 0), NULL, "beyond the last row");
    IS(mastra_rows_text(rows, 0, 4), NULL, "beyond the last column");
    return APR_SUCCESS;
}

static apr_status_t read_json(step_t *step, mastra_db_t *db, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    mastra_json_t *json;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db, "SELECT json(doc) FROM x_test "
                         "WHERE id BETWEEN 5000 AND 5999 ORDER BY id", NULL, 0,
                         pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    IS(take_text(mastra_rows_json(rows, 0, 0)), "{\"a\":[1,0.5,\"x\"]}",
       "JSON that was bound");
    OK(mastra_rows_json(rows, 1, 0) == NULL, "no JSON");
    json = mastra_rows_json(rows, 2, 0);
    IS(take_text(json), !strcmp(driver, "pgsql") ? NULL : "{\"a\":true}",
       "JSONB as LibSQL stores it");
    return APR_SUCCESS;
}

static apr_status_t write_json(step_t *step, mastra_db_t *db, apr_pool_t *pool)
{
    mastra_json_t *json = mastra_json_own(parse("{\"a\":[1,0.5,\"x\"]}"),
                                          pool);
    const mastra_bind_t binds[] = { MASTRA_INT(5000), MASTRA_JSON(json),
                                    MASTRA_INT(5001), MASTRA_JSON(NULL) };

    return mastra_db_execute(NULL, db, "INSERT INTO x_test (id, doc) VALUES "
                             "(?, ?), (?, ?)", binds, 4, pool);
}

static void values(const mastra_store_conf_t *conf)
{
    step_t writer = { .work = write_values }, reader = { .work = read_values };
    step_t json = { .work = write_json };

    IS_INT(call(&writer, MASTRA_STORE_WRITE), APR_SUCCESS, "values of each "
           "kind are written");
    IS_INT(writer.number, 3, "in three rows");
    IS_INT(call(&reader, MASTRA_STORE_READ), APR_SUCCESS, "and read");
    IS_INT(call(&json, MASTRA_STORE_WRITE), APR_SUCCESS, "JSON is written");
    /* {"a":true}: an object of three bytes, a text of one, true */
    test_sql(conf->driver, conf->params, !strcmp(driver, "pgsql")
             ? "INSERT INTO x_test (id) VALUES (5002)"
             : "INSERT INTO x_test (id, doc) VALUES (5002, x'3c176101')");
    json.work = read_json;
    IS_INT(call(&json, MASTRA_STORE_READ), APR_SUCCESS, "and read");
}

static void full_queue(const mastra_store_conf_t *conf)
{
    mastra_store_conf_t small = *conf;
    step_t first = { .work = keep, .number = 6000 }, steps[4], late;
    int i, accepted = 0, done = 0;

    mastra_store_close(store);
    small.max_queued = 3;
    small.max_connections = 2;
    mastra_store_open(&store, &small, test_pool);
    submit(&first, MASTRA_STORE_WRITE);
    wait_for(&held, 1);
    memset(steps, 0, sizeof(steps));
    for (i = 0; i < 3; i++) {
        steps[i].number = 6001 + i;
        steps[i].work = keep;
        steps[i].runs = 1;
        accepted += submit(&steps[i], MASTRA_STORE_WRITE) == APR_SUCCESS;
    }
    if (!strcmp(driver, "sqlite3")) {
        IS_INT(accepted, 3, "three jobs may wait");
        IS_INT(submit(&steps[3], MASTRA_STORE_WRITE), MASTRA_STORE_BUSY,
               "a fourth is refused at once");
    }
    sem_post(&hold);
    wait_for(&told, 1 + accepted);
    memset(steps, 0, sizeof(steps));
    for (i = 0; i < 3; i++) {
        steps[i].number = 6010 + i;
        steps[i].work = add;
        submit(&steps[i], MASTRA_STORE_WRITE);
    }
    mastra_store_close(store);
    for (i = 0; i < 3; i++) {
        done += steps[i].runs > 0 && steps[i].rv == APR_SUCCESS;
        wait_for(&told, 1);
    }
    IS_INT(done, 3, "closing runs what is queued");
    late = (step_t){ .work = add, .number = 6020 };
    IS_INT(submit(&late, MASTRA_STORE_WRITE), MASTRA_STORE_BUSY,
           "and refuses what comes after");
}

static void exec(const mastra_store_conf_t *conf)
{
    int pgsql = !strcmp(conf->driver, "pgsql");

    driver = conf->driver;
    test_sql(conf->driver, conf->params, pgsql
             ? "CREATE TABLE x_test (id bigint NOT NULL PRIMARY KEY, name "
               "text, ratio double precision, data bytea, big bigint, "
               "doc jsonb)"
             : "CREATE TABLE x_test (id INTEGER NOT NULL, name TEXT, ratio "
               "REAL, data BLOB, big INTEGER, doc TEXT, UNIQUE (id))");
    mastra_store_open(&store, conf, test_pool);
    commits();
    fresh_reads();
    errors();
    groups();
    values(conf);
    full_queue(conf);
}

static void results(void)
{
    mastra_result_t *result;

    result = mastra_store_result(test_pool, MASTRA_STORE_BUSY, "read");
    OK(result->status == 503 && result->retry_after > 0,
       "busy is 503 with Retry-After");
    result = mastra_store_result(test_pool, APR_ECONNRESET, "read");
    IS_INT(result->status, 503, "so is a database that is away");
    result = mastra_store_result(test_pool, MASTRA_STORE_EXISTS, "read");
    IS_INT(result->status, 409, "a taken key is 409");
    result = mastra_store_result(test_pool, APR_ENOSPC, "read threads");
    IS_INT(result->status, 500, "anything else is 500");
    OK(strstr(result->cause, "read threads"), "and the log knows what failed");
}

int main(void)
{
    test_start();
    sem_init(&told, 0, 0);
    sem_init(&hold, 0, 0);
    sem_init(&held, 0, 0);
    test_each("exec", exec);
    test_label = "";
    results();
    return test_end();
}
