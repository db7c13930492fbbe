#ifndef MOD_MASTRA_H
#define MOD_MASTRA_H

/*
 * What other httpd modules can do with mod_mastra: offer tools and models,
 * ask agents and tools in C without HTTP, and take part in requests of its
 * API. It does not matter which module is loaded first, nor whether mod_mastra
 * is loaded at all; nothing is linked. docs/extending.md shows how it is used.
 *
 * Version. The major number changes when something here changes or goes, the
 * minor number when something is added. mod_mastra refuses, when it reads the
 * configuration, a struct that was compiled with another major number or with
 * a higher minor number than its own.
 *
 * Structs. Each begins with the version and the size that its writer was
 * compiled with (MASTRA_API_HEAD), and grows at its end only. A member beyond
 * the size of a struct that you are given is not there: compare when you rely
 * on one that is newer than 1.0.
 *
 * JSON is text in UTF-8, always with its length, always with a NUL behind it
 * that is not counted. Times are in microseconds, as everywhere in APR.
 * Strings that you are lent live as long as the call in which you get them,
 * unless it says otherwise; strings that you give are copied.
 *
 * Threads. Each function says where it may be called and each callback where
 * it comes from:
 *   - a worker: a thread of httpd's with a request; may block;
 *   - a job thread: one of a few (MastraJobThreads) that each child keeps for
 *     code such as yours; may block;
 *   - the event loop: the one thread of a child that moves all its streams.
 *     Code on it must return at once: no file, no database, no lock that
 *     another thread holds for long, no waiting.
 */

#include <httpd.h>
#include <apr_optional.h>
#include <apr_optional_hooks.h>
#include <apr_pools.h>
#include <apr_time.h>

#ifdef __cplusplus
#error "mod_mastra.h is for C"
#endif

#define MASTRA_API_MAJOR 1
#define MASTRA_API_MINOR 0
#define MASTRA_API_PATCH 0
#define MASTRA_API_VERSION ((MASTRA_API_MAJOR << 16) | MASTRA_API_MINOR)

/* The first two members of a struct of this type. */
#define MASTRA_API_HEAD(type) MASTRA_API_VERSION, (apr_uint32_t)sizeof(type)

/* The version that the running mod_mastra has, in the form of
 * MASTRA_API_VERSION. Any thread. */
APR_DECLARE_OPTIONAL_FN(apr_uint32_t, mastra_api_version, (void));

/* ======================================================================
 * Offering tools and models
 *
 * Register a struct in your register_hooks:
 *     ap_register_provider(p, MASTRA_PROVIDER_TOOL, "NAME",
 *                          MASTRA_PROVIDER_VERSION, &your_struct);
 * A definition selects it: "execute": {"kind": "provider", "provider": "NAME"}
 * in a tool's file, MastraExecute provider provider=NAME, or for a model
 * MastraModelProvider ID provider:NAME, or for callers MastraAuth
 * provider:NAME.
 */
#define MASTRA_PROVIDER_TOOL "mastra-tool"
#define MASTRA_PROVIDER_MODEL "mastra-model"
#define MASTRA_PROVIDER_AUTH "mastra-auth"
#define MASTRA_PROVIDER_VERSION "1"      /* the major number */

/* --- tools ---------------------------------------------------------------- */

/* One call of a tool. Yours from the call of execute until it returns, on the
 * job thread that it was called on. */
typedef struct mastra_tool_task_t mastra_tool_task_t;
struct mastra_tool_task_t {
    apr_uint32_t version;
    apr_uint32_t size;
    apr_pool_t *pool;            /* of this call */
    const char *tool_id;
    const char *input;           /* JSON; checked against the input schema */
    apr_size_t input_len;
    const char *request_context; /* JSON object, or NULL */
    const char *tool_call_id;    /* of the model, or NULL */
    const char *run_id;          /* these are NULL outside of a run */
    const char *agent_id;
    const char *thread_id;
    const char *resource_id;
    const char *idempotency_key; /* the same when the same call is repeated */
    apr_time_t deadline;         /* nobody waits for the result after it */
    int depth;                   /* how deep calls of agents are nested */

