/* Structured output: the schema that the model is given, what becomes of its
 * text, and the second model that may make the object of it. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define TEXT_LIMIT (16 * 1024 * 1024)
#define FAULT_LIMIT (16 * 1024)

static const char say_json[] =
    "Answer with JSON alone, without other text around it. It has to be valid "
    "for this JSON schema:\n";
static const char say_fields[] =
    "Another model will take the fields described below from your answer: let "
    "it say what they ask for, in ordinary text, unless the user wants "
    "another form.\n";
static const char say_convert[] =
    "You turn text into JSON. Your whole answer is one JSON value that fits the "
    "schema given. Take over what the text says, in its words; where it says "
    "nothing, use null or an empty value.";

/* ---- the schema ---- */

static int is_type(const mastra_json_t *schema, const char *name)
{
    const char *type = mastra_json_get_str(schema, "type");

    return type && !strcmp(type, name);
}

static void close_objects(mastra_json_t *schema);

static void close_all(mastra_json_t *list)
{
    apr_size_t i;
    void *at;

    for (i = 0; mastra_json_is_array(list) && i < mastra_json_size(list); i++) {
        close_objects(mastra_json_at(list, i));
    }
    for (at = mastra_json_iter(list); at; at = mastra_json_next(list, at)) {
        close_objects(mastra_json_value(at));
    }
}

/* Providers with strict schemas want every object to say that it has no other
 * members. */
static void close_objects(mastra_json_t *schema)
{
    static const char *const many[] = { "properties", "$defs", "definitions",
                                        "anyOf", "oneOf", "prefixItems", NULL };
    mastra_json_t *items = mastra_json_get(schema, "items");
    int i;

    if (!mastra_json_is_object(schema)) {
        return;
    }
    for (i = 0; many[i]; i++) {
        close_all(mastra_json_get(schema, many[i]));
    }
    if (mastra_json_is_array(items)) {
        close_all(items);
    }
    else {
        close_objects(items);
    }
    if (is_type(schema, "object")
        && mastra_json_is_object(mastra_json_get(schema, "properties"))
        && !mastra_json_get(schema, "additionalProperties")) {
        mastra_json_set_bool(schema, "additionalProperties", 0);
    }
}

/* Models make objects: an array or one of several values becomes the only
 * member of one. schema is taken over. */
static mastra_json_t *wrap(mastra_json_t *schema, const char **pmember)
{
    if (is_type(schema, "array")) {
        *pmember = "elements";
    }
    else if (mastra_json_is_array(mastra_json_get(schema, "enum"))) {
        *pmember = "result";
    }
    else {
        *pmember = NULL;
        return schema;
    }
    return mastra_json_pack("{s:s, s:{s:o}, s:[s], s:b}", "type", "object",
                            "properties", *pmember, schema, "required",
                            *pmember, "additionalProperties", 0);
}

static mastra_json_t *wanted(mastra_agent_run_t *run)
{
    return mastra_run_option(run, "structuredOutput");
}

/* "provider/model", {id: "provider/model"} or {provider, name} */
static const char *spec_of(const mastra_json_t *model, apr_pool_t *pool)
{
    const char *provider = mastra_part_str(model, "provider", "providerId",
                                           NULL);
    const char *name = mastra_part_str(model, "name", "modelId", NULL);

    if (mastra_json_is_string(model)) {
        return mastra_json_str(model);
    }
    if (provider && name) {
        return apr_pstrcat(pool, provider, "/", name, NULL);
    }
    return mastra_json_get_str(model, "id");
}

/* A request may choose among the providers that are configured, but name no
 * server of its own. */
static mastra_result_t *set_model(mastra_agent_run_t *run)
{
    const mastra_json_t *model = mastra_json_get(wanted(run), "model");
    const char *spec = spec_of(model, run->pool);

    if (!model || mastra_json_is_null(model)) {
        return NULL;
    }
    if (mastra_json_get(model, "url") || mastra_json_get(model, "apiKey")) {
        return mastra_run_issue(run->pool, "structuredOutput.model", "Invalid "
                                "input: a request may not name a server or a "
                                "key");
    }
    run->structurer = spec && run->env->models
                          ? mastra_models_find(run->env->models, spec,
                                               &run->structurer_id) : NULL;
    if (!run->structurer) {
        return mastra_run_issue(run->pool, "structuredOutput.model", "Invalid "
                                "input: expected \"provider/model\" of a "
                                "configured provider");
    }
    return NULL;
}

