#ifndef MASTRA_STUDIO_STUDIO_H
#define MASTRA_STUDIO_STUDIO_H

#include <httpd.h>

#include "../net/loop.h"

/*
 * Studio, Mastra's web application for agents: its files as they were
 * installed, its page with the blanks filled in, and the stream by which an
 * open page hears of a new server. Made in pconf, read-only afterwards.
 */
typedef struct mastra_studio_t mastra_studio_t;

typedef struct {
    const char *base;        /* path it is served at; "" for the root */
    const char *seen;        /* the same as browsers see it; NULL: base */
    const char *api;         /* path or URL of the API as browsers see it */
    const char *root;        /* folder with index.html and assets */
    const char *host;        /* for addresses that are shown to people */
    int port;
    const char *generation;  /* another value lets open pages load anew */
    int development;
} mastra_studio_conf_t;

/* NULL or what is wrong. */
const char *mastra_studio_make(mastra_studio_t **pstudio,
                               const mastra_studio_conf_t *conf,
                               apr_pool_t *pool);
/* fixups, last: 1 when r asks for something of Studio's, which is then sent by
 * mastra_site_send, httpd or mastra_studio_handle. */
int mastra_studio_claim(const mastra_studio_t *studio, request_rec *r);
/* translate_name: 1 when a page of Studio asks whether its server is there,
 * for which it asks for the root of the host, whatever that is for others. */
int mastra_studio_claim_probe(const mastra_studio_t *studio, request_rec *r);
/* DECLINED: not a request that was claimed for this. */
int mastra_studio_handle(const mastra_studio_t *studio, request_rec *r,
                         mastra_loop_t *loop);

/* "/studio", without a slash at its end, of letters, digits, ".", "_", "~" and
 * "-"; "" when it is "/" alone. NULL: text is no such path. */
const char *mastra_studio_path(const char *text, apr_pool_t *pool);

#endif
