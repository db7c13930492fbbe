/* The walk over schema and instance. */

#include "internal.h"

/* --- types, constants, references ----------------------------------------- */

static unsigned type_of(const mastra_json_t *value)
{
    switch (mastra_json_type(value)) {
    case MASTRA_JSON_OBJECT:
        return TYPE_OBJECT;
    case MASTRA_JSON_ARRAY:
        return TYPE_ARRAY;
    case MASTRA_JSON_STRING:
        return TYPE_STRING;
    case MASTRA_JSON_INTEGER:
        return TYPE_INTEGER | TYPE_NUMBER;
    case MASTRA_JSON_REAL:
        if (mastra_json_is_nan(value)) {
            return 0;
        }
        return mastra_schema_is_whole(value) ? TYPE_INTEGER | TYPE_NUMBER
                                             : TYPE_NUMBER;
    case MASTRA_JSON_NULL:
        return TYPE_NULL;
    default:
        return TYPE_BOOLEAN;
    }
}

static int is_allowed_value(const node_t *node, const mastra_json_t *value)
{
    apr_size_t i, n;

    if (node->value && !mastra_json_equal(node->value, value)) {
        return 0;
    }
    if (!node->values) {
        return 1;
    }
    n = mastra_json_size(node->values);
    for (i = 0; i < n; i++) {
        if (mastra_json_equal(mastra_json_at(node->values, i), value)) {
            return 1;
        }
    }
    return 0;
}

/* The outermost resource that was entered and has the anchor decides. */
static const node_t *dynamic_target(const check_t *c, const node_t *node)
{
    const node_t *found = node->dynamic_ref, *one;
    const scope_t *scope;

    if (!node->dynamic_name) {
        return found;
    }
    for (scope = c->scope; scope; scope = scope->up) {
        one = apr_hash_get(scope->resource->dynamic, node->dynamic_name,
                           APR_HASH_KEY_STRING);
        found = one ? one : found;
    }
    return found;
}

/* --- numbers and strings -------------------------------------------------- */

static int check_number(check_t *c, const node_t *node,
                        const mastra_json_t *value, const place_t *at)
{
    const number_rules_t *rules = node->number;
    int good = 1;

    if (rules->minimum && mastra_schema_compare(value, rules->minimum) < 0) {
        good = mastra_schema_error_number(c, node, "minimum", at,
                                          rules->minimum);
    }
    if (rules->above && mastra_schema_compare(value, rules->above) <= 0) {
        good = mastra_schema_error_number(c, node, "exclusiveMinimum", at,
                                          rules->above);
    }
    if (rules->maximum && mastra_schema_compare(value, rules->maximum) > 0) {
        good = mastra_schema_error_number(c, node, "maximum", at,
                                          rules->maximum);
    }
    if (rules->below && mastra_schema_compare(value, rules->below) >= 0) {
        good = mastra_schema_error_number(c, node, "exclusiveMaximum", at,
                                          rules->below);
    }
    if (rules->multiple && !mastra_schema_multiple(value, rules->multiple)) {
        good = mastra_schema_error_number(c, node, "multipleOf", at,
                                          rules->multiple);
    }
    return good;
}

/* Characters of valid UTF-8; bytes that go on are none. */
static apr_int64_t count_chars(const char *s, apr_size_t len)
{
    apr_int64_t n = 0;

    for (; len--; s++) {
        n += (*s & 0xC0) != 0x80;
    }
    return n;
}

