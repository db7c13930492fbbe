/* Messages: what is kept of them, their older form, words that they have. */

#include "memory.h"

#define CALL(state, id, name) \
    "{'type':'tool-invocation','toolInvocation':{'state':'" state "'," \
    "'toolCallId':'" id "','toolName':'" name "','args':{'a':1},'result':2}}"
#define MESSAGE(role, parts) \
    "[{'id':'m','role':'" role "','createdAt':'2026-01-01T00:00:00.000Z'," \
    "'threadId':'t','resourceId':'r','content':{'format':2,'parts':[" parts \
    "]}}]"
#define V1(id, role, type, content) \
    "{'id':'" id "','role':'" role "','createdAt':'2026-01-01T00:00:00.000Z'," \
    "'threadId':'t','resourceId':'r','type':'" type "','content':" content "}"
#define TEXT(text) "{'type':'text','text':'" text "'}"
#define V1_CALL(id) \
    "[{'type':'tool-call','toolCallId':'" id "','toolName':'w','args':{'a':1}}]"
#define V1_RESULT(id) \
    "[{'type':'tool-result','toolCallId':'" id "','toolName':'w','result':2}]"

static const struct {
    const char *name, *in, *out;
} v1_cases[] = {
    { "a text is a string", MESSAGE("user", TEXT("a")),
      "[" V1("m", "user", "text", "'a'") "]" },
    { "two texts are a list", MESSAGE("user", TEXT("a") "," TEXT("b")),
      "[" V1("m", "user", "text", "[" TEXT("a") "," TEXT("b") "]") "]" },
    { "a tool speaks for itself",
      MESSAGE("assistant", TEXT("a") "," CALL("result", "c", "w") ","
              "{'type':'step-start'}," TEXT("b")),
      "[" V1("m", "assistant", "text", "'a'") ","
      V1("m__split-1", "assistant", "tool-call", V1_CALL("c")) ","
      V1("m__split-2", "tool", "tool-result", V1_RESULT("c")) ","
      V1("m__split-3", "assistant", "text", "'b'") "]" },
    { "a call without a result has none",
      MESSAGE("assistant", CALL("call", "c", "w")),
      "[" V1("m", "assistant", "tool-call", V1_CALL("c")) "]" },
    { "thoughts are kept",
      MESSAGE("assistant", "{'type':'reasoning','reasoning':'','details':["
              TEXT("hm") "]}"),
      "[" V1("m", "assistant", "text",
             "[{'type':'reasoning','text':'hm'}]") "]" },
    { "a user's pictures come last, as addresses",
      MESSAGE("user", "{'type':'file','mimeType':'image/png','data':'aGk='},"
              TEXT("q")),
      "[" V1("m", "user", "text", "[" TEXT("q") ",{'type':'image','image':"
             "'data:image/png;base64,aGk=','mimeType':'image/png'}]") "]" },
    { "other files are files",
      MESSAGE("user", "{'type':'file','mimeType':'text/plain','data':"
              "'https://x/y'}"),
      "[" V1("m", "user", "text", "[{'type':'file','data':'https://x/y',"
             "'mimeType':'text/plain'}]") "]" },
    { "a message without parts is empty", MESSAGE("user", ""),
      "[" V1("m", "user", "text", "''") "]" },
    { "system messages have no older form", MESSAGE("system", TEXT("a")),
      "[]" },
};

static void v1(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(v1_cases) / sizeof(v1_cases[0]); i++) {
        is_str(shown(mastra_memory_v1(parsed(v1_cases[i].in))),
               v1_cases[i].out, v1_cases[i].name);
    }
}

#define UPDATE CALL("result", "c", "updateWorkingMemory")

static const struct {
    const char *name, *in, *out;
} kept_cases[] = {
    { "calls of other tools are kept",
      MESSAGE("assistant", CALL("result", "c", "w")),
      MESSAGE("assistant", CALL("result", "c", "w")) },
    { "changes of working memory are not",
      MESSAGE("assistant", UPDATE "," TEXT("a")),
      MESSAGE("assistant", TEXT("a")) },
    { "a message that has nothing else goes", MESSAGE("assistant", UPDATE),
      "[]" },
    { "what is between the marks goes",
      MESSAGE("user", TEXT("a <working_memory>b</working_memory> c"
                           "<working_memory>d</working_memory>")),
      MESSAGE("user", TEXT("a  c")) },
    { "a mark without an end stays", MESSAGE("user", TEXT("<working_memory>b")),
      MESSAGE("user", TEXT("<working_memory>b")) },
    { "plain content is left alone", "[{'role':'user','content':'x'}]",
      "[{'role':'user','content':'x'}]" },
};

static void kept(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(kept_cases) / sizeof(kept_cases[0]); i++) {
        is_str(shown(mastra_memory_kept(parsed(kept_cases[i].in))),
               kept_cases[i].out, kept_cases[i].name);
    }
}

static int has(const char *query, const char *text)
{
    return mastra_words_match(mastra_words_make(query, pool), text);
}

static void words(void)
{
    ok(has("red", "A Red apple"), "case does not matter");
    ok(has("apple red", "A Red apple"), "nor does the order");
    ok(!has("red pear", "A Red apple"), "all words have to be there");
    ok(has("\u00c4PFEL", "rote \u00e4pfel"), "letters of all scripts");
    ok(has("a.c", "a.c") && !has("a.c", "abc"), "words are no patterns");
    ok(!has("   ", "x"), "no word, nothing found");
    is_str(mastra_memory_text(mastra_json_at(parsed(
               MESSAGE("user", TEXT("a") "," CALL("call", "c", "w") ","
                       TEXT("b"))), 0), pool), "a\nb",
           "the text of a message is that of its text parts");
    is_str(mastra_memory_text(parsed("{'content':{'content':'x'}}"), pool),
           "x", "... or its joined text");
}

int main(void)
{
    begin();
    v1();
    kept();
    words();
    return end();
}
