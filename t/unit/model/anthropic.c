/* The Messages API: bodies of requests, answers in its wire form, and calls of
 * a server that speaks it. */
#include "body.h"
#include "drive.h"
#include "feed.h"
#include "server.h"

/* ---- requests ---- */

#define HI "'prompt':[{'role':'user','content':[{'type':'text','text':'hi'}]}]"
#define MESSAGES(list) "'messages':[" list "]"
#define USER(blocks) "{'role':'user','content':[" blocks "]}"
#define SAID(blocks) "{'role':'assistant','content':[" blocks "]}"
#define TEXT(text) "{'type':'text','text':'" text "'}"
#define BODY_HI MESSAGES(USER(TEXT("hi")))
#define TOOL "{'name':'t','description':'d','inputSchema':{'type':'object'}}"
#define BODY_TOOL "'tools':[{'name':'t','description':'d','input_schema':" \
                  "{'type':'object'}}]"
#define JSON_TOOL "{'name':'json','description':'Respond with a JSON object.'" \
                  ",'input_schema':{'type':'object'}}"

static const body_case_t bodies[] = {
    { "system texts stand apart, wherever they come", "claude-sonnet-4-5",
      "{'stream':true,'prompt':[{'role':'system','content':'Be brief.'},"
      "{'role':'user','content':[{'type':'text','text':'hi'}]},"
      "{'role':'system','content':'Really.'}]}",
      "{'model':'claude-sonnet-4-5','max_tokens':64000,'system':["
      TEXT("Be brief.") "," TEXT("Really.") "]," BODY_HI ",'stream':true}" },
    { "settings", "claude-3-5-haiku-latest",
      "{'settings':{'maxOutputTokens':9,'temperature':0.5,'topK':3,"
      "'stopSequences':['X'],'seed':7,'presencePenalty':1}," HI "}",
      "{'model':'claude-3-5-haiku-latest','max_tokens':9,'temperature':0.5,"
      "'top_k':3,'stop_sequences':['X']," BODY_HI "}" },
    { "a temperature beyond 1 is 1, and goes without top_p",
      "claude-opus-4-20250514",
      "{'settings':{'temperature':1.7,'topP':0.9}," HI "}",
      "{'model':'claude-opus-4-20250514','max_tokens':32000,'temperature':1,"
      BODY_HI "}" },
    { "top_p alone", "claude-opus-4-1", "{'settings':{'topP':0.9}," HI "}",
      "{'model':'claude-opus-4-1','max_tokens':32000,'top_p':0.9," BODY_HI
      "}" },
    { "models that refuse settings get none", "claude-opus-5",
      "{'settings':{'temperature':0.5,'topK':3}," HI "}",
      "{'model':'claude-opus-5','max_tokens':128000," BODY_HI "}" },
    { "more tokens than the model has are not asked for", "claude-sonnet-4-5",
      "{'settings':{'maxOutputTokens':999999}," HI "}",
      "{'model':'claude-sonnet-4-5','max_tokens':64000," BODY_HI "}" },
    { "a model of another make", "kimi-k3", "{" HI "}",
      "{'model':'kimi-k3','max_tokens':4096," BODY_HI "}" },
    { "thinking takes tokens of its own, and no temperature",
      "claude-sonnet-4-5",
      "{'settings':{'maxOutputTokens':3000,'temperature':0.3},"
      "'provider_options':{'anthropic':{'thinking':{'type':'enabled',"
      "'budgetTokens':1024},'metadata':{'userId':'u'}}}," HI "}",
      "{'model':'claude-sonnet-4-5','max_tokens':4024,'thinking':{'type':"
      "'enabled','budget_tokens':1024},'metadata':{'user_id':'u'}," BODY_HI
      "}" },
    { "thinking as the model likes, with an effort", "claude-opus-4-6",
      "{'provider_options':{'anthropic':{'thinking':{'type':'adaptive'},"
      "'effort':'low'}}," HI "}",
      "{'model':'claude-opus-4-6','max_tokens':128000,'thinking':{'type':"
      "'adaptive'},'output_config':{'effort':'low'}," BODY_HI "}" },
    { "no thinking", "claude-opus-4-1",
      "{'provider_options':{'anthropic':{'thinking':{'type':'disabled'}}},"
      HI "}",
      "{'model':'claude-opus-4-1','max_tokens':32000," BODY_HI "}" },
    { "tools", NULL, "{'tools':[" TOOL ",{'name':'u'}]," HI "}",
      "{'model':'m','max_tokens':4096," BODY_HI ",'tools':[{'name':'t',"
      "'description':'d','input_schema':{'type':'object'}},{'name':'u',"
      "'input_schema':{'type':'object','properties':{}}}],'tool_choice':"
      "{'type':'auto'}}" },
    { "a tool must be called", NULL,
      "{'tools':[" TOOL "],'tool_choice':'required','provider_options':"
      "{'anthropic':{'disableParallelToolUse':true}}," HI "}",
      "{'model':'m','max_tokens':4096," BODY_HI "," BODY_TOOL
      ",'tool_choice':{'type':'any','disable_parallel_tool_use':true}}" },
    { "this tool", NULL,
      "{'tools':[" TOOL "],'tool_choice':{'type':'tool','toolName':'t'}," HI
      "}",
      "{'model':'m','max_tokens':4096," BODY_HI "," BODY_TOOL
      ",'tool_choice':{'type':'tool','name':'t'}}" },
    { "no tool", NULL, "{'tools':[" TOOL "],'tool_choice':'none'," HI "}",
      "{'model':'m','max_tokens':4096," BODY_HI "," BODY_TOOL
      ",'tool_choice':{'type':'none'}}" },
    { "an answer by a schema", "claude-sonnet-4-5",
      "{'response_schema':{'type':'object','properties':{'n':{'type':'number'"
      ",'minimum':1,'description':'N'}},'required':['n']}," HI "}",
      "{'model':'claude-sonnet-4-5','max_tokens':64000,'output_config':"
      "{'format':{'type':'json_schema','schema':{'type':'object','properties'"
      ":{'n':{'description':'N\\nminimum: 1.','type':'number'}},"
      "'additionalProperties':false,'required':['n']}}}," BODY_HI "}" },
    { "an answer by a schema of a model that has only tools", "claude-3-haiku",
      "{'response_schema':{'type':'object'},'tools':[" TOOL "]," HI "}",
      "{'model':'claude-3-haiku','max_tokens':4096," BODY_HI ",'tools':["
      "{'name':'t','description':'d','input_schema':{'type':'object'}},"
      JSON_TOOL "],'tool_choice':{'type':'any','disable_parallel_tool_use':"
      "true}}" },
    { "the same while it thinks", "claude-sonnet-4-20250514",
      "{'response_schema':{'type':'object'},'provider_options':{'anthropic':"
      "{'thinking':{'type':'enabled','budgetTokens':2000}}}," HI "}",
      "{'model':'claude-sonnet-4-20250514','max_tokens':64000,'thinking':"
      "{'type':'enabled','budget_tokens':2000}," BODY_HI ",'tools':["
      JSON_TOOL "],'tool_choice':{'type':'auto','disable_parallel_tool_use':"
      "true}}" },
    { "neighbours of one role are one message", NULL,
      "{'prompt':[{'role':'user','content':'a'},{'role':'user','content':["
      "{'type':'text','text':'b'}]},{'role':'assistant','content':[{'type':"
      "'text','text':'c  '}]},{'role':'assistant','content':'d'},{'role':"
      "'user','content':[{'type':'text','text':' '}]},{'role':'assistant',"
      "'content':[{'type':'text','text':'e \\n'}]}]}",
      "{'model':'m','max_tokens':4096," MESSAGES(USER(TEXT("a") "," TEXT("b"))
      "," SAID(TEXT("c  ") "," TEXT("d")) "," SAID(TEXT("e"))) "}" },
    { "a history that begins with the model", NULL,
      "{'prompt':[{'role':'assistant','content':[{'type':'text','text':'a'}]}"
      ",{'role':'user','content':'b'}]}",
      "{'model':'m','max_tokens':4096," MESSAGES(USER(TEXT(".")) ","
      SAID(TEXT("a")) "," USER(TEXT("b"))) "}" },
    { "images and documents", NULL,
      "{'prompt':[{'role':'user','content':[{'type':'image','image':'aGk='},"
      "{'type':'image','image':'https://h/i.png'},{'type':'file','data':"
      "'data:image/png;base64,aGk='},{'type':'file','data':'aGk=','mediaType'"
      ":'application/pdf','filename':'a.pdf'},{'type':'file','data':"
      "'https://h/a.pdf','mediaType':'application/pdf'},{'type':'file','data'"
      ":'aGk=','mediaType':'text/plain','filename':'a.txt'}]}]}",
      "{'model':'m','max_tokens':4096," MESSAGES(USER(
      "{'type':'image','source':{'type':'base64','media_type':'image/jpeg',"
      "'data':'aGk='}},{'type':'image','source':{'type':'url','url':"
      "'https://h/i.png'}},{'type':'image','source':{'type':'base64',"
      "'media_type':'image/png','data':'aGk='}},{'type':'document','source':"
      "{'type':'base64','media_type':'application/pdf','data':'aGk='},'title'"
      ":'a.pdf'},{'type':'document','source':{'type':'url','url':"
      "'https://h/a.pdf'}},{'type':'document','source':{'type':'text',"
      "'media_type':'text/plain','data':'hi'},'title':'a.txt'}")) "}" },
    { "audio", NULL,
      "{'prompt':[{'role':'user','content':[{'type':'file','data':'aGk=',"
      "'mediaType':'audio/wav'}]}]}", NULL, MASTRA_FAIL_UNSUPPORTED },
    { "data that would break out of its string", NULL,
      "{'prompt':[{'role':'user','content':[{'type':'image','image':'a b'}]}]"
      "}", NULL, MASTRA_FAIL_UNSUPPORTED },
    { "marks for the cache", NULL,
      "{'prompt':[{'role':'system','content':'s','providerOptions':"
      "{'anthropic':{'cacheControl':{'type':'ephemeral'}}}},{'role':'user',"
      "'content':'a'}]}",
      "{'model':'m','max_tokens':4096,'system':[{'type':'text','text':'s',"
      "'cache_control':{'type':'ephemeral'}}]," MESSAGES(USER(TEXT("a"))) "}" },
    { "thoughts with their signature, calls and results", NULL,
      "{'prompt':[{'role':'user','content':'q'},{'role':'assistant','content':"
      "[{'type':'reasoning','text':'hm','providerOptions':{'anthropic':"
      "{'signature':'S'}}},{'type':'reasoning','text':'','providerOptions':"
      "{'anthropic':{'redactedData':'R'}}},{'type':'reasoning','text':"
      "'of another'},{'type':'text','text':'Let me.'},{'type':'tool-call',"
      "'toolCallId':'c1','toolName':'t','input':{'a':1}},{'type':'tool-call',"
      "'toolCallId':'c2','toolName':'t','input':'nonsense'}]},{'role':'tool',"
      "'content':[{'type':'tool-result','toolCallId':'c1','toolName':'t',"
      "'output':{'type':'json','value':{'x':1}}},{'type':'tool-result',"
      "'toolCallId':'c2','toolName':'t','output':{'type':'error-text','value':"
      "'bad'}}]},{'role':'user','content':'go on'}]}",
      "{'model':'m','max_tokens':4096," MESSAGES(USER(TEXT("q")) "," SAID(
      "{'type':'thinking','thinking':'hm','signature':'S'},{'type':"
      "'redacted_thinking','data':'R'}," TEXT("Let me.") ",{'type':'tool_use',"
      "'id':'c1','name':'t','input':{'a':1}},{'type':'tool_use','id':'c2',"
      "'name':'t','input':{}}") "," USER("{'type':'tool_result','tool_use_id':"
      "'c1','content':'{\\'x\\':1}'},{'type':'tool_result','tool_use_id':'c2',"
      "'content':'bad','is_error':true}," TEXT("go on"))) "}" },
    { "thoughts that are to stay here", NULL,
      "{'provider_options':{'anthropic':{'sendReasoning':false}},'prompt':["
      "{'role':'user','content':'q'},{'role':'assistant','content':[{'type':"
      "'reasoning','text':'hm','providerOptions':{'anthropic':{'signature':"
      "'S'}}}]},{'role':'user','content':'r'}]}",
      "{'model':'m','max_tokens':4096," MESSAGES(USER(TEXT("q")) ","
      USER(TEXT("r"))) "}" },
};

