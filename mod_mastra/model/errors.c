/* Failures of model calls: one table from what went wrong to what clients see
 * (docs/errors.md explains each row). */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "../base/redact.h"
#include "internal.h"

typedef struct {
    const char *code;
    int status;
    int again;           /* 1: sent again when nothing was delivered */
    const char *what;    /* after "Model provider 'x' " */
} row_t;

/* A status of 5xx says: the client may repeat the request, and its library
 * does. 424 says: the upstream stands in the way, repeating cannot help. */
static const row_t rows[] = {
    [MASTRA_FAIL_NONE] = { "OK", 200, 0, "answered" },
    [MASTRA_FAIL_NO_KEY] =
        { "MODEL_NO_KEY", 424, 0, "has no API key on this server" },
    [MASTRA_FAIL_KEY_REFUSED] =
        { "MODEL_KEY_REFUSED", 424, 0, "refused this server's API key" },
    [MASTRA_FAIL_QUOTA] =
        { "MODEL_QUOTA", 424, 0, "refused: the quota is used up" },
    [MASTRA_FAIL_NOT_FOUND] =
        { "MODEL_NOT_FOUND", 424, 0, "does not know the model or its URL" },
    [MASTRA_FAIL_REQUEST] =
        { "MODEL_REQUEST_REFUSED", 422, 0, "refused the request" },
    [MASTRA_FAIL_UNSUPPORTED] =
        { "MODEL_UNSUPPORTED", 422, 0, "cannot be sent this content" },
    [MASTRA_FAIL_PROMPT_SIZE] =
        { "MODEL_PROMPT_TOO_LARGE", 413, 0, "refused: the prompt is too large" },
    [MASTRA_FAIL_RATE_LIMIT] =
        { "MODEL_RATE_LIMIT", 429, 1, "is limiting the rate of requests" },
    [MASTRA_FAIL_UPSTREAM] =
        { "MODEL_UPSTREAM", 502, 1, "failed" },
    [MASTRA_FAIL_UNREACHABLE] =
        { "MODEL_UNREACHABLE", 502, 1, "cannot be reached" },
    [MASTRA_FAIL_TIMEOUT] =
        { "MODEL_TIMEOUT", 504, 0, "did not answer in time" },
    [MASTRA_FAIL_CUT] =
        { "MODEL_CUT", 502, 1, "broke off its answer" },
    [MASTRA_FAIL_ANSWER] =
        { "MODEL_BAD_ANSWER", 502, 0, "sent an answer that cannot be read" },
    [MASTRA_FAIL_ANSWER_SIZE] =
        { "MODEL_ANSWER_TOO_LARGE", 422, 0, "sent an answer that is too large" },
    [MASTRA_FAIL_ADDRESS] =
        { "MODEL_ADDRESS_REFUSED", 424, 0,
          "is at an address that this server may not call" },
    [MASTRA_FAIL_INTERNAL] =
        { "MODEL_INTERNAL", 500, 0, "could not be called" },
};

/* Parts of the code or type of an error object that say more than a status;
 * the first that fits. */
static const struct {
    const char *part;
    mastra_model_fail_e fail;
} codes[] = {
    { "insufficient_quota", MASTRA_FAIL_QUOTA },
    { "billing", MASTRA_FAIL_QUOTA },
    { "context_length", MASTRA_FAIL_PROMPT_SIZE },
    { "rate_limit", MASTRA_FAIL_RATE_LIMIT },
    { "api_key", MASTRA_FAIL_KEY_REFUSED },
    { "authentication", MASTRA_FAIL_KEY_REFUSED },
    { "permission", MASTRA_FAIL_KEY_REFUSED },
    { "model_not_found", MASTRA_FAIL_NOT_FOUND },
    { "not_found", MASTRA_FAIL_NOT_FOUND },
    { "invalid_request", MASTRA_FAIL_REQUEST },
    { "content_filter", MASTRA_FAIL_REQUEST },
};

static mastra_model_fail_e fail_of_text(const char *text)
{
    apr_size_t i;

    if (!text) {
        return MASTRA_FAIL_NONE;
    }
    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strstr(text, codes[i].part)) {
            return codes[i].fail;
        }
    }
    return MASTRA_FAIL_NONE;
}

