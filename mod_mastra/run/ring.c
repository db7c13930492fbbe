/* The newest frames of a log in memory. */

#include <stdlib.h>
#include <string.h>

#include "ring.h"

/* a small piece of memory: most logs are short */
#define FIRST_SIZE 32

void mastra_ring_init(mastra_ring_t *ring, apr_int64_t after)
{
    memset(ring, 0, sizeof(*ring));
    ring->base = ring->last = after;
}

static mastra_frame_t *at(const mastra_ring_t *ring, apr_size_t i)
{
    return &ring->frames[(ring->head + i) % ring->size];
}

void mastra_ring_free(mastra_ring_t *ring)
{
    apr_size_t i;

    for (i = 0; i < ring->count; i++) {
        free(at(ring, i)->text);
    }
    free(ring->frames);
    mastra_ring_init(ring, ring->last);
}

/* Memory that is not there ends the process, as it does for pools. */
static void *need(void *memory)
{
    if (!memory) {
        abort();
    }
    return memory;
}

static void grow(mastra_ring_t *ring)
{
    apr_size_t size = ring->size ? 2 * ring->size : FIRST_SIZE, i;
    mastra_frame_t *frames = need(malloc(size * sizeof(*frames)));

    for (i = 0; i < ring->count; i++) {
        frames[i] = *at(ring, i);
    }
    free(ring->frames);
    ring->frames = frames;
    ring->size = size;
    ring->head = 0;
}

void mastra_ring_add(mastra_ring_t *ring, apr_int64_t seq, const char *text,
                     apr_size_t len)
{
    mastra_frame_t *frame;

    if (ring->count == ring->size) {
        grow(ring);
    }
    frame = at(ring, ring->count);
    frame->seq = seq;
    frame->text = need(malloc(len + 1));
    memcpy(frame->text, text, len);
    frame->text[len] = '\0';
    frame->len = len;
    ring->count++;
    ring->bytes += len;
    ring->last = seq;
}

const mastra_frame_t *mastra_ring_after(const mastra_ring_t *ring,
                                        apr_int64_t seq)
{
    apr_size_t low = 0, high = ring->count;

    while (low < high) {
        apr_size_t middle = low + (high - low) / 2;

        if (at(ring, middle)->seq <= seq) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low < ring->count ? at(ring, low) : NULL;
}

void mastra_ring_shrink(mastra_ring_t *ring, apr_size_t limit,
                        apr_int64_t upto)
{
    while (ring->count && ring->bytes > limit && at(ring, 0)->seq <= upto) {
        mastra_frame_t *frame = at(ring, 0);

        ring->base = frame->seq;
        ring->bytes -= frame->len;
        free(frame->text);
        ring->head = (ring->head + 1) % ring->size;
        ring->count--;
    }
}
