/* Large values whose text is kept beside them: it is made once, on a thread
 * that has the time, and copied wherever the value stands in what is printed.
 * Of their parts those that are long are known as well. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define BUCKETS 1024                 /* a power of two */
#define TEXT_LIMIT ((apr_size_t)256 * 1024 * 1024)

/* A value with its text. */
struct mastra_known_t {
    mastra_json_t *json;             /* a reference */
    char *text;
    int users;                       /* with the lock */
};

/* The value, or a part of it. */
typedef struct part_t {
    struct part_t *next;
    const mastra_json_t *json;
    mastra_known_t *root;
    apr_size_t at, len;              /* in its text */
} part_t;

static struct {
    pthread_mutex_t lock;
    part_t *buckets[BUCKETS];
    mastra_json_drop_cb *drop;
    void *drop_baton;
} known = { .lock = PTHREAD_MUTEX_INITIALIZER };

apr_uint32_t mastra_json_nknown;

static unsigned bucket_of(const mastra_json_t *json)
{
    apr_uint64_t bits = (apr_uint64_t)(apr_uintptr_t)json >> 4;

    return (unsigned)((bits * APR_UINT64_C(0x9E3779B97F4A7C15)) >> 32)
           & (BUCKETS - 1);
}

/* Without the lock: what is known to who asks was made so before. */
int mastra_json_maybe_known(const mastra_json_t *json)
{
    return json && __atomic_load_n(&mastra_json_nknown, __ATOMIC_ACQUIRE)
           && __atomic_load_n(&known.buckets[bucket_of(json)],
                              __ATOMIC_ACQUIRE) != NULL;
}

/* With the lock. */
static part_t *find(const mastra_json_t *json)
{
    part_t *part = known.buckets[bucket_of(json)];

    while (part && part->json != json) {
        part = part->next;
    }
    return part;
}

/* With the lock. The first text of a value is as good as any other. */
static void add(mastra_known_t *root, const mastra_written_t *written)
{
    unsigned bucket = bucket_of(written->json);
    part_t *part = find(written->json) ? NULL : malloc(sizeof(*part));

    if (part) {
        part->json = written->json;
        part->root = root;
        part->at = written->at;
        part->len = written->len;
        part->next = known.buckets[bucket];
        __atomic_store_n(&known.buckets[bucket], part, __ATOMIC_RELEASE);
        __atomic_add_fetch(&mastra_json_nknown, 1, __ATOMIC_RELEASE);
    }
}

/* With the lock. */
static void remove_parts(const mastra_known_t *root)
{
    part_t **at, *part;
    unsigned i;

    for (i = 0; i < BUCKETS; i++) {
        for (at = &known.buckets[i]; (part = *at) != NULL;) {
            if (part->root != root) {
                at = &part->next;
                continue;
            }
            __atomic_store_n(at, part->next, __ATOMIC_RELEASE);
            __atomic_sub_fetch(&mastra_json_nknown, 1, __ATOMIC_RELEASE);
            free(part);
        }
    }
}

/* With the lock: what it is, or is part of, has one user more. */
static mastra_known_t *use(const mastra_json_t *json)
{
    part_t *part = find(json);

    if (!part) {
        return NULL;
    }
    part->root->users++;
    return part->root;
}

static mastra_known_t *known_already(const mastra_json_t *json)
{
    mastra_known_t *root;

    if (!mastra_json_maybe_known(json)) {
        return NULL;
    }
    pthread_mutex_lock(&known.lock);
    root = use(json);
    pthread_mutex_unlock(&known.lock);
    return root;
}

static void free_root(mastra_known_t *root)
{
    if (root) {
        mastra_json_drop(root->json);
        free(root->text);
        free(root);
    }
}

/* Its text was made, and where its long parts are in it. */
static mastra_known_t *make_root(mastra_json_t *json, mastra_buf_t *buf,
                                 const mastra_notes_t *notes)
{
    mastra_known_t *root = calloc(1, sizeof(*root));
    int i;

    if (!root) {
        return NULL;
    }
    root->json = mastra_json_ref(json);
    root->users = 1;
    root->text = mastra_buf_detach(buf, NULL);
    pthread_mutex_lock(&known.lock);
    for (i = 0; i < notes->n; i++) {
        add(root, &notes->list[i]);
    }
    pthread_mutex_unlock(&known.lock);
    return root;
}

mastra_known_t *mastra_json_know(mastra_json_t *json)
{
    mastra_known_t *root = known_already(json);
    mastra_notes_t notes = { 0 };
    mastra_buf_t buf;

    if (root) {
        return root;
    }
    mastra_buf_init(&buf, TEXT_LIMIT);
    if (!mastra_json_write_noting(&buf, json, &notes)
        && buf.len >= MASTRA_JSON_LARGE) {
        root = make_root(json, &buf, &notes);
    }
    mastra_buf_free(&buf);
    free(notes.list);
    return root;
}

int mastra_json_is_known(const mastra_json_t *json)
{
    int yes;

    if (!mastra_json_maybe_known(json)) {
        return 0;
    }
    pthread_mutex_lock(&known.lock);
    yes = find(json) != NULL;
    pthread_mutex_unlock(&known.lock);
    return yes;
}

/* With the lock. One user less: the root, if it was the last. */
static mastra_known_t *leave(mastra_known_t *root)
{
    if (--root->users) {
        return NULL;
    }
    remove_parts(root);
    return root;
}

void mastra_json_forget(mastra_known_t *root)
{
    if (root) {
        pthread_mutex_lock(&known.lock);
        root = leave(root);
        pthread_mutex_unlock(&known.lock);
        free_root(root);
    }
}

static apr_status_t forget_cb(void *baton)
{
    mastra_json_forget(baton);
    return APR_SUCCESS;
}

void mastra_json_know_for(mastra_json_t *json, apr_pool_t *pool)
{
    mastra_known_t *root = known_already(json);

    if (root) {
        apr_pool_cleanup_register(pool, root, forget_cb,
                                  apr_pool_cleanup_null);
    }
}

/* Its parts may go now, and others be made where they lay. */
void mastra_json_changes(const mastra_json_t *json)
{
    part_t *part;

    pthread_mutex_lock(&known.lock);
    part = find(json);
    if (part) {
        remove_parts(part->root);
    }
    pthread_mutex_unlock(&known.lock);
}

/* It is copied without the lock: others need not wait. */
int mastra_json_write_known(apr_status_t *prv, mastra_buf_t *buf,
                            const mastra_json_t *json)
{
    const part_t *part;
    mastra_known_t *root = NULL;
    apr_size_t at = 0, len = 0;

    pthread_mutex_lock(&known.lock);
    part = find(json);
    if (part) {
        root = use(json);
        at = part->at;
        len = part->len;
    }
    pthread_mutex_unlock(&known.lock);
    if (!root) {
        return 0;
    }
    *prv = mastra_buf_add(buf, root->text + at, len);
    mastra_json_forget(root);
    return 1;
}

void mastra_json_drop_set(mastra_json_drop_cb *drop, void *baton)
{
    pthread_mutex_lock(&known.lock);
    known.drop = drop;
    known.drop_baton = baton;
    pthread_mutex_unlock(&known.lock);
}

/* With the lock, so that whoever was taken out is not called any more. */
static int hand_over(mastra_json_t *json)
{
    int taken;

    pthread_mutex_lock(&known.lock);
    taken = known.drop && known.drop(known.drop_baton, json);
    pthread_mutex_unlock(&known.lock);
    return taken;
}

void mastra_json_drop(mastra_json_t *json)
{
    if (json && !hand_over(json)) {
        mastra_json_unref(json);
    }
}
