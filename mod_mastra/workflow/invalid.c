/* What is wrong with a value, as the error of a step or a run. */

#include <string.h>

#include <apr_strings.h>

#include "engine.h"

static mastra_json_t *issues_of(const mastra_schema_errors_t *errors,
                                apr_pool_t *pool)
{
    mastra_json_t *made = mastra_json_array();
    int i;

    for (i = 0; i < errors->count; i++) {
        mastra_json_t *path = mastra_json_array();
        char *copy = apr_pstrdup(pool, errors->errors[i].path), *state, *part;

        for (part = apr_strtok(copy, ".", &state); part;
             part = apr_strtok(NULL, ".", &state)) {
            mastra_json_append(path, mastra_json_string(part));
        }
        mastra_json_append(made, mastra_json_pack("{s:o, s:s}", "path", path,
                                                  "message",
                                                  errors->errors[i].message));
    }
    return made;
}

mastra_json_t *mastra_step_invalid(const mastra_schema_t *schema,
                                   const mastra_json_t *value,
                                   const char *what, const char *code,
                                   apr_pool_t *pool)
{
    mastra_schema_errors_t errors;
    mastra_json_t *issues, *wrapped;
    const char *text;
    int i;

    if (!schema || mastra_schema_validate(schema, value, &errors, pool)) {
        return NULL;
    }
    text = apr_pstrcat(pool, what, ": ", NULL);
    for (i = 0; i < errors.count; i++) {
        const mastra_schema_error_t *one = &errors.errors[i];

        text = apr_pstrcat(pool, text, "\n- ", one->path, ": ",
                           one->message, NULL);
    }
    issues = issues_of(&errors, pool);
    wrapped = mastra_json_pack("{s:O}", "issues", issues);
    issues = mastra_json_pack(
        "{s:s, s:s, s:s, s:s, s:{}, s:{s:s, s:s, s:o}}", "message", text,
        "domain", "MASTRA_WORKFLOW", "category", "USER", "code", code,
        "details", "cause", "message", mastra_json_text(wrapped, pool), "name",
        "Error", "issues", issues);
    mastra_json_unref(wrapped);
    return issues;
}
