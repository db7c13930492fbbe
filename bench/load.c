/* The load client of the benchmarks: one epoll thread, HTTP/1.1 keep-alive,
 * every answer checked to its last byte. It prints one line of JSON.
 *
 *   load [options] http://127.0.0.1:PORT/path
 *
 *   -m rate    CONNS connections ask again as soon as they are answered
 *   -m paced   CONNS streams, opened over the ramp, one answer each, whose
 *              words carry the upstream's clock
 *   -c CONNS  -d SECONDS  -W WARM-UP SECONDS  -n ANSWERS PER CONNECTION
 *   -r RAMP MS  -t LIMIT SECONDS for the whole run
 *   -b BODY (makes it a POST; {{conn}} and {{req}} are replaced by numbers,
 *              in the path, too)
 *   -f json | mastra | openai | workflow: what an answer is: a document, or
 *              which event stream
 *   -w WORDS   a stream must have exactly so many text frames
 *   -x TEXT    a document must contain it
 *   -P PATH -B BODY -X TEXT: asked after each answer, on the same connection;
 *              the two count as one
 *
 * In paced mode "PLATEAU <streams>" on stderr says that all that were opened
 * and did not fail are speaking. */

#define _GNU_SOURCE
#include "answer.h"
#include "hist.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_EVENTS 1024

static const char *const why_names[WHY_COUNT] = {
    [WHY_CONNECT] = "connect", [WHY_CLOSED] = "closed",
    [WHY_TIMEOUT] = "timeout", [WHY_STATUS] = "status", [WHY_HTTP] = "http",
    [WHY_FRAMES] = "frames", [WHY_ORDER] = "order", [WHY_CONTENT] = "content"
};

typedef struct {
    int fd;             /* -1: not open */
    unsigned id;
    int connected;
    int reused;         /* it has carried an answer before */
    unsigned asked;
    int64_t t_open;
    int64_t t_sent;
    int64_t t_word;     /* the clock of the last word */
    buf_t out;
    size_t out_off;
    answer_t answer;
} conn_t;

static struct {
    unsigned conns, per_conn, ramp_ms;
    double secs, warm, limit;
    const char *body;
    const char *second_path, *second_body;
    struct sockaddr_in to;
    char host[64];
    char path[512];
} o = { .conns = 16, .secs = 3, .warm = 0.5, .limit = 60 };

static rules_t rules;
static int ep;
static conn_t *conns;
static unsigned started, alive, speaking, peak, plateau;
static int64_t t_begin, t_count_from, t_count_to, t_limit;
static uint64_t answers, counted, failed, reconnects, bytes, words;
static uint64_t reasons[WHY_COUNT];
static hist_t latency, first_byte, first_word, lag, lag_steady, end;

/* ---------------------------------------------------------- what is counted */

/* Once, when all streams have been opened and those that live are speaking. */
static void notice_plateau(int64_t now)
{
    if (!plateau && started == o.conns && speaking && speaking == alive) {
        plateau = speaking;
        t_count_from = now;
        fprintf(stderr, "PLATEAU %u\n", plateau);
    }
}

static void first_frame_cb(answer_t *a, int64_t now, void *baton)
{
    conn_t *c = baton;

    (void)a;
    hist_add(&first_word, now - c->t_open);
    if (rules.paced) {
        speaking++;
        peak = speaking > peak ? speaking : peak;
        notice_plateau(now);
    }
}

static void word_cb(int64_t clock, int64_t now, void *baton)
{
    ((conn_t *)baton)->t_word = clock;
    words++;
    hist_add(&lag, now - clock);
    if (plateau && clock > t_count_from) {
        hist_add(&lag_steady, now - clock);
    }
}

/* ------------------------------------------------------------ connections */

static void conn_shut(conn_t *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
    c->out.len = c->out_off = 0;
}

static void conn_end(conn_t *c)
{
    if (rules.paced && c->answer.frames) {
        speaking--;
    }
    conn_shut(c);
    answer_free(&c->answer);
    buf_free(&c->out);
    alive--;
}

