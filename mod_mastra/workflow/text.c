/* Records and snapshots as text: most of what a run writes are the same values
 * again and again, which are printed without being copied first. */

#include <string.h>

#include <apr_strings.h>

#include "engine.h"

#define USUAL_LEN 512

static int is_named(const char *const *names, const char *name)
{
    for (; names && *names; names++) {
        if (!strcmp(*names, name)) {
            return 1;
        }
    }
    return 0;
}

/* The name of a member, after a comma unless it is the first. */
static apr_status_t put_name(mastra_buf_t *buf, const char *name)
{
    apr_status_t rv = APR_SUCCESS;

    if (buf->data[buf->len - 1] != '{') {
        rv = mastra_buf_add(buf, ",", 1);
    }
    if (!rv) {
        rv = mastra_buf_json_string(buf, name, strlen(name));
    }
    return rv ? rv : mastra_buf_add(buf, ":", 1);
}

apr_status_t mastra_text_member(mastra_buf_t *buf, const char *name,
                                const mastra_json_t *value)
{
    apr_status_t rv = put_name(buf, name);

    return rv ? rv : mastra_json_write(buf, value);
}

apr_status_t mastra_text_number(mastra_buf_t *buf, const char *name,
                                apr_int64_t value)
{
    apr_status_t rv = put_name(buf, name);

    return rv ? rv : mastra_buf_printf(buf, "%" APR_INT64_T_FMT, value);
}

apr_status_t mastra_text_string(mastra_buf_t *buf, const char *name,
                                const char *value)
{
    apr_status_t rv = put_name(buf, name);

    return rv ? rv : mastra_buf_json_string(buf, value, strlen(value));
}

apr_status_t mastra_text_members(mastra_buf_t *buf,
                                 const mastra_json_t *object,
                                 const char *const *without)
{
    apr_status_t rv = APR_SUCCESS;
    void *at;

    for (at = mastra_json_iter(object); at && !rv;
         at = mastra_json_next(object, at)) {
        if (!is_named(without, mastra_json_key(at))) {
            rv = mastra_text_member(buf, mastra_json_key(at),
                                    mastra_json_value(at));
        }
    }
    return rv;
}

void mastra_text_open(mastra_buf_t *buf, apr_size_t limit)
{
    mastra_buf_init(buf, limit);
    mastra_buf_reserve(buf, limit < USUAL_LEN ? limit : USUAL_LEN);
    mastra_buf_add(buf, "{", 1);
}

static const char *close_in(mastra_buf_t *buf, apr_status_t rv,
                            apr_size_t *plen, apr_pool_t *pool)
{
    const char *made = NULL;

    if (!rv && !mastra_buf_add(buf, "}", 1)) {
        *plen = buf->len;
        made = apr_pstrmemdup(pool, buf->data, buf->len);
    }
    mastra_buf_free(buf);
    return made;
}

const char *mastra_text_record(apr_size_t *plen, const mastra_json_t *record,
                               int attempts, apr_size_t limit,
                               apr_pool_t *pool)
{
    static const char *const known[] = { "payload", NULL };
    mastra_buf_t buf;
    apr_status_t rv;

    mastra_text_open(&buf, limit);
    rv = mastra_text_members(&buf, record, known);
    if (!rv && attempts) {
        rv = mastra_text_number(&buf, "attempts", attempts);
    }
    return close_in(&buf, rv, plen, pool);
}

const char *mastra_text_snapshot(const mastra_json_t *snapshot,
                                 const mastra_workflow_t *workflow,
                                 apr_size_t limit, apr_pool_t *pool)
{
    mastra_buf_t buf;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t len;
    void *at;

    mastra_text_open(&buf, limit);
    for (at = mastra_json_iter(snapshot); at && !rv;
         at = mastra_json_next(snapshot, at)) {
        const mastra_json_t *value = mastra_json_value(at);

        rv = put_name(&buf, mastra_json_key(at));
        if (!rv) {
            rv = value == workflow->graph
                     ? mastra_buf_puts(&buf, workflow->graph_text)
                     : mastra_json_write(&buf, value);
        }
    }
    return close_in(&buf, rv, &len, pool);
}
