#ifndef MASTRA_MODEL_INTERNAL_H
#define MASTRA_MODEL_INTERNAL_H

#include "model.h"
#include "../base/text.h"

/*
 * What the kinds of model providers share: the table of failures, the wire
 * form of requests, the parser of answers and the outlet with its pause.
 */

/* Rows of the table in errors.c (docs/errors.md). */
typedef enum {
    MASTRA_FAIL_NONE, MASTRA_FAIL_NO_KEY, MASTRA_FAIL_KEY_REFUSED,
    MASTRA_FAIL_QUOTA, MASTRA_FAIL_NOT_FOUND, MASTRA_FAIL_REQUEST,
    MASTRA_FAIL_UNSUPPORTED, MASTRA_FAIL_PROMPT_SIZE, MASTRA_FAIL_RATE_LIMIT,
    MASTRA_FAIL_UPSTREAM, MASTRA_FAIL_UNREACHABLE, MASTRA_FAIL_TIMEOUT,
    MASTRA_FAIL_CUT, MASTRA_FAIL_ANSWER, MASTRA_FAIL_ANSWER_SIZE,
    MASTRA_FAIL_ADDRESS, MASTRA_FAIL_INTERNAL
} mastra_model_fail_e;

#define MASTRA_MODEL_CAUSE_MAX 2048
#define MASTRA_MODEL_RETRY_MAX 30        /* seconds that a call itself waits */
#define MASTRA_MODEL_RETRY_AFTER 5       /* told when the upstream is mute */

/* The kind of failure that an upstream HTTP status stands for; error: the
 * "error" member of its body, whose code is more exact, or NULL. */
mastra_model_fail_e mastra_model_fail_of(int status,
                                         const mastra_json_t *error);
const char *mastra_model_fail_code(mastra_model_fail_e fail);
/* 1 when a call that delivered nothing may be sent again. */
int mastra_model_fail_again(mastra_model_fail_e fail);
/* The result for the client in pool. cause goes to the log: secrets of the
 * provider masked, at most MASTRA_MODEL_CAUSE_MAX bytes; may be NULL. For
 * MASTRA_FAIL_UNSUPPORTED it is ours, and goes to the client. */
mastra_result_t *mastra_model_fail_result(
    const mastra_model_provider_t *provider, mastra_model_fail_e fail,
    int retry_after, const char *cause, apr_pool_t *pool);

/* The body of a chat completions request, appended to buf. On failure *pwhy
 * says what cannot be sent (static text, may stay NULL). */
mastra_model_fail_e mastra_openai_body(const char **pwhy, mastra_buf_t *buf,
                                       const mastra_model_provider_t *provider,
                                       const mastra_model_request_t *request);
/* The prepare of the kind openai. */
const char *mastra_openai_prepare(mastra_model_provider_t *provider,
                                  apr_pool_t *pool);
/* The provider's header lines and those of modelSettings.headers that a caller
 * may add. */
const char *const *mastra_openai_lines(
    const mastra_model_provider_t *provider, const mastra_json_t *headers,
    apr_pool_t *pool);
/* An answer's headers, sorted, several of one name joined; no cookies. */
mastra_json_t *mastra_openai_headers(const apr_table_t *headers);
/* How long the upstream asks to wait; -1: it does not say. */
apr_interval_time_t mastra_openai_retry_after(const apr_table_t *headers,
                                              apr_time_t now);
/* {inputTokens, …, raw} from OpenAI's usage object (NULL: none came). */
mastra_json_t *mastra_openai_usage(mastra_json_t *usage);

/* Hands events to the caller of a call, or keeps copies of them while it has
 * paused. What is kept is bounded by what one piece of input gives rise to:
 * whoever produces events stops at is_held. */
typedef struct mastra_outlet_event_t mastra_outlet_event_t;
typedef struct {
    const mastra_model_cbs_t *cbs;
    void *baton;
    mastra_outlet_event_t *first, *last;
    int paused;
    int inside;              /* in on_event now */
    int resumed;             /* resume was called from inside */
    int delivered;           /* 1: more than REQUEST was emitted */
} mastra_outlet_t;

void mastra_outlet_emit(mastra_outlet_t *outlet,
                        const mastra_model_event_t *event);
/* 1: nothing more may be produced before resume. */
int mastra_outlet_is_held(const mastra_outlet_t *outlet);
/* The caller wants more: 1 when mastra_outlet_drain shall be called in a turn
 * of its own. */
int mastra_outlet_resume(mastra_outlet_t *outlet);
void mastra_outlet_drain(mastra_outlet_t *outlet);
void mastra_outlet_clear(mastra_outlet_t *outlet);

/* An answer being read: bytes in, events out. */
typedef struct mastra_answer_t mastra_answer_t;

mastra_answer_t *mastra_answer_make(const char *model_id, int stream,
                                    int include_raw, mastra_outlet_t *outlet);
void mastra_answer_free(mastra_answer_t *answer);
/* Before the first byte: headers as JSON (taken over) and whether the body is
 * an event stream. */
void mastra_answer_begin(mastra_answer_t *answer, mastra_json_t *headers,
                         int event_stream);
/* Anything but MASTRA_FAIL_NONE ends the answer. */
mastra_model_fail_e mastra_answer_feed(mastra_answer_t *answer,
                                       const char *data, apr_size_t len);
/* 1 when the upstream said that no more comes. */
int mastra_answer_is_over(const mastra_answer_t *answer);
/* After the last byte: emits what was held back and FINISH, or says why the
 * answer cannot stand. cut: the connection was lost, which does not matter to
 * a stream that had all its parts. */
mastra_model_fail_e mastra_answer_end(mastra_answer_t *answer, int cut);
/* What went wrong, for the log; never NULL. */
const char *mastra_answer_cause(const mastra_answer_t *answer);

/* Tool calls that are put together from pieces. */
typedef struct mastra_calls_t mastra_calls_t;
mastra_calls_t *mastra_calls_make(mastra_outlet_t *outlet, int stream);
void mastra_calls_free(mastra_calls_t *calls);
/* deltas: the tool_calls array of one chunk or message. */
mastra_model_fail_e mastra_calls_add(mastra_calls_t *calls,
                                     const mastra_json_t *deltas);
/* Emits TOOL_END and TOOL_CALL of each, in order of their index. */
mastra_model_fail_e mastra_calls_end(mastra_calls_t *calls);
apr_size_t mastra_calls_count(const mastra_calls_t *calls);

/* What the mock says to a prompt; see mock_plan.c. */
typedef struct {
    const char *name;
    const char *args;        /* JSON text */
} mastra_mock_call_t;

typedef struct {
    int fail;                /* HTTP status of the failure, 0: none */
    int slow;
    const char *reasoning;   /* or NULL */
    const char *text;        /* or NULL; before the calls, if there are some */
    mastra_mock_call_t calls[2];
    int ncalls;
} mastra_mock_plan_t;

mastra_mock_plan_t *mastra_mock_plan(const mastra_model_request_t *request,
                                     apr_pool_t *pool);

#endif
