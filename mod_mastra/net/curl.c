/* Outgoing HTTP: libcurl's multi interface driven by the loop. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <apr_lib.h>
#include <apr_ring.h>
#include <apr_strings.h>
#include <curl/curl.h>

#include "../base/log.h"
#include "client.h"
#include "internal.h"
#include "curl_request.h"

/* curl's receive buffer, one per live transfer: small, as there are many */
#define RECEIVE_BUFFER 2048L
#define MAX_BODY ((apr_size_t)64 * 1024 * 1024)
#define MAX_HEAD ((apr_size_t)64 * 1024)
#define MAX_HEADERS 200
/* of an answer whose redirect is followed */
#define MAX_REDIRECT_BODY ((apr_size_t)64 * 1024)
#define CONNECT_TIMEOUT apr_time_from_sec(10)
#define IDLE_TIMEOUT apr_time_from_sec(120)
/* idle handles kept for the next transfers, about 12 KiB each */
#define MAX_SPARE 256
/* curl sends bodies up to this size together with the head */
#define SMALL_BODY ((apr_size_t)64 * 1024)

typedef struct client_t client_t;
APR_RING_HEAD(transfer_ring, mastra_transfer_t);

/* A socket of curl's. That of a connection that stands is kept registered
 * while the connection is idle, which saves two system calls per request; curl
 * says when it closes it. It does not for sockets that are still connecting,
 * nor for those of name look-ups: they are forgotten when curl is done. */
typedef struct {
    mastra_watch_t watch;
    client_t *client;
    unsigned wanted;         /* EPOLL… that curl asked for, 0: idle */
    unsigned ours : 1;       /* from on_open */
    unsigned kept : 1;       /* ours and connected */
    unsigned registered : 1;
} sock_t;

struct client_t {
    mastra_loop_t *loop;
    CURLM *multi;
    CURLSH *share;           /* TLS sessions */
    apr_pool_t *scratch;     /* headers while on_response looks at them */
    mastra_timer_t timer;    /* curl's */
    mastra_msg_t chores_msg;
    int chores_due;          /* chores_msg is under way */
    int depth;               /* > 0: inside a call of curl's */
    int closing;
    int live;
    int spares;
    struct transfer_ring chores;    /* transfers with something to do */
    struct transfer_ring todo;      /* those being done */
    struct transfer_ring transfers; /* all that are live */
    struct transfer_ring spare;
    sock_t **socks;          /* by descriptor */
    int socks_size;
};

enum { CHORE_ADD = 1, CHORE_RESUME = 2, CHORE_REMOVE = 4 };

struct mastra_transfer_t {
    APR_RING_ENTRY(mastra_transfer_t) link;       /* transfers or spare */
    APR_RING_ENTRY(mastra_transfer_t) chore_link;
    client_t *client;
    CURL *easy;
    mastra_http_request_t *request;
    char *location;          /* the redirect that will be followed */
    const char *bad;         /* why it must not even start */
    mastra_timer_t timer;
    apr_time_t total_at;     /* 0: no end */
    apr_time_t mark;         /* last sign of life */
    apr_size_t received;
    apr_size_t sent_body;
    apr_size_t head_bytes;
    int head_lines;
    int redirects_left;
    int status;
    unsigned chores : 3;
    unsigned in_multi : 1;
    unsigned dead : 1;       /* cancelled inside a call of curl's */
    unsigned connected : 1;  /* the present connection stands */
    unsigned sent : 1;       /* the request is on its way, or was once */
    unsigned responded : 1;  /* on_response was called */
    unsigned paused : 1;
    unsigned held : 1;       /* paused by on_response: no data was given yet */
    unsigned refused : 1;    /* by the guard */
    unsigned too_large : 1;
    unsigned aborted : 1;
    unsigned timed_out : 1;
    char error[CURL_ERROR_SIZE];
};

static void transfer_finish(mastra_transfer_t *t, CURLcode code);

/* ---- sockets ---- */

static sock_t *sock_find(const client_t *client, curl_socket_t fd)
{
    return fd >= 0 && fd < client->socks_size ? client->socks[fd] : NULL;
}

static void sock_unregister(sock_t *sock)
{
    if (sock->registered) {
        mastra_loop_unwatch(sock->client->loop, &sock->watch);
        sock->registered = 0;
    }
}

static void sock_free(sock_t *sock)
{
    sock_unregister(sock);
    sock->client->socks[sock->watch.fd] = NULL;
    free(sock);
}

