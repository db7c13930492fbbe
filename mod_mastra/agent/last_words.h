#ifndef MASTRA_AGENT_LAST_WORDS_H
#define MASTRA_AGENT_LAST_WORDS_H

#include "internal.h"

/*
 * A durable run that streams ends in two transactions: its answer, with which
 * it is kept, and, when its last words are said, the row's and the log's end.
 * Who takes it over in between says what of them is missing.
 */

/* 1: the run is kept with its answer, then says its last words. */
int mastra_last_words_due(const mastra_agent_run_t *run);
/* Loop. What it has said up to its last words is stored, then next; at once
 * where they are not due. */
void mastra_last_words_come(mastra_agent_run_t *run,
                            void (*next)(mastra_agent_run_t *run));
/* The same for a run that is about to save its answer: it is at its end. */
void mastra_durable_finish(mastra_agent_run_t *run,
                           void (*next)(mastra_agent_run_t *run));
/* Inside store jobs: the run ends, or is kept once more for its last words; one
 * that is not durable loses its row. */
apr_status_t mastra_durable_end(mastra_agent_run_t *run, mastra_db_t *db,
                                apr_pool_t *pool);
/* 1: they are to follow the answer (run may be NULL): its log does not end. */
int mastra_last_words_follow(const mastra_agent_run_t *run);
/* What only they need of a run's state, where it has come to them. */
void mastra_last_words_put(mastra_json_t *state, const mastra_agent_run_t *run);
/* 1: they are all that is missing of one that is taken over with this state. */
int mastra_last_words_kept(const mastra_agent_run_t *run,
                           const mastra_json_t *state);
/* Which of those of a run that was taken over are in its log. */
apr_status_t mastra_last_words_heard(mastra_agent_run_t *run,
                                     const mastra_json_t *state,
                                     mastra_db_t *db, apr_pool_t *pool);
/* Loop. The others are said. */
void mastra_last_words_again(mastra_agent_run_t *run);
/* They are said: they, and the end of the run and of its log, are stored before
 * it ends; one without ends at once. */
void mastra_durable_over(mastra_agent_run_t *run);

#endif
