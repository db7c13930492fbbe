/* Logs that another child reads, and those of another child that are read
 * here: datagrams while they come, storage else. */

#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define TICK_NEAR apr_time_from_sec(1)       /* asks a silent owner again */
#define TICK_FAR apr_time_from_msec(200)     /* looks at storage */
#define TICK_DORMANT apr_time_from_sec(5)    /* the same, nobody owns it */
#define TICK_BEHIND apr_time_from_msec(50)
#define RETRY apr_time_from_msec(2)
/* what a writer has in hand when the log's end is marked comes in this time */
#define LAST_WORDS apr_time_from_sec(1)
/* a reader that has not asked for so long is gone */
#define FORGET apr_time_from_sec(30)
#define MAX_REMOTES 1000

/* flags of messages */
enum { FLAG_ENDS = 1, FLAG_GONE = 2 };

struct mastra_remote_t {
    mastra_remote_t *next;
    char *address;
    apr_int64_t sent;
    apr_time_t asked_at;
    int over;
};

static void on_tick(void *baton);

/* ---- the owner's side ---- */

static void free_remote(mastra_remote_t *remote)
{
    free(remote->address);
    free(remote);
}

static void reap_remotes(mastra_log_t *log)
{
    mastra_remote_t **at = &log->remotes, *remote;

    while ((remote = *at) != NULL) {
        if (remote->over) {
            *at = remote->next;
            free_remote(remote);
        }
        else {
            at = &remote->next;
        }
    }
}

void mastra_remotes_free(mastra_log_t *log)
{
    mastra_remote_t *remote;

    mastra_loop_timer_stop(log->events->loop, &log->retry);
    while ((remote = log->remotes) != NULL) {
        log->remotes = remote->next;
        free_remote(remote);
    }
}

int mastra_remotes_count(const mastra_log_t *log)
{
    const mastra_remote_t *remote;
    int n = 0;

    for (remote = log->remotes; remote; remote = remote->next) {
        n++;
    }
    return n;
}

static apr_status_t send_none(mastra_events_t *events, const char *to,
                              const char *key, int flags)
{
    mastra_bus_msg_t msg = { .kind = MASTRA_BUS_NONE, .key = key,
                             .flags = flags };

    return mastra_bus_send(events->bus, to, &msg);
}

/* Frames that follow each other, as many as fit; *plast: the newest of them.
 * Nothing fits: buf stays empty. */
static void pack(mastra_buf_t *buf, apr_int64_t *plast,
                 const mastra_log_t *log, const mastra_frame_t *frame)
{
    apr_int64_t seq = frame->seq;

    while (frame && frame->seq == seq
           && buf->len + frame->len < MASTRA_BUS_MAX) {
        mastra_buf_add(buf, frame->text, frame->len);
        mastra_buf_add(buf, "\n", 1);
        *plast = seq++;
        frame = mastra_ring_after(&log->ring, *plast);
    }
}

static apr_status_t send_some(mastra_log_t *log, mastra_remote_t *remote,
                              const mastra_frame_t *frame)
{
    mastra_bus_msg_t msg = { .kind = MASTRA_BUS_DATA, .key = log->key,
                             .seq = frame->seq, .after = remote->sent };
    apr_int64_t last = 0;
    mastra_buf_t buf;
    apr_status_t rv;

    mastra_buf_init(&buf, MASTRA_BUS_MAX + 1);
    pack(&buf, &last, log, frame);
    if (buf.len) {
        msg.data = buf.data;
        msg.len = buf.len;
        rv = mastra_bus_send(log->events->bus, remote->address, &msg);
        if (rv == APR_SUCCESS) {
            remote->sent = last;
        }
        mastra_buf_free(&buf);
        return rv;
    }
    /* too large: it goes by storage */
    if (frame->seq > log->written) {
        mastra_log_hurry(log);
        return APR_EINPROGRESS;
    }
    rv = send_none(log->events, remote->address, log->key, 0);
    if (rv == APR_SUCCESS) {
        remote->sent = frame->seq;
    }
    return rv;
}

static apr_status_t send_end(mastra_log_t *log, mastra_remote_t *remote)
{
    mastra_bus_msg_t msg = { .kind = MASTRA_BUS_DATA, .key = log->key,
                             .flags = FLAG_ENDS, .seq = remote->sent,
                             .after = remote->sent };
    apr_status_t rv = mastra_bus_send(log->events->bus, remote->address, &msg);

    remote->over = rv == APR_SUCCESS;
    return rv;
}

static void pump_remotes(void *baton);

