/* mod_exchange: answers through the exchange interface as the query says, so
 * that each way of holding a client can be tested without an agent. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_atomic.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <http_protocol.h>

#include "base/log.h"
#include "http/park.h"
#include "net/loop.h"

module AP_MODULE_DECLARE_DATA exchange_module;

/* what the tests ask for at /exchange-counts, over all children */
typedef struct {
    apr_uint32_t begun, gone, drained, stopped, released, refused;
} counts_t;

typedef struct {
    int words, ms, size, status, length, cut, never, honour, early, burst;
    int wait;
    int done;
    int in_begin;
    char *pad;
    mastra_exchange_t *ex;
    mastra_timer_t timer;
} script_t;

static counts_t *counts;
static mastra_loop_t *loop;
static int stop_limit = 2;

/* ---- the loop's side ---- */

static long long clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static void finish(script_t *s)
{
    static const char last[] = "event: end\ndata: {}\n\n";

    if (s->cut) {
        mastra_exchange_cut(s->ex);
        return;
    }
    if (s->length < 0) {
        mastra_exchange_write(s->ex, last, sizeof(last) - 1);
    }
    mastra_exchange_end(s->ex);
}

static int write_word(script_t *s)
{
    char head[160];
    char *word;
    int n, more;

    n = snprintf(head, sizeof(head), "event: delta\ndata: {\"seq\":%d,"
                 "\"i\":%d,\"t\":%lld,\"pad\":\"", s->done, s->done,
                 clock_us());
    s->done++;
    word = malloc(n + s->size + 8);
    memcpy(word, head, n);
    memset(word + n, 'a' + (s->done % 26), s->size);
    memcpy(word + n + s->size, "\"}\n\n", 4);
    more = mastra_exchange_write(s->ex, word, n + s->size + 4);
    free(word);
    return more;
}

static void next_cb(void *baton)
{
    script_t *s = baton;
    int i;

    for (i = 0; i < s->burst && s->done < s->words; i++) {
        if (!write_word(s) && s->honour) {
            return;
        }
    }
    if (s->done < s->words) {
        mastra_loop_timer_set(loop, &s->timer, apr_time_from_msec(s->ms),
                              next_cb, s);
    }
    else if (!s->never) {
        finish(s);
    }
}

static void begin_cb(mastra_exchange_t *ex, void *baton)
{
    script_t *s = baton;
    apr_pool_t *pool;
    apr_table_t *headers;

    apr_atomic_inc32(&counts->begun);
    s->ex = ex;
    if (s->status) {
        apr_pool_create_unmanaged(&pool);
        headers = apr_table_make(pool, 2);
        apr_table_setn(headers, "X-Exchange", "yes");
        apr_table_addn(headers, "Set-Cookie", "a=1");
        apr_table_addn(headers, "Set-Cookie", "b=2");
        mastra_exchange_head(ex, s->status, "text/event-stream", s->length,
                             headers);
        apr_pool_destroy(pool);
    }
    if (s->wait) {
        mastra_loop_timer_set(loop, &s->timer, apr_time_from_msec(s->wait),
                              next_cb, s);
        return;
    }
    next_cb(s);
}

static void gone_cb(void *baton)
{
    script_t *s = baton;

    apr_atomic_inc32(&counts->gone);
    mastra_loop_timer_stop(loop, &s->timer);
}

static void drain_cb(void *baton)
{
    script_t *s = baton;

    apr_atomic_inc32(&counts->drained);
    if (s->honour) {
        next_cb(s);
    }
}

static void stopping_cb(void *baton)
{
    static const char bye[] = "event: error\ndata: {\"stopping\":1}\n\n";
    script_t *s = baton;

    apr_atomic_inc32(&counts->stopped);
    mastra_loop_timer_stop(loop, &s->timer);
    mastra_exchange_write(s->ex, bye, sizeof(bye) - 1);
    mastra_exchange_end(s->ex);
}

static void release_cb(void *baton)
{
    apr_atomic_inc32(&counts->released);
    free(baton);
}

static const mastra_exchange_cbs_t callbacks = {
    begin_cb, gone_cb, drain_cb, stopping_cb, release_cb
};
static const mastra_exchange_cbs_t mute_callbacks = {
    begin_cb, gone_cb, NULL, NULL, release_cb
};

/* ---- the worker's side ---- */

