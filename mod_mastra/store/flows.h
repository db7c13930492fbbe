#ifndef MASTRA_STORE_FLOWS_H
#define MASTRA_STORE_FLOWS_H

#include "runs.h"

/*
 * Runs of workflows: who owns one and what it is at (mastra_x_runs, as runs of
 * agents), the results of its steps (mastra_x_steps), the graphs that runs
 * keep (mastra_x_graphs) and the state that other readers of the database
 * expect (mastra_workflow_snapshot). Inside store jobs only.
 *
 * Status: "pending" and "suspended" belong to nobody, "waiting" to whoever is
 * there when its time has come, "running" to its owner until the lease ends;
 * all others are ends.
 */
#define MASTRA_FLOW_KIND "workflow"

typedef struct {
    const char *host, *id;
    const char *workflow;        /* its id */
    const char *resource_id;     /* NULL: nobody's */
    const char *status;
    const char *owner;           /* address of a child, "" for nobody's */
    const char *graph;           /* which of mastra_x_graphs */
    int epoch;                   /* rises with each change of hands */
    int halt;                    /* somebody asks for its end */
    int taken;                   /* changes of hands since the last step */
    int segment;                 /* how often it was begun or resumed */
    apr_int64_t lease, wake;     /* ms, the database's clock */
    apr_int64_t now;             /* when this was read */
    const char *created, *updated;   /* ISO */
    mastra_json_t *snapshot;     /* owned by the pool; NULL: not read */
    const char *snapshot_text;   /* to be written; NULL: snapshot's */
    apr_size_t bytes;            /* of its steps, if they were read */
} mastra_flow_row_t;

/* place: where in the graph; "" for what the run began with. */
typedef struct {
    const char *place;
    const char *record;          /* JSON */
} mastra_flow_step_t;

/* The owner is gone, or nobody takes care of it in time. */
int mastra_flow_lapsed(const mastra_flow_row_t *row);

/* A run that nobody owns, with its first snapshot. MASTRA_STORE_EXISTS when
 * the id is another run's. */
apr_status_t mastra_flows_create(mastra_db_t *db, const mastra_flow_row_t *row,
                                 apr_pool_t *pool);
/* A run that is begun at once: created, and its first segment is owner's. row
 * is changed to what it is then. */
apr_status_t mastra_flows_begin(mastra_flow_row_t *row, mastra_db_t *db,
                                const char *owner, apr_interval_time_t lease,
                                apr_pool_t *pool);
/* NOT_FOUND: none such. workflow NULL: any; snapshot: read it, too. */
apr_status_t mastra_flows_get(mastra_flow_row_t *row, mastra_db_t *db,
                              const char *host, const char *workflow,
                              const char *id, int snapshot, apr_pool_t *pool);

/* Makes the run owner's, if nothing has happened to it since row was read: row
 * is changed to what it is then. begins: a new segment begins, for which the
 * graph is row's. MASTRA_STORE_STALE: somebody was faster. */
apr_status_t mastra_flows_claim(mastra_flow_row_t *row, mastra_db_t *db,
                                const char *owner, apr_interval_time_t lease,
                                int begins, apr_pool_t *pool);
/* The owner is still there, and a step (or NULL) has come to this: STALE when
 * it is not any more. */
apr_status_t mastra_flows_advance(mastra_db_t *db, const mastra_flow_row_t *row,
                                  apr_interval_time_t lease,
                                  const mastra_flow_step_t *step,
                                  apr_pool_t *pool);
/* The owner lets go of the run: it is in status now, until wake (0: for
 * good). halted 0: STALE also when somebody has asked for its end. */
apr_status_t mastra_flows_settle(mastra_db_t *db, const mastra_flow_row_t *row,
                                 const char *status, apr_int64_t wake,
                                 int halted, apr_pool_t *pool);
/* The owner cannot go on with it: others may, at once. */
apr_status_t mastra_flows_hand_back(mastra_db_t *db,
                                    const mastra_flow_row_t *row,
                                    apr_pool_t *pool);
/* A run that nobody owns gets another status, if nothing has happened. */
apr_status_t mastra_flows_mark(mastra_db_t *db, const mastra_flow_row_t *row,
                               const char *status, apr_pool_t *pool);
/* The state as others read it. APR_ENOSPC: it has more than limit bytes (0: no
 * limit). */
