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

struct mastra_auth_provider_t {
    const char *kind;
    mastra_auth_ask_cb *ask;
    int ambient;                 /* believes what browsers send unasked */
    const char *doubt;

    const char *role_claim;      /* NULL: role and roles */
    /* jwt, jwks and those made of it */
    mastra_jwt_rules_t rules;
    mastra_jwks_t *secret;       /* or keys */
    mastra_keys_t *keys;
    /* simple */
    const char *token;
    mastra_json_t *user;
    /* uri */
    const char *path;
};

/* auth_token.c, auth_uri.c */
mastra_auth_ask_cb mastra_auth_ask_jwt;
mastra_auth_ask_cb mastra_auth_ask_simple;
mastra_auth_ask_cb mastra_auth_ask_httpd;
mastra_auth_ask_cb mastra_auth_ask_uri;

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
