#ifndef MASTRA_MODEL_MODEL_H
#define MASTRA_MODEL_MODEL_H

#include <apr_hash.h>

#include "../base/json.h"
#include "../base/result.h"
#include "../net/client.h"
#include "../net/foreign.h"
#include "../net/loop.h"

/*
 * Language models. A provider (one line of configuration) has a kind; the
 * kind is a vtable that turns a neutral request into the upstream's wire form
 * and its answer into events. Calls live on the loop thread.
 *
 * Neutral prompt: array of
 *   {role:"system", content:"…"}
 *   {role:"user", content:[{type:"text",text} | {type:"image",image(url, data
 *       url or base64),mediaType?} | {type:"file",data,mediaType,filename?}]}
 *   {role:"assistant", content:[{type:"text",text} | {type:"reasoning",text} |
 *       {type:"tool-call",toolCallId,toolName,input}]}, each with the metadata
 *       of its event as providerOptions
 *   {role:"tool", content:[{type:"tool-result",toolCallId,toolName,
 *       output:{type:"text"|"json"|"error-text"|"error-json",value}}]}
 */
typedef struct mastra_models_t mastra_models_t;       /* of one host */
typedef struct mastra_model_provider_t mastra_model_provider_t;
typedef struct mastra_model_call_t mastra_model_call_t;

/* What MastraModelProvider says; read-only after configuration. */
struct mastra_model_provider_t {
    const char *id;              /* "openai" in "openai/gpt-4o-mini" */
    const struct mastra_model_kind_t *kind;
    const char *base_url;        /* no slash at the end */
    const char *key_env;         /* names of variables with the key, in order,
                                    parted by spaces */
    const char *key;             /* its value, NULL: none */
    int needs_key;               /* without one nothing is sent */
    int configured;              /* not one that is there unasked */
    const char *const *headers;  /* further "Name: value", or NULL */
    apr_interval_time_t timeout; /* silence; 0: default */
    int retries;                 /* -1: default (2) */
    const mastra_guard_t *guard; /* NULL: the URL is the administrator's */
    const char *url;             /* made by the kind: where calls go, */
    const char *const *lines;    /* and all their header lines */
    const struct mastra_model_native_t *native; /* kind provider:NAME */
};

/* A message, not of results, that many prompts have: a kind may leave its text
 * (mastra_json_raw_text) here, which it uses in its next call. Loop. */
typedef struct {
    const mastra_json_t *message;
    mastra_json_t **chat;        /* as chat completions have it, or NULL */
} mastra_model_kept_t;

/* All of it is read by mastra_model_start and not touched after it. */
typedef struct {
    const char *model_id;        /* what follows the first slash */
    int stream;                  /* 1: deltas as they come */
    mastra_json_t *prompt;       /* see above */
    mastra_json_t *tools;        /* [{name, description, inputSchema}], NULL */
    mastra_json_t *tool_choice;  /* "auto"|"none"|"required"|{type,toolName} */
    mastra_json_t *settings;     /* modelSettings: temperature, topP, topK,
                                    maxOutputTokens, stopSequences, seed,
                                    presencePenalty, frequencyPenalty,
                                    maxRetries, headers, … or NULL */
    mastra_json_t *response_schema; /* JSON Schema for structured output */
    mastra_json_t *provider_options; /* {provider: {…}} or NULL */
    int include_raw;             /* 1: RAW events too */
    int retries_set;             /* 1: retries counts, not maxRetries */
    int retries;
    const mastra_model_kept_t *kept; /* of messages of the prompt, in order */
    int nkept;
} mastra_model_request_t;

