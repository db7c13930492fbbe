#ifndef MASTRA_WORKFLOW_INTERNAL_H
#define MASTRA_WORKFLOW_INTERNAL_H

#include "graph.h"

/*
 * Inside workflow/: what mappings and predicates see of a run, and how it is
 * asked. Pure functions over JSON, any thread.
 */
typedef struct {
    const mastra_json_t *init;       /* what the workflow began with */
    const mastra_json_t *input;      /* what the entry is given */
    const mastra_json_t *state;
    const mastra_json_t *context;    /* request context */
    const mastra_json_t *results;    /* id to record, of this workflow */
} mastra_sight_t;

/* The output of a step that has succeeded, or NULL; lent. */
const mastra_json_t *mastra_sight_output(const mastra_sight_t *sight,
                                         const char *id);

/* ---- predicate.c ---- */

/* NULL or what is wrong; *pfield then names the place below path. */
const char *mastra_predicate_check(const char **pfield, const char *path,
                                   const mastra_json_t *predicate,
                                   apr_pool_t *pool);
int mastra_predicate_holds(const mastra_json_t *predicate,
                           const mastra_sight_t *sight);
/* As people read it, 80 characters at most. */
const char *mastra_predicate_label(const mastra_json_t *predicate,
                                   apr_pool_t *pool);
/* The value at a dotted path, *pfound 0: there is none. "" and ".": root. */
mastra_json_t *mastra_path_walk(const mastra_json_t *root, const char *path,
                                int *pfound);

/* Calls cb with each path that a predicate asks for, and where it stands. */
typedef void mastra_predicate_path_cb(void *baton, const char *path,
                                      const char *at);
void mastra_predicate_paths(const mastra_json_t *predicate, const char *at,
                            mastra_predicate_path_cb *cb, void *baton,
                            apr_pool_t *pool);

/* ---- mapping.c ---- */

/* Whether placeholders of a template are well-formed: NULL or what is wrong. */
const char *mastra_template_check(const char *text, apr_pool_t *pool);
/* Calls cb with the id of each step that a template names. */
void mastra_template_steps(const char *text,
                           void (*cb)(void *baton, const char *id),
                           void *baton, apr_pool_t *pool);
/* The output of a mapping; NULL and *pwhy. New reference. */
mastra_json_t *mastra_mapping_run(const mastra_json_t *map,
                                  const mastra_sight_t *sight,
                                  const char **pwhy, apr_pool_t *pool);

/* ---- check_shape.c ---- */

/* Whether an entry of a graph is of a kind. */
int mastra_entry_is(const mastra_json_t *entry, const char *type);
void mastra_issue_add(mastra_json_t *issues, const char *code,
                      const char *path, const char *message);
/* Appends what is wrong with the form of a definition. */
void mastra_workflow_shape(mastra_json_t *issues,
                           const mastra_json_t *definition, apr_pool_t *pool);

/* ---- describe.c ---- */

mastra_json_t *mastra_workflow_step_graph(const mastra_workflow_t *workflow,
                                          apr_pool_t *pool);
void mastra_workflow_describe(mastra_workflow_t *workflow, apr_pool_t *pool);

#endif
