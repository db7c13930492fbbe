/* Query strings as typed values, and defaults. */

#include "schema.h"

#define QUERY \
    "{'type':'object','properties':{" \
    "'page':{'type':'integer','default':0},'limit':{'type':'number'}," \
    "'flag':{'type':'boolean'},'name':{'type':'string'}," \
    "'ids':{'type':'array','items':{'type':'number'}}," \
    "'list':{'anyOf':[{'type':'array','items':{'type':'string'}}," \
    "{'type':'string'}]}," \
    "'order':{'type':'object','properties':{'field':{'enum':['a','b']}," \
    "'n':{'type':'number'},'direction':{'default':'ASC','type':'string'}}}," \
    "'filter':{'anyOf':[{'anyOf':[{'type':'object'},{'type':'null'}]}," \
    "{'type':'string'}]},'maybe':{'anyOf':[{'type':'string'}," \
    "{'type':'null'}]},'nothing':{'type':['number','null']}," \
    "'ref':{'$ref':'#/$defs/num'},'any':{}},'$defs':{'num':" \
    "{'type':'number'}}}"

static const char *const cases[][2] = {
    { "{}", "{'page':0}" },
    { "{'page':'3'}", "{'page':3}" }, { "{'page':' 3 '}", "{'page':3}" },
    { "{'limit':''}", "{'limit':0,'page':0}" },
    { "{'limit':'1e2'}", "{'limit':100,'page':0}" },
    { "{'limit':'-2.50'}", "{'limit':-2.5,'page':0}" },
    { "{'limit':'0x1f'}", "{'limit':31,'page':0}" },
    { "{'limit':'0b101'}", "{'limit':5,'page':0}" },
    { "{'limit':'+5'}", "{'limit':5,'page':0}" },
    { "{'limit':'abc'}", "{'limit':null,'page':0}" },
    { "{'limit':'1,5'}", "{'limit':null,'page':0}" },
    { "{'limit':'0x'}", "{'limit':null,'page':0}" },
    { "{'limit':'[1]'}", "{'limit':null,'page':0}" },
    { "{'flag':'true'}", "{'flag':true,'page':0}" },
    { "{'flag':'false'}", "{'flag':false,'page':0}" },
    { "{'flag':'yes'}", "{'flag':'yes','page':0}" },
    { "{'name':'5'}", "{'name':'5','page':0}" },
    { "{'name':'{}'}", "{'name':'{}','page':0}" },
    { "{'ids':['1','2']}", "{'ids':[1,2],'page':0}" },
    { "{'ids':'[1,2]'}", "{'ids':[1,2],'page':0}" },
    { "{'ids':'x'}", "{'ids':'x','page':0}" },
    { "{'list':'x'}", "{'list':'x','page':0}" },
    { "{'list':['x','y']}", "{'list':['x','y'],'page':0}" },
    { "{'order':'{\\u0022field\\u0022:\\u0022a\\u0022,\\u0022n\\u0022:"
      "\\u00225\\u0022,\\u0022z\\u0022:1}'}",
      "{'order':{'field':'a','n':5,'direction':'ASC'},'page':0}" },
    { "{'order':'{bad'}", "{'order':'{bad','page':0}" },
    { "{'filter':'{\\u0022a\\u0022:1}'}", "{'filter':{'a':1},'page':0}" },
    { "{'filter':'x'}", "{'filter':'x','page':0}" },
    { "{'maybe':'null'}", "{'maybe':'null','page':0}" },
    { "{'nothing':'null'}", "{'nothing':null,'page':0}" },
    { "{'ref':'7'}", "{'ref':7,'page':0}" },
    { "{'any':'7'}", "{'any':'7','page':0}" },
    { "{'unknown':'7'}", "{'page':0}" }
};

static const struct { const char *schema, *in, *out; } defaults[] = {
    { "{'properties':{'a':{'default':[1]},'b':{'default':2}}}", "{'b':3}",
      "{'b':3,'a':[1]}" },
    { "{'properties':{'a':{'properties':{'b':{'default':1}}}}}", "{}", "{}" },
    { "{'properties':{'a':{'properties':{'b':{'default':1}}}}}", "{'a':{}}",
      "{'a':{'b':1}}" },
    { "{'properties':{'a':{'items':{'$ref':'#/$defs/x'}}},'$defs':{'x':"
      "{'properties':{'b':{'default':1}}}}}", "{'a':[{},{'b':2},3]}",
      "{'a':[{'b':1},{'b':2},3]}" },
    { "{'allOf':[{'properties':{'a':{'default':1}}}],'anyOf':[{'type':"
      "'string'},{'type':'object','properties':{'b':{'default':2}}}]}", "{}",
      "{'a':1,'b':2}" },
    { "{'oneOf':[{'properties':{'t':{'const':1},'x':{'default':'one'}}},"
      "{'properties':{'t':{'const':2},'x':{'default':'two'}}}]}", "{'t':2}",
      "{'t':2,'x':'two'}" },
    { "{'properties':{'a':{'$ref':'#/$defs/x'}},'$defs':{'x':{'default':5}}}",
      "{}", "{'a':5}" },
    { "true", "[]", "[]" }
};

int main(void)
{
    const mastra_schema_t *schema;
    mastra_json_t *json;
    const char *why;
    apr_size_t i;

    begin();
    schema = compile(QUERY, &why);
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json = mastra_json_own(mastra_schema_coerce_query(
                                   schema, json_of(cases[i][0])), pool);
        is_str(mastra_json_text(json, pool),
               mastra_json_text(json_of(cases[i][1]), pool), cases[i][0]);
    }
    json = mastra_json_own(mastra_schema_coerce_query(
                               schema, json_of("{'limit':'abc'}")), pool);
    ok(mastra_json_is_nan(mastra_json_get(json, "limit")),
       "what is no number is NaN");
    for (i = 0; i < sizeof(defaults) / sizeof(*defaults); i++) {
        json = json_of(defaults[i].in);
        mastra_schema_fill_defaults(compile(defaults[i].schema, &why), json);
        is_str(mastra_json_text(json, pool),
               mastra_json_text(json_of(defaults[i].out), pool),
               defaults[i].schema);
    }
    return end();
}
