/* Messages of every form that clients send: what models are asked, what the
 * API shows, what is refused. */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "agent/internal.h"
#include "tap.h"

#define PNG "iVBORw0KGgoAAAA="
#define CALL "{\"type\":\"tool-call\",\"toolCallId\":\"c1\",\"toolName\":\"t\"," \
    "\"args\":{\"a\":1}}"
#define RESULT "{\"type\":\"tool-result\",\"toolCallId\":\"c1\"," \
    "\"toolName\":\"t\",\"result\":{\"ok\":true}}"
#define USER "{\"role\":\"user\",\"content\":\"q\"}"
#define ASKED "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"q\"}]}"
#define CALLED "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool-call\"," \
    "\"toolCallId\":\"c1\",\"toolName\":\"t\",\"input\":{\"a\":1}}]}"
#define ANSWERED(output) "{\"role\":\"tool\",\"content\":[{" \
    "\"type\":\"tool-result\",\"toolCallId\":\"c1\",\"toolName\":\"t\"," \
    "\"output\":" output "}]}"
#define OK_JSON "{\"type\":\"json\",\"value\":{\"ok\":true}}"
#define SAID(text) "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\"," \
    "\"text\":\"" text "\"}]}"

static apr_pool_t *pool;

static mastra_json_t *parse(const char *text)
{
    mastra_json_t *json = NULL;
    mastra_json_error_t error;

    if (mastra_json_parse(&json, text, strlen(text), 0, &error)) {
        printf("Bail out! %s: %s\n", text, error.message);
        exit(1);
    }
    return mastra_json_own(json, pool);
}

/* The prompt of a request with these messages, or what is wrong with them. */
static const char *prompt_of(const char *input)
{
    mastra_json_t *prompt = mastra_json_own(mastra_json_array(), pool);
    mastra_result_t *error = NULL;
    mastra_json_t *messages = mastra_message_normalize(parse(input), "messages",
                                                       1000000, &error, pool);

    if (!messages) {
        return mastra_json_text(error->detail, pool);
    }
    mastra_json_own(messages, pool);
    mastra_message_systems(prompt, messages);
    mastra_message_to_prompt(prompt, messages);
    mastra_message_end_prompt(prompt);
    return mastra_json_text(prompt, pool);
}

typedef struct {
    const char *name, *input, *want;
} case_t;

static void run_cases(const case_t *cases, apr_size_t n)
{
    apr_size_t i;

    for (i = 0; i < n; i++) {
        is_str(prompt_of(cases[i].input), cases[i].want, cases[i].name);
    }
}

#define RUN(cases) run_cases(cases, sizeof(cases) / sizeof(cases[0]))

static const case_t texts[] = {
    { "a string is a question", "\"q\"", "[" ASKED "]" },
    { "strings are questions", "[\"q\",\"q\"]", "[" ASKED "," ASKED "]" },
    { "nobody has to ask", "[]", "[]" },
    { "lists within lists are one list", "[[" USER "],\"q\"]",
      "[" ASKED "," ASKED "]" },
    { "text as parts",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"q\"}]}]",
      "[" ASKED "]" },
    { "a part may be a string", "[{\"role\":\"user\",\"content\":[\"q\"]}]",
      "[" ASKED "]" },
    { "a UI message",
      "[{\"id\":\"1\",\"role\":\"user\",\"parts\":[{\"type\":\"text\","
      "\"text\":\"q\"}]}]", "[" ASKED "]" },
    { "an older UI message has its text twice",
      "[{\"role\":\"user\",\"content\":\"q\",\"parts\":[{\"type\":\"text\","
      "\"text\":\"q\"}]}]", "[" ASKED "]" },
    { "a stored message of version 1",
      "[{\"id\":\"1\",\"role\":\"user\",\"type\":\"text\",\"content\":\"q\","
      "\"createdAt\":\"2024-01-01T00:00:00Z\"}]", "[" ASKED "]" },
    { "a stored message of version 2",
      "[{\"id\":\"1\",\"role\":\"user\",\"content\":{\"format\":2,\"parts\":[{"
      "\"type\":\"text\",\"text\":\"q\"}]}}]", "[" ASKED "]" },
    { "... whose text stands beside its parts",
      "[{\"role\":\"user\",\"content\":{\"format\":2,\"content\":\"q\","
      "\"parts\":[]}}]", "[" ASKED "]" },
    { "a signal is the user's", "[{\"role\":\"signal\",\"content\":\"q\"}]",
      "[" ASKED "]" },
    { "what says nothing is not sent",
      "[\"\",{\"role\":\"user\",\"content\":[]}," USER "]", "[" ASKED "]" },
    { "parts that nobody knows are not sent",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"x\"},5,{\"type\":\"text\","
      "\"text\":\"q\"}]}]", "[" ASKED "]" },
    { "of two messages with one id the later one counts",
      "[{\"id\":\"1\",\"role\":\"user\",\"content\":\"a\"},{\"id\":\"1\","
      "\"role\":\"user\",\"content\":\"q\"}]", "[" ASKED "]" },
    { "what is told to a provider goes along",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"q\","
      "\"providerOptions\":{\"x\":{\"y\":1},\"mastra\":{\"z\":1}}}]}]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"q\","
      "\"providerOptions\":{\"x\":{\"y\":1}}}]}]" },
};

