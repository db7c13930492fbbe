/* Lists of mastra_messages: pages of a thread, and what is included beside. */

#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "threads.h"
#include "internal.h"

/* Lists, by [a range of times][one resource][some roles][ascending]. A range
 * that is open at both ends is left out: it misleads PostgreSQL, which would
 * sort the whole thread rather than walk along the index. */
#define ROLES 6
#define OF_THREAD " WHERE thread_id = ?"
#define OF_RANGE " AND \"createdAt\" >= ? AND \"createdAt\" < ?"
#define OF_RESOURCE " AND \"resourceId\" = ?"
#define OF_ROLES " AND role IN (?, ?, ?, ?, ?, ?)"
#define LIST(where, direction) \
    MASTRA_MESSAGE_COLUMNS OF_THREAD where " ORDER BY \"createdAt\" " direction \
    ", rowid " direction " LIMIT ? OFFSET ?"
#define LISTS(where) { LIST(where, "DESC"), LIST(where, "ASC") }
#define COUNT(where) "SELECT count(*) FROM mastra_messages" OF_THREAD where

static const char *const messages_list[2][2][2][2] = {
    { { LISTS(""), LISTS(OF_ROLES) },
      { LISTS(OF_RESOURCE), LISTS(OF_RESOURCE OF_ROLES) } },
    { { LISTS(OF_RANGE), LISTS(OF_RANGE OF_ROLES) },
      { LISTS(OF_RANGE OF_RESOURCE),
        LISTS(OF_RANGE OF_RESOURCE OF_ROLES) } }
};
static const char *const messages_count[2][2][2] = {
    { { COUNT(""), COUNT(OF_ROLES) },
      { COUNT(OF_RESOURCE), COUNT(OF_RESOURCE OF_ROLES) } },
    { { COUNT(OF_RANGE), COUNT(OF_RANGE OF_ROLES) },
      { COUNT(OF_RANGE OF_RESOURCE),
        COUNT(OF_RANGE OF_RESOURCE OF_ROLES) } }
};

static const char message_get[] = MASTRA_MESSAGE_COLUMNS " WHERE id = ?";

#define MILLISECOND 1000

#define ROWS_MAX 100000          /* in one answer */
#define SCAN_STEP 2000           /* rows looked at in one go */
#define INCLUDE_MAX 100          /* messages that bring neighbours along */
#define NEIGHBOURS_MAX 1000

/* ---- lists ---- */

/* What a list asks for, as binds: thread, range, resource, roles, and room
 * for limit and offset. */
typedef struct {
    mastra_bind_t binds[3 + 1 + ROLES + 2];
    int count;
    int range, resource, roles;
} query_t;

static void query_make(query_t *query, const char *thread_id, apr_time_t from,
                       apr_time_t before, const char *resource_id,
                       const mastra_json_t *roles)
{
    int i;

    query->count = 0;
    query->binds[query->count++] = MASTRA_TEXT(thread_id);
    query->range = from || before;
    if (query->range) {
        query->binds[query->count++] = MASTRA_TIME(from ? from : MASTRA_TIME_FIRST);
        query->binds[query->count++] = MASTRA_TIME(before ? before
                                                          : MASTRA_TIME_LAST);
    }
    query->resource = resource_id != NULL;
    if (resource_id) {
        query->binds[query->count++] = MASTRA_TEXT(resource_id);
    }
    query->roles = mastra_json_size(roles) > 0;
    for (i = 0; query->roles && i < ROLES; i++) {
        query->binds[query->count++] =
            MASTRA_TEXT(mastra_json_str(mastra_json_at(roles, i)));
    }
}

static apr_status_t query_count(apr_int64_t *ptotal, const query_t *query,
                                mastra_db_t *db, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db,
                         messages_count[query->range][query->resource]
                                       [query->roles],
                         query->binds, query->count, pool);
    if (rv == APR_SUCCESS) {
        *ptotal = mastra_rows_int(rows, 0, 0);
    }
    return rv;
}

static apr_status_t query_rows(mastra_rows_t **prows, query_t *query,
                               int ascending, apr_int64_t limit,
                               apr_int64_t offset, mastra_db_t *db,
                               apr_pool_t *pool)
{
    query->binds[query->count] = MASTRA_INT(limit);
    query->binds[query->count + 1] = MASTRA_INT(offset);
    return mastra_db_query(prows, db,
                           messages_list[query->range][query->resource]
                                        [query->roles][!!ascending],
                           query->binds, query->count + 2, pool);
}

/* Times are milliseconds: "after t" is "from t + 1 ms". */
static void query_filter(query_t *query,
                         const mastra_messages_filter_t *filter)
{
    apr_time_t from = filter->from, before = filter->to;

    if (from && filter->from_exclusive) {
        from += MILLISECOND;
    }
    if (before && !filter->to_exclusive) {
        before += MILLISECOND;
    }
    query_make(query, filter->thread_id, from, before, filter->resource_id,
               filter->roles);
}

