/* The Gemini API: bodies of requests, answers in its wire form, and calls of a
 * server that speaks it. */
#include "body.h"
#include "drive.h"
#include "feed.h"
#include "server.h"

/* ---- requests ---- */

#define HI "'prompt':[{'role':'user','content':[{'type':'text','text':'hi'}]}]"
#define CONTENTS(list) "'contents':[" list "]"
#define USER(parts) "{'role':'user','parts':[" parts "]}"
#define MODEL(parts) "{'role':'model','parts':[" parts "]}"
#define TEXT(text) "{'text':'" text "'}"
#define BODY_HI CONTENTS(USER(TEXT("hi")))
#define TOOL "{'name':'t','description':'d','inputSchema':{'$schema':'x'," \
             "'type':'object','properties':{'c':{'type':'string'}}," \
             "'required':['c'],'additionalProperties':false}}"
#define BODY_TOOL "'tools':[{'functionDeclarations':[{'name':'t'," \
                  "'description':'d','parameters':{'required':['c'],'type':" \
                  "'object','properties':{'c':{'type':'string'}}}}]}]"
#define CHOICE(json) "'toolConfig':{'functionCallingConfig':{" json "}}"

static const body_case_t bodies[] = {
    { "system texts stand apart", "gemini-2.5-flash",
      "{'stream':true,'prompt':[{'role':'system','content':'Be brief.'},"
      "{'role':'user','content':'hi'},{'role':'system','content':'Really.'}]}",
      "{'generationConfig':{}," BODY_HI ",'systemInstruction':{'parts':["
      TEXT("Be brief.") "," TEXT("Really.") "]}}" },
    { "a model without system texts", "gemma-3-27b-it",
      "{'prompt':[{'role':'system','content':'Be brief.'},{'role':'system',"
      "'content':'Really.'},{'role':'user','content':'hi'},{'role':'user',"
      "'content':'ho'}]}",
      "{'generationConfig':{}," CONTENTS(USER(TEXT("Be brief.\\n\\nReally.\\n\\n")
      "," TEXT("hi")) "," USER(TEXT("ho"))) "}" },
    { "settings and options", NULL,
      "{'settings':{'maxOutputTokens':9,'temperature':0.5,'topK':3,'topP':0.9"
      ",'frequencyPenalty':0.2,'presencePenalty':0.1,'stopSequences':['X'],"
      "'seed':7},'provider_options':{'google':{'thinkingConfig':"
      "{'thinkingBudget':1024,'includeThoughts':true},'safetySettings':["
      "{'category':'C','threshold':'T'}],'cachedContent':'cachedContents/x',"
      "'model':'evil','contents':[]}}," HI "}",
      "{'generationConfig':{'maxOutputTokens':9,'temperature':0.5,'topK':3,"
      "'topP':0.9,'frequencyPenalty':0.2,'presencePenalty':0.1,"
      "'stopSequences':['X'],'seed':7,'thinkingConfig':{'thinkingBudget':1024,"
      "'includeThoughts':true}}," BODY_HI ",'safetySettings':[{'category':'C',"
      "'threshold':'T'}],'cachedContent':'cachedContents/x'}" },
    { "tools", NULL, "{'tools':[" TOOL ",{'name':'u','inputSchema':{'type':"
      "'object','properties':{}}}]," HI "}",
      "{'generationConfig':{}," BODY_HI ",'tools':[{'functionDeclarations':["
      "{'name':'t','description':'d','parameters':{'required':['c'],'type':"
      "'object','properties':{'c':{'type':'string'}}}},{'name':'u'}]}],"
      CHOICE("'mode':'AUTO'") "}" },
    { "a tool must be called", NULL,
      "{'tools':[" TOOL "],'tool_choice':'required'," HI "}",
      "{'generationConfig':{}," BODY_HI "," BODY_TOOL ","
      CHOICE("'mode':'ANY'") "}" },
    { "this tool", NULL,
      "{'tools':[" TOOL "],'tool_choice':{'type':'tool','toolName':'t'}," HI
      "}",
      "{'generationConfig':{}," BODY_HI "," BODY_TOOL ","
      CHOICE("'mode':'ANY','allowedFunctionNames':['t']") "}" },
    { "no tool", NULL, "{'tools':[" TOOL "],'tool_choice':'none'," HI "}",
      "{'generationConfig':{}," BODY_HI "," BODY_TOOL ","
      CHOICE("'mode':'NONE'") "}" },
    { "an answer by a schema", NULL,
      "{'response_schema':{'type':'object','properties':{'a':{'type':'string'"
      ",'minLength':2},'n':{'type':['number','null'],'minimum':1},'u':"
      "{'type':['string','number']},'v':{'anyOf':[{'type':'string'},{'type':"
      "'null'}],'description':'V'},'w':{'anyOf':[{'type':'string'},{'type':"
      "'number'}]},'c':{'const':'k'},'l':{'type':'array','items':{'$ref':"
      "'#/$defs/e'}},'o':{'oneOf':[{'type':'string'}]}},'required':['a'],"
      "'$defs':{'e':{'enum':['x','y'],'type':'string'}}}," HI "}",
      "{'generationConfig':{'responseMimeType':'application/json',"
      "'responseSchema':{'required':['a'],'type':'object','properties':{'a':"
      "{'type':'string','minLength':2},'n':{'nullable':true,'type':'number'},"
      "'u':{'anyOf':[{'type':'string'},{'type':'number'}]},'v':{'description'"
      ":'V','nullable':true,'type':'string'},'w':{'anyOf':[{'type':'string'},"
      "{'type':'number'}]},'c':{'enum':['k']},'l':{'type':'array','items':"
      "{'type':'string','enum':['x','y']}},'o':{'oneOf':[{'type':'string'}]}}}"
      "}," BODY_HI "}" },
    { "JSON without its schema", NULL,
      "{'response_schema':{'type':'object','properties':{'a':{}}},"
      "'provider_options':{'google':{'structuredOutputs':false}}," HI "}",
      "{'generationConfig':{'responseMimeType':'application/json'}," BODY_HI
      "}" },
    { "files", NULL,
      "{'prompt':[{'role':'user','content':[{'type':'image','image':'aGk='},"
      "{'type':'image','image':'https://h/i.png','mediaType':'image/png'},"
      "{'type':'file','data':'aGk=','mediaType':'application/pdf'},{'type':"
      "'file','data':'gs://b/v.mp4','mediaType':'video/mp4'}]}]}",
      "{'generationConfig':{}," CONTENTS(USER("{'inlineData':{'mimeType':"
      "'image/jpeg','data':'aGk='}},{'fileData':{'mimeType':'image/png',"
      "'fileUri':'https://h/i.png'}},{'inlineData':{'mimeType':"
      "'application/pdf','data':'aGk='}},{'fileData':{'mimeType':'video/mp4',"
      "'fileUri':'gs://b/v.mp4'}}")) "}" },
    { "data that would break out of its string", NULL,
      "{'prompt':[{'role':'user','content':[{'type':'file','data':'a b',"
      "'mediaType':'image/png'}]}]}", NULL, MASTRA_FAIL_UNSUPPORTED },
    { "thoughts with their signature, calls and results", NULL,
      "{'prompt':[{'role':'user','content':'q'},{'role':'assistant','content':"
      "[{'type':'reasoning','text':'hm','providerOptions':{'google':"
      "{'thoughtSignature':'T'}}},{'type':'reasoning','text':'of another'},"
      "{'type':'text','text':'Let me.'},{'type':'tool-call','toolCallId':'c1'"
      ",'toolName':'t','input':{'a':1},'providerOptions':{'google':"
      "{'thoughtSignature':'F'}}},{'type':'tool-call','toolCallId':'c2',"
      "'toolName':'t'}]},{'role':'tool','content':[{'type':'tool-result',"
      "'toolCallId':'c1','toolName':'t','output':{'type':'json','value':"
      "{'x':1}}},{'type':'tool-result','toolCallId':'c2','toolName':'t',"
      "'output':{'type':'error-text','value':'bad'}},{'type':'tool-result',"
      "'toolCallId':'c3','toolName':'t','output':{'type':'execution-denied',"
      "'reason':'no'}}]}]}",
      "{'generationConfig':{}," CONTENTS(USER(TEXT("q")) "," MODEL("{'text':"
      "'hm','thought':true,'thoughtSignature':'T'}," TEXT("Let me.") ","
      "{'functionCall':{'id':'c1','name':'t','args':{'a':1}},"
      "'thoughtSignature':'F'},{'functionCall':{'id':'c2','name':'t','args':"
      "{}}}") "," USER("{'functionResponse':{'id':'c1','name':'t','response':"
      "{'name':'t','content':{'x':1}}}},{'functionResponse':{'id':'c2','name':"
      "'t','response':{'name':'t','content':'bad'}}},{'functionResponse':"
      "{'id':'c3','name':'t','response':{'name':'t','content':'no'}}}")) "}" },
    { "a call of another model for one that wants signatures",
      "gemini-3-pro-preview",
      "{'prompt':[{'role':'user','content':'q'},{'role':'assistant','content':"
      "[{'type':'tool-call','toolCallId':'c1','toolName':'t','input':{}},"
      "{'type':'tool-call','toolCallId':'c2','toolName':'t','input':{}}]}]}",
      "{'generationConfig':{}," CONTENTS(USER(TEXT("q")) ","
      MODEL("{'functionCall':{'id':'c1','name':'t','args':{}},"
      "'thoughtSignature':'skip_thought_signature_validator'},"
      "{'functionCall':{'id':'c2','name':'t','args':{}}}")) "}" },
    { "a history that begins with the model, and empty words", NULL,
      "{'prompt':[{'role':'assistant','content':[{'type':'text','text':''}]},"
      "{'role':'assistant','content':[{'type':'text','text':'a'}]},{'role':"
      "'user','content':''},{'role':'user','content':'b'}]}",
      "{'generationConfig':{}," CONTENTS(USER(TEXT(".")) "," MODEL(TEXT("a"))
      "," USER(TEXT("b"))) "}" },
};

