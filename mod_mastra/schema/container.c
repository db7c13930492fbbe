/* Arrays and objects: their members, and which of them were looked at. */

#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* --- what was seen -------------------------------------------------------- */

void mastra_seen_init(seen_t *seen, const mastra_json_t *value)
{
    apr_size_t words;

    memset(seen, 0, sizeof(*seen));
    seen->count = mastra_json_size(value);
    seen->bits = seen->few;
    words = (seen->count + 63) / 64;
    if (words > sizeof(seen->few) / sizeof(*seen->few)) {
        seen->bits = calloc(words, sizeof(*seen->bits));
        /* nothing is remembered then: more is refused, not less */
        seen->count = seen->bits ? seen->count : 0;
    }
}

void mastra_seen_free(seen_t *seen)
{
    if (seen->bits != seen->few) {
        free(seen->bits);
    }
}

static void seen_mark(seen_t *seen, apr_size_t i)
{
    if (seen && i < seen->count) {
        seen->bits[i / 64] |= APR_UINT64_C(1) << i % 64;
    }
}

static int seen_has(const seen_t *seen, apr_size_t i)
{
    return i < seen->count && (seen->bits[i / 64] >> i % 64 & 1);
}

void mastra_seen_merge(seen_t *seen, const seen_t *other)
{
    apr_size_t i;

    for (i = 0; seen->count && other->count && i < (seen->count + 63) / 64;
         i++) {
        seen->bits[i] |= other->bits[i];
    }
}

/* --- arrays --------------------------------------------------------------- */

static int check_size(check_t *c, const node_t *node, const place_t *at,
                      const char *what, const char *unit, apr_int64_t count,
                      apr_int64_t least, apr_int64_t most)
{
    int object = *what == 'o';

    if (count < least) {
        return mastra_schema_error_size(c, node,
                                        object ? "minProperties" : "minItems",
                                        at, what, unit, least, least == most);
    }
    if (most >= 0 && count > most) {
        return mastra_schema_error_size(c, node,
                                        object ? "maxProperties" : "maxItems",
                                        at, what, unit, most, least == most);
    }
    return 1;
}

static int check_contains(check_t *c, const node_t *node,
                          const mastra_json_t *value, const place_t *at,
                          seen_t *seen)
{
    const array_rules_t *rules = node->array;
    apr_size_t i, n = mastra_json_size(value);
    place_t place = { at, NULL, 0 };
    apr_int64_t found = 0;

    for (i = 0; i < n; i++) {
        place.index = i;
        if (mastra_schema_holds(c, rules->contains, mastra_json_at(value, i),
                                &place, NULL)) {
            found++;
            seen_mark(seen, i);
        }
        if (!seen && found >= rules->contains_least
            && rules->contains_most < 0) {
            return 1;
        }
    }
    if (found < rules->contains_least) {
        return mastra_schema_error(c, node, "contains", at, 0,
                                   "Invalid input: too few items match");
    }
    if (rules->contains_most >= 0 && found > rules->contains_most) {
        return mastra_schema_error(c, node, "maxContains", at, 0,
                                   "Invalid input: too many items match");
    }
    return 1;
}

static int check_items(check_t *c, const node_t *node,
                       const mastra_json_t *value, const place_t *at,
                       seen_t *seen)
{
    const array_rules_t *rules = node->array;
    apr_size_t i, n = mastra_json_size(value);
    place_t place = { at, NULL, 0 };
    int good = 1;

    for (i = 0; i < n; i++) {
        const node_t *child = i < (apr_size_t)rules->prefix.count
                              ? rules->prefix.nodes[i] : rules->items;

        if (!child) {
            break;
        }
        place.index = i;
        good &= mastra_schema_check(c, child, mastra_json_at(value, i),
                                    &place, NULL);
        if (!good && !c->errors) {
            return 0;
        }
        seen_mark(seen, i);
    }
    return good;
}

