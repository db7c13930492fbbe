#ifndef MASTRA_WORKFLOW_WORKFLOW_H
#define MASTRA_WORKFLOW_WORKFLOW_H

#include "graph.h"
#include "../agent/agent.h"
#include "../agent/hub.h"
#include "../run/event.h"
#include "../run/sink.h"
#include "../store/flows.h"

/*
 * Workflows: graphs of steps, run durably. What a run has done is in storage,
 * step by step; whichever process has claimed it goes on with it.
 */
typedef struct mastra_workflows_t mastra_workflows_t;  /* of files: one host */
typedef struct mastra_workflow_run_t mastra_workflow_run_t;

/* A graph that somebody uses: counted, as definitions may change. */
typedef struct mastra_held_t {
    apr_uint32_t refs;               /* 0: of a file, for ever */
    apr_pool_t *pool;
    const mastra_workflow_t *workflow;
} mastra_held_t;
void mastra_held_unref(mastra_held_t *held);

/* What workflows of one host run with, in one child. */
typedef struct mastra_workflow_env_t {
    const char *host;
    mastra_loop_t *loop;
    mastra_store_t *store;
    mastra_tool_env_t *tools;
    mastra_agent_env_t *agents;
    const mastra_workflows_t *workflows;
    const mastra_tools_t *all_tools;
    struct mastra_hub_t *hub;
    apr_interval_time_t lease, timeout;
    apr_size_t run_size;             /* bytes that a run may come to */
    apr_interval_time_t history;     /* of what they have said */
    struct mastra_owner_t *owner;    /* what this child does: owner.c */
} mastra_workflow_env_t;

/* ---- definitions ---- */

mastra_workflows_t *mastra_workflows_make(apr_pool_t *pool);
/* Takes a definition down under key; NULL or a result whose detail has
 * "field". */
const mastra_result_t *mastra_workflows_add(mastra_workflows_t *workflows,
                                            const char *key,
                                            mastra_json_t *definition);
/* Compiles what was taken down as key, once all are there. */
const mastra_result_t *mastra_workflows_link(mastra_workflows_t *workflows,
                                             const char *key,
                                             const mastra_tools_t *tools,
                                             const mastra_agents_t *agents);
int mastra_workflows_count(const mastra_workflows_t *workflows);
const mastra_workflow_t *mastra_workflows_at(
    const mastra_workflows_t *workflows, int i);
/* By id or key, of files only. */
const mastra_workflow_t *mastra_workflows_find(
    const mastra_workflows_t *workflows, const char *name);

/* Tools of kind workflow: {kind: "workflow", workflow: "id"}. */
extern const mastra_tool_kind_t mastra_tool_workflow;
/* Once all workflows are there: NULL, or what is wrong with tool. */
const mastra_result_t *mastra_workflows_check_tool(
    const mastra_workflows_t *workflows, const mastra_tool_t *tool,
    apr_pool_t *pool);

/* ---- life in a child ---- */

/* child_init, before the hub is started: env is filled up to owner. */
void mastra_workflows_start(mastra_workflow_env_t *env);
/* The child stops: steps that are under way have until limit, then the runs
 * are left to others. Not on the loop, before the hub is stopped. */
void mastra_workflows_stop(mastra_workflow_env_t *env,
                           apr_interval_time_t limit);

/* ---- request threads: these wait for storage ---- */

/* All return 0, NULL or what is said when *perror is set (in pool). */

/* By id or key, of files and of storage; the caller drops it. */
mastra_held_t *mastra_workflow_find(mastra_workflow_env_t *env,
                                    const char *name,
                                    mastra_result_t **perror,
                                    apr_pool_t *pool);
/* A definition that nobody has under its id, made by the server itself. */
mastra_held_t *mastra_workflow_hold(mastra_workflow_env_t *env,
                                    mastra_json_t *definition);
/* All of storage that do not stand in files: an array of held ones. */
apr_array_header_t *mastra_workflows_stored(mastra_workflow_env_t *env,
                                            mastra_result_t **perror,
                                            apr_pool_t *pool);

/* What a run is to do next. */
typedef enum {
    MASTRA_WORKFLOW_CREATE,               /* exist */
    MASTRA_WORKFLOW_START, MASTRA_WORKFLOW_RESUME, MASTRA_WORKFLOW_TRAVEL,
    MASTRA_WORKFLOW_RESTART
} mastra_workflow_ask_e;

