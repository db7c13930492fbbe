/* The model server of the benchmarks: OpenAI-compatible chat completions over
 * HTTP/1.1 on one epoll thread, cheap enough never to be what is measured.
 *
 * The last user message decides what it does:
 *   PACE n=60 ms=1000   streams 60 words, one a second; each is
 *                       "<index>:<clock in microseconds> "; not streaming, it
 *                       answers after n * ms
 *   anything else       answers "Echo: <message>" at once, word by word when
 *                       streaming
 *
 * Usage: upstream PORT
 * GET /stats tells what is going on, GET /health that it is up. */

#define _GNU_SOURCE
#include "chat.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_HEAD   (64 * 1024)
#define MAX_BODY   (16 * 1024 * 1024)
#define MAX_UNSENT (1024 * 1024)  /* a reader this late gets no new words */
#define WHEEL      32768          /* slots of a millisecond */
#define MAX_EVENTS 512

typedef struct conn_t conn_t;
struct conn_t {
    int fd;
    int wants_out;      /* EPOLLOUT is on */
    int busy;           /* an answer is not yet complete */
    int close_after;
    buf_t in;
    buf_t out;
    size_t out_off;
    conn_t *next;       /* the wheel's slot list */
    conn_t **pprev;
    int streaming;      /* a paced answer: its parameters and position */
    int usage_chunk;
    unsigned words;
    unsigned sent;
    unsigned interval;
    unsigned long id;
    buf_t text;         /* what a delayed, not streamed answer will say */
    char model[64];
};

static conn_t *wheel[WHEEL];
static unsigned long timers;
static int64_t wheel_ms;  /* slots up to here have been run */
static int ep;
static unsigned long requests, opened, closed, active, peak, cut, words_out;
static volatile sig_atomic_t stopped;

/* ---------------------------------------------------------------- timers */

static void timer_drop(conn_t *c)
{
    if (c->pprev) {
        *c->pprev = c->next;
        if (c->next) {
            c->next->pprev = c->pprev;
        }
        c->pprev = NULL;
        timers--;
    }
}

static void timer_set(conn_t *c, int64_t at_ms)
{
    conn_t **slot;

    if (at_ms <= wheel_ms) {
        at_ms = wheel_ms + 1;
    }
    if (at_ms >= wheel_ms + WHEEL) {
        at_ms = wheel_ms + WHEEL - 1;
    }
    slot = &wheel[at_ms % WHEEL];
    c->next = *slot;
    c->pprev = slot;
    if (c->next) {
        c->next->pprev = &c->next;
    }
    *slot = c;
    timers++;
}

/* How long epoll may sleep: to the next slot in use, looking a little ahead. */
static int timer_wait(void)
{
    int64_t now = now_us() / 1000, at;

    if (!timers) {
        return -1;
    }
    for (at = wheel_ms + 1; at < wheel_ms + 100; at++) {
        if (wheel[at % WHEEL]) {
            break;
        }
    }
    return at > now ? (int)(at - now) : 0;
}

/* ------------------------------------------------------------ connections */

static void conn_close(conn_t *c)
{
    if (c->busy) {
        active--;
        cut++;
    }
    timer_drop(c);
    close(c->fd);
    closed++;
    buf_free(&c->in);
    buf_free(&c->out);
    buf_free(&c->text);
    free(c);
}

static void conn_want_out(conn_t *c, int on)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = c };

    if (c->wants_out != on) {
        c->wants_out = on;
        if (on) {
            ev.events |= EPOLLOUT;
        }
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
    }
}

/* Sends what there is; 0 when the connection broke. */
static int conn_flush(conn_t *c)
{
    ssize_t n;

    while (c->out_off < c->out.len) {
        n = send(c->fd, c->out.data + c->out_off, c->out.len - c->out_off,
                 MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN) {
                return 0;
            }
            conn_want_out(c, 1);
            return 1;
        }
        c->out_off += (size_t)n;
    }
    c->out.len = c->out_off = 0;
    conn_want_out(c, 0);
    return 1;
}

static void answer_json(conn_t *c, int status, const char *body, size_t len)
{
    buf_printf(&c->out, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n\r\n", status,
               status == 200 ? "OK" : "Error", len);
    buf_put(&c->out, body, len);
}

