/* Templates in instructions: {{name}}, {{a.b.0}}, {{name || 'otherwise'}}. */

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "internal.h"

#define FILLED_LIMIT (4 * 1024 * 1024)

static const char *skip_space(const char *at)
{
    while (apr_isspace(*at)) {
        at++;
    }
    return at;
}

static int is_word(char c)
{
    return apr_isalnum(c) || c == '_';
}

/* The member or element that a name of a path leads to. */
static mastra_json_t *enter(const mastra_json_t *json, const char *name)
{
    const char *digit = name;
    apr_size_t index = 0;

    if (!mastra_json_is_array(json)) {
        return mastra_json_get(json, name);
    }
    while (apr_isdigit(*digit) && index < 1000000) {
        index = index * 10 + (apr_size_t)(*digit++ - '0');
    }
    return *digit ? NULL : mastra_json_at(json, index);
}

/* a.b.c, the first not beginning with a digit: *pvalue is what it leads to.
 * Returns what follows, NULL when it is no path. */
static const char *read_path(mastra_json_t **pvalue, const char *at,
                             mastra_json_t *context, apr_pool_t *pool)
{
    mastra_json_t *value = context;

    if (apr_isdigit(*at)) {
        return NULL;
    }
    for (;;) {
        const char *start = at;

        while (is_word(*at)) {
            at++;
        }
        if (at == start) {
            return NULL;
        }
        value = enter(value, apr_pstrmemdup(pool, start, at - start));
        if (*at != '.') {
            *pvalue = mastra_json_is_null(value) ? NULL : value;
            return at;
        }
        at++;
    }
}

/* || 'text' or || "text": what follows, NULL when it is not that. */
static const char *read_otherwise(const char **ptext, apr_size_t *plen,
                                  const char *at)
{
    const char *end;

    at = skip_space(at + 2);
    if (*at != '\'' && *at != '"') {
        return NULL;
    }
    end = strchr(at + 1, *at);
    if (!end) {
        return NULL;
    }
    *ptext = at + 1;
    *plen = end - at - 1;
    return end + 1;
}

static void put_value(mastra_buf_t *buf, const mastra_json_t *value)
{
    if (mastra_json_is_string(value)) {
        mastra_buf_add(buf, mastra_json_str(value), mastra_json_len(value));
        return;
    }
    mastra_json_write(buf, value);
}

/* One placeholder, at its "{{". Returns what follows, NULL: it stays as it
 * is. */
static const char *fill_one(mastra_buf_t *buf, const char *at,
                            mastra_json_t *context, apr_pool_t *pool)
{
    const char *otherwise = NULL;
    mastra_json_t *value = NULL;
    apr_size_t len = 0;

    at = read_path(&value, skip_space(at + 2), context, pool);
    at = at ? skip_space(at) : NULL;
    if (at && at[0] == '|' && at[1] == '|') {
        at = read_otherwise(&otherwise, &len, at);
        at = at ? skip_space(at) : NULL;
    }
    if (!at || at[0] != '}' || at[1] != '}' || (!value && !otherwise)) {
        return NULL;
    }
    if (value) {
        put_value(buf, value);
    }
    else {
        mastra_buf_add(buf, otherwise, len);
    }
    return at + 2;
}

const char *mastra_template_fill(const char *text, mastra_json_t *context,
                                 apr_pool_t *pool)
{
    const char *open = strstr(text, "{{"), *after;
    mastra_buf_t buf;

    if (!open) {
        return text;
    }
    mastra_buf_init(&buf, FILLED_LIMIT);
    for (; open; open = strstr(text, "{{")) {
        /* of "{{{" the last two open */
        while (open[2] == '{') {
            open++;
        }
        mastra_buf_add(&buf, text, open - text);
        after = fill_one(&buf, open, context, pool);
        if (!after) {
            mastra_buf_add(&buf, open, 2);
            after = open + 2;
        }
        text = after;
    }
    mastra_buf_puts(&buf, text);
    text = apr_pstrmemdup(pool, buf.data ? buf.data : "", buf.len);
    mastra_buf_free(&buf);
    return text;
}
