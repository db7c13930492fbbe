/* Tools: definitions, registry, and checked calls. */

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "tool.h"
#include "../base/pool.h"

struct mastra_tools_t {
    apr_pool_t *pool;
    apr_array_header_t *list;    /* const mastra_tool_t * in order */
    apr_hash_t *by_name;         /* keys and ids */
    apr_hash_t *kinds;           /* name to kind */
};

mastra_tools_t *mastra_tools_make(apr_pool_t *pool)
{
    mastra_tools_t *tools = apr_pcalloc(pool, sizeof(*tools));

    tools->pool = pool;
    tools->list = apr_array_make(pool, 16, sizeof(mastra_tool_t *));
    tools->by_name = apr_hash_make(pool);
    tools->kinds = apr_hash_make(pool);
    mastra_tools_add_kind(tools, &mastra_tool_uri);
    mastra_tools_add_kind(tools, &mastra_tool_http);
    mastra_tools_add_kind(tools, &mastra_tool_sql);
    mastra_tools_add_kind(tools, &mastra_tool_human);
    return tools;
}

void mastra_tools_add_kind(mastra_tools_t *tools,
                           const mastra_tool_kind_t *kind)
{
    apr_hash_set(tools->kinds, kind->name, APR_HASH_KEY_STRING, kind);
}

const mastra_tool_t *mastra_tools_find(const mastra_tools_t *tools,
                                       const char *name)
{
    return name ? apr_hash_get(tools->by_name, name, APR_HASH_KEY_STRING)
                : NULL;
}

int mastra_tools_count(const mastra_tools_t *tools)
{
    return tools->list->nelts;
}

const mastra_tool_t *mastra_tools_at(const mastra_tools_t *tools, int i)
{
    return APR_ARRAY_IDX(tools->list, i, const mastra_tool_t *);
}

/* ---- reading ---- */

static mastra_result_t *fault(apr_pool_t *pool, const char *field,
                              const char *fmt, const char *value)
{
    mastra_result_t *error = mastra_result_make(pool, 400, "TOOL_INVALID", fmt,
                                                value);

    error->detail = mastra_json_own(mastra_json_pack("{s:s}", "field", field),
                                    pool);
    return error;
}

/* A definition may leave its input to its kind. */
static mastra_json_t *schema_given(const mastra_tool_t *tool, const char *field,
                                   apr_pool_t *pool)
{
    mastra_json_t *json = mastra_json_get(tool->definition, field);
    const char *otherwise = tool->kind->default_input;

    if (!json && otherwise && !strcmp(field, "inputSchema")) {
        mastra_json_parse(&json, otherwise, strlen(otherwise), 0, NULL);
        mastra_json_own(json, pool);
    }
    return json;
}

static mastra_result_t *read_schema(mastra_json_t **pjson,
                                    const mastra_schema_t **pcompiled,
                                    const mastra_tool_t *tool,
                                    const char *field, apr_pool_t *pool)
{
    mastra_json_t *json = schema_given(tool, field, pool);
    const mastra_schema_t *compiled = NULL;
    mastra_result_t *why = NULL;

    if (!json) {
        return NULL;
    }
    if (mastra_schema_compile(&compiled, json, &why, pool)) {
        return fault(pool, field, "not a usable JSON Schema: %s",
                     why ? why->message : "unknown");
    }
    *pjson = json;
    if (pcompiled) {
        *pcompiled = compiled;
    }
    return NULL;
}

static mastra_result_t *read_schemas(mastra_tool_t *tool, apr_pool_t *pool)
{
    mastra_result_t *error = read_schema(&tool->input_schema, &tool->input,
                                         tool, "inputSchema", pool);

    if (!error) {
        error = read_schema(&tool->output_schema, &tool->output, tool,
                            "outputSchema", pool);
    }
    if (!error) {
        error = read_schema(&tool->suspend_schema, &tool->suspend, tool,
                            "suspendSchema", pool);
    }
    if (!error) {
        error = read_schema(&tool->resume_schema, &tool->resume, tool,
                            "resumeSchema", pool);
    }
    return error;
}

