/* The JSON parser: bounded depth, exact positions, V8's words for faults. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* a depth that the stack of any thread holds, whatever callers ask */
#define DEPTH_MAX 2048
/* how much of the text V8 shows on either side of a fault */
#define CONTEXT 10

/* what else than the default is wanted */
enum { KEEP_NUL = 1, UNIQUE_NAMES = 2, MEND = 4 };

typedef struct {
    const unsigned char *text, *end, *at;
    mastra_buf_t scratch;    /* strings with escapes, texts of numbers */
    int depth;               /* levels still allowed */
    int flags;
    mastra_json_error_t *err;
} parser_t;

static mastra_json_t *parse_value(parser_t *p);

/* --- faults -------------------------------------------------------------- */

/* JavaScript counts UTF-16 units: two for what takes four bytes here. */
static apr_size_t utf16_units(const unsigned char *s, const unsigned char *end)
{
    apr_size_t n = 0;

    for (; s < end; s++) {
        n += (*s & 0xC0) != 0x80;
        n += *s >= 0xF0;
    }
    return n;
}

static void locate(parser_t *p, const unsigned char *at)
{
    const unsigned char *line = p->text, *s;

    p->err->position = at - p->text;
    p->err->line = 1;
    for (s = p->text; s < at; s++) {
        if (*s == '\n') {
            p->err->line++;
            line = s + 1;
        }
    }
    p->err->column = (int)utf16_units(line, at) + 1;
}

/* "what in JSON at position 7 (line 1 column 8)"; returns NULL */
static mastra_json_t *fail(parser_t *p, const unsigned char *at,
                           const char *what)
{
    if (p->err) {
        locate(p, at);
        snprintf(p->err->message, sizeof(p->err->message),
                 "%s at position %lu (line %d column %d)", what,
                 (unsigned long)utf16_units(p->text, at), p->err->line,
                 p->err->column);
    }
    return NULL;
}

static const unsigned char *step(const unsigned char *s,
                                 const unsigned char *end, int units)
{
    while (units > 0 && s < end) {
        units -= *s >= 0xF0 ? 2 : 1;
        do {
            s++;
        } while (s < end && (*s & 0xC0) == 0x80);
    }
    return s;
}

static const unsigned char *step_back(const unsigned char *s,
                                      const unsigned char *start, int units)
{
    while (units > 0 && s > start) {
        do {
            s--;
        } while (s > start && (*s & 0xC0) == 0x80);
        units -= *s >= 0xF0 ? 2 : 1;
    }
    return s;
}

static mastra_json_t *fail_token(parser_t *p)
{
    const unsigned char *from = p->text, *to = p->end, *at = p->at, *next;
    const char *before = "", *after = "";

    if (!p->err) {
        return NULL;
    }
    if (at == p->end) {
        locate(p, at);
        strcpy(p->err->message, "Unexpected end of JSON input");
        return NULL;
    }
    if (*at == '"') {
        return fail(p, at, "Unexpected string in JSON");
    }
    if ((*at >= '0' && *at <= '9') || *at == '-') {
        return fail(p, at, "Unexpected number in JSON");
    }
    locate(p, at);
    if (utf16_units(from, to) > 2 * CONTEXT) {
        from = step_back(at, p->text, CONTEXT);
        to = step(at, p->end, CONTEXT);
        before = utf16_units(p->text, at) >= CONTEXT ? "..." : "";
        after = utf16_units(at, p->end) > CONTEXT ? "..." : "";
    }
    next = step(at, p->end, 1);
    snprintf(p->err->message, sizeof(p->err->message),
             "Unexpected token '%.*s', %s\"%.*s\"%s is not valid JSON",
             (int)(next - at), at, before, (int)(to - from), from, after);
    return NULL;
}

/* --- strings ------------------------------------------------------------- */