/* ---- answers ---- */

#define E(name, json) "event: " name "\ndata: {\"type\":\"" name "\"" json "}\n\n"
#define START E("message_start", ",\"message\":{\"id\":\"msg_1\",\"type\":" \
                "\"message\",\"role\":\"assistant\",\"content\":[],\"model\":" \
                "\"claude-x\",\"stop_reason\":null,\"usage\":{" \
                "\"input_tokens\":10,\"cache_creation_input_tokens\":3," \
                "\"cache_read_input_tokens\":4,\"output_tokens\":1}}")
#define BLOCK(i, json) E("content_block_start", ",\"index\":" i "," \
                         "\"content_block\":" json)
#define GROW(i, json) E("content_block_delta", ",\"index\":" i ",\"delta\":" \
                        json)
#define END(i) E("content_block_stop", ",\"index\":" i)
#define STOP(reason) E("message_delta", ",\"delta\":{\"stop_reason\":\"" \
                       reason "\",\"stop_sequence\":null},\"usage\":{" \
                       "\"output_tokens\":42}") E("message_stop", "")
#define A_TEXT(i) BLOCK(i, "{\"type\":\"text\",\"text\":\"\"}")
#define WORD(i, word) GROW(i, "{\"type\":\"text_delta\",\"text\":\"" word "\"}")
#define ARGS(i, json) GROW(i, "{\"type\":\"input_json_delta\"," \
                           "\"partial_json\":\"" json "\"}")
