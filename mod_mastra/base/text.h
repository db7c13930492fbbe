#ifndef MASTRA_BASE_TEXT_H
#define MASTRA_BASE_TEXT_H

#include <stdarg.h>

#include <apr_pools.h>
#include <apr_errno.h>
#include <apr_time.h>

/*
 * A growing byte buffer from malloc with a ceiling. Zero-filled is not a
 * valid buffer: call mastra_buf_init. data is NUL-terminated once something
 * was appended. One thread at a time.
 */
typedef struct {
    char *data;
    apr_size_t len;
    apr_size_t size;     /* allocated */
    apr_size_t limit;    /* ceiling in bytes */
} mastra_buf_t;

void mastra_buf_init(mastra_buf_t *buf, apr_size_t limit);
void mastra_buf_free(mastra_buf_t *buf);           /* usable again after it */
void mastra_buf_reset(mastra_buf_t *buf);          /* empties, keeps memory */
/* Drops n bytes from the front. */
void mastra_buf_consume(mastra_buf_t *buf, apr_size_t n);
/* APR_ENOSPC when the ceiling would be passed (nothing is appended then),
 * APR_ENOMEM when memory is short. */
apr_status_t mastra_buf_add(mastra_buf_t *buf, const char *data,
                            apr_size_t len);
apr_status_t mastra_buf_puts(mastra_buf_t *buf, const char *text);
apr_status_t mastra_buf_printf(mastra_buf_t *buf, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Makes room for n more bytes and returns where they go; add them by len. */
char *mastra_buf_reserve(mastra_buf_t *buf, apr_size_t n);
/* Gives the memory away (free it) and leaves an empty buffer. */
char *mastra_buf_detach(mastra_buf_t *buf, apr_size_t *plen);

/* Appends text, U+FFFD in place of invalid UTF-8. */
apr_status_t mastra_buf_utf8(mastra_buf_t *buf, const char *text,
                             apr_size_t len);
/* Appends text as a JSON string with its quotes; invalid UTF-8 becomes
 * U+FFFD. */
apr_status_t mastra_buf_json_string(mastra_buf_t *buf, const char *text,
                                    apr_size_t len);

#define MASTRA_UUID_LEN 36
/* A random UUID, version 4, from OpenSSL's generator. out: 37 bytes. */
void mastra_text_uuid(char *out);
const char *mastra_text_uuid_make(apr_pool_t *pool);
/* One of version 7, which begins with the time: what has such an id stands in
 * a database's index beside what was made when it was. */
const char *mastra_text_uuid_timed(apr_pool_t *pool);
/* n random bytes as 2n lower-case hex digits and NUL. */
void mastra_text_random_hex(char *out, apr_size_t n);

/* The SHA-256 of data in lower-case hex. */
const char *mastra_text_sha256(const char *data, apr_size_t len,
                               apr_pool_t *pool);

void mastra_text_hex(char *out, const unsigned char *data, apr_size_t len);
/* base64url without padding; strict decoding (RFC 4648 section 5): APR_EINVAL
 * for foreign characters, padding or non-zero trailing bits. */
const char *mastra_text_base64url(const unsigned char *data, apr_size_t len,
                                  apr_pool_t *pool);
apr_status_t mastra_text_base64url_decode(unsigned char **pdata,
                                          apr_size_t *plen, const char *text,
                                          apr_size_t len, apr_pool_t *pool);
/* Standard or url alphabet, padding optional: what browsers send. */
apr_status_t mastra_text_base64_decode(unsigned char **pdata, apr_size_t *plen,
                                       const char *text, apr_size_t len,
                                       apr_pool_t *pool);

#define MASTRA_ISO_LEN 24
/* "2026-11-22T01:35:01.428Z": UTC with milliseconds. out: 25 bytes. */
void mastra_text_iso(char *out, apr_time_t t);
const char *mastra_text_iso_make(apr_pool_t *pool, apr_time_t t);
/* Dates as JavaScript's Date prints them, with Z or an offset, with or
 * without milliseconds, and the date alone. APR_EINVAL else. */
apr_status_t mastra_text_iso_parse(apr_time_t *pt, const char *text);
/* Milliseconds of the epoch. */
apr_int64_t mastra_text_now_ms(void);

/* Bytes up to the first invalid UTF-8 sequence; len when all is valid. */
apr_size_t mastra_text_utf8_valid(const char *text, apr_size_t len);
/* Compares in time that depends on alen only. */
int mastra_text_equal_secret(const char *a, apr_size_t alen, const char *b,
                             apr_size_t blen);
/* Percent-decoding of one path segment or query part (plus: '+' is space).
 * APR_EINVAL for a bad escape, an encoded NUL or invalid UTF-8. */
apr_status_t mastra_text_url_decode(const char **pout, const char *text,
                                    apr_size_t len, int plus,
                                    apr_pool_t *pool);
/* 1: the address scheme://[user@]host[:port]… has no port, or one from 1 to
 * 65535. What stands before the host is not looked at. */
int mastra_text_url_port(const char *url);

#endif
