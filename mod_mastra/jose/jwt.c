/* Checks a signed token: its form, its algorithm, its key, its signature, its
 * claims, in this order. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <jose/jws.h>

#include "internal.h"

/* one token cannot make the server try every key of a set without kid */
#define MAX_TRIES 8

typedef struct {
    const char *text;        /* base64url */
    apr_size_t text_len;
    unsigned char *data;
    apr_size_t len;
} part_t;

typedef struct {
    part_t header, payload, signature;
    const mastra_algorithm_t *algorithm;
    const char *kid;
    const char *why;
    apr_pool_t *pool;
} token_t;

static int refuse(token_t *token, const char *why)
{
    token->why = why;
    return 0;
}

/* --- form ------------------------------------------------------------------ */

static int take_part(token_t *token, part_t *part, const char *text,
                     apr_size_t len)
{
    part->text = text;
    part->text_len = len;
    return mastra_text_base64url_decode(&part->data, &part->len, text, len,
                                        token->pool) == APR_SUCCESS;
}

static int split(token_t *token, const char *text, apr_size_t len)
{
    const char *end = text + len, *first, *second;

    if (len > MASTRA_JWT_LIMIT) {
        return refuse(token, "the token is too long");
    }
    first = memchr(text, '.', len);
    second = first ? memchr(first + 1, '.', end - first - 1) : NULL;
    if (!second || memchr(second + 1, '.', end - second - 1)) {
        return refuse(token, "the token does not have three parts");
    }
    if (!take_part(token, &token->header, text, first - text)
        || !take_part(token, &token->payload, first + 1, second - first - 1)
        || !take_part(token, &token->signature, second + 1,
                      end - second - 1)) {
        return refuse(token, "a part of the token is not base64url");
    }
    return 1;
}

/* --- header ---------------------------------------------------------------- */

static int check_header(token_t *token, const mastra_json_t *header)
{
    static const char *const texts[] = { "kid", "typ", "cty", NULL };
    const char *const *name, *alg = mastra_json_get_str(header, "alg");

    for (name = texts; *name; name++) {
        const mastra_json_t *value = mastra_json_get(header, *name);

        if (value && !mastra_json_is_string(value)) {
            return refuse(token, apr_psprintf(token->pool, "%s in the header "
                                              "is no text", *name));
        }
    }
    /* extensions that change what is signed, or that must be understood */
    if (mastra_json_get(header, "crit") || mastra_json_get(header, "b64")) {
        return refuse(token, "the header asks for extensions");
    }
    if (!alg) {
        return refuse(token, "the header names no algorithm");
    }
    token->algorithm = mastra_algorithm_find(alg);
    if (!token->algorithm) {
        return refuse(token, "the algorithm of the header is not accepted");
    }
    token->kid = apr_pstrdup(token->pool, mastra_json_get_str(header, "kid"));
    return 1;
}

static int read_header(token_t *token)
{
    mastra_json_t *header;
    int good;

    if (mastra_json_parse_unique(&header, (const char *)token->header.data,
                                 token->header.len, NULL) != APR_SUCCESS) {
        return refuse(token, "the header is not JSON with unique names");
    }
    good = mastra_json_is_object(header)
           ? check_header(token, header)
           : refuse(token, "the header is no object");
    mastra_json_unref(header);
    return good;
}

static int read_token(token_t *token, const char *text, apr_size_t len,
                      unsigned algorithms, apr_pool_t *pool)
{
    memset(token, 0, sizeof(*token));
    token->pool = pool;
    if (!split(token, text, len) || !read_header(token)) {
        return 0;
    }
    return token->algorithm->bit & algorithms
           ? 1 : refuse(token, "the algorithm of the header is not accepted");
}

int mastra_jwt_is_one(const char *token, apr_size_t len, unsigned algorithms,
                      apr_pool_t *pool)
{
    token_t read;

    return read_token(&read, token, len, algorithms, pool);
}

/* --- signature ------------------------------------------------------------- */

static mastra_json_t *as_json(const token_t *token)
{
    mastra_json_t *jws = mastra_json_object();

    mastra_json_set(jws, "protected",
                    mastra_json_stringn(token->header.text,
                                        token->header.text_len));
    mastra_json_set(jws, "payload",
                    mastra_json_stringn(token->payload.text,
                                        token->payload.text_len));
    mastra_json_set(jws, "signature",
                    mastra_json_stringn(token->signature.text,
                                        token->signature.text_len));
    return jws;
}

static int is_fit(const token_t *token, const mastra_key_t *key)
{
    return key->algorithms & token->algorithm->bit
           && (!token->kid || !key->kid || !strcmp(token->kid, key->kid));
}

