/* Messages: every form that clients send to the one that storage holds
 * (format 2). */

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "internal.h"


/* Messages as they are being converted. */
typedef struct {
    mastra_json_t *messages;
    apr_hash_t *ids;             /* id to place + 1 of those with one given */
    apr_hash_t *calls;           /* toolCallId to its part */
    apr_time_t now;
    apr_pool_t *pool;
    mastra_result_t *error;
} convert_t;

static void init(convert_t *c, apr_time_t now, apr_pool_t *pool)
{
    c->messages = mastra_json_array();
    c->ids = apr_hash_make(pool);
    c->calls = apr_hash_make(pool);
    c->now = now;
    c->pool = pool;
    c->error = NULL;
}

/* ---- what is no message ---- */

/* what has one %s for value */
static int bad(convert_t *c, const char *where, const char *what,
               const char *value)
{
    c->error = mastra_result_make(c->pool, 400, "INVALID_MESSAGE",
                                  "Invalid request body");
    c->error->detail = mastra_json_own(
        mastra_json_pack("{s:[{s:s, s:s}]}", "issues", "field", where,
                         "message", apr_psprintf(c->pool, what, value)),
        c->pool);
    return 0;
}

static const char *type_name(const mastra_json_t *json)
{
    if (!json) {
        return "undefined";
    }
    switch (mastra_json_type(json)) {
    case MASTRA_JSON_OBJECT: return "object";
    case MASTRA_JSON_ARRAY: return "array";
    case MASTRA_JSON_STRING: return "string";
    case MASTRA_JSON_NULL: return "null";
    case MASTRA_JSON_TRUE:
    case MASTRA_JSON_FALSE: return "boolean";
    default: return "number";
    }
}

static const char *below(convert_t *c, const char *where, const char *name)
{
    return apr_pstrcat(c->pool, where, ".", name, NULL);
}

/* ---- results that stand apart from their calls ---- */

/* Parts are kept while the conversion lasts, as a message may be replaced. */
static void add_part(convert_t *c, mastra_json_t *parts, mastra_json_t *part)
{
    const char *id = mastra_json_get_str(mastra_json_get(part,
                                                         "toolInvocation"),
                                         "toolCallId");

    if (id) {
        apr_hash_set(c->calls, id, APR_HASH_KEY_STRING,
                     mastra_json_own(mastra_json_ref(part), c->pool));
    }
    mastra_json_append(parts, part);
}

/* A result goes to the call that it answers; when that is in storage or
 * nowhere, the result tells of the call, too. */
static void add_result(convert_t *c, mastra_json_t *parts,
                       const mastra_json_t *result, apr_int64_t at)
{
    const char *id = mastra_json_get_str(result, "toolCallId");
    mastra_json_t *part = id ? apr_hash_get(c->calls, id, APR_HASH_KEY_STRING)
                             : NULL;

    if (!part) {
        part = mastra_part_of_result(result, at);
        add_part(c, parts, part);
    }
    if (part) {
        mastra_part_set_result(part, result);
    }
}

/* ---- content ---- */

static void add_parts(convert_t *c, mastra_json_t *parts,
                      const mastra_json_t *given, apr_int64_t at)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(given); i++) {
        const mastra_json_t *part = mastra_json_at(given, i);

        if (mastra_json_is_string(part)) {
            mastra_json_append(parts, mastra_part_text(mastra_json_str(part),
                                                       mastra_json_len(part),
                                                       at));
        }
        else if (mastra_part_is(part, "tool-result")) {
            add_result(c, parts, part, at);
        }
        else {
            add_part(c, parts, mastra_part_convert(part, at, c->pool));
        }
    }
}

/* Older UI messages have files and calls beside their content. */
static void add_attachments(convert_t *c, mastra_json_t *parts,
                            const mastra_json_t *message)
{
    const mastra_json_t *files = mastra_json_get(message,
                                                 "experimental_attachments");
    apr_size_t i;

    for (i = 0; i < mastra_json_size(files); i++) {
        mastra_json_append(parts, mastra_part_file(mastra_json_at(files, i),
                                                   c->pool));
    }
}

