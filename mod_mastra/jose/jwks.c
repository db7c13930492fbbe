/* Keys that signatures are checked with: JWK and JWK sets, and which keys are
 * refused. */
#include <string.h>

#include <openssl/bn.h>

#include <apr_strings.h>

#include "internal.h"

#define MAX_KEYS 128
#define MAX_SECRET 1024
/* what every HS algorithm is content with */
#define PADDED_SECRET 64
#define MIN_RSA_BITS 2048
#define MAX_RSA_BITS 8192
#define MAX_EXPONENT_BITS 64

/* --- algorithms ------------------------------------------------------------ */

static const mastra_algorithm_t algorithms[] = {
    { 0x001, "HS256", MASTRA_KEY_OCT, NULL, 32 },
    { 0x002, "HS384", MASTRA_KEY_OCT, NULL, 48 },
    { 0x004, "HS512", MASTRA_KEY_OCT, NULL, 64 },
    { 0x008, "RS256", MASTRA_KEY_RSA, NULL, 32 },
    { 0x010, "RS384", MASTRA_KEY_RSA, NULL, 48 },
    { 0x020, "RS512", MASTRA_KEY_RSA, NULL, 64 },
    { 0x040, "PS256", MASTRA_KEY_RSA, NULL, 32 },
    { 0x080, "PS384", MASTRA_KEY_RSA, NULL, 48 },
    { 0x100, "PS512", MASTRA_KEY_RSA, NULL, 64 },
    { 0x200, "ES256", MASTRA_KEY_EC, "P-256", 64 },
    { 0x400, "ES384", MASTRA_KEY_EC, "P-384", 96 },
    { 0x800, "ES512", MASTRA_KEY_EC, "P-521", 132 },
    { 0 }
};

const mastra_algorithm_t *mastra_algorithm_find(const char *name)
{
    const mastra_algorithm_t *algorithm;

    for (algorithm = algorithms; algorithm->bit; algorithm++) {
        if (!strcmp(algorithm->name, name)) {
            return algorithm;
        }
    }
    return NULL;
}

unsigned mastra_jwt_algorithm(const char *name)
{
    const mastra_algorithm_t *algorithm = mastra_algorithm_find(name);

    return algorithm ? algorithm->bit : 0;
}

static unsigned of_type(mastra_key_e kty)
{
    return kty == MASTRA_KEY_OCT ? MASTRA_JWT_HS
           : kty == MASTRA_KEY_EC ? MASTRA_JWT_ES
           : MASTRA_JWT_RS | MASTRA_JWT_PS;
}

/* --- members --------------------------------------------------------------- */

/* Bytes of a member in strict base64url; 0: it is not there or not usable. */
static apr_size_t bytes_of(unsigned char **pdata, const mastra_json_t *jwk,
                           const char *name, apr_pool_t *pool)
{
    const mastra_json_t *value = mastra_json_get(jwk, name);
    apr_size_t len;

    if (!mastra_json_is_string(value)
        || mastra_text_base64url_decode(pdata, &len, mastra_json_str(value),
                                        mastra_json_len(value), pool)
           != APR_SUCCESS) {
        return 0;
    }
    return len;
}

/* The copy that libjose sees has what the mathematics need and no more: what
 * "use" and the like say was judged here. */
static void keep(mastra_key_t *key, const mastra_json_t *jwk,
                 const char *name)
{
    mastra_json_set_str(key->jwk, name, mastra_json_get_str(jwk, name));
}

/* --- by type --------------------------------------------------------------- */

static const char *take_secret(mastra_key_t *key, const mastra_json_t *jwk,
                               apr_pool_t *pool)
{
    const mastra_algorithm_t *algorithm;
    unsigned char *data;
    apr_size_t len = bytes_of(&data, jwk, "k", pool);

    if (!len || len > MAX_SECRET) {
        return "k is no secret of 1 to 1024 bytes";
    }
    keep(key, jwk, "k");
    for (algorithm = algorithms; algorithm->bit; algorithm++) {
        if (algorithm->kty == MASTRA_KEY_OCT && len < algorithm->size) {
            key->algorithms &= ~algorithm->bit;
        }
    }
    return key->algorithms ? NULL : "the secret is shorter than the digest";
}

/* Generators with the ROCA flaw (CVE-2017-15361) give moduli that are a power
 * of 65537 modulo each small prime. */
static int is_roca(const BIGNUM *n)
{
    static const unsigned primes[] = {
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67,
        71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139,
        149, 151, 157, 163, 167
    };
    apr_size_t i;

    for (i = 0; i < sizeof(primes) / sizeof(*primes); i++) {
        unsigned p = primes[i], power = 1;
        unsigned rest = (unsigned)BN_mod_word(n, p);

        do {
            power = power * (65537 % p) % p;
        } while (power != rest && power != 1);
        if (power != rest) {
            return 0;
        }
    }
    return 1;
}

