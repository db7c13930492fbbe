#ifndef MASTRA_STORE_BACKGROUND_H
#define MASTRA_STORE_BACKGROUND_H

#include "store.h"

/*
 * Work that agents have given to the background: mastra_background_tasks, as
 * the Node server keeps it. Inside store jobs only.
 */
typedef struct {
    const char *id;                  /* all NULL: any */
    const char *status, *agent, *run, *thread, *resource, *tool, *call;
} mastra_background_filter_t;

/* As the API shows them, the oldest first, some thousands at most. New
 * reference. */
apr_status_t mastra_background_list(mastra_json_t **ptasks, mastra_db_t *db,
                                    const mastra_background_filter_t *filter,
                                    apr_pool_t *pool);

#endif
