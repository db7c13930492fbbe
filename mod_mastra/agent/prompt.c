/* Messages of format 2 as prompts for models and as UI messages. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "signal.h"

/* ---- format 2 to prompts ---- */

/* 1 when the call has an outcome of some kind. */
static int is_answered(const mastra_json_t *inner)
{
    const char *state = mastra_json_get_str(inner, "state");

    return state && (!strcmp(state, "result") || !strcmp(state, "output-error")
                     || !strcmp(state, "output-denied"));
}

/* What the model is to read in place of the result, when the tool's side said
 * that: {type, value}. */
static mastra_json_t *model_output(const mastra_json_t *part)
{
    mastra_json_t *output = mastra_json_path(part, "providerMetadata", "mastra",
                                             "modelOutput", NULL);

    return mastra_json_get_str(output, "type")
                   && mastra_json_get(output, "value")
               ? output : NULL;
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

/* When the part was made; that of a call which has a result is not told. */
static mastra_json_t *date_of(const mastra_json_t *part)
{
    const char *state = mastra_json_get_str(
        mastra_json_get(part, "toolInvocation"), "state");

    return state && !strcmp(state, "result")
           ? NULL : mastra_json_get(part, "createdAt");
}

/* What a part says to providers. Clients see when it was made, too; models do
 * not see what is this server's own. NULL: nothing. */
static mastra_json_t *provider_options(const mastra_json_t *part,
                                       int for_client)
{
    mastra_json_t *at = date_of(part);
    mastra_json_t *given = mastra_part_provider(part), *made;

    if (!given && !(at && for_client)) {
        return NULL;
    }
    made = given ? mastra_json_copy_flat(given) : mastra_json_object();
    if (!for_client) {
        mastra_json_del(made, "mastra");
    }
    else if (at) {
        mastra_json_t *own = mastra_json_get(made, "mastra");

        own = mastra_json_is_object(own) ? mastra_json_copy_flat(own)
                                         : mastra_json_object();
        mastra_json_set(own, "createdAt", mastra_json_ref(at));
        mastra_json_set(made, "mastra", own);
    }
    if (!mastra_json_size(made)) {
        mastra_json_unref(made);
        return NULL;
    }
    return made;
}

static mastra_json_t *with_options(mastra_json_t *made,
                                   const mastra_json_t *part, int for_client)
{
    if (made) {
        mastra_json_set(made, "providerOptions",
                        provider_options(part, for_client));
    }
    return made;
}

static mastra_json_t *prompt_text(const mastra_json_t *part, int for_client)
{
    return with_options(mastra_json_pack("{s:s, s:O}", "type", "text", "text",
                                         mastra_json_get(part, "text")),
                        part, for_client);
}

static mastra_json_t *prompt_reasoning(const mastra_json_t *part,
                                       int for_client)
{
    const mastra_json_t *details = mastra_json_get(part, "details");
    mastra_json_t *text = mastra_json_get(mastra_json_at(details, 0), "text");

    if (!text && !mastra_part_provider(part)) {
        return NULL;
    }
    return with_options(mastra_json_pack("{s:s, s:o}", "type", "reasoning",
                                         "text",
                                         text ? mastra_json_ref(text)
                                              : mastra_json_string("")),
                        part, for_client);
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

static int is_assistant(const mastra_json_t *message)
{
    const char *role = mastra_json_get_str(message, "role");

    return role && !strcmp(role, "assistant");
}

/* Models take messages of the two sides in turns: what follows an assistant's
 * message without a result between them continues it. The content of the last
 * message when it is such a one, else NULL; of one that others have, too, a
 * copy takes its place. */
static mastra_json_t *continued(mastra_json_t *messages)
{
    apr_size_t n = mastra_json_size(messages);
    mastra_json_t *last = mastra_json_at(messages, n - 1), *content;

    if (!is_assistant(last)) {
        return NULL;
    }
    content = mastra_json_get(last, "content");
    if (mastra_json_is_shared(last)) {
        last = mastra_json_copy_flat(last);
        content = mastra_json_copy_flat(content);
        mastra_json_set(last, "content", content);
        mastra_json_put_at(messages, n - 1, last);
    }
    return content;
}

static void open_assistant(unfold_t *u)
{
    u->results = NULL;
    u->assistant = u->for_client ? NULL : continued(u->messages);
    if (!u->assistant) {
        u->assistant = open_message(u->messages, "assistant");
    }
}

static void unfold_tool(unfold_t *u, const mastra_json_t *part)
{
    const mastra_json_t *inner = mastra_json_get(part, "toolInvocation");
    mastra_json_t *args = mastra_json_get(inner, "args"), *result;
    mastra_json_t *instead = u->for_client ? NULL : model_output(part);
    mastra_json_t *call = mastra_json_pack(
        "{s:s, s:s, s:s, s:O}", "type", "tool-call", "toolCallId",
        mastra_json_get_str(inner, "toolCallId"), "toolName",
        mastra_json_get_str(inner, "toolName"), "input", args);

    mastra_json_append(u->assistant, with_options(call, part, u->for_client));
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
                              instead ? mastra_json_ref(instead)
                                      : result_output(inner));
    if (u->for_client) {
        with_options(result, part, 1);
        mastra_json_set(result, "input", mastra_json_ref(args));
    }
    mastra_json_append(u->results, result);
}

/* Text after a tool's result belongs to the next step's message. A call
 * without its result is no prompt that a model takes: it is left out there. */
static void unfold_part(unfold_t *u, const mastra_json_t *part)
{
    int is_tool = mastra_part_is(part, "tool-invocation");
    mastra_json_t *made = NULL;

    if (mastra_part_is(part, "step-start")) {
        u->assistant = u->results = NULL;
        return;
    }
    if (is_tool && !u->for_client
        && !is_answered(mastra_json_get(part, "toolInvocation"))) {
        return;
    }
    if (!u->assistant || (u->results && !is_tool)) {
        open_assistant(u);
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
    mastra_json_append(u->assistant, made);
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
    unfold(prompt, parts, 0);
}

mastra_json_t *mastra_message_parts_to_model(const mastra_json_t *parts)
{
    mastra_json_t *messages = mastra_json_array();

    unfold(messages, parts, 1);
    return messages;
}

/* A message that says nothing is not sent. */
static void user_to(mastra_json_t *messages, const mastra_json_t *message,
                    const mastra_json_t *parts, int for_client)
{
    mastra_json_t *content = mastra_json_array(), *made;
    apr_size_t i;
    int any = for_client;

    for (i = 0; i < mastra_json_size(parts); i++) {
        const mastra_json_t *part = mastra_json_at(parts, i);

        made = NULL;
        if (mastra_part_is(part, "text")) {
            made = prompt_text(part, for_client);
            any |= mastra_json_len(mastra_json_get(part, "text")) > 0;
        }
        else if (mastra_part_is(part, "file")) {
            made = with_options(prompt_file(part), part, for_client);
            any |= made != NULL;
        }
        mastra_json_append(content, made);
    }
    if (!any) {
        mastra_json_unref(content);
        return;
    }
    made = mastra_json_pack("{s:s, s:o}", "role", "user", "content", content);
    if (!for_client) {
        with_options(made, mastra_json_get(message, "content"), 0);
    }
    mastra_json_append(messages, made);
}

static void signal_to(mastra_json_t *messages, const mastra_json_t *message,
                      int for_client)
{
    mastra_json_t *parts = mastra_signal_parts(message);

    user_to(messages, message, parts, for_client);
    mastra_json_unref(parts);
}

static int is_signal(const char *role)
{
    return role && !strcmp(role, "signal");
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

        if (!parts) {
            continue;
        }
        if (is_signal(role)) {
            signal_to(made, message, for_client);
        }
        else if (role && strcmp(role, "assistant")) {
            user_to(made, message, parts, for_client);
        }
        else {
            unfold(made, parts, for_client);
        }
    }
}

void mastra_message_systems(mastra_json_t *prompt,
                            const mastra_json_t *messages)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_t *message = mastra_json_at(messages, i);
        const char *role = mastra_json_get_str(message, "role");

        if (role && !strcmp(role, "system")
            && mastra_json_len(mastra_json_get(message, "content"))) {
            mastra_json_append(prompt, mastra_json_ref(message));
        }
    }
}

