/* Who waits for a run: for its end, or for all that it says. Both follow its
 * logs, wherever the run goes on. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "engine.h"
#include "owner.h"
#include "../base/pool.h"

enum { FOR_END = 1, FOR_CHUNKS, FOR_OLD_CHUNKS };

#define NUDGE apr_time_from_sec(2)

static const char finish_head[] = "{\"type\":\"workflow-finish\"";

struct mastra_wait_t {
    apr_pool_t *pool;
    mastra_workflow_env_t *env;
    mastra_sink_t *sink;             /* NULL: nobody yet, or nobody any more */
    const char *run_id;
    const char *owner;               /* address of who has the run, or NULL */
    int how;
    int segment;                     /* that is followed */
    const char *key;                 /* of its log */
    int last;                        /* with whose end the wait ends */
    apr_int64_t skip;                /* chunks that are not shown */
    apr_int64_t after;               /* in the first that is followed */
    mastra_json_t *told;             /* there are no chunks: this, or NULL */
    int stays;                       /* also while the run is suspended */
    int suspended;                   /* what the last chunk said */
    mastra_follower_t *follower;
    mastra_timer_t deadline, nudge;
    int heard;                       /* a chunk, since the last nudge */
    mastra_wait_t *next;             /* of the same run, here */
    int listed;

    /* the job that reads what has come of it */
    int busy, gone;
    mastra_json_t *answer;
    apr_status_t rv;
    mastra_store_job_t job;
    mastra_msg_t msg;
};

const char *mastra_run_log_key(const char *run_id, int segment,
                               apr_pool_t *pool)
{
    return apr_psprintf(pool, "w:%s:%d", run_id, segment);
}

mastra_wait_t *mastra_wait_make(mastra_workflow_env_t *env,
                                const mastra_flow_row_t *row, int how)
{
    mastra_wait_t *wait;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_wait")) {
        abort();
    }
    wait = apr_pcalloc(pool, sizeof(*wait));
    wait->pool = pool;
    wait->env = env;
    wait->run_id = apr_pstrdup(pool, row->id);
    wait->owner = *row->owner ? apr_pstrdup(pool, row->owner) : NULL;
    wait->how = how;
    wait->segment = wait->last = row->segment;
    return wait;
}

void mastra_wait_from(mastra_wait_t *wait, int first, apr_int64_t skip)
{
    wait->segment = first;
    wait->skip = skip;
}

void mastra_wait_after(mastra_wait_t *wait, mastra_event_at_t at)
{
    wait->segment = at.part;
    wait->after = at.seq;
}

void mastra_wait_told(mastra_wait_t *wait, mastra_json_t *snapshot)
{
    /* of its own: another thread reads it */
    wait->told = mastra_json_copy(snapshot);
}

void mastra_wait_on(mastra_wait_t *wait)
{
    wait->stays = 1;
}

void mastra_wait_discard(void *baton)
{
    mastra_wait_t *wait = baton;

    mastra_json_unref(wait->answer);
    mastra_json_unref(wait->told);
    apr_pool_destroy(wait->pool);
}

/* ---- leaving ---- */

static void unlist(mastra_wait_t *wait)
{
    apr_hash_t *all = wait->env->owner->waits;
    mastra_wait_t *each;

    if (!wait->listed) {
        return;
    }
    wait->listed = 0;
    each = apr_hash_get(all, wait->run_id, APR_HASH_KEY_STRING);
    if (each == wait) {
        /* the key is the first one's */
        apr_hash_set(all, wait->run_id, APR_HASH_KEY_STRING, NULL);
        if (wait->next) {
            apr_hash_set(all, wait->next->run_id, APR_HASH_KEY_STRING,
                         wait->next);
        }
        return;
    }
    while (each && each->next != wait) {
        each = each->next;
    }
    if (each) {
        each->next = wait->next;
    }
}

