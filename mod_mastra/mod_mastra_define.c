/* Containers of httpd.conf that define agents, tools and workflows: their directives
 * build the same documents as the files of a project do. */
#include <string.h>

#include <apr_strings.h>

#include "mod_mastra_define.h"

const char *mastra_define_open(cmd_parms *cmd, void *dir, const char *arg)
{
    mastra_server_conf_t *conf = mastra_config_of(cmd->server);
    const char *end = ap_strrchr_c(arg, '>');
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    mastra_document_t *document;

    if (wrong) {
        return wrong;
    }
    if (!end) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name,
                           "> directive missing closing '>'", NULL);
    }
    if (conf->open) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, "> cannot stand in "
                           "another container of its kind", NULL);
    }
    arg = apr_pstrmemdup(cmd->temp_pool, arg, end - arg);
    document = apr_pcalloc(cmd->pool, sizeof(*document));
    document->key = ap_getword_conf(cmd->pool, &arg);
    if (!*document->key || *arg) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name,
                           "> takes one argument: the id", NULL);
    }
    document->kind = !strcasecmp(cmd->cmd->name, MASTRA_DIR_TOOL)
                     ? MASTRA_DOCUMENT_TOOL
                     : !strcasecmp(cmd->cmd->name, MASTRA_DIR_WORKFLOW)
                     ? MASTRA_DOCUMENT_WORKFLOW : MASTRA_DOCUMENT_AGENT;
    document->json = mastra_json_own(mastra_json_object(), cmd->pool);
    mastra_json_set_str(document->json, "id", document->key);
    document->file = cmd->directive->filename;
    document->line = cmd->directive->line_num;
    document->lines = apr_hash_make(cmd->pool);
    conf->open = document;
    wrong = ap_walk_config(cmd->directive->first_child, cmd, cmd->context);
    conf->open = NULL;
    if (!wrong) {
        APR_ARRAY_PUSH(conf->documents, mastra_document_t *) = document;
    }
    return wrong;
}

/* In which containers a directive may stand. */
enum { IN_AGENT = 1, IN_TOOL = 2, IN_WORKFLOW = 4 };

static int container_of(const mastra_document_t *document)
{
    return document->kind == MASTRA_DOCUMENT_AGENT ? IN_AGENT
           : document->kind == MASTRA_DOCUMENT_TOOL ? IN_TOOL : IN_WORKFLOW;
}

static const char *misplaced(cmd_parms *cmd, int in)
{
    return apr_pstrcat(
        cmd->pool, cmd->cmd->name, " can only stand in ",
        in & IN_AGENT ? MASTRA_DIR_AGENT ">" : "",
        in & IN_AGENT && in & IN_TOOL ? ", " : "",
        in & IN_TOOL ? MASTRA_DIR_TOOL ">" : "",
        in & IN_WORKFLOW && in & ~IN_WORKFLOW ? " and " : "",
        in & IN_WORKFLOW ? MASTRA_DIR_WORKFLOW ">" : "", NULL);
}

/* Sets a member of the open container's document; value is taken over. */
static const char *set_member(cmd_parms *cmd, int in, const char *member,
                              mastra_json_t *value)
{
    mastra_document_t *document = mastra_config_of(cmd->server)->open;
    int *line;

    if (!document || !(container_of(document) & in)) {
        mastra_json_unref(value);
        return misplaced(cmd, in);
    }
    mastra_json_set(document->json, member, value);
    line = apr_palloc(cmd->pool, sizeof(*line));
    *line = cmd->directive->line_num;
    apr_hash_set(document->lines, member, APR_HASH_KEY_STRING, line);
    return NULL;
}

const char *mastra_define_text(cmd_parms *cmd, void *dir, const char *arg)
{
    return set_member(cmd, IN_AGENT, cmd->info,
                      mastra_json_string(arg));
}

