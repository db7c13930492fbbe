/* Tools of kind uri: any handler of this same server, over loopback HTTP. */

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "internal.h"

#define DEFAULT_TIMEOUT apr_time_from_sec(60)
/* httpd takes no header much longer */
#define MAX_RESOURCE 4096
/* how often a call may end the process that answers it */
#define MAX_CUTS 5
#define CUT_PAUSE apr_time_from_msec(100)    /* the first, then longer ones */

typedef struct {
    const char *uri;
    apr_interval_time_t timeout;
} uri_conf_t;

typedef struct {
    mastra_tool_http_t http;         /* first: request.c knows it by this */
    mastra_timer_t patience;         /* while it waits in line, or pauses */
    int waiting, pausing;
    int cuts;
} uri_call_t;

static const char *uri_parse(void **pconf, const char **pfield,
                             const mastra_tool_t *tool, apr_pool_t *pool)
{
    const mastra_json_t *execute = mastra_json_get(tool->definition, "execute");
    uri_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));
    apr_int64_t ms = mastra_json_get_int(execute, "timeout", 0);

    conf->uri = mastra_json_get_str(execute, "uri");
    if (!conf->uri || conf->uri[0] != '/' || conf->uri[1] == '/') {
        *pfield = "execute.uri";
        return "not a path of this server that begins with \"/\"";
    }
    if (ms < 0 || ms > 3600000) {
        *pfield = "execute.timeout";
        return "not between 0 and 3600000 milliseconds";
    }
    conf->timeout = ms ? ms * 1000 : DEFAULT_TIMEOUT;
    *pconf = conf;
    return NULL;
}

/* Whose memory the run is about goes along, so that what the tool asks of this
 * server is about the same. */
static void add_resource(mastra_tool_call_t *call, apr_array_header_t *headers)
{
    mastra_buf_t buf;

    if (!call->args.resource_id) {
        return;
    }
    mastra_buf_init(&buf, 3 * strlen(call->args.resource_id) + 1);
    mastra_tool_escape(&buf, call->args.resource_id);
    if (buf.len && buf.len <= MAX_RESOURCE) {
        APR_ARRAY_PUSH(headers, const char *) =
            apr_pstrcat(call->pool, "X-Mastra-Internal-Resource: ", buf.data,
                        NULL);
    }
    mastra_buf_free(&buf);
}

static void add_internal(mastra_tool_call_t *call, apr_array_header_t *headers)
{
    APR_ARRAY_PUSH(headers, const char *) = "Content-Type: application/json";
    if (call->env->self_host) {
        APR_ARRAY_PUSH(headers, const char *) = call->env->self_host;
    }
    APR_ARRAY_PUSH(headers, const char *) =
        apr_pstrcat(call->pool, "X-Mastra-Internal-Secret: ",
                    call->env->self_secret, NULL);
    APR_ARRAY_PUSH(headers, const char *) =
        apr_psprintf(call->pool, "X-Mastra-Internal-Depth: %d",
                     call->args.depth + 1);
    add_resource(call, headers);
    mastra_tool_http_headers(call, headers);
    APR_ARRAY_PUSH(headers, const char *) = NULL;
}

static void next_in_line(mastra_tool_env_t *env);

/* The place that a call held goes to the next in line. */
static void uri_over(mastra_tool_call_t *call)
{
    call->env->self_calls--;
    next_in_line(call->env);
}

static int uri_cut(mastra_tool_call_t *call);

static apr_status_t uri_send(mastra_tool_call_t *call)
{
    const uri_conf_t *conf = call->tool->conf;
    uri_call_t *state = call->state;
    mastra_json_t *input = call->args.input;
    apr_array_header_t *headers = apr_array_make(call->pool, 12,
                                                 sizeof(const char *));
    mastra_request_t request = { .method = "POST", .trusted = 1 };
    apr_status_t rv;

    add_internal(call, headers);
    request.url = apr_pstrcat(call->pool, call->env->self_url, conf->uri, NULL);
    request.headers = (const char *const *)headers->elts;
    request.body = input ? mastra_json_text(input, call->pool) : "{}";
    request.body_len = strlen(request.body);
    request.first_byte_timeout = conf->timeout;
    request.total_timeout = conf->timeout;
    state->http.over = uri_over;
    state->http.cut = uri_cut;
    call->env->self_calls++;
    rv = mastra_tool_http_send(call, &state->http, &request);
    if (rv) {
        call->env->self_calls--;
    }
    return rv;
}

