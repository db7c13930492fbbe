/* What clients ask of schedules: request threads, which wait for storage. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"

#define TRIES 5
#define TRIGGERS 100
#define MAX_TRIGGERS 1000

typedef struct {
    mastra_schedule_ask_t *ask;
    const char *id;
    const mastra_json_t *filter;
    mastra_schedule_row_t row;       /* as it was read */
    mastra_schedule_row_t changed;
    apr_int64_t now;
    mastra_json_t *made;
} asking_t;

static mastra_result_t *refuse(asking_t *asking, int status, const char *code,
                               const char *message)
{
    asking->ask->error = mastra_result_make(asking->ask->pool, status, code,
                                            "%s", message);
    return asking->ask->error;
}

/* 1: it went well; else the error is set. */
static int call(asking_t *asking, mastra_store_mode_e mode,
                mastra_store_run_cb *job, const char *what)
{
    apr_status_t rv = mastra_store_call(asking->ask->env->store, mode, job,
                                        asking);

    if (rv == MASTRA_STORE_NOT_FOUND) {
        refuse(asking, 404, "SCHEDULE_NOT_FOUND", "Schedule not found");
    }
    else if (rv == MASTRA_STORE_STALE) {
        refuse(asking, 409, "SCHEDULE_CHANGED", "The schedule was changed by "
               "somebody else meanwhile");
    }
    else if (rv) {
        asking->ask->error = mastra_store_result(asking->ask->pool, rv, what);
    }
    return rv == APR_SUCCESS;
}

/* ---- reading ---- */

/* An agent's may be named without its prefix. */
static apr_status_t read_row(mastra_db_t *db, asking_t *asking)
{
    apr_pool_t *pool = asking->ask->pool;
    const char *host = asking->ask->env->host;
    apr_status_t rv = mastra_schedules_clock(&asking->now, db, pool);

    if (rv == APR_SUCCESS) {
        rv = mastra_schedules_get(&asking->row, db, host, asking->id, pool);
    }
    if (rv == MASTRA_STORE_NOT_FOUND) {
        const char *id = mastra_plan_id(asking->id, 1, pool);

        rv = id ? mastra_schedules_get(&asking->row, db, host, id, pool) : rv;
    }
    if (rv == APR_SUCCESS
        && !mastra_plan_is_theirs(&asking->row, asking->ask->owner)) {
        return MASTRA_STORE_NOT_FOUND;
    }
    return rv;
}

static apr_status_t view(mastra_json_t **pmade, mastra_db_t *db,
                         const mastra_schedule_row_t *row, apr_pool_t *pool)
{
    mastra_run_brief_t run = { 0 };
    apr_status_t rv = APR_SUCCESS;

    if (row->last_run && !mastra_plan_is_agent(row->target)) {
        rv = mastra_schedules_run(&run, db, row->last_run, pool);
    }
    if (rv == APR_SUCCESS) {
        *pmade = mastra_view_schedule(row, &run);
    }
    return rv;
}

static void drop_made(asking_t *asking)
{
    mastra_json_unref(asking->made);
    asking->made = NULL;
}

static apr_status_t get_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    asking_t *asking = baton;
    apr_status_t rv = read_row(db, asking);

    drop_made(asking);
    return rv ? rv : view(&asking->made, db, &asking->row, pool);
}

mastra_json_t *mastra_schedule_get(mastra_schedule_ask_t *ask, const char *id)
{
    asking_t asking = { .ask = ask, .id = id };

    return call(&asking, MASTRA_STORE_READ, get_job, "read the schedule")
               ? asking.made : NULL;
}

static int is_wanted(const mastra_schedule_row_t *row,
                     const mastra_json_t *filter, const char *owner)
{
    static const char *const names[] = { "agentId", "workflowId", "threadId",
                                         "resourceId", "name", NULL };
    int i;

    for (i = 0; names[i]; i++) {
        const char *wanted = mastra_json_get_str(filter, names[i]);
        const char *have = mastra_json_get_str(row->target, names[i]);

        if (wanted && (!have || strcmp(have, wanted))) {
            return 0;
        }
    }
    return mastra_plan_is_theirs(row, owner);
}