static const case_t sides[] = {
    { "system messages come first",
      "[" USER ",{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"system\","
      "\"content\":[{\"type\":\"text\",\"text\":\"t\"}]}]",
      "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"system\","
      "\"content\":\"t\"}," ASKED "]" },
    { "a conversation begins with its user",
      "[{\"role\":\"assistant\",\"content\":\"y\"}," USER "]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\".\"}]},"
      SAID("y") "," ASKED "]" },
    { "what the assistant says twice in a row is one message",
      "[" USER ",{\"role\":\"assistant\",\"content\":\"a\"},"
      "{\"role\":\"assistant\",\"content\":\"b\"}]",
      "[" ASKED ",{\"role\":\"assistant\",\"content\":[{\"type\":\"text\","
      "\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}]" },
    { "reasoning goes back to the model",
      "[" USER ",{\"role\":\"assistant\",\"content\":[{\"type\":\"reasoning\","
      "\"text\":\"hm\"},{\"type\":\"text\",\"text\":\"y\"}]}]",
      "[" ASKED ",{\"role\":\"assistant\",\"content\":[{\"type\":\"reasoning\","
      "\"text\":\"hm\"},{\"type\":\"text\",\"text\":\"y\"}]}]" },
    { "sources and data do not",
      "[" USER ",{\"role\":\"assistant\",\"parts\":[{\"type\":\"source-url\","
      "\"url\":\"u\"},{\"type\":\"data-x\",\"data\":1},{\"type\":\"text\","
      "\"text\":\"y\"}]}]", "[" ASKED "," SAID("y") "]" },
};

static const case_t files[] = {
    { "an image by its URL",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
      "\"image\":\"https://x/y.webp?z\"}]}]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
      "\"image\":\"https://x/y.webp?z\",\"mediaType\":\"image/webp\"}]}]" },
    { "an image in base64 is known by its first bytes",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"image\":\"" PNG
      "\"}]}]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"image\":\"data:image/png;base64," PNG
      "\",\"mediaType\":\"image/png\"}]}]" },
    { "... also when it is any kind of image",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"data\":\"" PNG
      "\",\"mediaType\":\"image/*\"}]}]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"image\":\"data:image/png;base64," PNG
      "\",\"mediaType\":\"image/png\"}]}]" },
    { "... or by its data URL",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
      "\"image\":\"data:image/gif;base64,AA==\"}]}]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
      "\"image\":\"data:image/gif;base64,AA==\",\"mediaType\":\"image/gif\"}]}]" },
    { "what the client says of it counts",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"image\":\"" PNG
      "\",\"mimeType\":\"image/jpeg\"}]}]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"image\":\"" PNG
      "\",\"mediaType\":\"image/jpeg\"}]}]" },
    { "bytes as JSON writes them",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"image\":{\"0\":137,"
      "\"1\":80,\"2\":78,\"3\":71,\"4\":13,\"5\":10,\"6\":26,\"7\":10,\"8\":0}}]}]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
      "\"image\":\"data:image/png;base64,iVBORw0KGgoA\",\"mediaType\":\"image/png\"}]}]" },
    { "bytes of a Buffer",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"data\":{"
      "\"type\":\"Buffer\",\"data\":[104,105]},\"mediaType\":\"text/plain\"}]}]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"data\":\"data:text/plain;base64,aGk=\","
      "\"mediaType\":\"text/plain\"}]}]" },
    { "numbers that are no bytes are nothing",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"image\":[300]},"
      "{\"type\":\"text\",\"text\":\"q\"}]}]", "[" ASKED "]" },
    { "a document keeps its name",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"data\":\"AA==\","
      "\"mimeType\":\"application/pdf\",\"filename\":\"a.pdf\"}]}]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"data\":\"AA==\","
      "\"mediaType\":\"application/pdf\",\"filename\":\"a.pdf\"}]}]" },
    { "a file of a UI message",
      "[{\"role\":\"user\",\"parts\":[{\"type\":\"file\","
      "\"mediaType\":\"image/png\",\"url\":\"data:image/png;base64," PNG
      "\"}]}]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
      "\"image\":\"data:image/png;base64," PNG "\","
      "\"mediaType\":\"image/png\"}]}]" },
    { "attachments of an older UI message come before its text",
      "[{\"role\":\"user\",\"content\":\"q\",\"experimental_attachments\":[{"
      "\"url\":\"https://x/y\",\"contentType\":\"image/png\",\"name\":\"n\"}]}]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
      "\"image\":\"https://x/y\",\"mediaType\":\"image/png\"},"
      "{\"type\":\"text\",\"text\":\"q\"}]}]" },
};

