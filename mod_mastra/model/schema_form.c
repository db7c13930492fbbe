/* JSON Schemas in the dialects of model servers that take only a part of the
 * language. */
#include <string.h>

#include "internal.h"

#define MAX_NODES 4096           /* references can multiply a schema */
#define MAX_REFS 16              /* references inside references */

typedef struct {
    const mastra_json_t *root;
    int nodes;
    int refs;
} form_t;

static int is_null_type(const mastra_json_t *schema)
{
    const char *type = mastra_json_get_str(schema, "type");

    return type && strcmp(type, "null") == 0;
}

static void put(mastra_json_t *made, const char *key, mastra_json_t *value)
{
    if (value && !mastra_json_is_null(value)) {
        mastra_json_set(made, key, mastra_json_ref(value));
    }
}

/* ---- Google: the schema object of OpenAPI 3.0 ---- */

static mastra_json_t *google_node(form_t *form, const mastra_json_t *schema);

/* The schema that "#/a/b" names, or NULL. */
static const mastra_json_t *find_ref(const mastra_json_t *root,
                                     const char *ref)
{
    char name[128];

    if (*ref++ != '#') {
        return NULL;
    }
    while (*ref == '/' && root) {
        apr_size_t len = strcspn(++ref, "/");

        if (len >= sizeof(name)) {
            return NULL;
        }
        memcpy(name, ref, len);
        name[len] = '\0';
        root = mastra_json_get(root, name);
        ref += len;
    }
    return *ref ? NULL : root;
}

static mastra_json_t *google_list(form_t *form, const mastra_json_t *list,
                                  int no_null)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(list); i++) {
        const mastra_json_t *one = mastra_json_at(list, i);

        if (!no_null || !is_null_type(one)) {
            mastra_json_append(made, google_node(form, one));
        }
    }
    return made;
}

/* type: a name, or a list of names, of which null becomes "nullable". */
static void google_type(mastra_json_t *made, mastra_json_t *type)
{
    mastra_json_t *others;
    apr_size_t i;

    if (!mastra_json_is_array(type)) {
        put(made, "type", type);
        return;
    }
    others = mastra_json_array();
    for (i = 0; i < mastra_json_size(type); i++) {
        const char *name = mastra_json_str(mastra_json_at(type, i));

        if (name && strcmp(name, "null") == 0) {
            mastra_json_set_bool(made, "nullable", 1);
        }
        else if (name) {
            mastra_json_append(others, mastra_json_pack("{s:s}", "type", name));
        }
    }
    if (mastra_json_size(others) > 1) {
        mastra_json_set(made, "anyOf", others);
        return;
    }
    mastra_json_merge(made, mastra_json_at(others, 0));
    mastra_json_unref(others);
}

/* A choice that is null or one other thing is that thing, nullable. */
static void google_any(form_t *form, mastra_json_t *made,
                       const mastra_json_t *any)
{
    mastra_json_t *list = google_list(form, any, 1);

    if (mastra_json_size(list) < mastra_json_size(any)) {
        mastra_json_set_bool(made, "nullable", 1);
        if (mastra_json_size(list) == 1) {
            mastra_json_merge(made, mastra_json_at(list, 0));
            mastra_json_unref(list);
            return;
        }
    }
    mastra_json_set(made, "anyOf", list);
}

static mastra_json_t *google_properties(form_t *form,
                                        const mastra_json_t *properties)
{
    mastra_json_t *made = mastra_json_object();
    void *i;

    for (i = mastra_json_iter(properties); i;
         i = mastra_json_next(properties, i)) {
        mastra_json_set(made, mastra_json_key(i),
                        google_node(form, mastra_json_value(i)));
    }
    return made;
}

