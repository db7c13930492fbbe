/* What JSON texts parse to, what they are refused with, how they print. */

#include <apr_general.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "base/json.h"

static apr_pool_t *pool;

static void same(const char *in, const char *want)
{
    mastra_json_t *json = NULL;
    mastra_json_error_t err;
    mastra_buf_t name;

    /* a name of one line, whatever the text holds */
    mastra_buf_init(&name, 1000);
    mastra_buf_json_string(&name, in, strlen(in));
    if (mastra_json_parse(&json, in, strlen(in), 0, &err) != APR_SUCCESS) {
        is_str(err.message, want, name.data);
    }
    else {
        is_str(mastra_json_text(json, pool), want, name.data);
    }
    mastra_json_unref(json);
    mastra_buf_free(&name);
}

static const char *const prints[][2] = {
    { "{\"a\":[1,2,{\"b\":null}],\"c\":true}",
      "{\"a\":[1,2,{\"b\":null}],\"c\":true}" },
    { " [ ] ", "[]" }, { "{ }", "{}" }, { "\t\n\r 1 ", "1" },
    { "\xEF\xBB\xBF{}", "{}" },
    { "0.1", "0.1" }, { "-0.1", "-0.1" }, { "1.0", "1" }, { "-0", "0" },
    { "-0.0", "0" }, { "1e3", "1000" }, { "1e21", "1e+21" },
    { "1e20", "100000000000000000000" }, { "123456789012345680000",
      "123456789012345680000" }, { "1e-6", "0.000001" },
    { "1e-7", "1e-7" }, { "1.5e-9", "1.5e-9" }, { "5e-324", "5e-324" },
    { "1.7976931348623157e308", "1.7976931348623157e+308" },
    { "0.30000000000000004", "0.30000000000000004" },
    { "100.25", "100.25" }, { "12.000000000000002", "12.000000000000002" },
    { "9007199254740993", "9007199254740993" },
    { "9223372036854775807", "9223372036854775807" },
    { "-9223372036854775808", "-9223372036854775808" },
    { "9223372036854775808", "9223372036854776000" },
    { "5.960464477539063e-8", "5.960464477539063e-8" },
    { "6.150157786156811e259", "6.150157786156811e+259" },
    { "4.35", "4.35" }, { "2.2250738585072014e-308",
      "2.2250738585072014e-308" },
    { "\"\\u00e9\\n\\/\\\"\\\\ \\u2028 \\ud83d\\ude00\\u001f\\b\\f\"",
      "\"\xC3\xA9\\n/\\\"\\\\ \xE2\x80\xA8 \xF0\x9F\x98\x80\\u001f\\b\\f\"" },
    { "{\"\\u0061b\":{\"\\n\":1}}", "{\"ab\":{\"\\n\":1}}" },
    { "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}" },
    { "\"\x7F\"", "\"\x7F\"" },
    /* the faults, in V8's words */
    { "{bad", "Expected property name or '}' in JSON at position 1 "
              "(line 1 column 2)" },
    { "", "Unexpected end of JSON input" },
    { "  ", "Unexpected end of JSON input" },
    { "[", "Unexpected end of JSON input" },
    { "tru", "Unexpected end of JSON input" },
    { "trux", "Unexpected token 'x', \"trux\" is not valid JSON" },
    { "[1,]", "Unexpected token ']', \"[1,]\" is not valid JSON" },
    { "hello", "Unexpected token 'h', \"hello\" is not valid JSON" },
    { "{\"a\":1}x", "Unexpected non-whitespace character after JSON at "
                    "position 7 (line 1 column 8)" },
    { "{\"a\"}", "Expected ':' after property name in JSON at position 4 "
                 "(line 1 column 5)" },
    { "{\"a\":1,}", "Expected double-quoted property name in JSON at "
                    "position 7 (line 1 column 8)" },
    { "{\"a\":1 \n \"b\"}", "Expected ',' or '}' after property value in JSON "
                          "at position 9 (line 2 column 2)" },
    { "[1 2]", "Expected ',' or ']' after array element in JSON at "
               "position 3 (line 1 column 4)" },
    { "\"abc", "Unterminated string in JSON at position 4 "
               "(line 1 column 5)" },
    { "\"a\nb\"", "Bad control character in string literal in JSON at "
                  "position 2 (line 1 column 3)" },
    { "\"\\x\"", "Bad escaped character in JSON at position 2 "
                 "(line 1 column 3)" },
    { "\"\\u12g4\"", "Bad Unicode escape in JSON at position 5 "
                     "(line 1 column 6)" },
    { "-", "No number after minus sign in JSON at position 1 "
           "(line 1 column 2)" },
    { "1.", "Unterminated fractional number in JSON at position 2 "
            "(line 1 column 3)" },
    { "1e+", "Exponent part is missing a number in JSON at position 3 "
             "(line 1 column 4)" },
    { "01", "Unexpected number in JSON at position 1 (line 1 column 2)" },
    { "\xF0\x9F\x98\x80", "Unexpected token '\xF0\x9F\x98\x80', "
                          "\"\xF0\x9F\x98\x80\" is not valid JSON" },
    { "[\"\xF0\x9F\x98\x80\" 1]", "Expected ',' or ']' after array element in "
                               "JSON at position 6 (line 1 column 7)" },
    { "{\"messages\": nope, \"and\": \"more\"}",
      "Unexpected token 'o', ...\"ssages\": nope, \"and\"\"... is not valid "
      "JSON" },
    { "[\"\xC3(\"]", "Invalid UTF-8 in JSON at position 2 "
                     "(line 1 column 3)" },
    { "\"\\u0000\"", "NUL in JSON at position 1 (line 1 column 2)" },
    { "\"\\ud800\"", "Lone surrogate in JSON at position 1 "
                     "(line 1 column 2)" },
    { "\"\\udc00\"", "Lone surrogate in JSON at position 1 "
                     "(line 1 column 2)" },
    { "1e400", "Number out of range in JSON at position 0 "
               "(line 1 column 1)" },
};

