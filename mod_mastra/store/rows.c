/* The result of a query, read to its end. */

#include <stdlib.h>
#include <string.h>

#include <apr_buckets.h>
#include <apr_strings.h>

#include "../base/jsonb.h"
#include "internal.h"

/* Cells point into the driver's result, which lives as long as the pool. */
struct mastra_rows_t {
    const mastra_db_t *db;
    apr_pool_t *pool;
    int count, columns;
    const char **cells;
    const char **names;      /* of the columns */
    apr_dbd_row_t **rows;    /* where blobs are asked for again, or NULL */
};

static void read_names(mastra_rows_t *rows, apr_dbd_results_t *results)
{
    const char *name;
    int i;

    rows->names = apr_pcalloc(rows->pool, sizeof(*rows->names)
                                              * (rows->columns + 1));
    for (i = 0; i < rows->columns; i++) {
        name = apr_dbd_get_name(rows->db->driver, results, i);
        rows->names[i] = apr_pstrdup(rows->pool, name ? name : "");
    }
}

static apr_status_t read_row(mastra_rows_t *rows, apr_dbd_row_t *row, int n)
{
    const char **cells = &rows->cells[(apr_size_t)n * rows->columns];
    apr_status_t rv;
    int i;

    for (i = 0; i < rows->columns; i++) {
        char *value = NULL;

        /* get_entry shows NULL as an empty text on pgsql */
        rv = apr_dbd_datum_get(rows->db->driver, row, i, APR_DBD_TYPE_STRING,
                               &value);
        if (rv != APR_SUCCESS && rv != APR_ENOENT) {
            return rv;
        }
        cells[i] = rv == APR_SUCCESS ? value : NULL;
    }
    return APR_SUCCESS;
}

apr_status_t mastra_rows_make(mastra_rows_t **prows, mastra_db_t *db,
                              apr_dbd_results_t *results, apr_pool_t *pool)
{
    mastra_rows_t *rows = apr_pcalloc(pool, sizeof(*rows));
    apr_dbd_row_t *row = NULL;
    apr_status_t rv;
    int i;

    rows->db = db;
    rows->pool = pool;
    rows->count = apr_dbd_num_tuples(db->driver, results);
    rows->columns = apr_dbd_num_cols(db->driver, results);
    rows->cells = apr_palloc(pool, sizeof(*rows->cells) * rows->count
                                   * rows->columns);
    if (db->dialect->hex_blobs) {
        rows->rows = apr_palloc(pool, sizeof(*rows->rows) * rows->count);
    }
    read_names(rows, results);
    /* never one row further: the pgsql driver frees the result there */
    for (i = 0; i < rows->count; i++) {
        if (apr_dbd_get_row(db->driver, pool, results, &row, -1)) {
            return APR_EGENERAL;
        }
        rv = read_row(rows, row, i);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (rows->rows) {
            rows->rows[i] = row;
        }
    }
    *prows = rows;
    return APR_SUCCESS;
}

int mastra_rows_count(const mastra_rows_t *rows)
{
    return rows->count;
}

mastra_json_t *mastra_rows_objects(const mastra_rows_t *rows)
{
    mastra_json_t *made = mastra_json_array(), *object;
    int i, j;

    for (i = 0; i < rows->count; i++) {
        object = mastra_json_object();
        for (j = 0; j < rows->columns; j++) {
            mastra_json_set(object, rows->names[j],
                            mastra_json_string(mastra_rows_text(rows, i, j)));
        }
        mastra_json_append(made, object);
    }
    return made;
}

const char *mastra_rows_text(const mastra_rows_t *rows, int row, int column)
{
    if (row < 0 || row >= rows->count || column < 0
        || column >= rows->columns) {
        return NULL;
    }
    return rows->cells[(apr_size_t)row * rows->columns + column];
}