static void leave(mastra_wait_t *wait)
{
    if (wait->follower) {
        mastra_follower_stop(wait->follower);
        wait->follower = NULL;
    }
    mastra_loop_timer_stop(wait->env->loop, &wait->deadline);
    mastra_loop_timer_stop(wait->env->loop, &wait->nudge);
    unlist(wait);
    wait->sink = NULL;
    wait->gone = 1;
    if (!wait->busy) {
        mastra_wait_discard(wait);
    }
}

void mastra_wait_cancel(void *wait)
{
    leave(wait);
}

static void end_with(mastra_wait_t *wait, mastra_json_t *answer,
                     const mastra_result_t *error)
{
    mastra_sink_t *sink = wait->sink;

    wait->sink = NULL;
    if (sink) {
        sink->vtable->end(sink, answer, error);
    }
    leave(wait);
}

/* ---- what has come of it: from storage ---- */

static apr_status_t read_end(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_wait_t *wait = baton;
    mastra_flow_row_t row;
    mastra_json_t *steps = NULL;
    apr_status_t rv = mastra_flows_get(&row, db, wait->env->host, NULL,
                                       wait->run_id, 1, pool);

    if (rv == APR_SUCCESS) {
        rv = mastra_flows_steps(&steps, NULL, db, wait->run_id, pool);
    }
    if (rv == APR_SUCCESS) {
        mastra_json_unref(wait->answer);
        wait->answer = mastra_snapshot_result(row.snapshot,
                                              mastra_json_get(steps, ""),
                                              wait->run_id);
    }
    mastra_json_unref(steps);
    return rv;
}

static void end_read(void *baton, apr_status_t rv)
{
    mastra_wait_t *wait = baton;

    wait->rv = rv;
    mastra_loop_post(wait->env->loop, &wait->msg);
}

static void after_read(void *baton)
{
    mastra_wait_t *wait = baton;

    wait->busy = 0;
    if (wait->gone) {
        mastra_wait_discard(wait);
    }
    else if (wait->rv) {
        end_with(wait, NULL, mastra_store_result(wait->pool, wait->rv,
                                                 "read the run"));
    }
    else {
        end_with(wait, wait->answer, NULL);
    }
}

static void look_at_end(mastra_wait_t *wait)
{
    apr_status_t rv;

    wait->busy = 1;
    wait->job.mode = MASTRA_STORE_READ;
    wait->job.run = read_end;
    wait->job.done = end_read;
    wait->job.baton = wait;
    wait->msg.cb = after_read;
    wait->msg.baton = wait;
    rv = mastra_store_submit(wait->env->store, &wait->job);
    if (rv) {
        wait->rv = rv;
        mastra_loop_defer(wait->env->loop, &wait->msg);
    }
}

/* ---- the older form of chunks ---- */

static const char *const old_types[][2] = {
    { "workflow-step-start", "step-start" },
    { "workflow-step-result", "step-result" },
    { "workflow-step-suspended", "step-suspended" },
    { "workflow-step-waiting", "step-waiting" },
    { NULL, NULL }
};

static int give(mastra_wait_t *wait, mastra_json_t *chunk)
{
    int go = wait->sink->vtable->chunk(wait->sink, chunk);

    mastra_json_unref(chunk);
    return go;
}

static int give_old_step(mastra_wait_t *wait, const char *type,
                         const mastra_json_t *chunk)
{
    mastra_json_t *payload = mastra_json_copy_flat(mastra_json_get(chunk,
                                                                   "payload"));
    const char *id = mastra_json_get_str(payload, "id");
    const char *call = mastra_json_get_str(payload, "stepCallId");
    int go;

    mastra_json_del(payload, "stepName");
    if (!strcmp(type, "step-start")) {
        mastra_json_set(payload, "request", mastra_json_object());
    }
    go = give(wait, mastra_json_pack("{s:s, s:O}", "type", type, "payload",
                                     payload));
    if (!strcmp(type, "step-result")) {
        go &= give(wait, mastra_json_pack("{s:s, s:{s:s, s:s*, s:{}}}", "type",
                                          "step-finish", "payload", "id", id,
                                          "stepCallId", call, "metadata"));
    }
    mastra_json_unref(payload);
    return go;
}