static void conn_watch(conn_t *c, uint32_t events, int op)
{
    struct epoll_event ev = { .events = events, .data.ptr = c };

    epoll_ctl(ep, op, c->fd, &ev);
}

/* 0 when no connection can be begun. */
static int conn_open(conn_t *c)
{
    int one = 1;

    c->connected = c->reused = 0;
    c->t_open = now_us();
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) {
        return 0;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(c->fd, (struct sockaddr *)&o.to, sizeof(o.to))
        && errno != EINPROGRESS) {
        return 0;
    }
    conn_watch(c, EPOLLOUT, EPOLL_CTL_ADD);
    return 1;
}

/* A template with its numbers put in. */
static void put_filled(const conn_t *c, buf_t *body, const char *p)
{
    const char *q;

    while ((q = strstr(p, "{{")) != NULL) {
        buf_put(body, p, (size_t)(q - p));
        if (strncmp(q, "{{conn}}", 8) == 0) {
            buf_printf(body, "%u", c->id);
            p = q + 8;
        }
        else if (strncmp(q, "{{req}}", 7) == 0) {
            buf_printf(body, "%u", c->asked);
            p = q + 7;
        }
        else {
            buf_put(body, q, 2);
            p = q + 2;
        }
    }
    buf_puts(body, p);
}

static void put_request(conn_t *c)
{
    static buf_t body;
    const char *text = c->answer.second ? o.second_body : o.body;

    c->out.len = c->out_off = 0;
    buf_puts(&c->out, text ? "POST " : "GET ");
    put_filled(c, &c->out, c->answer.second ? o.second_path : o.path);
    buf_printf(&c->out, " HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\n", o.host,
               rules.records ? "*/*"
               : rules.sse ? "text/event-stream" : "application/json");
    if (!text) {
        buf_puts(&c->out, "\r\n");
        return;
    }
    body.len = 0;
    put_filled(c, &body, text);
    buf_printf(&c->out, "Content-Type: application/json\r\n"
               "Content-Length: %zu\r\n\r\n", body.len);
    buf_put(&c->out, body.data, body.len);
}

/* Sends what is left of the request; 0 when the connection broke. */
static int conn_flush(conn_t *c)
{
    ssize_t n;

    while (c->out_off < c->out.len) {
        n = send(c->fd, c->out.data + c->out_off, c->out.len - c->out_off,
                 MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN) {
                conn_watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
                return 1;
            }
            return 0;
        }
        c->out_off += (size_t)n;
    }
    return 1;
}

static int conn_ask(conn_t *c)
{
    put_request(c);
    answer_reset(&c->answer);
    c->t_sent = c->answer.second ? c->t_sent : now_us();
    return conn_flush(c);
}

static void conn_fail(conn_t *c, why_t reason)
{
    if (failed < 3 && reason != WHY_TIMEOUT) {
        fprintf(stderr, "load: %s (connection %u, answer %u): %.*s\n",
                why_names[reason], c->id, c->asked,
                (int)(c->answer.head.len < 300 ? c->answer.head.len : 300),
                c->answer.head.data ? c->answer.head.data : "");
    }
    failed++;
    reasons[reason]++;
    c->asked++;
    c->answer.second = 0;
    if (rules.paced || reason == WHY_CONNECT
        || (o.per_conn && c->asked >= o.per_conn)
        || now_us() >= t_count_to) {
        conn_end(c);
        if (rules.paced && reason != WHY_TIMEOUT) {
            notice_plateau(now_us());
        }
        return;
    }
    conn_shut(c);
    if (!conn_open(c)) {
        conn_end(c);
    }
}

/* A kept connection that the server closes before it has said a word of the
 * answer is no failure: HTTP lets it, and clients ask again. */
static void conn_lost(conn_t *c)
{
    if (c->reused && !c->answer.started && !rules.paced) {
        reconnects++;
        conn_shut(c);
        if (!conn_open(c)) {
            conn_end(c);
        }
        return;
    }
    conn_fail(c, c->connected ? WHY_CLOSED : WHY_CONNECT);
}

