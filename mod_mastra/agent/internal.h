#ifndef MASTRA_AGENT_INTERNAL_H
#define MASTRA_AGENT_INTERNAL_H

#include "agent.h"
#include "../store/threads.h"

/*
 * Inside agent/: conversion of messages (message.c), what a run says
 * (output.c), its memory (recall.c) and the state machine (loop.c).
 */

/* ---- message.c, prompt.c: pure functions over JSON, any thread ---- */

int mastra_part_is(const mastra_json_t *part, const char *type);
/* The first of up to three members that is a string; b and c may be NULL. */
const char *mastra_part_str(const mastra_json_t *object, const char *a,
                            const char *b, const char *c);

/* The "messages" of a request body as an array of format 2 messages {id, role,
 * createdAt, content}; system messages stay as {role:"system", content:"…"}.
 * NULL and *perror for what is no message. now: createdAt of the first. */
mastra_json_t *mastra_message_normalize(const mastra_json_t *input,
                                        apr_time_t now,
                                        mastra_result_t **perror,
                                        apr_pool_t *pool);
/* Appends stored messages (format 2) to a neutral prompt. */
void mastra_message_to_prompt(mastra_json_t *prompt,
                              const mastra_json_t *messages);
/* The same in the form that the API shows. */
void mastra_message_to_model(mastra_json_t *made,
                             const mastra_json_t *messages);
/* Appends the messages that assistant parts stand for, in the neutral form. */
void mastra_message_parts_to_prompt(mastra_json_t *prompt,
                                    const mastra_json_t *parts);
/* The same as the API's "messages" of steps: with providerOptions.mastra. */
mastra_json_t *mastra_message_parts_to_model(const mastra_json_t *parts);
mastra_json_t *mastra_message_user_to_model(const mastra_json_t *messages);
/* Parts of an assistant message as AI SDK UI parts. */
mastra_json_t *mastra_message_parts_to_ui(const mastra_json_t *parts);
/* All text of a format 2 message, joined; a new string value. */
mastra_json_t *mastra_message_text(const mastra_json_t *message);
/* The text of the last text part, or NULL: lent. */
const char *mastra_message_last_text(const mastra_json_t *parts);

/* ---- the run ---- */

typedef enum {
    MASTRA_RUN_NEW,
    MASTRA_RUN_RECALL,       /* storage: thread and history */
    MASTRA_RUN_MODEL,        /* a model call is open */
    MASTRA_RUN_TOOLS,        /* tool calls are open */
    MASTRA_RUN_SAVE,         /* storage: the answer */
    MASTRA_RUN_END
} mastra_run_state_e;

/* One tool call of the present step. */
typedef struct mastra_run_tool_t {
    mastra_agent_run_t *run;
    struct mastra_run_tool_t *next;
    const mastra_tool_t *tool;       /* NULL: not one of ours */
    const char *id;
    const char *name;
    mastra_json_t *args;
    mastra_json_t *part;             /* its tool-invocation part */
    mastra_tool_call_t *call;        /* while it runs */
    int over;
    mastra_json_t *outcome;          /* its chunk, until it is told */
    int is_result;                   /* ... which is no error */
    int decided;                     /* a person has answered: it may run */
} mastra_run_tool_t;

/* What the present model step has said so far. */
typedef struct {
    apr_pool_t *pool;                /* of the step */
    mastra_buf_t text;
    mastra_buf_t reasoning;
    int text_open, reasoning_open;
    apr_int64_t text_at;             /* ms */
    mastra_json_t *response;         /* id, timestamp, modelId, headers */
    mastra_json_t *request;          /* {"body": "…"} */
    mastra_json_t *body;             /* upstream answer without stream */
    mastra_json_t *usage;
    const char *reason, *raw_reason;
    apr_size_t first_part;           /* index in run->parts */
    mastra_run_tool_t *tools, **tools_tail;
    int tools_open;
    mastra_json_t *tool_chunks;      /* tool-call chunks */
    mastra_json_t *result_chunks;    /* tool-result chunks */
} mastra_run_step_t;

/* A resumed run's claim, renewed while it goes on. Loop thread; outlives the
 * run while a job is under way. */