static int give_old(mastra_wait_t *wait, const char *frame, apr_size_t len)
{
    mastra_json_t *chunk = NULL;
    const char *type;
    int go = 1, i;

    if (mastra_json_parse(&chunk, frame, len, 0, NULL)) {
        return 1;
    }
    type = mastra_json_get_str(chunk, "type");
    if (!strcmp(type, "workflow-start") || !strcmp(type, "workflow-finish")) {
        go = give(wait, mastra_json_pack("{s:s, s:{s:s}}", "type", type + 9,
                                         "payload", "runId", wait->run_id));
    }
    for (i = 0; old_types[i][0]; i++) {
        if (!strcmp(type, old_types[i][0])) {
            go = give_old_step(wait, old_types[i][1], chunk);
        }
    }
    mastra_json_unref(chunk);
    return go;
}

/* ---- following ---- */

static void follow(mastra_wait_t *wait);

static int is_suspending(const char *frame, apr_size_t len)
{
    static const char status[] = "\"workflowStatus\":\"suspended\"";

    return len > sizeof(finish_head)
           && !memcmp(frame, finish_head, sizeof(finish_head) - 1)
           && memmem(frame, len, status, sizeof(status) - 1);
}

static int on_frame(void *baton, const char *frame, apr_size_t len,
                    apr_int64_t seq)
{
    mastra_wait_t *wait = baton;

    wait->heard = 1;
    wait->suspended = is_suspending(frame, len);
    if (!wait->sink || wait->how == FOR_END
        || (wait->stays && wait->suspended)) {
        return 1;
    }
    if (wait->skip) {
        wait->skip--;
        return 1;
    }
    if (wait->how == FOR_OLD_CHUNKS) {
        /* several of them for one event: they have no ids */
        return give_old(wait, frame, len);
    }
    if (seq && wait->sink->vtable->mark) {
        wait->sink->vtable->mark(wait->sink, (mastra_event_at_t){
            .part = wait->segment, .seq = seq });
    }
    return wait->sink->vtable->raw(wait->sink, frame, len);
}

/* Chunks made of what the run came to, as those that it said are gone. */
static void tell_chunk(mastra_wait_t *wait, const char *type,
                       mastra_json_t *payload)
{
    mastra_json_t *chunk = mastra_json_pack(
        "{s:s, s:s, s:s, s:o}", "type", type, "runId", wait->run_id, "from",
        "WORKFLOW", "payload", payload);
    const char *text = mastra_json_text(chunk, wait->pool);

    mastra_json_unref(chunk);
    on_frame(wait, text, strlen(text), 0);
}

static void tell_steps(mastra_wait_t *wait)
{
    const mastra_json_t *context = mastra_json_get(wait->told, "context");
    void *at;

    for (at = mastra_json_iter(context); at;
         at = mastra_json_next(context, at)) {
        const char *id = mastra_json_key(at);
        const char *status = mastra_json_get_str(mastra_json_value(at),
                                                 "status");
        mastra_json_t *payload;

        if (!status || !strcmp(id, "input")) {
            continue;
        }
        payload = mastra_json_pack("{s:s, s:s}", "stepName", id, "id", id);
        mastra_json_merge(payload, mastra_json_value(at));
        tell_chunk(wait, !strcmp(status, "suspended")
                             ? "workflow-step-suspended"
                             : "workflow-step-result", payload);
    }
}

static void tell(void *baton)
{
    mastra_wait_t *wait = baton;
    mastra_json_t *end;

    wait->busy = 0;
    if (wait->gone) {
        mastra_wait_discard(wait);
        return;
    }
    tell_chunk(wait, "workflow-start", mastra_json_object());
    tell_steps(wait);
    end = mastra_json_pack("{s:O*, s:{}, s:O*}", "workflowStatus",
                           mastra_json_get(wait->told, "status"), "metadata",
                           "finalWorkflowResult",
                           mastra_json_get(wait->told, "result"));
    tell_chunk(wait, "workflow-finish", end);
    end_with(wait, NULL, NULL);
}

