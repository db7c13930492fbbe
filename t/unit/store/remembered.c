/* Titles, notes, owners of messages and search, on each database. */

#include "memory/memory.h"
#include "dbtest.h"

static mastra_store_t *store;

/* One call in a job of its own. */
typedef struct {
    apr_status_t (*call)(void *step, mastra_db_t *db, apr_pool_t *pool);
    const char *id, *text;
    mastra_json_t *in, *out;
    mastra_messages_search_t search;
    const mastra_working_t *working;
    int number;
} step_t;

static apr_status_t run_step(mastra_db_t *db, void *baton, apr_pool_t *pool)
{
    step_t *step = baton;

    return step->call(step, db, pool);
}

static apr_status_t do_step(mastra_store_mode_e mode, step_t *step)
{
    apr_status_t rv = mastra_store_call(store, mode, run_step, step);

    mastra_json_unref(step->in);
    step->in = NULL;
    return rv;
}

#define STEP(name, call_of) \
    static apr_status_t name(void *data, mastra_db_t *db, apr_pool_t *pool) \
    { step_t *s = data; return call_of; }

STEP(thread_save, mastra_threads_save(db, s->in, pool))
STEP(thread_get, mastra_threads_get(&s->out, db, s->id, pool))
STEP(thread_title, mastra_threads_title(&s->number, db, s->id, s->text, pool))
STEP(message_save, mastra_messages_save(db, s->in, pool))
STEP(message_get, mastra_messages_get(&s->out, db, s->in, pool))
STEP(message_own, mastra_messages_own(db, s->id, s->text, pool))
STEP(message_search, mastra_messages_search(&s->out, db, &s->search, pool))
STEP(resource_touch, mastra_resources_touch(db, s->id, pool))
STEP(resource_get, mastra_resources_get(&s->out, db, s->id, pool))
STEP(notes_put, mastra_working_put(db, s->working, s->id, s->id, s->text, pool))
STEP(notes_lock, mastra_working_lock(db, s->working, s->id, s->id, pool))
STEP(notes_get, mastra_working_get(&s->text, db, s->working, s->id, s->id,
                                   test_pool))

static apr_status_t put(void *call, const char *json)
{
    step_t step = { .call = call, .in = parse(json) };

    return do_step(MASTRA_STORE_WRITE, &step);
}

static void add_thread(const char *id, const char *resource, const char *title,
                       const char *updated)
{
    put(thread_save, apr_psprintf(
        test_pool, "{\"id\":\"%s\",\"resourceId\":\"%s\",\"title\":\"%s\","
        "\"updatedAt\":\"%s\"}", id, resource, title, updated));
}

static apr_status_t add_message(const char *id, const char *thread,
                                const char *resource, const char *created,
                                const char *text)
{
    return put(message_save, apr_psprintf(
        test_pool, "[{\"id\":\"%s\",\"threadId\":\"%s\",\"resourceId\":\"%s\","
        "\"role\":\"user\",\"createdAt\":\"%s\",\"content\":\"%s\"}]", id,
        thread, resource, created, text));
}

static const char *title_of(const char *id)
{
    step_t step = { .call = thread_get, .id = id };
    const char *title;

    do_step(MASTRA_STORE_READ, &step);
    title = apr_pstrdup(test_pool, mastra_json_get_str(step.out, "title"));
    mastra_json_unref(step.out);
    return title;
}

static void titles(void)
{
    step_t step = { .call = thread_title, .id = "t1", .text = "New" };

    add_thread("t1", "r1", "", "2026-01-01T00:00:00.000Z");
    add_thread("t2", "r1", "Given", "2026-01-01T00:00:00.000Z");
    OK(do_step(MASTRA_STORE_WRITE, &step) == APR_SUCCESS && step.number,
       "a thread without a title gets one");
    IS(title_of("t1"), "New", "... for good");
    step.text = "Newer";
    do_step(MASTRA_STORE_WRITE, &step);
    OK(!step.number, "it does not get another");
    step.id = "t2";
    do_step(MASTRA_STORE_WRITE, &step);
    OK(!step.number, "nor does one that has been given one");
    step.id = "none";
    OK(do_step(MASTRA_STORE_WRITE, &step) == APR_SUCCESS && !step.number,
       "nor one that is not there");
}

