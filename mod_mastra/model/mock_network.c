/* What the mock says as the leader of a network: who is next, and that the task
 * is complete after that. */

#include <ctype.h>
#include <string.h>

#include <apr_strings.h>

#include "internal.h"

static const char *const kinds[][2] = {
    { "\nAgents:\n", "agent" }, { "\nWorkflows:\n", "workflow" },
    { "\nTools:\n", "tool" }
};

/* The name in the line of a list, "- NAME: …"; NULL: it is none. */
static const char *name_in(const char *line, apr_pool_t *pool)
{
    const char *end = strncmp(line, "- ", 2) ? NULL : strstr(line, ": ");

    return end && end < line + strcspn(line, "\n")
               ? apr_pstrmemdup(pool, line + 2, (apr_size_t)(end - line - 2))
               : NULL;
}

static int is_word(const char *text, const char *at, apr_size_t len)
{
    return (at == text || !isalnum((unsigned char)at[-1]))
           && !isalnum((unsigned char)at[len]);
}

static int mentions(const char *task, const char *name)
{
    const char *at;

    for (at = strstr(task, name); at; at = strstr(at + 1, name)) {
        if (is_word(task, at, strlen(name))) {
            return 1;
        }
    }
    return 0;
}

/* The first of a list that the task mentions; any: the first at all. */
static const char *choose(const char *list, const char *task, int any,
                          apr_pool_t *pool)
{
    const char *name;

    while ((name = name_in(list, pool)) != NULL) {
        if (any || mentions(task, name)) {
            return name;
        }
        list += strcspn(list, "\n");
        list += *list == '\n';
    }
    return NULL;
}

static const char *find_next(const char **pkind, const char *instructions,
                             const char *task, apr_pool_t *pool)
{
    const char *name = NULL, *list;
    int any;
    apr_size_t i;

    for (any = 0; any < 2 && !name; any++) {
        for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !name; i++) {
            list = strstr(instructions, kinds[i][0]);
            *pkind = kinds[i][1];
            name = list ? choose(list + strlen(kinds[i][0]), task, any, pool)
                        : NULL;
        }
    }
    return name;
}

/* What stands between the first brace and the last. */
static const char *json_in(const char *task, apr_pool_t *pool)
{
    const char *begin = strchr(task, '{'), *end = strrchr(task, '}');

    return begin && end > begin
               ? apr_pstrmemdup(pool, begin, (apr_size_t)(end - begin + 1))
               : "{}";
}

/* "The task:\n…\n\nWhich one …" */
static const char *task_in(const char *question, apr_pool_t *pool)
{
    static const char head[] = "The task:\n";
    const char *begin = strstr(question, head), *end = NULL, *at;

    begin = begin ? begin + sizeof(head) - 1 : question;
    for (at = strstr(begin, "\n\n"); at; at = strstr(at + 2, "\n\n")) {
        end = at;
    }
    return end ? apr_pstrmemdup(pool, begin, (apr_size_t)(end - begin))
               : begin;
}

static const char *text_of(mastra_json_t *value, apr_pool_t *pool)
{
    return mastra_json_text(mastra_json_own(value, pool), pool);
}

const char *mastra_mock_network(const mastra_json_t *schema,
                                const char *instructions,
                                const char *question, apr_pool_t *pool)
{
    const mastra_json_t *wants = mastra_json_get(schema, "properties");
    const char *task, *kind = "none", *name;

    if (mastra_json_get(wants, "isComplete")) {
        return text_of(mastra_json_pack("{s:b, s:s, s:s}", "isComplete", 1,
                                        "completionReason", "It was done",
                                        "finalResult", ""), pool);
    }
    if (!mastra_json_get(wants, "primitiveId")) {
        return NULL;
    }
    task = task_in(question, pool);
    name = find_next(&kind, instructions, task, pool);
    return text_of(mastra_json_pack(
        "{s:s, s:s, s:s, s:s}", "primitiveId", name ? name : "none",
        "primitiveType", name ? kind : "none", "prompt",
        name && strcmp(kind, "agent") ? json_in(task, pool) : task,
        "selectionReason", "The task asks for it"), pool);
}
