/* Parser of text/event-stream that copies an event once, onto the stack. */

#include <stdlib.h>
#include <string.h>

#include "sse.h"

/* events up to this size need no memory from the heap when they come whole */
#define STACK_DATA 4096
#define STACK_NAME 128
#define FIRST_BOM 3          /* bytes of a byte order mark still possible */

/* A part of the input, or of what was kept of it. */
typedef struct {
    const char *at;
    apr_size_t len;
} piece_t;

struct mastra_sse_t {
    mastra_sse_cb *cb;
    void *baton;
    apr_size_t max_event;
    mastra_buf_t line;       /* the beginning of an unfinished line */
    mastra_buf_t name;       /* kept from an earlier feed, or empty */
    mastra_buf_t data;       /* data lines kept or joined, each with its LF */
    piece_t name_piece;      /* not kept yet: in the input of this feed */
    piece_t data_piece;
    unsigned has_name : 1;
    unsigned has_data : 1;
    unsigned skip_lf : 1;    /* the last byte was CR: an LF belongs to it */
    unsigned bom_left : 2;   /* bytes of the mark that may still come */
};

static const char bom[] = "\xEF\xBB\xBF";

mastra_sse_t *mastra_sse_make(apr_size_t max_event, mastra_sse_cb *cb,
                              void *baton)
{
    mastra_sse_t *sse = calloc(1, sizeof(*sse));

    if (sse) {
        sse->cb = cb;
        sse->baton = baton;
        sse->max_event = max_event;
        sse->bom_left = FIRST_BOM;
        mastra_buf_init(&sse->line, max_event);
        mastra_buf_init(&sse->name, max_event);
        /* with the LF that is taken off at the end */
        mastra_buf_init(&sse->data, max_event + 1);
    }
    return sse;
}

static void forget(mastra_sse_t *sse)
{
    mastra_buf_free(&sse->name);
    mastra_buf_free(&sse->data);
    sse->name_piece.at = NULL;
    sse->data_piece.at = NULL;
    sse->has_name = 0;
    sse->has_data = 0;
}

void mastra_sse_free(mastra_sse_t *sse)
{
    if (sse) {
        mastra_buf_free(&sse->line);
        forget(sse);
        free(sse);
    }
}

int mastra_sse_is_partial(const mastra_sse_t *sse)
{
    return sse->has_data || sse->has_name
           || (sse->line.len && sse->line.data[0] != ':');
}

/* Bytes of the unfinished event: its ceiling is one for all its parts, and
 * does not depend on how the stream was cut. */
static apr_size_t held(const mastra_sse_t *sse)
{
    return sse->line.len + sse->name.len + sse->data.len
           + (sse->name_piece.at ? sse->name_piece.len : 0)
           + (sse->data_piece.at ? sse->data_piece.len + 1 : 0);
}

static int fits(const mastra_sse_t *sse, apr_size_t len)
{
    return len <= sse->max_event && held(sse) <= sse->max_event - len;
}

/* What the input held goes into memory of our own. */
static apr_status_t keep(mastra_sse_t *sse)
{
    apr_status_t rv = APR_SUCCESS;

    if (sse->name_piece.at) {
        rv = mastra_buf_add(&sse->name, sse->name_piece.at,
                            sse->name_piece.len);
        sse->name_piece.at = NULL;
    }
    if (rv == APR_SUCCESS && sse->data_piece.at) {
        rv = mastra_buf_add(&sse->data, sse->data_piece.at,
                            sse->data_piece.len);
        if (rv == APR_SUCCESS) {
            rv = mastra_buf_add(&sse->data, "\n", 1);
        }
        sse->data_piece.at = NULL;
    }
    return rv;
}

/* A NUL-terminated copy of piece in stack if it fits, else from malloc. */
static char *terminated(const piece_t *piece, char *stack, apr_size_t size)
{
    char *text = piece->len < size ? stack : malloc(piece->len + 1);

    if (text) {
        memcpy(text, piece->at, piece->len);
        text[piece->len] = '\0';
    }
    return text;
}

/* The parser is at rest before the callback runs, which may free it if it
 * returns 0. */
static apr_status_t dispatch(mastra_sse_t *sse)
{
    char name_stack[STACK_NAME], data_stack[STACK_DATA];
    piece_t name = sse->name_piece, data = sse->data_piece;
    mastra_buf_t name_buf = sse->name, data_buf = sse->data;
    char *name_text = NULL, *data_text;
    apr_status_t rv = APR_ENOMEM;

    if (name_buf.len) {
        name = (piece_t){ name_buf.data, name_buf.len };
    }
    if (!data.at) {
        data = (piece_t){ data_buf.data, data_buf.len - 1 };
    }
    mastra_buf_init(&sse->name, name_buf.limit);
    mastra_buf_init(&sse->data, data_buf.limit);
    forget(sse);
    data_text = terminated(&data, data_stack, sizeof(data_stack));
    if (name.at && name.len) {
        name_text = terminated(&name, name_stack, sizeof(name_stack));
    }
    if (data_text && (name_text || !name.at || !name.len)) {
        rv = sse->cb(sse->baton, name_text, data_text, data.len)
             ? APR_SUCCESS : APR_EGENERAL;
    }
    if (data_text != data_stack) {
        free(data_text);
    }
    if (name_text != name_stack) {
        free(name_text);
    }
    mastra_buf_free(&name_buf);
    mastra_buf_free(&data_buf);
    return rv;
}

