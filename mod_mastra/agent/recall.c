/* A run's storage work: history and question in, answer out, in store jobs. */

#include <string.h>

#include <apr_strings.h>

#include "last_words.h"
#include "recalled.h"
#include "signal.h"

/* ---- store thread: the run is the job's alone until done is posted ---- */

static mastra_json_t *new_thread(mastra_agent_run_t *run, apr_pool_t *pool)
{
    const mastra_json_t *asked = mastra_json_path(run->options, "memory",
                                                  "thread", NULL);
    const char *title = mastra_json_get_str(asked, "title");
    mastra_json_t *metadata = mastra_json_get(asked, "metadata");
    const char *now = mastra_text_iso_make(pool, apr_time_now());
    mastra_json_t *thread = mastra_json_pack(
        "{s:s, s:s, s:s, s:s, s:s}", "id", run->thread_id, "resourceId",
        run->resource_id, "title", title ? title : "", "createdAt", now,
        "updatedAt", now);

    if (mastra_json_is_object(metadata)) {
        mastra_json_set(thread, "metadata", mastra_json_ref(metadata));
    }
    return mastra_json_own(thread, pool);
}

static int has_title(const mastra_json_t *thread)
{
    const char *title = mastra_json_get_str(thread, "title");

    return title && *title;
}

/* *pthread lives as long as pool. */
static apr_status_t open_thread(mastra_json_t **pthread,
                                mastra_agent_run_t *run, mastra_db_t *db,
                                apr_pool_t *pool)
{
    mastra_json_t *thread = NULL;
    const char *owner;
    apr_status_t rv = mastra_threads_get(&thread, db, run->thread_id, pool);

    if (rv == MASTRA_STORE_NOT_FOUND) {
        thread = new_thread(run, pool);
        *pthread = thread;
        run->titled = has_title(thread);
        return mastra_threads_save(db, thread, pool);
    }
    if (rv) {
        return rv;
    }
    *pthread = mastra_json_own(thread, pool);
    run->titled = has_title(thread);
    owner = mastra_json_get_str(thread, "resourceId");
    if (!owner || strcmp(owner, run->resource_id)) {
        run->job_error = mastra_result_make(
            run->pool, 403, "THREAD_OWNER",
            "Access denied: thread belongs to a different resource");
        return APR_EACCES;
    }
    return APR_SUCCESS;
}

/* The request's messages that are stored: all but system ones. */
static mastra_json_t *storable(mastra_agent_run_t *run, apr_pool_t *pool)
{
    mastra_json_t *made = mastra_json_own(mastra_json_array(), pool);
    apr_size_t i;

    for (i = 0; i < mastra_json_size(run->input); i++) {
        mastra_json_t *message = mastra_json_at(run->input, i);

        if (mastra_json_get(message, "id")
            && !mastra_signal_is_transient(message)) {
            mastra_json_append(made, mastra_json_ref(message));
        }
    }
    return mastra_json_own(mastra_memory_kept(made), pool);
}

static int same_text(const mastra_json_t *a, const mastra_json_t *b)
{
    mastra_json_t *ta = mastra_message_text(a), *tb = mastra_message_text(b);
    int same = !strcmp(mastra_json_str(ta), mastra_json_str(tb));

    mastra_json_unref(ta);
    mastra_json_unref(tb);
    return same;
}

/*
 * client-js repeats a POST that failed with a 5xx. The question of the failed
 * try is then the newest message, without an answer: it is taken over instead
 * of being stored a second time.
 */
static int is_repeated(mastra_json_t *last, mastra_json_t *message)
{
    const char *role = mastra_json_get_str(last, "role");
    const char *mine = mastra_json_get_str(message, "role");
    apr_time_t then;

    if (!role || strcmp(role, "user") || !mine || strcmp(mine, "user")
        || mastra_text_iso_parse(&then,
                                 mastra_json_get_str(last, "createdAt"))
        || apr_time_now() - then > apr_time_from_sec(300)) {
        return 0;
    }
    return same_text(last, message);
}

static int has_id(const mastra_json_t *messages, const char *id)
{
    apr_size_t i;

    for (i = 0; id && i < mastra_json_size(messages); i++) {
        const char *have = mastra_json_get_str(mastra_json_at(messages, i),
                                               "id");

        if (have && !strcmp(have, id)) {
            return 1;
        }
    }
    return 0;
}

