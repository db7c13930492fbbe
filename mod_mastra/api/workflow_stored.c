/* /stored/workflows: definitions that are made at run time. */

#include <string.h>

#include <apr_strings.h>

#include "run_options.h"
#include "../http/auth.h"
#include "../http/router.h"

static const char list_query[] =
    "{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\","
    "\"enum\":[\"active\",\"archived\"]},"
    "\"authorId\":{\"type\":\"string\"}}}";

/* ---- the form of a definition ---- */

#define REF(name) "{\"$ref\":\"#/$defs/" name "\"}"
#define TEXT "{\"type\":\"string\"}"
#define TYPE(name) "\"type\":{\"type\":\"string\",\"const\":\"" name "\"}"
#define ABOUT "\"description\":" TEXT ",\"metadata\":" MASTRA_SCHEMA_RECORD
#define FORM(members, required) \
    "{\"type\":\"object\",\"properties\":{" members "}," \
    "\"required\":[" required "]}"
#define CLOSED(members, required) \
    "{\"type\":\"object\",\"properties\":{" members "}," \
    "\"required\":[" required "],\"additionalProperties\":false}"
#define OPS(names) "\"op\":{\"type\":\"string\",\"enum\":[" names "]}"
#define LIST(item) "{\"type\":\"array\",\"items\":" item "}"
#define SOME(item) "{\"type\":\"array\",\"minItems\":1,\"items\":" item "}"
#define COUNT(least) \
    "{\"type\":\"integer\"," least ",\"maximum\":9007199254740991}"

#define DEFINITION \
    "\"id\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":200}," \
    ABOUT "," \
    "\"inputSchema\":" MASTRA_SCHEMA_RECORD "," \
    "\"outputSchema\":" MASTRA_SCHEMA_RECORD "," \
    "\"stateSchema\":" MASTRA_SCHEMA_RECORD "," \
    "\"requestContextSchema\":" MASTRA_SCHEMA_RECORD "," \
    "\"graph\":" LIST(REF("entry"))
#define NEEDED "\"id\",\"inputSchema\",\"outputSchema\",\"graph\""

#define STEP_OPTIONS \
    "\"options\":{\"type\":\"object\",\"properties\":{" \
    "\"retries\":" COUNT("\"minimum\":0") "," \
    "\"metadata\":" MASTRA_SCHEMA_RECORD "}}"

/* A mapping may be an object as well as one as text. */
static const char put_body[] =
    "{\"type\":\"object\",\"properties\":{" DEFINITION ","
    "\"dependencies\":{\"type\":\"array\",\"maxItems\":100,\"items\":"
    FORM(DEFINITION, NEEDED) "}},\"required\":[" NEEDED "],\"$defs\":{"
    "\"entry\":{\"oneOf\":[" REF("agent") "," REF("tool") "," REF("mapping")
    "," REF("workflow") ","
    FORM(TYPE("parallel") ",\"id\":" TEXT "," ABOUT ",\"steps\":"
         LIST(REF("step")), "\"type\",\"steps\"") ","
    FORM(TYPE("foreach") ",\"id\":" TEXT "," ABOUT ",\"step\":{\"oneOf\":["
         REF("agent") "," REF("tool") "," REF("workflow") "]},\"opts\":"
         FORM("\"concurrency\":" COUNT("\"exclusiveMinimum\":0"),
              "\"concurrency\""), "\"type\",\"step\"") ","
    FORM(TYPE("sleep") ",\"id\":" TEXT "," ABOUT ",\"duration\":{"
         "\"type\":\"number\",\"minimum\":0}",
         "\"type\",\"id\",\"duration\"") ","
    FORM(TYPE("sleepUntil") ",\"id\":" TEXT "," ABOUT ",\"date\":" TEXT,
         "\"type\",\"id\",\"date\"") ","
    FORM(TYPE("conditional") ",\"id\":" TEXT "," ABOUT ",\"steps\":"
         LIST(REF("step")) ",\"predicates\":" LIST(REF("predicate")),
         "\"type\",\"steps\",\"predicates\"") ","
    FORM(TYPE("loop") ",\"id\":" TEXT "," ABOUT ",\"step\":" REF("step")
         ",\"loopType\":{\"type\":\"string\",\"enum\":[\"dowhile\","
         "\"dountil\"]},\"predicate\":" REF("predicate"),
         "\"type\",\"step\",\"loopType\",\"predicate\"") "]},"
    "\"step\":{\"oneOf\":[" REF("agent") "," REF("tool") "," REF("mapping")
    "," REF("workflow") "]},"
    "\"agent\":" FORM(TYPE("agent") ",\"id\":" TEXT ",\"agentId\":" TEXT
                      ",\"description\":" TEXT ",\"outputSchema\":"
                      MASTRA_SCHEMA_RECORD "," STEP_OPTIONS,
                      "\"type\",\"id\",\"agentId\"") ","
    "\"tool\":" FORM(TYPE("tool") ",\"id\":" TEXT ",\"toolId\":" TEXT
                     ",\"description\":" TEXT "," STEP_OPTIONS,
                     "\"type\",\"id\",\"toolId\"") ","
    "\"mapping\":" FORM(TYPE("mapping") ",\"id\":" TEXT "," ABOUT
                        ",\"mapConfig\":{\"type\":[\"string\",\"object\"]}",
                        "\"type\",\"id\",\"mapConfig\"") ","
    "\"workflow\":" FORM(TYPE("workflow") ",\"id\":" TEXT ",\"workflowId\":"
                         TEXT ",\"description\":" TEXT,
                         "\"type\",\"id\",\"workflowId\"") ","
    "\"predicate\":{\"anyOf\":["
    CLOSED(OPS("\"eq\",\"ne\",\"lt\",\"lte\",\"gt\",\"gte\"") ",\"left\":"
           REF("operand") ",\"right\":" REF("operand"),
           "\"op\",\"left\",\"right\"") ","
    CLOSED(OPS("\"in\",\"notIn\"") ",\"value\":" REF("operand") ",\"set\":"
           SOME(REF("literal")), "\"op\",\"value\",\"set\"") ","
    CLOSED(OPS("\"exists\",\"notExists\"") ",\"path\":" REF("path"),
           "\"op\",\"path\"") ","
    CLOSED(OPS("\"truthy\",\"falsy\"") ",\"value\":" REF("operand"),
           "\"op\",\"value\"") ","
    CLOSED(OPS("\"and\",\"or\"") ",\"args\":" SOME(REF("predicate")),
           "\"op\",\"args\"") ","
    CLOSED("\"op\":{\"type\":\"string\",\"const\":\"not\"},\"arg\":"
           REF("predicate"), "\"op\",\"arg\"") "]},"
    "\"operand\":{\"anyOf\":[" CLOSED("\"path\":" REF("path"), "\"path\"") ","
    CLOSED("\"literal\":" REF("literal"), "\"literal\"") "]},"
    "\"path\":{\"type\":\"string\",\"minLength\":1},"
    "\"literal\":{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]}}}";

