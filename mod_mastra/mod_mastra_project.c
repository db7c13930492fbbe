/* Reads a project directory, and says where in a definition a fault stands. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "mod_mastra_private.h"
#include "mod_mastra_project.h"

#define MAX_FILE (1024 * 1024)
#define MAX_FILES 10000
#define MAX_FAULTS 20

/* --- faults ---------------------------------------------------------------- */

mastra_faults_t *mastra_faults_make(apr_pool_t *pool)
{
    mastra_faults_t *faults = apr_pcalloc(pool, sizeof(*faults));

    faults->texts = apr_array_make(pool, 4, sizeof(const char *));
    return faults;
}

void mastra_faults_add(mastra_faults_t *faults, const char *fmt, ...)
{
    const char *text;
    va_list ap;
    int i;

    va_start(ap, fmt);
    text = apr_pvsprintf(faults->texts->pool, fmt, ap);
    va_end(ap);
    for (i = 0; i < faults->texts->nelts; i++) {
        /* virtual hosts may share a project */
        if (!strcmp(APR_ARRAY_IDX(faults->texts, i, const char *), text)) {
            return;
        }
    }
    if (faults->texts->nelts == MAX_FAULTS) {
        faults->more++;
        return;
    }
    APR_ARRAY_PUSH(faults->texts, const char *) = text;
}

/* --- where a member stands ------------------------------------------------- */

typedef struct {
    const char *at, *end;
    int line;
} cursor_t;

static void skip_space(cursor_t *c)
{
    while (c->at < c->end && apr_isspace(*c->at)) {
        c->line += *c->at++ == '\n';
    }
}

/* Over a string; *pbody is what stands between its quotes. */
static void skip_string(cursor_t *c, const char **pbody, apr_size_t *plen)
{
    const char *body = ++c->at;

    while (c->at < c->end && *c->at != '"') {
        c->at += *c->at == '\\' && c->at + 1 < c->end ? 2 : 1;
    }
    if (pbody) {
        *pbody = body;
        *plen = c->at - body;
    }
    c->at += c->at < c->end;
}

/* Over a value of any kind: brackets are counted. */
static void skip_value(cursor_t *c)
{
    int depth = 0;

    skip_space(c);
    while (c->at < c->end) {
        if (*c->at == '"') {
            skip_string(c, NULL, NULL);
        }
        else if (strchr(",]}", *c->at) && !depth) {
            return;
        }
        else {
            depth += *c->at == '{' || *c->at == '[';
            depth -= *c->at == '}' || *c->at == ']';
            c->line += *c->at++ == '\n';
        }
        if (!depth && c->at < c->end && strchr(",]}", *c->at)) {
            return;
        }
    }
}

/* To the value of a member: an object's key or an array's index. 0: it has
 * none such. */
static int enter(cursor_t *c, const char *name, apr_size_t len, int *pline)
{
    int object, index = 0, wanted = atoi(name);

    skip_space(c);
    if (c->at >= c->end || (*c->at != '{' && *c->at != '[')) {
        return 0;
    }
    object = *c->at++ == '{';
    for (;; index++) {
        const char *key = NULL;
        apr_size_t key_len = 0;
        int line;

        skip_space(c);
        line = c->line;
        if (c->at >= c->end || *c->at == '}' || *c->at == ']') {
            return 0;
        }
        if (object) {
            if (*c->at != '"') {
                return 0;
            }
            skip_string(c, &key, &key_len);
            skip_space(c);
            c->at += c->at < c->end;
        }
        if (object ? key_len == len && !memcmp(key, name, len)
                   : apr_isdigit(*name) && index == wanted) {
            *pline = line;
            return 1;
        }
        skip_value(c);
        if (c->at >= c->end || *c->at != ',') {
            return 0;
        }
        c->at++;
    }
}

/* The line of the member that field ("memory.options.lastMessages") names in a
 * JSON text, or of the innermost part of it that is there. */
static int line_in(const char *text, apr_size_t len, const char *field)
{
    cursor_t c = { text, text + len, 1 };
    int line = 1;

    while (*field) {
        apr_size_t part = strcspn(field, ".");

        if (!enter(&c, field, part, &line)) {
            break;
        }
        field += part + (field[part] == '.');
    }
    return line;
}

/* --- reading --------------------------------------------------------------- */

