/* Which workflows there are: those of files, those in storage, and the graphs
 * that runs have kept. */

#include <pthread.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include "owner.h"
#include "../base/pool.h"

#define MAX_CACHED 256

typedef struct {
    const char *key;
    mastra_json_t *definition;
    mastra_held_t held;              /* workflow NULL: not linked */
} entry_t;

struct mastra_workflows_t {
    apr_pool_t *pool;
    apr_array_header_t *list;        /* entry_t * */
    apr_hash_t *by_name;             /* keys and ids */
    apr_hash_t *by_hash;             /* those that are linked */
    /* graphs that were compiled at run time, by what they were made of */
    pthread_mutex_t lock;
    apr_hash_t *cache;               /* in pool: names are few, or replaced */
    apr_pool_t *cache_pool;
};

/* ---- holding ---- */

void mastra_held_unref(mastra_held_t *held)
{
    if (held && apr_atomic_read32(&held->refs)
        && !apr_atomic_dec32(&held->refs)) {
        apr_pool_destroy(held->pool);
    }
}

static mastra_held_t *held_ref(mastra_held_t *held)
{
    if (apr_atomic_read32(&held->refs)) {
        apr_atomic_inc32(&held->refs);
    }
    return held;
}

/* ---- of files ---- */

mastra_workflows_t *mastra_workflows_make(apr_pool_t *pool)
{
    mastra_workflows_t *workflows = apr_pcalloc(pool, sizeof(*workflows));

    workflows->pool = pool;
    workflows->list = apr_array_make(pool, 8, sizeof(entry_t *));
    workflows->by_name = apr_hash_make(pool);
    workflows->by_hash = apr_hash_make(pool);
    pthread_mutex_init(&workflows->lock, NULL);
    return workflows;
}

static mastra_result_t *fault(apr_pool_t *pool, const char *field,
                              const char *message)
{
    mastra_result_t *error = mastra_result_make(pool, 400, "WORKFLOW_INVALID",
                                                "%s", message);

    error->detail = mastra_json_own(mastra_json_pack("{s:s}", "field", field),
                                    pool);
    return error;
}

const mastra_result_t *mastra_workflows_add(mastra_workflows_t *workflows,
                                            const char *key,
                                            mastra_json_t *definition)
{
    apr_pool_t *pool = workflows->pool;
    entry_t *entry = apr_pcalloc(pool, sizeof(*entry));
    const char *id = mastra_json_get_str(definition, "id");

    if (!id || !*id) {
        id = apr_pstrdup(pool, key);
        mastra_json_set_str(definition, "id", id);
    }
    if (apr_hash_get(workflows->by_name, key, APR_HASH_KEY_STRING)
        || apr_hash_get(workflows->by_name, id, APR_HASH_KEY_STRING)) {
        return fault(pool, "id", apr_psprintf(pool, "the id \"%s\" is taken",
                                              id));
    }
    entry->key = apr_pstrdup(pool, key);
    entry->definition = mastra_json_own(mastra_json_ref(definition), pool);
    APR_ARRAY_PUSH(workflows->list, entry_t *) = entry;
    apr_hash_set(workflows->by_name, entry->key, APR_HASH_KEY_STRING, entry);
    apr_hash_set(workflows->by_name, apr_pstrdup(pool, id),
                 APR_HASH_KEY_STRING, entry);
    return NULL;
}

static entry_t *entry_of(const mastra_workflows_t *workflows, const char *name)
{
    return name ? apr_hash_get(workflows->by_name, name, APR_HASH_KEY_STRING)
                : NULL;
}

static mastra_json_t *find_in_files(void *baton, const char *id)
{
    const entry_t *entry = entry_of(baton, id);

    return entry ? entry->definition : NULL;
}

/* The first of what does not fit together. */
static mastra_result_t *first_issue(const mastra_json_t *issues,
                                    apr_pool_t *pool)
{
    const mastra_json_t *issue = mastra_json_at(issues, 0);

    return issue ? fault(pool, mastra_json_get_str(issue, "path"),
                         mastra_json_get_str(issue, "message")) : NULL;
}

