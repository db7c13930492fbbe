/* Definitions of workflows that were made at run time:
 * mastra_workflow_definitions. */

#include <apr_strings.h>

#include "flows.h"
#include "internal.h"

#define SELECT \
    "SELECT id, json(\"inputSchema\"), json(\"outputSchema\"), json(graph), " \
    "status, source, \"createdAt\", \"updatedAt\", description, " \
    "json(metadata), json(\"stateSchema\"), json(\"requestContextSchema\"), " \
    "\"authorId\" FROM mastra_workflow_definitions "
#define MAX_LISTED 10000

static const char definition_get[] = SELECT "WHERE id = ?";
static const char definition_list[] =
    SELECT "WHERE status = COALESCE(?, status) "
    "AND COALESCE(\"authorId\", '') = COALESCE(?, COALESCE(\"authorId\", '')) "
    "ORDER BY \"createdAt\" DESC, id LIMIT ?";
static const char definition_put[] =
    "INSERT INTO mastra_workflow_definitions (id, description, metadata, "
    "\"inputSchema\", \"outputSchema\", \"stateSchema\", "
    "\"requestContextSchema\", graph, status, source, \"authorId\", "
    "\"createdAt*\", \"updatedAt*\") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
    "'active', 'storage', ?9, ?10*, ?10*) ON CONFLICT (id) DO UPDATE SET "
    "description = excluded.description, metadata = excluded.metadata, "
    "\"inputSchema\" = excluded.\"inputSchema\", "
    "\"outputSchema\" = excluded.\"outputSchema\", "
    "\"stateSchema\" = excluded.\"stateSchema\", "
    "\"requestContextSchema\" = excluded.\"requestContextSchema\", "
    "graph = excluded.graph, status = excluded.status, "
    "(\"updatedAt*\") = (?10*)";
static const char definition_delete[] =
    "DELETE FROM mastra_workflow_definitions WHERE id = ?";

static mastra_json_t *definition_json(const mastra_rows_t *rows, int row)
{
    mastra_json_t *made = mastra_json_object();

    mastra_json_set_str(made, "id", mastra_rows_text(rows, row, 0));
    mastra_json_set(made, "inputSchema", mastra_rows_json(rows, row, 1));
    mastra_json_set(made, "outputSchema", mastra_rows_json(rows, row, 2));
    mastra_json_set(made, "graph", mastra_rows_json(rows, row, 3));
    mastra_json_set_str(made, "status", mastra_rows_text(rows, row, 4));
    mastra_json_set_str(made, "source", mastra_rows_text(rows, row, 5));
    mastra_json_set_str(made, "createdAt", mastra_rows_iso(rows, row, 6));
    mastra_json_set_str(made, "updatedAt", mastra_rows_iso(rows, row, 7));
    mastra_json_set_str(made, "description", mastra_rows_text(rows, row, 8));
    mastra_json_set(made, "metadata", mastra_rows_json(rows, row, 9));
    mastra_json_set(made, "stateSchema", mastra_rows_json(rows, row, 10));
    mastra_json_set(made, "requestContextSchema",
                    mastra_rows_json(rows, row, 11));
    mastra_json_set_str(made, "authorId", mastra_rows_text(rows, row, 12));
    return made;
}

apr_status_t mastra_definitions_get(mastra_json_t **pdefinition,
                                    mastra_db_t *db, const char *id,
                                    apr_pool_t *pool)
{
    mastra_rows_t *rows;
    apr_status_t rv = mastra_db_query(&rows, db, definition_get,
                                      &MASTRA_TEXT(id), 1, pool);

    if (rv == APR_SUCCESS && !mastra_rows_count(rows)) {
        return MASTRA_STORE_NOT_FOUND;
    }
    if (rv == APR_SUCCESS) {
        *pdefinition = definition_json(rows, 0);
    }
    return rv;
}

apr_status_t mastra_definitions_list(mastra_json_t **plist, mastra_db_t *db,
                                     const char *status, const char *author,
                                     apr_pool_t *pool)
{
    mastra_rows_t *rows;
    mastra_json_t *made;
    apr_status_t rv = mastra_db_query(&rows, db, definition_list,
                                      (const mastra_bind_t[]) {
        MASTRA_TEXT(status), MASTRA_TEXT(author), MASTRA_INT(MAX_LISTED)
    }, 3, pool);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    made = mastra_json_array();
    for (i = 0; i < mastra_rows_count(rows); i++) {
        mastra_json_append(made, definition_json(rows, i));
    }
    *plist = made;
    return APR_SUCCESS;
}

apr_status_t mastra_definitions_put(mastra_db_t *db,
                                    const mastra_json_t *definition,
                                    const char *author, apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, definition_put,
                             (const mastra_bind_t[]) {
        MASTRA_TEXT(mastra_json_get_str(definition, "id")),
        MASTRA_TEXT(mastra_json_get_str(definition, "description")),
        MASTRA_JSON(mastra_json_get(definition, "metadata")),
        MASTRA_JSON(mastra_json_get(definition, "inputSchema")),
        MASTRA_JSON(mastra_json_get(definition, "outputSchema")),
        MASTRA_JSON(mastra_json_get(definition, "stateSchema")),
        MASTRA_JSON(mastra_json_get(definition, "requestContextSchema")),
        MASTRA_JSON(mastra_json_get(definition, "graph")),
        MASTRA_TEXT(author), MASTRA_TIME(apr_time_now() / 1000 * 1000)
    }, 10, pool);
}

apr_status_t mastra_definitions_delete(mastra_db_t *db, const char *id,
                                       apr_pool_t *pool)
{
    return mastra_db_execute(NULL, db, definition_delete, &MASTRA_TEXT(id), 1,
                             pool);
}
