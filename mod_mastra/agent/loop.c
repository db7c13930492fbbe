/* The model-tool loop: a run as a state machine on the loop thread. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../base/log.h"

static void start_step(void *baton);

/* ---- life ---- */

static void free_run(void *baton)
{
    mastra_agent_run_discard(baton);
}

/* Last words: the sink hears of the end, the run goes. */
void mastra_run_end(mastra_agent_run_t *run)
{
    mastra_sink_t *sink = run->sink;
    mastra_json_t *answer = NULL;

    run->state = MASTRA_RUN_END;
    mastra_loop_timer_stop(run->env->loop, &run->deadline);
    mastra_run_drop_lease(run);
    if (sink) {
        if (!run->stream && !run->error) {
            answer = mastra_run_answer(run);
        }
        sink->vtable->end(sink, answer,
                          run->stream && run->started ? NULL : run->error);
        mastra_json_unref(answer);
    }
    run->msg.cb = free_run;
    run->msg.baton = run;
    mastra_loop_defer(run->env->loop, &run->msg);
}

/* Clients repeat what failed with a 5xx, and tools would be called again. */
static void set_error(mastra_agent_run_t *run, const mastra_result_t *error)
{
    run->error = mastra_result_copy(run->pool, error);
    if (!mastra_agent_run_may_repeat(run)) {
        mastra_model_error_no_repeat(run->error);
    }
}

/* ---- the end, with memory ---- */

static int has_answer(mastra_agent_run_t *run)
{
    return run->thread_id && !run->read_only && mastra_json_size(run->parts);
}

static void after_save(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->job_rv) {
        mastra_result_t *error = mastra_store_result(run->pool, run->job_rv,
                                                     "save the answer");

        mastra_log(MASTRA_LOG_ERR, run->job_rv, MASTRA_ID(3001)
                   "run %s: the answer could not be stored", run->id);
        if (!run->error) {
            set_error(run, error);
            run->step.reason = "error";
            mastra_run_say_error(run, run->error);
        }
    }
    if (run->stream && run->started) {
        mastra_run_say_finish(run);
    }
    mastra_run_end(run);
}

static void finish(mastra_agent_run_t *run)
{
    if (has_answer(run) || run->epoch) {
        if (!run->answered_at) {
            run->answered_at = apr_time_now();
        }
        mastra_run_save(run, after_save);
        return;
    }
    run->job_rv = APR_SUCCESS;
    after_save(run);
}

/* What the client did wrong is no business of the administrator's. */
static void log_failure(const mastra_agent_run_t *run,
                        const mastra_result_t *error)
{
    const char *colon = error->cause ? ": " : "";
    const char *cause = error->cause ? error->cause : "";

    if (error->status < 500 && strncmp(error->code, "MODEL_", 6)) {
        mastra_log(MASTRA_LOG_DEBUG, 0, "run %s of agent %s ended: %s (%s)%s%s",
                   run->id, run->agent->id, error->message, error->code, colon,
                   cause);
        return;
    }
    mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(3002) "run %s of agent %s failed: "
               "%s (%s)%s%s", run->id, run->agent->id, error->message,
               error->code, colon, cause);
}

void mastra_run_fail(mastra_agent_run_t *run, const mastra_result_t *error)
{
    set_error(run, error);
    run->step.reason = "error";
    log_failure(run, error);
    mastra_run_close_text(run);
    if (run->stream && run->started) {
        mastra_run_say_error(run, run->error);
        mastra_run_say_step_finish(run, 0);
    }
    finish(run);
}

/* The store job that a run begins with failed: nothing was said yet. */
void mastra_run_end_early(mastra_agent_run_t *run, const char *what)
{
    run->error = run->job_error ? run->job_error
                                : mastra_store_result(run->pool, run->job_rv,
                                                      what);
    log_failure(run, run->error);
    mastra_run_end(run);
}

static void fail_with(mastra_agent_run_t *run, int status, const char *code,
                      const char *message)
{
    mastra_run_fail(run, mastra_result_make(run->pool, status, code, "%s", message));
}

/* ---- structured output ---- */