    /* The result, once: JSON, copied. APR_EINVAL: it is not JSON, APR_ENOSPC:
     * it is larger than 16 MiB; the call has failed then. Without a result it
     * is null. */
    apr_status_t (*answer)(mastra_tool_task_t *task, const char *json,
                           apr_size_t len);
    /* The call has failed, and message tells the model and the client why. */
    void (*fail)(mastra_tool_task_t *task, const char *message);
    /* 1: nobody waits for the result any more (the client has left, the time
     * is over, the child ends). Return soon then. */
    int (*cancelled)(mastra_tool_task_t *task);
    /* APR_SUCCESS after that time, APR_ECONNABORTED when the call is
     * cancelled before. */
    apr_status_t (*sleep)(mastra_tool_task_t *task, apr_interval_time_t time);
    /* Has cb called when the call is cancelled, at once if it was: to wake
     * execute from waiting for something else. cb comes from any thread, also
     * from the event loop, at most once and not after execute has returned;
     * it must not use the task. cb NULL: no more. */
    void (*on_cancel)(mastra_tool_task_t *task, void (*cb)(void *baton),
                      void *baton);
};

typedef struct mastra_provider_tool_t {
    apr_uint32_t version;        /* MASTRA_API_HEAD(mastra_provider_tool_t) */
    apr_uint32_t size;
    /* For each definition that selects this provider, when the configuration
     * is read (httpd does so twice before it starts): execute is the member
     * of the definition, as JSON text. Returns NULL, *pinstance being what
     * execute gets; or what is wrong, which stops the start. pool lives as
     * long as the configuration. Optional. */
    const char *(*configure)(void **pinstance, const char *execute,
                             server_rec *s, apr_pool_t *pool);
    /* Job thread, several at once. Anything but APR_SUCCESS is a failure that
     * is told as such unless fail said more. At the deadline (member "timeout"
     * of execute, in milliseconds, 30 s by default) the call has failed for
     * whoever waits; execute may still return whenever it likes, but it keeps
     * a job thread from others until then. */
    apr_status_t (*execute)(void *instance, mastra_tool_task_t *task);
} mastra_provider_tool_t;

/* --- models --------------------------------------------------------------- */

/* One call of a model. Yours from the call of start until finish or fail,
 * which is owed exactly once, from any thread: the task is gone when it
 * returns. Its functions may be called on any thread but the event loop, one
 * at a time.
 *
 * request: {"modelId":"…", "stream":bool, "prompt":[…], "tools":[{name,
 * description, inputSchema}], "toolChoice":…, "settings":{temperature, topP,
 * maxOutputTokens, stopSequences, …}, "responseSchema":{…},
 * "providerOptions":{…}}; members that say nothing are left out. prompt:
 *   {"role":"system", "content":"…"}
 *   {"role":"user", "content":[{"type":"text","text":"…"} |
 *       {"type":"image","image":"URL or base64","mediaType":"…"} |
 *       {"type":"file","data":"…","mediaType":"…","filename":"…"}]}
 *   {"role":"assistant", "content":[{"type":"text",…} |
 *       {"type":"reasoning","text":"…"} |
 *       {"type":"tool-call","toolCallId":"…","toolName":"…","input":{…}}]}
 *   {"role":"tool", "content":[{"type":"tool-result","toolCallId":"…",
 *       "toolName":"…","output":{"type":"text"|"json"|"error-text"|
 *       "error-json","value":…}}]} */
typedef struct mastra_model_task_t mastra_model_task_t;
struct mastra_model_task_t {
    apr_uint32_t version;
    apr_uint32_t size;
    apr_pool_t *pool;            /* of this call, gone with it */
    const char *provider_id;     /* ID of MastraModelProvider */
    const char *model_id;
    int stream;                  /* 1: somebody reads along */
    const char *request;         /* JSON, see above */
    apr_size_t request_len;

