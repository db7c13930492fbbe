/* Messages in the older form, in which tools speak for themselves. */

#include <string.h>

#include <apr_strings.h>

#include "memory.h"

/* One message of format 2 on its way into several. */
typedef struct {
    mastra_json_t *out;
    const mastra_json_t *message;
    mastra_json_t *said;         /* text, reasoning and files, or NULL */
    mastra_json_t *files;        /* of a user: they come last, or NULL */
    mastra_json_t *calls, *results;  /* of tools, or NULL */
    int pieces;
} split_t;

static const char *str(const mastra_json_t *object, const char *name)
{
    return mastra_json_get_str(object, name);
}

static int is_type(const mastra_json_t *part, const char *type)
{
    const char *have = str(part, "type");

    return have && !strcmp(have, type);
}

/* The first piece has the message's id, later ones a number behind it. */
static void set_id(split_t *split, mastra_json_t *piece)
{
    const char *id = str(split->message, "id");
    char number[32];
    mastra_buf_t buf;

    if (!split->pieces++) {
        mastra_json_set_str(piece, "id", id);
        return;
    }
    apr_snprintf(number, sizeof(number), "__split-%d", split->pieces - 1);
    mastra_buf_init(&buf, 64 * 1024);
    mastra_buf_puts(&buf, id ? id : "");
    mastra_buf_puts(&buf, number);
    mastra_json_set(piece, "id", mastra_json_stringn(buf.data, buf.len));
    mastra_buf_free(&buf);
}

static void put(split_t *split, const char *role, const char *type,
                mastra_json_t *content)
{
    static const char *const names[] = { "createdAt", "threadId", "resourceId",
                                         NULL };
    mastra_json_t *piece = mastra_json_object(), *value;
    int i;

    set_id(split, piece);
    mastra_json_set_str(piece, "role", role);
    for (i = 0; names[i]; i++) {
        value = mastra_json_get(split->message, names[i]);
        mastra_json_set(piece, names[i], mastra_json_ref(value));
    }
    mastra_json_set_str(piece, "type", type);
    mastra_json_set(piece, "content", content);
    mastra_json_append(split->out, piece);
}

/* A single text is a string. */
static mastra_json_t *plain(mastra_json_t *said)
{
    mastra_json_t *only = mastra_json_at(said, 0), *text;

    if (mastra_json_size(said) != 1 || !is_type(only, "text")) {
        return said;
    }
    text = mastra_json_ref(mastra_json_get(only, "text"));
    mastra_json_unref(said);
    return text;
}

static void end_said(split_t *split)
{
    if (split->files) {
        if (!split->said) {
            split->said = mastra_json_array();
        }
        mastra_json_extend(split->said, split->files);
        mastra_json_unref(split->files);
        split->files = NULL;
    }
    if (split->said) {
        put(split, str(split->message, "role"), "text", plain(split->said));
        split->said = NULL;
    }
}

static void end_tools(split_t *split)
{
    if (split->calls) {
        put(split, "assistant", "tool-call", split->calls);
    }
    if (split->results) {
        put(split, "tool", "tool-result", split->results);
    }
    split->calls = split->results = NULL;
}

static void append(mastra_json_t **plist, mastra_json_t *value)
{
    if (!*plist) {
        *plist = mastra_json_array();
    }
    mastra_json_append(*plist, value);
}

static mastra_json_t *or_null(mastra_json_t *value)
{
    return value ? mastra_json_ref(value) : mastra_json_null();
}

static void add_tool(split_t *split, const mastra_json_t *inner)
{
    const char *id = str(inner, "toolCallId"), *name = str(inner, "toolName");
    const char *state = str(inner, "state");

    end_said(split);
    append(&split->calls,
           mastra_json_pack("{s:s, s:s*, s:s*, s:o}", "type", "tool-call",
                            "toolCallId", id, "toolName", name, "args",
                            or_null(mastra_json_get(inner, "args"))));
    if (state && !strcmp(state, "result")) {
        append(&split->results,
               mastra_json_pack("{s:s, s:s*, s:s*, s:o}", "type",
                                "tool-result", "toolCallId", id, "toolName",
                                name, "result",
                                or_null(mastra_json_get(inner, "result"))));
    }
}

/* data as an address: what is none is base64. */
static mastra_json_t *address(const char *data, const char *mime)
{
    mastra_json_t *made;
    mastra_buf_t buf;

    if (!strncmp(data, "data:", 5) || strstr(data, "://")) {
        return mastra_json_string(data);
    }
    mastra_buf_init(&buf, 64 * 1024 * 1024);
    mastra_buf_printf(&buf, "data:%s;base64,", mime);
    mastra_buf_puts(&buf, data);
    made = mastra_json_stringn(buf.data, buf.len);
    mastra_buf_free(&buf);
    return made;
}

static void add_file(split_t *split, mastra_json_t *part)
{
    const char *data = str(part, "data"), *mime = str(part, "mimeType");
    const char *role = str(split->message, "role");
    int image;

    if (!data || !mime || !role || strcmp(role, "user")) {
        append(&split->said, mastra_json_ref(part));
        return;
    }
    image = !strncmp(mime, "image/", 6);
    append(&split->files,
           mastra_json_pack("{s:s, s:o, s:s}", "type", image ? "image" : "file",
                            image ? "image" : "data", address(data, mime),
                            "mimeType", mime));
}

static mastra_json_t *reasoning(const mastra_json_t *part)
{
    const mastra_json_t *details = mastra_json_get(part, "details");
    const char *text = str(mastra_json_at(details, 0), "text");

    text = text ? text : str(part, "reasoning");
    return mastra_json_pack("{s:s, s:s}", "type", "reasoning", "text",
                            text ? text : "");
}

static void add_part(split_t *split, mastra_json_t *part)
{
    if (is_type(part, "tool-invocation")) {
        add_tool(split, mastra_json_get(part, "toolInvocation"));
        return;
    }
    if (is_type(part, "text")) {
        end_tools(split);
        append(&split->said,
               mastra_json_pack("{s:s, s:o}", "type", "text", "text",
                                or_null(mastra_json_get(part, "text"))));
    }
    else if (is_type(part, "reasoning")) {
        end_tools(split);
        append(&split->said, reasoning(part));
    }
    else if (is_type(part, "file")) {
        end_tools(split);
        add_file(split, part);
    }
}

static void split_message(mastra_json_t *out, const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    const mastra_json_t *parts = mastra_json_get(content, "parts");
    const char *role = str(message, "role"), *text = str(content, "content");
    split_t split = { .out = out, .message = message };
    apr_size_t i;

    if (!role || (strcmp(role, "user") && strcmp(role, "assistant"))) {
        return;
    }
    for (i = 0; i < mastra_json_size(parts); i++) {
        add_part(&split, mastra_json_at(parts, i));
    }
    end_said(&split);
    end_tools(&split);
    if (!split.pieces) {
        put(&split, role, "text", mastra_json_string(text ? text : ""));
    }
}

mastra_json_t *mastra_memory_v1(const mastra_json_t *messages)
{
    mastra_json_t *out = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(messages); i++) {
        split_message(out, mastra_json_at(messages, i));
    }
    return out;
}
