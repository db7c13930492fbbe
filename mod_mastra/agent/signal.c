/* Messages from outside a run: as JSON, as stored messages, for models. */

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "internal.h"
#include "signal.h"

#define XML_LIMIT (64 * 1024 * 1024)

/* ---- what XML takes ---- */

static int is_name(const char *name)
{
    if (!apr_isalpha(*name) && *name != '_') {
        return 0;
    }
    while (apr_isalnum(*name) || (*name && strchr("_.-", *name))) {
        name++;
    }
    return !*name;
}

static mastra_result_t *bad_name(apr_pool_t *pool, const char *what,
                                 const char *name)
{
    return mastra_result_make(pool, 400, "SIGNAL_INVALID",
                              "Invalid signal XML %s: %s", what, name);
}

static mastra_result_t *check_names(const mastra_json_t *signal,
                                    apr_pool_t *pool)
{
    const mastra_json_t *attributes = mastra_json_get(signal, "attributes");
    const char *tag = mastra_json_get_str(signal, "tagName");
    void *at;

    if (!is_name(tag)) {
        return bad_name(pool, "tag name", tag);
    }
    for (at = mastra_json_iter(attributes); at;
         at = mastra_json_next(attributes, at)) {
        if (!mastra_json_is_null(mastra_json_value(at))
            && !is_name(mastra_json_key(at))) {
            return bad_name(pool, "attribute name", mastra_json_key(at));
        }
    }
    return NULL;
}

/* ---- making ---- */

static void copy_member(mastra_json_t *to, const mastra_json_t *from,
                        const char *name)
{
    mastra_json_t *value = mastra_json_get(from, name);

    if (value) {
        mastra_json_set(to, name, mastra_json_ref(value));
    }
}

/* Older names of types mean these. */
static void set_type(mastra_json_t *signal, const mastra_json_t *input)
{
    const char *type = mastra_json_get_str(input, "type");
    const char *tag = mastra_json_get_str(input, "tagName");

    if (!type || !strcmp(type, "user-message")) {
        type = "user";
    }
    if (!strcmp(type, "system-reminder")) {
        type = "reactive";
    }
    if (!tag) {
        tag = !strcmp(type, "reactive") ? "system-reminder" : type;
    }
    mastra_json_set_str(signal, "type", type);
    mastra_json_set_str(signal, "tagName", tag);
}

static void set_times(mastra_json_t *signal, const mastra_json_t *input,
                      apr_time_t now, apr_pool_t *pool)
{
    const char *created = mastra_json_get_str(input, "createdAt");
    const char *id = mastra_json_get_str(input, "id");
    apr_time_t when;

    if (!created || mastra_text_iso_parse(&when, created)) {
        when = now;
    }
    mastra_json_set_str(signal, "id",
                        id && *id ? id : mastra_text_uuid_timed(pool));
    mastra_json_set_str(signal, "acceptedAt", mastra_text_iso_make(pool, now));
    mastra_json_set_str(signal, "createdAt", mastra_text_iso_make(pool, when));
}

static void add_attributes(mastra_json_t *signal, const mastra_json_t *more)
{
    mastra_json_t *own = mastra_json_get(signal, "attributes"), *made;

    if (!mastra_json_size(more)) {
        return;
    }
    made = own ? mastra_json_copy_flat(own) : mastra_json_object();
    mastra_json_merge(made, more);
    mastra_json_set(signal, "attributes", made);
}

mastra_json_t *mastra_signal_make(mastra_json_t *input,
                                  const mastra_json_t *more, apr_time_t now,
                                  mastra_result_t **perror, apr_pool_t *pool)
{
    static const char *const members[] = { "contents", "attributes",
                                           "metadata", "providerOptions",
                                           NULL };
    mastra_json_t *signal = mastra_json_object();
    int i;

    if (!mastra_json_is_object(input)) {
        mastra_json_set(signal, "contents", mastra_json_ref(input));
        input = NULL;
    }
    for (i = 0; members[i]; i++) {
        copy_member(signal, input, members[i]);
    }
    set_type(signal, input);
    set_times(signal, input, now, pool);
    add_attributes(signal, more);
    if (mastra_json_get_bool(input, "transient", 0)) {
        mastra_json_set_bool(signal, "transient", 1);
    }
    mastra_json_set_bool(signal, "__isCreatedSignal", 1);
    *perror = check_names(signal, pool);
    if (*perror) {
        mastra_json_unref(signal);
        return NULL;
    }
    return signal;
}

/* ---- stored ---- */

