/* Schedules that stand in definitions: read with the configuration, and kept
 * in the database, where those stand that are made at run time. */

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "internal.h"

typedef struct {
    const char *id, *cron, *timezone;
    mastra_json_t *target, *metadata;
} declared_t;

struct mastra_schedules_t {
    apr_pool_t *pool;
    apr_array_header_t *list;        /* declared_t */
    apr_hash_t *by_id;
};

mastra_schedules_t *mastra_schedules_make(apr_pool_t *pool)
{
    mastra_schedules_t *schedules = apr_pcalloc(pool, sizeof(*schedules));

    schedules->pool = pool;
    schedules->list = apr_array_make(pool, 4, sizeof(declared_t));
    schedules->by_id = apr_hash_make(pool);
    return schedules;
}

/* ---- reading ---- */

static const mastra_result_t *fault(const mastra_schedules_t *schedules,
                                    const char *prefix, const char *field,
                                    const char *message)
{
    mastra_result_t *error = mastra_result_make(schedules->pool, 400,
                                                "SCHEDULE_INVALID", "%s",
                                                message);

    error->detail = mastra_json_own(mastra_json_object(), schedules->pool);
    mastra_json_set_str(error->detail, "field",
                        apr_pstrcat(schedules->pool, prefix, field, NULL));
    return error;
}

static int is_text(const mastra_json_t *object, const char *name)
{
    const mastra_json_t *value = mastra_json_get(object, name);

    return !value || mastra_json_is_string(value);
}

static const mastra_result_t *add(mastra_schedules_t *schedules,
                                  const char *id, const char *prefix,
                                  const mastra_json_t *definition,
                                  mastra_json_t *target)
{
    apr_pool_t *pool = schedules->pool;
    const char *cron = mastra_json_get_str(definition, "cron"), *field;
    const char *zone = mastra_json_get_str(definition, "timezone"), *wrong;
    mastra_json_t *metadata = mastra_json_get(definition, "metadata");
    declared_t *declared;

    if (!is_text(definition, "timezone")) {
        return fault(schedules, prefix, "timezone", "must be the name of a "
                     "time zone");
    }
    if (metadata && !mastra_json_is_object(metadata)) {
        return fault(schedules, prefix, "metadata", "must be an object");
    }
    wrong = mastra_plan_check(&field, cron, zone, pool);
    if (wrong) {
        return fault(schedules, prefix, field, wrong);
    }
    if (apr_hash_get(schedules->by_id, id, APR_HASH_KEY_STRING)) {
        return fault(schedules, prefix, "id",
                     apr_psprintf(pool, "the id \"%s\" is taken", id));
    }
    declared = apr_array_push(schedules->list);
    declared->id = id;
    declared->cron = apr_pstrdup(pool, cron);
    declared->timezone = apr_pstrdup(pool, zone);
    declared->target = target;
    declared->metadata = mastra_json_own(mastra_json_ref(metadata), pool);
    apr_hash_set(schedules->by_id, id, APR_HASH_KEY_STRING, id);
    return NULL;
}

/* ---- of a workflow ---- */

static const mastra_result_t *add_of_workflow(mastra_schedules_t *schedules,
                                              const char *workflow_id,
                                              const char *prefix,
                                              const char *name,
                                              const mastra_json_t *definition)
{
    apr_pool_t *pool = schedules->pool;
    mastra_json_t *target;

    if (!mastra_json_is_object(definition)) {
        return fault(schedules, prefix, "cron", "a schedule is an object with "
                     "a cron expression");
    }
    target = mastra_plan_target(definition, pool);
    mastra_json_del(target, "agentId");
    mastra_json_set_str(target, "type", "workflow");
    mastra_json_set_str(target, "workflowId", workflow_id);
    return add(schedules, apr_pstrcat(pool, "wf_", workflow_id,
                                      name ? "__" : "", name, NULL),
               prefix, definition, target);
}

const mastra_result_t *mastra_schedules_add_workflow(
    mastra_schedules_t *schedules, const char *workflow_id,
    const mastra_json_t *definition)
{
    const mastra_result_t *wrong = NULL;
    apr_size_t i;

    if (!mastra_json_is_array(definition)) {
        return add_of_workflow(schedules, workflow_id, "schedule.", NULL,
                               definition);
    }
    for (i = 0; i < mastra_json_size(definition) && !wrong; i++) {
        const mastra_json_t *one = mastra_json_at(definition, i);
        const char *prefix = apr_psprintf(schedules->pool, "schedule.%d.",
                                          (int)i);
        const char *name = mastra_json_get_str(one, "id");

        wrong = name && *name
                    ? add_of_workflow(schedules, workflow_id, prefix, name,
                                      one)
                    : fault(schedules, prefix, "id", "each of several "
                            "schedules needs an id");
    }
    return wrong;
}

/* ---- of its own ---- */

