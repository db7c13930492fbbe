/* The table mastra_messages: saving, and rows by their ids. */

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "threads.h"
#include "internal.h"

static const char message_save[] =
    "INSERT INTO mastra_messages (id, thread_id, content, role, type, "
    "\"createdAt*\", \"resourceId\") VALUES (?, ?, ?, ?, ?, ?*, ?) "
    "ON CONFLICT (id) DO UPDATE SET thread_id = excluded.thread_id, "
    "content = excluded.content, role = excluded.role, "
    "type = excluded.type, \"resourceId\" = excluded.\"resourceId\" "
    "WHERE mastra_messages.\"resourceId\" IS NULL OR "
    "excluded.\"resourceId\" IS NULL OR "
    "mastra_messages.\"resourceId\" = excluded.\"resourceId\"";

/* Ids come in handfuls, the last one filled up with NULL. */
#define HANDFUL 16
#define ANY_ID " WHERE id IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
static const char messages_get[] = MASTRA_MESSAGE_COLUMNS ANY_ID
    " ORDER BY \"createdAt\", rowid";
static const char messages_threads[] =
    "SELECT DISTINCT thread_id FROM mastra_messages" ANY_ID;
static const char messages_own[] =
    "UPDATE mastra_messages SET \"resourceId\" = ? WHERE thread_id = ?";
static const char messages_delete[] = "DELETE FROM mastra_messages" ANY_ID;

/* the last of the same millisecond */
static const char message_before[] =
    "SELECT \"createdAt\" FROM mastra_messages WHERE thread_id = ? AND "
    "\"createdAt\" >= ? AND \"createdAt\" < ? AND id <> ? "
    "ORDER BY \"createdAt\" DESC LIMIT 1";

#define MILLISECOND 1000
#define CONTENT_DEPTH 512

/* ---- rows to JSON ---- */

/* What stands for older, plain content. */
static mastra_json_t *text_content(const char *text)
{
    return mastra_json_pack("{s:i, s:[{s:s, s:s}], s:s}", "format", 2,
                            "parts", "type", "text", "text", text, "content",
                            text);
}

mastra_json_t *mastra_message_content(const char *text)
{
    mastra_json_t *json = NULL, *content;

    mastra_json_parse(&json, text, strlen(text), CONTENT_DEPTH, NULL);
    if (mastra_json_is_object(json)) {
        return json;
    }
    if (mastra_json_is_array(json)) {
        return mastra_json_pack("{s:i, s:o}", "format", 2, "parts", json);
    }
    content = text_content(mastra_json_is_string(json) ? mastra_json_str(json)
                                                       : text);
    mastra_json_unref(json);
    return content;
}

mastra_json_t *mastra_message_json(const mastra_rows_t *rows, int row)
{
    mastra_json_t *message = mastra_json_object();
    const char *content = mastra_rows_text(rows, row, MASTRA_MESSAGE_CONTENT);
    const char *type = mastra_rows_text(rows, row, MASTRA_MESSAGE_TYPE);

    mastra_json_set_str(message, "id", mastra_rows_text(rows, row, MASTRA_MESSAGE_ID));
    mastra_json_set(message, "content", mastra_message_content(content ? content : ""));
    mastra_json_set_str(message, "role",
                        mastra_rows_text(rows, row, MASTRA_MESSAGE_ROLE));
    mastra_json_set_str(message, "createdAt",
                        mastra_rows_iso(rows, row, MASTRA_MESSAGE_CREATED));
    mastra_json_set_str(message, "threadId",
                        mastra_rows_text(rows, row, MASTRA_MESSAGE_THREAD));
    mastra_json_set_str(message, "resourceId",
                        mastra_rows_text(rows, row, MASTRA_MESSAGE_RESOURCE));
    if (type && strcmp(type, "v2")) {
        mastra_json_set_str(message, "type", type);
    }
    return message;
}

void mastra_message_append(mastra_json_t *messages, const mastra_rows_t *rows,
                           int backwards)
{
    int i, n = mastra_rows_count(rows);

    for (i = 0; i < n; i++) {
        mastra_json_append(messages,
                           mastra_message_json(rows, backwards ? n - 1 - i : i));
    }
}

/* ---- saving ---- */

