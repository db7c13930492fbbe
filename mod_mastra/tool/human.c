/* Tools of kind human: what a person answers is the output. */

#include "internal.h"

static const char *human_parse(void **pconf, const char **pfield,
                               const mastra_tool_t *tool, apr_pool_t *pool)
{
    (void)pfield;
    (void)tool;
    (void)pool;
    *pconf = NULL;
    return NULL;
}

static void human_over(void *baton)
{
    mastra_tool_call_t *call = baton;

    mastra_tool_finish(call, NULL,
                       mastra_result_make(call->pool, 409, "TOOL_WAITS",
                                          "this tool waits for a person: only "
                                          "a run that can be suspended may "
                                          "call it"));
}

/* Called outside a run that can wait, there is nobody to ask. */
static apr_status_t human_start(mastra_tool_call_t *call)
{
    mastra_msg_t *msg = apr_pcalloc(call->pool, sizeof(*msg));

    msg->cb = human_over;
    msg->baton = call;
    mastra_loop_defer(call->env->loop, msg);
    return APR_SUCCESS;
}

static void human_cancel(mastra_tool_call_t *call)
{
    (void)call;
}

const mastra_tool_kind_t mastra_tool_human = { "human", human_parse,
                                               human_start, human_cancel };
