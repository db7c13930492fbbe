#ifndef MASTRA_HTTP_DEADLINE_H
#define MASTRA_HTTP_DEADLINE_H

#include "internal.h"

/*
 * MastraTimeout for what runs on the worker that has the request: scripts,
 * proxies, code of other modules. Nothing can stop those, but the client need
 * not wait for them: where the worker alone writes to its connection (HTTP/1.1
 * without TLS) the loop answers 504 in time and closes it for writing. Elsewhere
 * the answer is a 504 when it begins too late. What has begun is a stream and
 * is not bounded.
 */

typedef struct mastra_deadline_t mastra_deadline_t;

typedef enum {
    MASTRA_LATE_NOT,             /* the answer may be sent */
    MASTRA_LATE_UNTOLD,          /* it is for the caller to answer 504 */
    MASTRA_LATE_TOLD             /* the client has its 504; nothing more can be
                                    sent to it */
} mastra_late_e;

/* Worker: from now on the host's time runs, or what is left of it since the
 * first call for this request. */
void mastra_deadline_set(mastra_full_req_t *full);
/* Worker: somebody is about to answer. What was said before is said again. */
mastra_late_e mastra_deadline_end(mastra_full_req_t *full);

extern const mastra_result_t mastra_deadline_late;

#endif
