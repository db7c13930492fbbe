/* Messages by what they say: rows are looked at one thread after another. */

#include <string.h>

#include <apr_strings.h>

#include "threads.h"
#include "internal.h"

#define STEP 500                 /* rows looked at in one go */
#define THREADS_MAX 1000
#define MILLISECOND 1000

/* The fragment thins the rows out before they are read as JSON. */
static const char rows_of_thread[] = MASTRA_MESSAGE_COLUMNS
    " WHERE thread_id = ? AND \"createdAt\" < ?"
    " AND lower(content) LIKE ? ESCAPE '!'"
    " ORDER BY \"createdAt\" DESC, rowid DESC LIMIT ? OFFSET ?";
static const char threads_of_resource[] =
    "SELECT id FROM mastra_threads WHERE \"resourceId\" = ? "
    "ORDER BY \"updatedAt\" DESC LIMIT ?";

typedef struct {
    const mastra_messages_search_t *search;
    mastra_json_t *found;
    apr_int64_t rows;            /* that may still be looked at */
    const char *pattern;
} state_t;

static const char *pattern_of(const char *fragment, apr_pool_t *pool)
{
    mastra_buf_t buf;
    const char *pattern;

    mastra_buf_init(&buf, 64 * 1024);
    mastra_buf_puts(&buf, "%");
    for (; fragment && *fragment; fragment++) {
        if (strchr("%_!", *fragment)) {
            mastra_buf_puts(&buf, "!");
        }
        mastra_buf_add(&buf, fragment, 1);
    }
    if (buf.len > 1) {
        mastra_buf_puts(&buf, "%");
    }
    pattern = apr_pstrmemdup(pool, buf.data, buf.len);
    mastra_buf_free(&buf);
    return pattern;
}

/* Those of rows that match, as long as fewer than limit were found. */
static void take_rows(state_t *state, const mastra_rows_t *rows,
                      apr_int64_t *pleft)
{
    const mastra_messages_search_t *search = state->search;
    int i;

    for (i = 0; i < mastra_rows_count(rows) && *pleft; i++) {
        mastra_json_t *message = mastra_message_json(rows, i);
        const char *owner = mastra_json_get_str(message, "resourceId");

        if ((!owner || !strcmp(owner, search->resource_id))
            && search->match(search->baton, message)) {
            mastra_json_append(state->found, message);
            --*pleft;
        }
        else {
            mastra_json_unref(message);
        }
    }
}

/* Where the next step goes on: at the last row's time, behind those rows of
 * that time that were seen. */
static void advance(apr_time_t *pbefore, apr_int64_t *pskip,
                    const mastra_rows_t *rows)
{
    int i, n = mastra_rows_count(rows);
    apr_time_t last = mastra_rows_time(rows, n - 1, MASTRA_MESSAGE_CREATED);
    apr_time_t before = last - last % MILLISECOND + MILLISECOND;
    apr_int64_t seen = 0;

    for (i = n - 1; i >= 0; i--) {
        if (mastra_rows_time(rows, i, MASTRA_MESSAGE_CREATED) >= before) {
            break;
        }
        seen++;
    }
    *pskip = before == *pbefore ? *pskip + seen : seen;
    *pbefore = before;
}

static apr_status_t search_thread(state_t *state, mastra_db_t *db,
                                  const char *id, apr_pool_t *pool)
{
    apr_int64_t left = state->search->limit, skip = 0;
    apr_time_t before = MASTRA_TIME_LAST;
    mastra_rows_t *rows;
    apr_pool_t *step;
    apr_status_t rv = APR_SUCCESS;
    int n = STEP;

    apr_pool_create(&step, pool);
    while (n == STEP && left && state->rows > 0 && !rv) {
        apr_pool_clear(step);
        rv = mastra_db_query(&rows, db, rows_of_thread,
                             (const mastra_bind_t[]) {
            MASTRA_TEXT(id), MASTRA_TIME(before), MASTRA_TEXT(state->pattern),
            MASTRA_INT(STEP), MASTRA_INT(skip)
        }, 5, step);
        if (!rv) {
            n = mastra_rows_count(rows);
            state->rows -= n;
            take_rows(state, rows, &left);
        }
        if (!rv && n) {
            advance(&before, &skip, rows);
        }
    }
    apr_pool_destroy(step);
    return rv;
}

static apr_status_t search_resource(state_t *state, mastra_db_t *db,
                                    apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv;
    int i;

    rv = mastra_db_query(&rows, db, threads_of_resource,
                         (const mastra_bind_t[]) {
        MASTRA_TEXT(state->search->resource_id), MASTRA_INT(THREADS_MAX)
    }, 2, pool);
    for (i = 0; !rv && i < mastra_rows_count(rows) && state->rows > 0; i++) {
        rv = search_thread(state, db, mastra_rows_text(rows, i, 0), pool);
    }
    return rv;
}

apr_status_t mastra_messages_search(mastra_json_t **pmessages, mastra_db_t *db,
                                    const mastra_messages_search_t *search,
                                    apr_pool_t *pool)
{
    state_t state = { .search = search, .rows = search->rows };
    apr_status_t rv;

    state.found = mastra_json_array();
    state.pattern = pattern_of(search->fragment, pool);
    rv = search->thread_id ? search_thread(&state, db, search->thread_id, pool)
                           : search_resource(&state, db, pool);
    if (rv) {
        mastra_json_unref(state.found);
        return rv;
    }
    *pmessages = state.found;
    return APR_SUCCESS;
}
