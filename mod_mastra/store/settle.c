/* The thread that keeps house in a database while others work with it. */

#include <pthread.h>

#include <apr_allocator.h>
#include <apr_atomic.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "../base/log.h"
#include "internal.h"
#include "settle.h"
#include "sync.h"

struct mastra_settler_t {
    apr_thread_t *thread;
    apr_pool_t *pool;            /* of the thread, with its own allocator */
    mastra_db_t *db;
    apr_thread_mutex_t *lock;    /* guards what follows */
    apr_thread_cond_t *wake;
    int wanted;
    apr_uint32_t stopping;       /* read without it, too */
};

/* Under the lock. */
static int wait_for_work(mastra_settler_t *settler)
{
    while (!settler->wanted && !settler->stopping) {
        apr_thread_cond_wait(settler->wake, settler->lock);
    }
    settler->wanted = 0;
    return !settler->stopping;
}

static void settle(mastra_settler_t *settler)
{
    mastra_db_t *db = settler->db;

    mastra_db_mark(db);
    if (mastra_db_connect(db) == APR_SUCCESS) {
        db->dialect->settle(db, &settler->stopping);
    }
    if (db->error != APR_SUCCESS) {
        /* the next time comes soon, and those who write tell of what is bad */
        mastra_log(MASTRA_LOG_DEBUG, 0, "storage: housekeeping: %s",
                   db->error_text);
        mastra_db_disconnect(db);
    }
}

static void *APR_THREAD_FUNC work(apr_thread_t *thread, void *data)
{
    mastra_settler_t *settler = data;

    (void)pthread_setname_np(pthread_self(), "mastra-settle");
    apr_thread_mutex_lock(settler->lock);
    while (wait_for_work(settler)) {
        apr_thread_mutex_unlock(settler->lock);
        settle(settler);
        apr_thread_mutex_lock(settler->lock);
    }
    apr_thread_mutex_unlock(settler->lock);
    mastra_db_disconnect(settler->db);
    return NULL;
}

apr_status_t mastra_settler_start(mastra_settler_t **psettler,
                                  const mastra_dialect_t *dialect,
                                  const apr_dbd_driver_t *driver,
                                  const mastra_store_conf_t *conf,
                                  apr_pool_t *pool)
{
    mastra_settler_t *settler = apr_pcalloc(pool, sizeof(*settler));
    apr_status_t rv = mastra_thread_pool(&settler->pool, pool);

    if (rv == APR_SUCCESS) {
        rv = apr_thread_mutex_create(&settler->lock, APR_THREAD_MUTEX_DEFAULT,
                                     pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&settler->wake, pool);
    }
    if (rv == APR_SUCCESS) {
        settler->db = mastra_db_make(dialect, driver, conf, settler->pool);
        rv = mastra_thread_start(&settler->thread, work, settler, pool);
    }
    if (rv == APR_SUCCESS) {
        *psettler = settler;
    }
    return rv;
}

void mastra_settler_wake(mastra_settler_t *settler)
{
    apr_thread_mutex_lock(settler->lock);
    settler->wanted = 1;
    apr_thread_cond_signal(settler->wake);
    apr_thread_mutex_unlock(settler->lock);
}

void mastra_settler_stop(mastra_settler_t *settler)
{
    apr_status_t rv;

    apr_thread_mutex_lock(settler->lock);
    apr_atomic_set32(&settler->stopping, 1);
    apr_thread_cond_signal(settler->wake);
    apr_thread_mutex_unlock(settler->lock);
    apr_thread_join(&rv, settler->thread);
}
