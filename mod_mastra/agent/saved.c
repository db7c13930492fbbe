/* Messages that are brought to be stored: those of format 2 as they are, the
 * others converted. */

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "internal.h"

static mastra_json_t *stored_message(mastra_json_t *message, apr_time_t at,
                                     apr_pool_t *pool)
{
    mastra_json_t *made = mastra_json_copy_flat(message);

    if (!mastra_json_get_str(made, "id")) {
        mastra_json_set_str(made, "id", mastra_text_uuid_timed(pool));
    }
    if (!mastra_json_get_str(made, "createdAt")) {
        mastra_json_set_str(made, "createdAt", mastra_text_iso_make(pool, at));
    }
    return made;
}

/* The calls in a message, by their ids. */
static void note_calls(apr_hash_t *calls, const mastra_json_t *message)
{
    const mastra_json_t *parts = mastra_json_path(message, "content", "parts",
                                                  NULL);
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        mastra_json_t *inner = mastra_json_get(mastra_json_at(parts, i),
                                               "toolInvocation");
        const char *id = mastra_json_get_str(inner, "toolCallId");

        if (id) {
            apr_hash_set(calls, id, APR_HASH_KEY_STRING, inner);
        }
    }
}

/* The result of a tool as an invocation, with the arguments of the call it
 * answers, if that is among the messages; NULL: no result. */
static mastra_json_t *result_part(apr_hash_t *calls, const mastra_json_t *part)
{
    const char *id = mastra_json_get_str(part, "toolCallId");
    const char *name = mastra_json_get_str(part, "toolName");
    mastra_json_t *result = mastra_json_get(part, "result"), *made, *call;

    if (!id || !mastra_part_is(part, "tool-result")) {
        return NULL;
    }
    if (!result) {
        result = mastra_json_path(part, "output", "value", NULL);
    }
    call = apr_hash_get(calls, id, APR_HASH_KEY_STRING);
    if (!name) {
        name = mastra_json_get_str(call, "toolName");
    }
    made = mastra_part_invocation("result", id, name ? name : "unknown",
                                  mastra_json_get(call, "args"));
    mastra_json_set(mastra_json_get(made, "toolInvocation"), "result",
                    result ? mastra_json_ref(result) : mastra_json_null());
    return made;
}

/* role:"tool": kept as a message of its own. */
static mastra_json_t *results_of(apr_hash_t *calls,
                                 const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    mastra_json_t *parts = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(content); i++) {
        mastra_json_append(parts, result_part(calls,
                                              mastra_json_at(content, i)));
    }
    return parts;
}

/* The older list of the same calls beside the parts. */
static mastra_json_t *invocations_of(const mastra_json_t *parts)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        mastra_json_append(made, mastra_json_ref(
            mastra_json_get(mastra_json_at(parts, i), "toolInvocation")));
    }
    return made;
}

/* When parts were made is not known of what is only brought here. */
static void drop_part_times(mastra_json_t *parts)
{
    apr_size_t i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        mastra_json_del(mastra_json_at(parts, i), "createdAt");
    }
}

/* A message that is not in format 2; NULL: no message at all. */
static mastra_json_t *converted(apr_hash_t *calls,
                                const mastra_json_t *message, apr_time_t at,
                                apr_pool_t *pool)
{
    const char *role = mastra_json_get_str(message, "role");
    int tool = role && !strcmp(role, "tool");
    mastra_json_t *parts, *made, *content;

    if (!role || (!tool && !mastra_message_is_role(role)
                  && strcmp(role, "system"))) {
        return NULL;
    }
    parts = tool ? results_of(calls, message)
                 : mastra_message_parts(message, pool);
    if (!parts) {
        return NULL;
    }
    drop_part_times(parts);
    made = mastra_message_make(message, tool ? "assistant" : role, parts, at,
                               pool);
    content = mastra_json_get(made, "content");
    if (!mastra_json_is_string(mastra_json_get(message, "content"))) {
        mastra_json_del(content, "content");
    }
    if (tool) {
        mastra_json_set(content, "toolInvocations", invocations_of(parts));
    }
    mastra_json_set_str(made, "threadId",
                        mastra_json_get_str(message, "threadId"));
    mastra_json_set_str(made, "resourceId",
                        mastra_json_get_str(message, "resourceId"));
    return made;
}

static mastra_result_t *no_message(apr_size_t i, apr_pool_t *pool)
{
    return mastra_run_issue(pool, apr_psprintf(pool, "messages.%" APR_SIZE_T_FMT,
                                               i), "Invalid input");
}

mastra_json_t *mastra_message_stored(const mastra_json_t *input, apr_time_t now,
                                     mastra_result_t **perror,
                                     apr_pool_t *pool)
{
    mastra_json_t *messages = mastra_json_array();
    apr_hash_t *calls = apr_hash_make(pool);
    apr_size_t i;

    for (i = 0; i < mastra_json_size(input); i++) {
        mastra_json_t *message = mastra_json_at(input, i), *made;
        apr_time_t at = now + (apr_time_t)i * 1000;

        made = mastra_json_is_array(mastra_json_path(message, "content",
                                                     "parts", NULL))
                       && mastra_json_get_str(message, "role")
                   ? stored_message(message, at, pool)
                   : converted(calls, message, at, pool);
        if (!made) {
            *perror = no_message(i, pool);
            mastra_json_unref(messages);
            return NULL;
        }
        mastra_json_append(messages, made);
        note_calls(calls, made);
    }
    return messages;
}
