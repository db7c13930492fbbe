/* One function per keyword: its value checked and put into the node. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

typedef int (keyword_cb)(compiler_t *c, node_t *node, mastra_json_t *value,
                         const char *location);

/* --- parts of a node, made when a keyword needs them ---------------------- */

static number_rules_t *number_of(compiler_t *c, node_t *node)
{
    if (!node->number) {
        node->number = apr_pcalloc(c->pool, sizeof(*node->number));
    }
    return node->number;
}

static string_rules_t *string_of(compiler_t *c, node_t *node)
{
    if (!node->string) {
        node->string = apr_pcalloc(c->pool, sizeof(*node->string));
        node->string->most = -1;
    }
    return node->string;
}

static array_rules_t *array_of(compiler_t *c, node_t *node)
{
    if (!node->array) {
        node->array = apr_pcalloc(c->pool, sizeof(*node->array));
        node->array->most = node->array->contains_most = -1;
        node->array->contains_least = 1;
    }
    return node->array;
}

static object_rules_t *object_of(compiler_t *c, node_t *node)
{
    object_rules_t *object = node->object;

    if (!object) {
        object = node->object = apr_pcalloc(c->pool, sizeof(*object));
        object->most = -1;
        object->properties = apr_array_make(c->pool, 4, sizeof(property_t));
        object->by_name = apr_hash_make(c->pool);
        object->patterns = apr_array_make(c->pool, 0,
                                          sizeof(pattern_property_t));
        object->dependents = apr_array_make(c->pool, 0, sizeof(dependent_t));
    }
    return object;
}

static logic_rules_t *logic_of(compiler_t *c, node_t *node)
{
    if (!node->logic) {
        node->logic = apr_pcalloc(c->pool, sizeof(*node->logic));
    }
    return node->logic;
}

/* --- values of keywords --------------------------------------------------- */

static int take_node(compiler_t *c, node_t *node, mastra_json_t *value,
                     const char *location, node_t **pnode)
{
    *pnode = mastra_schema_node(c, value, location, node->resource);
    return *pnode != NULL;
}

static int take_list(compiler_t *c, node_t *node, mastra_json_t *value,
                     const char *location, node_list_t *list)
{
    apr_size_t i, n = mastra_json_size(value);

    if (!mastra_json_is_array(value)) {
        return mastra_schema_fault(c, location, "must be an array of schemas");
    }
    list->nodes = apr_pcalloc(c->pool, (n + 1) * sizeof(*list->nodes));
    list->count = (int)n;
    for (i = 0; i < n; i++) {
        if (!take_node(c, node, mastra_json_at(value, i),
                       apr_psprintf(c->pool, "%s/%d", location, (int)i),
                       &list->nodes[i])) {
            return 0;
        }
    }
    return 1;
}

static int take_count(compiler_t *c, mastra_json_t *value,
                      const char *location, apr_int64_t *count)
{
    double number = mastra_json_num(value);

    if (!mastra_json_is_number(value) || !(number >= 0)
        || !mastra_schema_is_whole(value)) {
        return mastra_schema_fault(c, location,
                                   "must be an integer that is not negative");
    }
    *count = number >= 0x1p62 ? APR_INT64_MAX : mastra_json_int(value);
    return 1;
}

static int take_number(compiler_t *c, mastra_json_t *value,
                       const char *location, const mastra_json_t **number)
{
    if (!mastra_json_is_number(value)) {
        return mastra_schema_fault(c, location, "must be a number");
    }
    *number = value;
    return 1;
}

static int take_names(compiler_t *c, mastra_json_t *value,
                      const char *location, const char ***pnames, int *count)
{
    apr_size_t i, n = mastra_json_size(value);
    const char **names = apr_pcalloc(c->pool, (n + 1) * sizeof(*names));

    if (!mastra_json_is_array(value)) {
        return mastra_schema_fault(c, location, "must be an array of strings");
    }
    for (i = 0; i < n; i++) {
        names[i] = mastra_json_str(mastra_json_at(value, i));
        if (!names[i]) {
            return mastra_schema_fault(c, location,
                                       "must be an array of strings");
        }
    }
    *pnames = names;
    *count = (int)n;
    return 1;
}

static int take_pattern(compiler_t *c, const char *text, const char *location,
                        pattern_t **ppattern)
{
    const char *why = NULL;

    if (!text) {
        return mastra_schema_fault(c, location, "must be a string");
    }
    *ppattern = mastra_schema_pattern(text, &why, c->pool);
    if (!*ppattern) {
        return mastra_schema_fault(c, location,
                                   "\"%s\" is no regular expression: %s",
                                   text, why);
    }
    return 1;
}

