/* Calls of a scripted upstream: events and errors, retries, pauses, and cancel
 * in every state. */
#include "drive.h"
#include "server.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nX-B: 2\r\nSet-Cookie: a=b\r\nX-A: 1\r\n" \
                "x-a: 3\r\n"
#define SSE OK_HEAD "Content-Type: text/event-stream\r\n" \
                    "Connection: close\r\n\r\n"
#define SSE_LONG OK_HEAD "Content-Type: text/event-stream\r\n" \
                         "Content-Length: 100000\r\n\r\n"
#define JSON(length) OK_HEAD "Content-Type: application/json\r\n" \
                             "Content-Length: " length "\r\n\r\n"
#define FAIL(status) "HTTP/1.1 " status " Sorry\r\nContent-Length: 40\r\n\r\n" \
                     "{\"error\":{\"message\":\"upstream secret\"}} "
#define FAIL_AS(status, header, length, body) \
    "HTTP/1.1 " status " Sorry\r\n" header "Content-Length: " length \
    "\r\n\r\n" body
#define DELTA(text) "data: {\"id\":\"c1\",\"created\":1700000000,\"model\":" \
                    "\"mm\",\"choices\":[{\"delta\":{\"content\":\"" text \
                    "\"}}]}\n\n"
#define STOP "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}" \
             "\n\n"
#define DONE "data: [DONE]\n\n"
#define HELLO SSE DELTA("Hel") S_NAP DELTA("lo") STOP DONE S_CLOSE
#define WHOLE "{\"choices\":[{\"message\":{\"content\":\"Hello\"}," \
              "\"finish_reason\":\"stop\"}]}"
#define HELLO_EVENTS "response\ntext [Hel]\ntext [lo]\nfinish stop/stop 0\n"
#define WHOLE_EVENTS "response\ntext [Hello]\nfinish stop/stop 0" WHOLE "\n"

static mastra_models_t *models;

static const mastra_model_provider_t *provider_with(const char *id, int retries,
                                                    int timeout_ms)
{
    static const char *const headers[] = { "X-Org: org-secret-1", NULL };
    const mastra_model_provider_t *provider;
    const char *model, *wrong, *url;

    url = apr_psprintf(pool, "http://127.0.0.1:%d/v1/", server.port);
    wrong = mastra_models_add(models, id, "openai", url, "TEST_KEY", headers,
                              apr_time_from_msec(timeout_ms), retries);
    if (wrong) {
        printf("# %s\n", wrong);
        abort();
    }
    provider = mastra_models_find(models, apr_pstrcat(pool, id, "/a/b", NULL),
                                  &model);
    is_str(model, "a/b", "a model id may hold slashes");
    return provider;
}

typedef struct {
    const char *name;
    int stream;
    const char *script[4];   /* NULL-terminated; the last one repeats */
    const char *code;        /* NULL: no error */
    int status;
    const char *want;        /* events without REQUEST */
    int requests;
    int retry_after;
} case_t;

