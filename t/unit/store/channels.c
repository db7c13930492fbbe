/* Threads as channels, their queue and logs, on each database. */

#include <pthread.h>

#include "store/channels.h"
#include "store/events.h"
#include "dbtest.h"

#define LEASE apr_time_from_sec(30)

static mastra_store_t *store;

/* One call in a job of its own. */
typedef struct step_t {
    apr_status_t (*call)(struct step_t *s, mastra_db_t *db, apr_pool_t *pool);
    mastra_channel_row_t row;
    const char *id, *text, *owner, *thread;
    int epoch, n, halt;
    apr_int64_t seq;
    apr_interval_time_t lease;
    mastra_queue_item_t *items, item;
    mastra_channel_claim_t *claims;
    mastra_channel_row_t *rows;
    const char *const *ids;
    mastra_events_page_t page;
    mastra_events_row_t event;
    char *copy;
} step_t;

static apr_status_t run_step(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    step_t *step = baton;

    /* results are looked at when the job's own pool has gone */
    return step->call(step, db, test_pool);
}

static apr_status_t go(step_t *step)
{
    return mastra_store_call(store, MASTRA_STORE_WRITE, run_step, step);
}

#define STEP(name, of) \
    static apr_status_t name(step_t *s, mastra_db_t *db, apr_pool_t *pool) \
    { return of; }

static apr_status_t claim_it(step_t *s, mastra_db_t *db, apr_pool_t *pool)
{
    apr_status_t rv = mastra_channels_lock(&s->row, db, "h", "r", s->thread,
                                           pool);

    return rv ? rv : mastra_channels_claim(&s->row, db, "agent", s->text, NULL,
                                           s->owner, s->lease, pool);
}

STEP(lock_it, mastra_channels_lock(&s->row, db, "h", "r", s->thread, pool))
STEP(get_it, mastra_channels_get(&s->row, db, "h", "r", s->thread, pool))
STEP(of_run, mastra_channels_of_run(&s->row, db, "h", s->text, pool))
STEP(release_it, mastra_channels_release(&s->row, db, s->id, s->epoch,
                                         (mastra_channel_status_e)s->n, pool))
STEP(check_it, mastra_channels_check(&s->halt, db, s->id, s->epoch, pool))
STEP(halt_it, mastra_channels_halt(db, s->id, pool))
STEP(abandon_it, mastra_channels_abandon(db, s->id, pool))
STEP(renew_it, mastra_channels_renew(&s->rows, &s->n, db, s->owner, s->lease,
                                     pool))
STEP(lapsed_it, mastra_channels_lapsed(&s->ids, &s->n, db, "h", pool))
STEP(of_owner, mastra_channels_of_owner(&s->ids, &s->n, db, "h", s->owner,
                                        pool))
STEP(changed_it, mastra_channels_changed(&s->rows, &s->n, &s->seq, db, 0, pool))
STEP(claims_of, mastra_channels_claims(&s->claims, &s->n, db, s->id, s->epoch,
                                       pool))
STEP(push_it, mastra_queue_push(db, s->id, s->owner, "run", s->text, pool))
STEP(first_it, mastra_queue_first(&s->item, db, s->id, pool))
STEP(of_run_it, mastra_queue_of_run(&s->item, db, s->id, s->text, pool))
STEP(take_it, mastra_queue_take(&s->items, &s->n, db, s->id, pool))
STEP(drop_it, mastra_queue_drop(db, s->id, s->n, pool))
STEP(promote_it, mastra_queue_promote(db, s->id, s->n, s->text, pool))
STEP(append_it, mastra_events_append(db, &s->event, pool))
STEP(end_it, mastra_events_end(db, s->id, s->epoch, s->n, pool))
STEP(read_it, mastra_events_read(&s->page, db, s->id, s->seq, 1000, pool))
STEP(newest_it, mastra_events_newest(&s->seq, db, s->id, pool))
STEP(trim_it, mastra_events_trim(db, s->id, s->seq, pool))
STEP(sweep_it, mastra_events_sweep(&s->n, db, s->lease, s->lease, pool))
STEP(sweep_channels, mastra_channels_sweep(&s->n, db, s->lease, pool))

static mastra_channel_row_t claim(const char *thread, const char *run,
                                  const char *owner)
{
    step_t step = { .call = claim_it, .thread = thread, .text = run,
                    .owner = owner, .lease = LEASE };

    IS_INT(go(&step), 0, apr_pstrcat(test_pool, run, " is claimed", NULL));
    return step.row;
}

/* ---- claims ---- */

