/* The runs that a child has: begun, taken over, kept, left. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "owner.h"
#include "../base/log.h"
#include "../base/pool.h"
#include "../store/events.h"

#define TICK apr_time_from_sec(1)
#define FIRST_TICK apr_time_from_msec(200)
#define MAX_RUNS 10000               /* that a child takes up at once */
#define MAX_TAKEN 150                /* how often that is, without a step */

/* ---- launching ---- */

mastra_launch_t *mastra_launch_make(mastra_workflow_env_t *env)
{
    mastra_launch_t *launch;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_launch")) {
        abort();
    }
    launch = apr_pcalloc(pool, sizeof(*launch));
    launch->pool = pool;
    launch->env = env;
    return launch;
}

static void copy_row(mastra_flow_row_t *to, const mastra_flow_row_t *from,
                     apr_pool_t *pool)
{
    *to = *from;
    to->host = apr_pstrdup(pool, from->host);
    to->id = apr_pstrdup(pool, from->id);
    to->workflow = apr_pstrdup(pool, from->workflow);
    to->resource_id = apr_pstrdup(pool, from->resource_id);
    to->status = apr_pstrdup(pool, from->status);
    to->owner = apr_pstrdup(pool, from->owner);
    to->graph = apr_pstrdup(pool, from->graph);
    to->created = to->updated = NULL;
    to->snapshot = NULL;
}

void mastra_launch_row(mastra_launch_t *launch, const mastra_flow_row_t *row)
{
    copy_row(&launch->row, row, launch->pool);
}

void mastra_launch_free(mastra_launch_t *launch)
{
    mastra_json_unref(launch->begin);
    mastra_json_unref(launch->rows);
    mastra_held_unref(launch->held);
    apr_pool_destroy(launch->pool);
}

static void set_usage(mastra_workflow_run_t *run)
{
    run->usage = mastra_json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:i}", "inputTokens", 0, "outputTokens", 0,
        "totalTokens", 0, "cachedInputTokens", 0, "cacheCreationInputTokens",
        0, "reasoningTokens", 0);
}

mastra_workflow_run_t *mastra_run_make(mastra_workflow_env_t *env,
                                       mastra_held_t *held,
                                       const mastra_flow_row_t *row,
                                       mastra_json_t *begin,
                                       mastra_json_t *rows)
{
    mastra_workflow_run_t *run;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_workflow")) {
        abort();
    }
    run = apr_pcalloc(pool, sizeof(*run));
    run->pool = pool;
    run->env = env;
    run->held = held;
    run->workflow = held->workflow;
    copy_row(&run->row, row, pool);
    run->begin = begin;
    run->rows = rows ? rows : mastra_json_object();
    if (!env) {
        run->suspended = apr_array_make(pool, 4, sizeof(mastra_task_t *));
    }
    run->writes = apr_array_make(pool, 4, sizeof(mastra_write_t));
    set_usage(run);
    return run;
}

/* 1: there is something wrong with the input, which nobody was told yet, or it
 * ends its processes outside of its steps. */
static int is_refused(mastra_workflow_run_t *run)
{
    mastra_json_t *error = mastra_json_get(run->begin, "refused");

    if (!error && run->row.taken > MAX_TAKEN) {
        run->bare = 1;
        error = mastra_json_own(mastra_error_make(
            "The processes that had the run have ended too often: it is not "
            "tried again"), run->pool);
    }
    if (!error) {
        return 0;
    }
    run->root->outcome = MASTRA_TASK_FAILED;
    run->root->error = error;
    return 1;
}

/* Others may follow it since it waited or was another's. */
static void tell_others(const mastra_launch_t *launch, const char *key)
{
    mastra_bus_msg_t msg = { .kind = MASTRA_BUS_RUN_HERE, .key = key };

    if (!launch->begins || launch->row.segment > 1) {
        mastra_hub_tell_all(launch->env->hub, &msg);
    }
}

