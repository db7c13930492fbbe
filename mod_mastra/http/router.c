/* Finds the route of a request in a tree of path segments, and takes the
 * request through its checks to the handler. */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include <http_protocol.h>

#include "../base/log.h"
#include "auth.h"
#include "internal.h"

typedef struct node_t {
    const char *name;            /* of a literal segment */
    apr_size_t len;
    struct node_t *literals;     /* children by name */
    struct node_t *param;        /* the child for any segment */
    struct node_t *rest;         /* the child for all that follows */
    struct node_t *next;         /* sibling */
    mastra_compiled_t *routes;   /* by method */
} node_t;

struct mastra_router_t {
    node_t inside, outside;
    apr_array_header_t *all;     /* const mastra_compiled_t * */
};

/* --- compiling ------------------------------------------------------------- */

static const char *compile_schema(const mastra_schema_t **pschema,
                                  const char *text, const char *what,
                                  apr_pool_t *pool)
{
    mastra_json_t *document;
    mastra_json_error_t fault;
    mastra_result_t *error = NULL;

    if (!text) {
        return NULL;
    }
    if (mastra_json_parse(&document, text, strlen(text), 0, &fault)
        != APR_SUCCESS) {
        return apr_psprintf(pool, "%s schema: %s", what, fault.message);
    }
    mastra_json_own(document, pool);
    if (mastra_schema_compile(pschema, document, &error, pool)
        != APR_SUCCESS) {
        return apr_psprintf(pool, "%s schema: %s", what,
                            error ? error->message : "not usable");
    }
    return NULL;
}

/* What an absent query string or body comes to, found out once. */
static void prepare_absent(mastra_compiled_t *route, apr_pool_t *pool)
{
    mastra_json_t *empty = mastra_json_object(), *query;

    route->query_idle = 1;
    if (route->query) {
        query = mastra_schema_coerce_query(route->query, empty);
        route->query_idle = !mastra_json_size(query)
                            && mastra_schema_validate(route->query, query,
                                                      NULL, pool);
        mastra_json_unref(query);
    }
    if (route->body) {
        route->body_optional = mastra_schema_validate(route->body, empty,
                                                      NULL, pool);
    }
    mastra_json_unref(empty);
}

static node_t *child_literal(node_t *node, const char *name, apr_size_t len,
                             apr_pool_t *pool)
{
    node_t *child;

    for (child = node->literals; child; child = child->next) {
        if (child->len == len && !memcmp(child->name, name, len)) {
            return child;
        }
    }
    child = apr_pcalloc(pool, sizeof(*child));
    child->name = apr_pstrmemdup(pool, name, len);
    child->len = len;
    child->next = node->literals;
    node->literals = child;
    return child;
}

/* The child for a parameter, or for a star: the last one of a path takes all
 * that follows. */
static node_t *child_open(node_t *node, int is_rest, apr_pool_t *pool)
{
    node_t **pchild = is_rest ? &node->rest : &node->param;

    if (!*pchild) {
        *pchild = apr_pcalloc(pool, sizeof(*node));
    }
    return *pchild;
}

static const char *add_route(node_t *node, mastra_compiled_t *route,
                             apr_pool_t *pool)
{
    const char *path = route->row->path;
    mastra_compiled_t *other;

    while (*path == '/' && path[1]) {
        apr_size_t len = strcspn(++path, "/");
        int star = len == 1 && *path == '*';

        if (*path == ':' || star) {
            if (route->nparams == MASTRA_MAX_PARAMS) {
                return "too many parameters";
            }
            route->names[route->nparams++] =
                star ? "*" : apr_pstrmemdup(pool, path + 1, len - 1);
            node = child_open(node, star && !path[len], pool);
        }
        else {
            node = child_literal(node, path, len, pool);
        }
        path += len;
    }
    for (other = node->routes; other; other = other->next) {
        if (!strcmp(other->row->method, route->row->method)) {
            return "there twice";
        }
    }
    route->next = node->routes;
    node->routes = route;
    return NULL;
}

