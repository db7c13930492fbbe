#ifndef MASTRA_HTTP_INTERNAL_H
#define MASTRA_HTTP_INTERNAL_H

/* What the files of http/ share and nobody else needs. */

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "../schema/schema.h"
#include "middleware.h"
#include "request.h"
#include "router.h"

APLOG_USE_MODULE(mastra);

#define MASTRA_MAX_PARAMS 8
#define MASTRA_BAD_BODY "Invalid request body"

/* A row of a route table with its schemas compiled. */
typedef struct mastra_compiled_t {
    const mastra_route_t *row;
    const mastra_schema_t *query, *body;
    const char *names[MASTRA_MAX_PARAMS];
    int nparams;
    int query_idle;          /* no query string: nothing to check or fill in */
    int body_optional;       /* an absent body is accepted as {} */
    const char *permission;  /* that its callers need */
    struct mastra_compiled_t *next;   /* other methods of the same path */
} mastra_compiled_t;

typedef enum {
    MASTRA_BODY_UNREAD, MASTRA_BODY_READ, MASTRA_BODY_BAD
} mastra_body_e;

/* Whose turn it is: middleware.c. */
typedef enum {
    MASTRA_STAGE_NONE, MASTRA_STAGE_AUTHENTICATE, MASTRA_STAGE_AUTHORIZE,
    MASTRA_STAGE_BEFORE, MASTRA_STAGE_WORK, MASTRA_STAGE_ERROR,
    MASTRA_STAGE_AFTER
} mastra_stage_e;

/* A mastra_req_t and what handlers need not see. */
typedef struct {
    mastra_req_t req;        /* first: handlers are given this */
    const mastra_compiled_t *route;
    const char *values[MASTRA_MAX_PARAMS];

    mastra_body_e body_state;
    int body_rv;             /* bad: the status, or -1 and one of the next */
    mastra_result_t *body_error;
    const char *body_fault;
    const char *body_text;   /* for hooks; NULL: not asked for */
    apr_size_t body_len;
    char *raw;               /* of MASTRA_ROUTE_RAW_BODY: malloc, or NULL */
    apr_size_t raw_len;

    int hooked;              /* 1: hooks have a say in it */
    apr_array_header_t *passed; /* const mastra_middleware_t *: those that want
                                to hear of the end, or NULL */
    mastra_stage_e stage;
    mastra_answered_t instead;
    mastra_json_t *own_context; /* what hooks set, over the client's */
    apr_time_t due;          /* deadline.c: when the answer must begin; 0: not
                                asked for */
    struct mastra_deadline_t *deadline;
    int late;                /* mastra_late_e, once it is known */
    int late_said;           /* the client was told by a filter */
    mastra_captured_t *captured; /* where the answer goes; NULL: to a client */
} mastra_full_req_t;

/* validate.c: each returns 1 to go on, or 0 when *panswer is what the handler
 * returns because the answer was given. */
int mastra_validate_body_read(int *panswer, mastra_full_req_t *full);
/* Reads the body into req->body, or notes why that cannot be; once. */
void mastra_validate_body_load(mastra_full_req_t *full);
/* The request context that the client sent: in the body, if that was read, or
 * in the query. NULL: none. */
mastra_json_t *mastra_validate_client_context(mastra_full_req_t *full);
int mastra_validate_query(int *panswer, mastra_full_req_t *full);
int mastra_validate_body(int *panswer, mastra_full_req_t *full);

/* middleware.c: as those of validate.c; not for public routes. */
int mastra_middleware_authenticate(int *panswer, mastra_full_req_t *full);
int mastra_middleware_enter(int *panswer, mastra_full_req_t *full);
/* Asks one more; 1: go on. */
int mastra_middleware_ask(int *panswer, mastra_full_req_t *full,
                          int (*hook)(void *instance, mastra_req_t *req),
                          void *instance);
/* {"error":…} in plain words for a status that is all that somebody said. */
int mastra_middleware_refuse(mastra_req_t *req, int status);

/* chain.c: MastraMiddleware, as those of validate.c. */
int mastra_chain_before(int *panswer, mastra_full_req_t *full);
void mastra_chain_after(mastra_full_req_t *full);

/* context.c: the request context of the handler, as those of validate.c. */
int mastra_context_take(int *panswer, mastra_full_req_t *full);
/* Sets the one that is known before the checks: for middleware. */
void mastra_context_show(mastra_full_req_t *full);

/* told.c: what handlers of httpd are told of a request, in environment and
 * headers of to. An answer was given: 0. */
int mastra_told_check(int *panswer, mastra_full_req_t *full);
void mastra_told_set(mastra_full_req_t *full, request_rec *to);

/* forward.c: the body that was read can be read again. */
void mastra_forward_body(mastra_full_req_t *full);
/* Who wants to hear of the end of full hears of it although its
 * answer is written by somebody else. */
void mastra_forward_follow(mastra_full_req_t *full);

/* onerror.c: MastraOnError answers in our place. 0: there is none for this. */
int mastra_onerror_reply(int *panswer, mastra_req_t *req,
                         const mastra_result_t *error, const char *text);

/* access.c: as those of validate.c. Who asks, before anything of the request
 * is read; what they may do and what is theirs, once it was. */
int mastra_access_enter(int *panswer, mastra_full_req_t *full);
int mastra_access_check(int *panswer, mastra_full_req_t *full);
/* Sets what the server knows of the caller over what the client says. */
void mastra_access_context(mastra_full_req_t *full);

/* error.c */
int mastra_reply_issues(mastra_req_t *req, const char *error,
                        mastra_json_t *issues);
int mastra_reply_issue(mastra_req_t *req, const char *error, const char *field,
                       const char *message);

/* cors.c: the answer to OPTIONS. */
int mastra_cors_preflight(mastra_req_t *req);

#endif
