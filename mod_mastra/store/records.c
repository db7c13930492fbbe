/* Between rows of the tables and JSON objects of the API. */

#include "internal.h"

apr_status_t mastra_record_time(apr_time_t *ptime, const mastra_json_t *object,
                                const char *key)
{
    const char *text = mastra_json_get_str(object, key);

    if (!text) {
        *ptime = apr_time_now() / 1000 * 1000;
        return APR_SUCCESS;
    }
    return mastra_text_iso_parse(ptime, text);
}

mastra_json_t *mastra_record_json(const mastra_rows_t *rows, int row,
                                  int column)
{
    mastra_json_t *json = mastra_rows_json(rows, row, column), *inner = NULL;

    /* the Node server's PostgreSQL store keeps a resource's metadata as a
     * JSON string that holds the document */
    if (mastra_json_is_string(json)
        && mastra_json_parse(&inner, mastra_json_str(json),
                             mastra_json_len(json), 0, NULL) == APR_SUCCESS) {
        mastra_json_unref(json);
        json = inner;
    }
    return json ? json : mastra_json_null();
}

int mastra_record_has(const mastra_json_t *object,
                      const mastra_json_t *wanted)
{
    mastra_json_t *value;
    void *i;

    for (i = mastra_json_iter(wanted); i; i = mastra_json_next(wanted, i)) {
        value = mastra_json_get(object, mastra_json_key(i));
        /* a member that is not there equals null */
        if (!value ? !mastra_json_is_null(mastra_json_value(i))
                   : !mastra_json_equal(value, mastra_json_value(i))) {
            return 0;
        }
    }
    return 1;
}
