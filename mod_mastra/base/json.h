#ifndef MASTRA_BASE_JSON_H
#define MASTRA_BASE_JSON_H

#include <stdarg.h>

#include <apr_pools.h>
#include <apr_errno.h>

#include "text.h"

/*
 * JSON values: jansson behind one header, so that nothing else includes it.
 * A value is counted (mastra_json_ref / mastra_json_unref, both take NULL); its
 * count is atomic, its content is not: one thread at a time owns a value.
 * "get" functions lend, "set" and "append" functions take over the reference
 * of the value given (also when they fail, or when the value is NULL: then
 * nothing is set). Object members keep the order in which they were set.
 */
typedef struct json_t mastra_json_t;

typedef enum {
    MASTRA_JSON_OBJECT, MASTRA_JSON_ARRAY, MASTRA_JSON_STRING,
    MASTRA_JSON_INTEGER, MASTRA_JSON_REAL, MASTRA_JSON_TRUE,
    MASTRA_JSON_FALSE, MASTRA_JSON_NULL
} mastra_json_type_e;

#define MASTRA_JSON_DEPTH 128        /* default depth of foreign documents */

/* Where and why a text did not parse; position in bytes from 0. */
typedef struct {
    char message[160];
    apr_size_t position;
    int line, column;
} mastra_json_error_t;

/* Parses len bytes. Refused: depth beyond max_depth (0: MASTRA_JSON_DEPTH),
 * invalid UTF-8, NUL and lone surrogates, numbers out of range; duplicate
 * keys keep the last. 1.0 and 1e3 become integers (JavaScript tells no
 * difference), integers beyond 64 bits become reals. APR_EINVAL with *err
 * filled, or APR_SUCCESS with a new reference in *pjson. err may be NULL. */
apr_status_t mastra_json_parse(mastra_json_t **pjson, const char *text,
                               apr_size_t len, int max_depth,
                               mastra_json_error_t *err);

/* The same, but NUL is kept in strings: mastra_json_str shows such a string up
 * to there. For programs that check documents; the server refuses them. */
apr_status_t mastra_json_parse_nul(mastra_json_t **pjson, const char *text,
                                   apr_size_t len, mastra_json_error_t *err);

/* The same as mastra_json_parse at the default depth, but a name that an object
 * has twice is refused: for what is signed, where readers must not differ. */
apr_status_t mastra_json_parse_unique(mastra_json_t **pjson, const char *text,
                                      apr_size_t len,
                                      mastra_json_error_t *err);

/* The same as mastra_json_parse at the default depth, but invalid UTF-8, NUL and
 * lone surrogates become U+FFFD: for texts of others that nobody can correct. */
apr_status_t mastra_json_parse_mended(mastra_json_t **pjson, const char *text,
                                      apr_size_t len,
                                      mastra_json_error_t *err);

/* Appends json to buf, compact, numbers at their shortest as ECMAScript
 * prints them. APR_ENOSPC when the ceiling of buf is met. */
apr_status_t mastra_json_write(mastra_buf_t *buf, const mastra_json_t *json);

/*
 * The text of a value in place of the value, where that is only to be written:
 * mastra_json_write copies it. It is a string that no other string can be, as
 * it begins with a byte that UTF-8 does not know; whoever looks for members
 * finds none. Threads may share it. NULL when memory is short.
 */
mastra_json_t *mastra_json_raw(const mastra_json_t *json);
/* The same of a text that this writer made. */
mastra_json_t *mastra_json_raw_text(const char *text, apr_size_t len);
/* What it is the text of, parsed; of another value a new reference. */
mastra_json_t *mastra_json_raw_open(mastra_json_t *json);

/*
 * Large values, whose printing takes milliseconds, are printed once, by a
 * thread that has the time: from then on mastra_json_write copies that text
 * wherever the value, or a long part of it, stands in what it prints. Such a
 * value must not be changed any more.
 */
#define MASTRA_JSON_LARGE (256 * 1024)   /* bytes of text */
typedef struct mastra_known_t mastra_known_t;
/* Any thread. The text is known until mastra_json_forget; NULL: it is short. */
mastra_known_t *mastra_json_know(mastra_json_t *json);
void mastra_json_forget(mastra_known_t *known);          /* takes NULL */
/* If it is known now, it is so until pool is cleared. */
void mastra_json_know_for(mastra_json_t *json, apr_pool_t *pool);
int mastra_json_is_known(const mastra_json_t *json);

/* Releases a value that may be large: on a thread that has the time, if there
 * is one. Any thread. */
void mastra_json_drop(mastra_json_t *json);
/* That thread: takes the reference over, or says 0. Not called any more once it
 * was taken out (NULL). */
typedef int (mastra_json_drop_cb)(void *baton, mastra_json_t *json);
void mastra_json_drop_set(mastra_json_drop_cb *drop, void *baton);

/* As text in pool; NULL for NULL. */
const char *mastra_json_text(const mastra_json_t *json, apr_pool_t *pool);
/* The same; NULL when it has more than limit bytes. */
const char *mastra_json_text_within(const mastra_json_t *json,
                                    apr_size_t limit, apr_pool_t *pool);

/* As text from malloc (free it), for values that outlive pools. */
char *mastra_json_dup_text(const mastra_json_t *json, apr_size_t *plen);

mastra_json_t *mastra_json_ref(mastra_json_t *json);
void mastra_json_unref(mastra_json_t *json);

/* Releases json when pool is cleared; returns json. */
mastra_json_t *mastra_json_own(mastra_json_t *json, apr_pool_t *pool);

