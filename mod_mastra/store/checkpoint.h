#ifndef MASTRA_STORE_CHECKPOINT_H
#define MASTRA_STORE_CHECKPOINT_H

#include "internal.h"

/*
 * SQLite's own functions on the connection that apr_dbd has opened. They leave
 * the driver's process-wide mutex free: readers and the writer of the child go
 * on while the log is folded back. For connections of one thread only.
 */
typedef struct mastra_sqlite_t mastra_sqlite_t;

/* In the pool of the connection. NULL when the library behind the driver does
 * not show all of them, or was told to do without mutexes. */
mastra_sqlite_t *mastra_sqlite_find(mastra_db_t *db);

/* From now on *ppages is how many pages the log has, after each commit of this
 * connection. */
void mastra_sqlite_watch(mastra_sqlite_t *native, int *ppages);

/* Folds the log back as far as readers allow, others may write meanwhile;
 * *ppages is how long the log was then. APR_EAGAIN: another connection is at
 * it. */
apr_status_t mastra_sqlite_fold(mastra_sqlite_t *native, int *ppages);
/* For those who keep all writers away: folds what is left and sees to it that
 * the log begins anew. APR_EAGAIN: somebody reads from the log. */
apr_status_t mastra_sqlite_fold_all(mastra_sqlite_t *native);
/* What was folded goes to the disk, so that the last fold need not wait for
 * it. SQLite knows by itself when it has to: this is for speed. */
void mastra_sqlite_sync(mastra_sqlite_t *native);

#endif
