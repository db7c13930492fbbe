/* Answers of chat completions servers: what they hold and the events that they
 * give rise to, however the bytes are split. */
#include <apr_general.h>
#include <apr_strings.h>

#include "feed.h"

static apr_pool_t *pool;

#define D(json) "data: " json "\n\n"
#define DELTA(json) D("{\"id\":\"c1\",\"created\":1700000000,\"model\":\"m\"," \
                      "\"choices\":[{\"index\":0,\"delta\":" json \
                      ",\"finish_reason\":null}]}")
#define STOP(reason) D("{\"choices\":[{\"index\":0,\"delta\":{}," \
                       "\"finish_reason\":\"" reason "\"}]}")
#define USAGE D("{\"choices\":[],\"usage\":{\"prompt_tokens\":10," \
                "\"completion_tokens\":5,\"total_tokens\":15}}")
#define DONE D("[DONE]")
#define CALL(json) DELTA("{\"tool_calls\":[" json "]}")
#define DOCUMENT(message, reason) \
    "{\"id\":\"c1\",\"created\":1700000000,\"model\":\"m\",\"choices\":[{" \
    "\"message\":" message ",\"finish_reason\":\"" reason "\"}]}"

static const feed_case_t cases[] = {
    { "words, finish, usage in a chunk without choices", 1, 1,
      DELTA("{\"role\":\"assistant\",\"content\":\"\"}")
      DELTA("{\"content\":\"Hel\"}") DELTA("{\"content\":\"l\xc3\xb6 \"}")
      STOP("stop") USAGE DONE, MASTRA_FAIL_NONE,
      "response\ntext [Hel]\ntext [l\xc3\xb6 ]\nfinish stop/stop 15\n" },
    { "usage in the last chunk", 1, 1,
      DELTA("{\"content\":\"a\"}")
      D("{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}],"
        "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}") DONE,
      MASTRA_FAIL_NONE, "response\ntext [a]\nfinish length/length 3\n" },
    { "usage inside the choice", 1, 1,
      DELTA("{\"content\":\"a\"}")
      D("{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\","
        "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":3}}]}") DONE,
      MASTRA_FAIL_NONE, "response\ntext [a]\nfinish stop/stop 4\n" },
    { "usage under x_groq", 1, 1,
      DELTA("{\"content\":\"a\"}")
      D("{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"x_groq\":"
        "{\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":3}}}") DONE,
      MASTRA_FAIL_NONE, "response\ntext [a]\nfinish stop/stop 7\n" },
    { "no usage at all", 1, 1, DELTA("{\"content\":\"a\"}") STOP("stop") DONE,
      MASTRA_FAIL_NONE, "response\ntext [a]\nfinish stop/stop 0\n" },
    { "reasoning_content, then text", 1, 1,
      DELTA("{\"reasoning_content\":\"hm\"}") DELTA("{\"content\":\"a\"}")
      STOP("stop") DONE, MASTRA_FAIL_NONE,
      "response\nreasoning [hm]\ntext [a]\nfinish stop/stop 0\n" },
    { "reasoning under its other name", 1, 1,
      DELTA("{\"reasoning\":\"hm\",\"content\":\"a\"}") STOP("stop") DONE,
      MASTRA_FAIL_NONE,
      "response\nreasoning [hm]\ntext [a]\nfinish stop/stop 0\n" },
    { "content as a list of parts", 1, 1,
      DELTA("{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":"
            "\"text\",\"text\":\"hm\"}]},{\"type\":\"text\",\"text\":\"a\"}]}")
      STOP("stop") DONE, MASTRA_FAIL_NONE,
      "response\nreasoning [hm]\ntext [a]\nfinish stop/stop 0\n" },
    { "text that is not quite UTF-8", 1, 1,
      DELTA("{\"content\":\"a \xff\xc3 b\"}") STOP("stop") DONE,
      MASTRA_FAIL_NONE, "response\ntext [a \xef\xbf\xbd\xef\xbf\xbd b]\n"
      "finish stop/stop 0\n" },
    { "halves of a surrogate pair, and NUL", 1, 1,
      DELTA("{\"content\":\"\\ud83d\"}") DELTA("{\"content\":\"\\ude00\\u0000\"}")
      STOP("stop") DONE, MASTRA_FAIL_NONE,
      "response\ntext [\xef\xbf\xbd]\ntext [\xef\xbf\xbd\xef\xbf\xbd]\n"
      "finish stop/stop 0\n" },
    { "content_filter", 1, 1, STOP("content_filter") DONE, MASTRA_FAIL_NONE,
      "response\nfinish content-filter/content_filter 0\n" },
    { "a reason that nobody knows", 1, 1, STOP("weird") DONE, MASTRA_FAIL_NONE,
      "response\nfinish other/weird 0\n" },
    { "[DONE] without a reason", 1, 1, DELTA("{\"content\":\"a\"}") DONE,
      MASTRA_FAIL_NONE, "response\ntext [a]\nfinish unknown/- 0\n" },
    { "a reason without [DONE]", 1, 1,
      DELTA("{\"content\":\"a\"}") STOP("stop"), MASTRA_FAIL_NONE,
      "response\ntext [a]\nfinish stop/stop 0\n" },
    { "neither: the stream was cut", 1, 1, DELTA("{\"content\":\"a\"}"),
      MASTRA_FAIL_CUT, "response\ntext [a]\n" },
    { "cut inside an event", 1, 1,
      DELTA("{\"content\":\"a\"}") "data: {\"choices\":[{\"del",
      MASTRA_FAIL_CUT, "response\ntext [a]\n" },
    { "cut inside the first event", 1, 1, "data: {\"choices\":[{\"del",
      MASTRA_FAIL_CUT, "" },
    { "no event at all", 1, 1, "<html>busy</html>\n\n", MASTRA_FAIL_ANSWER,
      "" },
    { "an empty body", 1, 1, "", MASTRA_FAIL_ANSWER, "" },
    { "[DONE] alone", 1, 1, DONE, MASTRA_FAIL_ANSWER, "" },
    { "a chunk that is not JSON", 1, 1,
      DELTA("{\"content\":\"a\"}") D("{nope"), MASTRA_FAIL_ANSWER,
      "response\ntext [a]\n" },
    { "a chunk that is not an object", 1, 1, D("[1]"), MASTRA_FAIL_ANSWER,
      "" },
    { "what comes behind [DONE] is not read", 1, 1,
      STOP("stop") DONE D("{nope"), MASTRA_FAIL_NONE,
      "response\nfinish stop/stop 0\n" },
    { "comments, names and ids of events", 1, 1,
      ": hello\n\nevent: message\nid: 7\ndata: {\"choices\":[{\"delta\":\n"
      "data: {\"content\":\"a\"}}]}\n\n: ping\n\n" STOP("stop") DONE,
      MASTRA_FAIL_NONE, "response\ntext [a]\nfinish stop/stop 0\n" },
    { "CRLF", 1, 1,
      "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},"
      "\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\r\n\r\n",
      MASTRA_FAIL_NONE, "response\ntext [a]\nfinish stop/stop 0\n" },
    { "an error object with a status", 1, 1,
      D("{\"error\":{\"message\":\"slow\",\"code\":429}}"),
      MASTRA_FAIL_RATE_LIMIT, "" },
    { "an error object with a status as text", 1, 1,
      D("{\"error\":{\"message\":\"no\",\"code\":\"401\"}}"),
      MASTRA_FAIL_KEY_REFUSED, "" },
    { "an error object with a type", 1, 1,
      D("{\"error\":{\"message\":\"x\",\"type\":\"overloaded_error\"}}"),
      MASTRA_FAIL_UPSTREAM, "" },
    { "an error object with a code in words", 1, 1,
      D("{\"error\":{\"code\":\"context_length_exceeded\"}}"),
      MASTRA_FAIL_PROMPT_SIZE, "" },
    { "an error that is a text", 1, 1, D("{\"error\":\"broken\"}"),
      MASTRA_FAIL_UPSTREAM, "" },
    { "an error after words", 1, 1,
      DELTA("{\"content\":\"a\"}") D("{\"error\":{\"message\":\"boom\"}}"),
      MASTRA_FAIL_UPSTREAM, "response\ntext [a]\n" },
    { "an error in the choice", 1, 1,
      D("{\"choices\":[{\"delta\":{},\"finish_reason\":\"error\",\"error\":"
        "{\"code\":502}}]}"), MASTRA_FAIL_UPSTREAM, "response\n" },
    { "an event called error", 1, 1,
      "event: error\ndata: {\"message\":\"x\",\"code\":503}\n\n",
      MASTRA_FAIL_UPSTREAM, "" },
    { "a null error is none", 1, 1,
      D("{\"error\":null,\"choices\":[{\"delta\":{\"content\":\"a\"},"
        "\"finish_reason\":\"stop\"}]}") DONE, MASTRA_FAIL_NONE,
      "response\ntext [a]\nfinish stop/stop 0\n" },
    { "a tool call in pieces", 1, 1,
      CALL("{\"index\":0,\"id\":\"t1\",\"type\":\"function\",\"function\":"
           "{\"name\":\"weather\",\"arguments\":\"\"}}")
      CALL("{\"index\":0,\"function\":{\"arguments\":\"{\\\"city\\\":\"}}")
      CALL("{\"index\":0,\"function\":{\"arguments\":\"\\\"Rome\\\"}\"}}")
      STOP("tool_calls") DONE, MASTRA_FAIL_NONE,
      "response\nstart t1 weather\ndelta t1 weather [{\"city\":]\n"
      "delta t1 weather [\"Rome\"}]\nend t1 weather\n"
      "call t1 weather {\"city\":\"Rome\"}\n"
      "finish tool-calls/tool_calls 0\n" },
    { "two calls at once, mixed pieces, text before", 1, 1,
      DELTA("{\"content\":\"Let me. \"}")
      CALL("{\"index\":1,\"id\":\"t2\",\"function\":{\"name\":\"b\"}},"
           "{\"index\":0,\"id\":\"t1\",\"function\":{\"name\":\"a\"}}")
      CALL("{\"index\":0,\"function\":{\"arguments\":\"{}\"}},"
           "{\"index\":1,\"function\":{\"arguments\":\"{\\\"x\\\":1}\"}}")
      STOP("tool_calls") DONE, MASTRA_FAIL_NONE,
      "response\ntext [Let me. ]\nstart t2 b\nstart t1 a\ndelta t1 a [{}]\n"
      "delta t2 b [{\"x\":1}]\nend t1 a\ncall t1 a {}\nend t2 b\n"
      "call t2 b {\"x\":1}\nfinish tool-calls/tool_calls 0\n" },
    { "whole calls, all of them with index 0", 1, 1,
      CALL("{\"index\":0,\"id\":\"t1\",\"function\":{\"name\":\"a\","
           "\"arguments\":\"{\\\"x\\\":1}\"}}")
      CALL("{\"index\":0,\"id\":\"t2\",\"function\":{\"name\":\"a\","
           "\"arguments\":\"{\\\"x\\\":2}\"}}")
      STOP("stop") DONE, MASTRA_FAIL_NONE,
      "response\nstart t1 a\ndelta t1 a [{\"x\":1}]\nstart t2 a\n"
      "delta t2 a [{\"x\":2}]\nend t1 a\ncall t1 a {\"x\":1}\nend t2 a\n"
      "call t2 a {\"x\":2}\nfinish tool-calls/stop 0\n" },
    { "whole calls without an index", 1, 1,
      CALL("{\"id\":\"t1\",\"function\":{\"name\":\"a\",\"arguments\":\"{}\"}},"
           "{\"id\":\"t2\",\"function\":{\"name\":\"b\",\"arguments\":"
           "\"{}\"}}")
      STOP("tool_calls") DONE, MASTRA_FAIL_NONE,
      "response\nstart t1 a\ndelta t1 a [{}]\nstart t2 b\ndelta t2 b [{}]\n"
      "end t1 a\ncall t1 a {}\nend t2 b\ncall t2 b {}\n"
      "finish tool-calls/tool_calls 0\n" },
    { "pieces with an id and no index", 1, 1,
      CALL("{\"id\":\"t1\",\"function\":{\"name\":\"a\",\"arguments\":\"{\"}}")
      CALL("{\"id\":\"t1\",\"function\":{\"arguments\":\"}\"}}")
      STOP("tool_calls") DONE, MASTRA_FAIL_NONE,
      "response\nstart t1 a\ndelta t1 a [{]\ndelta t1 a [}]\nend t1 a\n"
      "call t1 a {}\nfinish tool-calls/tool_calls 0\n" },
    { "a name that comes after the first arguments", 1, 1,
      CALL("{\"index\":0,\"id\":\"t1\",\"function\":{\"arguments\":\"{\"}}")
      CALL("{\"index\":0,\"function\":{\"name\":\"a\",\"arguments\":\"}\"}}")
      STOP("tool_calls") DONE, MASTRA_FAIL_NONE,
      "response\nstart t1 a\ndelta t1 a [{]\ndelta t1 a [}]\nend t1 a\n"
      "call t1 a {}\nfinish tool-calls/tool_calls 0\n" },
    { "a name that is repeated, blank names and ids", 1, 1,
      CALL("{\"index\":0,\"id\":\"t1\",\"function\":{\"name\":\"a\","
           "\"arguments\":\"\"}}")
      CALL("{\"index\":0,\"id\":\"t1\",\"function\":{\"name\":\"a\","
           "\"arguments\":\"{\"}}")
      CALL("{\"index\":0,\"id\":\"\",\"function\":{\"name\":\"\","
           "\"arguments\":\"}\"}}")
      STOP("tool_calls") DONE, MASTRA_FAIL_NONE,
      "response\nstart t1 a\ndelta t1 a [{]\ndelta t1 a [}]\nend t1 a\n"
      "call t1 a {}\nfinish tool-calls/tool_calls 0\n" },
    { "no arguments are an empty object", 1, 1,
      CALL("{\"index\":0,\"id\":\"t1\",\"function\":{\"name\":\"a\"}}")
      STOP("tool_calls") DONE, MASTRA_FAIL_NONE,
      "response\nstart t1 a\nend t1 a\ncall t1 a {}\n"
      "finish tool-calls/tool_calls 0\n" },
    { "arguments that do not parse", 1, 1,
      CALL("{\"index\":0,\"id\":\"t1\",\"function\":{\"name\":\"a\","
           "\"arguments\":\"{\\\"x\"}}")
      STOP("length") DONE, MASTRA_FAIL_NONE,
      "response\nstart t1 a\ndelta t1 a [{\"x]\nend t1 a\n"
      "call t1 a [{\"x]\nfinish length/length 0\n" },
    { "arguments that are not an object", 1, 1,
      CALL("{\"index\":0,\"id\":\"t1\",\"function\":{\"name\":\"a\","
           "\"arguments\":\"[1]\"}}")
      STOP("tool_calls") DONE, MASTRA_FAIL_NONE,
      "response\nstart t1 a\ndelta t1 a [[1]]\nend t1 a\n"
      "call t1 a [[1]]\nfinish tool-calls/tool_calls 0\n" },
    { "arguments as an object", 1, 1,
      CALL("{\"index\":0,\"id\":\"t1\",\"function\":{\"name\":\"a\","
           "\"arguments\":{\"x\":1}}}")
      STOP("tool_calls") DONE, MASTRA_FAIL_NONE,
      "response\nstart t1 a\ndelta t1 a [{\"x\":1}]\nend t1 a\n"
      "call t1 a {\"x\":1}\nfinish tool-calls/tool_calls 0\n" },
    { "a call that never gets a name", 1, 1,
      CALL("{\"index\":0,\"id\":\"t1\",\"function\":{\"arguments\":\"{}\"}}")
      STOP("tool_calls") DONE, MASTRA_FAIL_ANSWER, "response\n" },
    { "a whole answer", 0, 0,
      DOCUMENT("{\"content\":\"Hello\",\"reasoning_content\":\"hm\"}", "stop"),
      MASTRA_FAIL_NONE,
      "response\nreasoning [hm]\ntext [Hello]\nfinish stop/stop 0"
      DOCUMENT("{\"content\":\"Hello\",\"reasoning_content\":\"hm\"}", "stop")
      "\n" },
    { "a whole answer with calls", 0, 0,
      DOCUMENT("{\"content\":null,\"tool_calls\":[{\"id\":\"t1\",\"function\":"
               "{\"name\":\"a\",\"arguments\":\"{}\"}}]}", "tool_calls"),
      MASTRA_FAIL_NONE,
      "response\ncall t1 a {}\nfinish tool-calls/tool_calls 0"
      DOCUMENT("{\"content\":null,\"tool_calls\":[{\"id\":\"t1\",\"function\":"
               "{\"name\":\"a\",\"arguments\":\"{}\"}}]}", "tool_calls")
      "\n" },
    { "a whole answer where a stream was asked for", 1, 0,
      DOCUMENT("{\"content\":null,\"tool_calls\":[{\"id\":\"t1\",\"function\":"
               "{\"name\":\"a\",\"arguments\":\"{}\"}}]}", "tool_calls"),
      MASTRA_FAIL_NONE,
      "response\nstart t1 a\ndelta t1 a [{}]\nend t1 a\ncall t1 a {}\n"
      "finish tool-calls/tool_calls 0"
      DOCUMENT("{\"content\":null,\"tool_calls\":[{\"id\":\"t1\",\"function\":"
               "{\"name\":\"a\",\"arguments\":\"{}\"}}]}", "tool_calls")
      "\n" },
    { "a stream where a whole answer was asked for", 0, 1,
      CALL("{\"index\":0,\"id\":\"t1\",\"function\":{\"name\":\"a\"}}")
      STOP("tool_calls") DONE, MASTRA_FAIL_NONE,
      "response\ncall t1 a {}\nfinish tool-calls/tool_calls 0\n" },
    { "a whole answer that is an error", 0, 0,
      "{\"error\":{\"message\":\"x\",\"code\":\"insufficient_quota\"}}",
      MASTRA_FAIL_QUOTA, "" },
    { "a whole answer without choices", 0, 0, "{\"choices\":[]}",
      MASTRA_FAIL_ANSWER, "" },
    { "a whole answer that is not JSON", 0, 0, "<html>", MASTRA_FAIL_ANSWER,
      "" },
    { "a whole answer that is JSON of another kind", 0, 0, "[]",
      MASTRA_FAIL_ANSWER, "" },
    { "a whole answer that is empty", 0, 0, "", MASTRA_FAIL_ANSWER, "" },
};

