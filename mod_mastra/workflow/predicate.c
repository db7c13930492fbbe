/* Predicates of branches and loops: JSON that is asked about a run. */

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "internal.h"

#define MAX_DEPTH 32
#define LABEL 80

static const char *const roots[] = { "initData", "inputData", "stepResults",
                                     "state", NULL };

/* ---- kinds of operators ---- */

typedef enum { OP_NONE, OP_COMPARE, OP_MEMBER, OP_EXISTS, OP_TRUTH, OP_BOTH,
               OP_NOT } op_e;

static const struct {
    const char *name;
    op_e kind;
    const char *label;
} ops[] = {
    { "eq", OP_COMPARE, " == " }, { "ne", OP_COMPARE, " != " },
    { "lt", OP_COMPARE, " < " }, { "lte", OP_COMPARE, " <= " },
    { "gt", OP_COMPARE, " > " }, { "gte", OP_COMPARE, " >= " },
    { "in", OP_MEMBER, " in " }, { "notIn", OP_MEMBER, " not in " },
    { "exists", OP_EXISTS, " exists" }, { "notExists", OP_EXISTS, " missing" },
    { "truthy", OP_TRUTH, " is truthy" }, { "falsy", OP_TRUTH, " is falsy" },
    { "and", OP_BOTH, " AND " }, { "or", OP_BOTH, " OR " },
    { "not", OP_NOT, "NOT " }, { NULL, OP_NONE, "" }
};

static int op_of(const mastra_json_t *predicate)
{
    const char *name = mastra_json_get_str(predicate, "op");
    int i = 0;

    while (ops[i].name && (!name || strcmp(ops[i].name, name))) {
        i++;
    }
    return i;
}

static int is_op(const mastra_json_t *predicate, const char *name)
{
    const char *op = mastra_json_get_str(predicate, "op");

    return op && !strcmp(op, name);
}

/* ---- paths ---- */

mastra_json_t *mastra_path_walk(const mastra_json_t *root, const char *path,
                                int *pfound)
{
    mastra_json_t *value = (mastra_json_t *)root;
    char name[512];

    *pfound = value != NULL;
    if (!strcmp(path, ".")) {
        return value;
    }
    while (*path && value) {
        apr_size_t len = strcspn(path, ".");

        if (len >= sizeof(name)) {
            value = NULL;
            break;
        }
        memcpy(name, path, len);
        name[len] = '\0';
        if (mastra_json_is_array(value)) {
            value = apr_isdigit(*name)
                        ? mastra_json_at(value, (apr_size_t)apr_atoi64(name))
                        : NULL;
        }
        else {
            value = mastra_json_get(value, name);
        }
        path += len + (path[len] == '.');
    }
    *pfound = value != NULL;
    return value;
}

/* "${a.b}" is "a.b". */
static const char *bare(const char *path, apr_pool_t *pool)
{
    apr_size_t len = strlen(path);

    return len > 3 && !strncmp(path, "${", 2) && path[len - 1] == '}'
               ? apr_pstrmemdup(pool, path + 2, len - 3) : path;
}

const mastra_json_t *mastra_sight_output(const mastra_sight_t *sight,
                                         const char *id)
{
    const mastra_json_t *record = mastra_json_get(sight->results, id);
    const char *status = mastra_json_get_str(record, "status");

    return status && !strcmp(status, "success")
               ? mastra_json_get(record, "output") : NULL;
}

static mastra_json_t *look(const char *path, const mastra_sight_t *sight,
                           int *pfound)
{
    char text[1024], *rest, *id;

    *pfound = 0;
    if (!strncmp(path, "${", 2) && strlen(path) < sizeof(text)) {
        apr_cpystrn(text, path + 2, strlen(path) - 2);
    }
    else {
        apr_cpystrn(text, path, sizeof(text));
    }
    rest = strchr(text, '.');
    if (rest) {
        *rest++ = '\0';
    }
    else {
        rest = text + strlen(text);
    }
    if (!strcmp(text, "initData")) {
        return mastra_path_walk(sight->init, rest, pfound);
    }
    if (!strcmp(text, "inputData")) {
        return mastra_path_walk(sight->input, rest, pfound);
    }
    if (!strcmp(text, "state")) {
        return mastra_path_walk(sight->state, rest, pfound);
    }
    if (strcmp(text, "stepResults") || !*rest) {
        return NULL;
    }
    id = rest;
    rest = strchr(id, '.');
    if (rest) {
        *rest++ = '\0';
    }
    return mastra_path_walk(mastra_sight_output(sight, id), rest ? rest : "",
                            pfound);
}