/* Those that the parts have, too, are taken from there. */
static void add_invocations(convert_t *c, mastra_json_t *parts,
                            const mastra_json_t *message, apr_int64_t at)
{
    const mastra_json_t *list = mastra_json_get(message, "toolInvocations");
    apr_size_t i;

    for (i = 0; i < mastra_json_size(list); i++) {
        mastra_json_t *inner = mastra_json_at(list, i), *part;
        const char *id = mastra_json_get_str(inner, "toolCallId");

        if (!id || apr_hash_get(c->calls, id, APR_HASH_KEY_STRING)) {
            continue;
        }
        part = mastra_json_pack("{s:s, s:O}", "type", "tool-invocation",
                                "toolInvocation", inner);
        add_part(c, parts, mastra_part_convert(part, at, c->pool));
        mastra_json_unref(part);
    }
}

/* The parts of holder, a message or the content of one: what stands beside the
 * content goes to head. 0: it has none. */
static int take_parts(convert_t *c, mastra_json_t *head, mastra_json_t *parts,
                      const mastra_json_t *holder, apr_int64_t at)
{
    const mastra_json_t *content = mastra_json_get(holder, "content");
    const mastra_json_t *given = mastra_json_get(holder, "parts");
    int any = mastra_json_is_array(given);

    if (!mastra_json_size(given) && mastra_json_is_array(content)) {
        given = content;
        any = 1;
    }
    add_parts(c, parts, given, at);
    add_attachments(c, head, holder);
    add_invocations(c, head, holder, at);
    if (!mastra_json_size(given) && mastra_json_is_string(content)) {
        any = 1;
        if (mastra_json_len(content) || !mastra_json_size(head)) {
            mastra_json_append(parts, mastra_part_text(mastra_json_str(content),
                                                       mastra_json_len(content),
                                                       at));
        }
    }
    return any || mastra_json_size(head);
}

/* The parts of a message of any form; NULL: none that is known. */
static mastra_json_t *parts_of(convert_t *c, const mastra_json_t *message,
                               apr_int64_t at)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    const mastra_json_t *holder = mastra_json_is_object(content) ? content
                                                                 : message;
    mastra_json_t *head = mastra_json_array(), *parts = mastra_json_array();
    int any = take_parts(c, head, parts, holder, at);

    mastra_json_extend(head, parts);
    mastra_json_unref(parts);
    if (!any) {
        mastra_json_unref(head);
        return NULL;
    }
    return head;
}

mastra_json_t *mastra_message_parts(const mastra_json_t *message,
                                    apr_pool_t *pool)
{
    mastra_json_t *parts;
    convert_t c;

    init(&c, 0, pool);
    parts = parts_of(&c, message, 0);
    mastra_json_unref(c.messages);
    return parts;
}

mastra_json_t *mastra_message_text(const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    const mastra_json_t *given = mastra_json_get(message, "parts");
    mastra_json_t *text;

    if (mastra_json_is_object(content)) {
        given = mastra_json_get(content, "parts");
        content = mastra_json_get(content, "content");
    }
    if (!mastra_json_size(given) && mastra_json_is_array(content)) {
        given = content;
    }
    text = mastra_message_joined(given, "text", "\n");
    if (!text && mastra_json_is_string(content)) {
        text = mastra_json_ref((mastra_json_t *)content);
    }
    return text ? text : mastra_json_string("");
}

/* ---- messages ---- */

int mastra_message_is_role(const char *role)
{
    return !strcmp(role, "user") || !strcmp(role, "assistant")
           || !strcmp(role, "signal");
}

static const char *given_id(const mastra_json_t *message)
{
    const char *id = mastra_json_get_str(message, "id");

    return id && *id ? id : NULL;
}