static const case_t cases[] = {
    { "a stream", 1, { HELLO }, NULL, 0, HELLO_EVENTS, 1 },
    { "a whole answer", 0, { JSON("68") WHOLE }, NULL, 0, WHOLE_EVENTS, 1 },
    { "a whole answer to a call that wanted a stream", 1,
      { JSON("68") WHOLE }, NULL, 0, WHOLE_EVENTS, 1 },
    { "a stream that ends with [DONE] and stays open", 1,
      { SSE_LONG DELTA("Hel") DELTA("lo") STOP DONE S_HOLD }, NULL, 0,
      HELLO_EVENTS, 1 },
    { "a stream that breaks behind its finish", 1,
      { SSE_LONG DELTA("Hel") DELTA("lo") STOP S_CLOSE }, NULL, 0,
      HELLO_EVENTS, 1 },
    { "400", 1, { FAIL("400") }, "MODEL_REQUEST_REFUSED", 422, "", 1 },
    { "422", 1, { FAIL("422") }, "MODEL_REQUEST_REFUSED", 422, "", 1 },
    { "400 with a code that says more", 1,
      { FAIL_AS("400", "", "46", "{\"error\":{\"code\":"
                "\"context_length_exceeded\"}}  ") },
      "MODEL_PROMPT_TOO_LARGE", 413, "", 1 },
    { "401", 1, { FAIL("401") }, "MODEL_KEY_REFUSED", 424, "", 1 },
    { "402", 1, { FAIL("402") }, "MODEL_QUOTA", 424, "", 1 },
    { "403", 0, { FAIL("403") }, "MODEL_KEY_REFUSED", 424, "", 1 },
    { "404", 0, { FAIL("404") }, "MODEL_NOT_FOUND", 424, "", 1 },
    { "413", 0, { FAIL("413") }, "MODEL_PROMPT_TOO_LARGE", 413, "", 1 },
    { "a redirect", 0, { FAIL_AS("302", "Location: /x\r\n", "0", "") },
      "MODEL_BAD_ANSWER", 502, "", 1 },
    { "429, again and again", 1, { FAIL("429") }, "MODEL_RATE_LIMIT", 429, "",
      3, MASTRA_MODEL_RETRY_AFTER },
    { "429 that asks to wait for longer than we do", 1,
      { FAIL_AS("429", "Retry-After: 77\r\n", "0", "") },
      "MODEL_RATE_LIMIT", 429, "", 1, 77 },
    { "429 that asks to wait for hours", 1,
      { FAIL_AS("429", "Retry-After: 999999\r\n", "0", "") },
      "MODEL_RATE_LIMIT", 429, "", 1, 3600 },
    { "429 for want of quota", 1,
      { FAIL_AS("429", "", "40", "{\"error\":{\"code\":"
                "\"insufficient_quota\"}} ") },
      "MODEL_QUOTA", 424, "", 1 },
    { "429, then well", 1,
      { FAIL_AS("429", "retry-after-ms: 5\r\n", "0", ""), HELLO }, NULL, 0,
      HELLO_EVENTS, 2 },
    { "500, again and again", 0, { FAIL("500") }, "MODEL_UPSTREAM", 502, "", 3 },
    { "503, then 408, then well", 0,
      { FAIL("503"), FAIL("408"), JSON("68") WHOLE }, NULL, 0, WHOLE_EVENTS, 3 },
    { "409, then well", 0, { FAIL("409"), JSON("68") WHOLE }, NULL, 0,
      WHOLE_EVENTS, 2 },
    { "closed without an answer, then well", 1, { S_CLOSE, HELLO }, NULL, 0,
      HELLO_EVENTS, 2 },
    { "reset before the first word, then well", 1,
      { SSE_LONG S_NAP S_RESET, HELLO }, NULL, 0, HELLO_EVENTS, 2 },
    { "a cut document, then well", 0,
      { JSON("68") "{\"choices" S_CLOSE, JSON("68") WHOLE }, NULL, 0,
      WHOLE_EVENTS, 2 },
    { "cut behind the first word", 1, { SSE_LONG DELTA("Hel") S_CLOSE },
      "MODEL_CUT", 502, "response\ntext [Hel]\n", 1 },
    { "ended behind the first word", 1, { SSE DELTA("Hel") S_CLOSE },
      "MODEL_CUT", 502, "response\ntext [Hel]\n", 1 },
    { "reset behind the first word", 1, { SSE DELTA("Hel") S_NAP S_RESET },
      "MODEL_CUT", 502, "response\ntext [Hel]\n", 1 },
    { "a malformed chunk", 1, { SSE DELTA("Hel") "data: {nope\n\n" S_HOLD },
      "MODEL_BAD_ANSWER", 502, "response\ntext [Hel]\n", 1 },
    { "not an event stream at all", 1,
      { SSE "<html>we are busy</html>\n" S_CLOSE }, "MODEL_BAD_ANSWER", 502, "",
      1 },
    { "an error in the stream before words, then well", 1,
      { SSE "data: {\"error\":{\"code\":503}}\n\n" S_HOLD, HELLO }, NULL, 0,
      HELLO_EVENTS, 2 },
    { "an error in the stream behind words", 1,
      { SSE DELTA("Hel") "data: {\"error\":{\"code\":503}}\n\n" S_HOLD },
      "MODEL_UPSTREAM", 502, "response\ntext [Hel]\n", 1 },
    { "silence before the head", 1, { S_HOLD }, "MODEL_TIMEOUT", 504, "", 1 },
    { "silence behind the head", 1, { SSE S_HOLD }, "MODEL_TIMEOUT", 504, "",
      1 },
    { "silence behind the first word", 1, { SSE DELTA("Hel") S_HOLD },
      "MODEL_TIMEOUT", 504, "response\ntext [Hel]\n", 1 },
    { "an event without end", 1,
      { SSE "data: " S_FLOOD S_FLOOD S_FLOOD S_FLOOD S_FLOOD S_FLOOD S_CLOSE },
      "MODEL_ANSWER_TOO_LARGE", 422, "", 1 },
    { "an error without end", 1,
      { "HTTP/1.1 400 No\r\nConnection: close\r\n\r\n" S_FLOOD S_CLOSE },
      "MODEL_REQUEST_REFUSED", 422, "", 1 },
};