static void google_members(form_t *form, mastra_json_t *made,
                           const mastra_json_t *schema)
{
    mastra_json_t *constant = mastra_json_get(schema, "const");
    const mastra_json_t *items = mastra_json_get(schema, "items");
    const mastra_json_t *any = mastra_json_get(schema, "anyOf");

    put(made, "description", mastra_json_get(schema, "description"));
    put(made, "required", mastra_json_get(schema, "required"));
    put(made, "format", mastra_json_get(schema, "format"));
    if (constant) {
        mastra_json_set(made, "enum", mastra_json_pack("[O]", constant));
    }
    google_type(made, mastra_json_get(schema, "type"));
    put(made, "enum", mastra_json_get(schema, "enum"));
    if (mastra_json_get(schema, "properties")) {
        mastra_json_set(made, "properties", google_properties(
                            form, mastra_json_get(schema, "properties")));
    }
    if (mastra_json_is_array(items)) {
        mastra_json_set(made, "items",
                        google_node(form, mastra_json_at(items, 0)));
    }
    else if (items) {
        mastra_json_set(made, "items", google_node(form, items));
    }
    if (mastra_json_get(schema, "allOf")) {
        mastra_json_set(made, "allOf", google_list(
                            form, mastra_json_get(schema, "allOf"), 0));
    }
    if (mastra_json_is_array(any)) {
        google_any(form, made, any);
    }
    if (mastra_json_get(schema, "oneOf")) {
        mastra_json_set(made, "oneOf", google_list(
                            form, mastra_json_get(schema, "oneOf"), 0));
    }
    put(made, "minLength", mastra_json_get(schema, "minLength"));
}

static mastra_json_t *google_node(form_t *form, const mastra_json_t *schema)
{
    const char *ref = mastra_json_get_str(schema, "$ref");
    mastra_json_t *made;

    if (mastra_json_is_bool(schema) || form->nodes >= MAX_NODES) {
        return mastra_json_pack("{s:s}", "type", "object");
    }
    form->nodes++;
    if (ref) {
        const mastra_json_t *target = form->refs < MAX_REFS
            ? find_ref(form->root, ref) : NULL;

        form->refs++;
        made = target ? google_node(form, target)
                      : mastra_json_pack("{s:s}", "type", "object");
        form->refs--;
        put(made, "description", mastra_json_get(schema, "description"));
        return made;
    }
    made = mastra_json_object();
    google_members(form, made, schema);
    return made;
}

mastra_json_t *mastra_schema_google(const mastra_json_t *schema)
{
    form_t form = { .root = schema };
    const char *type = mastra_json_get_str(schema, "type");

    if (!schema || (type && strcmp(type, "object") == 0
                    && !mastra_json_size(mastra_json_get(schema, "properties"))
                    && !mastra_json_is_true(mastra_json_get(
                           schema, "additionalProperties"))
                    && !mastra_json_is_object(mastra_json_get(
                           schema, "additionalProperties")))) {
        return NULL;
    }
    return google_node(&form, schema);
}

/* ---- Anthropic ---- */

static mastra_json_t *anthropic_node(const mastra_json_t *schema);

/* What is not checked by the server is told to the model. */
static const char *const told[] = {
    "pattern", "minLength", "maxLength", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems",
    "maxItems", "uniqueItems", "minProperties", "maxProperties", "not", NULL
};

static int is_format(const char *format)
{
    static const char *const formats[] = {
        "date-time", "time", "date", "duration", "email", "hostname", "uri",
        "ipv4", "ipv6", "uuid"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(formats[i], format) == 0) {
            return 1;
        }
    }
    return 0;
}

static void tell(mastra_buf_t *text, const char *key,
                 const mastra_json_t *value)
{
    if (!value || mastra_json_is_null(value)
        || (mastra_json_is_bool(value) && !mastra_json_is_true(value))) {
        return;
    }
    mastra_buf_printf(text, "%s%s: ", text->len ? "; " : "", key);
    mastra_json_write(text, value);
}

