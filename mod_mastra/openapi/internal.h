#ifndef MASTRA_OPENAPI_INTERNAL_H
#define MASTRA_OPENAPI_INTERNAL_H

/* What the files of openapi/ share and nobody else needs. */

#include <apr_hash.h>

#include "openapi.h"

struct mastra_openapi_t {
    apr_pool_t *pool;
    const mastra_host_t *host;
    mastra_json_t *paths, *schemas;
    apr_hash_t *ids;             /* operationIds that are taken */
    apr_hash_t *tags;
    mastra_json_t *tag_list;
    const char *wrong;           /* the first fault */
    /* once it is finished */
    const char *text;
    apr_size_t len;
};

/* schema.c: the value of a JSON Schema's text, with what its references name
 * moved to the document's components under names that begin with id. New
 * reference, NULL: wrong is set. */
mastra_json_t *mastra_openapi_schema(mastra_openapi_t *openapi,
                                     const char *text, const char *id);

/* operation.c: the operation of a row for a method (in small letters) and a path
 * with braces. New reference. */
mastra_json_t *mastra_openapi_operation(mastra_openapi_t *openapi,
                                        const mastra_route_t *row,
                                        const char *permission,
                                        const char *method, const char *path);
/* Puts what given says over it; takes operation over. */
mastra_json_t *mastra_openapi_overlay(mastra_openapi_t *openapi,
                                      mastra_json_t *operation,
                                      const mastra_json_t *given,
                                      const char *path);
/* components.responses and components.securitySchemes */
mastra_json_t *mastra_openapi_responses(void);
mastra_json_t *mastra_openapi_schemes(const mastra_openapi_t *openapi);
/* What callers have to show where somebody has to be known. */
mastra_json_t *mastra_openapi_security(const mastra_openapi_t *openapi);

/* answers.c: the JSON Schema of what a route answers, or NULL. */
const char *mastra_openapi_answer(const mastra_route_t *row, apr_pool_t *pool);

/* Its lists; the schema has apostrophes for quotes. NULL ends one. */
typedef struct {
    const char *method, *path, *schema;
} mastra_answer_t;
extern const mastra_answer_t mastra_answers_workflows[];

#endif
