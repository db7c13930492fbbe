/* The newest frames of a log in memory. */

#include <stdlib.h>

#include "run/ring.h"
#include "tap.h"

static mastra_ring_t ring;

static const char *text_after(apr_int64_t seq)
{
    const mastra_frame_t *frame = mastra_ring_after(&ring, seq);

    return frame ? frame->text : NULL;
}

static void add(apr_int64_t seq)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "frame %ld", (long)seq);

    mastra_ring_add(&ring, seq, text, (apr_size_t)len);
}

static void test_order(void)
{
    mastra_ring_init(&ring, 10);
    is_str(text_after(0), NULL, "an empty ring has nothing");
    is_int(ring.base, 10, "... and begins where it is told to");
    add(11);
    add(12);
    add(1000013);
    is_str(text_after(0), "frame 11", "the first frame");
    is_str(text_after(11), "frame 12", "the next");
    is_str(text_after(12), "frame 1000013", "... also over a gap");
    is_str(text_after(500), "frame 1000013", "... from inside of it");
    is_str(text_after(1000013), NULL, "none after the last");
    is_int(ring.last, 1000013, "the last is known");
    mastra_ring_free(&ring);
    is_int(ring.count, 0, "it can be emptied");
}

static void test_growth(void)
{
    apr_int64_t seq;
    int wrong = 0;

    mastra_ring_init(&ring, 0);
    for (seq = 1; seq <= 5000; seq++) {
        add(seq);
        mastra_ring_shrink(&ring, 2000, seq - 20);
    }
    ok(ring.bytes <= 2000 + 64, "what it holds is bounded");
    is_int(ring.base, 5000 - (apr_int64_t)ring.count, "base tells what has gone");
    for (seq = ring.base; seq < 5000; seq++) {
        const mastra_frame_t *frame = mastra_ring_after(&ring, seq);

        wrong += !frame || frame->seq != seq + 1;
    }
    is_int(wrong, 0, "... and the rest is found");
    mastra_ring_shrink(&ring, 0, 4990);
    is_int(ring.base, 4990, "nothing goes that may not");
    is_int(ring.count, 10, "... and all that may");
    mastra_ring_free(&ring);
}

int main(void)
{
    test_order();
    test_growth();
    return tap_done();
}
