/* Durable runs that nobody goes on with: found from time to time, when an owner
 * is dead, and when a client asks for it. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "hub_internal.h"
#include "../base/log.h"
#include "../store/runs.h"

/* ---- taking over ---- */

static void recover(mastra_agent_env_t *env, const mastra_agent_t *agent,
                    const char *id, const char *dead)
{
    mastra_agent_run_t *run = mastra_agent_run_recover(env, agent, id, dead);

    if (run) {
        mastra_agent_run_begin(run, NULL);
    }
}

void mastra_hub_add_kind(mastra_hub_t *hub, mastra_hub_kind_t *kind)
{
    kind->next = hub->kinds;
    hub->kinds = kind;
}

void mastra_hub_add_agents(mastra_hub_t *hub)
{
    mastra_hub_kind_t *kind = apr_pcalloc(hub->pool, sizeof(*kind));

    kind->name = MASTRA_RUN_DURABLE;
    kind->recover = recover;
    mastra_hub_add_kind(hub, kind);
}

const mastra_hub_kind_t *mastra_hub_kind(const mastra_hub_t *hub,
                                         const char *name)
{
    const mastra_hub_kind_t *kind = hub->kinds;

    while (kind && strcmp(kind->name, name)) {
        kind = kind->next;
    }
    return kind;
}

typedef struct {
    const mastra_hub_kind_t *kind;
    const char *dead;                /* NULL: whose lease has ended */
    mastra_run_row_t *rows;
    int n;
} orphans_t;

static apr_status_t find(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_hub_op_t *op = baton;
    orphans_t *found = op->data;
    mastra_run_row_t *rows;
    int i, n = 0;
    apr_status_t rv = mastra_runs_orphans(&rows, &n, db, op->env->host,
                                          found->kind->name, found->dead,
                                          pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    found->rows = apr_pcalloc(op->pool, sizeof(*rows) * (apr_size_t)(n + 1));
    for (i = 0; i < n; i++) {
        found->rows[i].id = apr_pstrdup(op->pool, rows[i].id);
        found->rows[i].name = apr_pstrdup(op->pool, rows[i].name);
    }
    found->n = n;
    return APR_SUCCESS;
}

/* ---- a run whose agent is gone ends ---- */

static apr_status_t retire(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_hub_op_t *op = baton;
    const char *id = *(const char **)op->data;
    mastra_json_t *snapshot = NULL;
    mastra_run_row_t row = { NULL };
    int epoch = 0;
    apr_status_t rv = mastra_runs_take(&snapshot, &epoch, &row, db,
                                       op->env->host, id, op->hub->address,
                                       NULL, op->env->lease, pool);

    mastra_json_unref(snapshot);
    return rv ? rv : mastra_runs_retire(db, &row, epoch, pool);
}

static void after_retire(mastra_hub_op_t *op)
{
    if (op->rv == APR_SUCCESS) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3013) "run %s cannot go "
                   "on: its agent is not there any more",
                   *(const char **)op->data);
    }
}

static void end_run(mastra_hub_op_t *from, const char *id)
{
    mastra_hub_op_t *op = mastra_hub_op_make(from->hub, from->env,
                                             sizeof(id));

    *(const char **)op->data = apr_pstrdup(op->pool, id);
    mastra_hub_op_submit(op, MASTRA_STORE_WRITE, retire, after_retire);
}

static void after_find(mastra_hub_op_t *op)
{
    const orphans_t *found = op->data;
    int i;

    for (i = 0; op->rv == APR_SUCCESS && !op->hub->stopping && i < found->n;
         i++) {
        const mastra_agent_t *agent = mastra_agents_find(op->env->agents,
                                                         found->rows[i].name);

        if (agent) {
            found->kind->recover(op->env, agent, found->rows[i].id,
                                 found->dead);
        }
        else {
            end_run(op, found->rows[i].id);
        }
    }
}

static void find_of_host(mastra_hub_t *hub, mastra_agent_env_t *env,
                         const char *dead)
{
    const mastra_hub_kind_t *kind;

    for (kind = hub->kinds; kind; kind = kind->next) {
        mastra_hub_op_t *op = mastra_hub_op_make(hub, env, sizeof(orphans_t));

        ((orphans_t *)op->data)->kind = kind;
        ((orphans_t *)op->data)->dead = apr_pstrdup(op->pool, dead);
        mastra_hub_op_submit(op, MASTRA_STORE_READ, find, after_find);
    }
}

