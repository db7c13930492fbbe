#ifndef MASTRA_MODEL_OPENAI_PART_H
#define MASTRA_MODEL_OPENAI_PART_H

#include "writer.h"

/*
 * Writing of one message or part of a chat completions request.
 */

/* providerOptions.openaiCompatible of a message or part, as ,"name":value */
void mastra_openai_extras(mastra_writer_t *out, const mastra_json_t *message);
/* A part of a user's message. */
void mastra_openai_part(mastra_writer_t *out, const mastra_json_t *part);
/* An assistant's message. */
void mastra_openai_assistant(mastra_writer_t *out,
                             const mastra_json_t *message);
/* Tool results, each a message of its own; none are written for none. */
void mastra_openai_results(mastra_writer_t *out, const mastra_json_t *message);

#endif
