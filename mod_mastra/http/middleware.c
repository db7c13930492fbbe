/* The hooks of other modules around a request, and what they are told. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <http_protocol.h>

#include "internal.h"
#include "park.h"

static mastra_full_req_t *full_of(const mastra_req_t *req)
{
    return (mastra_full_req_t *)req;
}

int mastra_req_on_loop(const mastra_req_t *req)
{
    return req->host->loop && mastra_loop_is_current(req->host->loop);
}

/* --- what they may ask ----------------------------------------------------- */

const char *mastra_req_body_text(mastra_req_t *req, apr_size_t *plen)
{
    mastra_full_req_t *full = full_of(req);

    if (full->body_state == MASTRA_BODY_UNREAD && !mastra_req_on_loop(req)) {
        mastra_validate_body_load(full);
    }
    if (!req->body) {
        return NULL;
    }
    if (!full->body_text) {
        full->body_text = mastra_json_text(req->body, req->pool);
        full->body_len = strlen(full->body_text);
    }
    if (plen) {
        *plen = full->body_len;
    }
    return full->body_text;
}

int mastra_req_sent_status(const mastra_req_t *req)
{
    return full_of(req)->stage == MASTRA_STAGE_AFTER ? req->r->status : 0;
}

mastra_json_t *mastra_req_context(mastra_req_t *req, const char *key)
{
    mastra_full_req_t *full = full_of(req);
    mastra_json_t *value = mastra_json_get(full->own_context, key);

    if (value) {
        return value;
    }
    if (full->stage > MASTRA_STAGE_BEFORE || mastra_req_on_loop(req)) {
        return mastra_json_get(req->principal.request_context, key);
    }
    if (full->body_state == MASTRA_BODY_UNREAD) {
        mastra_validate_body_load(full);
    }
    return mastra_json_get(mastra_validate_client_context(full), key);
}

mastra_json_t *mastra_req_user(const mastra_req_t *req)
{
    return req->identity && !req->identity->system ? req->identity->user
                                                   : NULL;
}

/* --- what they may say ----------------------------------------------------- */

apr_status_t mastra_req_set_context(mastra_req_t *req, const char *key,
                                    mastra_json_t *value)
{
    mastra_full_req_t *full = full_of(req);

    if (full->stage == MASTRA_STAGE_NONE
        || full->stage > MASTRA_STAGE_BEFORE) {
        mastra_json_unref(value);
        return APR_EINVAL;
    }
    if (!full->own_context) {
        full->own_context = mastra_json_own(mastra_json_object(), req->pool);
    }
    mastra_json_set(full->own_context, key, value);
    return APR_SUCCESS;
}

apr_status_t mastra_req_set_user(mastra_req_t *req, mastra_json_t *user,
                                 const char *resource_id)
{
    mastra_full_req_t *full = full_of(req);

    if (full->stage != MASTRA_STAGE_AUTHENTICATE) {
        mastra_json_unref(user);
        return APR_EINVAL;
    }
    req->identity = mastra_auth_identity(user, NULL, req->pool);
    req->principal.resource_id = apr_pstrdup(req->pool, resource_id);
    return APR_SUCCESS;
}

void mastra_req_set_header(mastra_req_t *req, const char *name,
                           const char *value)
{
    apr_table_unset(req->r->headers_out, name);
    if (value) {
        apr_table_set(req->r->err_headers_out, name, value);
    }
    else {
        apr_table_unset(req->r->err_headers_out, name);
    }
}

int mastra_req_set_answer(mastra_req_t *req, int status, const char *type,
                          const char *body, apr_size_t len)
{
    mastra_answered_t *instead = &full_of(req)->instead;

    instead->status = status >= 200 && status <= 599
                      ? status : HTTP_INTERNAL_SERVER_ERROR;
    instead->type = apr_pstrdup(req->pool, type);
    instead->body = apr_pstrmemdup(req->pool, body, len);
    instead->len = len;
    return DONE;
}

/* --- running them ---------------------------------------------------------- */

