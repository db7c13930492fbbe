#ifndef MASTRA_HTTP_MIDDLEWARE_H
#define MASTRA_HTTP_MIDDLEWARE_H

#include "router.h"

/*
 * Where other modules have a say in a request: before its work (who is it, may
 * they, anything else), before its answer is sent, and when it has failed.
 */

/* Filled by the glue; a NULL member: nobody wants to be asked. All but the
 * last two on a worker, those also on the loop. They return OK, DECLINED, DONE
 * (mastra_req_set_answer was called) or a status. */
struct mastra_hooks_t {
    int (*authenticate)(mastra_req_t *req);
    int (*authorize)(mastra_req_t *req);
    int (*before)(mastra_req_t *req);
    int (*after)(mastra_req_t *req);
    int (*on_error)(mastra_req_t *req, int status, const char *message);
};

/* ---- what they may ask and say ---- */

/* 1 while the loop works for req: its request_rec is not to be used. */
int mastra_req_on_loop(const mastra_req_t *req);
/* The body as JSON text, read when it was not yet; NULL: none, or not JSON. */
const char *mastra_req_body_text(mastra_req_t *req, apr_size_t *plen);
/* The status that is about to be sent; 0: none yet. */
int mastra_req_sent_status(const mastra_req_t *req);
/* A value of the request context: lent, NULL: none. */
mastra_json_t *mastra_req_context(mastra_req_t *req, const char *key);
/* APR_EINVAL when it comes too late. value is taken over. */
apr_status_t mastra_req_set_context(mastra_req_t *req, const char *key,
                                    mastra_json_t *value);
mastra_json_t *mastra_req_user(const mastra_req_t *req);
/* user is taken over; resource_id may be NULL. APR_EINVAL when nobody asked. */
apr_status_t mastra_req_set_user(mastra_req_t *req, mastra_json_t *user,
                                 const char *resource_id);
/* A header of the answer; value NULL: none such. */
void mastra_req_set_header(mastra_req_t *req, const char *name,
                           const char *value);
/* Answers instead; all is copied. Returns what the hook is to return. */
int mastra_req_set_answer(mastra_req_t *req, int status, const char *type,
                          const char *body, apr_size_t len);

/* ---- for answers that are written elsewhere ---- */

/* Status and headers of the answer are complete. By whoever owns r. */
void mastra_middleware_after(mastra_req_t *req);
/* The same for the answer of an exchange that is about to be run. */
void mastra_middleware_follow(mastra_req_t *req);

/* An answer that a hook gives in place of ours; memory of the request. */
typedef struct {
    int status;              /* 0: none */
    const char *type;
    const char *body;
    apr_size_t len;
} mastra_answered_t;

/* 1: the failure result is to be answered by *answered instead. */
int mastra_middleware_error(mastra_answered_t *answered, mastra_req_t *req,
                            const mastra_result_t *result);

#endif
