/* Answers of model servers and the events that they give rise to, however the
 * bytes are split. */
#ifndef FEED_H
#define FEED_H

#include "trace.h"

typedef struct {
    const char *name;
    int stream;              /* what was asked for */
    int event_stream;        /* what came */
    const char *text;
    mastra_model_fail_e fail;
    const char *want;        /* lines of events */
} feed_case_t;

static void feed_done(void *baton, const mastra_result_t *error)
{
}

static const mastra_model_cbs_t feed_cbs = { trace_event, feed_done };

/* Feeds text in pieces that end before at, after at, and every step bytes. */
static inline mastra_model_fail_e feed(const mastra_wire_t *wire,
                                       const feed_case_t *test, apr_size_t at,
                                       apr_size_t step, trace_t *trace)
{
    apr_size_t len = strlen(test->text), done = 0;
    mastra_model_fail_e fail = MASTRA_FAIL_NONE;
    mastra_outlet_t outlet = { .cbs = &feed_cbs, .baton = trace };
    mastra_answer_t *answer;

    trace_init(trace);
    answer = mastra_answer_make(wire, "asked", test->stream, 0, &outlet);
    mastra_answer_begin(answer, mastra_json_object(), test->event_stream);
    while (done < len && fail == MASTRA_FAIL_NONE) {
        apr_size_t n = step ? step : done < at ? at - done : len - done;
        char *piece;

        n = n > len - done ? len - done : n;
        /* at its own size, so that a sanitizer sees a read beyond the end */
        piece = malloc(n);
        memcpy(piece, test->text + done, n);
        fail = mastra_answer_feed(answer, piece, n);
        free(piece);
        done += n;
    }
    if (fail == MASTRA_FAIL_NONE) {
        fail = mastra_answer_end(answer, 0);
    }
    mastra_answer_free(answer);
    mastra_outlet_clear(&outlet);
    return fail;
}

static inline int feed_is_as_wanted(const mastra_wire_t *wire,
                                    const feed_case_t *test, apr_size_t at,
                                    apr_size_t step)
{
    trace_t trace;
    mastra_model_fail_e fail = feed(wire, test, at, step, &trace);
    int good = fail == test->fail
        && strcmp(trace_text(&trace), test->want) == 0;

    if (!good) {
        printf("# split at %lu, step %lu: failure %d, wanted %d, events\n%s",
               (unsigned long)at, (unsigned long)step, fail, test->fail,
               trace_text(&trace));
    }
    mastra_buf_free(&trace.text);
    return good;
}

/* Whole, at every split, byte by byte and by threes. */
static inline void test_feed(const mastra_wire_t *wire,
                             const feed_case_t *test)
{
    apr_size_t at, len = strlen(test->text);
    int good = feed_is_as_wanted(wire, test, 0, 0);

    for (at = 1; at < len && good; at++) {
        good = feed_is_as_wanted(wire, test, at, 0);
    }
    good = good && feed_is_as_wanted(wire, test, 0, 1)
        && feed_is_as_wanted(wire, test, 0, 3);
    ok(good, test->name);
}

#endif
