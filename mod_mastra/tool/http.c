/* Tools of kind http: a remote endpoint. */

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include "internal.h"

#define DEFAULT_TIMEOUT apr_time_from_sec(30)

typedef struct {
    const char *method;
    const char *url;                 /* with {field} where input goes */
    int trusted;                     /* its origin is a constant */
    int as_query;                    /* input goes to the query, not the body */
    apr_array_header_t *headers;     /* "Name: value" */
    apr_interval_time_t timeout;
} http_conf_t;

/* ---- reading ---- */

static int is_method(const char *method)
{
    static const char *const known[] = { "GET", "POST", "PUT", "PATCH",
                                         "DELETE", NULL };
    int i;

    for (i = 0; known[i]; i++) {
        if (!strcmp(known[i], method)) {
            return 1;
        }
    }
    return 0;
}

/* The origin is constant when no template stands before the path. */
static int constant_origin(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    apr_size_t len = strcspn(host, "/?#");

    return !memchr(url, '{', (apr_size_t)(host - url) + len);
}

static const char *read_headers(http_conf_t *conf, const char **pfield,
                                const mastra_json_t *headers, apr_pool_t *pool)
{
    void *at;

    conf->headers = apr_array_make(pool, 8, sizeof(const char *));
    for (at = mastra_json_iter(headers); at;
         at = mastra_json_next(headers, at)) {
        const char *name = mastra_json_key(at);
        const char *value = mastra_json_str(mastra_json_value(at));

        *pfield = apr_pstrcat(pool, "execute.headers.", name, NULL);
        if (!value || strpbrk(value, "\r\n") || strpbrk(name, ": \r\n")) {
            return "not a header";
        }
        if (!strncmp(value, "env:", 4)) {
            value = getenv(value + 4);
            if (!value) {
                return "its environment variable is not set";
            }
        }
        APR_ARRAY_PUSH(conf->headers, const char *) =
            apr_pstrcat(pool, name, ": ", value, NULL);
    }
    return NULL;
}

static const char *http_parse(void **pconf, const char **pfield,
                              const mastra_tool_t *tool, apr_pool_t *pool)
{
    const mastra_json_t *execute = mastra_json_get(tool->definition, "execute");
    const char *method = mastra_json_get_str(execute, "method");
    const char *input = mastra_json_get_str(execute, "input");
    apr_int64_t ms = mastra_json_get_int(execute, "timeout", 0);
    http_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    conf->method = method ? method : "POST";
    if (!is_method(conf->method)) {
        *pfield = "execute.method";
        return "none of GET, POST, PUT, PATCH, DELETE";
    }
    conf->url = mastra_json_get_str(execute, "url");
    if (!conf->url || (strncmp(conf->url, "http://", 7)
                       && strncmp(conf->url, "https://", 8))) {
        *pfield = "execute.url";
        return "not an http:// or https:// URL";
    }
    if (constant_origin(conf->url) && !mastra_text_url_port(conf->url)) {
        *pfield = "execute.url";
        return "its port is not a number from 1 to 65535";
    }
    if (ms < 0 || ms > 3600000) {
        *pfield = "execute.timeout";
        return "not between 0 and 3600000 milliseconds";
    }
    if (input && strcmp(input, "body") && strcmp(input, "query")) {
        *pfield = "execute.input";
        return "neither \"body\" nor \"query\"";
    }
    conf->trusted = constant_origin(conf->url);
    conf->as_query = input ? !strcmp(input, "query")
                           : !strcmp(conf->method, "GET")
                                 || !strcmp(conf->method, "DELETE");
    conf->timeout = ms ? ms * 1000 : DEFAULT_TIMEOUT;
    *pconf = conf;
    return read_headers(conf, pfield, mastra_json_get(execute, "headers"),
                        pool);
}

/* ---- calling ---- */

void mastra_tool_escape(mastra_buf_t *buf, const char *text)
{
    for (; *text; text++) {
        if (apr_isalnum(*text) || strchr("-._~", *text)) {
            mastra_buf_add(buf, text, 1);
        }
        else {
            mastra_buf_printf(buf, "%%%02X", (unsigned char)*text);
        }
    }
}

static const char *value_text(const mastra_json_t *value, apr_pool_t *pool)
{
    return mastra_json_is_string(value) ? mastra_json_str(value)
                                        : mastra_json_text(value, pool);
}