/* ---- answers ---- */

#define D(json) "data: " json "\r\n\r\n"
#define CHUNK(parts, more) D("{\"candidates\":[{\"content\":{\"parts\":[" \
    parts "],\"role\":\"model\"}" more ",\"index\":0}],\"modelVersion\":" \
    "\"gemini-x\",\"responseId\":\"r1\"}")
#define LAST(parts, reason) D("{\"candidates\":[{\"content\":{\"parts\":[" \
    parts "],\"role\":\"model\"},\"finishReason\":\"" reason "\",\"index\":0" \
    "}],\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":5" \
    ",\"thoughtsTokenCount\":7,\"totalTokenCount\":22}}")
#define WORD(text) "{\"text\":\"" text "\"}"
#define THOUGHT(text) "{\"text\":\"" text "\",\"thought\":true}"
#define META_OF(feedback, usage) " meta {\"google\":{\"promptFeedback\":" \
    feedback ",\"groundingMetadata\":null,\"urlContextMetadata\":null," \
    "\"safetyRatings\":null,\"usageMetadata\":" usage ",\"finishMessage\":" \
    "null,\"serviceTier\":null}}"
#define META META_OF("null", "{\"promptTokenCount\":10," \
                     "\"candidatesTokenCount\":5,\"thoughtsTokenCount\":7," \
                     "\"totalTokenCount\":22}")
