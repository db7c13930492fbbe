/* The log is folded back while others write and read: it begins anew and does
 * not grow for ever, nothing is lost, a store closes meanwhile, and a process
 * may be killed meanwhile. */

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/threads.h"
#include "dbtest.h"

#define WRITERS 6
#define MESSAGE (64 * 1024)
#define AGAIN 2                  /* times that the log begins anew */
#define LOG_MAX (400 * 1024 * 1024)
#define KILLS 3
#define PATIENCE apr_time_from_sec(60)

typedef struct {
    mastra_store_t *store;
    const char *text, *thread;
    const mastra_json_t *messages;
    apr_size_t found;
    int saved, failed;
    int fd;                      /* where each saved one is told, or -1 */
} user_t;

static int enough;               /* atomic */

static const char *log_path(const mastra_store_conf_t *conf)
{
    return apr_pstrcat(test_pool, conf->params, "-wal", NULL);
}

/* How often the log has begun anew: it counts that in its header. */
static apr_uint32_t times_begun(const char *path)
{
    unsigned char head[16];
    apr_uint32_t count = 0;
    int fd = open(path, O_RDONLY);

    if (fd >= 0) {
        if (read(fd, head, sizeof(head)) == sizeof(head)) {
            count = (apr_uint32_t)head[12] << 24 | (apr_uint32_t)head[13] << 16
                    | (apr_uint32_t)head[14] << 8 | head[15];
        }
        close(fd);
    }
    return count;
}

static apr_status_t save(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    user_t *user = baton;

    return mastra_messages_save(db, user->messages, pool);
}

static apr_status_t look(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    user_t *user = baton;
    mastra_json_t *messages = NULL;
    apr_status_t rv = mastra_messages_last(&messages, db, user->thread, 5,
                                           pool);

    user->found = mastra_json_size(messages);
    mastra_json_unref(messages);
    return rv;
}

static mastra_json_t *make_messages(const user_t *user)
{
    char id[MASTRA_UUID_LEN + 1];
    mastra_json_t *messages = mastra_json_array();

    mastra_text_uuid(id);
    mastra_json_append(messages, mastra_json_pack(
        "{s:s, s:s, s:s, s:s}", "id", id, "threadId", user->thread, "role",
        "user", "content", user->text));
    return messages;
}

static void *use(void *data)
{
    user_t *user = data;

    while (!__atomic_load_n(&enough, __ATOMIC_SEQ_CST)) {
        mastra_json_t *messages = make_messages(user);

        user->messages = messages;
        if (mastra_store_call(user->store, MASTRA_STORE_WRITE, save, user)
            || mastra_store_call(user->store, MASTRA_STORE_READ, look, user)
            || !user->found) {
            user->failed++;
        }
        else {
            user->saved++;
            if (user->fd >= 0 && write(user->fd, "s", 1) != 1) {
                break;
            }
        }
        mastra_json_unref(messages);
    }
    return NULL;
}

static apr_status_t count(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db, "SELECT count(*) FROM mastra_messages",
                         NULL, 0, pool);
    if (rv == APR_SUCCESS) {
        *(int *)baton = (int)mastra_rows_int(rows, 0, 0);
    }
    return rv;
}

static const char *long_text(void)
{
    char *text = apr_palloc(test_pool, MESSAGE + 1);

    memset(text, 'm', MESSAGE);
    text[MESSAGE] = '\0';
    return text;
}

static int wait_for_log(const char *path, apr_off_t *plongest)
{
    apr_time_t until = apr_time_now() + PATIENCE;
    struct stat st;

    while (times_begun(path) < AGAIN && apr_time_now() < until) {
        if (!stat(path, &st) && st.st_size > *plongest) {
            *plongest = st.st_size;
        }
        apr_sleep(apr_time_from_msec(5));
    }
    return times_begun(path) >= AGAIN;
}

static void begin_users(user_t *users, pthread_t *threads,
                        mastra_store_t *store, int fd)
{
    int i;

    enough = 0;
    for (i = 0; i < WRITERS; i++) {
        users[i] = (user_t){ .store = store, .text = long_text(), .fd = fd,
                             .thread = apr_psprintf(test_pool, "t-%d", i) };
        pthread_create(&threads[i], NULL, use, &users[i]);
    }
}

