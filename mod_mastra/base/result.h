#ifndef MASTRA_BASE_RESULT_H
#define MASTRA_BASE_RESULT_H

#include <apr_pools.h>
#include <apr_errno.h>

#include "json.h"

/*
 * The one error type. Lower layers fill it, http/error.c alone turns it into
 * an answer. All strings live in the pool given at creation.
 */
typedef struct mastra_result_t {
    int status;          /* HTTP status that fits, 200 when all is well */
    const char *code;    /* stable upper-case id, e.g. "MODEL_TIMEOUT" */
    const char *message; /* for the client: no secret, path or upstream body */
    const char *cause;   /* for the log only, may be NULL */
    mastra_json_t *detail; /* members merged into the error body, or NULL;
                              released with the pool */
    int retry_after;     /* seconds for Retry-After, 0: none */
} mastra_result_t;

/* A new result in pool; fmt gives the message. Never NULL. */
mastra_result_t *mastra_result_make(apr_pool_t *pool, int status,
                                    const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Sets what only the log shall say; returns result. */
mastra_result_t *mastra_result_cause(mastra_result_t *result, apr_pool_t *pool,
                                     const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The apr_status_t rv of an operation (what: "read threads") as a 5xx
 * result with a neutral message, rv's text in cause. */
mastra_result_t *mastra_result_from_apr(apr_pool_t *pool, apr_status_t rv,
                                        const char *what);

/* A deep copy of result in pool. */
mastra_result_t *mastra_result_copy(apr_pool_t *pool,
                                    const mastra_result_t *result);

/* {"error":message, …detail}: the body that clients see. New reference. */
mastra_json_t *mastra_result_to_json(const mastra_result_t *result);

#endif
