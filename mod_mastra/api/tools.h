#ifndef MASTRA_API_TOOLS_H
#define MASTRA_API_TOOLS_H

#include "../http/stream.h"

/* Executes tool (NULL: answers 404) with the body's data, as the answer of
 * req. Returns what the handler returns. */
int mastra_tools_execute(mastra_req_t *req, const mastra_tool_t *tool);

extern const char mastra_tools_execute_body[];

/* A call of tool as work of mastra_work_tool; input was checked. run_id may be
 * NULL. NULL when memory is short. */
void *mastra_tools_work(mastra_tool_env_t *env, const mastra_tool_t *tool,
                        mastra_json_t *input, const char *run_id,
                        const mastra_principal_t *principal);
extern const mastra_work_vtable_t mastra_work_tool;

#endif
