/* One firing: what it begins, and the claim that makes it the only one. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../agent/hub.h"

/* What is not there may be on another server, which has newer definitions:
 * so long, in ms, it has the time to fire. */
#define PATIENCE 60000
#define NO_TARGET "SCHEDULE_TARGET"

typedef struct {
    mastra_schedule_env_t *env;
    mastra_firing_t *firing;
    const mastra_schedule_row_t *row;
    mastra_trigger_t trigger;
} claim_t;

/* First in the transaction that begins the run: both are there, or neither. */
static apr_status_t claim(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    claim_t *all = baton;
    mastra_firing_t *firing = all->firing;
    apr_int64_t now;
    apr_status_t rv = mastra_schedules_clock(&now, db, pool);

    firing->taken = 0;
    if (rv == APR_SUCCESS && firing->next) {
        rv = mastra_schedules_claim(db, all->row, firing->next, now,
                                    firing->run, pool);
        firing->taken = rv == MASTRA_STORE_STALE;
    }
    if (rv == APR_SUCCESS) {
        all->trigger.actual = now;
        rv = mastra_schedules_note(db, &all->trigger,
                                   now - all->env->history / 1000, pool);
    }
    return rv;
}

static mastra_result_t *gone(apr_pool_t *pool, const char *what,
                             const char *id)
{
    return mastra_result_make(pool, 404, NO_TARGET, "%s \"%s\" not "
                              "found", what, id);
}

/* ---- workflows ---- */

static mastra_result_t *start_run(claim_t *all, const mastra_workflow_t *workflow,
                                  const mastra_json_t *body, apr_pool_t *pool)
{
    const mastra_json_t *target = all->row->target;
    mastra_principal_t principal = {
        .resource_id = mastra_json_get_str(target, "resourceId"),
        .request_context = mastra_json_get(target, "requestContext")
    };
    mastra_workflow_ask_t ask = {
        .what = MASTRA_WORKFLOW_START, .run_id = all->firing->run,
        .body = body, .principal = &principal, .lenient = 1, .also = claim,
        .also_baton = all
    };
    mastra_workflow_asked_t asked;
    mastra_result_t *error = NULL;

    mastra_workflow_ask(&asked, all->env->workflows, workflow, &ask, &error,
                        pool);
    return error;
}

static mastra_result_t *start_workflow(claim_t *all, apr_pool_t *pool)
{
    const mastra_json_t *target = all->row->target;
    const char *id = mastra_json_get_str(target, "workflowId");
    mastra_json_t *input = mastra_json_get(target, "inputData");
    mastra_json_t *body = mastra_json_pack(
        "{s:o, s:O*}", "inputData",
        input ? mastra_json_ref(input) : mastra_json_object(), "initialState",
        mastra_json_get(target, "initialState"));
    mastra_result_t *error = NULL;
    mastra_held_t *held;

    mastra_json_own(body, pool);
    held = id ? mastra_workflow_find(all->env->workflows, id, &error, pool)
              : NULL;
    if (!held) {
        return error && error->status == 503
                   ? error : gone(pool, "Workflow", id ? id : "");
    }
    error = start_run(all, held->workflow, body, pool);
    mastra_held_unref(held);
    return error;
}

/* ---- agents ---- */

/* A run with one step: it is durable then, and its end is known. */
static mastra_result_t *ask_agent(claim_t *all, const mastra_agent_t *agent,
                                  apr_pool_t *pool)
{
    mastra_json_t *definition = mastra_json_pack(
        "{s:s, s:{s:s, s:{s:{s:s}}}, s:{}, s:[{s:s, s:s, s:s}]}", "id",
        apr_pstrcat(pool, "schedule:", agent->id, NULL), "inputSchema", "type",
        "object", "properties", "prompt", "type", "string", "outputSchema",
        "graph", "type", "agent", "id", "agent", "agentId", agent->id);
    mastra_json_t *body = mastra_json_pack(
        "{s:{s:s*}}", "inputData", "prompt",
        mastra_json_get_str(all->row->target, "prompt"));
    mastra_result_t *error;
    mastra_held_t *held;

    mastra_json_own(body, pool);
    mastra_json_own(definition, pool);
    held = mastra_workflow_hold(all->env->workflows, definition);
    if (!held) {
        return gone(pool, "Agent", agent->id);
    }
    error = start_run(all, held->workflow, body, pool);
    mastra_held_unref(held);
    return error;
}

