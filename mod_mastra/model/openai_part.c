/* Messages and their parts in the form of chat completions: texts, images,
 * audio, files, tool calls and tool results. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "openai_part.h"

/* Names that the message itself has. */
static int is_taken(const char *name)
{
    static const char *const names[] = {
        "role", "content", "type", "text", "id", "function", "tool_calls",
        "tool_call_id", "reasoning_content", "image_url", "input_audio", "file"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            return 1;
        }
    }
    return 0;
}

void mastra_openai_extras(mastra_writer_t *out, const mastra_json_t *message)
{
    const mastra_json_t *extras = mastra_part_options(message,
                                                      "openaiCompatible");
    void *i;

    for (i = mastra_json_iter(extras); i; i = mastra_json_next(extras, i)) {
        const char *key = mastra_json_key(i);

        if (!is_taken(key)) {
            mastra_write_name(out, key);
            mastra_write_json(out, mastra_json_value(i));
        }
    }
}

static void put_image(mastra_writer_t *out, const mastra_media_t *content)
{
    const char *type = content->type;

    if (!*type || strcmp(type, "image/*") == 0) {
        type = "image/jpeg";
    }
    mastra_write_puts(out, "{\"type\":\"image_url\",\"image_url\":{\"url\":");
    if (content->url) {
        mastra_write_text(out, content->url, strlen(content->url));
    }
    else if (mastra_media_has_data(out, content)) {
        mastra_write_data_url(out, type, content);
    }
    mastra_write_puts(out, "}");
}

static void put_audio(mastra_writer_t *out, const mastra_media_t *content)
{
    const char *format = NULL;

    if (strcasecmp(content->type, "audio/wav") == 0) {
        format = "wav";
    }
    else if (strcasecmp(content->type, "audio/mp3") == 0
             || strcasecmp(content->type, "audio/mpeg") == 0) {
        format = "mp3";
    }
    if (!format || content->url) {
        mastra_write_fail(out, MASTRA_FAIL_UNSUPPORTED,
                          "audio must be wav or mp3, as data");
        return;
    }
    if (!mastra_media_has_data(out, content)) {
        return;
    }
    mastra_write_puts(out, "{\"type\":\"input_audio\",\"input_audio\":"
                      "{\"data\":\"");
    mastra_write_bytes(out, content->data, content->len);
    mastra_write_puts(out, "\",\"format\":\"");
    mastra_write_puts(out, format);
    mastra_write_puts(out, "\"}");
}

static void put_pdf(mastra_writer_t *out, const mastra_media_t *content,
                    const mastra_json_t *part)
{
    const char *name = mastra_json_get_str(part, "filename");

    if (content->url) {
        mastra_write_fail(out, MASTRA_FAIL_UNSUPPORTED,
                          "a PDF file must be data");
        return;
    }
    if (!mastra_media_has_data(out, content)) {
        return;
    }
    name = name ? name : "document.pdf";
    mastra_write_puts(out, "{\"type\":\"file\",\"file\":{\"filename\":");
    mastra_write_text(out, name, strlen(name));
    mastra_write_puts(out, ",\"file_data\":");
    mastra_write_data_url(out, "application/pdf", content);
    mastra_write_puts(out, "}");
}

/* A text file is sent as text. */
static void put_text_file(mastra_writer_t *out, const mastra_media_t *media)
{
    mastra_write_puts(out, "{\"type\":\"text\",\"text\":");
    if (media->url) {
        mastra_write_text(out, media->url, strlen(media->url));
    }
    else {
        mastra_write_decoded(out, media);
    }
}

static void put_file(mastra_writer_t *out, const mastra_json_t *part)
{
    mastra_media_t content;

    mastra_media_read(&content, part);
    if (mastra_media_is(&content, "image/")) {
        put_image(out, &content);
    }
    else if (mastra_media_is(&content, "audio/")) {
        put_audio(out, &content);
    }
    else if (strcasecmp(content.type, "application/pdf") == 0) {
        put_pdf(out, &content, part);
    }
    else if (mastra_media_is(&content, "text/")) {
        put_text_file(out, &content);
    }
    else {
        mastra_write_fail(out, MASTRA_FAIL_UNSUPPORTED,
                          "files of this media type are not supported");
    }
}

