/* What routes answer, as JSON Schemas, for rows that do not say it themselves.
 * Apostrophes stand for quotes, as there are so many. */
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

/* An agent as it is described. */
#define AGENT \
    "{'type':'object','properties':{'name':{'type':'string'}," \
    "'description':{'type':'string'},'metadata':{'type':'object'," \
    "'propertyNames':{'type':'string'},'additionalProperties':{}}," \
    "'instructions':{},'tools':{'type':'object','propertyNames':{" \
    "'type':'string'},'additionalProperties':{'type':'object'," \
    "'properties':{'id':{'type':'string'},'description':{'type':'string'}," \
    "'inputSchema':{'type':'string'},'outputSchema':{'type':'string'}," \
    "'requestContextSchema':{'type':'string'},'requireApproval':{" \
    "'type':'boolean'}},'required':['id']}},'agents':{'type':'object'," \
    "'propertyNames':{'type':'string'},'additionalProperties':{" \
    "'type':'object','properties':{'id':{'type':'string'},'name':{" \
    "'type':'string'}},'required':['id','name']}},'workflows':{" \
    "'type':'object','propertyNames':{'type':'string'}," \
    "'additionalProperties':{'type':'object','properties':{'name':{" \
    "'type':'string'},'steps':{'type':'object','propertyNames':{" \
    "'type':'string'},'additionalProperties':{'type':'object'," \
    "'properties':{'id':{'type':'string'},'description':{" \
    "'type':'string'}},'required':['id']}}},'required':['name']}}," \
    "'skills':{'type':'array','items':{'type':'object','properties':{" \
    "'name':{'type':'string'},'description':{'type':'string'},'license':{" \
    "'type':'string'},'path':{'type':'string'}},'required':['name'," \
    "'description','path']}},'workspaceTools':{'type':'array','items':{" \
    "'type':'string'}},'browserTools':{'type':'array','items':{" \
    "'type':'string'}},'hasBrowser':{'type':'boolean'},'workspaceId':{" \
    "'type':'string'},'inputProcessors':{'type':'array','items':{" \
    "'type':'object','properties':{'id':{'type':'string'},'name':{" \
    "'type':'string'}},'required':['id']}},'outputProcessors':{" \
    "'type':'array','items':{'type':'object','properties':{'id':{" \
    "'type':'string'},'name':{'type':'string'}},'required':['id']}}," \
    "'provider':{'type':'string'},'modelId':{'type':'string'}," \
    "'modelVersion':{'type':'string'},'supportsMemory':{'type':'boolean'}," \
    "'modelList':{'type':'array','items':{'type':'object','properties':{" \
    "'id':{'type':'string'},'enabled':{'type':'boolean'},'maxRetries':{" \
    "'type':'number'},'model':{'type':'object','properties':{'modelId':{" \
    "'type':'string'},'provider':{'type':'string'},'modelVersion':{" \
    "'type':'string'}},'required':['modelId','provider','modelVersion']}}," \
    "'required':['id','enabled','maxRetries','model']}},'defaultOptions':{" \
    "'type':'object','properties':{'runId':{'type':'string'}," \
    "'savePerStep':{'type':'boolean'},'maxSteps':{'type':'number'}," \
    "'activeTools':{'type':'array','items':{'type':'string'}}," \
    "'maxProcessorRetries':{'type':'number'},'toolChoice':{'anyOf':[{" \
    "'type':'string','const':'auto'},{'type':'string','const':'none'},{" \
    "'type':'string','const':'required'},{'type':'object','properties':{" \
    "'type':{'type':'string','const':'tool'},'toolName':{" \
    "'type':'string'}},'required':['type','toolName']}]},'modelSettings':{" \
    "'type':'object','properties':{'temperature':{'type':'number'}," \
    "'maxTokens':{'type':'number'},'topP':{'type':'number'},'topK':{" \
    "'type':'number'},'frequencyPenalty':{'type':'number'}," \
    "'presencePenalty':{'type':'number'},'stopSequences':{'type':'array'," \
    "'items':{'type':'string'}},'seed':{'type':'number'},'maxRetries':{" \
    "'type':'number'}}},'returnScorerData':{'type':'boolean'}," \
    "'tracingOptions':{'type':'object','properties':{'traceName':{" \
    "'type':'string'},'attributes':{'type':'object','propertyNames':{" \
    "'type':'string'},'additionalProperties':{}},'spanId':{" \
    "'type':'string'},'traceId':{'type':'string'}}}," \
    "'requireToolApproval':{'type':'boolean'},'autoResumeSuspendedTools':{" \
    "'type':'boolean'},'toolCallConcurrency':{'anyOf':[{'type':'number'},{" \
    "'type':'object','properties':{'limit':{'type':'number'},'strategy':{" \
    "'type':'string','enum':['available','called']}}}]}," \
    "'includeRawChunks':{'type':'boolean'}},'additionalProperties':{}}," \
    "'defaultGenerateOptionsLegacy':{'type':'object','propertyNames':{" \
    "'type':'string'},'additionalProperties':{}}," \
    "'defaultStreamOptionsLegacy':{'type':'object','propertyNames':{" \
    "'type':'string'},'additionalProperties':{}},'requestContextSchema':{" \
    "'type':'string'},'source':{'type':'string','enum':['code','stored'," \
    "'fs']},'status':{'type':'string','enum':['draft','published'," \
    "'archived']},'activeVersionId':{'type':'string'},'hasDraft':{" \
    "'type':'boolean'},'editor':{'anyOf':[{'type':'boolean'," \
    "'const':false},{'type':'object','properties':{'instructions':{" \
    "'type':'boolean'},'tools':{'anyOf':[{'type':'boolean'},{" \
    "'type':'object','properties':{'description':{" \
    "'type':'boolean'}}}]}}}]}},'required':['name','tools','agents'," \
    "'workflows','skills','workspaceTools','browserTools','hasBrowser'," \
    "'inputProcessors','outputProcessors']}"