/* The events without those that say that a request was sent. */
static const char *events_of(const drive_t *drive)
{
    const char *text = trace_text(&drive->trace);
    char *out = apr_palloc(pool, strlen(text) + 1), *at = out;

    while (*text) {
        size_t n = strcspn(text, "\n") + 1;

        if (strncmp(text, "request\n", 8) != 0) {
            memcpy(at, text, n);
            at += n;
        }
        text += n;
    }
    *at = '\0';
    return out;
}

static int says(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static void test_case(const case_t *test,
                      const mastra_model_provider_t *provider, int pause)
{
    drive_t drive;
    const char *name = apr_pstrcat(pool, test->name, pause ? ", pausing" : "",
                                   NULL);
    int good;

    server_script(test->script);
    drive_init(&drive, provider);
    drive.request.stream = test->stream;
    drive.request.prompt = drive_prompt("hi");
    drive.trace.pause_at = pause ? -1 : 0;
    drive.resume_ms = 2;
    drive_run(&drive);
    good = is_str(events_of(&drive), test->want, name);
    good &= is_str(*drive.code ? drive.code : NULL, test->code, "… its code");
    good &= is_int(drive.status, test->status, "… its status");
    good &= is_int(drive.dones, 1, "… one end");
    good &= is_int(server.requests, test->requests, "… and its requests");
    good &= is_int(drive.retry_after, test->retry_after, "… and Retry-After");
    good &= ok(!test->code || (says(drive.message, "Model provider '")
                               && !says(drive.message, "upstream")
                               && !says(drive.cause, "sk-secret")
                               && !says(drive.cause, "org-secret")
                               && !says(drive.message, "127.0.0.1")),
               "… and a message without secrets");
    if (!good) {
        printf("# %s | %s\n", drive.message, drive.cause);
    }
    drive_free(&drive);
}

static void test_cases(void)
{
    const mastra_model_provider_t *patient = provider_with("table", -1, 20000);
    const mastra_model_provider_t *hasty = provider_with("hasty", -1, 500);
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        /* on a busy machine a server may be slow without meaning it */
        int silent = cases[i].code && !strcmp(cases[i].code, "MODEL_TIMEOUT");
        const mastra_model_provider_t *provider = silent ? hasty : patient;

        test_case(&cases[i], provider, 0);
        if (cases[i].requests == 1) {
            test_case(&cases[i], provider, 1);
        }
    }
}

