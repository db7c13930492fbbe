#ifndef MASTRA_HTTP_ANSWER_H
#define MASTRA_HTTP_ANSWER_H

#include "park.h"
#include "../base/json.h"
#include "../net/jobs.h"

/*
 * A JSON answer is printed and written: a short one at once, a long one by a
 * job, whose text becomes the exchange's. Loop thread.
 */
typedef struct mastra_answer_t mastra_answer_t;

typedef enum {
    MASTRA_ANSWER_SENT, MASTRA_ANSWER_TOO_LARGE, MASTRA_ANSWER_LATER
} mastra_answer_e;

/* LATER: *panswer is there, and done comes with one of the other two, unless it
 * is cancelled. json is lent, and not changed any more. jobs may be NULL. */
mastra_answer_e mastra_answer_send(mastra_answer_t **panswer,
                                   mastra_exchange_t *ex, mastra_jobs_t *jobs,
                                   mastra_json_t *json,
                                   void (*done)(void *baton,
                                                mastra_answer_e how),
                                   void *baton);
/* The exchange goes, or answers something else. Takes NULL. */
void mastra_answer_cancel(mastra_answer_t *answer);

#endif
