/* Schemas that are of no use and why, references, patterns, limits. */

#include "schema.h"

static const char *const faults[][2] = {
    { "5", "#: a schema must be an object or a boolean" },
    { "{'type':'strin'}", "#/type: \"strin\" is no type" },
    { "{'type':[]}", "#/type: names no type" },
    { "{'type':['string',1]}", "#/type: 1 is no type" },
    { "{'enum':1}", "#/enum: must be an array" },
    { "{'properties':[]}", "#/properties: must be an object" },
    { "{'properties':{'a/b~':1}}",
      "#/properties/a~1b~0: a schema must be an object or a boolean" },
    { "{'required':'a'}", "#/required: must be an array of strings" },
    { "{'required':[1]}", "#/required: must be an array of strings" },
    { "{'minLength':-1}",
      "#/minLength: must be an integer that is not negative" },
    { "{'maxItems':1.5}",
      "#/maxItems: must be an integer that is not negative" },
    { "{'minimum':'1'}", "#/minimum: must be a number" },
    { "{'multipleOf':0}", "#/multipleOf: must be greater than 0" },
    { "{'pattern':'('}", "#/pattern: \"(\" is no regular expression: "
      "missing closing parenthesis" },
    { "{'patternProperties':{'[':{}}}", "#/patternProperties/[: \"[\" is no "
      "regular expression: missing terminating ] for character class" },
    { "{'allOf':{}}", "#/allOf: must be an array of schemas" },
    { "{'anyOf':[{},5]}",
      "#/anyOf/1: a schema must be an object or a boolean" },
    { "{'$ref':1}", "#/$ref: must be a string" },
    { "{'$ref':'#/a'}", "#: the reference to \"#/a\" leads nowhere" },
    { "{'items':{'$ref':'#nope'}}",
      "#/items: the reference to \"#nope\" leads nowhere" },
    { "{'$ref':'https://example.com/x.json#/y'}",
      "#: the reference to \"https://example.com/x.json#/y\" leads nowhere" },
    { "{'$ref':'#'}", "#: the references go in a circle" },
    { "{'$defs':{'a':{'$ref':'#/$defs/b'},'b':{'$ref':'#/$defs/a'}}}",
      "#/$defs/a: the references go in a circle" },
    { "{'uniqueItems':1}", "#/uniqueItems: must be a boolean" },
    { "{'dependentRequired':{'a':1}}", "#/dependentRequired/a: a schema must "
      "be an object or a boolean" }
};

