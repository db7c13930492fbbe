/* Which members definitions have, so that a misspelt or misplaced one is told
 * and not passed over. */
#include <string.h>

#include <apr_strings.h>

#include "base/log.h"
#include "mod_mastra_form.h"

#define TEXT "{\"type\":\"string\"}"
#define NUMBER "{\"type\":\"number\"}"
#define FLAG "{\"type\":\"boolean\"}"
#define ANY "{}"
/* an object that is somebody else's inside */
#define RECORD "{\"type\":\"object\"}"
#define FORM(members) \
    "{\"type\":\"object\",\"properties\":{" members "}}"
#define NAMES "{\"type\":[\"array\",\"object\"]}"

static const char tool_form[] =
    FORM("\"id\":" TEXT ",\"name\":" TEXT ",\"description\":" TEXT ","
         "\"inputSchema\":" ANY ",\"outputSchema\":" ANY ","
         "\"suspendSchema\":" ANY ",\"resumeSchema\":" ANY ","
         "\"metadata\":" RECORD ","
         /* "yes" is no boolean: a call would go ahead without being approved */
         "\"requireApproval\":" FLAG ","
         "\"execute\":" FORM(
             "\"kind\":" TEXT ",\"uri\":" TEXT ",\"url\":" TEXT ","
             "\"method\":" TEXT ",\"input\":" TEXT ",\"headers\":" RECORD ","
             "\"timeout\":" NUMBER ",\"statement\":" TEXT ",\"params\":" ANY ","
             "\"result\":" TEXT ",\"agent\":" TEXT ",\"workflow\":" TEXT));

static const char agent_form[] =
    FORM("\"id\":" TEXT ",\"name\":" TEXT ",\"description\":" TEXT ","
         "\"instructions\":{\"type\":[\"string\",\"array\"],"
         "\"items\":{\"type\":[\"string\",\"object\"]}},"
         "\"model\":" ANY ",\"durable\":" ANY ","
         "\"tools\":" NAMES ",\"agents\":" NAMES ",\"workflows\":" NAMES ","
         /* what a stored agent has beside its definition */
         "\"metadata\":" RECORD ",\"authorId\":" ANY ",\"visibility\":" ANY ","
         "\"autoPublish\":" ANY ","
         "\"requestContextSchema\":" ANY ","
         "\"defaultOptions\":{\"type\":\"object\",\"properties\":{"
         "\"maxSteps\":" NUMBER ",\"requireToolApproval\":" FLAG ","
         "\"modelSettings\":{\"type\":\"object\",\"properties\":{"
         "\"temperature\":" NUMBER ",\"topP\":" NUMBER ",\"topK\":" NUMBER ","
         "\"maxOutputTokens\":" NUMBER ",\"presencePenalty\":" NUMBER ","
         "\"frequencyPenalty\":" NUMBER ",\"seed\":" NUMBER "},"
         "\"additionalProperties\":true}},\"additionalProperties\":true},"
         "\"memory\":{\"type\":[\"object\",\"boolean\",\"null\"],"
         "\"properties\":{\"options\":" FORM(
             "\"lastMessages\":" ANY ",\"messageHistory\":" ANY ","
             "\"generateTitle\":" ANY ",\"readOnly\":" FLAG ","
             "\"workingMemory\":{\"type\":[\"object\",\"null\"],"
             "\"properties\":{\"enabled\":" FLAG ",\"template\":" TEXT ","
             "\"schema\":" ANY ",\"scope\":" TEXT ",\"version\":" ANY "}}")
         "}}");

/* "entry" has the members of all types of steps. */
static const char workflow_form[] =
    "{\"type\":\"object\",\"properties\":{\"id\":" TEXT ",\"name\":" TEXT ","
    "\"description\":" TEXT ",\"metadata\":" RECORD ","
    "\"inputSchema\":" ANY ",\"outputSchema\":" ANY ",\"stateSchema\":" ANY ","
    "\"requestContextSchema\":" ANY ",\"schedule\":" ANY ","
    "\"dependencies\":" ANY ",\"status\":" ANY ",\"authorId\":" ANY ","
    "\"graph\":{\"items\":{\"$ref\":\"#/$defs/entry\"}}},"
    "\"$defs\":{\"entry\":{\"properties\":{\"type\":" ANY ",\"id\":" ANY ","
    "\"description\":" TEXT ",\"metadata\":" RECORD ",\"agentId\":" ANY ","
    "\"toolId\":" ANY ",\"workflowId\":" ANY ",\"mapConfig\":" ANY ","
    "\"outputSchema\":" ANY ",\"duration\":" ANY ",\"date\":" ANY ","
    "\"loopType\":" ANY ",\"predicate\":" ANY ",\"predicates\":" ANY ","
    "\"options\":" FORM("\"retries\":{\"type\":\"integer\"},"
                        "\"metadata\":" RECORD) ","
    "\"opts\":" FORM("\"concurrency\":{\"type\":\"integer\"}") ","
    "\"step\":{\"$ref\":\"#/$defs/entry\"},"
    "\"steps\":{\"items\":{\"$ref\":\"#/$defs/entry\"}}}}}}";

