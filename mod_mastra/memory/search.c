/* Search by text: the words of a query in what messages say. */

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string.h>

#include <apr_strings.h>

#include "memory.h"

#define WORDS_MAX 16
#define TEXT_LIMIT (16 * 1024 * 1024)

struct mastra_words_t {
    pcre2_code *codes[WORDS_MAX];
    pcre2_match_data *data;
    int count;
};

const char *mastra_memory_text(const mastra_json_t *message, apr_pool_t *pool)
{
    const mastra_json_t *content = mastra_json_get(message, "content");
    const mastra_json_t *parts = mastra_json_get(content, "parts");
    const char *text;
    mastra_buf_t buf;
    apr_size_t i;

    mastra_buf_init(&buf, TEXT_LIMIT);
    for (i = 0; i < mastra_json_size(parts); i++) {
        const mastra_json_t *part = mastra_json_at(parts, i);
        const char *type = mastra_json_get_str(part, "type");

        text = mastra_json_get_str(part, "text");
        if (text && type && !strcmp(type, "text")) {
            mastra_buf_puts(&buf, buf.len ? "\n" : "");
            mastra_buf_puts(&buf, text);
        }
    }
    text = buf.len ? apr_pstrmemdup(pool, buf.data, buf.len)
                   : mastra_json_get_str(content, "content");
    mastra_buf_free(&buf);
    return text ? apr_pstrdup(pool, text) : "";
}

static apr_status_t free_words(void *baton)
{
    mastra_words_t *words = baton;
    int i;

    for (i = 0; i < words->count; i++) {
        pcre2_code_free(words->codes[i]);
    }
    pcre2_match_data_free(words->data);
    return APR_SUCCESS;
}

mastra_words_t *mastra_words_make(const char *query, apr_pool_t *pool)
{
    mastra_words_t *words = apr_pcalloc(pool, sizeof(*words));
    char *state = NULL, *word;
    int code;
    PCRE2_SIZE offset;

    words->data = pcre2_match_data_create(1, NULL);
    apr_pool_cleanup_register(pool, words, free_words, apr_pool_cleanup_null);
    for (word = apr_strtok(apr_pstrdup(pool, query), " \t\r\n", &state);
         word && words->count < WORDS_MAX;
         word = apr_strtok(NULL, " \t\r\n", &state)) {
        words->codes[words->count] = pcre2_compile(
            (PCRE2_SPTR)word, PCRE2_ZERO_TERMINATED,
            PCRE2_LITERAL | PCRE2_CASELESS | PCRE2_UTF, &code, &offset, NULL);
        if (words->codes[words->count]) {
            words->count++;
        }
    }
    return words;
}

int mastra_words_match(const mastra_words_t *words, const char *text)
{
    apr_size_t len = strlen(text);
    int i;

    for (i = 0; i < words->count; i++) {
        if (pcre2_match(words->codes[i], (PCRE2_SPTR)text, len, 0, 0,
                        words->data, NULL) < 0) {
            return 0;
        }
    }
    return words->count > 0;
}
