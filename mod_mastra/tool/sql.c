/* Tools of kind sql: one prepared statement on the host's database. */

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "internal.h"

#define MAX_PARAMS 32
#define CONTEXT "context:"

typedef enum { RESULT_ROWS, RESULT_ROW, RESULT_VALUE } sql_result_e;

typedef struct {
    const char *statement;           /* with "?" for bound values */
    const char *params[MAX_PARAMS];  /* in order: input fields, context:NAME */
    int nparams;
    sql_result_e result;
    int writes;
} sql_conf_t;

typedef struct {
    mastra_store_job_t job;
    mastra_msg_t msg;
    mastra_json_t *rows;             /* array of objects, set by the job */
    apr_status_t rv;
} sql_call_t;

/* ---- reading ---- */

static int count_marks(const char *sql)
{
    int n = 0, quoted = 0;

    for (; *sql; sql++) {
        if (*sql == '\'') {
            quoted = !quoted;
        }
        else if (*sql == '?' && !quoted) {
            n++;
        }
    }
    return n;
}

/* A "with" reads, too, unless a word in it writes. */
static int is_read(const char *sql)
{
    while (apr_isspace(*sql)) {
        sql++;
    }
    if (!strncasecmp(sql, "with", 4)) {
        return !strcasestr(sql, "insert ") && !strcasestr(sql, "update ")
               && !strcasestr(sql, "delete ");
    }
    return !strncasecmp(sql, "select", 6) || !strncasecmp(sql, "values", 6);
}

static const char *read_params(sql_conf_t *conf, const mastra_json_t *params)
{
    int i;

    if (mastra_json_size(params) > MAX_PARAMS) {
        return "more than 32 parameters";
    }
    conf->nparams = (int)mastra_json_size(params);
    for (i = 0; i < conf->nparams; i++) {
        conf->params[i] = mastra_json_str(mastra_json_at(params, i));
        if (!conf->params[i]) {
            return "not a list of input fields";
        }
    }
    return NULL;
}

static const char *read_result(sql_conf_t *conf, const char *name)
{
    if (!name || !strcmp(name, "rows")) {
        conf->result = RESULT_ROWS;
    }
    else if (!strcmp(name, "row")) {
        conf->result = RESULT_ROW;
    }
    else if (!strcmp(name, "value")) {
        conf->result = RESULT_VALUE;
    }
    else {
        return "none of \"rows\", \"row\", \"value\"";
    }
    return NULL;
}

static const char *sql_parse(void **pconf, const char **pfield,
                             const mastra_tool_t *tool, apr_pool_t *pool)
{
    const mastra_json_t *execute = mastra_json_get(tool->definition, "execute");
    sql_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));
    const char *why;

    conf->statement = mastra_json_get_str(execute, "statement");
    if (!conf->statement || !*conf->statement) {
        *pfield = "execute.statement";
        return "the statement is missing";
    }
    *pfield = "execute.params";
    why = read_params(conf, mastra_json_get(execute, "params"));
    if (why) {
        return why;
    }
    if (count_marks(conf->statement) != conf->nparams) {
        return apr_psprintf(pool, "%d parameters for %d \"?\" in the statement",
                            conf->nparams, count_marks(conf->statement));
    }
    *pfield = "execute.result";
    why = read_result(conf, mastra_json_get_str(execute, "result"));
    conf->writes = !is_read(conf->statement);
    *pconf = conf;
    return why;
}

/* ---- store thread ---- */

static mastra_bind_t bind_of(const mastra_json_t *value, apr_pool_t *pool)
{
    if (!value || mastra_json_is_null(value)) {
        return MASTRA_TEXT(NULL);
    }
    if (mastra_json_is_string(value)) {
        return MASTRA_TEXT(mastra_json_str(value));
    }
    if (mastra_json_is_bool(value)) {
        return MASTRA_INT(mastra_json_is_true(value));
    }
    if (mastra_json_is_integer(value)) {
        return MASTRA_INT(mastra_json_int(value));
    }
    return MASTRA_TEXT(mastra_json_text(value, pool));
}