/* A file's text, NUL-terminated; NULL and a fault when it cannot be read. */
static const char *read_text(const char *path, apr_size_t *plen,
                             mastra_faults_t *faults, apr_pool_t *pool)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_status_t rv;
    char *text = NULL;

    rv = apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT,
                       pool);
    if (rv == APR_SUCCESS) {
        rv = apr_file_info_get(&info, APR_FINFO_SIZE, file);
        if (rv == APR_SUCCESS && info.size > MAX_FILE) {
            mastra_faults_add(faults, "%s: is larger than 1 MiB", path);
            apr_file_close(file);
            return NULL;
        }
        if (rv == APR_SUCCESS) {
            text = apr_pcalloc(pool, (apr_size_t)info.size + 1);
            rv = apr_file_read_full(file, text, (apr_size_t)info.size, plen);
        }
        apr_file_close(file);
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv)) {
        char why[120];

        mastra_faults_add(faults, "%s: cannot be read: %s", path,
                          apr_strerror(rv, why, sizeof(why)));
        return NULL;
    }
    return text;
}

int mastra_project_line(const mastra_document_t *document, const char *field,
                        apr_pool_t *pool)
{
    mastra_faults_t *none = mastra_faults_make(pool);
    const char *text;
    apr_size_t len;
    const int *line;

    if (document->lines) {
        line = apr_hash_get(document->lines, field, strcspn(field, "."));
        return line ? *line : document->line;
    }
    text = read_text(document->file, &len, none, pool);
    return text ? line_in(text, len, field) : 1;
}

/* The environment decides: "env:NAME|otherwise". */
static void resolve_spec(mastra_json_t *holder, const char *field,
                         const mastra_document_t *document,
                         mastra_faults_t *faults, apr_pool_t *pool)
{
    const char *model = mastra_json_get_str(holder, "model");
    const char *bar, *name, *value;

    if (!model || strncmp(model, "env:", 4)) {
        return;
    }
    bar = strchr(model, '|');
    name = bar ? apr_pstrmemdup(pool, model + 4, bar - model - 4) : model + 4;
    value = getenv(name);
    if (!value || !*value) {
        value = bar ? bar + 1 : NULL;
    }
    if (!value) {
        mastra_faults_add(faults, "%s:%d: \"%s\": the environment has no "
                          "%s, and no other model follows a |",
                          document->file,
                          mastra_project_line(document, field, pool), field,
                          name);
        return;
    }
    mastra_json_set_str(holder, "model", value);
}

/* The model, or each one of a list. */
static void resolve_model(mastra_document_t *document,
                          mastra_faults_t *faults, apr_pool_t *pool)
{
    const mastra_json_t *list;
    apr_size_t i;

    resolve_spec(document->json, "model", document, faults, pool);
    list = mastra_json_get(document->json, "model");
    for (i = 0; mastra_json_is_array(list) && i < mastra_json_size(list); i++) {
        resolve_spec(mastra_json_at(list, i),
                     apr_psprintf(pool, "model.%" APR_SIZE_T_FMT ".model", i),
                     document, faults, pool);
    }
}

static mastra_document_t *read_document(mastra_document_e kind,
                                        const char *key, const char *path,
                                        mastra_faults_t *faults,
                                        apr_pool_t *pool)
{
    mastra_document_t *document = apr_pcalloc(pool, sizeof(*document));
    mastra_json_error_t fault;
    apr_size_t len;
    const char *text = read_text(path, &len, faults, pool);

    if (!text) {
        return NULL;
    }
    if (mastra_json_parse(&document->json, text, len, 0, &fault)
        != APR_SUCCESS) {
        mastra_faults_add(faults, "%s:%d: is not valid JSON: %s", path,
                          fault.line, fault.message);
        return NULL;
    }
    mastra_json_own(document->json, pool);
    if (!mastra_json_is_object(document->json)) {
        mastra_faults_add(faults, "%s:1: must be a JSON object", path);
        return NULL;
    }
    document->kind = kind;
    document->key = key;
    document->file = path;
    return document;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in a directory that may be keys, sorted; empty when it is not there. */
static apr_array_header_t *list(const char *path, apr_filetype_e type,
                                mastra_faults_t *faults, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 16, sizeof(char *));
    apr_finfo_t info;
    apr_dir_t *dir;
    apr_status_t rv = apr_dir_open(&dir, path, pool);

    if (APR_STATUS_IS_ENOENT(rv)) {
        return names;
    }
    if (rv != APR_SUCCESS) {
        char why[120];

        mastra_faults_add(faults, "%s: cannot be read: %s", path,
                          apr_strerror(rv, why, sizeof(why)));
        return names;
    }
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        const char *full = apr_pstrcat(pool, path, "/", info.name, NULL);
        apr_finfo_t target;

        if (info.name[0] == '.'
            || apr_stat(&target, full, APR_FINFO_TYPE, pool) != APR_SUCCESS
            || target.filetype != type) {
            continue;
        }
        if (names->nelts == MAX_FILES) {
            mastra_faults_add(faults, "%s: has more than %d definitions",
                              path, MAX_FILES);
            break;
        }
        APR_ARRAY_PUSH(names, const char *) = apr_pstrdup(pool, info.name);
    }
    apr_dir_close(dir);
    qsort(names->elts, names->nelts, sizeof(char *), by_name);
    return names;
}