/* ---- asking ---- */

static mastra_json_t *operand(const mastra_json_t *ref,
                              const mastra_sight_t *sight, int *pfound)
{
    mastra_json_t *literal = mastra_json_get(ref, "literal");

    *pfound = 1;
    return literal ? literal
                   : look(mastra_json_get_str(ref, "path"), sight, pfound);
}

/* Equality without conversion: objects and arrays are equal to themselves
 * only. */
static int same(const mastra_json_t *a, const mastra_json_t *b)
{
    return a == b || (!mastra_json_is_object(a) && !mastra_json_is_array(a)
                      && mastra_json_equal(a, b));
}

static int is_true(const mastra_json_t *value)
{
    if (mastra_json_is_string(value)) {
        return mastra_json_len(value) > 0;
    }
    if (mastra_json_is_number(value)) {
        return mastra_json_num(value) != 0.0;
    }
    return value && !mastra_json_is_null(value)
           && (!mastra_json_is_bool(value) || mastra_json_is_true(value));
}

static int order(const mastra_json_t *a, const mastra_json_t *b, int *pknown)
{
    *pknown = 1;
    if (mastra_json_is_number(a) && mastra_json_is_number(b)) {
        double x = mastra_json_num(a), y = mastra_json_num(b);

        return x < y ? -1 : x > y;
    }
    if (mastra_json_is_string(a) && mastra_json_is_string(b)) {
        return strcmp(mastra_json_str(a), mastra_json_str(b));
    }
    *pknown = 0;
    return 0;
}

static int compare(const mastra_json_t *predicate, const mastra_sight_t *sight)
{
    int left_found, right_found, known, by;
    const mastra_json_t *left = operand(mastra_json_get(predicate, "left"),
                                        sight, &left_found);
    const mastra_json_t *right = operand(mastra_json_get(predicate, "right"),
                                         sight, &right_found);

    if (!left_found || !right_found) {
        return 0;
    }
    if (is_op(predicate, "eq")) {
        return same(left, right);
    }
    if (is_op(predicate, "ne")) {
        return !same(left, right);
    }
    by = order(left, right, &known);
    if (!known) {
        return 0;
    }
    return is_op(predicate, "lt") ? by < 0
           : is_op(predicate, "lte") ? by <= 0
           : is_op(predicate, "gt") ? by > 0 : by >= 0;
}

static int member(const mastra_json_t *predicate, const mastra_sight_t *sight)
{
    const mastra_json_t *set = mastra_json_get(predicate, "set");
    int found, in = 0;
    const mastra_json_t *value = operand(mastra_json_get(predicate, "value"),
                                         sight, &found);
    apr_size_t i;

    for (i = 0; found && i < mastra_json_size(set) && !in; i++) {
        in = same(mastra_json_at(set, i), value);
    }
    return is_op(predicate, "in") ? in : !in;
}

static int both(const mastra_json_t *predicate, const mastra_sight_t *sight)
{
    const mastra_json_t *args = mastra_json_get(predicate, "args");
    int all = is_op(predicate, "and");
    apr_size_t i;

    for (i = 0; i < mastra_json_size(args); i++) {
        if (mastra_predicate_holds(mastra_json_at(args, i), sight) != all) {
            return !all;
        }
    }
    return all;
}

int mastra_predicate_holds(const mastra_json_t *predicate,
                           const mastra_sight_t *sight)
{
    const mastra_json_t *value;
    int found;

    switch (ops[op_of(predicate)].kind) {
    case OP_COMPARE:
        return compare(predicate, sight);
    case OP_MEMBER:
        return member(predicate, sight);
    case OP_EXISTS:
        look(mastra_json_get_str(predicate, "path"), sight, &found);
        return is_op(predicate, "exists") ? found : !found;
    case OP_TRUTH:
        value = operand(mastra_json_get(predicate, "value"), sight, &found);
        found = found && is_true(value);
        return is_op(predicate, "truthy") ? found : !found;
    case OP_BOTH:
        return both(predicate, sight);
    case OP_NOT:
        return !mastra_predicate_holds(mastra_json_get(predicate, "arg"),
                                       sight);
    default:
        return 0;
    }
}

