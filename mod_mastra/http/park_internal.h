#ifndef MASTRA_HTTP_PARK_INTERNAL_H
#define MASTRA_HTTP_PARK_INTERNAL_H

#include <semaphore.h>

#include <httpd.h>
#include <http_core.h>

#include <apr_thread_mutex.h>

#include "../base/text.h"
#include "park.h"

/*
 * What the files of the exchange share: park.c (the exchange on the loop),
 * park_run.c (from a request to an exchange), park_out.c (writing through
 * httpd's filters without blocking), park_limit.c (how many), and the three
 * ways of holding the client: park_event.c, park_suspend.c, park_block.c.
 */

#define MASTRA_QUEUE_HIGH (48 * 1024)
#define MASTRA_QUEUE_LOW (8 * 1024)
#define MASTRA_EXCHANGE_MAX (8 * 1024 * 1024)
/* the largest single write */
#define MASTRA_WRITE_MAX (256 * 1024 * 1024)

/* How the client is held while the loop works. Functions are called on the
 * loop; finish is the loop's last touch of the exchange. */
typedef struct {
    const char *name;
    /* Looks after the client from now on: after the first turn, as many an
     * answer is over by then. */
    apr_status_t (*attach)(mastra_exchange_t *ex);
    /* Moves what is queued towards the client; sets failed and blocked. */
    void (*flush)(mastra_exchange_t *ex);
    /* 1 when all that was written has left the loop's hands. */
    int (*drained)(mastra_exchange_t *ex);
    /* 1 when no message for ex is on its way, and none will come. */
    int (*ready)(mastra_exchange_t *ex);
    void (*finish)(mastra_exchange_t *ex);
} mastra_way_t;

/* Status line and headers until they can be given to the request. */
typedef struct {
    int status;
    apr_off_t length;
    char *fields;            /* name NUL value NUL ... NUL */
} mastra_head_t;

/* Who may use the connection of a parked exchange: see park_event.c. */
enum { MASTRA_PARK_FREE, MASTRA_PARK_LOOP, MASTRA_PARK_WORKER,
       MASTRA_PARK_WANTED };

/* What mastra_exchange_on_head was told. */
typedef struct {
    mastra_exchange_head_cb *cb;
    void *baton;
} mastra_head_hook_t;

typedef struct mastra_block_t mastra_block_t;
/* Who hears of the limit for answers of a child that stops. */
#define MASTRA_PARK_LIMITS 4

typedef struct mastra_park_conn_t mastra_park_conn_t;

struct mastra_exchange_t {
    const mastra_exchange_cbs_t *cbs;
    void *baton;
    const mastra_way_t *way;
    request_rec *r;
    conn_rec *c;
    int kind;                /* of capacity, see mastra_limit_enter; or none */
    const mastra_head_hook_t *on_head; /* of the request, or NULL */

    /* loop */
    mastra_exchange_t *next, *prev;
    mastra_head_t *head;     /* NULL: given on, or none yet */
    mastra_buf_t out;
    apr_size_t off;          /* bytes of out that are gone already */
    mastra_msg_t msg;        /* from a worker to the loop */
    mastra_msg_t turn;
    mastra_timer_t timer;
    mastra_watch_t watch;
    apr_time_t progress;     /* when the client last took something */
    char begun;
    char refused;            /* will not be begun */
    char attached;
    char watching;           /* the loop hears of the client's socket */
    char turning;            /* turn is deferred */
    char headed;             /* head or data came: the answer has begun */
    char full;               /* write said 0, drain is owed */
    char quit;               /* end or cut was called */
    char cut;                /* the answer must not look complete */
    char failed;             /* the client is gone */
    char told;               /* gone was called */
    char said_stop;          /* stopping was called */
    char blocked;            /* the client must read before more goes out */
    char opened;             /* filters have seen the head */
    char closed;             /* filters have seen the end */
    char awaiting;           /* msg is on its way to the loop */
    char stranded;           /* park: the MPM does not see efd */

    /* park and suspend */
    apr_bucket_brigade *bb;
    apr_size_t slice;        /* most bytes for one pass of the filters */
    mastra_park_conn_t *conn;
    apr_socket_t *csd;
    int fd;                  /* the client's */
    int efd;                 /* park: stands in for it */
    apr_uint32_t owner;      /* park: MASTRA_PARK_... */
    apr_interval_time_t timeout; /* a client that takes nothing so long */
    apr_interval_time_t tick;
    apr_time_t suspended_at;
    apr_uint32_t worker_turns;
    int worker_child, worker_thread; /* of the scoreboard */

    mastra_block_t *block;   /* blocking: on the worker's stack */
};

/* ---- what a child knows ---- */

/* Buffers for answers that wait, kept for the next ones: each request would
 * else allocate some KiB, which costs the allocator far more than small
 * pieces do. */
#define MASTRA_SPARE_QUEUES 32
#define MASTRA_SPARE_SIZE (64 * 1024)

enum { MASTRA_END_WHOLE, MASTRA_END_STOPPED, MASTRA_END_CUT, MASTRA_END_GONE,
       MASTRA_ENDS };

/* Eventfds that wait for the next exchange: making and closing one for each
 * costs as much as the rest of parking. */
#define MASTRA_STANDINS 64