/* *ps is behind "\u"; NULL after a fault */
static char *unescape_unicode(parser_t *p, const unsigned char **ps, char *out)
{
    const unsigned char *s = *ps;
    int c = mastra_hex_number(s, p->end, 4), low;

    if (c < 0) {
        while (mastra_hex_number(s, p->end, 1) >= 0) {
            s++;
        }
        fail(p, s, "Bad Unicode escape in JSON");
        return NULL;
    }
    s += 4;
    if (c >= 0xD800 && c < 0xDC00 && p->end - s >= 6 && s[0] == '\\'
        && s[1] == 'u'
        && (low = mastra_hex_number(s + 2, p->end, 4)) >= 0xDC00
        && low < 0xE000) {
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        s += 6;
    }
    if ((c == 0 && !(p->flags & KEEP_NUL)) || (c >= 0xD800 && c < 0xE000)) {
        if (!(p->flags & MEND)) {
            fail(p, *ps - 2, c ? "Lone surrogate in JSON" : "NUL in JSON");
            return NULL;
        }
        c = 0xFFFD;
    }
    *ps = s;
    return out + mastra_utf8_encode(out, c);
}

static char *unescape(parser_t *p, const unsigned char **ps, char *out)
{
    static const char plain[256] = {
        ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f',
        ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'
    };
    const unsigned char *s = *ps + 1;

    if (s < p->end && *s == 'u') {
        *ps = s + 1;
        return unescape_unicode(p, ps, out);
    }
    if (s == p->end || !plain[*s]) {
        p->at = s;
        if (s == p->end) {
            fail_token(p);
        }
        else {
            fail(p, s, "Bad escaped character in JSON");
        }
        return NULL;
    }
    *out++ = plain[*s];
    *ps = s + 1;
    return out;
}

static const unsigned char *plain_run(parser_t *p, const unsigned char *s,
                                      int *high)
{
    while (s < p->end && *s >= 0x20 && *s != '"' && *s != '\\') {
        *high |= *s++;
    }
    return s;
}

/* Copies the string from *ps on, where a backslash was seen, to scratch. */
static int copy_escaped(parser_t *p, const unsigned char **ps, int *high)
{
    const unsigned char *s = *ps, *start = p->at + 1, *close = s;
    char *out;

    /* the text between the quotes is never shorter than what it means */
    while (close < p->end && *close != '"') {
        close += *close == '\\' ? 2 : 1;
    }
    mastra_buf_reset(&p->scratch);
    out = mastra_buf_reserve(&p->scratch, (close < p->end ? close : p->end)
                                          - start);
    if (!out) {
        return 0;
    }
    memcpy(out, start, s - start);
    out += s - start;
    while (s < p->end && *s == '\\') {
        const unsigned char *run;

        out = unescape(p, &s, out);
        if (!out) {
            return 0;
        }
        run = s;
        s = plain_run(p, s, high);
        memcpy(out, run, s - run);
        out += s - run;
    }
    p->scratch.len = out - p->scratch.data;
    *ps = s;
    return 1;
}

/* The string at p->at; lent until the next. 0 after a fault. */
static int parse_string(parser_t *p, const char **pvalue, apr_size_t *plen)
{
    const unsigned char *start = p->at + 1, *s;
    apr_size_t valid;
    int high = 0;

    s = plain_run(p, start, &high);
    *pvalue = (const char *)start;
    *plen = s - start;
    if (s < p->end && *s == '\\') {
        if (!copy_escaped(p, &s, &high)) {
            return 0;
        }
        *pvalue = p->scratch.data;
        *plen = p->scratch.len;
    }
    if (s == p->end || *s != '"') {
        fail(p, s, s == p->end ? "Unterminated string in JSON"
                 : "Bad control character in string literal in JSON");
        return 0;
    }
    if (high & 0x80) {
        valid = mastra_text_utf8_valid((const char *)start, s - start);
        if (valid != (apr_size_t)(s - start)) {
            fail(p, start + valid, "Invalid UTF-8 in JSON");
            return 0;
        }
    }
    p->at = s + 1;
    return 1;
}

/* --- numbers ------------------------------------------------------------- */

static const unsigned char *digits(parser_t *p, const unsigned char *s)
{
    while (s < p->end && *s >= '0' && *s <= '9') {
        s++;
    }
    return s;
}

static mastra_json_t *real_number(parser_t *p, const unsigned char *end)
{
    mastra_json_t *json;
    double value;

    mastra_buf_reset(&p->scratch);
    if (mastra_buf_add(&p->scratch, (const char *)p->at, end - p->at)
        != APR_SUCCESS) {
        return NULL;
    }
    value = mastra_text_to_double(p->scratch.data);
    if (!isfinite(value)) {
        return fail(p, p->at, "Number out of range in JSON");
    }
    json = value == floor(value) && fabs(value) <= 0x1p53
           ? mastra_json_integer((apr_int64_t)value) : mastra_json_real(value);
    p->at = end;
    return json;
}