typedef enum {
    MASTRA_MODEL_REQUEST,        /* text: the upstream request's body, once
                                    per attempt that is sent */
    MASTRA_MODEL_RESPONSE,       /* json: {id?, timestamp(ISO), modelId,
                                    headers}; may come again with more */
    MASTRA_MODEL_REASONING,      /* text: a delta, may be empty; id: of its
                                    block, or NULL; metadata */
    MASTRA_MODEL_TEXT,           /* text: a delta; metadata */
    MASTRA_MODEL_TOOL_START,     /* id, name */
    MASTRA_MODEL_TOOL_DELTA,     /* id, text: piece of the arguments */
    MASTRA_MODEL_TOOL_END,       /* id */
    MASTRA_MODEL_TOOL_CALL,      /* id, name, json: arguments (object), or
                                    json NULL and text: what did not parse;
                                    metadata */
    MASTRA_MODEL_RAW,            /* json: a provider chunk as it came; only
                                    when include_raw asks for it */
    MASTRA_MODEL_FINISH,         /* reason, raw_reason, json: usage, body,
                                    metadata */
    MASTRA_MODEL_PART_END,       /* the text or reasoning that is open ends,
                                    the next is another; metadata. Upstreams
                                    without blocks do not send it */
    MASTRA_MODEL_FILE            /* name: media type, text: base64 */
} mastra_model_event_e;

/* Valid in the callback only; json values are lent. */
typedef struct {
    mastra_model_event_e type;
    const char *text;
    apr_size_t len;
    const char *id;
    const char *name;
    const char *reason;          /* stop length content-filter tool-calls
                                    error other unknown */
    const char *raw_reason;
    mastra_json_t *json;         /* FINISH: usage {inputTokens, outputTokens,
                                    totalTokens, reasoningTokens,
                                    cachedInputTokens, cacheCreationInputTokens?,
                                    raw:{…}} as the contract shows */
    mastra_json_t *body;         /* FINISH of a call without stream: the
                                    upstream's answer; else NULL */
    mastra_json_t *metadata;     /* {"anthropic": {"signature": …}}: what the
                                    provider wants back with the part; NULL:
                                    nothing */
} mastra_model_event_t;

typedef struct {
    /* Return 0 to pause: the event WAS taken, no other and no on_done comes
     * before mastra_model_resume. */
    int (*on_event)(void *baton, const mastra_model_event_t *event);
    /* Once, last: NULL after FINISH, else why it failed (valid in the
     * callback). The call is gone when it returns. */
    void (*on_done)(void *baton, const mastra_result_t *error);
} mastra_model_cbs_t;

/* A kind of provider. Implementations keep per-call state behind the call. */
typedef struct mastra_model_kind_t {
    const char *name;            /* "openai", "mock", … */
    const char *default_url;
    const char *default_url_env;  /* variable that names another one */
    const char *default_key_env;  /* names in order, parted by spaces */
    apr_status_t (*start)(mastra_model_call_t **pcall, mastra_loop_t *loop,
                          const mastra_model_provider_t *provider,
                          const mastra_model_request_t *request,
                          const mastra_model_cbs_t *cbs, void *baton);
    void (*cancel)(mastra_model_call_t *call);
    void (*resume)(mastra_model_call_t *call);
    /* Fills url and lines once base_url, key and headers are known. NULL or
     * what is wrong. */
    const char *(*prepare)(mastra_model_provider_t *provider,
                           apr_pool_t *pool);
    /* How the server is spoken to; of kinds that share call.c. */
    const struct mastra_wire_t *(*wire)(
        const mastra_model_provider_t *provider,
        const mastra_model_request_t *request);
} mastra_model_kind_t;

/* ---- kind provider:NAME: code that other modules bring ---- */

/* A call as that code sees it. */
typedef struct {
    mastra_foreign_t *foreign;   /* whether it is cancelled */
    apr_pool_t *pool;
    const char *provider_id;
    const char *model_id;
    int stream;
    const char *request;         /* the neutral request as JSON */
    apr_size_t request_len;
} mastra_model_feed_t;

typedef struct mastra_model_native_t {
    /* Job thread. Anything but APR_SUCCESS: failed, the feed is gone. */
    apr_status_t (*start)(void *baton, mastra_model_feed_t *feed);
    void *baton;
    mastra_jobs_t *const *pjobs; /* the child's, once it has them */
} mastra_model_native_t;

