/* How much of a history fits, and what is left out from then on. */

#include "memory.h"

/* n messages of 40 bytes (14 tokens each), one a second. */
static mastra_json_t *history(int n)
{
    mastra_json_t *messages = mastra_json_array();
    int i;

    for (i = 0; i < n; i++) {
        mastra_json_append(messages, mastra_json_pack(
            "{s:s, s:s, s:{s:i, s:[{s:s, s:s}]}}", "id",
            apr_psprintf(pool, "m%d", i), "createdAt",
            apr_psprintf(pool, "2026-01-01T00:00:%02d.000Z", i), "content",
            "format", 2, "parts", "type", "text", "text",
            "0123456789012345678901234567890123456789"));
    }
    return mastra_json_own(messages, pool);
}

static const char *ids(mastra_json_t *messages)
{
    const char *all = "";
    apr_size_t i;

    for (i = 0; i < mastra_json_size(messages); i++) {
        all = apr_pstrcat(pool, all, i ? " " : "", mastra_json_get_str(
            mastra_json_at(messages, i), "id"), NULL);
    }
    mastra_json_unref(messages);
    return all;
}

int main(void)
{
    mastra_budget_t budget = { 100, 25 };
    mastra_json_t *boundary = NULL, *next = NULL;

    begin();
    is_int(mastra_budget_tokens(mastra_json_at(history(1), 0), pool), 14,
           "four bytes are a token, and a message costs four");
    is_int(mastra_budget_tokens(parsed("{'role':'system','content':'abcde'}"),
                                pool), 6, "texts of a prompt count alike");
    is_str(ids(mastra_budget_fit(&boundary, &budget, NULL, history(5), 30,
                                 pool)), "m0 m1 m2 m3 m4", "what fits stays");
    ok(!boundary, "... and there is no boundary");
    is_str(ids(mastra_budget_fit(&boundary, &budget, NULL, history(6), 30,
                                 pool)), "m3 m4 m5",
           "too much: more goes than has to");
    is_str(shown(mastra_json_copy(boundary)), "{'createdAt':"
           "'2026-01-01T00:00:02.000Z','messageIds':['m2'],'maxTokens':100,"
           "'atMaxRemoveTokens':25}", "... and where it ended is noted");
    is_str(ids(mastra_budget_fit(&next, &budget, boundary, history(7), 30,
                                 pool)), "m3 m4 m5 m6",
           "the next time it begins there");
    ok(!next, "... and goes no further");
    is_str(ids(mastra_budget_fit(&next, &budget, boundary, history(9), 30,
                                 pool)), "m6 m7 m8",
           "until it is too much again");
    mastra_json_unref(next);
    budget.max = 200;
    is_str(ids(mastra_budget_fit(&next, &budget, boundary, history(6), 30,
                                 pool)), "m0 m1 m2 m3 m4 m5",
           "another budget begins anew");
    budget.max = 10;
    is_str(ids(mastra_budget_fit(&next, &budget, NULL, history(3), 30, pool)),
           "", "what is there anyway may leave no room");
    mastra_json_unref(next);
    mastra_json_unref(boundary);
    return end();
}
