/* PostgreSQL connections that break while they commit: a proxy between store
 * and server cuts them before or after the server has done it. */

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "dbtest.h"

enum { PASS, CUT_BEFORE, CUT_AFTER };

static volatile int cut;         /* what to do with the next write's COMMIT */
static volatile int cuts;
static char server_path[sizeof(((struct sockaddr_un *)0)->sun_path)];

static int socket_to(const char *path, int listening)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (listening ? bind(fd, (struct sockaddr *)&address, sizeof(address))
                    || listen(fd, 16)
                  : connect(fd, (struct sockaddr *)&address,
                            sizeof(address))) {
        perror(path);
        exit(1);
    }
    return fd;
}

static int has(const char *data, ssize_t n, const char *text)
{
    return memmem(data, n, text, strlen(text)) != NULL;
}

typedef struct {
    int from, to, client;
} pipe_t;

/* Copies one direction until it ends. */
static void *copy(void *data)
{
    pipe_t *p = data;
    char buffer[65536];
    ssize_t n;
    int how, wrote = 0;

    while ((n = read(p->from, buffer, sizeof(buffer))) > 0) {
        /* read jobs commit, too */
        wrote |= p->client && has(buffer, n, "UPDATE x_test");
        how = wrote && has(buffer, n, "COMMIT") ? cut : PASS;
        wrote &= !has(buffer, n, "COMMIT");
        if (how != PASS) {
            cut = PASS;
            cuts++;
            if (how == CUT_AFTER && write(p->to, buffer, n) == n) {
                /* the other direction must not hear of it */
                shutdown(p->from, SHUT_RDWR);
                apr_sleep(apr_time_from_msec(200));
            }
            break;
        }
        if (write(p->to, buffer, n) != n) {
            break;
        }
    }
    shutdown(p->from, SHUT_RDWR);
    shutdown(p->to, SHUT_RDWR);
    return NULL;
}

static void *serve(void *data)
{
    int listener = *(int *)data, client, server;
    pipe_t *pipes;
    pthread_t thread;

    while ((client = accept(listener, NULL, NULL)) >= 0) {
        server = socket_to(server_path, 0);
        pipes = apr_palloc(test_pool, sizeof(*pipes) * 2);
        pipes[0] = (pipe_t){ client, server, 1 };
        pipes[1] = (pipe_t){ server, client, 0 };
        pthread_create(&thread, NULL, copy, &pipes[0]);
        pthread_detach(thread);
        pthread_create(&thread, NULL, copy, &pipes[1]);
        pthread_detach(thread);
    }
    return NULL;
}

/* ---- a job that must happen once ---- */

typedef struct {
    int runs;
    apr_int64_t value;
} counter_t;

static apr_status_t increase(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    counter_t *counter = baton;

    counter->runs++;
    return mastra_db_execute(NULL, db, "UPDATE x_test SET n = n + 1", NULL, 0,
                             pool);
}

static apr_status_t look(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    counter_t *counter = baton;
    mastra_rows_t *rows;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db, "SELECT n FROM x_test", NULL, 0, pool);
    if (rv == APR_SUCCESS) {
        counter->value = mastra_rows_int(rows, 0, 0);
    }
    return rv;
}

static void once(mastra_store_t *store, int how, int runs, int value,
                 const char *name)
{
    counter_t counter = { 0, 0 };

    cuts = 0;
    cut = how;
    IS_INT(mastra_store_call(store, MASTRA_STORE_WRITE, increase, &counter),
           APR_SUCCESS, name);
    IS_INT(cuts, how != PASS, "the connection was cut");
    IS_INT(counter.runs, runs, "so often the job ran");
    mastra_store_call(store, MASTRA_STORE_READ, look, &counter);
    IS_INT(counter.value, value, "and it has happened once");
}

/* The same parameters with the proxy's folder as host. */
static mastra_store_conf_t through_proxy(const mastra_store_conf_t *conf,
                                         int *plistener)
{
    mastra_store_conf_t proxied = *conf;
    const char *host = strstr(conf->params, "host=") + 5;
    int len = (int)strcspn(host, " ");

    snprintf(server_path, sizeof(server_path), "%.*s/.s.PGSQL.5432", len,
             host);
    *plistener = socket_to(apr_pstrcat(test_pool, test_dir, "/.s.PGSQL.5432",
                                       NULL), 1);
    proxied.params = apr_psprintf(test_pool, "host=%s%s", test_dir,
                                  host + len);
    return proxied;
}

int main(void)
{
    mastra_store_conf_t conf, proxied;
    mastra_store_t *store;
    pthread_t thread;
    int listener;

    test_start();
    signal(SIGPIPE, SIG_IGN);
    test_label = "pgsql: ";
    if (!test_pgsql_params()) {
        printf("1..0 # SKIP no PostgreSQL\n");
        test_cleanup();
        return 0;
    }
    conf = test_pgsql("commit");
    test_migrate(&conf);
    test_sql("pgsql", conf.params, "CREATE TABLE x_test (n integer); "
             "INSERT INTO x_test VALUES (0)");
    proxied = through_proxy(&conf, &listener);
    pthread_create(&thread, NULL, serve, &listener);
    if (mastra_store_open(&store, &proxied, test_pool) != APR_SUCCESS) {
        return 1;
    }
    once(store, PASS, 1, 1, "a commit");
    once(store, CUT_AFTER, 1, 2, "a commit whose answer is lost");
    once(store, CUT_BEFORE, 2, 3, "a commit that is lost");
    once(store, CUT_AFTER, 1, 4, "a first commit of a connection whose answer "
         "is lost");
    mastra_store_close(store);
    return test_end();
}
