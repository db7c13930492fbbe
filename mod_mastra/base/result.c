/* The one error type: made, copied, and shown as the body of an answer. */

#include <stdarg.h>

#include <apr_strings.h>

#include "result.h"

mastra_result_t *mastra_result_make(apr_pool_t *pool, int status,
                                    const char *code, const char *fmt, ...)
{
    mastra_result_t *result = apr_pcalloc(pool, sizeof(*result));
    va_list ap;

    va_start(ap, fmt);
    result->message = apr_pvsprintf(pool, fmt, ap);
    va_end(ap);
    result->status = status;
    result->code = apr_pstrdup(pool, code);
    return result;
}

mastra_result_t *mastra_result_cause(mastra_result_t *result, apr_pool_t *pool,
                                     const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    result->cause = apr_pvsprintf(pool, fmt, ap);
    va_end(ap);
    return result;
}

mastra_result_t *mastra_result_from_apr(apr_pool_t *pool, apr_status_t rv,
                                        const char *what)
{
    mastra_result_t *result;
    char text[256];

    if (APR_STATUS_IS_TIMEUP(rv) || APR_STATUS_IS_ETIMEDOUT(rv)) {
        result = mastra_result_make(pool, 504, "TIMEOUT",
                                    "The operation took too long");
    }
    else if (APR_STATUS_IS_ENOMEM(rv)) {
        result = mastra_result_make(pool, 503, "OUT_OF_MEMORY",
                                    "The server is short of memory");
    }
    else {
        result = mastra_result_make(pool, 500, "INTERNAL_ERROR",
                                    "Internal Server Error");
    }
    apr_strerror(rv, text, sizeof(text));
    return mastra_result_cause(result, pool, "%s: %s", what, text);
}

mastra_result_t *mastra_result_copy(apr_pool_t *pool,
                                    const mastra_result_t *result)
{
    mastra_result_t *copy = apr_pmemdup(pool, result, sizeof(*result));

    copy->code = apr_pstrdup(pool, result->code);
    copy->message = apr_pstrdup(pool, result->message);
    copy->cause = apr_pstrdup(pool, result->cause);
    if (result->detail) {
        copy->detail = mastra_json_own(mastra_json_copy(result->detail), pool);
    }
    return copy;
}

mastra_json_t *mastra_result_to_json(const mastra_result_t *result)
{
    mastra_json_t *body = mastra_json_object();

    mastra_json_set_str(body, "error", result->message);
    mastra_json_merge(body, result->detail);
    return body;
}