static void start(mastra_launch_t *launch)
{
    struct mastra_owner_t *owner = launch->env->owner;
    mastra_workflow_run_t *run = mastra_run_make(
        launch->env, launch->held, &launch->row, launch->begin, launch->rows);
    const char *key;

    launch->held = NULL;
    launch->begin = launch->rows = NULL;
    apr_hash_set(owner->runs, run->row.id, APR_HASH_KEY_STRING, run);
    key = mastra_run_log_key(run->row.id, run->row.segment, run->pool);
    run->log = mastra_log_open(owner->events, launch->env->store, key,
                               run->row.epoch, launch->after, NULL, NULL);
    tell_others(launch, key);
    if (launch->begins) {
        mastra_say_start(run);
    }
    run->pumping = 1;
    mastra_run_walk(run);
    run->pumping = 0;
    if (is_refused(run)) {
        run->ready = NULL;
    }
    mastra_run_pump(run);
}

static void on_launch(void *baton)
{
    mastra_launch_t *launch = baton;

    if (!launch->held) {
        launch->held = mastra_held_of_graph(launch->env, launch->row.graph,
                                            launch->graph);
    }
    if (launch->held && launch->env->owner->stopping < 2) {
        start(launch);
    }
    else if (!launch->held) {
        mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(3203) "the graph of run %s "
                   "cannot be used: it is left alone", launch->row.id);
    }
    mastra_launch_free(launch);
}

void mastra_launch(mastra_launch_t *launch)
{
    launch->msg.cb = on_launch;
    launch->msg.baton = launch;
    mastra_loop_post(launch->env->loop, &launch->msg);
}

/* ---- jobs of the owner ---- */

typedef struct op_t {
    apr_pool_t *pool;
    struct mastra_owner_t *owner;
    mastra_store_run_cb *run;
    void (*after)(struct op_t *op);
    apr_status_t rv;
    mastra_store_job_t job;
    mastra_msg_t msg;

    const char *dead, *id;           /* of a search, of a claim */
    mastra_flows_due_t due;
    mastra_launch_t *launch;
    apr_hash_t *before, *after_hash, *halts;
} op_t;

static op_t *make_op(struct mastra_owner_t *owner)
{
    apr_pool_t *pool;
    op_t *op;

    if (mastra_pool_make(&pool, "mastra_owner")) {
        abort();
    }
    op = apr_pcalloc(pool, sizeof(*op));
    op->pool = pool;
    op->owner = owner;
    return op;
}

static void op_done(void *baton, apr_status_t rv)
{
    op_t *op = baton;

    op->rv = rv;
    mastra_loop_post(op->owner->loop, &op->msg);
}

static void op_over(void *baton)
{
    op_t *op = baton;

    op->after(op);
    apr_pool_destroy(op->pool);
}

static void submit(op_t *op, mastra_store_mode_e mode,
                   mastra_store_run_cb *run, void (*after)(op_t *op))
{
    apr_status_t rv;

    op->after = after;
    op->job.mode = mode;
    op->job.run = run;
    op->job.done = op_done;
    op->job.baton = op;
    op->msg.cb = op_over;
    op->msg.baton = op;
    rv = mastra_store_submit(op->owner->env->store, &op->job);
    if (rv) {
        op->rv = rv;
        mastra_loop_defer(op->owner->loop, &op->msg);
    }
}

/* ---- taking over ---- */

/* Whoever was told to cancel it has died before. */
static apr_status_t end_claimed(mastra_db_t *db, mastra_workflow_env_t *env,
                                const char *id, apr_pool_t *pool)
{
    mastra_flow_row_t row;
    apr_status_t rv = mastra_flows_get(&row, db, env->host, NULL, id, 1, pool);

    return rv ? rv : mastra_act_canceled(db, &row, pool);
}

