/* Mappings: a step's output made of values, paths and templates. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

/* bytes that the templates of a mapping may become in all */
#define MAX_TEXT (4 * 1024 * 1024)

/* ---- templates ---- */

typedef struct {
    const char *text;                /* the whole template */
    const char *at;                  /* behind the last placeholder */
    const char *start;               /* "${" of this one */
    const char *expr;                /* what stands in it */
    const char *scope, *rest;
    int number;
} placeholder_t;

/* The next "${…}": 0: none follows. */
static int next(placeholder_t *p, apr_pool_t *pool)
{
    const char *start = strstr(p->at, "${"), *end, *dot;

    end = start ? strchr(start, '}') : NULL;
    if (!end) {
        return 0;
    }
    p->start = start;
    p->expr = apr_pstrmemdup(pool, start + 2, end - start - 2);
    dot = strchr(p->expr, '.');
    p->scope = dot ? apr_pstrmemdup(pool, p->expr, dot - p->expr) : p->expr;
    p->rest = dot ? dot + 1 : "";
    p->at = end + 1;
    p->number++;
    return 1;
}

static const char *named(const placeholder_t *p, apr_pool_t *pool)
{
    return apr_psprintf(pool, "Template placeholder #%d (${%s}) in '%s'",
                        p->number, p->expr, p->text);
}

