/* Datagrams between processes: delivery, strangers, the dead, the busy. */

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "net/bus.h"
#include "onloop.h"
#include "tap.h"

static apr_pool_t *pool;
static char dir[] = "/tmp/mastra-bus-XXXXXX";

/* What one end has received; its callbacks run on its loop. */
typedef struct {
    mastra_loop_t *loop;
    mastra_bus_t *bus;
    pthread_mutex_t lock;
    int count, bytes, out_of_order;
    apr_int64_t last;
    char text[64], from[128];
} end_t;

static void on_message(void *baton, const char *from,
                       const mastra_bus_msg_t *msg)
{
    end_t *end = baton;

    pthread_mutex_lock(&end->lock);
    end->count++;
    end->bytes += (int)msg->len;
    end->out_of_order += msg->seq && msg->seq != end->last + 1;
    end->last = msg->seq;
    apr_snprintf(end->text, sizeof(end->text), "%d/%d %s %ld %.*s", msg->kind,
                 msg->flags, msg->key, (long)msg->after,
                 msg->len < 20 ? (int)msg->len : 0, msg->data);
    apr_cpystrn(end->from, from, sizeof(end->from));
    pthread_mutex_unlock(&end->lock);
}

static int received(end_t *end)
{
    int n;

    pthread_mutex_lock(&end->lock);
    n = end->count;
    pthread_mutex_unlock(&end->lock);
    return n;
}

static int wait_count(end_t *end, int n)
{
    int i;

    for (i = 0; i < 6000 && received(end) < n; i++) {
        apr_sleep(10000);
    }
    return received(end);
}

/* One that does not listen yet. */
static end_t *open_deaf(const char *node)
{
    end_t *end = apr_pcalloc(pool, sizeof(*end));

    pthread_mutex_init(&end->lock, NULL);
    mastra_loop_start(&end->loop, NULL, pool);
    if (mastra_bus_open(&end->bus, end->loop, dir, node, pool)) {
        return NULL;
    }
    return end;
}

static end_t *open_end(const char *node)
{
    end_t *end = open_deaf(node);

    if (end) {
        mastra_bus_listen(end->bus, on_message, end);
    }
    return end;
}

typedef struct {
    end_t *end;
    const char *to;              /* NULL: all */
    mastra_bus_msg_t msg;
    int times, busy;
    apr_status_t rv;
} sending_t;

static void send_now(void *baton)
{
    sending_t *s = baton;
    int i;

    for (i = 0; i < s->times; i++) {
        if (!s->to) {
            mastra_bus_broadcast(s->end->bus, &s->msg);
            continue;
        }
        s->rv = mastra_bus_send(s->end->bus, s->to, &s->msg);
        s->busy += s->rv == APR_EAGAIN;
        s->msg.seq += s->msg.seq && s->rv == APR_SUCCESS;
    }
}

static apr_status_t send_one(end_t *end, const char *to, const char *data)
{
    sending_t s = { end, to, { 7, 3, "the-key", 0, 42, data, strlen(data) },
                    1, 0, 0 };

    on_loop(end->loop, send_now, &s);
    return s.rv;
}

static void close_now(void *baton)
{
    mastra_bus_close(((end_t *)baton)->bus);
}

static int sockets(void)
{
    char command[128], line[16] = "";
    FILE *file;

    snprintf(command, sizeof(command), "ls %s | wc -l", dir);
    file = popen(command, "r");
    if (!fgets(line, sizeof(line), file)) {
        line[0] = '\0';
    }
    pclose(file);
    return atoi(line);
}

static void test_delivery(end_t *a, end_t *b, end_t *stranger)
{
    sending_t all = { a, NULL, { 5, 0, "k", 0, 0, "x", 1 }, 1, 0, 0 };

    is_int(send_one(a, mastra_bus_address(b->bus), "hello"), 0,
           "a message is sent");
    is_int(wait_count(b, 1), 1, "... and comes");
    is_str(b->text, "7/3 the-key 42 hello", "... as it was");
    is_str(b->from, mastra_bus_address(a->bus), "... with its sender");
    is_int(send_one(b, b->from, "back"), 0, "the receiver knows the way back");
    is_int(wait_count(a, 1), 1, "... and the answer comes");
    on_loop(a->loop, send_now, &all);
    is_int(wait_count(b, 2), 2, "what is for all comes to siblings");
    apr_sleep(50000);
    is_int(received(stranger), 0, "... and not to another server's children");
    ok(!mastra_bus_is_near(a->bus, mastra_bus_address(stranger->bus)),
       "who that is can be told by the address");
    is_int(send_one(a, "nodeA.1-beef", "x"), APR_ENOENT,
           "nobody is there who never was");
    is_int(send_one(a, "../etc/x", "x"), APR_ENOENT, "a path is no address");
}