/* Several are a list: the next is asked when one fails. */
const char *mastra_define_model(cmd_parms *cmd, void *dir, int argc,
                                char *const argv[])
{
    mastra_json_t *model;
    int i;

    if (argc < 1) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name,
                           " takes one or more models", NULL);
    }
    model = argc == 1 ? mastra_json_string(argv[0]) : mastra_json_array();
    for (i = 0; argc > 1 && i < argc; i++) {
        mastra_json_append(model, mastra_json_pack("{s:s}", "model", argv[i]));
    }
    return set_member(cmd, IN_AGENT, "model", model);
}

const char *mastra_define_description(cmd_parms *cmd, void *dir, const char *arg)
{
    return set_member(cmd, IN_AGENT | IN_TOOL | IN_WORKFLOW, "description",
                      mastra_json_string(arg));
}

const char *mastra_define_tools(cmd_parms *cmd, void *dir, int argc,
                             char *const argv[])
{
    mastra_json_t *tools = mastra_json_array();
    int i;

    for (i = 0; i < argc; i++) {
        mastra_json_append(tools, mastra_json_string(argv[i]));
    }
    return set_member(cmd, IN_AGENT, "tools", tools);
}

/* A number, true, false, null, array or object by its looks; else a string. */
static mastra_json_t *typed_value(const char *text)
{
    mastra_json_t *value;

    if (*text && mastra_json_parse(&value, text, strlen(text), 0, NULL)
                 == APR_SUCCESS) {
        return value;
    }
    return mastra_json_string(text);
}

/* key=value, a.b=value for what lies deeper. */
static const char *set_pair(mastra_json_t *object, const char *arg,
                            apr_pool_t *pool)
{
    const char *equals = strchr(arg, '='), *dot;

    if (!equals || equals == arg) {
        return "takes key=value";
    }
    while ((dot = memchr(arg, '.', equals - arg))) {
        const char *name = apr_pstrmemdup(pool, arg, dot - arg);
        mastra_json_t *inner = mastra_json_get(object, name);

        if (!inner) {
            inner = mastra_json_object();
            mastra_json_set(object, name, inner);
        }
        object = inner;
        arg = dot + 1;
    }
    mastra_json_set(object, apr_pstrmemdup(pool, arg, equals - arg),
                    typed_value(equals + 1));
    return NULL;
}

const char *mastra_define_memory(cmd_parms *cmd, void *dir, int argc,
                              char *const argv[])
{
    mastra_json_t *memory, *options;
    const char *wrong = NULL;
    int i;

    if (argc == 1 && !strcasecmp(argv[0], "off")) {
        return set_member(cmd, IN_AGENT, "memory",
                          mastra_json_bool(0));
    }
    options = mastra_json_object();
    for (i = argc == 1 && !strcasecmp(argv[0], "on"); i < argc && !wrong;
         i++) {
        wrong = set_pair(options, argv[i], cmd->pool);
    }
    if (wrong) {
        mastra_json_unref(options);
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " ", wrong,
                           ", On or Off", NULL);
    }
    memory = mastra_json_object();
    mastra_json_set(memory, "options", options);
    return set_member(cmd, IN_AGENT, "memory", memory);
}

const char *mastra_define_schema(cmd_parms *cmd, void *dir, const char *arg)
{
    mastra_json_error_t fault;
    mastra_json_t *schema;

    if (mastra_json_parse(&schema, arg, strlen(arg), 0, &fault)
        != APR_SUCCESS) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " is not JSON: ",
                           fault.message, NULL);
    }
    return set_member(cmd, cmd->info && !strcmp(cmd->info, "outputSchema")
                               ? IN_WORKFLOW : IN_TOOL | IN_WORKFLOW,
                      cmd->info, schema);
}