#define TOOL_PROMPT "[" ASKED "," CALLED "," ANSWERED(OK_JSON) "]"

static const case_t tools[] = {
    { "a call and its result",
      "[" USER ",{\"role\":\"assistant\",\"content\":[" CALL "]},"
      "{\"role\":\"tool\",\"content\":[" RESULT "]}]", TOOL_PROMPT },
    { "a result beside its call",
      "[" USER ",{\"role\":\"assistant\",\"content\":[" CALL "," RESULT "]}]",
      TOOL_PROMPT },
    { "the newer names of arguments and result",
      "[" USER ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool-call\","
      "\"toolCallId\":\"c1\",\"toolName\":\"t\",\"input\":{\"a\":1}}]},"
      "{\"role\":\"tool\",\"content\":[{\"type\":\"tool-result\","
      "\"toolCallId\":\"c1\",\"toolName\":\"t\",\"output\":{\"type\":\"json\","
      "\"value\":{\"ok\":true}}}]}]", TOOL_PROMPT },
    { "a result alone tells of its call",
      "[" USER ",{\"role\":\"tool\",\"content\":[{\"type\":\"tool-result\","
      "\"toolCallId\":\"c1\",\"toolName\":\"t\",\"input\":{\"a\":1},"
      "\"result\":{\"ok\":true},\"__mastraObservability\":{}}]}]", TOOL_PROMPT },
    { "a UI message with an output",
      "[" USER ",{\"role\":\"assistant\",\"parts\":[{\"type\":\"tool-t\","
      "\"toolCallId\":\"c1\",\"state\":\"output-available\","
      "\"input\":{\"a\":1},\"output\":{\"ok\":true}}]}]", TOOL_PROMPT },
    { "... whose tool is not in its type",
      "[" USER ",{\"role\":\"assistant\",\"parts\":[{\"type\":\"dynamic-tool\","
      "\"toolName\":\"t\",\"toolCallId\":\"c1\",\"state\":\"output-available\","
      "\"input\":{\"a\":1},\"output\":{\"ok\":true}}]}]", TOOL_PROMPT },
    { "... with an error",
      "[" USER ",{\"role\":\"assistant\",\"parts\":[{\"type\":\"tool-t\","
      "\"toolCallId\":\"c1\",\"state\":\"output-error\",\"input\":{\"a\":1},"
      "\"errorText\":\"no\"}]}]",
      "[" ASKED "," CALLED ","
      ANSWERED("{\"type\":\"error-text\",\"value\":\"no\"}") "]" },
    { "... that was denied",
      "[" USER ",{\"role\":\"assistant\",\"parts\":[{\"type\":\"tool-t\","
      "\"toolCallId\":\"c1\",\"state\":\"output-denied\",\"input\":{\"a\":1},"
      "\"approval\":{\"reason\":\"no\"}}]}]",
      "[" ASKED "," CALLED ","
      ANSWERED("{\"type\":\"text\",\"value\":\"no\"}") "]" },
    { "an invocation of an older UI message",
      "[" USER ",{\"role\":\"assistant\",\"content\":\"\",\"toolInvocations\":[{"
      "\"state\":\"result\",\"toolCallId\":\"c1\",\"toolName\":\"t\","
      "\"args\":{\"a\":1},\"result\":{\"ok\":true}}]}]", TOOL_PROMPT },
    { "the same invocation as part and beside the parts",
      "[" USER ",{\"role\":\"assistant\",\"content\":\"\",\"parts\":[{"
      "\"type\":\"tool-invocation\",\"toolInvocation\":{\"state\":\"result\","
      "\"toolCallId\":\"c1\",\"toolName\":\"t\",\"args\":{\"a\":1},"
      "\"result\":{\"ok\":true}}}],\"toolInvocations\":[{\"state\":\"result\","
      "\"toolCallId\":\"c1\",\"toolName\":\"t\",\"args\":{\"a\":1},"
      "\"result\":{\"ok\":true}}]}]", TOOL_PROMPT },
    { "a call that is told of twice is one",
      "[" USER ",{\"role\":\"assistant\",\"content\":[" CALL "]},"
      "{\"role\":\"assistant\",\"content\":[" CALL "]},"
      "{\"role\":\"tool\",\"content\":[" RESULT "]}]", TOOL_PROMPT },
    { "what the model is to read instead of the result",
      "[" USER ",{\"role\":\"assistant\",\"content\":[" CALL "]},"
      "{\"role\":\"tool\",\"content\":[{\"type\":\"tool-result\","
      "\"toolCallId\":\"c1\",\"toolName\":\"t\",\"result\":1,"
      "\"providerOptions\":{\"mastra\":{\"modelOutput\":{\"type\":\"text\","
      "\"value\":\"one\"}}}}]}]",
      "[" ASKED "," CALLED ","
      ANSWERED("{\"type\":\"text\",\"value\":\"one\"}") "]" },
    { "a call without result is not sent",
      "[" USER ",{\"role\":\"assistant\",\"content\":[" CALL "]}]",
      "[" ASKED "]" },
    { "... nor is half a call",
      "[" USER ",{\"role\":\"assistant\",\"parts\":[{\"type\":"
      "\"tool-invocation\",\"toolInvocation\":{\"state\":\"partial-call\","
      "\"toolCallId\":\"c1\",\"toolName\":\"t\",\"args\":{}}}]}]",
      "[" ASKED "]" },
    { "text after a result is a message of its own",
      "[" USER ",{\"role\":\"assistant\",\"content\":[" CALL "," RESULT ",{"
      "\"type\":\"text\",\"text\":\"y\"}]}]",
      "[" ASKED "," CALLED "," ANSWERED(OK_JSON) "," SAID("y") "]" },
};

