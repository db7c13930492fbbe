/* Key sets of other servers: fetched by the loop when requests need them, kept
 * while they are fresh, and for a limited time when their server is away. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "../base/log.h"
#include "../net/client.h"
#include "auth_internal.h"

#define MAX_DOCUMENT ((apr_size_t)256 * 1024)
#define FETCH_TIMEOUT apr_time_from_sec(5)
/* a server that does not answer holds up no more requests than these while
 * there are keys for the others */
#define MAX_WAITING 8

struct mastra_keys_set_t {
    apr_pool_t *pool;            /* with an allocator of its own */
    mastra_jwks_t *jwks;
    apr_time_t fetched;
    int users;
};

struct mastra_keys_t {
    mastra_keys_conf_t conf;
    /* in a child */
    mastra_loop_t *loop;
    apr_thread_mutex_t *mutex;   /* for all that follows */
    apr_thread_cond_t *cond;
    mastra_keys_set_t *set;
    apr_time_t tried;            /* when a fetch was begun */
    int fetching, waiting, failures;
    char *text;                  /* what came, not read yet; malloc */
    apr_size_t text_len;
};

/* One fetch: the loop's until it is over. */
typedef struct {
    mastra_msg_t msg;
    mastra_keys_t *keys;
    mastra_transfer_t *transfer;
    mastra_buf_t body;
    int status;
} fetch_t;

mastra_keys_t *mastra_keys_make(const mastra_keys_conf_t *conf,
                                apr_pool_t *pool)
{
    mastra_keys_t *keys = apr_pcalloc(pool, sizeof(*keys));

    keys->conf = *conf;
    return keys;
}

apr_status_t mastra_keys_child_init(mastra_keys_t *keys, mastra_loop_t *loop,
                                    apr_pool_t *pool)
{
    apr_status_t rv;

    /* hosts may share a line of an outer server */
    if (keys->loop) {
        return APR_SUCCESS;
    }
    rv = apr_thread_mutex_create(&keys->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&keys->cond, pool);
    }
    if (rv == APR_SUCCESS) {
        keys->loop = loop;
    }
    return rv;
}

/* --- fetching: loop -------------------------------------------------------- */

static mastra_transfer_verdict_e on_response(void *baton, int status,
                                             const apr_table_t *headers)
{
    fetch_t *fetch = baton;

    fetch->status = status;
    return status == HTTP_OK ? MASTRA_TRANSFER_GO : MASTRA_TRANSFER_ABORT;
}

static mastra_transfer_verdict_e on_data(void *baton, const char *data,
                                         apr_size_t len)
{
    fetch_t *fetch = baton;

    return mastra_buf_add(&fetch->body, data, len) == APR_SUCCESS
           ? MASTRA_TRANSFER_GO : MASTRA_TRANSFER_ABORT;
}

static void over(fetch_t *fetch, const char *cause)
{
    mastra_keys_t *keys = fetch->keys;

    apr_thread_mutex_lock(keys->mutex);
    keys->fetching = 0;
    if (cause) {
        keys->failures++;
        mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(641) "the keys at %s cannot be "
                   "had: %s", keys->conf.url, cause);
    }
    else {
        free(keys->text);
        keys->text = mastra_buf_detach(&fetch->body, &keys->text_len);
    }
    apr_thread_cond_broadcast(keys->cond);
    apr_thread_mutex_unlock(keys->mutex);
    mastra_buf_free(&fetch->body);
    free(fetch);
}

static void on_done(void *baton, const mastra_transfer_done_t *done)
{
    fetch_t *fetch = baton;
    char status[48];

    if (done->end == MASTRA_TRANSFER_OK && fetch->status == HTTP_OK) {
        over(fetch, NULL);
        return;
    }
    apr_snprintf(status, sizeof(status), "its server answers with %d",
                 fetch->status);
    over(fetch, fetch->status && fetch->status != HTTP_OK ? status
                : done->cause ? done->cause : "the transfer failed");
}

static void loop_begin(void *baton)
{
    static const char *const headers[] = { "Accept: application/json", NULL };
    fetch_t *fetch = baton;
    mastra_request_t request = {
        .method = "GET", .url = fetch->keys->conf.url, .headers = headers,
        .trusted = 1, .max_body = MAX_DOCUMENT,
        .connect_timeout = FETCH_TIMEOUT, .total_timeout = FETCH_TIMEOUT,
        .baton = fetch, .on_response = on_response, .on_data = on_data,
        .on_done = on_done
    };

    if (mastra_client_send(&fetch->transfer, fetch->keys->loop, &request)
        != APR_SUCCESS) {
        over(fetch, "the request cannot be made");
    }
}

/* --- with the lock held ---------------------------------------------------- */

