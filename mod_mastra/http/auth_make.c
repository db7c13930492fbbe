/* Makes providers from the words of MastraAuth: what each kind needs, and what
 * the presets know about the services they are named after. */
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include "auth_internal.h"

#define FRESH apr_time_from_sec(600)
#define STALE apr_time_from_sec(86400)
#define RETRY apr_time_from_sec(30)
#define MAX_SKEW apr_time_from_sec(600)

/* The options of a line. */
typedef struct {
    apr_array_header_t *issuers, *audiences;     /* const char * */
    const char *secret, *token, *user, *role, *roles;
    const char *url, *uri, *domain, *project, *client, *server;
    unsigned algorithms;
    apr_interval_time_t skew, refresh, stale, retry;
    apr_pool_t *pool;
} options_t;

typedef struct {
    const char *kind;
    const char *allowed;     /* options, each with a space behind it */
    const char *(*make)(mastra_auth_provider_t *self, options_t *options);
} kind_t;

/* --- options --------------------------------------------------------------- */

/* env:NAME, because secrets do not stand in the configuration. */
static const char *take_secret(const char **pvalue, const char *name,
                               const char *text, apr_pool_t *pool)
{
    const char *found;

    if (strncmp(text, "env:", 4) || !text[4]) {
        return apr_psprintf(pool, "%s= must be env:NAME: a secret stands in "
                            "the environment, not in the configuration", name);
    }
    found = getenv(text + 4);
    if (!found || !*found) {
        return apr_psprintf(pool, "the environment has no %s, which %s= asks "
                            "for", text + 4, name);
    }
    *pvalue = apr_pstrdup(pool, found);
    return NULL;
}

static const char *take_algorithms(unsigned *pbits, const char *text,
                                   apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text), *last;
    const char *word;
    unsigned bit;

    for (word = apr_strtok(copy, ",", &last); word;
         word = apr_strtok(NULL, ",", &last)) {
        bit = mastra_jwt_algorithm(word);
        if (!bit) {
            return apr_psprintf(pool, "there is no algorithm %s; there are HS, "
                                "RS, PS and ES, each with 256, 384 and 512",
                                word);
        }
        *pbits |= bit;
    }
    return *pbits ? NULL : "algorithms= names none";
}

static const char *take_time(apr_interval_time_t *ptime, const char *name,
                             const char *text, apr_pool_t *pool)
{
    if (ap_timeout_parameter_parse(text, ptime, "s") != APR_SUCCESS
        || *ptime < 0) {
        return apr_psprintf(pool, "%s= must be a time such as 30s", name);
    }
    return NULL;
}

static const char *take_text(options_t *options, const char *name,
                             const char *value)
{
    const struct {
        const char *name;
        const char **pvalue;
    } texts[] = {
        { "user", &options->user }, { "role", &options->role },
        { "roles", &options->roles }, { "url", &options->url },
        { "uri", &options->uri }, { "domain", &options->domain },
        { "project", &options->project }, { "client", &options->client },
        { "server", &options->server }, { NULL }
    };
    int i;

    for (i = 0; texts[i].name; i++) {
        if (!strcmp(texts[i].name, name)) {
            *texts[i].pvalue = value;
        }
    }
    return NULL;
}

static const char *take_option(options_t *options, const char *name,
                               const char *value)
{
    apr_pool_t *pool = options->pool;

    if (!*value) {
        return apr_psprintf(pool, "%s= has no value", name);
    }
    if (!strcmp(name, "issuer")) {
        APR_ARRAY_PUSH(options->issuers, const char *) = value;
        return NULL;
    }
    if (!strcmp(name, "audience")) {
        APR_ARRAY_PUSH(options->audiences, const char *) = value;
        return NULL;
    }
    if (!strcmp(name, "secret")) {
        return take_secret(&options->secret, name, value, pool);
    }
    if (!strcmp(name, "token")) {
        return take_secret(&options->token, name, value, pool);
    }
    if (!strcmp(name, "algorithms")) {
        return take_algorithms(&options->algorithms, value, pool);
    }
    if (!strcmp(name, "skew")) {
        return take_time(&options->skew, name, value, pool);
    }
    if (!strcmp(name, "refresh")) {
        return take_time(&options->refresh, name, value, pool);
    }
    if (!strcmp(name, "stale")) {
        return take_time(&options->stale, name, value, pool);
    }
    if (!strcmp(name, "retry")) {
        return take_time(&options->retry, name, value, pool);
    }
    return take_text(options, name, value);
}