    /* What the model says, in its order; copied. They wait while the reader
     * is slow, the model's silence limit at most. APR_ECONNABORTED: nobody
     * listens any more, call fail or finish and be done. APR_EINVAL: arguments
     * of a tool call that are not JSON. APR_ENOSPC: more than 16 MiB at
     * once. */
    apr_status_t (*text)(mastra_model_task_t *task, const char *text,
                         apr_size_t len);
    apr_status_t (*reasoning)(mastra_model_task_t *task, const char *text,
                              apr_size_t len);
    /* id NULL: one is made. arguments: a JSON object. */
    apr_status_t (*tool_call)(mastra_model_task_t *task, const char *id,
                              const char *name, const char *arguments,
                              apr_size_t len);
    /* The end. reason: "stop", "length", "content-filter", "tool-calls",
     * "other". usage: {"inputTokens":n, "outputTokens":n, "totalTokens":n,
     * "reasoningTokens":n, "cachedInputTokens":n} as far as known, or NULL. */
    void (*finish)(mastra_model_task_t *task, const char *reason,
                   const char *usage, apr_size_t usage_len);
    /* The end, by failure. status: the HTTP status that a model server would
     * have sent (401 key refused, 404 no such model, 429, 503 …), which
     * decides what clients are told (docs/errors.md); message is for the
     * log. */
    void (*fail)(mastra_model_task_t *task, int status, const char *message);

    /* As those of a tool's task. on_cancel: not after finish or fail. */
    int (*cancelled)(mastra_model_task_t *task);
    apr_status_t (*sleep)(mastra_model_task_t *task, apr_interval_time_t time);
    void (*on_cancel)(mastra_model_task_t *task, void (*cb)(void *baton),
                      void *baton);
};

typedef struct mastra_provider_model_t {
    apr_uint32_t version;        /* MASTRA_API_HEAD(mastra_provider_model_t) */
    apr_uint32_t size;
    /* As a tool's, for each line of MastraModelProvider; id is its ID. */
    const char *(*configure)(void **pinstance, const char *id, server_rec *s,
                             apr_pool_t *pool);
    /* Job thread: answers, or hands the task to a thread of your own and
     * returns. Anything but APR_SUCCESS: the call has failed and the task is
     * gone, finish or fail must not be called. When nothing comes for the
     * provider's timeout (MastraStreamTimeout), the call has failed for
     * whoever waits; the task is cancelled but yours until you end it. */
    apr_status_t (*start)(void *instance, mastra_model_task_t *task);
} mastra_provider_model_t;

/* --- callers -------------------------------------------------------------- */

/* One question about the caller of a request; yours until you return. */
typedef struct mastra_auth_task_t {
    apr_uint32_t version;
    apr_uint32_t size;
    apr_pool_t *pool;            /* of the request */
    request_rec *r;              /* lent; its body must not be read */
    const char *token;           /* authenticate: what came as Authorization,
                                    apiKey= or the cookie of the line, without
                                    "Bearer "; NULL: none */
    const char *user;            /* authorize: JSON object, their claims */
    const char *permission;      /* authorize: "agents:execute" */
} mastra_auth_task_t;

typedef struct mastra_provider_auth_t {
    apr_uint32_t version;        /* MASTRA_API_HEAD(mastra_provider_auth_t) */
    apr_uint32_t size;
    /* For each line MastraAuth provider:NAME, or with authorize=provider:NAME,
     * when the configuration is read; options: those of the line that
     * mod_mastra does not know, as JSON object of texts. As a tool's
     * otherwise. Optional. */
    const char *(*configure)(void **pinstance, const char *options,
                             server_rec *s, apr_pool_t *pool);
    /* Worker: who is it? OK with *puser, a JSON object of at most 64 KiB in
     * task->pool ("sub" or "id", and what roles and the owner are taken from);
     * DECLINED or HTTP_UNAUTHORIZED: none of mine, the next line is asked; any
     * other status: it cannot be told now, which clients see as 503. Optional
     * when authorize is there. */
    int (*authenticate)(void *instance, const mastra_auth_task_t *task,
                        const char **puser);
    /* Worker: may they? OK or DECLINED; HTTP_FORBIDDEN; any other status as
     * above. Roles are looked at besides. Optional. */
    int (*authorize)(void *instance, const mastra_auth_task_t *task);
} mastra_provider_auth_t;

