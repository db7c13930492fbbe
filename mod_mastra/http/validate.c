/* Checks of a request against its route: body as JSON, query string, schemas;
 * what fails is answered with the issues that clients know. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define BAD_QUERY "Invalid query parameters"
#define MAX_QUERY_PARAMS 1000

/* --- body ------------------------------------------------------------------ */

static int takes_body(const request_rec *r)
{
    return r->method_number == M_POST || r->method_number == M_PUT
           || r->method_number == M_PATCH || r->method_number == M_DELETE;
}

/* A handler of whatever kind may take a body with any method. */
static int has_body(const request_rec *r)
{
    return apr_table_get(r->headers_in, "Content-Length")
           || apr_table_get(r->headers_in, "Transfer-Encoding");
}

static int is_json(const request_rec *r)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type");

    return type && ap_strcasestr(type, "application/json");
}

static apr_status_t free_raw(void *data)
{
    free(data);
    return APR_SUCCESS;
}

/* For a handler that wants the bytes. What is JSON is looked into all the same:
 * it may have a request context. */
static void keep_raw(mastra_full_req_t *full, char *data, apr_size_t len)
{
    mastra_req_t *req = &full->req;

    if (!data) {
        return;
    }
    full->raw = data;
    full->raw_len = len;
    apr_pool_cleanup_register(req->pool, data, free_raw,
                              apr_pool_cleanup_null);
    if (is_json(req->r)
        && mastra_json_parse(&req->body, data, len, 0, NULL) == APR_SUCCESS) {
        mastra_json_own(req->body, req->pool);
    }
}

void mastra_validate_body_load(mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;
    mastra_json_error_t fault;
    apr_size_t limit, len;
    char *data;

    unsigned flags = full->route->row->flags;

    full->body_state = MASTRA_BODY_READ;
    if ((flags & MASTRA_ROUTE_NO_BODY_JSON)
        || !(flags & MASTRA_ROUTE_RAW_BODY ? has_body(req->r)
                                           : takes_body(req->r))) {
        return;
    }
    limit = full->route->row->body_limit ? full->route->row->body_limit
                                         : req->host->body_limit;
    full->body_rv = mastra_request_read(&data, &len, &full->body_error, req->r,
                                        limit);
    if (full->body_rv != OK) {
        full->body_state = MASTRA_BODY_BAD;
        return;
    }
    if (flags & MASTRA_ROUTE_RAW_BODY) {
        keep_raw(full, data, len);
        return;
    }
    if (data && is_json(req->r)) {
        if (mastra_json_parse(&req->body, data, len, 0, &fault)
            != APR_SUCCESS) {
            full->body_state = MASTRA_BODY_BAD;
            full->body_rv = -1;
            full->body_fault = apr_pstrdup(req->pool, fault.message);
        }
        else {
            mastra_json_own(req->body, req->pool);
        }
    }
    free(data);
}

int mastra_validate_body_read(int *panswer, mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;

    if (full->body_state == MASTRA_BODY_UNREAD) {
        mastra_validate_body_load(full);
    }
    if (full->body_state != MASTRA_BODY_BAD) {
        return 1;
    }
    if (full->body_fault) {
        *panswer = mastra_reply_issue(req, MASTRA_BAD_BODY, "body", full->body_fault);
    }
    else {
        *panswer = full->body_rv == -1
                   ? mastra_reply_error(req, full->body_error)
                   : full->body_rv;
    }
    return 0;
}

int mastra_validate_body(int *panswer, mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;
    const mastra_compiled_t *route = full->route;
    mastra_schema_errors_t errors;

    if (!route->body || !takes_body(req->r)) {
        return 1;
    }
    if (!req->body && route->body_optional) {
        req->body = mastra_json_own(mastra_json_object(), req->pool);
    }
    else if (!mastra_schema_validate(route->body, req->body, &errors,
                                     req->pool)) {
        *panswer = mastra_reply_issues(req, MASTRA_BAD_BODY,
                                       mastra_schema_issues(&errors));
        return 0;
    }
    mastra_schema_fill_defaults(route->body, req->body);
    return 1;
}

/* --- query ----------------------------------------------------------------- */

/* A repeated key becomes an array. */
static void add_string(mastra_json_t *strings, const char *key,
                       const char *value)
{
    mastra_json_t *before = mastra_json_get(strings, key);

    if (!before) {
        mastra_json_set_str(strings, key, value);
        return;
    }
    if (mastra_json_is_string(before)) {
        mastra_json_t *array = mastra_json_array();

        mastra_json_append(array, mastra_json_ref(before));
        mastra_json_set(strings, key, array);
        before = array;
    }
    mastra_json_append(before, mastra_json_string(value));
}

/* key[sub]=value: collected by key. 0: the key has no such form. */
static int add_grouped(mastra_json_t *groups, const char *key,
                       const char *value, apr_pool_t *pool)
{
    const char *open = strchr(key, '[');
    apr_size_t len = strlen(key);
    const char *name, *sub;

    if (!open || open == key || key[len - 1] != ']'
        || open + 2 >= key + len) {
        return 0;
    }
    name = apr_pstrmemdup(pool, key, open - key);
    sub = apr_pstrmemdup(pool, open + 1, key + len - open - 2);
    if (!mastra_json_get(groups, name)) {
        mastra_json_set(groups, name, mastra_json_object());
    }
    add_string(mastra_json_get(groups, name), sub, value);
    return 1;
}

