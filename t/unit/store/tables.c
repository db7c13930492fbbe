/* Threads, messages and resources, on each database. */

#include <sys/wait.h>

#include "store/threads.h"
#include "dbtest.h"

static mastra_store_t *store;

/* One call of a table function in a job of its own. */
typedef struct {
    apr_status_t (*call)(void *step, mastra_db_t *db, apr_pool_t *pool);
    const char *id;
    mastra_json_t *in, *out;
    mastra_threads_filter_t threads;
    mastra_messages_filter_t messages;
    apr_int64_t total;
    int number;
} step_t;

static apr_status_t run_step(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    step_t *step = baton;

    return step->call(step, db, pool);
}

static apr_status_t do_step(mastra_store_mode_e mode, step_t *step)
{
    apr_status_t rv;

    step->out = NULL;
    rv = mastra_store_call(store, mode, run_step, step);
    mastra_json_unref(step->in);
    step->in = NULL;
    return rv;
}

#define STEP(name, call_of) \
    static apr_status_t name(void *data, mastra_db_t *db, apr_pool_t *pool) \
    { step_t *s = data; return call_of; }

STEP(thread_get, mastra_threads_get(&s->out, db, s->id, pool))
STEP(thread_save, mastra_threads_save(db, s->in, pool))
STEP(thread_ensure, mastra_threads_ensure(&s->out, db, s->in, pool))
STEP(thread_delete, mastra_threads_delete(db, s->id, pool))
STEP(thread_list, mastra_threads_list(&s->out, &s->total, db, &s->threads,
                                      pool))
STEP(message_save, mastra_messages_save(db, s->in, pool))
STEP(message_get, mastra_messages_get(&s->out, db, s->in, pool))
STEP(message_delete, mastra_messages_delete(&s->number, db, s->in, pool))
STEP(message_list, mastra_messages_list(&s->out, &s->total, db, &s->messages,
                                        pool))
STEP(message_last, mastra_messages_last(&s->out, db, s->id, s->number, pool))
STEP(resource_get, mastra_resources_get(&s->out, db, s->id, pool))
STEP(resource_save, mastra_resources_save(db, s->in, pool))

static apr_status_t put(void *call, const char *json)
{
    step_t step = { .call = call, .in = parse(json) };
    apr_status_t rv = do_step(MASTRA_STORE_WRITE, &step);

    mastra_json_unref(step.out);
    return rv;
}

static const char *get(void *call, const char *id)
{
    step_t step = { .call = call, .id = id };
    apr_status_t rv = do_step(MASTRA_STORE_READ, &step);

    return rv == MASTRA_STORE_NOT_FOUND ? "not found" : take_text(step.out);
}

static void threads(const mastra_store_conf_t *conf)
{
    step_t step = { .call = thread_ensure };

    OK(put(thread_save, "{\"id\":\"t1\",\"resourceId\":\"r1\",\"title\":"
           "\"One\",\"metadata\":{\"a\":1,\"b\":\"\\u00e9\"},\"createdAt\":"
           "\"2026-01-02T03:04:05.678Z\",\"updatedAt\":"
           "\"2026-01-02T03:04:05.678Z\"}") == APR_SUCCESS,
       "a thread is saved");
    IS(get(thread_get, "t1"), "{\"id\":\"t1\",\"resourceId\":\"r1\","
       "\"title\":\"One\",\"metadata\":{\"a\":1,\"b\":\"\u00e9\"},"
       "\"createdAt\":\"2026-01-02T03:04:05.678Z\","
       "\"updatedAt\":\"2026-01-02T03:04:05.678Z\"}", "and read back");
    IS(get(thread_get, "none"), "not found", "another one is not there");
    put(thread_save, "{\"id\":\"t1\",\"resourceId\":\"r1\",\"title\":\"\","
        "\"metadata\":null,\"createdAt\":\"2027-01-01T00:00:00.000Z\","
        "\"updatedAt\":\"2026-02-02T00:00:00.000Z\"}");
    IS(get(thread_get, "t1"), "{\"id\":\"t1\",\"resourceId\":\"r1\","
       "\"title\":\"\",\"metadata\":null,"
       "\"createdAt\":\"2026-01-02T03:04:05.678Z\","
       "\"updatedAt\":\"2026-02-02T00:00:00.000Z\"}",
       "saving again replaces all but createdAt; empty is not NULL");
    step.in = parse("{\"id\":\"t1\",\"resourceId\":\"other\",\"title\":\"x\"}");
    OK(do_step(MASTRA_STORE_WRITE, &step) == APR_SUCCESS, "ensure finds it");
    IS(mastra_json_get_str(step.out, "resourceId"), "r1",
       "and leaves it as it is");
    mastra_json_unref(step.out);
    step.in = parse("{\"id\":\"t2\",\"resourceId\":\"r2\",\"createdAt\":"
                    "\"2026-01-03T00:00:00.000Z\"}");
    OK(do_step(MASTRA_STORE_WRITE, &step) == APR_SUCCESS, "ensure makes one");
    IS(mastra_json_get_str(step.out, "title"), "", "with an empty title");
    mastra_json_unref(step.out);
    IS_INT(put(thread_save, "{\"id\":\"t9\"}"), APR_EINVAL,
           "a thread needs a resource");
    IS_INT(put(thread_save, "{\"id\":\"t9\",\"resourceId\":\"r\","
               "\"createdAt\":\"yesterday\"}"), APR_EINVAL,
           "and a date that is one");
}

