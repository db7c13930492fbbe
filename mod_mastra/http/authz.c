/* What callers may do: which routes need a known caller, the permission that a
 * route asks for, and the permissions that roles give. */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "auth.h"
#include "internal.h"

/* --- which routes ---------------------------------------------------------- */

/* A path, or all that begins with it when it ends with a star. */
static int fits(const char *pattern, const char *path)
{
    apr_size_t len = strlen(pattern);

    return len && pattern[len - 1] == '*' ? !strncmp(pattern, path, len - 1)
                                          : !strcmp(pattern, path);
}

static int is_open(const mastra_auth_t *auth, const char *path)
{
    int i;

    for (i = 0; auth->open && i < auth->open->nelts; i++) {
        if (fits(APR_ARRAY_IDX(auth->open, i, const char *), path)) {
            return 1;
        }
    }
    return 0;
}

static int is_shielded(const mastra_auth_t *auth, const char *path)
{
    int i;

    for (i = 0; auth->shielded && i < auth->shielded->nelts; i++) {
        if (!ap_regexec(APR_ARRAY_IDX(auth->shielded, i, const ap_regex_t *),
                        path, 0, NULL, 0)) {
            return 1;
        }
    }
    return !auth->shielded;
}

int mastra_auth_needs(const mastra_auth_t *auth, const mastra_route_t *route,
                      const char *path)
{
    return mastra_auth_is_on(auth) && !(route->flags & MASTRA_ROUTE_PUBLIC)
           && ((route->flags & MASTRA_ROUTE_CUSTOM)
               || is_shielded(auth, path))
           && !is_open(auth, path);
}

int mastra_auth_is_needed(const mastra_auth_t *auth,
                          const mastra_route_t *route, const request_rec *r)
{
    return mastra_auth_needs(auth, route, r->uri);
}

/* --- permission of a route ------------------------------------------------- */

static int has_any(const char *path, const char *const *words)
{
    for (; *words; words++) {
        if (strstr(path, *words)) {
            return 1;
        }
    }
    return 0;
}

static int ends_with(const char *path, const char *word)
{
    apr_size_t len = strlen(path), n = strlen(word);

    return len >= n && !strcmp(path + len - n, word);
}

static const char *action_of(const mastra_route_t *route)
{
    static const char *const running[] = {
        "/generate", "/stream", "/execute", "/start", "/resume", "/restart",
        "/cancel", "/approve", "/decline", "/speak", "/listen", "/query",
        "/search", "/observe", "/time-travel", "/enhance", "/clone", NULL
    };

    if (!strcmp(route->method, "GET")) {
        return "read";
    }
    if (!strcmp(route->method, "DELETE")) {
        return "delete";
    }
    if (!strcmp(route->method, "POST")) {
        if (!strncmp(route->path, "/stored/", 8)
            && (ends_with(route->path, "/publish")
                || ends_with(route->path, "/activate")
                || ends_with(route->path, "/restore"))) {
            return "publish";
        }
        return has_any(route->path, running) ? "execute" : "write";
    }
    return "write";
}

const char *mastra_auth_permission(const mastra_route_t *route,
                                   apr_pool_t *pool)
{
    const char *path = route->path + (*route->path == '/'), *resource;
    apr_size_t len = strcspn(path, "/");

    if (route->permission) {
        return route->permission;
    }
    resource = apr_pstrmemdup(pool, path, len);
    if (!strcmp(resource, "stored") && path[len] == '/') {
        path += len + 1;
        resource = apr_pstrcat(pool, "stored-",
                               apr_pstrmemdup(pool, path, strcspn(path, "/")),
                               NULL);
    }
    else if (!strcmp(resource, ".well-known")) {
        resource = "a2a";
    }
    return apr_pstrcat(pool, resource, ":", action_of(route), NULL);
}

/* --- patterns -------------------------------------------------------------- */