/* The window [low, high) of the thread, in order of time. */
static void window(apr_int64_t *plow, apr_int64_t *phigh, apr_int64_t total,
                   const mastra_messages_filter_t *filter)
{
    apr_int64_t size = filter->per_page < 0 || filter->per_page > ROWS_MAX
                       ? ROWS_MAX : filter->per_page;
    apr_int64_t skip = filter->per_page < 0 ? 0 : filter->page * size;

    if (skip >= total) {
        *plow = *phigh = 0;
    }
    else if (filter->ascending) {
        *plow = skip;
        *phigh = total - skip < size ? total : skip + size;
    }
    else {
        *phigh = total - skip;
        *plow = *phigh < size ? 0 : *phigh - size;
    }
}

static apr_status_t list_page(mastra_json_t *messages, apr_int64_t *ptotal,
                              mastra_db_t *db,
                              const mastra_messages_filter_t *filter,
                              apr_pool_t *pool)
{
    apr_int64_t low, high;
    mastra_rows_t *rows;
    query_t query;
    apr_status_t rv;
    int forward;

    query_filter(&query, filter);
    rv = query_count(ptotal, &query, db, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    window(&low, &high, *ptotal, filter);
    if (low == high) {
        return APR_SUCCESS;
    }
    /* from the nearer end: an offset is walked */
    forward = low < *ptotal - high;
    rv = query_rows(&rows, &query, forward, high - low,
                    forward ? low : *ptotal - high, db, pool);
    if (rv == APR_SUCCESS) {
        mastra_message_append(messages, rows, !forward);
    }
    return rv;
}

/* 1 when the message of a row has the metadata that filter wants. */
static int row_matches(const mastra_rows_t *rows, int row,
                       const mastra_json_t *metadata)
{
    const char *text = mastra_rows_text(rows, row, MASTRA_MESSAGE_CONTENT);
    mastra_json_t *content = mastra_message_content(text ? text : "");
    int matches = mastra_record_has(mastra_json_get(content, "metadata"),
                                    metadata);

    mastra_json_unref(content);
    return matches;
}

static apr_status_t list_matching(mastra_json_t *messages, apr_int64_t *ptotal,
                                  mastra_db_t *db,
                                  const mastra_messages_filter_t *filter,
                                  apr_pool_t *pool)
{
    apr_int64_t size = filter->per_page < 0 ? ROWS_MAX : filter->per_page;
    apr_int64_t first = filter->per_page < 0 ? 0 : filter->page * size;
    apr_int64_t offset, seen = 0;
    mastra_rows_t *rows;
    apr_pool_t *step;
    query_t query;
    apr_status_t rv = APR_SUCCESS;
    int i, n = SCAN_STEP;

    query_filter(&query, filter);
    apr_pool_create(&step, pool);
    for (offset = 0; n == SCAN_STEP && offset < ROWS_MAX; offset += n) {
        apr_pool_clear(step);
        rv = query_rows(&rows, &query, filter->ascending, SCAN_STEP, offset,
                        db, step);
        if (rv != APR_SUCCESS) {
            break;
        }
        n = mastra_rows_count(rows);
        for (i = 0; i < n; i++) {
            if (!row_matches(rows, i, filter->metadata)) {
                continue;
            }
            if (seen >= first && seen - first < size) {
                mastra_json_insert(messages, filter->ascending
                                   ? mastra_json_size(messages) : 0,
                                   mastra_message_json(rows, i));
            }
            seen++;
        }
    }
    apr_pool_destroy(step);
    *ptotal = seen;
    return rv;
}

/* ---- messages that are included beside the page ---- */

typedef struct {
    mastra_json_t *messages;     /* the page, which grows */
    apr_hash_t *ids;             /* of what is in it */
    const char *resource_id;
} included_t;

static void include_rows(included_t *included, const mastra_rows_t *rows,
                         apr_pool_t *pool)
{
    const char *id;
    int i;

    for (i = 0; i < mastra_rows_count(rows); i++) {
        id = mastra_rows_text(rows, i, MASTRA_MESSAGE_ID);
        if (!apr_hash_get(included->ids, id, APR_HASH_KEY_STRING)) {
            apr_hash_set(included->ids, apr_pstrdup(pool, id),
                         APR_HASH_KEY_STRING, "");
            mastra_json_append(included->messages, mastra_message_json(rows, i));
        }
    }
}

static apr_int64_t neighbours(const mastra_json_t *item, const char *key)
{
    apr_int64_t n = mastra_json_get_int(item, key, 0);

    return n < 0 ? 0 : n > NEIGHBOURS_MAX ? NEIGHBOURS_MAX : n;
}

/* One message with those before and after it in its own thread. */
static apr_status_t include_item(included_t *included, mastra_db_t *db,
                                 const mastra_json_t *item, apr_pool_t *pool)
{
    const mastra_bind_t id = MASTRA_TEXT(mastra_json_get_str(item, "id"));
    apr_int64_t next = neighbours(item, "withNextMessages");
    const char *thread, *owner;
    mastra_rows_t *rows;
    apr_time_t after;
    query_t query;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db, message_get, &id, 1, pool);
    if (rv != APR_SUCCESS || !mastra_rows_count(rows)) {
        return rv;
    }
    thread = mastra_rows_text(rows, 0, MASTRA_MESSAGE_THREAD);
    owner = mastra_rows_text(rows, 0, MASTRA_MESSAGE_RESOURCE);
    if (included->resource_id
        && (!owner || strcmp(owner, included->resource_id))) {
        return APR_SUCCESS;
    }
    after = mastra_rows_time(rows, 0, MASTRA_MESSAGE_CREATED);
    after += MILLISECOND - after % MILLISECOND;
    include_rows(included, rows, pool);

    query_make(&query, thread, 0, after, included->resource_id, NULL);
    rv = query_rows(&rows, &query, 0,
                    neighbours(item, "withPreviousMessages") + 1, 0, db, pool);
    if (rv == APR_SUCCESS) {
        include_rows(included, rows, pool);
    }
    if (rv == APR_SUCCESS && next) {
        query_make(&query, thread, after, 0, included->resource_id, NULL);
        rv = query_rows(&rows, &query, 1, next, 0, db, pool);
        if (rv == APR_SUCCESS) {
            include_rows(included, rows, pool);
        }
    }
    return rv;
}

