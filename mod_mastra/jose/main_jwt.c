/* mastra-jwt verify [--raw] --jwks FILE TOKEN: 0 with the claims (or, raw, the
 * payload) on standard output; 1 and the reason when the token is refused; 2
 * when the command line or the file is of no use. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <apr_general.h>

#include "jwt.h"

#define FILE_LIMIT ((apr_size_t)1024 * 1024)
#define FILE_PART 65536

typedef struct {
    int raw;
    const char *path, *token;
} arguments_t;

static int usage(void)
{
    fprintf(stderr, "usage: mastra-jwt verify [--raw] --jwks FILE TOKEN\n");
    return 2;
}

static int read_arguments(arguments_t *arguments, int argc,
                          const char *const argv[])
{
    int i;

    memset(arguments, 0, sizeof(*arguments));
    if (argc < 2 || strcmp(argv[1], "verify")) {
        return 0;
    }
    for (i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--raw")) {
            arguments->raw = 1;
        }
        else if (!strcmp(argv[i], "--jwks") && i + 1 < argc) {
            arguments->path = argv[++i];
        }
        else if (!arguments->token && strncmp(argv[i], "--", 2)) {
            arguments->token = argv[i];
        }
        else {
            return 0;
        }
    }
    return arguments->path && arguments->token;
}

static const char *read_file(mastra_buf_t *text, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *part = "";
    size_t n = 0;

    if (!file) {
        return strerror(errno);
    }
    do {
        text->len += n;
        part = mastra_buf_reserve(text, FILE_PART);
        n = part ? fread(part, 1, FILE_PART, file) : 0;
    } while (n);
    fclose(file);
    return part ? NULL : "too large";
}

static int verify(const arguments_t *arguments, const mastra_jwks_t *set,
                  apr_pool_t *pool)
{
    mastra_jwt_rules_t rules = { .algorithms = MASTRA_JWT_ANY };
    mastra_jwt_t jwt;
    const char *why;

    rules.raw = arguments->raw;
    if (mastra_jwt_verify(&jwt, &why, arguments->token,
                          strlen(arguments->token), set, &rules, pool)
        != APR_SUCCESS) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    if (arguments->raw) {
        fwrite(jwt.payload, 1, jwt.payload_len, stdout);
    }
    else {
        printf("%s\n", mastra_json_text(jwt.claims, pool));
    }
    return fflush(stdout) ? 2 : 0;
}

static int run(const arguments_t *arguments, apr_pool_t *pool)
{
    mastra_jwks_t *set;
    mastra_buf_t text;
    const char *why;
    int status;

    mastra_buf_init(&text, FILE_LIMIT);
    why = read_file(&text, arguments->path);
    status = why ? 2 : 1;
    if (!why) {
        mastra_jwks_parse(&set, &why, text.data, text.len, pool);
    }
    mastra_buf_free(&text);
    if (why) {
        fprintf(stderr, "%s: %s\n", arguments->path, why);
        return status;
    }
    return verify(arguments, set, pool);
}

int main(int argc, const char *const argv[])
{
    arguments_t arguments;
    apr_pool_t *pool;
    int status;

    if (!read_arguments(&arguments, argc, argv)) {
        return usage();
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    status = run(&arguments, pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return status;
}
