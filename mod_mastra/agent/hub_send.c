/* Messages to threads, and the end of a thread's run: what request threads
 * write into the rows of channels. */

#include <string.h>

#include <apr_strings.h>

#include "hub_internal.h"
#include "signal.h"
#include "../store/events.h"

typedef struct {
    const mastra_send_t *send;
    mastra_hub_t *hub;
    apr_pool_t *pool;                /* the request's */
    mastra_json_t *signals[2];       /* to an idle thread, to an active one */
    const char *new_run;
    /* results */
    const mastra_json_t *signal;     /* the one of the two */
    const char *run_id;
    mastra_claim_t *claim;           /* begins here */
    int over;                        /* what was claimed is over already */
    const char *wake_id, *wake_owner;
    mastra_result_t *error;
} sending_t;

/* ---- from request threads to the loop ---- */

typedef struct {
    mastra_hub_t *hub;
    mastra_agent_env_t *env;
    mastra_claim_t *claim;
    int over;
    const char *id, *owner;
    int flags;
    mastra_hub_op_t *op;
    mastra_msg_t msg;
} handover_t;

static void take_over(void *baton)
{
    handover_t *handover = baton;
    mastra_hub_op_t *op = handover->op;

    if (handover->claim && handover->over) {
        mastra_hub_announce(handover->hub, handover->claim, MASTRA_BEGIN_OVER);
        mastra_claim_free(handover->claim);
    }
    else if (handover->claim) {
        mastra_hub_begin(handover->claim);
    }
    if (handover->id) {
        mastra_hub_wake(handover->hub, handover->env, handover->id,
                        handover->owner, handover->flags);
    }
    apr_pool_destroy(op->pool);
}

static void hand_over(mastra_agent_env_t *env, mastra_claim_t *claim, int over,
                      const char *id, const char *owner, int flags)
{
    mastra_hub_op_t *op = mastra_hub_op_make(env->hub, env,
                                             sizeof(handover_t));
    handover_t *handover = op->data;

    handover->hub = env->hub;
    handover->env = env;
    handover->claim = claim;
    handover->over = over;
    handover->id = apr_pstrdup(op->pool, id);
    handover->owner = apr_pstrdup(op->pool, owner);
    handover->flags = flags;
    handover->op = op;
    handover->msg.cb = take_over;
    handover->msg.baton = handover;
    mastra_loop_post(env->loop, &handover->msg);
}

/* ---- whose thread it is ---- */

static apr_status_t refuse(mastra_result_t **perror, apr_pool_t *pool,
                           int status, const char *code, const char *message)
{
    *perror = mastra_result_make(pool, status, code, "%s", message);
    return APR_EACCES;
}

apr_status_t mastra_hub_check_thread(mastra_result_t **perror, mastra_db_t *db,
                                     const mastra_agent_t *agent,
                                     const char *resource_id,
                                     const char *thread_id, apr_pool_t *keep,
                                     apr_pool_t *pool)
{
    mastra_json_t *thread = NULL;
    const char *owner;
    apr_status_t rv;

    if (!agent->memory.enabled || !resource_id) {
        return APR_SUCCESS;
    }
    rv = mastra_threads_get(&thread, db, thread_id, pool);
    if (rv) {
        return rv == MASTRA_STORE_NOT_FOUND ? APR_SUCCESS : rv;
    }
    mastra_json_own(thread, pool);
    owner = mastra_json_get_str(thread, "resourceId");
    if (!owner || strcmp(owner, resource_id)) {
        return refuse(perror, keep, 403, "THREAD_OWNER",
                      "Access denied: thread belongs to a different resource");
    }
    return APR_SUCCESS;
}

/* ---- sending: store thread ---- */

