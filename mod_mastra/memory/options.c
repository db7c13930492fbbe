/* The options of a memory: of an agent's definition, and of a request. */

#include <string.h>

#include <apr_strings.h>

#include "memory.h"

#define LAST_MESSAGES 10         /* default of lastMessages */

static const char title_instructions[] =
    "You give a conversation its title. What you are shown is a transcript of "
    "what a user and an assistant said, each line after \"User:\" or "
    "\"Assistant:\". Do not answer it and do not go on with it. Say in at most "
    "80 characters what the user wants, without quotation marks and colons. "
    "Even a mere greeting has a title. All that you write is taken for the "
    "title.";

static mastra_result_t *fault(apr_pool_t *pool, const char *field,
                              const char *fmt, const char *value)
{
    mastra_result_t *error = mastra_result_make(pool, 400, "MEMORY_INVALID",
                                                fmt, value);

    error->detail = mastra_json_own(mastra_json_pack("{s:s}", "field", field),
                                    pool);
    return error;
}

/* ---- lastMessages ---- */

static mastra_result_t *read_last(mastra_memory_t *memory,
                                  const mastra_json_t *options,
                                  apr_pool_t *pool)
{
    const mastra_json_t *last = mastra_json_get(options, "lastMessages");
    double n = mastra_json_num(last);

    memory->last_messages = LAST_MESSAGES;
    if (!last || mastra_json_is_true(last)) {
        return NULL;
    }
    if (mastra_json_is_bool(last)) {
        memory->last_messages = 0;
        return NULL;
    }
    /* JavaScript's largest number stands for "all" */
    if (!mastra_json_is_number(last) || n < 0) {
        return fault(pool, "lastMessages", "lastMessages must be a finite "
                     "non-negative integer%s", "");
    }
    memory->last_messages = n > MASTRA_MEMORY_LAST_MAX ? MASTRA_MEMORY_LAST_MAX
                                                       : (int)n;
    return NULL;
}

/* ---- messageHistory ---- */

/* {maxTokens, atMaxRemoveTokens?}: in place of the usual number of messages,
 * unless one is given. */
static mastra_result_t *read_budget(mastra_memory_t *memory,
                                    const mastra_json_t *options,
                                    apr_pool_t *pool)
{
    const mastra_json_t *given = mastra_json_get(options, "messageHistory");
    const mastra_json_t *max = mastra_json_get(given, "maxTokens");
    const mastra_json_t *remove = mastra_json_get(given, "atMaxRemoveTokens");

    if (!given) {
        return NULL;
    }
    if (!mastra_json_is_number(max) || mastra_json_num(max) < 0) {
        return fault(pool, "messageHistory.maxTokens",
                     "not a number of tokens%s", "");
    }
    if (remove && (!mastra_json_is_number(remove) || mastra_json_num(remove) < 0
                   || mastra_json_num(remove) > mastra_json_num(max))) {
        return fault(pool, "messageHistory.atMaxRemoveTokens",
                     "not a number of tokens up to maxTokens%s", "");
    }
    memory->budget.max = mastra_json_int(max);
    memory->budget.remove = remove ? mastra_json_int(remove)
                                   : memory->budget.max / 4;
    if (!mastra_json_get(options, "lastMessages")) {
        memory->last_messages = MASTRA_MEMORY_LAST_MAX;
    }
    if (!memory->budget.max) {
        memory->last_messages = 0;
    }
    return NULL;
}

/* ---- generateTitle ---- */

static mastra_result_t *read_title_model(mastra_titles_t *titles,
                                         const mastra_json_t *model,
                                         const mastra_models_t *models,
                                         apr_pool_t *pool)
{
    const char *name = mastra_json_str(model);

    if (!name) {
        name = mastra_json_get_str(model, "id");
    }
    if (!name || !strchr(name, '/')) {
        return fault(pool, "generateTitle.model",
                     "not of the form \"provider/model\"%s", "");
    }
    titles->provider = mastra_models_find(models, name, &titles->model_id);
    if (!titles->provider) {
        return fault(pool, "generateTitle.model", "the provider of \"%s\" is "
                     "not configured (MastraModelProvider)", name);
    }
    titles->model_id = apr_pstrdup(pool, titles->model_id);
    return NULL;
}

static mastra_result_t *read_titles(mastra_memory_t *memory,
                                    const mastra_json_t *given,
                                    apr_pool_t *pool)
{
    const mastra_json_t *model = mastra_json_get(given, "model");
    const char *instructions = mastra_json_get_str(given, "instructions");
    mastra_titles_t *titles;
    apr_int64_t min;

    memory->titles = NULL;
    if (!mastra_json_is_true(given) && !mastra_json_is_object(given)) {
        return NULL;
    }
    titles = apr_pcalloc(pool, sizeof(*titles));
    min = mastra_json_get_int(given, "minMessages", 0);
    titles->instructions = instructions ? apr_pstrdup(pool, instructions)
                                        : title_instructions;
    titles->min_messages = min < 0 ? 0 : min > MASTRA_MEMORY_LAST_MAX
                                             ? MASTRA_MEMORY_LAST_MAX
                                             : (int)min;
    titles->emit = mastra_json_get_bool(given, "emitEvent", 0);
    memory->titles = titles;
    return model ? read_title_model(titles, model, memory->models, pool)
                 : NULL;
}

