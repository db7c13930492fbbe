#ifndef MASTRA_JOSE_INTERNAL_H
#define MASTRA_JOSE_INTERNAL_H

/* What the files of jose/ share and nobody else sees. */

#include "jwt.h"

typedef enum { MASTRA_KEY_OCT, MASTRA_KEY_RSA, MASTRA_KEY_EC } mastra_key_e;

typedef struct {
    unsigned bit;
    const char *name;
    mastra_key_e kty;
    const char *curve;       /* of EC keys */
    apr_size_t size;         /* of the digest; of a signature with EC keys */
} mastra_algorithm_t;

/* By name; NULL: none. */
const mastra_algorithm_t *mastra_algorithm_find(const char *name);

typedef struct {
    mastra_key_e kty;
    const char *kid;         /* NULL: has none */
    const char *curve;       /* of EC keys */
    unsigned algorithms;     /* that it is fit for */
    mastra_json_t *jwk;      /* public members or the secret, nothing else */
} mastra_key_t;

struct mastra_jwks_t {
    const mastra_key_t *keys;
    int count;
};

#endif
