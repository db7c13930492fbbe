#ifndef MASTRA_HTTP_ONERROR_H
#define MASTRA_HTTP_ONERROR_H

#include "router.h"

/*
 * MastraOnError: a local path that is told of a request that has failed, and
 * whose answer the client gets. Asked over loopback by the loop, as a failure
 * may be one of the loop's.
 */
typedef struct mastra_onerror_t mastra_onerror_t;

/* status 0: it could not be asked, and the log says so. Lent. */
typedef void (mastra_onerror_cb)(void *baton, int status, const char *type,
                                 const char *body, apr_size_t len);

/* 1: errors of req are somebody else's to tell. Any thread. */
int mastra_onerror_is_for(const mastra_req_t *req);
/* Loop. text: what the client would be told. NULL: it could not be asked, or
 * is being asked about too many others; otherwise cb is called once, later. */
mastra_onerror_t *mastra_onerror_ask(const mastra_req_t *req,
                                     const mastra_result_t *error,
                                     const char *text, mastra_onerror_cb *cb,
                                     void *baton);
/* Loop: cb is not called any more. */
void mastra_onerror_cancel(mastra_onerror_t *asked);

#endif
