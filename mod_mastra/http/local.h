#ifndef MASTRA_HTTP_LOCAL_H
#define MASTRA_HTTP_LOCAL_H

#include <httpd.h>

#include "../base/text.h"

/*
 * Asking a path of this server, whatever handler is there, and keeping what it
 * says: by a sub-request with GET and without a body, on a worker.
 */
typedef struct {
    int status;              /* 0: it could not be asked */
    int written;             /* 1: the handler wrote the answer; 0: its status
                                is all it said */
    int too_large;           /* 1: the body is not complete */
    const char *type;        /* or NULL */
    const apr_table_t *headers;
    mastra_buf_t body;       /* mastra_buf_free it */
} mastra_local_t;

/* What the handler is told: called when it has been found. */
typedef void (mastra_local_tell_cb)(request_rec *sub, void *baton);

/* headers and type live in r->pool. */
void mastra_local_ask(mastra_local_t *answer, request_rec *r, const char *path,
                      apr_size_t limit, mastra_local_tell_cb *tell,
                      void *baton);

/* While hooks are registered. */
void mastra_local_register_filters(void);

/* An input filter for a handler whose request's body was read before: data,
 * or nothing at all. data lives as long as r. */
void mastra_local_replay(request_rec *r, const char *data, apr_size_t len);

#endif