static apr_status_t claim(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    op_t *op = baton;
    mastra_workflow_env_t *env = op->owner->env;
    mastra_flow_row_t row;
    mastra_json_t *steps = NULL;
    const char *graph;
    apr_int64_t after = 0;
    apr_status_t rv;

    if (op->launch) {
        mastra_launch_free(op->launch);
        op->launch = NULL;
    }
    rv = mastra_flows_get(&row, db, env->host, NULL, op->id, 0, pool);
    if (rv || !(mastra_flow_lapsed(&row)
                || (op->dead && !strcmp(row.owner, op->dead)))) {
        return rv == MASTRA_STORE_NOT_FOUND ? APR_SUCCESS : rv;
    }
    rv = mastra_flows_claim(&row, db, op->owner->address, env->lease, 0, pool);
    if (rv == APR_SUCCESS && row.halt) {
        return end_claimed(db, env, op->id, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_flows_get_graph(&graph, db, row.graph, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_events_taken(&after, db, mastra_run_log_key(
            row.id, row.segment, pool), pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_flows_steps(&steps, &row.bytes, db, row.id, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv == MASTRA_STORE_STALE ? APR_SUCCESS : rv;
    }
    op->launch = mastra_launch_make(env);
    mastra_launch_row(op->launch, &row);
    op->launch->graph = apr_pstrdup(op->launch->pool, graph);
    op->launch->begin = mastra_json_ref(mastra_json_get(steps, ""));
    op->launch->rows = steps;
    op->launch->after = after;
    return APR_SUCCESS;
}

static apr_status_t hand_back(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    op_t *op = baton;

    return mastra_flows_hand_back(db, &op->launch->row, pool);
}

static void after_hand_back(op_t *op)
{
    mastra_launch_free(op->launch);
}

/* Another server with the same database may have what this one lacks. */
static int is_for_others(struct mastra_owner_t *owner, mastra_launch_t *launch)
{
    op_t *op;

    launch->held = mastra_held_of_graph(launch->env, launch->row.graph,
                                        launch->graph);
    if (launch->held && !launch->held->workflow->missing) {
        return 0;
    }
    mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3206) "run %s of workflow %s "
               "is left to others: \"%s\" is not here", launch->row.id,
               launch->row.workflow, launch->held
                   ? launch->held->workflow->missing : "a graph of its kind");
    apr_hash_set(owner->unusable, apr_pstrdup(owner->pool, launch->row.graph),
                 APR_HASH_KEY_STRING, owner);
    op = make_op(owner);
    op->launch = launch;
    submit(op, MASTRA_STORE_WRITE, hand_back, after_hand_back);
    return 1;
}

static void search(struct mastra_owner_t *owner, const char *dead);

/* What was found is claimed: the rest does not wait for the next tick, unless
 * nothing of it could be had. */
static void claimed(struct mastra_owner_t *owner)
{
    char *dead = owner->more_of;

    if (--owner->claiming > 0) {
        return;
    }
    if (owner->more && owner->won) {
        search(owner, dead);
    }
    owner->more = owner->won = 0;
    owner->more_of = NULL;
    free(dead);
}

static void note_more(struct mastra_owner_t *owner, const char *dead)
{
    if (owner->claiming > 0) {
        owner->more = 1;
        free(owner->more_of);
        owner->more_of = dead ? strdup(dead) : NULL;
    }
}

static void after_claim(op_t *op)
{
    mastra_launch_t *launch = op->launch;

    op->owner->won |= launch && !op->rv;
    claimed(op->owner);
    if (!launch) {
        return;
    }
    if (op->rv) {
        mastra_launch_free(launch);
        return;
    }
    if (is_for_others(op->owner, launch)) {
        return;
    }
    if (launch->row.taken) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3204) "the process that "
                   "had run %s has gone: this one goes on with it",
                   launch->row.id);
    }
    on_launch(launch);
}

static void take_over(struct mastra_owner_t *owner, const char *id,
                      const char *graph, const char *dead)
{
    op_t *op;

    if (apr_hash_get(owner->unusable, graph, APR_HASH_KEY_STRING)) {
        return;
    }
    if (owner->stopping || apr_hash_get(owner->runs, id, APR_HASH_KEY_STRING)
        || apr_hash_count(owner->runs) >= MAX_RUNS) {
        return;
    }
    op = make_op(owner);
    op->id = apr_pstrdup(op->pool, id);
    op->dead = apr_pstrdup(op->pool, dead);
    owner->claiming++;
    submit(op, MASTRA_STORE_WRITE, claim, after_claim);
}

static const char *const *keep(const char *const *texts, int n,
                               apr_pool_t *pool)
{
    const char **made = apr_palloc(pool, sizeof(*made) * (apr_size_t)(n + 1));
    int i;

    for (i = 0; i < n; i++) {
        made[i] = apr_pstrdup(pool, texts[i]);
    }
    return made;
}

