/* Who asks: the token of a request, and the providers in their order. */
#include <string.h>

#include <apr_strings.h>

#include "auth_internal.h"

#define MAX_ROLES 64

int mastra_auth_is_on(const mastra_auth_t *auth)
{
    return auth->providers && auth->providers->nelts > 0;
}

static const mastra_auth_provider_t *provider_at(const mastra_auth_t *auth,
                                                 int i)
{
    return APR_ARRAY_IDX(auth->providers, i, const mastra_auth_provider_t *);
}

int mastra_auth_is_ambient(const mastra_auth_t *auth)
{
    int i;

    for (i = 0; mastra_auth_is_on(auth) && i < auth->providers->nelts; i++) {
        if (provider_at(auth, i)->ambient) {
            return 1;
        }
    }
    return 0;
}

apr_status_t mastra_auth_child_init(const mastra_auth_t *auth,
                                    mastra_loop_t *loop, apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; mastra_auth_is_on(auth) && i < auth->providers->nelts
                && rv == APR_SUCCESS; i++) {
        mastra_keys_t *keys = provider_at(auth, i)->keys;

        if (keys) {
            rv = mastra_keys_child_init(keys, loop, pool);
        }
    }
    return rv;
}

/* --- claims ---------------------------------------------------------------- */

mastra_json_t *mastra_auth_claim(const mastra_json_t *user, const char *name)
{
    mastra_json_t *value = mastra_json_get(user, name);
    const char *dot;
    char part[128];

    /* a name may have dots itself, as in https://app.example/roles */
    while (!value && (dot = strchr(name, '.'))) {
        apr_size_t len = dot - name;

        if (len >= sizeof(part)) {
            return NULL;
        }
        memcpy(part, name, len);
        part[len] = '\0';
        user = mastra_json_get(user, part);
        name = dot + 1;
        value = mastra_json_get(user, name);
    }
    return value;
}

static void add_role(apr_array_header_t *roles, const char *name)
{
    if (name && *name && roles->nelts < MAX_ROLES) {
        APR_ARRAY_PUSH(roles, const char *) = apr_pstrdup(roles->pool, name);
    }
}

/* A role, several with spaces or commas between them, or a list. */
static void add_roles(apr_array_header_t *roles, const mastra_json_t *claim)
{
    char *words, *word, *last;
    apr_size_t i;

    if (mastra_json_is_array(claim)) {
        for (i = 0; i < mastra_json_size(claim); i++) {
            add_role(roles, mastra_json_str(mastra_json_at(claim, i)));
        }
    }
    else if (mastra_json_is_string(claim)) {
        words = apr_pstrdup(roles->pool, mastra_json_str(claim));
        for (word = apr_strtok(words, " ,", &last); word;
             word = apr_strtok(NULL, " ,", &last)) {
            add_role(roles, word);
        }
    }
}

static const apr_array_header_t *roles_of(const char *role_claim,
                                          const mastra_json_t *user,
                                          apr_pool_t *pool)
{
    apr_array_header_t *roles = apr_array_make(pool, 2, sizeof(const char *));

    if (role_claim) {
        add_roles(roles, mastra_auth_claim(user, role_claim));
    }
    else {
        add_roles(roles, mastra_json_get(user, "role"));
        add_roles(roles, mastra_json_get(user, "roles"));
    }
    return roles;
}

/* --- token ----------------------------------------------------------------- */

/* apiKey= of the query string, decoded; NULL: none. */
static const char *token_of_query(request_rec *r)
{
    const char *query = r->args, *token;

    while (query && *query) {
        apr_size_t len = strcspn(query, "&");

        if (len > 7 && !strncmp(query, "apiKey=", 7)) {
            return mastra_text_url_decode(&token, query + 7, len - 7, 1,
                                          r->pool) == APR_SUCCESS
                   ? token : NULL;
        }
        query += len + (query[len] == '&');
    }
    return NULL;
}

/* The header with or without "Bearer ", which is written just so; else the
 * query string. */
static const char *token_sent(request_rec *r)
{
    const char *token = apr_table_get(r->headers_in, "Authorization");

    if (token && !strncmp(token, "Bearer ", 7)) {
        token += 7;
    }
    return token && *token ? token : token_of_query(r);
}

/* The value of a cookie; NULL: there is none. */
static const char *cookie_of(request_rec *r, const char *name)
{
    const char *text = apr_table_get(r->headers_in, "Cookie");
    apr_size_t len = strlen(name), n;

    while (text && *text) {
        text += strspn(text, "; \t");
        n = strcspn(text, ";");
        if (n > len && !strncmp(text, name, len) && text[len] == '=') {
            const char *value = text + len + 1;

            n -= len + 1;
            while (n && (value[n - 1] == ' ' || value[n - 1] == '\t')) {
                n--;
            }
            if (n > 1 && *value == '"' && value[n - 1] == '"') {
                value++;
                n -= 2;
            }
            return n ? apr_pstrmemdup(r->pool, value, n) : NULL;
        }
        text += n;
    }
    return NULL;
}

/* --- pages of others -------------------------------------------------------- */

static int is_host(const char *origin, const char *host)
{
    const char *name = strstr(origin, "://");

    return name && host && !strcasecmp(name + 3, host);
}