static void test_claims(void)
{
    step_t step = { .call = get_it, .thread = "t1" };
    mastra_channel_row_t first, second;

    IS_INT(go(&step), MASTRA_STORE_NOT_FOUND, "a thread is no channel at first");
    step.call = lock_it;
    IS_INT(go(&step), 0, "one is made");
    IS_INT(step.row.status, MASTRA_CHANNEL_IDLE, "... idle");
    first = claim("t1", "run1", "node.1");
    IS_INT(first.epoch, 1, "a claim raises the epoch");
    IS(first.id, step.row.id, "... of that channel");
    step.call = get_it;
    go(&step);
    IS_INT(step.row.status, MASTRA_CHANNEL_RUNNING, "it is running");
    IS(step.row.owner, "node.1", "... its owner's");
    OK(!mastra_channel_lapsed(&step.row), "... whose lease lasts");
    step.call = of_run;
    step.text = "run1";
    IS_INT(go(&step), 0, "it is found by its run");
    second = claim("t1", "run2", "node.2");
    step = (step_t) { .call = release_it, .id = first.id, .epoch = first.epoch };
    IS_INT(go(&step), MASTRA_CHANNEL_STALE, "the owner of before cannot let go");
    step.call = check_it;
    IS_INT(go(&step), MASTRA_CHANNEL_STALE, "... and is told so");
    step.epoch = second.epoch;
    IS_INT(go(&step), 0, "the present one has it");
    IS_INT(step.halt, 0, "... and may go on");
    step.call = halt_it;
    go(&step);
    step.call = check_it;
    go(&step);
    IS_INT(step.halt, 1, "until it is asked to stop");
    step.call = release_it;
    IS_INT(go(&step), 0, "it lets go");
    step.call = of_run;
    step.text = "run2";
    IS_INT(go(&step), MASTRA_STORE_NOT_FOUND, "an idle channel has no run");
    step = (step_t) { .call = claims_of, .id = first.id };
    go(&step);
    IS_INT(step.n, 2, "all claims are in its own log");
    IS(step.claims[0].run, "run1", "... in order");
    IS(step.claims[1].log, second.log, "... with the log of each run");
}

static void test_leases(void)
{
    mastra_channel_row_t row = claim("t2", "run3", "node.3");
    step_t step = { .call = renew_it, .owner = "node.3", .lease = LEASE };

    go(&step);
    IS_INT(step.n, 1, "a lease is renewed with all of its owner");
    IS(step.rows[0].id, row.id, "... which hears what it owns");
    step.call = lapsed_it;
    go(&step);
    IS_INT(step.n, 0, "no lease has ended");
    step.call = renew_it;
    step.lease = -apr_time_from_sec(1);
    go(&step);
    step.call = lapsed_it;
    go(&step);
    IS_INT(step.n, 1, "one has");
    step.call = of_owner;
    go(&step);
    IS_INT(step.n, 1, "channels of an owner are found");
    step = (step_t) { .call = abandon_it, .id = row.id };
    go(&step);
    step = (step_t) { .call = get_it, .thread = "t2" };
    go(&step);
    OK(mastra_channel_lapsed(&step.row), "one that was left has no lease");
    IS(step.row.run, "", "... and no run");
    step.call = changed_it;
    go(&step);
    IS_INT(step.n, 2, "what was claimed is seen by who asks");
}

/* ---- the queue ---- */

static void push(const char *id, const char *kind, const char *text)
{
    step_t step = { .call = push_it, .id = id, .owner = kind, .text = text };

    IS_INT(go(&step), 0, apr_pstrcat(test_pool, text, " waits", NULL));
}

static void test_queue(void)
{
    mastra_channel_row_t row = claim("t3", "run4", "node.3");
    step_t step = { .call = first_it, .id = row.id };

    IS_INT(go(&step), MASTRA_STORE_NOT_FOUND, "nothing waits");
    push(row.id, MASTRA_QUEUE_NEXT, "n1");
    push(row.id, MASTRA_QUEUE_DELIVER, "d1");
    push(row.id, MASTRA_QUEUE_NEXT, "n2");
    push(row.id, MASTRA_QUEUE_DELIVER, "d2");
    step.call = of_run_it;
    step.text = "other";
    IS_INT(go(&step), MASTRA_STORE_NOT_FOUND, "no run of that name begins");
    step.text = "run";
    go(&step);
    IS(step.item.text, "n1", "... what one begins with is found");
    step.call = first_it;
    go(&step);
    IS(step.item.text, "d1", "what is for the run goes first");
    step.call = take_it;
    go(&step);
    IS_INT(step.n, 2, "it is taken");
    IS(step.items[0].text, "d1", "... in order");
    IS(step.items[1].text, "d2", "... all of it");
    go(&step);
    IS_INT(step.n, 0, "... once");
    step.call = first_it;
    go(&step);
    IS(step.item.text, "n1", "then what is next");
    step.call = drop_it;
    step.n = step.item.place;
    go(&step);
    step.call = first_it;
    go(&step);
    IS(step.item.text, "n2", "... and what is after that");
    push(row.id, MASTRA_QUEUE_DELIVER, "d3");
    step.call = first_it;
    go(&step);
    step.call = promote_it;
    step.n = step.item.place;
    step.text = "run5";
    go(&step);
    step.call = take_it;
    go(&step);
    IS_INT(step.n, 0, "what is promoted is no run's any more");
}

