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
 *   -b BODY (makes it a POST; {{conn}} and {{req}} are replaced by numbers)
 *   -f json | mastra | openai: what an answer is: a document, or which server's
 *              event stream
 *   -w WORDS   a stream must have exactly so many text frames
 *   -x TEXT    a document must contain it
 *
 * In paced mode "PLATEAU" on stderr says that all streams are speaking. */

#define _GNU_SOURCE
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_HEAD   (32 * 1024)
#define MAX_LINE   (8 * 1024 * 1024)
#define MAX_EVENTS 1024
#define HIST_SLOTS 4096

/* Counts per value, exact below 128 and within 1 % above. */
typedef struct {
    uint64_t slots[HIST_SLOTS];
    uint64_t count;
    uint64_t max;
} hist_t;

typedef enum {
    WHY_CONNECT, WHY_CLOSED, WHY_STATUS, WHY_HTTP, WHY_FRAMES, WHY_ORDER,
    WHY_CONTENT, WHY_TIMEOUT, WHY_COUNT
} why_t;

static const char *const why_names[WHY_COUNT] = {
    "connect", "closed", "status", "http", "frames", "order", "content",
    "timeout"
};

typedef enum {
    ANSWER_HEAD, ANSWER_LENGTH, ANSWER_CHUNK_SIZE, ANSWER_CHUNK_DATA,
    ANSWER_CHUNK_END, ANSWER_TRAILER, ANSWER_DONE
} answer_t;

typedef struct {
    int fd;             /* -1: not open */
    unsigned id;
    int connected;
    int reused;         /* it has carried an answer before */
    unsigned asked;
    int64_t t_open;
    int64_t t_sent;
    buf_t out;
    size_t out_off;
    answer_t state;     /* of the answer being read */
    int started;        /* a byte of it has come */
    buf_t head;         /* its head, or an incomplete chunk size line */
    uint64_t left;      /* body or chunk bytes to come */
    int close_after;
    buf_t line;         /* an incomplete line of it, or the document */
    unsigned frames;    /* text frames */
    unsigned next;      /* the word expected next */
    int done_line;
} conn_t;

static struct {
    int paced;
    unsigned conns, per_conn, ramp_ms, words;
    double secs, warm, limit;
    const char *body, *expect;
    int sse;
    const char *frame, *key;  /* what marks a text frame, and its text */
    struct sockaddr_in to;
    char host[64];
    char path[512];
} o = { .conns = 16, .secs = 3, .warm = 0.5, .limit = 60, .words = 0 };

static int ep;
static conn_t *conns;
static unsigned started, alive, speaking, peak, finished;
static int64_t t_begin, t_count_from, t_count_to, t_limit;
static uint64_t answers, counted, failed, reconnects, bytes, words;
static uint64_t why[WHY_COUNT];
static hist_t latency, first_byte, first_word, lag, lag_steady;

/* ------------------------------------------------------------- histograms */

static void hist_add(hist_t *h, int64_t value)
{
    uint64_t v = value < 0 ? 0 : (uint64_t)value;
    unsigned shift = v < 128 ? 0 : 63 - (unsigned)__builtin_clzll(v) - 6;
    uint64_t slot = ((uint64_t)shift << 6) + (v >> shift);

    h->slots[slot < HIST_SLOTS ? slot : HIST_SLOTS - 1]++;
    h->count++;
    if (v > h->max) {
        h->max = v;
    }
}

static uint64_t hist_at(const hist_t *h, double share)
{
    uint64_t want = (uint64_t)((double)h->count * share), seen = 0;
    unsigned i, shift;

    for (i = 0; i < HIST_SLOTS; i++) {
        seen += h->slots[i];
        if (seen > want) {
            shift = i < 128 ? 0 : i / 64 - 1;
            return (uint64_t)(i - shift * 64) << shift;
        }
    }
    return h->max;
}

static void hist_print(const char *name, const hist_t *h)
{
    if (!h->count) {
        return;  /* nothing was measured, which is not zero */
    }
    printf(",\"%s_p50\":%.3f,\"%s_p90\":%.3f,\"%s_p99\":%.3f,"
           "\"%s_max\":%.3f", name, (double)hist_at(h, 0.5) / 1000, name,
           (double)hist_at(h, 0.9) / 1000, name,
           (double)hist_at(h, 0.99) / 1000, name, (double)h->max / 1000);
}