/* 1 when the request asks again what is the newest message. */
static int asks_again(const mastra_recalled_t *newest,
                      const mastra_json_t *input)
{
    const char *role = mastra_recalled_column(newest, MASTRA_MESSAGE_ROLE);
    mastra_json_t *last;
    int again;

    if (mastra_json_size(input) != 1 || !role || strcmp(role, "user")) {
        return 0;
    }
    last = mastra_json_raw_open(mastra_recalled_raw(newest));
    again = is_repeated(last, mastra_json_at(input, 0));
    mastra_json_unref(last);
    return again;
}

/* The run remembers what is in storage, without what the request brings
 * itself. Returns 1 when that is the newest message. */
static int remember(mastra_agent_run_t *run, const mastra_rows_t *rows,
                    const mastra_json_t *input)
{
    mastra_recalled_t **list;
    int n = mastra_recall(&list, run->env->recalled, run->thread_id, rows,
                          run->pool);
    int again = n && asks_again(list[n - 1], input), i;
    int first = n - again - run->last_messages;

    run->remembered = mastra_json_array();
    run->recalled = list;
    for (i = 0; i < n; i++) {
        if (i < first || i >= n - again
            || has_id(input, mastra_recalled_column(list[i],
                                                    MASTRA_MESSAGE_ID))) {
            mastra_recalled_unref(list[i]);
            continue;
        }
        list[run->nrecalled++] = list[i];
        mastra_json_append(run->remembered,
                           mastra_json_ref(mastra_recalled_raw(list[i])));
    }
    return again;
}

/* What the prompt has beside the history, in tokens. */
static apr_int64_t fixed_tokens(mastra_agent_run_t *run, apr_pool_t *pool)
{
    mastra_json_t *all = mastra_json_own(mastra_json_array(), pool);
    apr_int64_t tokens = 0;
    apr_size_t i;

    mastra_run_system(run, all);
    mastra_json_extend(all, run->input);
    for (i = 0; i < mastra_json_size(all); i++) {
        tokens += mastra_budget_tokens(mastra_json_at(all, i), pool);
    }
    return tokens;
}

/* The thread is read anew: others may have changed it before it was locked. */
static apr_status_t note_boundary(mastra_agent_run_t *run,
                                  mastra_json_t *boundary, mastra_db_t *db,
                                  apr_pool_t *pool)
{
    mastra_json_t *thread = NULL;
    apr_status_t rv = mastra_threads_touch(db, run->thread_id, apr_time_now(),
                                           pool);

    if (!rv) {
        rv = mastra_threads_get(&thread, db, run->thread_id, pool);
    }
    if (rv) {
        return rv;
    }
    mastra_json_own(thread, pool);
    mastra_json_set(mastra_threads_metadata(thread), MASTRA_BUDGET_MEMBER,
                    mastra_json_ref(boundary));
    return mastra_threads_save(db, thread, pool);
}

/* Leaves out what is too much, and notes in the thread what that was. */
static apr_status_t fit_history(mastra_agent_run_t *run, mastra_json_t *thread,
                                mastra_db_t *db, apr_pool_t *pool)
{
    mastra_json_t *metadata = mastra_json_get(thread, "metadata");
    mastra_json_t *all = mastra_json_own(mastra_run_remembered(run), pool);
    mastra_json_t *boundary = NULL, *fitting;

    fitting = mastra_budget_fit(&boundary, &run->memory.budget,
                                mastra_json_get(metadata,
                                                MASTRA_BUDGET_MEMBER),
                                all, fixed_tokens(run, pool), pool);
    mastra_run_forget(run);
    run->remembered = fitting;
    mastra_json_own(boundary, pool);
    return boundary && !run->read_only ? note_boundary(run, boundary, db, pool)
                                       : APR_SUCCESS;
}