static const char *listed(step_t *step)
{
    const char *text = "";
    apr_size_t i;

    step->call = thread_list;
    if (do_step(MASTRA_STORE_READ, step) != APR_SUCCESS) {
        return "failed";
    }
    for (i = 0; i < mastra_json_size(step->out); i++) {
        text = apr_pstrcat(test_pool, text, *text ? " " : "",
                           mastra_json_get_str(mastra_json_at(step->out, i),
                                               "id"), NULL);
    }
    mastra_json_unref(step->out);
    return apr_psprintf(test_pool, "%s of %d", text, (int)step->total);
}

static void thread_lists(const mastra_store_conf_t *conf)
{
    step_t step = { .threads = { .per_page = 100 } };
    mastra_json_t *metadata;
    int i;

    for (i = 0; i < 5; i++) {
        put(thread_save, apr_psprintf(test_pool, "{\"id\":\"l%d\","
            "\"resourceId\":\"%s\",\"title\":\"\",\"metadata\":{\"n\":%d,"
            "\"tag\":\"%s\"},\"createdAt\":\"2026-03-0%dT00:00:00.000Z\","
            "\"updatedAt\":\"2026-04-0%dT00:00:00.000Z\"}", i,
            i < 4 ? "list" : "other", i, i % 2 ? "odd" : "even", i + 1,
            9 - i));
    }
    step.threads.resource_id = "list";
    IS(listed(&step), "l3 l2 l1 l0 of 4", "newest first");
    step.threads.ascending = 1;
    IS(listed(&step), "l0 l1 l2 l3 of 4", "oldest first");
    step.threads.order_by = "updatedAt";
    IS(listed(&step), "l3 l2 l1 l0 of 4", "by updatedAt");
    step.threads = (mastra_threads_filter_t){ .resource_id = "list",
                                              .page = 1, .per_page = 3 };
    IS(listed(&step), "l0 of 4", "the second page");
    step.threads.page = 5;
    IS(listed(&step), " of 4", "a page beyond the last");
    step.threads = (mastra_threads_filter_t){
        .per_page = 1, .metadata = metadata = parse("{\"tag\":\"even\"}") };
    IS(listed(&step), "l4 of 3", "by metadata");
    step.threads.page = 1;
    IS(listed(&step), "l2 of 3", "by metadata, the second page");
    mastra_json_unref(metadata);
}

#define TEXT(text) "\"content\":{\"format\":2,\"parts\":[{\"type\":\"text\"," \
                   "\"text\":\"" text "\"}]}"

