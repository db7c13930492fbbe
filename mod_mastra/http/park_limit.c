/* How many exchanges there may be: computed at start-up from what the MPM and
 * the limit of open files allow, counted per child and, for workers that wait,
 * over all children. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <sys/resource.h>

#include <httpd.h>
#include <apr_atomic.h>
#include <apr_shm.h>
#include <ap_mpm.h>
#include <http_config.h>
#include <mpm_common.h>

#include "../base/log.h"
#include "park_internal.h"

#define FDS_EACH 3           /* client, stand-in, upstream */
#define FDS_RESERVE 128      /* listeners, logs, databases, idle upstreams */
/* a tenth of the room is for calls to ourselves, of which no more are in flight
 * than there are workers, but for a few */
#define RESERVE_LEAST 32
#define FACTOR_DEFAULT 2.0   /* of AsyncRequestWorkerFactor */
#define SHARE_KEY "mod_mastra-exchanges"
#define TRIES 5

/* In memory that all children share: how many workers of a child wait. A child
 * writes its own entry only, and the parent clears the entry of a child that
 * died, so that no kill leaves a count behind. */
typedef struct {
    apr_uint32_t pid;        /* 0: free */
    apr_uint32_t waiting;
} share_t;

static struct {
    int limit[MASTRA_KINDS];       /* per child, by kind */
    int reserve[MASTRA_KINDS];     /* of it, for calls to ourselves */
    int all_workers;               /* that may wait, in all children */
    int all_workers_internal;
    apr_uint32_t open[MASTRA_KINDS];
    share_t *shares;
    int nshares;
    share_t *own;
} limits;

/* ---- post_config ---- */

static int query(int what, int least)
{
    int n = 0;

    return ap_mpm_query(what, &n) == APR_SUCCESS && n > least ? n : least;
}

static const char *directive(const char *name)
{
    const ap_directive_t *d;
    const char *args = NULL;

    for (d = ap_conftree; d; d = d->next) {
        if (!strcasecmp(d->directive, name)) {
            args = d->args;
        }
    }
    return args;
}

static double worker_factor(void)
{
    const char *text = directive("AsyncRequestWorkerFactor");
    double factor = text ? strtod(text, NULL) : FACTOR_DEFAULT;

    return factor >= 1 ? factor : 1;
}

static int fd_capacity(int threads, rlim_t *psoft)
{
    struct rlimit rl;
    rlim_t reserve = FDS_RESERVE + 2 * (rlim_t)threads;

    if (getrlimit(RLIMIT_NOFILE, &rl) || rl.rlim_cur == RLIM_INFINITY) {
        *psoft = 0;
        return 1000000;
    }
    *psoft = rl.rlim_cur;
    if (rl.rlim_cur <= reserve + FDS_EACH) {
        return 1;
    }
    return (int)((rl.rlim_cur - reserve) / FDS_EACH);
}

static int at_least(int n, int least)
{
    return n > least ? n : least;
}

static int at_most(int n, int most)
{
    return n < most ? n : most;
}

/* Connections of the event MPM: it accepts no more when
 * threads + idle threads * factor are there, also none for a static file. */
static void plan_parked(int threads, int daemons)
{
    double factor = worker_factor();
    int mpm = (int)(threads * factor);
    rlim_t soft;
    int fds = fd_capacity(threads, &soft);
    int n = at_least(at_most(mpm, fds), 1);

    limits.limit[MASTRA_KIND_PARKED] = n;
    limits.reserve[MASTRA_KIND_PARKED] =
        at_most(n / 10, at_least(threads * daemons, RESERVE_LEAST));
    mastra_log(MASTRA_LOG_NOTICE, 0,
               "room for %d open answers in each child process, %ld in all: "
               "what limits it is %s (ThreadsPerChild %d, "
               "AsyncRequestWorkerFactor %g, %lu open files)",
               n, (long)n * daemons,
               mpm <= fds ? "AsyncRequestWorkerFactor"
                          : "the number of open files",
               threads, factor, (unsigned long)soft);
}

static void plan_workers(int threads, int daemons, int is_async)
{
    int all = threads * daemons;
    int spare = at_least(all / 4, 1);

    limits.all_workers = at_least(all - spare, 1);
    limits.all_workers_internal = all > 2 ? all - 1 : all;
    limits.limit[MASTRA_KIND_WORKER] = threads > 1 ? threads - 1 : 1;
    limits.reserve[MASTRA_KIND_WORKER] = threads > 1 ? (threads - 1) / 4 : 0;
    if (is_async) {
        return;
    }
    mastra_log(MASTRA_LOG_NOTICE, 0,
               "room for %d open answers in all, as each holds one of %d "
               "workers of the %s MPM; the event MPM needs none",
               limits.all_workers, all, ap_show_mpm());
    if (all < 2) {
        mastra_log(MASTRA_LOG_WARNING, 0,
                   MASTRA_ID(406) "with a single worker no tool can call this "
                   "server while an answer is open");
    }
}

/* mod_http2 has workers of its own in each child. */
static void plan_http2(int threads)
{
    const char *text = directive("H2MaxWorkers");
    int workers = text ? atoi(text) : threads * 3 / 2;

    limits.limit[MASTRA_KIND_H2] = at_least(workers * 3 / 4, 1);
    limits.reserve[MASTRA_KIND_H2] = 0;
}

