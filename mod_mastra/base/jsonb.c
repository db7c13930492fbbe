/* Decoder of SQLite's binary JSON. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "jsonb.h"

/* SQLite writes no deeper values */
#define DEPTH_MAX 1000
/* no number that SQLite wrote is longer, but foreign digits may be */
#define NUMBER_MAX 4096

/* the low four bits of an element's first byte */
enum {
    TYPE_NULL, TYPE_TRUE, TYPE_FALSE,
    TYPE_INT, TYPE_INT5,                /* as in JSON; hexadecimal */
    TYPE_FLOAT, TYPE_FLOAT5,            /* as in JSON; as in JSON5 */
    TYPE_TEXT,                          /* nothing in it is escaped */
    TYPE_TEXTJ, TYPE_TEXT5,             /* JSON's escapes; JSON5's escapes */
    TYPE_TEXTRAW,                       /* nothing escaped that should be */
    TYPE_ARRAY, TYPE_OBJECT
};

typedef struct {
    int type;
    const unsigned char *data;
    apr_size_t len;
} element_t;

static mastra_json_t *decode(const element_t *element, int depth);

/* Takes the next element from *pat. 0: there is none that fits. */
static int take(element_t *element, const unsigned char **pat,
                const unsigned char *end)
{
    static const unsigned char widths[] = { 1, 2, 4, 8 };
    const unsigned char *at = *pat;
    apr_uint64_t size;
    int width;

    if (at == end) {
        return 0;
    }
    element->type = *at & 15;
    size = *at++ >> 4;
    if (size > 11) {
        width = widths[size - 12];
        if (end - at < width) {
            return 0;
        }
        for (size = 0; width--; at++) {
            size = size << 8 | *at;
        }
    }
    if (size > (apr_uint64_t)(end - at)) {
        return 0;
    }
    element->data = at;
    element->len = (apr_size_t)size;
    *pat = at + size;
    return 1;
}

/* --- numbers ------------------------------------------------------------- */

static mastra_json_t *decode_number(const char *text, apr_size_t len)
{
    mastra_json_t *json;

    if (!strchr("-0123456789", text[0]) || !strchr("0123456789",
                                                   text[len - 1])) {
        return NULL;
    }
    if (mastra_json_parse(&json, text, len, 0, NULL) == APR_SUCCESS) {
        return json;
    }
    /* SQLite writes 9e999 for infinity */
    if (strspn(text, "-+0123456789.eE") == len
        && mastra_text_to_double(text) - mastra_text_to_double(text) != 0) {
        return mastra_json_null();
    }
    return NULL;
}

static mastra_json_t *decode_hex(const char *text)
{
    int negative = *text == '-';
    unsigned long long value;

    text += negative || *text == '+';
    if (text[0] != '0' || (text[1] | 0x20) != 'x' || !text[2]
        || strspn(text + 2, "0123456789abcdefABCDEF") != strlen(text + 2)) {
        return NULL;
    }
    errno = 0;
    value = strtoull(text + 2, NULL, 16);
    if (errno) {
        return NULL;
    }
    if (value > APR_INT64_MAX) {
        return mastra_json_real(negative ? -(double)value : (double)value);
    }
    return mastra_json_integer(negative ? -(apr_int64_t)value
                                        : (apr_int64_t)value);
}

/* .5, 5., +5, 5.e3: as JSON would write them */
static mastra_json_t *decode_float5(const char *text)
{
    char plain[NUMBER_MAX + 4], *out = plain;

    if (!strpbrk(text, "0123456789")) {
        return NULL;
    }
    if (*text == '-' || *text == '+') {
        if (*text == '-') {
            *out++ = '-';
        }
        text++;
    }
    if (*text == '.') {
        *out++ = '0';
    }
    while (*text) {
        *out++ = *text++;
        if (text[-1] == '.' && (*text < '0' || *text > '9')) {
            *out++ = '0';
        }
    }
    *out = '\0';
    return decode_number(plain, out - plain);
}

static mastra_json_t *decode_numeric(const element_t *element)
{
    char text[NUMBER_MAX + 1];

    if (!element->len || element->len > NUMBER_MAX
        || memchr(element->data, 0, element->len)) {
        return NULL;
    }
    memcpy(text, element->data, element->len);
    text[element->len] = '\0';
    if (element->type == TYPE_INT5) {
        return decode_hex(text);
    }
    return element->type == TYPE_FLOAT5 ? decode_float5(text)
                                        : decode_number(text, element->len);
}

/* --- texts --------------------------------------------------------------- */

static apr_status_t add_char(mastra_buf_t *out, int c)
{
    char text[4];

    if (c == 0 || (c >= 0xD800 && c < 0xE000)) {
        c = 0xFFFD;
    }
    return mastra_buf_add(out, text, mastra_utf8_encode(text, c));
}

/* JSON5: what may follow a backslash besides; NULL when it may not */
static const unsigned char *unescape5(mastra_buf_t *out,
                                      const unsigned char *s,
                                      const unsigned char *end)
{
    int c;

    switch (*s) {
    case '\'':
        return add_char(out, '\'') == APR_SUCCESS ? s + 1 : NULL;
    case 'v':
        return add_char(out, '\v') == APR_SUCCESS ? s + 1 : NULL;
    case '0':
        return add_char(out, 0) == APR_SUCCESS ? s + 1 : NULL;
    case 'x':
        c = mastra_hex_number(s + 1, end, 2);
        return c >= 0 && add_char(out, c) == APR_SUCCESS ? s + 3 : NULL;
    case '\r':
        /* a line that goes on */
        return s + 1 < end && s[1] == '\n' ? s + 2 : s + 1;
    case '\n':
        return s + 1;
    default:
        /* likewise U+2028 and U+2029 */
        return end - s >= 3 && s[0] == 0xE2 && s[1] == 0x80
               && (s[2] | 1) == 0xA9 ? s + 3 : NULL;
    }
}

