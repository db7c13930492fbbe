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

/* A role, several with spaces between them, or a list. */
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
        for (word = apr_strtok(words, " ", &last); word;
             word = apr_strtok(NULL, " ", &last)) {
            add_role(roles, word);
        }
    }
}

static const apr_array_header_t *roles_of(const mastra_auth_provider_t *self,
                                          const mastra_json_t *user,
                                          apr_pool_t *pool)
{
    apr_array_header_t *roles = apr_array_make(pool, 2, sizeof(const char *));

    if (self->role_claim) {
        add_roles(roles, mastra_auth_claim(user, self->role_claim));
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
static const char *token_of(request_rec *r)
{
    const char *token = apr_table_get(r->headers_in, "Authorization");

    if (token && !strncmp(token, "Bearer ", 7)) {
        token += 7;
    }
    return token && *token ? token : token_of_query(r);
}

/* --- asking ---------------------------------------------------------------- */

static mastra_identity_t *make_identity(const mastra_auth_provider_t *self,
                                        mastra_json_t *user, request_rec *r)
{
    mastra_identity_t *identity = apr_pcalloc(r->pool, sizeof(*identity));

    identity->user = mastra_json_own(user, r->pool);
    identity->id = mastra_json_get_str(user, "sub");
    if (!identity->id) {
        identity->id = mastra_json_get_str(user, "id");
    }
    identity->roles = roles_of(self, user, r->pool);
    return identity;
}

static const mastra_identity_t *the_system(apr_pool_t *pool)
{
    mastra_identity_t *identity = apr_pcalloc(pool, sizeof(*identity));

    identity->user = mastra_json_own(mastra_json_object(), pool);
    identity->roles = apr_array_make(pool, 0, sizeof(const char *));
    identity->system = 1;
    return identity;
}

static mastra_auth_e ask_all(const mastra_identity_t **pidentity,
                             const mastra_auth_t *auth, request_rec *r)
{
    const char *token = token_of(r);
    mastra_auth_e answer = MASTRA_AUTH_NOBODY;
    int i;

    for (i = 0; i < auth->providers->nelts; i++) {
        const mastra_auth_provider_t *self = provider_at(auth, i);
        mastra_json_t *user = NULL;

        switch (self->ask(&user, self, r, token)) {
        case MASTRA_AUTH_KNOWN:
            *pidentity = make_identity(self, user, r);
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
            mark->identity = the_system(r->pool);
        }
        else {
            answer = mastra_auth_is_on(auth)
                     ? ask_all(&mark->identity, auth, r) : MASTRA_AUTH_NOBODY;
        }
    }
    *pidentity = mark->identity;
    return answer;
}