static int is_known(const char *scope)
{
    return !strcmp(scope, "inputData") || !strcmp(scope, "initData")
           || !strcmp(scope, "state") || !strcmp(scope, "requestContext")
           || !strcmp(scope, "stepResults");
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *check_one(const placeholder_t *p, apr_pool_t *pool)
{
    apr_size_t len = strlen(p->expr);

    if (!len || is_blank(*p->expr) || is_blank(p->expr[len - 1])) {
        return apr_pstrcat(pool, named(p, pool), " has empty or "
                           "whitespace-padded contents. Use "
                           "${<scope>.<path>} with no surrounding "
                           "whitespace.", NULL);
    }
    if (!is_known(p->scope)) {
        return apr_pstrcat(pool, named(p, pool), " references unknown "
                           "namespace \"", p->scope, "\". Use one of: "
                           "inputData, initData, state, requestContext, "
                           "stepResults.", NULL);
    }
    if (!strcmp(p->scope, "stepResults") && (!*p->rest || *p->rest == '.')) {
        return apr_pstrcat(pool, named(p, pool), " must be of the form "
                           "${stepResults.<stepId>} or "
                           "${stepResults.<stepId>.<path>}.", NULL);
    }
    if (!strcmp(p->scope, "requestContext") && !*p->rest) {
        return apr_pstrcat(pool, named(p, pool), " requires a request-context "
                           "key — use ${requestContext.<key>}.", NULL);
    }
    return NULL;
}

const char *mastra_template_check(const char *text, apr_pool_t *pool)
{
    placeholder_t p = { .text = text, .at = text };
    const char *why = NULL;

    while (!why && next(&p, pool)) {
        why = check_one(&p, pool);
    }
    return why;
}

static const char *step_of(const placeholder_t *p, const char **ppath,
                           apr_pool_t *pool)
{
    const char *dot = strchr(p->rest, '.');

    *ppath = dot ? dot + 1 : "";
    return dot ? apr_pstrmemdup(pool, p->rest, dot - p->rest) : p->rest;
}

void mastra_template_steps(const char *text,
                           void (*cb)(void *baton, const char *id),
                           void *baton, apr_pool_t *pool)
{
    placeholder_t p = { .text = text, .at = text };
    const char *path;

    while (next(&p, pool)) {
        if (!strcmp(p.scope, "stepResults")) {
            cb(baton, step_of(&p, &path, pool));
        }
    }
}

/* A member that is not there is nothing; a path through what has no members is
 * a fault. */
static const mastra_json_t *walk(const mastra_json_t *root, const char *path,
                                 const char *where, const char **pwhy,
                                 apr_pool_t *pool)
{
    const mastra_json_t *value = root;
    const char *at = strcmp(path, ".") ? path : "";

    while (*at) {
        apr_size_t len = strcspn(at, ".");
        int found;

        if (!mastra_json_is_object(value) && !mastra_json_is_array(value)) {
            *pwhy = apr_psprintf(pool, "Invalid path %s in %s", path, where);
            return NULL;
        }
        value = mastra_path_walk(value, apr_pstrmemdup(pool, at, len), &found);
        at += len + (at[len] == '.');
    }
    return value;
}

static const mastra_json_t *resolve(const placeholder_t *p,
                                    const mastra_sight_t *sight,
                                    const char **pwhy, apr_pool_t *pool)
{
    const char *where = named(p, pool), *path, *id;
    const mastra_json_t *output;

    if (!strcmp(p->scope, "inputData")) {
        return walk(sight->input, p->rest, where, pwhy, pool);
    }
    if (!strcmp(p->scope, "initData")) {
        return walk(sight->init, p->rest, where, pwhy, pool);
    }
    if (!strcmp(p->scope, "state")) {
        return walk(sight->state, p->rest, where, pwhy, pool);
    }
    if (!strcmp(p->scope, "requestContext")) {
        return mastra_json_get(sight->context, p->rest);
    }
    id = step_of(p, &path, pool);
    output = mastra_sight_output(sight, id);
    if (!output || mastra_json_is_null(output)) {
        *pwhy = apr_psprintf(pool, "%s references stepResults.%s but step "
                             "\"%s\" has no successful output (not run yet, "
                             "not registered, failed, or produced no output).",
                             where, id, id);
        return NULL;
    }
    return walk(output, path, where, pwhy, pool);
}

static apr_status_t put_value(mastra_buf_t *buf, const mastra_json_t *value)
{
    if (!value || mastra_json_is_null(value)) {
        return APR_SUCCESS;
    }
    return mastra_json_is_string(value)
               ? mastra_buf_add(buf, mastra_json_str(value),
                                mastra_json_len(value))
               : mastra_json_write(buf, value);
}

static mastra_json_t *fill(const char *text, const mastra_sight_t *sight,
                           apr_size_t *pleft, const char **pwhy,
                           apr_pool_t *pool)
{
    placeholder_t p = { .text = text, .at = text };
    const char *from = text;
    apr_status_t rv = APR_SUCCESS;
    mastra_json_t *made = NULL;
    mastra_buf_t buf;

    mastra_buf_init(&buf, *pleft);
    while (!rv && !*pwhy && next(&p, pool)) {
        const mastra_json_t *value;

        rv = mastra_buf_add(&buf, from, p.start - from);
        value = resolve(&p, sight, pwhy, pool);
        if (!rv) {
            rv = put_value(&buf, value);
        }
        from = p.at;
    }
    if (!rv) {
        rv = mastra_buf_puts(&buf, from);
    }
    if (rv && !*pwhy) {
        *pwhy = "the templates of a mapping became longer than 4 MiB";
    }
    if (!*pwhy) {
        *pleft -= buf.len;
        made = mastra_json_stringn(buf.data ? buf.data : "", buf.len);
    }
    mastra_buf_free(&buf);
    return made;
}

/* ---- descriptors ---- */

/* The step that is named, or the first of a list that has a result. */
static const mastra_json_t *step_output(const mastra_json_t *step,
                                        const mastra_sight_t *sight,
                                        const char **pname, apr_pool_t *pool)
{
    apr_size_t i;

    *pname = mastra_json_str(step);
    if (*pname) {
        return mastra_sight_output(sight, *pname);
    }
    *pname = "";
    for (i = 0; i < mastra_json_size(step); i++) {
        const char *id = mastra_json_str(mastra_json_at(step, i));
        const mastra_json_t *output = id ? mastra_sight_output(sight, id)
                                         : NULL;

        *pname = apr_pstrcat(pool, *pname, i ? "|" : "", id, NULL);
        if (output && !mastra_json_is_null(output)) {
            return output;
        }
    }
    return NULL;
}

static mastra_json_t *run_one(const mastra_json_t *descriptor,
                              const mastra_sight_t *sight, apr_size_t *pleft,
                              const char **pwhy, apr_pool_t *pool)
{
    mastra_json_t *value = mastra_json_get(descriptor, "value");
    const char *text = mastra_json_get_str(descriptor, "template");
    const char *path = mastra_json_get_str(descriptor, "path"), *name;
    const mastra_json_t *root;

    if (value) {
        return mastra_json_ref(value);
    }
    if (text) {
        return fill(text, sight, pleft, pwhy, pool);
    }
    text = mastra_json_get_str(descriptor, "requestContextPath");
    if (text) {
        int found;

        value = mastra_json_get(sight->context, text);
        return mastra_json_ref(value ? value
                                     : mastra_path_walk(sight->context, text,
                                                        &found));
    }
    if (mastra_json_get(descriptor, "initData")) {
        return mastra_json_ref((mastra_json_t *)walk(
            sight->init, path ? path : "", "initData", pwhy, pool));
    }
    root = step_output(mastra_json_get(descriptor, "step"), sight, &name,
                       pool);
    if (!root && (!path || !*path || !strcmp(path, "."))) {
        return mastra_json_null();
    }
    return mastra_json_ref((mastra_json_t *)walk(
        root, path ? path : "", apr_pstrcat(pool, "step ", name, NULL), pwhy,
        pool));
}

mastra_json_t *mastra_mapping_run(const mastra_json_t *map,
                                  const mastra_sight_t *sight,
                                  const char **pwhy, apr_pool_t *pool)
{
    mastra_json_t *made = mastra_json_object();
    apr_size_t left = MAX_TEXT;
    void *at;

    *pwhy = NULL;
    for (at = mastra_json_iter(map); at && !*pwhy;
         at = mastra_json_next(map, at)) {
        mastra_json_set(made, mastra_json_key(at),
                        run_one(mastra_json_value(at), sight, &left, pwhy,
                                pool));
    }
    if (*pwhy) {
        mastra_json_unref(made);
        return NULL;
    }
    return made;
}
