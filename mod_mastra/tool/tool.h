#ifndef MASTRA_TOOL_TOOL_H
#define MASTRA_TOOL_TOOL_H

#include <apr_hash.h>

#include "../base/json.h"
#include "../base/result.h"
#include "../net/client.h"
#include "../net/foreign.h"
#include "../net/jobs.h"
#include "../net/loop.h"
#include "../schema/schema.h"
#include "../store/calls.h"

/*
 * Tools: definitions (read-only once the configuration stands) and checked
 * calls (loop thread). A definition is the JSON of a tools/<id>.json file; its
 * execute.kind selects a mastra_tool_kind_t.
 */
typedef struct mastra_tool_t mastra_tool_t;
typedef struct mastra_tools_t mastra_tools_t;         /* registry of one host */
typedef struct mastra_tool_call_t mastra_tool_call_t;

/* What tools of one host run with, in one child. */
typedef struct {
    mastra_loop_t *loop;
    mastra_jobs_t *jobs;
    mastra_jobs_t *large;            /* for what would hold up the loop; NULL:
                                        there is none */
    mastra_store_t *store;           /* of kind sql */
    const mastra_guard_t *guard;     /* outgoing rules of kind http */
    const char *self_url;            /* "http://127.0.0.1:80", no slash */
    const char *self_host;           /* its "Host: name:80" where the URL has
                                        no name of this host, or NULL */
    const char *self_secret;         /* value of X-Mastra-Internal-Secret */
    int max_self_calls;              /* uri calls in flight per child */
    int self_calls;                  /* loop thread only */
    mastra_tool_call_t *self_waiting; /* loop thread only: first in line */
    mastra_tool_call_t *self_waiting_tail;
    void *agents;                    /* what kind agent runs with, or NULL */
    void *workflows;                 /* what kind workflow runs with, or NULL */
} mastra_tool_env_t;

struct mastra_tool_t {
    const char *key;                 /* registration key */
    const char *id;
    const char *description;
    mastra_json_t *definition;       /* the document as given */
    mastra_json_t *input_schema;     /* or NULL */
    mastra_json_t *output_schema;
    mastra_json_t *suspend_schema;
    mastra_json_t *resume_schema;
    const mastra_schema_t *input;    /* compiled, or NULL: anything goes */
    const mastra_schema_t *resume;   /* compiled, or NULL; so these */
    const mastra_schema_t *output, *suspend;
    int require_approval;
    const struct mastra_tool_kind_t *kind;
    void *conf;                      /* the kind's, from its parse */
    mastra_json_t *describe;         /* what the API shows, with schemas */
    mastra_json_t *describe_partial; /* … without */
};

/* Who calls and with what; strings and values are lent until done. */
typedef struct {
    mastra_json_t *input;
    const char *tool_call_id;        /* of the model, or NULL */
    const char *run_id;              /* or NULL */
    const char *agent_id, *thread_id, *resource_id; /* or NULL */
    const char *owner;               /* the resource that auth gives, or NULL */
    mastra_json_t *request_context;  /* object or NULL */
    const char *idempotency_key;     /* run/step/attempt, or NULL */
    int at_least_once;               /* it may be done again with that key */
    /* The stored run that the call belongs to, and where in it (64 bytes): who
     * changes this database does so once for that place. */
    mastra_owned_t owned;
    const char *place;
    int depth;                       /* of nested calls of this server */
    /* Hears what the tool says while it runs (lent), or NULL. Returns 0 when
     * it is slow: the tool then waits for mastra_tool_resume. */
    int (*say)(void *baton, mastra_json_t *chunk);
    void *say_baton;
    /* Of tools that begin a run themselves (agent, workflow). */
    const char *child_run_id;        /* the run's id, NULL: a new one */
    mastra_json_t *messages;         /* what was said before, or NULL */
    int may_wait;                    /* mastra_tool_suspend may be called */
    mastra_json_t *waited;           /* state of the call that is resumed, */
    mastra_json_t *decision;         /* {approved?, reason?, resumeData?} */
} mastra_tool_args_t;

/* Once, last, on the loop, never from inside start. result: lent. error: NULL
 * when it worked (valid in the callback). */
typedef void (mastra_tool_done_cb)(void *baton, mastra_json_t *result,
                                   const mastra_result_t *error);

/* A kind of tool. */
typedef struct mastra_tool_kind_t {
    const char *name;
    /* Reads definition.execute into *pconf (in pool). Returns NULL or what is
     * wrong; *pfield then names the field at fault ("execute.uri"). */
    const char *(*parse)(void **pconf, const char **pfield,
                         const mastra_tool_t *tool, apr_pool_t *pool);
    /* Starts; takes the filled call (see call.h of the kind's file). */
    apr_status_t (*start)(mastra_tool_call_t *call);
    void (*cancel)(mastra_tool_call_t *call);
    /* The rest is optional: the input schema of definitions without one (JSON
     * text), whoever listens takes chunks again, and what the model is to read
     * in place of a result ({type, value}, new reference; NULL: that). */
    const char *default_input;
    void (*resume)(mastra_tool_call_t *call);
    mastra_json_t *(*model_output)(const mastra_json_t *result);
    /* Inside a store job: does all of it in the transaction there. The output
     * is a new reference; it is run again when the job is. */
    apr_status_t (*inside)(mastra_json_t **poutput, const mastra_tool_t *tool,
                           const mastra_json_t *input,
                           const mastra_json_t *request_context,
                           mastra_db_t *db, apr_pool_t *pool);
} mastra_tool_kind_t;

