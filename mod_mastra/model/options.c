/* Provider options, and usage in the form of the API. */
#include <ctype.h>

#include "internal.h"

void mastra_model_camel(char *out, const char *name)
{
    int upper = 0;
    int n = 0;

    for (; *name && n < MASTRA_OPTION_NAME - 1; name++) {
        if (*name == '-' || *name == '_') {
            upper = 1;
            continue;
        }
        out[n++] = upper ? (char)toupper((unsigned char)*name) : *name;
        upper = 0;
    }
    out[n] = '\0';
}

mastra_json_t *mastra_model_options(const mastra_model_provider_t *provider,
                                    const mastra_model_request_t *request,
                                    const char *name)
{
    const mastra_json_t *all = request->provider_options;
    const mastra_json_t *own = mastra_json_get(all, provider->id);
    mastra_json_t *options;
    char camel[MASTRA_OPTION_NAME];

    mastra_model_camel(camel, provider->id);
    if (!own) {
        own = mastra_json_get(all, camel);
    }
    if (!mastra_json_get(all, name) && !own) {
        return NULL;
    }
    options = mastra_json_object();
    mastra_json_merge(options, mastra_json_get(all, name));
    mastra_json_merge(options, own);
    return options;
}

apr_int64_t mastra_usage_count(const mastra_json_t *usage, const char *key)
{
    apr_int64_t n = mastra_json_get_int(usage, key, 0);

    return n > 0 ? n : 0;
}

/* Without numbers from the provider there are none to tell but a sum of 0. */
mastra_json_t *mastra_usage_none(void)
{
    return mastra_json_pack("{s:i, s:{s:{}, s:{}}}", "totalTokens", 0, "raw",
                            "inputTokens", "outputTokens");
}

mastra_json_t *mastra_usage_make(apr_int64_t in, apr_int64_t cached,
                                 apr_int64_t written, apr_int64_t out,
                                 apr_int64_t reasoned, mastra_json_t *raw)
{
    apr_int64_t fresh = in - cached - (written > 0 ? written : 0);
    mastra_json_t *of_in, *of_out, *usage;

    of_in = mastra_json_pack("{s:I, s:I, s:I}", "total", in, "noCache", fresh,
                             "cacheRead", cached);
    of_out = mastra_json_pack("{s:I}", "total", out);
    usage = mastra_json_pack("{s:I, s:I, s:I}", "inputTokens", in,
                             "outputTokens", out, "totalTokens", in + out);
    if (reasoned >= 0) {
        mastra_json_set_int(usage, "reasoningTokens", reasoned);
        mastra_json_set_int(of_out, "text", out > reasoned ? out - reasoned
                                                           : 0);
        mastra_json_set_int(of_out, "reasoning", reasoned);
    }
    mastra_json_set_int(usage, "cachedInputTokens", cached);
    if (written >= 0) {
        mastra_json_set_int(usage, "cacheCreationInputTokens", written);
        mastra_json_set_int(of_in, "cacheWrite", written);
    }
    mastra_json_set(usage, "raw",
                    mastra_json_pack("{s:o, s:o, s:O}", "inputTokens", of_in,
                                     "outputTokens", of_out, "raw", raw));
    return usage;
}
