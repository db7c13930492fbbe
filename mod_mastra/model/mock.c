/* The mock model: answers without network on the loop's timers, a word a turn,
 * in the same events that a server's answer gives rise to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define WORD_SLOW apr_time_from_msec(400)
#define WHOLE_SLOW apr_time_from_msec(1500)
#define BODY_MAX (64 * 1024 * 1024)

/* One line of the script of an answer. */
typedef struct {
    mastra_model_event_e type;
    const char *text;
    apr_size_t len;
    int call;                /* of the plan's calls; -1: none */
    int slow;                /* 1: a pause before it when the answer is slow */
    int turn;                /* 1: the loop turns before it */
} line_t;

typedef struct {
    mastra_model_call_t base;
    mastra_loop_t *loop;
    const mastra_model_provider_t *provider;
    mastra_model_cbs_t cbs;
    mastra_outlet_t outlet;
    apr_pool_t *pool;
    mastra_timer_t timer;
    mastra_mock_plan_t *plan;
    const char *model_id;
    const char *id;              /* chatcmpl-mock-N */
    const char *ids[2];          /* of the calls */
    int stream;
    int gone;
    mastra_model_fail_e fail;
    const char *unsupported;
    apr_array_header_t *lines;   /* line_t */
    int next;
    apr_time_t created;
} mock_call_t;

static void turn_cb(void *baton);

/* ---- the script ---- */

static line_t *add(mock_call_t *call, mastra_model_event_e type, int of,
                   const char *text, apr_size_t len)
{
    line_t *line = apr_array_push(call->lines);

    memset(line, 0, sizeof(*line));
    line->type = type;
    line->call = of;
    line->text = text;
    line->len = len;
    line->turn = call->stream;
    return line;
}

static int is_space(const char *p)
{
    return *p == ' ' || (*p >= '\t' && *p <= '\r');
}

/* A word is what is not space and the space behind it; space at the very
 * beginning belongs to none. */
static void add_words(mock_call_t *call, mastra_model_event_e type,
                      const char *text, int slow)
{
    const char *begin, *p = text;

    if (!call->stream) {
        add(call, type, -1, text, strlen(text));
        return;
    }
    while (is_space(p)) {
        p++;
    }
    while (*p) {
        for (begin = p; *p && !is_space(p); p++) {
        }
        for (; is_space(p); p++) {
        }
        add(call, type, -1, apr_pstrmemdup(call->pool, begin, p - begin),
            p - begin)->slow = slow;
    }
}

/* Arguments come in two halves. */
static void add_call(mock_call_t *call, int i)
{
    const char *args = call->plan->calls[i].args;
    apr_size_t len = strlen(args), half = (len + 1) / 2;

    add(call, MASTRA_MODEL_TOOL_START, i, NULL, 0);
    while (half < len && ((unsigned char)args[half] & 0xc0) == 0x80) {
        half++;
    }
    add(call, MASTRA_MODEL_TOOL_DELTA, i,
        apr_pstrmemdup(call->pool, args, half), half);
    if (half < len) {
        add(call, MASTRA_MODEL_TOOL_DELTA, i, args + half, len - half);
    }
}

static void make_script(mock_call_t *call)
{
    const mastra_mock_plan_t *plan = call->plan;
    line_t *line = add(call, MASTRA_MODEL_RESPONSE, -1, NULL, 0);
    int i;

    line->slow = !call->stream;
    line->turn = 1;
    if (plan->reasoning) {
        add_words(call, MASTRA_MODEL_REASONING, plan->reasoning, 0);
    }
    if (plan->text) {
        add_words(call, MASTRA_MODEL_TEXT, plan->text, plan->ncalls == 0);
    }
    for (i = 0; i < plan->ncalls && call->stream; i++) {
        add_call(call, i);
    }
    for (i = 0; i < plan->ncalls; i++) {
        if (call->stream) {
            add(call, MASTRA_MODEL_TOOL_END, i, NULL, 0)->turn = i == 0;
        }
        add(call, MASTRA_MODEL_TOOL_CALL, i, NULL, 0)->turn = 0;
    }
    add(call, MASTRA_MODEL_FINISH, -1, NULL, 0)->turn = 0;
}

/* ---- what the events carry ---- */

