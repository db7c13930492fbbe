#ifndef MASTRA_AGENT_INTERNAL_H
#define MASTRA_AGENT_INTERNAL_H

#include <apr_tables.h>

#include "agent.h"
#include "../store/threads.h"

/*
 * Inside agent/: conversion of messages (message.c), what a run says
 * (output.c), its memory (recall.c) and the state machine (loop.c).
 */

/* ---- agent.c, link.c: configuration time ---- */

struct mastra_agents_t {
    apr_pool_t *pool;
    apr_array_header_t *list;    /* const mastra_agent_t * in order */
    apr_hash_t *by_name;         /* ids and keys */
};

/* Makes tool_specs of the agent's tools. */
void mastra_agent_specify(mastra_agent_t *agent, apr_pool_t *pool);

/* ---- part.c, message.c, prompt.c: pure functions over JSON, any thread ---- */

int mastra_part_is(const mastra_json_t *part, const char *type);
/* The first of up to three members that is a string; b and c may be NULL. */
const char *mastra_part_str(const mastra_json_t *object, const char *a,
                            const char *b, const char *c);
/* Parts of format 2 from those of any form; new references. NULL: there is
 * nothing in it, or (results) they belong to another part. at: milliseconds. */
mastra_json_t *mastra_part_convert(const mastra_json_t *part, apr_int64_t at,
                                   apr_pool_t *pool);
mastra_json_t *mastra_part_text(const char *text, apr_size_t len,
                                apr_int64_t at);
mastra_json_t *mastra_part_file(const mastra_json_t *part, apr_pool_t *pool);
mastra_json_t *mastra_part_invocation(const char *state, const char *id,
                                      const char *name, mastra_json_t *args);
/* The call that a result tells of, without the result. */
mastra_json_t *mastra_part_of_result(const mastra_json_t *result,
                                     apr_int64_t at);
void mastra_part_set_result(mastra_json_t *part, const mastra_json_t *result);
/* What part says to providers, or NULL: lent. */
mastra_json_t *mastra_part_provider(const mastra_json_t *part);

int mastra_message_is_role(const char *role);
/* The parts of one message of any form but role "tool"; NULL: none that is
 * known. */
mastra_json_t *mastra_message_parts(const mastra_json_t *message,
                                    apr_pool_t *pool);
/* A message of format 2 with the id, metadata and time of message (may be
 * NULL); parts is taken over. */
mastra_json_t *mastra_message_make(const mastra_json_t *message,
                                   const char *role, mastra_json_t *parts,
                                   apr_time_t at, apr_pool_t *pool);

/* ---- message_form.c ---- */

/* Beside its parts, what storage has of a message that came in this form; its
 * calls only when they are listed. */
void mastra_message_form(mastra_json_t *made, const mastra_json_t *message);
void mastra_message_list_calls(mastra_json_t *message);
/* The texts of all parts of a type, a separator between them: new reference,
 * NULL: there are none. */
mastra_json_t *mastra_message_joined(const mastra_json_t *parts,
                                     const char *type, const char *between);
int mastra_message_is_by(const mastra_json_t *message, const char *role);
/* Goes on with the first message. */
void mastra_message_merge(mastra_json_t *first, const mastra_json_t *next);
/* Messages of a request body as an array of format 2 messages {id, role,
 * createdAt, content}; system messages stay as {role:"system", content:"…"}.
 * NULL and *perror for what is no message: an issue below field. now:
 * createdAt of the first. */
mastra_json_t *mastra_message_normalize(const mastra_json_t *input,
                                        const char *field, apr_time_t now,
                                        mastra_result_t **perror,
                                        apr_pool_t *pool);
/* Appends messages (format 2) to a neutral prompt, but for system ones, ... */
void mastra_message_to_prompt(mastra_json_t *prompt,
                              const mastra_json_t *messages);
/* ... which come first. */
void mastra_message_systems(mastra_json_t *prompt,
                            const mastra_json_t *messages);
/* Appends messages of a prompt to another one. */
void mastra_message_join_prompt(mastra_json_t *prompt,
                                const mastra_json_t *more);
