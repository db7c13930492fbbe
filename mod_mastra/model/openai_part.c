/* Messages and their parts in the form of chat completions: texts, images,
 * audio, files, tool calls and tool results. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "openai_part.h"

static void fail_with(mastra_openai_writer_t *out, mastra_model_fail_e fail,
                      const char *why)
{
    if (out->fail == MASTRA_FAIL_NONE) {
        out->fail = fail;
        out->why = why;
    }
}

static void check(mastra_openai_writer_t *out, apr_status_t rv)
{
    if (rv == APR_ENOSPC) {
        fail_with(out, MASTRA_FAIL_PROMPT_SIZE, NULL);
    }
    else if (rv) {
        fail_with(out, MASTRA_FAIL_INTERNAL, NULL);
    }
}

void mastra_openai_puts(mastra_openai_writer_t *out, const char *text)
{
    check(out, mastra_buf_puts(out->buf, text));
}

void mastra_openai_string(mastra_openai_writer_t *out, const char *text,
                          apr_size_t len)
{
    check(out, mastra_buf_json_string(out->buf, text, len));
}

void mastra_openai_json(mastra_openai_writer_t *out,
                        const mastra_json_t *json)
{
    check(out, mastra_json_write(out->buf, json));
}

/* json as a JSON text in a string: {"a":1} becomes "{\"a\":1}". */
static void put_as_text(mastra_openai_writer_t *out, const mastra_json_t *json,
                        const char *otherwise)
{
    if (!json) {
        mastra_openai_string(out, otherwise, strlen(otherwise));
        return;
    }
    mastra_buf_reset(&out->scratch);
    check(out, mastra_json_write(&out->scratch, json));
    mastra_openai_string(out, out->scratch.data ? out->scratch.data : "",
                         out->scratch.len);
}

static void put_string(mastra_openai_writer_t *out, const mastra_json_t *json)
{
    const char *text = mastra_json_str(json);

    mastra_openai_string(out, text ? text : "", mastra_json_len(json));
}

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

void mastra_openai_extras(mastra_openai_writer_t *out,
                          const mastra_json_t *message)
{
    const mastra_json_t *options = mastra_json_get(message, "providerOptions");
    const mastra_json_t *extras = mastra_json_get(options, "openaiCompatible");
    void *i;

    for (i = mastra_json_iter(extras); i; i = mastra_json_next(extras, i)) {
        const char *key = mastra_json_key(i);

        if (!is_taken(key)) {
            mastra_openai_puts(out, ",");
            mastra_openai_string(out, key, strlen(key));
            mastra_openai_puts(out, ":");
            mastra_openai_json(out, mastra_json_value(i));
        }
    }
}

/* What a file part holds, told apart: a URL, or base64 with its type. */
typedef struct {
    const char *url;         /* http or https, or NULL */
    const char *data;        /* base64 */
    apr_size_t len;
    char type[128];          /* media type, "" when nobody says */
} content_t;

static void set_type(content_t *content, const char *type, apr_size_t len)
{
    if (len < sizeof(content->type)) {
        memcpy(content->type, type, len);
        content->type[len] = '\0';
    }
}

static void read_data_url(content_t *content, const char *url, apr_size_t len)
{
    const char *comma = memchr(url, ',', len);
    apr_size_t head;

    if (!comma) {
        return;
    }
    head = (apr_size_t)(comma - url);
    if (!*content->type) {
        set_type(content, url + 5, strcspn(url + 5, ";,"));
    }
    if (head < 7 || strncasecmp(comma - 7, ";base64", 7) != 0) {
        return;
    }
    content->data = comma + 1;
    content->len = len - head - 1;
}

static void read_content(content_t *content, const mastra_json_t *part,
                         const char *member)
{
    const mastra_json_t *value = mastra_json_get(part, member);
    const char *text = mastra_json_str(value);
    const char *type = mastra_json_get_str(part, "mediaType");

    memset(content, 0, sizeof(*content));
    if (!type) {
        type = mastra_json_get_str(part, "mimeType");
    }
    if (type) {
        set_type(content, type, strlen(type));
    }
    if (!text) {
        return;
    }
    if (strncasecmp(text, "http://", 7) == 0
        || strncasecmp(text, "https://", 8) == 0) {
        content->url = text;
    }
    else if (strncasecmp(text, "data:", 5) == 0) {
        read_data_url(content, text, mastra_json_len(value));
    }
    else {
        content->data = text;
        content->len = mastra_json_len(value);
    }
}

static int has_type(const content_t *content, const char *prefix)
{
    return strncasecmp(content->type, prefix, strlen(prefix)) == 0;
}

/* "data:TYPE;base64,DATA" as a JSON string. Both are checked, so that nothing
 * in them needs an escape. */
static void put_data_url(mastra_openai_writer_t *out, const char *type,
                         const content_t *content)
{
    mastra_openai_puts(out, "\"data:");
    mastra_openai_puts(out, type);
    mastra_openai_puts(out, ";base64,");
    check(out, mastra_buf_add(out->buf, content->data, content->len));
    mastra_openai_puts(out, "\"");
}

