/* Steps that an agent answers: a run of the agent, heard chunk by chunk. */

#include <string.h>

#include <apr_strings.h>

#include "engine.h"
#include "../base/pool.h"

typedef struct mastra_talk_t {
    mastra_sink_t sink;              /* first: the agent's run knows it */
    mastra_task_t *task;             /* NULL: nobody listens any more */
    apr_pool_t *pool;
    mastra_json_t *text, *object, *usage;
    mastra_json_t *waits;            /* the chunk of a call that waits */
    const char *error;
    mastra_msg_t msg;
} talk_t;

/* ---- hearing ---- */

static void hear_finish(talk_t *talk, const mastra_json_t *payload)
{
    const mastra_json_t *output = mastra_json_get(payload, "output");

    talk->text = mastra_json_own(mastra_json_ref(mastra_json_get(output,
                                                                 "text")),
                                 talk->pool);
    talk->usage = mastra_json_own(mastra_json_ref(mastra_json_get(output,
                                                                  "usage")),
                                  talk->pool);
}

static const char *error_text(const mastra_json_t *chunk)
{
    const char *text = mastra_json_get_str(
        mastra_json_path(chunk, "payload", "error", NULL), "message");

    return text ? text : "The agent failed";
}

static int on_chunk(mastra_sink_t *sink, mastra_json_t *chunk)
{
    talk_t *talk = (talk_t *)sink;
    const char *type = mastra_json_get_str(chunk, "type");

    if (!strcmp(type, "finish")) {
        hear_finish(talk, mastra_json_get(chunk, "payload"));
    }
    else if (!strcmp(type, "object-result")) {
        talk->object = mastra_json_own(
            mastra_json_ref(mastra_json_get(chunk, "object")), talk->pool);
    }
    else if (!strcmp(type, "error")) {
        talk->error = apr_pstrdup(talk->pool, error_text(chunk));
    }
    else if (!strcmp(type, "tool-call-approval")
             || !strcmp(type, "tool-call-suspended")) {
        talk->waits = mastra_json_own(mastra_json_ref(chunk), talk->pool);
    }
    if (talk->task) {
        mastra_say_output(talk->task, chunk);
    }
    return 1;
}

/* ---- the end ---- */

/* A call of a tool waits for a person: so does the step. */
static void wait_too(talk_t *talk)
{
    mastra_task_t *task = talk->task;
    mastra_json_t *payload = mastra_json_copy_flat(
        mastra_json_get(talk->waits, "payload"));
    mastra_json_t *waits = mastra_json_pack(
        "{s:s, s:s, s:s}", "agentRun", mastra_json_get_str(talk->waits,
                                                           "runId"),
        "toolCallId", mastra_json_get_str(payload, "toolCallId"), "label",
        mastra_json_get_str(payload, "toolCallId"));

    mastra_json_set_str(payload, "type", mastra_json_get_str(talk->waits,
                                                             "type"));
    mastra_step_suspend(task, payload, waits);
    mastra_json_unref(payload);
    mastra_json_unref(waits);
}

static void add_usage(mastra_workflow_run_t *run, const mastra_json_t *usage)
{
    void *at;

    for (at = mastra_json_iter(run->usage); at;
         at = mastra_json_next(run->usage, at)) {
        const char *key = mastra_json_key(at);

        mastra_json_set_int(run->usage, key,
                            mastra_json_int(mastra_json_value(at))
                                + mastra_json_get_int(usage, key, 0));
    }
}

static void on_end(mastra_sink_t *sink, mastra_json_t *answer,
                   const mastra_result_t *error)
{
    talk_t *talk = (talk_t *)sink;
    mastra_task_t *task = talk->task;
    mastra_workflow_run_t *run;

    if (!task) {
        apr_pool_destroy(talk->pool);
        return;
    }
    run = task->run;
    task->agent = NULL;
    task->talk = NULL;
    add_usage(run, talk->usage);
    if (error || talk->error) {
        mastra_step_came(task, NULL, mastra_error_make(
            error ? error->message : talk->error));
    }
    else if (talk->waits) {
        wait_too(talk);
    }
    else if (talk->object && mastra_json_get(task->node->entry,
                                             "outputSchema")) {
        mastra_step_came(task, mastra_json_ref(talk->object), NULL);
    }
    else {
        mastra_step_came(task, mastra_json_pack(
            "{s:o}", "text", talk->text ? mastra_json_ref(talk->text)
                                        : mastra_json_string("")), NULL);
    }
    apr_pool_destroy(talk->pool);
    mastra_run_pump(run);
}

static const mastra_sink_vtable_t sink_vtable = { .chunk = on_chunk,
                                                  .end = on_end };

/* ---- the beginning ---- */

