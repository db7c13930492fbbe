/* The choice of a network carried out: all of them are tools of its agent. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

static const char declined[] = "Tool call was not approved by the user";
static const char approval_schema[] =
    "{\"$schema\":\"http://json-schema.org/draft-07/schema#\","
    "\"type\":\"object\",\"properties\":{\"approved\":{\"type\":\"boolean\"},"
    "\"reason\":{\"type\":\"string\"}},\"required\":[\"approved\"],"
    "\"additionalProperties\":false}";

const mastra_tool_t *mastra_network_tool(const mastra_agent_t *agent,
                                         const char *type, const char *id)
{
    const char *prefix = !strcmp(type, "agent") ? MASTRA_AGENT_TOOL
                         : !strcmp(type, "workflow") ? MASTRA_WORKFLOW_TOOL
                         : "";
    int i = *prefix ? agent->nown : 0;
    int end = *prefix ? agent->ntools : agent->nown;

    for (; i < end; i++) {
        const mastra_tool_t *tool = agent->tools[i];

        if ((!strncmp(tool->key, prefix, strlen(prefix))
             && !strcmp(tool->key + strlen(prefix), id))
            || (!*prefix && !strcmp(tool->id, id))
            || (*prefix && !strcmp(tool->conf, id))) {
            return tool;
        }
    }
    return NULL;
}

static const char *choice_str(const mastra_network_t *network,
                              const char *name)
{
    const char *text = mastra_json_get_str(
        mastra_json_get(network->state, "choice"), name);

    return text ? text : "";
}

/* ---- what chunks have in common ---- */

/* What routing-agent-end said, as args; new reference. */
static mastra_json_t *args_of(const mastra_network_t *network)
{
    return mastra_json_copy_flat(mastra_json_get(network->state, "routed"));
}

static int is(const mastra_network_t *network, const char *word)
{
    return !strcmp(network->word, word);
}

static const char *event_name(const mastra_network_t *network,
                              const char *what)
{
    return apr_pstrcat(network->pool, network->word, "-execution-", what,
                       NULL);
}

static void say_start(mastra_network_t *network)
{
    mastra_json_t *args = args_of(network);
    mastra_json_t *payload;

    if (is(network, "tool")) {
        mastra_json_set(args, "args", mastra_json_ref(network->input));
        mastra_json_set_str(args, "toolName", network->tool->id);
        mastra_json_set_str(args, "toolCallId", network->call_id);
        payload = mastra_json_pack("{s:o, s:s}", "args", args, "runId",
                                   network->id);
    }
    else {
        payload = mastra_json_pack(
            "{s:s, s:o, s:s}", is(network, "agent") ? "agentId" : "workflowId",
            (const char *)network->tool->conf, "args", args, "runId",
            network->child_id);
    }
    mastra_network_say(network, event_name(network, "start"), payload);
}

static mastra_json_t *no_usage(void)
{
    return mastra_json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "inputTokens", 0,
                            "outputTokens", 0, "totalTokens", 0,
                            "cachedInputTokens", 0,
                            "cacheCreationInputTokens", 0, "reasoningTokens",
                            0);
}

static void say_end(mastra_network_t *network, mastra_json_t *usage)
{
    mastra_json_t *payload = mastra_json_pack(
        "{s:s, s:O, s:b, s:I}", "task", mastra_network_str(network, "task"),
        "result", network->result, "isComplete", 0, "iteration",
        mastra_network_iteration(network));

    if (is(network, "agent")) {
        mastra_json_set_str(payload, "agentId", network->tool->conf);
    }
    else {
        mastra_json_set_str(payload, "primitiveId",
                            choice_str(network, "primitiveId"));
        mastra_json_set_str(payload, "primitiveType", network->word);
    }
    if (is(network, "tool")) {
        mastra_json_set_str(payload, "toolCallId", network->call_id);
        mastra_json_set_str(payload, "toolName", network->tool->id);
    }
    else {
        mastra_json_set_str(payload, "runId", network->child_id);
        mastra_json_set(payload, "usage", usage ? mastra_json_ref(usage)
                                                : no_usage());
    }
    if (is(network, "workflow")) {
        mastra_json_set_str(payload, "name", network->tool->conf);
    }
    mastra_network_say(network, event_name(network, "end"), payload);
}

/* ---- what is remembered of it ---- */

