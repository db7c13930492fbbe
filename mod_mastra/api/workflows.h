#ifndef MASTRA_API_WORKFLOWS_H
#define MASTRA_API_WORKFLOWS_H

#include "../http/router.h"
#include "../http/stream.h"

/* What the files of workflow routes share. */

/* The workflow that the path names; NULL: *prc is what the handler returns. It
 * is let go of when the request is over. */
const mastra_workflow_t *mastra_api_workflow(mastra_req_t *req, int *prc);
extern const mastra_work_vtable_t mastra_work_wait;

#endif
