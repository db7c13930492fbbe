/* Messages as runs remember them: their texts, and what models are shown of
 * them. What the last turn of a conversation read is kept for the next one, so
 * that only what has come meanwhile is parsed. A row is compared byte by byte
 * with what was kept of it: whoever else writes the table, nothing stale comes
 * back. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_hash.h>
#include <apr_ring.h>
#include <apr_strings.h>

#include "recalled.h"
#include "../base/pool.h"

#define IS_NULL ((apr_size_t)-1)
/* of the cache, for one conversation */
#define SHARE 16
/* messages that may have gone from among those of the last turn */
#define AHEAD 16
/* messages that may be added to those of a turn before the next one */
#define SPARE 4
/* of a text, beside the content */
#define RAW_HEAD 480
#define TEXT_LIMIT ((apr_size_t)256 * 1024 * 1024)
/* of the values of a prompt, beside their text */
#define PROMPT_WEIGHT 1024

struct mastra_recalled_t {
    apr_uint32_t refs;
    mastra_json_t *raw;              /* the message, as text */
    mastra_json_t *prompt;           /* array of prompt messages */
    mastra_json_t *shown;            /* loop: of model messages, raw, or NULL */
    mastra_json_t *chat;             /* loop: of the prompt, raw, or NULL */
    apr_size_t size;                 /* with all that hangs on it */
    apr_size_t len[MASTRA_MESSAGE_WIDTH];
    char row[];                      /* the columns, each ended by NUL */
};

/* What the last turn of a conversation remembered, the newest first. */
typedef struct window_t {
    APR_RING_ENTRY(window_t) link;
    const char *thread_id;           /* in the same memory */
    apr_size_t size;
    int n, room;
    mastra_recalled_t *list[];
} window_t;

APR_RING_HEAD(window_ring_t, window_t);

struct mastra_recall_cache_t {
    apr_pool_t *pool;                /* its own: any thread may add */
    pthread_mutex_t lock;
    apr_hash_t *windows;             /* by thread */
    struct window_ring_t ring;       /* the least recently used first */
    apr_size_t size, limit;
};

/* ---- one message ---- */

void mastra_recalled_unref(mastra_recalled_t *one)
{
    if (!apr_atomic_dec32(&one->refs)) {
        mastra_json_unref(one->raw);
        mastra_json_unref(one->prompt);
        mastra_json_unref(one->shown);
        mastra_json_unref(one->chat);
        free(one);
    }
}

static mastra_recalled_t *ref(mastra_recalled_t *one)
{
    apr_atomic_inc32(&one->refs);
    return one;
}

static int is_same(const mastra_recalled_t *one, const mastra_rows_t *rows,
                   int row)
{
    const char *have = one->row, *text;
    int i;

    for (i = 0; i < MASTRA_MESSAGE_WIDTH; i++) {
        text = mastra_rows_text(rows, row, i);
        if (!text || one->len[i] == IS_NULL) {
            if (text || one->len[i] != IS_NULL) {
                return 0;
            }
            continue;
        }
        if (strcmp(text, have)) {
            return 0;
        }
        have += one->len[i] + 1;
    }
    return 1;
}

static mastra_recalled_t *copy_row(const char *const *columns)
{
    apr_size_t len[MASTRA_MESSAGE_WIDTH], size = 0;
    mastra_recalled_t *one;
    char *end;
    int i;

    for (i = 0; i < MASTRA_MESSAGE_WIDTH; i++) {
        len[i] = columns[i] ? strlen(columns[i]) : IS_NULL;
        size += columns[i] ? len[i] + 1 : 0;
    }
    one = calloc(1, sizeof(*one) + size);
    if (!one) {
        abort();
    }
    memcpy(one->len, len, sizeof(len));
    one->size = sizeof(*one) + size;
    for (end = one->row, i = 0; i < MASTRA_MESSAGE_WIDTH; i++) {
        if (len[i] != IS_NULL) {
            memcpy(end, columns[i], len[i] + 1);
            end += len[i] + 1;
        }
    }
    return one;
}

static mastra_json_t *prompt_of(mastra_json_t *message)
{
    mastra_json_t *prompt = mastra_json_array(), *only = mastra_json_array();

    mastra_json_append(only, mastra_json_ref(message));
    mastra_message_to_prompt(prompt, only);
    mastra_json_unref(only);
    return prompt;
}

