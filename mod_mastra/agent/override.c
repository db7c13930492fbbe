/* Models of agents that were changed at run time. The changes lie on a board
 * that all children of the server share and end with the server; each child
 * keeps the views that it makes of them. */

#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "internal.h"
#include "../base/log.h"
#include "../base/pool.h"

/* One changed agent as this child knows it. */
typedef struct {
    mastra_json_t *change;       /* {base, model} */
    mastra_agent_view_t *view;
} entry_t;

struct mastra_agent_overrides_t {
    mastra_board_t *board;
    apr_thread_mutex_t *lock;
    apr_pool_t *pool;            /* of the hash, made anew with it */
    apr_hash_t *entries;         /* by mastra_agent_t *: entry_t */
    unsigned generation;         /* of the board, that entries show */
};

apr_status_t mastra_agent_overrides_make(mastra_agent_overrides_t **poverrides,
                                         mastra_board_t *board,
                                         apr_pool_t *pool)
{
    mastra_agent_overrides_t *made = apr_pcalloc(pool, sizeof(*made));

    made->board = board;
    *poverrides = made;
    return apr_thread_mutex_create(&made->lock, APR_THREAD_MUTEX_DEFAULT,
                                   pool);
}

/* Agents of several hosts may have one id. */
static const char *key_of(const mastra_agent_env_t *env,
                          const mastra_agent_t *agent, apr_pool_t *pool)
{
    return apr_pstrcat(pool, env->host, "\n", agent->id, NULL);
}

static mastra_json_t *defined(const mastra_agent_t *agent)
{
    return mastra_json_get(agent->definition, "model");
}

/* A definition that was changed since, by a graceful restart, counts more. */
static mastra_json_t *current(const mastra_agent_t *agent,
                              const mastra_json_t *change)
{
    mastra_json_t *base = mastra_json_get(change, "base");

    return base && mastra_json_equal(base, defined(agent))
        ? mastra_json_get(change, "model") : NULL;
}

/* ---- views ---- */

static mastra_agent_view_t *make_view(const mastra_agent_env_t *env,
                                      const mastra_agent_t *agent,
                                      mastra_json_t *model)
{
    mastra_result_t *error = NULL;
    mastra_agent_view_t *view;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_agent_view")) {
        return NULL;
    }
    view = mastra_agent_view_make(agent, model, env->models, pool, &error);
    if (!view) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3011) "agent %s keeps its "
                   "defined model: %s", agent->id, error->message);
        apr_pool_destroy(pool);
    }
    return view;
}

static void drop(entry_t *entry)
{
    mastra_json_unref(entry->change);
    mastra_agent_view_unref(entry->view);
}

static void drop_all(mastra_agent_overrides_t *overrides)
{
    apr_hash_index_t *i;

    if (!overrides->pool) {
        return;
    }
    for (i = apr_hash_first(overrides->pool, overrides->entries); i;
         i = apr_hash_next(i)) {
        void *entry;

        apr_hash_this(i, NULL, NULL, &entry);
        drop(entry);
    }
    apr_pool_destroy(overrides->pool);
    overrides->pool = NULL;
}

/* Views of what did not change are taken over. */
static void add_entry(mastra_agent_overrides_t *overrides, apr_hash_t *entries,
                      apr_pool_t *pool, const mastra_agent_env_t *env,
                      const mastra_agent_t *agent, mastra_json_t *change)
{
    entry_t *old = overrides->pool
        ? apr_hash_get(overrides->entries, &agent, sizeof(agent)) : NULL;
    mastra_json_t *model = current(agent, change);
    const mastra_agent_t **key;
    entry_t *entry;

    if (!model) {
        return;
    }
    entry = apr_pcalloc(pool, sizeof(*entry));
    entry->change = mastra_json_ref(change);
    if (old && mastra_json_equal(old->change, change)) {
        apr_atomic_inc32(&old->view->refs);
        entry->view = old->view;
    }
    else {
        entry->view = make_view(env, agent, model);
    }
    if (!entry->view) {
        drop(entry);
        return;
    }
    key = apr_palloc(pool, sizeof(agent));
    *key = agent;
    apr_hash_set(entries, key, sizeof(agent), entry);
}

