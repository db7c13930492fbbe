/* What is said about a value that does not fit, in the words of zod. */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

/* names of places longer than this are cut: a key may be megabytes */
#define PATH_MAX_LEN 1024
/* likewise lists of values and of keys */
#define LIST_MAX_LEN 4096

/* --- errors --------------------------------------------------------------- */

static const char *path_of(const place_t *at, apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, 8, sizeof(const char *));
    const char *path = "";
    apr_size_t len = 0;
    int i;

    for (; at; at = at->up) {
        APR_ARRAY_PUSH(parts, const char *)
            = at->key ? at->key
                      : apr_psprintf(pool, "%" APR_SIZE_T_FMT, at->index);
    }
    for (i = 0; i < parts->nelts / 2; i++) {
        const char **a = &APR_ARRAY_IDX(parts, i, const char *);
        const char **b = &APR_ARRAY_IDX(parts, parts->nelts - 1 - i,
                                        const char *);
        const char *swap = *a;

        *a = *b;
        *b = swap;
    }
    path = apr_array_pstrcat(pool, parts, '.');
    len = strlen(path);
    if (len > PATH_MAX_LEN) {
        path = apr_pstrmemdup(pool, path, PATH_MAX_LEN);
        path = apr_pstrmemdup(pool, path,
                              mastra_text_utf8_valid(path, PATH_MAX_LEN));
    }
    return path;
}

int mastra_schema_error(check_t *c, const node_t *node, const char *keyword,
                        const place_t *at, int hard, const char *fmt, ...)
{
    mastra_schema_error_t *error;
    va_list ap;

    /* what was found after the limit may be wrong */
    if (!c->errors || (c->spent && strcmp(keyword, "limit"))) {
        return 0;
    }
    c->hard += hard;
    if (c->errors->nelts == MASTRA_SCHEMA_MAX_ERRORS) {
        c->truncated = 1;
        return 0;
    }
    error = apr_array_push(c->errors);
    error->path = path_of(at, c->pool);
    error->keyword = keyword;
    error->location = node ? apr_pstrcat(c->pool, node->location, "/", keyword,
                                         NULL)
                           : "#/required";
    va_start(ap, fmt);
    error->message = apr_pvsprintf(c->pool, fmt, ap);
    va_end(ap);
    return 0;
}

/* --- types ---------------------------------------------------------------- */

static const char *received(const mastra_json_t *value)
{
    if (!value) {
        return "undefined";
    }
    switch (mastra_json_type(value)) {
    case MASTRA_JSON_OBJECT:
        return "object";
    case MASTRA_JSON_ARRAY:
        return "array";
    case MASTRA_JSON_STRING:
        return "string";
    case MASTRA_JSON_INTEGER:
    case MASTRA_JSON_REAL:
        return mastra_json_is_nan(value) ? "NaN" : "number";
    case MASTRA_JSON_NULL:
        return "null";
    default:
        return "boolean";
    }
}

/* An object of which only the members' names and values are told. */
static int is_record(const node_t *node)
{
    return node->object && node->object->names && node->object->additional
           && !node->object->properties->nelts;
}

static const char *expected(const node_t *node, const mastra_json_t *value)
{
    if (node->never) {
        return "never";
    }
    switch (node->types == TYPE_NULL ? TYPE_NULL : node->types & ~TYPE_NULL) {
    case TYPE_OBJECT:
        return is_record(node) ? "record" : "object";
    case TYPE_ARRAY:
        return node->array && node->array->prefix.count ? "tuple" : "array";
    case TYPE_STRING:
        return "string";
    case TYPE_NUMBER:
    case TYPE_NUMBER | TYPE_INTEGER:
        return "number";
    case TYPE_INTEGER:
        return mastra_json_is_number(value) && !mastra_json_is_nan(value)
               ? "int" : "number";
    case TYPE_BOOLEAN:
        return "boolean";
    case TYPE_NULL:
        return "null";
    default:
        return NULL;
    }
}