#define WHOLE "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\"," \
    "\"thought\":true},{\"text\":\"a\"}]},\"finishReason\":\"STOP\"}]}"

static const feed_case_t answers[] = {
    { "words", 1, 1, CHUNK(WORD("Hel"), "") LAST(WORD("lö"), "STOP"),
      MASTRA_FAIL_NONE,
      "response\ntext [Hel]\ntext [lö]\nfinish stop/STOP 22" META "\n" },
    { "thoughts, their signature, and words", 1, 1,
      CHUNK(THOUGHT("Hm "), "") CHUNK("{\"text\":\"ok\",\"thought\":true,"
                                      "\"thoughtSignature\":\"TS\"}", "")
      CHUNK(WORD("a"), "") LAST("{\"text\":\"\",\"thoughtSignature\":\"LS\"}",
                                "MAX_TOKENS"), MASTRA_FAIL_NONE,
      "response\nreasoning 0 [Hm ]\n"
      "reasoning 0 meta {\"google\":{\"thoughtSignature\":\"TS\"}} [ok]\n"
      "part-end\ntext [a]\ntext meta {\"google\":{\"thoughtSignature\":\"LS\"}}"
      " []\nfinish length/MAX_TOKENS 22" META "\n" },
    { "thoughts again, after words", 1, 1,
      CHUNK(THOUGHT("Hm") "," WORD("a") "," THOUGHT("so"), "")
      LAST(WORD("b"), "STOP"), MASTRA_FAIL_NONE,
      "response\nreasoning 0 [Hm]\npart-end\ntext [a]\npart-end\n"
      "reasoning 1 [so]\npart-end\ntext [b]\nfinish stop/STOP 22" META "\n" },
    { "calls, one of them signed", 1, 1,
      CHUNK(WORD("Let me."), "")
      LAST("{\"functionCall\":{\"id\":\"c1\",\"name\":\"a\",\"args\":"
           "{\"x\":1}},\"thoughtSignature\":\"FS\"},{\"functionCall\":"
           "{\"id\":\"c2\",\"name\":\"b\"}}", "STOP"), MASTRA_FAIL_NONE,
      "response\ntext [Let me.]\npart-end\nstart c1 a\ndelta c1 a [{\"x\":1}]\n"
      "start c2 b\nend c1 a\ncall c1 a {\"x\":1} meta {\"google\":{"
      "\"thoughtSignature\":\"FS\"}}\nend c2 b\ncall c2 b {}\n"
      "finish tool-calls/STOP 22" META "\n" },
    { "a file", 1, 1,
      LAST("{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"aGk=\"}}",
           "STOP"), MASTRA_FAIL_NONE,
      "response\nfile image/png [aGk=]\nfinish stop/STOP 22" META "\n" },
    { "what it ran itself is not ours", 1, 1,
      CHUNK("{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1\"}},"
            "{\"codeExecutionResult\":{\"output\":\"1\"}}", "")
      LAST(WORD("a"), "STOP"), MASTRA_FAIL_NONE,
      "response\ntext [a]\nfinish stop/STOP 22" META "\n" },
    { "blocked words", 1, 1,
      D("{\"candidates\":[{\"finishReason\":\"SAFETY\",\"index\":0}]}"),
      MASTRA_FAIL_NONE,
      "response\nfinish content-filter/SAFETY 0" META_OF("null", "null")
      "\n" },
    { "a blocked prompt", 1, 1,
      D("{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"},"
        "\"usageMetadata\":{\"promptTokenCount\":10,\"totalTokenCount\":10}}"),
      MASTRA_FAIL_NONE,
      "response\nfinish content-filter/PROHIBITED_CONTENT 10"
      META_OF("{\"blockReason\":\"PROHIBITED_CONTENT\"}",
              "{\"promptTokenCount\":10,\"totalTokenCount\":10}") "\n" },
    { "a call that it could not write", 1, 1,
      LAST("", "MALFORMED_FUNCTION_CALL"), MASTRA_FAIL_NONE,
      "response\nfinish error/MALFORMED_FUNCTION_CALL 22" META "\n" },
    { "a reason that nobody knows", 1, 1, LAST(WORD("a"), "WEIRD"),
      MASTRA_FAIL_NONE,
      "response\ntext [a]\nfinish other/WEIRD 22" META "\n" },
    { "an error instead of an answer", 1, 1,
      D("{\"error\":{\"code\":429,\"message\":\"x\",\"status\":"
        "\"RESOURCE_EXHAUSTED\"}}"), MASTRA_FAIL_RATE_LIMIT, "" },
    { "an error after words", 1, 1,
      CHUNK(WORD("a"), "") D("{\"error\":{\"code\":503,\"message\":\"x\","
                             "\"status\":\"UNAVAILABLE\"}}"),
      MASTRA_FAIL_UPSTREAM, "response\ntext [a]\n" },
    { "cut behind a word", 1, 1, CHUNK(WORD("a"), ""), MASTRA_FAIL_CUT,
      "response\ntext [a]\n" },
    { "cut inside an event", 1, 1, CHUNK(WORD("a"), "") "data: {\"cand",
      MASTRA_FAIL_CUT, "response\ntext [a]\n" },
    { "no event at all", 1, 1, "[]", MASTRA_FAIL_CUT, "" },
    { "shapes that are not what they should be", 1, 1,
      D("{\"candidates\":7,\"usageMetadata\":[]}")
      D("{\"candidates\":[{\"content\":{\"parts\":{\"text\":\"a\"}}}]}")
      CHUNK("7,{\"text\":7},{\"functionCall\":3},{\"inlineData\":{}},{}",
            ",\"finishReason\":\"STOP\""), MASTRA_FAIL_NONE,
      "response\nfinish stop/STOP 0" META_OF("null", "[]") "\n" },
    { "a call without a name", 1, 1,
      LAST("{\"functionCall\":{\"args\":{}}}", "STOP"), MASTRA_FAIL_ANSWER,
      "response\n" },
    { "a whole answer", 0, 0, WHOLE, MASTRA_FAIL_NONE,
      "response\nreasoning 0 [hm]\npart-end\ntext [a]\nfinish stop/STOP 0"
      WHOLE META_OF("null", "null") "\n" },
    { "a whole answer that is an error", 0, 0,
      "{\"error\":{\"code\":400,\"message\":\"API key not valid\",\"status\":"
      "\"INVALID_ARGUMENT\",\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}}",
      MASTRA_FAIL_KEY_REFUSED, "" },
    { "a document of another kind", 0, 0, "{\"x\":1}", MASTRA_FAIL_ANSWER,
      "" },
};

