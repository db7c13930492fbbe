/* Bodies of chat completions requests, compared as text: members have an
 * order. */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "model/internal.h"
#include "tap.h"

static apr_pool_t *pool;
static const mastra_model_provider_t provider = { .id = "my-llm" };

/* What a call is made of, as JSON with ' in place of ". */
typedef struct {
    const char *name;
    const char *request;     /* {stream, prompt, tools, …} */
    const char *want;        /* the body behind "model":"m" */
    mastra_model_fail_e fail;
} case_t;

#define HI "'prompt':[{'role':'user','content':[{'type':'text'," \
           "'text':'hi'}]}]"
#define BODY_HI "'messages':[{'role':'user','content':'hi'}]"
#define USER(parts) "{'prompt':[{'role':'user','content':[" parts "]}]}"
#define BODY_USER(parts) ",'messages':[{'role':'user','content':[" parts "]}]}"
#define TOOL "{'name':'t','description':'d','inputSchema':{'type':'object'}}"
#define BODY_TOOL "'tools':[{'type':'function','function':{'name':'t'," \
                  "'description':'d','parameters':{'type':'object'}}}]"

static const case_t cases[] = {
    { "system and user",
      "{'prompt':[{'role':'system','content':'Be brief.'},{'role':'user',"
      "'content':[{'type':'text','text':'hi'}]}]}",
      ",'messages':[{'role':'system','content':'Be brief.'},"
      "{'role':'user','content':'hi'}]}" },
    { "a stream asks for usage", "{'stream':true," HI "}",
      "," BODY_HI ",'stream':true,'stream_options':{'include_usage':true}}" },
    { "settings, in the order of the original",
      "{'settings':{'seed':7,'stopSequences':['X'],'presencePenalty':0.1,"
      "'frequencyPenalty':0.2,'topP':0.9,'temperature':0,'topK':3,"
      "'maxOutputTokens':5,'maxRetries':0}," HI "}",
      ",'max_tokens':5,'temperature':0,'top_p':0.9,'frequency_penalty':0.2,"
      "'presence_penalty':0.1,'stop':['X'],'seed':7," BODY_HI "}" },
    { "a setting that is null is none", "{'settings':{'seed':null}," HI "}",
      "," BODY_HI "}" },
    { "provider options",
      "{'settings':{'temperature':1,'seed':7},'provider_options':{'my-llm':"
      "{'user':'u','reasoningEffort':'low','foo':{'a':1},'temperature':0.5},"
      "'myLlm':{'bar':2},'openaiCompatible':{'textVerbosity':'low','no':1},"
      "'other':{'no':1}}," HI "}",
      ",'user':'u','temperature':0.5,'seed':7,'foo':{'a':1},'bar':2,"
      "'reasoning_effort':'low','verbosity':'low'," BODY_HI "}" },
    { "provider options do not replace what belongs to the call",
      "{'provider_options':{'my-llm':{'model':'x','messages':[],'tools':[],"
      "'tool_choice':'x','stream':true,'stream_options':{}}}," HI "}",
      "," BODY_HI "}" },
    { "structured output",
      "{'response_schema':{'type':'object'},'provider_options':{'my-llm':"
      "{'strictJsonSchema':false}}," HI "}",
      ",'response_format':{'type':'json_schema','json_schema':{'schema':"
      "{'type':'object'},'strict':false,'name':'response'}}," BODY_HI "}" },
    { "tools", "{'tools':[" TOOL ",{'name':'u','strict':true}]," HI "}",
      "," BODY_HI ",'tools':[{'type':'function','function':{'name':'t',"
      "'description':'d','parameters':{'type':'object'}}},{'type':'function',"
      "'function':{'name':'u','parameters':{'type':'object','properties':{}},"
      "'strict':true}}],'tool_choice':'auto'}" },
    { "no tools, no choice", "{'tools':[],'tool_choice':'required'," HI "}",
      "," BODY_HI "}" },
    { "a choice", "{'tools':[" TOOL "],'tool_choice':'required'," HI "}",
      "," BODY_HI "," BODY_TOOL ",'tool_choice':'required'}" },
    { "a choice as an object",
      "{'tools':[" TOOL "],'tool_choice':{'type':'none'}," HI "}",
      "," BODY_HI "," BODY_TOOL ",'tool_choice':'none'}" },
    { "a choice of one tool",
      "{'tools':[" TOOL "],'tool_choice':{'type':'tool','toolName':'t'}," HI
      ",'stream':true}",
      "," BODY_HI "," BODY_TOOL ",'tool_choice':{'type':'function','function':"
      "{'name':'t'}},'stream':true,'stream_options':{'include_usage':true}}" },
    { "tool calls and results",
      "{'prompt':[{'role':'assistant','content':[{'type':'text','text':'Let '}"
      ",{'type':'reasoning','text':'hm'},{'type':'text','text':'me.'},"
      "{'type':'tool-call','toolCallId':'c1','toolName':'t','input':{'a':'b'}}"
      ",{'type':'tool-call','toolCallId':'c2','toolName':'t'}]},"
      "{'role':'tool','content':[{'type':'tool-result','toolCallId':'c1',"
      "'toolName':'t','output':{'type':'json','value':{'x':[1,0.1]}}},"
      "{'type':'tool-result','toolCallId':'c2','toolName':'t','output':"
      "{'type':'text','value':'done'}}]}]}",
      ",'messages':[{'role':'assistant','content':'Let me.',"
      "'reasoning_content':'hm','tool_calls':[{'id':'c1','type':'function',"
      "'function':{'name':'t','arguments':'{\\'a\\':\\'b\\'}'}},{'id':'c2',"
      "'type':'function','function':{'name':'t','arguments':'{}'}}]},"
      "{'role':'tool','tool_call_id':'c1','content':'{\\'x\\':[1,0.1]}'},"
      "{'role':'tool','tool_call_id':'c2','content':'done'}]}" },
    { "tool calls without text",
      "{'prompt':[{'role':'assistant','content':[{'type':'tool-call',"
      "'toolCallId':'c1','toolName':'t','input':{},'providerOptions':"
      "{'google':{'thoughtSignature':'s'}}}]}]}",
      ",'messages':[{'role':'assistant','content':null,'tool_calls':["
      "{'id':'c1','type':'function','function':{'name':'t','arguments':'{}'},"
      "'extra_content':{'google':{'thought_signature':'s'}}}]}]}" },
    { "all kinds of results",
      "{'prompt':[{'role':'tool','content':[{'type':'tool-result',"
      "'toolCallId':'1','output':{'type':'error-text','value':'bad'}},"
      "{'type':'tool-result','toolCallId':'2','output':{'type':'error-json',"
      "'value':{'e':1}}},{'type':'tool-result','toolCallId':'3','output':"
      "{'type':'execution-denied'}},{'type':'tool-result','toolCallId':'4',"
      "'output':{'type':'execution-denied','reason':'no'}},{'type':"
      "'tool-result','toolCallId':'5','output':{'type':'json'}},{'type':"
      "'tool-result','toolCallId':'6','output':{'type':'json','value':'s'}}]},"
      "{'role':'tool','content':[]},{'role':'user','content':'x'}]}",
      ",'messages':[{'role':'tool','tool_call_id':'1','content':'bad'},"
      "{'role':'tool','tool_call_id':'2','content':'{\\'e\\':1}'},"
      "{'role':'tool','tool_call_id':'3','content':"
      "'Tool call execution denied.'},"
      "{'role':'tool','tool_call_id':'4','content':'no'},"
      "{'role':'tool','tool_call_id':'5','content':'null'},"
      "{'role':'tool','tool_call_id':'6','content':'\\'s\\''},"
      "{'role':'user','content':'x'}]}" },
    { "an empty assistant's message",
      "{'prompt':[{'role':'assistant','content':[]},"
      "{'role':'assistant','content':'x'}]}",
      ",'messages':[{'role':'assistant','content':''},"
      "{'role':'assistant','content':'x'}]}" },
    { "an empty prompt", "{'prompt':[]}", ",'messages':[]}" },
    { "options of messages and parts",
      "{'prompt':[{'role':'system','content':'s','providerOptions':"
      "{'openaiCompatible':{'cache':{'a':1},'role':'user'}}},{'role':'user',"
      "'content':[{'type':'text','text':'x','providerOptions':"
      "{'openaiCompatible':{'b':2}}}]}]}",
      ",'messages':[{'role':'system','content':'s','cache':{'a':1}},"
      "{'role':'user','content':'x','b':2}]}" },
    { "images: a URL, a data URL, base64",
      USER("{'type':'text','text':'see'},{'type':'image','image':"
           "'https://x/y.png?a=\\'b'},{'type':'image','image':"
           "'data:image/png;base64,aGk=','mediaType':'image/png'},"
           "{'type':'image','image':'aGk='}"),
      BODY_USER("{'type':'text','text':'see'},{'type':'image_url','image_url':"
                "{'url':'https://x/y.png?a=\\'b'}},{'type':'image_url',"
                "'image_url':{'url':'data:image/png;base64,aGk='}},"
                "{'type':'image_url','image_url':{'url':"
                "'data:image/jpeg;base64,aGk='}}") },
    { "files: image, pdf, audio, text",
      USER("{'type':'file','data':'aGk=','mediaType':'image/gif'},"
           "{'type':'file','data':'aGk=','mediaType':'application/pdf'},"
           "{'type':'file','data':'aGk=','mediaType':'application/pdf',"
           "'filename':'x.pdf'},"
           "{'type':'file','data':'aGk=','mediaType':'audio/wav'},"
           "{'type':'file','data':'aGk=','mediaType':'audio/mpeg'},"
           "{'type':'file','data':'data:text/plain;base64,aGk='}"),
      BODY_USER("{'type':'image_url','image_url':{'url':"
                "'data:image/gif;base64,aGk='}},"
                "{'type':'file','file':{'filename':'document.pdf',"
                "'file_data':'data:application/pdf;base64,aGk='}},"
                "{'type':'file','file':{'filename':'x.pdf',"
                "'file_data':'data:application/pdf;base64,aGk='}},"
                "{'type':'input_audio','input_audio':{'data':'aGk=',"
                "'format':'wav'}},"
                "{'type':'input_audio','input_audio':{'data':'aGk=',"
                "'format':'mp3'}},{'type':'text','text':'hi'}") },
    { "a file of a type that is not supported",
      USER("{'type':'file','data':'aGk=','mediaType':'application/zip'}"),
      NULL, MASTRA_FAIL_UNSUPPORTED },
    { "audio of a type that is not supported",
      USER("{'type':'file','data':'aGk=','mediaType':'audio/ogg'}"),
      NULL, MASTRA_FAIL_UNSUPPORTED },
    { "a PDF by URL",
      USER("{'type':'file','data':'https://x/y','mediaType':"
           "'application/pdf'}"), NULL, MASTRA_FAIL_UNSUPPORTED },
    { "a text file that is not base64",
      USER("{'type':'file','data':'a','mediaType':'text/plain'}"),
      NULL, MASTRA_FAIL_UNSUPPORTED },
    { "data that would break out of its string",
      USER("{'type':'image','image':'aGk\\',\\'x\\':1'}"),
      NULL, MASTRA_FAIL_UNSUPPORTED },
    { "a media type that would break out of its string",
      USER("{'type':'image','image':'aGk=','mediaType':'image/\\','}"),
      NULL, MASTRA_FAIL_UNSUPPORTED },
    { "a data URL without data", USER("{'type':'image','image':'data:x'}"),
      NULL, MASTRA_FAIL_UNSUPPORTED },
    { "a part of a kind that nobody knows", USER("{'type':'video'}"),
      NULL, MASTRA_FAIL_UNSUPPORTED },
};

