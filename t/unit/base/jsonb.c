/* Binary JSON as LibSQL writes it, and what is no binary JSON. */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "tap.h"
#include "base/jsonb.h"

static apr_pool_t *pool;

static apr_size_t from_hex(unsigned char *out, const char *hex)
{
    apr_size_t n;

    for (n = 0; hex[2 * n]; n++) {
        char pair[] = { hex[2 * n], hex[2 * n + 1], '\0' };

        out[n] = (unsigned char)strtol(pair, NULL, 16);
    }
    return n;
}

/* in hex, as the jsonb() of LibSQL gave it; NULL: refused */
static const char *const cases[][2] = {
    { "00", "null" }, { "01", "true" }, { "02", "false" }, { "1330", "0" },
    { "232D35", "-5" }, { "93313233343536373839", "123456789" },
    { "C3143132333435363738393031323334353637383930",
      "12345678901234567000" },
    { "35312E35", "1.5" }, { "752D322E35652D33", "-0.0025" },
    { "553165343030", "null" }, { "553965393939", "null" },
    { "652D3965393939", "null" }, { "4430783146", "31" },
    { "542D30786666", "-255" }, { "1335", "5" }, { "262E35", "0.5" },
    { "362D2E35", "-0.5" }, { "26352E", "5" }, { "46352E6532", "500" },
    { "07", "\"\"" }, { "37616263", "\"abc\"" },
    { "C816615C6E625C75303065395C75643833645C7564653030",
      "\"a\\nb\xC3\xA9\xF0\x9F\x98\x80\"" },
    { "5969745C2773", "\"it's\"" },
    { "C90D615C7834315C765C307A5C0A71",
      "\"aA\\u000b\xEF\xBF\xBDzq\"" },
    { "A8736179205C2268695C22", "\"say \\\"hi\\\"\"" },
    { "685C7564383364", "\"\xEF\xBF\xBD\"" }, { "0B", "[]" }, { "0C", "{}" },
    { "CB0C13315B13322B13333C176100", "[1,[2,[3]],{\"a\":null}]" },
    { "CC10176113312724621332376320642B0102",
      "{\"a\":1,\"$b\":2,\"c d\":[true,false]}" },
    { "CC10486B5C22711331685C75303065391332",
      "{\"k\\\"q\":1,\"\xC3\xA9\":2}" },
    { "3A61220A", "\"a\\\"\\n\"" }, { "37610062", "\"a\xEF\xBF\xBD" "b\"" },
    { "2761FF", "\"a\xEF\xBF\xBD\"" }, { "495CE280A8", "\"\"" },
    /* the size in more bytes than it needs */
    { "C30135", "5" }, { "D3000135", "5" },
    { "E30000000135", "5" }, { "F3000000000000000135", "5" },
    { "FB0000000000000000", "[]" },
    /* no binary JSON */
    { "", NULL }, { "03", NULL }, { "13", NULL }, { "1341", NULL },
    { "23352E", NULL }, { "230035", NULL },
    { "1000", NULL }, { "0000", NULL }, { "1B", NULL }, { "0D", NULL },
    { "0E", NULL }, { "0F", NULL }, { "C0", NULL }, { "D300", NULL },
    { "FBFFFFFFFFFFFFFFFF", NULL }, { "FBFFFFFFFFFFFFFFFF00", NULL },
    { "1C1761", NULL }, { "2C1761", NULL }, { "4C13311332", NULL },
    { "2B1B00", "[[null]]" }, { "1B1B", NULL },
    { "185C", NULL }, { "285C78", NULL }, { "285C76", NULL },
    { "585C75303065", NULL }, { "295C71", NULL }, { "395C7831", NULL },
    { "4430784700", NULL }, { "243078", NULL },
    { "162E", NULL }, { "162B", NULL }, { "35316531", "10" },
    { "452D2D3531", NULL }
};

static void deep(int levels, int fits)
{
    /* each array names the size of what is in it, in four bytes */
    apr_size_t len = 5 * (apr_size_t)levels, i;
    unsigned char *data = malloc(len);
    mastra_json_t *json = NULL;

    for (i = 0; i < len; i += 5) {
        apr_size_t rest = len - i - 5;

        data[i] = 0xEB;
        data[i + 1] = 0;
        data[i + 2] = (unsigned char)(rest >> 16);
        data[i + 3] = (unsigned char)(rest >> 8);
        data[i + 4] = (unsigned char)rest;
    }
    ok((mastra_jsonb_decode(&json, data, len) == APR_SUCCESS) == fits,
       fits ? "deep as SQLite allows" : "deeper is refused");
    mastra_json_unref(json);
    free(data);
}

int main(void)
{
    unsigned char data[256];
    mastra_json_t *json;
    apr_size_t i, len;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json = NULL;
        len = from_hex(data, cases[i][0]);
        if (mastra_jsonb_decode(&json, data, len) != APR_SUCCESS) {
            ok(!cases[i][1], cases[i][0]);
            continue;
        }
        is_str(mastra_json_text(json, pool), cases[i][1], cases[i][0]);
        mastra_json_unref(json);
    }
    ok(mastra_jsonb_decode(&json, NULL, 0) == APR_EINVAL, "no data");
    deep(1000, 1);
    deep(1001, 0);
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
