/* Working memory: notes that a model keeps, as a text or as an object. */

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "memory.h"

#define TEXT_LIMIT (1024 * 1024)     /* bytes of instructions and notes */
#define OBJECT_DEPTH 64

/* The labels that Mastra's own default has. */
const char mastra_working_template[] =
    "\n# User Information\n- **First Name**: \n- **Last Name**: \n"
    "- **Location**: \n- **Occupation**: \n- **Interests**: \n- **Goals**: \n"
    "- **Events**: \n- **Facts**: \n- **Projects**: \n";

static const char text_description[] =
    "Stores the working memory anew. What is given takes the place of all "
    "that was there.";
static const char object_description[] =
    "Changes the working memory. Members that are given are set, those left "
    "out stay as they are, and a list takes the place of the whole list.";
static const char piece_description[] =
    "Adds a piece to the working memory, or puts it in the place of another.";

static const char text_schema[] =
    "{\"type\":\"object\",\"properties\":{\"memory\":{\"type\":\"string\","
    "\"description\":\"The whole working memory, in Markdown\"}},"
    "\"required\":[\"memory\"]}";
static const char piece_schema[] =
    "{\"type\":\"object\",\"properties\":{\"newMemory\":{\"type\":\"string\","
    "\"description\":\"The piece to store, in Markdown\"},\"searchString\":{"
    "\"type\":\"string\",\"description\":\"What newMemory takes the place of; "
    "best a single line. Needed unless the reason is append-new-memory\"},"
    "\"updateReason\":{\"type\":\"string\",\"enum\":[\"append-new-memory\","
    "\"clarify-existing-memory\",\"replace-irrelevant-memory\"],"
    "\"description\":\"Why the memory changes; append-new-memory when left "
    "out\"}}}";

/* ---- reading ---- */

static mastra_result_t *fault(apr_pool_t *pool, const char *field,
                              const char *why)
{
    mastra_result_t *error = mastra_result_make(pool, 400, "MEMORY_INVALID",
                                                "%s", why);

    error->detail = mastra_json_own(mastra_json_pack("{s:s}", "field", field),
                                    pool);
    return error;
}

static const char *trimmed(const char *text, apr_pool_t *pool)
{
    apr_size_t len;

    while (apr_isspace(*text)) {
        text++;
    }
    len = strlen(text);
    while (len && apr_isspace(text[len - 1])) {
        len--;
    }
    return apr_pstrmemdup(pool, text, len);
}

/* The value that stands for what is not known yet. */
static mastra_json_t *empty_value(const mastra_json_t *schema)
{
    mastra_json_t *given = mastra_json_get(schema, "default"), *made;
    const mastra_json_t *members = mastra_json_get(schema, "properties");
    const char *type = mastra_json_get_str(schema, "type");
    void *at;

    if (given) {
        return mastra_json_ref(given);
    }
    if (!type) {
        return mastra_json_null();
    }
    if (!strcmp(type, "string")) {
        return mastra_json_string("");
    }
    if (!strcmp(type, "number") || !strcmp(type, "integer")) {
        return mastra_json_integer(0);
    }
    if (!strcmp(type, "boolean")) {
        return mastra_json_bool(0);
    }
    if (!strcmp(type, "array")) {
        return mastra_json_array();
    }
    if (strcmp(type, "object")) {
        return mastra_json_null();
    }
    made = mastra_json_object();
    for (at = mastra_json_iter(members); at;
         at = mastra_json_next(members, at)) {
        mastra_json_set(made, mastra_json_key(at),
                        empty_value(mastra_json_value(at)));
    }
    return made;
}

static const char *empty_object(const mastra_json_t *schema, apr_pool_t *pool)
{
    mastra_json_t *value = empty_value(schema);
    const char *text = mastra_json_is_object(value)
                           ? mastra_json_text(value, pool) : "{}";

    mastra_json_unref(value);
    return text;
}

/* Constants of this file: what does not compile is a fault of ours. */
static void set_input(mastra_working_t *working, const char *text,
                      apr_pool_t *pool)
{
    mastra_json_t *schema = NULL;
    mastra_result_t *why = NULL;

    mastra_json_parse(&schema, text, strlen(text), 0, NULL);
    working->tool.input_schema = mastra_json_own(schema, pool);
    mastra_schema_compile(&working->tool.input, schema, &why, pool);
}

/* The object may be given bare, so the tool's kind checks it. */
static void set_object_input(mastra_working_t *working, apr_pool_t *pool)
{
    working->tool.input_schema = mastra_json_own(
        mastra_json_pack("{s:s, s:{s:O}, s:[s]}", "type", "object",
                         "properties", "memory", working->schema, "required",
                         "memory"), pool);
}