static apr_status_t recall_thread(mastra_agent_run_t *run, mastra_db_t *db,
                                  apr_pool_t *pool)
{
    mastra_json_t *thread = NULL, *mine = storable(run, pool);
    mastra_rows_t *rows = NULL;
    int again = 0;
    apr_status_t rv = open_thread(&thread, run, db, pool);

    if (!rv && run->memory.working) {
        rv = mastra_working_get(&run->working_text, db, run->memory.working,
                                run->thread_id, run->resource_id, run->pool);
    }
    if (!rv && run->last_messages) {
        rv = mastra_messages_rows(&rows, db, run->thread_id,
                                  run->last_messages + 1, pool);
    }
    if (rv) {
        return rv;
    }
    mastra_run_forget(run);
    if (rows) {
        again = remember(run, rows, mine);
    }
    else {
        run->remembered = mastra_json_array();
    }
    if (run->memory.budget.max) {
        rv = fit_history(run, thread, db, pool);
    }
    if (rv || run->read_only || !mastra_json_size(mine) || again) {
        return rv;
    }
    return mastra_messages_save_told(db, mine, mastra_recall_saved,
                                     run->env->recalled, pool);
}

static apr_status_t recall_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_agent_run_t *run = baton;
    apr_status_t rv = run->channel ? mastra_channel_recalled(run->channel, db,
                                                             pool)
                                   : APR_SUCCESS;

    if (!rv && run->thread_id) {
        rv = recall_thread(run, db, pool);
    }
    if (!rv) {
        rv = mastra_channel_join(run, run->resource_id, run->thread_id, db,
                                 pool);
    }
    return rv ? rv : mastra_durable_begin(run, db, pool);
}

/* The answer as it is stored: the last step may have shown the same. */
static mastra_json_t *answer_of(mastra_agent_run_t *run)
{
    mastra_json_t *shown = run->suspended ? NULL : run->step.message;

    return shown && !mastra_json_path(shown, "content", "toolInvocations",
                                      NULL)
           ? mastra_json_ref(shown) : mastra_run_message(run, 0);
}

/* What the run has said, and, for one that was taken up, the end of its claim:
 * nothing is written when somebody else has the run by now. */
apr_status_t mastra_run_save_now(mastra_agent_run_t *run, mastra_db_t *db,
                                 apr_pool_t *pool)
{
    mastra_json_t *messages = mastra_json_own(mastra_json_array(), pool);
    mastra_json_t *message = answer_of(run);
    apr_status_t rv = APR_SUCCESS;

    if (run->channel) {
        rv = mastra_channel_release(run->channel, db, 0, pool);
    }
    if (run->prior) {
        mastra_json_extend(messages, run->prior);
    }
    if (message) {
        mastra_json_append(messages, message);
    }
    if (!rv && run->epoch) {
        rv = mastra_durable_end(run, db, pool);
    }
    if (rv || !run->thread_id || run->read_only || !mastra_json_size(messages)) {
        return rv;
    }
    return mastra_messages_save_told(
        db, mastra_json_own(mastra_memory_kept(messages), pool),
        mastra_recall_saved, run->env->recalled, pool);
}

static apr_status_t save_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    return mastra_run_save_now(baton, db, pool);
}

static void job_done(void *baton, apr_status_t rv)
{
    mastra_agent_run_t *run = baton;

    run->job_rv = rv;
    mastra_loop_post(run->env->loop, &run->msg);
}

/* ---- loop thread ---- */

void mastra_run_submit(mastra_agent_run_t *run, mastra_store_mode_e mode,
                       mastra_store_run_cb *work, mastra_loop_cb *next)
{
    apr_status_t rv;

    memset(&run->job, 0, sizeof(run->job));
    run->job.mode = mode;
    run->job.run = work;
    run->job.done = job_done;
    run->job.baton = run;
    run->msg.cb = next;
    run->msg.baton = run;
    rv = run->env->store ? mastra_store_submit(run->env->store, &run->job)
                         : APR_ENOTIMPL;
    if (rv) {
        run->job_rv = rv;
        mastra_loop_defer(run->env->loop, &run->msg);
    }
}

void mastra_run_recall(mastra_agent_run_t *run, mastra_loop_cb *next)
{
    run->state = MASTRA_RUN_RECALL;
    mastra_run_submit(run, MASTRA_STORE_WRITE, recall_run, next);
}

void mastra_run_save(mastra_agent_run_t *run, mastra_loop_cb *next)
{
    run->state = MASTRA_RUN_SAVE;
    mastra_run_submit(run, MASTRA_STORE_WRITE, save_run, next);
}
