/* Transfers against a server that answers well, badly, late and never. */

#include <apr_general.h>
#include <apr_strings.h>

#include "net/client.h"
#include "http_server.h"
#include "tap.h"

static apr_pool_t *pool;
static mastra_loop_t *loop;
static mastra_guard_t *guard;

/* ---- one transfer, started on the loop and awaited ---- */

typedef struct fetch_t {
    mastra_request_t request;
    mastra_transfer_t *transfer;
    mastra_msg_t msg;
    mastra_timer_t timer;
    mastra_buf_t body;
    /* what the callbacks shall do */
    int pause_each;          /* take each piece at the second time only */
    int pause_head;
    int abort_head;
    int abort_data;
    struct fetch_t *victim;  /* to be cancelled from inside on_data */
    int victim_dones;        /* before that */
    int quiet;               /* nobody waits for the end */
    /* what they saw */
    apr_status_t rv;
    int responses, status, datas, dones, refusals, early;
    int starting, turn_refused;
    mastra_transfer_end_e end;
    int reused;
    char cause[300];
    char one[20], early_hint[20], late[20], empty[20];
} fetch_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int waiting;

static void release(void)
{
    pthread_mutex_lock(&lock);
    waiting = 0;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&lock);
}

static void note(char *to, const apr_table_t *headers, const char *name)
{
    const char *value = apr_table_get(headers, name);

    snprintf(to, 20, "%s", value ? value : "(none)");
}

static void resume_cb(void *baton)
{
    fetch_t *f = baton;

    mastra_client_resume(f->transfer);
}

static mastra_transfer_verdict_e response_cb(void *baton, int status,
                                             const apr_table_t *headers)
{
    fetch_t *f = baton;

    f->early += f->starting;
    f->responses++;
    f->status = status;
    note(f->one, headers, "x-one");
    note(f->early_hint, headers, "x-early");
    note(f->late, headers, "x-late");
    note(f->empty, headers, "x-empty");
    if (f->pause_head) {
        mastra_loop_timer_set(loop, &f->timer, 20000, resume_cb, f);
        return MASTRA_TRANSFER_PAUSE;
    }
    return f->abort_head ? MASTRA_TRANSFER_ABORT : MASTRA_TRANSFER_GO;
}

static mastra_transfer_verdict_e data_cb(void *baton, const char *data,
                                         apr_size_t len)
{
    fetch_t *f = baton;

    f->early += f->starting;
    f->datas++;
    if (f->victim) {
        /* its body is gone as soon as it is cancelled */
        if (!f->victim->dones) {
            mastra_client_cancel(f->victim->transfer);
        }
        f->victim_dones = f->victim->dones;
        free((char *)f->victim->request.body);
        f->victim->request.body = NULL;
        f->victim = NULL;
    }
    if (f->pause_each && !f->turn_refused) {
        f->turn_refused = 1;
        f->refusals++;
        mastra_loop_timer_set(loop, &f->timer, f->refusals % 3 * 1000,
                              resume_cb, f);
        return MASTRA_TRANSFER_PAUSE;
    }
    f->turn_refused = 0;
    if (f->abort_data) {
        return MASTRA_TRANSFER_ABORT;
    }
    mastra_buf_add(&f->body, data, len);
    return MASTRA_TRANSFER_GO;
}

static void done_cb(void *baton, const mastra_transfer_done_t *done)
{
    fetch_t *f = baton;

    f->early += f->starting;
    f->dones++;
    f->end = done->end;
    f->reused = done->reused;
    f->status = done->status;
    apr_cpystrn(f->cause, done->cause, sizeof(f->cause));
    mastra_loop_timer_stop(loop, &f->timer);
    if (!f->quiet) {
        release();
    }
}

static void start(fetch_t *f)
{
    f->starting = 1;
    f->rv = mastra_client_send(&f->transfer, loop, &f->request);
    f->starting = 0;
}

static void start_cb(void *baton)
{
    fetch_t *f = baton;

    start(f);
    if (f->rv != APR_SUCCESS) {
        release();
    }
}

static apr_status_t free_body(void *baton)
{
    mastra_buf_free(baton);
    return APR_SUCCESS;
}