const mastra_result_t *mastra_workflows_link(mastra_workflows_t *workflows,
                                             const char *key,
                                             const mastra_tools_t *tools,
                                             const mastra_agents_t *agents)
{
    entry_t *entry = entry_of(workflows, key);
    mastra_workflow_source_t source = {
        .tools = tools, .agents = agents, .find = find_in_files,
        .baton = workflows
    };
    mastra_result_t *error = NULL;
    mastra_json_t *issues;

    if (!entry) {
        return NULL;
    }
    entry->held.workflow = mastra_workflow_compile(
        entry->key, entry->definition, "code", &source, &error,
        workflows->pool);
    if (error) {
        return error;
    }
    apr_hash_set(workflows->by_hash, entry->held.workflow->hash,
                 APR_HASH_KEY_STRING, entry);
    issues = mastra_workflow_issues(entry->definition, &source,
                                    workflows->pool);
    error = first_issue(issues, workflows->pool);
    mastra_json_unref(issues);
    return error;
}

int mastra_workflows_count(const mastra_workflows_t *workflows)
{
    return workflows->list->nelts;
}

const mastra_workflow_t *mastra_workflows_at(
    const mastra_workflows_t *workflows, int i)
{
    return APR_ARRAY_IDX(workflows->list, i, entry_t *)->held.workflow;
}

const mastra_workflow_t *mastra_workflows_find(
    const mastra_workflows_t *workflows, const char *name)
{
    const entry_t *entry = entry_of(workflows, name);

    return entry ? entry->held.workflow : NULL;
}

/* ---- compiled at run time ---- */

typedef struct {
    const mastra_workflows_t *workflows;
    const mastra_json_t *nested;     /* by id */
} nested_t;

/* What was stored along comes first: it is what the run began with. */
static mastra_json_t *find_nested(void *baton, const char *id)
{
    const nested_t *from = baton;
    mastra_json_t *found = mastra_json_get(from->nested, id);

    return found ? found : find_in_files((void *)from->workflows, id);
}

static mastra_held_t *compile(mastra_workflow_env_t *env, const char *key,
                              mastra_json_t *definition, const char *origin,
                              const mastra_json_t *nested)
{
    nested_t from = { env->workflows, nested };
    mastra_workflow_source_t source = {
        .tools = env->all_tools, .agents = env->agents->agents,
        .find = find_nested, .baton = &from, .lenient = 1
    };
    mastra_result_t *error = NULL;
    mastra_held_t *held;
    apr_pool_t *pool;

    if (mastra_pool_make(&pool, "mastra_graph")) {
        return NULL;
    }
    held = apr_pcalloc(pool, sizeof(*held));
    held->pool = pool;
    held->refs = 1;
    held->workflow = mastra_workflow_compile(key, definition, origin, &source,
                                             &error, pool);
    if (!held->workflow) {
        apr_pool_destroy(pool);
        return NULL;
    }
    return held;
}

mastra_held_t *mastra_workflow_hold(mastra_workflow_env_t *env,
                                    mastra_json_t *definition)
{
    return compile(env, mastra_json_get_str(definition, "id"), definition,
                   "code", NULL);
}

/* ---- the cache: names are copied into it, graphs counted ---- */

static mastra_held_t *cached(mastra_workflows_t *workflows, const char *name)
{
    mastra_held_t *held = NULL;

    pthread_mutex_lock(&workflows->lock);
    if (workflows->cache) {
        held = apr_hash_get(workflows->cache, name, APR_HASH_KEY_STRING);
        if (held) {
            held_ref(held);
        }
    }
    pthread_mutex_unlock(&workflows->lock);
    return held;
}

static void empty_cache(mastra_workflows_t *workflows)
{
    apr_hash_index_t *i;

    if (workflows->cache) {
        for (i = apr_hash_first(workflows->cache_pool, workflows->cache); i;
             i = apr_hash_next(i)) {
            mastra_held_unref(apr_hash_this_val(i));
        }
        apr_pool_destroy(workflows->cache_pool);
        workflows->cache = NULL;
    }
    if (mastra_pool_make(&workflows->cache_pool, "mastra_graphs")
        == APR_SUCCESS) {
        workflows->cache = apr_hash_make(workflows->cache_pool);
    }
}