void mastra_message_end_prompt(mastra_json_t *prompt)
{
    apr_size_t i = 0;
    const char *role = "system";

    while (role && !strcmp(role, "system")) {
        role = mastra_json_get_str(mastra_json_at(prompt, i++), "role");
    }
    if (role && strcmp(role, "user")) {
        mastra_json_insert(prompt, i - 1, mastra_json_pack(
            "{s:s, s:[{s:s, s:s}]}", "role", "user", "content", "type", "text",
            "text", "."));
    }
}

void mastra_message_to_prompt(mastra_json_t *prompt,
                              const mastra_json_t *messages)
{
    convert(prompt, messages, 0);
}

void mastra_message_join_prompt(mastra_json_t *prompt,
                                const mastra_json_t *more)
{
    mastra_json_t *first = mastra_json_at(more, 0), *content;
    apr_size_t i = 0;

    content = is_assistant(first) ? continued(prompt) : NULL;
    if (content) {
        mastra_json_extend(content, mastra_json_get(first, "content"));
        i = 1;
    }
    for (; i < mastra_json_size(more); i++) {
        mastra_json_append(prompt, mastra_json_ref(mastra_json_at(more, i)));
    }
}

void mastra_message_to_model(mastra_json_t *made,
                             const mastra_json_t *messages)
{
    convert(made, messages, 1);
}

/* ---- format 2 to UI ---- */

static mastra_json_t *ui_tool(const mastra_json_t *part)
{
    const mastra_json_t *inner = mastra_json_get(part, "toolInvocation");
    const char *name = mastra_json_get_str(inner, "toolName");
    const char *error = mastra_json_get_str(inner, "errorText");
    const char *state = mastra_json_get_str(inner, "state");
    mastra_json_t *result = mastra_json_get(inner, "result"), *made;
    char type[160];

    if (!result && state && !strcmp(state, "output-denied")) {
        /* why it was declined is what came of it */
        result = mastra_json_path(inner, "approval", "reason", NULL);
    }
    apr_snprintf(type, sizeof(type), "tool-%s", name ? name : "");
    made = mastra_json_pack("{s:s, s:s, s:O}", "type", type, "toolCallId",
                            mastra_json_get_str(inner, "toolCallId"), "input",
                            mastra_json_get(inner, "args"));
    mastra_json_set(made, "callProviderMetadata", provider_options(part, 1));
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
    mastra_json_del(made, "providerOptions");
    mastra_json_set(made, "providerMetadata", provider_options(part, 1));
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

mastra_json_t *mastra_message_last_text(const mastra_json_t *parts,
                                        apr_size_t from)
{
    apr_size_t i;

    for (i = mastra_json_size(parts); i-- > from;) {
        const mastra_json_t *part = mastra_json_at(parts, i);

        if (mastra_part_is(part, "text")) {
            return mastra_json_get(part, "text");
        }
    }
    return NULL;
}