/* Base of a running call: made by mastra_tool_start, from malloc. */
struct mastra_tool_call_t {
    mastra_tool_call_t *next;        /* in the line of self calls */
    mastra_tool_env_t *env;
    const mastra_tool_t *tool;
    mastra_tool_args_t args;
    mastra_tool_done_cb *done;
    void *baton;
    apr_pool_t *pool;                /* of the call */
    void *state;                     /* the kind's */
};

/* ---- tools of kind provider: code that other modules bring ---- */

/* A call on its job thread: memory of its own, nothing of the loop's. */
typedef struct {
    mastra_foreign_t *foreign;       /* whether it is cancelled */
    apr_pool_t *pool;
    const char *tool_id;
    const char *input;               /* JSON */
    apr_size_t input_len;
    const char *request_context;     /* JSON or NULL */
    const char *tool_call_id, *run_id, *agent_id, *thread_id, *resource_id;
    const char *idempotency_key;     /* these may be NULL */
    apr_time_t deadline;
    int depth;

    mastra_json_t *output;           /* set by execute, NULL: null */
    const char *failure;             /* what clients are told, or NULL */
} mastra_tool_native_call_t;

typedef struct {
    apr_status_t (*execute)(void *baton, mastra_tool_native_call_t *call);
    void *baton;
} mastra_tool_native_t;

/* Finds the code that is called name; text: the member execute. NULL or what
 * is wrong; *pfield: the field at fault. */
typedef const char *(mastra_tool_native_cb)(mastra_tool_native_t *native,
                                            const char **pfield, void *baton,
                                            const char *name,
                                            const char *text,
                                            apr_pool_t *pool);
const mastra_tool_kind_t *mastra_tool_native_kind(mastra_tool_native_cb *find,
                                                  void *baton,
                                                  apr_pool_t *pool);

mastra_tools_t *mastra_tools_make(apr_pool_t *pool);
/* A kind that other code brings (native, agent, workflow). */
void mastra_tools_add_kind(mastra_tools_t *tools,
                           const mastra_tool_kind_t *kind);
/* Registers the definition under key. Returns NULL or a result whose detail
 * has "field". A key or id that is taken is refused. */
const mastra_result_t *mastra_tools_add(mastra_tools_t *tools, const char *key,
                                        mastra_json_t *definition);
/* A tool of the same sort that is in no registry: of the pool of tools. NULL
 * and *perror. */
const mastra_tool_t *mastra_tools_make_one(mastra_tools_t *tools,
                                           const char *key,
                                           mastra_json_t *definition,
                                           const mastra_result_t **perror);
/* By key or by id; NULL: none. */
const mastra_tool_t *mastra_tools_find(const mastra_tools_t *tools,
                                       const char *name);
/* In order of registration. */
int mastra_tools_count(const mastra_tools_t *tools);
const mastra_tool_t *mastra_tools_at(const mastra_tools_t *tools, int i);

/* Checks the input against the schema. NULL: fine; else the error answer that
 * the contract shows {error:true, message, validationErrors}. New reference. */
mastra_json_t *mastra_tool_check_input(const mastra_tool_t *tool,
                                       const mastra_json_t *input,
                                       apr_pool_t *pool);

/* The same for value by another schema; input is what the answer shows. */
mastra_json_t *mastra_tool_check_value(const mastra_tool_t *tool,
                                       const mastra_schema_t *schema,
                                       const mastra_json_t *value,
                                       const mastra_json_t *input,
                                       apr_pool_t *pool);

/* Starts a call whose input was checked: loop thread. */
apr_status_t mastra_tool_start(mastra_tool_call_t **pcall,
                               mastra_tool_env_t *env,
                               const mastra_tool_t *tool,
                               const mastra_tool_args_t *args,
                               mastra_tool_done_cb *done, void *baton);
/* No callback comes after it. Not from inside done. */
void mastra_tool_cancel(mastra_tool_call_t *call);

/* Whoever hears what the tool says takes more. */
void mastra_tool_resume(mastra_tool_call_t *call);

/* For kinds: reports the end, then frees the call. result is taken over. */
void mastra_tool_finish(mastra_tool_call_t *call, mastra_json_t *result,
                        const mastra_result_t *error);

/* The code of a call that may not act: its run is another process's by now. */
#define MASTRA_TOOL_TAKEN_OVER "RUN_TAKEN_OVER"

/* For kinds: the call waits for a person, then it is freed. waits (taken over):
 * {type: "approval" or "suspension", toolName, args, resumeSchema (text),
 * suspendPayload?, state}; the call that goes on later has state in waited. Who
 * cannot wait sees an error. */
void mastra_tool_suspend(mastra_tool_call_t *call, mastra_json_t *waits);
/* In done: what the call waits for, or NULL: lent. */
mastra_json_t *mastra_tool_waits(const mastra_result_t *error);

extern const mastra_tool_kind_t mastra_tool_uri;
extern const mastra_tool_kind_t mastra_tool_http;
extern const mastra_tool_kind_t mastra_tool_sql;
/* What a noted call of such a tool (args.place) gives: new reference. */
mastra_json_t *mastra_tool_sql_result(const mastra_tool_t *tool,
                                      mastra_json_t *outcome);
extern const mastra_tool_kind_t mastra_tool_human;

#endif