static void test_full(void)
{
    mastra_channel_row_t row = claim("t4", "run6", "node.3");
    step_t step = { .call = push_it, .id = row.id, .owner = MASTRA_QUEUE_NEXT,
                    .text = "x" };
    int i;

    for (i = 0; i < MASTRA_QUEUE_MAX && !go(&step); i++) {
    }
    IS_INT(i, MASTRA_QUEUE_MAX, "a queue takes many");
    IS_INT(go(&step), MASTRA_STORE_BUSY, "... and not more");
}

/* ---- two at once ---- */

typedef struct {
    int number;
    int won;
} rival_t;

static apr_status_t claim_if_idle(step_t *s, mastra_db_t *db, apr_pool_t *pool)
{
    apr_status_t rv = mastra_channels_lock(&s->row, db, "h", "r", s->thread,
                                           pool);

    s->n = 0;
    if (rv || s->row.status != MASTRA_CHANNEL_IDLE) {
        return rv;
    }
    s->n = 1;
    return mastra_channels_claim(&s->row, db, "a", s->text, NULL, s->owner,
                                 LEASE, pool);
}

static apr_status_t run_rival(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    step_t *step = baton;

    return step->call(step, db, pool);
}

static void *contend(void *baton)
{
    rival_t *rival = baton;
    char thread[32];
    int i;

    for (i = 0; i < 20; i++) {
        step_t step = { .call = claim_if_idle, .thread = thread, .text = "run",
                        .owner = "o" };

        snprintf(thread, sizeof(thread), "race%d", i);
        rival->won += !mastra_store_call(store, MASTRA_STORE_WRITE, run_rival,
                                         &step) && step.n;
    }
    return NULL;
}

static void test_race(void)
{
    rival_t rivals[4] = { { 0, 0 } };
    pthread_t threads[4];
    int i, won = 0;

    for (i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, contend, &rivals[i]);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        won += rivals[i].won;
    }
    IS_INT(won, 20, "of several claims at once one wins");
}

/* ---- logs ---- */

static apr_status_t append(const char *log, int epoch, apr_int64_t seq,
                           apr_int64_t newest, const char *frames)
{
    step_t step = { .call = append_it, .event = { log, seq, newest, epoch,
                                                  frames } };

    return go(&step);
}

static void test_events(void)
{
    step_t step = { .call = newest_it, .id = "log" };

    IS_INT(go(&step) || step.seq, 0, "a log is empty at first");
    IS_INT(append("log", 1, 1, 2, "a\nb\n"), 0, "frames are stored");
    IS_INT(append("log", 1, 3, 3, "c\n"), 0, "... and more");
    IS_INT(append("log", 1, 3, 3, "c\n"), 0, "... the same may come again");
    go(&step);
    IS_INT(step.seq, 3, "the newest is known");
    step = (step_t) { .call = read_it, .id = "log" };
    go(&step);
    IS_INT(step.page.nrows, 2, "all are read");
    IS(step.page.rows[0].frames, "a\nb\n", "... as they were");
    IS_INT(step.page.ended, 0, "... and the log goes on");
    step.seq = 2;
    go(&step);
    IS_INT(step.page.nrows, 1, "or those after one");
    IS_INT(append("log", 3, 1000004, 1000004, "d\n"), 0, "a new owner writes");
    IS_INT(append("log", 2, 4, 4, "late\n"), MASTRA_EVENTS_STALE,
           "... and the one before cannot");
    step = (step_t) { .call = end_it, .id = "log", .epoch = 3 };
    go(&step);
    step.call = read_it;
    go(&step);
    IS_INT(step.page.ended, 1, "its end is marked");
    step.call = end_it;
    step.n = 1;
    go(&step);
    step.call = read_it;
    go(&step);
    IS_INT(step.page.ended, 2, "... and that it is complete");
    IS_INT(step.page.nrows, 3, "... with all it says");
    step = (step_t) { .call = trim_it, .id = "log", .seq = 3 };
    go(&step);
    step.call = read_it;
    step.seq = 0;
    go(&step);
    IS(step.page.rows[0].frames, "c\n", "what is old can be dropped");
}

static void test_sweep(void)
{
    mastra_channel_row_t row = claim("t5", "run7", "node.5");
    step_t step = { .call = sweep_it, .lease = apr_time_from_sec(3600) };

    append(row.log, 1, 1, 1, "kept\n");
    go(&step);
    IS_INT(step.n, 0, "nothing is old");
    step.lease = -apr_time_from_sec(3600);
    go(&step);
    OK(step.n > 0, "what is too old goes");
    step.call = sweep_channels;
    go(&step);
    OK(step.n > 0, "... and channels that nobody uses");
    step = (step_t) { .call = get_it, .thread = "t5" };
    IS_INT(go(&step), 0, "... but none that is in use");
}

static void test(const mastra_store_conf_t *conf)
{
    apr_pool_t *pool;

    apr_pool_create(&pool, test_pool);
    OK(!mastra_store_open(&store, conf, pool), "the store opens");
    test_claims();
    test_leases();
    test_queue();
    test_full();
    test_race();
    test_events();
    test_sweep();
    mastra_store_close(store);
    apr_pool_destroy(pool);
}

int main(void)
{
    test_start();
    test_each("channels", test);
    return test_end();
}