static mastra_json_t *fallback_object(mastra_agent_run_t *run,
                                      mastra_result_t **perror)
{
    const mastra_json_t *wanted = mastra_json_get(run->options,
                                                  "structuredOutput");
    const char *strategy = mastra_json_get_str(wanted, "errorStrategy");

    if (strategy && !strcmp(strategy, "fallback")) {
        return mastra_json_ref(mastra_json_get(wanted, "fallbackValue"));
    }
    if (!strategy || strcmp(strategy, "warn")) {
        *perror = mastra_result_make(run->pool, 422, "STRUCTURED_OUTPUT_INVALID",
                                     "Structured output validation failed: the "
                                     "model's answer does not fit the schema");
    }
    return NULL;
}

/* The last step's text as the object that was asked for. */
static mastra_result_t *take_object(mastra_agent_run_t *run)
{
    const char *text = mastra_message_last_text(run->parts);
    mastra_json_t *object = NULL;
    mastra_result_t *error = NULL;

    if (!text || mastra_json_parse(&object, text, strlen(text), 0, NULL)
        || (run->output
            && !mastra_schema_validate(run->output, object, NULL, run->pool))) {
        mastra_json_unref(object);
        object = fallback_object(run, &error);
    }
    mastra_json_unref(run->object);
    run->object = object;
    if (object && run->stream) {
        mastra_json_t *chunk = mastra_json_pack(
            "{s:s, s:s, s:s, s:O}", "from", "AGENT", "runId", run->id, "type",
            "object-result", "object", object);

        if (run->sink && !run->cancelled) {
            run->sink->vtable->chunk(run->sink, chunk);
        }
        mastra_json_unref(chunk);
    }
    return error;
}

/* ---- tools ---- */

/* A step that waited for a person ends the message it belongs to. */
static void next_message(mastra_agent_run_t *run)
{
    const char *old = run->message_id;
    const char *next = mastra_text_uuid_make(run->pool);

    run->message_id = next;
    mastra_run_say_step_finish(run, 1);
    run->message_id = old;
    mastra_run_next_message(run, next);
    mastra_json_unref(run->decision);
    run->decision = NULL;
}

static void next_step(mastra_agent_run_t *run)
{
    if (run->decision) {
        next_message(run);
    }
    else {
        mastra_run_say_step_finish(run, 1);
        mastra_json_append(run->parts,
                           mastra_json_pack("{s:s, s:I, s:s}", "type",
                                            "step-start", "createdAt",
                                            mastra_text_now_ms(), "model",
                                            run->agent->model));
    }
    mastra_run_free_step(&run->step);
    start_step(run);
}

static void step_over(mastra_agent_run_t *run)
{
    mastra_result_t *error = NULL;

    if (!run->step.tools && run->output_schema) {
        error = take_object(run);
    }
    if (error) {
        mastra_run_fail(run, error);
        return;
    }
    if (run->step.tools && run->nsteps + 1 < run->max_steps) {
        next_step(run);
        return;
    }
    mastra_run_say_step_finish(run, 0);
    finish(run);
}

void mastra_run_tools_over(mastra_agent_run_t *run)
{
    const mastra_run_tool_t *tool;

    for (tool = run->step.tools; tool; tool = tool->next) {
        if (mastra_run_waits(run, tool)) {
            mastra_run_suspend(run);
            return;
        }
    }
    step_over(run);
}

void mastra_run_tool_over(mastra_run_tool_t *tool, mastra_json_t *result,
                          const mastra_result_t *error)
{
    mastra_agent_run_t *run = tool->run;

    if (error) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3003)
                   "run %s: tool %s failed: %s%s%s", run->id, tool->name,
                   error->message, error->cause ? ": " : "",
                   error->cause ? error->cause : "");
    }
    mastra_run_note_outcome(run, tool, result, error);
    mastra_run_say_outcomes(run);
    if (--run->step.tools_open == 0) {
        mastra_run_tools_over(run);
    }
}

static void tool_done(void *baton, mastra_json_t *result,
                      const mastra_result_t *error)
{
    mastra_run_tool_t *tool = baton;

    tool->call = NULL;
    mastra_run_tool_over(tool, result, error);
}

