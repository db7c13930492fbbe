/* OpenAI's Responses API as upstream: bodies of requests, answers in its wire
 * form, and which models are asked by it. */
#include "body.h"
#include "drive.h"
#include "feed.h"
#include "server.h"

/* ---- requests ---- */

#define HI "'prompt':[{'role':'user','content':[{'type':'text','text':'hi'}]}]"
#define INPUT(list) "'input':[" list "]"
#define USER(parts) "{'role':'user','content':[" parts "]}"
#define SAID(text) "{'role':'assistant','content':[{'type':'output_text'," \
                   "'text':'" text "'}]}"
#define TEXT(text) "{'type':'input_text','text':'" text "'}"
#define BODY_HI INPUT(USER(TEXT("hi")))
#define SECRET ",'store':false,'include':['reasoning.encrypted_content']"
#define TOOL "{'name':'t','description':'d','inputSchema':{'type':'object'}}"
#define BODY_TOOL "'tools':[{'type':'function','name':'t','description':'d'," \
                  "'parameters':{'type':'object'}}]"

static const body_case_t bodies[] = {
    { "a model that reasons", "gpt-5-mini",
      "{'stream':true,'settings':{'temperature':0.5,'maxOutputTokens':9,"
      "'stopSequences':['X'],'seed':7},'prompt':[{'role':'system','content':"
      "'Be brief.'},{'role':'user','content':'hi'}]}",
      "{'model':'gpt-5-mini'," INPUT("{'role':'developer','content':"
      "'Be brief.'}," USER(TEXT("hi"))) ",'max_output_tokens':9" SECRET
      ",'stream':true}" },
    { "one that does not", "gpt-4o",
      "{'settings':{'temperature':0.5,'topP':0.9},'prompt':[{'role':'system',"
      "'content':'s'},{'role':'user','content':'hi'}]}",
      "{'model':'gpt-4o'," INPUT("{'role':'system','content':'s'},"
      USER(TEXT("hi"))) ",'temperature':0.5,'top_p':0.9,'store':false}" },
    { "options", "o3",
      "{'provider_options':{'openai':{'reasoningEffort':'low',"
      "'reasoningSummary':'auto','textVerbosity':'low','user':'u',"
      "'parallelToolCalls':false,'store':true,'include':[],'model':'evil'}},"
      HI "}",
      "{'model':'o3'," BODY_HI ",'text':{'verbosity':'low'},"
      "'parallel_tool_calls':false,'user':'u','store':true,'include':[],"
      "'reasoning':{'effort':'low','summary':'auto'}}" },
    { "going on with what OpenAI keeps", "o3",
      "{'provider_options':{'openai':{'previousResponseId':'r0'}}," HI "}",
      "{'model':'o3'," BODY_HI ",'previous_response_id':'r0','include':["
      "'reasoning.encrypted_content']}" },
    { "an answer by a schema", "gpt-4o",
      "{'response_schema':{'type':'object'}," HI "}",
      "{'model':'gpt-4o'," BODY_HI ",'text':{'format':{'type':'json_schema',"
      "'strict':true,'name':'response','schema':{'type':'object'}}},"
      "'store':false}" },
    { "tools", "gpt-4o", "{'tools':[" TOOL "]," HI "}",
      "{'model':'gpt-4o'," BODY_HI ",'store':false," BODY_TOOL
      ",'tool_choice':'auto'}" },
    { "this tool", "gpt-4o",
      "{'tools':[" TOOL "],'tool_choice':{'type':'tool','toolName':'t'}," HI
      "}",
      "{'model':'gpt-4o'," BODY_HI ",'store':false," BODY_TOOL
      ",'tool_choice':{'type':'function','name':'t'}}" },
    { "files", "gpt-4o",
      "{'prompt':[{'role':'user','content':[{'type':'image','image':'aGk='},"
      "{'type':'image','image':'https://h/i.png'},{'type':'file','data':"
      "'aGk=','mediaType':'application/pdf','filename':'a.pdf'},{'type':"
      "'file','data':'https://h/a.pdf','mediaType':'application/pdf'},{'type'"
      ":'file','data':'aGk=','mediaType':'text/plain'}]}]}",
      "{'model':'gpt-4o'," INPUT(USER("{'type':'input_image','image_url':"
      "'data:image/jpeg;base64,aGk='},{'type':'input_image','image_url':"
      "'https://h/i.png'},{'type':'input_file','filename':'a.pdf','file_data':"
      "'data:application/pdf;base64,aGk='},{'type':'input_file','file_url':"
      "'https://h/a.pdf'}," TEXT("hi"))) ",'store':false}" },
    { "audio", "gpt-4o",
      "{'prompt':[{'role':'user','content':[{'type':'file','data':'aGk=',"
      "'mediaType':'audio/wav'}]}]}", NULL, MASTRA_FAIL_UNSUPPORTED },
    { "thoughts as only OpenAI can read them, calls and results", "gpt-5",
      "{'prompt':[{'role':'user','content':'q'},{'role':'assistant','content':"
      "[{'type':'reasoning','text':'one','providerOptions':{'openai':"
      "{'itemId':'rs_1'}}},{'type':'reasoning','text':'two',"
      "'providerOptions':{'openai':{'itemId':'rs_1',"
      "'reasoningEncryptedContent':'ENC'}}},{'type':'reasoning','text':'x',"
      "'providerOptions':{'openai':{'itemId':'rs_2'}}},{'type':'reasoning',"
      "'text':'of another'},{'type':'text','text':'Let me.'},{'type':"
      "'tool-call','toolCallId':'c1','toolName':'t','input':{'a':1}}]},"
      "{'role':'tool','content':[{'type':'tool-result','toolCallId':'c1',"
      "'toolName':'t','output':{'type':'json','value':{'x':1}}}]},{'role':"
      "'assistant','content':'done'}]}",
      "{'model':'gpt-5'," INPUT(USER(TEXT("q")) ",{'type':'reasoning','id':"
      "'rs_1','encrypted_content':'ENC','summary':[{'type':'summary_text',"
      "'text':'one'},{'type':'summary_text','text':'two'}]}," SAID("Let me.")
      ",{'type':'function_call','call_id':'c1','name':'t','arguments':"
      "'{\\'a\\':1}'},{'type':'function_call_output','call_id':'c1','output':"
      "'{\\'x\\':1}'}," SAID("done")) SECRET "}" },
};

