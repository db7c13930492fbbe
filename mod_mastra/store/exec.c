/* The threads of a store: jobs wait in two queues, write jobs that wait
 * together share one transaction, and each job is told after the commit. */

#include <pthread.h>
#include <signal.h>
#include <semaphore.h>
#include <errno.h>

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "../base/log.h"
#include "internal.h"
#include "settle.h"
#include "sync.h"

#define CONNECTIONS 4
#define QUEUED_MAX 4096
/* one transaction: that many jobs or that long, then others get their turn */
#define GROUP_JOBS 128
#define GROUP_READS 16
#define GROUP_TIME apr_time_from_msec(20)
#define PATIENCE apr_time_from_sec(5)
/* what waits for others when the store closes may do so for so long */
#define CLOSE_PATIENCE apr_time_from_sec(2)
#define BACKOFF_MIN apr_time_from_msec(2)
#define BACKOFF_MAX apr_time_from_msec(500)

typedef struct {
    mastra_store_job_t *first, *last;
    int count;
} queue_t;

typedef struct {
    mastra_store_t *store;
    apr_thread_t *thread;
    apr_thread_cond_t *wake;
    mastra_db_t *db;
    apr_pool_t *pool;            /* of the thread, with its own allocator */
    apr_pool_t *scratch;         /* cleared after each job */
    int takes[2];                /* by mode */
    int prefers;                 /* mode that it looks for first */
    int idle;                    /* under the store's lock */
    apr_interval_time_t backoff;
    apr_uint32_t random;
} worker_t;

struct mastra_store_t {
    apr_pool_t *pool;
    mastra_store_conf_t conf;
    const mastra_dialect_t *dialect;
    apr_thread_mutex_t *lock;
    queue_t queues[2];           /* by mode */
    int max_queued;
    apr_uint32_t closing;        /* set under the lock */
    apr_time_t close_by;         /* set before it */
    int nworkers;
    worker_t *workers;
    mastra_syncer_t *syncer;     /* where there is a log to be synced */
    mastra_settler_t *settler;   /* where there is house to be kept */
    apr_uint32_t away;           /* 1 while the database does not answer */
};

/* ---- queues ---- */

static void push(queue_t *queue, mastra_store_job_t *job)
{
    job->next = NULL;
    if (queue->last) {
        queue->last->next = job;
    }
    else {
        queue->first = job;
    }
    queue->last = job;
    queue->count++;
}

static mastra_store_job_t *pop(queue_t *queue)
{
    mastra_store_job_t *job = queue->first;

    if (job) {
        queue->first = job->next;
        if (!queue->first) {
            queue->last = NULL;
        }
        queue->count--;
        job->next = NULL;
    }
    return job;
}

static mastra_store_job_t *take(mastra_store_t *store,
                                mastra_store_mode_e mode)
{
    mastra_store_job_t *job;

    apr_thread_mutex_lock(store->lock);
    job = pop(&store->queues[mode]);
    apr_thread_mutex_unlock(store->lock);
    return job;
}

static int must_close(mastra_store_t *store)
{
    return apr_atomic_read32(&store->closing)
           && apr_time_now() > store->close_by;
}

/* The first job, if it was queued before then. */
static mastra_store_job_t *take_old(mastra_store_t *store,
                                    mastra_store_mode_e mode, apr_time_t then)
{
    queue_t *queue = &store->queues[mode];
    mastra_store_job_t *job = NULL;

    apr_thread_mutex_lock(store->lock);
    if (queue->first && (must_close(store)
                         || queue->first->queued_at < then)) {
        job = pop(queue);
    }
    apr_thread_mutex_unlock(store->lock);
    return job;
}

/* ---- the end of a job ---- */

static void finish(mastra_store_job_t *job, apr_status_t rv)
{
    job->rv = rv;
    job->done(job->baton, rv);
}

/* rv came from the database rather than from the job itself. */
static void log_failure(const worker_t *w, apr_status_t rv)
{
    if (rv == w->db->error && rv != MASTRA_STORE_EXISTS) {
        mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(302) "storage: %s",
                   w->db->error_text);
    }
}