static void test_cases(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_feed(&mastra_wire_chat, &cases[i]);
    }
}

static const feed_case_t *find_case(const char *name)
{
    apr_size_t i;

    for (i = 0; strcmp(cases[i].name, name) != 0; i++) {
    }
    return &cases[i];
}

/* While the caller has paused, events are kept and nothing is lost. */
static void test_pause(void)
{
    const feed_case_t *test = find_case("a tool call in pieces");
    mastra_outlet_t outlet = { .cbs = &feed_cbs };
    mastra_answer_t *answer;
    trace_t trace;

    trace_init(&trace);
    trace.pause_at = -1;
    outlet.baton = &trace;
    answer = mastra_answer_make(&mastra_wire_chat, "asked", 1, 0, &outlet);
    mastra_answer_begin(answer, NULL, 1);
    mastra_answer_feed(answer, test->text, strlen(test->text));
    ok(mastra_answer_end(answer, 0) == MASTRA_FAIL_NONE, "the answer is read");
    is_int(trace.events, 1, "after the first event the caller rests");
    ok(mastra_outlet_is_held(&outlet), "the others are held");
    mastra_answer_free(answer);
    while (mastra_outlet_is_held(&outlet)) {
        ok(mastra_outlet_resume(&outlet), "resume asks for a turn");
        ok(!mastra_outlet_resume(&outlet), "but only once");
        mastra_outlet_drain(&outlet);
    }
    is_str(trace_text(&trace), test->want, "one by one all of them come");
    mastra_buf_free(&trace.text);
}

