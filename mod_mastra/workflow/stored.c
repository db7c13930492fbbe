/* Definitions that are made at run time: checked as a whole, stored as a
 * whole. */

#include <string.h>

#include <apr_strings.h>

#include "owner.h"

typedef struct {
    mastra_workflow_env_t *env;
    const char *author;
    apr_pool_t *pool;
    mastra_json_t *bundle;           /* definitions by id, the last is what
                                        was asked for */
    mastra_json_t *others;           /* rows that they name, by id */
    const char *wanted;
    mastra_json_t *row;
} storing_t;

/* ---- storage ---- */

static apr_status_t read_row(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    storing_t *storing = baton;

    mastra_json_unref(storing->row);
    storing->row = NULL;
    return mastra_definitions_get(&storing->row, db, storing->wanted, pool);
}

static apr_status_t put_all(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    storing_t *storing = baton;
    apr_status_t rv = APR_SUCCESS;
    void *at;

    for (at = mastra_json_iter(storing->bundle); at && rv == APR_SUCCESS;
         at = mastra_json_next(storing->bundle, at)) {
        rv = mastra_definitions_put(db, mastra_json_value(at),
                                    storing->author, pool);
    }
    return rv;
}

/* ---- looking up ---- */

/* In the bundle, in files, in storage. */
static mastra_json_t *find(void *baton, const char *id)
{
    storing_t *storing = baton;
    mastra_json_t *found = mastra_json_get(storing->bundle, id);
    const mastra_workflow_t *workflow;

    if (!id || found) {
        return found;
    }
    workflow = mastra_workflows_find(storing->env->workflows, id);
    if (workflow) {
        return workflow->definition;
    }
    found = mastra_json_get(storing->others, id);
    if (!found) {
        storing->wanted = id;
        if (mastra_store_call(storing->env->store, MASTRA_STORE_READ, read_row,
                              storing) == APR_SUCCESS) {
            found = storing->row;
            mastra_json_set(storing->others, id, storing->row);
            storing->row = NULL;
        }
    }
    return found;
}

/* ---- checking ---- */

static mastra_result_t *bad_shape(storing_t *storing,
                                  const mastra_result_t *why)
{
    mastra_result_t *error = mastra_result_make(
        storing->pool, 400, "INVALID_BODY", "Invalid request body");

    error->detail = mastra_json_own(mastra_json_pack(
        "{s:[{s:s, s:s}]}", "issues", "field",
        mastra_json_get_str(why->detail, "field"), "message", why->message),
        storing->pool);
    return error;
}

static mastra_result_t *with_issues(storing_t *storing, const char *id,
                                    const mastra_json_t *issues)
{
    const char *text = "";
    apr_size_t i, n = mastra_json_size(issues);

    for (i = 0; i < n; i++) {
        const mastra_json_t *one = mastra_json_at(issues, i);

        text = apr_pstrcat(storing->pool, text, "\n- [",
                           mastra_json_get_str(one, "code"), "] ",
                           mastra_json_get_str(one, "path"), ": ",
                           mastra_json_get_str(one, "message"), NULL);
    }
    return mastra_result_make(storing->pool, 500, "WORKFLOW_INVALID",
                              "Dynamic workflow \"%s\" failed validation with "
                              "%d issue(s):%s", id, (int)n, text);
}

/* References are told of before what compiling says of them. */
static mastra_result_t *check_one(storing_t *storing, const char *id,
                                  mastra_json_t *definition)
{
    mastra_workflow_source_t source = {
        .tools = storing->env->all_tools,
        .agents = storing->env->agents->agents, .find = find,
        .baton = storing, .lenient = 1
    };
    mastra_result_t *why = NULL, *error = NULL;
    mastra_json_t *issues;

    if (mastra_workflows_find(storing->env->workflows, id)) {
        return mastra_result_make(storing->pool, 409, "WORKFLOW_EXISTS",
                                  "A workflow with the id \"%s\" is defined in "
                                  "a file", id);
    }
    issues = mastra_workflow_issues(definition, &source, storing->pool);
    if (mastra_json_size(issues)) {
        error = with_issues(storing, id, issues);
    }
    mastra_json_unref(issues);
    if (!error && !mastra_workflow_compile(id, definition, "dynamic", &source,
                                           &why, storing->pool)) {
        error = bad_shape(storing, why);
    }
    return error;
}

static mastra_result_t *add_to_bundle(storing_t *storing,
                                      const mastra_json_t *definition)
{
    const char *id = mastra_json_get_str(definition, "id");
    mastra_json_t *one;

    if (mastra_json_get(storing->bundle, id)) {
        return mastra_result_make(storing->pool, 500, "WORKFLOW_INVALID",
                                  "Dynamic workflow bundle contains more than "
                                  "one definition with id \"%s\". Ids must be "
                                  "unique within a bundle.", id);
    }
    one = mastra_json_copy_flat(definition);
    mastra_json_del(one, "dependencies");
    mastra_json_set(storing->bundle, id, one);
    return NULL;
}

/* What others build upon comes first. New reference: the ids of those. */
static mastra_json_t *fill_bundle(storing_t *storing,
                                  const mastra_json_t *body,
                                  mastra_result_t **perror)
{
    const mastra_json_t *more = mastra_json_get(body, "dependencies");
    mastra_json_t *ids = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(more) && !*perror; i++) {
        const mastra_json_t *one = mastra_json_at(more, i);

        *perror = add_to_bundle(storing, one);
        mastra_json_append(ids, mastra_json_string(
            mastra_json_get_str(one, "id")));
    }
    if (!*perror) {
        *perror = add_to_bundle(storing, body);
    }
    return ids;
}

mastra_json_t *mastra_workflow_store(mastra_workflow_env_t *env,
                                     const mastra_json_t *body,
                                     const char *author,
                                     mastra_result_t **perror,
                                     apr_pool_t *pool)
{
    storing_t storing = { .env = env, .author = author, .pool = pool };
    mastra_json_t *ids, *made;
    apr_status_t rv;
    void *at;

    storing.bundle = mastra_json_own(mastra_json_object(), pool);
    storing.others = mastra_json_own(mastra_json_object(), pool);
    ids = fill_bundle(&storing, body, perror);
    for (at = mastra_json_iter(storing.bundle); at && !*perror;
         at = mastra_json_next(storing.bundle, at)) {
        *perror = check_one(&storing, mastra_json_key(at),
                            mastra_json_value(at));
    }
    if (!*perror) {
        rv = mastra_store_call(env->store, MASTRA_STORE_WRITE, put_all,
                               &storing);
        if (rv) {
            *perror = mastra_store_result(pool, rv, "store the workflow");
        }
    }
    if (*perror) {
        mastra_json_unref(ids);
        return NULL;
    }
    made = mastra_json_pack("{s:b, s:s}", "ok", 1, "id",
                            mastra_json_get_str(body, "id"));
    if (mastra_json_size(ids)) {
        mastra_json_set(made, "dependencyIds", ids);
    }
    else {
        mastra_json_unref(ids);
    }
    return made;
}