apr_int64_t mastra_rows_int(const mastra_rows_t *rows, int row, int column)
{
    const char *text = mastra_rows_text(rows, row, column);

    return text ? apr_atoi64(text) : 0;
}

apr_time_t mastra_rows_time(const mastra_rows_t *rows, int row, int column)
{
    const char *text = mastra_rows_text(rows, row, column);
    apr_time_t time;

    return text && mastra_text_iso_parse(&time, text) == APR_SUCCESS ? time
                                                                     : 0;
}

const char *mastra_rows_iso(const mastra_rows_t *rows, int row, int column)
{
    const char *text = mastra_rows_text(rows, row, column);
    apr_time_t time;

    if (!text || (strlen(text) == MASTRA_ISO_LEN && text[10] == 'T'
                  && text[MASTRA_ISO_LEN - 1] == 'Z')) {
        return text;
    }
    if (mastra_text_iso_parse(&time, text) != APR_SUCCESS) {
        return text;
    }
    return mastra_text_iso_make(rows->pool, time);
}

/* ---- bytes ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static apr_status_t unhex(const unsigned char **pdata, apr_size_t *plen,
                          const char *hex, apr_pool_t *pool)
{
    apr_size_t len = strlen(hex) / 2, i;
    unsigned char *data = apr_palloc(pool, len + 1);
    int high, low;

    for (i = 0; i < len; i++) {
        high = hex_digit(hex[2 * i]);
        low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return APR_EINVAL;
        }
        data[i] = (unsigned char)(high << 4 | low);
    }
    data[len] = '\0';
    *pdata = data;
    *plen = len;
    return APR_SUCCESS;
}

/* The one way to a blob's length in the sqlite3 driver. */
static apr_status_t blob_datum(const unsigned char **pdata, apr_size_t *plen,
                               const mastra_rows_t *rows, int row, int column)
{
    apr_bucket_alloc_t *alloc = apr_bucket_alloc_create(rows->pool);
    apr_bucket_brigade *brigade = apr_brigade_create(rows->pool, alloc);
    apr_status_t rv;
    char *data;

    rv = apr_dbd_datum_get(rows->db->driver, rows->rows[row], column,
                           APR_DBD_TYPE_BLOB, brigade);
    if (rv == APR_SUCCESS) {
        rv = apr_brigade_pflatten(brigade, &data, plen, rows->pool);
    }
    if (rv == APR_SUCCESS) {
        *pdata = (const unsigned char *)data;
    }
    apr_brigade_destroy(brigade);
    return rv;
}

apr_status_t mastra_rows_bytes(const unsigned char **pdata, apr_size_t *plen,
                               const mastra_rows_t *rows, int row, int column)
{
    const char *text = mastra_rows_text(rows, row, column);

    if (row < 0 || row >= rows->count || column < 0
        || column >= rows->columns) {
        return APR_EINVAL;
    }
    if (rows->rows) {
        return blob_datum(pdata, plen, rows, row, column);
    }
    if (!text) {
        return APR_ENOENT;
    }
    if (text[0] == '\\' && text[1] == 'x') {
        return unhex(pdata, plen, text + 2, rows->pool);
    }
    *pdata = (const unsigned char *)text;
    *plen = strlen(text);
    return APR_SUCCESS;
}

mastra_json_t *mastra_rows_json(const mastra_rows_t *rows, int row, int column)
{
    const char *text = mastra_rows_text(rows, row, column);
    const unsigned char *data;
    mastra_json_t *json = NULL;
    apr_size_t len;

    if (!text) {
        return NULL;
    }
    /* json(column) marks blobs so: no JSON text begins with an x */
    if (text[0] == 'x' && rows->db->dialect->hex_blobs) {
        if (unhex(&data, &len, text + 1, rows->pool) == APR_SUCCESS) {
            mastra_jsonb_decode(&json, data, len);
        }
        return json;
    }
    mastra_json_parse(&json, text, strlen(text), 0, NULL);
    return json;
}