static void test_usage(void)
{
    mastra_json_t *raw = mastra_json_own(mastra_json_pack(
        "{s:i, s:i, s:i, s:i}", "promptTokenCount", 10,
        "candidatesTokenCount", 5, "thoughtsTokenCount", 10,
        "cachedContentTokenCount", 4), pool);
    mastra_json_t *usage = mastra_wire_google.usage(raw);

    is_str(mastra_json_text(usage, pool),
           "{\"inputTokens\":10,\"outputTokens\":15,\"totalTokens\":25,"
           "\"reasoningTokens\":10,\"cachedInputTokens\":4,\"raw\":{"
           "\"inputTokens\":{\"total\":10,\"noCache\":6,\"cacheRead\":4},"
           "\"outputTokens\":{\"total\":15,\"text\":5,\"reasoning\":10},"
           "\"raw\":{\"promptTokenCount\":10,\"candidatesTokenCount\":5,"
           "\"thoughtsTokenCount\":10,\"cachedContentTokenCount\":4}}}",
           "usage with thoughts and cache");
    mastra_json_unref(usage);
}

/* ---- addresses ---- */

static const struct {
    const char *base, *model;
    int stream;
    const char *url;
} urls[] = {
    { "http://h/v1beta", "gemini-2.5-flash", 0,
      "http://h/v1beta/models/gemini-2.5-flash:generateContent" },
    { "http://h/v1beta", "gemini-2.5-flash", 1, "http://h/v1beta/models/"
      "gemini-2.5-flash:streamGenerateContent?alt=sse" },
    { "http://h/x?key=k", "models/m", 1,
      "http://h/x/models/m:streamGenerateContent?key=k&alt=sse" },
    { "http://h/v1beta", "tunedModels/mine-1", 0,
      "http://h/v1beta/tunedModels/mine-1:generateContent" },
    { "http://h/v1beta", "../../other?x=#y", 0,
      "http://h/v1beta/models/..%2F..%2Fother%3Fx%3D%23y:generateContent" },
    { "http://h/v1beta", "m:delete", 0,
      "http://h/v1beta/models/m%3Adelete:generateContent" },
};

