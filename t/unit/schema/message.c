/* What is said about values that do not fit: path and message. */

#include "schema.h"

#define OBJECT(properties) "{'type':'object','properties':{" properties "}}"
#define UNION "{'oneOf':[{'type':'object','properties':{'v':{'const':'1'}," \
              "'type':{'const':'a'},'n':{'type':'number'}}," \
              "'required':['type','n']},{'$ref':'#/$defs/b'}]," \
              "'$defs':{'b':{'type':'object','properties':{'v':" \
              "{'const':'1'},'type':{'enum':['b','c']}}}}}"
#define EMAIL "{'type':'string','format':'email','pattern':'^[^@]+@[^@]+$'}"

static const struct {
    const char *schema, *value, *want;
} cases[] = {
    /* types */
    { "{'type':'string'}", "5", ": Invalid input: expected string, "
      "received number" },
    { "{'type':'number'}", "'5'", ": Invalid input: expected number, "
      "received string" },
    { "{'type':'integer'}", "'5'", ": Invalid input: expected number, "
      "received string" },
    { "{'type':'integer'}", "2.5", ": Invalid input: expected int, "
      "received number" },
    { "{'type':'integer'}", "2.0", "" },
    { "{'type':'object'}", "[]", ": Invalid input: expected object, "
      "received array" },
    { "{'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':{}}", "null",
      ": Invalid input: expected record, received null" },
    { "{'type':'boolean'}", "{}", ": Invalid input: expected boolean, "
      "received object" },
    { "{'type':'null'}", "false", ": Invalid input: expected null, "
      "received boolean" },
    { "{'type':['string','null']}", "1", ": Invalid input: expected string, "
      "received number" },
    { "{'type':['string','number']}", "true", ": Invalid input" },
    { "false", "1", ": Invalid input: expected never, received number" },
    { "true", "1", "" }, { "{}", "1", "" },
    /* members */
    { "{'required':['a'],'type':'object','properties':{'b':{},"
      "'a':{'type':'string'}}}", "{}",
      "a: Invalid input: expected string, received undefined" },
    { "{'type':'object','properties':{'a':{'type':'array'},"
      "'b':{'enum':['x','y']},'c':{'const':1},'d':{'anyOf':[{'type':"
      "'string'},{'type':'number'}]},'e':{'anyOf':[{'type':'object'},"
      "{'type':'null'}]},'f':{'$ref':'#/properties/a'},'g':{},'h':"
      "{'allOf':[{'type':'string'}]}},'required':"
      "['h','g','f','e','d','c','b','a','z']}", "{}",
      "a: Invalid input: expected array, received undefined; "
      "b: Invalid option: expected one of \"x\"|\"y\"; "
      "c: Invalid input: expected 1; d: Invalid input; "
      "e: Invalid input: expected object, received undefined; "
      "f: Invalid input: expected array, received undefined; "
      "g: Invalid input: expected nonoptional, received undefined; "
      "h: Invalid input: expected string, received undefined; "
      "z: Invalid input: expected nonoptional, received undefined" },
    { OBJECT("'a':{'type':'array','items':{'type':'object','properties':"
             "{'b':{'type':'number'}}}}"), "{'a':[{'b':1},{'b':'x'}]}",
      "a.1.b: Invalid input: expected number, received string" },
    { "{'type':'object','properties':{'a':{}},'additionalProperties':false}",
      "{'a':1,'x':2}", ": Unrecognized key: \"x\"" },
    { "{'type':'object','additionalProperties':false}", "{'x':2,'y':3}",
      ": Unrecognized keys: \"x\", \"y\"" },
    { "{'unevaluatedProperties':false}", "{'x':2}",
      ": Unrecognized key: \"x\"" },
    { "{'additionalProperties':{'type':'string'}}", "{'x':2}",
      "x: Invalid input: expected string, received number" },
    { "{'propertyNames':{'$ref':'#/$defs/n'},'$defs':{'n':{'type':"
      "'string'}}}", "{'xy':2}", "" },
    { "{'propertyNames':{'$ref':'#/$defs/n'},'$defs':{'n':{'const':"
      "'a'}}}", "{'xy':2}", "xy: Invalid key in record" },
    { "{'propertyNames':{'type':'number'}}", "{'xy':2}",
      "xy: Invalid key in record" },
    { "{'propertyNames':{'maxLength':1}}", "{'xy':2}",
      "xy: Invalid key in record" },
    { "{'minProperties':1}", "{}",
      ": Too small: expected object to have >=1 properties" },
    { "{'dependentRequired':{'a':['b']},'properties':{'b':{'type':"
      "'string'}}}", "{'a':1}",
      "b: Invalid input: expected string, received undefined" },
    /* limits */
    { "{'minimum':0}", "-1", ": Too small: expected number to be >=0" },
    { "{'exclusiveMinimum':0}", "0", ": Too small: expected number to be >0" },
    { "{'maximum':0.5}", "1", ": Too big: expected number to be <=0.5" },
    { "{'exclusiveMaximum':1}", "1", ": Too big: expected number to be <1" },
    { "{'type':'integer','maximum':9007199254740991}", "1e17",
      ": Too big: expected int to be <=9007199254740991" },
    { "{'multipleOf':5}", "6", ": Invalid number: must be a multiple of 5" },
    { "{'minLength':2}", "'\xC3\xA9'",
      ": Too small: expected string to have >=2 characters" },
    { "{'maxLength':1}", "'ab'",
      ": Too big: expected string to have <=1 characters" },
    { "{'minLength':2,'maxLength':2}", "'abc'",
      ": Too big: expected string to have exactly 2 characters" },
    { "{'minItems':1}", "[]", ": Too small: expected array to have >=1 items" },
    { "{'maxItems':1}", "[1,2]",
      ": Too big: expected array to have <=1 items" },
    { "{'uniqueItems':true}", "[1,1.0]",
      ": Invalid input: expected unique items" },
    { "{'contains':{'type':'string'}}", "[1]",
      ": Invalid input: too few items match" },
    { "{'pattern':'^a+$'}", "'b'",
      ": Invalid string: must match pattern /^a+$/" },
    { EMAIL, "'b'", ": Invalid email address" }, { EMAIL, "'b@c'", "" },
    { "{'format':'email'}", "'no check'", "" },
    /* constants */
    { "{'enum':['x','y',1,null]}", "'z'",
      ": Invalid option: expected one of \"x\"|\"y\"|1|null" },
    { "{'type':'string','enum':['x']}", "5", ": Invalid input: expected "
      "\"x\"" },
    { "{'const':{'a':1}}", "5", ": Invalid input: expected {\"a\":1}" },
    /* unions */
    { "{'anyOf':[{'type':'string'},{'type':'number'}]}", "true",
      ": Invalid input" },
    { "{'anyOf':[{'type':'string'},{'type':'null'}]}", "true",
      ": Invalid input: expected string, received boolean" },
    { "{'anyOf':[{'type':'string','minLength':3},{'type':'number'}]}", "'a'",
      ": Too small: expected string to have >=3 characters" },
    { "{'anyOf':[{'minLength':3},{'minLength':2}]}", "'a'",
      ": Invalid input" },
    { "{'oneOf':[{'minLength':1},{'maxLength':2}]}", "'a'",
      ": Invalid input: more than one option matched" },
    { UNION, "{'type':'a','n':1}", "" }, { UNION, "{'type':'c'}", "" },
    { UNION, "{'type':'a','n':'1'}",
      "n: Invalid input: expected number, received string" },
    { UNION, "{'type':'x'}",
      "type: Invalid discriminator value. Expected 'a' | 'b' | 'c'" },
    { UNION, "5", ": Invalid input: expected object, received number" },
    { "{'not':{}}", "1", ": Invalid input" },
    { "{'allOf':[{'type':'string'},{'minimum':5}]}", "1",
      ": Invalid input: expected string, received number; "
      ": Too small: expected number to be >=5" },
    { "{'if':{'type':'string'},'then':{'minLength':1},'else':"
      "{'type':'number'}}", "false",
      ": Invalid input: expected number, received boolean" }
};