static apr_status_t make_shares(server_rec *s)
{
    apr_pool_t *pool = s->process->pool;
    apr_shm_t *shm;
    apr_shm_t **kept = ap_retained_data_get(SHARE_KEY);
    int n = 2 * query(AP_MPMQ_HARD_LIMIT_DAEMONS, 1);
    apr_status_t rv;

    /* It outlives restarts, as children of before may still be waiting; the
     * number of slots cannot change but by a new start. */
    if (kept) {
        shm = *kept;
    }
    else {
        rv = apr_shm_create(&shm, n * sizeof(share_t), NULL, pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        kept = ap_retained_data_create(SHARE_KEY, sizeof(*kept));
        *kept = shm;
        memset(apr_shm_baseaddr_get(shm), 0, n * sizeof(share_t));
    }
    limits.shares = apr_shm_baseaddr_get(shm);
    limits.nshares = n;
    return APR_SUCCESS;
}

apr_status_t mastra_park_post_config(apr_pool_t *pconf, server_rec *s)
{
    int threads = query(AP_MPMQ_MAX_THREADS, 1);
    int daemons = query(AP_MPMQ_MAX_DAEMONS, 1);
    int is_async = !strcmp(ap_show_mpm(), "event");

    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return APR_SUCCESS;
    }
    if (is_async) {
        plan_parked(threads, daemons);
    }
    plan_workers(threads, daemons, is_async);
    plan_http2(threads);
    return make_shares(s);
}

/* ---- children ---- */

/* In the parent, when it has reaped a child: before its pid can come again. */
static void child_status(server_rec *s, pid_t pid, ap_generation_t gen,
                         int slot, mpm_child_status state)
{
    int i;

    if (state != MPM_CHILD_EXITED || pid <= 0) {
        return;
    }
    for (i = 0; i < limits.nshares; i++) {
        if (apr_atomic_read32(&limits.shares[i].pid) == (apr_uint32_t)pid) {
            apr_atomic_set32(&limits.shares[i].waiting, 0);
            apr_atomic_set32(&limits.shares[i].pid, 0);
        }
    }
}

void mastra_limit_register_hooks(void)
{
    memset(&limits, 0, sizeof(limits));
    ap_hook_child_status(child_status, NULL, NULL, APR_HOOK_MIDDLE);
}

void mastra_limit_child_init(void)
{
    apr_uint32_t pid = (apr_uint32_t)getpid();
    int i;

    for (i = 0; i < limits.nshares; i++) {
        if (apr_atomic_cas32(&limits.shares[i].pid, pid, 0) == 0) {
            limits.own = &limits.shares[i];
            return;
        }
    }
    mastra_log(MASTRA_LOG_WARNING, 0,
               MASTRA_ID(407) "no entry is free to count this child's waiting "
               "workers: they are counted for it alone");
}

static int all_waiting(void)
{
    int n = 0;
    int i;

    for (i = 0; i < limits.nshares; i++) {
        n += (int)apr_atomic_read32(&limits.shares[i].waiting);
    }
    return n;
}

/* Two that try at once may both see too many, so they try again. */
static apr_status_t share_enter(int most)
{
    int i;

    if (!limits.own) {
        return APR_SUCCESS;
    }
    for (i = 0; i < TRIES; i++) {
        if (all_waiting() >= most) {
            return APR_EAGAIN;
        }
        apr_atomic_inc32(&limits.own->waiting);
        if (all_waiting() <= most) {
            return APR_SUCCESS;
        }
        apr_atomic_dec32(&limits.own->waiting);
        apr_sleep(200 + (getpid() & 7) * 300);
    }
    return APR_EAGAIN;
}

apr_status_t mastra_limit_enter(int kind, int internal)
{
    int most = limits.limit[kind] - (internal ? 0 : limits.reserve[kind]);

    if ((int)apr_atomic_inc32(&limits.open[kind]) >= most
        || (kind == MASTRA_KIND_WORKER
            && share_enter(internal ? limits.all_workers_internal
                                    : limits.all_workers) != APR_SUCCESS)) {
        apr_atomic_dec32(&limits.open[kind]);
        return APR_EAGAIN;
    }
    return APR_SUCCESS;
}

void mastra_limit_leave(int kind)
{
    apr_atomic_dec32(&limits.open[kind]);
    if (kind == MASTRA_KIND_WORKER && limits.own) {
        apr_atomic_dec32(&limits.own->waiting);
    }
}

apr_status_t mastra_park_enter_wait(int *pkind, const request_rec *r)
{
    *pkind = r && r->connection->master ? MASTRA_KIND_H2 : MASTRA_KIND_WORKER;
    return mastra_limit_enter(*pkind, 0);
}

void mastra_park_leave_wait(int kind)
{
    mastra_limit_leave(kind);
}

void mastra_park_load(int *popen, int *pcapacity)
{
    int main_kind = limits.limit[MASTRA_KIND_PARKED] ? MASTRA_KIND_PARKED
                                                     : MASTRA_KIND_WORKER;
    int n = 0;
    int i;

    for (i = 0; i < MASTRA_KINDS; i++) {
        n += (int)apr_atomic_read32(&limits.open[i]);
    }
    *popen = n;
    *pcapacity = limits.limit[main_kind];
}
