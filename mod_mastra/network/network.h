#ifndef MASTRA_NETWORK_NETWORK_H
#define MASTRA_NETWORK_NETWORK_H

#include "../agent/hub.h"
#include "../run/sink.h"

/*
 * Networks: an agent that chooses, step by step, which of its agents,
 * workflows and tools does what is next, until the task is complete. Loop
 * thread, but for make, take_up and discard. Work of http/stream.h.
 */
typedef struct mastra_network_t mastra_network_t;

/* A run with the options of the network body (already validated). NULL and
 * *perror. */
mastra_network_t *mastra_network_make(mastra_agent_env_t *env,
                                      const mastra_agent_t *agent,
                                      mastra_json_t *options,
                                      const mastra_principal_t *principal,
                                      mastra_result_t **perror,
                                      apr_pool_t *pool);
/* One that waits for a person, who decides {approved?, reason?, resumeData?}:
 * one of several decisions gets it, the others end with a 409 error. */
mastra_network_t *mastra_network_take_up(mastra_agent_env_t *env,
                                         const mastra_agent_t *agent,
                                         const char *run_id,
                                         mastra_json_t *decision,
                                         const mastra_principal_t *principal,
                                         mastra_result_t **perror,
                                         apr_pool_t *pool);
void mastra_network_begin(void *network, mastra_sink_t *sink);
void mastra_network_cancel(void *network);
void mastra_network_resume(void *network);
void mastra_network_discard(void *network);
/* 1: it does not need its client. */
int mastra_network_endures(const mastra_network_t *network);
const char *mastra_network_id(const void *network);
int mastra_network_may_repeat(const void *network);

/* Before the hub is started: runs whose process has gone are gone on with. */
void mastra_network_start(mastra_hub_t *hub, apr_pool_t *pool);

#endif
