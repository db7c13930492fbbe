/* Options of a memory: of an agent, and those that a request brings along. */

#include "memory.h"

static mastra_models_t *models;

static const char *fault_of(mastra_memory_t *memory, const char *quoted)
{
    mastra_result_t *error;

    memset(memory, 0, sizeof(*memory));
    error = mastra_memory_read(memory, quoted ? parsed(quoted) : NULL, models,
                               pool);
    return error ? mastra_json_get_str(error->detail, "field") : NULL;
}

static void defaults(void)
{
    mastra_memory_t memory;

    is_str(fault_of(&memory, NULL), NULL, "no options are good options");
    ok(memory.enabled, "the memory is there");
    is_int(memory.last_messages, 10, "ten messages are remembered");
    ok(!memory.working && !memory.titles && !memory.read_only,
       "nothing else is on");
    is_int(mastra_json_get_int(memory.config, "lastMessages", 0), 10,
           "the API shows the defaults");
    is_str(shown(mastra_json_ref(mastra_json_get(memory.config,
                                                 "observationalMemory"))),
           "{'enabled':false}", "... and what is not there");
}

static const struct {
    const char *options;
    int last;
    const char *fault;
} last_cases[] = {
    { "{'lastMessages':3}", 3, NULL },
    { "{'lastMessages':0}", 0, NULL },
    { "{'lastMessages':false}", 0, NULL },
    { "{'lastMessages':true}", 10, NULL },
    { "{'lastMessages':9007199254740991}", MASTRA_MEMORY_LAST_MAX, NULL },
    { "{'lastMessages':-1}", 0, "lastMessages" },
    { "{'lastMessages':'5'}", 0, "lastMessages" },
    { "{'messageHistory':{'maxTokens':100}}", MASTRA_MEMORY_LAST_MAX, NULL },
    { "{'messageHistory':{'maxTokens':100},'lastMessages':4}", 4, NULL },
    { "{'messageHistory':{'maxTokens':0}}", 0, NULL },
    { "{'messageHistory':{}}", 0, "messageHistory.maxTokens" },
    { "{'messageHistory':{'maxTokens':9,'atMaxRemoveTokens':10}}", 0,
      "messageHistory.atMaxRemoveTokens" },
};

static void last_messages(void)
{
    mastra_memory_t memory;
    apr_size_t i;

    for (i = 0; i < sizeof(last_cases) / sizeof(last_cases[0]); i++) {
        is_str(fault_of(&memory, last_cases[i].options), last_cases[i].fault,
               last_cases[i].options);
        if (!last_cases[i].fault) {
            is_int(memory.last_messages, last_cases[i].last, "... so many");
        }
    }
}

static void titles(void)
{
    mastra_memory_t memory;

    fault_of(&memory, "{'generateTitle':false}");
    ok(!memory.titles, "no titles");
    fault_of(&memory, "{'generateTitle':true}");
    ok(memory.titles && !memory.titles->provider, "titles by the agent's model");
    ok(mastra_title_due(memory.titles, 2) && !mastra_title_due(NULL, 2),
       "... from the first answer on");
    is_str(fault_of(&memory, "{'generateTitle':{'model':'mock/small',"
                    "'instructions':'Short.','minMessages':3,"
                    "'emitEvent':true}}"), NULL, "titles by another model");
    is_str(memory.titles->model_id, "small", "... by its name");
    is_str(memory.titles->instructions, "Short.", "... as it is told");
    ok(!mastra_title_due(memory.titles, 2) && mastra_title_due(memory.titles, 3),
       "... from so many messages on");
    ok(memory.titles->emit, "... shown in the stream");
    is_str(fault_of(&memory, "{'generateTitle':{'model':'x'}}"),
           "generateTitle.model", "a model has a provider");
    is_str(fault_of(&memory, "{'generateTitle':{'model':'none/x'}}"),
           "generateTitle.model", "... that is known");
}

static void overrides(void)
{
    mastra_memory_t base, memory;
    const mastra_working_t *notes;

    fault_of(&base, "{'lastMessages':5,'workingMemory':{'enabled':true,"
             "'scope':'thread','template':'# A'}}");
    notes = base.working;
    ok(!mastra_memory_override(&memory, &base, NULL, pool)
       && memory.working == notes && memory.last_messages == 5,
       "without options all is the agent's");
    mastra_memory_override(&memory, &base, parsed("{'readOnly':true}"), pool);
    ok(memory.read_only && memory.working == notes, "one option leaves others");
    mastra_memory_override(&memory, &base,
                           parsed("{'workingMemory':{'template':'# B'}}"),
                           pool);
    is_str(memory.working->content, "# B", "members are merged");
    ok(memory.working->per_thread, "... one by one");
    mastra_memory_override(&memory, &base,
                           parsed("{'workingMemory':{'enabled':false}}"), pool);
    ok(!memory.working, "notes are turned off");
    mastra_memory_override(&memory, &base,
                           parsed("{'generateTitle':true}"), pool);
    ok(memory.titles != NULL, "titles are turned on");
    ok(mastra_memory_override(&memory, &base, parsed("{'lastMessages':-1}"),
                              pool) != NULL, "bad options are refused");
    fault_of(&base, "{'workingMemory':{'enabled':true,'schema':"
             "{'type':'object','properties':{'a':{'type':'string'}}}}}");
    mastra_memory_override(&memory, &base,
                           parsed("{'workingMemory':{'schema':{'type':"
                                  "'object','properties':{'b':{'type':"
                                  "'string'}}}}}"), pool);
    is_str(memory.working->content, "{\"b\":\"\"}", "a schema is one value");
    mastra_memory_override(&memory, &base,
                           parsed("{'workingMemory':{'template':'# T'}}"),
                           pool);
    is_str(memory.working->content, "# T", "a template replaces a schema");
}

int main(void)
{
    begin();
    models = mastra_models_make(pool);
    mastra_models_add_defaults(models, 0);
    defaults();
    last_messages();
    titles();
    overrides();
    return end();
}