typedef struct {
    const char *created;
    apr_size_t index;
    mastra_json_t *message;
} sorted_t;

static int by_time(const void *a, const void *b)
{
    const sorted_t *one = a, *other = b;
    int order = strcmp(one->created ? one->created : "",
                       other->created ? other->created : "");

    return order ? order : one->index < other->index ? -1 : 1;
}

mastra_json_t *mastra_message_sort(const mastra_json_t *messages,
                                   apr_pool_t *pool)
{
    apr_size_t n = mastra_json_size(messages), i;
    sorted_t *sorted = apr_palloc(pool, sizeof(*sorted) * (n + 1));
    mastra_json_t *result = mastra_json_array();

    for (i = 0; i < n; i++) {
        sorted[i].message = mastra_json_at(messages, i);
        sorted[i].created = mastra_json_get_str(sorted[i].message,
                                                "createdAt");
        sorted[i].index = i;
    }
    qsort(sorted, n, sizeof(*sorted), by_time);
    for (i = 0; i < n; i++) {
        mastra_json_append(result, mastra_json_ref(sorted[i].message));
    }
    return result;
}

static apr_status_t include_all(mastra_json_t **pmessages, mastra_db_t *db,
                                const mastra_messages_filter_t *filter,
                                apr_pool_t *pool)
{
    included_t included = { *pmessages, apr_hash_make(pool),
                            filter->resource_id };
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    for (i = 0; i < mastra_json_size(*pmessages); i++) {
        apr_hash_set(included.ids,
                     mastra_json_get_str(mastra_json_at(*pmessages, i), "id"),
                     APR_HASH_KEY_STRING, "");
    }
    for (i = 0; i < mastra_json_size(filter->include) && i < INCLUDE_MAX
                && rv == APR_SUCCESS; i++) {
        rv = include_item(&included, db, mastra_json_at(filter->include, i),
                          pool);
    }
    if (rv == APR_SUCCESS) {
        *pmessages = mastra_message_sort(included.messages, pool);
        mastra_json_unref(included.messages);
    }
    return rv;
}

apr_status_t mastra_messages_list(mastra_json_t **pmessages,
                                  apr_int64_t *ptotal, mastra_db_t *db,
                                  const mastra_messages_filter_t *filter,
                                  apr_pool_t *pool)
{
    mastra_json_t *messages;
    apr_status_t rv = APR_SUCCESS;

    if (!filter->thread_id || filter->page < 0
        || mastra_json_size(filter->roles) > ROLES
        || (filter->per_page > 0
            && filter->page > APR_INT64_MAX / filter->per_page)) {
        return APR_EINVAL;
    }
    messages = mastra_json_array();
    *ptotal = 0;
    if (filter->per_page && mastra_json_size(filter->metadata)) {
        rv = list_matching(messages, ptotal, db, filter, pool);
    }
    else if (filter->per_page) {
        rv = list_page(messages, ptotal, db, filter, pool);
    }
    if (rv == APR_SUCCESS && mastra_json_size(filter->include)) {
        rv = include_all(&messages, db, filter, pool);
    }
    if (rv != APR_SUCCESS) {
        mastra_json_unref(messages);
        return rv;
    }
    *pmessages = messages;
    return APR_SUCCESS;
}

apr_status_t mastra_messages_rows(mastra_rows_t **prows, mastra_db_t *db,
                                  const char *thread_id, int n,
                                  apr_pool_t *pool)
{
    query_t query;

    query_make(&query, thread_id, 0, 0, NULL, NULL);
    return query_rows(prows, &query, 0, n, 0, db, pool);
}

apr_status_t mastra_messages_last(mastra_json_t **pmessages, mastra_db_t *db,
                                  const char *thread_id, int n,
                                  apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv = mastra_messages_rows(&rows, db, thread_id, n, pool);

    if (rv == APR_SUCCESS) {
        *pmessages = mastra_json_array();
        mastra_message_append(*pmessages, rows, 1);
    }
    return rv;
}
