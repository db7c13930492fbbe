/* One HTTP answer as it comes in, checked as it is read: the load client keeps
 * one of these per connection. */

#ifndef MASTRA_BENCH_ANSWER_H
#define MASTRA_BENCH_ANSWER_H

#include "util.h"

/* Why an exchange failed; the first two are the connection's affair. */
typedef enum {
    WHY_CONNECT, WHY_CLOSED, WHY_TIMEOUT,
    WHY_STATUS,     /* not a 200 */
    WHY_HTTP,       /* not framed as HTTP/1.1 is */
    WHY_FRAMES,     /* not the expected number of text frames, or no end */
    WHY_ORDER,      /* a word missing, repeated or in the wrong place */
    WHY_CONTENT,    /* the document lacks what it must contain */
    WHY_COUNT
} why_t;

typedef struct answer_t answer_t;

/* What is expected of every answer of a run. */
typedef struct {
    int sse;             /* an event stream, else a document */
    int records;         /* the stream is JSON texts, each with a 0x1E */
    int paced;           /* the words carry the upstream's clock */
    const char *frame;   /* what a text frame contains, and what stands */
    const char *key;     /* before its text */
    const char *expect;  /* what a document must contain, or NULL */
    const char *expect_second;
    unsigned words;      /* text frames to come, 0 if any number will do */
    void (*first_cb)(answer_t *a, int64_t now, void *baton);
    void (*word_cb)(int64_t clock, int64_t now, void *baton);
} rules_t;

struct answer_t {
    const rules_t *rules;
    void *baton;
    enum {
        ANSWER_HEAD, ANSWER_LENGTH, ANSWER_CHUNK_SIZE, ANSWER_CHUNK_DATA,
        ANSWER_CHUNK_END, ANSWER_TRAILER, ANSWER_DONE
    } state;
    int second;          /* it answers the second request of a pair */
    int started;         /* a byte of it has come */
    int close_after;
    int done_line;       /* the stream has said that it is over */
    buf_t head;          /* the head, or an incomplete line of framing */
    buf_t line;          /* an incomplete line of the body, or the document */
    uint64_t left;       /* bytes to come of the body or the chunk */
    uint64_t bytes;      /* of body so far */
    unsigned frames;     /* text frames so far */
    unsigned next;       /* the word expected next */
};

/* Makes it ready for the next answer; buffers are kept. */
void answer_reset(answer_t *a);

void answer_free(answer_t *a);

/* Reads on. 0, or -1 with the reason; state tells when the answer is over.
 * After a failure the head holds what there is to be shown. */
int answer_feed(answer_t *a, const char *p, size_t len, int64_t now,
                why_t *why);

/* Whether an answer that is over is also the right one. */
int answer_is_right(const answer_t *a, why_t *why);

#endif
