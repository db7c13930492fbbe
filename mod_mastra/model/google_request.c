/* The body of a generateContent request. */
#include <string.h>
#include <strings.h>

#include "writer.h"

/* Told in place of a signature that another model's call does not have. */
#define NO_SIGNATURE "skip_thought_signature_validator"

static const mastra_json_t *own(const mastra_json_t *part)
{
    return mastra_part_options(part, "google");
}

static void put_text(mastra_writer_t *out, const mastra_json_t *text)
{
    if (mastra_json_len(text)) {
        mastra_write_item(out);
        mastra_write_puts(out, "{\"text\":");
        mastra_write_str(out, text);
        mastra_write_puts(out, "}");
    }
}

/* ---- what users say ---- */

static void put_file(mastra_writer_t *out, const mastra_json_t *part)
{
    mastra_media_t media;
    const char *type;

    mastra_media_read(&media, part);
    type = *media.type ? media.type : "application/octet-stream";
    if (mastra_part_type(part, "image")
        && (!*media.type || strcmp(media.type, "image/*") == 0)) {
        type = "image/jpeg";
    }
    mastra_write_item(out);
    mastra_write_puts(out, media.url ? "{\"fileData\":{\"mimeType\":"
                                     : "{\"inlineData\":{\"mimeType\":");
    mastra_write_text(out, type, strlen(type));
    if (media.url) {
        mastra_write_puts(out, ",\"fileUri\":");
        mastra_write_text(out, media.url, strlen(media.url));
    }
    else if (mastra_media_has_data(out, &media)) {
        mastra_write_puts(out, ",\"data\":");
        mastra_write_data(out, &media);
    }
    mastra_write_puts(out, "}}");
}

static void put_part(mastra_writer_t *out, const mastra_json_t *part)
{
    put_text(out, mastra_json_get(part, "text"));
}

static void put_user(mastra_writer_t *out, const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");

    if (mastra_json_is_string(content)) {
        put_text(out, content);
        return;
    }
    mastra_write_parts(out, content, put_part, put_file);
}

static void put_result(mastra_writer_t *out, const mastra_json_t *part)
{
    const mastra_json_t *output = mastra_json_get(part, "output");
    const mastra_json_t *value = mastra_json_get(output, "value");

    mastra_write_item(out);
    mastra_write_puts(out, "{\"functionResponse\":{\"id\":");
    mastra_write_str(out, mastra_json_get(part, "toolCallId"));
    mastra_write_puts(out, ",\"name\":");
    mastra_write_str(out, mastra_json_get(part, "toolName"));
    mastra_write_puts(out, ",\"response\":{\"name\":");
    mastra_write_str(out, mastra_json_get(part, "toolName"));
    mastra_write_puts(out, ",\"content\":");
    if (value && !mastra_part_type(output, "execution-denied")) {
        mastra_write_json(out, value);
    }
    else {
        mastra_write_output(out, output);
    }
    mastra_write_puts(out, "}}}");
}

static void put_results(mastra_writer_t *out, const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    apr_size_t i, n = mastra_json_size(content);

    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);

        if (mastra_part_type(part, "tool-result")) {
            put_result(out, part);
        }
    }
}

/* ---- what the model said ---- */

static void put_signature(mastra_writer_t *out, const mastra_json_t *part,
                          const char *otherwise)
{
    const mastra_json_t *signature = mastra_json_get(own(part),
                                                     "thoughtSignature");

    if (mastra_json_is_string(signature)) {
        mastra_write_name(out, "thoughtSignature");
        mastra_write_str(out, signature);
    }
    else if (otherwise) {
        mastra_write_member_text(out, "thoughtSignature", otherwise);
    }
}

static void put_said(mastra_writer_t *out, const mastra_json_t *part,
                     int thought)
{
    const mastra_json_t *text = mastra_json_get(part, "text");

    /* thoughts of other models mean nothing to this one */
    if (thought ? !own(part) : !mastra_json_len(text)) {
        return;
    }
    mastra_write_item(out);
    mastra_write_puts(out, "{\"text\":");
    mastra_write_str(out, text);
    if (thought) {
        mastra_write_puts(out, ",\"thought\":true");
    }
    put_signature(out, part, NULL);
    mastra_write_puts(out, "}");
}

