/* Datagrams between the children of one server. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <apr_strings.h>

#include "../base/log.h"
#include "../base/text.h"
#include "bus.h"

#define MAGIC 0x6d627531u
#define ADDRESS_MAX 100
#define KEY_MAX 400
#define BUFFER (MASTRA_BUS_MAX + 1024)
#define SEND_BUFFER (1024 * 1024)
#define MAX_PEERS 1024
#define MAX_WAITING 256          /* messages for one busy sibling */
#define RETRY apr_time_from_msec(2)
#define AT_ONCE 64               /* messages of one turn */

enum { KIND_HELLO = 100, KIND_BYE };

typedef struct {
    uint32_t magic;
    uint16_t kind, flags;
    uint16_t from_len, key_len;
    uint32_t data_len;
    int64_t seq, after;
} header_t;

typedef struct waiting_t {
    struct waiting_t *next;
    apr_size_t len;
    char data[];
} waiting_t;

/* A socket each: what one sibling has not read yet must not hold up the
 * others. */
typedef struct peer_t {
    struct peer_t *next;
    char address[ADDRESS_MAX];
    int fd;
    waiting_t *waiting, **waiting_end;
    int nwaiting;
    int gone;
} peer_t;

struct mastra_bus_t {
    mastra_loop_t *loop;
    const char *dir;
    int dirfd;
    int fd;
    char address[ADDRESS_MAX];
    char node[ADDRESS_MAX];
    peer_t *peers;
    int npeers;
    mastra_bus_cb *cb;
    void *baton;
    mastra_watch_t watch;
    mastra_timer_t retry;
    mastra_msg_t start;
    char *in;                    /* BUFFER bytes and a NUL */
};

const char *mastra_bus_address(const mastra_bus_t *bus)
{
    return bus->address;
}

int mastra_bus_is_near(const mastra_bus_t *bus, const char *address)
{
    apr_size_t len = strlen(bus->node);

    return !strncmp(address, bus->node, len) && address[len] == '.';
}

/* ---- siblings ---- */

/* A path that is too long for a socket goes by the directory's descriptor. */
static int fill_path(struct sockaddr_un *sun, const mastra_bus_t *bus,
                     const char *name)
{
    memset(sun, 0, sizeof(*sun));
    sun->sun_family = AF_UNIX;
    if (strlen(bus->dir) + strlen(name) + 2 <= sizeof(sun->sun_path)) {
        apr_snprintf(sun->sun_path, sizeof(sun->sun_path), "%s/%s", bus->dir,
                     name);
        return 1;
    }
    return strlen(name) + 32 < sizeof(sun->sun_path)
           && apr_snprintf(sun->sun_path, sizeof(sun->sun_path),
                           "/proc/self/fd/%d/%s", bus->dirfd, name) > 0;
}

static peer_t *find_peer(const mastra_bus_t *bus, const char *address)
{
    peer_t *peer = bus->peers;

    while (peer && strcmp(peer->address, address)) {
        peer = peer->next;
    }
    return peer;
}

static int is_name(const char *address)
{
    return *address && *address != '.' && !strchr(address, '/')
           && strlen(address) < ADDRESS_MAX;
}

