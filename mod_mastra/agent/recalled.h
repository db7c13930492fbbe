#ifndef MASTRA_AGENT_RECALLED_H
#define MASTRA_AGENT_RECALLED_H

#include "internal.h"

/*
 * Messages of threads as runs remember them. Counted; only who has the count
 * may have them, from any thread.
 */

/* The messages of rows (mastra_messages_rows), oldest first, in pool; returns
 * how many. A reference of each is the caller's. cache may be NULL. */
int mastra_recall(mastra_recalled_t ***plist, mastra_recall_cache_t *cache,
                  const char *thread_id, const mastra_rows_t *rows,
                  apr_pool_t *pool);
void mastra_recalled_unref(mastra_recalled_t *one);

/* A mastra_message_saved_cb; baton is the cache: what a thread got since its
 * last turn need not be read for the next one. */
void mastra_recall_saved(void *baton, mastra_json_t *message,
                         const char *const *columns);

/* The message as text (mastra_json_raw): lent. */
mastra_json_t *mastra_recalled_raw(const mastra_recalled_t *one);
/* MASTRA_MESSAGE_ID and so on. */
const char *mastra_recalled_column(const mastra_recalled_t *one, int column);
#endif
