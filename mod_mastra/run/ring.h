#ifndef MASTRA_RUN_RING_H
#define MASTRA_RUN_RING_H

#include <apr.h>

/*
 * The newest frames of a log in memory, by rising sequence. One thread.
 * base is the sequence that the oldest frame here follows: what a reader at
 * base or later asks for is all here.
 */
typedef struct {
    apr_int64_t seq;
    char *text;              /* NUL-terminated */
    apr_size_t len;
} mastra_frame_t;

typedef struct {
    mastra_frame_t *frames;  /* circular */
    apr_size_t size, head, count;
    apr_size_t bytes;
    apr_int64_t base, last;
} mastra_ring_t;

/* Empty, after a sequence. */
void mastra_ring_init(mastra_ring_t *ring, apr_int64_t after);
void mastra_ring_free(mastra_ring_t *ring);
/* text is copied; seq is above ring->last. */
void mastra_ring_add(mastra_ring_t *ring, apr_int64_t seq, const char *text,
                     apr_size_t len);
/* The first frame after a sequence, NULL: none. */
const mastra_frame_t *mastra_ring_after(const mastra_ring_t *ring,
                                        apr_int64_t seq);
/* Drops the oldest frames up to a sequence, while there are more than limit
 * bytes. */
void mastra_ring_shrink(mastra_ring_t *ring, apr_size_t limit,
                        apr_int64_t upto);

#endif
