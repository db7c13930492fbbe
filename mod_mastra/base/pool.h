#ifndef MASTRA_BASE_POOL_H
#define MASTRA_BASE_POOL_H

#include <apr_pools.h>

/*
 * Pools of things that wander between threads: runs, tool calls. Nothing else
 * is below or above such a pool; one thread at a time uses it.
 */

/* From child_init, once: pools made from then on share an allocator that keeps what
 * they give back, up to a limit. Without it each has one of its own, which
 * asks the kernel for every pool's memory and returns it at once. */
apr_status_t mastra_pool_share(void);

/* Destroy it by apr_pool_destroy. tag: static. */
apr_status_t mastra_pool_make(apr_pool_t **ppool, const char *tag);

#endif
