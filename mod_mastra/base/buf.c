/* The growing buffer, UTF-8 checks and JSON string escapes. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "internal.h"

#define BUF_FIRST 256

static const char replacement[] = "\xEF\xBF\xBD";

void mastra_buf_init(mastra_buf_t *buf, apr_size_t limit)
{
    buf->data = NULL;
    buf->len = 0;
    buf->size = 0;
    buf->limit = limit;
}

void mastra_buf_free(mastra_buf_t *buf)
{
    free(buf->data);
    mastra_buf_init(buf, buf->limit);
}

void mastra_buf_reset(mastra_buf_t *buf)
{
    buf->len = 0;
    if (buf->data) {
        buf->data[0] = '\0';
    }
}

void mastra_buf_consume(mastra_buf_t *buf, apr_size_t n)
{
    if (n >= buf->len) {
        mastra_buf_reset(buf);
        return;
    }
    buf->len -= n;
    memmove(buf->data, buf->data + n, buf->len + 1);
}

static apr_status_t enlarge(mastra_buf_t *buf, apr_size_t n)
{
    apr_size_t need, size;
    char *data;

    if (n > buf->limit || buf->len > buf->limit - n) {
        return APR_ENOSPC;
    }
    need = buf->len + n + 1;
    size = buf->size ? buf->size : BUF_FIRST;
    if (size > buf->limit) {
        size = buf->limit + 1;
    }
    while (size < need) {
        size = size > buf->limit / 2 ? buf->limit + 1 : size * 2;
    }
    data = realloc(buf->data, size);
    if (!data) {
        return APR_ENOMEM;
    }
    buf->data = data;
    buf->size = size;
    return APR_SUCCESS;
}

/* What is allocated is never more than limit and the NUL: what fits in there
 * needs no other check. */
static inline apr_status_t grow(mastra_buf_t *buf, apr_size_t n)
{
    return n < buf->size - buf->len ? APR_SUCCESS : enlarge(buf, n);
}

apr_status_t mastra_buf_add(mastra_buf_t *buf, const char *data,
                            apr_size_t len)
{
    apr_status_t rv = grow(buf, len);

    if (rv == APR_SUCCESS) {
        if (len) {
            memcpy(buf->data + buf->len, data, len);
        }
        buf->len += len;
        buf->data[buf->len] = '\0';
    }
    return rv;
}

apr_status_t mastra_buf_puts(mastra_buf_t *buf, const char *text)
{
    return mastra_buf_add(buf, text, strlen(text));
}

apr_status_t mastra_buf_printf(mastra_buf_t *buf, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    char *end;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0) {
        return APR_EINVAL;
    }
    if ((apr_size_t)n < sizeof(text)) {
        return mastra_buf_add(buf, text, n);
    }
    end = mastra_buf_reserve(buf, n);
    if (!end) {
        return (apr_size_t)n > buf->limit - buf->len ? APR_ENOSPC : APR_ENOMEM;
    }
    va_start(ap, fmt);
    vsnprintf(end, (apr_size_t)n + 1, fmt, ap);
    va_end(ap);
    buf->len += n;
    return APR_SUCCESS;
}

char *mastra_buf_reserve(mastra_buf_t *buf, apr_size_t n)
{
    if (grow(buf, n) != APR_SUCCESS) {
        return NULL;
    }
    buf->data[buf->len] = '\0';
    return buf->data + buf->len;
}

char *mastra_buf_detach(mastra_buf_t *buf, apr_size_t *plen)
{
    char *data = NULL;

    /* an empty text is still a text */
    if (mastra_buf_reserve(buf, 0)) {
        data = buf->data;
        if (plen) {
            *plen = buf->len;
        }
        mastra_buf_init(buf, buf->limit);
    }
    return data;
}

/* How many continuation bytes follow lead, and what the first may be. */
static int utf8_shape(unsigned char lead, unsigned char *low,
                      unsigned char *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
        return 1;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        *low = lead == 0xE0 ? 0xA0 : 0x80;      /* no overlong form */
        *high = lead == 0xED ? 0x9F : 0xBF;     /* no surrogate */
        return 2;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        *low = lead == 0xF0 ? 0x90 : 0x80;
        *high = lead == 0xF4 ? 0x8F : 0xBF;     /* up to U+10FFFF */
        return 3;
    }
    return 0;
}