#define META(stop) " meta {\"anthropic\":{\"usage\":{\"input_tokens\":10," \
    "\"cache_creation_input_tokens\":3,\"cache_read_input_tokens\":4," \
    "\"output_tokens\":42},\"cacheCreationInputTokens\":3,\"stopSequence\":" \
    stop ",\"iterations\":null,\"container\":null,\"contextManagement\":null}}"
#define DOCUMENT(content, reason) \
    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":" \
    "\"claude-x\",\"content\":[" content "],\"stop_reason\":\"" reason "\"," \
    "\"stop_sequence\":null,\"usage\":{\"input_tokens\":10," \
    "\"cache_creation_input_tokens\":3,\"cache_read_input_tokens\":4," \
    "\"output_tokens\":42}}"
#define ERROR_EVENT E("error", ",\"error\":{\"type\":\"overloaded_error\"," \
                      "\"message\":\"Overloaded\"}")

static const feed_case_t answers[] = {
    { "words", 1, 1,
      START A_TEXT("0") E("ping", "") WORD("0", "Hel") WORD("0", "lö") END("0")
      STOP("end_turn"), MASTRA_FAIL_NONE,
      "response\ntext [Hel]\ntext [lö]\npart-end\n"
      "finish stop/end_turn 59" META("null") "\n" },
    { "two texts are two parts", 1, 1,
      START A_TEXT("0") WORD("0", "a") END("0") A_TEXT("1") WORD("1", "b")
      END("1") STOP("max_tokens"), MASTRA_FAIL_NONE,
      "response\ntext [a]\npart-end\ntext [b]\npart-end\n"
      "finish length/max_tokens 59" META("null") "\n" },
    { "thoughts, their signature, and those that are hidden", 1, 1,
      START BLOCK("0", "{\"type\":\"thinking\",\"thinking\":\"\","
                  "\"signature\":\"\"}")
      GROW("0", "{\"type\":\"thinking_delta\",\"thinking\":\"Hm \"}")
      GROW("0", "{\"type\":\"thinking_delta\",\"thinking\":\"ok\"}")
      GROW("0", "{\"type\":\"signature_delta\",\"signature\":\"SIG==\"}")
      END("0") BLOCK("1", "{\"type\":\"redacted_thinking\",\"data\":\"RED\"}")
      END("1") A_TEXT("2") WORD("2", "a") END("2") STOP("end_turn"),
      MASTRA_FAIL_NONE,
      "response\nreasoning 0 [Hm ]\nreasoning 0 [ok]\n"
      "reasoning 0 meta {\"anthropic\":{\"signature\":\"SIG==\"}} []\n"
      "part-end\nreasoning 1 meta {\"anthropic\":{\"redactedData\":\"RED\"}} "
      "[]\npart-end\ntext [a]\npart-end\nfinish stop/end_turn 59" META("null")
      "\n" },
    { "calls in pieces", 1, 1,
      START A_TEXT("0") WORD("0", "Let me.") END("0")
      BLOCK("1", "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"a\","
            "\"input\":{}}")
      ARGS("1", "") ARGS("1", "{\\\"x\\\":") ARGS("1", "1}") END("1")
      BLOCK("2", "{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"b\","
            "\"input\":{}}") END("2") STOP("tool_use"), MASTRA_FAIL_NONE,
      "response\ntext [Let me.]\npart-end\nstart t1 a\ndelta t1 a [{\"x\":]\n"
      "delta t1 a [1}]\nstart t2 b\nend t1 a\ncall t1 a {\"x\":1}\nend t2 b\n"
      "call t2 b {}\nfinish tool-calls/tool_use 59" META("null") "\n" },
    { "a call whose input is whole at once", 1, 1,
      START BLOCK("0", "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"a\","
                  "\"input\":{\"x\":1}}") END("0") STOP("tool_use"),
      MASTRA_FAIL_NONE,
      "response\nstart t1 a\ndelta t1 a [{\"x\":1}]\nend t1 a\n"
      "call t1 a {\"x\":1}\nfinish tool-calls/tool_use 59" META("null") "\n" },
    { "what the server's own tools do is not ours", 1, 1,
      START BLOCK("0", "{\"type\":\"server_tool_use\",\"id\":\"s1\",\"name\":"
                  "\"web_search\",\"input\":{}}")
      ARGS("0", "{\\\"q\\\":1}") END("0")
      BLOCK("1", "{\"type\":\"web_search_tool_result\",\"content\":[]}")
      END("1") A_TEXT("2") WORD("2", "a")
      GROW("2", "{\"type\":\"citations_delta\",\"citation\":{}}") END("2")
      STOP("end_turn"), MASTRA_FAIL_NONE,
      "response\ntext [a]\npart-end\nfinish stop/end_turn 59" META("null")
      "\n" },
    { "a stop sequence", 1, 1,
      START A_TEXT("0") WORD("0", "a") END("0")
      E("message_delta", ",\"delta\":{\"stop_reason\":\"stop_sequence\","
        "\"stop_sequence\":\"X\"},\"usage\":{\"output_tokens\":42}")
      E("message_stop", ""), MASTRA_FAIL_NONE,
      "response\ntext [a]\npart-end\nfinish stop/stop_sequence 59"
      META("\"X\"") "\n" },
    { "a refusal", 1, 1, START STOP("refusal"), MASTRA_FAIL_NONE,
      "response\nfinish content-filter/refusal 59" META("null") "\n" },
    { "a reason that nobody knows", 1, 1, START STOP("weird"),
      MASTRA_FAIL_NONE, "response\nfinish other/weird 59" META("null") "\n" },
    { "events without names", 1, 1,
      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":"
      "{\"input_tokens\":1,\"output_tokens\":1}}}\n\n"
      "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
      "{\"type\":\"text\",\"text\":\"a\"}}\n\n"
      "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
      "\"end_turn\"},\"usage\":{\"output_tokens\":2,\"input_tokens\":null}}\n\n"
      "data: {\"type\":\"message_stop\"}\n\n", MASTRA_FAIL_NONE,
      "response\ntext [a]\nfinish stop/end_turn 3 meta {\"anthropic\":{"
      "\"usage\":{\"input_tokens\":1,\"output_tokens\":2},"
      "\"cacheCreationInputTokens\":null,\"stopSequence\":null,"
      "\"iterations\":null,\"container\":null,\"contextManagement\":null}}\n" },
    { "an error instead of an answer", 1, 1, ERROR_EVENT,
      MASTRA_FAIL_UPSTREAM, "" },
    { "an error after words", 1, 1, START A_TEXT("0") WORD("0", "a")
      ERROR_EVENT, MASTRA_FAIL_UPSTREAM, "response\ntext [a]\n" },
    { "an error of rate", 1, 1,
      E("error", ",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"x\"}"),
      MASTRA_FAIL_RATE_LIMIT, "" },
    { "cut behind a word", 1, 1, START A_TEXT("0") WORD("0", "a"),
      MASTRA_FAIL_CUT, "response\ntext [a]\n" },
    { "cut behind the call, before its end", 1, 1,
      START BLOCK("0", "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"a\","
                  "\"input\":{}}") ARGS("0", "{}") END("0"), MASTRA_FAIL_CUT,
      "response\nstart t1 a\ndelta t1 a [{}]\n" },
    { "the reason came, the end did not", 1, 1,
      START E("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"},"
              "\"usage\":{\"output_tokens\":42}"), MASTRA_FAIL_NONE,
      "response\nfinish stop/end_turn 59" META("null") "\n" },
    { "pings alone", 1, 1, E("ping", ""), MASTRA_FAIL_CUT, "" },
    { "no event at all", 1, 1, "<html>\n\n", MASTRA_FAIL_ANSWER, "" },
    { "a chunk that is not JSON", 1, 1, START "data: {nope\n\n",
      MASTRA_FAIL_ANSWER, "response\n" },
    { "shapes that are not what they should be", 1, 1,
      E("message_start", ",\"message\":7") E("content_block_start", "")
      E("content_block_delta", ",\"delta\":[]")
      GROW("0", "{\"type\":\"text_delta\",\"text\":5}")
      GROW("7", "{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}")
      E("content_block_stop", "") E("message_delta", ",\"usage\":3")
      "data: {}\n\n" E("message_stop", ""), MASTRA_FAIL_NONE,
      "response\nfinish unknown/- 0 meta {\"anthropic\":{\"usage\":{},"
      "\"cacheCreationInputTokens\":null,\"stopSequence\":null,"
      "\"iterations\":null,\"container\":null,\"contextManagement\":null}}\n" },
    { "a whole answer", 0, 0,
      DOCUMENT("{\"type\":\"thinking\",\"thinking\":\"Hm\",\"signature\":"
               "\"S\"},{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
               "\"tool_use\",\"id\":\"t1\",\"name\":\"b\",\"input\":"
               "{\"x\":1}}", "tool_use"), MASTRA_FAIL_NONE,
      "response\nreasoning 0 meta {\"anthropic\":{\"signature\":\"S\"}} [Hm]\n"
      "part-end\ntext [a]\npart-end\ncall t1 b {\"x\":1}\n"
      "finish tool-calls/tool_use 59"
      DOCUMENT("{\"type\":\"thinking\",\"thinking\":\"Hm\",\"signature\":"
               "\"S\"},{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
               "\"tool_use\",\"id\":\"t1\",\"name\":\"b\",\"input\":"
               "{\"x\":1}}", "tool_use") META("null") "\n" },
    { "a whole answer that is an error", 0, 0,
      "{\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":"
      "\"x\"}}", MASTRA_FAIL_QUOTA, "" },
    { "a document of another kind", 0, 0, "{\"type\":\"other\"}",
      MASTRA_FAIL_ANSWER, "" },
};