static mastra_json_t *make_usage(void)
{
    mastra_json_t *raw = mastra_json_pack("{s:i, s:i, s:i}", "prompt_tokens",
                                          10, "completion_tokens", 5,
                                          "total_tokens", 15);
    mastra_json_t *usage = mastra_openai_usage(raw);

    mastra_json_unref(raw);
    return usage;
}

static mastra_json_t *make_response(const mock_call_t *call)
{
    char iso[MASTRA_ISO_LEN + 1];

    mastra_text_iso(iso, apr_time_from_sec(apr_time_sec(call->created)));
    return mastra_json_pack("{s:s, s:s, s:s, s:{}}", "id", call->id,
                            "timestamp", iso, "modelId", call->model_id,
                            "headers");
}

static const char *raw_reason(const mock_call_t *call)
{
    return call->plan->ncalls ? "tool_calls" : "stop";
}

/* The answer as a server would have sent it in one piece. */
static mastra_json_t *make_body(const mock_call_t *call)
{
    const mastra_mock_plan_t *plan = call->plan;
    mastra_json_t *message, *calls = NULL;
    int i;

    message = mastra_json_pack("{s:s, s:s?, s:s*}", "role", "assistant",
                               "content", plan->text, "reasoning_content",
                               plan->reasoning);
    for (i = 0; i < plan->ncalls; i++) {
        calls = calls ? calls : mastra_json_array();
        mastra_json_append(calls, mastra_json_pack(
            "{s:s, s:s, s:{s:s, s:s}}", "id", call->ids[i], "type", "function",
            "function", "name", plan->calls[i].name, "arguments",
            plan->calls[i].args));
    }
    if (calls) {
        mastra_json_set(message, "tool_calls", calls);
    }
    return mastra_json_pack(
        "{s:s, s:s, s:I, s:s, s:[{s:i, s:o, s:s}], s:{s:i, s:i, s:i}}", "id",
        call->id, "object", "chat.completion", "created",
        (apr_int64_t)apr_time_sec(call->created), "model", call->model_id,
        "choices", "index", 0, "message", message, "finish_reason",
        raw_reason(call), "usage", "prompt_tokens", 10, "completion_tokens", 5,
        "total_tokens", 15);
}

static void fill_call(mastra_model_event_t *event, const mock_call_t *call,
                      int i)
{
    const mastra_mock_call_t *planned = &call->plan->calls[i];

    event->id = call->ids[i];
    event->name = planned->name;
    if (event->type != MASTRA_MODEL_TOOL_CALL) {
        return;
    }
    if (mastra_json_parse(&event->json, planned->args, strlen(planned->args),
                          0, NULL)) {
        event->json = NULL;
        event->text = planned->args;
        event->len = strlen(planned->args);
    }
}

static void emit_line(mock_call_t *call, const line_t *line)
{
    mastra_model_event_t event = { .type = line->type, .text = line->text,
                                   .len = line->len };

    if (line->call >= 0) {
        fill_call(&event, call, line->call);
    }
    else if (line->type == MASTRA_MODEL_RESPONSE) {
        event.json = make_response(call);
    }
    else if (line->type == MASTRA_MODEL_FINISH) {
        event.reason = call->plan->ncalls ? "tool-calls" : "stop";
        event.raw_reason = raw_reason(call);
        event.json = make_usage();
        event.body = call->stream ? NULL : make_body(call);
    }
    mastra_outlet_emit(&call->outlet, &event);
    mastra_json_unref(event.json);
    mastra_json_unref(event.body);
}

/* ---- the call ---- */

static void free_call(mock_call_t *call)
{
    apr_pool_t *pool = call->pool;

    mastra_loop_timer_stop(call->loop, &call->timer);
    mastra_outlet_clear(&call->outlet);
    apr_pool_destroy(pool);
}

static void finish(mock_call_t *call)
{
    mastra_result_t *result = NULL;
    const char *cause = call->unsupported;

    if (call->fail != MASTRA_FAIL_NONE) {
        if (!cause && call->plan) {
            cause = apr_psprintf(call->pool, "model %s, mock failure %d",
                                 call->model_id, call->plan->fail);
        }
        result = mastra_model_fail_result(call->provider, call->fail, 0, cause,
                                          call->pool);
    }
    call->gone = 1;
    call->cbs.on_done(call->outlet.baton, result);
    free_call(call);
}