/* What is asked after an answer. */
static void conn_next(conn_t *c)
{
    if (c->answer.close_after) {
        conn_shut(c);
        if (!conn_open(c)) {
            conn_end(c);
        }
    }
    else if (!conn_ask(c)) {
        conn_lost(c);
    }
}

static void conn_answered(conn_t *c)
{
    int64_t now = now_us();
    why_t reason;

    if (!answer_is_right(&c->answer, &reason)) {
        conn_fail(c, reason);
        return;
    }
    bytes += c->answer.bytes;
    c->answer.second = o.second_path && !c->answer.second;
    if (c->answer.second) {
        conn_next(c);
        return;
    }
    answers++;
    if (now >= t_count_from && now < t_count_to) {
        counted++;
        hist_add(&latency, now - c->t_sent);
    }
    if (rules.paced) {
        hist_add(&end, now - c->t_word);
    }
    c->asked++;
    c->reused = 1;
    if (rules.paced || now >= t_count_to
        || (o.per_conn && c->asked >= o.per_conn)) {
        conn_end(c);
        return;
    }
    conn_next(c);
}

static void conn_read(conn_t *c)
{
    static char data[256 * 1024];
    int64_t now;
    why_t reason;
    ssize_t n;

    n = recv(c->fd, data, sizeof(data), 0);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        conn_lost(c);
        return;
    }
    now = now_us();
    if (!c->answer.started) {
        hist_add(&first_byte, now - c->t_sent);
    }
    if (answer_feed(&c->answer, data, (size_t)n, now, &reason) < 0) {
        conn_fail(c, reason);
    }
    else if (c->answer.state == ANSWER_DONE) {
        conn_answered(c);
    }
}

static void conn_event(conn_t *c, uint32_t events)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (c->fd < 0) {
        return;
    }
    if (!c->connected) {
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error) {
            conn_fail(c, WHY_CONNECT);
            return;
        }
        c->connected = 1;
        conn_watch(c, EPOLLIN, EPOLL_CTL_MOD);
        if (!conn_ask(c)) {
            conn_lost(c);
        }
        return;
    }
    if (events & EPOLLOUT) {
        conn_watch(c, EPOLLIN, EPOLL_CTL_MOD);
        if (!conn_flush(c)) {
            conn_lost(c);
            return;
        }
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        conn_read(c);
    }
}

/* ---------------------------------------------------------------- the run */

/* Opens those whose time in the ramp has come, few at a time: those that are
 * open must be read meanwhile. */
static void start_due(int64_t now)
{
    uint64_t due = o.conns;
    unsigned burst = 0;
    conn_t *c;

    if (o.ramp_ms) {
        due = (uint64_t)(now - t_begin) * o.conns
              / ((uint64_t)o.ramp_ms * 1000) + 1;
        due = due < o.conns ? due : o.conns;
    }
    while (started < due && burst++ < 64) {
        c = &conns[started];
        c->id = started++;
        c->answer.rules = &rules;
        c->answer.baton = c;
        alive++;
        if (!conn_open(c)) {
            conn_fail(c, WHY_CONNECT);
        }
    }
}

static void give_up(void)
{
    unsigned i;

    for (i = 0; i < started; i++) {
        if (conns[i].fd >= 0) {
            conn_fail(&conns[i], WHY_TIMEOUT);
        }
    }
}

static void run(void)
{
    struct epoll_event events[MAX_EVENTS];
    int64_t now;
    int n, i;

    while (started < o.conns || alive) {
        now = now_us();
        if (now >= t_limit) {
            t_count_to = t_count_to < now ? t_count_to : now;
            give_up();
            return;
        }
        start_due(now);
        n = epoll_wait(ep, events, MAX_EVENTS, started < o.conns ? 1 : 100);
        for (i = 0; i < n; i++) {
            conn_event(events[i].data.ptr, events[i].events);
        }
    }
}

