/* Messages: what clients send, what storage holds (format 2), what models get. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

static int is_type(const mastra_json_t *part, const char *type)
{
    const char *have = mastra_json_get_str(part, "type");

    return have && !strcmp(have, type);
}

static mastra_json_t *text_part(const char *text, apr_size_t len,
                                apr_int64_t at)
{
    mastra_json_t *part = mastra_json_pack("{s:s}", "type", "text");

    mastra_json_set(part, "text", mastra_json_stringn(text, len));
    mastra_json_set_int(part, "createdAt", at);
    return part;
}

/* ---- request to format 2 ---- */

static const char *first_str(const mastra_json_t *object, const char *a,
                             const char *b, const char *c)
{
    const char *value = mastra_json_get_str(object, a);

    if (!value && b) {
        value = mastra_json_get_str(object, b);
    }
    if (!value && c) {
        value = mastra_json_get_str(object, c);
    }
    return value;
}

static mastra_json_t *file_part(const mastra_json_t *part)
{
    const char *data = first_str(part, "data", "image", "url");
    const char *mime = first_str(part, "mediaType", "mimeType", NULL);
    mastra_json_t *file;

    if (!data) {
        return NULL;
    }
    if (!mime) {
        mime = is_type(part, "image") ? "image/png"
                                      : "application/octet-stream";
    }
    file = mastra_json_pack("{s:s, s:s}", "type", "file", "mimeType", mime);
    mastra_json_set_str(file, "data", data);
    mastra_json_set_str(file, "filename",
                        mastra_json_get_str(part, "filename"));
    return file;
}

static mastra_json_t *invocation(const char *state, const char *id,
                                 const char *name, mastra_json_t *args)
{
    mastra_json_t *inner = mastra_json_pack("{s:s, s:s, s:s}", "state", state,
                                            "toolCallId", id, "toolName", name);

    mastra_json_set(inner, "args",
                    args ? mastra_json_ref(args) : mastra_json_object());
    return mastra_json_pack("{s:s, s:o}", "type", "tool-invocation",
                            "toolInvocation", inner);
}

static mastra_json_t *tool_call_part(const mastra_json_t *part)
{
    const char *id = mastra_json_get_str(part, "toolCallId");
    const char *name = mastra_json_get_str(part, "toolName");
    mastra_json_t *args = mastra_json_get(part, "input");

    if (!id || !name) {
        return NULL;
    }
    return invocation("call", id, name,
                      args ? args : mastra_json_get(part, "args"));
}

/* AI SDK UI: {type:"tool-NAME", toolCallId, input, output, state} */
static mastra_json_t *ui_tool_part(const mastra_json_t *part, const char *type)
{
    const char *id = mastra_json_get_str(part, "toolCallId");
    const char *state = mastra_json_get_str(part, "state");
    const char *name = !strcmp(type, "dynamic-tool")
                           ? mastra_json_get_str(part, "toolName")
                           : type + strlen("tool-");
    mastra_json_t *output = mastra_json_get(part, "output"), *made, *inner;

    if (!id || !name) {
        return NULL;
    }
    made = invocation(output ? "result" : "call", id, name,
                      mastra_json_get(part, "input"));
    inner = mastra_json_get(made, "toolInvocation");
    if (output) {
        mastra_json_set(inner, "result", mastra_json_ref(output));
    }
    else if (state && !strcmp(state, "output-error")) {
        mastra_json_set_str(inner, "state", "output-error");
        mastra_json_set_str(inner, "errorText",
                            mastra_json_get_str(part, "errorText"));
    }
    return made;
}

static mastra_json_t *reasoning_part(const char *text, apr_size_t len)
{
    mastra_json_t *detail = mastra_json_pack("{s:s}", "type", "text");

    mastra_json_set(detail, "text", mastra_json_stringn(text, len));
    return mastra_json_pack("{s:s, s:s, s:[o]}", "type", "reasoning",
                            "reasoning", "", "details", detail);
}

