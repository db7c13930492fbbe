#ifndef MASTRA_MODEL_WRITER_H
#define MASTRA_MODEL_WRITER_H

#include "internal.h"

/*
 * Writing of request bodies straight into one buffer. The first failure stays;
 * what is written after it does not matter. Names and items put a comma before
 * themselves where one is due.
 */
typedef struct {
    mastra_buf_t *buf;
    mastra_buf_t scratch;        /* for JSON that is sent as text */
    mastra_model_fail_e fail;
    const char *why;             /* static text, or NULL */
} mastra_writer_t;

void mastra_writer_init(mastra_writer_t *out, mastra_buf_t *buf);
/* Releases the scratch; *pwhy as in mastra_wire_t. */
mastra_model_fail_e mastra_writer_done(mastra_writer_t *out,
                                       const char **pwhy);
void mastra_write_fail(mastra_writer_t *out, mastra_model_fail_e fail,
                       const char *why);
/* The outcome of what was done to a buffer. */
void mastra_write_check(mastra_writer_t *out, apr_status_t rv);

void mastra_write_puts(mastra_writer_t *out, const char *text);
void mastra_write_bytes(mastra_writer_t *out, const char *data,
                        apr_size_t len);
/* As JSON string. */
void mastra_write_text(mastra_writer_t *out, const char *text, apr_size_t len);
void mastra_write_json(mastra_writer_t *out, const mastra_json_t *json);
/* A string value; "" for anything else. */
void mastra_write_str(mastra_writer_t *out, const mastra_json_t *json);
/* json as a JSON text in a string: {"a":1} becomes "{\"a\":1}". */
void mastra_write_as_text(mastra_writer_t *out, const mastra_json_t *json,
                          const char *otherwise);

/* Before an element of an array. */
void mastra_write_item(mastra_writer_t *out);
/* The name of a member and its colon. */
void mastra_write_name(mastra_writer_t *out, const char *name);
/* A member; none for NULL and null. */
void mastra_write_member(mastra_writer_t *out, const char *name,
                         const mastra_json_t *value);
void mastra_write_member_text(mastra_writer_t *out, const char *name,
                              const char *value);

/* The value of a tool result as it goes to models: what a string or a reason
 * says as it is, all else as JSON text. */
void mastra_write_output(mastra_writer_t *out, const mastra_json_t *output);
/* 1 for outputs that tell of a failure. */
int mastra_output_is_error(const mastra_json_t *output);

/* 1 when the member "type" of part is this. */
int mastra_part_type(const mastra_json_t *part, const char *type);
int mastra_message_role(const mastra_json_t *message, const char *role);
/* providerOptions.NAME of a part or message, or NULL. */
const mastra_json_t *mastra_part_options(const mastra_json_t *part,
                                         const char *name);

/* What a tool takes, as the member name: any object when it does not say. */
void mastra_write_input(mastra_writer_t *out, const char *name,
                        const mastra_json_t *tool);
/* The parts of what a user says, each by its function; others fail. */
typedef void (mastra_write_part_cb)(mastra_writer_t *out,
                                    const mastra_json_t *part);
void mastra_write_parts(mastra_writer_t *out, const mastra_json_t *content,
                        mastra_write_part_cb *text, mastra_write_part_cb *file);

/* What an image or file part holds, told apart: a URL, or base64 data. */
typedef struct {
    const char *url;         /* http, https or another scheme; or NULL */
    const char *data;        /* base64, or NULL */
    apr_size_t len;
    char type[128];          /* media type, "" when nobody says */
} mastra_media_t;

void mastra_media_read(mastra_media_t *media, const mastra_json_t *part);
int mastra_media_is(const mastra_media_t *media, const char *prefix);
/* 1 when media has base64 data and a type that can be written as they are;
 * else the failure is noted. */
int mastra_media_has_data(mastra_writer_t *out, const mastra_media_t *media);
/* "data:TYPE;base64,DATA" as a JSON string; has_data came before it. */
void mastra_write_data_url(mastra_writer_t *out, const char *type,
                           const mastra_media_t *media);
/* The base64 data as a JSON string; has_data came before it. */
void mastra_write_data(mastra_writer_t *out, const mastra_media_t *media);
/* The text that the base64 data stands for, as a JSON string. */
void mastra_write_decoded(mastra_writer_t *out, const mastra_media_t *media);

#endif
