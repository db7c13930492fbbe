#ifndef MOD_MASTRA_HOST_H
#define MOD_MASTRA_HOST_H

#include "mod_mastra_config.h"

/* Makes what a virtual host serves: models, tools, agents, and its database
 * among those of shared. What is wrong goes to faults. */
mastra_host_t *mastra_host_make(server_rec *s, mastra_server_conf_t *conf,
                                mastra_shared_t *shared,
                                mastra_faults_t *faults, apr_pool_t *pool);

/* What is learnt from modules of TLS before post_config. */
void mastra_host_register_hooks(void);

/* How host reaches itself when MastraSelfURL does not say: by the first plain
 * Listen of its port, over loopback where it can. NULL: there is none. In
 * post_config, after modules of TLS. */
const char *mastra_host_self_url(const mastra_host_t *host,
                                 const mastra_shared_t *shared,
                                 apr_pool_t *pool);

/* The header "Host: name:port" of calls to url, so that a virtual host that is
 * known by its name is reached and not the first one of its address. NULL:
 * host has no name, or url names one itself. */
const char *mastra_host_self_header(const mastra_host_t *host,
                                    const char *url, apr_pool_t *pool);

/* A line about host for the log. */
void mastra_host_announce(const mastra_host_t *host, apr_pool_t *pool);

#endif
