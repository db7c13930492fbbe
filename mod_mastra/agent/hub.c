/* The hub: what the child does for its channels from time to time, and what
 * other children tell it. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "hub_internal.h"
#include "../base/log.h"
#include "../base/pool.h"
#include "../store/events.h"
#include "../store/runs.h"

#define TICK apr_time_from_sec(1)
#define SEARCH_TICKS 3           /* for leases that have ended */
#define SWEEP_TICKS 300
#define EVENTS_KEPT apr_time_from_sec(7 * 86400)
#define CHANNELS_AGE apr_time_from_sec(7 * 86400)

/* ---- jobs ---- */

mastra_hub_op_t *mastra_hub_op_make(mastra_hub_t *hub, mastra_agent_env_t *env,
                                    apr_size_t size)
{
    mastra_hub_op_t *op;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_hub")) {
        abort();
    }
    op = apr_pcalloc(pool, sizeof(*op));
    op->pool = pool;
    op->hub = hub;
    op->env = env;
    op->data = apr_pcalloc(pool, size);
    return op;
}

static apr_status_t run_op(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_hub_op_t *op = baton;

    return op->run(db, op, pool);
}

static void op_done(void *baton, apr_status_t rv)
{
    mastra_hub_op_t *op = baton;

    op->rv = rv;
    mastra_loop_post(op->hub->loop, &op->msg);
}

static void op_over(void *baton)
{
    mastra_hub_op_t *op = baton;

    op->after(op);
    apr_pool_destroy(op->pool);
}

void mastra_hub_op_submit(mastra_hub_op_t *op, mastra_store_mode_e mode,
                          mastra_store_run_cb *run,
                          void (*after)(mastra_hub_op_t *op))
{
    apr_status_t rv;

    op->run = run;
    op->after = after;
    op->job.mode = mode;
    op->job.run = run_op;
    op->job.done = op_done;
    op->job.baton = op;
    op->msg.cb = op_over;
    op->msg.baton = op;
    rv = op->env->store ? mastra_store_submit(op->env->store, &op->job)
                        : APR_ENOTIMPL;
    if (rv) {
        op->rv = rv;
        mastra_loop_defer(op->hub->loop, &op->msg);
    }
}

/* ---- taking over ---- */

typedef struct {
    const char *id, *dead;
    mastra_claim_t *over, *next;
} rescue_t;

/* A durable run takes its channel along, when it goes on. */
int mastra_hub_endures(const mastra_channel_row_t *row, mastra_db_t *db,
                       apr_pool_t *pool)
{
    mastra_run_row_t run;

    return *row->run
           && mastra_runs_get(&run, db, row->host, row->run, pool)
                  == APR_SUCCESS
           && !strcmp(run.kind, MASTRA_RUN_DURABLE)
           && !strcmp(run.status, "running");
}

static apr_status_t rescue(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_hub_op_t *op = baton;
    rescue_t *work = op->data;
    mastra_channel_row_t row;
    apr_status_t rv;

    mastra_claim_free(work->over);
    mastra_claim_free(work->next);
    work->over = work->next = NULL;
    rv = mastra_channels_lock_id(&row, db, work->id, pool);
    if (rv || row.status != MASTRA_CHANNEL_RUNNING
        || !(mastra_channel_lapsed(&row)
             || (work->dead && !strcmp(row.owner, work->dead)))) {
        return rv == MASTRA_STORE_NOT_FOUND ? APR_SUCCESS : rv;
    }
    if (mastra_hub_endures(&row, db, pool)) {
        return APR_SUCCESS;
    }
    rv = mastra_claim_over(&work->next, op->hub, op->env, &row, db, pool);
    if (rv == APR_SUCCESS && !work->next) {
        work->over = mastra_claim_make(op->env, &row);
    }
    return rv;
}

