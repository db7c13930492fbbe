/* A JSON object in shared memory: two slots, of which one is written while the
 * other is valid, and a lock that survives its owner. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_shm.h>

#include "board.h"

typedef struct {
    pthread_mutex_t lock;
    apr_uint32_t generation;
    int valid;               /* the slot that counts */
    apr_size_t len[2];
} head_t;

struct mastra_board_t {
    head_t *head;
    char *slots[2];
    apr_size_t size;
};

apr_status_t mastra_board_make(mastra_board_t **pboard, apr_size_t size,
                               apr_pool_t *pool)
{
    mastra_board_t *board = apr_pcalloc(pool, sizeof(*board));
    pthread_mutexattr_t attributes;
    apr_shm_t *shm;
    apr_status_t rv = apr_shm_create(&shm, sizeof(head_t) + 2 * size, NULL,
                                     pool);

    if (rv) {
        return rv;
    }
    board->size = size;
    board->head = apr_shm_baseaddr_get(shm);
    board->slots[0] = (char *)(board->head + 1);
    board->slots[1] = board->slots[0] + size;
    memset(board->head, 0, sizeof(*board->head));
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    rv = pthread_mutex_init(&board->head->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    *pboard = board;
    return rv;
}

unsigned mastra_board_generation(const mastra_board_t *board)
{
    return apr_atomic_read32(&board->head->generation);
}

/* A process that died with the lock has not touched the valid slot. */
static apr_status_t lock(mastra_board_t *board)
{
    int rc = pthread_mutex_lock(&board->head->lock);

    if (rc == EOWNERDEAD) {
        rc = pthread_mutex_consistent(&board->head->lock);
    }
    return rc;
}

static void unlock(mastra_board_t *board)
{
    pthread_mutex_unlock(&board->head->lock);
}

/* The valid slot; the lock is held. */
static apr_status_t parse(mastra_json_t **pcontent,
                          const mastra_board_t *board)
{
    const head_t *head = board->head;

    if (!head->len[head->valid]) {
        *pcontent = mastra_json_object();
        return APR_SUCCESS;
    }
    return mastra_json_parse(pcontent, board->slots[head->valid],
                             head->len[head->valid], 0, NULL);
}

apr_status_t mastra_board_read(mastra_json_t **pcontent,
                               unsigned *pgeneration, mastra_board_t *board)
{
    apr_status_t rv = lock(board);

    if (rv) {
        return rv;
    }
    *pgeneration = mastra_board_generation(board);
    rv = parse(pcontent, board);
    unlock(board);
    return rv;
}

static apr_status_t write_down(mastra_board_t *board,
                               const mastra_json_t *content)
{
    head_t *head = board->head;
    int other = !head->valid;
    apr_size_t len;
    char *text = mastra_json_dup_text(content, &len);

    if (!text) {
        return APR_ENOMEM;
    }
    if (len > board->size) {
        free(text);
        return APR_ENOSPC;
    }
    memcpy(board->slots[other], text, len);
    head->len[other] = len;
    free(text);
    head->valid = other;
    /* 0 means that nothing was ever changed */
    if (apr_atomic_inc32(&head->generation) == 0xffffffff) {
        apr_atomic_inc32(&head->generation);
    }
    return APR_SUCCESS;
}

apr_status_t mastra_board_change(mastra_board_t *board,
                                 mastra_board_change_cb *change, void *baton)
{
    mastra_json_t *content = NULL;
    apr_status_t rv = lock(board);

    if (rv) {
        return rv;
    }
    rv = parse(&content, board);
    if (!rv) {
        rv = change(baton, content);
    }
    if (!rv) {
        rv = write_down(board, content);
    }
    unlock(board);
    mastra_json_unref(content);
    return rv;
}
