/* Request bodies on their way into a buffer: commas, texts, tool results, and
 * the media that parts of messages hold. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "writer.h"

void mastra_writer_init(mastra_writer_t *out, mastra_buf_t *buf)
{
    memset(out, 0, sizeof(*out));
    out->buf = buf;
    mastra_buf_init(&out->scratch, buf->limit);
}

mastra_model_fail_e mastra_writer_done(mastra_writer_t *out, const char **pwhy)
{
    mastra_buf_free(&out->scratch);
    *pwhy = out->why;
    return out->fail;
}

void mastra_write_fail(mastra_writer_t *out, mastra_model_fail_e fail,
                       const char *why)
{
    if (out->fail == MASTRA_FAIL_NONE) {
        out->fail = fail;
        out->why = why;
    }
}

void mastra_write_check(mastra_writer_t *out, apr_status_t rv)
{
    if (rv == APR_ENOSPC) {
        mastra_write_fail(out, MASTRA_FAIL_PROMPT_SIZE, NULL);
    }
    else if (rv) {
        mastra_write_fail(out, MASTRA_FAIL_INTERNAL, NULL);
    }
}

void mastra_write_puts(mastra_writer_t *out, const char *text)
{
    mastra_write_check(out, mastra_buf_puts(out->buf, text));
}

void mastra_write_bytes(mastra_writer_t *out, const char *data, apr_size_t len)
{
    mastra_write_check(out, mastra_buf_add(out->buf, data, len));
}

void mastra_write_text(mastra_writer_t *out, const char *text, apr_size_t len)
{
    mastra_write_check(out, mastra_buf_json_string(out->buf, text, len));
}

void mastra_write_json(mastra_writer_t *out, const mastra_json_t *json)
{
    mastra_write_check(out, mastra_json_write(out->buf, json));
}

void mastra_write_str(mastra_writer_t *out, const mastra_json_t *json)
{
    const char *text = mastra_json_str(json);

    mastra_write_text(out, text ? text : "", mastra_json_len(json));
}

void mastra_write_as_text(mastra_writer_t *out, const mastra_json_t *json,
                          const char *otherwise)
{
    if (!json) {
        mastra_write_text(out, otherwise, strlen(otherwise));
        return;
    }
    mastra_buf_reset(&out->scratch);
    mastra_write_check(out, mastra_json_write(&out->scratch, json));
    mastra_write_text(out, out->scratch.data ? out->scratch.data : "",
                      out->scratch.len);
}

/* A value ends with none of these, not even a text: that ends with a quote. */
static int is_begun(const mastra_writer_t *out)
{
    return !out->buf->len || strchr("{[:,", out->buf->data[out->buf->len - 1]);
}

void mastra_write_item(mastra_writer_t *out)
{
    if (!is_begun(out)) {
        mastra_write_puts(out, ",");
    }
}

void mastra_write_name(mastra_writer_t *out, const char *name)
{
    mastra_write_item(out);
    mastra_write_text(out, name, strlen(name));
    mastra_write_puts(out, ":");
}

void mastra_write_member(mastra_writer_t *out, const char *name,
                         const mastra_json_t *value)
{
    if (value && !mastra_json_is_null(value)) {
        mastra_write_name(out, name);
        mastra_write_json(out, value);
    }
}

void mastra_write_member_text(mastra_writer_t *out, const char *name,
                              const char *value)
{
    mastra_write_name(out, name);
    mastra_write_text(out, value, strlen(value));
}

/* ---- parts ---- */

int mastra_part_type(const mastra_json_t *part, const char *type)
{
    const char *is = mastra_json_get_str(part, "type");

    return is && strcmp(is, type) == 0;
}

int mastra_message_role(const mastra_json_t *message, const char *role)
{
    const char *is = mastra_json_get_str(message, "role");

    return is && strcmp(is, role) == 0;
}

const mastra_json_t *mastra_part_options(const mastra_json_t *part,
                                         const char *name)
{
    return mastra_json_get(mastra_json_get(part, "providerOptions"), name);
}

void mastra_write_output(mastra_writer_t *out, const mastra_json_t *output)
{
    const mastra_json_t *value = mastra_json_get(output, "value");

    if (mastra_part_type(output, "execution-denied")) {
        value = mastra_json_get(output, "reason");
        if (!mastra_json_is_string(value)) {
            mastra_write_puts(out, "\"Tool call execution denied.\"");
            return;
        }
    }
    else if (!mastra_part_type(output, "text")
             && !mastra_part_type(output, "error-text")) {
        mastra_write_as_text(out, value, "null");
        return;
    }
    if (mastra_json_is_string(value)) {
        mastra_write_str(out, value);
    }
    else {
        mastra_write_as_text(out, value, "null");
    }
}

int mastra_output_is_error(const mastra_json_t *output)
{
    return mastra_part_type(output, "error-text")
           || mastra_part_type(output, "error-json");
}