static void messages(const mastra_store_conf_t *conf)
{
    step_t step = { .call = message_get };
    const char *before;

    before = get(thread_get, "t1");
    OK(put(message_save, "[{\"id\":\"m1\",\"threadId\":\"t1\",\"resourceId\":"
           "\"r1\",\"role\":\"user\",\"createdAt\":"
           "\"2026-01-02T03:04:05.000Z\"," TEXT("hi \\ud83d\\ude00") "},"
           "{\"id\":\"m2\",\"threadId\":\"t1\",\"role\":\"assistant\","
           "\"createdAt\":\"2026-01-02T03:04:05.000Z\",\"type\":\"text\","
           "\"content\":\"plain 100%?\"}]") == APR_SUCCESS,
       "messages are saved");
    OK(strcmp(before, get(thread_get, "t1")), "which touches their thread");
    step.in = parse("[\"m2\",\"none\",\"m1\"]");
    OK(do_step(MASTRA_STORE_READ, &step) == APR_SUCCESS, "read by id");
    IS(take_text(step.out), "[{\"id\":\"m1\",\"content\":{\"format\":2,"
       "\"parts\":[{\"type\":\"text\",\"text\":\"hi \U0001F600\"}]},"
       "\"role\":\"user\",\"createdAt\":\"2026-01-02T03:04:05.000Z\","
       "\"threadId\":\"t1\",\"resourceId\":\"r1\"},"
       "{\"id\":\"m2\",\"content\":{\"format\":2,\"parts\":[{\"type\":"
       "\"text\",\"text\":\"plain 100%?\"}],\"content\":\"plain 100%?\"},"
       "\"role\":\"assistant\",\"createdAt\":\"2026-01-02T03:04:05.000Z\","
       "\"threadId\":\"t1\",\"type\":\"text\"}]",
       "in the API's form, plain text as a part");
    put(message_save, "[{\"id\":\"m1\",\"threadId\":\"t1\",\"role\":\"user\","
        "\"createdAt\":\"2027-01-02T03:04:05.000Z\"," TEXT("new") "}]");
    step.in = parse("[\"m1\"]");
    do_step(MASTRA_STORE_READ, &step);
    IS(mastra_json_get_str(mastra_json_at(step.out, 0), "createdAt"),
       "2026-01-02T03:04:05.000Z", "saving again keeps createdAt");
    IS(mastra_json_str(mastra_json_path(mastra_json_at(
           mastra_json_path(mastra_json_at(step.out, 0), "content", "parts",
                            NULL), 0), "text", NULL)), "new",
       "and replaces the content");
    mastra_json_unref(step.out);
    IS_INT(put(message_save, "[{\"id\":\"m3\",\"threadId\":\"t1\","
               "\"role\":\"user\"}]"), APR_EINVAL, "content is needed");
    step = (step_t){ .call = message_delete,
                     .in = parse("[\"m1\",\"m2\",\"none\"]") };
    OK(do_step(MASTRA_STORE_WRITE, &step) == APR_SUCCESS, "deleted by id");
    IS_INT(step.number, 2, "so many were there");
}

static void plain_content(const mastra_store_conf_t *conf)
{
    step_t step = { .call = message_last, .id = "old", .number = 9 };

    OK(!test_sql(conf->driver, conf->params, "INSERT INTO mastra_messages "
                 "(id, thread_id, content, role, type, \"createdAt\") VALUES "
                 "('o1', 'old', 'no {JSON', 'user', 'v1', "
                 "'2025-01-01T00:00:00.000Z'), ('o2', 'old', "
                 "'[{\"type\":\"text\",\"text\":\"x\"}]', 'user', 'v2', "
                 "'2025-01-01T00:00:00.001Z')"), "older rows");
    OK(do_step(MASTRA_STORE_READ, &step) == APR_SUCCESS, "are read");
    IS(take_text(mastra_json_ref(mastra_json_path(mastra_json_at(step.out, 0),
                                                  "content", NULL))),
       "{\"format\":2,\"parts\":[{\"type\":\"text\",\"text\":\"no {JSON\"}],"
       "\"content\":\"no {JSON\"}", "text that is no JSON is a text part");
    IS(take_text(mastra_json_ref(mastra_json_path(mastra_json_at(step.out, 1),
                                                  "content", NULL))),
       "{\"format\":2,\"parts\":[{\"type\":\"text\",\"text\":\"x\"}]}",
       "an array of parts is one");
    mastra_json_unref(step.out);
}

/* Ids of the messages, or why not. */
static const char *ids(step_t *step)
{
    const char *text = "";
    apr_size_t i;
    apr_status_t rv = do_step(MASTRA_STORE_READ, step);

    if (rv != APR_SUCCESS) {
        return apr_psprintf(test_pool, "failed with %d", rv);
    }
    for (i = 0; i < mastra_json_size(step->out); i++) {
        text = apr_pstrcat(test_pool, text, *text ? " " : "",
                           mastra_json_get_str(mastra_json_at(step->out, i),
                                               "id"), NULL);
    }
    mastra_json_unref(step->out);
    return text;
}

