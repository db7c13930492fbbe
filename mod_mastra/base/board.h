#ifndef MASTRA_BASE_BOARD_H
#define MASTRA_BASE_BOARD_H

#include <apr_pools.h>

#include "json.h"

/*
 * A board: one JSON object in memory that a server's processes share, for small
 * things that all of them are to know at once and that need not outlive the
 * server. It is made before there are children. A process that dies at any
 * line leaves it as it was, or changed.
 */
typedef struct mastra_board_t mastra_board_t;

/* size: the most that the object may take as text. pool: for ever, or until
 * the last process that uses the board has ended. */
apr_status_t mastra_board_make(mastra_board_t **pboard, apr_size_t size,
                               apr_pool_t *pool);

/* Changes with every change; 0: there was none yet. Cheap, from any thread. */
unsigned mastra_board_generation(const mastra_board_t *board);

/* What is on it, and of which generation that is. New reference. */
apr_status_t mastra_board_read(mastra_json_t **pcontent,
                               unsigned *pgeneration, mastra_board_t *board);

/* Alters content; short, as others wait. Anything but APR_SUCCESS: nothing
 * changes. */
typedef apr_status_t (mastra_board_change_cb)(void *baton,
                                              mastra_json_t *content);
/* What change says, or APR_ENOSPC when it does not fit any more. */
apr_status_t mastra_board_change(mastra_board_t *board,
                                 mastra_board_change_cb *change, void *baton);

#endif
