#ifndef MASTRA_WORKFLOW_GRAPH_H
#define MASTRA_WORKFLOW_GRAPH_H

#include "../agent/agent.h"

/*
 * Definitions of workflows as graphs of nodes, read-only once they stand. A
 * definition that was read with others that it nests is one tree: nested
 * workflows are compiled along with it.
 */
typedef struct mastra_workflow_t mastra_workflow_t;
typedef struct mastra_node_t mastra_node_t;

#define MASTRA_WORKFLOW_MAX_DEPTH 8      /* of workflows in workflows */
#define MASTRA_WORKFLOW_MAX_NODES 5000   /* of a workflow with all it nests */
#define MASTRA_WORKFLOW_MAX_WIDTH 100    /* branches of an entry */
#define MASTRA_WORKFLOW_MAX_ITEMS 10000  /* of a foreach */
#define MASTRA_WORKFLOW_MAX_ROUNDS 10000 /* of a loop */
#define MASTRA_WORKFLOW_MAX_TASKS 50000  /* of a run: steps, and what holds them */

typedef enum {
    MASTRA_NODE_TOOL, MASTRA_NODE_AGENT, MASTRA_NODE_MAPPING,
    MASTRA_NODE_WORKFLOW, MASTRA_NODE_PARALLEL, MASTRA_NODE_CONDITIONAL,
    MASTRA_NODE_FOREACH, MASTRA_NODE_LOOP, MASTRA_NODE_SLEEP,
    MASTRA_NODE_SLEEP_UNTIL
} mastra_node_e;

struct mastra_node_t {
    mastra_node_e type;
    const char *id;                  /* NULL: an entry without a name */
    mastra_json_t *entry;            /* as it was given */
    const char *ref;                 /* toolId, agentId, workflowId */
    const mastra_tool_t *tool;       /* these may be gone: NULL */
    const mastra_agent_t *agent;
    mastra_workflow_t *nested;
    mastra_json_t *map;              /* mapConfig, read */
    mastra_json_t *predicates;       /* array: of branches, or of the loop */
    int retries;
    int concurrency;
    int until;                       /* of a loop: dountil */
    apr_int64_t duration;            /* ms */
    apr_time_t date;
    mastra_node_t **steps;           /* branches, or the one that repeats */
    int nsteps;
};

struct mastra_workflow_t {
    const char *key, *id;
    const char *description;         /* or NULL */
    const char *origin;              /* "code": of files; "dynamic" */
    mastra_json_t *definition;
    mastra_node_t **nodes;
    int nnodes;
    const mastra_schema_t *input, *output, *state, *context;
    mastra_json_t *graph;            /* stepGraph */
    const char *graph_text;
    /* made for the root only */
    mastra_json_t *describe, *describe_partial;
    const char *hash, *pinned;       /* all definitions in it, as text */
    const char *missing;             /* a tool or agent that is not here, or
                                        NULL */
};

/* Where what definitions name is looked for. */
typedef struct {
    const mastra_tools_t *tools;
    const mastra_agents_t *agents;
    /* The definition of a workflow that another one names; lent. */
    mastra_json_t *(*find)(void *baton, const char *id);
    void *baton;
    int lenient;                     /* tools and agents may be gone */
} mastra_workflow_source_t;

/* Compiles definition into pool. NULL and *perror: its detail has "field". */
mastra_workflow_t *mastra_workflow_compile(
    const char *key, mastra_json_t *definition, const char *origin,
    const mastra_workflow_source_t *source, mastra_result_t **perror,
    apr_pool_t *pool);

/* What is wrong with what definition names and how its steps fit together:
 * [{code, path, message}]. New reference. definition is well-formed. */
mastra_json_t *mastra_workflow_issues(const mastra_json_t *definition,
                                      const mastra_workflow_source_t *source,
                                      apr_pool_t *pool);

#endif
