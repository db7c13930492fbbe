/* Unions whose branches a constant member tells apart. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

/* references that may lead on to each other */
#define FOLLOW_MAX 32

const node_t *mastra_schema_follow(const node_t *node)
{
    int i;

    for (i = 0; node && node->ref && !node->types && !node->object
                && i < FOLLOW_MAX; i++) {
        node = node->ref;
    }
    return node;
}

const node_t *mastra_schema_member(const node_t *node, const char *name)
{
    const object_rules_t *object;
    const int *index;

    node = mastra_schema_follow(node);
    object = node ? node->object : NULL;
    index = object ? apr_hash_get(object->by_name, name, APR_HASH_KEY_STRING)
                   : NULL;
    return index ? mastra_schema_follow(APR_ARRAY_IDX(object->properties,
                                                      *index, property_t).node)
                 : NULL;
}

static apr_size_t constants(const node_t *node)
{
    return !node ? 0 : node->value ? 1 : mastra_json_size(node->values);
}

static const mastra_json_t *constant(const node_t *node, apr_size_t i)
{
    return node->value ? node->value : mastra_json_at(node->values, i);
}

static int tells_apart(const node_list_t *list, const char *name,
                       apr_pool_t *pool)
{
    apr_hash_t *known = apr_hash_make(pool);
    int i;

    for (i = 0; i < list->count; i++) {
        const node_t *node = mastra_schema_member(list->nodes[i], name);
        apr_size_t j, n = constants(node);

        if (!n) {
            return 0;
        }
        for (j = 0; j < n; j++) {
            const char *text = mastra_json_str(constant(node, j));

            if (!text || apr_hash_get(known, text, APR_HASH_KEY_STRING)) {
                return 0;
            }
            apr_hash_set(known, text, APR_HASH_KEY_STRING, text);
        }
    }
    return 1;
}

const char *mastra_schema_tag(const node_list_t *list, apr_pool_t *pool)
{
    const node_t *first = mastra_schema_follow(list->nodes[0]);
    apr_pool_t *sub;
    const char *tag = NULL;
    int i;

    if (!first || !first->object) {
        return NULL;
    }
    apr_pool_create(&sub, pool);
    for (i = 0; i < first->object->properties->nelts && !tag; i++) {
        const char *name = APR_ARRAY_IDX(first->object->properties, i,
                                         property_t).name;

        if (tells_apart(list, name, sub)) {
            tag = name;
        }
    }
    apr_pool_destroy(sub);
    return tag;
}

const node_t *mastra_schema_branch(const node_list_t *list, const char *tag,
                                   const mastra_json_t *value)
{
    const mastra_json_t *asked = mastra_json_get(value, tag);
    int i;

    for (i = 0; asked && i < list->count; i++) {
        const node_t *node = mastra_schema_member(list->nodes[i], tag);
        apr_size_t j, n = constants(node);

        for (j = 0; j < n; j++) {
            if (mastra_json_equal(asked, constant(node, j))) {
                return list->nodes[i];
            }
        }
    }
    return NULL;
}

const char *mastra_schema_tags(const node_list_t *list, const char *tag,
                               apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, 8, sizeof(const char *));
    int i;

    for (i = 0; i < list->count; i++) {
        const node_t *node = mastra_schema_member(list->nodes[i], tag);
        apr_size_t j, n = constants(node);

        for (j = 0; j < n; j++) {
            APR_ARRAY_PUSH(parts, const char *)
                = apr_pstrcat(pool, parts->nelts ? " | '" : "'",
                              mastra_json_str(constant(node, j)), "'", NULL);
        }
    }
    return apr_array_pstrcat(pool, parts, 0);
}
