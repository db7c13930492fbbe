/* What is known of the services that MastraAuth has names for: where their keys
 * are, who their issuer is, whom their tokens are for. */
#include <string.h>

#include <apr_strings.h>

#include "auth_internal.h"

/* A host name, without a scheme and without a slash at its end. */
static const char *host_of(const char **phost,
                           const mastra_auth_line_t *options, const char *text,
                           const char *name)
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
static void presume(mastra_auth_line_t *options, const char *url,
                    const char *issuer, const char *audience)
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

const char *mastra_auth_make_auth0(mastra_auth_provider_t *self,
                                   mastra_auth_line_t *options)
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
    return mastra_auth_make_jwks(self, options);
}

const char *mastra_auth_make_clerk(mastra_auth_provider_t *self,
                                   mastra_auth_line_t *options)
{
    const char *host, *wrong = host_of(&host, options, options->domain,
                                       "domain");

    if (wrong) {
        return wrong;
    }
    presume(options, apr_pstrcat(options->pool, "https://", host,
                                 "/.well-known/jwks.json", NULL),
            apr_pstrcat(options->pool, "https://", host, NULL), NULL);
    return mastra_auth_make_jwks(self, options);
}

const char *mastra_auth_make_supabase(mastra_auth_provider_t *self,
                                      mastra_auth_line_t *options)
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
    return mastra_auth_make_jwks(self, options);
}

const char *mastra_auth_make_firebase(mastra_auth_provider_t *self,
                                      mastra_auth_line_t *options)
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
    return mastra_auth_make_jwks(self, options);
}

/* The keys are those of one client; issuers came in several forms. */
const char *mastra_auth_make_workos(mastra_auth_provider_t *self,
                                    mastra_auth_line_t *options)
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
    return mastra_auth_make_jwks(self, options);
}

const char *mastra_auth_make_okta(mastra_auth_provider_t *self,
                                  mastra_auth_line_t *options)
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
    return mastra_auth_make_jwks(self, options);
}
