#ifndef MASTRA_AGENT_AGENT_H
#define MASTRA_AGENT_AGENT_H

#include "../base/board.h"
#include "../base/json.h"
#include "../base/result.h"
#include "../memory/memory.h"
#include "../model/model.h"
#include "../run/sink.h"
#include "../tool/tool.h"

/*
 * Agents: definitions (the body of POST /stored/agents, read-only once the
 * configuration stands) and their runs.
 */
typedef struct mastra_agent_t mastra_agent_t;
typedef struct mastra_agents_t mastra_agents_t;       /* registry of one host */
typedef struct mastra_agent_run_t mastra_agent_run_t;
typedef struct mastra_agent_overrides_t mastra_agent_overrides_t;

/* One of the models that an agent may use. */
typedef struct {
    const char *id;              /* of the entry of the list */
    const char *spec;            /* "provider/model" */
    const mastra_model_provider_t *provider;
    const char *model_id;
    int max_retries;             /* -1: not said */
    int enabled;
    mastra_json_t *settings;     /* modelSettings, providerOptions and headers */
    mastra_json_t *options;      /* of the entry, which count more than those */
    mastra_json_t *headers;      /* of the agent and the request; or NULL */
    mastra_json_t *metadata;     /* what answers say of the model */
    mastra_json_t *provider_metadata;    /* and when its provider says nothing */
} mastra_agent_model_t;

/* The models of an agent as they are now, in the order in which they are tried,
 * and how they make the agent look. Never changed; counted, as runs go on with
 * those that they began with. */
typedef struct {
    apr_uint32_t refs;
    apr_pool_t *pool;
    int is_list;
    int n;
    mastra_agent_model_t *models;
    const mastra_agent_model_t *first;   /* enabled; NULL: none is */
    mastra_json_t *describe;         /* answer of GET /agents/:id */
    mastra_json_t *describe_list;    /* element of GET /agents */
    mastra_json_t *describe_partial; /* … with ?partial=true */
    const char *describe_text;       /* describe as text, made once */
    apr_size_t describe_len;
} mastra_agent_view_t;

struct mastra_agent_t {
    const char *key;
    const char *id;
    const char *name;
    const char *description;
    const char *instructions;
    mastra_agent_view_t *view;       /* as it is defined */
    const mastra_tool_t **tools;     /* in order, ntools of them */
    int ntools;
    int nown;                        /* the first of them; what follows are
                                        its agents and workflows */
    mastra_json_t *agents, *workflows;   /* as the API shows them, or NULL */
    mastra_json_t *tool_specs;       /* [{name, description, inputSchema}] */
    mastra_memory_t memory;
    mastra_json_t *default_options;  /* object or NULL */
    int durable;                     /* its runs outlive their process */
    mastra_json_t *definition;
};

/* What conversations remembered at their last turns, up to limit bytes: one for
 * each database in a child. NULL when memory is short. */
typedef struct mastra_recall_cache_t mastra_recall_cache_t;
mastra_recall_cache_t *mastra_recall_cache_make(apr_size_t limit,
                                                apr_pool_t *pool);

/* What agents of one host run with, in one child. */
typedef struct {
    const char *host;                /* name of the virtual host in storage */
    mastra_loop_t *loop;
    mastra_store_t *store;
    mastra_recall_cache_t *recalled; /* of the store, or NULL */
    mastra_tool_env_t *tools;
    const mastra_agents_t *agents;
    const mastra_models_t *models;
    mastra_agent_overrides_t *overrides; /* NULL: agents stay as defined */
    apr_interval_time_t timeout;     /* of a whole run, 0: none */
    apr_interval_time_t lease;       /* of a stored run, unless renewed */
    apr_interval_time_t history;     /* of what runs have said */
    int max_steps;                   /* default of maxSteps; 5 */
    int reveal;                      /* streams show what models were asked */
    int titles;                      /* loop: titles that are being made */
    struct mastra_hub_t *hub;        /* threads as channels, or NULL */
} mastra_agent_env_t;

mastra_agents_t *mastra_agents_make(apr_pool_t *pool);
/* Registers a definition: {id?, name, instructions, model: "p/m", {provider,
 * name} or a list of {id?, model, maxRetries?, enabled?, modelSettings?,
 * providerOptions?, headers?}, tools: [key…] or {key: …}, memory: {options:
 * {lastMessages…}} or false, durable: true or {maxSteps}, description,
 * defaultOptions}. models and tools must
 * be complete by then. Returns NULL or a result whose detail has "field". */
const mastra_result_t *mastra_agents_add(mastra_agents_t *agents,
                                         const char *key,
                                         mastra_json_t *definition,
                                         const mastra_models_t *models,
                                         const mastra_tools_t *tools);
/* Once all agents and workflows are there: makes tools of those that the agent
 * of that key names in "agents" and "workflows" (a list of names, or an object
 * by name). workflow: what the API shows of one, or NULL; lent. */
typedef mastra_json_t *(mastra_agents_workflow_cb)(void *baton,
                                                   const char *name);
const mastra_result_t *mastra_agents_link(mastra_agents_t *agents,
                                          const char *key,
                                          const mastra_models_t *models,
                                          mastra_tools_t *tools,
                                          mastra_agents_workflow_cb *workflow,
                                          void *baton);
/* By id or key. */
const mastra_agent_t *mastra_agents_find(const mastra_agents_t *agents,
                                         const char *name);
/* How an agent is now. New reference, from any thread. */
mastra_agent_view_t *mastra_agent_view(mastra_agent_env_t *env,
                                       const mastra_agent_t *agent);
void mastra_agent_view_unref(mastra_agent_view_t *view);

