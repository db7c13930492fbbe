/* Typed values from query strings, and defaults. */

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>

#include "internal.h"

/* schemas inside of each other that are looked through */
#define DEPTH_MAX 64

static mastra_json_t *coerce(const node_t *node, mastra_json_t *value,
                             int depth);

/* --- what a schema asks for ----------------------------------------------- */

static unsigned kinds(const node_t *node, int depth);

static unsigned kinds_of_list(const node_list_t *list, int depth)
{
    unsigned all = 0;
    int i;

    for (i = 0; i < list->count; i++) {
        all |= kinds(list->nodes[i], depth);
    }
    return all;
}

/* The types that a schema accepts, by what it says; 0: it does not say. */
static unsigned kinds(const node_t *node, int depth)
{
    const mastra_json_t *constant = node->value;
    unsigned all = node->types;

    if (all || depth == 0) {
        return all;
    }
    if (!constant) {
        constant = mastra_json_at(node->values, 0);
    }
    if (mastra_json_is_string(constant)) {
        return TYPE_STRING;
    }
    if (node->ref) {
        all |= kinds(node->ref, depth - 1);
    }
    if (node->logic) {
        all |= kinds_of_list(&node->logic->any, depth - 1);
        all |= kinds_of_list(&node->logic->one, depth - 1);
        all |= kinds_of_list(&node->logic->all, depth - 1);
    }
    return all;
}

/* The part of a schema that describes values of that type. */
static const node_t *part_for(const node_t *node, unsigned type, int depth);

static const node_t *part_of_list(const node_list_t *list, unsigned type,
                                  int depth)
{
    const node_t *found = NULL;
    int i;

    for (i = 0; i < list->count && !found; i++) {
        found = part_for(list->nodes[i], type, depth);
    }
    return found;
}

static const node_t *part_for(const node_t *node, unsigned type, int depth)
{
    const node_t *found = NULL;

    if (depth == 0) {
        return NULL;
    }
    if ((node->types & type) || (type == TYPE_OBJECT && node->object)) {
        return node;
    }
    if (node->ref) {
        found = part_for(node->ref, type, depth - 1);
    }
    if (!found && node->logic) {
        found = part_of_list(&node->logic->any, type, depth - 1);
        if (!found) {
            found = part_of_list(&node->logic->one, type, depth - 1);
        }
        if (!found) {
            found = part_of_list(&node->logic->all, type, depth - 1);
        }
    }
    return found;
}

/* --- texts ---------------------------------------------------------------- */

/* As Number(text) in ECMAScript: "" is 0, "0x1f" 31, "1,5" no number. */
static mastra_json_t *to_number(const char *text)
{
    const char *end = text + strlen(text);
    mastra_json_t *json = NULL;
    unsigned long long value;
    char *rest;
    int base;

    while (text < end && apr_isspace(*text)) {
        text++;
    }
    while (end > text && apr_isspace(end[-1])) {
        end--;
    }
    if (text == end) {
        return mastra_json_integer(0);
    }
    base = text[0] != '0' ? 0 : (text[1] | 0x20) == 'x' ? 16
           : (text[1] | 0x20) == 'o' ? 8 : (text[1] | 0x20) == 'b' ? 2 : 0;
    if (base) {
        value = apr_isxdigit(text[2]) ? strtoull(text + 2, &rest, base) : 0;
        return apr_isxdigit(text[2]) && rest == end
               && value <= APR_INT64_MAX
               ? mastra_json_integer((apr_int64_t)value) : mastra_json_nan();
    }
    text += *text == '+' && apr_isdigit(text[1]);
    if ((apr_isdigit(*text) || *text == '-')
        && mastra_json_parse(&json, text, end - text, 1, NULL) == APR_SUCCESS
        && mastra_json_is_number(json)) {
        return json;
    }
    mastra_json_unref(json);
    return mastra_json_nan();
}

/* JSON of one of the types wanted, or NULL. */
static mastra_json_t *to_json(const char *text, apr_size_t len, unsigned wanted)
{
    mastra_json_t *json = NULL;

    if (mastra_json_parse(&json, text, len, 0, NULL) != APR_SUCCESS) {
        return NULL;
    }
    if ((mastra_json_is_object(json) && (wanted & TYPE_OBJECT))
        || (mastra_json_is_array(json) && (wanted & TYPE_ARRAY))
        || (mastra_json_is_null(json) && (wanted & TYPE_NULL))) {
        return json;
    }
    mastra_json_unref(json);
    return NULL;
}

static mastra_json_t *coerce_text(const node_t *node, mastra_json_t *value,
                                  int depth)
{
    const char *text = mastra_json_str(value);
    unsigned wanted = kinds(node, DEPTH_MAX);
    mastra_json_t *json = NULL, *typed;

    if (wanted & (TYPE_OBJECT | TYPE_ARRAY)) {
        json = to_json(text, mastra_json_len(value), wanted);
    }
    if (json) {
        typed = coerce(node, json, depth);
        mastra_json_unref(json);
        return typed;
    }
    if (wanted & TYPE_STRING) {
        return mastra_json_ref(value);
    }
    if ((wanted & TYPE_BOOLEAN) && (!strcmp(text, "true")
                                    || !strcmp(text, "false"))) {
        return mastra_json_bool(*text == 't');
    }
    if ((wanted & TYPE_NULL) && !strcmp(text, "null")) {
        return mastra_json_null();
    }
    if (wanted & (TYPE_NUMBER | TYPE_INTEGER)) {
        return to_number(text);
    }
    return mastra_json_ref(value);
}

