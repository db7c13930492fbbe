/* The body of a chat completions request, written straight into a buffer in
 * the order of members that the original server uses. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "openai_part.h"

#define MAX_NAME 64

static char last_char(const mastra_openai_writer_t *out)
{
    return out->buf->len ? out->buf->data[out->buf->len - 1] : '{';
}

/* Writes the name of a member, after a comma where one is due. */
static void name_of(mastra_openai_writer_t *out, const char *name)
{
    if (last_char(out) != '{') {
        mastra_openai_puts(out, ",");
    }
    mastra_openai_string(out, name, strlen(name));
    mastra_openai_puts(out, ":");
}

/* A setting: what provider options say about it counts more, and is taken out
 * of them so that it is not written twice. */
static void put(mastra_openai_writer_t *out, mastra_json_t *extra,
                const char *name, const mastra_json_t *value)
{
    const mastra_json_t *other = mastra_json_get(extra, name);

    if (other) {
        value = other;
    }
    if (value && !mastra_json_is_null(value)) {
        name_of(out, name);
        mastra_openai_json(out, value);
    }
    if (other) {
        mastra_json_del(extra, name);
    }
}

/* "my-provider" as "myProvider": options are found under either name. */
static void camel_case(char *out, const char *name)
{
    int upper = 0;
    int n = 0;

    for (; *name && n < MAX_NAME - 1; name++) {
        if (*name == '-' || *name == '_') {
            upper = 1;
            continue;
        }
        out[n++] = upper ? (char)toupper((unsigned char)*name) : *name;
        upper = 0;
    }
    out[n] = '\0';
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
    char camel[MAX_NAME];
    mastra_json_t *extra;
    int i;

    memset(known, 0, sizeof(*known));
    if (!mastra_json_is_object(options)) {
        return NULL;
    }
    camel_case(camel, id);
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

static void write_format(mastra_openai_writer_t *out, mastra_json_t *extra,
                         const mastra_json_t *schema, const known_t *known)
{
    if (mastra_json_get(extra, "response_format")) {
        put(out, extra, "response_format", NULL);
        return;
    }
    if (!schema) {
        return;
    }
    mastra_openai_puts(out, ",\"response_format\":{\"type\":\"json_schema\","
                       "\"json_schema\":{\"schema\":");
    mastra_openai_json(out, schema);
    mastra_openai_puts(out, ",\"strict\":");
    if (known->strict) {
        mastra_openai_json(out, known->strict);
    }
    else {
        mastra_openai_puts(out, "true");
    }
    mastra_openai_puts(out, ",\"name\":\"response\"}}");
}

static void write_settings(mastra_openai_writer_t *out,
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

static void write_tool(mastra_openai_writer_t *out, const mastra_json_t *tool)
{
    const mastra_json_t *schema = mastra_json_get(tool, "inputSchema");

    mastra_openai_puts(out, "{\"type\":\"function\",\"function\":{");
    put(out, NULL, "name", mastra_json_get(tool, "name"));
    put(out, NULL, "description", mastra_json_get(tool, "description"));
    name_of(out, "parameters");
    if (schema) {
        mastra_openai_json(out, schema);
    }
    else {
        mastra_openai_puts(out, "{\"type\":\"object\",\"properties\":{}}");
    }
    put(out, NULL, "strict", mastra_json_get(tool, "strict"));
    mastra_openai_puts(out, "}}");
}

static void write_choice(mastra_openai_writer_t *out,
                         const mastra_json_t *choice)
{
    const char *type = mastra_json_str(choice);

    if (!type) {
        type = mastra_json_get_str(choice, "type");
    }
    name_of(out, "tool_choice");
    if (type && strcmp(type, "tool") == 0) {
        const mastra_json_t *tool = mastra_json_get(choice, "toolName");

        mastra_openai_puts(out, "{\"type\":\"function\",\"function\":{");
        put(out, NULL, "name", tool);
        mastra_openai_puts(out, "}}");
        return;
    }
    type = type ? type : "auto";
    mastra_openai_string(out, type, strlen(type));
}

static void write_tools(mastra_openai_writer_t *out,
                        const mastra_model_request_t *request)
{
    apr_size_t i, n = mastra_json_size(request->tools);

    if (n == 0 || !mastra_json_is_array(request->tools)) {
        return;
    }
    name_of(out, "tools");
    mastra_openai_puts(out, "[");
    for (i = 0; i < n; i++) {
        mastra_openai_puts(out, i ? "," : "");
        write_tool(out, mastra_json_at(request->tools, i));
    }
    mastra_openai_puts(out, "]");
    write_choice(out, request->tool_choice);
}

static int is_role(const mastra_json_t *message, const char *role)
{
    const char *is = mastra_json_get_str(message, "role");

    return is && strcmp(is, role) == 0;
}

static void write_system(mastra_openai_writer_t *out,
                         const mastra_json_t *message)
{
    mastra_openai_puts(out, "{\"role\":\"system\"");
    put(out, NULL, "content", mastra_json_get(message, "content"));
    mastra_openai_extras(out, message);
    mastra_openai_puts(out, "}");
}

static void write_user(mastra_openai_writer_t *out,
                       const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    const mastra_json_t *first = mastra_json_at(content, 0);
    apr_size_t i, n = mastra_json_size(content);
    const char *type = mastra_json_get_str(first, "type");

    mastra_openai_puts(out, "{\"role\":\"user\"");
    if (!mastra_json_is_array(content)) {
        put(out, NULL, "content", content);
    }
    else if (n == 1 && type && strcmp(type, "text") == 0) {
        put(out, NULL, "content", mastra_json_get(first, "text"));
        mastra_openai_extras(out, first);
        mastra_openai_puts(out, "}");
        return;
    }
    else {
        mastra_openai_puts(out, ",\"content\":[");
        for (i = 0; i < n; i++) {
            mastra_openai_puts(out, i ? "," : "");
            mastra_openai_part(out, mastra_json_at(content, i));
        }
        mastra_openai_puts(out, "]");
    }
    mastra_openai_extras(out, message);
    mastra_openai_puts(out, "}");
}

static void write_messages(mastra_openai_writer_t *out,
                           const mastra_json_t *prompt)
{
    apr_size_t i, n = mastra_json_size(prompt);

    name_of(out, "messages");
    mastra_openai_puts(out, "[");
    for (i = 0; i < n; i++) {
        const mastra_json_t *message = mastra_json_at(prompt, i);

        if (last_char(out) == '}') {
            mastra_openai_puts(out, ",");
        }
        if (is_role(message, "system")) {
            write_system(out, message);
        }
        else if (is_role(message, "assistant")) {
            mastra_openai_assistant(out, message);
        }
        else if (is_role(message, "tool")) {
            mastra_openai_results(out, message);
        }
        else {
            write_user(out, message);
        }
    }
    mastra_openai_puts(out, "]");
}

mastra_model_fail_e mastra_openai_body(const char **pwhy, mastra_buf_t *buf,
                                       const mastra_model_provider_t *provider,
                                       const mastra_model_request_t *request)
{
    mastra_openai_writer_t out = { .buf = buf };

    mastra_buf_init(&out.scratch, buf->limit);
    mastra_openai_puts(&out, "{\"model\":");
    mastra_openai_string(&out, request->model_id, strlen(request->model_id));
    write_settings(&out, provider, request);
    write_messages(&out, request->prompt);
    write_tools(&out, request);
    if (request->stream) {
        mastra_openai_puts(&out, ",\"stream\":true,"
                           "\"stream_options\":{\"include_usage\":true}");
    }
    mastra_openai_puts(&out, "}");
    mastra_buf_free(&out.scratch);
    *pwhy = out.why;
    return out.fail;
}

static apr_int64_t count(const mastra_json_t *usage, const char *key)
{
    apr_int64_t n = mastra_json_get_int(usage, key, 0);

    return n > 0 ? n : 0;
}

/* Without numbers from the provider there are none to tell but a sum of 0. */
static mastra_json_t *no_usage(void)
{
    return mastra_json_pack("{s:i, s:{s:{}, s:{}}}", "totalTokens", 0, "raw",
                            "inputTokens", "outputTokens");
}

mastra_json_t *mastra_openai_usage(mastra_json_t *usage)
{
    apr_int64_t in, out, cached, reasoning, text;

    if (!usage) {
        return no_usage();
    }
    in = count(usage, "prompt_tokens");
    out = count(usage, "completion_tokens");
    cached = count(mastra_json_get(usage, "prompt_tokens_details"),
                   "cached_tokens");
    reasoning = count(mastra_json_get(usage, "completion_tokens_details"),
                      "reasoning_tokens");
    text = out > reasoning ? out - reasoning : 0;
    return mastra_json_pack("{s:I, s:I, s:I, s:I, s:I, s:{s:{s:I, s:I, s:I},"
                            " s:{s:I, s:I, s:I}, s:O}}",
                            "inputTokens", in, "outputTokens", out,
                            "totalTokens", in + out, "reasoningTokens",
                            reasoning, "cachedInputTokens", cached, "raw",
                            "inputTokens", "total", in, "noCache", in - cached,
                            "cacheRead", cached, "outputTokens", "total", out,
                            "text", text, "reasoning", reasoning, "raw", usage);
}
