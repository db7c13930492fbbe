#ifndef MASTRA_API_RUN_OPTIONS_H
#define MASTRA_API_RUN_OPTIONS_H

#include "../http/router.h"

/*
 * The options that every route takes which begins or goes on with a run, as
 * members of a JSON Schema's "properties". What a schema cannot say is checked
 * when the run is made. Members with other names are let through.
 */

/* Ids that clients choose: they are stored, in columns of that width. */
#define MASTRA_SCHEMA_ID "{\"type\":\"string\",\"maxLength\":255}"

#define MASTRA_SCHEMA_STRINGS \
    "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"

#define MASTRA_SCHEMA_STATUS \
    "{\"type\":\"string\",\"enum\":[\"draft\",\"published\"]}"

#define MASTRA_SCHEMA_MEMORY \
    "{\"type\":\"object\",\"properties\":{" \
    "\"thread\":{\"anyOf\":[" MASTRA_SCHEMA_ID ",{\"type\":\"object\"," \
    "\"properties\":{\"id\":" MASTRA_SCHEMA_ID "},\"required\":[\"id\"]}]}," \
    "\"resource\":" MASTRA_SCHEMA_ID "," \
    "\"options\":" MASTRA_SCHEMA_RECORD "," \
    "\"readOnly\":{\"type\":\"boolean\"}},\"required\":[\"thread\"]}"

#define MASTRA_SCHEMA_VERSIONS \
    "{\"type\":\"object\",\"properties\":{\"agents\":{\"type\":\"object\"," \
    "\"propertyNames\":{\"type\":\"string\"},\"additionalProperties\":{" \
    "\"anyOf\":[{\"type\":\"object\",\"properties\":{\"versionId\":{" \
    "\"type\":\"string\"}},\"required\":[\"versionId\"]}," \
    "{\"type\":\"object\",\"properties\":{\"status\":" MASTRA_SCHEMA_STATUS \
    "},\"required\":[\"status\"]}]}}," \
    "\"defaultStatus\":" MASTRA_SCHEMA_STATUS "}}"

#define MASTRA_SCHEMA_CHOICE \
    "{\"anyOf\":[{\"type\":\"string\",\"enum\":[\"auto\",\"none\"," \
    "\"required\"]},{\"type\":\"object\",\"properties\":{" \
    "\"type\":{\"type\":\"string\",\"const\":\"tool\"}," \
    "\"toolName\":{\"type\":\"string\"}},\"required\":[\"type\"," \
    "\"toolName\"]}]}"

#define MASTRA_SCHEMA_TRACING \
    "{\"type\":\"object\",\"properties\":{" \
    "\"rootSpanName\":{\"type\":\"string\"}," \
    "\"metadata\":" MASTRA_SCHEMA_RECORD "," \
    "\"requestContextKeys\":" MASTRA_SCHEMA_STRINGS "," \
    "\"traceId\":{\"type\":\"string\"},\"parentSpanId\":{\"type\":\"string\"}," \
    "\"tags\":" MASTRA_SCHEMA_STRINGS "," \
    "\"hideInput\":{\"type\":\"boolean\"},\"hideOutput\":{\"type\":\"boolean\"}}}"

#define MASTRA_SCHEMA_OUTPUT \
    "{\"type\":\"object\",\"properties\":{" \
    "\"schema\":{\"type\":\"object\",\"properties\":{}," \
    "\"additionalProperties\":{}},\"model\":{}," \
    "\"instructions\":{\"type\":\"string\"}," \
    "\"jsonPromptInjection\":{\"type\":\"boolean\"}," \
    "\"errorStrategy\":{\"type\":\"string\",\"enum\":[\"strict\",\"warn\"," \
    "\"fallback\"]},\"fallbackValue\":{}},\"required\":[\"schema\"]}"

#define MASTRA_MAX_IDLE \
    "\"maxIdleMs\":{\"type\":\"integer\",\"exclusiveMinimum\":0," \
    "\"maximum\":9007199254740991}"
#define MASTRA_SCHEMA_IDLE \
    "{\"anyOf\":[{\"type\":\"boolean\"},{\"type\":\"object\",\"properties\":{" \
    MASTRA_MAX_IDLE "}}]}"

#define MASTRA_RUN_OPTIONS \
    "\"instructions\":{},\"system\":{}," \
    "\"context\":{\"type\":\"array\",\"items\":{}}," \
    "\"memory\":" MASTRA_SCHEMA_MEMORY "," \
    "\"runId\":" MASTRA_SCHEMA_ID "," \
    "\"savePerStep\":{\"type\":\"boolean\"}," \
    "\"requestContext\":" MASTRA_SCHEMA_RECORD "," \
    "\"versions\":" MASTRA_SCHEMA_VERSIONS "," \
    "\"maxSteps\":{\"type\":\"number\"},\"stopWhen\":{}," \
    "\"model\":{\"type\":\"string\"}," \
    "\"providerOptions\":{\"type\":\"object\",\"propertyNames\":{" \
    "\"type\":\"string\"},\"additionalProperties\":" MASTRA_SCHEMA_RECORD "}," \
    "\"modelSettings\":{}," \
    "\"activeTools\":" MASTRA_SCHEMA_STRINGS "," \
    "\"toolsets\":" MASTRA_SCHEMA_RECORD "," \
    "\"clientTools\":" MASTRA_SCHEMA_RECORD "," \
    "\"toolChoice\":" MASTRA_SCHEMA_CHOICE "," \
    "\"requireToolApproval\":{\"type\":\"boolean\"}," \
    "\"scorers\":" MASTRA_SCHEMA_RECORD "," \
    "\"returnScorerData\":{\"type\":\"boolean\"}," \
    "\"tracingOptions\":" MASTRA_SCHEMA_TRACING "," \
    "\"output\":{}," \
    "\"structuredOutput\":" MASTRA_SCHEMA_OUTPUT "," \
    "\"untilIdle\":" MASTRA_SCHEMA_IDLE

#endif
