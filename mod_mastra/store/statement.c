/* Statements in the store's own spelling: translated to the driver's once,
 * and kept prepared with their connection. */

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "internal.h"

/*
 * The spelling, the same for all dialects:
 *   ?            the next bound value        ?2       the second one
 *   ?*           a time, twice where times have two columns
 *   "createdAt*" a time column, with its twin where times have two
 *   json(name)   a JSON column as mastra_rows_json reads it
 *   rowid        what orders rows of equal time
 * Quoted texts are left alone.
 */

#define TEXT_LIMIT (64 * 1024)

/* How a bound value is given to the driver. */
enum { KIND_TEXT = 's', KIND_INT = 'i', KIND_REAL = 'r', KIND_BYTES = 'b',
       KIND_ANY = '*' };

struct mastra_statement_t {
    mastra_statement_t *next;    /* same text, other kinds */
    apr_dbd_prepared_t *prepared;
    int nslots;
    int slots[MASTRA_STATEMENT_SLOTS];   /* index of the bind */
    char kinds[MASTRA_STATEMENT_SLOTS];
};

static char bind_kind(const mastra_dialect_t *dialect,
                      const mastra_bind_t *bind)
{
    switch (bind->type) {
    case MASTRA_BIND_INT:
        return KIND_INT;
    case MASTRA_BIND_REAL:
        return dialect->real_as_text ? KIND_TEXT : KIND_REAL;
    case MASTRA_BIND_BYTES:
        return bind->text ? KIND_BYTES : KIND_ANY;
    case MASTRA_BIND_NULL:
        return KIND_ANY;
    case MASTRA_BIND_TEXT:
        return bind->text ? KIND_TEXT : KIND_ANY;
    case MASTRA_BIND_JSON:
        return bind->json ? KIND_TEXT : KIND_ANY;
    default:
        return KIND_TEXT;
    }
}

/* ---- translation ---- */

typedef struct {
    mastra_buf_t out;
    const mastra_dialect_t *dialect;
    const mastra_bind_t *binds;
    int nbinds, next;
    int *slots, nslots;
    apr_status_t rv;
} translation_t;

static void put(translation_t *t, const char *text, apr_size_t len)
{
    if (t->rv == APR_SUCCESS) {
        t->rv = mastra_buf_add(&t->out, text, len);
    }
}

static void put_bind(translation_t *t, int index)
{
    const char *format = "%s";

    if (index < 0 || index >= t->nbinds
        || t->nslots >= MASTRA_STATEMENT_SLOTS) {
        t->rv = APR_EINVAL;
        return;
    }
    switch (bind_kind(t->dialect, &t->binds[index])) {
    case KIND_INT:
        format = "%lld";
        break;
    case KIND_REAL:
        format = "%lf";
        break;
    case KIND_BYTES:
        format = "%pDb";
        break;
    }
    t->slots[t->nslots++] = index;
    put(t, format, strlen(format));
}

/* Returns what follows the placeholder at p. */
static const char *take_bind(translation_t *t, const char *p)
{
    int index;

    p++;
    if (apr_isdigit(*p)) {
        for (index = 0; apr_isdigit(*p) && index < 1000; p++) {
            index = index * 10 + (*p - '0');
        }
        index--;
    }
    else {
        index = t->next++;
    }
    put_bind(t, index);
    if (*p == '*') {
        p++;
        if (t->dialect->time_pairs) {
            put(t, ", ", 2);
            put_bind(t, index);
        }
    }
    return p;
}

/* A quoted text or name; a name that ends in a star is a pair of times. */
static const char *take_quoted(translation_t *t, const char *p)
{
    const char *end = strchr(p + 1, *p);
    const char *q;

    if (!end) {
        t->rv = APR_EINVAL;
        return p + strlen(p);
    }
    if (*p == '"' && end > p + 1 && end[-1] == '*') {
        put(t, p, end - 1 - p);
        put(t, "\"", 1);
        if (t->dialect->time_pairs) {
            put(t, ", ", 2);
            put(t, p, end - 1 - p);
            put(t, "Z\"", 2);
        }
        return end + 1;
    }
    for (q = p; q <= end; q++) {
        put(t, "%%", *q == '%' ? 2 : 0);
        put(t, q, *q == '%' ? 0 : 1);
    }
    return end + 1;
}

static const char *take_json(translation_t *t, const char *p)
{
    const char *name = p + 5;
    int len = (int)strcspn(name, ")");

    if (!name[len]) {
        t->rv = APR_EINVAL;
        return name + len;
    }
    if (!t->dialect->hex_blobs) {
        put(t, name, len);
    }
    else if (t->rv == APR_SUCCESS) {
        t->rv = mastra_buf_printf(&t->out, "CASE typeof(%.*s) WHEN 'blob' "
                                  "THEN 'x' || hex(%.*s) ELSE %.*s END", len,
                                  name, len, name, len, name);
    }
    return name + len + 1;
}

static const char *take_word(translation_t *t, const char *p)
{
    apr_size_t len = 0;

    while (apr_isalnum(p[len]) || p[len] == '_') {
        len++;
    }
    if (len == 4 && !strncmp(p, "json(", 5)) {
        return take_json(t, p);
    }
    if (len == 5 && !strncmp(p, "rowid", 5)) {
        put(t, t->dialect->rowid, strlen(t->dialect->rowid));
    }
    else {
        put(t, p, len);
    }
    return p + len;
}

