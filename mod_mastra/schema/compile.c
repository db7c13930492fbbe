/* From a JSON document to the graph of nodes that validation walks. */

#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

/* how deep schemas may be nested in a document */
#define NESTING_MAX 256

int mastra_schema_fault(compiler_t *c, const char *location, const char *fmt,
                        ...)
{
    va_list ap;

    /* the first fault is the one that tells most */
    if (!c->error) {
        va_start(ap, fmt);
        c->error = mastra_result_make(c->pool, 400, "INVALID_SCHEMA", "%s: %s",
                                      location,
                                      apr_pvsprintf(c->pool, fmt, ap));
        va_end(ap);
    }
    return 0;
}

const char *mastra_schema_step(compiler_t *c, const char *location,
                               const char *step)
{
    char *out = apr_palloc(c->pool, strlen(location) + 2 * strlen(step) + 2);
    char *to = out + strlen(location);

    memcpy(out, location, to - out);
    *to++ = '/';
    for (; *step; step++) {
        if (*step == '~' || *step == '/') {
            *to++ = '~';
            *to++ = *step == '~' ? '0' : '1';
        }
        else {
            *to++ = *step;
        }
    }
    *to = '\0';
    return out;
}

/* --- identity ------------------------------------------------------------ */

/* The draft that "$schema" names, otherwise when it names none of ours. */
static draft_e draft_of(const mastra_json_t *json, draft_e otherwise)
{
    const char *uri = mastra_json_get_str(json, "$schema");

    if (!uri) {
        return otherwise;
    }
    return strstr(uri, "draft-07") || strstr(uri, "draft-06")
           || strstr(uri, "draft-04") ? DRAFT_07 : DRAFT_2020;
}

resource_t *mastra_schema_resource(compiler_t *c, const char *uri,
                                   mastra_json_t *json, draft_e draft)
{
    resource_t *resource = apr_pcalloc(c->pool, sizeof(*resource));

    resource->uri = uri;
    resource->json = json;
    resource->draft = draft_of(json, draft);
    resource->anchors = apr_hash_make(c->pool);
    resource->dynamic = apr_hash_make(c->pool);
    /* the first of a name keeps it */
    if (!apr_hash_get(c->resources, uri, APR_HASH_KEY_STRING)) {
        apr_hash_set(c->resources, uri, APR_HASH_KEY_STRING, resource);
    }
    return resource;
}

static void add_anchor(node_t *node, const char *name)
{
    apr_hash_set(node->resource->anchors, name, APR_HASH_KEY_STRING, node);
}

/* "$id" begins a resource; "#name" in it is an anchor, as draft-07 has them. */
static void identify(compiler_t *c, node_t *node)
{
    const char *id = mastra_json_get_str(node->json, "$id"), *uri, *fragment;
    draft_e draft = node->resource->draft;

    if (!id || (draft == DRAFT_07 && mastra_json_get(node->json, "$ref"))) {
        return;
    }
    uri = mastra_schema_uri(&fragment, node->resource->uri, id, c->pool);
    if (strcmp(uri, node->resource->uri) && *id != '#') {
        node->resource = mastra_schema_resource(c, uri, node->json, draft);
        node->resource->root = node;
    }
    if (*fragment) {
        add_anchor(node, fragment);
    }
}

static void name_anchors(node_t *node)
{
    const char *name;

    if (node->resource->draft == DRAFT_07) {
        return;
    }
    name = mastra_json_get_str(node->json, "$anchor");
    if (name) {
        add_anchor(node, name);
    }
    name = mastra_json_get_str(node->json, "$dynamicAnchor");
    if (name) {
        add_anchor(node, name);
        apr_hash_set(node->resource->dynamic, name, APR_HASH_KEY_STRING,
                     node);
    }
}

/* --- nodes --------------------------------------------------------------- */

static int has_rules(const node_t *node)
{
    return node->never || node->types || node->values || node->value
           || node->ref || node->dynamic_ref || node->number || node->string
           || node->array || node->object || node->logic;
}

static node_t *make_node(compiler_t *c, mastra_json_t *json,
                         const char *location, resource_t *resource)
{
    node_t *node = apr_pcalloc(c->pool, sizeof(*node));

    node->json = json;
    node->location = location;
    node->resource = resource;
    return node;
}

node_t *mastra_schema_node(compiler_t *c, mastra_json_t *json,
                           const char *location, resource_t *resource)
{
    node_t *node;

    if (mastra_json_is_bool(json)) {
        /* the two values are shared by all documents: no look-up by address */
        node = make_node(c, json, location, resource);
        node->never = !mastra_json_is_true(json);
        node->trivial = !node->never;
        return node;
    }
    if (!mastra_json_is_object(json)) {
        mastra_schema_fault(c, location,
                            "a schema must be an object or a boolean");
        return NULL;
    }
    node = apr_hash_get(c->nodes, &json, sizeof(json));
    if (node) {
        return node;
    }
    if (++c->depth > NESTING_MAX) {
        mastra_schema_fault(c, location, "nested too deeply");
        return NULL;
    }
    node = make_node(c, json, location, resource);
    apr_hash_set(c->nodes, &node->json, sizeof(node->json), node);
    if (!resource->root && json == resource->json) {
        resource->root = node;
    }
    identify(c, node);
    name_anchors(node);
    if (!mastra_schema_keywords(c, node)) {
        return NULL;
    }
    c->depth--;
    return node;
}

/* Whether any string is valid: what records say of their members' names. */
static int takes_any_string(const node_t *node)
{
    int i;

    for (i = 0; node && i < NESTING_MAX; i++, node = node->ref) {
        if (node->never || node->values || node->value || node->string
            || node->logic || node->dynamic_ref
            || (node->types && !(node->types & TYPE_STRING))) {
            return 0;
        }
    }
    return !node;
}

/* Rules that references add come last, and so does what depends on them. */
static void settle(compiler_t *c)
{
    apr_hash_index_t *i;
    void *value;
    node_t *node;

    for (i = apr_hash_first(c->pool, c->nodes); i; i = apr_hash_next(i)) {
        apr_hash_this(i, NULL, NULL, &value);
        node = value;
        node->trivial = !has_rules(node);
        if (node->logic && node->logic->one.count > 1) {
            node->logic->tag = mastra_schema_tag(&node->logic->one, c->pool);
        }
        if (node->object) {
            node->object->names_matter = node->object->names
                                         && !takes_any_string(
                                                node->object->names);
        }
    }
}

apr_status_t mastra_schema_compile(const mastra_schema_t **pschema,
                                   mastra_json_t *document,
                                   mastra_result_t **perror, apr_pool_t *pool)
{
    compiler_t c = { .pool = pool };
    resource_t *resource;

    c.schema = apr_pcalloc(pool, sizeof(*c.schema));
    c.nodes = apr_hash_make(pool);
    c.resources = apr_hash_make(pool);
    c.pending = apr_array_make(pool, 8, sizeof(void *));
    mastra_json_own(mastra_json_ref(document), pool);
    resource = mastra_schema_resource(&c, "", document, DRAFT_2020);
    c.schema->root = mastra_schema_node(&c, document, "#", resource);
    if (!c.schema->root || !mastra_schema_resolve_all(&c)) {
        if (perror) {
            *perror = c.error;
        }
        return APR_EINVAL;
    }
    settle(&c);
    *pschema = c.schema;
    return APR_SUCCESS;
}
