#ifndef MASTRA_NET_BUS_H
#define MASTRA_NET_BUS_H

#include <apr_pools.h>

#include "loop.h"

/*
 * The children of one server talk by datagrams: hints and live events, never
 * the only copy of anything. One AF_UNIX socket per child in a directory that
 * only the server's user may enter. Sending never blocks.
 */
typedef struct mastra_bus_t mastra_bus_t;

#define MASTRA_BUS_MAX (128 * 1024)  /* bytes of data in one message */

typedef struct {
    int kind;                /* the user's, 1 to 99 */
    int flags;               /* the user's, 16 bits */
    const char *key;         /* up to 400 bytes */
    apr_int64_t seq, after;  /* the user's */
    const char *data;
    apr_size_t len;
} mastra_bus_msg_t;

/* A message has come from address from: lent, on the loop. */
typedef void (mastra_bus_cb)(void *baton, const char *from,
                             const mastra_bus_msg_t *msg);

/* Opens this child's socket in dir; what others send waits in it. node names the
 * server: only addresses that begin with it are siblings. Before requests
 * come, not on the loop. */
apr_status_t mastra_bus_open(mastra_bus_t **pbus, mastra_loop_t *loop,
                             const char *dir, const char *node,
                             apr_pool_t *pool);
/* Greets the others, and tells cb of messages from now on: whoever listens is
 * complete by then. Once, not on the loop. */
void mastra_bus_listen(mastra_bus_t *bus, mastra_bus_cb *cb, void *baton);
/* Says good-bye and removes the socket. On the loop. */
void mastra_bus_close(mastra_bus_t *bus);

/* "node.pid-random": unlike that of any process before or after. */
const char *mastra_bus_address(const mastra_bus_t *bus);
/* 1 when address is one of this server's. */
int mastra_bus_is_near(const mastra_bus_t *bus, const char *address);

/* On the loop. APR_EAGAIN: the receiver is busy, try later. APR_ENOENT: there
 * is no such process any more (or it is of another server). */
apr_status_t mastra_bus_send(mastra_bus_t *bus, const char *to,
                             const mastra_bus_msg_t *msg);
/* The same, but a busy receiver gets it later: for hints, not for streams. */
apr_status_t mastra_bus_post(mastra_bus_t *bus, const char *to,
                             const mastra_bus_msg_t *msg);
/* To all siblings; one that is busy gets it later. */
void mastra_bus_broadcast(mastra_bus_t *bus, const mastra_bus_msg_t *msg);

#endif
