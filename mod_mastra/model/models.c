/* The providers of one virtual host, and the dispatch of calls to their kinds.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "../base/log.h"
#include "internal.h"

struct mastra_models_t {
    apr_pool_t *pool;
    apr_hash_t *providers;   /* by id: mastra_model_provider_t */
    apr_array_header_t *list;
    mastra_model_native_cb *find_native;
    void *native_baton;
};

#define NATIVE "provider:"

static const mastra_model_kind_t *const kinds[] = {
    &mastra_model_openai, &mastra_model_responses, &mastra_model_anthropic,
    &mastra_model_google, &mastra_model_mock
};

mastra_models_t *mastra_models_make(apr_pool_t *pool)
{
    mastra_models_t *models = apr_pcalloc(pool, sizeof(*models));

    models->pool = pool;
    models->providers = apr_hash_make(pool);
    models->list = apr_array_make(pool, 64, sizeof(mastra_model_provider_t *));
    return models;
}

void mastra_models_set_native(mastra_models_t *models,
                              mastra_model_native_cb *find, void *baton)
{
    models->find_native = find;
    models->native_baton = baton;
}

static int is_native(const char *kind_name)
{
    return !strncmp(kind_name, NATIVE, sizeof(NATIVE) - 1);
}

static const mastra_model_kind_t *find_kind(const char *name)
{
    apr_size_t i;

    if (is_native(name)) {
        return &mastra_model_native;
    }
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i]->name, name) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

static int is_id(const char *id)
{
    const char *p;

    for (p = id; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p)) {
            return 0;
        }
    }
    return p != id && p - id <= 64;
}

static const char *check_url(const char *url, apr_pool_t *pool)
{
    const char *p;
    apr_size_t scheme = strncasecmp(url, "https://", 8) == 0 ? 8
        : strncasecmp(url, "http://", 7) == 0 ? 7 : 0;

    if (!scheme || !url[scheme] || strchr("/?#:", url[scheme])) {
        return apr_psprintf(pool, "the URL '%s' is not an http:// or https:// "
                            "URL with a host", url);
    }
    if (!mastra_text_url_port(url)) {
        return apr_psprintf(pool, "the port in the URL '%s' is not a number "
                            "from 1 to 65535", url);
    }
    for (p = url; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '#') {
            return apr_psprintf(pool, "the URL '%s' holds a space, a control "
                                "character or a fragment", url);
        }
    }
    return NULL;
}

static const char *check_header(const char *header, apr_pool_t *pool)
{
    apr_size_t name = strcspn(header, ":");
    apr_size_t i;

    if (name == 0 || !header[name]) {
        return "a header must have the form 'Name: value'";
    }
    for (i = 0; header[i]; i++) {
        unsigned char c = (unsigned char)header[i];

        if (c < ' ' || c == 0x7f || (i < name && c == ' ')) {
            return apr_psprintf(pool, "the header '%.*s' holds a character "
                                "that headers may not have", (int)name, header);
        }
    }
    return NULL;
}

/* Without slashes at its end, which may stand before a query. */
static const char *trim_url(const char *url, apr_pool_t *pool)
{
    apr_size_t head = strcspn(url, "?");
    apr_size_t len = head;

    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    return apr_psprintf(pool, "%.*s%s", (int)len, url, url + head);
}

static const char *const *copy_headers(const char *const *headers,
                                       apr_pool_t *pool)
{
    apr_array_header_t *copy = apr_array_make(pool, 4, sizeof(const char *));

    for (; headers && *headers; headers++) {
        APR_ARRAY_PUSH(copy, const char *) = apr_pstrdup(pool, *headers);
    }
    APR_ARRAY_PUSH(copy, const char *) = NULL;
    return (const char *const *)copy->elts;
}

static const char *check(const mastra_models_t *models, const char *id,
                         const char *kind_name, const char *url,
                         const char *const *headers)
{
    const char *wrong = NULL;

    if (!is_id(id)) {
        return "the id of a model provider must consist of 1 to 64 letters, "
            "digits, '.', '_' and '-'";
    }
    if (!find_kind(kind_name)) {
        return apr_psprintf(models->pool, "there is no kind '%s' of model "
                            "providers, only 'openai', 'openai-responses', "
                            "'anthropic', 'google', 'mock' and "
                            "'provider:NAME'", kind_name);
    }
    if (apr_hash_get(models->providers, id, APR_HASH_KEY_STRING)) {
        return apr_psprintf(models->pool,
                            "the model provider '%s' is defined twice", id);
    }
    if (url) {
        wrong = check_url(url, models->pool);
    }
    for (; headers && *headers && !wrong; headers++) {
        wrong = check_header(*headers, models->pool);
    }
    return wrong;
}

/* A key from the environment: the first of the variables that holds one. What
 * could not stand in a header is none. */
static const char *read_key(const char *names, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, names ? names : ""), *state, *name;
    const char *key = NULL, *p;

    for (name = apr_strtok(copy, " ", &state); name && !(key && *key);
         name = apr_strtok(NULL, " ", &state)) {
        key = getenv(name);
    }
    for (p = key; p && *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f) {
            return NULL;
        }
    }
    return key && *key ? apr_pstrdup(pool, key) : NULL;
}

/* What belongs together: a server and its key. */
typedef struct {
    const char *url;         /* as it is known; NULL: it has none */
    const char *url_env;     /* variable that names another one */
    const char *key_env;
    int keyless;
} server_t;

/* "fireworks-ai" as FIREWORKS_AI_BASE_URL */
static const char *url_env_of(const char *id, apr_pool_t *pool)
{
    char *name = apr_pstrcat(pool, id, "_BASE_URL", NULL), *p;

    for (p = name; *p; p++) {
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    }
    return name;
}

