#ifndef MASTRA_MODEL_ANSWER_H
#define MASTRA_MODEL_ANSWER_H

#include "internal.h"
#include "../net/sse.h"

/*
 * An answer being read, for the readers of the wire forms: answer.c parses and
 * decides how it ends, a reader turns what was parsed into events.
 */
struct mastra_answer_t {
    const mastra_wire_t *wire;
    mastra_outlet_t *outlet;
    char *model_id;
    int stream;              /* what the caller asked for */
    int include_raw;
    int event_stream;        /* what came */
    int responded;           /* RESPONSE was emitted */
    int seen;                /* anything that an answer consists of */
    int over;                /* the upstream said that no more comes */
    mastra_model_fail_e fail;
    mastra_sse_t *sse;
    mastra_buf_t document;
    mastra_json_t *headers;  /* until RESPONSE */
    mastra_json_t *usage;    /* the provider's */
    mastra_calls_t *calls;   /* made with the first */
    void *state;             /* the reader's, wire->state_size zeroed bytes */
    char raw_reason[40];     /* "": none came */
    char cause[320];
};

/* The first failure counts. what is static, text is foreign and may be NULL. */
void mastra_answer_fail(mastra_answer_t *answer, mastra_model_fail_e fail,
                        const char *what, const char *text, apr_size_t len);
/* An error object in place of an answer, or in the middle of one. */
void mastra_answer_fail_by(mastra_answer_t *answer,
                           const mastra_json_t *error);

/* Emits RESPONSE, once; id and model may be NULL, created (seconds) 0. */
void mastra_answer_respond(mastra_answer_t *answer, const char *id,
                           const char *model, apr_int64_t created);
/* Emits a delta of the string json; metadata (lent) and id may be NULL.
 * Nothing is emitted for nothing. */
void mastra_answer_say(const mastra_answer_t *answer, mastra_model_event_e type,
                       const mastra_json_t *json, const char *id,
                       mastra_json_t *metadata);
/* The text or reasoning that is open ends here. metadata is taken over. */
void mastra_answer_end_part(const mastra_answer_t *answer,
                            mastra_json_t *metadata);
/* A piece of a tool call: see mastra_calls_piece. metadata is taken over. */
void mastra_answer_call(mastra_answer_t *answer, apr_int64_t index,
                        const char *id, const char *name,
                        const mastra_json_t *args, mastra_json_t *metadata);
/* Replaces the usage by an object; anything else is none. */
void mastra_answer_usage(mastra_answer_t *answer, mastra_json_t *usage);
void mastra_answer_reason(mastra_answer_t *answer, const char *reason);

#endif
