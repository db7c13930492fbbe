/* The load client's reading of an HTTP/1.1 answer: framing, event stream lines
 * and the words in them, each checked. */

#define _GNU_SOURCE
#include "answer.h"

#include <strings.h>

#define MAX_HEAD (32 * 1024)
#define MAX_LINE (8 * 1024 * 1024)

static const char last_record[] = "\"type\":\"workflow-finish\"";

/* Reads "<index>:<clock>" words: each exactly once and in order. */
static int read_words(answer_t *a, const char *p, const char *end, int64_t now)
{
    char *next;
    unsigned long index;
    long long clock;

    while (p < end && *p != '"') {
        index = strtoul(p, &next, 10);
        if (next == p || *next != ':' || index != a->next) {
            return 0;
        }
        p = next + 1;
        clock = strtoll(p, &next, 10);
        if (next == p) {
            return 0;
        }
        a->next++;
        a->rules->word_cb(clock, now, a->baton);
        for (p = next; p < end && *p == ' '; p++) {
        }
    }
    return 1;
}

/* One line of an event stream; what follows it in memory ends any number. 0
 * when it is out of order. */
static int read_line(answer_t *a, const char *line, size_t len, int64_t now)
{
    const rules_t *rules = a->rules;
    const char *text;

    if (rules->records) {
        a->done_line = memmem(line, len, last_record, sizeof(last_record) - 1)
                       != NULL;
    }
    else if (len < 6 || memcmp(line, "data: ", 6) != 0) {
        return 1;
    }
    else if (len == 12 && memcmp(line + 6, "[DONE]", 6) == 0) {
        a->done_line = 1;
        return 1;
    }
    else if (a->done_line) {
        return 0;
    }
    if (!memmem(line, len, rules->frame, strlen(rules->frame))) {
        return 1;
    }
    text = memmem(line, len, rules->key, strlen(rules->key));
    if (!text) {
        return 0;
    }
    if (a->frames++ == 0 && rules->first_cb) {
        rules->first_cb(a, now, a->baton);
    }
    return !rules->paced
           || read_words(a, text + strlen(rules->key), line + len, now);
}

/* Body bytes: lines of a stream, or a document kept to be looked into. */
static int read_body(answer_t *a, const char *p, size_t len, int64_t now)
{
    const char *eol;
    size_t n;
    int ok, mark = a->rules->records ? 0x1e : '\n';

    a->bytes += len;
    if (!a->rules->sse) {
        if (a->rules->expect) {
            buf_put(&a->line, p, len);
        }
        return a->line.len < MAX_LINE;
    }
    while (len && (eol = memchr(p, mark, len)) != NULL) {
        n = (size_t)(eol - p);
        if (a->line.len) {
            buf_put(&a->line, p, n + 1);
            ok = read_line(a, a->line.data, a->line.len - 1, now);
            a->line.len = 0;
        }
        else {
            ok = read_line(a, p, n, now);
        }
        if (!ok) {
            return 0;
        }
        len -= n + 1;
        p = eol + 1;
    }
    buf_put(&a->line, p, len);
    return a->line.len < MAX_LINE;
}

/* Finds out how the body is framed; 0 when the head makes no sense. */
static int read_head(answer_t *a)
{
    char *length, *head;

    buf_put(&a->head, "", 1);
    head = a->head.data;
    a->close_after = strcasestr(head, "\r\nConnection: close") != NULL;
    length = strcasestr(head, "\r\nContent-Length:");
    if (strcasestr(head, "\r\nTransfer-Encoding: chunked")) {
        a->state = ANSWER_CHUNK_SIZE;
    }
    else if (length) {
        a->left = strtoull(length + 17, NULL, 10);
        a->state = a->left ? ANSWER_LENGTH : ANSWER_DONE;
    }
    else {
        return 0;
    }
    return 1;
}