/* 1: a page of another origin makes the browser of a user change something.
 * Scripts of other sites can set none of the headers that are looked at
 * without a preflight. */
static int is_forged(const mastra_auth_t *auth, request_rec *r)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");

    if (r->method_number == M_GET || r->method_number == M_OPTIONS
        || (site && (!strcmp(site, "same-origin") || !strcmp(site, "none")))) {
        return 0;
    }
    if (!origin) {
        return site != NULL;
    }
    if (mastra_cors_names(mastra_cors_of(auth->host, r), origin)) {
        return 0;
    }
    return site || !(is_host(origin, apr_table_get(r->headers_in, "Host"))
                     || is_host(origin, apr_table_get(r->headers_in,
                                                      "X-Forwarded-Host")));
}

/* --- asking ---------------------------------------------------------------- */

mastra_identity_t *mastra_auth_identity(mastra_json_t *user,
                                        const char *role_claim,
                                        apr_pool_t *pool)
{
    mastra_identity_t *identity = apr_pcalloc(pool, sizeof(*identity));

    identity->user = mastra_json_own(user, pool);
    identity->id = mastra_json_get_str(user, "sub");
    if (!identity->id) {
        identity->id = mastra_json_get_str(user, "id");
    }
    identity->roles = roles_of(role_claim, user, pool);
    return identity;
}

const mastra_identity_t *mastra_auth_system(apr_pool_t *pool)
{
    mastra_identity_t *identity = apr_pcalloc(pool, sizeof(*identity));

    identity->user = mastra_json_own(mastra_json_object(), pool);
    identity->roles = apr_array_make(pool, 0, sizeof(const char *));
    identity->system = 1;
    return identity;
}

/* Browsers add cookies, and what httpd's own modules believe, whatever page
 * makes them send the request: such proof is none for pages of others. A token
 * that was sent on purpose is one. */
static mastra_auth_e ask_one(mastra_json_t **puser, const mastra_auth_t *auth,
                             const mastra_auth_provider_t *self,
                             request_rec *r, const char *token)
{
    int unasked = self->ambient
                  && (!token || self->ask == mastra_auth_ask_httpd);

    if (unasked && is_forged(auth, r)) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "%s is not asked who this "
                      "is: the request comes from a page of another origin, "
                      "which MastraCorsOrigin does not name",
                      self->kind);
        return MASTRA_AUTH_NOBODY;
    }
    if (!token && self->cookie) {
        token = cookie_of(r, self->cookie);
    }
    return self->ask(puser, self, r, token);
}

static mastra_auth_e ask_all(const mastra_identity_t **pidentity,
                             const mastra_auth_t *auth, request_rec *r)
{
    const char *token = token_sent(r);
    mastra_auth_e answer = MASTRA_AUTH_NOBODY;
    mastra_identity_t *found;
    int i;

    for (i = 0; i < auth->providers->nelts; i++) {
        const mastra_auth_provider_t *self = provider_at(auth, i);
        mastra_json_t *user = NULL;

        switch (ask_one(&user, auth, self, r, token)) {
        case MASTRA_AUTH_KNOWN:
            found = mastra_auth_identity(user, self->role_claim, r->pool);
            found->provider = self;
            *pidentity = found;
            return MASTRA_AUTH_KNOWN;
        case MASTRA_AUTH_UNAVAILABLE:
            answer = MASTRA_AUTH_UNAVAILABLE;
            break;
        default:
            break;
        }
    }
    return answer;
}

mastra_auth_e mastra_auth_identify(const mastra_identity_t **pidentity,
                                   const mastra_auth_t *auth, request_rec *r)
{
    const mastra_mark_t *origin = mastra_request_origin(r);
    mastra_mark_t *mark = mastra_request_mark(r);

    mastra_auth_e answer = MASTRA_AUTH_KNOWN;

    /* who is nobody yet may be somebody once httpd's own modules were asked */
    if (!mark->identity) {
        if (origin && origin->internal) {
            mark->identity = mastra_auth_system(r->pool);
        }
        else {
            answer = mastra_auth_is_on(auth)
                     ? ask_all(&mark->identity, auth, r) : MASTRA_AUTH_NOBODY;
        }
    }
    *pidentity = mark->identity;
    return answer;
}

/* --- what they may ---------------------------------------------------------- */

mastra_auth_verdict_e mastra_auth_allows(const mastra_identity_t *identity,
                                         request_rec *r,
                                         const char *permission)
{
    const mastra_auth_provider_t *self = identity->provider;
    const mastra_auth_native_t *native;
    mastra_auth_verdict_e verdict = MASTRA_AUTH_MAY;

    if (!self) {
        return MASTRA_AUTH_MAY;
    }
    native = &self->code.native;
    if (native->may) {
        verdict = native->may(native->baton, r, identity, permission);
    }
    native = &self->judge.native;
    if (verdict == MASTRA_AUTH_MAY && native->may) {
        verdict = native->may(native->baton, r, identity, permission);
    }
    if (verdict == MASTRA_AUTH_MAY && self->judge_path) {
        verdict = mastra_auth_judge_uri(self->judge_path, r, identity,
                                        permission);
    }
    return verdict;
}
