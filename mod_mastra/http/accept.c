/* What a client would rather have: the Accept header (RFC 9110, 12.5.1). */

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "request.h"

/* One element: its media range, and its weight. */
typedef struct {
    const char *range;
    double q;
} element_t;

/* Cuts the element at text in place; returns what follows its comma. */
static char *read_element(element_t *element, char *text)
{
    char *end = strchr(text, ','), *state, *part;

    if (end) {
        *end = '\0';
    }
    element->range = apr_strtok(text, "; \t", &state);
    element->q = 1;
    while (element->range && (part = apr_strtok(NULL, "; \t", &state))) {
        if (!strncasecmp(part, "q=", 2)) {
            element->q = atof(part + 2);
        }
    }
    return end ? end + 1 : NULL;
}

/* How exactly range speaks of type: 3 by name, 2 as "text/…", 1 as anything,
 * 0 not at all. */
static int fit(const char *range, const char *type)
{
    apr_size_t head = strcspn(type, "/") + 1;

    if (!strcasecmp(range, type)) {
        return 3;
    }
    if (!strncasecmp(range, type, head) && !strcmp(range + head, "*")) {
        return 2;
    }
    return !strcmp(range, "*/*");
}

static double weight(const char *accept, const char *type, apr_pool_t *pool)
{
    char *at = apr_pstrdup(pool, accept);
    element_t element;
    double q = 0;
    int best = 0;

    while (at) {
        int how;

        at = read_element(&element, at);
        how = element.range ? fit(element.range, type) : 0;
        if (how > best) {
            best = how;
            q = element.q;
        }
    }
    return q;
}

int mastra_request_prefers(const request_rec *r, const char *type,
                           const char *other)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");

    return accept && weight(accept, type, r->pool)
                     > weight(accept, other, r->pool);
}