apr_status_t mastra_flows_snapshot(mastra_db_t *db,
                                   const mastra_flow_row_t *row,
                                   const mastra_json_t *snapshot,
                                   apr_size_t limit, apr_pool_t *pool);
apr_status_t mastra_flows_snapshot_text(mastra_db_t *db,
                                        const mastra_flow_row_t *row,
                                        const char *snapshot,
                                        apr_pool_t *pool);
/* Asks the owner to end it, or whoever has it next; MASTRA_STORE_STALE when
 * somebody has asked before. */
apr_status_t mastra_flows_halt(mastra_db_t *db, const mastra_flow_row_t *row,
                               apr_pool_t *pool);
apr_status_t mastra_flows_delete(mastra_db_t *db, const mastra_flow_row_t *row,
                                 apr_pool_t *pool);

/* All leases of an owner are extended; what it still owns: id, epoch, halt. */
apr_status_t mastra_flows_renew(mastra_flow_row_t **prows, int *pn,
                                mastra_db_t *db, const char *owner,
                                apr_interval_time_t lease, apr_pool_t *pool);
typedef struct {
    const char *const *ids;      /* of runs to go on with, nids of them */
    const char *const *graphs;   /* and theirs */
    int nids;
    int more;                    /* there may be others */
    const char *const *owners;   /* of all that are running */
    int nowners;
    apr_int64_t next;            /* when the next sleep is over; 0: none */
    apr_int64_t now;
} mastra_flows_due_t;
/* What somebody has to go on with, some at a time: runs whose lease has ended,
 * those of an owner that is dead (or NULL), and those whose time has come. */
apr_status_t mastra_flows_due(mastra_flows_due_t *due, mastra_db_t *db,
                              const char *host, const char *dead,
                              apr_pool_t *pool);

/* ---- steps ---- */

/* The result of a step, in place of an earlier one. */
apr_status_t mastra_flows_put_step(mastra_db_t *db, const char *run,
                                   const char *place, const char *record,
                                   apr_pool_t *pool);
apr_status_t mastra_flows_drop_step(mastra_db_t *db, const char *run,
                                    const char *place, apr_pool_t *pool);
apr_status_t mastra_flows_drop_steps(mastra_db_t *db, const char *run,
                                     apr_pool_t *pool);
/* An object of records by place, and how long they are in all (pbytes may be
 * NULL). New reference. */
apr_status_t mastra_flows_steps(mastra_json_t **psteps, apr_size_t *pbytes,
                                mastra_db_t *db, const char *run,
                                apr_pool_t *pool);

/* ---- graphs, by the hash of their text ---- */

apr_status_t mastra_flows_put_graph(mastra_db_t *db, const char *hash,
                                    const char *text, apr_pool_t *pool);
apr_status_t mastra_flows_get_graph(const char **ptext, mastra_db_t *db,
                                    const char *hash, apr_pool_t *pool);

/* ---- lists ---- */

typedef struct {
    const char *host, *workflow;
    const char *status, *resource_id;    /* NULL: any */
    apr_time_t from, to;                 /* of creation; 0: open */
    apr_int64_t offset, limit;
} mastra_flows_filter_t;
/* Newest first, with snapshots. */
apr_status_t mastra_flows_list(mastra_flow_row_t **prows, int *pn,
                               apr_int64_t *ptotal, mastra_db_t *db,
                               const mastra_flows_filter_t *filter,
                               apr_pool_t *pool);
/* {workflow: {status: n}} of a host. New reference. */
apr_status_t mastra_flows_counts(mastra_json_t **pcounts, mastra_db_t *db,
                                 const char *host, const char *resource_id,
                                 apr_pool_t *pool);

/* ---- definitions: mastra_workflow_definitions ---- */

/* As the API shows them. New reference. */
apr_status_t mastra_definitions_get(mastra_json_t **pdefinition,
                                    mastra_db_t *db, const char *id,
                                    apr_pool_t *pool);
/* status, author: NULL for any. An array; new reference. */
apr_status_t mastra_definitions_list(mastra_json_t **plist, mastra_db_t *db,
                                     const char *status, const char *author,
                                     apr_pool_t *pool);
apr_status_t mastra_definitions_put(mastra_db_t *db,
                                    const mastra_json_t *definition,
                                    const char *author, apr_pool_t *pool);
apr_status_t mastra_definitions_delete(mastra_db_t *db, const char *id,
                                       apr_pool_t *pool);

#endif
