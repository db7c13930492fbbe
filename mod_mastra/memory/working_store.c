/* Working memory in storage, and the tool that changes it there. */

#include <string.h>

#include <apr_strings.h>

#include "memory.h"

#define MEMBER "workingMemory"

/* ---- inside store jobs ---- */

static apr_status_t get_member(const char **ptext, apr_status_t rv,
                               mastra_json_t *row, const char *holder,
                               apr_pool_t *pool)
{
    const mastra_json_t *object = row;

    *ptext = NULL;
    if (rv == MASTRA_STORE_NOT_FOUND) {
        return APR_SUCCESS;
    }
    if (rv) {
        return rv;
    }
    if (holder) {
        object = mastra_json_get(row, holder);
    }
    *ptext = apr_pstrdup(pool, mastra_json_get_str(object, MEMBER));
    mastra_json_unref(row);
    return APR_SUCCESS;
}

apr_status_t mastra_working_get(const char **ptext, mastra_db_t *db,
                                const mastra_working_t *working,
                                const char *thread_id, const char *resource_id,
                                apr_pool_t *pool)
{
    mastra_json_t *row = NULL;
    apr_status_t rv;

    if (working->per_thread) {
        rv = mastra_threads_get(&row, db, thread_id, pool);
        return get_member(ptext, rv, row, "metadata", pool);
    }
    rv = mastra_resources_get(&row, db, resource_id, pool);
    return get_member(ptext, rv, row, NULL, pool);
}

static apr_status_t put_thread(mastra_db_t *db, const char *id,
                               const char *text, apr_pool_t *pool)
{
    mastra_json_t *thread = NULL;
    apr_status_t rv = mastra_threads_get(&thread, db, id, pool);

    if (rv) {
        return rv;
    }
    mastra_json_own(thread, pool);
    mastra_json_set_str(mastra_threads_metadata(thread), MEMBER, text);
    mastra_json_set_str(thread, "updatedAt",
                        mastra_text_iso_make(pool, apr_time_now()));
    return mastra_threads_save(db, thread, pool);
}

static apr_status_t put_resource(mastra_db_t *db, const char *id,
                                 const char *text, apr_pool_t *pool)
{
    mastra_json_t *resource = NULL;
    apr_status_t rv = mastra_resources_get(&resource, db, id, pool);

    if (rv == MASTRA_STORE_NOT_FOUND) {
        resource = mastra_json_pack("{s:s, s:{}}", "id", id, "metadata");
    }
    else if (rv) {
        return rv;
    }
    mastra_json_own(resource, pool);
    mastra_json_set_str(resource, MEMBER, text);
    mastra_json_set_str(resource, "updatedAt",
                        mastra_text_iso_make(pool, apr_time_now()));
    return mastra_resources_save(db, resource, pool);
}

apr_status_t mastra_working_put(mastra_db_t *db,
                                const mastra_working_t *working,
                                const char *thread_id, const char *resource_id,
                                const char *text, apr_pool_t *pool)
{
    return working->per_thread ? put_thread(db, thread_id, text, pool)
                               : put_resource(db, resource_id, text, pool);
}

/* A change of the row's time keeps others out, on all databases alike. */
apr_status_t mastra_working_lock(mastra_db_t *db,
                                 const mastra_working_t *working,
                                 const char *thread_id,
                                 const char *resource_id, apr_pool_t *pool)
{
    return working->per_thread
               ? mastra_threads_touch(db, thread_id, apr_time_now(), pool)
               : mastra_resources_touch(db, resource_id, pool);
}

/* ---- the tool: a store job ---- */

typedef struct {
    mastra_store_job_t job;
    mastra_msg_t msg;
    mastra_json_t *input;            /* checked */
    mastra_json_t *result;           /* set by the job, or before it */
    apr_status_t rv;
} tool_call_t;