int mastra_schema_error_type(check_t *c, const node_t *node,
                             const mastra_json_t *value, const place_t *at)
{
    const char *type;

    if (!c->errors) {
        return 0;
    }
    type = expected(node, value);
    if (!type) {
        return mastra_schema_error(c, node, "type", at, 1, "Invalid input");
    }
    return mastra_schema_error(c, node, node->never ? "false" : "type", at, 1,
                               "Invalid input: expected %s, received %s",
                               type, received(value));
}

/* --- constants ------------------------------------------------------------ */

static const char *primitive(const mastra_json_t *value, apr_pool_t *pool)
{
    return mastra_json_is_string(value)
           ? apr_pstrcat(pool, "\"", mastra_json_str(value), "\"", NULL)
           : mastra_json_text(value, pool);
}

/* Joined, and cut when there is too much of it. */
static const char *joined(const apr_array_header_t *parts, const char *between,
                          apr_pool_t *pool)
{
    const char *part, *text = "";
    mastra_buf_t buf;
    int i;

    mastra_buf_init(&buf, LIST_MAX_LEN);
    for (i = 0; i < parts->nelts; i++) {
        part = APR_ARRAY_IDX(parts, i, const char *);
        if ((i && mastra_buf_puts(&buf, between) != APR_SUCCESS)
            || mastra_buf_puts(&buf, part) != APR_SUCCESS) {
            break;
        }
    }
    if (buf.len) {
        text = apr_pstrcat(pool, buf.data, i < parts->nelts ? "…" : "",
                           NULL);
    }
    mastra_buf_free(&buf);
    return text;
}

int mastra_schema_error_values(check_t *c, const node_t *node,
                               const place_t *at)
{
    apr_array_header_t *parts;
    apr_size_t i, n = mastra_json_size(node->values);

    if (!c->errors) {
        return 0;
    }
    if (node->value || n == 1) {
        return mastra_schema_error(c, node, node->value ? "const" : "enum", at,
                                   1, "Invalid input: expected %s",
                                   primitive(node->value ? node->value
                                             : mastra_json_at(node->values, 0),
                                             c->pool));
    }
    parts = apr_array_make(c->pool, (int)n, sizeof(const char *));
    for (i = 0; i < n; i++) {
        APR_ARRAY_PUSH(parts, const char *)
            = primitive(mastra_json_at(node->values, i), c->pool);
    }
    return mastra_schema_error(c, node, "enum", at, 1,
                               "Invalid option: expected one of %s",
                               joined(parts, "|", c->pool));
}

int mastra_schema_error_keys(check_t *c, const node_t *node,
                             const char *keyword, const place_t *at,
                             const apr_array_header_t *keys)
{
    apr_array_header_t *parts = apr_array_make(c->pool, keys->nelts,
                                               sizeof(const char *));
    int i;

    for (i = 0; i < keys->nelts; i++) {
        APR_ARRAY_PUSH(parts, const char *)
            = apr_pstrcat(c->pool, "\"", APR_ARRAY_IDX(keys, i, const char *),
                          "\"", NULL);
    }
    return mastra_schema_error(c, node, keyword, at, 0,
                               "Unrecognized key%s: %s",
                               keys->nelts > 1 ? "s" : "",
                               joined(parts, ", ", c->pool));
}

/* --- limits --------------------------------------------------------------- */

/* What zod calls a format that it prints as a pattern. */
static const char *format_name(const char *format)
{
    static const struct { const char *format, *name; } names[] = {
        { "email", "email address" }, { "uri", "URL" }, { "url", "URL" },
        { "uuid", "UUID" }, { "guid", "GUID" }, { "date-time", "ISO datetime" },
        { "date", "ISO date" }, { "time", "ISO time" },
        { "duration", "ISO duration" }, { "ipv4", "IPv4 address" },
        { "ipv6", "IPv6 address" }, { "mac", "MAC address" },
        { "cidrv4", "IPv4 range" }, { "cidrv6", "IPv6 range" },
        { "base64", "base64-encoded string" },
        { "base64url", "base64url-encoded string" }, { "jwt", "JWT" },
        { "e164", "E.164 number" }, { "emoji", "emoji" },
        { "nanoid", "nanoid" }, { "cuid", "cuid" }, { "cuid2", "cuid2" },
        { "ulid", "ULID" }, { "xid", "XID" }, { "ksuid", "KSUID" }
    };
    apr_size_t i;

    for (i = 0; format && i < sizeof(names) / sizeof(*names); i++) {
        if (!strcmp(format, names[i].format)) {
            return names[i].name;
        }
    }
    return NULL;
}

