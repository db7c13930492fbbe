/* Who may go on with a run: epochs, leases, and when its row is written. */

#include "store/internal.h"
#include "store/flows.h"
#include "dbtest.h"

#define LEASE apr_time_from_sec(30)

static mastra_store_t *store;
static mastra_flow_row_t run;

typedef struct {
    apr_int64_t lease;           /* ms from now that it is set to first */
    int taken, epoch;
    apr_int64_t left;            /* of the lease after it */
    int changes, taken_after;
    const char *with_step;       /* NULL, or a record */
    int stored;                  /* what there is of it */
} turn_t;

static apr_status_t make(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_flow_row_t row = {
        .host = "h", .id = "run-1", .workflow = "w", .status = "pending",
        .graph = "g", .epoch = 1,
        .snapshot = mastra_json_own(mastra_json_object(), test_pool)
    };
    apr_status_t rv = mastra_flows_create(db, &row, pool);

    (void)baton;
    if (rv == APR_SUCCESS) {
        rv = mastra_flows_claim(&row, db, "somebody", LEASE, 1, pool);
    }
    run = row;
    return rv;
}

static apr_status_t advance(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    turn_t *turn = baton;
    const mastra_flow_step_t step = { .place = "0", .record = turn->with_step };
    mastra_flow_row_t row = run, now;
    mastra_json_t *steps = NULL;
    apr_size_t bytes;
    apr_int64_t ms = 0;
    apr_status_t rv = mastra_db_now(&ms, db, pool);
    int before;

    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(NULL, db, "UPDATE mastra_x_runs SET lease = ?, "
                               "taken = ? WHERE id = 'run-1'",
                               (const mastra_bind_t[]) {
            MASTRA_INT(ms + turn->lease), MASTRA_INT(turn->taken)
        }, 2, pool);
    }
    before = db->changes;
    row.epoch += turn->epoch;
    if (rv == APR_SUCCESS) {
        rv = mastra_flows_advance(db, &row, LEASE,
                                  turn->with_step ? &step : NULL, pool);
    }
    turn->changes = db->changes - before;
    if (rv == APR_SUCCESS) {
        rv = mastra_flows_get(&now, db, "h", "w", "run-1", 0, pool);
    }
    if (rv == APR_SUCCESS) {
        turn->left = now.lease - now.now;
        turn->taken_after = now.taken;
        rv = mastra_flows_steps(&steps, &bytes, db, "run-1", pool);
    }
    if (rv == APR_SUCCESS) {
        turn->stored = (int)mastra_json_int(mastra_json_get(steps, "0"));
        mastra_json_unref(steps);
    }
    return rv;
}

static apr_status_t turn(turn_t *t)
{
    return mastra_store_call(store, MASTRA_STORE_WRITE, advance, t);
}

static void test_flows(const mastra_store_conf_t *conf)
{
    int sqlite = !strcmp(conf->driver, "sqlite3");
    turn_t fresh = { .lease = 25000 }, old = { .lease = 10000 };
    turn_t over = { .lease = -5000 }, taken = { .lease = 25000, .taken = 2 };
    turn_t stale = { .lease = 25000, .epoch = -1 };
    turn_t step = { .lease = 25000, .with_step = "1" };
    turn_t late = { .lease = 10000, .with_step = "2" };
    turn_t first = { .lease = 25000, .taken = 1, .with_step = "3" };
    turn_t lost = { .lease = 25000, .epoch = -1, .with_step = "4" };
    turn_t after = { .lease = 25000 };

    OK(!mastra_store_open(&store, conf, test_pool), "the store");
    OK(!mastra_store_call(store, MASTRA_STORE_WRITE, make, NULL),
       "a run that somebody has");
    OK(!turn(&fresh), "a step is stored while the lease is long");
    IS_INT(fresh.changes, sqlite ? 0 : 1,
           "... and the row is written only to lock it");
    OK(fresh.left > 20000, "... and the lease is there");
    OK(!turn(&old), "a step is stored while the lease is short");
    OK(old.left > 25000, "... and renews it");
    OK(!turn(&over), "a step is stored after the lease, nobody having come");
    OK(over.left > 25000, "... and renews it");
    OK(!turn(&taken), "the first step after taking over is stored");
    IS_INT(taken.taken_after, 0, "... and forgets how often it was tried");
    IS_INT(turn(&stale), MASTRA_STORE_STALE,
           "who has another epoch stores nothing");
    OK(!turn(&step), "a step is stored with its row");
    IS_INT(step.stored, 1, "... which is there");
    IS_INT(step.changes, sqlite ? 1 : 2, "... and the only one written");
    OK(!turn(&late), "so is one while the lease is short");
    IS_INT(late.stored, 2, "... in place of the one before");
    OK(late.left > 25000, "... and renews it");
    OK(!turn(&first), "so is the first after taking over");
    IS_INT(first.stored, 3, "... with its row");
    IS_INT(first.taken_after, 0, "... and forgets how often it was tried");
    IS_INT(turn(&lost), MASTRA_STORE_STALE,
           "who has another epoch stores no row");
    OK(!turn(&after), "the owner goes on");
    IS_INT(after.stored, 3, "... with what it had");
    mastra_store_close(store);
}

int main(void)
{
    test_start();
    test_each("flows", test_flows);
    return test_end();
}