typedef struct {
    server_rec *server;
    mastra_loop_t *loop;
    apr_thread_mutex_t *lock;     /* guards the two that follow */
    int standins[MASTRA_STANDINS];
    int nstandins;
    apr_interval_time_t stop_limit;
    mastra_exchange_t *live; /* loop */
    mastra_exchange_t *staying;   /* loop: park_event.c */
    mastra_buf_t scratch;    /* loop */
    mastra_buf_t spare[MASTRA_SPARE_QUEUES];
    int nspare;              /* loop */
    int open;                /* loop: entries of live */
    mastra_timer_t stop_timer;
    mastra_msg_t stop_msg[2];     /* at once, graceful */
    mastra_msg_t end_msg;
    sem_t all_told;
    apr_uint32_t stop_posted[2];
    char stopping;           /* loop */
    char past_limit;         /* loop */
    struct {
        void (*cb)(void *baton);
        void *baton;
    } on_limit[MASTRA_PARK_LIMITS]; /* of mastra_park_on_limit */
    int limits;
    int ended[MASTRA_ENDS];  /* loop, since stopping: by how */
    apr_uint32_t hold;       /* mastra_park_hold_e: the best that works */
    int is_threaded, thread_limit;
    apr_uint32_t canary;     /* 0 none, 1 sent, 2 seen: park_event.c */
    mastra_timer_t canary_timer;
    int canary_child;
    apr_uint32_t *turns;     /* of each worker thread: park_suspend.c */
} mastra_park_t;

/* NULL before child_init. */
extern mastra_park_t *mastra_park;

/* ---- park.c: on the loop ---- */

void mastra_exchange_start_cb(void *baton);         /* of msg */
/* Has the exchange looked at once the batch of events is over. */
void mastra_exchange_turn(mastra_exchange_t *ex);
apr_size_t mastra_exchange_queued(const mastra_exchange_t *ex);
/* Takes n bytes from the queue; gives its memory back when it is empty. */
void mastra_exchange_taken(mastra_exchange_t *ex, apr_size_t n);
/* The buffers that the loop keeps until pool goes, which ends the loop first. */
void mastra_exchange_make_buffers(mastra_park_t *park, apr_pool_t *pool);
/* The child stops; any thread. graceful 0: at once. */
void mastra_park_stop(int graceful);

void mastra_head_free(mastra_head_t *head);

/* ---- park_run.c: on a worker ---- */

/* Accounting and memory; the loop knows nothing of ex (any more). */
void mastra_exchange_free(mastra_exchange_t *ex);
/* The last steps for a request that left its worker: the end of the answer,
 * the access log. r and ex are gone after it. */
void mastra_worker_complete(mastra_exchange_t *ex);

/* ---- park_out.c ---- */

/* 1 if each filter between r and the socket is known neither to block nor to
 * keep data back; takes out what must not touch the answer. *pslice: bytes
 * that may be passed at once. */
int mastra_out_may_park(request_rec *r, apr_size_t *pslice);
core_net_rec *mastra_out_net(conn_rec *c);
void mastra_out_head(mastra_exchange_t *ex, const mastra_head_t *head);
/* Passes what is queued until the client stops taking it. */
void mastra_out_flush(mastra_exchange_t *ex);
int mastra_out_drained(mastra_exchange_t *ex);
/* Buckets that tell the filters that the answer broke off. */
void mastra_out_broken(request_rec *r, apr_bucket_brigade *bb);
/* Has the loop look at the client's socket. */
apr_status_t mastra_out_watch(mastra_exchange_t *ex);
/* A client that has taken nothing for the server's Timeout is gone. */
void mastra_out_check_stalled(mastra_exchange_t *ex);

/* ---- park_limit.c ---- */

/* What an exchange takes up: a place in the MPM's poll set, a worker of the
 * MPM, a worker of mod_http2. */
enum { MASTRA_KIND_PARKED, MASTRA_KIND_WORKER, MASTRA_KIND_H2,
       MASTRA_KINDS, MASTRA_KIND_NONE = MASTRA_KINDS };
/* APR_EAGAIN when there is no room. */
apr_status_t mastra_limit_enter(int kind, int internal);
void mastra_limit_leave(int kind);
void mastra_limit_child_init(void);
void mastra_limit_register_hooks(void);

/* ---- the three ways ---- */

extern const mastra_way_t mastra_way_park;
extern const mastra_way_t mastra_way_suspend;
extern const mastra_way_t mastra_way_block;

/* park_event.c, on a worker. hand_over makes c ready to be let go; let_go is
 * the suspend_connection hook: the loop may use c from now on. */
void mastra_park_key(apr_pool_t *pool);
apr_status_t mastra_park_hand_over(mastra_exchange_t *ex);
apr_status_t mastra_park_make_standins(mastra_park_t *park, apr_pool_t *pool);
void mastra_park_let_go(mastra_exchange_t *ex);
/* The exchange that c is parked for, or NULL. */
mastra_exchange_t *mastra_park_parked(conn_rec *c);
/* The MPM came back: 1 if c stays parked, 0 if the exchange is over. */
int mastra_park_reenter(mastra_exchange_t *ex);
/* Loop: into one of the park's lists, and out of it. */
void mastra_exchange_link(mastra_exchange_t **list, mastra_exchange_t *ex);
void mastra_exchange_unlink(mastra_exchange_t **list, mastra_exchange_t *ex);
/* Loop: clients that may ask again are waited for no longer. */
void mastra_park_stay_over(mastra_park_t *park);
/* The MPM is about to close a parked connection. */
void mastra_park_timed_out(mastra_exchange_t *ex);

apr_status_t mastra_suspend_hand_over(mastra_exchange_t *ex);
void mastra_suspend_let_go(mastra_exchange_t *ex);

/* Returns what the handler returns. */
int mastra_block_run(mastra_exchange_t *ex);

#endif
