/* The schemas of schemas, each as one document, for references to them. */

#include <string.h>

#include "internal.h"

/* what both drafts say of keywords that take no schema */
#define PLAIN_KEYWORDS \
    "\"$schema\":{\"type\":\"string\",\"format\":\"uri\"}," \
    "\"$ref\":{\"type\":\"string\",\"format\":\"uri-reference\"}," \
    "\"$comment\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"}," \
    "\"description\":{\"type\":\"string\"},\"default\":true," \
    "\"readOnly\":{\"type\":\"boolean\"}," \
    "\"writeOnly\":{\"type\":\"boolean\"}," \
    "\"examples\":{\"type\":\"array\"}," \
    "\"multipleOf\":{\"type\":\"number\",\"exclusiveMinimum\":0}," \
    "\"maximum\":{\"type\":\"number\"},\"minimum\":{\"type\":\"number\"}," \
    "\"exclusiveMaximum\":{\"type\":\"number\"}," \
    "\"exclusiveMinimum\":{\"type\":\"number\"}," \
    "\"maxLength\":" COUNT ",\"minLength\":" COUNT "," \
    "\"maxItems\":" COUNT ",\"minItems\":" COUNT "," \
    "\"maxProperties\":" COUNT ",\"minProperties\":" COUNT "," \
    "\"pattern\":{\"type\":\"string\",\"format\":\"regex\"}," \
    "\"uniqueItems\":{\"type\":\"boolean\"}," \
    "\"required\":" STRINGS ",\"const\":true," \
    "\"type\":{\"anyOf\":[" TYPE ",{\"type\":\"array\",\"items\":" TYPE "," \
    "\"minItems\":1,\"uniqueItems\":true}]}," \
    "\"format\":{\"type\":\"string\"}," \
    "\"contentMediaType\":{\"type\":\"string\"}," \
    "\"contentEncoding\":{\"type\":\"string\"},"

#define COUNT "{\"type\":\"integer\",\"minimum\":0}"
#define STRINGS "{\"type\":\"array\",\"items\":{\"type\":\"string\"}," \
                "\"uniqueItems\":true}"
#define TYPE "{\"enum\":[\"array\",\"boolean\",\"integer\",\"null\"," \
             "\"number\",\"object\",\"string\"]}"

/* what takes schemas; the reference to one is another in each draft */
#define SCHEMA_KEYWORDS(one) \
    "\"contains\":" one ",\"additionalProperties\":" one "," \
    "\"propertyNames\":" one ",\"not\":" one ",\"if\":" one "," \
    "\"then\":" one ",\"else\":" one "," \
    "\"properties\":" MAP(one) ",\"definitions\":" MAP(one) "," \
    "\"patternProperties\":{\"type\":\"object\"," \
    "\"propertyNames\":{\"format\":\"regex\"}," \
    "\"additionalProperties\":" one "}," \
    "\"allOf\":" LIST(one) ",\"anyOf\":" LIST(one) ",\"oneOf\":" LIST(one)
#define MAP(one) "{\"type\":\"object\",\"additionalProperties\":" one "}"
#define LIST(one) "{\"type\":\"array\",\"minItems\":1,\"items\":" one "}"

#define SELF_07 "{\"$ref\":\"#\"}"
#define SELF_2020 "{\"$dynamicRef\":\"#meta\"}"
#define NAME "{\"type\":\"string\",\"pattern\":\"^[A-Za-z_][-A-Za-z0-9._]*$\"}"

static const char draft_07[] =
    "{\"$schema\":\"http://json-schema.org/draft-07/schema#\","
    "\"$id\":\"http://json-schema.org/draft-07/schema#\","
    "\"title\":\"Schemas of draft-07\",\"type\":[\"object\",\"boolean\"],"
    "\"properties\":{" PLAIN_KEYWORDS SCHEMA_KEYWORDS(SELF_07) ","
    "\"$id\":{\"type\":\"string\",\"format\":\"uri-reference\"},"
    "\"enum\":{\"type\":\"array\"},"
    "\"items\":{\"anyOf\":[" SELF_07 "," LIST(SELF_07) "]},"
    "\"additionalItems\":" SELF_07 ","
    "\"dependencies\":{\"type\":\"object\",\"additionalProperties\":"
    "{\"anyOf\":[" SELF_07 "," STRINGS "]}}},\"default\":true}";

static const char draft_2020[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$id\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$dynamicAnchor\":\"meta\","
    "\"title\":\"Schemas of draft 2020-12\",\"type\":[\"object\",\"boolean\"],"
    "\"properties\":{" PLAIN_KEYWORDS SCHEMA_KEYWORDS(SELF_2020) ","
    "\"$id\":{\"type\":\"string\",\"format\":\"uri-reference\","
    "\"pattern\":\"^[^#]*#?$\"},"
    "\"$anchor\":" NAME ",\"$dynamicAnchor\":" NAME ","
    "\"$dynamicRef\":{\"type\":\"string\",\"format\":\"uri-reference\"},"
    "\"$vocabulary\":{\"type\":\"object\","
    "\"additionalProperties\":{\"type\":\"boolean\"}},"
    "\"$defs\":" MAP(SELF_2020) ","
    "\"enum\":{\"type\":\"array\"},\"deprecated\":{\"type\":\"boolean\"},"
    "\"prefixItems\":" LIST(SELF_2020) ",\"items\":" SELF_2020 ","
    "\"minContains\":" COUNT ",\"maxContains\":" COUNT ","
    "\"unevaluatedItems\":" SELF_2020 ","
    "\"unevaluatedProperties\":" SELF_2020 ","
    "\"contentSchema\":" SELF_2020 ","
    "\"dependentSchemas\":" MAP(SELF_2020) ","
    "\"dependentRequired\":{\"type\":\"object\","
    "\"additionalProperties\":" STRINGS "},"
    "\"dependencies\":{\"type\":\"object\",\"additionalProperties\":"
    "{\"anyOf\":[" SELF_2020 "," STRINGS "]}}}}";

const char *mastra_schema_meta(const char *uri, draft_e *draft)
{
    if (!strcmp(uri, "http://json-schema.org/draft-07/schema")) {
        *draft = DRAFT_07;
        return draft_07;
    }
    if (!strcmp(uri, "https://json-schema.org/draft/2020-12/schema")) {
        *draft = DRAFT_2020;
        return draft_2020;
    }
    return NULL;
}