/* Takes over raw and prompt. */
static mastra_recalled_t *make_of(const char *const *columns,
                                  mastra_json_t *raw, mastra_json_t *prompt)
{
    mastra_recalled_t *one = copy_row(columns);

    one->refs = 1;
    one->raw = raw;
    one->prompt = prompt;
    /* text and prompt, and what is made of them once it is asked for */
    one->size += PROMPT_WEIGHT + 4 * mastra_json_len(one->raw);
    return one;
}

static mastra_recalled_t *make(const mastra_rows_t *rows, int row)
{
    const char *columns[MASTRA_MESSAGE_WIDTH];
    mastra_json_t *message = mastra_message_json(rows, row);
    mastra_recalled_t *one;
    int i;

    for (i = 0; i < MASTRA_MESSAGE_WIDTH; i++) {
        columns[i] = mastra_rows_text(rows, row, i);
    }
    one = make_of(columns, mastra_json_raw(message), prompt_of(message));
    mastra_json_unref(message);
    return one;
}

/* ---- a message that was just stored ---- */

/* Values of the run's own documents may be shared when they are strings: these
 * never change. */
static int has_texts_alone(const mastra_json_t *object)
{
    void *i = mastra_json_iter(object);

    for (; i; i = mastra_json_next(object, i)) {
        if (!mastra_json_is_string(mastra_json_value(i))
            || mastra_json_is_raw(mastra_json_value(i))) {
            return 0;
        }
    }
    return 1;
}

static int is_plain(const mastra_json_t *prompt)
{
    const mastra_json_t *message = mastra_json_at(prompt, 0);
    const mastra_json_t *content = mastra_json_get(message, "content");
    apr_size_t i;

    if (mastra_json_size(prompt) != 1 || mastra_json_size(message) != 2
        || !mastra_json_size(content)) {
        return 0;
    }
    for (i = 0; i < mastra_json_size(content); i++) {
        if (!has_texts_alone(mastra_json_at(content, i))) {
            return 0;
        }
    }
    return 1;
}

/* The text of mastra_message_json, without the values: what the row has for
 * content was written by this server. */
static mastra_json_t *raw_of(const char *const *columns)
{
    static const struct {
        const char *before;
        int column;
    } members[] = {
        { "{\"id\":", MASTRA_MESSAGE_ID },
        { ",\"content\":", MASTRA_MESSAGE_CONTENT },
        { ",\"role\":", MASTRA_MESSAGE_ROLE },
        { ",\"createdAt\":", MASTRA_MESSAGE_CREATED },
        { ",\"threadId\":", MASTRA_MESSAGE_THREAD },
        { ",\"resourceId\":", MASTRA_MESSAGE_RESOURCE }
    };
    mastra_json_t *raw = NULL;
    apr_status_t rv = APR_SUCCESS;
    mastra_buf_t buf;
    apr_size_t i;

    mastra_buf_init(&buf, TEXT_LIMIT);
    mastra_buf_reserve(&buf, strlen(columns[MASTRA_MESSAGE_CONTENT])
                             + RAW_HEAD);
    for (i = 0; i < sizeof(members) / sizeof(members[0]) && !rv; i++) {
        const char *text = columns[members[i].column];

        if (text) {
            rv = mastra_buf_puts(&buf, members[i].before);
            rv = rv ? rv
                    : members[i].column == MASTRA_MESSAGE_CONTENT
                          ? mastra_buf_puts(&buf, text)
                          : mastra_buf_json_string(&buf, text, strlen(text));
        }
    }
    if (!rv && !mastra_buf_puts(&buf, "}")) {
        raw = mastra_json_raw_text(buf.data, buf.len);
    }
    mastra_buf_free(&buf);
    return raw;
}

/* NULL for what is better read. */
static mastra_recalled_t *make_saved(mastra_json_t *message,
                                     const char *const *columns)
{
    const char *role = columns[MASTRA_MESSAGE_ROLE];
    mastra_json_t *prompt, *raw;

    if ((strcmp(role, "user") && strcmp(role, "assistant"))
        || strcmp(columns[MASTRA_MESSAGE_TYPE], "v2")
        || !mastra_json_is_object(mastra_json_get(message, "content"))) {
        return NULL;
    }
    prompt = prompt_of(message);
    raw = is_plain(prompt) ? raw_of(columns) : NULL;
    if (!raw) {
        mastra_json_unref(prompt);
        return NULL;
    }
    return make_of(columns, raw, prompt);
}

mastra_json_t *mastra_recalled_raw(const mastra_recalled_t *one)
{
    return one->raw;
}