const char *mastra_router_add(mastra_router_t *router,
                              const mastra_route_t *row, apr_pool_t *pool)
{
    mastra_compiled_t *route = apr_pcalloc(pool, sizeof(*route));
    const char *wrong;

    route->row = row;
    wrong = compile_schema(&route->query, row->query, "query", pool);
    if (!wrong) {
        wrong = compile_schema(&route->body, row->body, "body", pool);
    }
    if (!wrong) {
        wrong = add_route(row->flags & MASTRA_ROUTE_OUTSIDE
                          ? &router->outside : &router->inside, route, pool);
    }
    if (!wrong) {
        prepare_absent(route, pool);
        route->permission = mastra_auth_permission(row, pool);
        APR_ARRAY_PUSH(router->all, const mastra_compiled_t *) = route;
    }
    return wrong;
}

const char *mastra_router_make(mastra_router_t **prouter,
                               const mastra_route_t *const *tables,
                               apr_pool_t *pool)
{
    mastra_router_t *router = apr_pcalloc(pool, sizeof(*router));
    const mastra_route_t *row;

    router->all = apr_array_make(pool, 128, sizeof(void *));
    for (; *tables; tables++) {
        for (row = *tables; row->method; row++) {
            const char *wrong = mastra_router_add(router, row, pool);

            if (wrong) {
                return apr_psprintf(pool, "route %s %s: %s", row->method,
                                    row->path, wrong);
            }
        }
    }
    *prouter = router;
    return NULL;
}

const mastra_route_t *mastra_router_row(const char **ppermission,
                                        const mastra_router_t *router, int i)
{
    const mastra_compiled_t *route;

    if (i >= router->all->nelts) {
        return NULL;
    }
    route = APR_ARRAY_IDX(router->all, i, const mastra_compiled_t *);
    *ppermission = route->permission;
    return route->row;
}

void mastra_router_log(const mastra_router_t *router)
{
    int i;

    for (i = 0; i < router->all->nelts; i++) {
        const mastra_compiled_t *route =
            APR_ARRAY_IDX(router->all, i, const mastra_compiled_t *);
        int open = route->row->flags & MASTRA_ROUTE_PUBLIC;

        mastra_log(MASTRA_LOG_TRACE1, 0, "%sroute %s %s needs %s, is about %s",
                   route->row->flags & MASTRA_ROUTE_ALIAS ? "older " : "",
                   route->row->method, route->row->path,
                   open ? "nothing" : *route->permission ? route->permission
                                                         : "a known caller",
                   route->row->resource ? route->row->resource : "no owner");
    }
}

/* --- finding --------------------------------------------------------------- */

typedef struct {
    const mastra_path_t *path;
    const char *method;
    int params[MASTRA_MAX_SEGMENTS]; /* indexes of segments */
    int nparams;
    int rest;                    /* index of the first that the last one takes,
                                    or -1 */
    const node_t *known;         /* first node that has any method */
} search_t;

static const mastra_compiled_t *by_method(search_t *search,
                                          const node_t *node)
{
    const mastra_compiled_t *route, *all = NULL;

    for (route = node->routes; route; route = route->next) {
        /* an older form never answers for the name of a newer one */
        if (!strcmp(route->row->method, search->method)
            && !(search->known
                 && (route->row->flags & MASTRA_ROUTE_ALIAS))) {
            return route;
        }
        if (!strcmp(route->row->method, "ALL")) {
            all = route;
        }
    }
    if (node->routes && !all && !search->known) {
        search->known = node;
    }
    return all;
}

/* A star at the end of a path stands for any number of segments. */
static const mastra_compiled_t *by_rest(search_t *search, const node_t *node,
                                        int at)
{
    const mastra_compiled_t *route;

    if (!node->rest) {
        return NULL;
    }
    route = by_method(search, node->rest);
    if (route) {
        search->params[search->nparams++] = at;
        search->rest = at;
    }
    return route;
}

