/* Making a network's run from a request, or for one that is taken up. */

#include <string.h>

#include <apr_strings.h>

#include "internal.h"
#include "../base/pool.h"

static mastra_network_t *make(mastra_agent_env_t *env,
                              const mastra_agent_t *agent,
                              const mastra_principal_t *principal,
                              mastra_result_t **perror, apr_pool_t *caller)
{
    mastra_network_t *network;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_network")) {
        *perror = mastra_result_from_apr(caller, APR_ENOMEM, "make a run");
        return NULL;
    }
    network = apr_pcalloc(pool, sizeof(*network));
    network->pool = pool;
    network->env = env;
    network->agent = agent;
    network->owner = apr_pstrdup(pool, principal->resource_id);
    network->context = mastra_json_ref(principal->request_context);
    network->depth = principal->depth;
    network->messages = mastra_json_array();
    return network;
}

static mastra_json_t *task_messages(const mastra_json_t *options,
                                    mastra_result_t **perror,
                                    apr_pool_t *pool)
{
    mastra_json_t *given = mastra_json_get(options, "messages"), *made;
    mastra_json_t *input = mastra_json_is_array(given)
        ? mastra_json_ref(given)
        : mastra_json_pack("[{s:s, s:O}]", "role", "user", "content", given);

    made = mastra_message_stored(input, apr_time_now(), perror, pool);
    mastra_json_unref(input);
    return made;
}

/* Messages of the request, as those of the network's thread. */
static mastra_result_t *set_messages(mastra_network_t *network,
                                     const mastra_json_t *options)
{
    mastra_result_t *error = NULL;
    mastra_json_t *messages = task_messages(options, &error, network->pool);
    const char *task = "";
    apr_size_t i;

    if (!messages) {
        return error;
    }
    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_t *message = mastra_json_at(messages, i);
        const char *role = mastra_json_get_str(message, "role");

        mastra_json_set_str(message, "threadId",
                            mastra_network_str(network, "threadId"));
        mastra_json_set_str(message, "resourceId",
                            mastra_network_str(network, "resourceId"));
        mastra_json_set_str(message, "type", "text");
        if (role && !strcmp(role, "user")) {
            task = mastra_network_text(message, network->pool);
        }
    }
    mastra_json_unref(network->messages);
    network->messages = messages;
    network->last_at = mastra_text_now_ms();
    mastra_json_set_str(network->state, "task", task);
    return *task ? NULL
                 : mastra_result_make(network->pool, 400, "TASK_REQUIRED",
                                      "A network needs a message of the user");
}

void mastra_network_limit(mastra_network_t *network)
{
    apr_int64_t steps = mastra_json_get_int(
        mastra_json_get(network->state, "options"), "maxSteps",
        network->env->max_steps);

    network->max_steps = steps < 1 ? 1
                         : steps > MASTRA_NETWORK_MAX_STEPS
                         ? MASTRA_NETWORK_MAX_STEPS : (int)steps;
}

static mastra_json_t *kept_options(const mastra_json_t *options)
{
    mastra_json_t *made = mastra_json_copy_flat(options);

    mastra_json_del(made, "messages");
    return made;
}

static mastra_result_t *fill(mastra_network_t *network,
                             const mastra_json_t *options)
{
    const mastra_json_t *memory = mastra_json_get(options, "memory");
    const mastra_json_t *thread = mastra_json_get(memory, "thread");
    const char *id = mastra_json_get_str(options, "runId");
    const char *resource = mastra_json_get_str(memory, "resource"), *name;

    if (!network->agent->memory.enabled) {
        return mastra_result_make(
            network->pool, 400, "MEMORY_REQUIRED",
            "Memory is required for the agent network to function properly. "
            "Please configure memory for the agent.");
    }
    network->id = id && *id ? apr_pstrdup(network->pool, id)
                            : mastra_text_uuid_make(network->pool);
    name = mastra_json_str(mastra_json_is_object(thread)
                               ? mastra_json_get(thread, "id") : thread);
    network->state = mastra_json_pack(
        "{s:i, s:o, s:s, s:s, s:i, s:[], s:[], s:[], s:{s:i, s:i, s:i, s:i,"
        " s:i, s:i}}", "version", 1, "options", kept_options(options),
        "threadId", name && *name ? name : network->id, "resourceId",
        network->owner ? network->owner
        : resource && *resource ? resource : network->agent->name,
        "iteration", 0, "said", "log", "calls", "usage", "inputTokens", 0,
        "outputTokens", 0, "totalTokens", 0, "cachedInputTokens", 0,
        "cacheCreationInputTokens", 0, "reasoningTokens", 0);
    mastra_network_limit(network);
    return set_messages(network, options);
}

mastra_network_t *mastra_network_make(mastra_agent_env_t *env,
                                      const mastra_agent_t *agent,
                                      mastra_json_t *options,
                                      const mastra_principal_t *principal,
                                      mastra_result_t **perror,
                                      apr_pool_t *pool)
{
    mastra_network_t *network = make(env, agent, principal, perror, pool);
    mastra_result_t *error;

    if (!network) {
        return NULL;
    }
    error = fill(network, options);
    if (error) {
        *perror = mastra_result_copy(pool, error);
        mastra_network_discard(network);
        return NULL;
    }
    return network;
}

mastra_network_t *mastra_network_take_up(mastra_agent_env_t *env,
                                         const mastra_agent_t *agent,
                                         const char *run_id,
                                         mastra_json_t *decision,
                                         const mastra_principal_t *principal,
                                         mastra_result_t **perror,
                                         apr_pool_t *pool)
{
    mastra_network_t *network = make(env, agent, principal, perror, pool);

    if (network) {
        network->id = apr_pstrdup(network->pool, run_id);
        network->decision = mastra_json_ref(decision);
    }
    return network;
}