/* What goes over the wire. */
static void test_wire(void)
{
    const mastra_model_provider_t *provider = provider_with("wire", -1, 0);
    const char *const script[] = { HELLO, NULL };
    drive_t drive;
    const char *head;

    server_script(script);
    drive_init(&drive, provider);
    drive.trace.with_response = 1;
    drive.request.stream = 1;
    drive.request.prompt = drive_prompt("hi");
    drive.request.settings = mastra_json_own(mastra_json_pack(
        "{s:{s:s, s:s, s:s, s:s, s:s, s:i}}", "headers", "X-Mine", "1",
        "Authorization", "Bearer other", "x-org", "other", "Host", "evil",
        "X-Bad", "a\r\nX-Evil: 1", "X-Number", 1), pool);
    drive_run(&drive);
    head = server.heads[0];
    ok(says(head, "POST /v1/chat/completions HTTP/1.1\r\n"), "method and path");
    ok(says(head, "Content-Type: application/json\r\n"), "content type");
    ok(says(head, "Authorization: Bearer sk-secret-key-0123\r\n"), "the key");
    ok(says(head, "X-Org: org-secret-1\r\n"), "the provider's header");
    ok(says(head, "X-Mine: 1\r\n"), "the caller's header");
    ok(!says(head, "other") && !says(head, "evil") && !says(head, "Evil"),
       "but none that are not the caller's to set");
    ok(!says(head, "Expect"), "no Expect");
    is_str(server.bodies[0], drive.body, "the body is what REQUEST showed");
    is_str(drive.body, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
           "\"content\":\"hi\"}],\"stream\":true,\"stream_options\":{"
           "\"include_usage\":true}}", "… and what it should be");
    ok(says(trace_text(&drive.trace), "response {\"id\":\"c1\",\"timestamp\":"
            "\"2023-11-14T22:13:20.000Z\",\"modelId\":\"mm\",\"headers\":{"
            "\"connection\":\"close\",\"content-type\":\"text/event-stream\","
            "\"x-a\":\"1, 3\",\"x-b\":\"2\"}}\n"), "the response's data");
    drive_free(&drive);
}

/* The upstream may send back what it was sent: the log must not have it. */
static void test_redaction(void)
{
    const mastra_model_provider_t *provider = provider_with("leak", 0, 0);
    static char body[5200], answer[6000];
    const char *script[] = { answer, NULL };
    drive_t drive;

    strcpy(body, "bad key sk-secret-key-0123\r\nfor org-secret-1, Bearer abcdefghijklmnop0123"
           " ");
    memset(body + strlen(body), 'y', 5000);
    snprintf(answer, sizeof(answer), FAIL_AS("401", "", "%d", "%s"),
             (int)strlen(body), body);
    server_script(script);
    drive_init(&drive, provider);
    drive.request.prompt = drive_prompt("hi");
    drive_run(&drive);
    is_str(drive.message, "Model provider 'leak' refused this server's API key",
           "the message is ours");
    ok(says(drive.cause, "HTTP status 401") && says(drive.cause, "bad key"),
       "the cause tells what happened");
    ok(!says(drive.cause, "secret-key") && !says(drive.cause, "org-secret")
       && !says(drive.cause, "abcdef"), "secrets are masked");
    ok(!strpbrk(drive.cause, "\r\n")
       && strlen(drive.cause) <= MASTRA_MODEL_CAUSE_MAX, "in one bounded line");
    drive_free(&drive);
}

static void test_retries(void)
{
    const mastra_model_provider_t *none = provider_with("none", 0, 0);
    const mastra_model_provider_t *some = provider_with("some", 1, 0);
    const char *const script[] = { FAIL("500"), NULL };
    drive_t drive;

    server_script(script);
    drive_init(&drive, none);
    drive.request.prompt = drive_prompt("hi");
    drive_run(&drive);
    is_int(server.requests, 1, "no retries by configuration");
    drive_free(&drive);
    server_script(script);
    drive_init(&drive, some);
    drive.request.prompt = drive_prompt("hi");
    drive_run(&drive);
    is_int(server.requests, 2, "one retry by configuration");
    ok(drive.ended - drive.started > apr_time_from_msec(370), "after a pause");
    is_str(trace_text(&drive.trace), "request\nrequest\n",
           "REQUEST is told of each attempt");
    drive_free(&drive);
    server_script(script);
    drive_init(&drive, some);
    drive.request.prompt = drive_prompt("hi");
    drive.request.settings = mastra_json_own(
        mastra_json_pack("{s:i}", "maxRetries", 0), pool);
    drive_run(&drive);
    is_int(server.requests, 1, "maxRetries counts more");
    drive_free(&drive);
}