static void make_tool(mastra_working_t *working, apr_pool_t *pool)
{
    mastra_tool_t *tool = &working->tool;

    tool->key = MASTRA_WORKING_TOOL;
    tool->id = MASTRA_WORKING_TOOL;
    tool->kind = &mastra_working_kind;
    tool->conf = working;
    if (working->schema) {
        tool->description = object_description;
        set_object_input(working, pool);
    }
    else if (working->by_piece) {
        tool->description = piece_description;
        set_input(working, piece_schema, pool);
    }
    else {
        tool->description = text_description;
        set_input(working, text_schema, pool);
    }
    working->spec = mastra_json_own(
        mastra_json_pack("{s:s, s:s, s:O}", "name", tool->key, "description",
                         tool->description, "inputSchema",
                         tool->input_schema), pool);
}

static mastra_result_t *read_schema(mastra_working_t *working,
                                    mastra_json_t *schema, apr_pool_t *pool)
{
    mastra_result_t *why = NULL;

    if (!mastra_json_is_object(schema)
        || mastra_schema_compile(&working->check, schema, &why, pool)) {
        return fault(pool, "workingMemory.schema",
                     apr_pstrcat(pool, "not a usable JSON Schema: ",
                                 why ? why->message : "not an object", NULL));
    }
    working->schema = mastra_json_own(mastra_json_ref(schema), pool);
    working->content = empty_object(schema, pool);
    return NULL;
}

static mastra_result_t *read_template(mastra_working_t *working,
                                      const mastra_json_t *given,
                                      apr_pool_t *pool)
{
    if (given && !mastra_json_is_string(given)) {
        return fault(pool, "workingMemory.template", "not a text");
    }
    working->content = trimmed(given ? mastra_json_str(given)
                                     : mastra_working_template, pool);
    return NULL;
}

mastra_result_t *mastra_working_read(const mastra_working_t **pworking,
                                     mastra_json_t *given, apr_pool_t *pool)
{
    const char *scope = mastra_json_get_str(given, "scope");
    const char *version = mastra_json_get_str(given, "version");
    mastra_json_t *schema = mastra_json_get(given, "schema");
    mastra_working_t *working;
    mastra_result_t *error;

    *pworking = NULL;
    if (!mastra_json_get_bool(given, "enabled", 0)) {
        return NULL;
    }
    if (scope && strcmp(scope, "thread") && strcmp(scope, "resource")) {
        return fault(pool, "workingMemory.scope",
                     "neither \"thread\" nor \"resource\"");
    }
    working = apr_pcalloc(pool, sizeof(*working));
    working->per_thread = scope && !strcmp(scope, "thread");
    working->by_piece = !schema && version && !strcmp(version, "vnext");
    error = schema ? read_schema(working, schema, pool)
                   : read_template(working,
                                   mastra_json_get(given, "template"), pool);
    if (error) {
        return error;
    }
    make_tool(working, pool);
    *pworking = working;
    return NULL;
}

/* ---- what models are told ---- */

static const char rules_text[] =
    "You have a working memory: notes that stay with you when older messages "
    "no longer do. Keep it current with the tool " MASTRA_WORKING_TOOL ":\n"
    "- Call it as soon as you learn something that may be of use later, or "
    "that something noted is no longer true.\n"
    "- Give the whole memory as one text in Markdown. It takes the place of "
    "what was there, so repeat what still holds, keep the form of the "
    "template, and leave in what is still empty.\n";
static const char rules_piece[] =
    "You have a working memory: notes that stay with you when older messages "
    "no longer do. Keep it current with the tool " MASTRA_WORKING_TOOL ":\n"
    "- Call it when you learn something that the template asks for, or that "
    "you are asked to remember, and that is not noted yet.\n"
    "- Give a piece of Markdown to add, or to put in the place of one that is "
    "there. What has nothing to do with the present talk stays: other talks "
    "may need it.\n";
static const char rules_object[] =
    "You have a working memory: notes that stay with you when older messages "
    "no longer do. Keep it current with the tool " MASTRA_WORKING_TOOL ":\n"
    "- Call it as soon as you learn something that may be of use later, or "
    "that something noted is no longer true.\n"
    "- Give the members that are new or have changed, of an object of the "
    "form below. The others stay; a list is given as a whole.\n";
static const char rules_quiet[] =
    "- Do so quietly: do not speak of this memory, and do not ask people for "
    "facts only to fill it.\n";
static const char rules_read_only[] =
    "You have a working memory: notes about earlier talks. Use them where "
    "they help, without speaking of them. You cannot change them.\n";

static const char *rules_of(const mastra_working_t *working, int read_only)
{
    if (read_only) {
        return rules_read_only;
    }
    if (working->schema) {
        return rules_object;
    }
    return working->by_piece ? rules_piece : rules_text;
}

