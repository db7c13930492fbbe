/* Directives about routes of the configuration, and what they make of a host. */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "http/custom.h"
#include "http/request.h"
#include "mod_mastra_config.h"
#include "mod_mastra_native.h"
#include "mod_mastra_place.h"
#include "mod_mastra_routes.h"

#define MAX_OPENAPI ((apr_size_t)1024 * 1024)

/* A line of MastraRoute or MastraMiddleware. */
typedef struct {
    const char *method, *path;
    const char *target;
    const char *as;
    const char *openapi;         /* file */
    apr_array_header_t *middleware;  /* const char *: targets */
    int open;                    /* auth=off */
    int keep;                    /* on-disconnect=continue */
    mastra_cors_conf_t *cors;    /* NULL: as the path has it */
} line_t;

/* --- create and merge ------------------------------------------------------ */

void mastra_routes_create(mastra_routes_conf_t *conf, apr_pool_t *pool)
{
    conf->routes = apr_array_make(pool, 0, sizeof(line_t *));
    conf->middleware = apr_array_make(pool, 0, sizeof(line_t *));
    conf->request_log = -1;
}

static int is_there(const apr_array_header_t *lines, const line_t *line)
{
    int i;

    for (i = 0; i < lines->nelts; i++) {
        const line_t *each = APR_ARRAY_IDX(lines, i, const line_t *);

        if (!strcmp(each->method, line->method)
            && !strcmp(each->path, line->path)) {
            return 1;
        }
    }
    return 0;
}

void mastra_routes_merge(mastra_routes_conf_t *conf,
                         const mastra_routes_conf_t *base,
                         const mastra_routes_conf_t *add, apr_pool_t *pool)
{
    int i;

    conf->routes = apr_array_make(pool, 2, sizeof(line_t *));
    for (i = 0; i < base->routes->nelts; i++) {
        line_t *line = APR_ARRAY_IDX(base->routes, i, line_t *);

        if (!is_there(add->routes, line)) {
            APR_ARRAY_PUSH(conf->routes, line_t *) = line;
        }
    }
    apr_array_cat(conf->routes, add->routes);
    conf->middleware = apr_array_append(pool, base->middleware,
                                        add->middleware);
    conf->on_error = add->on_error ? add->on_error : base->on_error;
    conf->request_log = add->request_log != -1 ? add->request_log
                                               : base->request_log;
}

/* --- setters --------------------------------------------------------------- */

static mastra_routes_conf_t *conf_of(const cmd_parms *cmd)
{
    return &mastra_config_of(cmd->server)->custom;
}

static int is_method(const char *method)
{
    static const char *const methods[] = { "GET", "POST", "PUT", "DELETE",
                                           "PATCH", "ALL", NULL };
    const char *const *each;

    for (each = methods; *each; each++) {
        if (!strcmp(method, *each)) {
            return 1;
        }
    }
    return 0;
}

static int is_segment(const char *text, apr_size_t len)
{
    apr_size_t i = *text == ':';

    if (!len || (len == 1 && *text == '*')) {
        return len > 0;
    }
    if (i && (len == 1 || apr_isdigit(text[1]))) {
        return 0;
    }
    for (; i < len; i++) {
        int fine = *text == ':' ? apr_isalnum(text[i]) || text[i] == '_'
                                : !strchr("%?#*:;{}()\\\" ", text[i]);

        if (!fine) {
            return 0;
        }
    }
    return 1;
}

/* NULL, or what is wrong with the path of a route or a pattern of paths. */
static const char *check_path(const char *path)
{
    const char *at = path;
    int fine = *path == '/';

    while (fine && *at == '/') {
        apr_size_t len = strcspn(++at, "/");

        fine = is_segment(at, len) || !strcmp(path, "/");
        at += len;
    }
    return fine
           ? NULL : "a path is like /hello/:name or /files/*: it begins with "
                    "a slash and ends without one, a parameter or a star is "
                    "all of what stands between two slashes, and nothing is "
                    "escaped";
}