static apr_status_t list_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    asking_t *asking = baton;
    mastra_schedule_row_t *rows;
    int i, n = 0;
    apr_status_t rv = mastra_schedules_list(
        &rows, &n, db, asking->ask->env->host,
        mastra_json_get_str(asking->filter, "status"), NULL, pool);

    drop_made(asking);
    asking->made = mastra_json_array();
    for (i = 0; i < n && rv == APR_SUCCESS; i++) {
        mastra_json_t *one = NULL;

        if (is_wanted(&rows[i], asking->filter, asking->ask->owner)) {
            rv = view(&one, db, &rows[i], pool);
            mastra_json_append(asking->made, one);
        }
    }
    return rv;
}

mastra_json_t *mastra_schedule_list(mastra_schedule_ask_t *ask,
                                    const mastra_json_t *filter)
{
    asking_t asking = { .ask = ask, .filter = filter };

    if (!call(&asking, MASTRA_STORE_READ, list_job, "read the schedules")) {
        drop_made(&asking);
        return NULL;
    }
    return mastra_json_pack("{s:o}", "schedules", asking.made);
}

static apr_status_t triggers_job(mastra_db_t *db, void *baton,
                                 apr_pool_t *pool)
{
    asking_t *asking = baton;
    apr_int64_t limit = mastra_json_get_int(asking->filter, "limit", TRIGGERS);
    mastra_trigger_t *triggers;
    mastra_run_brief_t *runs;
    int i, n = 0, is_agent;
    apr_status_t rv = read_row(db, asking);

    drop_made(asking);
    if (rv == APR_SUCCESS) {
        rv = mastra_schedules_triggers(
            &triggers, &runs, &n, db, asking->row.id,
            mastra_json_get_int(asking->filter, "fromActualFireAt", 0),
            mastra_json_get_int(asking->filter, "toActualFireAt",
                                APR_INT64_MAX),
            limit < MAX_TRIGGERS ? limit : MAX_TRIGGERS, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    is_agent = mastra_plan_is_agent(asking->row.target);
    asking->made = mastra_json_array();
    for (i = 0; i < n; i++) {
        mastra_json_append(asking->made, mastra_view_trigger(
            &triggers[i], &runs[i], is_agent));
    }
    return APR_SUCCESS;
}

mastra_json_t *mastra_schedule_triggers(mastra_schedule_ask_t *ask,
                                        const char *id,
                                        const mastra_json_t *filter)
{
    asking_t asking = { .ask = ask, .id = id, .filter = filter };

    return call(&asking, MASTRA_STORE_READ, triggers_job,
                "read the schedule's triggers")
               ? mastra_json_pack("{s:o}", "triggers", asking.made) : NULL;
}

/* ---- making ---- */

/* 1: the plan holds; the next time is set. */
static int plan(asking_t *asking, mastra_schedule_row_t *row)
{
    const char *wrong = mastra_plan_next(&row->next, row->cron, row->timezone,
                                         asking->now, asking->ask->pool);

    if (wrong) {
        refuse(asking, 500, "SCHEDULE_INVALID", wrong);
    }
    return !wrong;
}

static apr_status_t clock_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    return mastra_schedules_clock(&((asking_t *)baton)->now, db, pool);
}

static apr_status_t insert_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    return mastra_schedules_insert(db, &((asking_t *)baton)->changed, pool);
}

/* 1: the workflow or agent is there. */
static int has_target(asking_t *asking, const mastra_json_t *body)
{
    mastra_schedule_env_t *env = asking->ask->env;
    const char *agent = mastra_json_get_str(body, "agentId");
    const char *workflow = mastra_json_get_str(body, "workflowId");
    mastra_result_t *error = NULL;
    mastra_held_t *held;

    if (agent) {
        if (mastra_agents_find(env->workflows->agents->agents, agent)) {
            return 1;
        }
    }
    else {
        held = mastra_workflow_find(env->workflows, workflow, &error,
                                    asking->ask->pool);
        if (held) {
            mastra_held_unref(held);
            return 1;
        }
        if (error->status == 503) {
            asking->ask->error = error;
            return 0;
        }
    }
    refuse(asking, 404, "SCHEDULE_TARGET", apr_psprintf(
        asking->ask->pool, "%s \"%s\" not found",
        agent ? "Agent" : "Workflow", agent ? agent : workflow));
    return 0;
}

