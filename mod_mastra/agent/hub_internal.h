#ifndef MASTRA_AGENT_HUB_INTERNAL_H
#define MASTRA_AGENT_HUB_INTERNAL_H

#include <apr_hash.h>

#include "hub.h"
#include "internal.h"
#include "../run/event.h"
#include "../store/channels.h"

/*
 * Inside the hub: channels whose run goes on here (hub_run.c), what happens to
 * their rows (hub_store.c), who sends (hub_send.c), who subscribes
 * (hub_follow.c), and what is done from time to time (hub.c).
 */

/* A lease is renewed when a third of it has passed, in ticks of a second. */
#define MASTRA_CHANNEL_LEASE_MIN apr_time_from_sec(3)

/* kinds of messages on the bus, beside those of the logs */
enum { MASTRA_BUS_BEGIN = MASTRA_BUS_LOGS_END + 1, MASTRA_BUS_WAKE };
/* flags of WAKE: look at the queue, at the abort mark; nobody owns it */
enum { MASTRA_WAKE_QUEUE = 1, MASTRA_WAKE_HALT = 2, MASTRA_WAKE_LEFT = 4 };
/* flag of BEGIN: what was claimed is over already */
enum { MASTRA_BEGIN_OVER = 1 };

/* A claim that has been made for this child, on its way to the loop; lives in
 * a pool of its own. */
typedef struct mastra_claim_t {
    apr_pool_t *pool;
    mastra_agent_env_t *env;
    const char *id, *resource, *thread;
    const char *run, *log;
    int epoch;
    apr_int64_t after;               /* newest frame in storage */
    int place;                       /* of the queue row, 0: none */
    mastra_json_t *item;             /* of that row */
    mastra_msg_t msg;
} mastra_claim_t;

struct mastra_channel_t {
    mastra_sink_t sink;              /* first: who the run talks to */
    mastra_hub_t *hub;
    mastra_agent_env_t *env;
    mastra_claim_t *claim;
    mastra_agent_run_t *run;         /* NULL: it is over */
    mastra_sink_t *client;           /* of a stream's run, or NULL */
    mastra_log_t *log;
    int quiet;                       /* the end was told: log no more */
    mastra_json_t *held;             /* the error that is to be told last */
    int stops;                       /* its process does */
    int lost;                        /* another process has it */
    int refused;                     /* what it begins with goes along */
    int pending;                     /* the queue may have something */

    /* The work of store jobs: belongs to a job while one is open. */
    mastra_json_t *taken;            /* messages out of the queue */
    mastra_claim_t *next;            /* what was claimed with the release */
    int releasing, released, suspended;
    int left;                        /* the queue was left to others */
    mastra_store_job_t job;
    mastra_msg_t msg;
    apr_status_t rv;
    mastra_timer_t timer;
};

struct mastra_hub_t {
    apr_pool_t *pool;
    mastra_loop_t *loop;
    mastra_bus_t *bus;
    const char *address;
    apr_interval_time_t lease;       /* the longest of the hosts' */
    mastra_events_t *events;
    apr_array_header_t *envs;        /* mastra_agent_env_t * */
    mastra_hub_peer_t *peers;
    mastra_hub_kind_t *kinds;        /* of runs that outlive their process */
    apr_hash_t *owned;               /* mastra_channel_t by id */
    apr_hash_t *watched;             /* subscribers, lists by id */
    int nsubscribers;
    mastra_timer_t tick;
    unsigned ticks;
    unsigned sweep_ticks;            /* between looks for what is old */
    int polling;                     /* jobs under way */
    apr_array_header_t *polled;      /* apr_int64_t: when, by the clock of
                                        each host's database */
    mastra_msg_t msg;
    int nruns;                       /* with and without a channel */
    int stopping;
    int leaves;                      /* no run is to go on here */
    struct mastra_hub_stop_t *stop;  /* how far it has come */
};

/* ---- hub_store.c: inside store jobs ---- */

mastra_claim_t *mastra_claim_make(mastra_agent_env_t *env,
                                  const mastra_channel_row_t *row);
/* Claims a locked, idle channel for the first of its queue. *pclaim NULL:
 * nothing waits. */
apr_status_t mastra_claim_next(mastra_claim_t **pclaim, mastra_hub_t *hub,
                               mastra_agent_env_t *env,
                               mastra_channel_row_t *row, mastra_db_t *db,
                               apr_pool_t *pool);
/* Ends the run of a locked channel whose owner is gone, and goes on with its
 * queue. */
apr_status_t mastra_claim_over(mastra_claim_t **pclaim, mastra_hub_t *hub,
                               mastra_agent_env_t *env,
                               mastra_channel_row_t *row, mastra_db_t *db,
                               apr_pool_t *pool);
/* The same for a suspended run that nobody wants any more. */
apr_status_t mastra_claim_instead(mastra_claim_t **pclaim, mastra_hub_t *hub,
                                  mastra_agent_env_t *env,
                                  mastra_channel_row_t *row, mastra_db_t *db,
                                  apr_pool_t *pool);
