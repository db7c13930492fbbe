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
};

static const mastra_model_kind_t *const kinds[] = {
    &mastra_model_openai, &mastra_model_mock
};

mastra_models_t *mastra_models_make(apr_pool_t *pool)
{
    mastra_models_t *models = apr_pcalloc(pool, sizeof(*models));

    models->pool = pool;
    models->providers = apr_hash_make(pool);
    return models;
}

static const mastra_model_kind_t *find_kind(const char *name)
{
    apr_size_t i;

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
                            "providers, only 'openai' and 'mock'", kind_name);
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

/* A key from the environment; one that could not stand in a header is none. */
static const char *read_key(const char *name, apr_pool_t *pool)
{
    const char *key = name ? getenv(name) : NULL;
    const char *p;

    for (p = key; p && *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f) {
            return NULL;
        }
    }
    return key && *key ? apr_pstrdup(pool, key) : NULL;
}

/* The URL that the environment or the kind itself gives; NULL: none. */
static const char *own_url(const mastra_model_kind_t *kind, apr_pool_t *pool)
{
    const char *url = kind->default_url_env ? getenv(kind->default_url_env)
                                            : NULL;
    const char *wrong;

    if (!url || !*url) {
        return kind->default_url;
    }
    wrong = check_url(url, pool);
    if (wrong) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(501) "%s is not used: %s",
                   kind->default_url_env, wrong);
        return kind->default_url;
    }
    return trim_url(url, pool);
}

static int is_same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static void set_server(mastra_model_provider_t *provider, const char *url,
                       const char *key_env, apr_pool_t *pool)
{
    const mastra_model_kind_t *kind = provider->kind;
    const char *own = own_url(kind, pool);

    provider->base_url = url ? trim_url(url, pool) : own;
    if (!key_env && (is_same(provider->base_url, own)
                     || is_same(provider->base_url, kind->default_url))) {
        key_env = kind->default_key_env;
    }
    provider->key_env = key_env ? apr_pstrdup(pool, key_env) : NULL;
    provider->key = read_key(key_env, pool);
}

const char *mastra_models_add(mastra_models_t *models, const char *id,
                              const char *kind_name, const char *url,
                              const char *key_env,
                              const char *const *headers,
                              apr_interval_time_t timeout, int retries)
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
    set_server(provider, url, key_env, pool);
    wrong = kind->prepare ? kind->prepare(provider, pool) : NULL;
    if (!wrong) {
        apr_hash_set(models->providers, provider->id, APR_HASH_KEY_STRING,
                     provider);
    }
    return wrong;
}

void mastra_models_add_defaults(mastra_models_t *models)
{
    apr_size_t i;

    /* What was configured under these ids stays: it is refused as a second. */
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        mastra_models_add(models, kinds[i]->name, kinds[i]->name, NULL, NULL,
                          NULL, 0, -1);
    }
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