/* Who waits for a run: one answer at its end, or all that it says. Work of
 * http/stream.h, on the loop but for discard. */
typedef struct mastra_wait_t mastra_wait_t;
void mastra_wait_begin(void *wait, mastra_sink_t *sink);
void mastra_wait_cancel(void *wait);
void mastra_wait_resume(void *wait);
void mastra_wait_discard(void *wait);

typedef struct {
    mastra_workflow_ask_e what;
    const char *run_id;              /* NULL: a new one */
    const mastra_json_t *body;       /* the options; or NULL */
    const mastra_principal_t *principal;
    int must_exist;                  /* START: no new run is made */
    int only_new;                    /* START: no other, 409 RUN_EXISTS */
    int lenient;                     /* START: what is wrong with the input is
                                        told by the run */
    int old;                         /* the answer has steps as "results" */
    int wait;                        /* 1: for the end, 2: for all chunks,
                                        3: in the older form */
    /* START: what holds or fails together with a new run, first in its
     * transaction; or NULL. A run that is there already is left alone. */
    mastra_store_run_cb *also;
    void *also_baton;
} mastra_workflow_ask_t;
typedef struct {
    const char *run_id;
    mastra_wait_t *wait;             /* NULL: none was asked for */
    mastra_json_t *answer;           /* there is nothing to wait for: it is
                                        this (new reference) */
} mastra_workflow_asked_t;
/* Takes over the claim, if any: the run goes on by itself. */
int mastra_workflow_ask(mastra_workflow_asked_t *asked, mastra_workflow_env_t *env,
                        const mastra_workflow_t *workflow,
                        const mastra_workflow_ask_t *ask, mastra_result_t **perror,
                        apr_pool_t *pool);
typedef struct {
    apr_int64_t offset;              /* so many chunks are left out, */
    mastra_event_at_t after;         /* or all up to this event: part not 0 */
    int legacy;                      /* chunks of the older form */
} mastra_workflow_observe_t;
/* Follows a run. */
mastra_wait_t *mastra_workflow_observe(mastra_workflow_env_t *env,
                                       const mastra_workflow_t *workflow,
                                       const char *run_id,
                                       const mastra_workflow_observe_t *how,
                                       mastra_result_t **perror,
                                       apr_pool_t *pool);
/* 1: done. */
int mastra_workflow_cancel(mastra_workflow_env_t *env,
                           const mastra_workflow_t *workflow,
                           const char *run_id, mastra_result_t **perror,
                           apr_pool_t *pool);
int mastra_workflow_delete(mastra_workflow_env_t *env,
                           const mastra_workflow_t *workflow,
                           const char *run_id, mastra_result_t **perror,
                           apr_pool_t *pool);
/* A run as it is: {runId, …}; fields NULL: all. New reference. */
mastra_json_t *mastra_workflow_run_view(mastra_workflow_env_t *env,
                                        const mastra_workflow_t *workflow,
                                        const char *run_id, const char *fields,
                                        int nested, mastra_result_t **perror,
                                        apr_pool_t *pool);
/* {runs, total}. */
mastra_json_t *mastra_workflow_run_list(mastra_workflow_env_t *env,
                                        const mastra_workflow_t *workflow,
                                        mastra_flows_filter_t *filter,
                                        mastra_result_t **perror,
                                        apr_pool_t *pool);

/* ---- definitions in storage ---- */

/* Checks a definition with those that it brings along, and stores them all.
 * {ok, id, dependencyIds?}. */
mastra_json_t *mastra_workflow_store(mastra_workflow_env_t *env,
                                     const mastra_json_t *body,
                                     const char *author,
                                     mastra_result_t **perror,
                                     apr_pool_t *pool);

/* One step by itself: its result, like other work. */
typedef struct mastra_single_t mastra_single_t;
mastra_single_t *mastra_workflow_single(mastra_workflow_env_t *env,
                                        const char *workflow_id,
                                        const char *run_id,
                                        const mastra_json_t *body,
                                        const mastra_principal_t *principal,
                                        mastra_result_t **perror,
                                        apr_pool_t *pool);
void mastra_single_begin(void *single, mastra_sink_t *sink);
void mastra_single_cancel(void *single);
void mastra_single_resume(void *single);
void mastra_single_discard(void *single);

#endif