/* Says once that the database is away, and once that it is back. */
static void note_state(worker_t *w, int away)
{
    mastra_store_t *store = w->store;

    if (apr_atomic_read32(&store->away) == (apr_uint32_t)away
        || apr_atomic_xchg32(&store->away, away) == (apr_uint32_t)away) {
        return;
    }
    if (away) {
        mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(303) "storage does not "
                   "answer: %s", w->db->error_text);
    }
    else {
        mastra_log(MASTRA_LOG_NOTICE, 0, "storage answers again");
    }
}

/* Sleeps a little longer each time, never twice the same. */
static void back_off(worker_t *w)
{
    w->random = w->random * 1103515245 + 12345;
    apr_sleep(w->backoff / 2 + (w->random >> 8) % (w->backoff + 1));
    w->backoff = w->backoff * 2 > BACKOFF_MAX ? BACKOFF_MAX : w->backoff * 2;
}

static apr_status_t begin(worker_t *w, mastra_store_mode_e mode, int hurry)
{
    apr_status_t rv = mastra_db_begin(w->db, mode, hurry);

    if (rv == MASTRA_STORE_LOST) {
        /* the connection was an old one: only a new one tells what is there */
        mastra_db_disconnect(w->db);
        rv = mastra_db_begin(w->db, mode, hurry);
    }
    if (rv == APR_SUCCESS) {
        w->backoff = BACKOFF_MIN;
        note_state(w, 0);
    }
    else if (rv != MASTRA_STORE_BUSY) {
        note_state(w, 1);
    }
    return rv;
}

/* ---- jobs ---- */

static apr_status_t run(worker_t *w, mastra_store_job_t *job)
{
    apr_status_t rv;

    mastra_db_mark(w->db);
    rv = job->run(w->db, job->baton, w->scratch);
    apr_pool_clear(w->scratch);
    /* a statement that failed has failed the transaction, whatever the job
     * made of it */
    return w->db->error != APR_SUCCESS ? w->db->error : rv;
}

/* The log to be synced before anybody is told, -1: none. */
static int log_of(const worker_t *w)
{
    const mastra_dialect_t *dialect = w->store->dialect;

    return dialect->log ? dialect->log(w->db) : -1;
}

/* Ends the transaction of a job or group that failed with rv. */
static apr_status_t undo(worker_t *w, apr_status_t rv)
{
    if (mastra_db_rollback(w->db) != APR_SUCCESS) {
        return MASTRA_STORE_LOST;
    }
    if (rv == MASTRA_STORE_LOST) {
        mastra_db_disconnect(w->db);
    }
    return rv;
}

static apr_status_t attempt(worker_t *w, mastra_store_job_t *job)
{
    apr_status_t rv = begin(w, job->mode, 0);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = run(w, job);
    if (rv == APR_SUCCESS) {
        rv = mastra_db_commit(w->db, job->mode);
    }
    if (rv != APR_SUCCESS) {
        return undo(w, rv);
    }
    /* done, whatever the disk says: not to be tried again */
    return job->mode == MASTRA_STORE_WRITE && log_of(w) >= 0
           ? mastra_sync_log(log_of(w)) : APR_SUCCESS;
}

/* A job in a transaction of its own, again while that may help. */
static void run_alone(worker_t *w, mastra_store_job_t *job)
{
    apr_status_t rv;

    for (;;) {
        rv = attempt(w, job);
        /* the job itself may say "busy", too: that is its answer */
        if (!mastra_db_passing(rv) || w->db->error == APR_SUCCESS
            || must_close(w->store)
            || apr_time_now() - job->queued_at > w->store->conf.patience) {
            break;
        }
        back_off(w);
    }
    if (rv != APR_SUCCESS) {
        log_failure(w, rv);
    }
    finish(job, rv);
}

/*
 * Runs what waits, in one transaction that has begun, and leaves the jobs in
 * group, each with its own status: one that failed by itself and changed
 * nothing does no harm to the others. APR_SUCCESS, or why all must be undone.
 */
