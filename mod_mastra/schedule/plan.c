/* What a schedule is made of, whether that fits together, and when it fires. */

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "cron.h"
#include "internal.h"

#define MAX_ID 120

/* ---- times ---- */

const char *mastra_plan_check(const char **pfield, const char *cron,
                              const char *where, apr_pool_t *pool)
{
    mastra_cron_t *parsed;
    mastra_zone_t *zone;
    const char *wrong;

    *pfield = "cron";
    if (!cron || !cron[strspn(cron, " \t")]) {
        return apr_psprintf(pool, "Invalid cron expression: expected a "
                            "non-empty cron string (e.g. \"0 * * * *\")%s%s%s",
                            cron ? ", but received \"" : "", cron ? cron : "",
                            cron ? "\"." : "");
    }
    wrong = mastra_cron_parse(&parsed, cron, pool);
    if (wrong) {
        return apr_psprintf(pool, "Invalid cron expression \"%s\": %s", cron,
                            wrong);
    }
    *pfield = "timezone";
    wrong = mastra_zone_open(&zone, where, pool);
    if (wrong) {
        return apr_psprintf(pool, "Invalid timezone \"%s\": %s",
                            where ? where : "", wrong);
    }
    return NULL;
}

const char *mastra_plan_next(apr_int64_t *pnext, const char *cron,
                             const char *where, apr_int64_t after,
                             apr_pool_t *pool)
{
    mastra_cron_t *parsed;
    mastra_zone_t *zone;
    const char *field;
    const char *wrong = mastra_plan_check(&field, cron, where, pool);

    if (!wrong) {
        mastra_cron_parse(&parsed, cron, pool);
        mastra_zone_open(&zone, where, pool);
        *pnext = mastra_cron_next(parsed, zone, after);
        if (!*pnext) {
            *pnext = MASTRA_PLAN_NEVER;
            wrong = apr_psprintf(pool, "Cron expression \"%s\" has no future "
                                 "occurrence after %s", cron,
                                 mastra_text_iso_make(pool, after * 1000));
        }
    }
    return wrong;
}

/* ---- targets ---- */

int mastra_plan_is_agent(const mastra_json_t *target)
{
    return mastra_json_get_str(target, "agentId") != NULL;
}

int mastra_plan_is_theirs(const mastra_schedule_row_t *row, const char *owner)
{
    const char *resource = mastra_json_get_str(row->target, "resourceId");

    return !owner || (resource && !strcmp(resource, owner));
}

mastra_json_t *mastra_plan_target(const mastra_json_t *body, apr_pool_t *pool)
{
    static const char *const agent[] = {
        "agentId", "prompt", "name", "threadId", "resourceId", "signalType",
        "tagName", "attributes", "ifActive", "ifIdle", "providerOptions", NULL
    };
    static const char *const workflow[] = {
        "workflowId", "inputData", "initialState", "requestContext",
        "resourceId", NULL
    };
    int is_agent = mastra_plan_is_agent(body), i;
    const char *const *names = is_agent ? agent : workflow;
    mastra_json_t *made = mastra_json_own(mastra_json_pack(
        "{s:s}", "type", is_agent ? "agent" : "workflow"), pool);

    for (i = 0; names[i]; i++) {
        mastra_json_set(made, names[i],
                        mastra_json_ref(mastra_json_get(body, names[i])));
    }
    if (!is_agent && !mastra_json_get(made, "requestContext")) {
        mastra_json_set(made, "requestContext", mastra_json_object());
    }
    return made;
}

const char *mastra_plan_offends(const mastra_json_t *target, apr_pool_t *pool)
{
    static const char *const threaded[] = { "signalType", "ifActive", "ifIdle",
                                            "resourceId", NULL };
    const char *names = NULL;
    int i;

    if (!mastra_plan_is_agent(target)) {
        return NULL;
    }
    if (mastra_json_get_str(target, "threadId")) {
        return mastra_json_get_str(target, "resourceId")
                   ? NULL : "threadId requires a resourceId.";
    }
    for (i = 0; threaded[i]; i++) {
        if (mastra_json_get(target, threaded[i])) {
            names = names ? apr_pstrcat(pool, names, ", ", threaded[i], NULL)
                          : threaded[i];
        }
    }
    return names ? apr_pstrcat(pool, names, " require a threadId.", NULL)
                 : NULL;
}

/* ---- ids ---- */

/* Words in lower case with dashes between them. */
static char *slug_of(const char *text, apr_pool_t *pool)
{
    char *made = apr_palloc(pool, 2 * strlen(text) + 1), *at = made;

    for (; *text; text++) {
        int joins = at > made && at[-1] != '-';

        if (!apr_isalnum(*text)) {
            if (joins) {
                *at++ = '-';
            }
            continue;
        }
        if (apr_isupper(*text) && joins && !apr_isupper(text[-1])) {
            *at++ = '-';
        }
        *at++ = (char)apr_tolower(*text);
    }
    while (at > made && at[-1] == '-') {
        at--;
    }
    *at = '\0';
    return made;
}

const char *mastra_plan_id(const char *id, int is_agent, apr_pool_t *pool)
{
    const char *prefix = is_agent ? "agent_" : "schedule_";
    char *slug;

    if (!id) {
        return apr_pstrcat(pool, prefix, mastra_text_uuid_make(pool), NULL);
    }
    if (!strncmp(id, prefix, strlen(prefix))) {
        id += strlen(prefix);
    }
    slug = slug_of(apr_pstrndup(pool, id, MAX_ID), pool);
    return *slug ? apr_pstrcat(pool, prefix, slug, NULL) : NULL;
}