static void owners(void)
{
    step_t step = { .call = message_own, .id = "t1", .text = "r9" };

    IS_INT(add_message("m1", "t1", "r1", "2026-01-01T00:00:01.000Z", "a"),
           APR_SUCCESS, "a message is saved");
    IS_INT(add_message("m1", "t1", "r1", "2026-01-01T00:00:01.000Z", "b"),
           APR_SUCCESS, "... and written anew by its owner");
    IS_INT(add_message("m1", "t7", "other", "2026-01-01T00:00:01.000Z", "c"),
           MASTRA_STORE_EXISTS, "... but by nobody else");
    do_step(MASTRA_STORE_WRITE, &step);
    step = (step_t){ .call = message_get, .in = parse("[\"m1\"]") };
    do_step(MASTRA_STORE_READ, &step);
    IS(mastra_json_get_str(mastra_json_at(step.out, 0), "resourceId"), "r9",
       "messages of a thread change their owner");
    IS(mastra_json_get_str(mastra_json_get(mastra_json_at(step.out, 0),
                                           "content"), "content"), "b",
       "... and nothing else");
    mastra_json_unref(step.out);
}

/* ---- search ---- */

static int any(void *baton, const mastra_json_t *message)
{
    const char *text = mastra_json_get_str(mastra_json_get(message, "content"),
                                           "content");

    return !baton || strstr(text, baton) != NULL;
}

static const char *found(mastra_messages_search_t search)
{
    step_t step = { .call = message_search, .search = search };
    const char *ids = "";
    apr_size_t i;

    step.search.match = any;
    step.search.rows = search.rows ? search.rows : 100000;
    step.search.limit = search.limit ? search.limit : 10;
    if (!search.resource_id) {
        step.search.resource_id = "rs";
    }
    if (do_step(MASTRA_STORE_READ, &step)) {
        return "failed";
    }
    for (i = 0; i < mastra_json_size(step.out); i++) {
        ids = apr_pstrcat(test_pool, ids, i ? " " : "",
                          mastra_json_get_str(mastra_json_at(step.out, i),
                                              "id"), NULL);
    }
    mastra_json_unref(step.out);
    return ids;
}

#define FOUND(...) found((mastra_messages_search_t){ __VA_ARGS__ })

static void search(void)
{
    add_thread("s1", "rs", "", "2026-01-01T00:00:00.000Z");
    add_thread("s2", "rs", "", "2026-01-02T00:00:00.000Z");
    add_message("a", "s1", "rs", "2026-01-01T00:00:01.000Z", "Red apple");
    add_message("b", "s1", "rs", "2026-01-01T00:00:02.000Z", "pear 100%");
    add_message("c", "s1", "rs", "2026-01-01T00:00:02.000Z", "red_pear");
    add_message("d", "s2", "rs", "2026-01-01T00:00:01.000Z", "red");
    add_thread("s1", "rs", "", "2026-01-01T00:00:00.000Z");
    add_thread("s2", "rs", "", "2026-01-02T00:00:00.000Z");
    IS(FOUND(.fragment = "red"), "d c a",
       "the newest thread first, in it the newest message");
    IS(FOUND(.fragment = "red", .thread_id = "s1"), "c a", "of one thread");
    IS(FOUND(.fragment = "red", .limit = 1), "d c", "so many of each thread");
    IS(FOUND(.fragment = "red", .resource_id = "other"), "",
       "nothing of others");
    IS(FOUND(.fragment = "red", .resource_id = "other", .thread_id = "s1"), "",
       "... nor by the thread's id");
    IS(FOUND(.fragment = "d_p"), "c", "a fragment is no pattern");
    IS(FOUND(.fragment = "100%"), "b", "... whatever it has in it");
    IS(FOUND(.baton = "pear", .thread_id = "s1"), "c b",
       "without a fragment each message is looked at");
}