static server_t server_of(const mastra_model_provider_t *provider,
                          apr_pool_t *pool)
{
    const mastra_model_kind_t *kind = provider->kind;
    const mastra_model_known_t *known = mastra_model_known_find(provider->id);
    server_t server = { kind->default_url, kind->default_url_env,
                        kind->default_key_env, !kind->default_key_env };

    if (known && find_kind(known->kind) == kind) {
        server.url = known->url ? known->url : kind->default_url;
        server.url_env = url_env_of(known->id, pool);
        server.key_env = known->key_env;
        server.keyless = known->keyless;
    }
    return server;
}

/* The URL that the environment gives, or the known one. */
static const char *own_url(const server_t *server, apr_pool_t *pool)
{
    const char *url = server->url_env ? getenv(server->url_env) : NULL;
    const char *wrong;

    if (!url || !*url) {
        return server->url;
    }
    wrong = check_url(url, pool);
    if (wrong) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(501) "%s is not used: %s",
                   server->url_env, wrong);
        return server->url;
    }
    return trim_url(url, pool);
}

static int is_same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* The code that kind_name names belongs to another module. */
static const char *set_native(mastra_model_provider_t *provider,
                              const mastra_models_t *models,
                              const char *kind_name)
{
    mastra_model_native_t *native = apr_pcalloc(models->pool, sizeof(*native));

    provider->native = native;
    if (!models->find_native) {
        return "no module offers models here";
    }
    return models->find_native(native, models->native_baton,
                               kind_name + sizeof(NATIVE) - 1, provider->id,
                               models->pool);
}

static void set_server(mastra_model_provider_t *provider, const char *url,
                       const char *key_env, apr_pool_t *pool)
{
    server_t server = server_of(provider, pool);
    const char *own = own_url(&server, pool);

    provider->base_url = url ? trim_url(url, pool) : own;
    if (!key_env && (is_same(provider->base_url, own)
                     || is_same(provider->base_url, server.url))) {
        key_env = server.key_env;
    }
    provider->key_env = key_env ? apr_pstrdup(pool, key_env) : NULL;
    provider->key = read_key(key_env, pool);
    provider->needs_key = key_env && !server.keyless
        && is_same(provider->base_url, server.url);
}

static const char *add(mastra_models_t *models, const char *id,
                       const char *kind_name, const char *url,
                       const char *key_env, const char *const *headers,
                       apr_interval_time_t timeout, int retries,
                       int configured)
{
    const mastra_model_kind_t *kind = find_kind(kind_name);
    apr_pool_t *pool = models->pool;
    mastra_model_provider_t *provider;
    const char *wrong = check(models, id, kind_name, url, headers);

    if (wrong) {
        return wrong;
    }
    provider = apr_pcalloc(pool, sizeof(*provider));
    provider->id = apr_pstrdup(pool, id);
    provider->kind = kind;
    provider->headers = copy_headers(headers, pool);
    provider->timeout = timeout;
    provider->retries = retries;
    provider->configured = configured;
    set_server(provider, url, key_env, pool);
    if (is_native(kind_name)) {
        wrong = set_native(provider, models, kind_name);
    }
    else {
        wrong = kind->prepare ? kind->prepare(provider, pool) : NULL;
    }
    if (!wrong) {
        apr_hash_set(models->providers, provider->id, APR_HASH_KEY_STRING,
                     provider);
        APR_ARRAY_PUSH(models->list, mastra_model_provider_t *) = provider;
    }
    return wrong;
}

const char *mastra_models_add(mastra_models_t *models, const char *id,
                              const char *kind, const char *url,
                              const char *key_env,
                              const char *const *headers,
                              apr_interval_time_t timeout, int retries)
{
    return add(models, id, kind, url, key_env, headers, timeout, retries, 1);
}

static void add_default(mastra_models_t *models, const char *id,
                        const char *kind, apr_interval_time_t timeout)
{
    /* What was configured under this id stays. */
    if (!apr_hash_get(models->providers, id, APR_HASH_KEY_STRING)) {
        add(models, id, kind, NULL, NULL, NULL, timeout, -1, 0);
    }
}

void mastra_models_add_defaults(mastra_models_t *models,
                                apr_interval_time_t timeout)
{
    const mastra_model_known_t *row;

    for (row = mastra_model_known; row->id; row++) {
        add_default(models, row->id, mastra_model_known_find(row->id)->kind,
                    timeout);
    }
    add_default(models, "mock", "mock", timeout);
}

int mastra_models_count(const mastra_models_t *models)
{
    return models->list->nelts;
}

const mastra_model_provider_t *mastra_models_at(const mastra_models_t *models,
                                                int i)
{
    return APR_ARRAY_IDX(models->list, i, const mastra_model_provider_t *);
}

const mastra_model_provider_t *
mastra_models_find(const mastra_models_t *models, const char *spec,
                   const char **pmodel_id)
{
    const char *slash = strchr(spec, '/');
    const mastra_model_provider_t *provider;

    if (!slash || !slash[1]) {
        return NULL;
    }
    provider = apr_hash_get(models->providers, spec, slash - spec);
    if (provider) {
        *pmodel_id = slash + 1;
    }
    return provider;
}

apr_status_t mastra_model_start(mastra_model_call_t **pcall,
                                mastra_loop_t *loop,
                                const mastra_model_provider_t *provider,
                                const mastra_model_request_t *request,
                                const mastra_model_cbs_t *cbs, void *baton)
{
    return provider->kind->start(pcall, loop, provider, request, cbs, baton);
}

void mastra_model_cancel(mastra_model_call_t *call)
{
    call->kind->cancel(call);
}

void mastra_model_resume(mastra_model_call_t *call)
{
    call->kind->resume(call);
}
