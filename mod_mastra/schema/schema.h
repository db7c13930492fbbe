#ifndef MASTRA_SCHEMA_SCHEMA_H
#define MASTRA_SCHEMA_SCHEMA_H

#include "../base/json.h"
#include "../base/result.h"

/*
 * JSON Schema, draft 2020-12 and draft-07 (by $schema, 2020-12 without).
 * A compiled schema is read-only and shared by threads; it lives in the pool
 * that it was compiled into.
 */
typedef struct mastra_schema_t mastra_schema_t;

/* Compiles document (referenced until pool is cleared). APR_EINVAL and
 * *perror {path of the fault, why} when it is not usable: unknown type, bad
 * pattern, $ref that leads nowhere, … */
apr_status_t mastra_schema_compile(const mastra_schema_t **pschema,
                                   mastra_json_t *document,
                                   mastra_result_t **perror, apr_pool_t *pool);

/* One failure: instance path ("a.b.0", "" for the root), keyword, the schema
 * location ("#/properties/a/type"), and a sentence in the style that the
 * contract shows ("Invalid input: expected string, received number"). */
typedef struct {
    const char *path;
    const char *keyword;
    const char *location;
    const char *message;
} mastra_schema_error_t;

typedef struct {
    const mastra_schema_error_t *errors;
    int count;
    int truncated;           /* more than MASTRA_SCHEMA_MAX_ERRORS */
} mastra_schema_errors_t;

#define MASTRA_SCHEMA_MAX_ERRORS 64

/* instance NULL: "undefined" (an absent body). 1 valid, 0 not: then *perrors
 * (may be NULL) in pool. Bounded: depth 256, and a work limit (a schema that
 * explodes is reported as invalid with keyword "limit"). Any thread. */
int mastra_schema_validate(const mastra_schema_t *schema,
                           const mastra_json_t *instance,
                           mastra_schema_errors_t *perrors, apr_pool_t *pool);

/* Query strings as typed values: an object of strings (or arrays of strings
 * for repeated keys) becomes, member by member and as the schema's properties
 * ask, numbers ("abc": NaN, which fails as the contract shows), booleans,
 * parsed JSON for objects and arrays; unknown members are dropped, defaults
 * filled in. New reference. */
mastra_json_t *mastra_schema_coerce_query(const mastra_schema_t *schema,
                                          const mastra_json_t *strings);
/* Fills in missing members that have a default, in place, recursively. */
void mastra_schema_fill_defaults(const mastra_schema_t *schema,
                                 mastra_json_t *instance);

/* [{"field":"a.b","message":"…"}] ("root" for the empty path): the "issues"
 * of a 400 answer. New reference. */
mastra_json_t *mastra_schema_issues(const mastra_schema_errors_t *errors);

#endif
