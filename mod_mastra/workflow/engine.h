#ifndef MASTRA_WORKFLOW_ENGINE_H
#define MASTRA_WORKFLOW_ENGINE_H

#include "workflow.h"
#include "internal.h"
#include "../run/event.h"
#include "../store/flows.h"

/*
 * Inside workflow/: a run as a tree of tasks. It is always walked from the
 * start of its graph: what is in storage is taken as it is, what is not is
 * done. A dry run only looks: it belongs to the thread that made it. All other
 * runs belong to the loop.
 */
typedef struct mastra_task_t mastra_task_t;
typedef struct mastra_scope_t mastra_scope_t;
typedef struct mastra_batch_t mastra_batch_t;

typedef enum {
    MASTRA_TASK_OPEN, MASTRA_TASK_SUCCESS, MASTRA_TASK_FAILED,
    MASTRA_TASK_SUSPENDED, MASTRA_TASK_PAUSED
} mastra_outcome_e;

/* A workflow in the run: the run's own, or one that it nests. */
struct mastra_scope_t {
    mastra_scope_t *next;
    const mastra_workflow_t *workflow;
    mastra_json_t *init;             /* its input */
    mastra_json_t *results;          /* records by the ids of steps */
    const char *prefix;              /* of ids that clients see: "outer." */
    const char *place;               /* of places: "3/" */
    mastra_task_t *owner;            /* the step that it is, NULL: the run */
};

struct mastra_task_t {
    mastra_workflow_run_t *run;
    mastra_scope_t *scope;
    const mastra_node_t *node;       /* NULL: the steps of scope in order */
    mastra_task_t *parent;           /* NULL: the run's */
    mastra_task_t *next;             /* in the line of those to go on */
    mastra_task_t *next_inside;
    mastra_task_t *next_live, **prev_live;   /* among those that are done now */
    const char *place;
    int index;                       /* branch, item or round of its parent */
    mastra_json_t *input;
    mastra_json_t *record;           /* what it came to */
    mastra_json_t *output, *error;
    mastra_outcome_e outcome;
    int begun, announced, replayed;
    int in_line;                     /* it goes on in its turn */
    apr_int64_t started_at;          /* ms */
    const char *call_id;             /* of its chunks */

    /* of those that have others below them */
    int at;                          /* the next to begin */
    int open;                        /* begun and not over */
    int stopped;                     /* no more are begun */
    int completed;
    mastra_json_t *outputs;
    mastra_json_t *items;            /* of a foreach: records in order */
    const mastra_json_t *resumed;    /* the record below that was resumed last */
    int done;                        /* items of a foreach that succeeded */
    int late;                        /* the run has too many: not begun */

    /* of a step that is done now */
    int attempt;                     /* failed ones before it */
    mastra_json_t *resume;           /* {resumePayload, resumedAt, …} */
    mastra_tool_call_t *call;
    mastra_agent_run_t *agent;
    struct mastra_talk_t *talk;      /* with the agent */
    mastra_timer_t timer;
    apr_int64_t wake;                /* of a sleep, ms */
};

struct mastra_workflow_run_t {
    apr_pool_t *pool;
    mastra_workflow_env_t *env;      /* NULL: a dry run */
    mastra_held_t *held;             /* its graph */
    const mastra_workflow_t *workflow;
    mastra_flow_row_t row;           /* with strings of the pool */
    mastra_json_t *begin;            /* what it began with */
    mastra_json_t *rows;             /* records by place */
    mastra_task_t *root;
    mastra_scope_t *scopes, **scopes_end;
    mastra_task_t *ready, **ready_end;
    mastra_task_t *live;             /* steps that are done now */
    int ntasks;
    int bare;                        /* its snapshot shows no values */
    int pumping;
    int going;                       /* something was done that was not in
                                        storage */
    apr_int64_t clock;               /* ms: the last that storage tells of */
    mastra_json_t *order;            /* stepExecutionPath */
    mastra_json_t *usage;
    int sleeping;
    apr_int64_t wake;                /* the first of those, ms */

    apr_array_header_t *writes;      /* to be stored, mastra_write_t */
    apr_pool_t *next;                /* of their batch, or NULL */
    mastra_task_t *inside;           /* a tool that runs in the database, */
    mastra_task_t *inside_line;      /* and those that wait for their turn */
    mastra_batch_t *batch;           /* being stored */
    const char *status;              /* it is at its end: to be stored */
    int over;                        /* nothing is to come any more */
    int halted;                      /* canceled, when batch is stored */
    mastra_msg_t msg;

    mastra_log_t *log;
    apr_array_header_t *suspended;   /* of a dry run: mastra_task_t *, or
                                        NULL */
};

