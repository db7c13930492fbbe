/* Pools of things that wander between threads, and the memory they share. */

#include <stddef.h>

#include <apr_thread_mutex.h>

#include "pool.h"

/* free memory that is kept */
#define KEPT ((apr_size_t)4 * 1024 * 1024)

/* Made before the child has threads; NULL: none. It ends with the process, as
 * do its lock and perhaps some of the pools. */
static apr_allocator_t *shared;

static apr_status_t make_own(apr_pool_t **ppool)
{
    apr_allocator_t *allocator;
    apr_status_t rv = apr_allocator_create(&allocator);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_pool_create_unmanaged_ex(ppool, NULL, allocator);
    if (rv != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return rv;
    }
    apr_allocator_owner_set(allocator, *ppool);
    return APR_SUCCESS;
}

apr_status_t mastra_pool_share(void)
{
    apr_allocator_t *allocator;
    apr_thread_mutex_t *lock;
    apr_pool_t *pool;
    apr_status_t rv = make_own(&pool);

    if (rv == APR_SUCCESS) {
        rv = apr_thread_mutex_create(&lock, APR_THREAD_MUTEX_DEFAULT, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_allocator_create(&allocator);
    }
    if (rv == APR_SUCCESS) {
        apr_allocator_mutex_set(allocator, lock);
        apr_allocator_max_free_set(allocator, KEPT);
        shared = allocator;
    }
    return rv;
}

apr_status_t mastra_pool_make(apr_pool_t **ppool, const char *tag)
{
    apr_status_t rv = shared ? apr_pool_create_unmanaged_ex(ppool, NULL, shared)
                             : make_own(ppool);

    if (rv == APR_SUCCESS) {
        apr_pool_tag(*ppool, tag);
    }
    return rv;
}