/* ======================================================================
 * Asking agents and tools
 *
 * Fetch a function once all modules are there, in a hook:
 *     static APR_OPTIONAL_FN_TYPE(mastra_generate) *generate;
 *     static void fetch(void)
 *     {
 *         generate = APR_RETRIEVE_OPTIONAL_FN(mastra_generate);
 *     }
 *     ap_hook_optional_fn_retrieve(fetch, NULL, NULL, APR_HOOK_MIDDLE);
 * NULL: mod_mastra is not loaded, or does not have it yet.
 */

/* Who is asked for what. Fill what you do not need with 0. */
typedef struct mastra_ask_t {
    apr_uint32_t version;        /* MASTRA_API_HEAD(mastra_ask_t) */
    apr_uint32_t size;
    server_rec *server;          /* whose agents and tools: r->server */
    request_rec *r;              /* for whose answer, or NULL: a client that
                                    leaves ends a call that blocks for it */
    const char *id;              /* of the agent or tool */
    /* Of an agent: the body of POST /api/agents/:id/generate, {"messages":…,
     * …}. Of a tool: its input. */
    const char *json;
    apr_size_t len;
    const char *request_context; /* JSON object that no client can change, or
                                    NULL */
    const char *resource_id;     /* whose memory and runs these must be, or
                                    NULL: as json says */
    apr_interval_time_t timeout; /* of all of it; 0: MastraTimeout */
    int depth;                   /* from a tool: task->depth + 1; else 0 */
} mastra_ask_t;

/* How it went. A stream's json is empty when it went well. */
typedef struct mastra_reply_t {
    apr_uint32_t version;
    apr_uint32_t size;
    int status;                  /* what HTTP would have said: 200, 400, … */
    const char *json;            /* the answer, or {"error":"…"} */
    apr_size_t len;
} mastra_reply_t;

/* Blocking calls: workers and job threads. APR_SUCCESS: *preply is set, in
 * pool; look at its status. Otherwise it is not:
 *   APR_EINVAL        ask has an unusable version or member
 *   APR_ENOTIMPL      no engine on that server, or its services did not start
 *   APR_EAGAIN        too many calls wait already; try later
 *   APR_TIMEUP        the time is over: the run was cancelled
 *   APR_ECONNABORTED  it was cancelled: by the client that left, by the chunk
 *                     callback, or because the child ends
 *   EDEADLK           not on the event loop: use the functions below. */
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_generate,
                        (const mastra_reply_t **preply,
                         const mastra_ask_t *ask, apr_pool_t *pool));

/* A chunk of a stream, as POST /api/agents/:id/stream sends it; lent. Returns
 * APR_SUCCESS for more; APR_EAGAIN (asynchronous calls only): the chunk was
 * taken, no more until mastra_call_resume; anything else cancels. */
typedef apr_status_t (mastra_chunk_cb)(void *baton, const char *json,
                                       apr_size_t len);

/* The same with chunks, which are handed to chunk on the calling thread. */
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_stream,
                        (const mastra_reply_t **preply,
                         const mastra_ask_t *ask, mastra_chunk_cb *chunk,
                         void *baton, apr_pool_t *pool));

/* The same for a tool: the reply is its result. */
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_tool_execute,
                        (const mastra_reply_t **preply,
                         const mastra_ask_t *ask, apr_pool_t *pool));