const char *mastra_working_instructions(const mastra_working_t *working,
                                        const char *text, int read_only,
                                        apr_pool_t *pool)
{
    const char *template = read_only ? "" : apr_pstrcat(
        pool, "\n<working_memory_template>\n", working->content,
        "\n</working_memory_template>\n", NULL);

    return apr_pstrcat(pool, rules_of(working, read_only),
                       read_only ? "" : rules_quiet, template,
                       "\n<working_memory_data>\n",
                       text && *text ? text : "null",
                       "\n</working_memory_data>", NULL);
}

/* ---- changing ---- */

/* Members of other into object: null takes one away, objects are merged. */
static void merge_deep(mastra_json_t *object, const mastra_json_t *other,
                       int depth)
{
    void *at;

    for (at = mastra_json_iter(other); at; at = mastra_json_next(other, at)) {
        const char *key = mastra_json_key(at);
        mastra_json_t *value = mastra_json_value(at);
        mastra_json_t *old = mastra_json_get(object, key);

        if (mastra_json_is_null(value)) {
            mastra_json_del(object, key);
        }
        else if (depth && mastra_json_is_object(old)
                 && mastra_json_is_object(value)) {
            merge_deep(old, value, depth - 1);
        }
        else {
            mastra_json_set(object, key, mastra_json_copy(value));
        }
    }
}

static const char *apply_object(const char *text, const mastra_json_t *input,
                                apr_pool_t *pool)
{
    const mastra_json_t *wrapped = mastra_json_get(input, "memory");
    mastra_json_t *object = NULL;
    const char *made;

    if (text) {
        mastra_json_parse(&object, text, strlen(text), 0, NULL);
    }
    if (!mastra_json_is_object(object)) {
        mastra_json_unref(object);
        object = mastra_json_object();
    }
    merge_deep(object, wrapped ? wrapped : input, OBJECT_DEPTH);
    made = mastra_json_text(object, pool);
    mastra_json_unref(object);
    return made;
}

static mastra_json_t *outcome(int success, const char *reason)
{
    return mastra_json_pack("{s:b, s:s}", "success", success, "reason",
                            reason);
}

static const char *append(const char *text, const char *piece,
                          apr_pool_t *pool)
{
    return apr_pstrcat(pool, text, "\n", piece, NULL);
}

static const char *put_in_place(const char *text, const char *old,
                                const char *piece, apr_pool_t *pool)
{
    const char *at = strstr(text, old);

    return apr_pstrcat(pool, apr_pstrmemdup(pool, text, at - text), piece,
                       at + strlen(old), NULL);
}

/* The reasons are the Node server's, models were seen to go by them. */
static const char *apply_piece(mastra_json_t **presult,
                               const mastra_working_t *working,
                               const char *text, const mastra_json_t *input,
                               apr_pool_t *pool)
{
    const char *piece = mastra_json_get_str(input, "newMemory");
    const char *old = mastra_json_get_str(input, "searchString");
    const char *reason = mastra_json_get_str(input, "updateReason");
    int adds = !reason || !strcmp(reason, "append-new-memory");

    piece = piece ? piece : "";
    if (!adds && !(old && *old)) {
        *presult = outcome(0, apr_pstrcat(
            pool, "updateReason was ", reason, " but no searchString was "
            "provided. Unable to replace undefined with \"", piece, "\"",
            NULL));
        return NULL;
    }
    if (text && *text && !adds && strstr(text, old)) {
        *presult = outcome(1, "found and replaced searchString with newMemory");
        return put_in_place(text, old, piece, pool);
    }
    if (!strcmp(trimmed(piece, pool), working->content)) {
        *presult = outcome(0, "try again when you have data to add. newMemory "
                              "was equal to the working memory template");
        return NULL;
    }
    if (!text || !*text) {
        *presult = outcome(1, "started new working memory");
        return piece;
    }
    if (strstr(text, piece)) {
        *presult = outcome(0, "attempted to insert duplicate data into working "
                              "memory. this entry was skipped");
        return NULL;
    }
    *presult = outcome(1, adds ? "appended newMemory to end of working memory"
                               : "attempted to replace working memory string "
                                 "that doesn't exist. Appending to working "
                                 "memory instead.");
    return append(text, piece, pool);
}

const char *mastra_working_apply(mastra_json_t **presult,
                                 const mastra_working_t *working,
                                 const char *text, const mastra_json_t *input,
                                 apr_pool_t *pool)
{
    const char *made;

    if (working->by_piece) {
        made = apply_piece(presult, working, text, input, pool);
    }
    else {
        *presult = mastra_json_pack("{s:b}", "success", 1);
        made = working->schema ? apply_object(text, input, pool)
                               : mastra_json_get_str(input, "memory");
    }
    if (made && strlen(made) > TEXT_LIMIT) {
        mastra_json_unref(*presult);
        *presult = outcome(0, "the working memory would become too large");
        return NULL;
    }
    return made;
}