/* The files NAME.json of a folder of the project. */
static void read_folder(apr_array_header_t *documents, const char *dir,
                        const char *folder, mastra_document_e kind,
                        mastra_faults_t *faults, apr_pool_t *pool)
{
    const char *path = apr_pstrcat(pool, dir, "/", folder, NULL);
    apr_array_header_t *names = list(path, APR_REG, faults, pool);
    mastra_document_t *document;
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        apr_size_t len = strlen(name);

        if (len < 6 || strcmp(name + len - 5, ".json")) {
            mastra_log(MASTRA_LOG_DEBUG, 0, "%s/%s is no definition", path,
                       name);
            continue;
        }
        document = read_document(kind,
                                 apr_pstrmemdup(pool, name, len - 5),
                                 apr_pstrcat(pool, path, "/", name, NULL),
                                 faults, pool);
        if (document) {
            APR_ARRAY_PUSH(documents, mastra_document_t *) = document;
        }
    }
}

static void read_agent(apr_array_header_t *documents, const char *dir,
                       const char *name, mastra_faults_t *faults,
                       apr_pool_t *pool)
{
    const char *path = apr_pstrcat(pool, dir, "/", name, NULL), *text;
    mastra_document_t *document;
    apr_finfo_t info;
    apr_size_t len;

    if (apr_stat(&info, apr_pstrcat(pool, path, "/agent.json", NULL),
                 APR_FINFO_TYPE, pool) != APR_SUCCESS) {
        mastra_log(MASTRA_LOG_WARNING, 0, MASTRA_ID(610) "%s has no "
                   "agent.json: it is not served", path);
        return;
    }
    document = read_document(MASTRA_DOCUMENT_AGENT, name,
                             apr_pstrcat(pool, path, "/agent.json", NULL),
                             faults, pool);
    if (!document) {
        return;
    }
    path = apr_pstrcat(pool, path, "/instructions.md", NULL);
    if (apr_stat(&info, path, APR_FINFO_TYPE, pool) == APR_SUCCESS) {
        text = read_text(path, &len, faults, pool);
        if (text && mastra_text_utf8_valid(text, len) < len) {
            mastra_faults_add(faults, "%s: is not valid UTF-8", path);
            text = NULL;
        }
        while (text && len && apr_isspace(text[len - 1])) {
            len--;
        }
        if (text) {
            mastra_json_set(document->json, "instructions",
                            mastra_json_stringn(text, len));
        }
    }
    resolve_model(document, faults, pool);
    APR_ARRAY_PUSH(documents, mastra_document_t *) = document;
}

int mastra_project_read(apr_array_header_t *documents, const char *dir,
                        mastra_faults_t *faults, apr_pool_t *pool)
{
    apr_array_header_t *names;
    apr_finfo_t info;
    int i;

    if (apr_stat(&info, dir, APR_FINFO_TYPE, pool) != APR_SUCCESS
        || info.filetype != APR_DIR) {
        return 0;
    }
    read_folder(documents, dir, "tools", MASTRA_DOCUMENT_TOOL, faults, pool);
    read_folder(documents, dir, "workflows", MASTRA_DOCUMENT_WORKFLOW, faults,
                pool);
    read_folder(documents, dir, "schedules", MASTRA_DOCUMENT_SCHEDULE, faults,
                pool);
    dir = apr_pstrcat(pool, dir, "/agents", NULL);
    names = list(dir, APR_DIR, faults, pool);
    for (i = 0; i < names->nelts; i++) {
        read_agent(documents, dir, APR_ARRAY_IDX(names, i, const char *),
                   faults, pool);
    }
    return 1;
}

/* --- telling --------------------------------------------------------------- */

void mastra_project_fault(mastra_faults_t *faults,
                          const mastra_document_t *document,
                          const mastra_result_t *result, apr_pool_t *pool)
{
    const char *field = mastra_json_get_str(result->detail, "field");

    if (!field) {
        field = "";
    }
    mastra_faults_add(faults, "%s:%d: %s%s%s%s", document->file,
                      mastra_project_line(document, field, pool), *field ? "\"" : "",
                      field, *field ? "\": " : "", result->message);
}