static mastra_json_t *options_of(const mastra_task_t *task)
{
    mastra_json_t *schema = mastra_json_get(task->node->entry, "outputSchema");
    mastra_json_t *made = mastra_json_pack(
        "{s:s}", "messages", mastra_json_get_str(task->input, "prompt"));

    if (schema) {
        mastra_json_set(made, "structuredOutput",
                        mastra_json_pack("{s:O}", "schema", schema));
    }
    return made;
}

static mastra_json_t *decision_of(const mastra_json_t *resume)
{
    const mastra_json_t *waits = mastra_json_get(resume, "waitsFor");
    mastra_json_t *data = mastra_json_get(resume, "resumePayload");
    mastra_json_t *made = mastra_json_pack(
        "{s:s, s:O*}", "toolCallId",
        mastra_json_get_str(waits, "toolCallId"), "resumeData", data);

    if (mastra_json_is_bool(mastra_json_get(data, "approved"))) {
        mastra_json_set_bool(made, "approved",
                             mastra_json_get_bool(data, "approved", 1));
        mastra_json_set_str(made, "reason", mastra_json_get_str(data,
                                                                "reason"));
    }
    return made;
}

const char *mastra_step_key(const mastra_task_t *task)
{
    const mastra_workflow_run_t *run = task->run;

    return apr_psprintf(run->pool, "%s/%d/%s/%d", run->row.id,
                        (int)mastra_json_get_int(run->begin, "turn", 0),
                        task->place, task->attempt);
}

static mastra_agent_run_t *make_run(mastra_task_t *task,
                                    mastra_result_t **perror)
{
    mastra_workflow_run_t *run = task->run;
    mastra_principal_t principal = {
        .resource_id = run->row.resource_id,
        .request_context = mastra_json_get(run->begin, "requestContext"),
        .depth = (int)mastra_json_get_int(run->begin, "depth", 0) + 1,
        .again = mastra_step_key(task),
        .owned = { run->row.host, run->row.id, run->row.epoch }
    };
    const char *agent_run = mastra_json_get_str(
        mastra_json_get(task->resume, "waitsFor"), "agentRun");
    mastra_json_t *options;
    mastra_agent_run_t *made;

    if (principal.depth > MASTRA_AGENT_MAX_DEPTH) {
        *perror = mastra_result_make(run->pool, 508, "AGENT_TOO_DEEP",
                                     "Agents and workflows call each other "
                                     "too deeply");
        return NULL;
    }
    options = agent_run ? decision_of(task->resume) : options_of(task);
    made = agent_run
               ? mastra_agent_run_take_up(run->env->agents, task->node->agent,
                                          agent_run, options, 1, &principal,
                                          perror, run->pool)
               : mastra_agent_run_make(run->env->agents, task->node->agent,
                                       options, 1, &principal, perror,
                                       run->pool);
    mastra_json_unref(options);
    return made;
}

static void begin(void *baton)
{
    talk_t *talk = baton;
    mastra_task_t *task = talk->task;

    if (!task) {
        apr_pool_destroy(talk->pool);
        return;
    }
    mastra_agent_run_begin(task->agent, &talk->sink);
}

static mastra_json_t *no_prompt(void)
{
    return mastra_error_make("Step input validation failed: \n- prompt: "
                             "Invalid input: expected string, received "
                             "undefined");
}

void mastra_talk_begin(mastra_task_t *task)
{
    mastra_workflow_run_t *run = task->run;
    mastra_result_t *error = NULL;
    apr_pool_t *pool;
    talk_t *talk;

    if (!task->node->agent) {
        mastra_step_came(task, NULL, mastra_error_make(apr_psprintf(
            run->pool, "The agent \"%s\" is not there any more",
            task->node->ref)));
        return;
    }
    if (!mastra_json_get_str(task->input, "prompt")) {
        mastra_step_came(task, NULL, no_prompt());
        return;
    }
    task->agent = make_run(task, &error);
    if (!task->agent || mastra_pool_make(&pool, "mastra_talk")) {
        mastra_step_came(task, NULL, mastra_error_make(
            error ? error->message : "the agent cannot be asked"));
        return;
    }
    talk = apr_pcalloc(pool, sizeof(*talk));
    talk->pool = pool;
    talk->sink.vtable = &sink_vtable;
    talk->task = task;
    task->talk = talk;
    talk->msg.cb = begin;
    talk->msg.baton = talk;
    mastra_loop_defer(run->env->loop, &talk->msg);
}

/* What has not begun yet is discarded when its turn comes. */
void mastra_talk_cancel(mastra_task_t *task)
{
    talk_t *talk = task->talk;

    if (!talk) {
        return;
    }
    task->talk = NULL;
    talk->task = NULL;
    if (mastra_agent_run_is_new(task->agent)) {
        mastra_agent_run_discard(task->agent);
    }
    else {
        mastra_agent_run_cancel(task->agent);
        apr_pool_destroy(talk->pool);
    }
    task->agent = NULL;
}
