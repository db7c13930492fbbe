/* How much of a thread's history fits into a prompt, counted in tokens. */

#include <string.h>

#include <apr_strings.h>

#include "memory.h"

/* An estimate: models count differently, and none of them tells. */
#define BYTES_PER_TOKEN 4
#define TOKENS_PER_MESSAGE 4

static apr_int64_t tokens_of(apr_size_t bytes)
{
    return (apr_int64_t)(bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
}

static apr_size_t part_bytes(const mastra_json_t *part, apr_pool_t *pool)
{
    const mastra_json_t *text = mastra_json_get(part, "text");
    const char *json;

    if (mastra_json_is_string(text)) {
        return mastra_json_len(text);
    }
    json = mastra_json_text(part, pool);
    return json ? strlen(json) : 0;
}

apr_int64_t mastra_budget_tokens(const mastra_json_t *message,
                                 apr_pool_t *pool)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    const mastra_json_t *parts = mastra_json_get(content, "parts");
    apr_size_t bytes = mastra_json_len(content), i;

    for (i = 0; i < mastra_json_size(parts); i++) {
        bytes += part_bytes(mastra_json_at(parts, i), pool);
    }
    return tokens_of(bytes) + TOKENS_PER_MESSAGE;
}

/* ---- the boundary: what is behind it was left out once, and stays out ---- */

static int is_behind(const mastra_json_t *boundary,
                     const mastra_json_t *message)
{
    const mastra_json_t *ids = mastra_json_get(boundary, "messageIds");
    const char *created = mastra_json_get_str(message, "createdAt");
    const char *limit = mastra_json_get_str(boundary, "createdAt");
    const char *id = mastra_json_get_str(message, "id"), *one;
    apr_size_t i;

    if (!created || !limit || strcmp(created, limit) < 0) {
        return limit != NULL;
    }
    for (i = 0; id && i < mastra_json_size(ids); i++) {
        one = mastra_json_str(mastra_json_at(ids, i));
        if (one && !strcmp(one, id)) {
            return 1;
        }
    }
    return 0;
}

/* Messages of one time are told apart by their ids. */
static mastra_json_t *make_boundary(const mastra_budget_t *budget,
                                    const mastra_json_t *messages,
                                    apr_size_t dropped)
{
    const char *created = mastra_json_get_str(
        mastra_json_at(messages, dropped - 1), "createdAt");
    mastra_json_t *ids = mastra_json_array();
    const char *one;
    apr_size_t i;

    for (i = dropped; i-- > 0;) {
        one = mastra_json_get_str(mastra_json_at(messages, i), "createdAt");
        if (!one || !created || strcmp(one, created)) {
            break;
        }
        mastra_json_insert(ids, 0, mastra_json_ref(
            mastra_json_get(mastra_json_at(messages, i), "id")));
    }
    return mastra_json_pack("{s:s*, s:o, s:I, s:I}", "createdAt", created,
                            "messageIds", ids, "maxTokens", budget->max,
                            "atMaxRemoveTokens", budget->remove);
}

/* ---- fitting ---- */

/* How many of the oldest messages have to go. */
static apr_size_t excess(const mastra_budget_t *budget,
                         const mastra_json_t *messages, apr_int64_t fixed,
                         apr_pool_t *pool)
{
    apr_size_t n = mastra_json_size(messages), i;
    apr_int64_t total = fixed;

    for (i = 0; i < n; i++) {
        total += mastra_budget_tokens(mastra_json_at(messages, i), pool);
    }
    if (total <= budget->max) {
        return 0;
    }
    for (i = 0; i < n && total > budget->max - budget->remove; i++) {
        total -= mastra_budget_tokens(mastra_json_at(messages, i), pool);
    }
    return i;
}

static mastra_json_t *from(const mastra_json_t *messages, apr_size_t first)
{
    mastra_json_t *made = mastra_json_array();

    for (; first < mastra_json_size(messages); first++) {
        mastra_json_append(made, mastra_json_ref(mastra_json_at(messages,
                                                                first)));
    }
    return made;
}

mastra_json_t *mastra_budget_fit(mastra_json_t **pboundary,
                                 const mastra_budget_t *budget,
                                 const mastra_json_t *boundary,
                                 const mastra_json_t *messages,
                                 apr_int64_t fixed, apr_pool_t *pool)
{
    apr_size_t first = 0, dropped;
    mastra_json_t *rest;

    *pboundary = NULL;
    /* another budget begins anew */
    if (mastra_json_get_int(boundary, "maxTokens", 0) == budget->max
        && mastra_json_get_int(boundary, "atMaxRemoveTokens", 0)
           == budget->remove) {
        while (first < mastra_json_size(messages)
               && is_behind(boundary, mastra_json_at(messages, first))) {
            first++;
        }
    }
    rest = mastra_json_own(from(messages, first), pool);
    dropped = excess(budget, rest, fixed, pool);
    if (dropped) {
        *pboundary = make_boundary(budget, rest, dropped);
    }
    return from(rest, dropped);
}
