/* Answers of the Messages API: blocks that begin, grow and end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

typedef enum {
    BLOCK_OTHER, BLOCK_TEXT, BLOCK_THINKING, BLOCK_TOOL, BLOCK_JSON
} block_e;

typedef struct {
    block_e block;           /* the one that is open */
    int thoughts;            /* blocks of reasoning so far */
    mastra_json_t *stop_sequence;
} state_t;

static void release(void *baton)
{
    state_t *state = baton;

    mastra_json_unref(state->stop_sequence);
}

/* ---- usage ---- */

/* Counts come at the start and again, larger, at the end. */
static void take_usage(mastra_answer_t *answer, const mastra_json_t *usage)
{
    void *i;

    if (!mastra_json_is_object(usage)) {
        return;
    }
    if (!answer->usage) {
        answer->usage = mastra_json_object();
    }
    for (i = mastra_json_iter(usage); i; i = mastra_json_next(usage, i)) {
        if (!mastra_json_is_null(mastra_json_value(i))) {
            mastra_json_set(answer->usage, mastra_json_key(i),
                            mastra_json_ref(mastra_json_value(i)));
        }
    }
}

static mastra_json_t *usage_of(mastra_json_t *usage)
{
    apr_int64_t cached, written;

    if (!usage) {
        return mastra_usage_none();
    }
    cached = mastra_usage_count(usage, "cache_read_input_tokens");
    written = mastra_usage_count(usage, "cache_creation_input_tokens");
    return mastra_usage_make(mastra_usage_count(usage, "input_tokens") + cached
                                 + written, cached, written,
                             mastra_usage_count(usage, "output_tokens"), -1,
                             usage);
}

static mastra_json_t *or_null(mastra_json_t *json)
{
    return json ? mastra_json_ref(json) : mastra_json_null();
}

static mastra_json_t *metadata_of(const mastra_answer_t *answer)
{
    const state_t *state = answer->state;

    return mastra_json_pack(
        "{s:{s:o, s:o, s:o, s:n, s:n, s:n}}", "anthropic", "usage",
        answer->usage ? mastra_json_ref(answer->usage) : mastra_json_object(),
        "cacheCreationInputTokens",
        or_null(mastra_json_get(answer->usage, "cache_creation_input_tokens")),
        "stopSequence", or_null(state->stop_sequence), "iterations",
        "container", "contextManagement");
}

/* ---- blocks ---- */

static int is_json_tool(const mastra_answer_t *answer, const char *name)
{
    return answer->wire == &mastra_wire_anthropic_json && name
           && strcmp(name, MASTRA_ANTHROPIC_JSON_TOOL) == 0;
}

/* Where the answer is the input of a tool, words beside it would spoil it. */
static void say_text(mastra_answer_t *answer, const mastra_json_t *text)
{
    if (answer->wire != &mastra_wire_anthropic_json) {
        mastra_answer_say(answer, MASTRA_MODEL_TEXT, text, NULL, NULL);
    }
}

static void say_thought(mastra_answer_t *answer, const mastra_json_t *text,
                        const char *key, const mastra_json_t *value)
{
    const state_t *state = answer->state;
    mastra_json_t *metadata = NULL;
    char id[24];

    if (mastra_json_len(value)) {
        metadata = mastra_json_pack("{s:{s:s}}", "anthropic", key,
                                    mastra_json_str(value));
    }
    snprintf(id, sizeof(id), "%d", state->thoughts - 1);
    mastra_answer_say(answer, MASTRA_MODEL_REASONING, text, id, metadata);
    mastra_json_unref(metadata);
}

static void start_tool(mastra_answer_t *answer, apr_int64_t index,
                       const mastra_json_t *block)
{
    const char *name = mastra_json_get_str(block, "name");
    const mastra_json_t *input = mastra_json_get(block, "input");
    state_t *state = answer->state;

    /* In streams it is empty here and comes in pieces. */
    input = mastra_json_size(input) ? input : NULL;
    if (is_json_tool(answer, name)) {
        state->block = BLOCK_JSON;
        if (input) {
            mastra_json_t *text;
            char *written = mastra_json_dup_text(input, NULL);

            text = mastra_json_string(written);
            mastra_answer_say(answer, MASTRA_MODEL_TEXT, text, NULL, NULL);
            mastra_json_unref(text);
            free(written);
        }
        return;
    }
    state->block = BLOCK_TOOL;
    mastra_answer_call(answer, index, mastra_json_get_str(block, "id"), name,
                       input, NULL);
}

static void start_block(mastra_answer_t *answer, apr_int64_t index,
                        const mastra_json_t *block)
{
    const char *type = mastra_json_get_str(block, "type");
    state_t *state = answer->state;

    state->block = BLOCK_OTHER;
    if (!type) {
        return;
    }
    if (strcmp(type, "text") == 0) {
        state->block = BLOCK_TEXT;
        say_text(answer, mastra_json_get(block, "text"));
    }
    else if (strcmp(type, "thinking") == 0) {
        state->block = BLOCK_THINKING;
        state->thoughts++;
        say_thought(answer, mastra_json_get(block, "thinking"), "signature",
                    mastra_json_get(block, "signature"));
    }
    else if (strcmp(type, "redacted_thinking") == 0) {
        state->block = BLOCK_THINKING;
        state->thoughts++;
        say_thought(answer, NULL, "redactedData",
                    mastra_json_get(block, "data"));
    }
    else if (strcmp(type, "tool_use") == 0) {
        start_tool(answer, index, block);
    }
}

