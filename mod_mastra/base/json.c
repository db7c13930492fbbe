/* JSON values: with json_pack.c and json_shared.c the one place that knows
 * jansson. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_strings.h>
#include <jansson.h>

#include "internal.h"

/* what mastra_json_text and mastra_json_dup_text may grow to */
#define TEXT_LIMIT ((apr_size_t)256 * 1024 * 1024)
#define TEXT_USUAL 1000

_Static_assert((int)MASTRA_JSON_OBJECT == (int)JSON_OBJECT
               && (int)MASTRA_JSON_REAL == (int)JSON_REAL
               && (int)MASTRA_JSON_NULL == (int)JSON_NULL,
               "the types are numbered as jansson numbers them");

/* jansson makes no real of NaN; its count, the highest, is never changed */
static json_t nan_value = { JSON_REAL, (size_t)-1 };

mastra_json_t *mastra_json_ref(mastra_json_t *json)
{
    return json_incref(json);
}

void mastra_json_unref(mastra_json_t *json)
{
    json_decref(json);
}

int mastra_json_is_shared(const mastra_json_t *json)
{
    return json->refcount > 1;
}

static apr_status_t unref_cb(void *baton)
{
    json_decref(baton);
    return APR_SUCCESS;
}

mastra_json_t *mastra_json_own(mastra_json_t *json, apr_pool_t *pool)
{
    if (json) {
        apr_pool_cleanup_register(pool, json, unref_cb,
                                  apr_pool_cleanup_null);
    }
    return json;
}

/* --- new values ---------------------------------------------------------- */

mastra_json_t *mastra_json_object(void)
{
    return json_object();
}

mastra_json_t *mastra_json_array(void)
{
    return json_array();
}

mastra_json_t *mastra_json_string(const char *value)
{
    return value ? mastra_json_stringn(value, strlen(value)) : json_null();
}

mastra_json_t *mastra_json_stringn(const char *value, apr_size_t len)
{
    mastra_json_t *json = NULL;
    mastra_buf_t clean;

    if (mastra_text_utf8_valid(value, len) == len) {
        return mastra_json_string_valid(value, len);
    }
    mastra_buf_init(&clean, len * 3);
    if (mastra_buf_utf8(&clean, value, len) == APR_SUCCESS) {
        json = mastra_json_string_valid(clean.data, clean.len);
    }
    mastra_buf_free(&clean);
    return json;
}

mastra_json_t *mastra_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

mastra_json_t *mastra_json_nan(void)
{
    return &nan_value;
}

mastra_json_t *mastra_json_bool(int value)
{
    return json_boolean(value);
}

mastra_json_t *mastra_json_null(void)
{
    return json_null();
}

/* --- types and scalars --------------------------------------------------- */

mastra_json_type_e mastra_json_type(const mastra_json_t *json)
{
    return json ? (mastra_json_type_e)json_typeof(json) : MASTRA_JSON_NULL;
}

int mastra_json_is_object(const mastra_json_t *json)
{
    return json_is_object(json);
}

int mastra_json_is_array(const mastra_json_t *json)
{
    return json_is_array(json);
}

int mastra_json_is_string(const mastra_json_t *json)
{
    return json_is_string(json);
}

int mastra_json_is_integer(const mastra_json_t *json)
{
    return json_is_integer(json);
}

int mastra_json_is_number(const mastra_json_t *json)
{
    return json_is_number(json);
}

int mastra_json_is_nan(const mastra_json_t *json)
{
    return json == &nan_value;
}

int mastra_json_is_bool(const mastra_json_t *json)
{
    return json_is_boolean(json);
}

int mastra_json_is_true(const mastra_json_t *json)
{
    return json_is_true(json);
}

int mastra_json_is_null(const mastra_json_t *json)
{
    return json_is_null(json);
}

const char *mastra_json_str(const mastra_json_t *json)
{
    return json_string_value(json);
}

apr_size_t mastra_json_len(const mastra_json_t *json)
{
    return json_string_length(json);
}

static int is_int64(double value)
{
    /* cppcheck-suppress incorrectLogicOperator ; it reads no such literals */
    return value >= -0x1p63 && value < 0x1p63;
}

apr_int64_t mastra_json_int(const mastra_json_t *json)
{
    double value;

    if (!json_is_real(json)) {
        return json_integer_value(json);
    }
    value = mastra_json_num(json);
    return is_int64(value) ? (apr_int64_t)value : 0;
}

double mastra_json_num(const mastra_json_t *json)
{
    return json == &nan_value ? (double)NAN : json_number_value(json);
}

/* --- members ------------------------------------------------------------- */

mastra_json_t *mastra_json_get(const mastra_json_t *object, const char *key)
{
    return json_object_get(object, key);
}

