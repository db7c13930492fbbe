/* What of messages is stored: not the traces of working memory. */

#include <string.h>

#include "memory.h"

#define OPEN "<working_memory>"
#define CLOSE "</working_memory>"
#define TEXT_LIMIT (64 * 1024 * 1024)

/* text without what stands between the marks; NULL: it has none. */
static mastra_json_t *unmarked(const mastra_json_t *text)
{
    const char *at = mastra_json_str(text), *open, *close;
    mastra_json_t *made;
    mastra_buf_t buf;

    open = at ? strstr(at, OPEN) : NULL;
    if (!open || !strstr(open, CLOSE)) {
        return NULL;
    }
    mastra_buf_init(&buf, TEXT_LIMIT);
    while (open && (close = strstr(open, CLOSE))) {
        mastra_buf_add(&buf, at, open - at);
        at = close + strlen(CLOSE);
        open = strstr(at, OPEN);
    }
    mastra_buf_puts(&buf, at);
    made = mastra_json_stringn(buf.data, buf.len);
    mastra_buf_free(&buf);
    return made;
}

static int is_update(const mastra_json_t *invocation)
{
    const char *name = mastra_json_get_str(invocation, "toolName");

    return name && !strcmp(name, MASTRA_WORKING_TOOL);
}

/* The part as it is kept, a new reference; NULL: it is not. */
static mastra_json_t *kept_part(mastra_json_t *part)
{
    mastra_json_t *text, *made;

    if (is_update(mastra_json_get(part, "toolInvocation"))) {
        return NULL;
    }
    text = unmarked(mastra_json_get(part, "text"));
    if (!text) {
        return mastra_json_ref(part);
    }
    made = mastra_json_copy_flat(part);
    mastra_json_set(made, "text", text);
    return made;
}

static mastra_json_t *kept_parts(const mastra_json_t *parts, int *pchanged)
{
    mastra_json_t *made = mastra_json_array(), *part;
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        part = kept_part(mastra_json_at(parts, i));
        *pchanged |= part != mastra_json_at(parts, i);
        if (part) {
            mastra_json_append(made, part);
        }
    }
    return made;
}

static mastra_json_t *kept_calls(const mastra_json_t *calls)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(calls); i++) {
        if (!is_update(mastra_json_at(calls, i))) {
            mastra_json_append(made, mastra_json_ref(mastra_json_at(calls,
                                                                    i)));
        }
    }
    return made;
}

static mastra_json_t *kept_content(const mastra_json_t *content,
                                   mastra_json_t *parts)
{
    mastra_json_t *made = mastra_json_copy_flat(content);
    mastra_json_t *text = unmarked(mastra_json_get(content, "content"));
    const mastra_json_t *calls = mastra_json_get(content, "toolInvocations");

    mastra_json_set(made, "parts", parts);
    mastra_json_set(made, "content", text);
    if (calls) {
        mastra_json_set(made, "toolInvocations", kept_calls(calls));
    }
    return made;
}

/* The message as it is kept, a new reference; NULL: nothing is left of it. */
static mastra_json_t *kept_message(mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    const mastra_json_t *given = mastra_json_get(content, "parts");
    mastra_json_t *parts, *made;
    int changed = 0;

    if (!mastra_json_is_array(given)) {
        return mastra_json_ref(message);
    }
    parts = kept_parts(given, &changed);
    if (!changed) {
        mastra_json_unref(parts);
        return mastra_json_ref(message);
    }
    if (!mastra_json_size(parts)) {
        mastra_json_unref(parts);
        return NULL;
    }
    made = mastra_json_copy_flat(message);
    mastra_json_set(made, "content", kept_content(content, parts));
    return made;
}

mastra_json_t *mastra_memory_kept(const mastra_json_t *messages)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_append(made, kept_message(mastra_json_at(messages, i)));
    }
    return made;
}