static mastra_send_behavior_e behavior_of(const mastra_json_t *target,
                                          const char *name)
{
    const char *behavior = mastra_json_get_str(mastra_json_get(target, name),
                                               "behavior");

    return !behavior ? MASTRA_SEND_DELIVER
           : !strcmp(behavior, "persist") ? MASTRA_SEND_PERSIST
           : !strcmp(behavior, "discard") ? MASTRA_SEND_DISCARD
           : MASTRA_SEND_DELIVER;
}

static const char *outcome_of(const mastra_send_t *send)
{
    if (send->if_active != send->if_idle) {
        return "delivered";
    }
    return send->if_active == MASTRA_SEND_PERSIST ? "persisted"
           : send->if_active == MASTRA_SEND_DISCARD ? "discarded"
           : "delivered";
}

static mastra_result_t *send_signal(claim_t *all, const mastra_agent_t *agent,
                                    apr_pool_t *pool)
{
    const mastra_json_t *target = all->row->target;
    const mastra_json_t *idle = mastra_json_get(target, "ifIdle");
    const char *type = mastra_json_get_str(target, "signalType");
    const char *tag = mastra_json_get_str(target, "tagName");
    mastra_principal_t principal = {
        .resource_id = mastra_json_get_str(target, "resourceId"),
        .request_context = mastra_json_path(idle, "streamOptions",
                                            "requestContext", NULL)
    };
    mastra_json_t *message = mastra_json_pack(
        "{s:s*, s:s, s:s, s:O*, s:O*}", "contents",
        mastra_json_get_str(target, "prompt"), "type",
        type ? type : "notification", "tagName", tag ? tag : "schedule",
        "attributes", mastra_json_get(target, "attributes"),
        "providerOptions", mastra_json_get(target, "providerOptions"));
    mastra_send_t send = {
        .env = all->env->workflows->agents, .agent = agent,
        .resource_id = principal.resource_id,
        .thread_id = mastra_json_get_str(target, "threadId"),
        .message = mastra_json_own(message, pool),
        .if_active = behavior_of(target, "ifActive"),
        .if_idle = behavior_of(target, "ifIdle"),
        .active_attributes = mastra_json_get(mastra_json_get(target,
                                                             "ifActive"),
                                             "attributes"),
        .idle_attributes = mastra_json_get(idle, "attributes"),
        .principal = &principal, .also = claim, .also_baton = all
    };
    mastra_result_t *error = NULL;

    all->trigger.outcome = outcome_of(&send);
    mastra_json_unref(mastra_hub_send(&send, &error, pool));
    return error;
}

static mastra_result_t *start_agent(claim_t *all, apr_pool_t *pool)
{
    const char *id = mastra_json_get_str(all->row->target, "agentId");
    const mastra_agent_t *agent = mastra_agents_find(
        all->env->workflows->agents->agents, id);

    if (!agent) {
        return gone(pool, "Agent", id);
    }
    return mastra_json_get_str(all->row->target, "threadId")
               ? send_signal(all, agent, pool)
               : ask_agent(all, agent, pool);
}

/* ---- the firing ---- */

/* What cannot be begun is noted as such, or it would be tried for ever. */
static mastra_result_t *note_failure(claim_t *all, mastra_result_t *why,
                                     apr_pool_t *pool)
{
    apr_status_t rv;

    all->trigger.outcome = "failed";
    all->trigger.error = why->message;
    rv = mastra_store_call(all->env->store, MASTRA_STORE_WRITE, claim, all);
    if (rv && !all->firing->taken) {
        return mastra_store_result(pool, rv, "note the firing");
    }
    return all->firing->taken ? NULL : why;
}

mastra_result_t *mastra_schedule_fire(mastra_firing_t *firing,
                                      mastra_schedule_env_t *env,
                                      const mastra_schedule_row_t *row,
                                      apr_pool_t *pool)
{
    claim_t all = {
        .env = env, .firing = firing, .row = row,
        .trigger = { .id = mastra_text_uuid_make(pool), .schedule = row->id,
                     .run = firing->run, .outcome = "published",
                     .kind = firing->next ? "schedule-fire" : "manual",
                     .scheduled = firing->scheduled }
    };
    mastra_result_t *error;

    if (firing->wrong) {
        error = mastra_result_make(pool, 500, "SCHEDULE_INVALID", "%s",
                                   firing->wrong);
    }
    else {
        error = mastra_plan_is_agent(row->target)
                    ? start_agent(&all, pool) : start_workflow(&all, pool);
    }
    if (error && firing->next && !strcmp(error->code, NO_TARGET)
        && firing->now - firing->scheduled < PATIENCE) {
        firing->taken = 1;
    }
    if (firing->taken) {
        return NULL;
    }
    return error && error->status != 503 ? note_failure(&all, error, pool)
                                         : error;
}
