/* Counts per value, exact below 128 and within 2 % above, for percentiles. */

#ifndef MASTRA_BENCH_HIST_H
#define MASTRA_BENCH_HIST_H

#include <stdint.h>
#include <stdio.h>

#define HIST_SLOTS 4096

typedef struct {
    uint64_t slots[HIST_SLOTS];
    uint64_t count;
    uint64_t max;
} hist_t;

static inline void hist_add(hist_t *h, int64_t value)
{
    uint64_t v = value < 0 ? 0 : (uint64_t)value;
    unsigned shift = v < 128 ? 0 : 63 - (unsigned)__builtin_clzll(v) - 6;
    uint64_t slot = ((uint64_t)shift << 6) + (v >> shift);

    h->slots[slot < HIST_SLOTS ? slot : HIST_SLOTS - 1]++;
    h->count++;
    if (v > h->max) {
        h->max = v;
    }
}

static inline uint64_t hist_at(const hist_t *h, double share)
{
    uint64_t want = (uint64_t)((double)h->count * share), seen = 0;
    unsigned i, shift;

    for (i = 0; i < HIST_SLOTS; i++) {
        seen += h->slots[i];
        if (seen > want) {
            shift = i < 128 ? 0 : i / 64 - 1;
            return (uint64_t)(i - shift * 64) << shift;
        }
    }
    return h->max;
}

/* Members of a JSON object, microseconds as milliseconds; nothing when nothing
 * was measured, which is not zero. */
static inline void hist_print(const char *name, const hist_t *h)
{
    if (h->count) {
        printf(",\"%s_p50\":%.3f,\"%s_p90\":%.3f,\"%s_p99\":%.3f,"
               "\"%s_max\":%.3f", name, (double)hist_at(h, 0.5) / 1000,
               name, (double)hist_at(h, 0.9) / 1000, name,
               (double)hist_at(h, 0.99) / 1000, name, (double)h->max / 1000);
    }
}

#endif
