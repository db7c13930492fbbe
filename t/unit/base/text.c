/* Buffers, ids, hex, base64, dates, percent-decoding. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "tap.h"
#include "base/text.h"

static apr_pool_t *pool;

static void buffers(void)
{
    mastra_buf_t buf;
    apr_size_t len;
    char *text;

    mastra_buf_init(&buf, 1000);
    mastra_buf_puts(&buf, "hello ");
    mastra_buf_printf(&buf, "%d %s", 7, "worlds");
    is_str(buf.data, "hello 7 worlds", "add and printf");
    mastra_buf_consume(&buf, 6);
    is_str(buf.data, "7 worlds", "consume from the front");
    ok(mastra_buf_printf(&buf, "%0500d", 1) == APR_SUCCESS && buf.len == 508,
       "printf of much");
    ok(mastra_buf_printf(&buf, "%0500d", 1) == APR_ENOSPC && buf.len == 508,
       "printf beyond the ceiling adds nothing");
    ok(mastra_buf_printf(&buf, "%0492d", 1) == APR_SUCCESS && buf.len == 1000,
       "up to the ceiling it does");
    ok(mastra_buf_add(&buf, "x", 1) == APR_ENOSPC, "and not beyond");
    ok(!mastra_buf_reserve(&buf, 1), "nor reserve");
    mastra_buf_reset(&buf);
    is_str(buf.data, "", "reset");
    memcpy(mastra_buf_reserve(&buf, 3), "abc", 3);
    buf.len += 3;
    text = mastra_buf_detach(&buf, &len);
    ok(len == 3 && !memcmp(text, "abc", 3) && !buf.data, "detach");
    free(text);
    text = mastra_buf_detach(&buf, &len);
    ok(len == 0 && text && !*text, "detach of nothing is an empty text");
    free(text);
    mastra_buf_json_string(&buf, "a\"\\\n\x01\xFFz", 7);
    is_str(buf.data, "\"a\\\"\\\\\\n\\u0001\xEF\xBF\xBDz\"", "JSON string");
    mastra_buf_free(&buf);
}

/* What mastra_buf_json_string makes, letter by letter. */
static apr_size_t quote(char *out, const char *text, apr_size_t len)
{
    apr_size_t n = 0, i;

    out[n++] = '"';
    for (i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\' || text[i] == '\n') {
            out[n++] = '\\';
            out[n++] = text[i] == '\n' ? 'n' : text[i];
        }
        else if (text[i] == '\x1F') {
            memcpy(out + n, "\\u001f", 6);
            n += 6;
        }
        else {
            out[n++] = text[i];
        }
    }
    out[n++] = '"';
    return n;
}

/* Quotes text in a buffer that holds no more; and in one too small by one. */
static int quotes(const char *text, apr_size_t len)
{
    char wanted[512];
    apr_size_t n = quote(wanted, text, len);
    mastra_buf_t exact, small;
    int good;

    mastra_buf_init(&exact, n);
    mastra_buf_init(&small, n - 1);
    good = !mastra_buf_json_string(&exact, text, len) && exact.len == n
           && !memcmp(exact.data, wanted, n) && !exact.data[n]
           && mastra_buf_json_string(&small, text, len) == APR_ENOSPC
           && !small.len;
    mastra_buf_free(&exact);
    mastra_buf_free(&small);
    return good;
}

static void quoting(void)
{
    static const char letters[] = "\"\\\n\x1F \x7F" "az";
    char text[72], *exact;
    int len, at, c, good = 1;

    for (len = 0; len < (int)sizeof(text); len++) {
        for (at = 0; at <= len; at++) {
            for (c = 0; c < (int)sizeof(letters) - 1; c++) {
                memset(text, 'x', sizeof(text));
                if (at < len) {
                    text[at] = letters[c];
                    text[(at * 7 + c) % len] = letters[c];
                }
                exact = malloc(len ? len : 1);
                memcpy(exact, text, len);
                good &= quotes(exact, len);
                free(exact);
            }
        }
    }
    ok(good, "strings of all lengths with special letters everywhere");
}