/* The lock is held. What cannot be read now is read by the next who asks. */
static void refresh(mastra_agent_overrides_t *overrides,
                    const mastra_agent_env_t *env)
{
    mastra_json_t *content = NULL;
    apr_hash_t *entries;
    apr_pool_t *pool;
    unsigned generation;
    int i;

    if (mastra_board_read(&content, &generation, overrides->board)) {
        return;
    }
    if (mastra_pool_make(&pool, "mastra_agent_overrides")) {
        mastra_json_unref(content);
        return;
    }
    entries = apr_hash_make(pool);
    for (i = 0; i < mastra_agents_count(env->agents); i++) {
        const mastra_agent_t *agent = mastra_agents_at(env->agents, i);

        add_entry(overrides, entries, pool, env, agent,
                  mastra_json_get(content, key_of(env, agent, pool)));
    }
    mastra_json_unref(content);
    drop_all(overrides);
    overrides->pool = pool;
    overrides->entries = entries;
    overrides->generation = generation;
}

mastra_agent_view_t *mastra_agent_view(mastra_agent_env_t *env,
                                       const mastra_agent_t *agent)
{
    mastra_agent_overrides_t *overrides = env->overrides;
    mastra_agent_view_t *view = agent->view;
    unsigned now = overrides ? mastra_board_generation(overrides->board) : 0;
    entry_t *entry;

    if (!now) {
        apr_atomic_inc32(&view->refs);
        return view;
    }
    apr_thread_mutex_lock(overrides->lock);
    if (now != overrides->generation) {
        refresh(overrides, env);
    }
    entry = overrides->pool
        ? apr_hash_get(overrides->entries, &agent, sizeof(agent)) : NULL;
    view = entry ? entry->view : view;
    apr_atomic_inc32(&view->refs);
    apr_thread_mutex_unlock(overrides->lock);
    return view;
}

/* ---- changes ---- */

typedef struct {
    const mastra_agent_env_t *env;
    const mastra_agent_t *agent;
    apr_pool_t *pool;
    mastra_json_t *model;        /* the new one, or NULL: as it is defined */
    const mastra_json_t *ids;    /* of reordering */
    const char *id;              /* of one entry */
    const mastra_json_t *change; /* of that entry */
    mastra_result_t *error;
} task_t;

static apr_status_t refuse(task_t *task, int status, const char *code,
                           const char *message)
{
    task->error = mastra_result_make(task->pool, status, code, "%s", message);
    return APR_EINVAL;
}

/* {base, model}; model NULL: nothing is changed any more */
static void set_change(const task_t *task, mastra_json_t *content,
                       mastra_json_t *model)
{
    const char *key = key_of(task->env, task->agent, task->pool);

    if (!model) {
        mastra_json_del(content, key);
        return;
    }
    mastra_json_set(content, key,
                    mastra_json_pack("{s:O, s:o}", "base",
                                     defined(task->agent), "model", model));
}

static apr_status_t set_model(void *baton, mastra_json_t *content)
{
    task_t *task = baton;

    set_change(task, content, mastra_json_ref(task->model));
    return APR_SUCCESS;
}

/* The agent's list as it is now, each entry with its id, as a new value. */
static apr_status_t read_list(mastra_json_t **plist, task_t *task,
                              const mastra_json_t *content)
{
    mastra_json_t *model = current(task->agent, mastra_json_get(
                                       content, key_of(task->env, task->agent,
                                                       task->pool)));
    mastra_agent_view_t *view;
    int i;

    model = model ? model : defined(task->agent);
    if (!mastra_json_is_array(model)) {
        return refuse(task, 400, "MODEL_LIST_MISSING",
                      "Agent model list is not found or empty");
    }
    view = mastra_agent_view_make(task->agent, model, task->env->models,
                                  task->pool, &task->error);
    if (!view) {
        return APR_EINVAL;
    }
    *plist = mastra_json_array();
    for (i = 0; i < view->n; i++) {
        mastra_json_t *entry = mastra_json_copy_flat(mastra_json_at(model, i));

        mastra_json_set_str(entry, "id", view->models[i].id);
        mastra_json_append(*plist, entry);
    }
    return APR_SUCCESS;
}

static int is_named(const mastra_json_t *entry, const mastra_json_t *id)
{
    const char *text = mastra_json_str(id);

    return text && !strcmp(mastra_json_get_str(entry, "id"), text);
}

/* Moves the entries that are called id from list to made. */
static void move_named(mastra_json_t *made, mastra_json_t *list,
                       const mastra_json_t *id)
{
    apr_size_t i = 0;

    while (i < mastra_json_size(list)) {
        mastra_json_t *entry = mastra_json_at(list, i);

        if (is_named(entry, id)) {
            mastra_json_append(made, mastra_json_ref(entry));
            mastra_json_remove(list, i);
        }
        else {
            i++;
        }
    }
}