static void cache(mastra_workflows_t *workflows, const char *name,
                  mastra_held_t *held)
{
    pthread_mutex_lock(&workflows->lock);
    if (!workflows->cache || apr_hash_count(workflows->cache) >= MAX_CACHED) {
        empty_cache(workflows);
    }
    if (workflows->cache
        && !apr_hash_get(workflows->cache, name, APR_HASH_KEY_STRING)) {
        apr_hash_set(workflows->cache,
                     apr_pstrdup(workflows->cache_pool, name),
                     APR_HASH_KEY_STRING, held_ref(held));
    }
    pthread_mutex_unlock(&workflows->lock);
}

mastra_held_t *mastra_held_of_graph(mastra_workflow_env_t *env,
                                    const char *hash, const char *text)
{
    mastra_workflows_t *workflows = (mastra_workflows_t *)env->workflows;
    mastra_json_t *pinned = NULL;
    mastra_held_t *held;
    entry_t *entry = apr_hash_get(workflows->by_hash, hash,
                                  APR_HASH_KEY_STRING);

    if (entry) {
        return &entry->held;
    }
    held = cached(workflows, hash);
    if (held || mastra_json_parse(&pinned, text, strlen(text), 0, NULL)) {
        return held;
    }
    held = compile(env, mastra_json_get_str(pinned, "key"),
                   mastra_json_get(pinned, "definition"),
                   mastra_json_get_str(pinned, "origin"),
                   mastra_json_get(pinned, "nested"));
    mastra_json_unref(pinned);
    if (held) {
        cache(workflows, hash, held);
    }
    return held;
}

/* ---- in storage ---- */

typedef struct {
    mastra_workflow_env_t *env;
    const char *id;                  /* NULL: all */
    apr_pool_t *pool;
    mastra_json_t *found;            /* rows by id */
    mastra_json_t *list;             /* all of them */
} reading_t;

static void wanted(mastra_json_t *ids, const mastra_json_t *entry)
{
    const mastra_json_t *steps = mastra_json_get(entry, "steps");
    const char *id = mastra_json_get_str(entry, "workflowId");
    apr_size_t i;

    if (id) {
        mastra_json_append(ids, mastra_json_string(id));
    }
    for (i = 0; i < mastra_json_size(steps); i++) {
        wanted(ids, mastra_json_at(steps, i));
    }
    if (mastra_json_get(entry, "step")) {
        wanted(ids, mastra_json_get(entry, "step"));
    }
}

/* The definition of id and all that it nests, but for those of files. */
static apr_status_t read_tree(reading_t *reading, mastra_db_t *db,
                              apr_pool_t *pool)
{
    mastra_json_t *ids = mastra_json_own(mastra_json_pack("[s]", reading->id),
                                         pool);
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i, j;

    for (i = 0; i < mastra_json_size(ids) && rv == APR_SUCCESS
                && i < MASTRA_WORKFLOW_MAX_NODES; i++) {
        const char *id = mastra_json_str(mastra_json_at(ids, i));
        mastra_json_t *row = NULL;
        const mastra_json_t *graph;

        if (mastra_json_get(reading->found, id)
            || entry_of(reading->env->workflows, id)) {
            continue;
        }
        rv = mastra_definitions_get(&row, db, id, pool);
        if (rv == MASTRA_STORE_NOT_FOUND && i) {
            rv = APR_SUCCESS;
            continue;
        }
        graph = mastra_json_get(row, "graph");
        for (j = 0; j < mastra_json_size(graph); j++) {
            wanted(ids, mastra_json_at(graph, j));
        }
        mastra_json_set(reading->found, id, row);
    }
    return rv;
}

static apr_status_t read_definitions(mastra_db_t *db, void *baton,
                                     apr_pool_t *pool)
{
    reading_t *reading = baton;

    mastra_json_unref(reading->found);
    mastra_json_unref(reading->list);
    reading->found = mastra_json_object();
    reading->list = NULL;
    return reading->id ? read_tree(reading, db, pool)
                       : mastra_definitions_list(&reading->list, db, "active",
                                                 NULL, pool);
}

