#ifndef MASTRA_BASE_INTERNAL_H
#define MASTRA_BASE_INTERNAL_H

#include "json.h"

/* What the files of base share with each other and with nobody else. */

/* Keys and strings that are known to be valid UTF-8: no second check. The
 * value is taken over. NULL when memory is short. */
mastra_json_t *mastra_json_string_valid(const char *value, apr_size_t len);
int mastra_json_put(mastra_json_t *object, const char *key, apr_size_t len,
                    mastra_json_t *value);
int mastra_json_has(const mastra_json_t *object, const char *key,
                    apr_size_t len);
apr_size_t mastra_json_keylen(void *iter);

/* Appends valid UTF-8 as a JSON string with its quotes. */
apr_status_t mastra_buf_json_valid(mastra_buf_t *buf, const char *text,
                                   apr_size_t len);

/* The same as the name of a member, behind the character before it. */
apr_status_t mastra_buf_json_name(mastra_buf_t *buf, char before,
                                  const char *name, apr_size_t len);

/* strtod as in the "C" locale, whatever the process has set. */
double mastra_text_to_double(const char *text);

/* ---- json_write.c, json_known.c ---- */

/* Long values and where they stand in what was written; free list. */
typedef struct {
    const mastra_json_t *json;
    apr_size_t at, len;
} mastra_written_t;
typedef struct {
    mastra_written_t *list;
    int n, room;
} mastra_notes_t;
/* mastra_json_write, that notes the values of MASTRA_JSON_PART and more. */
apr_status_t mastra_json_write_noting(mastra_buf_t *buf,
                                      const mastra_json_t *json,
                                      mastra_notes_t *notes);

/* A part of a value that is known is worth knowing from this length on. */
#define MASTRA_JSON_PART (64 * 1024)
/* how many are known; 0 nearly always, so that asking costs nothing */
extern apr_uint32_t mastra_json_nknown;
/* 0: json is not known for sure. */
int mastra_json_maybe_known(const mastra_json_t *json);
/* 1: its text was known and is written, with *prv. */
int mastra_json_write_known(apr_status_t *prv, mastra_buf_t *buf,
                            const mastra_json_t *json);
/* json is about to be changed: nothing that it is part of is known any more. */
void mastra_json_changes(const mastra_json_t *json);

/* Writes the character c; returns how many bytes (at most 4). */
int mastra_utf8_encode(char *out, int c);

/* The number that n hex digits at s make, -1 when they are not there. */
int mastra_hex_number(const unsigned char *s, const unsigned char *end, int n);

#endif