static void next_turn(mock_call_t *call)
{
    const line_t *line = call->next < call->lines->nelts
        ? &APR_ARRAY_IDX(call->lines, call->next, line_t) : NULL;
    apr_interval_time_t wait = 0;

    if (line && line->slow && call->plan->slow) {
        wait = call->stream ? WORD_SLOW : WHOLE_SLOW;
    }
    mastra_loop_timer_set(call->loop, &call->timer, wait, turn_cb, call);
}

/* Emits the next line and those that belong to the same turn. */
static void turn_cb(void *baton)
{
    mock_call_t *call = baton;

    mastra_outlet_drain(&call->outlet);
    while (!mastra_outlet_is_held(&call->outlet)) {
        if (call->next == call->lines->nelts) {
            finish(call);
            return;
        }
        emit_line(call, &APR_ARRAY_IDX(call->lines, call->next, line_t));
        call->next++;
        if (!mastra_outlet_is_held(&call->outlet)
            && call->next < call->lines->nelts
            && APR_ARRAY_IDX(call->lines, call->next, line_t).turn) {
            next_turn(call);
            return;
        }
    }
}

/* Writes down all that is said later: the request is gone then. */
static void begin(mock_call_t *call, const mastra_model_request_t *request)
{
    char random[13];
    apr_int64_t number;
    mastra_buf_t buf;
    line_t *line;
    int i;

    mastra_text_random_hex(random, 6);
    number = apr_strtoi64(random, NULL, 16);
    call->id = apr_psprintf(call->pool, "chatcmpl-mock-%" APR_INT64_T_FMT,
                            number);
    for (i = 0; i < 2; i++) {
        call->ids[i] = apr_psprintf(call->pool, "call_%" APR_INT64_T_FMT "_%d",
                                    number, i);
    }
    mastra_buf_init(&buf, BODY_MAX);
    call->fail = mastra_openai_body(&call->unsupported, &buf, call->provider,
                                    request);
    if (call->fail == MASTRA_FAIL_NONE) {
        line = add(call, MASTRA_MODEL_REQUEST, -1,
                   apr_pstrmemdup(call->pool, buf.data, buf.len), buf.len);
        line->turn = 0;
        call->plan = mastra_mock_plan(request, call->pool);
        if (call->plan->fail) {
            call->fail = mastra_model_fail_of(call->plan->fail, NULL);
        }
        else {
            make_script(call);
        }
    }
    mastra_buf_free(&buf);
}

static apr_status_t mock_start(mastra_model_call_t **pcall, mastra_loop_t *loop,
                               const mastra_model_provider_t *provider,
                               const mastra_model_request_t *request,
                               const mastra_model_cbs_t *cbs, void *baton)
{
    apr_pool_t *pool;
    mock_call_t *call;
    apr_status_t rv = apr_pool_create(&pool, NULL);

    if (rv) {
        return rv;
    }
    apr_pool_tag(pool, "mastra_mock_call");
    call = apr_pcalloc(pool, sizeof(*call));
    call->base.kind = &mastra_model_mock;
    call->loop = loop;
    call->provider = provider;
    call->cbs = *cbs;
    call->outlet.cbs = &call->cbs;
    call->outlet.baton = baton;
    call->pool = pool;
    call->model_id = apr_pstrdup(pool, request->model_id);
    call->stream = request->stream;
    call->created = mastra_loop_now(loop);
    call->lines = apr_array_make(pool, 16, sizeof(line_t));
    begin(call, request);
    mastra_loop_timer_set(loop, &call->timer, 0, turn_cb, call);
    *pcall = &call->base;
    return APR_SUCCESS;
}

static void mock_cancel(mastra_model_call_t *base)
{
    mock_call_t *call = (mock_call_t *)base;

    if (!call->gone) {
        free_call(call);
    }
}

static void mock_resume(mastra_model_call_t *base)
{
    mock_call_t *call = (mock_call_t *)base;

    if (mastra_outlet_resume(&call->outlet)) {
        next_turn(call);
    }
}

const mastra_model_kind_t mastra_model_mock = {
    "mock", NULL, NULL, NULL, mock_start, mock_cancel, mock_resume, NULL,
};
