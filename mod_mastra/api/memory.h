#ifndef MASTRA_API_MEMORY_H
#define MASTRA_API_MEMORY_H

#include "../http/router.h"
#include "../memory/memory.h"
#include "../store/threads.h"

/*
 * What the handlers of /memory share: a request's work in storage, whom
 * threads belong to, and the answers to what goes wrong.
 */

#define MASTRA_MEMORY_STRING "{\"type\":\"string\"}"
#define MASTRA_MEMORY_PAGE(n) \
    "\"page\":{\"default\":0,\"type\":\"integer\",\"minimum\":0," \
    "\"maximum\":9007199254740991}," \
    "\"perPage\":{\"default\":" n ",\"type\":\"integer\",\"minimum\":0," \
    "\"maximum\":9007199254740991}"

/* Query: agentId (required), resourceId, threadId. */
extern const char mastra_memory_agent_query[];
/* Query: agentId, resourceId. */
extern const char mastra_memory_free_query[];

typedef struct {
    mastra_req_t *req;
    const char *thread_id;
    const char *resource_id;         /* that the caller claims, or NULL */
    mastra_json_t *in;               /* lent */
    mastra_json_t *out;              /* new reference, set by the job */
    apr_int64_t total;
    int foreign;                     /* the thread is somebody else's; 2: the
                                        messages say that they are */
    mastra_threads_filter_t threads;
    mastra_messages_filter_t messages;
    void *more;                      /* the handler's */
} mastra_memory_task_t;

/* A query parameter; NULL also when it is empty. */
const char *mastra_memory_param(mastra_req_t *req, const char *name);
/* Who the caller is as to memory: what auth says, else what is asked for. */
const char *mastra_memory_claim(mastra_req_t *req, const char *asked);
/* 1: thread is of another resource (NULL: nobody asks). */
int mastra_memory_is_foreign(const mastra_json_t *thread,
                             const char *resource);
/* Inside a job: the task's thread in task->out, checked for its owner. */
apr_status_t mastra_memory_load(mastra_memory_task_t *task, mastra_db_t *db,
                                apr_pool_t *pool);
/* The same, and nobody else changes it until the end of the job. */
apr_status_t mastra_memory_lock(mastra_memory_task_t *task, mastra_db_t *db,
                                apr_pool_t *pool);
/* Drops what a job, or an earlier try of it, has left. */
void mastra_memory_reset(mastra_memory_task_t *task);
apr_status_t mastra_memory_call(mastra_memory_task_t *task,
                                mastra_store_mode_e mode,
                                mastra_store_run_cb *run);
int mastra_memory_fail(mastra_memory_task_t *task, apr_status_t rv,
                       const char *what);
/* task->out, or the failure. */
int mastra_memory_answer(mastra_memory_task_t *task, apr_status_t rv,
                         const char *what);
/* {name: task->out, total, page, perPage, hasMore} */
mastra_json_t *mastra_memory_page(mastra_memory_task_t *task, const char *name,
                                  apr_int64_t page, apr_int64_t per_page);

/* The agent of ?agentId=, which must exist and have a memory; NULL: answered
 * with *prc. */
const mastra_agent_t *mastra_memory_agent(mastra_req_t *req, int *prc);
/* The same, NULL when there is none. */
const mastra_agent_t *mastra_memory_agent_maybe(mastra_req_t *req);
/* The agent's memory with the members of config (NULL: none) in place of its
 * own. 0: answered with *prc. */
int mastra_memory_config(mastra_memory_t *memory, const mastra_agent_t *agent,
                         const mastra_json_t *config, mastra_req_t *req,
                         int *prc);
/* A date of a request, text or milliseconds; 0 when it is not there. what:
 * "Invalid request body"; field names it. 0: answered with *prc. */
int mastra_memory_date(apr_time_t *ptime, const mastra_json_t *value,
                       mastra_req_t *req, const char *what, const char *field,
                       int *prc);

#endif