static apr_status_t add_pair(mastra_json_t *strings, mastra_json_t *groups,
                             const char *pair, apr_size_t len,
                             apr_pool_t *pool)
{
    const char *equals = memchr(pair, '=', len), *key, *value = "";
    apr_size_t key_len = equals ? (apr_size_t)(equals - pair) : len;
    apr_status_t rv;

    rv = mastra_text_url_decode(&key, pair, key_len, 1, pool);
    if (rv == APR_SUCCESS && equals) {
        rv = mastra_text_url_decode(&value, equals + 1, len - key_len - 1, 1,
                                    pool);
    }
    if (rv == APR_SUCCESS && !add_grouped(groups, key, value, pool)) {
        add_string(strings, key, value);
    }
    return rv;
}

/* The query string as an object of strings, arrays of strings and, for
 * groups, JSON text. APR_EINVAL: it is no text. */
static apr_status_t parse_query(mastra_json_t *strings, const char *query,
                                apr_pool_t *pool)
{
    mastra_json_t *groups = mastra_json_object();
    apr_status_t rv = APR_SUCCESS;
    int count = 0;
    void *i;

    while (*query && rv == APR_SUCCESS) {
        apr_size_t len = strcspn(query, "&");

        if (len) {
            rv = ++count > MAX_QUERY_PARAMS
                 ? APR_EINVAL : add_pair(strings, groups, query, len, pool);
        }
        query += len + (query[len] == '&');
    }
    for (i = mastra_json_iter(groups); i; i = mastra_json_next(groups, i)) {
        if (!mastra_json_get(strings, mastra_json_key(i))) {
            mastra_json_set_str(strings, mastra_json_key(i),
                                mastra_json_text(mastra_json_value(i), pool));
        }
    }
    mastra_json_unref(groups);
    return rv;
}

/* requestContext of a query: JSON, or JSON in base64. 0: it is neither, or no
 * object; nothing and null are none. */
static int parse_context(mastra_json_t **pcontext,
                         const mastra_json_t *strings, apr_pool_t *pool)
{
    const mastra_json_t *value = mastra_json_get(strings, "requestContext");
    const char *text = mastra_json_str(value);
    mastra_json_t *context = NULL;
    unsigned char *data;
    apr_size_t len;

    *pcontext = NULL;
    if (!text || !*text) {
        return text || !value;
    }
    if (mastra_json_parse(&context, text, strlen(text), 0, NULL)
        != APR_SUCCESS) {
        if (mastra_text_base64_decode(&data, &len, text, strlen(text), pool)
            != APR_SUCCESS
            || mastra_json_parse(&context, (const char *)data, len, 0, NULL)
               != APR_SUCCESS) {
            return 0;
        }
    }
    mastra_json_own(context, pool);
    if (mastra_json_is_object(context)) {
        *pcontext = context;
    }
    return *pcontext || mastra_json_is_null(context);
}

mastra_json_t *mastra_validate_client_context(mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;
    mastra_json_t *context = mastra_json_get(req->body, "requestContext");
    mastra_json_t *strings;

    if (!mastra_json_is_object(context) && req->r->args) {
        strings = mastra_json_own(mastra_json_object(), req->pool);
        if (parse_query(strings, req->r->args, req->pool) == APR_SUCCESS) {
            parse_context(&context, strings, req->pool);
        }
    }
    if (!mastra_json_is_object(context)) {
        return NULL;
    }
    mastra_request_context_clean(context);
    return context;
}

int mastra_validate_query(int *panswer, mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;
    const mastra_compiled_t *route = full->route;
    mastra_schema_errors_t errors;
    mastra_json_t *strings;
    int valid = 1;

    if ((!req->r->args || !*req->r->args) && route->query_idle) {
        return 1;
    }
    strings = mastra_json_own(mastra_json_object(), req->pool);
    if (req->r->args
        && parse_query(strings, req->r->args, req->pool) != APR_SUCCESS) {
        *panswer = mastra_reply_issue(req, BAD_QUERY, "root",
                                      "The query string is not valid");
        return 0;
    }
    if (!parse_context(&req->principal.request_context, strings, req->pool)
        && !(route->row->flags & MASTRA_ROUTE_RAW_BODY)) {
        *panswer = mastra_reply_issue(req, BAD_QUERY, "requestContext",
                                      "Invalid input: expected a JSON object, "
                                      "as it is or in base64");
        return 0;
    }
    if (route->query) {
        req->query = mastra_schema_coerce_query(route->query, strings);
        mastra_json_own(req->query, req->pool);
        valid = mastra_schema_validate(route->query, req->query, &errors,
                                       req->pool);
    }
    if (!valid) {
        *panswer = mastra_reply_issues(req, BAD_QUERY,
                                       mastra_schema_issues(&errors));
    }
    return valid;
}

int mastra_reply_bad_query(mastra_req_t *req, const char *field,
                           const char *message)
{
    return mastra_reply_issues(req, BAD_QUERY, mastra_json_pack(
        "[{s:s, s:s}]", "field", field, "message", message));
}