void mastra_hub_find_orphans(mastra_hub_t *hub, const char *dead)
{
    int i;

    for (i = 0; i < hub->envs->nelts && !mastra_hub_leaves(hub); i++) {
        find_of_host(hub, APR_ARRAY_IDX(hub->envs, i, mastra_agent_env_t *),
                     dead);
    }
}

/* ---- a client asks for it: request thread ---- */

typedef struct {
    mastra_agent_env_t *env;
    const char *run_id;
    mastra_run_row_t row;
    apr_pool_t *pool;
} looking_t;

static apr_status_t look(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    looking_t *looking = baton;
    mastra_run_row_t row;
    apr_status_t rv = mastra_runs_get(&row, db, looking->env->host,
                                      looking->run_id, pool);

    if (rv == APR_SUCCESS) {
        looking->row.kind = apr_pstrdup(looking->pool, row.kind);
        looking->row.name = apr_pstrdup(looking->pool, row.name);
        looking->row.resource_id = apr_pstrdup(looking->pool,
                                               row.resource_id);
        looking->row.status = apr_pstrdup(looking->pool, row.status);
        looking->row.lapsed = row.lapsed;
    }
    return rv;
}

typedef struct {
    const mastra_hub_kind_t *kind;
    mastra_agent_env_t *env;
    const mastra_agent_t *agent;
    char *id;
    mastra_msg_t msg;
} wanted_t;

static void on_wanted(void *baton)
{
    wanted_t *wanted = baton;

    if (!mastra_hub_leaves(wanted->env->hub)) {
        wanted->kind->recover(wanted->env, wanted->agent, wanted->id, NULL);
    }
    free(wanted->id);
    free(wanted);
}

static void post(const mastra_hub_kind_t *kind, mastra_agent_env_t *env,
                 const mastra_agent_t *agent, const char *id)
{
    wanted_t *wanted = calloc(1, sizeof(*wanted));

    if (!wanted || !(wanted->id = strdup(id))) {
        abort();
    }
    wanted->kind = kind;
    wanted->env = env;
    wanted->agent = agent;
    wanted->msg.cb = on_wanted;
    wanted->msg.baton = wanted;
    mastra_loop_post(env->loop, &wanted->msg);
}

/* Whose run it is, and that the agent has such runs: every agent that leads a
 * network does. */
static mastra_result_t *check(const looking_t *looking,
                              const mastra_hub_kind_t *kind,
                              const mastra_agent_t *agent,
                              const char *resource_id)
{
    const mastra_run_row_t *row = &looking->row;

    if (!agent->durable && (!kind || !strcmp(kind->name, MASTRA_RUN_DURABLE))) {
        return mastra_result_make(looking->pool, 400, "AGENT_NOT_DURABLE",
                                  "Agent does not support recover. Only "
                                  "durable agents (createDurableAgent) can "
                                  "recover runs.");
    }
    if (!kind || strcmp(row->name, agent->id)
        || (resource_id && (!row->resource_id
                            || strcmp(row->resource_id, resource_id)))) {
        return mastra_result_make(looking->pool, 404, "RUN_NOT_FOUND",
                                  "Agent \"%s\" has no run \"%s\" that "
                                  "could go on: it may be over for long, or "
                                  "never have been", agent->name,
                                  looking->run_id);
    }
    return strcmp(row->status, "suspended")
               ? NULL : mastra_result_make(looking->pool, 409,
                                           "RUN_SUSPENDED", "This run waits "
                                           "for a decision: resume it");
}

mastra_result_t *mastra_hub_recover(mastra_agent_env_t *env,
                                    const mastra_agent_t *agent,
                                    const char *resource_id,
                                    const char *run_id, apr_pool_t *pool)
{
    looking_t looking = { .env = env, .run_id = run_id, .pool = pool };
    apr_status_t rv = mastra_store_call(env->store, MASTRA_STORE_READ, look,
                                        &looking);
    const mastra_hub_kind_t *kind;
    mastra_result_t *error;

    if (rv && rv != MASTRA_STORE_NOT_FOUND) {
        return mastra_store_result(pool, rv, "look for the run");
    }
    kind = rv ? NULL : mastra_hub_kind(env->hub, looking.row.kind);
    error = check(&looking, kind, agent, resource_id);
    if (!error && looking.row.lapsed) {
        post(kind, env, agent, run_id);
    }
    return error;
}