/* ---- what the API shows ---- */

static mastra_json_t *shown_working(const mastra_json_t *given)
{
    mastra_json_t *made = mastra_json_pack(
        "{s:b, s:s}", "enabled", 0, "template", mastra_working_template);

    if (mastra_json_is_object(given)) {
        mastra_json_merge(made, given);
    }
    return made;
}

static void make_config(mastra_memory_t *memory, const mastra_json_t *options,
                        apr_pool_t *pool)
{
    mastra_json_t *config = mastra_json_object();

    if (!mastra_json_get(options, "messageHistory")) {
        mastra_json_set_int(config, "lastMessages", LAST_MESSAGES);
    }
    mastra_json_set_bool(config, "semanticRecall", 0);
    mastra_json_set_bool(config, "generateTitle", 0);
    mastra_json_set(config, "workingMemory", mastra_json_null());
    if (options) {
        mastra_json_merge(config, options);
    }
    mastra_json_set(config, "workingMemory",
                    shown_working(mastra_json_get(options, "workingMemory")));
    if (!mastra_json_is_object(mastra_json_get(config,
                                               "observationalMemory"))) {
        mastra_json_set(config, "observationalMemory",
                        mastra_json_pack("{s:b}", "enabled", 0));
    }
    memory->config = mastra_json_own(config, pool);
}

/* ---- reading ---- */

mastra_result_t *mastra_memory_read(mastra_memory_t *memory,
                                    mastra_json_t *options,
                                    const mastra_models_t *models,
                                    apr_pool_t *pool)
{
    mastra_result_t *error;

    memory->enabled = 1;
    memory->models = models;
    memory->options = mastra_json_own(mastra_json_ref(options), pool);
    memory->read_only = mastra_json_get_bool(options, "readOnly", 0);
    error = read_last(memory, options, pool);
    if (!error) {
        error = read_budget(memory, options, pool);
    }
    if (!error) {
        error = mastra_working_read(&memory->working,
                                    mastra_json_get(options, "workingMemory"),
                                    pool);
    }
    if (!error) {
        error = read_titles(memory, mastra_json_get(options, "generateTitle"),
                            pool);
    }
    if (!error) {
        make_config(memory, options, pool);
    }
    return error;
}

/* Members of other in place of object's; objects are merged member by
 * member, but a schema is one value. */
static mastra_json_t *merged(const mastra_json_t *object,
                             const mastra_json_t *other)
{
    mastra_json_t *made = mastra_json_is_object(object)
                              ? mastra_json_copy_flat(object)
                              : mastra_json_object();
    void *at;

    for (at = mastra_json_iter(other); at; at = mastra_json_next(other, at)) {
        const char *key = mastra_json_key(at);
        mastra_json_t *value = mastra_json_value(at);

        mastra_json_set(made, key, mastra_json_is_object(value)
                                       && strcmp(key, "schema")
                                       ? merged(mastra_json_get(object, key),
                                                value)
                                       : mastra_json_ref(value));
    }
    return made;
}

/* A template takes the place of a schema, and the other way round. */
static mastra_json_t *merged_working(const mastra_json_t *object,
                                     const mastra_json_t *other)
{
    mastra_json_t *made = merged(object, other);

    if (mastra_json_get(other, "template") && !mastra_json_get(other,
                                                               "schema")) {
        mastra_json_del(made, "schema");
    }
    return made;
}

static mastra_result_t *override_parts(mastra_memory_t *memory,
                                       const mastra_json_t *options,
                                       apr_pool_t *pool)
{
    mastra_json_t *given = mastra_json_get(options, "workingMemory");
    mastra_result_t *error = NULL;

    if (mastra_json_is_object(given)) {
        given = mastra_json_own(
            merged_working(mastra_json_get(memory->options, "workingMemory"),
                           given), pool);
        error = mastra_working_read(&memory->working, given, pool);
    }
    given = mastra_json_get(options, "generateTitle");
    if (!error && given) {
        if (mastra_json_is_object(given)) {
            given = mastra_json_own(
                merged(mastra_json_get(memory->options, "generateTitle"),
                       given), pool);
        }
        error = read_titles(memory, given, pool);
    }
    return error;
}

mastra_result_t *mastra_memory_override(mastra_memory_t *memory,
                                        const mastra_memory_t *base,
                                        const mastra_json_t *options,
                                        apr_pool_t *pool)
{
    mastra_result_t *error = NULL;

    *memory = *base;
    if (!mastra_json_size(options)) {
        return NULL;
    }
    memory->read_only = mastra_json_get_bool(options, "readOnly",
                                             base->read_only);
    if (mastra_json_get(options, "lastMessages")) {
        error = read_last(memory, options, pool);
    }
    if (!error) {
        error = read_budget(memory, options, pool);
    }
    return error ? error : override_parts(memory, options, pool);
}
