/* What the upstream reads in a chat completion request. */

#ifndef MASTRA_BENCH_CHAT_H
#define MASTRA_BENCH_CHAT_H

#include "util.h"

typedef struct {
    const char *p;
    size_t len;
} slice_t;

/* What of a chat completion request matters here; texts are still escaped. */
typedef struct {
    slice_t model;
    int stream;
    int usage_chunk;
    buf_t user;
} chat_t;

/* Past spaces and line ends, at most to the end. */
const char *skip_space(const char *p, const char *end);

/* Fills in what the request says and leaves the rest as it is; 0 unless the
 * body is a JSON object. */
int chat_read(const char *body, size_t len, chat_t *chat);

#endif
