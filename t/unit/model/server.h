/* A scripted HTTP server in threads of this process: each request gets the
 * next line of the script. */
#ifndef SERVER_H
#define SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* In an answer: send what came so far and … */
#define S_NAP "\x01"             /* wait 20 ms */
#define S_HOLD "\x02"            /* wait until server_release or the client goes */
#define S_CLOSE "\x03"           /* close the connection */
#define S_RESET "\x04"           /* reset the connection */
#define S_FLOOD "\x05"           /* send "x" until nobody takes it, or 1 MB */

#define SERVER_REQUESTS 64

typedef struct {
    int fd;
    int port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    const char *const *script;   /* NULL-terminated; the last one repeats */
    int answers;                 /* of the script, given */
    int requests;
    int gone;                    /* connections that the client gave up */
    int released;
    int live;
    int stop;
    char *heads[SERVER_REQUESTS];
    char *bodies[SERVER_REQUESTS];
} server_t;

static server_t server = { .lock = PTHREAD_MUTEX_INITIALIZER,
                           .cond = PTHREAD_COND_INITIALIZER };

static inline int server_send(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return 0;
        }
        data += n;
        len -= (size_t)n;
    }
    return 1;
}

/* 0: the client went away. */
static inline int server_hold(int fd)
{
    int released = 0;

    while (!released) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char c;

        if (poll(&p, 1, 5) > 0 && recv(fd, &c, 1, MSG_PEEK) <= 0) {
            pthread_mutex_lock(&server.lock);
            server.gone++;
            pthread_cond_broadcast(&server.cond);
            pthread_mutex_unlock(&server.lock);
            return 0;
        }
        pthread_mutex_lock(&server.lock);
        released = server.released || server.stop;
        pthread_mutex_unlock(&server.lock);
    }
    return 1;
}

static inline int server_flood(int fd)
{
    char block[4096];
    int i;

    memset(block, 'x', sizeof(block));
    for (i = 0; i < 256; i++) {
        if (!server_send(fd, block, sizeof(block))) {
            return 0;
        }
    }
    return 1;
}

/* Returns 0 when the connection is at its end. */
static inline int server_answer(int fd, const char *text)
{
    struct linger reset = { 1, 0 };

    for (;;) {
        size_t n = strcspn(text, S_NAP S_HOLD S_CLOSE S_RESET S_FLOOD);

        if (!server_send(fd, text, n)) {
            return 0;
        }
        text += n;
        switch (*text++) {
        case '\0':
            return 1;
        case 1:
            usleep(20000);
            break;
        case 2:
            if (!server_hold(fd)) {
                return 0;
            }
            break;
        case 4:
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            return 0;
        case 5:
            if (!server_flood(fd)) {
                return 0;
            }
            break;
        default:
            return 0;
        }
    }
}

/* Reads one request; NULL at the end of the connection. */
static inline char *server_read(int fd, char **pbody)
{
    size_t size = 1 << 20, len = 0, want = 0;
    char *data = malloc(size + 1), *end = NULL, *length;

    while (!end || len < want) {
        ssize_t n = recv(fd, data + len, size - len, 0);

        if (n <= 0) {
            free(data);
            return NULL;
        }
        len += (size_t)n;
        data[len] = '\0';
        end = strstr(data, "\r\n\r\n");
        if (end) {
            length = strcasestr(data, "\r\ncontent-length:");
            want = (size_t)(end + 4 - data)
                + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        }
    }
    *pbody = strdup(end + 4);
    end[2] = '\0';
    return data;
}

/* Notes the request down and tells its answer. */
static inline const char *server_next(char *head, char *body)
{
    const char *answer;

    pthread_mutex_lock(&server.lock);
    answer = server.script[server.answers];
    if (server.script[server.answers + 1]) {
        server.answers++;
    }
    if (server.requests < SERVER_REQUESTS) {
        server.heads[server.requests] = head;
        server.bodies[server.requests] = body;
    }
    else {
        free(head);
        free(body);
    }
    server.requests++;
    pthread_cond_broadcast(&server.cond);
    pthread_mutex_unlock(&server.lock);
    return answer;
}

static void *server_connection(void *baton)
{
    int fd = (int)(long)baton, on = 1;
    char *head, *body = NULL;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    while ((head = server_read(fd, &body)) != NULL
           && server_answer(fd, server_next(head, body))) {
    }
    close(fd);
    pthread_mutex_lock(&server.lock);
    server.live--;
    pthread_cond_broadcast(&server.cond);
    pthread_mutex_unlock(&server.lock);
    return NULL;
}

static void *server_main(void *baton)
{
    int fd;

    while ((fd = accept(server.fd, NULL, NULL)) >= 0) {
        pthread_t thread;

        pthread_mutex_lock(&server.lock);
        server.live++;
        pthread_mutex_unlock(&server.lock);
        pthread_create(&thread, NULL, server_connection, (void *)(long)fd);
        pthread_detach(thread);
    }
    return NULL;
}

static inline void server_start(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server.fd, (struct sockaddr *)&address, len) < 0
        || listen(server.fd, 64) < 0) {
        abort();
    }
    getsockname(server.fd, (struct sockaddr *)&address, &len);
    server.port = ntohs(address.sin_port);
    pthread_create(&server.thread, NULL, server_main, NULL);
}

/* A new script; what was noted down is forgotten. */
static inline void server_script(const char *const *script)
{
    int i;

    pthread_mutex_lock(&server.lock);
    for (i = 0; i < server.requests && i < SERVER_REQUESTS; i++) {
        free(server.heads[i]);
        free(server.bodies[i]);
    }
    server.script = script;
    server.answers = server.requests = server.gone = server.released = 0;
    pthread_mutex_unlock(&server.lock);
}

static inline void server_release(void)
{
    pthread_mutex_lock(&server.lock);
    server.released = 1;
    pthread_mutex_unlock(&server.lock);
}

static inline void server_await_requests(int n)
{
    pthread_mutex_lock(&server.lock);
    while (server.requests < n) {
        pthread_cond_wait(&server.cond, &server.lock);
    }
    pthread_mutex_unlock(&server.lock);
}

static inline void server_await_gone(void)
{
    pthread_mutex_lock(&server.lock);
    while (!server.gone) {
        pthread_cond_wait(&server.cond, &server.lock);
    }
    pthread_mutex_unlock(&server.lock);
}

/* After the loop was stopped: its connections are closed then. */
static inline void server_stop(void)
{
    static const char *const none[] = { "", NULL };

    shutdown(server.fd, SHUT_RDWR);
    close(server.fd);
    pthread_join(server.thread, NULL);
    pthread_mutex_lock(&server.lock);
    server.stop = 1;
    while (server.live) {
        pthread_cond_wait(&server.cond, &server.lock);
    }
    pthread_mutex_unlock(&server.lock);
    server_script(none);
}

#endif
