/* What curl and the clock tell about a transfer that is under way. */

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "curl_transfer.h"
#include "internal.h"

/* curl's receive buffer, one per live transfer: small, as there are many */
#define RECEIVE_BUFFER 2048L
#define MAX_HEAD ((apr_size_t)64 * 1024)
#define MAX_HEADERS 200

/* ---- time limits ---- */

static void deadline_cb(void *baton);

/* When the transfer has run out of time as things stand; 0: never. Name
 * look-up, connecting and TLS are timed by curl. */
static apr_time_t deadline(const mastra_transfer_t *t)
{
    const mastra_http_request_t *request = t->request;
    apr_time_t at = 0;

    if (t->sent && !t->paused) {
        if (t->responded) {
            at = t->mark + request->ask.idle_timeout;
        }
        else if (request->ask.first_byte_timeout) {
            at = t->mark + request->ask.first_byte_timeout;
        }
    }
    if (t->total_at && (!at || t->total_at < at)) {
        at = t->total_at;
    }
    return at;
}

/* The timer is only ever moved to an earlier time; when it fires too early it
 * is set again. So data that comes costs no timer operation. */
void mastra_transfer_arm(mastra_transfer_t *t)
{
    mastra_loop_t *loop = t->client->loop;
    apr_time_t at = deadline(t);

    if (at && (!t->timer.slot || at < t->timer.when)) {
        mastra_loop_timer_set(loop, &t->timer, at - mastra_loop_now(loop),
                              deadline_cb, t);
    }
}

void mastra_transfer_alive(mastra_transfer_t *t)
{
    t->mark = mastra_loop_now(t->client->loop);
}

static void deadline_cb(void *baton)
{
    mastra_transfer_t *t = baton;
    apr_time_t now = mastra_loop_now(t->client->loop);
    apr_time_t at = deadline(t);

    if (!at || now < at) {
        mastra_transfer_arm(t);
        return;
    }
    t->timed_out = 1;
    apr_snprintf(t->error, sizeof(t->error), "%s",
                 at == t->total_at ? "the time for the whole call is over"
                 : t->responded ? "the answer fell silent"
                 : "no head of an answer in time");
    mastra_transfer_finish(t, CURLE_OPERATION_TIMEDOUT);
}

/* ---- curl's callbacks ---- */

static curl_socket_t on_open(void *baton, curlsocktype purpose,
                             struct curl_sockaddr *addr)
{
    mastra_transfer_t *t = baton;
    const mastra_http_request_t *request = t->request;

    if (!request->ask.trusted
        && !mastra_guard_permits(request->ask.guard, request->host,
                                 request->port, &addr->addr)) {
        t->refused = 1;
        return CURL_SOCKET_BAD;
    }
    return mastra_multi_open(t->client->multi, &t->easy, addr);
}

/* The connection stands. Connections are shared by all requests of the child,
 * so the address is checked here too when one is taken up again. */
static int on_connected(void *baton, char *ip, char *local_ip, int port,
                        int local_port)
{
    mastra_transfer_t *t = baton;
    const mastra_http_request_t *request = t->request;

    if (t->dead) {
        return CURL_PREREQFUNC_ABORT;
    }
    if (!request->ask.trusted
        && !mastra_guard_permits_text(request->ask.guard, request->host,
                                      request->port, ip)) {
        t->refused = 1;
        return CURL_PREREQFUNC_ABORT;
    }
    t->refused = 0;         /* another address of the name was permitted */
    t->easy.connected = 1;
    t->sent = 1;
    mastra_transfer_alive(t);
    mastra_transfer_arm(t);
    return CURL_PREREQFUNC_OK;
}

static const apr_table_t *read_headers(mastra_transfer_t *t)
{
    apr_pool_t *pool = t->client->scratch;
    apr_table_t *table = apr_table_make(pool, 16);
    CURL *curl = t->easy.curl;
    struct curl_header *header = NULL;

    while ((header = curl_easy_nextheader(curl, CURLH_HEADER, -1, header))) {
        char *name = apr_pstrdup(pool, header->name);
        char *p;

        for (p = name; *p; p++) {
            *p = apr_tolower(*p);
        }
        /* curl 7.88 leaves the CR of an empty one */
        apr_table_addn(table, name,
                       header->value[0] == '\r' ? "" : header->value);
    }
    return table;
}

