/* The JSON serialiser: compact, as JSON.stringify prints. */

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* begins the strings that are texts of values; no UTF-8 has it */
#define RAW ((char)0xFF)
#define RAW_LIMIT ((apr_size_t)256 * 1024 * 1024)
/* what made a raw text was no deeper than what storage is read with */
#define RAW_DEPTH 1024

/* 17 digits tell any double from its neighbours */
#define DIGITS_MAX 17

static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* also when the module is unloaded at a restart */
static __attribute__((destructor)) void free_c_locale(void)
{
    if (c_locale) {
        freelocale(c_locale);
    }
}

double mastra_text_to_double(const char *text)
{
    pthread_once(&c_locale_once, make_c_locale);
    return c_locale ? strtod_l(text, NULL, c_locale) : strtod(text, NULL);
}

/* The first n digits of value > 0 and its decimal exponent, without the
 * decimal point, which other modules' locales may change. Trailing zeros are
 * dropped. Returns how many digits are left. */
static int take_digits(char *out, int n, int *exponent, double value)
{
    char text[64];
    const char *s;
    int len = 0;

    snprintf(text, sizeof(text), "%.*e", n - 1, value);
    for (s = text; *s && *s != 'e'; s++) {
        if (*s >= '0' && *s <= '9') {
            out[len++] = *s;
        }
    }
    *exponent = *s ? atoi(s + 1) : 0;
    while (len > 1 && out[len - 1] == '0') {
        len--;
    }
    out[len] = '\0';
    return len;
}

static int reads_back(const char *digits, int len, int exponent, double value)
{
    char text[64];

    snprintf(text, sizeof(text), "%se%d", digits, exponent - (len - 1));
    return mastra_text_to_double(text) == value;
}

/* Adds one to the last of n digits, of which zeros at the end were dropped.
 * Not where it carries: that number would have had fewer digits. */
static int round_up(char *digits, int len, int n)
{
    while (len < n) {
        digits[len++] = '0';
    }
    digits[n] = '\0';
    if (digits[n - 1] == '9') {
        return 0;
    }
    digits[n - 1]++;
    return 1;
}

static int shortest_digits(char *out, int *exponent, double value)
{
    /* 15 digits are always kept, but of the smallest numbers fewer */
    int n = value < 2.3e-308 ? 1 : 15, len;

    for (; n < DIGITS_MAX; n++) {
        len = take_digits(out, n, exponent, value);
        if (reads_back(out, len, *exponent, value)) {
            return len;
        }
        /* a power of two is nearer to what is below it: round up instead */
        if (n == DIGITS_MAX - 1 && round_up(out, len, n)
            && reads_back(out, n, *exponent, value)) {
            return n;
        }
    }
    return take_digits(out, n, exponent, value);
}

/* len digits, the point behind digit number point: ECMA-262, Number::toString */
static apr_status_t write_digits(mastra_buf_t *buf, const char *digits,
                                 int len, int point)
{
    static const char zeros[] = "000000000000000000000";

    if (len <= point && point <= 21) {
        return mastra_buf_printf(buf, "%s%.*s", digits, point - len, zeros);
    }
    if (point > 0 && point <= 21) {
        return mastra_buf_printf(buf, "%.*s.%s", point, digits,
                                 digits + point);
    }
    if (point > -6 && point <= 0) {
        return mastra_buf_printf(buf, "0.%.*s%s", -point, zeros, digits);
    }
    return mastra_buf_printf(buf, "%c%s%se%+d", digits[0], len > 1 ? "." : "",
                             digits + 1, point - 1);
}

static apr_status_t write_integer(mastra_buf_t *buf, apr_int64_t value)
{
    apr_uint64_t rest = value < 0 ? 0 - (apr_uint64_t)value
                                  : (apr_uint64_t)value;
    char text[24], *s = text + sizeof(text);

    do {
        *--s = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) {
        *--s = '-';
    }
    return mastra_buf_add(buf, s, text + sizeof(text) - s);
}

