/* Ids, hex, base64, dates and other small texts. */

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "internal.h"

#define RANDOM_STOCK 1024

/* Random bytes drawn ahead, as a call of the generator costs far more than
 * the 16 bytes of an id. Each byte is given out once and wiped. A forked
 * child must not give out what its parent holds: hence the count. */
static __thread struct {
    unsigned char bytes[RANDOM_STOCK];
    apr_size_t left;
    unsigned forks;
} stock;

static unsigned forks;

/* In a child, which has one thread then. */
static void count_fork(void)
{
    forks++;
}

static __attribute__((constructor)) void watch_forks(void)
{
    if (pthread_atfork(NULL, NULL, count_fork)) {
        abort();
    }
}

static const char hex_digits[] = "0123456789abcdef";

static void fill_random(unsigned char *out, apr_size_t n)
{
    if (RAND_bytes(out, (int)n) == 1) {
        return;
    }
    /* an id that can be guessed is worse than no process */
    if (getrandom(out, n, 0) != (ssize_t)n) {
        abort();
    }
}

static void take_random(unsigned char *out, apr_size_t n)
{
    unsigned char *from;

    if (n > RANDOM_STOCK / 4) {
        fill_random(out, n);
        return;
    }
    if (stock.left < n || stock.forks != forks) {
        fill_random(stock.bytes, RANDOM_STOCK);
        stock.left = RANDOM_STOCK;
        stock.forks = forks;
    }
    stock.left -= n;
    from = stock.bytes + stock.left;
    memcpy(out, from, n);
    OPENSSL_cleanse(from, n);
}

void mastra_text_hex(char *out, const unsigned char *data, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        *out++ = hex_digits[data[i] >> 4];
        *out++ = hex_digits[data[i] & 15];
    }
    *out = '\0';
}

const char *mastra_text_sha256(const char *data, apr_size_t len,
                               apr_pool_t *pool)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    char *out;

    if (!EVP_Digest(data, len, digest, &n, EVP_sha256(), NULL)) {
        abort();
    }
    out = apr_palloc(pool, 2 * n + 1);
    mastra_text_hex(out, digest, n);
    return out;
}

void mastra_text_random_hex(char *out, apr_size_t n)
{
    unsigned char part[64];
    apr_size_t len;

    *out = '\0';
    for (; n; n -= len) {
        len = n < sizeof(part) ? n : sizeof(part);
        take_random(part, len);
        mastra_text_hex(out, part, len);
        out += 2 * len;
    }
    OPENSSL_cleanse(part, sizeof(part));
}

/* Sets the version and the variant of RFC 9562. */
static void write_uuid(char *out, unsigned char *id, int version)
{
    static const int groups[] = { 4, 2, 2, 2, 6 };
    int i;

    id[6] = (unsigned char)((id[6] & 0x0F) | version << 4);
    id[8] = (id[8] & 0x3F) | 0x80;
    for (i = 0; i < 5; i++) {
        mastra_text_hex(out, id, groups[i]);
        id += groups[i];
        out += 2 * groups[i];
        *out++ = i < 4 ? '-' : '\0';
    }
}

void mastra_text_uuid(char *out)
{
    unsigned char id[16];

    take_random(id, sizeof(id));
    write_uuid(out, id, 4);
}

const char *mastra_text_uuid_make(apr_pool_t *pool)
{
    char *out = apr_palloc(pool, MASTRA_UUID_LEN + 1);

    mastra_text_uuid(out);
    return out;
}

const char *mastra_text_uuid_timed(apr_pool_t *pool)
{
    char *out = apr_palloc(pool, MASTRA_UUID_LEN + 1);
    apr_int64_t now = mastra_text_now_ms();
    unsigned char id[16];
    int i;

    take_random(id, sizeof(id));
    for (i = 5; i >= 0; i--) {
        id[i] = (unsigned char)(now & 0xFF);
        now >>= 8;
    }
    write_uuid(out, id, 7);
    return out;
}

const char *mastra_text_base64url(const unsigned char *data, apr_size_t len,
                                  apr_pool_t *pool)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    char *out = apr_palloc(pool, len / 3 * 4 + 5), *to = out;
    apr_uint32_t word = 0;
    apr_size_t i;
    int bits = 0;

    for (i = 0; i < len; i++) {
        word = word << 8 | data[i];
        for (bits += 8; bits >= 6; bits -= 6) {
            *to++ = digits[word >> (bits - 6) & 63];
        }
    }
    if (bits) {
        *to++ = digits[word << (6 - bits) & 63];
    }
    *to = '\0';
    return out;
}

static int base64_value(char c, int standard)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '-' || (standard && c == '+')) {
        return 62;
    }
    return c == '_' || (standard && c == '/') ? 63 : -1;
}