static mastra_result_t *read_kind(mastra_tools_t *tools, mastra_tool_t *tool)
{
    const mastra_json_t *execute = mastra_json_get(tool->definition, "execute");
    const char *name = mastra_json_get_str(execute, "kind");

    if (!name) {
        return fault(tools->pool, "execute", "says nothing about how the tool "
                     "runs: \"execute\": {\"kind\": …}%s", "");
    }
    tool->kind = apr_hash_get(tools->kinds, name, APR_HASH_KEY_STRING);
    if (!tool->kind) {
        return fault(tools->pool, "execute.kind", "there is no kind \"%s\"",
                     name);
    }
    return NULL;
}

static mastra_result_t *read_execute(mastra_tools_t *tools,
                                     mastra_tool_t *tool)
{
    const char *field = "execute";
    const char *why = tool->kind->parse(&tool->conf, &field, tool,
                                        tools->pool);

    return why ? fault(tools->pool, field, "%s", why) : NULL;
}

/* The form in which the API shows schemas: superjson's envelope, as text. */
static void set_schema(mastra_json_t *object, const char *key,
                       mastra_json_t *schema, apr_pool_t *pool)
{
    mastra_json_t *json, *wrapped;

    if (!schema) {
        return;
    }
    json = mastra_json_object();
    mastra_json_set_str(json, "$schema",
                        "https://json-schema.org/draft/2020-12/schema");
    mastra_json_merge(json, schema);
    wrapped = mastra_json_pack("{s:o}", "json", json);
    mastra_json_set_str(object, key, mastra_json_text(wrapped, pool));
    mastra_json_unref(wrapped);
}

static mastra_json_t *describe(const mastra_tool_t *tool, int partial,
                               apr_pool_t *pool)
{
    mastra_json_t *made = mastra_json_pack("{s:s, s:s}", "id", tool->id,
                                           "description", tool->description);

    if (!partial) {
        set_schema(made, "inputSchema", tool->input_schema, pool);
        set_schema(made, "outputSchema", tool->output_schema, pool);
        set_schema(made, "suspendSchema", tool->suspend_schema, pool);
        set_schema(made, "resumeSchema", tool->resume_schema, pool);
    }
    mastra_json_set_bool(made, "requireApproval", tool->require_approval);
    return mastra_json_own(made, pool);
}

static const char *text_of(const mastra_tool_t *tool, const char *name,
                           const char *otherwise)
{
    const char *value = mastra_json_get_str(tool->definition, name);

    return value ? value : otherwise;
}

static mastra_tool_t *base_of(mastra_tools_t *tools, const char *key,
                              mastra_json_t *definition)
{
    mastra_tool_t *tool = apr_pcalloc(tools->pool, sizeof(*tool));

    tool->key = apr_pstrdup(tools->pool, key);
    tool->definition = mastra_json_own(mastra_json_ref(definition),
                                       tools->pool);
    tool->id = text_of(tool, "id", tool->key);
    tool->description = text_of(tool, "description", "");
    tool->require_approval = mastra_json_get_bool(definition,
                                                  "requireApproval", 0);
    return tool;
}

static mastra_result_t *read_rest(mastra_tools_t *tools, mastra_tool_t *tool)
{
    mastra_result_t *error = read_kind(tools, tool);

    if (!error) {
        error = read_schemas(tool, tools->pool);
    }
    if (!error) {
        error = read_execute(tools, tool);
    }
    if (!error) {
        tool->describe = describe(tool, 0, tools->pool);
        tool->describe_partial = describe(tool, 1, tools->pool);
    }
    return error;
}

const mastra_tool_t *mastra_tools_make_one(mastra_tools_t *tools,
                                           const char *key,
                                           mastra_json_t *definition,
                                           const mastra_result_t **perror)
{
    mastra_tool_t *tool = base_of(tools, key, definition);

    *perror = read_rest(tools, tool);
    return *perror ? NULL : tool;
}

