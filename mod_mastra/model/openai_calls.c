/* Tool calls of a chat completions answer, put together from the pieces in
 * which servers send them: by index, by id, whole at once, or without either. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define MAX_CALLS 128
#define MAX_ARGS (4 * 1024 * 1024)
#define MAX_PARSED (16 * 1024)   /* of arguments that are parsed more than once */

typedef struct {
    apr_int64_t index;       /* -1: none was given */
    const char *wire_id;     /* as the upstream calls it, or NULL */
    const char *id;          /* as we call it; NULL until it is started */
    const char *name;        /* NULL until it is known */
    mastra_buf_t args;
} call_t;

struct mastra_calls_t {
    apr_pool_t *pool;
    mastra_outlet_t *outlet;
    call_t *list[MAX_CALLS];
    apr_size_t count;
    apr_size_t bytes;        /* of arguments, of all calls */
    int stream;
};

static apr_status_t free_args(void *baton)
{
    mastra_buf_free(baton);
    return APR_SUCCESS;
}

mastra_calls_t *mastra_calls_make(mastra_outlet_t *outlet, int stream)
{
    mastra_calls_t *calls;
    apr_pool_t *pool;

    if (apr_pool_create(&pool, NULL)) {
        return NULL;
    }
    apr_pool_tag(pool, "mastra_openai_calls");
    calls = apr_pcalloc(pool, sizeof(*calls));
    calls->pool = pool;
    calls->outlet = outlet;
    calls->stream = stream;
    return calls;
}

void mastra_calls_free(mastra_calls_t *calls)
{
    if (calls) {
        apr_pool_destroy(calls->pool);
    }
}

apr_size_t mastra_calls_count(const mastra_calls_t *calls)
{
    return calls ? calls->count : 0;
}

/* NULL for what is blank: some servers repeat empty names and ids. */
static const char *word_of(const mastra_json_t *object, const char *key)
{
    const char *text = mastra_json_get_str(object, key);

    return text && text[strspn(text, " \t\r\n")] ? text : NULL;
}

static call_t *find_index(const mastra_calls_t *calls, apr_int64_t index)
{
    apr_size_t i;

    for (i = calls->count; i > 0; i--) {
        if (calls->list[i - 1]->index == index) {
            return calls->list[i - 1];
        }
    }
    return NULL;
}

static call_t *find_id(const mastra_calls_t *calls, const char *id)
{
    apr_size_t i;

    for (i = calls->count; i > 0; i--) {
        const char *wire_id = calls->list[i - 1]->wire_id;

        if (wire_id && strcmp(wire_id, id) == 0) {
            return calls->list[i - 1];
        }
    }
    return NULL;
}

static int is_complete(const mastra_buf_t *args)
{
    mastra_json_t *json = NULL;

    if (args->len == 0 || args->len > MAX_PARSED) {
        return 0;
    }
    if (mastra_json_parse(&json, args->data, args->len, 0, NULL)) {
        return 0;
    }
    mastra_json_unref(json);
    return 1;
}

/* Some servers give every call the index 0. A second name is a second call
 * when its id is another one, or when the first call needs nothing more. */
static int begins_another(const call_t *call, const char *id,
                          const char *name, const char *args)
{
    if (!name || !call->name) {
        return 0;
    }
    if (id && call->wire_id && strcmp(id, call->wire_id) != 0) {
        return 1;
    }
    return args && *args == '{' && is_complete(&call->args);
}

/* The call that a piece belongs to, NULL: a new one. */
static call_t *resolve(const mastra_calls_t *calls, apr_int64_t index,
                       const char *id, const char *name, const char *args)
{
    call_t *call;

    if (index >= 0) {
        call = find_index(calls, index);
        return call && begins_another(call, id, name, args) ? NULL : call;
    }
    if (id) {
        call = find_id(calls, id);
        if (call || name) {
            return call;
        }
    }
    if (name || calls->count == 0) {
        return NULL;
    }
    return calls->list[calls->count - 1];
}

static call_t *add_call(mastra_calls_t *calls, apr_int64_t index)
{
    call_t *call = apr_pcalloc(calls->pool, sizeof(*call));

    call->index = index;
    mastra_buf_init(&call->args, MAX_ARGS);
    apr_pool_cleanup_register(calls->pool, &call->args, free_args,
                              apr_pool_cleanup_null);
    calls->list[calls->count++] = call;
    return call;
}

static void emit(const mastra_calls_t *calls, const call_t *call,
                 mastra_model_event_e type, const char *text, apr_size_t len)
{
    mastra_model_event_t event = { .type = type, .text = text, .len = len,
                                   .id = call->id, .name = call->name };

    mastra_outlet_emit(calls->outlet, &event);
}

/* The upstream's id, or one of ours when it gave none or gave it twice. */
static const char *make_id(const mastra_calls_t *calls, const call_t *call)
{
    char random[25];
    apr_size_t i;
    int taken = !call->wire_id;

    for (i = 0; i < calls->count && !taken; i++) {
        const call_t *other = calls->list[i];

        taken = other != call && other->id
            && strcmp(other->id, call->wire_id) == 0;
    }
    if (!taken) {
        return call->wire_id;
    }
    mastra_text_random_hex(random, 12);
    return apr_pstrcat(calls->pool, "call_", random, NULL);
}

