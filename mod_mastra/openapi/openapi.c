/* The document: paths of all routes, and what they share. */
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define DOCUMENT_LIMIT (16 * 1024 * 1024)

static const char about[] = "Mastra Server API";

/* --- paths ------------------------------------------------------------------ */

/* /agents/:agentId -> /agents/{agentId}; a star takes the rest of a path,
 * which OpenAPI has no word for: it becomes a parameter. */
static const char *braced(const char *path, apr_pool_t *pool)
{
    const char *made = "";

    while (*path == '/') {
        apr_size_t len = strcspn(++path, "/");
        const char *segment = apr_pstrmemdup(pool, path, len);

        if (*segment == ':') {
            segment = apr_pstrcat(pool, "{", segment + 1, "}", NULL);
        }
        else if (*segment == '*') {
            segment = apr_pstrcat(pool, "{", segment[1] ? segment + 1 : "path",
                                  "}", NULL);
        }
        made = apr_pstrcat(pool, made, "/", segment, NULL);
        path += len;
    }
    return made;
}

/* 1: they differ in the names of parameters at most. */
static int same_shape(const char *a, const char *b)
{
    while (*a && *b) {
        if (*a == '{' && *b == '{') {
            a = strchr(a, '}');
            b = strchr(b, '}');
            if (!a || !b) {
                return 0;
            }
        }
        if (*a++ != *b++) {
            return 0;
        }
    }
    return *a == *b;
}

/* A path is there once, whatever rows call its parameters. */
static const char *key_of(const mastra_openapi_t *openapi, const char *path)
{
    void *iter;

    for (iter = mastra_json_iter(openapi->paths); iter;
         iter = mastra_json_next(openapi->paths, iter)) {
        if (same_shape(mastra_json_key(iter), path)) {
            return mastra_json_key(iter);
        }
    }
    return path;
}

/* One method of a row; given: over what the row says, or NULL. */
static void put(mastra_openapi_t *openapi, const mastra_route_t *row,
                const char *permission, const char *method,
                const mastra_json_t *given)
{
    const char *path = key_of(openapi, braced(row->path, openapi->pool));
    mastra_json_t *item = mastra_json_get(openapi->paths, path), *operation;
    char *name = apr_pstrdup(openapi->pool, method);

    ap_str_tolower(name);
    if (!item) {
        item = mastra_json_object();
        mastra_json_set(openapi->paths, path, item);
    }
    if (mastra_json_get(item, name)) {
        return;
    }
    operation = mastra_openapi_operation(openapi, row, permission, name, path);
    if (given) {
        operation = mastra_openapi_overlay(openapi, operation, given, path);
    }
    mastra_json_set(item, name, operation);
}

static void add_rows(mastra_openapi_t *openapi, const mastra_router_t *router)
{
    const mastra_route_t *row;
    const char *permission;
    int i;

    for (i = 0; (row = mastra_router_row(&permission, router, i)); i++) {
        if (!(row->flags & MASTRA_ROUTE_ALIAS)) {
            put(openapi, row, permission, row->method, NULL);
        }
    }
}

/* --- made once -------------------------------------------------------------- */

mastra_openapi_t *mastra_openapi_make(const mastra_router_t *router,
                                      const mastra_host_t *host,
                                      apr_pool_t *pool)
{
    mastra_openapi_t *openapi = apr_pcalloc(pool, sizeof(*openapi));

    openapi->pool = pool;
    openapi->host = host;
    openapi->paths = mastra_json_object();
    openapi->schemas = mastra_json_object();
    openapi->tag_list = mastra_json_array();
    openapi->ids = apr_hash_make(pool);
    openapi->tags = apr_hash_make(pool);
    add_rows(openapi, router);
    return openapi;
}

void mastra_openapi_add(mastra_openapi_t *openapi, const mastra_route_t *row,
                        const mastra_json_t *operation)
{
    static const char *const all[] = { "GET", "POST", "PUT", "DELETE", "PATCH",
                                       NULL };
    const char *permission = mastra_auth_permission(row, openapi->pool);
    int i;

    for (i = 0; all[i]; i++) {
        if (!strcmp(row->method, all[i]) || !strcmp(row->method, "ALL")) {
            put(openapi, row, permission, all[i], operation);
        }
    }
}

static mastra_json_t *error_schema(void)
{
    return mastra_json_pack(
        "{s:s, s:{s:{}, s:{s:s, s:{s:s, s:{s:{s:s}, s:{s:s}}}}}, s:[s]}",
        "type", "object", "properties", "error", "issues", "type", "array",
        "items", "type", "object", "properties", "field", "type", "string",
        "message", "type", "string", "required", "error");
}

const char *mastra_openapi_finish(mastra_openapi_t *openapi)
{
    mastra_json_t *document;
    mastra_buf_t buf;
    apr_status_t rv;

    mastra_json_set(openapi->schemas, "Error", error_schema());
    document = mastra_json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s}], s:o, s:o, s:o, "
        "s:{s:o, s:o, s:o}}",
        "openapi", "3.1.0", "info", "title", "Mastra API", "version", "1.0.0",
        "description", about, "license", "name", "Apache-2.0", "identifier",
        "Apache-2.0", "servers", "url", openapi->host->prefix, "security",
        mastra_openapi_security(openapi), "tags", openapi->tag_list, "paths",
        openapi->paths, "components", "schemas", openapi->schemas, "responses",
        mastra_openapi_responses(), "securitySchemes",
        mastra_openapi_schemes(openapi));
    openapi->paths = openapi->schemas = openapi->tag_list = NULL;
    mastra_buf_init(&buf, DOCUMENT_LIMIT);
    rv = mastra_json_write(&buf, document);
    if (rv == APR_SUCCESS) {
        openapi->text = apr_pstrmemdup(openapi->pool, buf.data, buf.len);
        openapi->len = buf.len;
    }
    else if (!openapi->wrong) {
        openapi->wrong = "the OpenAPI document is too large";
    }
    mastra_buf_free(&buf);
    mastra_json_unref(document);
    return openapi->wrong;
}