/* One part of any known form as a part of format 2; NULL: left out. */
static mastra_json_t *convert_part(const mastra_json_t *part, apr_int64_t at)
{
    const char *type = mastra_json_get_str(part, "type");
    const char *text = mastra_json_get_str(part, "text");

    if (!type) {
        return NULL;
    }
    if (!strcmp(type, "text")) {
        return text ? text_part(text, strlen(text), at) : NULL;
    }
    if (!strcmp(type, "image") || !strcmp(type, "file")) {
        return file_part(part);
    }
    if (!strcmp(type, "tool-call")) {
        return tool_call_part(part);
    }
    if (!strcmp(type, "reasoning") && text) {
        return reasoning_part(text, strlen(text));
    }
    if (!strncmp(type, "tool-", 5) && strcmp(type, "tool-invocation")
        && strcmp(type, "tool-result")) {
        return ui_tool_part(part, type);
    }
    if (!strcmp(type, "dynamic-tool")) {
        return ui_tool_part(part, type);
    }
    if (!strcmp(type, "tool-result")) {
        return NULL;
    }
    return mastra_json_copy(part);
}

static mastra_json_t *convert_parts(const mastra_json_t *parts, apr_int64_t at)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        const mastra_json_t *part = mastra_json_at(parts, i);

        if (mastra_json_is_string(part)) {
            mastra_json_append(made, text_part(mastra_json_str(part),
                                               mastra_json_len(part), at));
        }
        else {
            mastra_json_t *one = convert_part(part, at);

            if (one) {
                mastra_json_append(made, one);
            }
        }
    }
    return made;
}

/* content of any form to the parts of format 2; NULL: no known form */
static mastra_json_t *parts_of(const mastra_json_t *message, apr_int64_t at)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    const mastra_json_t *parts = mastra_json_get(message, "parts");

    if (mastra_json_is_array(parts) && mastra_json_size(parts)) {
        return convert_parts(parts, at);
    }
    if (mastra_json_is_string(content)) {
        mastra_json_t *made = mastra_json_array();

        mastra_json_append(made, text_part(mastra_json_str(content),
                                           mastra_json_len(content), at));
        return made;
    }
    if (mastra_json_is_array(content)) {
        return convert_parts(content, at);
    }
    parts = mastra_json_get(content, "parts");
    if (mastra_json_is_array(parts)) {
        return convert_parts(parts, at);
    }
    return NULL;
}

static mastra_json_t *joined_text(const mastra_json_t *parts)
{
    mastra_json_t *text;
    mastra_buf_t buf;
    apr_size_t i;
    int any = 0;

    mastra_buf_init(&buf, 64 * 1024 * 1024);
    for (i = 0; i < mastra_json_size(parts); i++) {
        const mastra_json_t *part = mastra_json_at(parts, i);

        if (is_type(part, "text")) {
            const mastra_json_t *value = mastra_json_get(part, "text");

            if (any++) {
                mastra_buf_puts(&buf, "\n");
            }
            mastra_buf_add(&buf, mastra_json_str(value),
                           mastra_json_len(value));
        }
    }
    text = any ? mastra_json_stringn(buf.data ? buf.data : "", buf.len) : NULL;
    mastra_buf_free(&buf);
    return text;
}

mastra_json_t *mastra_message_text(const mastra_json_t *message)
{
    mastra_json_t *parts = parts_of(message, 0);
    mastra_json_t *text = joined_text(parts);

    mastra_json_unref(parts);
    return text ? text : mastra_json_string("");
}

/* role:"tool" of the core form: its results go to the calls they answer. */
static void attach_results(mastra_json_t *messages, const mastra_json_t *tool);

static mastra_json_t *find_invocation(const mastra_json_t *messages,
                                      const char *id)
{
    apr_size_t i, j;

    for (i = mastra_json_size(messages); i-- > 0;) {
        const mastra_json_t *parts =
            mastra_json_path(mastra_json_at(messages, i), "content", "parts",
                             NULL);

        for (j = 0; j < mastra_json_size(parts); j++) {
            mastra_json_t *inner = mastra_json_get(mastra_json_at(parts, j),
                                                   "toolInvocation");
            const char *have = mastra_json_get_str(inner, "toolCallId");

            if (have && !strcmp(have, id)) {
                return inner;
            }
        }
    }
    return NULL;
}