/* Exact names are tried before parameters, at each segment. */
static const mastra_compiled_t *search_node(search_t *search,
                                            const node_t *node, int at)
{
    const mastra_segment_t *segment = &search->path->segments[at];
    const mastra_compiled_t *route = NULL;
    const node_t *child;

    if (at == search->path->count) {
        route = by_method(search, node);
        return route ? route : by_rest(search, node, at);
    }
    for (child = node->literals; child; child = child->next) {
        if (child->len == segment->len
            && !memcmp(child->name, segment->text, segment->len)) {
            route = search_node(search, child, at + 1);
            break;
        }
    }
    if (!route && node->param) {
        search->params[search->nparams++] = at;
        route = search_node(search, node->param, at + 1);
        if (!route) {
            search->nparams--;
        }
    }
    return route ? route : by_rest(search, node, at);
}

static const mastra_compiled_t *find(search_t *search,
                                     const mastra_router_t *router,
                                     const mastra_path_t *path,
                                     const char *method)
{
    search->path = path;
    search->method = strcmp(method, "HEAD") ? method : "GET";
    search->nparams = 0;
    search->rest = -1;
    search->known = NULL;
    return search_node(search, path->outside ? &router->outside
                                             : &router->inside, 0);
}

int mastra_router_is_outside(const mastra_router_t *router, request_rec *r,
                             const char *prefix)
{
    search_t search;
    mastra_path_t path;

    return mastra_request_path(&path, r, prefix) == MASTRA_PATH_OK
           && path.outside
           && (find(&search, router, &path, r->method) || search.known);
}

const mastra_route_t *mastra_router_custom(const mastra_host_t *host,
                                           request_rec *r, const char *method)
{
    const mastra_compiled_t *route;
    mastra_path_t path;
    search_t search;

    if (mastra_request_path(&path, r, host->prefix) != MASTRA_PATH_OK
        || !path.outside) {
        return NULL;
    }
    route = find(&search, host->custom, &path, method);
    return route ? route->row : NULL;
}

/* path stands below the prefix. */
static const mastra_compiled_t *find_path(search_t *search,
                                          const mastra_router_t *router,
                                          mastra_path_t *segments,
                                          const char *method, const char *path)
{
    memset(segments, 0, sizeof(*segments));
    while (*path == '/' && segments->count < MASTRA_MAX_SEGMENTS) {
        mastra_segment_t *segment = &segments->segments[segments->count++];

        segment->text = ++path;
        segment->len = strcspn(path, "/");
        if (!segment->len) {
            return NULL;
        }
        path += segment->len;
    }
    return *path ? NULL : find(search, router, segments, method);
}

mastra_json_t *mastra_router_check_body(const mastra_router_t *router,
                                        const char *method, const char *path,
                                        mastra_json_t *body,
                                        apr_pool_t *pool)
{
    mastra_path_t segments;
    const mastra_compiled_t *route;
    mastra_schema_errors_t errors;
    search_t search;

    route = find_path(&search, router, &segments, method, path);
    if (!route || !route->body) {
        return NULL;
    }
    if (!mastra_schema_validate(route->body, body, &errors, pool)) {
        return mastra_json_pack("{s:s, s:o}", "error", MASTRA_BAD_BODY,
                                "issues", mastra_schema_issues(&errors));
    }
    mastra_schema_fill_defaults(route->body, body);
    return NULL;
}

/* --- running --------------------------------------------------------------- */

const char *mastra_req_param(const mastra_req_t *req, const char *name)
{
    const mastra_full_req_t *full = (const mastra_full_req_t *)req;
    int i;

    for (i = 0; i < full->route->nparams; i++) {
        if (!strcmp(full->route->names[i], name)) {
            return full->values[i];
        }
    }
    return NULL;
}

mastra_json_t *mastra_req_params(const mastra_req_t *req)
{
    const mastra_full_req_t *full = (const mastra_full_req_t *)req;
    mastra_json_t *params = mastra_json_object();
    int i;

    for (i = 0; i < full->route->nparams; i++) {
        mastra_json_set_str(params, full->route->names[i], full->values[i]);
    }
    return params;
}

