/* Reads what the upstream needs of a chat completion request. It walks over the
 * text and builds nothing; malformed text ends the walk early. */

#include "chat.h"

const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    return p;
}

/* The end of the string whose opening quote is at p, past the quote. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '\\') {
            p++;
        }
        else if (*p == '"') {
            return p + 1;
        }
    }
    return NULL;
}

static const char *skip_value(const char *p, const char *end)
{
    int depth = 0;

    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            if (!p) {
                return NULL;
            }
        }
        else if (*p == '{' || *p == '[') {
            depth++;
            p++;
            continue;
        }
        else if (*p == '}' || *p == ']') {
            if (depth == 0) {
                return p;
            }
            depth--;
            p++;
        }
        else if (depth == 0 && *p == ',') {
            return p;
        }
        else {
            p++;
            continue;
        }
        if (depth == 0) {
            return p;
        }
    }
    return depth ? NULL : p;
}

/* Moves *pp over the next value, with its key inside an object; the walk
 * begins on the opening bracket. 0 at the end. */
static int next_value(const char **pp, const char *end, slice_t *key,
                      slice_t *value)
{
    const char *p = skip_space(*pp, end), *q;

    if (p >= end || (*p != '{' && *p != '[' && *p != ',')) {
        return 0;
    }
    p = skip_space(p + 1, end);
    if (key) {
        if (p >= end || *p != '"' || !(q = skip_string(p, end))) {
            return 0;
        }
        key->p = p + 1;
        key->len = (size_t)(q - p) - 2;
        p = skip_space(q, end);
        if (p >= end || *p != ':') {
            return 0;
        }
        p = skip_space(p + 1, end);
    }
    q = skip_value(p, end);
    if (!q || q == p) {
        return 0;
    }
    value->p = p;
    value->len = (size_t)(q - p);
    while (value->len && strchr(" \r\n\t", p[value->len - 1])) {
        value->len--;
    }
    *pp = q;
    return 1;
}

static int is(slice_t s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static slice_t unquoted(slice_t s)
{
    if (s.len >= 2 && *s.p == '"') {
        s.p++;
        s.len -= 2;
    }
    return s;
}

/* The member of an object, or an empty slice. */
static slice_t member(slice_t object, const char *name)
{
    const char *p = object.p, *end = object.p + object.len;
    slice_t key, value;

    if (object.len && *object.p == '{') {
        while (next_value(&p, end, &key, &value)) {
            if (is(key, name)) {
                return value;
            }
        }
    }
    return (slice_t){ NULL, 0 };
}

/* A message's content is a string or an array of parts with a text each. */
static void read_content(slice_t content, buf_t *text)
{
    const char *p = content.p, *end = content.p + content.len;
    slice_t part;

    text->len = 0;
    if (content.len && *content.p == '"') {
        content = unquoted(content);
        buf_put(text, content.p, content.len);
        return;
    }
    if (content.len && *content.p == '[') {
        while (next_value(&p, end, NULL, &part)) {
            part = unquoted(member(part, "text"));
            buf_put(text, part.p, part.len);
        }
    }
}

static void read_messages(slice_t messages, chat_t *chat)
{
    const char *p = messages.p, *end = messages.p + messages.len;
    slice_t message, last = { NULL, 0 };

    while (next_value(&p, end, NULL, &message)) {
        if (is(member(message, "role"), "\"user\"")) {
            last = message;
        }
    }
    read_content(member(last, "content"), &chat->user);
}

int chat_read(const char *body, size_t len, chat_t *chat)
{
    const char *p = skip_space(body, body + len), *end = body + len;
    slice_t key, value;

    if (p >= end || *p != '{') {
        return 0;
    }
    while (next_value(&p, end, &key, &value)) {
        if (is(key, "model")) {
            chat->model = unquoted(value);
        }
        else if (is(key, "stream")) {
            chat->stream = is(value, "true");
        }
        else if (is(key, "stream_options")) {
            chat->usage_chunk = is(member(value, "include_usage"), "true");
        }
        else if (is(key, "messages")) {
            read_messages(value, chat);
        }
    }
    return p < end && *skip_space(p, end - 1) == '}';
}
