#ifndef MASTRA_HTTP_ROUTER_H
#define MASTRA_HTTP_ROUTER_H

#include <httpd.h>

#include "host.h"

/*
 * Routes are rows of const tables, one table per file of api/. Router,
 * validation, permissions, OpenAPI and docs read the same rows.
 */
typedef struct mastra_req_t mastra_req_t;
typedef int (mastra_handler)(mastra_req_t *req);

enum {
    MASTRA_ROUTE_PUBLIC = 1,     /* no authentication, no middleware */
    MASTRA_ROUTE_OUTSIDE = 2,    /* path is not below the API prefix */
    MASTRA_ROUTE_STREAM = 4,     /* answers with a stream */
    MASTRA_ROUTE_ALIAS = 8,      /* an older form: not in OpenAPI */
    MASTRA_ROUTE_NO_BODY_JSON = 16, /* the handler reads the body itself */
    MASTRA_ROUTE_CUSTOM = 32,    /* of the configuration: custom.h */
    MASTRA_ROUTE_RAW_BODY = 64   /* the body is kept as it came, and JSON only
                                    if it happens to be */
};

typedef struct mastra_route_t {
    const char *method;          /* "GET", …; NULL ends a table */
    const char *path;            /* "/agents/:agentId/generate" */
    mastra_handler *handler;
    const char *summary;
    const char *tag;
    const char *permission;      /* "agents:execute"; NULL: by the rule;
                                    "": none, any known caller will do */
    const char *resource;        /* how to find what it touches:
                                    "path:threadId", "body:memory.thread",
                                    "query:threadId", or several with
                                    spaces; NULL: nothing owned */
    const char *query;           /* JSON Schemas as text, or NULL */
    const char *body;
    const char *answer;          /* for OpenAPI, or NULL */
    unsigned flags;
    apr_size_t body_limit;       /* bytes, 0: the host's */
} mastra_route_t;

/* One request: lives in r->pool, used by its handler's thread only. */
struct mastra_req_t {
    request_rec *r;
    apr_pool_t *pool;
    mastra_host_t *host;
    const mastra_route_t *route;
    mastra_json_t *query;        /* object: coerced, validated, defaults in;
                                    NULL: it would be empty */
    mastra_json_t *body;         /* validated; an absent one is {} or NULL */
    const char *id;              /* x-request-id */
    mastra_principal_t principal;
    int internal;                /* a call of this server to itself */
    const mastra_identity_t *identity; /* who asks; NULL: nobody knows, or the
                                    route is public and nobody looked */
};

/* Path parameter, decoded; NULL: the route has none such. */
const char *mastra_req_param(const mastra_req_t *req, const char *name);
/* All of them as an object; new reference. */
mastra_json_t *mastra_req_params(const mastra_req_t *req);

/* Answers; return what the handler returns. json is taken over. */
int mastra_reply_json(mastra_req_t *req, mastra_json_t *json);
int mastra_reply_json_status(mastra_req_t *req, int status,
                             mastra_json_t *json);
/* text must live as long as the request. */
int mastra_reply_text(mastra_req_t *req, const char *content_type,
                      const char *text, apr_size_t len);
int mastra_reply_error(mastra_req_t *req, const mastra_result_t *result);
/* {"error":message} */
int mastra_reply_fail(mastra_req_t *req, int status, const char *message);
/* 400: what is wrong with a parameter of the query. */
int mastra_reply_bad_query(mastra_req_t *req, const char *field,
                           const char *message);
/* What is said of a parameter that is no date. */
#define MASTRA_NO_DATE "Invalid input: expected date, received Date"
/* The text of a status that has no JSON body ("404 Not Found"). */
int mastra_reply_plain(mastra_req_t *req, int status);

/* The body that clients see for result, {"error":…} as text in pool, by the
 * same rules as mastra_reply_error: what is internal is hidden in production,
 * and found in the log by its errorId. For answers that the loop writes. */
const char *mastra_error_text(const mastra_host_t *host,
                              const char *request_id,
                              const mastra_result_t *result,
                              apr_pool_t *pool);
/* The same of an error that the log has already, under error_id. */
const char *mastra_error_text_logged(const mastra_host_t *host,
                                     const char *error_id,
                                     const mastra_result_t *result,
                                     apr_pool_t *pool);
/* When to come again, if the error says so: a table with that header, or NULL. */
apr_table_t *mastra_error_retry_after(const mastra_result_t *error,
                                      apr_pool_t *pool);
