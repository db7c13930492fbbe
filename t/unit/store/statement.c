/* The store's spelling of statements, and what drivers are given. */

#include "store/internal.h"
#include "dbtest.h"

static int slots[MASTRA_STATEMENT_SLOTS], nslots;

static const char *translated(const mastra_dialect_t *dialect,
                              const char *sql, const mastra_bind_t *binds,
                              int nbinds)
{
    const char *text;

    if (mastra_statement_translate(&text, slots, &nslots, dialect, sql, binds,
                                   nbinds, test_pool) != APR_SUCCESS) {
        return "refused";
    }
    return text;
}

static const mastra_bind_t binds[] = {
    MASTRA_TEXT("a"), MASTRA_INT(1), MASTRA_REAL(0.5), MASTRA_TIME(0),
    MASTRA_BYTES("x", 1), MASTRA_NULL
};

static const struct {
    const char *sql, *sqlite3, *pgsql;
} cases[] = {
    { "SELECT 1", "SELECT 1", "SELECT 1" },
    { "a = ? AND b = ? AND c = ?", "a = %s AND b = %lld AND c = %lf",
      "a = %s AND b = %lld AND c = %s" },
    { "a = ?2 AND b = ?1", "a = %lld AND b = %s", "a = %lld AND b = %s" },
    { "a = ?5 OR b = ?6", "a = %pDb OR b = %s", "a = %pDb OR b = %s" },
    { "a LIKE 'x%' OR b = '?' OR \"?\" = 5 % 2",
      "a LIKE 'x%%' OR b = '?' OR \"?\" = 5 %% 2",
      "a LIKE 'x%%' OR b = '?' OR \"?\" = 5 %% 2" },
    { "(\"updatedAt*\") = (?4*)", "(\"updatedAt\") = (%s)",
      "(\"updatedAt\", \"updatedAtZ\") = (%s, %s)" },
    { "SELECT json(metadata), xjson(y)",
      "SELECT CASE typeof(metadata) WHEN 'blob' THEN 'x' || hex(metadata) "
      "ELSE metadata END, xjson(y)", "SELECT metadata, xjson(y)" },
    { "ORDER BY \"createdAt\", rowid, rowids",
      "ORDER BY \"createdAt\", rowid, rowids",
      "ORDER BY \"createdAt\", id, rowids" },
    { "it''s 'it''s ?' ?", "it''s 'it''s ?' %s", "it''s 'it''s ?' %s" },
    { "a = ?7", "refused", "refused" },
    { "a = ?0", "refused", "refused" },
    { "a = 'open", "refused", "refused" },
    { "json(open", "refused", "refused" },
};

int main(void)
{
    apr_size_t i;
    char many[3 * MASTRA_STATEMENT_SLOTS + 8] = "";

    test_start();
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_str(translated(&mastra_dialect_sqlite3, cases[i].sql, binds, 6),
               cases[i].sqlite3,
               apr_pstrcat(test_pool, "sqlite3: ", cases[i].sql, NULL));
        is_str(translated(&mastra_dialect_pgsql, cases[i].sql, binds, 6),
               cases[i].pgsql,
               apr_pstrcat(test_pool, "pgsql: ", cases[i].sql, NULL));
    }
    translated(&mastra_dialect_pgsql, "(?4*, ?1)", binds, 6);
    ok(nslots == 3 && slots[0] == 3 && slots[1] == 3 && slots[2] == 0,
       "a time that is written twice is bound twice");
    for (i = 0; i <= MASTRA_STATEMENT_SLOTS; i++) {
        strcat(many, "?1 ");
    }
    is_str(translated(&mastra_dialect_sqlite3, many, binds, 6), "refused",
           "too many placeholders");
    is_str(translated(&mastra_dialect_sqlite3, "SELECT 1 \\ ?", binds, 6),
           "SELECT 1 \\ %s", "other characters pass");
    return test_end();
}