static const struct {
    const char *schema, *value;
    int valid;
} cases[] = {
    /* references */
    { "{'$defs':{'a':{'type':'string'}},'$ref':'#/$defs/a'}", "'x'", 1 },
    { "{'$defs':{'a~/%':{'type':'string'}},'$ref':'#/$defs/a~0~1%25'}", "1",
      0 },
    { "{'$defs':{'a':{'$anchor':'n','type':'string'}},'$ref':'#n'}", "1", 0 },
    { "{'$id':'http://h/a/b.json','$defs':{'x':{'$id':'c.json','type':"
      "'string'}},'$ref':'/a/c.json'}", "1", 0 },
    { "{'$id':'http://h/a/b.json','$defs':{'x':{'$id':'../d.json','type':"
      "'string'}},'$ref':'http://h/d.json#'}", "1", 0 },
    { "{'definitions':{'a':{'$id':'#n','type':'string'}},'$ref':'#n'}", "1",
      0 },
    { "{'properties':{'next':{'$ref':'#'}},'additionalProperties':false}",
      "{'next':{'next':{'x':1}}}", 0 },
    { "{'unknown':{'here':{'type':'string'}},'$ref':'#/unknown/here'}", "1",
      0 },
    { "{'prefixItems':[{'type':'string'}],'items':{'$ref':"
      "'#/prefixItems/0'}}", "['a','b',1]", 0 },
    { "{'$ref':'https://json-schema.org/draft/2020-12/schema'}",
      "{'minLength':-1}", 0 },
    { "{'$ref':'https://json-schema.org/draft/2020-12/schema'}",
      "{'properties':{'a':{'type':'x'}}}", 0 },
    { "{'$ref':'https://json-schema.org/draft/2020-12/schema'}",
      "{'properties':{'a':{'type':'string'}}}", 1 },
    { "{'$ref':'http://json-schema.org/draft-07/schema#'}",
      "{'items':[{'type':'x'}]}", 0 },
    { "{'$schema':'http://json-schema.org/draft-07/schema#','$ref':"
      "'#/definitions/a','maxLength':1,'definitions':{'a':{}}}", "'xx'", 1 },
    { "{'$ref':'#/$defs/a','maxLength':1,'$defs':{'a':{}}}", "'xx'", 0 },
    /* the forms of tuples */
    { "{'items':[{'type':'string'}],'additionalItems':false}", "['a',1]", 0 },
    { "{'prefixItems':[{'type':'string'}],'items':false}", "['a']", 1 },
    /* patterns as in ECMAScript */
    { "{'pattern':'^\\\\d$'}", "'\xD9\xA1'", 0 },
    { "{'pattern':'^\\\\s$'}", "'\xC2\xA0'", 1 },
    { "{'pattern':'^[\\\\s]$'}", "'\xEF\xBB\xBF'", 1 },
    { "{'pattern':'^\\\\S$'}", "'\xC2\xA0'", 0 },
    { "{'pattern':'^\\\\p{Letter}+$'}", "'\xC3\xA9'", 1 },
    { "{'pattern':'^\\\\p{Script=Greek}$'}", "'\xCE\xB1'", 1 },
    { "{'pattern':'^\\\\u{1F600}\\\\u0041$'}", "'\xF0\x9F\x98\x80" "A'", 1 },
    { "{'pattern':'^.$'}", "'\xF0\x9F\x98\x80'", 1 },
    { "{'pattern':'^a$'}", "'a\\n'", 0 },
    { "{'pattern':'[]'}", "'a'", 0 }, { "{'pattern':'^[^]$'}", "'a'", 1 },
    { "{'pattern':'^(?<y>\\\\d{4})-\\\\k<y>$'}", "'2026-2026'", 1 },
    /* numbers */
    { "{'multipleOf':0.0001}", "0.0075", 1 },
    { "{'multipleOf':0.0001}", "0.00751", 0 },
    { "{'multipleOf':0.01}", "4.35", 1 }, { "{'multipleOf':0.1}", "1e300", 1 },
    { "{'multipleOf':1e-8}", "12391239123", 1 },
    { "{'multipleOf':7}", "-21", 1 }, { "{'multipleOf':1.5}", "4", 0 },
    { "{'multipleOf':1e300}", "5", 0 }, { "{'multipleOf':2}", "0", 1 },
    { "{'multipleOf':3}", "9223372036854775807", 0 },
    { "{'minimum':9007199254740993}", "9007199254740992", 0 },
    { "{'minimum':0.5}", "1", 1 }, { "{'maximum':1e20}", "5", 1 },
    { "{'minimum':-1e20}", "5", 1 }, { "{'minimum':2}", "2.5", 1 },
    { "{'maximum':2}", "2.5", 0 }, { "{'maximum':-2}", "-2.5", 1 },
    { "{'exclusiveMinimum':-0.5}", "0", 1 },
    { "{'const':1.0}", "1", 1 }, { "{'type':'integer'}", "1e3", 1 },
    { "{'type':'integer'}", "12345678901234567890", 1 },
    { "{'maxLength':1e30}", "'a'", 1 },
    /* what was seen */
    { "{'allOf':[{'properties':{'a':{}}}],'unevaluatedProperties':false}",
      "{'a':1}", 1 },
    { "{'anyOf':[{'properties':{'a':{'type':'string'}}},{'properties':"
      "{'b':{}}}],'unevaluatedProperties':false}", "{'a':1,'b':1}", 0 },
    { "{'prefixItems':[{}],'contains':{'const':1},'unevaluatedItems':false}",
      "[0,1,1]", 1 },
    { "{'if':{'prefixItems':[{'const':1}]},'unevaluatedItems':false}", "[2]",
      0 }
};