/* ---- checking ---- */

static const char *below(const char *path, const char *name, apr_pool_t *pool)
{
    return apr_pstrcat(pool, path, ".", name, NULL);
}

static const char *check_path(const char **pfield, const char *field,
                              const mastra_json_t *value, apr_pool_t *pool)
{
    const char *path = mastra_json_str(value);
    int i;

    *pfield = field;
    if (!path || !*path) {
        return "must be a path such as \"inputData.name\"";
    }
    path = bare(path, pool);
    for (i = 0; roots[i]; i++) {
        apr_size_t len = strlen(roots[i]);

        if (!strncmp(path, roots[i], len)
            && (path[len] == '.' || !path[len])) {
            return NULL;
        }
    }
    return "Predicate paths must be rooted at initData, inputData, "
           "stepResults, or state.";
}

static const char *check_operand(const char **pfield, const char *path,
                                 const mastra_json_t *ref, apr_pool_t *pool)
{
    const mastra_json_t *literal = mastra_json_get(ref, "literal");

    *pfield = path;
    if (mastra_json_get(ref, "path")) {
        return check_path(pfield, below(path, "path", pool),
                          mastra_json_get(ref, "path"), pool);
    }
    if (!literal) {
        return "must be {\"path\": …} or {\"literal\": …}";
    }
    return mastra_json_is_object(literal) || mastra_json_is_array(literal)
               ? "a literal is a string, a number, a boolean or null" : NULL;
}

static const char *check_at(const char **pfield, const char *path,
                            const mastra_json_t *predicate, int depth,
                            apr_pool_t *pool)
{
    const mastra_json_t *args = mastra_json_get(predicate, "args");
    const char *why;
    apr_size_t i;

    *pfield = path;
    if (!mastra_json_is_object(predicate)) {
        return "must be a predicate";
    }
    if (depth > MAX_DEPTH) {
        return "is nested too deeply";
    }
    switch (ops[op_of(predicate)].kind) {
    case OP_COMPARE:
        why = check_operand(pfield, below(path, "left", pool),
                            mastra_json_get(predicate, "left"), pool);
        return why ? why : check_operand(pfield, below(path, "right", pool),
                                         mastra_json_get(predicate, "right"),
                                         pool);
    case OP_MEMBER:
        if (!mastra_json_is_array(mastra_json_get(predicate, "set"))) {
            *pfield = below(path, "set", pool);
            return "must be an array";
        }
        return check_operand(pfield, below(path, "value", pool),
                             mastra_json_get(predicate, "value"), pool);
    case OP_TRUTH:
        return check_operand(pfield, below(path, "value", pool),
                             mastra_json_get(predicate, "value"), pool);
    case OP_EXISTS:
        return check_path(pfield, below(path, "path", pool),
                          mastra_json_get(predicate, "path"), pool);
    case OP_NOT:
        return check_at(pfield, below(path, "arg", pool),
                        mastra_json_get(predicate, "arg"), depth + 1, pool);
    case OP_BOTH:
        for (i = 0; i < mastra_json_size(args); i++) {
            why = check_at(pfield,
                           apr_psprintf(pool, "%s.args.%" APR_SIZE_T_FMT, path,
                                        i), mastra_json_at(args, i), depth + 1,
                           pool);
            if (why) {
                return why;
            }
        }
        *pfield = below(path, "args", pool);
        return i ? NULL : "must be an array of predicates";
    default:
        *pfield = below(path, "op", pool);
        return "there is no such operator";
    }
}

const char *mastra_predicate_check(const char **pfield, const char *path,
                                   const mastra_json_t *predicate,
                                   apr_pool_t *pool)
{
    return check_at(pfield, path, predicate, 0, pool);
}

/* ---- what it asks for ---- */

static void tell_path(const mastra_json_t *from, const char *name,
                      const char *at, mastra_predicate_path_cb *cb,
                      void *baton, apr_pool_t *pool)
{
    const char *path = mastra_json_get_str(from, name);

    if (path) {
        cb(baton, bare(path, pool), below(at, name, pool));
    }
}

