/* What the mock model says: triggers in the last message of the user choose
 * tool calls, failures and structured values; else it is an echo. */
#include <ctype.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define FILL_DEPTH 8

/* ---- values that fit a schema ---- */

static mastra_json_t *fill(const mastra_json_t *schema,
                           const mastra_json_t *root, int depth);

/* "#/a/b": the value there, NULL when there is none. */
static const mastra_json_t *follow(const mastra_json_t *root, const char *ref)
{
    const mastra_json_t *at = root;
    char key[128];

    if (strncmp(ref, "#/", 2) != 0) {
        return root;
    }
    for (ref += 2; at; ref++) {
        apr_size_t len = strcspn(ref, "/");

        if (len >= sizeof(key)) {
            return NULL;
        }
        memcpy(key, ref, len);
        key[len] = '\0';
        at = mastra_json_get(at, key);
        ref += len;
        if (!*ref) {
            break;
        }
    }
    return at;
}

static mastra_json_t *fill_object(const mastra_json_t *properties,
                                  const mastra_json_t *root, int depth)
{
    mastra_json_t *object = mastra_json_object();
    void *i;

    for (i = mastra_json_iter(properties); i;
         i = mastra_json_next(properties, i)) {
        mastra_json_set(object, mastra_json_key(i),
                        fill(mastra_json_value(i), root, depth + 1));
    }
    return object;
}

static mastra_json_t *fill_type(const char *type, const mastra_json_t *schema,
                                const mastra_json_t *root, int depth)
{
    const mastra_json_t *properties = mastra_json_get(schema, "properties");
    mastra_json_t *value;

    if (strcmp(type, "object") == 0 || properties) {
        return fill_object(properties, root, depth);
    }
    if (strcmp(type, "array") == 0) {
        value = mastra_json_array();
        mastra_json_append(value, fill(mastra_json_get(schema, "items"), root,
                                       depth + 1));
        return value;
    }
    if (strcmp(type, "number") == 0 || strcmp(type, "integer") == 0) {
        value = mastra_json_get(schema, "minimum");
        return value ? mastra_json_ref(value) : mastra_json_integer(7);
    }
    if (strcmp(type, "boolean") == 0) {
        return mastra_json_bool(1);
    }
    if (strcmp(type, "null") == 0) {
        return mastra_json_null();
    }
    return mastra_json_string("mock");
}

/* The value that schema names itself, or that its first alternative gives. */
static mastra_json_t *fill(const mastra_json_t *schema,
                           const mastra_json_t *root, int depth)
{
    const mastra_json_t *type;
    mastra_json_t *value;
    const char *text;

    if (!mastra_json_is_object(schema) || depth > FILL_DEPTH) {
        return mastra_json_null();
    }
    text = mastra_json_get_str(schema, "$ref");
    if (text) {
        return fill(follow(root, text), root, depth + 1);
    }
    value = mastra_json_get(schema, "const");
    if (!value) {
        value = mastra_json_at(mastra_json_get(schema, "enum"), 0);
    }
    if (value) {
        return mastra_json_ref(value);
    }
    value = mastra_json_at(mastra_json_get(schema, "anyOf"), 0);
    if (!value) {
        value = mastra_json_at(mastra_json_get(schema, "oneOf"), 0);
    }
    if (value) {
        return fill(value, root, depth + 1);
    }
    type = mastra_json_get(schema, "type");
    if (mastra_json_is_array(type)) {
        type = mastra_json_at(type, 0);
    }
    text = mastra_json_str(type);
    return fill_type(text ? text : "", schema, root, depth);
}

static const char *fill_text(const mastra_json_t *schema, apr_pool_t *pool)
{
    mastra_json_t *value = fill(schema, schema, 0);
    const char *text = mastra_json_text(value, pool);

    mastra_json_unref(value);
    return text;
}

/* ---- texts of the prompt ---- */

