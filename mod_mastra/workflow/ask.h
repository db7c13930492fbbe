#ifndef MASTRA_WORKFLOW_ASK_H
#define MASTRA_WORKFLOW_ASK_H

#include "owner.h"

/* Inside workflow/: a request that is about a run. Request threads. */
typedef struct {
    mastra_workflow_env_t *env;
    const mastra_workflow_t *workflow;
    const mastra_workflow_ask_t *ask;
    apr_pool_t *pool;                /* of the request */
    mastra_flow_row_t row;
    mastra_json_t *rows;             /* of its steps */
    const char *graph;
    mastra_json_t *begin;            /* what it goes on with */
    mastra_json_t *changes;          /* rows that are put with the claim; null:
                                        dropped */
    mastra_json_t *snapshot;         /* that is put with the claim, or NULL */
    int fresh;                       /* it was made with its snapshot */
    const char *snapshot_text;
    int anew;                        /* all rows are dropped first */
    mastra_result_t *error;
    mastra_launch_t *launch;
} mastra_asking_t;

/* Reads the run with its steps; NULL: it is there. */
mastra_result_t *mastra_ask_read(mastra_asking_t *asking);

#endif
