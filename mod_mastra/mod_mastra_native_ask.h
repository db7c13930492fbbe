#ifndef MOD_MASTRA_NATIVE_ASK_H
#define MOD_MASTRA_NATIVE_ASK_H

#include "http/stream.h"
#include "mod_mastra.h"
#include "mod_mastra_native.h"

/*
 * What another module asks, as work of this one; or as its answer, when there
 * is nothing to do for it.
 */
typedef enum {
    MASTRA_ASK_GENERATE, MASTRA_ASK_STREAM, MASTRA_ASK_TOOL,
    MASTRA_ASK_START, MASTRA_ASK_RESUME, MASTRA_ASK_WATCH,   /* workflows */
    MASTRA_ASK_MEMORY
} mastra_native_ask_e;

typedef struct {
    mastra_host_t *host;
    const mastra_work_vtable_t *vtable;
    void *work;              /* NULL: the answer stands */
    int status;
    char *text;              /* from malloc, or NULL */
    apr_size_t len;
} mastra_native_plan_t;

/* An ask of whatever version as one of ours, whole: with an id and with JSON.
 * APR_EINVAL: it cannot be read. */
apr_status_t mastra_native_read_ask(mastra_ask_t *to, const mastra_ask_t *from,
                                    int whole);
/* The request context that ask has for json's; NULL json: none of a client. */
apr_status_t mastra_native_context(mastra_json_t **pcontext,
                                   const mastra_ask_t *ask,
                                   mastra_json_t *json, apr_pool_t *pool);
/* Fills plan, which is zero at first. APR_EINVAL: no request context. */
apr_status_t mastra_native_plan(mastra_native_plan_t *plan,
                                mastra_host_t *host, const mastra_ask_t *ask,
                                mastra_native_ask_e what, apr_pool_t *pool);

/* The answer of a route of memory; waits for storage. path may have a query.
 * APR_EINVAL: there is no such route. */
apr_status_t mastra_native_plan_memory(mastra_native_plan_t *plan,
                                       const mastra_ask_t *ask,
                                       const char *method, const char *path,
                                       apr_pool_t *pool);

/* The answer. */
void mastra_native_plan_json(mastra_native_plan_t *plan, int status,
                             const mastra_json_t *json);
void mastra_native_plan_error(mastra_native_plan_t *plan,
                              const mastra_result_t *error, const char *log_id,
                              apr_pool_t *pool);
void mastra_native_plan_agents(mastra_native_plan_t *plan,
                               mastra_host_t *host);

#endif
