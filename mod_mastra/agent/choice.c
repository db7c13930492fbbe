/* Which model a run asks: the request's, the agent's, or the next of its list
 * when one has failed. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../base/log.h"

static const mastra_agent_model_t *find_enabled(const mastra_agent_view_t *view,
                                                const char *spec)
{
    int i;

    for (i = 0; i < view->n; i++) {
        if (view->models[i].enabled && !strcmp(view->models[i].spec, spec)) {
            return &view->models[i];
        }
    }
    return NULL;
}

/* A model that the request or the stored run names and the agent does not. */
static const mastra_agent_model_t *foreign(mastra_agent_run_t *run,
                                           const char *spec)
{
    mastra_agent_model_t *model = apr_pcalloc(run->pool, sizeof(*model));

    model->spec = apr_pstrdup(run->pool, spec);
    model->provider = mastra_models_find(run->env->models, model->spec,
                                         &model->model_id);
    model->max_retries = -1;
    model->enabled = 1;
    if (!model->provider) {
        return NULL;
    }
    mastra_agent_model_describe(model, run->pool);
    return model;
}

/* A name with placeholders is filled in from the request context; NULL: what
 * comes of it is no model of a provider that is configured. */
static const mastra_agent_model_t *
filled(mastra_agent_run_t *run, const mastra_agent_model_t *model)
{
    mastra_agent_model_t *made;

    if (!model || !strstr(model->spec, "{{")) {
        return model;
    }
    made = apr_pmemdup(run->pool, model, sizeof(*model));
    made->spec = mastra_template_fill(model->spec, run->context, run->pool);
    made->provider = mastra_models_find(run->env->models, made->spec,
                                        &made->model_id);
    if (!made->provider || strstr(made->spec, "{{")) {
        return NULL;
    }
    mastra_agent_model_describe(made, run->pool);
    return made;
}

static mastra_result_t *no_model(mastra_agent_run_t *run)
{
    return mastra_result_make(run->pool, 400, "MODEL_UNKNOWN", "The request "
                              "context names no model that is there");
}

mastra_result_t *mastra_run_choose_model(mastra_agent_run_t *run,
                                         const char *spec)
{
    if (!run->view) {
        run->view = mastra_agent_view(run->env, run->agent);
    }
    run->model = run->view->first;
    if (spec && *spec) {
        run->model = find_enabled(run->view, spec);
        if (!run->model) {
            run->model = foreign(run, spec);
        }
        return run->model ? NULL
                          : mastra_result_make(run->pool, 400, "MODEL_UNKNOWN",
                                               "There is no model provider of "
                                               "\"%s\"", spec);
    }
    if (!run->model) {
        return mastra_result_make(run->pool, 400, "MODEL_NONE",
                                  "No enabled models found in model list");
    }
    run->model = filled(run, run->model);
    return run->model ? NULL : no_model(run);
}

static const mastra_agent_model_t *find_next(const mastra_agent_run_t *run)
{
    const mastra_agent_view_t *view = run->view;
    int i = 0;

    while (i < view->n && run->model != &view->models[i]
           && (!run->model->id || run->model->id != view->models[i].id)) {
        i++;
    }
    /* one that the request named is not of the list */
    for (i++; i < view->n; i++) {
        if (view->models[i].enabled) {
            return &view->models[i];
        }
    }
    return NULL;
}

int mastra_run_next_model(mastra_agent_run_t *run,
                          const mastra_result_t *error)
{
    const mastra_agent_model_t *next = filled(run, find_next(run));

    if (!next) {
        return 0;
    }
    mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3006) "run %s of agent %s: "
               "model %s failed, %s is asked: %s (%s)%s%s", run->id,
               run->agent->id, run->model->spec, next->spec, error->message,
               error->code, error->cause ? ": " : "",
               error->cause ? error->cause : "");
    mastra_json_unref(run->step.response);
    mastra_json_unref(run->step.request);
    run->step.response = run->step.request = NULL;
    run->model = next;
    return 1;
}

/* base with the members of more, whose own members count more; new reference,
 * NULL when there is neither. */
static mastra_json_t *merged(mastra_json_t *base, const mastra_json_t *more)
{
    mastra_json_t *made;
    void *i;

    if (!more) {
        return mastra_json_ref(base);
    }
    made = mastra_json_is_object(base) ? mastra_json_copy_flat(base)
                                       : mastra_json_object();
    for (i = mastra_json_iter(more); i; i = mastra_json_next(more, i)) {
        mastra_json_t *value = mastra_json_value(i);
        mastra_json_t *before = mastra_json_get(made, mastra_json_key(i));

        mastra_json_set(made, mastra_json_key(i),
                        mastra_json_is_object(value)
                            && mastra_json_is_object(before)
                            ? merged(before, value) : mastra_json_ref(value));
    }
    return made;
}

static mastra_json_t *settings_of(mastra_agent_run_t *run)
{
    mastra_json_t *settings = merged(mastra_run_option(run, "modelSettings"),
                                     run->model->settings);
    mastra_json_t *headers, *all;

    if (!run->model->headers) {
        return settings;
    }
    headers = mastra_json_pack("{s:O}", "headers", run->model->headers);
    all = merged(settings, headers);
    mastra_json_unref(headers);
    mastra_json_unref(settings);
    return all;
}

/* Where another model stands ready, one that fails is not asked again unless
 * that is said. */
static void set_retries(mastra_model_request_t *request,
                        const mastra_agent_run_t *run)
{
    const mastra_json_t *wanted = mastra_json_get(request->settings,
                                                  "maxRetries");

    if (run->model->max_retries >= 0) {
        request->retries_set = 1;
        request->retries = run->model->max_retries;
    }
    else if (run->view->is_list && !mastra_json_is_number(wanted)) {
        request->retries_set = 1;
    }
}

static mastra_json_t *make_prompt(mastra_agent_run_t *run)
{
    mastra_json_t *prompt = mastra_json_array();

    mastra_run_system(run, prompt);
    mastra_run_describe_output(run, prompt);
    mastra_run_remembered_prompt(run, prompt);
    mastra_message_to_prompt(prompt, run->background);
    mastra_message_to_prompt(prompt, run->input);
    mastra_message_to_prompt(prompt, run->prior);
    mastra_message_parts_to_prompt(prompt, run->parts);
    mastra_message_end_prompt(prompt);
    return prompt;
}

apr_status_t mastra_run_call_model(mastra_agent_run_t *run,
                                   const mastra_model_cbs_t *cbs)
{
    mastra_model_request_t request = {
        .model_id = run->model->model_id, .stream = run->stream,
        .prompt = make_prompt(run), .tools = run->tool_specs,
        .tool_choice = mastra_run_option(run, "toolChoice"),
        .response_schema = mastra_run_response_schema(run),
        .include_raw = run->stream && mastra_json_is_true(
            mastra_run_option(run, "includeRawChunks")),
    };
    apr_status_t rv;

    request.settings = settings_of(run);
    request.provider_options = merged(mastra_run_option(run,
                                                        "providerOptions"),
                                      run->model->options);
    set_retries(&request, run);
    mastra_run_keeps(&request, run);
    rv = mastra_model_start(&run->call, run->env->loop, run->model->provider,
                            &request, cbs, run);
    mastra_json_unref(request.prompt);
    mastra_json_unref(request.settings);
    mastra_json_unref(request.provider_options);
    return rv;
}