/* A field of the input, or with "context:" before it a value of the request
 * context: a.b for what lies deeper. */
static const mastra_json_t *value_of(const mastra_json_t *input,
                                     const mastra_json_t *context,
                                     const char *param, apr_pool_t *pool)
{
    const mastra_json_t *value = context;
    const char *dot;

    if (strncmp(param, CONTEXT, sizeof(CONTEXT) - 1)) {
        return mastra_json_get(input, param);
    }
    param += sizeof(CONTEXT) - 1;
    while (!mastra_json_get(value, param) && (dot = strchr(param, '.'))) {
        value = mastra_json_get(value, apr_pstrmemdup(pool, param,
                                                      dot - param));
        param = dot + 1;
    }
    return mastra_json_get(value, param);
}

static apr_status_t execute(mastra_json_t **prows, const sql_conf_t *conf,
                            const mastra_json_t *input,
                            const mastra_json_t *context, mastra_db_t *db,
                            apr_pool_t *pool)
{
    mastra_bind_t binds[MAX_PARAMS];
    mastra_rows_t *rows;
    apr_status_t rv;
    int i, changed = 0;

    for (i = 0; i < conf->nparams; i++) {
        binds[i] = bind_of(value_of(input, context, conf->params[i], pool),
                           pool);
    }
    if (conf->writes) {
        rv = mastra_db_execute(&changed, db, conf->statement, binds,
                               conf->nparams, pool);
        if (!rv) {
            *prows = mastra_json_pack("[{s:i}]", "changed", changed);
        }
        return rv;
    }
    rv = mastra_db_query(&rows, db, conf->statement, binds, conf->nparams,
                         pool);
    if (!rv) {
        *prows = mastra_rows_objects(rows);
    }
    return rv;
}

/* 1: what it changes is noted with the change, for a run that may come again. */
static int is_noted(const mastra_tool_call_t *call)
{
    const sql_conf_t *conf = call->tool->conf;

    return conf->writes && call->args.owned.id && call->args.place;
}

static apr_status_t sql_run(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    mastra_tool_call_t *call = baton;
    sql_call_t *state = call->state;
    const mastra_tool_args_t *args = &call->args;
    int noted = is_noted(call);
    apr_status_t rv = MASTRA_STORE_NOT_FOUND;

    mastra_json_unref(state->rows);
    state->rows = NULL;
    if (noted) {
        rv = mastra_calls_find(&state->rows, db, &args->owned, args->place,
                               pool);
    }
    if (rv != MASTRA_STORE_NOT_FOUND) {
        return rv;
    }
    rv = execute(&state->rows, call->tool->conf, args->input,
                 args->request_context, db, pool);
    return rv || !noted ? rv : mastra_calls_put(db, &args->owned, args->place,
                                                state->rows, pool);
}

static void sql_job_done(void *baton, apr_status_t rv)
{
    mastra_tool_call_t *call = baton;
    sql_call_t *state = call->state;

    state->rv = rv;
    mastra_loop_post(call->env->loop, &state->msg);
}

/* ---- loop ---- */

static mastra_json_t *schema_of(const mastra_json_t *schema, const char *name)
{
    return mastra_json_path(schema, "properties", name, NULL);
}

/* As databases write what JSON has no number for. */
static int is_endless(const char *text)
{
    text += *text == '-' || *text == '+';
    return !strcasecmp(text, "inf") || !strcasecmp(text, "infinity")
           || !strcasecmp(text, "nan");
}

/* apr_dbd knows no column types: the output schema says what is a number. */
static mastra_json_t *typed(const mastra_json_t *value,
                            const mastra_json_t *schema)
{
    const char *type = mastra_json_get_str(schema, "type");
    const char *text = mastra_json_str(value);
    mastra_json_t *json = NULL;

    if (!type || !text || !strcmp(type, "string")) {
        return NULL;
    }
    if (!strcmp(type, "boolean")) {
        return mastra_json_bool(!strcmp(text, "1") || !strcmp(text, "t")
                                || !strcmp(text, "true"));
    }
    if (is_endless(text)) {
        return mastra_json_null();
    }
    mastra_json_parse(&json, text, strlen(text), 0, NULL);
    return json;
}