/* Takes bytes up to and with the mark into the head buffer; how many, or 0 and
 * all taken when the mark has not come. */
static size_t take_until(answer_t *a, const char *p, size_t len,
                         const char *mark)
{
    size_t m = strlen(mark), from = a->head.len > m ? a->head.len - m : 0;
    size_t before = a->head.len, use;
    const char *at;

    buf_put(&a->head, p, len);
    at = memmem(a->head.data + from, a->head.len - from, mark, m);
    if (!at) {
        return 0;
    }
    use = (size_t)(at - a->head.data) + m;
    a->head.len = use;
    return use - before;
}

/* The head, taken bytes before n: its status and what framing follows. */
static int head_is_over(answer_t *a, const char *rest, size_t len, why_t *why)
{
    if (a->head.len < 12 || memcmp(a->head.data, "HTTP/1.1 200", 12) != 0) {
        buf_put(&a->head, rest, len);
        *why = WHY_STATUS;
        return -1;
    }
    if (!read_head(a)) {
        return -1;
    }
    a->head.len = 0;
    return 0;
}

/* A line of the chunked framing has come: a size, a trailer, or what ends the
 * last chunk's data. */
static int line_is_over(answer_t *a)
{
    int empty = a->head.len == 2;

    buf_put(&a->head, "", 1);
    a->head.len = 0;
    if (a->state == ANSWER_TRAILER) {
        a->state = empty ? ANSWER_DONE : ANSWER_TRAILER;
    }
    else if (a->state == ANSWER_CHUNK_END) {
        a->state = ANSWER_CHUNK_SIZE;
        return empty ? 0 : -1;
    }
    else {
        a->left = strtoull(a->head.data, NULL, 16);
        a->state = a->left ? ANSWER_CHUNK_DATA : ANSWER_TRAILER;
        return empty ? -1 : 0;
    }
    return 0;
}

int answer_feed(answer_t *a, const char *p, size_t len, int64_t now,
                why_t *why)
{
    int in_head;
    size_t n;

    a->started = 1;
    *why = WHY_HTTP;
    while (len && a->state != ANSWER_DONE) {
        if (a->state == ANSWER_LENGTH || a->state == ANSWER_CHUNK_DATA) {
            n = len < a->left ? len : (size_t)a->left;
            if (!read_body(a, p, n, now)) {
                *why = WHY_ORDER;
                return -1;
            }
            a->left -= n;
            if (!a->left) {
                a->state = a->state == ANSWER_LENGTH ? ANSWER_DONE
                                                     : ANSWER_CHUNK_END;
            }
        }
        else {
            in_head = a->state == ANSWER_HEAD;
            n = take_until(a, p, len, in_head ? "\r\n\r\n" : "\r\n");
            if (!n) {
                return a->head.len < MAX_HEAD ? 0 : -1;
            }
            if ((in_head ? head_is_over(a, p + n, len - n, why)
                         : line_is_over(a)) < 0) {
                return -1;
            }
        }
        p += n;
        len -= n;
    }
    return len ? -1 : 0;
}

int answer_is_right(const answer_t *a, why_t *why)
{
    const rules_t *rules = a->rules;
    const char *expect = a->second ? rules->expect_second : rules->expect;

    *why = WHY_FRAMES;
    if (rules->sse) {
        return a->done_line && a->line.len == 0
               && (!rules->words || a->frames == rules->words)
               && (!rules->paced || a->next == rules->words);
    }
    *why = WHY_CONTENT;
    return !expect || memmem(a->line.data, a->line.len, expect,
                             strlen(expect));
}

void answer_reset(answer_t *a)
{
    a->state = ANSWER_HEAD;
    a->started = a->close_after = a->done_line = 0;
    a->head.len = a->line.len = 0;
    a->left = a->bytes = 0;
    a->frames = a->next = 0;
}

void answer_free(answer_t *a)
{
    buf_free(&a->head);
    buf_free(&a->line);
}