const char *mastra_recalled_column(const mastra_recalled_t *one, int column)
{
    const char *text = one->row;
    int i;

    for (i = 0; i < column; i++) {
        text += one->len[i] == IS_NULL ? 0 : one->len[i] + 1;
    }
    return one->len[column] == IS_NULL ? NULL : text;
}

/* Loop. */
static void to_model(mastra_json_t *made, mastra_recalled_t *one)
{
    mastra_json_t *model, *only;
    apr_size_t i;

    if (!one->shown) {
        model = mastra_json_array();
        only = mastra_json_array();
        mastra_json_append(only, mastra_json_raw_open(one->raw));
        mastra_message_to_model(model, only);
        one->shown = mastra_json_array();
        for (i = 0; i < mastra_json_size(model); i++) {
            mastra_json_append(one->shown,
                               mastra_json_raw(mastra_json_at(model, i)));
        }
        mastra_json_unref(only);
        mastra_json_unref(model);
    }
    mastra_json_extend(made, one->shown);
}

/* ---- windows ---- */

static void free_window(window_t *window)
{
    int i;

    for (i = 0; i < window->n; i++) {
        mastra_recalled_unref(window->list[i]);
    }
    free(window);
}

static window_t *make_window(const char *thread_id, int n)
{
    int room = n + SPARE;
    apr_size_t head = sizeof(window_t) + sizeof(mastra_recalled_t *) * room;
    apr_size_t len = strlen(thread_id) + 1;
    window_t *window = calloc(1, head + len);

    if (!window) {
        abort();
    }
    window->thread_id = memcpy((char *)window + head, thread_id, len);
    window->size = head + len;
    window->room = room;
    return window;
}

static void add(window_t *window, mastra_recalled_t *one)
{
    window->list[window->n++] = one;
    window->size += one->size;
}

/* Takes it out of the cache. Under the lock. */
static void leave(mastra_recall_cache_t *cache, window_t *window)
{
    apr_hash_set(cache->windows, window->thread_id, APR_HASH_KEY_STRING, NULL);
    APR_RING_REMOVE(window, link);
    cache->size -= window->size;
}

static window_t *take_window(mastra_recall_cache_t *cache,
                             const char *thread_id)
{
    window_t *window;

    if (!cache) {
        return NULL;
    }
    pthread_mutex_lock(&cache->lock);
    window = apr_hash_get(cache->windows, thread_id, APR_HASH_KEY_STRING);
    if (window) {
        leave(cache, window);
    }
    pthread_mutex_unlock(&cache->lock);
    return window;
}

/* What has to go for it is put into left. */
static void enter(mastra_recall_cache_t *cache, window_t *window,
                  struct window_ring_t *left)
{
    window_t *other;

    pthread_mutex_lock(&cache->lock);
    other = apr_hash_get(cache->windows, window->thread_id,
                         APR_HASH_KEY_STRING);
    if (other) {
        leave(cache, other);
        APR_RING_INSERT_TAIL(left, other, window_t, link);
    }
    apr_hash_set(cache->windows, window->thread_id, APR_HASH_KEY_STRING,
                 window);
    APR_RING_INSERT_TAIL(&cache->ring, window, window_t, link);
    cache->size += window->size;
    while (cache->size > cache->limit) {
        other = APR_RING_FIRST(&cache->ring);
        leave(cache, other);
        APR_RING_INSERT_TAIL(left, other, window_t, link);
    }
    pthread_mutex_unlock(&cache->lock);
}

static void free_ring(struct window_ring_t *ring)
{
    window_t *window;

    while (!APR_RING_EMPTY(ring, window_t, link)) {
        window = APR_RING_FIRST(ring);
        APR_RING_REMOVE(window, link);
        free_window(window);
    }
}

static void put_window(mastra_recall_cache_t *cache, window_t *window)
{
    struct window_ring_t left;

    if (!cache || window->size > cache->limit / SHARE) {
        free_window(window);
        return;
    }
    APR_RING_INIT(&left, window_t, link);
    enter(cache, window, &left);
    free_ring(&left);
}

/* The message of a row, from what the last turn knew from *pat on: both are in
 * the same order, and few messages are deleted between two turns. */
static mastra_recalled_t *find(const window_t *before, int *pat,
                               const mastra_rows_t *rows, int row)
{
    int i;

    for (i = *pat; before && i < before->n && i < *pat + AHEAD; i++) {
        if (is_same(before->list[i], rows, row)) {
            *pat = i + 1;
            return ref(before->list[i]);
        }
    }
    return make(rows, row);
}

