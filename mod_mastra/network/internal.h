#ifndef MASTRA_NETWORK_INTERNAL_H
#define MASTRA_NETWORK_INTERNAL_H

#include "network.h"
#include "../store/runs.h"
#include "../store/threads.h"

/*
 * Inside network/: the walk (network.c), what models are asked (ask.c), the
 * choice carried out (execute.c), storage (keep.c).
 */
#define MASTRA_NETWORK_KIND "agent-network"   /* workflow_name when it waits */
#define MASTRA_NETWORK_MAX_STEPS 100          /* whatever maxSteps says */

struct mastra_network_t {
    apr_pool_t *pool;
    mastra_agent_env_t *env;
    const mastra_agent_t *agent;
    mastra_sink_t *sink;
    const char *id, *owner;
    mastra_json_t *context;          /* request context, or NULL */
    mastra_json_t *decision;         /* of a run that is taken up */
    int depth, max_steps;
    int started;                     /* something was said */
    int acted;                       /* something was carried out */
    int blocked;                     /* the sink is slow */
    int cancelled, busy, over;
    void (*held)(mastra_network_t *network);

    /* What is stored while it waits: {options, threadId, resourceId, task,
     * said, log, calls, usage, iteration, routeId, choice, …} */
    mastra_json_t *state;

    /* the model's word */
    mastra_sink_t talk;
    mastra_agent_run_t *run;
    mastra_json_t *object;
    apr_size_t shown;                /* bytes of finalResult */
    apr_time_t asked_at;
    const char *reason, *final;      /* what was said of its completion */
    void (*heard)(mastra_network_t *network, const mastra_result_t *error);

    /* the choice that is carried out */
    const char *word;                /* "agent", "workflow" or "tool" */
    const mastra_tool_t *tool;
    mastra_tool_call_t *call;
    const char *call_id, *child_id;
    mastra_json_t *input;
    mastra_json_t *waits;            /* for whom it waits */
    mastra_json_t *steps, *path;     /* of a workflow */
    const char *status;
    mastra_json_t *result;           /* as chunks tell it */
    const char *result_text;
    mastra_json_t *cost;             /* its usage, or NULL */

    /* storage */
    mastra_json_t *messages;         /* to be stored */
    apr_int64_t last_at;             /* ms: of the last of them */
    int epoch;                       /* of the claim, 0: none */
    int finished;                    /* the claim is to end */
    mastra_store_job_t job, renewal;
    mastra_msg_t msg, renewed, gone;
    apr_status_t rv, renew_rv;
    mastra_result_t *job_error;
    int renewing;
    mastra_timer_t lease;
    void (*stored)(mastra_network_t *network);
    void (*after)(mastra_network_t *network);   /* what stored goes on to */
};

/* ---- network.c ---- */

/* Says a chunk; payload is taken over. */
void mastra_network_say(mastra_network_t *network, const char *type,
                        mastra_json_t *payload);
/* A chunk may be large. While the client has not taken what it was given, 1: next
 * is called when it has. */
int mastra_network_hold(mastra_network_t *network,
                        void (*next)(mastra_network_t *network));
void mastra_network_fail(mastra_network_t *network,
                         const mastra_result_t *error);
void mastra_network_end(mastra_network_t *network);
/* Strings and numbers of the state. */
const char *mastra_network_str(const mastra_network_t *network,
                               const char *name);
apr_int64_t mastra_network_iteration(const mastra_network_t *network);
void mastra_network_free(mastra_network_t *network);
/* How many steps it may take, by its options. */
void mastra_network_limit(mastra_network_t *network);
/* The choice has been carried out. */
void mastra_network_check(mastra_network_t *network);

/* ---- ask.c ---- */

/* Asks which is next, then heard: the choice is in object. */
void mastra_network_ask_next(mastra_network_t *network);
/* Asks whether that is all; what is said on the way is told. */
void mastra_network_ask_complete(mastra_network_t *network);
/* Asks for the answer as the object that the request wants. */
void mastra_network_ask_object(mastra_network_t *network);
void mastra_network_hush(mastra_network_t *network);
/* Adds the counts of usage to that of the run. */
void mastra_network_count(mastra_network_t *network,
                          const mastra_json_t *usage);

/* ---- execute.c ---- */

void mastra_network_execute(mastra_network_t *network);
void mastra_network_go_on(mastra_network_t *network);
/* The first of the agent's tools that primitive names, or NULL. */
const mastra_tool_t *mastra_network_tool(const mastra_agent_t *agent,
                                         const char *type, const char *id);

/* ---- keep.c ---- */

/* All then call stored. */
void mastra_network_recall(mastra_network_t *network);
void mastra_network_save(mastra_network_t *network);
void mastra_network_suspend(mastra_network_t *network);
void mastra_network_claim(mastra_network_t *network);
void mastra_network_drop_lease(mastra_network_t *network);
/* Adds what the network says itself to what is stored and what models see;
 * metadata (taken over) may be NULL. */
void mastra_network_note(mastra_network_t *network, const char *text,
                         mastra_json_t *metadata);
/* All text of a message in format 2: in pool. */
const char *mastra_network_text(const mastra_json_t *message,
                                apr_pool_t *pool);

#endif
