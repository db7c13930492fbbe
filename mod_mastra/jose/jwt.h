#ifndef MASTRA_JOSE_JWT_H
#define MASTRA_JOSE_JWT_H

#include <apr_time.h>

#include "../base/json.h"

/*
 * Signed tokens (JWS in compact form, RFC 7515; JWT, RFC 7519; both as RFC
 * 8725 wants them) and the keys that they are checked with (RFC 7517). The
 * rules are here, the cryptography is libjose's.
 */

/* A set of keys, read-only once it is made: any thread. */
typedef struct mastra_jwks_t mastra_jwks_t;

/* Algorithms, as bits of a list. */
enum {
    MASTRA_JWT_HS = 0x007,       /* HS256, HS384, HS512 */
    MASTRA_JWT_RS = 0x038,
    MASTRA_JWT_PS = 0x1C0,
    MASTRA_JWT_ES = 0xE00,
    MASTRA_JWT_PUBLIC = MASTRA_JWT_RS | MASTRA_JWT_PS | MASTRA_JWT_ES,
    MASTRA_JWT_ANY = MASTRA_JWT_PUBLIC | MASTRA_JWT_HS
};

/* The bit of "RS256"; 0: there is no such algorithm here. */
unsigned mastra_jwt_algorithm(const char *name);

/* The keys of one JWK or a JWK set. Keys of a set that cannot check any
 * signature here are left out, as their owner may have them for others; none
 * left, or secrets beside public keys, is an error. *pwhy then says what is
 * wrong. */
apr_status_t mastra_jwks_parse(mastra_jwks_t **pset, const char **pwhy,
                               const char *text, apr_size_t len,
                               apr_pool_t *pool);
/* One secret of 1 to 1024 bytes for the HS algorithms. Unlike a JWK it may be
 * shorter than the digest: that is for whoever configured it to know. */
mastra_jwks_t *mastra_jwks_secret(const char *secret, apr_size_t len,
                                  apr_pool_t *pool);

/* What a token has to meet. */
typedef struct {
    unsigned algorithms;             /* those that are accepted */
    const char *const *issuers;      /* one of these; NULL: not looked at */
    const char *const *audiences;    /* one of these; NULL: not looked at */
    apr_interval_time_t skew;        /* of the clocks of issuer and server */
    apr_time_t now;                  /* 0: the present */
    int raw;                         /* any payload: no claims to check */
} mastra_jwt_rules_t;

typedef struct {
    mastra_json_t *claims;           /* object, the pool's; NULL when raw */
    const char *payload;             /* decoded */
    apr_size_t payload_len;
} mastra_jwt_t;

#define MASTRA_JWT_LIMIT (256 * 1024)

/* APR_SUCCESS with *jwt filled; else *pwhy says what is wrong. APR_NOTFOUND:
 * the set has no key that the token could be checked with, a newer one may;
 * APR_EINVAL: no newer set changes it. */
apr_status_t mastra_jwt_verify(mastra_jwt_t *jwt, const char **pwhy,
                               const char *token, apr_size_t len,
                               const mastra_jwks_t *set,
                               const mastra_jwt_rules_t *rules,
                               apr_pool_t *pool);

/* 1: token has the form of a signed token: three parts, base64url, a header
 * that names an algorithm of the list. Asks for no key. */
int mastra_jwt_is_one(const char *token, apr_size_t len, unsigned algorithms,
                      apr_pool_t *pool);

#endif