static apr_status_t check_signature(token_t *token, const mastra_jwks_t *set)
{
    mastra_json_t *jws;
    int i, tries = 0, good = 0;

    /* a curve's signature has one length; libjose is not asked about others */
    if (token->algorithm->kty != MASTRA_KEY_RSA
        && token->signature.len != token->algorithm->size) {
        refuse(token, "the signature does not fit the algorithm");
        return APR_EINVAL;
    }
    jws = as_json(token);
    for (i = 0; i < set->count && !good && tries < MAX_TRIES; i++) {
        if (is_fit(token, &set->keys[i])) {
            tries++;
            good = jose_jws_ver(NULL, jws, NULL, set->keys[i].jwk, false);
        }
    }
    mastra_json_unref(jws);
    if (!good) {
        refuse(token, tries ? "the signature is wrong"
                            : "there is no key for the token");
    }
    return good ? APR_SUCCESS : tries && token->kid ? APR_EINVAL
                                                    : APR_NOTFOUND;
}

/* --- claims ---------------------------------------------------------------- */

/* 1 when the claim is not there, or is a time; *ptime in microseconds. */
static int take_time(apr_time_t *ptime, int *pthere,
                     const mastra_json_t *claims, const char *name)
{
    const mastra_json_t *value = mastra_json_get(claims, name);
    double seconds = mastra_json_num(value);

    *pthere = value != NULL;
    if (!value) {
        return 1;
    }
    /* far beyond any date, and within the range of microseconds */
    if (!mastra_json_is_number(value) || !(seconds > -1e12 && seconds < 1e12)) {
        return 0;
    }
    *ptime = (apr_time_t)(seconds * APR_USEC_PER_SEC);
    return 1;
}

static int is_among(const mastra_json_t *value, const char *const *list)
{
    const char *text = mastra_json_str(value);

    for (; text && *list; list++) {
        if (!strcmp(*list, text)) {
            return 1;
        }
    }
    return 0;
}

static int has_audience(const mastra_json_t *claims, const char *const *list)
{
    const mastra_json_t *aud = mastra_json_get(claims, "aud");
    apr_size_t i;

    if (!mastra_json_is_array(aud)) {
        return is_among(aud, list);
    }
    for (i = 0; i < mastra_json_size(aud); i++) {
        if (is_among(mastra_json_at(aud, i), list)) {
            return 1;
        }
    }
    return 0;
}

static int check_claims(token_t *token, const mastra_json_t *claims,
                        const mastra_jwt_rules_t *rules)
{
    apr_time_t now = rules->now ? rules->now : apr_time_now();
    apr_time_t exp = 0, nbf = 0, iat = 0;
    int has_exp, has_nbf, has_iat;

    if (!take_time(&exp, &has_exp, claims, "exp")
        || !take_time(&nbf, &has_nbf, claims, "nbf")
        || !take_time(&iat, &has_iat, claims, "iat")) {
        return refuse(token, "a time among the claims is none");
    }
    if (has_exp && exp <= now - rules->skew) {
        return refuse(token, "the token has expired");
    }
    if (has_nbf && nbf > now + rules->skew) {
        return refuse(token, "the token is not valid yet");
    }
    if (rules->issuers && !is_among(mastra_json_get(claims, "iss"),
                                    rules->issuers)) {
        return refuse(token, "the token is from another issuer");
    }
    if (rules->audiences && !has_audience(claims, rules->audiences)) {
        return refuse(token, "the token is for another audience");
    }
    return 1;
}

static int read_claims(mastra_jwt_t *jwt, token_t *token,
                       const mastra_jwt_rules_t *rules)
{
    mastra_json_t *claims;

    if (mastra_json_parse_unique(&claims, (const char *)token->payload.data,
                                 token->payload.len, NULL) != APR_SUCCESS) {
        return refuse(token, "the payload is not JSON with unique names");
    }
    mastra_json_own(claims, token->pool);
    if (!mastra_json_is_object(claims)) {
        return refuse(token, "the payload is no object");
    }
    if (!check_claims(token, claims, rules)) {
        return 0;
    }
    jwt->claims = claims;
    return 1;
}

/* --- all of it ------------------------------------------------------------- */

apr_status_t mastra_jwt_verify(mastra_jwt_t *jwt, const char **pwhy,
                               const char *text, apr_size_t len,
                               const mastra_jwks_t *set,
                               const mastra_jwt_rules_t *rules,
                               apr_pool_t *pool)
{
    token_t token;
    apr_status_t rv = APR_EINVAL;

    memset(jwt, 0, sizeof(*jwt));
    if (read_token(&token, text, len, rules->algorithms, pool)) {
        rv = check_signature(&token, set);
    }
    if (rv == APR_SUCCESS && !rules->raw && !read_claims(jwt, &token, rules)) {
        rv = APR_EINVAL;
    }
    jwt->payload = (const char *)token.payload.data;
    jwt->payload_len = token.payload.len;
    *pwhy = token.why;
    return rv;
}