void mastra_run_start_tool(mastra_agent_run_t *run, mastra_run_tool_t *tool)
{
    mastra_tool_args_t args = { .input = tool->args, .tool_call_id = tool->id,
                                .run_id = run->id, .agent_id = run->agent->id,
                                .thread_id = run->thread_id,
                                .resource_id = run->resource_id,
                                .request_context = run->context,
                                .depth = run->depth };
    mastra_json_t *invalid;
    apr_status_t rv;

    if (!tool->tool) {
        mastra_run_tool_over(tool, NULL,
                  mastra_result_make(run->pool, 404, "TOOL_UNKNOWN",
                                     "Tool \"%s\" not found", tool->name));
        return;
    }
    invalid = mastra_tool_check_input(tool->tool, tool->args, run->pool);
    if (invalid) {
        mastra_run_tool_over(tool, invalid, NULL);
        mastra_json_unref(invalid);
        return;
    }
    run->tools_ran = 1;
    args.idempotency_key = apr_psprintf(run->pool, "%s/%s/1", run->id,
                                        tool->id);
    rv = mastra_tool_start(&tool->call, run->env->tools, tool->tool, &args,
                           tool_done, tool);
    if (rv) {
        mastra_run_tool_over(tool, NULL,
                  mastra_result_from_apr(run->pool, rv, "start the tool"));
    }
}

static void start_tools(mastra_agent_run_t *run)
{
    mastra_run_tool_t *tool, *next;

    run->state = MASTRA_RUN_TOOLS;
    for (tool = run->step.tools; tool; tool = tool->next) {
        run->step.tools_open += !mastra_run_waits(run, tool);
    }
    /* one more, so that the last to end early does not end the step while
     * others are still to be started */
    run->step.tools_open++;
    for (tool = run->step.tools; tool; tool = next) {
        next = tool->next;
        if (!mastra_run_waits(run, tool)) {
            mastra_run_start_tool(run, tool);
        }
    }
    if (--run->step.tools_open == 0) {
        mastra_run_tools_over(run);
    }
}

const mastra_tool_t *mastra_run_find_tool(mastra_agent_run_t *run,
                                          const char *name)
{
    int i;

    for (i = 0; i < run->agent->ntools; i++) {
        if (!strcmp(run->agent->tools[i]->key, name)) {
            return run->agent->tools[i];
        }
    }
    return NULL;
}

static void add_tool_call(mastra_agent_run_t *run,
                          const mastra_model_event_t *event)
{
    mastra_run_tool_t *tool = apr_pcalloc(run->pool, sizeof(*tool));

    tool->run = run;
    tool->id = apr_pstrdup(run->pool, event->id);
    tool->name = apr_pstrdup(run->pool, event->name);
    tool->tool = mastra_run_find_tool(run, event->name);
    tool->args = event->json ? mastra_json_ref(event->json)
                             : mastra_json_stringn(event->text ? event->text
                                                               : "",
                                                   event->text ? event->len
                                                               : 0);
    tool->part = mastra_json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:O}, s:I}", "type", "tool-invocation",
        "toolInvocation", "state", "call", "toolCallId", tool->id, "toolName",
        tool->name, "args", tool->args, "createdAt", mastra_text_now_ms());
    mastra_json_append(run->parts, mastra_json_ref(tool->part));
    if (!run->step.tools_tail) {
        run->step.tools_tail = &run->step.tools;
    }
    *run->step.tools_tail = tool;
    run->step.tools_tail = &tool->next;
    mastra_run_say_tool_call(run, tool);
}

/* ---- model ---- */

static void overflow(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->cancelled || run->state != MASTRA_RUN_MODEL) {
        return;
    }
    if (run->call) {
        mastra_model_cancel(run->call);
        run->call = NULL;
    }
    fail_with(run, 422, "MODEL_ANSWER_TOO_LARGE",
              "The model's answer is too large");
}

static void on_response(mastra_agent_run_t *run, mastra_json_t *response)
{
    if (!run->step.response) {
        run->step.response = mastra_json_object();
    }
    mastra_json_merge(run->step.response, response);
}