static char *quoted(const char *text)
{
    char *copy = apr_pstrdup(pool, text), *p;

    for (p = copy; *p; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }
    return copy;
}

static mastra_json_t *parse(const char *text)
{
    mastra_json_t *json = NULL;
    char *copy = quoted(text);

    if (mastra_json_parse(&json, copy, strlen(copy), 0, NULL)) {
        fprintf(stderr, "# the test's own JSON is wrong: %s\n", copy);
        abort();
    }
    return mastra_json_own(json, pool);
}

static mastra_model_request_t request_of(mastra_json_t *json)
{
    mastra_model_request_t request = { .model_id = "m" };

    request.stream = mastra_json_get_bool(json, "stream", 0);
    request.prompt = mastra_json_get(json, "prompt");
    request.tools = mastra_json_get(json, "tools");
    request.tool_choice = mastra_json_get(json, "tool_choice");
    request.settings = mastra_json_get(json, "settings");
    request.response_schema = mastra_json_get(json, "response_schema");
    request.provider_options = mastra_json_get(json, "provider_options");
    return request;
}

static void test_case(const case_t *test)
{
    mastra_json_t *json = parse(test->request);
    mastra_json_t *before = mastra_json_own(mastra_json_copy(json), pool);
    mastra_model_request_t request = request_of(json);
    mastra_model_fail_e fail;
    mastra_json_t *body = NULL;
    const char *why;
    mastra_buf_t buf;

    mastra_buf_init(&buf, 1024 * 1024);
    fail = mastra_openai_body(&why, &buf, &provider, &request);
    if (test->fail != MASTRA_FAIL_NONE) {
        ok(fail == test->fail && why, test->name);
    }
    else {
        is_str(buf.data, apr_pstrcat(pool, "{\"model\":\"m\"",
                                     quoted(test->want), NULL), test->name);
        ok(mastra_json_parse(&body, buf.data, buf.len, 0, NULL) == APR_SUCCESS
           && mastra_json_equal(json, before),
           "… it is JSON, and what was lent is unchanged");
        mastra_json_unref(body);
    }
    mastra_buf_free(&buf);
}

static void test_limit(void)
{
    mastra_model_request_t request = request_of(parse("{" HI "}"));
    mastra_buf_t buf;
    const char *why;

    mastra_buf_init(&buf, 20);
    is_int(mastra_openai_body(&why, &buf, &provider, &request),
           MASTRA_FAIL_PROMPT_SIZE, "a prompt beyond the ceiling");
    mastra_buf_free(&buf);
}

int main(void)
{
    apr_size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_case(&cases[i]);
    }
    test_limit();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