#define ISSUE(field, message) "{\"issues\":[{\"field\":\"" field "\"," \
    "\"message\":\"" message "\"}]}"

static const case_t refused[] = {
    { "a number is no message", "[5]",
      ISSUE("messages.0", "Invalid input: expected a message, received number") },
    { "null is none", "[\"q\",null]",
      ISSUE("messages.1", "Invalid input: expected a message, received null") },
    { "a message has a role", "[{\"content\":\"q\"}]",
      ISSUE("messages.0.role",
            "Invalid input: expected string, received undefined") },
    { "... that is known", "[{\"role\":\"x\",\"content\":\"q\"}]",
      ISSUE("messages.0.role", "Unsupported role: x") },
    { "... and content", "[{\"role\":\"user\"}]",
      ISSUE("messages.0.content",
            "Invalid input: expected text or parts, received undefined") },
    { "... of a known form", "[{\"role\":\"user\",\"content\":{\"a\":1}}]",
      ISSUE("messages.0.content",
            "Invalid input: expected text or parts, received object") },
    { "the place within lists is told", "[[\"q\",[true]]]",
      ISSUE("messages.0.1.0",
            "Invalid input: expected a message, received boolean") },
};

/* ---- what the API shows ---- */

static void shown(void)
{
    mastra_json_t *parts = parse(
        "[{\"type\":\"tool-invocation\",\"createdAt\":5,\"toolInvocation\":{"
        "\"state\":\"call\",\"toolCallId\":\"c\",\"toolName\":\"t\",\"args\":{}}}]");

    is_str(mastra_json_text(mastra_json_own(
               mastra_message_parts_to_model(parts), pool), pool),
           "[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool-call\","
           "\"toolCallId\":\"c\",\"toolName\":\"t\",\"input\":{},"
           "\"providerOptions\":{\"mastra\":{\"createdAt\":5}}}]}]",
           "clients see calls without results, and when they were made");
    is_str(mastra_json_text(mastra_json_own(
               mastra_message_parts_to_ui(parts), pool), pool),
           "[{\"type\":\"tool-t\",\"toolCallId\":\"c\",\"input\":{},"
           "\"callProviderMetadata\":{\"mastra\":{\"createdAt\":5}},"
           "\"state\":\"input-available\"}]",
           "... also as UI messages");
}