/* A conversation begins with its user: says "." for one that is silent. */
void mastra_message_end_prompt(mastra_json_t *prompt);
/* The same in the form that the API shows. */
void mastra_message_to_model(mastra_json_t *made,
                             const mastra_json_t *messages);
/* Appends the messages that assistant parts stand for, in the neutral form. */
void mastra_message_parts_to_prompt(mastra_json_t *prompt,
                                    const mastra_json_t *parts);
/* The same as the API's "messages" of steps: with providerOptions.mastra. */
mastra_json_t *mastra_message_parts_to_model(const mastra_json_t *parts);
/* Parts of an assistant message as AI SDK UI parts. */
mastra_json_t *mastra_message_parts_to_ui(const mastra_json_t *parts);
/* All text of a format 2 message, joined; a new string value. */
mastra_json_t *mastra_message_text(const mastra_json_t *message);
/* The text of the last text part from an index on, or NULL: lent. */
mastra_json_t *mastra_message_last_text(const mastra_json_t *parts,
                                        apr_size_t from);

/* ---- recalled.c: what is remembered, in the forms that it is needed in ---- */

/* New array of messages. */
mastra_json_t *mastra_run_remembered(const mastra_agent_run_t *run);
void mastra_run_remembered_prompt(mastra_agent_run_t *run,
                                  mastra_json_t *prompt);
/* What of that kinds of models may keep the text of. */
void mastra_run_keeps(mastra_model_request_t *request,
                      mastra_agent_run_t *run);
void mastra_run_remembered_model(mastra_agent_run_t *run, mastra_json_t *made);
void mastra_run_forget(mastra_agent_run_t *run);

/* ---- view.c ---- */

/* agent with such models: value as in a definition. pool is the view's; NULL
 * and *perror, in pool too, for what cannot be used. */
mastra_agent_view_t *mastra_agent_view_make(const mastra_agent_t *agent,
                                            mastra_json_t *value,
                                            const mastra_models_t *models,
                                            apr_pool_t *pool,
                                            mastra_result_t **perror);

/* Makes what answers say of a model whose provider is known. */
void mastra_agent_model_describe(mastra_agent_model_t *model,
                                 apr_pool_t *pool);

/* ---- the run ---- */

typedef struct mastra_recalled_t mastra_recalled_t;

typedef enum {
    MASTRA_RUN_NEW,
    MASTRA_RUN_RECALL,       /* storage: thread and history */
    MASTRA_RUN_MODEL,        /* a model call is open */
    MASTRA_RUN_TOOLS,        /* tool calls are open */
    MASTRA_RUN_DRAIN,        /* storage: messages that came meanwhile */
    MASTRA_RUN_SAVE,         /* storage: the answer */
    MASTRA_RUN_LAST,         /* all is stored, "finish" is to be said */
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
    int client;                      /* the client runs it */
    int decided;                     /* a person has answered: it may run */
    mastra_json_t *waits;            /* it has begun, and waits for this: see
                                        mastra_tool_suspend */
} mastra_run_tool_t;

