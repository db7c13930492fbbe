#ifndef MASTRA_NETWORK_INTERNAL_H
#define MASTRA_NETWORK_INTERNAL_H

#include "network.h"
#include "../run/event.h"
#include "../store/runs.h"
#include "../store/threads.h"

/*
 * Inside network/: the walk (network.c), what models are asked (ask.c), the
 * choice carried out (execute.c), storage (keep.c), runs that outlive their
 * process (endure.c).
 */
#define MASTRA_NETWORK_KIND "agent-network"   /* workflow_name when it waits */
#define MASTRA_NETWORK_MAX_STEPS 100          /* whatever maxSteps says */
/* What a run was stored before: the first question, a question who is next, the
 * call of who was chosen, the call that a person has decided about, the question
 * whether that was all, its last words. */
#define MASTRA_NETWORK_BEGIN "begin"
#define MASTRA_NETWORK_CHOOSE "choose"
#define MASTRA_NETWORK_ACT "act"
#define MASTRA_NETWORK_DECIDED "decided"
#define MASTRA_NETWORK_CHECK "check"
#define MASTRA_NETWORK_WAITS "waits"          /* for a person */
#define MASTRA_NETWORK_END "end"

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
    int blocked;                     /* somebody who hears it is slow: */
    int client_slow, log_slow;
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
    int kept;                        /* others go on with it when this process
                                        dies, as long as there is an epoch */
    const char *stage;               /* what it was stored before */
    mastra_log_t *log;               /* what it says, or NULL */
    apr_int64_t after;               /* the newest frame that is stored */
    int recovers;                    /* taken over: nobody has asked */
    const char *dead;                /* whose it was; NULL: a lease ended */
    int taken;                       /* so often since it was last stored */
    int leaves;                      /* others are to go on with it */
    int leaving;                     /* they are told just now */
    int counted;                     /* the child waits for it when it stops */
    mastra_store_run_cb *work;       /* that waits for the log */
    int syncing;
    mastra_store_job_t job, renewal;
    mastra_msg_t msg, renewed, gone;
    apr_status_t rv, renew_rv;
    mastra_result_t *job_error;
    int renewing;
    mastra_timer_t lease;
    void (*stored)(mastra_network_t *network);
    void (*then)(mastra_network_t *network);    /* what stored goes on to */
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
/* The same for a run that was taken over then. */
void mastra_network_check_again(mastra_network_t *network);
void mastra_network_choose(mastra_network_t *network);
void mastra_network_say_finish(mastra_network_t *network);
/* The child waits for it. */
void mastra_network_count_run(mastra_network_t *network);

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
/* What chunks call a kind of those that may be chosen. */
const char *mastra_network_word(const char *type);
/* A call that was under way is made again. */
void mastra_network_act_again(mastra_network_t *network);
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
/* Messages of the thread become part of what agents and models are shown. */
void mastra_network_take_in(mastra_network_t *network,
                            const mastra_json_t *messages);
/* Runs work in a job; stored is called then. */
void mastra_network_submit(mastra_network_t *network,
                           mastra_store_run_cb *work);
void mastra_network_set_lease(mastra_network_t *network);

/* ---- endure.c ---- */

/* The state as it is stored. New reference. */
mastra_json_t *mastra_network_snapshot(const mastra_network_t *network,
                                       const char *status);
/* Inside store jobs: the run begins to be kept, after this history; it is kept
 * as it is now. */
apr_status_t mastra_network_first(mastra_network_t *network,
                                  mastra_json_t *history, mastra_db_t *db,
                                  apr_pool_t *pool);
apr_status_t mastra_network_keep(mastra_network_t *network, mastra_db_t *db,
                                 apr_pool_t *pool);
/* Loop. What it says goes to a log, too; the log of one that goes on no more
 * here. */
void mastra_network_open_log(mastra_network_t *network);
void mastra_network_close_log(mastra_network_t *network);
/* As mastra_network_submit, once all that was said is stored. */
void mastra_network_store(mastra_network_t *network,
                          mastra_store_run_cb *work);
/* All is said and stored: the run ends. */
void mastra_network_retire(mastra_network_t *network);
/* Another process has it. */
void mastra_network_lost(mastra_network_t *network);
/* Nobody hears it any more: it ends, or others go on. */
void mastra_network_leave(mastra_network_t *network);
/* Neither the client nor the log is slow any more, perhaps. */
void mastra_network_has_room(mastra_network_t *network);

#endif
