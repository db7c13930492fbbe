/* Who watches threads and runs in this child. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "hub_internal.h"
#include "../store/runs.h"

#define MAX_PENDING 1000             /* runs that a subscriber may lag behind */
#define UNSEEN 3000                  /* milliseconds that a commit may take */

typedef struct run_t {
    struct run_t *next;
    char *log, *owner;               /* owner NULL: nobody, or not known */
    int epoch;                       /* of its claim */
} run_t;

struct mastra_subscriber_t {
    mastra_subscriber_t *next;       /* of the same channel */
    mastra_hub_t *hub;
    mastra_agent_env_t *env;
    mastra_sink_t *sink;
    char *id;                        /* channel; NULL: one run only */
    int epoch;                       /* claims up to this one are known */
    int looking;                     /* a job reads claims */
    int look_again;
    int gone;                        /* freed when the job is over */
    run_t *runs, **runs_end;         /* the first is followed */
    int nruns;
    char *ended;                     /* the log that was shown to its end last */
    mastra_event_at_t from;          /* what follows this is wanted */
    mastra_follower_t *follower;
};

/* ---- the list of runs to show ---- */

static char *copy(const char *text)
{
    char *made = text ? strdup(text) : NULL;

    if (text && !made) {
        abort();
    }
    return made;
}

static void free_run(run_t *run)
{
    free(run->log);
    free(run->owner);
    free(run);
}

static void push_run(mastra_subscriber_t *sub, int epoch, const char *log,
                     const char *owner)
{
    run_t *run = calloc(1, sizeof(*run));

    if (!run) {
        abort();
    }
    run->epoch = epoch;
    run->log = copy(log);
    run->owner = copy(owner);
    if (!sub->runs) {
        sub->runs_end = &sub->runs;
    }
    *sub->runs_end = run;
    sub->runs_end = &run->next;
    sub->nruns++;
}

static void pop_run(mastra_subscriber_t *sub)
{
    run_t *run = sub->runs;

    sub->runs = run->next;
    sub->nruns--;
    free_run(run);
}

/* ---- life ---- */

static mastra_subscriber_t *make(mastra_agent_env_t *env, const char *id)
{
    mastra_subscriber_t *sub = calloc(1, sizeof(*sub));

    if (!sub) {
        abort();
    }
    sub->hub = env->hub;
    sub->env = env;
    sub->id = copy(id);
    return sub;
}

void mastra_subscriber_discard(mastra_subscriber_t *sub)
{
    while (sub->runs) {
        pop_run(sub);
    }
    free(sub->id);
    free(sub->ended);
    free(sub);
}

static void watch(mastra_subscriber_t *sub)
{
    apr_hash_t *watched = sub->hub->watched;
    mastra_subscriber_t *first;

    if (!sub->id) {
        return;
    }
    first = apr_hash_get(watched, sub->id, APR_HASH_KEY_STRING);
    if (first) {
        sub->next = first->next;
        first->next = sub;
    }
    else {
        apr_hash_set(watched, sub->id, APR_HASH_KEY_STRING, sub);
    }
    sub->hub->nsubscribers++;
}

/* The table's key is the text of the first of a list. */
static void unwatch(mastra_subscriber_t *sub)
{
    apr_hash_t *watched = sub->hub->watched;
    mastra_subscriber_t *each;

    if (!sub->id) {
        return;
    }
    each = apr_hash_get(watched, sub->id, APR_HASH_KEY_STRING);
    sub->hub->nsubscribers--;
    if (each == sub) {
        apr_hash_set(watched, sub->id, APR_HASH_KEY_STRING, NULL);
        if (sub->next) {
            apr_hash_set(watched, sub->next->id, APR_HASH_KEY_STRING,
                         sub->next);
        }
        return;
    }
    while (each->next != sub) {
        each = each->next;
    }
    each->next = sub->next;
}

static void leave(mastra_subscriber_t *sub)
{
    if (sub->follower) {
        mastra_follower_stop(sub->follower);
        sub->follower = NULL;
    }
    unwatch(sub);
    sub->sink = NULL;
    sub->gone = 1;
    if (!sub->looking) {
        mastra_subscriber_discard(sub);
    }
}

void mastra_subscriber_cancel(mastra_subscriber_t *sub)
{
    leave(sub);
}

static void end(mastra_subscriber_t *sub)
{
    mastra_sink_t *sink = sub->sink;

    leave(sub);
    sink->vtable->end(sink, NULL, NULL);
}

/* ---- following ---- */

static void follow_first(mastra_subscriber_t *sub);

