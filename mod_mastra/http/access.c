/* The doors of a request: who asks, what they may do, and whose what they ask
 * for is. */
#include <string.h>

#include <apr_strings.h>

#include "../store/channels.h"
#include "../store/flows.h"
#include "../store/runs.h"
#include "../store/threads.h"
#include "auth.h"
#include "internal.h"

/* --- who ------------------------------------------------------------------- */

static int unknown_caller(mastra_req_t *req)
{
    apr_table_setn(req->r->err_headers_out, "WWW-Authenticate", "Bearer");
    return mastra_reply_fail(req, HTTP_UNAUTHORIZED,
                             "Invalid or expired token");
}

static int cannot_tell(mastra_req_t *req)
{
    mastra_result_t *result = mastra_result_make(
        req->pool, HTTP_SERVICE_UNAVAILABLE, "AUTH_UNAVAILABLE",
        "Authentication is not available at the moment");

    mastra_result_cause(result, req->pool, "a provider of MastraAuth cannot "
                        "be asked");
    result->retry_after = 5;
    return mastra_reply_error(req, result);
}

/* The resource that the caller owns, "" for who owns nothing; NULL: the claim
 * says nothing of use. */
static const char *owned_by(const mastra_req_t *req)
{
    const mastra_mark_t *origin = mastra_request_origin(req->r);
    const mastra_json_t *claim;

    if (!req->identity) {
        return "";
    }
    if (req->identity->system) {
        return origin && origin->resource ? origin->resource : "";
    }
    claim = mastra_auth_claim(req->identity->user, req->host->auth.owner);
    if (mastra_json_is_integer(claim)) {
        return mastra_json_text(claim, req->pool);
    }
    return mastra_json_is_string(claim) && mastra_json_len(claim)
           ? mastra_json_str(claim) : NULL;
}

static int set_owner(int *panswer, mastra_req_t *req)
{
    /* a hook that knows the user may have said what is theirs */
    if (!req->host->auth.owner || req->principal.resource_id) {
        return 1;
    }
    req->principal.resource_id = owned_by(req);
    if (req->principal.resource_id) {
        return 1;
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, req->r, "the user %s has no claim "
                  "%s that could name what is theirs",
                  req->identity->id ? req->identity->id : "(without an id)",
                  req->host->auth.owner);
    *panswer = mastra_reply_fail(req, HTTP_FORBIDDEN, "Access denied");
    return 0;
}

/* What authorize= of the line says that knew them. */
static int is_allowed(int *panswer, mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;

    if (!req->identity
        || !mastra_auth_is_needed(&req->host->auth, req->route, req->r)) {
        return 1;
    }
    switch (mastra_auth_allows(req->identity, req->r,
                               full->route->permission)) {
    case MASTRA_AUTH_MAY:
        return 1;
    case MASTRA_AUTH_MAY_NOT:
        *panswer = mastra_reply_fail(req, HTTP_FORBIDDEN, "Access denied");
        return 0;
    default:
        *panswer = cannot_tell(req);
        return 0;
    }
}

/* The providers of MastraAuth, unless a hook knew the caller. */
static int identify(int *panswer, mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;
    const mastra_auth_t *auth = &req->host->auth;
    mastra_auth_e answer = MASTRA_AUTH_KNOWN;

    if (!mastra_auth_is_on(auth)) {
        return 1;
    }
    if (!req->identity) {
        answer = mastra_auth_identify(&req->identity, auth, req->r);
    }
    if (!req->identity && mastra_auth_is_needed(auth, req->route, req->r)) {
        *panswer = answer == MASTRA_AUTH_UNAVAILABLE ? cannot_tell(req)
                                                     : unknown_caller(req);
        return 0;
    }
    return is_allowed(panswer, full) && set_owner(panswer, req);
}

int mastra_access_enter(int *panswer, mastra_full_req_t *full)
{
    unsigned flags = full->req.route->flags;

    if (flags & MASTRA_ROUTE_PUBLIC) {
        /* nobody is asked who they are, so nothing is theirs */
        return !(flags & MASTRA_ROUTE_CUSTOM)
               || (set_owner(panswer, &full->req)
                   && mastra_middleware_enter(panswer, full));
    }
    return mastra_middleware_authenticate(panswer, full)
           && identify(panswer, full)
           && mastra_middleware_enter(panswer, full);
}

void mastra_access_context(mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;
    mastra_json_t *context = req->principal.request_context;

    if (!mastra_auth_is_on(&req->host->auth) && !req->identity) {
        return;
    }
    /* the client's; what middleware says stays, unless we know better */
    if (!mastra_json_get(full->own_context, "user")) {
        mastra_json_del(context, "user");
    }
    if (!req->identity || req->identity->system) {
        return;
    }
    if (!context) {
        context = mastra_json_own(mastra_json_object(), req->pool);
        req->principal.request_context = context;
    }
    mastra_json_set(context, "user", mastra_json_ref(req->identity->user));
    mastra_json_set_str(context, "mastra__resourceId",
                        req->principal.resource_id);
}

/* --- what ------------------------------------------------------------------ */

