/* Routes of the configuration whose target is a workflow. */

#include <string.h>

#include "workflows.h"
#include "../http/custom.h"
#include "../http/request.h"

const char mastra_custom_workflow_query[] = "{\"type\":\"object\"}";
const char mastra_custom_workflow_body[] = "{\"type\":\"object\"}";

/* What the workflow works on: inputData of the body or the body; else what
 * stands in query and path. New reference. */
static mastra_json_t *input_of(mastra_req_t *req)
{
    mastra_json_t *input = mastra_json_get(req->body, "inputData"), *params;

    if (input) {
        return mastra_json_ref(input);
    }
    params = mastra_req_params(req);
    input = mastra_json_copy_flat(mastra_json_size(req->body) ? req->body
                                                              : req->query);
    if (!input) {
        input = mastra_json_object();
    }
    mastra_json_merge(input, params);
    mastra_json_unref(params);
    return input;
}

static int answer(mastra_req_t *req, const mastra_workflow_t *workflow)
{
    const mastra_custom_t *custom = (const mastra_custom_t *)req->route;
    mastra_json_t *body = mastra_json_own(mastra_json_pack(
        "{s:o}", "inputData", input_of(req)), req->pool);
    mastra_workflow_ask_t ask = {
        .what = MASTRA_WORKFLOW_START, .body = body,
        .principal = &req->principal,
        .lenient = custom->frame != MASTRA_FRAME_JSON,
        .wait = custom->frame == MASTRA_FRAME_JSON ? 1 : 2
    };
    mastra_workflow_asked_t asked = { NULL };
    mastra_result_t *error = NULL;

    if (!mastra_workflow_ask(&asked, &req->host->workflow_env, workflow, &ask,
                             &error, req->pool)) {
        return mastra_reply_error(req, error);
    }
    return asked.answer ? mastra_reply_json(req, asked.answer)
                        : mastra_stream_run(req, custom->frame,
                                            &mastra_work_wait, asked.wait);
}

int mastra_custom_workflow(mastra_req_t *req)
{
    const mastra_custom_t *custom = (const mastra_custom_t *)req->route;

    return answer(req, mastra_workflows_find(req->host->workflows,
                                             custom->target));
}