static apr_status_t update_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_tool_call_t *call = baton;
    tool_call_t *state = call->state;
    const mastra_working_t *working = call->tool->conf;
    const char *thread = call->args.thread_id;
    const char *resource = call->args.resource_id, *text;
    apr_status_t rv = mastra_working_lock(db, working, thread, resource, pool);

    mastra_json_unref(state->result);
    state->result = NULL;
    if (!rv) {
        rv = mastra_working_get(&text, db, working, thread, resource, pool);
    }
    if (rv) {
        return rv;
    }
    text = mastra_working_apply(&state->result, working, text, state->input,
                                pool);
    return text ? mastra_working_put(db, working, thread, resource, text, pool)
                : APR_SUCCESS;
}

static void job_done(void *baton, apr_status_t rv)
{
    mastra_tool_call_t *call = baton;
    tool_call_t *state = call->state;

    state->rv = rv;
    mastra_loop_post(call->env->loop, &state->msg);
}

static void over(void *baton)
{
    mastra_tool_call_t *call = baton;
    tool_call_t *state = call->state;
    mastra_json_t *result = state->result;
    mastra_result_t *error = NULL;

    if (state->rv) {
        mastra_json_unref(result);
        result = NULL;
        error = mastra_store_result(call->pool, state->rv,
                                    "store the working memory");
    }
    mastra_json_unref(state->input);
    mastra_tool_finish(call, result, error);
}

/* Members that are null, in depth: models write it for what they do not know,
 * also where the schema has no null. */
static void drop_null(mastra_json_t *object)
{
    mastra_json_t *names = mastra_json_array();
    apr_size_t i;
    void *at;

    for (at = mastra_json_iter(object); at;
         at = mastra_json_next(object, at)) {
        mastra_json_t *value = mastra_json_value(at);

        if (mastra_json_is_null(value)) {
            mastra_json_append(names, mastra_json_string(mastra_json_key(at)));
        }
        else if (mastra_json_is_object(value)) {
            drop_null(value);
        }
    }
    for (i = 0; i < mastra_json_size(names); i++) {
        mastra_json_del(object, mastra_json_str(mastra_json_at(names, i)));
    }
    mastra_json_unref(names);
}

/* The object, which may be given with or without "memory" around it. What is
 * wrong with it becomes the call's result. */
static void check_object(mastra_tool_call_t *call, tool_call_t *state)
{
    const mastra_working_t *working = call->tool->conf;
    mastra_json_t *given = call->args.input, *value;

    value = mastra_json_get(given, "memory");
    value = value ? value : given;
    if (mastra_schema_validate(working->check, value, NULL, call->pool)) {
        state->input = mastra_json_pack("{s:O}", "memory", value);
        return;
    }
    if (mastra_json_is_object(value)) {
        mastra_json_t *copy = mastra_json_copy(value);

        drop_null(copy);
        if (mastra_schema_validate(working->check, copy, NULL, call->pool)) {
            state->input = mastra_json_pack("{s:o}", "memory", copy);
            return;
        }
        mastra_json_unref(copy);
    }
    state->result = mastra_tool_check_value(call->tool, working->check, value,
                                            given, call->pool);
}

static apr_status_t start(mastra_tool_call_t *call)
{
    const mastra_working_t *working = call->tool->conf;
    tool_call_t *state = apr_pcalloc(call->pool, sizeof(*state));
    apr_status_t rv;

    call->state = state;
    if (!call->env->store || !call->args.thread_id) {
        return APR_ENOTIMPL;
    }
    state->msg.cb = over;
    state->msg.baton = call;
    if (working->schema) {
        check_object(call, state);
    }
    else {
        state->input = mastra_json_ref(call->args.input);
    }
    if (state->result) {
        mastra_loop_defer(call->env->loop, &state->msg);
        return APR_SUCCESS;
    }
    state->job.mode = MASTRA_STORE_WRITE;
    state->job.run = update_run;
    state->job.done = job_done;
    state->job.baton = call;
    rv = mastra_store_submit(call->env->store, &state->job);
    if (rv) {
        mastra_json_unref(state->input);
    }
    return rv;
}

/* The job may run: the call goes when it is over. */
static void cancel(mastra_tool_call_t *call)
{
    (void)call;
}

const mastra_tool_kind_t mastra_working_kind = { "working-memory", NULL, start,
                                                 cancel };