/* ---- the line ---- */

static void leave_line(mastra_tool_call_t *call)
{
    mastra_tool_env_t *env = call->env;
    mastra_tool_call_t **at = &env->self_waiting, *last = NULL;
    uri_call_t *state = call->state;

    while (*at && *at != call) {
        last = *at;
        at = &(*at)->next;
    }
    if (*at) {
        *at = call->next;
        if (env->self_waiting_tail == call) {
            env->self_waiting_tail = last;
        }
    }
    state->waiting = 0;
    mastra_loop_timer_stop(env->loop, &state->patience);
}

static void lose_patience(void *baton)
{
    mastra_tool_call_t *call = baton;

    leave_line(call);
    mastra_tool_finish(call, NULL,
                       mastra_result_make(call->pool, 503, "TOOL_BUSY",
                                          "this server is too busy for its own "
                                          "tools"));
}

static void send_or_fail(mastra_tool_call_t *call)
{
    apr_status_t rv = uri_send(call);

    if (rv) {
        mastra_tool_finish(call, NULL,
                           mastra_result_from_apr(call->pool, rv,
                                                  "call the tool"));
    }
}

static void next_in_line(mastra_tool_env_t *env)
{
    while (env->self_waiting && env->self_calls < env->max_self_calls) {
        mastra_tool_call_t *call = env->self_waiting;

        leave_line(call);
        send_or_fail(call);
    }
}

static void join_line(mastra_tool_call_t *call)
{
    mastra_tool_env_t *env = call->env;
    uri_call_t *state = call->state;

    state->waiting = 1;
    call->next = NULL;
    if (env->self_waiting) {
        env->self_waiting_tail->next = call;
    }
    else {
        env->self_waiting = call;
    }
    env->self_waiting_tail = call;
    mastra_loop_timer_set(env->loop, &state->patience,
                          ((const uri_conf_t *)call->tool->conf)->timeout,
                          lose_patience, call);
}

/* ---- processes that die ---- */

static void uri_again(void *baton)
{
    mastra_tool_call_t *call = baton;
    uri_call_t *state = call->state;

    state->pausing = 0;
    send_or_fail(call);
}

/* The child that answered has died, or the server is being restarted: with the
 * same key the call may be made again, as it would be if its run had died. */
static int uri_cut(mastra_tool_call_t *call)
{
    uri_call_t *state = call->state;

    if (!call->args.at_least_once || state->cuts >= MAX_CUTS) {
        return 0;
    }
    state->pausing = 1;
    mastra_loop_timer_set(call->env->loop, &state->patience,
                          CUT_PAUSE << state->cuts++, uri_again, call);
    return 1;
}

static apr_status_t uri_start(mastra_tool_call_t *call)
{
    call->state = apr_pcalloc(call->pool, sizeof(uri_call_t));
    /* a nested call does not wait in line: those in front may wait for it, and
     * its depth is bounded */
    if (call->env->self_calls >= call->env->max_self_calls
        && !call->args.depth) {
        join_line(call);
        return APR_SUCCESS;
    }
    return uri_send(call);
}

static void uri_cancel(mastra_tool_call_t *call)
{
    uri_call_t *state = call->state;

    if (state->pausing) {
        mastra_loop_timer_stop(call->env->loop, &state->patience);
        mastra_tool_finish(call, NULL, NULL);
        return;
    }
    if (state->waiting) {
        leave_line(call);
        mastra_tool_finish(call, NULL, NULL);
        return;
    }
    mastra_tool_http_cancel(call, &state->http);
}

const mastra_tool_kind_t mastra_tool_uri = { "uri", uri_parse, uri_start,
                                             uri_cancel };