static apr_status_t find_due(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    op_t *op = baton;
    mastra_flows_due_t due;
    apr_status_t rv = mastra_flows_due(&due, db, op->owner->env->host,
                                       op->dead, pool);

    if (rv == APR_SUCCESS) {
        op->due = due;
        op->due.ids = keep(due.ids, due.nids, op->pool);
        op->due.graphs = keep(due.graphs, due.nids, op->pool);
        op->due.owners = keep(due.owners, due.nowners, op->pool);
    }
    return rv;
}

static void on_alarm(void *baton)
{
    search(baton, NULL);
}

static void set_alarm(struct mastra_owner_t *owner, apr_interval_time_t in)
{
    if (in > TICK * 3600) {
        return;
    }
    in = in > 0 ? in : 0;
    if (!owner->alarm.slot
        || owner->alarm.when > mastra_loop_now(owner->loop) + in) {
        mastra_loop_timer_set(owner->loop, &owner->alarm, in, on_alarm, owner);
    }
}

static void after_search(op_t *op)
{
    int i;

    op->owner->searching--;
    if (op->rv) {
        return;
    }
    for (i = 0; i < op->due.nids; i++) {
        take_over(op->owner, op->due.ids[i], op->due.graphs[i], op->dead);
    }
    if (op->due.more) {
        note_more(op->owner, op->dead);
    }
    if (op->due.next > op->due.now) {
        set_alarm(op->owner, (op->due.next - op->due.now) * 1000);
    }
    /* the hub notices who is not there any more */
    for (i = 0; i < op->due.nowners && !op->dead; i++) {
        mastra_bus_msg_t ping = { .kind = MASTRA_BUS_RUN_PING, .key = "" };

        if (strcmp(op->due.owners[i], op->owner->address)) {
            mastra_hub_tell(op->owner->env->hub, op->due.owners[i], &ping);
        }
    }
}

static void search(struct mastra_owner_t *owner, const char *dead)
{
    op_t *op;

    if (owner->stopping || (owner->searching && !dead)) {
        return;
    }
    op = make_op(owner);
    op->dead = apr_pstrdup(op->pool, dead);
    owner->searching++;
    submit(op, MASTRA_STORE_READ, find_due, after_search);
}

void mastra_owner_sleeps(mastra_workflow_env_t *env, apr_int64_t wake)
{
    set_alarm(env->owner, (wake - mastra_text_now_ms()) * 1000);
}

/* ---- leases ---- */

static void note(apr_hash_t *hash, const char *id, int epoch, apr_pool_t *pool)
{
    apr_hash_set(hash, apr_pstrdup(pool, id), APR_HASH_KEY_STRING,
                 apr_pmemdup(pool, &epoch, sizeof(epoch)));
}

static int noted(apr_hash_t *hash, const char *id, int epoch)
{
    const int *have = apr_hash_get(hash, id, APR_HASH_KEY_STRING);

    return have && *have == epoch;
}

static apr_status_t renew(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    op_t *op = baton;
    mastra_flow_row_t *rows;
    int i, n = 0;
    apr_status_t rv = mastra_flows_renew(&rows, &n, db, op->owner->address,
                                         op->owner->env->lease, pool);

    op->after_hash = apr_hash_make(op->pool);
    op->halts = apr_hash_make(op->pool);
    for (i = 0; rv == APR_SUCCESS && i < n; i++) {
        note(op->after_hash, rows[i].id, rows[i].epoch, op->pool);
        if (rows[i].halt) {
            note(op->halts, rows[i].id, rows[i].epoch, op->pool);
        }
    }
    return rv;
}

static void halt(mastra_workflow_run_t *run)
{
    while (run->live) {
        mastra_step_cancel(run->live);
    }
    run->ready = NULL;
    run->inside = run->inside_line = NULL;
    if (run->batch) {
        /* what is being stored comes first */
        run->halted = 1;
        return;
    }
    mastra_commit_end(run, "canceled");
}

