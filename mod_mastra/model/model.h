#ifndef MASTRA_MODEL_MODEL_H
#define MASTRA_MODEL_MODEL_H

#include <apr_hash.h>

#include "../base/json.h"
#include "../base/result.h"
#include "../net/client.h"
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
 *   {role:"assistant", content:[{type:"text",text} | {type:"reasoning",text,
 *       providerOptions?} | {type:"tool-call",toolCallId,toolName,input}]}
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
    const char *key_env;         /* name of the variable with the key */
    const char *key;             /* its value, NULL: none */
    const char *const *headers;  /* further "Name: value", or NULL */
    apr_interval_time_t timeout; /* silence; 0: default */
    int retries;                 /* -1: default (2) */
    const mastra_guard_t *guard; /* NULL: the URL is the administrator's */
    const char *url;             /* made by the kind: where calls go, */
    const char *const *lines;    /* and all their header lines */
};

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
} mastra_model_request_t;

typedef enum {
    MASTRA_MODEL_REQUEST,        /* text: the upstream request's body, once
                                    per attempt that is sent */
    MASTRA_MODEL_RESPONSE,       /* json: {id?, timestamp(ISO), modelId,
                                    headers}; may come again with more */
    MASTRA_MODEL_REASONING,      /* text: a delta */
    MASTRA_MODEL_TEXT,           /* text: a delta */
    MASTRA_MODEL_TOOL_START,     /* id, name */
    MASTRA_MODEL_TOOL_DELTA,     /* id, text: piece of the arguments */
    MASTRA_MODEL_TOOL_END,       /* id */
    MASTRA_MODEL_TOOL_CALL,      /* id, name, json: arguments (object), or
                                    json NULL and text: what did not parse */
    MASTRA_MODEL_RAW,            /* json: a provider chunk as it came; only
                                    when include_raw asks for it */
    MASTRA_MODEL_FINISH          /* reason, raw_reason, json: usage, body */
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
                                    cachedInputTokens, raw:{…}} as the contract
                                    shows */
    mastra_json_t *body;         /* FINISH of a call without stream: the
                                    upstream's answer; else NULL */
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
    const char *default_key_env;
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
} mastra_model_kind_t;

extern const mastra_model_kind_t mastra_model_openai;
extern const mastra_model_kind_t mastra_model_mock;

/* Every call begins with the kind that made it. */
struct mastra_model_call_t {
    const mastra_model_kind_t *kind;
};

mastra_models_t *mastra_models_make(apr_pool_t *pool);
/* NULL or what is wrong. kind by name; url NULL: the kind's, which the
 * environment may set. key_env NULL: the kind's, but only with such a URL: the
 * key does not go to other servers unless that is asked for. */
const char *mastra_models_add(mastra_models_t *models, const char *id,
                              const char *kind, const char *url,
                              const char *key_env,
                              const char *const *headers,
                              apr_interval_time_t timeout, int retries);
/* Adds those that exist by default and were not configured: openai and mock. */
void mastra_models_add_defaults(mastra_models_t *models);
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