/* What belongs to a graph of a row. */
static mastra_json_t *definition_of(const mastra_json_t *row)
{
    static const char *const members[] = {
        "id", "description", "metadata", "inputSchema", "outputSchema",
        "stateSchema", "requestContextSchema", "graph", NULL
    };
    mastra_json_t *made = mastra_json_object();
    int i;

    for (i = 0; members[i]; i++) {
        mastra_json_set(made, members[i],
                        mastra_json_ref(mastra_json_get(row, members[i])));
    }
    return made;
}

static mastra_held_t *held_of_rows(mastra_workflow_env_t *env, const char *id,
                                   const mastra_json_t *rows, apr_pool_t *pool)
{
    mastra_workflows_t *workflows = (mastra_workflows_t *)env->workflows;
    const char *name = apr_pstrcat(pool, "stored ", id, NULL);
    mastra_json_t *nested = mastra_json_object();
    mastra_held_t *held;
    void *at;

    for (at = mastra_json_iter(rows); at; at = mastra_json_next(rows, at)) {
        const char *when = mastra_json_get_str(mastra_json_value(at),
                                               "updatedAt");

        name = apr_pstrcat(pool, name, " ", mastra_json_key(at), "@",
                           when ? when : "", NULL);
        mastra_json_set(nested, mastra_json_key(at),
                        definition_of(mastra_json_value(at)));
    }
    held = cached(workflows, name);
    if (!held) {
        held = compile(env, id, mastra_json_get(nested, id), "dynamic",
                       nested);
    }
    if (held) {
        cache(workflows, name, held);
    }
    mastra_json_unref(nested);
    return held;
}

static mastra_result_t *not_found(apr_pool_t *pool)
{
    return mastra_result_make(pool, 404, "WORKFLOW_NOT_FOUND",
                              "Workflow not found");
}

mastra_held_t *mastra_workflow_find(mastra_workflow_env_t *env,
                                    const char *name,
                                    mastra_result_t **perror,
                                    apr_pool_t *pool)
{
    entry_t *entry = entry_of(env->workflows, name);
    reading_t reading = { .env = env, .id = name, .pool = pool };
    mastra_held_t *held = NULL;
    apr_status_t rv;

    if (entry) {
        return &entry->held;
    }
    rv = mastra_store_call(env->store, MASTRA_STORE_READ, read_definitions,
                           &reading);
    if (rv == APR_SUCCESS) {
        held = held_of_rows(env, name, reading.found, pool);
    }
    mastra_json_unref(reading.found);
    if (!held) {
        *perror = rv && rv != MASTRA_STORE_NOT_FOUND
                      ? mastra_store_result(pool, rv, "read the workflow")
                      : not_found(pool);
    }
    return held;
}

apr_array_header_t *mastra_workflows_stored(mastra_workflow_env_t *env,
                                            mastra_result_t **perror,
                                            apr_pool_t *pool)
{
    apr_array_header_t *made = apr_array_make(pool, 8,
                                              sizeof(mastra_held_t *));
    reading_t reading = { .env = env, .pool = pool };
    apr_status_t rv = mastra_store_call(env->store, MASTRA_STORE_READ,
                                        read_definitions, &reading);
    apr_size_t i;

    for (i = 0; rv == APR_SUCCESS && i < mastra_json_size(reading.list); i++) {
        const char *id = mastra_json_get_str(mastra_json_at(reading.list, i),
                                             "id");
        mastra_result_t *ignored = NULL;
        mastra_held_t *held = entry_of(env->workflows, id)
                                  ? NULL : mastra_workflow_find(env, id,
                                                                &ignored,
                                                                pool);

        if (held) {
            APR_ARRAY_PUSH(made, mastra_held_t *) = held;
        }
    }
    mastra_json_unref(reading.found);
    mastra_json_unref(reading.list);
    if (rv) {
        *perror = mastra_store_result(pool, rv, "read the workflows");
        return NULL;
    }
    return made;
}