mastra_result_t *mastra_run_set_output(mastra_agent_run_t *run)
{
    mastra_json_t *schema = mastra_json_get(wanted(run), "schema");
    mastra_result_t *error = NULL;

    if (!mastra_json_is_object(schema)) {
        return NULL;
    }
    if (mastra_schema_compile(&run->output, schema, &error, run->pool)) {
        return mastra_run_issue(run->pool, "structuredOutput.schema",
                                apr_pstrcat(run->pool, "Not a usable JSON "
                                            "Schema: ",
                                            error ? error->message : "unknown",
                                            NULL));
    }
    schema = mastra_json_copy(schema);
    close_objects(schema);
    mastra_json_unref(run->output_schema);
    run->output_schema = wrap(schema, &run->output_member);
    return set_model(run);
}

void mastra_run_free_output(mastra_agent_run_t *run)
{
    mastra_json_unref(run->output_schema);
    mastra_json_unref(run->object);
    if (run->structured.limit) {
        mastra_buf_free(&run->structured);
    }
}

/* ---- what the model is told ---- */

static int in_prompt(mastra_agent_run_t *run)
{
    return mastra_json_get_bool(wanted(run), "jsonPromptInjection", 0);
}

mastra_json_t *mastra_run_response_schema(mastra_agent_run_t *run)
{
    return run->structurer || in_prompt(run) ? NULL : run->output_schema;
}

/* Adds a text to the first system message, or makes one of it. */
static void add_to_system(mastra_json_t *prompt, const char *text)
{
    mastra_json_t *first = mastra_json_at(prompt, 0), *made;
    const char *role = mastra_json_get_str(first, "role");
    const char *before = role && !strcmp(role, "system")
                             ? mastra_json_get_str(first, "content") : NULL;
    mastra_buf_t buf;

    mastra_buf_init(&buf, TEXT_LIMIT);
    if (before) {
        mastra_buf_puts(&buf, before);
        mastra_buf_puts(&buf, "\n\n");
    }
    mastra_buf_puts(&buf, text);
    made = before ? mastra_json_copy_flat(first)
                  : mastra_json_pack("{s:s}", "role", "system");
    mastra_json_set(made, "content", mastra_json_stringn(buf.data, buf.len));
    mastra_buf_free(&buf);
    if (before) {
        mastra_json_remove(prompt, 0);
    }
    mastra_json_insert(prompt, 0, made);
}

static const char *with_schema(mastra_agent_run_t *run, const char *text)
{
    return apr_pstrcat(run->pool, text,
                       mastra_json_text(run->output_schema, run->pool), NULL);
}

void mastra_run_describe_output(mastra_agent_run_t *run, mastra_json_t *prompt)
{
    const char *own = mastra_json_get_str(wanted(run), "instructions");
    const char *text;

    if (!run->output || (!run->structurer && !in_prompt(run))) {
        return;
    }
    text = with_schema(run, run->structurer ? say_fields : say_json);
    if (own && !run->structurer) {
        text = apr_pstrcat(run->pool, own, "\n\n", text, NULL);
    }
    add_to_system(prompt, text);
}

/* ---- the object ---- */

/* Out of the object that it was wrapped in. json is taken over. */
static mastra_json_t *unwrap(const mastra_agent_run_t *run, mastra_json_t *json)
{
    mastra_json_t *inner;

    if (!run->output_member) {
        return json;
    }
    inner = mastra_json_ref(mastra_json_get(json, run->output_member));
    mastra_json_unref(json);
    return inner;
}

mastra_json_t *mastra_run_partial_object(mastra_agent_run_t *run,
                                         mastra_json_t *json)
{
    json = unwrap(run, json);
    if (run->output_member && !strcmp(run->output_member, "result")) {
        if (mastra_schema_validate(run->output, json, NULL, run->pool)) {
            return json;
        }
    }
    else if ((mastra_json_is_object(json) || mastra_json_is_array(json))
             && mastra_json_size(json)) {
        return json;
    }
    mastra_json_unref(json);
    return NULL;
}

static const char *faults_text(const mastra_schema_errors_t *errors,
                               apr_pool_t *pool)
{
    mastra_buf_t buf;
    const char *text;
    int i;

    mastra_buf_init(&buf, FAULT_LIMIT);
    for (i = 0; i < errors->count; i++) {
        const mastra_schema_error_t *one = &errors->errors[i];

        mastra_buf_printf(&buf, "%s- %s: %s", i ? "\n" : "",
                          *one->path ? one->path : "root", one->message);
    }
    text = apr_pstrdup(pool, buf.data ? buf.data : "");
    mastra_buf_free(&buf);
    return text;
}

static mastra_result_t *unfit(mastra_agent_run_t *run, const char *why)
{
    return mastra_result_make(run->pool, 422,
                              "STRUCTURED_OUTPUT_SCHEMA_VALIDATION_FAILED",
                              "Structured output validation failed: %s", why);
}