typedef struct {
    mastra_flow_step_t step;
    mastra_task_t *task;             /* goes on when it is stored; or NULL */
} mastra_write_t;

/* ---- engine.c ---- */

/* Begins the walk, and goes on as far as it goes. */
void mastra_run_walk(mastra_workflow_run_t *run);
void mastra_run_pump(mastra_workflow_run_t *run);
/* The task is to go on when its turn has come. */
void mastra_task_ready(mastra_task_t *task);
/* The task is over; record, output and error are taken over. */
void mastra_task_end(mastra_task_t *task, mastra_outcome_e outcome,
                     mastra_json_t *record, mastra_json_t *output,
                     mastra_json_t *error);
mastra_sight_t mastra_task_sight(const mastra_task_t *task);
/* Now, or when storage says that it was. */
apr_int64_t mastra_run_stamp(const mastra_workflow_run_t *run);
/* {message, name}; new reference. */
mastra_json_t *mastra_error_make(const char *message);
/* The id under which clients know it. */
const char *mastra_task_name(const mastra_task_t *task);

/* ---- step.c ---- */

/* What tells its present attempt from all others: run/turn/place/attempt. */
const char *mastra_step_key(const mastra_task_t *task);
/* A step without others below it begins: from storage, or now. */
void mastra_step_begin(mastra_task_t *task);
/* Its result, or a part on the way to it, is stored. */
void mastra_step_stored(mastra_task_t *task);
/* A tool that ran in the database has come to this; both taken over. */
void mastra_step_came(mastra_task_t *task, mastra_json_t *output,
                      mastra_json_t *error);
/* It waits with payload; more: what its row remembers besides, or NULL. */
void mastra_step_suspend(mastra_task_t *task, const mastra_json_t *payload,
                         const mastra_json_t *more);
/* Nobody wants it any more: no callback comes. */
void mastra_step_cancel(mastra_task_t *task);

/* ---- invalid.c ---- */

/* What is wrong with value: NULL or an error like the contract's; what:
 * "Step input validation failed". New reference. */
mastra_json_t *mastra_step_invalid(const mastra_schema_t *schema,
                                   const mastra_json_t *value,
                                   const char *what, const char *code,
                                   apr_pool_t *pool);

/* ---- size.c ---- */

/* How many bytes a step of a run of that size may come to, or be given. */
apr_size_t mastra_step_size(apr_size_t run_size);
/* The error of a step whose row would be longer; new reference. */
mastra_json_t *mastra_step_too_long(apr_size_t run_size);
/* The record with that error, short in any case; new reference. */
mastra_json_t *mastra_step_long_record(const mastra_task_t *task);
/* What all records come to when one of them goes. */
apr_size_t mastra_size_without(apr_size_t bytes, const mastra_json_t *record,
                               apr_pool_t *pool);
/* Why it cannot begin: NULL: nothing is too long. */
const char *mastra_step_over_size(const mastra_task_t *task);

/* ---- talk.c ---- */

/* Has an agent answer: the task ends with it. */
void mastra_talk_begin(mastra_task_t *task);
void mastra_talk_cancel(mastra_task_t *task);

/* ---- text.c ---- */

/* A document begins, to which the functions below add members. */
void mastra_text_open(mastra_buf_t *buf, apr_size_t limit);
apr_status_t mastra_text_member(mastra_buf_t *buf, const char *name,
                                const mastra_json_t *value);
apr_status_t mastra_text_number(mastra_buf_t *buf, const char *name,
                                apr_int64_t value);
apr_status_t mastra_text_string(mastra_buf_t *buf, const char *name,
                                const char *value);
/* All members of object but those that without names (NULL: none). */
apr_status_t mastra_text_members(mastra_buf_t *buf,
                                 const mastra_json_t *object,
                                 const char *const *without);
/* What storage keeps of a record: the payload is known from the walk. NULL: it
 * is longer than limit, as below. */
const char *mastra_text_record(apr_size_t *plen, const mastra_json_t *record,
                               int attempts, apr_size_t limit,
                               apr_pool_t *pool);
const char *mastra_text_snapshot(const mastra_json_t *snapshot,
                                 const mastra_workflow_t *workflow,
                                 apr_size_t limit, apr_pool_t *pool);

/* ---- say.c: chunks ---- */

void mastra_say_start(mastra_workflow_run_t *run);
void mastra_say_begin(mastra_task_t *task);
void mastra_say_result(mastra_task_t *task, const mastra_json_t *record);
void mastra_say_output(mastra_task_t *task, const mastra_json_t *output);
void mastra_say_progress(mastra_task_t *task, const mastra_task_t *item);
void mastra_say_finish(mastra_workflow_run_t *run, const char *status,
                       const mastra_json_t *result,
                       const mastra_json_t *error);