static void begin(mastra_keys_t *keys, apr_time_t now)
{
    fetch_t *fetch = calloc(1, sizeof(*fetch));

    if (!fetch) {
        return;
    }
    fetch->keys = keys;
    mastra_buf_init(&fetch->body, MAX_DOCUMENT);
    fetch->msg.cb = loop_begin;
    fetch->msg.baton = fetch;
    keys->fetching = 1;
    keys->tried = now;
    mastra_loop_post(keys->loop, &fetch->msg);
}

static void let_go(mastra_keys_set_t *set)
{
    if (set && --set->users == 0) {
        apr_pool_destroy(set->pool);
    }
}

static mastra_keys_set_t *make_set(void)
{
    apr_allocator_t *allocator;
    mastra_keys_set_t *set;
    apr_pool_t *pool;

    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        return NULL;
    }
    if (apr_pool_create_ex(&pool, NULL, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    set = apr_pcalloc(pool, sizeof(*set));
    set->pool = pool;
    set->users = 1;
    return set;
}

/* Reads what came in the meantime, on the thread of a request rather than on
 * the loop. A document that is no key set changes nothing. */
static void settle(mastra_keys_t *keys, apr_time_t now)
{
    mastra_keys_set_t *set;
    const char *why;

    if (keys->text && (set = make_set())) {
        if (mastra_jwks_parse(&set->jwks, &why, keys->text, keys->text_len,
                              set->pool) == APR_SUCCESS) {
            set->fetched = now;
            let_go(keys->set);
            keys->set = set;
            keys->failures = 0;
        }
        else {
            keys->failures++;
            mastra_log(MASTRA_LOG_ERR, 0, MASTRA_ID(642) "what is at %s cannot "
                       "be used as keys: %s", keys->conf.url, why);
            let_go(set);
        }
    }
    free(keys->text);
    keys->text = NULL;
    if (keys->set && now - keys->set->fetched > keys->conf.stale) {
        let_go(keys->set);
        keys->set = NULL;
    }
}

static int may_try(const mastra_keys_t *keys, apr_time_t now)
{
    /* the first failures may be those of a server that is starting, too */
    apr_interval_time_t pause = !keys->set && keys->failures < 3
                                && keys->conf.retry > apr_time_from_sec(2)
                                ? apr_time_from_sec(2) : keys->conf.retry;

    return !keys->fetching && (!keys->tried || now - keys->tried >= pause);
}

static void wait_for_it(mastra_keys_t *keys)
{
    apr_time_t until = apr_time_now() + FETCH_TIMEOUT + apr_time_from_sec(1);
    apr_interval_time_t left;

    keys->waiting++;
    while (keys->fetching && (left = until - apr_time_now()) > 0) {
        apr_thread_cond_timedwait(keys->cond, keys->mutex, left);
    }
    keys->waiting--;
    settle(keys, apr_time_now());
}

static mastra_keys_set_t *lend(mastra_keys_t *keys)
{
    if (keys->set) {
        keys->set->users++;
    }
    return keys->set;
}

/* --- threads of requests --------------------------------------------------- */

mastra_keys_set_t *mastra_keys_get(mastra_keys_t *keys)
{
    apr_time_t now = apr_time_now();
    mastra_keys_set_t *set;

    if (!keys->loop) {
        return NULL;
    }
    apr_thread_mutex_lock(keys->mutex);
    settle(keys, now);
    if ((!keys->set || now - keys->set->fetched >= keys->conf.fresh)
        && may_try(keys, now)) {
        begin(keys, now);
    }
    if (!keys->set && keys->fetching) {
        wait_for_it(keys);
    }
    set = lend(keys);
    apr_thread_mutex_unlock(keys->mutex);
    return set;
}

mastra_keys_set_t *mastra_keys_newer(mastra_keys_t *keys,
                                     const mastra_keys_set_t *old)
{
    apr_time_t now = apr_time_now();
    mastra_keys_set_t *set = NULL;

    apr_thread_mutex_lock(keys->mutex);
    settle(keys, now);
    if (keys->set == old && may_try(keys, now)) {
        begin(keys, now);
    }
    if (keys->set == old && keys->fetching && keys->waiting < MAX_WAITING) {
        wait_for_it(keys);
    }
    if (keys->set != old) {
        set = lend(keys);
    }
    apr_thread_mutex_unlock(keys->mutex);
    return set;
}

const mastra_jwks_t *mastra_keys_of(const mastra_keys_set_t *set)
{
    return set->jwks;
}

void mastra_keys_release(mastra_keys_t *keys, mastra_keys_set_t *set)
{
    if (set) {
        apr_thread_mutex_lock(keys->mutex);
        let_go(set);
        apr_thread_mutex_unlock(keys->mutex);
    }
}
