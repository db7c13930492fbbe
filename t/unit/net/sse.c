/* The event-stream parser: whole, and cut at every place. */

#include <stdlib.h>

#include "net/sse.h"
#include "tap.h"

/* Events are noted as "name|data;" so that a case is one string. */
static mastra_buf_t seen;
static int stop_after;

static int event_cb(void *baton, const char *event, const char *data,
                    apr_size_t len)
{
    if (strlen(data) != len) {
        mastra_buf_puts(&seen, "<wrong length>");
    }
    mastra_buf_printf(&seen, "%s|%s;", event ? event : "", data);
    return !stop_after || --stop_after;
}

typedef struct {
    const char *name;
    const char *input;
    const char *events;
    int partial;
} case_t;

static const case_t cases[] = {
    { "one event", "data: a\n\n", "|a;", 0 },
    { "no space after the colon", "data:a\n\n", "|a;", 0 },
    { "one space only is taken off", "data:  a\n\n", "| a;", 0 },
    { "CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", "|a;|b;", 0 },
    { "CR", "data: a\r\rdata: b\r\r", "|a;|b;", 0 },
    { "mixed line ends", "data: a\r\ndata: b\n\r\ndata: c\r\r", "|a\nb;|c;",
      0 },
    { "lines are joined", "data: a\ndata: b\ndata:\ndata: d\n\n",
      "|a\nb\n\nd;", 0 },
    { "a name", "event: x\ndata: a\n\ndata: b\n\n", "x|a;|b;", 0 },
    { "the name after the data", "data: a\nevent: x\n\n", "x|a;", 0 },
    { "the last name counts", "event: x\nevent: y\ndata: a\n\n", "y|a;", 0 },
    { "an empty name is none", "event: x\nevent:\ndata: a\n\n", "|a;", 0 },
    { "comments", ": hi\ndata: a\n:\n: x\n\n: ping\n\ndata: b\n\n",
      "|a;|b;", 0 },
    { "empty data", "data:\n\ndata\n\n", "|;|;", 0 },
    { "no data, no event", "event: x\n\nid: 1\n\n\n\ndata: a\n\n", "|a;", 0 },
    { "other fields", "id: 7\nretry: 9\nfoo: bar\nbaz\ndata: a\n\n", "|a;", 0 },
    { "names of fields match whole", "dat: x\ndata2: y\ndata : z\ndata: a\n\n",
      "|a;", 0 },
    { "a colon in the data", "data: {\"a\":1}\n\n", "|{\"a\":1};", 0 },
    { "a byte order mark", "\xEF\xBB\xBF" "data: a\n\n", "|a;", 0 },
    { "one mark only", "\xEF\xBB\xBF\xEF\xBB\xBF" "data: a\ndata: b\n\n",
      "|b;", 0 },
    { "half a mark is part of a line", "\xEF\xBB" "data: a\ndata: b\n\n",
      "|b;", 0 },
    { "a mark later is data", "data: \xEF\xBB\xBF\n\n", "|\xEF\xBB\xBF;", 0 },
    { "a cut line", "data: a\n\ndata: b", "|a;", 1 },
    { "a cut event", "data: a\n\ndata: b\n", "|a;", 1 },
    { "a cut name", "event: b\n", "", 1 },
    { "a cut comment is nothing", "data: a\n\n: pi", "|a;", 0 },
    { "nothing", "", "", 0 },
    { "what a model sends",
      "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n"
      "data: [DONE]\n\n",
      "|{\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]};|[DONE];", 0 },
    { "what another model sends",
      "event: message_start\ndata: {\"type\":\"message_start\"}\n\n"
      "event: ping\ndata: {\"type\": \"ping\"}\n\n",
      "message_start|{\"type\":\"message_start\"};"
      "ping|{\"type\": \"ping\"};", 0 }
};

/* Feeds what lies at text in a block of its own, so that a sanitizer sees a
 * read beyond it. */
static apr_status_t feed(mastra_sse_t *sse, const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);
    apr_status_t rv;

    memcpy(copy, text, len);
    rv = mastra_sse_feed(sse, copy, len);
    memset(copy, '#', len);
    free(copy);
    return rv;
}

static int matches(const case_t *c, size_t first, size_t second)
{
    mastra_sse_t *sse = mastra_sse_make(4096, event_cb, NULL);
    size_t len = strlen(c->input);
    int good;

    mastra_buf_reset(&seen);
    good = feed(sse, c->input, first) == APR_SUCCESS
           && feed(sse, c->input + first, second - first) == APR_SUCCESS
           && feed(sse, c->input + second, len - second) == APR_SUCCESS
           && !strcmp(seen.data ? seen.data : "", c->events)
           && mastra_sse_is_partial(sse) == c->partial;
    if (!good) {
        printf("# cut at %lu and %lu: %s\n", (unsigned long)first,
               (unsigned long)second, seen.data ? seen.data : "");
    }
    mastra_sse_free(sse);
    return good;
}