static const char agents_approve_tool_call[] =
    "{'type':'object','properties':{'fullStream':{}},'required':["
    "'fullStream']}";
static const char agents_model[] =
    "{'type':'object','properties':{'message':{'type':'string'}},"
    "'required':['message']}";
static const char agents_queue_message[] =
    "{'type':'object','properties':{'accepted':{'type':'boolean',"
    "'const':true},'runId':{'type':'string'},'signal':{}},'required':["
    "'accepted','runId']}";
static const char agents_tools[] =
    "{'type':'object','properties':{'id':{'type':'string'},'description':{"
    "'type':'string'},'inputSchema':{'type':'string'},'outputSchema':{"
    "'type':'string'},'requestContextSchema':{'type':'string'},"
    "'requireApproval':{'type':'boolean'}},'required':['id']}";
static const char agents_providers[] =
    "{'type':'object','properties':{'providers':{'type':'array','items':{"
    "'type':'object','properties':{'id':{'type':'string'},'name':{"
    "'type':'string'},'label':{'type':'string'},'description':{"
    "'type':'string'},'envVar':{'anyOf':[{'type':'string'},{'type':'array',"
    "'items':{'type':'string'}}]},'connected':{'type':'boolean'},'docUrl':{"
    "'type':'string'},'models':{'type':'array','items':{'type':'string'}}},"
    "'required':['id','name','envVar','connected','models']}}},'required':["
    "'providers']}";
static const char auth_refresh[] =
    "{'type':'object','properties':{'success':{'type':'boolean'}},"
    "'required':['success']}";
static const char memory_messages_delete[] =
    "{'type':'object','properties':{'success':{'type':'boolean'},"
    "'message':{'type':'string'}},'required':['success','message']}";
static const char memory_network_save_messages[] =
    "{'type':'object','properties':{'messages':{'type':'array','items':{"
    "}}},'required':['messages']}";
static const char memory_network_status[] =
    "{'type':'object','properties':{'result':{'type':'boolean'},"
    "'memoryType':{'type':'string','enum':['local','gateway']},"
    "'observationalMemory':{'type':'object','properties':{'enabled':{"
    "'type':'boolean'},'hasRecord':{'type':'boolean'},'originType':{"
    "'type':'string'},'lastObservedAt':{},'tokenCount':{'type':'number'},"
    "'observationTokenCount':{'type':'number'},'isObserving':{"
    "'type':'boolean'},'isReflecting':{'type':'boolean'}},'required':["
    "'enabled']}},'required':['result']}";
static const char memory_network_threads[] =
    "{'type':'object','properties':{'total':{'type':'number'},'page':{"
    "'type':'number'},'perPage':{'anyOf':[{'type':'number'},{"
    "'type':'boolean','const':false}]},'hasMore':{'type':'boolean'},"
    "'threads':{'type':'array','items':{'type':'object','properties':{"
    "'id':{'type':'string'},'title':{'type':'string'},'resourceId':{"
    "'type':'string'},'createdAt':{},'updatedAt':{},'metadata':{"
    "'type':'object','propertyNames':{'type':'string'},"
    "'additionalProperties':{}}},'required':['id','resourceId','createdAt',"
    "'updatedAt']}}},'required':['total','page','perPage','hasMore',"
    "'threads']}";
static const char memory_network_threads_[] =
    "{'type':'object','properties':{'id':{'type':'string'},'title':{"
    "'type':'string'},'resourceId':{'type':'string'},'createdAt':{},"
    "'updatedAt':{},'metadata':{'type':'object','propertyNames':{"
    "'type':'string'},'additionalProperties':{}}},'required':['id',"
    "'resourceId','createdAt','updatedAt']}";