static void test_no_server(void)
{
    const mastra_model_provider_t *provider;
    const char *model;
    drive_t drive;

    mastra_models_add(models, "nobody", "openai", "http://127.0.0.1:1", NULL,
                      NULL, 0, 0);
    provider = mastra_models_find(models, "nobody/m", &model);
    drive_init(&drive, provider);
    drive.request.prompt = drive_prompt("hi");
    drive_run(&drive);
    is_str(drive.code, "MODEL_UNREACHABLE", "nobody listens");
    is_int(drive.status, 502, "… is a 502");
    drive_free(&drive);
    mastra_models_add(models, "keyless", "openai", NULL, "TEST_NO_KEY", NULL, 0,
                      -1);
    provider = mastra_models_find(models, "keyless/m", &model);
    drive_init(&drive, provider);
    drive.request.prompt = drive_prompt("hi");
    drive_run(&drive);
    is_str(drive.code, "MODEL_NO_KEY", "no key for a server that wants one");
    is_str(trace_text(&drive.trace), "", "… nothing is sent");
    drive_free(&drive);
}

static void test_unsupported(void)
{
    const mastra_model_provider_t *provider = provider_with("unsup", -1, 0);
    drive_t drive;

    drive_init(&drive, provider);
    drive.request.prompt = mastra_json_own(mastra_json_pack(
        "[{s:s, s:[{s:s, s:s, s:s}]}]", "role", "user", "content", "type",
        "file", "data", "aGk=", "mediaType", "application/zip"), pool);
    drive_run(&drive);
    is_int(drive.status, 422, "content that cannot be sent is a 422");
    ok(says(drive.message, "media type"), "… and says why");
    drive_free(&drive);
}

/* A caller that never resumes holds up the upstream, in bounded memory. */
static void test_back_pressure(void)
{
    const mastra_model_provider_t *provider = provider_with("press", -1, 1000);
    static char answer[600000];
    const char *script[] = { answer, NULL };
    char *at = answer;
    drive_t drive;
    int i;

    at += sprintf(at, SSE);
    for (i = 0; i < 5000; i++) {
        at += sprintf(at, "data: {\"choices\":[{\"delta\":{\"content\":"
                      "\"word %d \"}}]}\n\n", i);
    }
    sprintf(at, STOP DONE S_CLOSE);
    server_script(script);
    drive_init(&drive, provider);
    drive.trace.pause_at = 100;
    drive.resume_ms = -1;
    drive.request.stream = 1;
    drive.request.prompt = drive_prompt("hi");
    drive_start(&drive);
    drive_await(&drive, 100);
    apr_sleep(apr_time_from_msec(1300));
    is_int(drive.trace.events, 100, "while it has paused nothing comes");
    ok(!drive.dones, "… and no time limit is met");
    drive_resume(&drive);
    drive_wait(&drive);
    is_int(drive.trace.events, 5003, "then all of it");
    is_int(drive.status, 0, "… without an error");
    drive_free(&drive);
}

/* ---- cancel ---- */

typedef struct {
    const char *name;
    const char *script[3];
    int requests;            /* to wait for before the cancel; -1: cancel in
                                the turn of the start */
    int pause_at;
    int ms;                  /* to wait then */
} cancel_t;

