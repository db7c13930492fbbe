/* URIs, and from references to the nodes that they mean. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

typedef struct {
    node_t *node;
    const char *uri, *fragment;
    int dynamic;
} reference_t;

/* --- URIs (RFC 3986, section 5) ------------------------------------------ */

typedef struct {
    const char *scheme, *authority, *path, *query;       /* NULL: none */
} uri_t;

static apr_size_t scheme_len(const char *s)
{
    apr_size_t n = strcspn(s, ":/?#");

    return s[n] == ':' ? n : 0;
}

static void split(uri_t *uri, const char *s, apr_pool_t *pool)
{
    apr_size_t n = scheme_len(s);

    memset(uri, 0, sizeof(*uri));
    if (n) {
        uri->scheme = apr_pstrmemdup(pool, s, n);
        s += n + 1;
    }
    if (s[0] == '/' && s[1] == '/') {
        n = strcspn(s + 2, "/?");
        uri->authority = apr_pstrmemdup(pool, s + 2, n);
        s += n + 2;
    }
    n = strcspn(s, "?");
    uri->path = apr_pstrmemdup(pool, s, n);
    if (s[n] == '?') {
        uri->query = apr_pstrdup(pool, s + n + 1);
    }
}

/* "." and ".." are taken out; path is changed. */
static const char *plain_path(char *path)
{
    char *from = path, *to = path;

    while (*from) {
        apr_size_t n = 1 + strcspn(from + 1, "/");

        if ((n == 2 && !strncmp(from, "/.", 2))
            || (n == 3 && !strncmp(from, "/..", 3))) {
            if (n == 3) {
                while (to > path && *--to != '/') {
                }
            }
            if (!from[n]) {
                *to++ = '/';
            }
        }
        else {
            memmove(to, from, n);
            to += n;
        }
        from += n;
    }
    *to = '\0';
    return path;
}

static const char *merge_paths(const uri_t *base, const char *path,
                               apr_pool_t *pool)
{
    const char *slash = strrchr(base->path, '/');

    if (base->authority && !*base->path) {
        return apr_pstrcat(pool, "/", path, NULL);
    }
    if (!slash) {
        return path;
    }
    return apr_pstrcat(pool, apr_pstrmemdup(pool, base->path,
                                            slash + 1 - base->path),
                       path, NULL);
}

static const char *join(const uri_t *uri, apr_pool_t *pool)
{
    return apr_pstrcat(pool, uri->scheme ? uri->scheme : "",
                       uri->scheme ? ":" : "", uri->authority ? "//" : "",
                       uri->authority ? uri->authority : "", uri->path,
                       uri->query ? "?" : "", uri->query ? uri->query : "",
                       NULL);
}

static const char *resolve(const char *base_text, const char *ref,
                           apr_pool_t *pool)
{
    uri_t base, uri;

    if (!*ref) {
        return base_text;
    }
    split(&base, base_text, pool);
    split(&uri, ref, pool);
    if (!uri.scheme) {
        uri.scheme = base.scheme;
        if (!uri.authority) {
            uri.authority = base.authority;
            if (!*uri.path) {
                uri.path = base.path;
                uri.query = uri.query ? uri.query : base.query;
            }
            else if (*uri.path != '/') {
                uri.path = merge_paths(&base, uri.path, pool);
            }
        }
    }
    if (*uri.path == '/') {
        uri.path = plain_path(apr_pstrdup(pool, uri.path));
    }
    return join(&uri, pool);
}

const char *mastra_schema_uri(const char **pfragment, const char *base,
                              const char *ref, apr_pool_t *pool)
{
    const char *hash = strchr(ref, '#');

    *pfragment = hash ? hash + 1 : "";
    if (hash) {
        ref = apr_pstrmemdup(pool, ref, hash - ref);
    }
    return resolve(base, ref, pool);
}

/* --- targets ------------------------------------------------------------- */

void mastra_schema_refer(compiler_t *c, node_t *node, const char *ref,
                         int dynamic)
{
    reference_t *reference = apr_pcalloc(c->pool, sizeof(*reference));

    reference->node = node;
    reference->dynamic = dynamic;
    reference->uri = mastra_schema_uri(&reference->fragment,
                                       node->resource->uri, ref, c->pool);
    APR_ARRAY_PUSH(c->pending, reference_t *) = reference;
}

