/* Asks a local path, whatever handler is there: who it is (200 with the user as
 * JSON, or 401), or what they may (2xx, or 401 or 403). */
#include <apr_strings.h>

#include "../base/log.h"
#include "auth_internal.h"
#include "local.h"

#define MAX_ANSWER ((apr_size_t)64 * 1024)

/* What the handler is told beside whom the request is for. */
typedef struct {
    const request_rec *r;
    void (*fill)(apr_table_t *headers, const void *baton, apr_pool_t *pool);
    const void *baton;
} told_t;

static void tell(request_rec *sub, void *baton)
{
    const told_t *told = baton;

    apr_table_setn(sub->headers_in, "X-Mastra-Method", told->r->method);
    apr_table_setn(sub->headers_in, "X-Mastra-Path",
                   ap_escape_uri(sub->pool, told->r->uri));
    told->fill(sub->headers_in, told->baton, sub->pool);
}

/* Free the answer's body. */
static void ask(mastra_local_t *answer, const char *path, request_rec *r,
                void (*fill)(apr_table_t *headers, const void *baton,
                             apr_pool_t *pool), const void *baton)
{
    told_t told = { r, fill, baton };

    mastra_local_ask(answer, r, path, MAX_ANSWER, tell, &told);
}

static void fill_token(apr_table_t *headers, const void *token,
                       apr_pool_t *pool)
{
    if (token) {
        apr_table_setn(headers, "Authorization",
                       apr_pstrcat(pool, "Bearer ", token, NULL));
    }
}

mastra_auth_e mastra_auth_ask_uri(mastra_json_t **puser,
                                  const mastra_auth_provider_t *self,
                                  request_rec *r, const char *token)
{
    mastra_auth_e answer = MASTRA_AUTH_UNAVAILABLE;
    mastra_json_t *user = NULL;
    mastra_local_t local;
    int status;

    ask(&local, self->path, r, fill_token, token);
    status = local.status;
    if (status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN) {
        answer = MASTRA_AUTH_NOBODY;
    }
    else if (status == HTTP_OK && local.body.len
             && mastra_json_parse(&user, local.body.data, local.body.len, 0,
                                  NULL)
                == APR_SUCCESS && mastra_json_is_object(user)) {
        *puser = user;
        answer = MASTRA_AUTH_KNOWN;
    }
    else {
        mastra_json_unref(user);
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, MASTRA_ID(643)
                      "%s was asked who this is: its answer is neither 401 nor "
                      "200 with a JSON object, but %d with %" APR_SIZE_T_FMT
                      " bytes", self->path, status, local.body.len);
    }
    mastra_buf_free(&local.body);
    return answer;
}

const char *mastra_auth_provider_path(const mastra_auth_provider_t *provider)
{
    return provider->path;
}

const char *mastra_auth_judge_path(const mastra_auth_provider_t *provider)
{
    return provider->judge_path;
}

/* --- what they may ---------------------------------------------------------- */

typedef struct {
    const mastra_identity_t *identity;
    const char *permission;
} question_t;

static void set_or_unset(apr_table_t *headers, const char *name,
                         const char *value)
{
    apr_table_unset(headers, name);
    if (value) {
        apr_table_setn(headers, name, value);
    }
}

/* The client may have sent headers of these names. */
static void fill_question(apr_table_t *headers, const void *baton,
                          apr_pool_t *pool)
{
    const question_t *question = baton;
    const char *user = mastra_json_text(question->identity->user, pool);

    set_or_unset(headers, "X-Mastra-User",
                 user ? ap_escape_path_segment(pool, user) : NULL);
    set_or_unset(headers, "X-Mastra-Permission", question->permission);
}

mastra_auth_verdict_e mastra_auth_judge_uri(const char *path, request_rec *r,
                                            const mastra_identity_t *identity,
                                            const char *permission)
{
    question_t question = { identity, permission };
    mastra_local_t local;
    int status;

    ask(&local, path, r, fill_question, &question);
    status = local.status;
    mastra_buf_free(&local.body);
    if (status >= 200 && status < 300) {
        return MASTRA_AUTH_MAY;
    }
    if (status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN) {
        return MASTRA_AUTH_MAY_NOT;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, MASTRA_ID(644)
                  "%s was asked what this user may: its answer is neither 2xx "
                  "nor 401 or 403, but %d", path, status);
    return MASTRA_AUTH_MAY_UNKNOWN;
}