static void grow_block(mastra_answer_t *answer, apr_int64_t index,
                       const mastra_json_t *delta)
{
    const char *type = mastra_json_get_str(delta, "type");
    const mastra_json_t *json = mastra_json_get(delta, "partial_json");
    const state_t *state = answer->state;

    if (!type) {
        return;
    }
    if (strcmp(type, "text_delta") == 0) {
        say_text(answer, mastra_json_get(delta, "text"));
    }
    else if (strcmp(type, "thinking_delta") == 0) {
        say_thought(answer, mastra_json_get(delta, "thinking"), "", NULL);
    }
    else if (strcmp(type, "signature_delta") == 0) {
        say_thought(answer, NULL, "signature",
                    mastra_json_get(delta, "signature"));
    }
    else if (strcmp(type, "input_json_delta") == 0) {
        if (state->block == BLOCK_JSON) {
            mastra_answer_say(answer, MASTRA_MODEL_TEXT, json, NULL, NULL);
        }
        else if (state->block == BLOCK_TOOL) {
            mastra_answer_call(answer, index, NULL, NULL, json, NULL);
        }
    }
}

static void end_block(mastra_answer_t *answer)
{
    state_t *state = answer->state;

    if (state->block == BLOCK_TEXT || state->block == BLOCK_THINKING) {
        mastra_answer_end_part(answer, NULL);
    }
    state->block = BLOCK_OTHER;
}

/* ---- events and documents ---- */

static void take_stop(mastra_answer_t *answer, const mastra_json_t *from)
{
    mastra_json_t *sequence = mastra_json_get(from, "stop_sequence");
    state_t *state = answer->state;

    mastra_answer_reason(answer, mastra_json_get_str(from, "stop_reason"));
    if (mastra_json_is_string(sequence)) {
        mastra_json_unref(state->stop_sequence);
        state->stop_sequence = mastra_json_ref(sequence);
    }
}

static void take_start(mastra_answer_t *answer, const mastra_json_t *message)
{
    take_usage(answer, mastra_json_get(message, "usage"));
    mastra_answer_respond(answer, mastra_json_get_str(message, "id"),
                          mastra_json_get_str(message, "model"), 0);
}

static void take_message(mastra_answer_t *answer, const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    apr_size_t i;

    if (!mastra_json_is_array(content)) {
        return;
    }
    take_start(answer, message);
    for (i = 0; i < mastra_json_size(content); i++) {
        start_block(answer, (apr_int64_t)i, mastra_json_at(content, i));
        end_block(answer);
    }
    take_stop(answer, message);
}

static void take(mastra_answer_t *answer, const char *name,
                 mastra_json_t *chunk)
{
    const char *type = mastra_json_get_str(chunk, "type");
    apr_int64_t index = mastra_json_get_int(chunk, "index", 0);

    type = type ? type : name ? name : "";
    if (strcmp(type, "content_block_delta") == 0) {
        grow_block(answer, index, mastra_json_get(chunk, "delta"));
    }
    else if (strcmp(type, "content_block_start") == 0) {
        start_block(answer, index, mastra_json_get(chunk, "content_block"));
    }
    else if (strcmp(type, "content_block_stop") == 0) {
        end_block(answer);
    }
    else if (strcmp(type, "message_start") == 0) {
        take_start(answer, mastra_json_get(chunk, "message"));
    }
    else if (strcmp(type, "message_delta") == 0) {
        take_usage(answer, mastra_json_get(chunk, "usage"));
        take_stop(answer, mastra_json_get(chunk, "delta"));
    }
    else if (strcmp(type, "message_stop") == 0) {
        answer->over = 1;
    }
    else if (strcmp(type, "message") == 0) {
        take_message(answer, chunk);
    }
    else if (strcmp(type, "error") == 0) {
        mastra_answer_fail_by(answer, chunk);
    }
}

static const mastra_wire_reason_t reasons[] = {
    { "end_turn", "stop" }, { "stop_sequence", "stop" },
    { "pause_turn", "stop" }, { "tool_use", "tool-calls" },
    { "max_tokens", "length" }, { "model_context_window_exceeded", "length" },
    { "refusal", "content-filter" }, { NULL, NULL }
};

const mastra_wire_t mastra_wire_anthropic = {
    .body = mastra_anthropic_body,
    .line = mastra_anthropic_line,
    .take = take,
    .state_size = sizeof(state_t),
    .release = release,
    .reasons = reasons,
    .usage = usage_of,
    .metadata = metadata_of,
};

/* The tool is an answer here, not a call. */
static const mastra_wire_reason_t json_reasons[] = {
    { "end_turn", "stop" }, { "stop_sequence", "stop" },
    { "pause_turn", "stop" }, { "tool_use", "stop" },
    { "max_tokens", "length" }, { "model_context_window_exceeded", "length" },
    { "refusal", "content-filter" }, { NULL, NULL }
};

const mastra_wire_t mastra_wire_anthropic_json = {
    .body = mastra_anthropic_body,
    .line = mastra_anthropic_line,
    .take = take,
    .state_size = sizeof(state_t),
    .release = release,
    .reasons = json_reasons,
    .usage = usage_of,
    .metadata = metadata_of,
};