static void depths(void)
{
    mastra_json_t *json = NULL;
    mastra_json_error_t err;
    char text[601];

    memset(text, '[', 300);
    memset(text + 300, ']', 300);
    text[600] = '\0';
    ok(mastra_json_parse(&json, text + 172, 256, 0, &err) == APR_SUCCESS,
       "128 levels are accepted");
    mastra_json_unref(json);
    ok(mastra_json_parse(&json, text + 171, 258, 0, &err) == APR_EINVAL,
       "129 levels are refused");
    is_str(err.message, "Too deeply nested JSON at position 128 "
           "(line 1 column 129)", "with the position of the bracket");
    ok(mastra_json_parse(&json, text, 600, 300, NULL) == APR_SUCCESS,
       "a caller may allow more");
    mastra_json_unref(json);
}

static void round_trips(void)
{
    mastra_json_t *json;
    mastra_buf_t buf;
    int i, bad = 0;

    mastra_buf_init(&buf, 100);
    srand(1);
    for (i = 0; i < 20000; i++) {
        union { double d; apr_uint64_t u; } v, w;

        v.u = (apr_uint64_t)rand() << 42 ^ (apr_uint64_t)rand() << 21
              ^ (apr_uint64_t)rand();
        json = mastra_json_real(v.d);
        mastra_buf_reset(&buf);
        mastra_json_write(&buf, json);
        w.d = strtod(buf.data, NULL);
        bad += v.u != w.u && !mastra_json_is_null(json);
        mastra_json_unref(json);
    }
    is_int(bad, 0, "20000 random numbers print so that they read back");
    mastra_buf_free(&buf);
}

static mastra_json_t *parse(const char *text)
{
    mastra_json_t *json = NULL;

    mastra_json_parse(&json, text, strlen(text), 0, NULL);
    return mastra_json_own(json, pool);
}

static void equality(void)
{
    static const struct { const char *a, *b; int equal; } cases[] = {
        { "1", "1.0", 1 }, { "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1.0}", 1 },
        { "[1,2]", "[2,1]", 0 }, { "\"a\"", "\"b\"", 0 }, { "true", "1", 0 },
        { "9223372036854775807", "9223372036854775808", 0 },
        { "9007199254740993", "9007199254740992.0", 0 },
        { "0", "false", 0 }, { "null", "null", 1 }, { "[]", "{}", 0 }
    };
    mastra_json_t *real = mastra_json_own(mastra_json_real(2.0), pool);
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        is_int(mastra_json_equal(parse(cases[i].a), parse(cases[i].b)),
               cases[i].equal, cases[i].a);
    }
    ok(mastra_json_equal(parse("2"), real), "2 and a real 2.0 are equal");
    is_str(mastra_json_text(real, pool), "2", "which prints as 2");
}