static sock_t *sock_make(client_t *client, curl_socket_t fd)
{
    sock_t *sock;

    if (fd >= client->socks_size) {
        int size = client->socks_size ? client->socks_size : 256;
        sock_t **socks;

        while (size <= fd) {
            size *= 2;
        }
        socks = realloc(client->socks, (size_t)size * sizeof(*socks));
        if (!socks) {
            return NULL;
        }
        memset(socks + client->socks_size, 0,
               (size_t)(size - client->socks_size) * sizeof(*socks));
        client->socks = socks;
        client->socks_size = size;
    }
    if (client->socks[fd]) {
        sock_free(client->socks[fd]);
    }
    sock = calloc(1, sizeof(*sock));
    if (sock) {
        sock->client = client;
        sock->watch.fd = fd;
        client->socks[fd] = sock;
    }
    return sock;
}

/* ---- calling curl ---- */

static void reap(client_t *client)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(client->multi, &left)) != NULL) {
        mastra_transfer_t *t = NULL;
        CURLcode code = msg->data.result;

        if (msg->msg == CURLMSG_DONE) {
            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
            transfer_finish(t, code);
        }
    }
}

/* Lets curl work on a socket, or on what is due. */
static void act(client_t *client, curl_socket_t fd, int mask)
{
    int running;

    client->depth++;
    curl_multi_socket_action(client->multi, fd, mask, &running);
    client->depth--;
    reap(client);
}

static void sock_event_cb(void *baton, unsigned events)
{
    sock_t *sock = baton;
    int mask = 0;

    if (!sock->wanted) {
        /* the peer closed an idle connection, or a paused transfer has more:
         * curl finds out when it takes up the connection */
        sock_unregister(sock);
        return;
    }
    mastra_loop_doing(sock->client->loop, "transfer");
    /* an error is met by reading: curl then tells which one it was */
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        mask |= CURL_CSELECT_IN;
    }
    if (events & (EPOLLOUT | EPOLLERR)) {
        mask |= CURL_CSELECT_OUT;
    }
    act(sock->client, sock->watch.fd, mask);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *baton,
                     void *unused)
{
    client_t *client = baton;
    sock_t *sock = sock_find(client, fd);
    mastra_transfer_t *t = NULL;
    apr_status_t rv;

    if (what == CURL_POLL_REMOVE) {
        if (sock && sock->kept) {
            sock->wanted = 0;
        }
        else if (sock) {
            sock_free(sock);
        }
        return 0;
    }
    if (!sock) {
        sock = sock_make(client, fd);
        if (!sock) {
            return -1;
        }
    }
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
    sock->kept |= sock->ours && t && t->connected;
    sock->wanted = (what & CURL_POLL_IN ? EPOLLIN : 0)
                   | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
    if (sock->registered) {
        rv = mastra_loop_rewatch(client->loop, &sock->watch, sock->wanted);
    }
    else {
        sock->watch.events = sock->wanted;
        sock->watch.cb = sock_event_cb;
        sock->watch.baton = sock;
        rv = mastra_loop_watch(client->loop, &sock->watch);
        sock->registered = rv == APR_SUCCESS;
    }
    return rv == APR_SUCCESS ? 0 : -1;
}

static void timer_cb(void *baton)
{
    client_t *client = baton;

    mastra_loop_doing(client->loop, "transfer");
    act(client, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long ms, void *baton)
{
    client_t *client = baton;

    if (ms < 0) {
        mastra_loop_timer_stop(client->loop, &client->timer);
    }
    else {
        mastra_loop_timer_set(client->loop, &client->timer,
                              apr_time_from_msec(ms), timer_cb, client);
    }
    return 0;
}

static curl_socket_t on_open(void *baton, curlsocktype purpose,
                             struct curl_sockaddr *addr)
{
    mastra_transfer_t *t = baton;
    const mastra_http_request_t *request = t->request;
    int fd;

    if (!request->ask.trusted
        && !mastra_guard_permits(request->ask.guard, request->host, request->port,
                                 &addr->addr)) {
        t->refused = 1;
        return CURL_SOCKET_BAD;
    }
    t->connected = 0;
    fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                addr->protocol);
    if (fd >= 0) {
        sock_t *sock = sock_make(t->client, fd);

        if (!sock) {
            close(fd);
            return CURL_SOCKET_BAD;
        }
        sock->ours = 1;
    }
    return fd;
}