static void thoughts(void)
{
    mastra_json_t *parts = mastra_json_own(mastra_message_parts(parse(
        "{\"role\":\"assistant\",\"parts\":[{\"type\":\"reasoning\",\"text\":\"hm\"}]}"),
        pool), pool);
    mastra_json_t *part = mastra_json_at(parts, 0);

    is_str(mastra_json_get_str(part, "reasoning"), "hm",
           "a thought is kept where older clients look");
    is_str(mastra_json_text(mastra_json_get(part, "details"), pool),
           "[{\"type\":\"text\",\"text\":\"hm\"}]", "... and newer ones");
}

static void times(void)
{
    mastra_result_t *error = NULL;
    mastra_json_t *messages = mastra_json_own(
        mastra_message_normalize(parse("[\"a\",\"b\",{\"role\":\"user\","
                                       "\"content\":\"c\",\"createdAt\":"
                                       "\"2024-01-01T00:00:00.000Z\"}]"),
                                 "messages", 0, &error, pool), pool);

    is_str(mastra_json_get_str(mastra_json_at(messages, 0), "createdAt"),
           "1970-01-01T00:00:00.000Z", "the first message is of the time given");
    is_str(mastra_json_get_str(mastra_json_at(messages, 1), "createdAt"),
           "1970-01-01T00:00:00.001Z", "... the next a little later");
    is_str(mastra_json_get_str(mastra_json_at(messages, 2), "createdAt"),
           "2024-01-01T00:00:00.000Z", "... one that says when, of then");
}

/* ---- templates ---- */

static void templates(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "no braces", "no braces" },
        { "{{a}} and {{ a }}", "A and A" },
        { "{{user.name}}", "Bob" },
        { "{{list.1.x}}", "y" },
        { "{{object}}", "{\"k\":[1]}" },
        { "{{n}} {{yes}} {{zero}}", "1.5 true 0" },
        { "{{empty}}.", "." },
        { "{{missing}}", "{{missing}}" },
        { "{{none}}", "{{none}}" },
        { "{{missing || 'd'}}{{none||\"e f\"}}", "de f" },
        { "{{a || 'd'}}{{empty || 'd'}}", "A" },
        { "{{missing || d}}", "{{missing || d}}" },
        { "{{{a}}}", "{A}" },
        { "{{a b}}{{1}}{{}}{{a.}}{{a", "{{a b}}{{1}}{{}}{{a.}}{{a" },
        { "{{inner}}", "{{a}}" },
        { "{{toString}}", "{{toString}}" },
        { "{{list.9}}{{list.x}}", "{{list.9}}{{list.x}}" },
    };
    mastra_json_t *context = parse(
        "{\"a\":\"A\",\"user\":{\"name\":\"Bob\"},\"list\":[\"q\",{\"x\":\"y\"}],"
        "\"object\":{\"k\":[1]},\"n\":1.50,\"yes\":true,\"zero\":0,"
        "\"empty\":\"\",\"none\":null,\"inner\":\"{{a}}\"}");
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_str(mastra_template_fill(cases[i].text, context, pool),
               cases[i].want,
               apr_pstrcat(pool, "template ", cases[i].text, NULL));
    }
    is_str(mastra_template_fill("{{a}} {{b || 'c'}}", NULL, pool), "{{a}} c",
           "a template without any context");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    RUN(texts);
    RUN(sides);
    RUN(files);
    RUN(tools);
    RUN(refused);
    shown();
    thoughts();
    times();
    templates();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
