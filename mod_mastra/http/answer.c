/* Whole answers: printed where that holds up nobody. */

#include <stdlib.h>

#include "answer.h"

/* They show messages in several forms, and a question or a tool's answer in it
 * may be some megabytes large. */
#define ANSWER_LIMIT (256 * 1024 * 1024)

struct mastra_answer_t {
    mastra_job_t job;                /* first */
    mastra_exchange_t *ex;           /* loop; NULL: nobody waits any more */
    mastra_json_t *json;
    mastra_buf_t text;
    apr_status_t rv;
    void (*done)(void *baton, mastra_answer_e how);
    void *baton;
};

static void send_head(mastra_exchange_t *ex, apr_size_t len)
{
    mastra_exchange_head(ex, 200, "application/json", (apr_off_t)len, NULL);
}

/* Job thread. What nobody else has any more is freed here, too. */
static void print(mastra_job_t *job)
{
    mastra_answer_t *answer = (mastra_answer_t *)job;

    answer->rv = mastra_json_write(&answer->text, answer->json);
    mastra_json_unref(answer->json);
}

static void printed(mastra_job_t *job)
{
    mastra_answer_t *answer = (mastra_answer_t *)job;
    mastra_exchange_t *ex = answer->ex;
    apr_status_t rv = answer->rv;

    if (ex && !rv) {
        send_head(ex, answer->text.len);
        mastra_exchange_give(ex, &answer->text);
    }
    mastra_buf_free(&answer->text);
    if (ex) {
        answer->done(answer->baton, rv ? MASTRA_ANSWER_TOO_LARGE
                                       : MASTRA_ANSWER_SENT);
    }
    free(answer);
}

static mastra_answer_t *hand_over(mastra_jobs_t *jobs, mastra_json_t *json)
{
    mastra_answer_t *answer = jobs ? calloc(1, sizeof(*answer)) : NULL;

    if (!answer) {
        return NULL;
    }
    answer->job.run = print;
    answer->job.done = printed;
    answer->json = mastra_json_ref(json);
    mastra_buf_init(&answer->text, ANSWER_LIMIT);
    if (mastra_jobs_push(jobs, &answer->job) != APR_SUCCESS) {
        mastra_json_unref(json);
        free(answer);
        return NULL;
    }
    return answer;
}

static mastra_answer_e send_now(mastra_exchange_t *ex,
                                const mastra_json_t *json, apr_size_t limit)
{
    mastra_buf_t *buf = mastra_exchange_scratch(limit);

    if (mastra_json_write(buf, json)) {
        return MASTRA_ANSWER_TOO_LARGE;
    }
    send_head(ex, buf->len);
    mastra_exchange_write(ex, buf->data, buf->len);
    return MASTRA_ANSWER_SENT;
}

mastra_answer_e mastra_answer_send(mastra_answer_t **panswer,
                                   mastra_exchange_t *ex, mastra_jobs_t *jobs,
                                   mastra_json_t *json,
                                   void (*done)(void *baton,
                                                mastra_answer_e how),
                                   void *baton)
{
    mastra_answer_t *answer;

    if (send_now(ex, json, MASTRA_JSON_LARGE) == MASTRA_ANSWER_SENT) {
        return MASTRA_ANSWER_SENT;
    }
    answer = hand_over(jobs, json);
    if (!answer) {
        return send_now(ex, json, ANSWER_LIMIT);
    }
    answer->ex = ex;
    answer->done = done;
    answer->baton = baton;
    *panswer = answer;
    return MASTRA_ANSWER_LATER;
}

void mastra_answer_cancel(mastra_answer_t *answer)
{
    if (answer) {
        answer->ex = NULL;
    }
}