static void attach_results(mastra_json_t *messages, const mastra_json_t *tool)
{
    const mastra_json_t *content = mastra_json_get(tool, "content");
    apr_size_t i;

    for (i = 0; i < mastra_json_size(content); i++) {
        const mastra_json_t *part = mastra_json_at(content, i);
        const char *id = mastra_json_get_str(part, "toolCallId");
        mastra_json_t *value = mastra_json_get(part, "output");
        mastra_json_t *inner = id ? find_invocation(messages, id) : NULL;

        if (!inner || !is_type(part, "tool-result")) {
            continue;
        }
        if (mastra_json_get(value, "value") && mastra_json_get(value, "type")) {
            value = mastra_json_get(value, "value");
        }
        if (!value) {
            value = mastra_json_get(part, "result");
        }
        mastra_json_set_str(inner, "state", "result");
        mastra_json_set(inner, "result",
                        value ? mastra_json_ref(value) : mastra_json_null());
    }
}

static int known_role(const char *role)
{
    return !strcmp(role, "user") || !strcmp(role, "assistant")
           || !strcmp(role, "signal");
}

static mastra_result_t *bad_message(apr_pool_t *pool, apr_size_t i)
{
    mastra_result_t *error =
        mastra_result_make(pool, 400, "INVALID_MESSAGE", "Invalid request body");

    error->detail = mastra_json_own(
        mastra_json_pack("{s:[{s:s, s:s}]}", "issues", "field",
                         apr_psprintf(pool, "messages.%" APR_SIZE_T_FMT, i),
                         "message", "Invalid input"), pool);
    return error;
}

static mastra_json_t *format2(const mastra_json_t *message, const char *role,
                              mastra_json_t *parts, apr_time_t at,
                              apr_pool_t *pool)
{
    const char *id = mastra_json_get_str(message, "id");
    const char *created = mastra_json_get_str(message, "createdAt");
    mastra_json_t *content = mastra_json_pack("{s:i, s:o}", "format", 2,
                                              "parts", parts);
    mastra_json_t *text = joined_text(parts), *metadata;
    apr_time_t when;

    if (text) {
        mastra_json_set(content, "content", text);
    }
    metadata = mastra_json_get(message, "metadata");
    if (!metadata) {
        metadata = mastra_json_path(message, "content", "metadata", NULL);
    }
    if (mastra_json_is_object(metadata)) {
        mastra_json_set(content, "metadata", mastra_json_ref(metadata));
    }
    if (!created || mastra_text_iso_parse(&when, created)) {
        when = at;
    }
    return mastra_json_pack("{s:s, s:s, s:s, s:o}", "id",
                            id && *id ? id : mastra_text_uuid_make(pool),
                            "role", role, "createdAt",
                            mastra_text_iso_make(pool, when), "content",
                            content);
}

static mastra_json_t *system_message(const mastra_json_t *message)
{
    return mastra_json_pack("{s:s, s:o}", "role", "system", "content",
                            mastra_message_text(message));
}

static mastra_json_t *user_text(const char *text, apr_size_t len, apr_time_t at,
                                apr_pool_t *pool)
{
    mastra_json_t *parts = mastra_json_array();

    mastra_json_append(parts, text_part(text, len, at / 1000));
    return format2(NULL, "user", parts, at, pool);
}

/* 0: no message at all */
static int add_message(mastra_json_t *messages, const mastra_json_t *message,
                       apr_time_t at, apr_pool_t *pool)
{
    const char *role = mastra_json_get_str(message, "role");
    mastra_json_t *parts;

    if (mastra_json_is_string(message)) {
        mastra_json_append(messages,
                           user_text(mastra_json_str(message),
                                     mastra_json_len(message), at, pool));
        return 1;
    }
    if (!role) {
        return 0;
    }
    if (!strcmp(role, "tool")) {
        attach_results(messages, message);
        return 1;
    }
    if (!strcmp(role, "system")) {
        mastra_json_append(messages, system_message(message));
        return 1;
    }
    parts = known_role(role) ? parts_of(message, at / 1000) : NULL;
    if (!parts) {
        return 0;
    }
    mastra_json_append(messages, format2(message, role, parts, at, pool));
    return 1;
}

