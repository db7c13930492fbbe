/* Messages of format 2 as prompts for models and as UI messages. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

/* ---- format 2 to prompts ---- */

/* 1 when the call has an outcome of some kind. */
static int is_answered(const mastra_json_t *inner)
{
    const char *state = mastra_json_get_str(inner, "state");

    return state && (!strcmp(state, "result") || !strcmp(state, "output-error")
                     || !strcmp(state, "output-denied"));
}

static mastra_json_t *result_output(const mastra_json_t *inner)
{
    mastra_json_t *result = mastra_json_get(inner, "result");
    const char *error = mastra_json_get_str(inner, "errorText");
    const char *state = mastra_json_get_str(inner, "state");

    if (state && !strcmp(state, "output-denied")) {
        const char *reason = mastra_json_get_str(
            mastra_json_get(inner, "approval"), "reason");

        return mastra_json_pack("{s:s, s:s}", "type", "text", "value",
                                reason ? reason : "");
    }
    if (error) {
        return mastra_json_pack("{s:s, s:s}", "type", "error-text", "value",
                                error);
    }
    if (mastra_json_is_string(result)) {
        return mastra_json_pack("{s:s, s:O}", "type", "text", "value", result);
    }
    return mastra_json_pack("{s:s, s:o}", "type", "json", "value",
                            result ? mastra_json_ref(result)
                                   : mastra_json_null());
}

static mastra_json_t *prompt_file(const mastra_json_t *part)
{
    const char *mime = mastra_part_str(part, "mimeType", "mediaType", NULL);
    const char *data = mastra_part_str(part, "data", "url", "image");
    mastra_json_t *made;

    if (!data) {
        return NULL;
    }
    if (mime && !strncmp(mime, "image/", 6)) {
        return mastra_json_pack("{s:s, s:s, s:s}", "type", "image", "image",
                                data, "mediaType", mime);
    }
    made = mastra_json_pack("{s:s, s:s}", "type", "file", "data", data);
    mastra_json_set_str(made, "mediaType",
                        mime ? mime : "application/octet-stream");
    mastra_json_set_str(made, "filename",
                        mastra_json_get_str(part, "filename"));
    return made;
}

static mastra_json_t *provider_options(const mastra_json_t *part)
{
    mastra_json_t *at = mastra_json_get(part, "createdAt");

    return at ? mastra_json_pack("{s:{s:O}}", "mastra", "createdAt", at) : NULL;
}

static mastra_json_t *prompt_text(const mastra_json_t *part, int for_client)
{
    mastra_json_t *text = mastra_json_get(part, "text");
    mastra_json_t *made = mastra_json_pack("{s:s, s:O}", "type", "text", "text",
                                           text);

    if (made && for_client) {
        mastra_json_set(made, "providerOptions", provider_options(part));
    }
    return made;
}

static mastra_json_t *prompt_reasoning(const mastra_json_t *part,
                                       int for_client)
{
    const mastra_json_t *details = mastra_json_get(part, "details");
    mastra_json_t *text = mastra_json_get(mastra_json_at(details, 0), "text");
    mastra_json_t *made;

    if (!text) {
        return NULL;
    }
    made = mastra_json_pack("{s:s, s:O}", "type", "reasoning", "text", text);
    if (for_client) {
        mastra_json_set(made, "providerOptions", provider_options(part));
    }
    return made;
}

static mastra_json_t *open_message(mastra_json_t *messages, const char *role)
{
    mastra_json_t *content = mastra_json_array();

    mastra_json_append(messages, mastra_json_pack("{s:s, s:o}", "role", role,
                                                  "content", content));
    return content;
}

typedef struct {
    mastra_json_t *messages;
    mastra_json_t *assistant;    /* content of the open message, lent */
    mastra_json_t *results;      /* content of its tool message, lent */
    int for_client;
} unfold_t;

static void unfold_tool(unfold_t *u, const mastra_json_t *part)
{
    const mastra_json_t *inner = mastra_json_get(part, "toolInvocation");
    mastra_json_t *args = mastra_json_get(inner, "args"), *result;

    mastra_json_append(u->assistant,
                       mastra_json_pack("{s:s, s:s, s:s, s:O}", "type",
                                        "tool-call", "toolCallId",
                                        mastra_json_get_str(inner,
                                                            "toolCallId"),
                                        "toolName",
                                        mastra_json_get_str(inner, "toolName"),
                                        "input", args));
    if (!is_answered(inner)) {
        return;
    }
    if (!u->results) {
        u->results = open_message(u->messages, "tool");
    }
    result = mastra_json_pack("{s:s, s:s, s:s, s:o}", "type", "tool-result",
                              "toolCallId",
                              mastra_json_get_str(inner, "toolCallId"),
                              "toolName",
                              mastra_json_get_str(inner, "toolName"), "output",
                              result_output(inner));
    if (u->for_client) {
        mastra_json_set(result, "input", mastra_json_ref(args));
    }
    mastra_json_append(u->results, result);
}

/* Text after a tool's result belongs to the next step's message. */
static void unfold_part(unfold_t *u, const mastra_json_t *part)
{
    int is_tool = mastra_part_is(part, "tool-invocation");
    mastra_json_t *made = NULL;

    if (mastra_part_is(part, "step-start")) {
        u->assistant = u->results = NULL;
        return;
    }
    if (!u->assistant || (u->results && !is_tool)) {
        u->assistant = open_message(u->messages, "assistant");
        u->results = NULL;
    }
    if (is_tool) {
        unfold_tool(u, part);
        return;
    }
    if (mastra_part_is(part, "text")) {
        made = prompt_text(part, u->for_client);
    }
    else if (mastra_part_is(part, "reasoning")) {
        made = prompt_reasoning(part, u->for_client);
    }
    else if (mastra_part_is(part, "file")) {
        made = prompt_file(part);
    }
    if (made) {
        mastra_json_append(u->assistant, made);
    }
}

