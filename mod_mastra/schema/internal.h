#ifndef MASTRA_SCHEMA_INTERNAL_H
#define MASTRA_SCHEMA_INTERNAL_H

#include <apr_hash.h>
#include <apr_tables.h>

#include "schema.h"

/*
 * A compiled schema is a graph of nodes: one per subschema, children and
 * references by pointer. Nodes are written by the compiler alone.
 */
typedef struct mastra_schema_node_t node_t;

/* nested schemas that one validation may be inside of */
#define MASTRA_SCHEMA_DEPTH 1024
/* nodes that one validation may visit */
#define MASTRA_SCHEMA_WORK 4000000

enum {
    TYPE_OBJECT = 1, TYPE_ARRAY = 2, TYPE_STRING = 4, TYPE_NUMBER = 8,
    TYPE_INTEGER = 16, TYPE_BOOLEAN = 32, TYPE_NULL = 64
};

typedef enum { DRAFT_07 = 1, DRAFT_2020 = 2 } draft_e;

/* A schema with a URI of its own, and what is in it up to the next one. */
typedef struct {
    const char *uri;             /* absolute or "", without fragment */
    draft_e draft;
    node_t *root;
    mastra_json_t *json;
    apr_hash_t *anchors;         /* name: node_t */
    apr_hash_t *dynamic;         /* name: node_t, $dynamicAnchor only */
} resource_t;

typedef struct {
    node_t **nodes;
    int count;
} node_list_t;

typedef struct {
    const char *text;
    void *code;                  /* pcre2_code */
} pattern_t;

typedef struct {
    const mastra_json_t *minimum, *maximum;      /* NULL: not given */
    const mastra_json_t *above, *below;          /* exclusive */
    const mastra_json_t *multiple;
} number_rules_t;

typedef struct {
    apr_int64_t least, most;     /* characters; most -1: no limit */
    pattern_t *pattern;
} string_rules_t;

typedef struct {
    apr_int64_t least, most;
    node_list_t prefix;
    node_t *items;               /* those behind prefix */
    node_t *contains;
    apr_int64_t contains_least, contains_most;
    int unique;
    node_t *unevaluated;
} array_rules_t;

typedef struct {
    const char *name;
    node_t *node;                /* NULL: only required */
    int required;
} property_t;

typedef struct {
    pattern_t *pattern;
    node_t *node;
} pattern_property_t;

/* When there is a member of that name: node holds, others are there too. */
typedef struct {
    const char *name;
    node_t *node;
    const char **names;
    int count;
} dependent_t;

typedef struct {
    apr_int64_t least, most;
    apr_array_header_t *properties;      /* property_t */
    apr_hash_t *by_name;                 /* name: int, its index there */
    apr_array_header_t *patterns;        /* pattern_property_t */
    apr_array_header_t *dependents;      /* dependent_t */
    node_t *additional;
    node_t *names;
    int names_matter;                    /* not every string is a name */
    node_t *unevaluated;
} object_rules_t;

typedef struct {
    node_list_t all, any, one;
    node_t *not, *cond, *then, *otherwise;
    /* the member whose constants tell the branches of one apart, or NULL */
    const char *tag;
} logic_rules_t;

struct mastra_schema_node_t {
    mastra_json_t *json;
    const char *location;        /* "#/properties/a" */
    resource_t *resource;
    int never;                   /* the schema false */
    int trivial;                 /* true, or without a rule */
    unsigned types;              /* 0: any */
    const mastra_json_t *values; /* of enum, or NULL */
    const mastra_json_t *value;  /* of const, or NULL */
    node_t *ref;
    node_t *dynamic_ref;         /* where it leads without a wider scope */
    const char *dynamic_name;    /* NULL: it leads there always */
    number_rules_t *number;
    string_rules_t *string;
    array_rules_t *array;
    object_rules_t *object;
    logic_rules_t *logic;
    mastra_json_t *initial;      /* "default" */
    const char *format;
};

struct mastra_schema_t {
    node_t *root;
    int has_dynamic;             /* some $dynamicRef depends on the scope */
};

typedef struct {
    apr_pool_t *pool;
    mastra_schema_t *schema;
    apr_hash_t *nodes;           /* mastra_json_t *: node_t */
    apr_hash_t *resources;       /* uri: resource_t */
    apr_array_header_t *pending; /* references that are not yet resolved */
    mastra_result_t *error;
    int depth;
} compiler_t;

/* --- compile.c ----------------------------------------------------------- */

/* The node of a subschema, made when it is new. NULL: c->error is set. */
node_t *mastra_schema_node(compiler_t *c, mastra_json_t *json,
                           const char *location, resource_t *resource);
/* A resource with json as its root, not yet compiled. */
resource_t *mastra_schema_resource(compiler_t *c, const char *uri,
                                   mastra_json_t *json, draft_e draft);
/* Sets c->error, "location: why"; returns 0. */
int mastra_schema_fault(compiler_t *c, const char *location, const char *fmt,
                        ...) __attribute__((format(printf, 3, 4)));
/* location/step, the step escaped as in a JSON pointer */
const char *mastra_schema_step(compiler_t *c, const char *location,
                               const char *step);

/* --- keyword.c ----------------------------------------------------------- */

/* Compiles all keywords of node->json. 0: c->error is set. */
int mastra_schema_keywords(compiler_t *c, node_t *node);

/* --- ref.c --------------------------------------------------------------- */

/* ref against base, its fragment ("" or without '#') in *pfragment. */
const char *mastra_schema_uri(const char **pfragment, const char *base,
                              const char *ref, apr_pool_t *pool);
/* Remembers that node refers to ref; resolved when all is compiled. */
void mastra_schema_refer(compiler_t *c, node_t *node, const char *ref,
                         int dynamic);
