/* Answers of the Responses API: items that are added, grow and are done. */
#include <stdio.h>
#include <string.h>

#include "answer.h"

#define CALLS 128                /* indexes that are told apart */

typedef struct {
    mastra_model_event_e open;   /* TEXT or REASONING; 0: neither */
    char item[80];               /* of the reasoning that is open */
    apr_int64_t part;            /* of its summary */
    int said;                    /* the item has said something */
    int refused;
    char growing[CALLS];         /* calls whose arguments came in pieces */
    char id[80];                 /* of the response */
} state_t;

static void copy(char *out, apr_size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

static mastra_json_t *usage_of(mastra_json_t *usage)
{
    if (!usage) {
        return mastra_usage_none();
    }
    return mastra_usage_make(
        mastra_usage_count(usage, "input_tokens"),
        mastra_usage_count(mastra_json_get(usage, "input_tokens_details"),
                           "cached_tokens"), -1,
        mastra_usage_count(usage, "output_tokens"),
        mastra_usage_count(mastra_json_get(usage, "output_tokens_details"),
                           "reasoning_tokens"), usage);
}

static mastra_json_t *metadata_of(const mastra_answer_t *answer)
{
    const state_t *state = answer->state;

    return mastra_json_pack("{s:{s:s}}", "openai", "responseId", state->id);
}

/* ---- parts ---- */

static void end_part(mastra_answer_t *answer, mastra_json_t *metadata)
{
    state_t *state = answer->state;

    if (state->open) {
        mastra_answer_end_part(answer, metadata);
    }
    else {
        mastra_json_unref(metadata);
    }
    state->open = 0;
}

static void say_text(mastra_answer_t *answer, const mastra_json_t *text)
{
    state_t *state = answer->state;

    if (!mastra_json_len(text)) {
        return;
    }
    if (state->open == MASTRA_MODEL_REASONING) {
        end_part(answer, NULL);
    }
    state->open = MASTRA_MODEL_TEXT;
    mastra_answer_say(answer, MASTRA_MODEL_TEXT, text, NULL, NULL);
}

static void say_refusal(mastra_answer_t *answer, const mastra_json_t *text)
{
    state_t *state = answer->state;

    state->refused = 1;
    say_text(answer, text);
}

/* A piece of a summary; each part of it is a part of its own. text may be
 * empty: the part is there all the same, for what it has with it. */
static void say_thought(mastra_answer_t *answer, const char *item,
                        apr_int64_t part, const mastra_json_t *text)
{
    state_t *state = answer->state;
    mastra_json_t *metadata;
    char id[120];

    if (state->open && (state->open != MASTRA_MODEL_REASONING
                        || state->part != part
                        || strcmp(state->item, item) != 0)) {
        end_part(answer, NULL);
    }
    state->open = MASTRA_MODEL_REASONING;
    state->part = part;
    state->said = 1;
    copy(state->item, sizeof(state->item), item);
    snprintf(id, sizeof(id), "%s:%" APR_INT64_T_FMT, item, part);
    metadata = mastra_json_pack("{s:{s:s}}", "openai", "itemId", item);
    mastra_answer_say(answer, MASTRA_MODEL_REASONING, text, id, metadata);
    mastra_json_unref(metadata);
}

/* ---- items ---- */

static int is_type(const mastra_json_t *item, const char *type)
{
    const char *is = mastra_json_get_str(item, "type");

    return is && strcmp(is, type) == 0;
}

static mastra_json_t *item_metadata(const mastra_json_t *item)
{
    const mastra_json_t *secret = mastra_json_get(item, "encrypted_content");
    const char *id = mastra_json_get_str(item, "id");

    return mastra_json_pack("{s:{s:s, s:s*}}", "openai", "itemId",
                            id ? id : "", "reasoningEncryptedContent",
                            mastra_json_len(secret) ? mastra_json_str(secret)
                                                    : NULL);
}

/* Without a summary what was thought is still to be given back. */
static void end_reasoning(mastra_answer_t *answer, const mastra_json_t *item)
{
    const mastra_json_t *summary = mastra_json_get(item, "summary");
    const char *id = mastra_json_get_str(item, "id");
    state_t *state = answer->state;
    apr_size_t i, n = mastra_json_is_array(summary) && !state->said
        ? mastra_json_size(summary) : 0;

    if (!id) {
        end_part(answer, NULL);
        return;
    }
    for (i = 0; i < n; i++) {
        say_thought(answer, id, (apr_int64_t)i,
                    mastra_json_get(mastra_json_at(summary, i), "text"));
    }
    if (!state->said
        && mastra_json_len(mastra_json_get(item, "encrypted_content"))) {
        say_thought(answer, id, 0, NULL);
    }
    end_part(answer, item_metadata(item));
    state->said = 0;
}

static void start_item(mastra_answer_t *answer, apr_int64_t index,
                       const mastra_json_t *item)
{
    state_t *state = answer->state;

    if (is_type(item, "function_call")) {
        end_part(answer, NULL);
        mastra_answer_call(answer, index, mastra_json_get_str(item, "call_id"),
                           mastra_json_get_str(item, "name"), NULL, NULL);
    }
    else if (is_type(item, "reasoning")) {
        state->said = 0;
    }
}

/* The arguments, when none came before. */
static void end_call(mastra_answer_t *answer, apr_int64_t index,
                     const mastra_json_t *item)
{
    const state_t *state = answer->state;

    if (index < 0 || index >= CALLS || !state->growing[index]) {
        mastra_answer_call(answer, index, mastra_json_get_str(item, "call_id"),
                           mastra_json_get_str(item, "name"),
                           mastra_json_get(item, "arguments"), NULL);
    }
}

static void end_item(mastra_answer_t *answer, apr_int64_t index,
                     const mastra_json_t *item)
{
    if (is_type(item, "reasoning")) {
        end_reasoning(answer, item);
    }
    else if (is_type(item, "function_call")) {
        end_call(answer, index, item);
    }
    else if (is_type(item, "message")) {
        end_part(answer, NULL);
    }
}

static void grow_call(mastra_answer_t *answer, apr_int64_t index,
                      const mastra_json_t *delta)
{
    state_t *state = answer->state;

    if (index >= 0 && index < CALLS) {
        state->growing[index] = 1;
        mastra_answer_call(answer, index, NULL, NULL, delta, NULL);
    }
}

/* ---- the response ---- */

static void take_response(mastra_answer_t *answer,
                          const mastra_json_t *response)
{
    const char *id = mastra_json_get_str(response, "id");
    state_t *state = answer->state;

    copy(state->id, sizeof(state->id), id);
    mastra_answer_respond(answer, id, mastra_json_get_str(response, "model"),
                          mastra_json_get_int(response, "created_at", 0));
}

static void take_end(mastra_answer_t *answer, const mastra_json_t *response)
{
    const char *status = mastra_json_get_str(response, "status");
    const mastra_json_t *error = mastra_json_get(response, "error");
    const state_t *state = answer->state;

    take_response(answer, response);
    mastra_answer_usage(answer, mastra_json_get(response, "usage"));
    if (status && strcmp(status, "failed") == 0) {
        if (mastra_json_is_object(error)) {
            mastra_answer_fail_by(answer, error);
        }
        mastra_answer_fail(answer, MASTRA_FAIL_UPSTREAM, "the response failed",
                           NULL, 0);
    }
    mastra_answer_reason(answer, state->refused ? "refusal" : NULL);
    mastra_answer_reason(answer, mastra_json_str(mastra_json_path(
                                     response, "incomplete_details", "reason",
                                     NULL)));
    answer->over = 1;
}

static void take_content(mastra_answer_t *answer, const mastra_json_t *item)
{
    const mastra_json_t *content = mastra_json_get(item, "content");
    apr_size_t i;

    for (i = 0; mastra_json_is_array(content) && i < mastra_json_size(content);
         i++) {
        const mastra_json_t *part = mastra_json_at(content, i);

        if (is_type(part, "output_text")) {
            say_text(answer, mastra_json_get(part, "text"));
        }
        else if (is_type(part, "refusal")) {
            say_refusal(answer, mastra_json_get(part, "refusal"));
        }
    }
}

static void take_document(mastra_answer_t *answer,
                          const mastra_json_t *response)
{
    const mastra_json_t *output = mastra_json_get(response, "output");
    apr_size_t i;

    if (!mastra_json_is_array(output)) {
        return;
    }
    take_response(answer, response);
    for (i = 0; i < mastra_json_size(output); i++) {
        const mastra_json_t *item = mastra_json_at(output, i);

        start_item(answer, (apr_int64_t)i, item);
        if (is_type(item, "message")) {
            take_content(answer, item);
        }
        end_item(answer, (apr_int64_t)i, item);
    }
    take_end(answer, response);
}

static void take_thought(mastra_answer_t *answer, const mastra_json_t *chunk,
                         const char *part)
{
    const char *item = mastra_json_get_str(chunk, "item_id");

    if (item) {
        say_thought(answer, item, mastra_json_get_int(chunk, part, 0),
                    mastra_json_get(chunk, "delta"));
    }
}

static void take_event(mastra_answer_t *answer, const char *type,
                       const mastra_json_t *chunk)
{
    apr_int64_t index = mastra_json_get_int(chunk, "output_index", 0);

    if (strcmp(type, "output_text.delta") == 0) {
        say_text(answer, mastra_json_get(chunk, "delta"));
    }
    else if (strcmp(type, "function_call_arguments.delta") == 0) {
        grow_call(answer, index, mastra_json_get(chunk, "delta"));
    }
    else if (strcmp(type, "reasoning_summary_text.delta") == 0) {
        take_thought(answer, chunk, "summary_index");
    }
    else if (strcmp(type, "reasoning_text.delta") == 0) {
        take_thought(answer, chunk, "content_index");
    }
    else if (strcmp(type, "output_item.added") == 0) {
        start_item(answer, index, mastra_json_get(chunk, "item"));
    }
    else if (strcmp(type, "output_item.done") == 0) {
        end_item(answer, index, mastra_json_get(chunk, "item"));
    }
    else if (strcmp(type, "refusal.delta") == 0) {
        say_refusal(answer, mastra_json_get(chunk, "delta"));
    }
    else if (strcmp(type, "created") == 0) {
        take_response(answer, mastra_json_get(chunk, "response"));
    }
    else if (strcmp(type, "completed") == 0 || strcmp(type, "incomplete") == 0
             || strcmp(type, "failed") == 0) {
        take_end(answer, mastra_json_get(chunk, "response"));
    }
}

static void take(mastra_answer_t *answer, const char *name,
                 mastra_json_t *chunk)
{
    const char *type = mastra_json_get_str(chunk, "type");

    type = type ? type : name ? name : "";
    if (strncmp(type, "response.", 9) == 0) {
        take_event(answer, type + 9, chunk);
    }
    else if (strcmp(type, "error") == 0) {
        mastra_answer_fail_by(answer, chunk);
    }
    else if (!answer->event_stream) {
        take_document(answer, chunk);
    }
}

static const char *url_of(const mastra_model_provider_t *provider,
                          const mastra_model_request_t *request,
                          apr_pool_t *pool)
{
    return mastra_headers_url(provider, "/responses", pool);
}

static const mastra_wire_reason_t reasons[] = {
    { "", "stop" }, { "max_output_tokens", "length" },
    { "content_filter", "content-filter" }, { "refusal", "content-filter" },
    { NULL, NULL }
};

const mastra_wire_t mastra_wire_responses = {
    .body = mastra_responses_body,
    .url = url_of,
    .take = take,
    .state_size = sizeof(state_t),
    .reasons = reasons,
    .usage = usage_of,
    .metadata = metadata_of,
};
