/* One route as an OpenAPI operation. */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "internal.h"

#define INVALID "#/components/responses/Invalid"
#define ERROR "#/components/responses/Error"

/* --- names ------------------------------------------------------------------ */

/* "get_agents_agentId" of GET /agents/{agentId}, not given before. */
static const char *make_id(mastra_openapi_t *openapi, const char *method,
                           const char *path)
{
    apr_pool_t *pool = openapi->pool;
    char *id = apr_pstrcat(pool, method, path, NULL), *from, *to;
    const char *made = id;
    int n;

    for (from = to = id; *from; from++) {
        if (*from == '{' || *from == '}') {
            continue;
        }
        *to++ = apr_isalnum(*from) || *from == '-' ? *from : '_';
    }
    *to = '\0';
    for (n = 2; apr_hash_get(openapi->ids, made, APR_HASH_KEY_STRING); n++) {
        made = apr_psprintf(pool, "%s_%d", id, n);
    }
    apr_hash_set(openapi->ids, made, APR_HASH_KEY_STRING, made);
    return made;
}

static void note_tag(mastra_openapi_t *openapi, const char *tag)
{
    if (!apr_hash_get(openapi->tags, tag, APR_HASH_KEY_STRING)) {
        tag = apr_pstrdup(openapi->pool, tag);
        apr_hash_set(openapi->tags, tag, APR_HASH_KEY_STRING, tag);
        mastra_json_append(openapi->tag_list,
                           mastra_json_pack("{s:s}", "name", tag));
    }
}

/* --- what goes in ----------------------------------------------------------- */

static int has_parameter(const mastra_json_t *parameters, const char *in,
                         const char *name)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parameters); i++) {
        const mastra_json_t *one = mastra_json_at(parameters, i);
        const char *its_in = mastra_json_get_str(one, "in");
        const char *its_name = mastra_json_get_str(one, "name");

        if (its_in && its_name && !strcmp(its_in, in)
            && !strcmp(its_name, name)) {
            return 1;
        }
    }
    return 0;
}

static void add_path_parameters(mastra_json_t *parameters, const char *path,
                                apr_pool_t *pool)
{
    const char *end;

    while ((path = strchr(path, '{')) && (end = strchr(path, '}'))) {
        const char *name = apr_pstrmemdup(pool, path + 1,
                                          (apr_size_t)(end - path) - 1);

        if (!has_parameter(parameters, "path", name)) {
            mastra_json_append(parameters, mastra_json_pack(
                "{s:s, s:s, s:b, s:{s:s}}", "name", name, "in", "path",
                "required", 1, "schema", "type", "string"));
        }
        path = end;
    }
}

static int is_required(const mastra_json_t *schema, const char *name)
{
    const mastra_json_t *required = mastra_json_get(schema, "required");
    apr_size_t i;

    for (i = 0; i < mastra_json_size(required); i++) {
        if (!strcmp(mastra_json_str(mastra_json_at(required, i)), name)) {
            return 1;
        }
    }
    return 0;
}

static void add_query(mastra_openapi_t *openapi, mastra_json_t *parameters,
                      const mastra_route_t *row, const char *id)
{
    const mastra_json_t *members;
    mastra_json_t *schema = row->query
        ? mastra_openapi_schema(openapi, row->query,
                                apr_pstrcat(openapi->pool, id, ".query", NULL))
        : NULL;
    void *iter;

    members = mastra_json_get(schema, "properties");
    for (iter = mastra_json_iter(members); iter;
         iter = mastra_json_next(members, iter)) {
        const char *name = mastra_json_key(iter);
        mastra_json_t *one = mastra_json_value(iter);
        const char *type = mastra_json_get_str(one, "type");
        mastra_json_t *parameter = mastra_json_pack(
            "{s:s, s:s, s:b, s:O}", "name", name, "in", "query", "required",
            is_required(schema, name), "schema", one);

        if (type && !strcmp(type, "object")) {
            mastra_json_set_str(parameter, "style", "deepObject");
            mastra_json_set_bool(parameter, "explode", 1);
        }
        mastra_json_append(parameters, parameter);
    }
    mastra_json_unref(schema);
}

static void add_body(mastra_openapi_t *openapi, mastra_json_t *operation,
                     const mastra_route_t *row, const char *id)
{
    mastra_json_t *schema = row->body
        ? mastra_openapi_schema(openapi, row->body,
                                apr_pstrcat(openapi->pool, id, ".body", NULL))
        : NULL;

    if (schema) {
        mastra_json_set(operation, "requestBody", mastra_json_pack(
            "{s:b, s:{s:{s:O}}}", "required",
            mastra_json_size(mastra_json_get(schema, "required")) > 0,
            "content", "application/json", "schema", schema));
        mastra_json_unref(schema);
    }
}

/* --- what comes out --------------------------------------------------------- */

static mastra_json_t *reference(const char *to)
{
    return mastra_json_pack("{s:s}", "$ref", to);
}

static mastra_json_t *failure(const char *description)
{
    return mastra_json_pack("{s:s, s:{s:{s:{s:s}}}}", "description",
                            description, "content", "application/json",
                            "schema", "$ref", "#/components/schemas/Error");
}

mastra_json_t *mastra_openapi_responses(void)
{
    return mastra_json_pack("{s:o, s:o}", "Invalid",
                            failure("The request is not valid"), "Error",
                            failure("What went wrong"));
}