static apr_status_t touch_threads(mastra_db_t *db, apr_hash_t *threads,
                                  apr_pool_t *pool)
{
    apr_time_t now = apr_time_now();
    apr_status_t rv = APR_SUCCESS;
    apr_hash_index_t *i;

    for (i = apr_hash_first(pool, threads); i && rv == APR_SUCCESS;
         i = apr_hash_next(i)) {
        rv = mastra_threads_touch(db, apr_hash_this_key(i), now, pool);
    }
    return rv;
}

typedef struct {
    mastra_db_t *db;
    mastra_message_saved_cb *saved;
    void *baton;
    apr_pool_t *pool;
} saver_t;

static void tell(saver_t *saver, mastra_json_t *message,
                 const mastra_bind_t *binds)
{
    const char *columns[MASTRA_MESSAGE_WIDTH] = {
        [MASTRA_MESSAGE_ID] = binds[0].text,
        [MASTRA_MESSAGE_THREAD] = binds[1].text,
        [MASTRA_MESSAGE_CONTENT] = binds[2].text,
        [MASTRA_MESSAGE_ROLE] = binds[3].text,
        [MASTRA_MESSAGE_TYPE] = binds[4].text,
        [MASTRA_MESSAGE_RESOURCE] = binds[6].text
    };

    if (saver->saved) {
        columns[MASTRA_MESSAGE_CREATED] = mastra_text_iso_make(saver->pool,
                                                               binds[5].time);
        saver->saved(saver->baton, message, columns);
    }
}

static apr_status_t save_one(saver_t *saver, mastra_json_t *message,
                             apr_time_t created)
{
    apr_pool_t *pool = saver->pool;
    const mastra_json_t *content = mastra_json_get(message, "content");
    const char *type = mastra_json_get_str(message, "type");
    const mastra_bind_t binds[] = {
        MASTRA_TEXT(mastra_json_get_str(message, "id")),
        MASTRA_TEXT(mastra_json_get_str(message, "threadId")),
        MASTRA_TEXT(mastra_json_text(
            mastra_json_is_string(content)
                ? mastra_json_own(text_content(mastra_json_str(content)), pool)
                : content, pool)),
        MASTRA_TEXT(mastra_json_get_str(message, "role")),
        MASTRA_TEXT(type ? type : "v2"),
        MASTRA_TIME(created),
        MASTRA_TEXT(mastra_json_get_str(message, "resourceId"))
    };
    apr_status_t rv;
    int saved = 0;

    if (!binds[0].text || !binds[1].text || !binds[2].text || !binds[3].text) {
        return APR_EINVAL;
    }
    rv = mastra_db_execute(&saved, saver->db, message_save, binds, 7, pool);
    if (rv || !saved) {
        return rv ? rv : MASTRA_STORE_EXISTS;
    }
    tell(saver, message, binds);
    return APR_SUCCESS;
}

/* How many microseconds a message gets so that it stands behind those of its
 * millisecond: for other readers of the table time alone tells the order.
 * Where times have no microseconds, rows keep the order of insertion. */
static apr_status_t count_ties(int *pties, mastra_db_t *db,
                               const mastra_json_t *message,
                               apr_time_t created, apr_pool_t *pool)
{
    const mastra_bind_t binds[] = {
        MASTRA_TEXT(mastra_json_get_str(message, "threadId")),
        MASTRA_TIME(created), MASTRA_TIME(created + MILLISECOND),
        MASTRA_TEXT(mastra_json_get_str(message, "id"))
    };
    mastra_rows_t *rows;
    apr_status_t rv;

    *pties = 0;
    if (!db->dialect->time_pairs || !binds[0].text || !binds[3].text) {
        return APR_SUCCESS;
    }
    rv = mastra_db_query(&rows, db, message_before, binds, 4, pool);
    if (rv == APR_SUCCESS && mastra_rows_count(rows)) {
        *pties = (int)(mastra_rows_time(rows, 0, 0) % MILLISECOND) + 1;
    }
    return rv;
}

