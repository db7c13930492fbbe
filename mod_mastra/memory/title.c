/* Titles of threads: a model call of its own, after the first answer. */

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "../base/log.h"
#include "memory.h"

#define RUNNING_MAX 16                   /* tasks per child */
#define PATIENCE apr_time_from_sec(60)   /* for the whole call */
#define TRANSCRIPT_LIMIT (32 * 1024)     /* bytes shown to the model */
#define ANSWER_LIMIT (16 * 1024)         /* bytes read from it */
#define TITLE_LIMIT 240                  /* bytes of a title */

struct mastra_title_t {
    apr_pool_t *pool;                /* its own */
    mastra_loop_t *loop;
    mastra_store_t *store;
    int *running;
    mastra_title_done_cb *done;
    void *baton;
    const char *thread_id;
    const char *title;               /* NULL: none yet */
    mastra_buf_t answer;
    mastra_model_call_t *call;
    mastra_timer_t timer;
    mastra_store_job_t job;
    mastra_msg_t msg;
    apr_status_t rv;
    int set;                         /* the thread has it now */
};

int mastra_title_due(const mastra_titles_t *titles, apr_size_t messages)
{
    return titles && messages > 0 && messages >= (apr_size_t)titles->min_messages;
}

/* ---- what the model is shown ---- */

static int add_line(mastra_buf_t *buf, const mastra_json_t *message,
                    apr_pool_t *pool)
{
    const char *role = mastra_json_get_str(message, "role");
    const char *text = mastra_memory_text(message, pool);
    int user = role && !strcmp(role, "user");

    if (!*text || (!user && (!role || strcmp(role, "assistant")))) {
        return 1;
    }
    mastra_buf_puts(buf, buf->len ? "\n" : "");
    return mastra_buf_puts(buf, user ? "User: " : "Assistant: ") == APR_SUCCESS
           && mastra_buf_puts(buf, text) == APR_SUCCESS;
}

/* Whole messages from the first on, as many as there is room for; of one that
 * is too long by itself, its beginning. */
static mastra_json_t *transcript(const mastra_json_t *messages,
                                 apr_pool_t *pool)
{
    mastra_json_t *made;
    mastra_buf_t buf;
    apr_size_t i, len;
    const char *text;

    mastra_buf_init(&buf, TRANSCRIPT_LIMIT);
    for (i = 0; i < mastra_json_size(messages); i++) {
        if (!add_line(&buf, mastra_json_at(messages, i), pool)) {
            text = mastra_memory_text(mastra_json_at(messages, i), pool);
            len = strlen(text);
            if (buf.len < TRANSCRIPT_LIMIT / 2) {
                mastra_buf_add(&buf, text, len < TRANSCRIPT_LIMIT / 2
                                               ? len : TRANSCRIPT_LIMIT / 2);
            }
            break;
        }
    }
    made = mastra_json_stringn(buf.data ? buf.data : "", buf.len);
    mastra_buf_free(&buf);
    return made;
}

static mastra_json_t *make_prompt(const mastra_title_args_t *args,
                                  apr_pool_t *pool)
{
    return mastra_json_pack(
        "[{s:s, s:s}, {s:s, s:[{s:s, s:o}]}]", "role", "system", "content",
        args->titles->instructions, "role", "user", "content", "type", "text",
        "text", transcript(args->messages, pool));
}

/* ---- what becomes of the answer ---- */

static int is_quote(char c)
{
    return c == '"' || c == '\'';
}

/* One line without quotation marks around it, cut at a character's end. */
static const char *cleaned(const char *text, apr_size_t len, apr_pool_t *pool)
{
    char *title, *at;

    while (len && (apr_isspace(*text) || is_quote(*text))) {
        text++;
        len--;
    }
    len = len > TITLE_LIMIT ? TITLE_LIMIT : len;
    len = mastra_text_utf8_valid(text, len);
    while (len && (apr_isspace(text[len - 1]) || is_quote(text[len - 1]))) {
        len--;
    }
    title = apr_pstrmemdup(pool, text, len);
    for (at = title; *at; at++) {
        if (apr_iscntrl(*at)) {
            *at = ' ';
        }
    }
    return *title ? title : NULL;
}

/* Models that think aloud put that first. */
static const char *behind_thoughts(const char *text)
{
    const char *end = strstr(text, "</think>");

    return end ? end + strlen("</think>") : text;
}

