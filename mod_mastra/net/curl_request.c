/* Requests checked and copied for curl, and what redirects make of them. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_lib.h>

#include "curl_request.h"

/* curl asks "may I?" before larger bodies, which costs a second with servers
 * that do not answer that */
#define EXPECT_LIMIT ((apr_size_t)1024 * 1024)

static const char no_expect[] = "Expect:";
static const char no_type[] = "Content-Type:";

/* ---- checks ---- */

static int is_token(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (!apr_isalnum(text[i]) && !strchr("!#$%&'*+-.^_`|~", text[i])) {
            return 0;
        }
    }
    return len > 0;
}

static int is_header(const char *line)
{
    size_t name = strcspn(line, ":");

    return line[name] && is_token(line, name)
           && !line[name + strcspn(line + name, "\r\n")];
}

static int has_name(const char *line, const char *name)
{
    size_t len = strlen(name);

    return !strncasecmp(line, name, len) && line[len] == ':';
}

static const char *find_header(const char *const *headers, const char *name)
{
    for (; headers && *headers; headers++) {
        if (has_name(*headers, name)) {
            return *headers;
        }
    }
    return NULL;
}

static int is_http_url(const char *url)
{
    return !strncasecmp(url, "http://", 7) || !strncasecmp(url, "https://", 8);
}

static apr_status_t check(const mastra_request_t *ask)
{
    const char *const *header;

    if (!ask->method || !is_token(ask->method, strlen(ask->method))
        || !ask->url || !ask->on_done || (ask->body_len && !ask->body)
        || (!ask->trusted && !ask->guard)) {
        return APR_EINVAL;
    }
    for (header = ask->headers; header && *header; header++) {
        if (!is_header(*header)) {
            return APR_EINVAL;
        }
    }
    return APR_SUCCESS;
}

/* ---- URLs: read by curl, so that nobody reads them differently ---- */

typedef struct {
    char *scheme;
    char *host;
    int port;
} origin_t;

static void origin_free(origin_t *origin)
{
    curl_free(origin->scheme);
    curl_free(origin->host);
    memset(origin, 0, sizeof(*origin));
}

static int origin_get(origin_t *origin, CURLU *url)
{
    char *port = NULL;
    char *p;
    size_t len;

    memset(origin, 0, sizeof(*origin));
    if (curl_url_get(url, CURLUPART_SCHEME, &origin->scheme, 0) != CURLUE_OK
        || curl_url_get(url, CURLUPART_HOST, &origin->host, 0) != CURLUE_OK
        || curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)
           != CURLUE_OK) {
        origin_free(origin);
        return 0;
    }
    origin->port = atoi(port);
    curl_free(port);
    for (p = origin->host; *p; p++) {
        *p = apr_tolower(*p);
    }
    len = strlen(origin->host);
    if (len > 1 && origin->host[len - 1] == '.') {
        origin->host[len - 1] = '\0';
    }
    return 1;
}

static CURLU *url_parse(const char *text)
{
    CURLU *url = curl_url();

    if (url && curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK) {
        curl_url_cleanup(url);
        url = NULL;
    }
    return url;
}

/* The guard goes by host and port too: keeps them. */
static void set_host(mastra_http_request_t *request)
{
    CURLU *url;
    origin_t origin;

    if (request->ask.trusted || request->bad) {
        return;
    }
    url = url_parse(request->ask.url);
    if (url && origin_get(&origin, url)) {
        request->host = origin.host;
        request->port = origin.port;
        curl_free(origin.scheme);
    }
    else {
        request->bad = "the URL is not valid";
    }
    curl_url_cleanup(url);
}

/* ---- the copy ---- */

static char *put(char **pto, const char *text)
{
    char *at = *pto;
    size_t size = strlen(text) + 1;

    memcpy(at, text, size);
    *pto += size;
    return at;
}

/* curl takes "Name:" as "leave that header out" and "Name;" as empty. */
static void mark_empty(char *line)
{
    char *colon = strchr(line, ':');

    if (!colon[1 + strspn(colon + 1, " \t")]) {
        colon[0] = ';';
        colon[1] = '\0';
    }
}

static void link_line(mastra_http_request_t *request, struct curl_slist *node,
                      const char *text)
{
    node->data = (char *)text;
    node->next = request->lines;
    request->lines = node;
}

/* Nodes are put in front of each other: from the last header to the first. */
static void link_lines(mastra_http_request_t *request, struct curl_slist *nodes,
                       char *texts, size_t n)
{
    const mastra_request_t *ask = &request->ask;

    if (request->has_body && !find_header(ask->headers, "content-type")) {
        link_line(request, nodes++, no_type);
    }
    if (ask->body_len > EXPECT_LIMIT) {
        link_line(request, nodes++, no_expect);
    }
    while (n--) {
        char *line = put(&texts, ask->headers[n]);

        mark_empty(line);
        link_line(request, nodes++, line);
    }
}

