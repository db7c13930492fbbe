/* A small HTTP server inside the test: one thread per connection, and a path
 * for each kind of good or bad behaviour. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define SERVER_HEAD 16384

typedef struct {
    int fd;
    int served;              /* requests before this one */
    char head[SERVER_HEAD];
    char *path;
    size_t body_len;
} server_conn_t;

static int server_fd, server_port;
static int server_connections, server_requests;

static int server_add(int *counter)
{
    return __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

static int server_send(server_conn_t *c, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return 0;
        }
        data += n;
        len -= (size_t)n;
    }
    return 1;
}

static int server_puts(server_conn_t *c, const char *text)
{
    return server_send(c, text, strlen(text));
}

static void server_answer(server_conn_t *c, const char *status,
                          const char *headers, const char *body)
{
    char head[SERVER_HEAD + 256];

    snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %lu\r\n"
             "%s\r\n", status, (unsigned long)strlen(body), headers);
    server_puts(c, head);
    if (strncmp(c->head, "HEAD ", 5)) {
        server_puts(c, body);
    }
}

/* Waits until the client closes. */
static void server_linger(server_conn_t *c)
{
    char buf[1024];

    while (recv(c->fd, buf, sizeof(buf), 0) > 0) {
    }
}

static int server_chunk(server_conn_t *c, const char *data, size_t len)
{
    char size[32];

    snprintf(size, sizeof(size), "%lx\r\n", (unsigned long)len);
    return server_puts(c, size) && server_send(c, data, len)
           && server_puts(c, "\r\n");
}

#define SERVER_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void server_pattern(server_conn_t *c, size_t total)
{
    char data[5000];
    size_t sent = 0, i, n;

    server_puts(c, SERVER_CHUNKED);
    while (sent < total) {
        n = total - sent < sizeof(data) ? total - sent : sizeof(data);
        for (i = 0; i < n; i++) {
            data[i] = (char)('a' + (sent + i) % 26);
        }
        if (!server_chunk(c, data, n)) {
            return;
        }
        sent += n;
    }
    server_puts(c, "0\r\nX-Trailer: t\r\n\r\n");
}

static void server_heads(server_conn_t *c, int lines, size_t size)
{
    char line[2048];

    memset(line, 'h', sizeof(line));
    memcpy(line, "X-Many: ", 8);
    memcpy(line + size - 2, "\r\n", 2);
    server_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    while (lines-- && server_send(c, line, size)) {
    }
    server_puts(c, "\r\n");
}