static void free_task(mastra_title_t *task)
{
    mastra_buf_free(&task->answer);
    apr_pool_destroy(task->pool);
}

static void over(void *baton)
{
    mastra_title_t *task = baton;

    --*task->running;
    mastra_loop_timer_stop(task->loop, &task->timer);
    if (task->rv) {
        mastra_log(MASTRA_LOG_WARNING, task->rv, MASTRA_ID(3100)
                   "thread %s: its title could not be stored",
                   task->thread_id);
    }
    if (task->done) {
        task->done(task->baton, task->set ? task->title : NULL);
    }
    free_task(task);
}

static apr_status_t store_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_title_t *task = baton;

    return mastra_threads_title(&task->set, db, task->thread_id, task->title,
                                pool);
}

static void stored(void *baton, apr_status_t rv)
{
    mastra_title_t *task = baton;

    task->rv = rv;
    task->msg.cb = over;
    task->msg.baton = task;
    mastra_loop_post(task->loop, &task->msg);
}

static void store_title(mastra_title_t *task)
{
    apr_status_t rv;

    task->job.mode = MASTRA_STORE_WRITE;
    task->job.run = store_run;
    task->job.done = stored;
    task->job.baton = task;
    rv = mastra_store_submit(task->store, &task->job);
    if (rv) {
        task->rv = rv;
        over(task);
    }
}

/* ---- the call ---- */

static int on_event(void *baton, const mastra_model_event_t *event)
{
    mastra_title_t *task = baton;

    if (event->type == MASTRA_MODEL_TEXT) {
        /* what is beyond the ceiling is not needed */
        mastra_buf_add(&task->answer, event->text, event->len);
    }
    return 1;
}

static void on_done(void *baton, const mastra_result_t *error)
{
    mastra_title_t *task = baton;
    const char *text;

    task->call = NULL;
    if (error) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3101) "thread %s: no title "
                   "was made: %s%s%s", task->thread_id, error->message,
                   error->cause ? ": " : "", error->cause ? error->cause : "");
        over(task);
        return;
    }
    if (task->answer.len) {
        text = behind_thoughts(task->answer.data);
        task->title = cleaned(text,
                              task->answer.len - (text - task->answer.data),
                              task->pool);
    }
    if (!task->title) {
        over(task);
        return;
    }
    store_title(task);
}

static void too_late(void *baton)
{
    mastra_title_t *task = baton;

    if (task->call) {
        mastra_model_cancel(task->call);
        task->call = NULL;
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3102) "thread %s: no title "
                   "was made: the model took too long", task->thread_id);
        over(task);
    }
}

static const mastra_model_cbs_t model_cbs = { on_event, on_done };

static mastra_title_t *make_task(const mastra_title_args_t *args)
{
    apr_allocator_t *allocator;
    mastra_title_t *task;
    apr_pool_t *pool;

    if (apr_allocator_create(&allocator)) {
        return NULL;
    }
    if (apr_pool_create_ex(&pool, NULL, NULL, allocator)) {
        apr_allocator_destroy(allocator);
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    apr_pool_tag(pool, "mastra_title");
    task = apr_pcalloc(pool, sizeof(*task));
    task->pool = pool;
    task->loop = args->loop;
    task->store = args->store;
    task->running = args->running;
    task->thread_id = apr_pstrdup(pool, args->thread_id);
    mastra_buf_init(&task->answer, ANSWER_LIMIT);
    return task;
}

apr_status_t mastra_title_start(const mastra_title_args_t *args,
                                mastra_title_done_cb *done, void *baton)
{
    const mastra_titles_t *titles = args->titles;
    mastra_model_request_t request = { .stream = 0 };
    mastra_title_t *task;
    apr_status_t rv;

    if (*args->running >= RUNNING_MAX) {
        return APR_EAGAIN;
    }
    task = make_task(args);
    if (!task) {
        return APR_ENOMEM;
    }
    task->done = done;
    task->baton = baton;
    request.model_id = titles->provider ? titles->model_id : args->model_id;
    request.prompt = make_prompt(args, task->pool);
    rv = mastra_model_start(&task->call, task->loop,
                            titles->provider ? titles->provider
                                             : args->provider,
                            &request, &model_cbs, task);
    mastra_json_unref(request.prompt);
    if (rv) {
        free_task(task);
        return rv;
    }
    ++*task->running;
    mastra_loop_timer_set(task->loop, &task->timer, PATIENCE, too_late, task);
    return APR_SUCCESS;
}