static int on_frame(void *baton, const char *frame, apr_size_t len,
                    apr_int64_t seq)
{
    mastra_subscriber_t *sub = baton;
    mastra_event_at_t at = { .part = sub->runs->epoch, .seq = seq };

    if (sub->sink->vtable->mark) {
        sub->sink->vtable->mark(sub->sink, at);
    }
    return sub->sink->vtable->raw(sub->sink, frame, len);
}

static void on_end(void *baton, apr_status_t rv)
{
    mastra_subscriber_t *sub = baton;

    sub->follower = NULL;
    if (rv == APR_SUCCESS) {
        free(sub->ended);
        sub->ended = sub->runs->log;
        sub->runs->log = NULL;
    }
    pop_run(sub);
    if (!sub->id) {
        end(sub);
        return;
    }
    follow_first(sub);
}

static const mastra_follower_cbs_t follower_cbs = { on_frame, on_end };

/* Who observes one run has its log alone, whatever the claim. */
static void follow_first(mastra_subscriber_t *sub)
{
    if (sub->runs && !sub->follower) {
        int is_from = !sub->id || sub->runs->epoch == sub->from.part;

        sub->follower = mastra_log_follow(sub->hub->events, sub->env->store,
                                          sub->runs->log, sub->runs->owner,
                                          is_from ? sub->from.seq : 0,
                                          &follower_cbs, sub);
    }
}

/* A claim of the channel is known: of a run that is followed or is to be, or
 * of another. */
static void add_claim(mastra_subscriber_t *sub, int epoch, const char *log,
                      const char *owner)
{
    run_t *run;

    for (run = sub->runs; run; run = run->next) {
        if (!strcmp(run->log, log)) {
            free(run->owner);
            run->owner = copy(owner);
            if (run == sub->runs && sub->follower) {
                mastra_log_owner(sub->hub->events, log, owner);
            }
            return;
        }
    }
    /* the claim of who ended it for a dead process may become known late */
    if (!sub->ended || strcmp(sub->ended, log)) {
        push_run(sub, epoch, log, owner);
        follow_first(sub);
    }
}

/* ---- claims that nobody told of ---- */

typedef struct {
    mastra_subscriber_t *sub;
    const char *id;
    int after;
    mastra_channel_claim_t *claims;
    int n;
    const char *owner;               /* of the newest */
    int owner_epoch;
} look_t;