static int check_string(check_t *c, const node_t *node,
                        const mastra_json_t *value, const place_t *at)
{
    const string_rules_t *rules = node->string;
    apr_size_t len = mastra_json_len(value);
    int exact = rules->least == rules->most, good = 1, match;
    apr_int64_t count;

    if (rules->least || rules->most >= 0) {
        count = count_chars(mastra_json_str(value), len);
        if (count < rules->least) {
            good = mastra_schema_error_size(c, node, "minLength", at, "string",
                                            "characters", rules->least, exact);
        }
        if (rules->most >= 0 && count > rules->most) {
            good = mastra_schema_error_size(c, node, "maxLength", at, "string",
                                            "characters", rules->most, exact);
        }
    }
    if (rules->pattern && (good || c->errors)) {
        match = mastra_schema_match(rules->pattern, mastra_json_str(value),
                                    len);
        if (match < 0) {
            return mastra_schema_error(c, node, "limit", at, 1,
                                       "The pattern takes too long to match");
        }
        if (!match) {
            good = mastra_schema_error_pattern(c, node, at);
        }
    }
    return good;
}

/* --- logic ---------------------------------------------------------------- */

static int check_any(check_t *c, const node_t *node,
                     const mastra_json_t *value, const place_t *at,
                     seen_t *seen)
{
    const node_list_t *any = &node->logic->any;
    int i, found = 0;

    /* all that hold count where somebody asks what they have seen */
    for (i = 0; i < any->count && (!found || seen); i++) {
        found |= mastra_schema_holds(c, any->nodes[i], value, at, seen);
    }
    return found || mastra_schema_error_union(c, node, value, at);
}

static int check_one(check_t *c, const node_t *node,
                     const mastra_json_t *value, const place_t *at,
                     seen_t *seen)
{
    const node_list_t *one = &node->logic->one;
    int i, found = 0;

    for (i = 0; i < one->count && found < 2; i++) {
        found += mastra_schema_holds(c, one->nodes[i], value, at, seen);
    }
    return found == 1 || mastra_schema_error_one(c, node, value, at, found);
}

static int check_logic(check_t *c, const node_t *node,
                       const mastra_json_t *value, const place_t *at,
                       seen_t *seen)
{
    const logic_rules_t *rules = node->logic;
    const node_t *then;
    int i, good = 1;

    for (i = 0; i < rules->all.count && (good || c->errors); i++) {
        good &= mastra_schema_check(c, rules->all.nodes[i], value, at, seen);
    }
    if (rules->any.nodes && (good || c->errors)) {
        good &= check_any(c, node, value, at, seen);
    }
    if (rules->one.nodes && (good || c->errors)) {
        good &= check_one(c, node, value, at, seen);
    }
    if (rules->not && (good || c->errors)
        && mastra_schema_holds(c, rules->not, value, at, NULL)) {
        good = mastra_schema_error(c, node, "not", at, 1, "Invalid input");
    }
    if (rules->cond && (good || c->errors)) {
        then = mastra_schema_holds(c, rules->cond, value, at, seen)
               ? rules->then : rules->otherwise;
        good &= !then || mastra_schema_check(c, then, value, at, seen);
    }
    return good;
}

/* --- the walk ------------------------------------------------------------- */

static int check_refs(check_t *c, const node_t *node,
                      const mastra_json_t *value, const place_t *at,
                      seen_t *seen)
{
    int good = 1;

    if (node->ref) {
        good = mastra_schema_check(c, node->ref, value, at, seen);
    }
    if (node->dynamic_ref && (good || c->errors)) {
        good &= mastra_schema_check(c, dynamic_target(c, node), value, at,
                                    seen);
    }
    return good;
}

static int check_rules(check_t *c, const node_t *node,
                       const mastra_json_t *value, const place_t *at,
                       seen_t *seen)
{
    unsigned type = type_of(value);
    int good = 1;

    if ((node->values || node->value) && !is_allowed_value(node, value)) {
        return mastra_schema_error_values(c, node, at);
    }
    if (node->types && !(node->types & type)) {
        return mastra_schema_error_type(c, node, value, at);
    }
    if (node->ref || node->dynamic_ref) {
        good = check_refs(c, node, value, at, seen);
    }
    if (node->number && (type & TYPE_NUMBER) && (good || c->errors)) {
        good &= check_number(c, node, value, at);
    }
    else if (node->string && type == TYPE_STRING && (good || c->errors)) {
        good &= check_string(c, node, value, at);
    }
    else if (node->array && type == TYPE_ARRAY && (good || c->errors)) {
        good &= mastra_schema_check_array(c, node, value, at, seen);
    }
    else if (node->object && type == TYPE_OBJECT && (good || c->errors)) {
        good &= mastra_schema_check_object(c, node, value, at, seen);
    }
    if (node->logic && (good || c->errors)) {
        good &= check_logic(c, node, value, at, seen);
    }
    return good;
}