static int number(request_rec *r, const char *name, int otherwise)
{
    apr_size_t len = strlen(name);
    const char *at = r->args;

    while (at && *at) {
        if (!strncmp(at, name, len) && at[len] == '=') {
            return atoi(at + len + 1);
        }
        at = strchr(at, '&');
        at = at ? at + 1 : NULL;
    }
    return otherwise;
}

static int answer_counts(request_rec *r)
{
    int open, capacity;

    mastra_park_load(&open, &capacity);
    ap_set_content_type(r, "text/plain");
    ap_rprintf(r, "begun %u gone %u drained %u stopped %u released %u "
               "refused %u open %d capacity %d\n", counts->begun,
               counts->gone, counts->drained, counts->stopped,
               counts->released, counts->refused, open, capacity);
    return OK;
}

static int read_body(request_rec *r)
{
    char part[8192];
    int rc = ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK);
    long n = 0;

    if (rc != OK || !ap_should_client_block(r)) {
        return rc;
    }
    while ((n = ap_get_client_block(r, part, sizeof(part))) > 0) {
    }
    return n < 0 ? HTTP_BAD_REQUEST : OK;
}

static int handler(request_rec *r)
{
    script_t *s;
    int rc;

    if (!r->handler || strcmp(r->handler, "exchange")) {
        return DECLINED;
    }
    if (strstr(r->uri, "counts")) {
        return answer_counts(r);
    }
    if (!number(r, "unread", 0)) {
        rc = read_body(r);
        if (rc != OK) {
            return rc;
        }
    }
    s = calloc(1, sizeof(*s));
    s->words = number(r, "n", number(r, "c", 3));
    s->ms = number(r, "ms", 50);
    s->size = number(r, "size", number(r, "sz", 20));
    s->status = number(r, "status", 200);
    s->length = number(r, "length", -1);
    s->cut = number(r, "cut", 0);
    s->never = number(r, "never", 0);
    s->honour = number(r, "honour", 1);
    s->burst = number(r, "burst", 1);
    s->wait = number(r, "wait", 0);
    rc = mastra_exchange_run(r, number(r, "mute", 0) ? &mute_callbacks
                                                     : &callbacks,
                             s, number(r, "internal", 0));
    if (rc == HTTP_SERVICE_UNAVAILABLE) {
        apr_atomic_inc32(&counts->refused);
    }
    return rc;
}

/* ---- set-up ---- */

static int log_enabled(mastra_log_level_e level)
{
    return ap_server_conf && APLOG_IS_LEVEL(ap_server_conf, (int)level);
}

static void log_write(mastra_log_level_e level, apr_status_t rv,
                      const char *file, int line, const char *text)
{
    ap_log_error(file, line, APLOG_MODULE_INDEX, (int)level, rv, ap_server_conf,
                 "%s", text);
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                       server_rec *s)
{
    apr_shm_t *shm;

    mastra_log_set(log_enabled, log_write);
    if (apr_shm_create(&shm, sizeof(*counts), NULL, pconf) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    counts = apr_shm_baseaddr_get(shm);
    memset(counts, 0, sizeof(*counts));
    return mastra_park_post_config(pconf, s) == APR_SUCCESS ? OK : 500;
}

static void child_init(apr_pool_t *pool, server_rec *s)
{
    if (mastra_loop_start(&loop, NULL, pool) == APR_SUCCESS) {
        mastra_park_child_init(pool, s, loop, apr_time_from_sec(stop_limit));
    }
}

static const char *set_hold(cmd_parms *cmd, void *dummy, const char *arg)
{
    mastra_park_set_hold(!strcmp(arg, "park") ? MASTRA_HOLD_PARK
                         : !strcmp(arg, "suspend") ? MASTRA_HOLD_SUSPEND
                         : MASTRA_HOLD_BLOCK);
    return NULL;
}

static const char *set_stop(cmd_parms *cmd, void *dummy, const char *arg)
{
    stop_limit = atoi(arg);
    return NULL;
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("ExchangeHold", set_hold, NULL, RSRC_CONF,
                  "park, suspend or block"),
    AP_INIT_TAKE1("ExchangeStopLimit", set_stop, NULL, RSRC_CONF,
                  "seconds"),
    { NULL }
};

static void register_hooks(apr_pool_t *pool)
{
    mastra_park_register_hooks(pool);
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(exchange) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, commands, register_hooks
};