static const char *validate(const char *schema_text,
                            const mastra_json_t *value)
{
    mastra_schema_errors_t errors;
    const mastra_schema_t *schema;
    const char *why, *text = "";
    int i;

    schema = compile(schema_text, &why);
    if (!schema) {
        return why;
    }
    if (mastra_schema_validate(schema, value, &errors, pool)) {
        return "";
    }
    for (i = 0; i < errors.count; i++) {
        text = apr_pstrcat(pool, text, i ? "; " : "", errors.errors[i].path,
                           ": ", errors.errors[i].message, NULL);
    }
    return text;
}

static void absent(void)
{
    is_str(validate("{'type':'object'}", NULL), ": Invalid input: expected "
           "object, received undefined", "an absent body");
    is_str(validate("{}", NULL), "", "is fine where anything is");
    is_str(validate("{'anyOf':[{'type':'object'},{'type':'array'}]}", NULL),
           ": Invalid input", "or not");
    is_str(validate(UNION, NULL), ": Invalid input: expected object, "
           "received undefined", "or must be an object");
    is_str(validate("{'type':'number'}", mastra_json_nan()),
           ": Invalid input: expected number, received NaN",
           "what is no number");
}

static void issues(void)
{
    mastra_schema_errors_t errors;
    const mastra_schema_t *schema;
    const char *why;

    schema = compile("{'type':'object','properties':{'a':{'type':'array',"
                     "'items':{'type':'string'}}}}", &why);
    mastra_schema_validate(schema, json_of("{'a':[1]}"), &errors, pool);
    is_str(errors.errors[0].keyword, "type", "the keyword of an error");
    is_str(errors.errors[0].location, "#/properties/a/items/type",
           "and where the schema has it");
    is_str(mastra_json_text(mastra_json_own(mastra_schema_issues(&errors),
                                            pool), pool),
           "[{\"field\":\"a.0\",\"message\":\"Invalid input: expected string, "
           "received number\"}]", "as issues");
    mastra_schema_validate(schema, json_of("[]"), &errors, pool);
    is_str(mastra_json_text(mastra_json_own(mastra_schema_issues(&errors),
                                            pool), pool),
           "[{\"field\":\"root\",\"message\":\"Invalid input: expected object, "
           "received array\"}]", "the root has a name");
}

static void many(void)
{
    mastra_json_t *array = mastra_json_own(mastra_json_array(), pool);
    mastra_schema_errors_t errors;
    const mastra_schema_t *schema;
    const char *why;
    int i;

    for (i = 0; i < 1000; i++) {
        mastra_json_append(array, mastra_json_integer(i));
    }
    schema = compile("{'items':{'type':'string'}}", &why);
    ok(!mastra_schema_validate(schema, array, &errors, pool), "many errors");
    is_int(errors.count, MASTRA_SCHEMA_MAX_ERRORS, "are cut");
    ok(errors.truncated, "and it is said so");
    ok(!mastra_schema_validate(schema, array, NULL, NULL),
       "no pool is needed where nobody asks why");
}

int main(void)
{
    apr_size_t i;

    begin();
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        is_str(validate(cases[i].schema, json_of(cases[i].value)),
               cases[i].want, apr_pstrcat(pool, cases[i].value, " for ",
                                          cases[i].schema, NULL));
    }
    absent();
    issues();
    many();
    return end();
}