static int resume_inside(void *baton, const mastra_model_event_t *event)
{
    mastra_outlet_resume(baton);
    return 0;
}

static void test_resume_inside(void)
{
    mastra_model_cbs_t inside = { resume_inside, feed_done };
    mastra_outlet_t outlet = { .cbs = &inside };
    mastra_model_event_t event = { .type = MASTRA_MODEL_TEXT };

    outlet.baton = &outlet;
    mastra_outlet_emit(&outlet, &event);
    ok(!mastra_outlet_is_held(&outlet), "resume from inside on_event counts");
}

static void test_response(void)
{
    feed_case_t test = { "", 1, 1, DELTA("{\"content\":\"a\"}") STOP("stop") };
    feed_case_t bare = { "", 1, 1, STOP("stop") };
    mastra_outlet_t outlet = { .cbs = &feed_cbs };
    mastra_answer_t *answer;
    trace_t trace;

    trace_init(&trace);
    trace.with_response = 1;
    outlet.baton = &trace;
    answer = mastra_answer_make(&mastra_wire_chat, "asked", 1, 1, &outlet);
    mastra_answer_begin(answer, mastra_json_pack("{s:s}", "x", "y"), 1);
    mastra_answer_feed(answer, test.text, strlen(test.text));
    ok(strstr(trace_text(&trace), "response {\"id\":\"c1\",\"timestamp\":"
              "\"2023-11-14T22:13:20.000Z\",\"modelId\":\"m\",\"headers\":"
              "{\"x\":\"y\"}}\n") != NULL, "the response's data");
    ok(strncmp(trace_text(&trace), "raw {\"id\":\"c1\"", 14) == 0,
       "raw chunks come first when they are asked for");
    mastra_answer_free(answer);
    mastra_buf_reset(&trace.text);
    answer = mastra_answer_make(&mastra_wire_chat, "asked", 1, 0, &outlet);
    mastra_answer_begin(answer, NULL, 1);
    mastra_answer_feed(answer, bare.text, strlen(bare.text));
    ok(strstr(trace_text(&trace), "\"modelId\":\"asked\",\"headers\":{}")
       && !strstr(trace_text(&trace), "\"id\""), "and what stands in for it");
    mastra_answer_free(answer);
    mastra_buf_free(&trace.text);
}