int mastra_schema_error_pattern(check_t *c, const node_t *node,
                                const place_t *at)
{
    const char *name = format_name(node->format);

    if (name) {
        return mastra_schema_error(c, node, "pattern", at, 0, "Invalid %s",
                                   name);
    }
    return mastra_schema_error(c, node, "pattern", at, 0,
                               "Invalid string: must match pattern /%s/",
                               node->string->pattern->text);
}

int mastra_schema_error_size(check_t *c, const node_t *node,
                             const char *keyword, const place_t *at,
                             const char *what, const char *unit,
                             apr_int64_t limit, int exact)
{
    int small = keyword[1] == 'i';       /* min…, max… */

    return mastra_schema_error(c, node, keyword, at, 0,
                               "Too %s: expected %s to have %s%" APR_INT64_T_FMT
                               " %s", small ? "small" : "big", what,
                               exact ? "exactly " : small ? ">=" : "<=", limit,
                               unit);
}

int mastra_schema_error_number(check_t *c, const node_t *node,
                               const char *keyword, const place_t *at,
                               const mastra_json_t *limit)
{
    static const struct { const char *keyword, *size, *sign; } words[] = {
        { "minimum", "small", ">=" }, { "exclusiveMinimum", "small", ">" },
        { "maximum", "big", "<=" }, { "exclusiveMaximum", "big", "<" }
    };
    const apr_int64_t safe = (APR_INT64_C(1) << 53) - 1;
    apr_size_t i;
    int whole;

    if (!c->errors) {
        return 0;
    }
    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (!strcmp(keyword, words[i].keyword)) {
            /* zod prints its own limits of integers like any others */
            whole = node->types == TYPE_INTEGER
                    && mastra_json_is_integer(limit)
                    && llabs((long long)mastra_json_int(limit)) == safe;
            return mastra_schema_error(c, node, keyword, at, 0,
                                       "Too %s: expected %s to be %s%s",
                                       words[i].size, whole ? "int" : "number",
                                       words[i].sign,
                                       mastra_json_text(limit, c->pool));
        }
    }
    return mastra_schema_error(c, node, keyword, at, 0,
                               "Invalid number: must be a multiple of %s",
                               mastra_json_text(limit, c->pool));
}

/* --- unions --------------------------------------------------------------- */

static int is_null_only(const node_t *node)
{
    return node->types == TYPE_NULL && !node->logic;
}

/* X or null: what is wrong is wrong with X. */
static const node_t *nullable(const node_list_t *list)
{
    if (list->count != 2) {
        return NULL;
    }
    if (is_null_only(list->nodes[1])) {
        return list->nodes[0];
    }
    return is_null_only(list->nodes[0]) ? list->nodes[1] : NULL;
}

/* The one branch that fits but for a limit; NULL when none or several do. */
static const node_t *near_miss(check_t *c, const node_list_t *list,
                               const mastra_json_t *value, const place_t *at)
{
    int i, count = c->errors->nelts, hard = c->hard, cut = c->truncated;
    const node_t *found = NULL;
    int several = 0;

    for (i = 0; i < list->count && !c->spent; i++) {
        c->hard = 0;
        mastra_schema_check(c, list->nodes[i], value, at, NULL);
        if (!c->hard && c->errors->nelts > count) {
            several |= found != NULL;
            found = list->nodes[i];
        }
        c->errors->nelts = count;
    }
    c->hard = hard;
    c->truncated = cut;
    return several ? NULL : found;
}

static int explain_list(check_t *c, const node_t *node, const char *keyword,
                        const node_list_t *list, const mastra_json_t *value,
                        const place_t *at)
{
    const node_t *branch = nullable(list);

    if (!branch) {
        branch = near_miss(c, list, value, at);
    }
    if (branch) {
        return mastra_schema_check(c, branch, value, at, NULL);
    }
    return mastra_schema_error(c, node, keyword, at, 1, "Invalid input");
}