/* ---- storage ---- */

typedef struct {
    const char *id, *status, *author;
    mastra_json_t *found;
} reading_t;

static apr_status_t read_one(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    reading_t *reading = baton;

    mastra_json_unref(reading->found);
    reading->found = NULL;
    return mastra_definitions_get(&reading->found, db, reading->id, pool);
}

static apr_status_t read_all(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    reading_t *reading = baton;

    mastra_json_unref(reading->found);
    reading->found = NULL;
    return mastra_definitions_list(&reading->found, db, reading->status,
                                   reading->author, pool);
}

static apr_status_t drop_one(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    reading_t *reading = baton;

    return mastra_definitions_delete(db, reading->id, pool);
}

/* ---- routes ---- */

static int list(mastra_req_t *req)
{
    reading_t reading = {
        .status = mastra_json_get_str(req->query, "status"),
        .author = mastra_json_get_str(req->query, "authorId")
    };
    apr_status_t rv = mastra_store_call(req->host->store, MASTRA_STORE_READ,
                                        read_all, &reading);

    if (rv) {
        return mastra_reply_error(req, mastra_store_result(
                                      req->pool, rv, "read the workflows"));
    }
    return mastra_reply_json(req, mastra_json_pack(
        "{s:o, s:I}", "workflows", reading.found, "total",
        (apr_int64_t)mastra_json_size(reading.found)));
}

static int get(mastra_req_t *req)
{
    reading_t reading = { .id = mastra_req_param(req, "dynamicWorkflowId") };
    apr_status_t rv = mastra_store_call(req->host->store, MASTRA_STORE_READ,
                                        read_one, &reading);

    if (rv == MASTRA_STORE_NOT_FOUND) {
        return mastra_reply_fail(req, 404, apr_pstrcat(
            req->pool, "Dynamic workflow \"", reading.id, "\" not found",
            NULL));
    }
    return rv ? mastra_reply_error(req, mastra_store_result(
                                       req->pool, rv, "read the workflow"))
              : mastra_reply_json(req, reading.found);
}

static int put(mastra_req_t *req)
{
    mastra_result_t *error = NULL;
    mastra_json_t *made = mastra_workflow_store(
        &req->host->workflow_env, req->body,
        req->identity && !req->identity->system ? req->identity->id : NULL,
        &error, req->pool);

    return made ? mastra_reply_json(req, made)
                : mastra_reply_error(req, error);
}

static int drop(mastra_req_t *req)
{
    reading_t reading = { .id = mastra_req_param(req, "dynamicWorkflowId") };
    apr_status_t rv = mastra_store_call(req->host->store, MASTRA_STORE_WRITE,
                                        drop_one, &reading);

    if (rv) {
        return mastra_reply_error(req, mastra_store_result(
                                      req->pool, rv, "delete the workflow"));
    }
    return mastra_reply_json(req, mastra_json_pack(
        "{s:b, s:s}", "success", 1, "message",
        apr_pstrcat(req->pool, "Workflow ", reading.id, " deleted", NULL)));
}

#define S .tag = "Dynamic Workflows"

const mastra_route_t mastra_api_workflow_stored[] = {
    { .method = "GET", .path = "/stored/workflows", .handler = list,
      .summary = "List dynamic workflow definitions", S,
      .permission = "stored-workflows:read", .query = list_query },
    { .method = "POST", .path = "/stored/workflows", .handler = put,
      .summary = "Upsert a dynamic workflow definition and live-register it",
      S, .permission = "stored-workflows:write", .body = put_body },
    { .method = "GET", .path = "/stored/workflows/:dynamicWorkflowId",
      .handler = get, .summary = "Get a dynamic workflow definition by id", S,
      .permission = "stored-workflows:read" },
    { .method = "DELETE", .path = "/stored/workflows/:dynamicWorkflowId",
      .handler = drop, .summary = "Delete a dynamic workflow definition", S,
      .permission = "stored-workflows:write" },
    { .method = NULL }
};
