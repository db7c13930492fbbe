/* The table mastra_threads. */

#include <string.h>

#include <apr_strings.h>

#include "threads.h"
#include "internal.h"

#define COLUMNS "SELECT id, \"resourceId\", title, json(metadata), " \
                "\"createdAt\", \"updatedAt\" FROM mastra_threads"

static const char thread_get[] = COLUMNS " WHERE id = ?";
static const char thread_insert[] =
    "INSERT INTO mastra_threads (id, \"resourceId\", title, metadata, "
    "\"createdAt*\", \"updatedAt*\") VALUES (?, ?, ?, ?, ?*, ?*) "
    "ON CONFLICT (id) DO NOTHING";
static const char thread_update[] =
    "UPDATE mastra_threads SET \"resourceId\" = ?2, title = ?3, "
    "metadata = ?4, (\"updatedAt*\") = (?6*) WHERE id = ?1";
static const char thread_touch[] =
    "UPDATE mastra_threads SET (\"updatedAt*\") = (?*) WHERE id = ?";
static const char thread_title[] =
    "UPDATE mastra_threads SET title = ?2, (\"updatedAt*\") = (?3*) "
    "WHERE id = ?1 AND title = ''";
static const char thread_delete[] = "DELETE FROM mastra_threads WHERE id = ?";
static const char messages_delete[] =
    "DELETE FROM mastra_messages WHERE thread_id = ?";

/* Lists, by [one resource][order][ascending]. */
#define LIST(where, column, direction) \
    COLUMNS where " ORDER BY \"" column "\" " direction ", rowid " direction \
    " LIMIT ? OFFSET ?"
#define LISTS(where) { \
    { LIST(where, "createdAt", "DESC"), LIST(where, "createdAt", "ASC") }, \
    { LIST(where, "updatedAt", "DESC"), LIST(where, "updatedAt", "ASC") } }
#define ONE_RESOURCE " WHERE \"resourceId\" = ?"

static const char *const threads_list[2][2][2] = {
    LISTS(""), LISTS(ONE_RESOURCE)
};
static const char *const threads_count[2] = {
    "SELECT count(*) FROM mastra_threads",
    "SELECT count(*) FROM mastra_threads" ONE_RESOURCE
};

/* Rows looked at in one go, and at all, when metadata is asked for. */
#define SCAN_STEP 500
#define SCAN_MAX 100000

enum { COLUMN_ID, COLUMN_RESOURCE, COLUMN_TITLE, COLUMN_METADATA,
       COLUMN_CREATED, COLUMN_UPDATED };

/* listed: the order of members is another one in lists. */
static mastra_json_t *thread_json(const mastra_rows_t *rows, int row,
                                  int listed)
{
    mastra_json_t *thread = mastra_json_object();
    mastra_json_t *metadata = mastra_record_json(rows, row, COLUMN_METADATA);

    mastra_json_set_str(thread, "id", mastra_rows_text(rows, row, COLUMN_ID));
    mastra_json_set_str(thread, "resourceId",
                        mastra_rows_text(rows, row, COLUMN_RESOURCE));
    mastra_json_set_str(thread, "title",
                        mastra_rows_text(rows, row, COLUMN_TITLE));
    if (!listed) {
        mastra_json_set(thread, "metadata", metadata);
    }
    mastra_json_set_str(thread, "createdAt",
                        mastra_rows_iso(rows, row, COLUMN_CREATED));
    mastra_json_set_str(thread, "updatedAt",
                        mastra_rows_iso(rows, row, COLUMN_UPDATED));
    if (listed) {
        mastra_json_set(thread, "metadata", metadata);
    }
    return thread;
}

apr_status_t mastra_threads_get(mastra_json_t **pthread, mastra_db_t *db,
                                const char *id, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db, thread_get, &MASTRA_TEXT(id), 1, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!mastra_rows_count(rows)) {
        return MASTRA_STORE_NOT_FOUND;
    }
    *pthread = thread_json(rows, 0, 0);
    return APR_SUCCESS;
}

