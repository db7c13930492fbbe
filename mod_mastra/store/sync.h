#ifndef MASTRA_STORE_SYNC_H
#define MASTRA_STORE_SYNC_H

#include <apr_thread_proc.h>

#include "store.h"

/* A thread of the store: signals are not for it, they belong to the threads of
 * the server. */
apr_status_t mastra_thread_start(apr_thread_t **pthread,
                                 apr_thread_start_t work, void *baton,
                                 apr_pool_t *pool);
/* A pool for one thread, with an allocator of its own. */
apr_status_t mastra_thread_pool(apr_pool_t **pmade, apr_pool_t *pool);

/*
 * Jobs whose transactions are committed wait here for the disk, while their
 * thread does the next ones. They are told in the order of their commits, and
 * never run again, whatever the disk says.
 */
typedef struct mastra_syncer_t mastra_syncer_t;

/* Syncs a write-ahead log. Failures are logged here. */
apr_status_t mastra_sync_log(int fd);

apr_status_t mastra_syncer_start(mastra_syncer_t **psyncer, apr_pool_t *pool);
/* Jobs, linked by next, are told when the log is synced: before this returns,
 * when nobody waits and the caller has nothing else to do, which more says.
 * Waits when too many wait already. */
void mastra_syncer_tell(mastra_syncer_t *syncer, int log,
                        mastra_store_job_t *jobs, int more);
/* All are told when it returns. */
void mastra_syncer_stop(mastra_syncer_t *syncer);

#endif