/* Appends value as ECMAScript prints it; null for NaN and infinities. */
static apr_status_t put_double(mastra_buf_t *buf, double value)
{
    char digits[DIGITS_MAX + 1];
    int len, exponent;
    apr_status_t rv;

    if (!isfinite(value)) {
        return mastra_buf_add(buf, "null", 4);
    }
    if (value == floor(value) && fabs(value) < 0x1p53) {
        return write_integer(buf, (apr_int64_t)value);
    }
    if (value < 0) {
        rv = mastra_buf_add(buf, "-", 1);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        value = -value;
    }
    len = shortest_digits(digits, &exponent, value);
    return write_digits(buf, digits, len, exponent + 1);
}

/* ---- values ---- */

/* texts of values that were written already and are referred to elsewhere, as
 * the same response stands in a step and beside it: copied, not made again */
#define KEPT_MAX 64
#define KEPT_LEAST 32

typedef struct {
    mastra_buf_t *buf;
    mastra_notes_t *notes;   /* or NULL */
    int looks;               /* some values may be known, or are noted */
    int n;
    struct {
        const mastra_json_t *json;
        apr_size_t at, len;  /* in buf */
    } kept[KEPT_MAX];
} writer_t;

static apr_status_t write_value(writer_t *writer, const mastra_json_t *json);

static apr_status_t write_object(writer_t *writer, const mastra_json_t *json)
{
    mastra_buf_t *buf = writer->buf;
    void *i = mastra_json_iter(json);
    apr_status_t rv = i ? APR_SUCCESS : mastra_buf_add(buf, "{", 1);
    char before = '{';

    while (i && rv == APR_SUCCESS) {
        rv = mastra_buf_json_name(buf, before, mastra_json_key(i),
                                  mastra_json_keylen(i));
        if (rv == APR_SUCCESS) {
            rv = write_value(writer, mastra_json_value(i));
        }
        i = mastra_json_next(json, i);
        before = ',';
    }
    return rv == APR_SUCCESS ? mastra_buf_add(buf, "}", 1) : rv;
}

static apr_status_t write_array(writer_t *writer, const mastra_json_t *json)
{
    mastra_buf_t *buf = writer->buf;
    apr_size_t i, n = mastra_json_size(json);
    apr_status_t rv = mastra_buf_add(buf, "[", 1);

    for (i = 0; i < n && rv == APR_SUCCESS; i++) {
        rv = i ? mastra_buf_add(buf, ",", 1) : APR_SUCCESS;
        if (rv == APR_SUCCESS) {
            rv = write_value(writer, mastra_json_at(json, i));
        }
    }
    return rv == APR_SUCCESS ? mastra_buf_add(buf, "]", 1) : rv;
}

static void keep(writer_t *writer, const mastra_json_t *json, apr_size_t at)
{
    apr_size_t len = writer->buf->len - at;

    if (len >= KEPT_LEAST && writer->n < KEPT_MAX) {
        writer->kept[writer->n].json = json;
        writer->kept[writer->n].at = at;
        writer->kept[writer->n++].len = len;
    }
}

static apr_status_t write_shared(writer_t *writer, const mastra_json_t *json)
{
    mastra_buf_t *buf = writer->buf;
    apr_size_t at = buf->len, len;
    apr_status_t rv;
    int i;

    for (i = 0; i < writer->n; i++) {
        if (writer->kept[i].json == json) {
            len = writer->kept[i].len;
            if (!mastra_buf_reserve(buf, len)) {
                return APR_ENOSPC;
            }
            return mastra_buf_add(buf, buf->data + writer->kept[i].at, len);
        }
    }
    rv = mastra_json_is_object(json) ? write_object(writer, json)
                                     : write_array(writer, json);
    if (rv == APR_SUCCESS) {
        keep(writer, json, at);
    }
    return rv;
}

static apr_status_t write_string(mastra_buf_t *buf, const mastra_json_t *json)
{
    const char *text = mastra_json_str(json);
    apr_size_t len = mastra_json_len(json);

    return *text == RAW ? mastra_buf_add(buf, text + 1, len - 1)
                        : mastra_buf_json_valid(buf, text, len);
}

