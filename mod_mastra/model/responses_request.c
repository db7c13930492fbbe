/* The body of a request to OpenAI's Responses API. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "writer.h"

/* o1, o3-mini, gpt-5, gpt-5.1-codex, …: not gpt-4o, gpt-5-chat-latest. */
int mastra_responses_is_wanted(const char *model_id)
{
    char *end;

    if (strncmp(model_id, "codex-", 6) == 0
        || strncmp(model_id, "computer-use", 12) == 0) {
        return 1;
    }
    if (model_id[0] == 'o' && isdigit((unsigned char)model_id[1])) {
        strtol(model_id + 1, &end, 10);
        return *end == '\0' || *end == '-';
    }
    if (strncmp(model_id, "gpt-", 4) != 0
        || strtol(model_id + 4, &end, 10) < 5) {
        return 0;
    }
    return strncmp(end, "-chat", 5) != 0;
}

/* ---- input ---- */

static void put_said(mastra_writer_t *out, const char *role, const char *type,
                     const mastra_json_t *text)
{
    if (!mastra_json_len(text)) {
        return;
    }
    mastra_write_item(out);
    mastra_write_puts(out, "{");
    mastra_write_member_text(out, "role", role);
    mastra_write_puts(out, ",\"content\":[{");
    mastra_write_member_text(out, "type", type);
    mastra_write_puts(out, ",\"text\":");
    mastra_write_str(out, text);
    mastra_write_puts(out, "}]}");
}

static void put_image(mastra_writer_t *out, const mastra_media_t *media)
{
    const char *type = media->type;

    if (!*type || strcmp(type, "image/*") == 0) {
        type = "image/jpeg";
    }
    mastra_write_item(out);
    mastra_write_puts(out, "{\"type\":\"input_image\",\"image_url\":");
    if (media->url) {
        mastra_write_text(out, media->url, strlen(media->url));
    }
    else if (mastra_media_has_data(out, media)) {
        mastra_write_data_url(out, type, media);
    }
    mastra_write_puts(out, "}");
}

static void put_pdf(mastra_writer_t *out, const mastra_media_t *media,
                    const mastra_json_t *part)
{
    const char *name = mastra_json_get_str(part, "filename");

    mastra_write_item(out);
    mastra_write_puts(out, "{\"type\":\"input_file\"");
    if (media->url) {
        mastra_write_member_text(out, "file_url", media->url);
    }
    else if (mastra_media_has_data(out, media)) {
        mastra_write_member_text(out, "filename",
                                 name ? name : "document.pdf");
        mastra_write_puts(out, ",\"file_data\":");
        mastra_write_data_url(out, "application/pdf", media);
    }
    mastra_write_puts(out, "}");
}

static void put_file(mastra_writer_t *out, const mastra_json_t *part)
{
    mastra_media_t media;

    mastra_media_read(&media, part);
    if (mastra_part_type(part, "image") || mastra_media_is(&media, "image/")) {
        put_image(out, &media);
    }
    else if (strcasecmp(media.type, "application/pdf") == 0) {
        put_pdf(out, &media, part);
    }
    else if (mastra_media_is(&media, "text/") && !media.url) {
        mastra_write_item(out);
        mastra_write_puts(out, "{\"type\":\"input_text\",\"text\":");
        mastra_write_decoded(out, &media);
        mastra_write_puts(out, "}");
    }
    else {
        mastra_write_fail(out, MASTRA_FAIL_UNSUPPORTED,
                          "files of this media type are not supported");
    }
}

static void put_part(mastra_writer_t *out, const mastra_json_t *part)
{
    mastra_write_item(out);
    mastra_write_puts(out, "{\"type\":\"input_text\",\"text\":");
    mastra_write_str(out, mastra_json_get(part, "text"));
    mastra_write_puts(out, "}");
}

static void put_user(mastra_writer_t *out, const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");

    if (mastra_json_is_string(content)) {
        put_said(out, "user", "input_text", content);
        return;
    }
    mastra_write_item(out);
    mastra_write_puts(out, "{\"role\":\"user\",\"content\":[");
    mastra_write_parts(out, content, put_part, put_file);
    mastra_write_puts(out, "]}");
}

static const char *item_of(const mastra_json_t *part)
{
    return mastra_json_get_str(mastra_part_options(part, "openai"), "itemId");
}

static int is_same_thought(const mastra_json_t *part, const char *item)
{
    const char *other = item_of(part);

    return mastra_part_type(part, "reasoning") && other
        && strcmp(other, item) == 0;
}

/* The parts from *pi on that are summaries of one item, as that item: nothing
 * is kept at OpenAI, so what was thought goes back with each request, as the
 * text that only OpenAI can read. */