/* ---- answers ---- */

#define E(name, json) "event: response." name "\ndata: {\"type\":\"response." \
                      name "\"" json "}\n\n"
#define R(status, more) "\"response\":{\"id\":\"resp_1\",\"object\":" \
    "\"response\",\"created_at\":1700000000,\"status\":\"" status "\"," \
    "\"model\":\"gpt-x\",\"error\":null,\"output\":[]" more "}"
#define START E("created", "," R("in_progress", "")) \
              E("in_progress", "," R("in_progress", ""))
#define USAGE ",\"usage\":{\"input_tokens\":10,\"input_tokens_details\":{" \
              "\"cached_tokens\":4},\"output_tokens\":25," \
              "\"output_tokens_details\":{\"reasoning_tokens\":10}," \
              "\"total_tokens\":35}"
#define DONE E("completed", "," R("completed", USAGE))
#define ADDED(i, json) E("output_item.added", ",\"output_index\":" i "," \
                         "\"item\":" json)
#define ENDED(i, json) E("output_item.done", ",\"output_index\":" i "," \
                         "\"item\":" json)
#define MSG "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\"," \
            "\"content\":[]}"
#define WORD(text) E("output_text.delta", ",\"item_id\":\"msg_1\"," \
                     "\"output_index\":0,\"content_index\":0,\"delta\":\"" \
                     text "\"")
#define THOUGHT(part, text) E("reasoning_summary_text.delta", ",\"item_id\":" \
    "\"rs_1\",\"output_index\":0,\"summary_index\":" part ",\"delta\":\"" \
    text "\"")
