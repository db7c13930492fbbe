#ifndef MOD_MASTRA_DATABASE_H
#define MOD_MASTRA_DATABASE_H

#include "mod_mastra_config.h"

/* Sets the store's parameters of host from DBDriver and its kin, or to the
 * server's temporary database, and notes it in shared. */
void mastra_database_choose(mastra_host_t *host,
                            const mastra_server_conf_t *conf,
                            mastra_shared_t *shared, mastra_faults_t *faults,
                            apr_pool_t *pool);

/* post_config: brings the schema of each database up to date, as the user
 * that children run as, so that files belong to who writes them. 0: it could
 * not, and the log says why. */
int mastra_database_migrate(const mastra_shared_t *shared, server_rec *s,
                            apr_pool_t *pconf, apr_pool_t *pool);

/* Makes a directory that is missing, for the user that children run as, who
 * alone may enter it. 0: it could not, and the log says why. */
int mastra_directory_make(const char *path, server_rec *s, apr_pool_t *pool);

/* Child: opens them, before anybody else is started. */
apr_status_t mastra_database_open_all(const mastra_shared_t *shared,
                                      apr_pool_t *pool);

/* The database of host in shared. */
mastra_database_t *mastra_database_of(const mastra_shared_t *shared,
                                      const mastra_host_t *host);

#endif
