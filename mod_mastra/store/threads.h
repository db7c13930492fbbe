#ifndef MASTRA_STORE_THREADS_H
#define MASTRA_STORE_THREADS_H

#include "store.h"

/*
 * mastra_threads, mastra_messages and mastra_resources. Inside store jobs
 * only. Rows are JSON objects as the API shows them:
 * thread  {id, resourceId, title, metadata, createdAt, updatedAt}
 * message {id, content, role, createdAt, threadId, resourceId, type}
 * (content parsed: {format:2, parts:[…], …}). New references.
 */

/* MASTRA_STORE_NOT_FOUND when there is none. */
apr_status_t mastra_threads_get(mastra_json_t **pthread, mastra_db_t *db,
                                const char *id, apr_pool_t *pool);
/* Inserts thread, or replaces all but its createdAt. Times default to now. */
apr_status_t mastra_threads_save(mastra_db_t *db, const mastra_json_t *thread,
                                 apr_pool_t *pool);
/* Creates the thread unless it is there; *pthread is what is stored then. */
apr_status_t mastra_threads_ensure(mastra_json_t **pthread, mastra_db_t *db,
                                   const mastra_json_t *thread,
                                   apr_pool_t *pool);
/* Its messages too. NOT_FOUND when there is none. */
apr_status_t mastra_threads_delete(mastra_db_t *db, const char *id,
                                   apr_pool_t *pool);
apr_status_t mastra_threads_touch(mastra_db_t *db, const char *id,
                                  apr_time_t updated_at, apr_pool_t *pool);

typedef struct {
    const char *resource_id;       /* NULL: all */
    const mastra_json_t *metadata; /* equal members, NULL: all */
    const char *order_by;          /* "createdAt" (NULL) or "updatedAt" */
    int ascending;                 /* 0: newest first */
    apr_int64_t page, per_page;
} mastra_threads_filter_t;
apr_status_t mastra_threads_list(mastra_json_t **pthreads, apr_int64_t *ptotal,
                                 mastra_db_t *db,
                                 const mastra_threads_filter_t *filter,
                                 apr_pool_t *pool);

/* Inserts or replaces messages (an array). Each needs id, threadId, role,
 * content, createdAt; type defaults to "v2". Touches updatedAt of their
 * threads. */
apr_status_t mastra_messages_save(mastra_db_t *db,
                                  const mastra_json_t *messages,
                                  apr_pool_t *pool);
/* Array of those of ids (array of strings) that exist. */
apr_status_t mastra_messages_get(mastra_json_t **pmessages, mastra_db_t *db,
                                 const mastra_json_t *ids, apr_pool_t *pool);
/* How many were there. */
apr_status_t mastra_messages_delete(int *pdeleted, mastra_db_t *db,
                                    const mastra_json_t *ids,
                                    apr_pool_t *pool);

typedef struct {
    const char *thread_id;
    const char *resource_id;       /* NULL: any */
    int ascending;                 /* which end page 0 is at; 0: the newest */
    apr_int64_t page, per_page;    /* per_page < 0: all, up to 100,000 */
    apr_time_t from, to;           /* 0: open */
    int from_exclusive, to_exclusive;
    const mastra_json_t *roles;    /* array of strings, NULL: all */
    const mastra_json_t *metadata; /* members of content.metadata, or NULL */
    const mastra_json_t *include;  /* [{id, threadId?, withPreviousMessages?,
                                      withNextMessages?}] added to the page */
} mastra_messages_filter_t;
/* Oldest first inside the page. */
apr_status_t mastra_messages_list(mastra_json_t **pmessages,
                                  apr_int64_t *ptotal, mastra_db_t *db,
                                  const mastra_messages_filter_t *filter,
                                  apr_pool_t *pool);
/* The newest n messages of a thread, oldest first: one indexed query. */
apr_status_t mastra_messages_last(mastra_json_t **pmessages, mastra_db_t *db,
                                  const char *thread_id, int n,
                                  apr_pool_t *pool);

/* {id, workingMemory, metadata, createdAt, updatedAt} */
apr_status_t mastra_resources_get(mastra_json_t **presource, mastra_db_t *db,
                                  const char *id, apr_pool_t *pool);
apr_status_t mastra_resources_save(mastra_db_t *db,
                                   const mastra_json_t *resource,
                                   apr_pool_t *pool);

#endif