/* The schema's tool is the answer, not a call. */
static const feed_case_t json_answers[] = {
    { "the schema's tool is the text", 1, 1,
      START A_TEXT("0") WORD("0", "Here it is:") END("0")
      BLOCK("1", "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"json\","
            "\"input\":{}}")
      ARGS("1", "{\\\"x\\\":") ARGS("1", "1}") END("1") STOP("tool_use"),
      MASTRA_FAIL_NONE,
      "response\npart-end\ntext [{\"x\":]\ntext [1}]\n"
      "finish stop/tool_use 59" META("null") "\n" },
    { "another tool is a call all the same", 1, 1,
      START BLOCK("0", "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"a\","
                  "\"input\":{}}") ARGS("0", "{}") END("0") STOP("tool_use"),
      MASTRA_FAIL_NONE,
      "response\nstart t1 a\ndelta t1 a [{}]\nend t1 a\ncall t1 a {}\n"
      "finish tool-calls/tool_use 59" META("null") "\n" },
    { "the schema's tool in a whole answer", 0, 0,
      DOCUMENT("{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"json\","
               "\"input\":{\"x\":1}}", "tool_use"), MASTRA_FAIL_NONE,
      "response\ntext [{\"x\":1}]\nfinish stop/tool_use 59"
      DOCUMENT("{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"json\","
               "\"input\":{\"x\":1}}", "tool_use") META("null") "\n" },
};

