/* Messages in Anthropic's form: roles take turns, so neighbours of one role
 * become one message; system texts stand apart. */
#include <string.h>
#include <strings.h>

#include "anthropic_part.h"

void mastra_anthropic_cache(mastra_writer_t *out, const mastra_json_t *part)
{
    mastra_write_member(out, "cache_control",
                        mastra_json_get(mastra_part_options(part, "anthropic"),
                                        "cacheControl"));
}

static int is_blank(const char *text, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len && strchr(" \t\r\n", text[i]) && text[i]; i++) {
    }
    return i == len;
}

/* A text block; none for white space, which the server refuses. */
static void put_text(mastra_writer_t *out, const mastra_json_t *text,
                     const mastra_json_t *part, int trimmed)
{
    const char *at = mastra_json_str(text);
    apr_size_t len = mastra_json_len(text);

    if (!at || is_blank(at, len)) {
        return;
    }
    while (trimmed && len && strchr(" \t\r\n", at[len - 1])) {
        len--;
    }
    mastra_write_item(out);
    mastra_write_puts(out, "{\"type\":\"text\",\"text\":");
    mastra_write_text(out, at, len);
    mastra_anthropic_cache(out, part);
    mastra_write_puts(out, "}");
}

/* ---- what users say ---- */

static void put_source(mastra_writer_t *out, const mastra_media_t *media,
                       const char *type)
{
    mastra_write_name(out, "source");
    if (media->url) {
        mastra_write_puts(out, "{\"type\":\"url\",\"url\":");
        mastra_write_text(out, media->url, strlen(media->url));
    }
    else if (mastra_media_has_data(out, media)) {
        mastra_write_puts(out, "{\"type\":\"base64\",\"media_type\":");
        mastra_write_text(out, type, strlen(type));
        mastra_write_puts(out, ",\"data\":");
        mastra_write_data(out, media);
    }
    mastra_write_puts(out, "}");
}

static void put_image(mastra_writer_t *out, const mastra_media_t *media,
                      const mastra_json_t *part)
{
    const char *type = media->type;

    if (!*type || strcmp(type, "image/*") == 0) {
        type = "image/jpeg";
    }
    mastra_write_item(out);
    mastra_write_puts(out, "{\"type\":\"image\"");
    put_source(out, media, type);
    mastra_anthropic_cache(out, part);
    mastra_write_puts(out, "}");
}

static void put_document(mastra_writer_t *out, const mastra_media_t *media,
                         const mastra_json_t *part)
{
    mastra_write_item(out);
    mastra_write_puts(out, "{\"type\":\"document\"");
    if (media->url || !mastra_media_is(media, "text/")) {
        put_source(out, media, "application/pdf");
    }
    else {
        mastra_write_puts(out, ",\"source\":{\"type\":\"text\","
                          "\"media_type\":\"text/plain\",\"data\":");
        mastra_write_decoded(out, media);
        mastra_write_puts(out, "}");
    }
    mastra_write_member(out, "title", mastra_json_get(part, "filename"));
    mastra_anthropic_cache(out, part);
    mastra_write_puts(out, "}");
}

static void put_file(mastra_writer_t *out, const mastra_json_t *part)
{
    mastra_media_t media;

    mastra_media_read(&media, part);
    if (mastra_part_type(part, "image") || mastra_media_is(&media, "image/")) {
        put_image(out, &media, part);
    }
    else if (strcasecmp(media.type, "application/pdf") == 0
             || mastra_media_is(&media, "text/")) {
        put_document(out, &media, part);
    }
    else {
        mastra_write_fail(out, MASTRA_FAIL_UNSUPPORTED,
                          "files of this media type are not supported");
    }
}

static void put_part(mastra_writer_t *out, const mastra_json_t *part)
{
    put_text(out, mastra_json_get(part, "text"), part, 0);
}

static void put_user(mastra_writer_t *out, const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");

    if (mastra_json_is_string(content)) {
        put_text(out, content, message, 0);
        return;
    }
    mastra_write_parts(out, content, put_part, put_file);
}

static void put_results(mastra_writer_t *out, const mastra_json_t *message)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    apr_size_t i, n = mastra_json_size(content);

    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);
        const mastra_json_t *output = mastra_json_get(part, "output");

        if (!mastra_part_type(part, "tool-result")) {
            continue;
        }
        mastra_write_item(out);
        mastra_write_puts(out, "{\"type\":\"tool_result\",\"tool_use_id\":");
        mastra_write_str(out, mastra_json_get(part, "toolCallId"));
        mastra_write_puts(out, ",\"content\":");
        mastra_write_output(out, output);
        if (mastra_output_is_error(output)) {
            mastra_write_puts(out, ",\"is_error\":true");
        }
        mastra_anthropic_cache(out, part);
        mastra_write_puts(out, "}");
    }
}

/* ---- what the model said ---- */