static apr_status_t write_plain(writer_t *writer, const mastra_json_t *json)
{
    mastra_buf_t *buf = writer->buf;

    switch (mastra_json_type(json)) {
    case MASTRA_JSON_OBJECT:
        return mastra_json_is_shared(json) ? write_shared(writer, json)
                                           : write_object(writer, json);
    case MASTRA_JSON_ARRAY:
        return mastra_json_is_shared(json) ? write_shared(writer, json)
                                           : write_array(writer, json);
    case MASTRA_JSON_STRING:
        return write_string(buf, json);
    case MASTRA_JSON_INTEGER:
        return write_integer(buf, mastra_json_int(json));
    case MASTRA_JSON_REAL:
        return put_double(buf, mastra_json_num(json));
    case MASTRA_JSON_TRUE:
        return mastra_buf_add(buf, "true", 4);
    case MASTRA_JSON_FALSE:
        return mastra_buf_add(buf, "false", 5);
    default:
        return mastra_buf_add(buf, "null", 4);
    }
}

static void note(mastra_notes_t *notes, const mastra_json_t *json,
                 apr_size_t at, apr_size_t len)
{
    if (notes->n == notes->room) {
        int room = notes->room ? 2 * notes->room : 8;
        mastra_written_t *list = realloc(notes->list,
                                         (apr_size_t)room * sizeof(*list));

        if (!list) {
            return;
        }
        notes->list = list;
        notes->room = room;
    }
    notes->list[notes->n].json = json;
    notes->list[notes->n].at = at;
    notes->list[notes->n++].len = len;
}

static int may_be_long(const mastra_json_t *json)
{
    return mastra_json_is_object(json) || mastra_json_is_array(json)
           || mastra_json_len(json) >= MASTRA_JSON_PART;
}

/* Where some values are known, or are to be. */
static apr_status_t write_looking(writer_t *writer, const mastra_json_t *json)
{
    apr_size_t at = writer->buf->len;
    apr_status_t rv;

    if (!may_be_long(json)) {
        return write_plain(writer, json);
    }
    if (mastra_json_maybe_known(json)
        && mastra_json_write_known(&rv, writer->buf, json)) {
        return rv;
    }
    rv = write_plain(writer, json);
    if (writer->notes && rv == APR_SUCCESS
        && writer->buf->len - at >= MASTRA_JSON_PART) {
        note(writer->notes, json, at, writer->buf->len - at);
    }
    return rv;
}

static apr_status_t write_value(writer_t *writer, const mastra_json_t *json)
{
    return writer->looks ? write_looking(writer, json)
                         : write_plain(writer, json);
}

apr_status_t mastra_json_write(mastra_buf_t *buf, const mastra_json_t *json)
{
    writer_t writer;

    writer.buf = buf;
    writer.notes = NULL;
    writer.looks = __atomic_load_n(&mastra_json_nknown, __ATOMIC_ACQUIRE) != 0;
    writer.n = 0;
    return write_value(&writer, json);
}

apr_status_t mastra_json_write_noting(mastra_buf_t *buf,
                                      const mastra_json_t *json,
                                      mastra_notes_t *notes)
{
    writer_t writer;

    writer.buf = buf;
    writer.notes = notes;
    writer.looks = 1;
    writer.n = 0;
    return write_value(&writer, json);
}

/* ---- texts in place of values ---- */

mastra_json_t *mastra_json_raw(const mastra_json_t *json)
{
    static const char mark = RAW;
    mastra_json_t *raw = NULL;
    mastra_buf_t buf;

    mastra_buf_init(&buf, RAW_LIMIT);
    if (mastra_buf_add(&buf, &mark, 1) == APR_SUCCESS
        && mastra_json_write(&buf, json) == APR_SUCCESS) {
        raw = mastra_json_string_valid(buf.data, buf.len);
    }
    mastra_buf_free(&buf);
    return raw;
}

mastra_json_t *mastra_json_raw_text(const char *text, apr_size_t len)
{
    mastra_json_t *raw = NULL;
    char *marked = malloc(len + 1);

    if (marked) {
        *marked = RAW;
        memcpy(marked + 1, text, len);
        raw = mastra_json_string_valid(marked, len + 1);
        free(marked);
    }
    return raw;
}

int mastra_json_is_raw(const mastra_json_t *json)
{
    const char *text = mastra_json_str(json);

    return text && *text == RAW;
}

mastra_json_t *mastra_json_raw_open(mastra_json_t *json)
{
    mastra_json_t *made = NULL;

    if (!mastra_json_is_raw(json)) {
        return mastra_json_ref(json);
    }
    mastra_json_parse(&made, mastra_json_str(json) + 1,
                      mastra_json_len(json) - 1, RAW_DEPTH, NULL);
    return made;
}