static void after_rescue(mastra_hub_op_t *op)
{
    rescue_t *work = op->data;

    if (op->rv == APR_SUCCESS && (work->next || work->over)) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3009) "the process that "
                   "worked for thread %s has gone: this one takes over",
                   (work->next ? work->next : work->over)->thread);
    }
    if (op->rv == APR_SUCCESS && work->next) {
        mastra_hub_begin(work->next);
        work->next = NULL;
    }
    if (op->rv == APR_SUCCESS && work->over) {
        mastra_hub_announce(op->hub, work->over, MASTRA_BEGIN_OVER);
    }
    mastra_claim_free(work->next);
    mastra_claim_free(work->over);
}

void mastra_hub_rescue(mastra_hub_t *hub, mastra_agent_env_t *env,
                       const char *id, const char *dead)
{
    mastra_hub_op_t *op;
    rescue_t *work;

    if (hub->stopping) {
        return;
    }
    op = mastra_hub_op_make(hub, env, sizeof(rescue_t));
    work = op->data;
    work->id = apr_pstrdup(op->pool, id);
    work->dead = apr_pstrdup(op->pool, dead);
    mastra_hub_op_submit(op, MASTRA_STORE_WRITE, rescue, after_rescue);
}

typedef struct {
    const char *owner;               /* NULL: whose lease has ended */
    const char **ids;
    int n;
} search_t;

static apr_status_t search(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_hub_op_t *op = baton;
    search_t *found = op->data;
    const char *const *ids;
    int i, n = 0;
    apr_status_t rv = found->owner
                          ? mastra_channels_of_owner(&ids, &n, db,
                                                     op->env->host,
                                                     found->owner, pool)
                          : mastra_channels_lapsed(&ids, &n, db,
                                                   op->env->host, pool);

    if (rv == APR_SUCCESS) {
        found->ids = apr_palloc(op->pool, sizeof(*found->ids)
                                              * (apr_size_t)(n + 1));
        for (i = 0; i < n; i++) {
            found->ids[i] = apr_pstrdup(op->pool, ids[i]);
        }
        found->n = n;
    }
    return rv;
}

static void after_search(mastra_hub_op_t *op)
{
    search_t *found = op->data;
    int i;

    for (i = 0; op->rv == APR_SUCCESS && i < found->n; i++) {
        mastra_hub_rescue(op->hub, op->env, found->ids[i], found->owner);
    }
}

static void search_all(mastra_hub_t *hub, const char *owner)
{
    int i;

    for (i = 0; i < hub->envs->nelts; i++) {
        mastra_hub_op_t *op = mastra_hub_op_make(
            hub, APR_ARRAY_IDX(hub->envs, i, mastra_agent_env_t *),
            sizeof(search_t));

        ((search_t *)op->data)->owner = apr_pstrdup(op->pool, owner);
        mastra_hub_op_submit(op, MASTRA_STORE_READ, search, after_search);
    }
}

void mastra_hub_owner_dead(void *baton, const char *address)
{
    mastra_hub_t *hub = baton;

    if (strcmp(address, hub->address)) {
        search_all(hub, address);
        mastra_hub_find_orphans(hub, address);
        mastra_hub_tell_dead(hub, address);
    }
}

/* ---- leases ---- */

typedef struct {
    apr_hash_t *before;              /* what was ours: id → epoch */
    apr_hash_t *now;
    apr_hash_t *halts;
} renewal_t;

static void note(apr_hash_t *hash, const char *id, int epoch, apr_pool_t *pool)
{
    apr_hash_set(hash, apr_pstrdup(pool, id), APR_HASH_KEY_STRING,
                 apr_pmemdup(pool, &epoch, sizeof(epoch)));
}

static int noted(apr_hash_t *hash, const mastra_channel_t *channel)
{
    const int *epoch = apr_hash_get(hash, channel->claim->id,
                                    APR_HASH_KEY_STRING);

    return epoch && *epoch == channel->claim->epoch;
}