/* More rows than one step takes, with many of the same time. */
static void long_search(void)
{
    mastra_json_t *messages = mastra_json_array();
    step_t step = { .call = message_save };
    int i;

    for (i = 0; i < 1700; i++) {
        mastra_json_append(messages, mastra_json_pack(
            "{s:s, s:s, s:s, s:s, s:s, s:s}", "id",
            apr_psprintf(test_pool, "l%04d", i), "threadId", "long",
            "resourceId", "rl", "role", "user", "createdAt",
            apr_psprintf(test_pool, "2026-01-01T00:00:%02d.000Z",
                         i < 200 ? 1 : i < 1100 ? 2 : 3), "content",
            i % 100 ? "hay" : "needle"));
    }
    step.in = messages;
    do_step(MASTRA_STORE_WRITE, &step);
    add_thread("long", "rl", "", "2026-01-01T00:00:00.000Z");
    IS(FOUND(.resource_id = "rl", .baton = "needle", .limit = 100),
       "l1600 l1500 l1400 l1300 l1200 l1100 l1000 l0900 l0800 l0700 l0600 "
       "l0500 l0400 l0300 l0200 l0100 l0000",
       "each is found once, over all steps");
    IS(FOUND(.resource_id = "rl", .baton = "needle", .rows = 400),
       "l1600 l1500 l1400 l1300 l1200", "the search ends after so many rows");
}

/* ---- notes ---- */

static void notes(void)
{
    mastra_working_t thread = { .per_thread = 1 }, resource = { 0 };
    step_t step = { .call = notes_get, .id = "n1", .working = &resource };

    OK(do_step(MASTRA_STORE_READ, &step) == APR_SUCCESS && !step.text,
       "a resource has no notes at first");
    step = (step_t){ .call = resource_touch, .id = "n1" };
    OK(do_step(MASTRA_STORE_WRITE, &step) == APR_SUCCESS, "its row is made");
    step = (step_t){ .call = notes_put, .id = "n1", .text = "# N",
                     .working = &resource };
    OK(do_step(MASTRA_STORE_WRITE, &step) == APR_SUCCESS, "notes are stored");
    step = (step_t){ .call = resource_get, .id = "n1" };
    do_step(MASTRA_STORE_READ, &step);
    IS(mastra_json_get_str(step.out, "workingMemory"), "# N",
       "... where the Node server looks for them");
    OK(mastra_json_is_object(mastra_json_get(step.out, "metadata")),
       "... beside its metadata");
    mastra_json_unref(step.out);

    step = (step_t){ .call = notes_put, .id = "none", .text = "x",
                     .working = &thread };
    IS_INT(do_step(MASTRA_STORE_WRITE, &step), MASTRA_STORE_NOT_FOUND,
           "a thread that is not there has no notes");
    put(thread_save, "{\"id\":\"n2\",\"resourceId\":\"r\",\"metadata\":"
        "{\"a\":1}}");
    step.id = "n2";
    OK(do_step(MASTRA_STORE_WRITE, &step) == APR_SUCCESS,
       "notes of a thread are stored");
    step = (step_t){ .call = notes_lock, .id = "n2", .working = &thread };
    OK(do_step(MASTRA_STORE_WRITE, &step) == APR_SUCCESS, "... and locked");
    step = (step_t){ .call = thread_get, .id = "n2" };
    do_step(MASTRA_STORE_READ, &step);
    IS(take_text(mastra_json_ref(mastra_json_get(step.out, "metadata"))),
       "{\"a\":1,\"workingMemory\":\"x\"}", "... in its metadata");
    mastra_json_unref(step.out);
    step = (step_t){ .call = notes_get, .id = "n2", .working = &thread };
    do_step(MASTRA_STORE_READ, &step);
    IS(step.text, "x", "... and read back");
}

static void remembered(const mastra_store_conf_t *conf)
{
    if (mastra_store_open(&store, conf, test_pool) != APR_SUCCESS) {
        exit(1);
    }
    titles();
    owners();
    search();
    long_search();
    notes();
    mastra_store_close(store);
}

int main(void)
{
    test_start();
    test_each("remembered", remembered);
    return test_end();
}
