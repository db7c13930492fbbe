/* What routes of workflows answer: see answers.c. */
#include <stddef.h>

#include "internal.h"

static const char workflows_restart[] =
    "{'type':'object','properties':{'message':{'type':'string'}},"
    "'required':['message']}";
static const char workflows_create_run[] =
    "{'type':'object','properties':{'runId':{'type':'string'}},'required':["
    "'runId']}";
static const char workflows_restart_async[] =
    "{'type':'object','properties':{'status':{'type':'string','enum':["
    "'running','waiting','suspended','success','failed','canceled',"
    "'pending','bailed','tripwire','paused','skipped']},'result':{},"
    "'error':{},'payload':{},'initialState':{},'steps':{'type':'object',"
    "'propertyNames':{'type':'string'},'additionalProperties':{}},"
    "'activeStepsPath':{'type':'object','propertyNames':{'type':'string'},"
    "'additionalProperties':{'type':'array','items':{'type':'number'}}},"
    "'serializedStepGraph':{'type':'array','items':{'type':'object',"
    "'properties':{'type':{'type':'string','enum':['step','agent','tool',"
    "'classifier','mapping','sleep','sleepUntil','waitForEvent','parallel',"
    "'conditional','loop','foreach','workflow']},'id':{'type':'string'},"
    "'description':{'type':'string'},'metadata':{'type':'object',"
    "'propertyNames':{'type':'string'},'additionalProperties':{}}},"
    "'required':['type']}}}}";

/* The steps of a workflow by their ids, and a workflow. */
#define STEPS \
    "{'type':'object','propertyNames':{'type':'string'}," \
    "'additionalProperties':{'type':'object','properties':{'id':{'type':" \
    "'string'},'description':{'type':'string'},'stateSchema':{'type':" \
    "'string'},'inputSchema':{'type':'string'},'outputSchema':{'type':" \
    "'string'},'resumeSchema':{'type':'string'},'suspendSchema':{'type':" \
    "'string'},'component':{'type':'string'},'isWorkflow':{'type':'boolean'}," \
    "'metadata':{'type':'object','propertyNames':{'type':'string'}," \
    "'additionalProperties':{}}},'required':['id']}}"
#define WORKFLOW \
    "{'type':'object','properties':{'steps':" \
    STEPS \
    ",'allSteps':" \
    STEPS \
    ",'name':{'type':'string'},'description':{'type':'string'},'metadata':{" \
    "'type':'object','propertyNames':{'type':'string'}," \
    "'additionalProperties':{}},'stepGraph':{'type':'array','items':{'type':" \
    "'object','properties':{'type':{'type':'string','enum':['step','agent'," \
    "'tool','classifier','mapping','sleep','sleepUntil','waitForEvent'," \
    "'parallel','conditional','loop','foreach','workflow']},'id':{'type':" \
    "'string'},'description':{'type':'string'},'metadata':{'type':'object'," \
    "'propertyNames':{'type':'string'},'additionalProperties':{}}}," \
    "'required':['type']}},'inputSchema':{'type':'string'},'outputSchema':{" \
    "'type':'string'},'stateSchema':{'type':'string'},'options':{'type':" \
    "'object','properties':{}},'isProcessorWorkflow':{'type':'boolean'}," \
    "'origin':{'type':'string','enum':['code','dynamic']}},'required':[" \
    "'steps','allSteps','stepGraph']}"