static void tell_constraints(mastra_json_t *made, const mastra_json_t *schema)
{
    const char *before = mastra_json_get_str(made, "description");
    mastra_json_t *format = mastra_json_get(schema, "format");
    mastra_buf_t text, all;
    int i;

    mastra_buf_init(&text, 64 * 1024);
    for (i = 0; told[i]; i++) {
        tell(&text, told[i], mastra_json_get(schema, told[i]));
    }
    if (mastra_json_is_string(format)) {
        if (is_format(mastra_json_str(format))) {
            put(made, "format", format);
        }
        else {
            tell(&text, "format", format);
        }
    }
    if (text.len) {
        mastra_buf_init(&all, 1024 * 1024);
        mastra_buf_printf(&all, "%s%s%s.", before ? before : "",
                          before ? "\n" : "", text.data);
        mastra_json_set(made, "description",
                        mastra_json_stringn(all.data ? all.data : "",
                                            all.len));
        mastra_buf_free(&all);
    }
    mastra_buf_free(&text);
}

static mastra_json_t *anthropic_list(const mastra_json_t *list)
{
    mastra_json_t *made = mastra_json_array();
    apr_size_t i;

    for (i = 0; i < mastra_json_size(list); i++) {
        mastra_json_append(made, anthropic_node(mastra_json_at(list, i)));
    }
    return made;
}

static mastra_json_t *anthropic_map(const mastra_json_t *map)
{
    mastra_json_t *made = mastra_json_object();
    void *i;

    for (i = mastra_json_iter(map); i; i = mastra_json_next(map, i)) {
        mastra_json_set(made, mastra_json_key(i),
                        anthropic_node(mastra_json_value(i)));
    }
    return made;
}

/* Members that hold schemas. */
static void anthropic_nested(mastra_json_t *made, const mastra_json_t *schema)
{
    static const char *const maps[] = { "definitions", "$defs", "properties" };
    const mastra_json_t *any = mastra_json_get(schema, "anyOf");
    const mastra_json_t *items = mastra_json_get(schema, "items");
    apr_size_t i;

    any = any ? any : mastra_json_get(schema, "oneOf");
    if (any) {
        mastra_json_set(made, "anyOf", anthropic_list(any));
    }
    if (mastra_json_get(schema, "allOf")) {
        mastra_json_set(made, "allOf",
                        anthropic_list(mastra_json_get(schema, "allOf")));
    }
    for (i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        const mastra_json_t *map = mastra_json_get(schema, maps[i]);

        if (mastra_json_is_object(map)) {
            mastra_json_set(made, maps[i], anthropic_map(map));
        }
    }
    if (items) {
        mastra_json_set(made, "items",
                        mastra_json_is_array(items) ? anthropic_list(items)
                                                    : anthropic_node(items));
    }
}

static mastra_json_t *anthropic_node(const mastra_json_t *schema)
{
    static const char *const kept[] = {
        "$schema", "$id", "title", "description", "default", "const", "enum",
        "type"
    };
    mastra_json_t *ref = mastra_json_get(schema, "$ref");
    const char *type = mastra_json_get_str(schema, "type");
    mastra_json_t *made;
    apr_size_t i;

    if (!mastra_json_is_object(schema)) {
        return mastra_json_copy(schema);
    }
    if (ref) {
        return mastra_json_pack("{s:O}", "$ref", ref);
    }
    made = mastra_json_object();
    for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        put(made, kept[i], mastra_json_get(schema, kept[i]));
    }
    anthropic_nested(made, schema);
    if (mastra_json_get(schema, "properties")
        || (type && strcmp(type, "object") == 0)) {
        mastra_json_set_bool(made, "additionalProperties", 0);
        put(made, "required", mastra_json_get(schema, "required"));
    }
    tell_constraints(made, schema);
    return made;
}

mastra_json_t *mastra_schema_anthropic(const mastra_json_t *schema)
{
    return anthropic_node(schema);
}