mastra_json_t *mastra_json_path(const mastra_json_t *json, ...)
{
    const char *key;
    va_list ap;

    va_start(ap, json);
    while (json && (key = va_arg(ap, const char *)) != NULL) {
        json = json_object_get(json, key);
    }
    va_end(ap);
    return (mastra_json_t *)json;
}

const char *mastra_json_get_str(const mastra_json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

apr_int64_t mastra_json_get_int(const mastra_json_t *object, const char *key,
                                apr_int64_t otherwise)
{
    json_t *value = json_object_get(object, key);

    return json_is_number(value) ? mastra_json_int(value) : otherwise;
}

double mastra_json_get_num(const mastra_json_t *object, const char *key,
                           double otherwise)
{
    json_t *value = json_object_get(object, key);

    return json_is_number(value) ? mastra_json_num(value) : otherwise;
}

int mastra_json_get_bool(const mastra_json_t *object, const char *key,
                         int otherwise)
{
    json_t *value = json_object_get(object, key);

    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

apr_size_t mastra_json_size(const mastra_json_t *json)
{
    return json_is_object(json) ? json_object_size(json)
                                : json_array_size(json);
}

/* Before a value is changed. */
static inline void changes(const mastra_json_t *json)
{
    if (__builtin_expect(mastra_json_nknown != 0, 0)
        && mastra_json_maybe_known(json)) {
        mastra_json_changes(json);
    }
}

void mastra_json_set(mastra_json_t *object, const char *key,
                     mastra_json_t *value)
{
    apr_size_t len = strlen(key);

    /* jansson's own check of a key looks at each byte by itself */
    if (mastra_text_utf8_valid(key, len) != len) {
        json_decref(value);
        return;
    }
    changes(object);
    json_object_setn_new_nocheck(object, key, len, value);
}

int mastra_json_has(const mastra_json_t *object, const char *key,
                    apr_size_t len)
{
    return json_object_getn(object, key, len) != NULL;
}

int mastra_json_put(mastra_json_t *object, const char *key, apr_size_t len,
                    mastra_json_t *value)
{
    return json_object_setn_new_nocheck(object, key, len, value) == 0;
}

void mastra_json_set_str(mastra_json_t *object, const char *key,
                         const char *value)
{
    if (value) {
        mastra_json_set(object, key, mastra_json_string(value));
    }
}

void mastra_json_set_int(mastra_json_t *object, const char *key,
                         apr_int64_t value)
{
    mastra_json_set(object, key, mastra_json_integer(value));
}

void mastra_json_set_bool(mastra_json_t *object, const char *key, int value)
{
    mastra_json_set(object, key, json_boolean(value));
}

void mastra_json_del(mastra_json_t *object, const char *key)
{
    changes(object);
    json_object_del(object, key);
}

void mastra_json_merge(mastra_json_t *object, const mastra_json_t *other)
{
    changes(object);
    json_object_update(object, (json_t *)other);
}

mastra_json_t *mastra_json_at(const mastra_json_t *array, apr_size_t index)
{
    return json_array_get(array, index);
}

void mastra_json_append(mastra_json_t *array, mastra_json_t *value)
{
    changes(array);
    json_array_append_new(array, value);
}

void mastra_json_insert(mastra_json_t *array, apr_size_t index,
                        mastra_json_t *value)
{
    changes(array);
    json_array_insert_new(array, index, value);
}

void mastra_json_put_at(mastra_json_t *array, apr_size_t index,
                        mastra_json_t *value)
{
    changes(array);
    json_array_set_new(array, index, value);
}

void mastra_json_remove(mastra_json_t *array, apr_size_t index)
{
    changes(array);
    json_array_remove(array, index);
}

void mastra_json_extend(mastra_json_t *array, const mastra_json_t *other)
{
    changes(array);
    json_array_extend(array, (json_t *)other);
}

void *mastra_json_iter(const mastra_json_t *object)
{
    return json_object_iter((json_t *)object);
}

void *mastra_json_next(const mastra_json_t *object, void *iter)
{
    return json_object_iter_next((json_t *)object, iter);
}

const char *mastra_json_key(void *iter)
{
    return json_object_iter_key(iter);
}

apr_size_t mastra_json_keylen(void *iter)
{
    return json_object_iter_key_len(iter);
}

mastra_json_t *mastra_json_value(void *iter)
{
    return json_object_iter_value(iter);
}

/* --- whole values -------------------------------------------------------- */

mastra_json_t *mastra_json_copy(const mastra_json_t *json)
{
    return json_deep_copy(json);
}

mastra_json_t *mastra_json_copy_flat(const mastra_json_t *json)
{
    return json_copy((json_t *)json);
}

static int numbers_equal(const mastra_json_t *a, const mastra_json_t *b)
{
    double value;

    if (json_is_integer(a) && json_is_integer(b)) {
        return json_integer_value(a) == json_integer_value(b);
    }
    if (json_is_real(a) && json_is_real(b)) {
        return mastra_json_num(a) == mastra_json_num(b);
    }
    if (json_is_real(a)) {
        return numbers_equal(b, a);
    }
    /* as integers: a double holds no more than 53 bits */
    value = mastra_json_num(b);
    return value == floor(value) && is_int64(value)
           && json_integer_value(a) == (json_int_t)value;
}

static int objects_equal(const mastra_json_t *a, const mastra_json_t *b)
{
    void *i;

    if (json_object_size(a) != json_object_size(b)) {
        return 0;
    }
    for (i = mastra_json_iter(a); i; i = mastra_json_next(a, i)) {
        if (!mastra_json_equal(mastra_json_value(i),
                               json_object_getn(b, mastra_json_key(i),
                                                mastra_json_keylen(i)))) {
            return 0;
        }
    }
    return 1;
}

static int arrays_equal(const mastra_json_t *a, const mastra_json_t *b)
{
    apr_size_t i, n = json_array_size(a);

    if (n != json_array_size(b)) {
        return 0;
    }
    for (i = 0; i < n; i++) {
        if (!mastra_json_equal(json_array_get(a, i), json_array_get(b, i))) {
            return 0;
        }
    }
    return 1;
}

int mastra_json_equal(const mastra_json_t *a, const mastra_json_t *b)
{
    if (!a || !b) {
        return a == b;
    }
    if (json_is_number(a) && json_is_number(b)) {
        return numbers_equal(a, b);
    }
    if (json_typeof(a) != json_typeof(b)) {
        return 0;
    }
    switch (json_typeof(a)) {
    case JSON_OBJECT:
        return objects_equal(a, b);
    case JSON_ARRAY:
        return arrays_equal(a, b);
    case JSON_STRING:
        return json_string_length(a) == json_string_length(b)
               && memcmp(json_string_value(a), json_string_value(b),
                         json_string_length(a)) == 0;
    default:
        return 1;
    }
}

const char *mastra_json_text(const mastra_json_t *json, apr_pool_t *pool)
{
    return mastra_json_text_within(json, TEXT_LIMIT, pool);
}

const char *mastra_json_text_within(const mastra_json_t *json,
                                    apr_size_t limit, apr_pool_t *pool)
{
    const char *text = NULL;
    mastra_buf_t buf;

    if (!json) {
        return NULL;
    }
    mastra_buf_init(&buf, limit);
    /* it goes at once, and need not grow by steps */
    if (limit > TEXT_USUAL) {
        mastra_buf_reserve(&buf, TEXT_USUAL);
    }
    if (mastra_json_write(&buf, json) == APR_SUCCESS) {
        text = apr_pstrmemdup(pool, buf.data, buf.len);
    }
    mastra_buf_free(&buf);
    return text;
}

char *mastra_json_dup_text(const mastra_json_t *json, apr_size_t *plen)
{
    mastra_buf_t buf;

    mastra_buf_init(&buf, TEXT_LIMIT);
    if (!json || mastra_json_write(&buf, json) != APR_SUCCESS) {
        mastra_buf_free(&buf);
        return NULL;
    }
    return mastra_buf_detach(&buf, plen);
}

static apr_status_t read_all(char **ptext, apr_size_t *plen, const char *path,
                             apr_size_t limit, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_file_t *file;
    apr_status_t rv;
    char *text;

    rv = apr_file_open(&file, path, APR_READ | APR_BINARY, 0, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_file_info_get(&info, APR_FINFO_SIZE, file);
    if (rv == APR_SUCCESS && (info.size < 0
                              || (apr_uint64_t)info.size > limit)) {
        rv = APR_ENOSPC;
    }
    if (rv == APR_SUCCESS) {
        text = apr_palloc(pool, (apr_size_t)info.size + 1);
        rv = apr_file_read_full(file, text, (apr_size_t)info.size, plen);
        *ptext = text;
    }
    apr_file_close(file);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

apr_status_t mastra_json_read_file(mastra_json_t **pjson, const char *path,
                                   apr_size_t limit, mastra_json_error_t *err,
                                   apr_pool_t *pool)
{
    apr_pool_t *sub;
    apr_status_t rv;
    apr_size_t len = 0;
    char *text = NULL;

    apr_pool_create(&sub, pool);
    rv = read_all(&text, &len, path, limit, sub);
    if (rv == APR_SUCCESS) {
        rv = mastra_json_parse(pjson, text, len, 0, err);
    }
    else if (err) {
        memset(err, 0, sizeof(*err));
        if (rv == APR_ENOSPC) {
            snprintf(err->message, sizeof(err->message),
                     "The file is larger than %" APR_SIZE_T_FMT " bytes",
                     limit);
        }
        else {
            apr_strerror(rv, err->message, sizeof(err->message));
        }
    }
    apr_pool_destroy(sub);
    return rv;
}