static void feed(mastra_log_t *log, mastra_remote_t *remote)
{
    const mastra_frame_t *frame = NULL;
    apr_status_t rv = APR_SUCCESS;

    if (mastra_loop_now(log->events->loop) - remote->asked_at > FORGET) {
        remote->over = 1;
        return;
    }
    if (remote->sent < log->ring.base) {
        rv = send_none(log->events, remote->address, log->key, 0);
        remote->sent = rv == APR_SUCCESS ? log->ring.last : remote->sent;
    }
    while (rv == APR_SUCCESS
           && (frame = mastra_ring_after(&log->ring, remote->sent)) != NULL) {
        rv = send_some(log, remote, frame);
    }
    if (rv == APR_SUCCESS && log->ended) {
        rv = send_end(log, remote);
    }
    if (rv == APR_EAGAIN && !log->retry.slot) {
        mastra_loop_timer_set(log->events->loop, &log->retry, RETRY,
                              pump_remotes, log);
    }
    else if (rv == APR_ENOENT) {
        remote->over = 1;
    }
}

static void pump_remotes(void *baton)
{
    mastra_log_t *log = baton;
    mastra_remote_t *remote;

    log->deferred = 0;
    for (remote = log->remotes; remote; remote = remote->next) {
        feed(log, remote);
    }
    reap_remotes(log);
    mastra_log_settle(log);
}

/* Once per turn of the loop: what comes together is sent together. */
void mastra_remotes_pump(mastra_log_t *log)
{
    if (!log->remotes || log->deferred) {
        return;
    }
    log->deferred = 1;
    log->turn.cb = pump_remotes;
    log->turn.baton = log;
    mastra_loop_defer(log->events->loop, &log->turn);
}

static mastra_remote_t *find_remote(mastra_log_t *log, const char *address)
{
    mastra_remote_t *remote = log->remotes;

    while (remote && strcmp(remote->address, address)) {
        remote = remote->next;
    }
    return remote;
}

static void on_follow(mastra_events_t *events, const char *from,
                      const mastra_bus_msg_t *msg)
{
    mastra_log_t *log = mastra_log_find(events, msg->key);
    mastra_remote_t *remote;

    if (!log || log->owner || (!log->owned && !log->lingers.slot)
        || mastra_remotes_count(log) > MAX_REMOTES) {
        send_none(events, from, msg->key, FLAG_GONE);
        return;
    }
    remote = find_remote(log, from);
    if (!remote) {
        remote = calloc(1, sizeof(*remote));
        if (!remote || !(remote->address = strdup(from))) {
            abort();
        }
        remote->next = log->remotes;
        log->remotes = remote;
    }
    remote->sent = msg->after;
    remote->over = 0;        /* it has left, and come back at once */
    remote->asked_at = mastra_loop_now(events->loop);
    mastra_remotes_pump(log);
}

static void on_leave(mastra_events_t *events, const char *from,
                     const mastra_bus_msg_t *msg)
{
    mastra_log_t *log = mastra_log_find(events, msg->key);
    mastra_remote_t *remote = log ? find_remote(log, from) : NULL;

    if (remote) {
        remote->over = 1;
        mastra_remotes_pump(log);
    }
}

/* ---- the reader's side ---- */

static int is_near(const mastra_log_t *log)
{
    return log->owner && log->events->bus
           && mastra_bus_is_near(log->events->bus, log->owner);
}

static void set_tick(mastra_log_t *log)
{
    mastra_loop_timer_set(log->events->loop, &log->tick,
                          log->behind ? TICK_BEHIND
                          : is_near(log) ? TICK_NEAR
                          : log->owner ? TICK_FAR : TICK_DORMANT,
                          on_tick, log);
}

static void lose_owner(mastra_log_t *log)
{
    free(log->owner);
    log->owner = NULL;
}

static void ask(mastra_log_t *log)
{
    mastra_bus_msg_t msg = { .kind = MASTRA_BUS_FOLLOW, .key = log->key,
                             .after = log->ring.last };
    mastra_events_t *events = log->events;

    if (mastra_bus_send(events->bus, log->owner, &msg) == APR_ENOENT) {
        char *address = log->owner;

        log->owner = NULL;
        if (events->dead) {
            events->dead(events->dead_baton, address);
        }
        free(address);
    }
}

/* Lines whose sequences are known, those that are new. */
static void take_lines(mastra_log_t *log, const char *text, apr_size_t len,
                       const apr_int64_t *seqs, apr_int64_t seq)
{
    const char *end, *stop = text + len;
    int i;

    for (i = 0; text < stop; i++) {
        apr_int64_t here = seqs ? seqs[i] : seq + i;

        end = memchr(text, '\n', (apr_size_t)(stop - text));
        if (!end) {
            return;
        }
        if (here > log->ring.last) {
            mastra_ring_add(&log->ring, here, text, (apr_size_t)(end - text));
        }
        text = end + 1;
    }
}

static void note_end(mastra_log_t *log, const mastra_log_read_t *read)
{
    apr_time_t now = mastra_loop_now(log->events->loop);

    if (!read->ended || read->more) {
        return;
    }
    if (read->ended > 1
        || (log->marked_at && now - log->marked_at > LAST_WORDS)) {
        log->ended = 1;
    }
    else if (!log->marked_at) {
        log->marked_at = now;
    }
}

