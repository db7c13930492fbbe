#ifndef MASTRA_WORKFLOW_OWNER_H
#define MASTRA_WORKFLOW_OWNER_H

#include <apr_hash.h>

#include "engine.h"

/*
 * Inside workflow/: what a child has of a host's runs, and what it looks after
 * from time to time. Loop thread.
 */
enum {
    MASTRA_BUS_RUN_HALT = MASTRA_BUS_ABOVE,  /* key: id of a run */
    MASTRA_BUS_RUN_PING,                     /* are you there? */
    MASTRA_BUS_RUN_HERE                      /* key: of its log */
};

struct mastra_owner_t {
    mastra_workflow_env_t *env;
    apr_pool_t *pool;
    mastra_loop_t *loop;
    mastra_events_t *events;
    const char *address;
    apr_hash_t *runs;                /* here, by id */
    apr_hash_t *unusable;            /* graphs that name what is not here */
    struct mastra_round_t *round;    /* what goes to storage after this turn */
    apr_hash_t *waits;               /* mastra_wait_t by the id of their run */
    mastra_hub_peer_t peer;
    mastra_timer_t tick, alarm;
    unsigned ticks;
    int searching;
    int claiming;                    /* what a search has found, under way */
    int won;                         /* some of it is this child's now */
    int more;                        /* there were others: it goes on then */
    char *more_of;                   /* of this one, who is dead; or NULL */
    int stopping;                    /* 1: nothing is claimed any more, 2: no
                                        step is begun */
    mastra_msg_t msg;
    struct mastra_owner_stop_t *stop;
};

/* A claim on its way to the loop. */
typedef struct {
    apr_pool_t *pool;
    mastra_workflow_env_t *env;
    mastra_held_t *held;             /* NULL: as graph says */
    const char *graph;               /* text */
    mastra_flow_row_t row;
    mastra_json_t *begin, *rows;
    int begins;                      /* a segment */
    apr_int64_t after;               /* newest chunk in storage */
    mastra_msg_t msg;
} mastra_launch_t;
mastra_launch_t *mastra_launch_make(mastra_workflow_env_t *env);
void mastra_launch_row(mastra_launch_t *launch, const mastra_flow_row_t *row);
void mastra_launch_free(mastra_launch_t *launch);
/* Any thread: the run goes on, on the loop. */
void mastra_launch(mastra_launch_t *launch);

/* ---- act.c ---- */

/* Store thread: a run that nobody else has is canceled, with its snapshot. */
apr_status_t mastra_act_canceled(mastra_db_t *db, const mastra_flow_row_t *row,
                                 apr_pool_t *pool);

/* ---- owner_stop.c ---- */

/* The last run has gone: somebody may wait for that. */
void mastra_owner_maybe_stopped(struct mastra_owner_t *owner);

/* ---- registry.c ---- */

/* A graph that was kept as text. NULL: it cannot be read. */
mastra_held_t *mastra_held_of_graph(mastra_workflow_env_t *env,
                                    const char *hash, const char *text);

#endif
