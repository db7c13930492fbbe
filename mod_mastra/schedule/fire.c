/* The clockwork of a child: it looks for schedules whose time has come, and
 * has a job thread fire them. */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_strings.h>

#include "internal.h"
#include "../base/log.h"
#include "../base/pool.h"

/* Others' changes are seen after this long at most, and half of it more: the
 * children need not all look at once. */
#define LOOK_EVERY apr_time_from_msec(1000)
#define JITTER apr_time_from_msec(500)
#define SPREAD apr_time_from_msec(40)

typedef struct mastra_clockwork_t {
    mastra_schedule_env_t *env;
    mastra_timer_t timer;
    int busy;                        /* a look is under way */
    int again;                       /* and its result may be old */
    volatile apr_uint32_t stopping;
    mastra_msg_t begin;
} mastra_clockwork_t;

/* One look, and the firings that come of it. */
typedef struct {
    apr_pool_t *pool;
    mastra_clockwork_t *works;
    mastra_store_job_t read;
    mastra_job_t fire;
    mastra_msg_t msg;
    apr_status_t rv;
    const char **ids;
    int n;
    apr_int64_t next, now;
} look_t;

static void on_time(void *baton);

static void set_timer(mastra_clockwork_t *works, apr_interval_time_t in)
{
    if (!apr_atomic_read32(&works->stopping)) {
        mastra_loop_timer_set(works->env->loop, &works->timer, in, on_time,
                              works);
    }
}

static apr_interval_time_t some(apr_interval_time_t most)
{
    unsigned char bytes[2];
    char hex[5];

    mastra_text_random_hex(hex, sizeof(bytes));
    return most * (strtol(hex, NULL, 16) + 1) / 65536;
}

/* Until the next firing, if that is sooner. */
static apr_interval_time_t pause_after(const look_t *look)
{
    apr_interval_time_t usual = LOOK_EVERY + some(JITTER), until;

    if (look->rv || !look->next) {
        return usual;
    }
    until = (look->next > look->now ? look->next - look->now : 0) * 1000
            + some(SPREAD);
    return until < usual ? until : usual;
}

static void look_over(look_t *look)
{
    mastra_clockwork_t *works = look->works;
    int again = works->again;

    works->busy = works->again = 0;
    set_timer(works, again ? 0 : pause_after(look));
    apr_pool_destroy(look->pool);
}

/* ---- firing: job thread ---- */

typedef struct {
    const mastra_schedule_env_t *env;
    const char *id;
    apr_pool_t *pool;
    mastra_schedule_row_t row;
    apr_int64_t now;
} reading_t;

static apr_status_t read_row(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    reading_t *reading = baton;
    apr_status_t rv = mastra_schedules_clock(&reading->now, db, pool);

    return rv ? rv : mastra_schedules_get(&reading->row, db,
                                          reading->env->host, reading->id,
                                          reading->pool);
}

static void complain(const mastra_schedule_row_t *row, const char *why)
{
    mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(3301) "schedule %s did not "
               "fire: %s", row->id, why);
}

/* Firings that were missed count as one: the next is in the future. */
static void fire_row(mastra_schedule_env_t *env,
                     const mastra_schedule_row_t *row, apr_int64_t now,
                     apr_pool_t *pool)
{
    mastra_firing_t firing = { .scheduled = row->next, .now = now };
    mastra_result_t *error;
    const char *wrong = mastra_plan_next(&firing.next, row->cron,
                                         row->timezone, now, pool);

    if (firing.next != MASTRA_PLAN_NEVER) {
        firing.wrong = wrong;
    }
    if (wrong) {
        /* this was its last: it is not looked at any more */
        firing.next = MASTRA_PLAN_NEVER;
    }
    firing.run = apr_psprintf(pool, "sched_%s_%" APR_INT64_T_FMT, row->id,
                              row->next);
    error = mastra_schedule_fire(&firing, env, row, pool);
    if (error) {
        complain(row, error->message);
    }
    else if (!firing.taken) {
        mastra_log(MASTRA_LOG_DEBUG, 0, "schedule %s has fired: %s", row->id,
                   firing.run);
    }
}

static void fire_one(look_t *look, const char *id)
{
    mastra_schedule_env_t *env = look->works->env;
    reading_t reading = { .env = env, .id = id };
    apr_status_t rv;

    if (mastra_pool_make(&reading.pool, "mastra_firing")) {
        return;
    }
    rv = mastra_store_call(env->store, MASTRA_STORE_READ, read_row, &reading);
    if (rv == APR_SUCCESS && reading.row.next <= reading.now
        && !strcmp(reading.row.status, "active")) {
        fire_row(env, &reading.row, reading.now, reading.pool);
    }
    apr_pool_destroy(reading.pool);
}