static const char memory_network_threads__[] =
    "{'type':'object','properties':{'result':{'type':'string'}},"
    "'required':['result']}";
static const char memory_network_threads_messages[] =
    "{'type':'object','properties':{'messages':{'type':'array','items':{}},"
    "'uiMessages':{'anyOf':[{'type':'array','items':{}},{'type':'null'}]},"
    "'total':{'type':'number'},'page':{'type':'number'},'perPage':{"
    "'anyOf':[{'type':'number'},{'type':'boolean','const':false}]},"
    "'hasMore':{'type':'boolean'}},'required':['messages','uiMessages']}";

static const mastra_answer_t answers[] = {
    { "GET", "/agents",
      "{'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':"
      AGENT "}" },
    { "GET", "/agents/:agentId", AGENT },
    { "POST", "/agents/:agentId/approve-tool-call", agents_approve_tool_call },
    { "POST", "/agents/:agentId/decline-tool-call", agents_approve_tool_call },
    { "POST", "/agents/:agentId/instructions/enhance",
      "{'type':'object','properties':{'explanation':{'type':'string'},"
      "'new_prompt':{'type':'string'}},'required':['explanation',"
      "'new_prompt']}" },
    { "POST", "/agents/:agentId/model", agents_model },
    { "POST", "/agents/:agentId/model/reset", agents_model },
    { "POST", "/agents/:agentId/models/:modelConfigId", agents_model },
    { "POST", "/agents/:agentId/models/reorder", agents_model },
    { "POST", "/agents/:agentId/queue-message", agents_queue_message },
    { "POST", "/agents/:agentId/send-message", agents_queue_message },
    { "POST", "/agents/:agentId/send-tool-approval",
      "{'type':'object','properties':{'accepted':{'type':'boolean',"
      "'const':true},'runId':{'type':'string'},'toolCallId':{"
      "'type':'string'}},'required':['accepted','runId']}" },
    { "POST", "/agents/:agentId/signals", agents_queue_message },
    { "GET", "/agents/:agentId/suspended-runs",
      "{'type':'object','properties':{'runs':{'type':'array','items':{"
      "'type':'object','properties':{'runId':{'type':'string'},'status':{"
      "'type':'string','const':'suspended'},'threadId':{'type':'string'},"
      "'resourceId':{'type':'string'},'suspendedAt':{},'toolCalls':{"
      "'type':'array','items':{'type':'object','properties':{"
      "'toolCallId':{'type':'string'},'toolName':{'type':'string'},"
      "'args':{},'requiresApproval':{'type':'boolean'},'suspendPayload':{"
      "}},'required':['requiresApproval']}}},'required':['runId','status',"
      "'suspendedAt','toolCalls']}},'total':{'type':'integer','minimum':0,"
      "'maximum':9007199254740991}},'required':['runs','total']}" },
    { "POST", "/agents/:agentId/threads/abort",
      "{'type':'object','properties':{'aborted':{'type':'boolean'}},"
      "'required':['aborted']}" },
    { "GET", "/agents/:agentId/tools/:toolId", agents_tools },
    { "GET", "/agents/:agentId/voice/speakers",
      "{'type':'array','items':{'type':'object','properties':{'voiceId':{"
      "'type':'string'}},'required':['voiceId'],'additionalProperties':{"
      "}}}" },
    { "GET", "/agents/providers", agents_providers },
    { "GET", "/auth/capabilities",
      "{'anyOf':[{'type':'object','properties':{'enabled':{"
      "'type':'boolean'},'login':{'anyOf':[{'type':'object','properties':{"
      "'type':{'type':'string','enum':['sso','credentials','both']},"
      "'sso':{'type':'object','properties':{'provider':{'type':'string'},"
      "'text':{'type':'string'},'icon':{'type':'string'},'description':{"
      "'type':'string'},'url':{'type':'string'}},'required':['provider',"
      "'text','url']},'signUpEnabled':{'type':'boolean'},'description':{"
      "'type':'string'}},'required':['type']},{'type':'null'}]},'user':{"
      "'type':'object','properties':{'id':{'type':'string'},'email':{"
      "'type':'string'},'name':{'type':'string'},'avatarUrl':{"
      "'type':'string'}},'required':['id']},'capabilities':{"
      "'type':'object','properties':{'user':{'type':'boolean'},'session':{"
      "'type':'boolean'},'sso':{'type':'boolean'},'rbac':{"
      "'type':'boolean'},'acl':{'type':'boolean'}},'required':['user',"
      "'session','sso','rbac','acl']},'access':{'anyOf':[{'type':'object',"
      "'properties':{'roles':{'type':'array','items':{'type':'string'}},"
      "'permissions':{'type':'array','items':{'type':'string'}}},"
      "'required':['roles','permissions']},{'type':'null'}]}},'required':["
      "'enabled','login','user','capabilities','access']},{"
      "'type':'object','properties':{'enabled':{'type':'boolean'},"
      "'login':{'anyOf':[{'type':'object','properties':{'type':{"
      "'type':'string','enum':['sso','credentials','both']},'sso':{"
      "'type':'object','properties':{'provider':{'type':'string'},'text':{"
      "'type':'string'},'icon':{'type':'string'},'description':{"
      "'type':'string'},'url':{'type':'string'}},'required':['provider',"
      "'text','url']},'signUpEnabled':{'type':'boolean'},'description':{"
      "'type':'string'}},'required':['type']},{'type':'null'}]}},"
      "'required':['enabled','login']}]}" },
    { "GET", "/auth/me",
      "{'anyOf':[{'type':'object','properties':{'id':{'type':'string'},"
      "'email':{'type':'string'},'name':{'type':'string'},'avatarUrl':{"
      "'type':'string'},'roles':{'type':'array','items':{"
      "'type':'string'}},'permissions':{'type':'array','items':{"
      "'type':'string'}}},'required':['id']},{'type':'null'}]}" },
    { "GET", "/auth/permission-patterns",
      "{'type':'object','properties':{'patterns':{'type':'array','items':{"
      "'type':'string'}}},'required':['patterns']}" },
    { "POST", "/auth/refresh", auth_refresh },
    { "GET", "/auth/roles/:roleId/permissions",
      "{'type':'object','properties':{'roleId':{'type':'string'},"
      "'permissions':{'type':'array','items':{'type':'string'}}},"
      "'required':['roleId','permissions']}" },
    { "GET", "/channels/platforms",
      "{'type':'array','items':{'type':'object','properties':{'id':{"
      "'type':'string'},'name':{'type':'string'},'isConfigured':{"
      "'type':'boolean'},'connectOptionsSchema':{'type':'object',"
      "'propertyNames':{'type':'string'},'additionalProperties':{}}},"
      "'required':['id','name','isConfigured']}}" },
    { "GET", "/datasets",
      "{'type':'object','properties':{'datasets':{'type':'array','items':{"
      "'type':'object'}},'pagination':{'type':'object','properties':{"
      "'total':{'type':'number'},'page':{'type':'number'},'perPage':{"
      "'anyOf':[{'type':'number'},{'type':'boolean','const':false}]},"
      "'hasMore':{'type':'boolean'}},'required':['total','page','perPage',"
      "'hasMore']}},'required':['datasets','pagination']}" },
    { "GET", "/editor/builder/models/available", agents_providers },
    { "GET", "/editor/builder/settings",
      "{'type':'object','properties':{'enabled':{'type':'boolean'},"
      "'features':{'type':'object'},'configuration':{'type':'object'},"
      "'modelPolicy':{'type':'object','properties':{'active':{"
      "'type':'boolean'}},'required':['active']}},'required':['enabled']}" },
    { "GET", "/experiments",
      "{'type':'object','properties':{'experiments':{'type':'array',"
      "'items':{'type':'object'}},'pagination':{'type':'object',"
      "'properties':{'total':{'type':'number'},'page':{'type':'number'},"
      "'perPage':{'anyOf':[{'type':'number'},{'type':'boolean',"
      "'const':false}]},'hasMore':{'type':'boolean'}},'required':['total',"
      "'page','perPage','hasMore']}},'required':['experiments',"
      "'pagination']}" },
    { "GET", "/experiments/review-summary",
      "{'type':'object','properties':{'counts':{'type':'array','items':{"
      "'type':'object','properties':{'experimentId':{'type':'string'},"
      "'total':{'type':'integer','minimum':-9007199254740991,"
      "'maximum':9007199254740991},'needsReview':{'type':'integer',"
      "'minimum':-9007199254740991,'maximum':9007199254740991},"
      "'reviewed':{'type':'integer','minimum':-9007199254740991,"
      "'maximum':9007199254740991},'complete':{'type':'integer',"
      "'minimum':-9007199254740991,'maximum':9007199254740991}},"
      "'required':['experimentId','total','needsReview','reviewed',"
      "'complete']}}},'required':['counts']}" },
    { "GET", "/mcp/v0/servers",
      "{'type':'object','properties':{'servers':{'type':'array','items':{"
      "'type':'object','properties':{'id':{'type':'string'},'name':{"
      "'type':'string'},'version_detail':{'type':'object','properties':{"
      "'version':{'type':'string'},'release_date':{'type':'string'},"
      "'is_latest':{'type':'boolean'}},'required':['version',"
      "'release_date','is_latest']},'transports':{'type':'array','items':{"
      "'type':'string','enum':['streamable-http','sse']}}},'required':["
      "'id','name','version_detail']}},'total_count':{'type':'number'},"
      "'next':{'type':['string','null']}},'required':['servers',"
      "'total_count','next']}" },
    { "GET", "/memory/config",
      "{'type':'object','properties':{'memoryType':{'type':'string',"
      "'enum':['local','gateway']},'config':{'anyOf':[{'type':'object',"
      "'properties':{'lastMessages':{'anyOf':[{'type':'integer',"
      "'minimum':0,'maximum':9007199254740991},{'type':'boolean',"
      "'const':false}]},'messageHistory':{'type':'object','properties':{"
      "'maxTokens':{'type':'number','minimum':0},'atMaxRemoveTokens':{"
      "'type':'number','minimum':0}},'required':['maxTokens']},"
      "'semanticRecall':{},'workingMemory':{'type':'object','properties':{"
      "'enabled':{'type':'boolean'},'scope':{'type':'string','enum':["
      "'thread','resource']},'template':{'type':'string'},'schema':{},"
      "'version':{'type':'string','enum':['stable','vnext']}},"
      "'additionalProperties':{}},'observationalMemory':{'type':'object',"
      "'properties':{'enabled':{'type':'boolean'},'scope':{"
      "'type':'string','enum':['thread','resource']},'shareTokenBudget':{"
      "'type':'boolean'},'messageTokens':{'anyOf':[{'type':'number'},{"
      "'type':'object','properties':{'min':{'type':'number'},'max':{"
      "'type':'number'}},'required':['min','max']}]},'observationTokens':{"
      "'anyOf':[{'type':'number'},{'type':'object','properties':{'min':{"
      "'type':'number'},'max':{'type':'number'}},'required':['min',"
      "'max']}]},'observationModel':{'type':'string'},'reflectionModel':{"
      "'type':'string'},'observationModelRouting':{'type':'array',"
      "'items':{'type':'object','properties':{'upTo':{'type':'number'},"
      "'model':{'type':'string'}},'required':['upTo','model']}},"
      "'reflectionModelRouting':{'type':'array','items':{'type':'object',"
      "'properties':{'upTo':{'type':'number'},'model':{'type':'string'}},"
      "'required':['upTo','model']}}},'required':['enabled']}}},{"
      "'type':'null'}]}},'required':['config']}" },
    { "POST", "/memory/messages/delete", memory_messages_delete },
    { "POST", "/memory/network/messages/delete", memory_messages_delete },
    { "POST", "/memory/network/save-messages", memory_network_save_messages },
    { "GET", "/memory/network/status", memory_network_status },
    { "GET", "/memory/network/threads", memory_network_threads },
    { "POST", "/memory/network/threads", memory_network_threads_ },
    { "DELETE", "/memory/network/threads/:threadId",
      memory_network_threads__ },
    { "GET", "/memory/network/threads/:threadId", memory_network_threads_ },
    { "PATCH", "/memory/network/threads/:threadId", memory_network_threads_ },
    { "GET", "/memory/network/threads/:threadId/messages",
      memory_network_threads_messages },
    { "POST", "/memory/save-messages", memory_network_save_messages },
    { "GET", "/memory/search",
      "{'type':'object','properties':{'results':{'type':'array','items':{"
      "}},'count':{'type':'number'},'query':{'type':'string'},"
      "'searchScope':{'type':'string'},'searchType':{'type':'string'}},"
      "'required':['results','count','query']}" },
    { "GET", "/memory/status", memory_network_status },
    { "GET", "/memory/threads", memory_network_threads },
    { "POST", "/memory/threads", memory_network_threads_ },
    { "DELETE", "/memory/threads/:threadId", memory_network_threads__ },
    { "GET", "/memory/threads/:threadId", memory_network_threads_ },
    { "PATCH", "/memory/threads/:threadId", memory_network_threads_ },
    { "POST", "/memory/threads/:threadId/clone",
      "{'type':'object','properties':{'thread':{'type':'object',"
      "'properties':{'id':{'type':'string'},'title':{'type':'string'},"
      "'resourceId':{'type':'string'},'createdAt':{},'updatedAt':{},"
      "'metadata':{'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':{}}},'required':['id','resourceId',"
      "'createdAt','updatedAt']},'clonedMessages':{'type':'array',"
      "'items':{}}},'required':['thread','clonedMessages']}" },
    { "GET", "/memory/threads/:threadId/messages",
      memory_network_threads_messages },
    { "POST", "/memory/threads/:threadId/transfer", memory_network_threads_ },
    { "GET", "/memory/threads/:threadId/working-memory",
      "{'type':'object','properties':{'workingMemory':{},'source':{"
      "'type':'string','enum':['thread','resource']},"
      "'workingMemoryTemplate':{},'threadExists':{'type':'boolean'}},"
      "'required':['workingMemory','source','workingMemoryTemplate',"
      "'threadExists']}" },
    { "POST", "/memory/threads/:threadId/working-memory", auth_refresh },
    { "GET", "/observability/discovery/entity-names",
      "{'type':'object','properties':{'names':{'type':'array','items':{"
      "'type':'string'}}},'required':['names']}" },
    { "GET", "/observability/discovery/environments",
      "{'type':'object','properties':{'environments':{'type':'array',"
      "'items':{'type':'string'}}},'required':['environments']}" },
    { "GET", "/observability/discovery/service-names",
      "{'type':'object','properties':{'serviceNames':{'type':'array',"
      "'items':{'type':'string'}}},'required':['serviceNames']}" },
    { "GET", "/observability/discovery/tags",
      "{'type':'object','properties':{'tags':{'type':'array','items':{"
      "'type':'string'}}},'required':['tags']}" },
    { "GET", "/observability/feedback",
      "{'type':'object','properties':{'pagination':{'type':'object',"
      "'properties':{'total':{'type':'number'},'page':{'type':'number'},"
      "'perPage':{'anyOf':[{'type':'number'},{'type':'boolean',"
      "'const':false}]},'hasMore':{'type':'boolean'}},'required':['total',"
      "'page','perPage','hasMore']},'delta':{'type':'object',"
      "'properties':{'limit':{'type':'number'},'hasMore':{"
      "'type':'boolean'}},'required':['limit','hasMore']},'deltaCursor':{"
      "'type':'string','minLength':1},'feedback':{'type':'array','items':{"
      "'type':'object'}}},'required':['feedback']}" },
    { "GET", "/observability/logs",
      "{'type':'object','properties':{'pagination':{'type':'object',"
      "'properties':{'total':{'type':'number'},'page':{'type':'number'},"
      "'perPage':{'anyOf':[{'type':'number'},{'type':'boolean',"
      "'const':false}]},'hasMore':{'type':'boolean'}},'required':['total',"
      "'page','perPage','hasMore']},'delta':{'type':'object',"
      "'properties':{'limit':{'type':'number'},'hasMore':{"
      "'type':'boolean'}},'required':['limit','hasMore']},'deltaCursor':{"
      "'type':'string','minLength':1},'logs':{'type':'array','items':{"
      "'type':'object'}}},'required':['logs']}" },
    { "GET", "/observability/scores",
      "{'type':'object','properties':{'pagination':{'type':'object',"
      "'properties':{'total':{'type':'number'},'page':{'type':'number'},"
      "'perPage':{'anyOf':[{'type':'number'},{'type':'boolean',"
      "'const':false}]},'hasMore':{'type':'boolean'}},'required':['total',"
      "'page','perPage','hasMore']},'delta':{'type':'object',"
      "'properties':{'limit':{'type':'number'},'hasMore':{"
      "'type':'boolean'}},'required':['limit','hasMore']},'deltaCursor':{"
      "'type':'string','minLength':1},'scores':{'type':'array','items':{"
      "'type':'object'}}},'required':['scores']}" },
    { "POST", "/observability/traces/query",
      "{'anyOf':[{'type':'object','properties':{'traces':{'type':'array',"
      "'items':{'type':'object'}},'page':{'type':'object','properties':{"
      "'next':{'type':['string','null']}},'required':['next']}},"
      "'required':['traces','page']},{'type':'object','properties':{"
      "'traces':{'type':'array','items':{'type':'object'}},'pagination':{"
      "'type':'object','properties':{'total':{'type':'number'},'page':{"
      "'type':'number'},'perPage':{'anyOf':[{'type':'number'},{"
      "'type':'boolean','const':false}]},'hasMore':{'type':'boolean'}},"
      "'required':['total','page','perPage','hasMore']},'deltaCursor':{"
      "'type':'string','minLength':1}},'required':['traces',"
      "'pagination']},{'type':'object','properties':{'traces':{"
      "'type':'array','items':{'type':'object'}},'delta':{'type':'object',"
      "'properties':{'limit':{'type':'number'},'hasMore':{"
      "'type':'boolean'}},'required':['limit','hasMore']},'deltaCursor':{"
      "'type':'string','minLength':1}},'required':['traces','delta',"
      "'deltaCursor']},{'type':'object','properties':{'groups':{"
      "'type':'array','items':{'type':'object'}},'page':{'type':'object',"
      "'properties':{'next':{'type':['string','null']}},'required':["
      "'next']}},'required':['groups','page']}]}" },
    { "POST", "/observability/traces/query/fields",
      "{'type':'object','properties':{'canonicalFields':{'type':'array',"
      "'items':{'type':'object'}},'observedFields':{'maxItems':100,"
      "'type':'array','items':{'type':'object'}},"
      "'observedFieldsTruncated':{'type':'boolean'}},'required':["
      "'canonicalFields','observedFields','observedFieldsTruncated']}" },
    { "GET", "/processors",
      "{'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':{'type':'object','properties':{'id':{"
      "'type':'string'},'name':{'type':'string'},'description':{"
      "'type':'string'},'phases':{'type':'array','items':{'type':'string',"
      "'enum':['input','inputStep','outputStream','outputResult',"
      "'outputStep','toolResult']}},'agentIds':{'type':'array','items':{"
      "'type':'string'}},'configurations':{'type':'array','items':{"
      "'type':'object'}},'isWorkflow':{'type':'boolean'}},'required':["
      "'id','phases','agentIds','configurations','isWorkflow']}}" },
    { "GET", "/scores/scorer/:scorerId",
      "{'type':'object','properties':{'pagination':{'type':'object',"
      "'properties':{'total':{'type':'number'},'page':{'type':'number'},"
      "'perPage':{'anyOf':[{'type':'number'},{'type':'boolean',"
      "'const':false}]},'hasMore':{'type':'boolean'}},'required':['total',"
      "'page','perPage','hasMore']},'scores':{'type':'array','items':{}}},"
      "'required':['pagination','scores']}" },
    { "GET", "/scores/scorers",
      "{'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':{'type':'object','properties':{'scorer':{"
      "'type':'object','properties':{'config':{'type':'object',"
      "'properties':{'id':{'type':'string'},'name':{'type':'string'},"
      "'description':{'type':'string'},'type':{},'judge':{}},'required':["
      "'id','description']}},'required':['config']},'sampling':{"
      "'type':'object','properties':{}},'agentIds':{'type':'array',"
      "'items':{'type':'string'}},'agentNames':{'type':'array','items':{"
      "'type':'string'}},'workflowIds':{'type':'array','items':{"
      "'type':'string'}},'isRegistered':{'type':'boolean'},'source':{"
      "'type':'string','enum':['code','stored','fs']}},'required':["
      "'scorer','agentIds','agentNames','workflowIds','isRegistered',"
      "'source']}}" },
    { "GET", "/scores/scorers/:scorerId",
      "{'anyOf':[{'type':'object','properties':{'scorer':{'type':'object',"
      "'properties':{'config':{'type':'object','properties':{'id':{"
      "'type':'string'},'name':{'type':'string'},'description':{"
      "'type':'string'},'type':{},'judge':{}},'required':['id',"
      "'description']}},'required':['config']},'sampling':{"
      "'type':'object','properties':{}},'agentIds':{'type':'array',"
      "'items':{'type':'string'}},'agentNames':{'type':'array','items':{"
      "'type':'string'}},'workflowIds':{'type':'array','items':{"
      "'type':'string'}},'isRegistered':{'type':'boolean'},'source':{"
      "'type':'string','enum':['code','stored','fs']}},'required':["
      "'scorer','agentIds','agentNames','workflowIds','isRegistered',"
      "'source']},{'type':'null'}]}" },
    { "GET", "/stored/agents/:agentId/versions",
      "{'type':'object','properties':{'total':{'type':'number'},'page':{"
      "'type':'number'},'perPage':{'anyOf':[{'type':'number'},{"
      "'type':'boolean','const':false}]},'hasMore':{'type':'boolean'},"
      "'versions':{'type':'array','items':{'type':'object'}}},'required':["
      "'total','page','perPage','hasMore','versions']}" },
    { "GET", "/stored/prompt-blocks",
      "{'type':'object','properties':{'total':{'type':'number'},'page':{"
      "'type':'number'},'perPage':{'anyOf':[{'type':'number'},{"
      "'type':'boolean','const':false}]},'hasMore':{'type':'boolean'},"
      "'promptBlocks':{'type':'array','items':{'type':'object'}}},"
      "'required':['total','page','perPage','hasMore','promptBlocks']}" },
    { "GET", "/system/packages",
      "{'type':'object','properties':{'packages':{'type':'array','items':{"
      "'type':'object'}},'isDev':{'type':'boolean'},'cmsEnabled':{"
      "'type':'boolean'},'liveKitConnectionRouteEnabled':{"
      "'type':'boolean'},'editorSource':{'type':'string','enum':['code',"
      "'db']},'editorSourceCapabilities':{'type':'object','properties':{"
      "'source':{'type':'string','enum':['code','db']},'storage':{"
      "'type':'string','enum':['database','filesystem','source-provider',"
      "'unavailable']},'provider':{'type':'object','properties':{'id':{"
      "'type':'string'},'displayName':{'type':'string'}},'required':['id',"
      "'displayName']},'canSave':{'type':'boolean'},"
      "'canOpenChangeRequest':{'type':'boolean'},'unavailableReason':{"
      "'type':'string'}},'required':['source','storage','canSave',"
      "'canOpenChangeRequest']},'observabilityEnabled':{'type':'boolean'},"
      "'storageType':{'type':'string'},'observabilityStorageType':{"
      "'type':'string'},'observabilityStorageCapabilities':{"
      "'type':'object','properties':{'metrics':{'type':'boolean'},'logs':{"
      "'type':'boolean'},'traceQueryDiscovery':{'type':'boolean'}},"
      "'required':['metrics','logs','traceQueryDiscovery']},"
      "'observabilityRuntimeStrategy':{'type':'string','enum':['realtime',"
      "'batch-with-updates','insert-only','event-sourced']}},'required':["
      "'packages','isDev','cmsEnabled','liveKitConnectionRouteEnabled',"
      "'observabilityEnabled']}" },
    { "GET", "/tool-providers",
      "{'type':'object','properties':{'providers':{'type':'array',"
      "'items':{'type':'object','properties':{'id':{'type':'string'},"
      "'name':{'type':'string'},'description':{'type':'string'},"
      "'displayName':{'type':'string'},'capabilities':{'type':'object',"
      "'properties':{'multipleConnectionsPerToolkit':{'type':'boolean'},"
      "'batchConnectionStatus':{'type':'boolean'},"
      "'reauthorizeReusesConnectionId':{'type':'boolean'},"
      "'supportsRevoke':{'type':'boolean'}},'required':["
      "'multipleConnectionsPerToolkit','batchConnectionStatus',"
      "'reauthorizeReusesConnectionId']}},'required':['id','name']}}},"
      "'required':['providers']}" },
    { "GET", "/tools",
      "{'type':'object','propertyNames':{'type':'string'},"
      "'additionalProperties':{'type':'object','properties':{'id':{"
      "'type':'string'},'description':{'type':'string'},'inputSchema':{"
      "'type':'string'},'outputSchema':{'type':'string'},"
      "'requestContextSchema':{'type':'string'},'requireApproval':{"
      "'type':'boolean'}},'required':['id']}}" },
    { "GET", "/tools/:toolId", agents_tools },
    { "GET", "/workspaces",
      "{'type':'object','properties':{'workspaces':{'type':'array',"
      "'items':{'type':'object'}}},'required':['workspaces']}" },
    { "GET", "/workspaces/:workspaceId",
      "{'type':'object','properties':{'isWorkspaceConfigured':{"
      "'type':'boolean'},'id':{'type':'string'},'name':{'type':'string'},"
      "'status':{'type':'string'},'capabilities':{'type':'object',"
      "'properties':{'hasFilesystem':{'type':'boolean'},'hasSandbox':{"
      "'type':'boolean'},'canBM25':{'type':'boolean'},'canVector':{"
      "'type':'boolean'},'canHybrid':{'type':'boolean'},'hasSkills':{"
      "'type':'boolean'}},'required':['hasFilesystem','hasSandbox',"
      "'canBM25','canVector','canHybrid','hasSkills']},'safety':{"
      "'type':'object','properties':{'readOnly':{'type':'boolean'}},"
      "'required':['readOnly']},'filesystem':{'type':'object',"
      "'properties':{'id':{'type':'string'},'name':{'type':'string'},"
      "'provider':{'type':'string'},'status':{'type':'string'},'error':{"
      "'type':'string'},'readOnly':{'type':'boolean'},'icon':{"
      "'type':'string'},'metadata':{'type':'object','propertyNames':{"
      "'type':'string'},'additionalProperties':{}}},'required':['id',"
      "'name','provider']},'mounts':{'type':'array','items':{"
      "'type':'object'}}},'required':['isWorkspaceConfigured']}" },
    { NULL }
};

static const mastra_answer_t *find(const mastra_answer_t *answer,
                                   const mastra_route_t *row)
{
    for (; answer->method; answer++) {
        if (!strcmp(answer->method, row->method)
            && !strcmp(answer->path, row->path)) {
            return answer;
        }
    }
    return NULL;
}

const char *mastra_openapi_answer(const mastra_route_t *row, apr_pool_t *pool)
{
    const mastra_answer_t *answer = find(answers, row);
    char *schema, *at;

    if (!answer) {
        answer = find(mastra_answers_workflows, row);
    }
    if (!answer) {
        return NULL;
    }
    schema = apr_pstrdup(pool, answer->schema);
    for (at = schema; (at = strchr(at, '\'')); at++) {
        *at = '"';
    }
    return schema;
}