mastra_json_t *mastra_message_make(const mastra_json_t *message,
                                   const char *role, mastra_json_t *parts,
                                   apr_time_t at, apr_pool_t *pool)
{
    const char *id = given_id(message);
    const char *created = mastra_json_get_str(message, "createdAt");
    mastra_json_t *content = mastra_json_pack("{s:i, s:o}", "format", 2,
                                              "parts", parts);
    mastra_json_t *text = mastra_message_joined(parts, "text", "\n");
    mastra_json_t *metadata, *provider;
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
    provider = mastra_part_provider(message);
    if (provider) {
        mastra_json_set(content, "providerMetadata", mastra_json_ref(provider));
    }
    if (!created || mastra_text_iso_parse(&when, created)) {
        when = at;
    }
    return mastra_json_pack("{s:s, s:s, s:s, s:o}", "id",
                            id ? id : mastra_text_uuid_timed(pool),
                            "role", role, "createdAt",
                            mastra_text_iso_make(pool, when), "content",
                            content);
}

static mastra_json_t *last_message(const convert_t *c)
{
    return mastra_json_at(c->messages, mastra_json_size(c->messages) - 1);
}

/* Of two messages with one id the later one counts, in the place of the
 * first; what an assistant says in a row is one message. made is taken over;
 * id: what the client gave it, or NULL. */
static void put_message(convert_t *c, mastra_json_t *made, const char *id)
{
    apr_size_t place = id ? (apr_size_t)apr_hash_get(c->ids, id,
                                                     APR_HASH_KEY_STRING) : 0;

    if (place) {
        mastra_json_remove(c->messages, place - 1);
        mastra_json_insert(c->messages, place - 1, made);
        return;
    }
    if (mastra_message_is_by(made, "assistant")
        && mastra_message_is_by(last_message(c), "assistant")) {
        mastra_message_merge(last_message(c), made);
        mastra_json_unref(made);
        return;
    }
    mastra_json_append(c->messages, made);
    if (id) {
        apr_hash_set(c->ids, apr_pstrdup(c->pool, id), APR_HASH_KEY_STRING,
                     (void *)mastra_json_size(c->messages));
    }
}

static int add_content(convert_t *c, const mastra_json_t *message,
                       const char *role, const char *where, apr_time_t at)
{
    mastra_json_t *parts = parts_of(c, message, at / 1000), *made;

    if (!parts) {
        return bad(c, below(c, where, "content"), "Invalid input: expected text "
                   "or parts, received %s",
                   type_name(mastra_json_get(message, "content")));
    }
    made = mastra_message_make(message, role, parts, at, c->pool);
    mastra_message_form(made, message);
    put_message(c, made, given_id(message));
    return 1;
}

/* Results alone: what they belong to may have come before. */
static void add_results(convert_t *c, const mastra_json_t *message,
                        apr_time_t at)
{
    mastra_json_t *parts = mastra_json_array();

    add_parts(c, parts, mastra_json_get(message, "content"), at / 1000);
    if (mastra_json_size(parts)) {
        mastra_json_t *made = mastra_message_make(message, "assistant", parts,
                                                  at, c->pool);

        mastra_message_form(made, message);
        put_message(c, made, given_id(message));
        return;
    }
    mastra_json_unref(parts);
}

static void add_system(convert_t *c, const mastra_json_t *message)
{
    mastra_json_t *made = mastra_json_pack("{s:s, s:o}", "role", "system",
                                           "content",
                                           mastra_message_text(message));
    mastra_json_t *provider = mastra_part_provider(message);

    if (provider) {
        mastra_json_set(made, "providerOptions", mastra_json_ref(provider));
    }
    mastra_json_append(c->messages, made);
}

