/* The log is folded back while others write and read: it begins anew and does
 * not grow for ever, nothing is lost, and a store closes meanwhile. */

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "store/threads.h"
#include "dbtest.h"

#define WRITERS 6
#define MESSAGE (64 * 1024)
#define AGAIN 3                  /* times that the log begins anew */
#define LOG_MAX (400 * 1024 * 1024)
#define PATIENCE apr_time_from_sec(60)

typedef struct {
    mastra_store_t *store;
    const char *text, *thread;
    const mastra_json_t *messages;
    apr_size_t found;
    int saved, failed;
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
    enough = 0;
    mastra_store_open(&store, &conf, test_pool);
    for (i = 0; i < WRITERS; i++) {
        users[i] = (user_t){ .store = store, .text = long_text(),
                             .thread = apr_psprintf(test_pool, "t-%d", i) };
        pthread_create(&threads[i], NULL, use, &users[i]);
    }
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

int main(void)
{
    test_start();
    test_log("full", 0);
    test_log("normal", 1);
    return test_end();
}
