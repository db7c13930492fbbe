/* Runs, subscriptions and decisions of agents as work of a stream. */

#include "stream.h"
#include "../agent/hub.h"

/* ---- agent runs as work ---- */

static void run_begin(void *work, mastra_sink_t *sink)
{
    mastra_agent_run_begin(work, sink);
}

static void run_cancel(void *work)
{
    mastra_agent_run_cancel(work);
}

static void run_resume(void *work)
{
    mastra_agent_run_resume(work);
}

static void run_discard(void *work)
{
    mastra_agent_run_discard(work);
}

static const char *run_log_id(const void *work)
{
    return mastra_agent_run_id(work);
}

static int run_may_repeat(const void *work)
{
    return mastra_agent_run_may_repeat(work);
}

const mastra_work_vtable_t mastra_work_agent_run = { run_begin, run_cancel,
                                                     run_resume, run_discard,
                                                     run_log_id,
                                                     run_may_repeat };

/* ---- watching ---- */

static void sub_begin(void *work, mastra_sink_t *sink)
{
    mastra_subscriber_begin(work, sink);
}

static void sub_cancel(void *work)
{
    mastra_subscriber_cancel(work);
}

static void sub_resume(void *work)
{
    mastra_subscriber_resume(work);
}

static void sub_discard(void *work)
{
    mastra_subscriber_discard(work);
}

const mastra_work_vtable_t mastra_work_subscriber = { sub_begin, sub_cancel,
                                                      sub_resume,
                                                      sub_discard };

/* ---- decisions: one answer, and the run goes on by itself ---- */

static void verdict_begin(void *work, mastra_sink_t *sink)
{
    mastra_verdict_begin(work, sink);
}

static void verdict_cancel(void *work)
{
    mastra_verdict_cancel(work);
}

static void verdict_resume(void *work)
{
    /* it never says anything that the client could be too slow for */
}

static void verdict_discard(void *work)
{
    mastra_verdict_discard(work);
}

const mastra_work_vtable_t mastra_work_verdict = { verdict_begin,
                                                   verdict_cancel,
                                                   verdict_resume,
                                                   verdict_discard };
