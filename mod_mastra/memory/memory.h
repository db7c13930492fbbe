#ifndef MASTRA_MEMORY_MEMORY_H
#define MASTRA_MEMORY_MEMORY_H

#include "../model/model.h"
#include "../store/threads.h"
#include "../tool/tool.h"

/*
 * What agents remember beside the rows of storage: the options of a memory,
 * working memory and its tool, titles of threads, search by text. Options are
 * read-only once they were read; what a request brings along is read into the
 * request's pool, on top of the agent's.
 */

/* Notes that a model keeps about a resource or a thread. */
typedef struct {
    int per_thread;              /* scope "thread"; 0: of the resource */
    int by_piece;                /* version "vnext": pieces are added */
    const char *content;         /* the template: Markdown, or for a schema
                                    the empty object as JSON text */
    mastra_json_t *schema;       /* NULL: Markdown */
    const mastra_schema_t *check;
    mastra_tool_t tool;          /* updateWorkingMemory */
    mastra_json_t *spec;         /* what models are offered */
} mastra_working_t;

/* Titles that a model gives to threads. */
typedef struct {
    const mastra_model_provider_t *provider;  /* NULL: the agent's */
    const char *model_id;
    const char *instructions;
    int min_messages;
    int emit;                    /* the stream waits and shows it */
} mastra_titles_t;

/* How much of the history a prompt may hold, with all that it has else. */
typedef struct {
    apr_int64_t max;             /* tokens; 0: no such limit */
    apr_int64_t remove;          /* that many fewer once it was too much */
} mastra_budget_t;

typedef struct {
    int enabled;
    int last_messages;           /* 0: nothing is loaded, nothing stored */
    mastra_budget_t budget;
    int read_only;
    const mastra_working_t *working;  /* NULL: none */
    const mastra_titles_t *titles;    /* NULL: none */
    const mastra_models_t *models;
    mastra_json_t *options;      /* as given, NULL: none */
    mastra_json_t *config;       /* as GET /memory/config shows it */
} mastra_memory_t;

#define MASTRA_MEMORY_LAST_MAX 1000  /* ceiling of lastMessages */

/* ---- options.c ---- */

/* Reads "memory.options" of an agent's definition (NULL: defaults). NULL, or a
 * result whose detail has "field". */
mastra_result_t *mastra_memory_read(mastra_memory_t *memory,
                                    mastra_json_t *options,
                                    const mastra_models_t *models,
                                    apr_pool_t *pool);
/* base with the members of options in place of its own. */
mastra_result_t *mastra_memory_override(mastra_memory_t *memory,
                                        const mastra_memory_t *base,
                                        const mastra_json_t *options,
                                        apr_pool_t *pool);

/* ---- working.c ---- */

#define MASTRA_WORKING_TOOL "updateWorkingMemory"
extern const char mastra_working_template[];     /* where none is given */

/* Reads options.workingMemory; *pworking is NULL when it is not enabled. */
mastra_result_t *mastra_working_read(const mastra_working_t **pworking,
                                     mastra_json_t *given, apr_pool_t *pool);
/* The system message that brings the notes along; text NULL: there are none
 * yet. read_only: the tool is not offered. */
const char *mastra_working_instructions(const mastra_working_t *working,
                                        const char *text, int read_only,
                                        apr_pool_t *pool);
/* What becomes of the notes (text, NULL: none) by the tool's arguments, which
 * fit. *presult is the tool's answer, a new reference; NULL: nothing is to be
 * stored. In pool. */
const char *mastra_working_apply(mastra_json_t **presult,
                                 const mastra_working_t *working,
                                 const char *text, const mastra_json_t *input,
                                 apr_pool_t *pool);

/* ---- working_store.c: inside store jobs ---- */

/* *ptext in pool, NULL when there is none. resource_id may be NULL for the
 * notes of a thread. */
apr_status_t mastra_working_get(const char **ptext, mastra_db_t *db,
                                const mastra_working_t *working,
                                const char *thread_id, const char *resource_id,
                                apr_pool_t *pool);
/* MASTRA_STORE_NOT_FOUND: the thread is not there. */
apr_status_t mastra_working_put(mastra_db_t *db,
                                const mastra_working_t *working,
                                const char *thread_id, const char *resource_id,
                                const char *text, apr_pool_t *pool);
/* Until the end of the job nobody else changes the notes. */
apr_status_t mastra_working_lock(mastra_db_t *db,
                                 const mastra_working_t *working,
                                 const char *thread_id,
                                 const char *resource_id, apr_pool_t *pool);
/* The tool's kind: one store job. */
extern const mastra_tool_kind_t mastra_working_kind;

/* ---- kept.c ---- */

/* Messages (format 2) as they are stored: without calls of the tool above and
 * without what stands between <working_memory> and its end; those that have
 * nothing left are dropped. New reference; shares what it leaves alone. */
mastra_json_t *mastra_memory_kept(const mastra_json_t *messages);

/* ---- budget.c ---- */

/* The member of a thread's metadata that has a boundary. */
#define MASTRA_BUDGET_MEMBER "memoryTokenLimiter"

/* An estimate for one message, of format 2 or of a prompt. */
apr_int64_t mastra_budget_tokens(const mastra_json_t *message,
                                 apr_pool_t *pool);
/* Those of messages (oldest first) that stand behind boundary (NULL: all), and
 * of them as many of the newest as fit beside fixed tokens. When some did not,
 * *pboundary says which, for the next time; NULL else. New references. */
mastra_json_t *mastra_budget_fit(mastra_json_t **pboundary,
                                 const mastra_budget_t *budget,
                                 const mastra_json_t *boundary,
                                 const mastra_json_t *messages,
                                 apr_int64_t fixed, apr_pool_t *pool);

/* ---- v1.c ---- */

/* Messages (format 2) in the older form, where calls and results of tools are
 * messages of their own. New reference. */
mastra_json_t *mastra_memory_v1(const mastra_json_t *messages);

/* ---- search.c ---- */

/* The text of a message: what is searched. New string in pool. */
const char *mastra_memory_text(const mastra_json_t *message, apr_pool_t *pool);

/* Words to look for, whatever their case. */
typedef struct mastra_words_t mastra_words_t;
mastra_words_t *mastra_words_make(const char *query, apr_pool_t *pool);
/* 1 when text has all of them. */
int mastra_words_match(const mastra_words_t *words, const char *text);

/* ---- title.c: loop thread ---- */

typedef struct mastra_title_t mastra_title_t;
/* title NULL: there is none, or the thread has got one meanwhile. */
typedef void (mastra_title_done_cb)(void *baton, const char *title);

/* What the task needs; strings and values are copied. */
typedef struct {
    mastra_loop_t *loop;
    mastra_store_t *store;
    int *running;                /* tasks of this child */
    const mastra_titles_t *titles;
    const mastra_model_provider_t *provider;  /* the agent's */
    const char *model_id;
    const char *thread_id;
    const mastra_json_t *messages;  /* what was said, format 2, in order */
} mastra_title_args_t;

/* 1 when a thread of so many messages is to get a title. */
int mastra_title_due(const mastra_titles_t *titles, apr_size_t messages);
/* Starts a task that outlives its run. done may be NULL; it comes later, not
 * from inside. APR_EAGAIN when many are under way: then done does not come. */
apr_status_t mastra_title_start(const mastra_title_args_t *args,
                                mastra_title_done_cb *done, void *baton);

#endif