/* s is behind the backslash; returns where to go on, NULL after a fault */
static const unsigned char *unescape(mastra_buf_t *out, const unsigned char *s,
                                     const unsigned char *end, int five)
{
    static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *name;
    int c, low;

    if (s == end) {
        return NULL;
    }
    if (*s == 'u') {
        c = mastra_hex_number(s + 1, end, 4);
        s += 5;
        if (c >= 0xD800 && c < 0xDC00 && end - s >= 6 && s[0] == '\\'
            && s[1] == 'u') {
            low = mastra_hex_number(s + 2, end, 4);
            if (low >= 0xDC00 && low < 0xE000) {
                c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                s += 6;
            }
        }
        return c >= 0 && add_char(out, c) == APR_SUCCESS ? s : NULL;
    }
    name = *s ? strchr(names, *s) : NULL;
    if (name) {
        return add_char(out, meant[name - names]) == APR_SUCCESS ? s + 1
                                                                 : NULL;
    }
    return five ? unescape5(out, s, end) : NULL;
}

static apr_status_t text_of(mastra_buf_t *out, const element_t *element)
{
    int escaped = element->type == TYPE_TEXTJ || element->type == TYPE_TEXT5;
    const unsigned char *s = element->data, *end = s + element->len, *run;
    apr_status_t rv;

    while (s < end) {
        for (run = s; s < end && *s && !(escaped && *s == '\\'); s++) {
        }
        rv = mastra_buf_utf8(out, (const char *)run, s - run);
        if (rv != APR_SUCCESS || s == end) {
            return rv;
        }
        if (!*s) {
            rv = add_char(out, 0);
            s++;
        }
        else {
            s = unescape(out, s + 1, end, element->type == TYPE_TEXT5);
        }
        if (!s || rv != APR_SUCCESS) {
            return APR_EINVAL;
        }
    }
    return APR_SUCCESS;
}

static mastra_json_t *decode_text(const element_t *element)
{
    mastra_json_t *json = NULL;
    mastra_buf_t out;

    mastra_buf_init(&out, element->len * 3);
    if (text_of(&out, element) == APR_SUCCESS) {
        json = mastra_json_string_valid(out.len ? out.data : "", out.len);
    }
    mastra_buf_free(&out);
    return json;
}

/* --- values -------------------------------------------------------------- */

static mastra_json_t *decode_array(const element_t *element, int depth)
{
    const unsigned char *at = element->data, *end = at + element->len;
    mastra_json_t *array = mastra_json_array(), *value;
    element_t member;

    while (at < end) {
        value = take(&member, &at, end) ? decode(&member, depth) : NULL;
        if (!value) {
            mastra_json_unref(array);
            return NULL;
        }
        mastra_json_append(array, value);
    }
    return array;
}

static int decode_member(mastra_json_t *object, const unsigned char **pat,
                         const unsigned char *end, int depth)
{
    mastra_json_t *value = NULL;
    element_t label, member;
    mastra_buf_t key;
    int done = 0;

    if (!take(&label, pat, end) || label.type < TYPE_TEXT
        || label.type > TYPE_TEXTRAW || !take(&member, pat, end)) {
        return 0;
    }
    mastra_buf_init(&key, label.len * 3);
    if (text_of(&key, &label) == APR_SUCCESS) {
        value = decode(&member, depth);
    }
    if (value) {
        done = mastra_json_put(object, key.len ? key.data : "", key.len,
                               value);
    }
    mastra_buf_free(&key);
    return done;
}

static mastra_json_t *decode_object(const element_t *element, int depth)
{
    const unsigned char *at = element->data, *end = at + element->len;
    mastra_json_t *object = mastra_json_object();

    while (at < end) {
        if (!decode_member(object, &at, end, depth)) {
            mastra_json_unref(object);
            return NULL;
        }
    }
    return object;
}

static mastra_json_t *decode(const element_t *element, int depth)
{
    if (depth == 0) {
        return NULL;
    }
    switch (element->type) {
    case TYPE_NULL:
        return element->len ? NULL : mastra_json_null();
    case TYPE_TRUE:
    case TYPE_FALSE:
        return element->len ? NULL
                            : mastra_json_bool(element->type == TYPE_TRUE);
    case TYPE_INT:
    case TYPE_INT5:
    case TYPE_FLOAT:
    case TYPE_FLOAT5:
        return decode_numeric(element);
    case TYPE_TEXT:
    case TYPE_TEXTJ:
    case TYPE_TEXT5:
    case TYPE_TEXTRAW:
        return decode_text(element);
    case TYPE_ARRAY:
        return decode_array(element, depth - 1);
    case TYPE_OBJECT:
        return decode_object(element, depth - 1);
    default:
        return NULL;
    }
}

apr_status_t mastra_jsonb_decode(mastra_json_t **pjson,
                                 const unsigned char *data, apr_size_t len)
{
    const unsigned char *at = data;
    mastra_json_t *json;
    element_t element;

    if (!data || !take(&element, &at, data + len) || at != data + len) {
        return APR_EINVAL;
    }
    json = decode(&element, DEPTH_MAX);
    if (!json) {
        return APR_EINVAL;
    }
    *pjson = json;
    return APR_SUCCESS;
}