static void put_thoughts(mastra_writer_t *out, const mastra_json_t *content,
                         apr_size_t *pi)
{
    const mastra_json_t *part = mastra_json_at(content, *pi);
    const char *item = item_of(part);
    const mastra_json_t *secret = NULL;
    apr_size_t i, end = *pi;

    if (!item) {
        return;
    }
    for (; is_same_thought(mastra_json_at(content, end), item); end++) {
        const mastra_json_t *other = mastra_json_get(
            mastra_part_options(mastra_json_at(content, end), "openai"),
            "reasoningEncryptedContent");

        secret = mastra_json_len(other) ? other : secret;
    }
    if (secret) {
        mastra_write_item(out);
        mastra_write_puts(out, "{\"type\":\"reasoning\"");
        mastra_write_member_text(out, "id", item);
        mastra_write_puts(out, ",\"encrypted_content\":");
        mastra_write_str(out, secret);
        mastra_write_puts(out, ",\"summary\":[");
        for (i = *pi; i < end; i++) {
            const mastra_json_t *text = mastra_json_get(
                mastra_json_at(content, i), "text");

            if (mastra_json_len(text)) {
                mastra_write_item(out);
                mastra_write_puts(out, "{\"type\":\"summary_text\",\"text\":");
                mastra_write_str(out, text);
                mastra_write_puts(out, "}");
            }
        }
        mastra_write_puts(out, "]}");
    }
    *pi = end - 1;
}

static void put_call(mastra_writer_t *out, const mastra_json_t *part)
{
    mastra_write_item(out);
    mastra_write_puts(out, "{\"type\":\"function_call\",\"call_id\":");
    mastra_write_str(out, mastra_json_get(part, "toolCallId"));
    mastra_write_puts(out, ",\"name\":");
    mastra_write_str(out, mastra_json_get(part, "toolName"));
    mastra_write_puts(out, ",\"arguments\":");
    mastra_write_as_text(out, mastra_json_get(part, "input"), "{}");
    mastra_write_puts(out, "}");
}

static void put_assistant(mastra_writer_t *out, const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    apr_size_t i, n = mastra_json_size(content);

    if (mastra_json_is_string(content)) {
        put_said(out, "assistant", "output_text", content);
        return;
    }
    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);

        if (mastra_part_type(part, "text")) {
            put_said(out, "assistant", "output_text",
                     mastra_json_get(part, "text"));
        }
        else if (mastra_part_type(part, "reasoning")) {
            put_thoughts(out, content, &i);
        }
        else if (mastra_part_type(part, "tool-call")) {
            put_call(out, part);
        }
    }
}

static void put_results(mastra_writer_t *out, const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    apr_size_t i, n = mastra_json_size(content);

    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);

        if (mastra_part_type(part, "tool-result")) {
            mastra_write_item(out);
            mastra_write_puts(out, "{\"type\":\"function_call_output\","
                              "\"call_id\":");
            mastra_write_str(out, mastra_json_get(part, "toolCallId"));
            mastra_write_puts(out, ",\"output\":");
            mastra_write_output(out, mastra_json_get(part, "output"));
            mastra_write_puts(out, "}");
        }
    }
}

static void put_system(mastra_writer_t *out, const mastra_json_t *message,
                       int reasons)
{
    mastra_write_item(out);
    mastra_write_puts(out, reasons ? "{\"role\":\"developer\",\"content\":"
                                   : "{\"role\":\"system\",\"content\":");
    mastra_write_str(out, mastra_json_get(message, "content"));
    mastra_write_puts(out, "}");
}

static void write_input(mastra_writer_t *out, const mastra_json_t *prompt,
                        int reasons)
{
    apr_size_t i, n = mastra_json_size(prompt);

    mastra_write_name(out, "input");
    mastra_write_puts(out, "[");
    for (i = 0; i < n; i++) {
        const mastra_json_t *message = mastra_json_at(prompt, i);

        if (mastra_message_role(message, "system")) {
            put_system(out, message, reasons);
        }
        else if (mastra_message_role(message, "assistant")) {
            put_assistant(out, message);
        }
        else if (mastra_message_role(message, "tool")) {
            put_results(out, message);
        }
        else {
            put_user(out, message);
        }
    }
    mastra_write_puts(out, "]");
}

/* ---- settings ---- */

static void write_text(mastra_writer_t *out,
                       const mastra_model_request_t *request,
                       const mastra_json_t *options)
{
    const mastra_json_t *verbosity = mastra_json_get(options, "textVerbosity");

    if (!verbosity && !request->response_schema) {
        return;
    }
    mastra_write_name(out, "text");
    mastra_write_puts(out, "{");
    if (request->response_schema) {
        mastra_write_puts(out, "\"format\":{\"type\":\"json_schema\","
                          "\"strict\":");
        mastra_write_puts(out, mastra_json_get_bool(options,
                                                    "strictJsonSchema", 1)
                                   ? "true" : "false");
        mastra_write_puts(out, ",\"name\":\"response\",\"schema\":");
        mastra_write_json(out, request->response_schema);
        mastra_write_puts(out, "}");
    }
    mastra_write_member(out, "verbosity", verbosity);
    mastra_write_puts(out, "}");
}

