#ifndef MASTRA_HTTP_CUSTOM_H
#define MASTRA_HTTP_CUSTOM_H

#include "middleware.h"
#include "stream.h"

/*
 * What the configuration adds to a host: routes of its own with their targets,
 * middleware before and behind handlers, a target that answers for errors.
 */

/* A line of MastraMiddleware, or a target of middleware= of a route. */
typedef struct {
    const char *name;            /* as it was configured, for the log */
    const char *pattern;         /* of paths; NULL: all */
    const char *uri;             /* local path that is asked, or NULL: */
    void *instance;              /* functions of another module; either may
                                    be NULL */
    int (*before)(void *instance, mastra_req_t *req);
    int (*after)(void *instance, mastra_req_t *req);
} mastra_middleware_t;

/* A line of MastraRoute. Read-only once the configuration stands. */
typedef struct mastra_custom_t {
    mastra_route_t row;          /* first: the router's handlers get it */
    const char *target;          /* path with or without a query string, or id
                                    of an agent or a workflow, or name of a
                                    provider */
    mastra_frame_e frame;        /* of the answer of those */
    int keep;                    /* on-disconnect=continue */
    const apr_array_header_t *middleware;    /* mastra_middleware_t *, or
                                                NULL */
    const mastra_cors_t *cors;   /* NULL: as the path has it */
    mastra_json_t *openapi;      /* its operation object, or NULL */
    void *instance;              /* of a provider */
    int (*handle)(void *instance, mastra_req_t *req);
    apr_status_t (*init)(void *instance, server_rec *s, apr_pool_t *pool);
    int failed;                  /* in a child: init has */
} mastra_custom_t;

/* 1: path is one of pattern, in which a star or a :name stands for a segment,
 * and a star at the end for all that follows. */
int mastra_middleware_fits(const char *pattern, const char *path);

/* --- handlers of rows ------------------------------------------------------ */

/* Any handler of httpd, by an internal redirect. */
mastra_handler mastra_forward_handle;
/* A function of another module. */
mastra_handler mastra_custom_call;
/* An agent: in api/, as it answers as those routes do. */
mastra_handler mastra_custom_agent;
extern const char mastra_custom_agent_query[], mastra_custom_agent_body[];
/* A workflow: a new run each time, which goes on when the client leaves. */
mastra_handler mastra_custom_workflow;
extern const char mastra_custom_workflow_query[],
    mastra_custom_workflow_body[];

/* --- hooks of httpd -------------------------------------------------------- */

/* post_read_request of an internal redirect: what the handler is told. */
void mastra_forward_tell(request_rec *r);
void mastra_forward_register_hooks(void);
/* log_transaction: MastraRequestLog. */
void mastra_request_log(const mastra_host_t *host, request_rec *r);

#endif