static void note(mastra_network_t *network, mastra_json_t *outcome,
                 mastra_json_t *waiting)
{
    mastra_json_t *metadata = mastra_json_pack("{s:s}", "mode", "network");
    /* agents are told words, all others JSON */
    const mastra_json_t *prompt = is(network, "agent")
                                      ? mastra_json_get(network->input,
                                                        "prompt") : NULL;
    mastra_json_t *entry = mastra_json_pack(
        "{s:b, s:s, s:s, s:s, s:O, s:o}", "isNetwork", 1, "selectionReason",
        choice_str(network, "selectionReason"), "primitiveType", network->word,
        "primitiveId", choice_str(network, "primitiveId"), "input",
        prompt ? prompt : network->input, "finalResult", outcome);

    if (waiting) {
        const char *type = mastra_json_get_str(network->waits, "type");

        mastra_json_set(metadata, type && !strcmp(type, "approval")
                                  ? "requireApprovalMetadata"
                                  : "suspendedTools", waiting);
    }
    mastra_network_note(network, mastra_json_text(entry, network->pool),
                        metadata);
    mastra_json_unref(entry);
}

static mastra_json_t *outcome_of(const mastra_network_t *network)
{
    if (is(network, "agent")) {
        return mastra_json_pack("{s:O}", "text", network->result);
    }
    if (is(network, "workflow")) {
        return mastra_json_pack("{s:s, s:O}", "runId", network->child_id,
                                "runResult", network->result);
    }
    return mastra_json_pack("{s:O, s:s}", "result", network->result,
                            "toolCallId", network->call_id);
}

/* ---- the end ---- */

static void tell(mastra_network_t *network)
{
    if (mastra_network_hold(network, tell)) {
        return;
    }
    say_end(network, network->cost);
    note(network, outcome_of(network), NULL);
    network->stage = MASTRA_NETWORK_CHECK;
    network->stored = mastra_network_check;
    mastra_network_save(network);
}

/* result is taken over. */
static void finish(mastra_network_t *network, mastra_json_t *result,
                   mastra_json_t *usage)
{
    const char *text = mastra_json_str(result);

    network->acted = 1;
    mastra_json_unref(network->result);
    network->result = result;
    network->result_text = text ? apr_pstrdup(network->pool, text)
                                : mastra_json_text(result, network->pool);
    mastra_json_append(mastra_json_get(network->state, "calls"),
                       mastra_json_pack("{s:s, s:s}", "type", network->word,
                                        "id", choice_str(network,
                                                         "primitiveId")));
    mastra_network_count(network, usage);
    mastra_json_unref(network->cost);
    network->cost = mastra_json_ref((mastra_json_t *)usage);
    tell(network);
}

/* What a run of a workflow came to, from its chunks. */
static mastra_json_t *workflow_result(mastra_network_t *network,
                                      const mastra_json_t *result)
{
    mastra_json_t *input = mastra_json_get(network->input, "inputData");
    mastra_json_t *error = mastra_json_get(result, "error");
    mastra_json_t *steps = mastra_json_pack("{s:O*}", "input", input);

    mastra_json_merge(steps, network->steps);
    return mastra_json_pack(
        "{s:s, s:o, s:O*, s:O, s:O*, s:O*, s:s}", "status",
        network->status ? network->status : "failed", "steps", steps, "input",
        input, "stepExecutionPath", network->path, "result",
        mastra_json_get(result, "result"), "error", error, "runId",
        network->child_id);
}

static void say_waiting(mastra_network_t *network)
{
    const mastra_json_t *waits = network->waits;
    const char *type = mastra_json_get_str(waits, "type");
    int suspended = !strcmp(type, "suspension");
    const char *id = choice_str(network, "primitiveId");
    mastra_json_t *args = mastra_json_get(network->input, "inputData");
    mastra_json_t *payload = mastra_json_pack(
        "{s:s, s:s, s:O, s:s, s:s, s:s, s:O*}", "toolName", id, "toolCallId",
        is(network, "tool") ? network->call_id : id, "args",
        args ? args : network->input, "selectionReason",
        choice_str(network, "selectionReason"), "resumeSchema",
        mastra_json_get_str(waits, "resumeSchema"), "runId",
        is(network, "tool") ? network->id : network->child_id,
        "suspendPayload", mastra_json_get(waits, "suspendPayload"));

    if (!is(network, "tool")) {
        mastra_json_set_str(payload,
                            is(network, "agent") ? "agentId" : "workflowId",
                            network->tool->conf);
        mastra_json_set(payload, "usage", no_usage());
    }
    mastra_network_say(network, event_name(network, suspended ? "suspended"
                                                              : "approval"),
                       payload);
    mastra_network_end(network);
}