/* Workflows, on threads that may wait for storage: ask->id is the workflow,
 * ask->json the body of its route with the run's id in it: {"runId"?, "inputData"}
 * to start, {"runId", "resumeData", "step"?} to resume one that is suspended. The
 * reply is that of start-async and resume-async, a stream's chunks are those of
 * stream. A run is stored and goes on by itself: when the time is over, or the
 * chunk callback has heard enough, only the waiting ends. */
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_workflow_start,
                        (const mastra_reply_t **preply,
                         const mastra_ask_t *ask, apr_pool_t *pool));
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_workflow_resume,
                        (const mastra_reply_t **preply,
                         const mastra_ask_t *ask, apr_pool_t *pool));
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_workflow_stream,
                        (const mastra_reply_t **preply,
                         const mastra_ask_t *ask, mastra_chunk_cb *chunk,
                         void *baton, apr_pool_t *pool));

/* The agents of a server as GET /api/agents lists them. Any thread, does not
 * wait. */
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_agents_list,
                        (const mastra_reply_t **preply, server_rec *server,
                         apr_pool_t *pool));

/* Memory: what the route of method and path answers, path standing below
 * /api/memory, encoded as in a URL and with its query ("/threads/t-1/messages?
 * perPage=5"). ask->id: the agent, in place of agentId=, or NULL; ask->json:
 * the body, or NULL; ask->resource_id: whose threads these must be, NULL: any.
 * timeout is not used. Waits for the database as other blocking calls wait.
 * APR_EINVAL also: there is no such route. */
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_memory,
                        (const mastra_reply_t **preply,
                         const mastra_ask_t *ask, const char *method,
                         const char *path, apr_pool_t *pool));

/* Asynchronous calls: any thread. They return at once, with the statuses of
 * above; APR_SUCCESS: done will be called, exactly once, also after a cancel
 * and at the child's end. Callbacks come on the event loop, done last; rv is
 * APR_SUCCESS and reply is lent, or rv says why there is none. pcall may be
 * NULL; otherwise the call is yours until mastra_call_release, whether done
 * has come or not. ask->r is not used. */
typedef struct mastra_call_t mastra_call_t;
typedef void (mastra_done_cb)(void *baton, apr_status_t rv,
                              const mastra_reply_t *reply);

APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_generate_async,
                        (mastra_call_t **pcall, const mastra_ask_t *ask,
                         mastra_done_cb *done, void *baton));
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_stream_async,
                        (mastra_call_t **pcall, const mastra_ask_t *ask,
                         mastra_chunk_cb *chunk, mastra_done_cb *done,
                         void *baton));
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_tool_execute_async,
                        (mastra_call_t **pcall, const mastra_ask_t *ask,
                         mastra_done_cb *done, void *baton));
/* Of workflows and memory: storage is asked on a job thread. What there is to
 * say of ask that a blocking call would have returned, rv of done says, also
 * APR_EAGAIN: too many jobs wait. A cancel ends the waiting, not the run. */
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_workflow_start_async,
                        (mastra_call_t **pcall, const mastra_ask_t *ask,
                         mastra_done_cb *done, void *baton));
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_workflow_resume_async,
                        (mastra_call_t **pcall, const mastra_ask_t *ask,
                         mastra_done_cb *done, void *baton));
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_workflow_stream_async,
                        (mastra_call_t **pcall, const mastra_ask_t *ask,
                         mastra_chunk_cb *chunk, mastra_done_cb *done,
                         void *baton));
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_memory_async,
                        (mastra_call_t **pcall, const mastra_ask_t *ask,
                         const char *method, const char *path,
                         mastra_done_cb *done, void *baton));
/* Ends the call: done comes with APR_ECONNABORTED, unless it is over. What the
 * model had said is stored, as when a client leaves. */
APR_DECLARE_OPTIONAL_FN(void, mastra_call_cancel, (mastra_call_t *call));
/* More chunks, please. */
APR_DECLARE_OPTIONAL_FN(void, mastra_call_resume, (mastra_call_t *call));
/* You will not use the call again; it goes on by itself. */
APR_DECLARE_OPTIONAL_FN(void, mastra_call_release, (mastra_call_t *call));