static apr_status_t base64_decode(unsigned char **pdata, apr_size_t *plen,
                                  const char *text, apr_size_t len,
                                  int lenient, apr_pool_t *pool)
{
    unsigned char *out = apr_palloc(pool, len / 4 * 3 + 4);
    apr_size_t i, n = 0;
    apr_uint32_t word = 0;
    int bits = 0, value;

    for (i = 0; i < len; i++) {
        value = base64_value(text[i], lenient);
        if (value < 0) {
            return APR_EINVAL;
        }
        word = word << 6 | (apr_uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (unsigned char)(word >> bits);
        }
    }
    /* one digit alone makes no byte; the rest of the last must be zero */
    if (bits == 6 || (!lenient && (word & ((1u << bits) - 1)))) {
        return APR_EINVAL;
    }
    out[n] = '\0';
    *pdata = out;
    *plen = n;
    return APR_SUCCESS;
}

apr_status_t mastra_text_base64url_decode(unsigned char **pdata,
                                          apr_size_t *plen, const char *text,
                                          apr_size_t len, apr_pool_t *pool)
{
    return base64_decode(pdata, plen, text, len, 0, pool);
}

apr_status_t mastra_text_base64_decode(unsigned char **pdata, apr_size_t *plen,
                                       const char *text, apr_size_t len,
                                       apr_pool_t *pool)
{
    int padding = 0;

    while (len && padding < 2 && text[len - 1] == '=') {
        len--;
        padding++;
    }
    if (padding && (len + padding) % 4) {
        return APR_EINVAL;
    }
    return base64_decode(pdata, plen, text, len, 1, pool);
}

/* Days of the epoch of a date of the proleptic Gregorian calendar, years
 * counted from March so that a leap day comes last. */
static apr_int64_t days_from_civil(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year, era, of_era, of_year;

    era = (y >= 0 ? y : y - 399) / 400;
    of_era = y - era * 400;
    of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (apr_int64_t)era * 146097 + of_era * 365 + of_era / 4
           - of_era / 100 + of_year - 719468;
}

static void civil_from_days(apr_int64_t days, int *year, int *month, int *day)
{
    int era, of_era, y, of_year, m;

    days += 719468;
    era = (int)((days >= 0 ? days : days - 146096) / 146097);
    of_era = (int)(days - (apr_int64_t)era * 146097);
    y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * y + y / 4 - y / 100);
    m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = y + era * 400 + (*month <= 2);
}

static char *put_digits(char *out, int value, int width)
{
    int i;

    for (i = width; i--; value /= 10) {
        out[i] = (char)('0' + value % 10);
    }
    return out + width;
}

void mastra_text_iso(char *out, apr_time_t t)
{
    /* four digits for the year: from 0000 to 9999 */
    static const apr_time_t first = APR_INT64_C(-62167219200000000),
                            last = APR_INT64_C(253402300799999999);
    apr_int64_t ms, days;
    int year, month, day, rest;

    t = t < first ? first : t > last ? last : t;
    ms = t >= 0 ? t / 1000 : (t - 999) / 1000;
    days = ms >= 0 ? ms / 86400000 : (ms - 86399999) / 86400000;
    rest = (int)(ms - days * 86400000);
    civil_from_days(days, &year, &month, &day);
    out = put_digits(out, year, 4);
    *out++ = '-';
    out = put_digits(out, month, 2);
    *out++ = '-';
    out = put_digits(out, day, 2);
    *out++ = 'T';
    out = put_digits(out, rest / 3600000, 2);
    *out++ = ':';
    out = put_digits(out, rest / 60000 % 60, 2);
    *out++ = ':';
    out = put_digits(out, rest / 1000 % 60, 2);
    *out++ = '.';
    out = put_digits(out, rest % 1000, 3);
    *out++ = 'Z';
    *out = '\0';
}

const char *mastra_text_iso_make(apr_pool_t *pool, apr_time_t t)
{
    char *out = apr_palloc(pool, MASTRA_ISO_LEN + 1);

    mastra_text_iso(out, t);
    return out;
}

/* Reads exactly width digits, with the character before them if any. */
static int take_digits(const char **ptext, char before, int width, int *value)
{
    const char *s = *ptext;

    if (before && *s++ != before) {
        return 0;
    }
    for (*value = 0; width; width--, s++) {
        if (*s < '0' || *s > '9') {
            return 0;
        }
        *value = *value * 10 + (*s - '0');
    }
    *ptext = s;
    return 1;
}

static int take_date(const char **ptext, apr_int64_t *pdays)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31 };
    int year, month, day, length;

    if (!take_digits(ptext, 0, 4, &year)
        || !take_digits(ptext, '-', 2, &month)
        || !take_digits(ptext, '-', 2, &day)
        || month < 1 || month > 12) {
        return 0;
    }
    length = lengths[month - 1];
    if (month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0)) {
        length++;
    }
    *pdays = days_from_civil(year, month, day);
    return day >= 1 && day <= length;
}