/* waits is taken over. */
static void wait_for_person(mastra_network_t *network, mastra_json_t *waits)
{
    const char *id = choice_str(network, "primitiveId");

    mastra_json_unref(network->waits);
    network->waits = waits;
    mastra_json_set(network->state, "waits", mastra_json_ref(waits));
    mastra_json_set_str(network->state, "callId", network->call_id);
    mastra_json_set_str(network->state, "childId", network->child_id);
    note(network, mastra_json_pack("{s:s}", "result", ""), mastra_json_pack(
        "{s:{s:s, s:s, s:O, s:s, s:s, s:s, s:s, s:s}}", id, "toolCallId",
        is(network, "tool") ? network->call_id : id, "toolName", id, "args",
        network->input, "type", mastra_json_get_str(waits, "type"),
        "resumeSchema", mastra_json_get_str(waits, "resumeSchema"), "runId",
        network->id, "primitiveType", network->word, "primitiveId", id));
    network->stored = say_waiting;
    mastra_network_suspend(network);
}

static mastra_json_t *failure_of(const mastra_network_t *network,
                                 const mastra_result_t *error)
{
    if (is(network, "agent")) {
        return mastra_json_string(apr_pstrcat(network->pool,
                                              "The agent failed: ",
                                              error->message, NULL));
    }
    return mastra_json_pack("{s:b, s:s}", "error", 1, "message",
                            error->message);
}

static void on_done(void *baton, mastra_json_t *result,
                    const mastra_result_t *error)
{
    mastra_network_t *network = baton;
    mastra_json_t *waits = mastra_tool_waits(error);
    const char *text = mastra_json_get_str(result, "text");

    network->call = NULL;
    if (waits) {
        wait_for_person(network, mastra_json_ref(waits));
        return;
    }
    if (error && !strcmp(error->code, MASTRA_TOOL_TAKEN_OVER)) {
        mastra_network_lost(network);
        return;
    }
    if (error) {
        finish(network, failure_of(network, error), NULL);
    }
    else if (is(network, "agent")) {
        finish(network, mastra_json_string(text ? text : ""),
               mastra_json_get(result, "usage"));
    }
    else if (is(network, "workflow")) {
        finish(network, workflow_result(network, result), NULL);
    }
    else {
        finish(network, result ? mastra_json_ref(result) : mastra_json_null(),
               NULL);
    }
}

/* ---- on the way ---- */

static void hear_workflow(mastra_network_t *network, const char *type,
                          const mastra_json_t *payload)
{
    const char *id = mastra_json_get_str(payload, "id");
    const char *status = mastra_json_get_str(payload, "workflowStatus");
    mastra_json_t *step;

    if (!strcmp(type, "workflow-finish") && status) {
        network->status = apr_pstrdup(network->pool, status);
    }
    if (strcmp(type, "workflow-step-result") || !id) {
        return;
    }
    step = mastra_json_copy_flat(payload);
    mastra_json_del(step, "stepName");
    mastra_json_del(step, "id");
    mastra_json_del(step, "stepCallId");
    mastra_json_del(step, "payload");
    mastra_json_set(network->steps, id, step);
    mastra_json_append(network->path, mastra_json_string(id));
}

static int on_say(void *baton, mastra_json_t *chunk)
{
    mastra_network_t *network = baton;
    const char *type = mastra_json_get_str(chunk, "type");

    if (!type || is(network, "tool")) {
        return !network->blocked;
    }
    if (is(network, "workflow")) {
        hear_workflow(network, type, mastra_json_get(chunk, "payload"));
    }
    mastra_network_say(network, apr_pstrcat(network->pool, network->word,
                                            "-execution-event-", type, NULL),
                       mastra_json_ref(chunk));
    return !network->blocked;
}

/* ---- the call ---- */

static void start(mastra_network_t *network, mastra_json_t *waited)
{
    mastra_tool_args_t args = {
        .input = network->input, .tool_call_id = network->call_id,
        .run_id = network->id, .agent_id = network->agent->id,
        .resource_id = mastra_network_str(network, "resourceId"),
        .owner = network->owner, .request_context = network->context,
        .depth = network->depth, .say = on_say, .say_baton = network,
        .child_run_id = network->child_id,
        .messages = mastra_json_get(network->state, "said"), .may_wait = 1,
        .waited = waited, .decision = network->decision,
        .at_least_once = network->kept
    };
    mastra_json_t *invalid = mastra_tool_check_input(
        network->tool, network->input, network->pool);
    apr_status_t rv;

    mastra_json_unref(network->steps);
    mastra_json_unref(network->path);
    network->steps = mastra_json_object();
    network->path = mastra_json_array();
    if (invalid) {
        finish(network, invalid, NULL);
        return;
    }
    network->acted = 1;
    args.idempotency_key = apr_psprintf(
        network->pool, "%s/%" APR_INT64_T_FMT "/1", network->id,
        mastra_network_iteration(network));
    if (network->epoch > 0) {
        args.owned.host = network->env->host;
        args.owned.id = network->id;
        args.owned.epoch = network->epoch;
        args.place = mastra_text_sha256(args.idempotency_key,
                                        strlen(args.idempotency_key),
                                        network->pool);
    }
    rv = mastra_tool_start(&network->call, network->env->tools, network->tool,
                           &args, on_done, network);
    if (rv) {
        mastra_network_fail(network, mastra_result_from_apr(
            network->pool, rv, "carry out the choice"));
    }
}