static const char *page(const mastra_messages_filter_t *filter)
{
    step_t step = { .call = message_list, .messages = *filter };
    const char *text = ids(&step);

    return apr_psprintf(test_pool, "%s of %d", text, (int)step.total);
}

#define FILTER(...) page(&(mastra_messages_filter_t){ .thread_id = "p", \
                                                      __VA_ARGS__ })

/* Thread p: p0 … p9, one second apart, p5 and p6 at the same time; even ones
 * are the user's. */
static void fill_pages(void)
{
    const char *all = "[";
    int i;

    for (i = 0; i < 10; i++) {
        all = apr_psprintf(test_pool, "%s%s{\"id\":\"%s%d\",\"threadId\":\"p\","
            "\"resourceId\":\"%s\",\"role\":\"%s\",\"createdAt\":"
            "\"2026-05-01T00:00:0%d.000Z\",\"content\":{\"format\":2,"
            "\"parts\":[],\"metadata\":{\"even\":%s}}}", all, i ? "," : "",
            i == 6 ? "a" : "p", i, i == 9 ? "rr" : "r",
            i % 2 ? "assistant" : "user", i == 6 ? 5 : i,
            i % 2 ? "false" : "true");
    }
    OK(put(message_save, apr_pstrcat(test_pool, all, "]", NULL))
       == APR_SUCCESS, "ten messages");
}

/* Saved one by one within a millisecond, under ids in the opposite order. */
static void same_time(const mastra_store_conf_t *conf)
{
    static const char *const names[] = { "z", "m", "a", "q" };
    step_t last = { .call = message_last, .id = "same", .number = 2 };
    int i;

    for (i = 0; i < 4; i++) {
        put(message_save, apr_psprintf(
            test_pool, "[{\"id\":\"s-%s\",\"threadId\":\"same\","
            "\"role\":\"user\",\"createdAt\":\"2026-05-01T00:00:00.123Z\","
            "\"content\":\"%d\"}]", names[i], i));
    }
    /* again: it stays where it is */
    put(message_save, "[{\"id\":\"s-z\",\"threadId\":\"same\",\"role\":\"user\""
        ",\"createdAt\":\"2026-05-01T00:00:00.123Z\",\"content\":\"9\"}]");
    IS(page(&(mastra_messages_filter_t){ .thread_id = "same", .per_page = 9,
                                         .ascending = 1 }),
       "s-z s-m s-a s-q of 4", "within a millisecond the order of saving");
    IS(ids(&last), "s-a s-q", "... from the end, too");
    /* as other programs read the table: by time alone, where that is enough */
    if (!strcmp(conf->driver, "pgsql")) {
        OK(test_sql(conf->driver, conf->params, "DO $$ BEGIN IF (SELECT "
                    "string_agg(id, ' ' ORDER BY \"createdAt\") FROM "
                    "mastra_messages WHERE thread_id = 'same') <> "
                    "'s-z s-m s-a s-q' THEN RAISE EXCEPTION 'order'; END IF; "
                    "END $$") == 0, "... for other readers");
    }
}