static const char *item_text(const sending_t *sending,
                             const mastra_json_t *signal, apr_pool_t *pool)
{
    const mastra_principal_t *principal = sending->send->principal;
    mastra_json_t *item = mastra_json_pack(
        "{s:s, s:O, s:s*, s:i}", "agent", sending->send->agent->id, "signal",
        signal, "owner", principal->resource_id, "depth", principal->depth);

    if (sending->send->options) {
        mastra_json_set(item, "options",
                        mastra_json_ref(sending->send->options));
    }
    if (principal->request_context) {
        mastra_json_set(item, "context",
                        mastra_json_ref(principal->request_context));
    }
    return mastra_json_text(mastra_json_own(item, pool), pool);
}

static apr_status_t push(sending_t *sending, mastra_db_t *db,
                         const mastra_channel_row_t *row, const char *kind,
                         const char *run, apr_pool_t *pool)
{
    sending->run_id = apr_pstrdup(sending->pool, run);
    return mastra_queue_push(db, row->id, kind, run,
                             item_text(sending, sending->signal, pool), pool);
}

/* Stored, and nobody is woken. */
static apr_status_t keep_message(sending_t *sending, mastra_db_t *db,
                                 const mastra_channel_row_t *row,
                                 mastra_json_t **pmessage, apr_pool_t *pool)
{
    const mastra_send_t *send = sending->send;
    mastra_json_t *thread = NULL, *message;
    const char *now = mastra_text_iso_make(pool, apr_time_now());
    apr_status_t rv;

    message = mastra_json_own(mastra_signal_message(sending->signal,
                                                    row->thread, row->resource,
                                                    apr_time_now(), pool),
                              pool);
    *pmessage = message;
    if (!send->agent->memory.enabled || mastra_signal_is_transient(message)) {
        return APR_SUCCESS;
    }
    rv = mastra_threads_ensure(&thread, db, mastra_json_own(mastra_json_pack(
        "{s:s, s:s, s:s, s:s, s:s}", "id", row->thread, "resourceId",
        row->resource, "title", "", "createdAt", now, "updatedAt", now),
                                                            pool), pool);
    mastra_json_unref(thread);
    return rv ? rv : mastra_messages_save(db, mastra_json_own(
                         mastra_json_pack("[O]", message), pool), pool);
}