/* What the present model step has said so far. */
typedef struct {
    apr_pool_t *pool;                /* of the step */
    mastra_buf_t text;
    mastra_buf_t reasoning;
    int text_open, reasoning_open;
    int texts;                       /* parts of text so far */
    int said;                        /* something of the model's was said */
    const char *reasoning_id;        /* of the part that is open */
    mastra_json_t *part_metadata;    /* of the part that is open, or NULL */
    mastra_json_t *metadata;         /* what else the provider said, or NULL */
    mastra_json_t *files;            /* chunks of files, or NULL */
    apr_int64_t text_at;             /* ms */
    mastra_json_t *response;         /* id, timestamp, modelId, headers */
    mastra_json_t *request;          /* {"body": …}: text, or in a stream
                                        that shows it, JSON */
    int begun;                       /* its step-start was said */
    mastra_json_t *body;             /* upstream answer without stream */
    mastra_json_t *usage;
    const char *reason, *raw_reason;
    apr_size_t first_part;           /* index in run->parts */
    mastra_run_tool_t *tools, **tools_tail;
    int tools_open;
    mastra_json_t *tool_chunks;      /* tool-call chunks */
    mastra_json_t *result_chunks;    /* tool-result chunks */
    mastra_json_t *base;             /* answer.c: the response's base, */
    mastra_json_t *messages;         /* the parts as messages, alone */
    mastra_json_t *all_messages;     /* and with what was before them, */
    mastra_json_t *message;          /* and what the answer showed */
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

/* Who may ask a run to wait: it goes on when neither does any more. */
enum { MASTRA_SLOW_CLIENT = 1, MASTRA_SLOW_LOG = 2 };

#define MASTRA_RUN_MAX_STEPS 100     /* whatever maxSteps says */

struct mastra_agent_run_t {
    mastra_agent_env_t *env;
    const mastra_agent_t *agent;
    mastra_agent_view_t *view;       /* the agent when the run began */
    const mastra_agent_model_t *model;   /* the one that is asked now */
    apr_pool_t *pool;                /* the run's own, with its allocator */
    mastra_run_state_e state;
    int stream;
    int cancelled;
    int aborted;                     /* cancelled, and the sink is there */
    int started;                     /* "start" was sent */
    int tools_ran;                   /* a tool was called */
    int blocked;                     /* the sink is slow, ... */
    int slow;                        /* ... and who of those behind it */
    int nested;                      /* a tool's: it cannot wait for a person */
    /* What comes next when it has taken what it was given; NULL: nothing */
    void (*held)(struct mastra_agent_run_t *run);
    mastra_sink_t *sink;

    const char *id, *message_id, *trace_id, *span_id;
    const char *thread_id, *resource_id;  /* NULL: no memory */
    const char *owner;               /* resource that auth gives, or NULL */
    int read_only;                   /* no messages are stored */
    int last_messages;
    mastra_memory_t memory;          /* the agent's, with what the request
                                        brings along */
    const char *working_text;        /* working memory as it was at first */
    int titled;                      /* the thread has a title */
    void (*after_title)(mastra_agent_run_t *run);
    int max_steps;
    int depth;
    const char *again;               /* of keys of its calls, or NULL */
    mastra_owned_t above;            /* the stored run that it is a part of */
    mastra_json_t *options;          /* the body */
    mastra_json_t *tool_specs;       /* what the model is offered */
    mastra_json_t *offered;          /* the same by name; NULL: all tools of the
                                        agent and no others */
    mastra_json_t *context;          /* request context */

    /* structured output */
    const mastra_schema_t *output;   /* what the object has to fit, or NULL */
    mastra_json_t *output_schema;    /* as models get it */
    const char *output_member;       /* of the object around it, or NULL */
    const mastra_model_provider_t *structurer;  /* of the second model, NULL:
                                        the first makes the object itself */
    const char *structurer_id;
    mastra_buf_t structured;         /* what the second model said */
    int structured_cut;              /* it was too much */
    apr_size_t object_seen;          /* length of text at the last "object" */
    int used_fallback;

    /* A run that a person's decision takes up. */
    mastra_json_t *decision;         /* {toolCallId?, approved, reason?,
                                        resumeData?}, NULL: a new run */
    mastra_json_t *stored;           /* the state that was claimed */
    mastra_timer_t claim_again;      /* somebody else still has it: until */
    apr_time_t claim_until;
    struct mastra_channel_t *channel;  /* the thread's, or NULL */
    struct mastra_claim_t *claim;    /* of a channel, on its way */
    int saved;                       /* the answer is stored already */
    mastra_json_t *came;             /* they have been taken out */
    const char *next_id;             /* of the message after those, while
                                        its step is said to end */
    mastra_json_t *pending;          /* what it waits for, once that is saved */
    mastra_agent_lease_t *lease;
    int epoch;                       /* of the claim, 0: none */
    int suspended;
    int taken_over;                  /* somebody else has it: say no more */

    /* A durable run. */
    int durable;
    int recovers;                    /* taken over: nobody has decided */
    int leaves;                      /* others are to go on with it */
    int taken;                       /* so often since it was last kept */
    const char *dead;                /* whose it was; NULL: a lease ended */
    const char *stage;               /* what it was kept before */
    apr_int64_t after;               /* the newest frame in storage; at its
                                        end, the one before the last words */
    struct mastra_durable_t *own;    /* its log, where no channel has one */
    int log_base;                    /* epoch of the channel that had it */
    int said;                        /* of its last words: last_words.c */
    void (*after_keep)(struct mastra_agent_run_t *run);

    /* The state that a stored run consists of. */
    mastra_json_t *input;            /* messages of this request */
    mastra_json_t *background;       /* "context": before them, not stored */
    mastra_json_t *prior;            /* messages that were completed before the
                                        run was taken up, or NULL */
    mastra_json_t *remembered;       /* from storage: messages, ... */
    mastra_recalled_t **recalled;    /* ... or, where there are these, their
                                        texts: recalled.h */
    int nrecalled;
    mastra_json_t *parts;            /* of the assistant's message */
    mastra_json_t *metadata;         /* of the message that this goes on, or
                                        NULL */
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

/* Sends a chunk that is taken over. Returns what the sink does. */
int mastra_run_deliver(mastra_agent_run_t *run, mastra_json_t *chunk);
/* {type, runId, from:"AGENT", payload}; payload is taken over. */
mastra_json_t *mastra_run_envelope(mastra_agent_run_t *run, const char *type,
                                   mastra_json_t *payload);
/* Appends a reference of chunk to *pchunks, made when NULL. */
void mastra_run_keep(mastra_json_t **pchunks, mastra_json_t *chunk);

void mastra_run_say_start(mastra_agent_run_t *run);
void mastra_run_say_step_start(mastra_agent_run_t *run);
/* A piece of text or reasoning; opens it where it is not open. Returns what
 * the sink does, -1 when it is too much. */
int mastra_run_say_text(mastra_agent_run_t *run,
                        const mastra_model_event_t *event);
int mastra_run_say_reasoning(mastra_agent_run_t *run,
                             const mastra_model_event_t *event);
void mastra_run_say_file(mastra_agent_run_t *run,
                         const mastra_model_event_t *event);
/* Marks where the next step begins in the assistant's message. */
void mastra_run_add_step_start(mastra_agent_run_t *run);
/* Ends text and reasoning that are open and makes parts of them. */
void mastra_run_close_text(mastra_agent_run_t *run);
/* The same when the provider ends them, with what it says then (or NULL). */
void mastra_run_end_part(mastra_agent_run_t *run, mastra_json_t *metadata);
/* Sends such a chunk when the run streams. Returns what the sink does. */
int mastra_run_say(mastra_agent_run_t *run, const char *type,
                   mastra_json_t *payload);
void mastra_run_say_tool_call(mastra_agent_run_t *run, mastra_run_tool_t *tool);
/* What a client needs to put its work on a tool of its own into the trace. */
void mastra_run_add_traceparent(mastra_agent_run_t *run, const char *name,
                                mastra_json_t *payload);
/* What a tool says while it runs; the baton is its mastra_run_tool_t. */
int mastra_run_say_tool_output(void *baton, mastra_json_t *output);
/* What came of a call, into the message; result is lent, error NULL: it worked.
 * Told to the client by the next: in the order of the calls, so that one that
 * overtook another waits for it. */
void mastra_run_note_outcome(mastra_agent_run_t *run, mastra_run_tool_t *tool,
                             mastra_json_t *result,
                             const mastra_result_t *error);
void mastra_run_say_outcomes(mastra_agent_run_t *run);
/* Folds the step into run->steps and says step-finish. */
/* Dates the assistant's message, once: after what it answers. */
void mastra_run_date_answer(mastra_agent_run_t *run);
/* The step joins the run's steps; and is told. */
void mastra_run_add_step(mastra_agent_run_t *run);
void mastra_run_say_step_finish(mastra_agent_run_t *run, int continued);
/* Says which messages have come in: an array of format 2. */
void mastra_run_say_signals(mastra_agent_run_t *run,
                            const mastra_json_t *messages);
void mastra_run_say_error(mastra_agent_run_t *run,
                          const mastra_result_t *error);
void mastra_run_say_finish(mastra_agent_run_t *run);
/* The JSON value in what a model said, whole, or as far as it has come; NULL
 * when there is none. New reference. */
mastra_json_t *mastra_said_json(const char *text, apr_size_t len);
mastra_json_t *mastra_said_json_so_far(const char *text, apr_size_t len);
/* Partial structured output, from the text so far: "object" chunks. */
void mastra_run_say_object(mastra_agent_run_t *run, const char *text,
                           apr_size_t len);
/* The object as it is now, as such a chunk. */
void mastra_run_say_object_chunk(mastra_agent_run_t *run, const char *type);
/* The whole answer of generate. New reference. */
mastra_json_t *mastra_run_answer(mastra_agent_run_t *run);
/* The assistant's message in format 2; for_client adds toolInvocations. New
 * reference, NULL when nothing was said. */
mastra_json_t *mastra_run_message(mastra_agent_run_t *run, int for_client);

/* ---- run.c ---- */

/* Releases what a step holds and empties it. */
void mastra_run_free_step(mastra_run_step_t *step);

/* ---- options.c ---- */

/* An option of the request, else the agent's default. Lent. */
mastra_json_t *mastra_run_option(mastra_agent_run_t *run, const char *name);
/* A 400 result with one issue. */
mastra_result_t *mastra_run_issue(apr_pool_t *pool, const char *field,
                                  const char *message);
/* What the schema of the body cannot say. NULL: fine. */
mastra_result_t *mastra_run_check_options(mastra_agent_run_t *run);
void mastra_run_set_limits(mastra_agent_run_t *run);
/* 1: no step follows the present one, unless messages come for it. */
int mastra_run_is_last_step(mastra_agent_run_t *run);

/* ---- offer.c ---- */

mastra_result_t *mastra_run_check_tools(const mastra_json_t *options,
                                        apr_pool_t *pool);
/* Fills in tool_specs and offered. */
void mastra_run_offer(mastra_agent_run_t *run);
int mastra_run_is_client_tool(mastra_agent_run_t *run, const char *name);
/* A tool that this server runs, by the name that the model knows. */
const mastra_tool_t *mastra_run_find_tool(mastra_agent_run_t *run,
                                          const char *name);

/* ---- structure.c ---- */

mastra_result_t *mastra_run_set_output(mastra_agent_run_t *run);
void mastra_run_free_output(mastra_agent_run_t *run);
/* The schema that the model's answer has to fit, or NULL. */
mastra_json_t *mastra_run_response_schema(mastra_agent_run_t *run);
/* What the prompt says about the object. */
void mastra_run_describe_output(mastra_agent_run_t *run,
                                mastra_json_t *prompt);
/* The object that can be shown of json, which is taken over; or NULL. */
mastra_json_t *mastra_run_partial_object(mastra_agent_run_t *run,
                                         mastra_json_t *json);
/* Makes run->object of the answer, then calls mastra_run_structured. */
void mastra_run_structure(mastra_agent_run_t *run);

/* ---- choice.c: which model a run asks ---- */

/* Chooses the first model: spec, when it is not NULL and can be had, else the
 * agent's. NULL or what is wrong. */
mastra_result_t *mastra_run_choose_model(mastra_agent_run_t *run,
                                         const char *spec);
/* Goes on to the next model of the list, as this one failed by error before it
 * had said anything that the client may have seen; 0: there is none. */
int mastra_run_next_model(mastra_agent_run_t *run,
                          const mastra_result_t *error);
/* Starts a call of the present model, with all that the step asks. */
apr_status_t mastra_run_call_model(mastra_agent_run_t *run,
                                   const mastra_model_cbs_t *cbs);

/* ---- calls.c ---- */

/* Starts the calls of the step that need nobody's decision. */
void mastra_run_start_tools(mastra_agent_run_t *run);
/* Those that say something while they run, and wait, go on. */
void mastra_run_resume_tools(mastra_agent_run_t *run);
/* Starts one call of the step; step.tools_open counts it already. */
void mastra_run_start_tool(mastra_agent_run_t *run, mastra_run_tool_t *tool);
/* The outcome of one call; the last one ends the step. */
void mastra_run_tool_over(mastra_run_tool_t *tool, mastra_json_t *result,
                          const mastra_result_t *error);
/* Tells what came of the calls; once all that could run are over, the step ends,
 * or waits for a person. */
void mastra_run_tell_outcomes(mastra_agent_run_t *run);

/* ---- loop.c ---- */

/* A chunk may be as large as a tool's answer, several times over. While the
 * client has not taken what it was given, the run does not go on: 1, and next
 * is called when it has. */
int mastra_run_hold(mastra_agent_run_t *run,
                    void (*next)(mastra_agent_run_t *run));
/* 1: there is an answer to store. */
int mastra_run_has_answer(const mastra_agent_run_t *run);
void mastra_run_fail(mastra_agent_run_t *run, const mastra_result_t *error);
/* A run whose first store job failed (run->job_rv, run->job_error); what: for
 * the log. */
void mastra_run_end_early(mastra_agent_run_t *run, const char *what);
/* Tells the sink of the end and frees the run. */
void mastra_run_end(mastra_agent_run_t *run);

/* Begins the next step. */
void mastra_run_start_step(mastra_agent_run_t *run);
void mastra_run_finish(mastra_agent_run_t *run);
/* What is to be stored is: finish is said, and it ends. */
void mastra_run_last_words(mastra_agent_run_t *run);

/* ---- steps.c ---- */

/* The model has answered and the calls are over. */
void mastra_run_step_over(mastra_agent_run_t *run);
/* Goes on after mastra_run_structure: with the end, or why there is none. */
void mastra_run_structured(mastra_agent_run_t *run,
                           const mastra_result_t *error);
/* The step ends without messages from outside: the next, or the end. */
void mastra_run_step_done(mastra_agent_run_t *run);

/* ---- cancel.c ---- */

/* Stops calls of models and tools. */
void mastra_run_cancel_work(mastra_agent_run_t *run);
/* Stops a run that may not write any more. */
void mastra_run_stop(mastra_agent_run_t *run, const mastra_result_t *error);
/* The model or tools work for it, and no job has it in hand. */
int mastra_run_is_at_work(const mastra_agent_run_t *run);
/* A run that was cancelled while a job was under way ends. */
void mastra_run_cancelled(mastra_agent_run_t *run);
/* Those who listen are told of an early end when what had come is stored, or,
 * where storage is slow, after so long. */
apr_interval_time_t mastra_run_tells_after(const mastra_agent_env_t *env);
/* Tells the sink of one that was aborted, once. */
void mastra_run_say_abort(mastra_agent_run_t *run);

/* ---- drain.c ---- */

/* Looks for messages that came to the thread while the step went on; 0: there
 * is no need to. Goes on with the run afterwards. After the last step, when
 * there are none, the answer is stored in the same transaction: what comes
 * later finds a thread whose run is over. */
int mastra_run_drain(mastra_agent_run_t *run);

/* ---- hub_run.c: a run's channel ---- */

typedef struct mastra_channel_t mastra_channel_t;

/* Store thread. The run has its channel claimed, where its thread is one that
 * is free: for a run that begins, or one that is taken up. */
apr_status_t mastra_channel_join(mastra_agent_run_t *run,
                                 const char *resource_id,
                                 const char *thread_id, mastra_db_t *db,
                                 apr_pool_t *pool);
/* The run's question is about to be stored: STALE when the channel is
 * another's by now. */
apr_status_t mastra_channel_recalled(mastra_channel_t *channel,
                                     mastra_db_t *db, apr_pool_t *pool);
/* The run's answer, or its state, is about to be stored. */
apr_status_t mastra_channel_release(mastra_channel_t *channel, mastra_db_t *db,
                                    int suspended, apr_pool_t *pool);
/* What came for the run: messages of format 2, not yet stored. New
 * reference. */
apr_status_t mastra_channel_take(mastra_json_t **pmessages,
                                 mastra_channel_t *channel, mastra_db_t *db,
                                 apr_pool_t *pool);

/* What was claimed and is not wanted after all; NULL: nothing. */
void mastra_claim_free(struct mastra_claim_t *claim);
/* Loop. What was claimed for the run becomes its channel. */
void mastra_channel_adopt(mastra_agent_run_t *run);
/* How the job with mastra_channel_release in it went. */
void mastra_channel_settled(mastra_channel_t *channel, apr_status_t rv);
/* 1: somebody said that there is something to take in; asked once. */
int mastra_channel_pending(mastra_channel_t *channel);
/* Somebody else has the channel: its run here stops and writes no more. */
void mastra_channel_lost(mastra_channel_t *channel);
int mastra_channel_is_lost(const mastra_channel_t *channel);
/* The client that the run began for has left. */
void mastra_channel_client_gone(mastra_channel_t *channel);

/* ---- suspend.c, take_up.c, lease.c ---- */

#define MASTRA_RUN_KIND "agentic-loop"   /* workflow_name of the snapshot */
#define MASTRA_RUN_DURABLE "durable-agentic-loop"
/* What a durable run was kept before: a question to the model, the calls of a
 * step, the call that a person has decided about. */
#define MASTRA_STAGE_MODEL "model"
#define MASTRA_STAGE_TOOLS "tools"
#define MASTRA_STAGE_DECIDED "decided"
#define MASTRA_STAGE_END "end"

/* What persons decide about calls, as JSON Schema. */
extern const char mastra_run_approval_schema[];
/* What the run waits for first, as mastra_tool_suspend has it; new reference. */
mastra_json_t *mastra_run_waits_for(mastra_agent_run_t *run);
/* 1 for a call whose output a person gives. */
int mastra_run_is_human(const mastra_run_tool_t *tool);
void mastra_run_hold_lease(mastra_agent_run_t *run);
/* Returns go, which is 0 when who (MASTRA_SLOW_…) is to be waited for, ... */
int mastra_run_heed(mastra_agent_run_t *run, int who, int go);
/* ... until this says otherwise. */
void mastra_run_has_room(mastra_agent_run_t *run, int who);
/* Somebody else has the run: it stops. */
void mastra_run_lost(mastra_agent_run_t *run);

/* 1 when the call may not run before a person has answered, ... */
int mastra_run_needs_person(mastra_agent_run_t *run,
                            const mastra_run_tool_t *tool);
/* ... and the run is one that waits for that. */
int mastra_run_waits(mastra_agent_run_t *run, const mastra_run_tool_t *tool);
/* Stores the run, says what it waits for, and ends it here. */
void mastra_run_suspend(mastra_agent_run_t *run);
/* The state as it is stored; status: of the run then. New reference. */
mastra_json_t *mastra_run_stored(mastra_agent_run_t *run,
                                   const char *status);
/* Claims the run that run->decision is about, or that nobody goes on with any
 * more (run->recovers), and goes on with it. */
void mastra_run_claim(mastra_agent_run_t *run);
void mastra_run_describe_suspended(mastra_agent_run_t *run,
                                   mastra_json_t *answer);
/* The message that waited is complete: what follows is message next_id. */
void mastra_run_next_message(mastra_agent_run_t *run, const char *next_id);
void mastra_run_drop_lease(mastra_agent_run_t *run);

/* ---- durable.c ---- */

/* Inside a store job: the run begins, to be kept; one that is not durable is
 * left alone. */
apr_status_t mastra_durable_begin(mastra_agent_run_t *run, mastra_db_t *db,
                                  apr_pool_t *pool);
/* As mastra_runs_claim, or mastra_runs_take when the run recovers. */
struct mastra_run_row_t;
apr_status_t mastra_durable_take(mastra_json_t **psnapshot, int *pepoch,
                                 struct mastra_run_row_t *row,
                                 mastra_agent_run_t *run, mastra_db_t *db,
                                 apr_pool_t *pool);
/* Keeps the decision with the snapshot that was claimed, of which state is a
 * part. */
apr_status_t mastra_durable_decided(mastra_agent_run_t *run,
                                    mastra_json_t *snapshot,
                                    mastra_json_t *state, int epoch,
                                    mastra_db_t *db, apr_pool_t *pool);
/* Loop. Keeps the run, then goes on with next; at once with one that is not
 * durable. */
void mastra_durable_keep(mastra_agent_run_t *run, const char *stage,
                         void (*next)(mastra_agent_run_t *run));
/* What it says goes to a log, and the claim is renewed. */
void mastra_durable_adopt(mastra_agent_run_t *run);
/* A run that was taken over goes on from what was kept. */
void mastra_durable_go_on(mastra_agent_run_t *run,
                          void (*decide)(mastra_agent_run_t *run));
void mastra_durable_let_go(mastra_agent_run_t *run);
/* Its client, and this process, have left: others go on. 0: it is none that is
 * kept. */
int mastra_durable_cancel(mastra_agent_run_t *run);
/* The row that it is kept in, as it is now. */
void mastra_durable_row(struct mastra_run_row_t *row, mastra_agent_run_t *run,
                        apr_pool_t *pool);
/* Where what it says is logged, NULL: nowhere, and the epoch of its writes. */
struct mastra_log_t *mastra_durable_log_of(const mastra_agent_run_t *run);
int mastra_durable_log_epoch(const mastra_agent_run_t *run);

/* ---- recall.c ---- */

/* Runs work in a store job of the run; next follows on the loop, with the
 * outcome in run->job_rv. */
void mastra_run_submit(mastra_agent_run_t *run, mastra_store_mode_e mode,
                       mastra_store_run_cb *work, mastra_loop_cb *next);

/* Storage work of the run, in jobs; next is called on the loop with the
 * outcome (run->job_error when something else than storage was wrong). */
void mastra_run_recall(mastra_agent_run_t *run, mastra_loop_cb *next);
void mastra_run_save(mastra_agent_run_t *run, mastra_loop_cb *next);
/* The work of that job. */
apr_status_t mastra_run_save_now(mastra_agent_run_t *run, mastra_db_t *db,
                                 apr_pool_t *pool);

/* ---- memory.c ---- */

/* Thread, resource and options from the request. */
mastra_result_t *mastra_run_set_memory(mastra_agent_run_t *run,
                                       const mastra_principal_t *principal);
/* The same for a run that is taken up, whose options are there already. */
void mastra_run_restore_memory(mastra_agent_run_t *run,
                               const mastra_json_t *state);
/* The tool of the memory that the model is offered, or NULL: lent. */
mastra_json_t *mastra_run_memory_spec(mastra_agent_run_t *run);
/* The memory's tool of that name, or NULL. */
const mastra_tool_t *mastra_run_memory_tool(mastra_agent_run_t *run,
                                            const char *name);
/* Appends the message that brings working memory along. */
void mastra_run_add_notes(mastra_agent_run_t *run, mastra_json_t *prompt);
/* Has a title made when the thread lacks one. 1: the run waits for it, next
 * is called then. */
int mastra_run_give_title(mastra_agent_run_t *run,
                          void (*next)(mastra_agent_run_t *run));

/* ---- instructions.c, template.c ---- */

/* NULL: value is text, a system message, or a list of them, or not there. */
mastra_result_t *mastra_run_check_system(const mastra_json_t *value,
                                         const char *field, apr_pool_t *pool);
/* The system prompt of the run: the request's instructions or the agent's,
 * system messages, and what "system" adds. Appends to prompt. */
void mastra_run_system(mastra_agent_run_t *run, mastra_json_t *prompt);
/* The same as "systemMessages" and "taggedSystemMessages" of made. */
void mastra_run_show_system(mastra_agent_run_t *run, mastra_json_t *made);
/* text with its {{…}} filled in from context; what is not there stays. */
const char *mastra_template_fill(const char *text, mastra_json_t *context,
                                 apr_pool_t *pool);

#endif
