#ifndef MOD_MASTRA_PROJECT_H
#define MOD_MASTRA_PROJECT_H

#include <apr_hash.h>
#include <apr_tables.h>

#include "base/json.h"
#include "base/result.h"

/*
 * Definitions of tools, agents, workflows and schedules, from files of a project directory or from
 * containers in httpd.conf, and what is wrong with them.
 */
typedef enum {
    MASTRA_DOCUMENT_TOOL, MASTRA_DOCUMENT_AGENT, MASTRA_DOCUMENT_WORKFLOW,
    MASTRA_DOCUMENT_SCHEDULE
} mastra_document_e;

typedef struct {
    mastra_document_e kind;
    const char *key;             /* name of the file, or of the container */
    mastra_json_t *json;
    const char *file;            /* where it stands */
    int line;                    /* of the container; 0: the whole file */
    apr_hash_t *lines;           /* of a container: member to int * */
} mastra_document_t;

/* Sentences about faults, each with its place; the first of many. */
typedef struct {
    apr_array_header_t *texts;   /* const char * */
    int more;                    /* how many were left out */
} mastra_faults_t;

mastra_faults_t *mastra_faults_make(apr_pool_t *pool);
void mastra_faults_add(mastra_faults_t *faults, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Reads dir/tools/<id>.json, dir/workflows/<id>.json, dir/schedules/<id>.json
 * and dir/agents/<id>/agent.json with its instructions.md, in the order of names,
 * onto documents. 0: dir is no directory that can be read. */
int mastra_project_read(apr_array_header_t *documents, const char *dir,
                        mastra_faults_t *faults, apr_pool_t *pool);

/* The line of the member that field, a path with dots, names; that of the
 * innermost one that is there when it is not. Reads the file again. */
int mastra_project_line(const mastra_document_t *document, const char *field,
                        apr_pool_t *pool);

/* Notes what result says about document, at the line of its field. */
void mastra_project_fault(mastra_faults_t *faults,
                          const mastra_document_t *document,
                          const mastra_result_t *result, apr_pool_t *pool);

#endif