/* The end of the number at p->at, NULL after a fault; *whole: an integer. */
static const unsigned char *scan_number(parser_t *p, int *whole)
{
    const unsigned char *s = p->at + (*p->at == '-'), *from = s;

    s = digits(p, s);
    if (s == from) {
        fail(p, s, "No number after minus sign in JSON");
        return NULL;
    }
    if (*from == '0' && s > from + 1) {
        p->at = from + 1;
        fail_token(p);
        return NULL;
    }
    *whole = 1;
    if (s < p->end && *s == '.') {
        from = ++s;
        s = digits(p, s);
        *whole = 0;
        if (s == from) {
            fail(p, s, "Unterminated fractional number in JSON");
            return NULL;
        }
    }
    if (s < p->end && (*s | 0x20) == 'e') {
        s++;
        s += s < p->end && (*s == '+' || *s == '-');
        from = s;
        s = digits(p, s);
        *whole = 0;
        if (s == from) {
            fail(p, s, "Exponent part is missing a number in JSON");
            return NULL;
        }
    }
    return s;
}

static mastra_json_t *parse_number(parser_t *p)
{
    const unsigned char *end, *s = p->at;
    int whole, negative = *s == '-';
    apr_int64_t value = 0;

    end = scan_number(p, &whole);
    if (!end) {
        return NULL;
    }
    if (!whole) {
        return real_number(p, end);
    }
    for (s += negative; s < end; s++) {
        if (__builtin_mul_overflow(value, 10, &value)
            || __builtin_sub_overflow(value, *s - '0', &value)) {
            return real_number(p, end);
        }
    }
    /* counted downwards, where one value more has room */
    if (!negative && value == APR_INT64_MIN) {
        return real_number(p, end);
    }
    p->at = end;
    return mastra_json_integer(negative ? value : -value);
}

/* --- values -------------------------------------------------------------- */

static int skip_space(parser_t *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n'
                              || *p->at == '\r' || *p->at == '\t')) {
        p->at++;
    }
    return p->at < p->end ? *p->at : -1;
}

static mastra_json_t *parse_word(parser_t *p, const char *word,
                                 mastra_json_t *json)
{
    for (; *word; word++, p->at++) {
        if (p->at == p->end || *p->at != (unsigned char)*word) {
            return fail_token(p);
        }
    }
    return json;
}

static int parse_member(parser_t *p, mastra_json_t *object)
{
    const unsigned char *at = p->at;
    mastra_json_t *value;
    const char *key;
    char kept[64], *copy = kept;
    apr_size_t len;
    mastra_buf_t big;
    int done = 0;

    if (!parse_string(p, &key, &len)) {
        return 0;
    }
    if ((p->flags & UNIQUE_NAMES) && mastra_json_has(object, key, len)) {
        fail(p, at, "Name that is there twice in JSON");
        return 0;
    }
    if (skip_space(p) != ':') {
        fail(p, p->at, "Expected ':' after property name in JSON");
        return 0;
    }
    p->at++;
    mastra_buf_init(&big, len);
    if (key == p->scratch.data) {
        /* the value may need the scratch: keep an escaped key elsewhere */
        if (len > sizeof(kept)) {
            copy = mastra_buf_reserve(&big, len);
        }
        if (!copy) {
            return 0;
        }
        memcpy(copy, key, len);
        key = copy;
    }
    value = parse_value(p);
    if (value) {
        done = mastra_json_put(object, key, len, value);
    }
    mastra_buf_free(&big);
    return done;
}

static mastra_json_t *parse_object(parser_t *p)
{
    mastra_json_t *object = mastra_json_object();
    int c;

    p->at++;
    c = skip_space(p);
    if (c == '}') {
        p->at++;
        return object;
    }
    if (c != '"') {
        fail(p, p->at, "Expected property name or '}' in JSON");
        goto failed;
    }
    for (;;) {
        if (!parse_member(p, object)) {
            goto failed;
        }
        c = skip_space(p);
        if (c == '}') {
            p->at++;
            return object;
        }
        if (c != ',') {
            fail(p, p->at, "Expected ',' or '}' after property value in JSON");
            goto failed;
        }
        p->at++;
        if (skip_space(p) != '"') {
            fail(p, p->at, "Expected double-quoted property name in JSON");
            goto failed;
        }
    }

failed:
    mastra_json_unref(object);
    return NULL;
}

