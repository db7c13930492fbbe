#ifndef MASTRA_MODEL_ANTHROPIC_PART_H
#define MASTRA_MODEL_ANTHROPIC_PART_H

#include "writer.h"

/* The members "system" and "messages". reasoning 0: thoughts stay here. */
void mastra_anthropic_messages(mastra_writer_t *out,
                               const mastra_json_t *prompt, int reasoning);
/* The member cache_control that providerOptions.anthropic asks for. */
void mastra_anthropic_cache(mastra_writer_t *out, const mastra_json_t *part);

#endif
