/* The kind "google": the Gemini API. */
#include <ctype.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

static const char *prepare(mastra_model_provider_t *provider, apr_pool_t *pool)
{
    mastra_headers_version(provider, "/v1beta", pool);
    mastra_headers_prepare(provider, "", "x-goog-api-key: ", NULL, pool);
    return NULL;
}

static const mastra_wire_t *wire_of(const mastra_model_provider_t *provider,
                                    const mastra_model_request_t *request)
{
    return &mastra_wire_google;
}

/* One segment of a path: whatever a model is called, it stays one. */
static const char *escape(const char *text, apr_pool_t *pool)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = apr_palloc(pool, 3 * strlen(text) + 1), *at = out;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (isalnum(c) || strchr("-._~", c)) {
            *at++ = (char)c;
        }
        else {
            *at++ = '%';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
    }
    *at = '\0';
    return out;
}

/* "gemini-…" and "models/gemini-…" are the same; tuned models have a folder of
 * their own. */
const char *mastra_google_url(const mastra_model_provider_t *provider,
                              const mastra_model_request_t *request,
                              apr_pool_t *pool)
{
    const char *id = request->model_id;
    const char *folder = "models/";
    const char *url;

    if (strncmp(id, "models/", 7) == 0) {
        id += 7;
    }
    else if (strncmp(id, "tunedModels/", 12) == 0) {
        folder = "tunedModels/";
        id += 12;
    }
    url = mastra_headers_url(provider,
                             apr_pstrcat(pool, "/", folder, escape(id, pool),
                                         request->stream
                                             ? ":streamGenerateContent"
                                             : ":generateContent", NULL),
                             pool);
    if (!request->stream) {
        return url;
    }
    return apr_pstrcat(pool, url, strchr(url, '?') ? "&" : "?", "alt=sse",
                       NULL);
}

const mastra_model_kind_t mastra_model_google = {
    "google", "https://generativelanguage.googleapis.com/v1beta",
    "GOOGLE_BASE_URL", "GOOGLE_GENERATIVE_AI_API_KEY GOOGLE_API_KEY",
    mastra_call_start, mastra_call_cancel, mastra_call_resume, prepare,
    wire_of,
};