static void test_usage(void)
{
    mastra_json_t *raw = mastra_json_own(mastra_json_pack(
        "{s:i, s:i, s:i, s:i}", "input_tokens", 10,
        "cache_creation_input_tokens", 3, "cache_read_input_tokens", 4,
        "output_tokens", 42), pool);
    mastra_json_t *usage = mastra_wire_anthropic.usage(raw);

    is_str(mastra_json_text(usage, pool),
           "{\"inputTokens\":17,\"outputTokens\":42,\"totalTokens\":59,"
           "\"cachedInputTokens\":4,\"cacheCreationInputTokens\":3,\"raw\":{"
           "\"inputTokens\":{\"total\":17,\"noCache\":10,\"cacheRead\":4,"
           "\"cacheWrite\":3},\"outputTokens\":{\"total\":42},\"raw\":{"
           "\"input_tokens\":10,\"cache_creation_input_tokens\":3,"
           "\"cache_read_input_tokens\":4,\"output_tokens\":42}}}",
           "usage with both sides of the cache");
    mastra_json_unref(usage);
}

/* ---- calls ---- */

#define SSE "HTTP/1.1 200 OK\r\nrequest-id: r1\r\nContent-Type: " \
            "text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n"
#define FAIL(status, type, message) \
    "HTTP/1.1 " status " Sorry\r\nContent-Type: application/json\r\n" \
    "Connection: close\r\n\r\n{\"type\":\"error\",\"error\":{\"type\":\"" type \
    "\",\"message\":\"" message "\"}}" S_CLOSE