const mastra_answer_t mastra_answers_workflows[] = {
    { "GET", "/schedules",
      "{'type':'object','properties':{'schedules':{'type':'array',"
      "'items':{'anyOf':[{'type':'object','properties':{'id':{"
      "'type':'string'},'agentId':{'type':'string'},'workflowId':{},"
      "'lastRun':{},'name':{'type':'string'},'threadId':{'type':'string'},"
      "'resourceId':{'type':'string'},'prompt':{'type':'string'},'cron':{"
      "'type':'string'},'timezone':{'type':'string'},'status':{"
      "'type':'string','enum':['active','paused']},'nextFireAt':{"
      "'type':'number'},'lastFireAt':{'type':'number'},'lastRunId':{"
      "'type':'string'},'signalType':{'type':'string','enum':['user',"
      "'state','reactive','notification','user-message',"
      "'system-reminder']},'tagName':{'type':'string'},'attributes':{"
      "'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':{'type':['string','number','boolean',"
      "'null']}},'ifActive':{'type':'object','properties':{'behavior':{"
      "'type':'string','enum':['deliver','persist','discard']},"
      "'attributes':{'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':{'type':['string','number','boolean',"
      "'null']}}}},'ifIdle':{'type':'object','properties':{'behavior':{"
      "'type':'string','enum':['wake','persist','discard']},'attributes':{"
      "'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':{'type':['string','number','boolean',"
      "'null']}},'streamOptions':{'type':'object','properties':{"
      "'requestContext':{'type':'object','propertyNames':{"
      "'type':'string'},'additionalProperties':{}}}}}},'providerOptions':{"
      "'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':{}},'metadata':{'type':'object',"
      "'propertyNames':{'type':'string'},'additionalProperties':{}},"
      "'createdAt':{'type':'number'},'updatedAt':{'type':'number'}},"
      "'required':['id','agentId','prompt','cron','status','nextFireAt',"
      "'createdAt','updatedAt']},{'type':'object','properties':{'id':{"
      "'type':'string'},'workflowId':{'type':'string'},'agentId':{},"
      "'cron':{'type':'string'},'timezone':{'type':'string'},'status':{"
      "'type':'string','enum':['active','paused']},'nextFireAt':{"
      "'type':'number'},'lastFireAt':{'type':'number'},'lastRunId':{"
      "'type':'string'},'lastRun':{'type':'object','properties':{"
      "'status':{'type':'string','enum':['running','success','failed',"
      "'tripwire','suspended','waiting','pending','canceled','bailed',"
      "'paused','skipped']},'startedAt':{'type':'number'},'completedAt':{"
      "'type':'number'},'durationMs':{'type':'number'},'error':{"
      "'type':'string'}},'required':['status']},'inputData':{},"
      "'initialState':{},'requestContext':{'type':'object',"
      "'propertyNames':{'type':'string'},'additionalProperties':{}},"
      "'resourceId':{'type':'string'},'metadata':{'type':'object',"
      "'propertyNames':{'type':'string'},'additionalProperties':{}},"
      "'createdAt':{'type':'number'},'updatedAt':{'type':'number'}},"
      "'required':['id','workflowId','cron','status','nextFireAt',"
      "'createdAt','updatedAt']}]}}},'required':['schedules']}" },
    { "GET", "/stored/workflows",
      "{'type':'object','properties':{'workflows':{'type':'array',"
      "'items':{'type':'object','properties':{'id':{'type':'string'},"
      "'description':{'type':'string'},'metadata':{'type':'object',"
      "'propertyNames':{'type':'string'},'additionalProperties':{}},"
      "'inputSchema':{},'outputSchema':{},'stateSchema':{},"
      "'requestContextSchema':{},'graph':{'type':'array','items':{}},"
      "'status':{'type':'string','enum':['active','archived']},'source':{"
      "'type':'string','const':'storage'},'authorId':{'type':'string'},"
      "'createdAt':{},'updatedAt':{}},'required':['id','inputSchema',"
      "'outputSchema','graph','status','source','createdAt',"
      "'updatedAt']}},'total':{'type':'number'}},'required':['workflows',"
      "'total']}" },
    { "POST", "/stored/workflows",
      "{'type':'object','properties':{'ok':{'type':'boolean',"
      "'const':true},'id':{'type':'string'},'dependencyIds':{"
      "'type':'array','items':{'type':'string'}}},'required':['ok','id']}" },
    { "DELETE", "/stored/workflows/:dynamicWorkflowId",
      "{'type':'object','properties':{'success':{'type':'boolean',"
      "'const':true},'message':{'type':'string'}},'required':['success',"
      "'message']}" },
    { "GET", "/stored/workflows/:dynamicWorkflowId",
      "{'type':'object','properties':{'id':{'type':'string'},"
      "'description':{'type':'string'},'metadata':{'type':'object',"
      "'propertyNames':{'type':'string'},'additionalProperties':{}},"
      "'inputSchema':{},'outputSchema':{},'stateSchema':{},"
      "'requestContextSchema':{},'graph':{'type':'array','items':{}},"
      "'status':{'type':'string','enum':['active','archived']},'source':{"
      "'type':'string','const':'storage'},'authorId':{'type':'string'},"
      "'createdAt':{},'updatedAt':{}},'required':['id','inputSchema',"
      "'outputSchema','graph','status','source','createdAt','updatedAt']}" },
    { "GET", "/workflows",
      "{'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':"
      WORKFLOW "}" },
    { "GET", "/workflows/:workflowId", WORKFLOW },
    { "POST", "/workflows/:workflowId/create-run", workflows_create_run },
    { "POST", "/workflows/:workflowId/restart", workflows_restart },
    { "POST", "/workflows/:workflowId/restart-all-active-workflow-runs",
      workflows_restart },
    { "POST", "/workflows/:workflowId/restart-all-active-workflow-runs-async",
      workflows_restart },
    { "POST", "/workflows/:workflowId/restart-async",
      workflows_restart_async },
    { "POST", "/workflows/:workflowId/resume", workflows_restart },
    { "POST", "/workflows/:workflowId/resume-async", workflows_restart_async },
    { "POST", "/workflows/:workflowId/resume-no-wait", workflows_create_run },
    { "GET", "/workflows/:workflowId/runs",
      "{'type':'object','properties':{'runs':{'type':'array','items':{"
      "'type':'object','properties':{'workflowName':{'type':'string'},"
      "'runId':{'type':'string'},'snapshot':{'anyOf':[{'type':'object',"
      "'propertyNames':{'type':'string'},'additionalProperties':{}},{"
      "'type':'string'}]},'createdAt':{},'updatedAt':{},'resourceId':{"
      "'type':['string','null']}},'required':['workflowName','runId',"
      "'snapshot','createdAt','updatedAt']}},'total':{'type':'number'}},"
      "'required':['runs','total']}" },
    { "DELETE", "/workflows/:workflowId/runs/:runId", workflows_restart },
    { "GET", "/workflows/:workflowId/runs/:runId",
      "{'type':'object','properties':{'runId':{'type':'string'},"
      "'workflowName':{'type':'string'},'resourceId':{'type':['string',"
      "'null']},'createdAt':{},'updatedAt':{},'status':{'type':'string',"
      "'enum':['running','waiting','suspended','success','failed',"
      "'canceled','pending','bailed','tripwire','paused','skipped']},"
      "'initialState':{'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':{}},'result':{},'error':{},'payload':{},"
      "'steps':{'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':{}},'activeStepsPath':{'type':'object',"
      "'propertyNames':{'type':'string'},'additionalProperties':{"
      "'type':'array','items':{'type':'number'}}},'serializedStepGraph':{"
      "'type':'array','items':{'type':'object','properties':{'type':{"
      "'type':'string','enum':['step','agent','tool','classifier',"
      "'mapping','sleep','sleepUntil','waitForEvent','parallel',"
      "'conditional','loop','foreach','workflow']},'id':{'type':'string'},"
      "'description':{'type':'string'},'metadata':{'type':'object',"
      "'propertyNames':{'type':'string'},'additionalProperties':{}}},"
      "'required':['type']}}},'required':['runId','workflowName',"
      "'createdAt','updatedAt','status']}" },
    { "POST", "/workflows/:workflowId/runs/:runId/cancel", workflows_restart },
    { "POST", "/workflows/:workflowId/start", workflows_restart },
    { "POST", "/workflows/:workflowId/start-async", workflows_restart_async },
    { "POST", "/workflows/:workflowId/time-travel", workflows_restart },
    { "POST", "/workflows/:workflowId/time-travel-async",
      workflows_restart_async },
    { "GET", "/workflows/run-counts",
      "{'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':{'type':'object','properties':{'running':{"
      "'type':'number'},'suspended':{'type':'number'}},'required':["
      "'running','suspended']}}" },
    { NULL }
};