static apr_status_t run_group(worker_t *w, queue_t *group)
{
    apr_time_t until = apr_time_now() + GROUP_TIME;
    mastra_store_job_t *job;
    apr_status_t rv;

    do {
        job = take(w->store, MASTRA_STORE_WRITE);
        if (!job) {
            break;
        }
        push(group, job);
        job->rv = rv = run(w, job);
        if (rv != APR_SUCCESS
            && (w->db->error != APR_SUCCESS || w->db->changes)) {
            return rv;
        }
    } while (group->count < GROUP_JOBS && apr_time_now() < until);
    return APR_SUCCESS;
}

/* What is committed is told when the disk has it: at once when nothing else is
 * to be done meanwhile. */
static void tell_group(worker_t *w, queue_t *group)
{
    mastra_store_t *store = w->store;
    mastra_store_job_t *job;
    int log = log_of(w), more;

    if (log >= 0) {
        apr_thread_mutex_lock(store->lock);
        more = store->queues[MASTRA_STORE_WRITE].count;
        apr_thread_mutex_unlock(store->lock);
        mastra_syncer_tell(store->syncer, log, group->first, more);
        return;
    }
    while ((job = pop(group))) {
        finish(job, job->rv);
    }
}

static void write_turn(worker_t *w)
{
    queue_t group = { NULL, NULL, 0 };
    mastra_store_job_t *job;
    apr_status_t rv;

    rv = run_group(w, &group);
    if (rv == APR_SUCCESS && group.count) {
        rv = mastra_db_commit(w->db, MASTRA_STORE_WRITE);
    }
    if (rv != APR_SUCCESS || !group.count) {
        undo(w, rv);
    }
    if (rv == APR_SUCCESS) {
        tell_group(w, &group);
        group.first = NULL;
    }
    while ((job = pop(&group))) {
        run_alone(w, job);
    }
    if (w->store->settler && w->db->handle
        && w->store->dialect->is_due(w->db)) {
        mastra_settler_wake(w->store->settler);
    }
}

/* Leaves some for the other threads. */
static void take_reads(mastra_store_t *store, queue_t *group)
{
    queue_t *queue = &store->queues[MASTRA_STORE_READ];
    int n;

    apr_thread_mutex_lock(store->lock);
    n = queue->count / store->nworkers + 1;
    n = n > GROUP_READS ? GROUP_READS : n;
    while (n-- && queue->count) {
        push(group, pop(queue));
    }
    apr_thread_mutex_unlock(store->lock);
}

/*
 * One transaction for several jobs, which all were queued before its first
 * statement: that is when both databases decide what the transaction sees. A
 * job that came later could miss what its owner was told before.
 */
static void read_turn(worker_t *w)
{
    queue_t group = { NULL, NULL, 0 };
    mastra_store_job_t *job;
    apr_status_t rv;
    int open = 1;

    take_reads(w->store, &group);
    while ((job = pop(&group))) {
        if (open) {
            rv = run(w, job);
            if (w->db->error == APR_SUCCESS) {
                finish(job, rv);
                continue;
            }
            undo(w, rv);
            open = 0;
        }
        run_alone(w, job);
    }
    if (open) {
        rv = mastra_db_commit(w->db, MASTRA_STORE_READ);
        if (rv != APR_SUCCESS) {
            undo(w, rv);
        }
    }
}

/* No transaction could begin: those who waited long enough go, and all when
 * waiting does not help. */
static void turn_away(worker_t *w, mastra_store_mode_e mode, apr_status_t rv)
{
    apr_time_t then = apr_time_now();
    mastra_store_job_t *job;
    int n = 0;

    if (mastra_db_passing(rv)) {
        then -= w->store->conf.patience;
    }
    while ((job = take_old(w->store, mode, then))) {
        finish(job, rv);
        n++;
    }
    if (n) {
        mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(304) "storage: %d jobs were "
                   "turned away: %s", n, w->db->error_text);
    }
    back_off(w);
}

/* ---- threads ---- */

/* Waits for work: its mode, or -1 when the store closes. */
static int wait_for_work(worker_t *w)
{
    mastra_store_t *store = w->store;
    int first = w->prefers, second = !first, mode = -1;

    apr_thread_mutex_lock(store->lock);
    for (;;) {
        if (w->takes[first] && store->queues[first].count) {
            mode = first;
            break;
        }
        if (w->takes[second] && store->queues[second].count) {
            mode = second;
            break;
        }
        if (store->closing) {
            break;
        }
        w->idle = 1;
        apr_thread_cond_wait(w->wake, store->lock);
        w->idle = 0;
    }
    apr_thread_mutex_unlock(store->lock);
    return mode;
}