/* Models that are changed at run time: for all children of the server, until
 * it stops. In a child, one for each host; the board is the server's. */
apr_status_t mastra_agent_overrides_make(mastra_agent_overrides_t **poverrides,
                                         mastra_board_t *board,
                                         apr_pool_t *pool);
/* These return NULL or what is wrong, in pool. Request threads. */
mastra_result_t *mastra_agent_set_model(const mastra_agent_env_t *env,
                                        const mastra_agent_t *agent,
                                        const char *provider,
                                        const char *model_id,
                                        apr_pool_t *pool);
mastra_result_t *mastra_agent_reset_model(const mastra_agent_env_t *env,
                                          const mastra_agent_t *agent,
                                          apr_pool_t *pool);
/* Of an agent with a list: entries by id, those not named come last. */
mastra_result_t *mastra_agent_reorder_models(const mastra_agent_env_t *env,
                                             const mastra_agent_t *agent,
                                             const mastra_json_t *ids,
                                             apr_pool_t *pool);
/* change: {model?: {provider, modelId}, maxRetries?, enabled?} of one entry */
mastra_result_t *mastra_agent_change_model(const mastra_agent_env_t *env,
                                           const mastra_agent_t *agent,
                                           const char *id,
                                           const mastra_json_t *change,
                                           apr_pool_t *pool);
int mastra_agents_count(const mastra_agents_t *agents);
const mastra_agent_t *mastra_agents_at(const mastra_agents_t *agents, int i);

/* Tools of kind agent: {kind: "agent", agent: "id"}; calls of agents by agents
 * go no deeper than this. */
extern const mastra_tool_kind_t mastra_tool_agent;
#define MASTRA_AGENT_TOOL "agent-"       /* begins the names of such tools, */
#define MASTRA_WORKFLOW_TOOL "workflow-" /* and of those that are workflows */
#define MASTRA_AGENT_MAX_DEPTH 8
/* Once all agents are registered: NULL, or what is wrong with tool. */
const mastra_result_t *mastra_agents_check_tool(const mastra_agents_t *agents,
                                                const mastra_tool_t *tool,
                                                apr_pool_t *pool);

/* Who asks, from the request; copied. */
typedef struct {
    const char *resource_id;         /* what auth says the user owns, or NULL */
    mastra_json_t *request_context;  /* object or NULL */
    int depth;                       /* of nested calls of this server */
    /* of a run that may be done again as a whole: what its tool calls' keys
     * begin with, instead of the run's id; or NULL */
    const char *again;
    mastra_owned_t owned;            /* the stored run that it is a part of */
} mastra_principal_t;

/* Prepares a run of agent with the options of the generate and stream bodies
 * (already validated; the run takes a reference). Any thread. On failure NULL
 * and *perror. The run belongs to the caller until it is begun. */
mastra_agent_run_t *mastra_agent_run_make(mastra_agent_env_t *env,
                                          const mastra_agent_t *agent,
                                          mastra_json_t *options, int stream,
                                          const mastra_principal_t *principal,
                                          mastra_result_t **perror,
                                          apr_pool_t *pool);
/* The same for a suspended run, which decision {toolCallId?, approved?,
 * reason?, resumeData?} takes up (a reference is taken): exactly one of several
 * decisions about one call gets it, the others end with a 409 error. */
mastra_agent_run_t *mastra_agent_run_take_up(
    mastra_agent_env_t *env, const mastra_agent_t *agent, const char *run_id,
    mastra_json_t *decision, int stream, const mastra_principal_t *principal,
    mastra_result_t **perror, apr_pool_t *pool);
const char *mastra_agent_run_id(const mastra_agent_run_t *run);
/* The kind of the runs that an agent stores. */
const char *mastra_run_kind(const mastra_agent_t *agent);
/* Before it is begun: where the agent is durable, the run is one that others go
 * on with when this process dies; it does not need its client. */
void mastra_agent_run_endure(mastra_agent_run_t *run);
int mastra_agent_run_endures(const mastra_agent_run_t *run);
/* A durable run whose owner (dead; NULL: whoever it was) is gone. It has no
 * sink, and ends quietly when somebody else was faster. */
mastra_agent_run_t *mastra_agent_run_recover(mastra_agent_env_t *env,
                                             const mastra_agent_t *agent,
                                             const char *run_id,
                                             const char *dead);
/* Loop: 0 when tools have been called, which a repeated request would call
 * again. */
int mastra_agent_run_may_repeat(const mastra_agent_run_t *run);
/* Begins the run on the loop: chunks (streams) or the answer go to sink, whose
 * end is called once, last. The run frees itself then. */
void mastra_agent_run_begin(mastra_agent_run_t *run, mastra_sink_t *sink);
/* Loop: the sink is gone. What was generated is stored, the sink is not called
 * again. */
void mastra_agent_run_cancel(mastra_agent_run_t *run);
/* Loop: the run is to stop, its sink is told so and hears of the end. */
void mastra_agent_run_abort(mastra_agent_run_t *run);
/* Loop: the sink takes chunks again. */
void mastra_agent_run_resume(mastra_agent_run_t *run);
/* Loop: 1 until it is begun. */
int mastra_agent_run_is_new(const mastra_agent_run_t *run);
/* Frees a run that was never begun. */
void mastra_agent_run_discard(mastra_agent_run_t *run);

/* Messages of a save request in format 2, each with id and createdAt (now, one
 * ms apart); those that are in it already stay as they are. NULL and *perror
 * for what is no message. New reference. Any thread. */
mastra_json_t *mastra_message_stored(const mastra_json_t *input, apr_time_t now,
                                     mastra_result_t **perror,
                                     apr_pool_t *pool);

#endif
