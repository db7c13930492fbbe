/* Runs with the options of generate and stream, without a server: what the
 * model is offered and asked, when a run ends, and what it says. */
#include "ask.h"

#define CALL(id, name, args) "{\"id\":\"" id "\",\"name\":\"" name \
    "\",\"args\":" args "}"
#define Q "\"messages\":\"q\""
#define SCHEMA "{\"type\":\"object\",\"properties\":{\"a\":{" \
    "\"type\":\"string\"}},\"required\":[\"a\"]}"

/* ---- what is offered ---- */

static void offers(void)
{
    static const struct {
        const char *name, *options, *want;
    } cases[] = {
        { "an agent offers its tools", "", "[\"give\",\"ask\"]" },
        { "... those that are active", "\"activeTools\":[\"ask\",\"no\"]",
          "[\"ask\"]" },
        { "... or none", "\"activeTools\":[]", "[]" },
        { "... and none when none may be called", "\"toolChoice\":\"none\"",
          "[]" },
        { "clients add theirs",
          "\"clientTools\":{\"mine\":{\"description\":\"d\"}}",
          "[\"give\",\"ask\",\"mine\"]" },
        { "... also in sets", "\"toolsets\":{\"s\":{\"mine\":{}},\"t\":{"
          "\"yours\":{}}}", "[\"give\",\"ask\",\"mine\",\"yours\"]" },
        { "... or in the place of the agent's",
          "\"clientTools\":{\"give\":{}}", "[\"give\",\"ask\"]" },
        { "... of which some may be active",
          "\"clientTools\":{\"a\":{},\"b\":{}},\"activeTools\":[\"b\"]",
          "[\"b\"]" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask("tools", 0, apr_pstrcat(pool, Q, *cases[i].options ? "," : "",
                                    cases[i].options, NULL),
            "[{\"text\":\"x\"}]");
        is_str(was_asked(0, "tools"), cases[i].want, cases[i].name);
    }
}

static void client_calls(void)
{
    ask_t *one = ask("tools", 0, Q ",\"clientTools\":{\"mine\":{}}",
                     "[{\"calls\":[" CALL("c", "mine", "{\"x\":1}") "]}]");
    const char *trace, *other;

    is_int(nasked, 1, "a call of the client's tool ends the run");
    is_str(mastra_json_get_str(one->answer, "finishReason"), "tool-calls",
           "... with the reason that clients go on by");
    is_str(text_of(mastra_json_path(mastra_json_at(mastra_json_get(
                       one->answer, "toolCalls"), 0), "payload", "args", NULL)),
           "{\"x\":1}", "... and the call");
    one = ask("tools", 1, Q ",\"clientTools\":{\"mine\":{}}",
              "[{\"calls\":[" CALL("c", "mine", "{}") "]}]");
    is_str(types(one), "start step-start tool-call-input-streaming-start "
           "tool-call-input-streaming-end tool-call step-finish finish",
           "a stream ends after it, without a result");
    trace = mastra_json_get_str(mastra_json_path(
        chunk(one, "tool-call", 0), "payload", "observability", NULL),
        "traceparent");
    other = mastra_json_get_str(mastra_json_path(
        chunk(one, "tool-call-input-streaming-start", 0), "payload",
        "observability", NULL), "traceparent");
    ok(trace && strlen(trace) == 55 && !strncmp(trace, "00-", 3),
       "... with the trace that the client's work belongs to");
    is_str(trace, other, "... from its start");
    one = ask("tools", 1, Q ",\"clientTools\":{\"mine\":{}}",
              "[{\"calls\":[" CALL("c", "mine", "{}") ","
              CALL("d", "give", "{\"x\":1}") "]}]");
    is_int(nasked, 1, "beside it the server's tools run");
    is_str(text_of(mastra_json_path(chunk(one, "tool-result", 0), "payload",
                                    "result", NULL)), "{\"x\":1}",
           "... and their results are told");
    one = ask("tools", 0, Q ",\"activeTools\":[\"ask\"]",
              "[{\"calls\":[" CALL("d", "give", "{}") "]},{\"text\":\"x\"}]");
    is_int(mastra_json_size(mastra_json_get(one->answer, "toolResults")), 0,
           "a tool that was not offered is not called");
}

/* ---- when it ends ---- */

static void ends(void)
{
    static const struct {
        const char *name, *options;
        int calls;
    } cases[] = {
        { "five steps without a word about it", "", 5 },
        { "maxSteps", "\"maxSteps\":2", 2 },
        { "... whose half counts whole", "\"maxSteps\":2.5", 3 },
        { "... and 0 as if it was not there", "\"maxSteps\":0", 5 },
        { "stopWhen: a number of steps", "\"stopWhen\":{\"stepCountIs\":3}", 3 },
        { "... that may be larger", "\"stopWhen\":{\"stepCountIs\":7}", 7 },
        { "stopWhen: a call", "\"stopWhen\":[{\"hasToolCall\":\"give\"}]", 1 },
        { "... or another", "\"stopWhen\":[{\"hasToolCall\":\"no\"},"
          "{\"stepCountIs\":2}]", 2 },
        { "... or none", "\"stopWhen\":[]", 5 },
    };
    const char *says = "[", *one = "{\"calls\":[" CALL("c", "give", "{}") "]}";
    apr_size_t i;

    for (i = 0; i < 20; i++) {
        says = apr_pstrcat(pool, says, i ? "," : "", one, NULL);
    }
    says = apr_pstrcat(pool, says, "]", NULL);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask("tools", 0, apr_pstrcat(pool, Q, *cases[i].options ? "," : "",
                                    cases[i].options, NULL), says);
        is_int(nasked, cases[i].calls, cases[i].name);
    }
}

