/* Regular expressions as ECMAScript has them, as far as libpcre2 goes. */

#define PCRE2_CODE_UNIT_WIDTH 8

#include <string.h>

#include <apr_strings.h>
#include <pcre2.h>

#include "internal.h"

/* what one match may cost: some milliseconds */
#define MATCH_LIMIT 200000
#define HEAP_LIMIT_KB 4096

static apr_status_t free_code_cb(void *baton)
{
    pcre2_code_free(baton);
    return APR_SUCCESS;
}

/* \p{Letter} and the like: the long names that pcre2 does not know. */
static const struct { const char *ecma, *pcre; } properties[] = {
    { "Letter", "L" }, { "Lowercase_Letter", "Ll" },
    { "Uppercase_Letter", "Lu" }, { "Titlecase_Letter", "Lt" },
    { "Modifier_Letter", "Lm" }, { "Other_Letter", "Lo" }, { "Mark", "M" },
    { "Number", "N" }, { "Decimal_Number", "Nd" }, { "digit", "Nd" },
    { "Letter_Number", "Nl" }, { "Punctuation", "P" }, { "punct", "P" },
    { "Symbol", "S" }, { "Math_Symbol", "Sm" }, { "Currency_Symbol", "Sc" },
    { "Separator", "Z" }, { "Space_Separator", "Zs" }, { "Other", "C" },
    { "Control", "Cc" }
};

/* s is behind "\p{": what stands for the name there, and its length */
static const char *property_name(const char *s, apr_size_t *plen)
{
    apr_size_t i, skip = 0;

    if (!strncmp(s, "General_Category=", 17)) {
        skip = 17;
    }
    else if (!strncmp(s, "gc=", 3)) {
        skip = 3;
    }
    else if (!strncmp(s, "Script=", 7)) {
        skip = 7;
    }
    *plen = strcspn(s, "}");
    for (i = 0; i < sizeof(properties) / sizeof(*properties); i++) {
        if (strlen(properties[i].ecma) == *plen - skip
            && !strncmp(s + skip, properties[i].ecma, *plen - skip)) {
            return properties[i].pcre;
        }
    }
    *plen = skip;
    return "";
}

/* Rewrites what the two languages spell differently: \d and \w know ASCII
 * only in both, but ECMAScript's \s knows all white space. */
static const char *translate(const char *text, apr_pool_t *pool)
{
    static const char space[] = "\\t-\\r \\u00a0\\u1680\\u2000-\\u200a"
                                "\\u2028\\u2029\\u202f\\u205f"
                                "\\u3000\\ufeff";
    apr_array_header_t *out = apr_array_make(pool, 16, sizeof(const char *));
    const char *from = text, *s = text, *name;
    int in_class = 0;
    apr_size_t len;

    for (; *s; s++) {
        if (*s == '[') {
            in_class = 1;
        }
        else if (*s == ']') {
            in_class = 0;
        }
        if (*s != '\\' || !s[1]) {
            continue;
        }
        s++;
        if ((*s == 'p' || *s == 'P') && s[1] == '{') {
            name = property_name(s + 2, &len);
            APR_ARRAY_PUSH(out, const char *)
                = apr_pstrmemdup(pool, from, s + 2 - from);
            APR_ARRAY_PUSH(out, const char *) = name;
            from = s + 2 + len;
            s = from - 1;
        }
        else if (*s == 's' || (*s == 'S' && !in_class)) {
            APR_ARRAY_PUSH(out, const char *)
                = apr_pstrmemdup(pool, from, s - 1 - from);
            APR_ARRAY_PUSH(out, const char *)
                = in_class ? space : apr_pstrcat(pool, *s == 's' ? "[" : "[^",
                                                 space, "]", NULL);
            from = s + 1;
        }
    }
    APR_ARRAY_PUSH(out, const char *) = from;
    return apr_array_pstrcat(pool, out, 0);
}

pattern_t *mastra_schema_pattern(const char *text, const char **why,
                                 apr_pool_t *pool)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pattern_t *pattern = apr_pcalloc(pool, sizeof(*pattern));
    unsigned char message[160];
    PCRE2_SIZE offset;
    pcre2_code *code;
    int error;

    pattern->text = text;
    text = translate(text, pool);
    pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALT_BSUX);
    pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
    code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                         PCRE2_UTF | PCRE2_DOLLAR_ENDONLY
                         | PCRE2_ALLOW_EMPTY_CLASS
                         | PCRE2_MATCH_UNSET_BACKREF
                         | PCRE2_NEVER_BACKSLASH_C,
                         &error, &offset, context);
    pcre2_compile_context_free(context);
    if (!code) {
        pcre2_get_error_message(error, message, sizeof(message));
        *why = apr_pstrdup(pool, (const char *)message);
        return NULL;
    }
    /* where a policy forbids it the interpreter does the same */
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    apr_pool_cleanup_register(pool, code, free_code_cb,
                              apr_pool_cleanup_null);
    pattern->code = code;
    return pattern;
}

int mastra_schema_match(const pattern_t *pattern, const char *text,
                        apr_size_t len)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int rv = PCRE2_ERROR_NOMEMORY;

    if (context && data) {
        pcre2_set_match_limit(context, MATCH_LIMIT);
        pcre2_set_heap_limit(context, HEAP_LIMIT_KB);
        rv = pcre2_match(pattern->code, (PCRE2_SPTR)text, len, 0,
                         PCRE2_NO_UTF_CHECK, data, context);
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    return rv >= 0 ? 1 : rv == PCRE2_ERROR_NOMATCH ? 0 : -1;
}
