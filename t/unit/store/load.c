/* Four processes of eight writers each, and a writer that is killed. */

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "store/threads.h"
#include "dbtest.h"

#define PROCESSES 4
#define WRITERS 8
#define KILLS 5

typedef struct {
    long done, failed;
    apr_time_t worst;
} tally_t;

typedef struct {
    mastra_store_t *store;
    int number;
    int fd;                  /* where acknowledged ids are told, or -1 */
    apr_time_t until;
    tally_t *tally;
    char id[40];
    mastra_json_t *messages;
} writer_t;

static apr_status_t save(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    writer_t *w = baton;

    return mastra_messages_save(db, w->messages, pool);
}

static void make_message(writer_t *w)
{
    mastra_json_t *message;
    char thread[32];

    snprintf(thread, sizeof(thread), "thread-%d", w->number);
    mastra_text_uuid(w->id);
    message = mastra_json_pack("{s:s, s:s, s:s, s:{s:i, s:[{s:s, s:s}]}}",
                               "id", w->id, "threadId", thread, "role", "user",
                               "content", "format", 2, "parts", "type", "text",
                               "text", "What is the weather in Paris today?");
    mastra_json_unref(w->messages);
    w->messages = mastra_json_array();
    mastra_json_append(w->messages, message);
}

static void *write_on(void *data)
{
    writer_t *w = data;
    apr_time_t start;
    apr_status_t rv;

    while ((start = apr_time_now()) < w->until) {
        make_message(w);
        rv = mastra_store_call(w->store, MASTRA_STORE_WRITE, save, w);
        start = apr_time_now() - start;
        if (start > w->tally->worst) {
            w->tally->worst = start;
        }
        if (rv != APR_SUCCESS) {
            w->tally->failed++;
        }
        else if (w->fd >= 0 && write(w->fd, w->id, 36) != 36) {
            break;
        }
        else {
            w->tally->done++;
        }
    }
    mastra_json_unref(w->messages);
    return NULL;
}