#define HELLO SSE START A_TEXT("0") WORD("0", "Hi") END("0") S_NAP \
              STOP("end_turn") S_CLOSE
#define HELLO_EVENTS "response\ntext [Hi]\npart-end\nfinish stop/end_turn 59" \
                     META("null") "\n"

static const struct {
    const char *name;
    const char *script[4];
    const char *code;
    int status;
    int requests;
} calls[] = {
    { "a stream", { HELLO }, NULL, 0, 1 },
    { "overloaded, then well",
      { FAIL("529", "overloaded_error", "Overloaded"), HELLO }, NULL, 0, 2 },
    { "overloaded behind the first event, then well",
      { SSE START ERROR_EVENT S_CLOSE, HELLO }, NULL, 0, 2 },
    { "overloaded for good", { FAIL("529", "overloaded_error", "Overloaded") },
      "MODEL_UPSTREAM", 502, 3 },
    { "a key that is refused", { FAIL("401", "authentication_error", "x") },
      "MODEL_KEY_REFUSED", 424, 1 },
    { "no money", { FAIL("400", "invalid_request_error",
                         "Your credit balance is too low to access") },
      "MODEL_QUOTA", 424, 1 },
    { "too long a prompt", { FAIL("400", "invalid_request_error",
                                  "prompt is too long: 200001 tokens") },
      "MODEL_PROMPT_TOO_LARGE", 413, 1 },
    { "a bad request", { FAIL("400", "invalid_request_error", "x") },
      "MODEL_REQUEST_REFUSED", 422, 1 },
    { "no such model", { FAIL("404", "not_found_error", "model: x") },
      "MODEL_NOT_FOUND", 424, 1 },
};

