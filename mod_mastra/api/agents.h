#ifndef MASTRA_API_AGENTS_H
#define MASTRA_API_AGENTS_H

#include "../http/router.h"

/* What GET /agents answers; brief: with ?partial=true. New reference. */
mastra_json_t *mastra_agents_listed(mastra_agent_env_t *env, int brief);

#endif
