/* Schemas of routes as parts of one document: what a reference within a schema
 * names has to be found from the document's root. */
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define DEFS "#/$defs/"
#define COMPONENTS "#/components/schemas/"

typedef struct {
    mastra_openapi_t *openapi;
    const char *id;
    int whole;                   /* something refers to all of the schema */
} move_t;

static void move_refs(move_t *move, mastra_json_t *value)
{
    const char *ref = mastra_json_get_str(value, "$ref"), *to = NULL;
    apr_pool_t *pool = move->openapi->pool;
    apr_size_t i;
    void *iter;

    if (mastra_json_is_array(value)) {
        for (i = 0; i < mastra_json_size(value); i++) {
            move_refs(move, mastra_json_at(value, i));
        }
        return;
    }
    if (!mastra_json_is_object(value)) {
        return;
    }
    if (ref && !strncmp(ref, DEFS, strlen(DEFS))) {
        to = apr_pstrcat(pool, COMPONENTS, move->id, ".", ref + strlen(DEFS),
                         NULL);
    }
    else if (ref && !strcmp(ref, "#")) {
        to = apr_pstrcat(pool, COMPONENTS, move->id, NULL);
        move->whole = 1;
    }
    if (to) {
        mastra_json_set_str(value, "$ref", to);
    }
    for (iter = mastra_json_iter(value); iter;
         iter = mastra_json_next(value, iter)) {
        move_refs(move, mastra_json_value(iter));
    }
}

static void move_definitions(move_t *move, mastra_json_t *schema)
{
    mastra_json_t *defs = mastra_json_get(schema, "$defs");
    apr_pool_t *pool = move->openapi->pool;
    void *iter;

    for (iter = mastra_json_iter(defs); iter;
         iter = mastra_json_next(defs, iter)) {
        mastra_json_set(move->openapi->schemas,
                        apr_pstrcat(pool, move->id, ".",
                                    mastra_json_key(iter), NULL),
                        mastra_json_ref(mastra_json_value(iter)));
    }
    mastra_json_del(schema, "$defs");
}

mastra_json_t *mastra_openapi_schema(mastra_openapi_t *openapi,
                                     const char *text, const char *id)
{
    move_t move = { openapi, id, 0 };
    mastra_json_t *schema, *whole;
    mastra_json_error_t fault;

    if (mastra_json_parse(&schema, text, strlen(text), 0, &fault)
        != APR_SUCCESS) {
        openapi->wrong = apr_psprintf(openapi->pool, "schema of %s: %s", id,
                                      fault.message);
        return NULL;
    }
    move_refs(&move, schema);
    move_definitions(&move, schema);
    if (!move.whole) {
        return schema;
    }
    whole = mastra_json_object();
    mastra_json_set_str(whole, "$ref", apr_pstrcat(openapi->pool, COMPONENTS,
                                                   id, NULL));
    mastra_json_set(openapi->schemas, id, schema);
    return whole;
}