static int on_close(void *baton, curl_socket_t fd)
{
    sock_t *sock = sock_find(baton, fd);

    if (sock) {
        sock_free(sock);
    }
    return close(fd);
}

/* ---- time limits ---- */

static void deadline_cb(void *baton);

/* When the transfer has run out of time as things stand; 0: never. Name look-up,
 * connecting and TLS are timed by curl. */
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
static void arm(mastra_transfer_t *t)
{
    mastra_loop_t *loop = t->client->loop;
    apr_time_t at = deadline(t);

    if (at && (!t->timer.slot || at < t->timer.when)) {
        mastra_loop_timer_set(loop, &t->timer, at - mastra_loop_now(loop),
                              deadline_cb, t);
    }
}

static void alive(mastra_transfer_t *t)
{
    t->mark = mastra_loop_now(t->client->loop);
}

static void deadline_cb(void *baton)
{
    mastra_transfer_t *t = baton;
    apr_time_t now = mastra_loop_now(t->client->loop);
    apr_time_t at = deadline(t);

    if (!at || now < at) {
        arm(t);
        return;
    }
    t->timed_out = 1;
    apr_snprintf(t->error, sizeof(t->error), "%s",
                 at == t->total_at ? "the time for the whole call is over"
                 : t->responded ? "the answer fell silent"
                 : "no head of an answer in time");
    transfer_finish(t, CURLE_OPERATION_TIMEDOUT);
}

/* ---- curl's callbacks for one transfer ---- */

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
    t->connected = 1;
    t->sent = 1;
    alive(t);
    arm(t);
    return CURL_PREREQFUNC_OK;
}

static const apr_table_t *read_headers(mastra_transfer_t *t)
{
    apr_pool_t *pool = t->client->scratch;
    apr_table_t *table = apr_table_make(pool, 16);
    struct curl_header *header = NULL;

    while ((header = curl_easy_nextheader(t->easy, CURLH_HEADER, -1, header))) {
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

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 && status != 101) {
        return 1;
    }
    t->status = (int)status;
    if (request->ask.max_redirects && mastra_http_is_redirect(t->status)
        && curl_easy_header(t->easy, "location", 0, CURLH_HEADER, -1,
                            &location) == CURLHE_OK) {
        t->location = strdup(location->value);
        return t->location != NULL;
    }
    t->responded = 1;
    alive(t);
    arm(t);
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
        return t->received > MAX_REDIRECT_BODY ? 0 : len;
    }
    if (t->held) {
        return CURL_WRITEFUNC_PAUSE;
    }
    if (len > request->ask.max_body - t->received) {
        t->too_large = 1;
        return 0;
    }
    alive(t);
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
    alive(t);
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

/* ---- making and ending transfers ---- */

/* What is the same for all transfers: set once per handle. */
static CURLcode set_up(mastra_transfer_t *t)
{
    CURL *easy = t->easy;
    CURLcode rc;

#define SET(option, value) \
    if ((rc = curl_easy_setopt(easy, CURLOPT_##option, value)) != CURLE_OK) { \
        return rc; \
    }
    SET(PRIVATE, t)
    SET(ERRORBUFFER, t->error)
    SET(NOSIGNAL, 1L)
    SET(PROTOCOLS_STR, "http,https")
    SET(PROXY, "")              /* nor one of the environment */
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1)
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2)
    SET(BUFFERSIZE, RECEIVE_BUFFER)
    SET(TCP_KEEPALIVE, 1L)
    SET(QUICK_EXIT, 1L)         /* never wait for a name look-up */
    SET(SHARE, t->client->share)
    SET(OPENSOCKETFUNCTION, on_open)
    SET(OPENSOCKETDATA, t)
    SET(CLOSESOCKETFUNCTION, on_close)
    SET(CLOSESOCKETDATA, t->client)
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
    return CURLE_OK;
}

