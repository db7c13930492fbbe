/* Calls that are kept with what they change: once for a place, by whoever has
 * the run, as long as it is there. */

#include "store/internal.h"
#include "store/calls.h"
#include "dbtest.h"

#define LEASE apr_time_from_sec(30)

static mastra_store_t *store;

typedef struct {
    mastra_owned_t owned;
    const char *place;
    int found;                   /* what was written there, 0: nothing */
} look_t;

static mastra_run_row_t row_of(const char *id)
{
    return (mastra_run_row_t) {
        .host = "h", .id = id, .kind = "k", .name = "a", .owner = "me",
        .snapshot = mastra_json_own(mastra_json_object(), test_pool)
    };
}

static apr_status_t begin(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_run_row_t row = row_of(baton);
    int epoch = 0;

    return mastra_runs_begin(&epoch, db, &row, LEASE, pool);
}

static apr_status_t retire(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_run_row_t row = row_of(baton);

    return mastra_runs_retire(db, &row, 1, pool);
}

static apr_status_t call(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    look_t *look = baton;
    mastra_json_t *outcome = NULL;
    apr_status_t rv = mastra_calls_find(&outcome, db, &look->owned,
                                        look->place, pool);

    look->found = (int)mastra_json_get_int(outcome, "n", 0);
    mastra_json_unref(outcome);
    if (rv != MASTRA_STORE_NOT_FOUND) {
        return rv;
    }
    outcome = mastra_json_own(mastra_json_pack("{s:i}", "n", 7), pool);
    return mastra_calls_put(db, &look->owned, look->place, outcome, pool);
}

static apr_status_t sweep(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    (void)baton;
    return mastra_calls_sweep(db, -apr_time_from_sec(1), pool);
}

static apr_status_t forget(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, "DELETE FROM mastra_x_runs "
                             "WHERE id = ?", &MASTRA_TEXT(baton), 1, pool);
}

static int run(mastra_store_run_cb *work, void *baton)
{
    return mastra_store_call(store, MASTRA_STORE_WRITE, work, baton);
}

static void test_calls(const mastra_store_conf_t *conf)
{
    look_t look = { .owned = { "h", "run-1", 1 }, .place = "p" };
    look_t other = { .owned = { "h", "run-1", 1 }, .place = "q" };
    look_t old = { .owned = { "h", "run-1", 2 }, .place = "p" };
    look_t away = { .owned = { "elsewhere", "run-1", 1 }, .place = "p" };
    look_t left = { .owned = { "h", "run-2", 1 }, .place = "p" };

    OK(!mastra_store_open(&store, conf, test_pool), "the store");
    OK(!run(begin, "run-1") && !run(begin, "run-2"), "runs begin");
    OK(!run(call, &look), "a call is made");
    IS_INT(look.found, 0, "... for the first time");
    OK(!run(call, &look), "it is made again");
    IS_INT(look.found, 7, "... and has been made");
    OK(!run(call, &other) && !other.found, "another place is another call");
    IS_INT(run(call, &old), MASTRA_STORE_STALE,
           "who has another epoch may not act");
    IS_INT(run(call, &away), MASTRA_STORE_STALE, "nor who is elsewhere");
    OK(!run(sweep, NULL) && !run(call, &look), "the old is swept");
    IS_INT(look.found, 7, "... but not of runs that go on");
    OK(!run(retire, "run-1"), "the run ends");
    IS_INT(run(call, &look), MASTRA_STORE_STALE,
           "nobody acts for a run that is over");
    OK(!run(call, &left), "a run that is not there any more");
    OK(!run(forget, "run-2") && !run(sweep, NULL), "... is swept");
    OK(!run(begin, "run-2") && !run(call, &left), "... when it comes again");
    IS_INT(left.found, 0, "... it begins anew");
    mastra_store_close(store);
}

int main(void)
{
    test_start();
    test_each("calls", test_calls);
    return test_end();
}