void mastra_openai_part(mastra_writer_t *out, const mastra_json_t *part)
{
    if (mastra_part_type(part, "text")) {
        mastra_write_puts(out, "{\"type\":\"text\",\"text\":");
        mastra_write_str(out, mastra_json_get(part, "text"));
    }
    else if (mastra_part_type(part, "image")) {
        mastra_media_t content;

        mastra_media_read(&content, part);
        put_image(out, &content);
    }
    else if (mastra_part_type(part, "file")) {
        put_file(out, part);
    }
    else {
        mastra_write_fail(out, MASTRA_FAIL_UNSUPPORTED,
                          "a part is neither text nor image nor file");
        return;
    }
    mastra_openai_extras(out, part);
    mastra_write_puts(out, "}");
}

/* Appends the texts of all parts of a type; several of them become one. */
static void join_texts(mastra_buf_t *text, const mastra_json_t *content,
                       const char *type, mastra_writer_t *out)
{
    apr_size_t i, n = mastra_json_size(content);

    mastra_buf_reset(text);
    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);
        const mastra_json_t *piece = mastra_json_get(part, "text");

        if (mastra_part_type(part, type) && mastra_json_len(piece)) {
            mastra_write_check(out, mastra_buf_add(text, mastra_json_str(piece),
                                                   mastra_json_len(piece)));
        }
    }
}

static void put_call(mastra_writer_t *out, const mastra_json_t *part)
{
    const mastra_json_t *signature;

    mastra_write_puts(out, "{\"id\":");
    mastra_write_str(out, mastra_json_get(part, "toolCallId"));
    mastra_write_puts(out, ",\"type\":\"function\",\"function\":{\"name\":");
    mastra_write_str(out, mastra_json_get(part, "toolName"));
    mastra_write_puts(out, ",\"arguments\":");
    mastra_write_as_text(out, mastra_json_get(part, "input"), "{}");
    mastra_write_puts(out, "}");
    mastra_openai_extras(out, part);
    /* Gemini's compatible server wants its signature back. */
    signature = mastra_json_get(mastra_part_options(part, "google"),
                                "thoughtSignature");
    if (mastra_json_is_string(signature)) {
        mastra_write_puts(out, ",\"extra_content\":{\"google\":"
                          "{\"thought_signature\":");
        mastra_write_str(out, signature);
        mastra_write_puts(out, "}}");
    }
    mastra_write_puts(out, "}");
}

static void put_calls(mastra_writer_t *out, const mastra_json_t *content)
{
    apr_size_t i, n = mastra_json_size(content);
    int calls = 0;

    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);

        if (mastra_part_type(part, "tool-call")) {
            mastra_write_puts(out, calls++ ? "," : ",\"tool_calls\":[");
            put_call(out, part);
        }
    }
    mastra_write_puts(out, calls ? "]" : "");
}

static int has_calls(const mastra_json_t *content)
{
    apr_size_t i, n = mastra_json_size(content);

    for (i = 0; i < n; i++) {
        if (mastra_part_type(mastra_json_at(content, i), "tool-call")) {
            return 1;
        }
    }
    return 0;
}

void mastra_openai_assistant(mastra_writer_t *out,
                             const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");

    mastra_write_puts(out, "{\"role\":\"assistant\",\"content\":");
    if (mastra_json_is_array(content)) {
        join_texts(&out->scratch, content, "text", out);
        if (out->scratch.len || !has_calls(content)) {
            mastra_write_text(out, out->scratch.len ? out->scratch.data : "",
                              out->scratch.len);
        }
        else {
            mastra_write_puts(out, "null");
        }
        join_texts(&out->scratch, content, "reasoning", out);
        if (out->scratch.len) {
            mastra_write_puts(out, ",\"reasoning_content\":");
            mastra_write_text(out, out->scratch.data, out->scratch.len);
        }
        put_calls(out, content);
    }
    else {
        mastra_write_str(out, content);
    }
    mastra_openai_extras(out, message);
    mastra_write_puts(out, "}");
}

void mastra_openai_results(mastra_writer_t *out, const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    apr_size_t i, n = mastra_json_size(content);

    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);

        if (!mastra_part_type(part, "tool-result")) {
            continue;
        }
        mastra_write_item(out);
        mastra_write_puts(out, "{\"role\":\"tool\",\"tool_call_id\":");
        mastra_write_str(out, mastra_json_get(part, "toolCallId"));
        mastra_write_puts(out, ",\"content\":");
        mastra_write_output(out, mastra_json_get(part, "output"));
        mastra_openai_extras(out, part);
        mastra_write_puts(out, "}");
    }
}
