#ifndef MASTRA_HTTP_EVENT_ID_H
#define MASTRA_HTTP_EVENT_ID_H

#include "router.h"
#include "../base/text.h"
#include "../run/sink.h"

/*
 * Ids of events: PART-SEQUENCE. Only a client that sends the header
 * Last-Event-ID, or lastEventId in the query, gets them; "0", or nothing, says
 * that it has seen none yet. Request threads.
 */

/* 1: the client wants ids. */
int mastra_event_id_asked(const mastra_req_t *req);
/* After which event it wants to go on; {0, 0}: from the beginning. Returns NULL
 * or what is wrong with it. */
mastra_result_t *mastra_event_id_of(mastra_event_at_t *at,
                                    const mastra_req_t *req);

/* The id before a frame: a line of an event, or else the first member of a
 * record. Returns where the brace of that record's chunk comes to stand, which
 * a comma has to replace; 0: nothing has to be done. */
apr_size_t mastra_event_id_put(mastra_buf_t *buf, mastra_event_at_t at,
                               int event);

#endif