static apr_status_t look(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_hub_op_t *op = baton;
    look_t *work = op->data;
    mastra_channel_claim_t *claims;
    mastra_channel_row_t row;
    int i, n = 0;
    apr_status_t rv = mastra_channels_claims(&claims, &n, db, work->id,
                                             work->after, pool);

    if (rv == APR_SUCCESS) {
        rv = mastra_channels_get_id(&row, db, work->id, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    work->claims = apr_palloc(op->pool, sizeof(*claims)
                                            * (apr_size_t)(n + 1));
    for (i = 0; i < n; i++) {
        work->claims[i].epoch = claims[i].epoch;
        work->claims[i].run = apr_pstrdup(op->pool, claims[i].run);
        work->claims[i].log = apr_pstrdup(op->pool, claims[i].log);
    }
    work->owner = *row.owner ? apr_pstrdup(op->pool, row.owner) : NULL;
    work->owner_epoch = row.epoch;
    work->n = n;
    return APR_SUCCESS;
}

static void start_look(mastra_subscriber_t *sub);

static void after_look(mastra_hub_op_t *op)
{
    look_t *work = op->data;
    mastra_subscriber_t *sub = work->sub;
    int i;

    sub->looking = 0;
    if (sub->gone) {
        mastra_subscriber_discard(sub);
        return;
    }
    for (i = 0; op->rv == APR_SUCCESS && i < work->n; i++) {
        if (work->claims[i].epoch > sub->epoch) {
            sub->epoch = work->claims[i].epoch;
            add_claim(sub, sub->epoch, work->claims[i].log,
                      sub->epoch == work->owner_epoch ? work->owner : NULL);
        }
    }
    if (sub->nruns > MAX_PENDING) {
        end(sub);
        return;
    }
    /* claims are read some at a time */
    if (sub->look_again
        || (work->n && op->rv == APR_SUCCESS
            && sub->epoch < work->owner_epoch)) {
        start_look(sub);
    }
}

static void start_look(mastra_subscriber_t *sub)
{
    mastra_hub_op_t *op;
    look_t *work;

    if (sub->looking) {
        sub->look_again = 1;
        return;
    }
    sub->looking = 1;
    sub->look_again = 0;
    op = mastra_hub_op_make(sub->hub, sub->env, sizeof(*work));
    work = op->data;
    work->sub = sub;
    work->id = apr_pstrdup(op->pool, sub->id);
    work->after = sub->epoch;
    mastra_hub_op_submit(op, MASTRA_STORE_READ, look, after_look);
}

/* Told of one: when it is the next, all are known. */
static void on_claim(mastra_subscriber_t *sub, int epoch, const char *log,
                     const char *owner)
{
    if (epoch <= sub->epoch) {
        return;
    }
    if (epoch > sub->epoch + 1 || sub->looking) {
        start_look(sub);
        return;
    }
    sub->epoch = epoch;
    add_claim(sub, epoch, log, owner);
    if (sub->nruns > MAX_PENDING) {
        end(sub);
    }
}

void mastra_hub_on_begin(mastra_hub_t *hub, const char *id, int epoch,
                         const char *run, const char *log, const char *owner)
{
    mastra_subscriber_t *sub, *next;

    for (sub = apr_hash_get(hub->watched, id, APR_HASH_KEY_STRING); sub;
         sub = next) {
        next = sub->next;
        on_claim(sub, epoch, log, owner);
    }
}

/* ---- from time to time: what came from another server, or got lost ---- */

typedef struct {
    mastra_channel_row_t *rows;
    int n;
    int index;                       /* of the host */
    apr_int64_t since, now;
} poll_t;

static apr_status_t poll_rows(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_hub_op_t *op = baton;
    poll_t *work = op->data;
    mastra_channel_row_t *rows;
    int i, n = 0;
    apr_status_t rv = mastra_channels_changed(&rows, &n, &work->now, db,
                                              work->since, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    work->rows = apr_pcalloc(op->pool, sizeof(*rows) * (apr_size_t)(n + 1));
    for (i = 0; i < n; i++) {
        work->rows[i].id = apr_pstrdup(op->pool, rows[i].id);
        work->rows[i].log = apr_pstrdup(op->pool, rows[i].log);
        work->rows[i].run = apr_pstrdup(op->pool, rows[i].run);
        work->rows[i].owner = apr_pstrdup(op->pool, rows[i].owner);
        work->rows[i].epoch = rows[i].epoch;
    }
    work->n = n;
    return APR_SUCCESS;
}

static void after_poll(mastra_hub_op_t *op)
{
    poll_t *work = op->data;
    int i;

    op->hub->polling--;
    if (op->rv) {
        return;
    }
    APR_ARRAY_IDX(op->hub->polled, work->index, apr_int64_t) = work->now;
    for (i = 0; i < work->n; i++) {
        const mastra_channel_row_t *row = &work->rows[i];

        mastra_hub_on_begin(op->hub, row->id, row->epoch, row->run, row->log,
                            *row->owner ? row->owner : NULL);
    }
}

void mastra_hub_poll(mastra_hub_t *hub)
{
    int i;

    if (!hub->nsubscribers || hub->polling) {
        return;
    }
    for (i = 0; i < hub->envs->nelts; i++) {
        mastra_agent_env_t *env = APR_ARRAY_IDX(hub->envs, i,
                                                mastra_agent_env_t *);
        apr_int64_t polled = APR_ARRAY_IDX(hub->polled, i, apr_int64_t);
        mastra_hub_op_t *op;
        poll_t *work;

        if (mastra_hub_is_repeated(hub, i)) {
            continue;
        }
        op = mastra_hub_op_make(hub, env, sizeof(*work));
        work = op->data;
        work->index = i;
        /* what was being committed then was not seen; the first time, those
         * who watch have looked for themselves when they began */
        work->since = polled ? polled - UNSEEN : -UNSEEN;
        hub->polling++;
        mastra_hub_op_submit(op, MASTRA_STORE_READ, poll_rows, after_poll);
    }
}

/* ---- beginning ---- */

void mastra_subscriber_begin(mastra_subscriber_t *sub, mastra_sink_t *sink)
{
    sub->sink = sink;
    watch(sub);
    follow_first(sub);
    if (sub->id) {
        /* between the look at its row and now it may have been claimed */
        start_look(sub);
    }
}

void mastra_subscriber_resume(mastra_subscriber_t *sub)
{
    if (sub->follower) {
        mastra_follower_resume(sub->follower);
    }
}

/* ---- request thread ---- */

typedef struct {
    mastra_agent_env_t *env;
    const mastra_agent_t *agent;
    const char *resource, *thread, *run;
    mastra_event_at_t from;
    apr_pool_t *pool;
    mastra_subscriber_t *sub;
    mastra_result_t *error;
} subscribing_t;

static void fill(subscribing_t *work, const mastra_channel_row_t *row,
                 const char *id)
{
    if (work->sub) {
        mastra_subscriber_discard(work->sub);
    }
    work->sub = make(work->env, id);
    work->sub->epoch = row->epoch;
    work->sub->from = work->from;
    if (id && work->from.part > 0) {
        /* the claims since then are looked for when it begins */
        if (work->from.part <= row->epoch) {
            work->sub->epoch = work->from.part - 1;
        }
        return;
    }
    if (row->status != MASTRA_CHANNEL_IDLE && *row->run) {
        push_run(work->sub, row->epoch, row->log, *row->owner ? row->owner : NULL);
    }
}

static apr_status_t subscribe(mastra_db_t *db, subscribing_t *work,
                              apr_pool_t *pool, int make_row)
{
    mastra_channel_row_t row;
    apr_status_t rv = mastra_hub_check_thread(&work->error, db, work->agent,
                                              work->resource, work->thread,
                                              work->pool, pool);

    if (rv == APR_SUCCESS) {
        rv = (make_row ? mastra_channels_lock : mastra_channels_get)(
            &row, db, work->env->host, work->resource ? work->resource : "",
            work->thread, pool);
    }
    if (rv == APR_SUCCESS) {
        fill(work, &row, row.id);
    }
    return rv;
}

static apr_status_t subscribe_read(mastra_db_t *db, void *baton,
                                   apr_pool_t *pool)
{
    return subscribe(db, baton, pool, 0);
}

static apr_status_t subscribe_write(mastra_db_t *db, void *baton,
                                    apr_pool_t *pool)
{
    return subscribe(db, baton, pool, 1);
}

static mastra_subscriber_t *outcome(subscribing_t *work, apr_status_t rv,
                                    mastra_result_t **perror)
{
    if (rv == APR_SUCCESS) {
        return work->sub;
    }
    if (work->sub) {
        mastra_subscriber_discard(work->sub);
    }
    *perror = work->error ? work->error
                          : mastra_store_result(work->pool, rv,
                                                "subscribe to the thread");
    return NULL;
}

mastra_subscriber_t *mastra_hub_subscribe(mastra_agent_env_t *env,
                                          const mastra_agent_t *agent,
                                          const char *resource_id,
                                          const char *thread_id,
                                          mastra_event_at_t from,
                                          mastra_result_t **perror,
                                          apr_pool_t *pool)
{
    subscribing_t work = { .env = env, .agent = agent, .resource = resource_id,
                           .thread = thread_id, .from = from, .pool = pool };
    apr_status_t rv = mastra_store_call(env->store, MASTRA_STORE_READ,
                                        subscribe_read, &work);

    if (rv == MASTRA_STORE_NOT_FOUND) {
        rv = mastra_store_call(env->store, MASTRA_STORE_WRITE, subscribe_write,
                               &work);
    }
    return outcome(&work, rv, perror);
}

/* One that has, or had, its log to itself. */
static apr_status_t observe_durable(mastra_db_t *db, subscribing_t *work,
                                    apr_pool_t *pool)
{
    mastra_run_row_t row;
    apr_status_t rv = mastra_runs_get(&row, db, work->env->host, work->run,
                                      pool);

    if (rv == APR_SUCCESS && mastra_hub_kind(work->env->hub, row.kind)
        && (!work->resource || (row.resource_id
                                && !strcmp(row.resource_id,
                                           work->resource)))) {
        push_run(work->sub, 0, mastra_durable_log(work->run, pool),
                 *row.owner ? row.owner : NULL);
    }
    return rv == MASTRA_STORE_NOT_FOUND ? APR_SUCCESS : rv;
}

static apr_status_t observe(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    subscribing_t *work = baton;
    mastra_channel_row_t row = { .status = MASTRA_CHANNEL_IDLE };
    apr_status_t rv = mastra_channels_of_run(&row, db, work->env->host,
                                             work->run, pool);

    if (rv == APR_SUCCESS && work->resource
        && strcmp(work->resource, row.resource)) {
        row.status = MASTRA_CHANNEL_IDLE;
    }
    if (rv == APR_SUCCESS || rv == MASTRA_STORE_NOT_FOUND) {
        fill(work, &row, NULL);
        rv = APR_SUCCESS;
    }
    return rv == APR_SUCCESS && !work->sub->runs
               ? observe_durable(db, work, pool) : rv;
}

mastra_subscriber_t *mastra_hub_observe(mastra_agent_env_t *env,
                                        const char *resource_id,
                                        const char *run_id,
                                        mastra_event_at_t from,
                                        mastra_result_t **perror,
                                        apr_pool_t *pool)
{
    subscribing_t work = { .env = env, .run = run_id, .resource = resource_id,
                           .from = from, .pool = pool };
    apr_status_t rv = mastra_store_call(env->store, MASTRA_STORE_READ, observe,
                                        &work);

    return outcome(&work, rv, perror);
}