/* ======================================================================
 * Taking part in requests
 *
 * Hooks are called for requests of the API, but not for its few public paths
 * (/health, /api/auth/me …). Register one in your register_hooks:
 *     APR_OPTIONAL_HOOK(mastra, mastra_before, your_before, NULL, NULL,
 *                       APR_HOOK_MIDDLE);
 * All that are registered run, in their order, until one returns something
 * else than OK and DECLINED. That is an HTTP status, which is the answer then
 * ({"error":"…"}), or what mastra_req_answer returned.
 *
 * Order: mastra_authenticate, mastra_authorize, mastra_before, the checks of
 * query and body, the work itself, mastra_after. All are called on a worker,
 * but mastra_after and mastra_on_error may also be called on the event loop.
 */
typedef struct mastra_req_t mastra_req_t;    /* lives as long as the request */

/* Who is it? Sets the user by mastra_req_user_set and returns OK; DECLINED: it
 * is none of mine; HTTP_UNAUTHORIZED. Somebody whom all decline is anonymous:
 * mastra_authorize decides whether that will do. */
typedef int (mastra_HOOK_mastra_authenticate_t)(mastra_req_t *req);
/* May they? HTTP_FORBIDDEN, HTTP_UNAUTHORIZED … or OK or DECLINED: not for me
 * to say. */
typedef int (mastra_HOOK_mastra_authorize_t)(mastra_req_t *req);
/* Before anything is done, body and query not yet checked. */
typedef int (mastra_HOOK_mastra_before_t)(mastra_req_t *req);
/* Status and headers are about to be sent: headers may be set, status is
 * known (mastra_req_status), the body is none of it. What is returned does
 * not matter. */
typedef int (mastra_HOOK_mastra_after_t)(mastra_req_t *req);
/* The request has failed with status, and message is what the client would be
 * told; mastra_req_answer replaces it. What fails in a stream that has begun
 * is not told here. */
typedef int (mastra_HOOK_mastra_on_error_t)(mastra_req_t *req, int status,
                                            const char *message);

/* What hooks may ask and say. Strings live as long as the request. */

/* The request: NULL on the event loop, which must not use it. */
APR_DECLARE_OPTIONAL_FN(request_rec *, mastra_req_rec,
                        (const mastra_req_t *req));
APR_DECLARE_OPTIONAL_FN(const char *, mastra_req_method,
                        (const mastra_req_t *req));
/* Decoded, with the prefix: "/api/agents/weather/generate". */
APR_DECLARE_OPTIONAL_FN(const char *, mastra_req_path,
                        (const mastra_req_t *req));
/* Without the prefix: "/agents/:agentId/generate". */
APR_DECLARE_OPTIONAL_FN(const char *, mastra_req_route,
                        (const mastra_req_t *req));
/* What it takes: "agents:execute". */
APR_DECLARE_OPTIONAL_FN(const char *, mastra_req_permission,
                        (const mastra_req_t *req));
/* Value of a parameter of the route ("agentId"), or NULL. */
APR_DECLARE_OPTIONAL_FN(const char *, mastra_req_param,
                        (const mastra_req_t *req, const char *name));
/* Of the request; headers named X-Mastra-Internal-… are not there. */
APR_DECLARE_OPTIONAL_FN(const char *, mastra_req_header,
                        (const mastra_req_t *req, const char *name));
/* The body as JSON; NULL: there is none, or it is not JSON. Reads it when that
 * was not done yet, which may take as long as the client does: not on the
 * event loop (NULL). plen may be NULL. */
APR_DECLARE_OPTIONAL_FN(const char *, mastra_req_body,
                        (mastra_req_t *req, apr_size_t *plen));
/* The id in the log and in X-Request-Id. */
APR_DECLARE_OPTIONAL_FN(const char *, mastra_req_id,
                        (const mastra_req_t *req));
/* Status of the answer in mastra_after; 0 before. */
APR_DECLARE_OPTIONAL_FN(int, mastra_req_status, (const mastra_req_t *req));