mastra_json_t *mastra_message_normalize(const mastra_json_t *input,
                                        apr_time_t now,
                                        mastra_result_t **perror,
                                        apr_pool_t *pool)
{
    mastra_json_t *messages = mastra_json_array();
    apr_size_t i;

    if (!mastra_json_is_array(input)) {
        if (!add_message(messages, input, now, pool)) {
            *perror = bad_message(pool, 0);
            mastra_json_unref(messages);
            return NULL;
        }
        return messages;
    }
    for (i = 0; i < mastra_json_size(input); i++) {
        if (!add_message(messages, mastra_json_at(input, i),
                         now + (apr_time_t)i * 1000, pool)) {
            *perror = bad_message(pool, i);
            mastra_json_unref(messages);
            return NULL;
        }
    }
    return messages;
}

/* ---- format 2 to prompts ---- */

static mastra_json_t *result_output(const mastra_json_t *inner)
{
    mastra_json_t *result = mastra_json_get(inner, "result");
    const char *error = mastra_json_get_str(inner, "errorText");

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
    const char *mime = first_str(part, "mimeType", "mediaType", NULL);
    const char *data = first_str(part, "data", "url", "image");
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
    const char *state = mastra_json_get_str(inner, "state");
    mastra_json_t *args = mastra_json_get(inner, "args"), *result;

    mastra_json_append(u->assistant,
                       mastra_json_pack("{s:s, s:s, s:s, s:O}", "type",
                                        "tool-call", "toolCallId",
                                        mastra_json_get_str(inner,
                                                            "toolCallId"),
                                        "toolName",
                                        mastra_json_get_str(inner, "toolName"),
                                        "input", args));
    if (!state || (strcmp(state, "result") && strcmp(state, "output-error"))) {
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
    int is_tool = is_type(part, "tool-invocation");
    mastra_json_t *made = NULL;

    if (is_type(part, "step-start")) {
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
    if (is_type(part, "text")) {
        made = prompt_text(part, u->for_client);
    }
    else if (is_type(part, "reasoning")) {
        made = prompt_reasoning(part, u->for_client);
    }
    else if (is_type(part, "file")) {
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
        const char *state = mastra_json_get_str(
            mastra_json_get(part, "toolInvocation"), "state");

        if (is_type(part, "tool-invocation")
            && (!state || (strcmp(state, "result")
                           && strcmp(state, "output-error")))) {
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
        mastra_json_t *made = is_type(part, "text")
                                  ? prompt_text(part, for_client)
                                  : is_type(part, "file") ? prompt_file(part)
                                                          : NULL;

        if (made) {
            mastra_json_append(content, made);
        }
    }
}

void mastra_message_to_prompt(mastra_json_t *prompt,
                              const mastra_json_t *messages)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_t *message = mastra_json_at(messages, i);
        const char *role = mastra_json_get_str(message, "role");
        const mastra_json_t *parts = mastra_json_path(message, "content",
                                                      "parts", NULL);

        if (role && !strcmp(role, "system")) {
            mastra_json_append(prompt, mastra_json_ref(message));
        }
        else if (role && !strcmp(role, "assistant")) {
            mastra_message_parts_to_prompt(prompt, parts);
        }
        else {
            user_to(prompt, parts, 0);
        }
    }
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

    if (is_type(part, "tool-invocation")) {
        return ui_tool(part);
    }
    if (is_type(part, "text")) {
        made = prompt_text(part, 0);
    }
    else if (is_type(part, "reasoning")) {
        made = prompt_reasoning(part, 0);
    }
    else if (is_type(part, "file")) {
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

        if (is_type(part, "text")) {
            return mastra_json_get_str(part, "text");
        }
    }
    return NULL;
}
