/* Calls of other modules that have to wait for storage before it is known what
 * there is to do: a job thread finds out, the loop goes on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "mod_mastra_config.h"
#include "mod_mastra_native_call.h"

/* --- memory ---------------------------------------------------------------- */

/* Most routes of memory ask for an agent, the one that ask names. */
static const char *with_agent(const char *query, const char *agent,
                              apr_pool_t *pool)
{
    const char *own = agent ? apr_pstrcat(pool, "agentId=",
                                          ap_escape_urlencoded(pool, agent),
                                          NULL) : NULL;

    return !own ? query : !query || !*query ? own
           : apr_pstrcat(pool, own, "&", query, NULL);
}

apr_status_t mastra_native_plan_memory(mastra_native_plan_t *plan,
                                       const mastra_ask_t *ask,
                                       const char *method, const char *path,
                                       apr_pool_t *pool)
{
    mastra_principal_t principal = { .resource_id = ask->resource_id,
                                     .depth = ask->depth };
    const char *query = strchr(path, '?');
    mastra_called_t called = { .method = method, .body = ask->json,
                               .body_len = ask->json ? ask->len : 0,
                               .principal = &principal };
    mastra_native_t *native;
    mastra_host_t *host = mastra_native_host(ask->server, &native);
    mastra_captured_t captured;
    apr_status_t rv;

    if (!host) {
        return APR_ENOTIMPL;
    }
    if (mastra_loop_is_current(host->loop)) {
        return EDEADLK;
    }
    rv = mastra_native_context(&principal.request_context, ask, NULL, pool);
    if (rv) {
        return rv;
    }
    called.path = apr_pstrcat(pool, "/memory", query
                              ? apr_pstrmemdup(pool, path, query - path)
                              : path, NULL);
    called.query = with_agent(query ? query + 1 : NULL, ask->id, pool);
    rv = mastra_router_call(&captured,
                            mastra_config_of(ask->server)->shared->router,
                            host, &called, pool);
    if (rv == APR_SUCCESS) {
        plan->host = host;
        plan->status = captured.status;
        plan->text = captured.text;
        plan->len = captured.len;
    }
    return rv;
}

/* --- job thread ------------------------------------------------------------ */

/* What the caller lent, kept. The job's until it is over, then the loop's. */
struct mastra_native_later_t {
    mastra_job_t job;            /* first */
    mastra_call_t *call;
    mastra_ask_t ask;
    mastra_native_ask_e what;
    const char *method, *path;
    mastra_native_plan_t plan;
    apr_status_t rv;
};

static void find_out(mastra_job_t *job)
{
    struct mastra_native_later_t *later = (struct mastra_native_later_t *)job;
    apr_pool_t *pool = later->call->pool;

    later->rv = later->what == MASTRA_ASK_MEMORY
                ? mastra_native_plan_memory(&later->plan, &later->ask,
                                            later->method, later->path, pool)
                : mastra_native_plan(&later->plan,
                                     mastra_config_of(later->ask.server)->host,
                                     &later->ask, later->what, pool);
}

/* --- loop ------------------------------------------------------------------ */

static void found_out(mastra_job_t *job)
{
    struct mastra_native_later_t *later = (struct mastra_native_later_t *)job;

    mastra_native_call_planned(later->call, &later->plan, later->rv);
}

apr_status_t mastra_native_later_start(mastra_call_t *call)
{
    struct mastra_native_later_t *later = call->later;

    later->job.run = find_out;
    later->job.done = found_out;
    return mastra_jobs_push(call->native->jobs, &later->job);
}

/* --- any thread ------------------------------------------------------------ */

static const char *kept(const char *text, apr_pool_t *pool)
{
    return text ? apr_pstrdup(pool, text) : NULL;
}

struct mastra_native_later_t *mastra_native_later_make(
    mastra_call_t *call, const mastra_ask_t *ask, mastra_native_ask_e what,
    const char *method, const char *path)
{
    apr_pool_t *pool = call->pool;
    struct mastra_native_later_t *later = apr_pcalloc(pool, sizeof(*later));

    later->call = call;
    later->ask = *ask;
    later->ask.r = NULL;
    later->ask.id = kept(ask->id, pool);
    later->ask.json = ask->json ? apr_pstrmemdup(pool, ask->json, ask->len)
                                : NULL;
    later->ask.request_context = kept(ask->request_context, pool);
    later->ask.resource_id = kept(ask->resource_id, pool);
    later->what = what;
    later->method = kept(method, pool);
    later->path = kept(path, pool);
    return later;
}