static void ids(void)
{
    char a[MASTRA_UUID_LEN + 1], b[MASTRA_UUID_LEN + 1];
    char hex[2 * 100 + 1];
    int pipes[2], i, good = 1;

    for (i = 0; i < 300; i++) {
        mastra_text_uuid(a);
        good &= strlen(a) == 36 && a[8] == '-' && a[13] == '-' && a[14] == '4'
                && a[18] == '-' && strchr("89ab", a[19]) && a[23] == '-';
        mastra_text_uuid(b);
        good &= strcmp(a, b) != 0;
    }
    ok(good, "600 UUIDs have the form of version 4 and differ");
    mastra_text_random_hex(hex, 100);
    ok(strlen(hex) == 200 && strspn(hex, "0123456789abcdef") == 200,
       "random hex");
    /* parent and child have the same stock of random bytes */
    if (pipe(pipes) == 0 && fork() == 0) {
        mastra_text_uuid(a);
        _exit(write(pipes[1], a, sizeof(a)) != sizeof(a));
    }
    mastra_text_uuid(b);
    ok(read(pipes[0], a, sizeof(a)) == sizeof(a) && strcmp(a, b),
       "a forked child makes other UUIDs than its parent");
    wait(NULL);
}

static void base64(void)
{
    static const char *const good[][2] = {
        { "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" },
        { "foob", "Zm9vYg" }, { "\xff\xfe\xfd", "__79" }
    };
    static const char *const bad[] = { "Z", "Zg==", "Zh", "Zm9", "Zm+v", "Z m8" };
    unsigned char *data;
    apr_size_t i, len;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        len = strlen(good[i][0]);
        is_str(mastra_text_base64url((const unsigned char *)good[i][0], len,
                                     pool), good[i][1], good[i][1]);
        ok(mastra_text_base64url_decode(&data, &len, good[i][1],
                                        strlen(good[i][1]), pool)
           == APR_SUCCESS && len == strlen(good[i][0])
           && !memcmp(data, good[i][0], len), "and back");
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ok(mastra_text_base64url_decode(&data, &len, bad[i], strlen(bad[i]),
                                        pool) == APR_EINVAL, bad[i]);
    }
    ok(mastra_text_base64_decode(&data, &len, "Zm8=", 4, pool) == APR_SUCCESS
       && len == 2, "padded");
    ok(mastra_text_base64_decode(&data, &len, "/+_-", 4, pool) == APR_SUCCESS
       && len == 3, "both alphabets");
    ok(mastra_text_base64_decode(&data, &len, "Zg=", 3, pool) == APR_EINVAL,
       "half a padding");
}

static const struct { const char *in, *out; } dates[] = {
    { "2026-11-22T01:35:01.428Z", "2026-11-22T01:35:01.428Z" },
    { "2026-11-22", "2026-11-22T00:00:00.000Z" },
    { "2026-11-22T01:35:01Z", "2026-11-22T01:35:01.000Z" },
    { "2026-11-22T01:35Z", "2026-11-22T01:35:00.000Z" },
    { "2026-11-22T01:35:01.4+02:30", "2026-11-21T23:05:01.400Z" },
    { "2024-02-29T23:59:59.999-01:00", "2024-03-01T00:59:59.999Z" },
    { "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z" },
    { "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z" },
    { "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z" },
    { "2026-12-31T24:00:00Z", "2027-01-01T00:00:00.000Z" },
    { "2026-11-22T01:35:01.123456Z", "2026-11-22T01:35:01.123Z" },
    { "2026-11-22 01:35:01.5", "2026-11-22T01:35:01.500Z" },
    { "2023-02-29", NULL }, { "1900-02-29", NULL }, { "2026-13-01", NULL },
    { "2026-00-01", NULL }, { "2026-01-32", NULL }, { "2026-1-1", NULL },
    { "2026-01-01T25:00Z", NULL }, { "2026-01-01T24:01Z", NULL },
    { "2026-01-01T10:60Z", NULL }, { "2026-01-01T10:00:60Z", NULL },
    { "2026-01-01T10:00:00.Z", NULL }, { "2026-01-01T10:00:00+1", NULL },
    { "2026-01-01Tx", NULL }, { "", NULL }, { "2026-01-01T10:00:00Zx", NULL },
    { "today", NULL }
};

