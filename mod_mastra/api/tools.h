#ifndef MASTRA_API_TOOLS_H
#define MASTRA_API_TOOLS_H

#include "../http/router.h"

/* Executes tool (NULL: answers 404) with the body's data, as the answer of
 * req. Returns what the handler returns. */
int mastra_tools_execute(mastra_req_t *req, const mastra_tool_t *tool);

extern const char mastra_tools_execute_body[];

#endif