static void answer_error(conn_t *c, int status, const char *message)
{
    char body[256];
    int n = snprintf(body, sizeof(body), "{\"error\":{\"message\":\"%s\","
                     "\"type\":\"invalid_request_error\"}}", message);

    answer_json(c, status, body, (size_t)n);
}

static void answer_stats(conn_t *c)
{
    char body[256];
    int n = snprintf(body, sizeof(body), "{\"requests\":%lu,\"active\":%lu,"
                     "\"peak\":%lu,\"cut\":%lu,\"words\":%lu,"
                     "\"connections\":%lu}", requests, active, peak, cut,
                     words_out, opened - closed);

    answer_json(c, 200, body, (size_t)n);
}

/* ---------------------------------------------------------- chat answers */

/* One event in a chunk of its own. A word may be long, so the length is
 * written last into room left for it. */
static void put_event(conn_t *c, const char *delta, const char *text,
                      size_t len, const char *rest)
{
    static const char room[] = "00000000\r\n";
    size_t at = c->out.len, size;
    char hex[9];

    buf_put(&c->out, room, sizeof(room) - 1);
    buf_printf(&c->out, "data: {\"id\":\"chatcmpl-%lu\",\"object\":"
               "\"chat.completion.chunk\",\"created\":1700000000,"
               "\"model\":\"%s\",\"choices\":[", c->id, c->model);
    buf_puts(&c->out, delta);
    buf_put(&c->out, text, len);
    buf_puts(&c->out, rest);
    buf_puts(&c->out, "\n\n");
    size = c->out.len - at - (sizeof(room) - 1);
    buf_puts(&c->out, "\r\n");
    snprintf(hex, sizeof(hex), "%08zx", size);
    memcpy(c->out.data + at, hex, 8);
}

static void put_word(conn_t *c, const char *text, size_t len)
{
    put_event(c, "{\"index\":0,\"delta\":{\"content\":\"", text, len,
              "\"},\"finish_reason\":null}]}");
    words_out++;
}

static void put_stream_head(conn_t *c)
{
    buf_puts(&c->out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
             "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n");
    put_event(c, "{\"index\":0,\"delta\":{\"role\":\"assistant\","
              "\"content\":\"\"},\"finish_reason\":null}]}", "", 0, "");
}

#define USAGE "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5," \
              "\"total_tokens\":15}"