const mastra_result_t *mastra_tools_add(mastra_tools_t *tools, const char *key,
                                        mastra_json_t *definition)
{
    const mastra_result_t *error;
    mastra_tool_t *tool;

    if (!mastra_json_is_object(definition)) {
        return fault(tools->pool, "", "a tool is a JSON object%s", "");
    }
    tool = base_of(tools, key, definition);
    if (mastra_tools_find(tools, tool->key)
        || mastra_tools_find(tools, tool->id)) {
        return fault(tools->pool, "id", "the id \"%s\" is taken", tool->id);
    }
    error = read_rest(tools, tool);
    if (error) {
        return error;
    }
    APR_ARRAY_PUSH(tools->list, const mastra_tool_t *) = tool;
    apr_hash_set(tools->by_name, tool->key, APR_HASH_KEY_STRING, tool);
    apr_hash_set(tools->by_name, tool->id, APR_HASH_KEY_STRING, tool);
    return NULL;
}

/* ---- checking ---- */

/* The node of path ("a.b") in {errors:[], fields:{…}}. */
static mastra_json_t *error_node(mastra_json_t *root, const char *path,
                                 apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, path), *state = NULL, *name;
    mastra_json_t *node = root;

    for (name = apr_strtok(copy, ".", &state); name;
         name = apr_strtok(NULL, ".", &state)) {
        mastra_json_t *fields = mastra_json_get(node, "fields");

        if (!mastra_json_get(fields, name)) {
            mastra_json_set(fields, name, mastra_json_pack("{s:[], s:{}}",
                                                           "errors", "fields"));
        }
        node = mastra_json_get(fields, name);
    }
    return node;
}

/* JSON with two blanks of indentation, as JSON.stringify(value, null, 2). */
static void indent(mastra_buf_t *buf, int depth)
{
    mastra_buf_printf(buf, "\n%*s", depth * 2, "");
}

static void pretty(mastra_buf_t *buf, const mastra_json_t *json, int depth)
{
    apr_size_t i, n = mastra_json_size(json);
    void *at;

    if (n && mastra_json_is_array(json)) {
        for (i = 0; i < n; i++) {
            mastra_buf_puts(buf, i ? "," : "[");
            indent(buf, depth + 1);
            pretty(buf, mastra_json_at(json, i), depth + 1);
        }
        indent(buf, depth);
        mastra_buf_puts(buf, "]");
    }
    else if (n && mastra_json_is_object(json)) {
        i = 0;
        for (at = mastra_json_iter(json); at;
             at = mastra_json_next(json, at)) {
            const char *key = mastra_json_key(at);

            mastra_buf_puts(buf, i++ ? "," : "{");
            indent(buf, depth + 1);
            mastra_buf_json_string(buf, key, strlen(key));
            mastra_buf_puts(buf, ": ");
            pretty(buf, mastra_json_value(at), depth + 1);
        }
        indent(buf, depth);
        mastra_buf_puts(buf, "}");
    }
    else {
        mastra_json_write(buf, json);
    }
}

static mastra_json_t *invalid_input(const mastra_tool_t *tool,
                                    const mastra_json_t *input,
                                    const mastra_schema_errors_t *errors,
                                    apr_pool_t *pool)
{
    mastra_json_t *root = mastra_json_pack("{s:[], s:{}}", "errors", "fields");
    mastra_json_t *message;
    mastra_buf_t buf;
    int i;

    mastra_buf_init(&buf, 64 * 1024);
    mastra_buf_printf(&buf, "Tool input validation failed for %s. Please fix "
                      "the following errors and try again:\n", tool->id);
    for (i = 0; i < errors->count; i++) {
        const mastra_schema_error_t *one = &errors->errors[i];

        mastra_buf_printf(&buf, "- %s: %s\n", *one->path ? one->path : "root",
                          one->message);
        mastra_json_append(mastra_json_get(error_node(root, one->path, pool),
                                           "errors"),
                           mastra_json_string(one->message));
    }
    mastra_buf_puts(&buf, "\nProvided arguments: ");
    pretty(&buf, input, 0);
    message = mastra_json_stringn(buf.data, buf.len);
    mastra_buf_free(&buf);
    return mastra_json_pack("{s:b, s:o, s:o}", "error", 1, "message", message,
                            "validationErrors", root);
}

