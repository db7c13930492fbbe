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

/* strtod as in the "C" locale, whatever the process has set. */
double mastra_text_to_double(const char *text);

/* Writes the character c; returns how many bytes (at most 4). */
int mastra_utf8_encode(char *out, int c);

/* The number that n hex digits at s make, -1 when they are not there. */
int mastra_hex_number(const unsigned char *s, const unsigned char *end, int n);

#endif
