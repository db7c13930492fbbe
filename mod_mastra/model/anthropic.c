/* The kind "anthropic": the Messages API. */
#include <string.h>

#include "internal.h"

#define VERSION "anthropic-version: 2023-06-01"

static const char *prepare(mastra_model_provider_t *provider, apr_pool_t *pool)
{
    mastra_headers_version(provider, "/v1", pool);
    mastra_headers_prepare(provider, "/messages", "x-api-key: ", VERSION,
                           pool);
    return NULL;
}

static const mastra_wire_t *wire_of(const mastra_model_provider_t *provider,
                                    const mastra_model_request_t *request)
{
    return mastra_anthropic_by_tool(provider, request)
               ? &mastra_wire_anthropic_json : &mastra_wire_anthropic;
}

const mastra_model_kind_t mastra_model_anthropic = {
    "anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_BASE_URL",
    "ANTHROPIC_API_KEY", mastra_call_start, mastra_call_cancel,
    mastra_call_resume, prepare, wire_of,
};
