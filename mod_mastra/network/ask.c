/* What a network asks its model: which is next, and whether that is all. Each
 * question is a run of the agent without tools and memory. */

#include <stddef.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

static const char route_schema[] =
    "{\"type\":\"object\",\"properties\":{\"primitiveId\":{\"type\":\"string\","
    "\"description\":\"Name of the one that is to act\"},\"primitiveType\":{"
    "\"type\":\"string\",\"enum\":[\"agent\",\"workflow\",\"none\",\"tool\"]},"
    "\"prompt\":{\"type\":\"string\",\"description\":\"What it is given: text, "
    "or JSON as text\"},\"selectionReason\":{\"type\":\"string\"}},"
    "\"required\":[\"primitiveId\",\"primitiveType\",\"prompt\","
    "\"selectionReason\"],\"additionalProperties\":false}";
static const char complete_schema[] =
    "{\"type\":\"object\",\"properties\":{\"isComplete\":{\"type\":\"boolean\"},"
    "\"completionReason\":{\"type\":\"string\"},\"finalResult\":{"
    "\"type\":\"string\",\"description\":\"The answer for the user; empty when "
    "the last result says it all\"}},\"required\":[\"isComplete\","
    "\"completionReason\"],\"additionalProperties\":false}";

#define PROMPT_LIMIT (1024 * 1024)

/* ---- words ---- */

static int is_prefix(const char *prefix, const char *text)
{
    return !strncmp(text, prefix, strlen(prefix));
}

static void list_tools(mastra_buf_t *buf, const mastra_agent_t *agent,
                       const char *prefix, const char *title, int first,
                       int last)
{
    int i, n = 0;

    for (i = first; i < last; i++) {
        const mastra_tool_t *tool = agent->tools[i];

        if (!is_prefix(prefix, tool->key)) {
            continue;
        }
        mastra_buf_printf(buf, "%s- %s: %s", n++ ? "" : title,
                          tool->key + strlen(prefix), tool->description);
        if (!is_prefix(MASTRA_AGENT_TOOL, tool->key) && tool->input_schema) {
            mastra_json_t *inner = mastra_json_path(
                tool->input_schema, "properties", "inputData", NULL);

            mastra_buf_puts(buf, "; takes JSON of the schema ");
            mastra_json_write(buf, *prefix && inner ? inner
                                                    : tool->input_schema);
        }
        mastra_buf_puts(buf, "\n");
    }
}

/* New reference. */
static mastra_json_t *instructions(const mastra_network_t *network)
{
    const mastra_agent_t *agent = network->agent;
    const char *own = mastra_json_get_str(
        mastra_json_get(network->state, "options"), "instructions");
    mastra_json_t *made;
    mastra_buf_t buf;

    mastra_buf_init(&buf, PROMPT_LIMIT);
    mastra_buf_puts(&buf, "You lead a group of agents, workflows and tools. "
                    "Each time you are asked, you decide one step of the work "
                    "on a task; you do none of it yourself. Lines of the "
                    "conversation that are JSON with \"isNetwork\" tell what "
                    "was done and what came of it.\n\nYour instructions:\n");
    mastra_buf_puts(&buf, own ? own : agent->instructions);
    mastra_buf_puts(&buf, "\n");
    list_tools(&buf, agent, MASTRA_AGENT_TOOL, "\nAgents:\n", agent->nown,
               agent->ntools);
    list_tools(&buf, agent, MASTRA_WORKFLOW_TOOL, "\nWorkflows:\n",
               agent->nown, agent->ntools);
    list_tools(&buf, agent, "", "\nTools:\n", 0, agent->nown);
    mastra_buf_puts(&buf, "\nChoose from these lists only.\n");
    made = mastra_json_stringn(buf.data, buf.len);
    mastra_buf_free(&buf);
    return made;
}

static const char *next_question(const mastra_network_t *network)
{
    return apr_pstrcat(
        network->pool, "The task:\n", mastra_network_str(network, "task"),
        "\n\nWhich one is to act next, and what is it given? An agent is given "
        "plain text; a workflow or a tool JSON of its schema, as text. Do not "
        "give the same thing to the same one twice. Say \"none\" for "
        "primitiveId and primitiveType when none of them can help. "
        "selectionReason says why.", NULL);
}

static const char *complete_question(const mastra_network_t *network)
{
    const mastra_json_t *calls = mastra_json_get(network->state, "calls");

    return apr_pstrcat(
        network->pool, "The task:\n", mastra_network_str(network, "task"),
        "\n\nThe ", network->word, " \"",
        mastra_json_get_str(mastra_json_get(network->state, "choice"),
                            "primitiveId"),
        "\" gave this result:\n", network->result_text,
        "\n\nCarried out so far: ", mastra_json_text(calls, network->pool),
        "\n\nIs the task complete? It is when none can do more, and when the "
        "user declined the call. finalResult is what the user reads, in plain "
        "words; leave it empty when an agent's result answers the task as it "
        "is.", NULL);
}

/* ---- hearing ---- */

void mastra_network_count(mastra_network_t *network,
                          const mastra_json_t *usage)
{
    mastra_json_t *sum = mastra_json_get(network->state, "usage");
    void *at;

    for (at = mastra_json_iter(sum); at; at = mastra_json_next(sum, at)) {
        const char *key = mastra_json_key(at);

        mastra_json_set_int(sum, key,
                            mastra_json_int(mastra_json_value(at))
                                + mastra_json_get_int(usage, key, 0));
    }
}

static mastra_network_t *network_of(mastra_sink_t *sink)
{
    return (mastra_network_t *)((char *)sink
                                - offsetof(mastra_network_t, talk));
}