static const char *target_wrong(const char **pfield,
                                const mastra_json_t *definition,
                                const mastra_workflows_t *workflows,
                                const mastra_agents_t *agents,
                                apr_pool_t *pool)
{
    const char *agent = mastra_json_get_str(definition, "agentId");
    const char *workflow = mastra_json_get_str(definition, "workflowId");

    *pfield = agent ? "agentId" : "workflowId";
    if (!agent == !workflow) {
        return "a schedule has either a workflowId or an agentId";
    }
    if (agent && !mastra_agents_find(agents, agent)) {
        return apr_psprintf(pool, "there is no agent \"%s\"", agent);
    }
    if (workflow && !mastra_workflows_find(workflows, workflow)) {
        return apr_psprintf(pool, "there is no workflow \"%s\"", workflow);
    }
    *pfield = "prompt";
    if (agent && !mastra_json_get_str(definition, "prompt")) {
        return "an agent's schedule needs a prompt";
    }
    *pfield = "threadId";
    return mastra_plan_offends(definition, pool);
}

const mastra_result_t *mastra_schedules_add(mastra_schedules_t *schedules,
                                            const char *key,
                                            const mastra_json_t *definition,
                                            const mastra_workflows_t *workflows,
                                            const mastra_agents_t *agents)
{
    apr_pool_t *pool = schedules->pool;
    const char *field, *id;
    const char *wrong = target_wrong(&field, definition, workflows, agents,
                                     pool);

    if (wrong) {
        return fault(schedules, "", field, wrong);
    }
    id = mastra_plan_id(key, mastra_plan_is_agent(definition), pool);
    return id ? add(schedules, id, "", definition,
                    mastra_plan_target(definition, pool))
              : fault(schedules, "", "id", "its name has no letter or digit");
}

/* ---- in the database ---- */

static int same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static int same_json(const mastra_json_t *a, const mastra_json_t *b)
{
    return a && b ? mastra_json_equal(a, b) : a == b;
}

/* Whether it is paused, and what it has done, stays. */
static apr_status_t change(mastra_db_t *db, const declared_t *declared,
                           const mastra_schedule_row_t *was, apr_int64_t now,
                           apr_pool_t *pool)
{
    mastra_schedule_row_t row = *was;
    int moved = !same_text(row.cron, declared->cron)
                || !same_text(row.timezone, declared->timezone);
    apr_status_t rv;

    if (!moved && same_json(row.target, declared->target)
        && same_json(row.metadata, declared->metadata)) {
        return APR_SUCCESS;
    }
    row.cron = declared->cron;
    row.timezone = declared->timezone;
    row.target = declared->target;
    row.metadata = declared->metadata;
    row.updated = now > was->updated ? now : was->updated + 1;
    if (moved) {
        mastra_plan_next(&row.next, row.cron, row.timezone, now, pool);
    }
    rv = mastra_schedules_save(db, &row, was, pool);
    /* another child has just done it, or it has fired: then the next start
     * sees to it */
    return rv == MASTRA_STORE_STALE ? APR_SUCCESS : rv;
}

static apr_status_t put(mastra_db_t *db, const mastra_schedule_env_t *env,
                        const declared_t *declared, apr_int64_t now,
                        apr_pool_t *pool)
{
    mastra_schedule_row_t row = { 0 };
    apr_status_t rv = mastra_schedules_get(&row, db, env->host, declared->id,
                                           pool);

    if (rv != MASTRA_STORE_NOT_FOUND) {
        return rv ? rv : change(db, declared, &row, now, pool);
    }
    row.id = declared->id;
    row.cron = declared->cron;
    row.timezone = declared->timezone;
    row.status = "active";
    row.host = row.owner = env->host;
    row.target = declared->target;
    row.metadata = declared->metadata;
    row.created = row.updated = now;
    mastra_plan_next(&row.next, row.cron, row.timezone, now, pool);
    rv = mastra_schedules_insert(db, &row, pool);
    return rv == MASTRA_STORE_EXISTS ? APR_SUCCESS : rv;
}

apr_status_t mastra_schedules_declare(mastra_db_t *db,
                                      const mastra_schedule_env_t *env,
                                      apr_pool_t *pool)
{
    const mastra_schedules_t *schedules = env->schedules;
    mastra_schedule_row_t *rows;
    apr_int64_t now;
    int i, n = 0;
    apr_status_t rv = mastra_schedules_clock(&now, db, pool);

    if (rv == APR_SUCCESS) {
        rv = mastra_schedules_list(&rows, &n, db, env->host, NULL, env->host,
                                   pool);
    }
    for (i = 0; i < n && rv == APR_SUCCESS; i++) {
        if (!apr_hash_get(schedules->by_id, rows[i].id, APR_HASH_KEY_STRING)) {
            rv = mastra_schedules_delete(db, rows[i].id, pool);
        }
    }
    for (i = 0; i < schedules->list->nelts && rv == APR_SUCCESS; i++) {
        rv = put(db, env, &APR_ARRAY_IDX(schedules->list, i, declared_t), now,
                 pool);
    }
    return rv;
}
