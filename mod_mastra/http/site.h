#ifndef MASTRA_HTTP_SITE_H
#define MASTRA_HTTP_SITE_H

#include <httpd.h>
#include <apr_errno.h>

/*
 * Pages for people: a folder of files that is served below a path where
 * nothing of the host is, and one page that is made of a text. Files are
 * httpd's to send (default handler: ETag, ranges, filters); which there are is
 * read when the configuration is, and no other name is ever opened. Made in
 * pconf, read-only afterwards.
 */
typedef struct mastra_site_t mastra_site_t;

/* The host's files below dir as base/NAME; base begins with a slash and does
 * not end with one, or is "". dir NULL: no files. NULL or what is wrong. */
const char *mastra_site_make(mastra_site_t **psite, const char *base,
                             const char *dir, apr_pool_t *pool);

/* HTML for path, which is below the base or is it; text and policy (of its
 * Content-Security-Policy) live as long as the site. */
void mastra_site_page(mastra_site_t *site, const char *path, const char *text,
                      const char *policy);
/* The page text for every path below the base that is no file's: an
 * application with addresses of its own. */
void mastra_site_fallback(mastra_site_t *site, const char *text,
                          const char *policy);

/* The policy's source of each <script> in html that has no address:
 * " 'sha256-…' …". */
const char *mastra_site_hashes(const char *html, apr_pool_t *pool);

/* fixups, last, where nothing else is at r's path: takes a GET of one of the
 * site's paths and returns 1; 0: not the site's. A page is then to be sent by
 * mastra_site_send, from the handler. */
int mastra_site_claim(const mastra_site_t *site, request_rec *r);
/* DECLINED: r was not claimed for a page. */
int mastra_site_send(request_rec *r);

/* 1: nothing of the host answers r: no file, handler, proxy or listing. */
int mastra_site_is_free(const request_rec *r);

#endif