static mastra_json_t *stored_part(const mastra_json_t *part, apr_int64_t at)
{
    mastra_json_t *made;

    if (mastra_part_is(part, "file")) {
        made = mastra_json_pack("{s:s, s:O, s:O}", "type", "file", "data",
                                mastra_json_get(part, "data"), "mimeType",
                                mastra_json_get(part, "mediaType"));
        copy_member(made, part, "filename");
    }
    else {
        made = mastra_json_pack("{s:s, s:O}", "type", "text", "text",
                                mastra_json_get(part, "text"));
    }
    if (mastra_json_get(part, "providerOptions")) {
        mastra_json_set(made, "providerMetadata",
                        mastra_json_ref(mastra_json_get(part,
                                                        "providerOptions")));
    }
    mastra_json_set_int(made, "createdAt", at);
    return made;
}

static mastra_json_t *stored_parts(const mastra_json_t *contents,
                                   apr_int64_t at)
{
    mastra_json_t *parts = mastra_json_array();
    apr_size_t i;

    if (mastra_json_is_string(contents)) {
        mastra_json_append(parts, mastra_json_pack(
            "{s:s, s:O, s:I}", "type", "text", "text", contents, "createdAt",
            at));
    }
    for (i = 0; i < mastra_json_size(contents); i++) {
        mastra_json_append(parts, stored_part(mastra_json_at(contents, i),
                                              at));
    }
    if (!mastra_json_size(parts)) {
        mastra_json_append(parts, mastra_json_pack("{s:s, s:s}", "type",
                                                   "text", "text", ""));
    }
    return parts;
}

mastra_json_t *mastra_signal_message(const mastra_json_t *signal,
                                     const char *thread_id,
                                     const char *resource_id, apr_time_t now,
                                     apr_pool_t *pool)
{
    static const char *const members[] = { "id", "type", "tagName",
                                           "createdAt", "acceptedAt",
                                           "attributes", "metadata",
                                           "transient", NULL };
    const char *when = mastra_text_iso_make(pool, now);
    mastra_json_t *about = mastra_json_object(), *content;
    int i;

    for (i = 0; members[i]; i++) {
        copy_member(about, signal, members[i]);
    }
    mastra_json_set_str(about, "createdAt", when);
    content = mastra_json_pack(
        "{s:i, s:o, s:{s:o}}", "format", 2, "parts",
        stored_parts(mastra_json_get(signal, "contents"), now / 1000),
        "metadata", "signal", about);
    if (mastra_json_get(signal, "providerOptions")) {
        mastra_json_set(content, "providerMetadata",
                        mastra_json_ref(mastra_json_get(signal,
                                                        "providerOptions")));
    }
    return mastra_json_pack(
        "{s:s, s:s, s:s, s:o, s:s, s:s*, s:s*}", "id",
        mastra_json_get_str(signal, "id"), "role", "signal", "createdAt", when,
        "content", content, "type", mastra_json_get_str(signal, "tagName"),
        "threadId", thread_id, "resourceId", resource_id);
}

static mastra_json_t *about(const mastra_json_t *message)
{
    return mastra_json_path(message, "content", "metadata", "signal", NULL);
}

int mastra_signal_is_transient(const mastra_json_t *message)
{
    return mastra_json_get_bool(about(message), "transient", 0);
}

/* ---- shown ---- */

static mastra_json_t *shown_part(const mastra_json_t *part)
{
    mastra_json_t *made;

    if (mastra_part_is(part, "file")) {
        made = mastra_json_pack("{s:s, s:O, s:O}", "type", "file", "data",
                                mastra_json_get(part, "data"), "mediaType",
                                mastra_json_get(part, "mimeType"));
        copy_member(made, part, "filename");
    }
    else {
        made = mastra_json_pack("{s:s, s:O}", "type", "text", "text",
                                mastra_json_get(part, "text"));
    }
    if (mastra_json_get(part, "providerMetadata")) {
        mastra_json_set(made, "providerOptions",
                        mastra_json_ref(mastra_json_get(part,
                                                        "providerMetadata")));
    }
    return made;
}

static mastra_json_t *shown_contents(const mastra_json_t *parts)
{
    const mastra_json_t *first = mastra_json_at(parts, 0);
    mastra_json_t *made;
    apr_size_t i;

    if (mastra_json_size(parts) == 1 && mastra_part_is(first, "text")
        && !mastra_json_get(first, "providerMetadata")) {
        return mastra_json_ref(mastra_json_get(first, "text"));
    }
    made = mastra_json_array();
    for (i = 0; i < mastra_json_size(parts); i++) {
        mastra_json_append(made, shown_part(mastra_json_at(parts, i)));
    }
    return made;
}