int mastra_schema_resolve_all(compiler_t *c);

/* --- meta.c -------------------------------------------------------------- */

/* The text of the schema of schemas with that URI, NULL for others. */
const char *mastra_schema_meta(const char *uri, draft_e *draft);

/* --- tag.c --------------------------------------------------------------- */

/* The member that tells the branches of list apart, NULL when there is none. */
const char *mastra_schema_tag(const node_list_t *list, apr_pool_t *pool);
/* The branch that the tag of value asks for, NULL when none does. */
const node_t *mastra_schema_branch(const node_list_t *list, const char *tag,
                                   const mastra_json_t *value);
/* What node says of the member name: its schema, references followed. */
const node_t *mastra_schema_member(const node_t *node, const char *name);
const node_t *mastra_schema_follow(const node_t *node);
/* All values of tag: "'a' | 'b'" */
const char *mastra_schema_tags(const node_list_t *list, const char *tag,
                               apr_pool_t *pool);

/* --- pattern.c ----------------------------------------------------------- */

/* NULL: not a regular expression; *why says what is wrong. */
pattern_t *mastra_schema_pattern(const char *text, const char **why,
                                 apr_pool_t *pool);
/* 1, 0, or -1 when the match took too much. */
int mastra_schema_match(const pattern_t *pattern, const char *text,
                        apr_size_t len);

/* --- number.c ------------------------------------------------------------ */

/* -1, 0, 1 as a is less than, equal to, greater than b; exact. */
int mastra_schema_compare(const mastra_json_t *a, const mastra_json_t *b);
/* Whether value is a multiple of divisor, both as decimal numbers. */
int mastra_schema_multiple(const mastra_json_t *value,
                           const mastra_json_t *divisor);
int mastra_schema_is_whole(const mastra_json_t *number);
/* Whether all elements differ. */
int mastra_schema_all_differ(const mastra_json_t *array);

/* --- validate.c ---------------------------------------------------------- */

/* Where in the instance a check is: a chain towards the root. */
typedef struct place_t {
    const struct place_t *up;    /* NULL: the root */
    const char *key;             /* NULL: an element */
    apr_size_t index;
} place_t;

typedef struct scope_t {
    const struct scope_t *up;
    const resource_t *resource;
} scope_t;

typedef struct {
    const mastra_schema_t *schema;
    const scope_t *scope;        /* resources entered, the innermost first */
    apr_pool_t *pool;
    apr_array_header_t *errors;  /* NULL: not asked for, stop at the first */
    int truncated;
    int hard;                    /* errors that are more than a broken limit */
    int depth;
    long work;
    int spent;                   /* depth or work is used up */
} check_t;

/* Which members or elements of one value some keyword has looked at. */
typedef struct {
    apr_uint64_t few[2];
    apr_uint64_t *bits;          /* few, or from malloc */
    apr_size_t count;
} seen_t;

/* 1: value is valid. seen: NULL, or gets what node saw of a valid value. */
int mastra_schema_check(check_t *c, const node_t *node,
                        const mastra_json_t *value, const place_t *at,
                        seen_t *seen);
/* The same without errors. */
int mastra_schema_holds(check_t *c, const node_t *node,
                        const mastra_json_t *value, const place_t *at,
                        seen_t *seen);

/* --- container.c --------------------------------------------------------- */

void mastra_seen_init(seen_t *seen, const mastra_json_t *value);
void mastra_seen_free(seen_t *seen);
/* Adds what other has seen of the same value. */
void mastra_seen_merge(seen_t *seen, const seen_t *other);
int mastra_schema_check_array(check_t *c, const node_t *node,
                              const mastra_json_t *value, const place_t *at,
                              seen_t *seen);
int mastra_schema_check_object(check_t *c, const node_t *node,
                               const mastra_json_t *value, const place_t *at,
                               seen_t *seen);
/* unevaluatedItems and unevaluatedProperties: what was not seen */
int mastra_schema_check_rest(check_t *c, const node_t *node,
                             const mastra_json_t *value, const place_t *at,
                             seen_t *seen);

/* --- message.c ----------------------------------------------------------- */

/* Each appends errors when c->errors is there, and returns 0. hard: zod would
 * not go on with the value. */
int mastra_schema_error(check_t *c, const node_t *node, const char *keyword,
                        const place_t *at, int hard, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
int mastra_schema_error_type(check_t *c, const node_t *node,
                             const mastra_json_t *value, const place_t *at);
int mastra_schema_error_values(check_t *c, const node_t *node,
                               const place_t *at);
int mastra_schema_error_pattern(check_t *c, const node_t *node,
                                const place_t *at);
int mastra_schema_error_size(check_t *c, const node_t *node,
                             const char *keyword, const place_t *at,
                             const char *what, const char *unit,
                             apr_int64_t limit, int exact);
int mastra_schema_error_number(check_t *c, const node_t *node,
                               const char *keyword, const place_t *at,
                               const mastra_json_t *limit);
int mastra_schema_error_union(check_t *c, const node_t *node,
                              const mastra_json_t *value, const place_t *at);
/* oneOf: how many of its branches value satisfies, not being one */
int mastra_schema_error_one(check_t *c, const node_t *node,
                            const mastra_json_t *value, const place_t *at,
                            int matches);
/* keys: const char *, in value but not allowed there */
int mastra_schema_error_keys(check_t *c, const node_t *node,
                             const char *keyword, const place_t *at,
                             const apr_array_header_t *keys);
/* value is not there at all ("undefined"): what node says to that */
int mastra_schema_error_missing(check_t *c, const node_t *node,
                                const place_t *at);

#endif