/* NULL, or why no handler can be found by this target. */
static const char *check_target(const char *target, int is_route)
{
    if (*target == '/' && target[1] != '/' && !target[strcspn(target, "# ")]) {
        return NULL;
    }
    if (!strncmp(target, "provider:", 9) && target[9]) {
        return NULL;
    }
    if (is_route && !strncmp(target, "agent:", 6) && target[6]) {
        return NULL;
    }
    if (is_route && !strncmp(target, "workflow:", 9) && target[9]) {
        return NULL;
    }
    if (is_route && !strncmp(target, "chat:", 5)) {
        return "routes to chats are not in this version of mod_mastra; a "
               "target is a local path, agent:ID, workflow:ID or "
               "provider:NAME";
    }
    return is_route ? "a target is a local path such as /cgi-bin/hello, "
                      "agent:ID, workflow:ID or provider:NAME"
                    : "a target is a local path such as /cgi-bin/check or "
                      "provider:NAME";
}

static const char *add_targets(line_t *line, const char *list,
                               apr_pool_t *pool)
{
    char *last, *target;

    for (target = apr_strtok(apr_pstrdup(pool, list), ",", &last); target;
         target = apr_strtok(NULL, ",", &last)) {
        const char *wrong = check_target(target, 0);

        if (wrong) {
            return apr_pstrcat(pool, "middleware=", target, ": ", wrong, NULL);
        }
        APR_ARRAY_PUSH(line->middleware, const char *) = target;
    }
    return line->middleware->nelts ? NULL : "middleware= takes one or more "
                                            "targets with commas between";
}

static int one_of(int *pvalue, const char *value, const char *zero,
                  const char *one)
{
    *pvalue = !strcmp(value, one);
    return *pvalue || !strcmp(value, zero);
}

static const char *cors_option(line_t *line, const char *arg,
                               apr_pool_t *pool)
{
    const char *why;

    if (!line->cors) {
        line->cors = apr_pcalloc(pool, sizeof(*line->cors));
        mastra_cors_create(line->cors);
    }
    return mastra_cors_option(&why, line->cors, arg, pool)
           ? why : apr_pstrcat(pool, "there is no option ", arg, "; it has "
                               "cors=, cors-origin=, cors-methods=, "
                               "cors-headers=, cors-expose=, cors-credentials= "
                               "and cors-max-age=", NULL);
}

static const char *route_option(cmd_parms *cmd, line_t *line, const char *arg)
{
    const char *equals = strchr(arg, '='), *value = equals ? equals + 1 : "";
    int for_agent = !strncmp(line->target, "agent:", 6);
    int for_workflow = !strncmp(line->target, "workflow:", 9);

    if (!strncmp(arg, "auth=", 5)) {
        return one_of(&line->open, value, "on", "off")
               ? NULL : "auth= must be on or off";
    }
    if (!strncmp(arg, "middleware=", 11)) {
        return add_targets(line, value, cmd->pool);
    }
    if (!strncmp(arg, "openapi=", 8)) {
        line->openapi = ap_server_root_relative(cmd->pool, value);
        return line->openapi && *value ? NULL : "openapi= must be a file";
    }
    if (!strncmp(arg, "as=", 3)) {
        line->as = apr_pstrdup(cmd->pool, value);
        return !for_agent && !for_workflow
               ? "as= is for agents and workflows: other targets answer as "
                 "they like" : NULL;
    }
    if (!strncmp(arg, "on-disconnect=", 14)) {
        if (for_workflow) {
            return "on-disconnect= is for agents: a workflow goes on whoever "
                   "leaves";
        }
        if (!for_agent) {
            return "on-disconnect= is for agents: what other targets do is "
                   "theirs to end";
        }
        return one_of(&line->keep, value, "cancel", "continue")
               ? NULL : "on-disconnect= must be cancel or continue";
    }
    if (!strncmp(arg, "cors", 4)) {
        return cors_option(line, arg, cmd->pool);
    }
    return apr_pstrcat(cmd->pool, "there is no option ", arg, "; it has auth=, "
                       "middleware=, openapi=, as=, on-disconnect= and cors=",
                       NULL);
}

static line_t *make_line(apr_pool_t *pool)
{
    line_t *line = apr_pcalloc(pool, sizeof(*line));

    line->middleware = apr_array_make(pool, 0, sizeof(const char *));
    return line;
}

