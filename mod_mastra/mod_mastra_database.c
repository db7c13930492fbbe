/* Which databases there are, and that the server's user can write them. */
#include <fcntl.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include <apr_file_info.h>
#include <apr_strings.h>

#include <http_core.h>
#include <mpm_common.h>
#include <unixd.h>

#include "mod_mastra_database.h"
#include "mod_mastra_place.h"

#define TEMPORARY "temporary-"
#define RECALL_CACHE ((apr_size_t)8 * 1024 * 1024)

/* --- choosing -------------------------------------------------------------- */

static int is_same(const mastra_store_conf_t *a, const mastra_store_conf_t *b)
{
    return !strcmp(a->driver, b->driver) && !strcmp(a->params, b->params);
}

mastra_database_t *mastra_database_of(const mastra_shared_t *shared,
                                      const mastra_host_t *host)
{
    int i;

    for (i = 0; i < shared->databases->nelts; i++) {
        mastra_database_t *database = APR_ARRAY_IDX(shared->databases, i,
                                                    mastra_database_t *);

        if (host->store_conf.driver
            && is_same(&database->conf, &host->store_conf)) {
            return database;
        }
    }
    return NULL;
}

/* The file of SQLite; NULL and a fault when there cannot be one. */
static const char *sqlite_file(const char *params, const mastra_host_t *host,
                               mastra_faults_t *faults, apr_pool_t *pool)
{
    if (!*params || !strcmp(params, ":memory:")
        || !strncmp(params, "file:", 5)) {
        mastra_place_fault(faults, host->server, "DBDParams", NULL,
                           "it must name a file for sqlite3: children share "
                           "it");
        return NULL;
    }
    return ap_server_root_relative(pool, params);
}

void mastra_database_choose(mastra_host_t *host,
                            const mastra_server_conf_t *conf,
                            mastra_shared_t *shared, mastra_faults_t *faults,
                            apr_pool_t *pool)
{
    mastra_store_conf_t *store = &host->store_conf;
    mastra_database_t *database;

    store->max_connections = mastra_config_connections(conf);
    store->synchronous_normal = mastra_config_synchronous_normal(conf);
    store->driver = conf->db_driver;
    store->params = conf->db_params ? conf->db_params : "";
    if (!store->driver) {
        store->driver = "sqlite3";
        store->params = apr_psprintf(pool, "%s/" TEMPORARY
                                     "%" APR_PID_T_FMT ".db",
                                     shared->runtime_dir, getpid());
    }
    else if (!strcmp(store->driver, "sqlite3")) {
        store->params = sqlite_file(store->params, host, faults, pool);
        if (!store->params) {
            return;
        }
    }
    else if (strcmp(store->driver, "pgsql")) {
        mastra_place_fault(faults, host->server, "DBDriver", store->driver,
                           "agents need sqlite3 or pgsql");
        return;
    }
    database = mastra_database_of(shared, host);
    if (!database) {
        database = apr_pcalloc(pool, sizeof(*database));
        database->conf = *store;
        database->temporary = !conf->db_driver;
        APR_ARRAY_PUSH(shared->databases, mastra_database_t *) = database;
    }
}

/* --- directories and files ------------------------------------------------- */

int mastra_directory_make(const char *path, server_rec *s, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_status_t rv;
    int fd;

    if (apr_stat(&info, path, APR_FINFO_TYPE, pool) == APR_SUCCESS) {
        return 1;
    }
    rv = apr_dir_make_recursive(path, APR_FPROT_UREAD | APR_FPROT_UWRITE
                                | APR_FPROT_UEXECUTE, pool);
    if (rv == APR_SUCCESS && !geteuid()) {
        /* not by its name: it must be the one that was made */
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fchown(fd, ap_unixd_config.user_id,
                             ap_unixd_config.group_id)) {
            rv = errno;
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s, MASTRA_ID(620)
                     "the directory %s cannot be made", path);
        return 0;
    }
    return 1;
}

/* Temporary databases of servers that are gone. */
static void remove_stale(const char *path, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_dir_t *dir;

    if (apr_dir_open(&dir, path, pool) != APR_SUCCESS) {
        return;
    }
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        long pid;

        if (strncmp(info.name, TEMPORARY, sizeof(TEMPORARY) - 1)) {
            continue;
        }
        pid = atol(info.name + sizeof(TEMPORARY) - 1);
        if (pid > 1 && pid != getpid() && kill((pid_t)pid, 0)
            && errno == ESRCH) {
            apr_file_remove(apr_pstrcat(pool, path, "/", info.name, NULL),
                            pool);
        }
    }
    apr_dir_close(dir);
}

static void remove_temporary(const char *params)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal",
                                        "-mastra-lock", NULL };
    const char *const *end;

    for (end = ends; *end; end++) {
        char path[APR_PATH_MAX];

        apr_snprintf(path, sizeof(path), "%s%s", params, *end);
        unlink(path);
    }
}

/* The configuration goes at a restart, too, but then children may have the
 * database open. */
static apr_status_t expire(void *baton)
{
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_EXITING) {
        remove_temporary(baton);
    }
    return APR_SUCCESS;
}