static void put_stream_tail(conn_t *c)
{
    static const char finish[] =
        "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]";

    if (c->usage_chunk) {
        put_event(c, finish, "}", 1, "");
        put_event(c, "]," USAGE, "}", 1, "");
    }
    else {
        put_event(c, finish, "," USAGE "}", strlen("," USAGE "}"), "");
    }
    buf_puts(&c->out, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
}

static void put_echo_stream(conn_t *c, const buf_t *user)
{
    const char *p = user->data, *end = p + user->len, *q;

    put_stream_head(c);
    put_word(c, "Echo: ", 6);
    for (; p < end; p = q) {
        for (q = p; q < end && *q != ' '; q++) {
        }
        for (; q < end && *q == ' '; q++) {
        }
        put_word(c, p, (size_t)(q - p));
    }
    put_stream_tail(c);
}

static void put_echo_json(conn_t *c, const buf_t *user)
{
    buf_t body = { NULL, 0, 0 };

    buf_printf(&body, "{\"id\":\"chatcmpl-%lu\",\"object\":"
               "\"chat.completion\",\"created\":1700000000,\"model\":\"%s\","
               "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
               "\"content\":\"Echo: ", c->id, c->model);
    buf_put(&body, user->data, user->len);
    buf_puts(&body, "\"},\"finish_reason\":\"stop\"}]," USAGE "}");
    answer_json(c, 200, body.data, body.len);
    buf_free(&body);
}

static void chat_end(conn_t *c)
{
    c->busy = 0;
    active--;
}

static void put_clock_word(conn_t *c)
{
    char word[48];
    int n = snprintf(word, sizeof(word), "%u:%lld ", c->sent++,
                     (long long)now_us());

    put_word(c, word, (size_t)n);
}

/* The second word comes after a random part of the interval, so that streams
 * which were opened together do not speak together. */
static void pace_start(conn_t *c, const buf_t *user)
{
    int64_t now = now_us() / 1000;

    if (!c->streaming) {
        c->text.len = 0;
        buf_put(&c->text, user->data, user->len);
        timer_set(c, now + (int64_t)c->words * c->interval);
        return;
    }
    put_stream_head(c);
    put_clock_word(c);
    timer_set(c, now + 1 + rand() % (int)c->interval);
}

/* The connection's time has come; 0 when it broke. */
static int pace_step(conn_t *c)
{
    if (!c->streaming) {
        put_echo_json(c, &c->text);
        chat_end(c);
    }
    else {
        if (c->sent < c->words && c->out.len - c->out_off < MAX_UNSENT) {
            put_clock_word(c);
        }
        if (c->sent < c->words) {
            timer_set(c, wheel_ms + c->interval);
        }
        else {
            put_stream_tail(c);
            chat_end(c);
        }
    }
    return conn_flush(c);
}

static unsigned parameter(const buf_t *text, const char *name, unsigned least,
                          unsigned most)
{
    const char *p = memmem(text->data, text->len, name, strlen(name));
    unsigned long value = 0;

    if (p) {
        for (p += strlen(name); p < text->data + text->len && *p >= '0'
                                && *p <= '9' && value <= most; p++) {
            value = value * 10 + (unsigned long)(*p - '0');
        }
    }
    return value < least ? least : value > most ? most : (unsigned)value;
}

static void serve_chat(conn_t *c, const char *body, size_t len)
{
    static chat_t chat;  /* its buffer is kept between requests */

    chat.model = (slice_t){ "none", 4 };
    chat.stream = chat.usage_chunk = 0;
    chat.user.len = 0;
    if (!chat_read(body, len, &chat)) {
        answer_error(c, 400, "the body is not a JSON object");
        return;
    }
    c->id = ++requests;
    c->streaming = chat.stream;
    c->usage_chunk = chat.usage_chunk;
    snprintf(c->model, sizeof(c->model), "%.*s", (int)chat.model.len,
             chat.model.p);
    c->busy = 1;
    active++;
    if (active > peak) {
        peak = active;
    }
    if (chat.user.len >= 5 && memcmp(chat.user.data, "PACE ", 5) == 0) {
        c->sent = 0;
        c->words = parameter(&chat.user, "n=", 1, 1000000);
        c->interval = parameter(&chat.user, "ms=", 1, WHEEL - 2);
        pace_start(c, &chat.user);
        return;
    }
    if (chat.stream) {
        put_echo_stream(c, &chat.user);
    }
    else {
        put_echo_json(c, &chat.user);
    }
    chat_end(c);
}

/* ------------------------------------------------------------------- HTTP */

/* The value of a request header, or an empty slice. */
static slice_t header(const char *head, size_t len, const char *name)
{
    const char *p = head, *end = head + len, *eol;
    size_t n = strlen(name);

    while ((eol = memmem(p, (size_t)(end - p), "\r\n", 2)) != NULL) {
        if ((size_t)(eol - p) > n && p[n] == ':'
            && strncasecmp(p, name, n) == 0) {
            p = skip_space(p + n + 1, eol);
            return (slice_t){ p, (size_t)(eol - p) };
        }
        p = eol + 2;
    }
    return (slice_t){ NULL, 0 };
}

static void serve(conn_t *c, const char *head, const char *body, size_t len)
{
    static const char chat[] = "/chat/completions ";
    const char *eol = strchr(head, '\r');

    if (strncmp(head, "POST ", 5) == 0
        && memmem(head, (size_t)(eol - head), chat, sizeof(chat) - 1)) {
        serve_chat(c, body, len);
    }
    else if (strncmp(head, "GET /stats ", 11) == 0) {
        answer_stats(c);
    }
    else if (strncmp(head, "GET /health ", 12) == 0) {
        answer_json(c, 200, "{\"ok\":true}", 11);
    }
    else {
        answer_error(c, 404, "no such path");
    }
}

/* Serves what has come in whole, one after the other; 0 to close. */
static int conn_requests(conn_t *c)
{
    const char *end;
    size_t head, body;
    slice_t value;

    while (!c->busy && c->in.len) {
        end = memmem(c->in.data, c->in.len, "\r\n\r\n", 4);
        if (!end) {
            return c->in.len < MAX_HEAD;
        }
        head = (size_t)(end - c->in.data) + 4;
        value = header(c->in.data, head, "Content-Length");
        body = value.len ? strtoul(value.p, NULL, 10) : 0;
        if (body > MAX_BODY
            || header(c->in.data, head, "Transfer-Encoding").len) {
            answer_error(c, 411, "send a Content-Length within the limit");
            (void)conn_flush(c);
            return 0;
        }
        if (c->in.len < head + body) {
            value = header(c->in.data, head, "Expect");
            if (value.len && c->in.len == head) {
                buf_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
                return conn_flush(c);
            }
            return 1;
        }
        value = header(c->in.data, head, "Connection");
        c->close_after = value.len == 5 && strncasecmp(value.p, "close", 5)
                         == 0;
        serve(c, c->in.data, c->in.data + head, body);
        buf_shift(&c->in, head + body);
        if (!conn_flush(c)) {
            return 0;
        }
    }
    return 1;
}

/* Ends a connection that was to be closed after its answer; 0 to close. */
static int conn_goes_on(conn_t *c)
{
    if (c->busy || c->out.len) {
        return 1;
    }
    if (!c->in.len) {
        buf_free(&c->in);  /* thousands may be waiting */
    }
    return !c->close_after;
}

static int conn_read(conn_t *c)
{
    ssize_t n;

    buf_reserve(&c->in, 4096);
    n = recv(c->fd, c->in.data + c->in.len, c->in.cap - c->in.len, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        return 0;
    }
    if (n > 0) {
        c->in.len += (size_t)n;
        if (c->in.len > MAX_BODY + MAX_HEAD) {
            return 0;
        }
        return conn_requests(c);
    }
    return 1;
}

static void conn_event(conn_t *c, uint32_t events)
{
    int ok = 1;

    if (events & EPOLLOUT) {
        ok = conn_flush(c);
    }
    if (ok && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
        ok = conn_read(c);
    }
    if (!ok || !conn_goes_on(c)) {
        conn_close(c);
    }
}

static void accept_all(int listener)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP };
    int one = 1, fd;
    conn_t *c;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        c = calloc(1, sizeof(*c));
        if (!c) {
            die("calloc");
        }
        c->fd = fd;
        opened++;
        ev.data.ptr = c;
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    }
}

