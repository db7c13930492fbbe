/* Finds the line of a directive in the tree that httpd has read. */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include <httpd.h>
#include <http_config.h>

#include "mod_mastra_place.h"

#define VIRTUAL_HOST "<VirtualHost"

static int begins_with(const char *args, const char *words, apr_pool_t *pool)
{
    while (words && *words) {
        if (strcmp(ap_getword_conf(pool, &args),
                   ap_getword_conf(pool, &words))) {
            return 0;
        }
    }
    return 1;
}

/* The last one counts, as it does for httpd. Containers of paths are looked
 * into, virtual hosts are not. */
static const ap_directive_t *last_of(const ap_directive_t *node,
                                     const char *name, const char *words,
                                     apr_pool_t *pool)
{
    const ap_directive_t *found = NULL, *inner;

    for (; node; node = node->next) {
        if (!strcasecmp(node->directive, name)
            && begins_with(node->args, words, pool)) {
            found = node;
        }
        else if (node->first_child
                 && strcasecmp(node->directive, VIRTUAL_HOST)) {
            inner = last_of(node->first_child, name, words, pool);
            found = inner ? inner : found;
        }
    }
    return found;
}

static const ap_directive_t *host_of(const server_rec *s)
{
    const ap_directive_t *node;

    for (node = s->defn_name ? ap_conftree : NULL; node; node = node->next) {
        if (!strcasecmp(node->directive, VIRTUAL_HOST)
            && !strcmp(node->filename, s->defn_name)
            && (unsigned)node->line_num == s->defn_line_number) {
            return node;
        }
    }
    return NULL;
}

void mastra_place_fault(mastra_faults_t *faults, const server_rec *s,
                        const char *name, const char *args, const char *why)
{
    apr_pool_t *pool = faults->texts->pool;
    const ap_directive_t *host = host_of(s), *node = NULL;

    if (host) {
        node = last_of(host->first_child, name, args, pool);
    }
    if (!node) {
        node = last_of(ap_conftree, name, args, pool);
    }
    if (!node) {
        node = host;
    }
    mastra_faults_add(faults, "%s%s%s%s: %s",
                      node ? apr_psprintf(pool, "%s:%d: ", node->filename,
                                          node->line_num) : "",
                      name, args ? " " : "", args ? args : "", why);
}
