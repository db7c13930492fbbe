/* The mock model: its triggers, its events and its pace. */
#include "drive.h"

static mastra_models_t *models;
static const mastra_model_provider_t *provider;

/* Requests as JSON with ' in place of ". */
typedef struct {
    const char *name;
    const char *request;
    const char *want;        /* events, ids as call_0, call_1; NULL: an error */
    const char *code;
} case_t;

#define USER(text) "{'role':'user','content':[{'type':'text','text':'" text \
                   "'}]}"
#define ASK(text) "'prompt':[" USER(text) "]"
#define TOOLS "'tools':[{'name':'get-weather'},{'name':'delete-file'}," \
              "{'name':'updateWorkingMemory'},{'name':'x.y'}]"
#define STREAM "{'stream':true,"
#define STOP "finish stop/stop 15\n"
#define CALLS "finish tool-calls/tool_calls 15\n"

static const case_t cases[] = {
    { "an echo, word by word", STREAM ASK("Hello  there\\nyou") "}",
      "request\nresponse\ntext [Echo: ]\ntext [Hello  ]\ntext [there\n]\n"
      "text [you]\n" STOP },
    { "a user's message as a string",
      STREAM "'prompt':[{'role':'user','content':'hi'}]}",
      "request\nresponse\ntext [Echo: ]\ntext [hi]\n" STOP },
    { "an empty prompt", STREAM "'prompt':[]}",
      "request\nresponse\ntext [Echo: ]\n" STOP },
    { "the last message of the user counts",
      STREAM "'prompt':[" USER("one") ",{'role':'assistant','content':[{"
      "'type':'text','text':'x'}]}," USER("two") "]}",
      "request\nresponse\ntext [Echo: ]\ntext [two]\n" STOP },
    { "reasoning", STREAM ASK("REASON") "}",
      "request\nresponse\nreasoning [Thinking ]\nreasoning [about ]\n"
      "reasoning [it.]\ntext [Echo: ]\ntext [REASON]\n" STOP },
    { "weather", STREAM ASK("Weather?") "," TOOLS "}",
      "request\nresponse\nstart call_0 get-weather\n"
      "delta call_0 get-weather [{'city':]\n"
      "delta call_0 get-weather ['Paris'}]\nend call_0 get-weather\n"
      "call call_0 get-weather {'city':'Paris'}\n" CALLS },
    { "weather of two, with text before",
      STREAM ASK("PRE weather in two cities") "," TOOLS "}",
      "request\nresponse\ntext [Let ]\ntext [me ]\ntext [check. ]\n"
      "start call_0 get-weather\ndelta call_0 get-weather [{'city':]\n"
      "delta call_0 get-weather ['Paris'}]\nstart call_1 get-weather\n"
      "delta call_1 get-weather [{'city':]\n"
      "delta call_1 get-weather ['Rome'}]\nend call_0 get-weather\n"
      "call call_0 get-weather {'city':'Paris'}\nend call_1 get-weather\n"
      "call call_1 get-weather {'city':'Rome'}\n" CALLS },
    { "no word of its own: network", STREAM ASK("weather network") "," TOOLS
      "}", "request\nresponse\nstart call_0 get-weather\n"
      "delta call_0 get-weather [{'city':]\n"
      "delta call_0 get-weather ['Paris'}]\nend call_0 get-weather\n"
      "call call_0 get-weather {'city':'Paris'}\n" CALLS },
    { "weather without such a tool", STREAM ASK("weather") "}",
      "request\nresponse\ntext [Echo: ]\ntext [weather]\n" STOP },
    { "delete", "{" ASK("please DELETE it") "," TOOLS "}",
      "request\nresponse\ncall call_0 delete-file {'path':'/tmp/x'}\n"
      "finish tool-calls/tool_calls 15" },
    { "remember", "{" ASK("remember me") "," TOOLS "}",
      "request\nresponse\ncall call_0 updateWorkingMemory "
      "{'memory':'# User\\n- name: Bob'}\nfinish tool-calls/tool_calls 15" },
    { "a call by name", "{" ASK("go CALL:x.y:{\\'a\\':{\\'b\\':1}} now") ","
      TOOLS "}", "request\nresponse\ncall call_0 x.y {'a':{'b':1}}\n"
      "finish tool-calls/tool_calls 15" },
    { "a call of a tool that is not there", STREAM ASK("CALL:zz:{}") "," TOOLS
      "}", "request\nresponse\ntext [Echo: ]\ntext [CALL:zz:{}]\n" STOP },
    { "a call that is not JSON", "{" ASK("CALL:x.y:{nope}") "," TOOLS "}",
      "request\nresponse\ncall call_0 x.y [{nope}]\n"
      "finish tool-calls/tool_calls 15" },
    { "after a tool has run",
      STREAM "'prompt':[" USER("weather") ",{'role':'tool','content':[{'type':"
      "'tool-result','toolCallId':'c','toolName':'t','output':{'type':'json',"
      "'value':{'a':1}}}]}]," TOOLS "}",
      "request\nresponse\ntext [Tool ]\ntext [result: ]\ntext [{'a':1}]\n"
      STOP },
    { "a schema", STREAM ASK("give") ",'response_schema':{'type':'object',"
      "'properties':{'s':{'type':'string'},'n':{'type':['integer','null']},"
      "'m':{'type':'number','minimum':3},'b':{'type':'boolean'},'z':{'type':"
      "'null'},'l':{'type':'array','items':{'enum':['p','q']}},'r':{'$ref':"
      "'#/$defs/d'},'c':{'const':0.1},'a':{'anyOf':[{'type':'boolean'}]},"
      "'o':{'oneOf':[{'type':'null'}]}},'$defs':{'d':{'properties':{'k':{}}}}"
      "}}",
      "request\nresponse\ntext [{'s':'mock','n':7,'m':3,'b':true,'z':null,"
      "'l':['p'],'r':{'k':'mock'},'c':0.1,'a':true,'o':null}]\n" STOP },
    { "a schema that holds itself", "{" ASK("give") ",'response_schema':"
      "{'type':'object','properties':{'x':{'$ref':'#'}}}}",
      "request\nresponse\ntext [{'x':{'x':{'x':{'x':{'x':null}}}}}]\n"
      "finish stop/stop 15" },
    { "a schema in the instructions",
      "{'prompt':[{'role':'system','content':'Follow this JSON schema: "
      "{\\'type\\':\\'object\\',\\'properties\\':{\\'a\\':{}}} please'},"
      USER("x") "]}",
      "request\nresponse\ntext [{'a':'mock'}]\nfinish stop/stop 15" },
    { "a title",
      "{'prompt':[{'role':'system','content':'Generate a short title'},"
      USER("x") "]}", "request\nresponse\ntext [Mock title]\n"
      "finish stop/stop 15" },
    { "FAIL500", STREAM ASK("FAIL500") "}", NULL, "MODEL_UPSTREAM" },
    { "FAIL429", "{" ASK("FAIL429") "}", NULL, "MODEL_RATE_LIMIT" },
    { "content that no server would take",
      "{'prompt':[{'role':'user','content':[{'type':'video'}]}]}", NULL,
      "MODEL_UNSUPPORTED" },
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

/* The events with ids that do not change, up to the body. */
static char *events_of(const drive_t *drive)
{
    char *out = apr_pstrdup(pool, trace_text(&drive->trace));
    char *from = out, *to = out, *body = strstr(out, " 15{");

    if (body) {
        body[3] = '\0';
    }
    while (*from) {
        *to++ = *from++;
        if (to - out >= 5 && strncmp(to - 5, "call_", 5) == 0) {
            from += strspn(from, "0123456789") + 1;
        }
    }
    *to = '\0';
    return out;
}

static void set_request(drive_t *drive, const char *text)
{
    mastra_json_t *json = NULL;
    char *copy = quoted(text);

    if (mastra_json_parse(&json, copy, strlen(copy), 0, NULL)) {
        fprintf(stderr, "# the test's own JSON is wrong: %s\n", copy);
        abort();
    }
    mastra_json_own(json, pool);
    drive->request.stream = mastra_json_get_bool(json, "stream", 0);
    drive->request.prompt = mastra_json_get(json, "prompt");
    drive->request.tools = mastra_json_get(json, "tools");
    drive->request.response_schema = mastra_json_get(json, "response_schema");
}

static void test_case(const case_t *test, int pause)
{
    drive_t drive;

    drive_init(&drive, provider);
    drive.trace.pause_at = pause ? -1 : 0;
    drive.resume_ms = 1;
    set_request(&drive, test->request);
    drive_run(&drive);
    if (test->want) {
        is_str(events_of(&drive), quoted(test->want),
               apr_pstrcat(pool, test->name, pause ? ", pausing" : "", NULL));
    }
    else {
        is_str(drive.code, test->code, test->name);
        ok(strstr(drive.message, "Model provider 'mock'") != NULL,
           "… with a message");
    }
    is_int(drive.dones, 1, "… one end");
    drive_free(&drive);
}

/* The parts of an answer that other tests leave out. */
static void test_answer(void)
{
    drive_t drive;
    const char *text, *body;
    mastra_json_t *json = NULL;

    drive_init(&drive, provider);
    drive.trace.with_response = 1;
    set_request(&drive, "{" ASK("PRE weather") "," TOOLS "}");
    drive_run(&drive);
    text = trace_text(&drive.trace);
    ok(strstr(text, "response {\"id\":\"chatcmpl-mock-") != NULL
       && strstr(text, "\"modelId\":\"m\",\"headers\":{}}\n") != NULL,
       "the response's data");
    body = strstr(text, " 15{");
    ok(body && !mastra_json_parse(&json, body + 3, strcspn(body + 3, "\n"), 0,
                                  NULL), "the body of the answer is JSON");
    is_str(mastra_json_str(mastra_json_path(mastra_json_at(mastra_json_get(
               json, "choices"), 0), "message", "content", NULL)),
           "Let me check. ", "… as a server would send it");
    is_str(mastra_json_str(mastra_json_path(mastra_json_at(mastra_json_path(
               mastra_json_at(mastra_json_get(json, "choices"), 0), "message",
               "tool_calls", NULL), 0), "function", "arguments", NULL)),
           "{\"city\":\"Paris\"}", "… with its calls");
    mastra_json_unref(json);
    ok(drive.body && strstr(drive.body, "\"messages\":[{\"role\":\"user\""),
       "a request is shown too");
    drive_free(&drive);
}

static void test_pace(void)
{
    drive_t drive;

    drive_init(&drive, provider);
    set_request(&drive, STREAM ASK("SLOW") "}");
    drive_run(&drive);
    ok(drive.ended - drive.started > apr_time_from_msec(790)
       && drive.ended - drive.started < apr_time_from_sec(30),
       "two slow words take 800 ms");
    drive_free(&drive);
    drive_init(&drive, provider);
    set_request(&drive, "{" ASK("SLOW") "}");
    drive_run(&drive);
    ok(drive.ended - drive.started > apr_time_from_msec(1490),
       "a slow answer 1500 ms");
    drive_free(&drive);
}

static void cancel_now_cb(void *baton)
{
    drive_start_cb(baton);
    drive_cancel_cb(baton);
}

static void test_cancel(void)
{
    drive_t drive;
    int ms;

    drive_init(&drive, provider);
    set_request(&drive, STREAM ASK("hi") "}");
    drive.msg.cb = cancel_now_cb;
    drive.msg.baton = &drive;
    mastra_loop_post(loop, &drive.msg);
    drive_wait(&drive);
    apr_sleep(apr_time_from_msec(10));
    ok(!drive.dones && !drive.trace.events, "cancel before the first turn");
    drive_free(&drive);
    for (ms = 100; ms <= 500; ms += 400) {
        drive_init(&drive, provider);
        set_request(&drive, STREAM ASK("SLOW a b c d e f g h i j k l") "}");
        drive_start(&drive);
        drive_await(&drive, 1);
        apr_sleep(apr_time_from_msec(ms));
        drive_cancel(&drive);
        ok(!drive.dones, "cancel between words");
        drive_free(&drive);
    }
    drive_init(&drive, provider);
    set_request(&drive, STREAM ASK("hi") "}");
    drive.trace.pause_at = 3;
    drive.resume_ms = -1;
    drive_start(&drive);
    drive_await(&drive, 3);
    apr_sleep(apr_time_from_msec(30));
    is_int(drive.trace.events, 3, "pausing holds words back");
    drive_cancel(&drive);
    ok(!drive.dones, "cancel while paused");
    drive_free(&drive);
}

int main(void)
{
    const char *model;
    apr_size_t i;

    drive_begin();
    models = mastra_models_make(pool);
    mastra_models_add_defaults(models, 0);
    provider = mastra_models_find(models, "mock/m", &model);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_case(&cases[i], 0);
        test_case(&cases[i], 1);
    }
    test_answer();
    test_pace();
    test_cancel();
    return drive_end();
}
