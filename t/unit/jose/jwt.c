/* Signed tokens: every algorithm, and every way in which a token is refused. */

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "tap.h"
#include "vectors.h"
#include "jose/jwt.h"

#define NOW ((apr_time_t)1700000000 * APR_USEC_PER_SEC)
#define GOOD "{\"alg\":\"HS256\"}"

static const char secret[] = "a secret that has more than 32 bytes";

static mastra_jwks_t *keys_of(const char *text, const char **pwhy,
                              apr_pool_t *pool)
{
    mastra_jwks_t *set = NULL;

    *pwhy = NULL;
    mastra_jwks_parse(&set, pwhy, text, strlen(text), pool);
    return set;
}

/* A token of any header and payload, signed with secret. */
static const char *make_bytes(const char *header, const char *payload,
                              apr_size_t len, apr_pool_t *pool)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len;
    const char *text = apr_pstrcat(
        pool, mastra_text_base64url((const unsigned char *)header,
                                    strlen(header), pool), ".",
        mastra_text_base64url((const unsigned char *)payload, len, pool),
        NULL);

    HMAC(EVP_sha256(), secret, (int)strlen(secret),
         (const unsigned char *)text, strlen(text), digest, &digest_len);
    return apr_pstrcat(pool, text, ".",
                       mastra_text_base64url(digest, digest_len, pool), NULL);
}

static const char *make(const char *header, const char *payload,
                        apr_pool_t *pool)
{
    return make_bytes(header, payload, strlen(payload), pool);
}

/* NULL when the token is accepted, else why not. */
static const char *refusal(const char *token, const mastra_jwks_t *set,
                           const mastra_jwt_rules_t *rules, apr_pool_t *pool)
{
    mastra_jwt_t jwt;
    const char *why = "no reason";

    return mastra_jwt_verify(&jwt, &why, token, strlen(token), set, rules,
                             pool) == APR_SUCCESS ? NULL : why;
}

/* --- algorithms ------------------------------------------------------------ */

static void algorithms(apr_pool_t *pool)
{
    mastra_jwt_rules_t rules = { .now = NOW };
    const char *why, *cut;
    int i, k;

    for (i = 0; signed_by[i].alg; i++) {
        mastra_jwks_t *set = keys_of(signed_by[i].key, &why, pool);

        rules.algorithms = mastra_jwt_algorithm(signed_by[i].alg);
        is_str(refusal(signed_by[i].token, set, &rules, pool), NULL,
               signed_by[i].alg);
        rules.algorithms = MASTRA_JWT_ANY & ~rules.algorithms;
        is_str(refusal(signed_by[i].token, set, &rules, pool),
               "the algorithm of the header is not accepted",
               "... not when another is expected");
        rules.algorithms = MASTRA_JWT_ANY;
        cut = apr_pstrmemdup(pool, signed_by[i].token,
                             strlen(signed_by[i].token) - 4);
        ok(refusal(cut, set, &rules, pool), "... with its signature cut");
        for (k = 0; signed_by[k].alg; k++) {
            set = keys_of(signed_by[k].key, &why, pool);
            if (signed_by[k].key != signed_by[i].key
                && !refusal(signed_by[i].token, set, &rules, pool)) {
                break;
            }
        }
        ok(!signed_by[k].alg, "... with the keys of the others");
    }
}