static apr_status_t renew(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_hub_op_t *op = baton;
    renewal_t *renewal = op->data;
    mastra_channel_row_t *rows;
    int i, n = 0;
    apr_status_t rv = mastra_channels_renew(&rows, &n, db, op->hub->address,
                                            op->hub->lease, pool);

    renewal->now = apr_hash_make(op->pool);
    renewal->halts = apr_hash_make(op->pool);
    for (i = 0; rv == APR_SUCCESS && i < n; i++) {
        note(renewal->now, rows[i].id, rows[i].epoch, op->pool);
        if (rows[i].halt) {
            note(renewal->halts, rows[i].id, rows[i].epoch, op->pool);
        }
    }
    return rv;
}

/* What was claimed since the job began is not in it, and what is being
 * released may have gone from it: neither is lost. */
static void check_lease(const renewal_t *renewal, mastra_channel_t *channel)
{
    if (!channel->run || !mastra_run_is_at_work(channel->run)
        || !noted(renewal->before, channel)) {
        return;
    }
    if (!noted(renewal->now, channel)) {
        mastra_channel_lost(channel);
    }
    else if (noted(renewal->halts, channel)) {
        mastra_agent_run_abort(channel->run);
    }
}

/* The channels of a store here; a copy, as they may go while it is used. */
static apr_array_header_t *owned_of(const mastra_hub_t *hub,
                                    const mastra_store_t *store,
                                    apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 16,
                                             sizeof(mastra_channel_t *));
    apr_hash_index_t *i;

    for (i = apr_hash_first(pool, hub->owned); i; i = apr_hash_next(i)) {
        mastra_channel_t *channel = apr_hash_this_val(i);

        if (channel->env->store == store) {
            APR_ARRAY_PUSH(all, mastra_channel_t *) = channel;
        }
    }
    return all;
}

static void after_renew(mastra_hub_op_t *op)
{
    apr_array_header_t *all = owned_of(op->hub, op->env->store, op->pool);
    int i;

    for (i = 0; op->rv == APR_SUCCESS && i < all->nelts; i++) {
        check_lease(op->data, APR_ARRAY_IDX(all, i, mastra_channel_t *));
    }
}

int mastra_hub_is_repeated(const mastra_hub_t *hub, int index)
{
    int i;

    for (i = 0; i < index; i++) {
        if (APR_ARRAY_IDX(hub->envs, i, mastra_agent_env_t *)->store
            == APR_ARRAY_IDX(hub->envs, index, mastra_agent_env_t *)->store) {
            return 1;
        }
    }
    return 0;
}

/* A third of the lease has passed. */
static int is_time(const mastra_hub_t *hub)
{
    return hub->ticks % (unsigned)(hub->lease / 3 / TICK) == 0;
}

static void renew_all(mastra_hub_t *hub)
{
    int i, j;

    for (i = 0; i < hub->envs->nelts; i++) {
        mastra_agent_env_t *env = APR_ARRAY_IDX(hub->envs, i,
                                                mastra_agent_env_t *);
        mastra_hub_op_t *op;
        apr_array_header_t *all;
        renewal_t *renewal;

        if (mastra_hub_is_repeated(hub, i)) {
            continue;
        }
        op = mastra_hub_op_make(hub, env, sizeof(*renewal));
        renewal = op->data;
        renewal->before = apr_hash_make(op->pool);
        all = owned_of(hub, env->store, op->pool);
        for (j = 0; j < all->nelts; j++) {
            mastra_channel_t *channel = APR_ARRAY_IDX(all, j,
                                                      mastra_channel_t *);

            note(renewal->before, channel->claim->id, channel->claim->epoch,
                 op->pool);
        }
        if (all->nelts) {
            mastra_hub_op_submit(op, MASTRA_STORE_WRITE, renew, after_renew);
        }
        else {
            apr_pool_destroy(op->pool);
        }
    }
}

/* ---- what has become old ---- */