static void *APR_THREAD_FUNC work(apr_thread_t *thread, void *data)
{
    worker_t *w = data;
    apr_status_t rv;
    int mode;

    (void)pthread_setname_np(pthread_self(), "mastra-store");
    while ((mode = wait_for_work(w)) >= 0) {
        /* the jobs are taken after BEGIN: while this thread waits for a lock
         * or a connection, the group grows */
        rv = begin(w, (mastra_store_mode_e)mode, 1);
        if (rv != APR_SUCCESS) {
            turn_away(w, (mastra_store_mode_e)mode, rv);
        }
        else if (mode == MASTRA_STORE_WRITE) {
            write_turn(w);
        }
        else {
            read_turn(w);
        }
    }
    mastra_db_disconnect(w->db);
    return NULL;
}

static apr_status_t start_worker(worker_t *w, int index)
{
    mastra_store_t *store = w->store;
    apr_status_t rv;

    w->backoff = BACKOFF_MIN;
    w->random = (apr_uint32_t)apr_time_now() + index * 7919;
    rv = apr_thread_cond_create(&w->wake, store->pool);
    return rv ? rv : mastra_thread_start(&w->thread, work, w, store->pool);
}

static apr_status_t make_worker(worker_t *w, mastra_store_t *store,
                                const apr_dbd_driver_t *driver, int index)
{
    int single = store->dialect->single_writer;
    apr_status_t rv = mastra_thread_pool(&w->pool, store->pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_create(&w->scratch, w->pool);
    w->store = store;
    w->db = mastra_db_make(store->dialect, driver, &store->conf, w->pool);
    w->takes[MASTRA_STORE_WRITE] = !single || index == 0;
    w->takes[MASTRA_STORE_READ] = !single || index > 0;
    w->prefers = index % 2 ? MASTRA_STORE_READ : MASTRA_STORE_WRITE;
    return APR_SUCCESS;
}

/* ---- the store ---- */

static apr_status_t close_store(void *data)
{
    mastra_store_t *store = data;
    apr_status_t rv;
    int i;

    apr_thread_mutex_lock(store->lock);
    store->close_by = apr_time_now() + CLOSE_PATIENCE;
    apr_atomic_set32(&store->closing, 1);
    for (i = 0; i < store->nworkers; i++) {
        apr_thread_cond_signal(store->workers[i].wake);
    }
    apr_thread_mutex_unlock(store->lock);
    for (i = 0; i < store->nworkers; i++) {
        apr_thread_join(&rv, store->workers[i].thread);
    }
    store->nworkers = 0;
    if (store->syncer) {
        mastra_syncer_stop(store->syncer);
        store->syncer = NULL;
    }
    if (store->settler) {
        mastra_settler_stop(store->settler);
        store->settler = NULL;
    }
    return APR_SUCCESS;
}

apr_status_t mastra_store_open(mastra_store_t **pstore,
                               const mastra_store_conf_t *conf,
                               apr_pool_t *pool)
{
    mastra_store_t *store = apr_pcalloc(pool, sizeof(*store));
    const apr_dbd_driver_t *driver;
    const char *why;
    apr_status_t rv;
    int i, n = conf->max_connections ? conf->max_connections : CONNECTIONS;

    store->dialect = mastra_dialect_find(conf->driver);
    if (!store->dialect) {
        return APR_ENOTIMPL;
    }
    n = n < 2 ? 2 : n;
    store->pool = pool;
    store->conf = *conf;
    store->conf.patience = conf->patience ? conf->patience : PATIENCE;
    store->max_queued = conf->max_queued ? conf->max_queued : QUEUED_MAX;
    store->workers = apr_pcalloc(pool, sizeof(*store->workers) * n);
    rv = mastra_db_driver(&driver, store->dialect, &why, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_mutex_create(&store->lock, APR_THREAD_MUTEX_DEFAULT,
                                     pool);
    }
    if (rv == APR_SUCCESS && store->dialect->log) {
        rv = mastra_syncer_start(&store->syncer, pool);
    }
    if (rv == APR_SUCCESS && store->dialect->settle) {
        rv = mastra_settler_start(&store->settler, store->dialect, driver,
                                  &store->conf, pool);
    }
    for (i = 0; rv == APR_SUCCESS && i < n; i++) {
        rv = make_worker(&store->workers[i], store, driver, i);
        if (rv == APR_SUCCESS) {
            rv = start_worker(&store->workers[i], i);
        }
        store->nworkers += rv == APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        if (store->lock) {
            close_store(store);
        }
        return rv;
    }
    /* before the pools of the threads go */
    apr_pool_pre_cleanup_register(pool, store, close_store);
    *pstore = store;
    return APR_SUCCESS;
}

void mastra_store_close(mastra_store_t *store)
{
    apr_pool_cleanup_run(store->pool, store, close_store);
}

int mastra_store_writes_singly(const mastra_store_t *store)
{
    return store->dialect->single_writer;
}

/* Wakes one idle thread that takes jobs of this mode. */
static void wake_one(mastra_store_t *store, mastra_store_mode_e mode)
{
    int i;

    for (i = 0; i < store->nworkers; i++) {
        worker_t *w = &store->workers[i];

        if (w->idle && w->takes[mode]) {
            w->idle = 0;
            apr_thread_cond_signal(w->wake);
            return;
        }
    }
}

/* Without threads for requests a signal ends the process inside its handler,
 * which closes the store: not while this thread has the lock. */
apr_status_t mastra_store_submit(mastra_store_t *store,
                                 mastra_store_job_t *job)
{
    apr_status_t rv = MASTRA_STORE_BUSY;
    sigset_t all, before;

    job->queued_at = apr_time_now();
    job->rv = APR_INCOMPLETE;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    apr_thread_mutex_lock(store->lock);
    if (!store->closing && store->queues[0].count + store->queues[1].count
                           < store->max_queued) {
        push(&store->queues[job->mode], job);
        wake_one(store, job->mode);
        rv = APR_SUCCESS;
    }
    apr_thread_mutex_unlock(store->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv;
}

typedef struct {
    mastra_store_run_cb *run;
    void *baton;
    apr_status_t rv;
    sem_t told;
} call_t;

static apr_status_t call_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    call_t *call = baton;

    return call->run(db, call->baton, pool);
}

static void call_done(void *baton, apr_status_t rv)
{
    call_t *call = baton;

    call->rv = rv;
    sem_post(&call->told);
}

apr_status_t mastra_store_call(mastra_store_t *store, mastra_store_mode_e mode,
                               mastra_store_run_cb *run_cb, void *baton)
{
    call_t call = { .run = run_cb, .baton = baton };
    mastra_store_job_t job = { .mode = mode, .run = call_run,
                               .done = call_done, .baton = &call };
    apr_status_t rv;

    sem_init(&call.told, 0, 0);
    rv = mastra_store_submit(store, &job);
    if (rv == APR_SUCCESS) {
        while (sem_wait(&call.told) && errno == EINTR) {
            continue;
        }
        rv = call.rv;
    }
    sem_destroy(&call.told);
    return rv;
}

mastra_result_t *mastra_store_result(apr_pool_t *pool, apr_status_t rv,
                                     const char *what)
{
    mastra_result_t *result;
    char text[120];

    if (mastra_db_passing(rv)) {
        result = mastra_result_make(pool, 503, "STORAGE_BUSY",
                                    "Storage is busy, try again");
        result->retry_after = 1;
    }
    else if (rv == MASTRA_STORE_NOT_FOUND) {
        return mastra_result_make(pool, 404, "NOT_FOUND", "Not found");
    }
    else if (rv == MASTRA_STORE_EXISTS) {
        return mastra_result_make(pool, 409, "EXISTS", "It exists already");
    }
    else {
        result = mastra_result_make(pool, 500, "STORAGE_ERROR",
                                    "Storage failed");
    }
    return mastra_result_cause(result, pool, "%s: %s", what,
                               apr_strerror(rv, text, sizeof(text)));
}
