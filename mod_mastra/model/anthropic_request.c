/* The body of a Messages request: what a model is known to take, settings,
 * tools. The messages themselves are in anthropic_part.c. */
#include <string.h>

#include "anthropic_part.h"

/* What is known of models, by a part of their name; the first that fits. */
typedef struct {
    const char *part;
    int max_tokens;          /* the ceiling, and what is asked for unasked */
    int capped;              /* 0: the ceiling is a guess */
    int structured;          /* answers by a schema */
    int sampling;            /* temperature and its like are not refused */
} facts_t;

static const facts_t models[] = {
    { "claude-sonnet-4-6", 128000, 1, 1, 1 },
    { "claude-opus-4-6", 128000, 1, 1, 1 },
    { "claude-opus-4-7", 128000, 1, 1, 0 },
    { "claude-opus-4-8", 128000, 1, 1, 0 },
    { "claude-sonnet-4-5", 64000, 1, 1, 1 },
    { "claude-opus-4-5", 64000, 1, 1, 1 },
    { "claude-haiku-4-5", 64000, 1, 1, 1 },
    { "claude-opus-4-1", 32000, 1, 1, 1 },
    { "claude-sonnet-4-", 64000, 1, 0, 1 },
    { "claude-opus-4-", 32000, 1, 0, 1 },
    { "claude-3", 4096, 0, 0, 1 },
    { "claude-2", 4096, 0, 0, 1 },
    { "claude-v2", 4096, 0, 0, 1 },
    { "claude-instant", 4096, 0, 0, 1 },
    { "claude-", 128000, 0, 1, 0 },
    { "", 4096, 0, 0, 1 },
};

static const facts_t *facts_of(const char *model_id)
{
    const facts_t *facts = models;

    while (!strstr(model_id, facts->part)) {
        facts++;
    }
    return facts;
}

static int by_tool(const mastra_model_request_t *request,
                   const mastra_json_t *options)
{
    const char *mode = mastra_json_get_str(options, "structuredOutputMode");

    if (!request->response_schema
        || (mode && strcmp(mode, "outputFormat") == 0)) {
        return 0;
    }
    return (mode && strcmp(mode, "jsonTool") == 0)
           || !facts_of(request->model_id)->structured;
}

int mastra_anthropic_by_tool(const mastra_model_provider_t *provider,
                             const mastra_model_request_t *request)
{
    mastra_json_t *options;
    int is;

    if (!request->response_schema) {
        return 0;
    }
    options = mastra_model_options(provider, request, "anthropic");
    is = by_tool(request, options);
    mastra_json_unref(options);
    return is;
}

const char *mastra_anthropic_line(const mastra_model_provider_t *provider,
                                  const mastra_model_request_t *request)
{
    mastra_json_t *options = mastra_model_options(provider, request,
                                                  "anthropic");
    int effort = mastra_json_get(options, "effort") != NULL;
    int schema = request->response_schema && !by_tool(request, options);

    mastra_json_unref(options);
    if (schema) {
        return effort ? "anthropic-beta: structured-outputs-2025-11-13,"
                        "effort-2025-11-24"
                      : "anthropic-beta: structured-outputs-2025-11-13";
    }
    return effort ? "anthropic-beta: effort-2025-11-24" : NULL;
}

/* ---- settings ---- */

typedef struct {
    const char *mode;        /* of thinking: "enabled", "adaptive", …; NULL */
    apr_int64_t budget;      /* 0: not given */
} thinking_t;

static thinking_t thinking_of(const mastra_json_t *options)
{
    const mastra_json_t *thinking = mastra_json_get(options, "thinking");
    thinking_t made = { mastra_json_get_str(thinking, "type"), 0 };

    if (made.mode && strcmp(made.mode, "enabled") == 0) {
        made.budget = mastra_json_get_int(thinking, "budgetTokens", 1024);
    }
    if (made.mode && strcmp(made.mode, "disabled") == 0) {
        made.mode = NULL;
    }
    return made;
}

/* The tokens of thinking count too, so they come on top of those asked for. */
static void write_max_tokens(mastra_writer_t *out,
                             const mastra_model_request_t *request,
                             apr_int64_t budget)
{
    const facts_t *facts = facts_of(request->model_id);
    apr_int64_t max = mastra_json_get_int(request->settings, "maxOutputTokens",
                                          0);

    max = (max > 0 ? max : facts->max_tokens) + budget;
    if (facts->capped && max > facts->max_tokens) {
        max = facts->max_tokens;
    }
    mastra_write_name(out, "max_tokens");
    mastra_write_check(out, mastra_buf_printf(out->buf, "%" APR_INT64_T_FMT,
                                              max));
}

/* From 0 to 1; not both of temperature and top_p, which newer models refuse. */
static void write_sampling(mastra_writer_t *out,
                           const mastra_json_t *settings)
{
    const mastra_json_t *heat = mastra_json_get(settings, "temperature");

    if (mastra_json_is_number(heat) && mastra_json_num(heat) > 1) {
        mastra_write_name(out, "temperature");
        mastra_write_puts(out, "1");
    }
    else {
        mastra_write_member(out, "temperature", heat);
    }
    mastra_write_member(out, "top_k", mastra_json_get(settings, "topK"));
    if (!mastra_json_is_number(heat)) {
        mastra_write_member(out, "top_p", mastra_json_get(settings, "topP"));
    }
}

