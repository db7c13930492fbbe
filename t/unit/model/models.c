/* The registry of providers, and the results that failures become. */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/log.h"
#include "model/internal.h"
#include "tap.h"

static apr_pool_t *pool;
static char warning[512];

static int log_enabled(mastra_log_level_e level)
{
    return level <= MASTRA_LOG_WARNING;
}

static void log_write(mastra_log_level_e level, apr_status_t rv,
                      const char *file, int line, const char *text)
{
    apr_cpystrn(warning, text, sizeof(warning));
}

static const char *add(mastra_models_t *models, const char *id,
                       const char *kind, const char *url, const char *header)
{
    const char *headers[] = { header, NULL };

    return mastra_models_add(models, id, kind, url, NULL,
                             header ? headers : NULL, 0, -1);
}

static void test_keys(void)
{
    mastra_models_t *models = mastra_models_make(pool);
    const char *model;

    setenv("OPENAI_API_KEY", "sk-1", 1);
    setenv("OPENAI_BASE_URL", "http://mine/v1/", 1);
    add(models, "own", "openai", NULL, NULL);
    add(models, "same", "openai", "http://mine/v1", NULL);
    add(models, "theirs", "openai", "https://api.openai.com/v1/", NULL);
    add(models, "other", "openai", "http://other/v1", NULL);
    mastra_models_add(models, "asked", "openai", "http://other/v1",
                      "OPENAI_API_KEY", NULL, 0, -1);
    is_str(mastra_models_find(models, "own/m", &model)->base_url,
           "http://mine/v1", "the environment's URL");
    is_str(mastra_models_find(models, "own/m", &model)->key, "sk-1",
           "has the environment's key");
    is_str(mastra_models_find(models, "same/m", &model)->key, "sk-1",
           "also when the URL is written down");
    is_str(mastra_models_find(models, "theirs/m", &model)->key, "sk-1",
           "as has the kind's own URL");
    is_str(mastra_models_find(models, "other/m", &model)->key, NULL,
           "another URL has not");
    is_str(mastra_models_find(models, "asked/m", &model)->key, "sk-1",
           "unless that is asked for");
    unsetenv("OPENAI_BASE_URL");
}

static void test_add(void)
{
    mastra_models_t *models = mastra_models_make(pool);
    const mastra_model_provider_t *provider;
    const char *model = NULL;

    ok(!add(models, "a", "openai", "http://h:1/v1//", "N: v"), "a provider");
    ok(add(models, "a", "openai", NULL, NULL) != NULL, "not twice");
    ok(add(models, "a/b", "openai", NULL, NULL) != NULL, "no slash in an id");
    ok(add(models, "", "openai", NULL, NULL) != NULL, "no empty id");
    ok(add(models, "b", "nobody", NULL, NULL) != NULL, "no unknown kind");
    ok(add(models, "b", "openai", "ftp://h", NULL) != NULL, "no other scheme");
    ok(add(models, "b", "openai", "http://", NULL) != NULL, "no empty host");
    ok(add(models, "b", "openai", "http://h/ x", NULL) != NULL, "no space");
    ok(add(models, "b", "openai", NULL, "nothing") != NULL, "no bare header");
    ok(add(models, "b", "openai", NULL, "A: b\r\nC: d") != NULL, "no new line");
    ok(!mastra_models_find(models, "a", &model), "a name alone is no model");
    ok(!mastra_models_find(models, "a/", &model), "nor is an empty one");
    ok(!mastra_models_find(models, "c/x", &model), "an unknown provider");
    provider = mastra_models_find(models, "a/x/y", &model);
    is_str(model, "x/y", "the model");
    is_str(provider->base_url, "http://h:1/v1", "slashes at the end go");
    is_str(provider->url, "http://h:1/v1/chat/completions", "the URL of calls");
    is_str(provider->lines[1], "N: v", "its header");
    ok(!add(models, "q", "openai", "http://h/v1/?v=1", NULL), "with a query");
    provider = mastra_models_find(models, "q/x", &model);
    is_str(provider->url, "http://h/v1/chat/completions?v=1",
           "the path goes before a query");
    ok(!provider->lines[1] && !provider->key,
       "the key does not go to another server unasked");
    ok(!add(models, "z", "openai", "http://h", "authorization: mine"),
       "with its own authorization");
    provider = mastra_models_find(models, "z/x", &model);
    ok(strcmp(provider->lines[1], "authorization: mine") == 0
       && !provider->lines[2], "which is the only one");
}

static void test_defaults(void)
{
    mastra_models_t *models = mastra_models_make(pool);
    const mastra_model_provider_t *provider;
    const char *model;

    setenv("OPENAI_API_KEY", "sk-1", 1);
    setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/", 1);
    add(models, "mock", "openai", "http://h", NULL);
    mastra_models_add_defaults(models);
    provider = mastra_models_find(models, "openai/gpt", &model);
    is_str(provider->url, "http://127.0.0.1:9/v1/chat/completions",
           "OPENAI_BASE_URL");
    is_str(provider->lines[1], "Authorization: Bearer sk-1", "OPENAI_API_KEY");
    provider = mastra_models_find(models, "mock/x", &model);
    ok(provider->kind == &mastra_model_openai, "what is configured stays");
    is_str(warning, "", "no warning");
    setenv("OPENAI_BASE_URL", "nonsense", 1);
    setenv("OPENAI_API_KEY", "a\nb", 1);
    models = mastra_models_make(pool);
    mastra_models_add_defaults(models);
    provider = mastra_models_find(models, "openai/gpt", &model);
    is_str(provider->base_url, "https://api.openai.com/v1",
           "a URL that is none is not used");
    ok(strstr(warning, "OPENAI_BASE_URL") != NULL, "… and a warning says so");
    ok(!provider->key, "nor is a key that does not fit into a header");
    ok(mastra_models_find(models, "mock/x", &model)->kind
       == &mastra_model_mock, "the mock is there");
}

static void test_results(void)
{
    mastra_model_provider_t provider = { .id = "p" };
    mastra_result_t *result;
    mastra_model_fail_e fail;
    int good = 1;

    for (fail = MASTRA_FAIL_NO_KEY; fail <= MASTRA_FAIL_INTERNAL; fail++) {
        result = mastra_model_fail_result(&provider, fail, 0, NULL, pool);
        good &= result->status >= 400
            && strncmp(result->code, "MODEL_", 6) == 0
            && strncmp(result->message, "Model provider 'p' ", 19) == 0
            && !result->cause;
    }
    ok(good, "each failure has a status, a code and a message");
    result = mastra_model_fail_result(&provider, MASTRA_FAIL_UPSTREAM, 0, "x",
                                      pool);
    is_int(result->status, 502, "an upstream's failure may be repeated");
    mastra_model_error_no_repeat(result);
    is_int(result->status, 424, "but not once tools have run");
    result = mastra_model_fail_result(&provider, MASTRA_FAIL_RATE_LIMIT, 9,
                                      NULL, pool);
    mastra_model_error_no_repeat(result);
    ok(result->status == 429 && result->retry_after == 9,
       "a 4xx stays what it is");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    mastra_log_set(log_enabled, log_write);
    setenv("OPENAI_API_KEY", "key", 1);
    unsetenv("OPENAI_BASE_URL");
    test_add();
    test_keys();
    test_defaults();
    test_results();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
