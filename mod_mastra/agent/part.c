/* Parts of messages: every form that clients send to the one of format 2. */

#include <string.h>
#include <strings.h>

#include <apr_base64.h>
#include <apr_strings.h>

#include "internal.h"

#define MAX_BYTES (16 * 1024 * 1024)     /* of an image given as numbers */

int mastra_part_is(const mastra_json_t *part, const char *type)
{
    const char *have = mastra_json_get_str(part, "type");

    return have && !strcmp(have, type);
}

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

mastra_json_t *mastra_part_text(const char *text, apr_size_t len,
                                apr_int64_t at)
{
    mastra_json_t *part = mastra_json_pack("{s:s}", "type", "text");

    mastra_json_set(part, "text", mastra_json_stringn(text, len));
    mastra_json_set_int(part, "createdAt", at);
    return part;
}

/* What a provider shall be told about a part or message: one form has it as
 * options, the other as metadata. */
mastra_json_t *mastra_part_provider(const mastra_json_t *part)
{
    mastra_json_t *value = mastra_json_get(part, "providerMetadata");

    if (!mastra_json_is_object(value)) {
        value = mastra_json_get(part, "providerOptions");
    }
    return mastra_json_is_object(value) ? value : NULL;
}

static mastra_json_t *with_provider(mastra_json_t *made,
                                    const mastra_json_t *part)
{
    mastra_json_t *provider = mastra_part_provider(part);

    if (made && provider) {
        mastra_json_set(made, "providerMetadata", mastra_json_ref(provider));
    }
    return made;
}

/* ---- files ---- */

/* The first bytes of kinds of images, in base64. */
static const struct {
    const char *start, *mime;
} kinds[] = {
    { "iVBORw0KGgo", "image/png" }, { "/9j/", "image/jpeg" },
    { "R0lGOD", "image/gif" }, { "UklGR", "image/webp" },
    { "Qk", "image/bmp" }, { "PHN2Zy", "image/svg+xml" },
};

static const struct {
    const char *ending, *mime;
} endings[] = {
    { ".png", "image/png" }, { ".gif", "image/gif" },
    { ".webp", "image/webp" }, { ".svg", "image/svg+xml" },
};

static int is_url(const char *data)
{
    return !strncasecmp(data, "http://", 7) || !strncasecmp(data, "https://", 8);
}

static const char *mime_of_url(const char *url)
{
    apr_size_t len = strcspn(url, "?#"), i, n;

    for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        n = strlen(endings[i].ending);
        if (len > n && !strncasecmp(url + len - n, endings[i].ending, n)) {
            return endings[i].mime;
        }
    }
    return "image/jpeg";
}

static const char *mime_of_data(const char *data)
{
    apr_size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!strncmp(data, kinds[i].start, strlen(kinds[i].start))) {
            return kinds[i].mime;
        }
    }
    return "image/jpeg";
}

/* "image/png" of "data:image/png;base64,…"; NULL: it names none. */
static const char *mime_in_url(const char *data, apr_pool_t *pool)
{
    apr_size_t len;

    if (strncasecmp(data, "data:", 5)) {
        return NULL;
    }
    len = strcspn(data + 5, ";,");
    return len && len < 128 ? apr_pstrmemdup(pool, data + 5, len) : NULL;
}

static const char *mime_of(const mastra_json_t *part, const char *data,
                           apr_pool_t *pool)
{
    const char *mime = mastra_part_str(part, "mediaType", "mimeType",
                                       "contentType");
    const char *within;

    if (mime && !strchr(mime, '*')) {
        return mime;
    }
    within = mime_in_url(data, pool);
    if (within) {
        return within;
    }
    if (!mastra_part_is(part, "image")
        && (!mime || strncmp(mime, "image/", 6))) {
        return "application/octet-stream";
    }
    return is_url(data) ? mime_of_url(data) : mime_of_data(data);
}

/* Bytes as JavaScript's JSON shows them: [1,2], {"0":1,"1":2} or {type:
 * "Buffer", data:[1,2]}. NULL: no such thing. */
static const char *bytes_of(const mastra_json_t *value, apr_pool_t *pool)
{
    const mastra_json_t *list = mastra_part_is(value, "Buffer")
                                    ? mastra_json_get(value, "data") : value;
    apr_size_t n = mastra_json_size(list), i;
    unsigned char *bytes;
    char *text;
    void *at = mastra_json_iter(list);

    if (!n || n > MAX_BYTES) {
        return NULL;
    }
    bytes = apr_palloc(pool, n);
    for (i = 0; i < n; i++) {
        const mastra_json_t *one = mastra_json_is_array(list)
                                       ? mastra_json_at(list, i)
                                       : mastra_json_value(at);

        if (!mastra_json_is_integer(one) || mastra_json_int(one) < 0
            || mastra_json_int(one) > 255) {
            return NULL;
        }
        bytes[i] = (unsigned char)mastra_json_int(one);
        at = at ? mastra_json_next(list, at) : NULL;
    }
    text = apr_palloc(pool, apr_base64_encode_len((int)n));
    apr_base64_encode_binary(text, bytes, (int)n);
    return text;
}

mastra_json_t *mastra_part_file(const mastra_json_t *part, apr_pool_t *pool)
{
    const char *data = mastra_part_str(part, "data", "image", "url");
    mastra_json_t *file;

    if (!data) {
        data = bytes_of(mastra_json_get(part, "image"), pool);
    }
    if (!data) {
        data = bytes_of(mastra_json_get(part, "data"), pool);
    }
    if (!data || !*data) {
        return NULL;
    }
    file = mastra_json_pack("{s:s, s:s, s:s}", "type", "file", "mimeType",
                            mime_of(part, data, pool), "data", data);
    mastra_json_set_str(file, "filename",
                        mastra_part_str(part, "filename", "name", NULL));
    return file;
}