static void on_end(void *baton, apr_status_t rv)
{
    mastra_wait_t *wait = baton;

    (void)rv;
    wait->follower = NULL;
    if (!wait->sink) {
        return;
    }
    if (wait->segment < wait->last || (wait->stays && wait->suspended)) {
        wait->segment++;
        if (wait->last < wait->segment) {
            wait->last = wait->segment;
            wait->owner = NULL;
        }
        follow(wait);
    }
    else if (wait->how == FOR_END) {
        look_at_end(wait);
    }
    else {
        end_with(wait, NULL, NULL);
    }
}

static const mastra_follower_cbs_t follower_cbs = { on_frame, on_end };

static void follow(mastra_wait_t *wait)
{
    wait->key = mastra_run_log_key(wait->run_id, wait->segment, wait->pool);
    wait->follower = mastra_log_follow(
        wait->env->owner->events, wait->env->store, wait->key,
        wait->segment == wait->last ? wait->owner : NULL, wait->after,
        &follower_cbs, wait);
    wait->after = 0;
}

/* A run that slept may go on in another child, or be ended by anybody: storage
 * knows. */
static void on_nudge(void *baton)
{
    mastra_wait_t *wait = baton;
    struct mastra_owner_t *owner = wait->env->owner;

    if (wait->follower && !wait->heard
        && !apr_hash_get(owner->runs, wait->run_id, APR_HASH_KEY_STRING)) {
        mastra_log_doubt(owner->events, wait->key);
    }
    wait->heard = 0;
    mastra_loop_timer_set(wait->env->loop, &wait->nudge, NUDGE, on_nudge,
                          wait);
}

static void on_deadline(void *baton)
{
    mastra_wait_t *wait = baton;

    end_with(wait, NULL, mastra_result_make(
        wait->pool, 504, "RUN_TIMEOUT", "The run takes longer than this "
        "server lets clients wait; it goes on"));
}

static void list(mastra_wait_t *wait)
{
    apr_hash_t *all = wait->env->owner->waits;
    mastra_wait_t *first = apr_hash_get(all, wait->run_id,
                                        APR_HASH_KEY_STRING);

    wait->listed = 1;
    if (first) {
        wait->next = first->next;
        first->next = wait;
    }
    else {
        apr_hash_set(all, wait->run_id, APR_HASH_KEY_STRING, wait);
    }
}

void mastra_wait_begin(void *baton, mastra_sink_t *sink)
{
    mastra_wait_t *wait = baton;

    wait->sink = sink;
    if (wait->how == FOR_END) {
        list(wait);
        if (wait->env->timeout) {
            mastra_loop_timer_set(wait->env->loop, &wait->deadline,
                                  wait->env->timeout, on_deadline, wait);
        }
    }
    if (wait->told) {
        wait->busy = 1;
        wait->msg.cb = tell;
        wait->msg.baton = wait;
        mastra_loop_defer(wait->env->loop, &wait->msg);
        return;
    }
    mastra_loop_timer_set(wait->env->loop, &wait->nudge, NUDGE, on_nudge,
                          wait);
    follow(wait);
}

void mastra_wait_resume(void *baton)
{
    mastra_wait_t *wait = baton;

    if (wait->follower) {
        mastra_follower_resume(wait->follower);
    }
}

void mastra_waits_tell(mastra_workflow_run_t *run,
                       const mastra_json_t *snapshot)
{
    mastra_wait_t *wait = apr_hash_get(run->env->owner->waits, run->row.id,
                                       APR_HASH_KEY_STRING), *next;
    mastra_json_t *answer;

    for (; wait; wait = next) {
        next = wait->next;
        if (wait->busy || wait->last != run->row.segment) {
            continue;
        }
        answer = mastra_snapshot_result(snapshot, run->begin, run->row.id);
        end_with(wait, answer, NULL);
        mastra_json_unref(answer);
    }
}
