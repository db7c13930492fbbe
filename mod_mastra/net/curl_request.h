#ifndef MASTRA_NET_CURL_REQUEST_H
#define MASTRA_NET_CURL_REQUEST_H

#include <curl/curl.h>

#include "client.h"

/*
 * A request as curl wants it: a checked copy of what the caller gave, in one
 * block of memory. For curl.c alone.
 */
typedef struct {
    mastra_request_t ask;    /* its pointers lead into the block */
    const char *bad;         /* why it cannot be sent, or NULL */
    char *host;              /* lower case; NULL when trusted */
    int port;
    int has_body;
    struct curl_slist *lines;
} mastra_http_request_t;

/* APR_EINVAL for a method or header that would not be one on the wire, and
 * for an untrusted request without a guard. A URL that is not usable makes
 * request->bad. */
apr_status_t mastra_http_request_copy(mastra_http_request_t **prequest,
                                      const mastra_request_t *ask);
void mastra_http_request_free(mastra_http_request_t *request);

int mastra_http_is_redirect(int status);
/* The request to make next after an answer with status and location, or NULL
 * and why not. On the way to another origin it loses its trust and all
 * headers that could carry a credential. */
mastra_http_request_t *
mastra_http_request_redirected(const mastra_http_request_t *request,
                               int status, const char *location,
                               const char **pbad);

#endif