/* NULL when nobody is there: its socket goes. */
static peer_t *reach(mastra_bus_t *bus, const char *address)
{
    int size = SEND_BUFFER;
    struct sockaddr_un sun;
    peer_t *peer;
    int fd;

    if (bus->npeers >= MAX_PEERS || !is_name(address)
        || !strcmp(address, bus->address)
        || !fill_path(&sun, bus, address)) {
        return NULL;
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return NULL;
    }
    if (connect(fd, (struct sockaddr *)&sun, sizeof(sun))) {
        if (errno == ECONNREFUSED) {
            unlinkat(bus->dirfd, address, 0);
        }
        close(fd);
        return NULL;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    peer = calloc(1, sizeof(*peer));
    if (!peer) {
        close(fd);
        return NULL;
    }
    apr_cpystrn(peer->address, address, sizeof(peer->address));
    peer->fd = fd;
    peer->waiting_end = &peer->waiting;
    peer->next = bus->peers;
    bus->peers = peer;
    bus->npeers++;
    return peer;
}

static void drop_waiting(peer_t *peer)
{
    waiting_t *one;

    while ((one = peer->waiting) != NULL) {
        peer->waiting = one->next;
        free(one);
    }
    peer->waiting_end = &peer->waiting;
    peer->nwaiting = 0;
}

static void forget(mastra_bus_t *bus, peer_t *peer)
{
    peer_t **at = &bus->peers;

    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    bus->npeers--;
    close(peer->fd);
    drop_waiting(peer);
    free(peer);
}

/* ---- sending ---- */

/* A message as bytes, from malloc. */
static waiting_t *encode(const mastra_bus_t *bus, const mastra_bus_msg_t *msg)
{
    const char *key = msg->key ? msg->key : "";
    header_t head = { MAGIC, (uint16_t)msg->kind, (uint16_t)msg->flags,
                      (uint16_t)strlen(bus->address), (uint16_t)strlen(key),
                      (uint32_t)msg->len, msg->seq, msg->after };
    apr_size_t len = sizeof(head) + head.from_len + head.key_len + msg->len;
    waiting_t *made;
    char *to;

    if (strlen(key) > KEY_MAX || msg->len > MASTRA_BUS_MAX) {
        return NULL;
    }
    made = malloc(sizeof(*made) + len);
    if (!made) {
        return NULL;
    }
    made->next = NULL;
    made->len = len;
    to = made->data;
    memcpy(to, &head, sizeof(head));
    memcpy(to += sizeof(head), bus->address, head.from_len);
    memcpy(to += head.from_len, key, head.key_len);
    if (msg->len) {
        memcpy(to + head.key_len, msg->data, msg->len);
    }
    return made;
}

static apr_status_t send_bytes(mastra_bus_t *bus, peer_t *peer,
                               const waiting_t *bytes)
{
    if (send(peer->fd, bytes->data, bytes->len, MSG_NOSIGNAL) >= 0) {
        return APR_SUCCESS;
    }
    if (errno == ECONNREFUSED || errno == ENOENT || errno == ENOTCONN
        || errno == EPIPE || errno == ECONNRESET) {
        unlinkat(bus->dirfd, peer->address, 0);
        return APR_ENOENT;
    }
    return APR_EAGAIN;
}

static void on_retry(void *baton)
{
    mastra_bus_t *bus = baton;
    peer_t *peer, *next;
    int busy = 0;

    for (peer = bus->peers; peer; peer = next) {
        apr_status_t rv = APR_SUCCESS;

        next = peer->next;
        while (peer->waiting && rv == APR_SUCCESS) {
            waiting_t *one = peer->waiting;

            rv = send_bytes(bus, peer, one);
            if (rv == APR_SUCCESS) {
                peer->waiting = one->next;
                peer->nwaiting--;
                free(one);
            }
        }
        if (!peer->waiting) {
            peer->waiting_end = &peer->waiting;
        }
        if (rv == APR_ENOENT) {
            forget(bus, peer);
        }
        busy |= rv == APR_EAGAIN;
    }
    if (busy) {
        mastra_loop_timer_set(bus->loop, &bus->retry, RETRY, on_retry, bus);
    }
}

/* What is sent again and again is not kept for a sibling that sleeps for
 * long: the oldest goes. */
static void put_off(mastra_bus_t *bus, peer_t *peer, waiting_t *bytes)
{
    if (peer->nwaiting == MAX_WAITING) {
        waiting_t *oldest = peer->waiting;

        peer->waiting = oldest->next;
        peer->nwaiting--;
        free(oldest);
    }
    if (!peer->waiting) {
        peer->waiting_end = &peer->waiting;
    }
    *peer->waiting_end = bytes;
    peer->waiting_end = &bytes->next;
    peer->nwaiting++;
    if (!bus->retry.slot) {
        mastra_loop_timer_set(bus->loop, &bus->retry, RETRY, on_retry, bus);
    }
}

apr_status_t mastra_bus_send(mastra_bus_t *bus, const char *to,
                             const mastra_bus_msg_t *msg)
{
    peer_t *peer = find_peer(bus, to);
    waiting_t *bytes;
    apr_status_t rv;

    if (!peer) {
        peer = mastra_bus_is_near(bus, to) ? reach(bus, to) : NULL;
    }
    if (!peer) {
        return APR_ENOENT;
    }
    if (peer->nwaiting) {
        return APR_EAGAIN;
    }
    bytes = encode(bus, msg);
    if (!bytes) {
        return APR_EINVAL;
    }
    rv = send_bytes(bus, peer, bytes);
    free(bytes);
    if (rv == APR_ENOENT) {
        forget(bus, peer);
    }
    return rv;
}

/* APR_ENOENT: peer is gone. */
static apr_status_t post(mastra_bus_t *bus, peer_t *peer,
                         const mastra_bus_msg_t *msg)
{
    waiting_t *bytes = encode(bus, msg);
    apr_status_t rv;

    if (!bytes) {
        return APR_EINVAL;
    }
    rv = peer->nwaiting ? APR_EAGAIN : send_bytes(bus, peer, bytes);
    if (rv == APR_EAGAIN) {
        put_off(bus, peer, bytes);
        return APR_SUCCESS;
    }
    free(bytes);
    if (rv == APR_ENOENT) {
        forget(bus, peer);
    }
    return rv;
}

apr_status_t mastra_bus_post(mastra_bus_t *bus, const char *to,
                             const mastra_bus_msg_t *msg)
{
    peer_t *peer = find_peer(bus, to);

    if (!peer) {
        peer = mastra_bus_is_near(bus, to) ? reach(bus, to) : NULL;
    }
    return peer ? post(bus, peer, msg) : APR_ENOENT;
}

void mastra_bus_broadcast(mastra_bus_t *bus, const mastra_bus_msg_t *msg)
{
    peer_t *peer, *next;

    for (peer = bus->peers; peer; peer = next) {
        next = peer->next;
        post(bus, peer, msg);
    }
}

/* ---- receiving ---- */

static void deliver(mastra_bus_t *bus, const char *from,
                    const mastra_bus_msg_t *msg)
{
    peer_t *peer = find_peer(bus, from);

    if (msg->kind == KIND_BYE) {
        if (peer) {
            forget(bus, peer);
        }
        return;
    }
    if (!peer && mastra_bus_is_near(bus, from)) {
        reach(bus, from);
    }
    if (msg->kind < KIND_HELLO && bus->cb) {
        bus->cb(bus->baton, from, msg);
    }
}

/* The directory lets only our own user in; a message that is none of ours is
 * dropped all the same. */
static void decode(mastra_bus_t *bus, char *bytes, apr_size_t len)
{
    char from[ADDRESS_MAX], key[KEY_MAX + 1];
    mastra_bus_msg_t msg;
    header_t head;

    if (len < sizeof(head)) {
        return;
    }
    memcpy(&head, bytes, sizeof(head));
    bytes += sizeof(head);
    if (head.magic != MAGIC || head.from_len >= sizeof(from)
        || head.key_len >= sizeof(key)
        || len != sizeof(head) + head.from_len + head.key_len
                      + head.data_len) {
        return;
    }
    memcpy(from, bytes, head.from_len);
    from[head.from_len] = '\0';
    memcpy(key, bytes + head.from_len, head.key_len);
    key[head.key_len] = '\0';
    msg.kind = head.kind;
    msg.flags = head.flags;
    msg.key = key;
    msg.seq = head.seq;
    msg.after = head.after;
    msg.data = bytes + head.from_len + head.key_len;
    msg.len = head.data_len;
    deliver(bus, from, &msg);
}

static void on_readable(void *baton, unsigned events)
{
    mastra_bus_t *bus = baton;
    int i;

    for (i = 0; i < AT_ONCE && bus->fd >= 0; i++) {
        ssize_t n = recv(bus->fd, bus->in, BUFFER, MSG_DONTWAIT);

        if (n < 0) {
            return;
        }
        bus->in[n] = '\0';
        decode(bus, bus->in, (apr_size_t)n);
    }
}

/* ---- opening and closing ---- */

static void start(void *baton)
{
    mastra_bus_t *bus = baton;
    mastra_bus_msg_t hello = { .kind = KIND_HELLO };

    bus->watch.fd = bus->fd;
    bus->watch.events = EPOLLIN;
    bus->watch.cb = on_readable;
    bus->watch.baton = bus;
    mastra_loop_watch(bus->loop, &bus->watch);
    mastra_bus_broadcast(bus, &hello);
}

/* Sockets whose process is gone are removed on the way. */
static void find_siblings(mastra_bus_t *bus)
{
    DIR *dir = opendir(bus->dir);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL) {
        if (mastra_bus_is_near(bus, entry->d_name)) {
            reach(bus, entry->d_name);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

static apr_status_t release(void *baton)
{
    mastra_bus_t *bus = baton;

    while (bus->peers) {
        forget(bus, bus->peers);
    }
    if (bus->fd >= 0) {
        close(bus->fd);
        unlinkat(bus->dirfd, bus->address, 0);
    }
    if (bus->dirfd >= 0) {
        close(bus->dirfd);
    }
    free(bus->in);
    bus->in = NULL;
    bus->fd = bus->dirfd = -1;
    return APR_SUCCESS;
}

static apr_status_t make_socket(mastra_bus_t *bus)
{
    struct sockaddr_un sun;

    bus->dirfd = open(bus->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (bus->dirfd < 0) {
        return errno;
    }
    if (!fill_path(&sun, bus, bus->address)) {
        return APR_ENAMETOOLONG;
    }
    bus->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bus->fd < 0) {
        return errno;
    }
    return bind(bus->fd, (struct sockaddr *)&sun, sizeof(sun)) ? errno
                                                               : APR_SUCCESS;
}

apr_status_t mastra_bus_open(mastra_bus_t **pbus, mastra_loop_t *loop,
                             const char *dir, const char *node,
                             apr_pool_t *pool)
{
    mastra_bus_t *bus = apr_pcalloc(pool, sizeof(*bus));
    char number[17];
    apr_status_t rv;

    bus->loop = loop;
    bus->dir = apr_pstrdup(pool, dir);
    bus->fd = bus->dirfd = -1;
    mastra_text_random_hex(number, 8);
    apr_cpystrn(bus->node, node, 33);
    apr_snprintf(bus->address, sizeof(bus->address), "%s.%d-%s", bus->node,
                 (int)getpid(), number);
    bus->in = malloc(BUFFER + 1);
    rv = bus->in ? make_socket(bus) : APR_ENOMEM;
    if (rv != APR_SUCCESS) {
        release(bus);
        return rv;
    }
    /* stays registered after mastra_bus_close: the loop does not touch a pool
     * that other threads use */
    apr_pool_cleanup_register(pool, bus, release, apr_pool_cleanup_null);
    find_siblings(bus);
    *pbus = bus;
    return APR_SUCCESS;
}

void mastra_bus_listen(mastra_bus_t *bus, mastra_bus_cb *cb, void *baton)
{
    bus->cb = cb;
    bus->baton = baton;
    bus->start.cb = start;
    bus->start.baton = bus;
    mastra_loop_post(bus->loop, &bus->start);
}

void mastra_bus_close(mastra_bus_t *bus)
{
    mastra_bus_msg_t bye = { .kind = KIND_BYE };

    if (bus->fd < 0) {
        return;
    }
    mastra_bus_broadcast(bus, &bye);
    mastra_loop_timer_stop(bus->loop, &bus->retry);
    mastra_loop_unwatch(bus->loop, &bus->watch);
    release(bus);
}
