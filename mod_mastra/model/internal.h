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
 * "error" member of its body, which is more exact, or NULL. */
mastra_model_fail_e mastra_model_fail_of(int status,
                                         const mastra_json_t *error);
/* How long the details of an error ask to wait; -1: they do not say. */
apr_interval_time_t mastra_model_fail_wait(const mastra_json_t *error);
const char *mastra_model_fail_code(mastra_model_fail_e fail);
/* 1 when a call that delivered nothing may be sent again. */
int mastra_model_fail_again(mastra_model_fail_e fail);
/* The result for the client in pool. cause goes to the log: secrets of the
 * provider masked, at most MASTRA_MODEL_CAUSE_MAX bytes; may be NULL. For
 * MASTRA_FAIL_UNSUPPORTED it is ours, and goes to the client. */
mastra_result_t *mastra_model_fail_result(
    const mastra_model_provider_t *provider, mastra_model_fail_e fail,
    int retry_after, const char *cause, apr_pool_t *pool);

/* ---- wire forms: what differs between servers that are called by HTTP ---- */

typedef struct mastra_answer_t mastra_answer_t;

typedef struct {
    const char *theirs, *ours;
} mastra_wire_reason_t;

typedef struct mastra_wire_t {
    /* The request's body, appended to buf. On failure *pwhy says what cannot
     * be sent (static text, may stay NULL). */
    mastra_model_fail_e (*body)(const char **pwhy, mastra_buf_t *buf,
                                const mastra_model_provider_t *provider,
                                const mastra_model_request_t *request);
    /* Where a call goes. NULL: provider->url. */
    const char *(*url)(const mastra_model_provider_t *provider,
                       const mastra_model_request_t *request,
                       apr_pool_t *pool);
    /* A header line that only this request needs, or NULL. NULL: never. */
    const char *(*line)(const mastra_model_provider_t *provider,
                        const mastra_model_request_t *request);

    /* The reader, see answer.h. name: of the event, or NULL; one chunk of a
     * stream, or the whole document. */
    void (*take)(mastra_answer_t *answer, const char *name,
                 mastra_json_t *chunk);
    apr_size_t state_size;
    void (*release)(void *state);
    const mastra_wire_reason_t *reasons;   /* ends with NULL; "": none came */
    /* {inputTokens, …, raw} from the provider's usage object (NULL: none) */
    mastra_json_t *(*usage)(mastra_json_t *usage);
    /* What else the provider said, {name: {…}}; new reference, NULL: nothing */
    mastra_json_t *(*metadata)(const mastra_answer_t *answer);
    int inline_files;            /* events may hold whole files */
} mastra_wire_t;

extern const mastra_wire_t mastra_wire_chat;       /* chat completions */
extern const mastra_wire_t mastra_wire_responses;  /* OpenAI's Responses */
extern const mastra_wire_t mastra_wire_anthropic;
/* The same for models that answer by a schema only as the input of a tool. */
extern const mastra_wire_t mastra_wire_anthropic_json;
extern const mastra_wire_t mastra_wire_google;

/* The vtable functions of kinds whose calls are HTTP requests (call.c). */
apr_status_t mastra_call_start(mastra_model_call_t **pcall,
                               mastra_loop_t *loop,
                               const mastra_model_provider_t *provider,
                               const mastra_model_request_t *request,
                               const mastra_model_cbs_t *cbs, void *baton);
void mastra_call_cancel(mastra_model_call_t *call);
void mastra_call_resume(mastra_model_call_t *call);

mastra_model_fail_e mastra_openai_body(const char **pwhy, mastra_buf_t *buf,
                                       const mastra_model_provider_t *provider,
                                       const mastra_model_request_t *request);
mastra_json_t *mastra_openai_usage(mastra_json_t *usage);
/* The same for a usage whose parts are told: of input cached (and, when not
 * negative, written to the cache), of output reasoned. in and out are the
 * totals; a negative reasoned is not known. raw is lent. */
mastra_json_t *mastra_usage_make(apr_int64_t in, apr_int64_t cached,
                                 apr_int64_t written, apr_int64_t out,
                                 apr_int64_t reasoned, mastra_json_t *raw);
/* A count in usage that is no number or negative is 0. */
apr_int64_t mastra_usage_count(const mastra_json_t *usage, const char *key);
mastra_json_t *mastra_usage_none(void);

#define MASTRA_OPTION_NAME 64
/* "my-provider" as "myProvider": options are found under either name. out:
 * MASTRA_OPTION_NAME bytes. */
