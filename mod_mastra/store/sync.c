/* The threads of a store, and the one that waits for the disk: one sync for
 * all that was committed since the last one began. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_allocator.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "../base/log.h"
#include "sync.h"

#define POOL_KEEP (1024 * 1024)
#define GROUPS_MAX 64            /* commits that wait for the disk */

typedef struct group_t {
    struct group_t *next;
    int fd;
    mastra_store_job_t *jobs;
} group_t;

struct mastra_syncer_t {
    apr_thread_t *thread;
    apr_thread_mutex_t *lock;    /* guards what follows */
    apr_thread_cond_t *work, *room;
    group_t *first, **end;
    int ngroups;                 /* those being synced, too */
    int stopping;
};

apr_status_t mastra_thread_start(apr_thread_t **pthread,
                                 apr_thread_start_t work, void *baton,
                                 apr_pool_t *pool)
{
    sigset_t all, before;
    apr_status_t rv;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = apr_thread_create(pthread, NULL, work, baton, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv;
}

apr_status_t mastra_thread_pool(apr_pool_t **pmade, apr_pool_t *pool)
{
    apr_allocator_t *allocator;
    apr_status_t rv = apr_allocator_create(&allocator);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_allocator_max_free_set(allocator, POOL_KEEP);
    rv = apr_pool_create_ex(pmade, pool, NULL, allocator);
    if (rv != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return rv;
    }
    apr_allocator_owner_set(allocator, *pmade);
    apr_pool_tag(*pmade, "mastra_store");
    return APR_SUCCESS;
}

apr_status_t mastra_sync_log(int fd)
{
    apr_status_t rv = APR_SUCCESS;
    struct stat st;

    /* a log that was unlinked under us is not the one others read */
    if (fstat(fd, &st) || fdatasync(fd)) {
        rv = errno;
    }
    else if (!st.st_nlink) {
        rv = APR_ENOENT;
    }
    if (rv) {
        mastra_log(MASTRA_LOG_ERR, rv, MASTRA_ID(305) "storage: the "
                   "write-ahead log cannot be synced");
    }
    return rv;
}

static int same_file(int a, int b)
{
    struct stat sa, sb;

    return !fstat(a, &sa) && !fstat(b, &sb) && sa.st_ino == sb.st_ino
           && sa.st_dev == sb.st_dev;
}

static void tell(mastra_store_job_t *job, apr_status_t rv)
{
    mastra_store_job_t *next;

    for (; job; job = next) {
        next = job->next;
        job->rv = rv ? rv : job->rv;
        job->done(job->baton, job->rv);
    }
}

/* All were committed before it begins. */
static void sync_all(group_t *group)
{
    apr_status_t rv = APR_SUCCESS;
    group_t *synced = NULL, *next;

    for (; group; group = next) {
        next = group->next;
        if (!synced || !same_file(synced->fd, group->fd)) {
            rv = mastra_sync_log(group->fd);
        }
        tell(group->jobs, rv);
        if (synced) {
            close(synced->fd);
            free(synced);
        }
        synced = group;
    }
    if (synced) {
        close(synced->fd);
        free(synced);
    }
}

static void *APR_THREAD_FUNC work(apr_thread_t *thread, void *data)
{
    mastra_syncer_t *syncer = data;
    group_t *all, *each;
    int n;

    (void)pthread_setname_np(pthread_self(), "mastra-sync");
    apr_thread_mutex_lock(syncer->lock);
    for (;;) {
        while (!syncer->first && !syncer->stopping) {
            apr_thread_cond_wait(syncer->work, syncer->lock);
        }
        all = syncer->first;
        if (!all) {
            break;
        }
        for (n = 0, each = all; each; each = each->next) {
            n++;
        }
        syncer->first = NULL;
        syncer->end = &syncer->first;
        apr_thread_mutex_unlock(syncer->lock);
        sync_all(all);
        apr_thread_mutex_lock(syncer->lock);
        syncer->ngroups -= n;
        apr_thread_cond_signal(syncer->room);
    }
    apr_thread_mutex_unlock(syncer->lock);
    return NULL;
}

apr_status_t mastra_syncer_start(mastra_syncer_t **psyncer, apr_pool_t *pool)
{
    mastra_syncer_t *syncer = apr_pcalloc(pool, sizeof(*syncer));
    apr_status_t rv;

    syncer->end = &syncer->first;
    rv = apr_thread_mutex_create(&syncer->lock, APR_THREAD_MUTEX_DEFAULT, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&syncer->work, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&syncer->room, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_thread_start(&syncer->thread, work, syncer, pool);
    }
    if (rv == APR_SUCCESS) {
        *psyncer = syncer;
    }
    return rv;
}

static int is_idle(mastra_syncer_t *syncer)
{
    int idle;

    apr_thread_mutex_lock(syncer->lock);
    idle = !syncer->ngroups;
    apr_thread_mutex_unlock(syncer->lock);
    return idle;
}

static void push(mastra_syncer_t *syncer, int fd, mastra_store_job_t *jobs)
{
    group_t *group = calloc(1, sizeof(*group));

    if (!group) {
        abort();
    }
    group->fd = fd;
    group->jobs = jobs;
    apr_thread_mutex_lock(syncer->lock);
    while (syncer->ngroups >= GROUPS_MAX) {
        apr_thread_cond_wait(syncer->room, syncer->lock);
    }
    *syncer->end = group;
    syncer->end = &group->next;
    syncer->ngroups++;
    apr_thread_cond_signal(syncer->work);
    apr_thread_mutex_unlock(syncer->lock);
}

void mastra_syncer_tell(mastra_syncer_t *syncer, int log,
                        mastra_store_job_t *jobs, int more)
{
    int own = -1;

    if (more || !is_idle(syncer)) {
        /* the connection may be closed before it is synced */
        own = fcntl(log, F_DUPFD_CLOEXEC, 0);
    }
    if (own >= 0) {
        push(syncer, own, jobs);
    }
    else {
        tell(jobs, mastra_sync_log(log));
    }
}

void mastra_syncer_stop(mastra_syncer_t *syncer)
{
    apr_status_t rv;

    apr_thread_mutex_lock(syncer->lock);
    syncer->stopping = 1;
    apr_thread_cond_signal(syncer->work);
    apr_thread_mutex_unlock(syncer->lock);
    apr_thread_join(&rv, syncer->thread);
}