static void test_urls(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        mastra_model_provider_t provider = { .base_url = urls[i].base };
        mastra_model_request_t request = { .model_id = urls[i].model,
                                           .stream = urls[i].stream };

        is_str(mastra_google_url(&provider, &request, pool), urls[i].url,
               urls[i].model);
    }
}

/* ---- schemas ---- */

/* A schema that refers to itself, or twice to itself, stays small. */
static void test_schemas(void)
{
    mastra_json_t *schema = parse(
        "{'type':'object','properties':{'a':{'$ref':'#'},'b':{'$ref':'#'},"
        "'c':{'$ref':'#/$defs/x'}},'$defs':{'x':{'$ref':'#/$defs/x'}}}");
    mastra_json_t *form = mastra_schema_google(schema);
    const char *text = mastra_json_text(form, pool);

    ok(strlen(text) < 1024 * 1024, "references in circles have an end");
    mastra_json_unref(form);
    form = mastra_schema_google(parse("{'$ref':'http://elsewhere'}"));
    is_str(mastra_json_text(form, pool), "{\"type\":\"object\"}",
           "references to elsewhere are any object");
    mastra_json_unref(form);
    form = mastra_schema_google(parse("{'type':'object',"
                                      "'additionalProperties':true}"));
    is_str(mastra_json_text(form, pool), "{\"type\":\"object\"}",
           "an object of anything");
    mastra_json_unref(form);
}

