/* mastra-schema SCHEMA.json INSTANCE.json: 0 valid, 1 invalid with the errors
 * as JSON on standard output, 2 the schema or a file is of no use. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <apr_general.h>

#include "schema.h"

#define FILE_LIMIT ((apr_size_t)64 * 1024 * 1024)
#define FILE_PART 65536

static int complain(const char *path, const char *why)
{
    fprintf(stderr, "%s: %s\n", path, why);
    return 0;
}

static int read_file(mastra_buf_t *text, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *part = "";
    size_t n = 0;

    if (!file) {
        return complain(path, strerror(errno));
    }
    do {
        text->len += n;
        part = mastra_buf_reserve(text, FILE_PART);
        n = part ? fread(part, 1, FILE_PART, file) : 0;
    } while (n);
    fclose(file);
    return part || complain(path, "too large");
}

static mastra_json_t *read_json(const char *path, apr_pool_t *pool)
{
    mastra_json_t *json = NULL;
    mastra_json_error_t err;
    mastra_buf_t text;

    mastra_buf_init(&text, FILE_LIMIT);
    if (read_file(&text, path)
        && mastra_json_parse_nul(&json, text.data, text.len, &err)
           != APR_SUCCESS) {
        complain(path, err.message);
    }
    mastra_buf_free(&text);
    return mastra_json_own(json, pool);
}

static void print_errors(const mastra_schema_errors_t *errors,
                         apr_pool_t *pool)
{
    mastra_json_t *all = mastra_json_own(mastra_json_array(), pool), *one;
    int i;

    for (i = 0; i < errors->count; i++) {
        one = mastra_json_object();
        mastra_json_set_str(one, "path", errors->errors[i].path);
        mastra_json_set_str(one, "keyword", errors->errors[i].keyword);
        mastra_json_set_str(one, "location", errors->errors[i].location);
        mastra_json_set_str(one, "message", errors->errors[i].message);
        mastra_json_append(all, one);
    }
    printf("%s\n", mastra_json_text(all, pool));
}

static int run(const char *schema_path, const char *path, apr_pool_t *pool)
{
    mastra_json_t *document = read_json(schema_path, pool);
    mastra_json_t *instance = read_json(path, pool);
    const mastra_schema_t *schema;
    mastra_schema_errors_t errors;
    mastra_result_t *fault;

    if (!document || !instance) {
        return 2;
    }
    if (mastra_schema_compile(&schema, document, &fault, pool)
        != APR_SUCCESS) {
        fprintf(stderr, "%s: %s\n", schema_path, fault->message);
        return 2;
    }
    if (mastra_schema_validate(schema, instance, &errors, pool)) {
        return 0;
    }
    print_errors(&errors, pool);
    return 1;
}

int main(int argc, const char *const argv[])
{
    apr_pool_t *pool;
    int status;

    if (argc != 3) {
        fprintf(stderr, "usage: mastra-schema SCHEMA.json INSTANCE.json\n");
        return 2;
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    status = run(argv[1], argv[2], pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return status;
}