static const cancel_t cancels[] = {
    { "before its first turn", { HELLO }, -1, 0, 0 },
    { "while the upstream is silent", { S_HOLD }, 1, 0, 0 },
    { "behind the head", { SSE S_HOLD }, 1, 0, 20 },
    { "behind a word", { SSE DELTA("Hel") S_HOLD }, 1, 0, 20 },
    { "inside an event", { SSE DELTA("Hel") "data: {\"ch" S_HOLD }, 1, 0, 20 },
    { "inside a document", { JSON("68") "{\"ch" S_HOLD }, 1, 0, 20 },
    { "inside an error", { "HTTP/1.1 500 No\r\n\r\n{\"err" S_HOLD }, 1, 0, 20 },
    { "while it waits to try again", { FAIL("500") }, 1, 0, 50 },
    { "behind [DONE]", { SSE_LONG DELTA("Hel") STOP DONE S_HOLD }, 1, 0, 20 },
    { "while paused at the request", { HELLO }, 0, 1, 20 },
    { "while paused in the stream", { HELLO }, 1, 3, 50 },
    { "while paused with an upstream that waits",
      { SSE DELTA("a") DELTA("b") S_NAP DELTA("c") S_NAP DELTA("d") S_HOLD }, 1,
      3, 100 },
    { "while paused at the finish", { HELLO }, 1, 5, 60 },
    { "while paused before an error",
      { SSE DELTA("a") DELTA("b") "data: {nope\n\n" S_HOLD }, 1, 3, 50 },
};

static void cancel_now_cb(void *baton)
{
    drive_start_cb(baton);
    drive_cancel_cb(baton);
}

static void test_cancel(const mastra_model_provider_t *provider,
                        const cancel_t *test)
{
    drive_t drive;

    server_script(test->script);
    drive_init(&drive, provider);
    drive.request.stream = 1;
    drive.request.prompt = drive_prompt("hi");
    drive.trace.pause_at = test->pause_at;
    drive.resume_ms = -1;
    if (test->requests < 0) {
        drive.msg.cb = cancel_now_cb;
        drive.msg.baton = &drive;
        mastra_loop_post(loop, &drive.msg);
        drive_wait(&drive);
    }
    else {
        drive_start(&drive);
        server_await_requests(test->requests);
        drive_await(&drive, test->pause_at);
        apr_sleep(apr_time_from_msec(test->ms));
        drive_cancel(&drive);
    }
    apr_sleep(apr_time_from_msec(10));
    ok(drive.dones == 0, apr_pstrcat(pool, "cancel ", test->name, NULL));
    drive_free(&drive);
}

static void test_cancels(void)
{
    const mastra_model_provider_t *provider = provider_with("cancel", -1, 0);
    static const char *const held[] = { SSE DELTA("a") S_HOLD, NULL };
    drive_t drive;
    apr_size_t i;

    for (i = 0; i < sizeof(cancels) / sizeof(cancels[0]); i++) {
        test_cancel(provider, &cancels[i]);
    }
    server_script(held);
    drive_init(&drive, provider);
    drive.request.stream = 1;
    drive.request.prompt = drive_prompt("hi");
    drive_start(&drive);
    server_await_requests(1);
    drive_cancel(&drive);
    server_await_gone();
    ok(1, "the upstream sees that its client is gone");
    drive_free(&drive);
}

/* ---- many at once ---- */

static void test_many(void)
{
    const mastra_model_provider_t *provider = provider_with("many", -1, 0);
    static const char *const script[] = { HELLO, NULL };
    drive_t drives[50];
    int i, good = 1;

    server_script(script);
    for (i = 0; i < 50; i++) {
        drive_init(&drives[i], provider);
        drives[i].request.stream = 1;
        drives[i].request.prompt = drive_prompt("hi");
        drive_start(&drives[i]);
    }
    for (i = 0; i < 50; i++) {
        drive_wait(&drives[i]);
        good &= strcmp(events_of(&drives[i]), HELLO_EVENTS) == 0;
        drive_free(&drives[i]);
    }
    ok(good, "many calls at once do not touch each other");
}

int main(void)
{
    setenv("TEST_KEY", "sk-secret-key-0123", 1);
    unsetenv("TEST_NO_KEY");
    drive_begin();
    server_start();
    models = mastra_models_make(pool);
    test_cases();
    test_wire();
    test_redaction();
    test_retries();
    test_no_server();
    test_unsupported();
    test_back_pressure();
    test_cancels();
    test_many();
    mastra_loop_stop(loop);
    server_stop();
    apr_pool_destroy(pool);
    return tap_done();
}