/* Returns 0 to end the transfer. */
static int head_is_complete(mastra_transfer_t *t)
{
    const mastra_http_request_t *request = t->request;
    mastra_transfer_verdict_e verdict = MASTRA_TRANSFER_GO;
    struct curl_header *location;
    long status = 0;

    curl_easy_getinfo(t->easy.curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 && status != 101) {
        return 1;
    }
    t->status = (int)status;
    if (request->ask.max_redirects && mastra_http_is_redirect(t->status)
        && curl_easy_header(t->easy.curl, "location", 0, CURLH_HEADER, -1,
                            &location) == CURLHE_OK) {
        t->location = strdup(location->value);
        return t->location != NULL;
    }
    t->responded = 1;
    mastra_transfer_alive(t);
    mastra_transfer_arm(t);
    if (request->ask.on_response) {
        verdict = request->ask.on_response(request->ask.baton, t->status,
                                       read_headers(t));
        apr_pool_clear(t->client->scratch);
    }
    t->aborted = verdict == MASTRA_TRANSFER_ABORT;
    t->paused = t->held = verdict == MASTRA_TRANSFER_PAUSE;
    return !t->aborted;
}

static size_t on_header(char *data, size_t size, size_t n, void *baton)
{
    mastra_transfer_t *t = baton;
    size_t len = size * n;

    if (t->dead || t->aborted) {
        return 0;
    }
    t->head_bytes += len;
    if (t->head_bytes > MAX_HEAD || ++t->head_lines > MAX_HEADERS) {
        t->too_large = 1;
        return 0;
    }
    /* after the answer began these are trailers */
    if (t->responded || t->location || (data[0] != '\r' && data[0] != '\n')) {
        return len;
    }
    return head_is_complete(t) ? len : 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *baton)
{
    mastra_transfer_t *t = baton;
    const mastra_http_request_t *request = t->request;
    size_t len = size * n;

    if (t->dead || t->aborted) {
        return 0;
    }
    if (t->location) {
        t->received += len;
        return t->received > MASTRA_MAX_REDIRECT_BODY ? 0 : len;
    }
    if (t->held) {
        return CURL_WRITEFUNC_PAUSE;
    }
    if (len > request->ask.max_body - t->received) {
        t->too_large = 1;
        return 0;
    }
    mastra_transfer_alive(t);
    mastra_loop_doing(t->client->loop, "transfer");
    switch (request->ask.on_data
            ? request->ask.on_data(request->ask.baton, data, len)
            : MASTRA_TRANSFER_GO) {
    case MASTRA_TRANSFER_GO:
        t->received += len;
        return len;
    case MASTRA_TRANSFER_PAUSE:
        t->paused = 1;
        return CURL_WRITEFUNC_PAUSE;
    default:
        t->aborted = 1;
        return 0;
    }
}

/* Only for bodies that are not small. */
static size_t on_read(char *to, size_t size, size_t n, void *baton)
{
    mastra_transfer_t *t = baton;
    const mastra_http_request_t *request = t->request;
    size_t len = size * n;

    if (t->dead) {
        return CURL_READFUNC_ABORT;
    }
    if (len > request->ask.body_len - t->sent_body) {
        len = request->ask.body_len - t->sent_body;
    }
    memcpy(to, request->ask.body + t->sent_body, len);
    t->sent_body += len;
    mastra_transfer_alive(t);
    return len;
}

/* For a request that is sent again over another connection. */
static int on_seek(void *baton, curl_off_t offset, int origin)
{
    mastra_transfer_t *t = baton;

    if (t->dead || origin != SEEK_SET || offset < 0
        || (apr_size_t)offset > t->request->ask.body_len) {
        return CURL_SEEKFUNC_FAIL;
    }
    t->sent_body = (apr_size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- options ---- */

CURLcode mastra_transfer_set_up(mastra_transfer_t *t)
{
    CURL *easy = t->easy.curl;
    CURLcode rc;

#define SET(option, value) \
    if ((rc = curl_easy_setopt(easy, CURLOPT_##option, value)) != CURLE_OK) { \
        return rc; \
    }
    SET(PRIVATE, &t->easy)
    SET(ERRORBUFFER, t->error)
    SET(NOSIGNAL, 1L)
    SET(PROTOCOLS_STR, "http,https")
    SET(PROXY, "")              /* nor one of the environment */
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1)
    /* asked for as it is: some compress all the same, and this has curl undo it */
    SET(ACCEPT_ENCODING, "identity")
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2)
    SET(BUFFERSIZE, RECEIVE_BUFFER)
    SET(TCP_KEEPALIVE, 1L)
    SET(QUICK_EXIT, 1L)         /* never wait for a name look-up */
    SET(OPENSOCKETFUNCTION, on_open)
    SET(OPENSOCKETDATA, t)
    SET(PREREQFUNCTION, on_connected)
    SET(PREREQDATA, t)
    SET(HEADERFUNCTION, on_header)
    SET(HEADERDATA, t)
    SET(WRITEFUNCTION, on_body)
    SET(WRITEDATA, t)
    SET(READFUNCTION, on_read)
    SET(READDATA, t)
    SET(SEEKFUNCTION, on_seek)
    SET(SEEKDATA, t)
#undef SET
    return mastra_multi_set_up(t->client->multi, easy);
}