void mastra_predicate_paths(const mastra_json_t *predicate, const char *at,
                            mastra_predicate_path_cb *cb, void *baton,
                            apr_pool_t *pool)
{
    static const char *const operands[] = { "left", "right", "value", NULL };
    const mastra_json_t *args = mastra_json_get(predicate, "args");
    const mastra_json_t *arg = mastra_json_get(predicate, "arg");
    apr_size_t i;

    for (i = 0; operands[i]; i++) {
        tell_path(mastra_json_get(predicate, operands[i]), "path",
                  below(at, operands[i], pool), cb, baton, pool);
    }
    tell_path(predicate, "path", at, cb, baton, pool);
    for (i = 0; i < mastra_json_size(args); i++) {
        mastra_predicate_paths(mastra_json_at(args, i), apr_psprintf(
                                   pool, "%s.args.%" APR_SIZE_T_FMT, at, i),
                               cb, baton, pool);
    }
    if (arg) {
        mastra_predicate_paths(arg, below(at, "arg", pool), cb, baton, pool);
    }
}

/* ---- labels ---- */

static const char *path_label(const char *path, apr_pool_t *pool)
{
    const char *p;
    mastra_json_t *text;
    const char *made;

    for (p = path; apr_isalnum(*p) || *p == '_' || *p == '.' || *p == '$';
         p++) {
    }
    if (!*p) {
        return path;
    }
    text = mastra_json_string(path);
    made = mastra_json_text(text, pool);
    mastra_json_unref(text);
    return made;
}

static const char *operand_label(const mastra_json_t *ref, apr_pool_t *pool)
{
    const mastra_json_t *literal = mastra_json_get(ref, "literal");

    return literal ? mastra_json_text(literal, pool)
                   : path_label(mastra_json_get_str(ref, "path"), pool);
}

static const char *label(const mastra_json_t *predicate, apr_pool_t *pool);

static const char *inner_label(const mastra_json_t *predicate,
                               apr_pool_t *pool)
{
    op_e kind = ops[op_of(predicate)].kind;
    const char *text = label(predicate, pool);

    return kind == OP_BOTH || kind == OP_NOT
               ? apr_pstrcat(pool, "(", text, ")", NULL) : text;
}

static const char *label(const mastra_json_t *predicate, apr_pool_t *pool)
{
    int op = op_of(predicate);
    const mastra_json_t *args = mastra_json_get(predicate, "args");
    const char *made = "";
    apr_size_t i;

    switch (ops[op].kind) {
    case OP_COMPARE:
        return apr_pstrcat(
            pool, operand_label(mastra_json_get(predicate, "left"), pool),
            ops[op].label, operand_label(mastra_json_get(predicate, "right"),
                                         pool), NULL);
    case OP_MEMBER:
        return apr_pstrcat(
            pool, operand_label(mastra_json_get(predicate, "value"), pool),
            ops[op].label, mastra_json_text(mastra_json_get(predicate, "set"),
                                            pool), NULL);
    case OP_TRUTH:
        return apr_pstrcat(
            pool, operand_label(mastra_json_get(predicate, "value"), pool),
            ops[op].label, NULL);
    case OP_EXISTS:
        return apr_pstrcat(
            pool, path_label(mastra_json_get_str(predicate, "path"), pool),
            ops[op].label, NULL);
    case OP_NOT:
        return apr_pstrcat(pool, "NOT ",
                           inner_label(mastra_json_get(predicate, "arg"),
                                       pool), NULL);
    default:
        for (i = 0; i < mastra_json_size(args); i++) {
            made = apr_pstrcat(pool, made, i ? ops[op].label : "",
                               inner_label(mastra_json_at(args, i), pool),
                               NULL);
        }
        return made;
    }
}

/* Cut between characters, not inside one. */
const char *mastra_predicate_label(const mastra_json_t *predicate,
                                   apr_pool_t *pool)
{
    const char *text = label(predicate, pool), *p = text;
    int n = 0;

    for (; *p; p++) {
        if (((unsigned char)*p & 0xc0) != 0x80 && ++n == LABEL) {
            break;
        }
    }
    return *p && p[1] ? apr_pstrcat(pool, apr_pstrmemdup(pool, text, p - text),
                                    "…", NULL) : text;
}
