/* The system prompt of a run: instructions, and what the request adds. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

static void add_text(mastra_json_t *prompt, const char *text)
{
    if (text && *text) {
        mastra_json_append(prompt, mastra_json_pack("{s:s, s:s}", "role",
                                                    "system", "content", text));
    }
}

/* "text", {role:"system", content}, or several of them */
static void add_system(mastra_json_t *prompt, const mastra_json_t *value)
{
    apr_size_t i;

    if (mastra_json_is_string(value)) {
        add_text(prompt, mastra_json_str(value));
    }
    else if (mastra_json_is_array(value)) {
        for (i = 0; i < mastra_json_size(value); i++) {
            add_system(prompt, mastra_json_at(value, i));
        }
    }
    else if (mastra_json_is_object(value)) {
        mastra_json_t *text = mastra_message_text(value);
        mastra_json_t *options = mastra_part_provider(value), *made;

        made = mastra_json_pack("{s:s, s:o}", "role", "system", "content",
                                text);
        if (options) {
            mastra_json_set(made, "providerOptions", mastra_json_ref(options));
        }
        mastra_json_append(prompt, made);
    }
}

static int is_system(const mastra_json_t *value)
{
    const char *role = mastra_json_get_str(value, "role");
    const mastra_json_t *content = mastra_json_get(value, "content");

    return mastra_json_is_string(value)
           || (mastra_json_is_object(value)
               && (!role || !strcmp(role, "system"))
               && (mastra_json_is_string(content)
                   || mastra_json_is_array(content)));
}

static mastra_result_t *refuse(const char *field, apr_pool_t *pool)
{
    return mastra_run_issue(pool, field, "Invalid input: expected text or a "
                            "system message");
}

mastra_result_t *mastra_run_check_system(const mastra_json_t *value,
                                         const char *field, apr_pool_t *pool)
{
    apr_size_t i;

    if (!value || mastra_json_is_null(value) || is_system(value)) {
        return NULL;
    }
    if (!mastra_json_is_array(value)) {
        return refuse(field, pool);
    }
    for (i = 0; i < mastra_json_size(value); i++) {
        if (!is_system(mastra_json_at(value, i))) {
            return refuse(apr_psprintf(pool, "%s.%" APR_SIZE_T_FMT, field, i),
                          pool);
        }
    }
    return NULL;
}

static int is_given(const mastra_json_t *value)
{
    return mastra_json_len(value) || mastra_json_size(value);
}

/* Without what a request and memory add. */
static void add_own(mastra_agent_run_t *run, mastra_json_t *prompt)
{
    const mastra_json_t *own = mastra_json_get(run->options, "instructions");

    if (is_given(own)) {
        add_system(prompt, own);
    }
    else if (run->agent->instructions) {
        add_text(prompt, mastra_template_fill(run->agent->instructions,
                                              run->context, run->pool));
    }
    mastra_message_systems(prompt, run->background);
    mastra_message_systems(prompt, run->input);
}

void mastra_run_system(mastra_agent_run_t *run, mastra_json_t *prompt)
{
    add_own(run, prompt);
    add_system(prompt, mastra_json_get(run->options, "system"));
    mastra_run_add_notes(run, prompt);
}

static void put_some(mastra_json_t *object, const char *key,
                     mastra_json_t *list)
{
    if (mastra_json_size(list)) {
        mastra_json_set(object, key, list);
    }
    else {
        mastra_json_unref(list);
    }
}

void mastra_run_show_system(mastra_agent_run_t *run, mastra_json_t *made)
{
    mastra_json_t *own = mastra_json_array(), *given = mastra_json_array();
    mastra_json_t *notes = mastra_json_array(), *tagged = mastra_json_object();

    add_own(run, own);
    add_system(given, mastra_json_get(run->options, "system"));
    mastra_run_add_notes(run, notes);
    mastra_json_set(made, "systemMessages", own);
    put_some(tagged, "user-provided", given);
    put_some(tagged, "memory", notes);
    mastra_json_set(made, "taggedSystemMessages", tagged);
}
