/* The provider that asks a local path, whatever handler is there: 200 with the
 * user as JSON, or 401. */
#include <apr_strings.h>

#include "../base/log.h"
#include "auth_internal.h"
#include "local.h"

#define MAX_ANSWER ((apr_size_t)64 * 1024)

typedef struct {
    const request_rec *r;
    const char *token;
} question_t;

static void tell(request_rec *sub, void *baton)
{
    const question_t *question = baton;

    apr_table_setn(sub->headers_in, "X-Mastra-Method", question->r->method);
    apr_table_setn(sub->headers_in, "X-Mastra-Path", question->r->uri);
    if (question->token) {
        apr_table_setn(sub->headers_in, "Authorization",
                       apr_pstrcat(sub->pool, "Bearer ", question->token,
                                   NULL));
    }
}

mastra_auth_e mastra_auth_ask_uri(mastra_json_t **puser,
                                  const mastra_auth_provider_t *self,
                                  request_rec *r, const char *token)
{
    mastra_auth_e answer = MASTRA_AUTH_UNAVAILABLE;
    mastra_json_t *user = NULL;
    question_t question = { r, token };
    mastra_local_t local;
    int status;

    mastra_local_ask(&local, r, self->path, MAX_ANSWER, tell, &question);
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
