/* Working memory: what is read, what models are told, what their calls do. */

#include "memory.h"

static const mastra_working_t *read_working(const char *quoted)
{
    const mastra_working_t *working = NULL;
    mastra_result_t *error = mastra_working_read(&working, parsed(quoted),
                                                 pool);

    if (error) {
        printf("# %s\n", error->message);
    }
    return working;
}

static const char *fault_of(const char *quoted)
{
    const mastra_working_t *working = NULL;
    mastra_result_t *error = mastra_working_read(&working, parsed(quoted),
                                                 pool);

    return error ? mastra_json_get_str(error->detail, "field") : NULL;
}

#define SCHEMA "{'enabled':true,'schema':{'type':'object','properties':%s}}"

static const char *template_of(const char *properties)
{
    return shown(mastra_json_ref(parsed(read_working(
        apr_psprintf(pool, SCHEMA, properties))->content)));
}

static void reading(void)
{
    const mastra_working_t *working;

    ok(!read_working("{}"), "nothing is enabled by itself");
    ok(!read_working("{'enabled':false,'template':'x'}"), "nor by a template");
    working = read_working("{'enabled':true}");
    ok(working && !working->per_thread, "notes are the resource's by default");
    ok(strstr(working->content, "**First Name**") != NULL,
       "... with a template of their own");
    working = read_working("{'enabled':true,'scope':'thread',"
                           "'template':'  # A  '}");
    ok(working->per_thread, "notes of a thread");
    is_str(working->content, "# A", "a template is shown trimmed");
    is_str(fault_of("{'enabled':true,'scope':'x'}"), "workingMemory.scope",
           "an unknown scope is refused");
    is_str(fault_of("{'enabled':true,'template':5}"),
           "workingMemory.template", "a template is a text");
    is_str(fault_of("{'enabled':true,'schema':5}"), "workingMemory.schema",
           "a schema is an object");
    is_str(fault_of("{'enabled':true,'schema':{'type':'nonsense'}}"),
           "workingMemory.schema", "... that can be used");
}

static void templates(void)
{
    is_str(template_of("{'a':{'type':'string'},'b':{'type':'integer'},"
                       "'c':{'type':'boolean'},'d':{'type':'array'}}"),
           "{'a':'','b':0,'c':false,'d':[]}", "each type has an empty value");
    is_str(template_of("{'a':{'type':'object','properties':{'b':"
                       "{'type':'number','default':5}}},'c':{'type':'object'}}"),
           "{'a':{'b':5},'c':{}}", "objects are gone into, defaults taken");
    is_str(template_of("{'a':{'enum':[1]},'b':{'type':['string','null']},"
                       "'c':true}"),
           "{'a':null,'b':null,'c':null}", "what has no type is null");
    is_str(read_working("{'enabled':true,'schema':{'type':'array'}}")->content,
           "{}", "what is no object is an empty one");
}

static void offered(void)
{
    const mastra_working_t *working = read_working("{'enabled':true}");
    const char *text;

    is_str(working->tool.key, "updateWorkingMemory", "the tool has its name");
    is_str(shown(mastra_json_ref(mastra_json_path(working->spec, "inputSchema",
                                                  "required", NULL))),
           "['memory']", "its parameter is memory");
    working = read_working("{'enabled':true,'schema':{'type':'object',"
                           "'properties':{'a':{'type':'string'}}}}");
    is_str(shown(mastra_json_ref(mastra_json_path(working->spec, "inputSchema",
                                                  "properties", "memory",
                                                  "properties", NULL))),
           "{'a':{'type':'string'}}", "... of the schema");
    text = mastra_working_instructions(working, NULL, 0, pool);
    ok(strstr(text, "updateWorkingMemory") && strstr(text, "{\"a\":\"\"}"),
       "models are told of tool and form");
    ok(strstr(text, "<working_memory_data>\nnull\n</working_memory_data>")
       != NULL, "... and that there is nothing yet");
    text = mastra_working_instructions(working, "{\"a\":\"b\"}", 1, pool);
    ok(!strstr(text, "updateWorkingMemory") && strstr(text, "{\"a\":\"b\"}"),
       "read-only notes come without the tool");
}

/* The notes after a call, and the outcome. */
static const char *applied(const mastra_working_t *working, const char *text,
                           const char *quoted, const char **poutcome)
{
    mastra_json_t *result = NULL;
    const char *made = mastra_working_apply(&result, working, text,
                                            parsed(quoted), pool);

    *poutcome = shown(result);
    return made;
}

