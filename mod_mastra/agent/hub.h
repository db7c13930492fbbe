#ifndef MASTRA_AGENT_HUB_H
#define MASTRA_AGENT_HUB_H

#include "agent.h"
#include "../net/bus.h"
#include "../run/sink.h"

/*
 * Threads as channels: messages are sent to a thread, not to a connection; the
 * run that answers them belongs to the thread, and whoever subscribed to it,
 * in any child, sees its chunks. One hub per child.
 */
typedef struct mastra_hub_t mastra_hub_t;

/* bus may be NULL. Before requests come, not on the loop. */
mastra_hub_t *mastra_hub_make(mastra_loop_t *loop, mastra_bus_t *bus);
/* A host whose channels this child looks after; env->hub is set. */
void mastra_hub_add(mastra_hub_t *hub, mastra_agent_env_t *env);
/* Once all hosts are there, and who joins it: messages come from now on. */
void mastra_hub_start(mastra_hub_t *hub);
/* Waits for the runs of channels, up to limit, stops those that are left, and
 * leaves the bus. Not on the loop. */
void mastra_hub_stop(mastra_hub_t *hub, apr_interval_time_t limit);

/* ---- for areas above that share its bus and its logs ---- */

struct mastra_events_t;
struct mastra_events_t *mastra_hub_events(const mastra_hub_t *hub);
/* The child's address, under which it claims. */
const char *mastra_hub_address(const mastra_hub_t *hub);
/* Messages of kinds from this on are the areas' above. */
#define MASTRA_BUS_ABOVE 20
typedef struct mastra_hub_peer_t {
    struct mastra_hub_peer_t *next;      /* the hub's */
    /* Loop: a message of such a kind; lent. */
    void (*message)(void *baton, const char *from,
                    const mastra_bus_msg_t *msg);
    /* Loop: a child cannot be reached any more. */
    void (*dead)(void *baton, const char *address);
    void *baton;
} mastra_hub_peer_t;
/* Before the hub is started; peer lives as long as the hub. */
void mastra_hub_join(mastra_hub_t *hub, mastra_hub_peer_t *peer);
/* Loop: a hint to a child of this server; to itself, too. */
void mastra_hub_tell(mastra_hub_t *hub, const char *to,
                     const mastra_bus_msg_t *msg);
/* Loop: the same to all others. */
void mastra_hub_tell_all(mastra_hub_t *hub, const mastra_bus_msg_t *msg);

/* Runs of a kind of their own that outlive their process: rows of mastra_x_runs
 * as durable agents' have them, whose log is mastra_durable_log. */
typedef struct mastra_hub_kind_t {
    struct mastra_hub_kind_t *next;      /* the hub's */
    const char *name;                    /* kind of their rows */
    /* Loop. Goes on with a run whose owner (dead; NULL: whoever it was) is
     * gone, quietly if somebody else was faster. */
    void (*recover)(mastra_agent_env_t *env, const mastra_agent_t *agent,
                    const char *run_id, const char *dead);
} mastra_hub_kind_t;
/* Before the hub is started; kind lives as long as the hub. */
void mastra_hub_add_kind(mastra_hub_t *hub, mastra_hub_kind_t *kind);
/* The log of such a run. */
const char *mastra_durable_log(const char *run_id, apr_pool_t *pool);
/* Loop: a run of this child begins, and ends: a child that stops waits for it,
 * up to its limit. */
void mastra_hub_run_begins(mastra_hub_t *hub);
void mastra_hub_run_ends(mastra_hub_t *hub);
/* Loop: the child's limit has come; what goes on now is to be left to others. */
void mastra_hub_leave(void *hub);
int mastra_hub_leaves(const mastra_hub_t *hub);

/* ---- request threads: these wait for storage ---- */

typedef enum {
    MASTRA_SEND_DELIVER,     /* into the run; wakes an idle thread */
    MASTRA_SEND_PERSIST,     /* stored, nobody is woken */
    MASTRA_SEND_DISCARD
} mastra_send_behavior_e;

