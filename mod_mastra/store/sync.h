#ifndef MASTRA_STORE_SYNC_H
#define MASTRA_STORE_SYNC_H

#include "store.h"

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