int mastra_middleware_refuse(mastra_req_t *req, int status)
{
    const char *message = ap_get_status_line(status);

    if (status == HTTP_UNAUTHORIZED) {
        message = "Invalid or expired token";
    }
    else if (status == HTTP_FORBIDDEN) {
        message = "Access denied";
    }
    else {
        /* "503 Service Unavailable", or another one's when it is unknown */
        message = atoi(message) == status ? message + 4 : "Refused";
    }
    return mastra_reply_error(req, mastra_result_make(req->pool, status,
                                                      "REFUSED", "%s",
                                                      message));
}

static int answer_instead(mastra_req_t *req, int rc)
{
    const mastra_answered_t *instead = &full_of(req)->instead;

    if (instead->status) {
        req->r->status = instead->status;
        return mastra_reply_text(req, instead->type, instead->body,
                                 instead->len);
    }
    return mastra_middleware_refuse(req, rc >= 400 && rc <= 599
                                         ? rc : HTTP_INTERNAL_SERVER_ERROR);
}

static int judge(int *panswer, mastra_full_req_t *full, int rc)
{
    if (rc == OK || rc == DECLINED) {
        full->instead.status = 0;
        return 1;
    }
    *panswer = answer_instead(&full->req, rc);
    return 0;
}

/* 1: go on. */
static int ask(int *panswer, mastra_full_req_t *full, mastra_stage_e stage,
               int (*hook)(mastra_req_t *req))
{
    if (!hook) {
        return 1;
    }
    full->stage = stage;
    return judge(panswer, full, hook(&full->req));
}

int mastra_middleware_ask(int *panswer, mastra_full_req_t *full,
                          int (*hook)(void *instance, mastra_req_t *req),
                          void *instance)
{
    return judge(panswer, full, hook(instance, &full->req));
}

int mastra_middleware_authenticate(int *panswer, mastra_full_req_t *full)
{
    const struct mastra_hooks_t *hooks = full->req.host->hooks;

    if (!hooks) {
        return 1;
    }
    full->hooked = 1;
    return ask(panswer, full, MASTRA_STAGE_AUTHENTICATE, hooks->authenticate);
}

int mastra_middleware_enter(int *panswer, mastra_full_req_t *full)
{
    const struct mastra_hooks_t *hooks = full->req.host->hooks;

    if (hooks) {
        int open = full->req.route->flags & MASTRA_ROUTE_PUBLIC;

        full->hooked = 1;
        if (!ask(panswer, full, MASTRA_STAGE_AUTHORIZE,
                 open ? NULL : hooks->authorize)
            || !ask(panswer, full, MASTRA_STAGE_BEFORE, hooks->before)) {
            return 0;
        }
    }
    if (!mastra_chain_before(panswer, full)) {
        return 0;
    }
    full->stage = MASTRA_STAGE_WORK;
    return 1;
}

static int wants_end(const mastra_full_req_t *full)
{
    return full->passed || (full->hooked && full->req.host->hooks->after);
}

void mastra_middleware_after(mastra_req_t *req)
{
    mastra_full_req_t *full = full_of(req);

    if (!wants_end(full) || full->stage == MASTRA_STAGE_AFTER) {
        return;
    }
    full->stage = MASTRA_STAGE_AFTER;
    mastra_chain_after(full);
    if (full->hooked && req->host->hooks->after) {
        req->host->hooks->after(req);
    }
}

static void after_cb(void *baton)
{
    mastra_middleware_after(baton);
}

void mastra_middleware_follow(mastra_req_t *req)
{
    if (wants_end(full_of(req))) {
        mastra_exchange_on_head(req->r, after_cb, req);
    }
}

int mastra_middleware_error(mastra_answered_t *answered, mastra_req_t *req,
                            const mastra_result_t *result)
{
    mastra_full_req_t *full = full_of(req);

    if (!full->hooked || !req->host->hooks->on_error) {
        return 0;
    }
    full->stage = MASTRA_STAGE_ERROR;
    full->instead.status = 0;
    req->host->hooks->on_error(req, result->status, result->message);
    *answered = full->instead;
    return answered->status != 0;
}
