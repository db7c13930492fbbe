/* What mappings make and predicates ask, over JSON alone. */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "workflow/internal.h"
#include "tap.h"

static apr_pool_t *pool;

static mastra_json_t *parse(const char *text)
{
    mastra_json_t *json = NULL;
    mastra_json_error_t error;

    if (mastra_json_parse(&json, text, strlen(text), 0, &error)) {
        printf("Bail out! %s: %s\n", text, error.message);
        exit(1);
    }
    return mastra_json_own(json, pool);
}

static mastra_sight_t sight(void)
{
    mastra_sight_t made = {
        .init = parse("{\"n\":5,\"s\":\"a\",\"o\":{\"x\":[1,2]},\"z\":null}"),
        .input = parse("{\"n\":7}"), .state = parse("{\"on\":true}"),
        .context = parse("{\"k\":\"K\"}"),
        .results = parse("{\"one\":{\"status\":\"success\",\"output\":{"
                         "\"v\":1}},\"bad\":{\"status\":\"failed\"},"
                         "\"none\":{\"status\":\"success\",\"output\":null}}")
    };

    return made;
}

/* ---- predicates ---- */

static const struct {
    const char *text;
    int holds;
    const char *label;
} predicates[] = {
    { "{\"op\":\"gt\",\"left\":{\"path\":\"initData.n\"},"
      "\"right\":{\"literal\":4}}", 1, "initData.n > 4" },
    { "{\"op\":\"lte\",\"left\":{\"path\":\"inputData.n\"},"
      "\"right\":{\"path\":\"initData.n\"}}", 0, "inputData.n <= initData.n" },
    { "{\"op\":\"eq\",\"left\":{\"path\":\"initData.s\"},"
      "\"right\":{\"literal\":\"a\"}}", 1, "initData.s == \"a\"" },
    { "{\"op\":\"ne\",\"left\":{\"path\":\"initData.nope\"},"
      "\"right\":{\"literal\":\"a\"}}", 0, "initData.nope != \"a\"" },
    { "{\"op\":\"lt\",\"left\":{\"path\":\"initData.s\"},"
      "\"right\":{\"literal\":4}}", 0, "initData.s < 4" },
    { "{\"op\":\"eq\",\"left\":{\"path\":\"initData.o\"},"
      "\"right\":{\"path\":\"initData.o\"}}", 1, "initData.o == initData.o" },
    { "{\"op\":\"in\",\"value\":{\"path\":\"initData.n\"},\"set\":[1,5]}", 1,
      "initData.n in [1,5]" },
    { "{\"op\":\"notIn\",\"value\":{\"path\":\"initData.q\"},\"set\":[1]}", 1,
      "initData.q not in [1]" },
    { "{\"op\":\"exists\",\"path\":\"stepResults.one.v\"}", 1,
      "stepResults.one.v exists" },
    { "{\"op\":\"exists\",\"path\":\"stepResults.bad.v\"}", 0,
      "stepResults.bad.v exists" },
    { "{\"op\":\"exists\",\"path\":\"initData.o.x.1\"}", 1,
      "initData.o.x.1 exists" },
    { "{\"op\":\"notExists\",\"path\":\"initData.o.x.2\"}", 1,
      "initData.o.x.2 missing" },
    { "{\"op\":\"truthy\",\"value\":{\"path\":\"${state.on}\"}}", 1,
      "\"${state.on}\" is truthy" },
    { "{\"op\":\"falsy\",\"value\":{\"path\":\"initData.z\"}}", 1,
      "initData.z is falsy" },
    { "{\"op\":\"and\",\"args\":[{\"op\":\"truthy\",\"value\":{"
      "\"literal\":1}},{\"op\":\"not\",\"arg\":{\"op\":\"truthy\","
      "\"value\":{\"literal\":\"\"}}}]}", 1,
      "1 is truthy AND (NOT \"\" is truthy)" },
    { "{\"op\":\"or\",\"args\":[{\"op\":\"falsy\",\"value\":{"
      "\"literal\":1}},{\"op\":\"falsy\",\"value\":{\"literal\":2}}]}", 0,
      "1 is falsy OR 2 is falsy" },
};