/* Begins empty at the server's start, and ends with the server. */
static void prepare_temporary(const mastra_database_t *database,
                              apr_pool_t *pconf, apr_pool_t *pool)
{
    const char *key = "mod_mastra-temporary";

    if (!ap_retained_data_get(key)) {
        ap_retained_data_create(key, 1);
        remove_stale(ap_make_dirstr_parent(pool, database->conf.params), pool);
        remove_temporary(database->conf.params);
    }
    apr_pool_cleanup_register(pconf, database->conf.params, expire,
                              apr_pool_cleanup_null);
}

/* --- migrating ------------------------------------------------------------- */

/* What this process, which runs as children do, may not do; NULL: it may. */
static const char *forbidden(const mastra_store_conf_t *conf, apr_pool_t *pool)
{
    const char *dir = ap_make_dirstr_parent(pool, conf->params);
    const char *user = ap_unixd_config.user_name && !ap_unixd_config.suexec_enabled
                       ? ap_unixd_config.user_name : "the server";

    if (access(dir, W_OK | X_OK)) {
        return apr_psprintf(pool, "user %s (%ld) cannot write the directory "
                            "%s: make it that user's, or name another place "
                            "by DBDParams", user, (long)geteuid(), dir);
    }
    if (!access(conf->params, F_OK) && access(conf->params, R_OK | W_OK)) {
        return apr_psprintf(pool, "user %s (%ld) cannot write the file: make "
                            "it and those beside it that user's", user,
                            (long)geteuid());
    }
    return NULL;
}

/* The work of the process that migrates: what is wrong, or NULL. */
static const char *migrate(const mastra_database_t *database, server_rec *s,
                           apr_pool_t *pool)
{
    mastra_result_t *result = NULL;
    const char *wrong;

    if (ap_run_drop_privileges(pool, s)) {
        return "the server's user cannot be taken on";
    }
    if (!strcmp(database->conf.driver, "sqlite3")) {
        wrong = forbidden(&database->conf, pool);
        if (wrong) {
            return wrong;
        }
    }
    if (mastra_store_migrate(&database->conf, &result, pool) == APR_SUCCESS) {
        return NULL;
    }
    return result ? apr_pstrcat(pool, result->message,
                                result->cause ? ": " : NULL, result->cause,
                                NULL)
                  : "the reason is not known";
}

/* Reads what the process says until it closes. */
static void listen_to(int fd, char *said, apr_size_t size)
{
    apr_size_t len = 0;
    ssize_t n;

    do {
        n = read(fd, said + len, size - 1 - len);
        len += n > 0 ? n : 0;
    } while ((n > 0 && len < size - 1) || (n < 0 && errno == EINTR));
    said[len] = '\0';
}

/* In a process of its own: it gives up root's rights, and what drivers leave
 * behind in memory goes with it. */
static int migrate_one(const mastra_database_t *database, server_rec *s,
                       apr_pool_t *pool)
{
    char said[1024];
    const char *wrong;
    int fds[2], status = 0;
    pid_t pid;

    if (pipe(fds)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, errno, s, MASTRA_ID(621)
                     "no pipe for the migration of a database");
        return 0;
    }
    pid = fork();
    if (!pid) {
        close(fds[0]);
        /* what people say to agents is not for every user to read */
        umask(S_IRWXG | S_IRWXO);
        wrong = migrate(database, s, pool);
        if (wrong && write(fds[1], wrong, strlen(wrong)) < 0) {
            _exit(2);
        }
        _exit(wrong != NULL);
    }
    close(fds[1]);
    listen_to(fds[0], said, sizeof(said));
    close(fds[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (pid > 0 && !status) {
        return 1;
    }
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, MASTRA_ID(622)
                 "the %s database%s%s cannot be used: %s",
                 database->conf.driver,
                 strcmp(database->conf.driver, "sqlite3") ? "" : " ",
                 strcmp(database->conf.driver, "sqlite3")
                 ? "" : database->conf.params,
                 *said ? said : "the process that migrates it failed");
    return 0;
}

int mastra_database_migrate(const mastra_shared_t *shared, server_rec *s,
                            apr_pool_t *pconf, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < shared->databases->nelts; i++) {
        const mastra_database_t *database =
            APR_ARRAY_IDX(shared->databases, i, mastra_database_t *);

        if (!strcmp(database->conf.driver, "sqlite3")
            && !mastra_directory_make(ap_make_dirstr_parent(pool,
                                                     database->conf.params),
                               s, pool)) {
            return 0;
        }
        if (database->temporary) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, MASTRA_ID(623)
                         "there is no DBDriver: what agents remember is kept "
                         "in %s and lost when the server stops",
                         database->conf.params);
            prepare_temporary(database, pconf, pool);
        }
        if (!migrate_one(database, s, pool)) {
            return 0;
        }
    }
    return 1;
}

apr_status_t mastra_database_open_all(const mastra_shared_t *shared,
                                      apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < shared->databases->nelts && rv == APR_SUCCESS; i++) {
        mastra_database_t *database = APR_ARRAY_IDX(shared->databases, i,
                                                    mastra_database_t *);

        database->recalled = mastra_recall_cache_make(RECALL_CACHE, pool);
        rv = mastra_store_open(&database->store, &database->conf, pool);
    }
    return rv;
}