/* Chunks (an array, taken over) into the new log of a claim: all that it will
 * have. */
apr_status_t mastra_claim_say(mastra_db_t *db, const mastra_channel_row_t *row,
                              mastra_json_t *chunks, apr_pool_t *pool);

/* ---- hub_run.c: loop ---- */

/* What was claimed begins here. */
void mastra_hub_begin(mastra_claim_t *claim);
/* Tells all children, this one too, of a claim. */
void mastra_hub_announce(mastra_hub_t *hub, const mastra_claim_t *claim,
                         int flags);
void mastra_channel_halt(mastra_channel_t *channel);
/* The child stops: what the run said is stored, its watchers are told. */
void mastra_channel_stopping(mastra_channel_t *channel);

/* ---- hub_say.c: loop ---- */

/* A chunk as those see it who watch; new reference. */
mastra_json_t *mastra_chunk_brief(mastra_json_t *chunk);
/* The sink of a channel's run. */
int mastra_channel_chunk(mastra_sink_t *sink, mastra_json_t *chunk);
int mastra_channel_text(mastra_sink_t *sink, const char *run_id,
                        const char *type, const char *id, const char *text,
                        apr_size_t len);
/* Its end; error NULL: as far as it is not over in order. */
void mastra_channel_say_end(mastra_channel_t *channel,
                            const mastra_result_t *error);

/* ---- hub_stop.c ---- */

struct mastra_hub_stop_t *mastra_hub_make_stop(mastra_hub_t *hub,
                                               apr_pool_t *pool);
/* Loop. Whoever waits for the last run is told, if that was it. */
void mastra_hub_maybe_stopped(mastra_hub_t *hub);

/* ---- hub.c ---- */

/* 1: an earlier host has the same store. */
int mastra_hub_is_repeated(const mastra_hub_t *hub, int index);

/* A store job of the hub, with a pool of its own; after is called on the loop,
 * then all of it goes. */
typedef struct mastra_hub_op_t {
    apr_pool_t *pool;
    mastra_hub_t *hub;
    mastra_agent_env_t *env;
    mastra_store_run_cb *run;
    void (*after)(struct mastra_hub_op_t *op);
    apr_status_t rv;
    void *data;                      /* the user's, in pool */
    mastra_store_job_t job;
    mastra_msg_t msg;
} mastra_hub_op_t;
/* data: size zeroed bytes. run gets the op as its baton. */
mastra_hub_op_t *mastra_hub_op_make(mastra_hub_t *hub, mastra_agent_env_t *env,
                                    apr_size_t size);
void mastra_hub_op_submit(mastra_hub_op_t *op, mastra_store_mode_e mode,
                          mastra_store_run_cb *run,
                          void (*after)(mastra_hub_op_t *op));

/* Loop: takes the channel over if its lease has ended, or its owner is one
 * that is known to be dead (NULL: none). */
void mastra_hub_rescue(mastra_hub_t *hub, mastra_agent_env_t *env,
                       const char *id, const char *dead);
/* The same for all channels of an owner that cannot be reached. */
void mastra_hub_owner_dead(void *hub, const char *address);
/* Tells the owner of a channel to look at its row. */
void mastra_hub_wake(mastra_hub_t *hub, mastra_agent_env_t *env,
                     const char *id, const char *owner, int flags);

/* ---- hub_recover.c: loop ---- */

/* The kind of that name, or NULL. Any thread. */
const mastra_hub_kind_t *mastra_hub_kind(const mastra_hub_t *hub,
                                         const char *name);
/* Those of agents themselves. */
void mastra_hub_add_agents(mastra_hub_t *hub);

/* Goes on with durable runs whose lease has ended, or whose owner is dead
 * (NULL: none). */
void mastra_hub_find_orphans(mastra_hub_t *hub, const char *dead);

/* ---- hub_peers.c: loop ---- */

void mastra_hub_pass_on(const mastra_hub_t *hub, const char *from,
                        const mastra_bus_msg_t *msg);
void mastra_hub_tell_dead(const mastra_hub_t *hub, const char *address);

/* ---- hub_send.c: inside store jobs ---- */

/* APR_EACCES with *perror (from keep) when the thread is another's. */
apr_status_t mastra_hub_check_thread(mastra_result_t **perror, mastra_db_t *db,
                                     const mastra_agent_t *agent,
                                     const char *resource_id,
                                     const char *thread_id, apr_pool_t *keep,
                                     apr_pool_t *pool);

/* ---- hub_follow.c: loop ---- */

void mastra_hub_on_begin(mastra_hub_t *hub, const char *id, int epoch,
                         const char *run, const char *log, const char *owner);
/* Looks for claims that nobody told of. */
void mastra_hub_poll(mastra_hub_t *hub);

#endif
