/* The body of a chat completions request, written straight into a buffer in
 * the order of members that the original server uses. */
#include <string.h>

#include "internal.h"
#include "openai_part.h"

/* A setting: what provider options say about it counts more, and is taken out
 * of them so that it is not written twice. */
static void put(mastra_writer_t *out, mastra_json_t *extra,
                const char *name, const mastra_json_t *value)
{
    const mastra_json_t *other = mastra_json_get(extra, name);

    if (other) {
        value = other;
    }
    if (value && !mastra_json_is_null(value)) {
        mastra_write_name(out, name);
        mastra_write_json(out, value);
    }
    if (other) {
        mastra_json_del(extra, name);
    }
}

/* The options that have a meaning of their own in the original. */
typedef struct {
    mastra_json_t *user, *effort, *verbosity, *strict;    /* lent */
} known_t;

static void take_known(known_t *known, const mastra_json_t *options)
{
    mastra_json_t *value;

    value = mastra_json_get(options, "user");
    known->user = value ? value : known->user;
    value = mastra_json_get(options, "reasoningEffort");
    known->effort = value ? value : known->effort;
    value = mastra_json_get(options, "textVerbosity");
    known->verbosity = value ? value : known->verbosity;
    value = mastra_json_get(options, "strictJsonSchema");
    known->strict = value ? value : known->strict;
}

/* Members of the body that options must not replace: the model is chosen by
 * who configured the agent, the rest belongs to the call itself. */
static const char *const fixed[] = {
    "user", "reasoningEffort", "textVerbosity", "strictJsonSchema", "model",
    "messages", "tools", "tool_choice", "stream", "stream_options", NULL
};

/* All other options as a new object, NULL when there are none. */
static mastra_json_t *take_extra(known_t *known, const char *id,
                                 const mastra_json_t *options)
{
    char camel[MASTRA_OPTION_NAME];
    mastra_json_t *extra;
    int i;

    memset(known, 0, sizeof(*known));
    if (!mastra_json_is_object(options)) {
        return NULL;
    }
    mastra_model_camel(camel, id);
    take_known(known, mastra_json_get(options, "openai-compatible"));
    take_known(known, mastra_json_get(options, "openaiCompatible"));
    take_known(known, mastra_json_get(options, id));
    take_known(known, mastra_json_get(options, camel));
    extra = mastra_json_object();
    mastra_json_merge(extra, mastra_json_get(options, id));
    mastra_json_merge(extra, mastra_json_get(options, camel));
    for (i = 0; fixed[i]; i++) {
        mastra_json_del(extra, fixed[i]);
    }
    return extra;
}

static void write_format(mastra_writer_t *out, mastra_json_t *extra,
                         const mastra_json_t *schema, const known_t *known)
{
    if (mastra_json_get(extra, "response_format")) {
        put(out, extra, "response_format", NULL);
        return;
    }
    if (!schema) {
        return;
    }
    mastra_write_puts(out, ",\"response_format\":{\"type\":\"json_schema\","
                       "\"json_schema\":{\"schema\":");
    mastra_write_json(out, schema);
    mastra_write_puts(out, ",\"strict\":");
    if (known->strict) {
        mastra_write_json(out, known->strict);
    }
    else {
        mastra_write_puts(out, "true");
    }
    mastra_write_puts(out, ",\"name\":\"response\"}}");
}

static void write_settings(mastra_writer_t *out,
                           const mastra_model_provider_t *provider,
                           const mastra_model_request_t *request)
{
    const mastra_json_t *settings = request->settings;
    known_t known;
    mastra_json_t *extra;
    void *i;

    extra = take_extra(&known, provider->id, request->provider_options);
    put(out, NULL, "user", known.user);
    put(out, extra, "max_tokens", mastra_json_get(settings, "maxOutputTokens"));
    put(out, extra, "temperature", mastra_json_get(settings, "temperature"));
    put(out, extra, "top_p", mastra_json_get(settings, "topP"));
    put(out, extra, "frequency_penalty",
        mastra_json_get(settings, "frequencyPenalty"));
    put(out, extra, "presence_penalty",
        mastra_json_get(settings, "presencePenalty"));
    write_format(out, extra, request->response_schema, &known);
    put(out, extra, "stop", mastra_json_get(settings, "stopSequences"));
    put(out, extra, "seed", mastra_json_get(settings, "seed"));
    if (known.effort) {
        mastra_json_del(extra, "reasoning_effort");
    }
    if (known.verbosity) {
        mastra_json_del(extra, "verbosity");
    }
    for (i = mastra_json_iter(extra); i; i = mastra_json_next(extra, i)) {
        put(out, NULL, mastra_json_key(i), mastra_json_value(i));
    }
    put(out, NULL, "reasoning_effort", known.effort);
    put(out, NULL, "verbosity", known.verbosity);
    mastra_json_unref(extra);
}

static void write_tool(mastra_writer_t *out, const mastra_json_t *tool)
{
    mastra_write_puts(out, "{\"type\":\"function\",\"function\":{");
    put(out, NULL, "name", mastra_json_get(tool, "name"));
    put(out, NULL, "description", mastra_json_get(tool, "description"));
    mastra_write_input(out, "parameters", tool);
    put(out, NULL, "strict", mastra_json_get(tool, "strict"));
    mastra_write_puts(out, "}}");
}