static const char *const texts[] = {
    [MASTRA_DOCUMENT_TOOL] = tool_form,
    [MASTRA_DOCUMENT_AGENT] = agent_form,
    [MASTRA_DOCUMENT_WORKFLOW] = workflow_form,
    /* those who read a schedule know its members by its target */
    [MASTRA_DOCUMENT_SCHEDULE] = "{}"
};

const mastra_forms_t *mastra_forms_make(apr_pool_t *pool)
{
    mastra_forms_t *forms = apr_pcalloc(pool, sizeof(*forms));
    mastra_json_t *json;
    int kind;

    for (kind = 0; kind <= MASTRA_DOCUMENT_SCHEDULE; kind++) {
        if (mastra_json_parse(&json, texts[kind], strlen(texts[kind]), 0, NULL)
            != APR_SUCCESS) {
            continue;
        }
        forms->of[kind].json = mastra_json_own(json, pool);
        mastra_schema_compile(&forms->of[kind].schema, json, NULL, pool);
    }
    return forms;
}

/* --- members that nobody reads --------------------------------------------- */

typedef struct {
    const mastra_form_t *form;
    const mastra_document_t *document;
    apr_pool_t *pool;
} walk_t;

static void walk(const walk_t *w, const mastra_json_t *form,
                 const mastra_json_t *value, const char *path);

/* Off is what a member that nobody reads is anyway. */
static int says_something(const mastra_json_t *value)
{
    return !mastra_json_is_null(value)
           && (!mastra_json_is_bool(value) || mastra_json_is_true(value));
}

static void walk_member(const walk_t *w, const mastra_json_t *form,
                        const mastra_json_t *known, const char *name,
                        const mastra_json_t *value, const char *path)
{
    const mastra_json_t *inner = mastra_json_get(known, name);

    path = apr_pstrcat(w->pool, path, *path ? "." : "", name, NULL);
    if (inner) {
        walk(w, inner, value, path);
    }
    else if (!mastra_json_get(form, "additionalProperties")
             && says_something(value)) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(611) "%s:%d: \"%s\": "
                   "nothing here reads a member of this name: it has no "
                   "effect", w->document->file,
                   mastra_project_line(w->document, path, w->pool), path);
    }
}

static void walk(const walk_t *w, const mastra_json_t *form,
                 const mastra_json_t *value, const char *path)
{
    const mastra_json_t *known, *items;
    apr_size_t i;
    void *at;

    if (mastra_json_get(form, "$ref")) {
        form = mastra_json_path(w->form->json, "$defs", "entry", NULL);
    }
    known = mastra_json_get(form, "properties");
    items = mastra_json_get(form, "items");
    if (known && mastra_json_is_object(value)) {
        for (at = mastra_json_iter(value); at;
             at = mastra_json_next(value, at)) {
            walk_member(w, form, known, mastra_json_key(at),
                        mastra_json_value(at), path);
        }
    }
    for (i = 0; items && mastra_json_is_array(value)
                && i < mastra_json_size(value); i++) {
        walk(w, items, mastra_json_at(value, i),
             apr_psprintf(w->pool, "%s.%" APR_SIZE_T_FMT, path, i));
    }
}

/* --- one document ---------------------------------------------------------- */

/* A provider of another module has members of its own. */
static int is_foreign(const mastra_document_t *document)
{
    const char *kind = mastra_json_get_str(
        mastra_json_get(document->json, "execute"), "kind");

    return document->kind == MASTRA_DOCUMENT_TOOL && kind
           && !strcmp(kind, "provider");
}

/* A wire's sentence about one of several types does not say which. */
static const char *sentence_of(const mastra_form_t *form,
                               const mastra_schema_error_t *error,
                               apr_pool_t *pool)
{
    const mastra_json_t *types = form->json;
    char *copy = apr_pstrdup(pool, error->location), *state = NULL, *part;
    const char *all = "must be ";
    apr_size_t i;

    for (part = apr_strtok(copy, "#/", &state); part;
         part = apr_strtok(NULL, "/", &state)) {
        types = mastra_json_get(types, part);
    }
    if (strcmp(error->keyword, "type") || !mastra_json_is_array(types)) {
        return error->message;
    }
    for (i = 0; i < mastra_json_size(types); i++) {
        all = apr_pstrcat(pool, all, i ? " or " : "",
                          mastra_json_str(mastra_json_at(types, i)), NULL);
    }
    return all;
}

void mastra_form_check(const mastra_forms_t *forms,
                       const mastra_document_t *document,
                       mastra_faults_t *faults, apr_pool_t *pool)
{
    const mastra_form_t *form = &forms->of[document->kind];
    walk_t w = { form, document, pool };
    mastra_schema_errors_t errors;
    int i;

    if (!form->schema) {
        return;
    }
    if (!mastra_schema_validate(form->schema, document->json, &errors, pool)) {
        for (i = 0; i < errors.count; i++) {
            const mastra_schema_error_t *error = &errors.errors[i];

            mastra_faults_add(faults, "%s:%d: \"%s\": %s", document->file,
                              mastra_project_line(document, error->path, pool),
                              error->path, sentence_of(form, error, pool));
        }
    }
    if (!is_foreign(document)) {
        walk(&w, form->json, document->json, "");
    }
}
