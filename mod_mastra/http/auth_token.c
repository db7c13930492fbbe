/* Providers that judge a token by themselves, and the one that believes what
 * httpd's own modules found out. */
#include <string.h>

#include <apr_strings.h>

#include "auth_internal.h"

/* --- signed tokens --------------------------------------------------------- */

static apr_status_t verify(mastra_json_t **puser,
                           const mastra_auth_provider_t *self,
                           request_rec *r, const char *token,
                           const mastra_jwks_t *set)
{
    mastra_jwt_t jwt;
    const char *why;
    apr_status_t rv = mastra_jwt_verify(&jwt, &why, token, strlen(token), set,
                                        &self->rules, r->pool);

    if (rv == APR_SUCCESS) {
        *puser = mastra_json_ref(jwt.claims);
    }
    else {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "%s: %s", self->kind,
                      why);
    }
    return rv;
}

mastra_auth_e mastra_auth_ask_jwt(mastra_json_t **puser,
                                  const mastra_auth_provider_t *self,
                                  request_rec *r, const char *token)
{
    mastra_keys_set_t *set, *newer;
    apr_status_t rv;

    /* what is no such token is not worth a question for keys */
    if (!token || !mastra_jwt_is_one(token, strlen(token),
                                     self->rules.algorithms, r->pool)) {
        return MASTRA_AUTH_NOBODY;
    }
    if (self->secret) {
        return verify(puser, self, r, token, self->secret) == APR_SUCCESS
               ? MASTRA_AUTH_KNOWN : MASTRA_AUTH_NOBODY;
    }
    set = mastra_keys_get(self->keys);
    if (!set) {
        return MASTRA_AUTH_UNAVAILABLE;
    }
    rv = verify(puser, self, r, token, mastra_keys_of(set));
    if (rv == APR_NOTFOUND) {
        newer = mastra_keys_newer(self->keys, set);
        if (newer) {
            rv = verify(puser, self, r, token, mastra_keys_of(newer));
        }
        mastra_keys_release(self->keys, newer);
    }
    mastra_keys_release(self->keys, set);
    return rv == APR_SUCCESS ? MASTRA_AUTH_KNOWN : MASTRA_AUTH_NOBODY;
}

/* --- fixed tokens ---------------------------------------------------------- */

mastra_auth_e mastra_auth_ask_simple(mastra_json_t **puser,
                                     const mastra_auth_provider_t *self,
                                     request_rec *r, const char *token)
{
    if (!token || !mastra_text_equal_secret(token, strlen(token), self->token,
                                            strlen(self->token))) {
        return MASTRA_AUTH_NOBODY;
    }
    /* a copy: values are one thread's */
    *puser = mastra_json_copy(self->user);
    return MASTRA_AUTH_KNOWN;
}

/* --- httpd's own ----------------------------------------------------------- */

mastra_auth_e mastra_auth_ask_httpd(mastra_json_t **puser,
                                    const mastra_auth_provider_t *self,
                                    request_rec *r, const char *token)
{
    mastra_json_t *user;
    int i;

    if (!r->user || !*r->user) {
        return MASTRA_AUTH_NOBODY;
    }
    user = mastra_json_object();
    mastra_json_set_str(user, "id", r->user);
    mastra_json_set_str(user, "sub", r->user);
    mastra_json_set_str(user, "name", r->user);
    mastra_json_set_str(user, "authType", r->ap_auth_type);
    /* a variable that is not there takes a claim of the same name away */
    for (i = 0; i + 1 < self->claims->nelts; i += 2) {
        const char *name = APR_ARRAY_IDX(self->claims, i, const char *);

        mastra_json_del(user, name);
        mastra_json_set_str(user, name,
                            apr_table_get(r->subprocess_env,
                                          APR_ARRAY_IDX(self->claims, i + 1,
                                                        const char *)));
    }
    *puser = user;
    return MASTRA_AUTH_KNOWN;
}

/* --- code of other modules -------------------------------------------------- */

mastra_auth_e mastra_auth_ask_code(mastra_json_t **puser,
                                   const mastra_auth_provider_t *self,
                                   request_rec *r, const char *token)
{
    const mastra_auth_native_t *native = &self->code.native;

    return native->ask(puser, native->baton, r, token);
}