/* ---- calls ---- */

#define SSE "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" \
            "Connection: close\r\n\r\n"
#define FAIL(status, json) \
    "HTTP/1.1 " status " Sorry\r\nContent-Type: application/json\r\n" \
    "Connection: close\r\n\r\n" json S_CLOSE
#define HELLO SSE CHUNK(WORD("Hi"), "") S_NAP LAST("", "STOP") S_CLOSE

static const struct {
    const char *name;
    const char *script[4];
    const char *code;
    int status;
    int requests;
    int retry_after;
} calls[] = {
    { "a stream", { HELLO }, NULL, 0, 1, 0 },
    { "busy, then well",
      { FAIL("503", "{\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"}}"),
        HELLO }, NULL, 0, 2, 0 },
    { "too often, for longer than we wait",
      { FAIL("429", "{\"error\":{\"code\":429,\"message\":\"You exceeded your "
             "current quota\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":["
             "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
             "\"retryDelay\":\"41.5s\"}]}}") }, "MODEL_RATE_LIMIT", 429, 1,
      42 },
    { "too often, then well",
      { FAIL("429", "{\"error\":{\"code\":429,\"details\":[{\"retryDelay\":"
             "\"0.01s\"}]}}"), HELLO }, NULL, 0, 2, 0 },
    { "a key that is none",
      { FAIL("400", "{\"error\":{\"code\":400,\"message\":\"API key not valid."
             "\",\"status\":\"INVALID_ARGUMENT\",\"details\":[{\"reason\":"
             "\"API_KEY_INVALID\"}]}}") }, "MODEL_KEY_REFUSED", 424, 1, 0 },
    { "an error in a list",
      { FAIL("400", "[{\"error\":{\"code\":400,\"message\":\"The input token "
             "count (9) exceeds the maximum number of tokens allowed\"}}]") },
      "MODEL_PROMPT_TOO_LARGE", 413, 1, 0 },
    { "no such model",
      { FAIL("404", "{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\"}}") },
      "MODEL_NOT_FOUND", 424, 1, 0 },
};

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
        is_int(server.requests, calls[i].requests, "… its requests");
        is_int(drive.retry_after, calls[i].retry_after, "… and Retry-After");
        if (!calls[i].code) {
            ok(strstr(trace_text(&drive.trace), "text [Hi]\nfinish stop/STOP"),
               "… all of its events, pausing after each");
        }
        drive_free(&drive);
    }
    ok(strstr(server.heads[0], "POST /v1beta/models/m:streamGenerateContent"
              "?alt=sse HTTP/1.1\r\n"), "method and path");
    ok(strstr(server.heads[0], "\r\nx-goog-api-key: sk-test\r\n"), "the key");
}

int main(void)
{
    mastra_models_t *models;
    const char *model, *url;
    apr_size_t i;

    setenv("TEST_KEY", "sk-test", 1);
    server_start();
    drive_begin();
    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        test_body(&bodies[i], &mastra_model_google);
    }
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        test_feed(&mastra_wire_google, &answers[i]);
    }
    test_usage();
    test_urls();
    test_schemas();
    models = mastra_models_make(pool);
    url = apr_psprintf(pool, "http://127.0.0.1:%d", server.port);
    ok(!mastra_models_add(models, "g", "google", url, "TEST_KEY", NULL, 0, -1),
       "a provider");
    test_calls(mastra_models_find(models, "g/m", &model));
    mastra_loop_stop(loop);
    server_stop();
    apr_pool_destroy(pool);
    return tap_done();
}
