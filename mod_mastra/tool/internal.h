#ifndef MASTRA_TOOL_INTERNAL_H
#define MASTRA_TOOL_INTERNAL_H

#include "tool.h"
#include "../base/text.h"

/*
 * Inside tool/: an HTTP exchange whose JSON answer is the tool's result, for
 * the kinds uri and http. Loop thread.
 */
typedef struct mastra_tool_http_t {
    mastra_transfer_t *transfer;
    mastra_buf_t answer;
    int status;
    int is_json;
    struct reading_t *reading;       /* a long answer is being parsed */
    void (*over)(mastra_tool_call_t *call);  /* before the end is reported */
    /* The answer broke off, or nobody listened. 1: it is sent again, nothing
     * is reported now. */
    int (*cut)(mastra_tool_call_t *call);
} mastra_tool_http_t;

/* Sends request (its baton and callbacks are set here) and ends the call with
 * the outcome. http lives in call->pool. */
apr_status_t mastra_tool_http_send(mastra_tool_call_t *call,
                                   mastra_tool_http_t *http,
                                   mastra_request_t *request);
void mastra_tool_http_cancel(mastra_tool_call_t *call,
                             mastra_tool_http_t *http);

/* Appends text percent-encoded, as a part of a URL. */
void mastra_tool_escape(mastra_buf_t *buf, const char *text);

/* Adds to headers ("Name: value" entries): who calls, and Idempotency-Key. */
void mastra_tool_http_headers(const mastra_tool_call_t *call,
                              apr_array_header_t *headers);

#endif
