/* curl's multi handles driven by the loop. */

#include <stdlib.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "curl_multi.h"
#include "internal.h"

/* transfers per curl handle: with more, searching its lists takes longer than
 * the work (measured: half of curl's time at 10,000) */
#define SHARD_TRANSFERS 1000
#define MAX_SHARDS 64
/* idle connections that handles beyond the first one keep */
#define SPARE_CONNECTS 4L

/* A socket of curl's. That of a connection that stands is kept registered
 * while the connection is idle, which saves two system calls per request; curl
 * says when it closes it. It does not for sockets that are still connecting,
 * nor for those of name look-ups: they are forgotten when curl is done. */
typedef struct sock_t {
    LIST_ENTRY(sock_t) link;
    mastra_watch_t watch;
    mastra_shard_t *shard;
    unsigned wanted;         /* EPOLL… that curl asked for, 0: idle */
    unsigned ours : 1;       /* from mastra_multi_open */
    unsigned kept : 1;       /* ours and connected */
    unsigned registered : 1;
} sock_t;

struct mastra_shard_t {
    mastra_multi_t *multi;
    CURLM *curlm;
    mastra_timer_t timer;
    int live;
    int go;                  /* curl has something to begin */
};

struct mastra_multi_t {
    mastra_loop_t *loop;
    void (*done_cb)(mastra_easy_t *easy, CURLcode code);
    CURLSH *share;           /* names and TLS sessions */
    int depth;               /* > 0: inside a call of curl's */
    mastra_shard_t *shards[MAX_SHARDS];
    int nshards;
    LIST_HEAD(sock_list_t, sock_t) socks;
};

int mastra_multi_is_busy(const mastra_multi_t *multi)
{
    return multi->depth > 0;
}

/* ---- sockets ---- */

static sock_t *sock_find(const mastra_multi_t *multi, curl_socket_t fd)
{
    return mastra_loop_owner(multi->loop, fd);
}

static void sock_unregister(sock_t *sock)
{
    if (sock->registered) {
        mastra_loop_unwatch(sock->shard->multi->loop, &sock->watch);
        sock->registered = 0;
    }
}

static void sock_free(sock_t *sock)
{
    sock_unregister(sock);
    LIST_REMOVE(sock, link);
    mastra_loop_own(sock->shard->multi->loop, sock->watch.fd, NULL);
    free(sock);
}

static sock_t *sock_make(mastra_shard_t *shard, curl_socket_t fd)
{
    mastra_multi_t *multi = shard->multi;
    sock_t *sock = sock_find(multi, fd);

    if (sock) {
        sock_free(sock);
    }
    sock = calloc(1, sizeof(*sock));
    if (!sock) {
        return NULL;
    }
    if (mastra_loop_own(multi->loop, fd, sock) != APR_SUCCESS) {
        free(sock);
        return NULL;
    }
    sock->shard = shard;
    sock->watch.fd = fd;
    LIST_INSERT_HEAD(&multi->socks, sock, link);
    return sock;
}

/* ---- calling curl ---- */

static void reap(mastra_shard_t *shard)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(shard->curlm, &left)) != NULL) {
        mastra_easy_t *easy = NULL;
        CURLcode code = msg->data.result;

        if (msg->msg == CURLMSG_DONE
            && !curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
                                  (char **)&easy)) {
            shard->multi->done_cb(easy, code);
        }
    }
}

/* Lets curl work on a socket, or on what is due. */
static void act(mastra_shard_t *shard, curl_socket_t fd, int mask)
{
    int running;

    mastra_loop_doing(shard->multi->loop, "transfer");
    shard->multi->depth++;
    curl_multi_socket_action(shard->curlm, fd, mask, &running);
    shard->multi->depth--;
    reap(shard);
}

static void sock_event_cb(void *baton, unsigned events)
{
    sock_t *sock = baton;
    int mask = 0;

    if (!sock->wanted) {
        /* the peer closed an idle connection, or a paused transfer has more:
         * curl finds out when it takes up the connection */
        sock_unregister(sock);
        return;
    }
    /* an error is met by reading: curl then tells which one it was */
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        mask |= CURL_CSELECT_IN;
    }
    if (events & (EPOLLOUT | EPOLLERR)) {
        mask |= CURL_CSELECT_OUT;
    }
    act(sock->shard, sock->watch.fd, mask);
}

static int sock_register(sock_t *sock)
{
    mastra_loop_t *loop = sock->shard->multi->loop;

    if (sock->registered
        && mastra_loop_rewatch(loop, &sock->watch, sock->wanted)
           == APR_SUCCESS) {
        return 1;
    }
    sock_unregister(sock);
    sock->watch.events = sock->wanted;
    sock->watch.cb = sock_event_cb;
    sock->watch.baton = sock;
    sock->registered = mastra_loop_watch(loop, &sock->watch) == APR_SUCCESS;
    return sock->registered;
}

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *baton,
                     void *unused)
{
    mastra_shard_t *shard = baton;
    sock_t *sock = sock_find(shard->multi, fd);
    mastra_easy_t *easy = NULL;

    curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&easy);
    if (!sock && what != CURL_POLL_REMOVE) {
        sock = sock_make(shard, fd);
    }
    if (!sock) {
        return what == CURL_POLL_REMOVE ? 0 : -1;
    }
    sock->kept |= sock->ours && easy && easy->connected;
    if (what == CURL_POLL_REMOVE) {
        sock->wanted = 0;
        if (!sock->kept) {
            sock_free(sock);
        }
        return 0;
    }
    sock->wanted = (what & CURL_POLL_IN ? EPOLLIN : 0)
                   | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
    return sock_register(sock) ? 0 : -1;
}