/* Thoughts are taken back only with their signature, unchanged. */
static void put_thought(mastra_writer_t *out, const mastra_json_t *part)
{
    const mastra_json_t *own = mastra_part_options(part, "anthropic");
    const mastra_json_t *signature = mastra_json_get(own, "signature");
    const mastra_json_t *redacted = mastra_json_get(own, "redactedData");

    if (mastra_json_is_string(signature)) {
        mastra_write_item(out);
        mastra_write_puts(out, "{\"type\":\"thinking\",\"thinking\":");
        mastra_write_str(out, mastra_json_get(part, "text"));
        mastra_write_puts(out, ",\"signature\":");
        mastra_write_str(out, signature);
        mastra_write_puts(out, "}");
    }
    else if (mastra_json_is_string(redacted)) {
        mastra_write_item(out);
        mastra_write_puts(out, "{\"type\":\"redacted_thinking\",\"data\":");
        mastra_write_str(out, redacted);
        mastra_write_puts(out, "}");
    }
}

static void put_call(mastra_writer_t *out, const mastra_json_t *part)
{
    const mastra_json_t *input = mastra_json_get(part, "input");

    mastra_write_item(out);
    mastra_write_puts(out, "{\"type\":\"tool_use\",\"id\":");
    mastra_write_str(out, mastra_json_get(part, "toolCallId"));
    mastra_write_puts(out, ",\"name\":");
    mastra_write_str(out, mastra_json_get(part, "toolName"));
    mastra_write_puts(out, ",\"input\":");
    if (mastra_json_is_object(input)) {
        mastra_write_json(out, input);
    }
    else {
        mastra_write_puts(out, "{}");
    }
    mastra_anthropic_cache(out, part);
    mastra_write_puts(out, "}");
}

/* last: white space at the end of an answer to go on with is refused. */
static void put_assistant(mastra_writer_t *out, const mastra_json_t *message,
                          int reasoning, int last)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    apr_size_t i, n = mastra_json_size(content);

    if (mastra_json_is_string(content)) {
        put_text(out, content, message, last);
        return;
    }
    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);

        if (mastra_part_type(part, "text")) {
            put_text(out, mastra_json_get(part, "text"), part,
                     last && i + 1 == n);
        }
        else if (mastra_part_type(part, "reasoning") && reasoning) {
            put_thought(out, part);
        }
        else if (mastra_part_type(part, "tool-call")) {
            put_call(out, part);
        }
    }
}

/* ---- turns ---- */

static void put_system(mastra_writer_t *out, const mastra_json_t *prompt)
{
    apr_size_t i, n = mastra_json_size(prompt);
    int open = 0;

    for (i = 0; i < n; i++) {
        const mastra_json_t *message = mastra_json_at(prompt, i);
        const mastra_json_t *text = mastra_json_get(message, "content");

        if (!mastra_message_role(message, "system")
            || is_blank(mastra_json_str(text), mastra_json_len(text))) {
            continue;
        }
        if (!open++) {
            mastra_write_puts(out, ",\"system\":[");
        }
        put_text(out, text, message, 0);
    }
    mastra_write_puts(out, open ? "]" : "");
}

typedef struct {
    int is_user;             /* whose turn is open; -1: nobody's */
    apr_size_t empty;        /* length of the body when it was opened */
    apr_size_t start;
} turn_t;

/* A message without content is refused: it is taken back. */
static void close_turn(mastra_writer_t *out, turn_t *turn)
{
    if (turn->is_user < 0) {
        return;
    }
    if (out->buf->len == turn->empty) {
        out->buf->len = turn->start;
        out->buf->data[out->buf->len] = '\0';
    }
    else {
        mastra_write_puts(out, "]}");
    }
    turn->is_user = -1;
}

static void open_turn(mastra_writer_t *out, turn_t *turn, int is_user)
{
    if (turn->is_user == is_user) {
        return;
    }
    close_turn(out, turn);
    turn->start = out->buf->len;
    /* The first word is the user's, whatever was forgotten before it. */
    if (!is_user && out->buf->data[out->buf->len - 1] == '[') {
        mastra_write_puts(out, "{\"role\":\"user\",\"content\":[{\"type\":"
                          "\"text\",\"text\":\".\"}]}");
    }
    mastra_write_item(out);
    mastra_write_puts(out, "{\"role\":");
    mastra_write_puts(out, is_user ? "\"user\"" : "\"assistant\"");
    mastra_write_puts(out, ",\"content\":[");
    turn->empty = out->buf->len;
    turn->is_user = is_user;
}

void mastra_anthropic_messages(mastra_writer_t *out,
                               const mastra_json_t *prompt, int reasoning)
{
    turn_t turn = { .is_user = -1 };
    apr_size_t i, n = mastra_json_size(prompt);

    put_system(out, prompt);
    mastra_write_puts(out, ",\"messages\":[");
    for (i = 0; i < n && out->fail == MASTRA_FAIL_NONE; i++) {
        const mastra_json_t *message = mastra_json_at(prompt, i);

        if (mastra_message_role(message, "system")) {
            continue;
        }
        if (mastra_message_role(message, "assistant")) {
            open_turn(out, &turn, 0);
            put_assistant(out, message, reasoning, i + 1 == n);
            continue;
        }
        open_turn(out, &turn, 1);
        if (mastra_message_role(message, "tool")) {
            put_results(out, message);
        }
        else {
            put_user(out, message);
        }
    }
    close_turn(out, &turn);
    mastra_write_puts(out, "]");
}
