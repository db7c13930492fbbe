/* Agents as tools of agents, steps that are stored one by one, and runs that
 * are cancelled in the middle. */
#include "ask.h"

#define CALL(id, name, args) "{\"id\":\"" id "\",\"name\":\"" name \
    "\",\"args\":" args "}"
#define Q "\"messages\":\"q\""
#define SYSTEM(text) "{\"role\":\"system\",\"content\":\"" text "\"}"
#define USER(text) "{\"role\":\"user\",\"content\":[{\"type\":\"text\"," \
    "\"text\":\"" text "\"}]}"

static mastra_json_t *result_of(const ask_t *one)
{
    return mastra_json_path(mastra_json_at(mastra_json_get(
        one->answer, "toolResults"), 0), "payload", "result", NULL);
}

static void delegates(void)
{
    static const char says[] = "[{\"calls\":[" CALL("c", "helper",
        "{\"prompt\":\"do it\"}") "]},{\"text\":\"done\"},{\"text\":\"good\"}]";
    ask_t *one = ask("boss", 0, Q, says);

    is_str(mastra_json_get_str(one->answer, "text"), "good",
           "an agent calls another");
    is_str(was_asked(1, "prompt"), "[" SYSTEM("I help Ann.") ","
           USER("do it") "]", "... with a prompt and the request context");
    is_str(mastra_json_get_str(result_of(one), "text"), "done",
           "... and has what it said");
    is_str(text_of(mastra_json_get(result_of(one), "usage")),
           "{\"inputTokens\":1,\"outputTokens\":2,\"totalTokens\":3}",
           "... and what it used");
    ok(strstr(was_asked(2, "prompt"),
              "\"output\":{\"type\":\"text\",\"value\":\"done\"}"),
       "... of which the model reads the text");
    one = ask("boss", 1, Q, says);
    is_str(types(one), "start step-start tool-call-input-streaming-start "
           "tool-call-input-streaming-end tool-call tool-output tool-output "
           "tool-output tool-output tool-output tool-output tool-output "
           "tool-result step-finish step-start text-start text-delta text-end "
           "step-finish finish", "a stream tells what it says, as it says it");
    is_str(mastra_json_get_str(mastra_json_path(
               chunk(one, "tool-output", 3), "payload", "output", "payload",
               NULL), "text"), "done", "... chunk by chunk");
    slow = 1;
    one = ask("boss", 1, Q, says);
    slow = 0;
    is_int(mastra_json_size(one->chunks), 20,
           "a client that is slow gets all of it");
    one = ask("boss", 0, Q, "[{\"calls\":[" CALL("c", "helper",
              "{\"prompt\":\"x\"}") "]},{\"fail\":502},{\"text\":\"sorry\"}]");
    is_str(mastra_json_get_str(one->answer, "text"), "sorry",
           "what goes wrong in it is the tool's error");
    ok(strstr(was_asked(2, "prompt"), "the model fails"), "... for the model");
    one = ask("boss", 0, Q, "[{\"calls\":[" CALL("c", "helper", "{}")
              "]},{\"text\":\"x\"}]");
    is_int(nasked, 2, "without a prompt it is not asked");
}

static void persons(void)
{
    ask_t *one = ask("boss", 0, Q, "[{\"calls\":[" CALL("c", "careful",
        "{\"prompt\":\"x\"}") "]},{\"calls\":[" CALL("d", "danger", "{}")
        "]},{\"text\":\"not\"},{\"text\":\"well\"}]");

    is_str(mastra_json_get_str(one->answer, "finishReason"), "suspended",
           "an agent waits while one that is its tool waits for a person");
    is_str(mastra_json_get_str(mastra_json_get(one->answer, "suspendPayload"),
                               "toolCallId"), "c",
           "... which is asked about the agent's own call");
}

static void depths(void)
{
    const char *says = "[";
    ask_t *one;
    int i;

    for (i = 0; i < 20; i++) {
        says = apr_pstrcat(pool, says, i ? "," : "", "{\"calls\":["
                           CALL("c", "mirror", "{\"prompt\":\"x\"}") "]}",
                           NULL);
    }
    one = ask("mirror", 0, Q ",\"maxSteps\":1", apr_pstrcat(pool, says, "]",
                                                            NULL));
    ok(one->answer, "an agent that calls itself comes to an end");
    is_int(nasked >= 9 && nasked < 60, 1, "... at the eighth call in a row");
}

/* ---- cancel ---- */

static void do_cancel(void *baton)
{
    ask_t *one = baton;

    mastra_agent_run_cancel(one->run);
    wake(one);
}

static void cancels(void)
{
    mastra_msg_t stop = { .cb = do_cancel };
    ask_t *one;

    script = parse("[{\"calls\":[" CALL("c", "helper", "{\"prompt\":\"x\"}")
                   "]},{\"hang\":true}]");
    one = ask_make("boss", parse("{" Q "}"), 1, NULL);
    mastra_loop_post(env.loop, &one->msg);
    while (*(volatile int *)&nasked < 2) {
        usleep(1000);
    }
    stop.baton = one;
    mastra_loop_post(env.loop, &stop);
    ask_wait(one);
    is_int(ncancelled, 1, "who cancels a run cancels the run of its tool");
    is_int(mastra_json_size(one->chunks) > 0, 1, "... that had begun");
}