apr_status_t mastra_messages_save_told(mastra_db_t *db,
                                       const mastra_json_t *messages,
                                       mastra_message_saved_cb *saved,
                                       void *baton, apr_pool_t *pool)
{
    saver_t saver = { db, saved, baton, pool };
    apr_hash_t *threads = apr_hash_make(pool);
    apr_time_t created;
    apr_size_t i;
    apr_status_t rv;
    int ties;

    for (i = 0; i < mastra_json_size(messages); i++) {
        mastra_json_t *message = mastra_json_at(messages, i);

        rv = mastra_record_time(&created, message, "createdAt");
        if (rv != APR_SUCCESS) {
            return rv;
        }
        created -= created % MILLISECOND;
        rv = count_ties(&ties, db, message, created, pool);
        if (rv == APR_SUCCESS) {
            rv = save_one(&saver, message,
                          created + (ties < MILLISECOND ? ties
                                                        : MILLISECOND - 1));
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        apr_hash_set(threads, mastra_json_get_str(message, "threadId"),
                     APR_HASH_KEY_STRING, "");
    }
    return touch_threads(db, threads, pool);
}

apr_status_t mastra_messages_save(mastra_db_t *db,
                                  const mastra_json_t *messages,
                                  apr_pool_t *pool)
{
    return mastra_messages_save_told(db, messages, NULL, NULL, pool);
}

/* ---- by id ---- */

/* Fills binds from ids at start; returns how many ids are done with. */
static apr_size_t id_binds(mastra_bind_t *binds, const mastra_json_t *ids,
                           apr_size_t start)
{
    apr_size_t i;

    for (i = 0; i < HANDFUL; i++) {
        binds[i] = MASTRA_TEXT(mastra_json_str(mastra_json_at(ids,
                                                              start + i)));
    }
    return start + HANDFUL;
}

static mastra_json_t *each_once(const mastra_json_t *ids, apr_pool_t *pool)
{
    mastra_json_t *made = mastra_json_own(mastra_json_array(), pool);
    apr_hash_t *seen = apr_hash_make(pool);
    apr_size_t i;

    for (i = 0; i < mastra_json_size(ids); i++) {
        mastra_json_t *id = mastra_json_at(ids, i);

        if (mastra_json_is_string(id)
            && !apr_hash_get(seen, mastra_json_str(id), APR_HASH_KEY_STRING)) {
            apr_hash_set(seen, mastra_json_str(id), APR_HASH_KEY_STRING, "");
            mastra_json_append(made, mastra_json_ref(id));
        }
    }
    return made;
}

apr_status_t mastra_messages_get(mastra_json_t **pmessages, mastra_db_t *db,
                                 const mastra_json_t *ids, apr_pool_t *pool)
{
    mastra_bind_t binds[HANDFUL];
    mastra_json_t *messages = mastra_json_array();
    mastra_rows_t *rows;
    apr_status_t rv;
    apr_size_t i;

    ids = each_once(ids, pool);
    for (i = 0; i < mastra_json_size(ids);) {
        i = id_binds(binds, ids, i);
        rv = mastra_db_query(&rows, db, messages_get, binds, HANDFUL, pool);
        if (rv != APR_SUCCESS) {
            mastra_json_unref(messages);
            return rv;
        }
        mastra_message_append(messages, rows, 0);
    }
    *pmessages = mastra_message_sort(messages, pool);
    mastra_json_unref(messages);
    return APR_SUCCESS;
}

apr_status_t mastra_messages_delete(int *pdeleted, mastra_db_t *db,
                                    const mastra_json_t *ids,
                                    apr_pool_t *pool)
{
    apr_hash_t *threads = apr_hash_make(pool);
    mastra_bind_t binds[HANDFUL];
    mastra_rows_t *rows;
    apr_status_t rv;
    apr_size_t i;
    int n, changed, deleted = 0;

    for (i = 0; i < mastra_json_size(ids);) {
        i = id_binds(binds, ids, i);
        rv = mastra_db_query(&rows, db, messages_threads, binds, HANDFUL,
                             pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        for (n = 0; n < mastra_rows_count(rows); n++) {
            apr_hash_set(threads, mastra_rows_text(rows, n, 0),
                         APR_HASH_KEY_STRING, "");
        }
        rv = mastra_db_execute(&changed, db, messages_delete, binds, HANDFUL,
                               pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        deleted += changed;
    }
    *pdeleted = deleted;
    return touch_threads(db, threads, pool);
}

apr_status_t mastra_messages_own(mastra_db_t *db, const char *thread_id,
                                 const char *resource_id, apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, messages_own, (const mastra_bind_t[]) {
        MASTRA_TEXT(resource_id), MASTRA_TEXT(thread_id)
    }, 2, pool);
}
