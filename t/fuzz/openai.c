/* Fuzz target: answers of chat completions servers. The first byte chooses
 * whether a stream or a document comes, what was asked for, how the input is
 * split and whether the caller pauses. */
#include <stdint.h>
#include <stdlib.h>

#include <apr_general.h>

#include "model/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_event(void *baton, const mastra_model_event_t *event)
{
    unsigned *count = baton;
    volatile char last;

    if (event->text && event->len) {
        last = event->text[event->len - 1];
        (void)last;
    }
    if (event->type == MASTRA_MODEL_TOOL_CALL
        && (!event->id || !event->name || (!event->json && !event->text))) {
        abort();
    }
    return ++*count % 3 != 0;
}

static void on_done(void *baton, const mastra_result_t *error)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const mastra_model_cbs_t cbs = { on_event, on_done };
    static int ready;
    unsigned count = 0;
    mastra_outlet_t outlet = { .cbs = &cbs, .baton = &count };
    mastra_model_fail_e fail = MASTRA_FAIL_NONE;
    mastra_answer_t *answer;
    size_t at, step;

    if (!ready) {
        apr_initialize();
        ready = 1;
    }
    if (size < 1) {
        return 0;
    }
    step = data[0] & 0xf8 ? data[0] >> 3 : size;
    answer = mastra_answer_make("m", data[0] & 1, data[0] >> 2 & 1, &outlet);
    mastra_answer_begin(answer, NULL, data[0] >> 1 & 1);
    for (at = 1; at < size && fail == MASTRA_FAIL_NONE; at += step) {
        fail = mastra_answer_feed(answer, (const char *)data + at,
                                  step < size - at ? step : size - at);
        if (mastra_outlet_resume(&outlet)) {
            mastra_outlet_drain(&outlet);
        }
    }
    if (fail == MASTRA_FAIL_NONE) {
        mastra_answer_end(answer, data[0] >> 3 & 1);
    }
    mastra_answer_free(answer);
    mastra_outlet_clear(&outlet);
    return 0;
}