static const char *check_rsa(const BIGNUM *n, const BIGNUM *e)
{
    int bits = BN_num_bits(n);

    if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) {
        return "the modulus has not 2048 to 8192 bits";
    }
    if (!BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e)
        || BN_num_bits(e) > MAX_EXPONENT_BITS) {
        return "modulus and exponent are none of RSA";
    }
    return is_roca(n) ? "the modulus was made by a generator with a flaw"
                      : NULL;
}

static const char *take_rsa(mastra_key_t *key, const mastra_json_t *jwk,
                            apr_pool_t *pool)
{
    unsigned char *data;
    apr_size_t n_len = bytes_of(&data, jwk, "n", pool), e_len;
    const char *wrong = "n or e is no number";
    BIGNUM *n, *e;

    n = n_len ? BN_bin2bn(data, (int)n_len, NULL) : NULL;
    e_len = bytes_of(&data, jwk, "e", pool);
    e = e_len ? BN_bin2bn(data, (int)e_len, NULL) : NULL;
    if (n && e) {
        wrong = check_rsa(n, e);
        keep(key, jwk, "n");
        keep(key, jwk, "e");
    }
    BN_free(n);
    BN_free(e);
    return wrong;
}

static const char *take_ec(mastra_key_t *key, const mastra_json_t *jwk,
                           apr_pool_t *pool)
{
    const char *crv = mastra_json_get_str(jwk, "crv");
    const mastra_algorithm_t *algorithm;
    unsigned char *data;

    for (algorithm = algorithms; algorithm->bit; algorithm++) {
        if (algorithm->curve && crv && !strcmp(algorithm->curve, crv)) {
            break;
        }
    }
    if (!algorithm->bit) {
        return "crv is none of P-256, P-384 and P-521";
    }
    if (bytes_of(&data, jwk, "x", pool) != algorithm->size / 2
        || bytes_of(&data, jwk, "y", pool) != algorithm->size / 2) {
        return "x or y is no coordinate of its curve";
    }
    key->curve = algorithm->curve;
    key->algorithms &= algorithm->bit;
    keep(key, jwk, "crv");
    keep(key, jwk, "x");
    keep(key, jwk, "y");
    return key->algorithms ? NULL : "alg does not belong to the curve";
}

/* --- what a key is for ----------------------------------------------------- */

static const char *check_use(const mastra_json_t *jwk)
{
    const mastra_json_t *use = mastra_json_get(jwk, "use");
    const mastra_json_t *ops = mastra_json_get(jwk, "key_ops");
    apr_size_t i;

    if (use && (!mastra_json_is_string(use)
                || strcmp(mastra_json_str(use), "sig"))) {
        return "use is not sig";
    }
    if (!ops) {
        return NULL;
    }
    for (i = 0; i < mastra_json_size(ops); i++) {
        const char *op = mastra_json_str(mastra_json_at(ops, i));

        if (op && !strcmp(op, "verify")) {
            return NULL;
        }
    }
    return "key_ops has no verify";
}

static const char *check_alg(mastra_key_t *key, const mastra_json_t *jwk)
{
    const mastra_json_t *alg = mastra_json_get(jwk, "alg");
    const char *name = mastra_json_str(alg);

    key->algorithms = of_type(key->kty);
    if (!alg) {
        return NULL;
    }
    if (!name) {
        return "alg is no text";
    }
    /* a widespread slip of who thinks of P-521; the curve is checked */
    if (!strcmp(name, "ES521")) {
        name = "ES512";
    }
    key->algorithms &= mastra_jwt_algorithm(name);
    return key->algorithms ? NULL : "alg does not belong to the type of key";
}

static const char *take_type(mastra_key_t *key, const mastra_json_t *jwk)
{
    const char *kty = mastra_json_get_str(jwk, "kty");

    if (!kty) {
        return "kty is missing";
    }
    if (strcmp(kty, "oct") && strcmp(kty, "RSA") && strcmp(kty, "EC")) {
        return "kty is none of oct, RSA and EC";
    }
    key->kty = *kty == 'o' ? MASTRA_KEY_OCT
               : *kty == 'R' ? MASTRA_KEY_RSA : MASTRA_KEY_EC;
    keep(key, jwk, "kty");
    return NULL;
}