static int is_allowed(const kind_t *kind, const char *name)
{
    const char *found = kind->allowed;
    apr_size_t len = strlen(name);

    while ((found = strstr(found, name))) {
        if ((found == kind->allowed || found[-1] == ' ')
            && found[len] == ' ') {
            return 1;
        }
        found += len;
    }
    return 0;
}

static const char *read_options(options_t *options, const kind_t *kind,
                                int argc, const char *const argv[])
{
    apr_pool_t *pool = options->pool;
    const char *wrong;
    int i;

    for (i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '='), *name;

        name = equals ? apr_pstrmemdup(pool, argv[i], equals - argv[i]) : "";
        if (!*name || strchr(name, ' ') || !is_allowed(kind, name)) {
            return *kind->allowed
                   ? apr_psprintf(pool, "there is no option %s; it has %s",
                                  argv[i], kind->allowed)
                   : "it takes no options";
        }
        wrong = take_option(options, name, apr_pstrdup(pool, equals + 1));
        if (wrong) {
            return wrong;
        }
    }
    return NULL;
}

/* --- signed tokens --------------------------------------------------------- */

static const char *const *list_of(const apr_array_header_t *array,
                                  apr_pool_t *pool)
{
    apr_array_header_t *list;

    if (!array->nelts) {
        return NULL;
    }
    list = apr_array_copy(pool, array);
    APR_ARRAY_PUSH(list, const char *) = NULL;
    return (const char *const *)list->elts;
}

static const char *set_rules(mastra_auth_provider_t *self,
                             const options_t *options, unsigned algorithms)
{
    self->rules.algorithms = options->algorithms ? options->algorithms
                                                 : algorithms;
    self->rules.issuers = list_of(options->issuers, options->pool);
    self->rules.audiences = list_of(options->audiences, options->pool);
    self->rules.skew = options->skew;
    if (self->rules.algorithms & ~algorithms) {
        return "algorithms= names some that do not go with these keys";
    }
    return options->skew > MAX_SKEW ? "skew= may be 10min at most" : NULL;
}

static const char *make_jwt(mastra_auth_provider_t *self, options_t *options)
{
    apr_size_t len = options->secret ? strlen(options->secret) : 0;

    if (!len) {
        return "it needs secret=env:NAME";
    }
    self->secret = mastra_jwks_secret(options->secret, len, options->pool);
    if (!self->secret) {
        return "the secret has more than 1024 bytes";
    }
    if (len < 32) {
        self->doubt = "its secret has fewer than 32 bytes, which can be found "
                      "by trying";
    }
    return set_rules(self, options, MASTRA_JWT_HS);
}

static int is_loopback(const char *host)
{
    return !strcmp(host, "localhost") || !strncmp(host, "127.", 4)
           || !strcmp(host, "::1");
}

static const char *check_url(const char *url, apr_pool_t *pool)
{
    apr_uri_t uri;

    if (apr_uri_parse(pool, url, &uri) != APR_SUCCESS || !uri.scheme
        || !uri.hostname || !*uri.hostname || uri.user
        || (strcmp(uri.scheme, "https") && strcmp(uri.scheme, "http"))) {
        return apr_psprintf(pool, "%s is no address of keys, such as "
                            "https://id.example/keys", url);
    }
    /* who can change the answer on its way decides who is let in */
    return !strcmp(uri.scheme, "http") && !is_loopback(uri.hostname)
           ? "url= must be https, but for loopback" : NULL;
}

static const char *make_jwks(mastra_auth_provider_t *self, options_t *options)
{
    mastra_keys_conf_t conf = { .url = options->url,
                                .fresh = options->refresh,
                                .stale = options->stale,
                                .retry = options->retry };
    const char *wrong;

    if (!options->url) {
        return "it needs url=, the address of the keys";
    }
    wrong = check_url(options->url, options->pool);
    if (wrong) {
        return wrong;
    }
    if (options->stale < options->refresh) {
        return "stale= must not be shorter than refresh=";
    }
    self->keys = mastra_keys_make(&conf, options->pool);
    return set_rules(self, options, MASTRA_JWT_PUBLIC);
}

static const char *make_named_jwks(mastra_auth_provider_t *self,
                                   options_t *options)
{
    if (!options->issuers->nelts || !options->audiences->nelts) {
        self->doubt = "it takes tokens of any issuer or for any audience that "
                      "these keys have signed: issuer= and audience= limit it";
    }
    return make_jwks(self, options);
}