typedef struct {
    mastra_agent_env_t *env;
    const mastra_agent_t *agent;
    const char *resource_id, *thread_id;
    const char *run_id;              /* instead of a thread, or NULL */
    int next;                        /* a run of its own, after others */
    mastra_json_t *message;          /* contents, or an object with them */
    mastra_send_behavior_e if_active, if_idle;
    const mastra_json_t *active_attributes, *idle_attributes;  /* or NULL */
    mastra_json_t *options;          /* of a run that it starts, or NULL */
    const mastra_principal_t *principal;
    /* What holds or fails together with the message, first in its
     * transaction; or NULL. */
    mastra_store_run_cb *also;
    void *also_baton;
} mastra_send_t;
/* The answer {accepted, runId, signal}; NULL and *perror. */
mastra_json_t *mastra_hub_send(const mastra_send_t *send,
                               mastra_result_t **perror, apr_pool_t *pool);

/* Asks for the end of the run of a thread; 1: there was one (and it was
 * expected_run, when that is given). */
apr_status_t mastra_hub_abort(int *paborted, mastra_agent_env_t *env,
                              const mastra_agent_t *agent,
                              const char *resource_id, const char *thread_id,
                              const char *expected_run,
                              mastra_result_t **perror, apr_pool_t *pool);

/* ---- work for streams: see http/stream.h ---- */

typedef struct mastra_subscriber_t mastra_subscriber_t;
/* All runs of a thread from now on, from its beginning the one that is going
 * on; or what follows an event of it (its part is not 0 then). Waits for
 * storage. NULL and *perror. */
mastra_subscriber_t *mastra_hub_subscribe(mastra_agent_env_t *env,
                                          const mastra_agent_t *agent,
                                          const char *resource_id,
                                          const char *thread_id,
                                          mastra_event_at_t from,
                                          mastra_result_t **perror,
                                          apr_pool_t *pool);
/* One run, after a sequence. A run that is not known, or not resource_id's
 * where that is given, says nothing. */
mastra_subscriber_t *mastra_hub_observe(mastra_agent_env_t *env,
                                        const char *resource_id,
                                        const char *run_id,
                                        mastra_event_at_t from,
                                        mastra_result_t **perror,
                                        apr_pool_t *pool);
/* A durable run, of the agent or of a network that it leads, that nobody goes on
 * with goes on here, to be observed. NULL, or why it cannot. Waits for
 * storage. */
mastra_result_t *mastra_hub_recover(mastra_agent_env_t *env,
                                    const mastra_agent_t *agent,
                                    const char *resource_id,
                                    const char *run_id, apr_pool_t *pool);
/* Loop. The sink's raw gets the chunks. */
void mastra_subscriber_begin(mastra_subscriber_t *sub, mastra_sink_t *sink);
void mastra_subscriber_resume(mastra_subscriber_t *sub);
void mastra_subscriber_cancel(mastra_subscriber_t *sub);
/* Never begun; any thread. */
void mastra_subscriber_discard(mastra_subscriber_t *sub);

/* A person's decision about the suspended run of a thread. Like other work it
 * gives one answer, {accepted, runId, toolCallId}, once the run has been taken
 * up; the run goes on without the client. Waits for storage. */
typedef struct mastra_verdict_t mastra_verdict_t;
mastra_verdict_t *mastra_hub_decide(mastra_agent_env_t *env,
                                    const mastra_agent_t *agent,
                                    const char *resource_id,
                                    const char *thread_id,
                                    mastra_json_t *decision,
                                    const mastra_principal_t *principal,
                                    mastra_result_t **perror,
                                    apr_pool_t *pool);
void mastra_verdict_begin(mastra_verdict_t *verdict, mastra_sink_t *sink);
void mastra_verdict_cancel(mastra_verdict_t *verdict);
void mastra_verdict_discard(mastra_verdict_t *verdict);

#endif
