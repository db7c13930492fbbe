/* TLS: a certificate that nobody vouches for ends the call before a byte of
 * the request is sent, trusted or not. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "net/client.h"
#include "tap.h"

static mastra_loop_t *loop;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int done, status;
static mastra_transfer_end_e end;
static char cause[300];

static void done_cb(void *baton, const mastra_transfer_done_t *result)
{
    pthread_mutex_lock(&lock);
    done = 1;
    end = result->end;
    status = result->status;
    apr_cpystrn(cause, result->cause, sizeof(cause));
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&lock);
}

static void start_cb(void *baton)
{
    mastra_request_t request = { .method = "GET", .url = baton, .trusted = 1,
                                 .on_done = done_cb };
    mastra_transfer_t *transfer;

    if (mastra_client_send(&transfer, loop, &request) != APR_SUCCESS) {
        abort();
    }
}

static void fetch(const char *url)
{
    mastra_msg_t msg = { .cb = start_cb, .baton = (void *)url };

    pthread_mutex_lock(&lock);
    done = 0;
    mastra_loop_post(loop, &msg);
    while (!done) {
        pthread_cond_wait(&cond, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static int free_port(void)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (void *)&addr, sizeof(addr)) < 0
        || getsockname(fd, (void *)&addr, &len) < 0) {
        perror("port");
        exit(1);
    }
    close(fd);
    return ntohs(addr.sin_port);
}

static int is_listening(int port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_port = htons((unsigned short)port) };
    int fd = socket(AF_INET, SOCK_STREAM, 0), rc;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    rc = connect(fd, (void *)&addr, sizeof(addr));
    close(fd);
    return rc == 0;
}

/* "openssl s_server" with a certificate of its own; dir holds its files. */
static pid_t start_server(const char *dir, int port)
{
    char command[1000];
    pid_t pid;
    int i;

    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj "
             "/CN=localhost -addext subjectAltName=DNS:localhost,"
             "IP:127.0.0.1 -keyout %s/key -out %s/cert >%s/log 2>&1",
             dir, dir, dir);
    if (system(command) != 0) {
        return -1;
    }
    snprintf(command, sizeof(command),
             "exec openssl s_server -www -accept 127.0.0.1:%d -key %s/key "
             "-cert %s/cert >%s/log 2>&1", port, dir, dir, dir);
    pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    for (i = 0; i < 1200 && !is_listening(port); i++) {
        usleep(50000);
    }
    return pid;
}

static void remove_all(const char *dir)
{
    static const char *const names[] = { "key", "cert", "log" };
    char path[100];
    int i;

    for (i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

int main(void)
{
    char dir[] = "/tmp/mastra-tls-XXXXXX";
    apr_pool_t *pool;
    int port = free_port();
    pid_t pid;

    if (!mkdtemp(dir)) {
        perror("mkdtemp");
        return 1;
    }
    pid = start_server(dir, port);
    apr_initialize();
    apr_pool_create(&pool, NULL);
    mastra_client_global_init();
    if (pid < 0 || mastra_loop_start(&loop, NULL, pool) != APR_SUCCESS) {
        return 1;
    }
    fetch(apr_psprintf(pool, "https://127.0.0.1:%d/?secret=1", port));
    ok(end == MASTRA_TRANSFER_UNREACHABLE && !status,
       "a certificate that nobody vouches for is refused");
    ok(strstr(cause, "certificate"), "the cause says so");
    ok(!strstr(cause, "secret"), "but not what was asked for");
    fetch(apr_psprintf(pool, "http://127.0.0.1:%d/", port));
    is_int(end, MASTRA_TRANSFER_CUT, "plain HTTP to a TLS port is no answer");
    mastra_loop_stop(loop);
    apr_pool_destroy(pool);
    apr_terminate();
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    remove_all(dir);
    return tap_done();
}