/* What the chosen one is given. */
static mastra_json_t *input_of(mastra_network_t *network)
{
    const char *prompt = choice_str(network, "prompt");
    mastra_json_t *json = NULL;

    if (is(network, "agent")) {
        return mastra_json_pack("{s:s}", "prompt", prompt);
    }
    if (mastra_json_parse(&json, prompt, strlen(prompt), 0, NULL)) {
        json = mastra_json_string(prompt);
    }
    return is(network, "workflow") ? mastra_json_pack("{s:o}", "inputData",
                                                      json) : json;
}

const char *mastra_network_word(const char *type)
{
    return !strcmp(type, "agent") ? "agent"
           : !strcmp(type, "workflow") ? "workflow" : "tool";
}

/* 0: the choice names nothing that there is. */
static int prepare(mastra_network_t *network)
{
    const char *type = choice_str(network, "primitiveType");

    network->word = mastra_network_word(type);
    network->tool = mastra_network_tool(network->agent, network->word,
                                        choice_str(network, "primitiveId"));
    if (!network->tool) {
        mastra_network_fail(network, mastra_result_make(
            network->pool, 502, "NETWORK_CHOICE",
            "The model chose the %s \"%.200s\", which is not there",
            network->word, choice_str(network, "primitiveId")));
        return 0;
    }
    mastra_json_unref(network->input);
    network->input = input_of(network);
    network->status = NULL;
    network->call_id = mastra_text_uuid_make(network->pool);
    network->child_id = mastra_text_uuid_make(network->pool);
    return 1;
}

static int is_human(const mastra_network_t *network)
{
    return network->tool->kind == &mastra_tool_human;
}

/* The ids under which a call was begun before. */
static void use_ids(mastra_network_t *network)
{
    const char *call = mastra_network_str(network, "callId");
    const char *child = mastra_network_str(network, "childId");

    if (call && child) {
        network->call_id = apr_pstrdup(network->pool, call);
        network->child_id = apr_pstrdup(network->pool, child);
    }
}

static void begin_call(mastra_network_t *network)
{
    if (mastra_network_hold(network, begin_call)) {
        return;
    }
    say_start(network);
    start(network, NULL);
}

void mastra_network_act_again(mastra_network_t *network)
{
    if (prepare(network)) {
        use_ids(network);
        begin_call(network);
    }
}

void mastra_network_execute(mastra_network_t *network)
{
    if (!prepare(network)) {
        return;
    }
    if (!network->tool->require_approval && !is_human(network)) {
        network->stage = MASTRA_NETWORK_ACT;
        network->stored = begin_call;
        if (network->kept) {
            mastra_network_save(network);
        }
        else {
            begin_call(network);
        }
        return;
    }
    say_start(network);
    wait_for_person(network, mastra_json_pack(
        "{s:s, s:s, s:O*}", "type", is_human(network) ? "suspension"
                                                      : "approval",
        "resumeSchema", !is_human(network) ? approval_schema
        : network->tool->resume_schema
        ? mastra_json_text(network->tool->resume_schema, network->pool) : "{}",
        "suspendPayload", is_human(network) ? network->input : NULL));
}

/* A person has decided. */
void mastra_network_go_on(mastra_network_t *network)
{
    mastra_json_t *waits = mastra_json_ref(mastra_json_get(network->state,
                                                           "waits"));
    mastra_json_t *data = mastra_json_get(network->decision, "resumeData");
    int approved = mastra_json_get_bool(network->decision, "approved", 1);

    mastra_json_own(waits, network->pool);
    if (!prepare(network)) {
        return;
    }
    use_ids(network);
    mastra_json_del(network->state, "waits");
    say_start(network);
    if (mastra_json_get(waits, "state")) {
        start(network, mastra_json_get(waits, "state"));
    }
    else if (!approved) {
        const char *reason = mastra_json_get_str(network->decision, "reason");

        finish(network, mastra_json_string(reason ? reason : declined), NULL);
    }
    else if (is_human(network)) {
        finish(network, data ? mastra_json_ref(data)
                             : mastra_json_pack("{s:b}", "approved", 1), NULL);
    }
    else {
        start(network, NULL);
    }
}
