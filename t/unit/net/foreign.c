/* Foreign work: told to end, waited for up to a limit, and let be. */

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>

#include "net/foreign.h"
#include "tap.h"

/* What is let be keeps its pool, which a leak checker cannot see: memory of
 * pools is no heap to it. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:apr_pool_create_unmanaged_ex";
}

typedef struct {
    mastra_foreign_t foreign;
    int how;
} work_t;

enum { AT_ONCE, UNTIL_TOLD, HELD, FOR_EVER };

static mastra_loop_t *loop;
static mastra_jobs_t *jobs;
static int ran, done, woken;
static apr_status_t slept;
static mastra_foreign_t *held;

static void wake(void *baton)
{
    ++*(int *)baton;
}

static void run_cb(mastra_foreign_t *foreign)
{
    work_t *work = (work_t *)foreign;

    __atomic_add_fetch(&ran, 1, __ATOMIC_SEQ_CST);
    if (work->how == UNTIL_TOLD) {
        mastra_foreign_on_cancel(foreign, wake, &woken);
        slept = mastra_foreign_sleep(foreign, apr_time_from_sec(30));
    }
    else if (work->how == HELD) {
        mastra_foreign_hold(foreign);
        __atomic_store_n(&held, foreign, __ATOMIC_SEQ_CST);
    }
    while (work->how == FOR_EVER) {
        pause();
    }
}

static void done_cb(mastra_foreign_t *foreign)
{
    __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

static work_t *make(int how)
{
    mastra_foreign_t *foreign;
    work_t *work;

    if (mastra_foreign_make(&foreign, jobs, sizeof(work_t))) {
        abort();
    }
    work = (work_t *)foreign;
    work->how = how;
    foreign->run = run_cb;
    foreign->done = done_cb;
    return work;
}

static int wait_until(const int *value, int least)
{
    int i;

    for (i = 0; i < 6000; i++) {
        if (__atomic_load_n(value, __ATOMIC_SEQ_CST) >= least) {
            return 1;
        }
        usleep(10000);
    }
    return 0;
}

static void start(apr_pool_t *pool, int threads)
{
    mastra_loop_start(&loop, NULL, pool);
    mastra_jobs_start(&jobs, loop, threads, 4, pool);
    ran = done = woken = 0;
    held = NULL;
}

static void test_cancel(apr_pool_t *pool)
{
    work_t *work, *queued;
    apr_time_t begun;

    start(pool, 1);
    work = make(UNTIL_TOLD);
    queued = make(AT_ONCE);
    is_int(mastra_foreign_start(&work->foreign), APR_SUCCESS, "work is started");
    ok(wait_until(&ran, 1), "... and runs");
    mastra_foreign_start(&queued->foreign);
    begun = apr_time_now();
    is_int(mastra_foreign_cancel(&queued->foreign), 0,
           "what has not begun will not");
    is_int(mastra_foreign_cancel(&work->foreign), 1, "what has begun is told");
    is_int(mastra_foreign_cancel(&work->foreign), 1, "... once");
    ok(wait_until(&done, 2), "both are over");
    ok(apr_time_now() - begun < apr_time_from_sec(29), "... at once");
    is_int(slept, APR_ECONNABORTED, "a sleep says why it ended");
    is_int(woken, 1, "the callback came once");
    is_int(ran, 1, "what was cancelled in the queue did not run");
    mastra_foreign_on_cancel(&queued->foreign, wake, &woken);
    is_int(woken, 2, "who asks late is told at once");
    is_int(mastra_foreign_sleep(&queued->foreign, 1000), APR_ECONNABORTED,
           "... and does not sleep");
    is_int(mastra_jobs_stop(jobs, 0), 0, "the threads stop");
    /* the loop's side may let go later than the threads have gone */
    mastra_foreign_unref(&work->foreign);
    mastra_foreign_unref(&queued->foreign);
    mastra_loop_stop(loop);
}

static void test_stop(apr_pool_t *pool)
{
    work_t *work;
    int i;

    start(pool, 2);
    work = make(UNTIL_TOLD);
    mastra_foreign_start(&work->foreign);
    mastra_foreign_unref(&work->foreign);
    wait_until(&ran, 1);
    is_int(mastra_jobs_stop(jobs, apr_time_from_sec(10)), 0,
           "stopping tells what runs");
    mastra_loop_stop(loop);
    is_int(done, 1, "... and its owner");

    start(pool, 2);
    work = make(HELD);
    mastra_foreign_start(&work->foreign);
    mastra_foreign_unref(&work->foreign);
    wait_until(&done, 1);
    is_int(mastra_foreign_is_cancelled(held), 0, "work that goes on elsewhere");
    is_int(mastra_jobs_stop(jobs, apr_time_from_msec(50)), 1,
           "... is waited for up to a limit");
    is_int(mastra_foreign_is_cancelled(held), 1, "... having been told");
    mastra_foreign_release(held);
    mastra_loop_stop(loop);

    start(pool, 2);
    for (i = 0; i < 2; i++) {
        work = make(FOR_EVER);
        mastra_foreign_start(&work->foreign);
        mastra_foreign_unref(&work->foreign);
    }
    wait_until(&ran, 2);
    work = make(AT_ONCE);
    is_int(mastra_foreign_start(&work->foreign), APR_SUCCESS, "a third waits");
    is_int(mastra_jobs_stop(jobs, apr_time_from_msec(100)), 2,
           "what never returns is let be");
    mastra_loop_stop(loop);
    is_int(ran, 2, "... and nothing after it runs");
}

static void test_room(apr_pool_t *pool)
{
    work_t *work;
    mastra_foreign_t *all[4];
    int i;

    start(pool, 2);
    for (i = 0; i < 4; i++) {
        held = NULL;
        work = make(HELD);
        mastra_foreign_start(&work->foreign);
        mastra_foreign_unref(&work->foreign);
        wait_until(&done, i + 1);
        all[i] = held;
    }
    work = make(AT_ONCE);
    is_int(mastra_foreign_start(&work->foreign), APR_EAGAIN,
           "what does not come back does not pile up");
    mastra_foreign_unref(&work->foreign);
    for (i = 0; i < 4; i++) {
        mastra_foreign_release(all[i]);
    }
    work = make(AT_ONCE);
    is_int(mastra_foreign_start(&work->foreign), APR_SUCCESS,
           "when it has, there is room again");
    mastra_foreign_unref(&work->foreign);
    mastra_jobs_stop(jobs, 0);
    mastra_loop_stop(loop);
}

static apr_status_t first, second;

static void nest_cb(mastra_job_t *job)
{
    first = mastra_jobs_enter_wait();
    second = mastra_jobs_enter_wait();
    mastra_jobs_leave_wait();
}

static void nested_cb(mastra_job_t *job)
{
    __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

static void test_waiting(apr_pool_t *pool)
{
    mastra_job_t job = { .run = nest_cb, .done = nested_cb };

    start(pool, 2);
    is_int(mastra_jobs_is_current(), 0, "this is no job thread");
    mastra_jobs_push(jobs, &job);
    wait_until(&done, 1);
    is_int(first, APR_SUCCESS, "a job may wait for another");
    is_int(second, APR_EAGAIN, "... while a thread is left for that");
    mastra_jobs_stop(jobs, 0);
    mastra_loop_stop(loop);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_cancel(pool);
    test_room(pool);
    test_waiting(pool);
    test_stop(pool);
    return tap_done();
}