/* With its name a call begins; what came before the name follows it. */
static void start(mastra_calls_t *calls, call_t *call, const char *name)
{
    call->name = apr_pstrdup(calls->pool, name);
    call->id = make_id(calls, call);
    if (!calls->stream) {
        return;
    }
    emit(calls, call, MASTRA_MODEL_TOOL_START, NULL, 0);
    if (call->args.len) {
        emit(calls, call, MASTRA_MODEL_TOOL_DELTA, call->args.data,
             call->args.len);
    }
}

static mastra_model_fail_e add_args(mastra_calls_t *calls, call_t *call,
                                    const mastra_json_t *json)
{
    apr_size_t len = mastra_json_len(json);

    if (len == 0) {
        return MASTRA_FAIL_NONE;
    }
    calls->bytes += len;
    if (calls->bytes > MAX_ARGS
        || mastra_buf_add(&call->args, mastra_json_str(json), len)) {
        return MASTRA_FAIL_ANSWER_SIZE;
    }
    if (calls->stream && call->name) {
        emit(calls, call, MASTRA_MODEL_TOOL_DELTA, mastra_json_str(json), len);
    }
    return MASTRA_FAIL_NONE;
}

/* Servers of other makes send the arguments as an object. */
static mastra_model_fail_e add_object(mastra_calls_t *calls, call_t *call,
                                      const mastra_json_t *json)
{
    apr_size_t before = call->args.len;

    if (mastra_json_write(&call->args, json)) {
        return MASTRA_FAIL_ANSWER_SIZE;
    }
    calls->bytes += call->args.len - before;
    if (calls->bytes > MAX_ARGS) {
        return MASTRA_FAIL_ANSWER_SIZE;
    }
    if (calls->stream && call->name) {
        emit(calls, call, MASTRA_MODEL_TOOL_DELTA, call->args.data + before,
             call->args.len - before);
    }
    return MASTRA_FAIL_NONE;
}

static mastra_model_fail_e add_piece(mastra_calls_t *calls,
                                     const mastra_json_t *delta)
{
    const mastra_json_t *function = mastra_json_get(delta, "function");
    const mastra_json_t *args = mastra_json_get(function, "arguments");
    const char *id = word_of(delta, "id");
    const char *name = word_of(function, "name");
    apr_int64_t index = mastra_json_get_int(delta, "index", -1);
    call_t *call;

    call = resolve(calls, index, id, name, mastra_json_str(args));
    if (!call && calls->count == MAX_CALLS) {
        return MASTRA_FAIL_ANSWER_SIZE;
    }
    if (!call) {
        call = add_call(calls, index);
    }
    if (id && !call->wire_id) {
        call->wire_id = apr_pstrdup(calls->pool, id);
    }
    if (name && !call->name) {
        start(calls, call, name);
    }
    return mastra_json_is_object(args) ? add_object(calls, call, args)
                                       : add_args(calls, call, args);
}

mastra_model_fail_e mastra_calls_add(mastra_calls_t *calls,
                                     const mastra_json_t *deltas)
{
    apr_size_t i, n = mastra_json_size(deltas);
    mastra_model_fail_e fail = MASTRA_FAIL_NONE;

    for (i = 0; i < n && fail == MASTRA_FAIL_NONE; i++) {
        fail = add_piece(calls, mastra_json_at(deltas, i));
    }
    return fail;
}

static void finish(const mastra_calls_t *calls, const call_t *call)
{
    mastra_model_event_t event = { .type = MASTRA_MODEL_TOOL_CALL,
                                   .id = call->id, .name = call->name };
    const char *text = call->args.len ? call->args.data : "";
    mastra_json_t *json = NULL;

    if (text[strspn(text, " \t\r\n")] == '\0') {
        json = mastra_json_object();
    }
    else if (mastra_json_parse(&json, text, call->args.len, 0, NULL)
             || !mastra_json_is_object(json)) {
        mastra_json_unref(json);
        json = NULL;
    }
    if (calls->stream) {
        emit(calls, call, MASTRA_MODEL_TOOL_END, NULL, 0);
    }
    event.json = json;
    if (!json) {
        event.text = text;
        event.len = call->args.len;
    }
    mastra_outlet_emit(calls->outlet, &event);
    mastra_json_unref(json);
}

static int by_index(const void *a, const void *b)
{
    const call_t *const *one = a, *const *two = b;

    return (*one)->index < (*two)->index ? -1 : (*one)->index > (*two)->index;
}

/* By index when all have one that is theirs alone; else as they began. */
static void sort_calls(mastra_calls_t *calls)
{
    apr_size_t i, k;

    for (i = 0; i < calls->count; i++) {
        for (k = 0; k < i; k++) {
            if (calls->list[i]->index < 0
                || calls->list[i]->index == calls->list[k]->index) {
                return;
            }
        }
    }
    qsort(calls->list, calls->count, sizeof(calls->list[0]), by_index);
}

mastra_model_fail_e mastra_calls_end(mastra_calls_t *calls)
{
    apr_size_t i;

    for (i = 0; i < calls->count; i++) {
        if (!calls->list[i]->name) {
            return MASTRA_FAIL_ANSWER;
        }
    }
    sort_calls(calls);
    for (i = 0; i < calls->count; i++) {
        finish(calls, calls->list[i]);
    }
    return MASTRA_FAIL_NONE;
}