static void run_timers(void)
{
    int64_t now = now_us() / 1000;
    conn_t *c;

    while (wheel_ms < now) {
        wheel_ms++;
        while ((c = wheel[wheel_ms % WHEEL]) != NULL) {
            timer_drop(c);
            if (!pace_step(c) || !conn_requests(c) || !conn_goes_on(c)) {
                conn_close(c);
            }
        }
    }
}

static int listen_on(int port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 4096)) {
        die("upstream: cannot listen");
    }
    return fd;
}

static void stop_cb(int sig)
{
    (void)sig;
    stopped = 1;
}

int main(int argc, char **argv)
{
    struct epoll_event ev = { .events = EPOLLIN }, events[MAX_EVENTS];
    int listener, n, i;

    if (argc != 2) {
        fprintf(stderr, "usage: upstream PORT\n");
        return 2;
    }
    raise_nofile();
    signal(SIGTERM, stop_cb);
    signal(SIGINT, stop_cb);
    listener = listen_on(atoi(argv[1]));
    ep = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
    wheel_ms = now_us() / 1000;
    while (!stopped) {
        n = epoll_wait(ep, events, MAX_EVENTS, timer_wait());
        if (!timers) {
            wheel_ms = now_us() / 1000;
        }
        for (i = 0; i < n; i++) {
            if (events[i].data.ptr) {
                conn_event(events[i].data.ptr, events[i].events);
            }
            else {
                accept_all(listener);
            }
        }
        /* last, for it closes connections that an event may stand for */
        run_timers();
    }
    return 0;
}