/* ---- storage ---- */

static apr_status_t read_thread(mastra_db_t *db, void *baton, apr_pool_t *p)
{
    return mastra_messages_last(baton, db, "t", 10, p);
}

static int nstored[3];

/* On the loop, which would not wait for storage but in a test. */
static void count_stored(void)
{
    mastra_json_t *messages = NULL;

    mastra_store_call(env.store, MASTRA_STORE_READ, read_thread, &messages);
    if (nasked <= 3) {
        nstored[nasked - 1] = (int)mastra_json_size(messages);
    }
    mastra_json_unref(messages);
}

static const char *parts_of_last(void)
{
    mastra_json_t *messages = NULL;
    const char *text = "";
    const mastra_json_t *parts;
    apr_size_t i;

    mastra_store_call(env.store, MASTRA_STORE_READ, read_thread, &messages);
    mastra_json_own(messages, pool);
    parts = mastra_json_path(mastra_json_at(messages,
                                            mastra_json_size(messages) - 1),
                             "content", "parts", NULL);
    for (i = 0; i < mastra_json_size(parts); i++) {
        text = apr_pstrcat(pool, text, *text ? " " : "", mastra_json_get_str(
                               mastra_json_at(parts, i), "type"), NULL);
    }
    return text;
}

static void steps(void)
{
    static const char says[] = "[{\"calls\":[" CALL("c", "give", "{}")
        "]},{\"calls\":[" CALL("d", "give", "{}") "]},{\"text\":\"x\"}]";
    static const char memory[] = "\"memory\":{\"thread\":\"t\","
        "\"resource\":\"r\"}";

    before_call = count_stored;
    ask("boss", 0, apr_pstrcat(pool, Q ",", memory, NULL), says);
    is_int(nstored[0], 1, "a question is stored before the model is asked");
    is_int(nstored[2], 1, "... the answer when it is whole");
    ask("boss", 0, apr_pstrcat(pool, "\"messages\":\"r\",\"savePerStep\":true,",
                               memory, NULL), says);
    is_int(nstored[0], 3, "with savePerStep, too");
    is_int(nstored[1], 4, "... but each step as soon as it is over");
    is_int(nstored[2], 4, "... into the same message");
    before_call = NULL;
    is_str(parts_of_last(), "tool-invocation step-start tool-invocation "
           "step-start text", "... which is whole in the end");
    ask("boss", 0, apr_pstrcat(pool, "\"messages\":[{\"role\":\"tool\","
        "\"content\":[{\"type\":\"tool-result\",\"toolCallId\":\"z\","
        "\"toolName\":\"mine\",\"result\":1}]}],", memory, NULL),
        "[{\"text\":\"x\"}]");
    is_str(parts_of_last(), "tool-invocation step-start text",
           "a result from the client is stored with the answer to it");
}

int main(void)
{
    char dir[] = "/tmp/mastra-agent-XXXXXX", command[64];
    int rc;

    if (!mkdtemp(dir)) {
        printf("Bail out! no directory\n");
        return 1;
    }
    world_begin();
    open_store(apr_pstrcat(pool, dir, "/db", NULL));
    add_tool("give", "{\"execute\":{\"kind\":\"give\"}}");
    add_tool("danger", "{\"requireApproval\":true,\"execute\":{\"kind\":\"give\"}}");
    add_tool("helper", "{\"execute\":{\"kind\":\"agent\",\"agent\":\"plain\"}}");
    add_tool("careful", "{\"execute\":{\"kind\":\"agent\","
             "\"agent\":\"careful\"}}");
    add_tool("mirror", "{\"execute\":{\"kind\":\"agent\",\"agent\":\"mirror\"}}");
    add_tool("lost", "{\"execute\":{\"kind\":\"agent\",\"agent\":\"nobody\"}}");
    add_agent("plain", "{\"model\":\"s/m\",\"instructions\":"
              "\"I help {{name}}.\"}");
    add_agent("careful", "{\"model\":\"s/m\",\"tools\":[\"danger\"]}");
    add_agent("mirror", "{\"model\":\"s/m\",\"tools\":[\"mirror\"],"
              "\"defaultOptions\":{\"maxSteps\":1}}");
    add_agent("boss", "{\"model\":\"s/m\",\"memory\":true,\"tools\":[\"helper\","
              "\"careful\",\"give\"]}");
    ok(!mastra_agents_check_tool(agents, mastra_tools_find(tools, "helper"),
                                 pool), "a tool may name an agent");
    is_str(mastra_agents_check_tool(agents, mastra_tools_find(tools, "lost"),
                                    pool)->message,
           "there is no agent \"nobody\"", "... that exists");
    delegates();
    persons();
    depths();
    cancels();
    steps();
    rc = world_end();
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) ? 1 : rc;
}
