/* Checkpoints by SQLite's own functions, found in the library that the driver
 * of apr_dbd has loaded. */

#include <dlfcn.h>

#include <apr_strings.h>

#include "checkpoint.h"

/* Numbers of SQLite's interface, which does not change them. */
enum { CODE_OK = 0, CODE_BUSY = 5, CODE_LOCKED = 6 };
enum { FOLD_PASSIVE = 0, FOLD_RESTART = 2 };
enum { CONTROL_FILE = 7 };
enum { SYNC_NORMAL = 2 };

typedef int (commit_cb)(void *baton, void *handle, const char *name,
                        int pages);

/* An open file of SQLite's, as far as it is of use here. */
typedef struct file_t {
    const struct {
        int version;
        int (*close)(struct file_t *file);
        int (*read)(struct file_t *file, void *data, int len,
                    apr_int64_t offset);
        int (*write)(struct file_t *file, const void *data, int len,
                     apr_int64_t offset);
        int (*truncate)(struct file_t *file, apr_int64_t len);
        int (*sync)(struct file_t *file, int flags);
    } *methods;
} file_t;

struct mastra_sqlite_t {
    void *handle;            /* SQLite's connection */
    int (*checkpoint)(void *handle, const char *name, int mode, int *ppages,
                      int *pfolded);
    int (*control)(void *handle, const char *name, int what, void *value);
    void *(*on_commit)(void *handle, commit_cb *cb, void *baton);
    void *(*mutex)(void *handle);
};

/* The driver's own library and what it was linked with: another SQLite of the
 * process, that of some other module, knows nothing of our connections. */
static int look_up(mastra_sqlite_t *native, const void *driver)
{
    struct { const char *name; void *at; } wanted[] = {
        { "sqlite3_wal_checkpoint_v2", &native->checkpoint },
        { "sqlite3_file_control", &native->control },
        { "sqlite3_wal_hook", &native->on_commit },
        { "sqlite3_db_mutex", &native->mutex }
    };
    apr_size_t i, n = sizeof(wanted) / sizeof(wanted[0]);
    void *library;
    Dl_info info;

    if (!dladdr(driver, &info) || !info.dli_fname) {
        return 0;
    }
    library = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    if (!library) {
        return 0;
    }
    for (i = 0; i < n; i++) {
        *(void **)wanted[i].at = dlsym(library, wanted[i].name);
        if (!*(void **)wanted[i].at) {
            break;
        }
    }
    /* the driver keeps it loaded for as long as it has connections */
    dlclose(library);
    return i == n;
}

mastra_sqlite_t *mastra_sqlite_find(mastra_db_t *db)
{
    mastra_sqlite_t *native = apr_pcalloc(db->pool, sizeof(*native));

    native->handle = apr_dbd_native_handle(db->driver, db->handle);
    if (!native->handle || !look_up(native, db->driver)
        || !native->mutex(native->handle)) {
        return NULL;
    }
    return native;
}

static int note_pages(void *baton, void *handle, const char *name, int pages)
{
    *(int *)baton = pages;
    return CODE_OK;
}

void mastra_sqlite_watch(mastra_sqlite_t *native, int *ppages)
{
    native->on_commit(native->handle, note_pages, ppages);
}

static apr_status_t fold(mastra_sqlite_t *native, int mode, int *ppages)
{
    int pages = 0, folded = 0, code;

    code = native->checkpoint(native->handle, "main", mode, &pages, &folded);
    if (code == CODE_BUSY || code == CODE_LOCKED) {
        return MASTRA_STORE_BUSY;
    }
    if (code != CODE_OK) {
        return APR_EGENERAL;
    }
    *ppages = pages;
    return APR_SUCCESS;
}

apr_status_t mastra_sqlite_fold(mastra_sqlite_t *native, int *ppages)
{
    return fold(native, FOLD_PASSIVE, ppages);
}

apr_status_t mastra_sqlite_fold_all(mastra_sqlite_t *native)
{
    int pages;

    return fold(native, FOLD_RESTART, &pages);
}

void mastra_sqlite_sync(mastra_sqlite_t *native)
{
    file_t *file = NULL;

    if (native->control(native->handle, "main", CONTROL_FILE, &file) == CODE_OK
        && file && file->methods) {
        file->methods->sync(file, SYNC_NORMAL);
    }
}
