#ifndef MASTRA_NET_CURL_TRANSFER_H
#define MASTRA_NET_CURL_TRANSFER_H

#include <sys/queue.h>

#include "curl_multi.h"
#include "curl_request.h"

/*
 * A transfer as the files curl*.c see it.
 */

/* of an answer whose redirect is followed */
#define MASTRA_MAX_REDIRECT_BODY ((apr_size_t)64 * 1024)

typedef struct mastra_client_t mastra_client_t;
TAILQ_HEAD(mastra_transfers_t, mastra_transfer_t);

struct mastra_client_t {
    mastra_loop_t *loop;
    mastra_multi_t *multi;
    apr_pool_t *scratch;     /* headers while on_response looks at them */
    mastra_msg_t chores_msg;
    int chores_due;          /* chores_msg is under way */
    int closing;
    int spares;
    struct mastra_transfers_t chores;      /* those with something to do */
    int nchores;
    struct mastra_transfers_t transfers;   /* all that are live */
    struct mastra_transfers_t spare;
};

struct mastra_transfer_t {
    mastra_easy_t easy;      /* first: what curl gives back is a transfer */
    TAILQ_ENTRY(mastra_transfer_t) link;       /* transfers or spare */
    TAILQ_ENTRY(mastra_transfer_t) chore_link;
    mastra_client_t *client;
    mastra_http_request_t *request;
    char *location;          /* the redirect that will be followed */
    const char *bad;         /* why it must not even start */
    mastra_timer_t timer;
    apr_time_t total_at;     /* 0: no end */
    apr_time_t mark;         /* last sign of life */
    apr_size_t received;
    apr_size_t sent_body;
    apr_size_t head_bytes;
    int head_lines;
    int redirects_left;
    int status;
    unsigned chores : 3;     /* curl.c's */
    unsigned dead : 1;       /* cancelled inside a call of curl's */
    unsigned sent : 1;       /* the request is on its way, or was once */
    unsigned responded : 1;  /* on_response was called */
    unsigned paused : 1;
    unsigned held : 1;       /* paused by on_response: no data was given yet */
    unsigned refused : 1;    /* by the guard */
    unsigned too_large : 1;
    unsigned aborted : 1;
    unsigned timed_out : 1;
    char error[CURL_ERROR_SIZE];
};

/* ---- curl_transfer.c: what happens while it is under way ---- */

/* The options that are the same for all transfers: once per handle. */
CURLcode mastra_transfer_set_up(mastra_transfer_t *t);
/* There was a sign of life. */
void mastra_transfer_alive(mastra_transfer_t *t);
/* Sets the timer if it has to fire earlier than it would. */
void mastra_transfer_arm(mastra_transfer_t *t);

/* ---- curl.c ---- */

/* It has ended: tells its owner and lets it go, or follows a redirect. Not
 * inside a call of curl's. */
void mastra_transfer_finish(mastra_transfer_t *t, CURLcode code);

#endif
