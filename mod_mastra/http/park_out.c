/* Writing through httpd's output filters from the loop, never blocking. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sys/epoll.h>

#include <httpd.h>
#include <apr_strings.h>
#include <http_connection.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "../base/log.h"
#include "park_internal.h"

/* for one pass; the core filter blocks above FlushMaxThreshold (64 KiB) */
#define SLICE (32 * 1024)
#define SLICE_LEAST (4 * 1024)
/* for one turn of the loop: other clients wait */
#define SLICES_A_TURN 8

/* ---- a bucket that pushes ---- */

/* mod_ssl collects small data until something comes that it cannot collect.
 * A FLUSH would do, but the core filter blocks on it; a metadata bucket of our
 * own does as well, and means nothing to anyone. */

static apr_status_t push_read(apr_bucket *b, const char **str,
                              apr_size_t *len, apr_read_type_e block)
{
    *str = NULL;
    *len = 0;
    return APR_SUCCESS;
}

static const apr_bucket_type_t push_type = {
    "MASTRA_PUSH", 5, APR_BUCKET_METADATA,
    apr_bucket_destroy_noop, push_read, apr_bucket_setaside_noop,
    apr_bucket_split_notimpl, apr_bucket_simple_copy
};

static apr_bucket *push_create(apr_bucket_alloc_t *list)
{
    apr_bucket *b = apr_bucket_alloc(sizeof(*b), list);

    APR_BUCKET_INIT(b);
    b->free = apr_bucket_free;
    b->list = list;
    b->type = &push_type;
    b->length = 0;
    b->start = 0;
    b->data = NULL;
    return b;
}

/* ---- which filters ---- */

/* Registered names, in lower case, of filters that pass on at once what they
 * are given, or that take themselves out at their first call because of
 * no-gzip and no-brotli. Others may block (ratelimit sleeps) or keep data
 * back (substitute), which on the loop would hit each client of the child. */
static const char *const known_filters[] = {
    "byterange", "content_length", "http_header", "http_outerror", "chunk",
    "core", "fixup_headers_out", "fixup_headers_err", "mod_expires",
    "logio_ttfb_out", "reqtimeout", "ssl/tls filter",
    "ssl/tls coalescing filter", "deflate", "brotli_compress",
    "bytype:deflate", "bytype:brotli_compress", NULL
};

static int is_known_filter(const char *name)
{
    int i;

    for (i = 0; known_filters[i]; i++) {
        if (!strcasecmp(known_filters[i], name)) {
            return 1;
        }
    }
    return !strncasecmp(name, "mastra", 6);
}

core_net_rec *mastra_out_net(conn_rec *c)
{
    ap_filter_t *f = c->output_filters;

    while (f && f->next) {
        f = f->next;
    }
    return f && f->frec == ap_core_output_filter_handle ? f->ctx : NULL;
}

static apr_size_t slice_of(const conn_rec *c)
{
    const core_server_config *conf =
        ap_get_core_module_config(c->base_server->module_config);
    apr_size_t half = conf->flush_max_threshold / 2;

    return half < SLICE ? half : SLICE;
}

int mastra_out_may_park(request_rec *r, apr_size_t *pslice)
{
    ap_filter_t *f, *next;

    *pslice = slice_of(r->connection);
    if (!mastra_out_net(r->connection) || *pslice < SLICE_LEAST) {
        return 0;
    }
    for (f = r->output_filters; f; f = next) {
        next = f->next;
        if (!is_known_filter(f->frec->name)) {
            mastra_log(MASTRA_LOG_DEBUG, 0,
                       "%s: a worker waits for this answer, as the output "
                       "filter %s may block", r->uri, f->frec->name);
            return 0;
        }
        /* a part of a generated answer would be generated, too */
        if (!strcmp(f->frec->name, "byterange")) {
            ap_remove_output_filter(f);
        }
    }
    return 1;
}

/* ---- the head ---- */

static int may_repeat(const char *name)
{
    return !strcasecmp(name, "Set-Cookie")
           || !strcasecmp(name, "WWW-Authenticate");
}

void mastra_out_head(request_rec *r, const mastra_head_t *head)
{
    const char *at, *name;

    r->status = head->status;
    at = head->fields;
    if (*at) {
        ap_set_content_type(r, apr_pstrdup(r->pool, at));
    }
    at += strlen(at) + 1;
    while (*at) {
        name = at;
        at += strlen(at) + 1;
        if (may_repeat(name)) {
            apr_table_add(r->headers_out, name, at);
        }
        else {
            apr_table_set(r->headers_out, name, at);
        }
        at += strlen(at) + 1;
    }
    if (head->length >= 0) {
        ap_set_content_length(r, head->length);
    }
}

void mastra_out_broken(request_rec *r, apr_bucket_brigade *bb)
{
    apr_bucket_alloc_t *list = r->connection->bucket_alloc;

    /* the chunk filter leaves the last chunk out, mod_http2 resets */
    APR_BRIGADE_INSERT_TAIL(bb, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL,
                                                       r->pool, list));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(list));
}

/* ---- passing on ---- */

