/* Messages: what clients send, what storage holds (format 2), what models get. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

int mastra_part_is(const mastra_json_t *part, const char *type)
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

const char *mastra_part_str(const mastra_json_t *object, const char *a,
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
    const char *data = mastra_part_str(part, "data", "image", "url");
    const char *mime = mastra_part_str(part, "mediaType", "mimeType", NULL);
    mastra_json_t *file;

    if (!data) {
        return NULL;
    }
    if (!mime) {
        mime = mastra_part_is(part, "image") ? "image/png"
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

        if (mastra_part_is(part, "text")) {
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

        if (!inner || !mastra_part_is(part, "tool-result")) {
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

/* ---- messages to be stored as they are ---- */

static mastra_json_t *stored_message(mastra_json_t *message, apr_time_t at,
                                     apr_pool_t *pool)
{
    mastra_json_t *made = mastra_json_copy_flat(message);

    if (!mastra_json_get_str(made, "id")) {
        mastra_json_set_str(made, "id", mastra_text_uuid_make(pool));
    }
    if (!mastra_json_get_str(made, "createdAt")) {
        mastra_json_set_str(made, "createdAt", mastra_text_iso_make(pool, at));
    }
    return made;
}

mastra_json_t *mastra_message_stored(const mastra_json_t *input, apr_time_t now,
                                     mastra_result_t **perror,
                                     apr_pool_t *pool)
{
    mastra_json_t *messages = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(input); i++) {
        mastra_json_t *message = mastra_json_at(input, i), *last;
        apr_time_t at = now + (apr_time_t)i * 1000;

        if (mastra_json_is_array(mastra_json_path(message, "content", "parts",
                                                  NULL))
            && mastra_json_get_str(message, "role")) {
            mastra_json_append(messages, stored_message(message, at, pool));
            continue;
        }
        if (!add_message(messages, message, at, pool)) {
            *perror = bad_message(pool, i);
            mastra_json_unref(messages);
            return NULL;
        }
        last = mastra_json_at(messages, mastra_json_size(messages) - 1);
        mastra_json_set_str(last, "threadId",
                            mastra_json_get_str(message, "threadId"));
        mastra_json_set_str(last, "resourceId",
                            mastra_json_get_str(message, "resourceId"));
    }
    return messages;
}