/* ---- calls of tools ---- */

mastra_json_t *mastra_part_invocation(const char *state, const char *id,
                                      const char *name, mastra_json_t *args)
{
    mastra_json_t *inner = mastra_json_pack("{s:s, s:s, s:s}", "state", state,
                                            "toolCallId", id, "toolName", name);

    mastra_json_set(inner, "args",
                    args ? mastra_json_ref(args) : mastra_json_object());
    return mastra_json_pack("{s:s, s:o}", "type", "tool-invocation",
                            "toolInvocation", inner);
}

/* "input" is the newer name of "args". */
static mastra_json_t *args_of(const mastra_json_t *part)
{
    mastra_json_t *args = mastra_json_get(part, "input");

    return args ? args : mastra_json_get(part, "args");
}

static mastra_json_t *call_part(const mastra_json_t *part)
{
    const char *id = mastra_json_get_str(part, "toolCallId");
    const char *name = mastra_json_get_str(part, "toolName");

    return id && name ? mastra_part_invocation("call", id, name, args_of(part)) : NULL;
}

mastra_json_t *mastra_part_of_result(const mastra_json_t *result,
                                     apr_int64_t at)
{
    mastra_json_t *part = call_part(result);

    if (part) {
        mastra_json_set_int(part, "createdAt", at);
    }
    return part;
}

void mastra_part_set_result(mastra_json_t *part, const mastra_json_t *result)
{
    mastra_json_t *inner = mastra_json_get(part, "toolInvocation");
    mastra_json_t *value = mastra_json_get(result, "output");

    if (mastra_json_get(value, "value") && mastra_json_get(value, "type")) {
        value = mastra_json_get(value, "value");
    }
    if (!value) {
        value = mastra_json_get(result, "result");
    }
    mastra_json_set_str(inner, "state", "result");
    mastra_json_set(inner, "result",
                    value ? mastra_json_ref(value) : mastra_json_null());
    with_provider(part, result);
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
    made = mastra_part_invocation(output ? "result" : "call", id, name,
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
    else if (state && !strcmp(state, "output-denied")) {
        mastra_json_set_str(inner, "state", "output-denied");
        mastra_json_set(inner, "approval",
                        mastra_json_ref(mastra_json_get(part, "approval")));
    }
    return made;
}

/* {type:"tool-invocation", toolInvocation:{…}}; a call of which only half has
 * come is none. */
static mastra_json_t *invocation_part(const mastra_json_t *part)
{
    const mastra_json_t *inner = mastra_json_get(part, "toolInvocation");
    const char *state = mastra_json_get_str(inner, "state");

    if (!mastra_json_get_str(inner, "toolCallId")
        || !mastra_json_get_str(inner, "toolName")
        || (state && !strcmp(state, "partial-call"))) {
        return NULL;
    }
    return mastra_json_copy(part);
}

/* ---- reasoning ---- */

static mastra_json_t *reasoning_part(const mastra_json_t *part)
{
    const char *text = mastra_json_get_str(part, "text");
    const char *hidden = mastra_json_get_str(part, "data");
    mastra_json_t *detail;

    if (mastra_part_is(part, "redacted-reasoning")) {
        detail = hidden ? mastra_json_pack("{s:s, s:s}", "type", "redacted",
                                           "data", hidden) : NULL;
    }
    else if (text) {
        detail = mastra_json_pack("{s:s, s:s}", "type", "text", "text", text);
        mastra_json_set_str(detail, "signature",
                            mastra_json_get_str(part, "signature"));
    }
    else {
        return mastra_json_copy(part);
    }
    return detail ? mastra_json_pack("{s:s, s:s, s:[o]}", "type", "reasoning",
                                     "reasoning", text && !hidden ? text : "",
                                     "details", detail)
                  : NULL;
}

/* ---- any part ---- */

static mastra_json_t *convert_tool(const mastra_json_t *part, const char *type)
{
    if (!strcmp(type, "tool-call")) {
        return call_part(part);
    }
    if (!strcmp(type, "tool-invocation")) {
        return invocation_part(part);
    }
    if (!strcmp(type, "tool-result")) {
        return NULL;
    }
    return ui_tool_part(part, type);
}

static mastra_json_t *convert(const mastra_json_t *part, const char *type,
                              apr_int64_t at, apr_pool_t *pool)
{
    const mastra_json_t *text = mastra_json_get(part, "text");

    if (!strcmp(type, "text")) {
        return mastra_json_is_string(text)
                   ? mastra_part_text(mastra_json_str(text),
                                      mastra_json_len(text), at) : NULL;
    }
    if (!strcmp(type, "image") || !strcmp(type, "file")) {
        return mastra_part_file(part, pool);
    }
    if (!strcmp(type, "reasoning") || !strcmp(type, "redacted-reasoning")) {
        return reasoning_part(part);
    }
    if (!strncmp(type, "tool-", 5) || !strcmp(type, "dynamic-tool")) {
        return convert_tool(part, type);
    }
    return mastra_json_copy(part);
}

mastra_json_t *mastra_part_convert(const mastra_json_t *part, apr_int64_t at,
                                   apr_pool_t *pool)
{
    const char *type = mastra_json_get_str(part, "type");
    mastra_json_t *made = type ? convert(part, type, at, pool) : NULL;

    if (made && at && !mastra_json_get(made, "createdAt")) {
        mastra_json_set_int(made, "createdAt", at);
    }
    return with_provider(made, part);
}