/* The texts of all parts, or the string itself. */
static const char *text_of(const mastra_json_t *content, apr_pool_t *pool)
{
    apr_array_header_t *texts;
    apr_size_t i, n;

    if (!mastra_json_is_array(content)) {
        return mastra_json_str(content) ? mastra_json_str(content) : "";
    }
    texts = apr_array_make(pool, 4, sizeof(const char *));
    n = mastra_json_size(content);
    for (i = 0; i < n; i++) {
        const char *text = mastra_json_get_str(mastra_json_at(content, i),
                                               "text");

        if (text) {
            APR_ARRAY_PUSH(texts, const char *) = text;
        }
    }
    return apr_array_pstrcat(pool, texts, '\0');
}

static int is_role(const mastra_json_t *message, const char *role)
{
    const char *is = mastra_json_get_str(message, "role");

    return is && strcmp(is, role) == 0;
}

static const char *last_user_text(const mastra_json_t *prompt,
                                  apr_pool_t *pool)
{
    apr_size_t i;

    for (i = mastra_json_size(prompt); i > 0; i--) {
        const mastra_json_t *message = mastra_json_at(prompt, i - 1);

        if (is_role(message, "user")) {
            return text_of(mastra_json_get(message, "content"), pool);
        }
    }
    return "";
}

/* What a model would be sent for the last result of a message of tools. */
static const char *result_text(const mastra_json_t *message, apr_pool_t *pool)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    const mastra_json_t *part = mastra_json_at(content,
                                               mastra_json_size(content) - 1);
    const mastra_json_t *output = mastra_json_get(part, "output");
    const char *type = mastra_json_get_str(output, "type");
    const mastra_json_t *value = mastra_json_get(output, "value");

    if (type && strcmp(type, "execution-denied") == 0) {
        value = mastra_json_get(output, "reason");
        return value ? mastra_json_str(value) : "Tool call execution denied.";
    }
    if (type && strcmp(type, "json") != 0 && strcmp(type, "error-json") != 0
        && mastra_json_is_string(value)) {
        return mastra_json_str(value);
    }
    return value ? mastra_json_text(value, pool) : "null";
}

static const char *system_text(const mastra_json_t *prompt, apr_pool_t *pool)
{
    apr_array_header_t *texts = apr_array_make(pool, 4, sizeof(const char *));
    apr_size_t i, n = mastra_json_size(prompt);

    for (i = 0; i < n; i++) {
        const mastra_json_t *message = mastra_json_at(prompt, i);

        if (is_role(message, "system")) {
            APR_ARRAY_PUSH(texts, const char *) =
                text_of(mastra_json_get(message, "content"), pool);
        }
    }
    return apr_array_pstrcat(pool, texts, '\n');
}

/* ---- triggers ---- */

/* The first tool whose name holds part, in any case; whole: equals it. */
static const char *find_tool(const mastra_json_t *tools, const char *part,
                             int whole, apr_pool_t *pool)
{
    apr_size_t i, n = mastra_json_size(tools);

    for (i = 0; i < n; i++) {
        const char *name = mastra_json_get_str(mastra_json_at(tools, i),
                                               "name");

        if (name && (whole ? strcmp(name, part) == 0
                           : strcasestr(name, part) != NULL)) {
            return apr_pstrdup(pool, name);
        }
    }
    return NULL;
}

static int is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static int has_word(const char *text, const char *word)
{
    apr_size_t len = strlen(word);
    const char *at;

    for (at = strcasestr(text, word); at; at = strcasestr(at + 1, word)) {
        if ((at == text || !is_word_char(at[-1])) && !is_word_char(at[len])) {
            return 1;
        }
    }
    return 0;
}

static void add_call(mastra_mock_plan_t *plan, const char *name,
                     const char *args)
{
    plan->calls[plan->ncalls].name = name;
    plan->calls[plan->ncalls].args = args;
    plan->ncalls++;
}