static void write_options(mastra_writer_t *out, const mastra_json_t *options)
{
    static const char *const names[][2] = {
        { "conversation", "conversation" },
        { "maxToolCalls", "max_tool_calls" }, { "metadata", "metadata" },
        { "parallelToolCalls", "parallel_tool_calls" },
        { "previousResponseId", "previous_response_id" },
        { "user", "user" }, { "instructions", "instructions" },
        { "serviceTier", "service_tier" },
        { "promptCacheKey", "prompt_cache_key" },
        { "promptCacheRetention", "prompt_cache_retention" },
        { "safetyIdentifier", "safety_identifier" },
        { "truncation", "truncation" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        mastra_write_member(out, names[i][1],
                            mastra_json_get(options, names[i][0]));
    }
}

/* Unless it is asked for, OpenAI is to keep nothing; a request that goes on
 * with what it keeps has asked. */
static void write_store(mastra_writer_t *out, const mastra_json_t *options,
                        int reasons)
{
    const mastra_json_t *store = mastra_json_get(options, "store");

    if (store) {
        mastra_write_member(out, "store", store);
    }
    else if (!mastra_json_get(options, "conversation")
             && !mastra_json_get(options, "previousResponseId")) {
        mastra_write_puts(out, ",\"store\":false");
    }
    if (mastra_json_get(options, "include")) {
        mastra_write_member(out, "include",
                            mastra_json_get(options, "include"));
    }
    else if (reasons) {
        mastra_write_puts(out,
                          ",\"include\":[\"reasoning.encrypted_content\"]");
    }
}

static void write_reasoning(mastra_writer_t *out, const mastra_json_t *options)
{
    const mastra_json_t *effort = mastra_json_get(options, "reasoningEffort");
    const mastra_json_t *summary = mastra_json_get(options,
                                                   "reasoningSummary");

    if (effort || summary) {
        mastra_write_name(out, "reasoning");
        mastra_write_puts(out, "{");
        mastra_write_member(out, "effort", effort);
        mastra_write_member(out, "summary", summary);
        mastra_write_puts(out, "}");
    }
}

/* ---- tools ---- */

static void write_choice(mastra_writer_t *out, const mastra_json_t *choice)
{
    const char *type = mastra_json_str(choice);

    if (!type) {
        type = mastra_json_get_str(choice, "type");
    }
    mastra_write_name(out, "tool_choice");
    if (type && strcmp(type, "tool") == 0) {
        mastra_write_puts(out, "{\"type\":\"function\",\"name\":");
        mastra_write_str(out, mastra_json_get(choice, "toolName"));
        mastra_write_puts(out, "}");
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
        const mastra_json_t *tool = mastra_json_at(request->tools, i);

        mastra_write_item(out);
        mastra_write_puts(out, "{\"type\":\"function\"");
        mastra_write_member(out, "name", mastra_json_get(tool, "name"));
        mastra_write_member(out, "description",
                            mastra_json_get(tool, "description"));
        mastra_write_input(out, "parameters", tool);
        mastra_write_member(out, "strict", mastra_json_get(tool, "strict"));
        mastra_write_puts(out, "}");
    }
    mastra_write_puts(out, "]");
    write_choice(out, request->tool_choice);
}

mastra_model_fail_e mastra_responses_body(
    const char **pwhy, mastra_buf_t *buf,
    const mastra_model_provider_t *provider,
    const mastra_model_request_t *request)
{
    mastra_json_t *options = mastra_model_options(provider, request, "openai");
    const mastra_json_t *settings = request->settings;
    int reasons = mastra_responses_is_wanted(request->model_id);
    mastra_writer_t out;

    mastra_writer_init(&out, buf);
    mastra_write_puts(&out, "{");
    mastra_write_member_text(&out, "model", request->model_id);
    write_input(&out, request->prompt, reasons);
    if (!reasons) {
        mastra_write_member(&out, "temperature",
                            mastra_json_get(settings, "temperature"));
        mastra_write_member(&out, "top_p", mastra_json_get(settings, "topP"));
    }
    mastra_write_member(&out, "max_output_tokens",
                        mastra_json_get(settings, "maxOutputTokens"));
    write_text(&out, request, options);
    write_options(&out, options);
    write_store(&out, options, reasons);
    write_reasoning(&out, options);
    write_tools(&out, request);
    if (request->stream) {
        mastra_write_puts(&out, ",\"stream\":true");
    }
    mastra_write_puts(&out, "}");
    mastra_json_unref(options);
    return mastra_writer_done(&out, pwhy);
}