static void fill_origin(mastra_full_req_t *full)
{
    const mastra_mark_t *mark = mastra_request_origin(full->req.r);

    if (mark) {
        full->req.internal = mark->internal;
        full->req.principal.depth = mark->depth;
    }
}

/* The path is there, the method is not; OPTIONS asks for no more than that
 * when no cross-origin headers are sent. */
static int not_allowed(mastra_req_t *req, const node_t *node)
{
    const mastra_compiled_t *route;
    char *allow = NULL;

    for (route = node->routes; route; route = route->next) {
        allow = apr_pstrcat(req->pool, route->row->method,
                            strcmp(route->row->method, "GET") ? "" : ", HEAD",
                            allow ? ", " : NULL, allow, NULL);
    }
    apr_table_setn(req->r->err_headers_out, "Allow",
                   apr_pstrcat(req->pool, allow, ", OPTIONS", NULL));
    if (req->r->method_number == M_OPTIONS) {
        req->r->status = HTTP_NO_CONTENT;
        return OK;
    }
    return mastra_reply_plain(req, HTTP_METHOD_NOT_ALLOWED);
}

/* The order of the checks is part of the contract: who, body as JSON, query,
 * body, path, permission, then what the route is about. */
static int run(mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;
    int answer;

    if (req->principal.depth > MASTRA_MAX_DEPTH) {
        return mastra_reply_fail(req, HTTP_LOOP_DETECTED,
                                 "Calls of this server to itself are nested "
                                 "too deep");
    }
    if (!mastra_access_enter(&answer, full)
        || !mastra_validate_body_read(&answer, full)
        || !mastra_validate_query(&answer, full)
        || !mastra_validate_body(&answer, full)) {
        return answer;
    }
    if (!mastra_context_take(&answer, full)) {
        return answer;
    }
    if (!req->host->loop) {
        return mastra_reply_fail(req, HTTP_SERVICE_UNAVAILABLE,
                                 "This process could not start its services");
    }
    if (!mastra_access_check(&answer, full)) {
        return answer;
    }
    return full->route->row->handler(req);
}

/* The segments from the one at on, with their slashes. */
static const char *rest_of(const mastra_path_t *path, int at, apr_pool_t *pool)
{
    const char *rest = "";

    for (; at < path->count; at++) {
        rest = apr_pstrcat(pool, rest, *rest ? "/" : "",
                           apr_pstrmemdup(pool, path->segments[at].text,
                                          path->segments[at].len), NULL);
    }
    return rest;
}

static void fill_request(mastra_full_req_t *full,
                         const mastra_compiled_t *route,
                         const search_t *search)
{
    int i;

    full->route = route;
    full->req.route = route->row;
    for (i = 0; i < route->nparams; i++) {
        const mastra_segment_t *segment =
            &search->path->segments[search->params[i]];

        full->values[i] = search->params[i] == search->rest
            ? rest_of(search->path, search->rest, full->req.pool)
            : apr_pstrmemdup(full->req.pool, segment->text, segment->len);
    }
}

int mastra_router_handle(const mastra_router_t *router, mastra_host_t *host,
                         request_rec *r)
{
    mastra_full_req_t *full = apr_pcalloc(r->pool, sizeof(*full));
    mastra_req_t *req = &full->req;
    const mastra_cors_t *cors = mastra_cors_of(host, r);
    const mastra_compiled_t *route;
    mastra_path_t path;
    mastra_path_e usable = mastra_request_path(&path, r, host->prefix);
    search_t search;

    req->r = r;
    req->pool = r->pool;
    req->host = host;
    req->id = mastra_request_id(r);
    mastra_cors_headers(cors, r);
    if (r->method_number == M_OPTIONS && !cors->off) {
        return mastra_cors_preflight(req);
    }
    if (usable == MASTRA_PATH_INVALID) {
        return mastra_reply_issue(req, "Invalid path parameters", "root",
                                  "The path is not valid");
    }
    if (usable != MASTRA_PATH_OK) {
        return mastra_reply_plain(req, HTTP_NOT_FOUND);
    }
    route = find(&search, router, &path, r->method);
    if (!route && !search.known && path.outside && host->custom) {
        route = find(&search, host->custom, &path, r->method);
    }
    if (!route) {
        return search.known ? not_allowed(req, search.known)
                            : mastra_reply_plain(req, HTTP_NOT_FOUND);
    }
    fill_request(full, route, &search);
    fill_origin(full);
    return run(full);
}