static void test_usage(void)
{
    mastra_json_t *raw, *usage;

    raw = mastra_json_pack("{s:i, s:i, s:i, s:{s:i}, s:{s:i}}",
                           "prompt_tokens", 10, "completion_tokens", 5,
                           "total_tokens", 99, "prompt_tokens_details",
                           "cached_tokens", 4, "completion_tokens_details",
                           "reasoning_tokens", 2);
    usage = mastra_openai_usage(raw);
    is_str(mastra_json_text(usage, pool),
           "{\"inputTokens\":10,\"outputTokens\":5,\"totalTokens\":15,"
           "\"reasoningTokens\":2,\"cachedInputTokens\":4,\"raw\":{"
           "\"inputTokens\":{\"total\":10,\"noCache\":6,\"cacheRead\":4},"
           "\"outputTokens\":{\"total\":5,\"text\":3,\"reasoning\":2},"
           "\"raw\":{\"prompt_tokens\":10,\"completion_tokens\":5,"
           "\"total_tokens\":99,\"prompt_tokens_details\":{"
           "\"cached_tokens\":4},\"completion_tokens_details\":{"
           "\"reasoning_tokens\":2}}}}", "usage with details");
    mastra_json_unref(usage);
    mastra_json_unref(raw);
    usage = mastra_openai_usage(NULL);
    is_str(mastra_json_text(usage, pool), "{\"totalTokens\":0,\"raw\":{"
           "\"inputTokens\":{},\"outputTokens\":{}}}", "usage unknown");
    mastra_json_unref(usage);
}