static void members(void)
{
    mastra_json_t *o = parse("{\"a\":{\"b\":\"x\"},\"n\":5,\"r\":2.5,"
                             "\"t\":true,\"l\":[1,2,3]}"), *p;

    is_str(mastra_json_str(mastra_json_path(o, "a", "b", NULL)), "x",
           "a value by its path");
    ok(!mastra_json_path(o, "a", "b", "c", NULL), "a path beyond a string");
    is_int(mastra_json_get_int(o, "n", 0), 5, "an integer");
    is_int(mastra_json_get_int(o, "t", 7), 7, "true is no integer");
    ok(mastra_json_get_num(o, "r", 0) == 2.5, "a real");
    ok(mastra_json_get_bool(o, "t", 0), "a boolean");
    ok(!mastra_json_get(NULL, "x") && !mastra_json_size(NULL)
       && !mastra_json_iter(NULL) && !mastra_json_at(NULL, 0),
       "NULL has no members");
    mastra_json_set(o, "n", NULL);
    is_int(mastra_json_get_int(o, "n", 0), 5, "setting NULL sets nothing");
    mastra_json_set(NULL, "n", mastra_json_integer(1));
    mastra_json_insert(mastra_json_get(o, "l"), 0, mastra_json_string("s"));
    mastra_json_remove(mastra_json_get(o, "l"), 1);
    is_str(mastra_json_text(mastra_json_get(o, "l"), pool), "[\"s\",2,3]",
           "insert and remove");
    p = mastra_json_pack("{s:s, s:s*, s:[i,o]}", "k", "v", "none", NULL, "a",
                         1, mastra_json_null());
    is_str(mastra_json_text(p, pool), "{\"k\":\"v\",\"a\":[1,null]}", "pack");
    mastra_json_merge(p, o);
    is_str(mastra_json_get_str(mastra_json_get(p, "a"), "b"), "x", "merge");
    mastra_json_unref(p);
    p = mastra_json_string("a\xFF" "b\xE2\x82");
    is_str(mastra_json_str(p), "a\xEF\xBF\xBD" "b\xEF\xBF\xBD",
           "invalid UTF-8 is replaced");
    mastra_json_unref(p);
    is_str(mastra_json_text(mastra_json_nan(), pool), "null", "NaN is null");
    ok(mastra_json_is_number(mastra_json_nan())
       && mastra_json_num(mastra_json_nan())
          != mastra_json_num(mastra_json_nan()), "and a number");
}

static void ceilings(void)
{
    mastra_json_t *json = parse("[\"0123456789\"]");
    mastra_json_error_t err;
    mastra_buf_t buf;

    mastra_buf_init(&buf, 13);
    ok(mastra_json_write(&buf, json) == APR_ENOSPC, "the ceiling is kept");
    mastra_buf_free(&buf);
    mastra_buf_init(&buf, 14);
    ok(mastra_json_write(&buf, json) == APR_SUCCESS, "and may be reached");
    mastra_buf_free(&buf);
    ok(mastra_json_read_file(&json, "/nonexistent", 10, &err, pool)
       != APR_SUCCESS && err.line == 0, "a file that is not there");
}

/* A text in place of its value. */
static void raws(void)
{
    mastra_json_t *json = parse("{\"a\":[1.5,\"\\u00ff\\n\"],\"b\":{}}");
    mastra_json_t *raw = mastra_json_raw(json), *list, *opened;

    list = mastra_json_pack("[O, s, O]", raw, "x", json);
    is_str(mastra_json_text(list, pool),
           "[{\"a\":[1.5,\"\xC3\xBF\\n\"],\"b\":{}},\"x\","
           "{\"a\":[1.5,\"\xC3\xBF\\n\"],\"b\":{}}]",
           "a text in place of a value is copied");
    ok(mastra_json_is_raw(raw) && !mastra_json_is_raw(json)
       && !mastra_json_is_raw(mastra_json_at(list, 1))
       && !mastra_json_is_raw(NULL), "and is no other value");
    ok(!mastra_json_get(raw, "a"), "it has no members");
    opened = mastra_json_raw_open(raw);
    ok(mastra_json_equal(opened, json), "but becomes the value again");
    mastra_json_unref(opened);
    opened = mastra_json_raw_text(mastra_json_str(raw) + 1,
                                  mastra_json_len(raw) - 1);
    ok(mastra_json_equal(opened, raw), "a text that was there is the same");
    mastra_json_unref(opened);
    opened = mastra_json_raw_open(json);
    ok(opened == json, "as which another value is taken");
    mastra_json_unref(opened);
    ok(mastra_json_size(mastra_json_at(list, 1)) == 0
       && !strcmp(mastra_json_str(mastra_json_at(list, 1)), "x"),
       "texts are texts");
    mastra_json_unref(list);
    mastra_json_unref(raw);
}

int main(void)
{
    apr_size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < sizeof(prints) / sizeof(*prints); i++) {
        same(prints[i][0], prints[i][1]);
    }
    depths();
    round_trips();
    equality();
    members();
    ceilings();
    raws();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
