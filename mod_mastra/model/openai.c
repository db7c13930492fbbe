/* The kinds of OpenAI: chat completions, which many servers speak, and the
 * Responses API, which OpenAI's reasoning models want. */
#include <string.h>

#include "internal.h"

#define OPENAI_URL "https://api.openai.com/v1"

static const char *prepare_chat(mastra_model_provider_t *provider,
                                apr_pool_t *pool)
{
    mastra_headers_prepare(provider, "/chat/completions",
                           "Authorization: Bearer ", NULL, pool);
    return NULL;
}

static const char *prepare_responses(mastra_model_provider_t *provider,
                                     apr_pool_t *pool)
{
    mastra_headers_prepare(provider, "/responses", "Authorization: Bearer ",
                           NULL, pool);
    return NULL;
}

/* OpenAI's own server gives the reasoning models their tools and summaries by
 * the Responses API only; compatible servers mostly have none. */
static const mastra_wire_t *wire_of_openai(
    const mastra_model_provider_t *provider,
    const mastra_model_request_t *request)
{
    if (strcmp(provider->base_url, OPENAI_URL) == 0
        && mastra_responses_is_wanted(request->model_id)) {
        return &mastra_wire_responses;
    }
    return &mastra_wire_chat;
}

static const mastra_wire_t *wire_of_responses(
    const mastra_model_provider_t *provider,
    const mastra_model_request_t *request)
{
    return &mastra_wire_responses;
}

const mastra_model_kind_t mastra_model_openai = {
    "openai", OPENAI_URL, "OPENAI_BASE_URL", "OPENAI_API_KEY",
    mastra_call_start, mastra_call_cancel, mastra_call_resume, prepare_chat,
    wire_of_openai,
};

const mastra_model_kind_t mastra_model_responses = {
    "openai-responses", OPENAI_URL, "OPENAI_BASE_URL", "OPENAI_API_KEY",
    mastra_call_start, mastra_call_cancel, mastra_call_resume,
    prepare_responses, wire_of_responses,
};