static void message_pages(const mastra_store_conf_t *conf)
{
    apr_time_t t3, t5;
    mastra_json_t *roles = parse("[\"user\"]");
    mastra_json_t *metadata = parse("{\"even\":true}");
    mastra_json_t *include = parse("[{\"id\":\"p1\",\"withPreviousMessages\":5,"
                                   "\"withNextMessages\":1}]");
    step_t last = { .call = message_last, .id = "p", .number = 3 };

    fill_pages();
    mastra_text_iso_parse(&t3, "2026-05-01T00:00:03.000Z");
    mastra_text_iso_parse(&t5, "2026-05-01T00:00:05.000Z");
    IS(ids(&last), "p7 p8 p9", "the last three, oldest first");
    IS(FILTER(.per_page = 4), "a6 p7 p8 p9 of 10", "page 0 is the newest");
    IS(FILTER(.per_page = 4, .page = 1), "p2 p3 p4 p5 of 10",
       "page 1 is older; equal times keep the order of insertion");
    IS(FILTER(.per_page = 4, .page = 2), "p0 p1 of 10", "the last page");
    IS(FILTER(.per_page = 4, .page = 3), " of 10", "beyond the last page");
    IS(FILTER(.per_page = 4, .ascending = 1), "p0 p1 p2 p3 of 10",
       "ascending: page 0 is the oldest");
    IS(FILTER(.per_page = 4, .page = 2, .ascending = 1), "p8 p9 of 10",
       "ascending: the last page");
    IS(FILTER(.per_page = -1), "p0 p1 p2 p3 p4 p5 a6 p7 p8 p9 of 10", "all");
    IS(FILTER(.per_page = 40, .resource_id = "rr"), "p9 of 1",
       "of one resource");
    IS(FILTER(.per_page = 2, .roles = roles), "a6 p8 of 5", "of one role");
    IS(FILTER(.per_page = 2, .page = 1, .metadata = metadata), "p2 p4 of 5",
       "by metadata");
    IS(FILTER(.per_page = 9, .from = t3, .to = t5), "p3 p4 p5 a6 of 4",
       "between two times");
    IS(FILTER(.per_page = 9, .from = t3, .to = t5, .from_exclusive = 1,
              .to_exclusive = 1), "p4 of 1", "without the ends");
    IS(FILTER(.per_page = 1, .include = include), "p0 p1 p2 p9 of 10",
       "with others included");
    IS(FILTER(.per_page = 0, .include = include), "p0 p1 p2 of 0",
       "only those included");
    IS(FILTER(.per_page = 1, .resource_id = "rr", .include = include),
       "p9 of 1", "a foreign resource is not included");
    mastra_json_unref(roles);
    mastra_json_unref(metadata);
    mastra_json_unref(include);
    last = (step_t){ .call = thread_delete, .id = "t2" };
    OK(do_step(MASTRA_STORE_WRITE, &last) == APR_SUCCESS, "thread deleted");
    IS_INT(do_step(MASTRA_STORE_WRITE, &last), MASTRA_STORE_NOT_FOUND,
           "but once");
}

static void resources(const mastra_store_conf_t *conf)
{
    OK(put(resource_save, "{\"id\":\"r1\",\"workingMemory\":\"# User\","
           "\"metadata\":{\"k\":[1,0.1]},\"createdAt\":"
           "\"2026-01-01T00:00:00.000Z\",\"updatedAt\":"
           "\"2026-01-01T00:00:00.000Z\"}") == APR_SUCCESS,
       "a resource is saved");
    OK(put(resource_save, "{\"id\":\"r1\",\"metadata\":{\"k\":[1,0.1]},"
           "\"updatedAt\":\"2026-01-02T00:00:00.000Z\"}") == APR_SUCCESS,
       "twice");
    IS(get(resource_get, "r1"), "{\"id\":\"r1\",\"workingMemory\":null,"
       "\"metadata\":{\"k\":[1,0.1]},\"createdAt\":"
       "\"2026-01-01T00:00:00.000Z\",\"updatedAt\":"
       "\"2026-01-02T00:00:00.000Z\"}", "and read back");
    IS(get(resource_get, "none"), "not found", "another one is not there");
}

static void tables(const mastra_store_conf_t *conf)
{
    if (mastra_store_open(&store, conf, test_pool) != APR_SUCCESS) {
        exit(1);
    }
    threads(conf);
    thread_lists(conf);
    messages(conf);
    plain_content(conf);
    message_pages(conf);
    same_time(conf);
    resources(conf);
    mastra_store_close(store);
}

/* Several servers start at once, on a database that is not there yet. */
static void migrate_together(const mastra_store_conf_t *conf)
{
    int i, status, bad = 0;

    for (i = 0; i < 10; i++) {
        if (fork() == 0) {
            mastra_result_t *result = NULL;
            apr_pool_t *pool;
            apr_status_t rv;

            apr_pool_create(&pool, NULL);
            rv = mastra_store_migrate(conf, &result, pool);
            if (rv != APR_SUCCESS) {
                printf("# %s\n", result->message);
            }
            fflush(stdout);
            _exit(rv != APR_SUCCESS);
        }
    }
    for (i = 0; i < 10; i++) {
        bad += wait(&status) < 0 || status;
    }
    IS_INT(bad, 0, "ten processes migrate at once");
}

int main(void)
{
    mastra_store_conf_t conf;

    test_start();
    conf = test_sqlite3("together");
    test_label = "sqlite3: ";
    migrate_together(&conf);
    if (test_pgsql_params()) {
        conf = test_pgsql("together");
        test_label = "pgsql: ";
        migrate_together(&conf);
    }
    test_each("tables", tables);
    return test_end();
}
