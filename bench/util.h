/* What the benchmark's upstream and its load client have in common: the
 * clock that both stamp and read, the file limit, and a growing buffer. */

#ifndef MASTRA_BENCH_UTIL_H
#define MASTRA_BENCH_UTIL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* No answer, request or line of these tools comes near this. */
#define BUF_CEILING ((size_t)64 * 1024 * 1024)

typedef struct {
    char *data;
    size_t len;
    size_t cap;
} buf_t;

/* Microseconds of the monotonic clock, which all processes of a machine
 * share: a word stamped by one and read by another gives its travel time. */
static inline int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static inline void die(const char *what)
{
    perror(what);
    exit(2);
}

/* Takes as many descriptors as the hard limit gives. */
static inline void raise_nofile(void)
{
    struct rlimit rl;

    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &rl);
    }
}

static inline void buf_reserve(buf_t *b, size_t more)
{
    size_t want = b->len + more;

    if (want <= b->cap) {
        return;
    }
    if (want > BUF_CEILING) {
        fprintf(stderr, "a buffer grew over %zu bytes\n", BUF_CEILING);
        exit(2);
    }
    b->cap = want < 512 ? 512 : want + want / 2;
    b->data = realloc(b->data, b->cap);
    if (!b->data) {
        die("realloc");
    }
}

static inline void buf_put(buf_t *b, const void *data, size_t len)
{
    if (len) {
        buf_reserve(b, len);
        memcpy(b->data + b->len, data, len);
        b->len += len;
    }
}

static inline void buf_puts(buf_t *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

/* For numbers and short texts: cut at 512 bytes. */
__attribute__((format(printf, 2, 3)))
static inline void buf_printf(buf_t *b, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n > 0) {
        buf_put(b, text, (size_t)n < sizeof(text) ? (size_t)n
                                                  : sizeof(text) - 1);
    }
}

/* Drops what was used up at the front. */
static inline void buf_shift(buf_t *b, size_t n)
{
    b->len -= n;
    memmove(b->data, b->data + n, b->len);
}

static inline void buf_free(buf_t *b)
{
    free(b->data);
    memset(b, 0, sizeof(*b));
}

#endif