static fetch_t *fetch_make(const char *path)
{
    fetch_t *f = apr_pcalloc(pool, sizeof(*f));

    mastra_buf_init(&f->body, 200 << 20);
    apr_pool_cleanup_register(pool, &f->body, free_body,
                              apr_pool_cleanup_null);
    f->request.method = "GET";
    f->request.url = apr_psprintf(pool, "%s%s", *path == '/' ? apr_psprintf(
                                  pool, "http://127.0.0.1:%d", server_port)
                                  : "", path);
    f->request.trusted = 1;
    f->request.baton = f;
    f->request.on_response = response_cb;
    f->request.on_data = data_cb;
    f->request.on_done = done_cb;
    return f;
}

/* Runs fn on the loop; returns when release() was called. */
static void on_loop(mastra_loop_cb *fn, void *baton)
{
    mastra_msg_t msg = { .cb = fn, .baton = baton };

    pthread_mutex_lock(&lock);
    waiting = 1;
    mastra_loop_post(loop, &msg);
    while (waiting) {
        pthread_cond_wait(&cond, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static fetch_t *run(fetch_t *f)
{
    on_loop(start_cb, f);
    return f;
}

static fetch_t *fetch(const char *path)
{
    return run(fetch_make(path));
}

static const char *body_of(fetch_t *f)
{
    return f->body.data ? f->body.data : "";
}

/* ---- answers ---- */

typedef struct {
    const char *name;
    const char *path;
    mastra_transfer_end_e end;
    int status;
    const char *body;
} case_t;

static const case_t cases[] = {
    { "an answer", "/ok", MASTRA_TRANSFER_OK, 200, "hello" },
    { "an error status is an answer", "/status/503", MASTRA_TRANSFER_OK, 503,
      "body" },
    { "no body", "/empty", MASTRA_TRANSFER_OK, 204, "" },
    { "a body that ends with the connection", "/till-close",
      MASTRA_TRANSFER_OK, 200, "all of it" },
    { "interim answers are skipped", "/interim", MASTRA_TRANSFER_OK, 200,
      "hello" },
    { "a redirect is an answer when none is followed", "/to?302=/ok",
      MASTRA_TRANSFER_OK, 302, "moved" },
    { "one that is compressed, unasked", "/gzip", MASTRA_TRANSFER_OK, 200,
      "hello" },
    { "one that only says so", "/nogzip", MASTRA_TRANSFER_CUT, 200, "" },
    { "cut by length", "/cut", MASTRA_TRANSFER_CUT, 200, "part" },
    { "cut between chunks", "/cutchunk", MASTRA_TRANSFER_CUT, 200, "part" },
    { "a chunk that is none", "/badchunk", MASTRA_TRANSFER_CUT, 200, "" },
    { "closed without an answer", "/close", MASTRA_TRANSFER_CUT, 0, "" },
    { "reset", "/reset", MASTRA_TRANSFER_CUT, 0, "" },
    { "not HTTP", "/garbage", MASTRA_TRANSFER_CUT, 0, "" },
    { "too many headers", "/lines", MASTRA_TRANSFER_TOO_LARGE, 0, "" },
    { "headers too long", "/longhead", MASTRA_TRANSFER_TOO_LARGE, 0, "" },
    { "another scheme", "ftp://127.0.0.1/", MASTRA_TRANSFER_REFUSED, 0, "" },
    { "a file", "file:///etc/passwd", MASTRA_TRANSFER_REFUSED, 0, "" },
    { "no host", "http://", MASTRA_TRANSFER_REFUSED, 0, "" },
    { "a bad port", "http://127.0.0.1:99999/", MASTRA_TRANSFER_REFUSED, 0,
      "" },
    { "a closed port", "http://127.0.0.1:1/", MASTRA_TRANSFER_UNREACHABLE, 0,
      "" },
    { "a name that is none", "http://nobody.invalid/",
      MASTRA_TRANSFER_UNREACHABLE, 0, "" }
};

static void test_cases(void)
{
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const case_t *c = &cases[i];
        fetch_t *f = fetch(c->path);

        if (!ok(f->dones == 1 && f->end == c->end && f->status == c->status
                && !strcmp(body_of(f), c->body) && !f->early
                && f->responses == (c->status != 0)
                && !f->cause[0] == !c->end, c->name)) {
            printf("# end %d status %d body '%s' responses %d: %s\n", f->end,
                   f->status, body_of(f), f->responses, f->cause);
        }
        mastra_buf_free(&f->body);
    }
}

static void test_headers(void)
{
    static const char *const headers[] = { "X-A: b", "X-Nothing:",
                                           "Content-Type: a/b", NULL };
    static const char *const split[] = { "X-A: b\r\nX-B: c", NULL };
    static const char *const nameless[] = { ": x", NULL };
    fetch_t *f = fetch("/ok");

    is_str(f->one, "1", "header names are in lower case");
    is_str(f->empty, "", "an empty header is there");
    f = fetch("/interim");
    is_str(f->early_hint, "(none)", "headers of interim answers are not told");
    is_str(f->late, "1", "those of the final one are");
    f = fetch_make("/echo");
    f->request.headers = headers;
    run(f);
    ok(strstr(body_of(f), "\r\nX-A: b\r\n"), "a header is sent");
    ok(strstr(body_of(f), "\r\nX-Nothing:\r\n"), "so is an empty one");
    ok(strstr(body_of(f), "\r\nAccept-Encoding: identity\r\n"),
       "what is compressed is not asked for");
    ok(!strcasestr(body_of(f), "cookie")
       && !strcasestr(body_of(f), "user-agent"), "nothing else is added");
    f = fetch_make("/ok");
    f->request.headers = split;
    is_int(run(f)->rv, APR_EINVAL, "a line break in a header is refused");
    f->request.headers = nameless;
    is_int(run(f)->rv, APR_EINVAL, "and a header without a name");
    f->request.headers = NULL;
    f->request.method = "GET /x";
    is_int(run(f)->rv, APR_EINVAL, "and a method that is none");
    f->request.method = "GET";
    f->request.trusted = 0;
    is_int(run(f)->rv, APR_EINVAL, "and no trust without a guard");
    ok(!f->dones, "those have no end");
}

static fetch_t *send_body(const char *method, const char *path, size_t len)
{
    fetch_t *f = fetch_make(path);
    char *body = malloc(len + 1);

    memset(body, 'b', len + 1);
    f->request.method = method;
    f->request.body = body;
    f->request.body_len = len;
    run(f);
    free(body);
    return f;
}

static void test_methods(void)
{
    static const char *const bare[] = { "GET", "DELETE", "OPTIONS", "POST",
                                        "PUT" };
    static const size_t sizes[] = { 0, 1, 65536, 65537, 3000000 };
    size_t i;
    fetch_t *f;

    for (i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
        f = fetch_make("/echo");
        f->request.method = bare[i];
        run(f);
        ok(!strncmp(body_of(f), bare[i], strlen(bare[i]))
           && !strcasestr(body_of(f), "content-type")
           && strstr(body_of(f), "[0]"), bare[i]);
    }
    f = fetch_make("/ok");
    f->request.method = "HEAD";
    run(f);
    ok(f->end == MASTRA_TRANSFER_OK && !f->body.len, "HEAD has no body");
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        f = send_body(i & 1 ? "POST" : "PATCH", "/echo", sizes[i]);
        ok(strstr(body_of(f), apr_psprintf(pool, "[%lu]",
                                           (unsigned long)sizes[i]))
           && !strcasestr(body_of(f), "expect:")
           && !strncmp(body_of(f), i & 1 ? "POST " : "PATCH ", 5),
           apr_psprintf(pool, "a body of %lu bytes", (unsigned long)sizes[i]));
    }
    ok(!strncmp(body_of(fetch("/echo")), "GET ", 4),
       "the next request on that handle is what it says");
}

/* ---- connections ---- */

static void test_reuse(void)
{
    int before, i;
    fetch_t *f;

    fetch("/ok");
    before = server_connections;
    f = fetch("/ok");
    ok(f->reused && server_connections == before, "a connection is reused");
    fetch("/fickle");
    before = server_connections;
    f = fetch("/fickle");
    ok(f->end == MASTRA_TRANSFER_OK && !strcmp(body_of(f), "fresh")
       && server_connections == before + 1,
       "a kept connection that dies is replaced, the request sent again");
    fetch("/fickle");
    f = send_body("POST", "/fickle", 300000);
    ok(f->end == MASTRA_TRANSFER_OK && !strcmp(body_of(f), "fresh"),
       "also with a body that is read in parts");
    fetch("/leave");
    /* its end may be late */
    for (i = 0; i < 100; i++) {
        usleep(300000);
        f = fetch("/ok");
        if (f->end == MASTRA_TRANSFER_OK && !f->reused) {
            break;
        }
        fetch("/leave");
    }
    ok(f->end == MASTRA_TRANSFER_OK && !f->reused,
       "a connection closed while idle is not taken");
}

static void test_guard(void)
{
    fetch_t *f;
    char *other = apr_psprintf(pool, "/to?302=http://localhost:%d/ok",
                               server_port);
    int before;

    f = fetch_make("/ok");
    f->request.trusted = 0;
    f->request.guard = mastra_guard_make(pool);
    before = server_requests;
    run(f);
    ok(f->end == MASTRA_TRANSFER_REFUSED && server_requests == before,
       "an untrusted request does not reach 127.0.0.1, not even over a "
       "connection that a trusted one left open");
    f = fetch_make(apr_psprintf(pool, "http://localhost:%d/ok", server_port));
    f->request.trusted = 0;
    f->request.guard = mastra_guard_make(pool);
    before = server_connections;
    run(f);
    ok(f->end == MASTRA_TRANSFER_REFUSED && server_connections == before,
       "names are checked when they are resolved");
    f = fetch_make("/ok");
    f->request.trusted = 0;
    f->request.guard = guard;
    run(f);
    is_int(f->end, MASTRA_TRANSFER_OK, "a rule opens the address");
    f = fetch_make(other);
    f->request.trusted = 0;
    f->request.guard = mastra_guard_make(pool);
    mastra_guard_allow((mastra_guard_t *)f->request.guard,
                       apr_psprintf(pool, "127.0.0.1:%d", server_port));
    f->request.max_redirects = 3;
    run(f);
    is_int(f->end, MASTRA_TRANSFER_OK, "a redirect may go where rules allow");
    f->request.url = apr_psprintf(pool, "http://127.0.0.1:%d/to?302="
                                  "http://127.0.0.2:%d/ok", server_port,
                                  server_port);
    before = server_connections;
    run(f);
    ok(f->end == MASTRA_TRANSFER_REFUSED && f->status == 302,
       "and not where they do not");
    f = fetch_make(other);
    f->request.max_redirects = 3;
    run(f);
    ok(f->end == MASTRA_TRANSFER_REFUSED,
       "trust ends where another origin begins");
}

static void test_redirects(void)
{
    static const char *const headers[] = {
        "Authorization: Bearer s", "X-Api-Key: s", "Cookie: s=s",
        "Accept: a/b", "Content-Type: t/u", NULL
    };
    fetch_t *f = fetch_make("/to?302=/echo");

    f->request.max_redirects = 3;
    f->request.headers = headers;
    run(f);
    ok(f->end == MASTRA_TRANSFER_OK && f->responses == 1
       && strstr(body_of(f), "X-Api-Key"), "the same origin gets the headers");
    f = fetch_make(apr_psprintf(pool, "/to?307=http://u:p@localhost:%d/echo",
                                server_port));
    f->request.method = "POST";
    f->request.body = "body";
    f->request.body_len = 4;
    f->request.max_redirects = 3;
    f->request.headers = headers;
    f->request.guard = guard;
    run(f);
    ok(strstr(body_of(f), "POST ") && strstr(body_of(f), "[4]")
       && strstr(body_of(f), "Accept: a/b"), "307 keeps method and body");
    ok(!strstr(body_of(f), "Bearer") && !strstr(body_of(f), "X-Api-Key")
       && !strstr(body_of(f), "Cookie") && !strstr(body_of(f), "Basic"),
       "another origin gets no credential");
    f->request.url = apr_psprintf(pool, "http://127.0.0.1:%d/to?303=/echo",
                                  server_port);
    mastra_buf_reset(&f->body);
    run(f);
    ok(strstr(body_of(f), "GET ") && strstr(body_of(f), "[0]")
       && !strstr(body_of(f), "Content-Type"), "303 makes it a GET");
    f = fetch_make("/to?302=/to?302=/to?302=/ok");
    f->request.max_redirects = 3;
    is_int(run(f)->end, MASTRA_TRANSFER_OK, "three redirects of three");
    f->request.max_redirects = 2;
    is_int(run(f)->end, MASTRA_TRANSFER_REFUSED, "but not of two");
    f = fetch_make("/to?302=file:///etc/passwd");
    f->request.max_redirects = 3;
    is_int(run(f)->end, MASTRA_TRANSFER_REFUSED, "nor to a file");
    f = fetch_make("/to?302=gopher://127.0.0.1/x");
    f->request.max_redirects = 3;
    is_int(run(f)->end, MASTRA_TRANSFER_REFUSED, "nor to other protocols");
}

/* ---- limits of time and size ---- */

/* A port that neither accepts nor refuses: its queue is full. */
static char *full_url;

static void fill_up(void)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    int port, i;

    server_listen(&port, 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons((unsigned short)port);
    for (i = 0; i < 4; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

        if (connect(fd, (void *)&addr, sizeof(addr)) == 0) {
            printf("# connected\n");
        }
    }
    full_url = apr_psprintf(pool, "http://127.0.0.1:%d/", port);
}

static int timed(fetch_t *f, int from_ms, int to_ms)
{
    apr_time_t began = apr_time_now();
    int took;

    run(f);
    took = (int)((apr_time_now() - began) / 1000);
    if (f->end != MASTRA_TRANSFER_TIMEOUT || took < from_ms || took > to_ms) {
        printf("# end %d after %d ms: %s\n", f->end, took, f->cause);
        return 0;
    }
    return 1;
}

static void test_times(void)
{
    fetch_t *f = fetch_make("/nothing");

    f->request.first_byte_timeout = apr_time_from_msec(150);
    ok(timed(f, 149, 20000), "no answer");
    f = fetch_make("/slowhead");
    f->request.first_byte_timeout = apr_time_from_msec(150);
    ok(timed(f, 149, 20000), "a head that does not end");
    f = fetch_make("/silent");
    f->request.idle_timeout = apr_time_from_msec(700);
    ok(timed(f, 699, 20000) && !strcmp(body_of(f), "word"),
       "silence in the body");
    f = fetch_make("/drip");
    f->request.idle_timeout = apr_time_from_msec(1400);
    f->request.first_byte_timeout = apr_time_from_sec(10);
    run(f);
    ok(f->end == MASTRA_TRANSFER_OK && f->body.len == 125,
       "a slow body is not a silent one");
    f = fetch_make("/drip");
    f->request.total_timeout = apr_time_from_msec(200);
    ok(timed(f, 199, 20000), "the whole takes too long");
    f = fetch_make("/to?302=/nothing");
    f->request.max_redirects = 1;
    f->request.total_timeout = apr_time_from_msec(200);
    ok(timed(f, 199, 20000), "the same over redirects");
    f = fetch_make("/nothing");
    f->request.body = calloc(1, 20000000);
    f->request.body_len = 20000000;
    f->request.method = "POST";
    f->request.first_byte_timeout = apr_time_from_msec(200);
    ok(timed(f, 199, 20000), "a body that nobody reads");
    free((char *)f->request.body);

    f = fetch_make(full_url);
    f->request.connect_timeout = apr_time_from_msec(200);
    ok(timed(f, 199, 20000) && !f->status, "connecting");
}

static void test_sizes(void)
{
    fetch_t *f = fetch_make("/endless");

    f->request.max_body = 100 << 20;
    run(f);
    ok(f->end == MASTRA_TRANSFER_TOO_LARGE && f->body.len <= 100 << 20
       && f->body.len > 99 << 20, "a body is received up to 100 MB");
    mastra_buf_free(&f->body);
    f = fetch("/endless");
    ok(f->end == MASTRA_TRANSFER_TOO_LARGE && f->body.len <= 64 << 20,
       "up to 64 MB when nothing is said");
    mastra_buf_free(&f->body);
    f = fetch_make("/ok");
    f->request.max_body = 5;
    is_int(run(f)->end, MASTRA_TRANSFER_OK, "a body as large as allowed");
    f->request.max_body = 4;
    is_int(run(f)->end, MASTRA_TRANSFER_TOO_LARGE, "one byte more");
}

/* ---- verdicts ---- */

static int is_pattern(const fetch_t *f)
{
    size_t i;

    for (i = 0; i < f->body.len; i++) {
        if (f->body.data[i] != (char)('a' + i % 26)) {
            return 0;
        }
    }
    return f->body.len == 1000000;
}

static void test_verdicts(void)
{
    fetch_t *f = fetch_make("/pattern");

    f->pause_each = 1;
    f->request.idle_timeout = apr_time_from_msec(500);
    run(f);
    ok(f->end == MASTRA_TRANSFER_OK && is_pattern(f) && f->refusals > 10,
       apr_psprintf(pool, "nothing is lost or doubled by %d pauses",
                    f->refusals));
    mastra_buf_free(&f->body);
    f = fetch_make("/ok");
    f->pause_each = 1;
    run(f);
    ok(f->end == MASTRA_TRANSFER_OK && !strcmp(body_of(f), "hello"),
       "a pause in the last piece");
    f = fetch_make("/ok");
    f->pause_head = 1;
    run(f);
    ok(f->end == MASTRA_TRANSFER_OK && !strcmp(body_of(f), "hello")
       && f->responses == 1 && f->datas == 1,
       "a pause at the head holds the body back");
    f = fetch_make("/pattern");
    f->abort_head = 1;
    run(f);
    ok(f->end == MASTRA_TRANSFER_ABORTED && !f->datas, "abort at the head");
    f = fetch_make("/pattern");
    f->abort_data = 1;
    run(f);
    ok(f->end == MASTRA_TRANSFER_ABORTED && f->datas == 1, "abort at data");
    f = fetch_make("/ok");
    f->abort_data = f->pause_each = 1;
    run(f);
    ok(f->end == MASTRA_TRANSFER_ABORTED && f->datas == 2,
       "abort after a pause");
}

/* ---- cancel ---- */

typedef struct {
    fetch_t *f;
    int ms;                  /* after the start */
    int dones;               /* by then */
} cancel_t;

static mastra_timer_t cancel_timer;

static void cancel_cb(void *baton)
{
    cancel_t *c = baton;

    /* a machine that knows at once that a name is none may be faster */
    if (!c->f->dones) {
        mastra_client_cancel(c->f->transfer);
    }
    c->dones = c->f->dones;
    free((char *)c->f->request.body);
    release();
}

static void cancel_start_cb(void *baton)
{
    cancel_t *c = baton;

    start(c->f);
    if (c->ms < 0) {
        cancel_cb(c);
        return;
    }
    mastra_loop_timer_set(loop, &cancel_timer, c->ms * 1000, cancel_cb, c);
}

static int cancelled(const char *path, size_t body, int ms)
{
    cancel_t c = { .f = fetch_make(path), .ms = ms };

    if (body) {
        c.f->request.method = "POST";
        c.f->request.body = calloc(1, body);
        c.f->request.body_len = body;
    }
    c.f->quiet = 1;
    on_loop(cancel_start_cb, &c);
    fetch("/ok");
    return c.f->dones == c.dones && !c.f->early;
}

static void test_cancel(void)
{
    ok(cancelled("/ok", 0, -1), "cancelled before it began");
    ok(cancelled("http://nobody.invalid/", 0, 0), "during the look-up");
    ok(cancelled(full_url, 0, 30), "while connecting");
    ok(cancelled("/nothing", 0, 30), "while waiting");
    ok(cancelled("/nothing", 20000000, 30), "while sending");
    ok(cancelled("/slowhead", 0, 50), "in the head");
    ok(cancelled("/silent", 0, 50), "in the body");
    ok(cancelled("/endless", 0, 5), "in a flood");
}

static void victims_cb(void *baton)
{
    fetch_t **f = baton;

    start(f[1]);
    start(f[0]);
}

static int cancelled_inside(const char *path, size_t body)
{
    fetch_t *f[2] = { fetch_make("/ok"), fetch_make(path) };

    f[1]->quiet = 1;
    if (body) {
        f[1]->request.method = "POST";
        f[1]->request.body = calloc(1, body);
        f[1]->request.body_len = body;
    }
    f[0]->victim = f[1];
    on_loop(victims_cb, f);
    fetch("/ok");
    return f[0]->end == MASTRA_TRANSFER_OK
           && f[1]->dones == f[0]->victim_dones;
}

static void test_cancel_inside(void)
{
    ok(cancelled_inside("/nothing", 0),
       "a callback of one transfer cancels another one");
    ok(cancelled_inside("/nothing", 1000), "that has a small body");
    ok(cancelled_inside("/nothing", 20000000), "that is sending");
    ok(cancelled_inside("/endless", 0), "that is receiving");
    ok(cancelled_inside("http://nobody.invalid/", 1000),
       "that looks up a name");
}

/* A paused one is cancelled, and one that was told to go on. */
static fetch_t *paused;

static void cancel_paused_cb(void *baton)
{
    mastra_client_resume(paused->transfer);
    mastra_client_resume(paused->transfer);
    mastra_client_cancel(paused->transfer);
    release();
}

static mastra_transfer_verdict_e pause_cb(void *baton, const char *data,
                                          apr_size_t len)
{
    mastra_loop_timer_set(loop, &cancel_timer, 20000, cancel_paused_cb, NULL);
    return MASTRA_TRANSFER_PAUSE;
}

static void test_cancel_paused(void)
{
    paused = fetch_make("/pattern");
    paused->request.on_data = pause_cb;
    run(paused);
    fetch("/ok");
    ok(!paused->dones, "a paused transfer is cancelled, resumed or not");
}

/* ---- many, and the end ---- */

#define MANY 300
#define TO_NOWHERE 2000

static int many_left, many_good;

static void many_done_cb(void *baton, const mastra_transfer_done_t *done)
{
    fetch_t *f = baton;

    many_good += done->end == MASTRA_TRANSFER_OK
                 && !strcmp(body_of(f), "hello");
    mastra_buf_free(&f->body);
    if (!--many_left) {
        release();
    }
}

static void many_cb(void *baton)
{
    int i;

    many_left = MANY;
    many_good = 0;
    for (i = 0; i < MANY; i++) {
        fetch_t *f = fetch_make("/ok");

        f->request.on_done = many_done_cb;
        start(f);
    }
}

/* More than one curl handle takes; most end at a closed port, so that the
 * server needs no thread for them. */
static void more_done_cb(void *baton, const mastra_transfer_done_t *done)
{
    many_good += done->end == MASTRA_TRANSFER_UNREACHABLE;
    if (!--many_left) {
        release();
    }
}

static void more_cb(void *baton)
{
    int i;

    many_left = MANY + TO_NOWHERE;
    many_good = 0;
    for (i = 0; i < MANY + TO_NOWHERE; i++) {
        fetch_t *f = fetch_make(i % (TO_NOWHERE / MANY + 1) || i > TO_NOWHERE
                                ? "http://127.0.0.1:1/" : "/ok");

        f->request.on_done = strstr(f->request.url, "/ok") ? many_done_cb
                                                           : more_done_cb;
        start(f);
    }
}

static void leave_open_cb(void *baton)
{
    static const char *const paths[] = { "/nothing", "/silent", "/endless",
                                         "http://nobody.invalid/", "/ok" };
    size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        fetch_t *f = fetch_make(paths[i]);

        f->quiet = 1;
        f->request.max_body = (apr_size_t)1 << 40;
        f->request.on_data = NULL;
        start(f);
    }
    release();
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    mastra_client_global_init();
    server_start();
    guard = mastra_guard_make(pool);
    mastra_guard_allow(guard, "localhost");
    mastra_guard_allow(guard, "127.0.0.1");
    if (mastra_loop_start(&loop, NULL, pool) != APR_SUCCESS) {
        return 1;
    }
    fill_up();
    test_cases();
    test_headers();
    test_methods();
    test_reuse();
    test_guard();
    test_redirects();
    test_times();
    test_sizes();
    test_verdicts();
    test_cancel();
    test_cancel_inside();
    test_cancel_paused();
    on_loop(many_cb, NULL);
    is_int(many_good, MANY, "300 at once");
    on_loop(many_cb, NULL);
    is_int(many_good, MANY, "and again");
    on_loop(more_cb, NULL);
    is_int(many_good, MANY + TO_NOWHERE, "more than one curl handle takes");
    on_loop(leave_open_cb, NULL);
    usleep(30000);
    mastra_loop_stop(loop);
    ok(1, "the loop stops with transfers that are open");
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
