/* Messages of a request as storage has them beside their parts: text, calls,
 * reasoning and files once more, for readers of the older members; and what
 * one assistant says in a row as one message. */

#include <string.h>

#include "internal.h"

#define TEXT_LIMIT (64 * 1024 * 1024)
#define CALLS "toolInvocations"
#define FILES "experimental_attachments"

/* ---- which form it came in ---- */

static int has(const mastra_json_t *part, const char *name)
{
    return mastra_json_get(part, name) != NULL;
}

/* Parts as UI messages have them today, and had not before. */
static int is_new_ui_part(const mastra_json_t *part)
{
    const char *type = mastra_json_get_str(part, "type");

    if (!type || !strcmp(type, "tool-invocation")) {
        return 0;
    }
    return !strncmp(type, "tool-", 5) || !strcmp(type, "dynamic-tool")
           || (!strcmp(type, "file") && has(part, "mediaType"))
           || (!strcmp(type, "reasoning") && has(part, "text"));
}

/* Parts as model messages had them, and have no more. */
static int is_old_core_part(const mastra_json_t *part)
{
    if (mastra_part_is(part, "tool-call")) {
        return has(part, "args") && !has(part, "input");
    }
    return has(part, "mimeType") && !has(part, "mediaType");
}

static int any_part(const mastra_json_t *parts,
                    int (*is)(const mastra_json_t *part))
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        if (is(mastra_json_at(parts, i))) {
            return 1;
        }
    }
    return 0;
}

/* ---- what stands beside the parts ---- */

mastra_json_t *mastra_message_joined(const mastra_json_t *parts,
                                     const char *type, const char *between)
{
    mastra_json_t *text;
    mastra_buf_t buf;
    apr_size_t i;
    int any = 0;

    mastra_buf_init(&buf, TEXT_LIMIT);
    for (i = 0; i < mastra_json_size(parts); i++) {
        const mastra_json_t *part = mastra_json_at(parts, i);
        const mastra_json_t *value = mastra_json_get(part, type);

        if (mastra_part_is(part, type) && mastra_json_is_string(value)) {
            if (any++) {
                mastra_buf_puts(&buf, between);
            }
            mastra_buf_add(&buf, mastra_json_str(value),
                           mastra_json_len(value));
        }
    }
    text = any ? mastra_json_stringn(buf.data ? buf.data : "", buf.len) : NULL;
    mastra_buf_free(&buf);
    return text;
}

/* Bytes alone do not say what they are: 1 where they do. */
static int is_address(const char *data)
{
    return !strncmp(data, "data:", 5) || strstr(data, "://") != NULL;
}

static void address_file(mastra_json_t *part)
{
    const mastra_json_t *data = mastra_json_get(part, "data");
    const char *mime = mastra_json_get_str(part, "mimeType");
    mastra_buf_t buf;

    if (!mastra_part_is(part, "file") || !mastra_json_is_string(data)
        || is_address(mastra_json_str(data))) {
        return;
    }
    mastra_buf_init(&buf, TEXT_LIMIT);
    mastra_buf_puts(&buf, "data:");
    mastra_buf_puts(&buf, mime ? mime : "application/octet-stream");
    mastra_buf_puts(&buf, ";base64,");
    if (mastra_buf_add(&buf, mastra_json_str(data), mastra_json_len(data))
        == APR_SUCCESS) {
        mastra_json_set(part, "data", mastra_json_stringn(buf.data, buf.len));
    }
    mastra_buf_free(&buf);
}

static void address_files(const mastra_json_t *parts)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        address_file(mastra_json_at(parts, i));
    }
}

static mastra_json_t *files_of(const mastra_json_t *parts)
{
    mastra_json_t *made = NULL;
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        const mastra_json_t *part = mastra_json_at(parts, i);
        const char *data = mastra_json_get_str(part, "data");

        if (mastra_part_is(part, "file") && data) {
            made = made ? made : mastra_json_array();
            mastra_json_append(made, mastra_json_pack(
                "{s:s, s:s*}", "url", data, "contentType",
                mastra_json_get_str(part, "mimeType")));
        }
    }
    return made;
}

static void set(mastra_json_t *content, const char *name, mastra_json_t *value)
{
    if (value) {
        mastra_json_set(content, name, value);
    }
    else {
        mastra_json_del(content, name);
    }
}