static void put_call(mastra_writer_t *out, const mastra_json_t *part,
                     int wants_signature)
{
    const mastra_json_t *input = mastra_json_get(part, "input");

    mastra_write_item(out);
    mastra_write_puts(out, "{\"functionCall\":{\"id\":");
    mastra_write_str(out, mastra_json_get(part, "toolCallId"));
    mastra_write_puts(out, ",\"name\":");
    mastra_write_str(out, mastra_json_get(part, "toolName"));
    mastra_write_puts(out, ",\"args\":");
    if (mastra_json_is_object(input)) {
        mastra_write_json(out, input);
    }
    else {
        mastra_write_puts(out, "{}");
    }
    mastra_write_puts(out, "}");
    put_signature(out, part, wants_signature ? NO_SIGNATURE : NULL);
    mastra_write_puts(out, "}");
}

/* Of parallel calls only the first has a signature. */
static void put_model(mastra_writer_t *out, const mastra_json_t *message,
                      int wants_signature)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    apr_size_t i, n = mastra_json_size(content);

    if (mastra_json_is_string(content)) {
        put_text(out, content);
        return;
    }
    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);

        if (mastra_part_type(part, "text")) {
            put_said(out, part, 0);
        }
        else if (mastra_part_type(part, "reasoning")) {
            put_said(out, part, 1);
        }
        else if (mastra_part_type(part, "tool-call")) {
            put_call(out, part, wants_signature);
            wants_signature = 0;
        }
    }
}

/* ---- contents ---- */

static void put_system(mastra_writer_t *out, const mastra_json_t *prompt)
{
    apr_size_t i, n = mastra_json_size(prompt);
    int open = 0;

    for (i = 0; i < n; i++) {
        const mastra_json_t *message = mastra_json_at(prompt, i);
        const mastra_json_t *text = mastra_json_get(message, "content");

        if (mastra_message_role(message, "system") && mastra_json_len(text)) {
            if (!open++) {
                mastra_write_name(out, "systemInstruction");
                mastra_write_puts(out, "{\"parts\":[");
            }
            put_text(out, text);
        }
    }
    mastra_write_puts(out, open ? "]}" : "");
}

/* Models that know no system texts get them before the user's first words. */
static void put_preface(mastra_writer_t *out, const mastra_json_t *prompt)
{
    apr_size_t i, n = mastra_json_size(prompt);

    mastra_buf_reset(&out->scratch);
    for (i = 0; i < n; i++) {
        const mastra_json_t *message = mastra_json_at(prompt, i);
        const mastra_json_t *text = mastra_json_get(message, "content");

        if (mastra_message_role(message, "system") && mastra_json_len(text)) {
            mastra_write_check(out, mastra_buf_add(&out->scratch,
                                                   mastra_json_str(text),
                                                   mastra_json_len(text)));
            mastra_write_check(out, mastra_buf_puts(&out->scratch, "\n\n"));
        }
    }
    if (out->scratch.len) {
        mastra_write_puts(out, "{\"text\":");
        mastra_write_text(out, out->scratch.data, out->scratch.len);
        mastra_write_puts(out, "}");
    }
}

static void put_content(mastra_writer_t *out, const mastra_json_t *message,
                        int wants_signature)
{
    if (mastra_message_role(message, "assistant")) {
        put_model(out, message, wants_signature);
    }
    else if (mastra_message_role(message, "tool")) {
        put_results(out, message);
    }
    else {
        put_user(out, message);
    }
}

/* A content without parts is refused: it is taken back. */
static void put_contents(mastra_writer_t *out,
                         const mastra_model_request_t *request)
{
    int gemma = strncmp(request->model_id, "gemma-", 6) == 0;
    int signs = strncmp(request->model_id, "gemini-3", 8) == 0;
    apr_size_t i, n = mastra_json_size(request->prompt), start, empty;
    int first = 1;

    mastra_write_name(out, "contents");
    mastra_write_puts(out, "[");
    for (i = 0; i < n && out->fail == MASTRA_FAIL_NONE; i++) {
        const mastra_json_t *message = mastra_json_at(request->prompt, i);
        int model = mastra_message_role(message, "assistant");

        if (mastra_message_role(message, "system")) {
            continue;
        }
        start = out->buf->len;
        if (first && model) {
            /* The first word is the user's, whatever was forgotten. */
            mastra_write_puts(out, "{\"role\":\"user\",\"parts\":[{\"text\":"
                              "\".\"}]}");
        }
        mastra_write_item(out);
        mastra_write_puts(out, model ? "{\"role\":\"model\",\"parts\":["
                                     : "{\"role\":\"user\",\"parts\":[");
        if (first && gemma && !model) {
            put_preface(out, request->prompt);
        }
        empty = out->buf->len;
        put_content(out, message, signs);
        if (out->buf->len == empty && out->buf->data[empty - 1] == '[') {
            out->buf->len = start;
            out->buf->data[start] = '\0';
            continue;
        }
        mastra_write_puts(out, "]}");
        first = 0;
    }
    mastra_write_puts(out, "]");
    if (!gemma) {
        put_system(out, request->prompt);
    }
}

