/* A heap of timers that knows where each of them stands, for the loop. */

#include <stdlib.h>

#include "../base/log.h"
#include "internal.h"

#define WAYS 4
#define FIRST_SIZE 64

static void place(mastra_heap_t *heap, apr_size_t at,
                  mastra_heap_entry_t entry)
{
    heap->entries[at] = entry;
    entry.timer->slot = at + 1;
}

static void sift_up(mastra_heap_t *heap, apr_size_t at,
                    mastra_heap_entry_t entry)
{
    while (at > 0) {
        apr_size_t parent = (at - 1) / WAYS;

        if (heap->entries[parent].when <= entry.when) {
            break;
        }
        place(heap, at, heap->entries[parent]);
        at = parent;
    }
    place(heap, at, entry);
}

static void sift_down(mastra_heap_t *heap, apr_size_t at,
                      mastra_heap_entry_t entry)
{
    for (;;) {
        apr_size_t child = at * WAYS + 1;
        apr_size_t end = child + WAYS;
        apr_size_t least = child;

        if (child >= heap->count) {
            break;
        }
        if (end > heap->count) {
            end = heap->count;
        }
        while (++child < end) {
            if (heap->entries[child].when < heap->entries[least].when) {
                least = child;
            }
        }
        if (entry.when <= heap->entries[least].when) {
            break;
        }
        place(heap, at, heap->entries[least]);
        at = least;
    }
    place(heap, at, entry);
}

static void make_room(mastra_heap_t *heap)
{
    apr_size_t size = heap->size ? heap->size * 2 : FIRST_SIZE;
    mastra_heap_entry_t *entries;

    if (heap->count < heap->size) {
        return;
    }
    entries = realloc(heap->entries, size * sizeof(*entries));
    if (!entries) {
        /* a timer that never fires would be a request that never ends */
        mastra_log(MASTRA_LOG_CRIT, APR_ENOMEM,
                   MASTRA_ID(200) "no memory for %lu timers",
                   (unsigned long)size);
        abort();
    }
    heap->entries = entries;
    heap->size = size;
}

void mastra_heap_set(mastra_heap_t *heap, mastra_timer_t *timer)
{
    mastra_heap_entry_t entry = { timer->when, timer };
    apr_size_t at;

    if (!timer->slot) {
        make_room(heap);
        sift_up(heap, heap->count++, entry);
        return;
    }
    at = timer->slot - 1;
    if (timer->when < heap->entries[at].when) {
        sift_up(heap, at, entry);
    }
    else {
        sift_down(heap, at, entry);
    }
}

void mastra_heap_remove(mastra_heap_t *heap, mastra_timer_t *timer)
{
    apr_size_t at = timer->slot - 1;
    mastra_heap_entry_t last;

    if (!timer->slot) {
        return;
    }
    timer->slot = 0;
    last = heap->entries[--heap->count];
    if (last.timer == timer) {
        return;
    }
    if (at > 0 && last.when < heap->entries[(at - 1) / WAYS].when) {
        sift_up(heap, at, last);
    }
    else {
        sift_down(heap, at, last);
    }
}