typedef struct {
    apr_pool_t *pool;
    mastra_agent_run_t *run;         /* NULL: the run has ended */
    mastra_loop_t *loop;
    mastra_store_t *store;
    const char *host, *id;
    apr_interval_time_t length;      /* of the claim unless renewed */
    int epoch;
    int busy;                        /* a job is under way */
    apr_status_t rv;
    mastra_timer_t timer;
    mastra_store_job_t job;
    mastra_msg_t msg;
} mastra_agent_lease_t;

struct mastra_agent_run_t {
    mastra_agent_env_t *env;
    const mastra_agent_t *agent;
    apr_pool_t *pool;                /* the run's own, with its allocator */
    mastra_run_state_e state;
    int stream;
    int cancelled;
    int started;                     /* "start" was sent */
    int tools_ran;                   /* a tool was called */
    int blocked;                     /* the sink is slow */
    mastra_sink_t *sink;

    const char *id, *message_id, *trace_id, *span_id;
    const char *thread_id, *resource_id;  /* NULL: no memory */
    const char *owner;               /* resource that auth gives, or NULL */
    int read_only;
    int last_messages;
    int max_steps;
    int depth;
    mastra_json_t *options;          /* the body */
    mastra_json_t *tool_specs;       /* what the model is offered, lent */
    mastra_json_t *context;          /* request context */
    const mastra_schema_t *output;   /* structured output, or NULL */
    mastra_json_t *output_schema;

    /* A run that a person's decision takes up. */
    mastra_json_t *decision;         /* {toolCallId?, approved, reason?,
                                        resumeData?}, NULL: a new run */
    mastra_json_t *stored;           /* the state that was claimed */
    mastra_json_t *pending;          /* what it waits for, while that is saved */
    mastra_agent_lease_t *lease;
    int epoch;                       /* of the claim, 0: none */
    int suspended;

    /* The state that a stored run consists of. */
    mastra_json_t *input;            /* messages of this request */
    mastra_json_t *prior;            /* messages that were completed before the
                                        run was taken up, or NULL */
    mastra_json_t *remembered;       /* from storage */
    mastra_json_t *parts;            /* of the assistant's message */
    mastra_json_t *steps;            /* finished steps, for the answer */
    mastra_json_t *usage;            /* sums */
    mastra_json_t *object;           /* structured output, or NULL */
    apr_time_t answered_at;          /* createdAt of the assistant message */
    int nsteps;

    mastra_run_step_t step;
    mastra_model_call_t *call;
    mastra_timer_t deadline;
    mastra_store_job_t job;
    mastra_msg_t msg;
    mastra_msg_t too_large;
    apr_status_t job_rv;
    mastra_result_t *job_error;      /* of the job's own finding */
    mastra_result_t *error;          /* why the run failed */
};

/* ---- output.c, answer.c: loop thread ---- */

/* {type, runId, from:"AGENT", payload}; payload is taken over. */
mastra_json_t *mastra_run_envelope(mastra_agent_run_t *run, const char *type,
                                   mastra_json_t *payload);
/* Appends a reference of chunk to *pchunks, made when NULL. */
void mastra_run_keep(mastra_json_t **pchunks, mastra_json_t *chunk);

void mastra_run_say_start(mastra_agent_run_t *run);
void mastra_run_say_step_start(mastra_agent_run_t *run);
/* A piece of text or reasoning; opens it where it is not open. Returns what
 * the sink does. */
int mastra_run_say_text(mastra_agent_run_t *run, const char *text,
                        apr_size_t len);
int mastra_run_say_reasoning(mastra_agent_run_t *run, const char *text,
                             apr_size_t len);
/* Ends text and reasoning that are open and makes parts of them. */
void mastra_run_close_text(mastra_agent_run_t *run);
/* Sends such a chunk when the run streams. Returns what the sink does. */
int mastra_run_say(mastra_agent_run_t *run, const char *type,
                   mastra_json_t *payload);
void mastra_run_say_tool_call(mastra_agent_run_t *run, mastra_run_tool_t *tool);
/* What came of a call, into the message; result is lent, error NULL: it worked.
 * Told to the client by the next: in the order of the calls, so that one that
 * overtook another waits for it. */