mastra_json_t *mastra_signal_chunk(const mastra_json_t *message,
                                   const char *run_id)
{
    static const char *const members[] = { "createdAt", "acceptedAt",
                                           "attributes", "metadata",
                                           "transient", NULL };
    const mastra_json_t *signal = about(message);
    const mastra_json_t *content = mastra_json_get(message, "content");
    const char *type = mastra_json_get_str(signal, "type");
    int user = !type || !strcmp(type, "user"), i;
    mastra_json_t *data = mastra_json_pack(
        "{s:s*, s:s, s:s*, s:o}", "id", mastra_json_get_str(message, "id"),
        "type", type ? type : "user", "tagName",
        mastra_json_get_str(signal, "tagName"), "contents",
        shown_contents(mastra_json_get(content, "parts")));

    for (i = 0; members[i]; i++) {
        copy_member(data, signal, members[i]);
    }
    if (mastra_json_get(content, "providerMetadata")) {
        mastra_json_set(data, "providerOptions",
                        mastra_json_ref(mastra_json_get(content,
                                                        "providerMetadata")));
    }
    return mastra_json_pack("{s:s, s:o, s:b, s:s*}", "type",
                            user ? "data-user-message" : "data-signal", "data",
                            data, "transient", 1, "runId", run_id);
}

/* ---- for models ---- */

static void escape(mastra_buf_t *buf, const char *text, int quoted)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            mastra_buf_puts(buf, "&amp;");
            break;
        case '<':
            mastra_buf_puts(buf, "&lt;");
            break;
        case '>':
            mastra_buf_puts(buf, "&gt;");
            break;
        case '"':
            mastra_buf_puts(buf, quoted ? "&quot;" : "\"");
            break;
        default:
            mastra_buf_add(buf, text, 1);
        }
    }
}

static void put_value(mastra_buf_t *buf, const mastra_json_t *value)
{
    mastra_buf_t plain;

    if (mastra_json_is_string(value)) {
        escape(buf, mastra_json_str(value), 1);
        return;
    }
    mastra_buf_init(&plain, XML_LIMIT);
    if (!mastra_json_write(&plain, value)) {
        escape(buf, plain.data, 1);
    }
    mastra_buf_free(&plain);
}

/* <tag name="value">text</tag>; text NULL: <tag name="value" /> */
static mastra_json_t *markup(const mastra_json_t *signal, const char *text)
{
    const mastra_json_t *attributes = mastra_json_get(signal, "attributes");
    const char *tag = mastra_json_get_str(signal, "tagName");
    mastra_json_t *made;
    mastra_buf_t buf;
    void *at;

    tag = tag ? tag : "user";
    mastra_buf_init(&buf, XML_LIMIT);
    mastra_buf_printf(&buf, "<%s", tag);
    for (at = mastra_json_iter(attributes); at;
         at = mastra_json_next(attributes, at)) {
        if (!mastra_json_is_null(mastra_json_value(at))) {
            mastra_buf_printf(&buf, " %s=\"", mastra_json_key(at));
            put_value(&buf, mastra_json_value(at));
            mastra_buf_puts(&buf, "\"");
        }
    }
    if (text && *text) {
        mastra_buf_puts(&buf, ">");
        escape(&buf, text, 0);
        mastra_buf_printf(&buf, "</%s>", tag);
    }
    else {
        mastra_buf_puts(&buf, " />");
    }
    made = mastra_json_pack("{s:s, s:o}", "type", "text", "text",
                            mastra_json_stringn(buf.data, buf.len));
    mastra_buf_free(&buf);
    return made;
}

static int has_attributes(const mastra_json_t *signal)
{
    const mastra_json_t *attributes = mastra_json_get(signal, "attributes");
    void *at;

    for (at = mastra_json_iter(attributes); at;
         at = mastra_json_next(attributes, at)) {
        if (!mastra_json_is_null(mastra_json_value(at))) {
            return 1;
        }
    }
    return 0;
}

static int all_text(const mastra_json_t *parts)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        if (!mastra_part_is(mastra_json_at(parts, i), "text")) {
            return 0;
        }
    }
    return 1;
}

/* The first text becomes the marked one; without a text the mark stands
 * before the rest. */
static mastra_json_t *mark_first(const mastra_json_t *signal,
                                 const mastra_json_t *parts)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;
    int marked = 0;

    for (i = 0; i < mastra_json_size(parts); i++) {
        mastra_json_t *part = mastra_json_at(parts, i);

        if (!marked && mastra_part_is(part, "text")) {
            marked = 1;
            mastra_json_append(made,
                               markup(signal, mastra_json_get_str(part,
                                                                  "text")));
        }
        else {
            mastra_json_append(made, mastra_json_ref(part));
        }
    }
    if (!marked) {
        mastra_json_insert(made, 0, markup(signal, NULL));
    }
    return made;
}

mastra_json_t *mastra_signal_parts(const mastra_json_t *message)
{
    mastra_json_t *parts = mastra_json_path(message, "content", "parts", NULL);
    const mastra_json_t *signal = about(message);
    const char *type = mastra_json_get_str(signal, "type");
    mastra_json_t *text, *made;

    if ((!type || !strcmp(type, "user")) && !has_attributes(signal)) {
        return parts ? mastra_json_ref(parts) : mastra_json_array();
    }
    if (!all_text(parts)) {
        return mark_first(signal, parts);
    }
    text = mastra_message_text(message);
    made = mastra_json_pack("[o]", markup(signal, mastra_json_str(text)));
    mastra_json_unref(text);
    return made;
}
