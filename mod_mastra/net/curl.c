/* Outgoing HTTP: transfers begin, pause, end and are cancelled. */

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>

#include "curl_transfer.h"
#include "internal.h"

#define MAX_BODY ((apr_size_t)64 * 1024 * 1024)
#define CONNECT_TIMEOUT apr_time_from_sec(10)
#define IDLE_TIMEOUT apr_time_from_sec(120)
/* idle handles kept for the next transfers, about 12 KiB each */
#define MAX_SPARE 256
/* curl sends bodies up to this size together with the head */
#define SMALL_BODY ((apr_size_t)64 * 1024)

/* what must not be done inside curl's or a caller's call */
enum { CHORE_ADD = 1, CHORE_RESUME = 2, CHORE_REMOVE = 4 };

/* ---- making and ending transfers ---- */

/* What is of this request alone. */
static CURLcode set_request(mastra_transfer_t *t)
{
    const mastra_http_request_t *request = t->request;
    CURL *easy = t->easy.curl;
    CURLcode rc;
    const char *body = request->ask.body ? request->ask.body : "";

#define SET(option, value) \
    if ((rc = curl_easy_setopt(easy, CURLOPT_##option, value)) != CURLE_OK) { \
        return rc; \
    }
    SET(URL, request->ask.url)
    SET(HTTPHEADER, request->lines)
    /* rounded up: 0 would be curl's own five minutes */
    SET(CONNECTTIMEOUT_MS, (long)((request->ask.connect_timeout + 999) / 1000))
    if (request->has_body) {
        SET(POST, 1L)
        SET(POSTFIELDSIZE_LARGE, (curl_off_t)request->ask.body_len)
        SET(POSTFIELDS, request->ask.body_len <= SMALL_BODY ? body : NULL)
        SET(CUSTOMREQUEST, strcmp(request->ask.method, "POST")
                           ? request->ask.method : NULL)
    }
    else if (!strcmp(request->ask.method, "HEAD")) {
        SET(NOBODY, 1L)
        SET(CUSTOMREQUEST, NULL)
    }
    else {
        SET(HTTPGET, 1L)
        SET(CUSTOMREQUEST, strcmp(request->ask.method, "GET")
                           ? request->ask.method : NULL)
    }
#undef SET
    return CURLE_OK;
}

static void transfer_free(mastra_transfer_t *t)
{
    curl_easy_cleanup(t->easy.curl);
    free(t);
}

static mastra_transfer_t *transfer_make(mastra_client_t *client)
{
    mastra_transfer_t *t;

    if (!TAILQ_EMPTY(&client->spare)) {
        t = TAILQ_FIRST(&client->spare);
        TAILQ_REMOVE(&client->spare, t, link);
        client->spares--;
        return t;
    }
    t = calloc(1, sizeof(*t));
    if (!t) {
        return NULL;
    }
    t->client = client;
    t->easy.curl = curl_easy_init();
    if (!t->easy.curl || mastra_transfer_set_up(t) != CURLE_OK) {
        transfer_free(t);
        return NULL;
    }
    return t;
}

/* What t has to do, which it has not any more. */
static unsigned take_chores(mastra_transfer_t *t)
{
    unsigned chores = t->chores;

    if (chores) {
        TAILQ_REMOVE(&t->client->chores, t, chore_link);
        t->client->nchores--;
        t->chores = 0;
    }
    return chores;
}

/* Takes the transfer off everything; no callback comes any more. */
static void detach(mastra_transfer_t *t)
{
    mastra_client_t *client = t->client;

    take_chores(t);
    mastra_loop_timer_stop(client->loop, &t->timer);
    mastra_multi_remove(&t->easy);
}

static void recycle(mastra_transfer_t *t)
{
    mastra_client_t *client = t->client;

    TAILQ_REMOVE(&client->transfers, t, link);
    mastra_multi_leave(&t->easy);
    mastra_http_request_free(t->request);
    free(t->location);
    if (client->closing || client->spares >= MAX_SPARE) {
        transfer_free(t);
        return;
    }
    /* curl would else keep pointers into what is gone */
    curl_easy_setopt(t->easy.curl, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(t->easy.curl, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(t->easy.curl, CURLOPT_URL, NULL);
    memset((char *)t + offsetof(mastra_transfer_t, request), 0,
           offsetof(mastra_transfer_t, error)
           - offsetof(mastra_transfer_t, request));
    TAILQ_INSERT_HEAD(&client->spare, t, link);
    client->spares++;
}

static mastra_transfer_end_e end_of(const mastra_transfer_t *t, CURLcode code)
{
    if (t->bad || t->refused) {
        return MASTRA_TRANSFER_REFUSED;
    }
    if (t->aborted) {
        return MASTRA_TRANSFER_ABORTED;
    }
    if (t->too_large) {
        return MASTRA_TRANSFER_TOO_LARGE;
    }
    switch (code) {
    case CURLE_OK:
        return MASTRA_TRANSFER_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return MASTRA_TRANSFER_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return t->sent ? MASTRA_TRANSFER_CUT : MASTRA_TRANSFER_REFUSED;
    default:
        return t->sent ? MASTRA_TRANSFER_CUT : MASTRA_TRANSFER_UNREACHABLE;
    }
}

/* curl's texts name hosts, ports and reasons, never queries or headers. */
static const char *cause_of(mastra_transfer_t *t, mastra_transfer_end_e end,
                            CURLcode code)
{
    char *p;

    if (t->bad) {
        return t->bad;
    }
    switch (end) {
    case MASTRA_TRANSFER_OK:
        return "";
    case MASTRA_TRANSFER_REFUSED:
        if (t->refused) {
            return "the address of the host is not one that may be called";
        }
        break;
    case MASTRA_TRANSFER_ABORTED:
        return "ended by the receiver";
    case MASTRA_TRANSFER_TOO_LARGE:
        return t->responded ? "the body of the answer is too large"
                            : "the head of the answer is too large";
    default:
        break;
    }
    for (p = t->error; *p; p++) {
        if (!apr_isprint(*p)) {
            *p = '?';
        }
    }
    return t->error[0] ? t->error : curl_easy_strerror(code);
}

static void chore(mastra_transfer_t *t, unsigned what);

/* Prepares the request that a redirect asks for; 0 when there is none. */
static int follow(mastra_transfer_t *t)
{
    mastra_http_request_t *next;

    if (!t->redirects_left--) {
        t->bad = "too many redirects";
        return 0;
    }
    next = mastra_http_request_redirected(t->request, t->status, t->location,
                                     &t->bad);
    if (!next) {
        return 0;
    }
    mastra_http_request_free(t->request);
    t->request = next;
    free(t->location);
    t->location = NULL;
    t->received = 0;
    t->sent_body = 0;
    t->head_bytes = 0;
    t->head_lines = 0;
    t->sent = 0;
    chore(t, CHORE_ADD);
    mastra_transfer_arm(t);
    return 1;
}

void mastra_transfer_finish(mastra_transfer_t *t, CURLcode code)
{
    mastra_transfer_done_t done = { .status = t->status };
    const mastra_http_request_t *request = t->request;
    long connects = 0;

    detach(t);
    if (t->dead) {
        recycle(t);
        return;
    }
    if (t->location && !t->too_large && !t->timed_out
        && (code == CURLE_OK || t->received > MASTRA_MAX_REDIRECT_BODY)
        && follow(t)) {
        return;
    }
    if (t->sent) {
        curl_easy_getinfo(t->easy.curl, CURLINFO_NUM_CONNECTS, &connects);
        done.reused = !connects;
    }
    done.end = end_of(t, code);
    done.cause = cause_of(t, done.end, code);
    request->ask.on_done(request->ask.baton, &done);
    recycle(t);
}

/* ---- chores ---- */

static void chores_cb(void *baton);

static void chore(mastra_transfer_t *t, unsigned what)
{
    mastra_client_t *client = t->client;

    if (!t->chores) {
        TAILQ_INSERT_TAIL(&client->chores, t, chore_link);
        client->nchores++;
    }
    t->chores |= what;
    if (!client->chores_due) {
        client->chores_due = 1;
        client->chores_msg.cb = chores_cb;
        client->chores_msg.baton = client;
        mastra_loop_defer(client->loop, &client->chores_msg);
    }
}

static void begin(mastra_transfer_t *t)
{
    CURLcode rc;

    t->bad = t->request->bad;
    t->error[0] = '\0';
    rc = t->bad ? CURLE_URL_MALFORMAT : set_request(t);
    if (rc == CURLE_OK && !mastra_multi_add(&t->easy)) {
        rc = CURLE_OUT_OF_MEMORY;
    }
    if (rc != CURLE_OK) {
        mastra_transfer_finish(t, rc);
    }
}

static void unpause(mastra_transfer_t *t)
{
    CURLcode rc;

    if (!t->paused || !t->easy.added) {
        return;
    }
    t->paused = 0;
    t->held = 0;
    mastra_transfer_alive(t);
    mastra_transfer_arm(t);
    rc = mastra_multi_unpause(&t->easy);
    /* what a callback said to the data that curl held back is told here only */
    if (rc != CURLE_OK) {
        mastra_transfer_finish(t, rc);
    }
}

static void chores_cb(void *baton)
{
    mastra_client_t *client = baton;
    int n;

    client->chores_due = 0;
    mastra_loop_doing(client->loop, "transfer");
    /* chores that come while these are done wait for their turn */
    for (n = client->nchores; n && client->nchores; n--) {
        mastra_transfer_t *t = TAILQ_FIRST(&client->chores);
        unsigned chores = take_chores(t);

        if (chores & CHORE_REMOVE) {
            detach(t);
            recycle(t);
        }
        else if (chores & CHORE_ADD) {
            begin(t);
        }
        else {
            unpause(t);
        }
    }
    mastra_multi_go(client->multi);
}

/* ---- the client ---- */

static void finished_cb(mastra_easy_t *easy, CURLcode code)
{
    mastra_transfer_finish((mastra_transfer_t *)easy, code);
}

static void client_free(mastra_client_t *client)
{
    if (client->multi) {
        mastra_multi_free(client->multi);
    }
    if (client->scratch) {
        apr_pool_destroy(client->scratch);
    }
    free(client);
}

/* On the loop thread, when the loop stops. */
static void client_close_cb(void *baton)
{
    mastra_client_t *client = baton;

    client->closing = 1;
    while (!TAILQ_EMPTY(&client->transfers)) {
        mastra_transfer_t *t = TAILQ_FIRST(&client->transfers);

        detach(t);
        recycle(t);
    }
    while (!TAILQ_EMPTY(&client->spare)) {
        mastra_transfer_t *t = TAILQ_FIRST(&client->spare);

        TAILQ_REMOVE(&client->spare, t, link);
        transfer_free(t);
    }
    client_free(client);
}

static mastra_client_t *client_make(mastra_loop_t *loop)
{
    mastra_client_t *client = calloc(1, sizeof(*client));

    if (!client) {
        return NULL;
    }
    client->loop = loop;
    TAILQ_INIT(&client->chores);
    TAILQ_INIT(&client->transfers);
    TAILQ_INIT(&client->spare);
    client->multi = mastra_multi_make(loop, finished_cb);
    /* a pool of the loop thread's own: with an allocator that no lock guards */
    if (!client->multi
        || apr_pool_create_unmanaged(&client->scratch) != APR_SUCCESS) {
        client_free(client);
        return NULL;
    }
    apr_pool_tag(client->scratch, "mastra_client_headers");
    mastra_loop_set_client(loop, client, client_close_cb);
    return client;
}

/* ---- public ---- */

/* httpd reads its configuration twice at start-up, and modules are unloaded
 * between: libcurl and the dozens of libraries that it brings along stay, as
 * binding their symbols takes longer than all else that happens then. */
void mastra_client_keep_loaded(void)
{
    Dl_info curl;
    void *handle;

    if (dladdr((void *)curl_easy_init, &curl)) {
        handle = dlopen(curl.dli_fname,
                        RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
        if (handle) {
            dlclose(handle);
        }
    }
}

apr_status_t mastra_client_global_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
           ? APR_SUCCESS : APR_EGENERAL;
}

apr_status_t mastra_client_send(mastra_transfer_t **ptransfer,
                                mastra_loop_t *loop,
                                const mastra_request_t *request)
{
    mastra_client_t *client = mastra_loop_client(loop);
    mastra_http_request_t *copy;
    mastra_transfer_t *t;
    apr_status_t rv;

    if (!client) {
        client = client_make(loop);
        if (!client) {
            return APR_ENOMEM;
        }
    }
    rv = mastra_http_request_copy(&copy, request);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    t = transfer_make(client);
    if (!t || !mastra_multi_join(client->multi, &t->easy)) {
        if (t) {
            transfer_free(t);
        }
        mastra_http_request_free(copy);
        return APR_ENOMEM;
    }
    if (!copy->ask.max_body) {
        copy->ask.max_body = MAX_BODY;
    }
    if (!copy->ask.connect_timeout) {
        copy->ask.connect_timeout = CONNECT_TIMEOUT;
    }
    if (!copy->ask.idle_timeout) {
        copy->ask.idle_timeout = IDLE_TIMEOUT;
    }
    t->request = copy;
    t->redirects_left = copy->ask.max_redirects;
    if (copy->ask.total_timeout) {
        t->total_at = mastra_loop_now(loop) + copy->ask.total_timeout;
    }
    TAILQ_INSERT_TAIL(&client->transfers, t, link);
    mastra_transfer_arm(t);
    chore(t, CHORE_ADD);
    *ptransfer = t;
    return APR_SUCCESS;
}

void mastra_client_cancel(mastra_transfer_t *t)
{
    if (!mastra_multi_is_busy(t->client->multi) || !t->easy.added) {
        detach(t);
        recycle(t);
        return;
    }
    /* curl is at work, perhaps on this very transfer: it must not touch the
     * body again, which its owner frees now */
    t->dead = 1;
    curl_easy_setopt(t->easy.curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
    if (t->request->ask.body_len <= SMALL_BODY) {
        curl_easy_setopt(t->easy.curl, CURLOPT_POSTFIELDS, "");
    }
    mastra_loop_timer_stop(t->client->loop, &t->timer);
    chore(t, CHORE_REMOVE);
}

void mastra_client_resume(mastra_transfer_t *t)
{
    chore(t, CHORE_RESUME);
}
