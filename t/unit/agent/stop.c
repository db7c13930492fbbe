/* The hub of a child that ends: it waits for runs, but for none too long. */

#include <apr_general.h>

#include "agent/hub.h"
#include "agent/internal.h"
#include "onloop.h"
#include "tap.h"

static apr_pool_t *pool;

typedef struct {
    mastra_loop_t *loop;
    mastra_hub_t *hub;
    mastra_timer_t timer;
    mastra_msg_t msg;
    apr_interval_time_t length;      /* of the run; 0: it never ends */
    apr_time_t begun;
} scene_t;

static scene_t *make_scene(void)
{
    scene_t *scene = apr_pcalloc(pool, sizeof(*scene));

    mastra_loop_start(&scene->loop, NULL, pool);
    scene->hub = mastra_hub_make(scene->loop, NULL);
    mastra_hub_start(scene->hub);
    return scene;
}

static void run_over(void *baton)
{
    mastra_hub_run_ends(((scene_t *)baton)->hub);
}

static void run_begins(void *baton)
{
    scene_t *scene = baton;

    mastra_hub_run_begins(scene->hub);
    scene->begun = apr_time_now();
    if (scene->length) {
        mastra_loop_timer_set(scene->loop, &scene->timer, scene->length,
                              run_over, scene);
    }
}

static apr_interval_time_t stop(scene_t *scene, apr_interval_time_t limit)
{
    /* a run's own time, if there is one: this may come late to it */
    apr_time_t begun = scene->begun && scene->length ? scene->begun
                                                     : apr_time_now();

    mastra_hub_stop(scene->hub, limit);
    return apr_time_as_msec(apr_time_now() - begun);
}

static volatile int stuck_over;

static void sleep_long(void *baton)
{
    while (!stuck_over) {
        apr_sleep(apr_time_from_msec(10));
    }
}

static void test_runs(void)
{
    scene_t *scene = make_scene();
    apr_interval_time_t ms = stop(scene, apr_time_from_sec(60));

    ok(ms < 30000, "nothing to wait for");
    mastra_loop_stop(scene->loop);

    scene = make_scene();
    scene->length = apr_time_from_msec(300);
    on_loop(scene->loop, run_begins, scene);
    ms = stop(scene, apr_time_from_sec(60));
    ok(ms >= 250 && ms < 30000, "a run is waited for");
    mastra_loop_stop(scene->loop);

    scene = make_scene();
    scene->length = apr_time_from_msec(900);
    on_loop(scene->loop, run_begins, scene);
    ms = stop(scene, apr_time_from_msec(200));
    ok(ms >= 850 && ms < 30000, "... past the limit while it says its last");
    mastra_loop_stop(scene->loop);

    scene = make_scene();
    on_loop(scene->loop, run_begins, scene);
    ms = stop(scene, apr_time_from_msec(200));
    ok(ms >= 3000 && ms < 30000, "... but one that never ends not for ever");
    mastra_loop_stop(scene->loop);
}

/* Nothing that the loop still has in hand is gone when it comes to it. */
static void test_stuck(void)
{
    scene_t *scene = make_scene();
    apr_interval_time_t ms;

    scene->msg.cb = sleep_long;
    mastra_loop_post(scene->loop, &scene->msg);
    ms = stop(scene, apr_time_from_msec(200));
    ok(ms < 30000, "a loop that does not answer is not waited for");
    stuck_over = 1;
    mastra_loop_stop(scene->loop);
    ok(1, "... and finds all in order when it does");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_runs();
    test_stuck();
    return tap_done();
}