/* Length of the valid UTF-8 sequence at text, 0 when there is none; *pbad:
 * bytes that one U+FFFD stands for then. */
static int sequence(const unsigned char *text, apr_size_t len, int *pbad)
{
    unsigned char low, high;
    int i, more;

    if (text[0] < 0x80) {
        return 1;
    }
    more = utf8_shape(text[0], &low, &high);
    for (i = 1; i <= more; i++) {
        if ((apr_size_t)i >= len || text[i] < low || text[i] > high) {
            break;
        }
        low = 0x80;
        high = 0xBF;
    }
    if (!more || i <= more) {
        *pbad = i;
        return 0;
    }
    return more + 1;
}

int mastra_utf8_encode(char *out, int c)
{
    int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

    if (n == 1) {
        out[0] = (char)c;
        return 1;
    }
    for (i = n - 1; i > 0; i--, c >>= 6) {
        out[i] = (char)(0x80 | (c & 0x3F));
    }
    /* as many ones as bytes, then a zero */
    out[0] = (char)(0xF00 >> n | c);
    return n;
}

/* How many bytes from s on are ASCII, looked at by eights. */
static inline apr_size_t ascii_run(const unsigned char *s, apr_size_t len)
{
    apr_size_t i = 0;
    apr_uint64_t word;

    for (; len - i >= sizeof(word); i += sizeof(word)) {
        memcpy(&word, s + i, sizeof(word));
        if (word & APR_UINT64_C(0x8080808080808080)) {
            break;
        }
    }
    while (i < len && s[i] < 0x80) {
        i++;
    }
    return i;
}

apr_size_t mastra_text_utf8_valid(const char *text, apr_size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    apr_size_t i = ascii_run(s, len);
    int bad, n;

    while (i < len) {
        n = sequence(s + i, len - i, &bad);
        if (!n) {
            break;
        }
        i += n;
        i += ascii_run(s + i, len - i);
    }
    return i;
}

