/* Directives about pages of other origins, for a server and for single paths. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "http/period.h"
#include "mod_mastra_config.h"

#define MAX_AGE 86400

/* --- create and merge ------------------------------------------------------ */

void mastra_cors_create(mastra_cors_conf_t *conf)
{
    conf->on = -1;
    conf->credentials = -1;
    conf->max_age = -1;
}

#define SET_OR_BASE(member) \
    conf->member = add->member ? add->member : base->member
#define NUMBER_OR_BASE(member) \
    conf->member = add->member != -1 ? add->member : base->member

void mastra_cors_merge(mastra_cors_conf_t *conf,
                       const mastra_cors_conf_t *base,
                       const mastra_cors_conf_t *add)
{
    NUMBER_OR_BASE(on);
    SET_OR_BASE(origins);
    SET_OR_BASE(methods);
    SET_OR_BASE(headers);
    SET_OR_BASE(expose);
    NUMBER_OR_BASE(credentials);
    NUMBER_OR_BASE(max_age);
}

/* --- setters --------------------------------------------------------------- */

/* Those of a <Location> stand in its part, dir. */
static mastra_cors_conf_t *conf_of(const cmd_parms *cmd, void *dir)
{
    return cmd->path ? &((mastra_dir_conf_t *)dir)->cors
                     : &mastra_config_of(cmd->server)->access.cors;
}

const char *mastra_cors_set(cmd_parms *cmd, void *dir, int on)
{
    conf_of(cmd, dir)->on = on;
    return NULL;
}

const char *mastra_cors_set_credentials(cmd_parms *cmd, void *dir, int on)
{
    conf_of(cmd, dir)->credentials = on;
    return NULL;
}

#define AGE_FORM " must be a time up to a day such as 10min, not "

static int set_age(mastra_cors_conf_t *conf, const char *arg)
{
    apr_interval_time_t age;

    if (mastra_period_parse(&age, arg) || age > apr_time_from_sec(MAX_AGE)) {
        return 0;
    }
    conf->max_age = (int)apr_time_sec(age);
    return 1;
}

const char *mastra_cors_set_max_age(cmd_parms *cmd, void *dir,
                                    const char *arg)
{
    return set_age(conf_of(cmd, dir), arg)
           ? NULL : apr_pstrcat(cmd->pool, cmd->cmd->name, AGE_FORM, arg, NULL);
}

/* scheme://host[:port], as browsers write an origin; "null" is any sandbox. */
static const char *check_origin(const char *arg)
{
    const char *host = strstr(arg, "://");

    if (!strcmp(arg, "*")) {
        return NULL;
    }
    if (!host || host == arg || !host[3] || strpbrk(host + 3, "/?#*@ ")) {
        return "this is no origin such as https://app.example: a scheme, a "
               "host, perhaps a port, nothing behind it";
    }
    for (; *arg; arg++) {
        if (apr_isupper(*arg)) {
            return "browsers write origins in small letters";
        }
    }
    return NULL;
}

static int is_token(const char *text)
{
    apr_size_t len = strlen(text);

    return len && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'^`|~+"
                         ) == len;
}

/* To the list at offset; NULL, or what is wrong with arg. */
static const char *add_word(mastra_cors_conf_t *conf, apr_size_t offset,
                            const char *arg, apr_pool_t *pool)
{
    apr_array_header_t **plist = (void *)((char *)conf + offset);
    const char *why = offset == offsetof(mastra_cors_conf_t, origins)
                      ? check_origin(arg)
                      : is_token(arg) ? NULL : "this is no name of a header "
                                               "or a method";

    if (!why && !*plist) {
        *plist = apr_array_make(pool, 2, sizeof(const char *));
    }
    if (!why) {
        APR_ARRAY_PUSH(*plist, const char *) = arg;
    }
    return why;
}

const char *mastra_cors_add(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *why = add_word(conf_of(cmd, dir), (apr_size_t)cmd->info, arg,
                               cmd->pool);

    return why ? apr_pstrcat(cmd->pool, cmd->cmd->name, " ", arg, ": ", why,
                             NULL)
               : NULL;
}

/* --- for a route of the configuration -------------------------------------- */

static const char *add_words(mastra_cors_conf_t *conf, apr_size_t offset,
                             const char *list, apr_pool_t *pool)
{
    char *last, *word;
    const char *why = *list ? NULL : "it needs a value";

    for (word = apr_strtok(apr_pstrdup(pool, list), ",", &last); word && !why;
         word = apr_strtok(NULL, ",", &last)) {
        why = add_word(conf, offset, word, pool);
    }
    return why;
}

static const char *set_switch(int *pvalue, const char *value)
{
    *pvalue = !strcmp(value, "on");
    return *pvalue || !strcmp(value, "off") ? NULL : "it must be on or off";
}