static apr_status_t copy(mastra_http_request_t **prequest,
                         const mastra_request_t *ask)
{
    mastra_http_request_t *request;
    struct curl_slist *nodes;
    const char **headers;
    size_t n = 0, texts = 0, i;
    char *to;

    for (; ask->headers && ask->headers[n]; n++) {
        texts += strlen(ask->headers[n]) + 2;
    }
    request = malloc(sizeof(*request) + (n + 2) * sizeof(*nodes)
                     + (n + 1) * sizeof(*headers) + 2 * texts
                     + strlen(ask->method) + strlen(ask->url) + 2);
    if (!request) {
        return APR_ENOMEM;
    }
    memset(request, 0, sizeof(*request));
    nodes = (void *)(request + 1);
    headers = (void *)(nodes + n + 2);
    to = (void *)(headers + n + 1);
    request->ask = *ask;
    request->ask.method = put(&to, ask->method);
    request->ask.url = put(&to, ask->url);
    for (i = 0; i < n; i++) {
        headers[i] = put(&to, ask->headers[i]);
    }
    headers[n] = NULL;
    request->ask.headers = headers;
    request->has_body = ask->body || !strcmp(ask->method, "POST")
                        || !strcmp(ask->method, "PUT")
                        || !strcmp(ask->method, "PATCH");
    link_lines(request, nodes, to, n);
    if (!is_http_url(ask->url)) {
        request->bad = "the URL is not one of http or https";
    }
    set_host(request);
    *prequest = request;
    return APR_SUCCESS;
}

apr_status_t mastra_http_request_copy(mastra_http_request_t **prequest,
                                      const mastra_request_t *ask)
{
    apr_status_t rv = check(ask);

    return rv == APR_SUCCESS ? copy(prequest, ask) : rv;
}

void mastra_http_request_free(mastra_http_request_t *request)
{
    if (request) {
        curl_free(request->host);
        free(request);
    }
}

/* ---- redirects ---- */

int mastra_http_is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307
           || status == 308;
}

/* All that another origin gets to see of a request's headers. */
static int is_harmless(const char *line)
{
    return has_name(line, "accept") || has_name(line, "accept-language")
           || has_name(line, "content-type") || has_name(line, "user-agent");
}

static int is_of_body(const char *line)
{
    return !strncasecmp(line, "content-", 8)
           || has_name(line, "transfer-encoding");
}

/* The URL of the next request; *pforeign tells that the origin is another. */
static char *next_url(const char *base, const char *location, int *pforeign,
                      const char **pbad)
{
    CURLU *url = url_parse(base);
    origin_t from = { 0 }, to = { 0 };
    char *text = NULL;

    *pbad = "a redirect to a URL that is not valid";
    if (!url || !origin_get(&from, url)
        || curl_url_set(url, CURLUPART_URL, location, CURLU_URLENCODE)
           != CURLUE_OK
        || !origin_get(&to, url)) {
        goto leave;
    }
    if (strcasecmp(to.scheme, "http") && strcasecmp(to.scheme, "https")) {
        *pbad = "a redirect to a URL that is not one of http or https";
        goto leave;
    }
    if (!strcasecmp(from.scheme, "https") && strcasecmp(to.scheme, "https")) {
        *pbad = "a redirect from https to http";
        goto leave;
    }
    *pforeign = strcasecmp(from.scheme, to.scheme)
                || strcmp(from.host, to.host) || from.port != to.port;
    if (*pforeign) {
        curl_url_set(url, CURLUPART_USER, NULL, 0);
        curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
    }
    if (curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK) {
        *pbad = NULL;
    }

leave:
    origin_free(&from);
    origin_free(&to);
    curl_url_cleanup(url);
    return text;
}

/* The headers that may go along: a NULL-terminated array to be freed. */
static const char **headers_left(const mastra_request_t *ask, int foreign,
                                 int bodiless)
{
    const char *const *from;
    const char **headers, **to;
    size_t n = 0;

    while (ask->headers[n]) {
        n++;
    }
    to = headers = malloc((n + 1) * sizeof(*headers));
    for (from = ask->headers; headers && *from; from++) {
        if ((!foreign || is_harmless(*from))
            && (!bodiless || !is_of_body(*from))) {
            *to++ = *from;
        }
    }
    if (headers) {
        *to = NULL;
    }
    return headers;
}

/* As browsers do it: only 307 and 308 keep every method. */
static int becomes_get(int status, const char *method)
{
    return (status == 303 && strcmp(method, "HEAD"))
           || ((status == 301 || status == 302) && !strcmp(method, "POST"));
}

mastra_http_request_t *
mastra_http_request_redirected(const mastra_http_request_t *request,
                               int status, const char *location,
                               const char **pbad)
{
    mastra_http_request_t *next = NULL;
    mastra_request_t ask = request->ask;
    int foreign = 0, bodiless = becomes_get(status, ask.method);
    char *url = next_url(ask.url, location, &foreign, pbad);
    const char **headers;

    if (!url) {
        return NULL;
    }
    if (foreign) {
        ask.trusted = 0;
    }
    if (bodiless) {
        ask.method = "GET";
        ask.body = NULL;
        ask.body_len = 0;
    }
    headers = headers_left(&ask, foreign, bodiless);
    ask.url = url;
    ask.headers = headers;
    if (!headers || copy(&next, &ask) != APR_SUCCESS) {
        *pbad = "no memory for a redirect";
    }
    free(headers);
    curl_free(url);
    return next;
}