/* In a child process: its own store, WRITERS threads. */
static void writers(const mastra_store_conf_t *conf, apr_time_t until, int fd,
                    tally_t *tallies, int first)
{
    pthread_t threads[WRITERS];
    writer_t w[WRITERS];
    mastra_store_t *store;
    apr_pool_t *pool;
    int i;

    apr_pool_create(&pool, NULL);
    if (mastra_store_open(&store, conf, pool) != APR_SUCCESS) {
        _exit(1);
    }
    memset(w, 0, sizeof(w));
    for (i = 0; i < WRITERS; i++) {
        w[i].store = store;
        w[i].number = first + i;
        w[i].fd = fd;
        w[i].until = until;
        w[i].tally = &tallies[i];
        pthread_create(&threads[i], NULL, write_on, &w[i]);
    }
    for (i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    mastra_store_close(store);
    fflush(stdout);
    _exit(0);
}

static const char *value_of(const mastra_store_conf_t *conf, const char *sql)
{
    const apr_dbd_driver_t *driver;
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;
    apr_dbd_t *handle;
    const char *value = NULL;

    apr_dbd_init(test_pool);
    if (apr_dbd_get_driver(test_pool, conf->driver, &driver)
        || apr_dbd_open(driver, test_pool, conf->params, &handle)) {
        return NULL;
    }
    if (!apr_dbd_select(driver, test_pool, handle, &results, sql, 1)
        && !apr_dbd_get_row(driver, test_pool, results, &row, -1)) {
        value = apr_pstrdup(test_pool, apr_dbd_get_entry(driver, row, 0));
    }
    apr_dbd_close(driver, handle);
    return value;
}

static void together(const mastra_store_conf_t *conf)
{
    const char *seconds = getenv("MASTRA_TEST_SECONDS"), *count;
    int n = seconds ? atoi(seconds) : 3, i, status, bad = 0;
    apr_time_t until = apr_time_now() + apr_time_from_sec(n);
    tally_t *tallies, all = { 0, 0, 0 };
    apr_interval_time_t mean;

    tallies = mmap(NULL, sizeof(*tallies) * PROCESSES * WRITERS,
                   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (i = 0; i < PROCESSES; i++) {
        if (fork() == 0) {
            writers(conf, until, -1, tallies + i * WRITERS, i * WRITERS);
        }
    }
    for (i = 0; i < PROCESSES; i++) {
        bad += wait(&status) < 0 || status;
    }
    for (i = 0; i < PROCESSES * WRITERS; i++) {
        all.done += tallies[i].done;
        all.failed += tallies[i].failed;
        all.worst = tallies[i].worst > all.worst ? tallies[i].worst
                                                 : all.worst;
    }
    count = value_of(conf, "SELECT count(*) FROM mastra_messages");
    printf("# %s%d processes of %d writers, %d s: %ld jobs a second, worst "
           "wait %.1f ms\n", test_label, PROCESSES, WRITERS, n, all.done / n,
           all.worst / 1000.0);
    IS_INT(bad, 0, "all processes end well");
    IS_INT(all.failed, 0, "no job fails");
    IS_INT(count ? atol(count) : -1, all.done, "all rows are there");
    /* where the machine is busy with other things all of them wait */
    mean = all.done ? apr_time_from_sec(n) * PROCESSES * WRITERS / all.done : 0;
    OK(all.worst < apr_time_from_sec(5) + 40 * mean, "nobody waits for long");
    munmap(tallies, sizeof(*tallies) * PROCESSES * WRITERS);
}

/* 1 when all ids that come from fd are in the database. */
static int all_kept(const mastra_store_conf_t *conf, int fd, long *ptold)
{
    const char *sql, *list = "";
    char id[37] = "";
    long told = 0, kept = 0;
    int n, more = 1;

    while (more) {
        for (n = 0, list = ""; n < 200; n++) {
            more = read(fd, id, 36) == 36;
            if (!more) {
                break;
            }
            list = apr_pstrcat(test_pool, list, *list ? ",'" : "'", id, "'",
                               NULL);
            told++;
        }
        if (*list) {
            sql = apr_pstrcat(test_pool, "SELECT count(*) FROM mastra_messages "
                              "WHERE id IN (", list, ")", NULL);
            kept += atol(value_of(conf, sql));
        }
    }
    *ptold = told;
    return kept == told;
}

static void killed(const mastra_store_conf_t *conf)
{
    tally_t tallies[WRITERS];
    long told, total = 0;
    int i, fds[2], status, lost = 0;
    pid_t pid;

    for (i = 0; i < KILLS; i++) {
        if (pipe(fds)) {
            break;
        }
        pid = fork();
        if (!pid) {
            close(fds[0]);
            /* the pipe is larger than what is written in that time */
            writers(conf, apr_time_now() + apr_time_from_sec(30), fds[1],
                    tallies, 100);
        }
        close(fds[1]);
        (void)poll(&(struct pollfd){ .fd = fds[0], .events = POLLIN }, 1,
                   60000);
        usleep(60000 + i * 7001);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        lost += !all_kept(conf, fds[0], &told);
        total += told;
        close(fds[0]);
    }
    printf("# %s%ld rows were acknowledged before %d kills\n", test_label,
           total, i);
    OK(total > 0 && i == KILLS, "writers are killed at work");
    IS_INT(lost, 0, "what they acknowledged is there");
}

static void load(const mastra_store_conf_t *conf)
{
    together(conf);
    killed(conf);
}

/* Nobody waits for the disk then, and the log grows all the faster. */
static void test_normal(void)
{
    mastra_store_conf_t conf = test_sqlite3("normal");

    test_label = "sqlite3, normal: ";
    conf.synchronous_normal = 1;
    test_migrate(&conf);
    together(&conf);
}

int main(void)
{
    test_start();
    test_normal();
    test_each("load", load);
    return test_end();
}