/* --- values --------------------------------------------------------------- */

static mastra_json_t *coerce_array(const node_t *node, mastra_json_t *value,
                                   int depth)
{
    const node_t *part = part_for(node, TYPE_ARRAY, DEPTH_MAX), *child;
    apr_size_t i, n = mastra_json_size(value);
    mastra_json_t *typed;

    if (!part || !part->array) {
        return mastra_json_ref(value);
    }
    typed = mastra_json_array();
    for (i = 0; i < n; i++) {
        child = i < (apr_size_t)part->array->prefix.count
                ? part->array->prefix.nodes[i] : part->array->items;
        mastra_json_append(typed, child
                           ? coerce(child, mastra_json_at(value, i), depth)
                           : mastra_json_ref(mastra_json_at(value, i)));
    }
    return typed;
}

/* Members without a schema are kept only where one for the rest is named. */
static mastra_json_t *coerce_object(const node_t *node, mastra_json_t *value,
                                    int depth)
{
    const node_t *part = part_for(node, TYPE_OBJECT, DEPTH_MAX), *child;
    mastra_json_t *typed;
    void *i;

    if (!part || !part->object) {
        return mastra_json_ref(value);
    }
    typed = mastra_json_object();
    for (i = mastra_json_iter(value); i; i = mastra_json_next(value, i)) {
        const int *index = apr_hash_get(part->object->by_name,
                                        mastra_json_key(i),
                                        APR_HASH_KEY_STRING);

        child = index ? APR_ARRAY_IDX(part->object->properties, *index,
                                      property_t).node : NULL;
        child = child ? child : part->object->additional;
        if (child) {
            mastra_json_set(typed, mastra_json_key(i),
                            coerce(child, mastra_json_value(i), depth));
        }
    }
    return typed;
}

static mastra_json_t *coerce(const node_t *node, mastra_json_t *value,
                             int depth)
{
    if (depth == 0) {
        return mastra_json_ref(value);
    }
    switch (mastra_json_type(value)) {
    case MASTRA_JSON_STRING:
        return coerce_text(node, value, depth - 1);
    case MASTRA_JSON_ARRAY:
        return coerce_array(node, value, depth - 1);
    case MASTRA_JSON_OBJECT:
        return coerce_object(node, value, depth - 1);
    default:
        return mastra_json_ref(value);
    }
}

/* --- defaults ------------------------------------------------------------- */

static void fill(const node_t *node, mastra_json_t *value, check_t *c,
                 int depth);

static void fill_object(const node_t *node, mastra_json_t *value, check_t *c,
                        int depth)
{
    const apr_array_header_t *all = node->object->properties;
    mastra_json_t *member;
    int i;

    for (i = 0; i < all->nelts; i++) {
        const property_t *one = &APR_ARRAY_IDX(all, i, property_t);
        const node_t *child = one->node ? mastra_schema_follow(one->node)
                                        : NULL;

        if (!child) {
            continue;
        }
        member = mastra_json_get(value, one->name);
        if (member) {
            fill(child, member, c, depth);
        }
        else if (one->node->initial || child->initial) {
            member = one->node->initial ? one->node->initial : child->initial;
            mastra_json_set(value, one->name, mastra_json_copy(member));
        }
    }
}

static void fill_list(const node_list_t *list, mastra_json_t *value,
                      check_t *c, int depth, int first)
{
    int i;

    for (i = 0; i < list->count; i++) {
        if (!first) {
            fill(list->nodes[i], value, c, depth);
        }
        else if (mastra_schema_holds(c, list->nodes[i], value, NULL, NULL)) {
            fill(list->nodes[i], value, c, depth);
            return;
        }
    }
}

static void fill(const node_t *node, mastra_json_t *value, check_t *c,
                 int depth)
{
    apr_size_t i, n;

    if (depth == 0 || --c->work < 0
        || (!mastra_json_is_object(value) && !mastra_json_is_array(value))) {
        return;
    }
    if (node->object && mastra_json_is_object(value)) {
        fill_object(node, value, c, depth - 1);
    }
    if (node->array && node->array->items && mastra_json_is_array(value)) {
        n = mastra_json_size(value);
        for (i = (apr_size_t)node->array->prefix.count; i < n; i++) {
            fill(node->array->items, mastra_json_at(value, i), c, depth - 1);
        }
    }
    if (node->ref) {
        fill(node->ref, value, c, depth - 1);
    }
    if (node->logic) {
        fill_list(&node->logic->all, value, c, depth - 1, 0);
        fill_list(&node->logic->any, value, c, depth - 1, 1);
        fill_list(&node->logic->one, value, c, depth - 1, 1);
    }
}

void mastra_schema_fill_defaults(const mastra_schema_t *schema,
                                 mastra_json_t *instance)
{
    check_t c = { .schema = schema, .work = MASTRA_SCHEMA_WORK };

    fill(schema->root, instance, &c, DEPTH_MAX);
}

mastra_json_t *mastra_schema_coerce_query(const mastra_schema_t *schema,
                                          const mastra_json_t *strings)
{
    mastra_json_t *typed = coerce(schema->root, (mastra_json_t *)strings,
                                  DEPTH_MAX);

    mastra_schema_fill_defaults(schema, typed);
    return typed;
}
