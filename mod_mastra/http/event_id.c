/* Ids of events: who asks for them, and where a client has come to. */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "event_id.h"

/* Of any route's query, also where it is not in the schema. An id has nothing
 * in it that would be encoded. */
static const char *in_query(const mastra_req_t *req)
{
    static const char name[] = "lastEventId=";
    const char *at = req->r->args;

    while (at && strncmp(at, name, sizeof(name) - 1)) {
        at = strchr(at, '&');
        at += at != NULL;
    }
    if (!at) {
        return NULL;
    }
    at += sizeof(name) - 1;
    return apr_pstrmemdup(req->pool, at, strcspn(at, "&"));
}

static const char *last_id(const mastra_req_t *req)
{
    const char *id = apr_table_get(req->r->headers_in, "Last-Event-ID");

    return id ? id : in_query(req);
}

int mastra_event_id_asked(const mastra_req_t *req)
{
    return last_id(req) != NULL;
}

/* Digits alone; the rest of the text. NULL: none, or too many. */
static const char *number(apr_int64_t *pvalue, const char *text,
                          apr_int64_t max)
{
    const char *at;

    *pvalue = 0;
    for (at = text; *at >= '0' && *at <= '9'; at++) {
        if (*pvalue > (max - (*at - '0')) / 10) {
            return NULL;
        }
        *pvalue = *pvalue * 10 + (*at - '0');
    }
    return at > text ? at : NULL;
}

mastra_result_t *mastra_event_id_of(mastra_event_at_t *at,
                                    const mastra_req_t *req)
{
    const char *id = last_id(req), *rest;
    apr_int64_t part = 0;

    at->part = 0;
    at->seq = 0;
    if (!id || !*id || !strcmp(id, "0")) {
        return NULL;
    }
    rest = number(&part, id, INT_MAX);
    rest = rest && *rest == '-' ? number(&at->seq, rest + 1, APR_INT64_MAX)
                                : NULL;
    if (!rest || *rest) {
        at->seq = 0;
        return mastra_result_make(req->pool, 400, "EVENT_ID_INVALID",
                                  "Last-Event-ID is not the id of an event");
    }
    at->part = (int)part;
    return NULL;
}

apr_size_t mastra_event_id_put(mastra_buf_t *buf, mastra_event_at_t at,
                               int event)
{
    if (event) {
        mastra_buf_printf(buf, "id: %d-%" APR_INT64_T_FMT "\n", at.part,
                          at.seq);
        return 0;
    }
    mastra_buf_printf(buf, "{\"eventId\":\"%d-%" APR_INT64_T_FMT "\"",
                      at.part, at.seq);
    return buf->len;
}
