/* Makes providers from the words of MastraAuth: what each kind needs, and what
 * the presets know about the services they are named after. */
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include "auth_internal.h"
#include "period.h"

#define FRESH apr_time_from_sec(600)
#define STALE apr_time_from_sec(86400)
#define RETRY apr_time_from_sec(30)
#define MAX_SKEW apr_time_from_sec(600)

typedef struct {
    const char *kind;
    const char *allowed;     /* options, each with a space behind it */
    mastra_auth_make_cb *make;
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
    if (mastra_period_parse(ptime, text)) {
        return apr_psprintf(pool, "%s= must be a time such as 30s", name);
    }
    return NULL;
}

static const char *take_text(mastra_auth_line_t *options, const char *name,
                             const char *value)
{
    const struct {
        const char *name;
        const char **pvalue;
    } texts[] = {
        { "user", &options->user }, { "role", &options->role },
        { "cookie", &options->cookie }, { "authorize", &options->authorize },
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

/* What is not ours is for the code of the other module; a name that is there
 * twice has a list. */
static const char *take_own(mastra_auth_line_t *options, const char *name,
                            const char *value)
{
    mastra_json_t *before = mastra_json_get(options->own, name), *list;

    if (!before) {
        mastra_json_set_str(options->own, name, value);
        return NULL;
    }
    if (!mastra_json_is_array(before)) {
        list = mastra_json_array();
        mastra_json_append(list, mastra_json_ref(before));
        mastra_json_set(options->own, name, list);
        before = list;
    }
    mastra_json_append(before, mastra_json_string(value));
    return NULL;
}

/* NAME:VARIABLE */
static const char *take_claim(mastra_auth_line_t *options, const char *value)
{
    const char *colon = strchr(value, ':');

    if (!colon || colon == value || !colon[1]) {
        return "claim= must be NAME:VARIABLE, such as "
               "email:OIDC_CLAIM_email";
    }
    APR_ARRAY_PUSH(options->claims, const char *) =
        apr_pstrmemdup(options->pool, value, colon - value);
    APR_ARRAY_PUSH(options->claims, const char *) = colon + 1;
    return NULL;
}

static const char *take_option(mastra_auth_line_t *options, const char *name,
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
    if (!strcmp(name, "claim")) {
        return take_claim(options, value);
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

/* list: names, each with a space behind it. */
static int is_among(const char *list, const char *name)
{
    const char *found = list;
    apr_size_t len = strlen(name);

    while ((found = strstr(found, name))) {
        if ((found == list || found[-1] == ' ') && found[len] == ' ') {
            return 1;
        }
        found += len;
    }
    return 0;
}

static const char *read_options(mastra_auth_line_t *options, const kind_t *kind,
                                int argc, const char *const argv[])
{
    apr_pool_t *pool = options->pool;
    const char *wrong;
    int i;

    for (i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '='), *name;

        name = equals ? apr_pstrmemdup(pool, argv[i], equals - argv[i]) : "";
        if (!*name || strchr(name, ' ')
            || !(options->own || is_among(kind->allowed, name))) {
            return apr_psprintf(pool, "there is no option %s; it has %s",
                                argv[i], kind->allowed);
        }
        wrong = is_among(kind->allowed, name)
                ? take_option(options, name, apr_pstrdup(pool, equals + 1))
                : take_own(options, name, equals + 1);
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
                             const mastra_auth_line_t *options,
                             unsigned algorithms)
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

static const char *make_jwt(mastra_auth_provider_t *self,
                            mastra_auth_line_t *options)
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

const char *mastra_auth_make_jwks(mastra_auth_provider_t *self,
                                  mastra_auth_line_t *options)
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
                                   mastra_auth_line_t *options)
{
    if (!options->issuers->nelts || !options->audiences->nelts) {
        self->doubt = "it takes tokens of any issuer or for any audience that "
                      "these keys have signed: issuer= and audience= limit it";
    }
    return mastra_auth_make_jwks(self, options);
}

/* --- the others ------------------------------------------------------------ */

static const char *make_simple(mastra_auth_provider_t *self,
                               mastra_auth_line_t *options)
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
                              mastra_auth_line_t *options)
{
    self->claims = options->claims;
    return NULL;
}

static const char *make_code(mastra_auth_provider_t *self,
                             mastra_auth_line_t *options)
{
    if (!*self->code.name) {
        return "a provider has a name: provider:NAME";
    }
    self->code.options = options->own;
    return NULL;
}

static int is_path(const char *text)
{
    return text && *text == '/' && !text[strcspn(text, "?# ")];
}

static const char *make_uri(mastra_auth_provider_t *self,
                            mastra_auth_line_t *options)
{
    if (!is_path(options->uri)) {
        return "it needs uri=, a path of this server";
    }
    self->path = options->uri;
    return NULL;
}

/* --- options of all -------------------------------------------------------- */

static const char *take_judge(mastra_auth_provider_t *self,
                              const char *authorize)
{
    static const char prefix[] = "provider:";

    if (!authorize) {
        return NULL;
    }
    if (!strncmp(authorize, prefix, sizeof(prefix) - 1)
        && authorize[sizeof(prefix) - 1]) {
        self->judge.name = authorize + sizeof(prefix) - 1;
        return NULL;
    }
    self->judge_path = authorize;
    return is_path(authorize) ? NULL : "authorize= must be a path of this "
                                       "server or provider:NAME";
}

static const char *take_cookie(mastra_auth_provider_t *self,
                               const char *cookie)
{
    self->cookie = cookie;
    return !cookie || !cookie[strcspn(cookie, "=;, \t\"")]
           ? NULL : "cookie= is no name of a cookie";
}

#define ALL "authorize "
#define ANY_TOKEN ALL "cookie "
#define TOKEN ANY_TOKEN "issuer audience algorithms skew roles "
#define KEYS TOKEN "url refresh stale retry "

static const kind_t kinds[] = {
    { "jwt", "secret " TOKEN, make_jwt },
    { "jwks", KEYS, make_named_jwks },
    { "auth0", "domain " KEYS, mastra_auth_make_auth0 },
    { "clerk", "domain " KEYS, mastra_auth_make_clerk },
    { "supabase", "project domain " KEYS, mastra_auth_make_supabase },
    { "firebase", "project " KEYS, mastra_auth_make_firebase },
    { "workos", "client " KEYS, mastra_auth_make_workos },
    { "okta", "domain server " KEYS, mastra_auth_make_okta },
    { "simple", ANY_TOKEN "token user role ", make_simple },
    { "httpd", ALL "claim roles ", make_httpd },
    { "uri", ANY_TOKEN "uri roles ", make_uri },
    { "provider:", ANY_TOKEN "roles ", make_code },
    { NULL }
};

static mastra_auth_ask_cb *ask_of(const mastra_auth_provider_t *self)
{
    return self->secret || self->keys ? mastra_auth_ask_jwt
           : self->token ? mastra_auth_ask_simple
           : self->code.name ? mastra_auth_ask_code
           : self->path ? mastra_auth_ask_uri : mastra_auth_ask_httpd;
}

static const kind_t *kind_of(const char *word)
{
    const kind_t *kind;

    for (kind = kinds; kind->kind; kind++) {
        apr_size_t len = strlen(kind->kind);

        if (kind->kind[len - 1] == ':' ? !strncmp(kind->kind, word, len)
                                       : !strcmp(kind->kind, word)) {
            break;
        }
    }
    return kind;
}

static const char *make(mastra_auth_provider_t *self, const kind_t *kind,
                        mastra_auth_line_t *options)
{
    const char *wrong = take_judge(self, options->authorize);

    if (!wrong) {
        wrong = take_cookie(self, options->cookie);
    }
    self->role_claim = options->roles;
    return wrong ? wrong : kind->make(self, options);
}

const char *mastra_auth_provider_make(mastra_auth_provider_t **pprovider,
                                      int argc, const char *const argv[],
                                      apr_pool_t *pool)
{
    mastra_auth_provider_t *self = apr_pcalloc(pool, sizeof(*self));
    mastra_auth_line_t *options = apr_pcalloc(pool, sizeof(*options));
    const kind_t *kind = kind_of(argv[0]);
    const char *wrong;

    if (!kind->kind) {
        return "there is no such provider; there are jwt, jwks, auth0, clerk, "
               "supabase, firebase, workos, okta, simple, httpd, uri and "
               "provider:NAME";
    }
    options->pool = pool;
    options->refresh = FRESH;
    options->stale = STALE;
    options->retry = RETRY;
    options->issuers = apr_array_make(pool, 2, sizeof(const char *));
    options->audiences = apr_array_make(pool, 2, sizeof(const char *));
    options->claims = apr_array_make(pool, 4, sizeof(const char *));
    self->kind = apr_pstrdup(pool, argv[0]);
    if (kind->make == make_code) {
        self->code.name = strchr(self->kind, ':') + 1;
        options->own = mastra_json_own(mastra_json_object(), pool);
    }
    wrong = read_options(options, kind, argc, argv);
    if (!wrong) {
        wrong = make(self, kind, options);
    }
    if (wrong) {
        return wrong;
    }
    self->ask = ask_of(self);
    /* code of others may look at anything, too */
    self->ambient = self->ask == mastra_auth_ask_httpd
                    || self->ask == mastra_auth_ask_uri
                    || self->ask == mastra_auth_ask_code || self->cookie;
    *pprovider = self;
    return NULL;
}

static const char *find_code(mastra_auth_code_t *code, const char *directive,
                             mastra_auth_find_cb *find, void *baton,
                             apr_pool_t *pool)
{
    const char *options, *wrong;

    if (!code->name || code->native.ask || code->native.may) {
        return NULL;
    }
    options = code->options ? mastra_json_text(code->options, pool) : "{}";
    wrong = find(&code->native, baton, code->name, options, pool);
    return wrong ? apr_psprintf(pool, "%sprovider:%s: %s", directive,
                                code->name, wrong) : NULL;
}

const char *mastra_auth_find_code(const mastra_auth_t *auth,
                                  mastra_auth_find_cb *find, void *baton,
                                  apr_pool_t *pool)
{
    const char *wrong = NULL;
    int i;

    for (i = 0; mastra_auth_is_on(auth) && i < auth->providers->nelts
                && !wrong; i++) {
        mastra_auth_provider_t *self = APR_ARRAY_IDX(auth->providers, i,
                                                     mastra_auth_provider_t *);

        wrong = find_code(&self->code, "", find, baton, pool);
        if (!wrong && self->code.name && !self->code.native.ask) {
            wrong = apr_psprintf(pool, "provider:%s: its module knows no "
                                 "callers", self->code.name);
        }
        if (!wrong) {
            wrong = find_code(&self->judge, "authorize=", find, baton, pool);
        }
        if (!wrong && self->judge.name && !self->judge.native.may) {
            wrong = apr_psprintf(pool, "authorize=provider:%s: its module "
                                 "decides nothing", self->judge.name);
        }
    }
    return wrong;
}

const char *mastra_auth_provider_doubt(const mastra_auth_provider_t *provider)
{
    return provider->doubt;
}