static void texts(void)
{
    const mastra_working_t *working = read_working("{'enabled':true}");
    const char *outcome;

    is_str(applied(working, "old", "{'memory':'new'}", &outcome), "new",
           "a text takes the place of the old one");
    is_str(outcome, "{'success':true}", "... which is a success");
    is_str(applied(working, "old", "{'memory':''}", &outcome), "",
           "it may be emptied");
}

static void objects(void)
{
    static const char old[] = "{\"a\":1,\"b\":{\"c\":2,\"d\":[1]},\"e\":3}";
    const mastra_working_t *working = read_working(
        "{'enabled':true,'schema':{'type':'object'}}");
    const char *outcome;

    is_str(applied(working, NULL, "{'memory':{'a':1}}", &outcome),
           "{\"a\":1}", "an object begins");
    is_str(applied(working, old, "{'memory':{'b':{'d':[2,3]},'f':4}}",
                   &outcome),
           "{\"a\":1,\"b\":{\"c\":2,\"d\":[2,3]},\"e\":3,\"f\":4}",
           "objects are merged in depth, lists replaced");
    is_str(applied(working, old, "{'memory':{'a':null,'b':{'c':null}}}",
                   &outcome),
           "{\"b\":{\"d\":[1]},\"e\":3}", "null takes away");
    is_str(applied(working, old, "{'a':5}", &outcome),
           "{\"a\":5,\"b\":{\"c\":2,\"d\":[1]},\"e\":3}",
           "the object may be given bare");
    is_str(applied(working, "not JSON", "{'memory':{'a':1}}", &outcome),
           "{\"a\":1}", "what is no object is begun anew");
}

static void pieces(void)
{
    static const struct {
        const char *text, *input, *made, *outcome;
    } cases[] = {
        { NULL, "{'newMemory':'one'}", "one",
          "{'success':true,'reason':'started new working memory'}" },
        { "one", "{'newMemory':'two'}", "one\ntwo",
          "{'success':true,'reason':'appended newMemory to end of working "
          "memory'}" },
        { "one", "{'newMemory':'ONE','searchString':'one','updateReason':"
          "'clarify-existing-memory'}", "ONE",
          "{'success':true,'reason':'found and replaced searchString with "
          "newMemory'}" },
        { "one", "{'newMemory':'x','searchString':'no','updateReason':"
          "'replace-irrelevant-memory'}", "one\nx",
          "{'success':true,'reason':'attempted to replace working memory "
          "string that doesn't exist. Appending to working memory instead.'}" },
        { "one", "{'newMemory':'x','searchString':'one'}", "one\nx",
          "{'success':true,'reason':'appended newMemory to end of working "
          "memory'}" },
        { "one two", "{'newMemory':'two'}", NULL,
          "{'success':false,'reason':'attempted to insert duplicate data into "
          "working memory. this entry was skipped'}" },
        { "one", "{'newMemory':'# T'}", NULL,
          "{'success':false,'reason':'try again when you have data to add. "
          "newMemory was equal to the working memory template'}" },
    };
    const mastra_working_t *working = read_working(
        "{'enabled':true,'version':'vnext','template':'# T'}");
    const char *outcome;
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_str(applied(working, cases[i].text, cases[i].input, &outcome),
               cases[i].made, cases[i].input);
        is_str(outcome, cases[i].outcome, "... and what the model hears");
    }
    applied(working, "one", "{'newMemory':'x','updateReason':"
            "'clarify-existing-memory'}", &outcome);
    ok(strstr(outcome, "no searchString was provided") != NULL,
       "what to replace has to be said");
}

static void ceiling(void)
{
    const mastra_working_t *working = read_working("{'enabled':true}");
    char *big = apr_palloc(pool, 2 * 1024 * 1024 + 1);
    mastra_json_t *input, *result = NULL;

    memset(big, 'x', 2 * 1024 * 1024);
    big[2 * 1024 * 1024] = '\0';
    input = mastra_json_own(mastra_json_pack("{s:s}", "memory", big), pool);
    ok(!mastra_working_apply(&result, working, "old", input, pool),
       "two megabytes are too much");
    is_str(shown(result), "{'success':false,'reason':'the working memory would "
           "become too large'}", "... and the model hears of it");
}

int main(void)
{
    begin();
    reading();
    templates();
    offered();
    texts();
    objects();
    pieces();
    ceiling();
    return end();
}