static void test_log(const char *name, int normal)
{
    mastra_store_conf_t conf = test_sqlite3(name);
    pthread_t threads[WRITERS];
    user_t users[WRITERS];
    mastra_store_t *store;
    apr_off_t longest = 0;
    int i, saved = 0, failed = 0, found = -1;

    test_label = apr_pstrcat(test_pool, name, ": ", NULL);
    conf.synchronous_normal = normal;
    test_migrate(&conf);
    mastra_store_open(&store, &conf, test_pool);
    begin_users(users, threads, store, -1);
    OK(wait_for_log(log_path(&conf), &longest),
       "the log begins anew, again and again, while others write and read");
    __atomic_store_n(&enough, 1, __ATOMIC_SEQ_CST);
    for (i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        saved += users[i].saved;
        failed += users[i].failed;
    }
    IS_INT(failed, 0, "... no job fails for that");
    printf("# %d messages, the log was %ld KB\n", saved,
           (long)(longest / 1024));
    OK(longest < LOG_MAX, "... and it stays short");
    mastra_store_call(store, MASTRA_STORE_READ, count, &found);
    IS_INT(found, saved, "... all that was saved is there");
    mastra_store_close(store);
    mastra_store_open(&store, &conf, test_pool);
    found = -1;
    mastra_store_call(store, MASTRA_STORE_READ, count, &found);
    IS_INT(found, saved, "... also when the store was closed and opened");
    mastra_store_close(store);
}

/* Until it is killed. */
static void write_for_ever(const mastra_store_conf_t *conf, int fd)
{
    pthread_t threads[WRITERS];
    user_t users[WRITERS];
    mastra_store_t *store;

    if (mastra_store_open(&store, conf, test_pool) == APR_SUCCESS) {
        begin_users(users, threads, store, fd);
        pthread_join(threads[0], NULL);
    }
    _exit(1);
}

/* Kills the process some time after the log has begun anew once more: while it
 * is folded, or not. Returns how many messages it said were saved. */
static int kill_one(const mastra_store_conf_t *conf, int number)
{
    apr_uint32_t before = times_begun(log_path(conf));
    apr_time_t until = apr_time_now() + PATIENCE;
    char told[512];
    int fds[2], status, n, count = 0;
    pid_t pid;

    if (pipe(fds)) {
        return -1;
    }
    pid = fork();
    if (!pid) {
        close(fds[0]);
        write_for_ever(conf, fds[1]);
    }
    close(fds[1]);
    while (times_begun(log_path(conf)) == before && apr_time_now() < until) {
        apr_sleep(1000);
    }
    apr_sleep(number * 7001);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    while ((n = (int)read(fds[0], told, sizeof(told))) > 0) {
        count += n;
    }
    close(fds[0]);
    return count;
}

static apr_status_t check(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db, "PRAGMA integrity_check", NULL, 0, pool);
    if (rv == APR_SUCCESS) {
        *(const char **)baton = apr_pstrdup(test_pool,
                                            mastra_rows_text(rows, 0, 0));
    }
    return rv;
}

static void test_kills(void)
{
    mastra_store_conf_t conf = test_sqlite3("killed");
    const char *state = NULL;
    mastra_store_t *store;
    int i, told = 0, found = -1;

    test_label = "killed: ";
    test_migrate(&conf);
    for (i = 0; i < KILLS; i++) {
        told += kill_one(&conf, i);
    }
    mastra_store_open(&store, &conf, test_pool);
    mastra_store_call(store, MASTRA_STORE_READ, count, &found);
    mastra_store_call(store, MASTRA_STORE_READ, check, &state);
    mastra_store_close(store);
    printf("# %d were told to be saved, %d are there\n", told, found);
    OK(told > 0 && found >= told, "what was told to be saved is there");
    IS(state, "ok", "... and the database is sound");
}

int main(void)
{
    test_start();
    test_log("full", 0);
    test_log("normal", 1);
    test_kills();
    return test_end();
}