apr_status_t mastra_statement_translate(const char **ptext, int *slots,
                                        int *pnslots,
                                        const mastra_dialect_t *dialect,
                                        const char *sql,
                                        const mastra_bind_t *binds, int nbinds,
                                        apr_pool_t *pool)
{
    translation_t t = { .dialect = dialect, .binds = binds, .nbinds = nbinds,
                        .slots = slots };
    const char *p = sql;

    mastra_buf_init(&t.out, TEXT_LIMIT);
    while (*p && t.rv == APR_SUCCESS) {
        if (*p == '?') {
            p = take_bind(&t, p);
        }
        else if (*p == '\'' || *p == '"') {
            p = take_quoted(&t, p);
        }
        else if (apr_isalpha(*p) || *p == '_') {
            p = take_word(&t, p);
        }
        else {
            put(&t, "%%", *p == '%' ? 2 : 0);
            put(&t, p, *p == '%' ? 0 : 1);
            p++;
        }
    }
    if (t.rv == APR_SUCCESS) {
        *ptext = apr_pstrmemdup(pool, t.out.data ? t.out.data : "", t.out.len);
        *pnslots = t.nslots;
    }
    mastra_buf_free(&t.out);
    return t.rv;
}

/* ---- the cache ---- */

static int kinds_fit(const mastra_statement_t *statement,
                     const mastra_dialect_t *dialect,
                     const mastra_bind_t *binds, int nbinds)
{
    int i;
    char kind;

    for (i = 0; i < statement->nslots; i++) {
        if (statement->slots[i] >= nbinds) {
            return 0;
        }
        kind = bind_kind(dialect, &binds[statement->slots[i]]);
        if (kind != KIND_ANY && kind != statement->kinds[i]) {
            return 0;
        }
    }
    return 1;
}

static apr_status_t prepare(mastra_statement_t **pstatement, mastra_db_t *db,
                            const char *sql, const mastra_bind_t *binds,
                            int nbinds, apr_pool_t *pool)
{
    mastra_statement_t *statement = apr_pcalloc(db->pool, sizeof(*statement));
    const char *text;
    apr_status_t rv;
    int i, code;
    char kind;

    rv = mastra_statement_translate(&text, statement->slots,
                                    &statement->nslots, db->dialect, sql,
                                    binds, nbinds, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (i = 0; i < statement->nslots; i++) {
        kind = bind_kind(db->dialect, &binds[statement->slots[i]]);
        statement->kinds[i] = kind == KIND_ANY ? KIND_TEXT : kind;
    }
    /* no label: pgsql sends the text each time, and knows no types then */
    code = apr_dbd_prepare(db->driver, db->pool, db->handle, text, NULL,
                           &statement->prepared);
    if (code) {
        return mastra_db_fail(db, code);
    }
    statement->next = apr_hash_get(db->statements, sql, APR_HASH_KEY_STRING);
    apr_hash_set(db->statements,
                 statement->next ? sql : apr_pstrdup(db->pool, sql),
                 APR_HASH_KEY_STRING, statement);
    db->nstatements++;
    *pstatement = statement;
    return APR_SUCCESS;
}

/* ---- values ---- */

/* ISO 8601 in UTC with milliseconds; finer digits only where the dialect's
 * columns keep them and the time has some. */
static const char *time_text(const mastra_dialect_t *dialect, apr_time_t time,
                             apr_pool_t *pool)
{
    char *text = apr_palloc(pool, MASTRA_ISO_LEN + 4);
    int micros = (int)(time % 1000);

    mastra_text_iso(text, time);
    if (dialect->time_pairs && micros > 0) {
        apr_snprintf(text + MASTRA_ISO_LEN - 1, 5, "%03dZ", micros);
    }
    return text;
}

static const void *value_of(const mastra_dialect_t *dialect,
                            const mastra_bind_t *bind, apr_pool_t *pool)
{
    switch (bind->type) {
    case MASTRA_BIND_TEXT:
    case MASTRA_BIND_BYTES:
        return bind->text;
    case MASTRA_BIND_INT:
        return &bind->integer;
    case MASTRA_BIND_REAL:
        /* printf knows too few digits (APR's) or the locale (libc's) */
        return dialect->real_as_text
               ? (const void *)mastra_json_text(
                     mastra_json_own(mastra_json_real(bind->real), pool), pool)
               : &bind->real;
    case MASTRA_BIND_TIME:
        return time_text(dialect, bind->time, pool);
    case MASTRA_BIND_JSON:
        return mastra_json_text(bind->json, pool);
    default:
        return NULL;
    }
}

apr_status_t mastra_statement_get(apr_dbd_prepared_t **pprepared,
                                  const void ***pvalues, mastra_db_t *db,
                                  const char *sql, const mastra_bind_t *binds,
                                  int nbinds, apr_pool_t *pool)
{
    mastra_statement_t *statement;
    const void **values;
    apr_status_t rv;
    int i, n = 0;

    statement = apr_hash_get(db->statements, sql, APR_HASH_KEY_STRING);
    while (statement && !kinds_fit(statement, db->dialect, binds, nbinds)) {
        statement = statement->next;
    }
    if (!statement) {
        rv = prepare(&statement, db, sql, binds, nbinds, pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    /* a blob takes four places: data, size, table and column; NULL takes one
     * whatever its kind */
    values = apr_pcalloc(pool, sizeof(*values) * (statement->nslots * 4 + 1));
    for (i = 0; i < statement->nslots; i++) {
        const mastra_bind_t *bind = &binds[statement->slots[i]];

        values[n] = value_of(db->dialect, bind, pool);
        if (values[n++] && statement->kinds[i] == KIND_BYTES) {
            values[n] = &bind->len;
            n += 3;
        }
    }
    *pprepared = statement->prepared;
    *pvalues = values;
    return APR_SUCCESS;
}