static int is_plain(const char *text, apr_size_t len, const char *others)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        char c = text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || (c && strchr(others, c)))) {
            return 0;
        }
    }
    return 1;
}

/* 1 when content has base64 data and a type that can be written as they are. */
static int has_data(mastra_openai_writer_t *out, const content_t *content)
{
    if (!content->data
        || !is_plain(content->data, content->len, "+/-_=")
        || !is_plain(content->type, strlen(content->type), "!#$&-^_.+/*")) {
        fail_with(out, MASTRA_FAIL_UNSUPPORTED,
                  "a file is neither a URL nor base64 data");
        return 0;
    }
    return 1;
}

static void put_image(mastra_openai_writer_t *out, const content_t *content)
{
    const char *type = content->type;

    if (!*type || strcmp(type, "image/*") == 0) {
        type = "image/jpeg";
    }
    mastra_openai_puts(out,
                       "{\"type\":\"image_url\",\"image_url\":{\"url\":");
    if (content->url) {
        mastra_openai_string(out, content->url, strlen(content->url));
    }
    else if (has_data(out, content)) {
        put_data_url(out, type, content);
    }
    mastra_openai_puts(out, "}");
}

static void put_audio(mastra_openai_writer_t *out, const content_t *content)
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
        fail_with(out, MASTRA_FAIL_UNSUPPORTED,
                  "audio must be wav or mp3, as data");
        return;
    }
    if (!has_data(out, content)) {
        return;
    }
    mastra_openai_puts(out, "{\"type\":\"input_audio\",\"input_audio\":"
                       "{\"data\":\"");
    check(out, mastra_buf_add(out->buf, content->data, content->len));
    mastra_openai_puts(out, "\",\"format\":\"");
    mastra_openai_puts(out, format);
    mastra_openai_puts(out, "\"}");
}

static void put_pdf(mastra_openai_writer_t *out, const content_t *content,
                    const mastra_json_t *part)
{
    const char *name = mastra_json_get_str(part, "filename");

    if (content->url) {
        fail_with(out, MASTRA_FAIL_UNSUPPORTED, "a PDF file must be data");
        return;
    }
    if (!has_data(out, content)) {
        return;
    }
    name = name ? name : "document.pdf";
    mastra_openai_puts(out, "{\"type\":\"file\",\"file\":{\"filename\":");
    mastra_openai_string(out, name, strlen(name));
    mastra_openai_puts(out, ",\"file_data\":");
    put_data_url(out, "application/pdf", content);
    mastra_openai_puts(out, "}");
}

/* A text file is sent as text. */
static void put_text_file(mastra_openai_writer_t *out,
                          const content_t *content)
{
    apr_pool_t *pool = NULL;
    unsigned char *data = NULL;
    apr_size_t len = 0;

    mastra_openai_puts(out, "{\"type\":\"text\",\"text\":");
    if (content->url) {
        mastra_openai_string(out, content->url, strlen(content->url));
        return;
    }
    if (!has_data(out, content)) {
        return;
    }
    check(out, apr_pool_create(&pool, NULL));
    if (!pool) {
        return;
    }
    apr_pool_tag(pool, "mastra_openai_text_file");
    if (mastra_text_base64_decode(&data, &len, content->data, content->len,
                                  pool)) {
        fail_with(out, MASTRA_FAIL_UNSUPPORTED, "a text file is not base64");
    }
    else {
        mastra_openai_string(out, (const char *)data, len);
    }
    apr_pool_destroy(pool);
}

static void put_file(mastra_openai_writer_t *out, const mastra_json_t *part)
{
    content_t content;

    read_content(&content, part, "data");
    if (has_type(&content, "image/")) {
        put_image(out, &content);
    }
    else if (has_type(&content, "audio/")) {
        put_audio(out, &content);
    }
    else if (strcasecmp(content.type, "application/pdf") == 0) {
        put_pdf(out, &content, part);
    }
    else if (has_type(&content, "text/")) {
        put_text_file(out, &content);
    }
    else {
        fail_with(out, MASTRA_FAIL_UNSUPPORTED,
                  "files of this media type are not supported");
    }
}

void mastra_openai_part(mastra_openai_writer_t *out, const mastra_json_t *part)
{
    const char *type = mastra_json_get_str(part, "type");

    if (type && strcmp(type, "text") == 0) {
        mastra_openai_puts(out, "{\"type\":\"text\",\"text\":");
        put_string(out, mastra_json_get(part, "text"));
    }
    else if (type && strcmp(type, "image") == 0) {
        content_t content;

        read_content(&content, part, "image");
        put_image(out, &content);
    }
    else if (type && strcmp(type, "file") == 0) {
        put_file(out, part);
    }
    else {
        fail_with(out, MASTRA_FAIL_UNSUPPORTED,
                  "a part is neither text nor image nor file");
        return;
    }
    mastra_openai_extras(out, part);
    mastra_openai_puts(out, "}");
}