static void timer_cb(void *baton)
{
    act(baton, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *curlm, long ms, void *baton)
{
    mastra_shard_t *shard = baton;

    if (ms < 0) {
        mastra_loop_timer_stop(shard->multi->loop, &shard->timer);
    }
    else {
        mastra_loop_timer_set(shard->multi->loop, &shard->timer,
                              apr_time_from_msec(ms), timer_cb, shard);
    }
    return 0;
}

curl_socket_t mastra_multi_open(mastra_multi_t *multi, mastra_easy_t *easy,
                                const struct curl_sockaddr *addr)
{
    int fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    addr->protocol);
    sock_t *sock;

    easy->connected = 0;
    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    sock = sock_make(easy->shard, fd);
    if (!sock) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    sock->ours = 1;
    return fd;
}

static int on_close(void *baton, curl_socket_t fd)
{
    sock_t *sock = sock_find(baton, fd);

    if (sock) {
        sock_free(sock);
    }
    return close(fd);
}

/* ---- transfers ---- */

CURLcode mastra_multi_set_up(mastra_multi_t *multi, CURL *curl)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_SHARE, multi->share);

    if (rc == CURLE_OK) {
        rc = curl_easy_setopt(curl, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    }
    if (rc == CURLE_OK) {
        rc = curl_easy_setopt(curl, CURLOPT_CLOSESOCKETDATA, multi);
    }
    return rc;
}

/* curl counts the connections in use among those that it keeps: the number of
 * idle ones can only be limited by the sum. */
static void count_live(mastra_shard_t *shard, int change)
{
    mastra_multi_t *multi = shard->multi;
    long spare = shard == multi->shards[0]
                 ? mastra_loop_max_connects(multi->loop) : SPARE_CONNECTS;

    shard->live += change;
    curl_multi_setopt(shard->curlm, CURLMOPT_MAXCONNECTS, shard->live + spare);
}

static mastra_shard_t *shard_make(mastra_multi_t *multi)
{
    mastra_shard_t *shard = calloc(1, sizeof(*shard));

    if (!shard) {
        return NULL;
    }
    shard->multi = multi;
    shard->curlm = curl_multi_init();
    if (!shard->curlm) {
        free(shard);
        return NULL;
    }
    curl_multi_setopt(shard->curlm, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(shard->curlm, CURLMOPT_SOCKETDATA, shard);
    curl_multi_setopt(shard->curlm, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(shard->curlm, CURLMOPT_TIMERDATA, shard);
    multi->shards[multi->nshards++] = shard;
    return shard;
}

/* The first handle with room: so a small load stays on one of them, where it
 * finds its connections again. */
int mastra_multi_join(mastra_multi_t *multi, mastra_easy_t *easy)
{
    mastra_shard_t *shard;
    int i = 0;

    do {
        shard = i < multi->nshards ? multi->shards[i] : shard_make(multi);
        if (!shard) {
            return 0;
        }
    } while (shard->live >= SHARD_TRANSFERS && ++i < MAX_SHARDS);
    easy->shard = shard;
    count_live(shard, 1);
    return 1;
}

void mastra_multi_leave(mastra_easy_t *easy)
{
    count_live(easy->shard, -1);
    easy->shard = NULL;
}

int mastra_multi_add(mastra_easy_t *easy)
{
    easy->connected = 0;
    if (curl_multi_add_handle(easy->shard->curlm, easy->curl) != CURLM_OK) {
        return 0;
    }
    easy->added = 1;
    easy->shard->go = 1;
    return 1;
}

void mastra_multi_remove(mastra_easy_t *easy)
{
    if (easy->added) {
        curl_multi_remove_handle(easy->shard->curlm, easy->curl);
        easy->added = 0;
    }
}

CURLcode mastra_multi_unpause(mastra_easy_t *easy)
{
    mastra_multi_t *multi = easy->shard->multi;
    CURLcode rc;

    easy->shard->go = 1;
    multi->depth++;
    rc = curl_easy_pause(easy->curl, CURLPAUSE_CONT);
    multi->depth--;
    return rc;
}

void mastra_multi_go(mastra_multi_t *multi)
{
    int i;

    for (i = 0; i < multi->nshards; i++) {
        if (multi->shards[i]->go) {
            multi->shards[i]->go = 0;
            act(multi->shards[i], CURL_SOCKET_TIMEOUT, 0);
        }
    }
}

/* ---- all of it ---- */

void mastra_multi_free(mastra_multi_t *multi)
{
    int i;

    for (i = 0; i < multi->nshards; i++) {
        curl_multi_cleanup(multi->shards[i]->curlm);
        mastra_loop_timer_stop(multi->loop, &multi->shards[i]->timer);
    }
    while (!LIST_EMPTY(&multi->socks)) {
        sock_free(LIST_FIRST(&multi->socks));
    }
    while (multi->nshards) {
        free(multi->shards[--multi->nshards]);
    }
    if (multi->share) {
        curl_share_cleanup(multi->share);
    }
    free(multi);
}

mastra_multi_t *mastra_multi_make(mastra_loop_t *loop,
                                  void (*done_cb)(mastra_easy_t *easy,
                                                  CURLcode code))
{
    mastra_multi_t *multi = calloc(1, sizeof(*multi));

    if (!multi) {
        return NULL;
    }
    multi->loop = loop;
    multi->done_cb = done_cb;
    LIST_INIT(&multi->socks);
    multi->share = curl_share_init();
    if (!multi->share) {
        mastra_multi_free(multi);
        return NULL;
    }
    /* one thread uses it: no lock functions */
    curl_share_setopt(multi->share, CURLSHOPT_SHARE,
                      CURL_LOCK_DATA_SSL_SESSION);
    curl_share_setopt(multi->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    return multi;
}