static mastra_json_t *success(mastra_openapi_t *openapi,
                              const mastra_route_t *row, const char *id)
{
    const char *text = row->answer ? row->answer
                                   : mastra_openapi_answer(row, openapi->pool);
    mastra_json_t *schema;

    if (row->flags & MASTRA_ROUTE_STREAM) {
        return mastra_json_pack("{s:s, s:{s:{s:{s:s}}}}", "description",
                                "A stream of chunks", "content",
                                "text/event-stream", "schema", "type",
                                "string");
    }
    schema = text ? mastra_openapi_schema(openapi, text,
                                          apr_pstrcat(openapi->pool, id,
                                                      ".answer", NULL))
                  : mastra_json_object();
    return mastra_json_pack("{s:s, s:{s:{s:o}}}", "description", "The answer",
                            "content", "application/json", "schema", schema);
}

/* Each route may fail in the ways that "default" stands for. */
static void add_failures(mastra_json_t *responses, int has_input)
{
    if (has_input && !mastra_json_get(responses, "400")) {
        mastra_json_set(responses, "400", reference(INVALID));
    }
    if (!mastra_json_get(responses, "4XX")) {
        mastra_json_set(responses, "4XX", reference(ERROR));
    }
    if (!mastra_json_get(responses, "default")) {
        mastra_json_set(responses, "default", reference(ERROR));
    }
}

/* --- who may ---------------------------------------------------------------- */

mastra_json_t *mastra_openapi_schemes(const mastra_openapi_t *openapi)
{
    const mastra_auth_t *auth = &openapi->host->auth;
    mastra_json_t *made = mastra_json_object();

    if (mastra_auth_is_on(auth)) {
        mastra_json_set(made, "bearer",
                        mastra_json_pack("{s:s, s:s}", "type", "http",
                                         "scheme", "bearer"));
        mastra_json_set(made, "apiKey",
                        mastra_json_pack("{s:s, s:s, s:s}", "type", "apiKey",
                                         "in", "query", "name", "apiKey"));
    }
    if (mastra_auth_is_ambient(auth)) {
        mastra_json_set(made, "basic",
                        mastra_json_pack("{s:s, s:s}", "type", "http",
                                         "scheme", "basic"));
    }
    return made;
}

mastra_json_t *mastra_openapi_security(const mastra_openapi_t *openapi)
{
    mastra_json_t *schemes = mastra_openapi_schemes(openapi);
    mastra_json_t *made = mastra_json_array();
    void *iter;

    for (iter = mastra_json_iter(schemes); iter;
         iter = mastra_json_next(schemes, iter)) {
        mastra_json_append(made, mastra_json_pack("{s:[]}",
                                                  mastra_json_key(iter)));
    }
    mastra_json_unref(schemes);
    return made;
}

/* --- operations ------------------------------------------------------------- */

static mastra_json_t *servers_root(void)
{
    return mastra_json_pack("[{s:s}]", "url", "/");
}

mastra_json_t *mastra_openapi_operation(mastra_openapi_t *openapi,
                                        const mastra_route_t *row,
                                        const char *permission,
                                        const char *method, const char *path)
{
    mastra_json_t *made, *parameters = mastra_json_array(), *responses;
    const mastra_auth_t *auth = &openapi->host->auth;
    int outside = row->flags & MASTRA_ROUTE_OUTSIDE, is_needed;
    const char *id;

    id = make_id(openapi, method, path);
    is_needed = mastra_auth_needs(auth, row,
                                  apr_pstrcat(openapi->pool, outside ? ""
                                              : openapi->host->prefix,
                                              row->path, NULL));
    made = mastra_json_pack("{s:s, s:s, s:[s]}", "operationId", id, "summary",
                            row->summary, "tags", row->tag);
    note_tag(openapi, row->tag);
    add_path_parameters(parameters, path, openapi->pool);
    add_query(openapi, parameters, row, id);
    if (mastra_json_size(parameters)) {
        mastra_json_set(made, "parameters", mastra_json_ref(parameters));
    }
    add_body(openapi, made, row, id);
    responses = mastra_json_pack("{s:o}", "200", success(openapi, row, id));
    add_failures(responses, row->body || row->query);
    mastra_json_set(made, "responses", responses);
    mastra_json_set(made, "security", is_needed
                    ? mastra_openapi_security(openapi) : mastra_json_array());
    if (!(row->flags & MASTRA_ROUTE_PUBLIC) && *permission) {
        mastra_json_set_str(made, "x-mastra-permission", permission);
    }
    if (outside) {
        mastra_json_set(made, "servers", servers_root());
    }
    mastra_json_unref(parameters);
    return made;
}

mastra_json_t *mastra_openapi_overlay(mastra_openapi_t *openapi,
                                      mastra_json_t *operation,
                                      const mastra_json_t *given,
                                      const char *path)
{
    mastra_json_t *copy = mastra_json_copy(given), *parameters, *responses;
    const mastra_json_t *tags = mastra_json_get(copy, "tags");
    apr_size_t i;

    mastra_json_merge(operation, copy);
    parameters = mastra_json_get(operation, "parameters");
    if (!mastra_json_is_array(parameters)) {
        parameters = mastra_json_array();
        mastra_json_set(operation, "parameters", parameters);
    }
    add_path_parameters(parameters, path, openapi->pool);
    responses = mastra_json_get(operation, "responses");
    if (!mastra_json_is_object(responses)) {
        responses = mastra_json_pack("{s:{s:s}}", "200", "description",
                                     "The answer");
        mastra_json_set(operation, "responses", responses);
    }
    add_failures(responses, 0);
    for (i = 0; i < mastra_json_size(tags); i++) {
        if (mastra_json_is_string(mastra_json_at(tags, i))) {
            note_tag(openapi, mastra_json_str(mastra_json_at(tags, i)));
        }
    }
    mastra_json_unref(copy);
    return operation;
}