static void after_read(void *baton)
{
    mastra_log_t *log = baton;
    mastra_log_read_t *read = log->read;
    int more = read->more && read->rv == APR_SUCCESS;

    log->read = NULL;
    if (!log->owned && read->rv == APR_SUCCESS) {
        take_lines(log, read->text, strlen(read->text), read->seqs, 0);
        note_end(log, read);
    }
    mastra_log_read_free(read);
    log->busy++;
    if (!log->owned && !log->ended) {
        if (log->behind && !more && is_near(log)) {
            ask(log);
        }
        if (more) {
            mastra_loop_timer_set(log->events->loop, &log->tick, 0, on_tick,
                                  log);
        }
        else {
            set_tick(log);
        }
    }
    log->busy--;
    mastra_log_pump(log);
}

static void look(mastra_log_t *log)
{
    if (!log->read) {
        log->read = mastra_log_read(log, log->ring.last, after_read, log);
    }
    if (!log->read) {
        set_tick(log);
    }
}

static void on_tick(void *baton)
{
    mastra_log_t *log = baton;

    log->busy++;
    if (!is_near(log) || log->behind) {
        look(log);
    }
    else {
        if (mastra_loop_now(log->events->loop) - log->heard_at >= TICK_NEAR) {
            ask(log);
        }
        set_tick(log);
    }
    log->busy--;
    mastra_log_settle(log);
}

void mastra_mirror_start(mastra_log_t *log)
{
    if (log->ended) {
        return;
    }
    log->busy++;
    if (is_near(log)) {
        ask(log);
    }
    if (is_near(log)) {
        set_tick(log);
    }
    else {
        look(log);
    }
    log->busy--;
}

void mastra_mirror_stop(mastra_log_t *log)
{
    mastra_bus_msg_t msg = { .kind = MASTRA_BUS_LEAVE, .key = log->key };

    mastra_loop_timer_stop(log->events->loop, &log->tick);
    if (is_near(log) && !log->ended) {
        mastra_bus_send(log->events->bus, log->owner, &msg);
    }
}

static int is_own(const mastra_events_t *events, const char *address)
{
    return events->bus && !strcmp(mastra_bus_address(events->bus), address);
}

void mastra_log_owner(mastra_events_t *events, const char *key,
                      const char *owner)
{
    mastra_log_t *log = mastra_log_find(events, key);

    if (!log || log->owned) {
        return;
    }
    if (log->owner && owner && !strcmp(log->owner, owner) && log->tick.slot) {
        return;
    }
    lose_owner(log);
    /* one that is to be ours will be opened in a moment */
    if (owner && *owner && !is_own(events, owner)) {
        log->owner = strdup(owner);
    }
    mastra_mirror_start(log);
}

void mastra_log_doubt(mastra_events_t *events, const char *key)
{
    mastra_log_t *log = mastra_log_find(events, key);

    if (log && !log->owned && !is_near(log)) {
        mastra_log_owner(events, key, NULL);
    }
}

static void on_data(mastra_events_t *events, const char *from,
                    const mastra_bus_msg_t *msg)
{
    mastra_log_t *log = mastra_log_find(events, msg->key);

    if (!log || log->owned || !log->owner || strcmp(log->owner, from)) {
        mastra_bus_msg_t leave = { .kind = MASTRA_BUS_LEAVE, .key = msg->key };

        mastra_bus_send(events->bus, from, &leave);
        return;
    }
    log->heard_at = mastra_loop_now(events->loop);
    if (msg->after > log->ring.last) {
        ask(log);
        return;
    }
    log->behind = 0;
    take_lines(log, msg->data, msg->len, NULL, msg->seq);
    if (msg->flags & FLAG_ENDS) {
        log->ended = 1;
    }
    mastra_log_pump(log);
}

static void on_none(mastra_events_t *events, const char *from,
                    const mastra_bus_msg_t *msg)
{
    mastra_log_t *log = mastra_log_find(events, msg->key);

    if (!log || log->owned || !log->owner || strcmp(log->owner, from)) {
        return;
    }
    log->heard_at = mastra_loop_now(events->loop);
    if (msg->flags & FLAG_GONE) {
        lose_owner(log);
    }
    else {
        log->behind = 1;
    }
    log->busy++;
    look(log);
    log->busy--;
    mastra_log_settle(log);
}

void mastra_events_message(mastra_events_t *events, const char *from,
                           const mastra_bus_msg_t *msg)
{
    switch (msg->kind) {
    case MASTRA_BUS_FOLLOW:
        on_follow(events, from, msg);
        break;
    case MASTRA_BUS_LEAVE:
        on_leave(events, from, msg);
        break;
    case MASTRA_BUS_DATA:
        on_data(events, from, msg);
        break;
    case MASTRA_BUS_NONE:
        on_none(events, from, msg);
        break;
    }
}
