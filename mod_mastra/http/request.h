#ifndef MASTRA_HTTP_REQUEST_H
#define MASTRA_HTTP_REQUEST_H

#include <httpd.h>

#include "auth.h"
#include "router.h"

/*
 * One request on its way in: what its headers say about where it comes from,
 * its path as segments, its body.
 */

#define MASTRA_HEADER_INTERNAL "X-Mastra-Internal-"
#define MASTRA_HEADER_SECRET MASTRA_HEADER_INTERNAL "Secret"
#define MASTRA_HEADER_DEPTH MASTRA_HEADER_INTERNAL "Depth"
/* Whose memory a call of this server to itself is about, percent-encoded. */
#define MASTRA_HEADER_RESOURCE MASTRA_HEADER_INTERNAL "Resource"
#define MASTRA_MAX_DEPTH 8
/* Of headers of which each is a value of a request context. */
#define MASTRA_HEADER_CONTEXT "X-Mastra-Context-"

/* What is remembered of a request between hooks. */
typedef struct {
    int claimed;             /* 1: our handler answers it */
    const char *id;          /* of the request, once it has one */
    int internal;            /* 1: it carried this server's secret */
    int depth;               /* of nested calls of this server */
    const char *resource;    /* that a call of this server to itself names */
    int asking;              /* this server asks a path of its own about it */
    const mastra_identity_t *identity; /* who asks, once that is known */
    struct mastra_forward_t *forward;  /* where it is redirected to */
    const void *page;        /* of a site that answers it: site.c */
} mastra_mark_t;

/* The mark of r, made when there is none. */
mastra_mark_t *mastra_request_mark(request_rec *r);
/* The mark of r or NULL. */
const mastra_mark_t *mastra_request_marked(const request_rec *r);
/* The mark of the request that r came from by sub-requests and internal
 * redirects: only that one had headers of its own. NULL: none. */
const mastra_mark_t *mastra_request_origin(const request_rec *r);

/* post_read_request: believes headers named X-Mastra-Internal-… when they come
 * with the secret, and removes them otherwise. The secret itself is removed
 * always, so that no script or proxied server sees it. */
void mastra_request_intake(request_rec *r, const char *secret);

/* pre_translate_name: keeps an encoded slash below prefix through httpd's
 * decoding, as AllowEncodedSlashes NoDecode does, as ids may contain one. */
void mastra_request_keep_slashes(request_rec *r, const char *prefix);

/* 1: uri is prefix or lies below it. */
int mastra_path_below(const char *uri, const char *prefix);

#define MASTRA_MAX_SEGMENTS 16

typedef struct {
    const char *text;        /* decoded; len bytes, not always terminated */
    apr_size_t len;
} mastra_segment_t;

typedef struct {
    mastra_segment_t segments[MASTRA_MAX_SEGMENTS];
    int count;
    int outside;             /* 1: not below the prefix */
} mastra_path_t;

typedef enum {
    MASTRA_PATH_OK,
    MASTRA_PATH_UNKNOWN,     /* empty or dot segments, too many: not found */
    MASTRA_PATH_INVALID      /* what it decodes to is no text */
} mastra_path_e;

/* The path that the client asked for, cut at its slashes before decoding; the
 * path that mod_rewrite made of it, when it did. */
mastra_path_e mastra_request_path(mastra_path_t *path, request_rec *r,
                                  const char *prefix);

/* x-request-id: the client's when it is fit to be logged, else a new one. It is
 * a header of the answer from then on. */
const char *mastra_request_id(request_rec *r);

/* Reads the body, at most limit bytes, into malloc memory (free it); *pdata
 * NULL: there is none. Returns OK; or a status to return as it is; or -1 and
 * *perror. The connection is closed after a body that was not read. */
int mastra_request_read(char **pdata, apr_size_t *plen,
                        mastra_result_t **perror, request_rec *r,
                        apr_size_t limit);

/* Removes the members of a request context that a client may not set. */
void mastra_request_context_clean(mastra_json_t *context);

/* A context that the client has put elsewhere in its body, below the one of the
 * request; lives as long as req. */
mastra_json_t *mastra_context_below(mastra_req_t *req, mastra_json_t *client);

/* The cross-origin headers of every answer, also those that httpd makes. */
void mastra_cors_headers(const mastra_cors_t *cors, request_rec *r);

/* 1 when the Accept header gives type more weight than other. */
int mastra_request_prefers(const request_rec *r, const char *type,
                           const char *other);

#endif