/* The binds of thread_insert and thread_update. */
static apr_status_t thread_binds(mastra_bind_t *binds,
                                 const mastra_json_t *thread)
{
    const char *title = mastra_json_get_str(thread, "title");
    const mastra_json_t *metadata = mastra_json_get(thread, "metadata");
    apr_time_t created = 0, updated = 0;
    apr_status_t rv;

    binds[0] = MASTRA_TEXT(mastra_json_get_str(thread, "id"));
    binds[1] = MASTRA_TEXT(mastra_json_get_str(thread, "resourceId"));
    if (!binds[0].text || !binds[1].text) {
        return APR_EINVAL;
    }
    rv = mastra_record_time(&created, thread, "createdAt");
    if (rv == APR_SUCCESS) {
        rv = mastra_record_time(&updated, thread, "updatedAt");
    }
    binds[2] = MASTRA_TEXT(title ? title : "");
    binds[3] = MASTRA_JSON(mastra_json_is_null(metadata) ? NULL : metadata);
    binds[4] = MASTRA_TIME(created);
    binds[5] = MASTRA_TIME(updated);
    return rv;
}

mastra_json_t *mastra_threads_metadata(mastra_json_t *thread)
{
    mastra_json_t *metadata = mastra_json_get(thread, "metadata");

    if (!mastra_json_is_object(metadata)) {
        metadata = mastra_json_object();
        mastra_json_set(thread, "metadata", metadata);
    }
    return metadata;
}

apr_status_t mastra_threads_save(mastra_db_t *db, const mastra_json_t *thread,
                                 apr_pool_t *pool)
{
    mastra_bind_t binds[6];
    apr_status_t rv = thread_binds(binds, thread);
    int changed = 0;

    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(&changed, db, thread_update, binds, 6, pool);
    }
    if (rv == APR_SUCCESS && !changed) {
        rv = mastra_db_execute(&changed, db, thread_insert, binds, 6, pool);
        /* somebody was faster: theirs is there now */
        if (rv == APR_SUCCESS && !changed) {
            rv = mastra_db_execute(&changed, db, thread_update, binds, 6,
                                   pool);
        }
    }
    return rv;
}

apr_status_t mastra_threads_ensure(mastra_json_t **pthread, mastra_db_t *db,
                                   const mastra_json_t *thread,
                                   apr_pool_t *pool)
{
    const char *id = mastra_json_get_str(thread, "id");
    mastra_bind_t binds[6];
    apr_status_t rv;

    if (!id) {
        return APR_EINVAL;
    }
    rv = mastra_threads_get(pthread, db, id, pool);
    if (rv != MASTRA_STORE_NOT_FOUND) {
        return rv;
    }
    rv = thread_binds(binds, thread);
    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(NULL, db, thread_insert, binds, 6, pool);
    }
    return rv == APR_SUCCESS ? mastra_threads_get(pthread, db, id, pool) : rv;
}

apr_status_t mastra_threads_delete(mastra_db_t *db, const char *id,
                                   apr_pool_t *pool)
{
    apr_status_t rv;
    int changed = 0;

    rv = mastra_db_execute(&changed, db, thread_delete, &MASTRA_TEXT(id), 1,
                           pool);
    if (rv == APR_SUCCESS && !changed) {
        return MASTRA_STORE_NOT_FOUND;
    }
    if (rv == APR_SUCCESS) {
        rv = mastra_db_execute(NULL, db, messages_delete, &MASTRA_TEXT(id), 1,
                               pool);
    }
    return rv;
}

apr_status_t mastra_threads_touch(mastra_db_t *db, const char *id,
                                  apr_time_t updated_at, apr_pool_t *pool)
{
    const mastra_bind_t binds[] = { MASTRA_TIME(updated_at), MASTRA_TEXT(id) };

    return mastra_db_execute(NULL, db, thread_touch, binds, 2, pool);
}

apr_status_t mastra_threads_title(int *pset, mastra_db_t *db, const char *id,
                                  const char *title, apr_pool_t *pool)
{
    return mastra_db_execute(pset, db, thread_title, (const mastra_bind_t[]) {
        MASTRA_TEXT(id), MASTRA_TEXT(title), MASTRA_TIME(apr_time_now())
    }, 3, pool);
}

