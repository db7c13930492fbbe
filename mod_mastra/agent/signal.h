#ifndef MASTRA_AGENT_SIGNAL_H
#define MASTRA_AGENT_SIGNAL_H

#include "../base/json.h"
#include "../base/result.h"

/*
 * Signals: messages that reach a thread from outside its run. Pure functions
 * over JSON, any thread. A signal is {contents, type, tagName, id, createdAt,
 * acceptedAt, attributes?, metadata?, providerOptions?, transient?}.
 */

/* The signal of a request: input is {contents, type?, …}, or the contents
 * alone; what is missing is filled in, more are attributes on top of its own
 * (or NULL). NULL and *perror for names that XML does not take. */
mastra_json_t *mastra_signal_make(mastra_json_t *input,
                                  const mastra_json_t *more, apr_time_t now,
                                  mastra_result_t **perror, apr_pool_t *pool);

/* As a message of format 2 with the role "signal". */
mastra_json_t *mastra_signal_message(const mastra_json_t *signal,
                                     const char *thread_id,
                                     const char *resource_id, apr_time_t now,
                                     apr_pool_t *pool);
int mastra_signal_is_transient(const mastra_json_t *message);
/* The chunk that shows such a message to who watches the run. */
mastra_json_t *mastra_signal_chunk(const mastra_json_t *message,
                                   const char *run_id);
/* The parts that a model sees instead of the message's own. */
mastra_json_t *mastra_signal_parts(const mastra_json_t *message);

#endif
