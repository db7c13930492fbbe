/* MastraModelProvider: where models are asked. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "http/period.h"
#include "mod_mastra_config.h"
#include "mod_mastra_native.h"

/* NAME:VALUE; a value "env:NAME" is read from the environment. */
static const char *add_header(cmd_parms *cmd, mastra_provider_conf_t *provider,
                              const char *text)
{
    const char *colon = strchr(text, ':'), *value, *name;

    if (!colon || colon == text) {
        return "header= must be Name:value";
    }
    name = apr_pstrmemdup(cmd->pool, text, colon - text);
    for (value = colon + 1; *value == ' '; value++) {
    }
    if (!strncmp(value, "env:", 4)) {
        const char *found = getenv(value + 4);

        if (!found) {
            return apr_pstrcat(cmd->pool, "the environment has no ", value + 4,
                               ", which header=", name, " asks for", NULL);
        }
        value = apr_pstrdup(cmd->pool, found);
    }
    if (value[strcspn(value, "\r\n")]) {
        return apr_pstrcat(cmd->pool, "header=", name,
                           " has a line break in its value", NULL);
    }
    APR_ARRAY_PUSH(provider->headers, const char *) =
        apr_pstrcat(cmd->pool, name, ": ", value, NULL);
    return NULL;
}

static const char *provider_option(cmd_parms *cmd,
                                   mastra_provider_conf_t *provider,
                                   const char *arg)
{
    char *end;

    if (!strncmp(arg, "key=", 4)) {
        if (strncmp(arg + 4, "env:", 4) || !arg[8]) {
            return "key= must be env:NAME: a key stands in the environment, "
                   "not in the configuration";
        }
        provider->key_env = arg + 8;
        return NULL;
    }
    if (!strncmp(arg, "header=", 7)) {
        return add_header(cmd, provider, arg + 7);
    }
    if (!strncmp(arg, "timeout=", 8)) {
        if (mastra_period_parse(&provider->timeout, arg + 8)
            || !provider->timeout) {
            return "timeout= must be a time such as 60s";
        }
        return NULL;
    }
    if (!strncmp(arg, "retries=", 8)) {
        long n = strtol(arg + 8, &end, 10);

        if (end == arg + 8 || *end || n < 0 || n > 10) {
            return "retries= must be a number from 0 to 10";
        }
        provider->retries = (int)n;
        return NULL;
    }
    return apr_pstrcat(cmd->pool, "there is no option ", arg,
                       "; it has key=, header=, timeout= and retries=", NULL);
}

const char *mastra_provider_add(cmd_parms *cmd, void *dir, int argc,
                                char *const argv[])
{
    mastra_server_conf_t *conf = mastra_config_of(cmd->server);
    mastra_provider_conf_t *provider = apr_pcalloc(cmd->pool,
                                                   sizeof(*provider));
    const char *wrong = NULL;
    int i;

    if (argc < 2) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name,
                           " takes an id, a kind, and what is particular to "
                           "it", NULL);
    }
    provider->id = apr_pstrdup(cmd->pool, argv[0]);
    provider->kind = apr_pstrdup(cmd->pool, argv[1]);
    provider->headers = apr_array_make(cmd->pool, 0, sizeof(const char *));
    provider->retries = -1;
    for (i = 2; i < argc && !wrong; i++) {
        const char *arg = apr_pstrdup(cmd->pool, argv[i]);

        if (i == 2 && strstr(arg, "://") && strncmp(arg, "header=", 7)) {
            provider->url = arg;
            continue;
        }
        wrong = provider_option(cmd, provider, arg);
    }
    if (!wrong) {
        /* whether the kind and the URL are usable */
        mastra_models_t *models = mastra_models_make(cmd->temp_pool);

        mastra_native_models(models, cmd->server, NULL, cmd->temp_pool);
        wrong = mastra_models_add(models, provider->id, provider->kind,
                                  provider->url, provider->key_env, NULL, 0,
                                  -1);
    }
    for (i = 0; i < conf->providers->nelts && !wrong; i++) {
        if (!strcmp(APR_ARRAY_IDX(conf->providers, i,
                                  mastra_provider_conf_t *)->id,
                    provider->id)) {
            wrong = "it was configured above";
        }
    }
    if (wrong) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " ", provider->id, ": ",
                           wrong, NULL);
    }
    APR_ARRAY_PUSH(conf->providers, mastra_provider_conf_t *) = provider;
    return NULL;
}