/* ---- lists ---- */

static apr_status_t list_rows(mastra_rows_t **prows, mastra_db_t *db,
                              const mastra_threads_filter_t *filter,
                              apr_int64_t limit, apr_int64_t offset,
                              apr_pool_t *pool)
{
    const mastra_bind_t binds[] = {
        MASTRA_TEXT(filter->resource_id), MASTRA_INT(limit),
        MASTRA_INT(offset)
    };
    int one = filter->resource_id != NULL;
    int updated = filter->order_by && !strcmp(filter->order_by, "updatedAt");

    return mastra_db_query(prows, db,
                           threads_list[one][updated][!!filter->ascending],
                           one ? binds : binds + 1, one ? 3 : 2, pool);
}

static void append_rows(mastra_json_t *threads, const mastra_rows_t *rows)
{
    int i;

    for (i = 0; i < mastra_rows_count(rows); i++) {
        mastra_json_append(threads, thread_json(rows, i, 1));
    }
}

static apr_status_t list_page(mastra_json_t *threads, apr_int64_t *ptotal,
                              mastra_db_t *db,
                              const mastra_threads_filter_t *filter,
                              apr_pool_t *pool)
{
    const mastra_bind_t resource = MASTRA_TEXT(filter->resource_id);
    int one = filter->resource_id != NULL;
    mastra_rows_t *rows;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db, threads_count[one], &resource, one, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *ptotal = mastra_rows_int(rows, 0, 0);
    if (filter->page * filter->per_page >= *ptotal) {
        return APR_SUCCESS;
    }
    rv = list_rows(&rows, db, filter, filter->per_page,
                   filter->page * filter->per_page, pool);
    if (rv == APR_SUCCESS) {
        append_rows(threads, rows);
    }
    return rv;
}

/* Metadata may be a blob that SQL cannot look into: it is compared here. */
static apr_status_t list_matching(mastra_json_t *threads, apr_int64_t *ptotal,
                                  mastra_db_t *db,
                                  const mastra_threads_filter_t *filter,
                                  apr_pool_t *pool)
{
    apr_int64_t first = filter->page * filter->per_page, seen = 0, offset;
    mastra_rows_t *rows;
    mastra_json_t *metadata;
    apr_pool_t *step;
    apr_status_t rv = APR_SUCCESS;
    int i, n = SCAN_STEP;

    apr_pool_create(&step, pool);
    for (offset = 0; n == SCAN_STEP && offset < SCAN_MAX; offset += n) {
        apr_pool_clear(step);
        rv = list_rows(&rows, db, filter, SCAN_STEP, offset, step);
        if (rv != APR_SUCCESS) {
            break;
        }
        n = mastra_rows_count(rows);
        for (i = 0; i < n; i++) {
            metadata = mastra_rows_json(rows, i, COLUMN_METADATA);
            if (mastra_record_has(metadata, filter->metadata)) {
                if (seen >= first && seen - first < filter->per_page) {
                    mastra_json_append(threads, thread_json(rows, i, 1));
                }
                seen++;
            }
            mastra_json_unref(metadata);
        }
    }
    apr_pool_destroy(step);
    *ptotal = seen;
    return rv;
}

apr_status_t mastra_threads_list(mastra_json_t **pthreads, apr_int64_t *ptotal,
                                 mastra_db_t *db,
                                 const mastra_threads_filter_t *filter,
                                 apr_pool_t *pool)
{
    mastra_json_t *threads;
    apr_status_t rv;

    if (filter->page < 0 || filter->per_page < 0
        || (filter->per_page
            && filter->page > APR_INT64_MAX / filter->per_page)) {
        return APR_EINVAL;
    }
    threads = mastra_json_array();
    rv = mastra_json_size(filter->metadata)
         ? list_matching(threads, ptotal, db, filter, pool)
         : list_page(threads, ptotal, db, filter, pool);
    if (rv != APR_SUCCESS) {
        mastra_json_unref(threads);
        return rv;
    }
    *pthreads = threads;
    return APR_SUCCESS;
}
