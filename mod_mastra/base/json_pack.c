/* Values made from a format: jansson's pack language, as far as it is used
 * here. Keys and formats are those of the source, so nothing of them is checked
 * each time, which is most of what jansson's own packer does. */

#include <jansson.h>

#include "internal.h"

typedef struct {
    const char *at;          /* what is left of the format */
    va_list args;
    int failed;
} pack_t;

static json_t *pack_value(pack_t *pack);

/* The next character that means something. */
static char peek(pack_t *pack)
{
    while (*pack->at == ' ' || *pack->at == ',' || *pack->at == ':') {
        pack->at++;
    }
    return *pack->at;
}

/* A value that may be left out: NULL and a star, null and a question mark. */
static json_t *or_else(pack_t *pack, json_t *value)
{
    char mark = *pack->at;

    if (mark == '*' || mark == '?') {
        pack->at++;
    }
    if (!value && mark == '?') {
        return json_null();
    }
    pack->failed |= !value && mark != '*';
    return value;
}

static json_t *pack_string(pack_t *pack)
{
    const char *text = va_arg(pack->args, const char *);

    return or_else(pack, text ? mastra_json_string(text) : NULL);
}

static json_t *pack_object(pack_t *pack)
{
    json_t *object = json_object(), *value;
    const char *key;

    while (peek(pack) == 's') {
        pack->at++;
        key = va_arg(pack->args, const char *);
        value = pack_value(pack);
        if (value && json_object_set_new_nocheck(object, key, value)) {
            pack->failed = 1;
        }
    }
    pack->failed |= *pack->at != '}';
    pack->at += *pack->at == '}';
    return object;
}

static json_t *pack_array(pack_t *pack)
{
    json_t *array = json_array(), *value;

    while (peek(pack) && *pack->at != ']' && !pack->failed) {
        value = pack_value(pack);
        if (value && json_array_append_new(array, value)) {
            pack->failed = 1;
        }
    }
    pack->failed |= *pack->at != ']';
    pack->at += *pack->at == ']';
    return array;
}

static json_t *pack_value(pack_t *pack)
{
    char kind = peek(pack);

    pack->at += kind != '\0';
    switch (kind) {
    case '{':
        return pack_object(pack);
    case '[':
        return pack_array(pack);
    case 's':
        return pack_string(pack);
    case 'o':
        return or_else(pack, va_arg(pack->args, json_t *));
    case 'O':
        return or_else(pack, json_incref(va_arg(pack->args, json_t *)));
    case 'i':
        return mastra_json_integer(va_arg(pack->args, int));
    case 'I':
        return mastra_json_integer(va_arg(pack->args, json_int_t));
    case 'b':
        return json_boolean(va_arg(pack->args, int));
    case 'n':
        return json_null();
    case 'f':
        return mastra_json_real(va_arg(pack->args, double));
    default:
        pack->failed = 1;
        return NULL;
    }
}

mastra_json_t *mastra_json_pack(const char *fmt, ...)
{
    pack_t pack = { fmt };
    json_t *json;

    va_start(pack.args, fmt);
    json = pack_value(&pack);
    va_end(pack.args);
    if (pack.failed || peek(&pack)) {
        json_decref(json);
        return NULL;
    }
    return json;
}