static mastra_json_t *parse_array(parser_t *p)
{
    mastra_json_t *array = mastra_json_array(), *value;
    int c;

    p->at++;
    if (skip_space(p) == ']') {
        p->at++;
        return array;
    }
    for (;;) {
        value = parse_value(p);
        if (!value) {
            goto failed;
        }
        mastra_json_append(array, value);
        c = skip_space(p);
        if (c == ']') {
            p->at++;
            return array;
        }
        if (c != ',') {
            fail(p, p->at, "Expected ',' or ']' after array element in JSON");
            goto failed;
        }
        p->at++;
    }

failed:
    mastra_json_unref(array);
    return NULL;
}

static mastra_json_t *parse_nested(parser_t *p, int c)
{
    mastra_json_t *json;

    if (p->depth-- == 0) {
        return fail(p, p->at, "Too deeply nested JSON");
    }
    json = c == '{' ? parse_object(p) : parse_array(p);
    p->depth++;
    return json;
}

static mastra_json_t *parse_value(parser_t *p)
{
    const char *value;
    apr_size_t len;
    int c = skip_space(p);

    switch (c) {
    case '{':
    case '[':
        return parse_nested(p, c);
    case '"':
        return parse_string(p, &value, &len)
               ? mastra_json_string_valid(value, len) : NULL;
    case 't':
        return parse_word(p, "true", mastra_json_bool(1));
    case 'f':
        return parse_word(p, "false", mastra_json_bool(0));
    case 'n':
        return parse_word(p, "null", mastra_json_null());
    default:
        return c == '-' || (c >= '0' && c <= '9') ? parse_number(p)
                                                  : fail_token(p);
    }
}

static apr_status_t parse(mastra_json_t **pjson, const char *text,
                          apr_size_t len, int max_depth, int flags,
                          mastra_json_error_t *err)
{
    mastra_json_t *json;
    parser_t p = { 0 };

    p.text = (const unsigned char *)text;
    p.end = p.text + len;
    p.at = p.text;
    p.depth = max_depth > 0 ? max_depth : MASTRA_JSON_DEPTH;
    p.depth = p.depth < DEPTH_MAX ? p.depth : DEPTH_MAX;
    p.flags = flags;
    p.err = err;
    if (err) {
        strcpy(err->message, "Out of memory");
        err->position = 0;
        err->line = err->column = 1;
    }
    mastra_buf_init(&p.scratch, len);
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        p.text = p.at += 3;     /* a byte order mark is no part of the text */
    }
    json = parse_value(&p);
    if (json && skip_space(&p) >= 0) {
        mastra_json_unref(json);
        json = fail(&p, p.at, "Unexpected non-whitespace character after JSON");
    }
    mastra_buf_free(&p.scratch);
    if (!json) {
        return APR_EINVAL;
    }
    *pjson = json;
    return APR_SUCCESS;
}

apr_status_t mastra_json_parse(mastra_json_t **pjson, const char *text,
                               apr_size_t len, int max_depth,
                               mastra_json_error_t *err)
{
    return parse(pjson, text, len, max_depth, 0, err);
}

apr_status_t mastra_json_parse_nul(mastra_json_t **pjson, const char *text,
                                   apr_size_t len, mastra_json_error_t *err)
{
    return parse(pjson, text, len, 0, KEEP_NUL, err);
}

apr_status_t mastra_json_parse_unique(mastra_json_t **pjson, const char *text,
                                      apr_size_t len, mastra_json_error_t *err)
{
    return parse(pjson, text, len, 0, UNIQUE_NAMES, err);
}

apr_status_t mastra_json_parse_mended(mastra_json_t **pjson, const char *text,
                                      apr_size_t len, mastra_json_error_t *err)
{
    apr_status_t rv = parse(pjson, text, len, 0, 0, err);
    mastra_buf_t valid;

    if (rv) {
        mastra_buf_init(&valid, 3 * len);   /* U+FFFD takes three bytes */
        if (!mastra_buf_utf8(&valid, text, len)) {
            rv = parse(pjson, valid.data, valid.len, 0, MEND, err);
        }
        mastra_buf_free(&valid);
    }
    return rv;
}