/* A value of the request context as JSON, or NULL: what hooks have set, else
 * what the client sent (which reads the body, see above). */
APR_DECLARE_OPTIONAL_FN(const char *, mastra_req_context_get,
                        (mastra_req_t *req, const char *key));
/* Sets a value (JSON), which wins over the client's and reaches instructions
 * and tools. Up to and in mastra_before. APR_EINVAL: it is not JSON. */
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_req_context_set,
                        (mastra_req_t *req, const char *key,
                         const char *json));
/* The user as JSON, or NULL: anonymous. */
APR_DECLARE_OPTIONAL_FN(const char *, mastra_req_user_get,
                        (const mastra_req_t *req));
/* user: a JSON object, which also becomes "user" of the request context.
 * resource_id: whose threads and runs they may touch, NULL: what the request
 * says. In mastra_authenticate only. APR_EINVAL: user is not an object. */
APR_DECLARE_OPTIONAL_FN(apr_status_t, mastra_req_user_set,
                        (mastra_req_t *req, const char *user,
                         const char *resource_id));
APR_DECLARE_OPTIONAL_FN(const char *, mastra_req_resource_id,
                        (const mastra_req_t *req));

/* A header of the answer; value NULL: it is taken away. */
APR_DECLARE_OPTIONAL_FN(void, mastra_req_header_set,
                        (mastra_req_t *req, const char *name,
                         const char *value));
/* Answers instead: in mastra_authenticate, mastra_authorize, mastra_before and
 * mastra_on_error. Return what it returns. */
APR_DECLARE_OPTIONAL_FN(int, mastra_req_answer,
                        (mastra_req_t *req, int status,
                         const char *content_type, const char *body,
                         apr_size_t len));

/* ======================================================================
 * Answering requests
 *
 * A route that is a function of yours, and functions around handlers:
 *     MastraRoute GET /hello/:name provider:NAME
 *     MastraMiddleware path=/hello/:name provider:NAME
 * They are registered as tools are, under their own groups, and called with a
 * request as hooks are. Functions get what configure has made.
 */
#define MASTRA_PROVIDER_ROUTE "mastra-route"
#define MASTRA_PROVIDER_MIDDLEWARE "mastra-middleware"

typedef struct mastra_provider_route_t {
    apr_uint32_t version;        /* MASTRA_API_HEAD(mastra_provider_route_t) */
    apr_uint32_t size;
    /* As a tool's, for each route that selects this provider; path is that of
     * the route, as it is configured. */
    const char *(*configure)(void **pinstance, const char *path,
                             server_rec *s, apr_pool_t *pool);
    /* Once in each child that starts, before requests. Anything but
     * APR_SUCCESS: the route answers 503 in that child. pool lives as long as
     * the child. Optional. */
    apr_status_t (*init)(void *instance, server_rec *s, apr_pool_t *pool);
    /* Worker. Answers by mastra_req_answer and returns what that returned, or
     * writes to mastra_req_rec(req) with httpd's functions and returns OK, or
     * returns an HTTP status. The body was read: mastra_req_body has it when
     * it is JSON, httpd's functions for reading have its bytes. */
    int (*handle)(void *instance, mastra_req_t *req);
} mastra_provider_route_t;

typedef struct mastra_provider_middleware_t {
    apr_uint32_t version;   /* MASTRA_API_HEAD(mastra_provider_middleware_t) */
    apr_uint32_t size;
    /* As a route's; path is that of MastraMiddleware, NULL: all. */
    const char *(*configure)(void **pinstance, const char *path,
                             server_rec *s, apr_pool_t *pool);
    /* As the hooks mastra_before and mastra_after, after and before those, in
     * the order of the configuration, and in the opposite one. A request that
     * was answered before its turn came has no after. Either may be NULL. */
    int (*before)(void *instance, mastra_req_t *req);
    int (*after)(void *instance, mastra_req_t *req);
} mastra_provider_middleware_t;

#endif