apr_status_t mastra_buf_utf8(mastra_buf_t *buf, const char *text,
                             apr_size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    apr_status_t rv;
    apr_size_t n;
    int bad;

    for (;;) {
        n = mastra_text_utf8_valid((const char *)s, len);
        rv = mastra_buf_add(buf, (const char *)s, n);
        if (rv != APR_SUCCESS || n == len) {
            return rv;
        }
        s += n;
        len -= n;
        sequence(s, len, &bad);
        s += bad;
        len -= bad;
        rv = mastra_buf_puts(buf, replacement);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
}

/* 0: as it is; 'u': as \u00XX; else the letter behind the backslash. */
static const char escapes[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    'u', 'u', ['"'] = '"', ['\\'] = '\\'
};

static apr_size_t escape_one(char *out, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";

    out[0] = '\\';
    out[1] = escapes[c];
    if (escapes[c] != 'u') {
        return 2;
    }
    out[2] = out[3] = '0';
    out[4] = digits[c >> 4];
    out[5] = digits[c & 15];
    return 6;
}

#define EACH_BYTE(c) (APR_UINT64_C(0x0101010101010101) * (c))
/* the high bit of a byte, in any of which value is less than n (up to 128) */
#define ANY_BELOW(word, n) \
    (((word) - EACH_BYTE(n)) & ~(word) & EACH_BYTE(0x80))

/* 1 when one of eight bytes does not stand for itself. */
static inline int has_special(apr_uint64_t word)
{
    return (ANY_BELOW(word, 0x20) | ANY_BELOW(word ^ EACH_BYTE('"'), 1)
            | ANY_BELOW(word ^ EACH_BYTE('\\'), 1)) != 0;
}

/* Copies STEP bytes and shows which do not stand for themselves, the first in
 * the lowest bit. */
#ifdef __SSE2__
#define STEP 16
static inline unsigned copy_step(char *out, const char *text)
{
    __m128i chars = _mm_loadu_si128((const __m128i *)text), special;

    _mm_storeu_si128((__m128i *)out, chars);
    special = _mm_cmpeq_epi8(_mm_min_epu8(chars, _mm_set1_epi8(0x1F)), chars);
    special = _mm_or_si128(special, _mm_cmpeq_epi8(chars, _mm_set1_epi8('"')));
    special = _mm_or_si128(special,
                           _mm_cmpeq_epi8(chars, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(special);
}
#else
#define STEP 8
static inline unsigned copy_step(char *out, const char *text)
{
    unsigned mask = 0, i;
    apr_uint64_t word;

    memcpy(&word, text, sizeof(word));
    memcpy(out, &word, sizeof(word));
    for (i = 0; has_special(word) && i < STEP; i++) {
        mask |= (escapes[(unsigned char)text[i]] != 0) << i;
    }
    return mask;
}
#endif

/* Copies 4 to 16 bytes, when all stand for themselves: both ends, which may
 * overlap. */
static inline int copy_ends(char *out, const char *text, apr_size_t len)
{
    apr_uint64_t first, last;
    apr_uint32_t low, high;

    if (len >= 8) {
        memcpy(&first, text, 8);
        memcpy(&last, text + len - 8, 8);
        memcpy(out, &first, 8);
        memcpy(out + len - 8, &last, 8);
        return !has_special(first) && !has_special(last);
    }
    memcpy(&low, text, 4);
    memcpy(&high, text + len - 4, 4);
    memcpy(out, &low, 4);
    memcpy(out + len - 4, &high, 4);
    return !has_special((apr_uint64_t)high << 32 | low);
}

/* Copies what stands for itself up to the first byte that does not; returns
 * how much that was. Up to len bytes of out are written to. */
static inline apr_size_t copy_plain(char *out, const char *text,
                                    apr_size_t len)
{
    apr_size_t i = 0;
    unsigned special;

    for (; len - i >= STEP; i += STEP) {
        special = copy_step(out + i, text + i);
        if (special) {
            return i + __builtin_ctz(special);
        }
    }
    if (len - i >= 4 && copy_ends(out + i, text + i, len - i)) {
        return len;
    }
    for (; i < len && !escapes[(unsigned char)text[i]]; i++) {
        out[i] = text[i];
    }
    return i;
}

/* text in quotes, between two other characters (NUL: none). */
static apr_status_t add_quoted(mastra_buf_t *buf, char before,
                               const char *text, apr_size_t len, char after)
{
    apr_size_t start = buf->len, closing = 1 + (after != 0), done;
    apr_status_t rv = grow(buf, len + 1 + (before != 0) + closing);
    unsigned char c;
    char *end;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    end = buf->data + start;
    *end = before;
    end += before != 0;
    *end++ = '"';
    done = copy_plain(end, text, len);
    end += done;
    while (done < len) {
        c = (unsigned char)text[done++];
        buf->len = end - buf->data;
        rv = grow(buf, (escapes[c] == 'u' ? 6 : 2) + len - done + closing);
        if (rv != APR_SUCCESS) {
            buf->len = start;
            buf->data[start] = '\0';
            return rv;
        }
        end = buf->data + buf->len;
        end += escape_one(end, c);
        text += done;
        len -= done;
        done = copy_plain(end, text, len);
        end += done;
    }
    *end++ = '"';
    *end = after;
    end += after != 0;
    *end = '\0';
    buf->len = end - buf->data;
    return APR_SUCCESS;
}

apr_status_t mastra_buf_json_valid(mastra_buf_t *buf, const char *text,
                                   apr_size_t len)
{
    return add_quoted(buf, '\0', text, len, '\0');
}

apr_status_t mastra_buf_json_name(mastra_buf_t *buf, char before,
                                  const char *name, apr_size_t len)
{
    return add_quoted(buf, before, name, len, ':');
}

apr_status_t mastra_buf_json_string(mastra_buf_t *buf, const char *text,
                                    apr_size_t len)
{
    mastra_buf_t clean;
    apr_status_t rv;

    if (mastra_text_utf8_valid(text, len) == len) {
        return mastra_buf_json_valid(buf, text, len);
    }
    /* U+FFFD is longer than what it stands for: three bytes for one */
    mastra_buf_init(&clean, len * 3);
    rv = mastra_buf_utf8(&clean, text, len);
    if (rv == APR_SUCCESS) {
        rv = mastra_buf_json_valid(buf, clean.data, clean.len);
    }
    mastra_buf_free(&clean);
    return rv;
}