static mastra_model_fail_e fail_of_status(int status)
{
    switch (status) {
    case 401:
    case 403:
    case 407:
        return MASTRA_FAIL_KEY_REFUSED;
    case 402:
        return MASTRA_FAIL_QUOTA;
    case 404:
    case 405:
    case 410:
        return MASTRA_FAIL_NOT_FOUND;
    case 413:
        return MASTRA_FAIL_PROMPT_SIZE;
    case 429:
        return MASTRA_FAIL_RATE_LIMIT;
    case 408:
    case 409:
        return MASTRA_FAIL_UPSTREAM;
    default:
        break;
    }
    if (status >= 500) {
        return MASTRA_FAIL_UPSTREAM;
    }
    return status >= 400 ? MASTRA_FAIL_REQUEST : MASTRA_FAIL_ANSWER;
}

/* Some servers answer 200 and put the status into the error's code. */
static int status_in(const mastra_json_t *error)
{
    const mastra_json_t *code = mastra_json_get(error, "code");
    const char *text = mastra_json_str(code);
    apr_int64_t n = text ? atoi(text) : mastra_json_int(code);

    return n >= 400 && n < 600 ? (int)n : 0;
}

mastra_model_fail_e mastra_model_fail_of(int status,
                                         const mastra_json_t *error)
{
    mastra_model_fail_e fail;

    if (status >= 500) {
        return MASTRA_FAIL_UPSTREAM;
    }
    fail = fail_of_text(mastra_json_get_str(error, "code"));
    if (fail == MASTRA_FAIL_NONE && status < 400 && status_in(error)) {
        return fail_of_status(status_in(error));
    }
    /* The type is vague beside a status: it counts where there is none. */
    if (fail == MASTRA_FAIL_NONE && status < 400) {
        fail = fail_of_text(mastra_json_get_str(error, "type"));
    }
    if (fail != MASTRA_FAIL_NONE) {
        return fail;
    }
    if (status < 400 && error) {
        return MASTRA_FAIL_UPSTREAM;
    }
    return fail_of_status(status);
}

const char *mastra_model_fail_code(mastra_model_fail_e fail)
{
    return rows[fail].code;
}

int mastra_model_fail_again(mastra_model_fail_e fail)
{
    return rows[fail].again;
}

static void mask_all(char *text, const char *secret)
{
    apr_size_t len = strlen(secret);
    char *at;

    if (len < 4) {
        return;
    }
    for (at = strstr(text, secret); at; at = strstr(at + len, secret)) {
        memset(at, '*', len);
    }
}

/* What an upstream wrote, fit for a log line: secrets of ours that it may have
 * sent back are masked, and it cannot begin lines of its own. */
static char *fit_for_log(const mastra_model_provider_t *provider,
                         const char *cause, apr_pool_t *pool)
{
    apr_size_t len = strnlen(cause, 4 * MASTRA_MODEL_CAUSE_MAX);
    char *text = apr_pstrmemdup(pool, cause, len);
    const char *const *header;
    char *p;

    if (provider->key) {
        mask_all(text, provider->key);
    }
    for (header = provider->headers; header && *header; header++) {
        const char *value = strchr(*header, ':');

        value = value ? value + 1 + strspn(value + 1, " ") : *header;
        mask_all(text, value);
    }
    text = apr_pstrdup(pool, mastra_redact_text(text, pool));
    len = strnlen(text, MASTRA_MODEL_CAUSE_MAX);
    text[mastra_text_utf8_valid(text, len)] = '\0';
    for (p = text; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f) {
            *p = ' ';
        }
    }
    return text;
}

mastra_result_t *mastra_model_fail_result(
    const mastra_model_provider_t *provider, mastra_model_fail_e fail,
    int retry_after, const char *cause, apr_pool_t *pool)
{
    const row_t *row = &rows[fail];
    mastra_result_t *result;

    if (fail == MASTRA_FAIL_UNSUPPORTED && cause) {
        return mastra_result_make(pool, row->status, row->code,
                                  "Model provider '%s' %s: %s", provider->id,
                                  row->what, cause);
    }
    result = mastra_result_make(pool, row->status, row->code,
                                "Model provider '%s' %s", provider->id,
                                row->what);
    result->retry_after = retry_after;
    if (fail == MASTRA_FAIL_RATE_LIMIT && retry_after == 0) {
        result->retry_after = MASTRA_MODEL_RETRY_AFTER;
    }
    if (cause) {
        mastra_result_cause(result, pool, "%s",
                            fit_for_log(provider, cause, pool));
    }
    return result;
}

void mastra_model_error_no_repeat(mastra_result_t *error)
{
    if (error->status >= 500) {
        error->status = 424;
    }
}