/* All that the parts say is said once more. */
static void repeat(mastra_json_t *content, const char *between)
{
    const mastra_json_t *parts = mastra_json_get(content, "parts");

    address_files(parts);
    set(content, "content", mastra_message_joined(parts, "text", between));
    set(content, "reasoning", mastra_message_joined(parts, "reasoning", ""));
    set(content, FILES, files_of(parts));
    /* filled in when all results are there */
    mastra_json_set(content, CALLS, mastra_json_array());
}

static void copy(mastra_json_t *content, const mastra_json_t *from,
                 const char *name)
{
    set(content, name, mastra_json_ref(mastra_json_get(from, name)));
}

static void copy_text(mastra_json_t *content, const mastra_json_t *from,
                      const char *name)
{
    mastra_json_t *value = mastra_json_get(from, name);

    set(content, name, mastra_json_is_string(value) ? mastra_json_ref(value)
                                                    : NULL);
}

static void copy_list(mastra_json_t *content, const mastra_json_t *from,
                      const char *name)
{
    mastra_json_t *value = mastra_json_get(from, name);

    set(content, name, mastra_json_is_array(value) ? mastra_json_ref(value)
                                                   : NULL);
}

void mastra_message_form(mastra_json_t *made, const mastra_json_t *message)
{
    mastra_json_t *content = mastra_json_get(made, "content");
    const mastra_json_t *given = mastra_json_get(message, "content");
    const mastra_json_t *ui = mastra_json_get(message, "parts");

    if (mastra_json_is_object(given)) {
        copy_text(content, given, "content");
        copy_text(content, given, "reasoning");
        copy_list(content, given, FILES);
        copy_list(content, given, CALLS);
    }
    else if (any_part(ui, is_new_ui_part)) {
        repeat(content, "");
    }
    else if (mastra_json_size(ui)) {
        mastra_json_del(content, "content");
        copy_list(content, message, FILES);
        copy_list(content, message, CALLS);
    }
    else if (mastra_json_is_array(given) && !any_part(given,
                                                      is_old_core_part)) {
        repeat(content, "\n");
    }
    else if (mastra_json_is_array(given)) {
        mastra_json_del(content, "content");
        mastra_json_set(content, CALLS, mastra_json_array());
    }
    else if (has(message, CALLS)) {
        mastra_json_set(content, CALLS, mastra_json_array());
    }
}

/* ---- one message of several ---- */

int mastra_message_is_by(const mastra_json_t *message, const char *role)
{
    const char *have = mastra_json_get_str(message, "role");

    return have && !strcmp(have, role);
}

void mastra_message_merge(mastra_json_t *first, const mastra_json_t *next)
{
    static const char *const names[] = { "content", "reasoning", CALLS, FILES,
                                         "providerMetadata" };
    mastra_json_t *content = mastra_json_get(first, "content");
    const mastra_json_t *more = mastra_json_get(next, "content");
    mastra_json_t *parts = mastra_json_get(content, "parts");
    const mastra_json_t *added = mastra_json_get(more, "parts");
    const mastra_json_t *last = mastra_json_at(parts,
                                               mastra_json_size(parts) - 1);
    mastra_json_t *metadata = mastra_json_get(more, "metadata");
    apr_size_t i;

    if (mastra_part_is(last, "tool-invocation")
        && mastra_part_is(mastra_json_at(added, 0), "text")) {
        mastra_json_append(parts, mastra_json_pack(
            "{s:s, s:O*}", "type", "step-start", "createdAt",
            mastra_json_get(mastra_json_at(added, 0), "createdAt")));
    }
    mastra_json_extend(parts, added);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (has(more, names[i])) {
            copy(content, more, names[i]);
        }
    }
    if (metadata && mastra_json_get(content, "metadata")) {
        mastra_json_t *both = mastra_json_copy_flat(
            mastra_json_get(content, "metadata"));

        mastra_json_merge(both, metadata);
        mastra_json_set(content, "metadata", both);
    }
    else if (metadata) {
        copy(content, more, "metadata");
    }
}

void mastra_message_list_calls(mastra_json_t *message)
{
    mastra_json_t *content = mastra_json_get(message, "content");
    const mastra_json_t *parts = mastra_json_get(content, "parts");
    mastra_json_t *made = NULL;
    apr_size_t i;

    if (!mastra_json_get(content, CALLS)) {
        return;
    }
    for (i = 0; i < mastra_json_size(parts); i++) {
        mastra_json_t *inner = mastra_json_get(mastra_json_at(parts, i),
                                               "toolInvocation");

        if (inner) {
            made = made ? made : mastra_json_array();
            mastra_json_append(made, mastra_json_ref(inner));
        }
    }
    set(content, CALLS, made);
}