/* --- called from within ---------------------------------------------------- */

/* As much of a request as checks and answers look at. */
static request_rec *bare_request(const mastra_host_t *host,
                                 const mastra_called_t *called,
                                 apr_pool_t *pool)
{
    request_rec *r = apr_pcalloc(pool, sizeof(*r));

    r->pool = pool;
    r->server = host->server;
    r->method = called->method;
    r->method_number = ap_method_number_of(called->method);
    r->uri = apr_pstrcat(pool, host->prefix, called->path, NULL);
    r->args = apr_pstrdup(pool, called->query);
    r->status = HTTP_OK;
    r->headers_in = apr_table_make(pool, 1);
    r->headers_out = apr_table_make(pool, 1);
    r->err_headers_out = apr_table_make(pool, 1);
    r->subprocess_env = apr_table_make(pool, 1);
    r->notes = apr_table_make(pool, 1);
    r->request_config = ap_create_request_config(pool);
    r->per_dir_config = host->server->lookup_defaults;
    return r;
}

/* Values are decoded here, where segments are known. */
static int fill_params(mastra_full_req_t *full, const search_t *search)
{
    int i;

    for (i = 0; i < full->route->nparams; i++) {
        const mastra_segment_t *segment =
            &search->path->segments[search->params[i]];

        if (mastra_text_url_decode(&full->values[i], segment->text,
                                   segment->len, 0, full->req.pool)
            != APR_SUCCESS) {
            return 0;
        }
    }
    return 1;
}

static void take_called_body(mastra_full_req_t *full,
                             const mastra_called_t *called)
{
    mastra_json_error_t fault;

    full->body_state = MASTRA_BODY_READ;
    if (!called->body_len) {
        return;
    }
    if (mastra_json_parse(&full->req.body, called->body, called->body_len, 0,
                          &fault) == APR_SUCCESS) {
        mastra_json_own(full->req.body, full->req.pool);
        return;
    }
    full->body_state = MASTRA_BODY_BAD;
    full->body_rv = -1;
    full->body_fault = apr_pstrdup(full->req.pool, fault.message);
}

static void run_called(mastra_full_req_t *full)
{
    int answer;

    if (mastra_validate_body_read(&answer, full)
        && mastra_validate_query(&answer, full)
        && mastra_validate_body(&answer, full)
        && mastra_access_check(&answer, full)) {
        full->route->row->handler(&full->req);
    }
}

apr_status_t mastra_router_call(mastra_captured_t *captured,
                                const mastra_router_t *router,
                                mastra_host_t *host,
                                const mastra_called_t *called,
                                apr_pool_t *pool)
{
    mastra_full_req_t *full = apr_pcalloc(pool, sizeof(*full));
    mastra_req_t *req = &full->req;
    mastra_path_t segments;
    search_t search;

    memset(captured, 0, sizeof(*captured));
    req->pool = pool;
    full->route = find_path(&search, router, &segments, called->method,
                            called->path);
    if (!full->route || strncmp(full->route->row->path, "/memory/", 8)
        || !fill_params(full, &search)) {
        return APR_EINVAL;
    }
    req->r = bare_request(host, called, pool);
    req->host = host;
    req->route = full->route->row;
    req->id = "of another module";
    req->internal = 1;
    req->identity = mastra_auth_system(pool);
    req->principal = *called->principal;
    full->captured = captured;
    take_called_body(full, called);
    run_called(full);
    return captured->status ? APR_SUCCESS : APR_EGENERAL;
}
