/* Threads for blocking work: order, limits, and a stop that loses nothing. */

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>

#include "net/jobs.h"
#include "tap.h"

#define JOBS 5000

typedef struct {
    mastra_job_t job;
    int ran, ran_on_loop, signals_open;
} work_t;

static mastra_loop_t *loop;
static work_t works[JOBS];
static int done, done_before_run, done_elsewhere;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void run_cb(mastra_job_t *job)
{
    work_t *work = (work_t *)job;
    sigset_t set;

    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    work->signals_open = !sigismember(&set, SIGTERM);
    work->ran_on_loop = mastra_loop_is_current(loop);
    work->ran++;
}

static void done_cb(mastra_job_t *job)
{
    work_t *work = (work_t *)job;

    done++;
    done_before_run += work->ran != 1;
    done_elsewhere += !mastra_loop_is_current(loop);
}

static apr_status_t push(mastra_jobs_t *jobs, int i)
{
    works[i].job.run = run_cb;
    works[i].job.done = done_cb;
    return mastra_jobs_push(jobs, &works[i].job);
}

int main(void)
{
    mastra_jobs_t *jobs;
    apr_pool_t *pool;
    int i, accepted = 0, wrong = 0;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (mastra_loop_start(&loop, NULL, pool) != APR_SUCCESS
        || mastra_jobs_start(&jobs, loop, 4, JOBS, pool) != APR_SUCCESS) {
        return 1;
    }
    for (i = 0; i < JOBS; i++) {
        accepted += push(jobs, i) == APR_SUCCESS;
    }
    mastra_jobs_stop(jobs, 0);
    mastra_loop_stop(loop);
    is_int(accepted, JOBS, "5,000 jobs find room");
    is_int(done, JOBS, "all are done when the pool has stopped");
    is_int(done_before_run, 0, "each having run once");
    is_int(done_elsewhere, 0, "and told on the loop");
    for (i = 0; i < JOBS; i++) {
        wrong += works[i].ran_on_loop || works[i].signals_open;
    }
    is_int(wrong, 0, "they run on other threads, signals blocked");

    memset(works, 0, sizeof(works));
    done = 0;
    pthread_mutex_lock(&gate);
    mastra_loop_start(&loop, NULL, pool);
    mastra_jobs_start(&jobs, loop, 2, 3, pool);
    /* two are taken by the threads sooner or later, three wait */
    for (accepted = 0, i = 0; i < 6000 && accepted < 5; i++) {
        if (push(jobs, accepted) == APR_SUCCESS) {
            accepted++;
        }
        else {
            usleep(10000);
        }
    }
    is_int(accepted, 5, "two at work and three waiting");
    is_int(push(jobs, 5), APR_EAGAIN, "the next is refused");
    pthread_mutex_unlock(&gate);
    mastra_jobs_stop(jobs, 0);
    mastra_loop_stop(loop);
    is_int(done, 5, "what waits is run when the pool stops");
    is_int(works[5].ran, 0, "what was refused is not");

    mastra_loop_start(&loop, NULL, pool);
    mastra_jobs_start(&jobs, loop, 2, 3, pool);
    push(jobs, 6);
    apr_pool_destroy(pool);
    ok(works[6].ran == 1, "a pool that goes stops the threads before the loop");
    apr_terminate();
    return tap_done();
}
