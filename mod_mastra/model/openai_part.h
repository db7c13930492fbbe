#ifndef MASTRA_MODEL_OPENAI_PART_H
#define MASTRA_MODEL_OPENAI_PART_H

#include "internal.h"

/*
 * Writing of one message or part of a chat completions request. The first
 * failure stays; what is written after it does not matter.
 */
typedef struct {
    mastra_buf_t *buf;
    mastra_buf_t scratch;        /* for JSON that is sent as text */
    mastra_model_fail_e fail;
    const char *why;             /* static text, or NULL */
} mastra_openai_writer_t;

void mastra_openai_puts(mastra_openai_writer_t *out, const char *text);
void mastra_openai_string(mastra_openai_writer_t *out, const char *text,
                          apr_size_t len);
void mastra_openai_json(mastra_openai_writer_t *out,
                        const mastra_json_t *json);
/* providerOptions.openaiCompatible of a message or part, as ,"name":value */
void mastra_openai_extras(mastra_openai_writer_t *out,
                          const mastra_json_t *message);
/* A part of a user's message. */
void mastra_openai_part(mastra_openai_writer_t *out,
                        const mastra_json_t *part);
/* An assistant's message. */
void mastra_openai_assistant(mastra_openai_writer_t *out,
                             const mastra_json_t *message);
/* Tool results, each a message of its own; none are written for none. */
void mastra_openai_results(mastra_openai_writer_t *out,
                           const mastra_json_t *message);

#endif