static void test_predicates(void)
{
    mastra_sight_t seen = sight();
    const char *field;
    apr_size_t i;

    for (i = 0; i < sizeof(predicates) / sizeof(predicates[0]); i++) {
        mastra_json_t *predicate = parse(predicates[i].text);

        ok(!mastra_predicate_check(&field, "p", predicate, pool),
           apr_pstrcat(pool, "fine: ", predicates[i].label, NULL));
        is_int(mastra_predicate_holds(predicate, &seen), predicates[i].holds,
               "... and answered");
        is_str(mastra_predicate_label(predicate, pool), predicates[i].label,
               "... and shown");
    }
    ok(mastra_predicate_check(&field, "p", parse(
        "{\"op\":\"not\",\"arg\":{\"op\":\"eq\",\"left\":{\"path\":\"x.y\"},"
        "\"right\":{\"literal\":1}}}"), pool), "a root that is none");
    is_str(field, "p.arg.left.path", "... at its place");
    ok(mastra_predicate_check(&field, "p", parse(
        "{\"op\":\"and\",\"args\":[]}"), pool), "a list without members");
    ok(mastra_predicate_check(&field, "p", parse("{\"op\":\"eq\",\"left\":{},"
        "\"right\":{\"literal\":1}}"), pool), "an operand that is none");
}

/* ---- mappings ---- */

static const struct {
    const char *map, *made;          /* NULL: fails */
    const char *why;
} mappings[] = {
    { "{\"a\":{\"value\":{\"b\":1}}}", "{\"a\":{\"b\":1}}", NULL },
    { "{\"a\":{\"template\":\"${initData.s}-${inputData.n}-${state.on}-"
      "${requestContext.k}-${stepResults.one.v}-${initData.z}!\"}}",
      "{\"a\":\"a-7-true-K-1-!\"}", NULL },
    { "{\"a\":{\"template\":\"${initData.o}\"}}",
      "{\"a\":\"{\\\"x\\\":[1,2]}\"}", NULL },
    { "{\"a\":{\"template\":\"no end ${initData.s\"}}",
      "{\"a\":\"no end ${initData.s\"}", NULL },
    { "{\"a\":{\"initData\":true,\"path\":\"o.x\"}}", "{\"a\":[1,2]}", NULL },
    { "{\"a\":{\"initData\":true,\"path\":\"missing\"}}", "{}", NULL },
    { "{\"a\":{\"step\":\"one\",\"path\":\".\"}}", "{\"a\":{\"v\":1}}", NULL },
    { "{\"a\":{\"step\":[\"bad\",\"none\",\"one\"],\"path\":\"v\"}}",
      "{\"a\":1}", NULL },
    { "{\"a\":{\"requestContextPath\":\"k\"}}", "{\"a\":\"K\"}", NULL },
    { "{\"a\":{\"step\":\"bad\",\"path\":\"v\"}}", NULL,
      "Invalid path v in step bad" },
    { "{\"a\":{\"template\":\"${stepResults.bad.v}\"}}", NULL,
      "Template placeholder #1 (${stepResults.bad.v}) in "
      "'${stepResults.bad.v}' references stepResults.bad but step \"bad\" has "
      "no successful output (not run yet, not registered, failed, or produced "
      "no output)." },
};

static void test_mappings(void)
{
    mastra_sight_t seen = sight();
    apr_size_t i;

    for (i = 0; i < sizeof(mappings) / sizeof(mappings[0]); i++) {
        const char *why = NULL;
        mastra_json_t *made = mastra_mapping_run(parse(mappings[i].map), &seen,
                                                 &why, pool);

        is_str(mastra_json_text(made, pool), mappings[i].made,
               mappings[i].map);
        is_str(why, mappings[i].why, "... and why");
        mastra_json_unref(made);
    }
    ok(!mastra_template_check("${initData} ${stepResults.a}", pool),
       "templates with known roots are fine");
    ok(mastra_template_check("${ initData}", pool), "... without blanks");
    ok(mastra_template_check("${other.x}", pool), "... others not");
    ok(mastra_template_check("${stepResults}", pool), "... nor without a step");
    ok(mastra_template_check("${requestContext}", pool), "... or a key");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_predicates();
    test_mappings();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