/* --- presets --------------------------------------------------------------- */

/* A host name, without a scheme and without a slash at its end. */
static const char *host_of(const char **phost, const options_t *options,
                           const char *text, const char *name)
{
    apr_size_t len;

    if (!text) {
        return apr_psprintf(options->pool, "it needs %s=", name);
    }
    if (!strncmp(text, "https://", 8)) {
        text += 8;
    }
    len = strlen(text);
    len -= len && text[len - 1] == '/';
    *phost = apr_pstrmemdup(options->pool, text, len);
    if (!len || strspn(*phost, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                       "abcdefghijklmnopqrstuvwxyz0123456789-._:") != len) {
        return apr_psprintf(options->pool, "%s= is no name: %s", name, text);
    }
    return NULL;
}

/* Fills in what the line did not say. */
static void presume(options_t *options, const char *url, const char *issuer,
                    const char *audience)
{
    if (!options->url) {
        options->url = url;
    }
    if (!options->issuers->nelts && issuer) {
        APR_ARRAY_PUSH(options->issuers, const char *) = issuer;
    }
    if (!options->audiences->nelts && audience) {
        APR_ARRAY_PUSH(options->audiences, const char *) = audience;
    }
}

static const char *make_auth0(mastra_auth_provider_t *self,
                              options_t *options)
{
    const char *host, *wrong = host_of(&host, options, options->domain,
                                       "domain");

    if (wrong) {
        return wrong;
    }
    if (!options->audiences->nelts) {
        self->doubt = "it takes tokens for any audience of the tenant: "
                      "audience= limits it";
    }
    presume(options, apr_pstrcat(options->pool, "https://", host,
                                 "/.well-known/jwks.json", NULL),
            apr_pstrcat(options->pool, "https://", host, "/", NULL), NULL);
    return make_jwks(self, options);
}

static const char *make_clerk(mastra_auth_provider_t *self,
                              options_t *options)
{
    const char *host, *wrong = host_of(&host, options, options->domain,
                                       "domain");

    if (wrong) {
        return wrong;
    }
    presume(options, apr_pstrcat(options->pool, "https://", host,
                                 "/.well-known/jwks.json", NULL),
            apr_pstrcat(options->pool, "https://", host, NULL), NULL);
    return make_jwks(self, options);
}

static const char *make_supabase(mastra_auth_provider_t *self,
                                 options_t *options)
{
    const char *host, *wrong;

    wrong = options->domain ? host_of(&host, options, options->domain,
                                      "domain")
                            : host_of(&host, options, options->project,
                                      "project");
    if (wrong) {
        return wrong;
    }
    if (!strchr(host, '.')) {
        host = apr_pstrcat(options->pool, host, ".supabase.co", NULL);
    }
    presume(options, apr_pstrcat(options->pool, "https://", host,
                                 "/auth/v1/.well-known/jwks.json", NULL),
            apr_pstrcat(options->pool, "https://", host, "/auth/v1", NULL),
            "authenticated");
    return make_jwks(self, options);
}

static const char *make_firebase(mastra_auth_provider_t *self,
                                 options_t *options)
{
    const char *project, *wrong = host_of(&project, options, options->project,
                                          "project");

    if (wrong) {
        return wrong;
    }
    presume(options, "https://www.googleapis.com/service_accounts/v1/jwk/"
            "securetoken@system.gserviceaccount.com",
            apr_pstrcat(options->pool, "https://securetoken.google.com/",
                        project, NULL), project);
    if (!options->algorithms) {
        options->algorithms = mastra_jwt_algorithm("RS256");
    }
    return make_jwks(self, options);
}

/* The keys are those of one client; issuers came in several forms. */
static const char *make_workos(mastra_auth_provider_t *self,
                               options_t *options)
{
    const char *client, *wrong = host_of(&client, options, options->client,
                                         "client");

    if (wrong) {
        return wrong;
    }
    if (!options->issuers->nelts) {
        APR_ARRAY_PUSH(options->issuers, const char *) =
            "https://api.workos.com";
        APR_ARRAY_PUSH(options->issuers, const char *) =
            "https://api.workos.com/";
        APR_ARRAY_PUSH(options->issuers, const char *) =
            apr_pstrcat(options->pool, "https://api.workos.com/"
                        "user_management/", client, NULL);
    }
    presume(options, apr_pstrcat(options->pool, "https://api.workos.com/sso/"
                                 "jwks/", client, NULL), NULL, NULL);
    return make_jwks(self, options);
}