static const char *check_route(const line_t *line, apr_pool_t *pool)
{
    const char *wrong;

    if (!is_method(line->method)) {
        return apr_pstrcat(pool, line->method, " is none of GET, POST, PUT, "
                           "DELETE, PATCH and ALL", NULL);
    }
    wrong = check_path(line->path);
    if (!wrong && !strcmp(line->path, "/")) {
        wrong = "the root belongs to the host";
    }
    return wrong ? wrong : check_target(line->target, 1);
}

const char *mastra_routes_add(cmd_parms *cmd, void *dir, int argc,
                              char *const argv[])
{
    line_t *line = make_line(cmd->pool);
    const char *wrong;
    int i;

    if (argc < 3) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " takes a method, a "
                           "path and a target", NULL);
    }
    line->method = apr_pstrdup(cmd->pool, argv[0]);
    line->path = apr_pstrdup(cmd->pool, argv[1]);
    line->target = apr_pstrdup(cmd->pool, argv[2]);
    wrong = check_route(line, cmd->pool);
    for (i = 3; i < argc && !wrong; i++) {
        wrong = route_option(cmd, line, argv[i]);
    }
    if (!wrong && is_there(conf_of(cmd)->routes, line)) {
        wrong = "it was configured above";
    }
    if (wrong) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " ", line->method, " ",
                           line->path, ": ", wrong, NULL);
    }
    APR_ARRAY_PUSH(conf_of(cmd)->routes, line_t *) = line;
    return NULL;
}

const char *mastra_routes_add_middleware(cmd_parms *cmd, void *dir, int argc,
                                         char *const argv[])
{
    line_t *line = make_line(cmd->pool);
    int with_path = argc > 1 && !strncmp(argv[0], "path=", 5);
    const char *wrong;

    if (argc != 1 + with_path) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " takes path= and a "
                           "target, or a target alone", NULL);
    }
    line->target = apr_pstrdup(cmd->pool, argv[with_path]);
    if (with_path && strcmp(argv[0], "path=*")) {
        line->path = apr_pstrdup(cmd->pool, argv[0] + 5);
    }
    wrong = line->path ? check_path(line->path) : NULL;
    if (!wrong) {
        wrong = check_target(line->target, 0);
    }
    if (wrong) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " ", line->target, ": ",
                           wrong, NULL);
    }
    APR_ARRAY_PUSH(conf_of(cmd)->middleware, line_t *) = line;
    return NULL;
}

const char *mastra_routes_set_on_error(cmd_parms *cmd, void *dir,
                                       const char *arg)
{
    if (!strcasecmp(arg, "none")) {
        conf_of(cmd)->on_error = "";
        return NULL;
    }
    if (*arg != '/' || arg[1] == '/' || arg[strcspn(arg, "# ")]) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " must be a local path "
                           "such as /scripts/error.lua or None, not ", arg,
                           NULL);
    }
    conf_of(cmd)->on_error = arg;
    return NULL;
}

const char *mastra_routes_set_request_log(cmd_parms *cmd, void *dir, int on)
{
    conf_of(cmd)->request_log = on;
    return NULL;
}

/* --- into the host --------------------------------------------------------- */

static const char *path_of(const char *target, apr_pool_t *pool)
{
    return apr_pstrmemdup(pool, target, strcspn(target, "?"));
}

/* NULL, or what is wrong with it. */
static const char *add_middleware(apr_array_header_t *list,
                                  const mastra_host_t *host,
                                  const char *pattern, const char *target,
                                  apr_pool_t *pool)
{
    mastra_middleware_t *made = apr_pcalloc(pool, sizeof(*made));

    made->name = target;
    made->pattern = pattern;
    APR_ARRAY_PUSH(list, mastra_middleware_t *) = made;
    if (!strncmp(target, "provider:", 9)) {
        return mastra_native_middleware(made, target + 9, host->server, pool);
    }
    made->uri = target;
    return mastra_path_below(path_of(target, pool), host->prefix)
           ? "it is below the prefix of the API, where it would ask itself"
           : NULL;
}