static const mastra_model_provider_t *provider_at(mastra_models_t *models,
                                                  const char *id,
                                                  const char *path)
{
    const char *url = apr_psprintf(pool, "http://127.0.0.1:%d%s", server.port,
                                   path);
    const char *model;

    if (mastra_models_add(models, id, "anthropic", url, "TEST_KEY", NULL, 0,
                          -1)) {
        abort();
    }
    return mastra_models_find(models, apr_pstrcat(pool, id, "/m", NULL),
                              &model);
}

static void test_calls(const mastra_model_provider_t *provider)
{
    apr_size_t i;

    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        drive_t drive;

        server_script(calls[i].script);
        drive_init(&drive, provider);
        drive.request.stream = 1;
        drive.request.prompt = drive_prompt("hi");
        drive.trace.pause_at = -1;
        drive.resume_ms = 2;
        drive_run(&drive);
        is_str(*drive.code ? drive.code : NULL, calls[i].code, calls[i].name);
        is_int(drive.status, calls[i].status, "… its status");
        is_int(server.requests, calls[i].requests, "… and its requests");
        if (!calls[i].code) {
            const char *end = strstr(trace_text(&drive.trace), "text [Hi]");

            ok(end && !strcmp(end, HELLO_EVENTS + strlen("response\n")),
               "… all of its events, pausing after each");
        }
        drive_free(&drive);
    }
}

