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
/* A thread's metadata, made when it has none; lent. */
mastra_json_t *mastra_threads_metadata(mastra_json_t *thread);
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

/* Gives a thread that has no title one; *pset: it had none. */
apr_status_t mastra_threads_title(int *pset, mastra_db_t *db, const char *id,
                                  const char *title, apr_pool_t *pool);

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
 * threads. MASTRA_STORE_EXISTS: an id is that of another resource's message. */
apr_status_t mastra_messages_save(mastra_db_t *db,
                                  const mastra_json_t *messages,
                                  apr_pool_t *pool);
/* Array of those of ids (array of strings) that exist, oldest first. */
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

/* The same as rows, the newest first, and a message of one of them. What its
 * columns hold is all that a message is made of. */
enum { MASTRA_MESSAGE_ID, MASTRA_MESSAGE_CONTENT, MASTRA_MESSAGE_ROLE,
       MASTRA_MESSAGE_TYPE, MASTRA_MESSAGE_CREATED, MASTRA_MESSAGE_THREAD,
       MASTRA_MESSAGE_RESOURCE, MASTRA_MESSAGE_WIDTH };
apr_status_t mastra_messages_rows(mastra_rows_t **prows, mastra_db_t *db,
                                  const char *thread_id, int n,
                                  apr_pool_t *pool);
mastra_json_t *mastra_message_json(const mastra_rows_t *rows, int row);

/* The same as mastra_messages_save, and tells of each message which columns its
 * row has if nobody had a row of that id. They live as long as pool. */
typedef void (mastra_message_saved_cb)(void *baton, mastra_json_t *message,
                                       const char *const *columns);
apr_status_t mastra_messages_save_told(mastra_db_t *db,
                                       const mastra_json_t *messages,
                                       mastra_message_saved_cb *saved,
                                       void *baton, apr_pool_t *pool);

/* All messages of a thread are of this resource from now on. */
apr_status_t mastra_messages_own(mastra_db_t *db, const char *thread_id,
                                 const char *resource_id, apr_pool_t *pool);

/* Looks for messages, the newest of a thread first, threads by their last
 * change. */
typedef struct {
    const char *resource_id;
    const char *thread_id;         /* NULL: all of the resource */
    const char *fragment;          /* lower-case ASCII that their JSON has, or
                                      NULL: no matter */
    apr_int64_t limit;             /* messages found in each thread */
    apr_int64_t rows;              /* messages looked at in all */
    /* 1: the message is one of them. */
    int (*match)(void *baton, const mastra_json_t *message);
    void *baton;
} mastra_messages_search_t;
apr_status_t mastra_messages_search(mastra_json_t **pmessages, mastra_db_t *db,
                                    const mastra_messages_search_t *search,
                                    apr_pool_t *pool);

/* {id, workingMemory, metadata, createdAt, updatedAt} */
apr_status_t mastra_resources_get(mastra_json_t **presource, mastra_db_t *db,
                                  const char *id, apr_pool_t *pool);
apr_status_t mastra_resources_save(mastra_db_t *db,
                                   const mastra_json_t *resource,
                                   apr_pool_t *pool);
/* Makes the row when it is not there; nobody else changes it until the end of
 * the job. */
apr_status_t mastra_resources_touch(mastra_db_t *db, const char *id,
                                    apr_pool_t *pool);

#endif