typedef struct {
    int begun, over;
} pause_t;

static void set(int *flag)
{
    __atomic_store_n(flag, 1, __ATOMIC_SEQ_CST);
}

static void await(const int *flag)
{
    int i;

    for (i = 0; i < 6000 && !__atomic_load_n(flag, __ATOMIC_SEQ_CST); i++) {
        apr_sleep(10000);
    }
}

static void pause_now(void *baton)
{
    pause_t *pause = baton;

    set(&pause->begun);
    await(&pause->over);
}

/* More than a socket takes at once: busy, not lost, not in disorder. */
static void test_busy(end_t *a, end_t *b)
{
    static char big[MASTRA_BUS_MAX];
    sending_t s = { a, mastra_bus_address(b->bus),
                    { 9, 0, "big", 1, 0, big, sizeof(big) }, 200, 0, 0 };
    pause_t asleep = { 0, 0 };
    mastra_msg_t pause = { .cb = pause_now, .baton = &asleep };
    int before = received(b);

    memset(big, 'b', sizeof(big));
    b->last = 0;
    mastra_loop_post(b->loop, &pause);
    await(&asleep.begun);
    on_loop(a->loop, send_now, &s);
    set(&asleep.over);
    ok(s.busy > 0, "a receiver that is slow is busy for a while");
    is_int(wait_count(b, before + (int)s.msg.seq - 1),
           before + (int)s.msg.seq - 1, "what was taken comes");
    is_int(b->out_of_order, 0, "... in order");
    s.msg.len = MASTRA_BUS_MAX + 1;
    s.times = 1;
    on_loop(a->loop, send_now, &s);
    is_int(s.rv, APR_EINVAL, "what is too large is refused");
}

static void test_post(end_t *a, end_t *b)
{
    sending_t s = { a, NULL, { 5, 0, "k", 0, 0, "x", 1 }, 250, 0, 0 };
    int before = received(b);

    on_loop(a->loop, send_now, &s);
    is_int(wait_count(b, before + 250), before + 250,
           "hints for one who is busy come later");
}

static void test_death(end_t *a)
{
    int fds[2], n;
    char address[128] = "";
    pid_t pid;

    n = sockets();
    if (pipe(fds)) {
        return;
    }
    pid = fork();
    if (!pid) {
        mastra_bus_t *bus = NULL;
        mastra_loop_t *loop;

        apr_initialize();
        apr_pool_create(&pool, NULL);
        mastra_loop_start(&loop, NULL, pool);
        mastra_bus_open(&bus, loop, dir, "nodeA", pool);
        n = write(fds[1], mastra_bus_address(bus),
                  strlen(mastra_bus_address(bus)) + 1) < 0;
        pause();
        _exit(n);
    }
    ok(read(fds[0], address, sizeof(address)) > 0, "a child is there");
    is_int(send_one(a, address, "x"), 0, "... and reached");
    is_int(sockets(), n + 1, "... at a socket of its own");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    is_int(send_one(a, address, "x"), APR_ENOENT, "one that was killed is not");
    is_int(sockets(), n, "... and its socket is removed");
}

static void test_early(end_t *a)
{
    end_t *late = open_deaf("nodeA");

    if (!ok(late != NULL, "a child that is still starting")) {
        return;
    }
    is_int(send_one(a, mastra_bus_address(late->bus), "early"), 0,
           "... can be written to");
    apr_sleep(50000);
    is_int(received(late), 0, "... but is told nothing yet");
    mastra_bus_listen(late->bus, on_message, late);
    is_int(wait_count(late, 1), 1, "... and all of it once it listens");
    on_loop(late->loop, close_now, late);
}

int main(void)
{
    end_t *a, *b, *stranger;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (!mkdtemp(dir)) {
        return 1;
    }
    a = open_end("nodeA");
    b = open_end("nodeA");
    stranger = open_end("nodeB");
    if (!ok(a && b && stranger, "sockets are made")) {
        return tap_done();
    }
    ok(strcmp(mastra_bus_address(a->bus), mastra_bus_address(b->bus)),
       "each has an address of its own");
    test_delivery(a, b, stranger);
    test_early(a);
    test_busy(a, b);
    test_post(a, b);
    test_death(a);
    on_loop(b->loop, close_now, b);
    is_int(send_one(a, mastra_bus_address(b->bus), "x"), APR_ENOENT,
           "one that said good-bye is gone");
    apr_pool_destroy(pool);
    is_int(sockets(), 0, "no socket is left");
    rmdir(dir);
    return tap_done();
}
