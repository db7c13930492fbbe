#ifndef MASTRA_HTTP_INTERNAL_H
#define MASTRA_HTTP_INTERNAL_H

/* What the files of http/ share and nobody else needs. */

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "../schema/schema.h"
#include "request.h"
#include "router.h"

APLOG_USE_MODULE(mastra);

#define MASTRA_MAX_PARAMS 8

/* A row of a route table with its schemas compiled. */
typedef struct mastra_compiled_t {
    const mastra_route_t *row;
    const mastra_schema_t *query, *body;
    const char *names[MASTRA_MAX_PARAMS];
    int nparams;
    int query_idle;          /* no query string: nothing to check or fill in */
    int body_optional;       /* an absent body is accepted as {} */
    struct mastra_compiled_t *next;   /* other methods of the same path */
} mastra_compiled_t;

/* A mastra_req_t and what handlers need not see. */
typedef struct {
    mastra_req_t req;        /* first: handlers are given this */
    const mastra_compiled_t *route;
    const char *values[MASTRA_MAX_PARAMS];
} mastra_full_req_t;

/* validate.c: each returns 1 to go on, or 0 when *panswer is what the handler
 * returns because the answer was given. */
int mastra_validate_body_read(int *panswer, mastra_full_req_t *full);
int mastra_validate_query(int *panswer, mastra_full_req_t *full);
int mastra_validate_body(int *panswer, mastra_full_req_t *full);

/* error.c */
int mastra_reply_issues(mastra_req_t *req, const char *error,
                        mastra_json_t *issues);
int mastra_reply_issue(mastra_req_t *req, const char *error, const char *field,
                       const char *message);
/* The text of a status that has no JSON body ("404 Not Found"). */
int mastra_reply_plain(mastra_req_t *req, int status);

/* cors.c: the answer to OPTIONS. */
int mastra_cors_preflight(mastra_req_t *req);

#endif