void mastra_write_input(mastra_writer_t *out, const char *name,
                        const mastra_json_t *tool)
{
    const mastra_json_t *schema = mastra_json_get(tool, "inputSchema");

    mastra_write_name(out, name);
    if (schema) {
        mastra_write_json(out, schema);
    }
    else {
        mastra_write_puts(out, "{\"type\":\"object\",\"properties\":{}}");
    }
}

void mastra_write_parts(mastra_writer_t *out, const mastra_json_t *content,
                        mastra_write_part_cb *text, mastra_write_part_cb *file)
{
    apr_size_t i, n = mastra_json_size(content);

    for (i = 0; i < n; i++) {
        const mastra_json_t *part = mastra_json_at(content, i);

        if (mastra_part_type(part, "text")) {
            text(out, part);
        }
        else if (mastra_part_type(part, "image")
                 || mastra_part_type(part, "file")) {
            file(out, part);
        }
        else {
            mastra_write_fail(out, MASTRA_FAIL_UNSUPPORTED,
                              "a part is neither text nor image nor file");
        }
    }
}

/* ---- media ---- */

static void set_type(mastra_media_t *media, const char *type, apr_size_t len)
{
    if (len < sizeof(media->type)) {
        memcpy(media->type, type, len);
        media->type[len] = '\0';
    }
}

static void read_data_url(mastra_media_t *media, const char *url,
                          apr_size_t len)
{
    const char *comma = memchr(url, ',', len);
    apr_size_t head;

    if (!comma) {
        return;
    }
    head = (apr_size_t)(comma - url);
    if (!*media->type) {
        set_type(media, url + 5, strcspn(url + 5, ";,"));
    }
    if (head < 7 || strncasecmp(comma - 7, ";base64", 7) != 0) {
        return;
    }
    media->data = comma + 1;
    media->len = len - head - 1;
}

/* Other schemes are no one's to fetch; gs is Google's storage. */
static int is_url(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0
           || strncasecmp(text, "https://", 8) == 0
           || strncmp(text, "gs://", 5) == 0;
}

void mastra_media_read(mastra_media_t *media, const mastra_json_t *part)
{
    const mastra_json_t *value = mastra_json_get(
        part, mastra_part_type(part, "image") ? "image" : "data");
    const char *text = mastra_json_str(value);
    const char *type = mastra_json_get_str(part, "mediaType");

    memset(media, 0, sizeof(*media));
    if (!type) {
        type = mastra_json_get_str(part, "mimeType");
    }
    if (type) {
        set_type(media, type, strlen(type));
    }
    if (!text) {
        return;
    }
    if (strncasecmp(text, "data:", 5) == 0) {
        read_data_url(media, text, mastra_json_len(value));
    }
    else if (is_url(text)) {
        media->url = text;
    }
    else {
        media->data = text;
        media->len = mastra_json_len(value);
    }
}

int mastra_media_is(const mastra_media_t *media, const char *prefix)
{
    return strncasecmp(media->type, prefix, strlen(prefix)) == 0;
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

int mastra_media_has_data(mastra_writer_t *out, const mastra_media_t *media)
{
    if (!media->data
        || !is_plain(media->data, media->len, "+/-_=")
        || !is_plain(media->type, strlen(media->type), "!#$&-^_.+/*")) {
        mastra_write_fail(out, MASTRA_FAIL_UNSUPPORTED,
                          "a file is neither a URL nor base64 data");
        return 0;
    }
    return 1;
}

void mastra_write_data(mastra_writer_t *out, const mastra_media_t *media)
{
    mastra_write_puts(out, "\"");
    mastra_write_bytes(out, media->data, media->len);
    mastra_write_puts(out, "\"");
}

void mastra_write_data_url(mastra_writer_t *out, const char *type,
                           const mastra_media_t *media)
{
    mastra_write_puts(out, "\"data:");
    mastra_write_puts(out, type);
    mastra_write_puts(out, ";base64,");
    mastra_write_bytes(out, media->data, media->len);
    mastra_write_puts(out, "\"");
}

void mastra_write_decoded(mastra_writer_t *out, const mastra_media_t *media)
{
    apr_pool_t *pool = NULL;
    unsigned char *data = NULL;
    apr_size_t len = 0;

    if (!mastra_media_has_data(out, media)) {
        return;
    }
    mastra_write_check(out, apr_pool_create(&pool, NULL));
    if (!pool) {
        return;
    }
    apr_pool_tag(pool, "mastra_write_decoded");
    if (mastra_text_base64_decode(&data, &len, media->data, media->len,
                                  pool)) {
        mastra_write_fail(out, MASTRA_FAIL_UNSUPPORTED,
                          "a text file is not base64");
    }
    else {
        mastra_write_text(out, (const char *)data, len);
    }
    apr_pool_destroy(pool);
}