static int is_type(const mastra_json_t *part, const char *type)
{
    const char *is = mastra_json_get_str(part, "type");

    return is && strcmp(is, type) == 0;
}

/* Appends the texts of all parts of a type; several of them become one. */
static void join_texts(mastra_buf_t *text, const mastra_json_t *content,
                       const char *type, mastra_openai_writer_t *out)
{
    apr_size_t i, n = mastra_json_size(content);

    mastra_buf_reset(text);
    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);
        const mastra_json_t *piece = mastra_json_get(part, "text");

        if (is_type(part, type) && mastra_json_len(piece)) {
            check(out, mastra_buf_add(text, mastra_json_str(piece),
                                      mastra_json_len(piece)));
        }
    }
}

static void put_call(mastra_openai_writer_t *out, const mastra_json_t *part)
{
    const mastra_json_t *signature;

    mastra_openai_puts(out, "{\"id\":");
    put_string(out, mastra_json_get(part, "toolCallId"));
    mastra_openai_puts(out, ",\"type\":\"function\",\"function\":{\"name\":");
    put_string(out, mastra_json_get(part, "toolName"));
    mastra_openai_puts(out, ",\"arguments\":");
    put_as_text(out, mastra_json_get(part, "input"), "{}");
    mastra_openai_puts(out, "}");
    mastra_openai_extras(out, part);
    /* Gemini's compatible server wants its signature back. */
    signature = mastra_json_get(mastra_json_get(part, "providerOptions"),
                                "google");
    signature = mastra_json_get(signature, "thoughtSignature");
    if (mastra_json_is_string(signature)) {
        mastra_openai_puts(out, ",\"extra_content\":{\"google\":"
                           "{\"thought_signature\":");
        put_string(out, signature);
        mastra_openai_puts(out, "}}");
    }
    mastra_openai_puts(out, "}");
}

static void put_calls(mastra_openai_writer_t *out,
                      const mastra_json_t *content)
{
    apr_size_t i, n = mastra_json_size(content);
    int calls = 0;

    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);

        if (is_type(part, "tool-call")) {
            mastra_openai_puts(out, calls++ ? "," : ",\"tool_calls\":[");
            put_call(out, part);
        }
    }
    mastra_openai_puts(out, calls ? "]" : "");
}

static int has_calls(const mastra_json_t *content)
{
    apr_size_t i, n = mastra_json_size(content);

    for (i = 0; i < n; i++) {
        if (is_type(mastra_json_at(content, i), "tool-call")) {
            return 1;
        }
    }
    return 0;
}

void mastra_openai_assistant(mastra_openai_writer_t *out,
                             const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");

    mastra_openai_puts(out, "{\"role\":\"assistant\",\"content\":");
    if (mastra_json_is_array(content)) {
        join_texts(&out->scratch, content, "text", out);
        if (out->scratch.len || !has_calls(content)) {
            mastra_openai_string(out, out->scratch.len ? out->scratch.data : "",
                                 out->scratch.len);
        }
        else {
            mastra_openai_puts(out, "null");
        }
        join_texts(&out->scratch, content, "reasoning", out);
        if (out->scratch.len) {
            mastra_openai_puts(out, ",\"reasoning_content\":");
            mastra_openai_string(out, out->scratch.data, out->scratch.len);
        }
        put_calls(out, content);
    }
    else {
        put_string(out, content);
    }
    mastra_openai_extras(out, message);
    mastra_openai_puts(out, "}");
}

static void put_output(mastra_openai_writer_t *out,
                       const mastra_json_t *output)
{
    const mastra_json_t *value = mastra_json_get(output, "value");

    if (is_type(output, "execution-denied")) {
        value = mastra_json_get(output, "reason");
        if (!mastra_json_is_string(value)) {
            mastra_openai_puts(out, "\"Tool call execution denied.\"");
            return;
        }
    }
    else if (!is_type(output, "text") && !is_type(output, "error-text")) {
        put_as_text(out, value, "null");
        return;
    }
    if (mastra_json_is_string(value)) {
        put_string(out, value);
    }
    else {
        put_as_text(out, value, "null");
    }
}

void mastra_openai_results(mastra_openai_writer_t *out,
                           const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    apr_size_t i, n = mastra_json_size(content);
    int written = 0;

    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);

        if (!is_type(part, "tool-result")) {
            continue;
        }
        mastra_openai_puts(out, written++ ? "," : "");
        mastra_openai_puts(out, "{\"role\":\"tool\",\"tool_call_id\":");
        put_string(out, mastra_json_get(part, "toolCallId"));
        mastra_openai_puts(out, ",\"content\":");
        put_output(out, mastra_json_get(part, "output"));
        mastra_openai_extras(out, part);
        mastra_openai_puts(out, "}");
    }
}