static const char *make_okta(mastra_auth_provider_t *self, options_t *options)
{
    const char *host, *server, *issuer;
    const char *wrong = host_of(&host, options, options->domain, "domain");

    if (!wrong) {
        wrong = host_of(&server, options,
                        options->server ? options->server : "default",
                        "server");
    }
    if (wrong) {
        return wrong;
    }
    issuer = apr_pstrcat(options->pool, "https://", host, "/oauth2/", server,
                         NULL);
    presume(options, apr_pstrcat(options->pool, issuer, "/v1/keys", NULL),
            issuer, strcmp(server, "default") ? NULL : "api://default");
    return make_jwks(self, options);
}

/* --- the others ------------------------------------------------------------ */

static const char *make_simple(mastra_auth_provider_t *self,
                               options_t *options)
{
    const char *user = options->user ? options->user : "user";

    if (!options->token) {
        return "it needs token=env:NAME";
    }
    if (strlen(options->token) < 16) {
        self->doubt = "its token has fewer than 16 characters, which can be "
                      "found by trying";
    }
    self->token = options->token;
    self->user = mastra_json_own(mastra_json_object(), options->pool);
    mastra_json_set_str(self->user, "id", user);
    mastra_json_set_str(self->user, "sub", user);
    mastra_json_set_str(self->user, "name", user);
    mastra_json_set_str(self->user, "role", options->role);
    return NULL;
}

static const char *make_httpd(mastra_auth_provider_t *self,
                              options_t *options)
{
    return NULL;
}

static const char *make_uri(mastra_auth_provider_t *self, options_t *options)
{
    if (!options->uri || *options->uri != '/'
        || options->uri[strcspn(options->uri, "?# ")]) {
        return "it needs uri=, a path of this server";
    }
    self->path = options->uri;
    return NULL;
}

#define TOKEN "issuer audience algorithms skew roles "
#define KEYS TOKEN "url refresh stale retry "

static const kind_t kinds[] = {
    { "jwt", "secret " TOKEN, make_jwt },
    { "jwks", KEYS, make_named_jwks },
    { "auth0", "domain " KEYS, make_auth0 },
    { "clerk", "domain " KEYS, make_clerk },
    { "supabase", "project domain " KEYS, make_supabase },
    { "firebase", "project " KEYS, make_firebase },
    { "workos", "client " KEYS, make_workos },
    { "okta", "domain server " KEYS, make_okta },
    { "simple", "token user role ", make_simple },
    { "httpd", "", make_httpd },
    { "uri", "uri roles ", make_uri },
    { NULL }
};

static mastra_auth_ask_cb *ask_of(const mastra_auth_provider_t *self)
{
    return self->secret || self->keys ? mastra_auth_ask_jwt
           : self->token ? mastra_auth_ask_simple
           : self->path ? mastra_auth_ask_uri : mastra_auth_ask_httpd;
}

const char *mastra_auth_provider_make(mastra_auth_provider_t **pprovider,
                                      int argc, const char *const argv[],
                                      apr_pool_t *pool)
{
    mastra_auth_provider_t *self = apr_pcalloc(pool, sizeof(*self));
    options_t *options = apr_pcalloc(pool, sizeof(*options));
    const kind_t *kind;
    const char *wrong;

    for (kind = kinds; kind->kind && strcmp(kind->kind, argv[0]); kind++) {
    }
    if (!kind->kind) {
        return "there is no such provider; there are jwt, jwks, auth0, clerk, "
               "supabase, firebase, workos, okta, simple, httpd and uri";
    }
    options->pool = pool;
    options->refresh = FRESH;
    options->stale = STALE;
    options->retry = RETRY;
    options->issuers = apr_array_make(pool, 2, sizeof(const char *));
    options->audiences = apr_array_make(pool, 2, sizeof(const char *));
    wrong = read_options(options, kind, argc, argv);
    if (!wrong) {
        self->kind = kind->kind;
        self->role_claim = options->roles;
        wrong = kind->make(self, options);
    }
    if (wrong) {
        return wrong;
    }
    self->ask = ask_of(self);
    self->ambient = self->ask == mastra_auth_ask_httpd
                    || self->ask == mastra_auth_ask_uri;
    *pprovider = self;
    return NULL;
}

const char *mastra_auth_provider_doubt(const mastra_auth_provider_t *provider)
{
    return provider->doubt;
}