/* One entry of the graph after the other. */
const char *mastra_define_step(cmd_parms *cmd, void *dir, const char *arg)
{
    mastra_document_t *document = mastra_config_of(cmd->server)->open;
    mastra_json_t *entry, *graph = NULL;
    mastra_json_error_t fault;

    if (mastra_json_parse(&entry, arg, strlen(arg), 0, &fault)
        != APR_SUCCESS) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " is not JSON: ",
                           fault.message, NULL);
    }
    if (document) {
        graph = mastra_json_ref(mastra_json_get(document->json, "graph"));
    }
    graph = graph ? graph : mastra_json_array();
    mastra_json_append(graph, entry);
    return set_member(cmd, IN_WORKFLOW, "graph", graph);
}

/* CRON [ZONE] [id=NAME] [input=JSON] as a member of "schedule". */
static const char *read_schedule(mastra_json_t *made, int argc,
                                 char *const argv[])
{
    int i;

    mastra_json_set_str(made, "cron", argv[0]);
    for (i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "id=", 3)) {
            mastra_json_set_str(made, "id", argv[i] + 3);
        }
        else if (!strncmp(argv[i], "input=", 6)) {
            mastra_json_t *input;

            if (mastra_json_parse(&input, argv[i] + 6, strlen(argv[i] + 6), 0,
                                  NULL) != APR_SUCCESS) {
                return " takes JSON after input=";
            }
            mastra_json_set(made, "inputData", input);
        }
        else if (strchr(argv[i], '=') || mastra_json_get(made, "timezone")) {
            return " takes a cron expression, a time zone, id= and input=";
        }
        else {
            mastra_json_set_str(made, "timezone", argv[i]);
        }
    }
    return NULL;
}

/* One alone is an object, several are a list. */
const char *mastra_define_schedule(cmd_parms *cmd, void *dir, int argc,
                                   char *const argv[])
{
    mastra_document_t *document = mastra_config_of(cmd->server)->open;
    mastra_json_t *made, *before = NULL, *all;
    const char *wrong;

    if (argc < 1) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name,
                           " takes a cron expression in quotes", NULL);
    }
    made = mastra_json_object();
    wrong = read_schedule(made, argc, argv);
    if (wrong) {
        mastra_json_unref(made);
        return apr_pstrcat(cmd->pool, cmd->cmd->name, wrong, NULL);
    }
    if (document) {
        before = mastra_json_get(document->json, "schedule");
    }
    if (!before) {
        return set_member(cmd, IN_WORKFLOW, "schedule", made);
    }
    all = mastra_json_is_array(before) ? mastra_json_copy_flat(before)
                                       : mastra_json_pack("[O]", before);
    mastra_json_append(all, made);
    return set_member(cmd, IN_WORKFLOW, "schedule", all);
}

/* "params=a,b" of kind sql is a list of names. */
static void set_params(mastra_json_t *execute, const char *names,
                       apr_pool_t *pool)
{
    mastra_json_t *list = mastra_json_array();
    char *state, *copy = apr_pstrdup(pool, names), *name;

    for (name = apr_strtok(copy, ", ", &state); name;
         name = apr_strtok(NULL, ", ", &state)) {
        mastra_json_append(list, mastra_json_string(name));
    }
    mastra_json_set(execute, "params", list);
}

const char *mastra_define_execute(cmd_parms *cmd, void *dir, int argc,
                               char *const argv[])
{
    mastra_json_t *execute;
    const char *wrong = NULL;
    int i;

    if (argc < 1 || strchr(argv[0], '=')) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name,
                           " takes a kind and key=value", NULL);
    }
    execute = mastra_json_object();
    mastra_json_set_str(execute, "kind", argv[0]);
    for (i = 1; i < argc && !wrong; i++) {
        if (!strncmp(argv[i], "params=", 7) && argv[i][7] != '[') {
            set_params(execute, argv[i] + 7, cmd->temp_pool);
        }
        else {
            wrong = set_pair(execute, argv[i], cmd->pool);
        }
    }
    if (wrong) {
        mastra_json_unref(execute);
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " ", wrong,
                           " after the kind", NULL);
    }
    return set_member(cmd, IN_TOOL, "execute", execute);
}
