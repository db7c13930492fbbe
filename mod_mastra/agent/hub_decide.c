/* A person's decision about the run of a thread that waits for one. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "hub_internal.h"
#include "../store/runs.h"

struct mastra_verdict_t {
    mastra_sink_t sink;              /* first: the run talks to it */
    mastra_sink_t *client;           /* NULL: it has its answer, or has left */
    mastra_agent_run_t *run;
    mastra_json_t *answer;
};

/* ---- which run: store thread ---- */

typedef struct {
    mastra_agent_env_t *env;
    const mastra_agent_t *agent;
    const char *resource, *thread, *call;
    apr_pool_t *pool;
    const char *run;
    mastra_result_t *error;
} finding_t;

static int waits_for(const mastra_json_t *summary, const char *call)
{
    const mastra_json_t *calls = mastra_json_get(summary, "toolCalls");
    apr_size_t i;

    for (i = 0; i < mastra_json_size(calls); i++) {
        const char *id = mastra_json_get_str(mastra_json_at(calls, i),
                                             "toolCallId");

        if (id && !strcmp(id, call)) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t find_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    finding_t *finding = baton;
    mastra_runs_filter_t filter = {
        .host = finding->env->host, .kind = mastra_run_kind(finding->agent),
        .name = finding->agent->id, .resource_id = finding->resource,
        .thread_id = finding->thread, .per_page = 100
    };
    mastra_json_t *runs = NULL;
    apr_int64_t total;
    apr_status_t rv = mastra_hub_check_thread(&finding->error, db,
                                              finding->agent,
                                              finding->resource,
                                              finding->thread, finding->pool,
                                              pool);
    apr_size_t i;

    if (rv == APR_SUCCESS) {
        rv = mastra_runs_list(&runs, &total, db, &filter, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    mastra_json_own(runs, pool);
    finding->run = NULL;
    for (i = 0; i < mastra_json_size(runs) && !finding->run; i++) {
        const mastra_json_t *run = mastra_json_at(runs, i);

        if (waits_for(run, finding->call)) {
            finding->run = apr_pstrdup(finding->pool,
                                       mastra_json_get_str(run, "runId"));
        }
    }
    return APR_SUCCESS;
}

static mastra_result_t *not_found(const finding_t *finding)
{
    return mastra_result_make(
        finding->pool, 500, "RUN_NOT_FOUND", "Agent \"%s\" sendToolApproval() "
        "could not find an active or suspended run for thread \"%s\". The run "
        "may have already completed or been resumed.", finding->agent->name,
        finding->thread);
}

/* ---- the run's words: its thread's watchers hear them ---- */

static int ignore_chunk(mastra_sink_t *sink, mastra_json_t *chunk)
{
    return 1;
}

static int ignore_text(mastra_sink_t *sink, const char *run_id,
                       const char *type, const char *id, const char *text,
                       apr_size_t len)
{
    return 1;
}

static void on_begun(mastra_sink_t *sink)
{
    mastra_verdict_t *verdict = (mastra_verdict_t *)sink;
    mastra_sink_t *client = verdict->client;

    verdict->client = NULL;
    if (client) {
        client->vtable->end(client, verdict->answer, NULL);
    }
}

static void free_verdict(mastra_verdict_t *verdict)
{
    mastra_json_unref(verdict->answer);
    free(verdict);
}

static void on_end(mastra_sink_t *sink, mastra_json_t *answer,
                   const mastra_result_t *error)
{
    mastra_verdict_t *verdict = (mastra_verdict_t *)sink;

    if (verdict->client) {
        verdict->client->vtable->end(verdict->client, verdict->answer, error);
    }
    free_verdict(verdict);
}

static const mastra_sink_vtable_t vtable = {
    .chunk = ignore_chunk, .text = ignore_text, .begun = on_begun,
    .end = on_end
};

mastra_verdict_t *mastra_hub_decide(mastra_agent_env_t *env,
                                    const mastra_agent_t *agent,
                                    const char *resource_id,
                                    const char *thread_id,
                                    mastra_json_t *decision,
                                    const mastra_principal_t *principal,
                                    mastra_result_t **perror,
                                    apr_pool_t *pool)
{
    finding_t finding = { .env = env, .agent = agent, .resource = resource_id,
                          .thread = thread_id, .pool = pool,
                          .call = mastra_json_get_str(decision,
                                                      "toolCallId") };
    mastra_verdict_t *verdict;
    mastra_agent_run_t *run;
    apr_status_t rv = mastra_store_call(env->store, MASTRA_STORE_READ,
                                        find_run, &finding);

    if (rv || !finding.run) {
        *perror = finding.error ? finding.error
                  : rv ? mastra_store_result(pool, rv, "find the run")
                       : not_found(&finding);
        return NULL;
    }
    run = mastra_agent_run_take_up(env, agent, finding.run, decision, 1,
                                   principal, perror, pool);
    if (!run) {
        return NULL;
    }
    verdict = calloc(1, sizeof(*verdict));
    if (!verdict) {
        abort();
    }
    verdict->sink.vtable = &vtable;
    verdict->run = run;
    verdict->answer = mastra_json_pack("{s:b, s:s, s:s}", "accepted", 1,
                                       "runId", finding.run, "toolCallId",
                                       finding.call);
    return verdict;
}

void mastra_verdict_begin(mastra_verdict_t *verdict, mastra_sink_t *sink)
{
    verdict->client = sink;
    mastra_agent_run_begin(verdict->run, &verdict->sink);
}

void mastra_verdict_cancel(mastra_verdict_t *verdict)
{
    verdict->client = NULL;
}

void mastra_verdict_discard(mastra_verdict_t *verdict)
{
    mastra_agent_run_discard(verdict->run);
    free_verdict(verdict);
}