/* What is of this request alone. */
static CURLcode set_request(mastra_transfer_t *t)
{
    const mastra_http_request_t *request = t->request;
    CURL *easy = t->easy;
    CURLcode rc;
    int small = request->ask.body_len <= SMALL_BODY;

    SET(URL, request->ask.url)
    SET(HTTPHEADER, request->lines)
    SET(CONNECTTIMEOUT_MS, (long)(request->ask.connect_timeout / 1000))
    if (request->has_body) {
        SET(POST, 1L)
        SET(POSTFIELDSIZE_LARGE, (curl_off_t)request->ask.body_len)
        SET(POSTFIELDS, !small ? NULL : request->ask.body ? request->ask.body : "")
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
    curl_easy_cleanup(t->easy);
    free(t);
}

static mastra_transfer_t *transfer_make(client_t *client)
{
    mastra_transfer_t *t;

    if (!APR_RING_EMPTY(&client->spare, mastra_transfer_t, link)) {
        t = APR_RING_FIRST(&client->spare);
        APR_RING_REMOVE(t, link);
        client->spares--;
        return t;
    }
    t = calloc(1, sizeof(*t));
    if (!t) {
        return NULL;
    }
    t->client = client;
    t->easy = curl_easy_init();
    if (!t->easy || set_up(t) != CURLE_OK) {
        transfer_free(t);
        return NULL;
    }
    return t;
}

/* As curl counts the connections in use among those that it keeps, the
 * number of idle ones can only be limited by the sum. */
static void count_live(client_t *client, int change)
{
    client->live += change;
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS,
                      (long)client->live
                      + mastra_loop_max_connects(client->loop));
}

/* Takes the transfer off everything; no callback comes any more. */
static void detach(mastra_transfer_t *t)
{
    client_t *client = t->client;

    if (t->chores) {
        APR_RING_REMOVE(t, chore_link);
        t->chores = 0;
    }
    mastra_loop_timer_stop(client->loop, &t->timer);
    if (t->in_multi) {
        curl_multi_remove_handle(client->multi, t->easy);
        t->in_multi = 0;
    }
}

static void recycle(mastra_transfer_t *t)
{
    client_t *client = t->client;

    APR_RING_REMOVE(t, link);
    count_live(client, -1);
    mastra_http_request_free(t->request);
    free(t->location);
    if (client->closing || client->spares >= MAX_SPARE) {
        transfer_free(t);
        return;
    }
    /* curl would else keep pointers into what is gone */
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(t->easy, CURLOPT_URL, NULL);
    memset((char *)t + APR_OFFSETOF(mastra_transfer_t, request), 0,
           APR_OFFSETOF(mastra_transfer_t, error)
           - APR_OFFSETOF(mastra_transfer_t, request));
    APR_RING_INSERT_HEAD(&client->spare, t, mastra_transfer_t, link);
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
    t->connected = 0;
    t->sent = 0;
    chore(t, CHORE_ADD);
    arm(t);
    return 1;
}

static void transfer_finish(mastra_transfer_t *t, CURLcode code)
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
        && (code == CURLE_OK || t->received > MAX_REDIRECT_BODY)
        && follow(t)) {
        return;
    }
    if (t->sent) {
        curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
        done.reused = !connects;
    }
    done.end = end_of(t, code);
    done.cause = cause_of(t, done.end, code);
    request->ask.on_done(request->ask.baton, &done);
    recycle(t);
}

/* ---- chores: what must not be done inside curl's or a caller's call ---- */

static void chores_cb(void *baton);

static void chore(mastra_transfer_t *t, unsigned what)
{
    client_t *client = t->client;

    if (!t->chores) {
        APR_RING_INSERT_TAIL(&client->chores, t, mastra_transfer_t,
                             chore_link);
    }
    t->chores |= what;
    if (!client->chores_due) {
        client->chores_due = 1;
        client->chores_msg.cb = chores_cb;
        client->chores_msg.baton = client;
        mastra_loop_defer(client->loop, &client->chores_msg);
    }
}

/* Returns 1 when curl has something to begin. */
static int begin(mastra_transfer_t *t)
{
    CURLcode rc;

    t->bad = t->request->bad;
    t->error[0] = '\0';
    rc = t->bad ? CURLE_URL_MALFORMAT : set_request(t);
    if (rc == CURLE_OK
        && curl_multi_add_handle(t->client->multi, t->easy) != CURLM_OK) {
        rc = CURLE_OUT_OF_MEMORY;
    }
    if (rc != CURLE_OK) {
        transfer_finish(t, rc);
        return 0;
    }
    t->in_multi = 1;
    return 1;
}

static void unpause(mastra_transfer_t *t)
{
    CURLcode rc;

    if (!t->paused) {
        return;
    }
    t->paused = 0;
    t->held = 0;
    alive(t);
    arm(t);
    if (!t->in_multi) {
        return;
    }
    t->client->depth++;
    rc = curl_easy_pause(t->easy, CURLPAUSE_CONT);
    t->client->depth--;
    /* what a callback said to the data that curl held back is told here only */
    if (rc != CURLE_OK) {
        transfer_finish(t, rc);
    }
}