static const char *read_openapi(mastra_custom_t *custom, const char *file,
                                apr_pool_t *pool)
{
    mastra_json_error_t fault;
    const char *summary;

    fault.message[0] = '\0';
    if (mastra_json_read_file(&custom->openapi, file, MAX_OPENAPI, &fault,
                              pool)
        != APR_SUCCESS) {
        return apr_pstrcat(pool, file, ": ", *fault.message
                           ? fault.message : "it cannot be read", NULL);
    }
    mastra_json_own(custom->openapi, pool);
    if (!mastra_json_is_object(custom->openapi)) {
        return apr_pstrcat(pool, file, ": not an operation object of OpenAPI",
                           NULL);
    }
    summary = mastra_json_get_str(custom->openapi, "summary");
    if (summary) {
        custom->row.summary = summary;
    }
    return NULL;
}

static const char *set_frame(mastra_custom_t *custom, const char *as)
{
    static const struct {
        const char *name;
        mastra_frame_e frame;
    } frames[] = {
        { "json", MASTRA_FRAME_JSON }, { "sse", MASTRA_FRAME_SSE },
        { "chunks", MASTRA_FRAME_RECORD }, { "text", MASTRA_FRAME_TEXT }
    };
    int i;

    for (i = 0; as && i < 4; i++) {
        if (!strcmp(frames[i].name, as)) {
            custom->frame = frames[i].frame;
            return NULL;
        }
    }
    custom->frame = MASTRA_FRAME_JSON;
    return as ? "as= must be json, sse, chunks or text" : NULL;
}

static const char *set_agent(mastra_custom_t *custom, const line_t *line,
                             const mastra_host_t *host, apr_pool_t *pool)
{
    const mastra_agent_t *agent;

    custom->target = line->target + 6;
    agent = mastra_agents_find(host->agents, custom->target);
    if (!agent) {
        return apr_pstrcat(pool, "there is no agent ", custom->target, NULL);
    }
    if (line->keep && !agent->memory.enabled) {
        return apr_pstrcat(pool, "on-disconnect=continue: the agent ",
                           custom->target, " has no memory to keep its answer "
                           "in", NULL);
    }
    custom->keep = line->keep;
    custom->row.handler = mastra_custom_agent;
    custom->row.tag = "Agents";
    custom->row.permission = "agents:execute";
    custom->row.resource = "body:memory.thread query:threadId";
    custom->row.query = mastra_custom_agent_query;
    custom->row.body = mastra_custom_agent_body;
    return set_frame(custom, line->as);
}

static const char *set_workflow(mastra_custom_t *custom, const line_t *line,
                                const mastra_host_t *host, apr_pool_t *pool)
{
    const char *wrong;

    custom->target = line->target + 9;
    if (!mastra_workflows_find(host->workflows, custom->target)) {
        return apr_pstrcat(pool, "there is no workflow ", custom->target,
                           NULL);
    }
    custom->row.handler = mastra_custom_workflow;
    custom->row.tag = "Workflows";
    custom->row.permission = "workflows:execute";
    custom->row.query = mastra_custom_workflow_query;
    custom->row.body = mastra_custom_workflow_body;
    wrong = set_frame(custom, line->as);
    return wrong || custom->frame != MASTRA_FRAME_TEXT
           ? wrong : "as=text is for agents: a workflow has json, sse and "
                     "chunks";
}

static const char *set_target(mastra_custom_t *custom, const line_t *line,
                              const mastra_host_t *host, apr_pool_t *pool)
{
    custom->row.permission = "";
    custom->row.tag = "Custom";
    if (!strncmp(line->target, "agent:", 6)) {
        return set_agent(custom, line, host, pool);
    }
    if (!strncmp(line->target, "workflow:", 9)) {
        return set_workflow(custom, line, host, pool);
    }
    custom->row.flags |= MASTRA_ROUTE_RAW_BODY;
    if (!strncmp(line->target, "provider:", 9)) {
        custom->target = line->target + 9;
        custom->row.handler = mastra_custom_call;
        return mastra_native_route(custom, custom->target, host->server, pool);
    }
    custom->target = line->target;
    custom->row.handler = mastra_forward_handle;
    return mastra_middleware_fits(custom->row.path,
                                  path_of(line->target, pool))
           ? "its target is the route itself" : NULL;
}