mastra_json_t *mastra_tool_check_value(const mastra_tool_t *tool,
                                       const mastra_schema_t *schema,
                                       const mastra_json_t *value,
                                       const mastra_json_t *input,
                                       apr_pool_t *pool)
{
    mastra_schema_errors_t errors;

    if (mastra_schema_validate(schema, value, &errors, pool)) {
        return NULL;
    }
    return invalid_input(tool, input, &errors, pool);
}

mastra_json_t *mastra_tool_check_input(const mastra_tool_t *tool,
                                       const mastra_json_t *input,
                                       apr_pool_t *pool)
{
    return tool->input ? mastra_tool_check_value(tool, tool->input, input,
                                                 input, pool)
                       : NULL;
}

/* ---- calls ---- */

static void copy_args(mastra_tool_call_t *call, const mastra_tool_args_t *args)
{
    call->args = *args;
    mastra_json_ref(call->args.input);
    mastra_json_ref(call->args.request_context);
    mastra_json_ref(call->args.messages);
    mastra_json_ref(call->args.waited);
    mastra_json_ref(call->args.decision);
    call->args.child_run_id = apr_pstrdup(call->pool, args->child_run_id);
    call->args.tool_call_id = apr_pstrdup(call->pool, args->tool_call_id);
    call->args.run_id = apr_pstrdup(call->pool, args->run_id);
    call->args.agent_id = apr_pstrdup(call->pool, args->agent_id);
    call->args.thread_id = apr_pstrdup(call->pool, args->thread_id);
    call->args.resource_id = apr_pstrdup(call->pool, args->resource_id);
    call->args.owner = apr_pstrdup(call->pool, args->owner);
    call->args.idempotency_key = apr_pstrdup(call->pool, args->idempotency_key);
    call->args.owned.host = apr_pstrdup(call->pool, args->owned.host);
    call->args.owned.id = apr_pstrdup(call->pool, args->owned.id);
    call->args.place = apr_pstrdup(call->pool, args->place);
}

static void free_call(mastra_tool_call_t *call)
{
    mastra_json_unref(call->args.input);
    mastra_json_unref(call->args.request_context);
    mastra_json_unref(call->args.messages);
    mastra_json_unref(call->args.waited);
    mastra_json_unref(call->args.decision);
    apr_pool_destroy(call->pool);
}

apr_status_t mastra_tool_start(mastra_tool_call_t **pcall,
                               mastra_tool_env_t *env,
                               const mastra_tool_t *tool,
                               const mastra_tool_args_t *args,
                               mastra_tool_done_cb *done, void *baton)
{
    mastra_tool_call_t *call;
    apr_pool_t *pool;
    apr_status_t rv = mastra_pool_make(&pool, "mastra_tool");

    if (rv) {
        return rv;
    }
    call = apr_pcalloc(pool, sizeof(*call));
    call->pool = pool;
    call->env = env;
    call->tool = tool;
    call->done = done;
    call->baton = baton;
    copy_args(call, args);
    rv = tool->kind->start(call);
    if (rv) {
        free_call(call);
        return rv;
    }
    *pcall = call;
    return APR_SUCCESS;
}

void mastra_tool_cancel(mastra_tool_call_t *call)
{
    call->done = NULL;
    call->tool->kind->cancel(call);
}

void mastra_tool_resume(mastra_tool_call_t *call)
{
    if (call->tool->kind->resume) {
        call->tool->kind->resume(call);
    }
}

void mastra_tool_finish(mastra_tool_call_t *call, mastra_json_t *result,
                        const mastra_result_t *error)
{
    if (call->done) {
        call->done(call->baton, result, error);
    }
    mastra_json_unref(result);
    free_call(call);
}

static const char waits_code[] = "TOOL_WAITS";

void mastra_tool_suspend(mastra_tool_call_t *call, mastra_json_t *waits)
{
    mastra_result_t *error = mastra_result_make(
        call->pool, 409, waits_code, "This call waits for a person, whom "
        "nobody can ask here");

    error->detail = waits;
    if (call->done) {
        call->done(call->baton, NULL, error);
    }
    mastra_json_unref(waits);
    free_call(call);
}

mastra_json_t *mastra_tool_waits(const mastra_result_t *error)
{
    return error && !strcmp(error->code, waits_code)
           && mastra_json_get(error->detail, "state") ? error->detail : NULL;
}