/* NULL, or why the key checks no signatures. */
static const char *take_key(mastra_key_t *key, const mastra_json_t *jwk,
                            apr_pool_t *pool)
{
    const mastra_json_t *kid = mastra_json_get(jwk, "kid");
    const char *wrong;

    memset(key, 0, sizeof(*key));
    if (!mastra_json_is_object(jwk)) {
        return "it is no object";
    }
    if (kid && !mastra_json_is_string(kid)) {
        return "kid is no text";
    }
    key->kid = kid ? apr_pstrdup(pool, mastra_json_str(kid)) : NULL;
    key->jwk = mastra_json_own(mastra_json_object(), pool);
    wrong = take_type(key, jwk);
    if (!wrong) {
        wrong = check_use(jwk);
    }
    if (!wrong) {
        wrong = check_alg(key, jwk);
    }
    if (wrong) {
        return wrong;
    }
    switch (key->kty) {
    case MASTRA_KEY_OCT:
        return take_secret(key, jwk, pool);
    case MASTRA_KEY_RSA:
        return take_rsa(key, jwk, pool);
    default:
        return take_ec(key, jwk, pool);
    }
}

/* --- sets ------------------------------------------------------------------ */

/* Whoever mixes them invites a public key to be taken for a secret. */
static int is_mixed(const mastra_jwks_t *set)
{
    int i, secrets = 0;

    for (i = 0; i < set->count; i++) {
        secrets += set->keys[i].kty == MASTRA_KEY_OCT;
    }
    return secrets && secrets < set->count;
}

static int is_same(const mastra_json_t *a, const mastra_json_t *b,
                   const char *name)
{
    const char *one = mastra_json_get_str(a, name);
    const char *other = mastra_json_get_str(b, name);

    return one && other ? !strcmp(one, other) : one == other;
}

/* Two keys that one kid could mean, usable or not: which of them signs is
 * anybody's guess. */
static int is_ambiguous(const mastra_json_t *list)
{
    apr_size_t i, k;

    for (i = 0; i < mastra_json_size(list); i++) {
        const mastra_json_t *a = mastra_json_at(list, i);

        for (k = 0; k < i && mastra_json_get_str(a, "kid"); k++) {
            const mastra_json_t *b = mastra_json_at(list, k);

            if (is_same(a, b, "kid") && is_same(a, b, "kty")
                && is_same(a, b, "use") && is_same(a, b, "alg")) {
                return 1;
            }
        }
    }
    return 0;
}

static const char *take_set(mastra_jwks_t *set, mastra_json_t *document,
                            apr_pool_t *pool)
{
    mastra_json_t *list = mastra_json_get(document, "keys");
    const char *wrong = "it has no keys", *bad;
    mastra_key_t *keys;
    apr_size_t i, n;

    if (list && !mastra_json_is_array(list)) {
        return "keys is no list";
    }
    n = list ? mastra_json_size(list) : 1;
    if (n > MAX_KEYS) {
        return "it has more than 128 keys";
    }
    keys = apr_palloc(pool, (n + 1) * sizeof(*keys));
    for (i = 0; i < n; i++) {
        bad = take_key(&keys[set->count],
                       list ? mastra_json_at(list, i) : document, pool);
        if (bad) {
            wrong = bad;
        }
        else {
            set->count++;
        }
    }
    set->keys = keys;
    if (is_mixed(set)) {
        return "it has secrets beside public keys";
    }
    if (list && is_ambiguous(list)) {
        return "it has two keys with one kid";
    }
    return set->count ? NULL : wrong;
}

apr_status_t mastra_jwks_parse(mastra_jwks_t **pset, const char **pwhy,
                               const char *text, apr_size_t len,
                               apr_pool_t *pool)
{
    mastra_jwks_t *set = apr_pcalloc(pool, sizeof(*set));
    mastra_json_error_t fault;
    mastra_json_t *document;

    if (mastra_json_parse_unique(&document, text, len, &fault)
        != APR_SUCCESS) {
        *pwhy = apr_pstrdup(pool, fault.message);
        return APR_EINVAL;
    }
    *pwhy = take_set(set, document, pool);
    mastra_json_unref(document);
    if (*pwhy) {
        return APR_EINVAL;
    }
    *pset = set;
    return APR_SUCCESS;
}

mastra_jwks_t *mastra_jwks_secret(const char *secret, apr_size_t len,
                                  apr_pool_t *pool)
{
    mastra_jwks_t *set = apr_pcalloc(pool, sizeof(*set));
    mastra_key_t *key = apr_pcalloc(pool, sizeof(*key));
    unsigned char bytes[MAX_SECRET] = { 0 };

    if (!len || len > MAX_SECRET) {
        return NULL;
    }
    memcpy(bytes, secret, len);
    /* HMAC fills keys with zeros to its block anyway, libjose refuses short
     * ones */
    if (len < PADDED_SECRET) {
        len = PADDED_SECRET;
    }
    key->kty = MASTRA_KEY_OCT;
    key->algorithms = MASTRA_JWT_HS;
    key->jwk = mastra_json_own(mastra_json_object(), pool);
    mastra_json_set_str(key->jwk, "kty", "oct");
    mastra_json_set_str(key->jwk, "k", mastra_text_base64url(bytes, len, pool));
    set->keys = key;
    set->count = 1;
    return set;
}
