/* Answers of chat completions servers: their chunks and documents as events. */
#include <string.h>

#include "answer.h"

/* A part of type "thinking" holds its own list of texts. */
static void say_thinking(const mastra_answer_t *answer,
                         const mastra_json_t *part)
{
    const mastra_json_t *thinking = mastra_json_get(part, "thinking");
    apr_size_t i, n = mastra_json_size(thinking);

    if (!mastra_json_is_array(thinking)) {
        return;
    }
    for (i = 0; i < n; i++) {
        mastra_answer_say(answer, MASTRA_MODEL_REASONING,
                          mastra_json_get(mastra_json_at(thinking, i), "text"),
                          NULL, NULL);
    }
}

/* content: a string, or a list of parts. */
static void say_content(const mastra_answer_t *answer,
                        const mastra_json_t *content)
{
    apr_size_t i, n;

    if (!mastra_json_is_array(content)) {
        mastra_answer_say(answer, MASTRA_MODEL_TEXT, content, NULL, NULL);
        return;
    }
    n = mastra_json_size(content);
    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);
        const char *type = mastra_json_get_str(part, "type");

        if (type && strcmp(type, "text") == 0) {
            mastra_answer_say(answer, MASTRA_MODEL_TEXT,
                              mastra_json_get(part, "text"), NULL, NULL);
        }
        else if (type && strcmp(type, "thinking") == 0) {
            say_thinking(answer, part);
        }
    }
}

/* What Gemini's compatible server wants back with the call. */
static mastra_json_t *signature_of(const mastra_json_t *delta)
{
    const char *signature = mastra_json_str(mastra_json_path(
        delta, "extra_content", "google", "thought_signature", NULL));

    return signature ? mastra_json_pack("{s:{s:s}}", "google",
                                        "thoughtSignature", signature)
                     : NULL;
}

static void take_calls(mastra_answer_t *answer, const mastra_json_t *deltas)
{
    apr_size_t i, n = mastra_json_size(deltas);

    for (i = 0; i < n; i++) {
        const mastra_json_t *delta = mastra_json_at(deltas, i);
        const mastra_json_t *function = mastra_json_get(delta, "function");

        mastra_answer_call(answer, mastra_json_get_int(delta, "index", -1),
                           mastra_json_get_str(delta, "id"),
                           mastra_json_get_str(function, "name"),
                           mastra_json_get(function, "arguments"),
                           signature_of(delta));
    }
}

static void take_choice(mastra_answer_t *answer, const mastra_json_t *choice)
{
    const mastra_json_t *error = mastra_json_get(choice, "error");
    const mastra_json_t *delta = mastra_json_get(choice, "delta");
    const mastra_json_t *reasoning;

    if (error && !mastra_json_is_null(error)) {
        mastra_answer_fail_by(answer, error);
        return;
    }
    mastra_answer_reason(answer, mastra_json_get_str(choice, "finish_reason"));
    mastra_answer_usage(answer, mastra_json_get(choice, "usage"));
    if (!mastra_json_is_object(delta)) {
        delta = mastra_json_get(choice, "message");
    }
    reasoning = mastra_json_get(delta, "reasoning_content");
    if (!mastra_json_is_string(reasoning)) {
        reasoning = mastra_json_get(delta, "reasoning");
    }
    mastra_answer_say(answer, MASTRA_MODEL_REASONING, reasoning, NULL, NULL);
    say_content(answer, mastra_json_get(delta, "content"));
    take_calls(answer, mastra_json_get(delta, "tool_calls"));
}

/* Chunk and document differ in one name. */
static void take(mastra_answer_t *answer, const char *name,
                 mastra_json_t *chunk)
{
    const mastra_json_t *choices = mastra_json_get(chunk, "choices");

    mastra_answer_usage(answer, mastra_json_get(chunk, "usage"));
    mastra_answer_usage(answer, mastra_json_path(chunk, "x_groq", "usage",
                                                 NULL));
    /* A first chunk without choices may lack id and model. */
    if (mastra_json_size(choices) > 0) {
        mastra_answer_respond(answer, mastra_json_get_str(chunk, "id"),
                              mastra_json_get_str(chunk, "model"),
                              mastra_json_get_int(chunk, "created", 0));
    }
    if (mastra_json_is_array(choices)) {
        take_choice(answer, mastra_json_at(choices, 0));
    }
}

static const mastra_wire_reason_t reasons[] = {
    { "stop", "stop" }, { "length", "length" },
    { "content_filter", "content-filter" }, { "tool_calls", "tool-calls" },
    { "function_call", "tool-calls" }, { NULL, NULL }
};

const mastra_wire_t mastra_wire_chat = {
    .body = mastra_openai_body,
    .take = take,
    .reasons = reasons,
    .usage = mastra_openai_usage,
};
