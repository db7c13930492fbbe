/* Which permission a route takes: its row says so, or its path and method. */
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

/* What a POST does when its path has one of these parts. */
static const char *const executes[] = {
    "/generate", "/stream", "/execute", "/start", "/resume", "/restart",
    "/cancel", "/approve", "/decline", "/speak", "/listen", "/query",
    "/search", "/observe", "/time-travel", "/enhance", "/clone", NULL
};
/* ... when the path of something stored ends like this. */
static const char *const publishes[] = {
    "/publish", "/activate", "/restore", NULL
};

static int ends_with(const char *text, const char *end)
{
    apr_size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && !strcmp(text + len - end_len, end);
}

static const char *action_of(const mastra_route_t *route, int is_stored)
{
    int i;

    if (!strcmp(route->method, "GET")) {
        return "read";
    }
    if (!strcmp(route->method, "DELETE")) {
        return "delete";
    }
    if (!strcmp(route->method, "POST")) {
        for (i = 0; is_stored && publishes[i]; i++) {
            if (ends_with(route->path, publishes[i])) {
                return "publish";
            }
        }
        for (i = 0; executes[i]; i++) {
            if (strstr(route->path, executes[i])) {
                return "execute";
            }
        }
    }
    return "write";
}

const char *mastra_route_permission(const mastra_route_t *route,
                                    apr_pool_t *pool)
{
    const char *first = route->path + 1, *second;
    apr_size_t len = strcspn(first, "/");
    int is_stored = !strncmp(first, "stored/", 7);
    const char *area = apr_pstrmemdup(pool, first, len);

    if (route->permission) {
        return route->permission;
    }
    if (is_stored) {
        second = first + len + 1;
        area = apr_pstrcat(pool, "stored-",
                           apr_pstrmemdup(pool, second, strcspn(second, "/")),
                           NULL);
    }
    else if (!strcmp(area, ".well-known")) {
        area = "a2a";
    }
    return apr_pstrcat(pool, area, ":", action_of(route, is_stored), NULL);
}