/* As long as the longest of the hosts with its store says. */
static apr_interval_time_t history_of(const mastra_hub_op_t *op)
{
    apr_interval_time_t longest = 0;
    int i;

    for (i = 0; i < op->hub->envs->nelts; i++) {
        const mastra_agent_env_t *env = APR_ARRAY_IDX(op->hub->envs, i,
                                                      mastra_agent_env_t *);

        if (env->store == op->env->store && env->history > longest) {
            longest = env->history;
        }
    }
    return longest;
}

static apr_status_t sweep(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    const mastra_hub_op_t *op = baton;
    apr_interval_time_t age = history_of(op);
    const mastra_hub_kind_t *kind = op->hub->kinds;
    apr_status_t rv = mastra_events_sweep(NULL, db, age, EVENTS_KEPT, pool);

    for (; kind && rv == APR_SUCCESS; kind = kind->next) {
        rv = mastra_runs_sweep(db, kind->name, age, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_calls_sweep(db, age, pool);
    }
    return rv ? rv : mastra_channels_sweep(NULL, db, CHANNELS_AGE, pool);
}

static void after_sweep(mastra_hub_op_t *op)
{
    if (op->rv) {
        mastra_log(MASTRA_LOG_DEBUG, op->rv, "old events stay for now");
    }
}

static void sweep_all(mastra_hub_t *hub)
{
    int i;

    for (i = 0; i < hub->envs->nelts; i++) {
        if (!mastra_hub_is_repeated(hub, i)) {
            mastra_hub_op_submit(
                mastra_hub_op_make(hub, APR_ARRAY_IDX(hub->envs, i,
                                                      mastra_agent_env_t *),
                                   0),
                MASTRA_STORE_WRITE, sweep, after_sweep);
        }
    }
}

static void on_tick(void *baton)
{
    mastra_hub_t *hub = baton;

    hub->ticks++;
    mastra_hub_poll(hub);
    if (is_time(hub)) {
        renew_all(hub);
    }
    if (hub->ticks % SEARCH_TICKS == 0) {
        search_all(hub, NULL);
        mastra_hub_find_orphans(hub, NULL);
    }
    if (hub->ticks % hub->sweep_ticks == 0) {
        sweep_all(hub);
    }
    mastra_loop_timer_set(hub->loop, &hub->tick, TICK, on_tick, hub);
}

/* ---- hints ---- */

static mastra_agent_env_t *env_of(const mastra_hub_t *hub, const char *host,
                                  apr_size_t len)
{
    int i;

    for (i = 0; i < hub->envs->nelts; i++) {
        mastra_agent_env_t *env = APR_ARRAY_IDX(hub->envs, i,
                                                mastra_agent_env_t *);

        if (strlen(env->host) == len && !memcmp(env->host, host, len)) {
            return env;
        }
    }
    return NULL;
}

static void woken(mastra_hub_t *hub, const char *id, int flags)
{
    mastra_channel_t *channel = apr_hash_get(hub->owned, id,
                                             APR_HASH_KEY_STRING);

    if (!channel) {
        return;
    }
    if (flags & MASTRA_WAKE_QUEUE) {
        channel->pending = 1;
    }
    if (flags & MASTRA_WAKE_HALT) {
        mastra_channel_halt(channel);
    }
}

void mastra_hub_wake(mastra_hub_t *hub, mastra_agent_env_t *env,
                     const char *id, const char *owner, int flags)
{
    mastra_bus_msg_t msg = { .kind = MASTRA_BUS_WAKE, .flags = flags,
                             .key = id };

    if (!strcmp(owner, hub->address)) {
        woken(hub, id, flags);
    }
    else if (hub->bus && mastra_bus_is_near(hub->bus, owner)
             && mastra_bus_post(hub->bus, owner, &msg) == APR_ENOENT) {
        mastra_hub_rescue(hub, env, id, owner);
    }
}

/* "log\nrun" */
static void begun(mastra_hub_t *hub, const char *from,
                  const mastra_bus_msg_t *msg)
{
    char text[1024], *run;

    if (msg->len >= sizeof(text)) {
        return;
    }
    memcpy(text, msg->data, msg->len);
    text[msg->len] = '\0';
    run = strchr(text, '\n');
    if (run) {
        *run++ = '\0';
        mastra_hub_on_begin(hub, msg->key, (int)msg->seq, run, text,
                            msg->flags & MASTRA_BEGIN_OVER ? NULL : from);
    }
}

static void on_message(void *baton, const char *from,
                       const mastra_bus_msg_t *msg)
{
    mastra_hub_t *hub = baton;
    mastra_agent_env_t *env;

    if (msg->kind >= MASTRA_BUS_ABOVE) {
        mastra_hub_pass_on(hub, from, msg);
    }
    else if (msg->kind < MASTRA_BUS_LOGS_END) {
        mastra_events_message(hub->events, from, msg);
    }
    else if (msg->kind == MASTRA_BUS_BEGIN) {
        begun(hub, from, msg);
    }
    else if (msg->kind == MASTRA_BUS_WAKE && msg->flags & MASTRA_WAKE_LEFT) {
        env = env_of(hub, msg->data, msg->len);
        if (env) {
            mastra_hub_rescue(hub, env, msg->key, NULL);
        }
    }
    else if (msg->kind == MASTRA_BUS_WAKE) {
        woken(hub, msg->key, msg->flags);
    }
}

/* ---- life ---- */

static void start(void *baton)
{
    on_tick(baton);
}

/* In a pool of the loop's own: the child's is used by the threads that start
 * it, which is not over when this begins to work. */
mastra_hub_t *mastra_hub_make(mastra_loop_t *loop, mastra_bus_t *bus)
{
    mastra_hub_t *hub;
    char number[17];
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_hub")) {
        abort();
    }
    hub = apr_pcalloc(pool, sizeof(*hub));
    mastra_text_random_hex(number, 8);
    hub->pool = pool;
    hub->loop = loop;
    hub->lease = MASTRA_CHANNEL_LEASE_MIN;
    hub->sweep_ticks = SWEEP_TICKS;
    hub->bus = bus;
    hub->address = bus ? mastra_bus_address(bus)
                       : apr_pstrcat(pool, "alone.", number, NULL);
    hub->events = mastra_events_make(loop, bus, pool);
    hub->envs = apr_array_make(pool, 2, sizeof(mastra_agent_env_t *));
    hub->polled = apr_array_make(pool, 2, sizeof(apr_int64_t));
    hub->owned = apr_hash_make(pool);
    hub->watched = apr_hash_make(pool);
    hub->stop = mastra_hub_make_stop(hub, pool);
    mastra_hub_add_agents(hub);
    mastra_events_on_dead(hub->events, mastra_hub_owner_dead, hub);
    /* children do not all look at the same time */
    hub->ticks = (unsigned)(apr_time_now() % SWEEP_TICKS);
    return hub;
}

void mastra_hub_add(mastra_hub_t *hub, mastra_agent_env_t *env)
{
    APR_ARRAY_PUSH(hub->envs, mastra_agent_env_t *) = env;
    APR_ARRAY_PUSH(hub->polled, apr_int64_t) = 0;
    if (env->history < 4 * SWEEP_TICKS * TICK) {
        unsigned quarter = (unsigned)(env->history / (4 * TICK));

        hub->sweep_ticks = quarter < 1 ? 1 : quarter < hub->sweep_ticks
                                             ? quarter : hub->sweep_ticks;
    }
    env->hub = hub;
    if (env->lease > hub->lease) {
        hub->lease = env->lease;
    }
    if (hub->envs->nelts == 1) {
        hub->msg.cb = start;
        hub->msg.baton = hub;
    }
}

void mastra_hub_start(mastra_hub_t *hub)
{
    if (hub->bus) {
        mastra_bus_listen(hub->bus, on_message, hub);
    }
    if (hub->envs->nelts) {
        mastra_loop_post(hub->loop, &hub->msg);
    }
}