/* {field} becomes the percent-encoded value of that input field. */
static void add_template(mastra_buf_t *buf, const mastra_tool_call_t *call,
                         const char *url)
{
    while (*url) {
        const char *end = *url == '{' ? strchr(url, '}') : NULL;

        if (end) {
            const char *name = apr_pstrmemdup(call->pool, url + 1,
                                              (apr_size_t)(end - url) - 1);
            const mastra_json_t *value = mastra_json_get(call->args.input,
                                                         name);

            if (value) {
                mastra_tool_escape(buf, value_text(value, call->pool));
            }
            url = end + 1;
        }
        else {
            mastra_buf_add(buf, url++, 1);
        }
    }
}

static void add_query(mastra_buf_t *buf, const mastra_tool_call_t *call,
                      const char *url)
{
    const mastra_json_t *input = call->args.input;
    char mark = strchr(url, '?') ? '&' : '?';
    void *at;

    for (at = mastra_json_iter(input); at; at = mastra_json_next(input, at)) {
        const char *key = mastra_json_key(at);

        if (strstr(url, apr_pstrcat(call->pool, "{", key, "}", NULL))) {
            continue;
        }
        mastra_buf_add(buf, &mark, 1);
        mark = '&';
        mastra_tool_escape(buf, key);
        mastra_buf_puts(buf, "=");
        mastra_tool_escape(buf, value_text(mastra_json_value(at),
                                           call->pool));
    }
}

static const char *make_url(const mastra_tool_call_t *call)
{
    const http_conf_t *conf = call->tool->conf;
    const char *url;
    mastra_buf_t buf;

    mastra_buf_init(&buf, 16 * 1024);
    add_template(&buf, call, conf->url);
    if (conf->as_query) {
        add_query(&buf, call, conf->url);
    }
    url = apr_pstrmemdup(call->pool, buf.data ? buf.data : "", buf.len);
    mastra_buf_free(&buf);
    return url;
}

/* A field of the URL that is "." or ".." would lead to another path than the
 * definition says: servers resolve these, escaped or not. */
static int leads_away(const mastra_tool_call_t *call)
{
    const http_conf_t *conf = call->tool->conf;
    const char *at = conf->url, *end;

    while ((at = strchr(at, '{')) && (end = strchr(at, '}'))) {
        const char *name = apr_pstrmemdup(call->pool, at + 1,
                                          (apr_size_t)(end - at) - 1);
        const char *value = mastra_json_get_str(call->args.input, name);

        if (value && (!strcmp(value, ".") || !strcmp(value, ".."))) {
            return 1;
        }
        at = end;
    }
    return 0;
}

static void refused(void *baton)
{
    mastra_tool_call_t *call = baton;

    mastra_tool_finish(call, NULL,
                       mastra_result_make(call->pool, 400, "TOOL_PATH_INVALID",
                                          "an input would change the path of "
                                          "the tool's address"));
}

static apr_status_t send_request(mastra_tool_call_t *call)
{
    const http_conf_t *conf = call->tool->conf;
    mastra_tool_http_t *http = apr_pcalloc(call->pool, sizeof(*http));
    apr_array_header_t *headers = apr_array_copy(call->pool, conf->headers);
    mastra_request_t request = { .method = conf->method,
                                 .trusted = conf->trusted,
                                 .guard = call->env->guard };

    mastra_tool_http_headers(call, headers);
    if (!conf->as_query && call->args.input) {
        APR_ARRAY_PUSH(headers, const char *) =
            "Content-Type: application/json";
        request.body = mastra_json_text(call->args.input, call->pool);
        request.body_len = strlen(request.body);
    }
    APR_ARRAY_PUSH(headers, const char *) = NULL;
    request.url = make_url(call);
    request.headers = (const char *const *)headers->elts;
    request.first_byte_timeout = conf->timeout;
    request.total_timeout = conf->timeout;
    return mastra_tool_http_send(call, http, &request);
}

static apr_status_t http_start(mastra_tool_call_t *call)
{
    mastra_msg_t *msg;

    if (!leads_away(call)) {
        return send_request(call);
    }
    msg = apr_pcalloc(call->pool, sizeof(*msg));
    msg->cb = refused;
    msg->baton = call;
    mastra_loop_defer(call->env->loop, msg);
    return APR_SUCCESS;
}

/* One that is refused ends by itself. */
static void http_cancel(mastra_tool_call_t *call)
{
    if (call->state) {
        mastra_tool_http_cancel(call, call->state);
    }
}

const mastra_tool_kind_t mastra_tool_http = { "http", http_parse, http_start,
                                              http_cancel };