/* What they make is theirs. */
static int set_owner(asking_t *asking, mastra_json_t *target)
{
    const char *owner = asking->ask->owner;
    const char *resource = mastra_json_get_str(target, "resourceId");

    if (!owner) {
        return 1;
    }
    if (resource && strcmp(resource, owner)) {
        refuse(asking, 403, "SCHEDULE_OWNER", "Access denied: schedule "
               "belongs to a different resource");
        return 0;
    }
    mastra_json_set_str(target, "resourceId", owner);
    return 1;
}

static int fits(asking_t *asking, const char *what,
                const mastra_json_t *target)
{
    const char *wrong = mastra_plan_offends(target, asking->ask->pool);

    if (wrong) {
        refuse(asking, 400, "SCHEDULE_INVALID",
               apr_pstrcat(asking->ask->pool, what, wrong, NULL));
    }
    return !wrong;
}

static int insert(asking_t *asking)
{
    apr_status_t rv = mastra_store_call(asking->ask->env->store,
                                        MASTRA_STORE_WRITE, insert_job,
                                        asking);

    if (rv == MASTRA_STORE_EXISTS) {
        refuse(asking, 409, "SCHEDULE_EXISTS", apr_psprintf(
            asking->ask->pool, "schedules.create: a schedule with id \"%s\" "
            "already exists. Use update() to modify it or choose a different "
            "id.", asking->changed.id));
    }
    else if (rv) {
        asking->ask->error = mastra_store_result(asking->ask->pool, rv,
                                                 "keep the schedule");
    }
    return rv == APR_SUCCESS;
}

mastra_json_t *mastra_schedule_create(mastra_schedule_ask_t *ask,
                                      const mastra_json_t *body)
{
    asking_t asking = { .ask = ask };
    mastra_schedule_row_t *row = &asking.changed;

    row->target = mastra_plan_target(body, ask->pool);
    row->id = mastra_plan_id(mastra_json_get_str(body, "id"),
                             mastra_plan_is_agent(body), ask->pool);
    if (!row->id) {
        refuse(&asking, 400, "SCHEDULE_INVALID", apr_psprintf(
            ask->pool, "schedules.create: id \"%s\" is empty after "
            "normalization. Provide an id with at least one alphanumeric "
            "character.", mastra_json_get_str(body, "id")));
        return NULL;
    }
    if (!has_target(&asking, body)
        || !fits(&asking, "schedules.create: ", row->target)
        || !set_owner(&asking, row->target)
        || !call(&asking, MASTRA_STORE_READ, clock_job, "read the clock")) {
        return NULL;
    }
    row->cron = mastra_json_get_str(body, "cron");
    row->timezone = mastra_json_get_str(body, "timezone");
    if (row->timezone && !*row->timezone) {
        row->timezone = NULL;
    }
    row->status = "active";
    row->host = ask->env->host;
    row->metadata = mastra_json_get(body, "metadata");
    row->created = row->updated = asking.now;
    if (!plan(&asking, row) || !insert(&asking)) {
        return NULL;
    }
    mastra_schedule_wake(ask->env);
    return mastra_view_schedule(row, NULL);
}

/* ---- changing ---- */

static int patch_target(asking_t *asking, const mastra_json_t *patch)
{
    static const char *const agent[] = {
        "prompt", "name", "signalType", "tagName", "attributes", "ifActive",
        "ifIdle", "providerOptions", NULL
    };
    static const char *const workflow[] = {
        "inputData", "initialState", "requestContext", "resourceId", NULL
    };
    int is_agent = mastra_plan_is_agent(asking->row.target), i;
    const char *const *mine = is_agent ? agent : workflow;
    const char *const *other = is_agent ? workflow : agent;
    mastra_json_t *target = mastra_json_own(
        mastra_json_copy_flat(asking->row.target), asking->ask->pool);

    for (i = 0; other[i]; i++) {
        if (mastra_json_get(patch, other[i])) {
            refuse(asking, 400, "SCHEDULE_INVALID", apr_psprintf(
                asking->ask->pool, "schedules.update: %s only apply to %s "
                "schedules.", other[i], is_agent ? "workflow" : "agent"));
            return 0;
        }
    }
    for (i = 0; mine[i]; i++) {
        mastra_json_set(target, mine[i],
                        mastra_json_ref(mastra_json_get(patch, mine[i])));
    }
    asking->changed.target = target;
    return set_owner(asking, target)
           && fits(asking, "schedules.update: ", target);
}

