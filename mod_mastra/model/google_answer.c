/* Answers of generateContent: every chunk of a stream is a small document. */
#include <stdio.h>
#include <string.h>

#include "answer.h"

typedef struct {
    mastra_model_event_e open;   /* TEXT or REASONING; 0: neither */
    int thoughts;                /* pieces of reasoning so far */
    mastra_json_t *told;         /* what metadata shows of the candidate */
} state_t;

static void release(void *baton)
{
    state_t *state = baton;

    mastra_json_unref(state->told);
}

static mastra_json_t *usage_of(mastra_json_t *usage)
{
    apr_int64_t thoughts;

    if (!usage) {
        return mastra_usage_none();
    }
    thoughts = mastra_usage_count(usage, "thoughtsTokenCount");
    return mastra_usage_make(mastra_usage_count(usage, "promptTokenCount"),
                             mastra_usage_count(usage,
                                                "cachedContentTokenCount"),
                             -1,
                             mastra_usage_count(usage, "candidatesTokenCount")
                                 + thoughts, thoughts, usage);
}

static const char *const told[] = {
    "promptFeedback", "groundingMetadata", "urlContextMetadata",
    "safetyRatings", "usageMetadata", "finishMessage", "serviceTier"
};

static mastra_json_t *metadata_of(const mastra_answer_t *answer)
{
    const state_t *state = answer->state;
    mastra_json_t *made = mastra_json_object();
    apr_size_t i;

    for (i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        mastra_json_t *value = mastra_json_get(state->told, told[i]);

        mastra_json_set(made, told[i], value ? mastra_json_ref(value)
                                             : mastra_json_null());
    }
    return mastra_json_pack("{s:o}", "google", made);
}

static void note(state_t *state, const mastra_json_t *from)
{
    apr_size_t i;

    for (i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        mastra_json_t *value = mastra_json_get(from, told[i]);

        if (value && !mastra_json_is_null(value)) {
            if (!state->told) {
                state->told = mastra_json_object();
            }
            mastra_json_set(state->told, told[i], mastra_json_ref(value));
        }
    }
}

/* ---- parts ---- */

static mastra_json_t *signature_of(const mastra_json_t *part)
{
    const mastra_json_t *signature = mastra_json_get(part, "thoughtSignature");

    return mastra_json_len(signature)
        ? mastra_json_pack("{s:{s:s}}", "google", "thoughtSignature",
                           mastra_json_str(signature)) : NULL;
}

/* Words and thoughts that take turns are parts of their own. */
static void turn_to(mastra_answer_t *answer, mastra_model_event_e open)
{
    state_t *state = answer->state;

    if (state->open == open) {
        return;
    }
    if (state->open) {
        mastra_answer_end_part(answer, NULL);
    }
    state->open = open;
    state->thoughts += open == MASTRA_MODEL_REASONING;
}

static void take_text(mastra_answer_t *answer, const mastra_json_t *part,
                      const mastra_json_t *text)
{
    int thought = mastra_json_get_bool(part, "thought", 0);
    mastra_model_event_e type = thought ? MASTRA_MODEL_REASONING
                                        : MASTRA_MODEL_TEXT;
    mastra_json_t *signature = signature_of(part);
    const state_t *state = answer->state;
    char id[24];

    if (mastra_json_len(text) || signature) {
        turn_to(answer, type);
        snprintf(id, sizeof(id), "%d", state->thoughts - 1);
        mastra_answer_say(answer, type, text, thought ? id : NULL, signature);
    }
    mastra_json_unref(signature);
}

static void take_part(mastra_answer_t *answer, const mastra_json_t *part)
{
    const mastra_json_t *call = mastra_json_get(part, "functionCall");
    const mastra_json_t *file = mastra_json_get(part, "inlineData");
    const mastra_json_t *text = mastra_json_get(part, "text");

    if (mastra_json_is_object(call)) {
        turn_to(answer, 0);
        mastra_answer_call(answer, -1, mastra_json_get_str(call, "id"),
                           mastra_json_get_str(call, "name"),
                           mastra_json_get(call, "args"), signature_of(part));
    }
    else if (mastra_json_is_object(file)) {
        const mastra_json_t *data = mastra_json_get(file, "data");
        mastra_model_event_t event = { .type = MASTRA_MODEL_FILE };

        turn_to(answer, 0);
        event.name = mastra_json_get_str(file, "mimeType");
        event.text = mastra_json_str(data);
        event.len = mastra_json_len(data);
        if (event.name && event.len) {
            mastra_outlet_emit(answer->outlet, &event);
        }
    }
    else if (mastra_json_is_string(text)) {
        take_text(answer, part, text);
    }
}

static void take_candidate(mastra_answer_t *answer,
                           const mastra_json_t *candidate)
{
    const mastra_json_t *parts = mastra_json_path(candidate, "content",
                                                  "parts", NULL);
    apr_size_t i;

    note(answer->state, candidate);
    for (i = 0; mastra_json_is_array(parts) && i < mastra_json_size(parts);
         i++) {
        take_part(answer, mastra_json_at(parts, i));
    }
    mastra_answer_reason(answer, mastra_json_get_str(candidate,
                                                     "finishReason"));
}

static void take(mastra_answer_t *answer, const char *name,
                 mastra_json_t *chunk)
{
    const mastra_json_t *candidates = mastra_json_get(chunk, "candidates");
    const char *blocked = mastra_json_str(mastra_json_path(
        chunk, "promptFeedback", "blockReason", NULL));

    note(answer->state, chunk);
    mastra_answer_usage(answer, mastra_json_get(chunk, "usageMetadata"));
    if (mastra_json_size(candidates) || blocked) {
        mastra_answer_respond(answer, mastra_json_get_str(chunk, "responseId"),
                              mastra_json_get_str(chunk, "modelVersion"), 0);
    }
    /* A prompt that was blocked has no candidates. */
    mastra_answer_reason(answer, blocked);
    if (mastra_json_is_array(candidates)) {
        take_candidate(answer, mastra_json_at(candidates, 0));
    }
}

static const mastra_wire_reason_t reasons[] = {
    { "STOP", "stop" }, { "MAX_TOKENS", "length" },
    { "SAFETY", "content-filter" }, { "IMAGE_SAFETY", "content-filter" },
    { "RECITATION", "content-filter" }, { "BLOCKLIST", "content-filter" },
    { "PROHIBITED_CONTENT", "content-filter" }, { "SPII", "content-filter" },
    { "MALFORMED_FUNCTION_CALL", "error" }, { NULL, NULL }
};

const mastra_wire_t mastra_wire_google = {
    .body = mastra_google_body,
    .url = mastra_google_url,
    .take = take,
    .state_size = sizeof(state_t),
    .release = release,
    .reasons = reasons,
    .usage = usage_of,
    .metadata = metadata_of,
    .inline_files = 1,
};
