/* Large values whose text is known: it is what would be printed, also of their
 * parts, and is forgotten when they change or nobody uses it. */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "tap.h"
#include "base/json.h"

#define ITEMS 8000

static int dropped, refuses;

static mastra_json_t *make_list(int n)
{
    mastra_json_t *list = mastra_json_array();
    int i;

    for (i = 0; i < n; i++) {
        mastra_json_append(list, mastra_json_pack(
            "{s:s, s:i, s:f, s:[s,s]}", "name", "a \"word\" of a list", "id",
            i, "price", 12.5, "tags", "one", "two"));
    }
    return list;
}

/* The text of a copy, which is not known. */
static int is_printed_right(const mastra_json_t *json, apr_pool_t *pool)
{
    mastra_json_t *copy = mastra_json_own(mastra_json_copy(json), pool);

    return !strcmp(mastra_json_text(json, pool), mastra_json_text(copy, pool));
}

static int drop(void *baton, mastra_json_t *json)
{
    (void)baton;
    if (refuses) {
        return 0;
    }
    dropped++;
    mastra_json_unref(json);
    return 1;
}

static void test_copies(apr_pool_t *pool)
{
    mastra_json_t *list = make_list(ITEMS), *other = make_list(ITEMS);
    mastra_json_t *value = mastra_json_pack("{s:O, s:s}", "list", list,
                                            "more", "short");
    mastra_json_t *around = mastra_json_pack("{s:[O,O], s:O, s:O}", "both",
                                             value, list, "again", value,
                                             "other", other);
    mastra_json_t *small = mastra_json_pack("{s:i}", "a", 1);
    mastra_known_t *known = mastra_json_know(value);

    ok(known != NULL, "a large value is known");
    ok(mastra_json_is_known(value) && mastra_json_is_known(list),
       "... and its long parts");
    ok(!mastra_json_is_known(mastra_json_at(list, 1))
       && !mastra_json_is_known(other), "... not the short ones, nor others");
    ok(is_printed_right(value, pool), "its text is what is printed");
    ok(is_printed_right(list, pool), "... and that of a part");
    ok(is_printed_right(around, pool), "... and within others");
    ok(mastra_json_know(small) == NULL, "a short one is not");
    mastra_json_forget(known);
    ok(!mastra_json_is_known(value) && !mastra_json_is_known(list),
       "it is forgotten");
    ok(is_printed_right(around, pool), "... and printed as before");
    mastra_json_unref(list);
    mastra_json_unref(other);
    mastra_json_unref(value);
    mastra_json_unref(around);
    mastra_json_unref(small);
}

static void test_users(apr_pool_t *pool)
{
    mastra_json_t *list = make_list(ITEMS);
    mastra_known_t *known = mastra_json_know(list);
    mastra_known_t *again = mastra_json_know(list);
    apr_pool_t *sub;

    apr_pool_create(&sub, pool);
    mastra_json_know_for(list, sub);
    mastra_json_forget(known);
    mastra_json_forget(again);
    ok(mastra_json_is_known(list), "it is known as long as a pool wants it");
    dropped = 0;
    apr_pool_destroy(sub);
    ok(!mastra_json_is_known(list), "... and no longer");
    ok(dropped == 1, "it is dropped where there is time");
    mastra_json_unref(list);
}

static void test_changes(apr_pool_t *pool)
{
    mastra_json_t *list = make_list(ITEMS);
    mastra_json_t *value = mastra_json_pack("{s:o}", "list", list);
    mastra_known_t *known = mastra_json_know(value);

    mastra_json_remove(list, 0);
    ok(!mastra_json_is_known(value), "what is changed is not known any more");
    ok(mastra_json_size(list) == ITEMS - 1 && is_printed_right(value, pool),
       "... and is printed as it is");
    mastra_json_forget(known);
    mastra_json_unref(value);
}

static void test_texts(apr_pool_t *pool)
{
    char *text = malloc(300001);
    mastra_json_t *value;
    mastra_known_t *known;

    memset(text, '"', 300000);
    text[300000] = '\0';
    value = mastra_json_pack("{s:s}", "t", text);
    known = mastra_json_know(value);
    ok(known && mastra_json_is_known(mastra_json_get(value, "t")),
       "a long string is known");
    ok(is_printed_right(value, pool), "... as it is printed");
    mastra_json_forget(known);
    mastra_json_unref(value);
    free(text);
}

static void test_drop(void)
{
    refuses = 1;
    dropped = 0;
    mastra_json_drop(make_list(1));
    ok(!dropped, "what is not taken is freed at once");
    refuses = 0;
    mastra_json_drop(make_list(1));
    ok(dropped == 1, "... else elsewhere");
    mastra_json_drop_set(NULL, NULL);
    mastra_json_drop(make_list(1));
    mastra_json_drop(NULL);
    ok(dropped == 1, "... as long as there is somebody");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    mastra_json_drop_set(drop, NULL);
    test_copies(pool);
    test_users(pool);
    test_changes(pool);
    test_texts(pool);
    test_drop();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