int mastra_cors_option(const char **pwhy, mastra_cors_conf_t *conf,
                       const char *arg, apr_pool_t *pool)
{
    static const struct {
        const char *name;
        apr_size_t offset;
    } lists[] = {
        { "cors-origin=", offsetof(mastra_cors_conf_t, origins) },
        { "cors-methods=", offsetof(mastra_cors_conf_t, methods) },
        { "cors-headers=", offsetof(mastra_cors_conf_t, headers) },
        { "cors-expose=", offsetof(mastra_cors_conf_t, expose) }
    };
    const char *why = NULL;
    int i;

    for (i = 0; i < 4; i++) {
        apr_size_t len = strlen(lists[i].name);

        if (!strncmp(arg, lists[i].name, len)) {
            why = add_words(conf, lists[i].offset, arg + len, pool);
            break;
        }
    }
    if (i == 4 && !strncmp(arg, "cors=", 5)) {
        why = set_switch(&conf->on, arg + 5);
    }
    else if (i == 4 && !strncmp(arg, "cors-credentials=", 17)) {
        why = set_switch(&conf->credentials, arg + 17);
    }
    else if (i == 4 && !strncmp(arg, "cors-max-age=", 13)) {
        why = set_age(conf, arg + 13) ? NULL : "it must be a time up to a day";
    }
    else if (i == 4) {
        return 0;
    }
    *pwhy = why ? apr_pstrcat(pool, arg, ": ", why, NULL) : NULL;
    return 1;
}

/* --- what holds ------------------------------------------------------------ */

static const char *joined(const char *before, const apr_array_header_t *list,
                          apr_pool_t *pool)
{
    const char *more = list ? apr_array_pstrcat(pool, list, ',') : NULL;

    return !more ? before : !before ? more
           : apr_pstrcat(pool, before, ",", more, NULL);
}

static int has_star(const apr_array_header_t *origins)
{
    int i;

    for (i = 0; i < origins->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(origins, i, const char *), "*")) {
            return 1;
        }
    }
    return 0;
}

static void fill(mastra_cors_t *cors, const mastra_cors_conf_t *conf,
                 const mastra_auth_t *auth, apr_pool_t *pool)
{
    /* what a browser sends by itself would make any page the user's own */
    int ambient = mastra_auth_is_ambient(auth);
    int tokens = mastra_auth_is_on(auth) && !ambient;

    cors->off = conf->on == 0;
    cors->any = !conf->origins || has_star(conf->origins);
    cors->origins = conf->origins;
    cors->credentials = conf->credentials != -1 ? conf->credentials
                                                : tokens && !conf->origins;
    if (cors->any && ambient) {
        cors->credentials = 0;
    }
    cors->reflect = !cors->any || cors->credentials;
    cors->methods = conf->methods ? joined(NULL, conf->methods, pool)
                                  : MASTRA_CORS_METHODS;
    cors->headers = joined(MASTRA_CORS_HEADERS, conf->headers, pool);
    cors->expose = joined(MASTRA_CORS_EXPOSE, conf->expose, pool);
    cors->max_age = conf->max_age != -1 ? apr_itoa(pool, conf->max_age)
                                        : MASTRA_CORS_MAX_AGE;
}

const char *mastra_cors_of_route(const mastra_cors_t **pcors,
                                 const mastra_host_t *host,
                                 const mastra_cors_conf_t *own,
                                 apr_pool_t *pool)
{
    mastra_cors_conf_t conf;
    mastra_cors_t *cors = apr_pcalloc(pool, sizeof(*cors));

    mastra_cors_merge(&conf, &mastra_config_of(host->server)->access.cors,
                      own);
    fill(cors, &conf, &host->auth, pool);
    *pcors = cors;
    return cors->any && conf.credentials == 1
           && mastra_auth_is_ambient(&host->auth)
           ? "credentials with any origin would let every page act as the "
             "user whom httpd has authenticated: cors-origin= must name "
             "origins" : NULL;
}

/* NULL: the path of r has no words of its own. */
static const mastra_cors_t *at_path(const mastra_host_t *host,
                                    const request_rec *r)
{
    const mastra_dir_conf_t *dir = mastra_config_dir(r);
    const mastra_cors_conf_t *own = dir ? &dir->cors : NULL;
    mastra_cors_conf_t conf;
    mastra_cors_t *cors;

    if (!own || (own->on == -1 && !own->origins && !own->methods
                 && !own->headers && !own->expose && own->credentials == -1
                 && own->max_age == -1)) {
        return NULL;
    }
    cors = apr_pcalloc(r->pool, sizeof(*cors));
    mastra_cors_merge(&conf, &mastra_config_of(r->server)->access.cors, own);
    fill(cors, &conf, &host->auth, r->pool);
    return cors;
}

void mastra_cors_fill(mastra_host_t *host, const mastra_cors_conf_t *conf,
                      apr_pool_t *pool)
{
    fill(&host->cors, conf, &host->auth, pool);
    host->cors_at = at_path;
}