/* Those that are not named come last, as they were. */
static apr_status_t reorder(void *baton, mastra_json_t *content)
{
    task_t *task = baton;
    mastra_json_t *list, *made;
    apr_status_t rv = read_list(&list, task, content);
    apr_size_t i;

    if (rv) {
        return rv;
    }
    made = mastra_json_array();
    for (i = 0; i < mastra_json_size(task->ids); i++) {
        move_named(made, list, mastra_json_at(task->ids, i));
    }
    mastra_json_extend(made, list);
    mastra_json_unref(list);
    set_change(task, content, made);
    return APR_SUCCESS;
}

static apr_status_t change_one(void *baton, mastra_json_t *content)
{
    static const char *const names[] = { "maxRetries", "enabled" };
    task_t *task = baton;
    mastra_json_t *list, *entry = NULL;
    apr_status_t rv = read_list(&list, task, content);
    apr_size_t i;

    if (rv) {
        return rv;
    }
    for (i = 0; i < mastra_json_size(list) && !entry; i++) {
        const char *id = mastra_json_get_str(mastra_json_at(list, i), "id");

        entry = strcmp(id, task->id) ? NULL : mastra_json_at(list, i);
    }
    if (!entry) {
        mastra_json_unref(list);
        return refuse(task, 404, "MODEL_CONFIG_NOT_FOUND",
                      apr_psprintf(task->pool, "Model config with id %s not "
                                   "found", task->id));
    }
    if (task->model) {
        mastra_json_set(entry, "model", mastra_json_ref(task->model));
    }
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        mastra_json_t *value = mastra_json_get(task->change, names[i]);

        if (value && !mastra_json_is_null(value)) {
            mastra_json_set(entry, names[i], mastra_json_ref(value));
        }
    }
    set_change(task, content, list);
    return APR_SUCCESS;
}

static mastra_result_t *apply(task_t *task, mastra_board_change_cb *change)
{
    apr_status_t rv;

    if (!task->env->overrides) {
        return mastra_result_make(task->pool, 503, "MODEL_FIXED",
                                  "Models cannot be changed on this server");
    }
    rv = mastra_board_change(task->env->overrides->board, change, task);
    if (task->error || !rv) {
        return task->error;
    }
    if (rv == APR_ENOSPC) {
        return mastra_result_make(task->pool, 409, "MODEL_CHANGES_FULL",
                                  "Too many models of agents were changed");
    }
    return mastra_result_from_apr(task->pool, rv, "change the model");
}

/* "provider/model" of a provider that there is; NULL and task->error else. */
static mastra_json_t *known_model(task_t *task, const char *provider,
                                  const char *model_id)
{
    const char *spec = apr_pstrcat(task->pool, provider, "/", model_id, NULL);
    const char *rest;

    if (!*provider || strchr(provider, '/')
        || !mastra_models_find(task->env->models, spec, &rest)) {
        refuse(task, 400, "MODEL_UNKNOWN",
               apr_psprintf(task->pool, "There is no model provider of \"%s\"",
                            spec));
        return NULL;
    }
    return mastra_json_own(mastra_json_string(spec), task->pool);
}

mastra_result_t *mastra_agent_set_model(const mastra_agent_env_t *env,
                                        const mastra_agent_t *agent,
                                        const char *provider,
                                        const char *model_id, apr_pool_t *pool)
{
    task_t task = { .env = env, .agent = agent, .pool = pool };

    task.model = known_model(&task, provider, model_id);
    return task.error ? task.error : apply(&task, set_model);
}

mastra_result_t *mastra_agent_reset_model(const mastra_agent_env_t *env,
                                          const mastra_agent_t *agent,
                                          apr_pool_t *pool)
{
    task_t task = { .env = env, .agent = agent, .pool = pool };

    return apply(&task, set_model);
}

mastra_result_t *mastra_agent_reorder_models(const mastra_agent_env_t *env,
                                             const mastra_agent_t *agent,
                                             const mastra_json_t *ids,
                                             apr_pool_t *pool)
{
    task_t task = { .env = env, .agent = agent, .pool = pool, .ids = ids };

    return apply(&task, reorder);
}

mastra_result_t *mastra_agent_change_model(const mastra_agent_env_t *env,
                                           const mastra_agent_t *agent,
                                           const char *id,
                                           const mastra_json_t *change,
                                           apr_pool_t *pool)
{
    task_t task = { .env = env, .agent = agent, .pool = pool, .id = id,
                    .change = change };
    const mastra_json_t *model = mastra_json_get(change, "model");
    const char *provider = mastra_json_get_str(model, "provider");
    const char *name = mastra_json_get_str(model, "modelId");

    if (provider && *provider && name && *name) {
        task.model = known_model(&task, provider, name);
    }
    return task.error ? task.error : apply(&task, change_one);
}
