/* The table mastra_resources: working memory and metadata of a resource. */

#include "threads.h"
#include "internal.h"

static const char resource_get[] =
    "SELECT id, \"workingMemory\", json(metadata), \"createdAt\", "
    "\"updatedAt\" FROM mastra_resources WHERE id = ?";
static const char resource_save[] =
    "INSERT INTO mastra_resources (id, \"workingMemory\", metadata, "
    "\"createdAt*\", \"updatedAt*\") VALUES (?1, ?2, ?3, ?4*, ?5*) "
    "ON CONFLICT (id) DO UPDATE SET \"workingMemory\" = "
    "excluded.\"workingMemory\", metadata = excluded.metadata, "
    "(\"updatedAt*\") = (?5*)";

apr_status_t mastra_resources_get(mastra_json_t **presource, mastra_db_t *db,
                                  const char *id, apr_pool_t *pool)
{
    mastra_rows_t *rows;
    mastra_json_t *resource;
    apr_status_t rv;

    rv = mastra_db_query(&rows, db, resource_get, &MASTRA_TEXT(id), 1, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!mastra_rows_count(rows)) {
        return MASTRA_STORE_NOT_FOUND;
    }
    resource = mastra_json_object();
    mastra_json_set_str(resource, "id", mastra_rows_text(rows, 0, 0));
    mastra_json_set(resource, "workingMemory",
                    mastra_json_string(mastra_rows_text(rows, 0, 1)));
    mastra_json_set(resource, "metadata", mastra_record_json(rows, 0, 2));
    mastra_json_set_str(resource, "createdAt", mastra_rows_iso(rows, 0, 3));
    mastra_json_set_str(resource, "updatedAt", mastra_rows_iso(rows, 0, 4));
    *presource = resource;
    return APR_SUCCESS;
}

apr_status_t mastra_resources_save(mastra_db_t *db,
                                   const mastra_json_t *resource,
                                   apr_pool_t *pool)
{
    const mastra_json_t *metadata = mastra_json_get(resource, "metadata");
    apr_time_t created = 0, updated = 0;
    apr_status_t rv;

    rv = mastra_record_time(&created, resource, "createdAt");
    if (rv == APR_SUCCESS) {
        rv = mastra_record_time(&updated, resource, "updatedAt");
    }
    if (rv != APR_SUCCESS || !mastra_json_get_str(resource, "id")) {
        return APR_EINVAL;
    }
    return mastra_db_execute(NULL, db, resource_save, (const mastra_bind_t[]) {
        MASTRA_TEXT(mastra_json_get_str(resource, "id")),
        MASTRA_TEXT(mastra_json_get_str(resource, "workingMemory")),
        MASTRA_JSON(mastra_json_is_null(metadata) ? NULL : metadata),
        MASTRA_TIME(created), MASTRA_TIME(updated)
    }, 5, pool);
}