static void on_finish(mastra_agent_run_t *run,
                      const mastra_model_event_t *event)
{
    run->step.reason = apr_pstrdup(run->pool, event->reason);
    run->step.raw_reason = apr_pstrdup(run->pool, event->raw_reason);
    run->step.usage = mastra_json_ref(event->json);
    run->step.body = mastra_json_ref(event->body);
}

static int on_delta(mastra_agent_run_t *run, const mastra_model_event_t *event)
{
    int rc = event->type == MASTRA_MODEL_TEXT
                 ? mastra_run_say_text(run, event->text, event->len)
                 : mastra_run_say_reasoning(run, event->text, event->len);

    if (rc < 0) {
        run->too_large.cb = overflow;
        run->too_large.baton = run;
        mastra_loop_defer(run->env->loop, &run->too_large);
        return 0;
    }
    return rc;
}

static void on_tool_input(mastra_agent_run_t *run,
                          const mastra_model_event_t *event)
{
    mastra_json_t *payload;

    if (!run->stream) {
        return;
    }
    if (event->type == MASTRA_MODEL_TOOL_START) {
        payload = mastra_json_pack("{s:s, s:s}", "toolCallId", event->id,
                                   "toolName", event->name);
        mastra_run_say(run, "tool-call-input-streaming-start", payload);
    }
    else if (event->type == MASTRA_MODEL_TOOL_DELTA) {
        payload = mastra_json_pack("{s:o, s:s, s:s*}", "argsTextDelta",
                                   mastra_json_stringn(event->text, event->len),
                                   "toolCallId", event->id, "toolName",
                                   event->name);
        mastra_run_say(run, "tool-call-delta", payload);
    }
    else {
        mastra_run_close_text(run);
        payload = mastra_json_pack("{s:s}", "toolCallId", event->id);
        mastra_run_say(run, "tool-call-input-streaming-end", payload);
    }
}

static int on_event(void *baton, const mastra_model_event_t *event)
{
    mastra_agent_run_t *run = baton;

    switch (event->type) {
    case MASTRA_MODEL_REQUEST:
        mastra_json_unref(run->step.request);
        run->step.request = NULL;
        if (!run->stream) {
            run->step.request =
                mastra_json_pack("{s:o}", "body",
                                 mastra_json_stringn(event->text, event->len));
        }
        break;
    case MASTRA_MODEL_RESPONSE:
        on_response(run, event->json);
        break;
    case MASTRA_MODEL_TEXT:
    case MASTRA_MODEL_REASONING:
        return on_delta(run, event);
    case MASTRA_MODEL_TOOL_START:
    case MASTRA_MODEL_TOOL_DELTA:
    case MASTRA_MODEL_TOOL_END:
        on_tool_input(run, event);
        break;
    case MASTRA_MODEL_TOOL_CALL:
        mastra_run_close_text(run);
        add_tool_call(run, event);
        break;
    case MASTRA_MODEL_FINISH:
        mastra_run_close_text(run);
        on_finish(run, event);
        break;
    case MASTRA_MODEL_RAW:
        break;
    }
    return !run->blocked;
}

static void on_done(void *baton, const mastra_result_t *error)
{
    mastra_agent_run_t *run = baton;

    run->call = NULL;
    if (error) {
        mastra_run_fail(run, error);
        return;
    }
    mastra_run_close_text(run);
    if (run->step.tools) {
        start_tools(run);
    }
    else {
        step_over(run);
    }
}

static const mastra_model_cbs_t model_cbs = { on_event, on_done };

static mastra_json_t *make_prompt(mastra_agent_run_t *run)
{
    mastra_json_t *prompt = mastra_json_array();

    mastra_run_system(run, prompt);
    mastra_message_to_prompt(prompt, run->remembered);
    mastra_message_to_prompt(prompt, run->input);
    mastra_message_to_prompt(prompt, run->prior);
    mastra_message_parts_to_prompt(prompt, run->parts);
    return prompt;
}