/* .5, .123, .123456789: microseconds, finer digits are dropped */
static int take_fraction(const char **ptext, int *pmicros)
{
    const char *s = *ptext;
    int scale = 100000;

    *pmicros = 0;
    if (*s != '.') {
        return 1;
    }
    for (s++; *s >= '0' && *s <= '9'; s++, scale /= 10) {
        *pmicros += (*s - '0') * scale;
    }
    if (s == *ptext + 1) {
        return 0;
    }
    *ptext = s;
    return 1;
}

static int take_zone(const char **ptext, int *pminutes)
{
    int hours, minutes, sign;

    *pminutes = 0;
    if (**ptext == 'Z') {
        (*ptext)++;
        return 1;
    }
    if (**ptext != '+' && **ptext != '-') {
        return 1;
    }
    sign = *(*ptext)++ == '-' ? -1 : 1;
    if (!take_digits(ptext, 0, 2, &hours)
        || !take_digits(ptext, ':', 2, &minutes)
        || hours > 23 || minutes > 59) {
        return 0;
    }
    *pminutes = sign * (hours * 60 + minutes);
    return 1;
}

apr_status_t mastra_text_iso_parse(apr_time_t *pt, const char *text)
{
    int hour = 0, minute = 0, second = 0, micros = 0, zone = 0;
    apr_int64_t days;

    if (!text || !take_date(&text, &days)) {
        return APR_EINVAL;
    }
    if (*text == 'T' || *text == ' ') {
        text++;
        if (!take_digits(&text, 0, 2, &hour)
            || !take_digits(&text, ':', 2, &minute)
            || (*text == ':' && !take_digits(&text, ':', 2, &second))
            || !take_fraction(&text, &micros)
            || !take_zone(&text, &zone)) {
            return APR_EINVAL;
        }
    }
    /* 24:00:00 is the end of the day */
    if (*text || minute > 59 || second > 59 || hour > 24
        || (hour == 24 && (minute || second || micros))) {
        return APR_EINVAL;
    }
    *pt = (((days * 24 + hour) * 60 + minute - zone) * 60 + second)
          * APR_USEC_PER_SEC + micros;
    return APR_SUCCESS;
}

apr_int64_t mastra_text_now_ms(void)
{
    return apr_time_now() / 1000;
}

int mastra_text_equal_secret(const char *a, apr_size_t alen, const char *b,
                             apr_size_t blen)
{
    volatile unsigned char differ = alen != blen;
    apr_size_t i;

    for (i = 0; i < alen; i++) {
        differ |= (unsigned char)(a[i] ^ (blen ? b[i % blen] : ~a[i]));
    }
    return !differ;
}

int mastra_hex_number(const unsigned char *s, const unsigned char *end, int n)
{
    int value = 0, letter;

    if (end - s < n) {
        return -1;
    }
    for (; n--; s++) {
        letter = *s | 0x20;
        if (*s >= '0' && *s <= '9') {
            value = value << 4 | (*s - '0');
        }
        else if (letter >= 'a' && letter <= 'f') {
            value = value << 4 | (letter - 'a' + 10);
        }
        else {
            return -1;
        }
    }
    return value;
}

apr_status_t mastra_text_url_decode(const char **pout, const char *text,
                                    apr_size_t len, int plus,
                                    apr_pool_t *pool)
{
    char *out = apr_palloc(pool, len + 1), *to = out;
    apr_size_t i;
    int c;

    for (i = 0; i < len; i++) {
        c = plus && text[i] == '+' ? ' ' : text[i];
        if (c == '%') {
            c = mastra_hex_number((const unsigned char *)text + i + 1,
                                  (const unsigned char *)text + len, 2);
            i += 2;
        }
        if (c == 0 || c == -1) {
            return APR_EINVAL;
        }
        *to++ = (char)c;
    }
    *to = '\0';
    if (mastra_text_utf8_valid(out, to - out) != (apr_size_t)(to - out)) {
        return APR_EINVAL;
    }
    *pout = out;
    return APR_SUCCESS;
}

int mastra_text_url_port(const char *url)
{
    const char *host = strstr(url, "://"), *at, *end, *colon;
    long port = 0;

    host = host ? host + 3 : url;
    end = host + strcspn(host, "/?#");
    at = memchr(host, '@', end - host);
    host = at ? at + 1 : host;
    /* colons in brackets belong to an address of IPv6 */
    at = memchr(host, ']', end - host);
    colon = memchr(at ? at : host, ':', end - (at ? at : host));
    if (!colon) {
        return 1;
    }
    for (colon++; colon < end && port <= 65535; colon++) {
        if (*colon < '0' || *colon > '9') {
            return 0;
        }
        port = port * 10 + (*colon - '0');
    }
    return port >= 1 && port <= 65535;
}