static int add_object(convert_t *c, const mastra_json_t *message,
                      const char *where, apr_time_t at)
{
    const mastra_json_t *given = mastra_json_get(message, "role");
    const char *role = mastra_json_str(given);

    if (!role) {
        return bad(c, below(c, where, "role"), "Invalid input: expected string, "
                   "received %s", type_name(given));
    }
    if (!strcmp(role, "tool")
        && mastra_json_is_array(mastra_json_get(message, "content"))) {
        add_results(c, message, at);
        return 1;
    }
    if (!strcmp(role, "system")) {
        add_system(c, message);
        return 1;
    }
    if (!mastra_message_is_role(role) && strcmp(role, "tool")) {
        return bad(c, below(c, where, "role"), "Unsupported role: %s", role);
    }
    return add_content(c, message, strcmp(role, "tool") ? role : "assistant",
                       where, at);
}

static int add_any(convert_t *c, const mastra_json_t *input, const char *where)
{
    /* one after the other, also in the order in which they are stored */
    apr_time_t at = c->now
                    + (apr_time_t)mastra_json_size(c->messages) * 1000;
    apr_size_t i;

    if (mastra_json_is_array(input)) {
        for (i = 0; i < mastra_json_size(input); i++) {
            if (!add_any(c, mastra_json_at(input, i),
                         apr_psprintf(c->pool, "%s.%" APR_SIZE_T_FMT, where,
                                      i))) {
                return 0;
            }
        }
        return 1;
    }
    if (mastra_json_is_string(input)) {
        put_message(c, mastra_message_make(NULL, "user",
                               mastra_json_pack("[o]", mastra_part_text(
                                   mastra_json_str(input),
                                   mastra_json_len(input), at / 1000)),
                               at, c->pool), NULL);
        return 1;
    }
    if (!mastra_json_is_object(input)) {
        return bad(c, where, "Invalid input: expected a message, received %s",
                   type_name(input));
    }
    return add_object(c, input, where, at);
}

/* A call that is told of twice is told of once: where it was first, with the
 * result if one of them has it. 0: the part goes. */
static int keep_part(apr_hash_t *seen, const mastra_json_t *part)
{
    mastra_json_t *inner = mastra_json_get(part, "toolInvocation"), *first;
    const char *id = mastra_json_get_str(inner, "toolCallId");

    if (!id) {
        return 1;
    }
    first = apr_hash_get(seen, id, APR_HASH_KEY_STRING);
    if (!first) {
        apr_hash_set(seen, id, APR_HASH_KEY_STRING, inner);
        return 1;
    }
    if (!mastra_json_get(first, "result") && mastra_json_get(inner, "result")) {
        mastra_json_merge(first, inner);
    }
    return 0;
}

static void drop_repeated(convert_t *c)
{
    apr_hash_t *seen = apr_hash_make(c->pool);
    apr_size_t i, j;

    for (i = 0; i < mastra_json_size(c->messages); i++) {
        mastra_json_t *content = mastra_json_get(mastra_json_at(c->messages, i),
                                                 "content");
        const mastra_json_t *parts = mastra_json_get(content, "parts");
        mastra_json_t *kept = mastra_json_array();

        for (j = 0; j < mastra_json_size(parts); j++) {
            if (keep_part(seen, mastra_json_at(parts, j))) {
                mastra_json_append(kept,
                                   mastra_json_ref(mastra_json_at(parts, j)));
            }
        }
        if (mastra_json_size(kept) < mastra_json_size(parts)) {
            mastra_json_set(content, "parts", mastra_json_ref(kept));
        }
        mastra_json_unref(kept);
    }
}

mastra_json_t *mastra_message_normalize(const mastra_json_t *input,
                                        const char *field, apr_time_t now,
                                        mastra_result_t **perror,
                                        apr_pool_t *pool)
{
    convert_t c;
    apr_size_t i;

    init(&c, now, pool);
    if (!add_any(&c, input, field)) {
        *perror = c.error;
        mastra_json_unref(c.messages);
        return NULL;
    }
    if (apr_hash_count(c.calls)) {
        drop_repeated(&c);
    }
    for (i = 0; i < mastra_json_size(c.messages); i++) {
        mastra_message_list_calls(mastra_json_at(c.messages, i));
    }
    return c.messages;
}
