/* The JSON value in what a model said: among other words, within a fence, not
 * yet complete, or with the slips that models make. */

#include <string.h>

#include <apr_lib.h>

#include "internal.h"

#define LIMIT (16 * 1024 * 1024 + 128)
#define DEPTH 64
/* how many braces may turn out to begin no JSON */
#define CANDIDATES 8

/* One value on its way from a text into a buffer. */
typedef struct {
    mastra_buf_t *out;
    char closers[DEPTH];
    int depth;
    int in_string, escaped;
} copy_t;

/* Without the comma that stands before a closing bracket or the end. */
static void drop_comma(mastra_buf_t *out)
{
    apr_size_t len = out->len;

    while (len && apr_isspace(out->data[len - 1])) {
        len--;
    }
    if (len && out->data[len - 1] == ',') {
        out->len = len - 1;
    }
}

/* Line breaks and the like stand in strings as they are. */
static apr_status_t copy_in_string(copy_t *copy, char c)
{
    if (copy->escaped) {
        copy->escaped = 0;
    }
    else if (c == '\\') {
        copy->escaped = 1;
    }
    else if (c == '"') {
        copy->in_string = 0;
    }
    else if ((unsigned char)c < 0x20) {
        return mastra_buf_printf(copy->out, "\\u%04x", c);
    }
    return mastra_buf_add(copy->out, &c, 1);
}

static apr_status_t copy_outside(copy_t *copy, char c)
{
    if (c == '"') {
        copy->in_string = 1;
    }
    else if (c == '{' || c == '[') {
        if (copy->depth == DEPTH) {
            return APR_EINVAL;
        }
        copy->closers[copy->depth++] = c == '{' ? '}' : ']';
    }
    else if (c == '}' || c == ']') {
        drop_comma(copy->out);
        copy->depth--;
    }
    return mastra_buf_add(copy->out, &c, 1);
}

/* Closes what is open where the text ends. */
static apr_status_t close_rest(copy_t *copy)
{
    if (copy->escaped) {
        copy->out->len--;
    }
    if (copy->in_string) {
        mastra_buf_puts(copy->out, "\"");
    }
    else {
        drop_comma(copy->out);
    }
    while (copy->depth) {
        if (mastra_buf_add(copy->out, &copy->closers[--copy->depth], 1)) {
            return APR_ENOSPC;
        }
    }
    return APR_SUCCESS;
}

/* What stands in a string as it is goes in one piece. */
static apr_status_t copy_plain(copy_t *copy, const char **ptext,
                               const char *end)
{
    const char *text = *ptext, *start = text;

    while (text < end && *text != '"' && *text != '\\'
           && (unsigned char)*text >= 0x20) {
        text++;
    }
    *ptext = text;
    return text > start ? mastra_buf_add(copy->out, start, text - start)
                        : APR_SUCCESS;
}

/* Copies the object or array at text; *pcut: the text ended before it did. */
static apr_status_t copy_value(mastra_buf_t *out, const char *text,
                               const char *end, int *pcut)
{
    copy_t copy = { .out = out };
    apr_status_t rv = APR_SUCCESS;

    mastra_buf_reset(out);
    do {
        rv = copy.in_string ? copy_in_string(&copy, *text)
                            : copy_outside(&copy, *text);
        text++;
        if (!rv && copy.in_string && !copy.escaped) {
            rv = copy_plain(&copy, &text, end);
        }
    } while (!rv && text < end && copy.depth);
    *pcut = copy.depth > 0;
    return rv ? rv : close_rest(&copy);
}

static const char *skip_space(const char *text, const char *end)
{
    while (text < end && apr_isspace(*text)) {
        text++;
    }
    return text;
}

/* Braces stand in other text, too: those of an object have a name behind
 * them. */
static int begins_object(const char *text, const char *end)
{
    const char *next = skip_space(text + 1, end);

    return *text == '{' && next < end && (*next == '"' || *next == '}');
}

static const char *next_object(const char *text, const char *end)
{
    while (text < end && (text = memchr(text, '{', end - text))) {
        if (begins_object(text, end)) {
            return text;
        }
        text++;
    }
    return NULL;
}

/* Where the value begins: at once, behind the mark of a fence, or anywhere. */
static const char *first_value(const char *text, const char *end)
{
    text = skip_space(text, end);
    if (end - text > 3 && !strncmp(text, "```", 3)) {
        const char *inside = text + 3;

        while (inside < end && apr_isalnum(*inside)) {
            inside++;
        }
        text = skip_space(inside, end);
    }
    if (text < end && (*text == '{' || *text == '[')) {
        return text;
    }
    return next_object(text, end);
}

/* A text that was cut behind a colon, a name or half a word is tried again
 * from the last point where a value had ended. */
static mastra_json_t *parse_cut(mastra_buf_t *buf, const char *text,
                                const char *end)
{
    mastra_json_t *json = NULL;
    int tries, cut;

    for (tries = 0; tries < 4 && end > text; tries++) {
        if (!copy_value(buf, text, end, &cut)
            && !mastra_json_parse(&json, buf->data, buf->len, DEPTH, NULL)) {
            break;
        }
        do {
            end--;
        } while (end > text && !strchr(",{[", *end));
        end += *end != ',';
    }
    return json;
}

mastra_json_t *mastra_said_json_so_far(const char *text, apr_size_t len)
{
    const char *end = text + len, *start = first_value(text, end);
    mastra_json_t *json = NULL;
    mastra_buf_t buf;

    if (start) {
        mastra_buf_init(&buf, LIMIT);
        json = parse_cut(&buf, start, end);
        mastra_buf_free(&buf);
    }
    return json;
}

mastra_json_t *mastra_said_json(const char *text, apr_size_t len)
{
    const char *end = text + len, *at;
    mastra_json_t *json = NULL;
    mastra_buf_t buf;
    int tries, cut = 0;

    if (!mastra_json_parse(&json, text, len, 0, NULL)) {
        return json;
    }
    mastra_buf_init(&buf, LIMIT);
    at = first_value(text, end);
    for (tries = 0; at && !json && !cut && tries < CANDIDATES; tries++) {
        if (!copy_value(&buf, at, end, &cut)) {
            if (cut) {
                json = parse_cut(&buf, at, end);
            }
            else {
                mastra_json_parse(&json, buf.data, buf.len, 0, NULL);
            }
        }
        at = next_object(at + 1, end);
    }
    mastra_buf_free(&buf);
    return json;
}