static void server_reset(server_conn_t *c)
{
    struct linger now = { .l_onoff = 1 };

    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* Behaviours that keep the connection return 1. */
static int server_serve_kept(server_conn_t *c)
{
    char text[SERVER_HEAD];

    if (!strcmp(c->path, "/ok")) {
        server_answer(c, "200 OK", "X-One: 1\r\nX-One: 2\r\nX-Empty:\r\n",
                      "hello");
    }
    else if (!strcmp(c->path, "/echo")) {
        snprintf(text, sizeof(text), "%.16000s\n[%lu]", c->head,
                 (unsigned long)c->body_len);
        server_answer(c, "200 OK", "", text);
    }
    else if (!strncmp(c->path, "/status/", 8)) {
        server_answer(c, c->path + 8, "", "body");
    }
    else if (!strncmp(c->path, "/to?", 4)) {
        snprintf(text, sizeof(text), "Location: %.8000s\r\n", c->path + 8);
        c->path[7] = '\0';
        server_answer(c, c->path + 4, text, "moved");
    }
    else if (!strcmp(c->path, "/interim")) {
        server_puts(c, "HTTP/1.1 100 Continue\r\n\r\n"
                    "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n");
        server_answer(c, "200 OK", "X-Late: 1\r\n", "hello");
    }
    else if (!strcmp(c->path, "/pattern")) {
        server_pattern(c, 1000000);
    }
    else if (!strcmp(c->path, "/fickle") && !c->served) {
        server_answer(c, "200 OK", "", "fresh");
    }
    else if (!strcmp(c->path, "/empty")) {
        server_puts(c, "HTTP/1.1 204 No Content\r\n\r\n");
    }
    else {
        return 0;
    }
    return 1;
}

/* "hello" */
#define SERVER_GZIP \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48" \
    "\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00"

static void server_serve_odd(server_conn_t *c)
{
    int i;

    if (!strcmp(c->path, "/cut")) {
        server_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
    }
    else if (!strcmp(c->path, "/cutchunk")) {
        server_puts(c, SERVER_CHUNKED "4\r\npart\r\n");
    }
    else if (!strcmp(c->path, "/badchunk")) {
        server_puts(c, SERVER_CHUNKED "zz\r\npart\r\n");
        server_linger(c);
    }
    else if (!strcmp(c->path, "/gzip")) {
        server_puts(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n");
        server_send(c, SERVER_GZIP, sizeof(SERVER_GZIP) - 1);
    }
    else if (!strcmp(c->path, "/nogzip")) {
        server_puts(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
                    "hello, not compressed");
    }
    else if (!strcmp(c->path, "/till-close")) {
        server_puts(c, "HTTP/1.1 200 OK\r\n\r\nall of it");
    }
    else if (!strcmp(c->path, "/silent")) {
        server_puts(c, SERVER_CHUNKED);
        server_chunk(c, "word", 4);
        server_linger(c);
    }
    else if (!strcmp(c->path, "/nothing")) {
        server_linger(c);
    }
    else if (!strcmp(c->path, "/slowhead")) {
        server_puts(c, "HTTP/1.1 200 OK\r\nX-Slow: ");
        for (i = 0; i < 200 && server_puts(c, "x"); i++) {
            usleep(20000);
        }
    }
    else if (!strcmp(c->path, "/drip")) {
        server_puts(c, SERVER_CHUNKED);
        for (i = 0; i < 25 && server_chunk(c, "drop ", 5); i++) {
            usleep(60000);
        }
        server_puts(c, "0\r\n\r\n");
    }
    else if (!strcmp(c->path, "/endless")) {
        server_pattern(c, (size_t)1 << 40);
    }
    else if (!strcmp(c->path, "/lines")) {
        server_heads(c, 300, 20);
    }
    else if (!strcmp(c->path, "/longhead")) {
        server_heads(c, 100, 1000);
    }
    else if (!strcmp(c->path, "/reset")) {
        server_reset(c);
    }
    else if (!strcmp(c->path, "/garbage")) {
        server_puts(c, "what is this?\r\n\r\n");
    }
    else if (!strcmp(c->path, "/leave")) {
        server_answer(c, "200 OK", "", "bye");
    }
}

/* Reads one head and its body; 0 when the client has gone. */
static int server_read(server_conn_t *c)
{
    size_t len = 0, have;
    char *end = NULL, *length, drop[16384];
    ssize_t n;

    while (!end) {
        n = recv(c->fd, c->head + len, sizeof(c->head) - 1 - len, 0);
        if (n <= 0) {
            return 0;
        }
        len += (size_t)n;
        c->head[len] = '\0';
        end = strstr(c->head, "\r\n\r\n");
    }
    have = len - (size_t)(end + 4 - c->head);
    length = strcasestr(c->head, "\r\ncontent-length:");
    c->body_len = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    end[2] = '\0';
    /* this one does not read what it is sent */
    if (strstr(c->head, "/nothing")) {
        return 1;
    }
    while (have < c->body_len) {
        n = recv(c->fd, drop, sizeof(drop), 0);
        if (n <= 0) {
            return 0;
        }
        have += (size_t)n;
    }
    return 1;
}

static void *server_connection(void *baton)
{
    server_conn_t *c = baton;
    char target[SERVER_HEAD], *end;

    while (server_read(c)) {
        server_add(&server_requests);
        c->path = strchr(c->head, ' ');
        snprintf(target, sizeof(target), "%s", c->path ? c->path + 1 : "");
        end = strchr(target, ' ');
        if (end) {
            *end = '\0';
        }
        c->path = target;
        if (!server_serve_kept(c)) {
            server_serve_odd(c);
            break;
        }
        c->served++;
    }
    close(c->fd);
    free(c);
    return NULL;
}

static void *server_accept(void *baton)
{
    int fd;

    while ((fd = accept(server_fd, NULL, NULL)) >= 0) {
        server_conn_t *c = calloc(1, sizeof(*c));
        pthread_t thread;

        server_add(&server_connections);
        c->fd = fd;
        pthread_create(&thread, NULL, server_connection, c);
        pthread_detach(thread);
    }
    return baton;
}

static int server_listen(int *pport, int backlog)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (void *)&addr, sizeof(addr)) < 0 || listen(fd, backlog) < 0
        || getsockname(fd, (void *)&addr, &len) < 0) {
        perror("server");
        exit(1);
    }
    *pport = ntohs(addr.sin_port);
    return fd;
}

static void server_start(void)
{
    pthread_t thread;

    server_fd = server_listen(&server_port, 1024);
    pthread_create(&thread, NULL, server_accept, NULL);
    pthread_detach(thread);
}

#endif