/* A run that says nothing but what was stored. */
static apr_status_t show_kept(sending_t *sending, mastra_db_t *db,
                              mastra_channel_row_t *row,
                              const mastra_json_t *message, apr_pool_t *pool)
{
    const char *agent = sending->send->agent->id, *run = sending->new_run;
    const char *id = apr_pstrcat(pool, "persisted-signal:",
                                 mastra_json_get_str(message, "id"), NULL);
    mastra_json_t *chunks = mastra_json_pack(
        "[{s:s, s:s, s:s, s:{s:s, s:s}}, o, {s:s, s:s, s:s, s:{s:{s:s}, "
        "s:{s:{s:i, s:i, s:i}}}}]", "type", "start", "runId", run, "from",
        "AGENT", "payload", "id", agent, "messageId", id,
        mastra_signal_chunk(message, run), "type", "finish", "runId", run,
        "from", "AGENT", "payload", "stepResult", "reason", "stop", "output",
        "usage", "inputTokens", 0, "outputTokens", 0, "totalTokens", 0);
    apr_status_t rv = mastra_channels_claim(row, db, agent, run, NULL,
                                            sending->hub->address,
                                            sending->hub->lease,
                                            pool);

    mastra_json_own(chunks, pool);
    if (rv == APR_SUCCESS) {
        rv = mastra_claim_say(db, row, mastra_json_ref(chunks), pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_events_end(db, row->log, row->epoch, 1, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_channels_release(row, db, row->id, row->epoch,
                                     MASTRA_CHANNEL_IDLE, pool);
    }
    if (rv == APR_SUCCESS) {
        sending->claim = mastra_claim_make(sending->send->env, row);
        sending->over = 1;
    }
    return rv;
}

static const char *signal_id(const sending_t *sending)
{
    return mastra_json_get_str(sending->signal, "id");
}

static apr_status_t send_to_active(sending_t *sending, mastra_db_t *db,
                                   mastra_channel_row_t *row, apr_pool_t *pool)
{
    const mastra_send_t *send = sending->send;
    int same = !strcmp(row->agent, send->agent->id);
    mastra_json_t *message;

    sending->signal = sending->signals[1];
    sending->run_id = signal_id(sending);
    if (!send->next && send->if_active == MASTRA_SEND_DISCARD) {
        return APR_SUCCESS;
    }
    if (!send->next && send->if_active == MASTRA_SEND_PERSIST) {
        return keep_message(sending, db, row, &message, pool);
    }
    if (send->next || !same) {
        return push(sending, db, row, MASTRA_QUEUE_NEXT, sending->new_run,
                    pool);
    }
    sending->wake_id = apr_pstrdup(sending->pool, row->id);
    sending->wake_owner = apr_pstrdup(sending->pool, row->owner);
    return push(sending, db, row, MASTRA_QUEUE_DELIVER, row->run, pool);
}

static apr_status_t send_to_idle(sending_t *sending, mastra_db_t *db,
                                 mastra_channel_row_t *row, apr_pool_t *pool)
{
    const mastra_send_t *send = sending->send;
    mastra_json_t *message;
    apr_status_t rv;

    sending->signal = sending->signals[0];
    sending->run_id = signal_id(sending);
    if (!send->next && send->if_idle == MASTRA_SEND_DISCARD) {
        return APR_SUCCESS;
    }
    if (!send->next && send->if_idle == MASTRA_SEND_PERSIST) {
        rv = keep_message(sending, db, row, &message, pool);
        return rv ? rv : show_kept(sending, db, row, message, pool);
    }
    rv = push(sending, db, row, MASTRA_QUEUE_NEXT, sending->new_run, pool);
    if (rv == APR_SUCCESS && row->status == MASTRA_CHANNEL_RUNNING) {
        return mastra_claim_over(&sending->claim, sending->hub, send->env, row,
                                 db, pool);
    }
    return rv ? rv : mastra_claim_next(&sending->claim, sending->hub,
                                       send->env, row, db, pool);
}

static apr_status_t find_channel(sending_t *sending, mastra_db_t *db,
                                 mastra_channel_row_t *row, apr_pool_t *pool)
{
    const mastra_send_t *send = sending->send;
    apr_status_t rv;

    if (send->thread_id && send->resource_id) {
        return mastra_channels_lock(row, db, send->env->host,
                                    send->resource_id, send->thread_id, pool);
    }
    rv = mastra_channels_of_run(row, db, send->env->host, send->run_id, pool);
    if (rv == MASTRA_STORE_NOT_FOUND) {
        return refuse(&sending->error, sending->pool, 500, "RUN_NOT_FOUND",
                      send->next ? "resourceId and threadId are required to "
                                   "queue a message"
                                 : "No active agent run found for signal "
                                   "target");
    }
    return rv ? rv : mastra_channels_lock_id(row, db, row->id, pool);
}

/* Another's run is not to be reached by its id. */
static apr_status_t check_row(sending_t *sending, mastra_db_t *db,
                              const mastra_channel_row_t *row,
                              apr_pool_t *pool)
{
    const mastra_send_t *send = sending->send;

    if (send->principal->resource_id
        && strcmp(send->principal->resource_id, row->resource)) {
        return refuse(&sending->error, sending->pool, 403, "THREAD_OWNER",
                      "Access denied: thread belongs to a different resource");
    }
    return mastra_hub_check_thread(&sending->error, db, send->agent,
                                   row->resource, row->thread, sending->pool,
                                   pool);
}

/* An id that the client has chosen may be that of another's message, which
 * would only be found when the message is stored. */
static apr_status_t check_id(sending_t *sending, mastra_db_t *db,
                             const mastra_channel_row_t *row,
                             apr_pool_t *pool)
{
    const char *id = mastra_json_get_str(sending->send->message, "id");
    mastra_json_t *found = NULL;
    const char *resource;
    apr_status_t rv;

    if (!id || !*id) {
        return APR_SUCCESS;
    }
    rv = mastra_messages_get(&found, db, mastra_json_own(
                                 mastra_json_pack("[s]", id), pool), pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    mastra_json_own(found, pool);
    resource = mastra_json_get_str(mastra_json_at(found, 0), "resourceId");
    if (resource && strcmp(resource, row->resource)) {
        return refuse(&sending->error, sending->pool, 409, "MESSAGE_OWNER",
                      "A message with this id belongs to another resource");
    }
    return APR_SUCCESS;
}

static apr_status_t send_row(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    sending_t *sending = baton;
    mastra_channel_row_t row;
    apr_status_t rv;

    mastra_claim_free(sending->claim);
    sending->claim = NULL;
    sending->over = 0;
    sending->wake_id = NULL;
    sending->error = NULL;
    rv = sending->send->also
             ? sending->send->also(db, sending->send->also_baton, pool)
             : APR_SUCCESS;
    if (rv == APR_SUCCESS) {
        rv = find_channel(sending, db, &row, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = check_row(sending, db, &row, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = check_id(sending, db, &row, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (row.status == MASTRA_CHANNEL_IDLE || mastra_channel_lapsed(&row)) {
        return send_to_idle(sending, db, &row, pool);
    }
    return send_to_active(sending, db, &row, pool);
}

/* ---- request thread ---- */

static mastra_result_t *store_error(apr_status_t rv, mastra_result_t *error,
                                    apr_pool_t *pool)
{
    return error ? error : mastra_store_result(pool, rv, "reach the thread");
}

/* Options that no run can be made of are refused here, while there is
 * somebody to tell. */
static mastra_result_t *check_options(const mastra_send_t *send,
                                      apr_pool_t *pool)
{
    mastra_json_t *options = send->options
                                 ? mastra_json_copy_flat(send->options)
                                 : mastra_json_object();
    mastra_result_t *error = NULL;
    mastra_agent_run_t *run;

    mastra_json_own(options, pool);
    mastra_json_set(options, "messages", mastra_json_array());
    mastra_json_del(options, "memory");
    run = mastra_agent_run_make(send->env, send->agent, options, 1,
                                send->principal, &error, pool);
    if (run) {
        mastra_agent_run_discard(run);
    }
    return error;
}

static mastra_result_t *make_signals(sending_t *sending)
{
    const mastra_send_t *send = sending->send;
    const mastra_json_t *more[] = { send->idle_attributes,
                                    send->active_attributes };
    apr_time_t now = apr_time_now();
    mastra_result_t *error = NULL;
    int i;

    for (i = 0; i < 2; i++) {
        sending->signals[i] = mastra_signal_make(send->message, more[i], now,
                                                 &error, sending->pool);
        if (error) {
            return error;
        }
        mastra_json_own(sending->signals[i], sending->pool);
    }
    /* it is one message, whichever way it goes */
    mastra_json_set_str(sending->signals[1], "id",
                        mastra_json_get_str(sending->signals[0], "id"));
    return NULL;
}

mastra_json_t *mastra_hub_send(const mastra_send_t *send,
                               mastra_result_t **perror, apr_pool_t *pool)
{
    sending_t sending = { .send = send, .hub = send->env->hub, .pool = pool,
                          .new_run = mastra_text_uuid_make(pool) };
    apr_status_t rv;

    *perror = make_signals(&sending);
    if (!*perror) {
        *perror = check_options(send, pool);
    }
    if (*perror) {
        return NULL;
    }
    rv = mastra_store_call(send->env->store, MASTRA_STORE_WRITE, send_row,
                           &sending);
    if (rv) {
        mastra_claim_free(sending.claim);
        *perror = store_error(rv, sending.error, pool);
        return NULL;
    }
    if (sending.claim || sending.wake_id) {
        hand_over(send->env, sending.claim, sending.over, sending.wake_id,
                  sending.wake_owner, MASTRA_WAKE_QUEUE);
    }
    return mastra_json_pack("{s:b, s:s, s:O}", "accepted", 1, "runId",
                            sending.run_id, "signal", sending.signal);
}

/* ---- ending a run ---- */

typedef struct {
    mastra_agent_env_t *env;
    const mastra_agent_t *agent;
    const char *resource, *thread, *expected;
    apr_pool_t *pool;
    int aborted;
    mastra_claim_t *claim;
    int over;
    const char *id, *owner;
    mastra_result_t *error;
} ending_t;

/* Nobody has the run in hand: its end is written here. */
static apr_status_t end_here(ending_t *ending, mastra_channel_row_t *row,
                             mastra_db_t *db, apr_pool_t *pool)
{
    mastra_hub_t *hub = ending->env->hub;
    apr_status_t rv = row->status == MASTRA_CHANNEL_SUSPENDED
                          ? mastra_claim_instead(&ending->claim, hub,
                                                 ending->env, row, db, pool)
                          : mastra_claim_over(&ending->claim, hub, ending->env,
                                              row, db, pool);

    if (rv == APR_SUCCESS && !ending->claim) {
        ending->claim = mastra_claim_make(ending->env, row);
        ending->over = 1;
    }
    return rv;
}

static apr_status_t end_row(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    ending_t *ending = baton;
    mastra_channel_row_t row;
    apr_status_t rv;

    mastra_claim_free(ending->claim);
    ending->claim = NULL;
    ending->aborted = ending->over = 0;
    ending->id = NULL;
    rv = mastra_hub_check_thread(&ending->error, db, ending->agent,
                                 ending->resource, ending->thread,
                                 ending->pool, pool);
    if (rv == APR_SUCCESS) {
        rv = mastra_channels_get(&row, db, ending->env->host,
                                 ending->resource ? ending->resource : "",
                                 ending->thread, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_channels_lock_id(&row, db, row.id, pool);
    }
    if (rv == MASTRA_STORE_NOT_FOUND) {
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS || row.status == MASTRA_CHANNEL_IDLE
        || (ending->expected && strcmp(ending->expected, row.run))) {
        return rv;
    }
    ending->aborted = 1;
    /* a durable run's mark is found by whoever goes on with it */
    if (row.status == MASTRA_CHANNEL_SUSPENDED
        || (mastra_channel_lapsed(&row)
            && !mastra_hub_endures(&row, db, pool))) {
        return end_here(ending, &row, db, pool);
    }
    ending->id = apr_pstrdup(ending->pool, row.id);
    ending->owner = apr_pstrdup(ending->pool, row.owner);
    return mastra_channels_halt(db, row.id, pool);
}

apr_status_t mastra_hub_abort(int *paborted, mastra_agent_env_t *env,
                              const mastra_agent_t *agent,
                              const char *resource_id, const char *thread_id,
                              const char *expected_run,
                              mastra_result_t **perror, apr_pool_t *pool)
{
    ending_t ending = { .env = env, .agent = agent, .resource = resource_id,
                        .thread = thread_id, .expected = expected_run,
                        .pool = pool };
    apr_status_t rv = mastra_store_call(env->store, MASTRA_STORE_WRITE,
                                        end_row, &ending);

    if (rv) {
        mastra_claim_free(ending.claim);
        *perror = store_error(rv, ending.error, pool);
        return rv;
    }
    if (ending.claim || ending.id) {
        hand_over(env, ending.claim, ending.over, ending.id, ending.owner,
                  MASTRA_WAKE_HALT);
    }
    *paborted = ending.aborted;
    return APR_SUCCESS;
}