#define ARGS(i, json) E("function_call_arguments.delta", ",\"item_id\":" \
    "\"fc_1\",\"output_index\":" i ",\"delta\":\"" json "\"")
#define CALL(id, name, args) "{\"id\":\"fc_1\",\"type\":\"function_call\"," \
    "\"arguments\":\"" args "\",\"call_id\":\"" id "\",\"name\":\"" name "\"}"
#define META " meta {\"openai\":{\"responseId\":\"resp_1\"}}"
#define ITEM "{\"openai\":{\"itemId\":\"rs_1\"}}"
#define KEPT "{\"openai\":{\"itemId\":\"rs_1\",\"reasoningEncryptedContent\":" \
             "\"ENC\"}}"
#define WHOLE "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":" \
    "1700000000,\"status\":\"completed\",\"model\":\"gpt-x\",\"error\":null," \
    "\"output\":[{\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":[{" \
    "\"type\":\"summary_text\",\"text\":\"one\"},{\"type\":\"summary_text\"," \
    "\"text\":\"two\"}],\"encrypted_content\":\"ENC\"},{\"id\":\"msg_1\"," \
    "\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":" \
    "\"output_text\",\"text\":\"a\",\"annotations\":[]}]}," \
    CALL("c1", "t", "{}") "],\"incomplete_details\":null}"
#define WHOLE_REFUSAL "{\"id\":\"resp_1\",\"status\":\"completed\"," \
    "\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"refusal\"," \
    "\"refusal\":\"no\"}]}]}"

static const feed_case_t answers[] = {
    { "words", 1, 1,
      START ADDED("0", MSG) WORD("Hel") WORD("lö") ENDED("0", MSG) DONE,
      MASTRA_FAIL_NONE,
      "response\ntext [Hel]\ntext [lö]\npart-end\nfinish stop/- 35" META
      "\n" },
    { "a summary in two parts, and what was thought", 1, 1,
      START ADDED("0", "{\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":"
                  "[]}")
      THOUGHT("0", "Think ") THOUGHT("0", "one") THOUGHT("1", "two")
      ENDED("0", "{\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":[{"
            "\"text\":\"Think one\"},{\"text\":\"two\"}],"
            "\"encrypted_content\":\"ENC\"}")
      ADDED("1", MSG) WORD("a") ENDED("1", MSG) DONE, MASTRA_FAIL_NONE,
      "response\nreasoning rs_1:0 meta " ITEM " [Think ]\n"
      "reasoning rs_1:0 meta " ITEM " [one]\npart-end\n"
      "reasoning rs_1:1 meta " ITEM " [two]\npart-end meta " KEPT "\n"
      "text [a]\npart-end\nfinish stop/- 35" META "\n" },
    { "what was thought, without a summary", 1, 1,
      START ADDED("0", "{\"id\":\"rs_1\",\"type\":\"reasoning\"}")
      ENDED("0", "{\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":[],"
            "\"encrypted_content\":\"ENC\"}")
      ADDED("1", MSG) WORD("a") ENDED("1", MSG) DONE, MASTRA_FAIL_NONE,
      "response\nreasoning rs_1:0 meta " ITEM " []\npart-end meta " KEPT "\n"
      "text [a]\npart-end\nfinish stop/- 35" META "\n" },
    { "thinking that leaves nothing", 1, 1,
      START ADDED("0", "{\"id\":\"rs_1\",\"type\":\"reasoning\"}")
      ENDED("0", "{\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":[]}")
      DONE, MASTRA_FAIL_NONE, "response\nfinish stop/- 35" META "\n" },
    { "calls in pieces", 1, 1,
      START ADDED("0", MSG) WORD("Let me.") ENDED("0", MSG)
      ADDED("1", CALL("c1", "a", "")) ARGS("1", "{\\\"x\\\":") ARGS("1", "1}")
      ENDED("1", CALL("c1", "a", "{\\\"x\\\":1}"))
      ADDED("2", CALL("c2", "b", "")) ENDED("2", CALL("c2", "b", "{}")) DONE,
      MASTRA_FAIL_NONE,
      "response\ntext [Let me.]\npart-end\nstart c1 a\ndelta c1 a [{\"x\":]\n"
      "delta c1 a [1}]\nstart c2 b\ndelta c2 b [{}]\nend c1 a\n"
      "call c1 a {\"x\":1}\nend c2 b\ncall c2 b {}\n"
      "finish tool-calls/- 35" META "\n" },
    { "too long an answer", 1, 1,
      START ADDED("0", MSG) WORD("a")
      E("incomplete", "," R("incomplete", ",\"incomplete_details\":{\"reason\""
                            ":\"max_output_tokens\"}" USAGE)),
      MASTRA_FAIL_NONE,
      "response\ntext [a]\nfinish length/max_output_tokens 35" META "\n" },
    { "a filtered answer", 1, 1,
      START E("incomplete", "," R("incomplete", ",\"incomplete_details\":{"
                                  "\"reason\":\"content_filter\"}" USAGE)),
      MASTRA_FAIL_NONE,
      "response\nfinish content-filter/content_filter 35" META "\n" },
    { "a refusal", 1, 1,
      START ADDED("0", MSG) E("refusal.delta", ",\"delta\":\"I cannot\"")
      ENDED("0", MSG) DONE, MASTRA_FAIL_NONE,
      "response\ntext [I cannot]\npart-end\nfinish content-filter/refusal 35"
      META "\n" },
    { "a failed response", 1, 1,
      START "data: {\"type\":\"response.failed\",\"response\":{\"id\":"
      "\"resp_1\",\"status\":\"failed\",\"error\":{\"code\":"
      "\"rate_limit_exceeded\",\"message\":\"x\"}}}\n\n",
      MASTRA_FAIL_RATE_LIMIT, "response\n" },
    { "a failed response that says no more", 1, 1,
      START "data: {\"type\":\"response.failed\",\"response\":{\"status\":"
      "\"failed\",\"error\":null}}\n\n", MASTRA_FAIL_UPSTREAM, "response\n" },
    { "an error event", 1, 1,
      "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\","
      "\"message\":\"x\",\"param\":null}\n\n", MASTRA_FAIL_UPSTREAM, "" },
    { "an error without the event's name", 1, 1,
      "data: {\"type\":\"error\",\"code\":\"context_length_exceeded\"}\n\n",
      MASTRA_FAIL_PROMPT_SIZE, "" },
    { "cut behind a word", 1, 1, START ADDED("0", MSG) WORD("a"),
      MASTRA_FAIL_CUT, "response\ntext [a]\n" },
    { "cut behind a refusal", 1, 1,
      START E("refusal.delta", ",\"delta\":\"I\""), MASTRA_FAIL_CUT,
      "response\ntext [I]\n" },
    { "shapes that are not what they should be", 1, 1,
      E("created", ",\"response\":7") E("output_item.added", ",\"item\":7")
      E("output_item.done", "") E("output_text.delta", ",\"delta\":7")
      E("reasoning_summary_text.delta", "")
      E("function_call_arguments.delta", ",\"output_index\":-5,\"delta\":\"x\"")
      E("function_call_arguments.delta", ",\"output_index\":999,\"delta\":"
        "\"x\"") "data: {\"type\":7}\n\n" E("completed", ""),
      MASTRA_FAIL_NONE, "response\nfinish stop/- 0 meta {\"openai\":{"
      "\"responseId\":\"\"}}\n" },
    { "a whole answer", 0, 0, WHOLE, MASTRA_FAIL_NONE,
      "response\nreasoning rs_1:0 meta " ITEM " [one]\npart-end\n"
      "reasoning rs_1:1 meta " ITEM " [two]\npart-end meta " KEPT "\n"
      "text [a]\npart-end\ncall c1 t {}\nfinish tool-calls/- 0" WHOLE META
      "\n" },
    { "a whole refusal", 0, 0, WHOLE_REFUSAL, MASTRA_FAIL_NONE,
      "response\ntext [no]\npart-end\nfinish content-filter/refusal 0"
      WHOLE_REFUSAL META "\n" },
    { "a whole answer that is an error", 0, 0,
      "{\"error\":{\"code\":\"invalid_api_key\",\"message\":\"x\"}}",
      MASTRA_FAIL_KEY_REFUSED, "" },
    { "a document of another kind", 0, 0, "{\"output\":7}",
      MASTRA_FAIL_ANSWER, "" },
};

/* ---- who is asked by it ---- */

static void test_choice(void)
{
    static const char *const yes[] = {
        "o1", "o3-mini", "o4-mini-deep-research", "gpt-5", "gpt-5-mini",
        "gpt-5.1-codex", "gpt-6-sol", "codex-mini-latest",
        "computer-use-preview"
    };
    static const char *const no[] = {
        "gpt-4o", "gpt-4.1", "gpt-3.5-turbo", "gpt-5-chat-latest", "omni",
        "o1x", "chatgpt-4o-latest", "gpt-oss-120b", "llama-5", ""
    };
    mastra_model_provider_t theirs = { .base_url = "https://api.openai.com/v1" };
    mastra_model_provider_t other = { .base_url = "http://127.0.0.1/v1" };
    mastra_model_request_t request = { .model_id = "gpt-5" };
    apr_size_t i;

    for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        ok(mastra_responses_is_wanted(yes[i]), yes[i]);
    }
    for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        ok(!mastra_responses_is_wanted(no[i]), *no[i] ? no[i] : "no name");
    }
    ok(mastra_model_openai.wire(&theirs, &request) == &mastra_wire_responses,
       "OpenAI's own server is asked by Responses");
    ok(mastra_model_openai.wire(&other, &request) == &mastra_wire_chat,
       "compatible servers are not");
    ok(mastra_model_responses.wire(&other, &request)
       == &mastra_wire_responses, "unless their kind says so");
    is_str(mastra_wire_responses.url(&theirs, &request, pool),
           "https://api.openai.com/v1/responses", "the address");
}

static void test_call(void)
{
    static const char *const script[] = {
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Connection: close\r\n\r\n" START "event: error\ndata: {\"type\":"
        "\"error\",\"code\":\"server_error\",\"message\":\"x\"}\n\n" S_CLOSE,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Content-Length: 100000\r\n\r\n" START WORD("Hi") S_NAP DONE S_HOLD,
        NULL
    };
    const char *url = apr_psprintf(pool, "http://127.0.0.1:%d/v1",
                                   server.port);
    mastra_models_t *models = mastra_models_make(pool);
    const char *model;
    drive_t drive;

    server_script(script);
    ok(!mastra_models_add(models, "r", "openai-responses", url, "TEST_KEY",
                          NULL, 0, -1), "a provider");
    drive_init(&drive, mastra_models_find(models, "r/m", &model));
    drive.request.stream = 1;
    drive.request.prompt = drive_prompt("hi");
    drive_run(&drive);
    is_str(drive.code, "", "an error before the first word, then well");
    ok(strstr(trace_text(&drive.trace), "text [Hi]\nfinish stop/- 35"),
       "the answer ends when the response does, not the connection");
    ok(strstr(server.heads[0], "POST /v1/responses HTTP/1.1\r\n"),
       "method and path");
    ok(strstr(server.heads[0], "\r\nAuthorization: Bearer sk-test\r\n"),
       "the key");
    drive_free(&drive);
}

int main(void)
{
    apr_size_t i;

    setenv("TEST_KEY", "sk-test", 1);
    server_start();
    drive_begin();
    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        test_body(&bodies[i], &mastra_model_responses);
    }
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        test_feed(&mastra_wire_responses, &answers[i]);
    }
    test_choice();
    test_call();
    mastra_loop_stop(loop);
    server_stop();
    apr_pool_destroy(pool);
    return tap_done();
}
