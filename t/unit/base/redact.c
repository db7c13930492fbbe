/* Which names and texts are secrets. */

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "tap.h"
#include "base/redact.h"

static const struct { const char *name; int secret; } names[] = {
    { "authorization", 1 }, { "Proxy-Authorization", 1 }, { "cookie", 1 },
    { "Set-Cookie", 1 }, { "apiKey", 1 }, { "X-API-Key", 1 },
    { "OPENAI_API_KEY", 1 }, { "client_secret", 1 }, { "token", 1 },
    { "accessToken", 1 }, { "csrf-token", 1 }, { "password", 1 },
    { "DB_PASSWORD", 1 }, { "key", 1 }, { "jwt", 1 }, { "privateKey", 1 },
    { "credentials", 1 }, { "auth", 1 },
    { "maxTokens", 0 }, { "inputTokens", 0 }, { "primaryKey", 0 },
    { "keyword", 0 }, { "toolKey", 0 }, { "author", 0 }, { "name", 0 },
    { "monkey", 0 }, { "tokenize", 0 }, { "", 0 }
};

static const char *const texts[][2] = {
    { "nothing to hide", "nothing to hide" }, { "", "" },
    { "Authorization: Bearer abc.def", "Authorization: [REDACTED]" },
    { "Cookie: a=b; c=d\r\nHost: x", "Cookie: [REDACTED]\r\nHost: x" },
    { "sent bearer abcdefgh12345 on", "sent bearer [REDACTED] on" },
    { "Basic dXNlcjpwYXNz12==", "Basic [REDACTED]" },
    { "a basic understanding of it", "a basic understanding of it" },
    { "bearer of bad news", "bearer of bad news" },
    { "Incorrect API key provided: sk-abcdefghijklmnop1234.",
      "Incorrect API key provided: [REDACTED]." },
    { "task-abcdefghijklmnop1234", "task-abcdefghijklmnop1234" },
    { "sk-short", "sk-short" },
    { "AKIAIOSFODNN7EXAMPLE!", "[REDACTED]!" },
    { "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln ok",
      "jwt [REDACTED] ok" },
    { "https://user:hunter2@host/x", "https://user:[REDACTED]@host/x" },
    { "https://host:80/x@y", "https://host:80/x@y" },
    { "GET /x?token=abc&y=1", "GET /x?token=[REDACTED]&y=1" },
    { "host=db password=hunter2 user=u", "host=db password=[REDACTED] user=u" },
    { "{\"apiKey\": \"a b c\", \"x\": 1}",
      "{\"apiKey\": \"[REDACTED]\", \"x\": 1}" },
    { "the key: be brief", "the key: be brief" },
    { "my password is not told", "my password is not told" },
    { "password=", "password=" }, { "eyJ", "eyJ" }, { "://", "://" },
    { "secret:", "secret:" }, { "Bearer ", "Bearer " }
};

static const char *const values[][2] = {
    { "{\"a\":1,\"maxTokens\":5}", NULL },
    { "[1,null,true,\"x\"]", NULL },
    { "{\"password\":\"\",\"token\":null,\"secret\":false}", NULL },
    { "{\"a\":{\"apiKey\":\"k\",\"b\":[1]},\"c\":2}",
      "{\"a\":{\"apiKey\":\"[REDACTED]\",\"b\":[1]},\"c\":2}" },
    { "{\"headers\":{\"Cookie\":[\"a\",\"b\"]}}",
      "{\"headers\":{\"Cookie\":[\"[REDACTED]\",\"[REDACTED]\"]}}" },
    { "{\"auth\":{\"user\":\"u\",\"password\":12}}",
      "{\"auth\":{\"user\":\"u\",\"password\":\"[REDACTED]\"}}" },
    { "[\"ok\",\"Bearer abcdefgh12345\"]", "[\"ok\",\"Bearer [REDACTED]\"]" }
};

int main(void)
{
    mastra_json_t *json, *masked;
    apr_pool_t *pool;
    apr_size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        is_int(mastra_redact_name(names[i].name), names[i].secret,
               names[i].name);
    }
    for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        is_str(mastra_redact_text(texts[i][0], pool), texts[i][1],
               apr_psprintf(pool, "text %d", (int)i));
    }
    ok(mastra_redact_text(texts[0][0], pool) == texts[0][0],
       "a clean text is not copied");
    ok(!mastra_redact_text(NULL, pool) && !mastra_redact_json(NULL), "NULL");
    for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
        mastra_json_parse(&json, values[i][0], strlen(values[i][0]), 0, NULL);
        masked = mastra_redact_json(json);
        is_str(mastra_json_text(json, pool), values[i][0],
               "the original is as it was");
        if (values[i][1]) {
            is_str(mastra_json_text(masked, pool), values[i][1], "masked");
        }
        else {
            ok(masked == json, "nothing to mask: the same value");
        }
        mastra_json_unref(masked);
        mastra_json_unref(json);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