static void examples(apr_pool_t *pool)
{
    /* RFC 7515, appendices A.1 and A.3 */
    static const char payload[] =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
        "LmNvbS9pc19yb290Ijp0cnVlfQ";
    static const char hs[] =
        "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_"
        "T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}";
    static const char es[] =
        "{\"kty\":\"EC\",\"crv\":\"P-256\","
        "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";
    mastra_jwt_rules_t rules = { .algorithms = MASTRA_JWT_ANY };
    const char *why, *token;
    mastra_jwt_t jwt;

    token = apr_pstrcat(pool, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.",
                        payload,
                        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", NULL);
    is_str(refusal(token, keys_of(hs, &why, pool), &rules, pool),
           "the token has expired", "RFC 7515 A.1 has expired");
    rules.now = (apr_time_t)1300000000 * APR_USEC_PER_SEC;
    is_str(refusal(token, keys_of(hs, &why, pool), &rules, pool), NULL,
           "... and was good in its time");
    token = apr_pstrcat(pool, "eyJhbGciOiJFUzI1NiJ9.", payload,
                        ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw"
                        "5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q", NULL);
    is_int(mastra_jwt_verify(&jwt, &why, token, strlen(token),
                             keys_of(es, &why, pool), &rules, pool),
           APR_SUCCESS, "RFC 7515 A.3");
    is_str(mastra_json_get_str(jwt.claims, "iss"), "joe", "... and its claims");
    token = apr_pstrcat(pool, "eyJhbGciOiJub25lIn0.", payload, ".", NULL);
    is_str(refusal(token, keys_of(hs, &why, pool), &rules, pool),
           "the algorithm of the header is not accepted", "RFC 7515 A.5");
}

/* --- form and header ------------------------------------------------------- */

static void forms(apr_pool_t *pool)
{
    static const struct {
        const char *token, *why, *name;
    } cases[] = {
        { "", "the token does not have three parts", "nothing" },
        { "x", "the token does not have three parts", "a word" },
        { "a.b", "the token does not have three parts", "two parts" },
        { "a.b.c.d", "the token does not have three parts", "four parts" },
        { "a.b.c.d.e", "the token does not have three parts", "encryption" },
        { "eyI=.e30.e30", "a part of the token is not base64url", "padding" },
        { "e30 .e30.e30", "a part of the token is not base64url", "a space" },
        { "e30.e3+.e30", "a part of the token is not base64url",
          "base64 of another kind" },
        { "e30.e31.e30", "a part of the token is not base64url",
          "bits that are not used" },
        { "e30.e30.e3!", "a part of the token is not base64url",
          "a wrong signature part" },
        { "bnVsbA.e30.e30", "the header is no object", "a header null" },
        { "W10.e30.e30", "the header is no object", "a header list" },
        { "e30.e30.e30", "the header names no algorithm", "an empty header" },
        { "eA.e30.e30", "the header is not JSON with unique names",
          "a header that is no JSON" },
        { ".e30.e30", "the header is not JSON with unique names",
          "no header" },
        { NULL }
    };
    mastra_jwt_rules_t rules = { .algorithms = MASTRA_JWT_ANY, .now = NOW };
    const mastra_jwks_t *set = mastra_jwks_secret(secret, strlen(secret), pool);
    char *big = apr_palloc(pool, MASTRA_JWT_LIMIT + 2);
    int i;

    for (i = 0; cases[i].token; i++) {
        is_str(refusal(cases[i].token, set, &rules, pool), cases[i].why,
               cases[i].name);
    }
    memset(big, 'a', MASTRA_JWT_LIMIT + 1);
    big[MASTRA_JWT_LIMIT + 1] = '\0';
    is_str(refusal(big, set, &rules, pool), "the token is too long",
           "a huge one");
}

static void headers(apr_pool_t *pool)
{
    static const struct {
        const char *header, *why;
    } cases[] = {
        { GOOD, NULL },
        { "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"any\"}", NULL },
        { "{\"alg\":\"HS256\",\"jku\":\"https://evil.example/\"}", NULL },
        { "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}", NULL },
        { "{\"alg\":\"none\"}", "the algorithm of the header is not accepted" },
        { "{\"alg\":\"None\"}", "the algorithm of the header is not accepted" },
        { "{\"alg\":\"hs256\"}",
          "the algorithm of the header is not accepted" },
        { "{\"alg\":\"EdDSA\"}",
          "the algorithm of the header is not accepted" },
        { "{\"alg\":\"RS256\"}", "there is no key for the token" },
        { "{\"alg\":\"HS512\"}",
          "the signature does not fit the algorithm" },
        { "{\"alg\":[\"HS256\"]}", "the header names no algorithm" },
        { "{\"alg\":\"none\",\"alg\":\"HS256\"}",
          "the header is not JSON with unique names" },
        { "{\"alg\":\"HS256\",\"x\":{\"y\":1,\"\\u0079\":2}}",
          "the header is not JSON with unique names" },
        { "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}",
          "the header asks for extensions" },
        { "{\"alg\":\"HS256\",\"crit\":[]}",
          "the header asks for extensions" },
        { "{\"alg\":\"HS256\",\"b64\":false}",
          "the header asks for extensions" },
        { "{\"alg\":\"HS256\",\"b64\":true}",
          "the header asks for extensions" },
        { "{\"alg\":\"HS256\",\"kid\":7}", "kid in the header is no text" },
        { "{\"alg\":\"HS256\"} x", "the header is not JSON with unique names" },
        { NULL }
    };
    mastra_jwt_rules_t rules = { .algorithms = MASTRA_JWT_ANY, .now = NOW };
    const mastra_jwks_t *set = mastra_jwks_secret(secret, strlen(secret), pool);
    int i;

    for (i = 0; cases[i].header; i++) {
        is_str(refusal(make(cases[i].header, "{}", pool), set, &rules, pool),
               cases[i].why, cases[i].header);
    }
}

/* --- claims ---------------------------------------------------------------- */

static void claims(apr_pool_t *pool)
{
    static const struct {
        const char *payload, *why;
    } cases[] = {
        { "{}", NULL },
        { "{\"exp\":1700000001}", NULL },
        { "{\"exp\":1700000000.5}", NULL },
        { "{\"exp\":1700000000}", "the token has expired" },
        { "{\"exp\":0}", "the token has expired" },
        { "{\"exp\":-1}", "the token has expired" },
        { "{\"exp\":\"4102444800\"}", "a time among the claims is none" },
        { "{\"exp\":null}", "a time among the claims is none" },
        { "{\"exp\":1e300}", "a time among the claims is none" },
        { "{\"nbf\":1700000000}", NULL },
        { "{\"nbf\":1700000001}", "the token is not valid yet" },
        { "{\"iat\":1800000000}", NULL },
        { "{\"iat\":\"now\"}", "a time among the claims is none" },
        { "{\"exp\":1,\"exp\":4102444800}",
          "the payload is not JSON with unique names" },
        { "{\"sub\":\"a\\u0000b\"}",
          "the payload is not JSON with unique names" },
        { "[]", "the payload is no object" },
        { "alice", "the payload is not JSON with unique names" },
        { "", "the payload is not JSON with unique names" },
        { NULL }
    };
    mastra_jwt_rules_t rules = { .algorithms = MASTRA_JWT_HS, .now = NOW };
    const mastra_jwks_t *set = mastra_jwks_secret(secret, strlen(secret), pool);
    mastra_jwt_t jwt;
    const char *token, *why;
    int i;

    for (i = 0; cases[i].payload; i++) {
        is_str(refusal(make(GOOD, cases[i].payload, pool), set, &rules, pool),
               cases[i].why, cases[i].payload);
    }
    rules.skew = apr_time_from_sec(30);
    is_str(refusal(make(GOOD, "{\"exp\":1699999971,\"nbf\":1700000030}", pool),
                   set, &rules, pool), NULL, "clocks may differ");
    is_str(refusal(make(GOOD, "{\"exp\":1699999970}", pool), set, &rules, pool),
           "the token has expired", "... not by more");
    is_str(refusal(make(GOOD, "{\"nbf\":1700000031}", pool), set, &rules, pool),
           "the token is not valid yet", "... in either direction");
    rules.raw = 1;
    token = make_bytes(GOOD, "a\0b", 3, pool);
    is_int(mastra_jwt_verify(&jwt, &why, token, strlen(token), set, &rules,
                             pool), APR_SUCCESS, "raw, any payload is good");
    ok(jwt.payload_len == 3 && !memcmp(jwt.payload, "a\0b", 3),
       "... and is given");
}

static void parties(apr_pool_t *pool)
{
    static const char *const issuers[] = { "https://a", "https://b", NULL };
    static const char *const audiences[] = { "api", "web", NULL };
    static const struct {
        const char *payload, *why;
    } cases[] = {
        { "{\"iss\":\"https://b\",\"aud\":\"api\"}", NULL },
        { "{\"iss\":\"https://a\",\"aud\":[\"x\",\"web\"]}", NULL },
        { "{\"aud\":\"api\"}", "the token is from another issuer" },
        { "{\"iss\":\"https://a/\",\"aud\":\"api\"}",
          "the token is from another issuer" },
        { "{\"iss\":[\"https://a\"],\"aud\":\"api\"}",
          "the token is from another issuer" },
        { "{\"iss\":\"https://a\"}", "the token is for another audience" },
        { "{\"iss\":\"https://a\",\"aud\":\"API\"}",
          "the token is for another audience" },
        { "{\"iss\":\"https://a\",\"aud\":[]}",
          "the token is for another audience" },
        { "{\"iss\":\"https://a\",\"aud\":{\"api\":\"api\"}}",
          "the token is for another audience" },
        { NULL }
    };
    mastra_jwt_rules_t rules = { .algorithms = MASTRA_JWT_HS, .now = NOW,
                                 .issuers = issuers, .audiences = audiences };
    const mastra_jwks_t *set = mastra_jwks_secret(secret, strlen(secret), pool);
    int i;

    for (i = 0; cases[i].payload; i++) {
        is_str(refusal(make(GOOD, cases[i].payload, pool), set, &rules, pool),
               cases[i].why, cases[i].payload);
    }
}

/* --- keys ------------------------------------------------------------------ */

#define K31 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg"
#define K32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define OCT(more) "{\"kty\":\"oct\",\"k\":\"" K32 "\"" more "}"
#define EC(more) "{\"kty\":\"EC\",\"crv\":\"P-256\"," \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"" more "}"

static void keys(apr_pool_t *pool)
{
    static const struct {
        const char *jwk, *why;
    } cases[] = {
        { OCT(""), NULL },
        { OCT(",\"alg\":\"HS256\",\"use\":\"sig\",\"key_ops\":"
              "[\"sign\",\"verify\"]"), NULL },
        { OCT(",\"alg\":\"HS512\""), "the secret is shorter than the digest" },
        { OCT(",\"alg\":\"RS256\""),
          "alg does not belong to the type of key" },
        { OCT(",\"alg\":\"A256GCM\""),
          "alg does not belong to the type of key" },
        { OCT(",\"alg\":256"), "alg is no text" },
        { OCT(",\"use\":\"enc\""), "use is not sig" },
        { OCT(",\"key_ops\":[\"sign\"]"), "key_ops has no verify" },
        { OCT(",\"key_ops\":\"verify\""), "key_ops has no verify" },
        { OCT(",\"kid\":1"), "kid is no text" },
        { "{\"kty\":\"oct\",\"k\":\"" K31 "\"}",
          "the secret is shorter than the digest" },
        { "{\"kty\":\"oct\",\"k\":\"\"}",
          "k is no secret of 1 to 1024 bytes" },
        { "{\"kty\":\"oct\",\"k\":\"" K32 "=\"}",
          "k is no secret of 1 to 1024 bytes" },
        { "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}",
          "kty is none of oct, RSA and EC" },
        { "{\"k\":\"" K32 "\"}", "kty is missing" },
        { "{\"kty\":\"oct\",\"kty\":\"oct\",\"k\":\"" K32 "\"}",
          "Name that is there twice in JSON at position 13 (line 1 column 14)" },
        { "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
          "the modulus has not 2048 to 8192 bits" },
        { "{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "n or e is no number" },
        { EC(""), NULL },
        { EC(",\"alg\":\"ES384\""), "alg does not belong to the curve" },
        { "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" K32 "\",\"y\":\"" K32
          "\"}", "x or y is no coordinate of its curve" },
        { "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" K32 "\",\"y\":\""
          K32 "\"}", "crv is none of P-256, P-384 and P-521" },
        { "{\"keys\":[]}", "it has no keys" },
        { "{\"keys\":{}}", "keys is no list" },
        { "{\"keys\":[7]}", "it is no object" },
        { "{\"keys\":[{\"kty\":\"new\"}," OCT("") "]}", NULL },
        { "{\"keys\":[" OCT("") "," EC("") "]}",
          "it has secrets beside public keys" },
        { "{\"keys\":[" EC(",\"kid\":\"a\"") "," EC(",\"kid\":\"a\"") "]}",
          "it has two keys with one kid" },
        { "{\"keys\":[" EC(",\"kid\":\"a\"") "," EC(",\"kid\":\"b\"") "]}",
          NULL },
        { "[]", "it is no object" },
        { NULL }
    };
    const char *why;
    int i;

    for (i = 0; cases[i].jwk; i++) {
        keys_of(cases[i].jwk, &why, pool);
        is_str(why, cases[i].why, cases[i].jwk);
    }
}

/* Which failures a newer set of keys could mend. */
static void newer_keys(apr_pool_t *pool)
{
    mastra_jwt_rules_t rules = { .algorithms = MASTRA_JWT_ANY, .now = NOW };
    const char *why, *token = make("{\"alg\":\"HS256\",\"kid\":\"b\"}", "{}",
                                   pool);
    mastra_jwt_t jwt;
    mastra_jwks_t *set;

    set = keys_of(OCT(",\"kid\":\"a\""), &why, pool);
    is_int(mastra_jwt_verify(&jwt, &why, token, strlen(token), set, &rules,
                             pool), APR_NOTFOUND, "a kid that is not known");
    set = keys_of(OCT(",\"kid\":\"b\""), &why, pool);
    is_int(mastra_jwt_verify(&jwt, &why, token, strlen(token), set, &rules,
                             pool), APR_EINVAL, "not a wrong signature");
    token = make(GOOD, "{}", pool);
    is_int(mastra_jwt_verify(&jwt, &why, token, strlen(token), set, &rules,
                             pool), APR_NOTFOUND,
           "but one of a token that names no key");
    ok(mastra_jwt_is_one(token, strlen(token), MASTRA_JWT_HS, pool),
       "the form of a token is known without keys");
    ok(!mastra_jwt_is_one(token, strlen(token), MASTRA_JWT_PUBLIC, pool),
       "... and its algorithm");
}

static void secrets(apr_pool_t *pool)
{
    mastra_jwt_rules_t rules = { .algorithms = MASTRA_JWT_HS, .now = NOW };
    /* made by jsonwebtoken, which takes secrets of any length */
    static const char token[] =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJlbWFpbCI6"
        "InVAeC55IiwibmFtZSI6IlUiLCJpYXQiOjE3OTUzMTEyNDB9.KdYC4-ZlB21eL9DyErWW"
        "77STZPaqINhaF18IitQnZqs";

    is_str(refusal(token, mastra_jwks_secret("test-secret", 11, pool), &rules,
                   pool), NULL, "a short secret of the configuration");
    ok(refusal(token, mastra_jwks_secret("test-secreT", 11, pool), &rules,
               pool), "... has to be the right one");
    ok(!mastra_jwks_secret("", 0, pool), "an empty secret is none");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    algorithms(pool);
    examples(pool);
    forms(pool);
    headers(pool);
    claims(pool);
    parties(pool);
    keys(pool);
    newer_keys(pool);
    secrets(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
