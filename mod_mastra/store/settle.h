#ifndef MASTRA_STORE_SETTLE_H
#define MASTRA_STORE_SETTLE_H

#include "dialect.h"

#include <apr_dbd.h>

/*
 * A thread and a connection for housekeeping, so that nobody who waits for an
 * answer waits for it.
 */
typedef struct mastra_settler_t mastra_settler_t;

/* Connects when it is woken first. conf is kept. */
apr_status_t mastra_settler_start(mastra_settler_t **psettler,
                                  const mastra_dialect_t *dialect,
                                  const apr_dbd_driver_t *driver,
                                  const mastra_store_conf_t *conf,
                                  apr_pool_t *pool);
/* From any thread, never blocks. Asked for again while it works: once more. */
void mastra_settler_wake(mastra_settler_t *settler);
/* Waits for what cannot be broken off: a sync of the disk. */
void mastra_settler_stop(mastra_settler_t *settler);

#endif