static int want_object(compiler_t *c, const mastra_json_t *value,
                       const char *location)
{
    return mastra_json_is_object(value)
           || mastra_schema_fault(c, location, "must be an object");
}

/* --- any value ------------------------------------------------------------ */

static unsigned type_bit(const char *name)
{
    static const struct { const char *name; unsigned bit; } types[] = {
        { "object", TYPE_OBJECT }, { "array", TYPE_ARRAY },
        { "string", TYPE_STRING }, { "number", TYPE_NUMBER },
        { "integer", TYPE_INTEGER }, { "boolean", TYPE_BOOLEAN },
        { "null", TYPE_NULL }
    };
    apr_size_t i;

    for (i = 0; name && i < sizeof(types) / sizeof(*types); i++) {
        if (!strcmp(name, types[i].name)) {
            return types[i].bit;
        }
    }
    return 0;
}

static int type_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                   const char *location)
{
    apr_size_t i, n = mastra_json_is_array(value) ? mastra_json_size(value)
                                                  : 1;

    for (i = 0; i < n; i++) {
        mastra_json_t *one = mastra_json_is_array(value)
                             ? mastra_json_at(value, i) : value;
        unsigned bit = type_bit(mastra_json_str(one));

        if (!bit) {
            return mastra_schema_fault(c, location, "%s is no type",
                                       mastra_json_text(one, c->pool));
        }
        node->types |= bit;
    }
    return n > 0 || mastra_schema_fault(c, location, "names no type");
}

static int enum_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                   const char *location)
{
    if (!mastra_json_is_array(value)) {
        return mastra_schema_fault(c, location, "must be an array");
    }
    node->values = value;
    return 1;
}

static int const_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                    const char *location)
{
    node->value = value;
    return 1;
}

static int default_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                      const char *location)
{
    node->initial = value;
    return 1;
}

static int format_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                     const char *location)
{
    node->format = mastra_json_str(value);
    return 1;
}

/* --- references ----------------------------------------------------------- */

static int ref_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                  const char *location)
{
    if (!mastra_json_is_string(value)) {
        return mastra_schema_fault(c, location, "must be a string");
    }
    mastra_schema_refer(c, node, mastra_json_str(value), 0);
    return 1;
}

static int dynamic_ref_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                          const char *location)
{
    if (!mastra_json_is_string(value)) {
        return mastra_schema_fault(c, location, "must be a string");
    }
    mastra_schema_refer(c, node, mastra_json_str(value), 1);
    return 1;
}

/* Subschemas that are only named here; compiled as they may have a URI. */
static int defs_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                   const char *location)
{
    node_t *unused;
    void *i;

    if (!want_object(c, value, location)) {
        return 0;
    }
    for (i = mastra_json_iter(value); i; i = mastra_json_next(value, i)) {
        if (!take_node(c, node, mastra_json_value(i),
                       mastra_schema_step(c, location, mastra_json_key(i)),
                       &unused)) {
            return 0;
        }
    }
    return 1;
}

/* --- numbers and strings -------------------------------------------------- */

static int minimum_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                      const char *location)
{
    return take_number(c, value, location, &number_of(c, node)->minimum);
}

static int maximum_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                      const char *location)
{
    return take_number(c, value, location, &number_of(c, node)->maximum);
}

static int above_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                    const char *location)
{
    return take_number(c, value, location, &number_of(c, node)->above);
}

static int below_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                    const char *location)
{
    return take_number(c, value, location, &number_of(c, node)->below);
}

static int multiple_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                       const char *location)
{
    if (!take_number(c, value, location, &number_of(c, node)->multiple)) {
        return 0;
    }
    return mastra_json_num(value) > 0
           || mastra_schema_fault(c, location, "must be greater than 0");
}

static int min_length_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                         const char *location)
{
    return take_count(c, value, location, &string_of(c, node)->least);
}

static int max_length_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                         const char *location)
{
    return take_count(c, value, location, &string_of(c, node)->most);
}

static int pattern_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                      const char *location)
{
    return take_pattern(c, mastra_json_str(value), location,
                        &string_of(c, node)->pattern);
}

/* --- arrays --------------------------------------------------------------- */

static int min_items_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                        const char *location)
{
    return take_count(c, value, location, &array_of(c, node)->least);
}

static int max_items_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                        const char *location)
{
    return take_count(c, value, location, &array_of(c, node)->most);
}

static int unique_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                     const char *location)
{
    array_of(c, node)->unique = mastra_json_is_true(value);
    return mastra_json_is_bool(value)
           || mastra_schema_fault(c, location, "must be a boolean");
}

static int prefix_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                     const char *location)
{
    return take_list(c, node, value, location, &array_of(c, node)->prefix);
}

/* draft-07 has the prefix here, and what follows in "additionalItems"; many
 * schemas without "$schema" still do */