/* What the model says, from any thread but the loop, one at a time. Waits
 * while too much is on its way. event: TEXT, REASONING or TOOL_CALL with text
 * and json; copied, json is taken over. APR_ECONNABORTED: nobody listens. */
apr_status_t mastra_model_feed(mastra_model_feed_t *feed,
                               const mastra_model_event_t *event);
/* The end; the feed is gone. usage: taken over, may be NULL. */
void mastra_model_feed_finish(mastra_model_feed_t *feed, const char *reason,
                              mastra_json_t *usage);
/* status: as an upstream's; cause goes to the log. */
void mastra_model_feed_fail(mastra_model_feed_t *feed, int status,
                            const char *cause);

/* Finds the code that is called name for the provider id. NULL or what is
 * wrong. */
typedef const char *(mastra_model_native_cb)(mastra_model_native_t *native,
                                             void *baton, const char *name,
                                             const char *id, apr_pool_t *pool);

extern const mastra_model_kind_t mastra_model_openai;
extern const mastra_model_kind_t mastra_model_responses;
extern const mastra_model_kind_t mastra_model_anthropic;
extern const mastra_model_kind_t mastra_model_google;
extern const mastra_model_kind_t mastra_model_mock;
extern const mastra_model_kind_t mastra_model_native;

/* Every call begins with the kind that made it. */
struct mastra_model_call_t {
    const mastra_model_kind_t *kind;
};

/* Providers that are known by name (known.c); the row without id ends it. */
typedef struct {
    const char *id;
    const char *same_as;         /* another name of that one; not listed */
    const char *name;
    const char *kind;
    const char *url;             /* NULL: the kind's */
    const char *key_env;         /* names in order, parted by spaces */
    const char *doc_url;
    const char *const *models;   /* some that are worth a try; NULL: none */
    int keyless;                 /* works without a key */
} mastra_model_known_t;

extern const mastra_model_known_t mastra_model_known[];
/* By id or another name; NULL: not known. */
const mastra_model_known_t *mastra_model_known_find(const char *id);

mastra_models_t *mastra_models_make(apr_pool_t *pool);
/* Whom to ask for the code of kind provider:NAME; without it there is none. */
void mastra_models_set_native(mastra_models_t *models,
                              mastra_model_native_cb *find, void *baton);
/* NULL or what is wrong. kind by name; url NULL: that of the known provider of
 * this id and kind, else the kind's, which the environment may set. key_env
 * NULL: the one that belongs to such a URL: the key does not go to other
 * servers unless that is asked for. */
const char *mastra_models_add(mastra_models_t *models, const char *id,
                              const char *kind, const char *url,
                              const char *key_env,
                              const char *const *headers,
                              apr_interval_time_t timeout, int retries);
/* Adds those that exist by default and were not configured: mock, and all that
 * are known by name. */
void mastra_models_add_defaults(mastra_models_t *models,
                                apr_interval_time_t timeout);
/* In the order in which they were added. */
int mastra_models_count(const mastra_models_t *models);
const mastra_model_provider_t *mastra_models_at(const mastra_models_t *models,
                                                int i);
/* "provider/model" to its parts; NULL when the provider is not known. */
const mastra_model_provider_t *
mastra_models_find(const mastra_models_t *models, const char *spec,
                   const char **pmodel_id);

/* Starts a call: loop thread. Callbacks come later, not from inside. */
apr_status_t mastra_model_start(mastra_model_call_t **pcall,
                                mastra_loop_t *loop,
                                const mastra_model_provider_t *provider,
                                const mastra_model_request_t *request,
                                const mastra_model_cbs_t *cbs, void *baton);
/* No callback comes after it. Not from inside on_event: pause there. */
void mastra_model_cancel(mastra_model_call_t *call);
void mastra_model_resume(mastra_model_call_t *call);

/* Clients repeat what failed with a 5xx. Once tools have run for a request,
 * repeating it would run them again: this makes a 5xx of error a 424. */
void mastra_model_error_no_repeat(mastra_result_t *error);

#endif