/* A word of a pattern: letters and dashes, or a star. Its length, 0: none. */
static apr_size_t word_length(const char *text)
{
    apr_size_t n = 0;

    if (*text == '*') {
        return 1;
    }
    while (apr_islower(text[n]) || apr_isdigit(text[n]) || text[n] == '-') {
        n++;
    }
    return n;
}

int mastra_auth_is_pattern(const char *text)
{
    apr_size_t first = word_length(text), second;

    if (!first || (text[first] && text[first] != ':')) {
        return 0;
    }
    if (!text[first]) {
        return *text == '*';
    }
    second = word_length(text + first + 1);
    return second && !text[first + 1 + second];
}

/* pattern is one by the rule above, permission has no stars. */
static int grants(const char *pattern, const char *permission)
{
    const char *action = strchr(pattern, ':'), *wanted = strchr(permission,
                                                                ':');

    if (!action || !wanted) {
        return !strcmp(pattern, "*");
    }
    if (*pattern != '*' && (action - pattern != wanted - permission
                            || strncmp(pattern, permission,
                                       action - pattern))) {
        return 0;
    }
    return action[1] == '*' || !strcmp(action, wanted);
}

/* --- roles ----------------------------------------------------------------- */

static const mastra_role_t *find_role(const mastra_auth_t *auth,
                                      const char *name)
{
    int i;

    for (i = 0; auth->roles && i < auth->roles->nelts; i++) {
        const mastra_role_t *role = &APR_ARRAY_IDX(auth->roles, i,
                                                   mastra_role_t);

        if (!strcmp(role->name, name)) {
            return role;
        }
    }
    return NULL;
}

/* Calls cb with each role of identity until it is true; whoever has none of
 * those that are configured has the role _default, if there is one. */
static int each_role(const mastra_auth_t *auth,
                     const mastra_identity_t *identity,
                     int (*cb)(void *baton, const mastra_role_t *role),
                     void *baton)
{
    const mastra_role_t *role;
    int i, found = 0;

    for (i = 0; i < identity->roles->nelts; i++) {
        role = find_role(auth, APR_ARRAY_IDX(identity->roles, i,
                                             const char *));
        if (role) {
            found = 1;
            if (cb(baton, role)) {
                return 1;
            }
        }
    }
    role = found ? NULL : find_role(auth, "_default");
    return role && cb(baton, role);
}

static int role_grants(void *baton, const mastra_role_t *role)
{
    const char *permission = baton;
    int i;

    for (i = 0; i < role->patterns->nelts; i++) {
        if (grants(APR_ARRAY_IDX(role->patterns, i, const char *),
                   permission)) {
            return 1;
        }
    }
    return 0;
}

int mastra_auth_may(const mastra_auth_t *auth,
                    const mastra_identity_t *identity, const char *permission)
{
    if (!identity) {
        return 0;
    }
    return identity->system || !auth->roles || !*permission
           || each_role(auth, identity, role_grants, (void *)permission);
}

/* --- what people are told -------------------------------------------------- */

static mastra_json_t *patterns_of(const mastra_role_t *role)
{
    mastra_json_t *list = mastra_json_array();
    int i;

    for (i = 0; i < role->patterns->nelts; i++) {
        mastra_json_append(list, mastra_json_string(
                               APR_ARRAY_IDX(role->patterns, i,
                                             const char *)));
    }
    return list;
}

static int collect(void *baton, const mastra_role_t *role)
{
    mastra_json_t *more = patterns_of(role);

    mastra_json_extend(baton, more);
    mastra_json_unref(more);
    return 0;
}

mastra_json_t *mastra_auth_granted(const mastra_auth_t *auth,
                                   const mastra_identity_t *identity)
{
    mastra_json_t *list = mastra_json_array();

    each_role(auth, identity, collect, list);
    return list;
}

mastra_json_t *mastra_auth_role(const mastra_auth_t *auth, const char *name)
{
    const mastra_role_t *role = find_role(auth, name);

    return role ? patterns_of(role) : NULL;
}
