#ifndef MASTRA_HTTP_CORS_H
#define MASTRA_HTTP_CORS_H

#include <httpd.h>

struct mastra_host_t;

/* What pages of other origins may do, as headers say it to browsers. */
typedef struct {
    int off;                 /* no header is sent, OPTIONS is not ours */
    int any;                 /* any origin */
    int reflect;             /* an origin is named back, "*" is not said */
    const apr_array_header_t *origins; /* const char *: those, unless any */
    const char *methods;     /* values of headers, joined by commas */
    const char *headers;
    const char *expose;
    const char *max_age;
    int credentials;
} mastra_cors_t;

/* What holds for the route of r, or else for its path. */
const mastra_cors_t *mastra_cors_of(const struct mastra_host_t *host,
                                    request_rec *r);
/* 1: origin is among those that are named one by one. */
int mastra_cors_names(const mastra_cors_t *cors, const char *origin);

#define MASTRA_CORS_METHODS "GET,POST,PUT,PATCH,DELETE,OPTIONS"
#define MASTRA_CORS_HEADERS "Content-Type,Authorization,A2A-Version," \
    "x-mastra-client-type,x-mastra-dev-playground"
#define MASTRA_CORS_EXPOSE "Content-Length,X-Requested-With"
#define MASTRA_CORS_MAX_AGE "3600"

#endif