/* What was claimed since, or is being settled, is not meant. */
static void after_renew(op_t *op)
{
    apr_hash_index_t *i;
    apr_array_header_t *all = apr_array_make(op->pool, 16,
                                             sizeof(mastra_workflow_run_t *));
    int j;

    for (i = apr_hash_first(op->pool, op->owner->runs); i;
         i = apr_hash_next(i)) {
        APR_ARRAY_PUSH(all, void *) = apr_hash_this_val(i);
    }
    for (j = 0; op->rv == APR_SUCCESS && j < all->nelts; j++) {
        mastra_workflow_run_t *run = APR_ARRAY_IDX(all, j,
                                                   mastra_workflow_run_t *);

        if (run->over || run->batch
            || !noted(op->before, run->row.id, run->row.epoch)) {
            continue;
        }
        if (!noted(op->after_hash, run->row.id, run->row.epoch)) {
            mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3205) "run %s is "
                       "another process's by now: this one stops",
                       run->row.id);
            mastra_commit_drop(run);
        }
        else if (noted(op->halts, run->row.id, run->row.epoch)) {
            halt(run);
        }
    }
}

static void renew_all(struct mastra_owner_t *owner)
{
    apr_hash_index_t *i;
    op_t *op;

    if (!apr_hash_count(owner->runs)) {
        return;
    }
    op = make_op(owner);
    op->before = apr_hash_make(op->pool);
    for (i = apr_hash_first(op->pool, owner->runs); i; i = apr_hash_next(i)) {
        const mastra_workflow_run_t *run = apr_hash_this_val(i);

        note(op->before, run->row.id, run->row.epoch, op->pool);
    }
    submit(op, MASTRA_STORE_WRITE, renew, after_renew);
}

static void on_tick(void *baton)
{
    struct mastra_owner_t *owner = baton;
    unsigned third = (unsigned)(owner->env->lease / 3 / TICK);

    owner->ticks++;
    if (owner->ticks % (third ? third : 1) == 0) {
        renew_all(owner);
    }
    search(owner, NULL);
    mastra_loop_timer_set(owner->loop, &owner->tick, TICK, on_tick, owner);
}

/* ---- hints ---- */

/* Somebody has left a mark in the run's row: it is looked at at once. */
static void on_message(void *baton, const char *from,
                       const mastra_bus_msg_t *msg)
{
    struct mastra_owner_t *owner = baton;

    if (msg->kind == MASTRA_BUS_RUN_HALT
        && apr_hash_get(owner->runs, msg->key, APR_HASH_KEY_STRING)) {
        renew_all(owner);
    }
    else if (msg->kind == MASTRA_BUS_RUN_HERE) {
        mastra_log_owner(owner->events, msg->key, from);
    }
}

static void on_dead(void *baton, const char *address)
{
    search(baton, address);
}

/* ---- life ---- */

void mastra_owner_forget(mastra_workflow_run_t *run)
{
    struct mastra_owner_t *owner = run->env->owner;

    if (apr_hash_get(owner->runs, run->row.id, APR_HASH_KEY_STRING) == run) {
        apr_hash_set(owner->runs, run->row.id, APR_HASH_KEY_STRING, NULL);
        mastra_owner_maybe_stopped(owner);
    }
}

/* Not at once: the child is still being set up. */
static void begin(void *baton)
{
    struct mastra_owner_t *owner = baton;

    mastra_loop_timer_set(owner->loop, &owner->tick, FIRST_TICK, on_tick,
                          owner);
}

/* The loop's own pool: the child's is used by the thread that starts it. */
void mastra_workflows_start(mastra_workflow_env_t *env)
{
    struct mastra_owner_t *owner;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_owner")) {
        abort();
    }
    owner = apr_pcalloc(pool, sizeof(*owner));
    env->owner = owner;
    owner->env = env;
    owner->pool = pool;
    owner->loop = env->loop;
    owner->events = mastra_hub_events(env->hub);
    owner->address = mastra_hub_address(env->hub);
    owner->runs = apr_hash_make(pool);
    owner->waits = apr_hash_make(pool);
    owner->unusable = apr_hash_make(pool);
    owner->peer.message = on_message;
    owner->peer.dead = on_dead;
    owner->peer.baton = owner;
    mastra_hub_join(env->hub, &owner->peer);
    owner->msg.cb = begin;
    owner->msg.baton = owner;
    mastra_loop_post(env->loop, &owner->msg);
}
