/* Pages of a thread with 100,000 messages: each costs about what the first
 * one does, wherever it stands. */

#include "store/threads.h"
#include "dbtest.h"

#define MESSAGES 100000
#define PER_PAGE 40
#define ROUNDS 7

static mastra_store_t *store;

typedef struct {
    mastra_messages_filter_t filter;
    mastra_json_t *out;
    apr_int64_t total;
} listing_t;

static apr_status_t list(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    listing_t *listing = baton;

    return mastra_messages_list(&listing->out, &listing->total, db,
                                &listing->filter, pool);
}

/* The quickest of some rounds, and the number that the first id ends with. */
static apr_interval_time_t time_of(int *pfirst, apr_int64_t page,
                                   int ascending)
{
    listing_t listing = { .filter = { .thread_id = "big", .page = page,
                                      .per_page = PER_PAGE,
                                      .ascending = ascending } };
    apr_interval_time_t best = apr_time_from_sec(3600), took;
    apr_time_t begun;
    int i;

    *pfirst = -1;
    for (i = 0; i < ROUNDS; i++) {
        begun = apr_time_now();
        if (mastra_store_call(store, MASTRA_STORE_READ, list, &listing)) {
            return -1;
        }
        took = apr_time_now() - begun;
        best = took < best ? took : best;
        if (mastra_json_size(listing.out) == PER_PAGE
            && listing.total == MESSAGES) {
            *pfirst = atoi(mastra_json_get_str(mastra_json_at(listing.out, 0),
                                               "id") + 1);
        }
        mastra_json_unref(listing.out);
    }
    return best;
}

static apr_interval_time_t most(apr_interval_time_t first)
{
    return 5 * first + apr_time_from_msec(5);
}

static int fill(const mastra_store_conf_t *conf)
{
    int is_pgsql = !strcmp(conf->driver, "pgsql");
    const char *sql = is_pgsql
        ? "INSERT INTO mastra_messages (id, thread_id, content, role, type, "
          "\"createdAt\", \"createdAtZ\", \"resourceId\") SELECT 'm' || x, "
          "'big', '{\"format\":2,\"parts\":[]}', 'user', 'v2', timestamp "
          "'2026-01-01' + x * interval '10 ms', timestamptz '2026-01-01 UTC' + "
          "x * interval '10 ms', 'r' FROM generate_series(0, 99999) AS x"
        : "WITH RECURSIVE n(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n "
          "WHERE x < 99999) INSERT INTO mastra_messages (id, thread_id, "
          "content, role, type, \"createdAt\", \"resourceId\") SELECT 'm' || "
          "x, 'big', '{\"format\":2,\"parts\":[]}', 'user', 'v2', "
          "printf('2026-01-01T00:%02d:%02d.%03dZ', x / 6000, x / 100 % 60, "
          "x % 100 * 10), 'r' FROM n";

    return test_sql(conf->driver, conf->params, sql)
           || (is_pgsql && test_sql(conf->driver, conf->params,
                                    "ANALYZE mastra_messages"));
}

static void pages(const mastra_store_conf_t *conf)
{
    static const struct {
        const char *name;
        int page, ascending, first;
    } asks[] = {
        { "the second page", 1, 0, MESSAGES - 2 * PER_PAGE },
        { "a page in the middle", MESSAGES / PER_PAGE / 2 - 1, 0,
          MESSAGES / 2 },
        { "the last page", MESSAGES / PER_PAGE - 1, 0, 0 },
        { "the first page from the beginning", 0, 1, 0 },
        { "... in the middle", MESSAGES / PER_PAGE / 2, 1, MESSAGES / 2 },
        { "... the last one", MESSAGES / PER_PAGE - 1, 1,
          MESSAGES - PER_PAGE }
    };
    apr_interval_time_t first, took;
    int i, n, id;

    OK(!fill(conf), "a thread with 100,000 messages");
    OK(mastra_store_open(&store, conf, test_pool) == APR_SUCCESS, "opened");
    first = time_of(&id, 0, 0);
    IS_INT(id, MESSAGES - PER_PAGE, "the first page");
    printf("# %s%d us\n", test_label, (int)first);
    for (i = 0; i < (int)(sizeof(asks) / sizeof(asks[0])); i++) {
        took = time_of(&id, asks[i].page, asks[i].ascending);
        /* what else the machine does is not to be compared */
        for (n = 0; n < 5 && took >= most(first); n++) {
            first = time_of(&id, 0, 0);
            took = time_of(&id, asks[i].page, asks[i].ascending);
        }
        printf("# %s%s: %d us\n", test_label, asks[i].name, (int)took);
        IS_INT(id, asks[i].first, asks[i].name);
        OK(took < most(first),
           "... costs about what the first one costs");
    }
    mastra_store_close(store);
}

int main(void)
{
    test_start();
    test_each("paging", pages);
    return test_end();
}