static apr_status_t set_data(mastra_sse_t *sse, const piece_t *value)
{
    apr_status_t rv;

    if (sse->has_data) {
        rv = keep(sse);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    sse->has_data = 1;
    sse->data_piece = *value;
    /* the second and later lines are joined to the first at once */
    return sse->data.len ? keep(sse) : APR_SUCCESS;
}

static int is_field(const piece_t *field, const char *name, apr_size_t len)
{
    return field->len == len && !memcmp(field->at, name, len);
}

/* A line that is not empty. */
static apr_status_t take_field(mastra_sse_t *sse, const char *line,
                               apr_size_t len)
{
    const char *colon = memchr(line, ':', len);
    piece_t field = { line, colon ? (apr_size_t)(colon - line) : len };
    piece_t value = { line + len, 0 };

    if (colon) {
        value.at = colon + 1;
        if (value.at < line + len && *value.at == ' ') {
            value.at++;
        }
        value.len = (apr_size_t)(line + len - value.at);
    }
    if (is_field(&field, "data", 4)) {
        return set_data(sse, &value);
    }
    if (is_field(&field, "event", 5)) {
        mastra_buf_free(&sse->name);
        sse->name_piece = value;
        sse->has_name = 1;
    }
    return APR_SUCCESS;
}

static apr_status_t take_line(mastra_sse_t *sse, const char *line,
                              apr_size_t len)
{
    if (!len) {
        if (sse->has_data) {
            return dispatch(sse);
        }
        forget(sse);
        return APR_SUCCESS;
    }
    if (line[0] == ':') {
        return APR_SUCCESS;
    }
    return fits(sse, len) ? take_field(sse, line, len) : APR_ENOSPC;
}

/* A line whose beginning came with an earlier feed. */
static apr_status_t take_kept_line(mastra_sse_t *sse)
{
    mastra_buf_t line = sse->line;
    apr_status_t rv;

    mastra_buf_init(&sse->line, line.limit);
    rv = take_line(sse, line.data, line.len);
    if (rv == APR_SUCCESS) {
        rv = keep(sse);
    }
    mastra_buf_free(&line);
    return rv;
}

static apr_status_t add_to_line(mastra_sse_t *sse, const char *data,
                                apr_size_t len)
{
    /* of a comment its colon is enough */
    if (sse->line.len ? sse->line.data[0] == ':' : data[0] == ':') {
        return sse->line.len ? APR_SUCCESS : mastra_buf_add(&sse->line, ":", 1);
    }
    return fits(sse, len) ? mastra_buf_add(&sse->line, data, len)
                          : APR_ENOSPC;
}

/* A byte order mark may come in parts; a beginning of one that turns out not
 * to be one is the beginning of a line. */
static apr_status_t skip_bom(mastra_sse_t *sse, const char **pat,
                             const char *end)
{
    apr_status_t rv = APR_SUCCESS;
    apr_size_t seen;

    while (sse->bom_left && *pat < end) {
        seen = FIRST_BOM - sse->bom_left;
        if (**pat == bom[seen]) {
            ++*pat;
            sse->bom_left--;
            continue;
        }
        sse->bom_left = 0;
        if (seen) {
            rv = add_to_line(sse, bom, seen);
        }
    }
    return rv;
}

/* The end of the line at `at`, or NULL. *plf is the next LF, searched for
 * once only also where lines end with CR; end: there is none. */
static const char *line_end(const char *at, const char *end, const char **plf)
{
    const char *cr;

    if (!*plf || *plf < at) {
        *plf = memchr(at, '\n', (apr_size_t)(end - at));
        if (!*plf) {
            *plf = end;
        }
    }
    cr = memchr(at, '\r', (apr_size_t)(*plf - at));
    return cr ? cr : *plf < end ? *plf : NULL;
}

static apr_status_t feed(mastra_sse_t *sse, const char *at, const char *end)
{
    const char *lf = NULL, *eol;
    apr_status_t rv = APR_SUCCESS;

    while (at < end && rv == APR_SUCCESS) {
        if (sse->skip_lf) {
            sse->skip_lf = 0;
            if (*at == '\n') {
                at++;
                continue;
            }
        }
        eol = line_end(at, end, &lf);
        if (!eol) {
            rv = add_to_line(sse, at, (apr_size_t)(end - at));
            break;
        }
        sse->skip_lf = *eol == '\r';
        if (!sse->line.len) {
            rv = take_line(sse, at, (apr_size_t)(eol - at));
        }
        else {
            rv = eol > at ? add_to_line(sse, at, (apr_size_t)(eol - at))
                          : APR_SUCCESS;
            if (rv == APR_SUCCESS) {
                rv = take_kept_line(sse);
            }
        }
        at = eol + 1;
    }
    return rv;
}

apr_status_t mastra_sse_feed(mastra_sse_t *sse, const char *data,
                             apr_size_t len)
{
    const char *end = data + len;
    apr_status_t rv = APR_SUCCESS;

    if (sse->bom_left) {
        rv = skip_bom(sse, &data, end);
    }
    if (rv == APR_SUCCESS) {
        rv = feed(sse, data, end);
    }
    return rv == APR_SUCCESS ? keep(sse) : rv;
}
