#ifndef MASTRA_API_AGENTS_H
#define MASTRA_API_AGENTS_H

#include "../http/router.h"

/* The agent of the path's :agentId; NULL: answered with *prc. */
const mastra_agent_t *mastra_agents_asked(mastra_req_t *req, int *prc);

/* What GET /agents answers; brief: with ?partial=true. New reference. */
mastra_json_t *mastra_agents_listed(mastra_agent_env_t *env, int brief);

#endif