int mastra_recall(mastra_recalled_t ***plist, mastra_recall_cache_t *cache,
                  const char *thread_id, const mastra_rows_t *rows,
                  apr_pool_t *pool)
{
    int n = mastra_rows_count(rows), i, at = 0;
    mastra_recalled_t **list = apr_palloc(pool, sizeof(*list) * (n + 1));
    window_t *before = take_window(cache, thread_id);
    window_t *now = make_window(thread_id, n);

    for (i = 0; i < n; i++) {
        add(now, find(before, &at, rows, i));
        list[n - 1 - i] = ref(now->list[i]);
    }
    if (before) {
        free_window(before);
    }
    put_window(cache, now);
    *plist = list;
    return n;
}

void mastra_recall_saved(void *baton, mastra_json_t *message,
                         const char *const *columns)
{
    mastra_recall_cache_t *cache = baton;
    window_t *window = take_window(cache, columns[MASTRA_MESSAGE_THREAD]);
    mastra_recalled_t *one;

    if (!window) {
        return;
    }
    one = window->n < window->room ? make_saved(message, columns) : NULL;
    if (one) {
        memmove(window->list + 1, window->list,
                sizeof(window->list[0]) * window->n);
        window->list[0] = one;
        window->n++;
        window->size += one->size;
    }
    put_window(cache, window);
}

/* ---- of a run ---- */

mastra_json_t *mastra_run_remembered(const mastra_agent_run_t *run)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(run->remembered); i++) {
        mastra_json_append(made, mastra_json_raw_open(
                                     mastra_json_at(run->remembered, i)));
    }
    return made;
}

void mastra_run_remembered_prompt(mastra_agent_run_t *run,
                                  mastra_json_t *prompt)
{
    int i;

    if (!run->recalled) {
        mastra_message_to_prompt(prompt, run->remembered);
    }
    for (i = 0; i < run->nrecalled; i++) {
        mastra_message_join_prompt(prompt, run->recalled[i]->prompt);
    }
}

void mastra_run_keeps(mastra_model_request_t *request,
                      mastra_agent_run_t *run)
{
    mastra_model_kept_t *kept;
    mastra_recalled_t *one;
    int i;

    if (!run->nrecalled) {
        return;
    }
    kept = apr_palloc(run->step.pool, sizeof(*kept) * run->nrecalled);
    request->kept = kept;
    for (i = 0; i < run->nrecalled; i++) {
        one = run->recalled[i];
        /* results of tools are messages of their own */
        if (mastra_json_size(one->prompt) == 1) {
            kept[request->nkept].message = mastra_json_at(one->prompt, 0);
            kept[request->nkept++].chat = &one->chat;
        }
    }
}

void mastra_run_remembered_model(mastra_agent_run_t *run, mastra_json_t *made)
{
    int i;

    if (!run->recalled) {
        mastra_message_to_model(made, run->remembered);
    }
    for (i = 0; i < run->nrecalled; i++) {
        to_model(made, run->recalled[i]);
    }
}

void mastra_run_forget(mastra_agent_run_t *run)
{
    int i;

    for (i = 0; i < run->nrecalled; i++) {
        mastra_recalled_unref(run->recalled[i]);
    }
    run->recalled = NULL;
    run->nrecalled = 0;
    mastra_json_unref(run->remembered);
    run->remembered = NULL;
}

/* ---- the cache ---- */

static apr_status_t cache_cleanup(void *baton)
{
    mastra_recall_cache_t *cache = baton;

    free_ring(&cache->ring);
    pthread_mutex_destroy(&cache->lock);
    apr_pool_destroy(cache->pool);
    return APR_SUCCESS;
}

mastra_recall_cache_t *mastra_recall_cache_make(apr_size_t limit,
                                                apr_pool_t *pool)
{
    mastra_recall_cache_t *cache;
    apr_pool_t *own;

    if (mastra_pool_make(&own, "mastra_recalled")) {
        return NULL;
    }
    cache = apr_pcalloc(own, sizeof(*cache));
    cache->pool = own;
    cache->windows = apr_hash_make(own);
    cache->limit = limit;
    APR_RING_INIT(&cache->ring, window_t, link);
    pthread_mutex_init(&cache->lock, NULL);
    apr_pool_cleanup_register(pool, cache, cache_cleanup,
                              apr_pool_cleanup_null);
    return cache;
}