static void chores_cb(void *baton)
{
    client_t *client = baton;
    int begun = 0;

    client->chores_due = 0;
    mastra_loop_doing(client->loop, "transfer");
    /* new chores may come while these are done: they wait for their turn */
    APR_RING_CONCAT(&client->todo, &client->chores, mastra_transfer_t,
                    chore_link);
    while (!APR_RING_EMPTY(&client->todo, mastra_transfer_t, chore_link)) {
        mastra_transfer_t *t = APR_RING_FIRST(&client->todo);
        unsigned chores = t->chores;

        APR_RING_REMOVE(t, chore_link);
        t->chores = 0;
        if (chores & CHORE_REMOVE) {
            detach(t);
            recycle(t);
        }
        else if (chores & CHORE_ADD) {
            begun += begin(t);
        }
        else {
            unpause(t);
            begun++;
        }
    }
    if (begun) {
        act(client, CURL_SOCKET_TIMEOUT, 0);
    }
}

/* ---- the client ---- */

static void client_free(client_t *client)
{
    if (client->multi) {
        curl_multi_cleanup(client->multi);
    }
    if (client->share) {
        curl_share_cleanup(client->share);
    }
    if (client->scratch) {
        apr_pool_destroy(client->scratch);
    }
    while (client->socks_size--) {
        free(client->socks[client->socks_size]);
    }
    free(client->socks);
    free(client);
}

/* On the loop thread, when the loop stops. */
static void client_close_cb(void *baton)
{
    client_t *client = baton;

    client->closing = 1;
    while (!APR_RING_EMPTY(&client->transfers, mastra_transfer_t, link)) {
        mastra_transfer_t *t = APR_RING_FIRST(&client->transfers);

        detach(t);
        recycle(t);
    }
    while (!APR_RING_EMPTY(&client->spare, mastra_transfer_t, link)) {
        mastra_transfer_t *t = APR_RING_FIRST(&client->spare);

        APR_RING_REMOVE(t, link);
        transfer_free(t);
    }
    client_free(client);
}

static client_t *client_make(mastra_loop_t *loop)
{
    client_t *client = calloc(1, sizeof(*client));

    if (!client) {
        return NULL;
    }
    client->loop = loop;
    APR_RING_INIT(&client->chores, mastra_transfer_t, chore_link);
    APR_RING_INIT(&client->todo, mastra_transfer_t, chore_link);
    APR_RING_INIT(&client->transfers, mastra_transfer_t, link);
    APR_RING_INIT(&client->spare, mastra_transfer_t, link);
    client->multi = curl_multi_init();
    client->share = curl_share_init();
    /* a pool of the loop thread's own: with an allocator that no lock guards */
    if (!client->multi || !client->share
        || apr_pool_create_unmanaged(&client->scratch) != APR_SUCCESS) {
        client_free(client);
        return NULL;
    }
    apr_pool_tag(client->scratch, "mastra_client_headers");
    curl_share_setopt(client->share, CURLSHOPT_SHARE,
                      CURL_LOCK_DATA_SSL_SESSION);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    mastra_loop_set_client(loop, client, client_close_cb);
    return client;
}

/* ---- public ---- */

apr_status_t mastra_client_global_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
           ? APR_SUCCESS : APR_EGENERAL;
}

apr_status_t mastra_client_send(mastra_transfer_t **ptransfer,
                                mastra_loop_t *loop,
                                const mastra_request_t *request)
{
    client_t *client = mastra_loop_client(loop);
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
    if (!t) {
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
    APR_RING_INSERT_TAIL(&client->transfers, t, mastra_transfer_t, link);
    count_live(client, 1);
    arm(t);
    chore(t, CHORE_ADD);
    *ptransfer = t;
    return APR_SUCCESS;
}

void mastra_client_cancel(mastra_transfer_t *t)
{
    if (!t->client->depth || !t->in_multi) {
        detach(t);
        recycle(t);
        return;
    }
    /* curl is at work, perhaps on this very transfer: it must not touch the
     * body again, which its owner frees now */
    t->dead = 1;
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
    if (t->request->ask.body_len <= SMALL_BODY) {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, "");
    }
    mastra_loop_timer_stop(t->client->loop, &t->timer);
    chore(t, CHORE_REMOVE);
}

void mastra_client_resume(mastra_transfer_t *t)
{
    chore(t, CHORE_RESUME);
}