static void start_step(void *baton)
{
    mastra_agent_run_t *run = baton;
    mastra_model_request_t request = {
        .model_id = run->agent->model_id, .stream = run->stream,
        .tools = run->tool_specs, .tool_choice = mastra_run_option(run, "toolChoice"),
        .settings = mastra_run_option(run, "modelSettings"),
        .response_schema = run->output_schema,
        .provider_options = mastra_run_option(run, "providerOptions"),
    };
    apr_status_t rv;

    run->state = MASTRA_RUN_MODEL;
    run->step.pool = run->pool;
    run->step.reason = "unknown";
    run->step.first_part = mastra_json_size(run->parts);
    mastra_run_say_step_start(run);
    request.prompt = make_prompt(run);
    rv = mastra_model_start(&run->call, run->env->loop, run->agent->provider,
                            &request, &model_cbs, run);
    mastra_json_unref(request.prompt);
    if (rv) {
        mastra_run_fail(run, mastra_result_from_apr(run->pool, rv, "call the model"));
    }
}

/* ---- begin, cancel, resume ---- */

static void after_recall(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->cancelled) {
        mastra_run_end(run);
        return;
    }
    if (run->job_rv) {
        mastra_run_end_early(run, "read the thread");
        return;
    }
    mastra_run_say_start(run);
    start_step(run);
}

static void cancel_work(mastra_agent_run_t *run)
{
    mastra_run_tool_t *tool;

    if (run->call) {
        mastra_model_cancel(run->call);
        run->call = NULL;
    }
    for (tool = run->step.tools; tool; tool = tool->next) {
        if (tool->call) {
            mastra_tool_cancel(tool->call);
            tool->call = NULL;
        }
    }
}

void mastra_run_stop(mastra_agent_run_t *run, const mastra_result_t *error)
{
    if (run->state == MASTRA_RUN_MODEL || run->state == MASTRA_RUN_TOOLS) {
        run->read_only = 1;
        run->epoch = 0;
        cancel_work(run);
        mastra_run_fail(run, error);
    }
}

static void on_deadline(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->state == MASTRA_RUN_MODEL || run->state == MASTRA_RUN_TOOLS) {
        cancel_work(run);
        fail_with(run, 504, "RUN_TIMEOUT",
                  "The run took longer than this server allows");
    }
}

void mastra_agent_run_begin(mastra_agent_run_t *run, mastra_sink_t *sink)
{
    run->sink = sink;
    if (!run->stream && run->env->timeout) {
        mastra_loop_timer_set(run->env->loop, &run->deadline, run->env->timeout,
                              on_deadline, run);
    }
    if (run->decision) {
        mastra_run_claim(run);
        return;
    }
    if (run->thread_id) {
        mastra_run_recall(run, after_recall);
        return;
    }
    run->job_rv = APR_SUCCESS;
    after_recall(run);
}

static void after_cancel(void *baton)
{
    mastra_agent_run_t *run = baton;

    if (run->job_rv) {
        mastra_log(MASTRA_LOG_ERR, run->job_rv, MASTRA_ID(3004)
                   "run %s: the part of the answer that had come could not be "
                   "stored", run->id);
    }
    mastra_run_end(run);
}

void mastra_agent_run_cancel(mastra_agent_run_t *run)
{
    int busy = run->state == MASTRA_RUN_RECALL || run->state == MASTRA_RUN_SAVE;

    run->cancelled = 1;
    run->sink = NULL;
    if (busy || run->state == MASTRA_RUN_END) {
        return;
    }
    cancel_work(run);
    mastra_run_close_text(run);
    if (has_answer(run) || run->epoch) {
        run->answered_at = apr_time_now();
        mastra_run_save(run, after_cancel);
        return;
    }
    mastra_run_end(run);
}

void mastra_agent_run_resume(mastra_agent_run_t *run)
{
    run->blocked = 0;
    if (run->call) {
        mastra_model_resume(run->call);
    }
}

int mastra_agent_run_may_repeat(const mastra_agent_run_t *run)
{
    return !run->nsteps && !run->tools_ran;
}

const char *mastra_agent_run_id(const mastra_agent_run_t *run)
{
    return run->id;
}