static void type_row(mastra_json_t *row, const mastra_json_t *schema)
{
    void *at;

    for (at = mastra_json_iter(row); at; at = mastra_json_next(row, at)) {
        const char *name = mastra_json_key(at);
        mastra_json_t *value = typed(mastra_json_value(at),
                                     schema_of(schema, name));

        if (value) {
            mastra_json_set(row, name, value);
        }
    }
}

static mastra_json_t *first_value(mastra_json_t *row)
{
    void *at = mastra_json_iter(row);

    return at ? mastra_json_ref(mastra_json_value(at)) : mastra_json_null();
}

static mastra_json_t *shape(const mastra_tool_t *tool, mastra_json_t *rows)
{
    const sql_conf_t *conf = tool->conf;
    const mastra_json_t *schema = tool->output_schema;
    mastra_json_t *row = mastra_json_at(rows, 0), *value;
    apr_size_t i;

    if (conf->result == RESULT_ROWS) {
        const mastra_json_t *items = mastra_json_get(schema, "items");

        for (i = 0; i < mastra_json_size(rows); i++) {
            type_row(mastra_json_at(rows, i), items);
        }
        return mastra_json_ref(rows);
    }
    if (conf->result == RESULT_ROW) {
        type_row(row, schema);
        return row ? mastra_json_ref(row) : mastra_json_null();
    }
    value = first_value(row);
    row = typed(value, schema);
    if (row) {
        mastra_json_unref(value);
        return row;
    }
    return value;
}

mastra_json_t *mastra_tool_sql_result(const mastra_tool_t *tool,
                                      mastra_json_t *outcome)
{
    return shape(tool, outcome);
}

static void sql_over(void *baton)
{
    mastra_tool_call_t *call = baton;
    sql_call_t *state = call->state;
    mastra_result_t *error = NULL;
    mastra_json_t *result = NULL;

    if (state->rv == MASTRA_STORE_STALE) {
        error = mastra_result_make(call->pool, 409, MASTRA_TOOL_TAKEN_OVER,
                                   "This run is continued elsewhere");
    }
    else if (state->rv) {
        error = mastra_store_result(call->pool, state->rv,
                                    "run the tool's statement");
    }
    else {
        result = shape(call->tool, state->rows);
    }
    mastra_json_unref(state->rows);
    mastra_tool_finish(call, result, error);
}

static apr_status_t sql_start(mastra_tool_call_t *call)
{
    const sql_conf_t *conf = call->tool->conf;
    sql_call_t *state = apr_pcalloc(call->pool, sizeof(*state));

    call->state = state;
    if (!call->env->store) {
        return APR_ENOTIMPL;
    }
    state->job.mode = conf->writes ? MASTRA_STORE_WRITE : MASTRA_STORE_READ;
    state->job.run = sql_run;
    state->job.done = sql_job_done;
    state->job.baton = call;
    state->msg.cb = sql_over;
    state->msg.baton = call;
    return mastra_store_submit(call->env->store, &state->job);
}

/* The statement may run: the call goes when its job is over. */
static void sql_cancel(mastra_tool_call_t *call)
{
    (void)call;
}

static apr_status_t sql_inside(mastra_json_t **poutput,
                               const mastra_tool_t *tool,
                               const mastra_json_t *input,
                               const mastra_json_t *request_context,
                               mastra_db_t *db, apr_pool_t *pool)
{
    mastra_json_t *rows = NULL;
    apr_status_t rv = execute(&rows, tool->conf, input, request_context, db,
                              pool);

    if (rv == APR_SUCCESS) {
        *poutput = shape(tool, rows);
    }
    mastra_json_unref(rows);
    return rv;
}

const mastra_tool_kind_t mastra_tool_sql = {
    .name = "sql", .parse = sql_parse, .start = sql_start,
    .cancel = sql_cancel, .inside = sql_inside
};
