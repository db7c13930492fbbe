#ifndef MASTRA_HTTP_AUTH_H
#define MASTRA_HTTP_AUTH_H

#include <httpd.h>
#include <ap_regex.h>

#include "../base/json.h"
#include "../net/loop.h"

struct mastra_host_t;
struct mastra_route_t;

/*
 * Who asks, what they may do and what is theirs. A host has a list of
 * providers, asked in order; what the first of them to know the caller says is
 * the identity of the request.
 */

typedef struct mastra_auth_provider_t mastra_auth_provider_t;

/* Whom a request comes from; lives as long as the request. */
typedef struct {
    mastra_json_t *user;         /* object: the claims */
    const char *id;              /* of the user, for people and logs; or NULL */
    const apr_array_header_t *roles; /* const char * */
    int system;                  /* 1: this server itself */
    const mastra_auth_provider_t *provider; /* who says so; NULL: another */
} mastra_identity_t;

typedef enum {
    MASTRA_AUTH_KNOWN,           /* an identity was found */
    MASTRA_AUTH_NOBODY,          /* no provider knows the caller */
    MASTRA_AUTH_UNAVAILABLE      /* one that may know cannot be asked */
} mastra_auth_e;

typedef enum {
    MASTRA_AUTH_MAY,
    MASTRA_AUTH_MAY_NOT,
    MASTRA_AUTH_MAY_UNKNOWN      /* who decides cannot be asked */
} mastra_auth_verdict_e;

/* Code of another module that knows callers (ask) or decides what they may
 * (may); on the thread of the request. */
typedef struct {
    mastra_auth_e (*ask)(mastra_json_t **puser, void *baton, request_rec *r,
                         const char *token);
    mastra_auth_verdict_e (*may)(void *baton, request_rec *r,
                                 const mastra_identity_t *identity,
                                 const char *permission);
    void *baton;
} mastra_auth_native_t;

/* Fills in native by name; options is JSON text. NULL, or what is wrong. */
typedef const char *(mastra_auth_find_cb)(mastra_auth_native_t *native,
                                          void *baton, const char *name,
                                          const char *options,
                                          apr_pool_t *pool);

/* A line of MastraRole. */
typedef struct {
    const char *name;
    apr_array_header_t *patterns;    /* const char *: "agents:*" */
} mastra_role_t;

/* What the directives of a host say about all of it. */
typedef struct mastra_auth_t {
    const struct mastra_host_t *host;    /* whose it is */
    const apr_array_header_t *providers; /* mastra_auth_provider_t *, or NULL:
                                            everybody may do everything */
    const apr_array_header_t *shielded;  /* ap_regex_t *; NULL: all routes */
    const apr_array_header_t *open;      /* const char *: paths, or NULL */
    const apr_array_header_t *roles;     /* mastra_role_t *, or NULL */
    const char *owner;                   /* claim, or NULL */
} mastra_auth_t;

/* --- configuration time ---------------------------------------------------- */

/* The provider of the words of a MastraAuth line. NULL or a sentence on what
 * is wrong with them. */
const char *mastra_auth_provider_make(mastra_auth_provider_t **pprovider,
                                      int argc, const char *const argv[],
                                      apr_pool_t *pool);
/* Looks up the code of other modules that providers are or ask, unless that
 * was done. NULL, or what is wrong. */
const char *mastra_auth_find_code(const mastra_auth_t *auth,
                                  mastra_auth_find_cb *find, void *baton,
                                  apr_pool_t *pool);
/* The local paths that the provider asks, or NULL: who it is, what they may. */
const char *mastra_auth_provider_path(const mastra_auth_provider_t *provider);
const char *mastra_auth_judge_path(const mastra_auth_provider_t *provider);
/* What an administrator should know about the choice made, or NULL. */
const char *mastra_auth_provider_doubt(const mastra_auth_provider_t *provider);
/* "agents:read", "agents:*", "*:read", "*". */
int mastra_auth_is_pattern(const char *text);

/* child_init: what providers need to fetch keys. */
apr_status_t mastra_auth_child_init(const mastra_auth_t *auth,
                                    mastra_loop_t *loop, apr_pool_t *pool);

/* --- requests --------------------------------------------------------------- */

int mastra_auth_is_on(const mastra_auth_t *auth);
/* 1: a browser sends by itself what some provider believes. */
int mastra_auth_is_ambient(const mastra_auth_t *auth);

/* Asks the providers, until one knows the caller. May wait for keys: on the thread of
 * the request's handler. */
mastra_auth_e mastra_auth_identify(const mastra_identity_t **pidentity,
                                   const mastra_auth_t *auth, request_rec *r);

/* Whom the claims user (taken over) describe; role_claim NULL: "role" and
 * "roles" name roles. */
mastra_identity_t *mastra_auth_identity(mastra_json_t *user,
                                        const char *role_claim,
                                        apr_pool_t *pool);

/* This server itself: it may do everything. */
const mastra_identity_t *mastra_auth_system(apr_pool_t *pool);

/* 1: whoever has the path r->uri of route must be known. */
int mastra_auth_is_needed(const mastra_auth_t *auth,
                          const struct mastra_route_t *route,
                          const request_rec *r);

/* The same of any request for path, for documents. */
int mastra_auth_needs(const mastra_auth_t *auth,
                      const struct mastra_route_t *route, const char *path);

/* The permission that a route asks for: its own, or by its path. */
const char *mastra_auth_permission(const struct mastra_route_t *route,
                                   apr_pool_t *pool);
/* 1: identity has it. NULL is nobody, who has none. */
int mastra_auth_may(const mastra_auth_t *auth,
                    const mastra_identity_t *identity, const char *permission);
/* What authorize= of the line that knew the user says about r, beside what
 * roles do. permission may be NULL. May wait, as mastra_auth_identify. */
mastra_auth_verdict_e mastra_auth_allows(const mastra_identity_t *identity,
                                         request_rec *r,
                                         const char *permission);
/* The patterns that identity's roles give, as a list; new reference. */
mastra_json_t *mastra_auth_granted(const mastra_auth_t *auth,
                                   const mastra_identity_t *identity);
/* Those of one role; NULL: there is no such role. */
mastra_json_t *mastra_auth_role(const mastra_auth_t *auth, const char *name);

/* A claim by its name, or by a path with dots. NULL: not there. */
mastra_json_t *mastra_auth_claim(const mastra_json_t *user, const char *name);

#endif