static void test_wire(const mastra_model_provider_t *provider)
{
    static const char *const script[] = { HELLO, NULL };
    drive_t drive;
    const char *head;

    server_script(script);
    drive_init(&drive, provider);
    drive.request.stream = 1;
    drive.request.model_id = "claude-sonnet-4-5";
    drive.request.prompt = drive_prompt("hi");
    drive.request.response_schema = mastra_json_own(
        mastra_json_pack("{s:s}", "type", "object"), pool);
    drive.request.settings = mastra_json_own(mastra_json_pack(
        "{s:{s:s, s:s}}", "headers", "X-Api-Key", "other", "X-Mine", "1"),
        pool);
    drive_run(&drive);
    head = server.heads[0];
    ok(strstr(head, "POST /v1/messages HTTP/1.1\r\n"), "method and path");
    ok(strstr(head, "\r\nx-api-key: sk-test\r\n"), "the key");
    ok(strstr(head, "\r\nanthropic-version: 2023-06-01\r\n"), "the version");
    ok(strstr(head, "\r\nanthropic-beta: structured-outputs-2025-11-13\r\n"),
       "what a schema needs");
    ok(strstr(head, "\r\nX-Mine: 1\r\n") && !strstr(head, "other"),
       "of the caller's headers, what may be set");
    ok(!strstr(head, "uthorization"), "nothing else that tells the key");
    is_str(server.bodies[0], drive.body, "the body is what REQUEST showed");
    drive_free(&drive);
}

int main(void)
{
    mastra_models_t *models;
    apr_size_t i;

    setenv("TEST_KEY", "sk-test", 1);
    server_start();
    drive_begin();
    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        test_body(&bodies[i], &mastra_model_anthropic);
    }
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        test_feed(&mastra_wire_anthropic, &answers[i]);
    }
    for (i = 0; i < sizeof(json_answers) / sizeof(json_answers[0]); i++) {
        test_feed(&mastra_wire_anthropic_json, &json_answers[i]);
    }
    test_usage();
    models = mastra_models_make(pool);
    test_calls(provider_at(models, "one", "/v1/"));
    test_wire(provider_at(models, "two", ""));
    mastra_loop_stop(loop);
    server_stop();
    apr_pool_destroy(pool);
    return tap_done();
}
