/* Headers of chat completions calls: what is sent, what is kept of the answer,
 * and how long an upstream asks to wait. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_date.h>
#include <apr_strings.h>

#include "internal.h"

#define MAX_HEADERS 128

/* The path goes before a query, which some servers want in every URL. */
const char *mastra_openai_prepare(mastra_model_provider_t *provider,
                                  apr_pool_t *pool)
{
    apr_size_t head = strcspn(provider->base_url, "?");
    apr_array_header_t *lines = apr_array_make(pool, 8, sizeof(const char *));
    const char *const *header;
    int authorized = 0;

    provider->url = apr_psprintf(pool, "%.*s/chat/completions%s", (int)head,
                                 provider->base_url,
                                 provider->base_url + head);
    APR_ARRAY_PUSH(lines, const char *) = "Content-Type: application/json";
    for (header = provider->headers; header && *header; header++) {
        APR_ARRAY_PUSH(lines, const char *) = *header;
        authorized |= strncasecmp(*header, "authorization:", 14) == 0;
    }
    if (provider->key && !authorized) {
        APR_ARRAY_PUSH(lines, const char *) =
            apr_psprintf(pool, "Authorization: Bearer %s", provider->key);
    }
    APR_ARRAY_PUSH(lines, const char *) = NULL;
    provider->lines = (const char *const *)lines->elts;
    return NULL;
}

/* Names that a caller's modelSettings.headers may not set: they belong to the
 * connection, or would take the place of what the administrator configured. */
static int is_own_name(const mastra_model_provider_t *provider,
                       const char *name)
{
    static const char *const names[] = {
        "host", "content-length", "content-type", "transfer-encoding",
        "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
        "authorization", "proxy-authorization", "proxy-connection", "cookie",
        "accept-encoding"
    };
    apr_size_t i, len = strlen(name);
    const char *const *line;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(names[i], name) == 0) {
            return 1;
        }
    }
    for (line = provider->lines; *line; line++) {
        if (strncasecmp(*line, name, len) == 0 && (*line)[len] == ':') {
            return 1;
        }
    }
    return 0;
}

static int is_header(const char *name, const char *value)
{
    const char *p;

    for (p = name; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("!#$%&'*+-.^_`|~", *p)) {
            return 0;
        }
    }
    if (p == name || !value) {
        return 0;
    }
    for (p = value; *p; p++) {
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f) {
            return 0;
        }
    }
    return 1;
}

const char *const *mastra_openai_lines(
    const mastra_model_provider_t *provider, const mastra_json_t *headers,
    apr_pool_t *pool)
{
    apr_array_header_t *lines = apr_array_make(pool, 8, sizeof(const char *));
    const char *const *line;
    void *i;

    for (line = provider->lines; *line; line++) {
        APR_ARRAY_PUSH(lines, const char *) = *line;
    }
    for (i = mastra_json_iter(headers); i; i = mastra_json_next(headers, i)) {
        const char *name = mastra_json_key(i);
        const char *value = mastra_json_str(mastra_json_value(i));

        if (is_header(name, value) && !is_own_name(provider, name)) {
            APR_ARRAY_PUSH(lines, const char *) =
                apr_psprintf(pool, "%s: %s", name, value);
        }
    }
    APR_ARRAY_PUSH(lines, const char *) = NULL;
    return (const char *const *)lines->elts;
}

apr_interval_time_t mastra_openai_retry_after(const apr_table_t *headers,
                                              apr_time_t now)
{
    const char *text = apr_table_get(headers, "retry-after-ms");
    apr_time_t at;

    if (text && isdigit((unsigned char)*text)) {
        return apr_time_from_msec(apr_strtoi64(text, NULL, 10)
                                  % APR_INT64_C(1000000000));
    }
    text = apr_table_get(headers, "retry-after");
    if (!text) {
        return -1;
    }
    if (isdigit((unsigned char)*text)) {
        return apr_time_from_sec(apr_strtoi64(text, NULL, 10)
                                 % APR_INT64_C(1000000000));
    }
    at = apr_date_parse_http(text);
    if (at == APR_DATE_BAD) {
        return -1;
    }
    at -= now;
    return at > 0 ? at : 0;
}

static int by_name(const void *a, const void *b)
{
    const apr_table_entry_t *const *one = a, *const *two = b;

    return strcmp((*one)->key, (*two)->key);
}

mastra_json_t *mastra_openai_headers(const apr_table_t *headers)
{
    const apr_array_header_t *array = apr_table_elts(headers);
    const apr_table_entry_t *entries = (const apr_table_entry_t *)array->elts;
    const apr_table_entry_t *sorted[MAX_HEADERS] = { NULL };
    mastra_json_t *json = mastra_json_object();
    char joined[4096];
    int i, n = 0;

    for (i = 0; i < array->nelts && n < MAX_HEADERS; i++) {
        if (entries[i].key && strcmp(entries[i].key, "set-cookie") != 0) {
            sorted[n++] = &entries[i];
        }
    }
    qsort(sorted, n, sizeof(sorted[0]), by_name);
    for (i = 0; i < n; i++) {
        const char *before = mastra_json_get_str(json, sorted[i]->key);

        if (before) {
            apr_snprintf(joined, sizeof(joined), "%s, %s", before,
                         sorted[i]->val);
        }
        mastra_json_set_str(json, sorted[i]->key,
                            before ? joined : sorted[i]->val);
    }
    return json;
}