static int items_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                    const char *location)
{
    array_rules_t *array = array_of(c, node);
    mastra_json_t *more;

    if (!mastra_json_is_array(value)) {
        return take_node(c, node, value, location, &array->items);
    }
    if (!take_list(c, node, value, location, &array->prefix)) {
        return 0;
    }
    more = mastra_json_get(node->json, "additionalItems");
    return !more || take_node(c, node, more,
                              mastra_schema_step(c, node->location,
                                                 "additionalItems"),
                              &array->items);
}

static int contains_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                       const char *location)
{
    return take_node(c, node, value, location, &array_of(c, node)->contains);
}

static int min_contains_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                           const char *location)
{
    return take_count(c, value, location,
                      &array_of(c, node)->contains_least);
}

static int max_contains_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                           const char *location)
{
    return take_count(c, value, location, &array_of(c, node)->contains_most);
}

static int unevaluated_items_cb(compiler_t *c, node_t *node,
                                mastra_json_t *value, const char *location)
{
    return take_node(c, node, value, location,
                     &array_of(c, node)->unevaluated);
}

/* --- objects -------------------------------------------------------------- */

static int min_properties_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                             const char *location)
{
    return take_count(c, value, location, &object_of(c, node)->least);
}

static int max_properties_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                             const char *location)
{
    return take_count(c, value, location, &object_of(c, node)->most);
}

static property_t *property(compiler_t *c, node_t *node, const char *name)
{
    object_rules_t *object = object_of(c, node);
    property_t *one;
    int *index = apr_hash_get(object->by_name, name, APR_HASH_KEY_STRING);

    if (index) {
        return &APR_ARRAY_IDX(object->properties, *index, property_t);
    }
    index = apr_palloc(c->pool, sizeof(*index));
    *index = object->properties->nelts;
    one = apr_array_push(object->properties);
    memset(one, 0, sizeof(*one));
    one->name = name;
    apr_hash_set(object->by_name, name, APR_HASH_KEY_STRING, index);
    return one;
}

static int properties_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                         const char *location)
{
    node_t *child;
    void *i;

    if (!want_object(c, value, location)) {
        return 0;
    }
    object_of(c, node);
    for (i = mastra_json_iter(value); i; i = mastra_json_next(value, i)) {
        if (!take_node(c, node, mastra_json_value(i),
                       mastra_schema_step(c, location, mastra_json_key(i)),
                       &child)) {
            return 0;
        }
        property(c, node, mastra_json_key(i))->node = child;
    }
    return 1;
}

static int required_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                       const char *location)
{
    const char **names;
    int i, count;

    if (!take_names(c, value, location, &names, &count)) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        property(c, node, names[i])->required = 1;
    }
    return 1;
}

static int patterns_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                       const char *location)
{
    pattern_property_t *one;
    const char *here;
    void *i;

    if (!want_object(c, value, location)) {
        return 0;
    }
    for (i = mastra_json_iter(value); i; i = mastra_json_next(value, i)) {
        one = apr_array_push(object_of(c, node)->patterns);
        here = mastra_schema_step(c, location, mastra_json_key(i));
        if (!take_pattern(c, mastra_json_key(i), here, &one->pattern)
            || !take_node(c, node, mastra_json_value(i), here, &one->node)) {
            return 0;
        }
    }
    return 1;
}

static int additional_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                         const char *location)
{
    return take_node(c, node, value, location,
                     &object_of(c, node)->additional);
}

static int names_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                    const char *location)
{
    return take_node(c, node, value, location, &object_of(c, node)->names);
}

static int unevaluated_properties_cb(compiler_t *c, node_t *node,
                                     mastra_json_t *value,
                                     const char *location)
{
    return take_node(c, node, value, location,
                     &object_of(c, node)->unevaluated);
}

/* Both forms in one: draft-07 has them under one name, "dependencies", which
 * 2020-12 lets us go on to know. */
static int dependents_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                         const char *location)
{
    dependent_t *one;
    void *i;

    if (!want_object(c, value, location)) {
        return 0;
    }
    for (i = mastra_json_iter(value); i; i = mastra_json_next(value, i)) {
        const char *here = mastra_schema_step(c, location, mastra_json_key(i));
        mastra_json_t *what = mastra_json_value(i);

        one = apr_array_push(object_of(c, node)->dependents);
        memset(one, 0, sizeof(*one));
        one->name = mastra_json_key(i);
        if (mastra_json_is_array(what)
            ? !take_names(c, what, here, &one->names, &one->count)
            : !take_node(c, node, what, here, &one->node)) {
            return 0;
        }
    }
    return 1;
}

/* --- logic ---------------------------------------------------------------- */