int mastra_schema_error_union(check_t *c, const node_t *node,
                              const mastra_json_t *value, const place_t *at)
{
    return c->errors ? explain_list(c, node, "anyOf", &node->logic->any, value,
                                    at) : 0;
}

int mastra_schema_error_one(check_t *c, const node_t *node,
                            const mastra_json_t *value, const place_t *at,
                            int matches)
{
    const node_list_t *list = &node->logic->one;
    const char *tag = node->logic->tag;
    place_t place = { at, tag, 0 };
    const node_t *branch;

    if (!c->errors) {
        return 0;
    }
    if (matches) {
        return mastra_schema_error(c, node, "oneOf", at, 1, "Invalid input: "
                                   "more than one option matched");
    }
    if (!tag) {
        return explain_list(c, node, "oneOf", list, value, at);
    }
    if (!mastra_json_is_object(value)) {
        return mastra_schema_error(c, node, "oneOf", at, 1, "Invalid input: "
                                   "expected object, received %s",
                                   received(value));
    }
    branch = mastra_schema_branch(list, tag, value);
    if (branch) {
        return mastra_schema_check(c, branch, value, at, NULL);
    }
    return mastra_schema_error(c, node, "oneOf", &place, 1, "Invalid "
                               "discriminator value. Expected %s",
                               mastra_schema_tags(list, tag, c->pool));
}

/* --- what is not there ---------------------------------------------------- */

static int missing(check_t *c, const node_t *node, const place_t *at,
                   int depth);

/* 1 when some part of the logic had something to say. */
static int missing_logic(check_t *c, const node_t *node, const place_t *at,
                         int depth)
{
    const logic_rules_t *logic = node->logic;
    const node_list_t *any = logic->any.count ? &logic->any : &logic->one;
    const node_t *inner = any->count ? nullable(any) : NULL;
    int i;

    if (inner) {
        return missing(c, inner, at, depth);
    }
    if (any->count && !logic->tag) {
        mastra_schema_error(c, node, logic->any.count ? "anyOf" : "oneOf", at,
                            1, "Invalid input");
        return 1;
    }
    if (any->count) {
        mastra_schema_error(c, node, "oneOf", at, 1, "Invalid input: expected "
                            "object, received undefined");
        return 1;
    }
    for (i = 0; i < logic->all.count; i++) {
        missing(c, logic->all.nodes[i], at, depth);
    }
    return logic->all.count > 0;
}

static int missing(check_t *c, const node_t *node, const place_t *at,
                   int depth)
{
    if (c->truncated) {
        return 1;
    }
    if (depth > 0) {
        if (node->values || node->value) {
            mastra_schema_error_values(c, node, at);
            return 1;
        }
        if (node->types || node->never) {
            mastra_schema_error_type(c, node, NULL, at);
            return 1;
        }
        if (node->ref) {
            return missing(c, node->ref, at, depth - 1);
        }
        if (node->logic && missing_logic(c, node, at, depth - 1)) {
            return 1;
        }
    }
    mastra_schema_error(c, node, "required", at, 1, "Invalid input: expected "
                        "nonoptional, received undefined");
    return 1;
}

int mastra_schema_error_missing(check_t *c, const node_t *node,
                                const place_t *at)
{
    if (!c->errors) {
        return 0;
    }
    if (node) {
        missing(c, node, at, 16);
        return 0;
    }
    return mastra_schema_error(c, NULL, "required", at, 1, "Invalid input: "
                               "expected nonoptional, received undefined");
}

mastra_json_t *mastra_schema_issues(const mastra_schema_errors_t *errors)
{
    mastra_json_t *issues = mastra_json_array(), *issue;
    int i;

    for (i = 0; i < errors->count; i++) {
        const mastra_schema_error_t *error = &errors->errors[i];

        issue = mastra_json_object();
        mastra_json_set_str(issue, "field", *error->path ? error->path
                                                         : "root");
        mastra_json_set_str(issue, "message", error->message);
        mastra_json_append(issues, issue);
    }
    return issues;
}