/* ------------------------------------------------------------ connections */

static void conn_shut(conn_t *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
    c->head.len = c->line.len = c->out.len = c->out_off = 0;
}

static void conn_end(conn_t *c)
{
    if (o.paced && c->frames) {
        speaking--;
    }
    conn_shut(c);
    buf_free(&c->head);
    buf_free(&c->line);
    buf_free(&c->out);
    alive--;
    finished++;
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

/* The body's template with its numbers put in. */
static void put_body(const conn_t *c, buf_t *body)
{
    const char *p = o.body, *q;

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

    c->out.len = c->out_off = 0;
    buf_printf(&c->out, "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\n",
               o.body ? "POST" : "GET", o.path, o.host,
               o.sse ? "text/event-stream" : "application/json");
    if (!o.body) {
        buf_puts(&c->out, "\r\n");
        return;
    }
    body.len = 0;
    put_body(c, &body);
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
    c->state = ANSWER_HEAD;
    c->started = c->close_after = c->done_line = 0;
    c->head.len = c->line.len = 0;
    c->frames = c->next = 0;
    c->left = 0;
    c->t_sent = now_us();
    return conn_flush(c);
}

static void conn_fail(conn_t *c, why_t reason)
{
    if (failed < 3 && reason != WHY_TIMEOUT) {
        fprintf(stderr, "load: %s (connection %u, answer %u): %.*s\n",
                why_names[reason], c->id, c->asked,
                (int)(c->head.len < 300 ? c->head.len : 300),
                c->head.data ? c->head.data : "");
    }
    failed++;
    why[reason]++;
    c->asked++;
    if (o.paced || reason == WHY_CONNECT
        || (o.per_conn && c->asked >= o.per_conn)
        || now_us() >= t_count_to) {
        conn_end(c);
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
    if (c->reused && !c->started && !o.paced) {
        reconnects++;
        conn_shut(c);
        if (!conn_open(c)) {
            conn_end(c);
        }
        return;
    }
    conn_fail(c, c->connected ? WHY_CLOSED : WHY_CONNECT);
}

/* ----------------------------------------------------------- what is said */

/* Reads "<index>:<clock>" words: each exactly once and in order. */
static int read_words(conn_t *c, const char *p, const char *end, int64_t now)
{
    char *next;
    unsigned long index;
    long long clock;

    while (p < end && *p != '"') {
        index = strtoul(p, &next, 10);
        if (next == p || *next != ':' || index != c->next) {
            return 0;
        }
        p = next + 1;
        clock = strtoll(p, &next, 10);
        if (next == p) {
            return 0;
        }
        hist_add(&lag, now - clock);
        if (started == o.conns && clock > t_count_from) {
            hist_add(&lag_steady, now - clock);
        }
        c->next++;
        words++;
        for (p = next; p < end && *p == ' '; p++) {
        }
    }
    return 1;
}

static int first_frame(conn_t *c, int64_t now)
{
    if (c->frames++ == 0) {
        hist_add(&first_word, now - c->t_open);
        if (++speaking > peak) {
            peak = speaking;
        }
        if (o.paced && speaking == o.conns) {
            t_count_from = now;
            fputs("PLATEAU\n", stderr);
        }
        return 1;
    }
    return 0;
}

/* One line of an event stream, terminated; 0 when it is out of order. */
static int read_line(conn_t *c, const char *line, size_t len, int64_t now)
{
    const char *text;

    if (len < 6 || memcmp(line, "data: ", 6) != 0) {
        return 1;
    }
    if (len == 12 && memcmp(line + 6, "[DONE]", 6) == 0) {
        c->done_line = 1;
        return 1;
    }
    if (c->done_line) {
        return 0;
    }
    if (!memmem(line, len, o.frame, strlen(o.frame))) {
        return 1;
    }
    text = memmem(line, len, o.key, strlen(o.key));
    if (!text) {
        return 0;
    }
    if (!o.paced) {
        c->frames++;
        return 1;
    }
    first_frame(c, now);
    return read_words(c, text + strlen(o.key), line + len, now);
}

/* Body bytes: lines of a stream, or a document kept to be looked into. */
static int read_body(conn_t *c, const char *p, size_t len, int64_t now)
{
    const char *eol;

    bytes += len;
    if (!o.sse) {
        if (o.expect) {
            buf_put(&c->line, p, len);
        }
        return c->line.len < MAX_LINE;
    }
    while (len && (eol = memchr(p, '\n', len)) != NULL) {
        size_t n = (size_t)(eol - p);
        int ok;

        if (c->line.len) {
            buf_put(&c->line, p, n);
            buf_put(&c->line, "", 1);
            ok = read_line(c, c->line.data, c->line.len - 1, now);
            c->line.len = 0;
        }
        else {
            ok = read_line(c, p, n, now);
        }
        if (!ok) {
            return 0;
        }
        len -= n + 1;
        p = eol + 1;
    }
    buf_put(&c->line, p, len);
    return c->line.len < MAX_LINE;
}

/* ------------------------------------------------------------------- HTTP */

/* Finds out how the body is framed; 0 when the head makes no sense. */
static int read_head(conn_t *c)
{
    char *length, *head;

    buf_put(&c->head, "", 1);
    head = c->head.data;
    c->close_after = strcasestr(head, "\r\nConnection: close") != NULL;
    length = strcasestr(head, "\r\nContent-Length:");
    if (strcasestr(head, "\r\nTransfer-Encoding: chunked")) {
        c->state = ANSWER_CHUNK_SIZE;
    }
    else if (length) {
        c->left = strtoull(length + 17, NULL, 10);
        c->state = c->left ? ANSWER_LENGTH : ANSWER_DONE;
    }
    else {
        return 0;
    }
    return 1;
}

/* Takes bytes up to and with the mark into the head buffer; how many, or 0 and
 * all taken when the mark has not come. */
static size_t take_until(conn_t *c, const char *p, size_t len,
                         const char *mark)
{
    size_t m = strlen(mark), from = c->head.len > m ? c->head.len - m : 0;
    size_t before = c->head.len, use;
    const char *at;

    buf_put(&c->head, p, len);
    at = memmem(c->head.data + from, c->head.len - from, mark, m);
    if (!at) {
        return 0;
    }
    use = (size_t)(at - c->head.data) + m;
    c->head.len = use;
    return use - before;
}

static int status_is_ok(const conn_t *c)
{
    return c->head.len > 12 && memcmp(c->head.data, "HTTP/1.1 200", 12) == 0;
}

/* Reads on in the answer; -1 and the reason when it is wrong. */
static int feed(conn_t *c, const char *p, size_t len, why_t *reason)
{
    int64_t now = now_us();
    size_t n;

    while (len && c->state != ANSWER_DONE) {
        *reason = WHY_HTTP;
        switch (c->state) {
        case ANSWER_HEAD:
            n = take_until(c, p, len, "\r\n\r\n");
            if (!n) {
                return c->head.len < MAX_HEAD ? 0 : -1;
            }
            hist_add(&first_byte, now - c->t_sent);
            if (!status_is_ok(c)) {
                buf_put(&c->head, p + n, len - n);
                *reason = WHY_STATUS;
                return -1;
            }
            if (!read_head(c)) {
                return -1;
            }
            c->head.len = 0;
            break;
        case ANSWER_CHUNK_SIZE:
        case ANSWER_TRAILER:
            n = take_until(c, p, len, "\r\n");
            if (!n) {
                return c->head.len < MAX_HEAD ? 0 : -1;
            }
            buf_put(&c->head, "", 1);
            if (c->state == ANSWER_TRAILER) {
                c->state = c->head.len == 3 ? ANSWER_DONE : ANSWER_TRAILER;
            }
            else {
                c->left = strtoull(c->head.data, NULL, 16);
                c->state = c->left ? ANSWER_CHUNK_DATA : ANSWER_TRAILER;
            }
            c->head.len = 0;
            break;
        case ANSWER_CHUNK_END:
            n = take_until(c, p, len, "\r\n");
            if (c->head.len > 2) {
                return -1;
            }
            if (!n) {
                return 0;
            }
            c->head.len = 0;
            c->state = ANSWER_CHUNK_SIZE;
            break;
        default:
            n = len < c->left ? len : (size_t)c->left;
            if (!read_body(c, p, n, now)) {
                *reason = WHY_ORDER;
                return -1;
            }
            c->left -= n;
            if (!c->left) {
                c->state = c->state == ANSWER_LENGTH ? ANSWER_DONE
                                                     : ANSWER_CHUNK_END;
            }
        }
        p += n;
        len -= n;
    }
    *reason = WHY_HTTP;
    return len ? -1 : 0;
}

/* Whether a whole answer is also the right one. */
static int answer_is_right(const conn_t *c, why_t *reason)
{
    *reason = WHY_FRAMES;
    if (o.sse) {
        return c->done_line && c->line.len == 0
               && (!o.words || c->frames == o.words)
               && (!o.paced || c->next == o.words);
    }
    *reason = WHY_CONTENT;
    return !o.expect || memmem(c->line.data, c->line.len, o.expect,
                               strlen(o.expect));
}

static void conn_answered(conn_t *c)
{
    int64_t now = now_us();
    why_t reason;

    if (!answer_is_right(c, &reason)) {
        conn_fail(c, reason);
        return;
    }
    answers++;
    if (now >= t_count_from && now < t_count_to) {
        counted++;
        hist_add(&latency, now - c->t_sent);
    }
    c->asked++;
    c->reused = 1;
    if (o.paced || now >= t_count_to
        || (o.per_conn && c->asked >= o.per_conn)) {
        conn_end(c);
        return;
    }
    if (c->close_after) {
        conn_shut(c);
        if (!conn_open(c)) {
            conn_end(c);
        }
    }
    else if (!conn_ask(c)) {
        conn_lost(c);
    }
}

static void conn_read(conn_t *c)
{
    static char data[256 * 1024];
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
    c->started = 1;
    if (feed(c, data, (size_t)n, &reason) < 0) {
        conn_fail(c, reason);
    }
    else if (c->state == ANSWER_DONE) {
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
    if (o.paced) {
        printf(",\"peak\":%u,\"words\":%llu", peak,
               (unsigned long long)words);
        hist_print("first", &first_word);
        hist_print("lag", &lag);
        hist_print("lag_steady", &lag_steady);
    }
    else {
        printf(",\"rate\":%.1f", span > 0 ? (double)counted / span : 0.0);
        hist_print("latency", &latency);
        hist_print("first_byte", &first_byte);
    }
    printf(",\"why\":{");
    for (i = 0; i < WHY_COUNT; i++) {
        printf("%s\"%s\":%llu", i ? "," : "", why_names[i],
               (unsigned long long)why[i]);
    }
    printf("}}\n");
}

static void use_format(const char *name)
{
    o.sse = strcmp(name, "json") != 0;
    if (strcmp(name, "mastra") == 0) {
        o.frame = "\"type\":\"text-delta\"";
        o.key = "\"text\":\"";
    }
    else {
        o.frame = "\"delta\":{\"content\":\"";
        o.key = "\"content\":\"";
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

    while ((opt = getopt(argc, argv, "m:c:d:W:n:r:t:b:f:w:x:")) > 0) {
        switch (opt) {
        case 'm': o.paced = strcmp(optarg, "paced") == 0; break;
        case 'c': o.conns = (unsigned)atoi(optarg); break;
        case 'd': o.secs = atof(optarg); break;
        case 'W': o.warm = atof(optarg); break;
        case 'n': o.per_conn = (unsigned)atoi(optarg); break;
        case 'r': o.ramp_ms = (unsigned)atoi(optarg); break;
        case 't': o.limit = atof(optarg); break;
        case 'b': o.body = optarg; break;
        case 'f': use_format(optarg); break;
        case 'w': o.words = (unsigned)atoi(optarg); break;
        case 'x': o.expect = optarg; break;
        default: return 2;
        }
    }
    if (optind + 1 != argc || !read_url(argv[optind]) || !o.conns) {
        fprintf(stderr, "usage: load [options] http://ADDRESS:PORT/path\n");
        return 2;
    }
    raise_nofile();
    ep = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc(o.conns, sizeof(*conns));
    if (ep < 0 || !conns) {
        die("load");
    }
    t_begin = now_us();
    t_limit = t_begin + (int64_t)(o.limit * 1e6);
    t_count_from = t_begin + (o.paced ? 0 : (int64_t)(o.warm * 1e6));
    t_count_to = o.paced || o.per_conn
                 ? t_limit : t_count_from + (int64_t)(o.secs * 1e6);
    run();
    report();
    return 0;
}