/* ---- commit.c ---- */

/* The record of a task is to be stored, which goes on then, if waits. 0: it is
 * too long. */
int mastra_commit(mastra_task_t *task, const mastra_json_t *record, int waits);
/* The task's tool runs in the database, with what is stored then. */
void mastra_commit_inside(mastra_task_t *task);
/* Stores what is there to be stored, if nothing is under way. */
void mastra_commit_flush(mastra_workflow_run_t *run);
/* The run has come to an end here: stored with its snapshot, told, freed. */
void mastra_commit_end(mastra_workflow_run_t *run, const char *status);
/* The run is another's by now, or cannot be stored: it is forgotten here. */
void mastra_commit_drop(mastra_workflow_run_t *run);

/* ---- release.c ---- */

void mastra_run_free(mastra_workflow_run_t *run);

/* ---- view.c ---- */

/* The snapshot; status: of the run now. New reference. */
mastra_json_t *mastra_run_snapshot(mastra_workflow_run_t *run,
                                   const char *status);
/* Of a run that has done nothing yet; new reference. */
mastra_json_t *mastra_snapshot_first(const mastra_workflow_t *workflow,
                                     const char *run_id,
                                     const mastra_json_t *begin,
                                     const char *status);
/* What start-async answers; new reference. */
mastra_json_t *mastra_snapshot_result(const mastra_json_t *snapshot,
                                      const mastra_json_t *begin,
                                      const char *run_id);

/* The API's view of a run; fields: which, by names with commas; NULL: all.
 * New reference. */
mastra_json_t *mastra_snapshot_view(const mastra_flow_row_t *row,
                                    const mastra_json_t *snapshot,
                                    const char *fields, int nested);

/* ---- dry.c: request threads ---- */

/* Walks over what is stored, on this thread; freed with it. begin and rows are
 * its own then. NULL: its graph cannot be used. */
mastra_workflow_run_t *mastra_dry_run(mastra_workflow_env_t *env,
                                      const mastra_flow_row_t *row,
                                      const char *graph, mastra_json_t *rows);
void mastra_dry_free(mastra_workflow_run_t *run);
/* The steps that resume means: mastra_task_t *; NULL and *perror. */
apr_array_header_t *mastra_dry_targets(mastra_workflow_run_t *run,
                                       const mastra_json_t *body,
                                       mastra_result_t **perror,
                                       apr_pool_t *pool);

/* ---- travel.c ---- */

/* What a run that goes back to a step begins with, and which rows change:
 * null for those that go. NULL: fine. */
mastra_result_t *mastra_travel_plan(mastra_json_t *begin,
                                    mastra_json_t *changes,
                                    const mastra_workflow_t *workflow,
                                    const mastra_json_t *rows,
                                    const mastra_json_t *snapshot,
                                    const mastra_json_t *body,
                                    apr_pool_t *pool);

/* ---- owner.c ---- */

/* A run of what was claimed; it owns begin and rows then. */
mastra_workflow_run_t *mastra_run_make(mastra_workflow_env_t *env,
                                       mastra_held_t *held,
                                       const mastra_flow_row_t *row,
                                       mastra_json_t *begin,
                                       mastra_json_t *rows);
void mastra_owner_forget(mastra_workflow_run_t *run);
void mastra_owner_sleeps(mastra_workflow_env_t *env, apr_int64_t wake);

/* The log of a segment of a run: in pool. */
const char *mastra_run_log_key(const char *run_id, int segment,
                               apr_pool_t *pool);

/* ---- watch.c ---- */

/* Waits for what a segment of a run comes to. how: as in mastra_workflow_ask_t. */
mastra_wait_t *mastra_wait_make(mastra_workflow_env_t *env,
                                const mastra_flow_row_t *row, int how);
/* Also what segments from first on have said, but for the first chunks. */
void mastra_wait_from(mastra_wait_t *wait, int first, apr_int64_t skip);
/* What follows an event. */
void mastra_wait_after(mastra_wait_t *wait, mastra_event_at_t at);
/* Nothing of what it has said is kept any more: its snapshot (a reference is
 * taken) is told instead. */
void mastra_wait_told(mastra_wait_t *wait, mastra_json_t *snapshot);
/* A stream that does not end when the run is suspended. */
void mastra_wait_on(mastra_wait_t *wait);
/* The run has come to this here: those who wait for its end need not look. */
void mastra_waits_tell(mastra_workflow_run_t *run,
                       const mastra_json_t *snapshot);

#endif