static void write_choice(mastra_writer_t *out,
                         const mastra_json_t *choice)
{
    const char *type = mastra_json_str(choice);

    if (!type) {
        type = mastra_json_get_str(choice, "type");
    }
    mastra_write_name(out, "tool_choice");
    if (type && strcmp(type, "tool") == 0) {
        const mastra_json_t *tool = mastra_json_get(choice, "toolName");

        mastra_write_puts(out, "{\"type\":\"function\",\"function\":{");
        put(out, NULL, "name", tool);
        mastra_write_puts(out, "}}");
        return;
    }
    type = type ? type : "auto";
    mastra_write_text(out, type, strlen(type));
}

static void write_tools(mastra_writer_t *out,
                        const mastra_model_request_t *request)
{
    apr_size_t i, n = mastra_json_size(request->tools);

    if (n == 0 || !mastra_json_is_array(request->tools)) {
        return;
    }
    mastra_write_name(out, "tools");
    mastra_write_puts(out, "[");
    for (i = 0; i < n; i++) {
        mastra_write_puts(out, i ? "," : "");
        write_tool(out, mastra_json_at(request->tools, i));
    }
    mastra_write_puts(out, "]");
    write_choice(out, request->tool_choice);
}

static void write_system(mastra_writer_t *out,
                         const mastra_json_t *message)
{
    mastra_write_puts(out, "{\"role\":\"system\"");
    put(out, NULL, "content", mastra_json_get(message, "content"));
    mastra_openai_extras(out, message);
    mastra_write_puts(out, "}");
}

static void write_user(mastra_writer_t *out,
                       const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    const mastra_json_t *first = mastra_json_at(content, 0);
    apr_size_t i, n = mastra_json_size(content);
    const char *type = mastra_json_get_str(first, "type");

    mastra_write_puts(out, "{\"role\":\"user\"");
    if (!mastra_json_is_array(content)) {
        put(out, NULL, "content", content);
    }
    else if (n == 1 && type && strcmp(type, "text") == 0) {
        put(out, NULL, "content", mastra_json_get(first, "text"));
        mastra_openai_extras(out, first);
        mastra_write_puts(out, "}");
        return;
    }
    else {
        mastra_write_puts(out, ",\"content\":[");
        for (i = 0; i < n; i++) {
            mastra_write_puts(out, i ? "," : "");
            mastra_openai_part(out, mastra_json_at(content, i));
        }
        mastra_write_puts(out, "]");
    }
    mastra_openai_extras(out, message);
    mastra_write_puts(out, "}");
}

static void write_message(mastra_writer_t *out, const mastra_json_t *message)
{
    if (mastra_message_role(message, "tool")) {
        mastra_openai_results(out, message);
        return;
    }
    mastra_write_item(out);
    if (mastra_message_role(message, "system")) {
        write_system(out, message);
    }
    else if (mastra_message_role(message, "assistant")) {
        mastra_openai_assistant(out, message);
    }
    else {
        write_user(out, message);
    }
}

/* Copies what was written before; else that is kept for the next time. */
static void write_kept(mastra_writer_t *out, const mastra_model_kept_t *kept)
{
    apr_size_t at;

    mastra_write_item(out);
    if (*kept->chat) {
        mastra_write_json(out, *kept->chat);
        return;
    }
    at = out->buf->len;
    write_message(out, kept->message);
    if (out->fail == MASTRA_FAIL_NONE && out->buf->len > at) {
        *kept->chat = mastra_json_raw_text(out->buf->data + at,
                                           out->buf->len - at);
    }
}

static void write_messages(mastra_writer_t *out,
                           const mastra_model_request_t *request)
{
    apr_size_t i, n = mastra_json_size(request->prompt);
    const mastra_json_t *message;
    int next = 0, k;

    mastra_write_name(out, "messages");
    mastra_write_puts(out, "[");
    for (i = 0; i < n; i++) {
        message = mastra_json_at(request->prompt, i);
        k = next;
        while (k < request->nkept && request->kept[k].message != message) {
            k++;
        }
        if (k < request->nkept) {
            next = k + 1;
            write_kept(out, &request->kept[k]);
        }
        else {
            write_message(out, message);
        }
    }
    mastra_write_puts(out, "]");
}

mastra_model_fail_e mastra_openai_body(const char **pwhy, mastra_buf_t *buf,
                                       const mastra_model_provider_t *provider,
                                       const mastra_model_request_t *request)
{
    mastra_writer_t out;

    mastra_writer_init(&out, buf);
    mastra_write_puts(&out, "{\"model\":");
    mastra_write_text(&out, request->model_id, strlen(request->model_id));
    write_settings(&out, provider, request);
    write_messages(&out, request);
    write_tools(&out, request);
    if (request->stream) {
        mastra_write_puts(&out, ",\"stream\":true,"
                           "\"stream_options\":{\"include_usage\":true}");
    }
    mastra_write_puts(&out, "}");
    return mastra_writer_done(&out, pwhy);
}

mastra_json_t *mastra_openai_usage(mastra_json_t *usage)
{
    if (!usage) {
        return mastra_usage_none();
    }
    return mastra_usage_make(
        mastra_usage_count(usage, "prompt_tokens"),
        mastra_usage_count(mastra_json_get(usage, "prompt_tokens_details"),
                           "cached_tokens"), -1,
        mastra_usage_count(usage, "completion_tokens"),
        mastra_usage_count(mastra_json_get(usage, "completion_tokens_details"),
                           "reasoning_tokens"), usage);
}