int mastra_schema_check_array(check_t *c, const node_t *node,
                              const mastra_json_t *value, const place_t *at,
                              seen_t *seen)
{
    const array_rules_t *rules = node->array;
    int good = 1;

    if (rules->items || rules->prefix.count) {
        good = check_items(c, node, value, at, seen);
    }
    if (good || c->errors) {
        good &= check_size(c, node, at, "array", "items",
                           (apr_int64_t)mastra_json_size(value), rules->least,
                           rules->most);
    }
    if (rules->contains && (good || c->errors)) {
        good &= check_contains(c, node, value, at, seen);
    }
    if (rules->unique && (good || c->errors)
        && !mastra_schema_all_differ(value)) {
        good = mastra_schema_error(c, node, "uniqueItems", at, 0,
                                   "Invalid input: expected unique items");
    }
    return good;
}

/* --- objects -------------------------------------------------------------- */

/* In the order of the schema; *known: how many members it names. */
static int check_properties(check_t *c, const node_t *node,
                            const mastra_json_t *value, const place_t *at,
                            apr_size_t *known)
{
    const apr_array_header_t *all = node->object->properties;
    const property_t *one;
    mastra_json_t *member;
    place_t place = { at, NULL, 0 };
    int i, good = 1;

    for (i = 0; i < all->nelts && (good || c->errors); i++) {
        one = &APR_ARRAY_IDX(all, i, property_t);
        member = mastra_json_get(value, one->name);
        place.key = one->name;
        if (!member) {
            if (one->required) {
                good = mastra_schema_error_missing(c, one->node, &place);
            }
        }
        else if (one->node) {
            ++*known;
            good &= mastra_schema_check(c, one->node, member, &place, NULL);
        }
    }
    return good;
}

static int has_property(const object_rules_t *rules, const char *name)
{
    const int *index = apr_hash_get(rules->by_name, name,
                                    APR_HASH_KEY_STRING);

    return index && APR_ARRAY_IDX(rules->properties, *index, property_t).node;
}

/* patternProperties: *known when some pattern is for that member */
static int check_patterns(check_t *c, const node_t *node, const char *key,
                          const mastra_json_t *member, const place_t *place,
                          int *known)
{
    const apr_array_header_t *all = node->object->patterns;
    int i, match, good = 1;

    for (i = 0; i < all->nelts; i++) {
        const pattern_property_t *one = &APR_ARRAY_IDX(all, i,
                                                       pattern_property_t);

        match = mastra_schema_match(one->pattern, key, strlen(key));
        if (match < 0) {
            return mastra_schema_error(c, node, "limit", place, 1,
                                       "The pattern takes too long to match");
        }
        if (match) {
            *known = 1;
            good &= mastra_schema_check(c, one->node, member, place, NULL);
        }
    }
    return good;
}

static void add_key(check_t *c, apr_array_header_t **keys, const char *key)
{
    if (!*keys) {
        *keys = apr_array_make(c->pool, 4, sizeof(const char *));
    }
    APR_ARRAY_PUSH(*keys, const char *) = key;
}

/* One member against all keywords that are not about its name alone. */
static int check_member(check_t *c, const node_t *node, const char *key,
                        const mastra_json_t *member, const place_t *place,
                        apr_array_header_t **unknown, int *known)
{
    const object_rules_t *rules = node->object;
    mastra_json_t *name;
    int good = 1, named;

    *known = has_property(rules, key);
    if (rules->patterns->nelts) {
        good = check_patterns(c, node, key, member, place, known);
    }
    if (!*known && rules->additional) {
        *known = 1;
        if (rules->additional->never && c->errors) {
            add_key(c, unknown, key);
            good = 0;
        }
        else {
            good &= mastra_schema_check(c, rules->additional, member, place,
                                        NULL);
        }
    }
    if (rules->names_matter && (good || c->errors)) {
        name = mastra_json_string(key);
        named = mastra_schema_holds(c, rules->names, name, place, NULL);
        mastra_json_unref(name);
        if (!named) {
            good = mastra_schema_error(c, node, "propertyNames", place, 1,
                                       "Invalid key in record");
        }
    }
    return good;
}

static int check_members(check_t *c, const node_t *node,
                         const mastra_json_t *value, const place_t *at,
                         seen_t *seen)
{
    apr_array_header_t *unknown = NULL;
    place_t place = { at, NULL, 0 };
    int good = 1, known;
    apr_size_t index = 0;
    void *i;

    for (i = mastra_json_iter(value); i && (good || c->errors);
         i = mastra_json_next(value, i), index++) {
        place.key = mastra_json_key(i);
        good &= check_member(c, node, place.key, mastra_json_value(i), &place,
                             &unknown, &known);
        if (known) {
            seen_mark(seen, index);
        }
    }
    if (unknown) {
        mastra_schema_error_keys(c, node, "additionalProperties", at, unknown);
    }
    return good;
}