/* A call without its result is no prompt that a model takes: leave it out. */
static void drop_unanswered(mastra_json_t *parts)
{
    apr_size_t i;

    for (i = mastra_json_size(parts); i-- > 0;) {
        const mastra_json_t *part = mastra_json_at(parts, i);

        if (mastra_part_is(part, "tool-invocation")
            && !is_answered(mastra_json_get(part, "toolInvocation"))) {
            mastra_json_remove(parts, i);
        }
    }
}

static void unfold(mastra_json_t *messages, const mastra_json_t *parts,
                   int for_client)
{
    unfold_t u = { messages, NULL, NULL, for_client };
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        unfold_part(&u, mastra_json_at(parts, i));
    }
}

void mastra_message_parts_to_prompt(mastra_json_t *prompt,
                                    const mastra_json_t *parts)
{
    mastra_json_t *answered = mastra_json_copy_flat(parts);

    drop_unanswered(answered);
    unfold(prompt, answered, 0);
    mastra_json_unref(answered);
}

mastra_json_t *mastra_message_parts_to_model(const mastra_json_t *parts)
{
    mastra_json_t *messages = mastra_json_array();

    unfold(messages, parts, 1);
    return messages;
}

static void user_to(mastra_json_t *messages, const mastra_json_t *parts,
                    int for_client)
{
    mastra_json_t *content = open_message(messages, "user");
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        const mastra_json_t *part = mastra_json_at(parts, i);
        mastra_json_t *made = mastra_part_is(part, "text")
                                  ? prompt_text(part, for_client)
                                  : mastra_part_is(part, "file") ? prompt_file(part)
                                                          : NULL;

        if (made) {
            mastra_json_append(content, made);
        }
    }
}

static void convert(mastra_json_t *made, const mastra_json_t *messages,
                    int for_client)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_t *message = mastra_json_at(messages, i);
        const char *role = mastra_json_get_str(message, "role");
        const mastra_json_t *parts = mastra_json_path(message, "content",
                                                      "parts", NULL);

        if (role && !strcmp(role, "system")) {
            mastra_json_append(made, mastra_json_ref(message));
        }
        else if (role && strcmp(role, "assistant")) {
            user_to(made, parts, for_client);
        }
        else if (for_client) {
            unfold(made, parts, 1);
        }
        else {
            mastra_message_parts_to_prompt(made, parts);
        }
    }
}

void mastra_message_to_prompt(mastra_json_t *prompt,
                              const mastra_json_t *messages)
{
    convert(prompt, messages, 0);
}

void mastra_message_to_model(mastra_json_t *made,
                             const mastra_json_t *messages)
{
    convert(made, messages, 1);
}

mastra_json_t *mastra_message_user_to_model(const mastra_json_t *messages)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(messages); i++) {
        const mastra_json_t *message = mastra_json_at(messages, i);
        const char *role = mastra_json_get_str(message, "role");

        if (role && !strcmp(role, "user")) {
            user_to(made, mastra_json_path(message, "content", "parts", NULL),
                    1);
        }
    }
    return made;
}

/* ---- format 2 to UI ---- */

static mastra_json_t *ui_tool(const mastra_json_t *part)
{
    const mastra_json_t *inner = mastra_json_get(part, "toolInvocation");
    const char *name = mastra_json_get_str(inner, "toolName");
    const char *error = mastra_json_get_str(inner, "errorText");
    mastra_json_t *result = mastra_json_get(inner, "result"), *made;
    char type[160];

    apr_snprintf(type, sizeof(type), "tool-%s", name ? name : "");
    made = mastra_json_pack("{s:s, s:s, s:O}", "type", type, "toolCallId",
                            mastra_json_get_str(inner, "toolCallId"), "input",
                            mastra_json_get(inner, "args"));
    if (error) {
        mastra_json_set_str(made, "errorText", error);
        mastra_json_set_str(made, "state", "output-error");
    }
    else if (result) {
        mastra_json_set(made, "output", mastra_json_ref(result));
        mastra_json_set_str(made, "state", "output-available");
    }
    else {
        mastra_json_set_str(made, "state", "input-available");
    }
    return made;
}

static mastra_json_t *ui_part(mastra_json_t *part)
{
    mastra_json_t *made;

    if (mastra_part_is(part, "tool-invocation")) {
        return ui_tool(part);
    }
    if (mastra_part_is(part, "text")) {
        made = prompt_text(part, 0);
    }
    else if (mastra_part_is(part, "reasoning")) {
        made = prompt_reasoning(part, 0);
        mastra_json_set_str(made, "state", "done");
    }
    else if (mastra_part_is(part, "file")) {
        return mastra_json_pack("{s:s, s:s*, s:s*}", "type", "file",
                                "mediaType",
                                mastra_json_get_str(part, "mimeType"), "url",
                                mastra_json_get_str(part, "data"));
    }
    else {
        return mastra_json_ref(part);
    }
    mastra_json_set(made, "providerMetadata", provider_options(part));
    return made;
}

mastra_json_t *mastra_message_parts_to_ui(const mastra_json_t *parts)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        mastra_json_t *one = ui_part(mastra_json_at(parts, i));

        if (one) {
            mastra_json_append(made, one);
        }
    }
    return made;
}

const char *mastra_message_last_text(const mastra_json_t *parts)
{
    apr_size_t i;

    for (i = mastra_json_size(parts); i-- > 0;) {
        const mastra_json_t *part = mastra_json_at(parts, i);

        if (mastra_part_is(part, "text")) {
            return mastra_json_get_str(part, "text");
        }
    }
    return NULL;
}