/* ---- settings ---- */

static void write_format(mastra_writer_t *out,
                         const mastra_json_t *schema,
                         const mastra_json_t *options)
{
    mastra_json_t *form;

    mastra_write_member_text(out, "responseMimeType", "application/json");
    if (!mastra_json_get_bool(options, "structuredOutputs", 1)) {
        return;
    }
    form = mastra_schema_google(schema);
    mastra_write_member(out, "responseSchema", form);
    mastra_json_unref(form);
}

static void write_config(mastra_writer_t *out,
                         const mastra_model_request_t *request,
                         const mastra_json_t *options)
{
    static const char *const names[][2] = {
        { "maxOutputTokens", "maxOutputTokens" },
        { "temperature", "temperature" }, { "topK", "topK" },
        { "topP", "topP" }, { "frequencyPenalty", "frequencyPenalty" },
        { "presencePenalty", "presencePenalty" },
        { "stopSequences", "stopSequences" }, { "seed", "seed" },
    };
    static const char *const more[] = {
        "audioTimestamp", "responseModalities", "thinkingConfig",
        "mediaResolution", "imageConfig"
    };
    apr_size_t i;

    mastra_write_name(out, "generationConfig");
    mastra_write_puts(out, "{");
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        mastra_write_member(out, names[i][1],
                            mastra_json_get(request->settings, names[i][0]));
    }
    if (request->response_schema) {
        write_format(out, request->response_schema, options);
    }
    for (i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        mastra_write_member(out, more[i], mastra_json_get(options, more[i]));
    }
    mastra_write_puts(out, "}");
}

static void write_options(mastra_writer_t *out, const mastra_json_t *options)
{
    static const char *const names[] = {
        "safetySettings", "cachedContent", "labels", "serviceTier"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        mastra_write_member(out, names[i], mastra_json_get(options, names[i]));
    }
}

/* ---- tools ---- */

static void write_choice(mastra_writer_t *out, const mastra_json_t *choice)
{
    const char *type = mastra_json_str(choice);
    const char *mode = "AUTO";

    if (!type) {
        type = mastra_json_get_str(choice, "type");
    }
    if (type && strcmp(type, "none") == 0) {
        mode = "NONE";
    }
    else if (type && (strcmp(type, "required") == 0
                      || strcmp(type, "tool") == 0)) {
        mode = "ANY";
    }
    mastra_write_name(out, "toolConfig");
    mastra_write_puts(out, "{\"functionCallingConfig\":{");
    mastra_write_member_text(out, "mode", mode);
    if (type && strcmp(type, "tool") == 0) {
        mastra_write_name(out, "allowedFunctionNames");
        mastra_write_puts(out, "[");
        mastra_write_str(out, mastra_json_get(choice, "toolName"));
        mastra_write_puts(out, "]");
    }
    mastra_write_puts(out, "}}");
}

static void write_tools(mastra_writer_t *out,
                        const mastra_model_request_t *request)
{
    apr_size_t i, n = mastra_json_size(request->tools);

    if (n == 0 || !mastra_json_is_array(request->tools)) {
        return;
    }
    mastra_write_name(out, "tools");
    mastra_write_puts(out, "[{\"functionDeclarations\":[");
    for (i = 0; i < n; i++) {
        const mastra_json_t *tool = mastra_json_at(request->tools, i);
        mastra_json_t *form = mastra_schema_google(
            mastra_json_get(tool, "inputSchema"));

        mastra_write_item(out);
        mastra_write_puts(out, "{");
        mastra_write_member(out, "name", mastra_json_get(tool, "name"));
        mastra_write_member(out, "description",
                            mastra_json_get(tool, "description"));
        mastra_write_member(out, "parameters", form);
        mastra_write_puts(out, "}");
        mastra_json_unref(form);
    }
    mastra_write_puts(out, "]}]");
    write_choice(out, request->tool_choice);
}

mastra_model_fail_e mastra_google_body(const char **pwhy, mastra_buf_t *buf,
                                       const mastra_model_provider_t *provider,
                                       const mastra_model_request_t *request)
{
    mastra_json_t *options = mastra_model_options(provider, request, "google");
    mastra_writer_t out;

    mastra_writer_init(&out, buf);
    mastra_write_puts(&out, "{");
    write_config(&out, request, options);
    put_contents(&out, request);
    write_options(&out, options);
    write_tools(&out, request);
    mastra_write_puts(&out, "}");
    mastra_json_unref(options);
    return mastra_writer_done(&out, pwhy);
}