static int check_dependents(check_t *c, const node_t *node,
                            const mastra_json_t *value, const place_t *at,
                            seen_t *seen)
{
    const apr_array_header_t *all = node->object->dependents;
    place_t place = { at, NULL, 0 };
    int i, j, good = 1;

    for (i = 0; i < all->nelts && (good || c->errors); i++) {
        const dependent_t *one = &APR_ARRAY_IDX(all, i, dependent_t);

        if (!mastra_json_get(value, one->name)) {
            continue;
        }
        for (j = 0; j < one->count; j++) {
            place.key = one->names[j];
            if (!mastra_json_get(value, one->names[j])) {
                good = mastra_schema_error_missing(
                           c, mastra_schema_member(node, one->names[j]),
                           &place);
            }
        }
        if (one->node) {
            good &= mastra_schema_check(c, one->node, value, at, seen);
        }
    }
    return good;
}

int mastra_schema_check_object(check_t *c, const node_t *node,
                               const mastra_json_t *value, const place_t *at,
                               seen_t *seen)
{
    const object_rules_t *rules = node->object;
    apr_size_t known = 0, count = mastra_json_size(value);
    int good;

    good = check_properties(c, node, value, at, &known);
    /* nothing is left for the other keywords when all members have names */
    if ((good || c->errors)
        && (seen || rules->patterns->nelts
            || rules->names_matter
            || (rules->additional && !rules->additional->trivial
                && known < count))) {
        good &= check_members(c, node, value, at, seen);
    }
    if ((good || c->errors) && (rules->least || rules->most >= 0)) {
        good &= check_size(c, node, at, "object", "properties",
                           (apr_int64_t)count, rules->least, rules->most);
    }
    if (rules->dependents->nelts && (good || c->errors)) {
        good &= check_dependents(c, node, value, at, seen);
    }
    return good;
}

/* --- what no other keyword has seen --------------------------------------- */

static int check_rest_of_array(check_t *c, const node_t *node,
                               const mastra_json_t *value, const place_t *at,
                               seen_t *seen)
{
    apr_size_t i, n = mastra_json_size(value);
    place_t place = { at, NULL, 0 };
    int good = 1;

    for (i = 0; i < n && (good || c->errors); i++) {
        place.index = i;
        if (!seen_has(seen, i)) {
            good &= mastra_schema_check(c, node->array->unevaluated,
                                        mastra_json_at(value, i), &place,
                                        NULL);
            seen_mark(seen, i);
        }
    }
    return good;
}

static int check_rest_of_object(check_t *c, const node_t *node,
                                const mastra_json_t *value, const place_t *at,
                                seen_t *seen)
{
    const node_t *rest = node->object->unevaluated;
    apr_array_header_t *unknown = NULL;
    place_t place = { at, NULL, 0 };
    apr_size_t index = 0;
    int good = 1;
    void *i;

    for (i = mastra_json_iter(value); i && (good || c->errors);
         i = mastra_json_next(value, i), index++) {
        if (seen_has(seen, index)) {
            continue;
        }
        place.key = mastra_json_key(i);
        if (rest->never && c->errors) {
            add_key(c, &unknown, place.key);
            good = 0;
        }
        else {
            good &= mastra_schema_check(c, rest, mastra_json_value(i), &place,
                                        NULL);
        }
        seen_mark(seen, index);
    }
    if (unknown) {
        mastra_schema_error_keys(c, node, "unevaluatedProperties", at,
                                 unknown);
    }
    return good;
}

int mastra_schema_check_rest(check_t *c, const node_t *node,
                             const mastra_json_t *value, const place_t *at,
                             seen_t *seen)
{
    if (node->array && node->array->unevaluated
        && mastra_json_is_array(value)) {
        return check_rest_of_array(c, node, value, at, seen);
    }
    if (node->object && node->object->unevaluated
        && mastra_json_is_object(value)) {
        return check_rest_of_object(c, node, value, at, seen);
    }
    return 1;
}
