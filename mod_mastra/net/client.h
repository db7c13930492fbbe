#ifndef MASTRA_NET_CLIENT_H
#define MASTRA_NET_CLIENT_H

#include <apr_tables.h>

#include "loop.h"
#include "../base/result.h"

/*
 * The one gate for outgoing HTTP(S): libcurl's multi interface on the loop.
 * All functions and callbacks run on the loop thread.
 */
typedef struct mastra_transfer_t mastra_transfer_t;

/* Which addresses calls may reach; made at configuration time, read-only
 * after it, shared by threads. An untrusted request may not reach loopback,
 * private, link-local, multicast or metadata addresses unless a rule allows
 * them; addresses are checked after name resolution, at connect, also for
 * each redirect. A trusted request (its origin stands in the administrator's
 * configuration) is not restricted. */
typedef struct mastra_guard_t mastra_guard_t;
mastra_guard_t *mastra_guard_make(apr_pool_t *pool);
/* rule: "*" | address | CIDR | host name | host:port. Returns NULL or what is
 * wrong with it. */
const char *mastra_guard_allow(mastra_guard_t *guard, const char *rule);

typedef enum {
    MASTRA_TRANSFER_GO,      /* more, please */
    MASTRA_TRANSFER_PAUSE,   /* the data given was NOT taken: resume later.
                                No idle time runs meanwhile. */
    MASTRA_TRANSFER_ABORT    /* done is called with APR_ECONNABORTED */
} mastra_transfer_verdict_e;

/* How a transfer ended. */
typedef enum {
    MASTRA_TRANSFER_OK,          /* complete answer of any HTTP status */
    MASTRA_TRANSFER_REFUSED,     /* address rules or URL not usable */
    MASTRA_TRANSFER_UNREACHABLE, /* name, connect or TLS failed: nothing sent */
    MASTRA_TRANSFER_TIMEOUT,     /* connect, first byte, silence or total */
    MASTRA_TRANSFER_CUT,         /* connection lost in the middle */
    MASTRA_TRANSFER_TOO_LARGE,   /* limit on body or headers passed */
    MASTRA_TRANSFER_ABORTED      /* by on_data */
} mastra_transfer_end_e;

typedef struct {
    mastra_transfer_end_e end;
    int status;              /* HTTP status, 0: none came */
    int reused;              /* 1: over a kept connection */
    const char *cause;       /* text for the log, valid in the callback */
} mastra_transfer_done_t;

typedef struct {
    const char *method;          /* "GET", "POST", … */
    const char *url;             /* http:// or https:// */
    const char *const *headers;  /* "Name: value", NULL-terminated; or NULL */
    const char *body;            /* or NULL; must live until done or cancel */
    apr_size_t body_len;
    int trusted;                 /* see mastra_guard_t */
    const mastra_guard_t *guard; /* required unless trusted */
    int max_redirects;           /* 0: none are followed, a 3xx is an answer.
                                    At another origin trust and all headers
                                    but Accept, Accept-Language, Content-Type
                                    and User-Agent are dropped, guard rules. */
    apr_size_t max_body;         /* bytes of answer, 0: 64 MiB */
    apr_interval_time_t connect_timeout;    /* name, TCP, TLS; 0: 10 s */
    apr_interval_time_t first_byte_timeout; /* connected to end of head;
                                               0: none but total */
    apr_interval_time_t idle_timeout;       /* silence in the body; 0: 120 s */
    apr_interval_time_t total_timeout;      /* 0: none */

    void *baton;
    /* Status and headers of the final answer (names in lower case), valid in
     * the callback. After PAUSE it is not called again, and on_data comes when
     * resumed; an answer without a body is done all the same. Optional. */
    mastra_transfer_verdict_e (*on_response)(void *baton, int status,
                                             const apr_table_t *headers);
    mastra_transfer_verdict_e (*on_data)(void *baton, const char *data,
                                         apr_size_t len);
    /* Once, last; the transfer is gone when it returns. */
    void (*on_done)(void *baton, const mastra_transfer_done_t *done);
} mastra_request_t;

/* Starts a transfer. The fields are copied, body is not. Callbacks come later,
 * never from inside this call. APR_SUCCESS, or nothing was started and no
 * callback comes (APR_EINVAL: a method or header that is none, or neither
 * trusted nor guarded). A URL that is not usable ends as REFUSED. A request
 * whose kept connection turns out to be closed before anything came back is
 * sent again over a fresh one. */
apr_status_t mastra_client_send(mastra_transfer_t **ptransfer,
                                mastra_loop_t *loop,
                                const mastra_request_t *request);
/* No callback comes after it. Not from inside a callback of the transfer:
 * return ABORT there. */
void mastra_client_cancel(mastra_transfer_t *transfer);
/* After PAUSE: on_data is called again, later, with data that begins with the
 * bytes not taken (more may have come). May be called at any time. */
void mastra_client_resume(mastra_transfer_t *transfer);

/* libcurl outlives the module, which is loaded twice at a start. */
void mastra_client_keep_loaded(void);
/* curl's process-wide set-up: once, before threads (post_config, main). */
apr_status_t mastra_client_global_init(void);

#endif
