#ifndef MASTRA_AGENT_NOTED_H
#define MASTRA_AGENT_NOTED_H

#include "internal.h"

/*
 * Where the calls of a run are noted that change the database (store/calls.h),
 * and what that says of a run that ends, or is decided about, before it could
 * tell what they came to.
 */

/* The same for a call that is made again. */
const char *mastra_noted_key(mastra_agent_run_t *run,
                             const mastra_run_tool_t *tool);
const char *mastra_noted_place(mastra_agent_run_t *run,
                               const mastra_run_tool_t *tool);
/* The row of a run that has one. */
mastra_owned_t mastra_noted_owner(const mastra_agent_run_t *run);

/* Inside store jobs. A person declines a call (entry of what the run with this
 * state waits for; the epoch is that of the claim) that was approved before,
 * and made: run->job_error says so, with what it came to. */
apr_status_t mastra_noted_refuse(mastra_agent_run_t *run,
                                 const mastra_json_t *state,
                                 const mastra_json_t *entry, int epoch,
                                 mastra_db_t *db, apr_pool_t *pool);
/* The calls of a run that is cancelled: those that were made have their results
 * in its message. */
apr_status_t mastra_noted_take(mastra_agent_run_t *run, mastra_db_t *db,
                               apr_pool_t *pool);

#endif