/* New values. String functions copy; invalid UTF-8 is replaced by U+FFFD. */
mastra_json_t *mastra_json_object(void);
mastra_json_t *mastra_json_array(void);
/* The one empty array for where nothing is and will be. It is not counted and
 * must not be changed. */
mastra_json_t *mastra_json_none(void);
mastra_json_t *mastra_json_string(const char *value);   /* NULL: null */
mastra_json_t *mastra_json_stringn(const char *value, apr_size_t len);
mastra_json_t *mastra_json_integer(apr_int64_t value);
mastra_json_t *mastra_json_real(double value);          /* NaN: null */
/* What became of a number that is none; printed as null, not counted. */
mastra_json_t *mastra_json_nan(void);
mastra_json_t *mastra_json_bool(int value);
mastra_json_t *mastra_json_null(void);

/* jansson's pack language: "{s:s, s:i, s:o, s:[s,s], s:s*, s:o*}"; "o" takes
 * over the reference, "O" does not, a star leaves a NULL member out. "I" is
 * json_int_t: cast to apr_int64_t. NULL on a format error. */
mastra_json_t *mastra_json_pack(const char *fmt, ...);

mastra_json_type_e mastra_json_type(const mastra_json_t *json);
int mastra_json_is_object(const mastra_json_t *json);   /* NULL: 0, as all */
int mastra_json_is_raw(const mastra_json_t *json);
/* 1 when there is more than one reference to the value. */
int mastra_json_is_shared(const mastra_json_t *json);
int mastra_json_is_array(const mastra_json_t *json);
int mastra_json_is_string(const mastra_json_t *json);
int mastra_json_is_integer(const mastra_json_t *json);
int mastra_json_is_number(const mastra_json_t *json);
int mastra_json_is_nan(const mastra_json_t *json);
int mastra_json_is_bool(const mastra_json_t *json);
int mastra_json_is_true(const mastra_json_t *json);
int mastra_json_is_null(const mastra_json_t *json);     /* JSON null only */

/* Values of scalars; NULL, 0, 0.0 for other types. Both kinds of numbers are
 * numbers: mastra_json_int cuts a real, mastra_json_num widens an integer. */
const char *mastra_json_str(const mastra_json_t *json);
apr_size_t mastra_json_len(const mastra_json_t *json);  /* bytes of a string */
apr_int64_t mastra_json_int(const mastra_json_t *json);
double mastra_json_num(const mastra_json_t *json);

/* Members. All take NULL and values of other types: then "not there". */
mastra_json_t *mastra_json_get(const mastra_json_t *object, const char *key);
/* mastra_json_path(json, "a", "b", NULL): the value at json.a.b, or NULL */
mastra_json_t *mastra_json_path(const mastra_json_t *json, ...)
    __attribute__((sentinel));
const char *mastra_json_get_str(const mastra_json_t *object, const char *key);
apr_int64_t mastra_json_get_int(const mastra_json_t *object, const char *key,
                                apr_int64_t otherwise);
double mastra_json_get_num(const mastra_json_t *object, const char *key,
                           double otherwise);
int mastra_json_get_bool(const mastra_json_t *object, const char *key,
                         int otherwise);
apr_size_t mastra_json_size(const mastra_json_t *json); /* members, elements */

void mastra_json_set(mastra_json_t *object, const char *key,
                     mastra_json_t *value);
void mastra_json_set_str(mastra_json_t *object, const char *key,
                         const char *value);            /* NULL: not set */
void mastra_json_set_int(mastra_json_t *object, const char *key,
                         apr_int64_t value);
void mastra_json_set_bool(mastra_json_t *object, const char *key, int value);
void mastra_json_del(mastra_json_t *object, const char *key);
/* Sets in object all members of other (shared values). */
void mastra_json_merge(mastra_json_t *object, const mastra_json_t *other);

mastra_json_t *mastra_json_at(const mastra_json_t *array, apr_size_t index);
void mastra_json_append(mastra_json_t *array, mastra_json_t *value);
void mastra_json_insert(mastra_json_t *array, apr_size_t index,
                        mastra_json_t *value);
/* Instead of what is at index. */
void mastra_json_put_at(mastra_json_t *array, apr_size_t index,
                        mastra_json_t *value);
void mastra_json_remove(mastra_json_t *array, apr_size_t index);
void mastra_json_extend(mastra_json_t *array, const mastra_json_t *other);

/* for (i = mastra_json_iter(o); i; i = mastra_json_next(o, i))
 *     mastra_json_key(i), mastra_json_value(i)
 * The object must not be changed meanwhile, but for values of its keys. */
void *mastra_json_iter(const mastra_json_t *object);
void *mastra_json_next(const mastra_json_t *object, void *iter);
const char *mastra_json_key(void *iter);
mastra_json_t *mastra_json_value(void *iter);

mastra_json_t *mastra_json_copy(const mastra_json_t *json);      /* deep */
mastra_json_t *mastra_json_copy_flat(const mastra_json_t *json); /* shallow */
/* Equality as JSON Schema has it: 1 and 1.0 are equal. */
int mastra_json_equal(const mastra_json_t *a, const mastra_json_t *b);

/* Reads and parses a file. On failure err names the position; err->position
 * is 0 and line 0 when the file could not be read. limit in bytes. */
apr_status_t mastra_json_read_file(mastra_json_t **pjson, const char *path,
                                   apr_size_t limit, mastra_json_error_t *err,
                                   apr_pool_t *pool);

#endif