/* With an eye on what the node's own keywords have seen. */
static int check_watched(check_t *c, const node_t *node,
                         const mastra_json_t *value, const place_t *at,
                         seen_t *seen)
{
    seen_t own;
    int good;

    mastra_seen_init(&own, value);
    good = check_rules(c, node, value, at, &own);
    if (good || c->errors) {
        good &= mastra_schema_check_rest(c, node, value, at, &own);
    }
    if (good && seen) {
        mastra_seen_merge(seen, &own);
    }
    mastra_seen_free(&own);
    return good;
}

static int spent(check_t *c, const node_t *node, const place_t *at)
{
    c->spent = 1;
    return mastra_schema_error(c, node, "limit", at, 1,
                               "The schema takes too long to check");
}

int mastra_schema_check(check_t *c, const node_t *node,
                        const mastra_json_t *value, const place_t *at,
                        seen_t *seen)
{
    scope_t scope = { c->scope, node->resource };
    int good;

    if (node->trivial) {
        return 1;
    }
    if (node->never) {
        return mastra_schema_error_type(c, node, value, at);
    }
    if (c->spent) {
        return 0;
    }
    if (c->depth >= MASTRA_SCHEMA_DEPTH || --c->work < 0) {
        return spent(c, node, at);
    }
    c->depth++;
    if (c->schema->has_dynamic) {
        c->scope = &scope;
    }
    if (seen || (node->array && node->array->unevaluated)
        || (node->object && node->object->unevaluated)) {
        good = check_watched(c, node, value, at, seen);
    }
    else {
        good = check_rules(c, node, value, at, NULL);
    }
    c->scope = scope.up;
    c->depth--;
    return good && !c->spent;
}

int mastra_schema_holds(check_t *c, const node_t *node,
                        const mastra_json_t *value, const place_t *at,
                        seen_t *seen)
{
    apr_array_header_t *errors = c->errors;
    int good;

    c->errors = NULL;
    good = mastra_schema_check(c, node, value, at, seen);
    c->errors = errors;
    return good;
}

static void explain(const mastra_schema_t *schema,
                    const mastra_json_t *instance,
                    mastra_schema_errors_t *errors, apr_pool_t *pool)
{
    check_t c = { .schema = schema, .pool = pool,
                  .work = MASTRA_SCHEMA_WORK };

    c.errors = apr_array_make(pool, 4, sizeof(mastra_schema_error_t));
    if (instance) {
        mastra_schema_check(&c, schema->root, instance, NULL, NULL);
    }
    else {
        mastra_schema_error_missing(&c, schema->root, NULL);
    }
    if (!c.errors->nelts) {
        /* the limit was met where nothing is reported */
        mastra_schema_error(&c, schema->root, "limit", NULL, 1,
                            "The schema takes too long to check");
    }
    errors->errors = (const mastra_schema_error_t *)c.errors->elts;
    errors->count = c.errors->nelts;
    errors->truncated = c.truncated;
}

int mastra_schema_validate(const mastra_schema_t *schema,
                           const mastra_json_t *instance,
                           mastra_schema_errors_t *perrors, apr_pool_t *pool)
{
    check_t c = { .schema = schema, .work = MASTRA_SCHEMA_WORK };
    int good;

    /* most are valid: no memory is touched to find that out */
    good = instance ? mastra_schema_check(&c, schema->root, instance, NULL,
                                          NULL)
                    : schema->root->trivial;
    if (!good && perrors) {
        explain(schema, instance, perrors, pool);
    }
    return good;
}