static const char *add_route(mastra_custom_t *custom, const line_t *line,
                             mastra_router_t *router,
                             const mastra_host_t *host, apr_pool_t *pool)
{
    apr_array_header_t *middleware = apr_array_make(pool, 0, sizeof(void *));
    const char *wrong;
    int i;

    custom->row.method = line->method;
    custom->row.path = line->path;
    custom->row.summary = line->target;
    custom->row.flags = MASTRA_ROUTE_OUTSIDE | MASTRA_ROUTE_CUSTOM
                        | (line->open ? MASTRA_ROUTE_PUBLIC : 0);
    if (mastra_path_below(line->path, host->prefix)) {
        return apr_psprintf(pool, "it is below %s, where the API is: see "
                            MASTRA_DIR_PREFIX, host->prefix);
    }
    wrong = set_target(custom, line, host, pool);
    for (i = 0; i < line->middleware->nelts && !wrong; i++) {
        wrong = add_middleware(middleware, host, NULL, APR_ARRAY_IDX(
                                   line->middleware, i, const char *), pool);
    }
    custom->middleware = middleware;
    if (!wrong && line->cors) {
        wrong = mastra_cors_of_route(&custom->cors, host, line->cors, pool);
    }
    if (!wrong && line->openapi) {
        wrong = read_openapi(custom, line->openapi, pool);
    }
    return wrong ? wrong : mastra_router_add(router, &custom->row, pool);
}

static void add_routes(mastra_host_t *host, const apr_array_header_t *lines,
                       mastra_faults_t *faults, apr_pool_t *pool)
{
    static const mastra_route_t *const none[] = { NULL };
    apr_array_header_t *routes = apr_array_make(pool, 2, sizeof(void *));
    mastra_router_t *router;
    int i;

    if (!lines->nelts) {
        return;
    }
    mastra_router_make(&router, none, pool);
    for (i = 0; i < lines->nelts; i++) {
        const line_t *line = APR_ARRAY_IDX(lines, i, const line_t *);
        mastra_custom_t *custom = apr_pcalloc(pool, sizeof(*custom));
        const char *wrong = add_route(custom, line, router, host, pool);

        if (wrong) {
            mastra_place_fault(faults, host->server, MASTRA_DIR_ROUTE,
                               apr_pstrcat(pool, line->method, " ",
                                           line->path, NULL), wrong);
            continue;
        }
        host->custom_cors |= custom->cors != NULL;
        APR_ARRAY_PUSH(routes, mastra_custom_t *) = custom;
    }
    host->custom = router;
    host->routes = routes;
}

void mastra_routes_fill(mastra_host_t *host, const mastra_routes_conf_t *conf,
                        mastra_faults_t *faults, apr_pool_t *pool)
{
    apr_array_header_t *middleware = apr_array_make(pool, 2, sizeof(void *));
    int i;

    add_routes(host, conf->routes, faults, pool);
    for (i = 0; i < conf->middleware->nelts; i++) {
        const line_t *line = APR_ARRAY_IDX(conf->middleware, i,
                                           const line_t *);
        const char *wrong = add_middleware(middleware, host, line->path,
                                           line->target, pool);

        if (wrong) {
            mastra_place_fault(faults, host->server, MASTRA_DIR_MIDDLEWARE,
                               line->path
                                   ? apr_pstrcat(pool, "path=", line->path,
                                                 " ", line->target, NULL)
                                   : line->target, wrong);
        }
    }
    host->middleware = middleware;
    host->on_error = conf->on_error && *conf->on_error ? conf->on_error : NULL;
    host->request_log = conf->request_log == 1;
    if (host->on_error
        && mastra_path_below(path_of(host->on_error, pool), host->prefix)) {
        mastra_place_fault(faults, host->server, MASTRA_DIR_ON_ERROR,
                           host->on_error, "it is below the prefix of the "
                           "API");
    }
}

void mastra_routes_child_init(const mastra_host_t *host, apr_pool_t *pool)
{
    int i;

    for (i = 0; host->routes && i < host->routes->nelts; i++) {
        mastra_custom_t *custom = APR_ARRAY_IDX(host->routes, i,
                                                mastra_custom_t *);
        apr_status_t rv = custom->init ? custom->init(custom->instance,
                                                      host->server, pool)
                                       : APR_SUCCESS;

        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_ERR, rv, host->server,
                         MASTRA_ID(661) "the provider %s of the route %s %s "
                         "did not start", custom->target, custom->row.method,
                         custom->row.path);
            custom->failed = 1;
        }
    }
}