/* What the request wants in place of an object that is none. */
static mastra_result_t *use_fallback(mastra_agent_run_t *run,
                                     mastra_result_t *error)
{
    const char *strategy = mastra_json_get_str(wanted(run), "errorStrategy");

    mastra_json_unref(run->object);
    run->object = NULL;
    if (!strategy || !strcmp(strategy, "strict")) {
        return error;
    }
    if (!strcmp(strategy, "fallback")) {
        run->used_fallback = 1;
        run->object = mastra_json_ref(mastra_json_get(wanted(run),
                                                      "fallbackValue"));
    }
    return NULL;
}

static void say_result(mastra_agent_run_t *run)
{
    if (run->object) {
        mastra_run_say_object_chunk(run, "object-result");
    }
}

static mastra_result_t *take_object(mastra_agent_run_t *run, const char *text,
                                    apr_size_t len)
{
    mastra_json_t *object = text ? mastra_said_json(text, len) : NULL;
    mastra_result_t *error = NULL;
    mastra_schema_errors_t faults;

    if (object) {
        object = unwrap(run, object);
        if (!mastra_schema_validate(run->output, object, &faults, run->pool)) {
            error = unfit(run, faults_text(&faults, run->pool));
        }
    }
    else {
        error = unfit(run, "- root: the answer is no JSON");
    }
    if (error) {
        mastra_json_unref(object);
        error = use_fallback(run, error);
    }
    else {
        mastra_json_unref(run->object);
        run->object = object;
    }
    if (!error) {
        say_result(run);
    }
    return error;
}

/* ---- the second model ---- */

static int on_event(void *baton, const mastra_model_event_t *event)
{
    mastra_agent_run_t *run = baton;

    if (event->type == MASTRA_MODEL_TEXT) {
        run->structured_cut |= mastra_buf_add(&run->structured, event->text,
                                              event->len) != APR_SUCCESS;
        mastra_run_say_object(run, run->structured.data, run->structured.len);
    }
    return !run->blocked;
}

static void on_done(void *baton, const mastra_result_t *error)
{
    mastra_agent_run_t *run = baton;
    mastra_result_t *why;

    run->call = NULL;
    if (error) {
        why = use_fallback(run, mastra_result_copy(run->pool, error));
        if (!why) {
            say_result(run);
        }
    }
    else {
        why = take_object(run, run->structured_cut ? NULL
                                                   : run->structured.data,
                          run->structured.len);
    }
    mastra_run_structured(run, why);
}

static const mastra_model_cbs_t callbacks = { on_event, on_done };

static mastra_json_t *structurer_prompt(mastra_agent_run_t *run,
                                        const char *text)
{
    const char *own = mastra_json_get_str(wanted(run), "instructions");
    mastra_json_t *prompt = mastra_json_pack(
        "[{s:s, s:s}, {s:s, s:[{s:s, s:o}]}]", "role", "system", "content",
        own ? own : say_convert, "role", "user", "content",
        "type", "text", "text",
        mastra_json_string(apr_pstrcat(run->pool, "The text to convert:\n\n",
                                       text, NULL)));

    if (in_prompt(run)) {
        add_to_system(prompt, with_schema(run, say_json));
    }
    else if (!own) {
        add_to_system(prompt, with_schema(run, "JSON schema:\n"));
    }
    return prompt;
}

static apr_status_t start_structurer(mastra_agent_run_t *run, const char *text)
{
    mastra_model_request_t request = { .model_id = run->structurer_id,
                                       .stream = run->stream };
    apr_status_t rv;

    if (!in_prompt(run)) {
        request.response_schema = run->output_schema;
    }
    request.prompt = structurer_prompt(run, text);
    mastra_buf_init(&run->structured, TEXT_LIMIT);
    run->object_seen = 0;
    rv = mastra_model_start(&run->call, run->env->loop, run->structurer,
                            &request, &callbacks, run);
    mastra_json_unref(request.prompt);
    return rv;
}

void mastra_run_structure(mastra_agent_run_t *run)
{
    const mastra_json_t *text = mastra_message_last_text(run->parts,
                                                         run->step.first_part);
    apr_status_t rv;

    if (!run->structurer) {
        mastra_run_structured(run, take_object(run, mastra_json_str(text),
                                               mastra_json_len(text)));
        return;
    }
    rv = start_structurer(run, text ? mastra_json_str(text) : "");
    if (rv) {
        mastra_run_structured(run, mastra_result_from_apr(run->pool, rv,
                                                          "call the model"));
    }
}