static void fire_all(mastra_job_t *job)
{
    look_t *look = (look_t *)((char *)job - offsetof(look_t, fire));
    int i;

    for (i = 0; i < look->n; i++) {
        if (apr_atomic_read32(&look->works->stopping)) {
            return;
        }
        fire_one(look, look->ids[i]);
    }
}

static void fired_all(mastra_job_t *job)
{
    look_over((look_t *)((char *)job - offsetof(look_t, fire)));
}

/* ---- looking ---- */

static apr_status_t find_due(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    look_t *look = baton;
    const char *const *ids;
    int i, n = 0;
    apr_status_t rv = mastra_schedules_due(&ids, &n, &look->next, &look->now,
                                           db, look->works->env->host, pool);

    if (rv == APR_SUCCESS) {
        look->ids = apr_palloc(look->pool, sizeof(*ids) * (apr_size_t)(n + 1));
        for (i = 0; i < n; i++) {
            look->ids[i] = apr_pstrdup(look->pool, ids[i]);
        }
        look->n = n;
    }
    return rv;
}

static void found_due(void *baton)
{
    look_t *look = baton;
    apr_status_t rv;

    if (!look->rv && look->n) {
        look->fire.run = fire_all;
        look->fire.done = fired_all;
        rv = mastra_jobs_push(look->works->env->jobs, &look->fire);
        if (!rv) {
            return;
        }
        look->rv = rv;
    }
    look_over(look);
}

static void read_over(void *baton, apr_status_t rv)
{
    look_t *look = baton;

    look->rv = rv;
    look->msg.cb = found_due;
    look->msg.baton = look;
    mastra_loop_post(look->works->env->loop, &look->msg);
}

static void on_time(void *baton)
{
    mastra_clockwork_t *works = baton;
    apr_pool_t *pool;
    look_t *look;
    apr_status_t rv;

    if (apr_atomic_read32(&works->stopping)
        || mastra_pool_make(&pool, "mastra_schedules")) {
        return;
    }
    look = apr_pcalloc(pool, sizeof(*look));
    look->pool = pool;
    look->works = works;
    look->read.mode = MASTRA_STORE_READ;
    look->read.run = find_due;
    look->read.done = read_over;
    look->read.baton = look;
    works->busy = 1;
    rv = mastra_store_submit(works->env->store, &look->read);
    if (rv) {
        look->rv = rv;
        look_over(look);
    }
}

/* ---- waking ---- */

typedef struct {
    apr_pool_t *pool;
    mastra_clockwork_t *works;
    mastra_msg_t msg;
} wake_t;

static void on_wake(void *baton)
{
    wake_t *wake = baton;

    if (wake->works->busy) {
        wake->works->again = 1;
    }
    else {
        set_timer(wake->works, 0);
    }
    apr_pool_destroy(wake->pool);
}

void mastra_schedule_wake(mastra_schedule_env_t *env)
{
    apr_pool_t *pool;
    wake_t *wake;

    /* without memory it is seen at the next look */
    if (mastra_pool_make(&pool, "mastra_wake")) {
        return;
    }
    wake = apr_pcalloc(pool, sizeof(*wake));
    wake->pool = pool;
    wake->works = env->clockwork;
    wake->msg.cb = on_wake;
    wake->msg.baton = wake;
    mastra_loop_post(env->loop, &wake->msg);
}

/* ---- life ---- */

static apr_status_t declare(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    return mastra_schedules_declare(db, baton, pool);
}

static void declared(void *baton, apr_status_t rv)
{
    mastra_schedule_env_t *env = baton;

    if (rv) {
        mastra_log(MASTRA_LOG_ERR, rv, MASTRA_ID(3302) "the schedules that "
                   "stand in definitions could not be brought up to date");
    }
    mastra_schedule_wake(env);
}

static void begin(void *baton)
{
    mastra_clockwork_t *works = baton;

    set_timer(works, some(LOOK_EVERY));
}

void mastra_schedules_start(mastra_schedule_env_t *env, apr_pool_t *pool)
{
    mastra_clockwork_t *works = apr_pcalloc(pool, sizeof(*works));
    mastra_store_job_t *job = apr_pcalloc(pool, sizeof(*job));

    env->clockwork = works;
    works->env = env;
    works->begin.cb = begin;
    works->begin.baton = works;
    mastra_loop_post(env->loop, &works->begin);
    job->mode = MASTRA_STORE_WRITE;
    job->run = declare;
    job->done = declared;
    job->baton = env;
    if (mastra_store_submit(env->store, job)) {
        declared(env, APR_EAGAIN);
    }
}

void mastra_schedules_stop(mastra_schedule_env_t *env)
{
    if (env->clockwork) {
        apr_atomic_set32(&env->clockwork->stopping, 1);
    }
}