static int may(int *panswer, mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;
    const mastra_auth_t *auth = &req->host->auth;
    mastra_result_t *refused;

    if (!mastra_auth_is_needed(auth, req->route, req->r)
        || mastra_auth_may(auth, req->identity, full->route->permission)) {
        return 1;
    }
    refused = mastra_result_make(req->pool, HTTP_FORBIDDEN, "FORBIDDEN",
                                 "Forbidden");
    refused->detail = mastra_json_own(mastra_json_object(), req->pool);
    mastra_json_set_str(refused->detail, "message",
                        apr_pstrcat(req->pool, "Missing required permission: ",
                                    full->route->permission, NULL));
    *panswer = mastra_reply_error(req, refused);
    return 0;
}

/* --- whose ----------------------------------------------------------------- */

/* The value of "path:threadId", "query:threadId" or "body:memory.thread", which
 * may be an object with an id. NULL: the request has none. */
static const char *named(const mastra_req_t *req, const char *where)
{
    const mastra_json_t *value;
    const char *name = strchr(where, ':') + 1;

    if (*where == 'p') {
        return mastra_req_param(req, name);
    }
    value = mastra_auth_claim(*where == 'q' ? req->query : req->body, name);
    return mastra_json_is_object(value) ? mastra_json_get_str(value, "id")
                                        : mastra_json_str(value);
}

typedef struct {
    const char *id, *host, *owner;
    int foreign;
    int workflow;                    /* it is about a run of one */
} question_t;

static void compare(question_t *question, const char *resource)
{
    question->foreign = !resource || strcmp(resource, question->owner);
}

static apr_status_t read_thread(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    question_t *question = baton;
    mastra_json_t *thread;
    apr_status_t rv = mastra_threads_get(&thread, db, question->id, pool);

    if (rv == APR_SUCCESS) {
        compare(question, mastra_json_get_str(thread, "resourceId"));
        mastra_json_unref(thread);
    }
    return rv;
}

static apr_status_t read_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    question_t *question = baton;
    mastra_channel_row_t channel;
    mastra_run_row_t run;
    apr_status_t rv = mastra_channels_of_run(&channel, db, question->host,
                                             question->id, pool);

    if (rv == APR_SUCCESS) {
        compare(question, channel.resource);
    }
    else if (rv == MASTRA_STORE_NOT_FOUND) {
        rv = mastra_runs_get(&run, db, question->host, question->id, pool);
        if (rv == APR_SUCCESS) {
            compare(question, run.resource_id);
            question->workflow = !strcmp(run.kind, MASTRA_FLOW_KIND);
        }
    }
    return rv;
}

/* What rows are about, by the end of their .resource. */
static const struct {
    const char *name;
    mastra_store_run_cb *read;
    int status;
    const char *refusal;
} kinds[] = {
    { ":threadId", read_thread, HTTP_FORBIDDEN,
      "Access denied: thread belongs to a different resource" },
    { ".thread", read_thread, HTTP_FORBIDDEN,
      "Access denied: thread belongs to a different resource" },
    { ":runId", read_run, HTTP_NOT_FOUND, "Run not found" },
    { NULL }
};

static int kind_of(const char *where)
{
    apr_size_t len = strlen(where);
    int i;

    for (i = 0; kinds[i].name; i++) {
        apr_size_t n = strlen(kinds[i].name);

        if (len > n && !strcmp(where + len - n, kinds[i].name)) {
            break;
        }
    }
    return i;
}

static int is_theirs(int *panswer, mastra_full_req_t *full, const char *where)
{
    mastra_req_t *req = &full->req;
    question_t question = { .owner = req->principal.resource_id,
                            .host = req->host->agent_env.host };
    int kind = kind_of(where);
    apr_status_t rv;

    if (!kinds[kind].name || !(question.id = named(req, where))) {
        return 1;
    }
    rv = mastra_store_call(req->host->store, MASTRA_STORE_READ,
                           kinds[kind].read, &question);
    if (rv && rv != MASTRA_STORE_NOT_FOUND) {
        *panswer = mastra_reply_error(req, mastra_store_result(
                                          req->pool, rv, "ask whose this is"));
        return 0;
    }
    if (rv == APR_SUCCESS && question.foreign && question.workflow) {
        *panswer = mastra_reply_fail(req, HTTP_FORBIDDEN, "Access denied: "
                                     "workflow run belongs to a different "
                                     "resource");
        return 0;
    }
    if (rv == APR_SUCCESS && question.foreign) {
        *panswer = mastra_reply_fail(req, kinds[kind].status,
                                     kinds[kind].refusal);
        return 0;
    }
    return 1;
}

/* What belongs to others is refused here, whatever the handler would do. What
 * is not there is the handler's to tell. */
static int all_theirs(int *panswer, mastra_full_req_t *full)
{
    mastra_req_t *req = &full->req;
    const char *words = req->route->resource, *word;

    if (!req->principal.resource_id || !words) {
        return 1;
    }
    while (*(word = ap_getword_white(req->pool, &words))) {
        if (!is_theirs(panswer, full, word)) {
            return 0;
        }
    }
    return 1;
}

int mastra_access_check(int *panswer, mastra_full_req_t *full)
{
    return may(panswer, full) && all_theirs(panswer, full);
}
