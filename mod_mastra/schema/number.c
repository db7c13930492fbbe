/* Exact arithmetic of validation, and elements that must differ. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* up to here pairs are compared, beyond hashes are sorted */
#define FEW_ELEMENTS 24

typedef unsigned __int128 wide_t;

/* digits times ten to the power of exponent, without its sign */
typedef struct {
    apr_uint64_t digits;
    int exponent;
} decimal_t;

int mastra_schema_is_whole(const mastra_json_t *number)
{
    double value;

    if (mastra_json_is_integer(number)) {
        return 1;
    }
    value = mastra_json_num(number);
    return isfinite(value) && value == floor(value);
}

static int compare_int_real(apr_int64_t a, double b)
{
    double whole;

    if (b >= 0x1p63) {
        return -1;
    }
    if (b < -0x1p63) {
        return 1;
    }
    whole = trunc(b);
    if (a != (apr_int64_t)whole) {
        return a < (apr_int64_t)whole ? -1 : 1;
    }
    return b > whole ? -1 : b < whole;
}

int mastra_schema_compare(const mastra_json_t *a, const mastra_json_t *b)
{
    int a_int = mastra_json_is_integer(a), b_int = mastra_json_is_integer(b);

    if (a_int && b_int) {
        return mastra_json_int(a) < mastra_json_int(b) ? -1
               : mastra_json_int(a) > mastra_json_int(b);
    }
    if (a_int) {
        return compare_int_real(mastra_json_int(a), mastra_json_num(b));
    }
    if (b_int) {
        return -compare_int_real(mastra_json_int(b), mastra_json_num(a));
    }
    return mastra_json_num(a) < mastra_json_num(b) ? -1
           : mastra_json_num(a) > mastra_json_num(b);
}

/* The number as it is written: 0.0001 is one ten-thousandth, which no double
 * is. Numbers print with at most 19 digits, zeros at the end aside. */
static decimal_t to_decimal(const mastra_json_t *number)
{
    decimal_t out = { 0, 0 };
    mastra_buf_t buf;
    const char *s;
    int zeros = 0, behind = 0;

    mastra_buf_init(&buf, 64);
    mastra_json_write(&buf, number);
    for (s = buf.data ? buf.data : ""; *s && *s != 'e'; s++) {
        if (*s == '.') {
            behind = 1;
        }
        if (*s < '0' || *s > '9') {
            continue;
        }
        out.exponent -= behind;
        zeros++;
        if (*s != '0') {
            for (; zeros > 1; zeros--) {
                out.digits *= 10;
            }
            zeros = 0;
            out.digits = out.digits * 10 + (apr_uint64_t)(*s - '0');
        }
    }
    out.exponent += zeros;
    if (*s == 'e') {
        out.exponent += atoi(s + 1);
    }
    mastra_buf_free(&buf);
    return out;
}

int mastra_schema_multiple(const mastra_json_t *value,
                           const mastra_json_t *divisor)
{
    decimal_t a, b;
    wide_t rest, scaled;

    if (mastra_json_is_integer(value) && mastra_json_is_integer(divisor)) {
        return mastra_json_int(divisor) == -1
               || mastra_json_int(value) % mastra_json_int(divisor) == 0;
    }
    a = to_decimal(value);
    b = to_decimal(divisor);
    if (!a.digits || !b.digits) {
        return a.digits == 0;
    }
    rest = a.digits % b.digits;
    for (; a.exponent > b.exponent; a.exponent--) {
        rest = rest * 10 % b.digits;
    }
    if (a.exponent == b.exponent) {
        return rest == 0;
    }
    for (scaled = b.digits; a.exponent < b.exponent; a.exponent++) {
        scaled *= 10;
        if (scaled > a.digits) {
            return 0;
        }
    }
    return a.digits % scaled == 0;
}

/* --- elements that must differ ------------------------------------------- */

typedef struct {
    apr_uint64_t hash;
    const mastra_json_t *json;
} hashed_t;

static apr_uint64_t mix(apr_uint64_t hash, const void *data, apr_size_t len)
{
    const unsigned char *s = data;

    while (len--) {
        hash = (hash ^ *s++) * APR_UINT64_C(0x100000001b3);
    }
    return hash;
}

/* Equal values have equal hashes: 1 and 1.0, members in any order. Nobody
 * outside knows the seed, and so what collides. */
static apr_uint64_t hash_of(const mastra_json_t *json, apr_uint64_t seed)
{
    mastra_json_type_e type = mastra_json_type(json);
    apr_uint64_t hash = seed, part;
    apr_size_t i, n;
    double value;
    void *m;

    switch (type) {
    case MASTRA_JSON_STRING:
        return mix(hash, mastra_json_str(json), mastra_json_len(json));
    case MASTRA_JSON_INTEGER:
    case MASTRA_JSON_REAL:
        value = mastra_json_num(json);
        return mix(hash + 1, &value, sizeof(value));
    case MASTRA_JSON_ARRAY:
        hash += 2;
        n = mastra_json_size(json);
        for (i = 0; i < n; i++) {
            part = hash_of(mastra_json_at(json, i), seed);
            hash = mix(hash, &part, sizeof(part));
        }
        return hash;
    case MASTRA_JSON_OBJECT:
        hash += 3;
        for (m = mastra_json_iter(json); m; m = mastra_json_next(json, m)) {
            part = hash_of(mastra_json_value(m), seed);
            hash += mix(part, mastra_json_key(m), strlen(mastra_json_key(m)));
        }
        return hash;
    default:
        return hash + 4 + type;
    }
}

static int by_hash(const void *a, const void *b)
{
    const hashed_t *one = a, *two = b;

    return one->hash < two->hash ? -1 : one->hash > two->hash;
}

static int few_differ(const mastra_json_t *array, apr_size_t n)
{
    apr_size_t i, j;

    for (i = 1; i < n; i++) {
        for (j = 0; j < i; j++) {
            if (mastra_json_equal(mastra_json_at(array, i),
                                  mastra_json_at(array, j))) {
                return 0;
            }
        }
    }
    return 1;
}

int mastra_schema_all_differ(const mastra_json_t *array)
{
    apr_size_t i, j, n = mastra_json_size(array);
    apr_uint64_t seed;
    char random[2 * sizeof(seed) + 1];
    hashed_t *all;
    int differ = 1;

    if (n <= FEW_ELEMENTS) {
        return few_differ(array, n);
    }
    all = malloc(n * sizeof(*all));
    if (!all) {
        return 0;
    }
    mastra_text_random_hex(random, sizeof(seed));
    seed = strtoull(random, NULL, 16);
    for (i = 0; i < n; i++) {
        all[i].json = mastra_json_at(array, i);
        all[i].hash = hash_of(all[i].json, seed);
    }
    qsort(all, n, sizeof(*all), by_hash);
    for (i = 1; i < n && differ; i++) {
        for (j = i; j-- > 0 && all[j].hash == all[i].hash && differ;) {
            differ = !mastra_json_equal(all[i].json, all[j].json);
        }
    }
    free(all);
    return differ;
}