/* As the MPM does in its write completion: what the core filter has set aside
 * is written as far as the socket takes it. */
static apr_status_t nudge(conn_rec *c)
{
    ap_filter_t *f = c->output_filters;

    while (f->next) {
        f = f->next;
    }
    return f->frec->filter_func.out_func(f, NULL);
}

/* 1 when there is something that the filters have not seen. */
static int has_more(const mastra_exchange_t *ex)
{
    return mastra_exchange_queued(ex) || (ex->headed && !ex->opened)
           || (ex->quit && !ex->closed);
}

/* Adds the end, if it has come. The answer must have been opened before it is
 * told that it broke off, or httpd would write an error page in its place. */
static void add_end(mastra_exchange_t *ex, apr_size_t len)
{
    if (!ex->quit || ex->closed || len != mastra_exchange_queued(ex)) {
        APR_BRIGADE_INSERT_TAIL(ex->bb, push_create(ex->c->bucket_alloc));
    }
    else if (!ex->cut) {
        APR_BRIGADE_INSERT_TAIL(ex->bb,
                                apr_bucket_eos_create(ex->c->bucket_alloc));
        ex->closed = 1;
    }
    else if (ex->opened && !len) {
        mastra_out_broken(ex->r, ex->bb);
        ex->closed = 1;
    }
    else {
        APR_BRIGADE_INSERT_TAIL(ex->bb, push_create(ex->c->bucket_alloc));
    }
}

static apr_status_t pass(mastra_exchange_t *ex)
{
    apr_size_t len = mastra_exchange_queued(ex);
    apr_status_t rv;

    if (ex->head) {
        mastra_out_head(ex->r, ex->head);
        mastra_head_free(ex->head);
        ex->head = NULL;
    }
    if (len > ex->slice) {
        len = ex->slice;
    }
    if (len) {
        APR_BRIGADE_INSERT_TAIL(ex->bb, apr_bucket_transient_create(
            ex->out.data + ex->off, len, ex->c->bucket_alloc));
    }
    add_end(ex, len);
    ex->opened = 1;
    rv = ap_pass_brigade(ex->r->output_filters, ex->bb);
    apr_brigade_cleanup(ex->bb);
    mastra_exchange_taken(ex, len);
    return rv;
}

static apr_status_t pass_all(mastra_exchange_t *ex)
{
    conn_rec *c = ex->c;
    apr_status_t rv = APR_SUCCESS;
    int n = 0;

    /* cut before anything was said: there is nothing to break off */
    if (ex->cut && !ex->headed) {
        ex->closed = 1;
    }
    while (rv == APR_SUCCESS) {
        if (c->data_in_output_filters) {
            rv = nudge(c);
        }
        if (rv != APR_SUCCESS || c->aborted || c->data_in_output_filters
            || !has_more(ex) || n++ == SLICES_A_TURN) {
            break;
        }
        rv = pass(ex);
    }
    return rv;
}

static unsigned events_of(const mastra_exchange_t *ex)
{
    return ex->blocked ? EPOLLRDHUP | EPOLLOUT : EPOLLRDHUP;
}

void mastra_out_flush(mastra_exchange_t *ex)
{
    apr_status_t rv;

    if (ex->failed) {
        return;
    }
    rv = pass_all(ex);
    /* While parked a refresh may bring a worker to this connection at any
     * time, and the MPM closes what it finds aborted: the flag is set again
     * when the worker takes the connection back. */
    if (rv != APR_SUCCESS || ex->c->aborted) {
        ex->c->aborted = 0;
        ex->failed = 1;
        mastra_exchange_turn(ex);
        return;
    }
    ex->blocked = ex->c->data_in_output_filters || has_more(ex);
    if (!ex->blocked) {
        ex->progress = mastra_loop_now(mastra_park->loop);
    }
    if (ex->attached
        && mastra_loop_rewatch(mastra_park->loop, &ex->watch, events_of(ex))
           != APR_SUCCESS) {
        ex->failed = 1;
        mastra_exchange_turn(ex);
    }
}

int mastra_out_drained(mastra_exchange_t *ex)
{
    return ex->closed && !ex->blocked;
}

static void watch_cb(void *baton, unsigned events)
{
    mastra_exchange_t *ex = baton;

    /* A client that closed its sending half is taken for gone: nothing else
     * tells a closed tab from one that reads on. */
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        ex->failed = 1;
        mastra_loop_unwatch(mastra_park->loop, &ex->watch);
    }
    else {
        ex->progress = mastra_loop_now(mastra_park->loop);
    }
    mastra_exchange_turn(ex);
}

apr_status_t mastra_out_watch(mastra_exchange_t *ex)
{
    ex->watch.fd = ex->fd;
    ex->watch.events = events_of(ex);
    ex->watch.cb = watch_cb;
    ex->watch.baton = ex;
    return mastra_loop_watch(mastra_park->loop, &ex->watch);
}

void mastra_out_check_stalled(mastra_exchange_t *ex)
{
    if (ex->blocked && mastra_loop_now(mastra_park->loop) - ex->progress
                       > ex->timeout) {
        ex->failed = 1;
        mastra_exchange_turn(ex);
    }
}