static void write_thinking(mastra_writer_t *out, const thinking_t *thinking,
                           const mastra_json_t *options)
{
    mastra_write_name(out, "thinking");
    mastra_write_puts(out, "{");
    mastra_write_member_text(out, "type", thinking->mode);
    if (thinking->budget > 0) {
        mastra_write_name(out, "budget_tokens");
        mastra_write_check(out, mastra_buf_printf(
                               out->buf, "%" APR_INT64_T_FMT,
                               thinking->budget));
    }
    mastra_write_member(out, "display",
                        mastra_json_path(options, "thinking", "display",
                                         NULL));
    mastra_write_puts(out, "}");
}

static void write_output_config(mastra_writer_t *out,
                                const mastra_model_request_t *request,
                                const mastra_json_t *options)
{
    const mastra_json_t *effort = mastra_json_get(options, "effort");
    int schema = request->response_schema && !by_tool(request, options);
    mastra_json_t *form;

    if (!effort && !schema) {
        return;
    }
    mastra_write_name(out, "output_config");
    mastra_write_puts(out, "{");
    mastra_write_member(out, "effort", effort);
    if (schema) {
        form = mastra_schema_anthropic(request->response_schema);
        mastra_write_name(out, "format");
        mastra_write_puts(out, "{\"type\":\"json_schema\",\"schema\":");
        mastra_write_json(out, form);
        mastra_write_puts(out, "}");
        mastra_json_unref(form);
    }
    mastra_write_puts(out, "}");
}

static void write_settings(mastra_writer_t *out,
                           const mastra_model_request_t *request,
                           const mastra_json_t *options)
{
    const mastra_json_t *settings = request->settings;
    thinking_t thinking = thinking_of(options);
    const mastra_json_t *user = mastra_json_path(options, "metadata", "userId",
                                                 NULL);

    write_max_tokens(out, request, thinking.budget);
    if (!thinking.mode && facts_of(request->model_id)->sampling) {
        write_sampling(out, settings);
    }
    mastra_write_member(out, "stop_sequences",
                        mastra_json_get(settings, "stopSequences"));
    if (thinking.mode) {
        write_thinking(out, &thinking, options);
    }
    write_output_config(out, request, options);
    if (user) {
        mastra_write_name(out, "metadata");
        mastra_write_puts(out, "{\"user_id\":");
        mastra_write_str(out, user);
        mastra_write_puts(out, "}");
    }
    mastra_write_member(out, "cache_control",
                        mastra_json_get(options, "cacheControl"));
}

/* ---- tools ---- */

static void write_tool(mastra_writer_t *out, const mastra_json_t *tool)
{
    mastra_write_item(out);
    mastra_write_puts(out, "{");
    mastra_write_member(out, "name", mastra_json_get(tool, "name"));
    mastra_write_member(out, "description",
                        mastra_json_get(tool, "description"));
    mastra_write_input(out, "input_schema", tool);
    mastra_anthropic_cache(out, tool);
    mastra_write_puts(out, "}");
}

static void write_choice(mastra_writer_t *out,
                         const mastra_model_request_t *request,
                         const mastra_json_t *options, int json_tool)
{
    const mastra_json_t *choice = request->tool_choice;
    const char *type = mastra_json_str(choice);
    int alone = json_tool
        || mastra_json_get_bool(options, "disableParallelToolUse", 0);

    if (!type) {
        type = mastra_json_get_str(choice, "type");
    }
    type = type ? type : "auto";
    /* A model that thinks may not be forced to call a tool. */
    if (json_tool) {
        type = thinking_of(options).mode ? "auto" : "required";
    }
    type = strcmp(type, "required") == 0 ? "any" : type;
    mastra_write_name(out, "tool_choice");
    mastra_write_puts(out, "{");
    mastra_write_member_text(out, "type", type);
    if (strcmp(type, "tool") == 0) {
        mastra_write_member(out, "name", mastra_json_get(choice, "toolName"));
    }
    if (alone && strcmp(type, "none") != 0) {
        mastra_write_puts(out, ",\"disable_parallel_tool_use\":true");
    }
    mastra_write_puts(out, "}");
}

static void write_tools(mastra_writer_t *out,
                        const mastra_model_request_t *request,
                        const mastra_json_t *options)
{
    int json_tool = by_tool(request, options);
    apr_size_t i, n = mastra_json_is_array(request->tools)
        ? mastra_json_size(request->tools) : 0;

    if (n == 0 && !json_tool) {
        return;
    }
    mastra_write_name(out, "tools");
    mastra_write_puts(out, "[");
    for (i = 0; i < n; i++) {
        write_tool(out, mastra_json_at(request->tools, i));
    }
    if (json_tool) {
        mastra_write_item(out);
        mastra_write_puts(out, "{\"name\":\"" MASTRA_ANTHROPIC_JSON_TOOL "\","
                          "\"description\":\"Respond with a JSON object.\","
                          "\"input_schema\":");
        mastra_write_json(out, request->response_schema);
        mastra_write_puts(out, "}");
    }
    mastra_write_puts(out, "]");
    write_choice(out, request, options, json_tool);
}

mastra_model_fail_e mastra_anthropic_body(
    const char **pwhy, mastra_buf_t *buf,
    const mastra_model_provider_t *provider,
    const mastra_model_request_t *request)
{
    mastra_json_t *options = mastra_model_options(provider, request,
                                                  "anthropic");
    mastra_writer_t out;

    mastra_writer_init(&out, buf);
    mastra_write_puts(&out, "{");
    mastra_write_member_text(&out, "model", request->model_id);
    write_settings(&out, request, options);
    mastra_anthropic_messages(&out, request->prompt,
                              mastra_json_get_bool(options, "sendReasoning",
                                                   1));
    write_tools(&out, request, options);
    if (request->stream) {
        mastra_write_puts(&out, ",\"stream\":true");
    }
    mastra_write_puts(&out, "}");
    mastra_json_unref(options);
    return mastra_writer_done(&out, pwhy);
}