void mastra_model_camel(char *out, const char *name);
/* provider_options.NAME and what stands under the provider's own id, as one
 * new object; NULL: there are none. */
mastra_json_t *mastra_model_options(const mastra_model_provider_t *provider,
                                    const mastra_model_request_t *request,
                                    const char *name);

#define MASTRA_ANTHROPIC_JSON_TOOL "json"
mastra_model_fail_e mastra_anthropic_body(
    const char **pwhy, mastra_buf_t *buf,
    const mastra_model_provider_t *provider,
    const mastra_model_request_t *request);
/* 1 when the schema of the answer goes as the input of a tool. */
int mastra_anthropic_by_tool(const mastra_model_provider_t *provider,
                             const mastra_model_request_t *request);
/* The beta header that the request needs, or NULL. */
const char *mastra_anthropic_line(const mastra_model_provider_t *provider,
                                  const mastra_model_request_t *request);
mastra_model_fail_e mastra_google_body(const char **pwhy, mastra_buf_t *buf,
                                       const mastra_model_provider_t *provider,
                                       const mastra_model_request_t *request);
const char *mastra_google_url(const mastra_model_provider_t *provider,
                              const mastra_model_request_t *request,
                              apr_pool_t *pool);
mastra_model_fail_e mastra_responses_body(
    const char **pwhy, mastra_buf_t *buf,
    const mastra_model_provider_t *provider,
    const mastra_model_request_t *request);

/* responses_request.c: 1 when a model of OpenAI is one that reasons. */
int mastra_responses_is_wanted(const char *model_id);

/* Fills provider->url (base URL and path) and lines: Content-Type, key_line
 * ("x-api-key: ") with the key, further (or NULL) and the provider's own,
 * which count more. */
void mastra_headers_prepare(mastra_model_provider_t *provider,
                            const char *path, const char *key_line,
                            const char *further, apr_pool_t *pool);
/* A base URL without a path gets this one: that is how it is often given. */
void mastra_headers_version(mastra_model_provider_t *provider,
                            const char *path, apr_pool_t *pool);
/* base_url, path, and the query of base_url. */
const char *mastra_headers_url(const mastra_model_provider_t *provider,
                               const char *path, apr_pool_t *pool);
/* The provider's header lines, line (or NULL), and those of
 * modelSettings.headers that a caller may add. */
const char *const *mastra_headers_lines(
    const mastra_model_provider_t *provider, const char *line,
    const mastra_json_t *headers, apr_pool_t *pool);
/* An answer's headers, sorted, several of one name joined; no cookies. */
mastra_json_t *mastra_headers_json(const apr_table_t *headers);
/* How long the upstream asks to wait; -1: it does not say. */
apr_interval_time_t mastra_headers_retry_after(const apr_table_t *headers,
                                               apr_time_t now);

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
    int delivered;           /* 1: some of what a model said was emitted */
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
mastra_answer_t *mastra_answer_make(const mastra_wire_t *wire,
                                    const char *model_id, int stream,
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
/* A piece of a call: index (-1: none), id and name as far as they were given;
 * args is a piece of JSON text, or the arguments whole as an object, or NULL;
 * metadata (lent, may be NULL) comes with TOOL_CALL. */
mastra_model_fail_e mastra_calls_piece(mastra_calls_t *calls,
                                       apr_int64_t index, const char *id,
                                       const char *name,
                                       const mastra_json_t *args,
                                       mastra_json_t *metadata);
/* Emits TOOL_END and TOOL_CALL of each, in order of their index. */
mastra_model_fail_e mastra_calls_end(mastra_calls_t *calls);
apr_size_t mastra_calls_count(const mastra_calls_t *calls);

/* JSON Schemas as far as servers take them: schema_form.c. New references.
 * Google's are of OpenAPI: references are put in, an object without members is
 * NULL at the root. Anthropic's lose what is only told in words then. */
mastra_json_t *mastra_schema_google(const mastra_json_t *schema);
mastra_json_t *mastra_schema_anthropic(const mastra_json_t *schema);

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

/* To what the leader of a network is asked, with the schema of the answer:
 * JSON in pool; NULL: it is something else. */
const char *mastra_mock_network(const mastra_json_t *schema,
                                const char *instructions,
                                const char *question, apr_pool_t *pool);

mastra_mock_plan_t *mastra_mock_plan(const mastra_model_request_t *request,
                                     apr_pool_t *pool);

#endif