/* ---- what is asked ---- */

#define SYSTEM(text) "{\"role\":\"system\",\"content\":\"" text "\"}"
#define USER(text) "{\"role\":\"user\",\"content\":[{\"type\":\"text\"," \
    "\"text\":\"" text "\"}]}"

static void prompts(void)
{
    static const struct {
        const char *name, *options, *want;
    } cases[] = {
        { "instructions with the request context", Q,
          "[" SYSTEM("I help Ann.") "," USER("q") "]" },
        { "the request's own instructions", Q ",\"instructions\":\"I\"",
          "[" SYSTEM("I") "," USER("q") "]" },
        { "... several, as messages too", Q ",\"instructions\":[\"I\",{"
          "\"role\":\"system\",\"content\":\"J\"}]",
          "[" SYSTEM("I") "," SYSTEM("J") "," USER("q") "]" },
        { "... or none", Q ",\"instructions\":\"\"",
          "[" SYSTEM("I help Ann.") "," USER("q") "]" },
        { "all that is said before the question",
          "\"messages\":[\"q\",{\"role\":\"system\",\"content\":\"M\"}],"
          "\"context\":[\"c\",{\"role\":\"system\",\"content\":\"C\"}],"
          "\"system\":[\"S\"],\"instructions\":{\"role\":\"system\","
          "\"content\":\"I\"}",
          "[" SYSTEM("I") "," SYSTEM("C") "," SYSTEM("M") "," SYSTEM("S") ","
          USER("c") "," USER("q") "]" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask("plain", 0, cases[i].options, "[{\"text\":\"x\"}]");
        is_str(was_asked(0, "prompt"), cases[i].want, cases[i].name);
    }
}

static void goes_on(void)
{
    ask_t *one = ask("plain", 1, "\"messages\":[\"q\",{\"id\":\"m\","
                     "\"role\":\"assistant\",\"content\":[{\"type\":"
                     "\"tool-call\",\"toolCallId\":\"c\",\"toolName\":\"t\","
                     "\"args\":{}}]},{\"role\":\"tool\",\"content\":[{\"type\":"
                     "\"tool-result\",\"toolCallId\":\"c\",\"toolName\":\"t\","
                     "\"result\":1}]}]", "[{\"text\":\"x\"}]");
    const mastra_json_t *payload = mastra_json_get(chunk(one, "finish", 0),
                                                   "payload");

    is_str(mastra_json_get_str(payload, "messageId"), "m",
           "an answer to a tool's result goes on with the message of the call");
    is_int(mastra_json_size(mastra_json_path(payload, "messages", "nonUser",
                                             NULL)), 3,
           "... which clients see whole");
    is_int(mastra_json_size(mastra_json_path(mastra_json_at(mastra_json_path(
               payload, "output", "steps", NULL), 0), "content", NULL)), 1,
           "... but a step has its own content alone");
    one = ask("plain", 1, Q ",\"includeRawChunks\":true",
              "[{\"text\":\"x\",\"mark\":1}]");
    is_str(text_of(mastra_json_get(chunk(one, "raw", 0), "payload")),
           "{\"text\":\"x\",\"mark\":1}", "raw chunks are passed on as they are");
    one = ask("plain", 1, Q, "[{\"text\":\"x\"}]");
    ok(!chunk(one, "raw", 0), "... when they are asked for");
}

/* ---- structured output ---- */

static void objects(void)
{
    static const struct {
        const char *name, *wanted, *says, *object, *error;
        int calls;
    } cases[] = {
        { "the answer is the object", "\"schema\":" SCHEMA,
          "[{\"text\":\"{\\\"a\\\":\\\"b\\\"}\"}]", "{\"a\":\"b\"}", NULL, 1 },
        { "... also within a fence", "\"schema\":" SCHEMA,
          "[{\"text\":\"```json\\n{\\\"a\\\":\\\"b\\\"}\\n```\"}]",
          "{\"a\":\"b\"}", NULL, 1 },
        { "... behind a preface", "\"schema\":" SCHEMA,
          "[{\"text\": \"Here it is: {\\\"a\\\":\\\"b\\\"}\"}]",
          "{\"a\":\"b\"}", NULL, 1 },
        { "... before more words", "\"schema\":" SCHEMA,
          "[{\"text\": \"{\\\"a\\\":\\\"b\\\"} Does {\\\"a\\\":1} help?\"}]",
          "{\"a\":\"b\"}", NULL, 1 },
        { "... in a fence among words", "\"schema\":" SCHEMA,
          "[{\"text\": \"Sure!\\n```json\\n{\\\"a\\\":\\\"b\\\"}\\n```\\nBye {}\"}]",
          "{\"a\":\"b\"}", NULL, 1 },
        { "... in a fence of one line", "\"schema\":" SCHEMA,
          "[{\"text\": \"```json{\\\"a\\\":\\\"b\\\"}```\"}]",
          "{\"a\":\"b\"}", NULL, 1 },
        { "... behind other braces", "\"schema\":" SCHEMA,
          "[{\"text\": \"<think>{x} or {y:1}</think> {\\\"a\\\":\\\"b\\\"}\"}]",
          "{\"a\":\"b\"}", NULL, 1 },
        { "... with a comma too many", "\"schema\":" SCHEMA,
          "[{\"text\": \"{\\\"a\\\":\\\"b\\\" , }\"}]",
          "{\"a\":\"b\"}", NULL, 1 },
        { "... when its end was cut off", "\"schema\":" SCHEMA,
          "[{\"text\": \"{\\\"a\\\":\\\"b\"}]",
          "{\"a\":\"b\"}", NULL, 1 },
        { "... when it was cut at a name", "\"schema\":" SCHEMA,
          "[{\"text\": \"{\\\"a\\\":\\\"b\\\",\\\"c\"}]",
          "{\"a\":\"b\"}", NULL, 1 },
        { "... with a line break in it", "\"schema\":" SCHEMA,
          "[{\"text\": \"{\\\"a\\\":\\\"b\\nc\\\"}\"}]",
          "{\"a\":\"b\\nc\"}", NULL, 1 },
        { "an array comes in an object",
          "\"schema\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}}",
          "[{\"text\":\"{\\\"elements\\\":[1,2]}\"}]", "[1,2]", NULL, 1 },
        { "... as does a choice", "\"schema\":{\"enum\":[\"a\",\"b\"]}",
          "[{\"text\":\"{\\\"result\\\":\\\"b\\\"}\"}]", "\"b\"", NULL, 1 },
        { "what does not fit is an error", "\"schema\":" SCHEMA,
          "[{\"text\":\"{\\\"a\\\":1}\"}]", NULL,
          "Structured output validation failed: - a: Invalid input: expected "
          "string, received number", 1 },
        { "... what is no JSON, too", "\"schema\":" SCHEMA,
          "[{\"text\":\"b\"}]", NULL,
          "Structured output validation failed: - root: the answer is no JSON",
          1 },
        { "... unless there is something else to give",
          "\"schema\":" SCHEMA ",\"errorStrategy\":\"fallback\","
          "\"fallbackValue\":{\"a\":\"f\"}", "[{\"text\":\"b\"}]",
          "{\"a\":\"f\"}", NULL, 1 },
        { "... or nothing is fine", "\"schema\":" SCHEMA
          ",\"errorStrategy\":\"warn\"", "[{\"text\":\"b\"}]", NULL, NULL, 1 },
        { "another model makes the object", "\"schema\":" SCHEMA
          ",\"model\":\"s/other\"",
          "[{\"text\":\"b\"},{\"text\":\"{\\\"a\\\":\\\"b\\\"}\"}]",
          "{\"a\":\"b\"}", NULL, 2 },
        { "... and may fail", "\"schema\":" SCHEMA ",\"model\":\"s/other\"",
          "[{\"text\":\"b\"},{\"fail\":502}]", NULL, "the model fails", 2 },
        { "... without harm", "\"schema\":" SCHEMA ",\"model\":\"s/other\","
          "\"errorStrategy\":\"fallback\",\"fallbackValue\":7",
          "[{\"text\":\"b\"},{\"fail\":502}]", "7", NULL, 2 },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask_t *one = ask("plain", 0, apr_pstrcat(
            pool, Q ",\"structuredOutput\":{", cases[i].wanted, "}", NULL),
            cases[i].says);

        is_str(text_of(mastra_json_get(one->answer, "object")),
               cases[i].object, cases[i].name);
        is_str(one->error, cases[i].error, "... its error");
        is_int(nasked, cases[i].calls, "... its calls");
    }
}

static void object_requests(void)
{
    ask_t *one;

    ask("plain", 0, Q ",\"structuredOutput\":{\"schema\":" SCHEMA "}",
        "[{\"text\":\"{\\\"a\\\":\\\"b\\\"}\"}]");
    is_str(was_asked(0, "schema"), "{\"type\":\"object\",\"properties\":{\"a\":{"
           "\"type\":\"string\"}},\"required\":[\"a\"],"
           "\"additionalProperties\":false}", "models get a closed schema");
    ask("plain", 0, Q ",\"structuredOutput\":{\"schema\":" SCHEMA
        ",\"jsonPromptInjection\":true,\"instructions\":\"And so.\"}",
        "[{\"text\":\"{\\\"a\\\":\\\"b\\\"}\"}]");
    is_str(was_asked(0, "schema"), NULL,
           "one that knows no schemas is told in words");
    ok(strstr(was_asked(0, "prompt"), "I help Ann.\\n\\nAnd so.\\n\\n"),
       "... with the instructions given for it");
    ok(strstr(was_asked(0, "prompt"), "\\\"additionalProperties\\\":false"),
       "... and the schema");
    one = ask("plain", 1, Q ",\"structuredOutput\":{\"schema\":" SCHEMA
              ",\"model\":{\"id\":\"s/other\"}}",
              "[{\"text\":\"b\"},{\"text\":\"{\\\"a\\\":\\\"b\\\"}\"}]");
    is_str(was_asked(0, "schema"), NULL,
           "before another model the first one speaks freely");
    ok(strstr(was_asked(0, "prompt"), "Another model"), "... but knows of it");
    is_str(was_asked(1, "model"), "\"other\"", "... which is that one");
    ok(strstr(was_asked(1, "prompt"), "\\n\\nb\""), "... and reads the answer");
    is_str(types(one), "start step-start text-start text-delta text-end object "
           "object-result step-finish finish", "its object is told");
    is_str(text_of(mastra_json_get(chunk(one, "object", 0), "metadata")),
           "{\"from\":\"structured-output\"}", "... with where it is from");
    one = ask("plain", 1, Q ",\"structuredOutput\":{\"schema\":{\"enum\":["
              "\"a\",\"b\"]}}", "[{\"text\":\"{\\\"result\\\":\\\"b\\\"}\"}]");
    is_str(types(one), "start step-start text-start object text-delta text-end "
           "object-result step-finish finish", "a choice is told when it fits");
    one = ask("plain", 1, Q ",\"structuredOutput\":{\"schema\":" SCHEMA "}",
              "[{\"text\":\"So: {\\\"a\\\":\\\"b\\\"}\"},"
              "{\"text\":\" or {\\\"a\\\":\"}]");
    is_str(types(one), "start step-start text-start object text-delta text-end "
           "object-result step-finish finish", "what stands around is not");
}

/* ---- what is refused before anything happens ---- */

static void refusals(void)
{
    static const struct {
        const char *options, *field;
    } cases[] = {
        { Q ",\"instructions\":5", "instructions" },
        { Q ",\"instructions\":[\"a\",{\"role\":\"user\",\"content\":\"b\"}]",
          "instructions.1" },
        { Q ",\"system\":{\"role\":\"user\",\"content\":\"b\"}", "system" },
        { Q ",\"context\":[{\"role\":\"x\"}]", "context.0.role" },
        { Q ",\"stopWhen\":5", "stopWhen" },
        { Q ",\"stopWhen\":{\"stepCountIs\":0}", "stopWhen" },
        { Q ",\"stopWhen\":[{\"x\":1}]", "stopWhen" },
        { Q ",\"clientTools\":{\"a\":null}", "clientTools.a" },
        { Q ",\"toolsets\":{\"a\":5}", "toolsets.a" },
        { Q ",\"toolsets\":{\"a\":{\"b\":5}}", "toolsets.a.b" },
        { Q ",\"structuredOutput\":{\"schema\":{\"type\":\"x\"}}",
          "structuredOutput.schema" },
        { Q ",\"structuredOutput\":{\"schema\":{},\"model\":\"no/model\"}",
          "structuredOutput.model" },
        { Q ",\"structuredOutput\":{\"schema\":{},\"model\":{\"id\":\"s/m\","
          "\"url\":\"http://127.0.0.1\"}}", "structuredOutput.model" },
    };
    apr_size_t i;
    ask_t *one;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        one = ask("plain", 0, cases[i].options, "[]");
        is_str(mastra_json_get_str(mastra_json_at(mastra_json_get(
                   one->detail, "issues"), 0), "field"), cases[i].field,
               apr_pstrcat(pool, "refused: ", cases[i].options, NULL));
        is_int(one->status, 400, "... with 400");
    }
    one = ask("plain", 0, "\"messages\":\"\"", "[]");
    is_str(one->error, "Argument \"messages\" is required",
           "an empty question is none");
}

int main(void)
{
    world_begin();
    add_tool("give", "{\"execute\":{\"kind\":\"give\"}}");
    add_tool("ask", "{\"requireApproval\":true,\"execute\":{\"kind\":\"give\"}}");
    add_agent("plain", "{\"model\":\"s/m\",\"instructions\":"
              "\"I help {{name}}.\"}");
    add_agent("tools", "{\"model\":\"s/m\",\"tools\":[\"give\",\"ask\"]}");
    offers();
    client_calls();
    ends();
    prompts();
    goes_on();
    objects();
    object_requests();
    refusals();
    return world_end();
}
