/* Keys and tokens: the text up to the first line break is a JWK or a set, the rest a token. */
#include <stdint.h>
#include <string.h>

#include <apr_general.h>

#include "jose/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *parent;
    mastra_jwt_rules_t rules = { .algorithms = MASTRA_JWT_ANY };
    const uint8_t *line = memchr(data, '\n', size);
    size_t len = line ? (size_t)(line - data) : size;
    mastra_jwks_t *set;
    mastra_jwt_t jwt;
    const char *why;
    apr_pool_t *pool;

    if (!parent) {
        apr_initialize();
        apr_pool_create(&parent, NULL);
    }
    apr_pool_create(&pool, parent);
    if (mastra_jwks_parse(&set, &why, (const char *)data, len, pool)
        == APR_SUCCESS && line) {
        mastra_jwt_verify(&jwt, &why, (const char *)line + 1, size - len - 1,
                          set, &rules, pool);
    }
    apr_pool_destroy(pool);
    return 0;
}
