/* The only place where the bodies of errors are written. */
#include <string.h>

#include <apr_strings.h>

#include <http_protocol.h>

#include "../base/log.h"
#include "internal.h"

#define HIDDEN "Internal Server Error"

static int is_internal(const mastra_result_t *result)
{
    return result->status >= 500 && result->code
           && !strncmp(result->code, "INTERNAL", 8);
}

const char *mastra_error_text_logged(const mastra_host_t *host,
                                     const char *error_id,
                                     const mastra_result_t *result,
                                     apr_pool_t *pool)
{
    mastra_json_t *body = mastra_result_to_json(result);
    const char *text;

    if (is_internal(result)) {
        if (!host->development) {
            mastra_json_unref(body);
            body = mastra_json_object();
            mastra_json_set_str(body, "error", HIDDEN);
        }
        mastra_json_set_str(body, "errorId", error_id);
    }
    text = mastra_json_text(body, pool);
    mastra_json_unref(body);
    return text;
}

/* The code of a result for the log, when it says more than its status. */
static const char *code_of(const mastra_result_t *result, apr_pool_t *pool)
{
    if (!result->code || !strcmp(result->code, "FAILED")) {
        return "";
    }
    return apr_pstrcat(pool, " (", result->code, ")", NULL);
}

const char *mastra_error_text(const mastra_host_t *host,
                              const char *request_id,
                              const mastra_result_t *result,
                              apr_pool_t *pool)
{
    const char *cause = result->cause ? result->cause : "no more known";
    const char *code = code_of(result, pool);
    char error_id[17] = "";

    if (is_internal(result)) {
        mastra_text_random_hex(error_id, 8);
        mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(600) "error %s in request %s: "
                   "%s%s: %s", error_id, request_id, result->message, code,
                   cause);
    }
    else if (result->status >= 500) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(601) "request %s was "
                   "answered with %d: %s%s: %s", request_id, result->status,
                   result->message, code, cause);
    }
    else {
        mastra_log(MASTRA_LOG_INFO, 0, "request %s was answered with %d: %s%s",
                   request_id, result->status, result->message, code);
    }
    return mastra_error_text_logged(host, error_id, result, pool);
}

int mastra_reply_error(mastra_req_t *req, const mastra_result_t *result)
{
    const char *text = mastra_error_text(req->host, req->id, result,
                                         req->pool);
    mastra_answered_t instead;
    int answer;

    if (mastra_middleware_error(&instead, req, result)) {
        req->r->status = instead.status;
        return mastra_reply_text(req, instead.type, instead.body, instead.len);
    }
    if (mastra_onerror_reply(&answer, req, result, text)) {
        return answer;
    }
    if (result->retry_after > 0) {
        apr_table_setn(req->r->err_headers_out, "Retry-After",
                       apr_itoa(req->pool, result->retry_after));
    }
    req->r->status = result->status;
    return mastra_reply_text(req, "application/json", text, strlen(text));
}

int mastra_reply_fail(mastra_req_t *req, int status, const char *message)
{
    return mastra_reply_error(req, mastra_result_make(req->pool, status,
                                                      "FAILED", "%s",
                                                      message));
}

int mastra_reply_issues(mastra_req_t *req, const char *error,
                        mastra_json_t *issues)
{
    mastra_log(MASTRA_LOG_INFO, 0, "request %s was answered with 400: %s",
               req->id, error);
    return mastra_reply_json_status(req, HTTP_BAD_REQUEST,
                                    mastra_json_pack("{s:s, s:o}", "error",
                                                     error, "issues",
                                                     issues));
}

int mastra_reply_issue(mastra_req_t *req, const char *error, const char *field,
                       const char *message)
{
    mastra_json_t *issue = mastra_json_object();
    mastra_json_t *issues = mastra_json_array();

    mastra_json_set_str(issue, "field", field);
    mastra_json_set_str(issue, "message", message);
    mastra_json_append(issues, issue);
    return mastra_reply_issues(req, error, issues);
}

int mastra_reply_plain(mastra_req_t *req, int status)
{
    const char *text = ap_get_status_line(status);

    req->r->status = status;
    return mastra_reply_text(req, "text/plain; charset=UTF-8", text,
                             strlen(text));
}

apr_table_t *mastra_error_retry_after(const mastra_result_t *error,
                                      apr_pool_t *pool)
{
    apr_table_t *headers = NULL;

    if (error->retry_after) {
        headers = apr_table_make(pool, 1);
        apr_table_setn(headers, "Retry-After",
                       apr_itoa(pool, error->retry_after));
    }
    return headers;
}

int mastra_reply_full(mastra_req_t *req)
{
    static const mastra_result_t full = {
        .status = 503, .code = "SERVER_FULL",
        .message = "The server has no room for another answer, try again"
    };
    const char *text = mastra_error_text_logged(req->host, "", &full,
                                                req->pool);

    req->r->connection->keepalive = AP_CONN_CLOSE;
    req->r->status = full.status;
    return mastra_reply_text(req, "application/json", text, strlen(text));
}