static void times(void)
{
    apr_size_t i;
    apr_time_t t;
    char out[MASTRA_ISO_LEN + 1];

    for (i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
        if (mastra_text_iso_parse(&t, dates[i].in) != APR_SUCCESS) {
            ok(!dates[i].out, dates[i].in);
            continue;
        }
        mastra_text_iso(out, t);
        is_str(out, dates[i].out, dates[i].in);
    }
    ok(mastra_text_iso_parse(&t, NULL) == APR_EINVAL, "no date");
    ok(mastra_text_now_ms() > APR_INT64_C(1600000000000), "now");
}

static void urls(void)
{
    static const struct { const char *in; int plus; const char *out; } t[] = {
        { "a%20b+c", 1, "a b c" }, { "a%20b+c", 0, "a b+c" },
        { "%e2%82%AC", 0, "\xE2\x82\xAC" }, { "", 0, "" }, { "%", 0, NULL },
        { "%4", 0, NULL }, { "%zz", 0, NULL }, { "%00", 0, NULL },
        { "%ff", 0, NULL }, { "%c0%af", 0, NULL }
    };
    const char *out;
    apr_size_t i;

    for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
        out = NULL;
        mastra_text_url_decode(&out, t[i].in, strlen(t[i].in), t[i].plus,
                               pool);
        is_str(out, t[i].out, t[i].in);
    }
}

static void ports(void)
{
    static const struct { const char *url; int fine; } t[] = {
        { "http://h/v1", 1 }, { "http://h:8080", 1 }, { "http://h:1/x:y", 1 },
        { "https://[::1]/", 1 }, { "https://[::1]:65535/", 1 },
        { "http://u:p@h/", 1 }, { "http://u:p@h:80?q", 1 },
        { "http://h:0/", 0 }, { "http://h:65536", 0 }, { "http://h:/", 0 },
        { "http://h:abc/", 0 }, { "http://h:8o", 0 }, { "http://[::1]:x", 0 },
        { "http://h:99999999999999999999/", 0 }
    };
    apr_size_t i;

    for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
        ok(mastra_text_url_port(t[i].url) == t[i].fine, t[i].url);
    }
}

static void utf8(void)
{
    static const struct { const char *text; int valid; } t[] = {
        { "plain ascii of some length", 26 }, { "\xC3\xA9\xE2\x82\xAC", 5 },
        { "\xF4\x8F\xBF\xBF", 4 }, { "a\xF4\x90\x80\x80", 1 },
        { "ab\xED\xA0\x80", 2 }, { "\xC0\x80", 0 }, { "\xE0\x9F\x80", 0 },
        { "\xF0\x8F\x80\x80", 0 }, { "x\xE2\x82", 1 }, { "12345678\x80", 8 }
    };
    apr_size_t i;

    for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
        is_int(mastra_text_utf8_valid(t[i].text, strlen(t[i].text)),
               t[i].valid, "valid up to there");
    }
    ok(mastra_text_equal_secret("abc", 3, "abc", 3), "equal secrets");
    ok(!mastra_text_equal_secret("abc", 3, "abd", 3), "one letter differs");
    ok(!mastra_text_equal_secret("abcabc", 6, "abc", 3), "one is longer");
    ok(!mastra_text_equal_secret("a", 1, "", 0), "the other is empty");
    ok(!mastra_text_equal_secret("", 0, "a", 1), "the one is empty");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    buffers();
    quoting();
    ids();
    base64();
    times();
    urls();
    ports();
    utf8();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