/* Ids of ours where the upstream gives none, or the same twice. */
static void test_made_ids(void)
{
    const char *text = CALL("{\"function\":{\"name\":\"a\"}},"
                            "{\"id\":\"t\",\"index\":5,\"function\":{\"name\":"
                            "\"b\"}},{\"id\":\"t\",\"index\":6,\"function\":"
                            "{\"name\":\"c\"}}") STOP("tool_calls");
    feed_case_t test = { "", 0, 1, text };
    trace_t trace;
    const char *at;

    is_int(feed(&mastra_wire_chat, &test, 0, 0, &trace), MASTRA_FAIL_NONE, "calls without ids");
    at = trace_text(&trace);
    ok(strncmp(at, "response\ncall call_", 19) == 0
       && strspn(at + 19, "0123456789abcdef") == 24, "an id is made");
    ok(strstr(at, "\ncall t b {}\ncall call_") != NULL,
       "an id that was given twice is replaced");
    mastra_buf_free(&trace.text);
}

static void test_limits(void)
{
    mastra_buf_t text;
    feed_case_t test = { "", 1, 1, NULL };
    trace_t trace;
    int i;

    mastra_buf_init(&text, 64 * 1024 * 1024);
    for (i = 0; i < 200; i++) {
        mastra_buf_printf(&text, "data: {\"choices\":[{\"delta\":{\"tool_calls"
                          "\":[{\"index\":%d,\"function\":{\"name\":\"a\"}}]}"
                          "}]}\n\n", i);
    }
    test.text = text.data;
    is_int(feed(&mastra_wire_chat, &test, 0, 0, &trace), MASTRA_FAIL_ANSWER_SIZE,
           "tool calls without end");
    mastra_buf_free(&trace.text);
    mastra_buf_reset(&text);
    mastra_buf_puts(&text, "data: ");
    for (i = 0; i < 5 * 1024 * 1024 / 64; i++) {
        mastra_buf_puts(&text, "0123456789012345678901234567890123456789"
                        "012345678901234567890123");
    }
    test.text = text.data;
    is_int(feed(&mastra_wire_chat, &test, 0, 0, &trace), MASTRA_FAIL_ANSWER_SIZE,
           "an event without end");
    mastra_buf_free(&trace.text);
    test.event_stream = 0;
    is_int(feed(&mastra_wire_chat, &test, 0, 4096, &trace), MASTRA_FAIL_ANSWER,
           "a document that is no JSON");
    mastra_buf_free(&trace.text);
    mastra_buf_free(&text);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_cases();
    test_pause();
    test_resume_inside();
    test_response();
    test_usage();
    test_made_ids();
    test_limits();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