static int all_of_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                     const char *location)
{
    return take_list(c, node, value, location, &logic_of(c, node)->all);
}

static int any_of_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                     const char *location)
{
    return take_list(c, node, value, location, &logic_of(c, node)->any);
}

static int one_of_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                     const char *location)
{
    return take_list(c, node, value, location, &logic_of(c, node)->one);
}

static int not_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                  const char *location)
{
    return take_node(c, node, value, location, &logic_of(c, node)->not);
}

static int if_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                 const char *location)
{
    return take_node(c, node, value, location, &logic_of(c, node)->cond);
}

static int then_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                   const char *location)
{
    return take_node(c, node, value, location, &logic_of(c, node)->then);
}

static int else_cb(compiler_t *c, node_t *node, mastra_json_t *value,
                   const char *location)
{
    return take_node(c, node, value, location,
                     &logic_of(c, node)->otherwise);
}

/* ------------------------------------------------------------------------- */

#define BOTH (DRAFT_07 | DRAFT_2020)

static const struct {
    const char *name;
    keyword_cb *compile;
    int drafts;
} keywords[] = {
    { "type", type_cb, BOTH }, { "enum", enum_cb, BOTH },
    { "const", const_cb, BOTH }, { "default", default_cb, BOTH },
    { "format", format_cb, BOTH },
    { "$ref", ref_cb, BOTH }, { "$dynamicRef", dynamic_ref_cb, DRAFT_2020 },
    { "$defs", defs_cb, BOTH }, { "definitions", defs_cb, BOTH },
    { "minimum", minimum_cb, BOTH }, { "maximum", maximum_cb, BOTH },
    { "exclusiveMinimum", above_cb, BOTH },
    { "exclusiveMaximum", below_cb, BOTH },
    { "multipleOf", multiple_cb, BOTH },
    { "minLength", min_length_cb, BOTH },
    { "maxLength", max_length_cb, BOTH }, { "pattern", pattern_cb, BOTH },
    { "minItems", min_items_cb, BOTH }, { "maxItems", max_items_cb, BOTH },
    { "uniqueItems", unique_cb, BOTH },
    { "prefixItems", prefix_cb, DRAFT_2020 }, { "items", items_cb, BOTH },
    { "contains", contains_cb, BOTH },
    { "minContains", min_contains_cb, DRAFT_2020 },
    { "maxContains", max_contains_cb, DRAFT_2020 },
    { "unevaluatedItems", unevaluated_items_cb, DRAFT_2020 },
    { "minProperties", min_properties_cb, BOTH },
    { "maxProperties", max_properties_cb, BOTH },
    { "properties", properties_cb, BOTH }, { "required", required_cb, BOTH },
    { "patternProperties", patterns_cb, BOTH },
    { "additionalProperties", additional_cb, BOTH },
    { "propertyNames", names_cb, BOTH },
    { "unevaluatedProperties", unevaluated_properties_cb, DRAFT_2020 },
    { "dependencies", dependents_cb, BOTH },
    { "dependentSchemas", dependents_cb, DRAFT_2020 },
    { "dependentRequired", dependents_cb, DRAFT_2020 },
    { "allOf", all_of_cb, BOTH }, { "anyOf", any_of_cb, BOTH },
    { "oneOf", one_of_cb, BOTH }, { "not", not_cb, BOTH },
    { "if", if_cb, BOTH }, { "then", then_cb, BOTH }, { "else", else_cb, BOTH }
};

static int compile_one(compiler_t *c, node_t *node, const char *name,
                       mastra_json_t *value)
{
    apr_size_t i;

    for (i = 0; i < sizeof(keywords) / sizeof(*keywords); i++) {
        if ((keywords[i].drafts & node->resource->draft)
            && !strcmp(name, keywords[i].name)) {
            return keywords[i].compile(c, node, value,
                                       mastra_schema_step(c, node->location,
                                                          name));
        }
    }
    return 1;
}

int mastra_schema_keywords(compiler_t *c, node_t *node)
{
    int alone = node->resource->draft == DRAFT_07
                && mastra_json_get(node->json, "$ref");
    mastra_json_t *required = NULL;
    void *i;

    for (i = mastra_json_iter(node->json); i;
         i = mastra_json_next(node->json, i)) {
        const char *name = mastra_json_key(i);

        /* draft-07 ignores what stands beside a reference */
        if (alone && strcmp(name, "$ref") && strcmp(name, "definitions")) {
            continue;
        }
        if (!strcmp(name, "required")) {
            /* last: errors come in the order of "properties" */
            required = mastra_json_value(i);
        }
        else if (!compile_one(c, node, name, mastra_json_value(i))) {
            return 0;
        }
    }
    return !required || compile_one(c, node, "required", required);
}