/* There is no room. Not logged for each request: there may be many. An idle
 * connection may hold a worker that others wait for, so it is closed. */
int mastra_reply_full(mastra_req_t *req);

/* Compiles tables into a router (schemas, segments); configuration time.
 * tables is NULL-terminated. NULL or what is wrong. */
typedef struct mastra_router_t mastra_router_t;
const char *mastra_router_make(mastra_router_t **prouter,
                               const mastra_route_t *const *tables,
                               apr_pool_t *pool);
/* Adds one row to a router that was made, whose path may have a star for a
 * segment, or at its end for the rest, and the method ALL. */
const char *mastra_router_add(mastra_router_t *router,
                              const mastra_route_t *row, apr_pool_t *pool);
/* The row at place i, in the order of the tables, and the permission that its
 * callers need; NULL: there are no more. */
const mastra_route_t *mastra_router_row(const char **ppermission,
                                        const mastra_router_t *router, int i);
/* For the log: each route, the permission it needs, and whose it is. */
void mastra_router_log(const mastra_router_t *router);
/* Finds, reads and validates the body, runs the handler: the content handler
 * calls it. DECLINED when the path is not ours. */
int mastra_router_handle(const mastra_router_t *router, mastra_host_t *host,
                         request_rec *r);

/* Checks body against the schema of the route of method and path (below the
 * prefix) and fills in what is missing. NULL: fine; else the answer of a
 * request that fails, with status 400. New reference. */
mastra_json_t *mastra_router_check_body(const mastra_router_t *router,
                                        const char *method, const char *path,
                                        mastra_json_t *body,
                                        apr_pool_t *pool);

/* An answer that went to no client. */
typedef struct {
    int status;
    char *text;                  /* from malloc, NULL when it is empty */
    apr_size_t len;
} mastra_captured_t;

/* What code of this process asks a route for. */
typedef struct {
    const char *method;
    const char *path;            /* below the prefix, encoded as in a URL */
    const char *query;           /* or NULL */
    const char *body;            /* JSON, or NULL */
    apr_size_t body_len;
    const mastra_principal_t *principal;
} mastra_called_t;

/* Runs the handler of a route by the same checks as a request, but that the
 * caller is this server itself. For routes whose handlers answer at once and
 * know no client: those below /memory. Worker or job thread. APR_EINVAL: it is
 * no such route. */
apr_status_t mastra_router_call(mastra_captured_t *captured,
                                const mastra_router_t *router,
                                mastra_host_t *host,
                                const mastra_called_t *called,
                                apr_pool_t *pool);

/* 1: r asks for the path of a route with MASTRA_ROUTE_OUTSIDE. */
int mastra_router_is_outside(const mastra_router_t *router, request_rec *r,
                             const char *prefix);

/* The route of the configuration that method asks for at the path of r, or
 * NULL. */
const mastra_route_t *mastra_router_custom(const mastra_host_t *host,
                                           request_rec *r, const char *method);

/* A schema of routes: an object with any members. */
#define MASTRA_SCHEMA_RECORD \
    "{\"type\":\"object\",\"propertyNames\":{\"type\":\"string\"}," \
    "\"additionalProperties\":{}}"

extern const mastra_route_t mastra_api_agents[];
extern const mastra_route_t mastra_api_agents_gone[];
extern const mastra_route_t mastra_api_enhance[];
extern const mastra_route_t mastra_api_approvals[];
extern const mastra_route_t mastra_api_networks[];
extern const mastra_route_t mastra_api_models[];
extern const mastra_route_t mastra_api_channel[];
extern const mastra_route_t mastra_api_auth[];
extern const mastra_route_t mastra_api_tools[];
extern const mastra_route_t mastra_api_memory_threads[];
extern const mastra_route_t mastra_api_memory_messages[];
extern const mastra_route_t mastra_api_memory_working[];
extern const mastra_route_t mastra_api_memory_copy[];
extern const mastra_route_t mastra_api_memory_search[];
extern const mastra_route_t mastra_api_workflows[];
extern const mastra_route_t mastra_api_workflow_runs[];
extern const mastra_route_t mastra_api_workflow_stored[];
extern const mastra_route_t mastra_api_schedules[];
extern const mastra_route_t mastra_api_background_tasks[];
extern const mastra_route_t mastra_api_lists[];
extern const mastra_route_t mastra_api_system[];

#endif