static void test_case(const case_t *c)
{
    size_t len = strlen(c->input), first, second;
    mastra_sse_t *sse = mastra_sse_make(4096, event_cb, NULL);
    int good = 1;

    for (first = 0; first <= len; first++) {
        for (second = first; second <= len && good; second++) {
            good = matches(c, first, second);
        }
    }
    ok(good, c->name);
    mastra_buf_reset(&seen);
    for (first = 0; first < len; first++) {
        feed(sse, c->input + first, 1);
    }
    if (strcmp(seen.data ? seen.data : "", c->events)) {
        is_str(seen.data, c->events, "byte by byte");
    }
    mastra_sse_free(sse);
}

static void test_sizes(void)
{
    static const size_t sizes[] = { 0, 1, 255, 4094, 4095, 4096, 4097, 70000 };
    char *text = malloc(80000);
    size_t i, len, cut;
    int good = 1;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        mastra_sse_t *sse = mastra_sse_make(100000, event_cb, NULL);

        len = (size_t)sprintf(text, "event: e\ndata: ");
        memset(text + len, 'x', sizes[i]);
        len += sizes[i];
        len += (size_t)sprintf(text + len, "\n\n");
        for (cut = 0; cut < 2; cut++) {
            mastra_buf_reset(&seen);
            feed(sse, text, cut ? len / 2 : len);
            feed(sse, text + (cut ? len / 2 : len), cut ? len - len / 2 : 0);
            good = good && seen.len == sizes[i] + 3
                   && !mastra_sse_is_partial(sse);
        }
        mastra_sse_free(sse);
    }
    ok(good, "events of many sizes, whole and halved");
    free(text);
}

static apr_status_t feed_ceiling(const char *text, size_t step)
{
    mastra_sse_t *sse = mastra_sse_make(16, event_cb, NULL);
    size_t len = strlen(text), at;
    apr_status_t rv = APR_SUCCESS;

    mastra_buf_reset(&seen);
    for (at = 0; at < len && rv == APR_SUCCESS; at += step) {
        rv = feed(sse, text + at, step < len - at ? step : len - at);
    }
    mastra_sse_free(sse);
    return rv;
}

static void test_ceiling(void)
{
    is_int(feed_ceiling("data: 0123456789\n\n", 100), APR_SUCCESS,
           "an event under the ceiling");
    is_int(feed_ceiling("data: 0123456789\n\ndata: 0123456789\n\n", 1),
           APR_SUCCESS, "the ceiling is for one event");
    is_int(feed_ceiling("data: 0123456789abcdefg\n\n", 100), APR_ENOSPC,
           "a whole event over the ceiling");
    is_int(feed_ceiling("data: 0123456789abcdefg\n\n", 1), APR_ENOSPC,
           "the same in parts");
    is_int(feed_ceiling("data: 0123456789abcdefg", 100), APR_ENOSPC,
           "a line without an end");
    is_int(feed_ceiling("data: 0123\ndata: 4567\ndata: 89ab\ndata: cdef\n\n",
                        100), APR_ENOSPC, "many lines");
    is_int(feed_ceiling("event: 01234\nevent: 56789\ndata: 012345678901234\n",
                        100), APR_ENOSPC, "name and data together");
    is_int(feed_ceiling(": a comment of any length is not held\ndata: a\n\n",
                        1), APR_SUCCESS, "comments are not counted");
    is_str(seen.data, "|a;", "nor in the way");
}

static mastra_sse_t *doomed;

static int free_cb(void *baton, const char *event, const char *data,
                   apr_size_t len)
{
    mastra_sse_free(doomed);
    return 0;
}

static void test_stop(void)
{
    mastra_sse_t *sse = mastra_sse_make(4096, event_cb, NULL);

    mastra_buf_reset(&seen);
    stop_after = 2;
    is_int(mastra_sse_feed(sse, "data: a\n\ndata: b\n\ndata: c\n\n", 27),
           APR_EGENERAL, "the callback stops the parser");
    is_str(seen.data, "|a;|b;", "at once");
    mastra_sse_free(sse);
    doomed = mastra_sse_make(4096, free_cb, NULL);
    mastra_sse_feed(doomed, "event: x\ndat", 12);
    is_int(mastra_sse_feed(doomed, "a: b\n\ndata: c\n\n", 15), APR_EGENERAL,
           "and may free it then");
}

int main(void)
{
    size_t i;

    mastra_buf_init(&seen, 1 << 20);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_case(&cases[i]);
    }
    test_sizes();
    test_ceiling();
    test_stop();
    mastra_buf_free(&seen);
    return tap_done();
}