/* CALL:name:{json}: up to the last brace of the message. */
static int plan_named_call(mastra_mock_plan_t *plan, const char *user,
                           const mastra_json_t *tools, apr_pool_t *pool)
{
    const char *at = strstr(user, "CALL:");
    const char *name, *end;

    for (; at; at = strstr(at + 1, "CALL:")) {
        name = at + 5;
        for (end = name; is_word_char(*end) || *end == '.' || *end == '-';
             end++) {
        }
        if (end == name || strncmp(end, ":{", 2) != 0) {
            continue;
        }
        name = find_tool(tools, apr_pstrmemdup(pool, name, end - name), 1,
                         pool);
        at = strrchr(end, '}');
        if (name && at) {
            add_call(plan, name, apr_pstrmemdup(pool, end + 1, at - end));
            return 1;
        }
        return 0;
    }
    return 0;
}

static int plan_calls(mastra_mock_plan_t *plan, const char *user,
                      const mastra_json_t *tools, apr_pool_t *pool)
{
    const char *name;

    if (plan_named_call(plan, user, tools, pool)) {
        return 1;
    }
    name = find_tool(tools, "weather", 0, pool);
    if (name && strcasestr(user, "weather")) {
        add_call(plan, name, "{\"city\":\"Paris\"}");
        if (has_word(user, "two")) {
            add_call(plan, name, "{\"city\":\"Rome\"}");
        }
        plan->text = strstr(user, "PRE") ? "Let me check. " : NULL;
        return 1;
    }
    name = find_tool(tools, "delete", 0, pool);
    if (name && strcasestr(user, "delete")) {
        add_call(plan, name, "{\"path\":\"/tmp/x\"}");
        return 1;
    }
    name = find_tool(tools, "updateWorkingMemory", 1, pool);
    if (name && strcasestr(user, "remember")) {
        add_call(plan, name, "{\"memory\":\"# User\\n- name: Bob\"}");
        return 1;
    }
    return 0;
}

/* A schema that stands in the instructions instead of in the request. */
static const char *told_schema(const char *instructions, apr_pool_t *pool)
{
    const char *at = strcasestr(instructions, "JSON schema");
    const char *begin = at ? strchr(at, '{') : NULL;
    const char *end = begin ? strrchr(begin, '}') : NULL;
    mastra_json_t *schema = NULL;

    if (!end || mastra_json_parse(&schema, begin, end - begin + 1, 0, NULL)) {
        return NULL;
    }
    at = fill_text(schema, pool);
    mastra_json_unref(schema);
    return at;
}

static void plan_text(mastra_mock_plan_t *plan, const char *user,
                      const mastra_model_request_t *request, apr_pool_t *pool)
{
    const char *instructions = system_text(request->prompt, pool);

    if (request->response_schema) {
        plan->text = mastra_mock_network(request->response_schema,
                                         instructions, user, pool);
        if (!plan->text) {
            plan->text = fill_text(request->response_schema, pool);
        }
        return;
    }
    plan->text = told_schema(instructions, pool);
    if (plan->text) {
        return;
    }
    if (strcasestr(instructions, "title")
        && !strcasestr(instructions, "workflow")
        && !strcasestr(instructions, "agent")) {
        plan->text = "Mock title";
        return;
    }
    plan->text = apr_pstrcat(pool, "Echo: ", user, NULL);
    plan->reasoning = strstr(user, "REASON") ? "Thinking about it." : NULL;
}

/* All texts of the plan are in pool: the request is gone before it is used. */
mastra_mock_plan_t *mastra_mock_plan(const mastra_model_request_t *request,
                                     apr_pool_t *pool)
{
    mastra_mock_plan_t *plan = apr_pcalloc(pool, sizeof(*plan));
    const mastra_json_t *prompt = request->prompt;
    const mastra_json_t *last = mastra_json_at(prompt,
                                               mastra_json_size(prompt) - 1);
    const char *user = last_user_text(prompt, pool);

    plan->slow = strstr(user, "SLOW") != NULL;
    if (strstr(user, "FAIL500") || strstr(user, "FAIL429")) {
        plan->fail = strstr(user, "FAIL500") ? 500 : 429;
    }
    else if (is_role(last, "tool")) {
        plan->text = apr_pstrcat(pool, "Tool result: ",
                                 result_text(last, pool), NULL);
    }
    else if (!plan_calls(plan, user, request->tools, pool)) {
        plan_text(plan, user, request, pool);
    }
    return plan;
}
