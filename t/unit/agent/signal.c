/* Messages from outside a run: made, stored, shown, and as models see them. */

#include <apr_general.h>

#include "agent/signal.h"
#include "tap.h"

static apr_pool_t *pool;

static mastra_json_t *parse(const char *text)
{
    mastra_json_t *json = NULL;

    mastra_json_parse(&json, text, strlen(text), 0, NULL);
    return mastra_json_own(json, pool);
}

static mastra_json_t *make(const char *input, const char *more)
{
    mastra_result_t *error = NULL;
    mastra_json_t *made = mastra_signal_make(parse(input),
                                             more ? parse(more) : NULL,
                                             apr_time_from_sec(1000), &error,
                                             pool);

    return made ? mastra_json_own(made, pool) : NULL;
}

static mastra_json_t *message_of(const char *input)
{
    return mastra_json_own(mastra_signal_message(make(input, NULL), "t", "r",
                                                 apr_time_from_sec(2000),
                                                 pool), pool);
}

/* What a model is told, as JSON. */
static const char *seen(const char *input)
{
    mastra_json_t *parts = mastra_json_own(
        mastra_signal_parts(message_of(input)), pool);
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        mastra_json_del(mastra_json_at(parts, i), "createdAt");
    }
    return mastra_json_text(parts, pool);
}

static const char *refused(const char *input)
{
    mastra_result_t *error = NULL;
    mastra_json_t *made = mastra_signal_make(parse(input), NULL, 0, &error,
                                             pool);

    mastra_json_unref(made);
    return error ? error->message : NULL;
}

static void test_make(void)
{
    mastra_json_t *signal = make("{\"contents\":\"hi\",\"attributes\":"
                                 "{\"a\":1}}", "{\"b\":2,\"a\":3}");

    is_str(mastra_json_get_str(signal, "type"), "user", "a user's by default");
    is_str(mastra_json_get_str(signal, "createdAt"),
           "1970-01-01T00:16:40.000Z", "it is of now");
    is_str(mastra_json_text(mastra_json_get(signal, "attributes"), pool),
           "{\"a\":3,\"b\":2}", "attributes come on top of its own");
    signal = make("{\"contents\":\"x\",\"type\":\"system-reminder\"}", NULL);
    is_str(mastra_json_get_str(signal, "type"), "reactive",
           "older names of types");
    is_str(mastra_json_get_str(signal, "tagName"), "system-reminder",
           "... and their tags");
    is_str(refused("{\"contents\":\"x\",\"attributes\":{\"1 2\":\"y\"}}"),
           "Invalid signal XML attribute name: 1 2", "names that XML has not");
    is_str(refused("{\"contents\":\"x\",\"tagName\":\"a b\"}"),
           "Invalid signal XML tag name: a b", "... of tags");
}

static void test_models(void)
{
    is_str(seen("\"hi\""), "[{\"type\":\"text\",\"text\":\"hi\"}]",
           "a user's message is seen as it is");
    is_str(seen("{\"contents\":\"a<b\",\"attributes\":{\"k\":\"v\\\"\","
                "\"n\":1,\"no\":null}}"),
           "[{\"type\":\"text\",\"text\":\"<user k=\\\"v&quot;\\\" n=\\\"1\\\">"
           "a&lt;b</user>\"}]", "one with attributes as XML");
    is_str(seen("{\"contents\":\"\",\"type\":\"notification\"}"),
           "[{\"type\":\"text\",\"text\":\"<notification />\"}]",
           "an empty one");
    is_str(seen("{\"type\":\"state\",\"contents\":[{\"type\":\"file\","
                "\"data\":\"eA==\",\"mediaType\":\"image/png\"},"
                "{\"type\":\"text\",\"text\":\"t\"}]}"),
           "[{\"type\":\"file\",\"data\":\"eA==\",\"mimeType\":\"image/png\"},"
           "{\"type\":\"text\",\"text\":\"<state>t</state>\"}]",
           "beside files the text is marked");
    is_str(seen("{\"type\":\"state\",\"contents\":[{\"type\":\"file\","
                "\"data\":\"eA==\",\"mediaType\":\"image/png\"}]}"),
           "[{\"type\":\"text\",\"text\":\"<state />\"},{\"type\":\"file\","
           "\"data\":\"eA==\",\"mimeType\":\"image/png\"}]",
           "... and without one a mark is put before");
}

static void test_shown(void)
{
    mastra_json_t *message = message_of("{\"contents\":\"hi\",\"id\":\"s1\","
                                        "\"metadata\":{\"m\":1}}");
    mastra_json_t *chunk = mastra_json_own(mastra_signal_chunk(message, "run"),
                                           pool);

    is_str(mastra_json_get_str(message, "role"), "signal", "stored as a signal");
    is_str(mastra_json_get_str(message, "type"), "user", "... of its tag");
    is_str(mastra_json_text(chunk, pool),
           "{\"type\":\"data-user-message\",\"data\":{\"id\":\"s1\",\"type\":"
           "\"user\",\"tagName\":\"user\",\"contents\":\"hi\",\"createdAt\":"
           "\"1970-01-01T00:33:20.000Z\",\"acceptedAt\":"
           "\"1970-01-01T00:16:40.000Z\",\"metadata\":{\"m\":1}},"
           "\"transient\":true,\"runId\":\"run\"}", "what watchers see");
    ok(!mastra_signal_is_transient(message), "it is kept");
    ok(mastra_signal_is_transient(message_of("{\"contents\":\"x\","
                                             "\"transient\":true}")),
       "... unless it says otherwise");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_make();
    test_models();
    test_shown();
    apr_pool_destroy(pool);
    return tap_done();
}
