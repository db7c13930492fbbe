#ifndef MASTRA_HTTP_AUTH_INTERNAL_H
#define MASTRA_HTTP_AUTH_INTERNAL_H

/* What the files auth*.c share and nobody else needs. */

#include <apr_time.h>

#include "../jose/jwt.h"
#include "auth.h"
#include "internal.h"

/* Asks one provider; token is NULL when the request has none. *puser is a new
 * reference. */
typedef mastra_auth_e (mastra_auth_ask_cb)(mastra_json_t **puser,
                                           const mastra_auth_provider_t *self,
                                           request_rec *r, const char *token);

typedef struct mastra_keys_t mastra_keys_t;

/* Code of another module, by its name; looked up when all modules are
 * there. */
typedef struct {
    const char *name;            /* NULL: none */
    mastra_json_t *options;      /* object: for it alone */
    mastra_auth_native_t native;
} mastra_auth_code_t;

struct mastra_auth_provider_t {
    const char *kind;
    mastra_auth_ask_cb *ask;
    int ambient;                 /* believes what browsers send unasked */
    const char *doubt;

    const char *role_claim;      /* NULL: role and roles */
    const char *cookie;          /* that may carry the token, or NULL */
    const char *judge_path;      /* of this server: asked what users may, */
    mastra_auth_code_t judge;    /* ... or code that is; or neither */
    /* jwt, jwks and those made of it */
    mastra_jwt_rules_t rules;
    mastra_jwks_t *secret;       /* or keys */
    mastra_keys_t *keys;
    /* simple */
    const char *token;
    mastra_json_t *user;
    /* uri */
    const char *path;
    /* httpd: name, variable, name … of claims; NULL: none */
    const apr_array_header_t *claims;
    /* provider:NAME */
    mastra_auth_code_t code;
};

/* The options of a line of MastraAuth. */
typedef struct {
    apr_array_header_t *issuers, *audiences, *claims;   /* const char * */
    const char *secret, *token, *user, *role, *roles, *cookie, *authorize;
    const char *url, *uri, *domain, *project, *client, *server;
    mastra_json_t *own;          /* of code of another module */
    unsigned algorithms;
    apr_interval_time_t skew, refresh, stale, retry;
    apr_pool_t *pool;
} mastra_auth_line_t;

/* auth_make.c, auth_preset.c: NULL, or what is wrong with the line. */
typedef const char *(mastra_auth_make_cb)(mastra_auth_provider_t *self,
                                          mastra_auth_line_t *options);
mastra_auth_make_cb mastra_auth_make_jwks;
mastra_auth_make_cb mastra_auth_make_auth0;
mastra_auth_make_cb mastra_auth_make_clerk;
mastra_auth_make_cb mastra_auth_make_supabase;
mastra_auth_make_cb mastra_auth_make_firebase;
mastra_auth_make_cb mastra_auth_make_workos;
mastra_auth_make_cb mastra_auth_make_okta;

/* auth_token.c, auth_uri.c */
mastra_auth_ask_cb mastra_auth_ask_jwt;
mastra_auth_ask_cb mastra_auth_ask_simple;
mastra_auth_ask_cb mastra_auth_ask_httpd;
mastra_auth_ask_cb mastra_auth_ask_uri;
mastra_auth_ask_cb mastra_auth_ask_code;

/* auth_uri.c: what the path says about this user and this permission. */
mastra_auth_verdict_e mastra_auth_judge_uri(const char *path, request_rec *r,
                                            const mastra_identity_t *identity,
                                            const char *permission);

/* auth_keys.c: a key set of another server, kept for some time. */
typedef struct {
    const char *url;
    apr_interval_time_t fresh;   /* then it is fetched again */
    apr_interval_time_t stale;   /* how long it is believed without that */
    apr_interval_time_t retry;   /* at most so often */
} mastra_keys_conf_t;

mastra_keys_t *mastra_keys_make(const mastra_keys_conf_t *conf,
                                apr_pool_t *pool);
apr_status_t mastra_keys_child_init(mastra_keys_t *keys, mastra_loop_t *loop,
                                    apr_pool_t *pool);
typedef struct mastra_keys_set_t mastra_keys_set_t;
/* The set, fetched when there is none; NULL: it cannot be had. */
mastra_keys_set_t *mastra_keys_get(mastra_keys_t *keys);
/* A set newer than old, if the limit lets it be fetched; NULL: none. */
mastra_keys_set_t *mastra_keys_newer(mastra_keys_t *keys,
                                     const mastra_keys_set_t *old);
const mastra_jwks_t *mastra_keys_of(const mastra_keys_set_t *set);
/* Gives back what the two above lent. */
void mastra_keys_release(mastra_keys_t *keys, mastra_keys_set_t *set);

#endif