/* What the row becomes. 1: it may. */
static int patch_row(asking_t *asking, const mastra_json_t *patch)
{
    mastra_schedule_row_t *row = &asking->changed;
    const char *status = mastra_json_get_str(patch, "status");
    const char *cron = mastra_json_get_str(patch, "cron");
    const char *zone = mastra_json_get_str(patch, "timezone");

    *row = asking->row;
    row->updated = asking->now > row->updated ? asking->now : row->updated + 1;
    if (!patch_target(asking, patch)) {
        return 0;
    }
    row->cron = cron ? cron : row->cron;
    row->timezone = zone ? zone : row->timezone;
    if (mastra_json_get(patch, "metadata")) {
        row->metadata = mastra_json_get(patch, "metadata");
    }
    row->status = status ? status : row->status;
    if (cron || zone || (!strcmp(row->status, "active")
                         && strcmp(asking->row.status, "active"))) {
        return plan(asking, row);
    }
    return 1;
}

static apr_status_t row_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    return read_row(db, baton);
}

static apr_status_t save_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    asking_t *asking = baton;
    apr_status_t rv = mastra_schedules_save(db, &asking->changed, &asking->row,
                                            pool);

    drop_made(asking);
    return rv ? rv : view(&asking->made, db, &asking->changed, pool);
}

mastra_json_t *mastra_schedule_update(mastra_schedule_ask_t *ask,
                                      const char *id,
                                      const mastra_json_t *patch)
{
    asking_t asking = { .ask = ask, .id = id };
    int tries;

    /* it may fire meanwhile: then it is read again */
    for (tries = 0; tries < TRIES; tries++) {
        ask->error = NULL;
        if (!call(&asking, MASTRA_STORE_READ, row_job, "read the schedule")
            || !patch_row(&asking, patch)) {
            return NULL;
        }
        if (call(&asking, MASTRA_STORE_WRITE, save_job, "keep the schedule")) {
            mastra_schedule_wake(ask->env);
            return asking.made;
        }
        if (ask->error->status != 409) {
            break;
        }
    }
    return NULL;
}

static apr_status_t delete_job(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    asking_t *asking = baton;
    apr_status_t rv = read_row(db, asking);

    return rv ? rv : mastra_schedules_delete(db, asking->row.id, pool);
}

mastra_json_t *mastra_schedule_delete(mastra_schedule_ask_t *ask,
                                      const char *id)
{
    asking_t asking = { .ask = ask, .id = id };

    return call(&asking, MASTRA_STORE_WRITE, delete_job,
                "delete the schedule")
               ? mastra_json_pack("{s:s}", "message", "Schedule deleted")
               : NULL;
}

/* ---- by hand ---- */

mastra_json_t *mastra_schedule_run(mastra_schedule_ask_t *ask, const char *id)
{
    asking_t asking = { .ask = ask, .id = id };
    mastra_firing_t firing = { 0 };
    const char *prefix;

    if (!call(&asking, MASTRA_STORE_READ, row_job, "read the schedule")) {
        return NULL;
    }
    prefix = mastra_plan_is_agent(asking.row.target) ? "manual" : "sched";
    firing.scheduled = asking.now;
    firing.run = apr_psprintf(ask->pool, "%s_%s_%" APR_INT64_T_FMT, prefix,
                              asking.row.id, asking.now);
    ask->error = mastra_schedule_fire(&firing, ask->env, &asking.row,
                                      ask->pool);
    return ask->error ? NULL : mastra_json_pack(
        "{s:s, s:s, s:I}", "scheduleId", asking.row.id, "claimId", firing.run,
        "scheduledFireAt", firing.scheduled);
}