void mastra_run_note_outcome(mastra_agent_run_t *run, mastra_run_tool_t *tool,
                             mastra_json_t *result,
                             const mastra_result_t *error);
void mastra_run_say_outcomes(mastra_agent_run_t *run);
/* Folds the step into run->steps and says step-finish. */
void mastra_run_say_step_finish(mastra_agent_run_t *run, int continued);
void mastra_run_say_error(mastra_agent_run_t *run,
                          const mastra_result_t *error);
void mastra_run_say_finish(mastra_agent_run_t *run);
/* Partial structured output: "object" chunks. */
void mastra_run_say_object(mastra_agent_run_t *run);
/* The whole answer of generate. New reference. */
mastra_json_t *mastra_run_answer(mastra_agent_run_t *run);
/* The assistant's message in format 2; for_client adds toolInvocations. New
 * reference, NULL when nothing was said. */
mastra_json_t *mastra_run_message(mastra_agent_run_t *run, int for_client);

/* ---- run.c ---- */

/* An option of the request, else the agent's default. Lent. */
mastra_json_t *mastra_run_option(mastra_agent_run_t *run, const char *name);
/* Releases what a step holds and empties it. */
void mastra_run_free_step(mastra_run_step_t *step);

/* ---- loop.c ---- */

const mastra_tool_t *mastra_run_find_tool(mastra_agent_run_t *run,
                                          const char *name);
/* Starts one call of the step; step.tools_open counts it already. */
void mastra_run_start_tool(mastra_agent_run_t *run, mastra_run_tool_t *tool);
/* The outcome of one call; the last one ends the step. */
void mastra_run_tool_over(mastra_run_tool_t *tool, mastra_json_t *result,
                          const mastra_result_t *error);
/* All calls that could run are over: the step ends, or waits for a person. */
void mastra_run_tools_over(mastra_agent_run_t *run);
void mastra_run_fail(mastra_agent_run_t *run, const mastra_result_t *error);
/* A run whose first store job failed (run->job_rv, run->job_error); what: for
 * the log. */
void mastra_run_end_early(mastra_agent_run_t *run, const char *what);
/* Stops a run that may not write any more. */
void mastra_run_stop(mastra_agent_run_t *run, const mastra_result_t *error);
/* Tells the sink of the end and frees the run. */
void mastra_run_end(mastra_agent_run_t *run);

/* ---- suspend.c, take_up.c, lease.c ---- */

#define MASTRA_RUN_KIND "agentic-loop"   /* workflow_name of the snapshot */

/* 1 for a call whose output a person gives. */
int mastra_run_is_human(const mastra_run_tool_t *tool);
void mastra_run_hold_lease(mastra_agent_run_t *run);

/* 1 when the call may not run before a person has answered. */
int mastra_run_waits(mastra_agent_run_t *run, const mastra_run_tool_t *tool);
/* Stores the run, says what it waits for, and ends it here. */
void mastra_run_suspend(mastra_agent_run_t *run);
/* Claims the run that run->decision is about and goes on with it. */
void mastra_run_claim(mastra_agent_run_t *run);
void mastra_run_describe_suspended(mastra_agent_run_t *run,
                                   mastra_json_t *answer);
/* The message that waited is complete: what follows is message next_id. */
void mastra_run_next_message(mastra_agent_run_t *run, const char *next_id);
void mastra_run_drop_lease(mastra_agent_run_t *run);

/* ---- recall.c ---- */

/* Runs work in a store job of the run; next follows on the loop, with the
 * outcome in run->job_rv. */
void mastra_run_submit(mastra_agent_run_t *run, mastra_store_mode_e mode,
                       mastra_store_run_cb *work, mastra_loop_cb *next);

/* Storage work of the run, in jobs; next is called on the loop with the
 * outcome (run->job_error when something else than storage was wrong). */
void mastra_run_recall(mastra_agent_run_t *run, mastra_loop_cb *next);
void mastra_run_save(mastra_agent_run_t *run, mastra_loop_cb *next);

/* ---- instructions.c ---- */

/* The system prompt of the run: instructions with {{…}} of the request
 * context, or the request's own. Appends to prompt. */
void mastra_run_system(mastra_agent_run_t *run, mastra_json_t *prompt);

#endif