static void references(void)
{
    const mastra_schema_t *schema;
    const char *why;
    apr_size_t i;

    for (i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        schema = compile(faults[i][0], &why);
        ok(!schema, faults[i][0]);
        is_str(why, faults[i][1], "is refused, with the reason");
    }
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        schema = compile(cases[i].schema, &why);
        is_str(why, NULL, cases[i].schema);
        is_int(schema && mastra_schema_validate(schema,
                                                json_of(cases[i].value), NULL,
                                                NULL),
               cases[i].valid, cases[i].value);
    }
}

/* 200 members and elements, which the seen ones do not fit in a word */
static void many_seen(void)
{
    mastra_json_t *object = mastra_json_own(mastra_json_object(), pool);
    mastra_json_t *array = mastra_json_own(mastra_json_array(), pool);
    const mastra_schema_t *schema;
    const char *why;
    int i;

    for (i = 0; i < 200; i++) {
        mastra_json_set_int(object, apr_psprintf(pool, "p%d", i), i);
        mastra_json_append(array, mastra_json_integer(i));
    }
    schema = compile("{'allOf':[{'patternProperties':{'^p':{}}}],"
                     "'unevaluatedProperties':false}", &why);
    ok(mastra_schema_validate(schema, object, NULL, NULL), "all are seen");
    mastra_json_set_int(object, "q", 1);
    ok(!mastra_schema_validate(schema, object, NULL, NULL), "but one");
    schema = compile("{'uniqueItems':true,'contains':{'maximum':150},"
                     "'unevaluatedItems':{'minimum':151}}", &why);
    ok(mastra_schema_validate(schema, array, NULL, NULL),
       "many elements that differ");
    mastra_json_append(array, mastra_json_real(199.0));
    ok(!mastra_schema_validate(schema, array, NULL, NULL),
       "until one comes twice");
}

static void limits(void)
{
    const mastra_schema_t *schema;
    mastra_schema_errors_t errors;
    const char *why;
    char text[600];

    schema = compile("{'$defs':{'a':{'anyOf':[{'allOf':[{'$ref':'#/$defs/a'}]"
                     "},{'type':'number'}]}},'$ref':'#/$defs/a'}", &why);
    ok(!mastra_schema_validate(schema, json_of("'x'"), &errors, pool)
       && errors.count, "endless recursion ends");
    schema = compile("{'pattern':'^(a+)+$'}", &why);
    ok(!mastra_schema_validate(schema, json_of("'aaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                               "aaaaaaaaaaaaaaaaaaaaaaaaa!'"),
                               &errors, pool),
       "a pattern that backtracks without end");
    is_str(errors.errors[0].keyword, "limit", "is cut short");
    schema = compile("{'$defs':{'l':{'anyOf':[{'$ref':'#/$defs/m'},{'$ref':"
                     "'#/$defs/m'},{'$ref':'#/$defs/m'},{'$ref':'#/$defs/m'}]"
                     "},'m':{'properties':{'n':{'$ref':'#/$defs/l'}},"
                     "'not':{'properties':{'n':{'$ref':'#/$defs/l'}}}}},"
                     "'$ref':'#/$defs/l'}", &why);
    memset(text, 0, sizeof(text));
    for (int i = 0; i < 40; i++) {
        strcpy(text + 5 * i, "{'n':");
        text[5 * 40 + i + 1] = '}';
    }
    text[5 * 40] = '1';
    ok(!mastra_schema_validate(schema, json_of(text), &errors, pool)
       && !strcmp(errors.errors[0].keyword, "limit"),
       "a schema that explodes is cut short");
}

int main(void)
{
    begin();
    references();
    many_seen();
    limits();
    return end();
}