static void keep_object(mastra_network_t *network, mastra_json_t *object)
{
    mastra_json_unref(network->object);
    network->object = mastra_json_ref(object);
}

/* What the answer has grown by. */
static void show_more(mastra_network_t *network)
{
    const char *text = mastra_json_get_str(network->object, "finalResult");
    apr_size_t len = text ? strlen(text) : 0;

    if (len > network->shown) {
        mastra_network_say(network, "routing-agent-text-delta",
                           mastra_json_pack("{s:s}", "text",
                                            text + network->shown));
        network->shown = len;
    }
}

static int on_chunk(mastra_sink_t *sink, mastra_json_t *chunk)
{
    mastra_network_t *network = network_of(sink);
    const char *type = mastra_json_get_str(chunk, "type");
    mastra_json_t *payload = mastra_json_get(chunk, "payload");

    if (!strcmp(type, "object") || !strcmp(type, "object-result")) {
        keep_object(network, mastra_json_get(chunk, "object"));
        if (network->final) {
            mastra_network_say(network, apr_pstrcat(network->pool, "network-",
                                                    type, NULL),
                               mastra_json_pack("{s:O}", "object",
                                                network->object));
        }
        else {
            show_more(network);
        }
    }
    else if (!strcmp(type, "error")) {
        const char *text = mastra_json_get_str(
            mastra_json_get(payload, "error"), "message");

        network->job_error = mastra_result_make(
            network->pool, 502, "NETWORK_MODEL", "%s",
            text ? text : "The model failed");
    }
    return !network->blocked;
}

static void on_end(mastra_sink_t *sink, mastra_json_t *answer,
                   const mastra_result_t *error)
{
    mastra_network_t *network = network_of(sink);
    const mastra_result_t *wrong = error ? error : network->job_error;

    network->run = NULL;
    network->job_error = NULL;
    if (answer) {
        keep_object(network, mastra_json_get(answer, "object"));
        mastra_network_count(network, mastra_json_get(answer, "usage"));
        mastra_json_set(network->state, "routeUsage",
                        mastra_json_ref(mastra_json_get(answer, "usage")));
    }
    if (!wrong && !mastra_json_is_object(network->object)) {
        wrong = mastra_result_make(network->pool, 502, "NETWORK_MODEL",
                                   "The model gave no decision");
    }
    network->heard(network, wrong);
}

static const mastra_sink_vtable_t talk_vtable = { .chunk = on_chunk,
                                                  .end = on_end };

/* ---- asking ---- */

/* Of the request's options, those that say how the model is asked. */
static void add_settings(const mastra_network_t *network, mastra_json_t *made)
{
    static const char *const names[] = { "model", "modelSettings",
                                         "providerOptions", NULL };
    const mastra_json_t *options = mastra_json_get(network->state, "options");
    int i;

    for (i = 0; names[i]; i++) {
        mastra_json_t *value = mastra_json_get(options, names[i]);

        if (value) {
            mastra_json_set(made, names[i], mastra_json_ref(value));
        }
    }
}

static mastra_json_t *options_of(const mastra_network_t *network,
                                 const char *question, mastra_json_t *schema)
{
    mastra_json_t *messages = mastra_json_copy_flat(
        mastra_json_get(network->state, "log"));
    mastra_json_t *made;

    mastra_json_append(messages, mastra_json_pack("{s:s, s:s}", "role", "user",
                                                  "content", question));
    made = mastra_json_pack(
        "{s:o, s:o, s:{s:O}, s:[], s:i}", "messages", messages, "instructions",
        instructions(network), "structuredOutput", "schema", schema,
        "activeTools", "maxSteps", 1);
    add_settings(network, made);
    return made;
}

static void ask(mastra_network_t *network, const char *question,
                mastra_json_t *schema, int stream)
{
    mastra_principal_t principal = { .resource_id = network->owner,
                                     .request_context = network->context,
                                     .depth = network->depth };
    mastra_json_t *options = options_of(network, question, schema);
    mastra_result_t *error = NULL;

    mastra_json_unref(network->object);
    network->object = NULL;
    network->shown = 0;
    network->asked_at = apr_time_now();
    network->talk.vtable = &talk_vtable;
    network->run = mastra_agent_run_make(network->env, network->agent, options,
                                         stream, &principal, &error,
                                         network->pool);
    mastra_json_unref(options);
    if (!network->run) {
        network->heard(network, error);
        return;
    }
    mastra_agent_run_begin(network->run, &network->talk);
}

static mastra_json_t *schema_of(mastra_network_t *network, const char *text)
{
    mastra_json_t *json = NULL;

    mastra_json_parse(&json, text, strlen(text), 0, NULL);
    return mastra_json_own(json, network->pool);
}

void mastra_network_ask_next(mastra_network_t *network)
{
    ask(network, next_question(network), schema_of(network, route_schema), 0);
}

void mastra_network_ask_complete(mastra_network_t *network)
{
    ask(network, complete_question(network),
        schema_of(network, complete_schema), 1);
}

void mastra_network_ask_object(mastra_network_t *network)
{
    mastra_json_t *schema = mastra_json_path(network->state, "options",
                                             "structuredOutput", "schema",
                                             NULL);

    ask(network, apr_pstrcat(network->pool, "The task:\n",
                             mastra_network_str(network, "task"),
                             "\n\nIt is complete. The answer:\n",
                             *network->final ? network->final
                                             : network->result_text,
                             "\n\nGive this answer as JSON.", NULL),
        schema, 1);
}

void mastra_network_hush(mastra_network_t *network)
{
    if (network->run) {
        mastra_agent_run_cancel(network->run);
        network->run = NULL;
    }
}