static void report(void)
{
    int64_t now = now_us();
    double span = (double)((now < t_count_to ? now : t_count_to)
                           - t_count_from) / 1e6;
    int i;

    printf("{\"conns\":%u,\"seconds\":%.3f,\"answers\":%llu,\"failed\":%llu,"
           "\"reconnects\":%llu,\"bytes\":%llu", o.conns,
           (double)(now - t_begin) / 1e6, (unsigned long long)answers,
           (unsigned long long)(failed + (o.conns - started)),
           (unsigned long long)reconnects, (unsigned long long)bytes);
    if (rules.paced) {
        printf(",\"peak\":%u,\"words\":%llu", peak,
               (unsigned long long)words);
        hist_print("first", &first_word);
        hist_print("lag", &lag);
        hist_print("lag_steady", &lag_steady);
        hist_print("end", &end);
    }
    else {
        printf(",\"rate\":%.1f", span > 0 ? (double)counted / span : 0.0);
        hist_print("latency", &latency);
        hist_print("first_byte", &first_byte);
    }
    printf(",\"why\":{");
    for (i = 0; i < WHY_COUNT; i++) {
        printf("%s\"%s\":%llu", i ? "," : "", why_names[i],
               (unsigned long long)reasons[i]);
    }
    printf("}}\n");
}

static void use_format(const char *name)
{
    rules.sse = strcmp(name, "json") != 0;
    rules.records = strcmp(name, "workflow") == 0;
    if (rules.records) {
        rules.frame = rules.key = "\"output\":{\"word\":\"";
    }
    else if (strcmp(name, "mastra") == 0) {
        rules.frame = "\"type\":\"text-delta\"";
        rules.key = "\"text\":\"";
    }
    else {
        rules.frame = "\"delta\":{\"content\":\"";
        rules.key = "\"content\":\"";
    }
}

static int read_url(const char *url)
{
    int port;

    if (sscanf(url, "http://%63[0-9.]:%d%511s", o.host, &port, o.path) != 3) {
        return 0;
    }
    o.to.sin_family = AF_INET;
    o.to.sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, o.host, &o.to.sin_addr) == 1;
}

int main(int argc, char **argv)
{
    int opt;

    while ((opt = getopt(argc, argv, "m:c:d:W:n:r:t:b:f:w:x:P:B:X:")) > 0) {
        switch (opt) {
        case 'm': rules.paced = strcmp(optarg, "paced") == 0; break;
        case 'c': o.conns = (unsigned)atoi(optarg); break;
        case 'd': o.secs = atof(optarg); break;
        case 'W': o.warm = atof(optarg); break;
        case 'n': o.per_conn = (unsigned)atoi(optarg); break;
        case 'r': o.ramp_ms = (unsigned)atoi(optarg); break;
        case 't': o.limit = atof(optarg); break;
        case 'b': o.body = optarg; break;
        case 'f': use_format(optarg); break;
        case 'w': rules.words = (unsigned)atoi(optarg); break;
        case 'x': rules.expect = optarg; break;
        case 'P': o.second_path = optarg; break;
        case 'B': o.second_body = optarg; break;
        case 'X': rules.expect_second = optarg; break;
        default: return 2;
        }
    }
    if (optind + 1 != argc || !read_url(argv[optind]) || !o.conns) {
        fprintf(stderr, "usage: load [options] http://ADDRESS:PORT/path\n");
        return 2;
    }
    rules.first_cb = first_frame_cb;
    rules.word_cb = word_cb;
    raise_nofile();
    ep = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc(o.conns, sizeof(*conns));
    if (ep < 0 || !conns) {
        die("load");
    }
    t_begin = now_us();
    t_limit = t_begin + (int64_t)(o.limit * 1e6);
    t_count_from = t_begin + (rules.paced ? 0 : (int64_t)(o.warm * 1e6));
    t_count_to = rules.paced || o.per_conn
                 ? t_limit : t_count_from + (int64_t)(o.secs * 1e6);
    run();
    report();
    return 0;
}