/* The schemas of schemas are compiled when something refers to them. */
static resource_t *load_meta(compiler_t *c, const char *uri)
{
    mastra_json_t *json = NULL;
    resource_t *resource;
    const char *text;
    draft_e draft;

    text = mastra_schema_meta(uri, &draft);
    if (!text || mastra_json_parse(&json, text, strlen(text), 0, NULL)
                 != APR_SUCCESS) {
        return NULL;
    }
    mastra_json_own(json, c->pool);
    resource = mastra_schema_resource(c, uri, json, draft);
    return mastra_schema_node(c, json, apr_pstrcat(c->pool, uri, "#", NULL),
                              resource) ? resource : NULL;
}

/* One step of a JSON pointer, its escapes undone; *ps is at its slash and
 * goes to the next. Steps may be empty. */
static const char *next_step(const char **ps, apr_pool_t *pool)
{
    const char *s = *ps + 1, *end = s + strcspn(s, "/");
    char *out = apr_palloc(pool, end - s + 1), *to = out;

    while (s < end) {
        if (*s == '~' && end - s > 1 && (s[1] == '0' || s[1] == '1')) {
            *to++ = s[1] == '0' ? '~' : '/';
            s += 2;
        }
        else {
            *to++ = *s++;
        }
    }
    *to = '\0';
    *ps = end;
    return out;
}

static mastra_json_t *element(mastra_json_t *array, const char *step)
{
    char *end;
    unsigned long index = strtoul(step, &end, 10);

    if (*end || *step < '0' || *step > '9' || (*step == '0' && step[1])) {
        return NULL;
    }
    return mastra_json_at(array, index);
}

/* Walks a JSON pointer; what it means is a schema when something refers to
 * it, also where no keyword expects one. */
static node_t *by_pointer(compiler_t *c, resource_t *resource,
                          const char *pointer)
{
    const char *location = resource->root ? resource->root->location : "#";
    mastra_json_t *json = resource->json;
    node_t *node;

    for (;;) {
        const char *step = next_step(&pointer, c->pool);

        location = mastra_schema_step(c, location, step);
        json = mastra_json_is_array(json) ? element(json, step)
                                          : mastra_json_get(json, step);
        if (!json) {
            return NULL;
        }
        if (!*pointer) {
            break;
        }
        node = apr_hash_get(c->nodes, &json, sizeof(json));
        if (node) {
            resource = node->resource;
        }
    }
    c->depth = 0;
    return mastra_schema_node(c, json, location, resource);
}

static node_t *target(compiler_t *c, const reference_t *reference)
{
    const char *fragment;
    resource_t *resource;

    resource = apr_hash_get(c->resources, reference->uri,
                            APR_HASH_KEY_STRING);
    if (!resource) {
        resource = load_meta(c, reference->uri);
    }
    if (!resource
        || mastra_text_url_decode(&fragment, reference->fragment,
                                  strlen(reference->fragment), 0, c->pool)
           != APR_SUCCESS) {
        return NULL;
    }
    if (!*fragment) {
        return resource->root;
    }
    if (*fragment == '/') {
        return by_pointer(c, resource, fragment);
    }
    return apr_hash_get(resource->anchors, fragment, APR_HASH_KEY_STRING);
}

static int resolve_one(compiler_t *c, const reference_t *reference)
{
    node_t *node = reference->node, *to = target(c, reference);

    if (!to) {
        return mastra_schema_fault(c, node->location,
                                   "the reference to \"%s%s%s\" leads nowhere",
                                   reference->uri,
                                   *reference->fragment ? "#" : "",
                                   reference->fragment);
    }
    if (!reference->dynamic) {
        node->ref = to;
        return 1;
    }
    node->dynamic_ref = to;
    if (apr_hash_get(to->resource->dynamic, reference->fragment,
                     APR_HASH_KEY_STRING) == to) {
        node->dynamic_name = reference->fragment;
        c->schema->has_dynamic = 1;
    }
    return 1;
}

/* A chain of references that comes back without looking into the value. */
static int is_loop(const node_t *node)
{
    const node_t *slow = node, *fast = node;

    do {
        slow = slow->ref;
        fast = fast->ref ? fast->ref->ref : NULL;
    } while (fast && fast != slow);
    return fast != NULL;
}

int mastra_schema_resolve_all(compiler_t *c)
{
    const reference_t *reference;
    int i;

    /* resolving may compile more, and so find more references */
    for (i = 0; i < c->pending->nelts; i++) {
        reference = APR_ARRAY_IDX(c->pending, i, reference_t *);
        if (!resolve_one(c, reference)) {
            return 0;
        }
    }
    for (i = 0; i < c->pending->nelts; i++) {
        reference = APR_ARRAY_IDX(c->pending, i, reference_t *);
        if (is_loop(reference->node)) {
            return mastra_schema_fault(c, reference->node->location,
                                       "the references go in a circle");
        }
    }
    return 1;
}
